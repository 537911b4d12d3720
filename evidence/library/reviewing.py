"""How a version comes to count as evidence: submitted, then accepted or rejected by another person. The only writer of
`Review`, but for the draft that `versions.add` begins with.

Each verb is one transaction. It locks the artifact and changes the review only if it still stands as it was read: of
two people who decide at once one does, and the other is told.
"""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from portal import access, audit
from portal.models import AuditEntry, User

from .. import notices
from ..models import Artifact, Review, State, Version
from . import proof, staleness
from .standing import batched, sum_up

LONGEST = 1000  # characters of a reason
LONGEST_VALID = 3650  # days


class NotPossible(Exception):
    """A verb that cannot be done now. `field` names the input that it is about."""

    def __init__(self, code: str, message: str, *, field: str = "") -> None:
        super().__init__(message)
        self.code, self.message, self.field = code, message, field


class Verb(StrEnum):
    SUBMIT = "submit"
    WITHDRAW = "withdraw"
    ACCEPT = "accept"
    REJECT = "reject"
    EXPIRE = "expire"
    SUPERSEDE = "supersede"


# What each verb may follow, and what it makes of it. A rejected version may be submitted again: what was wrong may
# have been beside its bytes, for instance a control that it was not linked to.
FOLLOWS: dict[Verb, tuple[frozenset[str], State]] = {
    Verb.SUBMIT: (frozenset({State.DRAFT, State.REJECTED}), State.REVIEW),
    Verb.WITHDRAW: (frozenset({State.REVIEW}), State.DRAFT),
    Verb.ACCEPT: (frozenset({State.REVIEW}), State.ACCEPTED),
    Verb.REJECT: (frozenset({State.REVIEW}), State.REJECTED),
    Verb.EXPIRE: (frozenset({State.ACCEPTED}), State.EXPIRED),
    Verb.SUPERSEDE: (frozenset({State.ACCEPTED}), State.SUPERSEDED),
}
_RECORDED = {
    Verb.SUBMIT: audit.Action.VERSION_SUBMITTED,
    Verb.WITHDRAW: audit.Action.VERSION_WITHDRAWN,
    Verb.ACCEPT: audit.Action.VERSION_ACCEPTED,
    Verb.REJECT: audit.Action.VERSION_REJECTED,
    Verb.EXPIRE: audit.Action.VERSION_EXPIRED,
    Verb.SUPERSEDE: audit.Action.VERSION_SUPERSEDED,
}
_NOBODY: dict[str, Any] = {"decided_by": None, "decided_at": None, "reason": "", "expires_on": None, "told": None}


def allowed(verb: Verb, state: str) -> bool:
    return state in FOLLOWS[verb][0]


def own(review: Review, version: Version, person: User) -> str:
    """Why this person may not decide about their own work, "" when they may. Pure."""
    if not settings.FOUR_EYES:
        return ""
    if version.received_by_id == person.pk:
        return "You brought this version: another person must look at it."
    if review.submitted_by_id == person.pk:
        return "You submitted this version: another person must look at it."
    return ""


def last_day(collected_at: datetime, valid_days: int | None, controls: Iterable[int | None]) -> date | None:
    """The last day on which a version counts: by the artifact's own rule, else by the strictest of its controls."""
    days = valid_days or min(filter(None, controls), default=None)
    return timezone.localdate(collected_at) + timedelta(days=days) if days else None


# --- the verbs --------------------------------------------------------------------------------------------------


def submit(
    version: Version,
    *,
    by: User | None,
    now: datetime,
    reviewer: User | None = None,
    request: HttpRequest | None = None,
) -> None:
    """Asks for a review: by `reviewer`, or by anybody who may. `by` is nobody when a rule captured it."""
    if reviewer is not None:
        _fit(version, reviewer, by)
    with transaction.atomic():
        values = {**_NOBODY, "submitted_by": by, "submitted_at": now, "reviewer": reviewer}
        entry = _change(Verb.SUBMIT, version, values, by=by, now=now, request=request, reviewer=_name(reviewer))
        if reviewer is not None:
            _tell([reviewer], f"{_name(by) or audit.SYSTEM} asks you to review “{version}”", version, entry, now)


