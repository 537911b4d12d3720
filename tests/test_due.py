"""What is due: started once, or recorded as missed with its reason; pauses, late workers, clocks that are set."""

from datetime import UTC, datetime, time, timedelta
from typing import Any
from unittest.mock import patch

import pytest
from django.db import connection as database
from django.db import transaction
from django.db.utils import DatabaseError
from django.test.utils import CaptureQueriesContext

from connectors import connections, missed, pauses, runs, schedules, tasks
from connectors.models import Connection, MissedRun, RunState, SyncPause, SyncRun, Workspace
from connectors.schedules import Plan
from evidence.health import health, matters
from portal.canon import WrittenOnce

pytestmark = pytest.mark.django_db

MONDAY = datetime(2026, 11, 23, 5, 0, tzinfo=UTC)  # an hour before the time of all plans here
DAILY = Plan("daily", time(6), zone="UTC")
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def daily(connected: Connection) -> Connection:
    connections.reschedule(connected, plan=DAILY, by=None, now=MONDAY)
    return connected


def fresh(connection: Connection) -> Connection:
    return Connection.objects.get(pk=connection.pk)


def turn(connection: Connection, days: int = 0) -> datetime:
    """The moment of Monday's sync, or of one some days later: six o'clock and the connection's own delay."""
    return MONDAY + HOUR + days * DAY + schedules.delay(connection.uid)


def rows() -> list[tuple[str, str, int]]:
    return [(f"{row.due_at:%d %H:%M}", row.code, row.times) for row in MissedRun.objects.order_by("due_at")]


def finish(run: SyncRun, at: datetime) -> None:
    assert runs.end(run, RunState.CANCELLED, at)


# --- what is started ----------------------------------------------------------------------------------


def test_a_sync_starts_after_its_own_delay_once_and_the_next_time_is_set(daily: Connection) -> None:
    assert daily.next_sync == turn(daily)
    assert connections.start_due(turn(daily) - timedelta(seconds=1)) == []
    [run] = connections.start_due(turn(daily))
    assert (run.trigger, run.state) == ("schedule", "queued")
    assert connections.start_due(turn(daily)) == []
    assert fresh(daily).next_sync == turn(daily, 1)
    assert rows() == []


def test_a_manual_connection_is_never_due(connected: Connection) -> None:
    assert connected.next_sync is None
    assert connections.start_due(MONDAY + 1000 * DAY) == []
    assert rows() == []


def test_a_worker_that_is_a_little_late_has_missed_nothing(daily: Connection) -> None:
    assert len(connections.start_due(MONDAY + 2 * HOUR)) == 1
    assert rows() == []


def test_two_ticks_at_once_do_it_once(daily: Connection) -> None:
    """Both have read the row as it was; the second finds that its time has been taken."""
    late = MONDAY + 3 * DAY + 12 * HOUR
    first, second = fresh(daily), fresh(daily)
    assert connections.serve(first, late) is not None
    before = rows()
    assert connections.serve(second, late) is None
    assert rows() == before
    assert SyncRun.objects.count() == 1


def test_what_is_due_is_taken_and_recorded_together_or_not_at_all(daily: Connection) -> None:
    with patch.object(missed, "write", side_effect=DatabaseError), pytest.raises(DatabaseError), transaction.atomic():
        connections.start_due(MONDAY + 3 * DAY)
    assert fresh(daily).next_sync == turn(daily)
    assert SyncRun.objects.count() == 0


def test_a_next_sync_from_before_there_were_delays_is_only_moved(daily: Connection) -> None:
    if not schedules.delay(daily.uid):
        return
    Connection.objects.update(next_sync=MONDAY + HOUR)
    assert connections.start_due(MONDAY + HOUR) == []
    assert fresh(daily).next_sync == turn(daily)
    assert rows() == []


# --- what is missed -----------------------------------------------------------------------------------


def test_a_worker_that_was_down_leaves_a_row_for_each_day_and_catches_up(daily: Connection) -> None:
    [run] = connections.start_due(MONDAY + 3 * DAY + 12 * HOUR)
    assert rows() == [(f"{day} 06:00", "worker-down", 1) for day in (23, 24, 25, 26)]
    newest = MissedRun.objects.latest("due_at")
    assert f"{run} was started as soon as work went on." in newest.explanation
    assert not MissedRun.objects.exclude(by=None).exists()
    assert {each.noticed_at for each in MissedRun.objects.all()} == {MONDAY + 3 * DAY + 12 * HOUR}
    assert fresh(daily).next_sync == turn(daily, 4)


