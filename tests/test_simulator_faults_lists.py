"""Faults that show over several pages, several readings or several paths."""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import pytest

from connectors.segment.simulator import Fault, Simulator, serve
from tests.simulating import ask

Json = Any


@pytest.fixture(scope="module")
def running() -> Iterator[Simulator]:
    with serve() as simulator:
        yield simulator


@pytest.fixture
def simulator(running: Simulator) -> Simulator:
    running.faults.clear()
    running.requests.clear()
    running.settings.cap = 5
    return running


def bodies(simulator: Simulator, path: str = "/sources") -> Iterator[Json]:
    """The data of each page of a list, for ever if it goes on for ever."""
    params: dict[str, str] = {}
    while True:
        data = ask(simulator, path, params=params).json()["data"]
        yield data
        if not data["pagination"].get("next"):
            return
        params = {"pagination[cursor]": data["pagination"]["next"]}


def walk(simulator: Simulator, path: str = "/sources", key: str = "sources", most: int = 6) -> list[str]:
    """Ids of the items, page after page, and no further than `most` pages."""
    return [item["id"] for data in islice(bodies(simulator, path), most) for item in data[key]]


def every(simulator: Simulator) -> list[str]:
    """What a clean reading finds."""
    faults, simulator.faults[:] = [*simulator.faults], []
    found = walk(simulator)
    simulator.faults += faults
    assert len(found) == 20
    return found


# --- one check for each kind -------------------------------------------------------------------------


def cursor_loop(simulator: Simulator) -> None:
    simulator.faults[:] = [Fault("^/sources$", "cursor_loop", times=None)]
    ids = walk(simulator)
    assert len(ids) == 30
    assert len(set(ids)) == 5


def cursor_cycle(simulator: Simulator) -> None:
    simulator.faults[:] = [Fault("^/sources$", "cursor_cycle", times=None)]
    seen = [data["pagination"]["next"] for data in islice(bodies(simulator), 5)]
    assert len(set(seen)) == 2
    assert seen[0] == seen[2] == seen[4]
    assert seen[1] == seen[3]


def endless(simulator: Simulator) -> None:
    simulator.faults[:] = [Fault("^/sources$", "endless", times=None)]
    data = list(islice(bodies(simulator), 12))
    assert [len(one["sources"]) for one in data] == [5, 5, 5, 5, *[0] * 8]
    assert len({one["pagination"]["next"] for one in data}) == 12


def lying_total(simulator: Simulator) -> None:
    simulator.faults[:] = [
        Fault("^/sources$", "lying_total"),
        Fault("^/sources$", "lying_total", value=3, after=1),
    ]
    assert [data["pagination"]["totalEntries"] for data in bodies(simulator)] == [27, 3, 20, 20]


def cursor_expired(simulator: Simulator) -> None:
    simulator.faults[:] = [Fault("^/sources$", "cursor_expired"), Fault("^/sources$", "cursor_expired", 1, 1, 410)]
    cursor = ask(simulator, "/sources").json()["data"]["pagination"]["next"]
    assert ask(simulator, "/sources").status_code == 200, "a request without a cursor passes"
    for status in (422, 410, 200):
        assert ask(simulator, "/sources", params={"pagination[cursor]": cursor}).status_code == status


def shift(simulator: Simulator) -> None:
    ids = every(simulator)
    simulator.faults[:] = [Fault("^/sources$", "shift", times=None)]
    assert walk(simulator) == ids[:5] + ids[6:]
    assert walk(simulator) == ids[:5] + ids[6:]


def duplicate_item(simulator: Simulator) -> None:
    ids = every(simulator)
    simulator.faults[:] = [Fault("^/sources$", "duplicate_item", times=None)]
    assert walk(simulator) == ids[:5] + ids[4:]


def removed(simulator: Simulator) -> None:
    ids = every(simulator)
    simulator.faults[:] = [Fault("^/sources$", "removed", times=None, after=1, value=2)]
    assert walk(simulator) == ids[:5] + ids[6:], "it goes away between the first and the second page"
    assert walk(simulator) == ids[:2] + ids[3:], "and stays away"


def added(simulator: Simulator) -> None:
    ids = every(simulator)
    simulator.faults[:] = [Fault("^/sources$", "added", times=None, after=1)]
    first = walk(simulator)
    assert first == ids[:5] + ids[4:], "it comes in between the first and the second page"
    second = walk(simulator)
    assert second[1:] == ids
    assert second[0] not in ids
    simulator.faults[:] = [Fault("^/invites$", "added")]
    assert ask(simulator, "/invites").json()["data"]["invites"][0] == "new.dana.overdue@example.com"


def reordered(simulator: Simulator) -> None:
    ids = every(simulator)
    simulator.faults[:] = [Fault("^/sources$", "reordered", times=None, after=1)]
    first = walk(simulator)
    assert len(first) == 20
    assert set(first) == set(ids[:15]), "the count is right, and still a quarter was never seen"
    assert walk(simulator) == ids[::-1]


def empty(simulator: Simulator) -> None:
    ids = every(simulator)
    simulator.faults[:] = [Fault("^/sources$", "empty")]
    data = next(bodies(simulator))
    assert data["sources"] == []
    assert data["pagination"]["totalEntries"] == 0
    assert walk(simulator) == ids, "only once"
    simulator.faults[:] = [Fault("^/sources$", "empty", times=None)]
    assert walk(simulator) == walk(simulator) == []


