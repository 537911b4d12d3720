"""What a person should look at in a snapshot, and that somebody has. The only writer of `Anomaly`."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from django.db import transaction
from django.http import HttpRequest

from portal import audit
from portal.models import User

from . import registry
from .locker import StreamResult
from .models import Anomaly, Snapshot

# kind -> what it is called, and what it means
KINDS: Mapping[str, tuple[str, str]] = {
    "emptied": ("Emptied", "It had records before and has none now; it was read twice."),
    "shrunk": ("Lost much", "More than 30 % of its records are gone; it was read twice."),
    "gap": ("Gap", "It does not reach back to the newest entry that was known: entries between may be missing."),
    "dangling": ("Points nowhere", "Records refer to others that no listing has; both were read twice."),
}


class NotPossible(Exception):
    """An anomaly that cannot be acknowledged; the message is for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


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
    said = KINDS[kind][1]
    return f"{said} {result.dangling} of them." if kind == "dangling" else f"{said} {result.items} were read."


def acknowledge(
    pks: Sequence[int], explanation: str, *, by: User, now: datetime, request: HttpRequest | None = None
) -> int:
    """Says that a person has looked at anomalies and why they are right; returns how many were still open.

    Raises NotPossible without an explanation.
    """
    if not explanation.strip():
        raise NotPossible("explanation-missing", "Write what explains it: that is what an auditor will read.")
    with transaction.atomic():
        rows = list(Anomaly.objects.select_for_update().filter(pk__in=pks, acknowledged_at=None))
        for row in rows:
            row.acknowledged_at, row.acknowledged_by, row.explanation = now, by, explanation.strip()[:500]
            row.save(update_fields=["acknowledged_at", "acknowledged_by", "explanation"])
            audit.record(
                audit.Action.ANOMALY_ACKNOWLEDGED,
                actor=by,
                target=row.snapshot,
                request=request,
                stream=row.stream,
                kind=row.kind,
                explanation=row.explanation,
                at=now,
            )
    return len(rows)
