"""What a check found, in sentences: what the token opens, what it may read, what is missing and why, what that means.

No HTML, no request: `display` puts these beside the table of streams.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from . import troubleshooting
from .rights import Cause
from .spec import Connector, Exposure, State, TokenRole

MARKS: Mapping[Cause, State] = {
    Cause.READABLE: State("pass", "Readable"),
    Cause.ROLE: State("denied", "Not with this role"),
    Cause.PLAN: State("off", "Not on this plan"),
    Cause.OFF: State("off", "Not enabled"),
    Cause.UNKNOWN: State("unknown", "Role or plan unknown"),
    Cause.FAILED: State("failed", "Failed"),
    Cause.NOT_CHECKED: State("none", "Not checked"),
}
# What to do where something is missing.
_CURES: Mapping[Cause, str] = {
    Cause.ROLE: "Give the token the roles that the table names, or make one that sees everything, and check again.",
    Cause.PLAN: "If the workspace has it, look whether it is switched on. If not, there is nothing to read.",
    Cause.OFF: "Look in the service whether the workspace uses it. If not, there is nothing to read.",
    Cause.UNKNOWN: "Look in the service which it is: the role of the token, or what the workspace has.",
    Cause.FAILED: "Check again; the codes in the table lead to what to do if it stays.",
}


@dataclass(frozen=True)
class Asked:
    """A stream as the check found it, as far as the sentences need it."""

    title: str
    cause: Cause
    chosen: bool


@dataclass(frozen=True)
class Finding:
    """A sentence about a check, with what it is about and what to do."""

    state: State
    says: str
    streams: tuple[str, ...] = ()
    cure: str = ""


def findings(
    connector: Connector,
    found: Mapping[str, Any],
    asked: Sequence[Asked],
    role: TokenRole | None,
    region_title: Callable[[str], str],
) -> tuple[Finding, ...]:
    """What a check found, the most important first; of one that opened no workspace, only which regions were asked."""
    regions = tuple(_regions(connector, found, region_title))
    workspace = found.get("workspace")
    if not workspace:
        return regions
    slug = f" ({workspace['slug']})" if workspace["slug"] else ""
    opened = f"The token opens “{workspace['name']}”{slug}, id {workspace['id']}."
    return (
        Finding(State("pass", "Workspace"), opened),
        *regions,
        *_role(asked, role),
        *_streams(asked),
        *_evidence(asked, role),
    )


def _regions(connector: Connector, found: Mapping[str, Any], region_title: Callable[[str], str]) -> Iterable[Finding]:
    tried: Mapping[str, str] = found.get("tried") or {}
    first = found.get("first") or found.get("region") or next(iter(tried), "")
    order = [first, *(name for name in tried if name not in (first, found.get("region"))), found.get("region", "")]
    names = [name for name in dict.fromkeys(order) if name in tried]
    for name in names:
        said = troubleshooting.hint(tried[name], connector).title if tried[name] != "answered" else ""
        turn = "was asked first" if name == first else "was asked then"
        if said:
            yield Finding(State("na", "Region"), f"{region_title(name)} {turn}: {said}.")
        elif name == first:
            only = "It answered, so no other region was asked."
            yield Finding(State("pass", "Region"), f"{region_title(name)} {turn}. {only}")
        else:
            there = "It answered: the workspace is there, in another region than the one you chose."
            yield Finding(State("pass", "Region"), f"{region_title(name)} {turn}. {there}")


def _role(asked: Sequence[Asked], role: TokenRole | None) -> Iterable[Finding]:
    """That what was said of the token's role does not fit: only then is a refusal of a full role unexplained."""
    if role is not None and not role.doubt and any(each.cause is Cause.UNKNOWN for each in asked):
        says = f"The token was said to be a {role.title}'s, which sees everything, and yet it was refused what no plan "
        says += "keeps back. It may have another role."
        cure = "Look in the service which role it has, correct it on the page before this one, and check again."
        yield Finding(MARKS[Cause.UNKNOWN], says, (), cure)


