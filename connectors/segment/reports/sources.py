"""Source register: every source, what it is, what it follows and what it feeds."""

from collections.abc import Iterator, Mapping

from ...spec import Cell, Column, Record, Report, ReportSpec, Row, State, View
from . import enforcement, fields
from .inventory import PLANS, Inventory

NONE_SEEN = State("na", "None visible", "Segment shows write keys only to a Source Admin: this is no proof of none.")
COLUMNS = (
    Column("name", "Name"),
    Column("id", "Id", "id", record="sources"),
    Column("slug", "Slug", "id"),
    Column("kind", "Kind", filter=True),
    Column("categories", "Categories", "list", filter=True),
    Column("enabled", "Enabled", filter=True),
    Column("labels", "Labels", "list", filter=True),
    Column("plan", "Tracking plan", "list", filter=True),
    Column("enforcement", "What the plan does not foresee", "list", filter=True),
    Column("destinations", "Destinations", "number"),
    Column("warehouses", "Warehouses", "number"),
    Column("write_keys", "Write keys visible", "number"),
    Column("settings", "Settings", "number"),
    Column("status", "Catalogue status", filter=True),
)
NOTES = (
    "Write keys are never kept: the number is how many this token was shown, and one with fewer rights is shown none.",
    "Of the settings only the names are kept; the number is how many there are.",
    "What a plan does not foresee is blocked, omitted or allowed by settings of the source. The report on tracking "
    "plans has them one by one.",
    "The API does not tell when a source was made or last changed, or by whom.",
)


def build(view: View, only: Mapping[str, str]) -> Report:
    inventory = Inventory(view)
    table = inventory.table(
        "sources",
        "Sources",
        COLUMNS,
        lambda: _rows(inventory),
        "sources",
    )
    return Report((table,), _facts(inventory), notes=NOTES)


def _rows(inventory: Inventory) -> Iterator[Row]:
    enforced = enforcement.summaries(inventory)
    return (_row(inventory, source, enforced) for source in inventory.sources)


def _row(inventory: Inventory, source: Record, enforced: Mapping[str, Cell]) -> Row:
    id_ = fields.identity(source)
    destinations = len(inventory.destinations_of_source.get(id_, ()))
    warehouses = len(inventory.warehouses_of_source.get(id_, ()))
    return (
        fields.name_of(source),
        id_,
        fields.text(fields.at(source, "slug")),
        fields.text(fields.at(source, "metadata", "name")),
        fields.words(fields.at(source, "metadata", "categories")),
        fields.enabled(fields.at(source, "enabled")),
        fields.labels(fields.at(source, "labels")),
        inventory.plan_of(id_),
        enforcement.summary(inventory, enforced, id_),
        inventory.unknown("destinations") or destinations,
        inventory.unknown("warehouses", "warehouse_sources") or warehouses,
        _write_keys(source),
        fields.size(fields.at(source, "settings")),
        fields.text(fields.at(source, "metadata", "status")),
    )


def _write_keys(source: Record) -> Cell:
    seen = fields.number(fields.at(source, "writeKeys", "count"))
    return NONE_SEEN if seen == 0 else fields.NOT_SAID if seen is None else seen


def _facts(inventory: Inventory) -> tuple[tuple[str, Cell], ...]:
    sources = inventory.sources
    enabled = sum(fields.at(source, "enabled") is True for source in sources)
    unplanned = sum(not inventory.plans_of_source.get(fields.identity(source)) for source in sources)
    unlabelled = sum(fields.at(source, "labels") == [] for source in sources)
    return (
        ("Sources", inventory.total("sources")),
        ("Enabled", inventory.tally(enabled, "sources")),
        ("Without a tracking plan", inventory.tally(unplanned, "sources", *PLANS)),
        ("Without a label", inventory.tally(unlabelled, "sources")),
    )


SPEC = ReportSpec(
    name="sources",
    title="Source register",
    question="Which sources send customer data, what are they, and which tracking plan does each follow?",
    streams=("sources", "destinations", "warehouses", "warehouse_sources", *PLANS, enforcement.SETTINGS),
    build=build,
    supports=(
        "soc2 CC2.1",
        "soc2 C1.1",
        "iso27001 A.5.9",
        "iso27001 A.5.12",
        "iso27001 A.5.13",
        "iso27001 A.8.31",
        "gdpr 30",
        "nist-csf ID.AM-07",
        "nist-csf ID.AM-08",
    ),
)
