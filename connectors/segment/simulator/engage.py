"""What is computed about end users: audiences, computed traits, and the warehouses that profiles go to."""

from typing import Any

from .dice import Dice
from .drift import stamp
from .view import Ask
from .world import FIXED_DAY, World

Json = Any

WHO = ("Lapsed", "Frequent", "New", "Wavering", "Local", "Wholesale", "Recent", "Quiet")
WHAT = ("hikers", "shoppers", "members", "riders", "campers", "subscribers", "visitors")
TRAITS = ("Orders in a year", "Last shop visited", "Favourite trail", "Total spent", "Days since a return")
QUERIES = (
    "event('Order Completed').where(property('total') > 100).within(90 days).count() >= 1",
    "trait('marketing_consent') = true",
    "event('Store Visited').within(30 days).count() = 0",
)


def audiences(ask: Ask) -> list[Json]:
    """The audiences of a space, narrowed by `search`; with their schedules when `include` says so."""
    wanted = ask.query.get("search", "").lower()
    count = 2 + ask.world.size.plans // 2
    found = (_audience(ask.world, ask.number, at) for at in range(count))
    scheduled = "include" in ask.query
    return [
        {**it, **({"schedules": _schedules(it)} if scheduled else {})} for it in found if wanted in it["name"].lower()
    ]


def _audience(world: World, space: int, at: int) -> Json:
    name = f"{WHO[at % len(WHO)]} {WHAT[at % len(WHAT)]}{'' if at < len(WHO) * len(WHAT) else f' {at}'}"
    entry = _computed(world, "audience", space, at, name)
    size = 500 + Dice(world.seed, "audience size", space, at).below(50_000)
    return {
        **entry,
        "definition": {"query": QUERIES[at % len(QUERIES)], "targetEntity": None},
        "status": "Live" if entry["enabled"] else "Disabled",
        "audienceType": "USERS",
        "computeCadence": {"type": "REALTIME" if at % 3 else "BATCH"},
        "size": {"type": "USERS", "count": size + size // 200 * world.day},  # its members come and go day by day
        "options": {"filterByExternalIds": ["user_id", "email"], "includeHistoricalData": at % 2 == 0},
    }


def _schedules(audience: Json) -> list[Json]:
    """A schedule for what is computed in batches."""
    if audience["computeCadence"]["type"] != "BATCH":
        return []
    config = {"days": [1, 4], "hours": [5], "timezone": "Europe/Dublin"}
    return [{"id": Dice("schedule", audience["id"]).text(22), "strategy": "SPECIFIC_DAYS", "config": config}]


def traits(world: World, space: int) -> list[Json]:
    """The computed traits of a space."""
    return [_trait(world, space, at) for at in range(1 + world.size.plans // 3)]


def _trait(world: World, space: int, at: int) -> Json:
    turn = at // len(TRAITS)
    entry = _computed(world, "computed trait", space, at, TRAITS[at % len(TRAITS)] + (f" {turn + 1}" if turn else ""))
    return {
        **entry,
        "definition": {"query": QUERIES[(at + 1) % len(QUERIES)], "type": "USERS"},
        "status": "Live" if entry["enabled"] else "Disabled",
        "options": {"includeHistoricalData": True, "includeAnonymousUsers": at % 2 == 1},
    }


def _computed(world: World, kind: str, space: int, at: int, name: str) -> dict[str, Json]:
    """What audiences and computed traits have in common."""
    dice = Dice(world.seed, kind, space, at)
    author = world.user(at % 4, 0)["id"]
    return {
        "id": ("aud_" if kind == "audience" else "ct_") + dice.text(24),
        "spaceId": world.spaces[space]["id"],
        "name": world.name(kind, at, name),
        "description": f"Kept by the {('digital', 'apps', 'care')[at % 3]} team.",
        "key": name.lower().replace(" ", "_"),
        "enabled": not dice.chance(15),
        "createdBy": author,
        "updatedBy": author,
        "createdAt": stamp(FIXED_DAY + 3 * at, world.seed, kind),
        "updatedAt": stamp(FIXED_DAY + 3 * at + 20, world.seed, kind),
    }


def profiles_warehouses(world: World, space: int) -> list[Json]:
    """The warehouse that the profiles of a space are written to: the first one, in a schema of its own."""
    first = world.warehouses[0]
    return [
        {
            "id": first["id"],
            "spaceId": world.spaces[space]["id"],
            "workspaceId": world.workspace["id"],
            "enabled": True,
            "metadata": first["metadata"],
            "settings": first["settings"],
            "schemaName": f"profiles_{world.spaces[space]['slug'].replace('-', '_')}",
        }
    ]
