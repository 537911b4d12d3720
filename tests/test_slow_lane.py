"""What may be asked only twice a minute has a run of its own beside the main one; both publish into one chain."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from django_q.models import OrmQ

from connectors import connections, locker, registry, runs, tasks
from connectors import sync as driver
from connectors.models import Change, Connection, Lane, RunListing, RunState, SyncRun
from connectors.segment.simulator import Fault
from tests.clocks import Acting, Skipping
from tests.outcomes import left_over
from tests.worlds import analyze

pytestmark = pytest.mark.django_db
SLOW = {stream.name for stream in registry.get("segment").streams if stream.slow and stream.group.standard}


@pytest.fixture(autouse=True)
def standard(connected: Connection) -> None:
    connected.groups = None
    connected.save(update_fields=["groups"])


@pytest.fixture
def clock(simulator: Any) -> Skipping:
    """One time for the portal and the service, which keeps its limits; waits cost nothing."""
    found = Skipping()
    simulator.settings.rate_limits = True
    simulator.settings.clock = lambda: found.now().timestamp()
    return found


def queued(connection: Connection, lane: Lane = Lane.MAIN, streams: tuple[str, ...] = ()) -> SyncRun:
    return runs.request(connection, trigger="test", now=timezone.now(), lane=lane, streams=streams, enqueue=False)


def to_its_end(run: SyncRun, clock: Skipping) -> tuple[SyncRun, int]:
    """The run as it ended, and how often its worker was free meanwhile."""
    freed = 0
    while (run := driver.perform(run.pk, clock=clock)).state == RunState.QUEUED:
        assert run.resume_at
        assert run.worker == ""
        assert runs.wake(run.resume_at - timedelta(seconds=1)) == []
        clock.pause((run.resume_at - clock.now()).total_seconds())
        assert runs.wake(clock.now()) == [run.pk]
        assert runs.wake(clock.now()) == [], "it is put back to work once"
        freed += 1
    analyze()
    return run, freed


def coverage(run: SyncRun) -> dict[str, Any]:
    return dict(locker.coverage_of(run.snapshot))


def read(run: SyncRun) -> set[str]:
    """The streams whose coverage in a snapshot is that of this very snapshot."""
    return {name for name, entry in coverage(run).items() if entry.get("as_of") == run.snapshot.seq}


def test_after_a_main_run_one_slow_run_is_asked_for(connected: Connection, simulator: Any) -> None:
    run = queued(connected)
    tasks.sync(run.pk)
    assert SyncRun.objects.get(pk=run.pk).state == RunState.PUBLISHED
    slow = SyncRun.objects.get(lane=Lane.SLOW)
    assert (slow.state, slow.trigger) == (RunState.QUEUED, "slow lane")
    waiting = OrmQ.objects.count()
    tasks.sync(run.pk)  # the task of a dead worker is given back, and done again
    assert SyncRun.objects.filter(lane=Lane.SLOW).count() == 1
    assert OrmQ.objects.count() == waiting == 1


@pytest.mark.parametrize("why", ["streams", "lane", "failed", "groups", "paused"])
def test_no_slow_run_follows(connected: Connection, simulator: Any, clock: Skipping, why: str) -> None:
    if why == "groups":
        Connection.objects.filter(pk=connected.pk).update(groups=["workspace", "data-flow"])
    if why == "failed":
        simulator.faults.append(Fault("", "revoked", times=None))
    lane = Lane.SLOW if why == "lane" else Lane.MAIN
    run, _ = to_its_end(queued(connected, lane, ("labels",) if why == "streams" else ()), clock)
    if why == "paused":
        connections.pause(Connection.objects.get(), by=None, now=timezone.now())
        run = SyncRun.objects.get(pk=run.pk)
    assert driver.follow_up(run, timezone.now()) is None
    assert SyncRun.objects.count() == 1


def test_two_a_minute_are_kept_and_waits_free_the_worker(
    connected: Connection, simulator: Any, clock: Skipping
) -> None:
    began = clock.now()
    run, freed = to_its_end(queued(connected, Lane.SLOW), clock)
    assert run.state == RunState.PUBLISHED
    assert simulator.throttled == 0
    assert freed > 2
    slow = [entry for entry in simulator.requests if "sync" in entry.path]
    by_class = max(sum(kind in entry.path for entry in slow) for kind in ("selective", "advanced", "/syncs"))
    floor = (-(-by_class // 2) - 1) * 60
    assert floor <= (clock.now() - began).total_seconds() <= 1.3 * floor + 60
    assert {name for name, entry in coverage(run).items() if entry["coverage"] == "complete"} == SLOW | {
        "warehouses",
        "warehouse_sources",
    }
    assert not left_over(run.pk)


def test_what_was_read_before_a_wait_is_not_asked_for_again(
    connected: Connection, simulator: Any, clock: Skipping
) -> None:
    run, freed = to_its_end(queued(connected, Lane.SLOW), clock)
    asked = [(entry.path, entry.query) for entry in simulator.requests if "/warehouses/" in entry.path]
    assert freed
    assert len(asked) == len(set(asked))
    assert run.lost == 0, "whoever waits is not lost"


@pytest.mark.parametrize("order", [(Lane.MAIN, Lane.SLOW), (Lane.SLOW, Lane.MAIN)])
def test_both_lanes_publish_into_one_chain_in_either_order(
    connected: Connection, simulator: Any, clock: Skipping, order: tuple[Lane, Lane]
) -> None:
    first, _ = to_its_end(queued(connected, order[0]), clock)
    second, _ = to_its_end(queued(connected, order[1]), clock)
    assert [first.snapshot.seq, second.snapshot.seq] == [1, 2]
    mine, theirs = read(first), read(second)
    assert mine
    assert theirs
    for name in mine - theirs:
        assert coverage(second)[name] == coverage(first)[name], name
    third, _ = to_its_end(queued(connected, order[0]), clock)
    for name in theirs - read(third):
        assert coverage(third)[name] == coverage(second)[name], name
    assert not Change.objects.filter(seq=3).exists()
    assert not left_over(third.pk)


@pytest.mark.parametrize("outer", [Lane.SLOW, Lane.MAIN])
def test_a_run_of_the_other_lane_publishes_in_the_midst_of_one(
    connected: Connection, simulator: Any, outer: Lane
) -> None:
    inner = Lane.MAIN if outer is Lane.SLOW else Lane.SLOW
    run, beside = queued(connected, outer), queued(connected, inner)
    with pytest.raises(runs.Refused):
        queued(connected, outer)
    clock = Acting(
        lambda: RunListing.objects.filter(run=run).count() > 2,
        lambda: driver.perform(beside.pk, clock=Skipping()),
        skip=True,
    )
    ended = driver.perform(run.pk, clock=clock)
    beside.refresh_from_db()
    assert (beside.state, beside.snapshot.seq) == (RunState.PUBLISHED, 1)
    assert (ended.state, ended.snapshot.seq) == (RunState.PUBLISHED, 2)
    for name in read(beside) - read(ended):
        assert coverage(ended)[name] == coverage(beside)[name], name
    found = {name for name, entry in coverage(ended).items() if entry["coverage"] == "complete"}
    assert found > SLOW
    assert "tracking_plan_rules" in found
    assert not left_over(ended.pk)
