"""How the workspaces are: connection, last run, newest snapshot, and what needs somebody's attention.

Asks the database the same number of questions whatever the number of workspaces.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property

from django.db.models import F, Max
from django.urls import reverse

from connectors import anomalies, conditions, display, missed, registry, reminders, runlines, schedules, troubleshooting
from connectors.conditions import Found as Condition
from connectors.models import (
    Anomaly,
    Connection,
    ConnectionState,
    Heartbeat,
    Lane,
    MissedRun,
    RunState,
    RunStream,
    Snapshot,
    SyncRun,
    Workspace,
)
from connectors.spec import ANOMALIES, MISSING, Coverage, Covered, Hint, State, standing
from portal.templatetags.portal import said_time

from .completeness import in_part
from .reports import coverage

WORKER_LATE = timedelta(seconds=60)
_STOPPED = (RunState.FAILED, RunState.ABANDONED)


@dataclass(frozen=True)
class Health:
    """One workspace. `connection` is the live one, None after it was disconnected.

    run   the newest run of the main lane: what "last sync" means; `slow` is the slow lane's
    open  anomalies that nobody has acknowledged, the newest first
    """

    workspace: Workspace
    connection: Connection | None
    run: SyncRun | None
    snapshot: Snapshot | None
    slow: SyncRun | None = None
    open: Sequence[Anomaly] = ()
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
        return tuple(covered for covered in self.coverage if covered.coverage in MISSING)

    @property
    def slow_news(self) -> str:
        """What is to be said of the slow lane: that it is under way, or did not end well; "" when all is quiet."""
        if self.slow is None or not (self.slow.active or self.slow.state in _STOPPED):
            return ""
        if self.slow.resume_at is not None:
            return "waits, as the service asks"
        return "under way" if self.slow.active else display.run_state(self.slow.state).word.lower()

    @property
    def failed(self) -> SyncRun | None:
        """The run that left the connection's error, as far as can be told."""
        return self.slow if self._by_slow_lane else self.run

    @property
    def _by_slow_lane(self) -> bool:
        slow, code = self.slow, self.connection.error_code if self.connection else ""
        later = slow is not None and (self.run is None or slow.pk > self.run.pk)
        return later and slow is not None and bool(code) and slow.error_code == code

    @cached_property
    def condition(self) -> Condition | None:
        """Of the connection; None after it was disconnected."""
        return conditions.of(self.connection) if self.connection is not None else None

    @property
    def state(self) -> State:
        """The workspace in one state and word: its connection's, and while nothing was read, that."""
        if self.condition is None:
            return State("na", "Disconnected")
        if self.snapshot is None and not self.condition.troubled and self.condition.state.name in ("pass", "partial"):
            return State("none", "Never synced")
        return self.condition.state


def health(workspaces: Iterable[Workspace], now: datetime) -> list[Health]:
    """In the order of `workspaces`; four queries in all."""
    held = list(workspaces)
    live = Connection.objects.filter(workspace__in=held).exclude(state=ConnectionState.DISCONNECTED)
    connections = {connection.workspace_id: connection for connection in conditions.with_condition(live, now)}
    snapshots = {
        snapshot.workspace_id: snapshot
        for snapshot in Snapshot.objects.filter(workspace__in=held, seq=F("workspace__head"))
    }
    runs, odd, gone = _newest_runs(held), _open_anomalies(held), _missed(connections.values())
    return [
        Health(
            each,
            connections.get(each.pk),
            runs.get((each.pk, Lane.MAIN)),
            snapshots.get(each.pk),
            runs.get((each.pk, Lane.SLOW)),
            odd.get(each.pk, ()),
            gone.get(each.pk, ()),
        )
        for each in held
    ]


def _missed(connections: Iterable[Connection]) -> dict[int | None, list[MissedRun]]:
    """By workspace, the newest first."""
    found: dict[int | None, list[MissedRun]] = {}
    held = {connection.pk: connection.workspace_id for connection in connections}
    for row in missed.findings().filter(connection__in=held):
        found.setdefault(held[row.connection_id], []).append(row)
    return found


def _newest_runs(workspaces: Sequence[Workspace]) -> dict[tuple[int | None, str], SyncRun]:
    """The newest run of each workspace and lane."""
    found = SyncRun.objects.filter(connection__workspace__in=workspaces).order_by()
    newest = found.values("connection__workspace", "lane").annotate(last=Max("pk")).values("last")
    rows = SyncRun.objects.filter(pk__in=newest).select_related("connection")
    return {(run.connection.workspace_id, run.lane): run for run in rows}


def _open_anomalies(workspaces: Sequence[Workspace]) -> dict[int, list[Anomaly]]:
    found: dict[int, list[Anomaly]] = {}
    for anomaly in anomalies.unexplained().filter(snapshot__workspace__in=workspaces):
        found.setdefault(anomaly.snapshot.workspace_id, []).append(anomaly)
    return found


# --- what needs attention -----------------------------------------------------------------------


