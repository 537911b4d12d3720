"""What can be done with a connection. Each verb is one function, one transaction, one line in the audit log.

The only writer of `Connection`. A draft becomes active only after its own workspace answered its own token.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.http import HttpRequest

from portal import audit
from portal.audit import Action, clean
from portal.models import User

from . import checking, credentials, missed, pauses, registry, runs, schedules
from .http import Client
from .models import Connection, ConnectionState, Schedule, SyncRun, Workspace
from .schedules import Plan
from .spec import Connector, Identity, Region, Stream

DRAFTS_LIVE = timedelta(days=7)
LIVE = (ConnectionState.ACTIVE, ConnectionState.PAUSED)


class NotPossible(Exception):
    """A verb that cannot be done now. `field` names the input it is about; `other` the connection in the way."""

    def __init__(self, code: str, message: str, *, field: str = "", other: Connection | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.field, self.other = code, message, field, other


# --- the way to an active connection ------------------------------------------------------------


def draft(connector: Connector, *, by: User | None, now: datetime, request: HttpRequest | None = None) -> Connection:
    with transaction.atomic():
        connection = Connection.objects.create(
            name=f"New {connector.title} connection", connector=connector.slug, created_by=by, created_at=now
        )
        audit.record(Action.CONNECTION_DRAFTED, actor=by, target=connection, request=request, at=now)
    return connection


def set_credential(
    connection: Connection, *, name: str, region: str, token: str, role: str, now: datetime, later: bool = False
) -> Connection:
    """Names a draft and seals its token. An empty token keeps the one that is there; `later` allows none yet.

    Raises NotPossible with the field at fault: the name, the region, the shape of the token, or a token
    that another connection holds.
    """
    _must_be(connection, ConnectionState.DRAFT)
    connector = registry.get(connection.connector)
    if region not in registry.regions(connector):
        raise NotPossible("region-unknown", "Choose one of the regions.", field="region")
    if not name.strip():
        raise NotPossible("name-missing", "Give the connection a name that tells it from others.", field="name")
    if region != connection.region:
        connection.capabilities, connection.checked_at = {}, None
    connection.name, connection.region, connection.token_role = name.strip()[:120], region, role
    changed = ["name", "region", "token_role", "capabilities", "checked_at"]
    pasted = connector.clean(token)
    if pasted:
        _seal(connection, connector, pasted, now)
        changed += ["token", "token_hint", "token_fingerprint", "token_since"]
    elif not connection.token_fingerprint and not later:
        raise NotPossible("token-missing", "Paste the token that Segment showed once.", field="token")
    try:
        with transaction.atomic():
            connection.save(update_fields=changed)
    except IntegrityError:
        raise _token_in_use(pasted) from None
    return connection


def _seal(connection: Connection, connector: Connector, token: str, now: datetime) -> None:
    if fault := connector.fault(token):
        raise NotPossible("token-malformed", fault, field="token")
    other = (
        Connection.objects.filter(token_fingerprint=credentials.token_print(token)).exclude(pk=connection.pk).first()
    )
    if other:
        raise _token_in_use(token)
    credentials.seal(connection, token)
    connection.token_since, connection.capabilities, connection.checked_at = now, {}, None


def _token_in_use(token: str) -> NotPossible:
    other = Connection.objects.filter(token_fingerprint=credentials.token_print(token)).first()
    return NotPossible("token-in-use", "Another connection already holds this token.", field="token", other=other)


def check(
    connection: Connection,
    *,
    by: User | None,
    now: datetime,
    request: HttpRequest | None = None,
    open_client: Callable[[Connector, Region, str], Client] | None = None,
) -> checking.Found:
    """Asks the service what the stored token opens, and keeps the answer on the row. Activates nothing.

    No transaction is open while the service is asked. Raises spec.Denied when the token cannot be unsealed.
    """
    connector = registry.get(connection.connector)
    token = credentials.unseal(connection)
    known = registry.regions(connector)
    order = _regions_to_try(connector, connection.region, known)
    make = open_client or (lambda c, region, secret: Client(c, region.origin, secret, tries=2))
    found = checking.check(
        connector, order, lambda region: make(connector, region, token), chosen_streams(connector, connection)
    )
    changed = {"capabilities": found.as_json(), "checked_at": now}
    if found.region and connection.state == ConnectionState.DRAFT:
        changed["region"] = found.region
    with transaction.atomic():
        Connection.objects.filter(pk=connection.pk, token_fingerprint=connection.token_fingerprint).update(**changed)
        audit.record(Action.CONNECTION_CHECKED, actor=by, target=connection, request=request, code=found.code, at=now)
    for name, value in changed.items():
        setattr(connection, name, value)
    return found


def chosen_streams(connector: Connector, connection: Connection) -> list[Stream]:
    """The streams of the groups that the connection reads: the standard ones where nobody chose."""
    groups = connection.groups
    return [
        stream
        for stream in connector.streams
        if (stream.group.standard if groups is None else stream.group.name in groups)
    ]


def _regions_to_try(connector: Connector, chosen: str, known: Mapping[str, Region]) -> list[Region]:
    """The chosen region first, then the service's own others. A token never goes to an address that only the
    operator's environment knows unless that one was chosen, nor from there to the service."""
    own = [region.name for region in connector.regions]
    names = [chosen, *(name for name in own if name != chosen)] if chosen in own else [chosen]
    return [known[name] for name in names if name in known]


