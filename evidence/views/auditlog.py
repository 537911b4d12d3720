"""The audit log: who did what, or was refused; searched, filtered by action, person and day, and as CSV."""

from collections.abc import Iterator, Mapping
from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_safe

from connectors.spec import Row
from portal import audit
from portal.access import AUDIT_LOG, needs
from portal.models import AuditEntry

from . import asked, lists

TITLES = ("number", "at", "person", "address", "action", "about", "name", "detail")


def _asked(query: Mapping[str, Any]) -> tuple[QuerySet[AuditEntry], dict[str, Any]]:
    """The entries that an address asks for, newest first, and what it asks for."""
    q, action, person = (asked.words(query, name) for name in ("q", "action", "person"))
    first, last = asked.day(query, "from"), asked.day(query, "to")
    begin, end = (asked.midnight(first) if first else None, asked.midnight(last, 1) if last else None)
    found = AuditEntry.objects.order_by("-pk")
    found = found.filter(
        Q(actor_name__icontains=q) | Q(target__icontains=q) | Q(target_name__icontains=q) | Q(action__icontains=q)
    )
    for field, value in (("action", action), ("actor_name", person), ("at__gte", begin), ("at__lt", end)):
        found = found.filter(**{field: value}) if value else found
    said = {"q": q, "action": action, "person": person, "from": first, "to": last}
    return found, said


@needs(AUDIT_LOG)
@require_safe
def index(request: HttpRequest) -> HttpResponse:
    found, said = _asked(request.GET)
    context = {
        "asked": said,
        "narrowed": any(said.values()),
        "page": asked.page(found, request.GET),
        "actions": list(audit.Action),
        "people": AuditEntry.objects.order_by("actor_name").values_list("actor_name", flat=True).distinct()[:200],
    }
    return render(request, "evidence/audit.html", context)


@needs(AUDIT_LOG)
@require_GET
def export(request: HttpRequest) -> HttpResponseBase:
    """All entries that the address asks for, as CSV; this download is itself an entry, written afterwards."""
    found, said = _asked(request.GET)
    newest = AuditEntry.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    found = found.filter(pk__lte=newest)
    count = found.count()
    file = f"audit-log-{timezone.now():%Y%m%d-%H%M%S}.csv"
    return lists.as_csv(
        request, TITLES, _rows(found), count, file=file, name="audit log", filters=said, permission=AUDIT_LOG
    )


def _rows(found: QuerySet[AuditEntry]) -> Iterator[Row]:
    for entry in found.iterator(500):
        detail = tuple(f"{key}: {value}" for key, value in entry.detail.items())
        at = entry.at.isoformat()
        yield entry.pk, at, entry.actor_name, entry.address, entry.action, entry.target, entry.target_name, detail
