"""Private keys under a passphrase: scrypt (RFC 7914) makes the key, AES-256-GCM holds the bytes."""

import base64
import os
from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from . import Refused

SHORTEST = 12  # characters
_COST = {"n": 2**16, "r": 8, "p": 1}  # 64 MiB and some tenths of a second for each guess
_BOUND = b"compliance portal backup 1"


def lock(data: bytes, passphrase: str) -> tuple[bytes, dict[str, Any]]:
    """The bytes locked, and what besides the passphrase opens them. Raises Refused for a short passphrase."""
    if len(passphrase) < SHORTEST:
        raise Refused(f"The passphrase must have at least {SHORTEST} characters.")
    salt, nonce = os.urandom(16), os.urandom(12)
    locked = AESGCM(_key(passphrase, salt, _COST)).encrypt(nonce, data, _BOUND)
    said = {"kdf": "scrypt", **_COST, "cipher": "AES-256-GCM"}
    return locked, {**said, "salt": _text(salt), "nonce": _text(nonce)}


def unlock(locked: bytes, passphrase: str, said: Mapping[str, Any]) -> bytes:
    """Raises Refused for another passphrase, changed bytes, or parameters that no backup of ours has."""
    costs = {name: said.get(name) for name in _COST}
    if (said.get("kdf"), said.get("cipher"), costs) != ("scrypt", "AES-256-GCM", _COST):
        raise Refused("The private keys are locked in a way that this version does not know.")
    try:
        salt, nonce = (base64.b64decode(str(said.get(name)), validate=True) for name in ("salt", "nonce"))
        return AESGCM(_key(passphrase, salt, _COST)).decrypt(nonce, locked, _BOUND)
    except (InvalidTag, ValueError):
        raise Refused(
            "The passphrase does not open the private keys, or they were changed. Nothing was done."
        ) from None


def _key(passphrase: str, salt: bytes, cost: Mapping[str, int]) -> bytes:
    return Scrypt(salt=salt, length=32, **cost).derive(passphrase.encode())


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
