"""`manage.py keys --new-signing-key`: the next key, signed in by the one before. Without it no settings are needed."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from portal import canon, keys, ledger


class Command(BaseCommand):
    help = "Replaces the signing key. The old key signs the new one in; what it has signed stays valid."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--new-signing-key", action="store_true", required=True)

    def handle(self, *args: Any, **options: Any) -> None:
        """May be killed anywhere and run again: the old key is replaced only after it has signed the new one in."""
        path = Path(settings.SIGNING_KEY_FILE)
        try:
            before, _ = canon.sign(b"")
            new = keys.next_signing_key(path, Path(settings.TRUSTED_KEYS_FILE))
            ledger.seal_all(timezone.now())
        except (canon.NoSigningKey, OSError) as error:
            raise CommandError(f"Nothing was replaced. {error}") from None
        name = canon.key_of(new)
        if not ledger.signed_in(name):
            raise CommandError("The old key has not signed the new one in yet: run this again.")
        keys.replace_file(new, path)
        self.stdout.write(f"Snapshots are signed by {name} from now on, which {before} has signed in.\n")
        self.stdout.write(f"Fingerprint: {ledger.fingerprints()[name]}\nTell it to your auditors by another way.")
