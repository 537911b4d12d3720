"""What is copied to warehouses, when and how it went; and two reads that do something by being asked."""

from ...spec import DROP, KEEP, NAMES, PRINT, WHOLE, Given, Group, Json, Stream, Way, one_of
from .common import (
    DOCS,
    ENGAGE_READER,
    READS_PROFILES,
    READS_WAREHOUSES,
    WAREHOUSE_METADATA,
    WAREHOUSE_READER,
    beside,
    named_by_settings,
)

WAREHOUSE_SYNCS_GROUP = Group(
    "warehouse-syncs",
    "Warehouse syncs",
    "When and what is copied to each warehouse, and how it went.",
    caution="Segment allows two of these requests a minute: half a minute for every warehouse and for every source "
    "that is connected to one. The other streams do not wait for it.",
    why="It shows which properties reach storage, and whether copying works.",
)
SIDE_EFFECTS = Group(
    "side-effects",
    "Reads with a side effect",
    "Whether Segment can reach each warehouse, and the warehouses that profiles are copied to.",
    standard=False,
    caution="Asked for the state of a warehouse, Segment tries to connect to that warehouse. Asked for the warehouses "
    "of profiles, Segment may write an event “Profiles Sync Warehouse Retrieved” to its audit trail.",
    why="It completes the list of places where customer data is stored.",
)
SLOW = 2  # requests a minute, as documented for each of the three


def _without_sightings(given: Given, item: Json) -> Json:
    """When a property was last seen changes with every event and is nobody's setting."""
    found = beside(warehouseId="warehouseId", sourceId="sourceId")(given, item)
    properties = found.get("properties") if isinstance(found, dict) else None
    if not isinstance(properties, dict):
        return found
    return {**found, "properties": {name: _without_sighting(each) for name, each in properties.items()}}


def _without_sighting(each: Json) -> Json:
    return {name: value for name, value in each.items() if name != "lastSeenAt"} if isinstance(each, dict) else each


def _of_profiles(given: Given, item: Json) -> Json:
    return named_by_settings(beside(spaceId="id")(given, item))


WAREHOUSE_SYNC_SCHEDULES = Stream(
    name="warehouse_sync_schedules",
    title="Warehouse sync schedules",
    group=WAREHOUSE_SYNCS_GROUP,
    about="At which hours each warehouse is brought up to date.",
    ways=(
        Way(
            path="/warehouses/{id}/advanced-sync-schedule",
            parent="warehouses",
            paged=False,
            record=beside(warehouseId="id"),
        ),
    ),
    key=("warehouseId",),
    shape={
        "warehouseId": KEEP,
        "enabled": KEEP,
        "schedule": {"times": [{"hourOfDay": KEEP, "enabled": KEEP}], "timezone": KEEP},
    },
    per_minute=SLOW,
    gate=WAREHOUSE_READER,
    roles=(READS_WAREHOUSES,),
    source=DOCS + "Selective-Sync",
)
WAREHOUSE_SYNCS = Stream(
    name="warehouse_syncs",
    title="Warehouse syncs",
    group=WAREHOUSE_SYNCS_GROUP,
    about="Each copying to a warehouse: when, how long, how many rows, and how grave its notices were.",
    ways=(
        Way(
            path="/warehouses/{id}/syncs",
            items="reports",
            parent="warehouses",
            record=beside(warehouseId="id"),
        ),
    ),
    key=("warehouseId", "start", "sourceId"),
    shape={
        "warehouseId": KEEP,
        "sourceId": KEEP,
        "start": KEEP,
        "end": KEEP,
        "status": KEEP,
        "duration": KEEP,
        "humanDuration": DROP,  # the same in words
        "count": KEEP,
        "notices": [{"level": KEEP, "message": PRINT, "createdAt": KEEP}],
    },
    per_minute=SLOW,
    gate=WAREHOUSE_READER,
    roles=(READS_WAREHOUSES,),
    grows=True,
    timed=True,
    most_pages=10,
    source=DOCS + "Selective-Sync",
)
WAREHOUSE_SELECTIVE_SYNCS = Stream(
    name="warehouse_selective_syncs",
    title="Selective syncs",
    group=WAREHOUSE_SYNCS_GROUP,
    about="Which collections and properties of a source are copied to a warehouse.",
    ways=(
        Way(
            path="/warehouses/{warehouseId}/connected-sources/{sourceId}/selective-syncs",
            items="items",
            parent="warehouse_sources",
            record=_without_sightings,
        ),
    ),
    key=("warehouseId", "sourceId", "collection"),
    shape={
        "warehouseId": KEEP,
        "sourceId": KEEP,
        "source": DROP,  # in an example of the documentation, in no schema
        "collection": KEEP,
        "enabled": KEEP,
        "properties": WHOLE,
    },
    per_minute=SLOW,
    gate=WAREHOUSE_READER,
    roles=(READS_WAREHOUSES,),
    source=DOCS + "Selective-Sync",
)
WAREHOUSE_CONNECTION_STATE = Stream(
    name="warehouse_connection_state",
    title="Warehouse connection state",
    group=SIDE_EFFECTS,
    about="Whether Segment can reach each warehouse. Segment tries it out when asked.",
    ways=(
        Way(
            path="/warehouses/{id}/connection-state",
            parent="warehouses",
            paged=False,
            record=beside(warehouseId="id"),
        ),
    ),
    key=("warehouseId",),
    shape={"warehouseId": KEEP, "connectionState": one_of("CONNECTED", "FAILED")},
    per_minute=200,
    gate=WAREHOUSE_READER,
    roles=(READS_WAREHOUSES,),
    source=DOCS + "Warehouses",
)
PROFILES_WAREHOUSES = Stream(
    name="profiles_warehouses",
    title="Warehouses of profiles",
    group=SIDE_EFFECTS,
    about="Warehouses that profiles are copied to. Of the settings only the names are kept.",
    ways=(
        Way(
            path="/spaces/{id}/profiles-warehouses",
            items="profilesWarehouses",
            parent="spaces",
            record=_of_profiles,
        ),
    ),
    key=("spaceId", "id"),
    shape={
        "spaceId": KEEP,
        "id": KEEP,
        "name": KEEP,
        "workspaceId": KEEP,
        "enabled": KEEP,
        "schemaName": KEEP,
        "settings": NAMES,
        "metadata": WAREHOUSE_METADATA,
    },
    gate=f"Unify; {ENGAGE_READER}",
    roles=(READS_PROFILES,),
    feature="Profiles Sync",
    source=DOCS + "Profiles-Sync",
)
