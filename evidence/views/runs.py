"""Sync runs: the list, and one with its progress while it runs and its outcome afterwards."""

from typing import Any

from django.contrib import messages
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from connectors import missed, runlines, runs
from connectors.models import Lane, Receipt, RunState, SyncRun, Workspace
from portal.access import SYNC, VIEW, demand, needs
from portal.chips import chips

from ..health import worker
from . import asked

RECEIPTS = 50
MISSED = 20
OFFERED = 100


def _all() -> QuerySet[SyncRun]:
    related = SyncRun.objects.select_related("connection__workspace", "requested_by", "snapshot")
    return related.defer("snapshot__header").order_by("-pk")


@needs(VIEW)
@require_safe
def index(request: HttpRequest) -> HttpResponse:
    query = request.GET
    q, state, lane = (asked.words(query, name) for name in ("q", "state", "lane"))
    workspace = asked.whole(str(query.get("workspace", "")))
    found, gone = _all(), missed.listed()
    if workspace is not None:
        found = found.filter(connection__workspace=workspace)
        gone = gone.filter(connection__workspace=workspace)
    if lane in Lane.values:
        found = found.filter(lane=lane)
    if q:
        found = found.filter(_named(q))
    counted = dict(found.order_by().values_list("state").annotate(Count("pk")))
    if state in RunState.values:
        found = found.filter(state=state)
    context = {
        "page": asked.page(found, query),
        "missed": asked.page(gone, query, name="missed", size=MISSED),
        "states": chips("state", [(value, title, counted.get(value, 0)) for value, title in RunState.choices], state),
        "lanes": Lane.choices,
        "q": q,
        "state": state,
        "lane": lane,
        "workspaces": _offered(workspace),
        "workspace": workspace,
        "narrowed": bool(q or state in RunState.values or lane in Lane.values or workspace is not None),
        "now": timezone.now(),
    }
    return render(request, "evidence/runs.html", context)


def _named(q: str) -> Q:
    """Runs of a workspace or connection of that name, with that code, or of that number."""
    found = Q(connection__name__icontains=q) | Q(error_code__icontains=q)
    found |= Q(connection__workspace__name__icontains=q) | Q(connection__workspace__slug__icontains=q)
    number = asked.whole(q.casefold().removeprefix("run").strip())
    return found if number is None else found | Q(pk=number)


def _offered(chosen: int | None) -> list[Workspace]:
    """Workspaces to choose from: the first ones, and the chosen one; the search finds the others."""
    first = list(Workspace.objects.all()[:OFFERED])
    if chosen is None or chosen in {each.pk for each in first}:
        return first
    return [*first, *Workspace.objects.filter(pk=chosen)]


@needs(VIEW)
@require_safe
def run(request: HttpRequest, pk: int) -> HttpResponse:
    """The page; while the run is active, its live part alone when htmx asks for it."""
    found = get_object_or_404(_all(), pk=pk)
    polled = bool(getattr(request, "htmx", False))
    if polled and not found.active:
        return HttpResponse(headers={"HX-Refresh": "true"})
    context: dict[str, Any] = {"run": found, "now": timezone.now(), "lines": runlines.lines(found)}
    if found.active:
        context["worker"] = worker(context["now"])
    else:
        context["receipts"] = asked.page(Receipt.objects.filter(run=found).order_by("n"), request.GET, size=RECEIPTS)
    return render(request, "evidence/parts/run_live.html" if polled else "evidence/run.html", context)


@needs(SYNC)
@require_POST
def cancel(request: HttpRequest, pk: int) -> HttpResponse:
    found = get_object_or_404(_all(), pk=pk)
    if runs.cancel(found, demand(request, SYNC), timezone.now()):
        messages.success(request, "The sync is cancelled. Nothing of it was published.")
    else:
        messages.info(request, "The sync had already ended; nothing was changed.")
    return redirect("run", pk)
