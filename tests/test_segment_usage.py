"""Usage, delivery and warehouse syncs: figures, what they do not say, and when something last worked."""

from typing import Any

import pytest

from connectors.segment.reports import fields
from connectors.spec import UNREADABLE, Cell, Coverage, State
from tests.snapshots import INCOMPLETE, WORKSPACE, Fake, build, rows, sync, unknown, word, workspace

# --- usage --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "said"),
    [("0", 0), ("9007199254740993", 9007199254740993), (5, 5), (5.0, 5), (None, None)],
)
def test_counts_come_as_digits_and_keep_every_one(value: Any, said: Cell) -> None:
    assert fields.whole(value) == said


@pytest.mark.parametrize("value", ["", "-5", "1e3", "5.5", 5.5, True, "٣", "9" * 31, [], {UNREADABLE: "list"}])
def test_what_is_no_count_is_unreadable(value: Any) -> None:
    assert unknown(fields.whole(value))


def test_days_show_running_totals_and_what_a_day_added() -> None:
    second, first = rows(build("usage", Fake(WORKSPACE)), "days")
    assert (second["day"], second["calls"], second["calls_day"]) == ("2026-03-02", 9007199254740993, 9007199254740893)
    assert (second["identified"], second["anonymous"], second["never_identified"]) == (10, 30, 0)
    assert second["start"] == "2026-03-01T00:00:00+00:00"
    assert (first["calls"], first["calls_day"], first["identified"]) == (100, None, None)


@pytest.mark.parametrize(
    ("days", "said"),
    [
        ([("2026-03-30", "5"), ("2026-03-31", "9"), ("2026-04-01", "12")], [None, 4, None]),  # a new period
        ([("2026-03-01", "5"), ("2026-03-03", "9")], [None, None]),  # a day is missing in between
        ([("2026-03-01", "5"), ("2026-03-02", "3")], [None, None]),  # corrected
        ([("2026-03-01", "5"), ("2026-03-02", "5")], [None, 0]),
    ],
)
def test_a_day_adds_something_only_to_the_day_before(days: list[tuple[str, str]], said: list[Cell]) -> None:
    calls = [{"timestamp": f"{day}T00:00:00Z", "apiCalls": number} for day, number in days]
    found = rows(build("usage", Fake(workspace(usage_api_calls=calls, usage_mtu=[]))), "days")
    assert [row["calls_day"] for row in found[::-1]] == said


def test_the_first_day_of_a_period_adds_all_that_was_counted() -> None:
    users = [{"timestamp": "2026-03-01T00:00:00Z", "periodStart": 1772323200}]
    found = rows(build("usage", Fake(workspace(usage_mtu=users))), "days")
    assert (found[-1]["day"], found[-1]["calls_day"]) == ("2026-03-01", 100)


@pytest.mark.parametrize("second", [1e300, -(10**18), "9" * 20, True, {UNREADABLE: "list"}])
def test_a_period_that_begins_at_no_time_is_unreadable(second: Any) -> None:
    users = [{"timestamp": "2026-03-02T00:00:00Z", "periodStart": second}]
    assert unknown(rows(build("usage", Fake(workspace(usage_mtu=users))), "days")[0]["start"])


def test_sources_show_their_newest_figures_and_each_day() -> None:
    report = build("usage", Fake(WORKSPACE))
    lost, web = rows(report, "sources")
    assert (web["source"], web["days"], web["day"], web["calls"], web["identified"]) == ("web", 2, "2026-03-02", 90, 7)
    assert (lost["source"], lost["calls"], lost["identified"]) == ("s9", 1, None)
    of_web = rows(build("usage", Fake(WORKSPACE), source_id="s1"), "source_days")
    assert [(row["day"], row["calls"], row["identified"]) for row in of_web] == [
        ("2026-03-01", 60, None),
        ("2026-03-02", 90, 7),
    ]


def test_facts_are_the_newest_figures_and_sums_of_events() -> None:
    assert dict(build("usage", Fake(WORKSPACE)).facts) == {
        "Newest day": "2026-03-02",
        "API calls, period so far": 9007199254740993,
        "Identified users": 10,
        "Anonymous users": 30,
        "Events received": 1500,
        "Events delivered": 400,
        "Events not delivered": 40,
        "Enabled sources without an event": State("unknown", "At least 1", fields.PARTLY),  # nothing is said of one
    }
    more = [{"sourceId": source, "day": "2026-03-02", "total": 0} for source in ("s3", "s4")]
    received = [*WORKSPACE["delivery_received"], *more]
    known = build("usage", Fake(workspace(delivery_received=received)))
    assert dict(known.facts)["Enabled sources without an event"] == 2, "one is disabled"


def test_a_figure_of_an_older_snapshot_is_named_when_there_is_one() -> None:
    view = Fake(workspace(usage_api_calls=[]), {"usage_api_calls": Coverage.FAILED}, as_of=3)
    assert dict(build("usage", view).facts)["API calls, period so far"] == State(
        "failed", "Failed", "The token may not."
    )
    held = dict(build("usage", Fake(WORKSPACE, {"usage_mtu": Coverage.FAILED}, as_of=3)).facts)
    assert held["Identified users"] == State("failed", "Failed", "The token may not. 10 as of snapshot 3.")


# --- delivery -----------------------------------------------------------------------------------


def test_delivery_is_added_up_over_the_days_that_are_known() -> None:
    report = build("usage", Fake(WORKSPACE))
    app, web = rows(report, "ingest")
    assert (web["received"], web["failed"], web["filtered"]) == (1500, 2, 3)
    assert (web["days"], web["first"], web["last"]) == (2, "2026-03-01", "2026-03-02")
    assert (app["source"], app["received"]) == ("App", 0)
    assert unknown(app["failed"]), "no figure is not the figure nought"
    (pair,) = rows(report, "delivery")
    assert (pair["source"], pair["destination"]) == ("web", "Mail")
    assert (pair["delivered"], pair["failed"], pair["filtered"]) == (400, 40, 4)
    assert [(row["outcome"], row["total"]) for row in rows(report, "outcomes")] == [
        ("Successes", 400),
        ("Time to success", 9.5),
    ]


