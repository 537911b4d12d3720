"""How far a stream is: what was read, what is still open, what was noticed."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from math import ceil

from .. import records
from ..spec import Coverage, Stream
from .listing import GAP, Listing, Stage
from .page import Page
from .verdicts import Verdict

_ALL_THE_SAME = frozenset({401, 403, 404})


@dataclass(slots=True)
class Progress:
    """`state` is "waiting", "reading", or in the end a Coverage; `over` then, until something is read again.

    open       listings that have not ended          expected  pages, as far as is known
    anomaly    what a person should look at          dangling  records that point nowhere
    """

    stream: Stream
    state: str = "waiting"
    verdict: Verdict | None = None
    listings: list[Listing] = field(default_factory=list)
    open: int = 0
    pages: int = 0
    expected: int = 0
    items: int = 0
    done: int = 0
    refused: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    anomaly: str = ""
    dangling: int = 0
    chosen: bool = False
    read_twice: bool = False
    parents_read: bool = False
    refs_read: bool = False
    notes: records.Notes = field(default_factory=records.Notes)
    dirty: bool = True

    @property
    def over(self) -> bool:
        return self.verdict is not None

    @property
    def claimed(self) -> int | None:
        """How many records the service said there are; None when it never said."""
        said = [listing.claimed for listing in self.read if listing.claimed is not None]
        return sum(said) if said else None

    @property
    def read(self) -> list[Listing]:
        return [listing for listing in self.listings if listing.stage is Stage.DONE]

    @property
    def not_found(self) -> list[Listing]:
        """Listings of a parent that the service knew nothing of when they were asked for."""
        refused = (listing for listing in self.listings if listing.stage is Stage.REFUSED)
        return [listing for listing in refused if listing.status == 404 and listing.origin]

    @property
    def ids(self) -> set[str]:
        return _union(listing.ids for listing in self.read)

    def referred(self, name: str) -> set[str]:
        """What its records refer to in the field `name`."""
        return _union(listing.refs.get(name, set()) for listing in self.read)

    # --- what happens to its listings ---

    def add(self, listing: Listing) -> None:
        self.listings.append(listing)

    def opened(self, listing: Listing) -> None:
        self.open += 1
        self.expected += 1
        self.state, self.verdict, self.dirty = "reading", None, True

    def accept(self, listing: Listing, page: Page, *, names: bool) -> None:
        """Counts a page; with `names`, remembers which records there are, for others that refer to them."""
        listing.items += len(page.sealed)
        listing.pages += 1
        self.items += len(page.sealed)
        self.pages += 1
        self.expected = max(self.expected, self.pages + (page.next is not None))  # some say no total
        if listing.pages == 1 and page.total is not None:
            self.expected += max(0, ceil(page.total / self.stream.page_size) - 1)
        if page.next is None:
            listing.claimed = page.total
        for field_name, keys in page.refs.items():
            listing.refs.setdefault(field_name, set()).update(keys)
        if names:
            listing.ids.update(record.key for record in page.sealed)
        self.notes.add(page.notes)
        self.dirty = True

    def carried(self, listing: Listing, page: Page) -> None:
        """Counts an answer that came along with the parent's record."""
        listing.stage, listing.dirty = Stage.DONE, True
        self._tally(listing, 1)
        listing.items = len(page.sealed)
        self.items += listing.items
        self.notes.add(page.notes)
        self.state, self.verdict, self.dirty = "reading", None, True

    def closed(self, listing: Listing) -> None:
        self.open -= 1
        self._tally(listing, 1)

    def _tally(self, listing: Listing, by: int) -> None:
        """Counts a listing that has ended, or counts it out again."""
        self.done += by * (listing.stage is Stage.DONE)
        if listing.stage is Stage.REFUSED:
            self.refused += by
            self.statuses[listing.status] += by
        self.dirty = True

    def refuse(self, listing: Listing, code: str, status: int, reason: str) -> None:
        """A listing has ended without having been read."""
        listing.stage, listing.code, listing.status, listing.reason = Stage.REFUSED, code, status, reason
        listing.dirty = True
        self.closed(listing)

    def reopened(self, listing: Listing) -> None:
        """A listing that had ended is read again."""
        self._tally(listing, -1)
        self.opened(listing)

    def forget(self, listing: Listing) -> None:
        """What was read of a listing does not count any more."""
        self.items -= listing.items
        self.pages -= listing.pages
        listing.items = listing.pages = 0
        self.dirty = True

    def dropped(self, listing: Listing) -> None:
        """A listing is no longer called for."""
        self.open -= listing.stage is Stage.OPEN
        self._tally(listing, -1)
        listing.stage, listing.dirty = Stage.DROPPED, True

    def restored(self, listing: Listing) -> None:
        """A listing that an earlier worker had ended."""
        self.items += listing.items
        self.pages += listing.pages
        self.expected += max(1, listing.pages)
        self._tally(listing, 1)
        self.anomaly = GAP if listing.gap else self.anomaly
        self.state = "reading"

    def continued(self, listing: Listing) -> None:
        """A listing that goes on after a wait for which the worker was freed."""
        self.items += listing.items
        self.pages += listing.pages
        self.expected += listing.pages

    def hopeless(self, enough: int) -> bool:
        """Whether so many parents in a row were refused in the same way that asking on is a waste."""
        same = [status for status, many in self.statuses.items() if many == self.refused >= enough]
        return not self.done and bool(same) and same[0] in _ALL_THE_SAME

    def conclude(self, verdict: Verdict) -> None:
        self.verdict, self.state, self.dirty = verdict, verdict.coverage.value, True

    @property
    def complete(self) -> bool:
        return self.verdict is not None and self.verdict.coverage is Coverage.COMPLETE


def _union(sets: Iterable[set[str]]) -> set[str]:
    return set().union(*sets)
