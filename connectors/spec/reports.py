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
    """`kind` decides alignment, sorting and type face; `filter` offers its values as a filter.

    record  the stream whose records the values are the keys of, "" when they are none
    """

    name: str
    title: str
    kind: Literal["text", "id", "number", "time", "list"] = "text"
    filter: bool = False
    record: str = ""


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


# What may be odd about a stream that was read: its kind, what that is called, and what it means.
ANOMALIES: Mapping[str, tuple[str, str]] = {
    "emptied": ("Emptied", "It had records before and has none now; it was read twice."),
    "shrunk": ("Lost much", "More than 30 % of its records are gone; it was read twice."),
    "gap": ("Gap", "It does not reach back to the newest entry that was known: entries between may be missing."),
    "dangling": ("Points nowhere", "Records refer to others that no listing has; both were read twice."),
}


@dataclass(frozen=True, slots=True)
class Part:
    """A parent whose records were not read, while those of the others were.

    key     what the records' keys begin with
    as_of   number of the snapshot whose records stand for it, 0 for none
    name    what the snapshot calls the parent, "" when it does not know it
    """

    key: str
    coverage: Coverage
    as_of: int = 0
    reason: str = ""
    name: str = ""


@dataclass(frozen=True)
class Covered:
    """What a snapshot knows of one stream.

    items    how many records were read, `claimed` how many the service said there are
    as_of    number of the snapshot whose reading stands for it: an older one when this reading was not complete
             or did not ask for it, 0 when it has never been read completely
    reason   why it is not complete, in one sentence
    records  how many records the snapshot has of it, whoever read them; None when the snapshot does not say
    group    title of the streams that are chosen together with it
    parts    the parents whose records were not read; all others were. `parent` is the title of the stream that
             they are records of, and `parents` how many of those the snapshot knows
    anomaly  what a person should look at; `dangling` is how many of its records point nowhere
    """

    stream: str
    title: str
    coverage: Coverage
    items: int = 0
    pages: int = 0
    claimed: int | None = None
    as_of: int = 0
    reason: str = ""
    records: int | None = None
    group: str = ""
    parts: tuple[Part, ...] = ()
    parent: str = ""
    parents: int | None = None
    anomaly: str = ""
    dangling: int = 0

    @property
    def known(self) -> int:
        """How many records the snapshot has of it, as far as it says."""
        return self.items if self.records is None else self.records


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
    return State("partial", f"{word} in part", covered.reason) if covered.parts else State(name, word, covered.reason)


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
    """`question` is what the report answers, as a person would ask it.

    `supports`: the controls that it is evidence for, as "soc2 CC6.1": short name of a framework, and its own id.
    """

    name: str
    title: str
    question: str
    streams: tuple[str, ...]
    build: Callable[[View, Mapping[str, str]], Report]
    supports: tuple[str, ...] = ()
