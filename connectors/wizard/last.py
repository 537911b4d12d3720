"""The last step: when to read, who looks after it, how old its token may become; then the first sync."""

from datetime import date
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from portal import mail, typed
from portal.access import MANAGE, needs

from .. import connections, display, pauses, planner, reminders, replacing, runs
from ..conditions import today
from ..connections import NotPossible
from ..models import ROTATION_DAYS, Connection
from ..schedules import Plan
from .frame import CHANGE, became, locked, next_step, of_draft, onward, step_page, url, who

CARE = ("contacts", "rotation_days")


@typed.keeps(*planner.FIELDS, *CARE)
@needs(MANAGE)
@require_http_methods(["GET", "HEAD", "POST"])
@of_draft
def schedule(request: HttpRequest, connection: Connection) -> HttpResponse:
    if next_step(connection) != "schedule":
        return redirect(url(next_step(connection)), connection.pk)
    again = typed.before(request)
    asked = planner.understood(again) if again is not None else planner.read(request, connection)
    refused: NotPossible | None = None
    if asked.sent and asked.plan is not None:
        try:
            return _pressed(request, connection, asked.plan)
        except NotPossible as error:
            if error.code == "wrong-state":
                return became(request, connection.pk)
            refused = error
    sent = request.POST if request.method == "POST" else again
    return step_page(
        request,
        "schedule",
        connection,
        refused=refused,
        again=again is not None,
        checked=display.checked(connection),
        pause=pauses.everything(),
        mails=mail.configured(),
        usual=ROTATION_DAYS,
        **_care(sent, connection),
        **planner.shown(asked, connection, timezone.now()),
    )


def _care(sent: QueryDict | None, connection: Connection) -> dict[str, Any]:
    """Contacts and rotation policy as the form shows them, and when the first reminder would come."""
    known = {"contacts": "\n".join(connection.contacts), "rotation_days": str(connection.rotation_days)}
    care = {name: sent.get(name, known[name])[:5000] for name in CARE} if sent is not None else known
    days = replacing.typed_days(care["rotation_days"])
    due = connections.rotation_day(connection, days) if 0 <= days <= connections.LONGEST_POLICY else None
    return {"care": care, "due": due, "first": due and _first_reminder(due)}


def _first_reminder(due: date) -> date | None:
    """The day of the first reminder; None when the token is older than that already."""
    first, day = due - reminders.LEAD, today(timezone.now())
    return None if due < day else max(first, day)


def _pressed(request: HttpRequest, connection: Connection, plan: Plan) -> HttpResponse:
    """Keeps what was said; then the connection becomes active together with its first sync, or is left for later."""
    now, by = timezone.now(), who(request)
    with transaction.atomic():
        fresh = locked(connection)
        _describe(request, fresh)
        if "later" in request.POST:
            if plan != fresh.plan:
                connections.reschedule(fresh, plan=plan, by=by, now=now, request=request)
            return onward(request, fresh, "schedule")
        connections.activate(fresh, plan=plan, by=by, now=now, request=request)
        try:
            run = runs.request(fresh, trigger="first", now=now, by=by, request=request)
        except runs.Refused as error:
            messages.warning(request, f"“{fresh.name}” is active, and was not synced yet. {error}")
            return redirect(CHANGE, fresh.pk)
    messages.success(request, f"“{fresh.name}” is active. This is its first sync.")
    return redirect("run", run.pk)


def _describe(request: HttpRequest, connection: Connection) -> None:
    sent = request.POST
    connections.describe(
        connection,
        name=connection.name,
        environment=connection.environment,
        contacts=replacing.typed_contacts(sent["contacts"]) if "contacts" in sent else connection.contacts,
        rotation_days=replacing.typed_days(sent.get("rotation_days", str(connection.rotation_days))),
        made=connection.token_made,
        by=who(request),
        now=timezone.now(),
        request=request,
    )
