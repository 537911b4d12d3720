"""What holds for every report of a Segment workspace, whatever is in the records."""

from collections import Counter
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest

from connectors.segment import streams
from connectors.segment.reports import ALL
from connectors.spec import (
    CODE,
    COUNT,
    DROP,
    KEEP,
    NAMES,
    PATHS,
    PRINT,
    PRINTS,
    UNREADABLE,
    WHOLE,
    Cell,
    Coverage,
    OneOf,
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


FOREIGN = {
    **dict.fromkeys(("sources", "destinations", "warehouses", "tracking_plans", "users", "groups"), "name"),
    **dict.fromkeys(("reverse_etl_models", "spaces", "audiences", "computed_traits", "credentials"), "name"),
    "tracking_plan_rules": "key",
    "destination_filters": "title",
    "destination_subscriptions": "trigger",
    "transformations": "if",
    "functions": "displayName",
    "insert_function_instances": "name",
    "audit_events": "resourceName",
    "warehouse_selective_syncs": "collection",
    "profiles_warehouses": "schemaName",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_foreign_names_pass_through_unchanged(name: str) -> None:
    held = workspace()
    for stream, field in FOREIGN.items():
        held[stream][0][field] = name
    for report, table, column in (
        ("data-flow", "routes", "source"),
        ("sources", "sources", "name"),
        ("destinations", "destinations", "name"),
        ("destinations", "warehouses", "name"),
        ("tracking-plans", "plans", "name"),
        ("tracking-plans", "rules", "event"),
        ("people", "people", "name"),
        ("people", "groups", "name"),
        ("people", "credentials", "name"),
        ("on-the-way", "filters", "title"),
        ("on-the-way", "mappings", "trigger"),
        ("on-the-way", "transformations", "if"),
        ("on-the-way", "functions", "name"),
        ("on-the-way", "instances", "name"),
        ("activation", "models", "name"),
        ("activation", "spaces", "name"),
        ("activation", "audiences", "name"),
        ("activation", "traits", "name"),
        ("activity", "events", "resource"),
        ("warehouse-syncs", "selective", "collection"),
        ("warehouse-syncs", "profiles", "schema"),
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
    if isinstance(shape, OneOf):
        return min(shape.words)
    return deepcopy(AS_KEPT[shape])


AS_KEPT: dict[Any, Any] = {
    KEEP: "x",
    WHOLE: {"properties": {}},
    COUNT: 1,
    NAMES: ["a"],
    PRINT: "p",
    PRINTS: {"count": 1, "prints": ["p"]},
    CODE: {"sha256": "p", "bytes": 1, "lines": 1},
    PATHS: {"a": {"@path": "$.a"}, "b": {"literal": "str"}, "c": [{"@template": ["{{d}}"]}], "e": {"@if": {"f": []}}},
}


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
    assert len(concerned) >= 8
    for stream, path in concerned:
        for value in spoils:
            held = {**FULL, stream: [spoiled(FULL[stream][0], path, value)]}
            report = spec.build(Fake(held), {})
            assert all(map(proper, cells(report))), (stream, path, value)
            if report.flow:
                draw(report.flow)


UNREADABLE_FIELDS = {
    "data-flow": [("sources", "enabled")],
    "sources": [("sources", "enabled"), ("source_settings", "settings")],
    "destinations": [("destinations", "enabled")],
    "tracking-plans": [("tracking_plans", "description"), ("source_settings", "settings")],
    "on-the-way": [
        ("destination_filters", "actions"),
        ("destination_subscriptions", "settings"),
        ("function_code", "code"),
        ("insert_function_instances", "enabled"),
    ],
    "warehouse-syncs": [
        ("warehouse_sync_schedules", "schedule"),
        ("warehouse_syncs", "count"),
        ("warehouse_selective_syncs", "properties"),
        ("warehouse_connection_state", "connectionState"),
    ],
    "activation": [("reverse_etl_models", "query"), ("audiences", "size"), ("computed_traits", "enabled")],
    "people": [("groups", "memberCount"), ("credentials", "settings")],
    "privacy": [("regulations", "status"), ("regulations", "regulationType"), ("regulations", "subjects")],
    "activity": [("audit_events", "timestamp"), ("audit_events", "type")],
    "usage": [("usage_mtu", "identified"), ("usage_api_calls", "apiCalls"), ("delivery_metrics", "metrics")],
}


@pytest.mark.parametrize("spec", ALL, ids=lambda spec: spec.name)
def test_an_unreadable_field_is_a_state_not_a_blank(spec: ReportSpec) -> None:
    for stream, field in UNREADABLE_FIELDS[spec.name]:
        held = workspace()
        held[stream][0][field] = {UNREADABLE: "dict"}
        found = [cell for cell in cells(spec.build(Fake(held), {})) if unknown(cell)]
        assert "Unreadable" in map(word, found), (stream, field)


@pytest.mark.parametrize("spec", ALL, ids=lambda spec: spec.name)
def test_a_report_asks_for_no_stream_that_it_does_not_declare(spec: ReportSpec) -> None:
    view = Fake(WORKSPACE)
    list(cells(spec.build(view, {})))
    assert {stream for stream, _ in view.asked} | view.looked <= set(spec.streams)


# Passed on as they come, which is in the order of keys: there may be too many of them to hold.
STREAMED = (
    "tracking_plan_rules",
    "audit_events",
    "usage_mtu_by_source",
    "usage_api_calls_by_source",
    "delivery_metrics",
    "warehouse_syncs",
    "warehouse_selective_syncs",
)


@pytest.mark.parametrize("spec", ALL, ids=lambda spec: spec.name)
def test_the_same_records_give_the_same_rows_in_whatever_order_they_come(spec: ReportSpec) -> None:
    backwards = {stream: held[::-1] for stream, held in workspace().items()}
    backwards |= {stream: WORKSPACE[stream] for stream in STREAMED}
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


def figures(report: Report, table: str) -> Counter[Cell]:
    """How often each number stands in a table: names, which decide the order of rows, may be missing too."""
    found = next(each for each in report.tables if each.name == table)
    at = [place for place, column in enumerate(found.columns) if column.kind == "number"]
    return Counter(row[place] for row in found.rows() for place in at if isinstance(row[place], int))


@pytest.mark.parametrize("coverage", INCOMPLETE)
@pytest.mark.parametrize("spec", ALL, ids=lambda spec: spec.name)
def test_a_stream_that_could_not_be_read_changes_no_figure_unsaid(spec: ReportSpec, coverage: Coverage) -> None:
    """Taken away one by one: a fact stays what it was or becomes a state, and a table with other figures has a note."""
    whole_ = spec.build(Fake(WORKSPACE), {})
    for stream in spec.streams:
        report = spec.build(Fake(workspace(**{stream: []}), {stream: coverage}), {})
        for (name, before), (_, cell) in zip(whole_.facts, report.facts, strict=True):
            assert cell == before or isinstance(cell, State), (stream, name)
        for table in report.tables:
            new = figures(report, table.name) - figures(whole_, table.name)
            assert not new or table.note, (stream, table.name, new)


def test_reports_have_names_for_addresses_and_a_question() -> None:
    assert [spec.name for spec in ALL] == [
        "data-flow",
        "sources",
        "destinations",
        "tracking-plans",
        "on-the-way",
        "warehouse-syncs",
        "activation",
        "people",
        "privacy",
        "activity",
        "usage",
    ]
    for spec in ALL:
        assert spec.question.endswith("?")
        tables = spec.build(Fake(WORKSPACE), {}).tables
        assert len({table.name for table in tables}) == len({table.title for table in tables}) == len(tables)
        for table in tables:
            assert len({column.name for column in table.columns}) == len(table.columns)
            assert len({column.title for column in table.columns}) == len(table.columns)


@pytest.mark.parametrize("spec", ALL, ids=lambda spec: spec.name)
def test_a_part_is_named_by_an_id_that_another_table_lists(spec: ReportSpec) -> None:
    """The first other table that has ids lists the parts; asked for one by one they make up the whole."""
    report = spec.build(Fake(WORKSPACE), {})
    for table in report.tables:
        if not table.partition:
            continue
        listing = next(each for each in report.tables if each is not table and "id" in [c.name for c in each.columns])
        parts = [str(row["id"]) for row in rows(report, listing.name)]
        held = [row for part in parts for row in rows(spec.build(Fake(WORKSPACE), {table.partition: part}), table.name)]
        assert all(row[table.partition] in parts for row in held)
        assert sorted(map(str, held)) == sorted(map(str, rows(report, table.name))), (spec.name, table.name)
