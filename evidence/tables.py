"""A table as a person asked for it: searched, filtered, sorted, one page of it. Pure.

All of the state is in the query of the address, so a view of evidence can be sent as a link:

    q=mobile  f-category=Analytics  sort=-created  page=2  size=100

What is not understood is left aside: an unknown parameter or a hostile value changes nothing.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.core.paginator import Page, Paginator

from connectors.spec import Cell, Column, Row, State, Table

from .document import wording
from .text import visible

SIZES = (25, 50, 100, 200)
USUAL_SIZE = 50
FILTER = "f-"  # begins the name of a column's parameter
NOTHING = "\N{EN DASH}"  # stands for an empty cell among the choices of a filter
MOST_CHOICES = 200
LONGEST_CHOICE = 120  # longer values are found by search
LONGEST_QUERY = 200
_DIGITS = re.compile("([0-9]+)")


@dataclass(frozen=True, slots=True)
class Choice:
    """A value of a filter, and how many rows have it under everything else that is asked for."""

    value: str
    count: int


@dataclass(frozen=True)
class Facet:
    """A column's filter. `name` is its parameter; `chosen` is "" when all are wanted."""

    name: str
    title: str
    chosen: str
    choices: tuple[Choice, ...]

    @property
    def cleared(self) -> dict[str, None]:
        """What to change in the address to drop this filter."""
        return {self.name: None, "page": None}


@dataclass(frozen=True)
class Head:
    """A column's head: how it is sorted (in ARIA's words), and the value of `sort` that a click asks for."""

    column: Column
    order: str
    sort: str


@dataclass(frozen=True)
class Selection:
    """What to show. `total` rows in all, `found` of them asked for, of which `page` holds some."""

    table: Table
    q: str
    sort: str
    size: int
    facets: tuple[Facet, ...]
    total: int
    page: Page[Row]

    @property
    def found(self) -> int:
        return self.page.paginator.count

    @property
    def narrowed(self) -> bool:
        return bool(self.q) or any(facet.chosen for facet in self.facets)

    @property
    def sizes(self) -> tuple[int, ...]:
        return SIZES

    @cached_property
    def heads(self) -> tuple[Head, ...]:
        return tuple(head(column, self.sort) for column in self.table.columns)

    @property
    def cleared(self) -> dict[str, None]:
        """What to change in the address to see all rows."""
        return {name: None for name in ("q", "page", *(facet.name for facet in self.facets))}

    @property
    def sorted_by(self) -> str:
        return next((head.column.title for head in self.heads if head.order != "none"), "")


def select(table: Table, query: Mapping[str, Any], rows: Sequence[Row] | None = None) -> Selection:
    """The part of `table` that `query` asks for; `rows` are its rows, where somebody already holds them."""
    held = list(table.rows()) if rows is None else rows
    q = str(query.get("q", "")).strip()[:LONGEST_QUERY]
    filters = {at: _Filter(at, column, query) for at, column in enumerate(table.columns) if column.filter}
    found, facets = _filtered([row for row in held if _matches(row, q)] if q else held, list(filters.values()))
    sort = _sort_of(table, query)
    size = _size_of(query)
    page = Paginator(_sorted(found, table, sort), size).get_page(query.get("page"))
    return Selection(table, q, sort, size, facets, len(held), page)


# --- what is asked for --------------------------------------------------------------------------


def _size_of(query: Mapping[str, Any]) -> int:
    said = str(query.get("size", ""))
    return next((size for size in SIZES if said == str(size)), USUAL_SIZE)


def _sort_of(table: Table, query: Mapping[str, Any]) -> str:
    said = str(query.get("sort", ""))
    return said if said.removeprefix("-") in {column.name for column in table.columns} else ""


def head(column: Column, sort: str) -> Head:
    """The head of `column` when the address says `sort`."""
    order = {column.name: "ascending", f"-{column.name}": "descending"}.get(sort, "none")
    return Head(column, order, f"-{column.name}" if order == "ascending" else column.name)


def _matches(row: Row, q: str) -> bool:
    """Whether every word of `q` stands somewhere in the row as a page shows it, in any case."""
    text = visible("\n".join(wording(cell) for cell in row)).casefold()
    return all(word in text for word in q.casefold().split())


# --- filters ------------------------------------------------------------------------------------


class _Filter:
    def __init__(self, at: int, column: Column, query: Mapping[str, Any]) -> None:
        self.at, self.title, self.name = at, column.title, f"{FILTER}{column.name}"
        self.chosen = str(query.get(self.name, ""))

    def labels(self, row: Row) -> tuple[str, ...]:
        return labels(row[self.at])

    def passes(self, row: Row) -> bool:
        return not self.chosen or self.chosen in self.labels(row)


def labels(cell: Cell) -> tuple[str, ...]:
    """The values under which a filter finds a cell: each entry of a list, the word of a state.

    They are as a page can show them, so that they survive the way into an address and back.
    """
    if isinstance(cell, State):
        return (cell.word,)
    if isinstance(cell, tuple):
        return tuple(dict.fromkeys(map(visible, cell))) or (NOTHING,)
    return (visible(wording(cell)) or NOTHING,)


def _filtered(rows: Sequence[Row], filters: Sequence[_Filter]) -> tuple[Sequence[Row], tuple[Facet, ...]]:
    """The rows that pass all filters; each filter's choices are counted among the rows that pass the others."""
    facets = []
    for each in filters:
        others = [other for other in filters if other is not each and other.chosen]
        counted: Counter[str] = Counter()
        for row in rows:
            if all(other.passes(row) for other in others):
                counted.update(each.labels(row))
        facets.append(Facet(each.name, each.title, each.chosen, _choices(counted, each.chosen)))
    chosen = [each for each in filters if each.chosen]
    return [row for row in rows if all(each.passes(row) for each in chosen)] if chosen else rows, tuple(facets)


def _choices(counted: Counter[str], chosen: str) -> tuple[Choice, ...]:
    """The most frequent values in natural order; the chosen one is always among them."""
    usual = [value for value, _ in counted.most_common(MOST_CHOICES) if len(value) <= LONGEST_CHOICE]
    names = {*usual, chosen} - {""}
    return tuple(Choice(name, counted[name]) for name in sorted(names, key=natural))


# --- order --------------------------------------------------------------------------------------


def _sorted(rows: Sequence[Row], table: Table, sort: str) -> Sequence[Row]:
    """Stable, and empty cells last in either direction."""
    if not sort:
        return rows
    at = [column.name for column in table.columns].index(sort.removeprefix("-"))
    known = [row for row in rows if row[at] not in (None, "", ())]
    empty = [row for row in rows if row[at] in (None, "", ())]
    return sorted(known, key=lambda row: _key(row[at]), reverse=sort.startswith("-")) + empty


def _key(cell: Cell) -> tuple[int, Any]:
    """Numbers by size and before words, words in natural order."""
    if isinstance(cell, int | float):
        return 0, cell
    return 1, natural(wording(cell))


def natural(text: str) -> tuple[Any, ...]:
    """A key that puts `rule 9` before `rule 10`. Digits are compared as text: a number may be of any length."""
    parts = _DIGITS.split(text[:LONGEST_QUERY].casefold())
    return tuple(part if at % 2 == 0 else (len(part.lstrip("0")), part.lstrip("0")) for at, part in enumerate(parts))
