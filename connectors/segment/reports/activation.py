"""Activation: who is selected from which data, and sent on: reverse ETL models, audiences, computed traits."""

from collections import Counter
from collections.abc import Iterator, Mapping

from ...spec import Cell, Column, Json, Record, Report, ReportSpec, Row, State, View
from . import fields, functions
from .between import MAPPINGS, how_many, on
from .inventory import Inventory

MODELS, SPACES, AUDIENCES, TRAITS = "reverse_etl_models", "spaces", "audiences", "computed_traits"
BROKEN = frozenset({"error", "failed"})
MODEL_COLUMNS = (
    Column("name", "Name"),
    Column("id", "Id", "id"),
    Column("source", "From source", filter=True),
    Column("source_id", "Source id", "id"),
    Column("enabled", "Enabled", filter=True),
    Column("receivers", "Sent to", "list", filter=True),
    Column("identifier", "Identified by column"),
    Column("sha256", "SHA-256 of the query", "id"),
    Column("lines", "Lines", "number"),
    Column("bytes", "Bytes", "number"),
    Column("description", "Description"),
)
SPACE_COLUMNS = (
    Column("name", "Name"),
    Column("id", "Id", "id"),
    Column("slug", "Slug", "id"),
    Column("audiences", "Audiences", "number"),
    Column("traits", "Computed traits", "number"),
)
AUDIENCE_COLUMNS = (
    Column("name", "Name"),
    Column("id", "Id", "id"),
    Column("key", "Key", "id"),
    Column("space", "Space", filter=True),
    Column("enabled", "Enabled", filter=True),
    Column("status", "Status", filter=True),
    Column("type", "Type", filter=True),
    Column("size", "Size", "number"),
    Column("unit", "Size counts", filter=True),
    Column("cadence", "Computed", filter=True),
    Column("definition", "Who is selected"),
    Column("description", "Description"),
    Column("created", "Created", "time"),
    Column("creator", "Created by", filter=True),
    Column("updated", "Updated", "time"),
    Column("editor", "Updated by", filter=True),
)
TRAIT_COLUMNS = (
    Column("name", "Name"),
    Column("id", "Id", "id"),
    Column("key", "Key", "id"),
    Column("space", "Space", filter=True),
    Column("enabled", "Enabled", filter=True),
    Column("status", "Status", filter=True),
    Column("definition", "How it is computed"),
    Column("created", "Created", "time"),
    Column("updated", "Updated", "time"),
)
NOTES = (
    "Of a reverse ETL query only a digest and its size are kept: equal digests mean equal queries.",
    "“Sent to” names the destinations that have an enabled mapping for the model.",
    "Where an audience is sent to is not part of this reading.",
    "Sizes are as Segment counted them last. One person can be in many audiences, so sizes cannot be added up.",
)


def build(view: View, only: Mapping[str, str]) -> Report:
    inventory = Inventory(view)
    tables = (
        inventory.table(
            "models",
            "Reverse ETL models",
            MODEL_COLUMNS,
            lambda: _models(inventory),
            MODELS,
            MAPPINGS,
        ),
        inventory.table("audiences", "Audiences", AUDIENCE_COLUMNS, lambda: _audiences(inventory), AUDIENCES),
        inventory.table("traits", "Computed traits", TRAIT_COLUMNS, lambda: _traits(inventory), TRAITS),
        inventory.table(
            "spaces",
            "Spaces",
            SPACE_COLUMNS,
            lambda: _spaces(inventory),
            SPACES,
            AUDIENCES,
            TRAITS,
        ),
    )
    return Report(tables, _facts(inventory), notes=NOTES)


# --- reverse ETL --------------------------------------------------------------------------------


def _models(inventory: Inventory) -> Iterator[Row]:
    mapped = inventory.grouped(MAPPINGS, "modelId")
    for model in fields.in_order(inventory.view.records(MODELS)):
        source, query = fields.identity(model, "sourceId"), fields.at(model, "query")
        receivers = {fields.identity(each, "destinationId") for each in on(mapped.get(fields.identity(model), ()))}
        yield (
            fields.name_of(model),
            fields.identity(model),
            inventory.source(source),
            source or None,
            fields.enabled(fields.at(model, "enabled")),
            fields.named(receivers, inventory.destination_names) or inventory.unknown(MAPPINGS) or (),
            fields.text(fields.at(model, "queryIdentifierColumn")),
            functions.program(query),
            fields.number(fields.at(query, "lines")),
            fields.number(fields.at(query, "bytes")),
            fields.text(fields.at(model, "description")),
        )


