"""What a report is made of: a pure view of one snapshot."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from .streams import Coverage, Record

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
