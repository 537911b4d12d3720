"""`manage.py connect segment --name N --region R --token-stdin [--schedule …] [--contact …] [--json]`: the wizard, for
scripts."""

import json
import sys
from argparse import ArgumentParser
from datetime import date
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from connectors import connections, registry, schedules
from connectors.models import ROTATION_DAYS, Connection, Environment
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


def day_of(text: str | None) -> date | None:
    """The day that `--made` names, None for today. CommandError for what is none."""
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        sentence = "made-unreadable: Write the day of --made as 2026-11-25."
        raise CommandError(sentence, returncode=USAGE) from None


def _groups() -> str:
    """The groups of each connector; a star for the standard ones."""
    names = [
        f"{slug}: {', '.join(f'{group.name}*' if group.standard else group.name for group in connector.groups)}"
        for slug, connector in registry.all_connectors().items()
    ]
    return f"{'; '.join(names)} (* standard)"


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
        parser.add_argument(
            "--environment",
            default="",
            choices=Environment.values,
            help=f"what the workspace is used for: {', '.join(filter(None, Environment.values))} (default: not said)",
        )
        parser.add_argument("--made", help="the day on which the token was made, as 2026-11-25 (default: today)")
        parser.add_argument(
            "--contact", action="append", default=[], help="e-mail address of who looks after it; may be given again"
        )
        parser.add_argument(
            "--rotation-days",
            type=int,
            default=ROTATION_DAYS,
            help=f"how old the token may become; 0 for no reminders (default: {ROTATION_DAYS})",
        )
        parser.add_argument("--schedule", help=f"{', '.join(KINDS)} (default: daily, or cron when --cron is given)")
        parser.add_argument("--at", help="time of day for daily and weekly (default: 06:00)")
        parser.add_argument("--weekday", help="day for weekly (default: Monday)")
        parser.add_argument("--cron", help='cron text, for instance "30 6 * * 1-5"; at most every 15 minutes')
        parser.add_argument("--zone", help=f"time zone of the schedule (default: {settings.TIME_ZONE})")
        parser.add_argument(
            "--groups", help=f"what is read, with commas between (default: the standard ones). {_groups()}"
        )
        parser.add_argument(
            "--keep-code", action="store_true", help="keep programs and queries as text, not only digests"
        )
        parser.add_argument("--json", action="store_true", help="print the outcome as JSON on standard output")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["connector"] not in registry.all_connectors():
            raise CommandError(f"There is no connector “{options['connector']}”.", returncode=USAGE)
        options["plan"], options["made"] = plan_of(options), day_of(options["made"])
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
        said = {name: options[name] for name in ("name", "region", "role", "environment")}
        connections.set_credential(connection, **said, token=token, made=options["made"], by=None, now=now)
        connections.describe(
            connection,
            name=connection.name,
            environment=connection.environment,
            contacts=options["contact"],
            rotation_days=options["rotation_days"],
            made=connection.token_made,
            by=None,
            now=now,
        )
        self._choose(connection, options)
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

    def _choose(self, connection: Connection, options: dict[str, Any]) -> None:
        standard = [group.name for group in registry.get(connection.connector).groups if group.standard]
        asked = options["groups"]
        groups = standard if asked is None else [name for part in asked.split(",") if (name := part.strip())]
        connections.choose_groups(connection, groups, options["keep_code"], by=None, now=timezone.now())
