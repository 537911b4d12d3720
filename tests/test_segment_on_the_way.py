"""What stands between a source and a receiver, in words, and what of it nobody knows."""

from typing import Any

import pytest

from connectors.segment.reports import alterations
from connectors.spec import UNREADABLE, Cell, Coverage, State
from tests.snapshots import INCOMPLETE, TITLES, WORKSPACE, Fake, build, filter_, rows, unknown, word, workspace


def by_name(table: str, held: Any = WORKSPACE, column: str = "name") -> dict[Any, dict[str, Cell]]:
    return {row[column]: row for row in rows(build("on-the-way", Fake(held)), table)}


# --- filters ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("action", "said"),
    [
        ({"type": "DROP"}, "Drops the event"),
        (
            {"type": "DROP_PROPERTIES", "fields": {"properties": ["email", "phone"]}},
            "Drops properties email, phone",
        ),
        (
            {"type": "DROP_PROPERTIES", "fields": {"context.traits": {"fields": ["email"]}, "": ["ip"]}},
            "Drops context.traits email and top-level fields ip",
        ),
        ({"type": "ALLOW_PROPERTIES", "fields": {"properties": ["total"]}}, "Keeps only properties total"),
        ({"type": "ALLOW_PROPERTIES", "fields": {"properties": []}}, "Keeps only properties"),
        ({"type": "DROP_PROPERTIES"}, "Drops fields that Segment does not tell"),
        ({"type": "DROP_PROPERTIES", "fields": {UNREADABLE: "list"}}, "Drops (unreadable)"),
        ({"type": "DROP_PROPERTIES", "fields": {"properties": "email"}}, "Drops properties (unreadable)"),
        ({"type": "SAMPLE", "percent": 0.1, "path": "userId"}, "Keeps a tenth, chosen by userId"),
        ({"type": "SAMPLE", "percent": 0, "path": ""}, "Keeps none"),
        ({"type": "SAMPLE", "percent": 0.33}, "Keeps 33 in 100"),
        ({"type": "SAMPLE", "path": "userId"}, "Keeps a share that Segment does not tell"),
        ({"type": "NEW_KIND"}, "NEW_KIND"),
        ({}, "(unreadable)"),
        (None, "(unreadable)"),
    ],
)
def test_a_filter_says_in_words_what_it_does(action: Any, said: str) -> None:
    assert alterations.actions([action]) == (said,)


def test_what_a_filter_does_is_unknown_when_it_was_not_said() -> None:
    assert unknown(alterations.actions(None))
    assert unknown(alterations.actions({UNREADABLE: "str"}))
    assert alterations.actions([]) == ()


# --- mappings -----------------------------------------------------------------------------------


def test_a_mapping_says_which_field_goes_where_and_never_a_literal() -> None:
    settings = {
        "email": {"@path": "$.properties.email"},
        "user": {"id": {"@path": "$.userId"}, "plan": {"literal": "int"}},
        "name": {"@template": ["{{properties.first}}", "{{properties.last}}"]},
        "hello": {"@template": []},
        "either": {
            "@if": {
                "exists": {"@path": "$.traits.mail"},
                "then": {"@path": "$.traits.mail"},
                "else": {"@path": "$.anonymousId"},
            }
        },
        "items": {"@arrayPath": ["$.properties.items", {"sku": {"@path": "$.sku"}}]},
        "list": [{"@path": "$.a"}, {"literal": "bool"}],
        "all": {"@path": "$"},
        "none": {"literal": "NoneType"},
        "odd": {UNREADABLE: "set"},
    }
    assert alterations.mapping(settings) == (
        "properties.email → email",
        "userId → user.id",
        "fixed number → user.plan",
        "text of properties.first, properties.last → name",
        "fixed text → hello",
        "traits.mail, anonymousId → either",
        "(unreadable), sku → items",
        "a → list[]",
        "fixed yes or no → list[]",
        "the whole event → all",
        "nothing → none",
        "(unreadable) → odd",
    )
    assert alterations.used(settings) == (
        "a",
        "anonymousId",
        "properties.email",
        "properties.first",
        "properties.last",
        "sku",
        "the whole event",
        "traits.mail",
        "userId",
    )