def test_an_unreadable_figure_makes_a_sum_a_lower_bound() -> None:
    received = [
        {"sourceId": "s1", "day": "d1", "total": 5},
        {"sourceId": "s1", "day": "d2", "total": {UNREADABLE: "x"}},
    ]
    report = build("usage", Fake(workspace(delivery_received=received)))
    (web,) = rows(report, "ingest")
    assert word(web["received"]) == "At least 5"
    assert word(dict(report.facts)["Events received"]) == "At least 5"
    assert unknown(dict(report.facts)["Enabled sources without an event"])


@pytest.mark.parametrize("coverage", INCOMPLETE)
def test_delivery_that_was_not_asked_for_is_unknown(coverage: Coverage) -> None:
    view = Fake(workspace(delivery_failed=[]), {"delivery_failed": coverage})
    report = build("usage", view)
    assert unknown(rows(report, "delivery")[0]["failed"])
    assert isinstance(dict(report.facts)["Events not delivered"], State)


# --- warehouse syncs ----------------------------------------------------------------------------


def test_each_connection_says_when_it_last_worked() -> None:
    report = build("warehouse-syncs", Fake(WORKSPACE))
    till, web = rows(report, "pairs")
    assert (word(web["status"]), web["start"]) == ("Failed", "2026-03-01T23:00:00Z")
    assert (web["success"], web["hours"]) == ("2026-03-01T06:00:00Z", 48), "up to the newest moment in the records"
    assert (web["syncs"], web["failures"]) == (2, 1)
    assert (web["collections_off"], web["properties_off"]) == (1, 2)
    assert (till["status"], till["rows"], till["hours"]) == ("Done", 12, 0)
    assert unknown(till["collections_off"]), "nobody asked what is left out"
    assert dict(report.facts) == {
        "Warehouses": 1,
        "Connections whose newest sync failed": 1,
        "Connections without a known success": 0,
        "Collections switched off": 1,
        "Properties switched off": 2,
    }


def test_a_connection_without_a_sync_has_no_known_success() -> None:
    held = workspace(warehouse_syncs=[sync("h1", "s1", "2026-03-01T05:00:00Z", "RUNNING")])
    report = build("warehouse-syncs", Fake(held))
    till, web = rows(report, "pairs")
    assert (web["status"], word(web["success"]), web["hours"]) == ("Running", "None known", None)
    assert (word(till["status"]), word(till["success"]), till["syncs"]) == ("None known", "None known", 0)
    assert dict(report.facts)["Connections without a known success"] == 2
    denied = build("warehouse-syncs", Fake(workspace(warehouse_syncs=[]), {"warehouse_syncs": Coverage.DENIED}))
    assert all(unknown(row["syncs"]) for row in rows(denied, "pairs"))


def test_syncs_of_one_warehouse_are_asked_for_alone() -> None:
    view = Fake(workspace(warehouse_syncs=[*WORKSPACE["warehouse_syncs"], sync("h2", "s1", "2026-03-04", "SUCCESS")]))
    report = build("warehouse-syncs", view, warehouse_id="h2")
    assert [row["warehouse"] for row in rows(report, "syncs")] == ["h2"]
    assert ("warehouse_syncs", "h2") in view.asked


def test_a_warehouse_shows_its_schedule_and_its_connection() -> None:
    (lake,) = rows(build("warehouse-syncs", Fake(WORKSPACE)), "warehouses")
    assert (lake["scheduled"], lake["hours"], lake["timezone"]) == ("Enabled", ("05:00", "23:00"), "Europe/Berlin")
    assert (word(lake["connection"]), lake["sources"], lake["syncs"]) == ("Failed", 2, 3)


@pytest.mark.parametrize("coverage", INCOMPLETE)
def test_a_connection_that_nobody_tried_is_said_to_be_so(coverage: Coverage) -> None:
    view = Fake(workspace(warehouse_connection_state=[]), {"warehouse_connection_state": coverage})
    (lake,) = rows(build("warehouse-syncs", view), "warehouses")
    assert isinstance(lake["connection"], State)
    assert lake["connection"].name != "pass"


def test_selective_sync_names_what_is_left_out() -> None:
    orders, pages = rows(build("warehouse-syncs", Fake(WORKSPACE)), "selective")
    assert (orders["enabled"], orders["properties"], orders["off"]) == ("Copied", 3, ("email", "phone"))
    assert (word(pages["enabled"]), pages["properties"], pages["off"]) == ("Left out", 1, ("url",))


@pytest.mark.parametrize(
    "said", [{"enabled": None}, {"properties": None}, {"properties": {"email": {"type": "string"}}}]
)
def test_what_is_left_out_is_a_lower_bound_when_a_switch_is_not_known(said: dict[str, Any]) -> None:
    first, second = WORKSPACE["warehouse_selective_syncs"]
    report = build("warehouse-syncs", Fake(workspace(warehouse_selective_syncs=[{**first, **said}, second])))
    assert word(dict(report.facts)["Collections switched off"]) == "At least 1"
    assert unknown(rows(report, "pairs")[1]["properties_off"])


def test_a_profile_warehouse_names_its_space() -> None:
    (row,) = rows(build("warehouse-syncs", Fake(WORKSPACE)), "profiles")
    assert (row["name"], row["space"], row["schema"], row["settings"]) == ("Profiles", "Shop", "shop", ("host",))
