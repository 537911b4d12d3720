"""Destination register: everybody who receives customer data, destinations and warehouses."""

from collections.abc import Mapping

from ...spec import Cell, Column, Json, Record, Report, ReportSpec, Row, State, View
from . import fields
from .inventory import Inventory

NO_SOURCE = State("unknown", "Unknown", "Segment names no source for this destination.")
EITHER = State("unknown", "Cloud or device", "The catalogue allows both, and the API does not tell which was chosen.")
NOT_CATALOGUED = State("unknown", "Unknown", "The catalogue does not say how it can be connected.")
NEITHER = State("na", "Neither", "The catalogue names neither cloud mode nor device mode for it.")

DESTINATION_COLUMNS = (
    Column("name", "Name"),
    Column("id", "Id", "id", record="destinations"),
    Column("kind", "Kind", filter=True),
    Column("categories", "Categories", "list", filter=True),
    Column("enabled", "Enabled", filter=True),
    Column("source", "Source", filter=True),
    Column("source_id", "Source id", "id"),
    Column("regions", "Supported regions", "list", filter=True),
    Column("endpoints", "Region endpoints", "list", filter=True),
    Column("methods", "Calls it takes", "list"),
    Column("ways", "Ways to connect", filter=True),
    Column("partner_owned", "Partner owned", filter=True),
    Column("settings", "Settings", "number"),
    Column("website", "Website"),
    Column("status", "Catalogue status", filter=True),
)
WAREHOUSE_COLUMNS = (
    Column("name", "Name"),
    Column("id", "Id", "id", record="warehouses"),
    Column("kind", "Kind", filter=True),
    Column("enabled", "Enabled", filter=True),
    Column("sources", "Connected sources", "list"),
    Column("settings", "Settings", "number"),
)
NOTES = (
    "The API does not tell whether a destination is connected in cloud mode or in device mode: "
    "“Ways to connect” says what the catalogue allows.",
    "The API does not tell when a destination was made or last changed.",
    "Regions are what the catalogue says a destination supports, not where this workspace's data is kept.",
    "Values of settings are never kept, because some of them are secret and Segment masks only a part; "
    "the number is how many settings there are.",
)


def build(view: View, only: Mapping[str, str]) -> Report:
    inventory = Inventory(view)
    destinations = inventory.table(
        "destinations",
        "Destinations",
        DESTINATION_COLUMNS,
        lambda: (_destination(inventory, destination) for destination in inventory.destinations),
        "destinations",
    )
    warehouses = inventory.table(
        "warehouses",
        "Warehouses",
        WAREHOUSE_COLUMNS,
        lambda: (_warehouse(inventory, warehouse) for warehouse in inventory.warehouses),
        "warehouses",
    )
    return Report((destinations, warehouses), _facts(inventory), notes=NOTES)


def _destination(inventory: Inventory, destination: Record) -> Row:
    source = fields.identity(destination, "sourceId")
    metadata = fields.at(destination, "metadata")
    return (
        fields.name_of(destination),
        fields.identity(destination),
        fields.text(fields.at(metadata, "name")),
        fields.words(fields.at(metadata, "categories")),
        fields.enabled(fields.at(destination, "enabled")),
        inventory.source_names.get(source, source) or NO_SOURCE,
        source or None,
        fields.words(fields.at(metadata, "supportedRegions")),
        fields.words(fields.at(metadata, "regionEndpoints")),
        fields.switched_on(fields.at(metadata, "supportedMethods")),
        _ways(fields.at(metadata, "supportedFeatures")),
        fields.flag(fields.at(metadata, "partnerOwned")),
        fields.size(fields.at(destination, "settings")),
        fields.text(fields.at(metadata, "website")),
        fields.text(fields.at(metadata, "status")),
    )


def _ways(features: Json) -> Cell:
    """What the catalogue allows. "0" and "NONE" mean the same in the vendor's schema, as "1" and "SINGLE" do."""
    cloud, device = (fields.at(features, f"{mode}ModeInstances") for mode in ("cloud", "device"))
    if not (isinstance(cloud, str) and isinstance(device, str)):
        return NOT_CATALOGUED
    may_cloud, may_device = (said not in ("0", "NONE") for said in (cloud, device))
    if may_cloud and may_device:
        return EITHER
    if may_cloud:
        return "Cloud only"
    return "Device only" if may_device else NEITHER


def _warehouse(inventory: Inventory, warehouse: Record) -> Row:
    id_ = fields.identity(warehouse)
    sources = fields.named(inventory.sources_of_warehouse.get(id_, ()), inventory.source_names)
    return (
        fields.name_of(warehouse),
        id_,
        fields.text(fields.at(warehouse, "metadata", "name")),
        fields.enabled(fields.at(warehouse, "enabled")),
        sources or inventory.unknown("warehouse_sources") or (),
        fields.size(fields.at(warehouse, "settings")),
    )


def _facts(inventory: Inventory) -> tuple[tuple[str, Cell], ...]:
    on = sum(fields.at(destination, "enabled") is True for destination in inventory.destinations)
    partners = sum(fields.at(destination, "metadata", "partnerOwned") is True for destination in inventory.destinations)
    return (
        ("Destinations", inventory.total("destinations")),
        ("Destinations enabled", inventory.tally(on, "destinations")),
        ("Partner owned", inventory.tally(partners, "destinations")),
        ("Warehouses", inventory.total("warehouses")),
    )


SPEC = ReportSpec(
    name="destinations",
    title="Destination register",
    question="Who receives customer data, from which source, and how can they be connected?",
    streams=("sources", "destinations", "warehouses", "warehouse_sources"),
    build=build,
    supports=(
        "soc2 CC6.6",
        "soc2 CC6.7",
        "soc2 CC9.2",
        "soc2 P6.1",
        "soc2 P6.2",
        "soc2 P6.4",
        "iso27001 A.5.19",
        "iso27001 A.5.22",
        "iso27001 A.5.23",
        "gdpr 28",
        "gdpr 30",
        "gdpr 44",
        "ccpa 1798.100",
        "ccpa 1798.120",
        "nist-csf GV.SC-04",
        "nist-csf ID.AM-04",
    ),
)
