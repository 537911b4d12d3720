"""Which records change on which day, computed for any day at once: nothing is stored and nothing replayed.

The slots of a workspace (one for each record of the listings) stand in a fixed order. Each day takes the next
1 % of that order, round and round; so exactly that many change, and a slot changes again after 100 days.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from math import gcd
from typing import NamedTuple

from .dice import Dice

DAY_ZERO = datetime(2026, 10, 1, 6, 0, tzinfo=UTC)
REPLACED_PERCENT = 25


class Version(NamedTuple):
    """What a slot holds on a day.

    generation  how many records stood here before this one
    revision    how often this record has changed
    day         of the last change, 0 for never
    """

    generation: int
    revision: int
    day: int


FIRST = Version(0, 0, 0)


@dataclass(frozen=True)
class Drift:
    """`total` slots, of which 1 % change per day. `seed` makes workspaces differ."""

    seed: str
    total: int

    @cached_property
    def per_day(self) -> int:
        return round(self.total / 100)

    @cached_property
    def _stride(self) -> int:
        """A number without common divisor with the total, so that neighbours change on different days."""
        stride = int(self.total * 0.618) | 1
        while gcd(stride, self.total) != 1:
            stride += 2
        return stride

    def changes(self, slot: int, day: int) -> int:
        """How often the slot has changed up to the end of that day."""
        ahead = day * self.per_day - self._place(slot)
        return -(-ahead // self.total) if ahead > 0 else 0

    def version(self, slot: int, day: int, *, replaceable: bool) -> Version:
        """What the slot holds on that day. A record that others refer to is never replaced."""
        changes = self.changes(slot, day)
        if not changes:
            return FIRST
        generation = revision = 0
        for change in range(1, changes + 1):
            if replaceable and Dice(self.seed, "replaced", slot, change).chance(REPLACED_PERCENT):
                generation, revision = generation + 1, 0
            else:
                revision += 1
        last = self._place(slot) + (changes - 1) * self.total
        return Version(generation, revision, last // self.per_day + 1)

    def _place(self, slot: int) -> int:
        return (slot * self._stride + self.total // 7) % self.total


def moment(day: int, *key: object) -> datetime:
    """A time of that day that depends on the key; days before 0 are before the story begins."""
    return DAY_ZERO + timedelta(days=day, seconds=Dice("moment", day, *key).below(12 * 3600))


def stamp(day: int, *key: object) -> str:
    """`moment` as the API writes times."""
    return f"{moment(day, *key).isoformat()[:19]}.000Z"
