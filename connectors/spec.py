"""What a connector declares, and the words the whole portal shares. No Django, no network.

A connector is a folder that exposes one frozen `Connector`. Everything else is read from here:
streams (what is asked, what survives redaction), reports (pure views of a snapshot), the guide
(steps and hints for admins) and the errors, each named for who must act.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal, Protocol

# --- errors -------------------------------------------------------------------------------------

Actor = Literal["admin", "time", "developer"]


class ConnectorError(Exception):
    """A reading that could not be made. `code` is stable and has a troubleshooting page.

    The message is for people and never holds a token, a header or a piece of a response body.
    """

    acts: Actor = "developer"

    def __init__(self, code: str, message: str = "", *, status: int = 0) -> None:
        super().__init__(message or code)
        self.code = code
        self.message = message
        self.status = status


class Denied(ConnectorError):
    """The credential is wrong, revoked, or too narrow: somebody must change it."""

    acts: Actor = "admin"


class Busy(ConnectorError):
    """Rate limit, outage, no answer: it passes with time. `wait` is in seconds, 0 when unknown."""

    acts: Actor = "time"

    def __init__(self, code: str, message: str = "", *, status: int = 0, wait: float = 0.0) -> None:
        super().__init__(code, message, status=status)
        self.wait = wait


class Unexpected(ConnectorError):
    """The service no longer says what we were told it says."""

    acts: Actor = "developer"


class NotDeclared(Exception):
    """A connector's declaration contradicts itself; the portal refuses to load it."""


# --- words --------------------------------------------------------------------------------------


class Coverage(StrEnum):
    """How much of one stream a run has read. Only COMPLETE may say that something is absent."""

    COMPLETE = "complete"
    DENIED = "denied"
    NOT_ENABLED = "not_enabled"
    FAILED = "failed"
    UNSTABLE = "unstable"
    NOT_REQUESTED = "not_requested"


# --- what survives of a response ----------------------------------------------------------------


class Rule(StrEnum):
    """What happens to one field of a response before anything is kept."""

    KEEP = "keep"  # a scalar, as it is
    WHOLE = "whole"  # any JSON, as it is (a tracking plan's JSON Schema)
    COUNT = "count"  # only how many entries there were
    NAMES = "names"  # only the names of the keys, sorted: values may be secret
    PRINTS = "prints"  # a list of secrets: how many, and a keyed fingerprint of each
    DROP = "drop"  # known, and of no use as evidence


KEEP, WHOLE, COUNT, NAMES, PRINTS, DROP = Rule

UNREADABLE = "$unreadable"  # {UNREADABLE: type} stands in a record for a value of a type that was not expected

Shape = Any  # Rule | dict[str, Shape] | list[Shape]; recursive aliases need Python 3.12
Json = Any
Record = Mapping[str, Json]


# --- streams ------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Way:
    """One way to ask for a stream.

    path      request path; `{parent}` stands for the key of the parent record
    items     key of the list (or object) inside the response's data; "" takes the data itself
    parent    name of the stream whose records it is asked for, "" for a listing of its own
    ask       parent record -> must we ask at all (a group without members need not be read)
    embedded  parent record, before redaction -> the answer, when the parent already carried it
    record    (parent key, item) -> item; adds the parent's key, makes an object of a string
    """

    path: str
    items: str = ""
    parent: str = ""
    paged: bool = True
    ask: Callable[[Record], bool] = lambda parent: True
    embedded: Callable[[Record], Json | None] = lambda parent: None
    record: Callable[[str, Json], Json] = lambda parent, item: item


@dataclass(frozen=True, kw_only=True)
class Stream:
    """One kind of listing: where it is read, what identifies a record, and what of it is kept.

    key      fields of the kept record that identify it; joined with "/" they are the record's key
    shape    the allow-list; a field that is not in it never reaches the disk
    per_minute  the service's documented limit for this path, None when it is the common one
    gate     the feature or role the service's documentation names for it, in words
    optional whether a 403 or 404 may mean that the feature is off
    source   documentation page of the facts above
    """

    name: str
    title: str
    group: str
    ways: tuple[Way, ...]
    key: tuple[str, ...]
    shape: Shape
    page_size: int = 200
    per_minute: int | None = None
    gate: str = ""
    feature: str = ""
    about: str = ""
    source: str = ""

    @property
    def parents(self) -> frozenset[str]:
        return frozenset(way.parent for way in self.ways if way.parent)


class Paging(Protocol):
    """How a service pages. All three are pure."""

    def params(self, size: int, cursor: str | None) -> Mapping[str, str]: ...
    def next(self, data: Record) -> str | None: ...
    def total(self, data: Record) -> int | None: ...


# --- reports ------------------------------------------------------------------------------------

StateName = Literal[
    "pass", "fail", "failed", "denied", "unknown", "partial", "unstable", "off", "none", "na", "stale", "run"
]


@dataclass(frozen=True, slots=True)
class State:
    """A cell that deserves a look: one of the look's states, its word, and why."""

    name: StateName
    word: str
    why: str = ""


Cell = str | int | float | bool | None | State | tuple[str, ...]
Row = tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Column:
    """`kind` decides alignment, sorting and type face; `filter` offers its values as a filter."""

    name: str
    title: str
    kind: Literal["text", "id", "number", "time", "list"] = "text"
    filter: bool = False


@dataclass(frozen=True)
class Table:
    """Rows of one kind. `rows` makes a fresh iterator each time and may be long (100,000 rows).

    partition  name of a column by which the rows can be asked for alone through `only`
    """

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: Callable[[], Iterator[Row]]
    note: str = ""
    partition: str = ""


@dataclass(frozen=True, slots=True)
class Node:
    """`column` counts from 0, left to right; `href_row` names the record it stands for."""

    key: str
    title: str
    column: int
    group: str = ""
    note: str = ""
    gap: bool = False


