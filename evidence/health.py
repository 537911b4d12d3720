"""How the workspaces are: connection, last run, newest snapshot, and what needs somebody's attention.

Asks the database the same number of questions whatever the number of workspaces.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property

from django.db.models import F, Max

from connectors import display, missed, registry, schedules, troubleshooting
from connectors.models import (
    Connection,
    ConnectionState,
    Heartbeat,
    MissedRun,
    RunState,
    Snapshot,
    SyncRun,
    Workspace,
)
from connectors.spec import Coverage, Covered, Hint, State, standing
from portal.templatetags.portal import said_time

from .reports import coverage

WORKER_LATE = timedelta(seconds=60)
_MISSING = (Coverage.DENIED, Coverage.FAILED, Coverage.UNSTABLE)


@dataclass(frozen=True)
class Health:
    """One workspace. `connection` is the live one, None after it was disconnected."""

    workspace: Workspace
    connection: Connection | None
    run: SyncRun | None
    snapshot: Snapshot | None
    missed: Sequence[MissedRun] = ()  # scheduled times that nobody's pause explains and no reading has followed

    @cached_property
    def coverage(self) -> tuple[Covered, ...]:
        if self.snapshot is None:
            return ()
        return coverage(self.snapshot, registry.get(self.workspace.connector))

    @cached_property
    def marks(self) -> tuple[State, ...]:
        return tuple(standing(covered) for covered in self.coverage)

    @property
    def complete(self) -> int:
        return sum(covered.coverage is Coverage.COMPLETE for covered in self.coverage)

    @property
    def missing(self) -> tuple[Covered, ...]:
        """Streams that should have been read and were not: denied, failed, unstable."""
        return tuple(covered for covered in self.coverage if covered.coverage in _MISSING)

    @cached_property
    def state(self) -> State:
        """The workspace in one state and word."""
        if self.run is not None and self.run.active:
            return State("run", "Syncing")
        if self.connection is None:
            return State("na", "Disconnected")
        if self.connection.error_code:
            return State("failed", "Last sync failed")
        if self.connection.state == ConnectionState.PAUSED:
            return State("off", "Paused")
        return self._reading()

    def _reading(self) -> State:
        if self.snapshot is None:
            return State("none", "Never synced")
        if self.missing:
            return State("partial", "Read in part")
        return State("pass", "Read")


def health(workspaces: Iterable[Workspace]) -> list[Health]:
    """In the order of `workspaces`; four queries in all."""
    held = list(workspaces)
    connections = {
        connection.workspace_id: connection
        for connection in Connection.objects.filter(workspace__in=held).exclude(state=ConnectionState.DISCONNECTED)
    }
    last = SyncRun.objects.filter(connection__workspace__in=held).values("connection__workspace")
    runs = {
        run.connection.workspace_id: run
        for run in SyncRun.objects.filter(pk__in=last.annotate(last=Max("pk")).values("last")).select_related(
            "connection"
        )
    }
    snapshots = {
        snapshot.workspace_id: snapshot
        for snapshot in Snapshot.objects.filter(workspace__in=held, seq=F("workspace__head"))
    }
    gone = _missed(connections.values())
    return [
        Health(each, connections.get(each.pk), runs.get(each.pk), snapshots.get(each.pk), gone.get(each.pk, ()))
        for each in held
    ]


def _missed(connections: Iterable[Connection]) -> dict[int | None, list[MissedRun]]:
    """By workspace, the newest first."""
    found: dict[int | None, list[MissedRun]] = {}
    held = {connection.pk: connection.workspace_id for connection in connections}
    for row in missed.findings().filter(connection__in=held):
        found.setdefault(held[row.connection_id], []).append(row)
    return found


# --- what needs attention -----------------------------------------------------------------------


@dataclass(frozen=True)
class Matter:
    """Something that somebody should look at. `acts` is "" when it is for whoever reads this to decide."""

    state: State
    what: str
    why: str
    workspace: Workspace
    acts: str = ""
    run: SyncRun | None = None
    code: str = ""


def matters(healths: Sequence[Health], now: datetime) -> list[Matter]:
    """In the order of the workspaces, the most pressing of each first."""
    return [matter for health in healths if health.connection is not None for matter in _matters(health, now)]


def _matters(health: Health, now: datetime) -> Iterable[Matter]:
    connection = health.connection
    assert connection is not None
    if connection.error_code:
        yield _failure(health, connection)
    if health.run is not None and health.run.state == RunState.ABANDONED:
        yield _abandoned(health, health.run)
    if missed_by_now := [row for row in health.missed if row.due_at <= now]:
        yield _missed_times(health, missed_by_now)
    if health.missing:
        yield _incomplete(health)
    if health.snapshot is None and not connection.error_code and not (health.run and health.run.active):
        yield Matter(
            State("none", "Never synced"), "It has never been read", "There is no evidence yet.", health.workspace
        )
    if health.snapshot is not None and _stale(connection, health.snapshot, now):
        yield Matter(
            State("stale", "Stale"),
            "The newest snapshot is old",
            f"Two times of its schedule have passed since: {display.schedule_words(connection)}.",
            health.workspace,
        )


def _hint(code: str, health: Health) -> Hint:
    return troubleshooting.hint(code, registry.get(health.workspace.connector))


def _failure(health: Health, connection: Connection) -> Matter:
    hint = _hint(connection.error_code, health)
    return Matter(
        State("failed", "Failed"), hint.title, hint.cure, health.workspace, hint.acts, health.run, connection.error_code
    )


def _abandoned(health: Health, run: SyncRun) -> Matter:
    hint = _hint(run.error_code or "worker-lost", health)
    return Matter(State("failed", "Abandoned"), hint.title, hint.cure, health.workspace, hint.acts, run, hint.code)


def _incomplete(health: Health) -> Matter:
    """All streams of a snapshot that were not read in one line, under the state of the worst."""
    first = health.missing[0]
    named = ", ".join(covered.title for covered in health.missing[:4])
    more = f" and {len(health.missing) - 4} more" if len(health.missing) > 4 else ""
    many = f"{len(health.missing)} of {len(health.coverage)} streams were not read"
    acts = "admin" if any(covered.coverage is Coverage.DENIED for covered in health.missing) else "time"
    mark = State("denied", "Denied") if acts == "admin" else replace(standing(first), why="")
    return Matter(mark, many, f"{named}{more}. {first.reason}".strip(), health.workspace, acts, health.run)


def _missed_times(health: Health, rows: Sequence[MissedRun]) -> Matter:
    """All of them in one line, with the reason of the newest."""
    newest, many = rows[0], sum(row.times for row in rows)
    what = "A scheduled sync did not run" if many == 1 else f"{many} scheduled syncs did not run"
    when = f"{'The newest was due' if many > 1 else 'It was due'} {said_time(newest.due_at)}."
    mark = display.missed_state(newest)
    return Matter(mark, what, f"{when} {newest.explanation}", health.workspace, code=newest.code)


def _stale(connection: Connection, snapshot: Snapshot, now: datetime) -> bool:
    """Two of the schedule's own times have passed since; a schedule that cannot be read any more tells nothing."""
    try:
        overdue = schedules.overdue(connection.plan, snapshot.published_at, now)
    except schedules.Unsound:
        return False
    return connection.state == ConnectionState.ACTIVE and overdue


# --- the worker ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Worker:
    """`at` is the last sign of life of any worker, None when there has never been one."""

    at: datetime | None
    late: bool


def worker(now: datetime) -> Worker:
    at = Heartbeat.objects.aggregate(last=Max("at"))["last"]
    return Worker(at, at is None or now - at > WORKER_LATE)
