"""Who sees which audit, and what they may do there."""

from typing import Any

from django.db.models import QuerySet

from portal import access
from portal.models import User

from ..models import Audit, Phase


def outside(person: User | Any) -> bool:
    """Whether somebody sees nothing but the audits that name them."""
    return not access.may(person, access.VIEW)


def audits_of(person: User | Any) -> QuerySet[Audit]:
    """The audits that a person sees: all for a reader of the evidence; else those that name them, once open."""
    found = Audit.objects.all()
    if not outside(person):
        return found
    if not access.may(person, access.TAKE_PART):
        return found.none()
    return found.filter(auditors=person).exclude(phase=Phase.PLANNED)


def takes_part(audit: Audit, person: User | Any) -> bool:
    """Whether the audit names them as an auditor, and their role allows it."""
    return access.may(person, access.TAKE_PART) and audit.auditors.filter(pk=person.pk).exists()


def may_ask(audit: Audit, person: User | Any) -> bool:
    return access.may(person, access.AUDITS) or takes_part(audit, person)


def may_decide(audit: Audit, person: User | Any) -> bool:
    """Auditors decide. Where an audit names none, whoever manages it writes down what they said elsewhere."""
    if takes_part(audit, person):
        return True
    return access.may(person, access.AUDITS) and not audit.auditors.exists()
