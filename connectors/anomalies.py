"""What a person should look at in a snapshot, and that somebody has. The only writer of `Anomaly`."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest

from portal import audit
from portal.models import User

from . import registry
from .locker import StreamResult
from .models import Anomaly, Snapshot
from .spec import ANOMALIES

LONGEST = 500  # characters of an explanation


class NotPossible(Exception):
    """An anomaly that cannot be acknowledged; the message is for people, `field` names the input it is about."""

    def __init__(self, code: str, message: str, *, field: str) -> None:
        super().__init__(message)
        self.code, self.message, self.field = code, message, field


def note(snapshot: Snapshot, results: Iterable[StreamResult]) -> None:
    """Writes down what is odd about a snapshot, in the transaction that publishes it."""
    titles = {stream.name: stream.title for stream in registry.get(snapshot.workspace.connector).streams}
    found = [(result, kind) for result in results if (kind := _kind(result))]
    Anomaly.objects.bulk_create(
        Anomaly(
            snapshot=snapshot, stream=result.name, title=titles[result.name], kind=kind, detail=_detail(result, kind)
        )
        for result, kind in found
    )


def _kind(result: StreamResult) -> str:
    return result.anomaly or ("dangling" if result.dangling else "")


def _detail(result: StreamResult, kind: str) -> str:
    said = ANOMALIES[kind][1]
    return f"{said} {result.dangling} of them." if kind == "dangling" else f"{said} {result.items} were read."


def unexplained() -> QuerySet[Anomaly]:
    """Those that nobody has acknowledged, the newest first."""
    return listed().filter(acknowledged_at=None)


def listed() -> QuerySet[Anomaly]:
    """All of them with what pages show beside them, the newest first."""
    related = Anomaly.objects.select_related("snapshot", "acknowledged_by")
    return related.defer("snapshot__header", "snapshot__signature").order_by("-snapshot__seq", "-pk")


def acknowledge(
    pks: Sequence[int], explanation: str, *, by: User, now: datetime, request: HttpRequest | None = None
) -> int:
    """Says that a person has looked at anomalies and why they are right; returns how many were still open.

    Raises NotPossible when none is named, without an explanation, and when it is too long to be kept whole.
    """
    said = " ".join(explanation.split())
    if not pks:
        raise NotPossible("anomaly-not-chosen", "Choose at least one of them.", field="anomaly")
    if not said:
        why = "Write what explains it: that is what an auditor will read."
        raise NotPossible("explanation-missing", why, field="explanation")
    if len(said) > LONGEST:
        why = f"It has {len(said)} characters, and {LONGEST} are kept: say it shorter."
        raise NotPossible("explanation-too-long", why, field="explanation")
    with transaction.atomic():
        rows = list(Anomaly.objects.select_for_update().filter(pk__in=pks, acknowledged_at=None))
        for row in rows:
            row.acknowledged_at, row.acknowledged_by, row.explanation = now, by, said
            row.save(update_fields=["acknowledged_at", "acknowledged_by", "explanation"])
            detail = {"stream": row.stream, "kind": row.kind, "explanation": said}
            acknowledged = audit.Action.ANOMALY_ACKNOWLEDGED
            audit.record(acknowledged, actor=by, target=row.snapshot, request=request, at=now, **detail)
    return len(rows)
