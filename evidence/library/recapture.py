"""Reports that are captured anew by themselves: each month, quarter or year, as a version that waits for its review."""

import calendar
from datetime import date, datetime, timedelta

from django.db import transaction
from django.db.models import F
from django.http import HttpRequest
from django.utils import timezone
from django_q.tasks import async_task

from connectors.models import Snapshot
from portal import audit
from portal.models import User

from ..models import Artifact, Every, Kind, Source, Version
from . import reviewing, versions

TASK = "evidence.tasks.recapture_report"
MONTHS = {Every.MONTH: 1, Every.QUARTER: 3, Every.YEAR: 12}
AT_ONCE = 100


class NotPossible(Exception):
    """What cannot be done, in a sentence for the page."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


def period_end(day: date, every: str) -> date | None:
    """The last day of the month, quarter or year that `day` is in. None for never. Pure."""
    if every not in MONTHS:
        return None
    many = MONTHS[Every(every)]
    month = (day.month - 1) // many * many + many
    return date(day.year, month, calendar.monthrange(day.year, month)[1])


def set_rule(artifact: Artifact, every: str, *, by: User, now: datetime, request: HttpRequest | None = None) -> None:
    """Captures the report at the end of each period from now on, or never."""
    if artifact.kind != Kind.REPORT or every not in Every.values:
        raise NotPossible("recapture-report", "Only a captured report can be captured anew by itself.")
    due_on = period_end(timezone.localdate(now), every)
    with transaction.atomic():
        Artifact.objects.filter(pk=artifact.pk).update(every=every, due_on=due_on)
        said = due_on.isoformat() if due_on else ""
        audit.record(
            audit.Action.ARTIFACT_CHANGED, actor=by, target=artifact, request=request, at=now, every=every, due_on=said
        )


def again(artifact: Artifact, *, by: User, now: datetime, request: HttpRequest | None = None) -> Version:
    """A new version from the newest snapshot, now. Raises NotPossible when there is none that is newer."""
    newest = newer_snapshot(artifact)
    if newest is None:
        raise NotPossible("recapture-nothing-new", "There is no newer snapshot: sync the workspace first.")
    return versions.capture(
        newest, artifact.report, title=artifact.title, by=by, now=now, artifact=artifact, request=request
    )


def newer_snapshot(artifact: Artifact) -> Snapshot | None:
    """The workspace's newest snapshot, if it is newer than the one that the newest version was made of."""
    last = Version.objects.filter(artifact=artifact, snapshot__isnull=False).order_by("-number").first()
    if last is None or last.snapshot is None:
        return None
    rows = Snapshot.objects.filter(workspace=last.snapshot.workspace_id, seq=F("workspace__head"))
    return rows.filter(seq__gt=last.snapshot.seq).select_related("workspace").first()


# --- the beat -----------------------------------------------------------------------------------


def start_due(now: datetime) -> list[int]:
    """Asks the worker for every capture whose day has come, once; what has no newer snapshot waits for one."""
    today, asked = timezone.localdate(now), []
    due = Artifact.objects.filter(due_on__lte=today, archived_at=None).exclude(every=Every.NEVER)
    for artifact in due.order_by("due_on", "pk")[:AT_ONCE]:
        if newer_snapshot(artifact) is None:
            continue
        following = period_end(max(today, artifact.due_on or today) + timedelta(days=1), artifact.every)
        with transaction.atomic():
            if Artifact.objects.filter(pk=artifact.pk, due_on=artifact.due_on).update(due_on=following):
                async_task(TASK, artifact.pk, str(artifact.due_on))
                asked.append(artifact.pk)
    return asked


def carry_out(artifact_pk: int, due: str, now: datetime) -> bool:
    """Captures one report for one day, if that was not done already; it waits for a review then."""
    note = f"Captured by rule, due on {due}"
    artifact = Artifact.objects.get(pk=artifact_pk)
    newest = newer_snapshot(artifact)
    if newest is None or Version.objects.filter(artifact=artifact, note=note).exists():
        return False
    held = versions.frozen(newest, artifact.report)
    with transaction.atomic():
        made = versions.keep(
            held, title=artifact.title, by=None, now=now, artifact=artifact, source=Source.RULE, note=note
        )
        reviewing.submit(made, by=None, now=now)
    return True