def test_the_last_time_is_no_miss_when_its_sync_comes_within_the_hour(daily: Connection) -> None:
    assert len(connections.start_due(MONDAY + 2 * DAY + 2 * HOUR)) == 1
    assert rows() == [("23 06:00", "worker-down", 1), ("24 06:00", "worker-down", 1)]


def test_the_run_before_that_is_still_under_way(daily: Connection) -> None:
    [long] = connections.start_due(turn(daily))
    assert connections.start_due(turn(daily, 1)) == []
    assert rows() == [("24 06:00", "run-under-way", 1)]
    assert f"Sync run {long.pk} was still under way." in MissedRun.objects.get().explanation
    finish(long, turn(daily, 2) - HOUR)
    assert len(connections.start_due(turn(daily, 2))) == 1


def test_a_connections_pause_explains_its_times(daily: Connection, people: dict[str, Any]) -> None:
    boss = people["Administrator"]
    connections.pause(daily, by=boss, now=MONDAY)
    assert fresh(daily).starts_next is None
    assert connections.start_due(turn(daily)) == []
    assert connections.start_due(turn(daily, 1)) == []
    assert rows() == [("23 06:00", "connection-paused", 1), ("24 06:00", "connection-paused", 1)]
    assert {row.by for row in MissedRun.objects.all()} == {boss}
    assert "by administrator" in MissedRun.objects.first().explanation  # type: ignore[union-attr]
    connections.resume(fresh(daily), by=boss, now=MONDAY + DAY + 2 * HOUR)
    assert fresh(daily).starts_next == turn(daily, 2)
    assert len(connections.start_due(turn(daily, 2))) == 1


def test_a_pause_of_everything_explains_all_times_and_refuses_every_run(
    daily: Connection, people: dict[str, Any]
) -> None:
    boss = people["Administrator"]
    [going] = connections.start_due(turn(daily))
    pauses.pause_everything(by=boss, reason=" Moving\nhouse ", now=turn(daily) + HOUR)
    going.refresh_from_db()
    assert going.state == RunState.QUEUED, "what is under way goes on"
    finish(going, turn(daily) + 2 * HOUR)
    assert connections.start_due(turn(daily, 1)) == []
    assert rows() == [("24 06:00", "everything-paused", 1)]
    row = MissedRun.objects.get()
    assert row.by == boss
    assert "Everything was paused 23 Nov 2026" in row.explanation
    assert "(“Moving�house”)" in row.explanation
    with pytest.raises(runs.Refused, match="until an administrator resumes everything"):
        runs.request(daily, trigger="person", now=turn(daily, 1))
    pauses.resume_everything(by=boss, now=turn(daily, 1) + HOUR)
    assert len(connections.start_due(turn(daily, 2))) == 1


def test_a_worker_that_was_down_through_pauses_sorts_the_reasons_afterwards(
    daily: Connection, people: dict[str, Any]
) -> None:
    """Each time has the reason of its own moment, also when nobody was there to see it."""
    boss = people["Administrator"]
    pauses.pause_everything(by=boss, now=MONDAY + DAY)
    pauses.resume_everything(by=boss, now=MONDAY + 2 * DAY)
    connections.pause(fresh(daily), by=boss, now=MONDAY + 3 * DAY)
    connections.resume(fresh(daily), by=boss, now=MONDAY + 4 * DAY)
    connections.start_due(MONDAY + 4 * DAY + 2 * HOUR)
    assert [code for _, code, _ in rows()] == ["worker-down", "everything-paused", "worker-down", "connection-paused"]
    assert SyncRun.objects.count() == 1


def test_a_pause_in_the_minute_of_the_time_explains_it_too(daily: Connection, people: dict[str, Any]) -> None:
    connections.pause(daily, by=people["Administrator"], now=turn(daily) + timedelta(seconds=2))
    assert connections.start_due(turn(daily) + timedelta(seconds=5)) == []
    assert rows() == [("23 06:00", "connection-paused", 1)]


def test_a_long_gap_is_bounded_and_says_how_many_more(connected: Connection, people: dict[str, Any]) -> None:
    connections.reschedule(connected, plan=Plan("hourly"), by=None, now=MONDAY)
    boss = people["Administrator"]
    pauses.pause_everything(by=boss, now=MONDAY)
    pauses.resume_everything(by=boss, now=MONDAY + DAY)
    with CaptureQueriesContext(database) as asked:
        connections.start_due(MONDAY + 10 * DAY + timedelta(minutes=30))
    found = rows()
    assert len(found) == missed.MOST + 1
    assert sum(times for _, _, times in found) == 239
    row = MissedRun.objects.get(times__gt=1)
    assert (row.times, row.code, row.by) == (189, "worker-down", None), "explained only if every one of them is"
    assert row.explanation.startswith("189 times from 23 Nov 2026, 06:00 UTC to 1 Dec 2026")
    assert len(asked) < 25


