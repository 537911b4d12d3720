"""What the beat does for actions: reminds people, each step once, and asks for the renewal of what expires."""

from datetime import date, datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from portal import access
from portal.models import User

from .. import notices
from ..models import Action, Artifact, Every
from . import recurrence
from .life import OPEN, Draft, make, path_of

AHEAD = timedelta(days=30)  # how long before it expires an artifact's renewal is asked for
AT_ONCE = 500


def remind(now: datetime) -> int:
    """Tells owners, or all who may act where there is none: 7 days and 1 day before, on the day, once when late."""
    today = timezone.localdate(now)
    soon = Action.objects.filter(stand__in=OPEN, due_on__lte=today + timedelta(days=recurrence.BEFORE[0]))
    managers: list[User] | None = None
    told = 0
    for action in soon.select_related("owner").order_by("due_on", "pk")[:AT_ONCE]:
        assert action.due_on is not None
        step = recurrence.step(action.due_on, today)
        if action.owner is None and managers is None:
            managers = list(access.holders(access.ACTIONS))
        people = [action.owner] if action.owner else managers or []
        key = f"action {action.pk} {action.due_on} {step}"
        told += notices.tell(people, key=key, text=words(action, today), path=path_of(action), now=now)
    return told


def words(action: Action, today: date) -> str:
    """What people are told."""
    assert action.due_on is not None
    left = (action.due_on - today).days
    when = {0: "is due today", 1: "is due tomorrow"}.get(left, f"is due in {left} days")
    return f"{action.title} {when if left >= 0 else f'was due on {action.due_on:%d %b %Y}'}"


def renew(now: datetime) -> list[Action]:
    """An action for each artifact that stops to count within 30 days and is not captured anew by itself, once."""
    today = timezone.localdate(now)
    asked = Action.objects.filter(about=OuterRef("pk"), due_on=OuterRef("good_until"), origin="expiry")
    ending = Artifact.objects.filter(archived_at=None, every=Every.NEVER, good_until__range=(today, today + AHEAD))
    made = []
    for artifact in ending.filter(~Exists(asked)).select_related("owner").order_by("good_until", "pk")[:AT_ONCE]:
        draft = Draft(
            title=f"Renew “{artifact.title[:150]}”",
            text="Its newest accepted version stops to count on that day. Capture or upload a new version, and have it "
            "reviewed; then this action can be done.",
            owner=artifact.owner,
            due_on=artifact.good_until,
            workspace=artifact.workspaces.first(),
            controls=artifact.controls.all(),
        )
        try:
            with transaction.atomic():
                made.append(make(draft, by=None, now=now, origin="expiry", about=artifact))
        except IntegrityError:  # another worker was first
            continue
    return made
