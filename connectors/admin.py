"""The admin's pages for connections, sync runs and what these left. They ask, call one verb, and say what happened."""

import json
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.http import require_http_methods, require_POST

from portal.access import MANAGE, SYNC, demand, needs
from portal.adminpages import OwnPages, ReadOnlyPages, page
from portal.models import User
from portal.templatetags.portal import DASH, duration, foreign, moment, state

from . import connections, display, locker, registry, runs, wizard
from .connections import NotPossible
from .models import Connection, ConnectionState, Receipt, Snapshot, SyncRun, Workspace
from .spec import ConnectorError

LIVE = (ConnectionState.ACTIVE, ConnectionState.PAUSED)
RECEIPTS_A_PAGE = 100


# --- what can be done with a connection: one button, one verb ---------------------------------------

Verb = Callable[[HttpRequest, Connection, User, datetime], HttpResponse | str]


def _sync(request: HttpRequest, connection: Connection, by: User, now: datetime) -> HttpResponse:
    demand(request, SYNC)
    return redirect("run", runs.request(connection, trigger="person", now=now, by=by).pk)


def _check(request: HttpRequest, connection: Connection, by: User, now: datetime) -> str:
    connections.check(connection, by=by, now=now, request=request)
    found = display.checked(connection)
    if found is not None and found.trouble:
        raise NotPossible(found.code, found.trouble.happened)
    return "The token was checked. What it may read stands below."


def _pause(request: HttpRequest, connection: Connection, by: User, now: datetime) -> str:
    connections.pause(connection, by=by, now=now, request=request)
    return "Paused. No sync starts until somebody resumes; one that runs now goes on."


def _resume(request: HttpRequest, connection: Connection, by: User, now: datetime) -> str:
    connections.resume(connection, by=by, now=now, request=request)
    return "Resumed. The schedule counts again."


def _reschedule(request: HttpRequest, connection: Connection, by: User, now: datetime) -> str:
    form = wizard.ScheduleForm(request.POST)
    if not form.is_valid():
        raise NotPossible("schedule-unknown", "Choose how often to read, and at which hour.")
    connections.reschedule(connection, by=by, now=now, request=request, **form.cleaned_data)
    return f"The schedule is now: {display.schedule_words(connection).lower()}."


def _disconnect(request: HttpRequest, connection: Connection, by: User, now: datetime) -> str:
    connections.disconnect(connection, by=by, now=now, request=request)
    return "Disconnected. The token was wiped here; revoke it in the service as well."


VERBS: dict[str, Verb] = {
    "sync": _sync,
    "check-again": _check,
    "pause": _pause,
    "resume": _resume,
    "reschedule": _reschedule,
    "disconnect": _disconnect,
}


def _act(verb: str, request: HttpRequest, pk: int) -> HttpResponse:
    """Does one thing with a connection and leads back to its page, or to what came of it."""
    connection = Connection.objects.select_related("workspace").filter(pk=pk).first()
    if connection is None:
        messages.error(request, "There is no such connection.")
        return redirect(wizard.LIST)
    try:
        if connection.state not in LIVE:
            raise NotPossible("wrong-state", f"“{connection.name}” is {connection.get_state_display().lower()} by now.")
        said = VERBS[verb](request, connection, demand(request, MANAGE), timezone.now())
    except runs.Refused as error:
        messages.warning(request, str(error))
        return redirect("run", error.run.pk) if error.run else redirect(wizard.CHANGE, pk)
    except (NotPossible, ConnectorError) as error:
        messages.error(request, f"{error.message} ({error.code})")
        return redirect(wizard.CHANGE, pk)
    if isinstance(said, HttpResponse):
        return said
    messages.success(request, said)
    return redirect(wizard.CHANGE, pk)


def _button(verb: str) -> Callable[..., HttpResponseBase]:
    return needs(MANAGE)(require_POST(partial(_act, verb)))


@needs(MANAGE)
@require_http_methods(["GET", "HEAD", "POST"])
def _disconnect_page(request: HttpRequest, pk: int) -> HttpResponse:
    """Says what will happen before it happens."""
    connection = Connection.objects.select_related("workspace").filter(pk=pk, state__in=LIVE).first()
    if request.method == "POST" or connection is None:
        return _act("disconnect", request, pk)
    kept = Snapshot.objects.filter(workspace=connection.workspace).count()
    title = f"Disconnect “{connection.name}”?"
    return page(request, "admin/connectors/disconnect.html", title=title, connection=connection, kept=kept)


