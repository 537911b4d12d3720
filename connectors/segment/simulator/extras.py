"""What a workspace holds beside its five large listings: filters, audit trail, requests for deletion."""

from math import ceil, floor
from typing import Any

from . import catalog
from .dice import Dice
from .drift import stamp
from .world import FIXED_DAY, World

Json = Any

KEPT_DAYS = 90  # how long the service keeps its audit trail and requests for deletion

FILTERS = (
    ("Only with advertising consent", "context.consent.categoryPreferences.advertising = false", {"type": "DROP"}),
    ("No contact data", 'type = "track"', {"type": "DROP_PROPERTIES", "fields": {"properties": ["email", "phone"]}}),
    ("A tenth of the page views", 'type = "page"', {"type": "SAMPLE", "percent": 0.1, "path": "userId"}),
    ("Totals only", 'event = "Order Completed"', {"type": "ALLOW_PROPERTIES", "fields": {"properties": ["total"]}}),
)


def filters(world: World, destination: int) -> list[Json]:
    """Filters of the destination in that place."""
    fact = world.company.destinations[destination]
    record = world.destinations[destination]
    return [
        {
            "id": Dice(record["id"], "filter", at).text(22),
            "sourceId": record["sourceId"],
            "destinationId": record["id"],
            "if": condition,
            "actions": [action],
            "title": title,
            "enabled": (destination + at) % 9 != 5,
            "createdAt": stamp(FIXED_DAY, world.seed, destination),
            "updatedAt": stamp(FIXED_DAY + 30, world.seed, destination),
        }
        for at, (title, condition, action) in enumerate(FILTERS[: fact.filters])
    ]


def subscriptions(world: World, destination: int) -> list[Json]:
    """Mappings of an Actions destination; empty for any other."""
    record = world.destinations[destination]
    return [
        {
            "id": Dice(record["id"], "subscription", action["id"]).text(22),
            "name": action["name"],
            "actionId": action["id"],
            "actionSlug": action["slug"],
            "destinationId": record["id"],
            "enabled": True,
            "trigger": 'type = "track"',
            "settings": {"userId": {"@path": "$.userId"}, "email": {"@path": "$.traits.email"}},
        }
        for action in record["metadata"]["actions"]
    ]


def transformations(world: World) -> list[Json]:
    """What is changed on the way. Every fourth one hashes with a key."""
    return [_transformation(world, number) for number in range(world.size.transformations)]


def _transformation(world: World, number: int) -> Json:
    source = number * 3 % world.size.sources
    entry: dict[str, Json] = {
        "id": world.id("transformation", number),
        "name": ("Hash addresses", "Drop test orders", "Rename checkout", "Only what we need")[number % 4],
        "sourceId": world.sources[source]["id"],
        "if": 'event = "Order Completed"',
        "enabled": number % 5 != 4,
    }
    if number % 4 == 0:
        key = Dice(world.seed, "hash key", number).text(40)
        entry["hashPropertiesConfiguration"] = {"algorithm": "SHA256", "key": key, "paths": ["properties.email"]}
    elif number % 4 == 1:
        entry["drop"] = True
    elif number % 4 == 2:
        entry["newEventName"] = "Checkout Finished"
        entry["propertyRenames"] = [{"oldName": "properties.sum", "newName": "properties.total"}]
    else:
        entry["allowProperties"] = ["properties.total", "properties.currency"]
    return entry


EVENTS = (
    ("Integration Created", "integration"),
    ("Integration Disabled", "integration"),
    ("Source Settings Modified", "source"),
    ("Tracking Plan Modified", "tracking-plan"),
    ("Destination Filter Disabled", "integration"),
    ("User Policy Updated", "user"),
    ("Policy Created", "user"),
    ("Warehouse Credential Created", "warehouse"),
    ("Source Run", "source"),
)


def audit_events(world: World) -> list[Json]:
    """The last 90 days, newest first."""
    days = range(world.day, world.day - KEPT_DAYS, -1)
    return [_audit_event(world, day, at) for day in days for at in reversed(range(floor(world.size.events)))]


