"""The portal's pages over a workspace that was read twice: whole, then with its users denied."""

import csv
import io
import re
from collections.abc import Iterator
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from connectors.segment.simulator import Fault

from .worlds import World, world

pytestmark = pytest.mark.django_db
REPORTS = ["data-flow", "sources", "destinations", "tracking-plans", "people"]


@pytest.fixture(scope="module")
def read(django_db_setup: None, django_db_blocker: Any) -> Iterator[World]:
    with world(django_db_blocker) as made:
        assert made.sync().state == "published"
        made.simulator.settings.day = 5
        made.simulator.faults.append(Fault("^/users", "status", status=403, times=None))
        assert made.sync().state == "partial"
        yield made


@pytest.fixture
def at(read: World) -> str:
    return f"/workspaces/{read.workspace.pk}"


@pytest.fixture
def manager(client: Any, people: dict[str, Any]) -> Any:
    client.force_login(people["Compliance manager"])
    return client


@pytest.fixture
def auditor(client: Any, people: dict[str, Any]) -> Any:
    client.force_login(people["Auditor"])
    return client


def text(answer: Any) -> str:
    """What a person reads: without tags, with single blanks."""
    assert answer.status_code == 200, answer.status_code
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", answer.content.decode())))


def rows(answer: Any) -> list[list[str]]:
    """Head and rows of a CSV, without the notes before them."""
    found = csv.reader(io.StringIO(b"".join(answer.streaming_content).decode()))
    return [row for row in found if not row[0].startswith("# ")]


# --- home, workspaces, snapshots ----------------------------------------------------------------


def test_home_says_how_fresh_how_whole_and_what_needs_attention(auditor: Any, read: World) -> None:
    said = text(auditor.get("/"))
    assert "Streams complete 33 of 47" in said
    assert "2 denied" in said
    assert "2 of 47 streams were not read" in said
    assert "Users, User permissions" in said
    assert "An administrator of this portal" in said
    assert "Published in part" in said
    assert read.workspace.name in said


def test_a_worker_that_is_silent_for_a_minute_is_a_warning(auditor: Any, read: World) -> None:
    from connectors.models import Heartbeat

    assert "No worker has been heard of yet" in text(auditor.get("/"))
    Heartbeat.objects.create(worker="one", at=timezone.now() - timedelta(seconds=61))
    assert "The worker has not been heard of since" in text(auditor.get("/"))
    Heartbeat.objects.create(worker="two", at=timezone.now() - timedelta(seconds=5))
    assert "heard of" not in text(auditor.get("/"))


def test_a_failed_connection_shows_its_hint_and_code(auditor: Any, read: World, at: str) -> None:
    from connectors import connections

    connections.note_failure(read.connection, "token-rejected", timezone.now())
    for url in ("/", f"{at}/"):
        answer = auditor.get(url)
        assert "rejects the token" in text(answer)
        assert 'href="/help/token-rejected/"' in answer.content.decode()


def test_a_snapshot_older_than_two_turns_of_the_schedule_is_stale(read: World) -> None:
    from connectors.models import Schedule, Workspace
    from evidence.health import health, matters

    held = health(Workspace.objects.all(), timezone.now())
    assert held[0].connection is not None
    later = timezone.now() + timedelta(days=3)
    for schedule, stale in ((Schedule.MANUAL, False), (Schedule.DAILY, True), (Schedule.WEEKLY, False)):
        held[0].connection.schedule = schedule
        assert any(matter.state.name == "stale" for matter in matters(held, later)) is stale
    held[0].connection.schedule = Schedule.CRON
    for cron, stale in (("0 6 * * *", True), ("0 6 1 */6 *", False)):
        held[0].connection.schedule_cron = cron
        found = [matter for matter in matters(held, later) if matter.state.name == "stale"]
        assert bool(found) is stale
        assert all(f"By cron text “{cron}”, UTC" in matter.why for matter in found)


def test_the_overview_tells_coverage_in_words_and_draws_the_flow(auditor: Any, read: World, at: str) -> None:
    answer = auditor.get(f"{at}/")
    said, page = text(answer), answer.content.decode()
    assert "Users Denied 25 – – – 1 The token is not allowed to read this (403)." in said
    assert "Shown as of snapshot 1 ." in said
    assert "Read whole; the total that the service states agrees." in said
    assert "Signature verified" in said
    assert page.count('class="hot"') > 20
    for name in REPORTS:
        assert f'href="{at}/reports/{name}/"' in page