@dataclass(frozen=True, slots=True)
class Edge:
    """`kind`: under a tracking plan, under none, switched off, or it could not be read which of them."""

    start: str
    end: str
    kind: Literal["plan", "gap", "off", "unknown"] = "plan"


@dataclass(frozen=True)
class Flow:
    """A drawing in columns. `titles` has one heading for each column."""

    titles: tuple[str, ...]
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]


@dataclass(frozen=True)
class Covered:
    """What a snapshot knows of one stream.

    as_of   number of the snapshot whose records stand for it: an older one when this reading was
            not complete, 0 when it has never been read completely
    reason  why it is not complete, in one sentence
    """

    stream: str
    title: str
    coverage: Coverage
    items: int = 0
    pages: int = 0
    claimed: int | None = None
    as_of: int = 0
    reason: str = ""


_STANDING: Mapping[Coverage, tuple[StateName, str]] = {
    Coverage.COMPLETE: ("pass", "Complete"),
    Coverage.DENIED: ("denied", "Denied"),
    Coverage.NOT_ENABLED: ("off", "Not enabled"),
    Coverage.FAILED: ("failed", "Failed"),
    Coverage.UNSTABLE: ("unstable", "Unstable"),
    Coverage.NOT_REQUESTED: ("none", "Not requested"),
}


def standing(covered: Covered) -> State:
    """The coverage of one stream as a state: outline, word and reason."""
    name, word = _STANDING[covered.coverage]
    return State(name, word, covered.reason)


@dataclass(frozen=True)
class Report:
    """A pure view of one snapshot: the same snapshot gives the same rows, in the same order."""

    tables: tuple[Table, ...]
    facts: tuple[tuple[str, Cell], ...] = ()
    flow: Flow | None = None
    notes: tuple[str, ...] = ()


class View(Protocol):
    """One snapshot, as reports see it."""

    def records(self, stream: str, parent: str = "") -> Iterable[Record]:
        """Records in the order of their keys; with `parent`, only those of the parent record with that id."""

    def count(self, stream: str, parent: str = "") -> int:
        """How many records; with `parent`, how many of that parent. Cheap: nothing is loaded."""

    def coverage(self, stream: str) -> Covered: ...


@dataclass(frozen=True, kw_only=True)
class ReportSpec:
    """`question` is what the report answers, as a person would ask it."""

    name: str
    title: str
    question: str
    streams: tuple[str, ...]
    build: Callable[[View, Mapping[str, str]], Report]


# --- the guide ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Hint:
    """What a person reads when a code appears: what happened, why, what to do, who must act."""

    code: str
    title: str
    cause: str
    cure: str
    acts: Actor


@dataclass(frozen=True)
class Link:
    title: str
    url: str


@dataclass(frozen=True)
class Step:
    """One thing to do in the service; `links` lead to where it is done, one for each region that has its own."""

    title: str
    text: str
    links: tuple[Link, ...] = ()


@dataclass(frozen=True)
class TokenRole:
    """A role that a token can be made with, and what it means for the evidence.

    name  what is kept on the connection, 20 characters at most
    """

    name: str
    title: str
    means: str


@dataclass(frozen=True)
class Guide:
    """What an admin reads before and after there is a token.

    never  what the portal never reads or never keeps, a sentence each
    hints  what this service adds to the portal's own hints; one with the same code takes the other's place
    """

    steps: tuple[Step, ...]
    roles: tuple[TokenRole, ...]
    never: tuple[str, ...] = ()
    hints: tuple[Hint, ...] = ()


# --- the connector ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Region:
    name: str
    title: str
    origin: str


@dataclass(frozen=True)
class Identity:
    """The workspace as the service names it."""

    id: str
    slug: str
    name: str


@dataclass(frozen=True, kw_only=True)
class Connector:
    """What the portal knows of one service.

    headers   token -> request headers
    data      a parsed body -> the part that holds items and paging; raises Unexpected
    identity  that part of the answer to `probe` -> the workspace; raises Unexpected
    wait      a parsed error body -> seconds to wait, None when it does not say
    clean     what a person pasted -> the token in it
    fault     what is wrong with a token's shape, "" when nothing is; never quotes it
    secrets   finds tokens of this service in free text, for redaction
    """

    slug: str
    title: str
    category: str
    summary: str
    regions: tuple[Region, ...]
    probe: str
    streams: tuple[Stream, ...]
    reports: tuple[ReportSpec, ...]
    guide: Guide
    paging: Paging
    headers: Callable[[str], Mapping[str, str]]
    data: Callable[[Json], Record]
    identity: Callable[[Record], Identity]
    wait: Callable[[Json], float | None]
    clean: Callable[[str], str]
    fault: Callable[[str], str]
    secrets: re.Pattern[str]
    regions_env: str = ""
    docs: str = ""
    checks: tuple[Any, ...] = field(default=())

    def __post_init__(self) -> None:
        names = [stream.name for stream in self.streams]
        if len(set(names)) != len(names):
            raise NotDeclared(f"{self.slug}: two streams have the same name")
        for at, stream in enumerate(self.streams):
            late = stream.parents - set(names[:at])
            if late:
                raise NotDeclared(f"{self.slug}: {stream.name} is declared before its parent {sorted(late)[0]}")
        for report in self.reports:
            strange = set(report.streams) - set(names)
            if strange:
                raise NotDeclared(f"{self.slug}: report {report.name} needs unknown stream {sorted(strange)[0]}")

    def stream(self, name: str) -> Stream:
        return next(stream for stream in self.streams if stream.name == name)

    def report(self, name: str) -> ReportSpec:
        return next(report for report in self.reports if report.name == name)


def sentence(words: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1]))) if words else ""
