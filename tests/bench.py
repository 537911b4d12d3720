"""`make bench`: what a reading costs, in one run. Prints figures, never fails on time; read ratios, machines differ.

Whole processes are timed (`manage.py …`, imports included) against the simulator on loopback.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from connectors.segment import connector as CONNECTOR
from connectors.segment.simulator import Settings
from tests.bound import bound

ROOT = Path(__file__).parent.parent
CONNECTIONS = 8
LISTINGS = "sources,destinations,users,tracking_plans,tracking_plan_rules"
IDENTITY_REQUESTS = 2  # who the token belongs to, asked before the first page and again before publishing


@dataclass
class Cost:
    """Seconds of wall and CPU, and megabytes at the peak, of one whole process."""

    wall: float
    cpu: float
    peak: float
    out: str
    code: int


def timed(command: list[str], env: Mapping[str, str], given: str = "") -> Cost:
    """Runs a command to its end."""
    began = time.perf_counter()
    child = subprocess.Popen(  # our own command
        command, cwd=ROOT, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert child.stdin
    assert child.stdout
    child.stdin.write(given)
    child.stdin.close()
    out = child.stdout.read()
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - began
    return Cost(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, out, child.returncode)


class Portal:
    """A portal with a data folder of its own, driven by its commands."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.env = {**os.environ, "PORTAL_DATA": str(folder), "SEGMENT_REGIONS": f"bench={url}", "HTTPS": "false"}
        self.env |= {"LOG_LEVEL": "ERROR", "DATABASE_URL": ""}
        for command in (["keys"], ["migrate", "-v0"]):
            assert self(*command).code == 0

    def __call__(self, *arguments: str, given: str = "") -> Cost:
        return timed([sys.executable, str(ROOT / "manage.py"), *arguments], self.env, given)

    @property
    def size(self) -> int:
        """Bytes of the database, its log written back."""
        import sqlite3

        with sqlite3.connect(self.folder / "portal.sqlite3") as database:
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            pages, free, size = (
                database.execute(f"PRAGMA {name}").fetchone()[0]
                for name in ("page_count", "freelist_count", "page_size")
            )
        return int((pages - free) * size)


@contextmanager
def simulator(size: str, day: int = 0, latency: int = 50) -> Iterator[tuple[str, str]]:
    """Yields its address and its owner's token; every answer takes `latency` milliseconds."""
    command = [sys.executable, "-m", "connectors.segment.simulator", "--port", "0", "--size", size, "--warm", "--json"]
    command += ["--latency-ms", str(latency), "--day", str(day)]
    child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout
        said = json.loads(child.stdout.readline())
        yield said["urls"]["us"], said["tokens"]["owner"]
    finally:
        child.terminate()
        child.wait()


def row(what: str, cost: Cost, **more: object) -> None:
    figures = f"{cost.wall:7.2f} s wall {cost.cpu:7.2f} s CPU {cost.peak:6.0f} MB"
    print(f"{what:44} {figures}  " + "  ".join(f"{name} {value}" for name, value in more.items()), flush=True)  # noqa: T201


def connect(portal: Portal, token: str, *options: str) -> None:
    command = ["connect", "segment", "--name", "Bench", "--region", "bench", "--token-stdin", *options]
    assert portal(*command, given=token).code == 0


def sync(portal: Portal, what: str, *options: str, expected: int | None = None) -> dict[str, Any]:
    before = portal.size
    cost = portal("sync", "Bench", "--json", *options)
    said: dict[str, Any] = json.loads(cost.out)
    requests = said["requests"]
    floor = requests * 0.05 / CONNECTIONS
    row(
        what,
        cost,
        requests=requests,
        bound=f"{expected + IDENTITY_REQUESTS}" if expected else "-",
        floor=f"{floor:.2f} s",
        ratio=f"{cost.wall / floor:.2f}",
        publish=f"{said['publishing']:.2f} s",
        grew=f"{(portal.size - before) / 1000:.0f} kB",
        state=said["state"],
    )
    return said


