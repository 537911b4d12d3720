"""Workspaces: the list, and the overview of one with its data flow, coverage, snapshots and runs."""

from collections.abc import Callable, Mapping
from typing import Any

from django.contrib import messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST, require_safe

from connectors import missed, pauses, registry, runs
from connectors.models import Connection, ConnectionState, Snapshot, SyncRun, Workspace
from connectors.spec import Flow
from portal import access
from portal.access import SYNC, VIEW, needs

from .. import flow as drawing
from .. import reports
from ..asof import Seen, changes
from ..health import health
from ..seal import seal
from ..text import visible
from . import anomalies, asked
from .past import as_of

SNAPSHOTS = 10
RUNS = 10
ODD = 20


@needs(VIEW)
@require_safe
def index(request: HttpRequest) -> HttpResponse:
    q = asked.words(request.GET)
    found = Workspace.objects.filter(Q(name__icontains=q) | Q(slug__icontains=q) | Q(remote_id__icontains=q))
    page = asked.page(found, request.GET)
    context = {
        "q": q,
        "page": page,
        "healths": health(page.object_list, timezone.now()),
        "pause": pauses.everything(),
        "now": timezone.now(),
    }
    return render(request, "evidence/workspaces.html", context)


@needs(VIEW)
@require_safe
@as_of
def overview(request: HttpRequest, seen: Seen) -> HttpResponse:
    workspace, snapshot = seen.workspace, seen.snapshot
    last = snapshot.seq if snapshot else 0
    held = Snapshot.objects.filter(workspace=workspace, seq__lte=last).defer("header", "signature")
    page = asked.page(held.select_related("run").order_by("-seq"), request.GET, size=SNAPSHOTS)
    context = {
        "workspace": workspace,
        "seen": seen,
        "reports": registry.get(workspace.connector).reports,
        "page": page,
        "changes": changes(workspace, [each.seq for each in page]),
        "odd": anomalies.until(seen)[:ODD],
    }
    if snapshot is not None:
        context |= {"seal": seal(snapshot)} | _first_report(snapshot, seen)
    context |= _now(workspace) if not seen.past else {"runs": _runs().filter(snapshot=snapshot)}
    return render(request, "evidence/workspace.html", context)


def _now(workspace: Workspace) -> dict[str, Any]:
    """How the workspace is doing. It belongs to no snapshot, so a page of the past leaves it out."""
    now = timezone.now()
    (found,) = health([workspace], now)
    return {
        "health": found,
        "runs": _runs().filter(connection__workspace=workspace)[:RUNS],
        "missed": missed.listed().filter(connection__workspace=workspace)[:RUNS],
        "pause": pauses.everything(),
        "now": now,
    }


def _runs() -> QuerySet[SyncRun]:
    return SyncRun.objects.select_related("connection", "snapshot").defer("snapshot__header").order_by("-pk")


def _first_report(snapshot: Snapshot, seen: Seen) -> dict[str, Any]:
    """The facts and the drawing of the report that the connector names first."""
    specs = registry.get(snapshot.workspace.connector).reports
    if not specs:
        return {}
    document = reports.document(snapshot, specs[0].name)
    address = reverse("report", args=[snapshot.workspace_id, specs[0].name])
    return {"document": document, "drawing": draw(document.report.flow, address, seen.keep), "drawn": specs[0]}


def draw(flow: Flow | None, address: str, keep: Mapping[str, str] | None = None) -> SafeString:
    """The drawing with each box leading to the rows of `address` that name it; "" when there is nothing to draw.

    `keep`: what these links carry on.
    """
    return SafeString(drawing.draw(flow, link=_link(flow, address, keep or {}))) if flow else SafeString("")


def _link(flow: Flow, address: str, keep: Mapping[str, str]) -> Callable[[str], str]:
    titles = {node.key: node.title for node in flow.nodes}

    def link(key: str) -> str:
        group = key.split(":", 2)[2].removesuffix(":gap") if key.startswith("group:") else ""
        words = visible(titles.get(key, group))
        return f"{address}?{urlencode({**keep, 'q': words[:100]})}" if words and words != "…" else ""

    return link


@needs(SYNC)
@require_POST
def sync_now(request: HttpRequest, pk: int) -> HttpResponse:
    workspace = asked.workspace(pk)
    by = access.demand(request, SYNC)
    connection = Connection.objects.filter(workspace=workspace).exclude(state=ConnectionState.DISCONNECTED).first()
    if connection is None:
        messages.error(request, "This workspace has no connection any more: an administrator can connect it again.")
        return redirect("workspace", pk)
    try:
        run = runs.request(connection, trigger="person", now=timezone.now(), by=by)
    except runs.Refused as refused:
        messages.warning(request, f"{refused} Nothing was started.")
        return redirect("run", refused.run.pk) if refused.run else redirect("workspace", pk)
    return redirect("run", run.pk)