# --- connections ------------------------------------------------------------------------------------


class ServiceFilter(admin.SimpleListFilter):
    title, parameter_name = "service", "service"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(slug, connector.title) for slug, connector in registry.all_connectors().items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(connector=self.value()) if self.value() else queryset


@admin.register(Connection)
class ConnectionPages(OwnPages):
    """The list never loads a token: the model's default manager leaves it out. A draft's page is its next step."""

    row_template = "admin/connectors/connection.html"
    list_display = (
        "name",
        "service",
        "workspace_name",
        "region",
        "standing",
        "last_sync",
        "next_sync_at",
        "error_code",
    )
    list_filter = ("state", ServiceFilter)
    list_select_related = ("workspace",)
    search_fields = ("name", "workspace__name", "workspace__slug")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def get_urls(self) -> list[URLPattern]:
        buttons = [
            path(f"<int:pk>/{verb}/", _button(verb), name=f"connectors_connection_{verb}")
            for verb in VERBS
            if verb != "disconnect"
        ]
        ask = path("<int:pk>/disconnect/", _disconnect_page, name="connectors_connection_disconnect")
        return [*wizard.urls(), *buttons, ask, *super().get_urls()]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Connection]:
        newest = SyncRun.objects.filter(connection=OuterRef("pk")).order_by("-pk")
        return Connection.objects.annotate(
            last_run=Subquery(newest.values("pk")[:1]),
            last_state=Subquery(newest.values("state")[:1]),
            last_time=Subquery(newest.values("queued_at")[:1]),
        ).order_by("name")

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        return redirect(wizard.url("connect"))

    def show(self, request: HttpRequest, row: Connection) -> HttpResponse:
        if row.state == ConnectionState.DRAFT:
            return redirect(wizard.url(wizard.next_step(row)), row.pk)
        return super().show(request, row)

    def facts(self, row: Connection, request: HttpRequest) -> dict[str, Any]:
        return _facts(row)

    @admin.display(ordering="connector")
    def service(self, connection: Connection) -> str:
        return registry.get(connection.connector).title

    @admin.display(description="Workspace", ordering="workspace__name")
    def workspace_name(self, connection: Connection) -> SafeString | str:
        return foreign(connection.workspace.name) if connection.workspace else DASH

    @admin.display(description="State", ordering="state")
    def standing(self, connection: Connection) -> SafeString:
        return state(display.connection_state(connection))

    @admin.display(description="Last sync", ordering="last_time")
    def last_sync(self, connection: Any) -> SafeString | str:
        if connection.last_run is None:
            return "Never"
        where = reverse("run", args=[connection.last_run])
        outcome = state(display.run_state(connection.last_state))
        return format_html(
            '{}<span class="sub"><a href="{}">{}</a></span>', outcome, where, moment(connection.last_time)
        )

    @admin.display(description="Next sync", ordering="next_sync")
    def next_sync_at(self, connection: Connection) -> SafeString | str:
        return moment(connection.next_sync)


def _facts(connection: Connection) -> dict[str, Any]:
    connector = registry.get(connection.connector)
    happened = "The last sync of this connection did not publish." if connection.error_code else ""
    return {
        "title": connection.name,
        "connection": connection,
        "connector": connector,
        "mark": display.connection_state(connection),
        "region": display.region_title(connector, connection.region),
        "role": next(
            (r.title for r in connector.guide.roles if r.name == connection.token_role), connection.token_role
        ),
        "live": connection.state in LIVE,
        "checked": display.checked(connection),
        "trouble": display.trouble(connection.error_code, happened, connector) if connection.error_code else None,
        "schedule": display.schedule_words(connection),
        "rhythms": display.rhythms(connection.schedule_hour, timezone.now()),
        "hours": wizard.HOURS,
        "runs": [
            (run, display.run_state(run.state), display.took(run))
            for run in connection.runs.select_related("snapshot").defer("snapshot__header")[:5]
        ],
    }


