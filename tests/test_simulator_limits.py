"""The limits per minute: whose they are, what the headers say, and each way of saying how long to wait."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import pytest
import requests

from connectors.segment.simulator import Fault, Simulator, Wait, serve
from connectors.segment.simulator.endpoints import ENDPOINTS
from tests.simulating import ask

START = datetime(2026, 11, 1, tzinfo=UTC).timestamp()
DOCUMENTED = {  # every limit that the service documents for a path that is served
    "/spaces/{spaceId}/audiences": 60,
    "/spaces/{spaceId}/computed-traits": 25,
    "/tracking-plans/{trackingPlanId}/rules": 200,
    "/warehouses/{warehouseId}/advanced-sync-schedule": 2,
    "/warehouses/{warehouseId}/connected-sources/{sourceId}/selective-syncs": 2,
    "/warehouses/{warehouseId}/connected-sources/{sourceId}/syncs": 2,
    "/warehouses/{warehouseId}/connection-state": 200,
    "/warehouses/{warehouseId}/syncs": 2,
}


@pytest.fixture
def now() -> list[float]:
    return [START]


@pytest.fixture
def simulator(now: list[float]) -> Iterator[Simulator]:
    with serve(rate_limits=True) as running:
        running.settings.clock = lambda: now[0]
        yield running


def path_of(simulator: Simulator, template: str) -> str:
    """The path of an endpoint, with the first ids that belong together."""
    world = simulator.api.world()
    [endpoint] = [each for each in ENDPOINTS if each.path == template]
    first = {kind: next(iter(world.numbers(kind))) for kind in endpoint.kinds}
    if {"warehouses", "sources"} <= first.keys():
        first["sources"] = world.warehouse_sources(0)[0]["id"]
    return endpoint.path_of([first[kind] for kind in endpoint.kinds])


def until_refused(simulator: Simulator, path: str, most: int = 1200) -> tuple[int, requests.Response]:
    """How many calls are answered before one is refused, and that refusal."""
    for count in range(most):
        answer = ask(simulator, path, params={"pagination[count]": "1"})
        if answer.status_code != 200:
            assert answer.status_code == 429
            return count, answer
    raise AssertionError("nothing was refused")


def test_the_table_has_every_documented_limit() -> None:
    assert {each.path: each.per_minute for each in ENDPOINTS if each.per_minute} == DOCUMENTED


@pytest.mark.parametrize("template", DOCUMENTED)
def test_each_documented_limit_is_kept(simulator: Simulator, template: str) -> None:
    path = path_of(simulator, template)
    assert until_refused(simulator, path)[0] == DOCUMENTED[template]
    assert simulator.throttled == 1


def test_headers_and_the_refusal(simulator: Simulator, now: list[float]) -> None:
    rules = path_of(simulator, "/tracking-plans/{trackingPlanId}/rules")
    answers = [ask(simulator, rules, params={"pagination[count]": "1"}) for _ in range(200)]
    assert [answer.status_code for answer in answers] == [200] * 200
    assert answers[2].headers["X-RateLimit-Consumed"] == "3"
    assert answers[2].headers["X-RateLimit-Remaining"] == "197"
    reset = parsedate_to_datetime(answers[2].headers["X-RateLimit-Reset"])
    assert reset == datetime.fromtimestamp(now[0], UTC) + timedelta(seconds=60)
    now[0] += 12.5
    refused = ask(simulator, rules)
    assert refused.status_code == 429
    [error] = refused.json()["errors"]
    assert error["type"] == "RequestError"
    assert error["data"] == {"remainingPoints": 0, "msBeforeNext": 47_500, "consumedPoints": 201}
    assert refused.headers["Retry-After"] == "48"
    assert simulator.throttled == 1
    now[0] += 47.5
    assert ask(simulator, rules).status_code == 200


def test_a_limit_is_one_tokens_and_one_endpoints(simulator: Simulator) -> None:
    first, second = (f"/warehouses/{one['id']}/syncs" for one in simulator.api.world().warehouses)
    assert [ask(simulator, path).status_code for path in (first, second, first)] == [200, 200, 429]
    assert ask(simulator, first, "owner_second").status_code == 200
    assert ask(simulator, path_of(simulator, "/warehouses/{warehouseId}/advanced-sync-schedule")).status_code == 200


def test_a_window_begins_with_its_first_call(simulator: Simulator, now: list[float]) -> None:
    path = path_of(simulator, "/warehouses/{warehouseId}/syncs")
    statuses = []
    for seconds in (0, 40, 10, 9.9, 0.1, 59, 0.5):
        now[0] += seconds
        statuses.append(ask(simulator, path).status_code)
    assert statuses == [200, 200, 429, 429, 200, 200, 429]
    assert simulator.throttled == 3


@pytest.mark.parametrize(
    ("wait", "headers", "data"),
    [
        ("header", {"Retry-After": "59"}, {"remainingPoints": 0, "msBeforeNext": 58_600, "consumedPoints": 3}),
        ("body", {}, {"remainingPoints": 0, "msBeforeNext": 58_600, "consumedPoints": 3}),
        (
            "reset",
            {"X-RateLimit-Reset": "Sun, 01 Nov 2026 00:01:00 GMT"},
            {"remainingPoints": 0, "consumedPoints": 3},
        ),
    ],
)
def test_each_way_to_say_how_long_to_wait(
    simulator: Simulator, now: list[float], wait: Wait, headers: dict[str, str], data: dict[str, int]
) -> None:
    simulator.settings.wait = wait
    path = path_of(simulator, "/warehouses/{warehouseId}/syncs")
    assert [ask(simulator, path).status_code for _ in range(2)] == [200, 200]
    now[0] += 1.4
    refused = ask(simulator, path)
    assert refused.status_code == 429
    sent = {name: value for name, value in refused.headers.items() if name.startswith(("X-Rate", "Retry"))}
    assert sent == headers
    assert refused.json()["errors"][0]["data"] == data


def test_a_reset_is_never_before_the_end_of_the_window(simulator: Simulator, now: list[float]) -> None:
    now[0] += 0.25
    path = path_of(simulator, "/warehouses/{warehouseId}/syncs")
    reset = parsedate_to_datetime(ask(simulator, path).headers["X-RateLimit-Reset"]).timestamp()
    assert ask(simulator, path).status_code == 200
    now[0] = reset
    assert ask(simulator, path).status_code == 200


def test_a_short_minute_takes_as_many_calls_as_a_long_one() -> None:
    with serve(rate_limits=True, minute=1.5) as simulator:
        path = path_of(simulator, "/spaces/{spaceId}/computed-traits")
        count, refused = until_refused(simulator, path)
        assert count == 25
        assert refused.headers["Retry-After"] in ("1", "2")
        wait = refused.json()["errors"][0]["data"]["msBeforeNext"]
        assert 0 < wait <= 1500
        time.sleep(wait / 1000)
        assert ask(simulator, path).status_code == 200


def test_a_fault_that_answers_429_is_counted_too() -> None:
    with serve(faults=[Fault("^/users$", "status", status=429, times=2)]) as simulator:
        assert [ask(simulator, "/users").status_code for _ in range(3)] == [429, 429, 200]
        assert simulator.throttled == 2


def test_without_limits_the_headers_slow_nobody(now: list[float]) -> None:
    with serve() as simulator:
        simulator.settings.clock = lambda: now[0]
        path = path_of(simulator, "/warehouses/{warehouseId}/syncs")
        answers = [ask(simulator, path) for _ in range(10)]
        assert {answer.status_code for answer in answers} == {200}
        left = [int(answer.headers["X-RateLimit-Remaining"]) for answer in answers]
        assert left == sorted(left, reverse=True)
        assert left[-1] > 900_000
        assert simulator.throttled == 0
