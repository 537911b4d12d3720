"""Sources, destinations, warehouses, and which source is copied to which warehouse."""

from ...spec import COUNT, KEEP, NAMES, PRINTS, Group, Shape, Stream, Way, one_of
from .common import (
    CATALOGUE_STATUS,
    DOCS,
    LABELS,
    LOGOS,
    OPTIONS,
    READS_SOURCES,
    READS_WAREHOUSES,
    SOURCE_READER,
    WAREHOUSE_METADATA,
    WAREHOUSE_READER,
    linked,
    named_by_settings,
)

DATA_FLOW = Group(
    "data-flow",
    "Data flow",
    "Sources, destinations, warehouses, and what is connected to what.",
    why="The record of processing and the list of recipients rest on it: where customer data is collected, to "
    "whom it goes, where it is stored.",
)

SOURCE: Shape = {
    "id": KEEP,
    "slug": KEEP,
    "name": KEEP,
    "workspaceId": KEEP,
    "enabled": KEEP,
    "writeKeys": PRINTS,
    "settings": NAMES,
    "labels": LABELS,
    "metadata": {
        "id": KEEP,
        "slug": KEEP,
        "name": KEEP,
        "description": KEEP,
        "logos": LOGOS,
        "options": OPTIONS,
        "categories": [KEEP],
        "isCloudEventSource": KEEP,
        "partnerOwned": KEEP,
        "status": CATALOGUE_STATUS,
    },
}

DESTINATION: Shape = {
    "id": KEEP,
    "name": KEEP,
    "enabled": KEEP,
    "sourceId": KEEP,
    "settings": NAMES,
    "metadata": {
        "id": KEEP,
        "slug": KEEP,
        "name": KEEP,
        "description": KEEP,
        "website": KEEP,
        "logos": LOGOS,
        "options": OPTIONS,
        "status": CATALOGUE_STATUS,
        "previousNames": [KEEP],
        "categories": [KEEP],
        "components": [
            {
                "type": one_of("ANDROID", "BROWSER", "IOS", "SERVER"),
                "code": KEEP,
                "owner": one_of("PARTNER", "SEGMENT"),
            }
        ],
        "supportedFeatures": {
            "cloudModeInstances": one_of("0", "1", "MULTIPLE", "NONE", "SINGLE"),
            "deviceModeInstances": one_of("0", "1", "NONE", "SINGLE"),
            "replay": KEEP,
            "browserUnbundling": KEEP,
            "browserUnbundlingPublic": KEEP,
        },
        "supportedMethods": {"track": KEEP, "identify": KEEP, "group": KEEP, "alias": KEEP, "pageview": KEEP},
        "supportedPlatforms": {
            "browser": KEEP,
            "server": KEEP,
            "mobile": KEEP,
            "warehouse": KEEP,
            "cloudAppObject": KEEP,
            "linkedAudiences": KEEP,
        },
        "actions": COUNT,
        "presets": COUNT,
        "contacts": COUNT,
        "partnerOwned": KEEP,
        "multiInstanceSupportedVersion": KEEP,
        "supportedRegions": [KEEP],
        "regionEndpoints": [KEEP],
    },
}

WAREHOUSE: Shape = {
    "id": KEEP,
    "name": KEEP,
    "workspaceId": KEEP,
    "enabled": KEEP,
    "settings": NAMES,
    "metadata": WAREHOUSE_METADATA,
}

SOURCES = Stream(
    name="sources",
    title="Sources",
    group=DATA_FLOW,
    about="Where customer data comes from, with labels and catalogue facts. Write keys are kept as keyed fingerprints.",
    ways=(Way(path="/sources", items="sources"),),
    key=("id",),
    shape=SOURCE,
    gate=SOURCE_READER,
    roles=(READS_SOURCES,),
    source=DOCS + "Sources",
)
DESTINATIONS = Stream(
    name="destinations",
    title="Destinations",
    group=DATA_FLOW,
    about="Where customer data goes. Of the settings only the names are kept.",
    ways=(Way(path="/destinations", items="destinations"),),
    key=("id",),
    shape=DESTINATION,
    gate=SOURCE_READER,
    roles=(READS_SOURCES,),
    refers={"sourceId": "sources"},
    source=DOCS + "Destinations",
)
WAREHOUSES = Stream(
    name="warehouses",
    title="Warehouses",
    group=DATA_FLOW,
    about="Storage that customer data is copied to. Of the settings only the names are kept.",
    ways=(Way(path="/warehouses", items="warehouses", record=lambda given, item: named_by_settings(item)),),
    key=("id",),
    shape=WAREHOUSE,
    gate=WAREHOUSE_READER,
    roles=(READS_WAREHOUSES,),
    source=DOCS + "Warehouses",
)
WAREHOUSE_SOURCES = Stream(
    name="warehouse_sources",
    title="Warehouse connections",
    group=DATA_FLOW,
    about="Which source is copied to which warehouse. Asked from the side that needs fewer requests.",
    ways=(
        Way(
            path="/warehouses/{id}/connected-sources",
            items="sources",
            parent="warehouses",
            many="sources",
            record=linked("warehouseId", "sourceId"),
        ),
        Way(
            path="/sources/{id}/connected-warehouses",
            items="warehouses",
            parent="sources",
            within=False,
            record=linked("sourceId", "warehouseId"),
        ),
    ),
    key=("warehouseId", "sourceId"),
    shape={"warehouseId": KEEP, "sourceId": KEEP},
    gate="roles Source Read-only and Warehouse Destination Read-only",
    roles=(READS_SOURCES, READS_WAREHOUSES),
    source=DOCS + "Warehouses",
)
