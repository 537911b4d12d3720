"""The pages of a diagnosis: with and without htmx, for those who may, and as text that holds no secret."""

import re
from collections.abc import Iterator
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from connectors import connections, diagnosis, registry
from connectors.models import Connection, Diagnosis
from connectors.segment.simulator import Fault, Simulator, serve
from portal.models import AuditEntry

pytestmark = pytest.mark.django_db
BASE = "/admin/connectors/connection"
HOSTILE = "<script>alert(1)</script> \u202edlrow " + "W" * 90
HTMX = {"HX-Request": "true"}


@pytest.fixture(scope="module")
def running() -> Iterator[Simulator]:
    with serve(size="small") as simulator:
        yield simulator


@pytest.fixture
def segment(running: Simulator, settings: Any) -> Simulator:
    running.faults.clear()
    running.requests.clear()
    settings.REGIONS = {"segment": {"demo": running.url}}
    return running


@pytest.fixture
def draft(segment: Simulator) -> Connection:
    now = timezone.now()
    row = connections.draft(registry.get("segment"), by=None, now=now)
    token = segment.tokens["owner"]
    connections.set_credential(row, name=HOSTILE, region="demo", token=token, role="owner", now=now)
    Connection.objects.filter(pk=row.pk).update(groups=["workspace", "people"])
    return Connection.objects.get(pk=row.pk)


@pytest.fixture
def live(draft: Connection) -> Connection:
    connections.check(draft, by=None, now=timezone.now())
    return connections.activate(draft, plan=draft.plan, by=None, now=timezone.now())


@pytest.fixture
def boss(people: dict[str, Any], client: Client) -> Client:
    client.force_login(people["Administrator"])
    return client


def text(answer: Any) -> str:
    assert answer.status_code == 200, answer.status_code
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", answer.content.decode())))


def begun(boss: Client, connection: Connection) -> str:
    answer = boss.post(f"{BASE}/{connection.pk}/diagnose/")
    assert answer.status_code == 302
    return str(answer["Location"])


# --- ways in ----------------------------------------------------------------------------------------------


def test_the_button_stands_where_it_is_needed(boss: Client, live: Connection) -> None:
    action = f'action="{BASE}/{live.pk}/diagnose/"'
    assert boss.get(f"{BASE}/{live.pk}/change/").content.decode().count(action) == 1
    connections.note_failure(live, "unreachable", timezone.now())
    page = boss.get(f"{BASE}/{live.pk}/change/")
    assert page.content.decode().count(action) == 2
    assert "Diagnose step by step" in text(page)
    connections.disconnect(live, by=None, now=timezone.now())
    assert action not in boss.get(f"{BASE}/{live.pk}/change/").content.decode()
    refused = boss.post(f"{BASE}/{live.pk}/diagnose/", follow=True)
    assert "(wrong-state)" in text(refused)
    assert not Diagnosis.objects.exists()


def test_a_draft_whose_check_failed_is_offered_one(boss: Client, draft: Connection, segment: Simulator) -> None:
    segment.faults.append(Fault("^/$", "revoked", times=None))
    connections.check(draft, by=None, now=timezone.now())
    page = boss.get(f"{BASE}/{draft.pk}/check/")
    assert "Diagnose step by step" in text(page)
    where = begun(boss, draft)
    boss.post(f"{where}next/")
    assert 'href="/help/token-rejected/"' in boss.get(where).content.decode()


# --- step by step -----------------------------------------------------------------------------------------


def test_with_htmx_each_answer_holds_one_more_step_and_asks_for_the_next(boss: Client, live: Connection) -> None:
    where = begun(boss, live)
    page = boss.get(where).content.decode()
    many = len(Diagnosis.objects.get().steps)
    assert f'hx-post="{where}next/"' in page
    assert 'hx-trigger="load"' in page
    for done in range(1, many + 1):
        part = boss.post(f"{where}next/", headers=HTMX)
        body = part.content.decode()
        assert "<html" not in body
        assert Diagnosis.objects.get().done == done
        assert body.count(">Running<") == (2 if done < many else 0)
        assert ("hx-post" in body) is (done < many)
    assert "Nothing failed" in text(part)
    assert 'id="as-text"' in body
    assert boss.post(f"{where}next/", headers=HTMX).status_code == 200  # the end stays the end
    assert Diagnosis.objects.get().done == many


def test_without_script_one_button_runs_them_all(boss: Client, live: Connection) -> None:
    where = begun(boss, live)
    assert "Run the steps" in text(boss.get(where))
    answer = boss.post(f"{where}next/", follow=True)
    said = text(answer)
    assert "Nothing failed" in said
    assert "Run the steps" not in said
    assert "The token opens" in said
    assert Diagnosis.objects.get().finished_at is not None


def test_two_tabs_share_one_and_wait_for_each_other(boss: Client, live: Connection) -> None:
    where = begun(boss, live)
    assert begun(boss, live) == where
    row = Diagnosis.objects.get()
    assert diagnosis._claim(row, timezone.now())  # the other tab is at it
    part = boss.post(f"{where}next/", headers=HTMX).content.decode()
    assert 'hx-trigger="load delay:1s"' in part
    assert Diagnosis.objects.get().done == 0
    assert boss.post(f"{where}next/").status_code == 302  # the button does not wait for ever
    assert Diagnosis.objects.get().done == 0


