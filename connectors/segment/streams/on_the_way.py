"""What changes or stops events between a source and a destination."""

from ...spec import DROP, KEEP, PATHS, PRINT, WHOLE, Group, Record, Shape, Stream, Way, one_of
from .common import BUSINESS, DOCS, READS_SOURCES, SOURCE_READER, beside, part

ON_THE_WAY = Group(
    "on-the-way",
    "Filters, mappings, transformations",
    "What changes or stops events on the way to a destination.",
    why="It shows what is dropped, masked or hashed before data leaves, and which fields each recipient gets.",
)

SCHEDULE: Shape = {
    "strategy": one_of("CRON", "DBT_CLOUD", "MANUAL", "PERIODIC", "SPECIFIC_DAYS"),
    "config": {
        "interval": KEEP,
        "days": [KEEP],
        "hours": [KEEP],
        "timezone": KEEP,
        "spec": KEEP,
        "jobId": KEEP,
        "accountId": KEEP,
    },
}


def _may_have_mappings(destination: Record) -> bool:
    """Only a destination with actions has mappings; its actions are a list as read and a number as kept."""
    return part(destination, "metadata").get("actions") not in (0, [], {})


DESTINATION_FILTERS = Stream(
    name="destination_filters",
    title="Destination filters",
    group=ON_THE_WAY,
    about="Which events and properties are dropped, let through or sampled before a destination.",
    ways=(
        Way(
            path="/destination/{id}/filters",  # singular, unlike all other paths
            items="filters",
            parent="destinations",
            record=beside(destinationId="id"),
        ),
    ),
    key=("destinationId", "id"),
    shape={
        "id": KEEP,
        "destinationId": KEEP,
        "sourceId": KEEP,
        "if": KEEP,
        "actions": [
            {
                "type": one_of("ALLOW_PROPERTIES", "DROP", "DROP_PROPERTIES", "SAMPLE"),
                "fields": WHOLE,
                "percent": KEEP,
                "path": KEEP,
            }
        ],
        "title": KEEP,
        "description": KEEP,
        "enabled": KEEP,
        "createdAt": KEEP,
        "updatedAt": KEEP,
    },
    gate=SOURCE_READER,
    roles=(READS_SOURCES,),
    source=DOCS + "Destination-Filters",
)
DESTINATION_SUBSCRIPTIONS = Stream(
    name="destination_subscriptions",
    title="Destination mappings",
    group=ON_THE_WAY,
    about="Which events trigger which action of a destination, and which fields it gets. Literal values are not kept.",
    ways=(
        Way(
            path="/destinations/{id}/subscriptions",
            items="subscriptions",
            parent="destinations",
            ask=_may_have_mappings,
            record=beside(destinationId="id"),
        ),
    ),
    key=("destinationId", "id"),
    shape={
        "id": KEEP,
        "destinationId": KEEP,
        "name": KEEP,
        "actionId": KEEP,
        "actionSlug": KEEP,
        "enabled": KEEP,
        "trigger": KEEP,
        "settings": PATHS,
        "modelId": KEEP,
        "reverseETLSchedule": SCHEDULE,
    },
    gate=f"Destination Subscriptions; {SOURCE_READER}",
    roles=(READS_SOURCES,),
    feature="Destination Subscriptions",
    source=DOCS + "Destinations",
)
TRANSFORMATIONS = Stream(
    name="transformations",
    title="Transformations",
    group=ON_THE_WAY,
    about="How events are renamed, changed, hashed or dropped. Literal values are kept as keyed fingerprints.",
    ways=(Way(path="/transformations", items="transformations"),),
    key=("id",),
    shape={
        "id": KEEP,
        "workspaceId": DROP,  # in an example of the documentation, in no schema
        "name": KEEP,
        "sourceId": KEEP,
        "destinationMetadataId": KEEP,
        "enabled": KEEP,
        "if": KEEP,
        "drop": KEEP,
        "newEventName": KEEP,
        "propertyRenames": [{"oldName": KEEP, "newName": KEEP}],
        "propertyValueTransformations": [{"propertyPaths": [KEEP], "propertyValue": PRINT}],
        "fqlDefinedProperties": [{"fql": KEEP, "propertyName": KEEP}],
        "allowProperties": [KEEP],
        "hashPropertiesConfiguration": {
            "algorithm": KEEP,
            "key": PRINT,  # a changed key shows
            "encoding": one_of("BASE16", "BASE64", "BASE64URL", "HEX"),
            "paths": [KEEP],
        },
    },
    gate=f"Protocols; {SOURCE_READER}",
    plan=BUSINESS,
    roles=(READS_SOURCES,),
    feature="Protocols",
    refers={"sourceId": "sources"},
    source=DOCS + "Transformations",
)
