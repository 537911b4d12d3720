"""What goes into the warehouses: when, how it went, and which collections."""

from typing import Any

from . import usage
from .dice import Dice
from .drift import DAY_ZERO, stamp
from .world import FIXED_DAY, World

Json = Any

HOURS = (2, 10, 18)  # when the sources are loaded, each at a minute of its own
KEPT_DAYS = 30
STUCK_DAYS = 6  # how long the last source of the last warehouse has been failing on day 0
COLLECTIONS = ("identifies", "tracks", "pages", "order_completed", "product_viewed")
COLUMNS = {"id": "string", "received_at": "timestamp", "user_id": "string", "email": "string", "total": "float"}


def password(world: World, warehouse: int) -> str:
    """The password that the warehouse itself writes into its complaints."""
    return Dice(world.seed, "loader password", warehouse).text(28)


def schedule(world: World, warehouse: int) -> Json:
    """The advanced schedule: the first warehouse has one, the others load whenever they like."""
    if warehouse:
        return {"enabled": False}
    times = [{"hourOfDay": hour, "enabled": hour in HOURS} for hour in range(24)]
    return {"enabled": True, "schedule": {"times": times, "timezone": "Europe/Dublin"}}


def syncs(world: World, warehouse: int) -> list[Json]:
    """The syncs of 30 days, newest first. One that is over never changes."""
    connected = world.company.warehouses[warehouse][2]
    order = sorted(connected, key=lambda source: (-_minute(world, warehouse, source), source))
    return [
        _report(world, warehouse, source, day, hour)
        for day in range(world.day, world.day - KEPT_DAYS, -1)
        for hour in reversed(HOURS)
        for source in order
    ]


def source_syncs(world: World, warehouse: int, source: int) -> list[Json]:
    """Those of one source."""
    ident = world.sources[source]["id"]
    return [report for report in syncs(world, warehouse) if report["sourceId"] == ident]


def _minute(world: World, warehouse: int, source: int) -> int:
    return Dice(world.seed, "sync minute", warehouse, source).below(50)


def _report(world: World, warehouse: int, source: int, day: int, hour: int) -> Json:
    dice = Dice(world.seed, "sync", warehouse, source, day, hour)
    last = source == world.company.warehouses[warehouse][2][-1]
    stuck = warehouse == len(world.company.warehouses) - 1 and last and day > -STUCK_DAYS
    failed = dice.chance(3) or stuck
    running = not failed and last and day == world.day and hour == HOURS[-1]
    minute, seconds = _minute(world, warehouse, source), 20 + dice.below(500)
    start, end = _time(day, hour, minute, 0), _time(day, hour, minute + seconds // 60, seconds % 60)
    return {
        "sourceId": world.sources[source]["id"],
        "start": start,
        "end": None if running else end,
        "status": "FAILED" if failed else "RUNNING" if running else "SUCCESS",  # the service lists no such words
        "duration": seconds,
        "humanDuration": f"{seconds // 60}m {seconds % 60}s",
        "count": 0 if failed else usage.calls(world, source, day - 1) // len(HOURS),
        "notices": [_notice(world, warehouse, end)] if failed else [],
    }


def _notice(world: World, warehouse: int, at: str) -> Json:
    said = f"dial loader:{password(world, warehouse)}@warehouse.db.example.com:5432/customers: connection refused"
    return {"level": "ERROR", "message": f"Could not load: {said}", "createdAt": at}


def _time(day: int, hour: int, minute: int, second: int) -> str:
    return stamp(day)[:11] + f"{hour:02}:{minute:02}:{second:02}.000Z"


def selection(world: World, warehouse: int, source: int) -> list[Json]:
    """Which collections of a source are loaded, and which of their columns."""
    return [
        {
            "sourceId": world.sources[source]["id"],
            "warehouseId": world.warehouses[warehouse]["id"],
            "collection": collection,
            "enabled": not Dice(world.seed, "collection", warehouse, source, collection).chance(20),
            "properties": {name: _column(world, source, name, kind) for name, kind in COLUMNS.items()},
        }
        for collection in COLLECTIONS
    ]


def _column(world: World, source: int, name: str, kind: str) -> Json:
    return {
        "enabled": not Dice(world.seed, "column", source, name).chance(25),
        "type": kind,
        "createdAt": stamp(FIXED_DAY, world.seed, source),
        "lastSeenAt": f"{DAY_ZERO.date()}T00:00:00.000Z",
    }
