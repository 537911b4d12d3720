"""One record through all snapshots: when it was first seen, what happened to it, and when nobody knows."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from connectors import locker, registry
from connectors.models import Change, RunStream, Snapshot, Workspace
from connectors.spec import Coverage, Covered, Record, Stream

from . import changes
from .changes import Told
from .comparison import beside, names_of
from .reports import coverage

MOST_GAPS = 500  # newest snapshots that did not read the record, of which a page tells


@dataclass(frozen=True)
class Step:
    """What a snapshot did to the record. `lost`: bytes of it are gone or damaged."""

    seq: int
    at: datetime
    told: Told
    before: Record | None
    after: Record | None
    lost: bool = False


@dataclass(frozen=True)
class Gap:
    """Snapshots, from `first` to `last`, that did not read the record, for one reason."""

    first: int
    last: int
    reason: str


def rows(workspace: Workspace, stream: str, key: str) -> list[Change]:
    """The change rows of a record, the newest first; none when no snapshot has ever had it."""
    return list(locker.history(workspace.pk, stream, key))[::-1]


def steps(workspace: Workspace, stream: Stream, shown: Sequence[Change], before: Change | None) -> list[Step]:
    """What happened at each of the rows `shown`, the newest first; `before` is the row before the last of them."""
    if not shown:
        return []
    connector = registry.get(workspace.connector)
    bodies = locker.bodies(bytes(row.sha256) for row in (*shown, before) if row and row.sha256)
    seqs = dict.fromkeys((workspace.head, shown[0].seq, shown[-1].seq))
    names = names_of(connector, workspace.pk, list(seqs), ((stream.name, record) for record in bodies.values()))
    times = dict(
        Snapshot.objects.filter(workspace=workspace, seq__in=[row.seq for row in shown]).values_list(
            "seq", "published_at"
        )
    )
    wording = connector.wording(stream.name)
    found = []
    for row, older in zip(shown, (*shown[1:], before), strict=True):
        old, new = _record(older, bodies), _record(row, bodies)
        held = new if new is not None else old or {}
        told = changes.tell(wording, old, new, names, [key for _, key in beside(wording, held)])
        lost = any(each and each.sha256 and bytes(each.sha256) not in bodies for each in (row, older))
        found.append(Step(row.seq, times[row.seq], changes.unreadable(told) if lost else told, old, new, lost))
    return found


def _record(row: Change | None, bodies: Mapping[bytes, Record]) -> Record | None:
    return None if row is None or row.sha256 is None else bodies.get(bytes(row.sha256), {})


def standing_of(workspace: Workspace, stream: str) -> Covered:
    """What the newest snapshot knows of the stream."""
    newest = locker.newest(workspace)
    assert newest is not None, "a record that a snapshot has has a newest snapshot"
    return next(each for each in coverage(newest, registry.get(workspace.connector)) if each.stream == stream)


def known_before(workspace: Workspace, stream: str, key: str, first: int) -> int:
    """Number of the snapshot whose reading last said, before snapshot `first`, that the record was not there; 0 for
    none: then nobody knows how old it is.
    """
    before = Snapshot.objects.filter(workspace=workspace, seq=first - 1).first()
    said = locker.coverage_of(before).get(stream, {}) if before else {}
    for part, (_, as_of, _) in said.get("parts", {}).items():
        if _within(key, part):
            return int(as_of)
    return int(said.get("as_of", 0))


def _within(key: str, part: str) -> bool:
    return key == part or key.startswith(f"{part}/")


def gaps(workspace: Workspace, stream: str, key: str) -> list[Gap]:
    """When it is unknown what the record was like, the newest first: its stream, or its part of it, was not read."""
    unread = (
        RunStream.objects.filter(run__snapshot__workspace=workspace, stream=stream)
        .exclude(state=Coverage.COMPLETE)
        .order_by("-run__snapshot__seq")
        .values_list("run__snapshot__seq", "state", "reason", "parts")
    )
    return _joined((seq, why) for seq, *said in unread[:MOST_GAPS] if (why := _reason(key, *said)) is not None)


def _reason(key: str, state: str, reason: str, parts: dict[str, list[str]]) -> str | None:
    """Why the record was not read; None when others of the stream were not, and it was."""
    for part, (_, why) in parts.items():
        if _within(key, part):
            return why or reason or state
    return None if parts else reason or state.replace("_", " ")


def _joined(unread: Iterable[tuple[int, str]]) -> list[Gap]:
    found: list[Gap] = []
    for seq, reason in unread:
        if found and found[-1].first == seq + 1 and found[-1].reason == reason:
            found[-1] = Gap(seq, found[-1].last, reason)
        else:
            found.append(Gap(seq, seq, reason))
    return found
