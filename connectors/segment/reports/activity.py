"""Activity: Segment's own record of who changed what in the workspace.

There may be a hundred thousand events: they are passed on one by one, and counted in one go without being held.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from ...spec import Cell, Column, Record, Report, ReportSpec, Row, Table, View
from . import fields
from .inventory import Inventory

EVENTS = "audit_events"
TOKEN = "public-api-token/"  # noqa: S105 - how an actor begins that is a token
NO_MONTH = "unknown"
MONTHS = (  # not those of the machine's language
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
MONTH_COLUMNS = (
    Column("month", "Month"),
    Column("id", "As a number", "id"),
    Column("events", "Events", "number"),
    Column("by_people", "By people", "number"),
    Column("by_tokens", "By tokens", "number"),
    Column("by_others", "By others", "number"),
)
TYPE_COLUMNS = (
    Column("type", "Type"),
    Column("events", "Events", "number"),
    Column("actors", "Different actors", "number"),
    Column("first", "First", "time"),
    Column("last", "Last", "time"),
)
ACTOR_COLUMNS = (
    Column("who", "Who"),
    Column("kind", "Kind", filter=True),
    Column("email", "E-mail"),
    Column("actor", "As Segment names it", "id"),
    Column("events", "Events", "number"),
    Column("types", "Different types", "number"),
    Column("first", "First", "time"),
    Column("last", "Last", "time"),
)
EVENT_COLUMNS = (
    Column("time", "Time", "time"),
    Column("type", "Type", filter=True),
    Column("who", "Who", filter=True),
    Column("kind", "Kind", filter=True),
    Column("resource_type", "Kind of resource", filter=True),
    Column("resource", "Resource"),
    Column("resource_id", "Resource id", "id"),
    Column("email", "E-mail"),
    Column("event_id", "Event id", "id"),
    Column("month", "Month", "id"),
)
PERSON, BY_TOKEN, OTHER = "Person", "Token", "Not known"
NOTES = (
    "Segment shows its audit trail for 90 days; the portal keeps what it has read, so this list grows.",
    "An event says that something was changed, not what it was before and after. What changed from snapshot to "
    "snapshot is in the history of the workspace.",
    "The API does not list tokens: a token is named by the id that it has in the audit trail.",
    "“Not known” is somebody whom Segment names by an id alone, and who is no member of the workspace today.",
    "Months are those of the times as Segment writes them, in UTC.",
)


def build(view: View, only: Mapping[str, str]) -> Report:
    inventory = Inventory(view)
    trail = Trail(inventory)
    note = inventory.note(EVENTS, "users")  # who is a person hangs on the members
    tables = (
        Table("months", "By month", MONTH_COLUMNS, lambda: _months(trail), note=note),
        Table(
            "events",
            "Events",
            EVENT_COLUMNS,
            lambda: _events(trail, only.get("month", "")),
            note=note,
            partition="month",
        ),
        Table("types", "By type", TYPE_COLUMNS, lambda: _types(trail), note=note),
        Table("actors", "By actor", ACTOR_COLUMNS, lambda: _actors(trail), note=note),
    )
    return Report(tables, _facts(trail), notes=NOTES)


@dataclass(slots=True)
class Sum:
    """Events of one kind. Times are text, which sorts as Segment writes them."""

    events: int = 0
    first: str = ""
    last: str = ""
    others: set[str] = field(default_factory=set)
    email: str = ""

    def add(self, time: str, other: str) -> None:
        self.events += 1
        self.others.add(other)
        if time:
            self.first = min(self.first or time, time)
            self.last = max(self.last, time)


class Trail:
    """All events, counted in one go when it is first asked for."""

    def __init__(self, inventory: Inventory) -> None:
        self.inventory = inventory

    @cached_property
    def _sums(self) -> tuple[dict[str, Sum], dict[str, Sum], Counter[tuple[str, str]]]:
        types: dict[str, Sum] = {}
        actors: dict[str, Sum] = {}
        months: Counter[tuple[str, str]] = Counter()
        for event in self.inventory.view.records(EVENTS):
            time = _time(event)
            type_, actor = fields.identity(event, "type"), fields.identity(event, "actor")
            types.setdefault(type_, Sum()).add(time, actor)
            held = actors.setdefault(actor, Sum())
            held.add(time, type_)
            held.email = fields.identity(event, "actorEmail") or held.email
            months[time[:7] or NO_MONTH, self.kind(event)] += 1
        return types, actors, months

    @property
    def types(self) -> dict[str, Sum]:
        return self._sums[0]

    @property
    def actors(self) -> dict[str, Sum]:
        return self._sums[1]

    @property
    def months(self) -> Counter[tuple[str, str]]:
        """(month, kind of actor) -> how many events."""
        return self._sums[2]

    def kind(self, event: Record) -> str:
        actor = fields.identity(event, "actor")
        if actor.startswith(TOKEN):
            return BY_TOKEN
        known = actor in self.inventory.user_names or bool(fields.identity(event, "actorEmail"))
        return PERSON if known else OTHER

    def who(self, actor: str, email: str) -> str | None:
        """A person by name, by e-mail where the name is not known, and a token as a token."""
        if actor.startswith(TOKEN):
            return f"Token {actor.removeprefix(TOKEN)}"
        return self.inventory.user_names.get(actor) or self._by_email.get(email.casefold()) or email or actor or None

    @cached_property
    def _by_email(self) -> dict[str, str]:
        """The names of members by their e-mail addresses."""
        users = self.inventory.view.records("users")
        known = ((fields.identity(user, "email").casefold(), fields.name_of(user, "email")) for user in users)
        return {email: name for email, name in known if email}


def _time(event: Record) -> str:
    """The time as Segment wrote it, "" when it is none."""
    said = fields.identity(event, "timestamp")
    return said if len(said) > 7 and said[4] == "-" and said[:4].isdecimal() and said[5:7].isdecimal() else ""


# --- tables -------------------------------------------------------------------------------------


def _months(trail: Trail) -> Iterator[Row]:
    """The newest first."""
    for month in sorted({month for month, _ in trail.months}, reverse=True):
        counts = [trail.months[month, kind] for kind in (PERSON, BY_TOKEN, OTHER)]
        yield (_month(month), month, sum(counts), *counts)


def _month(said: str) -> str:
    year, _, month = said.partition("-")
    known = month.isascii() and month.isdigit() and 1 <= int(month) <= len(MONTHS)
    return f"{MONTHS[int(month) - 1]} {year}" if known else "At an unreadable time"


def _events(trail: Trail, month: str) -> Iterator[Row]:
    """In the order of time, one by one."""
    for event in trail.inventory.view.records(EVENTS):
        at = _time(event)[:7] or NO_MONTH
        if month in ("", at):
            yield _event(trail, event, at)


def _event(trail: Trail, event: Record, month: str) -> Row:
    email = fields.identity(event, "actorEmail")
    return (
        fields.text(fields.at(event, "timestamp")),
        fields.text(fields.at(event, "type")),
        trail.who(fields.identity(event, "actor"), email),
        trail.kind(event),
        fields.text(fields.at(event, "resourceType")),
        fields.text(fields.at(event, "resourceName")),
        fields.text(fields.at(event, "resourceId")),
        email or None,
        fields.text(fields.at(event, "id")),
        month,
    )


def _types(trail: Trail) -> Iterator[Row]:
    """The most frequent first."""
    for type_, held in sorted(trail.types.items(), key=lambda each: (-each[1].events, each[0])):
        yield (type_ or None, held.events, len(held.others), held.first or None, held.last or None)


def _actors(trail: Trail) -> Iterator[Row]:
    for actor, held in sorted(trail.actors.items(), key=lambda each: (-each[1].events, each[0])):
        yield (
            trail.who(actor, held.email),
            trail.kind({"actor": actor, "actorEmail": held.email}),
            held.email or None,
            actor or None,
            held.events,
            len(held.others),
            held.first or None,
            held.last or None,
        )


# --- facts --------------------------------------------------------------------------------------


def _facts(trail: Trail) -> tuple[tuple[str, Cell], ...]:
    tally = trail.inventory.tally
    kinds = Counter(trail.kind({"actor": actor, "actorEmail": held.email}) for actor, held in trail.actors.items())
    first = min((held.first for held in trail.types.values() if held.first), default="")
    last = max((held.last for held in trail.types.values()), default="")
    return (
        ("Events", trail.inventory.total(EVENTS)),
        ("People who changed something", tally(kinds[PERSON], EVENTS, "users")),
        ("Tokens that changed something", tally(kinds[BY_TOKEN], EVENTS)),
        ("Oldest event", tally(first[:10] or None, EVENTS)),
        ("Newest event", tally(last[:10] or None, EVENTS)),
    )


SPEC = ReportSpec(
    name="activity",
    title="Activity",
    question="Who changed what in the workspace, and when?",
    streams=(EVENTS, "users"),
    build=build,
    supports=(
        "soc2 CC7.2",
        "soc2 CC7.3",
        "soc2 CC8.1",
        "soc2 CC4.1",
        "iso27001 A.5.25",
        "iso27001 A.8.15",
        "iso27001 A.8.16",
        "iso27001 A.8.32",
        "gdpr 5",
        "gdpr 32",
        "nist-csf DE.AE-02",
        "nist-csf DE.CM-03",
        "nist-csf PR.PS-04",
    ),
)
