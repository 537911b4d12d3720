"""One pass over a workspace: a coordinator hands pages to a pool of connections and passes on what comes back.

Threads fetch, parse, redact and seal; the coordinator alone decides and calls the sink. It knows no
database: a stream is read completely or it is said why not.
"""

from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from math import ceil
from queue import Empty, SimpleQueue
from typing import Protocol
from urllib.parse import quote

from . import locker, records
from .http import Client
from .spec import UNREADABLE, Connector, ConnectorError, Coverage, Json, Stream, Unexpected, Way

LOOK_UP_SECONDS = 0.25
BESIDE = 4  # threads that work on answers while as many as there are connections wait for more
AHEAD = 64  # pages handed out at most, so that nobody idles while the coordinator saves, and memory stays flat
SLACK_PAGES = 10


@dataclass(slots=True)
class Listing:
    """One chain of pages: a stream as a whole, or a stream for one parent."""

    stream: Stream
    way: Way
    parent: str = ""
    cursor: str | None = None
    pages: int = 0
    seen: set[str] = field(default_factory=set)
    keys: set[int] = field(default_factory=set)

    @property
    def path(self) -> str:
        return self.way.path.replace("{parent}", quote(self.parent, safe=""))


@dataclass(slots=True)
class Ask:
    """A child listing that a parent record calls for; `embedded` holds the answer if the parent carried it."""

    stream: str
    way: int
    parent: str
    embedded: Json | None


@dataclass(slots=True)
class Page:
    sealed: list[locker.Sealed]
    asks: list[Ask]
    notes: records.Notes
    next: str | None
    total: int | None


@dataclass(slots=True)
class Progress:
    """How far one stream is. `state` is "waiting", "reading", or in the end a Coverage."""

    stream: Stream
    state: str = "waiting"
    open: int = 0
    pages: int = 0
    expected: int = 0
    items: int = 0
    claimed: int | None = None
    status: int = 0
    code: str = ""
    reason: str = ""
    unknown: set[str] = field(default_factory=set)
    asked: bool = False
    failures: list[tuple[Coverage, ConnectorError]] = field(default_factory=list)
    listings: int = 0
    dirty: bool = True

    @property
    def over(self) -> bool:
        return self.state not in ("waiting", "reading")


class Sink(Protocol):
    """Where a reading goes. The coordinator calls it from one thread."""

    def stage(self, stream: str, sealed: list[locker.Sealed]) -> None: ...

    def beat(self, reading: "Reading") -> None: ...


