"""`manage.py verify [--json]`: re-hashes everything, walks the chains and the ledger, names every fault."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from evidence import verifications
from evidence.models import Verification
from portal.proving import INVARIANTS


class Command(BaseCommand):
    requires_system_checks = []  # scripts call it often; `manage.py check` and the tests run them
    help = "Proves everything that is stored from its bytes. Exit code 1 when there is any fault, and which."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print the outcome as JSON on standard output")

    def handle(self, *args: Any, **options: Any) -> None:
        found = verifications.at_once()
        if options["json"]:
            self.stdout.write(json.dumps(_outcome(found), ensure_ascii=False, indent=2))
        else:
            self._tell(found)
        if found.faults:
            raise SystemExit(1)

    def _tell(self, found: Verification) -> None:
        nouns = {each.name: each.noun for each in INVARIANTS}
        for line in found.lines:
            verdict = "FAULT" if line["faults"] else "note" if line["notes"] else "ok" if line["covered"] else "-"
            self.stdout.write(f"{line['invariant']:4} {verdict:5} {line['covered']} {nouns[line['invariant']]}")
            for fault in line["first"]:
                self.stdout.write(f"{fault['invariant']}  {fault['where']}: {fault['what']}")
            if more := line["faults"] + line["notes"] - len(line["first"]):
                self.stdout.write(f"{line['invariant']}  and {more} more")
        covered = found.covered
        self.stdout.write(
            f"{covered['snapshots']} snapshots, {covered['changes']} changes, {covered['blobs']} blobs, "
            f"{covered['artifacts']} artifacts, {covered['ledger']} ledger entries: {found.faults} faults, "
            f"{_seconds(found)} s, {found.memory // 1_000_000} MB"
        )


def _seconds(found: Verification) -> float:
    assert found.started_at is not None
    assert found.finished_at is not None
    return round((found.finished_at - found.started_at).total_seconds(), 2)


def _outcome(found: Verification) -> dict[str, Any]:
    """`faults` holds the first 20 of each invariant; each line says how many there are."""
    graves = [fault for line in found.lines for fault in line["first"] if fault["grave"]]
    return {
        "ok": not found.faults,
        **found.covered,
        "verification": found.pk,
        "seconds": _seconds(found),
        "memory_mb": round(found.memory / 1_000_000, 1),
        "lines": found.lines,
        "heads": found.heads,
        "faults": [{name: fault[name] for name in ("invariant", "where", "what")} for fault in graves],
    }
