"""No secret of Segment's answers is kept: the table of `redaction.py` is complete, and the shapes do what it says."""

import pytest

from connectors import records
from connectors.segment import guide, streams
from connectors.segment.redaction import FIELDS
from connectors.spec import CODE, COUNT, DROP, KEEP, NAMES, PATHS, PRINT, PRINTS, WHOLE, Shape, Stream, Way
from portal.canon import canonical
from tests.vendor import STREAMS, canary, classified, each_link, each_whole, filled, item_of, kept, only, rule_at, taken


@each_whole
def test_every_field_that_is_secret_or_personal_stands_in_the_table(stream: Stream, way: Way) -> None:
    table = {field for name, field in FIELDS if name == stream.name}
    found = classified(stream, way)
    assert {path for path in found if not any(f"{path}.".startswith(f"{field}.") for field in table)} == set()
    assert {field for field in table if not any(f"{path}.".startswith(f"{field}.") for path in found)} == set()


@pytest.mark.parametrize(("name", "field"), FIELDS)
def test_no_value_of_a_field_in_the_table_survives(name: str, field: str) -> None:
    stream, way = only(name)
    record = taken(stream, way, filled(item_of(way)) if field != "email" or name == "users" else canary("email"))
    sign = canary(field).encode()  # the field itself or what is below it
    assert sign in canonical(record) or name == "credentials"  # taken out even before the allow-list
    rest, _ = kept(stream, record)
    assert (sign in canonical(rest)) == (FIELDS[name, field] == "personal")
    known_by = {"invites": "email", "group_invites": "email"}.get(name)
    assert (canary(field) in records.key_of(stream, rest)) == (field == known_by)


@each_link
def test_no_secret_survives_in_a_link(stream: Stream, way: Way) -> None:
    assert not {field for name, field in FIELDS if name == stream.name}
    rest, _ = kept(stream, taken(stream, way, filled(item_of(way))))
    for path in classified(stream, way):
        assert canary(path).encode() not in canonical(rest)


def test_a_program_is_kept_as_size_and_digest_and_as_text_only_where_that_is_wanted() -> None:
    programs = {stream.name for stream in streams.ALL if CODE in stream.shape.values()}
    assert programs == {"function_code", "reverse_etl_models"}
    assert programs == {s.name for s in streams.ALL if records.policy(s) != records.policy(s, code=True)}
    for name, field in (("function_code", "code"), ("reverse_etl_models", "query")):
        stream, way = only(name)
        record = {**taken(stream, way, filled(item_of(way))), field: "one\ntwo"}
        plain, wanted = kept(stream, record)[0], kept(stream, record, code=True)[0]
        assert plain[field].keys() == {"sha256", "bytes", "lines"}
        assert plain[field]["bytes"] == 7
        assert wanted[field] == {**plain[field], "text": "one\ntwo"}
        assert {**wanted, field: plain[field]} == plain, "nothing else changes"


def test_a_mapping_keeps_where_fields_go_and_no_literal() -> None:
    stream, way = only("destination_subscriptions")
    settings = {
        "email": {"@path": "$.traits.email"},
        "name": {"@template": "Hello SECRET {{properties.name}}"},
        "token": "SECRET",
        "list": ["SECRET", {"@path": "$.a"}],
    }
    record, _ = kept(stream, taken(stream, way, {"id": "s", "settings": settings}))
    assert record["settings"] == {
        "email": {"@path": "$.traits.email"},
        "name": {"@template": ["{{properties.name}}"]},
        "token": {"literal": "str"},
        "list": [{"literal": "str"}, {"@path": "$.a"}],
    }


def test_a_changed_hash_key_shows_without_being_kept() -> None:
    stream, _ = only("transformations")
    one, again, other = (
        kept(stream, {"id": "t", "hashPropertiesConfiguration": {"algorithm": "SHA256", "key": key}})[0]
        for key in ("SECRET", "SECRET", "OTHER")
    )
    assert one == again != other


def test_suppressed_people_are_prints_and_a_number_in_whatever_order_they_come() -> None:
    stream, way = only("suppressions")
    one, again, other = (
        kept(stream, taken(stream, way, {"subjectType": "userId", "subjectIds": ids}))
        for ids in (["b", "a"], ["a", "b"], ["a"])
    )
    assert one[0] == again[0]
    assert one[0]["count"] == 2
    assert one[0]["subjects"] != other[0]["subjects"]
    assert one[0].keys() == {"subjectType", "subjects", "count"}
    assert not one[1].unknown
    assert kept(stream, taken(stream, way, {"subjectType": "userId", "subjectIds": None}))[0] == {
        "subjectType": "userId"
    }
    assert taken(stream, way, "text") == "text"


def test_of_a_credential_only_the_kind_is_kept() -> None:
    stream, way = only("credentials")
    record, notes = kept(stream, taken(stream, way, {"id": "c", "settings": {"type": "Snowflake", "user": "SECRET"}}))
    assert record == {"id": "c", "settings": {"type": "Snowflake"}}
    assert not notes.unknown, "names of a credential's settings are nobody's business"
    assert taken(stream, way, {"id": "c", "settings": ["SECRET"]}) == {"id": "c", "settings": {"type": None}}


def test_the_rules_of_secrets_are_the_ones_that_keep_no_value() -> None:
    silent = {NAMES, PRINT, PRINTS, COUNT, CODE, PATHS, DROP}
    for (name, field), kind in FIELDS.items():
        rule = rule_at(STREAMS[name].shape, field)
        if kind == "personal":
            assert rule is KEEP
        else:
            assert name == "credentials" or rule in silent  # of their settings `record` leaves only the type
    free = {(name, f) for name, stream in STREAMS.items() for f, rule in flat(stream.shape) if rule is WHOLE}
    assert free == {
        ("tracking_plan_rules", "jsonSchema"),
        ("destination_filters", "actions.fields"),
        ("warehouse_selective_syncs", "properties"),
    }


def flat(shape: Shape, path: str = "") -> list[tuple[str, Shape]]:
    if isinstance(shape, list):
        return flat(shape[0], path)
    if not isinstance(shape, dict):
        return [(path, shape)]
    return [each for name, inner in shape.items() for each in flat(inner, f"{path}.{name}" if path else name)]


def test_the_guide_speaks_of_what_is_never_kept() -> None:
    said = " ".join(guide.GUIDE.never)
    for word in ("GET requests only", "sha256", "keyed fingerprint", "sample values", "names of the settings"):
        assert word in said
