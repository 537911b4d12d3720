"""A limit is kept by all workers together: what is handed out in a window, what headers say, what a refusal does."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection as database

from connectors.http import Heard
from connectors.limits import MINUTE, Limits, Pace, Slots, Window, hear, hold, take
from connectors.models import RateWindow
from tests.clocks import Skipping
from tests.portals import ROOT

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


# --- pure -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("window", "wanted", "count", "granted", "ends", "again"),
    [
        (Window(), 16, 16, 16, 61, 61),  # nobody has said how many: as many as are wanted
        (Window(200), 16, 16, 16, 61, 61),  # the first of a window begins it
        (Window(200, 16, at(30)), 16, 16, 32, 30, 30),
        (Window(200, 190, at(30)), 16, 10, 200, 30, 30),  # what is left
        (Window(200, 200, at(30)), 16, 0, 200, 30, 30),
        (Window(200, 230, at(30)), 16, 0, 230, 30, 30),  # others used more than was handed out here
        (Window(200, 200, at(0)), 16, 16, 16, 61, 61),  # a new window, at the very moment
        (Window(200, 200, at(-5)), 300, 200, 200, 61, 61),
        (Window(2, 0, at(-5)), 16, 2, 2, 61, 61),
        (Window(0, 0, None), 1, 0, 0, 61, 61),
        (Window(200, 16, at(2)), 16, 0, 16, 2, 2),  # too late for this window
        (Window(200, 3, at(30), at(40)), 16, 0, 3, 30, 40),  # held: nobody asks before
        (Window(200, 3, at(-9), at(-9)), 16, 16, 16, 61, 61),  # that wait is over
    ],
)
def test_slots_are_handed_out(  # noqa: PLR0917  # a table's columns
    window: Window, wanted: int, count: int, granted: int, ends: float, again: float
) -> None:
    after, slots = take(window, wanted, NOW)
    assert (slots.count, after.granted, after.ends, slots.again) == (count, granted, at(ends), at(again))
    assert after.limit == window.limit


@pytest.mark.parametrize(
    ("window", "heard", "after"),
    [
        (Window(200, 16, at(30)), Heard(), Window(200, 16, at(30))),
        (Window(200, 16, at(30)), Heard(None, 5, at(20)), Window(200, 16, at(30))),
        (Window(200, 16, at(30)), Heard(4, 196, at(50)), Window(200, 16, at(51))),  # it began later than we thought
        (Window(200, 16, at(30)), Heard(40, 160, at(20)), Window(200, 40, at(21))),  # others use the token too
        (Window(200, 16, at(30)), Heard(1, 59, None), Window(60, 16, at(30))),  # the limit is another than documented
        (Window(200, 16, at(30)), Heard(1, 199, at(121)), Window(200, 16, at(30))),  # no window lasts so long
        (
            Window(200, 16, at(30)),
            Heard(180, 20, at(-1)),
            Window(200, 16, at(30)),
        ),  # it speaks of a window that is over
        (Window(None, 0, None), Heard(1, 199, at(50)), Window(200, 1, at(51))),
    ],
)
def test_what_headers_say_counts(window: Window, heard: Heard, after: Window) -> None:
    assert hear(window, heard, NOW) == after


@pytest.mark.parametrize(
    ("window", "until", "opens"),
    [(Window(200, 9, at(30)), 40, 40), (Window(200, 9, at(30), at(50)), 40, 50), (Window(), 40, 40)],
)
def test_a_refusal_holds_all_and_then_a_new_window_begins(window: Window, until: float, opens: float) -> None:
    after = hold(window, at(until))
    assert (after.opens, after.ends) == (at(opens), at(opens))
    assert take(after, 16, at(opens) - timedelta(seconds=1))[1] == Slots(0, at(opens), at(opens))
    assert take(after, 16, at(opens))[1].count == 16


@pytest.mark.parametrize("pace", [MINUTE, Pace(timedelta(seconds=4), timedelta(seconds=0.2))])
def test_no_slot_is_good_when_the_window_of_the_service_may_be_over(pace: Pace) -> None:
    """The worst: one request begins the window, all others wait until their slots are about to go out of date."""
    window, slots = take(Window(200), 200, NOW, pace)
    assert slots.count == 200
    assert slots.until <= NOW + pace.window - pace.margin / 2
    _, following = take(window, 200, slots.again, pace)
    assert following.count == 200
    assert slots.again >= NOW + pace.window + pace.margin


# --- in the database ----------------------------------------------------------------------------------


@pytest.mark.django_db
def test_workers_share_what_there_is() -> None:
    one, two = Limits("token", Skipping()), Limits("token", Skipping())
    got = [bool(limits.slot("/x", 20, 16)) for _ in range(20) for limits in (one, two)]
    assert sum(got) == 20
    assert RateWindow.objects.get().granted == 20


@pytest.mark.django_db
def test_a_refusal_is_told_to_all_workers() -> None:
    one, two, other = Limits("token", Skipping()), Limits("token", Skipping()), Limits("another", Skipping())
    assert two.slot("/x", 200, 16)
    one.hold("/x", Skipping().now() + timedelta(seconds=30))
    assert two.slot("/x", 200, 16), "it has slots of its own and has not looked"
    two.look()
    assert two.slot("/x", 200, 16) is None
    assert two.slot("/y", 200, 16)
    assert other.slot("/x", 200, 16)


# --- several processes ----------------------------------------------------------------------------------


def races(*arguments: str) -> dict[str, Any]:
    """What `python -m tests.races` says, on a database of the kind that these tests use."""
    url = str(os.environ.get("DATABASE_URL", "")) if database.vendor == "postgresql" else ""
    done = subprocess.run(
        [sys.executable, "-m", "tests.races", *arguments],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": url},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.slow
def test_four_processes_keep_one_limit_without_one_refusal() -> None:
    said = races("--crowd", "4", "--minute", "4")
    assert (said["refused"], said["pages"], said["states"], said["rules"]) == (0, 600, ["complete"], [250])
    assert said["seconds"] >= said["floor"]


@pytest.mark.slow
def test_one_run_is_asked_for_and_one_is_done_however_many_try() -> None:
    said = races("--times", "25")
    assert said["failures"] == []
    assert (said["runs"], said["snapshots"], said["won"]["fence 1"]) == (25, 25, 25)
