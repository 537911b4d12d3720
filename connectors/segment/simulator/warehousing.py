"""What goes into the warehouses: when, how it went, and which collections."""

from datetime import timedelta
from typing import Any, NamedTuple

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


class Load(NamedTuple):
    """How one source is loaded: at which minute of the hour, and whether it is stuck or still running today."""

    source: int
    ident: str
    minute: int
    stuck: bool
    running: bool


def syncs(world: World, warehouse: int, only: int | None = None) -> list[Json]:
    """The syncs of 30 days, newest first; of one source if `only` names it. One that is over never changes."""
    loads = [it for it in _loads(world, warehouse) if only in (None, it.source)]
    found = []
    for day in range(world.day, world.day - KEPT_DAYS, -1):
        rows = {load: usage.calls(world, load.source, day - 1) // len(HOURS) for load in loads}
        found += [_report(world, warehouse, load, (day, hour), rows[load]) for hour in HOURS[::-1] for load in loads]
    return found


def _loads(world: World, warehouse: int) -> list[Load]:
    """The sources of a warehouse, the latest of an hour first."""
    sources = world.company.warehouses[warehouse][2]
    final = warehouse == len(world.company.warehouses) - 1
    loads = [
        Load(
            source,
            world.sources[source]["id"],
            Dice(world.seed, "sync minute", warehouse, source).below(50),
            stuck=final and source == sources[-1],
            running=not final and source == sources[-1],
        )
        for source in sources
    ]
    return sorted(loads, key=lambda load: (-load.minute, load.source))


def _report(world: World, warehouse: int, load: Load, when: tuple[int, int], rows: int) -> Json:
    dice = Dice(world.seed, "sync", warehouse, load.source, *when)
    failed = dice.chance(3) or (load.stuck and when[0] > -STUCK_DAYS)
    running = load.running and not failed and when == (world.day, HOURS[-1])
    seconds = 20 + dice.below(500)
    end = _time(when, load.minute + seconds // 60, seconds % 60)
    return {
        "sourceId": load.ident,
        "start": _time(when, load.minute, 0),
        "end": None if running else end,
        "status": "FAILED" if failed else "RUNNING" if running else "SUCCESS",  # the service lists no such words
        "duration": seconds,
        "humanDuration": f"{seconds // 60}m {seconds % 60}s",
        "count": 0 if failed else rows,
        "notices": [_notice(world, warehouse, end)] if failed else [],
    }


def _notice(world: World, warehouse: int, at: str) -> Json:
    said = f"dial loader:{password(world, warehouse)}@warehouse.db.example.com:5432/customers: connection refused"
    return {"level": "ERROR", "message": f"Could not load: {said}", "createdAt": at}


def _time(when: tuple[int, int], minute: int, second: int) -> str:
    day, hour = when
    return f"{DAY_ZERO.date() + timedelta(days=day)}T{hour:02}:{minute:02}:{second:02}.000Z"


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
