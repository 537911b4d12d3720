"""All checks, in order. Nothing is changed by them.

A check that falls is a finding too, and what needs the database is not asked when that does not answer.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django.db import Error

from . import backups, keychain, linked, running, storage
from .findings import Finding, Seen, Verdict, fail, moot, unasked, unknown


@dataclass(frozen=True)
class Asked:
    """What is wished for. live: services and the mail server are asked too; thorough: SQLite's file is read
    whole and every stored token is opened, which no page does; mail_to: an address that gets a mail."""

    now: datetime
    live: bool = False
    thorough: bool = True
    mail_to: str = ""
    most: int | None = None  # connections, those that need a look first


@dataclass(frozen=True)
class Check:
    group: str
    name: str
    title: str
    look: Callable[[Asked], Seen]
    database: bool = True  # whether it asks the database


_LATER = "No page looks at all of it: `python manage.py doctor` does."
CHECKS = (
    Check("Database", "database", "Database", lambda a: storage.answers()),
    Check("Database", "journal", "Journal", lambda a: storage.keeps_a_journal()),
    Check("Database", "integrity", "Integrity", lambda a: storage.is_whole() if a.thorough else unasked(_LATER)),
    Check("Database", "migrations", "Migrations", lambda a: storage.migrations_agree()),
    Check("Database", "writing", "Writing", lambda a: storage.can_be_written(a.now)),
    Check("Database", "write-once", "Written once", lambda a: storage.evidence_is_written_once()),
    Check("Backup", "backup", "Last backup", lambda a: backups.last_is_young(a.now)),
    Check("Keys", "keys", "Keys", lambda a: keychain.there(), database=False),
    Check("Keys", "key-files", "Key files", lambda a: keychain.files_are_private(), database=False),
    Check("Keys", "signing-key", "Signing key", lambda a: keychain.signing_key_is_trusted(), database=False),
    Check(
        "Keys",
        "stored-tokens",
        "Stored tokens",
        lambda a: keychain.stored_tokens_open() if a.thorough else unasked(_LATER),
    ),
    Check("Keys", "keys-copy", "A copy of the keys", lambda a: keychain.copy_elsewhere(), database=False),
    Check("Worker", "worker", "Worker", lambda a: running.worker_lives(a.now)),
    Check("Worker", "queue", "Queue", lambda a: running.queue_moves(a.now)),
    Check("Worker", "runs", "Sync runs", lambda a: running.runs_move(a.now)),
    Check("Worker", "anchors", "Anchors", lambda a: running.anchors_are_made(a.now)),
    Check("Machine", "clock-database", "Clock and database", lambda a: running.clock_agrees(a.now)),
    Check("Machine", "clock", "Clock", lambda a: running.clock_goes_on(a.now)),
    Check("Machine", "zones", "Time zones", lambda a: running.zones_are_known()),
    Check("Machine", "folder", "Data folder", lambda a: storage.folder_can_be_written(), database=False),
    Check("Machine", "disk", "Disk", lambda a: storage.has_room(a.now)),
    Check("Machine", "files", "Uploaded files", lambda a: storage.files_can_be_kept(), database=False),
    Check("Machine", "scanner", "Virus scanner", lambda a: storage.scanner_answers(), database=False),
    Check("Mail", "mail", "Mail", lambda a: running.mail_goes_out(a.live, a.mail_to, a.now), database=False),
    Check("Web server", "static", "Static files", lambda a: running.static_files_are_prepared(), database=False),
    Check("Web server", "debug", "Debugging", lambda a: running.debug_is_off(), database=False),
    Check("Web server", "https", "HTTPS", lambda a: running.comes_by_https(), database=False),
    Check("Web server", "hosts", "Names", lambda a: running.names_are_chosen(), database=False),
)


# What fails makes the checks of the database behind it pointless: name of the check -> why they are not asked.
_OBSTACLES = {
    "database": "The database cannot be used.",
    "migrations": "The database does not have the form that this version of the portal expects.",
}


def examine(asked: Asked) -> list[Finding]:
    """All findings, in the order of their groups, connections last. Never raises."""
    found, obstacle = [], ""
    for check in CHECKS:
        seen = unknown(obstacle) if obstacle and check.database else _look(check.look, asked)
        found.append(Finding(check.group, check.name, check.title, seen))
        if seen.verdict is Verdict.FAIL and check.name in _OBSTACLES:
            obstacle = obstacle or _OBSTACLES[check.name]
    return [*found, *_connections(asked, obstacle)]


def _look(look: Callable[[Asked], Seen], asked: Asked) -> Seen:
    try:
        return look(asked)
    except Error as error:
        return fail(f"The database refused the question: {storage.words(error)}", code="database-refused")
    except Exception as error:  # noqa: BLE001  # a check that falls must not take the others with it
        return fail(f"The check itself failed ({type(error).__name__}).", code="doctor-failed")


def _connections(asked: Asked, obstacle: str) -> list[Finding]:
    found: list[Finding] = []

    def look(asked: Asked) -> Seen:
        found.extend(linked.connections(asked.now, asked.live, asked.most))
        return moot("Nothing is connected.")

    seen = unknown(obstacle) if obstacle else _look(look, asked)
    every = Finding(linked.GROUP, "connections", "Connections", seen)
    return found if found and seen.verdict is Verdict.MOOT else [*found, every]
