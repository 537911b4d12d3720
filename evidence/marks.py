"""A chain of snapshots as a few marks: each one alone where they are few, else by day, month or year. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from portal.templatetags.portal import said_time

MOST = 60  # marks in all
Point = tuple[int, int, int, int, datetime]  # a snapshot: year, month, day, number, and the moment with all of it
# What a mark stands for, from the coarsest on: how much of a point its snapshots have in common. 4 is one of them.
YEAR, MONTH, DAY, ALONE = 1, 2, 3, 4
_LABELS = {YEAR: "%Y", MONTH: "%b", DAY: "%-d", ALONE: "%H:%M"}
_TITLES = {YEAR: "", MONTH: "%Y", DAY: "%b %Y", ALONE: "%-d %b %Y"}


@dataclass(frozen=True, slots=True)
class Mark:
    """`seq` is the newest of the `many` snapshots that the mark stands for; `current`: the one shown is among them."""

    seq: int
    many: int
    label: str
    title: str
    current: bool


@dataclass(frozen=True, slots=True)
class Line:
    """Marks that have a year, a month or a day in common: its title."""

    title: str
    marks: tuple[Mark, ...]


@dataclass(frozen=True, slots=True)
class Marks:
    """`lines` stand for all snapshots; where they had to be grouped, `inside` shows the current group's own."""

    lines: tuple[Line, ...]
    inside: tuple[Line, ...] = ()

    @property
    def singles(self) -> tuple[int, ...]:
        """The numbers of the snapshots that have a mark to themselves."""
        return tuple(mark.seq for mark in self._marks if mark.many == 1)

    @property
    def parts(self) -> tuple[tuple[Line, ...], ...]:
        return (self.lines, self.inside) if self.inside else (self.lines,)

    @property
    def many(self) -> int:
        return len(self._marks)

    @property
    def grouped(self) -> bool:
        return any(mark.many > 1 for mark in self._marks)

    @property
    def _marks(self) -> list[Mark]:
        return [mark for part in self.parts for line in part for mark in line.marks]


def marks(snapshots: Iterable[tuple[int, datetime]], current: int, most: int = MOST) -> Marks:
    """At most `most` marks for snapshots with their numbers and when they were published, in the zone of the page.

    They stand in the order of time even if a clock went wrong.
    """
    points = sorted((at.year, at.month, at.day, seq, at) for seq, at in snapshots)
    unit = _finest(points, most)
    if len(_prefixes(points, unit)) == len(points):
        return Marks(_lines(points, unit, current))
    unit = _finest(points, most // 2)
    here = next(point[:unit] for point in points if point[3] == current)
    inside = [point for point in points if point[:unit] == here]
    within = _finest(inside, most - most // 2)
    return Marks(_lines(points, unit, current), _lines(inside, within, current) if within > unit else ())


def _prefixes(points: Iterable[Point], unit: int) -> set[tuple[Any, ...]]:
    return {point[:unit] for point in points}


def _finest(points: Sequence[Point], most: int) -> int:
    """The unit that tells most of them apart with at most `most` marks; the coarsest of those that tell the same."""
    counted = {unit: len(_prefixes(points, unit)) for unit in (YEAR, MONTH, DAY, ALONE)}
    fitting = [unit for unit, many in counted.items() if many <= most]
    return max(fitting, key=lambda unit: (counted[unit], -unit), default=YEAR)


def _lines(points: Sequence[Point], unit: int, current: int) -> tuple[Line, ...]:
    lines = groupby(points, key=lambda point: point[: unit - 1])
    return tuple(Line(*_line(list(held), unit, current)) for _, held in lines)


def _line(points: list[Point], unit: int, current: int) -> tuple[str, tuple[Mark, ...]]:
    marks = [list(held) for _, held in groupby(points, key=lambda point: point[:unit])]
    return points[0][4].strftime(_TITLES[unit]), tuple(_mark(held, unit, current) for held in marks)


def _mark(points: list[Point], unit: int, current: int) -> Mark:
    *_, seq, at = max(points, key=lambda point: point[3])
    named = f"napshot {seq}, {said_time(at)}"
    title = f"S{named}" if len(points) == 1 else f"{len(points)} snapshots, the newest is s{named}"
    return Mark(seq, len(points), at.strftime(_LABELS[unit]), title, any(point[3] == current for point in points))
