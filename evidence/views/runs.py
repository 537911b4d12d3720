"""Sync runs: the list, and one with its progress while it runs and its outcome afterwards."""

from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from connectors import display, missed, runs
from connectors.models import Receipt, RunState, RunStream, SyncRun, Workspace
from connectors.spec import State
from portal.access import SYNC, VIEW, demand, needs

from ..health import worker
from . import asked

RECEIPTS = 50
MISSED = 20


def _all() -> QuerySet[SyncRun]:
    related = SyncRun.objects.select_related("connection__workspace", "requested_by", "snapshot")
    return related.defer("snapshot__header").order_by("-pk")


@needs(VIEW)
@require_safe
def index(request: HttpRequest) -> HttpResponse:
    state = str(request.GET.get("state", ""))
    workspace = asked.whole(str(request.GET.get("workspace", "")))
    found, gone = _all(), missed.listed()
    if state in RunState.values:
        found = found.filter(state=state)
    if workspace is not None:
        found = found.filter(connection__workspace=workspace)
        gone = gone.filter(connection__workspace=workspace)
    context = {
        "page": asked.page(found, request.GET),
        "missed": asked.page(gone, request.GET, name="missed", size=MISSED),
        "states": RunState.choices,
        "state": state,
        "workspaces": Workspace.objects.all(),
        "workspace": workspace,
        "now": timezone.now(),
    }
    return render(request, "evidence/runs.html", context)


@needs(VIEW)
@require_safe
def run(request: HttpRequest, pk: int) -> HttpResponse:
    """The page; while the run is active, its live part alone when htmx asks for it."""
    found = get_object_or_404(_all(), pk=pk)
    polled = bool(getattr(request, "htmx", False))
    if polled and not found.active:
        return HttpResponse(headers={"HX-Refresh": "true"})
    context: dict[str, Any] = {"run": found, "now": timezone.now(), "streams": _streams(found)}
    if found.active:
        context["worker"] = worker(context["now"])
    else:
        context["receipts"] = asked.page(Receipt.objects.filter(run=found).order_by("n"), request.GET, size=RECEIPTS)
    return render(request, "evidence/parts/run_live.html" if polled else "evidence/run.html", context)


def _streams(run: SyncRun) -> list[tuple[RunStream, State]]:
    return [(row, display.stream_state(row.state)) for row in RunStream.objects.filter(run=run).order_by("position")]


@needs(SYNC)
@require_POST
def cancel(request: HttpRequest, pk: int) -> HttpResponse:
    found = get_object_or_404(_all(), pk=pk)
    if runs.cancel(found, demand(request, SYNC), timezone.now()):
        messages.success(request, "The sync is cancelled. Nothing of it was published.")
    else:
        messages.info(request, "The sync had already ended; nothing was changed.")
    return redirect("run", pk)
