"""Schedules as words, as cron text and as times: clock changes, leap days, month ends, and what is refused and why."""

import random
import uuid
from datetime import UTC, datetime, time, timedelta

import pytest

from connectors import schedules
from connectors.schedules import Plan, Unsound

BERLIN, NEW_YORK, LORD_HOWE, APIA = "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def cron(text: str, zone: str = "UTC") -> Plan:
    return Plan("cron", zone=zone, cron=text)


def following(plan: Plan, after: str, count: int = 3) -> list[str]:
    return [f"{found:%Y-%m-%d %H:%M}" for found in schedules.next_times(plan, at(after), count)]


# --- words, and the times that follow -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("plan", "text", "said"),
    [
        (Plan("manual"), "", "Only when somebody asks"),
        (Plan("hourly", zone=BERLIN), "0 * * * *", "Every hour, Europe/Berlin"),
        (Plan("daily", time(6, 30)), "30 6 * * *", "Every day at 06:30, UTC"),
        (Plan("weekly", time(9), 0), "0 9 * * 1", "Every week on Monday at 09:00, UTC"),
        (Plan("weekly", time(9), 6), "0 9 * * 0", "Every week on Sunday at 09:00, UTC"),
        (cron("5 4 * * mon"), "5 4 * * mon", "By cron text “5 4 * * mon”, UTC"),
    ],
)
def test_every_schedule_becomes_cron_text_and_words(plan: Plan, text: str, said: str) -> None:
    assert (plan.text, schedules.words(plan)) == (text, said)


@pytest.mark.parametrize(
    ("plan", "after", "times"),
    [
        (Plan("manual"), "2026-11-24 10:00", []),
        (Plan("hourly"), "2026-11-24 23:00", ["2026-11-25 00:00", "2026-11-25 01:00", "2026-11-25 02:00"]),
        (Plan("hourly"), "2026-11-24 23:00:00.000001", ["2026-11-25 00:00", "2026-11-25 01:00", "2026-11-25 02:00"]),
        (Plan("daily", zone=BERLIN), "2026-11-24 05:00", ["2026-11-25 05:00", "2026-11-26 05:00", "2026-11-27 05:00"]),
        (Plan("weekly", time(9), 4), "2026-11-24 10:00", ["2026-11-27 09:00", "2026-12-04 09:00", "2026-12-11 09:00"]),
        (cron("0 6 29 2 *"), "2026-11-24 10:00", ["2028-02-29 06:00", "2032-02-29 06:00", "2036-02-29 06:00"]),
        (cron("0 6 L * *"), "2027-01-31 06:00", ["2027-02-28 06:00", "2027-03-31 06:00", "2027-04-30 06:00"]),
        (cron("0 6 31 * *"), "2026-12-31 06:00", ["2027-01-31 06:00", "2027-03-31 06:00", "2027-05-31 06:00"]),
        (cron("0 0 1 1 *", NEW_YORK), "2026-12-31 23:59", ["2027-01-01 05:00", "2028-01-01 05:00", "2029-01-01 05:00"]),
        (cron("30 6 * * 1-5"), "2026-11-27 06:30", ["2026-11-30 06:30", "2026-12-01 06:30", "2026-12-02 06:30"]),
    ],
)  # fmt: skip
def test_the_next_times(plan: Plan, after: str, times: list[str]) -> None:
    assert following(plan, after) == times


@pytest.mark.parametrize(
    ("what", "plan", "after", "times"),
    [
        ("the hour is skipped: at the first minute after it", Plan("daily", time(2, 30), zone=BERLIN),
         "2026-03-28 12:00", ["2026-03-29 01:00", "2026-03-30 00:30"]),
        ("the hour is repeated: once, the first time", Plan("daily", time(2, 30), zone=BERLIN),
         "2026-10-24 12:00", ["2026-10-25 00:30", "2026-10-26 01:30"]),
        ("asked between the two, the one that has passed does not come again", Plan("daily", time(2, 30), zone=BERLIN),
         "2026-10-25 01:15", ["2026-10-26 01:30", "2026-10-27 01:30"]),
        ("a weekly time in the skipped hour", Plan("weekly", time(2, 30), 6, NEW_YORK),
         "2026-03-07 12:00", ["2026-03-08 07:00", "2026-03-15 06:30"]),
        ("every hour is every hour that passes, also in spring", Plan("hourly", zone=BERLIN),
         "2026-03-28 23:00", ["2026-03-29 00:00", "2026-03-29 01:00", "2026-03-29 02:00"]),
        ("and in autumn", Plan("hourly", zone=BERLIN),
         "2026-10-24 23:00", ["2026-10-25 00:00", "2026-10-25 01:00", "2026-10-25 02:00"]),
        ("two times of the skipped hour fall together", cron("0,30 2,3 * * *", BERLIN),
         "2026-03-28 12:00", ["2026-03-29 01:00", "2026-03-29 01:30", "2026-03-30 00:00"]),
        ("a change of half an hour", Plan("daily", time(2, 15), zone=LORD_HOWE),
         "2026-10-03 00:00", ["2026-10-03 15:30", "2026-10-04 15:15"]),
        ("a whole day is skipped: at the first minute after it", Plan("daily", zone=APIA),
         "2011-12-29 12:00", ["2011-12-29 16:00", "2011-12-30 10:00", "2011-12-30 16:00"]),
    ],
)  # fmt: skip
def test_clock_changes(what: str, plan: Plan, after: str, times: list[str]) -> None:
    assert following(plan, after, len(times)) == times, what


