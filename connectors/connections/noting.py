"""What syncs and checks report of a connection. `since` moves only when something changes."""

from datetime import datetime

from django.db.models import Case, F, Q, Value, When

from portal.audit import clean

from ..models import Connection, Workspace
from ..spec import Identity
from .refusals import REFUSED


def _since(same: Q, now: datetime) -> Case:
    return Case(When(same, then=F("since")), default=Value(now))


def note_published(connection: Connection, now: datetime, *, lacking: int, whole: bool) -> None:
    """A snapshot was published; `lacking` of its streams should have been read and were not.

    whole  whether it was the main lane's: only that one clears an error
    """
    same_lack = Q(lacking__gt=0) if lacking else Q(lacking=0)
    rows = Connection.objects.filter(pk=connection.pk)
    if whole:
        rows.update(lacking=lacking, error_code="", error_at=None, since=_since(same_lack & Q(error_code=""), now))
    else:
        rows.update(lacking=lacking, since=_since(same_lack | ~Q(error_code=""), now))


def note_failure(connection: Connection, code: str, now: datetime) -> None:
    """Keeps why it cannot be read. Of a row of failures with one code, the first is when it began."""
    same = Q(error_code=code)
    Connection.objects.filter(pk=connection.pk).update(
        error_code=code, error_at=Case(When(same, then=F("error_at")), default=Value(now)), since=_since(same, now)
    )


def note_token_works(connection: Connection, now: datetime) -> None:
    """Its own workspace answered the token in use, so an error that blamed the token is over."""
    rows = Connection.objects.filter(pk=connection.pk, token_fingerprint=connection.token_fingerprint)
    rows.exclude(token_fingerprint="").update(token_used_at=now)
    rows.filter(error_code__in=REFUSED).update(error_code="", error_at=None, since=now)


def note_workspace_name(workspace: Workspace, found: Identity) -> None:
    """A workspace may be renamed in the service; its id never changes."""
    named = (clean(found.name), clean(found.slug))
    if (workspace.name, workspace.slug) != named:
        workspace.name, workspace.slug = named
        workspace.save(update_fields=["name", "slug"])