def _audit_event(world: World, day: int, at: int) -> Json:
    dice = Dice(world.seed, "audit", day, at)
    title, kind = dice.pick(EVENTS)
    resource, name = _resource(world, kind, dice.below(20), max(day, 0))
    actor = world.user(dice.below(5), max(day, 0))
    by_token = dice.chance(10)
    who = {"actor": f"public-api-token/{world.id('token')}"} if by_token else {"actor": actor["id"]}
    return {
        "id": dice.text(27),
        "timestamp": stamp(day, world.seed, "audit")[:11] + f"{6 + at * 12 // 31:02}:{at % 60:02}:00.000Z",
        "type": title,
        **who,
        **({} if by_token else {"actorEmail": actor["email"]}),
        "resourceId": resource,
        "resourceType": kind,
        "resourceName": name,
    }


def _resource(world: World, kind: str, number: int, day: int) -> tuple[str, str]:
    """Id and name as they were on that day: an event never changes afterwards."""
    company = world.company
    count = {
        "user": len(company.people),
        "integration": len(company.destinations),
        "warehouse": len(company.warehouses),
        "source": len(company.sources),
        "tracking-plan": len(company.plans),
    }[kind]
    at = number % count
    if kind == "user":
        user = world.user(at, day)
        return user["id"], user["name"]
    if kind == "integration":
        generation = world.version("destination", at, day).generation
        return world.id("destination", at, generation), company.destinations[at].name
    if kind == "warehouse":
        return world.id("warehouse", at), company.warehouses[at][0]
    if kind == "source":
        return world.id("source", at), company.sources[at].name
    return f"tp_{world.id('plan', at)}", company.plans[at].name


def regulations(world: World) -> list[Json]:
    """Requests for deletion and suppression of the last 90 days, newest first. One in nine fails."""
    rate = world.size.regulations
    oldest, newest = ceil((world.day + 1) * rate), floor((world.day + KEPT_DAYS) * rate)
    return [_regulation(world, number, rate) for number in range(newest, oldest - 1, -1)]


def _regulation(world: World, number: int, rate: float) -> Json:
    created = ceil(number / rate) - KEPT_DAYS
    age = world.day - created
    stuck = number % 9 == 4
    status = "INITIALIZED" if age < 1 else "RUNNING" if age < 4 or number % 25 == 7 else "FINISHED"
    dice = Dice(world.seed, "regulation", number)
    entry = {
        "id": dice.text(22),
        "status": "FAILED" if stuck and age >= 4 else status,
        "regulationType": dice.pick(("SUPPRESS_WITH_DELETE", "DELETE_ONLY", "SUPPRESS_ONLY", "UNSUPPRESS")),
        "subjectType": "USER_ID",
        "subjects": [f"enduser-{dice.hex(16)}"],
        "createdAt": stamp(created, world.seed, number),
    }
    return entry | ({"finishedAt": stamp(created + 4, world.seed, number)} if entry["status"] == "FINISHED" else {})


def suppressions(world: World) -> list[Json]:
    """The end users of whom nothing more is taken in."""
    count = 5 * world.size.groups
    return [
        {"subjectType": "USER_ID", "subjectIds": [f"enduser-{Dice(world.seed, 'suppressed', at).hex(16)}"]}
        for at in range(count)
    ]


def credentials(world: World) -> list[Json]:
    """One for each warehouse. The service masks what it knows to be secret; this one shows a passphrase."""
    return [
        {
            "id": world.id("credential", at),
            "name": f"{warehouse['settings']['name']} credential",
            "workspaceId": world.workspace["id"],
            "createdAt": stamp(FIXED_DAY, world.seed, at),
            "updatedAt": stamp(FIXED_DAY, world.seed, at),
            "settings": {
                "type": warehouse["metadata"]["slug"],
                "serviceAccountKey": catalog.BULLETS,
                "passphrase": Dice(world.seed, "credential", at).text(32),
            },
        }
        for at, warehouse in enumerate(world.warehouses)
    ]


QUERIES = ("select * from customers", "select id, tier from customers where agreed")


def models(world: World) -> list[Json]:
    """Reverse ETL models. The first one takes more than it needs."""
    source = max(0, world.size.sources - 2)
    return [
        {
            "id": world.id("model", at),
            "sourceId": world.sources[source]["id"],
            "name": f"Audience {at + 1}",
            "description": "Customers who have agreed to be contacted.",
            "enabled": True,
            "query": QUERIES[min(at, 1)],
            "queryIdentifierColumn": "id",
        }
        for at in range(world.size.models)
    ]
