"""The form for a schedule, with its next times; and the page on which an active connection's schedule is changed.

The wizard's last step holds the same form. Nothing that was typed is lost: a refusal stands beside its field, and the
next times can be looked at before anything is stored.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import URLPattern, path
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from portal.access import MANAGE, demand, needs
from portal.adminpages import page

from . import connections, display, schedules
from .connections import NotPossible
from .models import Connection, portal_zone
from .schedules import Fault, Plan, Unsound

CHANGE = "admin:connectors_connection_change"
LIST = "admin:connectors_connection_changelist"
FIELDS = ("schedule", "at", "weekday", "zone", "cron")


@dataclass(frozen=True)
class Typed:
    """What stands in the fields, and the plan it means; None where a fault stands in its way.

    `sent` is False while somebody only looks, also at the next times.
    """

    given: dict[str, str]
    plan: Plan | None
    faults: tuple[Fault, ...] = ()
    sent: bool = False


def read(request: HttpRequest, connection: Connection) -> Typed:
    """What was typed, or what the row says."""
    if request.method != "POST":
        return Typed(_known(connection.plan), None)
    return understood(request.POST, sent="preview" not in request.POST)


def understood(typed: QueryDict, *, sent: bool = False) -> Typed:
    given = {name: typed.get(name, "") for name in FIELDS}
    try:
        return Typed(given, schedules.plan_of(given), sent=sent)
    except Unsound as error:
        return Typed(given, None, error.faults, sent)


def _known(plan: Plan) -> dict[str, str]:
    return {
        "schedule": plan.kind,
        "at": f"{plan.at:%H:%M}",
        "weekday": str(plan.weekday),
        "zone": plan.zone,
        "cron": plan.cron,
    }


def shown(typed: Typed, connection: Connection, now: datetime) -> dict[str, Any]:
    """What the form's template needs; the next times are those of what was typed, else of what is stored."""
    known = schedules.zones()
    mine = portal_zone()
    plan = None if typed.faults else typed.plan or connection.plan
    return {
        "given": typed.given,
        "wrong": {fault.field: fault for fault in typed.faults},
        "rhythms": [(choice.value, choice.label, about) for choice, about in display.RHYTHMS],
        "weekdays": [(str(number), name) for number, name in enumerate(schedules.WEEKDAYS)],
        "zones": [mine, *(zone for zone in known if zone != mine)],
        "preview": _preview(plan, now),
    }


def _preview(plan: Plan | None, now: datetime) -> display.Preview | None:
    """None also for a stored zone that this machine does not know any more."""
    try:
        return display.preview(plan, now) if plan else None
    except Unsound:
        return None


# --- pages --------------------------------------------------------------------------------------------


@needs(MANAGE)
@require_safe
def next_times(request: HttpRequest) -> HttpResponse:
    """The next five times of what stands in the address, as a part of a page; or what is wrong with it."""
    typed = understood(request.GET)
    context = {"preview": _preview(typed.plan, timezone.now()), "faults": typed.faults}
    return render(request, "admin/connectors/parts/next_times.html", context)


@needs(MANAGE)
@require_http_methods(["GET", "HEAD", "POST"])
def reschedule(request: HttpRequest, pk: int) -> HttpResponse:
    connection = Connection.objects.select_related("workspace").filter(pk=pk).first()
    if connection is None:
        messages.error(request, "There is no such connection.")
        return redirect(LIST)
    typed = read(request, connection)
    try:
        if connection.state not in connections.LIVE:
            raise connections.wrong_state(connection)
        if typed.sent and typed.plan is not None:
            return _change(request, pk, typed.plan)
    except NotPossible as error:
        messages.error(request, f"{error.message} ({error.code})")
        return redirect(CHANGE, pk)
    title = f"Schedule of “{connection.name}”"
    context = {"title": title, "connection": connection, **shown(typed, connection, timezone.now())}
    return page(request, "admin/connectors/reschedule.html", **context)


def _change(request: HttpRequest, pk: int, plan: Plan) -> HttpResponse:
    by = demand(request, MANAGE)
    with transaction.atomic():
        held = Connection.objects.select_for_update(of=("self",)).get(pk=pk)
        connections.reschedule(held, plan=plan, by=by, now=timezone.now(), request=request)
    said = schedules.words(plan)
    messages.success(request, f"The schedule is now: {said[0].lower()}{said[1:]}.")
    return redirect(CHANGE, pk)


def urls() -> list[URLPattern]:
    return [
        path("next-times/", next_times, name="connectors_connection_next-times"),
        path("<int:pk>/reschedule/", reschedule, name="connectors_connection_reschedule"),
    ]
