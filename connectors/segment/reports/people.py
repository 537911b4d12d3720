"""People and access: who may do what, directly and through groups, and who was invited."""

from collections import defaultdict
from collections.abc import Iterator, Mapping

from ...spec import Cell, Column, Record, Report, ReportSpec, Row, State, View
from . import fields, rights
from .inventory import Inventory
from .rights import Access, Grant, Person, Right

GROUP_INVITES, CREDENTIALS = "group_invites", "credentials"
PEOPLE_COLUMNS = (
    Column("name", "Name"),
    Column("email", "E-mail"),
    Column("id", "Id", "id", record="users"),
    Column("owner", "Workspace Owner", filter=True),
    Column("direct", "Roles held directly", "list", filter=True),
    Column("groups", "Groups", "list", filter=True),
    Column("effective", "Effective roles", "list", filter=True),
    Column("resources", "Resources", "number"),
)
RIGHT_COLUMNS = (
    Column("person", "Person"),
    Column("email", "E-mail"),
    Column("person_id", "Person id", "id"),
    Column("role", "Role", filter=True),
    Column("scope_type", "Scope", filter=True),
    Column("scope", "Scope name"),
    Column("scope_id", "Scope id", "id"),
    Column("labels", "Only with labels", "list", filter=True),
    Column("held", "Held", filter=True),
    Column("group", "Group", filter=True),
)
GROUP_COLUMNS = (
    Column("name", "Name"),
    Column("id", "Id", "id", record="groups"),
    Column("count", "Members counted by Segment", "number"),
    Column("members", "Members", "list"),
    Column("roles", "Roles", "list", filter=True),
)
INVITATION_COLUMNS = (
    Column("email", "E-mail"),
    Column("groups", "To groups", "list", filter=True),
)
CREDENTIAL_COLUMNS = (
    Column("name", "Name"),
    Column("id", "Id", "id", record="credentials"),
    Column("type", "For", filter=True),
    Column("created", "Created", "time"),
    Column("updated", "Updated", "time"),
)
NOTES = (
    "The API does not tell whether a person signs in with a second factor or single sign-on, or when they last did.",
    "The API does not list tokens and OAuth apps, which can also act on the workspace.",
    "An invitation is an e-mail address, and perhaps a group: the API tells no date, no role and no inviter.",
    "Credentials are what Segment uses to enter other services. Only their kind and their dates are kept.",
    "Resources counts the things that a person's rights name, the whole workspace as one of them.",
)


def build(view: View, only: Mapping[str, str]) -> Report:
    inventory = Inventory(view)
    access, table = Access(inventory), inventory.table
    held = ("users", rights.DIRECT, *rights.MEMBERSHIP)
    tables = (
        table("people", "People", PEOPLE_COLUMNS, lambda: _people(access), *held),
        table("rights", "Effective rights", RIGHT_COLUMNS, lambda: _rights(inventory, access), *held),
        table("groups", "Groups", GROUP_COLUMNS, lambda: _group_rows(inventory, access), *rights.MEMBERSHIP),
        table(
            "invitations",
            "Invitations",
            INVITATION_COLUMNS,
            lambda: _invitations(inventory, access),
            *("invites", GROUP_INVITES),
        ),
        table("credentials", "Credentials", CREDENTIAL_COLUMNS, lambda: _credentials(view), CREDENTIALS),
    )
    return Report(tables, _facts(inventory, access), notes=NOTES)


# --- people -------------------------------------------------------------------------------------


def _people(access: Access) -> Iterator[Row]:
    return (_person(access, person) for person in access.people)


def _person(access: Access, person: Person) -> Row:
    return (
        fields.name_of(person.record, "email"),
        fields.text(fields.at(person.record, "email")),
        fields.identity(person.record),
        _owner(person),
        _unknown(person.direct.unknown) or rights.roles(person.direct.rights),
        _groups(access, person),
        _unknown(person.unknown) or rights.roles(person.rights),
        _unknown(person.unknown) or len({(right.type, right.scope) for right in person.rights if right.scope}),
    )


def _unknown(why: str) -> State | None:
    return State("unknown", "Unknown", why) if why else None


def _owner(person: Person) -> Cell:
    """One right that is known is enough to say yes; to say no, all must be known."""
    if any(right.role == rights.OWNER for right in person.rights):
        return True
    return _unknown(person.unknown) or False


def _groups(access: Access, person: Person) -> Cell:
    if unseen := [grant for grant in person.through if not grant.group]:
        return _unknown(unseen[0].unknown)
    return tuple(access.group_names.get(grant.group, grant.group) for grant in person.through if grant.group)


# --- rights -------------------------------------------------------------------------------------


