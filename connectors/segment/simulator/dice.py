"""Draws that depend on their key alone: the same key gives the same draws in every process and Python version.

`random.Random` promises that for `random()` only, and it is slow to seed; a world has 100,000 records.
"""

from collections.abc import Sequence
from hashlib import blake2b
from typing import TypeVar

T = TypeVar("T")

LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


class Dice:
    """Draws for one key. Their order matters: the second draw of a key is always the same one."""

    __slots__ = ("_key", "_pool", "_round")

    def __init__(self, *key: object) -> None:
        self._key = "/".join(map(str, key))
        self._pool = 0
        self._round = 0

    def below(self, end: int) -> int:
        """A number from 0 to end - 1. Takes it off a pool of 512 bits, so the bias is far below notice."""
        if self._pool < end << 32:
            digest = blake2b(f"{self._key}#{self._round}".encode(), digest_size=64).digest()
            self._pool = int.from_bytes(digest, "big")
            self._round += 1
        self._pool, drawn = divmod(self._pool, end)
        return drawn

    def chance(self, percent: int) -> bool:
        """True in so many of a hundred draws."""
        return self.below(100) < percent

    def pick(self, options: Sequence[T]) -> T:
        """One of them."""
        return options[self.below(len(options))]

    def some(self, options: Sequence[T], count: int) -> list[T]:
        """`count` neighbours, from a drawn place on, around the end; every option once at most."""
        start = self.below(len(options))
        return [options[(start + step) % len(options)] for step in range(min(count, len(options)))]

    def text(self, length: int) -> str:
        """Letters and digits, as ids and keys have them; 75 at most."""
        number = self.below(62**length)
        found = []
        for _ in range(length):
            number, at = divmod(number, 62)
            found.append(LETTERS[at])
        return "".join(found)

    def hex(self, length: int) -> str:
        """Hexadecimal digits, 120 at most."""
        return f"{self.below(16**length):0{length}x}"