class Reading:
    """One pass over the streams of a workspace with one client.

    `run()` returns when every stream has a coverage. Raises Denied("token-rejected") when the service
    no longer takes the token at all, and whatever the sink raises (a lost run ends the reading).
    """

    def __init__(
        self,
        connector: Connector,
        client: Client,
        workspace: str,
        streams: Sequence[Stream],
        sink: Sink,
        *,
        connections: int,
    ) -> None:
        self._connector, self._client, self._workspace, self._sink = connector, client, workspace, sink
        self.streams = {stream.name: Progress(stream) for stream in streams}
        self._children: dict[str, list[tuple[Stream, int, Way]]] = defaultdict(list)
        for stream in streams:
            for at, way in enumerate(stream.ways):
                self._children[way.parent].append((stream, at, way))
        self._projects = {stream.name: records.compile_shape(stream.shape) for stream in streams}
        self._policies = {stream.name: records.policy(stream) for stream in connector.streams}
        self._held: dict[tuple[str, int], list[Ask]] = defaultdict(list)
        self._queues: dict[str, deque[Listing]] = {}
        self._back: SimpleQueue[tuple[Listing, Page | BaseException]] = SimpleQueue()
        self._accepted: set[str] = set()
        self._connections = connections
        self.done = 0

    # --- the coordinator ---

    def run(self) -> None:
        for stream, _, way in self._children[""]:
            self._open(Listing(stream, way))
        pool = ThreadPoolExecutor(self._connections + BESIDE, thread_name_prefix="read")
        try:
            self._drain(pool)
        finally:
            self._client.stop.set()
            pool.shutdown(wait=False, cancel_futures=True)

    def _drain(self, pool: ThreadPoolExecutor) -> None:
        handed_out = 0
        self._settle()
        while self._queues or handed_out:
            while self._queues and handed_out < AHEAD:
                pool.submit(self._work, self._next())
                handed_out += 1
            for listing, found in self._finished():
                handed_out -= 1
                self._take(listing, found)
            self._settle()
            self._sink.beat(self)

    def _finished(self) -> Iterator[tuple[Listing, Page | BaseException]]:
        """What has come back, as soon as something has; nothing when that takes long."""
        try:
            yield self._back.get(timeout=LOOK_UP_SECONDS)
            while True:
                yield self._back.get_nowait()
        except Empty:
            return

    def _next(self) -> Listing:
        """Streams take turns: while the large pages of one are worked on, the small ones of another travel.

        A listing that was begun goes before one that was not.
        """
        name, queue = next(iter(self._queues.items()))
        listing = queue.pop()
        del self._queues[name]
        if queue:
            self._queues[name] = queue  # to the end of the line
        return listing

    def _take(self, listing: Listing, found: Page | BaseException) -> None:
        progress = self.streams[listing.stream.name]
        progress.dirty = True
        self.done += 1
        try:
            if isinstance(found, BaseException):
                raise found
            page = found
            self._check(listing, page)
        except ConnectorError as error:
            self._refuse(listing, error)
            return
        progress.pages += 1
        if listing.pages == 1 and page.total is not None:
            progress.expected += max(0, ceil(page.total / listing.stream.page_size) - 1)
        progress.unknown |= page.notes.unknown | page.notes.wrong
        self._keep(progress, page.sealed)
        for ask in page.asks:
            self._hold(ask)
        if page.next is None:
            self._close(listing, page)
        else:
            listing.seen.add(page.next)
            listing.cursor = page.next
            self._queues.setdefault(listing.stream.name, deque()).append(listing)

    def _check(self, listing: Listing, page: Page) -> None:
        """Circles, repeated records, and totals that do not fit make a listing unstable, never complete."""
        listing.pages += 1
        new = {hash(record.key) for record in page.sealed}
        if len(new) != len(page.sealed) or new & listing.keys:
            raise Unexpected("repeated-record", "The same record came twice in one listing.")
        listing.keys |= new
        if page.next is not None and page.next in listing.seen:
            raise Unexpected("cursor-circle", "The listing leads back to a page that was read already.")
        if page.total is not None and listing.pages > ceil(page.total / listing.stream.page_size) + SLACK_PAGES:
            raise Unexpected("cursor-circle", "The listing has more pages than its own total allows.")
        if page.next is None and page.total is not None and page.total != len(listing.keys):
            raise Unexpected("total-mismatch", f"{len(listing.keys)} records came, {page.total} were announced.")

    def _keep(self, progress: Progress, sealed: list[locker.Sealed]) -> None:
        progress.items += len(sealed)
        if sealed:
            self._sink.stage(progress.stream.name, sealed)

    def _close(self, listing: Listing, page: Page) -> None:
        progress = self.streams[listing.stream.name]
        progress.open -= 1
        if page.total is not None:
            progress.claimed = (progress.claimed or 0) + page.total

    def _refuse(self, listing: Listing, error: ConnectorError) -> None:
        if error.status == 401 and listing.stream.name not in self._accepted:
            # A 401 may mean this one stream, or that the token is dead: the identity request tells which.
            self._client.get(self._connector.probe)
            self._accepted.add(listing.stream.name)
        progress = self.streams[listing.stream.name]
        progress.open -= 1
        progress.failures.append((verdict(listing.stream, error), error))

    # --- opening and settling ---

    def _open(self, listing: Listing) -> None:
        progress = self.streams[listing.stream.name]
        progress.open += 1
        progress.listings += 1
        progress.expected += 1
        progress.asked, progress.state, progress.dirty = True, "reading", True
        self._queues.setdefault(listing.stream.name, deque()).appendleft(listing)

    def _hold(self, ask: Ask) -> None:
        progress = self.streams[ask.stream]
        if len(progress.stream.ways) > 1:
            self._held[ask.stream, ask.way].append(ask)
        else:
            self._answer(ask)

    def _answer(self, ask: Ask) -> None:
        progress = self.streams[ask.stream]
        listing = Listing(progress.stream, progress.stream.ways[ask.way], ask.parent)
        if ask.embedded is None:
            self._open(listing)
            return
        notes = records.Notes()
        progress.asked, progress.dirty, progress.state = True, True, "reading"
        self._keep(progress, self._seal(listing, [ask.embedded], notes))
        progress.unknown |= notes.unknown | notes.wrong

    def _settle(self) -> None:
        """Gives a coverage to every stream that has nothing left to wait for, parents first."""
        for progress in self.streams.values():
            if progress.over or progress.open:
                continue
            parents = [self.streams[name] for name in progress.stream.parents if name in self.streams]
            if not all(parent.over for parent in parents):
                continue
            if parents and self._choose_way(progress, parents):
                continue
            self._conclude(progress, parents)

    def _choose_way(self, progress: Progress, parents: list[Progress]) -> bool:
        """Opens the cheapest way whose parents are known completely; True when there is something to read."""
        if len(progress.stream.ways) == 1 or progress.asked:
            return False
        usable = [
            at
            for at, way in enumerate(progress.stream.ways)
            if way.parent in self.streams and self.streams[way.parent].state == Coverage.COMPLETE
        ]
        if not usable:
            return False
        progress.asked = True
        for ask in min((self._held[progress.stream.name, at] for at in usable), key=len):
            self._answer(ask)
        return bool(progress.open)

    def _conclude(self, progress: Progress, parents: list[Progress]) -> None:
        progress.dirty = True
        if progress.failures:
            coverage, error = max(progress.failures, key=lambda failure: _WORST.index(failure[0]))
            progress.state, progress.code, progress.status = coverage.value, error.code, error.status
            progress.reason = _reason(progress, error)
            return
        incomplete = [parent for parent in parents if parent.state != Coverage.COMPLETE]
        if parents and len(incomplete) >= len(progress.stream.ways):
            parent = incomplete[0]
            progress.state, progress.code = parent.state, parent.code
            progress.reason = f"It is read record by record of “{parent.stream.title}”, which could not be read whole."
            return
        progress.state = Coverage.COMPLETE.value

    # --- the threads ---

    def _work(self, listing: Listing) -> None:
        try:
            self._back.put((listing, self._read_page(listing)))
        except BaseException as error:  # noqa: BLE001  # the coordinator raises it again
            self._back.put((listing, error))

    def _read_page(self, listing: Listing) -> Page:
        paging, way, stream = self._connector.paging, listing.way, listing.stream
        params = paging.params(stream.page_size, listing.cursor) if way.paged else {}
        data = self._client.get(listing.path, params).data
        found = data.get(way.items) if way.items else data
        items = found if way.paged or isinstance(found, list) else [found]
        if not isinstance(items, list):
            raise Unexpected("data-missing", f"An answer for {stream.title} has no list “{way.items}”.")
        notes, asks = records.Notes(), list(self._asks(stream, items))
        sealed = self._seal(listing, items, notes)
        return Page(
            sealed,
            asks,
            notes,
            paging.next(data) if way.paged else None,
            paging.total(data) if way.paged else None,
        )

    def _seal(self, listing: Listing, items: Sequence[Json], notes: records.Notes) -> list[locker.Sealed]:
        stream, way, name = listing.stream, listing.way, listing.stream.name
        project, kept = self._projects[name], []
        for item in items:
            record = way.record(listing.parent, item)
            if record is None:
                continue
            rest = project(record, notes)
            if not isinstance(rest, dict) or UNREADABLE in rest:
                raise Unexpected("record-not-object", f"A record of {stream.title} is not an object.")
            kept.append((records.key_of(stream, rest), rest))
        return locker.seal(self._workspace, name, self._policies[name], kept)

    def _asks(self, parent: Stream, items: Sequence[Json]) -> Iterator[Ask]:
        for stream, at, way in self._children.get(parent.name, ()):
            for item in items:
                if isinstance(item, dict) and way.ask(item):
                    yield Ask(stream.name, at, str(item.get(parent.key[0], "")), way.embedded(item))


