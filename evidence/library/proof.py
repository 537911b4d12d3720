"""Whether the bytes of an artifact's versions are what they were, and what is left of those that were erased."""

import zlib
from collections.abc import Iterator

from connectors import locker
from connectors.models import Erased
from connectors.verification import UNEXPLAINED, Counted, Fault, looks_secret
from portal.canon import digest
from portal.proving import stepwise

from ..document import ExportError, thaw
from ..models import Version


def verify(counted: Counted) -> Iterator[Fault]:
    """Artifacts whose bytes do not hash to their digest, or that come from another snapshot than they say."""
    register = locker.Register()
    for (pk,) in stepwise(Version.objects.all(), "pk"):
        version = Version.objects.select_related("snapshot").get(pk=pk)
        counted.artifacts += 1
        counted.cover("I1", "I2", "I12")
        if not version.body:
            counted.cover("I11")
            if register.entry_of(bytes.fromhex(version.sha256)) is None:
                yield Fault("I11", f"version {pk} of an artifact", UNEXPLAINED)
            else:
                counted.erased += 1
        elif fault := fault_of(version):
            yield fault
        counted.step()


def erase(audit: int) -> int:
    """Empties the artifacts that are listed under a sealed audit entry; returns how many. `locker.erase` was first."""
    erased = 0
    for sha256 in Erased.objects.filter(audit=audit).values_list("sha256", flat=True):
        erased += Version.objects.filter(sha256=bytes(sha256).hex()).erase()
    return erased


def grave_of(version: Version) -> locker.Grave | None:
    """Under which entry its bytes were erased; None while they are there."""
    return None if version.body else locker.grave_of(bytes.fromhex(version.sha256))


def fault_of(version: Version) -> Fault | None:
    """What is wrong with an artifact's bytes; None when they prove it."""
    where = f"version {version.pk} of an artifact"
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


def _source(frozen: bytes) -> str:
    """The digest of the header that a frozen document names; "" when the bytes are no document."""
    try:
        return thaw(frozen).provenance.header_sha256
    except ExportError:
        return ""
