"""Verifications: asked for, carried out, taken for lost. The only writer of `Verification`.

At most one waits or works in the queue: the database says so. One whose worker is gone is not resumed, since nothing of
it is worth keeping; the next begins anew.
"""

import os
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django_q.tasks import async_task

from connectors import runs, schedules
from connectors.clock import Clock
from connectors.models import Snapshot
from portal import audit, canon, ledger
from portal.models import User
from portal.proving import Counted

from . import verifying
from .models import Outcome, Verification

TASK = "evidence.tasks.verify"
SAVE_EVERY = timedelta(seconds=1)
LOST_AFTER = timedelta(seconds=90)
NEVER_BEGUN = timedelta(hours=24)
TOO_OLD = timedelta(hours=26)
AGAIN_AFTER = timedelta(hours=1)
ENDED = (Outcome.PASSED, Outcome.FAULTY)


class Lost(Exception):
    """The verification was taken for lost while it worked; it must write nothing more."""


def request(*, trigger: str, now: datetime, by: User | None = None, request: HttpRequest | None = None) -> bool:
    """Writes a waiting verification and its task together; False when one is under way already."""
    with suppress(IntegrityError), transaction.atomic():
        row = Verification.objects.create(trigger=trigger, by=by, state=Outcome.QUEUED, active=True, queued_at=now)
        audit.record(
            audit.Action.VERIFICATION_REQUESTED, actor=by, target=row, request=request, at=now, trigger=trigger
        )
        async_task(TASK, row.pk)
        return True
    return False


def perform(pk: int, clock: Clock | None = None) -> Verification | None:
    """Carries out a waiting verification; None when it does not wait any more."""
    clock = clock or Clock()
    now = clock.now()
    begun = {"started_at": now, "heartbeat_at": now, "worker": runs.holder(os.getpgrp())}
    if not Verification.objects.filter(pk=pk, state=Outcome.QUEUED).update(state=Outcome.RUNNING, **begun):
        return None
    return _carry_out(Verification.objects.get(pk=pk), clock)


def at_once(clock: Clock | None = None) -> Verification:
    """Verifies in this process, beside whatever else is under way; for the command."""
    clock = clock or Clock()
    now = clock.now()
    row = Verification.objects.create(
        trigger="command", state=Outcome.RUNNING, queued_at=now, started_at=now, heartbeat_at=now, worker="a command"
    )
    return _carry_out(row, clock)


def _carry_out(row: Verification, clock: Clock) -> Verification:
    """Raises Lost when the row was taken for lost meanwhile, and whatever broke the verification off."""
    began, counted = clock.now(), Counted()
    try:
        with suppress(canon.NoSigningKey):  # who may not sign can verify all the same
            ledger.seal_all(began)
        row.heads, row.expected = verifying.heads(), verifying.expected()
        counted.tell = _saver(row, clock)
        lines = verifying.carried_out(counted, began)
    except Lost:
        raise
    except BaseException as error:
        row.detail = f"{type(error).__name__}: the log of the worker says more."
        _end(row, Outcome.BROKEN, clock.now())
        raise
    row.lines, row.faults, row.done = lines.told(), lines.faults, counted.done
    row.covered, row.memory = counted.totals(), verifying.memory()
    _end(row, Outcome.FAULTY if lines.faults else Outcome.PASSED, clock.now())
    return row


def _saver(row: Verification, clock: Clock) -> Callable[[int], None]:
    """Saves how far it is, once a second; also that it lives."""
    saved = row.started_at

    def save(done: int) -> None:
        nonlocal saved
        now = clock.now()
        if saved is not None and now - saved < SAVE_EVERY:
            return
        saved = now
        if not _mine(row).update(heartbeat_at=now, done=done, expected=row.expected):
            raise Lost

    return save


def _mine(row: Verification) -> QuerySet[Verification]:
    return Verification.objects.filter(pk=row.pk, state=Outcome.RUNNING)


def _end(row: Verification, state: Outcome, now: datetime) -> None:
    """Keeps the outcome and tells the audit log of it, together. Raises Lost."""
    row.state, row.finished_at, row.active = state, now, None
    kept = (
        "state",
        "finished_at",
        "active",
        "done",
        "expected",
        "lines",
        "faults",
        "covered",
        "heads",
        "memory",
        "detail",
    )
    with transaction.atomic():
        if not _mine(row).update(**{name: getattr(row, name) for name in kept}):
            raise Lost
        audit.record(
            audit.Action.VERIFIED,
            actor=row.by,
            target=row,
            at=now,
            outcome=state.value,
            faults=row.faults,
            snapshots=row.covered.get("snapshots", 0),
            heads=verifying.digest(row.heads),
        )


# --- the beat ---------------------------------------------------------------------------------------------------


def recover(now: datetime) -> int:
    """Takes for lost what has not been heard of for 90 seconds, or has waited a day; returns how many that were."""
    silent = Q(state=Outcome.RUNNING, heartbeat_at__lt=now - LOST_AFTER)
    forgotten = Q(state=Outcome.QUEUED, queued_at__lt=now - NEVER_BEGUN)
    why = "The worker that carried it out stopped without a word. The next verification begins anew."
    return _lose(Verification.objects.filter(silent | forgotten), now, why)


def interrupt(now: datetime) -> int:
    """After a restore: whoever was at work then is not any more; returns how many that were."""
    under_way = Verification.objects.filter(state__in=(Outcome.QUEUED, Outcome.RUNNING))
    return _lose(under_way, now, "The portal was restored from a backup that was made while it was under way.")


def _lose(rows: QuerySet[Verification], now: datetime, why: str) -> int:
    return rows.update(state=Outcome.LOST, active=None, finished_at=now, detail=why)


def start_due(now: datetime) -> bool:
    """Asks for the nightly verification when its time has come."""
    return due(now) and request(trigger="schedule", now=now)


def due(now: datetime) -> bool:
    """Once for each time of the schedule; and again when the last hours' came to nothing."""
    newest = Verification.objects.order_by("-pk").first()
    if (newest is not None and newest.under_way) or not Snapshot.objects.exists():
        return False
    plan = schedules.Plan("daily", settings.VERIFY_AT, zone=settings.TIME_ZONE)
    turn = schedules.between(plan, now - timedelta(days=2), now)[-1]
    if newest is None or newest.queued_at < turn:
        return True
    good = finished()
    too_old = good is None or good.finished_at is None or now - good.finished_at > TOO_OLD
    return too_old and now - newest.queued_at > AGAIN_AFTER


def finished() -> Verification | None:
    """The newest that came to its end, whatever it found."""
    return Verification.objects.filter(state__in=ENDED).order_by("-pk").first()


def at_work(group: int, now: datetime) -> int:
    """How many verifications a process group of this machine is at, and says so: for the watchdog."""
    mine = Verification.objects.filter(state=Outcome.RUNNING, worker=runs.holder(group))
    return mine.filter(heartbeat_at__gte=now - LOST_AFTER).count()
