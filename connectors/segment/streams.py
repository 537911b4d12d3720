"""What is read of a Segment workspace, and what of it is kept.

Facts from the Segment Public API reference (docs.segmentapis.com), API version 73.2.0. A field that does
not stand in a shape never reaches the disk; `redaction.py` says which fields are secret and why.
"""

from collections.abc import Callable

from ..spec import COUNT, DROP, KEEP, NAMES, PRINTS, WHOLE, Given, Group, Json, Record, Shape, Stream, Way

DOCS = "https://docs.segmentapis.com/tag/"

BASICS = Group("workspace", "Workspace", "Name and labels of the workspace.")
DATA_FLOW = Group("data-flow", "Data flow", "Sources, destinations, warehouses, and what is connected to what.")
TRACKING = Group("tracking-plans", "Tracking plans", "What may be collected: plans, rules, and who must follow them.")
PEOPLE = Group("people", "People and access", "Members, groups, roles, invitations, and what each may do.")

LABELS: Shape = [{"key": KEEP, "value": KEEP, "description": KEEP}]
LOGOS = DROP  # pictures
OPTIONS = DROP  # the catalogue's own descriptions of settings: the same for every customer

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
        "status": KEEP,
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
        "status": KEEP,
        "previousNames": [KEEP],
        "categories": [KEEP],
        "components": [{"type": KEEP, "code": KEEP, "owner": KEEP}],
        "supportedFeatures": {
            "cloudModeInstances": KEEP,
            "deviceModeInstances": KEEP,
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
    "metadata": {"id": KEEP, "slug": KEEP, "name": KEEP, "description": KEEP, "logos": LOGOS, "options": OPTIONS},
}

PERMISSIONS: Shape = [
    {
        "roleId": KEEP,
        "roleName": KEEP,
        "resources": [{"id": KEEP, "type": KEEP, "labels": LABELS}],
        "labels": LABELS,
    }
]


def _named_warehouse(given: Given, item: Json) -> Json:
    """A warehouse's name is one of its settings; the other settings are connection details."""
    settings = item.get("settings") if isinstance(item, dict) else None
    return {**item, "name": settings.get("name")} if isinstance(settings, dict) else item


def _linked(parent: str, child: str) -> Callable[[Given, Json], Json]:
    """A link between two records; of the listed record only its id is kept, under the name `child`."""

    def record(given: Given, item: Json) -> Json:
        known = isinstance(item, dict) and item.get("id")
        return {parent: given["id"], child: item["id"]} if known else {}

    return record


def _beside(**names: str) -> Callable[[Given, Json], Json]:
    """The item with fields of its parent beside its own: name in the record -> name of the parent's field."""

    def record(given: Given, item: Json) -> Json:
        return {**{name: given[of] for name, of in names.items()}, **item} if isinstance(item, dict) else item

    return record


def _plan_of_source(given: Given, item: Json) -> Json:
    plan = item.get("trackingPlanId") if isinstance(item, dict) else None
    return {"trackingPlanId": plan, "sourceId": given["id"]} if plan else None


def _permissions_in_list(user: Record) -> Json | None:
    """The user listing may or may not carry `permissions`; where it does, nobody need be asked again."""
    return {"permissions": user["permissions"]} if isinstance(user.get("permissions"), list) else None


def _has_members(group: Record) -> bool:
    return group.get("memberCount") != 0