def withdraw(version: Version, *, by: User, now: datetime, request: HttpRequest | None = None) -> None:
    """Takes it back from review: whoever submitted it; where that was a rule or a former colleague, anybody who may."""
    submitter = Review.objects.select_related("submitted_by").get(version=version).submitted_by
    if submitter is not None and submitter.pk != by.pk and access.may(submitter, access.CAPTURE):
        raise NotPossible("review-not-yours", f"{submitter.get_username()} submitted it, and alone can take it back.")
    with transaction.atomic():
        values = {**_NOBODY, "submitted_by": None, "submitted_at": None, "reviewer": None}
        _change(Verb.WITHDRAW, version, values, by=by, now=now, request=request)


def accept(version: Version, *, by: User, now: datetime, reason: str = "", request: HttpRequest | None = None) -> None:
    """It counts as evidence from now on, and takes the place of the version that counted before."""
    said = _said(reason)
    _sound(version)
    with transaction.atomic():
        artifact = _locked(version)
        _may_decide(version, by)
        if artifact.good is not None and artifact.good > version.number:
            why = f"Version {artifact.good} is newer and accepted: an older one cannot take its place."
            raise NotPossible("review-newer-accepted", why)
        for before in _accepted(artifact).exclude(version=version.pk).select_related("version"):
            _change(Verb.SUPERSEDE, before.version, {}, by=by, now=now, request=request, by_version=version.number)
        until = _until(version, artifact)
        values = {"decided_by": by, "decided_at": now, "reason": said, "expires_on": until, "told": None}
        until_said = until.isoformat() if until else "without end"
        entry = _change(Verb.ACCEPT, version, values, by=by, now=now, request=request, reason=said, until=until_said)
        staleness.ask(version)
        _tell(_askers(version, by), f"{by.get_username()} accepted “{version}”", version, entry, now)


def reject(version: Version, *, by: User, now: datetime, reason: str, request: HttpRequest | None = None) -> None:
    """It does not count, and the reason says what would."""
    said = _said(reason)
    if not said:
        raise NotPossible(
            "review-reason-missing", "Write why: whoever brought it must know what to mend.", field="reason"
        )
    with transaction.atomic():
        _locked(version)
        _may_decide(version, by)
        values = {"decided_by": by, "decided_at": now, "reason": said, "expires_on": None, "told": None}
        entry = _change(Verb.REJECT, version, values, by=by, now=now, request=request, reason=said)
        _tell(_askers(version, by), f"{by.get_username()} rejected “{version}”: {said}", version, entry, now)


def expire(version: Version, *, now: datetime) -> bool:
    """Its last day is over. False when it does not count any more anyhow, or its day was moved meanwhile."""
    with transaction.atomic():
        artifact = _locked(version)
        over = _accepted(artifact).filter(version=version.pk, expires_on__lt=timezone.localdate(now))
        if not over.exists():
            return False
        _change(Verb.EXPIRE, version, {}, by=None, now=now)
    return True


def redate(artifacts: Iterable[int]) -> int:
    """Reckons the last day anew of the versions of these artifacts that count; returns how many moved.

    Call it in the transaction of whatever changed how long they are valid: an artifact's own rule, the controls that it
    supports, or such a control's rule. Records nothing by itself, and asks the same for many as for one.
    """
    return sum(_redated(some) for some in batched(artifacts))


def _redated(pks: list[int]) -> int:
    held = Artifact.objects.select_for_update().filter(pk__in=pks, good__isnull=False).order_by("pk")
    counting = {each.pk: each for each in held}
    strict: dict[int, list[int]] = {}
    links = Artifact.controls.through.objects.filter(artifact__in=counting, control__valid_days__isnull=False)
    for pk, days in links.values_list("artifact_id", "control__valid_days"):
        strict.setdefault(pk, []).append(days or 0)
    accepted = Review.objects.filter(version__artifact__in=counting, state=State.ACCEPTED).select_related("version")
    moved = []
    for review in accepted.defer("version__body"):
        artifact = counting[review.version.artifact_id]
        until = last_day(review.version.collected_at, artifact.valid_days, strict.get(artifact.pk, ()))
        if until != review.expires_on:
            review.expires_on, review.told, artifact.good_until = until, None, until
            moved.append(review)
    Review.objects.bulk_update(moved, ["expires_on", "told"])
    Artifact.objects.bulk_update([counting[each.version.artifact_id] for each in moved], ["good_until"])
    return len(moved)


