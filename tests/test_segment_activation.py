"""Activation: who is selected from which data, and what of it nobody knows."""

import pytest

from connectors.spec import Coverage
from tests.snapshots import INCOMPLETE, WORKSPACE, Fake, audience, build, rows, unknown, word, workspace


def test_a_model_names_its_source_its_query_and_who_gets_it() -> None:
    attic, buyers = rows(build("activation", Fake(WORKSPACE)), "models")
    assert (buyers["name"], buyers["source"], buyers["receivers"]) == ("Buyers", "alone", ("Mail",))
    assert (buyers["sha256"], buyers["lines"], buyers["bytes"]) == ("cc" * 32, 12, 400)
    assert (word(attic["enabled"]), attic["receivers"]) == ("Disabled", ())


def test_a_mapping_that_is_disabled_sends_nothing() -> None:
    held = workspace()
    held["destination_subscriptions"][0]["enabled"] = False
    assert rows(build("activation", Fake(held)), "models")[1]["receivers"] == ()


@pytest.mark.parametrize("coverage", INCOMPLETE)
def test_who_gets_a_model_is_unknown_without_the_mappings(coverage: Coverage) -> None:
    view = Fake(workspace(destination_subscriptions=[]), {"destination_subscriptions": coverage})
    assert all(unknown(row["receivers"]) for row in rows(build("activation", view), "models"))


def test_audiences_say_who_is_selected_how_many_and_by_whom_it_was_made() -> None:
    report = build("activation", Fake(WORKSPACE))
    broken, vip = rows(report, "audiences")
    assert (vip["space"], vip["size"], vip["unit"], vip["cadence"]) == ("Shop", 1200, "USERS", "All the time")
    assert (vip["definition"], vip["creator"], vip["editor"]) == ("event('Order').count() > 3", "zora", "u9")
    assert broken["size"] is None, "no size is not the size nought"
    assert (word(broken["status"]), word(broken["enabled"])) == ("Failed", "Disabled")
    (space,) = rows(report, "spaces")
    assert (space["audiences"], space["traits"]) == (2, 1)
    assert dict(report.facts) == {
        "Reverse ETL models enabled": 1,
        "Spaces": 1,
        "Audiences enabled": 1,
        "Audiences that failed": 1,
        "Computed traits enabled": 1,
    }


def test_a_definition_may_be_text_a_query_or_nothing() -> None:
    held = workspace(audiences=[audience("a1", "A", definition=None), audience("a2", "B", definition={"query": "q"})])
    assert [row["definition"] for row in rows(build("activation", Fake(held)), "audiences")] == [None, "q"]


@pytest.mark.parametrize("stream", ["audiences", "computed_traits"])
def test_a_space_counts_nothing_that_it_could_not_see(stream: str) -> None:
    view = Fake(workspace(**{stream: []}), {stream: Coverage.NOT_ENABLED})
    (space,) = rows(build("activation", view), "spaces")
    assert unknown(space["audiences"]) == (stream == "audiences")
    assert unknown(space["traits"]) == (stream == "computed_traits")
