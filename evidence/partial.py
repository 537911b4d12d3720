"""What the parts of streams are called that a snapshot could not read. At most one query, whatever their number."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from django.db.models import OuterRef, Subquery

from connectors import locker
from connectors.models import Blob, Snapshot
from connectors.spec import Connector, Covered, Record
from portal import canon

_NAMES = ("name", "email", "slug")  # fields that name a record, the best first
Names = Mapping[tuple[str, str], str]  # stream and key of a record -> what it is called


def named(snapshot: Snapshot, connector: Connector, covered: Sequence[Covered]) -> tuple[Covered, ...]:
    """The same coverage, each part with its name and each stream with what its parts are records of."""
    wanted = {each.stream: _ancestors(connector, each.stream) for each in covered if each.parts}
    if not wanted:
        return tuple(covered)
    streams = {name for names in wanted.values() for name in names}
    keys = {part.key for each in covered for part in each.parts}
    names = {(stream, key): _name(record) for stream, key, record in _records(snapshot, streams, keys)}
    held = {each.stream: each for each in covered}
    return tuple(_named(each, wanted.get(each.stream, ()), names, held) for each in covered)


def _records(snapshot: Snapshot, streams: set[str], keys: set[str]) -> Iterator[tuple[str, str, Record]]:
    """What cannot be unpacked is left out: this names things, it proves nothing."""
    blob = Blob.objects.filter(sha256=OuterRef("sha256"))
    rows = locker.state(snapshot.workspace_id, snapshot.seq).filter(stream__in=streams, key__in=keys)
    bodies = Subquery(blob.values("size")), Subquery(blob.values("body"))
    for stream, key, size, body in rows.values_list("stream", "key", *bodies):
        with suppress(locker.Unpackable):
            if body is not None:
                yield stream, key, canon.read(locker.envelope_of(Blob(size=size, body=body)))["data"]


def _ancestors(connector: Connector, name: str) -> tuple[str, ...]:
    """The streams whose records it is read for, nearest first: what a parent lacks, its children lack too."""
    found: list[str] = []
    waiting = [name]
    while waiting:
        parents = [way.parent for way in connector.stream(waiting.pop(0)).ways if way.parent]
        waiting += parents
        found += parents
    return tuple(dict.fromkeys(found))


def _named(each: Covered, ancestors: Sequence[str], names: Names, held: Mapping[str, Covered]) -> Covered:
    if not each.parts:
        return each
    known = [name for name in ancestors if any((name, part.key) in names for part in each.parts)]
    found = held[known[0]] if known else None
    parts = tuple(
        replace(part, name=next(filter(None, (names.get((name, part.key)) for name in known)), ""))
        for part in each.parts
    )
    return replace(
        each, parts=parts, parent=found.title.lower() if found else "", parents=found.records if found else None
    )


def _name(record: Record) -> str:
    return next(_said(record), "")


def _said(record: Record) -> Iterator[str]:
    for name in _NAMES:
        if isinstance(value := record.get(name), str) and value.strip():
            yield value
