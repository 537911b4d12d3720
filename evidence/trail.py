"""Who may have made a change: events of the service's own audit trail about exactly that record, between two snapshots.

It is inferred, and says so: an event names a record and a time, never what was changed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from connectors import locker
from connectors.spec import Coverage, Event, Record, Trail

from .comparison import Comparison, Line
from .document import moment

MOST_EVENTS = 5_000  # between two snapshots; beyond, nobody is named
NOTHING: "Mapping[tuple[str, str], list[Event]]" = {}


@dataclass(frozen=True)
class Names:
    """`events` by kind and id of what they are about. `lacking` says why nobody can be named, "" when they can."""

    events: Mapping[tuple[str, str], list[Event]]
    lacking: str = ""

    def of(self, line: Line, trail: Trail | None) -> str:
        """`probably by mara@example.com, 23 Nov 2026, 14:02 UTC`; "" when no event fits."""
        record = line.after if line.after is not None else line.before
        return by(_about(self.events, trail, record)) if trail and record else ""


def names(comparison: Comparison) -> Names:
    """The events between the two readings: one query."""
    declared = comparison.connector.trail
    if declared is None:
        return Names(NOTHING, "The service has no audit trail that the portal reads.")
    covered = next(each for each in comparison.after.coverage if each.stream == declared.stream)
    if covered.coverage is not Coverage.COMPLETE:
        return Names(NOTHING, f"{covered.title} was not read completely in snapshot {comparison.newer.seq}.")
    if covered.as_of < comparison.newer.seq:
        return Names(NOTHING, f"{covered.title} was last read in snapshot {covered.as_of}, before the newer one.")
    first, last = comparison.before.window[0], comparison.after.window[1]
    records = locker.span(comparison.workspace_id, comparison.newer.seq, declared.stream, _key(first), _key(last) + "~")
    found: dict[tuple[str, str], list[Event]] = {}
    for number, record in enumerate(records, 1):
        if number > MOST_EVENTS:
            return Names(NOTHING, f"More than {MOST_EVENTS:,} events stand between the two: compare nearer snapshots.")
        if event := declared.event(record):
            found.setdefault((event.kind, event.resource), []).append(event)
    return Names(found)


def _key(at: datetime) -> str:
    """How the key of an event at that time begins."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _about(events: Mapping[tuple[str, str], list[Event]], trail: Trail, record: Record) -> list[Event]:
    held = events.get((trail.kind, str(record.get(trail.field, ""))), [])
    return [event for event in held if trail.events.match(event.what)]


def by(events: Iterable[Event]) -> str:
    """Whom events about one record name, in words."""
    held = list(events)
    if not held:
        return ""
    if len(held) == 1:
        return f"probably by {held[0].who or 'somebody unnamed'}, {_at(held[0])}: {held[0].what}"
    people = list(dict.fromkeys(event.who or "somebody unnamed" for event in held))
    said = people[0] if len(people) == 1 else f"{len(people)} people or tokens"
    return f"one of {len(held)} events by {said}, the last {_at(held[-1])}"


def _at(event: Event) -> str:
    try:
        return moment(datetime.fromisoformat(event.at))
    except ValueError:
        return event.at
