"""The zip of an evidence set, made in the background. The only writer of `Bundle`.

At most one of an audit waits or works. One whose worker is lost begins anew: the same set gives the same bytes.
A signed bundle will be `packing.pack` with one more member before `SHA256SUMS`.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from tempfile import TemporaryFile
from typing import IO

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django_q.tasks import async_task

from connectors.clock import Clock
from portal import audit as log
from portal.models import User

from ..library import store
from ..models import Audit, Bundle, Erasure, Phase, Stage
from . import packing
from .refusing import NotPossible

TASK = "evidence.tasks.pack"
QUEUED, RUNNING, MADE, FAILED, ERASED = "queued", "running", "made", "failed", "erased"
SAVE_EVERY = timedelta(seconds=1)
LOST_AFTER = timedelta(seconds=180)  # longer than the PDF of one report may take
GIVES_UP = timedelta(hours=24)


class Lost(Exception):
    """It was given to another worker meanwhile; this one must write nothing more."""


def request(audit: Audit, *, by: User, now: datetime, request: HttpRequest | None = None) -> bool:
    """Has the zip of a closed audit made; False when that is under way already. Raises NotPossible."""
    if audit.phase != Phase.CLOSED:
        raise NotPossible("audit-not-closed", "The evidence set is frozen when the audit is closed, and packed then.")
    with suppress(IntegrityError), transaction.atomic():
        row = Bundle.objects.create(
            audit=audit, active=True, state=QUEUED, by=by, queued_at=now, expected=packing.expected(audit)
        )
        async_task(TASK, row.pk)
        return True
    return False


def perform(pk: int, clock: Clock | None = None) -> Bundle | None:
    """Makes a zip that waits; None when it does not wait any more. Raises Lost, and what broke it off."""
    clock = clock or Clock()
    if not Bundle.objects.filter(pk=pk, state=QUEUED).update(state=RUNNING, heartbeat_at=clock.now(), done=0):
        return None
    row = Bundle.objects.select_related("audit", "by").get(pk=pk)
    try:
        with TemporaryFile() as aside:
            packing.pack(row.audit, aside, _saver(row, clock))
            aside.seek(0)
            kept = store.put(_beating(aside, row, clock))
    except Lost:
        raise
    except BaseException as error:
        detail = f"{type(error).__name__}: the log of the worker says more."
        _mine(row).update(state=FAILED, active=None, finished_at=clock.now(), detail=detail)
        raise
    return _end(row, kept, clock.now())


def _end(row: Bundle, kept: store.Stored, now: datetime) -> Bundle:
    values = {"sha256": kept.sha256, "size": kept.size, "name": kept.sha256, "done": row.expected}
    with transaction.atomic():
        if not _mine(row).update(state=MADE, active=None, finished_at=now, **values):
            raise Lost
        log.record(log.Action.BUNDLE_MADE, actor=row.by, target=row.audit, at=now, sha256=kept.sha256, size=kept.size)
    return Bundle.objects.get(pk=row.pk)


def _mine(row: Bundle) -> QuerySet[Bundle]:
    """The row as long as this worker's claim stands: whoever takes it anew sets another heartbeat."""
    return Bundle.objects.filter(pk=row.pk, state=RUNNING, heartbeat_at=row.heartbeat_at)


def _saver(row: Bundle, clock: Clock) -> Callable[[int], None]:
    """Saves how far it is once a second, and that it lives. Raises Lost."""

    def save(done: int) -> None:
        now = clock.now()
        if row.heartbeat_at is not None and now - row.heartbeat_at < SAVE_EVERY and done < row.expected:
            return
        if not _mine(row).update(heartbeat_at=now, done=done):
            raise Lost
        row.heartbeat_at = now

    return save


def _beating(aside: IO[bytes], row: Bundle, clock: Clock) -> Iterator[bytes]:
    save = _saver(row, clock)
    for chunk in iter(partial(aside.read, store.PIECE), b""):
        save(max(row.expected - 1, 0))
        yield chunk


def recover(now: datetime) -> int:
    """The beat: gives what is silent to another worker, and gives up after a day. Returns how many were silent."""
    old = Bundle.objects.filter(active=True, queued_at__lt=now - GIVES_UP)
    old.update(state=FAILED, active=None, finished_at=now, detail="No worker has finished it within a day.")
    silent = Bundle.objects.filter(state=RUNNING, heartbeat_at__lt=now - LOST_AFTER)
    taken = 0
    for row in silent:
        with transaction.atomic():
            if _mine(row).update(state=QUEUED, done=0):
                async_task(TASK, row.pk)
                taken += 1
    return taken


def forget(now: datetime) -> int:
    """The beat: a zip that holds what was erased since goes; the next one names it as erased. Returns how many went."""
    gone = 0
    for erasure in Erasure.objects.filter(stage=Stage.DONE, finished_at__isnull=False).exclude(artifacts=[]):
        held = Bundle.objects.filter(state=MADE, finished_at__lte=erasure.finished_at)
        for row in held.filter(audit__items__version__in=erasure.artifacts).distinct():
            store.remove(row.name)
            gone += Bundle.objects.filter(pk=row.pk, state=MADE).update(state=ERASED, name="")
    return gone


def newest(audit: Audit) -> Bundle | None:
    return Bundle.objects.filter(audit=audit).select_related("by").first()