def _streams(asked: Sequence[Asked]) -> Iterable[Finding]:
    """How many of how many, then what is missing by cause. What nobody chose is only counted."""
    held = {cause: [each for each in asked if each.cause is cause] for cause in Cause}
    put = len(asked) - len(held[Cause.NOT_CHECKED])
    readable = len(held[Cause.READABLE])
    mark = State("pass" if readable == put else "partial", "Streams")
    left = len(held[Cause.NOT_CHECKED])
    unasked = f" {left} {'was' if left == 1 else 'were'} not asked." if left else ""
    yield Finding(mark, f"It may read {readable} of the {put} streams that were asked.{unasked}")
    for cause, cure in _CURES.items():
        if lacking := held[cause]:
            streams = "stream" if len(lacking) == 1 else "streams"
            says = f"{len(lacking)} {streams}: {_SAYS[cause].format_map(_ONE if len(lacking) == 1 else _MANY)}"
            yield Finding(MARKS[cause], says, tuple(each.title for each in lacking), cure)
    if chosen := [each.title for each in held[Cause.NOT_CHECKED] if each.chosen]:
        many = f"{len(chosen)} {'stream' if len(chosen) == 1 else 'streams'} of those chosen"
        says = f"{many} could not be asked now; the table says why. The first sync asks."
        yield Finding(MARKS[Cause.NOT_CHECKED], says, tuple(chosen))


_SAYS: Mapping[Cause, str] = {
    Cause.ROLE: "the token's roles do not cover {them}.",
    Cause.PLAN: "the token sees everything, as you said, so the plan does not hold {them}, or {they are} off.",
    Cause.OFF: "the token sees everything, as you said, so the feature is not switched on.",
    Cause.UNKNOWN: "refused, and the answer does not say whether for the token's role or for the plan.",
    Cause.FAILED: "no answer came that means anything.",
}
_ONE = {"them": "it", "they are": "it is"}
_MANY = {"them": "them", "they are": "they are"}


def _evidence(asked: Sequence[Asked], role: TokenRole | None) -> Iterable[Finding]:
    if any(each.cause not in (Cause.READABLE, Cause.NOT_CHECKED) for each in asked):
        says = (
            "What may not be read is named as not read in every report, with the answer that says so, never as empty."
        )
        yield Finding(State("na", "Evidence"), says)
    if role is not None and role.doubt:
        yield Finding(State("partial", "Evidence"), role.doubt)


# --- what the token had better not be shown -------------------------------------------------------------


@dataclass(frozen=True)
class Exposed:
    """Whether a token was shown a secret, with the answer that says so. `at` is None when nothing was asked."""

    title: str
    state: State
    says: str
    about: str
    path: str = ""
    status: int = 0
    at: datetime | None = None


def exposures(connector: Connector, found: Mapping[str, Any]) -> tuple[Exposed, ...]:
    """One for each secret that the connector knows of; of a check that found no workspace, none."""
    if not found.get("workspace"):
        return ()
    return tuple(_exposed(connector, exposure, found) for exposure in connector.exposed)


def _exposed(connector: Connector, exposure: Exposure, found: Mapping[str, Any]) -> Exposed:
    asked = found["streams"].get(exposure.stream) or {}
    shown = (found.get("exposed") or {}).get(exposure.name)
    noun = connector.stream(exposure.stream).title.lower()
    title = exposure.title[:1].upper() + exposure.title[1:]
    if shown is None:
        says = f"Not known whether this token is shown {exposure.title}: {noun} were not read."
        return Exposed(title, State("unknown", "Unknown"), says, exposure.about)
    state, says = _shown(exposure.title, noun, shown["items"], shown["showing"])
    at = datetime.fromisoformat(asked["at"]) if asked.get("at") else None
    return Exposed(title, state, says, exposure.about, asked.get("path", ""), asked.get("status", 0), at)


def _shown(secret: str, noun: str, items: int, showing: int) -> tuple[State, str]:
    if not items:
        return State("unknown", "Unknown"), f"Not known whether this token is shown {secret}: there are no {noun} yet."
    if not showing:
        return State("pass", "Not shown"), f"Of {items} {noun} asked, none showed {secret} to this token."
    dropped = "the portal drops them before anything is stored."
    return State(
        "partial", "Shown"
    ), f"{showing} of {items} {noun} asked showed their {secret} to this token; {dropped}"
