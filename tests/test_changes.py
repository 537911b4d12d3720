"""Changes: between two snapshots, of one record, from snapshot to snapshot; what was not read is never removed."""

import csv
import io
import json
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from html import unescape
from typing import Any

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from connectors.segment.simulator import Fault
from connectors.segment.simulator.drift import DAY_ZERO
from evidence.keys import KeyConverter
from tests.clocks import Skipping

from .test_look import Page
from .worlds import World, world

pytestmark = pytest.mark.django_db
GROUPS = ("workspace", "data-flow", "tracking-plans", "on-the-way", "people", "audit-trail")
NOON = timedelta(hours=12)
BY = "By whom, inferred from the audit trail"


class Story(Skipping):
    """A clock that stands at noon of a day of the simulator's story, and goes on from there."""

    def __init__(self, day: int) -> None:
        super().__init__()
        self._ahead = DAY_ZERO + timedelta(days=day) + NOON - timezone.now()

    def now(self) -> datetime:
        return super().now() + self._ahead


def read_on(made: World, day: int) -> Any:
    from connectors import runs, sync

    made.simulator.settings.day = day
    asked = runs.request(made.connection, trigger="command", now=timezone.now(), enqueue=False)
    return sync.perform(asked.pk, clock=Story(day))


@pytest.fixture(scope="module")
def read(django_db_setup: None, django_db_blocker: Any) -> Iterator[World]:
    """Four snapshots: day 0, day 4, day 8 with the users denied, day 12."""
    with world(django_db_blocker, GROUPS, hostile=True) as made:
        assert read_on(made, 0).state == "published"
        assert read_on(made, 4).state == "published"
        made.simulator.faults.append(Fault("^/users", "status", status=403, times=None))
        assert read_on(made, 8).state == "partial"
        made.simulator.faults.clear()
        assert read_on(made, 12).state == "published"
        yield made


@pytest.fixture
def at(read: World) -> str:
    return f"/workspaces/{read.workspace.pk}"


@pytest.fixture
def auditor(client: Any, people: dict[str, Any]) -> Any:
    client.force_login(people["Auditor"])
    return client


def text(answer: Any) -> str:
    """What a person reads: without tags, with single blanks."""
    assert answer.status_code == 200, answer.status_code
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", answer.content.decode())))