def test_reading_now_is_offered_to_those_who_may(manager: Any, people: dict[str, Any], at: str) -> None:
    assert "Sync now" in text(manager.get(f"{at}/"))
    manager.force_login(people["Auditor"])
    assert "Sync now" not in text(manager.get(f"{at}/"))


def test_a_snapshot_shows_its_whole_header_proved_now(auditor: Any, read: World, at: str) -> None:
    from connectors.models import Snapshot

    second = Snapshot.objects.get(workspace=read.workspace, seq=2)
    said = text(auditor.get(f"{at}/snapshots/2/"))
    for value in (second.header_sha256, second.previous_sha256, second.key_id):
        assert value in said
    assert "Signature verified" in said
    assert "/tracking-plans" in said
    assert "403" in said


def test_a_snapshot_whose_key_is_not_trusted_says_so(
    auditor: Any, read: World, at: str, settings: Any, tmp_path: Any
) -> None:
    settings.TRUSTED_KEYS_FILE = tmp_path / "none.pub"
    for url in (f"{at}/snapshots/2/", f"{at}/", f"{at}/reports/people/"):
        said = text(auditor.get(url))
        assert "Signature not verified" in said
        assert "Signature verified" not in said


@pytest.mark.parametrize(
    "path",
    ["/workspaces/999999/", "/workspaces/99999999999999999999/", "/artifacts/99999999999999999999/", "/runs/999999/"]
    + [f"{{}}/{rest}" for rest in ("snapshots/3/", "reports/nonsense/", "reports/people/?as_of=3")]
    + ["{}/reports/people/export.exe", "{}/reports/people/export.csv?table=nonsense", "/help/nonsense/"],
)
def test_what_is_not_there_is_not_found(auditor: Any, at: str, path: str) -> None:
    assert auditor.get(path.format(at)).status_code == 404


# --- reports ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", REPORTS)
def test_every_report_states_its_snapshot_and_its_coverage(auditor: Any, read: World, at: str, name: str) -> None:
    from connectors.models import Snapshot

    digest = Snapshot.objects.get(workspace=read.workspace, seq=2).header_sha256
    said = text(auditor.get(f"{at}/reports/{name}/"))
    assert f"{digest[:8]}…{digest[-8:]}" in said
    assert digest in said
    assert "33 of 47 streams complete" in said
    assert "UTC" in said


def test_a_report_says_what_it_could_not_see_and_an_older_one_saw(auditor: Any, at: str) -> None:
    new, old = text(auditor.get(f"{at}/reports/people/")), text(auditor.get(f"{at}/reports/people/?as_of=1"))
    assert "What this could not see Users: denied." in new
    assert "What this could not see" not in old
    assert "This is how it was on" in old
    assert "What this could not see" not in text(auditor.get(f"{at}/reports/sources/"))


def test_filters_sorting_and_paging_live_in_the_address(auditor: Any, at: str) -> None:
    url = f"{at}/reports/destinations/?f-enabled=Disabled&sort=-name&q=ads&as_of=1"
    answer = auditor.get(url)
    page = answer.content.decode()
    names = re.findall(r'<th scope="row"><bdi>([^<]*)', page)
    assert names
    assert all("ads" in name.lower() for name in names)
    assert names == sorted(names, key=str.lower, reverse=True)
    assert '<input type="hidden" name="as_of" value="1">' in page
    assert '<input type="hidden" name="sort" value="-name">' in page
    assert '<th scope="col" aria-sort="descending">' in page
    assert 'href="?f-enabled=Disabled&amp;sort=-name&amp;as_of=1"' in page  # the chip that drops the search
    assert 'href="?sort=-name&amp;q=ads&amp;as_of=1"' in page  # the chip that drops the filter
    assert f"{len(names)} row" in text(answer)


def test_what_an_address_does_not_mean_changes_nothing(auditor: Any, at: str) -> None:
    plain = auditor.get(f"{at}/reports/sources/").content
    count = plain.count(b'<th scope="row">')
    for query in (
        "nonsense=1",
        "sort=nonsense",
        "page=-5",
        "page=x",
        "size=9999",
        "table=nonsense",
        "context=1&only-=x",
    ):
        answer = auditor.get(f"{at}/reports/sources/?{query}")
        assert answer.status_code == 200
        assert answer.content.count(b'<th scope="row">') == count


