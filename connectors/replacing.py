"""The admin's pages about a connection's token and its particulars: replaced, leaked, described."""

from collections.abc import Callable
from datetime import date
from typing import Any

from django import forms
from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path
from django.utils import timezone
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from portal import mail
from portal.access import MANAGE, demand, needs
from portal.adminpages import page

from . import connections, registry, runs
from .conditions import today
from .connections import LIVE, NotPossible
from .models import ROTATION_DAYS, Connection, Environment, SpareToken
from .spec import Connector, ConnectorError

_CHANGE = "admin:connectors_connection_change"
LivePage = Callable[[HttpRequest, Connection], HttpResponse]


def _url(verb: str) -> str:
    return f"admin:connectors_connection_{verb}"


def of_live(view: LivePage) -> Callable[..., HttpResponse]:
    """Hands the page its connection; a draft or a disconnected one has no such page."""

    def found(request: HttpRequest, pk: int) -> HttpResponse:
        connection = Connection.objects.select_related("workspace", "token_by").filter(pk=pk).first()
        if connection is None or connection.state not in LIVE:
            messages.error(request, "This can be done with an active or a paused connection only. (wrong-state)")
            return redirect(_CHANGE, pk)
        return view(request, connection)

    return found


# --- replaced -------------------------------------------------------------------------------------------