@pytest.mark.parametrize("settings", [{UNREADABLE: "list"}, [], "text", {"literal": "str"}])
def test_a_mapping_that_is_no_mapping_is_unreadable(settings: Any) -> None:
    assert unknown(alterations.mapping(settings))
    assert unknown(alterations.used(settings))


def test_a_deep_mapping_ends_somewhere() -> None:
    deep: Any = {"@path": "$.x"}
    for _ in range(300):
        deep = {"in": deep}
    said = alterations.mapping(deep)
    assert isinstance(said, tuple)
    assert [each.partition(".")[0] for each in said] == ["(unreadable) → in"]


def test_a_field_is_found_by_the_mapping_that_uses_it() -> None:
    (row,) = rows(build("on-the-way", Fake(WORKSPACE)), "mappings")
    assert row["destination"] == "Mail"
    assert (row["trigger"], row["action"], row["model"]) == ('event = "Order"', "trackEvent", "Buyers")
    assert row["mapped"] == (
        "properties.email → email",
        "text of properties.first, properties.last → name",
        "fixed text → currency",
    )
    assert row["used"] == ("properties.email", "properties.first", "properties.last")


# --- transformations and functions --------------------------------------------------------------


def test_a_transformation_says_all_that_it_does() -> None:
    everything = {
        "drop": True,
        "newEventName": "order",
        "propertyRenames": [{"oldName": "a", "newName": "b"}, {}],
        "propertyValueTransformations": [{"propertyPaths": ["p", "q"], "propertyValue": "f00d"}],
        "fqlDefinedProperties": [{"fql": "lowercase(x)", "propertyName": "y"}],
        "allowProperties": ["m", "n"],
        "hashPropertiesConfiguration": {"algorithm": "SHA256", "key": "ab12", "paths": ["traits.email"]},
    }
    assert alterations.changes(everything) == (
        "Drops the event",
        "Renames the event to order",
        "Renames a to b",
        "Renames (unreadable) to (unreadable)",
        "Sets p, q to a fixed value",
        "Computes y as lowercase(x)",
        "Keeps only m, n",
        "Hashes traits.email with SHA256 and a key",
    )
    assert "f00d" not in str(alterations.changes(everything))
    assert alterations.changes({"drop": False, "allowProperties": [], "propertyRenames": []}) == ()
    assert alterations.changes({"propertyRenames": {UNREADABLE: "str"}}) == ("(unreadable) propertyRenames",)


def test_transformations_name_the_destinations_that_they_are_about() -> None:
    found = by_name("transformations")
    assert (found["Hash it"]["about"], found["gone"]["about"]) == ("All of the source", "m9")
    assert (found["gone"]["does"], found["gone"]["source"]) == (("Drops the event",), "web")


def test_functions_are_told_by_digest_size_and_deployment() -> None:
    found = by_name("functions")
    scrub, intake = found["Scrub"], found["intake"]
    assert (scrub["sha256"], scrub["bytes"], scrub["lines"]) == ("aa" * 32, 100, 10)
    assert (scrub["deployed"], scrub["latest"]) == ("2026-02-01T00:00:00Z", False)
    assert (scrub["settings"], scrub["sensitive"], scrub["creator"]) == (("apiKey", "region"), ("apiKey",), "zora")
    assert scrub["type"] == "Insert, before a destination"
    assert word(intake["deployed"]) == "Not deployed"
    (instance,) = rows(build("on-the-way", Fake(WORKSPACE)), "instances")
    assert (instance["function"], instance["stands"], instance["end"]) == ("Scrub", "Destination", "Mail")
    assert (instance["settings"], instance["encrypted"]) == (("region",), ("apiKey",))


@pytest.mark.parametrize("coverage", INCOMPLETE)
def test_code_that_could_not_be_read_is_unknown(coverage: Coverage) -> None:
    view = Fake(workspace(function_code=[]), {"function_code": coverage})
    for row in rows(build("on-the-way", view), "functions"):
        assert all(unknown(row[name]) for name in ("deployed", "latest", "sha256", "bytes", "lines", "settings"))


