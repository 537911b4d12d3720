"""The pages of schedules: the form with its next times, one click that pauses everything, and what was missed."""

import re
from collections.abc import Callable
from datetime import time, timedelta
from html import escape, unescape
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from connectors import connections, missed, pauses, runs, schedules
from connectors.missed import Missed
from connectors.models import Connection, MissedRun, SyncRun
from connectors.schedules import Plan
from portal.models import AuditEntry

pytestmark = pytest.mark.django_db

BASE = "/admin/connectors/connection/"
ZONE = "Asia/Tokyo"


@pytest.fixture
def boss(people: dict[str, Any], client: Client) -> Client:
    """An administrator's browser."""
    client.force_login(people["Administrator"])
    return client


@pytest.fixture
def auditor(people: dict[str, Any]) -> Client:
    browser = Client()
    browser.force_login(people["Auditor"])
    return browser


def text(answer: Any) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", answer.content.decode())).split())


def reschedule(browser: Client, connection: Connection, **given: str) -> Any:
    return browser.post(f"{BASE}{connection.pk}/reschedule/", given, follow=True)


# --- the form -----------------------------------------------------------------------------------------


def test_change_the_schedule(boss: Client, connected: Connection) -> None:
    said = text(reschedule(boss, connected, schedule="weekly", at="09:00", weekday="0", zone="Europe/Berlin"))
    assert "The schedule is now: every week on Monday at 09:00, Europe/Berlin." in said
    row = Connection.objects.get()
    assert row.plan == Plan("weekly", time(9), 0, "Europe/Berlin")
    assert row.next_sync is not None
    due = (row.next_sync - schedules.delay(row.uid)).astimezone(ZoneInfo("Europe/Berlin"))
    assert (due.weekday(), due.hour, due.minute, due.second) == (0, 9, 0, 0)
    page = text(boss.get(f"{BASE}{connected.pk}/change/"))
    assert "Delay of its own" in page


@pytest.mark.parametrize(
    ("wrong", "field", "code"),
    [
        ({"schedule": "yearly"}, "schedule", "schedule-unknown"),
        ({"schedule": "daily", "at": "25:00"}, "at", "time-unknown"),
        ({"schedule": "weekly", "weekday": "9"}, "weekday", "weekday-unknown"),
        ({"schedule": "hourly", "zone": "Mars/Base"}, "zone", "zone-unknown"),
        ({"schedule": "cron", "cron": "0 6 30 2 *"}, "cron", "cron-never"),
        ({"schedule": "cron", "cron": "* * * * *"}, "cron", "cron-too-often"),
        ({"schedule": "cron", "cron": '"><script>'}, "cron", "cron-unreadable"),
    ],
)
def test_a_schedule_that_cannot_be_is_refused_beside_its_field_and_nothing_is_lost(
    boss: Client, connected: Connection, wrong: dict[str, str], field: str, code: str
) -> None:
    before = Connection.objects.values().get()
    given = {"at": "07:15", "weekday": "3", "zone": ZONE, "cron": "1 2 3 4 5", **wrong}
    page = reschedule(boss, connected, **given).content.decode()
    beside = re.search(rf'<p class="err" id="{field}-error">(.*?)</p>', page, re.DOTALL)
    assert beside
    assert code in beside[1]
    assert page.count('class="err"') == 1
    for name in ("at", "zone", "cron"):
        assert f'value="{escape(given[name])}"' in page
    assert "<script>" not in page
    assert Connection.objects.values().get() == before


def test_the_next_times_are_shown_before_anything_is_stored(boss: Client, connected: Connection) -> None:
    before = (Connection.objects.values().get(), AuditEntry.objects.count())
    given = {"schedule": "cron", "cron": "30 6 * * 1-5", "zone": ZONE}
    page = reschedule(boss, connected, **given, preview="")
    assert page.content.decode().count("<time ") == 5
    said = text(page)
    assert "By cron text “30 6 * * 1-5”, Asia/Tokyo: the next 5 times" in said
    assert re.search(r"day, \d+ \w{3} \d{4}, 06:30 JST \w+day, \d+ \w{3} \d{4}, 21:30 UTC", said)
    assert 'value="30 6 * * 1-5"' in page.content.decode()
    part = boss.get(f"{BASE}next-times/", {**given, "zone": "Europe/Berlin"})
    assert part.content.decode().count("<time ") == 5
    assert "<html" not in part.content.decode()
    assert "In Europe/Berlin" in text(part)
    assert "This never comes" in text(boss.get(f"{BASE}next-times/", {**given, "cron": "0 6 31 2 *"}))
    assert "only when somebody asks" in text(boss.get(f"{BASE}next-times/", {"schedule": "manual"}))
    assert "Choose one of the schedules" in text(boss.get(f"{BASE}next-times/"))
    assert boss.post(f"{BASE}next-times/").status_code == 405
    assert before == (Connection.objects.values().get(), AuditEntry.objects.count())


