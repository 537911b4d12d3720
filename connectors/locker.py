"""The only writer of staged records, checkpoints, receipts, blobs, changes and snapshots; and their reader.

A snapshot is published whole, in one transaction, or it is not there. Only what changed is written:
the state at any snapshot is a query over the change rows.
"""

import threading
from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

import zstandard
from django.db import connection as database
from django.db import transaction
from django.db.models import Count, Exists, F, Max, OuterRef, QuerySet, Subquery, Value
from django.db.models.functions import Left, StrIndex

from portal import canon

from .http import Sent
from .models import Blob, Change, Receipt, RunListing, RunState, Snapshot, StagedRecord, SyncRun, Workspace
from .spec import Coverage, Record

CHUNK = 500
NO_PREDECESSOR = "0" * 64


class Lost(Exception):
    """The run is no longer ours: it was cancelled, abandoned, or its connection was disconnected."""


class Sealed(NamedTuple):
    """A record ready to be kept: its key, its address, and the compressed bytes that hash to the address.

    The bytes of a record that the workspace has had before are empty: they are in the locker already.
    """

    key: str
    sha256: bytes
    size: int
    body: bytes


class Addresses:
    """Addresses that a workspace's records have, or had: eight bytes of each, which is enough to skip work by."""

    def __init__(self, addresses: Iterable[bytes] = ()) -> None:
        self._heads = array("Q", sorted(int.from_bytes(address[:8], "big") for address in addresses))

    def __contains__(self, address: bytes) -> bool:
        head = int.from_bytes(address[:8], "big")
        at = bisect_left(self._heads, head)
        return at < len(self._heads) and self._heads[at] == head


NONE_KNOWN = Addresses()


def known_addresses(workspace_id: int) -> Addresses:
    rows = Change.objects.filter(workspace_id=workspace_id, sha256__isnull=False).values_list("sha256", flat=True)
    return Addresses(bytes(sha256 or b"") for sha256 in rows.iterator(2000))


def seal(
    workspace: str, stream: str, policy: str, records: Sequence[tuple[str, Record]], known: Addresses = NONE_KNOWN
) -> list[Sealed]:
    """Puts records, each with its key, into envelopes that name where they belong: no blob can stand for another.

    The salt depends on the record and on FINGERPRINT_KEY, so an unchanged record keeps its address.
    """
    belongs, salt = canon.canonical([workspace, stream, policy])[:-1], canon.salter()
    sealed, fresh = list[tuple[str, bytes, int]](), list[bytes]()
    for key, data in records:
        inner, names = canon.canonical(data), b"%s,%s]" % (belongs, canon.canonical(key))
        envelope = b'{"data":%s,"names":%s,"salt":"%s"}' % (inner, names, salt(names, inner))
        address = canon.digest(envelope)
        sealed.append((key, address, len(envelope)))
        fresh.append(b"" if address in known else envelope)
    return [Sealed(*each, body) for each, body in zip(sealed, _packed(fresh), strict=True)]


def _packed(envelopes: Sequence[bytes]) -> Iterator[bytes]:
    """Compressed, all at once: a call for each would hand the interpreter lock around hundreds of times a page."""
    full: list[bytes | bytearray | memoryview] = [envelope for envelope in envelopes if envelope]
    packed = iter(_compressor().multi_compress_to_buffer(full) if full else ())
    return (next(packed).tobytes() if envelope else b"" for envelope in envelopes)


_thread = threading.local()  # a compressor may serve one thread only


def _compressor() -> zstandard.ZstdCompressor:
    if not hasattr(_thread, "compressor"):
        _thread.compressor = zstandard.ZstdCompressor(level=3)
    found: zstandard.ZstdCompressor = _thread.compressor
    return found


class Unpackable(Exception):
    """A blob's bytes cannot be unpacked: they are not what was stored."""


def envelope_of(blob: Blob) -> bytes:
    """The bytes whose sha256 is the blob's address. Raises Unpackable."""
    try:
        return zstandard.decompress(bytes(blob.body), max_output_size=blob.size)
    except zstandard.ZstdError as error:
        raise Unpackable from error


# --- staging ------------------------------------------------------------------------------------