@dataclass(frozen=True)
class Matter:
    """Something that somebody should look at. `acts` is "" when it is for whoever reads this to decide, or for `who`.

    workspace  None when it is about the portal as a whole
    href       where it is dealt with, when that is neither the run nor the workspace
    """

    state: State
    what: str
    why: str
    workspace: Workspace | None
    acts: str = ""
    run: SyncRun | None = None
    code: str = ""
    who: str = ""
    href: str = ""


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
    if reminders.is_near(connection, now):
        yield _rotation(health, connection, now)
    if missed_by_now := [row for row in health.missed if row.due_at <= now]:
        yield _missed_times(health, missed_by_now)
    if health.slow is not None and health.slow.state in _STOPPED and health.slow is not health.failed:
        yield _slow_lane(health, health.slow)
    if health.missing:
        yield _incomplete(health)
    if health.open:
        yield _unexplained(health)
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
    what = f"Slow lane: {hint.title}" if health.failed is health.slow else hint.title
    failed = State("failed", "Failed")
    return Matter(failed, what, hint.cure, health.workspace, hint.acts, health.failed, connection.error_code)


def _slow_lane(health: Health, run: SyncRun) -> Matter:
    hint = _hint(run.error_code or "worker-lost", health)
    why = f"{hint.title}. What it reads stays as of an earlier snapshot; the other streams are not affected."
    return Matter(
        display.run_state(run.state),
        "The slow lane did not end well",
        why,
        health.workspace,
        hint.acts,
        run,
        run.error_code,
    )


def _unexplained(health: Health) -> Matter:
    """All anomalies that nobody has acknowledged in one line, with the newest ones' names."""
    many = len(health.open)
    named = "; ".join(f"{each.title}: {ANOMALIES[each.kind][0].lower()}" for each in health.open[:3])
    return Matter(
        State("unknown", "Anomaly"),
        "1 anomaly is not explained" if many == 1 else f"{many} anomalies are not explained",
        f"{named}{f' and {many - 3} more' if many > 3 else ''}.",
        health.workspace,
        who="A compliance manager, or an administrator",
        href=reverse("anomalies", args=[health.workspace.pk]),
    )


def api_news(healths: Sequence[Health]) -> list[Matter]:
    """What the newest runs noticed that the service's documentation does not say: for administrators. One query."""
    held = {each.connection.pk: each for each in healths if each.connection is not None}
    found: dict[int, list[RunStream]] = {}
    for row in runlines.newest_rows(each.connection for each in held.values() if each.connection):
        found.setdefault(row.run.connection_id, []).append(row)
    return [_api_changed(held[pk], rows) for pk, rows in found.items()]


def _api_changed(health: Health, rows: Sequence[RunStream]) -> Matter:
    news = runlines.news(rows)
    many = sum(len(each.fields) for each in news)
    titles = list(dict.fromkeys(each.title for each in news))
    named = f"{', '.join(titles[:4])}{f' and {len(titles) - 4} more' if len(titles) > 4 else ''}"
    assert health.connection is not None
    return Matter(
        State("unknown", "New"),
        f"The API has changed: {many} name{'' if many == 1 else 's'} that the portal does not know",
        f"In {named}. Nothing was lost; what is new was left out or kept as it came.",
        health.workspace,
        "developer",
        href=reverse("admin:connectors_connection_change", args=[health.connection.pk]) + "#api",
    )


def _rotation(health: Health, connection: Connection, now: datetime) -> Matter:
    """Tokens do not expire by themselves, so somebody must be told that one has come of age."""
    age = reminders.age(connection, now)
    assert age is not None
    what = {0: "The token is due for rotation today", 1: "The token is due for rotation tomorrow"}.get(
        age.left, f"The token is due for rotation in {age.left} days" if age.left > 0 else "The token is overdue"
    )
    why = f"It is {age.days} days old, of {age.policy} that its policy allows. It goes on working until it is replaced."
    return Matter(age.state, what, why, health.workspace, "admin")


def _abandoned(health: Health, run: SyncRun) -> Matter:
    hint = _hint(run.error_code or "worker-lost", health)
    return Matter(State("failed", "Abandoned"), hint.title, hint.cure, health.workspace, hint.acts, run, hint.code)


def _incomplete(health: Health) -> Matter:
    """All streams of a snapshot that were not read in one line, under the state of the worst."""
    first = health.missing[0]
    named = ", ".join(covered.title for covered in health.missing[:4])
    more = f" and {len(health.missing) - 4} more" if len(health.missing) > 4 else ""
    whole = " whole" if any(covered.parts for covered in health.missing) else ""
    many = f"{len(health.missing)} of {len(health.coverage)} streams were not read{whole}"
    acts = "admin" if any(covered.coverage is Coverage.DENIED for covered in health.missing) else "time"
    mark = State("denied", "Denied") if acts == "admin" else replace(standing(first), why="")
    why = in_part(first) if first.parts else first.reason
    return Matter(mark, many, f"{named}{more}. {why}".strip(), health.workspace, acts, health.run)


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