def test_the_form_shows_what_is_stored_and_offers_the_portals_zone_first(
    boss: Client, connected: Connection, settings: Any
) -> None:
    settings.TIME_ZONE = "Europe/Berlin"
    connections.reschedule(connected, plan=Plan("weekly", time(17, 45), 4, ZONE), by=None, now=timezone.now())
    page = boss.get(f"{BASE}{connected.pk}/reschedule/").content.decode()
    assert re.findall(r'<option value="(\w+)" selected>', page) == ["4"]
    assert re.findall(r'name="schedule" value="(\w+)" checked', page) == ["weekly"]
    assert 'value="17:45"' in page
    assert f'value="{ZONE}"' in page
    zones = re.findall(r'<option value="([^"]+)"></option>', page)
    assert zones[0] == "Europe/Berlin"
    assert len(set(zones)) == len(zones)
    assert page.count("<time ") == 5


def test_a_stored_zone_that_this_machine_does_not_know_any_more_breaks_no_page(
    boss: Client, connected: Connection
) -> None:
    Connection.objects.update(schedule="daily", schedule_zone="Mars/Base", next_sync=timezone.now())
    assert connections.start_due(timezone.now()) == []
    for url in ("/", f"{BASE}{connected.pk}/change/", reverse("workspace", args=[connected.workspace_id])):
        assert "zone-unknown" in text(boss.get(url))
    assert "Mars/Base" in boss.get(f"{BASE}{connected.pk}/reschedule/").content.decode()
    assert "The schedule is now" in text(reschedule(boss, connected, schedule="hourly", zone=ZONE))
    Connection.objects.update(schedule_zone="Mars/Base", next_sync=timezone.now())
    connections.disconnect(Connection.objects.get(), by=None, now=timezone.now())


def test_a_disconnected_connection_has_no_schedule_to_change(boss: Client, connected: Connection) -> None:
    connections.disconnect(connected, by=None, now=timezone.now())
    assert "wrong-state" in text(boss.get(f"{BASE}{connected.pk}/reschedule/", follow=True))
    assert "wrong-state" in text(reschedule(boss, connected, schedule="hourly", zone="UTC"))
    assert "There is no such connection" in text(boss.get(f"{BASE}77/reschedule/", follow=True))


# --- everything at once -------------------------------------------------------------------------------


def test_one_click_pauses_everything_and_one_resumes_it(boss: Client, auditor: Client, connected: Connection) -> None:
    assert "Pause everything" in text(boss.get(BASE))
    said = text(boss.post(f"{BASE}pause-everything/", {"reason": "New <b>network</b>"}, follow=True))
    for words in ("Since", "by administrator", "New <b>network</b>", "Resume everything"):
        assert words in said
    assert "Pause everything" not in said
    workspace = reverse("workspace", args=[connected.workspace_id])
    for url in ("/", workspace, f"{BASE}{connected.pk}/change/"):
        assert "Everything is paused" in text(boss.get(url))
        assert "Sync now</button>" not in boss.get(url).content.decode()
    refused = text(boss.post(f"{BASE}{connected.pk}/sync/", follow=True))
    assert re.search(r"Everything was paused .* UTC by administrator \(“New <b>network</b>”\)\.", refused)
    assert "No sync starts until an administrator resumes everything on the page of connections." in refused
    assert SyncRun.objects.count() == 0
    assert "was paused already" in text(boss.post(f"{BASE}pause-everything/", follow=True))
    for url in ("/", workspace):
        assert "Who acts: an administrator" in text(auditor.get(url))
        assert "Resume everything" not in text(auditor.get(url))
    assert "Resumed. The schedules count again." in text(boss.post(f"{BASE}resume-everything/", follow=True))
    assert "somebody has resumed already" in text(boss.post(f"{BASE}resume-everything/", follow=True))
    assert "Everything is paused" not in text(boss.get("/"))
    boss.post(f"{BASE}{connected.pk}/sync/")
    assert SyncRun.objects.count() == 1
    entries = AuditEntry.objects.filter(action__startswith="everything").order_by("pk")
    done = [(each.action, each.actor_name) for each in entries]
    assert done == [("everything paused", "administrator"), ("everything resumed", "administrator")]
    assert entries[0].detail == {"reason": "New <b>network</b>"}