def test_times_are_later_than_asked_for_and_in_order_whatever_the_plan() -> None:
    dice = random.Random(7)
    for _ in range(60):
        zone = dice.choice([BERLIN, NEW_YORK, LORD_HOWE, APIA, "Asia/Kathmandu", "UTC"])
        hours = dice.choice(["*", "*/2", "1-3", "2", "0,23"])
        plan = cron(f"{dice.choice(['0', '30', '15,45', '*/20'])} {hours} * * *", zone)
        after = at(dice.choice(["2026-03-28", "2026-10-24", "2011-12-29", "2026-04-04"])) + timedelta(
            minutes=dice.randrange(2880)
        )
        found = schedules.next_times(plan, after, 30)
        assert [after, *found] == sorted({after, *found}), (plan, after)
        middle = found[10]
        assert schedules.next_times(plan, middle, 5) == found[11:16], "asked from any of its times it goes on alike"


def test_between_holds_both_ends() -> None:
    plan = Plan("hourly")
    held = schedules.between(plan, at("2026-11-24 06:00"), at("2026-11-24 08:00"))
    assert [found.hour for found in held] == [6, 7, 8]
    assert schedules.between(plan, at("2026-11-24 06:01"), at("2026-11-24 06:59")) == []
    assert schedules.between(Plan("manual"), at("2026-01-01"), at("2027-01-01")) == []


@pytest.mark.parametrize(
    ("plan", "fresh", "stale"),
    [
        (Plan("hourly"), "2026-11-24 13:00", "2026-11-24 13:01"),
        (Plan("daily"), "2026-11-26 07:00", "2026-11-26 07:01"),
        (Plan("weekly"), "2026-12-07 07:00", "2026-12-07 07:01"),
        (cron("0 6 * * 1-5"), "2026-11-26 07:00", "2026-11-26 07:01"),
        (cron("0 6 1 */3 *"), "2027-04-01 07:00", "2027-04-01 07:01"),
    ],
)
def test_overdue_is_two_turns_of_the_plan_itself(plan: Plan, fresh: str, stale: str) -> None:
    read = at("2026-11-24 10:05")
    assert not schedules.overdue(plan, read, at(fresh))
    assert schedules.overdue(plan, read, at(stale))


def test_a_weekend_is_no_delay_and_a_manual_one_is_never_overdue() -> None:
    friday = at("2026-11-27 06:10")
    assert not schedules.overdue(cron("0 6 * * 1-5"), friday, at("2026-12-01 06:30"))
    assert not schedules.overdue(Plan("manual"), friday, at("2036-01-01"))


def test_the_delay_is_a_connections_own_and_spreads() -> None:
    uids = [uuid.UUID(int=number) for number in range(300)]
    delays = [schedules.delay(uid) for uid in uids]
    assert delays == [schedules.delay(uid) for uid in uids]
    assert all(timedelta(0) <= each <= timedelta(minutes=5) for each in delays)
    assert len(set(delays)) > 150
    assert max(delays.count(each) for each in delays) < 8


# --- what people type ---------------------------------------------------------------------------------


def faults(**given: str) -> list[tuple[str, str]]:
    with pytest.raises(Unsound) as refused:
        schedules.plan_of({"zone": "UTC", "at": "06:00", "weekday": "0", **given})
    return [(fault.field, fault.code) for fault in refused.value.faults]


