"""How much goes through the workspace, and what became of it: the numbers add up and stay."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from connectors.segment.simulator import Simulator, serve
from connectors.segment.simulator.delivery import AT_DESTINATION, AT_SOURCE
from tests.simulating import ask, items

Json = Any
DAY_ZERO = datetime(2026, 10, 1, tzinfo=UTC)
WEEK = {"startTime": "2026-09-25T00:00:00Z", "endTime": "2026-10-02T00:00:00Z", "granularity": "DAY"}


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


# --- usage -------------------------------------------------------------------------------------------

USAGE = {
    "api-calls": "dailyWorkspaceAPICallsUsage",
    "mtu": "dailyWorkspaceMTUUsage",
    "api-calls/sources": "dailyPerSourceAPICallsUsage",
    "mtu/sources": "dailyPerSourceMTUUsage",
}


def usage(simulator: Simulator, kind: str, period: str = "2026-10-01") -> list[Json]:
    return items(simulator, f"/usage/{kind}/daily", USAGE[kind], params={"period": period})


@pytest.mark.parametrize("kind", USAGE)
def test_usage_has_an_entry_for_each_day_up_to_today(simulator: Simulator, kind: str) -> None:
    each = 20 if "sources" in kind else 1
    for day, period, days in (
        (0, "2026-10-01", 1), (30, "2026-10-01", 31), (33, "2026-11-01", 3), (33, "2026-10-01", 31),
        (0, "2026-09-01", 30), (0, "2026-11-01", 0), (0, "2020-01-01", 0),
    ):  # fmt: skip
        simulator.settings.day = day
        found = usage(simulator, kind, period)
        assert len(found) == days * each, (day, period)
        assert len({entry["timestamp"] for entry in found}) == days
        assert all(entry["timestamp"].startswith(period[:8]) for entry in found)
        counts = [entry[name] for entry in found for name in entry.keys() & {"apiCalls", "identified", "anonymous"}]
        assert all(isinstance(count, str) and count == str(int(count)) for count in counts)


@pytest.mark.parametrize(
    "period", ["", "2026-10", "2026-10-02", "2026-13-01", "20261001", "last month", "2026-10-01T00"]
)
def test_a_period_is_the_first_day_of_a_month(simulator: Simulator, period: str) -> None:
    for kind in USAGE:
        assert status(simulator, f"/usage/{kind}/daily", period=period) == 422
        assert status(simulator, f"/usage/{kind}/daily") == 422


def test_counts_grow_within_a_month_and_sources_add_up(simulator: Simulator) -> None:
    simulator.settings.day = 12
    whole = {entry["timestamp"]: int(entry["apiCalls"]) for entry in usage(simulator, "api-calls")}
    assert list(whole.values()) == sorted(set(whole.values()))
    parts: Counter[str] = Counter()
    for entry in usage(simulator, "api-calls/sources"):
        parts[entry["timestamp"]] += int(entry["apiCalls"])
    assert parts == whole
    simulator.settings.day = 13
    assert usage(simulator, "api-calls")[:13] == [
        {"apiCalls": str(count), "timestamp": day} for day, count in whole.items()
    ], "a day that is over does not change"
    users = usage(simulator, "mtu")[0]
    period = [datetime.fromtimestamp(users[name], UTC) for name in ("periodStart", "periodEnd")]
    assert period == [DAY_ZERO, datetime(2026, 11, 1, tzinfo=UTC)]


# --- delivery ----------------------------------------------------------------------------------------


def delivered(simulator: Simulator, stage: str, **params: str) -> Json:
    asked = {**WEEK, "sourceId": simulator.api.world().sources[0]["id"], **params}
    found = data(simulator, f"/delivery-overview/{stage}", **asked)
    assert found["total"] == sum(entry["total"] for entry in found["dataset"])
    for entry in found["dataset"]:
        assert entry["total"] == sum(point["count"] for point in entry["series"])
    return found


def test_what_is_sent_is_received_delivered_filtered_or_lost(simulator: Simulator) -> None:
    world = simulator.api.world()
    at_source = {stage: delivered(simulator, stage)["total"] for stage in AT_SOURCE}
    september, october = (usage(simulator, "api-calls/sources", f"2026-{month}-01") for month in ("09", "10"))
    mine = [int(entry["apiCalls"]) for entry in september if entry["sourceId"] == world.sources[0]["id"]]
    today = next(int(entry["apiCalls"]) for entry in october if entry["sourceId"] == world.sources[0]["id"])
    assert sum(at_source.values()) == mine[-1] - mine[23] + today
    for destination in (one for one in world.destinations if one["sourceId"] == world.sources[0]["id"]):
        stages = {
            stage: delivered(simulator, stage, destinationConfigId=destination["id"])["total"]
            for stage in AT_DESTINATION
        }
        assert sum(stages.values()) == (at_source["successfully-received"] if destination["enabled"] else 0)
        filters = items(simulator, f"/destination/{destination['id']}/filters", "filters")
        assert bool(stages["filtered-at-destination"]) is bool(filters)


def test_steps_of_any_length_add_up(simulator: Simulator) -> None:
    day = {"startTime": "2026-10-01", "endTime": "2026-10-02"}
    whole, hours = (delivered(simulator, AT_SOURCE[0], **day, granularity=step) for step in ("DAY", "HOUR"))
    assert [len(found["dataset"][0]["series"]) for found in (whole, hours)] == [1, 24]
    assert whole["total"] == hours["total"] > 0
    hour = {"startTime": "2026-10-01T07:00:00.000Z", "endTime": "2026-10-01T10:00:00+02:00", "granularity": "MINUTE"}
    minutes = delivered(simulator, AT_SOURCE[0], **hour)["dataset"][0]["series"]
    assert [minutes[0]["time"], minutes[-1]["time"]] == ["2026-10-01T07:00:00.000Z", "2026-10-01T07:59:00.000Z"]
    assert sum(point["count"] for point in minutes) == hours["dataset"][0]["series"][7]["count"]


def test_nothing_has_happened_after_today(simulator: Simulator) -> None:
    found = delivered(simulator, AT_SOURCE[0], endTime="2026-10-08T00:00:00Z")
    assert found["dataset"][0]["series"][-1]["time"] == "2026-10-01T00:00:00.000Z"
    late = delivered(simulator, AT_SOURCE[0], startTime="2026-10-20", endTime="2026-10-30")
    assert (late["total"], late["dataset"][0]["series"]) == (0, [])


def test_groups_share_the_whole(simulator: Simulator) -> None:
    whole = delivered(simulator, AT_SOURCE[0])
    parts = delivered(simulator, AT_SOURCE[0], groupBy="eventName,eventType")
    assert len({(one["eventName"], one["eventType"]) for one in parts["dataset"]}) == len(parts["dataset"]) == 9
    assert parts["total"] == whole["total"]
    source = simulator.api.world().sources[0]["id"]
    asked = {**WEEK, "sourceId": source, "groupBy": "eventName,eventType"}
    paged = items(
        simulator, f"/delivery-overview/{AT_SOURCE[0]}", "dataset", params={**asked, "pagination[count]": "4"}
    )
    assert paged == parts["dataset"]


def test_delivery_needs_its_parameters(simulator: Simulator) -> None:
    world = simulator.api.world()
    destination = world.destinations[0]
    stranger = next(one for one in world.destinations if one["sourceId"] != destination["sourceId"])
    good = {**WEEK, "sourceId": destination["sourceId"], "destinationConfigId": destination["id"]}
    for stage in (*AT_SOURCE, *AT_DESTINATION):
        path = f"/delivery-overview/{stage}"
        assert status(simulator, path, **good) == 200
        needed = good.keys() - ({"destinationConfigId"} if stage in AT_SOURCE else set())
        for name in needed:
            assert status(simulator, path, **{key: value for key, value in good.items() if key != name}) == 422
        assert status(simulator, path, **{**good, "sourceId": "unknown"}) == 404
    path = "/delivery-overview/failed-delivery"
    assert status(simulator, path, **{**good, "destinationConfigId": stranger["id"]}) == 404
    for wrong in (
        {"granularity": "WEEK"}, {"startTime": "yesterday"}, {"endTime": "2026-09-25"}, {"endTime": "2026-10-26"},
        {"granularity": "MINUTE"}, {"startTime": "2026-08-20", "endTime": "2026-08-21"},
    ):  # fmt: skip
        assert status(simulator, path, **{**good, **wrong}) == 422, wrong
    hidden = simulator.api.world().sources[2]["id"]
    assert status(simulator, "/delivery-overview/failed-on-ingest", "member", **{**WEEK, "sourceId": hidden}) == 403


def test_a_destination_has_a_summary_of_its_deliveries(simulator: Simulator) -> None:
    destination = simulator.api.world().destinations[0]
    path, source = f"/destinations/{destination['id']}/delivery-metrics", destination["sourceId"]
    found = data(simulator, path, sourceId=source, **WEEK)["deliveryMetricsSummary"]
    assert (found["sourceId"], found["destinationMetadataId"]) == (source, destination["metadata"]["id"])
    totals = {metric["metricName"]: metric for metric in found["metrics"]}
    won = delivered(simulator, "successful-delivery", destinationConfigId=destination["id"])["total"]
    assert totals["successes"]["total"] == won == sum(part["value"] for part in totals["successes"]["breakdown"]) > 0
    assert status(simulator, path, sourceId=source) == 200
    assert status(simulator, path) == 422
    assert status(simulator, path, sourceId=source, granularity="DAY", startTime="2026-09-10") == 422
