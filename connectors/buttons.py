"""The buttons of the admin's pages: each is one POST, calls one verb, and says what happened or why not."""

from collections.abc import Callable
from contextlib import nullcontext
from datetime import datetime
from functools import partial

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import URLPattern, path
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from portal.access import MANAGE, SYNC, demand, needs
from portal.adminpages import page
from portal.models import User

from . import connections, display, pauses, runs, wizard
from .connections import LIVE, NotPossible
from .models import Connection, Snapshot, SyncRun
from .spec import ConnectorError

Verb = Callable[[HttpRequest, Connection, User, datetime], HttpResponse | str]


def _sync(request: HttpRequest, connection: Connection, by: User, now: datetime) -> HttpResponse:
    return redirect("run", runs.request(connection, trigger="person", now=now, by=by, request=request).pk)


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


def _disconnect(request: HttpRequest, connection: Connection, by: User, now: datetime) -> str:
    connections.disconnect(connection, by=by, now=now, request=request)
    return "Disconnected. The token was wiped here; revoke it in the service as well."


VERBS: dict[str, Verb] = {
    "sync": _sync,
    "check-again": _check,
    "pause": _pause,
    "resume": _resume,
    "disconnect": _disconnect,
}


def _act(verb: str, request: HttpRequest, pk: int) -> HttpResponse:
    """Does one thing with a connection and leads back to its page, or to what came of it.

    The row is held until the verb has ended, so that two clicks are one; only the check, which waits for the
    service, holds nothing.
    """
    by = demand(request, SYNC if verb == "sync" else MANAGE)
    try:
        with nullcontext() if verb == "check-again" else transaction.atomic():
            said = VERBS[verb](request, _live(pk, held=verb != "check-again"), by, timezone.now())
    except Connection.DoesNotExist:
        messages.error(request, "There is no such connection.")
        return redirect(wizard.LIST)
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


def _live(pk: int, *, held: bool) -> Connection:
    """Raises Connection.DoesNotExist, and NotPossible when it is a draft or disconnected."""
    rows = Connection.objects.select_for_update(of=("self",)) if held else Connection.objects.all()
    connection = rows.select_related("workspace").get(pk=pk)
    if connection.state not in LIVE:
        raise NotPossible("wrong-state", f"“{connection.name}” is {connection.get_state_display().lower()} by now.")
    return connection


def _button(verb: str) -> Callable[..., HttpResponseBase]:
    return needs(MANAGE)(require_POST(partial(_act, verb)))


@needs(MANAGE)
@require_http_methods(["GET", "HEAD", "POST"])
def disconnect(request: HttpRequest, pk: int) -> HttpResponse:
    """Says what will happen before it happens."""
    connection = Connection.objects.select_related("workspace").filter(pk=pk, state__in=LIVE).first()
    if request.method == "POST" or connection is None:
        return _act("disconnect", request, pk)
    kept = Snapshot.objects.filter(workspace=connection.workspace).count()
    title = f"Disconnect “{connection.name}”?"
    return page(request, "admin/connectors/disconnect.html", title=title, connection=connection, kept=kept)


@needs(MANAGE)
@require_POST
def cancel(request: HttpRequest, pk: int) -> HttpResponse:
    run = SyncRun.objects.select_related("connection").filter(pk=pk).first()
    if run is not None and runs.cancel(run, demand(request, SYNC), timezone.now(), request):
        messages.success(request, f"{run} was cancelled. Nothing of it is kept; the newest snapshot stays the newest.")
    else:
        messages.warning(request, "This sync run has ended already.")
    return redirect("admin:connectors_syncrun_change", pk)


# --- everything at once -----------------------------------------------------------------------------


@needs(MANAGE)
@require_POST
def pause_everything(request: HttpRequest) -> HttpResponse:
    by, now = demand(request, MANAGE), timezone.now()
    if pauses.pause_everything(by=by, now=now, reason=request.POST.get("reason", ""), request=request):
        messages.success(request, "Everything is paused. No sync starts until somebody resumes; those under way go on.")
    else:
        messages.info(request, "Everything was paused already.")
    return redirect(wizard.LIST)


@needs(MANAGE)
@require_POST
def resume_everything(request: HttpRequest) -> HttpResponse:
    if pauses.resume_everything(by=demand(request, MANAGE), now=timezone.now(), request=request):
        messages.success(request, "Resumed. The schedules count again.")
    else:
        messages.info(request, "Nothing was paused as a whole: somebody has resumed already.")
    return redirect(wizard.LIST)


def urls() -> list[URLPattern]:
    """The addresses of the connections' buttons."""
    pressed = [verb for verb in VERBS if verb != "disconnect"]
    return [
        path("pause-everything/", pause_everything, name="connectors_connection_pause-everything"),
        path("resume-everything/", resume_everything, name="connectors_connection_resume-everything"),
        *(path(f"<int:pk>/{verb}/", _button(verb), name=f"connectors_connection_{verb}") for verb in pressed),
        path("<int:pk>/disconnect/", disconnect, name="connectors_connection_disconnect"),
    ]
