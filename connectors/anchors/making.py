"""What is still to be anchored is a query, so that nothing is lost when a worker dies; each try is a task of its own.

The beat queues them and never waits for anybody; a task that is killed is tried again after a quarter of an hour, and
so is one that is refused, until there is an anchor.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Exists, F, OuterRef, QuerySet
from django_q.tasks import async_task

from ..models import Anchor, AnchorTry, Snapshot
from . import folder, letter, stamp
from .refusal import AnchorFailed

AGAIN = timedelta(minutes=15)
TASK = "connectors.tasks.anchor"
Kind = Anchor.Kind

_MAKERS: Mapping[str, Callable[[Snapshot, datetime], tuple[bytes, str]]] = {
    Kind.FOLDER: lambda snapshot, now: folder.make(snapshot),
    Kind.MAIL: letter.make,
    Kind.STAMP: lambda snapshot, now: stamp.make(snapshot),
}


def configured() -> tuple[Anchor.Kind, ...]:
    """The kinds that the environment asks for."""
    asked = {
        Kind.FOLDER: settings.ANCHOR_FOLDER,
        Kind.MAIL: settings.ANCHOR_MAIL,
        Kind.STAMP: settings.ANCHOR_TSA_URL,
    }
    return tuple(kind for kind, value in asked.items() if value)


def unanchored(kind: str) -> QuerySet[Snapshot]:
    """The newest snapshot of each workspace, where it has no anchor of this kind."""
    made = Anchor.objects.filter(header_sha256=OuterRef("header_sha256"), kind=kind)
    return Snapshot.objects.filter(~Exists(made), seq=F("workspace__head"))


def queue(now: datetime) -> int:
    """Puts every try that is due into the queue, once whoever is first; returns how many that were."""
    queued = 0
    for kind in configured():
        waits = AnchorTry.objects.filter(workspace=OuterRef("workspace"), kind=kind, next_at__gt=now)
        for workspace in unanchored(kind).filter(~Exists(waits)).values_list("workspace", flat=True):
            row, _ = AnchorTry.objects.get_or_create(workspace_id=workspace, kind=kind, defaults={"next_at": now})
            with transaction.atomic():
                if AnchorTry.objects.filter(pk=row.pk, next_at__lte=now).update(next_at=now + AGAIN):
                    async_task(TASK, row.pk)
                    queued += 1
    return queued


def carry_out(try_id: int, now: datetime) -> str:
    """Anchors the newest snapshot of a try's workspace; says what came of it. No transaction is open meanwhile."""
    row = AnchorTry.objects.filter(pk=try_id).first()
    if row is None or row.kind not in configured():
        return "it does not wait any more"
    snapshot = unanchored(row.kind).filter(workspace=row.workspace_id).select_related("workspace").first()
    if snapshot is None:
        row.delete()
        return "anchored already"
    try:
        proof, detail = _MAKERS[row.kind](snapshot, now)
    except AnchorFailed as error:
        failed = {"tried_at": now, "code": error.code, "message": error.message[:500]}
        AnchorTry.objects.filter(pk=row.pk).update(**failed)
        return error.code
    with suppress(IntegrityError), transaction.atomic():  # who was given the same task has been faster
        _keep(snapshot, row, now, proof, detail)
    return f"{snapshot} anchored"


def _keep(snapshot: Snapshot, row: AnchorTry, now: datetime, proof: bytes, detail: str) -> None:
    Anchor.objects.create(
        workspace=snapshot.workspace,
        seq=snapshot.seq,
        header_sha256=snapshot.header_sha256,
        kind=row.kind,
        at=now,
        proof=proof,
        detail=detail,
    )
    row.delete()
