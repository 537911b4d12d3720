"""What happened to a record, in words and by meaning. Pure: no database, no server."""

import random
from typing import Any

import pytest

from connectors.segment import connector, schemas
from connectors.spec import ABSENT, Beside, Connector, NotDeclared, Wording
from evidence.changes import Kind, compare, tell
from evidence.keys import KeyConverter

FILTER = {
    "id": "f1",
    "destinationId": "d1",
    "title": "drop SSN",
    "enabled": True,
    "if": 'type = "track"',
    "actions": [{"type": "DROP_PROPERTIES", "fields": {"properties": ["ssn"]}}],
    "updatedAt": "2026-01-01T00:00:00Z",
}
NAMES = {("destinations", "d1"): "Facebook Pixel", ("users", "u1"): "Mara", ("tracking_plans", "tp"): "Web plan"}


def sentence(stream: str, before: Any, after: Any, *keys: str) -> str:
    return tell(connector.wording(stream), before, after, NAMES, keys).sentence


# --- words --------------------------------------------------------------------------------------


def test_what_was_switched_off_is_said_so() -> None:
    said = sentence("destination_filters", FILTER, {**FILTER, "enabled": False, "updatedAt": "later"}, "d1")
    assert said == "Filter “drop SSN” on “Facebook Pixel” was disabled"


def test_several_changes_are_one_sentence_and_what_is_quiet_is_left_out() -> None:
    after = {**FILTER, "if": "all", "enabled": False, "actions": [{"type": "DROP"}], "updatedAt": "later"}
    said = sentence("destination_filters", FILTER, after, "d1")
    assert said.startswith("Filter “drop SSN” on “Facebook Pixel” was disabled; ")
    assert "actions: “Drops the event” added, “Drops properties ssn” removed" in said
    assert 'condition changed from “type = "track"” to “all”' in said
    assert "updated" not in said
    assert "updated at changed" in sentence("destination_filters", FILTER, {**FILTER, "updatedAt": "later"}, "d1")


def test_what_came_and_what_went() -> None:
    assert sentence("destination_filters", None, FILTER, "d1").endswith("on “Facebook Pixel” was added")
    told = tell(connector.wording("destination_filters"), FILTER, None, NAMES, ["d1"])
    assert (told.kind, told.name, told.sentence[-11:]) == (Kind.REMOVED, "drop SSN", "was removed")
    assert {each.path for each in told.differences} == {*FILTER}
    assert all(each.after is ABSENT for each in told.differences)


def test_a_place_that_nobody_knows_is_named_by_its_key() -> None:
    assert sentence("destination_filters", None, FILTER, "d9") == "Filter “drop SSN” on “d9” was added"
    assert sentence("destination_filters", None, FILTER, "") == "Filter “drop SSN” was added"


def test_rights_are_told_by_role() -> None:
    def with_(*roles: tuple[str, int]) -> Any:
        held = [
            {"roleId": role, "roleName": role, "resources": [{"id": f"s{at}", "type": "SOURCE"} for at in range(many)]}
            for role, many in roles
        ]
        return {"userId": "u1", "permissions": held}

    said = sentence("user_permissions", with_(("Reader", 1), ("Editor", 1)), with_(("Editor", 3), ("Owner", 2)), "u1")
    assert said == (
        "Rights of “Mara”: role “Owner” was given for 2 sources; role “Reader” was taken away; "
        "role “Editor” is now for other resources (1 before, 3 now)"
    )
    moved = with_(("Reader", 2), ("Editor", 1))
    moved["permissions"].reverse()
    assert "only written differently" in sentence("user_permissions", with_(("Reader", 2), ("Editor", 1)), moved, "u1")


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ({"name": "a"}, {"name": "b"}, "was renamed, before it was “a”"),
        ({"url": "x"}, {"url": "y"}, "url changed from “x” to “y”"),
        ({}, {"some": {"thingHere": 1}}, "some thing here set to 1"),
        ({"a": [1, 2]}, {"a": [2, 3, 4]}, "a: 2 added, 1 removed"),
        ({"a": ["x"]}, {"a": ["x", "y"]}, "a: 1 added (“y”)"),
        ({"a": [1, 2]}, {"a": [2, 1]}, "a were put in another order"),
        ({"a": None}, {"a": [1, 2]}, "a: 2 added"),
        ({"a": True}, {"a": 1}, "a changed from true to 1"),
        ({"a": {"sha256": "1", "bytes": 1}}, {"a": {"sha256": "2", "bytes": 1}}, "a was changed"),
        ({"k": {"count": 1, "prints": ["p"]}}, {"k": {"count": 2, "prints": ["p", "q"]}}, "k: 1 added (“q”)"),
        ({"a": "x" * 500}, {"a": None}, f"a taken away (was “{'x' * 59}…”)"),
        ({"a": {"$unreadable": "list"}}, {"a": "x"}, "a was changed"),
    ],
)
def test_fields_without_words_of_their_own(before: Any, after: Any, words: str) -> None:
    assert tell(Wording(noun="thing"), before, after, {}, []).predicate == words


