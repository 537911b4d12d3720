"""A workspace from snapshot to snapshot: how much was added, changed and removed, what was odd, and what is missing."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import Count

from connectors import locker, missed, registry
from connectors.models import Anomaly, Change, MissedRun, RunState, Snapshot, Workspace
from connectors.spec import Coverage

MOST_MISSED = 200  # missed times on one page


@dataclass(frozen=True)
class Moment:
    """One snapshot, or one scheduled time that passed without one.

    kinds  added, changed, removed -> how many records
    first  records that differ in what the snapshot before had not read: nobody knows since when
    logs   entries of streams that only grow
    whole, streams  how many of its streams are complete, and how many it names
    """

    at: datetime
    snapshot: Snapshot | None = None
    missed: MissedRun | None = None
    kinds: Mapping[str, int] = field(default_factory=dict)
    first: int = 0
    logs: int = 0
    whole: int = 0
    streams: int = 0
    odd: int = 0
    partial: bool = False


def moments(workspace: Workspace, snapshots: Sequence[Snapshot]) -> list[Moment]:
    """These snapshots, which follow one another (the newest first, a run with each), and the times that were missed
    from the first of them to the one after the last. The number of queries does not grow with them.
    """
    if not snapshots:
        return []
    logs = {stream.name for stream in registry.get(workspace.connector).streams if stream.grows}
    seqs = [snapshot.seq for snapshot in snapshots]
    headers = Snapshot.objects.filter(workspace=workspace, seq__in={*seqs, *(seq - 1 for seq in seqs)})
    coverage = {each.seq: locker.coverage_of(each) for each in headers.only("seq", "header")}
    counted: dict[int, Counter[str]] = {seq: Counter() for seq in seqs}
    rows = locker.steps(workspace.pk, [seq for seq in seqs if seq > 1])
    for (seq, stream, key, kind), many in locker.tally(rows, "seq", "stream", "key").items():
        known = _known(coverage.get(seq - 1, {}).get(stream, {}), key)
        counted[seq][("logs" if stream in logs else kind) if known else "first"] += many
    if 1 in counted:
        counted[1]["first"] = Change.objects.filter(workspace=workspace, seq=1).count()
    odd = dict(
        Anomaly.objects.filter(snapshot__in=snapshots).order_by().values_list("snapshot").annotate(many=Count("pk"))
    )
    found = [_of(each, counted[each.seq], coverage[each.seq], odd.get(each.pk, 0)) for each in snapshots]
    return sorted([*found, *_missed(workspace, snapshots)], key=lambda moment: moment.at, reverse=True)


def _known(before: Mapping[str, Any], key: str) -> bool:
    """Whether the snapshot before knew of the record, or that it was not there."""
    parts = before.get("parts", {})
    whole = before.get("coverage") == Coverage.COMPLETE or bool(parts)
    return whole and not any(key == part or key.startswith(f"{part}/") for part in parts)


def _of(snapshot: Snapshot, counted: Counter[str], coverage: Mapping[str, Mapping[str, Any]], odd: int) -> Moment:
    asked = [each for each in coverage.values() if each["coverage"] != Coverage.NOT_REQUESTED]
    return Moment(
        snapshot.published_at,
        snapshot,
        kinds={kind: counted[kind] for kind in (locker.ADDED, locker.CHANGED, locker.REMOVED)},
        first=counted["first"],
        logs=counted["logs"],
        whole=sum(each["coverage"] == Coverage.COMPLETE for each in asked),
        streams=len(asked),
        odd=odd,
        partial=snapshot.run.state == RunState.PARTIAL,
    )


def _missed(workspace: Workspace, snapshots: Sequence[Snapshot]) -> list[Moment]:
    """Before the first snapshot of all, those back to the first scheduled time."""
    rows = missed.listed().filter(connection__workspace=workspace)
    after = Snapshot.objects.filter(workspace=workspace, seq=snapshots[0].seq + 1)
    if (until := after.values_list("published_at", flat=True).first()) is not None:
        rows = rows.filter(due_at__lt=until)
    if snapshots[-1].seq > 1:
        rows = rows.filter(due_at__gte=snapshots[-1].published_at)
    return [Moment(row.due_at, missed=row) for row in rows[:MOST_MISSED]]
