"""A report captured anew by rule, each month, quarter or year: a new version that waits for its review."""

from calendar import monthrange
from datetime import date, datetime, timedelta

from django.db import transaction
from django.db.models import Q
from django.http import HttpRequest
from django.utils import timezone
from django_q.tasks import async_task

from connectors.models import Snapshot
from portal import audit
from portal.models import User

from ..models import Artifact, Every, Kind, Source, Version
from . import reviewing, staleness, versions
from .reviewing import NotPossible

TASK = "evidence.tasks.capture_again"
ASK_AGAIN = timedelta(minutes=15)
_MONTHS = {Every.MONTH: 1, Every.QUARTER: 3, Every.YEAR: 12}


def end_of(every: str, day: date) -> date:
    """The last day of the month, quarter or year that a day lies in. Pure."""
    months = _MONTHS[Every(every)]
    last = (day.month + months - 1) // months * months
    return date(day.year, last, monthrange(day.year, last)[1])


def after(every: str, due: date, today: date) -> date:
    """The next due day once that of `due` was done: one for all that were missed meanwhile. Pure."""
    return end_of(every, max(due, today) + timedelta(days=1))


# --- the rule ---------------------------------------------------------------------------------------------------


def set_rule(artifact: Artifact, every: str, *, by: User, now: datetime, request: HttpRequest | None = None) -> bool:
    """How often it is captured anew, "" for never; the first time is the end of the running period. False when it was
    so already. Raises NotPossible for what is no captured report."""
    if artifact.kind != Kind.REPORT:
        raise NotPossible("recapture-not-a-report", "A file cannot be captured by the portal.", field="every")
    rule = Every(every)
    due = end_of(rule, timezone.localdate(now)) if rule else None
    with transaction.atomic():
        rows = Artifact.objects.filter(pk=artifact.pk).exclude(every=rule)
        if not rows.update(every=rule, due_on=due, asked_at=None):
            return False
        artifact.every, artifact.due_on = rule, due
        audit.record(
            audit.Action.ARTIFACT_CHANGED,
            actor=by,
            target=artifact,
            request=request,
            at=now,
            captured=rule.label.lower(),
            due=str(due or ""),
        )
    return True


# --- by a person ------------------------------------------------------------------------------------------------


def capture_again(artifact: Artifact, *, by: User, now: datetime, request: HttpRequest | None = None) -> Version:
    """A new version from the newest snapshot, as a draft. Raises NotPossible when there is no newer one."""
    newest = newer_than(artifact)
    if newest is None:
        why = "The newest snapshot of the workspace is kept already: sync it first."
        raise NotPossible("recapture-nothing-newer", why)
    return versions.capture(
        newest, artifact.report, title=artifact.title, by=by, now=now, artifact=artifact, request=request
    )


def newer_than(artifact: Artifact) -> Snapshot | None:
    """The newest snapshot of the workspace that the last version was made of; None when it was made of that one."""
    last = _last(artifact)
    return staleness.newest_of(last) if last is not None else None


def _last(artifact: Artifact) -> Version | None:
    held = artifact.versions.exclude(snapshot=None).select_related("snapshot__workspace").defer("body")
    return held.order_by("-snapshot__seq", "-number").first()


# --- by the rule ------------------------------------------------------------------------------------------------


def start_due(now: datetime) -> int:
    """Asks the worker for each report whose day has come, again after a quarter of an hour; returns how many."""
    silent = Q(asked_at=None) | Q(asked_at__lt=now - ASK_AGAIN)
    due = Artifact.objects.filter(silent, archived_at=None, due_on__lte=timezone.localdate(now))
    asked = 0
    for pk in due.values_list("pk", flat=True)[:100]:
        if due.filter(pk=pk).update(asked_at=now):
            async_task(TASK, pk)
            asked += 1
    return asked


def carry_out(artifact_pk: int, now: datetime) -> Version | None:
    """Captures one report whose day has come, and has it wait for its review. None when nothing is due, or while its
    workspace has no newer snapshot.

    The report is built first, which takes its time; then the due day is taken by one conditional UPDATE in the
    transaction that keeps it, so that of two workers one does it, and who is killed leaves it due.
    """
    today = timezone.localdate(now)
    artifact = Artifact.objects.filter(pk=artifact_pk, archived_at=None, due_on__lte=today).first()
    newest = newer_than(artifact) if artifact else None
    if artifact is None or artifact.due_on is None or newest is None:
        return None
    held = versions.frozen(newest, artifact.report)
    with transaction.atomic():
        mine = Artifact.objects.filter(pk=artifact.pk, due_on=artifact.due_on, every=artifact.every)
        if not mine.update(due_on=after(artifact.every, artifact.due_on, today), asked_at=None):
            return None
        version = versions.keep(held, title=artifact.title, by=None, now=now, artifact=artifact, source=Source.RULE)
        reviewing.submit(version, by=None, now=now)
    return version