def bench(size: str, listings: int) -> None:
    every = [group.name for group in CONNECTOR.groups]
    readings: list[tuple[str, list[str], list[str], int | None]] = [
        ("listings", [], ["--streams", LISTINGS], listings),
        ("standard streams", [], [], None),
    ]
    if size != "large":  # 30,000 requests
        readings.append(("every stream", ["--groups", ",".join(every)], [], None))
    with simulator(size) as (url, token):
        for name, connecting, syncing, expected in readings:
            folder = Path(tempfile.mkdtemp(prefix="portal-bench-"))
            try:
                portal = Portal(folder, url)
                connect(portal, token, *connecting)
                lowest = expected or _bound(size, every if connecting else None)
                sync(portal, f"{size}: first sync, {name}", *syncing, expected=lowest)
                sync(portal, f"{size}: unchanged sync, {name}", *syncing, expected=expected)
                row(f"{size}: verify, 2 snapshots", portal("verify"), database=f"{portal.size / 1e6:.1f} MB")
                if name == "standard streams":
                    row(f"{size}: data flow as CSV", _report(portal, "data-flow", "csv"))
                    row(f"{size}: data flow as PDF", _report(portal, "data-flow", "pdf"))
                    row(f"{size}: rules as CSV", _report(portal, "tracking-plans", "csv", "rules"))
            finally:
                shutil.rmtree(folder)


def _bound(size: str, groups: list[str] | None) -> int | None:
    """The lower bound of the main lane; None where counting it would take longer than reading."""
    if size == "large":
        return None
    chosen = [each for each in CONNECTOR.streams if not each.slow]
    streams = [each for each in chosen if (each.group.name in groups if groups else each.group.standard)]
    return sum(bound(CONNECTOR, streams, Settings(size), datetime.now(UTC)).values())


def _report(portal: Portal, name: str, form: str, table: str = "") -> Cost:
    output = str(portal.folder / f"out.{form}")
    return portal("report", name, "--workspace", "1", "--format", form, "--table", table, "--output", output)


def month(size: str, days: int) -> None:
    """One sync a day, 1 % of the records changed each day: what a day adds, and what verify takes in the end."""
    folder = Path(tempfile.mkdtemp(prefix="portal-bench-"))
    try:
        grown: list[int] = []
        for day in range(days):
            with simulator(size, day, latency=0) as (url, token):
                portal = Portal(folder, url)
                if not day:
                    connect(portal, token)
                before = portal.size
                portal("sync", "Bench", "--streams", LISTINGS)
                grown.append(portal.size - before)
        cost = portal("verify", "--json")
        said = json.loads(cost.out)
        growth = sum(grown[1:]) / max(1, len(grown) - 1) / 1000
        row(
            f"{size}: verify, {days} days",
            cost,
            ok=said["ok"],
            changes=said["changes"],
            growth=f"{growth:.1f} kB a day",
        )
    finally:
        shutil.rmtree(folder)


def limits() -> None:
    """Four workers read 600 pages of an endpoint that allows 200 a minute: how long, and whether one was refused."""
    command = [sys.executable, "-m", "tests.races", "--crowd", "4", "--minute", "60"]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    said = json.loads(done.stdout)
    print(  # noqa: T201
        f"{said['workers']} workers, {said['pages']} pages: {said['seconds']} s, floor {said['floor']} s, "
        f"ratio {said['seconds'] / said['floor']:.2f}, {said['refused']} refused"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default="medium,large")
    parser.add_argument("--days", type=int, default=30, help="length of the simulated month; 0 leaves it out")
    parser.add_argument("--limits", action="store_true", help="only: 4 workers, 600 pages, 200 a minute; two minutes")
    parser.add_argument("--connections", type=int, help="only: the lists of so many connections; 10000 take a minute")
    parser.add_argument("--history", action="store_true", help="only: --days of --size kept by us and by rivals")
    parser.add_argument("--size", default="medium", help="of --history")
    options = parser.parse_args()
    if options.history:
        rivals = [sys.executable, "-m", "tests.rivals.history", "--size", options.size, "--days", str(options.days)]
        sys.exit(subprocess.run(rivals, cwd=ROOT, check=False).returncode)
    if options.connections:
        crowd = [sys.executable, "-m", "tests.crowd", "--count", str(options.connections)]
        sys.exit(subprocess.run(crowd, cwd=ROOT, check=False).returncode)
    if options.limits:
        limits()
        return
    for size in options.sizes.split(","):
        bench(size, {"small": 9, "medium": 45, "large": 641}[size])
    if options.days:
        month("medium", options.days)


if __name__ == "__main__":
    main()
