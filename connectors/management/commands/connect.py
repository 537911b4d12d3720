"""`manage.py connect segment --name N --region R --token-stdin [--schedule …] [--json]`: the wizard, for scripts."""

import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from connectors import connections, registry, schedules
from connectors.models import Connection
from connectors.schedules import KINDS, Plan
from connectors.spec import ConnectorError

from ._exits import REFUSED, USAGE, code_for

# What is meant where nothing is said, and the schedules that use it.
USES = {"at": ("06:00", ("daily", "weekly")), "weekday": ("Monday", ("weekly",)), "cron": ("", ("cron",))}


def plan_of(options: dict[str, Any]) -> Plan:
    """The schedule that the options mean. CommandError for what is none, and for what it would not use."""
    kind = options["schedule"] or ("cron" if options["cron"] is not None else "daily")
    for name, (_, kinds) in USES.items():
        if options[name] is not None and kind in KINDS and kind not in kinds:
            sentence = f"--{name} goes with --schedule {' or '.join(kinds)}, not with {kind}."
            raise CommandError(sentence, returncode=USAGE)
    given = {name: options[name] if options[name] is not None else usual for name, (usual, _) in USES.items()}
    zone = options["zone"] if options["zone"] is not None else settings.TIME_ZONE
    try:
        return schedules.plan_of({**given, "schedule": kind, "zone": zone})
    except schedules.Unsound as error:
        said = " ".join(f"{fault.code}: {fault.message}" for fault in error.faults)
        raise CommandError(said, returncode=USAGE) from None


class Command(BaseCommand):
    requires_system_checks = []  # scripts call it often; `manage.py check` and the tests run them
    help = (
        "Connects a workspace: checks the token read from standard input, and makes the connection active. "
        "Exit codes: 0 done, 2 bad usage, 3 credential refused, 4 service not reachable."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("connector", help="which service, for instance segment")
        parser.add_argument("--name", required=True, help="a name that tells this connection from others")
        parser.add_argument("--region", required=True, help="us, eu, or one that the environment adds")
        parser.add_argument(
            "--token-stdin", action="store_true", required=True, help="read the token from standard input"
        )
        parser.add_argument("--role", default="owner", help="the role the token was made with (default: owner)")
        parser.add_argument("--schedule", help=f"{', '.join(KINDS)} (default: daily, or cron when --cron is given)")
        parser.add_argument("--at", help="time of day for daily and weekly (default: 06:00)")
        parser.add_argument("--weekday", help="day for weekly (default: Monday)")
        parser.add_argument("--cron", help='cron text, for instance "30 6 * * 1-5"; at most every 15 minutes')
        parser.add_argument("--zone", help=f"time zone of the schedule (default: {settings.TIME_ZONE})")
        parser.add_argument("--json", action="store_true", help="print the outcome as JSON on standard output")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["connector"] not in registry.all_connectors():
            raise CommandError(f"There is no connector “{options['connector']}”.", returncode=USAGE)
        options["plan"] = plan_of(options)
        now, connector = timezone.now(), registry.get(options["connector"])
        connection = connections.draft(connector, by=None, now=now)
        try:
            outcome = self._connect(connection, options)
        except connections.NotPossible as error:
            connections.discard(connection, by=None, now=now)
            also = f" (connection {error.other.pk}, “{error.other.name}”)" if error.other else ""
            refused = error.code in {"token-in-use", "workspace-already-connected"}
            raise CommandError(
                f"{error.code}: {error.message}{also}", returncode=REFUSED if refused else USAGE
            ) from None
        except ConnectorError as error:
            connections.discard(connection, by=None, now=now)
            raise CommandError(f"{error.code}: {error.message}", returncode=code_for(error.code)) from None
        if options["json"]:
            self.stdout.write(json.dumps(outcome, ensure_ascii=False, indent=2))
        else:
            self.stdout.write(f"Connected “{outcome['workspace']['name']}” as connection {outcome['connection']}.")

    def _connect(self, connection: Connection, options: dict[str, Any]) -> dict[str, Any]:
        now = timezone.now()
        token = sys.stdin.readline()
        connections.set_credential(
            connection, name=options["name"], region=options["region"], token=token, role=options["role"], now=now
        )
        self.stderr.write("Checking what the token opens …")
        found = connections.check(connection, by=None, now=now)
        if found.code:
            connections.discard(connection, by=None, now=now)
            raise CommandError(f"{found.code}: {found.message}", returncode=code_for(found.code))
        connections.activate(connection, plan=options["plan"], by=None, now=now)
        assert found.workspace is not None
        return {
            "connection": connection.pk,
            "workspace": {"id": found.workspace.id, "slug": found.workspace.slug, "name": found.workspace.name},
            "region": found.region,
            "streams": {name: capability.verdict for name, capability in found.streams.items()},
        }
