"""The vendor's schema of what a stream lists, and records filled from it."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from connectors import records
from connectors.segment import streams
from connectors.spec import DROP, Moment, OneOf, Stream, Way

Json = Any
SCHEMA = json.loads((Path(__file__).parent / "segment_schema.json").read_text())
STREAMS = {stream.name: stream for stream in streams.ALL}
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
WAYS = [(stream, way) for stream in streams.ALL for way in stream.ways]

# Of the fields of what is listed these keep two ids, or only the permissions.
LINKS = frozenset({"warehouse_sources", "tracking_plan_sources", "group_users", "user_permissions"})

# What the fact sheet calls SECRET, SECRET?, CONFIDENTIAL or PII, by schema; of schemas that no stream lists, nothing.
CLASSIFIED: dict[str, set[str]] = {
    "SourceV1": {"writeKeys", "settings"},
    "DestinationV1": {"settings"},
    "Contact": {"email", "name"},
    "WarehouseV1": {"settings"},
    "ProfilesWarehouseAlpha": {"settings"},
    "CredentialV1": {"settings"},
    "InsertFunctionInstanceAlpha": {"settings", "encryptedSettings"},
    "DestinationSubscription": {"settings"},
    "FunctionV1": {"code", "previewWebhookUrl"},
    "HashPropertiesConfiguration": {"key"},
    "PropertyValueTransformationV1": {"propertyValue"},
    "ReverseEtlModel": {"query"},
    "UserV1": {"email", "name"},
    "MinimalUserV1": {"email", "name"},
    "ListInvitesV1Output": {"invites"},
    "ListInvitesFromUserGroupV1Output": {"emails"},
    "AuditEventV1": {"actorEmail"},
    "RegulationListEntryV1": {"subjects"},
    "SuppressedInner": {"subjectIds"},
    "SyncNoticeV1": {"message"},
}


def resolved(schema: Json) -> tuple[str, Json]:
    """A schema without references, with the fields of all its alternatives; and its name, "" when it has none."""
    if "allOf" in schema:
        [schema] = schema["allOf"]
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return name, resolved(SCHEMA["components"]["schemas"][name])[1]
    if "anyOf" in schema:
        parts = [resolved(each)[1] for each in schema["anyOf"]]
        return "", {"type": "object", "properties": {k: v for each in parts for k, v in each["properties"].items()}}
    return "", schema


@cache
def operation(path: str) -> Json:
    """What the vendor documents for a path, whatever the names in its braces are."""
    [found] = [each for known, each in SCHEMA["paths"].items() if _anonymous(known) == _anonymous(path)]
    return found["get"]


def _anonymous(path: str) -> str:
    return re.sub(r"\{\w+\}", "{}", path)


def data_of(way: Way) -> tuple[str, Json]:
    answer = operation(way.path)["responses"]["200"]["content"]["application/json"]["schema"]
    return resolved(resolved(answer)[1]["properties"]["data"])


def item_of(way: Way) -> Json:
    """The schema of one item."""
    data = data_of(way)[1]
    if not way.items:
        return data
    found = data["properties"][way.items]
    inner = resolved(found)[1]
    return inner["items"] if inner.get("type") == "array" else found


def fields(schema: Json, path: str = "") -> Iterator[tuple[str, str, Json]]:
    """Every field below a schema: name of the schema that has it, path, and its own schema."""
    name, found = resolved(schema)
    if found.get("type") == "array":
        yield from fields(found["items"], path)
    for field, inner in found.get("properties", {}).items():
        below = f"{path}.{field}" if path else field
        yield name, below, inner
        yield from fields(inner, below)


def canary(path: str) -> str:
    return f"canary of {path}."  # the dot, so that no field's begins as another's


def filled(schema: Json, path: str = "") -> Json:
    """A value of that schema that holds every documented field, with a canary in each text."""
    found = resolved(schema)[1]
    if "enum" in found:
        return found["enum"][0]
    kind = found.get("type")
    if kind == "array":
        return [filled(found["items"], path)]
    if kind == "object" and "properties" in found:
        return {name: filled(inner, f"{path}.{name}" if path else name) for name, inner in found["properties"].items()}
    if kind == "string":
        return canary(path)
    return {"boolean": True, "number": 7}.get(kind, {"one": canary(path), "more": [{"deep": canary(path)}]})


def given(way: Way, **own: str) -> dict[str, str]:
    """What a listing of this way is asked with."""
    if not way.parent:
        return own
    parent = STREAMS[way.parent]
    rules = {name: parent.shape[name] for name in (*parent.key, *way.fields)}
    return {name: min(rule.words) if isinstance(rule, OneOf) else f"given {name}" for name, rule in rules.items()} | own


def classified(stream: Stream, way: Way) -> set[str]:
    """The fields of its items that the fact sheet calls secret, confidential or personal."""
    if stream.name in ("invites", "group_invites"):
        return {"email"} if way.items in CLASSIFIED[data_of(way)[0]] else set()
    return {path for name, path, _ in fields(item_of(way)) if path.rpartition(".")[2] in CLASSIFIED.get(name, ())}


def listing(way: Way, moment: Moment) -> dict[str, str]:
    return dict(list(way.listings(moment))[-1])


def taken(stream: Stream, way: Way, item: Json) -> Json:
    """The item as it is put together before the allow-list."""
    return way.record(given(way, **listing(way, Moment(NOON))), item)


def kept(stream: Stream, record: Json, *, code: bool = False) -> tuple[Json, records.Notes]:
    notes = records.Notes()
    return records.compile_shape(stream.shape, code=code)(record, notes), notes


def only(name: str) -> tuple[Stream, Way]:
    stream = STREAMS[name]
    return stream, stream.ways[0]


def rule_at(shape: Json, path: str) -> Json:
    for name in path.split("."):
        shape = shape[0] if isinstance(shape, list) else shape
        if not isinstance(shape, dict):
            return shape
        shape = shape.get(name, DROP)
    return shape[0] if isinstance(shape, list) else shape


def ways(found: list[tuple[Stream, Way]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(("stream", "way"), found, ids=[f"{stream.name} {way.path}" for stream, way in found])


each_way = ways(WAYS)
each_whole = ways([(stream, way) for stream, way in WAYS if stream.name not in LINKS])
each_link = ways([(stream, way) for stream, way in WAYS if stream.name in LINKS])