# --- by destination -----------------------------------------------------------------------------


def test_destinations_count_what_is_enabled_and_beside_it_what_is_not() -> None:
    report = build("on-the-way", Fake(WORKSPACE))
    found = {row["name"]: row for row in rows(report, "destinations")}
    mail, ads = found["Mail"], found["ads"]
    assert (mail["filters"], mail["filters_off"], mail["mappings"], mail["mappings_off"]) == (1, 1, 1, 0)
    assert (mail["transformations"], mail["functions"]) == (1, 1), "the other transformation is of another kind"
    assert mail["state"] == ("Filter", "Mapping", "Transformation", "Insert function")
    assert word(ads["state"]) == "Nothing"
    assert dict(report.facts) == {
        "Filters enabled": 1,
        "Filters disabled": 1,
        "Mappings enabled": 1,
        "Destinations with neither filter nor mapping": 2,
        "Transformations enabled": 2,
        "Functions": 2,
    }


def test_a_disabled_filter_does_not_stand_in_between() -> None:
    held = workspace(destination_filters=[filter_("f", "d2", "Off", {"type": "DROP"}, on=False)])
    found = {row["receiver"]: row["between"] for row in rows(build("data-flow", Fake(held)), "routes")}
    assert word(found["ads"]) == "Nothing"
    assert word(by_name("destinations", held)["ads"]["state"]) == "Nothing"
    facts = dict(build("on-the-way", Fake(held)).facts)
    assert facts["Destinations with neither filter nor mapping"] == 2, "Mail has a mapping, ads a disabled filter"


@pytest.mark.parametrize("said", [None, "", {UNREADABLE: "str"}])
def test_a_filter_of_which_nobody_knows_whether_it_is_enabled_is_not_off(said: Any) -> None:
    doubtful = {**filter_("f", "d2", "Perhaps", {"type": "DROP"}), "enabled": said}
    held = workspace(destination_filters=[doubtful], destination_subscriptions=[])
    found = {row["receiver"]: row["between"] for row in rows(build("data-flow", Fake(held)), "routes")}
    assert unknown(found["ads"])
    assert isinstance(found["Mail"], tuple), "what is in doubt at one destination is none at another"
    report = build("on-the-way", Fake(held))
    ads = next(row for row in rows(report, "destinations") if row["name"] == "ads")
    assert unknown(ads["state"])
    assert word(ads["filters"]) == word(ads["filters_off"]) == "At least 0"
    assert word(dict(report.facts)["Filters enabled"]) == "At least 0"
    assert dict(report.facts)["Destinations with neither filter nor mapping"] == 2, "this one is not counted"


@pytest.mark.parametrize("coverage", INCOMPLETE)
@pytest.mark.parametrize(
    "stream", ["destination_filters", "destination_subscriptions", "transformations", "insert_function_instances"]
)
def test_nothing_in_between_is_said_only_when_all_was_read(stream: str, coverage: Coverage) -> None:
    view = Fake(workspace(**{stream: []}), {stream: coverage})
    found = {row["receiver"]: row["between"] for row in rows(build("data-flow", view), "routes")}
    assert unknown(found["ads"])
    assert TITLES[stream] in build("data-flow", view).tables[0].note
    assert unknown(found["Lake"]) or isinstance(found["Lake"], tuple)
    mail = found["Mail"]
    assert isinstance(mail, tuple)
    assert len(mail) == 4
    assert "read" not in mail[-1]
    assert ":" in mail[-1], "what is known, and what could not be read"
    states = {row["name"]: row["state"] for row in rows(build("on-the-way", view), "destinations")}
    assert unknown(states["ads"])


