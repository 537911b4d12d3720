"""Privacy requests: deletion and suppression, how far they are, and how long open ones have waited."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from ...spec import Cell, Column, Json, Record, Report, ReportSpec, Row, State, View
from . import fields
from .inventory import Inventory

REQUESTS, SUPPRESSED = "regulations", "suppressions"
NO_STATUS = "Of some requests the status is missing or unreadable."
OPEN = frozenset({"INITIALIZED", "RUNNING"})
TYPES = {
    "DELETE_ARCHIVE_ONLY": "Delete from the archive only",
    "DELETE_INTERNAL": "Delete within Segment",
    "DELETE_ONLY": "Delete",
    "SUPPRESS_ONLY": "Suppress",
    "SUPPRESS_WITH_DELETE": "Suppress and delete",
    "SUPPRESS_WITH_DELETE_INTERNAL": "Suppress, and delete within Segment",
    "UNSUPPRESS": "End a suppression",
}
STATUSES: Mapping[str, Cell] = {
    "FINISHED": "Finished",
    "INITIALIZED": State("run", "Not begun", "Segment has the request and has not begun."),
    "RUNNING": State("run", "Running", "Segment is working on it."),
    "FAILED": State(
        "unknown",
        "Failed overall",
        "Segment says so as soon as one destination fails or cannot delete at all; its listing does not tell which.",
    ),
    "PARTIAL_SUCCESS": State("partial", "In part", "Segment says that a part of it succeeded."),
    "NOT_SUPPORTED": State("partial", "Not supported", "Segment says that a receiver cannot do it: ask the receiver."),
    "INVALID": State("failed", "Invalid", "Segment refused the request as it was made: nothing was done."),
}
SUMMARY_COLUMNS = (
    Column("type", "Request", filter=True),
    Column("status", "Status", filter=True),
    Column("requests", "Requests", "number"),
    Column("subjects", "Subjects", "number"),
    Column("first", "Oldest", "time"),
    Column("last", "Newest", "time"),
    Column("longest", "Longest, in days", "number"),
)
REQUEST_COLUMNS = (
    Column("created", "Created", "time"),
    Column("type", "Request", filter=True),
    Column("status", "Status", filter=True),
    Column("subject_type", "Subjects are", filter=True),
    Column("subjects", "Subjects", "number"),
    Column("finished", "Finished", "time"),
    Column("took", "Days taken", "number"),
    Column("waiting", "Days waiting, at least", "number"),
    Column("id", "Id", "id"),
)
SUPPRESSED_COLUMNS = (
    Column("type", "Subjects are", filter=True),
    Column("entries", "Entries", "number"),
    Column("subjects", "Subjects", "number"),
)
NOTES = (
    "Ids of end users are not kept: subjects are counted, and a keyed fingerprint takes the place of each id.",
    "Segment forgets a request after 90 days; the portal keeps those that it has seen.",
    "A report has no clock. Waiting is counted up to the newest moment that the requests themselves name, so the true "
    "wait is at least as long.",
    "“Failed overall” is not by itself a failure of the deletion: Segment says it as soon as one destination cannot "
    "delete. Which one, Segment shows in the request's details.",
    "Whether a receiver outside Segment has deleted is for that receiver to confirm.",
)


def build(view: View, only: Mapping[str, str]) -> Report:
    inventory = Inventory(view)
    requests = tuple(sorted(view.records(REQUESTS), key=_order, reverse=True))
    now = _newest(requests)
    tables = (
        inventory.table("requests", "Requests", REQUEST_COLUMNS, lambda: _requests(requests, now), REQUESTS),
        inventory.table("summary", "By type", SUMMARY_COLUMNS, lambda: _summary(requests, now), REQUESTS),
        inventory.table("suppressed", "Suppressed", SUPPRESSED_COLUMNS, lambda: _suppressed(view), SUPPRESSED),
    )
    return Report(tables, _facts(inventory, requests, now), notes=NOTES)


def _order(request: Record) -> tuple[str, str]:
    return fields.identity(request, "createdAt"), fields.identity(request)


# --- one request --------------------------------------------------------------------------------


def _at(request: Record, name: str) -> datetime | None:
    return fields.moment(fields.at(request, name))


def _newest(requests: Iterable[Record]) -> datetime | None:
    moments = (_at(request, name) for request in requests for name in ("createdAt", "finishedAt"))
    return max(filter(None, moments), default=None)


def _open(request: Record) -> bool:
    return fields.identity(request, "status") in OPEN


def _took(request: Record) -> int | None:
    return fields.days(_at(request, "createdAt"), _at(request, "finishedAt"))


def _waiting(request: Record, now: datetime | None) -> int | None:
    return fields.days(_at(request, "createdAt"), now) if _open(request) else None


def _type(value: Json) -> Cell:
    said = fields.text(value)
    return TYPES.get(said, said) if isinstance(said, str) else said


def _status(value: Json) -> Cell:
    said = fields.text(value)
    return STATUSES.get(said, said) if isinstance(said, str) else fields.NOT_SAID if said is None else said


def _subjects(request: Record) -> Cell:
    return fields.whole(fields.at(request, "subjects", "count"))


# --- tables -------------------------------------------------------------------------------------


def _requests(requests: Iterable[Record], now: datetime | None) -> Iterator[Row]:
    for request in requests:
        yield (
            fields.text(fields.at(request, "createdAt")),
            _type(fields.at(request, "regulationType")),
            _status(fields.at(request, "status")),
            fields.text(fields.at(request, "subjectType")),
            _subjects(request),
            fields.text(fields.at(request, "finishedAt")),
            _took(request),
            _waiting(request, now),
            fields.identity(request),
        )


def _summary(requests: Iterable[Record], now: datetime | None) -> Iterator[Row]:
    """A row for each type and status."""
    found: dict[tuple[str, str], list[Record]] = defaultdict(list)
    for request in requests:  # the newest first
        found[_words(request)].append(request)
    for _, held in sorted(found.items()):
        lengths = [each for request in held for each in (_took(request), _waiting(request, now)) if each is not None]
        yield (
            _type(fields.at(held[0], "regulationType")),
            _status(fields.at(held[0], "status")),
            len(held),
            fields.total(fields.at(request, "subjects", "count") for request in held),
            fields.text(fields.at(held[-1], "createdAt")),
            fields.text(fields.at(held[0], "createdAt")),
            max(lengths, default=None),
        )


def _words(request: Record) -> tuple[str, str]:
    return fields.identity(request, "regulationType"), fields.identity(request, "status")


def _suppressed(view: View) -> Iterator[Row]:
    counts: dict[str, list[Json]] = defaultdict(list)
    for record in view.records(SUPPRESSED):
        counts[fields.identity(record, "subjectType")].append(fields.at(record, "count"))
    for type_, held in sorted(counts.items()):
        yield (type_ or None, len(held), fields.total(held))


# --- facts --------------------------------------------------------------------------------------


def _facts(inventory: Inventory, requests: tuple[Record, ...], now: datetime | None) -> tuple[tuple[str, Cell], ...]:
    status = Counter(fields.identity(request, "status") for request in requests)
    subjects = fields.total(fields.at(record, "count") for record in inventory.view.records(SUPPRESSED))
    return (
        ("Requests", inventory.total(REQUESTS)),
        ("Open", inventory.tally(fields.at_least(sum(map(_open, requests)), not status[""], NO_STATUS), REQUESTS)),
        ("Longest open, in days at least", inventory.tally(_longest(requests, now), REQUESTS)),
        ("Failed overall", inventory.tally(status["FAILED"], REQUESTS)),
        ("Suppressed subjects", inventory.tally(subjects, SUPPRESSED)),
    )


def _longest(requests: Iterable[Record], now: datetime | None) -> Cell:
    """How long the open request has waited that has waited longest; nothing when none is open."""
    waits = [_waiting(request, now) for request in requests if _open(request)]
    known = max((each for each in waits if each is not None), default=None)
    if None not in waits:
        return known
    return State("unknown", "Unknown" if known is None else str(known), "Of an open request the time is not readable.")


SPEC = ReportSpec(
    name="privacy",
    title="Privacy requests",
    question="Which requests to delete or suppress data were made, how far are they, and how long did they take?",
    streams=(REQUESTS, SUPPRESSED),
    build=build,
    supports=(
        "soc2 P2.1",
        "soc2 P4.3",
        "soc2 P8.1",
        "soc2 C1.2",
        "iso27001 A.8.10",
        "iso27001 A.5.34",
        "gdpr 12",
        "gdpr 17",
        "gdpr 19",
        "gdpr 21",
        "ccpa 1798.105",
        "ccpa 1798.130",
        "ccpa 7022",
        "ccpa 7026",
    ),
)
