"""How long what was accepted counts: the decision, telling people before its last day, and its end.

Days are the portal's own. The last day is the last one on which it counts.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal

from django.db import transaction
from django.db.models import Q, QuerySet
from django.urls import reverse
from django.utils import timezone

from connectors.spec import State as Mark
from portal.models import User

from .. import notices
from ..models import Artifact, Control, Review, State
from . import reviewing

STEPS = (30, 7, 1, 0)  # days before the last one on which people are told
SOON = timedelta(days=STEPS[0])
AT_A_BEAT = 100
Name = Literal["fresh", "soon", "stale", "review", "missing"]


@dataclass(frozen=True)
class Freshness:
    """`until` is the last day on which it counts, None without end or when nothing counts."""

    name: Name
    until: date | None = None

    @property
    def mark(self) -> Mark:
        return _MARKS[self.name]

    def left(self, today: date) -> int | None:
        """Days until the last one: 0 on that day, negative after it."""
        return None if self.until is None else (self.until - today).days


_MARKS: dict[Name, Mark] = {
    "fresh": Mark("pass", "Fresh"),
    "soon": Mark("stale", "Expires soon"),
    "stale": Mark("fail", "Expired"),
    "review": Mark("run", "In review"),
    "missing": Mark("none", "Nothing accepted"),
}


def of(artifact: Artifact, control: Control | None = None, *, today: date) -> Freshness:
    """How fresh an artifact is, by itself or for one of its controls. Pure.

    A control may be stricter than what the artifact's last day was reckoned from, when its rule changed since.
    """
    if artifact.good is None:
        return Freshness(_without_a_good_one(artifact.state))
    until = artifact.good_until
    if control is not None and artifact.good == artifact.newest:
        stricter = reviewing.last_day(artifact.collected_at, artifact.valid_days, [control.valid_days])
        until = min(filter(None, (until, stricter)), default=None)
    if until is None:
        return Freshness("fresh")
    return Freshness("stale" if until < today else "soon" if until <= today + SOON else "fresh", until)


def _without_a_good_one(state: str) -> Name:
    if state == State.REVIEW:
        return "review"
    return "stale" if state == State.EXPIRED else "missing"


def step(left: int) -> int | None:
    """Which of the steps has come when so many days are left: the nearest only, however many were missed. Pure."""
    return min((each for each in STEPS if each >= max(left, 0)), default=None)


# --- the worker -------------------------------------------------------------------------------------------------


def look(now: datetime) -> tuple[int, int]:
    """Tells people of what ends soon, and ends what has; returns how many of each. Some at a time."""
    today = timezone.localdate(now)
    told = sum(_tell(review, today, now) for review in _untold(today)[:AT_A_BEAT])
    over = Review.objects.filter(state=State.ACCEPTED, expires_on__lt=today).select_related("version")
    return told, sum(reviewing.expire(review.version, now=now) for review in over[:AT_A_BEAT])


def _untold(today: date) -> QuerySet[Review]:
    due = Q(pk__in=())
    for days in STEPS:
        due |= Q(expires_on__lte=today + timedelta(days=days)) & (Q(told=None) | Q(told__gt=days))
    held = Review.objects.filter(due, state=State.ACCEPTED, version__artifact__archived_at=None)
    return held.select_related("version__artifact__owner").defer("version__body").order_by("expires_on", "pk")


def _tell(review: Review, today: date, now: datetime) -> bool:
    """Tells the owner and the owners of its controls once, whoever else looks at the same moment."""
    assert review.expires_on is not None
    left = (review.expires_on - today).days
    now_at, artifact = step(left), review.version.artifact
    with transaction.atomic():
        same = Review.objects.filter(pk=review.pk, state=State.ACCEPTED, told=review.told, expires_on=review.expires_on)
        if not same.update(told=now_at):
            return False
        people = {artifact.owner, *User.objects.filter(controls__artifacts=artifact)}
        key = f"expiry {review.version_id} {review.expires_on} {now_at}"
        text = f"{_when(left, review.expires_on)}: “{artifact.title}”, version {review.version.number}"
        notices.tell(people, key=key, text=text, path=reverse("artifact", args=[artifact.pk]), now=now)
    return True


def _when(left: int, day: date) -> str:
    if left < 0:
        return f"Expired after {day}"
    return {0: "Counts for the last time today", 1: "Expires after tomorrow"}.get(left, f"Expires in {left} days")
