"""When a connection is to be read: each time that comes is accounted for, by a sync or as missed."""

from contextlib import suppress
from datetime import datetime

from django.db import transaction

from .. import missed, pauses, runs, schedules
from ..models import Connection, ConnectionState, SyncRun
from ..schedules import Plan
from .noting import note_failure
from .refusals import LIVE


def timed(connection: Connection, plan: Plan, now: datetime) -> list[str]:
    """Puts the plan on the row; returns the names of the fields that it set."""
    connection.schedule, connection.schedule_time = plan.kind, plan.at
    connection.schedule_weekday, connection.schedule_zone = plan.weekday, plan.zone
    connection.schedule_cron = plan.cron
    connection.next_sync = next_start(connection, now)
    return ["schedule", "schedule_time", "schedule_weekday", "schedule_zone", "schedule_cron", "next_sync"]


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
                run = serve(Connection.objects.select_for_update().get(pk=found.pk), now)
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


def serve(connection: Connection, now: datetime) -> SyncRun | None:
    """Accounts for all times that have come: the newest by a run if nothing forbids it, the others as missed."""
    with transaction.atomic():
        found = passed(connection, now)
        run, left = _start(connection, found, now)
        missed.write(connection, left, now)
    return run


def passed(connection: Connection, now: datetime) -> list[missed.Missed]:
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