def test_nothing_and_null_are_the_same() -> None:
    told = tell(Wording(noun="thing"), {"a": 1, "b": None, "c": []}, {"a": 1, "c": None, "d": {}}, {}, [])
    assert told.kind is Kind.REWRITTEN
    assert told.differences == ()


def test_many_differences_end_in_a_number() -> None:
    said = tell(Wording(noun="thing"), dict.fromkeys("abcdef", 1), dict.fromkeys("abcdef", 2), {}, []).sentence
    assert said == "Thing: a changed from 1 to 2; b changed from 1 to 2; c changed from 1 to 2; and 3 more"


def test_names_cannot_turn_a_sentence_round() -> None:
    nasty = {**FILTER, "title": "a\u202egnp.exe\0\ud800"}
    said = sentence("destination_filters", None, nasty, "d1")
    assert "\u202e" not in said
    assert "\\u{202E}" in said
    said.encode()


def test_the_code_of_a_function_is_told_by_its_size() -> None:
    before = {"displayName": "Hash", "code": {"sha256": "a", "bytes": 1024}}
    after = {"displayName": "Hash", "code": {"sha256": "b", "bytes": 2048}}
    assert sentence("function_code", before, after) == (
        "Code of function “Hash”: code was changed (1,024 bytes before, 2,048 now)"
    )


@pytest.mark.parametrize("stream", [stream.name for stream in connector.streams])
def test_every_stream_has_words_and_survives_whatever_stands_in_a_record(stream: str) -> None:
    wording = connector.wording(stream)
    assert stream in connector.wordings
    assert wording.noun
    names = [each.split(".")[0] for each in connector.stream(stream).shape]
    keys = ["k"] * len(wording.beside)
    for value in (None, 1, "x", [], ["x"], [{"a": 1}], {"a": 1}, {"$unreadable": "dict"}):
        record = dict.fromkeys(names, value)
        other = dict.fromkeys(names, "other")
        for before, after in ((record, other), (other, record), (None, record), (record, None)):
            told = tell(wording, before, after, {}, keys)
            assert told.sentence
            assert isinstance(told.differences, tuple)


def test_a_connector_that_has_words_for_an_unknown_stream_is_refused() -> None:
    held = {name: getattr(connector, name) for name in connector.__dataclass_fields__}
    for wordings in (
        {"nonsense": Wording(noun="x")},
        {"sources": Wording(noun="x", beside=(Beside("of", "no", ("a",)),))},
    ):
        with pytest.raises(NotDeclared):
            Connector(**{**held, "wordings": wordings})


# --- tracking plans by meaning ------------------------------------------------------------------


def rule(**properties: Any) -> dict[str, Any]:
    held = {"type": "object", "properties": properties, "required": sorted(properties)[:1]}
    return {"type": "object", "properties": {"properties": held, "traits": {}, "context": {}}}


def words(before: Any, after: Any) -> list[str]:
    return [each.words for each in schemas.compare("jsonSchema", before, after)]


