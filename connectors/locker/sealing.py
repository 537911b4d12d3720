"""Records as bytes: envelopes that name where they belong, their addresses, and the packing."""

import threading
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import zstandard

from portal import canon

from ..models import Blob
from ..spec import Record


class Sealed(NamedTuple):
    """A record ready to be kept: its key, its address, and the compressed bytes that hash to the address.

    The bytes of a record that the workspace has had before are empty: they are in the locker already.
    """

    key: str
    sha256: bytes
    size: int
    body: bytes


class Addresses:
    """Addresses that a workspace's records have, or had: eight bytes of each, which is enough to skip work by."""

    def __init__(self, addresses: Iterable[bytes] = ()) -> None:
        self._heads = array("Q", sorted(int.from_bytes(address[:8], "big") for address in addresses))

    def __contains__(self, address: bytes) -> bool:
        head = int.from_bytes(address[:8], "big")
        at = bisect_left(self._heads, head)
        return at < len(self._heads) and self._heads[at] == head


NONE_KNOWN = Addresses()


def seal(
    workspace: str, stream: str, policy: str, records: Sequence[tuple[str, Record]], known: Addresses = NONE_KNOWN
) -> list[Sealed]:
    """Puts records, each with its key, into envelopes that name where they belong: no blob can stand for another.

    The salt depends on the record and on FINGERPRINT_KEY, so an unchanged record keeps its address.
    """
    belongs, salt = canon.canonical([workspace, stream, policy])[:-1], canon.salter()
    sealed, fresh = list[tuple[str, bytes, int]](), list[bytes]()
    for key, data in records:
        inner, names = canon.canonical(data), b"%s,%s]" % (belongs, canon.canonical(key))
        envelope = b'{"data":%s,"names":%s,"salt":"%s"}' % (inner, names, salt(names, inner))
        address = canon.digest(envelope)
        sealed.append((key, address, len(envelope)))
        fresh.append(b"" if address in known else envelope)
    return [Sealed(*each, body) for each, body in zip(sealed, _packed(fresh), strict=True)]


def _packed(envelopes: Sequence[bytes]) -> Iterator[bytes]:
    """Compressed, all at once: a call for each would hand the interpreter lock around hundreds of times a page."""
    full: list[bytes | bytearray | memoryview] = [envelope for envelope in envelopes if envelope]
    packed = iter(_compressor().multi_compress_to_buffer(full) if full else ())
    return (next(packed).tobytes() if envelope else b"" for envelope in envelopes)


_thread = threading.local()  # a compressor may serve one thread only


def _compressor() -> zstandard.ZstdCompressor:
    if not hasattr(_thread, "compressor"):
        _thread.compressor = zstandard.ZstdCompressor(level=3)
    found: zstandard.ZstdCompressor = _thread.compressor
    return found


class Unpackable(Exception):
    """A blob's bytes cannot be unpacked: they are not what was stored."""


def envelope_of(blob: Blob) -> bytes:
    """The bytes whose sha256 is the blob's address. Raises Unpackable."""
    return unpacked(bytes(blob.body), blob.size)


def unpacked(body: bytes, size: int) -> bytes:
    """The same for a blob that was not loaded as one. Raises Unpackable."""
    try:
        return zstandard.decompress(body, max_output_size=size)
    except zstandard.ZstdError as error:
        raise Unpackable from error
