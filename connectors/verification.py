"""Proves the chain from its bytes alone: every blob, change row, receipt and header is hashed again.

Each fault names the invariant that found it. Trust starts at the public keys in TRUSTED_KEYS_FILE, which
the database cannot change.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import OuterRef, Subquery

from portal import canon

from . import locker
from .models import Blob, Change, RunState, Snapshot, StagedRecord, SyncRun, Workspace
from .spec import Coverage

Step = Callable[[str, int], object]


@dataclass(frozen=True, slots=True)
class Fault:
    """`invariant` is its short name (see ARCHITECTURE.md, "What verify proves"); `where` names the row."""

    invariant: str
    where: str
    what: str


@dataclass(slots=True)
class Counted:
    workspaces: int = 0
    snapshots: int = 0
    changes: int = 0
    blobs: int = 0


def verify(counted: Counted, tell: Step = lambda what, done: None) -> Iterator[Fault]:
    """All faults of all chains. `counted` is filled on the way; `tell` hears of progress."""
    if not canon.trusted_keys():
        yield Fault("I3", "trusted keys", "There is no trusted public key: nothing can be proved to be signed.")
    for workspace in Workspace.objects.order_by("pk"):
        counted.workspaces += 1
        yield from _chain(workspace, counted, tell)
    yield from _blobs(counted, tell)
    yield from _strays()


def _chain(workspace: Workspace, counted: Counted, tell: Step) -> Iterator[Fault]:
    previous, expected = locker.NO_PREDECESSOR, 1
    for snapshot in Snapshot.objects.filter(workspace=workspace).order_by("seq").iterator():
        where = f"{workspace.name}, snapshot {snapshot.seq}"
        counted.snapshots += 1
        yield from _header(snapshot, workspace, previous, expected, where)
        yield from _contents(snapshot, where)
        previous, expected = snapshot.header_sha256, snapshot.seq + 1
        tell("snapshots", counted.snapshots)
    if workspace.head != expected - 1:
        yield Fault("I4", workspace.name, f"The newest snapshot should be {workspace.head}; it is {expected - 1}.")


def _header(snapshot: Snapshot, workspace: Workspace, previous: str, expected: int, where: str) -> Iterator[Fault]:
    data = bytes(snapshot.header)
    if canon.digest(data).hex() != snapshot.header_sha256:
        yield Fault("I4", where, "The header's bytes do not hash to its digest.")
    if not canon.signed_by(snapshot.key_id, bytes(snapshot.signature), data):
        yield Fault("I3", where, f"The signature is not one of the trusted key {snapshot.key_id}.")
    if snapshot.seq != expected:
        yield Fault("I4", where, f"Its number should be {expected}: a snapshot is missing.")
    try:
        header = locker.header_of(snapshot)
    except ValueError:
        yield Fault("I4", where, "The header is not readable.")
        return
    said = (header.get("seq"), header.get("previous"), header.get("workspace", {}).get("uid"), header.get("run"))
    if said != (snapshot.seq, previous, str(workspace.uid), snapshot.run_id) or snapshot.previous_sha256 != previous:
        yield Fault("I4", where, "The header names another number, predecessor, workspace or run.")


def _contents(snapshot: Snapshot, where: str) -> Iterator[Fault]:
    try:
        header = locker.header_of(snapshot)
    except ValueError:
        return
    tree, changes = canon.MerkleTree(), canon.LineDigest()
    state = locker.state(snapshot.workspace_id, snapshot.seq).values_list("stream", "key", "sha256")
    for stream, key, sha256 in state.iterator(2000):
        tree.add(locker.leaf(stream, key, bytes(sha256 or b"")))
    if tree.root().hex() != header.get("root") or tree.size != header.get("records"):
        yield Fault("I5", where, "Its records do not give the root that the header states.")
    coverage, astray = header.get("coverage", {}), set()
    rows = Change.objects.filter(workspace_id=snapshot.workspace_id, seq=snapshot.seq).order_by("stream", "key")
    for stream, key, sha256 in rows.values_list("stream", "key", "sha256").iterator(2000):
        changes.add(locker.change_line(stream, key, bytes(sha256) if sha256 is not None else None))
        if not _may_change(coverage.get(stream, {}), key, snapshot.seq):
            astray.add(stream)
    if changes.hexdigest() != header.get("changes_sha256"):
        yield Fault("I5", where, "Its change rows do not hash to what the header states.")
    if canon.LineDigest(locker.receipt_lines(snapshot.run_id)).hexdigest() != header.get("requests_sha256"):
        yield Fault("I6", where, "The request log does not hash to what the header states.")
    for stream in sorted(astray):
        yield Fault("I9", where, f"“{stream}” was not read completely, yet it has changes where it was not read.")


def _may_change(entry: Mapping[str, Any], key: str, seq: int) -> bool:
    """Whether a snapshot may change this record: its stream, or at least its part of it, was read for it."""
    parts = entry.get("parts", {})
    read = entry.get("coverage") == Coverage.COMPLETE or bool(parts)
    unread = any(key == part or key.startswith(part + "/") for part in parts)
    return read and entry.get("as_of", seq) == seq and not unread


def _blobs(counted: Counted, tell: Step) -> Iterator[Fault]:
    """I1 and I2, change row by change row, each next to the bytes it stands for and what they say of themselves."""
    uids = {workspace.pk: str(workspace.uid) for workspace in Workspace.objects.all()}
    blob = Blob.objects.filter(sha256=OuterRef("sha256"))
    rows = Change.objects.order_by("pk").values_list(
        "workspace_id", "stream", "key", "seq", "sha256", Subquery(blob.values("size")), Subquery(blob.values("body"))
    )
    for workspace_id, stream, key, seq, sha256, size, body in rows.iterator(locker.CHUNK):
        counted.changes += 1
        tell("records", counted.changes)
        if sha256 is None:
            continue
        counted.blobs += 1
        where = f"{stream} {key}, snapshot {seq}"
        if body is None:
            yield Fault("I1", where, "Its bytes are gone.")
        else:
            kept = Blob(sha256=bytes(sha256), size=size, body=body)
            yield from _blob(kept, [uids[workspace_id], stream, key], where)


def _blob(blob: Blob, belongs: list[str], where: str) -> Iterator[Fault]:
    try:
        data = locker.envelope_of(blob)
    except locker.Unpackable:
        yield Fault("I1", where, "Its bytes cannot be unpacked.")
        return
    if canon.digest(data) != bytes(blob.sha256) or len(data) != blob.size:
        yield Fault("I1", where, "Its bytes do not hash to their address.")
        return
    workspace, stream, _, key = canon.read(data)["names"]
    if [workspace, stream, key] != belongs:
        yield Fault("I2", where, "Its bytes belong to another record.")


def _strays() -> Iterator[Fault]:
    """I7: nothing lies in the chain's tables that no published snapshot accounts for."""
    heads = {workspace.pk: workspace.head for workspace in Workspace.objects.all()}
    for workspace_id, head in heads.items():
        stray = Change.objects.filter(workspace_id=workspace_id, seq__gt=head).first()
        if stray:
            yield Fault(
                "I7", f"{stray.stream} {stray.key}", f"A change row of snapshot {stray.seq}, which does not exist."
            )
    published = [RunState.PUBLISHED, RunState.PARTIAL]
    for run in SyncRun.objects.filter(state__in=published, snapshot__isnull=True)[:20]:
        yield Fault("I7", str(run), "It says that it published; its snapshot is not there.")
    for run in SyncRun.objects.filter(snapshot__isnull=False).exclude(state__in=published)[:20]:
        yield Fault("I7", str(run), "It has a snapshot; it says that it did not publish.")
    known = Change.objects.filter(sha256__isnull=False).values("sha256")
    for sha256 in Blob.objects.exclude(sha256__in=known).values_list("sha256", flat=True)[:20]:
        yield Fault("I7", f"blob {bytes(sha256).hex()[:16]}", "No snapshot accounts for these bytes.")
    if StagedRecord.objects.filter(run__state__in=published).exists():
        yield Fault("I7", "staged records", "A published run has left staged records behind.")
