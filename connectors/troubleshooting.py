"""What to do about every code that the portal can show: what happened, why, what next, and who acts.

The portal's own hints stand in `hints.toml`. A connector's (`guide.hints`) take the place of those with the same code.
"""

import tomllib
from functools import cache
from pathlib import Path

from .spec import Connector, Hint


def hint(code: str, connector: Connector | None = None) -> Hint:
    """The hint for a code, in the connector's own words where it has them. A code nobody knows gets an honest one."""
    return _known(connector).get(code) or Hint(
        code,
        "Something went wrong that this page does not know",
        "The portal reported a code that has no explanation here. That is a gap in the portal, not your mistake.",
        "Try once more. If it comes back, report it to the portal's developers with the code and the time.",
        "developer",
    )


def all_hints(connector: Connector | None = None) -> tuple[Hint, ...]:
    """Every hint there is, the connector's own first."""
    return tuple(_known(connector).values())


def _known(connector: Connector | None) -> dict[str, Hint]:
    own = {each.code: each for each in connector.guide.hints} if connector else {}
    return own | {each.code: each for each in _ours() if each.code not in own}


@cache
def _ours() -> tuple[Hint, ...]:
    said = tomllib.loads(Path(__file__).with_name("hints.toml").read_text(encoding="utf-8"))
    return tuple(Hint(code, **parts) for code, parts in said.items())