def test_a_long_table_is_shown_in_parts(auditor: Any, at: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from evidence.views import reports

    whole = text(auditor.get(f"{at}/reports/tracking-plans/?table=rules"))
    assert "250 rows of 250" in whole
    monkeypatch.setattr(reports, "MOST_ROWS", 100)
    monkeypatch.setattr(reports, "_long", set())
    answer = auditor.get(f"{at}/reports/tracking-plans/?table=rules")
    assert "50 rows of 50" in text(answer)
    parts = re.findall(r'<option value="(tp_[^"]+)"', answer.content.decode())
    assert len(parts) == 5
    last = auditor.get(f"{at}/reports/tracking-plans/?table=rules&only-plan_id={parts[-1]}").content.decode()
    assert f'<option value="{parts[-1]}" selected>' in last
    assert set(re.findall(r"<code><bdi>(tp_[^<]+)", last)) == {parts[-1]}


def test_boxes_of_the_drawing_lead_to_their_rows(auditor: Any, at: str) -> None:
    page = auditor.get(f"{at}/reports/data-flow/").content.decode()
    links = [unescape(link) for link in re.findall(rf'<a href="({at}/reports/data-flow/\?q=[^"]*)"', page)]
    assert len(links) > 20
    for link in (links[0], links[-1]):
        assert "No row matches" not in text(auditor.get(link))


# --- artifacts ----------------------------------------------------------------------------------


def keep(client: Any, at: str, name: str = "people", **more: str) -> Any:
    return client.post(f"{at}/reports/{name}/keep/", {"as_of": "1", "title": "People, first quarter"} | more)


def test_a_report_is_kept_as_evidence_and_does_not_change(manager: Any, people: dict[str, Any], at: str) -> None:
    from evidence.models import Artifact
    from portal.models import AuditEntry

    answer = keep(manager, at)
    artifact = Artifact.objects.get()
    version = artifact.versions.get()
    assert answer.headers["Location"] == f"/artifacts/{artifact.pk}/"
    assert version.snapshot
    assert version.snapshot.seq == 1
    assert (artifact.title, artifact.report) == ("People, first quarter", "people")
    assert AuditEntry.objects.get(action="report captured").actor == people["Compliance manager"]
    page = manager.get(answer.headers["Location"])
    said = text(page)
    assert "Kept as evidence. From now on it cannot be changed." in said
    assert "Digest verified" in said
    assert artifact.sha256 in said
    assert "compliance-manager" in said
    assert "25 rows of 25" in said
    filtered = manager.get(f"{answer.headers['Location']}?table=people&q=adaeze")
    assert "1 row of 25" in text(filtered)


def test_only_those_who_may_keep_evidence(auditor: Any, at: str) -> None:
    from evidence.models import Artifact

    assert keep(auditor, at).status_code == 403
    assert auditor.get(f"{at}/reports/people/keep/").status_code in {403, 405}
    assert "Keep as evidence" not in text(auditor.get(f"{at}/reports/people/"))
    assert not Artifact.objects.exists()


@pytest.mark.parametrize("more", [{"as_of": "7"}, {"as_of": "2001-01-01"}, {"name": "nonsense"}])
def test_what_is_not_there_cannot_be_kept(manager: Any, at: str, more: dict[str, str]) -> None:
    assert keep(manager, at, **more).status_code == 404


def test_the_list_of_artifacts_is_searched_filtered_and_sorted(manager: Any, people: dict[str, Any], at: str) -> None:
    keep(manager, at, title="Alpha")
    keep(manager, at, "sources", title="Beta")

    def found(query: str) -> list[str]:
        return re.findall(r"<bdi>(Alpha|Beta)</bdi>", manager.get(f"/artifacts/{query}").content.decode())

    assert found("") == ["Beta", "Alpha"]
    assert found("?sort=title") == ["Alpha", "Beta"]
    assert found("?q=alp") == ["Alpha"]
    assert found("?report=sources") == ["Beta"]
    assert found(f"?owner={people['Auditor'].pk}") == []
    assert found("?sort=nonsense&workspace=x&page=99") == ["Beta", "Alpha"]


OWN = {"id", "artifact", "number", "title", "received_by"}  # what `versions.add` gives to a version


def test_a_damaged_artifact_is_not_shown_and_not_handed_out(manager: Any, at: str) -> None:
    from evidence.library import versions
    from evidence.models import Artifact, Version

    keep(manager, at)
    artifact = Artifact.objects.get()
    good = artifact.versions.get()
    values = {field.attname: getattr(good, field.attname) for field in Version._meta.fields if field.name not in OWN}
    bad = versions.add(artifact, values | {"sha256": "0" * 64}, title="Bad", by=None)
    said = text(manager.get(f"/artifacts/{bad.artifact_id}/"))
    assert "This artifact is damaged" in said
    assert "Adaeze" not in said
    refused = manager.get(f"/artifacts/{bad.artifact_id}/export.csv")
    assert refused.status_code == 500
    assert b"export-frozen" in refused.content


# --- taking away --------------------------------------------------------------------------------


def test_csv_counts_its_rows_and_is_the_same_each_time(auditor: Any, people: dict[str, Any], at: str) -> None:
    from portal.models import AuditEntry

    url = f"{at}/reports/people/export.csv?table=people&as_of=1"
    first = auditor.get(url)
    found = rows(first)
    assert first.headers["X-Row-Count"] == str(len(found) - 1) == "25"
    assert first.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert re.fullmatch(
        r'attachment; filename="[a-z0-9-]+-people-people-s1-[0-9a-f]{8}\.csv"', first["Content-Disposition"]
    )
    assert first.headers["Cache-Control"] == "private, no-store"
    assert first.headers["X-Content-Type-Options"] == "nosniff"
    assert rows(auditor.get(url)) == found
    assert "CSV 25 rows" in text(auditor.get(f"{at}/reports/people/?as_of=1"))
    entry = AuditEntry.objects.filter(action="exported").first()
    assert entry is not None
    assert entry.actor == people["Auditor"]
    assert (entry.detail["rows"], entry.detail["format"], entry.detail["table"]) == (25, "csv", "people")


def test_csv_for_excel_begins_with_a_byte_order_mark(auditor: Any, at: str) -> None:
    plain = b"".join(auditor.get(f"{at}/reports/sources/export.csv").streaming_content)
    marked = b"".join(auditor.get(f"{at}/reports/sources/export.csv?bom=1").streaming_content)
    assert marked == b"\xef\xbb\xbf" + plain


def test_pdf_and_json_are_handed_out(auditor: Any, at: str) -> None:
    pdf, data = auditor.get(f"{at}/reports/sources/export.pdf"), auditor.get(f"{at}/reports/sources/export.json")
    assert pdf.content.startswith(b"%PDF-")
    assert pdf.headers["Content-Type"] == "application/pdf"
    assert pdf.headers["X-Row-Count"] == data.headers["X-Row-Count"] == "20"
    assert data.json()["tables"][0]["row_count"] == 20


def test_artifacts_are_handed_out_as_they_were_kept(manager: Any, at: str) -> None:
    from evidence.models import Artifact

    report = rows(manager.get(f"{at}/reports/people/export.csv?as_of=1"))
    keep(manager, at)
    artifact = Artifact.objects.get()
    answer = manager.get(f"/artifacts/{artifact.pk}/export.csv")
    assert rows(answer) == report
    assert manager.get(f"/artifacts/{artifact.pk}/export.exe").status_code == 404


@pytest.mark.parametrize(("code", "status"), [("export-timeout", 503), ("export-memory", 503), ("export-flow", 500)])
def test_a_download_that_fails_says_why_and_leaves_no_entry(
    auditor: Any, at: str, monkeypatch: pytest.MonkeyPatch, code: str, status: int
) -> None:
    from evidence.document import Document, ExportError
    from evidence.exports import pdf
    from portal.models import AuditEntry

    def fails(document: Document) -> None:
        raise ExportError(code, "It did not work.")

    monkeypatch.setattr(pdf, "render", fails)
    answer = auditor.get(f"{at}/reports/sources/export.pdf")
    assert answer.status_code == status
    assert f"/help/{code}/".encode() in answer.content
    assert b"Traceback" not in answer.content
    assert "Content-Disposition" not in answer.headers
    assert not AuditEntry.objects.filter(action="exported").exists()


def test_nobody_without_the_right_takes_anything_away(client: Any, people: dict[str, Any], at: str) -> None:
    client.force_login(people["Nobody"])
    for url in (f"{at}/reports/sources/export.csv", "/audit/export.csv", f"{at}/reports/sources/", "/"):
        assert client.get(url).status_code == 403


# --- runs ---------------------------------------------------------------------------------------


def test_a_run_that_is_over_shows_its_outcome_and_receipts(auditor: Any, read: World) -> None:
    from connectors.models import SyncRun

    last = SyncRun.objects.get(connection=read.connection, state="partial")
    answer = auditor.get(f"/runs/{last.pk}/")
    said, page = text(answer), answer.content.decode()
    assert "Published in part" in said
    assert "Users Denied" in said
    assert "Snapshot 2" in said
    assert "hx-get" not in page
    assert "refresh" not in page
    assert f"{last.receipts.count()} requests" in said


def test_a_run_that_is_under_way_updates_itself(auditor: Any, read: World) -> None:
    run = running(read)
    answer = auditor.get(f"/runs/{run.pk}/")
    said, page = text(answer), answer.content.decode()
    assert "20 of 80 requests" in said
    assert "about 30 s left" in said
    assert f'hx-get="/runs/{run.pk}/" hx-trigger="every 2s"' in page
    assert '<noscript><meta http-equiv="refresh" content="5"></noscript>' in page
    part = auditor.get(f"/runs/{run.pk}/", headers={"HX-Request": "true"}).content.decode()
    assert part.lstrip().startswith('<div id="live"')
    assert "<html" not in part
    run.state = "failed"
    run.save()
    ended = auditor.get(f"/runs/{run.pk}/", headers={"HX-Request": "true"})
    assert (ended.headers["HX-Refresh"], ended.content) == ("true", b"")


def running(read: World) -> Any:
    """A run ten seconds old that has 20 of 80 answers."""
    from connectors.models import RunState, SyncRun

    now = timezone.now()
    return SyncRun.objects.create(
        connection=read.connection,
        state=RunState.RUNNING,
        queued_at=now - timedelta(seconds=10),
        started_at=now - timedelta(seconds=10),
        heartbeat_at=now,
        requests_done=20,
        requests_expected=80,
    )


def test_progress_is_computed_from_the_run_and_the_time() -> None:
    from connectors.models import RunState, SyncRun
    from evidence.progress import progress

    now = timezone.now()
    run = SyncRun(state=RunState.QUEUED)
    assert (progress(run, now).left, progress(run, now).elapsed, progress(run, now).silent) == (None, None, None)
    run = SyncRun(state=RunState.RUNNING, started_at=now, heartbeat_at=now, requests_done=2, requests_expected=10)
    assert progress(run, now + timedelta(seconds=4)).left is None  # too early to say
    run.requests_done = 5
    assert progress(run, now + timedelta(seconds=10)).left == timedelta(seconds=10)
    assert progress(run, now + timedelta(seconds=21)).silent == timedelta(seconds=21)
    run.requests_done = 12  # more than was expected: nothing is left, and nothing is negative
    assert (progress(run, now).expected, progress(run, now).left) == (12, timedelta(0))


def test_a_run_is_cancelled_by_those_who_may(manager: Any, people: dict[str, Any], read: World) -> None:
    run = running(read)
    assert manager.get(f"/runs/{run.pk}/cancel/").status_code == 405
    manager.force_login(people["Auditor"])
    assert manager.post(f"/runs/{run.pk}/cancel/").status_code == 403
    assert "Cancel" not in text(manager.get(f"/runs/{run.pk}/"))
    manager.force_login(people["Compliance manager"])
    said = text(manager.post(f"/runs/{run.pk}/cancel/", follow=True))
    assert "The sync is cancelled. Nothing of it was published." in said
    assert "already ended" in text(manager.post(f"/runs/{run.pk}/cancel/", follow=True))


def test_a_sync_is_asked_for_once(manager: Any, people: dict[str, Any], read: World, at: str) -> None:
    from connectors.models import SyncRun

    before = SyncRun.objects.count()
    first = manager.post(f"{at}/sync/")
    run = SyncRun.objects.order_by("-pk")[0]
    assert first.headers["Location"] == f"/runs/{run.pk}/"
    assert (run.requested_by, run.trigger) == (people["Compliance manager"], "person")
    again = manager.post(f"{at}/sync/", follow=True)
    assert again.redirect_chain == [(f"/runs/{run.pk}/", 302)]
    assert "already under way. Nothing was started." in text(again)
    assert SyncRun.objects.count() == before + 1
    manager.force_login(people["Auditor"])
    assert manager.post(f"{at}/sync/").status_code == 403


def test_a_workspace_that_is_paused_or_disconnected_is_not_synced(manager: Any, read: World, at: str) -> None:
    from connectors import connections
    from connectors.models import Connection

    connection = Connection.objects.get(pk=read.connection.pk)
    connections.pause(connection, by=None, now=timezone.now())
    assert "is paused; only an active one is synced. Nothing was started." in text(
        manager.post(f"{at}/sync/", follow=True)
    )
    connections.disconnect(connection, by=None, now=timezone.now())
    assert "has no connection any more" in text(manager.post(f"{at}/sync/", follow=True))
    assert "Disconnected" in text(manager.get(f"{at}/"))


def test_runs_are_filtered(auditor: Any, read: World) -> None:
    assert "1 run " in text(auditor.get("/runs/?state=partial"))
    assert "2 runs " in text(auditor.get(f"/runs/?workspace={read.workspace.pk}&state=nonsense"))
    assert "No run matches" in text(auditor.get("/runs/?state=failed"))


# --- audit log, help ----------------------------------------------------------------------------


def test_the_audit_log_is_searched_and_taken_away(auditor: Any, people: dict[str, Any]) -> None:
    from portal import audit
    from portal.models import AuditEntry

    old = timezone.now() - timedelta(days=40)
    audit.record(audit.Action.EXPORTED, actor=people["Auditor"], name="=cmd|' /C calc'!A0", at=old)
    audit.record(audit.Action.SIGN_IN, actor=people["Administrator"], name="somebody")

    def count(query: str) -> int:
        return len(re.findall(r'<th scope="row"', auditor.get(f"/audit/{query}").content.decode()))

    everything = AuditEntry.objects.count()
    assert count("") == everything
    assert count("?q=CMD") == 1
    assert count("?action=exported") == 1
    assert count("?person=administrator&action=sign-in") == 1
    assert count(f"?to={old:%Y-%m-%d}") == 1
    assert count(f"?from={old + timedelta(days=1):%Y-%m-%d}") == everything - 1
    assert count("?from=nonsense&to=9999-12-31&page=x") == everything
    answer = auditor.get(f"/audit/export.csv?to={old:%Y-%m-%d}")
    found = rows(answer)
    assert answer.headers["X-Row-Count"] == "1" == str(len(found) - 1)
    assert found[1][6] == "'=cmd|' /C calc'!A0"
    assert AuditEntry.objects.order_by("-pk")[0].action == "exported"


def test_help_explains_every_code(auditor: Any) -> None:
    said = text(auditor.get("/help/?q=token-rejected"))
    assert "Segment rejects the token" in said
    assert "1 code " in said
    page = text(auditor.get("/help/token-rejected/"))
    for word in ("Cause", "What to do", "Who acts"):
        assert word in page
    assert "No code matches" in text(auditor.get("/help/?q=nonsense"))


# --- as many questions for much as for little ---------------------------------------------------


def asked(client: Any, url: str) -> int:
    client.get(url)  # what is asked once in a process, such as content types, is not counted
    with CaptureQueriesContext(database) as queries:
        assert client.get(url).status_code == 200
    return len(queries)


def test_reports_ask_the_same_of_a_large_workspace_as_of_a_small_one(
    auditor: Any, read: World, at: str, django_db_blocker: Any
) -> None:
    from connectors import connections

    paths = ["/", "/snapshots/1/", *(f"/reports/{name}/?as_of=1" for name in REPORTS)]
    paths += ["/reports/people/?as_of=1&table=rights", "/reports/people/?as_of=1&q=a&sort=-name&f-groups=x"]
    small = [asked(auditor, at + path) for path in paths]
    connections.disconnect(read.connection, by=None, now=timezone.now())  # both simulators know the same token
    with world(django_db_blocker, size="medium") as large:
        assert large.sync().state == "published"
        assert large.sync(("users",)).state == "published"
        there = f"/workspaces/{large.workspace.pk}"
        assert [asked(auditor, there + path) for path in paths] == small
        assert max(small) < 40


def test_lists_ask_the_same_of_many_workspaces_as_of_one(auditor: Any, read: World) -> None:
    from connectors.models import Connection, RunState, SyncRun, Workspace
    from portal import audit

    urls = ["/", "/workspaces/", "/reports/", "/runs/", "/artifacts/", "/audit/", "/help/"]
    few = [asked(auditor, url) for url in urls]
    now = timezone.now()
    for number in range(12):
        workspace = Workspace.objects.create(connector="segment", remote_id=f"w{number}", slug="w", name=f"W {number}")
        answered = {"token_fingerprint": f"print {number}", "token_used_at": now}
        connection = Connection.objects.create(
            name=f"C {number}", connector="segment", workspace=workspace, state="active", created_at=now, **answered
        )
        SyncRun.objects.create(connection=connection, state=RunState.FAILED, queued_at=now, error_code="timeout")
        audit.record(audit.Action.SYNC_ENDED, actor=None, target=connection)
    assert [asked(auditor, url) for url in urls] == few
