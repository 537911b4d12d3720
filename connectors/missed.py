"""Scheduled times that passed without a sync, each with its reason. The only writer of `MissedRun`.

Why it was missed is decided from what stands in the database: a pause that stood at that moment, or a run that was
under way then; where there is neither, nobody was at work.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.db.models import Exists, OuterRef, Q, QuerySet

from portal import audit
from portal.models import User
from portal.templatetags.portal import said_time

from . import pauses
from .models import Connection, MissedRun, RunState, SyncPause, SyncRun
from .runs import Refused
from .schedules import PATIENCE

UNATTENDED = "worker-down"
MOST = 50  # rows for one gap; one more row stands for all older times of it
READ = (RunState.PUBLISHED, RunState.PARTIAL)


@dataclass(frozen=True)
class Missed:
    """A time and why it was missed. `by` is the person whose pause explains it."""

    due_at: datetime
    code: str
    explanation: str
    by: User | None = None
    times: int = 1


def why(due_at: datetime, starts: datetime, stood: Iterable[SyncPause], under_way: Iterable[SyncRun]) -> Missed:
    """Why nothing was started for `due_at`, whose turn was at `starts`: the schedule's time and the delay."""
    for pause in stood:
        if pauses.covers(pause, starts):
            return paused(due_at, pause)
    for run in under_way:
        if run.queued_at <= starts and (run.finished_at is None or starts < run.finished_at):
            return busy(due_at, run)
    words = "No worker was at work: the portal or its worker had been stopped, or could not reach the database."
    return Missed(due_at, code=UNATTENDED, explanation=words)


def paused(due_at: datetime, pause: SyncPause) -> Missed:
    words = pauses.sentence(pause)
    if pause.connection_id is None:
        return Missed(due_at, code="everything-paused", explanation=words, by=pause.by)
    return Missed(due_at, code="connection-paused", explanation=words, by=pause.by)


def busy(due_at: datetime, run: SyncRun) -> Missed:
    return Missed(due_at, code="run-under-way", explanation=f"Sync run {run.pk} was still under way.")


def refused(due_at: datetime, refusal: Refused, standing: SyncPause | None) -> Missed:
    """Why a run that was asked for in time was refused."""
    if standing is not None:
        return paused(due_at, standing)
    if refusal.run is not None:
        return busy(due_at, refusal.run)
    return Missed(due_at, code="run-refused", explanation=str(refusal))


def late(found: Missed, now: datetime) -> bool:
    """Whether it is too late for a sync that starts now to count as the one that was due."""
    return now - found.due_at > PATIENCE


def caught_up(found: Missed, run: SyncRun) -> Missed:
    return replace(found, explanation=f"{found.explanation} {run} was started as soon as work went on.")


def bounded(found: Sequence[Missed]) -> list[Missed]:
    """The newest 50, and one that stands for all before; it is explained only if all of these are."""
    older, newest = found[:-MOST], list(found[-MOST:])
    if not older:
        return newest
    cause = next((each for each in older if each.by is None), older[-1])
    words = f"{len(older)} times from {said_time(older[0].due_at)} to {said_time(older[-1].due_at)}. "
    one = Missed(older[-1].due_at, cause.code, words + cause.explanation, cause.by, times=len(older))
    return [one, *newest]


# --- the table ----------------------------------------------------------------------------------------


def explain(connection: Connection, due: Sequence[datetime], delay: timedelta) -> list[Missed]:
    """Each of these times, in order, with why it was missed; two queries."""
    if not due:
        return []
    since, until = due[0] + delay, due[-1] + delay
    stood = list(pauses.touching(connection, since, until))
    still = Q(finished_at__isnull=True) | Q(finished_at__gt=since)
    under_way = list(SyncRun.objects.filter(still, connection=connection, queued_at__lte=until))
    return [why(at, at + delay, stood, under_way) for at in due]


def write(connection: Connection, found: Sequence[Missed], now: datetime) -> None:
    """A time that has its row already keeps it. One line of the audit log for all that is written at once."""
    rows = [
        MissedRun(
            connection=connection,
            due_at=each.due_at,
            noticed_at=now,
            times=each.times,
            code=each.code,
            explanation=each.explanation[:500],
            by=each.by,
        )
        for each in bounded(found)
    ]
    MissedRun.objects.bulk_create(rows, ignore_conflicts=True)
    if found:
        newest = found[-1]
        audit.record(
            audit.Action.SYNC_MISSED,
            actor=None,
            target=connection,
            at=now,
            times=sum(each.times for each in found),
            newest=newest.due_at.isoformat(),
            code=newest.code,
            why=newest.explanation,
        )


def listed() -> QuerySet[MissedRun]:
    """What pages show, the newest first."""
    return MissedRun.objects.select_related("connection__workspace", "by")


def findings() -> QuerySet[MissedRun]:
    """What nobody's pause explains, and no reading has followed yet."""
    since = SyncRun.objects.filter(
        connection=OuterRef("connection"), state__in=READ, finished_at__gt=OuterRef("due_at")
    )
    return MissedRun.objects.filter(~Exists(since), by__isnull=True)
