"""Whoever ends a run need not wait for the service: the worker lets go within a second and leaves nothing behind."""

from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone

from connectors import connections, credentials, runs
from connectors import sync as driver
from connectors.models import Connection, RunListing, RunState, Snapshot, StagedRecord, SyncRun
from connectors.schedules import Plan
from connectors.segment.simulator import Fault
from tests.clocks import Acting, Skipping
from tests.outcomes import left_over

pytestmark = pytest.mark.django_db
SOON = 3.0  # seconds; one is promised and half of one is usual, the rest is for a machine with much else to do


def queued(connection: Connection, trigger: str = "test") -> SyncRun:
    return runs.request(connection, trigger=trigger, now=timezone.now(), enqueue=False)


def cancel(run: SyncRun) -> Callable[[], object]:
    return lambda: runs.cancel(SyncRun.objects.get(pk=run.pk), None, timezone.now())


def ended(run: SyncRun) -> tuple[str, str, str]:
    run.refresh_from_db()
    assert not StagedRecord.objects.exists()
    assert not RunListing.objects.exists()
    assert not Snapshot.objects.exists()
    assert not left_over(run.pk)
    return run.state, run.error_code, run.error_detail


HANG = Fault("^/destinations$", "hang", times=None)
WAIT = Fault("^/destinations$", "status", times=None, status=429, retry_after="120")
BUSY = Fault("^/destinations$", "status", times=None, status=503, retry_after="120")
WHO_HANGS = Fault("^/$", "hang", times=None)
WHO_WAITS = Fault("^/$", "status", times=None, status=429, retry_after="120")
WHO_HANGS_LAST = Fault("^/$", "hang", times=None, after=1)
DEAD_AND_SILENT = (Fault("^/labels$", "status", times=None, status=401), WHO_HANGS_LAST)


@pytest.mark.parametrize(
    ("faults", "last"),
    [
        ((HANG,), HANG),
        ((WAIT,), WAIT),
        ((BUSY,), BUSY),
        ((WHO_HANGS,), WHO_HANGS),
        ((WHO_WAITS,), WHO_WAITS),
        ((WHO_HANGS_LAST,), WHO_HANGS_LAST),
        (DEAD_AND_SILENT, WHO_HANGS_LAST),
    ],
    ids=["hang", "wait", "busy", "identity-hangs", "identity-waits", "last-identity-hangs", "probe-hangs"],
)
def test_a_run_is_cancelled_while_it_waits(
    connected: Connection, simulator: Any, faults: tuple[Fault, ...], last: Fault
) -> None:
    run = queued(connected)
    fresh = [
        Fault(f.path, f.kind, times=f.times, after=f.after, status=f.status, retry_after=f.retry_after) for f in faults
    ]
    simulator.faults += fresh
    clock = Acting(lambda: fresh[-1].seen > last.after, cancel(run))
    driver.perform(run.pk, clock=clock)
    assert clock.seconds is not None
    assert clock.seconds < SOON
    assert ended(run) == ("cancelled", "cancelled", "Somebody cancelled the sync.")


@pytest.mark.parametrize("look", [3, 10, 30])
def test_a_run_is_cancelled_while_it_reads(connected: Connection, simulator: Any, look: int) -> None:
    simulator.settings.cap, simulator.settings.latency_ms = 2, 10
    run, looks = queued(connected), iter(range(1000))
    clock = Acting(lambda: next(looks) == look, cancel(run))
    driver.perform(run.pk, clock=clock)
    assert clock.seconds is not None
    assert clock.seconds < SOON
    assert ended(run)[:2] == ("cancelled", "cancelled")


def test_what_was_asked_stays_on_record(connected: Connection, simulator: Any) -> None:
    simulator.faults.append(Fault("^/destinations$", "hang", times=None))
    run = queued(connected)
    clock = Acting(lambda: simulator.faults[0].seen > 0, cancel(run))
    driver.perform(run.pk, clock=clock)
    asked = [entry.path for entry in simulator.requests if entry.status == 200]
    assert run.receipts.count() > 1
    assert set(run.receipts.values_list("path", flat=True)) <= set(asked)


def disconnect(connection: Connection) -> None:
    connections.disconnect(Connection.objects.get(pk=connection.pk), by=None, now=timezone.now())


def replace(connection: Connection) -> None:
    held = Connection.objects.get(pk=connection.pk)
    credentials.seal(held, held, "sgp_" + "n" * 40)
    held.save(update_fields=["token", "token_hint", "token_fingerprint"])


def unschedule(connection: Connection) -> None:
    connections.reschedule(Connection.objects.get(pk=connection.pk), plan=Plan("manual"), by=None, now=timezone.now())


@pytest.mark.parametrize("fault", [HANG, WAIT, WHO_WAITS], ids=["hang", "wait", "identity-waits"])
@pytest.mark.parametrize(
    ("deed", "code", "detail"),
    [
        (disconnect, "disconnected", "The connection was disconnected."),
        (replace, "token-replaced", "The token of the connection was replaced while it was read."),
        (unschedule, "schedule-removed", "The schedule that had asked for it was removed."),
    ],
)
def test_what_ends_a_connections_runs_is_said_on_them(  # noqa: PLR0917  # a table's columns
    connected: Connection, simulator: Any, deed: Callable[[Connection], None], code: str, detail: str, fault: Fault
) -> None:
    run = queued(connected, "schedule")
    simulator.faults.append(
        Fault(fault.path, fault.kind, times=None, status=fault.status, retry_after=fault.retry_after)
    )
    clock = Acting(lambda: simulator.faults[0].seen > 0, lambda: deed(connected))
    driver.perform(run.pk, clock=clock)
    assert clock.seconds is not None
    assert clock.seconds < SOON
    assert ended(run) == ("cancelled", code, detail)
    assert Connection.objects.get().error_code == ""


def test_a_run_that_nobody_scheduled_goes_on_without_a_schedule(connected: Connection, simulator: Any) -> None:
    run = queued(connected, "person")
    clock = Acting(lambda: len(simulator.requests) > 10, lambda: unschedule(connected), skip=True)
    assert driver.perform(run.pk, clock=clock).state == RunState.PUBLISHED
    assert clock.seconds is not None


def test_a_cancelled_run_that_waits_in_the_queue_is_not_woken(connected: Connection, simulator: Any) -> None:
    simulator.faults.append(Fault("^/destinations$", "status", times=None, status=429, retry_after="3600"))
    run = queued(connected)
    assert driver.perform(run.pk, clock=Skipping()).state == RunState.QUEUED
    cancel(run)()
    later = Skipping()
    later.pause(7200)
    assert runs.wake(later.now()) == []
    assert driver.perform(run.pk, clock=later).state == RunState.CANCELLED
    assert ended(run)[1] == "cancelled"