def test_a_failed_step_shows_its_hint_in_place(boss: Client, live: Connection, segment: Simulator) -> None:
    segment.faults.append(Fault("^/$", "clock", times=None))
    where = begun(boss, live)
    boss.post(f"{where}next/")
    page = boss.get(where)
    said = text(page)
    assert "Set the machine's clock by a time service" in said
    assert "Who acts An administrator" in said
    assert 'href="/help/clock-wrong/"' in page.content.decode()
    assert boss.get("/help/clock-wrong/").status_code == 200
    listed = text(boss.get(f"{BASE}/{live.pk}/diagnose/"))
    assert "Failed Answer and clock: Asked without the token" in listed


def test_what_is_gone_leads_to_the_list(boss: Client, live: Connection) -> None:
    for url in (f"{BASE}/{live.pk}/diagnoses/999/", f"{BASE}/{live.pk}/diagnoses/999/text/"):
        assert "No diagnosis yet" in text(boss.get(url, follow=True))
    answer = boss.post(f"{BASE}/{live.pk}/diagnoses/999/next/", headers=HTMX)
    assert answer["HX-Redirect"] == f"{BASE}/{live.pk}/diagnose/"
    assert boss.get(f"{BASE}/999/diagnose/").status_code == 302


def test_a_diagnosis_is_found_under_its_own_connection_alone(boss: Client, live: Connection) -> None:
    where = begun(boss, live)
    other = connections.draft(registry.get("segment"), by=None, now=timezone.now())
    assert boss.get(where.replace(f"/{live.pk}/", f"/{other.pk}/")).status_code == 302


# --- who, how often, and what leaves ----------------------------------------------------------------------


@pytest.mark.parametrize("role", ["Nobody", "Auditor", "Compliance manager"])
def test_only_who_manages_connections_may_diagnose(
    client: Client, people: dict[str, Any], live: Connection, segment: Simulator, role: str
) -> None:
    row = diagnosis.begin(live, by=None, now=timezone.now())
    segment.requests.clear()
    client.force_login(people[role])
    one = f"{BASE}/{live.pk}/diagnoses/{row.pk}"
    for url in (f"{BASE}/{live.pk}/diagnose/", f"{one}/", f"{one}/next/", f"{one}/text/"):
        assert client.get(url).status_code in (302, 403)
        assert client.post(url).status_code in (302, 403, 405)
    assert Diagnosis.objects.get().done == 0
    assert segment.requests == []


def test_a_diagnosis_is_written_into_the_audit_log(boss: Client, live: Connection, people: dict[str, Any]) -> None:
    begun(boss, live)
    entry = AuditEntry.objects.get(action="connection diagnosed")
    assert (entry.actor, entry.detail) == (people["Administrator"], {"diagnosis": Diagnosis.objects.get().pk})


def test_the_text_says_all_that_helps_and_holds_no_secret(
    boss: Client, live: Connection, segment: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    canary = "a-canary-password"
    monkeypatch.setenv("HTTP_PROXY", f"http://robin:{canary}@proxy.invalid:3128")
    monkeypatch.setenv("NO_PROXY", "")
    proxied = begun(boss, live)
    boss.post(f"{proxied}next/")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    segment.faults.append(Fault("^/users$", "status", status=403, times=None))
    Diagnosis.objects.update(finished_at=timezone.now())
    where = begun(boss, live)
    boss.post(f"{where}next/")
    segment.faults.clear()
    pages = [boss.get(url).content for at in (proxied, where) for url in (at, f"{at}text/")]
    pages += [boss.get(f"{BASE}/{live.pk}/diagnose/").content, repr(list(Diagnosis.objects.values())).encode()]
    for secret in (*segment.secrets, canary, live.token_hint * 2):
        assert not [page[:60] for page in pages if secret.encode() in page], secret[:8]
    answer = boss.get(f"{where}text/")
    said = answer.content.decode()
    assert answer["Content-Type"] == "text/plain; charset=utf-8"
    assert answer["Content-Disposition"] == f'attachment; filename="diagnosis-{where.split("/")[-2]}.txt"'
    assert "\u202e" not in said
    assert live.workspace is not None
    for words in (
        "Portal          0.1.0",
        live.workspace.name,
        "UTC",
        "In part (not-permitted)",
        "Limits left: Passed",
    ):
        assert words in said
    assert "http://proxy.invalid:3128" in boss.get(f"{proxied}text/").content.decode()
    assert "Bearer" not in said
    assert "<script>alert" not in boss.get(where).content.decode()


def test_the_list_asks_the_database_as_often_for_twenty_as_for_one(boss: Client, live: Connection) -> None:
    def asked(url: str) -> int:
        with CaptureQueriesContext(database) as seen:
            assert boss.get(url).status_code == 200
        assert not [each for each in seen.captured_queries if '"token"' in each["sql"]]
        return len(seen)

    url, now = f"{BASE}/{live.pk}/diagnose/", timezone.now()
    first = diagnosis.begin(live, by=None, now=now - timedelta(days=1))
    one = asked(url)
    for hours in range(19):
        diagnosis.begin(live, by=None, now=now + timedelta(hours=hours))
    assert Diagnosis.objects.count() == 20
    assert asked(url) == one
    assert asked(f"{BASE}/{live.pk}/diagnoses/{first.pk}/") <= 12
