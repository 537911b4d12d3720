"""`manage.py restore FILE`: an empty portal becomes the one that a backup holds, and proves its evidence."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import DEFAULT_DB_ALIAS, DatabaseError
from django.utils import timezone

from portal import audit, readiness
from portal.backup import PRIVATE, Refused
from portal.backup.archive import Archive
from portal.backup.restoring import Restored, Wish, must_be_empty, public_keys, restore
from portal.backup.tables import one_line
from portal.backup.writing import heads
from portal.doctor.storage import words

from .backup import ask

USAGE = 2


class Command(BaseCommand):
    help = (
        "Fills an empty portal from a backup, all or nothing, from SQLite or PostgreSQL into either, then runs "
        "`verify`. Exit codes: 0 restored and proved, 1 restored and verify finds faults, 2 refused, and nothing was "
        "restored."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        add = parser.add_argument
        add("file", type=Path, metavar="FILE", help="what `manage.py backup` has written")
        add("--trust-keys", action="store_true", help="trust the public keys in the backup from now on")
        add("--new-signing-key", action="store_true", help="go on with the key here where the old one is lost")
        add("--with-keys", action="store_true", help="also take the private keys out, beside those in use")
        add("--passphrase-stdin", action="store_true", help="the same, with the passphrase from standard input")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with Archive(options["file"].resolve()) as archive:
                wanted = options["with_keys"] or options["passphrase_stdin"]
                passphrase = ask(options["passphrase_stdin"]) if wanted else ""
                must_be_empty()
                readiness.migrate()
                self._say_what_it_is(archive)
                wish = Wish(options["trust_keys"], options["new_signing_key"], passphrase)
                done = restore(archive, timezone.now(), wish, self._tell)
                self._say_what_is_left(done, locked=PRIVATE in archive.members and not passphrase)
        except (Refused, OSError) as error:
            raise CommandError(str(error), returncode=USAGE) from None
        except DatabaseError as error:
            raise CommandError(f"The database cannot be filled: {words(error)}", returncode=USAGE) from None
        call_command("verify", stdout=self.stdout, stderr=self.stderr)

    def _say_what_it_is(self, archive: Archive) -> None:
        said = archive.manifest
        where = f"version {one_line(said['version'])}, from {one_line(said['database'])}"
        self.stdout.write(f"Backup of {said['made_at']}, {where}")
        for name, digest in public_keys(archive).items():
            self.stdout.write(f"  public key {name}, sha256 {digest}")

    def _say_what_is_left(self, done: Restored, locked: bool) -> None:
        say = self.stdout.write
        say(f"Restored {done.rows:,} rows. A newer head known elsewhere means that this backup is not the newest:")
        for each in heads(DEFAULT_DB_ALIAS):
            say(f"  {audit.clean(each['name'])}: snapshot {each['head']} {each['header_sha256']}")
        if done.interrupted:
            say(f"{done.interrupted} sync runs were under way and are ended: their connections may sync again.")
        if done.strangers:
            say(
                f"Not trusted here: public key {', '.join(done.strangers)}. Compare its sha256 with a copy from "
                "elsewhere, add it to TRUSTED_KEYS_FILE, and run `manage.py verify` again; until then what it signed "
                "counts as unsigned."
            )
        if done.unreadable:
            more = f" and {len(done.unreadable) - 5} more" if len(done.unreadable) > 5 else ""
            say(
                f"FERNET_KEYS here do not open the tokens of {', '.join(done.unreadable[:5])}{more}: bring the private "
                "file that belongs to the backup, or replace these tokens on the connections' pages."
            )
        if done.other_fingerprints:
            say(
                "FINGERPRINT_KEY is not the one of the backup: set that one before the first sync, or every record "
                "counts as changed and no token is recognised again."
            )
        if locked:
            say("The backup also holds private keys: a restore with --with-keys takes them out.")

    def _tell(self, line: str) -> None:
        self.stderr.write(f"  {line}")
