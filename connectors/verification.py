"""Proves the chain from its bytes alone: every blob, change row, receipt and header is hashed again.

Each fault names the invariant that found it. Trust starts at the public keys in TRUSTED_KEYS_FILE, which
the database cannot change. What is published while it runs is left to the next verification.
"""

import re
from collections.abc import Iterator
from datetime import datetime
from functools import cache

from django.db.models import F, OuterRef, Subquery

from portal import canon, ledger
from portal.proving import Counted, Fault, stepwise

from . import anchors, locker, registry
from .models import Blob, Change, Receipt, RunState, Snapshot, StagedRecord, SyncRun, Workspace
from .replaying import Replay

__all__ = ["UNEXPLAINED", "Counted", "Fault", "expected", "looks_secret", "verify"]

UNEXPLAINED = "Its bytes are gone, and no ledger entry says that they were erased."
AT_ONCE = 200  # blobs held at a time
_PUBLISHED = (RunState.PUBLISHED, RunState.PARTIAL)


def expected() -> int:
    """How many steps `verify` will take, as the database stands now."""
    stated = 0
    for (pk,) in stepwise(Snapshot.objects.all(), "pk"):
        stated += _stated(Snapshot.objects.get(pk=pk))
    return stated + Change.objects.count() + Receipt.objects.count()


def _stated(snapshot: Snapshot) -> int:
    """How many records a snapshot says that it holds; 0 when it cannot be read."""
    try:
        return int(locker.header_of(snapshot).get("records", 0))
    except (ValueError, TypeError, AttributeError):
        return 0


def verify(counted: Counted) -> Iterator[Fault]:
    """All faults of all chains. `counted` is filled on the way, and hears of every step."""
    if not canon.trusted_keys():
        yield Fault("I3", "trusted keys", "There is no trusted public key: nothing can be proved to be signed.")
    register = locker.Register()
    for workspace in Workspace.objects.order_by("pk"):
        counted.workspaces += 1
        replay = Replay()
        yield from _chain(workspace, replay, counted)
        yield from _records(workspace, replay, register, counted)
        yield from replay.faults(workspace.name)
    yield from _requests(counted)
    yield from _strays(counted)
    yield from anchors.verify(counted)


# --- headers ----------------------------------------------------------------------------------------------------


def _chain(workspace: Workspace, replay: Replay, counted: Counted) -> Iterator[Fault]:
    previous, expected = locker.NO_PREDECESSOR, 1
    held = Snapshot.objects.filter(workspace=workspace, seq__lte=workspace.head)
    for seq, pk in stepwise(held, "seq", fields=("pk",)):
        snapshot = Snapshot.objects.get(pk=pk)
        counted.snapshots += 1
        counted.cover("I3", "I4")
        yield from _header(snapshot, workspace, previous, expected, replay)
        previous, expected = snapshot.header_sha256, seq + 1
    if workspace.head != expected - 1:
        yield Fault("I4", workspace.name, f"The newest snapshot should be {workspace.head}; it is {expected - 1}.")


def _header(snapshot: Snapshot, workspace: Workspace, previous: str, expected: int, replay: Replay) -> Iterator[Fault]:
    where, data = f"{workspace.name}, snapshot {snapshot.seq}", bytes(snapshot.header)
    if canon.digest(data).hex() != snapshot.header_sha256:
        yield Fault("I4", where, "The header's bytes do not hash to its digest.")
    if not canon.signed_by(snapshot.key_id, bytes(snapshot.signature), data):
        yield Fault("I3", where, f"The signature is not one of the trusted key {snapshot.key_id}.")
    if snapshot.seq != expected:
        yield Fault("I4", where, f"Its number should be {expected}: a snapshot is missing.")
    try:
        header = locker.header_of(snapshot)
        said = (header.get("seq"), header.get("previous"), header["workspace"]["uid"], header.get("run"))
        published = datetime.fromisoformat(header["published_at"])
        number, sha256 = header.get("ledger", (0, ""))
        replay.expect(snapshot.seq, header)
    except (ValueError, TypeError, KeyError, AttributeError):
        yield Fault("I4", where, "The header is not readable.")
        return
    if said != (snapshot.seq, previous, str(workspace.uid), snapshot.run_id) or snapshot.previous_sha256 != previous:
        yield Fault("I4", where, "The header names another number, predecessor, workspace or run.")
    if published != snapshot.published_at:  # what “as of” goes by
        yield Fault("I4", where, "The header says that it was published at another time.")
    if not ledger.holds(number, sha256):
        yield Fault("I13", where, f"It names ledger entry {number}, which is not there as it was.")
    if canon.LineDigest(locker.receipt_lines(snapshot.run_id)).hexdigest() != header.get("requests_sha256"):
        yield Fault("I6", where, "The request log does not hash to what the header states.")


# --- records ----------------------------------------------------------------------------------------------------


