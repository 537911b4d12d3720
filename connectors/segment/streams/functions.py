"""Functions: programs of the customer's own that run inside Segment."""

from ...spec import CODE, DROP, KEEP, NAMES, PRINT, Given, Group, Json, Record, Stream, Way, one_of
from .common import DOCS, FUNCTION_READER, READS_FUNCTIONS, beside

FUNCTIONS_GROUP = Group(
    "functions",
    "Functions",
    "Programs of your own that run inside Segment, and where they run.",
    why="A program can send data anywhere: that one was added, changed or deployed must not go unseen.",
)
GATE = f"Functions; {FUNCTION_READER}"

TYPES = ("DESTINATION", "INSERT_DESTINATION", "INSERT_SOURCE", "INSERT_TRANSFORMATION", "SOURCE")


def _code(given: Given, item: Json) -> Json:
    """Segment documents that the function may be null; an empty URL means that there is none."""
    if not isinstance(item, dict):
        return item
    return {**item, "resourceType": given["resourceType"], "id": given["id"]} | {
        "previewWebhookUrl": item.get("previewWebhookUrl") or None
    }


def _is_inserted(function: Record) -> bool:
    return str(function.get("resourceType", "INSERT_")).startswith("INSERT_")


FUNCTIONS = Stream(
    name="functions",
    title="Functions",
    group=FUNCTIONS_GROUP,
    about="Source, destination and insert functions of the workspace.",
    ways=(
        Way(
            path="/functions",
            items="functions",
            listings=lambda moment: tuple({"resourceType": each} for each in TYPES),
            part="resourceType",
            record=beside(resourceType="resourceType"),
        ),
    ),
    key=("resourceType", "id"),
    shape={
        "resourceType": one_of(*TYPES),
        "id": KEEP,
        "displayName": KEEP,
        "description": KEEP,
        "createdAt": KEEP,
        "createdBy": KEEP,
        "catalogId": KEEP,
        "logoUrl": DROP,
    },
    gate=GATE,
    roles=(READS_FUNCTIONS,),
    feature="Functions",
    source=DOCS + "Functions",
)
FUNCTION_CODE = Stream(
    name="function_code",
    title="Code of functions",
    group=FUNCTIONS_GROUP,
    about="Size and sha256 of each function's code, its deployment, and which settings it declares.",
    ways=(Way(path="/functions/{id}", items="function", parent="functions", paged=False, record=_code),),
    key=("resourceType", "id"),
    shape={
        "resourceType": one_of(*TYPES),
        "id": KEEP,
        "workspaceId": DROP,  # this and `buildpack` are in an example of the documentation, in no schema
        "buildpack": DROP,
        "displayName": KEEP,
        "description": KEEP,
        "code": CODE,
        "createdAt": KEEP,
        "createdBy": KEEP,
        "deployedAt": KEEP,
        "isLatestVersion": KEEP,
        "batchMaxCount": KEEP,
        "catalogId": KEEP,
        "logoUrl": DROP,
        "previewWebhookUrl": PRINT,
        "settings": [
            {
                "name": KEEP,
                "type": one_of("ARRAY", "BOOLEAN", "STRING", "TEXT_MAP"),
                "required": KEEP,
                "sensitive": KEEP,
                "label": DROP,  # words on a form
                "description": DROP,
            }
        ],
    },
    gate=GATE,
    roles=(READS_FUNCTIONS,),
    feature="Functions",
    source=DOCS + "Functions",
)
INSERT_FUNCTION_INSTANCES = Stream(
    name="insert_function_instances",
    title="Instances of insert functions",
    group=FUNCTIONS_GROUP,
    about="Where each insert function runs. Of its settings only the names are kept.",
    ways=(
        Way(
            path="/insert-function-instances",
            items="instances",
            parent="functions",
            query={"functionId": "{id}"},
            ask=_is_inserted,
            record=beside(resourceType="resourceType", functionId="id"),
        ),
    ),
    key=("resourceType", "functionId", "id"),
    shape={
        "resourceType": one_of(*TYPES),
        "functionId": KEEP,
        "id": KEEP,
        "name": KEEP,
        "integrationId": KEEP,
        "classId": KEEP,
        "enabled": KEEP,
        "createdAt": KEEP,
        "updatedAt": KEEP,
        "settings": NAMES,
        "encryptedSettings": NAMES,
    },
    gate=GATE,
    roles=(READS_FUNCTIONS,),
    feature="Functions",
    source=DOCS + "Functions",
)
