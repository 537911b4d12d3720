"""A run's staged records become the next snapshot: whole, in one transaction, or not at all."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import connection as database
from django.db import transaction
from django.db.models import Exists, OuterRef

from portal import canon, ledger

from ..models import Blob, Change, RunState, Snapshot, StagedRecord, SyncRun, Workspace
from ..spec import Coverage
from .staging import CHUNK, Lost, insert, mine, receipt_lines, unstage
from .states import Item, header_of, items, newest, state

NO_PREDECESSOR = "0" * 64


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
            "ledger": list(ledger.head()),
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


def _head(workspace_id: int, seq: int) -> Iterator[Item]:
    return items(state(workspace_id, seq))


def _staged(run_id: int, speaking: Collection[str]) -> Iterator[Item]:
    rows = StagedRecord.objects.filter(run_id=run_id, stream__in=speaking).order_by("stream", "key", "-listing")
    before = ("", "")
    for stream, key, sha256 in rows.values_list("stream", "key", "sha256").iterator(2000):
        if (stream, key) != before:  # two listings may hold the same record (a log's months): the later one counts
            yield stream, key, bytes(sha256)
        before = (stream, key)


def _merged(head: Iterator[Item], staged: Iterator[Item], speaking: Mapping[str, StreamResult]) -> Iterator[_Step]:
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


MANY = 5_000  # rows; fewer are looked up well enough by a planner that does not know of them


def tell_planner(snapshot: Snapshot) -> None:
    """After a snapshot that added much: PostgreSQL plans by what it last counted, and would guess until it counts by
    itself. Not within a transaction: it would be held by others meanwhile."""
    if database.vendor != "postgresql":
        return
    added = Change.objects.filter(workspace_id=snapshot.workspace_id, seq=snapshot.seq)
    if added[MANY : MANY + 1].exists():
        tables = ", ".join(database.ops.quote_name(model._meta.db_table) for model in (Change, Blob))
        with database.cursor() as cursor:
            cursor.execute(f"ANALYZE {tables}")
