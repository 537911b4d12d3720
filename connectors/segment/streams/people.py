"""Who may do what: members, groups, roles, invitations, and the credentials that Segment itself holds."""

from ...spec import DROP, KEEP, Given, Group, Json, Record, Shape, Stream, Way, one_of
from .common import BUSINESS, DOCS, ENTITIES_ADMIN, LABELS, OWNER, linked, part

PEOPLE = Group(
    "people",
    "People and access",
    "Members, groups, roles, invitations, and what each may do.",
    why="Reviews of access need it: who may see or change customer data, through which group or role, and who is "
    "about to.",
)
GROUPS_GATE = f"Business plan; {OWNER}"

PERMISSIONS: Shape = [
    {
        "roleId": KEEP,
        "roleName": KEEP,
        "resources": [
            {
                "id": KEEP,
                "type": one_of("FUNCTION", "SOURCE", "SPACE", "WAREHOUSE", "WORKSPACE"),
                "labels": LABELS,
            }
        ],
        "labels": LABELS,
    }
]


def _permissions_in_list(user: Record) -> Json | None:
    """The user listing may or may not carry `permissions`; where it does, nobody need be asked again."""
    return {"permissions": user["permissions"]} if isinstance(user.get("permissions"), list) else None


def _permissions(given: Given, item: Json) -> Json:
    return {"userId": given["id"], "permissions": item.get("permissions") if isinstance(item, dict) else None}


def _has_members(group: Record) -> bool:
    return group.get("memberCount") != 0


def _only_the_type(given: Given, item: Json) -> Json:
    """Of a credential's settings not even the names are kept: only which service it opens."""
    return {**item, "settings": {"type": part(item, "settings").get("type")}} if isinstance(item, dict) else item


USERS = Stream(
    name="users",
    title="Users",
    group=PEOPLE,
    about="Members of the workspace: name and e-mail address.",
    ways=(Way(path="/users", items="users"),),
    key=("id",),
    shape={"id": KEEP, "name": KEEP, "email": KEEP, "permissions": DROP},
    gate=OWNER,
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
            record=_permissions,
        ),
    ),
    key=("userId",),
    shape={"userId": KEEP, "permissions": PERMISSIONS},
    gate=OWNER,
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
    gate=GROUPS_GATE,
    plan=BUSINESS,
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
            record=linked("groupId", "userId"),
        ),
    ),
    key=("groupId", "userId"),
    shape={"groupId": KEEP, "userId": KEEP},
    gate=GROUPS_GATE,
    plan=BUSINESS,
    feature="User groups",
    source=DOCS + "IAM-Groups",
)
GROUP_INVITES = Stream(
    name="group_invites",
    title="Invitations to groups",
    group=PEOPLE,
    about="E-mail addresses that were invited to a group and have not joined.",
    ways=(
        Way(
            path="/groups/{id}/invites",
            items="emails",
            parent="groups",
            record=lambda given, item: {"groupId": given["id"], "email": item},
        ),
    ),
    key=("groupId", "email"),
    shape={"groupId": KEEP, "email": KEEP},
    gate=GROUPS_GATE,
    plan=BUSINESS,
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
    gate=OWNER,
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
    gate=OWNER,
    source=DOCS + "IAM-Users",
)
CREDENTIALS = Stream(
    name="credentials",
    title="Credentials in Segment",
    group=PEOPLE,
    about="Credentials that Segment keeps for other services: name, kind and dates. Nothing of what is in them.",
    ways=(Way(path="/credentials", items="credentials", record=_only_the_type),),
    key=("id",),
    shape={
        "id": KEEP,
        "workspaceId": KEEP,
        "name": KEEP,
        "settings": {"type": KEEP},
        "createdAt": KEEP,
        "updatedAt": KEEP,
    },
    gate="Workspace Owner, or role Warehouse Admin, Source Admin, Entities Admin or Unify and Engage Admin",
    roles=(ENTITIES_ADMIN,),  # of the four, the one that can change the least of how data flows
    source=DOCS + "Credentials",
)
