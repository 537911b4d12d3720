"""The way of the data, over real HTTP: what is read, what is published, and what happens when it goes wrong."""

import json
from typing import Any

import pytest
from django.utils import timezone

from connectors import connections, locker, registry, runs
from connectors import sync as driver
from connectors.models import Blob, Change, Connection, Receipt, RunState, RunStream, Snapshot, StagedRecord, SyncRun
from connectors.schedules import Plan
from connectors.segment.simulator import Fault
from connectors.spec import Coverage
from connectors.verification import Counted, verify
from tests.clocks import Acting, Skipping

pytestmark = pytest.mark.django_db
FEW = ("sources", "destinations")  # for what is not about all streams


def faults_of_the_chain() -> list[Any]:
    return [fault for fault in verify(Counted()) if fault.grave]


def coverage(run: SyncRun) -> dict[str, str]:
    return {name: entry["coverage"] for name, entry in locker.coverage_of(run.snapshot).items()}


def listed(simulator: Any, path: str, key: str) -> list[dict[str, Any]]:
    """The truth, as the simulator itself tells it."""
    import urllib.request

    asked = urllib.request.Request(
        f"{simulator.url}{path}?pagination[count]=1000",
        headers={"Authorization": f"Bearer {simulator.tokens['owner']}"},
    )
    with urllib.request.urlopen(asked) as answer:
        found: list[dict[str, Any]] = json.load(answer)["data"][key]
    return found


def test_a_clean_run_reads_every_stream_and_publishes_it(sync_now: Any, simulator: Any, connected: Connection) -> None:
    connected.groups = None  # the standard ones
    connected.save(update_fields=["groups"])
    run = sync_now()
    assert run.state == RunState.PUBLISHED
    streams = registry.get("segment").streams
    now = {stream.name for stream in streams if stream.group.standard and not stream.slow}
    assert {name for name, said in coverage(run).items() if said == "complete"} == now
    assert {said for name, said in coverage(run).items() if name not in now} == {"not_requested"}
    kept = list(locker.records(run.snapshot.workspace_id, 1, "sources"))
    truth = sorted(listed(simulator, "/sources", "sources"), key=lambda source: source["id"])
    assert [record["id"] for record in kept] == [source["id"] for source in truth]
    assert [record["name"] for record in kept] == [source["name"] for source in truth]
    assert not StagedRecord.objects.exists()
    assert not faults_of_the_chain()


def test_every_request_has_a_receipt_in_order(sync_now: Any, simulator: Any) -> None:
    asked_before = len(simulator.requests)
    run = sync_now()
    lines = list(Receipt.objects.filter(run=run).order_by("n"))
    assert [line.n for line in lines] == list(range(1, len(lines) + 1))
    assert len(lines) == len(simulator.requests) - asked_before
    assert sorted(line.path for line in lines) == sorted(entry.path for entry in simulator.requests[asked_before:])
    assert all(len(bytes(line.sha256)) == 32 and line.status == 200 for line in lines)


def test_an_unchanged_workspace_adds_a_header_and_no_record(sync_now: Any) -> None:
    sync_now()
    blobs, changes = Blob.objects.count(), Change.objects.count()
    second = sync_now()
    assert second.snapshot.seq == 2
    assert (Blob.objects.count(), Change.objects.count()) == (blobs, changes)
    assert not faults_of_the_chain()


def test_a_day_later_only_what_changed_is_written(sync_now: Any, simulator: Any) -> None:
    first = sync_now()
    simulator.settings.day = 1
    second = sync_now()
    workspace = second.snapshot.workspace_id
    changed = Change.objects.filter(workspace_id=workspace, seq=2)
    assert 0 < changed.count() < 30
    for name, key in (("sources", "sources"), ("destinations", "destinations"), ("users", "users")):
        truth = sorted(item["id"] for item in listed(simulator, f"/{name}", key))
        assert [record["id"] for record in locker.records(workspace, 2, name)] == truth
    before = {(row.stream, row.key): row.sha256 for row in locker.state(workspace, first.snapshot.seq)}
    after = {(row.stream, row.key): row.sha256 for row in locker.state(workspace, second.snapshot.seq)}
    said = {(row.stream, row.key): row.sha256 for row in changed}
    assert said == {key: after.get(key) for key in before.keys() | after.keys() if before.get(key) != after.get(key)}


