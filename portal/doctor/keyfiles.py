"""What can be said of the keys before settings load, and needs no Django."""

import os
import stat
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from .. import keys
from . import findings
from .findings import Finding, Seen, fail, unknown, well

NAMES = ("SECRET_KEY", "FERNET_KEYS", "FINGERPRINT_KEY")


def private(files: Sequence[Path]) -> Seen:
    """Whether their owner alone may open them."""
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in files if path.exists()}
    if open_ones := [f"{name} ({mode:04o})" for name, mode in modes.items() if mode & 0o077]:
        return fail(f"Others on this machine may open: {', '.join(open_ones)}.", code="key-file-open")
    return well(f"Only their owner opens them: {', '.join(modes)}." if modes else "No key lies in a file.")


def unsettled(why: str) -> list[Finding]:
    """All that can be found out when the settings refuse to load, for the reason `why`."""
    files = [keys.private_file(os.environ), keys.signing_key_file(os.environ)]
    return [
        Finding("Settings", "settings", "Settings", fail(why, code="settings-refused")),
        Finding("Keys", "keys", "Keys", _there(files[1])),
        Finding("Keys", "key-files", "Key files", private(files)),
        Finding("Everything else", "others", "Other checks", unknown("Nothing else can be asked without settings.")),
    ]


def tell(why: str, *, as_json: bool) -> int:
    """Prints that; returns the exit code."""
    found = unsettled(why)
    sys.stdout.write(f"{findings.told(found, datetime.now(UTC), as_json=as_json)}\n")
    return findings.exit_code(found)


def _there(signing: Path) -> Seen:
    try:
        known = keys.known(os.environ)
    except OSError as error:
        return fail(f"The private file cannot be read ({error.strerror}).", code="keys-missing")
    missing = [name for name in NAMES if not known.get(name)]
    missing += [] if signing.exists() else [f"the signing key {signing.name}"]
    if missing:
        return fail(f"Not there: {', '.join(missing)}.", code="keys-missing")
    return well(f"{', '.join(NAMES)} and the signing key are there.")
