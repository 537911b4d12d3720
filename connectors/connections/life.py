"""An active connection's life: what it reads, how it is called, paused, resumed, rescheduled, disconnected."""

from collections.abc import Collection, Sequence
from contextlib import suppress
from datetime import date, datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.http import HttpRequest

from portal import audit
from portal.audit import Action, clean
from portal.models import User

from .. import credentials, missed, pauses, registry, runs, schedules
from ..models import Connection, ConnectionState, Schedule, SpareToken
from ..schedules import Plan
from .refusals import LIVE, NotPossible, must_be, must_be_called, must_be_known, must_have_come, wrong_state
from .timetable import next_start, passed, serve, timed
from .tokens import rotation_day

LONGEST_POLICY = 730  # days
MOST_CONTACTS = 20


def choose_groups(
    connection: Connection,
    groups: Collection[str],
    keep_code: bool,
    *,
    by: User | None,
    now: datetime,
    request: HttpRequest | None = None,
) -> bool:
    """Chooses what is read from the next sync on, and whether programs are kept as text; False when it was so already.

    The standard groups are kept as no choice, so that a version with a new one reads it too. Raises NotPossible.
    """
    if connection.state == ConnectionState.DISCONNECTED:
        raise wrong_state(connection)
    known = registry.get(connection.connector).groups
    if strange := sorted(set(groups) - {group.name for group in known}):
        raise NotPossible("group-unknown", f"There is no group “{strange[0][:60]}”.", field="groups")
    if not groups:
        nothing = "Choose at least one group: a sync must have something to read."
        raise NotPossible("groups-missing", nothing, field="groups")
    names = [group.name for group in known if group.name in groups]
    chosen = None if names == [group.name for group in known if group.standard] else names
    if (connection.groups, connection.keep_code) == (chosen, keep_code):
        return False
    with transaction.atomic():
        connection.groups, connection.keep_code = chosen, keep_code
        connection.save(update_fields=["groups", "keep_code"])
        detail: dict[str, Any] = {"reads": ", ".join(names), "keep_code": keep_code}
        audit.record(Action.CONNECTION_CHANGED, actor=by, target=connection, request=request, at=now, **detail)
    return True


def pause(connection: Connection, *, by: User | None, now: datetime, request: HttpRequest | None = None) -> None:
    """No sync is started until somebody resumes; a running one goes on. Times that pass are kept as missed."""
    must_be(connection, ConnectionState.ACTIVE)
    with transaction.atomic():
        pauses.begin(connection, by=by, now=now)
        _set(connection, Action.CONNECTION_PAUSED, by, now, request, state=ConnectionState.PAUSED, since=now)


def resume(connection: Connection, *, by: User | None, now: datetime, request: HttpRequest | None = None) -> None:
    must_be(connection, ConnectionState.PAUSED)
    if not connection.token_fingerprint or connection.token_used_at is None:
        nothing = "It has no token that its workspace has answered: replace the token first."
        raise NotPossible("token-missing", nothing)
    due = connection.next_sync or next_start(connection, now)
    with transaction.atomic():
        pauses.end(connection, by=by, now=now)
        again = {"state": ConnectionState.ACTIVE, "since": now, "next_sync": due}
        _set(connection, Action.CONNECTION_RESUMED, by, now, request, **again)


def reschedule(
    connection: Connection, *, plan: Plan, by: User | None, now: datetime, request: HttpRequest | None = None
) -> None:
    """Changes the schedule; what is due by the old one is served first. Raises schedules.Unsound."""
    if connection.state == ConnectionState.DISCONNECTED:
        raise wrong_state(connection)
    with transaction.atomic():
        with suppress(schedules.Unsound):  # of the old schedule, which may be why it is changed
            serve(connection, now)
        times = timed(connection, plan, now)
        if connection.state not in LIVE:
            connection.next_sync = None
        values = {name: getattr(connection, name) for name in times}
        _set(connection, Action.CONNECTION_CHANGED, by, now, request, **values)
        if plan.kind == Schedule.MANUAL:
            why = "The schedule that had asked for it was removed."
            runs.cancel_all(connection, by, now, code="schedule-removed", why=why, trigger="schedule")


def disconnect(connection: Connection, *, by: User | None, now: datetime, request: HttpRequest | None = None) -> None:
    """Wipes the token, stops the schedule, cancels a running sync. Snapshots, artifacts and logs stay."""
    if connection.state not in LIVE:
        raise wrong_state(connection)
    with transaction.atomic():
        with suppress(schedules.Unsound):
            missed.write(connection, [each for each in passed(connection, now) if missed.late(each, now)], now)
        pauses.end(connection, by=by, now=now)
        credentials.wipe(connection)
        SpareToken.objects.filter(connection=connection).delete()
        connection.state, connection.since = ConnectionState.DISCONNECTED, now
        connection.next_sync, connection.rotate_on = None, None
        connection.save(update_fields=["token", "token_fingerprint", "state", "since", "next_sync", "rotate_on"])
        runs.cancel_all(connection, by, now, code="disconnected", why="The connection was disconnected.")
        audit.record(Action.CONNECTION_DISCONNECTED, actor=by, target=connection, request=request, at=now)


def _set(
    connection: Connection,
    action: Action,
    by: User | None,
    now: datetime,
    request: HttpRequest | None,
    **values: Any,
) -> None:
    with transaction.atomic():
        for name, value in values.items():
            setattr(connection, name, value)
        connection.save(update_fields=list(values))
        audit.record(action, actor=by, target=connection, request=request, at=now)


# --- how it is called, and who looks after it ---------------------------------------------------------


def describe(
    connection: Connection,
    *,
    name: str,
    environment: str,
    contacts: Sequence[str],
    rotation_days: int,
    made: date | None,
    by: User | None,
    now: datetime,
    request: HttpRequest | None = None,
) -> bool:
    """Names it, says what it is for, who looks after it, and how old its token may become; False when all was so.

    made  the day on which the token was made in the service, None for the day on which it was stored

    Raises NotPossible with the field at fault.
    """
    if connection.state == ConnectionState.DISCONNECTED:
        raise wrong_state(connection)
    must_be_called(name)
    must_be_known(environment)
    if not 0 <= rotation_days <= LONGEST_POLICY:
        limits = f"Give a whole number of days up to {LONGEST_POLICY}; 0 switches the reminders off."
        raise NotPossible("rotation-invalid", limits, field="rotation_days")
    must_have_come(made, now)
    connection.token_made = made
    wanted = {
        "name": clean(name.strip(), 120),
        "environment": environment,
        "contacts": addresses(contacts),
        "rotation_days": rotation_days,
        "token_made": made,
        "rotate_on": rotation_day(connection, rotation_days),
    }
    fresh = Connection.objects.get(pk=connection.pk)
    if all(getattr(fresh, field) == value for field, value in wanted.items()):
        return False
    _set(connection, Action.CONNECTION_CHANGED, by, now, request, **wanted)
    return True


def addresses(given: Sequence[str]) -> list[str]:
    """The e-mail addresses, each once. Raises NotPossible naming the first that is none."""
    found = list(dict.fromkeys(part for each in given if (part := each.strip())))
    if len(found) > MOST_CONTACTS:
        raise NotPossible("contacts-too-many", f"Name {MOST_CONTACTS} people at most.", field="contacts")
    for each in found:
        try:
            validate_email(each)
        except ValidationError:
            raise NotPossible(
                "contact-invalid", f"“{clean(each, 60)}” is no e-mail address.", field="contacts"
            ) from None
    return found
