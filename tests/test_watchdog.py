"""The watchdog replaces a cluster that does not work any more, and leaves one alone that is merely busy."""

import os
import signal
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django_q.conf import Conf
from django_q.models import OrmQ
from django_q.tasks import async_task

from connectors import runs
from connectors.models import RunState, SyncRun
from portal import keys, queue
from portal.watchdog import ASLEEP, BEAT_EVERY, LONGEST, STALE_AFTER, Verdict, Watch

from . import portals

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)


# --- the watch: a clock and what was found, in; what to do, out --------------------------------------


def lived(
    watch: Watch, start: float, seconds: float, proof: Callable[[float], bool], *, busy: bool = False
) -> list[str]:
    """Looks twice a second, as the supervisor does; returns what was to be done, up to the first replacement."""
    done: list[str] = []
    for half in range(1, int(seconds * 2) + 1):
        now = start + half / 2
        verdict = watch.look(now, proved=proof(now), busy=busy)
        if verdict is Verdict.BEAT:
            watch.beaten(now)
        if verdict is not Verdict.OK:
            done.append(f"{verdict} {now - start:g}")
        if verdict is Verdict.REPLACE:
            break
    return done


def begun(now: float = 1000.0) -> Watch:
    watch = Watch()
    watch.started(now)
    return watch


def test_a_working_cluster_gets_a_beat_every_five_seconds() -> None:
    assert lived(begun(), 1000, 16, lambda now: True) == ["beat 0.5", "beat 5.5", "beat 10.5", "beat 15.5"]


def test_a_cluster_that_proves_nothing_gets_one_beat_and_is_replaced_after_twenty_seconds() -> None:
    assert lived(begun(), 1000, 60, lambda now: False) == ["beat 0.5", f"replace {STALE_AFTER + 0.5:g}"]


def test_the_last_proof_counts_not_the_last_beat() -> None:
    watch = begun()
    lived(watch, 1000, 7, lambda now: True)
    frozen = lived(watch, 1007, 60, lambda now: False)
    assert frozen[-1] == f"replace {STALE_AFTER + 0.5:g}"


def test_a_busy_cluster_is_left_alone_however_long_it_takes() -> None:
    assert lived(begun(), 1000, 3600, lambda now: False, busy=True) == ["beat 0.5"]


def test_a_watchdog_that_was_stopped_itself_gives_the_cluster_time_again() -> None:
    watch = begun()
    lived(watch, 1000, 3, lambda now: False)
    assert watch.look(1003 + 10 * ASLEEP, proved=False, busy=False) is Verdict.OK
    assert lived(watch, 1003 + 10 * ASLEEP, 60, lambda now: False) == [f"replace {STALE_AFTER + 0.5:g}"]


def test_a_silent_database_is_not_the_clusters_fault() -> None:
    watch = begun()
    for second in range(100):
        watch.blind(1000.0 + second)
    assert watch.look(1100.5, proved=False, busy=False) is not Verdict.REPLACE


def test_a_new_cluster_gets_its_first_beat_at_once() -> None:
    watch = begun()
    lived(watch, 1000, 60, lambda now: False)
    watch.lost()
    watch.started(2000)
    assert watch.look(2000.5, proved=False, busy=False) is Verdict.BEAT


def test_clusters_that_die_at_once_are_replaced_ever_more_slowly_until_one_works() -> None:
    watch = begun()
    delays = [watch.lost() for _ in range(9)]
    assert delays == [0, 1, 2, 4, 8, 16, 32, LONGEST, LONGEST]
    watch.started(2000)
    watch.look(2000.5, proved=True, busy=False)
    assert watch.lost() == 0


def test_a_cluster_after_failed_ones_gets_more_time_to_prove_itself() -> None:
    watch = begun()
    watch.lost()
    watch.started(2000)
    assert lived(watch, 2000, 300, lambda now: False) == ["beat 0.5", f"replace {2 * STALE_AFTER + 0.5:g}"]
    assert BEAT_EVERY < STALE_AFTER < 30


# --- the queue ----------------------------------------------------------------------------------


@pytest.fixture
def broker(db: None, settings: Any, monkeypatch: pytest.MonkeyPatch) -> queue.Broker:
    settings.WORKER_NAME = "here"
    monkeypatch.setattr(Conf, "POLL", 0)
    return queue.Broker(list_key=Conf.CLUSTER_NAME)


def beat(worker: str) -> int:
    own = queue.beats_of(worker)
    async_task("math.factorial", 5, broker=queue.Broker(list_key=own), group=own)
    return int(OrmQ.objects.latest("pk").pk)


def work() -> int:
    async_task("math.factorial", 5)
    return int(OrmQ.objects.latest("pk").pk)


def taken(broker: queue.Broker) -> list[int]:
    return [number for number, _ in broker.dequeue()]


