"""One chain of pages: a stream as a whole, or a stream for one parent; how far it is, and what a page of it must be."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise
from math import ceil
from typing import Any
from urllib.parse import quote, unquote

from ..spec import Json, Stream, Unexpected, Way

SLACK_PAGES = 10
GAP = "gap"


class Stage(StrEnum):
    HELD = "held"  # it may be asked for, if its way turns out to be the cheaper one
    OPEN = "open"
    DONE = "done"
    REFUSED = "refused"
    DROPPED = "dropped"  # its parent is gone, or another way was cheaper


@dataclass(slots=True)
class Listing:
    """`given` are the parent's fields, `own` its own parameters; `part` is what its records' keys begin with.

    origin     number of the listing that named its parent, 0 for none
    confirmed  whether the newest reading of that listing named it
    known      key of the newest record known before, which a log must reach back to; `met` says that it came
    since      the same, as long as the listing is asked from there on
    gap        whether the newest record known before did not come again
    refs       what its records refer to: field -> keys
    ids        keys of its records, where others refer to them
    continued  whether its first pages were read before a wait for which the worker was freed
    opened     whether it is, or was, in the queue of this reading
    """

    number: int
    stream: Stream
    at: int
    given: Mapping[str, str] = field(default_factory=dict)
    own: Mapping[str, str] = field(default_factory=dict)
    part: str = ""
    origin: int = 0
    known: str = ""
    since: str = ""
    stage: Stage = Stage.OPEN
    confirmed: bool = True
    pages: int = 0
    items: int = 0
    claimed: int | None = None
    code: str = ""
    status: int = 0
    reason: str = ""
    rereads: int = 0
    gap: bool = False
    met: bool = False
    refs: dict[str, set[str]] = field(default_factory=dict)
    cursor: str | None = None
    continued: bool = False
    # What a checkpoint need not keep: a listing that was not done is begun again, or its keys are staged.
    tries: int = 0
    refusals: int = 0
    seen: set[str] = field(default_factory=set)
    keys: set[int] = field(default_factory=set)
    listed: int = 0
    total: int | None = None
    blank: int = 0  # pages in a row that held nothing
    ids: set[str] = field(default_factory=set)
    opened: bool = False
    dirty: bool = True

    @property
    def way(self) -> Way:
        return self.stream.ways[self.at]

    @property
    def path(self) -> str:
        return self.way.path.format_map(
            {name: quote(value, safe="", errors="surrogatepass") for name, value in self.given.items()}
        )

    @property
    def query(self) -> dict[str, str]:
        """Its parameters beside paging."""
        return {name: text.format_map(self.given) for name, text in self.way.query.items()} | dict(self.own)

    @property
    def identity(self) -> tuple[Any, ...]:
        return self.stream.name, self.at, self.part, tuple(sorted(self.own.items()))

    @property
    def asked_with(self) -> dict[str, str]:
        return {**self.given, **self.own}

    def begin_again(self) -> None:
        """Forgets what was read, for another reading from the first page."""
        self.stage, self.cursor, self.claimed, self.continued = Stage.OPEN, None, None, False
        self.code, self.status, self.reason, self.tries, self.listed = "", 0, "", 0, 0
        self.seen, self.keys, self.ids, self.refs, self.dirty = set(), set(), set(), {}, True
        self.total, self.blank, self.met = None, 0, False

    def as_json(self, *, waits: bool) -> dict[str, Json]:
        """What a checkpoint keeps. `waits`: it goes on from its cursor; else it is begun again if it was not done."""
        kept: dict[str, Json] = {name: getattr(self, name) for name in _KEPT}
        if waits and self.stage is Stage.OPEN and self.cursor is not None:
            kept |= {"cursor": self.cursor, "seen": sorted(self.seen), "listed": self.listed, "continued": True}
        return kept | {
            "stream": self.stream.name,
            "given": {name: quote(value, safe="", errors="surrogatepass") for name, value in self.given.items()},
            "own": dict(self.own),
            "refs": {name: sorted(keys) for name, keys in self.refs.items()},
        }


_KEPT = (
    *("number", "at", "part", "origin", "known", "since", "met", "stage", "confirmed"),
    *("pages", "items", "claimed", "code", "status", "reason", "rereads", "gap"),
)


def from_json(kept: Mapping[str, Json], streams: Mapping[str, Stream]) -> Listing:
    """A listing as its checkpoint kept it."""
    refs = {name: set(keys) for name, keys in kept["refs"].items()}
    values = {name: kept[name] for name in _KEPT} | {"stage": Stage(kept["stage"])}
    if kept.get("continued"):
        values |= {name: kept[name] for name in ("cursor", "listed", "continued")} | {"seen": set(kept["seen"])}
    given = {name: unquote(value, errors="surrogatepass") for name, value in kept["given"].items()}
    return Listing(stream=streams[kept["stream"]], given=given, own=kept["own"], refs=refs, dirty=False, **values)


def check(listing: Listing, keys: Sequence[str], listed: int, following: str | None, total: int | None) -> None:
    """Takes a page's keys into account. Raises Unexpected when circles, repetitions or totals say that it moved.

    `listed` is how many items the page had; some of them may be no record.
    """
    number, size = listing.pages + 1, listing.stream.page_size
    new = {hash(key) for key in keys}
    if (len(new) != len(keys) or new & listing.keys) and not listing.stream.repeats:
        raise Unexpected("repeated-record", "The same record came twice in one listing.")
    listing.keys |= new
    listing.met = listing.met or listing.known in keys
    listing.listed += listed
    listing.blank = 0 if listed else listing.blank + 1
    if following is not None and listing.blank > SLACK_PAGES:
        raise Unexpected("cursor-circle", "The listing goes on with pages that hold nothing.")
    if following is not None and following in listing.seen:
        raise Unexpected("cursor-circle", "The listing leads back to a page that was read already.")
    if total is not None and number > ceil(total / size) + SLACK_PAGES:
        raise Unexpected("cursor-circle", "The listing has more pages than its own total allows.")
    if total is not None and not listing.stream.grows:
        if listing.total not in (None, total):  # a record went away: the page after it may have skipped another
            raise Unexpected("total-mismatch", "The total changed while the listing was read.")
        listing.total = total
    if following is None and total is not None and total != listing.listed:
        raise Unexpected("total-mismatch", f"{listing.listed} records came, {total} were announced.")


def reached(listing: Listing, keys: Sequence[str]) -> bool:
    """Whether a log that is listed newest first has come back to what is known, or as far as it may go.

    The order is not documented, so it is believed only where the page itself shows it.
    """
    stream = listing.stream
    if not stream.timed or not stream.most_pages:
        return False
    falling = all(one >= other for one, other in pairwise(keys))
    known = bool(listing.since) and falling and bool(keys) and keys[-1] <= listing.since
    return known or listing.pages + 1 >= stream.most_pages


def gap(listing: Listing) -> bool:
    """Whether a log that was read does not hold the newest record that was known before. Pure."""
    return bool(listing.known) and not listing.met
