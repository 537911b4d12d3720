"""What auditors ask for, and what answers it. The only writer of `AuditRequest` and `Answer`.

An answer is a version of an artifact. Auditors see it once it was accepted inside; until then they are told that it is
being looked at. Each verb is one transaction, and tells those whom it concerns.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from django.db import transaction
from django.db.models import Max
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from portal import audit as log
from portal.models import User

from .. import notices
from ..models import Answer, Asked, Audit, AuditRequest, Control, Phase, Scoped, Version
from .counting import ACCEPTED_ONCE, answered_by
from .refusing import NotPossible, locked

LONGEST = 1000  # characters of a reason
WARNS_AT = (7, 1, 0)  # days before a request is due


class Verb(StrEnum):
    ANSWER = "answer"
    TAKE_BACK = "take back"
    ACCEPT = "accept"
    RETURN = "return"
    WITHDRAW = "withdraw"


# What each verb may follow, and what it makes of it.
FOLLOWS: dict[Verb, tuple[frozenset[str], Asked]] = {
    Verb.ANSWER: (frozenset({Asked.OPEN, Asked.RETURNED, Asked.ANSWERED}), Asked.ANSWERED),
    Verb.TAKE_BACK: (frozenset({Asked.ANSWERED}), Asked.OPEN),
    Verb.ACCEPT: (frozenset({Asked.ANSWERED}), Asked.ACCEPTED),
    Verb.RETURN: (frozenset({Asked.ANSWERED, Asked.ACCEPTED}), Asked.RETURNED),
    Verb.WITHDRAW: (frozenset({Asked.OPEN, Asked.ANSWERED, Asked.RETURNED}), Asked.WITHDRAWN),
}
WAITING = (Asked.OPEN, Asked.RETURNED)  # somebody must answer


def after(verb: Verb, state: str) -> Asked | None:
    """The state that a verb makes of another; None when it may not follow it. Pure."""
    before, made = FOLLOWS[verb]
    return made if state in before else None


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What is asked for."""

    title: str
    detail: str = ""
    controls: tuple[Control, ...] = ()
    due_on: date | None = None
    owner: User | None = None


def ask(audit: Audit, wish: Wish, *, by: User, now: datetime, request: HttpRequest | None = None) -> AuditRequest:
    """The next request of an audit. Raises NotPossible without a title, and in an audit that is not open."""
    if not wish.title.strip():
        raise NotPossible("request-title", "Say in a few words what is asked for.", field="title")
    with transaction.atomic():
        row = locked(audit)
        if row.phase != Phase.OPEN:
            raise NotPossible("request-not-open", "The audit is not open yet: open it first.")
        newest = AuditRequest.objects.filter(audit=row).aggregate(most=Max("number"))["most"] or 0
        made = AuditRequest.objects.create(
            audit=row,
            number=newest + 1,
            title=log.clean(wish.title.strip(), 200),
            detail=wish.detail.strip()[:4000],
            owner=wish.owner,
            asked_by=by,
            asked_at=now,
            due_on=wish.due_on,
        )
        inside = Scoped.objects.filter(audit=row, within=True).values("control")
        made.controls.set(Control.objects.filter(pk__in=[each.pk for each in wish.controls]).filter(pk__in=inside))
        log.record(log.Action.REQUEST_MADE, actor=by, target=made, request=request, at=now, audit=row.pk)
        _tell({made.owner or row.lead}, made, f"asked {made.pk}", f"{by.get_username()} asks for evidence", now)
    return made


def assign(
    asked: AuditRequest,
    *,
    owner: User | None,
    due_on: date | None,
    by: User,
    now: datetime,
    request: HttpRequest | None = None,
) -> None:
    """Who answers it, and by when."""
    with transaction.atomic():
        row = _locked(asked)
        AuditRequest.objects.filter(pk=row.pk).update(owner=owner, due_on=due_on)
        about = {"owner": owner.get_username() if owner else "", "due": due_on.isoformat() if due_on else ""}
        log.record(log.Action.AUDIT_CHANGED, actor=by, target=row, request=request, at=now, what="request", **about)
        if owner is not None and owner.pk not in (row.owner_id, by.pk):
            _tell({owner}, row, f"assigned {row.pk} {owner.pk}", "You answer a request", now)


def answer(
    asked: AuditRequest,
    versions: Iterable[Version],
    *,
    by: User,
    now: datetime,
    note: str = "",
    request: HttpRequest | None = None,
) -> int:
    """Answers it with versions of artifacts; returns how many had not answered it before."""
    with transaction.atomic():
        row = _locked(asked)
        _follow(Verb.ANSWER, row)
        added = 0
        for version in versions:
            values = {"at": now, "by": by, "note": log.clean(note.strip(), 1000), "withdrawn_at": None}
            there = Answer.objects.filter(request=row, version=version, withdrawn_at=None).exists()
            added += not there
            if not there:
                Answer.objects.update_or_create(request=row, version=version, defaults=values)
        if added:
            _set(row, Verb.ANSWER, None, now, "")
            log.record(log.Action.REQUEST_ANSWERED, actor=by, target=row, request=request, at=now, versions=added)
            _ready(row, now)
    return added


