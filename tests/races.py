"""`python -m tests.races --times 100`: two processes ask for a run, two do it; and `--crowd`: four keep one limit.

In each race two requesters ask for a run of the same connection at the same moment, then two workers set about the
run that there is. One is asked for, one is done, and each publishes one snapshot.
"""

import argparse
import json
import mmap
import os
import sys
import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from tests import yard  # first: it starts Django

from django.conf import settings  # isort: skip
from django.db import connection as database  # isort: skip
from django.utils import timezone  # isort: skip

from connectors import registry, runs  # isort: skip
from connectors import sync as driver  # isort: skip
from connectors.clock import Clock  # isort: skip
from connectors.http import Client, Sent  # isort: skip
from connectors.limits import Limits, Pace  # isort: skip
from connectors.locker import Sealed  # isort: skip
from connectors.models import Connection, Snapshot, SyncRun  # isort: skip
from connectors.reading import Plan, Reading, Tempo  # isort: skip
from connectors.reading.listing import Listing  # isort: skip
from tests.outcomes import left_over  # isort: skip


class Line:
    """Where processes wait for each other, so that they start together."""

    def __init__(self, size: int) -> None:
        self._there, self._size = mmap.mmap(-1, size), size

    def start(self, at: int) -> None:
        """Returns when all have come; `at` is the caller's place."""
        database.ensure_connection()
        self._there[at] = 1
        while sum(self._there[: self._size]) < self._size:
            os.sched_yield()


def together(*works: Callable[[], Any]) -> list[Any]:
    """What these give, done by a process each that start at the same moment."""
    line = Line(len(works))

    def one(at: int, work: Callable[[], Any]) -> Callable[[], Any]:
        def begin() -> Any:
            line.start(at)
            return work()

        return begin

    workers = [yard.Worker(one(at, work)) for at, work in enumerate(works)]
    assert [worker.wait() for worker in workers] == [0] * len(works)
    return [worker.returned for worker in workers]


# --- one run, two of everybody ----------------------------------------------------------------------


def ask(connection: Connection) -> Callable[[], Any]:
    """A requester: the number of its run, or 0 and that of the run in the way."""

    def request() -> Any:
        try:
            return [runs.request(connection, trigger="test", now=timezone.now(), streams=("labels",)).pk, 0]
        except runs.Refused as refused:
            return [0, refused.run.pk if refused.run else None]

    return request


def perform(run: int) -> Callable[[], Any]:
    """A worker: its process group and the state in which it left the run."""
    return lambda: [os.getpid(), driver.perform(run).state]


def one_race(connection: Connection, won: Counter[str]) -> list[str]:
    """What went wrong in it, in words."""
    before = Snapshot.objects.count()
    asked = together(ask(connection), ask(connection))
    [run] = {own or other for own, other in asked}
    if sum(bool(own) for own, _ in asked) != 1:
        return [f"asked {asked}"]
    won[f"requester {1 + bool(asked[1][0])}"] += 1
    together(perform(run), perform(run))
    row = SyncRun.objects.get(pk=run)
    won[f"fence {row.fence}"] += 1
    wrong = []
    if (row.state, row.fence, Snapshot.objects.count()) != ("published", 1, before + 1):
        wrong.append(f"{row} is {row.state}, fence {row.fence}, {Snapshot.objects.count() - before} snapshots")
    if (requests := row.receipts.count()) != 3:
        wrong.append(f"{row} took {requests} requests")
    return wrong


def races(times: int) -> dict[str, Any]:
    with yard.simulator("--size", "small") as (url, token):
        yard.make()
        yard.serve_from(url)
        connection = yard.connect(token)
        won: Counter[str] = Counter()
        began, failures = time.monotonic(), []
        for _ in range(times):
            failures += one_race(connection, won)
        failures += left_over(SyncRun.objects.latest("pk").pk)
        return {
            "races": times,
            "runs": SyncRun.objects.count(),
            "snapshots": Snapshot.objects.count(),
            "won": won,
            "seconds": round(time.monotonic() - began, 1),
            "failures": failures,
        }


# --- one limit, many workers --------------------------------------------------------------------------


class Basket:
    """A sink that keeps nothing, and looks at the limits as a desk does."""

    def __init__(self, limits: Limits) -> None:
        self._limits, self._looked = limits, time.monotonic()
        self.records = 0

    def stage(self, listing: Listing, sealed: list[Sealed]) -> None:
        self.records += len(sealed)

    def discard(self, listing: Listing) -> None:
        self.records -= listing.items

    def beat(self, reading: Reading) -> None:
        if time.monotonic() - self._looked > 0.5:
            self._limits.look()
            self._looked = time.monotonic()


def read_rules(url: str, token: str, pace: Pace, readings: int) -> Callable[[], Any]:
    """A worker that reads the rules of all plans, some times over: which statuses it got, how many records it has."""

    def work() -> Any:
        connector, statuses = registry.get("segment"), Counter[int]()
        limits, pages = Limits("crowd", Clock(), pace), 0
        streams = tuple(each for each in connector.streams if each.name in ("tracking_plans", "tracking_plan_rules"))
        plan = Plan(workspace="w", streams=streams, now=timezone.now(), tempo=Tempo(pace=pace))
        for _ in range(readings):
            client = Client(connector, url, token, receipt=lambda sent: _count(statuses, sent))
            options: dict[str, Any] = {"limits": limits, "clock": Clock(), "connections": settings.SYNC_CONNECTIONS}
            reading = Reading(connector, client, plan, Basket(limits), **options)
            reading.run()
            rules = reading.streams["tracking_plan_rules"]
            pages += rules.pages
        return {"statuses": statuses, "pages": pages, "rules": rules.items, "state": rules.state}

    return work


def _count(statuses: Counter[int], sent: Sent) -> None:
    statuses[sent.status] += 1


def crowd(workers: int, minute: float, margin: float) -> dict[str, Any]:
    """`workers` processes read 150 pages of rules each, of which 200 may be asked for in `minute` seconds."""
    options = ("--size", "small", "--cap", "5", "--rate-limits", "--minute", str(minute))
    with yard.simulator(*options) as (url, token):
        yard.make()
        pace = Pace(timedelta(seconds=minute), timedelta(seconds=margin))
        began = time.monotonic()
        found = together(*[read_rules(url, token, pace, readings=3)] * workers)
        seconds = time.monotonic() - began
    pages = sum(each["pages"] for each in found)
    return {
        "workers": workers,
        "pages": pages,
        "refused": sum(each["statuses"].get("429", 0) for each in found),
        "states": sorted({each["state"] for each in found}),
        "rules": sorted({each["rules"] for each in found}),
        "seconds": round(seconds, 1),
        "floor": round((-(-pages // 200) - 1) * minute, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=100)
    parser.add_argument("--crowd", type=int, default=0, help="how many workers keep one limit")
    parser.add_argument("--minute", type=float, default=60.0)
    parser.add_argument("--margin", type=float, default=1.0)
    options = parser.parse_args()
    many = options.crowd
    said = crowd(many, options.minute, options.margin) if many else races(options.times)
    sys.stdout.write(json.dumps(said) + "\n")


if __name__ == "__main__":
    main()
