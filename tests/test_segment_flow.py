"""The data flow of a workspace: its routes, its drawing, and what they refuse to say."""

import pytest

from connectors.spec import Coverage, Flow, Report, State
from evidence.flow import draw, draw_print
from tests.snapshots import INCOMPLETE, WORKSPACE, Fake, build, rows, source, unknown, word, workspace


def flow_of(report: Report) -> Flow:
    assert report.flow is not None
    assert draw(report.flow).startswith("<svg")
    assert draw_print(report.flow).startswith("<svg")
    return report.flow


def test_routes_run_from_source_to_receiver_in_order_of_names() -> None:
    found = rows(build("data-flow", Fake(WORKSPACE)), "routes")
    assert [(row["source"], row["receiver"]) for row in found] == [
        ("alone", found[0]["receiver"]),
        ("App", "ads"),
        ("till", "Lake"),
        ("web", "Mail"),
        ("web", "Lake"),
        (found[5]["source"], "Lost"),
    ]
    assert found[3] == {
        "source": "web",
        "source_id": "s1",
        "source_kind": "JavaScript",
        "source_categories": ("Website",),
        "source_enabled": "Enabled",
        "plan": ("app plan", "Web plan"),
        "between": ("1 filter", "1 mapping", "1 transformation", "1 insert function"),
        "receiver_type": "Destination",
        "receiver": "Mail",
        "receiver_id": "d1",
        "receiver_kind": "Braze",
        "receiver_categories": ("Messaging",),
        "receiver_enabled": "Enabled",
        "state": "Open",
    }
    assert (found[4]["receiver_type"], found[4]["receiver_kind"]) == ("Warehouse", "BigQuery")


def test_a_switch_at_either_end_closes_a_route_and_says_which() -> None:
    _, app, till, *_ = rows(build("data-flow", Fake(WORKSPACE)), "routes")
    assert app["state"] == State("off", "Off", "The destination is disabled.")
    assert till["state"] == State("off", "Off", "The source is disabled.")
    both = workspace(sources=[source("s2", "App", enabled=False)])
    assert State("off", "Off", "The source and the destination are disabled.") in [
        row["state"] for row in rows(build("data-flow", Fake(both)), "routes")
    ]


def test_a_source_that_leads_nowhere_says_so_only_when_all_receivers_were_seen() -> None:
    alone = rows(build("data-flow", Fake(WORKSPACE)), "routes")[0]
    assert alone["receiver_type"] == "None"
    assert word(alone["receiver"]) == word(alone["state"]) == "No receiver"
    for stream in ("destinations", "warehouses", "warehouse_sources"):
        view = Fake(WORKSPACE, {stream: Coverage.DENIED})
        alone = rows(build("data-flow", view), "routes")[0]
        assert all(map(unknown, (alone["receiver_type"], alone["receiver"], alone["state"])))


def test_a_destination_of_a_source_that_was_not_seen_is_shown_with_the_id_it_names() -> None:
    lost = rows(build("data-flow", Fake(WORKSPACE)), "routes")[-1]
    assert (word(lost["source"]), lost["source_id"], lost["receiver"]) == ("Not seen", "s9", "Lost")
    assert unknown(lost["state"])
    nameless = workspace(destinations=[{"id": "d", "name": "Orphan", "enabled": True}])
    orphan = rows(build("data-flow", Fake(nameless)), "routes")[-1]
    assert (orphan["receiver"], orphan["source_id"]) == ("Orphan", None)
    assert unknown(orphan["source"])
    assert unknown(orphan["plan"])


@pytest.mark.parametrize("coverage", INCOMPLETE)
@pytest.mark.parametrize("stream", ["tracking_plans", "tracking_plan_sources"])
def test_without_the_plans_nobody_says_that_a_source_has_none(stream: str, coverage: Coverage) -> None:
    view = Fake(WORKSPACE, {stream: coverage})
    report = build("data-flow", view)
    plans = [row["plan"] for row in rows(report, "routes")]
    assert ("app plan", "Web plan") in plans, "what is known is shown"
    assert all(unknown(plan) for plan in plans if isinstance(plan, State))
    assert isinstance(dict(report.facts)["Sources without a tracking plan"], State)
    flow = flow_of(report)
    assert not [node for node in flow.nodes if node.gap]
    assert [node.note for node in flow.nodes if node.title == "Tracking plan unknown"] == ["3 sources"]
    assert {edge.kind for edge in flow.edges} == {"plan", "unknown", "off"}
    by_source = {row["id"]: row["plan"] for row in rows(build("sources", view), "sources")}
    assert unknown(by_source["s4"])


def test_the_drawing_has_three_columns_and_a_gap_for_sources_without_a_plan() -> None:
    flow = flow_of(build("data-flow", Fake(WORKSPACE)))
    told = [(node.column, node.title, node.group, node.note, node.gap) for node in flow.nodes]
    columns = [[each for column, *each in told if column == at] for at in (0, 1, 2)]
    assert columns[0] == [
        ["alone", "Website", "", False],
        ["App", "Mobile", "", False],
        ["till", "Website", "disabled", False],
        ["web", "Website", "", False],
        ["s9", "Not seen", "not seen", False],
    ]
    assert columns[1] == [
        ["app plan", "", "1 source", False],
        ["Web plan", "", "2 sources", False],
        ["No tracking plan", "", "3 sources", True],
    ]
    assert columns[2] == [
        ["ads", "Messaging", "disabled", False],
        ["Lake", "Warehouse", "", False],
        ["Mail", "Messaging", "", False],
        ["Lost", "Messaging", "", False],
    ]
    kinds = {(edge.start, edge.end): edge.kind for edge in flow.edges}
    assert kinds["source:s1", "plan:id:tp_1"] == kinds["plan:id:tp_1", "destination:d1"] == "plan"
    assert kinds["source:s3", "plan:id:tp_1"] == kinds["plan:none", "destination:d2"] == "off"
    assert kinds["source:s4", "plan:none"] == kinds["plan:none", "destination:d3"] == "gap"
    assert ("plan:id:tp_2", "warehouse:h1") in kinds


def test_nothing_to_draw_is_no_drawing() -> None:
    assert build("data-flow", Fake({})).flow is None