def test_a_warehouse_is_behind_the_transformations_of_the_whole_source_only() -> None:
    found = {
        row["receiver"]: row for row in rows(build("data-flow", Fake(WORKSPACE)), "routes") if row["source"] == "web"
    }
    assert found["Lake"]["between"] == ("1 transformation",)
    stray = workspace(destination_filters=[{"id": "f", "enabled": True}])
    found = {row["receiver"]: row for row in rows(build("data-flow", Fake(stray)), "routes") if row["source"] == "web"}
    assert found["Lake"]["between"] == ("1 transformation",), "a filter that names no destination is at none"
    alone = rows(build("data-flow", Fake(WORKSPACE)), "routes")[0]
    assert alone["between"] is None, "where there is no receiver there is no way"


# --- enforcement --------------------------------------------------------------------------------


def test_a_source_does_with_the_unforeseen_what_its_settings_say() -> None:
    report = build("tracking-plans", Fake(WORKSPACE))
    found = {(row["source"], row["plan"], row["call"]): row for row in rows(report, "enforcement")}
    track = found["web", "Web plan", "Track"]
    assert (track["events"], track["properties"], track["violations"]) == ("Blocked", "Omitted", "Blocked")
    assert (track["violating_events"], track["violating_properties"]) == ("Allowed", "Omitted")
    assert (track["violations_to"], track["blocked_to"]) == ("alone", None)
    identify = found["web", "Web plan", "Identify"]
    assert word(identify["events"]) == word(identify["violating_events"]) == "Not applicable"
    assert (identify["properties"], identify["violations"]) == ("Omitted", "Allowed")
    till = found["till", "Web plan", "Track"]
    assert (till["events"], till["properties"], till["violations"]) == ("Allowed", "Allowed", "Omitted")
    unread = found["web", "app plan", "Group"]
    assert all(unknown(unread[name]) for name in ("events", "properties", "violations", "violations_to"))
    assert dict(report.facts)["Sources that let unplanned events pass"] == 1
    silent = build("tracking-plans", Fake(workspace(source_settings=WORKSPACE["source_settings"][1:])))
    assert word(dict(silent.facts)["Sources that let unplanned events pass"]) == "At least 1", "nobody knows of web"


@pytest.mark.parametrize("settings", [None, {}, {"track": {}}, {"track": {"allowUnplannedEvents": None}}])
def test_what_a_source_does_is_never_guessed(settings: Any) -> None:
    record = {"trackingPlanId": "tp_1", "sourceId": "s1", "settings": settings}
    view = Fake(workspace(source_settings=[record]))
    for row in rows(build("tracking-plans", view), "enforcement"):
        assert not {row[name] for name in ("events", "properties", "violations")} & {"Allowed", "Blocked", "Omitted"}
    assert unknown(dict(build("tracking-plans", view).facts)["Sources that let unplanned events pass"])
    said = {row["name"]: row["enforcement"] for row in rows(build("sources", view), "sources")}["web"]
    assert unknown(said) or said == (
        "Events: unknown",
        "Properties: unknown",
        "Traits: unknown",
        "Violations: unknown",
    )


def test_the_source_register_sums_enforcement_up() -> None:
    found = {row["name"]: row["enforcement"] for row in rows(build("sources", Fake(WORKSPACE)), "sources")}
    assert found["web"] == ("Events: blocked", "Properties: omitted", "Traits: omitted", "Violations: blocked")
    assert found["till"] == ("Events: allowed", "Properties: allowed", "Traits: allowed", "Violations: omitted")
    assert word(found["alone"]) == "No plan"


@pytest.mark.parametrize("coverage", INCOMPLETE)
def test_settings_that_could_not_be_read_are_unknown(coverage: Coverage) -> None:
    view = Fake(workspace(source_settings=[]), {"source_settings": coverage})
    found = {row["name"]: row["enforcement"] for row in rows(build("sources", view), "sources")}
    assert unknown(found["web"])
    assert word(found["alone"]) == "No plan"
    report = build("tracking-plans", view)
    assert len(rows(report, "enforcement")) == 9
    for row in rows(report, "enforcement"):
        assert isinstance(row["events"], State)
        assert row["events"].why.startswith("Enforcement of tracking plans: ")
    assert isinstance(dict(report.facts)["Sources that let unplanned events pass"], State)
