"""Sync runs: asked for, claimed, kept alive, ended. The only writer of `SyncRun` besides `locker.publish`.

At most one run of a connection is active: the database says so, not a lock in somebody's memory.
"""

import os
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django_q.tasks import async_task

from portal import __version__, audit
from portal.models import User

from . import locker, pauses
from .models import ACTIVE_STATES, Connection, ConnectionState, RunState, SyncRun

LOST_AFTER = timedelta(seconds=90)
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
                connection=connection, trigger=trigger, requested_by=by, queued_at=now, streams=list(streams)
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
        active = SyncRun.objects.filter(connection=connection, state__in=ACTIVE_STATES).first()
        raise Refused("A sync of this connection is already under way.", active) from None
    return run


def claim(run_id: int, now: datetime) -> SyncRun | None:
    """Takes a queued run for this process; None when somebody else has it or it has ended."""
    taken = SyncRun.objects.filter(pk=run_id, state=RunState.QUEUED).update(
        state=RunState.RUNNING,
        started_at=now,
        heartbeat_at=now,
        worker=holder(os.getpgrp()),
        app_version=__version__,
    )
    return SyncRun.objects.select_related("connection").get(pk=run_id) if taken else None


def keep_alive(run: SyncRun, now: datetime, *, done: int, expected: int, records: int, doing: str) -> None:
    """Says that the run lives and how far it is. Raises locker.Lost when it is no longer ours."""
    alive = SyncRun.objects.filter(pk=run.pk, state=RunState.RUNNING).update(
        heartbeat_at=now, requests_done=done, requests_expected=expected, records=records, now=doing[:120]
    )
    if not alive:
        raise locker.Lost


def end(run: SyncRun, state: RunState, now: datetime, *, code: str = "", detail: str = "") -> bool:
    """Closes an active run; False when it had already ended. Staged records go with it."""
    with transaction.atomic():
        closed = SyncRun.objects.filter(pk=run.pk, state__in=ACTIVE_STATES).update(
            state=state, finished_at=now, error_code=code, error_detail=detail[:500], now=""
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


def cancel(run: SyncRun, by: User | None, now: datetime, request: HttpRequest | None = None) -> bool:
    """Ends an active run at a person's wish; the worker notices at its next heartbeat."""
    cancelled = end(run, RunState.CANCELLED, now, code="cancelled", detail="Somebody cancelled the sync.")
    if cancelled:
        audit.record(audit.Action.SYNC_CANCELLED, actor=by, target=run.connection, request=request, run=run.pk, at=now)
    return cancelled


def abandon_lost(now: datetime) -> list[int]:
    """Closes runs whose worker has not been heard of for 90 seconds; returns their numbers."""
    return _abandon(SyncRun.objects.filter(state__in=_CLAIMED, heartbeat_at__lt=now - LOST_AFTER), now)


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


def abandon_of(group: int, now: datetime) -> list[int]:
    """Closes at once what a process group of this machine held that is known to be dead; returns the numbers."""
    return _abandon(SyncRun.objects.filter(state__in=_CLAIMED, worker=holder(group)), now)


def _abandon(lost: QuerySet[SyncRun], now: datetime) -> list[int]:
    why = "The worker that read it stopped without a word."
    return [
        run.pk
        for run in lost.select_related("connection")
        if end(run, RunState.ABANDONED, now, code="worker-lost", detail=why)
    ]
