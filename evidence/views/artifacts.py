"""Artifacts: what people kept as evidence, and one of them with its frozen tables."""

from typing import Any

from django.db.models import Q
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_safe

from connectors.models import Workspace
from connectors.spec import Column
from portal.access import EXPORT, VIEW, needs
from portal.models import User

from .. import artifacts, tables
from ..document import ExportError
from ..models import Artifact
from ..seal import seal
from . import asked
from .exporting import download, failed
from .reports import chosen
from .workspaces import draw

# What the list can be sorted by: the name in the address, the head's title, the field.
COLUMNS = (
    ("title", "Title", "title"),
    ("workspace", "Workspace", "workspace__name"),
    ("report", "Report", "report"),
    ("kept", "Kept", "kept_at"),
    ("by", "By", "kept_by__username"),
)


@needs(VIEW)
@require_safe
def index(request: HttpRequest) -> HttpResponse:
    query = request.GET
    q, report = asked.words(query), asked.words(query, "report")
    workspace, person = (asked.whole(str(query.get(name, ""))) for name in ("workspace", "by"))
    found = Artifact.objects.filter(Q(title__icontains=q) | Q(sha256__startswith=q.lower()))
    for field, value in (("workspace", workspace), ("report", report), ("kept_by", person)):
        found = found.filter(**{field: value}) if value else found
    sort, fields = asked.order(query, {name: field for name, _, field in COLUMNS}, "-kept")
    rows = found.select_related("workspace", "snapshot", "kept_by").defer("body", "snapshot__header").order_by(*fields)
    context = {
        "page": asked.page(rows, query),
        "heads": [tables.head(Column(name, title), sort) for name, title, _ in COLUMNS],
        "q": q,
        "workspace": workspace,
        "report": report,
        "by": person,
        "narrowed": bool(q or workspace or report or person),
        "workspaces": Workspace.objects.filter(head__gt=0),
        "reports": Artifact.objects.order_by("report").values_list("report", flat=True).distinct(),
        "people": User.objects.filter(pk__in=Artifact.objects.values("kept_by")).order_by("username"),
    }
    return render(request, "evidence/artifacts.html", context)


@needs(VIEW)
@require_safe
def artifact(request: HttpRequest, pk: int) -> HttpResponse:
    found = _artifact(pk)
    grave = artifacts.grave_of(found)
    fault = None if grave else artifacts.fault_of(found)
    context: dict[str, Any] = {"artifact": found, "fault": fault, "grave": grave}
    if fault is None and grave is None:
        document = artifacts.document_of(found)
        table = chosen(document, request.GET)
        context |= {
            "document": document,
            "seal": seal(found.snapshot, document.provenance),
            "drawing": draw(document.report.flow, reverse("artifact", args=[pk])),
            "table": table,
            "export_base": reverse("artifact", args=[pk]) + "export.",
            "keep": [("table", request.GET.get("table"))],
            "selection": tables.select(table, request.GET) if table else None,
        }
    return render(request, "evidence/artifact.html", context)


def _artifact(pk: int) -> Artifact:
    related = Artifact.objects.select_related("workspace", "snapshot__workspace", "kept_by")
    found: Artifact = get_object_or_404(related, pk=pk)
    return found


@needs(EXPORT)
@require_GET
def export(request: HttpRequest, pk: int, fmt: str) -> HttpResponseBase:
    found = _artifact(pk)
    if grave := artifacts.grave_of(found):
        return failed(request, found.title, ExportError("export-erased", f"This artifact was {grave}."))
    if fault := artifacts.fault_of(found):
        return failed(request, found.title, ExportError("export-frozen", fault.what))
    return download(request, artifacts.document_of(found), fmt, found)
