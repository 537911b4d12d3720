"""Tables as they are asked for: search, filters with counts, sorting, paging; and hostile addresses."""

from collections.abc import Iterator
from typing import Any

import pytest

from connectors.spec import Column, Row, State, Table
from evidence import tables

COLUMNS = (
    Column("name", "Name"),
    Column("kind", "Kind", filter=True),
    Column("tags", "Tags", "list", filter=True),
    Column("events", "Events", "number"),
    Column("state", "State", filter=True),
)
OFF, ON = State("off", "Off", "Somebody switched it off."), State("pass", "On")
ROWS: tuple[Row, ...] = (
    ("rule 10", "web", ("a", "b"), 5, ON),
    ("rule 9", "web", ("b",), 40, OFF),
    ("Rule 1", "server", (), None, ON),
    ("zebra", None, ("a", "a"), 300, OFF),
)


def table(rows: tuple[Row, ...] = ROWS) -> Table:
    def made() -> Iterator[Row]:
        return iter(rows)

    return Table("things", "Things", COLUMNS, made)


def names(**query: Any) -> list[Any]:
    return [
        row[0] for row in tables.select(table(), {key.replace("_", "-"): value for key, value in query.items()}).page
    ]


def test_nothing_asked_for_gives_all_rows_in_their_own_order() -> None:
    found = tables.select(table(), {})
    assert list(found.page) == list(ROWS)
    assert (found.total, found.found, found.narrowed, found.sort) == (4, 4, False, "")


def test_search_wants_every_word_in_any_cell_and_case() -> None:
    assert names(q="RULE") == ["rule 10", "rule 9", "Rule 1"]
    assert names(q="rule switched") == ["rule 9"]  # one word in a name, the other in a state's reason
    assert names(q="300") == ["zebra"]
    assert names(q="   ") == [row[0] for row in ROWS]
    assert names(q="nowhere") == []


def test_filters_narrow_and_are_combined() -> None:
    assert names(f_kind="web") == ["rule 10", "rule 9"]
    assert names(f_tags="a") == ["rule 10", "zebra"]
    assert names(f_kind="web", f_state="Off") == ["rule 9"]
    assert names(f_kind=tables.NOTHING) == ["zebra"]
    assert names(f_tags=tables.NOTHING) == ["Rule 1"]


def test_choices_are_counted_under_the_other_filters() -> None:
    kind, tags, state = tables.select(table(), {"f-state": "Off"}).facets
    assert [(choice.value, choice.count) for choice in kind.choices] == [("web", 1), (tables.NOTHING, 1)]
    assert [(choice.value, choice.count) for choice in tags.choices] == [("a", 1), ("b", 1)]
    assert [(choice.value, choice.count) for choice in state.choices] == [("Off", 2), ("On", 2)]
    assert state.cleared == {"f-state": None, "page": None}


def test_a_value_that_nobody_has_finds_nothing_and_stays_visible() -> None:
    found = tables.select(table(), {"f-kind": "<script>"})
    assert found.found == 0
    assert found.facets[0].chosen == "<script>"
    assert ("<script>", 0) in [(choice.value, choice.count) for choice in found.facets[0].choices]


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("name", ["Rule 1", "rule 9", "rule 10", "zebra"]),
        ("-name", ["zebra", "rule 10", "rule 9", "Rule 1"]),
        ("events", ["rule 10", "rule 9", "zebra", "Rule 1"]),
        ("-events", ["zebra", "rule 9", "rule 10", "Rule 1"]),
        ("kind", ["Rule 1", "rule 10", "rule 9", "zebra"]),
        ("-kind", ["rule 10", "rule 9", "Rule 1", "zebra"]),
        ("state", ["rule 9", "zebra", "rule 10", "Rule 1"]),
        ("nonsense", ["rule 10", "rule 9", "Rule 1", "zebra"]),
    ],
)
def test_sorting_is_natural_stable_and_puts_nothing_last(sort: str, expected: list[str]) -> None:
    assert names(sort=sort) == expected


def test_heads_say_how_they_are_sorted_and_what_a_click_asks_for() -> None:
    heads = {head.column.name: head for head in tables.select(table(), {"sort": "name"}).heads}
    assert (heads["name"].order, heads["name"].sort) == ("ascending", "-name")
    assert (heads["kind"].order, heads["kind"].sort) == ("none", "kind")
    assert tables.select(table(), {"sort": "-name"}).heads[0].sort == "name"
    assert tables.select(table(), {"sort": "-name"}).sorted_by == "Name"


def test_pages_are_cut_and_clamped() -> None:
    rows: tuple[Row, ...] = tuple((f"row {number}", "web", (), number, ON) for number in range(120))

    def page(**query: str) -> Any:
        return tables.select(table(rows), query).page

    assert len(page()) == tables.USUAL_SIZE
    assert page(page="2")[0][0] == "row 50"
    assert (page(page="3", size="25").number, page(page="3", size="25")[0][0]) == (3, "row 50")
    assert page(page="99").number == 3
    assert len(page(size="100")) == 100
    assert page(size="7").paginator.per_page == tables.USUAL_SIZE  # nobody loads what is not offered
    assert page(size="100000").paginator.per_page == tables.USUAL_SIZE


@pytest.mark.parametrize(
    "value",
    [
        "",
        "-1",
        "0",
        "1e9",
        "9" * 5000,
        "NaN",
        "٣",
        "\0",
        "' OR 1=1 --",
        "<script>alert(1)</script>",
        "../../etc",
        "x" * 9000,
    ],
)
@pytest.mark.parametrize("name", ["page", "size", "sort", "q", "f-kind", "f-nothing", "table", "context", "__class__"])
def test_hostile_addresses_are_harmless(name: str, value: str) -> None:
    found = tables.select(table(), {name: value})
    assert 0 <= found.found <= 4
    assert found.page.number == 1
    assert len(found.heads) == len(COLUMNS)


def test_digits_of_any_length_are_compared() -> None:
    rows: tuple[Row, ...] = tuple((f"n{text}", None, (), None, ON) for text in ("9" * 150, "007", "8", "9" * 149))
    found = tables.select(table(rows), {"sort": "name"}).page
    assert [len(str(row[0])) for row in found] == [4, 2, 150, 151]


def test_half_characters_and_reversed_names_survive_the_way_into_an_address() -> None:
    rows: tuple[Row, ...] = (("broken \ud800 half", "\u202egnp", (), 1, ON),)
    found = tables.select(table(rows), {})
    assert [choice.value for choice in found.facets[0].choices] == ["\\u{202E}gnp"]
    assert tables.select(table(rows), {"f-kind": "\\u{202E}gnp"}).found == 1
    assert tables.select(table(rows), {"q": "\\u{D800}"}).found == 1


def test_rows_that_are_held_are_not_made_again() -> None:
    def never() -> Iterator[Row]:
        raise AssertionError

    assert tables.select(Table("things", "Things", COLUMNS, never), {}, ROWS).total == 4


def test_choices_are_bounded() -> None:
    rows: tuple[Row, ...] = tuple((str(n), f"kind {n}", (), n, ON) for n in range(1000))
    rows = (*rows, ("long", "x" * 5000, (), 0, ON))
    choices = tables.select(table(rows), {}).facets[0].choices
    assert len(choices) <= tables.MOST_CHOICES
    assert all(len(choice.value) <= tables.LONGEST_CHOICE for choice in choices)
