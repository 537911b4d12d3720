"""The ledger: what was sealed, searched and filtered, and as CSV; above it what is not sealed yet."""

from collections.abc import Iterator, Mapping
from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_safe

from connectors.spec import Column, Row
from portal import audit, ledger
from portal.access import AUDIT_LOG, needs
from portal.models import LedgerEntry

from .. import tables
from . import asked, lists

TITLES = ("number", "at", "sealed_at", "person", "action", "about", "name", "detail", "audit entry", "sha256", "key")
# What the list can be sorted by: the name in the address, the head's title, the field.
COLUMNS = (
    ("number", "Entry", "number"),
    ("at", "Time", "at"),
    ("person", "Person", "actor_name"),
    ("action", "Action", "action"),
    ("about", "About", "target_name"),
)
WAITING = 20


def _asked(query: Mapping[str, Any]) -> tuple[QuerySet[LedgerEntry], dict[str, Any]]:
    """The entries that an address asks for, and what it asks for."""
    q, action = asked.words(query), asked.words(query, "action")
    first, last = asked.day(query, "from"), asked.day(query, "to")
    begin, end = (asked.midnight(first) if first else None, asked.midnight(last, 1) if last else None)
    named = Q(actor_name__icontains=q) | Q(target__icontains=q) | Q(target_name__icontains=q) | Q(sha256__startswith=q)
    if (number := asked.whole(q)) is not None:
        named |= Q(number=number)
    found = LedgerEntry.objects.filter(named | Q(action__icontains=q)) if q else LedgerEntry.objects.all()
    for field, value in (("action", action), ("at__gte", begin), ("at__lt", end)):
        found = found.filter(**{field: value}) if value else found
    sort, order = asked.order(query, {name: field for name, _, field in COLUMNS}, "-number")
    said = {"q": q, "action": action, "from": first, "to": last}
    return found.order_by(*order), said | {"sort": sort}


@needs(AUDIT_LOG)
@require_safe
def index(request: HttpRequest) -> HttpResponse:
    found, said = _asked(request.GET)
    waiting = ledger.waiting()
    context = {
        "asked": said,
        "narrowed": any(said[name] for name in ("q", "action", "from", "to")),
        "page": asked.page(found, request.GET),
        "heads": [tables.head(Column(name, title), said["sort"]) for name, title, _ in COLUMNS],
        "actions": audit.SEALED,
        "waiting": waiting[:WAITING],
        "many": waiting.count(),
        "late": waiting.filter(at__lt=timezone.now() - ledger.LATE).exists(),
    }
    return render(request, "evidence/ledger.html", context)


@needs(AUDIT_LOG)
@require_GET
def export(request: HttpRequest) -> HttpResponseBase:
    """All entries that the address asks for, as CSV; this download is recorded, and sealed, afterwards."""
    found, said = _asked(request.GET)
    number, sha256 = ledger.head()
    found = found.filter(number__lte=number)
    count = found.count()
    file = f"ledger-{number}-{sha256[:16]}.csv"
    return lists.as_csv(
        request, TITLES, _rows(found), count, file=file, name="ledger", filters=said, permission=AUDIT_LOG
    )


def _rows(found: QuerySet[LedgerEntry]) -> Iterator[Row]:
    for entry in found.iterator(500):
        about = (entry.actor_name, entry.action, entry.target, entry.target_name)
        detail = tuple(f"{key}: {value}" for key, value in ledger.detail_of(entry).items())
        at = (entry.at.isoformat(), entry.sealed_at.isoformat())
        yield entry.number, *at, *about, detail, entry.audit, entry.sha256, entry.key_id
