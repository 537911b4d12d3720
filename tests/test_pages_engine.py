"""What pages and exports say of the engine: parts, doubt, lanes, anomalies, and what is new in the API.

The workspace is read three times: whole; then with one tracking plan's rules refused, suppressions emptied and names
that nobody knows; then its slow lane. Its token is a member's, so no list proves that anything is absent.
"""

import csv
import io
import re
from collections.abc import Iterator
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.utils import timezone

from connectors.segment.simulator import Fault

from .clocks import Skipping
from .worlds import World, world

pytestmark = pytest.mark.django_db
DOUBT = "absence proves nothing here"
SURPRISE = "surprise"


def slow_lane(read: World) -> Any:
    from connectors import runs, sync
    from connectors.models import Lane
    from connectors.reading import Tempo

    asked = runs.request(read.connection, trigger="slow lane", now=timezone.now(), lane=Lane.SLOW, enqueue=False)
    return sync.perform(asked.pk, clock=Skipping(), tempo=Tempo(patience=1e6))


@pytest.fixture(scope="module")
def read(django_db_setup: None, django_db_blocker: Any) -> Iterator[World]:
    from connectors import locker
    from connectors.models import Connection

    with world(django_db_blocker, hostile=True) as made:
        Connection.objects.filter(pk=made.connection.pk).update(token_role="member")
        made.connection.refresh_from_db()
        assert made.sync().state == "published"
        plan = next(iter(locker.records(made.workspace.pk, 1, "tracking_plans")))["id"]
        made.simulator.faults += [
            Fault(f"^/tracking-plans/{plan}/rules", "status", status=403, times=None),
            Fault("^/suppressions$", "empty", times=None),
            Fault("^/sources$", "unknown_field", times=None),
            Fault("^/destinations$", "wrong_type", times=None, value="enabled"),
        ]
        assert made.sync().state == "partial"
        made.simulator.faults.clear()
        assert slow_lane(made).state == "published"
        yield made


@pytest.fixture
def at(read: World) -> str:
    return f"/workspaces/{read.workspace.pk}"


def browser(people: dict[str, Any], role: str) -> Any:
    from django.test import Client

    client = Client()
    client.force_login(people[role])
    return client


@pytest.fixture
def auditor(people: dict[str, Any]) -> Any:
    return browser(people, "Auditor")


@pytest.fixture
def manager(people: dict[str, Any]) -> Any:
    return browser(people, "Compliance manager")


@pytest.fixture
def boss(people: dict[str, Any]) -> Any:
    return browser(people, "Administrator")


def text(answer: Any) -> str:
    assert answer.status_code == 200, answer.status_code
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", answer.content.decode())))


# --- parts and what stands in -------------------------------------------------------------------


def test_a_part_is_told_as_a_part_with_its_name_and_the_snapshot_that_stands_for_it(
    auditor: Any, read: World, at: str
) -> None:
    from connectors import locker

    plan = next(iter(locker.records(read.workspace.pk, 1, "tracking_plans")))
    for url in (f"{at}/snapshots/2/", f"{at}/reports/tracking-plans/?as_of=2"):
        said = text(auditor.get(url))
        assert "1 of 5 tracking plans was denied; its records are as of snapshot 1." in said, url
    said = text(auditor.get(f"{at}/snapshots/2/"))
    assert "Denied in part" in said
    assert "1 part, one by one" in said
    assert plan["id"] in said
    rules = next(each for each in read_coverage(read, 2) if each.stream == "tracking_plan_rules")
    assert (rules.parent, rules.parents) == ("tracking plans", 5)
    assert [(part.key, part.name, part.as_of) for part in rules.parts] == [(plan["id"], plan["name"], 1)]
    assert rules.records is not None
    assert rules.items < rules.records, "the refused plan's rules are still there"


def read_coverage(read: World, seq: int) -> Any:
    from connectors.models import Snapshot
    from evidence import reports

    return reports.provenance(Snapshot.objects.get(workspace=read.workspace, seq=seq)).coverage


