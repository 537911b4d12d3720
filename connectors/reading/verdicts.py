"""What a stream's listings mean for its coverage. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ..spec import ConnectorError, Coverage, Stream
from .listing import Listing, Stage

MOST_PARTS = 500  # parents named one by one in a signed header; beyond that the stream as a whole is incomplete
SHRUNK_TO = 0.7  # of what was known; less is read a second time before it is believed
_WORST = [Coverage.NOT_ENABLED, Coverage.DENIED, Coverage.UNSTABLE, Coverage.FAILED]
MOVED = frozenset({"repeated-record", "cursor-circle", "total-mismatch"})


@dataclass(frozen=True, slots=True)
class Missing:
    """Why something was not read."""

    coverage: Coverage
    code: str
    status: int
    reason: str


@dataclass(frozen=True)
class Verdict:
    """`parts` says which parents' records were not read, and why; the stream is known for all others.

    A stream that is not complete and has no parts is not known at all.
    """

    coverage: Coverage
    code: str = ""
    status: int = 0
    reason: str = ""
    parts: Mapping[str, Missing] = field(default_factory=dict)


COMPLETE = Verdict(Coverage.COMPLETE)


def verdict(stream: Stream, status: int, code: str) -> Coverage:
    """What an error on a stream means for its coverage.

    The service documents no status for a feature that is off, so a 404 on a stream that needs a feature
    is read as "not enabled", and everything else that was refused as "denied".
    """
    if status in (401, 403):
        return Coverage.DENIED
    if status == 404:
        return Coverage.NOT_ENABLED if stream.feature else Coverage.DENIED
    return Coverage.UNSTABLE if code in MOVED else Coverage.FAILED


def of_error(stream: Stream, error: ConnectorError) -> Coverage:
    return verdict(stream, error.status, error.code)


def conclude(stream: Stream, listings: Sequence[Listing], parents: Sequence[tuple[Stream, Verdict]]) -> Verdict:
    """The coverage of a stream whose listings have all ended and whose parents are known."""
    asked = [listing for listing in listings if listing.stage in (Stage.DONE, Stage.REFUSED)]
    refused = [listing for listing in asked if listing.stage is Stage.REFUSED]
    by_side = len(stream.ways) > 1 and bool(asked)
    used = {listing.way.parent for listing in asked} if by_side else stream.parents
    leading = [(parent, found) for parent, found in parents if parent.name in used]
    unknown = [pair for pair in leading if pair[1].coverage is not Coverage.COMPLETE and not pair[1].parts]
    if leading and len(unknown) == len(leading):
        return _as_its_parent(*unknown[0])
    parts = _inherited(leading)
    if not refused and not parts:
        return COMPLETE
    parts |= {listing.part: missing(listing) for listing in refused}
    worst = max(parts.values(), key=lambda each: _WORST.index(each.coverage))
    apart = all(_stands_alone(listing) for listing in refused) and len(parts) <= MOST_PARTS
    known = any(listing.stage is Stage.DONE for listing in asked)
    return Verdict(
        worst.coverage,
        worst.code,
        worst.status,
        _reason(worst, len(parts), len(asked) + len(parts) - len(refused)),
        dict(sorted(parts.items())) if apart and known else {},
    )


def missing(listing: Listing) -> Missing:
    coverage = verdict(listing.stream, listing.status, listing.code)
    return Missing(coverage, listing.code, listing.status, listing.reason)


def _stands_alone(listing: Listing) -> bool:
    return bool(listing.part) and (listing.way.within or bool(listing.way.part))


def _inherited(parents: Iterable[tuple[Stream, Verdict]]) -> dict[str, Missing]:
    """Parts of the parents that were not read: nothing below them could be asked for."""
    return {part: lack for _, found in parents for part, lack in found.parts.items()}


def _as_its_parent(parent: Stream, found: Verdict) -> Verdict:
    reason = f"It is read record by record of “{parent.title}”, which could not be read whole."
    return Verdict(found.coverage, found.code, 0, reason)


def _reason(worst: Missing, missing_parts: int, of: int) -> str:
    return worst.reason if of == 1 else f"{worst.reason} ({missing_parts} of {of} listings)"


def shrunk(before: int, now: int) -> str:
    """The anomaly of a stream that lost much: "emptied", "shrunk", or "" for neither."""
    if before and not now:
        return "emptied"
    return "shrunk" if now < before * SHRUNK_TO else ""
