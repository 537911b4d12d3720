"""Opaque cursors: an offset, mixed and signed, good for one path only. A changed one is refused."""

import base64
import binascii
import struct
from hashlib import blake2b

KEY = b"segment simulator"


def encode(path: str, offset: int, spelling: int = 0) -> str:
    """The cursor of that place. `spelling` (0 to 255) makes another cursor of the same place."""
    plain = struct.pack(">IB", offset, spelling)
    seal = blake2b(path.encode() + plain, key=KEY, digest_size=8).digest()
    return base64.b64encode(seal + _mix(plain, seal)).decode()


def decode(path: str, cursor: str) -> tuple[int, int] | None:
    """Offset and spelling, or None for what this path never gave out."""
    try:
        raw = base64.b64decode(cursor, validate=True)
    except (binascii.Error, ValueError):
        return None
    if len(raw) != 13:
        return None
    offset, spelling = struct.unpack(">IB", _mix(raw[8:], raw[:8]))
    return (offset, spelling) if encode(path, offset, spelling) == cursor else None


def _mix(text: bytes, seal: bytes) -> bytes:
    mask = blake2b(seal, key=KEY, digest_size=len(text)).digest()
    return bytes(one ^ other for one, other in zip(text, mask, strict=True))
