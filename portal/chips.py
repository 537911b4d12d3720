"""Filters as chips: each a link that says how many rows it leaves, and taken back by a second click."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Chip:
    """One choice of the filter called `name` in the address. `many` are left by it, under all else that is asked."""

    name: str
    value: str
    title: str
    many: int
    chosen: bool

    @property
    def taken(self) -> dict[str, str | None]:
        """What to change in the address to make this choice."""
        return {self.name: self.value, "page": None}

    @property
    def cleared(self) -> dict[str, str | None]:
        """What to change in the address to take it back."""
        return {self.name: None, "page": None}


def chips(name: str, choices: Iterable[tuple[str, str, int]], chosen: str) -> list[Chip]:
    """`choices` are value, title, and how many it leaves. An empty one is offered only where it is the one chosen."""
    made = (Chip(name, value, title, many, value == chosen) for value, title, many in choices)
    return [chip for chip in made if chip.many or chip.chosen]