# --- spaces, audiences, traits ------------------------------------------------------------------


def _spaces(inventory: Inventory) -> Iterator[Row]:
    held = {
        stream: Counter(fields.identity(each, "spaceId") for each in inventory.view.records(stream))
        for stream in (AUDIENCES, TRAITS)
    }
    for space in fields.in_order(inventory.view.records(SPACES)):
        id_ = fields.identity(space)
        yield (
            fields.name_of(space),
            id_,
            fields.text(fields.at(space, "slug")),
            *(inventory.unknown(stream) or held[stream][id_] for stream in (AUDIENCES, TRAITS)),
        )


def _audiences(inventory: Inventory) -> Iterator[Row]:
    spaces = _space_names(inventory)
    for audience in fields.in_order(inventory.view.records(AUDIENCES), "key"):
        yield (
            *_named(audience, spaces),
            fields.text(fields.at(audience, "audienceType")),
            fields.whole(fields.at(audience, "size", "count")),
            fields.text(fields.at(audience, "size", "type")),
            _cadence(fields.at(audience, "computeCadence")),
            _definition(fields.at(audience, "definition")),
            fields.text(fields.at(audience, "description")),
            fields.text(fields.at(audience, "createdAt")),
            inventory.person(fields.identity(audience, "createdBy")),
            fields.text(fields.at(audience, "updatedAt")),
            inventory.person(fields.identity(audience, "updatedBy")),
        )


def _traits(inventory: Inventory) -> Iterator[Row]:
    spaces = _space_names(inventory)
    for trait in fields.in_order(inventory.view.records(TRAITS), "key"):
        yield (
            *_named(trait, spaces),
            _definition(fields.at(trait, "definition")),
            fields.text(fields.at(trait, "createdAt")),
            fields.text(fields.at(trait, "updatedAt")),
        )


def _space_names(inventory: Inventory) -> dict[str, str]:
    return {fields.identity(space): fields.name_of(space) for space in inventory.view.records(SPACES)}


def _named(record: Record, spaces: Mapping[str, str]) -> Row:
    space = fields.identity(record, "spaceId")
    return (
        fields.name_of(record, "key"),
        fields.identity(record),
        fields.text(fields.at(record, "key")),
        spaces.get(space, space) or None,
        fields.enabled(fields.at(record, "enabled")),
        _status(fields.at(record, "status")),
    )


def _status(value: Json) -> Cell:
    said = fields.text(value)
    broken = isinstance(said, str) and said.casefold() in BROKEN
    return State("failed", str(said), "Segment reports that computing it went wrong.") if broken else said


def _cadence(value: Json) -> Cell:
    said = fields.text(fields.at(value, "type") if isinstance(value, Mapping) else value)
    return {"BATCH": "From time to time", "REALTIME": "All the time"}.get(said, said) if isinstance(said, str) else said


def _definition(value: Json) -> Cell:
    """The query in words of Segment's; a digest where only that was kept."""
    if isinstance(value, str):
        return fields.text(value)
    held = fields.at(value, "query")
    if isinstance(digest := fields.at(value if held is None else held, "sha256"), str):
        return f"Query with SHA-256 {digest}"
    return fields.text(held)


# --- facts --------------------------------------------------------------------------------------


def _facts(inventory: Inventory) -> tuple[tuple[str, Cell], ...]:
    audiences = tuple(inventory.view.records(AUDIENCES))
    broken = sum(isinstance(_status(fields.at(each, "status")), State) for each in audiences)
    return (
        ("Reverse ETL models enabled", inventory.tally(how_many([*inventory.view.records(MODELS)]), MODELS)),
        ("Spaces", inventory.total(SPACES)),
        ("Audiences enabled", inventory.tally(how_many(audiences), AUDIENCES)),
        ("Audiences that failed", inventory.tally(broken, AUDIENCES)),
        ("Computed traits enabled", inventory.tally(how_many([*inventory.view.records(TRAITS)]), TRAITS)),
    )


SPEC = ReportSpec(
    name="activation",
    title="Activation",
    question="Who is selected from which data, by which rule, and which warehouse data is sent on?",
    streams=(MODELS, MAPPINGS, SPACES, AUDIENCES, TRAITS, "sources", "destinations", "users"),
    build=build,
    supports=(
        "soc2 P4.1",
        "soc2 C1.1",
        "iso27001 A.8.12",
        "gdpr 5",
        "ccpa 7002",
        "nist-csf PR.DS-10",
    ),
)
