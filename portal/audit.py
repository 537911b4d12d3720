"""The audit log's one door. Every action that may be recorded stands in `Action`; others are refused."""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.http import HttpRequest
from django.utils import timezone

from .models import AuditEntry, User

SYSTEM = "portal"
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class Action(StrEnum):
    SIGN_IN = "sign-in"
    SIGN_OUT = "sign-out"
    SIGN_IN_REFUSED = "sign-in refused"
    ACCESS_REFUSED = "access refused"
    PERSON_CHANGED = "person changed"
    CONNECTION_DRAFTED = "connection drafted"
    CONNECTION_CHECKED = "connection checked"
    CONNECTION_DIAGNOSED = "connection diagnosed"
    CONNECTION_ACTIVATED = "connection activated"
    CONNECTION_CHANGED = "connection changed"
    CONNECTION_PAUSED = "connection paused"
    CONNECTION_RESUMED = "connection resumed"
    CONNECTION_DISCARDED = "connection discarded"
    CREDENTIAL_REPLACED = "token replaced"
    CREDENTIAL_SETTLED = "token before wiped"
    CREDENTIAL_RESTORED = "token before restored"
    CREDENTIAL_LEAKED = "token leaked"
    ROTATION_REMINDED = "rotation reminded"
    CONNECTION_DISCONNECTED = "connection disconnected"
    EVERYTHING_PAUSED = "everything paused"
    EVERYTHING_RESUMED = "everything resumed"
    SYNC_REQUESTED = "sync requested"
    SYNC_CANCELLED = "sync cancelled"
    SYNC_ENDED = "sync ended"
    ANOMALY_ACKNOWLEDGED = "anomaly acknowledged"
    REPORT_CAPTURED = "report captured"
    EXPORTED = "exported"
    VERIFICATION_REQUESTED = "verification requested"
    VERIFIED = "verified"
    KEYS_ROTATED = "keys rotated"
    BACKUP_MADE = "backup made"
    RESTORED = "restored from a backup"
    KEY_ADDED = "signing key added"
    KEY_RETIRED = "signing key retired"
    SYNC_MISSED = "sync missed"
    ERASURE_ASKED = "erasure asked for"
    ERASURE_WITHDRAWN = "erasure withdrawn"
    ERASED = "data erased"
    RETENTION_CHANGED = "retention changed"
    RETAINED = "data removed by retention"
    ARTIFACT_ADDED = "artifact added"
    VERSION_ADDED = "version added"
    ARTIFACT_CHANGED = "artifact changed"
    ARTIFACT_ARCHIVED = "artifact archived"
    ARTIFACT_RESTORED = "artifact taken from the archive"
    VERSION_SUBMITTED = "submitted for review"
    VERSION_WITHDRAWN = "withdrawn from review"
    VERSION_ACCEPTED = "accepted"
    VERSION_REJECTED = "rejected"
    VERSION_EXPIRED = "expired"
    VERSION_SUPERSEDED = "superseded"
    COLLECTION_CHANGED = "collection changed"
    COMMENTED = "commented"
    COMMENT_WITHDRAWN = "comment withdrawn"
    FRAMEWORK_LOADED = "framework loaded"
    CONTROL_CHANGED = "control changed"
    AUDIT_CHANGED = "audit changed"
    AUDIT_OPENED = "audit opened"
    AUDIT_CLOSED = "audit closed"
    BUNDLE_MADE = "evidence set packed"
    REQUEST_MADE = "evidence requested"
    REQUEST_ANSWERED = "request answered"
    REQUEST_DECIDED = "request decided"
    ACTION_ADDED = "action added"
    ACTION_CHANGED = "action changed"
    ACTION_DONE = "action done"
    ACTION_DROPPED = "action dropped"
    UNDONE = "undone"


