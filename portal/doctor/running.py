"""Checks of what runs: the worker, its queue, the clock, mail, and the door of the web server."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.staticfiles import finders
from django.contrib.staticfiles.storage import ManifestStaticFilesStorage, staticfiles_storage
from django.db import connection
from django.db.models import Max, Min, Q
from django.http.request import validate_host
from django_q.conf import Conf
from django_q.models import OrmQ

from connectors import anchors, schedules
from connectors.models import Connection, ConnectionState, Heartbeat, Receipt, RunState, SyncRun
from connectors.rekeying import ALIVE
from connectors.runs import LOST_AFTER
from evidence import anchored

from .. import mail
from ..models import AuditEntry
from ..templatetags.portal import duration, said_time, since
from .findings import Seen, fail, moot, warn, well

PATIENCE = timedelta(minutes=15)  # a task that waits longer finds no free worker
APART = timedelta(seconds=30)
BACK = timedelta(minutes=1)
LOOPBACK = {"127.0.0.1", "localhost", "::1"}
SHEET = "portal.css"


# --- the worker -------------------------------------------------------------------------------------------


def worker_lives(now: datetime) -> Seen:
    heard = dict(Heartbeat.objects.order_by("-at").values_list("worker", "at"))
    alive = [name for name, at in heard.items() if at > now - ALIVE]
    if not heard:
        return fail("No worker has ever been heard of.", code="worker-silent")
    newest = max(heard.values())
    if not alive:
        return fail(f"The last sign of a worker came {since(newest, now)}.", code="worker-silent")
    return well(f"{', '.join(f'“{name}”' for name in alive[:5])} did a task {since(newest, now)}.")


def queue_moves(now: datetime) -> Seen:
    """Tasks that nobody has taken; who takes one locks it for hours, or gives it a key of its own."""
    waiting = OrmQ.objects.filter(key=Conf.CLUSTER_NAME, lock__lte=now)
    count, oldest = waiting.count(), waiting.aggregate(at=Min("lock"))["at"]
    if not count or oldest is None:
        return well("No task waits.")
    saw = f"{count} {'task waits' if count == 1 else 'tasks wait'}, the oldest since {said_time(oldest)}."
    return warn(saw, code="queue-waits") if now - oldest > PATIENCE else well(saw)


def runs_move(now: datetime) -> Seen:
    """Runs that say nothing, or were never begun, although nothing makes them wait."""
    lost = Q(state__in=(RunState.RUNNING, RunState.PUBLISHING), heartbeat_at__lt=now - 2 * LOST_AFTER)
    waits = Q(state=RunState.QUEUED, resume_at=None, queued_at__lt=now - 4 * PATIENCE)
    overdue = Q(state=RunState.QUEUED, resume_at__lt=now - PATIENCE)
    stuck = list(SyncRun.objects.filter(lost | waits | overdue).order_by("pk").values_list("pk", flat=True)[:20])
    if stuck:
        return warn(f"These do not move: run {', '.join(map(str, stuck))}.", code="runs-stuck")
    return well("No sync run stands still.")


# --- the clock --------------------------------------------------------------------------------------------


def clock_agrees(now: datetime) -> Seen:
    """This machine's clock against the database's."""
    if connection.vendor == "sqlite":
        return moot("SQLite has no clock of its own.")
    with connection.cursor() as cursor:
        before = datetime.now(UTC)
        cursor.execute("SELECT clock_timestamp()")
        apart = abs(cursor.fetchone()[0] - before)
    if apart > APART:
        return fail(f"This machine and the database are {duration(apart)} apart.", code="clock-apart")
    return well(f"This machine and the database are {duration(apart)} apart.")


def clock_goes_on(now: datetime) -> Seen:
    """Nothing that was written is later than now."""
    written = {
        "a heartbeat": Heartbeat.objects.aggregate(at=Max("at"))["at"],
        "a request": Receipt.objects.order_by("-pk").values_list("sent_at", flat=True).first(),
        "an audit entry": AuditEntry.objects.order_by("-pk").values_list("at", flat=True).first(),
    }
    later = [f"{what} of {said_time(at)}" for what, at in written.items() if at and at > now + BACK]
    if later:
        saw = f"It is {said_time(now)} here, and there is {' and '.join(later)}."
        return fail(saw, code="clock-set-back")
    return well(f"It is {said_time(now)}, and nothing that was written is later.")


def zones_are_known() -> Seen:
    live = Connection.objects.exclude(state=ConnectionState.DISCONNECTED)
    held = {settings.TIME_ZONE, *live.order_by().values_list("schedule_zone", flat=True).distinct()}
    if strange := sorted(name for name in held if name not in schedules.zones()):
        return fail(f"This machine does not know: {', '.join(strange)}.", code="zone-unknown")
    return well(f"Times are shown in {settings.TIME_ZONE}; every schedule's zone is known.")


# --- mail -------------------------------------------------------------------------------------------------


def mail_goes_out(live: bool, to: str, now: datetime) -> Seen:
    """Only `live` and `to` talk to the server."""
    if not mail.configured():
        if to:
            return fail("EMAIL_URL is not set, so nothing was sent.", code="mail-refused")
        return moot("EMAIL_URL is not set: reminders stand on the portal's pages alone.")
    try:
        if to:
            mail.send(to, "A mail to try the portal's mail out", ["The portal can send mail."], now, path="/")
        elif live:
            mail.knock()
    except mail.MailRefused as error:
        return fail(str(error), code=error.code)
    if settings.EMAIL_HOST_PASSWORD and not (settings.EMAIL_USE_TLS or settings.EMAIL_USE_SSL or _nearby()):
        return warn("User and password travel to the mail server without encryption.", code="mail-open")
    if to:
        return well(f"The mail server took a mail to {to}.")
    said = "answers and accepts us" if live else "is set; it was not asked (--live asks it)"
    return well(f"The mail server {said}.")


def _nearby() -> bool:
    return settings.EMAIL_HOST in LOOPBACK


# --- anchors ----------------------------------------------------------------------------------------------


def anchors_are_made(now: datetime) -> Seen:
    """Every newest snapshot is confirmed outside in time, and no anchor contradicts the chain."""
    if broken := anchored.contradictions():
        named = ", ".join(f"“{each.name}”" for each in broken[:5])
        return fail(f"Anchors contradict the chain of {named}.", code="anchor-contradicted")
    kinds = anchors.configured()
    if not kinds:
        return moot("No anchor is configured: nothing outside confirms what is stored.")
    late = [f"{kind.label}: {many}" for kind in kinds if (many := anchors.late(kind, now).count())]
    if late:
        last = anchors.refused().first()
        saw = f"Workspaces not anchored in time. {'; '.join(late)}.{f' The last try: {last.message}' if last else ''}"
        return fail(saw, code=last.code if last else "anchor-late")
    return well(f"{', '.join(kind.label for kind in kinds)}: nothing is late.")


# --- the web server ---------------------------------------------------------------------------------------


def static_files_are_prepared() -> Seen:
    """The one file without which no page can be read, as the web server would serve it."""
    storage = staticfiles_storage
    if not isinstance(storage, ManifestStaticFilesStorage):
        found = finders.find(SHEET) is not None
        return well("The stylesheet is found.") if found else fail("It is not found.", code="static-missing")
    name = storage.hashed_files.get(SHEET)
    if name is None or not (Path(settings.STATIC_ROOT) / name).is_file():
        return fail("The list of prepared files or the stylesheet is missing.", code="static-missing")
    return well(f"{len(storage.hashed_files)} files are prepared, the stylesheet among them.")


def debug_is_off() -> Seen:
    if settings.DEBUG:
        return fail("DEBUG is on: every error shows settings and code to whoever meets it.", code="debug-on")
    return well("DEBUG is off.")


def comes_by_https() -> Seen:
    if settings.HTTPS:
        return well("Cookies and redirects demand https.")
    if settings.HOST in LOOPBACK:
        return well("HTTPS is off, and the portal listens on this machine's loopback alone.")
    return fail(f"HTTPS is off, and the portal listens at {settings.HOST}.", code="https-off")


def names_are_chosen() -> Seen:
    if "*" in settings.ALLOWED_HOSTS:
        return warn("ALLOWED_HOSTS takes any name.", code="hosts-open")
    name = urlsplit(settings.PORTAL_URL).hostname or ""
    if name and not validate_host(f"[{name}]" if ":" in name else name, settings.ALLOWED_HOSTS):
        return warn(f"PORTAL_URL leads to {name}, which ALLOWED_HOSTS does not name.", code="hosts-open")
    return well(f"The portal answers to {', '.join(settings.ALLOWED_HOSTS)}.")