def lines(answer: Any) -> list[str]:
    found = re.findall(r"<h2>(.*?)</h2>\s*<p class=\"q s\">", answer.content.decode(), re.S)
    return [re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", "", each))).strip() for each in found]


def rows(answer: Any) -> list[dict[str, str]]:
    body = b"".join(answer.streaming_content).decode()
    kept = [line for line in io.StringIO(body, newline="").readlines()]
    notes = sum(line.startswith(("#", '"#')) for line in kept)
    return list(csv.DictReader(io.StringIO("".join(kept[notes:]), newline="")))


def states(made: World, seq: int) -> dict[tuple[str, str], bytes]:
    from connectors import locker

    found = locker.state(made.workspace.pk, seq).values_list("stream", "key", "sha256")
    return {(stream, key): bytes(sha256 or b"") for stream, key, sha256 in found}


# --- which records differ -----------------------------------------------------------------------


@pytest.mark.parametrize(("older", "newer"), [(1, 2), (2, 4), (1, 4), (3, 3)])
def test_a_difference_is_what_the_two_states_differ_in(read: World, older: int, newer: int) -> None:
    from connectors import locker
    from evidence.comparison import addresses

    before, after = states(read, older), states(read, newer)
    expected = {
        (*each, before.get(each, b""), after.get(each, b""))
        for each in before.keys() | after.keys()
        if before.get(each) != after.get(each)
    }
    found = locker.real(locker.differences(read.workspace.pk, older, newer))
    assert {(row.stream, row.key, *addresses(row)) for row in found} == expected
    tally = locker.tally(locker.differences(read.workspace.pk, older, newer), "stream")
    for kind in (locker.ADDED, locker.CHANGED, locker.REMOVED):
        rows = locker.real(locker.differences(read.workspace.pk, older, newer), kind)
        assert rows.count() == sum(many for (_, of), many in tally.items() if of == kind)


def test_what_was_made_and_undone_between_the_two_is_no_difference(read: World) -> None:
    """The same records come back: a workspace that goes back to day 0 differs from day 0 only in its logs."""
    from connectors import locker

    read.simulator.settings.day = 0
    assert read_on(read, 0).state == "published"
    found = locker.tally(locker.differences(read.workspace.pk, 1, 5), "stream")
    assert {stream for stream, _ in found} <= {"audit_events"}
    assert locker.differences(read.workspace.pk, 1, 5).exclude(stream="audit_events").count() > 20


# --- the page -----------------------------------------------------------------------------------


def test_the_newest_two_are_compared_unless_others_are_named(auditor: Any, at: str) -> None:
    assert "snapshot 3 compared with 4" in text(auditor.get(f"{at}/changes/"))
    assert "snapshot 1 compared with 2" in text(auditor.get(f"{at}/changes/?to=2"))
    swapped = auditor.get(f"{at}/changes/?from=4&to=2")
    assert "snapshot 2 compared with 4" in text(swapped)
    assert "The same snapshot" in text(auditor.get(f"{at}/changes/?from=4&to=4"))
    for hostile in ("from=9", "to=x", "from=-1", "to=99999999999999999999", "from=%00"):
        assert auditor.get(f"{at}/changes/?{hostile}").status_code == 404


def test_a_slow_lanes_snapshot_is_compared_with_the_one_before_the_main_run(auditor: Any, read: World, at: str) -> None:
    """By itself it read next to nothing: against its neighbour nearly all would be unknown."""
    from connectors.models import SyncRun

    SyncRun.objects.filter(snapshot__seq=4).update(lane="slow")
    assert "snapshot 2 compared with 4" in text(auditor.get(f"{at}/changes/"))
    assert "snapshot 2 compared with 3" in text(auditor.get(f"{at}/changes/?to=3"))
    assert "snapshot 3 compared with 4" in text(auditor.get(f"{at}/changes/?from=3&to=4"))


def test_changes_are_sentences_with_their_fields(auditor: Any, at: str) -> None:
    answer = auditor.get(f"{at}/changes/?from=1&to=4&stream=tracking_plan_rules&kind=changed")
    said = lines(answer)
    assert said
    assert all(re.match(r"Rule .+ of .+: ", each) for each in said)
    assert any("property “" in each for each in said)
    page = answer.content.decode()
    assert "<del>" in page or "<ins>" in page
    assert auditor.get(f"{at}/changes/?from=1&to=4&stream=sources&kind=nonsense&page=x").status_code == 200


def test_filters_and_pages_come_to_the_same_as_the_whole(auditor: Any, at: str) -> None:
    from evidence.views import changes

    whole = rows(auditor.get(f"{at}/changes/export.csv?from=1&to=4"))
    shown: list[str] = []
    for page in range(1, -(-len(whole) // changes.LINES) + 1):
        shown += lines(auditor.get(f"{at}/changes/?from=1&to=4&page={page}"))
    assert len(shown) == len(whole) > changes.LINES
    assert {row["Stream"] for row in whole}.isdisjoint({"Audit trail"})
    for query, wanted in (
        ("kind=removed", [row for row in whole if row["Kind"] == "Removed"]),
        ("stream=users", [row for row in whole if row["Stream"] == "Users"]),
        ("field=name", [row for row in whole if "name" in row["Fields"].lower()]),
        ("q=rule+of", [row for row in whole if row["What happened"].startswith("Rule")]),
    ):
        found = rows(auditor.get(f"{at}/changes/export.csv?from=1&to=4&{query}"))
        assert wanted, query
        assert [row["Key"] for row in found] == [row["Key"] for row in wanted], query
        assert len(lines(auditor.get(f"{at}/changes/?from=1&to=4&{query}"))) == min(len(wanted), changes.LINES)
    logs = rows(auditor.get(f"{at}/changes/export.csv?from=1&to=4&logs=1"))
    assert len(logs) > len(whole)


def test_a_search_that_would_read_too_much_says_what_to_do(
    auditor: Any, at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from evidence import comparison
    from evidence.views import changes

    for module in (comparison, changes):
        monkeypatch.setattr(module, "MOST_READ", 3)
    url = f"{at}/changes/?from=1&to=4&q=a"
    assert "Too much to search through" in text(auditor.get(url))
    sent = auditor.get(url.replace("changes/", "changes/export.csv"))
    assert sent.headers["Location"] == f"{at}/changes/?from=1&to=4&q=a"


def test_what_is_only_written_differently_can_be_hidden(auditor: Any, read: World, at: str, settings: Any) -> None:
    """Another key for fingerprints: every record gets another address, and few mean something else."""
    settings.FINGERPRINT_KEY = "another-key-of-the-test-another-key-of-the-test"
    assert read_on(read, 12).state == "published"
    said = lines(auditor.get(f"{at}/changes/?stream=tracking_plans"))
    assert said
    assert all("is only written differently" in each for each in said)
    assert "No change matches" in text(auditor.get(f"{at}/changes/?stream=tracking_plans&plain=1"))


# --- unknown ------------------------------------------------------------------------------------


def test_what_was_not_read_is_unknown_and_never_removed(auditor: Any, at: str) -> None:
    answer = auditor.get(f"{at}/changes/?from=1&to=3&stream=users")
    said = text(answer)
    assert lines(answer) == []
    assert "Users cannot be compared: complete in 1, denied in 3. The token is not allowed to read this (403)" in said
    assert "User permissions: complete in 1, denied in 3" in said
    assert "Compare 1 with 2" in said  # what both have read whole
    assert not [row for row in rows(auditor.get(f"{at}/changes/export.csv?from=1&to=3")) if row["Stream"] == "Users"]
    assert "Users" in b"".join(auditor.get(f"{at}/changes/export.csv?from=1&to=3").streaming_content).decode()[:3000]


def test_a_stream_that_was_denied_before_has_nothing_new_afterwards(auditor: Any, at: str) -> None:
    said = text(auditor.get(f"{at}/changes/?from=3&to=4&stream=users"))
    assert "Users cannot be compared: denied in 3, complete in 4" in said
    assert "Compare 2 with 4" in said
    assert lines(auditor.get(f"{at}/changes/?from=2&to=4&stream=users"))


def test_a_part_that_was_denied_is_unknown_while_the_others_are_compared(auditor: Any, read: World, at: str) -> None:
    from connectors import locker
    from connectors.models import Snapshot

    plan = sorted(key for stream, key in states(read, 4) if stream == "tracking_plans")[0]
    read.simulator.faults.append(Fault(f"^/tracking-plans/{plan}/rules", "status", status=403, times=None))
    assert read_on(read, 30).state == "partial"
    header = locker.coverage_of(Snapshot.objects.get(workspace=read.workspace, seq=5))
    assert list(header["tracking_plan_rules"]["parts"]) == [plan]
    found = rows(auditor.get(f"{at}/changes/export.csv?from=1&to=5&stream=tracking_plan_rules"))
    assert found
    assert not [row for row in found if row["Key"].startswith(f"{plan}/")]
    assert [
        row for row in rows(auditor.get(f"{at}/changes/export.csv?from=1&to=4")) if row["Key"].startswith(f"{plan}/")
    ]
    assert "Tracking plan rules of" in text(auditor.get(f"{at}/changes/?from=1&to=5"))
    key = next(key for stream, key in states(read, 5) if stream == "tracking_plan_rules" and key.startswith(f"{plan}/"))
    other = next(key for _, key in states(read, 5) if "/TRACK/" in key and not key.startswith(f"{plan}/"))
    assert "Snapshot 5: The token is not allowed" in text(auditor.get(address(at, "tracking_plan_rules", key)))
    assert "Unknown at times" not in text(auditor.get(address(at, "tracking_plan_rules", other)))


# --- by whom ------------------------------------------------------------------------------------


def test_an_event_about_exactly_the_record_is_told_as_inferred(auditor: Any, read: World, at: str) -> None:
    from connectors import locker

    found = [row for row in rows(auditor.get(f"{at}/changes/export.csv?from=1&to=4")) if row[BY]]
    assert found
    events = [
        event for event in locker.records(read.workspace.pk, 4, "audit_events") if event["timestamp"] > "2026-10-01T18"
    ]
    for row in found:
        resource = row["Key"].partition("/")[0]
        fitting = [event for event in events if event["resourceId"] in (resource, *row["Key"].split("/"))]
        assert fitting, row
        if row[BY].startswith("probably by"):
            assert any(event.get("actorEmail", "token") in row[BY] or "token " in row[BY] for event in fitting)
    assert "(inferred from the audit trail)" in text(auditor.get(f"{at}/changes/?from=1&to=4&stream=sources"))


def test_nobody_is_named_where_the_trail_was_not_read(auditor: Any, read: World, at: str) -> None:
    read.simulator.faults.append(Fault("^/audit-events", "status", status=403, times=None))
    assert read_on(read, 20).state == "partial"
    answer = auditor.get(f"{at}/changes/?from=1&to=5")
    assert "Audit trail was not read completely in snapshot 5." in text(answer)
    assert "inferred from the audit trail" not in text(answer)


@pytest.mark.parametrize(
    ("events", "words"),
    [
        ([], ""),
        ([("2026-11-23T14:02:00Z", "mara@x")], "probably by mara@x, 23 Nov 2026, 14:02 UTC: Source Disabled"),
        ([("2026-11-23T14:02:00Z", "")], "probably by somebody unnamed, 23 Nov 2026, 14:02 UTC: Source Disabled"),
        ([("1", "a"), ("2", "a"), ("when", "a")], "one of 3 events by a, the last when"),
        (
            [("1", "a"), ("2026-11-23T14:02:00Z", "b")],
            "one of 2 events by 2 people or tokens, the last 23 Nov 2026, 14:02 UTC",
        ),
    ],
)
def test_several_events_are_never_one(events: list[tuple[str, str]], words: str) -> None:
    from connectors.spec import Event
    from evidence import trail

    assert trail.by([Event(at, "Source Disabled", who, "source", "s1") for at, who in events]) == words


# --- one record, and the timeline ---------------------------------------------------------------


def address(at: str, stream: str, key: str) -> str:
    return f"{at}/records/{stream}/{KeyConverter().to_url(key)}/"


def test_a_record_tells_its_history(auditor: Any, read: World, at: str) -> None:
    from connectors.models import Change

    users = Change.objects.filter(workspace=read.workspace, stream="users")
    gone = users.get(sha256=None, seq=2)
    said = text(auditor.get(address(at, "users", gone.key)))
    assert "Removed" in said
    assert "No snapshot before read it: it may be older" in said
    assert "was removed Snapshot 2" in said
    assert "First seen Snapshot 1" in said
    assert "Snapshot 3: The token is not allowed to read this (403)" in said
    come = users.exclude(sha256=None).filter(seq=2).first()
    assert come is not None
    assert "Snapshot 1 was the last that read it before, and it was not there" in text(
        auditor.get(address(at, "users", come.key))
    )


def test_every_change_leads_to_its_record(auditor: Any, read: World, at: str) -> None:
    for row in rows(auditor.get(f"{at}/changes/export.csv?from=1&to=4")):
        stream = next(s for (s, k) in {**states(read, 1), **states(read, 4)} if k == row["Key"] and row["Stream"])
        answer = auditor.get(address(at, stream, row["Key"]))
        assert answer.status_code == 200
    page = auditor.get(f"{at}/changes/?from=1&to=4").content.decode()
    assert all(auditor.get(url).status_code == 200 for url in set(re.findall(r'href="([^"]*/records/[^"]*)"', page)))
    for nothing in ("sources/nonsense", "nonsense/x", "sources/~2f"):
        assert auditor.get(f"{at}/records/{nothing}/").status_code == 404


def test_rows_of_reports_lead_to_their_records(auditor: Any, at: str) -> None:
    for report in (
        "sources",
        "destinations",
        "destinations/?table=warehouses",
        "tracking-plans",
        "on-the-way",
        "people",
    ):
        page = auditor.get(f"{at}/reports/{report}" + ("" if "?" in report else "/")).content.decode()
        found = re.findall(r'href="([^"]*/records/[^"]*)"', page)
        assert found, report
        for url in (found[0], found[-1]):
            assert "First seen" in text(auditor.get(url)), url


def test_bytes_that_are_gone_are_said_to_be_gone(auditor: Any, read: World, at: str) -> None:
    from connectors.models import Blob, Change
    from portal.canon import write_once_triggers

    rows = Change.objects.filter(workspace=read.workspace, stream="tracking_plan_rules", seq=2)
    row = rows.exclude(sha256=None)[0]
    assert "Unreadable" not in text(auditor.get(address(at, "tracking_plan_rules", row.key)))
    with database.cursor() as cursor:
        for _, drop in write_once_triggers(Blob._meta.db_table, database.vendor):
            cursor.execute(drop)
        cursor.execute("UPDATE connectors_blob SET body = %s WHERE sha256 = %s", [b"gone", row.sha256])
    assert "Unreadable" in text(auditor.get(address(at, "tracking_plan_rules", row.key)))
    answer = auditor.get(f"{at}/changes/?from=1&to=2&stream=tracking_plan_rules")
    assert "Unreadable" in text(answer)
    assert len([said for said in lines(answer) if "not all of it can be read any more" in said]) == 1


def test_the_timeline_counts_what_each_snapshot_changed(auditor: Any, read: World, at: str) -> None:
    answer = auditor.get(f"{at}/changes/timeline/")
    found = re.findall(r"<tr>.*?</tr>", answer.content.decode(), re.S)[1:]
    cells = [
        [re.sub(r"<[^>]+>", "", each).strip() for each in re.findall(r"<t[dh].*?</t[dh]>", row, re.S)] for row in found
    ]
    assert [row[1] for row in cells] == ["4", "3", "2", "1"]
    for row in cells[:-1]:
        seq = int(row[1])
        kinds = [0, 0, 0]
        for each in rows(auditor.get(f"{at}/changes/export.csv?from={seq - 1}&to={seq}")):
            kinds[["Added", "Changed", "Removed"].index(each["Kind"])] += 1
        assert [int(each) for each in row[2:5]] == kinds
    assert int(cells[0][5]) > 0  # 4 read again what 3 could not
    assert [row[5] for row in cells[1:3]] == ["–", "–"]
    assert cells[-1][2:5] == ["–", "–", "–"]
    assert int(cells[-1][5]) == len(states(read, 1))
    assert "In part" in text(answer)


def test_missed_times_stand_in_the_timeline(auditor: Any, read: World, at: str) -> None:
    from connectors.models import MissedRun

    when = DAY_ZERO + timedelta(days=6)
    MissedRun.objects.create(
        connection=read.connection, due_at=when, noticed_at=when, code="worker-down", explanation="Nobody was at work."
    )
    said = text(auditor.get(f"{at}/changes/timeline/"))
    assert said.index("9 Oct 2026") < said.index("Nobody was at work.") < said.index("5 Oct 2026")


def test_one_snapshot_is_nothing_to_compare(auditor: Any, read: World) -> None:
    from connectors.models import Workspace

    empty = Workspace.objects.create(connector="segment", remote_id="w9", slug="w", name="<b>")
    assert "No snapshot yet" in text(auditor.get(f"/workspaces/{empty.pk}/changes/"))
    assert "No snapshot yet" in text(auditor.get(f"/workspaces/{empty.pk}/changes/timeline/"))
    assert auditor.get(f"/workspaces/{empty.pk}/changes/export.csv").status_code == 404


# --- taking it away -----------------------------------------------------------------------------


def test_an_export_says_which_two_snapshots_and_what_is_unknown(auditor: Any, read: World, at: str) -> None:
    from connectors.models import Snapshot
    from portal.models import AuditEntry

    digests = Snapshot.objects.filter(workspace=read.workspace, seq__in=(1, 3)).values_list("header_sha256", flat=True)
    answer = auditor.get(f"{at}/changes/export.json?from=1&to=3&kind=changed")
    said = json.loads(answer.content)
    assert {fact["value"] for fact in said["facts"] if fact["name"].endswith("digest")} == set(digests)
    assert {"name": "Narrowed to", "value": "kind changed; without entries of logs"} in said["facts"]
    assert any(gap.startswith("Users: complete in 1, denied in 3. The token") for gap in said["completeness"]["gaps"])
    assert {row["kind"] for row in said["tables"][0]["rows"]} == {"Changed"}
    assert answer.content == auditor.get(f"{at}/changes/export.json?from=1&to=3&kind=changed").content
    entry = AuditEntry.objects.filter(action="exported").first()
    assert entry is not None
    assert (entry.detail["report"], entry.detail["snapshot"]) == ("changes-since-1", 3)
    assert auditor.get(f"{at}/changes/export.pdf?from=1&to=2").content.startswith(b"%PDF")
    assert auditor.get(f"{at}/changes/export.exe").status_code == 404


def test_nasty_names_stay_names(auditor: Any, at: str) -> None:
    page = auditor.get(f"{at}/changes/?from=1&to=4&q=destination").content.decode()
    assert "<script>alert" not in page
    for char in "\u202e\x07\x1b":
        assert char not in page


def test_the_pages_keep_a_strict_policy_and_can_be_read_without_eyes_or_mouse(
    auditor: Any, read: World, at: str
) -> None:
    key = next(key for stream, key in states(read, 4) if stream == "tracking_plan_rules")
    record = address(at, "tracking_plan_rules", key)
    for url in (f"{at}/changes/?from=1&to=4", f"{at}/changes/?q=<script>", record, f"{at}/changes/timeline/"):
        answer = auditor.get(url)
        page = Page(answer.content.decode())
        assert page.forbidden == [], url
        assert len(page.all("h1")) == 1, url
        assert page.unreadable() == [], url


def test_many_changes_ask_the_same_as_few(auditor: Any, at: str) -> None:
    def asked(url: str) -> int:
        with CaptureQueriesContext(database) as queries:
            assert auditor.get(url).status_code == 200
        return len(queries)

    asked(f"{at}/changes/")
    assert asked(f"{at}/changes/?from=1&to=4") <= asked(f"{at}/changes/?from=1&to=2&stream=users") + 2 <= 18
    assert asked(f"{at}/changes/timeline/") <= 18
