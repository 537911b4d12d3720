"""Anchors: all that were made, searched, filtered and sorted; and the proof of one as a file."""

from typing import Any

from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_GET, require_safe

from connectors.models import Anchor
from connectors.spec import Column
from portal import audit
from portal.access import EXPORT, VIEW, demand, needs
from portal.chips import chips

from .. import tables
from . import asked

# What the list can be sorted by: the name in the address, the head's title, the field.
COLUMNS = (
    ("workspace", "Workspace", "workspace__name"),
    ("snapshot", "Snapshot", "seq"),
    ("kind", "Kind", "kind"),
    ("made", "Made", "at"),
)
_FILES = {
    Anchor.Kind.FOLDER: ("json", "application/json"),
    Anchor.Kind.MAIL: ("json", "application/json"),
    Anchor.Kind.STAMP: ("tsr", "application/timestamp-reply"),
}


@needs(VIEW)
@require_safe
def index(request: HttpRequest) -> HttpResponse:
    q, kind = asked.words(request.GET), asked.words(request.GET, "kind")
    found = Anchor.objects.all()
    if q:
        named = Q(workspace__name__icontains=q) | Q(header_sha256__startswith=q.lower()) | Q(detail__icontains=q)
        number = asked.whole(q)
        found = found.filter(named | Q(seq=number) if number is not None else named)
    counted = {each: found.filter(kind=each).count() for each in Anchor.Kind}
    if kind in Anchor.Kind.values:
        found = found.filter(kind=kind)
    sort, order = asked.order(request.GET, {name: field for name, _, field in COLUMNS}, "-made")
    context: dict[str, Any] = {
        "page": asked.page(found.select_related("workspace").defer("proof").order_by(*order), request.GET),
        "heads": [tables.head(Column(name, title), sort) for name, title, _ in COLUMNS],
        "kinds": chips("kind", [(each.value, each.label, counted[each]) for each in Anchor.Kind], kind),
        "kind": kind,
        "q": q,
        "sort": sort,
        "narrowed": bool(q or kind in Anchor.Kind.values),
    }
    return render(request, "evidence/anchors.html", context)


@needs(EXPORT)
@require_GET
def proof(request: HttpRequest, pk: int) -> HttpResponse:
    """The file, the mail or the token as it was made; this download is recorded."""
    found = get_object_or_404(Anchor.objects.select_related("workspace"), pk=pk)
    ending, kind = _FILES[Anchor.Kind(found.kind)]
    audit.record(
        audit.Action.EXPORTED,
        actor=demand(request, EXPORT),
        target=found,
        request=request,
        format=ending,
        snapshot=found.seq,
    )
    name = f"anchor-{found.kind}-s{found.seq}-{found.header_sha256[:16]}.{ending}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "private, no-store"}
    return HttpResponse(bytes(found.proof), content_type=kind, headers=headers)
