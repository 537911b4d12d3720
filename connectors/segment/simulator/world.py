"""A workspace on one day, as records of the API's own shapes. A pure function of size, day and place."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import accumulate
from typing import Any, Literal

from . import catalog, hostile, rules
from .company import ROLES, SIZES, TEAMS, Company, Grant, Person, Size, invent, labels, person
from .demo import FERNHILL
from .dice import Dice
from .drift import Drift, Version, stamp

Json = Any
Kind = Literal["sources", "destinations", "warehouses", "plans", "users", "groups", "spaces", "functions"]

FIXED_DAY = -400  # when everything was set up that never changes
FUNCTIONS = {
    "SOURCE": ("Till receipts in", "Weather feed"),
    "DESTINATION": ("Gift card ledger", "Shop floor screens", "Partner portal"),
    "INSERT_DESTINATION": ("Mask postal codes",),
    "INSERT_SOURCE": ("Add store region",),
    "INSERT_TRANSFORMATION": (),
}


def company(size: str, place: str) -> Company:
    """The company behind a workspace. `place` is home, other (a second workspace) or eu."""
    if place == "other":
        return invent(SIZES["small"], "larkspur-books", "Larkspur Books")
    if place == "eu":
        return invent(SIZES["small"], "fernhill-europe", "Fernhill Europe", "eu.example.com")
    if size == "small":
        return FERNHILL
    return invent(SIZES[size], f"{size}-trading", f"{size.capitalize()} Trading Group")


class World:
    """Everything that the workspace holds on that day. Days count from 0; `spice` mixes hostile names in."""

    def __init__(self, size: str, day: int, place: str = "home", *, spice: bool = False) -> None:
        self.day = day
        self.size: Size = SIZES[size] if place == "home" else SIZES["small"]
        self.company = company(size, place)
        self.seed = self.company.slug
        self.drift = Drift(self.seed, self.size.resources)
        self.spice = spice
        self._numbers: dict[str, dict[str, int]] = {}
        self.name = hostile.name if spice else hostile.plain

    # --- what there is ------------------------------------------------------------------------------

    @cached_property
    def workspace(self) -> Json:
        name = self.name("workspace", 0, self.company.name)
        return {"id": self.id("workspace"), "slug": self.company.slug, "name": name}

    @cached_property
    def labels(self) -> list[Json]:
        nasty = [("note", name, name) for name in hostile.NAMES] if self.spice else []
        return [
            {"key": key, "value": value, **({"description": about} if about else {})}
            for key, value, about in (*labels(self.company), *nasty)
        ]

    @cached_property
    def sources(self) -> list[Json]:
        return [self._source(number) for number in range(self.size.sources)]

    @cached_property
    def destinations(self) -> list[Json]:
        return [self._destination(number) for number in range(self.size.destinations)]

    @cached_property
    def warehouses(self) -> list[Json]:
        return [self._warehouse(number) for number in range(self.size.warehouses)]

    @cached_property
    def plans(self) -> list[Json]:
        return [self._plan(number) for number in range(self.size.plans)]

    @cached_property
    def users(self) -> list[Json]:
        return [self.user(number, self.day) for number in range(self.size.users)]

    @cached_property
    def groups(self) -> list[Json]:
        return [
            {
                "id": self.id("group", number),
                "name": self.name("group", number, group.name),
                "memberCount": len(group.members),
                "permissions": [self.permission(grant) for grant in group.grants],
            }
            for number, group in enumerate(self.company.groups)
        ]

    @cached_property
    def roles(self) -> list[Json]:
        return [{"id": _role(name), "name": name, "description": about} for name, about in ROLES.items()]

    @cached_property
    def spaces(self) -> list[Json]:
        names = ("Customers", "Members", "Business customers")[: 1 + self.size.plans // 40]
        return [
            {"id": "spa_" + self.id("space", at), "slug": name.lower().replace(" ", "-"), "name": name}
            for at, name in enumerate(names)
        ]

    @cached_property
    def functions(self) -> list[Json]:
        return [self._function(kind, at) for kind, names in FUNCTIONS.items() for at in range(len(names))]

    @cached_property
    def invites(self) -> list[str]:
        """Those that nobody takes, and one that is taken and follows another each week."""
        nasty = ["=HYPERLINK(1)@example.com", '"<b>bold</b>"@example.com'] if self.spice else []
        return [*self.company.invites, *nasty, f"starter.week{self.day // 7 + 1}@{self.company.domain}"]

    # --- who belongs to whom ------------------------------------------------------------------------

    def rules(self, plan: int) -> Iterator[bytes]:
        """The rules of the plan of that number, as they go over the wire."""
        first = self._slots["rule"] + plan * self.size.rules
        theme = "hostile" if self.spice and plan == 0 else self.company.plans[plan].theme
        book = rules.Book(self.seed, plan, theme, self.size.rules)
        for number in range(self.size.rules):
            special = number < len(rules.SPECIAL)
            version = self.drift.version(first + number, self.day, replaceable=not special)
            yield rules.rule_bytes(book, number, version)

    def plan_of(self, source: int) -> str | None:
        """Id of the plan of the source in that place."""
        plan = self.company.sources[source].plan
        return None if plan is None else self.plans[plan]["id"]

    def plan_sources(self, plan: int) -> list[Json]:
        """The sources that keep to a plan."""
        return [self.sources[at] for at, source in enumerate(self.company.sources) if source.plan == plan]

    def warehouse_sources(self, warehouse: int) -> list[Json]:
        """The sources that are loaded into a warehouse."""
        return [self.sources[at] for at in self.company.warehouses[warehouse][2]]

    def group_users(self, group: int) -> list[Json]:
        """The members of a group."""
        return [minimal(self.users[at]) for at in self.company.groups[group].members]

    def group_invites(self, group: int) -> list[str]:
        """The addresses that were invited into a group."""
        return self.invites[group : group + 1]

    def user_groups(self, user: int) -> list[Json]:
        """The groups that a user is in."""
        mine = (at for at, group in enumerate(self.company.groups) if user in group.members)
        return [{"id": self.groups[at]["id"], "name": self.groups[at]["name"]} for at in mine]

    def numbers(self, kind: Kind) -> Mapping[str, int]:
        """Id -> place in the listing."""
        if kind not in self._numbers:
            self._numbers[kind] = {record["id"]: at for at, record in enumerate(getattr(self, kind))}
        return self._numbers[kind]

    # --- records ------------------------------------------------------------------------------------

    def _source(self, number: int) -> Json:
        fact = self.company.sources[number]
        version = self.version("source", number, self.day)
        done = self._done("source", number, version, ("relabelled", "renamed", "rekeyed", "switched"))
        kind = catalog.SOURCES[fact.kind]
        dice = Dice(self.seed, "source settings", number)
        name = self.name("source", number, fact.name)
        return {
            "id": self.id("source", number),
            "slug": _slug(fact.name, number),
            "name": f"{name} v{done['renamed'] + 1}" if done["renamed"] else name,
            "workspaceId": self.workspace["id"],
            "enabled": fact.enabled ^ bool(done["switched"] % 2),
            "writeKeys": [Dice(self.seed, "write key", number, done["rekeyed"]).text(32)],
            "metadata": catalog.source_metadata(kind),
            "settings": kind.settings(dice),
            "labels": self._labels(number, done["relabelled"]),
        }

    def _labels(self, number: int, moves: int) -> list[Json]:
        fact = self.company.sources[number]
        owners = TEAMS if fact.team in TEAMS else (fact.team, *TEAMS)
        team = owners[(owners.index(fact.team) + moves) % len(owners)]
        pairs = [("environment", fact.environment), ("owner", team)]
        if self.company.labels and fact.team:
            pairs.append(("data_class", "operational" if fact.kind == "go" else "customer"))
        return [{"key": key, "value": value} for key, value in pairs if value]

    def source_settings(self, number: int) -> Json:
        """What the source does with calls that its plan does not foresee: a `SourceSettingsOutputV1`."""
        fact = self.company.sources[number]
        allow = not (fact.strict and fact.plan is not None)
        track = {
            "allowUnplannedEvents": allow,
            "allowUnplannedEventProperties": allow,
            "allowEventOnViolations": allow,
            "allowPropertiesOnViolations": allow,
            "commonEventOnViolations": "ALLOW" if allow else "BLOCK",
        }
        traits = {
            "allowUnplannedTraits": allow,
            "allowTraitsOnViolations": allow,
            "commonEventOnViolations": "ALLOW" if allow else "OMIT_TRAITS",
        }
        settings = {"track": track, "identify": traits, "group": traits}
        forward = {} if allow else {"forwardingViolationsTo": self.id("source", self.size.sources - 2)}
        return {"sourceId": self.id("source", number), "settings": settings | forward}

    def _destination(self, number: int) -> Json:
        fact = self.company.destinations[number]
        version = self.version("destination", number, self.day)
        done = self._done("destination", number, version, ("switched", "renamed", "extended"))
        kind = catalog.DESTINATIONS[fact.kind]
        settings = kind.settings(Dice(self.seed, "destination settings", number, version.generation))
        if fact.endpoint:
            settings["endpoint"] = fact.endpoint
        added = {f"added{at + 1}": True for at in range(done["extended"])}
        name = self.name("destination", number, fact.name)
        age = version.generation + done["renamed"] + 1
        return {
            "id": self.id("destination", number, version.generation),
            "name": f"{name} v{age}" if age > 1 else name,
            "enabled": fact.enabled ^ bool(done["switched"] % 2),
            "settings": settings | added,
            "metadata": catalog.destination_metadata(kind),
            "sourceId": self.id("source", fact.source),
        }

    def _warehouse(self, number: int) -> Json:
        name, slug, _ = self.company.warehouses[number]
        kind = catalog.WAREHOUSES[slug]
        settings = kind.settings(Dice(self.seed, "warehouse settings", number))
        return {
            "id": self.id("warehouse", number),
            "enabled": True,
            "workspaceId": self.workspace["id"],
            "metadata": catalog.warehouse_metadata(kind),
            "settings": {"name": self.name("warehouse", number, name), **settings},
        }

    def _plan(self, number: int) -> Json:
        fact = self.company.plans[number]
        version = self.version("plan", number, self.day)
        review = f" Reviewed {version.revision} times since." if version.revision else ""
        return {
            "id": "tp_" + self.id("plan", number),
            "slug": _slug(fact.name, number),
            "name": self.name("plan", number, fact.name),
            "description": fact.about + review,
            "type": fact.type,
            "createdAt": stamp(FIXED_DAY, self.seed, number),
            "updatedAt": stamp(version.day or FIXED_DAY, self.seed, number),
        }

    def _function(self, kind: str, at: int) -> Json:
        """A function as the listing has it: without its code and settings."""
        name = FUNCTIONS[kind][at]
        return {
            "id": Dice(self.seed, "function", kind, at).hex(24),
            "resourceType": kind,
            "createdAt": stamp(FIXED_DAY + at, self.seed, name),
            "createdBy": self.user(15, 0)["id"],
            "displayName": name,
            "description": f"Written in-house: {name.lower()}.",
            "logoUrl": "https://cdn.example.com/logos/function.svg",
            "catalogId": Dice(self.seed, "function catalogue", kind, at).hex(24),
        }

    def user(self, number: int, day: int) -> Json:
        """A `UserV1` with its permissions, as it was on that day."""
        version = self.version("user", number, day)
        fact = self._person(number, version)
        return {
            "id": self.id("user", number, version.generation),
            "name": self.name("user", number, fact.name),
            "email": fact.email,
            "permissions": [self.permission(grant) for grant in fact.grants],
        }

    def _person(self, number: int, version: Version) -> Person:
        fact = self.company.people[number]
        if version.generation:
            fresh = person(self.size.users * version.generation + number, self.company.domain)
            fact = fact._replace(name=fresh.name, email=fresh.email)
        if version.revision:
            married = person(number + 7 * version.revision * 50, "").name.split(" ", 1)[1]
            fact = fact._replace(name=f"{fact.name.split(' ', 1)[0]} {married}")
            fact = fact._replace(grants=(*fact.grants, Grant("Source Read-only", (number % self.size.sources,))))
        return fact

    def permission(self, grant: Grant) -> Json:
        """A `PermissionV1`."""
        entry = {"roleId": _role(grant.role), "roleName": grant.role}
        if grant.environment:
            chosen = [{"key": "environment", "value": grant.environment}]
            held = [{"id": self.workspace["id"], "type": "WORKSPACE", "labels": chosen}]
            return {**entry, "resources": held, "labels": chosen}
        if grant.warehouse is not None:
            return {**entry, "resources": [{"id": self.id("warehouse", grant.warehouse), "type": "WAREHOUSE"}]}
        if grant.sources:
            return {**entry, "resources": [{"id": self.id("source", at), "type": "SOURCE"} for at in grant.sources]}
        return {**entry, "resources": [{"id": self.workspace["id"], "type": "WORKSPACE"}]}

    # --- ids and slots ------------------------------------------------------------------------------

    def id(self, kind: str, number: int = 0, generation: int = 0) -> str:
        """The id of the record in that place. Destinations have 24 hexadecimal digits, all else 22 letters."""
        dice = Dice(self.seed, kind, number, generation)
        return dice.hex(24) if kind == "destination" else dice.text(22)

    @cached_property
    def _slots(self) -> dict[str, int]:
        """Number of the first slot of each kind."""
        size = self.size
        kinds = ("source", "destination", "user", "plan", "rule")
        counts = (0, size.sources, size.destinations, size.users, size.plans)
        return dict(zip(kinds, accumulate(counts), strict=True))

    def version(self, kind: str, number: int, day: int) -> Version:
        """What stands in the place of that number on that day."""
        slot = self._slots[kind] + number
        return self.drift.version(slot, day, replaceable=kind in ("destination", "user"))

    def _done(self, kind: str, number: int, version: Version, deeds: Sequence[str]) -> Counter[str]:
        """How often each thing was done to a record. One more deed always shows in it."""
        turns = range(1, version.revision + 1)
        return Counter(Dice(self.seed, kind, number, version.generation, turn).pick(deeds) for turn in turns)


def minimal(user: Json) -> Json:
    """A user without permissions, as most listings have it."""
    return {"id": user["id"], "name": user["name"], "email": user["email"]}


def _role(name: str) -> str:
    return Dice("role", name).text(27)


def _slug(name: str, number: int) -> str:
    plain = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in name.lower())
    return "-".join(filter(None, plain.split("-"))) or f"item-{number}"
