"""Audits are planned, changed, scoped and opened; `freezing.close` ends them. The only writer of `Audit` and `Scoped`.

Each verb is one transaction and one line in the audit log.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db import transaction
from django.http import HttpRequest

from connectors.models import Workspace
from portal import access
from portal import audit as log
from portal.models import User

from ..models import Audit, Control, Framework, Phase, Scoped
from .refusing import NotPossible, locked

LONGEST_PERIOD = timedelta(days=3 * 366)
LONGEST_REASON = 300  # characters


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What people say of an audit. No workspaces mean all of them."""

    title: str
    period: tuple[date, date]
    lead: User
    frameworks: tuple[Framework, ...] = ()
    workspaces: tuple[Workspace, ...] = ()
    auditors: tuple[User, ...] = ()
    about: str = ""

    def check(self) -> None:
        """Raises NotPossible for what cannot be an audit."""
        if not self.title.strip():
            raise NotPossible("audit-title", "Give the audit a title.", field="title")
        begins, ends = self.period
        if ends < begins:
            raise NotPossible("audit-period", "The period ends before it begins.", field="period_to")
        if ends - begins > LONGEST_PERIOD:
            raise NotPossible("audit-period", "A period has three years at most.", field="period_to")
        unfit = [each.get_username() for each in self.auditors if not access.may(each, access.TAKE_PART)]
        if unfit:
            why = f"{', '.join(unfit)}: only people with the role Auditor or External auditor can be named."
            raise NotPossible("audit-auditor", why, field="auditors")


def plan(said: Plan, *, by: User, now: datetime, request: HttpRequest | None = None) -> Audit:
    """A planned audit; all controls of its frameworks are in scope but those of optional series."""
    said.check()
    with transaction.atomic():
        begins, ends = said.period
        made = Audit.objects.create(
            title=log.clean(said.title.strip(), 200),
            about=said.about.strip(),
            period_from=begins,
            period_to=ends,
            lead=said.lead,
            created_at=now,
        )
        _relate(made, said)
        log.record(log.Action.AUDIT_CHANGED, actor=by, target=made, request=request, at=now, what="planned")
    return made


def change(audit: Audit, said: Plan, *, by: User, now: datetime, request: HttpRequest | None = None) -> None:
    """Other words, another period, other people. Controls of frameworks that stay keep their scope."""
    said.check()
    with transaction.atomic():
        row = locked(audit)
        row.title, row.about, row.lead = log.clean(said.title.strip(), 200), said.about.strip(), said.lead
        row.period_from, row.period_to = said.period
        row.save()
        _relate(row, said)
        log.record(log.Action.AUDIT_CHANGED, actor=by, target=row, request=request, at=now, what="changed")


def _relate(row: Audit, said: Plan) -> None:
    row.frameworks.set(said.frameworks)
    row.workspaces.set(said.workspaces)
    row.auditors.set(said.auditors)
    controls = Control.objects.filter(framework__in=said.frameworks, withdrawn=False)
    Scoped.objects.filter(audit=row).exclude(control__framework__in=said.frameworks).delete()
    known = Scoped.objects.filter(audit=row).values("control")
    rows = [Scoped(audit=row, control=each, within=not each.optional) for each in controls.exclude(pk__in=known)]
    Scoped.objects.bulk_create(rows)


def scope(
    audit: Audit,
    wanted: Mapping[int, tuple[bool, str]],
    *,
    by: User,
    now: datetime,
    request: HttpRequest | None = None,
) -> int:
    """Says of controls, by their numbers, whether they are in scope, and why not; returns how many changed.

    A control of the standard scope that is taken out needs a reason. Raises NotPossible, whose field is `reason-7`.
    """
    with transaction.atomic():
        row = locked(audit)
        changed = []
        for each in Scoped.objects.filter(audit=row, control__in=wanted).select_related("control"):
            inside, said = wanted[each.control_id]
            reason = "" if inside else " ".join(said.split())[:LONGEST_REASON]
            if not inside and not reason and not each.control.optional:
                why = f"Say why {each.control.ref} is not in scope."
                raise NotPossible("audit-reason", why, field=f"reason-{each.control_id}")
            if (inside, reason) != (each.within, each.reason):
                each.within, each.reason = inside, reason
                changed.append(each)
        Scoped.objects.bulk_update(changed, ["within", "reason"])
        if changed:
            log.record(
                log.Action.AUDIT_CHANGED,
                actor=by,
                target=row,
                request=request,
                at=now,
                what="scope",
                controls=len(changed),
                inside=sum(each.within for each in changed),
            )
    return len(changed)


def begin(audit: Audit, *, by: User, now: datetime, request: HttpRequest | None = None) -> None:
    """Opens a planned audit: from now on its auditors see it. Raises NotPossible."""
    with transaction.atomic():
        row = locked(audit)
        if row.phase != Phase.PLANNED:
            raise NotPossible("audit-open", "This audit is open already.")
        if not Scoped.objects.filter(audit=row, within=True).exists():
            raise NotPossible("audit-no-scope", "No control is in scope yet, so there is nothing to audit.")
        Audit.objects.filter(pk=row.pk).update(phase=Phase.OPEN, opened_at=now)
        log.record(log.Action.AUDIT_OPENED, actor=by, target=row, request=request, at=now)


def dismiss(audit: Audit, person: User, *, by: User, now: datetime, request: HttpRequest | None = None) -> None:
    """An auditor sees the audit no longer, at once; also when it is closed, since that changes nothing of it."""
    with transaction.atomic():
        audit.auditors.remove(person)
        about = {"what": "auditor removed", "person": person.get_username()}
        log.record(log.Action.AUDIT_CHANGED, actor=by, target=audit, request=request, at=now, **about)


def copy(audit: Audit, *, by: User, now: datetime, request: HttpRequest | None = None) -> Audit:
    """Another audit with the same scope and people for the period after this one, as long as it."""
    length = audit.period_to - audit.period_from
    begins = audit.period_to + timedelta(days=1)
    with transaction.atomic():
        said = Plan(
            title=f"{audit.title[:190]} (copy)",
            about=audit.about,
            period=(begins, begins + length),
            lead=audit.lead,
            frameworks=tuple(audit.frameworks.all()),
            workspaces=tuple(audit.workspaces.all()),
            auditors=tuple(each for each in audit.auditors.all() if access.may(each, access.TAKE_PART)),
        )
        made = plan(said, by=by, now=now, request=request)
        _copy_scope(Scoped.objects.filter(audit=audit), made)
    return made


def _copy_scope(rows: Iterable[Scoped], made: Audit) -> None:
    for each in rows:
        Scoped.objects.filter(audit=made, control=each.control_id).update(within=each.within, reason=each.reason)
