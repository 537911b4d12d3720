"""What waits for a person in audits: for the home page, and the top of their list."""

from datetime import datetime

from django.db.models import F, Q
from django.urls import reverse
from django.utils import timezone

from connectors.spec import State
from portal import access
from portal.models import User

from ..health import Matter
from ..models import Asked, AuditRequest, Phase
from .asking import WAITING

MOST = 20
STATES = {
    Asked.OPEN: State("none", "Open"),
    Asked.ANSWERED: State("run", "Answered"),
    Asked.ACCEPTED: State("pass", "Accepted"),
    Asked.RETURNED: State("failed", "Returned"),
    Asked.WITHDRAWN: State("na", "Withdrawn"),
}


def matters(person: User, now: datetime) -> list[Matter]:
    """Requests that a person must answer, and answers that an auditor has not decided; one query."""
    mine = Q(owner=person) | Q(owner=None, audit__lead=person)
    wanted = mine & Q(state__in=WAITING)
    if access.may(person, access.TAKE_PART):
        wanted |= Q(state=Asked.ANSWERED, audit__auditors=person)
    rows = AuditRequest.objects.filter(wanted, audit__phase=Phase.OPEN).select_related("audit").distinct()
    ordered = rows.order_by(F("due_on").asc(nulls_last=True), "pk")[:MOST]
    return [matter(each, now) for each in ordered]


def matter(asked: AuditRequest, now: datetime) -> Matter:
    late = asked.due_on is not None and asked.due_on < timezone.localdate(now)
    mark = standing(asked.state, late)
    due = f" Due {asked.due_on:%-d %b %Y}." if asked.due_on else ""
    why = f"{asked.audit.title[:100]}.{due}"
    href = reverse("audit-request", args=[asked.audit_id, asked.number])
    return Matter(mark, str(asked), why, None, href=href)


def standing(state: str, late: bool) -> State:
    """A request's state as the pages show it. Pure."""
    if late and state in WAITING:
        return State("stale", "Overdue")
    return STATES[Asked(state)]
