"""From nothing to an active connection. A draft becomes active only after its own workspace answered its own token."""

from datetime import date, datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models.functions import Coalesce
from django.http import HttpRequest

from portal import audit
from portal.audit import Action, clean
from portal.models import User

from .. import registry
from ..models import Connection, ConnectionState, Workspace
from ..schedules import Plan
from ..spec import Connector, Identity
from .refusals import NotPossible, must_be, must_be_called, must_be_known, must_have_come
from .timetable import timed
from .tokens import checked_workspace, in_use, put, rotation_day

DRAFTS_LIVE = timedelta(days=7)


def draft(connector: Connector, *, by: User | None, now: datetime, request: HttpRequest | None = None) -> Connection:
    with transaction.atomic():
        connection = Connection.objects.create(
            name=f"New {connector.title} connection",
            connector=connector.slug,
            created_by=by,
            created_at=now,
            since=now,
            contacts=[by.email] if by is not None and by.email else [],
        )
        audit.record(Action.CONNECTION_DRAFTED, actor=by, target=connection, request=request, at=now)
    return connection


def set_credential(
    connection: Connection,
    *,
    name: str,
    region: str,
    token: str,
    role: str,
    now: datetime,
    environment: str = "",
    made: date | None = None,
    by: User | None = None,
    later: bool = False,
) -> Connection:
    """Names a draft and seals its token. An empty token keeps the one that is there; `later` allows none yet.

    environment  what the workspace is used for, a value of models.Environment
    made         the day on which the token was made in the service, None for the day on which it is stored

    Raises NotPossible with the field at fault: the name, the region, the environment, the shape of the token, the
    day, or a token that another connection holds.
    """
    must_be(connection, ConnectionState.DRAFT)
    connector = registry.get(connection.connector)
    if region not in registry.regions(connector):
        raise NotPossible("region-unknown", "Choose one of the regions.", field="region")
    must_be_called(name)
    must_be_known(environment)
    must_have_come(made, now)
    if region != connection.region:
        connection.capabilities, connection.checked_at = {}, None
    connection.name, connection.region, connection.environment = clean(name.strip(), 120), region, environment
    connection.token_role, connection.token_made = role, made
    pasted = connector.clean(token)
    if pasted:
        put(connection, connection, pasted, role=role, made=made, by=by, now=now)
    elif not connection.token_fingerprint and not later:
        raise NotPossible("token-missing", "Paste the token that Segment showed once.", field="token")
    connection.rotate_on = rotation_day(connection, connection.rotation_days)
    try:
        with transaction.atomic():
            # Only what was pasted is written: saving the column itself would encrypt what was deferred.
            connection.save(update_fields=_changed(pasted))
    except IntegrityError:
        raise in_use(pasted) from None
    return connection


def _changed(pasted: str) -> list[str]:
    always = ["name", "region", "environment", "token_role", "token_made", "rotate_on", "capabilities", "checked_at"]
    sealed = ["token", "token_hint", "token_fingerprint", "token_since", "token_by", "token_used_at"]
    return [*always, *sealed] if pasted else always


def holder_of(connection: Connection, found: Identity) -> Connection | None:
    """The live connection, other than this one, that already reads the workspace."""
    return (
        Connection.objects.filter(workspace__connector=connection.connector, workspace__remote_id=found.id)
        .exclude(state=ConnectionState.DISCONNECTED)
        .exclude(pk=connection.pk)
        .first()
    )


def activate(
    connection: Connection,
    *,
    plan: Plan,
    by: User | None,
    now: datetime,
    request: HttpRequest | None = None,
) -> Connection:
    """Makes a checked draft active for the workspace that answered. Raises NotPossible."""
    must_be(connection, ConnectionState.DRAFT)
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
            connection.state, connection.since = ConnectionState.ACTIVE, now
            connection.token_used_at = connection.checked_at
            connection.rotate_on = rotation_day(connection, connection.rotation_days)
            times = timed(connection, plan, now)
            connection.save(update_fields=["workspace", "state", "since", "token_used_at", "rotate_on", *times])
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


def discard(connection: Connection, *, by: User | None, now: datetime, request: HttpRequest | None = None) -> None:
    """Deletes a draft, its token with it. A connection that was ever active has history and cannot go."""
    must_be(connection, ConnectionState.DRAFT)
    with transaction.atomic():
        audit.record(Action.CONNECTION_DISCARDED, actor=by, target=connection, request=request, at=now)
        connection.delete()


def touch(connection: Connection, now: datetime) -> None:
    """Somebody works on a draft, so its week begins anew: `since` of a draft is when that was last."""
    Connection.objects.filter(pk=connection.pk, state=ConnectionState.DRAFT).update(since=now)


def discarded_on(draft: Connection) -> datetime:
    """When a draft is discarded by itself, its token with it, if nobody works on it until then."""
    return (draft.since or draft.created_at) + DRAFTS_LIVE


def discard_old_drafts(now: datetime) -> int:
    """Discards the drafts on which nobody has worked for a week; returns how many."""
    left_alone = Connection.objects.annotate(worked_on=Coalesce("since", "created_at"))
    old = left_alone.filter(state=ConnectionState.DRAFT, worked_on__lt=now - DRAFTS_LIVE)
    gone = 0
    for pk in old.values_list("pk", flat=True):
        with transaction.atomic():
            if (still := old.select_for_update().filter(pk=pk).first()) is not None:
                discard(still, by=None, now=now)
                gone += 1
    return gone
