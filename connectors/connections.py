"""What can be done with a connection. Each verb is one function, one transaction, one line in the audit log.

The only writer of `Connection`. A draft becomes active only after its own workspace answered its own token.
"""

from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.http import HttpRequest

from portal import audit
from portal.audit import Action, clean
from portal.models import User

from . import checking, credentials, registry, runs
from .http import Client
from .models import Connection, ConnectionState, Schedule, SyncRun, Workspace
from .spec import Connector, Identity, Region, Stream

DRAFTS_LIVE = timedelta(days=7)


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
        raise _wrong_state(connection)
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
    schedule: str,
    hour: int,
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
            connection.schedule, connection.schedule_hour = Schedule(schedule), hour
            connection.next_sync = next_time(schedule, hour, now)
            connection.save(update_fields=["workspace", "state", "schedule", "schedule_hour", "next_sync"])
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
    """No sync is started until somebody resumes; a running one goes on."""
    _must_be(connection, ConnectionState.ACTIVE)
    _set(connection, Action.CONNECTION_PAUSED, by, now, request, state=ConnectionState.PAUSED, next_sync=None)


def resume(connection: Connection, *, by: User | None, now: datetime, request: HttpRequest | None = None) -> None:
    _must_be(connection, ConnectionState.PAUSED)
    due = next_time(connection.schedule, connection.schedule_hour, now)
    _set(connection, Action.CONNECTION_RESUMED, by, now, request, state=ConnectionState.ACTIVE, next_sync=due)


def reschedule(
    connection: Connection,
    *,
    schedule: str,
    hour: int,
    by: User | None,
    now: datetime,
    request: HttpRequest | None = None,
) -> None:
    if connection.state == ConnectionState.DISCONNECTED:
        raise _wrong_state(connection)
    due = next_time(schedule, hour, now) if connection.state == ConnectionState.ACTIVE else None
    _set(connection, Action.CONNECTION_CHANGED, by, now, request, schedule=schedule, schedule_hour=hour, next_sync=due)


def disconnect(connection: Connection, *, by: User | None, now: datetime, request: HttpRequest | None = None) -> None:
    """Wipes the token, stops the schedule, cancels a running sync. Snapshots, artifacts and logs stay."""
    if connection.state not in (ConnectionState.ACTIVE, ConnectionState.PAUSED):
        raise _wrong_state(connection)
    with transaction.atomic():
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
        raise _wrong_state(connection)


def _wrong_state(connection: Connection) -> NotPossible:
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


def next_time(schedule: str, hour: int, after: datetime) -> datetime | None:
    """The next moment, strictly later than `after`, in `after`'s own zone. None when only a person asks."""
    if schedule == Schedule.HOURLY:
        return after.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    if schedule == Schedule.MANUAL:
        return None
    moment = after.replace(hour=hour, minute=0, second=0, microsecond=0)
    days = (7 - moment.weekday()) % 7 if schedule == Schedule.WEEKLY else 0
    moment += timedelta(days=days)
    step = timedelta(days=7 if schedule == Schedule.WEEKLY else 1)
    return moment if moment > after else moment + step


def start_due(now: datetime) -> list[SyncRun]:
    """Asks for a run of every connection whose time has come; each of them once, whoever asks first."""
    started = []
    for connection in Connection.objects.filter(state=ConnectionState.ACTIVE, next_sync__lte=now):
        following = next_time(connection.schedule, connection.schedule_hour, now)
        mine = Connection.objects.filter(pk=connection.pk, next_sync=connection.next_sync).update(next_sync=following)
        if mine:
            try:
                started.append(runs.request(connection, trigger="schedule", now=now))
            except runs.Refused:
                continue  # the one under way reads the same workspace now
    return started