def _rights(inventory: Inventory, access: Access) -> Iterator[Row]:
    workspace = {fields.identity(record): fields.name_of(record) for record in inventory.view.records("workspace")}
    names = {"SOURCE": inventory.source_names, "WAREHOUSE": inventory.warehouse_names, "WORKSPACE": workspace}
    for person in access.people:
        who = (
            fields.name_of(person.record, "email"),
            fields.text(fields.at(person.record, "email")),
            fields.identity(person.record),
        )
        for grant in person.grants:
            way = _way(access, grant)
            for right in grant.rights:
                yield (*who, *_right(right, names), *way)
            if grant.unknown:  # a row that says so: a missing one would read as "no more rights"
                yield (*who, _unknown(grant.unknown), None, None, None, None, *way)


def _right(right: Right, names: Mapping[str, Mapping[str, str]]) -> Row:
    name = names.get(right.type, {}).get(right.scope)
    return (right.role, right.type or None, name, right.scope or None, right.labels)


def _way(access: Access, grant: Grant) -> Row:
    if grant.group is None:
        return ("Directly", None)
    return ("Through a group", access.group_names.get(grant.group, grant.group) or None)


# --- groups and invitations ---------------------------------------------------------------------


def _group_rows(inventory: Inventory, access: Access) -> Iterator[Row]:
    return (_group(inventory, access, group) for group in access.groups)


def _group(inventory: Inventory, access: Access, group: Record) -> Row:
    id_ = fields.identity(group)
    grant = access.grants_of_groups[id_]
    members = fields.named(access.members.get(id_, ()), access.people_names)
    return (
        fields.name_of(group),
        id_,
        fields.number(fields.at(group, "memberCount")),
        inventory.unknown("group_users") or members,
        _unknown(grant.unknown) or rights.roles(grant.rights),
    )


def _invitations(inventory: Inventory, access: Access) -> Iterator[Row]:
    """Everybody who is invited to the workspace or to a group of it."""
    to = _groups_of_invited(inventory.view)
    for email in fields.by_name(_invited(inventory.view), {}):
        groups = fields.named(to.get(email, ()), access.group_names)
        yield (email, groups or inventory.unknown(GROUP_INVITES) or ())


def _invited(view: View) -> set[str]:
    return {
        fields.identity(invite, "email") for stream in ("invites", GROUP_INVITES) for invite in view.records(stream)
    }


def _groups_of_invited(view: View) -> Mapping[str, list[str]]:
    found = defaultdict(list)
    for invite in view.records(GROUP_INVITES):
        found[fields.identity(invite, "email")].append(fields.identity(invite, "groupId"))
    return found


def _credentials(view: View) -> Iterator[Row]:
    for credential in fields.in_order(view.records(CREDENTIALS)):
        yield (
            fields.name_of(credential),
            fields.identity(credential),
            fields.text(fields.at(credential, "settings", "type")),
            fields.text(fields.at(credential, "createdAt")),
            fields.text(fields.at(credential, "updatedAt")),
        )


# --- facts --------------------------------------------------------------------------------------


def _facts(inventory: Inventory, access: Access) -> tuple[tuple[str, Cell], ...]:
    return (
        ("People", inventory.total("users")),
        ("Workspace Owners", _owners(inventory, access)),
        ("Groups", inventory.total("groups")),
        ("Open invitations", inventory.total("invites")),
        ("Credentials", inventory.total(CREDENTIALS)),
    )


def _owners(inventory: Inventory, access: Access) -> Cell:
    said = [_owner(person) for person in access.people]
    known = sum(owner is True for owner in said)
    unsure = [owner.why for owner in said if isinstance(owner, State)]
    if why := inventory.unread("users") or next(iter(unsure), ""):
        return State("unknown", f"At least {known}" if known else "Unknown", why)
    return known


SPEC = ReportSpec(
    name="people",
    title="People and access",
    question="Who can see or change what in the workspace, directly or through a group, and who was invited?",
    streams=(
        *("users", rights.DIRECT, "groups", "group_users", "roles", "invites", GROUP_INVITES, CREDENTIALS),
        *("sources", "warehouses", "workspace"),
    ),
    build=build,
    supports=(
        "soc2 CC6.1",
        "soc2 CC6.2",
        "soc2 CC6.3",
        "soc2 P4.1",
        "iso27001 A.5.3",
        "iso27001 A.5.15",
        "iso27001 A.5.16",
        "iso27001 A.5.18",
        "iso27001 A.6.5",
        "iso27001 A.8.2",
        "iso27001 A.8.3",
        "gdpr 25",
        "gdpr 32",
        "ccpa 1798.100",
        "nist-csf PR.AA-01",
        "nist-csf PR.AA-05",
    ),
)
