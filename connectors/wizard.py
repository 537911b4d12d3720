"""From a token to an active connection: five pages in the admin whose memory is the connection's own row.

Nothing is kept in the session, so a draft can be left, resumed in another browser, and is never doubled:
each page finds the row as it is by then, and leads to the step that comes next for it.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django import forms
from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path
from django.utils import timezone
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from portal.access import MANAGE, demand, needs
from portal.adminpages import page
from portal.models import User

from . import connections, credentials, display, pauses, planner, registry, runs
from .connections import NotPossible
from .models import Connection, ConnectionState
from .schedules import Plan
from .spec import Connector, ConnectorError

LIST = "admin:connectors_connection_changelist"
CHANGE = "admin:connectors_connection_change"
STEPS = (
    ("connect", "Service", "What to read"),
    ("steps", "Make a token", "In the service, shown once"),
    ("token", "Name and token", "Stored encrypted"),
    ("check", "Check", "What the token may read"),
    ("schedule", "Schedule", "When to read; first sync"),
)
DraftPage = Callable[[HttpRequest, Connection], HttpResponse]


def url(step: str) -> str:
    return f"admin:connectors_connection_{step}"


def next_step(connection: Connection) -> str:
    """The step at which a draft is resumed."""
    if not connection.token_fingerprint:
        return "steps"
    found = connections.checked_workspace(connection)
    return "check" if found is None or connections.holder_of(connection, found) else "schedule"


def of_draft(view: DraftPage) -> Callable[..., HttpResponse]:
    """Hands the page its draft; whoever comes too late is led to what has become of it."""

    @wraps(view)
    def found(request: HttpRequest, pk: int) -> HttpResponse:
        connection = Connection.objects.filter(pk=pk).first()
        if connection is None:
            messages.warning(request, "This draft is gone: it was discarded. Nothing of it is left, its token neither.")
            return redirect(LIST)
        if connection.state != ConnectionState.DRAFT:
            messages.info(request, f"“{connection.name}” is {connection.get_state_display().lower()} by now.")
            return redirect(CHANGE, connection.pk)
        return view(request, connection)

    return found


def step_page(request: HttpRequest, step: str, connection: Connection | None, **context: Any) -> HttpResponse:
    at = [name for name, _, _ in STEPS].index(step)
    rail = [
        {"title": title, "note": note, "done": number < at, "current": number == at, "name": name}
        for number, (name, title, note) in enumerate(STEPS)
    ]
    title = f"Connect {registry.get(connection.connector).title}" if connection else "Connect a service"
    context |= {"title": title, "rail": rail, "at": at + 1, "of": len(STEPS), "connection": connection}
    return page(request, f"admin/connectors/wizard/{step}.html", **context)


def who(request: HttpRequest) -> User:
    return demand(request, MANAGE)


# --- 1 choose the service ---------------------------------------------------------------------------


@needs(MANAGE)
@require_http_methods(["GET", "HEAD", "POST"])
def connect(request: HttpRequest) -> HttpResponse:
    if request.method == "POST":
        connector = registry.all_connectors().get(request.POST.get("connector", ""))
        if connector is not None:
            return redirect(url("steps"), _draft(connector, who(request), request).pk)
        messages.error(request, "Choose one of the services on this page.")
    drafts = Connection.objects.filter(state=ConnectionState.DRAFT).select_related("created_by").order_by("-created_at")
    cards = [
        {"connector": connector, "live": Connection.objects.filter(connector=slug).exclude(workspace=None).count()}
        for slug, connector in registry.all_connectors().items()
    ]
    return step_page(request, "connect", None, cards=cards, drafts=drafts[:20])


def _draft(connector: Connector, by: User, request: HttpRequest) -> Connection:
    """A new draft, or the empty one that this person has already: a second click makes no second draft."""
    with transaction.atomic():
        User.objects.select_for_update().get(pk=by.pk)
        mine = Connection.objects.filter(state=ConnectionState.DRAFT, connector=connector.slug, created_by=by)
        empty = mine.filter(token_fingerprint="").first()
        return empty or connections.draft(connector, by=by, now=timezone.now(), request=request)


# --- 2 read how a token is made -----------------------------------------------------------------------


@needs(MANAGE)
@require_safe
@of_draft
def steps(request: HttpRequest, connection: Connection) -> HttpResponse:
    return step_page(request, "steps", connection, connector=registry.get(connection.connector))


# --- 3 name, region and token -------------------------------------------------------------------------


class TokenForm(forms.Form):
    """`seen` names the token that the draft had when the page was shown; the rules are the verb's."""

    name = forms.CharField(required=False, max_length=120)
    region = forms.CharField(required=False, max_length=20)
    role = forms.ChoiceField(required=False)
    token = forms.CharField(required=False, max_length=10_000, strip=False)
    seen = forms.CharField(required=False, max_length=24)

    def __init__(self, connector: Connector, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        roles = self.fields["role"]
        assert isinstance(roles, forms.ChoiceField)
        roles.choices = [(role.name, role.title) for role in connector.guide.roles]


@sensitive_post_parameters("token")
@needs(MANAGE)
@require_http_methods(["GET", "HEAD", "POST"])
@of_draft
def token(request: HttpRequest, connection: Connection) -> HttpResponse:
    connector = registry.get(connection.connector)
    form = TokenForm(connector, request.POST if request.method == "POST" else None)
    refused: NotPossible | None = None
    if request.method == "POST" and form.is_valid():
        try:
            _keep(connection, connector, form.cleaned_data, later="later" in request.POST)
            return _onward(request, connection, "check")
        except NotPossible as error:
            if error.code == "wrong-state":
                return _too_late(request, connection, error)
            refused = error
            form.add_error(error.field or None, error.message)
    given = form.data if form.is_bound else _known(connection, connector)
    return step_page(
        request,
        "token",
        connection,
        connector=connector,
        form=form,
        refused=refused,
        given={name: given.get(name, "") for name in ("name", "region", "role")},
        regions=registry.regions(connector).values(),
    )


def _known(connection: Connection, connector: Connector) -> dict[str, str]:
    """What the fields show at first: what the row says, else the usual choice."""
    roles = connector.guide.roles
    return {
        "name": connection.name if connection.region else "",
        "region": connection.region or next(iter(registry.regions(connector))),
        "role": connection.token_role or (roles[0].name if roles else ""),
    }


def _keep(connection: Connection, connector: Connector, given: dict[str, str], *, later: bool) -> None:
    with transaction.atomic():
        fresh = _locked(connection)
        clean = connector.clean(given["token"])
        if clean and given["seen"] != fresh.token_fingerprint != credentials.token_print(clean):
            raise NotPossible(
                "changed-meanwhile",
                f"In another window this draft was given the token that ends in {fresh.token_hint}. "
                "Nothing was stored. Load this page again to go on with it, or connect another workspace anew.",
                field="token",
            )
        connections.set_credential(
            fresh,
            name=given["name"],
            region=given["region"],
            token=given["token"],
            role=given["role"],
            now=timezone.now(),
            later=later,
        )


def _locked(connection: Connection) -> Connection:
    """The row as it is now, held until the transaction ends: of two clicks, one is first."""
    fresh = Connection.objects.select_for_update().filter(pk=connection.pk, state=ConnectionState.DRAFT).first()
    if fresh is None:
        raise NotPossible("wrong-state", "This draft has been connected or discarded in another window.")
    return fresh


def _too_late(request: HttpRequest, connection: Connection, error: NotPossible) -> HttpResponse:
    messages.warning(request, f"{error.message} ({error.code})")
    return redirect(CHANGE, connection.pk)


def _onward(request: HttpRequest, connection: Connection, step: str) -> HttpResponse:
    if "later" in request.POST:
        messages.success(request, "The draft is kept. It is discarded by itself, its token with it, after a week.")
        return redirect(LIST)
    return redirect(url(step), connection.pk)


# --- 4 check ------------------------------------------------------------------------------------------


@needs(MANAGE)
@require_http_methods(["GET", "HEAD", "POST"])
@of_draft
def check(request: HttpRequest, connection: Connection) -> HttpResponse:
    if not connection.token_fingerprint:
        return redirect(url("token"), connection.pk)
    trouble = None
    if request.method == "POST":
        try:
            connections.check(connection, by=who(request), now=timezone.now(), request=request)
            return redirect(url("check"), connection.pk)
        except ConnectorError as error:
            trouble = display.trouble(error.code, error.message, registry.get(connection.connector))
    found = connections.checked_workspace(connection)
    other = connections.holder_of(connection, found) if found else None
    return step_page(
        request,
        "check",
        connection,
        connector=registry.get(connection.connector),
        checked=None if trouble else display.checked(connection),
        trouble=trouble,
        other=other,
        ready=found is not None and other is None and trouble is None,
    )


# --- 5 schedule ---------------------------------------------------------------------------------------


@needs(MANAGE)
@require_http_methods(["GET", "HEAD", "POST"])
@of_draft
def schedule(request: HttpRequest, connection: Connection) -> HttpResponse:
    if next_step(connection) != "schedule":
        return redirect(url(next_step(connection)), connection.pk)
    typed = planner.read(request, connection)
    refused: NotPossible | None = None
    if typed.sent and typed.plan is not None:
        try:
            return _activate(request, connection, typed.plan)
        except NotPossible as error:
            if error.code == "wrong-state":
                return _too_late(request, connection, error)
            refused = error
    return step_page(
        request,
        "schedule",
        connection,
        refused=refused,
        checked=display.checked(connection),
        pause=pauses.everything(),
        **planner.shown(typed, connection, timezone.now()),
    )


def _activate(request: HttpRequest, connection: Connection, plan: Plan) -> HttpResponse:
    """The connection and its first sync together; only a pause of everything lets the sync wait."""
    now, by = timezone.now(), who(request)
    if "later" in request.POST:
        connections.reschedule(connection, plan=plan, by=by, now=now, request=request)
        return _onward(request, connection, "schedule")
    with transaction.atomic():
        fresh = _locked(connection)
        connections.activate(fresh, plan=plan, by=by, now=now, request=request)
        try:
            run = runs.request(fresh, trigger="first", now=now, by=by, request=request)
        except runs.Refused as error:
            messages.warning(request, f"“{fresh.name}” is active, and was not synced yet. {error}")
            return redirect(CHANGE, fresh.pk)
    messages.success(request, f"“{fresh.name}” is active. This is its first sync.")
    return redirect("run", run.pk)


# --- leaving ------------------------------------------------------------------------------------------


@needs(MANAGE)
@require_POST
@of_draft
def discard(request: HttpRequest, connection: Connection) -> HttpResponse:
    try:
        connections.discard(connection, by=who(request), now=timezone.now(), request=request)
        messages.success(request, "The draft was discarded, its token with it.")
    except NotPossible as error:
        messages.error(request, f"{error.message} ({error.code})")
    return redirect(LIST)


def urls() -> list[URLPattern]:
    draft = {"steps": steps, "token": token, "check": check, "schedule": schedule, "discard": discard}
    return [
        path("connect/", connect, name="connectors_connection_connect"),
        *(path(f"<int:pk>/{name}/", view, name=f"connectors_connection_{name}") for name, view in draft.items()),
    ]
