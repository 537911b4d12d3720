"""Records as bytes: envelopes that name where they belong, their addresses, and the packing."""

import threading
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import zstandard

from portal import canon

from ..models import Blob
from ..spec import Record

LEVEL = 3


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


# What records share, learnt by `tests.training` from their structure alone: most records are a few hundred bytes, and
# by themselves would hardly get smaller. Each frame names its dictionary, so one that was shipped is kept for ever.
_NEWEST = "envelopes-1.dict"
_thread = threading.local()  # a compressor may serve one thread only


@cache
def _dictionary(name: str) -> zstandard.ZstdCompressionDict:
    found = zstandard.ZstdCompressionDict(Path(__file__).with_name(name).read_bytes())
    found.precompute_compress(level=LEVEL)
    return found


@cache
def _by_number() -> dict[int, str]:
    """The dictionaries there are, by the number that frames name."""
    files = sorted(Path(__file__).parent.glob("envelopes-*.dict"))
    return {_dictionary(file.name).dict_id(): file.name for file in files}


def _compressor() -> zstandard.ZstdCompressor:
    if not hasattr(_thread, "compressor"):
        _thread.compressor = zstandard.ZstdCompressor(dict_data=_dictionary(_NEWEST))
    found: zstandard.ZstdCompressor = _thread.compressor
    return found


def _decompressor(body: bytes) -> zstandard.ZstdDecompressor:
    """One with the dictionary that the frame names; older frames name none."""
    if not hasattr(_thread, "decompressors"):
        _thread.decompressors = {0: zstandard.ZstdDecompressor()}
    number, held = zstandard.get_frame_parameters(body).dict_id, _thread.decompressors
    if number not in held:
        if number not in _by_number():
            raise Unpackable
        held[number] = zstandard.ZstdDecompressor(dict_data=_dictionary(_by_number()[number]))
    found: zstandard.ZstdDecompressor = held[number]
    return found


class Unpackable(Exception):
    """A blob's bytes cannot be unpacked: they are not what was stored."""


def envelope_of(blob: Blob) -> bytes:
    """The bytes whose sha256 is the blob's address. Raises Unpackable."""
    return unpacked(bytes(blob.body), blob.size)


def unpacked(body: bytes, size: int) -> bytes:
    """The same for a blob that was not loaded as one. Raises Unpackable."""
    try:
        return _decompressor(body).decompress(body, max_output_size=size)
    except zstandard.ZstdError as error:
        raise Unpackable from error
