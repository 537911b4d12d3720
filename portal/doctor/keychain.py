"""Checks of the keys: are they there, does nobody else read them, and do they open what is stored."""

import os
from pathlib import Path

from django.conf import settings

from connectors import rekeying

from .. import canon, keys
from . import keyfiles
from .findings import Seen, fail, unknown, warn, well


def there() -> Seen:
    """Settings do not load without three of them; the fourth is a file."""
    path = Path(settings.SIGNING_KEY_FILE)
    if not path.is_file():
        return fail(f"The signing key {path.name} is not there.", code="signing-key")
    fernet = len(settings.FERNET_KEYS)
    also = "" if fernet == 1 else f" ({fernet} of them)"
    return well(f"SECRET_KEY, FERNET_KEYS{also}, FINGERPRINT_KEY and the signing key are there and long enough.")


def files_are_private() -> Seen:
    return keyfiles.private([keys.private_file(os.environ), Path(settings.SIGNING_KEY_FILE)])


def signing_key_is_trusted() -> Seen:
    """What the worker signs must be what `verify` believes."""
    try:
        name, _ = canon.sign(b"doctor")
        trusted = canon.trusted_keys()
    except canon.NoSigningKey as error:
        return fail(str(error), code="signing-key")
    except (OSError, ValueError, AssertionError):
        return fail("The file of trusted keys cannot be read.", code="signing-key-untrusted")
    if name not in trusted:
        saw = f"The public half of the signing key ({name}) is not among the {len(trusted)} trusted keys."
        return fail(saw, code="signing-key-untrusted")
    return well(f"The public half of the signing key ({name}) is among the trusted keys.")


def stored_tokens_open() -> Seen:
    """Every stored token is opened, and by which key; nothing of it is kept or said."""
    proof = rekeying.prove()
    total = sum(proof.opened) + len(proof.unreadable)
    if proof.unreadable:
        names = ", ".join(proof.unreadable[:5])
        left = len(proof.unreadable) - 5
        saw = f"{len(proof.unreadable)} of {total} cannot be opened: {names}{f' and {left} more' if left > 0 else ''}."
        return fail(saw, code="token-unreadable")
    if not proof.done:
        need = sum(proof.opened[1:])
        return warn(f"{need} of {total} need a key of FERNET_KEYS behind the first.", code="key-still-needed")
    idle = f" Not needed any more: key {', '.join(map(str, proof.unused))}." if proof.unused else ""
    return well(f"The first of FERNET_KEYS opens every one ({total}).{idle}" if total else "No token is stored.")


def copy_elsewhere() -> Seen:
    return unknown("Whether a copy of the keys lies elsewhere cannot be seen from here.", code="keys-uncopied")
