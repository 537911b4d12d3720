"""Sync runs: asked for, claimed, kept alive, given back, ended. The only writer of `SyncRun` besides `locker`.

At most one run of a connection is active in each lane: the database says so, not a lock in somebody's memory. A
run whose worker is lost goes back to the queue; whoever claims it next raises its fence, so that the one who was
taken for dead cannot write any more.
"""

import os
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django_q.tasks import async_task

from portal import __version__, audit
from portal.models import User

from . import locker, pauses
from .models import ACTIVE_STATES, Connection, ConnectionState, Lane, RunState, SyncRun

LOST_AFTER = timedelta(seconds=90)
RESUMABLE = timedelta(minutes=15)  # what was read before that is too old to be put together with what is read now
MOST_LOST = 3  # a run that loses its worker so often may be what kills it
LONGEST_WAIT = timedelta(hours=6)
FRESH = timedelta(seconds=20)
_CLAIMED = (RunState.RUNNING, RunState.PUBLISHING)


class Refused(Exception):
    """A run cannot be started now; the message says why and what to do. `run` is the one in the way."""

    def __init__(self, message: str, run: SyncRun | None = None) -> None:
        super().__init__(message)
        self.run = run


def request(
    connection: Connection,
    *,
    trigger: str,
    now: datetime,
    by: User | None = None,
    streams: Sequence[str] = (),
    lane: Lane = Lane.MAIN,
    enqueue: bool = True,
    request: HttpRequest | None = None,
) -> SyncRun:
    """Writes a queued run and its task together, or raises Refused: never two, never one without the other."""
    if connection.state != ConnectionState.ACTIVE:
        raise Refused(f"“{connection.name}” is {connection.get_state_display().lower()}; only an active one is synced.")
    try:
        with transaction.atomic():
            if pause := pauses.everything():
                raise Refused(f"{pauses.sentence(pause)} {pauses.GOES_ON}")
            run = SyncRun.objects.create(
                connection=connection,
                lane=lane,
                trigger=trigger,
                requested_by=by,
                queued_at=now,
                streams=list(streams),
            )
            audit.record(
                audit.Action.SYNC_REQUESTED,
                actor=by,
                target=connection,
                request=request,
                trigger=trigger,
                run=run.pk,
                at=now,
            )
            if enqueue:
                async_task(settings.COLLECT_TASK, run.pk)
    except IntegrityError:
        active = SyncRun.objects.filter(connection=connection, lane=lane, state__in=ACTIVE_STATES).first()
        raise Refused("A sync of this connection is already under way.", active) from None
    return run


def claim(run_id: int, now: datetime) -> SyncRun | None:
    """Takes a queued run for this process; None when somebody else has it, it has ended, or it must still wait."""
    last_beat = SyncRun.objects.filter(pk=run_id).values_list("heartbeat_at", flat=True).first()
    waiting = SyncRun.objects.filter(pk=run_id, state=RunState.QUEUED).exclude(resume_at__gt=now)
    taken = waiting.update(
        state=RunState.RUNNING,
        fence=F("fence") + 1,
        resume_at=None,
        heartbeat_at=now,
        started_at=Coalesce("started_at", now),
        worker=holder(os.getpgrp()),
        app_version=__version__,
    )
    if not taken:
        return None
    run = SyncRun.objects.select_related("connection__workspace").get(pk=run_id)
    run.heartbeat_at = last_beat  # what `resumable` goes by
    return run


def resumable(run: SyncRun, plan: str, now: datetime) -> bool:
    """Whether what an earlier worker of this run has read may be put together with what is read now."""
    return run.plan == plan and run.heartbeat_at is not None and now - run.heartbeat_at <= RESUMABLE


def prepare(run: SyncRun, plan: str, now: datetime, *, token: str) -> None:
    """Notes what the run is about to do. What was read for another plan, or too long ago, is dropped."""
    with transaction.atomic():
        afresh = {} if resumable(run, plan, now) else {"started_at": now}
        if (
            not locker.mine(run)
            .filter(state=RunState.RUNNING)
            .update(plan=plan, heartbeat_at=now, token_fingerprint=token, **afresh)
        ):
            raise locker.Lost
        if afresh:
            locker.unstage(run.pk)
            run.started_at = now
    run.plan, run.heartbeat_at, run.token_fingerprint = plan, now, token


def keep_alive(run: SyncRun, now: datetime, /, **figures: object) -> None:
    """Says that the run lives and, by the names of its fields, how far it is. Raises locker.Lost when it is no
    longer ours, or when its connection no longer holds the token that it reads with."""
    # No join: the fence must be compared in the row that is written, not in a subquery that saw it a moment before.
    same_token = Connection.objects.filter(token_fingerprint=run.token_fingerprint)
    alive = (
        locker.mine(run).filter(state=RunState.RUNNING, connection__in=same_token).update(heartbeat_at=now, **figures)
    )
    if not alive:
        raise locker.Lost


def let_go(run: SyncRun, now: datetime) -> None:
    """After locker.Lost: ends a run that is still ours, and says why it could not go on."""
    why = "The token of the connection was replaced while it was read."
    end(run, RunState.CANCELLED, now, code="token-replaced", detail=why, held=True)


