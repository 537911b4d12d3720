"""Two documents of the same report, compared by table and row. Pure, no Django.

What either of them could not see says nothing: such tables are not compared, and an unknown cell equals any other.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from connectors.spec import Cell, Column, Row, State, Table

from ..document import Document

ADDED, REMOVED, CHANGED = "added", "removed", "changed"
_UNSEEN = {"unknown", "denied", "failed", "unstable", "partial"}


@dataclass(frozen=True)
class Line:
    """One row that differs. `name` is its first cell; `cells` hold column, before and after of what is not the same."""

    kind: str
    name: Cell
    cells: tuple[tuple[Column, Cell, Cell], ...] = ()
    row: Row = ()


@dataclass(frozen=True)
class Contrast:
    """One table in two documents. `why` says why it was not compared, "" when it was."""

    name: str
    title: str
    lines: tuple[Line, ...] = ()
    why: str = ""
    rows: tuple[int, int] = (0, 0)

    def count(self, kind: str) -> int:
        return sum(line.kind == kind for line in self.lines)

    @property
    def counts(self) -> tuple[tuple[str, int], ...]:
        """How many rows of each kind, those that there are."""
        found = ((kind, self.count(kind)) for kind in (ADDED, REMOVED, CHANGED))
        return tuple((kind, many) for kind, many in found if many)


def compare(before: Document, after: Document) -> tuple[Contrast, ...]:
    """Every table of either document, in the order of the newer one."""
    old = {table.name: table for table in before.report.tables}
    new = {table.name: table for table in after.report.tables}
    return tuple(_contrast(old.get(name), new.get(name)) for name in dict.fromkeys((*new, *old)))


def differing(contrasts: Iterable[Contrast]) -> int:
    return sum(len(each.lines) for each in contrasts)


def sentence(contrasts: Sequence[Contrast]) -> str:
    """In how many rows of which tables they differ: `3 rows: 2 in People, 1 in Groups`; "" when in none."""
    parts = [(len(each.lines), each.title) for each in contrasts if each.lines]
    many = sum(count for count, _ in parts)
    if not many:
        return ""
    told = ", ".join(f"{count:,} in {title}" for count, title in parts[:4])
    more = f" and {len(parts) - 4} more tables" if len(parts) > 4 else ""
    return f"{many:,} row{'' if many == 1 else 's'}: {told}{more}"


def _contrast(old: Table | None, new: Table | None) -> Contrast:
    known = new or old
    assert known is not None
    if old is None or new is None:
        return Contrast(known.name, known.title, why="Only one of the two has this table.")
    if old.note or new.note:
        return Contrast(new.name, new.title, why=new.note or old.note)
    before, after = list(old.rows()), list(new.rows())
    both = [column for column in new.columns if column.name in {each.name for each in old.columns}]
    shape = (_places(old, both), _places(new, both))
    lines = tuple(_lines(_picked(before, shape[0]), _picked(after, shape[1]), both))
    return Contrast(new.name, new.title, lines, rows=(len(before), len(after)))


def _places(table: Table, columns: Sequence[Column]) -> list[int]:
    names = [column.name for column in table.columns]
    return [names.index(column.name) for column in columns]


def _picked(rows: Sequence[Row], places: Sequence[int]) -> list[Row]:
    return [tuple(row[at] for at in places) for row in rows]


def _lines(before: Sequence[Row], after: Sequence[Row], columns: Sequence[Column]) -> Iterator[Line]:
    key = key_of(before, after, columns)
    if key is None:
        yield from _whole_rows(before, after)
        return
    old, new = _by_key(before, key), _by_key(after, key)
    for name, row in new.items():
        if name not in old:
            yield Line(ADDED, row[0], row=row)
        elif cells := tuple(_cells(old[name], row, columns)):
            yield Line(CHANGED, row[0], cells, row)
    yield from (Line(REMOVED, row[0], row=row) for name, row in old.items() if name not in new)


def key_of(before: Sequence[Row], after: Sequence[Row], columns: Sequence[Column]) -> tuple[int, ...] | None:
    """The columns by which a row is the same in both: the fewest that name every row once in either. None: there are
    none.

    A single id, a record's own first; all ids; all ids and one more column after the other from the left; and where
    there is no id, only the columns.
    """
    ids = sorted((at for at, each in enumerate(columns) if each.kind == "id"), key=lambda at: not columns[at].record)
    others = [at for at, each in enumerate(columns) if each.kind in ("text", "time") and at not in ids]
    grown = [(*ids, *others[:many]) for many in range(len(others) + 1)]
    for key in (*((at,) for at in ids), *filter(None, grown)):
        if all(len(_by_key(rows, key)) == len(rows) for rows in (before, after)):
            return key
    return None


def _by_key(rows: Sequence[Row], key: Sequence[int]) -> dict[Row, Row]:
    return {tuple(row[at] for at in key): row for row in rows}


def _cells(old: Row, new: Row, columns: Sequence[Column]) -> Iterator[tuple[Column, Cell, Cell]]:
    for column, was, now in zip(columns, old, new, strict=True):
        if was != now and not _unseen(was) and not _unseen(now):
            yield column, was, now


def _unseen(cell: Cell) -> bool:
    return isinstance(cell, State) and cell.name in _UNSEEN


def _whole_rows(before: Sequence[Row], after: Sequence[Row]) -> Iterator[Line]:
    """Where nothing names a row, each stands for itself, as often as it is there."""
    old, new = Counter(before), Counter(after)
    yield from (Line(ADDED, row[0], row=row) for row in (new - old).elements())
    yield from (Line(REMOVED, row[0], row=row) for row in (old - new).elements())
