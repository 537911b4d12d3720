"""The streams of Segment fit the vendor's schema, keep their keys, and ask for the right things."""

import json
from datetime import UTC, datetime

import pytest

from connectors import records
from connectors.segment import connector, streams
from connectors.spec import COUNT, DROP, KEEP, PRINT, PRINTS, Json, Moment, OneOf, Stream, Way
from tests.vendor import (
    NOON,
    STREAMS,
    data_of,
    each_link,
    each_way,
    each_whole,
    fields,
    filled,
    given,
    item_of,
    kept,
    listing,
    only,
    operation,
    resolved,
    rule_at,
    taken,
)

each_stream = pytest.mark.parametrize("stream", streams.ALL, ids=lambda stream: stream.name)


# --- the vendor's schema --------------------------------------------------------------------------------


@each_way
def test_a_stream_asks_for_what_the_vendor_documents(stream: Stream, way: Way) -> None:
    asked = operation(way.path)
    known = {each["name"]: each for each in asked["parameters"] if each["in"] == "query"}
    sent = {**way.query, **listing(way, Moment(NOON, "2026-01-01T00:00:00Z/x"))}
    assert sent.keys() <= known.keys() - {"pagination"}
    assert {name for name, each in known.items() if each.get("required")} <= sent.keys()
    for name, value in sent.items():
        assert "{" in value or value in resolved(known[name]["schema"])[1].get("enum", [value])
    assert way.paged <= ("pagination" in known)
    assert not way.items or way.items in data_of(way)[1]["properties"]
    documented = asked["parameters"]
    assert way.path.count("{") == sum(each["in"] == "path" for each in documented)


@each_way
def test_whatever_is_paged_is_read_to_its_end(stream: Stream, way: Way) -> None:
    pages = any(each["name"] == "pagination" for each in operation(way.path)["parameters"])
    totals = way.path.startswith("/delivery-overview/")  # asked without groups: one total, which needs no pages
    assert way.paged == (pages and not totals)


@each_whole
def test_every_documented_field_is_known_and_of_the_kind_that_its_rule_takes(stream: Stream, way: Way) -> None:
    record, notes = kept(stream, taken(stream, way, filled(item_of(way))))
    assert not notes.unknown
    assert not notes.wrong
    assert not notes.words.keys() - {"status"}
    assert record


@each_link
def test_a_link_keeps_two_ids_and_nothing_else(stream: Stream, way: Way) -> None:
    item = filled(item_of(way))
    record, notes = kept(stream, taken(stream, way, item))
    assert record.keys() == stream.shape.keys()
    assert not notes.unknown
    assert not notes.wrong
    assert not notes.words


# The vendor names these in words instead of as an enum.
IN_WORDS = {("audiences", "status"), ("computed_traits", "status")}


@each_way
def test_every_documented_enum_is_declared_word_by_word(stream: Stream, way: Way) -> None:
    for _, path, schema in fields(item_of(way)):
        found = resolved(schema)[1]
        words = resolved(found["items"])[1].get("enum") if found.get("type") == "array" else found.get("enum")
        rule = rule_at(stream.shape, path)
        if words and rule not in (DROP, COUNT):
            assert rule == OneOf(frozenset(words)), path
        elif isinstance(rule, OneOf):
            assert (stream.name, path) in IN_WORDS, path


def test_a_new_word_is_kept_and_noted() -> None:
    stream, way = only("regulations")
    record, notes = kept(stream, {**filled(item_of(way)), "status": "PAUSED"})
    assert record["status"] == "PAUSED"
    assert dict(notes.words) == {"status": 1}


# --- keys -----------------------------------------------------------------------------------------------


@each_way
def test_a_record_keeps_its_key_which_begins_as_the_way_says(stream: Stream, way: Way) -> None:
    assert {stream.shape[name] if not isinstance(stream.shape[name], OneOf) else KEEP for name in stream.key} <= {
        KEEP,
        PRINT,
    }
    asked = given(way, **listing(way, Moment(NOON)))
    record, _ = kept(stream, way.record(asked, filled(item_of(way))))
    assert all(record[name] for name in stream.key)
    key = records.key_of(stream, record)
    assert key.count("/") == len(stream.key) - 1
    if way.parent and way.within:
        parent = STREAMS[way.parent]
        assert key.startswith("/".join(asked[name] for name in parent.key))
    if way.part:
        assert {each[way.part] for each in way.listings(Moment(NOON))} == stream.shape[way.part].words
        assert key.startswith(asked[way.part] + "/")


@each_stream
def test_a_stream_points_to_what_exists_and_says_what_it_needs(stream: Stream) -> None:
    assert stream.refers.keys() <= stream.shape.keys()
    assert stream.gate or stream.name in ("workspace", "labels")
    assert stream.source.startswith("https://docs.segmentapis.com/tag/")
    assert stream.about.endswith(".")
    assert stream.group.standard or stream.group.caution
    assert all(role in stream.gate for role in stream.roles), "what it needs reads as it is declared"
    assert not (stream.open and stream.roles)


def test_a_write_key_is_counted_where_segment_shows_one_and_nowhere_else() -> None:
    [exposure] = connector.exposed
    assert connector.stream(exposure.stream).shape[exposure.field] == PRINTS
    items: list[Json] = [{"writeKeys": ["a", "b"]}, {"writeKeys": []}, {"writeKeys": [""]}, {}, 1]
    shown = [exposure.count(item) for item in items]
    assert shown == [2, 0, 0, 0, 0]


