"""The simulator's data: sizes, what changes from day to day, what refers to what, and the story of the demo."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from connectors.segment.simulator import Simulator, serve
from connectors.segment.simulator.company import SIZES
from connectors.segment.simulator.world import World, minimal
from tests.simulating import ask, items


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with serve() as running:
        yield running


def slots(size: str, day: int) -> list[tuple[str, bytes]]:
    """Id and content of every listed record."""
    world = World(size, day)
    listed = [*world.sources, *world.destinations, *map(minimal, world.users), *world.plans]
    rules = [
        (f"{plan}/{rule.split(b',', 2)[:2]}", rule) for plan in range(len(world.plans)) for rule in world.rules(plan)
    ]
    return [(record["id"], json.dumps(record).encode()) for record in listed] + rules


def test_one_percent_changes_each_day_and_the_rest_stays() -> None:
    days = [slots("small", day) for day in range(15)]
    for before, after in pairwise(days):
        assert len(before) == len(after) == 340
        assert sum(old != new for old, new in zip(before, after, strict=True)) == 3
    medium = [slots("medium", day) for day in (0, 1)]
    assert sum(old != new for old, new in zip(*medium, strict=True)) == 88
    assert [len(dict(day)) for day in medium] == [8840, 8840]


def test_some_records_give_way_to_others() -> None:
    first, later = dict(slots("small", 0)), dict(slots("small", 100))
    assert len(first) == len(later) == 340
    assert 20 < len(first.keys() - later.keys()) == len(later.keys() - first.keys()) < 120
    assert sum(later.get(key) != content for key, content in first.items()) == 300


DIGEST = """
import hashlib, json, sys
from connectors.segment.simulator.world import World
world = World("small", 5)
held = [world.sources, world.destinations, world.users, world.plans, [rule.decode() for rule in world.rules(1)]]
print(hashlib.sha256(json.dumps(held).encode()).hexdigest(), "django" in sys.modules)
"""


def test_a_day_is_the_same_in_every_process_and_needs_no_django() -> None:
    def run(seed: str) -> list[str]:
        env = {**os.environ, "PYTHONHASHSEED": seed}
        root = Path(__file__).parent.parent
        command = [sys.executable, "-c", DIGEST]
        return subprocess.run(command, capture_output=True, text=True, env=env, cwd=root, check=True).stdout.split()

    assert run("1") == run("2")
    assert run("3")[1] == "False"


@pytest.mark.parametrize(
    ("size", "count", "requests_", "megabytes"), [("small", 340, 9, 0.54), ("medium", 8840, 45, 14.0)]
)
def test_totals_pages_and_bytes(size: str, count: int, requests_: int, megabytes: float) -> None:
    with serve(size=size) as simulator:
        plans = items(simulator, "/tracking-plans", "trackingPlans")
        listings = [("/sources", "sources"), ("/destinations", "destinations"), ("/users", "users")]
        listings += [(f"/tracking-plans/{plan['id']}/rules", "rules") for plan in plans]
        listed = [item for path, key in listings for item in items(simulator, path, key)] + plans
        assert len(simulator.requests) == requests_
    assert len(listed) == count == SIZES[size].resources
    total = sum(len(json.dumps(item, ensure_ascii=False, separators=(",", ":")).encode()) for item in listed)
    assert total == pytest.approx(megabytes * 1e6, rel=0.1)


def test_totals_pages_and_bytes_of_the_large_size() -> None:
    size, world = SIZES["large"], World("large", 0)
    pages_of = [-(-count // 200) for count in (size.sources, size.destinations, size.users, size.plans)]
    assert (size.resources, sum(pages_of) + size.plans * -(-size.rules // 200)) == (108_200, 641)
    rules = [len(rule) for plan in (77, 199) for rule in world.rules(plan)]
    listed = [*world.sources, *world.destinations, *map(minimal, world.users), *world.plans]
    rest = sum(len(json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode()) for record in listed)
    assert rest + sum(rules) / len(rules) * 100_000 == pytest.approx(171.7e6, rel=0.1)


@pytest.mark.parametrize(("size", "day"), [("small", 0), ("small", 64), ("medium", 130)])
def test_everything_that_is_referred_to_exists(size: str, day: int) -> None:
    with serve(size=size, day=day) as simulator:
        world = simulator.api.world()
        sources = {source["id"] for source in world.sources}
        users = {user["id"] for user in world.users}
        assert len(sources) == len(world.sources)
        assert len(users) == len(world.users)
        assert {destination["sourceId"] for destination in world.destinations} <= sources
        assert {role["id"] for role in world.roles} >= {
            permission["roleId"] for one in (*world.users, *world.groups) for permission in one["permissions"]
        }
        planned: list[str] = []
        for plan in world.plans:
            planned += [source["id"] for source in items(simulator, f"/tracking-plans/{plan['id']}/sources", "sources")]
        assert len(planned) == len(set(planned)) < len(sources)
        assert set(planned) < sources
        for group in world.groups:
            members = {user["id"] for user in items(simulator, f"/groups/{group['id']}/users", "users")}
            assert members <= users
            assert len(members) == group["memberCount"] > 0
            assert all(
                group["id"] in {held["id"] for held in items(simulator, f"/users/{member}/groups", "groups")}
                for member in list(members)[:2]
            )
        for plan in range(3):
            rules = [json.loads(rule) for rule in world.rules(plan)]
            assert len({(rule["type"], rule.get("key"), rule["version"]) for rule in rules}) == len(rules)


def test_source_and_plan_agree_from_both_sides(simulator: Simulator) -> None:
    for plan in items(simulator, "/tracking-plans", "trackingPlans"):
        for source in items(simulator, f"/tracking-plans/{plan['id']}/sources", "sources"):
            assert ask(simulator, f"/sources/{source['id']}").json()["data"]["trackingPlanId"] == plan["id"]


def test_the_demo_tells_its_story(simulator: Simulator) -> None:
    world = simulator.api.world()
    owners = [user["email"] for user in world.users if user["permissions"][0]["roleName"] == "Workspace Owner"]
    assert len(owners) == 5
    assert "admin@example.com" in owners
    assert [user["email"] for user in world.users if user["email"].endswith("freemail.example")]
    ads = [it for it in world.destinations if it["enabled"] and it["metadata"]["categories"] == ["Advertising"]]
    filtered = [bool(items(simulator, f"/destination/{it['id']}/filters", "filters")) for it in ads]
    assert True in filtered
    assert False in filtered
    assert [it for it in world.destinations if it["settings"].get("endpoint", "").startswith("http://")]
    settings = {
        source["name"]: ask(simulator, f"/sources/{source['id']}/settings").json()["data"]["settings"]["track"]
        for source in world.sources
    }
    assert settings["Website"]["allowUnplannedEvents"] is False
    assert settings["Store tills"]["allowUnplannedEvents"] is True
    statuses = {regulation["status"] for regulation in items(simulator, "/regulations", "regulations")}
    assert statuses == {"FAILED", "FINISHED", "RUNNING", "INITIALIZED"}
    simulator.settings.day, before = 20, set(items(simulator, "/invites", "invites"))
    stale = before & set(items(simulator, "/invites", "invites"))
    simulator.settings.day = 0
    assert len(stale) == 3 == len(before) - 1


def test_audit_events_never_change_and_can_be_narrowed(simulator: Simulator) -> None:
    today = items(simulator, "/audit-events", "events")
    simulator.settings.day = 30
    later = items(simulator, "/audit-events", "events")
    simulator.settings.day = 0
    assert len(today) == len(later) == 180
    known = {event["id"]: event for event in later}
    assert [event for event in today if event["id"] in known] == [known[it["id"]] for it in today if it["id"] in known]
    assert len(known.keys() & {event["id"] for event in today}) == 120
    times = [event["timestamp"] for event in today]
    assert times == sorted(times, reverse=True)
    narrowed = {"startTime": "2026-09-20T00:00:00.000Z", "resourceType": "source"}
    since = items(simulator, "/audit-events", "events", params=narrowed)
    wanted = [it for it in today if it["timestamp"] >= "2026-09-20" and it["resourceType"] == "source"]
    assert since == wanted != []
