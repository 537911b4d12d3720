"""On the way: what is filtered, mapped, changed or dropped between a source and a receiver."""

from collections.abc import Iterator, Mapping

from ...spec import Cell, Column, Record, Report, ReportSpec, Row, View
from . import alterations, between, fields, functions
from .between import FILTERS, INSTANCES, MAPPINGS, STREAMS, TRANSFORMATIONS, Between
from .inventory import Inventory

DESTINATION_COLUMNS = (
    Column("name", "Name"),
    Column("id", "Id", "id", record="destinations"),
    Column("kind", "Kind", filter=True),
    Column("enabled", "Enabled", filter=True),
    Column("source", "Source", filter=True),
    Column("state", "On the way", "list", filter=True),
    Column("filters", "Filters", "number"),
    Column("filters_off", "Filters disabled", "number"),
    Column("mappings", "Mappings", "number"),
    Column("mappings_off", "Mappings disabled", "number"),
    Column("transformations", "Transformations", "number"),
    Column("functions", "Insert functions", "number"),
)
FILTER_COLUMNS = (
    Column("destination", "Destination", filter=True),
    Column("destination_id", "Destination id", "id"),
    Column("source", "Source", filter=True),
    Column("title", "Filter"),
    Column("enabled", "Enabled", filter=True),
    Column("if", "When"),
    Column("does", "What it does", "list"),
    Column("description", "Description"),
    Column("created", "Created", "time"),
    Column("updated", "Updated", "time"),
    Column("filter_id", "Filter id", "id"),
)
MAPPING_COLUMNS = (
    Column("destination", "Destination", filter=True),
    Column("destination_id", "Destination id", "id"),
    Column("name", "Mapping"),
    Column("enabled", "Enabled", filter=True),
    Column("trigger", "When"),
    Column("action", "Action", filter=True),
    Column("mapped", "Which field goes where", "list"),
    Column("used", "Fields used", "list", filter=True),
    Column("model", "Reverse ETL model", filter=True),
    Column("mapping_id", "Mapping id", "id"),
)
TRANSFORMATION_COLUMNS = (
    Column("name", "Name"),
    Column("id", "Id", "id", record="transformations"),
    Column("enabled", "Enabled", filter=True),
    Column("source", "Source", filter=True),
    Column("source_id", "Source id", "id"),
    Column("about", "Destinations", filter=True),
    Column("if", "When"),
    Column("does", "What it does", "list"),
)
EVERY = "All of the source"
NOTES = (
    "A number counts what is enabled; what is disabled changes nothing and is counted beside it.",
    "Destinations in device mode take events in the browser or the app: filters and transformations may not reach "
    "them. The API does not tell which mode was chosen.",
    "Of a mapping only its references to fields of the event are kept. “fixed text” and the like stand for a value "
    "that somebody entered, which may be a secret.",
    "Of code only a digest and its size are kept: equal digests mean equal code. When the latest version is not "
    "deployed, other code runs than the digest stands for.",
    "A transformation that names no kind of destination is about all that its source sends.",
)


def build(view: View, only: Mapping[str, str]) -> Report:
    inventory = Inventory(view)
    held = Between(inventory)
    tables = (
        inventory.table(
            "destinations",
            "By destination",
            DESTINATION_COLUMNS,
            lambda: (_destination(held, each) for each in inventory.destinations),
            "destinations",
            *STREAMS,
        ),
        inventory.table("filters", "Filters", FILTER_COLUMNS, lambda: _filters(held), FILTERS),
        inventory.table("mappings", "Mappings", MAPPING_COLUMNS, lambda: _mappings(held), MAPPINGS),
        inventory.table(
            "transformations",
            "Transformations",
            TRANSFORMATION_COLUMNS,
            lambda: _transformations(held),
            TRANSFORMATIONS,
        ),
        *functions.tables(inventory),
    )
    return Report(tables, _facts(held), notes=NOTES)


def _destination(held: Between, destination: Record) -> Row:
    inventory, source = held.inventory, fields.identity(destination, "sourceId")
    passed = held.of(source, destination)
    return (
        fields.name_of(destination),
        fields.identity(destination),
        fields.text(fields.at(destination, "metadata", "name")),
        fields.enabled(fields.at(destination, "enabled")),
        inventory.source(source),
        _state(held, passed),
        inventory.unknown(FILTERS) or between.how_many(passed[FILTERS]),
        inventory.unknown(FILTERS) or between.how_many(passed[FILTERS], False),
        inventory.unknown(MAPPINGS) or between.how_many(passed[MAPPINGS]),
        inventory.unknown(MAPPINGS) or between.how_many(passed[MAPPINGS], False),
        inventory.unknown(TRANSFORMATIONS) or between.how_many(passed[TRANSFORMATIONS]),
        inventory.unknown(INSTANCES) or between.how_many(passed[INSTANCES]),
    )


