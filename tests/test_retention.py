"""How long records are kept: what would go is what goes, the newest state stays whole, a hold stops it all."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from connectors import locker
from connectors.models import Blob, Change, Erased, Snapshot, SyncRun, Workspace
from evidence import erasures, reports, retention, verifying
from evidence.models import Retention
from evidence.retention import superseded
from evidence.tasks import retain
from portal import ledger
from portal.models import LedgerEntry, User
from portal.proving import Counted
from tests.worlds import World, world

pytestmark = pytest.mark.django_db
A, B, C = b"a", b"b", b"c"


@pytest.fixture(scope="module")
def read(django_db_setup: None, django_db_blocker: Any) -> Iterator[World]:
    """Three days of a small workspace."""
    with world(django_db_blocker, ("workspace", "data-flow", "people")) as made:
        for day in (0, 2, 5):
            made.simulator.settings.day = day
            assert made.sync().state == "published"
        yield made


def records(workspace: Workspace, seq: int) -> list[tuple[str, bytes]]:
    """Every record of a state that still has its bytes."""
    rows = locker.state(workspace.pk, seq).values_list("key", "sha256")
    there = {bytes(sha256) for sha256 in Blob.objects.exclude(body=b"").values_list("sha256", flat=True)}
    return [(key, bytes(sha256 or b"")) for key, sha256 in rows if bytes(sha256 or b"") in there]


def faults() -> set[str]:
    return {fault.invariant for fault in verifying.prove(Counted(), timezone.now()) if fault.grave}


@pytest.mark.parametrize(
    ("versions", "oldest", "gone"),
    [
        ([(1, A)], 3, []),
        ([(1, A), (2, B)], 1, []),
        ([(1, A), (2, B)], 2, [A]),
        ([(1, A), (2, B), (4, C)], 3, [A]),
        ([(1, A), (2, None)], 2, [A]),
        ([(1, A), (2, B), (3, A)], 3, [B]),
        ([(1, A), (2, B), (5, A)], 3, []),
        ([(1, A), (2, None), (3, B)], 3, [A]),
        ([(4, A), (5, B)], 3, []),
    ],
)
def test_only_what_no_kept_snapshot_uses_goes(
    versions: list[tuple[int, bytes | None]], oldest: int, gone: list[bytes]
) -> None:
    rows = [("s", "k", seq, address) for seq, address in versions]
    assert [address for _, address in superseded(rows, oldest)] == gone


def test_what_would_go_goes_and_all_that_is_kept_stays_whole(read: World, people: dict[str, User], client: Any) -> None:
    workspace, now = read.workspace, timezone.now()
    before = {seq: records(workspace, seq) for seq in (1, 2, 3)}
    retention.decide(workspace, "snapshots", "2", by=people["Administrator"], now=now)
    going = retention.would_go(retention.of(workspace), now)
    assert (going.oldest, going.head) == (2, 3)
    assert 0 < len(going.addresses) < len(before[1])
    assert retain(workspace.pk) == f"{len(going.addresses)} removed"
    assert (records(workspace, 2), records(workspace, 3)) == (before[2], before[3])
    assert len(records(workspace, 1)) == len(before[1]) - len(going.addresses)
    assert not faults()
    entry = LedgerEntry.objects.get(action="data removed by retention")
    assert ledger.detail_of(entry)["records"] == len(going.addresses)
    snapshot = Snapshot.objects.get(workspace=workspace, seq=1)
    assert f"removed by retention under ledger entry {entry.number}" in reports.erased(snapshot)[0]
    client.force_login(people["Auditor"])
    page = client.get(f"/workspaces/{workspace.pk}/snapshots/1/").content.decode()
    assert "removed by retention under ledger entry" in page
    assert retain(workspace.pk) == "0 removed"
    assert LedgerEntry.objects.filter(action="data removed by retention").count() == 1


def test_what_was_removed_comes_back_when_it_is_read_again(read: World, people: dict[str, User]) -> None:
    """The workspace goes back to what it was on the first day: the versions of that day are read anew."""
    workspace = read.workspace
    retention.decide(workspace, "snapshots", "1", by=people["Administrator"], now=timezone.now())
    assert retain(workspace.pk) != "0 removed"
    gone = {bytes(each) for each in Erased.objects.values_list("sha256", flat=True)}
    read.simulator.settings.day = 0
    assert read.sync().state == "published"
    read.simulator.settings.day = 5
    state = {bytes(each or b"") for each in locker.state(workspace.pk, 4).values_list("sha256", flat=True)}
    assert gone & state, "nothing came back, so this proves nothing"
    assert not Blob.objects.filter(pk__in=gone & state, body=b"").exists()
    assert len(records(read.workspace, 4)) == len(state)
    assert not faults()
    assert retention.would_go(retention.of(read.workspace), timezone.now()).addresses


def test_days_count_from_now_and_the_newest_always_stays(read: World) -> None:
    now = timezone.now()
    rule = retention.trial(read.workspace, "days", "7")
    assert retention.oldest_kept(rule, now) == 1
    assert retention.oldest_kept(rule, now + timedelta(days=8)) == 3
    going = retention.would_go(rule, now + timedelta(days=400))
    kept = {bytes(each or b"") for each in locker.state(read.workspace.pk, 3).values_list("sha256", flat=True)}
    assert going.addresses
    assert not kept & set(going.addresses)


def test_a_hold_stops_it_and_is_told_in_the_ledger(read: World, people: dict[str, User]) -> None:
    workspace, by, now = read.workspace, people["Administrator"], timezone.now()
    retention.decide(workspace, "snapshots", "1", by=by, now=now)
    retention.hold(workspace, "Case 7", by=by, now=now)
    assert retain(workspace.pk) == "0 removed"
    assert retention.start_due(now + timedelta(days=2)) == 0
    with pytest.raises(erasures.NotPossible) as refused:
        retention.request_run(workspace)
    assert refused.value.code == "retention-held"
    retention.lift(workspace, "Case 7 is over", by=by, now=now)
    with pytest.raises(erasures.NotPossible):
        retention.lift(workspace, "Again", by=by, now=now)
    assert retain(workspace.pk) != "0 removed"
    told = LedgerEntry.objects.filter(action="retention changed").order_by("number")
    assert [ledger.detail_of(entry).get("reason") for entry in told] == [None, "Case 7", "Case 7 is over"]


def test_a_hold_that_comes_on_the_way_stops_the_rest(read: World, people: dict[str, User], monkeypatch: Any) -> None:
    workspace, by, now = read.workspace, people["Administrator"], timezone.now()
    retention.decide(workspace, "snapshots", "1", by=by, now=now)
    going = retention.would_go(retention.of(workspace), now)
    entry = retention._list(retention.of(workspace), going, now)
    assert entry is not None
    ledger.seal_all(now)
    monkeypatch.setattr("connectors.locker.erasing.STEP", 1)
    answers = iter([True, False])
    assert locker.erase(entry, may=lambda: next(answers)) == 1
    assert not faults()  # an entry whose bytes are still there is no fault
    assert retain(workspace.pk) == f"{len(going.addresses) - 1} removed"
    assert not faults()


def test_nothing_goes_while_a_sync_is_under_way(read: World, people: dict[str, User]) -> None:
    from connectors import runs

    retention.decide(read.workspace, "snapshots", "1", by=people["Administrator"], now=timezone.now())
    run = runs.request(read.connection, trigger="test", now=timezone.now(), enqueue=False)
    assert retain(read.workspace.pk) == "0 removed"
    SyncRun.objects.filter(pk=run.pk).update(state="cancelled")
    assert retain(read.workspace.pk) != "0 removed"


def test_the_worker_looks_once_a_day(read: World, people: dict[str, User]) -> None:
    now = timezone.now()
    assert retention.start_due(now) == 0
    retention.decide(read.workspace, "days", "30", by=people["Administrator"], now=now)
    assert [retention.start_due(now + timedelta(hours=h)) for h in (0, 1, 23, 25)] == [1, 0, 0, 1]


@pytest.mark.parametrize(
    ("keep", "number"), [("days", "0"), ("days", ""), ("snapshots", "36501"), ("x", "3"), ("days", "²")]
)
def test_a_rule_needs_a_number(read: World, people: dict[str, User], keep: str, number: str) -> None:
    with pytest.raises(erasures.NotPossible) as refused:
        retention.decide(read.workspace, keep, number, by=people["Administrator"], now=timezone.now())
    assert refused.value.code == "retention-number"
    assert not Retention.objects.exists()


def test_the_pages_show_and_set_it(read: World, people: dict[str, User], client: Any) -> None:
    url, changes = f"/erasure/retention/{read.workspace.pk}/", Change.objects.count()
    client.force_login(people["Auditor"])
    assert "Everything" in client.get("/erasure/retention/").content.decode()
    page = client.get(url, {"keep": "snapshots", "number": "1"}).content.decode()
    assert "of records that only older snapshots use" in page
    assert "Set this rule" not in page
    assert client.post(url, {"keep": "all"}).status_code == 403
    client.force_login(people["Compliance manager"])
    page = client.get(url, {"keep": "snapshots", "number": "1"}).content.decode()
    assert "Set this rule" in page
    assert "csrfmiddlewaretoken" not in page.partition('<form method="get"')[2].partition("</form>")[0]
    assert client.post(url, {"keep": "days", "number": "x"}).status_code == 409
    assert client.post(f"{url}run/").status_code == 409
    assert client.post(url, {"keep": "days", "number": "90"}).status_code == 302
    assert "90 days" in client.get("/erasure/retention/").content.decode()
    assert client.post(f"{url}run/").status_code == 302
    assert client.post(f"{url}hold/", {"reason": ""}).status_code == 409
    assert client.post(f"{url}hold/", {"reason": "Case 7"}).status_code == 302
    assert "Case 7" in client.get(url).content.decode()
    assert client.post(f"{url}hold/", {"reason": "Over", "lift": ""}).status_code == 302
    assert (Change.objects.count(), Erased.objects.count()) == (changes, 0)
