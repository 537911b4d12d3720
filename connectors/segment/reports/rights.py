"""Rights: what each person may do, directly and through groups, and what of that could not be read."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from ...spec import Json, Record
from . import fields
from .inventory import Inventory

OWNER = "Workspace Owner"
DIRECT = "user_permissions"
MEMBERSHIP = ("groups", "group_users")
NO_LIST = "Segment's answer has no readable list of rights."
NOT_READ = "The rights of this person were not read."


@dataclass(frozen=True, slots=True, order=True)
class Right:
    """One role on one thing. `type` and `scope` (an id) are "" when Segment names nothing for it."""

    role: str
    type: str
    scope: str
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Grant:
    """Rights that come by one way: directly, or through the group of that id.

    group    None for rights held directly, "" for groups that could not be read
    unknown  why there may be more of them, "" when these are all
    """

    rights: tuple[Right, ...]
    group: str | None = None
    unknown: str = ""


@dataclass(frozen=True)
class Person:
    """Somebody with access. `direct` and `through` are the ways by which rights come."""

    record: Record
    direct: Grant
    through: tuple[Grant, ...]

    @property
    def grants(self) -> tuple[Grant, ...]:
        return (self.direct, *self.through)

    @property
    def rights(self) -> frozenset[Right]:
        """The effective rights, as far as they are known: the union of all ways."""
        return frozenset(right for grant in self.grants for right in grant.rights)

    @property
    def unknown(self) -> str:
        """Why there may be more effective rights than are known, "" when these are all."""
        return " ".join(dict.fromkeys(grant.unknown for grant in self.grants if grant.unknown))


def roles(rights: Iterable[Right]) -> tuple[str, ...]:
    return tuple(sorted({right.role for right in rights}, key=lambda role: (role.casefold(), role)))


class Access:
    """Who may do what in a workspace. Everything is read when it is first asked for."""

    def __init__(self, inventory: Inventory) -> None:
        self._inventory, self._view = inventory, inventory.view

    @cached_property
    def people(self) -> tuple[Person, ...]:
        """Everybody who is listed, and everybody who has rights or sits in a group without being listed."""
        listed: dict[str, Record] = {fields.identity(user): user for user in self._view.records("users")}
        strangers = (self._permissions.keys() | self._groups_of.keys()) - listed.keys()
        everybody = (*listed.values(), *({"id": id_} for id_ in strangers))
        return tuple(self._person(record) for record in fields.in_order(everybody, "email"))

    @cached_property
    def groups(self) -> tuple[Record, ...]:
        return fields.in_order(self._view.records("groups"))

    @cached_property
    def group_names(self) -> dict[str, str]:
        return {fields.identity(group): fields.name_of(group) for group in self.groups}

    @cached_property
    def members(self) -> Mapping[str, list[str]]:
        """Group id -> ids of the people in it."""
        return self._links("groupId", "userId")

    @cached_property
    def people_names(self) -> dict[str, str]:
        return {fields.identity(person.record): fields.name_of(person.record, "email") for person in self.people}

    @cached_property
    def grants_of_groups(self) -> dict[str, Grant]:
        ids = {fields.identity(group): group for group in self.groups}
        return {id_: self._grant(group.get("permissions"), id_) for id_, group in ids.items()}

    # --- one person ---

    def _person(self, record: Record) -> Person:
        id_ = fields.identity(record)
        groups = fields.by_name(self._groups_of.get(id_, ()), self.group_names)
        unread = self._inventory.unread(*MEMBERSHIP)
        unseen = (Grant((), "", unread),) if unread else ()
        known = (self.grants_of_groups.get(group, Grant((), group, "This group was not read.")) for group in groups)
        return Person(record, self._direct(id_), (*known, *unseen))

    def _direct(self, person: str) -> Grant:
        unread = self._inventory.unread(DIRECT)
        if person not in self._permissions:
            return Grant((), None, unread or NOT_READ)
        grant = self._grant(self._permissions[person], None)
        return Grant(grant.rights, None, unread or grant.unknown)

    def _grant(self, permissions: Json, group: str | None) -> Grant:
        if not isinstance(permissions, list):
            return Grant((), group, NO_LIST)
        rights = {right for permission in permissions for right in self._rights(permission)}
        return Grant(tuple(sorted(rights)), group)

    def _rights(self, permission: Json) -> Iterator[Right]:
        role_id = fields.word(fields.at(permission, "roleId"), fields.UNREADABLE_WORD)
        role = fields.word(fields.at(permission, "roleName")) or self._role_names.get(role_id, role_id)
        labels = _labels(permission)
        resources = fields.at(permission, "resources")
        for resource in resources if isinstance(resources, list) and resources else [None]:
            type_, scope = (fields.word(fields.at(resource, name)) for name in ("type", "id"))
            yield Right(role, type_, scope, tuple(sorted({*labels, *_labels(resource)})))

    # --- what is read ---

    @cached_property
    def _permissions(self) -> dict[str, Json]:
        return {fields.identity(record, "userId"): record.get("permissions") for record in self._view.records(DIRECT)}

    @cached_property
    def _groups_of(self) -> Mapping[str, list[str]]:
        return self._links("userId", "groupId")

    @cached_property
    def _role_names(self) -> dict[str, str]:
        return {fields.identity(role): fields.name_of(role) for role in self._view.records("roles")}

    def _links(self, one: str, many: str) -> Mapping[str, list[str]]:
        found = defaultdict(list)
        for link in self._view.records("group_users"):
            found[fields.identity(link, one)].append(fields.identity(link, many))
        return found


def _labels(holder: Json) -> tuple[str, ...]:
    found = fields.labels(fields.at(holder, "labels"))
    return found if isinstance(found, tuple) else () if found is None else (fields.UNREADABLE_WORD,)