def test_what_a_run_did_not_ask_for_is_as_of_the_snapshot_that_read_it(auditor: Any, at: str) -> None:
    said = text(auditor.get(f"{at}/snapshots/3/"))
    assert "What an earlier snapshot read As of snapshot 2, because this run did not ask again:" in said
    assert "This run did not ask for it. Shown as of snapshot 2 ." in said
    first = text(auditor.get(f"{at}/snapshots/1/"))
    assert "What an earlier snapshot read" not in first
    assert "This run did not ask" not in first
    report = text(auditor.get(f"{at}/reports/sources/"))
    assert "As of snapshot 2, because this run did not ask again:" in report


def test_what_nobody_asked_for_is_one_sentence_and_folded(auditor: Any, at: str) -> None:
    answer = auditor.get(f"{at}/snapshots/1/")
    assert text(answer).count("Not requested:") == 2, "what was not chosen, and what is left to the slow lane"
    folded = re.search(r"<details class=\"fold in\">.*?</details>", answer.content.decode(), re.DOTALL)
    assert folded
    assert "Events in by source" in folded[0] or "Not requested" in folded[0]
    assert "Nothing can be said of it." in folded[0]


def test_numbers_of_the_coverage_say_stated_read_and_held(auditor: Any, at: str) -> None:
    assert "Sources Complete 20 20 1 20 1 Read whole; the total that the service states agrees." in text(
        auditor.get(f"{at}/snapshots/1/")
    )


# --- doubt ----------------------------------------------------------------------------------------


def test_the_doubt_stands_on_every_page_and_in_every_export(manager: Any, at: str) -> None:
    for url in (f"{at}/", f"{at}/snapshots/1/", f"{at}/reports/sources/", f"{at}/reports/people/?as_of=1"):
        assert DOUBT in text(manager.get(url)), url
    base = f"{at}/reports/sources/export"
    lines = list(csv.reader(io.StringIO(b"".join(manager.get(f"{base}.csv").streaming_content).decode())))
    assert DOUBT in lines[0][0]
    assert lines[0][0].startswith("# ")
    bare = b"".join(manager.get(f"{base}.csv?notes=0").streaming_content).decode()
    assert DOUBT not in bare
    assert bare.splitlines()[0] == ",".join(next(line for line in lines if not line[0].startswith("# ")))
    data = manager.get(f"{base}.json").json()
    assert DOUBT in data["completeness"]["doubt"]
    assert data["completeness"]["older"]
    kept = manager.post(f"{at}/reports/sources/keep/", {"snapshot": "1", "title": "Kept"}, follow=True)
    assert DOUBT in text(kept)
    url = kept.redirect_chain[-1][0]
    assert DOUBT in manager.get(f"{url}export.json").json()["completeness"]["doubt"]


def test_the_doubt_stands_in_the_pdf(auditor: Any, at: str) -> None:
    import pypdf

    data = auditor.get(f"{at}/reports/tracking-plans/export.pdf?as_of=2").content
    before_the_tables = pypdf.PdfReader(io.BytesIO(data)).pages[:3]
    said = " ".join(" ".join(page.extract_text() for page in before_the_tables).split())
    assert said.count("absence proves nothing here") >= 2, "on the title page, and where completeness is told"
    assert "1 of 5 tracking plans was denied; its records are as of snapshot 1." in said
    assert "Parts that were not read" in said


