"""How data comes back out of warehouses and profiles: Reverse ETL models, audiences, computed traits."""

from ...spec import CODE, DROP, KEEP, Group, Shape, Stream, Way, one_of
from .common import DOCS, ENGAGE_READER, READS_PROFILES, READS_SOURCES, SOURCE_READER, beside

ACTIVATION = Group(
    "activation",
    "Reverse ETL, audiences and traits",
    "How data comes back out of warehouses and out of profiles.",
    why="Data flows out again this way, often to advertisers: which audience or query feeds which destination.",
)

SUMMARY: Shape = {
    "id": KEEP,
    "spaceId": KEEP,
    "name": KEEP,
    "description": KEEP,
    "key": KEEP,
    "enabled": KEEP,
    "createdBy": KEEP,
    "updatedBy": KEEP,
    "createdAt": KEEP,
    "updatedAt": KEEP,
}

REVERSE_ETL_MODELS = Stream(
    name="reverse_etl_models",
    title="Reverse ETL models",
    group=ACTIVATION,
    about="Queries whose rows are sent on from a warehouse: size and sha256 of each.",
    ways=(Way(path="/reverse-etl-models", items="models"),),
    key=("id",),
    shape={
        "id": KEEP,
        "sourceId": KEEP,
        "name": KEEP,
        "description": KEEP,
        "enabled": KEEP,
        "query": CODE,
        "queryIdentifierColumn": KEEP,
    },
    gate=f"Reverse ETL; {SOURCE_READER}",
    roles=(READS_SOURCES,),
    feature="Reverse ETL",
    refers={"sourceId": "sources"},
    source=DOCS + "Reverse-ETL",
)
SPACES = Stream(
    name="spaces",
    title="Spaces",
    group=ACTIVATION,
    about="Spaces of Unify and Engage, which hold profiles.",
    ways=(Way(path="/spaces", items="spaces"),),
    key=("id",),
    shape={"id": KEEP, "slug": KEEP, "name": KEEP},
    gate=f"Unify; {ENGAGE_READER}",
    roles=(READS_PROFILES,),
    feature="Spaces",
    source=DOCS + "Spaces",
)
AUDIENCES = Stream(
    name="audiences",
    title="Audiences",
    group=ACTIVATION,
    about="Groups of profiles: how each is defined, how often it is computed, and how many it counts. No members.",
    ways=(
        Way(
            path="/spaces/{id}/audiences",
            items="audiences",
            parent="spaces",
            query={"include": "schedules"},
            record=beside(spaceId="id"),
        ),
    ),
    key=("spaceId", "id"),
    shape={
        **SUMMARY,
        "status": one_of(
            "Awaiting Destinations",
            "Backfilling",
            "Computing",
            "Disabled",
            "Error",
            "Failed",
            "Live",
            "Locked",
            "Not Computing",
            "Preparing",
        ),
        "audienceType": one_of("ACCOUNTS", "LINKED", "USERS"),
        "definition": {"query": KEEP, "targetEntity": KEEP},
        "options": {"filterByExternalIds": [KEEP], "includeHistoricalData": KEEP, "backfillEventDataDays": KEEP},
        "computeCadence": {"type": one_of("BATCH", "REALTIME")},
        "size": {"type": one_of("ACCOUNTS", "ENTITIES", "USERS"), "count": KEEP, "uniqueCount": KEEP},
        "schedules": [
            {
                "id": KEEP,
                "strategy": one_of("PERIODIC", "SPECIFIC_DAYS"),
                "config": {"interval": KEEP, "days": [KEEP], "hours": [KEEP], "timezone": KEEP},
                "nextExecution": DROP,  # another one every day, and it follows from the rest
            }
        ],
    },
    page_size=200,
    per_minute=60,
    gate=f"Engage; {ENGAGE_READER}",
    roles=(READS_PROFILES,),
    feature="Audiences",
    source=DOCS + "Audiences",
)
COMPUTED_TRAITS = Stream(
    name="computed_traits",
    title="Computed traits",
    group=ACTIVATION,
    about="What is computed about each profile, and how. No values.",
    ways=(
        Way(
            path="/spaces/{id}/computed-traits",
            items="computedTraits",
            parent="spaces",
            record=beside(spaceId="id"),
        ),
    ),
    key=("spaceId", "id"),
    shape={
        **SUMMARY,
        "status": one_of("Awaiting Destinations", "Backfilling", "Computing", "Disabled", "Failed", "Live"),
        "definition": {"query": KEEP, "type": one_of("ACCOUNTS", "USERS")},
        "options": {"includeHistoricalData": KEEP, "includeAnonymousUsers": KEEP, "backfillDurationDays": KEEP},
    },
    per_minute=25,
    gate=f"Unify; {ENGAGE_READER}",
    roles=(READS_PROFILES,),
    feature="Computed traits",
    source=DOCS + "Computed-Traits",
)