# --- sync runs --------------------------------------------------------------------------------------


@needs(MANAGE)
@require_POST
def _cancel(request: HttpRequest, pk: int) -> HttpResponse:
    run = SyncRun.objects.select_related("connection").filter(pk=pk).first()
    if run is not None and runs.cancel(run, demand(request, SYNC), timezone.now()):
        messages.success(request, f"{run} was cancelled. Nothing of it is kept; the newest snapshot stays the newest.")
    else:
        messages.warning(request, "This sync run has ended already.")
    return redirect("admin:connectors_syncrun_change", pk)


@admin.register(SyncRun)
class SyncRunPages(OwnPages):
    row_template = "admin/connectors/run.html"
    list_display = ("__str__", "connection_name", "standing", "trigger", "queued", "lasted", "requests_done", "records")
    list_filter = ("state", "trigger")
    list_select_related = ("connection",)
    search_fields = ("connection__name", "error_code")
    ordering = ("-pk",)

    def get_urls(self) -> list[URLPattern]:
        return [path("<int:pk>/cancel/", _cancel, name="connectors_syncrun_cancel"), *super().get_urls()]

    def facts(self, row: SyncRun, request: HttpRequest) -> dict[str, Any]:
        return _run_facts(row, request.GET.get("page", "1"))

    @admin.display(description="Connection", ordering="connection__name")
    def connection_name(self, run: SyncRun) -> str:
        return run.connection.name

    @admin.display(description="State", ordering="state")
    def standing(self, run: SyncRun) -> SafeString:
        return state(display.run_state(run.state))

    @admin.display(description="Asked for", ordering="queued_at")
    def queued(self, run: SyncRun) -> SafeString | str:
        return moment(run.queued_at)

    @admin.display(description="Took")
    def lasted(self, run: SyncRun) -> str:
        return duration(display.took(run))


def _run_facts(run: SyncRun, page_number: str) -> dict[str, Any]:
    connector = registry.get(run.connection.connector)
    return {
        "title": str(run),
        "run": run,
        "mark": display.run_state(run.state),
        "took": display.took(run),
        "snapshot": Snapshot.objects.filter(run=run).only("seq", "workspace").first(),
        "trouble": display.trouble(run.error_code, run.error_detail, connector) if run.error_code else None,
        "streams": [(row, display.stream_state(row.state, row.reason)) for row in run.stream_rows.all()],
        "receipts": Paginator(run.receipts.order_by("n"), RECEIPTS_A_PAGE).get_page(page_number),
    }


# --- what the runs left: to be looked at, by nobody to be changed -----------------------------------


@admin.register(Workspace)
class WorkspacePages(ReadOnlyPages):
    list_display = ("name", "connector", "region", "remote_id", "head")
    list_filter = ("connector", "region")
    search_fields = ("name", "slug", "remote_id")
    fields = ("name", "slug", "connector", "region", "remote_id", "uid", "head")


@admin.register(Snapshot)
class SnapshotPages(ReadOnlyPages):
    list_display = ("__str__", "published_at", "header_sha256", "key_id")
    list_filter = ("workspace",)
    list_select_related = ("workspace",)
    date_hierarchy = "published_at"
    ordering = ("-published_at",)
    fields = ("workspace", "seq", "run", "published_at", "header_sha256", "previous_sha256", "key_id", "header_text")
    readonly_fields = ("header_text",)

    @admin.display(description="Header")
    def header_text(self, snapshot: Snapshot) -> SafeString:
        return format_html("<pre>{}</pre>", json.dumps(locker.header_of(snapshot), indent=2, ensure_ascii=False))


@admin.register(Receipt)
class ReceiptPages(ReadOnlyPages):
    list_display = ("__str__", "run", "n", "query", "attempt", "sent_at", "ms", "size", "request_id")
    list_filter = ("status",)
    list_select_related = ("run",)
    search_fields = ("path",)
    ordering = ("-pk",)
    fields = ("run", "n", "path", "query", "status", "attempt", "sent_at", "ms", "size", "digest", "request_id")
    readonly_fields = ("digest",)

    @admin.display(description="Sha256 of the body")
    def digest(self, receipt: Receipt) -> str:
        return bytes(receipt.sha256).hex()