def holder_of(connection: Connection, found: Identity) -> Connection | None:
    """The live connection, other than this one, that already reads the workspace."""
    return (
        Connection.objects.filter(workspace__connector=connection.connector, workspace__remote_id=found.id)
        .exclude(state=ConnectionState.DISCONNECTED)
        .exclude(pk=connection.pk)
        .first()
    )


def checked_workspace(connection: Connection) -> Identity | None:
    """The workspace that the last check found, None when it found none."""
    stored = connection.capabilities.get("workspace")
    return Identity(**stored) if stored and not connection.capabilities.get("code") else None


def activate(
    connection: Connection,
    *,
    plan: Plan,
    by: User | None,
    now: datetime,
    request: HttpRequest | None = None,
) -> Connection:
    """Makes a checked draft active for the workspace that answered. Raises NotPossible."""
    _must_be(connection, ConnectionState.DRAFT)
    found = checked_workspace(connection)
    if found is None:
        raise NotPossible(
            "not-checked", "Check the token first: nothing becomes active before Segment has answered it."
        )
    if other := holder_of(connection, found):
        raise _connected_twice(other)
    try:
        with transaction.atomic():
            workspace, _ = Workspace.objects.get_or_create(
                connector=connection.connector,
                remote_id=found.id,
                defaults={"region": connection.region, "slug": clean(found.slug), "name": clean(found.name)},
            )
            connection.workspace = workspace
            connection.state = ConnectionState.ACTIVE
            timed = _timed(connection, plan, now)
            connection.save(update_fields=["workspace", "state", *timed])
            audit.record(
                Action.CONNECTION_ACTIVATED, actor=by, target=connection, request=request, workspace=found.id, at=now
            )
    except IntegrityError:
        raise _connected_twice(holder_of(connection, found)) from None
    return connection


def _connected_twice(other: Connection | None) -> NotPossible:
    return NotPossible(
        "workspace-already-connected", "This workspace already has a connection. One workspace has one.", other=other
    )


# --- an active connection's life ----------------------------------------------------------------


def pause(connection: Connection, *, by: User | None, now: datetime, request: HttpRequest | None = None) -> None:
    """No sync is started until somebody resumes; a running one goes on. Times that pass are kept as missed."""
    _must_be(connection, ConnectionState.ACTIVE)
    with transaction.atomic():
        pauses.begin(connection, by=by, now=now)
        _set(connection, Action.CONNECTION_PAUSED, by, now, request, state=ConnectionState.PAUSED)


def resume(connection: Connection, *, by: User | None, now: datetime, request: HttpRequest | None = None) -> None:
    _must_be(connection, ConnectionState.PAUSED)
    due = connection.next_sync or next_start(connection, now)
    with transaction.atomic():
        pauses.end(connection, by=by, now=now)
        _set(connection, Action.CONNECTION_RESUMED, by, now, request, state=ConnectionState.ACTIVE, next_sync=due)


def reschedule(
    connection: Connection, *, plan: Plan, by: User | None, now: datetime, request: HttpRequest | None = None
) -> None:
    """Changes the schedule; what is due by the old one is served first. Raises schedules.Unsound."""
    if connection.state == ConnectionState.DISCONNECTED:
        raise wrong_state(connection)
    with transaction.atomic():
        with suppress(schedules.Unsound):  # of the old schedule, which may be why it is changed
            _serve(connection, now)
        timed = _timed(connection, plan, now)
        if connection.state not in LIVE:
            connection.next_sync = None
        values = {name: getattr(connection, name) for name in timed}
        _set(connection, Action.CONNECTION_CHANGED, by, now, request, **values)
        if plan.kind == Schedule.MANUAL:
            why = "The schedule that had asked for it was removed."
            runs.cancel_all(connection, by, now, code="schedule-removed", why=why, trigger="schedule")


def _timed(connection: Connection, plan: Plan, now: datetime) -> list[str]:
    """Puts the plan on the row; returns the names of the fields that it set."""
    connection.schedule, connection.schedule_time = plan.kind, plan.at
    connection.schedule_weekday, connection.schedule_zone = plan.weekday, plan.zone
    connection.schedule_cron = plan.cron
    connection.next_sync = next_start(connection, now)
    return ["schedule", "schedule_time", "schedule_weekday", "schedule_zone", "schedule_cron", "next_sync"]