def test_the_queue_gives_work_in_order_and_each_machine_its_own_beats(broker: queue.Broker) -> None:
    first, _, own, last = work(), beat("elsewhere"), beat("here"), work()
    assert [taken(broker) for _ in range(4)] == [[first], [own], [last], []]


def test_what_a_dead_cluster_had_taken_is_given_back_and_its_beats_are_dropped(broker: queue.Broker) -> None:
    first, own, second = work(), beat("here"), work()
    assert taken(broker) + taken(broker) == [first, own]
    assert queue.give_back("here") == 1
    assert [taken(broker) for _ in range(3)] == [[first], [second], []]
    assert set(OrmQ.objects.values_list("pk", flat=True)) == {first, second}


def test_what_another_machine_has_taken_stays_with_it(broker: queue.Broker, settings: Any) -> None:
    work()
    settings.WORKER_NAME = "elsewhere"
    assert len(taken(broker)) == 1
    settings.WORKER_NAME = "here"
    assert queue.give_back("here") == 0
    assert taken(broker) == []


def test_what_nobody_has_finished_in_time_is_taken_by_whoever_comes(broker: queue.Broker, settings: Any) -> None:
    number = work()
    settings.WORKER_NAME = "elsewhere"
    taken(broker)
    OrmQ.objects.update(lock=NOW - timedelta(days=1))
    settings.WORKER_NAME = "here"
    assert taken(broker) == [number]


def test_a_finished_task_leaves_the_queue(broker: queue.Broker) -> None:
    work()
    [number] = taken(broker)
    broker.acknowledge(number)
    assert not OrmQ.objects.exists()


# --- runs of a dead cluster -------------------------------------------------------------------------


@pytest.fixture
def held(connected: Any) -> SyncRun:
    """A run that this process has claimed, as a worker of its group would."""
    run = runs.claim(runs.request(connected, trigger="test", now=NOW).pk, NOW)
    assert run is not None
    return run


def test_a_run_names_the_group_that_holds_it(held: SyncRun) -> None:
    assert runs.groups_at_work() == [os.getpgrp()]


def test_runs_of_a_killed_group_go_back_to_the_queue_at_once(held: SyncRun) -> None:
    queued = OrmQ.objects.count()
    assert runs.recover_of(os.getpgrp() + 1, NOW) == []
    assert runs.recover_of(os.getpgrp(), NOW) == [held.pk]
    held.refresh_from_db()
    assert (held.state, held.lost) == (RunState.QUEUED, 1)
    assert runs.groups_at_work() == []
    assert OrmQ.objects.count() == queued + 1
    assert runs.claim(held.pk, NOW) is not None


@pytest.mark.parametrize(
    ("state", "hands", "silent", "busy"),
    [
        (RunState.RUNNING, 1, 5, True),
        (RunState.RUNNING, 1, 25, False),  # it reads no more: frozen
        (RunState.RUNNING, 2, 5, False),  # one hand is free and answers nobody: frozen
        (RunState.PUBLISHING, 2, 60, True),
        (RunState.PUBLISHING, 2, 100, False),
        (RunState.PUBLISHED, 1, 5, False),
    ],
)
def test_busy_is_who_shows_progress(held: SyncRun, state: RunState, hands: int, silent: int, busy: bool) -> None:
    SyncRun.objects.filter(pk=held.pk).update(state=state)
    later = NOW + timedelta(seconds=silent)
    assert runs.all_hands_at_work(os.getpgrp(), hands, later) is busy
    assert not runs.all_hands_at_work(os.getpgrp() + 1, hands, later)


# --- a real cluster ------------------------------------------------------------------------------

WORK = "from django_q.tasks import async_task, result; print(result(async_task('math.factorial', 5), wait=40_000))"


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_a_cluster_whose_idle_worker_is_killed_is_replaced_within_30_seconds(tmp_path: Path) -> None:
    keys.make_keys({"PORTAL_DATA": str(tmp_path)})
    with portals.started(tmp_path, "--no-web", WORKERS="1") as portal:
        portal.line("Worker: started", 60)
        assert portals.manage(tmp_path, "shell", "-v0", "-c", WORK).stdout == "120\n"
        cluster = portal.command("qcluster")
        [sentinel] = portal.children(cluster)
        idle = portal.children(sentinel)[0]
        os.kill(idle, signal.SIGKILL)
        killed = time.monotonic()
        assert portals.manage(tmp_path, "shell", "-v0", "-c", WORK).stdout == "120\n"
        assert time.monotonic() - killed < 30
        portal.line("The worker does not answer any more; it is being replaced.", 1)
        assert not portals.left_of({cluster})
        assert portal.command("qcluster") != cluster
        groups = set(portal.family().values()) - {os.getpgrp()}
        assert portal.ask(signal.SIGTERM) == 0
    assert not portals.left_of(groups)
