"""A diagnosis as plain text, to be sent to whoever can help: no token, no header, no password of a proxy."""

from collections.abc import Iterator

from portal import __version__
from portal.pages import without_secrets
from portal.templatetags.portal import said_time

from .. import registry, troubleshooting
from ..models import Diagnosis
from .steps import Step, culprit, from_json

WIDTH = 16  # of the first column


def as_text(row: Diagnosis) -> str:
    """The whole diagnosis. `row` must have its connection and workspace."""
    steps = from_json(row.steps)
    facts = "\n".join(f"{name:{WIDTH}}{_plain(value)}" for name, value in _facts(row, steps))
    told = "\n".join(line for number, step in enumerate(steps, 1) for line in _step(number, step))
    return without_secrets(f"{row} of the connection “{_plain(row.connection.name)}”\n\n{facts}\n\n{told}\n")


def _facts(row: Diagnosis, steps: list[Step]) -> Iterator[tuple[str, str]]:
    connection, connector = row.connection, registry.get(row.connection.connector)
    region = registry.regions(connector).get(row.region)
    yield "Portal", __version__
    yield "Service", connector.title
    workspace = connection.workspace
    yield "Workspace", f"“{workspace.name}” ({workspace.remote_id})" if workspace else "none yet"
    told = region is not None and region.origin in region.title
    yield "Region", row.region if region is None else region.title if told else f"{region.title}, {region.origin}"
    yield "Begun", said_time(row.started_at, seconds=True)
    yield "Ended", said_time(row.finished_at, seconds=True) if row.finished_at else f"not yet: {row.done} steps done"
    found = culprit(steps)
    if found is None:
        yield "Outcome", "nothing failed" if row.finished_at else "nothing has failed so far"
    else:
        yield "Outcome", f"{found.title}: {found.mark.word.lower()}" + (f" ({found.code})" if found.code else "")


def _step(number: int, step: Step) -> Iterator[str]:
    took = f", {step.ms:,} ms" if step.ms is not None else ""
    yield f"{number:2}. {step.title}: {step.mark.word}{f' ({step.code})' if step.code else ''}{took}"
    if step.said:
        yield f"    {_plain(step.said)}"
    for line in step.lines:
        code = f" ({line.code})" if line.code else ""
        yield f"      - {_plain(line.title)}: {line.mark.word}{code}. {_plain(line.said)}".rstrip()
    if step.code:
        yield f"    Cause: {troubleshooting.hint(step.code).title}."


def _plain(text: str) -> str:
    """On one line, and unable to turn itself round or to hide: what was named by others may hold anything."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)
