"""The end of an audit: what counts is frozen, listed and signed. The only writer of `EvidenceItem`.

The set holds what was accepted and nothing else. What is missing, open or unaccepted is said before, and whoever closes
the audit must have seen it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.http import HttpRequest

from portal import audit as log
from portal import canon
from portal.models import User

from ..models import Answer, Asked, Audit, AuditRequest, EvidenceItem, Phase, Scoped
from . import counting
from .asking import WAITING
from .refusing import NotPossible, locked


@dataclass(frozen=True)
class Warned:
    """Something to be seen before an audit is closed: what, how many, the first few by name."""

    what: str
    many: int
    named: tuple[str, ...]


def warnings(audit: Audit) -> list[Warned]:
    requests = list(AuditRequest.objects.filter(audit=audit))
    scoped = Scoped.objects.filter(audit=audit, within=True).select_related("control")
    support = counting.by_control(audit)
    answers = Answer.objects.filter(request__audit=audit, withdrawn_at=None).select_related("version", "request")
    waiting = answers.exclude(version__review__state__in=counting.ACCEPTED_ONCE)
    undecided = {Asked.ANSWERED}
    found = [
        _warned("Requests that nobody has answered", (str(each) for each in requests if each.state in WAITING)),
        _warned("Requests that no auditor has decided", (str(each) for each in requests if each.state in undecided)),
        _warned(
            "Controls in scope without evidence",
            (each.control.ref for each in scoped if not support[each.control_id].versions),
        ),
        _warned(
            "Answers that nobody has accepted; they stay out of the evidence set",
            (f"{each.version} ({each.request.number})" for each in waiting.defer("version__body")),
        ),
    ]
    return [each for each in found if each.many]


def _warned(what: str, names: Iterable[str]) -> Warned:
    held = list(names)
    return Warned(what, len(held), tuple(held[:8]))


def close(
    audit: Audit, *, by: User, now: datetime, acknowledged: bool = False, request: HttpRequest | None = None
) -> int:
    """Freezes the evidence set and ends the audit, for good; returns how many lines the set has.

    Raises NotPossible while it is not open, and for warnings that were not acknowledged.
    """
    with transaction.atomic():
        row = locked(audit)
        if row.phase != Phase.OPEN:
            raise NotPossible("audit-not-open", "Only an open audit can be closed.")
        if warnings(row) and not acknowledged:
            why = "Look at what is open or missing, and say that you have seen it."
            raise NotPossible("audit-warnings", why, field="acknowledged")
        items = [*_for_controls(row), *_for_requests(row)]
        EvidenceItem.objects.bulk_create(items)
        Audit.objects.filter(pk=row.pk).update(phase=Phase.CLOSED, closed_at=now, closed_by=by)
        said = digest(items)
        log.record(
            log.Action.AUDIT_CLOSED, actor=by, target=row, request=request, at=now, items=len(items), digest=said
        )
    return len(items)


def digest(items: Iterable[EvidenceItem]) -> str:
    """What the ledger signs of a set: the sha256 of its sorted lines in canonical JSON."""
    lines = sorted([each.control_id or 0, each.request_id or 0, each.version_id, each.sha256] for each in items)
    return canon.digest(canon.canonical(lines)).hex()


def _for_controls(row: Audit) -> list[EvidenceItem]:
    return [
        EvidenceItem(
            audit=row,
            version=version,
            control_id=control,
            title=version.title,
            state=version.review.state,
            sha256=version.sha256,
        )
        for control, support in counting.by_control(row).items()
        for version in support.versions
    ]


def _for_requests(row: Audit) -> list[EvidenceItem]:
    answers = Answer.objects.filter(
        request__audit=row, withdrawn_at=None, version__review__state__in=counting.ACCEPTED_ONCE
    )
    return [
        EvidenceItem(
            audit=row,
            version=each.version,
            request=each.request,
            title=each.version.title,
            state=each.version.review.state,
            sha256=each.version.sha256,
        )
        for each in answers.select_related("request", "version__review").defer("version__body")
    ]
