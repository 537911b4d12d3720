"""`manage.py diagnose CONNECTION [--json]`: tries the way from here to what the token may read, step by step."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from connectors import connections, diagnosis
from connectors.clock import Clock
from connectors.diagnosis import Diagnosis
from connectors.diagnosis.steps import Outcome, Step
from connectors.diagnosis.text import as_text

from ._exits import PARTIAL, USAGE, code_for
from .sync import find


class Command(BaseCommand):
    requires_system_checks = []  # scripts call it often; `manage.py check` and the tests run them
    help = (
        "Diagnoses one connection by live probes that only read, and keeps what they found. Exit codes: 0 nothing "
        "failed, 2 bad usage, 3 credential refused, 4 service not reachable, 5 some streams may not be read."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("connection", help="its number or its name")
        parser.add_argument("--json", action="store_true", help="print what was found as JSON on standard output")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            row = diagnosis.begin(find(options["connection"]), by=None, now=timezone.now())
        except connections.NotPossible as error:
            raise CommandError(f"{error.code}: {error.message}", returncode=USAGE) from None
        row = self._to_its_end(row)
        self.stdout.write(json.dumps(summary(row), ensure_ascii=False, indent=2) if options["json"] else as_text(row))
        found = diagnosis.culprit(diagnosis.steps_of(row))
        if found is not None and found.state is Outcome.FAILED:
            raise SystemExit(code_for(found.code))
        if found is not None and found.state is not Outcome.UNKNOWN:
            raise SystemExit(PARTIAL)

    def _to_its_end(self, row: Diagnosis) -> Diagnosis:
        """Goes on until the last step; also when a page goes on with the same diagnosis meanwhile."""
        clock, told = Clock(), row.done
        while row.finished_at is None:
            row = diagnosis.go_on(row.pk, timezone.now())
            for step in diagnosis.steps_of(row)[told : row.done]:
                self._tell(step)
            if row.done == told and row.finished_at is None:
                clock.pause(0.5)
            told = row.done
        return row

    def _tell(self, step: Step) -> None:
        self.stderr.write(f"  {step.title:32} {step.mark.word:16} {step.ms or 0:>6} ms  {step.code}".rstrip())


def summary(row: Diagnosis) -> dict[str, Any]:
    """What `diagnose --json` prints."""
    return {
        "diagnosis": row.pk,
        "connection": row.connection_id,
        "region": row.region,
        "started_at": row.started_at.isoformat(),
        "finished_at": row.finished_at.isoformat() if row.finished_at else None,
        "steps": row.steps,
    }
