"""`manage.py verify [--json]`: re-hashes everything, walks the chain, names every fault."""

import json
import time
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand

from connectors.verification import Counted, verify
from evidence import artifacts
from portal import audit


class Command(BaseCommand):
    requires_system_checks = []  # scripts call it often; `manage.py check` and the tests run them
    help = "Proves all snapshots and artifacts from their bytes. Exit code 1 when there is any fault, and which."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print the outcome as JSON on standard output")

    def handle(self, *args: Any, **options: Any) -> None:
        began, counted = time.monotonic(), Counted()
        faults = [*verify(counted, self._tell), *artifacts.verify()]
        outcome = {
            "ok": not faults,
            **asdict(counted),
            "artifacts": artifacts.count(),
            "seconds": round(time.monotonic() - began, 2),
            "faults": [asdict(fault) for fault in faults],
        }
        audit.record(audit.Action.VERIFIED, actor=None, faults=len(faults), snapshots=counted.snapshots)
        if options["json"]:
            self.stdout.write(json.dumps(outcome, ensure_ascii=False, indent=2))
        else:
            for fault in faults:
                self.stdout.write(f"{fault.invariant}  {fault.where}: {fault.what}")
            self.stdout.write(
                f"{counted.snapshots} snapshots, {counted.changes} changes, {counted.blobs} blobs, "
                f"{outcome['artifacts']} artifacts: {len(faults)} faults, {outcome['seconds']} s"
            )
        if faults:
            raise SystemExit(1)

    def _tell(self, what: str, done: int) -> None:
        if done % 5000 == 0:
            self.stderr.write(f"  {done} {what}")
