"""Replays a workspace's changes from the first day: what each signed header says of its content, counted again.

One pass over the change rows serves all snapshots: each has its own tree, which grows with the logarithm of its size.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from portal import canon
from portal.proving import Fault

from . import locker
from .spec import Coverage


class Day:
    """One snapshot while its records and changes pass by."""

    __slots__ = ("astray", "changes_sha256", "free", "lines", "partly", "records", "root", "seq", "tree")

    def __init__(self, seq: int, header: Mapping[str, Any], free: frozenset[str]) -> None:
        self.seq = seq
        self.root, self.records = header.get("root"), header.get("records")
        self.changes_sha256 = header.get("changes_sha256")
        self.tree, self.lines = canon.MerkleTree(), canon.LineDigest()
        self.free = free  # streams whose every record this snapshot may change
        self.partly = {
            stream: frozenset(entry["parts"])
            for stream, entry in header.get("coverage", {}).items()
            if entry.get("parts") and entry.get("as_of", seq) == seq
        }
        self.astray = set[str]()

    def change(self, stream: str, key: str, sha256: bytes | None) -> None:
        self.lines.add(locker.change_line(stream, key, sha256))
        if stream not in self.free and not self._read_in_part(stream, key):
            self.astray.add(stream)

    def _read_in_part(self, stream: str, key: str) -> bool:
        parts = self.partly.get(stream)
        return parts is not None and not any(key == part or key.startswith(part + "/") for part in parts)

    def faults(self, name: str) -> Iterator[Fault]:
        where = f"{name}, snapshot {self.seq}"
        if self.tree.root().hex() != self.root or self.tree.size != self.records:
            yield Fault("I5", where, "Its records do not give the root that the header states.")
        if self.lines.hexdigest() != self.changes_sha256:
            yield Fault("I5", where, "Its change rows do not hash to what the header states.")
        for stream in sorted(self.astray):
            yield Fault("I9", where, f"“{stream}” was not read completely, yet it has changes where it was not read.")


class Replay:
    """All snapshots of a workspace. Changes must come in the order of stream, key and number of the snapshot."""

    def __init__(self) -> None:
        self._days: list[Day] = []
        self._at: dict[int, Day] = {}
        self._free: dict[frozenset[str], frozenset[str]] = {}  # the same set for all snapshots that have an equal one
        self._record = ("", "")
        self._since, self._node = 0, b""  # the record's present form, and the snapshot that brought it

    def expect(self, seq: int, header: Mapping[str, Any]) -> None:
        """A snapshot, in order, and what its header states."""
        free = frozenset(
            stream
            for stream, entry in header.get("coverage", {}).items()
            if entry.get("coverage") == Coverage.COMPLETE and not entry.get("parts") and entry.get("as_of", seq) == seq
        )
        day = Day(seq, header, self._free.setdefault(free, free))
        self._days.append(day)
        self._at[seq] = day

    def change(self, stream: str, key: str, seq: int, sha256: bytes | None) -> int:
        """Takes one change; returns how many records of how many snapshots it settled."""
        settled = self._settle(seq if (stream, key) == self._record else None)
        self._record, self._since = (stream, key), seq
        self._node = canon.leaf_node(locker.leaf(stream, key, sha256)) if sha256 is not None else b""
        if day := self._at.get(seq):
            day.change(stream, key, sha256)
        return settled

    def _settle(self, until: int | None) -> int:
        """The record stood in this form in all snapshots from `since`, to before `until`."""
        if not self._node:
            return 0
        days = [day for day in self._days if self._since <= day.seq and (until is None or day.seq < until)]
        for day in days:
            day.tree.add_node(self._node)
        return len(days)

    def finish(self) -> int:
        """After the last change; returns how many records of how many snapshots that settled."""
        settled, self._node = self._settle(None), b""
        return settled

    def faults(self, name: str) -> Iterator[Fault]:
        """After the end: what does not agree."""
        for day in self._days:
            yield from day.faults(name)
