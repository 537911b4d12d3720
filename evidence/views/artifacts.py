"""The library's list, and one artifact with one of its versions."""

from typing import Any

from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_safe

from connectors.models import Workspace
from connectors.spec import Column
from portal.access import EXPORT, VIEW, needs
from portal.models import User

from .. import tables
from ..document import ExportError
from ..library import proof, versions
from ..models import Artifact, Version
from ..seal import seal
from . import asked
from .exporting import download, failed
from .reports import chosen
from .workspaces import draw

# What the list can be sorted by: the name in the address, the head's title, the field.
COLUMNS = (
    ("title", "Title", "title"),
    ("state", "State", "state"),
    ("received", "Received", "received_at"),
    ("owner", "Owner", "owner__username"),
)


@needs(VIEW)
@require_safe
def index(request: HttpRequest) -> HttpResponse:
    query = request.GET
    q, report = asked.words(query), asked.words(query, "report")
    workspace, person = (asked.whole(str(query.get(name, ""))) for name in ("workspace", "by"))
    found = Artifact.objects.filter(Q(title__icontains=q) | Q(sha256__startswith=q.lower()), archived_at=None)
    for field, value in (("workspaces", workspace), ("report", report), ("owner", person)):
        found = found.filter(**{field: value}) if value else found
    sort, fields = asked.order(query, {name: field for name, _, field in COLUMNS}, "-received")
    rows = found.select_related("owner").order_by(*fields)
    context = {
        "page": asked.page(rows, query),
        "heads": [tables.head(Column(name, title), sort) for name, title, _ in COLUMNS],
        "q": q,
        "workspace": workspace,
        "report": report,
        "by": person,
        "narrowed": bool(q or workspace or report or person),
        "workspaces": Workspace.objects.filter(head__gt=0),
        "reports": Artifact.objects.exclude(report="").order_by("report").values_list("report", flat=True).distinct(),
        "people": User.objects.filter(pk__in=Artifact.objects.values("owner")).order_by("username"),
    }
    return render(request, "evidence/artifacts.html", context)


@needs(VIEW)
@require_safe
def artifact(request: HttpRequest, pk: int) -> HttpResponse:
    found = get_object_or_404(Artifact.objects.select_related("owner"), pk=pk)
    version = _version(found, request)
    grave = proof.grave_of(version)
    fault = None if grave else proof.fault_of(version)
    context: dict[str, Any] = {"artifact": found, "version": version, "fault": fault, "grave": grave}
    if fault is None and grave is None and version.snapshot:
        document = versions.document_of(version)
        table = chosen(document, request.GET)
        context |= {
            "document": document,
            "seal": seal(version.snapshot, document.provenance),
            "drawing": draw(document.report.flow, reverse("artifact", args=[pk])),
            "table": table,
            "export_base": reverse("artifact", args=[pk]) + "export.",
            "keep": [("table", request.GET.get("table")), ("version", request.GET.get("version"))],
            "selection": tables.select(table, request.GET) if table else None,
        }
    return render(request, "evidence/artifact.html", context)


def _version(of: Artifact, request: HttpRequest) -> Version:
    """The version that the address asks for, with its bytes; the newest when it says none."""
    number = asked.whole(str(request.GET.get("version", ""))) or of.newest
    found: Version = get_object_or_404(
        of.versions.select_related("snapshot__workspace", "received_by", "artifact", "review"), number=number
    )
    return found


@needs(EXPORT)
@require_GET
def export(request: HttpRequest, pk: int, fmt: str) -> HttpResponseBase:
    found = get_object_or_404(Artifact, pk=pk)
    version = _version(found, request)
    if version.stored:
        raise Http404
    if grave := proof.grave_of(version):
        return failed(request, found.title, ExportError("export-erased", f"This artifact was {grave}."))
    if fault := proof.fault_of(version):
        return failed(request, found.title, ExportError("export-frozen", fault.what))
    return download(request, versions.document_of(version), fmt, found)
