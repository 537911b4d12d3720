"""`manage.py connection list|show|pause|resume|replace|undo|leaked|disconnect …`: the admin's buttons, for scripts."""

import json
import sys
from argparse import ArgumentParser
from collections.abc import Callable
from datetime import date, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from connectors import conditions, connections, pauses
from connectors.connections import NotPossible
from connectors.models import Connection
from connectors.spec import ConnectorError

from ._exits import PARTIAL, USAGE, code_for
from .sync import find

EVERYTHING = "--all"


class Command(BaseCommand):
    requires_system_checks = []  # scripts call it often; `manage.py check` and the tests run them
    help = (
        "Looks after connections: their condition, pauses, tokens. Exit codes: 0 done, 2 bad usage or not possible "
        "now, 3 credential refused, 4 service not reachable, 5 the new token reads less (nothing was replaced)."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
        verbs.add_parser("list", help="every connection with its condition, reason and since when")
        for verb, about in _ABOUT.items():
            one = verbs.add_parser(verb, help=about)
            if verb in ("pause", "resume"):
                one.add_argument("connection", nargs="?", default="", help="its number or its name")
                one.add_argument(EVERYTHING, action="store_true", dest="everything", help="everything at once")
            else:
                one.add_argument("connection", help="its number or its name")
            if verb == "replace":
                one.add_argument(
                    "--token-stdin", action="store_true", required=True, help="read it from standard input"
                )
                one.add_argument(
                    "--role", default="", help="the role it was made with (default: that of the one in use)"
                )
                one.add_argument("--made", type=date.fromisoformat, help="the day it was made, as 2026-11-25")
                one.add_argument("--reads-less", action="store_true", help="replace although it reads fewer streams")

    def handle(self, *args: Any, **options: Any) -> None:
        verb, now = options["verb"], timezone.now()
        if verb == "list":
            rows = conditions.with_condition(Connection.objects.select_related("workspace"), now)
            self._say([told(row) for row in rows.order_by("pk")])
            return
        try:
            self._say(self._everything(verb, now) if options.get("everything") else self._one(verb, options, now))
        except NotPossible as error:
            returncode = code_for(error.code) if error.code in connections.REFUSED else USAGE
            raise CommandError(f"{error.code}: {error.message}", returncode=returncode) from None
        except ConnectorError as error:
            raise CommandError(f"{error.code}: {error.message}", returncode=code_for(error.code)) from None

    def _everything(self, verb: str, now: datetime) -> dict[str, Any]:
        done = (
            pauses.pause_everything(by=None, now=now) if verb == "pause" else pauses.resume_everything(by=None, now=now)
        )
        return {"everything": "paused" if verb == "pause" else "resumed", "changed": done}

    def _one(self, verb: str, options: dict[str, Any], now: datetime) -> dict[str, Any]:
        if not options["connection"]:
            raise CommandError(f"Name a connection, or {EVERYTHING}.", returncode=USAGE)
        connection = find(options["connection"])
        if verb == "replace":
            _replace(connection, options, now)
        elif verb in _VERBS:
            _VERBS[verb](connection, now)
        return told(conditions.with_condition(Connection.objects.filter(pk=connection.pk), now).get())

    def _say(self, said: Any) -> None:
        self.stdout.write(json.dumps(said, ensure_ascii=False, indent=2))


_ABOUT = {
    "show": "one connection with its condition",
    "pause": "no sync starts until somebody resumes",
    "resume": "the schedule counts again",
    "replace": "proves a new token on the same workspace, and puts it in the old one's place",
    "undo": "puts the token before back, while the new one has not read the workspace",
    "leaked": "pauses, and wipes every token of the connection",
    "disconnect": "wipes the token and stops the schedule; snapshots, artifacts and logs stay",
}


def _undo(connection: Connection, now: datetime) -> None:
    if not connections.undo(connection, by=None, now=now):
        raise CommandError("There is no token before: the new one has read the workspace.", returncode=USAGE)


_VERBS: dict[str, Callable[[Connection, datetime], object]] = {
    "pause": lambda row, now: connections.pause(row, by=None, now=now),
    "resume": lambda row, now: connections.resume(row, by=None, now=now),
    "undo": _undo,
    "leaked": lambda row, now: connections.leaked(row, by=None, now=now),
    "disconnect": lambda row, now: connections.disconnect(row, by=None, now=now),
}


def _replace(connection: Connection, options: dict[str, Any], now: datetime) -> None:
    token, role = sys.stdin.readline(), options["role"] or connection.token_role
    spare = connections.offer(connection, token=token, role=role, made=options["made"], by=None, now=now)
    connections.prove(connection, spare, now=timezone.now())
    lost = connections.lost_by(connection, spare)
    if lost and not options["reads_less"]:
        connections.drop_offer(connection)
        less = (
            f"The new token may not read: {', '.join(lost)}. Nothing was replaced; --reads-less replaces all the same."
        )
        raise CommandError(less, returncode=PARTIAL)
    connections.replace(connection, spare, by=None, now=timezone.now())


def told(row: Any) -> dict[str, Any]:
    """A connection as `connection list` prints it; nothing of its token but what pages show."""
    found = conditions.of(row)
    return {
        "connection": row.pk,
        "name": row.name,
        "environment": row.environment,
        "workspace": row.workspace.name if row.workspace else None,
        "condition": found.condition.value,
        "why": found.state.why,
        "code": found.code,
        "since": found.since.isoformat() if found.since else None,
        "token_ends_in": row.token_hint,
        "token_last_answered": row.token_used_at.isoformat() if row.token_used_at else None,
        "rotate_on": row.rotate_on.isoformat() if row.rotate_on else None,
        "next_sync": row.starts_next.isoformat() if row.starts_next else None,
    }
