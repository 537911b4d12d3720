"""`manage.py sync CONNECTION [--json]`: reads a workspace now, in this process."""

import json
import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from connectors import runs
from connectors import sync as driver
from connectors.clock import Clock
from connectors.models import Connection, Lane, RunState, RunStream, SyncRun

from ._exits import PARTIAL, USAGE, code_for


class Command(BaseCommand):
    requires_system_checks = []  # scripts call it often; `manage.py check` and the tests run them
    help = (
        "Syncs one connection and waits for the end. Exit codes: 0 published, 2 bad usage, 3 credential refused, "
        "4 service not reachable, 5 published in part."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("connection", help="its number or its name")
        parser.add_argument("--streams", default="", help="names separated by commas; all when left out")
        parser.add_argument(
            "--lane", default="main", choices=["main", "slow"], help="slow: what may be asked only a few times a minute"
        )
        parser.add_argument("--json", action="store_true", help="print the outcome as JSON on standard output")

    def handle(self, *args: Any, **options: Any) -> None:
        connection = find(options["connection"])
        streams = [name for name in options["streams"].split(",") if name]
        began = time.monotonic()
        try:
            asked = runs.request(
                connection,
                trigger="command",
                now=timezone.now(),
                streams=streams,
                lane=Lane(options["lane"]),
                enqueue=False,
            )
        except runs.Refused as error:
            raise CommandError(str(error), returncode=USAGE) from None
        run = _to_its_end(asked.pk)
        seconds = time.monotonic() - began
        outcome = summary(run, seconds)
        if options["json"]:
            self.stdout.write(json.dumps(outcome, ensure_ascii=False, indent=2))
        else:
            self._tell(run, outcome)
        if run.state == RunState.PARTIAL:
            raise SystemExit(PARTIAL)
        if run.state != RunState.PUBLISHED:
            raise CommandError(f"{run.error_code}: {run.error_detail}", returncode=code_for(run.error_code))

    def _tell(self, run: SyncRun, outcome: dict[str, Any]) -> None:
        for name, stream in outcome["streams"].items():
            self.stderr.write(
                f"  {name:24} {stream['coverage']:14} {stream['items']:>8} records {stream['pages']:>6} pages"
            )
        self.stdout.write(
            f"{run}: {run.get_state_display().lower()}, snapshot {outcome['snapshot'] or 'none'}, "
            f"{outcome['requests']} requests in {outcome['seconds']} s"
        )


def _to_its_end(pk: int) -> SyncRun:
    """Carries out a run, and waits whenever the service asks for a long wait."""
    clock = Clock()
    while True:
        run = driver.perform(pk, clock=clock)
        if run.state != RunState.QUEUED or run.resume_at is None:
            return run
        clock.pause(max(0.0, (run.resume_at - clock.now()).total_seconds()))


def find(name: str) -> Connection:
    """A connection by number or name; CommandError when there is none or the name is not unique."""
    found = list(Connection.objects.filter(pk=int(name)) if name.isdigit() else Connection.objects.filter(name=name))
    if len(found) != 1:
        raise CommandError(f"There is no single connection called “{name}”.", returncode=USAGE)
    return found[0]


def _published_in(run: SyncRun) -> float:
    """Seconds from the last sign of the reading to the snapshot."""
    return round((run.finished_at - run.heartbeat_at).total_seconds(), 2) if run.finished_at and run.heartbeat_at else 0


def summary(run: SyncRun, seconds: float) -> dict[str, Any]:
    """What `sync --json` prints."""
    snapshot = getattr(run, "snapshot", None)
    return {
        "run": run.pk,
        "state": run.state,
        "snapshot": snapshot.seq if snapshot else None,
        "requests": run.receipts.count(),
        "seconds": round(seconds, 2),
        "publishing": _published_in(run),
        "streams": {
            row.stream: {"coverage": row.state, "pages": row.pages, "items": row.items}
            for row in RunStream.objects.filter(run=run)
        },
    }