def disconnect(connection: Connection, *, by: User | None, now: datetime, request: HttpRequest | None = None) -> None:
    """Wipes the token, stops the schedule, cancels a running sync. Snapshots, artifacts and logs stay."""
    if connection.state not in LIVE:
        raise wrong_state(connection)
    with transaction.atomic():
        with suppress(schedules.Unsound):
            missed.write(connection, [each for each in _passed(connection, now) if missed.late(each, now)], now)
        pauses.end(connection, by=by, now=now)
        credentials.wipe(connection)
        connection.state, connection.next_sync = ConnectionState.DISCONNECTED, None
        connection.save(update_fields=["token", "token_fingerprint", "state", "next_sync"])
        runs.cancel_all(connection, by, now, code="disconnected", why="The connection was disconnected.")
        audit.record(Action.CONNECTION_DISCONNECTED, actor=by, target=connection, request=request, at=now)


def discard(connection: Connection, *, by: User | None, now: datetime, request: HttpRequest | None = None) -> None:
    """Deletes a draft, its token with it. A connection that was ever active has history and cannot go."""
    _must_be(connection, ConnectionState.DRAFT)
    with transaction.atomic():
        audit.record(Action.CONNECTION_DISCARDED, actor=by, target=connection, request=request, at=now)
        connection.delete()


def discard_old_drafts(now: datetime) -> int:
    old = Connection.objects.filter(state=ConnectionState.DRAFT, created_at__lt=now - DRAFTS_LIVE)
    for connection in old:
        discard(connection, by=None, now=now)
    return len(old)


def _must_be(connection: Connection, state: ConnectionState) -> None:
    if connection.state != state:
        raise wrong_state(connection)


def wrong_state(connection: Connection) -> NotPossible:
    return NotPossible("wrong-state", f"“{connection.name}” is {connection.get_state_display().lower()} by now.")


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


# --- what the sync reports ----------------------------------------------------------------------


def note_success(connection: Connection) -> None:
    Connection.objects.filter(pk=connection.pk).update(error_code="", error_at=None)


def note_failure(connection: Connection, code: str, now: datetime) -> None:
    Connection.objects.filter(pk=connection.pk).update(error_code=code, error_at=now)


def note_workspace_name(workspace: Workspace, found: Identity) -> None:
    """A workspace may be renamed in the service; its id never changes."""
    named = (clean(found.name), clean(found.slug))
    if (workspace.name, workspace.slug) != named:
        workspace.name, workspace.slug = named
        workspace.save(update_fields=["name", "slug"])


# --- the schedule -------------------------------------------------------------------------------


def next_start(connection: Connection, after: datetime) -> datetime | None:
    """Its schedule's next time later than `after`, and its own delay. None when only a person asks."""
    due = schedules.next_time(connection.plan, after)
    return due + schedules.delay(connection.uid) if due else None


def start_due(now: datetime) -> list[SyncRun]:
    """Serves every connection whose time has come; each of them once, whoever is first. Returns the runs."""
    started = []
    for found in Connection.objects.filter(state__in=LIVE, next_sync__lte=now):
        try:
            with transaction.atomic():
                run = _serve(Connection.objects.select_for_update().get(pk=found.pk), now)
        except schedules.Unsound as error:  # a zone that this machine no longer knows must not stop the others
            note_failure(found, error.faults[0].code, now)
            continue
        if run is not None:
            started.append(run)
    return started


def recount(now: datetime) -> None:
    """After the clock was set back: next times that were counted by the wrong one are counted from now."""
    for connection in Connection.objects.filter(state__in=LIVE, next_sync__gt=now):
        with suppress(schedules.Unsound):
            due = next_start(connection, now)
            Connection.objects.filter(pk=connection.pk, next_sync=connection.next_sync).update(next_sync=due)


def _serve(connection: Connection, now: datetime) -> SyncRun | None:
    """Accounts for all times that have come: the newest by a run if nothing forbids it, the others as missed."""
    with transaction.atomic():
        found = _passed(connection, now)
        run, left = _start(connection, found, now)
        missed.write(connection, left, now)
    return run


def _passed(connection: Connection, now: datetime) -> list[missed.Missed]:
    """Takes the times that have come, in order, and moves on; nothing when somebody else has taken them."""
    first, wait = connection.next_sync, schedules.delay(connection.uid)
    if first is None or first > now:
        return []
    following = next_start(connection, now - wait)
    if not Connection.objects.filter(pk=connection.pk, next_sync=first).update(next_sync=following):
        return []
    connection.next_sync = following
    return missed.explain(connection, schedules.between(connection.plan, first - wait, now - wait), wait)


def _start(
    connection: Connection, found: list[missed.Missed], now: datetime
) -> tuple[SyncRun | None, list[missed.Missed]]:
    """A run for the newest time, and what is left as missed: also that time when the run comes much too late."""
    if not found or found[-1].code != missed.UNATTENDED or connection.state != ConnectionState.ACTIVE:
        return None, found
    *older, newest = found
    try:
        run = runs.request(connection, trigger="schedule", now=now)
    except runs.Refused as refusal:
        return None, [*older, missed.refused(newest.due_at, refusal, pauses.everything())]
    return run, [*older, missed.caught_up(newest, run)] if missed.late(newest, now) else older