def postpone(run: SyncRun, until: datetime, now: datetime, why: str) -> bool:
    """Frees the worker: the run goes back to the queue until then, with what it has read. False when it is not ours.

    A wait that is too long to be believed ends the run instead.
    """
    if until - now > LONGEST_WAIT:
        why = "The service asks for a wait of many hours."
        end(run, RunState.FAILED, now, code="rate-limited", detail=why, held=True)
        return False
    held = locker.mine(run).filter(state=RunState.RUNNING)
    return bool(held.update(state=RunState.QUEUED, resume_at=until, fence=F("fence") + 1, worker="", now=why[:120]))


def wake(now: datetime) -> list[int]:
    """Puts runs whose wait is over back to work, each of them once; returns their numbers."""
    woken = []
    for pk in SyncRun.objects.filter(state=RunState.QUEUED, resume_at__lte=now).values_list("pk", flat=True):
        with transaction.atomic():
            if SyncRun.objects.filter(pk=pk, state=RunState.QUEUED, resume_at__lte=now).update(resume_at=None):
                async_task(settings.COLLECT_TASK, pk)
                woken.append(pk)
    return woken


def end(run: SyncRun, state: RunState, now: datetime, *, code: str = "", detail: str = "", held: bool = False) -> bool:
    """Closes an active run; False when it had already ended. Staged records go with it.

    `held`: only if this process still holds it.
    """
    rows = locker.mine(run) if held else SyncRun.objects.filter(pk=run.pk)
    with transaction.atomic():
        closed = rows.filter(state__in=ACTIVE_STATES).update(
            state=state, finished_at=now, resume_at=None, error_code=code, error_detail=detail[:500], now=""
        )
        if closed:
            locker.unstage(run.pk)
            audit.record(
                audit.Action.SYNC_ENDED,
                actor=None,
                target=run.connection,
                run=run.pk,
                state=state.value,
                code=code,
                at=now,
            )
    return bool(closed)


def fail(run: SyncRun, now: datetime, code: str, detail: str) -> bool:
    """Ends a run as failed, if this process still holds it."""
    return end(run, RunState.FAILED, now, code=code, detail=detail, held=True)


_CANCELLED = "Somebody cancelled the sync."


def cancel(
    run: SyncRun,
    by: User | None,
    now: datetime,
    request: HttpRequest | None = None,
    *,
    code: str = "cancelled",
    why: str = _CANCELLED,
) -> bool:
    """Ends an active run at a person's wish; the worker notices within half a second."""
    cancelled = end(run, RunState.CANCELLED, now, code=code, detail=why)
    if cancelled:
        audit.record(audit.Action.SYNC_CANCELLED, actor=by, target=run.connection, request=request, run=run.pk, at=now)
    return cancelled


def cancel_all(
    connection: Connection, by: User | None, now: datetime, *, code: str, why: str, trigger: str = ""
) -> None:
    """Ends the active runs of a connection, or those of one trigger, and says why."""
    active = SyncRun.objects.filter(connection=connection, state__in=ACTIVE_STATES)
    for run in active.filter(trigger=trigger) if trigger else active:
        cancel(run, by, now, code=code, why=why)


def recover(now: datetime) -> list[int]:
    """Gives back runs whose worker has not been heard of for 90 seconds; returns their numbers."""
    return _give_back(SyncRun.objects.filter(state__in=_CLAIMED, heartbeat_at__lt=now - LOST_AFTER), now)


# --- what a watchdog asks -----------------------------------------------------------------------


def holder(group: int) -> str:
    """Who holds a run: a process group of this machine's worker, because a watchdog kills groups."""
    return f"{settings.WORKER_NAME} group {group}"


def groups_at_work() -> list[int]:
    """The process groups of this machine that hold an active run."""
    prefix = holder(0).removesuffix("0")
    held = SyncRun.objects.filter(state__in=_CLAIMED, worker__startswith=prefix).values_list("worker", flat=True)
    return sorted({int(name.removeprefix(prefix)) for name in held})


def all_hands_at_work(group: int, hands: int, now: datetime) -> bool:
    """Whether a group that answers nobody is merely busy: each of its `hands` reads a workspace and says so.

    A run that publishes counts for all of them, since it may keep the others from writing (SQLite).
    """
    mine = SyncRun.objects.filter(worker=holder(group))
    if mine.filter(state=RunState.PUBLISHING, heartbeat_at__gte=now - LOST_AFTER).exists():
        return True
    return mine.filter(state=RunState.RUNNING, heartbeat_at__gte=now - FRESH).count() >= hands


def recover_of(group: int, now: datetime) -> list[int]:
    """Gives back at once what a process group of this machine held that is known to be dead; returns the numbers."""
    return _give_back(SyncRun.objects.filter(state__in=_CLAIMED, worker=holder(group)), now)


def _give_back(lost: QuerySet[SyncRun], now: datetime) -> list[int]:
    return [run.pk for run in lost.select_related("connection") if _back_to_the_queue(run, now)]


def _back_to_the_queue(run: SyncRun, now: datetime) -> bool:
    """The run is taken up again where it was; one that keeps losing its worker is abandoned."""
    held = locker.mine(run).filter(state__in=_CLAIMED, heartbeat_at=run.heartbeat_at)
    if run.lost >= MOST_LOST:
        why = f"The worker that read it stopped without a word, {run.lost + 1} times."
        return held.exists() and end(run, RunState.ABANDONED, now, code="worker-lost", detail=why, held=True)
    with transaction.atomic():
        back = held.update(
            state=RunState.QUEUED, fence=F("fence") + 1, lost=F("lost") + 1, worker="", now="Its worker was lost"
        )
        if back:
            async_task(settings.COLLECT_TASK, run.pk)
    return bool(back)
