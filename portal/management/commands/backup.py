"""`manage.py backup FILE [--with-keys]`: everything that the portal keeps, as of one moment, in one file."""

import getpass
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError
from django.utils import timezone

from portal import audit
from portal.backup import Refused
from portal.backup.moment import one_moment
from portal.backup.writing import write
from portal.doctor.storage import words
from portal.templatetags.portal import size

USAGE = 2


class Command(BaseCommand):
    help = (
        "Writes the database, uploaded files and public keys into one zip, as of one moment; the portal may run. "
        "Private keys are in it only with --with-keys, under a passphrase. Exit codes: 0 made, 2 refused, and nothing "
        "was written."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        add = parser.add_argument
        add("file", type=Path, metavar="FILE", help="where to write it, for instance portal-2026-01-31.zip")
        add("--force", action="store_true", help="write over a file that is there")
        add("--with-keys", action="store_true", help="also the private file and the signing key, under a passphrase")
        add("--passphrase-stdin", action="store_true", help="read the passphrase from standard input")

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["file"].resolve()
        if options["passphrase_stdin"] and not options["with_keys"]:
            raise CommandError("A passphrase is for --with-keys alone.", returncode=USAGE)
        passphrase = ask(options["passphrase_stdin"], twice=True) if options["with_keys"] else ""
        now = timezone.now()
        try:
            with one_moment() as alias:
                made = write(path, alias, now, passphrase=passphrase, force=options["force"], tell=self._tell)
        except (Refused, OSError) as error:
            raise CommandError(str(error), returncode=USAGE) from None
        except DatabaseError as error:
            raise CommandError(f"The database cannot be read: {words(error)}", returncode=USAGE) from None
        audit.record(
            audit.Action.BACKUP_MADE,
            actor=None,
            name=path.name,
            at=now,
            sha256=made.sha256,
            size=made.size,
            private_keys=bool(passphrase),
        )
        self.stdout.write(f"{path}: {size(made.size)}, {made.rows:,} rows\nsha256 {made.sha256}")
        if not passphrase:
            self.stdout.write("Private keys are not in it: keep a copy of the private file and of the signing key.")

    def _tell(self, line: str) -> None:
        self.stderr.write(f"  {line}")


def ask(from_stdin: bool, *, twice: bool = False) -> str:
    """The passphrase, from standard input or from the terminal. Raises CommandError where there is none."""
    if from_stdin:
        phrase = sys.stdin.readline().rstrip("\r\n")
    elif sys.stdin.isatty():
        phrase = getpass.getpass("Passphrase: ")
        if twice and getpass.getpass("Again: ") != phrase:
            raise CommandError("The two are not the same.", returncode=USAGE)
    else:
        raise CommandError("There is no terminal to ask for the passphrase: use --passphrase-stdin.", returncode=USAGE)
    if not phrase:
        raise CommandError("There is no passphrase.", returncode=USAGE)
    return phrase