# --- what they share --------------------------------------------------------------------------------------------


def _change(
    verb: Verb,
    version: Version,
    values: dict[str, Any],
    *,
    by: User | None,
    now: datetime,
    request: HttpRequest | None = None,
    **detail: Any,
) -> AuditEntry:
    """One step of one review, summed up and recorded. Raises NotPossible when it does not stand where it must."""
    artifact = _locked(version)
    froms, to = FOLLOWS[verb]
    if not Review.objects.filter(version=version.pk, state__in=froms).update(state=to, **values):
        raise _stands_elsewhere(verb, version)
    sum_up(artifact)
    return audit.record(
        _RECORDED[verb], actor=by, target=artifact, request=request, at=now, version=version.number, **detail
    )


def _locked(version: Version) -> Artifact:
    return Artifact.objects.select_for_update().get(pk=version.artifact_id)


def _accepted(artifact: Artifact) -> Any:
    return Review.objects.filter(version__artifact=artifact, state=State.ACCEPTED)


def _until(version: Version, artifact: Artifact) -> date | None:
    return last_day(version.collected_at, artifact.valid_days, artifact.controls.values_list("valid_days", flat=True))


def _stands_elsewhere(verb: Verb, version: Version) -> NotPossible:
    review = Review.objects.select_related("decided_by").get(version=version.pk)
    who = f", since {review.decided_by.get_username()} decided" if review.decided_by else ""
    label = State(review.state).label.lower()
    return NotPossible("review-moved-on", f"It cannot be done now ({verb}): the version is {label}{who}.")


def _may_decide(version: Version, by: User) -> None:
    """Raises NotPossible for one's own version, and for one that another person was asked to review."""
    review = Review.objects.select_related("reviewer").get(version=version.pk)
    if why := own(review, version, by):
        raise NotPossible("review-own", why)
    asked = review.reviewer
    if review.state == State.REVIEW and asked and asked.pk != by.pk and access.may(asked, access.REVIEW):
        why = f"{asked.get_username()} was asked to review it. Whoever submitted it can withdraw it and ask another."
        raise NotPossible("review-asked-another", why)


def _fit(version: Version, reviewer: User, by: User | None) -> None:
    name = reviewer.get_username()
    if not access.may(reviewer, access.REVIEW):
        raise NotPossible("review-no-reviewer", f"{name} may not review.", field="reviewer")
    if settings.FOUR_EYES and reviewer.pk in (version.received_by_id, by.pk if by else None):
        raise NotPossible("review-own", f"{name} brought or submits it: ask another person.", field="reviewer")


def _sound(version: Version) -> None:
    """What cannot be trusted cannot be accepted. A stored file is proved where it lies, not at each decision."""
    if not version.stored and (proof.grave_of(version) or proof.fault_of(version)):
        raise NotPossible("review-damaged", "Its content is erased or damaged, so nobody can have looked at it.")


def _said(reason: str) -> str:
    said = " ".join(reason.replace("\0", "").split())
    if len(said) > LONGEST:
        why = f"It has {len(said):,} characters, and {LONGEST:,} are kept: say it shorter."
        raise NotPossible("review-reason-long", why, field="reason")
    return said


def _name(person: User | None) -> str:
    return person.get_username() if person else ""


def _askers(version: Version, by: User) -> list[User]:
    """Who wants to know what became of it: whoever submitted it, and the artifact's owner."""
    review = Review.objects.select_related("submitted_by", "version__artifact__owner").get(version=version.pk)
    people = {person for person in (review.submitted_by, review.version.artifact.owner) if person and person != by}
    return sorted(people, key=lambda person: person.pk)


def _tell(people: list[User], text: str, version: Version, entry: AuditEntry, now: datetime) -> None:
    path = f"{reverse('artifact', args=[version.artifact_id])}?version={version.number}"
    notices.tell(people, key=f"review {entry.pk}", text=text, path=path, now=now)