_WORST = [Coverage.NOT_ENABLED, Coverage.DENIED, Coverage.UNSTABLE, Coverage.FAILED]
_MOVED = frozenset({"repeated-record", "cursor-circle", "total-mismatch"})


def verdict(stream: Stream, error: ConnectorError) -> Coverage:
    """What an error on a stream means for its coverage. Pure.

    The service documents no status for a feature that is off, so a 404 on a stream that needs a feature
    is read as "not enabled", and everything else that was refused as "denied".
    """
    if error.status in (401, 403):
        return Coverage.DENIED
    if error.status == 404:
        return Coverage.NOT_ENABLED if stream.feature else Coverage.DENIED
    return Coverage.UNSTABLE if error.code in _MOVED else Coverage.FAILED


def _reason(progress: Progress, error: ConnectorError) -> str:
    parts = len(progress.failures)
    return error.message if progress.listings == 1 else f"{error.message} ({parts} of {progress.listings} listings)"


def results(reading: Reading, connector: Connector) -> list[locker.StreamResult]:
    """The coverage of every stream the connector knows, in its order; what was not asked says so."""
    found = []
    for stream in connector.streams:
        progress = reading.streams.get(stream.name)
        found.append(
            locker.StreamResult(
                name=stream.name,
                policy=records.policy(stream),
                coverage=Coverage(progress.state) if progress else Coverage.NOT_REQUESTED,
                pages=progress.pages if progress else 0,
                items=progress.items if progress else 0,
                claimed=progress.claimed if progress else None,
                reason=progress.reason if progress else "",
            )
        )
    return found
