"""One artifact, with one of its versions."""

from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_safe

from portal.access import EXPORT, VIEW, needs

from .. import tables
from ..document import ExportError
from ..library import proof, versions
from ..models import Artifact, Version
from ..seal import seal
from . import asked
from .exporting import download, failed
from .reports import chosen
from .workspaces import draw


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
    if grave := proof.grave_of(version):
        return failed(request, found.title, ExportError("export-erased", f"This artifact was {grave}."))
    if fault := proof.fault_of(version):
        return failed(request, found.title, ExportError("export-frozen", fault.what))
    return download(request, versions.document_of(version), fmt, found)
