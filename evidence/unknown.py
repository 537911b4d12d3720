"""What two snapshots cannot be compared in, and why. Pure, no Django."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from connectors.spec import Coverage, Covered, Part, standing

from .document import Provenance

MOST_PARTS = 200  # of one stream, before it counts as unknown as a whole
NAMED = 8  # streams or parts in one sentence


@dataclass(frozen=True)
class Unknown:
    """A stream, or the records of some parents in it (`keys`), whose changes are not known.

    why      what happened, in words that other streams may share
    instead  numbers of two snapshots that can be compared in it, None where there are none
    """

    stream: str
    title: str
    why: str
    keys: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    instead: tuple[int, int] | None = None


@dataclass(frozen=True)
class Shared:
    """Streams that are unknown for the same reason, as one sentence."""

    sentence: str
    instead: tuple[int, int] | None


def unknowns(older: Provenance, newer: Provenance) -> tuple[Unknown, ...]:
    """In the order of the connector's streams, which both provenances have."""
    before = {covered.stream: covered for covered in older.coverage}
    found: list[Unknown] = []
    for after in newer.coverage:
        if each := _whole(before[after.stream], after, older.snapshot, newer.snapshot):
            found.append(each)
        else:
            found += _parts(before[after.stream], after, older.snapshot, newer.snapshot)
    return tuple(found)


def speaks(covered: Covered) -> bool:
    """Whether it says anything of the stream's records: of all of them, or of those of all parents but some."""
    few = 0 < len(covered.parts) <= MOST_PARTS
    return covered.coverage is Coverage.COMPLETE or few


def _whole(before: Covered, after: Covered, older: int, newer: int) -> Unknown | None:
    """Why nothing at all can be said of a stream; None when something can."""
    if speaks(before) and speaks(after):
        if before.as_of != after.as_of:
            return None
        return Unknown(after.stream, after.title, f"not read again after snapshot {before.as_of}")
    ends = [(before, older), (after, newer)]
    states = [f"{_state(covered)} in {seq}" for covered, seq in ends]
    said = f"{_state(after)} in both" if _state(before) == _state(after) else ", ".join(states)
    reasons = [covered.reason.strip().rstrip(".") for covered, _ in ends if not speaks(covered)]
    why = ". ".join([said, *dict.fromkeys(filter(None, reasons))])
    known = (before.as_of, after.as_of) if 0 < before.as_of < after.as_of else None
    return Unknown(after.stream, after.title, why, instead=known)


def _state(covered: Covered) -> str:
    if covered.coverage is Coverage.COMPLETE:
        return "complete"
    return standing(covered).word.lower()


def _parts(before: Covered, after: Covered, older: int, newer: int) -> Iterator[Unknown]:
    """Parents whose records one of the two did not read, those for the same reason together."""
    alike: dict[str, list[Part]] = {}
    held = {part.key for part in after.parts}
    for covered, seq in ((after, newer), (before, older)):
        for part in covered.parts:
            if covered is before and part.key in held:
                continue
            word = standing(Covered("", "", part.coverage)).word.lower()
            why = ". ".join(filter(None, (f"{word} in {seq}", part.reason.strip().rstrip("."))))
            alike.setdefault(why, []).append(part)
    for why, parts in alike.items():
        names = tuple(part.name or part.key for part in parts)
        yield Unknown(after.stream, after.title, why, tuple(part.key for part in parts), names)


def shared(unknown: tuple[Unknown, ...]) -> tuple[Shared, ...]:
    """The same as sentences: what was denied or failed first, what nobody asked for last."""
    alike: dict[tuple[str, tuple[int, int] | None], list[str]] = {}
    for each in unknown:
        title = f"{each.title} of {listed(each.names)}" if each.names else each.title
        alike.setdefault((each.why, each.instead), []).append(title)
    order = sorted(alike.items(), key=lambda each: each[0][0].startswith(("not requested", "not read again")))
    return tuple(Shared(f"{listed(titles)}: {why}.", instead) for (why, instead), titles in order)


def listed(names: "list[str] | tuple[str, ...]") -> str:
    more = len(names) - NAMED
    return ", ".join(names) if more <= 1 else f"{', '.join(names[:NAMED])} and {more} more"


def by_stream(unknown: tuple[Unknown, ...]) -> Mapping[str, Unknown]:
    """Streams of which nothing at all is known."""
    return {each.stream: each for each in unknown if not each.keys}
