"""What became of the calls: received, filtered, delivered or failed, in steps of a minute, an hour or a day.

The simulator's clock stands still at the end of its day: nothing has happened after it.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from itertools import product
from typing import Any

from . import params, usage
from .answers import invalid
from .dice import Dice
from .drift import DAY_ZERO
from .view import Ask
from .world import World

Json = Any

MINUTES = 24 * 60
STEPS = {"MINUTE": 1, "HOUR": 60, "DAY": MINUTES}
AT_SOURCE = ("successfully-received", "failed-on-ingest", "filtered-at-source")
AT_DESTINATION = ("successful-delivery", "failed-delivery", "filtered-at-destination")

Window = tuple[timedelta, timedelta]  # the longest time that may be asked for, and how far back it may begin
OVERVIEW: Mapping[str, Window] = {
    "MINUTE": (timedelta(hours=4), timedelta(hours=48)),
    "HOUR": (timedelta(days=14), timedelta(days=30)),
    "DAY": (timedelta(days=30), timedelta(days=30)),
}
METRICS: Mapping[str, Window] = {
    "MINUTE": (timedelta(hours=4), timedelta(hours=48)),
    "HOUR": (timedelta(days=7), timedelta(days=7)),
    "DAY": (timedelta(days=14), timedelta(days=14)),
}
GROUPS = {
    "eventName": ("Order Completed", "Product Viewed", "Cart Updated"),
    "eventType": ("track", "page", "identify"),
    "discardReason": ("blocked by the plan", "filtered", "rejected by the destination"),
    "appVersion": ("5.2.0", "5.1.4"),
}


def count(world: World, stage: str, source: int, destination: int, day: int) -> int:
    """How many calls of a day ended at that stage; the destination matters behind the source only."""
    made = usage.calls(world, source, day)
    dice = Dice(world.seed, "ingest", source, day)
    failed, filtered = made * dice.below(12) // 1000, made * dice.below(30) // 1000
    received = made - failed - filtered
    if stage in AT_SOURCE:
        return (received, failed, filtered)[AT_SOURCE.index(stage)]
    fact = world.company.destinations[destination]
    dice = Dice(world.seed, "delivery", destination, day)
    sent = received if fact.enabled else 0
    filtered = sent * (200 + dice.below(200)) // 1000 if fact.filters else 0
    ill = 300 if destination % 11 == 8 else 0  # every eleventh destination loses a third
    failed = (sent - filtered) * (ill + dice.below(15)) // 1000
    return (sent - filtered - failed, failed, filtered)[AT_DESTINATION.index(stage)]


def dataset(stage: str, ask: Ask) -> list[Json]:
    """One entry, or one for each group that was asked for."""
    asked = ask.query.get("groupBy", "").split(",")
    groups = list(product(*([(name, word) for word in GROUPS[name]] for name in GROUPS if name in asked)))
    buckets = list(_buckets(ask, stage, OVERVIEW))
    return [_entry(stage, dict(group), buckets, at, len(groups)) for at, group in enumerate(groups)]


def total(stage: str, ask: Ask) -> dict[str, Json]:
    """What stands beside the dataset: the sum of it."""
    return {"total": sum(number for _, number in _buckets(ask, stage, OVERVIEW))}


def metrics(ask: Ask) -> Json:
    """A `deliveryMetricsSummary` of a destination."""
    won, failed, filtered = (sum(number for _, number in _buckets(ask, stage, METRICS)) for stage in AT_DESTINATION)
    again = won // 50
    first = {"metricName": "successes_on_first_attempt", "value": won - again}
    breakdown = [first, {"metricName": "successes_after_retry", "value": again}]
    summary = {
        "sourceId": ask.world.sources[ask.at["sources"]]["id"],
        "destinationMetadataId": ask.world.destinations[ask.number]["metadata"]["id"],
        "metrics": [
            {"metricName": "successes", "total": won, "breakdown": breakdown},
            {"metricName": "expired", "total": failed // 4},
            {"metricName": "discarded", "total": failed - failed // 4 + filtered},
            {"metricName": "retried", "total": again},
        ],
    }
    return {"deliveryMetricsSummary": summary}


def _entry(stage: str, group: dict[str, str], buckets: list[tuple[str, int]], at: int, groups: int) -> Json:
    """The share of one group among so many. Its shares add up to the whole."""
    series = [(time, number * (at + 1) // groups - number * at // groups) for time, number in buckets]
    retried = stage == "successful-delivery"
    return {
        **group,
        "total": sum(number for _, number in series),
        "series": [{"time": time, "count": number, **({"retryCount": number // 50} if retried else {})}
                   for time, number in series],
        **({"totalRetryCount": sum(number // 50 for _, number in series)} if retried else {}),
    }  # fmt: skip


def _buckets(ask: Ask, stage: str, windows: Mapping[str, Window]) -> Iterator[tuple[str, int]]:
    """Start and count of each step of the time that was asked for, up to the end of today."""
    step = STEPS[ask.query.get("granularity", "MINUTE")]
    start, end = _span(ask, windows)
    midnight = DAY_ZERO.replace(hour=0)
    minute = int((start - midnight).total_seconds() // 60) // step * step
    last = min(int((end - midnight).total_seconds() // 60), (ask.world.day + 1) * MINUTES)
    days: dict[int, int] = {}
    for at in range(minute, last, step):
        day, inside = divmod(at, MINUTES)
        if day not in days:
            days[day] = count(ask.world, stage, ask.at["sources"], ask.at.get("destinations", 0), day)
        number = days[day] * (inside + step) // MINUTES - days[day] * inside // MINUTES
        yield f"{(midnight + timedelta(minutes=at)).isoformat()[:19]}.000Z", number


def _span(ask: Ask, windows: Mapping[str, Window]) -> tuple[datetime, datetime]:
    """The time that was asked for. Raises Refusal 422 when it is too long or begins too early."""
    longest, oldest = windows[ask.query.get("granularity", "MINUTE")]
    now = DAY_ZERO.replace(hour=0) + timedelta(days=ask.world.day + 1)
    end = params.moment("endTime", ask.query["endTime"]) if "endTime" in ask.query else now
    start = params.moment("startTime", ask.query["startTime"]) if "startTime" in ask.query else end - longest
    if not timedelta() < end - start <= longest:
        raise invalid("endTime", f"The time must be longer than nothing and no longer than {longest}.")
    if start < now - oldest - timedelta(days=1):  # a day of grace: what time of the day it is, is not said here
        raise invalid("startTime", f"The time cannot begin more than {oldest} ago.")
    return start, end
