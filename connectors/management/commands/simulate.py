"""`manage.py simulate`: a Segment Public API on loopback, with invented data."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from connectors.segment.simulator import cli


class Command(BaseCommand):
    help = f"{cli.ABOUT} Prints its address and tokens and serves until it is stopped."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        cli.arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            cli.start(options, self._say)
        except cli.Unusable as error:
            raise CommandError(str(error)) from None

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()  # a parent process waits for the address