@pytest.mark.parametrize(
    ("status", "stream", "expected"),
    [
        (401, "labels", Coverage.DENIED),
        (403, "labels", Coverage.DENIED),
        (404, "labels", Coverage.DENIED),
        (404, "groups", Coverage.NOT_ENABLED),
        (403, "roles", Coverage.DENIED),
    ],
)
def test_a_refused_stream_is_named_and_the_rest_goes_on(
    sync_now: Any, simulator: Any, status: int, stream: str, expected: Coverage
) -> None:
    simulator.faults.append(Fault(f"^/{stream}$", "status", times=None, status=status))
    run = sync_now((*FEW, stream))
    found = coverage(run)
    assert found[stream] == expected
    assert found["sources"] == found["destinations"] == "complete"
    row = RunStream.objects.get(run=run, stream=stream)
    assert row.status == status
    assert row.reason
    assert run.state == (RunState.PUBLISHED if expected is Coverage.NOT_ENABLED else RunState.PARTIAL)


def test_children_of_a_denied_stream_are_denied_too_not_empty(sync_now: Any, simulator: Any) -> None:
    simulator.faults.append(Fault("^/tracking-plans$", "status", times=None, status=403))
    found = coverage(sync_now())
    assert found["tracking_plan_rules"] == "denied"
    assert found["tracking_plan_sources"] == "complete", "asked from the side of the sources instead"


def test_what_was_known_stays_when_a_stream_is_refused_later(sync_now: Any, simulator: Any) -> None:
    first = sync_now(FEW)
    workspace = first.snapshot.workspace_id
    known = [record["id"] for record in locker.records(workspace, 1, "destinations")]
    simulator.faults.append(Fault("^/destinations$", "status", times=None, status=403))
    second = sync_now(FEW)
    entry = locker.coverage_of(second.snapshot)["destinations"]
    assert (entry["coverage"], entry["as_of"]) == ("denied", 1)
    assert [record["id"] for record in locker.records(workspace, 2, "destinations")] == known
    assert not Change.objects.filter(seq=2, stream="destinations").exists()
    assert not faults_of_the_chain()


@pytest.mark.parametrize(
    ("kind", "options", "expected"),
    [
        ("html", {}, "failed"),
        ("cut_json", {}, "failed"),
        ("data_missing", {}, "failed"),
        ("items_null", {}, "failed"),
        ("duplicate_key", {}, "failed"),
        ("nan", {}, "failed"),
        ("short_body", {}, "failed"),
        ("reset", {}, "failed"),
        ("duplicate_item", {}, "unstable"),
        ("lying_total", {}, "unstable"),
        ("cursor_loop", {}, "unstable"),
        ("cursor_cycle", {}, "unstable"),
        ("redirect", {"value": "http://127.0.0.1:9/"}, "failed"),
    ],
)
def test_a_broken_answer_is_never_taken_for_a_whole_one(
    sync_now: Any, simulator: Any, kind: str, options: dict[str, Any], expected: str
) -> None:
    simulator.settings.cap = 10  # so that the listing has pages
    simulator.faults.append(Fault("^/destinations$", kind, times=None, **options))
    run = sync_now(FEW)
    assert coverage(run)["destinations"] == expected
    assert coverage(run)["sources"] == "complete"
    assert not Change.objects.filter(stream="destinations").exists()
    assert not faults_of_the_chain()


@pytest.mark.parametrize("kind", ["html", "cut_json", "reset", "short_body"])
def test_an_answer_that_breaks_once_is_asked_for_again(sync_now: Any, simulator: Any, kind: str) -> None:
    simulator.faults.append(Fault("^/destinations$", kind, times=1))
    run = sync_now(FEW)
    assert run.state == RunState.PUBLISHED
    assert Receipt.objects.filter(run=run, path="/destinations", attempt=2).count() == 1