def test_years_without_a_worker_do_not_keep_the_database_busy(connected: Connection) -> None:
    connections.reschedule(connected, plan=Plan("cron", cron="*/15 * * * *"), by=None, now=MONDAY)
    connections.start_due(MONDAY + 20 * 365 * DAY)
    assert len(rows()) == missed.MOST + 1
    assert sum(times for _, _, times in rows()) <= schedules.LOOK_BACK.days * 96 + 1


def test_who_reschedules_or_disconnects_loses_no_missed_time(daily: Connection) -> None:
    connections.reschedule(fresh(daily), plan=Plan("weekly", time(6), 6), by=None, now=MONDAY + 2 * DAY + 12 * HOUR)
    assert [code for _, code, _ in rows()] == ["worker-down"] * 3
    assert SyncRun.objects.count() == 1, "what was due is served"
    connections.disconnect(fresh(daily), by=None, now=MONDAY + 20 * DAY)
    assert [day for day, _, _ in rows()] == ["23 06:00", "24 06:00", "25 06:00", "29 06:00", "06 06:00"]
    assert fresh(daily).next_sync is None
    assert connections.start_due(MONDAY + 30 * DAY) == []


def test_a_missed_time_is_written_once(daily: Connection) -> None:
    connections.start_due(MONDAY + 2 * DAY)
    row = MissedRun.objects.first()
    assert row is not None
    with pytest.raises(WrittenOnce):
        row.save()
    with pytest.raises(DatabaseError), transaction.atomic(), database.cursor() as cursor:
        cursor.execute("UPDATE connectors_missedrun SET explanation = 'nothing happened'")
    with pytest.raises(DatabaseError), transaction.atomic(), database.cursor() as cursor:
        cursor.execute("DELETE FROM connectors_missedrun")


# --- a clock that is set ------------------------------------------------------------------------------


def test_a_clock_set_back_by_a_day_starts_nothing_twice_and_misses_nothing(daily: Connection) -> None:
    connections.start_due(turn(daily))
    finish(SyncRun.objects.get(), turn(daily) + HOUR)
    for hours in range(0, 24):
        assert connections.start_due(turn(daily) - DAY + hours * HOUR) == []
    assert (fresh(daily).next_sync, rows()) == (turn(daily, 1), [])
    assert len(connections.start_due(turn(daily, 1))) == 1


def test_a_clock_that_ran_far_ahead_and_is_right_again_does_not_stop_the_schedule(daily: Connection) -> None:
    ahead = MONDAY + 3650 * DAY
    connections.start_due(ahead)
    finish(SyncRun.objects.get(), ahead)
    later = MONDAY + DAY
    for clock in (ahead, later):
        with patch("connectors.tasks.timezone.now", return_value=clock):
            tasks.beat()
    assert fresh(daily).next_sync == turn(daily, 1)
    assert not [each for each in matters(health(Workspace.objects.all(), later), later) if "did not run" in each.what]


# --- pauses -------------------------------------------------------------------------------------------


def test_of_two_clicks_one_is_first(daily: Connection, people: dict[str, Any]) -> None:
    boss = people["Administrator"]
    assert [pauses.pause_everything(by=boss, now=MONDAY) for _ in range(2)] == [True, False]
    assert [pauses.resume_everything(by=boss, now=MONDAY) for _ in range(2)] == [True, False]
    assert SyncPause.objects.count() == 1
    assert pauses.pause_everything(by=None, now=MONDAY + DAY)
    connections.pause(daily, by=boss, now=MONDAY + DAY)
    assert SyncPause.objects.filter(until=None).count() == 2, "one of everything, one of the connection"


def test_resuming_everything_leaves_what_was_paused_alone(daily: Connection, people: dict[str, Any]) -> None:
    connections.pause(daily, by=people["Administrator"], now=MONDAY)
    pauses.pause_everything(by=people["Administrator"], now=MONDAY)
    pauses.resume_everything(by=people["Administrator"], now=MONDAY)
    assert fresh(daily).state == "paused"
    connections.disconnect(fresh(daily), by=None, now=MONDAY)
    assert not SyncPause.objects.filter(until=None).exists()
