"""`manage.py report NAME --workspace W --format csv|pdf|json [--output F]`: a report of a snapshot, for scripts."""

import sys
from argparse import ArgumentParser
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db.models import Q

from connectors.models import Snapshot, Workspace
from evidence import asof, reports
from evidence.document import Document, ExportError
from evidence.exports import csv, json, pdf
from portal import audit

USAGE = 2


class Command(BaseCommand):
    requires_system_checks = []  # scripts call it often; `manage.py check` and the tests run them
    help = "Writes a report of a workspace's newest snapshot, or as of another. Exit codes: 0 done, 2 bad usage."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="which report, for instance data-flow")
        parser.add_argument("--workspace", required=True, help="its number, slug, id in the service, or name")
        parser.add_argument("--as-of", default="", help="a snapshot's number, a date or a time (default: the newest)")
        parser.add_argument("--format", choices=["csv", "pdf", "json"], default="csv")
        parser.add_argument("--table", default="", help="which table, for CSV (default: the report's first)")
        parser.add_argument("--bom", action="store_true", help="begin a CSV with a byte order mark, for old Excel")
        parser.add_argument("--rows-only", action="store_true", help="CSV without the lines that say what was not seen")
        parser.add_argument("--output", default="", help="a file to write; standard output when left out")

    def handle(self, *args: Any, **options: Any) -> None:
        snapshot = seen(find(options["workspace"]), options["as_of"])
        try:
            document = reports.document(snapshot, options["name"])
        except KeyError:
            names = ", ".join(spec.name for spec in reports.all_specs(snapshot))
            raise CommandError(
                f"There is no report “{options['name']}”; there are {names}.", returncode=USAGE
            ) from None
        try:
            size = self._write(options["output"], rendered(document, options))
        except ExportError as error:
            raise CommandError(f"{error.code}: {error.message}", returncode=1) from None
        audit.record(
            audit.Action.EXPORTED,
            actor=None,
            target=snapshot,
            report=options["name"],
            format=options["format"],
            size=size,
        )
        for gap in document.gaps:
            self.stderr.write(gap)

    def _write(self, output: str, pieces: Iterable[bytes]) -> int:
        """Writes all or nothing: a file appears under its name only when it is whole."""
        if not output:
            return sum(sys.stdout.buffer.write(piece) for piece in pieces)
        target = Path(output)
        unfinished = target.with_name(target.name + ".unfinished")
        try:
            with unfinished.open("wb") as file:
                size = sum(file.write(piece) for piece in pieces)
            unfinished.replace(target)
        finally:
            unfinished.unlink(missing_ok=True)
        return size


def rendered(document: Document, options: dict[str, Any]) -> Iterable[bytes]:
    if options["format"] == "csv":
        return csv.stream(document, options["table"], bom=options["bom"], notes=not options["rows_only"])
    return [pdf.render(document).data if options["format"] == "pdf" else json.render(document)]


def find(name: str) -> Workspace:
    """A workspace by number, slug, id or name; CommandError when there is not exactly one."""
    wanted = Q(slug=name) | Q(remote_id=name) | Q(name=name) | (Q(pk=int(name)) if name.isdigit() else Q())
    found = list(Workspace.objects.filter(wanted)[:2])
    if len(found) != 1:
        raise CommandError(f"There is no single workspace called “{name}”.", returncode=USAGE)
    return found[0]


def seen(workspace: Workspace, said: str) -> Snapshot:
    """The snapshot that `--as-of` means; CommandError when there is none."""
    try:
        found = asof.find(workspace, said.strip()).snapshot
    except asof.Refused as why:
        raise CommandError(f"{why.code}: {why}", returncode=USAGE) from None
    if found is None:
        raise CommandError(f"“{workspace}” has no snapshot yet: sync it first.", returncode=USAGE)
    return found
