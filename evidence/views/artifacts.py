"""One artifact, with one of its versions."""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_safe

from portal.access import EXPORT, REVIEW, VIEW, holders, needs
from portal.models import AuditEntry, User

from .. import tables
from ..document import ExportError
from ..library import freshness, proof, reviewing, staleness, versions
from ..models import Artifact, Every, Version
from ..seal import seal
from . import asked
from .exporting import download, failed
from .reports import chosen
from .workspaces import draw

HISTORY = 20  # entries of the audit log on a page


@needs(VIEW)
@require_safe
def artifact(request: HttpRequest, pk: int) -> HttpResponse:
    found = get_object_or_404(Artifact.objects.select_related("owner", "drift"), pk=pk)
    return page(request, found, asked.whole(str(request.GET.get("version", ""))) or found.newest)


def page(
    request: HttpRequest, found: Artifact, number: int, refused: reviewing.NotPossible | None = None
) -> HttpResponse:
    """An artifact with one of its versions; `refused` is what a verb said, and stands beside its field."""
    version = _version(found, number)
    grave = proof.grave_of(version)
    fault = None if grave else proof.fault_of(version)
    context = {"artifact": found, "version": version, "fault": fault, "grave": grave, "refused": refused}
    context |= _about(request, found, version)
    if fault is None and grave is None and version.snapshot:
        context |= _content(request, version)
    return render(request, "evidence/artifact.html", context, status=409 if refused else 200)


def _content(request: HttpRequest, version: Version) -> dict[str, Any]:
    """The tables of a captured report, as they were frozen."""
    assert version.snapshot is not None
    document, at = versions.document_of(version), reverse("artifact", args=[version.artifact_id])
    table = chosen(document, request.GET)
    return {
        "document": document,
        "seal": seal(version.snapshot, document.provenance),
        "drawing": draw(document.report.flow, at),
        "table": table,
        "export_base": f"{at}export.",
        "keep": [("table", request.GET.get("table")), ("version", request.GET.get("version"))],
        "selection": tables.select(table, request.GET) if table else None,
    }


def _about(request: HttpRequest, found: Artifact, version: Version) -> dict[str, Any]:
    """What people say and have done: links, versions, review, comments, history."""
    today, person = timezone.localdate(), request.user
    entries = AuditEntry.objects.filter(target=f"artifact {found.pk}").order_by("-pk")
    return {
        "today": today,
        "fresh": freshness.of(found, today=today),
        "drift": staleness.of(found),
        "review": version.review,
        "own": reviewing.own(version.review, version, person) if isinstance(person, User) else "",
        "reviewers": holders(REVIEW).exclude(pk__in=[pk for pk in (person.pk, version.received_by_id) if pk]),
        "every": Every.choices,
        "waits": bool(found.due_on and found.due_on <= today),
        "tags": found.tags.all(),
        "collections": found.collections.all(),
        "workspaces": found.workspaces.all(),
        "controls": found.controls.select_related("framework"),
        "records": found.records.select_related("workspace")[:50],
        "actions": found.actions.order_by("-pk")[:20],
        "versions": asked.page(_versions(found), request.GET, "versions", 20),
        "about": found,
        "about_kind": "artifact",
        "comments": found.comments.select_related("by").order_by("pk"),
        "entries": asked.page(entries, request.GET, "past", HISTORY),
        "reason": request.POST.get("reason", "")[: reviewing.LONGEST],
    }


def _versions(found: Artifact) -> Any:
    rows = found.versions.select_related("received_by", "snapshot", "review__decided_by")
    return rows.defer("body", "snapshot__header").order_by("-number")


def _version(of: Artifact, number: int) -> Version:
    """A version with its bytes."""
    related = ("snapshot__workspace", "received_by", "artifact", "review__decided_by", "review__submitted_by")
    found: Version = get_object_or_404(of.versions.select_related(*related, "review__reviewer"), number=number)
    return found


@needs(EXPORT)
@require_GET
def export(request: HttpRequest, pk: int, fmt: str) -> HttpResponseBase:
    found = get_object_or_404(Artifact, pk=pk)
    version = _version(found, asked.whole(str(request.GET.get("version", ""))) or found.newest)
    if version.stored:
        raise Http404
    if grave := proof.grave_of(version):
        return failed(request, found.title, ExportError("export-erased", f"This artifact was {grave}."))
    if fault := proof.fault_of(version):
        return failed(request, found.title, ExportError("export-frozen", fault.what))
    return download(request, versions.document_of(version), fmt, found)
