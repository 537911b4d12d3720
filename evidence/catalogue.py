"""What the portal can read, told from the connectors' declarations alone; and the connections of each, as they are."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Case, Count, IntegerField, Q, QuerySet, Value, When, Window
from django.db.models.functions import RowNumber

from connectors import conditions, registry, troubleshooting
from connectors.conditions import TROUBLED, Condition
from connectors.models import Connection, ConnectionState
from connectors.spec import Connector, Group, Hint, ReportSpec, Rule, Stream, fields

ON_A_CARD = 6  # connections; the others are counted

# --- cards ----------------------------------------------------------------------------------------

# In what a card can stand, as chips offer it. One with several connections may stand in more than one.
STANDINGS: Mapping[str, str] = {
    "available": "Available",
    "connected": "Connected",
    "attention": "Needs attention",
    "paused": "Paused",
}
_UNCONNECTED = (Condition.DRAFT, Condition.DISCONNECTED)
_RANKS = {**dict.fromkeys(TROUBLED, 0), Condition.PAUSED: 2, Condition.DRAFT: 3, Condition.DISCONNECTED: 4}
ORDER = sorted(Condition, key=lambda condition: _RANKS.get(condition, 1))  # what somebody should look at comes first


@dataclass(frozen=True)
class Line:
    """A connection and how it is."""

    connection: Connection
    found: conditions.Found


@dataclass(frozen=True)
class Card:
    """A connector with its connections: `counted` by condition, and the first of them, the troubled ones before all."""

    connector: Connector
    counted: Mapping[Condition, int]
    lines: tuple[Line, ...]

    @property
    def connected(self) -> int:
        return sum(many for condition, many in self.counted.items() if condition not in _UNCONNECTED)

    @property
    def more(self) -> int:
        return self.connected - len(self.lines)

    @property
    def troubled(self) -> int:
        return sum(self.counted.get(condition, 0) for condition in TROUBLED)

    @property
    def standings(self) -> frozenset[str]:
        if not self.connected:
            return frozenset({"available"})
        paused = {"paused"} if Condition.PAUSED in self.counted else set()
        return frozenset({"connected"} | paused | ({"attention"} if self.troubled else set()))


def cards(now: datetime) -> list[Card]:
    """A card for every connector. Three queries."""
    counted: dict[str, dict[Condition, int]] = {}
    for slug, condition, many in _counted(now):
        counted.setdefault(slug, {})[Condition(condition)] = many
    first: dict[str, list[Line]] = {}
    shown: Any = ranked(now).filter(pk__in=_first_of_each(now))
    for row in shown.order_by("rank", "workspace__name", "pk"):
        first.setdefault(row.connector, []).append(Line(row, conditions.of(row)))
    return [
        Card(connector, counted.get(slug, {}), tuple(first.get(slug, ())))
        for slug, connector in registry.all_connectors().items()
    ]


def _counted(now: datetime) -> Iterable[tuple[str, str, int]]:
    rows: Any = conditions.with_condition(Connection.objects.all(), now).order_by()
    counted: Iterable[tuple[str, str, int]] = rows.values_list("connector", "condition").annotate(many=Count("pk"))
    return counted


def _first_of_each(now: datetime) -> list[int]:
    """The connections that stand on cards. Only their numbers: the window is drawn over all connections there are."""
    place = Window(RowNumber(), partition_by="connector", order_by=["rank", "workspace__name", "pk"])
    rows: Any = ranked(now).exclude(state__in=(ConnectionState.DRAFT, ConnectionState.DISCONNECTED)).order_by()
    return [pk for pk, _ in rows.annotate(place=place).filter(place__lte=ON_A_CARD).values_list("pk", "place")]


def ranked(now: datetime) -> QuerySet[Connection]:
    """All connections with their conditions, and `rank`: lower for what somebody should look at.

    A condition is a costly expression, so it is asked for only where the stored state does not say enough.
    """
    rows: Any = conditions.with_condition(Connection.objects.select_related("workspace"), now)
    rank = Case(
        When(state=ConnectionState.DISCONNECTED, then=Value(_RANKS[Condition.DISCONNECTED])),
        When(state=ConnectionState.DRAFT, then=Value(_RANKS[Condition.DRAFT])),
        When(Q(condition__in=TROUBLED), then=Value(0)),
        When(Q(condition=Condition.PAUSED), then=Value(_RANKS[Condition.PAUSED])),
        default=Value(1),
        output_field=IntegerField(),
    )
    found: QuerySet[Connection] = rows.annotate(rank=rank)
    return found


def matches(connector: Connector, q: str) -> bool:
    """Whether each word of `q` stands in what the connector says of itself and of its streams."""
    own = (connector.title, connector.category, connector.summary)
    read = (f"{stream.title} {stream.about}" for stream in connector.streams)
    text = " ".join((*own, *read)).casefold()
    return all(word in text for word in q.casefold().split())


# --- what is read, and what of it is kept ---------------------------------------------------------

# What becomes of a field, in words; the most open first.
RULES: Mapping[Rule, str] = {
    Rule.KEEP: "Kept as it is",
    Rule.WHOLE: "Kept whole, with all that is in it",
    Rule.COUNT: "Only how many there are",
    Rule.NAMES: "Only the names in it, no value",
    Rule.PATHS: "Only which fields go where; literal values are left out",
    Rule.PRINT: "Only a keyed fingerprint",
    Rule.PRINTS: "Only how many, and a keyed fingerprint of each",
    Rule.CODE: "Only size and sha256; the text where an administrator turned it on",
    Rule.DROP: "Dropped",
}
_OPEN = (Rule.KEEP, Rule.WHOLE)


@dataclass(frozen=True)
class Kept:
    """Fields of one stream that are treated alike."""

    words: str
    fields: tuple[str, ...]


@dataclass(frozen=True)
class Read:
    """A stream as its connector declares it. `kept` says of every field that its shape names what becomes of it."""

    stream: Stream
    reports: tuple[ReportSpec, ...]
    kept: tuple[Kept, ...]

    @property
    def paths(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(way.path for way in self.stream.ways))


@dataclass(frozen=True)
class Chapter:
    """A group of streams."""

    group: Group
    streams: tuple[Read, ...]


@dataclass(frozen=True)
class Withheld:
    """One way of not keeping a field, and the fields that are treated so, stream by stream."""

    words: str
    streams: tuple[tuple[Stream, tuple[str, ...]], ...]


@dataclass(frozen=True)
class Together:
    """Streams that share a gate or a limit: `what` in words."""

    what: str
    streams: tuple[Stream, ...]


def chapters(connector: Connector) -> tuple[Chapter, ...]:
    return tuple(
        Chapter(group, tuple(_read(connector, stream) for stream in connector.streams if stream.group == group))
        for group in connector.groups
    )


def _read(connector: Connector, stream: Stream) -> Read:
    reports = tuple(report for report in connector.reports if stream.name in report.streams)
    by_rule = _by_rule(stream)
    kept = tuple(Kept(words, by_rule[rule]) for rule, words in RULES.items() if rule in by_rule)
    return Read(stream, reports, kept)


def _by_rule(stream: Stream) -> dict[Rule, tuple[str, ...]]:
    found: dict[Rule, list[str]] = {}
    for path, rule in fields(stream.shape):
        found.setdefault(rule, []).append(path)
    return {rule: tuple(paths) for rule, paths in found.items()}


def withheld(connector: Connector) -> tuple[Withheld, ...]:
    """The fields of which less than the value is kept, by what is kept in its place."""
    held = [(stream, _by_rule(stream)) for stream in connector.streams]
    return tuple(
        Withheld(words, tuple((stream, rules[rule]) for stream, rules in held if rule in rules))
        for rule, words in RULES.items()
        if rule not in _OPEN and any(rule in rules for _, rules in held)
    )


def gates(connector: Connector) -> tuple[Together, ...]:
    """What the service's documentation asks for, plan or role, and the streams that need it."""
    return _together((stream.gate or "Nothing beyond a token", stream) for stream in connector.streams)


def limits(connector: Connector) -> tuple[Together, ...]:
    """The documented limits, the narrowest first; what has none of its own comes last."""
    limited = sorted((stream for stream in connector.streams if stream.per_minute), key=lambda s: s.per_minute or 0)
    own = _together((f"{stream.per_minute} a minute", stream) for stream in limited)
    rest = tuple(stream for stream in connector.streams if not stream.per_minute)
    return (*own, Together("No limit of its own is documented", rest)) if rest else own


def _together(pairs: Iterable[tuple[str, Stream]]) -> tuple[Together, ...]:
    found: dict[str, list[Stream]] = {}
    for what, stream in pairs:
        found.setdefault(what, []).append(stream)
    return tuple(Together(what, tuple(streams)) for what, streams in found.items())


def hints(connector: Connector) -> Sequence[Hint]:
    """What the service adds to the portal's own codes."""
    return [troubleshooting.hint(hint.code, connector) for hint in connector.guide.hints]
