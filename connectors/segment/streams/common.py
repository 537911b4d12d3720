"""What several groups of streams say alike: shapes of parts, and how an item is put beside its parent."""

from collections.abc import Callable, Mapping

from ...spec import DROP, KEEP, Given, Json, Record, Shape, one_of

DOCS = "https://docs.segmentapis.com/tag/"

# Who may read a stream, as far as Segment's documentation of roles says (segment.com/docs/segment-app/iam/roles).
READS_SOURCES = "Source Read-only"
READS_WAREHOUSES = "Warehouse Destination Read-only"
READS_PLANS = "Tracking Plan Read-only"
READS_FUNCTIONS = "Function Read-only"
READS_PROFILES = "Unify and Engage Read-only"
PRIVACY_ADMIN = "End User Privacy Admin"
ENTITIES_ADMIN = "Entities Admin"
BUSINESS = "Business"
OWNER = "Workspace Owner; Segment names no lesser role"
SOURCE_READER = f"role {READS_SOURCES}"
WAREHOUSE_READER = f"role {READS_WAREHOUSES}"
FUNCTION_READER = f"role {READS_FUNCTIONS}"
ENGAGE_READER = f"role {READS_PROFILES}"

LOGOS = DROP  # pictures
OPTIONS = DROP  # the catalogue's own descriptions of settings: the same for every customer
LABELS: Shape = [{"key": KEEP, "value": KEEP, "description": KEEP}]
CATALOGUE_STATUS = one_of(
    "DEPRECATED", "PRIVATE_BETA", "PRIVATE_BUILDING", "PRIVATE_SUBMITTED", "PUBLIC", "PUBLIC_BETA", "UNAVAILABLE"
)
WAREHOUSE_METADATA: Shape = {
    "id": KEEP,
    "slug": KEEP,
    "name": KEEP,
    "description": KEEP,
    "logos": LOGOS,
    "options": OPTIONS,
}


def beside(**names: str) -> Callable[[Given, Json], Json]:
    """The item with what it was asked by beside its own fields: name in the record -> name in what was given."""

    def record(given: Given, item: Json) -> Json:
        return {**item, **{name: given[of] for name, of in names.items()}} if isinstance(item, dict) else item

    return record


def linked(parent: str, child: str) -> Callable[[Given, Json], Json]:
    """A link between two records; of the listed record only its id is kept, under the name `child`."""

    def record(given: Given, item: Json) -> Json:
        known = isinstance(item, dict) and item.get("id")
        return {parent: given["id"], child: item["id"]} if known else {}

    return record


def named_by_settings(item: Json) -> Json:
    """A warehouse's name is one of its settings; the other settings are connection details."""
    settings = item.get("settings") if isinstance(item, dict) else None
    return {**item, "name": settings.get("name")} if isinstance(settings, dict) else item


def part(record: Record, name: str) -> Mapping[str, Json]:
    """An object inside a record; empty when there is none."""
    found = record.get(name)
    return found if isinstance(found, dict) else {}
