"""Usage: tracked users and API calls day by day, and what was received, delivered, filtered and lost."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from heapq import merge
from itertools import groupby

from ...spec import Cell, Column, Json, Record, Report, ReportSpec, Row, State, View
from . import delivery, fields
from .inventory import Inventory

MTU, CALLS = "usage_mtu", "usage_api_calls"
MTU_BY, CALLS_BY = "usage_mtu_by_source", "usage_api_calls_by_source"
USERS = ("identified", "anonymous", "anonymousIdentified", "neverIdentified")
USER_COLUMNS = (
    Column("identified", "Identified users", "number"),
    Column("anonymous", "Anonymous users", "number"),
    Column("anonymous_identified", "Anonymous, then identified", "number"),
    Column("never_identified", "Never identified", "number"),
)
DAY_COLUMNS = (
    Column("day", "Day"),
    Column("calls", "API calls, period so far", "number"),
    Column("calls_day", "API calls of the day", "number"),
    *USER_COLUMNS,
    Column("start", "Period begins", "time"),
    Column("end", "Period ends", "time"),
)
SOURCE_COLUMNS = (
    Column("source", "Source"),
    Column("id", "Source id", "id"),
    Column("days", "Days known", "number"),
    Column("day", "Newest day"),
    Column("calls", "API calls, period so far", "number"),
    *USER_COLUMNS,
)
SOURCE_DAY_COLUMNS = (
    Column("source", "Source"),
    Column("source_id", "Source id", "id"),
    Column("day", "Day"),
    Column("calls", "API calls, period so far", "number"),
    *USER_COLUMNS,
)
NOTES = (
    "Segment counts users and API calls from the beginning of a period on: each day's figure is the sum so far, so "
    "figures of different days cannot be added up. “API calls of the day” is the difference to the day before.",
    "Figures of a source cannot be added up to those of the workspace: one user may use several sources.",
    *delivery.NOTES,
)

_Placed = tuple[tuple[str, str], str, Record]  # (source id, day), stream, record


def build(view: View, only: Mapping[str, str]) -> Report:
    inventory = Inventory(view)
    source = only.get("source_id", "")
    tables = (
        inventory.table("days", "By day", DAY_COLUMNS, lambda: _days(view), MTU, CALLS),
        inventory.table("sources", "By source", SOURCE_COLUMNS, lambda: _sources(inventory), MTU_BY, CALLS_BY),
        inventory.table(
            "source_days",
            "By source and day",
            SOURCE_DAY_COLUMNS,
            lambda: _source_days(inventory, source),
            MTU_BY,
            CALLS_BY,
            partition="source_id",
        ),
        *delivery.tables(inventory),
    )
    return Report(tables, _facts(inventory), notes=NOTES)


# --- the workspace, day by day ------------------------------------------------------------------


def _by_day(records: Iterable[Record]) -> dict[str, Record]:
    """The newest record of each day; what has no readable time stands under what it says."""
    found: dict[str, Record] = {}
    for record in sorted(records, key=lambda record: fields.identity(record, "timestamp")):
        found[_day(record)] = record
    return found


def _day(record: Record) -> str:
    return fields.day(fields.at(record, "timestamp")) or fields.identity(record, "timestamp")


def _days(view: View) -> Iterator[Row]:
    """The newest first."""
    users, calls = _by_day(view.records(MTU)), _by_day(view.records(CALLS))
    before = dict(zip(sorted(calls)[1:], sorted(calls), strict=False))
    for day in sorted({*users, *calls}, reverse=True):
        held = users.get(day, {})
        yield (
            day or None,
            fields.whole(fields.at(calls.get(day), "apiCalls")),
            _of_day(calls, day, before.get(day, ""), begins=_second(fields.at(held, "periodStart"))),
            *_users(held),
            _second(fields.at(held, "periodStart")),
            _second(fields.at(held, "periodEnd")),
        )


def _of_day(calls: Mapping[str, Record], day: str, before: str, begins: Cell) -> Cell:
    """How many were added to the day before, or on the first day of a period.

    Nothing is said where the day before is not known, or the count began anew.
    """
    known, earlier = (fields.whole(fields.at(calls.get(each), "apiCalls")) for each in (day, before))
    if isinstance(begins, str) and begins[:10] == day:
        return known
    follows = fields.days(fields.moment(before), fields.moment(day)) == 1 and before[:7] == day[:7]
    if not (isinstance(known, int) and isinstance(earlier, int) and follows):
        return None
    return known - earlier if known >= earlier else None


def _users(record: Json) -> Row:
    return tuple(fields.whole(fields.at(record, name)) for name in USERS)


def _second(value: Json) -> Cell:
    """A moment that Segment wrote in seconds since 1970."""
    said = fields.whole(value)
    if not isinstance(said, int):
        return said
    try:
        return datetime.fromtimestamp(said, UTC).isoformat()
    except (ValueError, OverflowError, OSError):
        return fields.UNREADABLE_CELL


# --- by source ----------------------------------------------------------------------------------


def _merged(view: View, source: str = "") -> Iterator[tuple[str, str, Record, Record]]:
    """Source, day, users and calls, one by one; both streams come in the order of source and time."""
    streams = (_placed(stream, view.records(stream, source)) for stream in (MTU_BY, CALLS_BY))
    for (id_, day), held in groupby(merge(*streams, key=_place), _place):
        known = {stream: record for _, stream, record in held}  # of two on one day the later one
        yield id_, day, known.get(MTU_BY, {}), known.get(CALLS_BY, {})


def _placed(stream: str, records: Iterable[Record]) -> Iterator[_Placed]:
    return (((fields.identity(record, "sourceId"), _day(record)), stream, record) for record in records)


def _place(placed: _Placed) -> tuple[str, str]:
    return placed[0]


def _source_days(inventory: Inventory, source: str) -> Iterator[Row]:
    for id_, day, users, calls in _merged(inventory.view, source):
        yield (
            inventory.source(id_),
            id_,
            day or None,
            fields.whole(fields.at(calls, "apiCalls")),
            *_users(users),
        )


def _sources(inventory: Inventory) -> Iterator[Row]:
    """The newest figures of each source."""
    newest: dict[str, tuple[str, Record, Record]] = {}
    days: dict[str, set[str]] = defaultdict(set)
    for id_, day, users, calls in _merged(inventory.view):
        days[id_].add(day)
        if id_ not in newest or day >= newest[id_][0]:
            newest[id_] = (day, users, calls)
    for id_ in fields.by_name(newest, inventory.source_names):
        day, users, calls = newest[id_]
        yield (
            inventory.source(id_),
            id_,
            len(days[id_]),
            day or None,
            fields.whole(fields.at(calls, "apiCalls")),
            *_users(users),
        )


# --- facts --------------------------------------------------------------------------------------


def _facts(inventory: Inventory) -> tuple[tuple[str, Cell], ...]:
    calls, users = _by_day(inventory.view.records(CALLS)), _by_day(inventory.view.records(MTU))
    return (
        ("Newest day", inventory.tally(max((*calls, *users), default=None), CALLS, MTU)),
        ("API calls, period so far", inventory.tally(_newest(calls, "apiCalls"), CALLS)),
        ("Identified users", inventory.tally(_newest(users, "identified"), MTU)),
        ("Anonymous users", inventory.tally(_newest(users, "anonymous"), MTU)),
        *delivery.facts(inventory),
    )


def _newest(held: Mapping[str, Record], name: str) -> Cell:
    said: int | State | None = fields.whole(fields.at(held[max(held)], name)) if held else None
    return said


SPEC = ReportSpec(
    name="usage",
    title="Usage and delivery",
    question="How much was collected and from how many people, and what of it was delivered, filtered or lost?",
    streams=("sources", "destinations", MTU, CALLS, MTU_BY, CALLS_BY, *delivery.STREAMS),
    build=build,
    supports=(
        "soc2 PI1.4",
        "soc2 CC7.2",
        "iso27001 A.8.16",
        "gdpr 5",
        "nist-csf DE.CM-06",
    ),
)