@pytest.mark.parametrize(
    ("status", "after"), [(429, "0"), (429, ""), (503, ""), (500, "Wed, 21 Oct 2015 07:28:00 GMT")]
)
def test_a_busy_service_is_asked_again(sync_now: Any, simulator: Any, status: int, after: str) -> None:
    simulator.faults.append(Fault("^/users$", "status", times=2, status=status, retry_after=after, value=10))
    assert sync_now(("users",)).state == RunState.PUBLISHED
    assert [entry.status for entry in simulator.requests if entry.path == "/users"][-3:] == [status, status, 200]


def test_unknown_fields_are_named_and_cost_nothing(sync_now: Any, simulator: Any) -> None:
    simulator.faults.append(Fault("^/sources$", "unknown_field", times=None))
    simulator.faults.append(Fault("^/destinations$", "new_enum", times=None, value="status"))
    run = sync_now(FEW)
    assert run.state == RunState.PUBLISHED
    assert RunStream.objects.get(run=run, stream="sources").changed_api["unknown"]


@pytest.mark.parametrize("after", [0, 3, 20, 40])
def test_a_token_that_is_revoked_ends_the_run_and_publishes_nothing(sync_now: Any, simulator: Any, after: int) -> None:
    simulator.faults.append(Fault("", "revoked", times=None, after=after))
    run = sync_now()
    assert (run.state, run.error_code) == (RunState.FAILED, "token-rejected")
    assert not Snapshot.objects.exists()
    assert not StagedRecord.objects.exists()
    assert Connection.objects.get().error_code == "token-rejected"


@pytest.mark.parametrize("after", [0, 1])
def test_another_workspace_behind_the_token_publishes_nothing(sync_now: Any, simulator: Any, after: int) -> None:
    simulator.faults.append(Fault("^/$", "other_workspace", times=None, after=after))
    run = sync_now()
    assert (run.state, run.error_code) == (RunState.FAILED, "wrong-workspace")
    assert not Snapshot.objects.exists()
    assert not Blob.objects.exists()


def test_nobody_answers(sync_now: Any, simulator: Any) -> None:
    simulator.close()
    run = sync_now()
    assert (run.state, run.error_code) == (RunState.FAILED, "unreachable")
    assert not Snapshot.objects.exists()


def test_a_failed_run_does_not_stop_the_next(sync_now: Any, simulator: Any) -> None:
    simulator.faults.append(Fault("", "revoked", times=None))
    sync_now(FEW)
    simulator.faults.clear()
    assert sync_now(FEW).state == RunState.PUBLISHED
    assert Connection.objects.get().error_code == ""


def test_a_second_run_is_refused_while_one_is_active(connected: Connection) -> None:
    first = runs.request(connected, trigger="test", now=timezone.now(), enqueue=False)
    with pytest.raises(runs.Refused) as refused:
        runs.request(connected, trigger="test", now=timezone.now(), enqueue=False)
    assert refused.value.run == first
    assert SyncRun.objects.count() == 1


def test_only_one_claims_a_run(connected: Connection) -> None:
    run = runs.request(connected, trigger="test", now=timezone.now(), enqueue=False)
    assert runs.claim(run.pk, timezone.now()) is not None
    assert runs.claim(run.pk, timezone.now()) is None


def test_a_run_that_loses_every_worker_is_abandoned_and_the_next_one_succeeds(
    sync_now: Any, connected: Connection
) -> None:
    now = timezone.now()
    run = runs.request(connected, trigger="test", now=now, enqueue=False)
    runs.claim(run.pk, now)
    locker.stage(run.pk, 1, "sources", locker.seal("w", "sources", "p", [("k", {"id": "k"})]))
    for lost in range(runs.MOST_LOST):
        assert runs.recover(now + runs.LOST_AFTER) == []
        assert runs.recover(now + runs.LOST_AFTER * 2) == [run.pk]
        run.refresh_from_db()
        assert (run.state, run.lost) == (RunState.QUEUED, lost + 1)
        runs.claim(run.pk, now)
    assert runs.recover(now + runs.LOST_AFTER * 2) == [run.pk]
    run.refresh_from_db()
    assert (run.state, run.error_code) == (RunState.ABANDONED, "worker-lost")
    assert not StagedRecord.objects.exists()
    assert sync_now(FEW).state == RunState.PUBLISHED