@pytest.mark.parametrize("role", ["Nobody", "Auditor", "Compliance manager"])
def test_others_pause_and_resume_nothing(people: dict[str, Any], client: Client, role: str) -> None:
    client.force_login(people[role])
    for verb in ("pause-everything", "resume-everything"):
        assert client.post(f"{BASE}{verb}/").status_code == 403
    assert client.get(f"{BASE}next-times/", {"schedule": "hourly"}).status_code == 403
    assert pauses.everything() is None


# --- what was missed ----------------------------------------------------------------------------------


def lose(connection: Connection, many: int, code: str = missed.UNATTENDED, by: Any = None) -> None:
    now = timezone.now()
    due = [now - timedelta(hours=each + 1) for each in range(many)]
    missed.write(connection, [Missed(at, code, "No worker was at work.", by) for at in sorted(due)], now)


def test_where_nothing_was_missed_it_says_so(auditor: Client, connected: Connection) -> None:
    for url in ("/runs/", reverse("workspace", args=[connected.workspace_id])):
        assert "None: every scheduled time so far has had its sync." in text(auditor.get(url))


def test_a_missed_time_is_a_finding_until_a_reading_follows(
    auditor: Client, connected: Connection, sync_now: Callable[..., Any]
) -> None:
    workspace = reverse("workspace", args=[connected.workspace_id])
    lose(connected, 2)
    home = text(auditor.get("/"))
    assert "2 scheduled syncs did not run" in home
    assert "worker-down" in home
    for url in (workspace, "/runs/", f"/runs/?workspace={connected.workspace_id}"):
        said = text(auditor.get(url))
        assert "No worker was at work." in said
        assert 'href="/help/worker-down/"' in auditor.get(url).content.decode()
    assert "No worker was at work." not in text(auditor.get("/runs/?workspace=999"))
    sync_now()
    assert "did not run" not in text(auditor.get("/"))
    assert "No worker was at work." in text(auditor.get(workspace)), "what happened stays on the record"


def test_a_persons_pause_explains_a_missed_time(auditor: Client, connected: Connection, people: dict[str, Any]) -> None:
    lose(connected, 1, "everything-paused", people["Administrator"])
    assert "did not run" not in text(auditor.get("/"))
    assert "everything-paused" in text(auditor.get("/runs/"))


def test_pages_ask_as_much_for_many_missed_times_as_for_few(auditor: Client, connected: Connection) -> None:
    urls = ["/", "/runs/", "/workspaces/", reverse("workspace", args=[connected.workspace_id])]

    def asked(url: str) -> int:
        auditor.get(url)
        with CaptureQueriesContext(database) as seen:
            assert auditor.get(url).status_code == 200
        return len(seen)

    lose(connected, 1)
    few = [asked(url) for url in urls]
    lose(connected, 45)
    assert MissedRun.objects.count() > 40
    assert [asked(url) for url in urls] == few


def test_a_first_sync_waits_for_the_pause_to_end(
    boss: Client, checked_draft: Connection, people: dict[str, Any], simulator: Any
) -> None:
    """The wizard's last step still makes the connection active; nothing of what was done is lost."""
    pauses.pause_everything(by=people["Administrator"], now=timezone.now())
    answer = boss.post(
        f"{BASE}{checked_draft.pk}/schedule/", {"schedule": "daily", "at": "06:00", "zone": "UTC"}, follow=True
    )
    assert "is active, and was not synced yet. Everything was paused" in text(answer)
    assert (Connection.objects.get().state, SyncRun.objects.count()) == ("active", 0)
    with pytest.raises(runs.Refused, match="Everything was paused"):
        runs.request(Connection.objects.get(), trigger="command", now=timezone.now())


def test_the_wizards_last_step_keeps_what_was_typed_and_shows_the_next_times(
    boss: Client, checked_draft: Connection
) -> None:
    url = f"{BASE}{checked_draft.pk}/schedule/"
    given = {"schedule": "cron", "cron": "0 6,18 * * *", "zone": ZONE, "at": "05:05", "weekday": "2"}
    page = boss.post(url, {**given, "preview": ""})
    assert page.content.decode().count("<time ") == 5
    assert 'value="0 6,18 * * *"' in page.content.decode()
    assert Connection.objects.get().state == "draft"
    refused = boss.post(url, {**given, "cron": "0 6,18 * *"}).content.decode()
    assert "It has 4 fields, not five" in refused
    assert 'value="0 6,18 * *"' in refused
    assert 'value="05:05"' in refused
    boss.post(url, given)
    row = Connection.objects.get()
    assert (row.state, row.plan) == ("active", Plan("cron", zone=ZONE, cron="0 6,18 * * *"))
