"""What holds for every report of a Segment workspace, whatever is in the records."""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest

from connectors.segment import streams
from connectors.segment.reports import ALL
from connectors.spec import (
    COUNT,
    DROP,
    KEEP,
    NAMES,
    PRINTS,
    UNREADABLE,
    WHOLE,
    Cell,
    Coverage,
    Report,
    ReportSpec,
    State,
)
from evidence.flow import draw
from tests.snapshots import (
    INCOMPLETE,
    TITLES,
    WORKSPACE,
    Fake,
    build,
    destination,
    rows,
    source,
    unknown,
    word,
    workspace,
)

HOSTILE = [
    "=1+1",
    "<script>alert(1)</script>",
    "\u202eright to left",
    "مرحبا",
    "店舗👩\u200d👧",
    "a\r\nb\tc",
    "\ud800 alone",
    "x" * 10_240,
    '#read("x")',
    "\x00\x1b[31m",
]


def cells(report: Report) -> Iterator[Cell]:
    for _, cell in report.facts:
        yield cell
    for table in report.tables:
        for row in table.rows():
            assert len(row) == len(table.columns)
            yield from row


def proper(cell: Cell) -> bool:
    if isinstance(cell, tuple):
        return all(isinstance(each, str) for each in cell)
    return cell is None or isinstance(cell, (str, int, float, bool, State))


@pytest.mark.parametrize("name", HOSTILE)
def test_foreign_names_pass_through_unchanged(name: str) -> None:
    held = workspace()
    for stream in ("sources", "destinations", "warehouses", "tracking_plans", "users", "groups"):
        held[stream][0]["name"] = name
    held["tracking_plan_rules"][0]["key"] = name
    for report, table, column in (
        ("data-flow", "routes", "source"),
        ("sources", "sources", "name"),
        ("destinations", "destinations", "name"),
        ("destinations", "warehouses", "name"),
        ("tracking-plans", "plans", "name"),
        ("tracking-plans", "rules", "event"),
        ("people", "people", "name"),
        ("people", "groups", "name"),
    ):
        assert name in [row[column] for row in rows(build(report, Fake(held)), table)]


@pytest.mark.parametrize("blank", ["", " ", "\u2003", None])
def test_a_blank_name_falls_back_to_slug_or_id(blank: str | None) -> None:
    held = workspace(sources=[source("s1", "x")], destinations=[destination("d1", "y", "s1")])
    held["sources"][0]["name"] = held["destinations"][0]["name"] = blank
    row = rows(build("data-flow", Fake(held)), "routes")[0]
    assert (row["source"], row["receiver"]) == ("s1-slug", "d1")


def whole(shape: Any) -> Any:
    """A record with every field of its shape; all scalars are alike, so that everything is linked to everything."""
    if isinstance(shape, dict):
        return {name: whole(inner) for name, inner in shape.items() if inner is not DROP}
    if isinstance(shape, list):
        return [whole(shape[0])]
    return {KEEP: "x", WHOLE: {"properties": {}}, COUNT: 1, NAMES: ["a"], PRINTS: {"count": 1, "prints": ["p"]}}[shape]


def places(shape: Any, *path: str) -> Iterator[tuple[str, ...]]:
    if isinstance(shape, list):
        yield from places(shape[0], *path, "[]")
    elif isinstance(shape, dict):
        for name, inner in shape.items():
            if inner is not DROP:
                yield (*path, name)
                yield from places(inner, *path, name)


def spoiled(record: Any, path: tuple[str, ...], value: Any) -> Any:
    found = deepcopy(record)
    held = found
    for name in path[:-1]:
        held = held[0] if name == "[]" else held[name]
    if value is ...:
        del held[path[-1]]
    else:
        held[path[-1]] = value
    return found


FULL = {stream.name: [whole(stream.shape)] for stream in streams.ALL}
PLACES = [
    (stream.name, path)
    for stream in streams.ALL
    for path in places(stream.shape)
    if path[0] not in stream.key[:1]  # without it no record is kept
]


@pytest.mark.parametrize("spec", ALL, ids=lambda spec: spec.name)
def test_any_field_may_be_missing_empty_or_unreadable(spec: ReportSpec) -> None:
    assert all(map(proper, cells(spec.build(Fake(FULL), {}))))
    spoils = [({UNREADABLE: "list"}), None, ..., ""]
    concerned = [(stream, path) for stream, path in PLACES if stream in spec.streams]
    assert len(concerned) > 20
    for stream, path in concerned:
        for value in spoils:
            held = {**FULL, stream: [spoiled(FULL[stream][0], path, value)]}
            report = spec.build(Fake(held), {})
            assert all(map(proper, cells(report))), (stream, path, value)
            if report.flow:
                draw(report.flow)


@pytest.mark.parametrize("spec", ALL, ids=lambda spec: spec.name)
def test_an_unreadable_field_is_a_state_not_a_blank(spec: ReportSpec) -> None:
    name = {"data-flow": "sources", "tracking-plans": "tracking_plans", "people": "groups"}.get(spec.name, spec.name)
    field = {"tracking_plans": "description", "groups": "memberCount"}.get(name, "enabled")
    held = workspace()
    held[name][0][field] = {UNREADABLE: "dict"}
    found = [cell for cell in cells(spec.build(Fake(held), {})) if unknown(cell)]
    assert "Unreadable" in map(word, found)


@pytest.mark.parametrize("spec", ALL, ids=lambda spec: spec.name)
def test_a_report_asks_for_no_stream_that_it_does_not_declare(spec: ReportSpec) -> None:
    view = Fake(WORKSPACE)
    list(cells(spec.build(view, {})))
    assert {stream for stream, _ in view.asked} | view.looked <= set(spec.streams)


@pytest.mark.parametrize("spec", ALL, ids=lambda spec: spec.name)
def test_the_same_records_give_the_same_rows_in_whatever_order_they_come(spec: ReportSpec) -> None:
    backwards = {stream: held[::-1] for stream, held in workspace().items()}
    backwards["tracking_plan_rules"] = WORKSPACE["tracking_plan_rules"]  # streamed as they come: in the order of keys
    first, again = spec.build(Fake(WORKSPACE), {}), spec.build(Fake(backwards), {})
    assert first.flow == again.flow
    assert first.facts == again.facts
    for one, other in zip(first.tables, again.tables, strict=True):
        assert list(one.rows()) == list(other.rows()) == list(one.rows())


@pytest.mark.parametrize("coverage", INCOMPLETE)
@pytest.mark.parametrize("spec", ALL, ids=lambda spec: spec.name)
def test_where_nothing_could_be_read_no_number_is_said(spec: ReportSpec, coverage: Coverage) -> None:
    report = spec.build(Fake({}, dict.fromkeys(TITLES, coverage)), {})
    assert all(isinstance(cell, State) for _, cell in report.facts)
    assert all(table.note for table in report.tables)
    assert report.flow is None


def test_reports_have_names_for_addresses_and_a_question() -> None:
    assert [spec.name for spec in ALL] == ["data-flow", "sources", "destinations", "tracking-plans", "people"]
    for spec in ALL:
        assert spec.question.endswith("?")
        for table in spec.build(Fake(WORKSPACE), {}).tables:
            assert len({column.name for column in table.columns}) == len(table.columns)
            assert len({column.title for column in table.columns}) == len(table.columns)