def test_a_run_that_was_taken_away_stops_and_publishes_nothing(
    sync_now: Any, simulator: Any, connected: Connection
) -> None:
    run = runs.request(connected, trigger="test", now=timezone.now(), enqueue=False)

    begun = lambda: SyncRun.objects.get(pk=run.pk).records > 0  # noqa: E731
    cancel = lambda: runs.cancel(SyncRun.objects.get(pk=run.pk), None, timezone.now())  # noqa: E731
    clock = Acting(begun, cancel, skip=True)
    ended = driver.perform(run.pk, clock=clock)
    assert clock.seconds is not None
    assert ended.state == RunState.CANCELLED
    assert not Snapshot.objects.exists()
    assert not StagedRecord.objects.exists()


def test_disconnecting_in_mid_run_ends_it(simulator: Any, connected: Connection) -> None:
    run = runs.request(connected, trigger="test", now=timezone.now(), enqueue=False)
    connections.disconnect(connected, by=None, now=timezone.now())
    assert driver.perform(run.pk).state == RunState.CANCELLED
    assert Connection.objects.only("token").get().token.opened() == ""


def test_only_the_streams_asked_for_are_read(sync_now: Any) -> None:
    run = sync_now(("tracking_plan_rules",))
    found = coverage(run)
    assert {name for name, said in found.items() if said == "complete"} == {"tracking_plans", "tracking_plan_rules"}
    assert set(found.values()) == {"complete", "not_requested"}


def test_permissions_in_the_listing_save_the_requests_and_say_the_same(sync_now: Any, simulator: Any) -> None:
    first = sync_now()
    simulator.settings.user_permissions = True
    asked_before = len(simulator.requests)
    second = sync_now()
    assert not [entry for entry in simulator.requests[asked_before:] if entry.path.startswith("/users/")]
    assert not Change.objects.filter(seq=second.snapshot.seq).exists()
    assert first.snapshot.seq + 1 == second.snapshot.seq


def test_the_member_token_sees_less_and_no_denied_stream_is_empty(
    simulator: Any, region: str, db: None, settings: Any
) -> None:
    now = timezone.now()
    connection = connections.draft(registry.get("segment"), by=None, now=now)
    connections.set_credential(
        connection, name="M", region=region, token=simulator.tokens["member"], role="member", now=now
    )
    found = connections.check(connection, by=None, now=now)
    assert found.streams["users"].verdict == "denied"
    connections.activate(connection, plan=Plan("manual"), by=None, now=now)
    run = runs.request(connection, trigger="test", now=now, enqueue=False)
    ended = driver.perform(run.pk, clock=Skipping())
    assert ended.state == RunState.PARTIAL
    assert coverage(ended)["users"] == coverage(ended)["user_permissions"] == "denied"


def test_hostile_names_are_kept_whole(sync_now: Any, simulator: Any) -> None:
    simulator.settings.hostile = True
    run = sync_now(FEW)
    assert run.state == RunState.PUBLISHED
    names = [record.get("name") for record in locker.records(run.snapshot.workspace_id, 1, "destinations")]
    truth = sorted(listed(simulator, "/destinations", "destinations"), key=lambda item: item["id"])
    assert names == [item.get("name") for item in truth]
    assert any(len(name or "") > 5000 for name in names)


def test_a_log_that_does_not_reach_back_is_published_with_the_gap_named(
    sync_now: Any, simulator: Any, connected: Connection
) -> None:
    from connectors.models import Anomaly

    connected.groups = ["audit-trail"]
    connected.save(update_fields=["groups"])
    first = sync_now()
    simulator.settings.day = 30
    assert sync_now().state == RunState.PUBLISHED
    assert not Anomaly.objects.exists(), "what the service keeps for 90 days reaches back 30"
    simulator.settings.day = 200
    third = sync_now()
    assert locker.coverage_of(third.snapshot)["audit_events"]["anomaly"] == "gap"
    assert Anomaly.objects.get().kind == "gap"
    known = {record["id"] for record in locker.records(first.snapshot.workspace_id, 1, "audit_events")}
    kept = {record["id"] for record in locker.records(first.snapshot.workspace_id, 3, "audit_events")}
    assert known < kept, "what the service has forgotten stays known"
    assert not faults_of_the_chain()