EMAIL = {"type": "string", "description": "Where to write"}


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (rule(a=EMAIL), rule(a=EMAIL, b={"type": "integer"}), "property “b” was added (integer, optional)"),
        (rule(a=EMAIL, b=EMAIL), rule(a=EMAIL), "property “b” was removed"),
        (rule(a=EMAIL), rule(a={**EMAIL, "type": "number"}), "property “a”: type changed from string to number"),
        (rule(a=EMAIL), rule(a={**EMAIL, "description": "else"}), "property “a”: description changed"),
        (rule(a={"enum": [1, 2]}), rule(a={"enum": [2, 3]}), "property “a”: allowed values: 1 added, 1 removed"),
        (rule(a={"type": ["string"]}), rule(a={"type": ["string", "null"]}),
         "property “a”: type changed from string to string or null"),
        (rule(a={"items": {"type": "string"}}), rule(a={"items": {"type": "integer"}}),
         "property “a[]”: type changed from string to integer"),
        (rule(a={"type": "integer", "minimum": 1}), rule(a={"type": "integer", "minimum": True}),
         "property “a”: minimum changed from 1 to true"),
        (rule(a={"required": 7}), rule(a={"required": ["x"]}), "property “a”: required changed from 7 to x"),
        ({}, 7, "schema was replaced as a whole"),
    ],
)  # fmt: skip
def test_rules_are_compared_property_by_property(before: Any, after: Any, said: str) -> None:
    assert words(before, after) == [said]
    assert words(before, before) == words(after, after) == []


def test_what_became_required_is_said() -> None:
    before, after = rule(a=EMAIL, b=EMAIL), rule(a=EMAIL, b=EMAIL)
    after["properties"]["properties"]["required"] = ["b"]
    assert words(before, after) == ["property “a” became optional", "property “b” became required"]
    added = rule(a=EMAIL, aa=EMAIL)
    added["properties"]["properties"]["required"] = ["a", "aa"]
    assert words(rule(a=EMAIL), added) == ["property “aa” was added (string, required)"]


def test_a_rule_is_named_with_its_plan() -> None:
    before = {
        "trackingPlanId": "tp",
        "type": "TRACK",
        "key": "Order Completed",
        "version": 1,
        "jsonSchema": rule(a=EMAIL),
    }
    after = {**before, "jsonSchema": rule(a=EMAIL, b={"type": "string"})}
    said = sentence("tracking_plan_rules", before, after, "tp")
    assert said == "Rule “Order Completed” of “Web plan”: property “b” was added (string, optional)"


def random_schema(dice: random.Random, deep: int = 3) -> dict[str, Any]:
    names = dice.sample(["a", "b", "required", "type", "enum", "properties", "items", "é", "x.y"], dice.randint(0, 5))
    found: dict[str, Any] = {"type": dice.sample(["object", "null", "string"], 2), "minLength": 1}
    if deep:
        found["properties"] = {name: random_schema(dice, deep - 1) for name in names}
        found["required"] = [*names[:2], "z"]
        found["anyOf"] = [random_schema(dice, 0), {"required": ["a", "b"]}]
        found["items"] = random_schema(dice, deep - 1)
    found["enum"] = dice.sample([1, "1", None, True, {"required": [1]}, "two"], 4)
    return found


def shuffled(value: Any, dice: random.Random, name: str = "") -> Any:
    """The same meaning, written differently."""
    if isinstance(value, dict):
        items = [(key, shuffled(inner, dice, key)) for key, inner in value.items()]
        return dict(dice.sample(items, len(items)))
    if isinstance(value, list):
        inner = [shuffled(each, dice) for each in value]
        return dice.sample(inner, len(inner)) if name in schemas.UNORDERED else inner
    return float(value) if isinstance(value, int) and not isinstance(value, bool) and dice.random() < 0.5 else value


@pytest.mark.parametrize("seed", range(40))
def test_what_is_only_written_differently_means_the_same(seed: int) -> None:
    dice = random.Random(seed)
    before = random_schema(dice)
    assert words(before, shuffled(before, dice)) == []
    changed = shuffled(before, dice)
    changed["properties"] = {**changed["properties"], "new": {}}
    assert words(before, changed) == ["property “new” was added (any type, optional)"]


def test_a_record_can_be_compared_without_a_wording_of_its_own() -> None:
    assert [each.path for each in compare(Wording(noun="x"), {"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 3}})] == [
        "a.c"
    ]


# --- addresses ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "key", ["a", "tp/IDENTIFY//2", "..", "a/../b", "%2F/%00", "a~b", "?q=#x", "é/日本", "~2F", "x" * 254, "-_", "a b;c"]
)
def test_a_key_has_one_address_that_nothing_on_the_way_changes(key: str) -> None:
    converter = KeyConverter()
    address = converter.to_url(key)
    assert set(address) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_~")
    assert converter.to_python(address) == key


@pytest.mark.parametrize("address", ["~", "~2", "~2f", "~61", "~FF", "~ED~A0~80", "a~"])
def test_an_address_that_nobody_writes_is_none(address: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        KeyConverter().to_python(address)
