"""Taking back what was done to the organisation of artifacts, for a day. The only writer of `Undo`.

Decisions, captures and uploads are not taken back: they are sealed in the ledger, and what comes after them stands
beside them. What is offered here takes back exactly what it changed, and leaves what somebody changed again since.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.http import HttpRequest

from portal import audit
from portal.models import User

from .library import shelf, traces
from .library.shelf import NotPossible
from .models import Undo

LASTS = timedelta(days=1)
KEPT = timedelta(days=7)
SHELF = "shelf"  # what is taken back: a `Trace` of the shelf's


@dataclass(frozen=True)
class Taken:
    """How many single changes were taken back, and how many were not, because they changed again since."""

    label: str
    back: int
    left: int


def offer(*, by: User, now: datetime, what: str, label: str, before: dict[str, Any]) -> Undo:
    """Keeps how something can be taken back. `label` says what was done, in the past tense."""
    return Undo.objects.create(by=by, at=now, what=what, label=audit.clean(label, 200), before=before)


def take_back(pk: int, *, by: User, now: datetime, request: HttpRequest | None = None) -> Taken:
    """Takes back what this person did. NotPossible when it was another person, is over, or was taken back before."""
    with transaction.atomic():
        undo = Undo.objects.select_for_update().filter(pk=pk, by=by).first()
        if undo is None or undo.what != SHELF:
            raise NotPossible("undo-over", "There is nothing to take back: it was somebody else's, or is over.")
        if undo.used_at is not None:
            raise NotPossible("undo-over", f"It was taken back already: {undo.label}.")
        if now - undo.at > LASTS:
            raise NotPossible("undo-over", f"What was done more than a day ago is not taken back: {undo.label}.")
        wanted = traces.opposite(traces.Trace.of_json(undo.before))
        done = traces.carry_out(wanted)
        shelf.record_undone(done, undo.label, by=by, now=now, request=request)
        Undo.objects.filter(pk=pk).update(used_at=now)
    back = traces.size(done)
    return Taken(undo.label, back, traces.size(wanted) - back)


def tidy(now: datetime) -> int:
    """Deletes offers that are over for long; returns how many."""
    return Undo.objects.filter(at__lt=now - KEPT).delete()[0]
