"""Whether the bytes of an artifact's versions are what they were, and what is left of those that were erased."""

import hashlib
import zlib
from collections.abc import Iterator

from django.db import transaction

from connectors import locker
from connectors.models import Erased
from connectors.verification import UNEXPLAINED, Counted, Fault, looks_secret
from portal.canon import digest
from portal.proving import stepwise

from ..document import ExportError, thaw
from ..models import Version
from . import kinds, store
from .store import one_at_a_time


def verify(counted: Counted) -> Iterator[Fault]:
    """Artifacts whose bytes do not hash to their digest, or that come from another snapshot than they say."""
    register = locker.Register()
    for (pk,) in stepwise(Version.objects.all(), "pk"):
        version = Version.objects.select_related("snapshot").get(pk=pk)
        counted.artifacts += 1
        counted.cover("I1", "I2", "I12")
        if not _there(version):
            counted.cover("I11")
            if register.entry_of(bytes.fromhex(version.sha256)) is None:
                lost = ("I1", "Its file is not in the store.") if version.stored else ("I11", UNEXPLAINED)
                yield Fault(lost[0], f"version {pk} of an artifact", lost[1])
            else:
                counted.erased += 1
        elif fault := fault_of(version):
            yield fault
        counted.step()


def erase(audit: int) -> int:
    """Empties the artifacts that are listed under a sealed audit entry; returns how many. `locker.erase` was first."""
    erased = 0
    for sha256 in Erased.objects.filter(audit=audit).values_list("sha256", flat=True):
        digest = bytes(sha256).hex()
        erased += Version.objects.filter(sha256=digest).erase()
        with transaction.atomic():
            one_at_a_time(digest)
            if Version.objects.filter(sha256=digest, stored=True).exists():
                erased += store.remove(digest)
    return erased


def _there(version: Version) -> bool:
    return store.has(version.sha256) if version.stored else bool(version.body)


def grave_of(version: Version) -> locker.Grave | None:
    """Under which entry its bytes were erased; None while they are there."""
    return None if _there(version) else locker.grave_of(bytes.fromhex(version.sha256))


def fault_of(version: Version) -> Fault | None:
    """What is wrong with an artifact's bytes; None when they prove it."""
    where = f"version {version.pk} of an artifact"
    if version.stored:
        return _fault_of_file(version, where)
    try:
        frozen = zlib.decompress(bytes(version.body))
    except zlib.error:
        return Fault("I1", where, "Its bytes cannot be unpacked.")
    if digest(frozen).hex() != version.sha256 or len(frozen) != version.size:
        return Fault("I1", where, "Its bytes do not hash to its digest.")
    if looks_secret(frozen):
        return Fault("I12", where, "Its bytes hold something that looks like an access token.")
    if version.snapshot is None or _source(frozen) != version.snapshot.header_sha256:
        return Fault("I2", where, "Its bytes come from another snapshot.")
    return None


def _fault_of_file(version: Version, where: str) -> Fault | None:
    """The same for a file of the store, read piece by piece."""
    made, size = hashlib.sha256(), 0
    content = kinds.BY_MEDIA.get(version.media)

    def measured() -> Iterator[bytes]:
        nonlocal size
        for piece in store.pieces(version.sha256):
            made.update(piece)
            size += len(piece)
            yield piece

    try:
        searched = kinds.as_utf8(measured()) if content and content.text else (b"" for _ in measured())
        secret = any([looks_secret(each) for each in searched])  # to its end, for the digest
    except store.Missing:
        return Fault("I1", where, "Its file is not in the store.")
    except (store.Away, OSError):
        return Fault("I1", where, "Its file cannot be read from the store.")
    if made.hexdigest() != version.sha256 or size != version.size:
        return Fault("I1", where, "Its file does not hash to its digest.")
    return Fault("I12", where, "Its file holds something that looks like an access token.") if secret else None


def _source(frozen: bytes) -> str:
    """The digest of the header that a frozen document names; "" when the bytes are no document."""
    try:
        return thaw(frozen).provenance.header_sha256
    except ExportError:
        return ""
