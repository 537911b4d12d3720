"""Two snapshots of a workspace, compared: which records differ, what happened to them, and what cannot be told.

What was not read says nothing. A stream, or a part of one, that either of the two does not know has no changes here:
it is listed as unknown, with the reason, and never as removed.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice

from django.db.models import Case, IntegerField, Q, QuerySet, Value, When

from connectors import locker, registry
from connectors.models import Change, Snapshot
from connectors.records import key_part
from connectors.spec import Connector, Record, Stream, Wording

from . import changes
from .changes import Told
from .reports import provenance
from .unknown import Unknown, unknowns

MOST_READ = 10_000  # records that a search may have to read; beyond, a stream must be chosen first


@dataclass(frozen=True)
class Asked:
    """What of a comparison is wanted.

    q      words that all stand in what is told of a record, or in its key
    field  what a changed field's path has in it; then only records that are there at both ends
    logs   also the streams that only grow, unless one of them is asked for by name
    plain  without what is only written differently
    """

    stream: str = ""
    kind: str = ""
    q: str = ""
    field: str = ""
    logs: bool = False
    plain: bool = False

    @property
    def deep(self) -> bool:
        """Whether records must be read to find out which of them are wanted."""
        return bool(self.q or self.field or self.plain)


class TooMany(Exception):
    """A search would have to read more records than one page may."""


@dataclass(frozen=True)
class Line:
    """One record that differs. `seq` is the snapshot in which it changed last; `lost` that bytes of it are gone."""

    stream: Stream
    key: str
    seq: int
    told: Told
    before: Record | None
    after: Record | None
    lost: bool = False


class Comparison:
    """Snapshot `newer` against `older`, both of the same workspace and with their workspace loaded."""

    def __init__(self, older: Snapshot, newer: Snapshot) -> None:
        self.older, self.newer = older, newer
        self.workspace_id = newer.workspace_id
        self.connector = registry.get(newer.workspace.connector)
        self.streams = {stream.name: stream for stream in self.connector.streams}
        self.before, self.after = provenance(older), provenance(newer)

    @cached_property
    def unknown(self) -> tuple[Unknown, ...]:
        """What cannot be compared, and why."""
        return unknowns(self.before, self.after)

    @property
    def doubts(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(filter(None, (self.before.doubt, self.after.doubt))))

    # --- which records differ ---

    def rows(self, asked: Asked) -> QuerySet[Change]:
        """The rows that can be found without reading records, in the connector's order of streams, then by key."""
        kind = asked.kind or (locker.CHANGED if asked.field else "")
        rows = locker.real(self._all.filter(stream__in=self._wanted(asked)), kind)
        order = {name: number for number, name in enumerate(self.streams)}
        places = [When(stream=name, then=Value(number)) for name, number in order.items()]
        return rows.order_by(Case(*places, default=Value(len(order)), output_field=IntegerField()), "key")

    @cached_property
    def counts(self) -> Mapping[tuple[str, str], int]:
        """How many differ, by stream and kind, of all that can be compared."""
        return {(stream, kind): many for (stream, kind), many in locker.tally(self._all, "stream").items()}

    def count(self, stream: str = "", kind: str = "", *, logs: bool = False) -> int:
        """How many of these there are; without a stream only the logs, or all others."""
        wanted = {stream} if stream else {each.name for each in self.streams.values() if each.grows is logs}
        found = ((name, of, many) for (name, of), many in self.counts.items())
        return sum(many for name, of, many in found if name in wanted and kind in ("", of))

    def _wanted(self, asked: Asked) -> list[str]:
        if asked.stream:
            return [asked.stream]
        return [stream.name for stream in self.streams.values() if asked.logs or not stream.grows]

    @cached_property
    def _all(self) -> QuerySet[Change]:
        """Without what is unknown at either end."""
        rows = locker.differences(self.workspace_id, self.older.seq, self.newer.seq)
        whole = {each.stream for each in self.unknown if not each.keys}
        rows = rows.filter(stream__in=[name for name in self.streams if name not in whole])
        for each in self.unknown:
            parts = Q(pk__in=())
            for key in each.keys:
                parts |= Q(key=key) | Q(key__gte=f"{key}/", key__lt=f"{key}0")  # "0" is the character after "/"
            rows = rows.exclude(parts, stream=each.stream) if each.keys else rows
        return rows

    # --- what happened to them ---

    def lines(self, asked: Asked) -> Iterator[Line]:
        """All that are wanted, with what happened to each, some hundreds at a time."""
        for rows in _chunks(self.rows(asked)):
            yield from (line for line in self.told(rows) if _matches(line, asked))

    def matching(self, asked: Asked) -> list[Change]:
        """The rows of all that are wanted, where records must be read to know. Raises TooMany."""
        rows = self.rows(asked)
        if rows.order_by()[: MOST_READ + 1].count() > MOST_READ:
            raise TooMany
        found: list[Change] = []
        for held in _chunks(rows):
            found += [row for row, line in zip(held, self.told(held), strict=True) if _matches(line, asked)]
        return found

    def told(self, rows: Sequence[Change]) -> list[Line]:
        """What happened to each, in the order of `rows`: at most three queries, however many there are."""
        bodies = locker.bodies(address for row in rows for address in addresses(row))
        ends = [[bodies.get(address) for address in addresses(row)] for row in rows]
        held = ((row.stream, record) for row, both in zip(rows, ends, strict=True) for record in both if record)
        names = names_of(self.connector, self.workspace_id, (self.newer.seq, self.older.seq), held)
        return [self._line(row, old, new, names) for row, (old, new) in zip(rows, ends, strict=True)]

    def _line(self, row: Change, before: Record | None, after: Record | None, names: changes.Names) -> Line:
        stream, wording = self.streams[row.stream], self.connector.wording(row.stream)
        was, now = addresses(row)
        lost = (was != locker.GONE and before is None) or (now != locker.GONE and after is None)
        shown = after if after is not None else before or {}
        keys = [key for _, key in beside(wording, shown)]
        old, new = (
            None if address == locker.GONE else record or {} for address, record in ((was, before), (now, after))
        )
        told = changes.tell(wording, old, new, names, keys)
        return Line(stream, row.key, row.seq, changes.unreadable(told) if lost else told, before, after, lost)


