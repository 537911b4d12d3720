"""For how long evidence counts: what the beat does when a day comes. The decisions are pure; time is an argument."""

from datetime import date, datetime, timedelta

from django.db.models import QuerySet
from django.urls import reverse
from django.utils import timezone

from connectors.spec import State as Mark
from portal.models import User

from .. import notices
from ..models import Artifact, Review, State
from . import reviewing

BEFORE = (30, 7, 1, 0)  # days before the last day on which an owner is told, each once
AT_ONCE = 500


def step(left: int) -> int | None:
    """The step whose turn it is with so many days left; None before the first and once the day is over."""
    return min((days for days in BEFORE if 0 <= left <= days), default=None)


def of(artifact: Artifact, today: date) -> Mark:
    """How fresh an artifact is, in a word and why."""
    if artifact.good is None:
        return _without(artifact)
    if artifact.good_until is None:
        return Mark("pass", "Fresh", f"version {artifact.good} counts without end")
    left = (artifact.good_until - today).days
    if left < 0:
        return Mark("stale", "Expired", f"version {artifact.good} counted until {artifact.good_until:%d %b %Y}")
    said = {0: "today", 1: "until tomorrow"}.get(left, f"for {left} more days")
    if left <= BEFORE[0]:
        return Mark("partial", "Expires soon", f"version {artifact.good} counts {said}")
    return Mark("pass", "Fresh", f"version {artifact.good} counts {said}")


def _without(artifact: Artifact) -> Mark:
    """No version counts."""
    return {
        State.REVIEW: Mark("run", "In review", "nobody has decided yet"),
        State.REJECTED: Mark("fail", "Rejected", "no version counts"),
        State.EXPIRED: Mark("stale", "Expired", "no version counts any more"),
    }.get(State(artifact.state), Mark("none", "Draft", "nobody was asked to review it"))


# --- the beat -----------------------------------------------------------------------------------


def expire_due(now: datetime) -> int:
    """What had its last day before today does not count any more; its owner is told. Returns how many."""
    done = 0
    for review in _counting().filter(expires_on__lt=timezone.localdate(now))[:AT_ONCE]:
        if reviewing.expire(review.version, now=now):
            done += 1
            _tell(review, f"“{review.version}” does not count as evidence any more", "over", now)
    return done


def warn(now: datetime) -> int:
    """Tells the owners, and those of the controls, 30, 7 and 1 days before the last day and on it; returns how many.

    After days without a worker only the nearest step is told, once.
    """
    today, told = timezone.localdate(now), 0
    for review in _counting().filter(expires_on__range=(today, today + timedelta(days=BEFORE[0])))[:AT_ONCE]:
        assert review.expires_on is not None
        left = (review.expires_on - today).days
        turn = step(left)
        if turn is not None and (review.told is None or review.told > turn) and reviewing.tell_once(review, turn):
            when = {0: "today is the last day", 1: "tomorrow is the last day"}.get(left, f"for {left} more days")
            told += _tell(review, f"“{review.version}” counts as evidence: {when}", str(turn), now)
    return told


def _counting() -> QuerySet[Review]:
    rows = Review.objects.filter(state=State.ACCEPTED, version__artifact__archived_at=None)
    return rows.select_related("version__artifact__owner").defer("version__body").order_by("expires_on", "pk")


def _tell(review: Review, text: str, which: str, now: datetime) -> int:
    artifact = review.version.artifact
    people = {artifact.owner, *User.objects.filter(controls__artifacts=artifact, is_active=True)}
    key = f"expiry {review.version_id} {review.expires_on} {which}"
    return notices.tell(people, key=key, text=text, path=reverse("artifact", args=[artifact.pk]), now=now)
