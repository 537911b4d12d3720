"""The admin's pages for connections, sync runs and what these left. They ask, call one verb, and say what happened."""

import json
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from portal.adminpages import OwnPages, ReadOnlyPages, when, with_code
from portal.templatetags.portal import DASH, digest, environment, foreign, moment, state

from . import (
    bulk,
    buttons,
    choosing,
    conditions,
    connections,
    diagnosing,
    display,
    locker,
    pauses,
    planner,
    registry,
    reminders,
    replacing,
    runlines,
    runpages,
    schedules,
    wizard,
)
from .models import Connection, ConnectionState, Lane, Receipt, Snapshot, SyncRun, Workspace

# --- connections ------------------------------------------------------------------------------------


class ServiceFilter(admin.SimpleListFilter):
    title, parameter_name = "service", "service"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(slug, connector.title) for slug, connector in registry.all_connectors().items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(connector=self.value()) if self.value() else queryset


class ConditionFilter(admin.SimpleListFilter):
    """By the state that the list shows, each with how many there are of it."""

    title, parameter_name = "state", "condition"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        counted = conditions.counts(timezone.now())
        return [(each.value, f"{each.label} ({many})") for each, many in counted.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(condition=self.value()) if self.value() else queryset


@admin.register(Connection)
class ConnectionPages(OwnPages):
    """The list never loads a token: the model's default manager leaves it out. A draft's page is its next step."""

    row_template = "admin/connectors/connection.html"
    heading, add_heading = "Connections", "Connect a service"
    list_display = ("named", "workspace_name", "standing", "syncs")
    change_list_template = "admin/connectors/connections.html"
    list_filter = (ConditionFilter, "environment", ServiceFilter)
    list_select_related = ("workspace",)
    search_fields = ("name", "workspace__name", "workspace__slug")
    actions = (bulk.sync, bulk.pause, bulk.resume)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def get_urls(self) -> list[URLPattern]:
        rooms = (wizard, buttons, planner, choosing, replacing, diagnosing)
        own = (pattern for room in rooms for pattern in room.urls())
        return [*own, *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        return super().changelist_view(request, {"pause": pauses.everything(), **(extra_context or {})})

    def get_queryset(self, request: HttpRequest) -> QuerySet[Connection]:
        newest = SyncRun.objects.filter(connection=OuterRef("pk"), lane=Lane.MAIN).order_by("-pk")
        return (
            conditions.with_condition(Connection.objects.all(), timezone.now())
            .annotate(
                last_run=Subquery(newest.values("pk")[:1]),
                last_state=Subquery(newest.values("state")[:1]),
                last_time=Subquery(newest.values("queued_at")[:1]),
            )
            .order_by("name")
        )

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        return redirect(wizard.url("connect"))

    def show(self, request: HttpRequest, row: Connection) -> HttpResponse:
        if row.state == ConnectionState.DRAFT:
            return redirect(wizard.url(wizard.next_step(row)), row.pk)
        return super().show(request, row)

    def facts(self, row: Connection, request: HttpRequest) -> dict[str, Any]:
        return _facts(row, request.GET.get("show", ""))

    @admin.display(description="Name", ordering="name")
    def named(self, connection: Connection) -> SafeString:
        return format_html("{} {}", foreign(connection.name), environment(connection))

    @admin.display(description="Workspace", ordering="workspace__name")
    def workspace_name(self, connection: Connection) -> SafeString:
        connector = registry.get(connection.connector)
        name = foreign(connection.workspace.name) if connection.workspace else DASH
        place = f", {display.region_title(connector, connection.region)}" if connection.region else ""
        return format_html('{}<span class="sub">{}{}</span>', name, connector.title, place)

    @admin.display(description="State", ordering="condition")
    def standing(self, connection: Connection) -> SafeString:
        found = conditions.of(connection)
        since = format_html('<span class="sub">Since {}</span>', moment(found.since)) if found.since else ""
        return format_html("{}{}", with_code(found.state, found.code), since)

    @admin.display(description="Syncs", ordering="last_time")
    def syncs(self, connection: Any) -> SafeString:
        """The last one, and when the next one comes."""
        if connection.last_run is None:
            return format_html('Never<span class="sub">{}</span>', _next(connection))
        where = reverse("run", args=[connection.last_run])
        outcome = state(display.run_state(connection.last_state))
        sub = '{}<span class="sub"><a href="{}">{}</a></span><span class="sub">{}</span>'
        return format_html(sub, outcome, where, moment(connection.last_time), _next(connection))


def _next(connection: Any) -> SafeString | str:
    if connection.starts_next is None:
        return "Next when asked" if connection.state == ConnectionState.ACTIVE else ""
    return "Everything is paused" if connection.halted_since else format_html("Next {}", moment(connection.starts_next))


def _facts(connection: Connection, show: str) -> dict[str, Any]:
    connector = registry.get(connection.connector)
    return {
        "title": connection.name,
        "connection": connection,
        "connector": connector,
        "found": conditions.of(connection),
        "region": display.region_title(connector, connection.region),
        "role": next(
            (r.title for r in connector.guide.roles if r.name == connection.token_role), connection.token_role
        ),
        "live": connection.state in connections.LIVE,
        "pause": pauses.everything(),
        "own_pause": pauses.standing(connection).first(),
        "choice": choosing.shown(connection),
        "refused": connection.state in connections.LIVE and connection.error_code in conditions.REJECTED,
        "lacks": display.lacks(connection),
        "age": reminders.age(connection, timezone.now()),
        "reminded": reminders.newest(connection),
        "previous": connections.previous(connection),
        "news": runlines.news(api := runlines.newest_rows([connection])),
        "news_of": dict.fromkeys(row.run for row in api),
        "checked": display.checked(connection, show),
        "trouble": display.trouble(connection.error_code, "", connector) if connection.error_code else None,
        "schedule": display.schedule_words(connection),
        "delay": schedules.delay(connection.uid),
        "runs": [
            (run, display.run_state(run.state), display.took(run))
            for run in connection.runs.select_related("snapshot").defer("snapshot__header")[:5]
        ],
    }


# --- sync runs --------------------------------------------------------------------------------------

admin.site.register(SyncRun, runpages.SyncRunPages)


# --- what the runs left: to be looked at, by nobody to be changed -----------------------------------


@admin.register(Workspace)
class WorkspacePages(ReadOnlyPages):
    heading = "Workspaces"
    list_display = ("name", "connector", "region", "remote_id", "head")
    list_filter = ("connector", "region")
    search_fields = ("name", "slug", "remote_id")
    fields = ("name", "slug", "connector", "region", "remote_id", "uid", "head")


@admin.register(Snapshot)
class SnapshotPages(ReadOnlyPages):
    heading = "Snapshots"
    list_display = ("__str__", "published", "short_digest", "key_id")
    list_filter = ("workspace",)
    list_select_related = ("workspace",)
    date_hierarchy = "published_at"
    ordering = ("-published_at",)
    fields = (
        "workspace",
        "seq",
        "run",
        "published",
        "header_sha256",
        "previous_sha256",
        "key_id",
        "in_portal",
        "header_text",
    )
    readonly_fields = ("published", "in_portal", "header_text")

    published = when("published_at", "Published")

    class Media:
        css = {"all": ["wizard.css"]}

    @admin.display(description="Contents")
    def in_portal(self, snapshot: Snapshot) -> SafeString:
        where = reverse("snapshot", args=[snapshot.workspace_id, snapshot.seq])
        return format_html('<a href="{}">Open it in the portal</a>', where)

    @admin.display(description="Digest of the header", ordering="header_sha256")
    def short_digest(self, snapshot: Snapshot) -> SafeString:
        return digest(snapshot.header_sha256)

    @admin.display(description="Header")
    def header_text(self, snapshot: Snapshot) -> SafeString:
        return format_html(
            '<pre class="bytes">{}</pre>', json.dumps(locker.header_of(snapshot), indent=2, ensure_ascii=False)
        )


@admin.register(Receipt)
class ReceiptPages(ReadOnlyPages):
    heading = "Requests"
    list_display = ("__str__", "run", "n", "attempt", "sent", "ms", "size")
    list_filter = ("status",)
    list_select_related = ("run",)
    search_fields = ("path",)
    ordering = ("-pk",)
    fields = ("run", "n", "path", "query", "status", "attempt", "sent", "ms", "size", "body", "request_id")
    readonly_fields = ("sent", "body")

    sent = when("sent_at", "Sent")

    @admin.display(description="Sha256 of the body")
    def body(self, receipt: Receipt) -> str:
        return bytes(receipt.sha256).hex()
