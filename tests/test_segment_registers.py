"""The registers of sources and destinations, tracking plans, and what a rule allows."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import pytest

from connectors.segment.reports import schema
from connectors.spec import Cell, Coverage, Record, State
from tests.snapshots import WORKSPACE, Fake, build, destination, rows, unknown, word, workspace


def test_the_source_register_counts_what_each_source_feeds() -> None:
    report = build("sources", Fake(WORKSPACE))
    alone, app, till, web = rows(report, "sources")
    assert (web["destinations"], web["warehouses"], web["write_keys"], web["settings"]) == (1, 1, 2, 2)
    assert (till["destinations"], till["warehouses"], word(till["enabled"])) == (0, 1, "Disabled")
    assert app["labels"] == ("env: test",)
    assert word(app["write_keys"]) == "None visible"
    assert unknown(alone["write_keys"]), "no answer is not the answer none"
    assert word(alone["plan"]) == "No plan"
    assert dict(report.facts)["Sources"] == 4
    assert dict(report.facts)["Enabled"] == 3


@pytest.mark.parametrize("stream", ["destinations", "warehouses", "warehouse_sources"])
def test_a_number_of_receivers_that_could_not_be_seen_is_unknown(stream: str) -> None:
    for row in rows(build("sources", Fake(workspace(**{stream: []}), {stream: Coverage.DENIED})), "sources"):
        assert unknown(row["destinations"]) == (stream == "destinations")
        assert unknown(row["warehouses"]) == (stream != "destinations")


@pytest.mark.parametrize(
    ("cloud", "device", "said"),
    [
        ("MULTIPLE", "NONE", "Cloud only"),
        ("1", "0", "Cloud only"),
        ("0", "SINGLE", "Device only"),
        ("NONE", "NONE", State("na", "Neither", "The catalogue names neither cloud mode nor device mode for it.")),
    ],
)
def test_ways_to_connect_are_what_the_catalogue_allows(cloud: str, device: str, said: Cell) -> None:
    view = Fake(workspace(destinations=[destination("d", "D", "s1", cloud, device)]))
    assert rows(build("destinations", view), "destinations")[0]["ways"] == said


def test_the_destination_register_never_guesses_the_connection_mode() -> None:
    report = build("destinations", Fake(WORKSPACE))
    ads, lost, mail = rows(report, "destinations")
    assert unknown(ads["ways"])
    assert word(ads["ways"]) == "Cloud or device"
    assert unknown(lost["ways"])
    assert (mail["ways"], mail["source"], mail["partner_owned"], mail["settings"]) == ("Cloud only", "web", False, 1)
    assert lost["source"] == "s9"
    assert dict(report.facts)["Destinations enabled"] == 2
    assert any("cloud mode" in note for note in report.notes)


def test_warehouses_name_their_sources_or_say_that_nobody_knows() -> None:
    assert rows(build("destinations", Fake(WORKSPACE)), "warehouses")[0]["sources"] == ("till", "web")
    bare = workspace(warehouse_sources=[])
    assert rows(build("destinations", Fake(bare)), "warehouses")[0]["sources"] == ()
    denied = Fake(bare, {"warehouse_sources": Coverage.DENIED})
    assert unknown(rows(build("destinations", denied), "warehouses")[0]["sources"])


# --- tracking plans -----------------------------------------------------------------------------


def test_plans_count_their_rules_without_loading_one() -> None:
    view = Fake(WORKSPACE)
    report = build("tracking-plans", view)
    app, web = rows(report, "plans")
    assert (web["rules"], web["sources"], web["created"]) == (2, ("till", "web"), "2026-01-01T00:00:00Z")
    assert (app["rules"], app["type"]) == (1, "TEMPLATE")
    assert dict(report.facts)["Rules"] == 3
    assert "tracking_plan_rules" not in {stream for stream, _ in view.asked}


def test_rules_of_one_plan_are_asked_for_alone() -> None:
    view = Fake(WORKSPACE)
    report = build("tracking-plans", view, plan_id="tp_2")
    assert next(table.partition for table in report.tables if table.name == "rules") == "plan_id"
    (rule,) = rows(report, "rules")
    assert (rule["plan"], rule["plan_id"], rule["type"], rule["event"], rule["version"]) == (
        "app plan",
        "tp_2",
        "IDENTIFY",
        None,
        2,
    )
    assert [parent for stream, parent in view.asked if stream == "tracking_plan_rules"] == ["tp_2"]


def test_rules_are_passed_on_one_by_one() -> None:
    class Endless(Fake):
        def records(self, stream: str, parent: str = "") -> Iterable[Record]:
            return self._rules() if stream == "tracking_plan_rules" else super().records(stream, parent)

        def _rules(self) -> Iterator[Record]:
            number = 0
            while True:
                number += 1
                yield {"trackingPlanId": "tp_1", "type": "TRACK", "key": f"Event {number}", "jsonSchema": {}}

    table = build("tracking-plans", Endless(WORKSPACE)).tables[1]
    assert [row[3] for row in islice(table.rows(), 3)] == ["Event 1", "Event 2", "Event 3"]


def test_denied_rules_are_not_zero_rules() -> None:
    report = build("tracking-plans", Fake(workspace(tracking_plan_rules=[]), {"tracking_plan_rules": Coverage.DENIED}))
    assert all(unknown(row["rules"]) for row in rows(report, "plans"))
    assert dict(report.facts)["Rules"] == State("denied", "Denied", "The token may not.")
    assert "Tracking plan rules: denied. The token may not." in [table.note for table in report.tables]


EVENT = {
    "description": "An order was placed.",
    "properties": {
        "context": {"type": "object"},
        "traits": {"type": "object", "properties": {"plan": {"type": "string"}}},
        "properties": {
            "type": "object",
            "properties": {
                "total": {"type": "number"},
                "email": {"type": ["string", "null"], "format": "email"},
                "products": {
                    "type": "array",
                    "items": {"type": "object", "properties": {"sku": {"type": "string"}}, "required": ["sku"]},
                },
                "anything": True,
            },
            "required": ["total", "never described"],
            "allOf": [{"properties": {"currency": {"type": "string"}}, "required": ["currency"]}],
            "anyOf": [{"properties": {"card": {"type": "string"}}, "required": ["card"]}],
        },
    },
    "required": ["properties"],
}


def test_a_schema_is_told_as_properties_types_and_formats() -> None:
    found = schema.allowed(EVENT)
    assert found == schema.Allowed(
        properties=(
            "anything",
            "card",
            "currency (required)",
            "email",
            "products",
            "products[].sku (required)",
            "total (required)",
            "traits.plan",
        ),
        required=3,
        forms=("any: 1", "array: 1", "number: 1", "string: 4", "string or null (email): 1"),
    )
    assert schema.description(EVENT) == "An order was placed."


def test_a_property_that_is_named_like_a_holder_is_told() -> None:
    found = schema.allowed({"properties": {"context": {"type": "string"}, "email": {"type": "string"}}})
    assert found is not None
    assert found.properties == ("context", "email")


def nested(levels: int) -> Any:
    found: Any = {}
    for _ in range(levels):
        found = {"properties": {"in": found}}
    return found


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"properties": []},
        {"properties": {"properties": [], "traits": None, "context": 5}},
        {"properties": {"x": None, "y": [], "z": {"type": {}, "format": [], "items": [{}, 5, None]}}},
        {"required": "all", "properties": {"x": {"type": [None, {}, 5], "required": True}}},
        {"required": [{}, None, []], "properties": {"x": {"allOf": {}, "anyOf": [[], 5], "oneOf": "x"}}},
        nested(200),
    ],
)
def test_any_schema_is_survived(said: Any) -> None:
    assert schema.allowed(said) is not None


@pytest.mark.parametrize("said", [None, True, 5, "text", []])
def test_what_is_no_schema_is_unknown_not_empty(said: Any) -> None:
    rule = {"trackingPlanId": "tp_1", "type": "TRACK", "key": "E", "jsonSchema": said}
    (found,) = rows(build("tracking-plans", Fake(workspace(tracking_plan_rules=[rule]))), "rules")
    assert all(unknown(found[name]) for name in ("properties", "required", "forms"))


def test_a_deep_schema_is_told_eight_levels_deep() -> None:
    found = schema.allowed(nested(200))
    assert found is not None
    assert found.properties[-1] == ".".join(["in"] * schema.DEEPEST)


def test_a_huge_schema_is_cut_and_says_so() -> None:
    found = schema.allowed({"properties": {f"p{number:05}": {} for number in range(5000)}})
    assert found is not None
    assert len(found.properties) == schema.MOST + 1
    assert found.properties[-1] == schema.AND_MORE