def take_back(
    asked: AuditRequest, version_pk: int, *, by: User, now: datetime, request: HttpRequest | None = None
) -> None:
    """One answer goes; without any the request is open again."""
    with transaction.atomic():
        row = _locked(asked)
        _follow(Verb.TAKE_BACK, row)
        gone = Answer.objects.filter(request=row, version=version_pk, withdrawn_at=None).update(withdrawn_at=now)
        if not gone:
            raise NotPossible("request-no-answer", "This does not answer the request any more.")
        if not Answer.objects.filter(request=row, withdrawn_at=None).exists():
            _set(row, Verb.TAKE_BACK, None, now, "")
        log.record(log.Action.REQUEST_ANSWERED, actor=by, target=row, request=request, at=now, taken_back=version_pk)


def accept(asked: AuditRequest, *, by: User, now: datetime, request: HttpRequest | None = None) -> None:
    """The auditor has what was asked for. Nothing that they cannot see can be accepted."""
    with transaction.atomic():
        row = _locked(asked)
        _follow(Verb.ACCEPT, row)
        seen, _ = answered_by(row.answers.select_related("version__review"))
        if not seen:
            why = "None of its answers was accepted inside yet, so there is nothing to look at."
            raise NotPossible("request-nothing-seen", why)
        _decide(row, Verb.ACCEPT, "", by=by, now=now, request=request)


def give_back(asked: AuditRequest, reason: str, *, by: User, now: datetime, request: HttpRequest | None = None) -> None:
    """It was not what was asked for, and the reason says why."""
    said = log.clean(reason.strip(), LONGEST)
    if not said:
        raise NotPossible("request-reason", "Write what is missing: whoever answers must know.", field="reason")
    with transaction.atomic():
        row = _locked(asked)
        _follow(Verb.RETURN, row)
        _decide(row, Verb.RETURN, said, by=by, now=now, request=request)


def withdraw(asked: AuditRequest, *, by: User, now: datetime, request: HttpRequest | None = None) -> None:
    """Nobody needs it any more."""
    with transaction.atomic():
        row = _locked(asked)
        _follow(Verb.WITHDRAW, row)
        _decide(row, Verb.WITHDRAW, "", by=by, now=now, request=request)


def _decide(row: AuditRequest, verb: Verb, said: str, *, by: User, now: datetime, request: HttpRequest | None) -> None:
    _set(row, verb, by, now, said)
    word = FOLLOWS[verb][1].label.lower()
    entry = log.record(
        log.Action.REQUEST_DECIDED, actor=by, target=row, request=request, at=now, outcome=word, reason=said
    )
    people = {row.owner or row.audit.lead, row.audit.lead} - {by}
    _tell(people, row, f"decided {row.pk} {entry.pk}", f"{by.get_username()}: {word}", now)


def _locked(asked: AuditRequest) -> AuditRequest:
    locked(asked.audit)
    return AuditRequest.objects.select_related("audit__lead", "owner").get(pk=asked.pk)


def _follow(verb: Verb, row: AuditRequest) -> None:
    if after(verb, row.state) is None:
        why = f"The request stands at “{Asked(row.state).label.lower()}”, so nobody can {verb.value} it now."
        raise NotPossible("request-state", why)


def _set(row: AuditRequest, verb: Verb, by: User | None, now: datetime, said: str) -> None:
    row.state, row.decided_by, row.reason = FOLLOWS[verb][1], by, said
    row.decided_at = now if by else None
    row.save(update_fields=["state", "decided_by", "decided_at", "reason"])


# --- who is told ------------------------------------------------------------------------------------------------


def _tell(people: Iterable[User], row: AuditRequest, key: str, words: str, now: datetime) -> None:
    path = reverse("audit-request", args=[row.audit_id, row.number])
    notices.tell(people, key=key, text=f"{words}: {row} ({row.audit})", path=path, now=now)


def _ready(row: AuditRequest, now: datetime) -> None:
    """Tells the auditors of each answer that they may see, once."""
    seen, _ = answered_by(row.answers.select_related("version__review"))
    for each in seen:
        _tell(row.audit.auditors.filter(is_active=True), row, f"answer {each.pk}", "An answer is there", now)


def tell_ready(now: datetime) -> None:
    """The beat: answers that were accepted inside since are shown to the auditors, who are told."""
    waiting = AuditRequest.objects.filter(state=Asked.ANSWERED, audit__phase=Phase.OPEN).filter(
        answers__withdrawn_at=None, answers__version__review__state__in=ACCEPTED_ONCE
    )
    for row in waiting.select_related("audit").distinct():
        _ready(row, now)


def warning(due_on: date, today: date) -> int | None:
    """Which reminder is due: 7, 1 or 0 days before; a beat that was missed is made up for. Pure."""
    left = max((due_on - today).days, 0)
    return min((each for each in WARNS_AT if left <= each), default=None)


def remind(now: datetime) -> None:
    """The beat: tells who answers a request that it is due in 7 days, in 1 day, today; each once."""
    today = timezone.localdate(now)
    rows: Any = AuditRequest.objects.filter(state__in=WAITING, audit__phase=Phase.OPEN, due_on__isnull=False)
    for row in rows.select_related("audit__lead", "owner"):
        days = warning(row.due_on, today)
        if days is not None:
            when = {7: "Due within 7 days", 1: "Due tomorrow", 0: "Due today or overdue"}[days]
            _tell({row.owner or row.audit.lead}, row, f"due {row.pk} {row.due_on} {days}", when, now)
