"""What a run left, for tests that disturb runs: all that must be the same as if nobody had disturbed it.

Not the same may be:

    times          started, ended, the window, published_at, of each request
    the receipts   those of the workers that were lost are kept, so there are more; and their digest in the header
    the signature  of a header with these in it; and the number of the run, where another run is compared

    expected       how many pages were foreseen, which is a guess until they are read

All else is the same: records (key and address of each), change rows, root, the coverage of each stream with pages,
items and parts (a listing that is read again counts once), what the pages show of each stream, blobs, the predecessor.
"""

import re
from typing import Any

from connectors import locker
from connectors.models import Blob, Change, Lane, Receipt, RunListing, RunStream, Snapshot, StagedRecord, SyncRun
from connectors.verification import Counted, verify

SHOWN = ("stream", "position", "state", "pages", "items", "claimed", "status", "code", "reason", "anomaly")
TIMES = ("window", "published_at", "requests_sha256")


def kind_of(sql: str) -> str:
    """What a statement does, without its values and without the names of savepoints."""
    head = re.split(r" WHERE | VALUES | FROM \(", re.sub(r"\s+", " ", sql))[0]
    return re.sub(r'SAVEPOINT ".*"', "SAVEPOINT", head)[:160]


def outcome(run: int) -> dict[str, Any]:
    """All of a run that must be the same whether or not its workers were killed."""
    snapshot = Snapshot.objects.get(run=run)
    header = locker.header_of(snapshot)
    state = locker.state(snapshot.workspace_id, snapshot.seq).values_list("stream", "key", "sha256")
    changes = Change.objects.filter(seq=snapshot.seq).order_by("stream", "key").values_list("stream", "key", "sha256")
    return {
        "state": SyncRun.objects.get(pk=run).state,
        "header": {name: said for name, said in header.items() if name not in TIMES},
        "records": [(stream, key, bytes(sha256 or b"").hex()) for stream, key, sha256 in state],
        "changes": [(stream, key, bytes(sha256 or b"").hex()) for stream, key, sha256 in changes],
        "streams": list(RunStream.objects.filter(run=run).order_by("position").values(*SHOWN)),
        "blobs": Blob.objects.count(),
        "snapshots": Snapshot.objects.count(),
        "anomalies": list(snapshot.anomalies.order_by("stream").values_list("stream", "kind", "detail")),
        "slow runs": SyncRun.objects.filter(lane=Lane.SLOW).count(),
    }


def left_over(run: int) -> list[str]:
    """What is wrong with the portal after a run has ended, in words."""
    wrong = [f"{fault.invariant} {fault.where}: {fault.what}" for fault in verify(Counted()) if fault.grave]
    for model in (StagedRecord, RunListing):
        if rows := model._default_manager.count():
            wrong.append(f"{rows} rows of {model.__name__} are left")
    numbers = list(Receipt.objects.filter(run=run).order_by("n").values_list("n", flat=True))
    if numbers != list(range(1, len(numbers) + 1)):
        wrong.append("receipts are not numbered without a gap")
    return wrong


def differences(clean: dict[str, Any], found: dict[str, Any]) -> list[str]:
    """Which parts of an outcome are not as they should be; of a header, which entries."""
    wrong = [name for name in clean if name not in ("header", "streams") and found[name] != clean[name]]
    for mine, theirs in zip(found["streams"], clean["streams"], strict=True):
        apart = {name: (mine[name], theirs[name]) for name in mine if mine[name] != theirs[name]}
        wrong += [f"stream {theirs['stream']}: {apart}"] if apart else []
    said, meant = found["header"], clean["header"]
    return wrong + [f"header: {name}" for name in meant if said.get(name) != meant[name]]