class TokenForm(forms.Form):
    token = forms.CharField(required=False, max_length=10_000, strip=False)
    role = forms.ChoiceField(required=False)
    made = forms.DateField(required=False)

    def __init__(self, connector: Connector, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        roles = self.fields["role"]
        assert isinstance(roles, forms.ChoiceField)
        roles.choices = [(role.name, role.title) for role in connector.guide.roles]
        self.fields["made"].error_messages["invalid"] = "Write the day as 2026-11-25."


@sensitive_post_parameters("token")
@needs(MANAGE)
@require_http_methods(["GET", "HEAD", "POST"])
@of_live
def replace(request: HttpRequest, connection: Connection) -> HttpResponse:
    """Takes a new token and tries it; one that reads all that the old one did takes its place at once."""
    connector = registry.get(connection.connector)
    form = TokenForm(connector, request.POST if request.method == "POST" else None)
    refused: NotPossible | ConnectorError | None = None
    if request.method == "POST" and form.is_valid():
        try:
            spare = _tried(request, connection, form.cleaned_data)
            if not connections.lost_by(connection, spare):
                return _taken(request, connection, spare)
            return redirect(_url("replace"), connection.pk)
        except (NotPossible, ConnectorError) as error:
            refused = error
            form.add_error(getattr(error, "field", "") or None, error.message)
    return _replace_page(request, connection, form, refused)


def _tried(request: HttpRequest, connection: Connection, given: dict[str, Any]) -> SpareToken:
    now, by = timezone.now(), demand(request, MANAGE)
    spare = connections.offer(connection, token=given["token"], role=given["role"], made=given["made"], by=by, now=now)
    connections.prove(connection, spare, now=timezone.now())
    return spare


def _replace_page(
    request: HttpRequest, connection: Connection, form: TokenForm, refused: NotPossible | ConnectorError | None
) -> HttpResponse:
    connector, offered = registry.get(connection.connector), connections.offered(connection)
    proved = offered if offered is not None and connections.checked_workspace(offered) else None
    return page(
        request,
        "admin/connectors/replace.html",
        title=f"Replace the token of “{connection.name}”",
        connection=connection,
        connector=connector,
        form=form,
        refused=refused,
        given=form.data if form.is_bound else {"role": connection.token_role, "made": str(today(timezone.now()))},
        offered=proved,
        lost=connections.lost_by(connection, proved) if proved else [],
        previous=connections.previous(connection),
    )


@needs(MANAGE)
@require_POST
@of_live
def take(request: HttpRequest, connection: Connection) -> HttpResponse:
    """The offered token takes the place, although it may read less."""
    offered = connections.offered(connection)
    if offered is None:
        messages.warning(request, "There is no token any more that waits to be taken: paste it again.")
        return redirect(_url("replace"), connection.pk)
    try:
        return _taken(request, connection, offered)
    except NotPossible as error:
        messages.error(request, f"{error.message} ({error.code})")
        return redirect(_url("replace"), connection.pk)


def _taken(request: HttpRequest, connection: Connection, spare: SpareToken) -> HttpResponse:
    """Replaces, and asks for the sync that proves the new token; a paused connection waits for somebody to resume."""
    now, by = timezone.now(), demand(request, MANAGE)
    connections.replace(connection, spare, by=by, now=now, request=request)
    try:
        run = runs.request(connection, trigger="person", now=now, by=by, request=request)
    except runs.Refused as error:
        messages.success(request, f"The token was replaced. {error}")
        return redirect(_CHANGE, connection.pk)
    messages.success(request, "The token was replaced. The one before is kept until this sync has gone well.")
    return redirect("run", run.pk)


@needs(MANAGE)
@require_POST
@of_live
def drop(request: HttpRequest, connection: Connection) -> HttpResponse:
    if connections.drop_offer(connection):
        messages.success(request, "The offered token was wiped here. The one in use goes on; revoke the other one.")
    else:
        messages.info(request, "There was no offered token any more.")
    return redirect(_CHANGE, connection.pk)


@needs(MANAGE)
@require_POST
@of_live
def undo(request: HttpRequest, connection: Connection) -> HttpResponse:
    if connections.undo(connection, by=demand(request, MANAGE), now=timezone.now(), request=request):
        messages.success(request, "The token before is in use again. The other one was wiped here: revoke it.")
    else:
        messages.warning(request, "There is no token before any more: the new one has read the workspace.")
    return redirect(_CHANGE, connection.pk)


# --- leaked ---------------------------------------------------------------------------------------------


@needs(MANAGE)
@require_http_methods(["GET", "HEAD", "POST"])
@of_live
def leaked(request: HttpRequest, connection: Connection) -> HttpResponse:
    """Says what will happen and what is left to do in the service; then pauses and wipes."""
    if request.method == "POST":
        try:
            connections.leaked(connection, by=demand(request, MANAGE), now=timezone.now(), request=request)
            messages.success(request, "Paused, and every token of this connection was wiped here. Now revoke it.")
        except NotPossible as error:
            messages.error(request, f"{error.message} ({error.code})")
        return redirect(_url("leaked"), connection.pk)
    title = f"The token of “{connection.name}” has leaked"
    connector = registry.get(connection.connector)
    return page(
        request, "admin/connectors/leaked.html", title=title, connection=connection, connector=connector,
        wiped=not connection.token_fingerprint,
    )  # fmt: skip


# --- described ------------------------------------------------------------------------------------------


@needs(MANAGE)
@require_http_methods(["GET", "HEAD", "POST"])
@of_live
def describe(request: HttpRequest, connection: Connection) -> HttpResponse:
    """Name, environment, contacts and rotation policy."""
    refused: NotPossible | None = None
    given = _described(connection)
    if request.method == "POST":
        given = {name: request.POST.get(name, "")[:5000] for name in given}
        try:
            return _kept(request, connection, given)
        except NotPossible as error:
            refused = error
    return page(
        request,
        "admin/connectors/describe.html",
        title=f"Details of “{connection.name}”",
        connection=connection,
        environments=Environment.choices,
        given=given,
        refused=refused,
        usual=ROTATION_DAYS,
        mails=mail.configured(),
    )


def _described(connection: Connection) -> dict[str, str]:
    return {
        "name": connection.name,
        "environment": connection.environment,
        "contacts": "\n".join(connection.contacts),
        "rotation_days": str(connection.rotation_days),
        "made": str(connection.token_made or ""),
    }


def _kept(request: HttpRequest, connection: Connection, given: dict[str, str]) -> HttpResponse:
    with transaction.atomic():
        row = Connection.objects.select_for_update(of=("self",)).get(pk=connection.pk)
        changed = connections.describe(
            row,
            name=given["name"],
            environment=given["environment"],
            contacts=typed_contacts(given["contacts"]),
            rotation_days=typed_days(given["rotation_days"]),
            made=_day(given["made"]),
            by=demand(request, MANAGE),
            now=timezone.now(),
            request=request,
        )
    messages.success(request, "Saved.") if changed else messages.info(request, "Nothing was changed.")
    return redirect(_CHANGE, connection.pk)


def typed_contacts(text: str) -> list[str]:
    """What stands on the lines of a field, or between commas."""
    return text[:5000].replace(",", "\n").splitlines()


def typed_days(text: str) -> int:
    """A number of days; -1, which is none, for anything else."""
    days = text.strip()
    return int(days) if days.isascii() and days.isdecimal() and len(days) < 6 else -1


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text.strip()) if text.strip() else None
    except ValueError:
        raise NotPossible("made-unreadable", "Write the day as 2026-11-25.", field="made") from None


def urls() -> list[URLPattern]:
    pages = {
        "replace": replace,
        "take": take,
        "drop": drop,
        "undo": undo,
        "leaked": leaked,
        "describe": describe,
    }
    return [path(f"<int:pk>/{name}/", view, name=f"connectors_connection_{name}") for name, view in pages.items()]
