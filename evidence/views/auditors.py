"""What auditors open inside an audit: a control with its evidence, one version of it, and the zip to take away."""

from typing import Any

from django.contrib import messages
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_safe

from portal import audit as log
from portal.access import TAKE_PART, VIEW, demand, needs

from ..audits import bundles, counting, members
from ..audits.refusing import NotPossible
from ..document import ExportError, wording
from ..health import worker
from ..library import proof, serving, store, versions
from ..models import Audit, AuditRequest, Bundle, Phase, Scoped, Version
from .audits import found_for, rights
from .exporting import download, failed

ROWS = 50  # of a report's first table, on the page


@needs(VIEW, TAKE_PART)
@require_safe
def control(request: HttpRequest, pk: int, control: int) -> HttpResponse:
    """One control in scope, and the evidence that supports it in the audit's period."""
    found = found_for(request, pk)
    rows = Scoped.objects.select_related("control__framework")
    scoped = get_object_or_404(rows, audit=found, control=control, within=True)
    context = rights(request, found) | {
        "control": scoped.control,
        "versions": counting.support(found)[control].versions,
        "requests": AuditRequest.objects.filter(audit=found, controls=control),
    }
    return render(request, "evidence/audits/control.html", context)


def _version(request: HttpRequest, audit: Audit, pk: int) -> Version:
    """A version that belongs to the audit and may be shown in it; otherwise it is not there."""
    rows = Version.objects.select_related("snapshot__workspace", "received_by", "artifact", "review")
    found: Version = get_object_or_404(rows.filter(pk__in=counting.shown(audit).values("pk")), pk=pk)
    return found


@needs(VIEW, TAKE_PART)
@require_safe
def version(request: HttpRequest, pk: int, version: int) -> HttpResponse:
    found = found_for(request, pk)
    shown = _version(request, found, version)
    context: dict[str, Any] = rights(request, found) | {"version": shown}
    if grave := proof.grave_of(shown):
        context["grave"] = grave
    elif fault := proof.fault_of(shown):
        context["fault"] = fault
    elif not shown.stored:
        context |= _report(shown)
    return render(request, "evidence/audits/version.html", context)


def _report(shown: Version) -> dict[str, Any]:
    """The first rows of each table of a captured report."""
    document = versions.document_of(shown)
    tables = []
    for table in document.report.tables:
        rows = [[wording(cell) for cell in row] for row, _ in zip(table.rows(), range(ROWS), strict=False)]
        tables.append({"table": table, "rows": rows})
    return {"document": document, "tables": tables}


@needs(VIEW, TAKE_PART)
@require_GET
def file(request: HttpRequest, pk: int, version: int) -> HttpResponseBase:
    """An uploaded file, as it came."""
    found = found_for(request, pk)
    shown = _version(request, found, version)
    if not shown.stored:
        raise Http404
    return serving.respond(request, shown)


@needs(VIEW, TAKE_PART)
@require_GET
def export(request: HttpRequest, pk: int, version: int, fmt: str) -> HttpResponseBase:
    """A captured report as PDF, CSV or JSON."""
    found = found_for(request, pk)
    shown = _version(request, found, version)
    if shown.stored:
        raise Http404
    if grave := proof.grave_of(shown):
        return failed(request, shown.title, ExportError("export-erased", f"This artifact was {grave}."))
    if fault := proof.fault_of(shown):
        return failed(request, shown.title, ExportError("export-frozen", fault.what))
    permission = TAKE_PART if members.outside(request.user) else VIEW
    return download(request, versions.document_of(shown), fmt, shown.artifact, permission=permission)


# --- the zip ----------------------------------------------------------------------------------------------------


@needs(VIEW, TAKE_PART)
@require_http_methods(["GET", "HEAD", "POST"])
def bundle(request: HttpRequest, pk: int) -> HttpResponse:
    """How far the zip is; a POST has it made. htmx asks for the live part alone."""
    found, now = found_for(request, pk), timezone.now()
    if request.method == "POST":
        try:
            by = demand(request, VIEW, TAKE_PART)
            if not bundles.request(found, by=by, now=now, request=request):
                messages.info(request, "It is being made already.")
        except NotPossible as error:
            messages.error(request, error.message)
        return redirect("audit-bundle", pk)
    if found.phase != Phase.CLOSED:
        return redirect("audit", pk)
    newest = bundles.newest(found)
    context = rights(request, found) | {"bundle": newest, "now": now, "worker": worker(now)}
    if getattr(request, "htmx", False):
        if newest is None or not newest.active:
            return HttpResponse(headers={"HX-Refresh": "true"})
        return render(request, "evidence/audits/zip_live.html", context)
    context["made"] = Bundle.objects.filter(audit=found, state=bundles.MADE).select_related("by")[:10]
    return render(request, "evidence/audits/zip.html", context)


@needs(VIEW, TAKE_PART)
@require_GET
def bundle_file(request: HttpRequest, pk: int, number: int) -> HttpResponseBase:
    found = found_for(request, pk)
    made = get_object_or_404(Bundle, audit=found, pk=number, state=bundles.MADE)
    try:
        source = store.open(made.name)
    except store.Missing:
        raise Http404 from None
    by = demand(request, VIEW, TAKE_PART)
    log.record(log.Action.EXPORTED, actor=by, target=found, request=request, format="zip", sha256=made.sha256)
    answer = FileResponse(source, as_attachment=True, filename=f"audit-{found.pk}-evidence.zip")
    answer.headers["Content-Type"], answer.headers["Cache-Control"] = "application/zip", "private, no-store"
    return answer