# What the evidence rests on besides the snapshots: the worker seals these entries in the ledger.
SEALED = (
    Action.CONNECTION_ACTIVATED,
    Action.CONNECTION_DISCONNECTED,
    Action.CREDENTIAL_REPLACED,
    Action.CREDENTIAL_RESTORED,
    Action.CREDENTIAL_LEAKED,
    Action.EVERYTHING_PAUSED,
    Action.EVERYTHING_RESUMED,
    Action.SYNC_MISSED,
    Action.SYNC_ENDED,
    Action.ANOMALY_ACKNOWLEDGED,
    Action.REPORT_CAPTURED,
    Action.EXPORTED,
    Action.VERIFIED,
    Action.KEYS_ROTATED,
    Action.KEY_ADDED,
    Action.KEY_RETIRED,
    Action.ERASED,
    Action.RETENTION_CHANGED,
    Action.RETAINED,
    Action.BACKUP_MADE,
    Action.RESTORED,
    Action.ARTIFACT_ADDED,
    Action.VERSION_ADDED,
    Action.VERSION_ACCEPTED,
    Action.VERSION_REJECTED,
    Action.AUDIT_CLOSED,
    Action.BUNDLE_MADE,
)


def clean(text: str, most: int = 254) -> str:
    """One line, no control characters: a name from outside cannot forge a second entry."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)[:most]


def record(
    action: Action,
    *,
    actor: User | AnonymousUser | None,
    target: Any = None,
    name: str = "",
    request: HttpRequest | None = None,
    at: datetime | None = None,
    **detail: str | int | float | bool | None,
) -> AuditEntry:
    """Writes one entry. `actor` is None when the portal acted by itself; `detail` must hold no secret."""
    entry = _entry(action, actor, target, name, request, at, detail)
    entry.save()
    return entry


def record_each(
    action: Action,
    targets: Iterable[tuple[Any, Mapping[str, str | int | float | bool | None]]],
    *,
    actor: User | None,
    request: HttpRequest | None = None,
    at: datetime | None = None,
) -> int:
    """Writes an entry for each target, with its own detail, in few statements. Returns how many."""
    entries = [_entry(action, actor, target, "", request, at, detail) for target, detail in targets]
    return len(AuditEntry.objects.bulk_create(entries, batch_size=500))


def _entry(  # noqa: PLR0917  # both of its callers have all of these at hand
    action: Action,
    actor: User | AnonymousUser | None,
    target: Any,
    name: str,
    request: HttpRequest | None,
    at: datetime | None,
    detail: Mapping[str, str | int | float | bool | None],
) -> AuditEntry:
    person = actor if isinstance(actor, User) else None
    who = person.get_username() if person else (SYSTEM if actor is None else "somebody not signed in")
    label = f"{target._meta.model_name} {target.pk}" if target is not None else ""
    return AuditEntry(
        at=at or timezone.now(),
        actor=person,
        actor_name=clean(who),
        address=address(request),
        action=Action(action).value,
        target=label,
        target_name=clean(name or (str(target) if target is not None else "")),
        detail={key: clean(value, 500) if isinstance(value, str) else value for key, value in detail.items()},
    )


def address(request: HttpRequest | None) -> str | None:
    """The client's address; behind `PROXY_HOPS` proxies, the one that the outermost of them saw."""
    from django.conf import settings

    if request is None:
        return None
    forwarded = [part.strip() for part in request.headers.get("X-Forwarded-For", "").split(",") if part.strip()]
    hops = settings.PROXY_HOPS
    found = forwarded[-hops] if hops and len(forwarded) >= hops else request.META.get("REMOTE_ADDR")
    return found if found and re.fullmatch(r"[0-9a-fA-F:.]{2,45}", found) else None


def hear_sign_ins() -> None:
    """Has every way of signing in and out recorded, whoever opens it."""
    user_logged_in.connect(_signed_in, dispatch_uid="portal.audit.in")
    user_logged_out.connect(_signed_out, dispatch_uid="portal.audit.out")


def _signed_in(sender: object, request: HttpRequest, user: User, **kwargs: Any) -> None:
    record(Action.SIGN_IN, actor=user, request=request, target=user)


def _signed_out(sender: object, request: HttpRequest, user: User | None, **kwargs: Any) -> None:
    if user is not None:
        record(Action.SIGN_OUT, actor=user, request=request, target=user)