WORKSPACE = Stream(
    name="workspace",
    title="Workspace",
    group=BASICS,
    about="Name, slug and id: all that the API tells of a workspace.",
    ways=(Way(path="/", items="workspace", paged=False),),
    key=("id",),
    shape={"id": KEEP, "slug": KEEP, "name": KEEP},
    source=DOCS + "Workspaces",
)
SOURCES = Stream(
    name="sources",
    title="Sources",
    group=DATA_FLOW,
    about="Where customer data comes from, with labels and catalogue facts. Write keys are kept as keyed fingerprints.",
    ways=(Way(path="/sources", items="sources"),),
    key=("id",),
    shape=SOURCE,
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
    source=DOCS + "Destinations",
)
WAREHOUSES = Stream(
    name="warehouses",
    title="Warehouses",
    group=DATA_FLOW,
    about="Storage that customer data is copied to. Of the settings only the names are kept.",
    ways=(Way(path="/warehouses", items="warehouses", record=_named_warehouse),),
    key=("id",),
    shape=WAREHOUSE,
    source=DOCS + "Warehouses",
)
WAREHOUSE_SOURCES = Stream(
    name="warehouse_sources",
    title="Warehouse connections",
    group=DATA_FLOW,
    about="Which source is copied to which warehouse.",
    ways=(
        Way(
            path="/warehouses/{id}/connected-sources",
            items="sources",
            parent="warehouses",
            record=_linked("warehouseId", "sourceId"),
        ),
    ),
    key=("warehouseId", "sourceId"),
    shape={"warehouseId": KEEP, "sourceId": KEEP},
    source=DOCS + "Warehouses",
)
TRACKING_PLANS = Stream(
    name="tracking_plans",
    title="Tracking plans",
    group=TRACKING,
    about="What may be collected, by plan.",
    ways=(Way(path="/tracking-plans", items="trackingPlans"),),
    key=("id",),
    shape={
        "id": KEEP,
        "slug": KEEP,
        "name": KEEP,
        "description": KEEP,
        "type": KEEP,
        "createdAt": KEEP,
        "updatedAt": KEEP,
    },
    gate="Protocols; role Tracking Plan Read-only",
    feature="Protocols",
    source=DOCS + "Tracking-Plans",
)
TRACKING_PLAN_RULES = Stream(
    name="tracking_plan_rules",
    title="Tracking plan rules",
    group=TRACKING,
    about="Every event and property that a plan allows, as JSON Schema.",
    ways=(
        Way(
            path="/tracking-plans/{id}/rules",
            items="rules",
            parent="tracking_plans",
            record=_beside(trackingPlanId="id"),
        ),
    ),
    key=("trackingPlanId", "type", "key", "version"),
    shape={
        "trackingPlanId": KEEP,
        "type": KEEP,
        "key": KEEP,
        "version": KEEP,
        "jsonSchema": WHOLE,
        "createdAt": KEEP,
        "updatedAt": KEEP,
        "deprecatedAt": KEEP,
    },
    per_minute=200,
    gate="Protocols; role Tracking Plan Read-only",
    feature="Protocols",
    source=DOCS + "Tracking-Plans",
)
TRACKING_PLAN_SOURCES = Stream(
    name="tracking_plan_sources",
    title="Tracking plan connections",
    group=TRACKING,
    about="Which source must follow which plan. Asked from the side that needs fewer requests.",
    ways=(
        Way(
            path="/tracking-plans/{id}/sources",
            items="sources",
            parent="tracking_plans",
            record=_linked("trackingPlanId", "sourceId"),
        ),
        Way(path="/sources/{id}", items="", parent="sources", paged=False, within=False, record=_plan_of_source),
    ),
    key=("trackingPlanId", "sourceId"),
    shape={"trackingPlanId": KEEP, "sourceId": KEEP},
    gate="Protocols; roles Source Read-only and Tracking Plan Read-only",
    feature="Protocols",
    source=DOCS + "Tracking-Plans",
)
USERS = Stream(
    name="users",
    title="Users",
    group=PEOPLE,
    about="Members of the workspace: name and e-mail address.",
    ways=(Way(path="/users", items="users"),),
    key=("id",),
    shape={"id": KEEP, "name": KEEP, "email": KEEP, "permissions": DROP},
    source=DOCS + "IAM-Users",
)
USER_PERMISSIONS = Stream(
    name="user_permissions",
    title="User permissions",
    group=PEOPLE,
    about="What each person may do directly. Asked person by person where the listing leaves it out.",
    ways=(
        Way(
            path="/users/{id}",
            items="user",
            parent="users",
            paged=False,
            embedded=_permissions_in_list,
            record=lambda given, item: {
                "userId": given["id"],
                "permissions": item.get("permissions") if isinstance(item, dict) else None,
            },
        ),
    ),
    key=("userId",),
    shape={"userId": KEEP, "permissions": PERMISSIONS},
    source=DOCS + "IAM-Users",
)
GROUPS = Stream(
    name="groups",
    title="Groups",
    group=PEOPLE,
    about="User groups and what their members may do.",
    ways=(Way(path="/groups", items="userGroups"),),
    key=("id",),
    shape={"id": KEEP, "name": KEEP, "memberCount": KEEP, "permissions": PERMISSIONS},
    gate="Business plan",
    feature="User groups",
    source=DOCS + "IAM-Groups",
)
GROUP_USERS = Stream(
    name="group_users",
    title="Group members",
    group=PEOPLE,
    about="Who is in which group. Groups that count no members are not asked.",
    ways=(
        Way(
            path="/groups/{id}/users",
            items="users",
            parent="groups",
            ask=_has_members,
            record=_linked("groupId", "userId"),
        ),
    ),
    key=("groupId", "userId"),
    shape={"groupId": KEEP, "userId": KEEP},
    gate="Business plan",
    feature="User groups",
    source=DOCS + "IAM-Groups",
)
ROLES = Stream(
    name="roles",
    title="Roles",
    group=PEOPLE,
    about="The roles that this workspace knows.",
    ways=(Way(path="/roles", items="roles"),),
    key=("id",),
    shape={"id": KEEP, "name": KEEP, "description": KEEP},
    source=DOCS + "IAM-Roles",
)
INVITES = Stream(
    name="invites",
    title="Invitations",
    group=PEOPLE,
    about="E-mail addresses that were invited and have not joined.",
    ways=(Way(path="/invites", items="invites", record=lambda given, item: {"email": item}),),
    key=("email",),
    shape={"email": KEEP},
    source=DOCS + "IAM-Users",
)
LABELS_STREAM = Stream(
    name="labels",
    title="Labels",
    group=BASICS,
    about="Labels that sort sources into environments, teams and the like.",
    ways=(Way(path="/labels", items="labels", paged=False),),
    key=("key", "value"),
    shape={"key": KEEP, "value": KEEP, "description": KEEP},
    source=DOCS + "Labels",
)

ALL = (
    WORKSPACE,
    SOURCES,
    DESTINATIONS,
    WAREHOUSES,
    WAREHOUSE_SOURCES,
    TRACKING_PLANS,
    TRACKING_PLAN_RULES,
    TRACKING_PLAN_SOURCES,
    USERS,
    USER_PERMISSIONS,
    GROUPS,
    GROUP_USERS,
    ROLES,
    INVITES,
    LABELS_STREAM,
)
