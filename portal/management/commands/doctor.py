"""`manage.py doctor [--json] [--live] [--strict] [--mail-to ADDRESS]`: is the portal well, and what to do if not."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from portal.doctor import findings
from portal.doctor.examination import Asked, examine


class Command(BaseCommand):
    requires_system_checks = []  # it must run where nothing else does
    help = (
        "Checks keys, database, migrations, worker, clock, disk, mail, static files and each connection, and says what "
        "to do. Exit codes: 0 nothing fails, 1 there are warnings (with --strict alone), 2 something fails."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        add = parser.add_argument
        add("--json", action="store_true", help="print the findings as JSON on standard output")
        add("--live", action="store_true", help="also ask the mail server, and each active connection's service once")
        add("--strict", action="store_true", help="end with 1 when nothing fails and there are warnings")
        add("--mail-to", default="", metavar="ADDRESS", help="also send a mail there")

    def handle(self, *args: Any, **options: Any) -> None:
        asked = Asked(timezone.now(), live=options["live"], mail_to=options["mail_to"])
        found = examine(asked)
        self.stdout.write(findings.told(found, asked.now, as_json=options["json"]))
        if code := findings.exit_code(found, options["strict"]):
            raise SystemExit(code)
