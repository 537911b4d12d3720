"""Reports: which there are, one of them over a snapshot, keeping it as evidence, taking it away."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.views.decorators.http import require_GET, require_POST, require_safe

from connectors import registry
from connectors.models import Snapshot, Workspace
from connectors.spec import ReportSpec, Row, Table
from portal.access import CAPTURE, EXPORT, VIEW, demand, needs

from .. import reports, tables
from ..asof import NAME, Seen
from ..document import Document
from ..health import health
from ..library import versions
from ..seal import seal
from ..text import visible
from . import asked
from .exporting import download
from .past import as_of
from .workspaces import draw

MOST_ROWS = 2_000  # of a table that can be asked for in parts, before only one part is shown
ONLY = "only-"  # begins the parameter that names a part

# Tables that were seen to be longer than MOST_ROWS, so that they are not read again to find out. A snapshot's
# report never changes, so nothing here grows stale.
_long: set[tuple[str, str, str]] = set()


@needs(VIEW)
@require_safe
def index(request: HttpRequest) -> HttpResponse:
    page = asked.page(Workspace.objects.all(), request.GET, size=20)
    held = [(each, registry.get(each.workspace.connector).reports) for each in health(page.object_list, timezone.now())]
    return render(request, "evidence/reports.html", {"page": page, "held": held, "now": timezone.now()})


@needs(VIEW)
@require_safe
@as_of
def report(request: HttpRequest, seen: Seen, name: str) -> HttpResponse:
    workspace, snapshot = seen.workspace, seen.snapshot
    spec = _spec(workspace, name)
    context: dict[str, Any] = {
        "workspace": workspace,
        "seen": seen,
        "spec": spec,
        "reports": registry.get(workspace.connector).reports,
        "snapshot": snapshot,
    }
    if snapshot is None:
        return render(request, "evidence/report_empty.html", context)
    document, shown = _shown(snapshot, name, request.GET)
    context |= {
        "document": document,
        "seal": seal(snapshot, document.provenance),
        "drawing": draw(document.report.flow, reverse("report", args=[workspace.pk, name]), seen.keep),
        "shown": shown,
        "selection": tables.select(shown.table, request.GET, shown.rows) if shown else None,
        "export_base": reverse("report", args=[workspace.pk, name]) + "export.",
        "export_query": urlencode({NAME: snapshot.seq}),  # what was seen, also if a newer one comes meanwhile
        "csv_rows": len(shown.rows) if shown and not shown.part else None,
        "more_than": MOST_ROWS,
        "keep": [*seen.keep.items(), ("table", request.GET.get("table"))]
        + ([(f"{ONLY}{shown.table.partition}", shown.part)] if shown and shown.part else []),
    }
    return render(request, "evidence/report.html", context)


def _spec(workspace: Workspace, name: str) -> ReportSpec:
    for spec in registry.get(workspace.connector).reports:
        if spec.name == name:
            return spec
    raise Http404


# --- one table of the report --------------------------------------------------------------------


@dataclass(frozen=True)
class Shown:
    """The table that a page shows. `part` is "" when all of its rows are held, else the one of `parts` that is."""

    table: Table
    rows: tuple[Row, ...]
    part: str = ""
    parts: tuple[tuple[str, str], ...] = ()


def _shown(snapshot: Snapshot, name: str, query: Mapping[str, Any]) -> tuple[Document, Shown | None]:
    """The report and the table that is asked for, the first one if none is. A very long table comes in parts."""
    only = {key.removeprefix(ONLY): str(value) for key, value in query.items() if key.startswith(ONLY) and value}
    document = reports.document(snapshot, name, only)
    table = chosen(document, query)
    if table is None:
        return document, None
    if not table.partition:
        return document, Shown(table, tuple(table.rows()))
    part, key = only.get(table.partition, ""), (snapshot.header_sha256, name, table.name)
    if not part and key not in _long:
        rows = tuple(islice(table.rows(), MOST_ROWS + 1))
        if len(rows) <= MOST_ROWS:
            return document, Shown(table, rows)
        _long.add(key)
    parts = _parts(document, table)
    if not part and parts:
        part = parts[0][0]
        table = reports.document(snapshot, name, {table.partition: part}).table(table.name)
    return document, Shown(table, tuple(table.rows()), part, parts)


def chosen(document: Document, query: Mapping[str, Any]) -> Table | None:
    named = {table.name: table for table in document.report.tables}
    return named.get(str(query.get("table", "")), next(iter(named.values()), None))


def _parts(document: Document, table: Table) -> tuple[tuple[str, str], ...]:
    """What a table can be asked for in parts by, with names: the report's other table that has ids lists them."""
    for other in document.report.tables:
        names = [column.name for column in other.columns]
        if other.name != table.name and "id" in names:
            at = names.index("id")
            return tuple((visible(str(row[at])), visible(str(row[0]))) for row in other.rows())
    return ()


# --- keeping, taking away -----------------------------------------------------------------------


@needs(CAPTURE)
@require_POST
@as_of
def capture(request: HttpRequest, seen: Seen, name: str) -> HttpResponse:
    workspace, snapshot = seen.workspace, seen.snapshot
    if snapshot is None:
        messages.warning(request, "There is no snapshot yet, so there is nothing to keep. Sync the workspace first.")
        return redirect("report", workspace.pk, _spec(workspace, name).name)
    version = versions.capture(
        snapshot,
        _spec(workspace, name).name,
        title=request.POST.get("title", ""),
        by=demand(request, CAPTURE),
        now=timezone.now(),
        request=request,
    )
    messages.success(request, "Kept as evidence. From now on it cannot be changed.")
    return redirect("artifact", version.artifact_id)


@needs(EXPORT)
@require_GET
@as_of
def export(request: HttpRequest, seen: Seen, name: str, fmt: str) -> HttpResponseBase:
    spec = _spec(seen.workspace, name)
    if seen.snapshot is None:
        raise Http404
    return download(request, reports.document(seen.snapshot, spec.name), fmt, seen.snapshot)
