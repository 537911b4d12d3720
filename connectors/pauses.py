"""Pauses: of one connection, or of everything at once. The only writer of `SyncPause`.

A pause is kept after its end, because it explains the times that passed in it.
"""

from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from portal import audit
from portal.models import User
from portal.templatetags.portal import said_time

from .models import Connection, SyncPause

GOES_ON = "No sync starts until an administrator resumes everything on the page of connections."
# A pause that began this soon after a time came before the worker, which looks every few seconds, had started anything.
SOON = timedelta(minutes=1)


def begin(connection: Connection | None, *, by: User | None, now: datetime, reason: str = "") -> bool:
    """False when it is paused already: of two clicks, one is first."""
    try:
        with transaction.atomic():
            SyncPause.objects.create(connection=connection, since=now, by=by, reason=audit.clean(reason.strip(), 300))
    except IntegrityError:
        return False
    return True


def end(connection: Connection | None, *, by: User | None, now: datetime) -> bool:
    """False when it is not paused."""
    return bool(standing(connection).update(until=now, ended_by=by))


def standing(connection: Connection | None) -> QuerySet[SyncPause]:
    """The pause of this connection, or of everything, that stands now; one or none."""
    return SyncPause.objects.filter(connection=connection, until__isnull=True).select_related("by")


# --- everything ---------------------------------------------------------------------------------------


def everything() -> SyncPause | None:
    """The pause of everything that stands now."""
    return standing(None).first()


def pause_everything(*, by: User | None, now: datetime, reason: str = "", request: HttpRequest | None = None) -> bool:
    """No sync starts until somebody resumes everything; those under way go on. False when it stands already."""
    with transaction.atomic():
        begun = begin(None, by=by, now=now, reason=reason)
        if begun:
            said = audit.clean(reason.strip(), 300)
            audit.record(audit.Action.EVERYTHING_PAUSED, actor=by, request=request, reason=said, at=now)
    return begun


def resume_everything(*, by: User | None, now: datetime, request: HttpRequest | None = None) -> bool:
    """False when nothing is paused as a whole. Connections that were paused one by one stay paused."""
    with transaction.atomic():
        ended = end(None, by=by, now=now)
        if ended:
            audit.record(audit.Action.EVERYTHING_RESUMED, actor=by, request=request, at=now)
    return ended


# --- what a pause says --------------------------------------------------------------------------------


def touching(connection: Connection, since: datetime, until: datetime) -> QuerySet[SyncPause]:
    """The pauses of everything and of this connection that stood at some moment of this time."""
    mine = Q(connection=None) | Q(connection=connection)
    ended_before = Q(until__isnull=False, until__lt=since)
    return SyncPause.objects.select_related("by").filter(mine, since__lte=until + SOON).exclude(ended_before)


def covers(pause: SyncPause, at: datetime) -> bool:
    return pause.since <= at + SOON and (pause.until is None or at < pause.until)


def sentence(pause: SyncPause) -> str:
    """Who paused what, since when, and why."""
    what = "Everything" if pause.connection_id is None else "This connection"
    who = f" by {pause.by.get_username()}" if pause.by else ""
    why = f" (“{pause.reason}”)" if pause.reason else ""
    return f"{what} was paused {said_time(pause.since)}{who}{why}."
