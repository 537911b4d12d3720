"""Controls as people write them: `soc2 CC6.1, gdpr 32`."""

import re
from collections.abc import Iterable

from ..models import Control

MOST = 100


def parse(text: str) -> tuple[list[Control], list[str]]:
    """The controls that a text names, each once, and a sentence for each part that names none. One query."""
    parts = list(dict.fromkeys(" ".join(part.split()) for part in re.split(r"[,;\n]", text) if part.strip()))
    named = [part.partition(" ")[::2] for part in parts[:MOST]]
    rows = Control.objects.select_related("framework").filter(
        framework__slug__in={slug.lower() for slug, _ in named}, ref__in={ref for _, ref in named}
    )
    known = {(row.framework.slug, row.ref): row for row in rows}
    found, unknown = [], []
    for part, (slug, ref) in zip(parts, named, strict=False):
        control = known.get((slug.lower(), ref))
        if control in found:
            continue
        if control:
            found.append(control)
        else:
            unknown.append(
                f"No control is called “{part[:80]}”: write the framework's short name and the id, as soc2 CC6.1."
            )
    if len(parts) > MOST:
        unknown.append(f"These are more than {MOST} controls.")
    return found, unknown


def text(controls: Iterable[Control]) -> str:
    """The other way: what a form shows for the controls that are linked."""
    return ", ".join(f"{each.framework.slug} {each.ref}" for each in controls)