def stage(run_id: int, listing: int, stream: str, records: Iterable[Sealed]) -> None:
    """Keeps what a run has read so far, out of sight of everybody."""
    rows = [(run_id, listing, stream, *record) for record in records]
    insert("connectors_stagedrecord", ("run_id", "listing", "stream", "key", "sha256", "size", "body"), rows)


def insert(table: str, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
    """Adds rows, a chunk in one statement: model instances and single inserts would cost seconds on a large reading."""
    one = f"({', '.join(['%s'] * len(columns))})"
    with transaction.atomic(), database.cursor() as cursor:
        for at in range(0, len(rows), CHUNK):
            chunk = rows[at : at + CHUNK]
            marks = ", ".join([one] * len(chunk))
            cursor.execute(
                f"INSERT INTO {table} ({', '.join(columns)}) VALUES {marks}",  # noqa: S608  # names of ours and marks
                [value for row in chunk for value in row],
            )


def unstage(run_id: int, listings: Collection[int] | None = None) -> None:
    """Drops what a run has staged: all of it with its checkpoints, or that of some listings."""
    staged, kept = StagedRecord.objects.filter(run_id=run_id), RunListing.objects.filter(run_id=run_id)
    if listings is not None:
        staged = staged.filter(listing__in=listings)
    else:
        kept._raw_delete(kept.db)
    staged._raw_delete(staged.db)


def checkpoint(run_id: int, listings: Mapping[int, Mapping[str, Any]]) -> None:
    """Keeps how these listings stand, together with what was staged of them."""
    rows = [RunListing(run_id=run_id, number=number, body=body) for number, body in listings.items()]
    RunListing.objects.bulk_create(
        rows, batch_size=CHUNK, update_conflicts=True, unique_fields=["run", "number"], update_fields=["body"]
    )


def checkpoints(run_id: int) -> list[Mapping[str, Any]]:
    """What was kept, in the order of the listings' numbers."""
    return list(RunListing.objects.filter(run_id=run_id).order_by("number").values_list("body", flat=True))


def staged_keys(run_id: int, streams: Collection[str]) -> dict[int, set[str]]:
    """The keys that a run has staged of these streams, by listing."""
    found: dict[int, set[str]] = {}
    rows = StagedRecord.objects.filter(run_id=run_id, stream__in=streams)
    for listing, key in rows.values_list("listing", "key").iterator(2000):
        found.setdefault(listing, set()).add(key)
    return found


def write_receipts(run_id: int, first: int, sent: Sequence[Sent]) -> int:
    """Adds receipts, numbered from `first`; returns the next number."""
    rows = (Receipt(run_id=run_id, n=first + at, **_columns(line)) for at, line in enumerate(sent))
    Receipt.objects.bulk_create(rows, batch_size=CHUNK)
    return first + len(sent)


def _columns(line: Sent) -> dict[str, Any]:
    return {name: value[:500] if isinstance(value, str) else value for name, value in asdict(line).items()}


def receipt_lines(run_id: int) -> Iterator[bytes]:
    """A run's receipts as canonical bytes, in order: what `requests_sha256` in the header is a digest of."""
    for r in Receipt.objects.filter(run_id=run_id).order_by("n").iterator(CHUNK):
        yield canon.canonical(
            [r.n, r.path, r.query, r.status, r.attempt, r.sent_at.isoformat(), r.ms, r.size, bytes(r.sha256).hex()]
        )


# --- reading ------------------------------------------------------------------------------------


def _items(rows: QuerySet[Change]) -> Iterator[tuple[str, str, bytes]]:
    for stream, key, sha256 in rows.values_list("stream", "key", "sha256").iterator(2000):
        assert sha256 is not None, "a state holds no removed records"
        yield stream, key, bytes(sha256)


def state(workspace_id: int, seq: int, stream: str = "", prefix: str = "") -> QuerySet[Change]:
    """The change rows that make up snapshot `seq`, in the order of stream and key.

    `prefix` narrows to the records of one parent: keys that begin with it and a slash.
    """
    rows = Change.objects.filter(workspace_id=workspace_id, seq__lte=seq, sha256__isnull=False)
    if stream:
        rows = rows.filter(stream=stream)
    if prefix:
        rows = rows.filter(key__gte=prefix + "/", key__lt=prefix + "0")  # "0" is the character after "/"
    later = Change.objects.filter(
        workspace_id=workspace_id, stream=OuterRef("stream"), key=OuterRef("key"), seq__gt=OuterRef("seq"), seq__lte=seq
    )
    return rows.filter(~Exists(later)).order_by("stream", "key")


def records(workspace_id: int, seq: int, stream: str, prefix: str = "") -> Iterator[Record]:
    """The records of one stream in snapshot `seq`, ordered by key: one query, and memory does not grow with them.

    Raises Unpackable when the bytes of a record are gone or damaged.
    """
    blob = Blob.objects.filter(sha256=OuterRef("sha256"))
    rows = state(workspace_id, seq, stream, prefix).values_list(
        "sha256", Subquery(blob.values("size")), Subquery(blob.values("body"))
    )
    for sha256, size, body in rows.iterator(CHUNK):
        if body is None:
            raise Unpackable
        yield canon.read(envelope_of(Blob(sha256=sha256, size=size, body=body)))["data"]


def counts(workspace_id: int, seq: int, stream: str) -> dict[str, int]:
    """How many records of a stream each parent has in snapshot `seq`, by the part of the key before the slash."""
    parent = Left("key", StrIndex("key", Value("/")) - 1)
    rows = state(workspace_id, seq, stream).filter(key__contains="/").order_by().values_list(parent)
    return {name: number for name, number in rows.annotate(number=Count("pk"))}


def newest_keys(workspace_id: int, seq: int, stream: str) -> dict[str, str]:
    """The greatest key of a stream in snapshot `seq`, by parent: the part of the key before the first slash.

    Under "" stands the greatest of all. For streams whose keys sort by time.
    """
    rows = state(workspace_id, seq, stream).order_by()
    whole = rows.aggregate(newest=Max("key"))["newest"]
    if whole is None:
        return {}
    parent = Left("key", StrIndex("key", Value("/")) - 1)
    parts = rows.filter(key__contains="/").values_list(parent).annotate(newest=Max("key"))
    return {**dict(parts), "": whole}


def newest(workspace: Workspace) -> Snapshot | None:
    return Snapshot.objects.filter(workspace=workspace, seq=workspace.head).first()


def header_of(snapshot: Snapshot) -> dict[str, Any]:
    found: dict[str, Any] = canon.read(bytes(snapshot.header))
    return found


# --- publishing ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Part:
    """Why the records of one parent were not read."""

    coverage: Coverage
    reason: str


@dataclass(frozen=True)
class StreamResult:
    """What a run found out about one stream, as the header states it.

    parts     key of a parent -> why its records were not read; all others were
    left_out  the run did not ask for it, though the connection does: what was known before still stands
    grows     what is not listed any more stays known
    """

    name: str
    policy: str
    coverage: Coverage
    pages: int = 0
    items: int = 0
    claimed: int | None = None
    reason: str = ""
    parts: Mapping[str, Part] = field(default_factory=dict)
    anomaly: str = ""
    dangling: int = 0
    left_out: bool = False
    grows: bool = False

    @property
    def speaks(self) -> bool:
        """Whether it says anything about records: of the stream as a whole, or of all parents but some."""
        return self.coverage is Coverage.COMPLETE or bool(self.parts)

    def speaks_of(self, key: str) -> bool:
        """Whether it says that the record with this key is there, or is not."""
        return self.speaks and not any(key == part or key.startswith(part + "/") for part in self.parts)


@dataclass(slots=True)
class _Step:
    stream: str
    key: str
    sha256: bytes | None
    changed: bool


def begin(run: SyncRun, now: datetime) -> None:
    """The run publishes from now on: it can no more be taken over. Raises Lost when it is not ours any more."""
    if (
        not mine(run)
        .filter(state=RunState.RUNNING)
        .update(state=RunState.PUBLISHING, heartbeat_at=now, now="Publishing")
    ):
        raise Lost


def mine(run: SyncRun) -> QuerySet[SyncRun]:
    """The row of the run for as long as this process holds it: whoever takes it over raises its fence."""
    return SyncRun.objects.filter(pk=run.pk, fence=run.fence)


def hold(run: SyncRun) -> bool:
    """Whether this process holds the run; nobody takes it over before the transaction ends."""
    return bool(mine(run).update(fence=F("fence")))


def publish(
    run: SyncRun,
    workspace: Workspace,
    results: Sequence[StreamResult],
    *,
    outcome: RunState,
    doubt: str,
    window: tuple[datetime, datetime],
    now: Callable[[], datetime],
) -> Snapshot:
    """Makes the run's staged records the next snapshot and ends the run as `outcome`, in one transaction.

    What was not read completely keeps the records known from before. `doubt` says what the token's role
    leaves unproved. Raises Lost when the run is not ours any more.
    """
    with transaction.atomic():
        if not mine(run).filter(state=RunState.PUBLISHING).update(state=outcome, now=""):
            raise Lost
        workspace = Workspace.objects.select_for_update().get(pk=workspace.pk)
        speaking = {result.name: result for result in results if result.speaks}
        tree, changes_sha256, counts = _write_changes(run.pk, workspace.pk, workspace.head + 1, speaking)
        changed = {"root": tree.root().hex(), "records": tree.size, "changes_sha256": changes_sha256}
        said = {"doubt": doubt, "window": [moment.isoformat() for moment in window]}
        snapshot = _sign(run, workspace, results, counts, at=now(), said=said | changed)
        Workspace.objects.filter(pk=workspace.pk).update(head=snapshot.seq)
        SyncRun.objects.filter(pk=run.pk).update(finished_at=snapshot.published_at)
        unstage(run.pk)
        return snapshot


def _sign(
    run: SyncRun,
    workspace: Workspace,
    results: Sequence[StreamResult],
    counts: Mapping[str, int],
    *,
    at: datetime,
    said: Mapping[str, Any],
) -> Snapshot:
    """Writes the header, which states all that the evidence rests on, signs it and chains it to the one before."""
    previous = newest(workspace)
    seq, before = workspace.head + 1, previous.header_sha256 if previous else NO_PREDECESSOR
    known = header_of(previous)["coverage"] if previous else {}
    header = canon.canonical(
        {
            "v": 2,
            "algorithm": "ed25519",
            "workspace": {"uid": str(workspace.uid), "id": workspace.remote_id, "connector": workspace.connector},
            "connection": str(run.connection.uid),
            "region": run.connection.region,
            "seq": seq,
            "previous": before,
            **said,
            "requests_sha256": canon.LineDigest(receipt_lines(run.pk)).hexdigest(),
            "coverage": {r.name: _entry(r, known.get(r.name, {}), seq, counts.get(r.name, 0)) for r in results},
            "published_at": at.isoformat(),
            "policy": {result.name: result.policy for result in results},
            "app": run.app_version,
            "token": run.token_fingerprint,
            "run": run.pk,
        }
    )
    key_id, signature = canon.sign(header)
    return Snapshot.objects.create(
        workspace=workspace,
        seq=seq,
        run=run,
        header=header,
        header_sha256=canon.digest(header).hex(),
        previous_sha256=before,
        signature=signature,
        key_id=key_id,
        published_at=at,
    )


def _entry(result: StreamResult, before: Mapping[str, Any], seq: int, records: int) -> dict[str, Any]:
    """What the header says of one stream. `as_of` names the snapshot whose reading stands for it, 0 for none."""
    if result.left_out and before:
        return {**before, "records": records}
    known = before.get("as_of", 0)
    entry: dict[str, Any] = {
        "coverage": result.coverage.value,
        "pages": result.pages,
        "items": result.items,
        "claimed": result.claimed,
        "reason": result.reason,
        "records": records,
        "as_of": seq if result.speaks else known,
    }
    if result.parts:
        older = {part: said[1] for part, said in before.get("parts", {}).items()}
        entry["parts"] = {
            part: [lack.coverage.value, older.get(part, known), lack.reason] for part, lack in result.parts.items()
        }
    if result.anomaly:
        entry["anomaly"] = result.anomaly
    if result.dangling:
        entry["dangling"] = result.dangling
    return entry


_CHANGE = ("workspace_id", "stream", "key", "seq", "sha256")


def _write_changes(
    run_id: int, workspace_id: int, seq: int, speaking: Mapping[str, StreamResult]
) -> tuple[canon.MerkleTree, str, Counter[str]]:
    """Writes blobs and change rows for what differs from the head; returns the tree of the new state, the digest of
    the changes, and how many records each stream has.

    Both sides come sorted from the database and are merged in one pass, so memory stays flat.
    """
    tree, lines, counts = canon.MerkleTree(), canon.LineDigest(), Counter[str]()
    rows: list[tuple[Any, ...]] = []
    for step in _merged(_head(workspace_id, seq - 1), _staged(run_id, speaking), speaking):
        if step.sha256 is not None:
            tree.add(leaf(step.stream, step.key, step.sha256))
            counts[step.stream] += 1
        if not step.changed:
            continue
        rows.append((workspace_id, step.stream, step.key, seq, step.sha256))
        lines.add(change_line(step.stream, step.key, step.sha256))
        if len(rows) == CHUNK:
            insert("connectors_change", _CHANGE, rows)
            rows = []
    insert("connectors_change", _CHANGE, rows)
    _write_blobs(run_id, workspace_id, seq)
    return tree, lines.hexdigest(), counts


def leaf(stream: str, key: str, sha256: bytes) -> bytes:
    """One record's leaf in the tree of a snapshot."""
    return canon.canonical([stream, key]) + sha256


def change_line(stream: str, key: str, sha256: bytes | None) -> bytes:
    return canon.canonical([stream, key, sha256.hex() if sha256 else None])


_Item = tuple[str, str, bytes]


def _head(workspace_id: int, seq: int) -> Iterator[_Item]:
    return _items(state(workspace_id, seq))


def _staged(run_id: int, speaking: Collection[str]) -> Iterator[_Item]:
    rows = StagedRecord.objects.filter(run_id=run_id, stream__in=speaking).order_by("stream", "key", "-listing")
    before = ("", "")
    for stream, key, sha256 in rows.values_list("stream", "key", "sha256").iterator(2000):
        if (stream, key) != before:  # two listings may hold the same record (a log's months): the later one counts
            yield stream, key, bytes(sha256)
        before = (stream, key)


def _merged(head: Iterator[_Item], staged: Iterator[_Item], speaking: Mapping[str, StreamResult]) -> Iterator[_Step]:
    end = ("\U0010ffff", "", b"")
    old, new = next(head, end), next(staged, end)
    while old is not end or new is not end:
        if old[:2] == new[:2]:
            yield _Step(new[0], new[1], new[2], changed=new[2] != old[2])
            old, new = next(head, end), next(staged, end)
        elif old[:2] < new[:2]:
            gone = _gone(speaking.get(old[0]), old[1])
            yield _Step(old[0], old[1], None if gone else old[2], changed=gone)
            old = next(head, end)
        else:
            yield _Step(new[0], new[1], new[2], changed=True)
            new = next(staged, end)


def _gone(result: StreamResult | None, key: str) -> bool:
    """Whether a record that was known and was not read now is gone, and not merely unseen."""
    return result is not None and not result.grows and result.speaks_of(key)


def _write_blobs(run_id: int, workspace_id: int, seq: int) -> None:
    """Bytes go from table to table inside the database; the same bytes are never stored twice.

    A change without bytes cannot be: what was taken for known by eight bytes of its address is looked up here.
    """
    with database.cursor() as cursor:
        cursor.execute(
            "INSERT INTO connectors_blob (sha256, size, codec, body) "
            "SELECT s.sha256, s.size, 'zstd', s.body FROM connectors_change c "
            "JOIN connectors_stagedrecord s ON s.run_id = %s AND s.stream = c.stream AND s.key = c.key "
            "AND s.sha256 = c.sha256 AND length(s.body) > 0 "
            "WHERE c.workspace_id = %s AND c.seq = %s AND c.sha256 IS NOT NULL "
            "ON CONFLICT (sha256) DO NOTHING",
            [run_id, workspace_id, seq],
        )
    bare = Change.objects.filter(workspace_id=workspace_id, seq=seq, sha256__isnull=False)
    if bare.exclude(Exists(Blob.objects.filter(sha256=OuterRef("sha256")))).exists():
        raise AssertionError("a change has no bytes")


def coverage_of(snapshot: Snapshot) -> Mapping[str, Mapping[str, Any]]:
    found: Mapping[str, Mapping[str, Any]] = header_of(snapshot)["coverage"]
    return found
