"""What waits for one person: reviews, actions, requests of audits, what expires, and what they were told."""

from datetime import datetime, timedelta

from django.db.models import Count, Q
from django.urls import reverse
from django.utils import timezone

from connectors.spec import State as Mark
from portal import access
from portal.models import User

from . import notices
from .audits import waiting
from .health import Matter
from .models import Action, Artifact, Review, Stand, State

SOON = timedelta(days=30)
WEEK = timedelta(days=7)


def matters(person: User, now: datetime) -> list[Matter]:
    """At most one line for each kind, and one for each request of an audit; a constant number of questions."""
    found = [_reviews(person), *_own(person, now), *_actions(person, now), _unseen(person)]
    return [*waiting.matters(person, now), *(each for each in found if each is not None)]


def _line(mark: Mark, what: str, why: str, href: str) -> Matter:
    return Matter(mark, what, why, None, who="You", href=href)


def _many(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _reviews(person: User) -> Matter | None:
    if not access.may(person, access.REVIEW):
        return None
    rows = Review.objects.filter(state=State.REVIEW, version__artifact__archived_at=None)
    rows = rows.filter(Q(reviewer=None) | Q(reviewer=person)).exclude(
        Q(version__received_by=person) | Q(submitted_by=person)
    )
    many = rows.count()
    why = "Others have submitted them, and nobody has decided."
    return (
        _line(Mark("run", "To review"), f"{_many(many, 'version')} to review", why, reverse("reviews"))
        if many
        else None
    )


def _own(person: User, now: datetime) -> list[Matter]:
    """What this person owns that was rejected, or stops to count soon."""
    today = timezone.localdate(now)
    counted = Artifact.objects.filter(owner=person, archived_at=None).aggregate(
        rejected=Count("pk", filter=Q(state=State.REJECTED)),
        ending=Count("pk", filter=Q(good_until__range=(today, today + SOON))),
    )
    at, found = f"{reverse('artifacts')}?owner={person.pk}", []
    if many := counted["rejected"]:
        said = f"{_many(many, 'artifact')} of yours rejected"
        found.append(_line(Mark("fail", "Rejected"), said, "The reviewer says what to mend.", f"{at}&state=rejected"))
    if many := counted["ending"]:
        said = f"{_many(many, 'artifact')} of yours expire within 30 days"
        found.append(
            _line(Mark("stale", "Expires soon"), said, "Bring a new version, and have it reviewed.", f"{at}&fresh=soon")
        )
    return found


def _actions(person: User, now: datetime) -> list[Matter]:
    """This person's actions that are late, or due within a week."""
    today = timezone.localdate(now)
    mine = Action.objects.filter(owner=person, stand__in=(Stand.OPEN, Stand.DOING), due_on__lte=today + WEEK)
    counted = mine.aggregate(late=Count("pk", filter=Q(due_on__lt=today)), all=Count("pk"))
    at, soon, found = f"{reverse('actions')}?owner={person.pk}", counted["all"] - counted["late"], []
    if many := counted["late"]:
        found.append(
            _line(
                Mark("fail", "Late"), f"{_many(many, 'action')} of yours late", "Their day is over.", f"{at}&due=late"
            )
        )
    if soon:
        said = f"{_many(soon, 'action')} of yours due within 7 days"
        found.append(_line(Mark("stale", "Due"), said, "Each says what it must bring.", f"{at}&due=week"))
    return found


def _unseen(person: User) -> Matter | None:
    many = notices.unseen(person)
    why = "You have not opened them yet."
    return (
        _line(Mark("none", "Not seen"), _many(many, "notice"), why, f"{reverse('notices')}?unseen=1") if many else None
    )
