"""The admin's pages for sync runs: the list, one run with all that explains it, and the run as a file for support."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.http import require_safe

from portal import audit
from portal.access import MANAGE, demand, needs
from portal.adminpages import OwnPages, when, with_code
from portal.chips import Chip, chips
from portal.templatetags.portal import duration, foreign

from . import buttons, display, registry, runfacts, runfile, runlines, timings
from .models import Connection, SyncRun
from .spec import ANOMALIES, Connector, State
from .timings import REPEATED, RETRIED, Asked

RECEIPTS_A_PAGE = 100
OFFERED = 20  # connections in the list's filter; the search finds the others
_NUMBER = re.compile(r"(?:sync\s+)?(?:run\s*)?#?(\d{1,9})", re.IGNORECASE)


# --- the list -------------------------------------------------------------------------------------


class OfConnection(admin.SimpleListFilter):
    """By connection: the ones that were read last, and the chosen one."""

    title, parameter_name = "connection", "connection"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        newest = SyncRun.objects.order_by("-pk").values_list("connection", flat=True)[:500]
        offered = [*list(dict.fromkeys(newest))[:OFFERED], *self._chosen()]
        found = Connection.objects.filter(pk__in=offered).order_by("name")
        return [(str(pk), name) for pk, name in found.values_list("pk", "name")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(connection__in=self._chosen()) if self.value() else queryset

    def _chosen(self) -> list[int]:
        """A number that makes no sense chooses nothing."""
        said = self.value() or ""
        return [int(said)] if re.fullmatch("[0-9]{1,9}", said) else []


class OfCode(admin.SimpleListFilter):
    """By what ended the run."""

    title, parameter_name = "code", "code"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        codes = SyncRun.objects.exclude(error_code="").order_by("error_code").values_list("error_code", flat=True)
        return [(code, code) for code in codes.distinct()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(error_code__exact=self.value()) if self.value() else queryset


class SyncRunPages(OwnPages):
    row_template = "admin/connectors/run.html"
    heading = "Sync runs"
    list_display = (
        "__str__",
        "connection_name",
        "standing",
        "started_by",
        "asked",
        "lasted",
        "records",
    )
    asked = when("queued_at", "Asked for")
    list_filter = ("state", "lane", "trigger", OfConnection, OfCode)
    list_select_related = ("connection__workspace",)
    search_fields = ("connection__name", "connection__workspace__name", "connection__workspace__slug", "error_code")
    search_help_text = "Connection, workspace, code, or the number of a run"
    ordering = ("-pk",)

    def get_urls(self) -> list[URLPattern]:
        own = [
            path("<int:pk>/cancel/", buttons.cancel, name="connectors_syncrun_cancel"),
            path("<int:pk>/run.json", download, name="connectors_syncrun_download"),
        ]
        return [*own, *super().get_urls()]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        found, doubled = super().get_search_results(request, queryset, search_term)
        number = _NUMBER.fullmatch(search_term.strip())
        return (found | queryset.filter(pk=int(number[1])) if number else found), doubled

    def facts(self, row: SyncRun, request: HttpRequest) -> dict[str, Any]:
        return _facts(row, request.GET)

    @admin.display(description="Connection", ordering="connection__name")
    def connection_name(self, run: SyncRun) -> SafeString:
        workspace = run.connection.workspace
        within = format_html('<span class="sub">{}</span>', foreign(workspace.name)) if workspace else ""
        return format_html("{}{}", foreign(run.connection.name), within)

    @admin.display(description="State", ordering="state")
    def standing(self, run: SyncRun) -> SafeString:
        return with_code(display.run_state(run.state), run.error_code)

    @admin.display(description="Started by", ordering="trigger")
    def started_by(self, run: SyncRun) -> SafeString:
        lane = format_html('<span class="sub">{}</span>', run.get_lane_display()) if run.lane != "main" else ""
        return format_html("{}{}", display.TRIGGERS.get(run.trigger, run.trigger), lane)

    @admin.display(description="Took")
    def lasted(self, run: SyncRun) -> SafeString:
        return format_html('<span class="nw">{}</span>', duration(display.took(run)))


# --- one run --------------------------------------------------------------------------------------


def _facts(run: SyncRun, query: Mapping[str, Any]) -> dict[str, Any]:
    connector = registry.get(run.connection.connector)
    rows = timings.asked(run, connector)
    figures = timings.by_stream(rows)
    before, after = runfacts.neighbours(run)
    return {
        "title": str(run),
        "run": run,
        "mark": display.run_state(run.state),
        "took": display.took(run),
        "started_by": display.TRIGGERS.get(run.trigger, run.trigger),
        "token": runfacts.token_of(run),
        "snapshot": runfacts.snapshot_of(run),
        "trouble": display.trouble(run.error_code, run.error_detail, connector) if run.error_code else None,
        "lines": runlines.lines(run, figures),
        "total": timings.figures(rows),
        "others": figures.get(""),
        "identity": next((s.title for s in connector.streams if connector.probe in {w.path for w in s.ways}), ""),
        "silence": timings.silence(rows),
        "slowest": timings.slowest(rows),
        "odd": [(each, _odd(each)) for each in runfacts.anomalies_of(run)],
        "missed": [(each, display.missed_state(each)) for each in runfacts.missed_near(run)],
        "before": before,
        "after": after,
        **_requests(rows, connector, query),
    }


def _odd(anomaly: Any) -> State:
    word, means = ANOMALIES.get(anomaly.kind, (anomaly.kind, ""))
    return State("na" if anomaly.acknowledged_at else "unknown", word, means)


# --- its requests ---------------------------------------------------------------------------------

AGAIN: Mapping[str, str] = {RETRIED: "Tried again", REPEATED: "Read again"}
SORTS: Mapping[str, str] = {"": "As they were sent", "ms": "Slowest first", "size": "Largest first"}


def _requests(rows: Sequence[Asked], connector: Connector, query: Mapping[str, Any]) -> dict[str, Any]:
    """The requests that the address asks for, and what may be asked for besides."""
    said = {name: str(query.get(name, "")).replace("\0", "").strip()[:200] for name in ("q", "stream", "status")}
    said |= {name: str(query.get(name, "")) for name in ("again", "sort")}
    named = [row for row in rows if said["q"].casefold() in f"{row.path}?{row.query}".casefold()]
    of_stream = [row for row in named if said["stream"] in ("", row.stream)]
    found = [row for row in of_stream if _wanted(row, said)]
    if said["sort"] in ("ms", "size"):
        found.sort(key=lambda row: (-getattr(row, said["sort"]), row.n))
    return {
        "asked": said,
        "narrowed": any(said[name] for name in ("q", "stream", "status", "again")),
        "page": Paginator(found, RECEIPTS_A_PAGE).get_page(query.get("page")),
        "statuses": _statuses(of_stream, said["status"]),
        "agains": _agains(of_stream, said["again"]),
        "streams": [(s.name, s.title) for s in connector.streams if s.name in {row.stream for row in rows}],
        "sorts": SORTS.items(),
        "all_requests": len(rows),
    }


def _wanted(row: Asked, said: Mapping[str, str]) -> bool:
    return said["status"] in ("", str(row.status)) and said["again"] in ("", row.again)


def _statuses(rows: Sequence[Asked], chosen: str) -> list[Chip]:
    counted = timings.figures(rows).statuses
    return chips("status", [(str(code), str(code) if code else "No answer", counted[code]) for code in counted], chosen)


def _agains(rows: Sequence[Asked], chosen: str) -> list[Chip]:
    return chips(
        "again", [(name, word, sum(row.again == name for row in rows)) for name, word in AGAIN.items()], chosen
    )


# --- the file -------------------------------------------------------------------------------------


@needs(MANAGE)
@require_safe
def download(request: HttpRequest, pk: int) -> HttpResponse:
    by = demand(request, MANAGE)
    run = get_object_or_404(SyncRun.objects.select_related("connection__workspace", "requested_by"), pk=pk)
    data = runfile.render(run, registry.get(run.connection.connector))
    audit.record(audit.Action.EXPORTED, actor=by, target=run.connection, request=request, run=run.pk, format="json")
    headers = {"Content-Disposition": f'attachment; filename="run-{run.pk}.json"', "Cache-Control": "private, no-store"}
    return HttpResponse(data, content_type="application/json", headers=headers)
