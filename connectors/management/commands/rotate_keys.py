"""`manage.py rotate_keys [--new | --check]`: stored tokens under the newest of FERNET_KEYS, and the proof of it."""

import json
import os
from argparse import ArgumentParser
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from connectors import rekeying
from portal import audit, keys

from ._exits import USAGE

UNPROVED = 2
MOST_NAMES = 10


class Command(BaseCommand):
    requires_system_checks = []  # nothing of it concerns the stored tokens
    help = (
        "Encrypts every stored token anew with the first of FERNET_KEYS, and proves that the others are not needed any "
        "more. It may be stopped or killed at any moment and run again. In order: --new, restart the portal on every "
        "machine, rotate_keys, take the keys out that it names, restart again. "
        "Exit codes: 0 the first key opens everything, 2 it does not, or bad usage."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        what = parser.add_mutually_exclusive_group()
        what.add_argument("--new", action="store_true", help="put a new key at the head in the private file, no more")
        what.add_argument("--check", action="store_true", help="change nothing, prove only")
        parser.add_argument("--json", action="store_true", help="print the outcome as JSON on standard output")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["new"]:
            self._new(options["json"])
            return
        done = 0 if options["check"] else self._reencrypt()
        proof = rekeying.prove()
        if not options["check"]:
            audit.record(
                audit.Action.KEYS_ROTATED,
                actor=None,
                encrypted=done,
                secrets=sum(proof.opened),
                unreadable=len(proof.unreadable),
                unused_keys=len(proof.unused),
            )
        self._tell(proof, done, options["json"])
        if not proof.done:
            raise SystemExit(UNPROVED)

    def _new(self, as_json: bool) -> None:
        if not settings.FERNET_KEYS_IN_FILE:
            why = "FERNET_KEYS comes from the environment: put a new key of 32 random bytes at its head there."
            raise CommandError(f"{why} {_RESTART}", returncode=USAGE)
        try:
            path = keys.add_fernet_key(os.environ)
        except (keys.NoNewKey, OSError) as error:
            raise CommandError(f"No key was added: {error}", returncode=USAGE) from None
        if as_json:
            self.stdout.write(json.dumps({"file": str(path), "keys": len(settings.FERNET_KEYS) + 1}))
        else:
            self.stdout.write(f"A new key stands at the head of FERNET_KEYS in {path}. {_RESTART}")

    def _reencrypt(self) -> int:
        if waiting := rekeying.others_at_work(timezone.now()):
            names = ", ".join(f"“{name}”" for name in waiting)
            why = f"These workers do not know the first of FERNET_KEYS as this command does: {names}. Nothing was done."
            raise CommandError(f"{why} Restart the portal there, wait a minute, and call this again.", returncode=USAGE)
        return rekeying.reencrypt(self._progress)

    def _progress(self, done: int) -> None:
        if done % 1000 == 0:
            self.stderr.write(f"  {done} encrypted")

    def _tell(self, proof: rekeying.Proof, done: int, as_json: bool) -> None:
        if as_json:
            said = {
                "proved": proof.done,
                "encrypted": done,
                "opened": {str(number): many for number, many in enumerate(proof.opened, 1)},
                "unused": proof.unused,
                "older": {str(number): names for number, names in proof.older.items()},
                "unreadable": list(proof.unreadable),
            }
            self.stdout.write(json.dumps(said, ensure_ascii=False, indent=2))
            return
        for line in _lines(proof, done):
            self.stdout.write(line)


_RESTART = "Restart the portal on every machine now; then run `python manage.py rotate_keys`."


def _some(names: Sequence[str]) -> str:
    left = len(names) - MOST_NAMES
    return ", ".join(names[:MOST_NAMES]) + (f" and {left} more (--json names all)" if left > 0 else "")


def _lines(proof: rekeying.Proof, done: int) -> list[str]:
    """The outcome in sentences."""
    total = sum(proof.opened) + len(proof.unreadable)
    said = [f"{done} of {total} stored tokens were encrypted anew; the first key opens {proof.opened[0]} of {total}."]
    said += [f"Key {number} is still needed by: {_some(names)}." for number, names in sorted(proof.older.items())]
    if proof.unreadable:
        said.append(f"No key opens: {_some(proof.unreadable)}. Put the key back that is missing, or replace them.")
    for number in proof.unused:
        said.append(f"Key {number} is not needed by any stored token: take it out of FERNET_KEYS, then restart.")
    if proof.done and len(proof.opened) > 1:
        said.append("A backup of the database from before still needs the old keys: keep them with the backup.")
    return said