def names_of(
    connector: Connector, workspace_id: int, seqs: Sequence[int], records: Iterable[tuple[str, Record]]
) -> changes.Names:
    """What the records are called that these ones' places are told by, in the first of `seqs` that has them.

    `records` stand with the names of their streams. One query for each of `seqs`, none where nothing is lacking.
    """
    wanted: dict[str, set[str]] = {}
    for stream, record in records:
        for name, key in beside(connector.wording(stream), record):
            if key:
                wanted.setdefault(name, set()).add(key)
    found: dict[tuple[str, str], str] = {}
    for seq in seqs:
        lacking = {name: [key for key in keys if (name, key) not in found] for name, keys in wanted.items()}
        for name, key, record in locker.called(workspace_id, seq, {n: keys for n, keys in lacking.items() if keys}):
            found[name, key] = connector.wording(name).name(record) or key
    return found


def beside(wording: Wording, record: Record) -> list[tuple[str, str]]:
    """Stream and key of each record that names the place of this one; "" as a key where it names none."""
    found = []
    for place in wording.beside:
        values = [record.get(name) for name in place.fields]
        known = all(isinstance(value, str) and value for value in values)
        found.append((place.stream, "/".join(key_part(str(value)) for value in values) if known else ""))
    return found


def addresses(row: Change) -> tuple[bytes, bytes]:
    """Where the record stood, and where it stands: annotations of `locker.differences`."""
    return bytes(row.was), bytes(row.now)  # type: ignore[attr-defined]


def _chunks(rows: QuerySet[Change], size: int = 500) -> Iterator[list[Change]]:
    whole = rows.iterator(size)
    while held := list(islice(whole, size)):
        yield held


def _matches(line: Line, asked: Asked) -> bool:
    if asked.plain and line.told.kind == changes.Kind.REWRITTEN:
        return False
    if asked.field and not any(asked.field.casefold() in path.casefold() for path in line.told.fields):
        return False
    text = f"{line.stream.title}\n{line.told.sentence}\n{line.key}".casefold()
    return all(word in text for word in asked.q.casefold().split())
