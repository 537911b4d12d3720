"""A run whose worker is lost, wherever that is, ends as if nothing had happened; and a worker taken for dead writes
nothing any more."""

import json
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection as database
from django.db import transaction
from django.utils import timezone

from connectors import locker, registry, runs
from connectors import sync as driver
from connectors.models import (
    Change,
    Connection,
    Receipt,
    RunListing,
    RunState,
    RunStream,
    Snapshot,
    StagedRecord,
    SyncRun,
)
from connectors.reading.listing import Listing, Stage, from_json
from connectors.reading.progress import Progress
from connectors.segment.simulator import Fault
from tests.clocks import Skipping
from tests.outcomes import differences, kind_of, left_over, outcome

pytestmark = pytest.mark.django_db

FEW = ("sources", "destinations", "tracking_plan_sources", "regulations")  # references, parents and children, a log


class Killed(BaseException):
    """The worker is dead: nothing of it reaches the database any more."""


Wanted = Callable[[str, int], bool]


@contextmanager
def dying(wanted: Wanted, after: bool = False) -> Iterator[Counter[str]]:
    """From the statement on that `wanted` (its kind, its number among those of its kind) finds, none gets through.

    Only what the database itself does for a connection that is gone still happens: open transactions are undone.
    """
    seen: Counter[str] = Counter()
    dead = False

    def around(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        nonlocal dead
        if dead:
            if sql.startswith(("ROLLBACK TO", "RELEASE")):
                return execute(sql, *rest)
            raise Killed
        kind = kind_of(sql)
        seen[kind] += 1
        dead = wanted(kind, seen[kind])
        if dead and not after:
            raise Killed
        found = execute(sql, *rest)
        if dead:
            raise Killed
        return found

    with database.execute_wrapper(around):
        yield seen


@contextmanager
def tried() -> Iterator[None]:
    """What happens inside has not happened afterwards."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def queued(connection: Connection, streams: tuple[str, ...] = FEW) -> SyncRun:
    return runs.request(connection, trigger="test", now=timezone.now(), streams=streams, enqueue=False)


def lose(run: SyncRun, wanted: Wanted, *, after: bool = False) -> bool:
    """A worker of the run that dies; the run is given back. False when it was not where it should have died."""
    with dying(wanted, after), suppress(Killed):
        driver.perform(run.pk, clock=Skipping())
        return False
    transaction.set_rollback(False)  # what the dead had open is undone; the test's own transaction goes on
    runs.recover_of(os.getpgrp(), timezone.now())
    return True


def finished(run: SyncRun) -> SyncRun:
    return driver.perform(run.pk, clock=Skipping())


def never(kind: str, number: int) -> bool:
    return False


# --- at every statement -----------------------------------------------------------------------------


def places(kinds: Counter[str]) -> Iterator[tuple[str, int, bool]]:
    """(kind, number, after): before the first of each kind of statement, and after the last of those that write."""
    for kind, times in kinds.items():
        yield kind, 1, False
        if kind.startswith(("INSERT", "UPDATE", "DELETE", "RELEASE")):
            yield kind, times, True


def test_a_worker_lost_at_any_statement_changes_nothing(connected: Connection, simulator: Any) -> None:
    finished(queued(connected))
    simulator.settings.day = 1
    run = queued(connected)
    with tried(), dying(never) as kinds:
        finished(run)
        told = list(places(kinds))
        clean = outcome(run.pk)
        assert not left_over(run.pk)
    assert clean["changes"]
    assert len(told) > 40
    for kind, number, after in told:
        with tried():
            lost = lose(run, lambda k, n, kind=kind, number=number: (k, n) == (kind, number), after=after)  # type: ignore[misc]
            assert lost or number > 1, kind
            finished(run)
            assert not left_over(run.pk), (kind, number, after)
            assert not differences(clean, outcome(run.pk)), (kind, number, after)


# --- what was read before -----------------------------------------------------------------------------


def done_but_one_page(run: SyncRun, path: str, simulator: Any) -> None:
    """A worker of the run is lost while it waits for a second page of `path`; all else is read and kept."""
    simulator.settings.cap = 10
    hang = Fault(f"^{path}$", "hang", times=None, after=1)
    simulator.faults.append(hang)
    clock = DyingWhen(lambda: hang.seen > 1 and run_is_kept(run))
    with suppress(Killed), dying(clock.is_dead):
        driver.perform(run.pk, clock=clock)
    transaction.set_rollback(False)
    simulator.faults.remove(hang)
    assert runs.recover_of(os.getpgrp(), timezone.now()) == [run.pk]


class DyingWhen(Skipping):
    """The clock of a worker that dies when something is so, looked at by its coordinator outside of transactions."""

    def __init__(self, condition: Callable[[], bool]) -> None:
        super().__init__()
        self._condition, self._depth, self._dead = condition, len(database.savepoint_ids), False

    def now(self) -> Any:
        main = threading.current_thread() is threading.main_thread()
        if main and not self._dead and len(database.savepoint_ids) == self._depth and self._condition():
            self._dead = True
            raise Killed
        return super().now()

    def is_dead(self, kind: str, number: int) -> bool:
        return self._dead


def run_is_kept(run: SyncRun) -> bool:
    """Whether all but one of its listings are done."""
    stages = Counter(body["stage"] for body in RunListing.objects.filter(run=run).values_list("body", flat=True))
    return stages["open"] == 1 and stages["done"] > 3


def asked(simulator: Any, since: int) -> list[str]:
    return [entry.path for entry in simulator.requests[since:]]


def test_what_was_read_is_not_asked_for_again(connected: Connection, simulator: Any) -> None:
    run = queued(connected)
    done_but_one_page(run, "/destinations", simulator)
    since = len(simulator.requests)
    assert finished(run).state == RunState.PUBLISHED
    assert sorted(asked(simulator, since)) == ["/", "/", *["/destinations"] * 4]
    assert not left_over(run.pk)


def test_half_of_a_listing_is_worth_nothing(connected: Connection, simulator: Any) -> None:
    """What went away between the two readings of a listing is not in the evidence."""
    run = queued(connected)
    done_but_one_page(run, "/destinations", simulator)
    kept = set(StagedRecord.objects.filter(run=run, stream="destinations").values_list("key", flat=True))
    assert len(kept) == 10
    simulator.faults.append(Fault("^/destinations$", "removed", times=None, value=3))
    ended = finished(run)
    found = {key for stream, key, _ in outcome(run.pk)["records"] if stream == "destinations"}
    assert len(found) == 39
    assert len(kept - found) == 1
    assert locker.coverage_of(ended.snapshot)["destinations"]["items"] == 39
    assert not left_over(run.pk)


def test_a_gap_that_was_found_before_the_loss_is_not_forgotten() -> None:
    [stream] = [each for each in registry.get("segment").streams if each.name == "audit_events"]
    found = Listing(1, stream, 0, stage=Stage.DONE, gap=True)
    progress = Progress(stream)
    progress.restored(from_json(json.loads(json.dumps(found.as_json(waits=False))), {stream.name: stream}))
    assert progress.anomaly == "gap"


@pytest.mark.parametrize(("minutes", "kept"), [(14, True), (16, False)])
def test_what_was_read_is_kept_for_fifteen_minutes(
    connected: Connection, simulator: Any, minutes: int, kept: bool
) -> None:
    run = queued(connected)
    done_but_one_page(run, "/destinations", simulator)
    began = SyncRun.objects.get(pk=run.pk).started_at
    since, later = len(simulator.requests), Skipping()
    later.pause(minutes * 60)
    ended = driver.perform(run.pk, clock=later)
    assert ended.state == RunState.PUBLISHED
    assert ("/sources" not in asked(simulator, since)) is kept
    assert ended.started_at
    assert began
    span = locker.header_of(ended.snapshot)["window"]
    assert (span[0] == began.isoformat()) is kept
    assert span[0] == ended.started_at.isoformat()
    assert (later.now() - ended.started_at > timedelta(minutes=10)) is kept
    assert not left_over(run.pk)


@pytest.mark.parametrize("what", ["token", "groups", "version", "code"])
def test_what_was_read_in_another_way_is_not_kept(
    connected: Connection, simulator: Any, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    Connection.objects.filter(pk=connected.pk).update(groups=["workspace", "data-flow", "functions"])
    run = queued(connected, ())
    done_but_one_page(run, "/destinations", simulator)
    kept = Connection.objects.filter(pk=connected.pk)
    if what == "version":
        monkeypatch.setattr(runs, "__version__", "9.9.9")
    elif what == "groups":
        kept.update(groups=["workspace", "data-flow"])
    elif what == "code":
        kept.update(keep_code=True)
    else:
        kept.update(token_fingerprint="another")
    since = len(simulator.requests)
    ended = finished(run)
    assert ended.state == RunState.PUBLISHED
    assert {"/sources", "/labels", "/warehouses"} <= set(asked(simulator, since))
    read = {name for name, entry in locker.coverage_of(ended.snapshot).items() if entry["coverage"] == "complete"}
    assert set(RunStream.objects.filter(run=run).values_list("stream", flat=True)) == read
    assert not left_over(run.pk)


def test_a_run_that_is_lost_too_often_is_abandoned_with_nothing_left(connected: Connection, simulator: Any) -> None:
    run = queued(connected)
    for _ in range(runs.MOST_LOST + 1):
        done_but_one_page(run, "/destinations", simulator)
    run.refresh_from_db()
    assert (run.state, run.error_code, run.lost) == (RunState.ABANDONED, "worker-lost", runs.MOST_LOST)
    assert "4 times" in run.error_detail
    assert not RunListing.objects.exists()
    assert not StagedRecord.objects.exists()
    assert not Snapshot.objects.exists()
    assert finished(queued(connected)).state == RunState.PUBLISHED


# --- a worker that was taken for dead ---------------------------------------------------------------------


class TakenForDead(Skipping):
    """The clock of a worker that is held up at one of its looks at it, while another one does its run."""

    def __init__(self, run: SyncRun, look: int) -> None:
        super().__init__()
        self._run, self._look, self._depth = run, look, len(database.savepoint_ids)
        self.looks = 0
        self.since: dict[str, Any] | None = None

    def now(self) -> Any:
        outside = len(database.savepoint_ids) == self._depth
        if threading.current_thread() is threading.main_thread() and outside and self.since is None:
            self.looks += 1
            if self.looks == self._look and SyncRun.objects.get(pk=self._run.pk).state in runs._CLAIMED:
                assert runs.recover_of(os.getpgrp(), timezone.now()) == [self._run.pk]
                finished(self._run)
                self.since = everything()
        return super().now()


def everything() -> dict[str, Any]:
    """All rows that a sync writes."""
    models = (SyncRun, RunStream, RunListing, Receipt, StagedRecord, Change, Snapshot, Connection)
    return {model.__name__: list(model._default_manager.order_by("pk").values()) for model in models}


def test_a_worker_that_was_taken_for_dead_writes_nothing_when_it_wakes(connected: Connection, simulator: Any) -> None:
    simulator.settings.cap = 10
    run = queued(connected)
    with tried():
        counting = TakenForDead(run, 0)
        driver.perform(run.pk, clock=counting)
    held_up = 0
    for look in [*range(2, 9), *range(9, counting.looks, 8), counting.looks - 1, counting.looks]:
        with tried():
            clock = TakenForDead(run, look)
            with suppress(locker.Lost):
                driver.perform(run.pk, clock=clock)
            if clock.since is not None:
                held_up += 1
                assert everything() == clock.since, f"look {look} of {counting.looks}"
                assert not left_over(run.pk)
    assert held_up > 10


def test_an_ending_run_is_not_taken_from_its_next_worker(connected: Connection) -> None:
    run = queued(connected)
    stale = runs.claim(run.pk, timezone.now())
    assert stale
    runs.recover_of(os.getpgrp(), timezone.now())
    assert runs.claim(run.pk, timezone.now())
    now = timezone.now()
    assert not runs.fail(stale, now, "defect", "It failed.")
    runs.let_go(stale, now)
    assert not runs.postpone(stale, now + runs.LONGEST_WAIT * 2, now, "")
    assert SyncRun.objects.get(pk=run.pk).state == RunState.RUNNING
