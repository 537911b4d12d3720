"""What there is to know of a company before its workspace is written down: facts in a compact form.

`demo.py` has a small company told by hand; `invent` makes one of any size up.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from . import catalog
from .dice import Dice

WORKSPACE_OWNER = "Workspace Owner"

ROLES = {
    WORKSPACE_OWNER: "Reads and changes everything, people and settings included.",
    "Minimal Workspace Access": "Sees that the workspace exists, nothing in it.",
    "Source Admin": "Changes the sources it was given, with their settings and write keys.",
    "Source Read-only": "Reads the sources it was given.",
    "Tracking Plan Admin": "Changes every tracking plan.",
    "Warehouse Destination Admin": "Changes every warehouse and its settings.",
    "End User Privacy Admin": "Handles deletion and suppression of end users.",
    "Function Admin": "Writes and deploys the functions it was given.",
}


@dataclass(frozen=True)
class Size:
    """How many of what. Rules are per plan; audit events and regulations are per day, over 90 days."""

    sources: int
    destinations: int
    users: int
    plans: int
    rules: int
    warehouses: int
    groups: int
    invites: int
    transformations: int
    models: int
    events: float
    regulations: float

    @property
    def resources(self) -> int:
        return self.sources + self.destinations + self.users + self.plans + self.plans * self.rules


SIZES = {
    "small": Size(20, 40, 25, 5, 50, 2, 4, 3, 4, 2, events=2, regulations=1 / 3),
    "medium": Size(200, 400, 200, 40, 200, 3, 8, 6, 20, 8, events=8, regulations=1),
    "large": Size(1000, 4000, 3000, 200, 500, 5, 30, 20, 60, 25, events=30, regulations=8),
}


class Source(NamedTuple):
    """`plan` is the number of its tracking plan, None for none; `strict` sources refuse what is not planned."""

    name: str
    kind: str
    environment: str = "production"
    team: str = ""
    plan: int | None = None
    enabled: bool = True
    strict: bool = True


class Destination(NamedTuple):
    name: str
    kind: str
    source: int
    enabled: bool = True
    filters: int = 0
    endpoint: str = ""


class Grant(NamedTuple):
    """A role on the whole workspace, on sources (by number), on a warehouse, or on what carries a label."""

    role: str
    sources: tuple[int, ...] = ()
    warehouse: int | None = None
    environment: str = ""


class Person(NamedTuple):
    name: str
    email: str
    grants: tuple[Grant, ...] = (Grant("Minimal Workspace Access"),)


class Plan(NamedTuple):
    name: str
    theme: str
    about: str
    type: str = "LIVE"


class Group(NamedTuple):
    name: str
    members: tuple[int, ...]
    grants: tuple[Grant, ...]


@dataclass(frozen=True)
class Company:
    slug: str
    name: str
    sources: tuple[Source, ...]
    destinations: tuple[Destination, ...]
    people: tuple[Person, ...]
    plans: tuple[Plan, ...]
    groups: tuple[Group, ...]
    warehouses: tuple[tuple[str, str, tuple[int, ...]], ...]  # name, kind, numbers of the connected sources
    invites: tuple[str, ...]
    domain: str = "example.com"
    labels: dict[tuple[str, str], str] = field(default_factory=dict)  # (key, value) -> description


CHANNELS = (
    "Web shop", "iOS app", "Android app", "Order service", "Help desk", "CRM", "Store tills", "Loyalty service",
    "Returns portal", "Newsletter", "Partner portal", "Payments", "Inventory service", "Kiosk", "Survey forms",
    "Press site", "Career site", "Gift cards", "Fleet tracker", "Call centre", "Booking engine", "Wholesale portal",
    "Review service", "Search service", "Subscription service",
)  # fmt: skip
MARKETS = (
    "Austria", "Belgium", "Brazil", "Canada", "Chile", "Czechia", "Denmark", "Egypt", "Estonia", "Finland", "France",
    "Germany", "Ghana", "Greece", "Hungary", "Iceland", "India", "Ireland", "Italy", "Japan", "Kenya", "Latvia",
    "Lithuania", "Malta", "Mexico", "Morocco", "Netherlands", "Norway", "Peru", "Poland", "Portugal", "Romania",
    "Slovakia", "Slovenia", "Spain", "Sweden", "Switzerland", "Türkiye", "Uruguay", "Vietnam",
)  # fmt: skip
GIVEN = (
    "Abel", "Agnes", "Amara", "Anton", "Asha", "Bela", "Bruno", "Camille", "Chidi", "Clara", "Dario", "Dilan", "Edda",
    "Elif", "Emeka", "Esther", "Farid", "Fiona", "Gaspar", "Greta", "Hana", "Henrik", "Ilse", "Imani", "Ivo", "Jamila",
    "Joris", "Kaito", "Katya", "Lars", "Leila", "Lucia", "Magnus", "Mei", "Milan", "Naomi", "Nils", "Odile", "Omar",
    "Paula", "Quentin", "Rosa", "Samir", "Sanna", "Tariq", "Tove", "Ursula", "Viktor", "Wanda", "Yusuf",
)  # fmt: skip
FAMILY = (
    "Abendroth", "Achterberg", "Almqvist", "Anderlund", "Barrowby", "Bellavance", "Birkholt", "Brandvik", "Calderwood",
    "Castelmar", "Corvino", "Dahlgreen", "Delacourt", "Dunmoor", "Eastholm", "Ekenberg", "Farnsby", "Fjellstad",
    "Galvano", "Greywater", "Hallqvist", "Hartwood", "Hollenfels", "Ironbridge", "Jarnvik", "Kestermann", "Kirkwell",
    "Lachmere", "Lindenau", "Lowenthorp", "Marchbanks", "Mirandela", "Moorfield", "Nightingall", "Nordhavn", "Oakhurst",
    "Okonjo", "Ostermark", "Pellegrad", "Quistgard", "Ravensby", "Rosendahl", "Saltmarsh", "Selvaggi", "Silverholt",
    "Stonebridge", "Tallander", "Thistlewood", "Umberfeld", "Valkenrode", "Varga-Holm", "Verlaine", "Wakefern",
    "Westerholt", "Whitcombe", "Winterbourne", "Yarrowby", "Zabrinski", "Zellweiler", "Zinnfeld",
)  # fmt: skip
TEAMS = ("digital", "apps", "commerce", "care", "stores", "platform")
ENVIRONMENTS = ("production", "production", "production", "staging", "test")
WORLDLY = {7: "نقاط البيع", 11: "オンラインストア", 13: "Trail club 🏕️"}


def person(number: int, domain: str) -> Person:
    """The invented person of that number: names repeat after 3,000, addresses never."""
    round_, at = divmod(number, len(GIVEN) * len(FAMILY))
    given, family = GIVEN[at % len(GIVEN)], FAMILY[at // len(GIVEN)]
    return Person(f"{given} {family}", f"{given}.{family}{round_ or ''}@{domain}".lower())


def invent(size: Size, slug: str, name: str, domain: str = "example.com") -> Company:
    """A company of that size; the same arguments give the same company."""
    sources = tuple(_source(size, slug, number) for number in range(size.sources))
    return Company(
        slug=slug,
        name=name,
        sources=sources,
        destinations=tuple(_destination(slug, sources, number) for number in range(size.destinations)),
        people=tuple(_person(size, slug, domain, number) for number in range(size.users)),
        plans=tuple(_plan(number) for number in range(size.plans)),
        groups=tuple(_group(size, slug, number) for number in range(size.groups)),
        warehouses=tuple(_warehouse(size, slug, number) for number in range(size.warehouses)),
        invites=tuple(person(7_000 + number, domain).email for number in range(size.invites)),
        domain=domain,
    )


def labels(company: Company) -> Iterator[tuple[str, str, str]]:
    """Key, value and description of each label that sources can carry."""
    for environment in dict.fromkeys(ENVIRONMENTS):
        yield "environment", environment, f"Belongs to {environment}"
    for team in TEAMS:
        yield "owner", team, ""
    for (key, value), about in company.labels.items():
        yield key, value, about


def _source(size: Size, slug: str, number: int) -> Source:
    dice = Dice(slug, "source", number)
    name = WORLDLY.get(number) or f"{CHANNELS[number % len(CHANNELS)]} {MARKETS[number // len(CHANNELS) % 40]}"
    return Source(
        name,
        dice.pick(list(catalog.SOURCES)),
        dice.pick(ENVIRONMENTS),
        dice.pick(TEAMS) if dice.chance(80) else "",
        number % size.plans if dice.chance(60) else None,
        enabled=dice.chance(93),
        strict=dice.chance(80),
    )


def _destination(slug: str, sources: tuple[Source, ...], number: int) -> Destination:
    dice = Dice(slug, "destination", number)
    source, kind = dice.below(len(sources)), dice.pick(list(catalog.DESTINATIONS))
    name = f"{catalog.DESTINATIONS[kind].name} for {sources[source].name}"
    return Destination(name, kind, source, dice.chance(88), dice.below(3) if dice.chance(40) else 0)


def _person(size: Size, slug: str, domain: str, number: int) -> Person:
    dice = Dice(slug, "person", number)
    plain = person(number, domain)
    if number < 3:
        return plain._replace(grants=(Grant(WORKSPACE_OWNER),))
    grants = [Grant("Minimal Workspace Access")]
    if dice.chance(40):
        grants.append(Grant(dice.pick(["Source Admin", "Source Read-only"]), tuple(dice.some(range(size.sources), 3))))
    if dice.chance(10):
        grants.append(Grant(dice.pick(list(ROLES)[4:])))
    return plain._replace(grants=tuple(grants))


def _plan(number: int) -> Plan:
    theme = "every"
    name = f"{CHANNELS[number % len(CHANNELS)]} events {MARKETS[number // len(CHANNELS)]}"
    return Plan(WORLDLY.get(number, name), theme, f"What {name} may send.", "TEMPLATE" if number % 37 == 36 else "LIVE")


def _group(size: Size, slug: str, number: int) -> Group:
    dice = Dice(slug, "group", number)
    members = dice.some(range(size.users), 3 + dice.below(max(4, size.users // 12)))
    role = dice.pick(["Source Admin", "Source Read-only"])
    grants = (Grant(role, tuple(dice.some(range(size.sources), 5))),)
    return Group(f"{CHANNELS[number % len(CHANNELS)]} team {number + 1}", tuple(sorted(members)), grants)


def _warehouse(size: Size, slug: str, number: int) -> tuple[str, str, tuple[int, ...]]:
    connected = (at for at in range(size.sources) if Dice(slug, "warehouse", number, at).chance(50))
    kind = list(catalog.WAREHOUSES)[number % len(catalog.WAREHOUSES)]
    return f"{catalog.WAREHOUSES[kind].name} {MARKETS[number]}", kind, tuple(connected)