def test_a_header_of_the_first_version_has_no_doubt_and_no_parts(read: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from connectors import locker
    from connectors.models import Snapshot
    from evidence import reports

    snapshot = Snapshot.objects.get(workspace=read.workspace, seq=1)
    header = locker.header_of(snapshot)
    old = {name: value for name, value in header.items() if name != "doubt"}
    old["coverage"] = {"sources": {k: v for k, v in header["coverage"]["sources"].items() if k != "records"}}
    for room in (locker, locker.states):
        monkeypatch.setattr(room, "header_of", lambda snapshot: old)
    found = reports.provenance(snapshot)
    sources = next(each for each in found.coverage if each.stream == "sources")
    assert (found.doubt, sources.records, sources.known, sources.parts) == ("", None, 20, ())


# --- runs -----------------------------------------------------------------------------------------


def test_a_run_says_its_parts_and_what_is_new_and_folds_what_it_did_not_ask_for(
    auditor: Any, boss: Any, read: World
) -> None:
    from connectors.models import SyncRun

    run = SyncRun.objects.get(connection=read.connection, state="partial")
    for client, url in ((auditor, f"/runs/{run.pk}/"), (boss, f"/admin/connectors/syncrun/{run.pk}/change/")):
        answer = client.get(url)
        said = text(answer)
        assert "Denied in part" in said, url
        assert "1 part that could not be read, one by one" in said
        assert "Emptied It had records before and has none now" in said
        assert "The API has changed" in said
        assert f"Fields that are new here, and were left out {SURPRISE} 1×" in said
        assert "Fields of another type than documented, of which only the type is kept enabled 1×" in said
        assert "nested" not in said, "names only: what the field holds is nobody's business"
        assert "Main" in said
        headings = re.findall(r'<th scope="colgroup" colspan="(?:6|10)">([^<]+)', answer.content.decode())
        assert headings[:2] == ["Workspace", "Data flow"]
        assert re.search(r"Not requested 1[0-9] streams", said)
        assert "It is read in the slow lane." in said
        assert "Its group is not chosen." in said


def test_a_slow_run_says_so(auditor: Any, read: World) -> None:
    from connectors.models import SyncRun

    run = SyncRun.objects.get(connection=read.connection, lane="slow")
    said = text(auditor.get(f"/runs/{run.pk}/"))
    assert "Slow lane" in said
    assert "by the sync before it" in said
    assert "It is read by the main run." in said
    assert re.search(rf"Run {run.pk} Slow lane", text(auditor.get("/runs/")))


def test_a_run_that_waits_or_lost_its_worker_says_so(auditor: Any, boss: Any, read: World) -> None:
    from connectors.models import RunState, SyncRun

    now = timezone.now()
    run = SyncRun.objects.create(
        connection=read.connection, state=RunState.QUEUED, queued_at=now, started_at=now, lost=2,
        resume_at=now + timedelta(minutes=7), requests_done=40, requests_expected=90,
    )  # fmt: skip
    said = text(auditor.get(f"/runs/{run.pk}/"))
    assert re.search(r"Waits until \d+ \w+ \d{4}, [\d:]+ UTC ?, as the service asks", said)
    assert "Its worker was lost 2 times, and it went on." in said
    assert "left" not in said.partition("records so far")[2].partition("Nothing is published")[0]
    assert "40 of 90 requests" in said
    there = text(boss.get(f"/admin/connectors/syncrun/{run.pk}/change/"))
    assert "as the service asks" in there
    assert "Its worker was lost 2 times, and it went on." in there


# --- home and health ------------------------------------------------------------------------------


def slow_run(read: World, **fields: Any) -> Any:
    from connectors.models import SyncRun

    return SyncRun.objects.create(
        connection=read.connection, lane="slow", queued_at=timezone.now(), **{"started_at": timezone.now(), **fields}
    )


def test_last_sync_is_the_main_lane_and_the_slow_one_is_told_beside_it(auditor: Any, read: World, at: str) -> None:
    from connectors.models import SyncRun
    from evidence.health import health

    main = SyncRun.objects.filter(connection=read.connection, lane="main").order_by("-pk")[0]
    (found,) = health([read.workspace], timezone.now())
    assert found.run == main
    assert found.state.word == "Degraded"
    assert "Slow lane" not in text(auditor.get("/workspaces/"))
    under_way = slow_run(read, state="running")
    (found,) = health([read.workspace], timezone.now())
    assert (found.run, found.slow, found.state.word) == (main, under_way, "Degraded")
    assert "Slow lane: under way" in text(auditor.get(f"{at}/"))
    assert "Slow lane: under way" in text(auditor.get("/"))


def test_a_failed_slow_lane_needs_attention_and_is_named(auditor: Any, read: World, at: str) -> None:
    from connectors import connections
    from evidence.health import health

    slow_run(read, state="failed", error_code="timeout")
    said = text(auditor.get("/"))
    assert "The slow lane did not end well" in said
    assert "Slow lane: failed" in said
    connections.note_failure(read.connection, "timeout", timezone.now())
    (found,) = health([read.workspace], timezone.now())
    assert found.state.word == "Unreachable"
    said = text(auditor.get("/"))
    assert "did not end well" not in said, "told once, with the connection's own hint"
    assert said.count("Slow lane: The") == 1


def test_only_administrators_are_told_that_the_api_has_changed(auditor: Any, boss: Any, read: World) -> None:
    assert "The API has changed: 2 names" in text(boss.get("/"))
    assert "The API has changed" not in text(auditor.get("/"))
    url = f"/admin/connectors/connection/{read.connection.pk}/change/"
    assert f'href="{url}#api"' in boss.get("/").content.decode()
    said = text(boss.get(url))
    assert f"left out {SURPRISE} 1×" in said
    assert read.sync().state == "published"
    assert "The API has changed:" not in text(boss.get("/"))
    assert "Nothing new: the newest reading met only what the portal knows." in text(boss.get(url))


# --- anomalies ------------------------------------------------------------------------------------


def anomaly(read: World) -> Any:
    from connectors.models import Anomaly

    return Anomaly.objects.get(snapshot__workspace=read.workspace, stream="suppressions")


def test_an_anomaly_is_shown_until_somebody_explains_it_and_then_with_who_and_why(
    auditor: Any, manager: Any, people: dict[str, Any], read: World, at: str
) -> None:
    from portal.models import AuditEntry

    odd = anomaly(read)
    home = auditor.get("/")
    assert "1 anomaly is not explained" in text(home)
    assert f'href="{at}/anomalies/"' in home.content.decode()
    for url in (f"{at}/", f"{at}/snapshots/2/", f"{at}/anomalies/"):
        said, page = text(auditor.get(url)), auditor.get(url).content.decode()
        assert "Emptied It had records before and has none now; it was read twice." in said, url
        assert "Not explained yet" in said
        assert "<textarea" not in page, "an auditor only sees"
        assert f'name="anomaly" value="{odd.pk}"' in manager.get(url).content.decode()
    assert "Anomalies" not in text(auditor.get(f"{at}/snapshots/1/"))
    why = "<b>The list</b>\r\nwas retired."
    answer = manager.post(f"{at}/anomalies/", {"anomaly": [odd.pk], "explanation": why}, follow=True)
    assert "1 anomaly is acknowledged" in text(answer)
    for url in (f"{at}/", f"{at}/snapshots/2/", f"{at}/anomalies/"):
        page = auditor.get(url)
        assert "<b>The list</b> was retired." in unescape(page.content.decode())
        assert b"<b>The list" not in page.content
        assert "by compliance-manager" in text(page)
    assert "not explained" not in text(auditor.get("/"))
    entry = AuditEntry.objects.get(action="anomaly acknowledged")
    assert (entry.actor, entry.detail["explanation"]) == (
        people["Compliance manager"],
        "<b>The list</b> was retired.",
    )
    assert entry.address == "127.0.0.1"
    again = manager.post(f"{at}/anomalies/", {"anomaly": [odd.pk], "explanation": "other"}, follow=True)
    assert "Somebody had acknowledged it already" in text(again)
    assert anomaly(read).explanation == "<b>The list</b> was retired."


@pytest.mark.parametrize(
    ("ticked", "explanation", "field", "sentence"),
    [
        (True, " \n ", "explanation", "Write what explains it"),
        (True, "x" * 501, "explanation", "It has 501 characters, and 500 are kept"),
        (False, "It was planned.", "anomaly", "Choose at least one of them."),
    ],
)
def test_what_cannot_be_taken_is_given_back_with_a_sentence_beside_the_field(  # noqa: PLR0917  # a table's columns
    manager: Any, read: World, at: str, ticked: bool, explanation: str, field: str, sentence: str
) -> None:
    odd = anomaly(read)
    given = {"anomaly": [odd.pk] if ticked else [], "explanation": explanation}
    page = manager.post(f"{at}/anomalies/", given).content.decode()
    beside = re.search(rf'<p class="err" id="{field}-error">(.*?)</p>', page, re.DOTALL)
    assert beside
    assert sentence in beside[1]
    assert 'href="/help/' in beside[1]
    assert f"{explanation}</textarea>" in page
    assert anomaly(read).acknowledged_at is None


def test_only_those_who_may_acknowledge_and_only_of_this_workspace(
    auditor: Any, manager: Any, read: World, at: str
) -> None:
    from connectors.models import Workspace

    odd = anomaly(read)
    given = {"anomaly": [odd.pk], "explanation": "It was planned."}
    assert auditor.post(f"{at}/anomalies/", given).status_code == 403
    other = Workspace.objects.create(connector="segment", remote_id="other", slug="o", name="Other")
    answer = manager.post(f"/workspaces/{other.pk}/anomalies/", given)
    assert "No anomaly" in text(answer)
    assert "Choose at least one" not in text(manager.get(f"/workspaces/{other.pk}/anomalies/"))
    hostile = {"anomaly": ["x", "-1", "9" * 30, "1 OR 1"], "explanation": "x"}
    assert "Choose at least one of them." in text(manager.post(f"{at}/anomalies/", hostile))
    assert manager.put(f"{at}/anomalies/").status_code == 405
    assert anomaly(read).acknowledged_at is None


def test_pages_with_all_of_it_keep_a_strict_policy_and_can_be_read_without_eyes_or_mouse(
    manager: Any, boss: Any, read: World, at: str
) -> None:
    from connectors.models import SyncRun

    from .test_look import Page

    run = SyncRun.objects.get(connection=read.connection, state="partial")
    connection = f"/admin/connectors/connection/{read.connection.pk}"
    urls = [f"{at}/", f"{at}/snapshots/2/", f"{at}/anomalies/", f"/runs/{run.pk}/"]
    pages = [(url, manager.get(url)) for url in urls]
    pages += [(url, boss.get(url)) for url in (f"{connection}/change/", f"{connection}/choose/", "/")]
    pages += [(url, boss.get(url)) for url in (f"/admin/connectors/syncrun/{run.pk}/change/",)]
    pages += [("refused", manager.post(f"{at}/anomalies/", {"anomaly": [anomaly(read).pk]}))]
    for url, answer in pages:
        page = Page(answer.content.decode())
        assert page.forbidden == [], url
        assert page.unreadable() == [], url
        assert len(page.all("h1")) == 1, url
        ids = [held["id"] for _, held in page.tags if "id" in held]
        assert len(ids) == len(set(ids)), url


def test_parts_and_anomalies_ask_the_same_whatever_their_number(auditor: Any, read: World, at: str) -> None:
    from django.db import connection as database
    from django.test.utils import CaptureQueriesContext

    from connectors.models import Anomaly

    def asked(url: str) -> int:
        auditor.get(url)
        with CaptureQueriesContext(database) as queries:
            assert auditor.get(url).status_code == 200
        return len(queries)

    urls = ["/", f"{at}/", f"{at}/snapshots/2/", f"{at}/anomalies/"]
    few = [asked(url) for url in urls]
    odd = anomaly(read)
    Anomaly.objects.bulk_create(
        Anomaly(snapshot=odd.snapshot, stream=f"s{number}", title="S", kind="gap", detail="Odd.") for number in range(9)
    )
    assert [asked(url) for url in urls] == few
    assert "10 anomalies are not explained" in text(auditor.get("/"))