@pytest.mark.parametrize(
    ("given", "plan"),
    [
        ({"schedule": "manual", "zone": "nonsense"}, Plan("manual")),
        ({"schedule": "daily", "at": "6:30", "zone": "europe/berlin", "cron": "nonsense"},
         Plan("daily", time(6, 30), zone=BERLIN)),
        ({"schedule": "weekly", "at": "23:59", "weekday": "sunday", "zone": "utc"}, Plan("weekly", time(23, 59), 6)),
        ({"schedule": "weekly", "at": "00:00", "weekday": "3", "zone": "america/new york"},
         Plan("weekly", time(0), 3, NEW_YORK)),
        ({"schedule": "cron", "cron": "  0  6 *  * mon-fri ", "zone": "UTC"}, cron("0 6 * * mon-fri")),
        ({"schedule": "hourly", "at": "nonsense", "zone": "UTC"}, Plan("hourly")),
    ],
)  # fmt: skip
def test_what_is_understood(given: dict[str, str], plan: Plan) -> None:
    assert schedules.plan_of(given) == plan


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({"schedule": "yearly"}, [("schedule", "schedule-unknown")]),
        ({}, [("schedule", "schedule-unknown")]),
        ({"schedule": "daily", "at": "24:00"}, [("at", "time-unknown")]),
        ({"schedule": "daily", "at": ""}, [("at", "time-unknown")]),
        ({"schedule": "daily", "zone": "../../etc/passwd"}, [("zone", "zone-unknown")]),
        ({"schedule": "daily", "zone": ""}, [("zone", "zone-unknown")]),
        ({"schedule": "weekly", "at": "noon", "weekday": "7", "zone": "Mars/Base"},
         [("at", "time-unknown"), ("weekday", "weekday-unknown"), ("zone", "zone-unknown")]),
    ],
)  # fmt: skip
def test_every_field_at_fault_is_named(given: dict[str, str], found: list[tuple[str, str]]) -> None:
    assert faults(**given) == found


@pytest.mark.parametrize(
    ("text", "code", "sentence"),
    [
        ("", "cron-unreadable", "It has 0 fields, not five"),
        ("@daily", "cron-unreadable", "It has 1 field, not five"),
        ("0 0 6 * * *", "cron-unreadable", "It has 6 fields, not five"),
        ("61 * * * *", "cron-unreadable", "The minute cannot be read"),
        ("0 6 * * funday", "cron-unreadable", "The day of the week cannot be read"),
        ("0 6 32 * *", "cron-unreadable", "The day of the month cannot be read"),
        ("0 6 30 2,x *", "cron-unreadable", "The month cannot be read"),
        ("0 6 * * " + "1," * 60 + "1", "cron-unreadable", "It is longer than 100 characters"),
        ("0" * 5000 + " 6 * * *", "cron-unreadable", "It is longer than 100 characters"),
        ("0 6 30 2 *", "cron-never", "This never comes"),
        ("0 6 31 4,6,9,11 *", "cron-never", "This never comes"),
        ("* * * * *", "cron-too-often", "more often than every 15 minutes"),
        ("*/14 * * * *", "cron-too-often", "more often than every 15 minutes"),
        ("0,50 * * * *", "cron-too-often", "more often than every 15 minutes"),
        ("0,50 0,23 * * *", "cron-too-often", "more often than every 15 minutes"),
    ],
)
def test_cron_text_that_is_refused(text: str, code: str, sentence: str) -> None:
    assert faults(schedule="cron", cron=text) == [("cron", code)]
    with pytest.raises(Unsound, match=sentence):
        schedules.plan_of({"schedule": "cron", "cron": text, "zone": "UTC"})


@pytest.mark.parametrize("text", ["*/15 * * * *", "0,15,30,45 0,23 * * *", "0 6 31 2 1", "0 6 * * 5#5", "7 6 LW * *"])
def test_cron_text_that_is_just_good_enough(text: str) -> None:
    assert schedules.plan_of({"schedule": "cron", "cron": text, "zone": "UTC"}).cron == text


def test_no_text_that_anybody_types_ends_in_an_error() -> None:
    dice = random.Random(3)
    pieces = ["*", "/", "-", ",", "L", "W", "#", "0", "5", "31", "60", "mon", "٣", "²", " ", " ", " ", "\0", "é"]
    for _ in range(3000):
        text = "".join(dice.choice(pieces) for _ in range(dice.randrange(14)))
        with pytest.raises(Unsound) as refused:
            schedules.plan_of({"schedule": "cron", "cron": text, "zone": f"{text} no zone"})
        assert all(fault.message.endswith(".") for fault in refused.value.faults)
    for _ in range(3000):
        fields = ["".join(dice.choice(pieces[:12]) for _ in range(dice.randrange(1, 5))) for _ in range(5)]
        try:
            plan = schedules.plan_of({"schedule": "cron", "cron": " ".join(fields), "zone": BERLIN})
        except Unsound:
            continue
        assert schedules.next_time(plan, at("2026-11-24")) is not None, plan


def test_a_zone_that_this_machine_does_not_know_any_more_is_named() -> None:
    with pytest.raises(Unsound, match="Mars/Base"):
        schedules.next_time(Plan("daily", zone="Mars/Base"), at("2026-11-24"))


def test_the_zones_are_those_of_the_iana_database() -> None:
    assert {"UTC", BERLIN, APIA} < set(schedules.zones())
    assert len(schedules.zones()) > 300
