"""Where a page's evidence comes from: the snapshot, its coverage, and whether its signature holds right now."""

from dataclasses import dataclass

from connectors.models import Snapshot
from connectors.spec import State, standing
from portal import canon

from .completeness import completeness, earlier
from .document import Provenance
from .reports import erased, provenance


@dataclass(frozen=True)
class Seal:
    """`marks` has one state per stream; `gaps` says what was not read completely, `older` what an earlier snapshot
    has read.
    """

    source: Provenance
    marks: tuple[State, ...]
    headline: str
    gaps: tuple[str, ...]
    older: tuple[str, ...]
    verified: bool


def seal(snapshot: Snapshot, source: Provenance | None = None) -> Seal:
    found = source or provenance(snapshot)
    headline, gaps = completeness(found)
    gaps = (*erased(snapshot), *gaps)
    marks = tuple(standing(covered) for covered in found.coverage)
    return Seal(found, marks, headline, gaps, earlier(found), verified(snapshot))


def verified(snapshot: Snapshot) -> bool:
    """Whether the header hashes to its digest and a trusted key signed it. The records are proved by `verify`."""
    header = bytes(snapshot.header)
    signed = canon.signed_by(snapshot.key_id, bytes(snapshot.signature), header)
    return signed and canon.digest(header).hex() == snapshot.header_sha256
