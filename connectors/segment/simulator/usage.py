"""How much goes through the workspace: calls and tracked users, day by day, up to today.

What a source sends on a day depends on that day alone, so that no day changes afterwards.
"""

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from itertools import accumulate
from typing import Any

from . import params
from .dice import Dice
from .drift import DAY_ZERO
from .view import Ask
from .world import FIXED_DAY, World

Json = Any


def calls(world: World, source: int, day: int) -> int:
    """How many calls a source has made on that day."""
    if not world.company.sources[source].enabled or day < FIXED_DAY:
        return 0
    usual = 400 + Dice(world.seed, "calls", source).below(40_000)
    return usual * (80 + Dice(world.seed, "calls", source, day).below(41)) // 100


def _month(ask: Ask) -> tuple[date, date, list[int]]:
    """First day of the month, first day of the next one, and the days of the story in it, up to today."""
    first = params.month("period", ask.query["period"])
    after = (first + timedelta(days=31)).replace(day=1)
    days = range((first - DAY_ZERO.date()).days, (after - DAY_ZERO.date()).days)
    return first, after, [day for day in days if FIXED_DAY <= day <= ask.world.day]


def _stamp(day: int) -> str:
    return f"{DAY_ZERO.date() + timedelta(days=day)}T00:00:00.000Z"


def _so_far(world: World, source: int, days: list[int]) -> list[int]:
    """Calls since the month began, at the end of each day."""
    return list(accumulate(calls(world, source, day) for day in days))


def _workspace(ask: Ask, days: list[int]) -> list[int]:
    each = (_so_far(ask.world, source, days) for source in range(ask.world.size.sources))
    return [sum(counts) for counts in zip(*each, strict=True)]


def _users(made: int, after: date, first: date) -> dict[str, Json]:
    """An MTU snapshot: a user for every forty calls, of whom some are known, and some known only later."""
    total = made // 40
    known, later, never = total * 4 // 10, total * 2 // 10, total // 10
    ends = {name: int((DAY_ZERO.replace(hour=0) + (at - DAY_ZERO.date())).timestamp())
            for name, at in (("periodStart", first), ("periodEnd", after))}  # fmt: skip
    return {
        **ends,
        "anonymous": str(total - known - later - never),
        "anonymousIdentified": str(later),
        "identified": str(known),
        "neverIdentified": str(never),
    }


def _daily_calls(ask: Ask) -> list[Json]:
    _, _, days = _month(ask)
    made = _workspace(ask, days)
    return [{"apiCalls": str(count), "timestamp": _stamp(day)} for day, count in zip(days, made, strict=True)]


def _daily_users(ask: Ask) -> list[Json]:
    first, after, days = _month(ask)
    made = _workspace(ask, days)
    return [{**_users(count, after, first), "timestamp": _stamp(day)} for day, count in zip(days, made, strict=True)]


def _by_source(ask: Ask, days: list[int]) -> Iterator[tuple[int, str, int]]:
    """Day, id of the source and its calls so far, day after day."""
    so_far = [_so_far(ask.world, source, days) for source in range(ask.world.size.sources)]
    for at, day in enumerate(days):
        for source, counts in zip(ask.world.sources, so_far, strict=True):
            yield day, source["id"], counts[at]


def _source_calls(ask: Ask) -> list[Json]:
    _, _, days = _month(ask)
    return [
        {"sourceId": source, "apiCalls": str(count), "timestamp": _stamp(day)}
        for day, source, count in _by_source(ask, days)
    ]


def _source_users(ask: Ask) -> list[Json]:
    first, after, days = _month(ask)
    return [
        {"sourceId": source, **_users(count, after, first), "timestamp": _stamp(day)}
        for day, source, count in _by_source(ask, days)
    ]


# part of the path, key of the list, and what answers. Counts grow within a month, as the service says of its own
LISTS: tuple[tuple[str, str, Callable[[Ask], list[Json]]], ...] = (
    ("api-calls", "dailyWorkspaceAPICallsUsage", _daily_calls),
    ("mtu", "dailyWorkspaceMTUUsage", _daily_users),
    ("api-calls/sources", "dailyPerSourceAPICallsUsage", _source_calls),
    ("mtu/sources", "dailyPerSourceMTUUsage", _source_users),
)