def _records(workspace: Workspace, replay: Replay, register: locker.Register, counted: Counted) -> Iterator[Fault]:
    """Every change row in turn: replayed, and next to the bytes it stands for and what they say of themselves."""
    blob = Blob.objects.filter(sha256=OuterRef("sha256"))
    rows = Change.objects.filter(workspace=workspace, seq__lte=workspace.head).annotate(
        blob_size=Subquery(blob.values("size")), blob_body=Subquery(blob.values("body"))
    )
    fields, uid = ("sha256", "blob_size", "blob_body"), str(workspace.uid)
    for stream, key, seq, sha256, size, body in stepwise(rows, "stream", "key", "seq", fields=fields, size=AT_ONCE):
        address = bytes(sha256) if sha256 is not None else None
        settled = replay.change(stream, key, seq, address)
        counted.changes += 1
        counted.cover("I7", "I9")
        counted.cover("I5", many=settled)
        if address is not None:
            counted.blobs += 1
            counted.cover("I1", "I2", "I11", "I12")
            if body:
                yield from _stored(address, size, body, [uid, stream, key], f"{stream} {key}, snapshot {seq}")
            elif register.entry_of(address) is not None:
                counted.erased += 1
            else:
                yield Fault("I11", f"{stream} {key}, snapshot {seq}", UNEXPLAINED)
        counted.step(1 + settled)
    settled = replay.finish()
    counted.cover("I5", many=settled)
    counted.step(settled)


def _stored(address: bytes, size: int, body: bytes, belongs: list[str], where: str) -> Iterator[Fault]:
    try:
        data = locker.unpacked(bytes(body), size)
    except locker.Unpackable:
        yield Fault("I1", where, "Its bytes cannot be unpacked.")
        return
    if looks_secret(data):
        yield Fault("I12", where, "Its bytes hold something that looks like an access token.")
    if canon.digest(data) != address or len(data) != size:
        yield Fault("I1", where, "Its bytes do not hash to their address.")
        return
    if _names(data) != belongs:
        yield Fault("I2", where, "Its bytes belong to another record.")


def _names(data: bytes) -> list[str]:
    """The workspace, stream and key that an envelope names; nothing when it is none."""
    try:
        workspace, stream, _, key = canon.read(data)["names"]
    except (ValueError, TypeError, KeyError):
        return []
    return [workspace, stream, key]


@cache
def _tokens() -> tuple[re.Pattern[bytes], ...]:
    return tuple(re.compile(each.secrets.pattern.encode()) for each in registry.all_connectors().values())


def looks_secret(data: bytes) -> bool:
    """Whether there is anything in it that has the shape of a service's access token."""
    return any(pattern.search(data) for pattern in _tokens())


def _requests(counted: Counted) -> Iterator[Fault]:
    """I12 in the log of requests, whose digests are compared snapshot by snapshot."""
    for pk, *texts in stepwise(Receipt.objects.all(), "pk", fields=("path", "query", "request_id")):
        counted.cover("I6", "I12")
        if looks_secret("\n".join(texts).encode("utf-8", "surrogatepass")):
            yield Fault("I12", f"request {pk}", "It holds something that looks like an access token.")
        counted.step()


# --- what nothing explains --------------------------------------------------------------------------------------


def _strays(counted: Counted) -> Iterator[Fault]:
    """I7: nothing lies in the chain's tables that no published snapshot accounts for."""
    beyond = Change.objects.filter(seq__gt=F("workspace__head"))
    for stray in beyond.order_by("workspace", "seq", "pk")[:20]:
        yield Fault("I7", f"{stray.stream} {stray.key}", f"A change row of snapshot {stray.seq}, which does not exist.")
    for snapshot in Snapshot.objects.filter(seq__gt=F("workspace__head")).select_related("workspace")[:20]:
        yield Fault("I7", str(snapshot), "It comes after the newest snapshot of its workspace.")
    counted.cover("I7", many=SyncRun.objects.filter(state__in=_PUBLISHED).count())
    for run in SyncRun.objects.filter(state__in=_PUBLISHED, snapshot__isnull=True)[:20]:
        yield Fault("I7", str(run), "It says that it published; its snapshot is not there.")
    for run in SyncRun.objects.filter(snapshot__isnull=False).exclude(state__in=_PUBLISHED)[:20]:
        yield Fault("I7", str(run), "It has a snapshot; it says that it did not publish.")
    known = Change.objects.filter(sha256__isnull=False).values("sha256")
    for sha256 in Blob.objects.exclude(sha256__in=known).values_list("sha256", flat=True)[:20]:
        yield Fault("I7", f"blob {bytes(sha256).hex()[:16]}", "No snapshot accounts for these bytes.")
    if StagedRecord.objects.filter(run__state__in=_PUBLISHED).exists():
        yield Fault("I7", "staged records", "A published run has left staged records behind.")
