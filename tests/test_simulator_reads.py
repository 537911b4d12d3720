"""What stands in the answers beside the large listings: code, audiences, syncs, audit trail, and their secrets."""

import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from connectors.segment.simulator import Simulator, serve
from connectors.segment.simulator.functions import NAMES
from tests.simulating import ask, items

Json = Any
SPAN = {"startTime": "2026-09-25", "endTime": "2026-10-02", "granularity": "DAY"}
DAY_ZERO = datetime(2026, 10, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def running() -> Iterator[Simulator]:
    with serve() as simulator:
        yield simulator


@pytest.fixture
def simulator(running: Simulator) -> Simulator:
    running.requests.clear()
    running.settings.day = 0
    return running


def data(simulator: Simulator, path: str, **params: str) -> Json:
    answer = ask(simulator, path, params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


def status(simulator: Simulator, path: str, token: str = "owner", **params: str) -> int:
    return ask(simulator, path, token, params).status_code


def functions(simulator: Simulator) -> list[Json]:
    listed = [
        one for kind in NAMES for one in items(simulator, "/functions", "functions", params={"resourceType": kind})
    ]
    found = [data(simulator, f"/functions/{one['id']}")["function"] for one in listed]
    assert [{name: full[name] for name in one} for one, full in zip(listed, found, strict=True)] == listed
    return found


# --- functions ---------------------------------------------------------------------------------------


def test_functions_show_their_code_and_what_is_hidden_in_it(simulator: Simulator) -> None:
    found = functions(simulator)
    assert len(found) == 7
    for function in found:
        assert function["code"].count("\n") > 10
        assert [secret for secret in simulator.secrets if secret in function["code"]]
        assert function["previewWebhookUrl"] in simulator.secrets
        assert {"name", "label", "description", "type", "required", "sensitive"} == set(function["settings"][0])
        assert function["settings"][0]["sensitive"] is True
    assert [one["displayName"] for one in found if one["deployedAt"] is None] == ["Weather feed"]
    assert status(simulator, "/functions/unknown") == 404


def test_somebody_changes_a_function_now_and_then(simulator: Simulator) -> None:
    revisions = []
    for day in range(17):
        simulator.settings.day = day
        revisions.append([(one["code"], one["deployedAt"]) for one in functions(simulator)])
    assert all(len({code for code, _ in each}) == 2 for each in zip(*revisions, strict=True))
    changed = [sum(old != new for old, new in zip(*pair, strict=True)) for pair in pairwise(revisions)]
    assert max(changed) == 1


def test_insert_functions_say_where_they_run(simulator: Simulator) -> None:
    world = simulator.api.world()
    hosts = {"INSERT_SOURCE": world.numbers("sources"), "INSERT_DESTINATION": world.numbers("destinations")}
    seen = 0
    for function in functions(simulator):
        found = items(simulator, "/insert-function-instances", "instances", params={"functionId": function["id"]})
        assert bool(found) is function["resourceType"].startswith("INSERT_")
        for instance in found:
            seen += 1
            assert instance["classId"] == function["id"]
            assert instance["integrationId"] in hosts[function["resourceType"]]
            assert {instance["settings"]["apiToken"], *instance["encryptedSettings"].values()} <= simulator.secrets
    assert seen == 4
    assert status(simulator, "/insert-function-instances") == 422
    assert status(simulator, "/insert-function-instances", functionId="") == 422
    assert status(simulator, "/insert-function-instances", functionId="unknown") == 404


# --- spaces ------------------------------------------------------------------------------------------


def test_a_page_of_audiences_has_200_at_most() -> None:
    with serve(size="medium") as simulator:
        space = items(simulator, "/spaces", "spaces")[0]["id"]
        path = f"/spaces/{space}/audiences"
        assert [status(simulator, path, **{"pagination[count]": count}) for count in ("200", "201")] == [200, 422]
        assert len(items(simulator, path, "audiences")) == 22
        assert len(items(simulator, f"/spaces/{space}/computed-traits", "computedTraits")) == 14
        assert status(simulator, f"/spaces/{space}/computed-traits", **{"pagination[count]": "1000"}) == 200


def test_audiences_can_be_searched_and_carry_schedules_on_request(simulator: Simulator) -> None:
    path = f"/spaces/{items(simulator, '/spaces', 'spaces')[0]['id']}/audiences"
    found = items(simulator, path, "audiences")
    assert not [one for one in found if "schedules" in one]
    scheduled = items(simulator, path, "audiences", params={"include": "schedules"})
    assert {bool(one["schedules"]) for one in scheduled} == {True, False}
    assert [{**one, "schedules": 0} for one in scheduled] == [{**one, "schedules": 0} for one in found]
    word = found[0]["name"].split()[0].upper()
    assert items(simulator, path, "audiences", params={"search": word})[0] == found[0]
    assert not items(simulator, path, "audiences", params={"search": "nothing like it"})
    assert status(simulator, path, include="everything") == 422
    simulator.settings.day = 3
    later = items(simulator, path, "audiences")
    assert all(new["size"]["count"] > old["size"]["count"] for old, new in zip(found, later, strict=True))
    assert [{**one, "size": 0} for one in later] == [{**one, "size": 0} for one in found]


def test_what_has_an_effect_is_told_apart(simulator: Simulator) -> None:
    space = items(simulator, "/spaces", "spaces")[0]["id"]
    warehouse = items(simulator, "/warehouses", "warehouses")[0]["id"]
    for path in (f"/spaces/{space}/audiences", f"/warehouses/{warehouse}/syncs", "/nowhere", "/"):
        ask(simulator, path)
    assert simulator.effects == []
    asked = [f"/spaces/{space}/profiles-warehouses", f"/warehouses/{warehouse}/connection-state"]
    assert data(simulator, asked[0])["profilesWarehouses"][0]["id"] == warehouse
    assert data(simulator, asked[1]) == {"connectionState": "CONNECTED"}
    assert [request.path for request in simulator.effects] == asked


# --- warehouses --------------------------------------------------------------------------------------


def syncs(simulator: Simulator, warehouse: str) -> list[Json]:
    return items(simulator, f"/warehouses/{warehouse}/syncs", "reports")


def test_syncs_come_newest_first_and_reach_back_thirty_days(simulator: Simulator) -> None:
    for warehouse in items(simulator, "/warehouses", "warehouses"):
        connected = items(simulator, f"/warehouses/{warehouse['id']}/connected-sources", "sources")
        found = syncs(simulator, warehouse["id"])
        starts = [report["start"] for report in found]
        assert starts == sorted(starts, reverse=True)
        assert Counter(report["sourceId"] for report in found) == {one["id"]: 90 for one in connected}
        assert {start[:10] for start in starts} == {
            (DAY_ZERO - timedelta(days=back)).date().isoformat() for back in range(30)
        }
        running = [report for report in found if report["status"] == "RUNNING"]
        assert [report["end"] for report in running] == [None] * len(running)
        assert len(running) == (warehouse["settings"]["name"] == "Analytics warehouse")


def test_a_sync_that_is_over_never_changes(simulator: Simulator) -> None:
    warehouse = items(simulator, "/warehouses", "warehouses")[0]["id"]
    before = {(report["sourceId"], report["start"]): report for report in syncs(simulator, warehouse)}
    simulator.settings.day = 4
    after = {(report["sourceId"], report["start"]): report for report in syncs(simulator, warehouse)}
    assert len(before) == len(after) == 12 * 90
    kept = before.keys() & after.keys()
    assert len(kept) == 12 * 3 * 26
    assert [before[key]["status"] for key in kept if before[key] != after[key]] == ["RUNNING"]


def test_failed_syncs_complain_and_give_a_password_away(simulator: Simulator) -> None:
    for warehouse in items(simulator, "/warehouses", "warehouses"):
        failed = [report for report in syncs(simulator, warehouse["id"]) if report["status"] == "FAILED"]
        assert failed
        for report in failed:
            [notice] = report["notices"]
            assert [secret for secret in simulator.secrets if secret in notice["message"]]
    last = items(simulator, f"/warehouses/{warehouse['id']}/connected-sources", "sources")[-1]
    one = items(simulator, f"/warehouses/{warehouse['id']}/connected-sources/{last['id']}/syncs", "reports")
    assert [report["status"] for report in one[:18]] == ["FAILED"] * 18, "one has been stuck for days"


def test_a_warehouse_and_a_source_must_belong_together(simulator: Simulator) -> None:
    world = simulator.api.world()
    first, second = (warehouse["id"] for warehouse in world.warehouses)
    connected = {one["id"] for one in world.warehouse_sources(1)}
    outside = next(source["id"] for source in world.sources if source["id"] not in connected)
    inside = world.warehouse_sources(1)[0]["id"]
    for below, key in (("syncs", "reports"), ("selective-syncs", "items")):
        assert {item["sourceId"] for item in items(simulator, path(second, inside, below), key)} == {inside}
        for wrong in (path(second, outside, below), path("unknown", inside, below), path(second, "unknown", below)):
            assert status(simulator, wrong) == 404
    assert items(simulator, path(first, inside, "syncs"), "reports") == [
        report for report in syncs(simulator, first) if report["sourceId"] == inside
    ]
    chosen = items(simulator, path(second, inside, "selective-syncs"), "items")
    assert {item["warehouseId"] for item in chosen} == {second}
    assert len({item["collection"] for item in chosen}) == len(chosen) == 5


def path(warehouse: str, source: str, below: str) -> str:
    return f"/warehouses/{warehouse}/connected-sources/{source}/{below}"


def test_a_member_sees_no_sync_of_a_source_that_is_kept_from_it(simulator: Simulator) -> None:
    world = simulator.api.world()
    warehouse = world.warehouses[0]["id"]
    seen = {source["id"] for source in items(simulator, "/sources", "sources", "member")}
    found = items(simulator, f"/warehouses/{warehouse}/syncs", "reports", "member")
    assert {report["sourceId"] for report in found} == {one["id"] for one in world.warehouse_sources(0)} & seen
    hidden = next(one["id"] for one in world.warehouse_sources(0) if one["id"] not in seen)
    assert status(simulator, path(warehouse, hidden, "selective-syncs"), "member") == 403


def test_the_schedule_of_a_warehouse(simulator: Simulator) -> None:
    plans = [
        data(simulator, f"/warehouses/{one['id']}/advanced-sync-schedule") for one in simulator.api.world().warehouses
    ]
    assert [plan["enabled"] for plan in plans] == [True, False]
    assert [time["hourOfDay"] for time in plans[0]["schedule"]["times"] if time["enabled"]] == [2, 10, 18]


# --- what is kept, and what must not be --------------------------------------------------------------


@pytest.mark.parametrize("day", [0, 30, 200])
@pytest.mark.parametrize(("listing", "key", "time"), [
    ("/audit-events", "events", "timestamp"), ("/regulations", "regulations", "createdAt"),
])  # fmt: skip
def test_retention_is_ninety_days(simulator: Simulator, day: int, listing: str, key: str, time: str) -> None:
    simulator.settings.day = day
    times = [datetime.fromisoformat(item[time]) for item in items(simulator, listing, key)]
    today = DAY_ZERO + timedelta(days=day)
    assert times == sorted(times, reverse=True) or key == "regulations"
    assert max(times) >= today - timedelta(days=3)
    assert max(times) < today + timedelta(days=1)
    assert today - timedelta(days=89) <= min(times) < today - timedelta(days=86)


def test_audit_events_lie_between_two_times(simulator: Simulator) -> None:
    every = items(simulator, "/audit-events", "events")
    start, end = every[50]["timestamp"], every[20]["timestamp"]
    for spelling in (str, lambda text: text.replace(".000Z", "Z"), lambda text: text.replace(".000Z", "+00:00")):
        span = {"startTime": spelling(start), "endTime": spelling(end)}
        assert items(simulator, "/audit-events", "events", params=span) == every[21:51], "the end is not in it"
    assert status(simulator, "/audit-events", startTime="last week") == 422


def test_what_must_not_be_kept_is_declared(simulator: Simulator) -> None:
    """Each place where a body holds a secret, and that `secrets` has what stands there."""
    world = simulator.api.world()
    wire = [one for entry in items(simulator, "/regulations", "regulations") for one in entry["subjects"]]
    wire += [one for entry in items(simulator, "/suppressions", "suppressed") for one in entry["subjectIds"]]
    wire += [entry["settings"]["passphrase"] for entry in items(simulator, "/credentials", "credentials")]
    wire += [function["previewWebhookUrl"] for function in functions(simulator)]
    space = world.spaces[0]["id"]
    [profiles] = items(simulator, f"/spaces/{space}/profiles-warehouses", "profilesWarehouses")
    wire += [value for name, value in profiles["settings"].items() if "ecret" in name]
    assert len(wire) == 60
    assert set(wire) <= simulator.secrets
    assert all(len(secret) > 10 for secret in simulator.secrets)


def test_a_day_is_served_alike_by_every_simulator(simulator: Simulator) -> None:
    world = simulator.api.world()
    space, warehouse = world.spaces[0]["id"], world.warehouses[0]["id"]
    source = world.warehouse_sources(0)[0]["id"]
    asked = [
        (f"/functions/{world.functions[5]['id']}", {}),
        ("/insert-function-instances", {"functionId": world.functions[5]["id"]}),
        (f"/spaces/{space}/audiences", {}),
        (f"/spaces/{space}/computed-traits", {}),
        (f"/warehouses/{warehouse}/syncs", {}),
        (path(warehouse, source, "selective-syncs"), {}),
        ("/usage/mtu/sources/daily", {"period": "2026-10-01"}),
        ("/delivery-overview/failed-on-ingest", {**SPAN, "sourceId": source}),
    ]
    with serve(day=5) as other:
        simulator.settings.day = 5
        for where, params in asked:
            bodies = [ask(one, where, params=params).text for one in (simulator, other)]
            assert bodies[0] == bodies[1]
            assert json.loads(bodies[0])["data"]