def test_what_costs_much_or_has_an_effect_is_off_until_somebody_wants_it() -> None:
    assert [group.name for group in connector.groups if not group.standard] == ["delivery", "side-effects"]
    slow = {stream.name for stream in streams.ALL if stream.slow}
    assert slow == {"warehouse_sync_schedules", "warehouse_syncs", "warehouse_selective_syncs"}


# --- when and whether to ask ----------------------------------------------------------------------------


def months(year: int, month: int, day: int) -> list[str]:
    way = only("usage_mtu")[1]
    return [each["period"] for each in way.listings(Moment(datetime(year, month, day, 3, tzinfo=UTC)))]


def test_usage_is_read_for_this_month_and_until_the_fifth_for_the_one_before() -> None:
    assert months(2026, 11, 5) == ["2026-10-01", "2026-11-01"]
    assert months(2026, 11, 6) == ["2026-11-01"]
    assert months(2026, 1, 1) == ["2025-12-01", "2026-01-01"]
    assert months(2028, 3, 1) == ["2028-02-01", "2028-03-01"]
    assert months(2028, 2, 29) == ["2028-02-01"]


@pytest.mark.parametrize(
    ("now", "start", "end"),
    [
        (datetime(2028, 3, 1, 0, 0, 1, tzinfo=UTC), "2028-02-29", "2028-03-01"),
        (datetime(2027, 3, 1, 12, tzinfo=UTC), "2027-02-28", "2027-03-01"),
        (datetime(2027, 1, 1, 23, 59, tzinfo=UTC), "2026-12-31", "2027-01-01"),
    ],
)
def test_delivery_is_read_for_the_last_whole_day(now: datetime, start: str, end: str) -> None:
    for name in ("delivery_received", "delivery_failed", "delivery_metrics"):
        stream, way = only(name)
        [asked] = way.listings(Moment(now))
        assert asked == {"startTime": f"{start}T00:00:00Z", "endTime": f"{end}T00:00:00Z", "granularity": "DAY"}
        record, _ = kept(stream, way.record(given(way, **asked), filled(item_of(way))))
        assert record["day"] == start
        assert record["sourceId"] in ("given id", "given sourceId")


def test_the_audit_trail_is_read_from_just_before_the_newest_known_event() -> None:
    stream, way = only("audit_events")
    assert list(way.listings(Moment(NOON))) == [{}]
    assert list(way.listings(Moment(NOON, "nonsense/1"))) == [{}]
    event = {"id": "events/145876976", "timestamp": "2026-03-01T00:00:00.250Z"}
    key = records.key_of(stream, kept(stream, event)[0])
    [asked] = way.listings(Moment(NOON, key))
    assert asked == {"startTime": "2026-02-28T23:59:59Z"}
    assert datetime.fromisoformat(asked["startTime"]) < datetime.fromisoformat(event["timestamp"])


def test_keys_of_logs_sort_by_time() -> None:
    for name in ("audit_events", "usage_mtu", "usage_api_calls"):
        assert STREAMS[name].grows
        assert STREAMS[name].key[0] == "timestamp"
    assert STREAMS["warehouse_syncs"].key == ("warehouseId", "start", "sourceId")


def test_only_destinations_with_actions_are_asked_for_mappings() -> None:
    ask = only("destination_subscriptions")[1].ask
    assert [ask({"metadata": {"actions": actions}}) for actions in ([], 0, [{"id": "a"}], 3)] == [
        False,
        False,
        True,
        True,
    ]
    assert ask({})
    assert ask({"metadata": "strange"})
    assert ask({"metadata": {"actions": {"$unreadable": "str"}}})


def test_only_insert_functions_are_asked_for_instances() -> None:
    _, way = only("insert_function_instances")
    assert {kind for kind in streams.functions.TYPES if way.ask({"resourceType": kind})} == {
        "INSERT_DESTINATION",
        "INSERT_SOURCE",
        "INSERT_TRANSFORMATION",
    }
    assert way.ask({}), "where the type is missing it is safer to ask"


def test_a_function_that_is_null_gives_no_record() -> None:
    stream, way = only("function_code")
    assert taken(stream, way, None) is None
    listed = only("functions")
    assert taken(*listed, None) is None
    assert taken(stream, way, {"previewWebhookUrl": ""})["previewWebhookUrl"] is None


def test_groups_without_members_are_asked_for_invitations_all_the_same() -> None:
    assert not only("group_users")[1].ask({"memberCount": 0})
    assert only("group_invites")[1].ask({"memberCount": 0})


def test_a_sighting_is_not_a_change() -> None:
    stream, way = only("warehouse_selective_syncs")
    seen = {"enabled": True, "type": "integer", "lastSeenAt": "2026-01-02T15:04:05.000Z"}
    record = taken(stream, way, {"collection": "tracks", "properties": {"amount": seen, "odd": "text"}})
    assert record["properties"] == {"amount": {"enabled": True, "type": "integer"}, "odd": "text"}
    assert taken(stream, way, {"properties": None})["properties"] is None
    assert taken(stream, way, None) is None


@each_way
def test_nothing_that_may_come_breaks_a_declaration(stream: Stream, way: Way) -> None:
    project = records.compile_shape(stream.shape)
    strange: list[Json] = [None, "text", 7, [], {}, {"settings": "x", "metadata": 3, "subjectIds": {}}]
    for item in strange:
        record = taken(stream, way, item)
        json.dumps(project(record, records.Notes()))
        way.ask(item if isinstance(item, dict) else {})
        way.embedded(item if isinstance(item, dict) else {})