def _state(held: Between, passed: Mapping[str, tuple[Record, ...]]) -> Cell:
    """Which kinds of thing an event meets. That there are none is said only when all kinds were read."""
    kinds = tuple(between.NOUNS[stream].capitalize() for stream, records in passed.items() if between.on(records))
    return kinds or held.missing(passed) or between.NOTHING


def _filters(held: Between) -> Iterator[Row]:
    inventory = held.inventory
    for destination in fields.by_name(held.filters, inventory.destination_names):
        for each in held.filters[destination]:
            yield (
                inventory.destination(destination),
                destination or None,
                inventory.source(fields.identity(each, "sourceId")),
                fields.name_of(each, "title"),
                fields.enabled(fields.at(each, "enabled")),
                fields.text(fields.at(each, "if")),
                alterations.actions(fields.at(each, "actions")),
                fields.text(fields.at(each, "description")),
                fields.text(fields.at(each, "createdAt")),
                fields.text(fields.at(each, "updatedAt")),
                fields.identity(each) or None,
            )


def _mappings(held: Between) -> Iterator[Row]:
    inventory = held.inventory
    models = {fields.identity(model): fields.name_of(model) for model in inventory.view.records("reverse_etl_models")}
    for destination in fields.by_name(held.mappings, inventory.destination_names):
        for each in held.mappings[destination]:
            model = fields.identity(each, "modelId")
            yield (
                inventory.destination(destination),
                destination or None,
                fields.name_of(each),
                fields.enabled(fields.at(each, "enabled")),
                fields.text(fields.at(each, "trigger")),
                fields.text(fields.at(each, "actionSlug")),
                alterations.mapping(fields.at(each, "settings")),
                alterations.used(fields.at(each, "settings")),
                models.get(model, model) or None,
                fields.identity(each) or None,
            )


def _transformations(held: Between) -> Iterator[Row]:
    inventory = held.inventory
    kinds = {
        fields.word(fields.at(each, "metadata", "id")): fields.word(fields.at(each, "metadata", "name"))
        for each in inventory.destinations
    }
    for source in fields.by_name(held.transformations, inventory.source_names):
        for each in held.transformations[source]:
            kind = fields.text(fields.at(each, "destinationMetadataId"))
            yield (
                fields.name_of(each),
                fields.identity(each),
                fields.enabled(fields.at(each, "enabled")),
                inventory.source(source),
                source or None,
                (kinds.get(kind) or kind) if isinstance(kind, str) else kind or EVERY,
                fields.text(fields.at(each, "if")),
                alterations.changes(each),
            )


def _facts(held: Between) -> tuple[tuple[str, Cell], ...]:
    inventory = held.inventory
    filters = [each for group in held.filters.values() for each in group]
    bare = sum(_bare(held, fields.identity(each)) for each in inventory.destinations)
    return (
        ("Filters enabled", inventory.tally(between.how_many(filters), FILTERS)),
        ("Filters disabled", inventory.tally(between.how_many(filters, False), FILTERS)),
        ("Mappings enabled", inventory.tally(_enabled(held.mappings), MAPPINGS)),
        (
            "Destinations with neither filter nor mapping",
            inventory.tally(bare, "destinations", FILTERS, MAPPINGS),
        ),
        ("Transformations enabled", inventory.tally(_enabled(held.transformations), TRANSFORMATIONS)),
        ("Functions", inventory.total("functions")),
    )


def _bare(held: Between, destination: str) -> bool:
    """Whether nothing of these is there, or all of it is disabled."""
    stands = (*held.filters.get(destination, ()), *held.mappings.get(destination, ()))
    return len(between.off(stands)) == len(stands)


def _enabled(groups: between.Held) -> Cell:
    return between.how_many([each for group in groups.values() for each in group])


SPEC = ReportSpec(
    name="on-the-way",
    title="On the way",
    question="What is filtered, mapped, changed or dropped between a source and those who receive its data?",
    streams=("sources", "destinations", *STREAMS, "functions", functions.CODE, "reverse_etl_models", "users"),
    build=build,
    supports=(
        "soc2 CC6.7",
        "soc2 CC5.2",
        "soc2 PI1.3",
        "soc2 P6.1",
        "iso27001 A.8.11",
        "iso27001 A.8.12",
        "iso27001 A.8.4",
        "gdpr 25",
        "gdpr 32",
        "nist-csf PR.DS-02",
        "nist-csf PR.DS-10",
        "nist-csf PR.PS-06",
    ),
)