def half(simulator: Simulator) -> None:
    ids = every(simulator)
    simulator.faults[:] = [Fault("^/sources$", "half", by_reading=True)]
    assert [len(walk(simulator)) for _ in range(2)] == [10, 20]
    simulator.faults[:] = [Fault("^/sources$", "half", times=None)]
    assert walk(simulator) == walk(simulator) == ids[:10]
    simulator.faults[:] = [Fault("^/sources$", "half")]
    assert len(walk(simulator)) == 20, "without by_reading it is one page of it, and the rest is there"


def parent_gone(simulator: Simulator) -> None:
    world = simulator.api.world()
    plans = [plan["id"] for plan in world.plans]
    for value, gone in ((None, 0), (2, 2), (plans[3], 3)):
        simulator.faults[:] = [Fault("^/tracking-plans", "parent_gone", times=None, value=value)]
        assert walk(simulator, "/tracking-plans", "trackingPlans") == plans
        assert walk(simulator, "/tracking-plans", "trackingPlans") == plans, "until somebody asks below it"
        for at, plan in enumerate(plans):
            for below in ("rules", "sources"):
                asked = ask(simulator, f"/tracking-plans/{plan}/{below}")
                assert asked.status_code == (404 if at == gone else 200)
        rest = [plan for plan in plans if plan != plans[gone]]
        assert walk(simulator, "/tracking-plans", "trackingPlans") == rest


def test_a_parent_is_not_mistaken_for_a_child(simulator: Simulator) -> None:
    world = simulator.api.world()
    first, second = (f"/tracking-plans/{plan['id']}/sources" for plan in world.plans[:2])
    simulator.faults[:] = [Fault("^/tracking-plans", "parent_gone", times=None)]
    before = walk(simulator, first), walk(simulator, second)
    assert all(before), "whoever has not seen the list cannot miss a parent"
    assert len(walk(simulator, "/tracking-plans", "trackingPlans")) == 5
    assert (ask(simulator, first).status_code, walk(simulator, second)) == (404, before[1])
    assert len(walk(simulator, "/tracking-plans", "trackingPlans")) == 4


CHECKS: dict[str, Callable[[Simulator], None]] = {
    "cursor_loop": cursor_loop,
    "cursor_cycle": cursor_cycle,
    "cursor_expired": cursor_expired,
    "endless": endless,
    "lying_total": lying_total,
    "shift": shift,
    "duplicate_item": duplicate_item,
    "removed": removed,
    "added": added,
    "reordered": reordered,
    "empty": empty,
    "half": half,
    "parent_gone": parent_gone,
}


@pytest.mark.parametrize("kind", CHECKS)
def test_a_fault_does_what_it_says(simulator: Simulator, kind: str) -> None:
    CHECKS[kind](simulator)


# --- which readings, which of many -------------------------------------------------------------------


def test_readings_are_counted_for_each_path(simulator: Simulator) -> None:
    first, second = (f"/tracking-plans/{plan['id']}/rules" for plan in simulator.api.world().plans[:2])

    def totals(path: str) -> set[int]:
        return {data["pagination"]["totalEntries"] for data in bodies(simulator, path)}

    simulator.settings.cap = 20
    simulator.faults[:] = [Fault("/rules$", "half", after=1, by_reading=True)]
    assert [totals(first), totals(second)] == [{50}, {50}]
    assert [totals(first), totals(second)] == [{25}, {25}]
    assert [totals(first), totals(second)] == [{50}, {50}]


def test_an_item_can_go_in_the_second_reading_only(simulator: Simulator) -> None:
    ids = every(simulator)
    simulator.faults[:] = [Fault("^/sources$", "removed", value=19, after=1, times=None, by_reading=True)]
    assert [walk(simulator), walk(simulator)] == [ids, ids[:-1]]


def test_one_of_many_parents_is_refused_and_then_granted(simulator: Simulator) -> None:
    plans = [plan["id"] for plan in simulator.api.world().plans]
    simulator.faults[:] = [Fault(f"/{plans[2]}/rules$", "status", status=403, times=2)]

    def answers() -> list[int]:
        return [ask(simulator, f"/tracking-plans/{plan}/rules").status_code for plan in plans]

    assert [answers(), answers(), answers()] == [[200, 200, 403, 200, 200]] * 2 + [[200] * 5]


@pytest.mark.parametrize("times", [1, None])
def test_a_destination_can_belong_to_no_source(simulator: Simulator, times: int | None) -> None:
    simulator.settings.cap = None
    simulator.faults[:] = [Fault("^/destinations$", "dangling", times=times)]
    sources = set(walk(simulator))

    def lost() -> int:
        found = ask(simulator, "/destinations").json()["data"]["destinations"]
        return sum(item["sourceId"] not in sources for item in found)

    assert [lost(), lost()] == [1, 0 if times else 1]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("metadata.name", '"metadata":{'),
        ("settings.websiteUrl", '"settings":{"websiteUrl":9223372036854775808,'),
        ("settings.new.deep", '"new":{"deep":9223372036854775808}'),
        ("writeKeys", '"writeKeys":9223372036854775808'),
    ],
)
def test_any_field_can_be_named_and_a_dot_leads_into_it(simulator: Simulator, value: str, text: str) -> None:
    simulator.faults[:] = [Fault("^/sources$", "int_2_63", value=value)]
    sent = ask(simulator, "/sources").text
    assert sent.count("9223372036854775808") == 1
    assert text in sent
    simulator.faults[:] = [Fault("^/sources$", "duplicate_key", value="metadata.slug")]
    assert '"slug":"one","slug":"two"' in ask(simulator, "/sources").text
