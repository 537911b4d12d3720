"""One pass over a workspace: a coordinator hands pages to a pool of connections and decides what comes of them.

Threads fetch, parse, redact and seal; the coordinator alone decides and calls the sink. It knows no database: a
stream is read completely, or it is said why not. What looks wrong (circles, repetitions, totals that do not fit,
records that point nowhere, a stream that lost much) is read again before it is believed.

plan      what is to be read         listing  one chain of pages           page      from a body to records
progress  how far each stream is     queue    which page is fetched next   verdicts  what it means for the coverage
"""

import gc
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from queue import Empty, SimpleQueue

from .. import records
from ..clock import Clock
from ..http import TRIES, Client, backoff
from ..limits import Limits
from ..patience import LOOK_UP_SECONDS, patiently
from ..spec import Busy, Connector, ConnectorError, Moment, Stream
from . import listing as pages
from .listing import Listing, Stage
from .page import Ask, Maker, Page, parameters
from .plan import Plan, Postponed, Sink, Stale, Tempo
from .progress import Progress
from .queue import Queue, endpoint
from .verdicts import MOVED, conclude, shrunk
from .workshop import Shop, Workshop

BESIDE = 4  # threads that work on answers while as many as there are connections wait for more
AHEAD = 64  # pages handed out at most, so that nobody idles while the coordinator saves, and memory stays flat
REREADS = 2  # of a listing that moved under our eyes
ENOUGH_REFUSALS = 20  # of the first parents in a row: the others are not asked, the answer would be the same
GONE_CURSOR = frozenset({400, 404, 410, 422})  # what a service may answer to a cursor that it has forgotten
BELIEVED = 6 * 3600.0  # seconds: a longer wait ends the run, and holds nobody else back
MOST_429 = 30  # refusals of one listing because of limits


__all__ = ["Plan", "Postponed", "Reading", "Tempo"]


class Reading:
    """One pass over the streams of a plan with one client.

    `run()` returns when every stream has a verdict. Raises Denied("token-rejected") when the service no longer
    takes the token at all, Busy when it answers nothing any more, Postponed when it asks for a long wait, and
    whatever the sink raises (a lost run ends the reading).
    """

    def __init__(
        self,
        connector: Connector,
        client: Client,
        plan: Plan,
        sink: Sink,
        *,
        limits: Limits,
        clock: Clock,
        connections: int,
        processes: int = 0,
    ) -> None:
        self._connector, self._client, self._plan, self._sink = connector, client, plan, sink
        self._limits, self._clock, self._connections, self._processes = limits, clock, connections, processes
        self.streams = {stream.name: Progress(stream) for stream in plan.streams}
        self._maker = Maker(connector, plan.workspace, plan.streams, known=plan.known, code=plan.code)
        self._shop: Shop = self._maker
        self.listings: dict[int, Listing] = {}
        self._index: dict[tuple[object, ...], Listing] = {}
        self._children: dict[int, list[Listing]] = defaultdict(list)
        self._referred = {target for stream in plan.streams for target in stream.refers.values()}
        self._queue = Queue(limits, clock)
        self._back: SimpleQueue[tuple[Listing, Page | BaseException]] = SimpleQueue()
        self._in_flight = 0
        self._accepted: set[str] = set()
        self._answered = plan.now
        self.done = 0

    # --- the coordinator ---

    def restore(self, kept: Sequence[Listing], keys: Mapping[int, set[str]]) -> None:
        """Goes on where an earlier worker stopped: with its listings, and the keys of those that are referred to or
        were not at their end."""
        for listing in kept:
            self._add(listing)
            listing.ids = keys.get(listing.number, set())
        for listing in kept:
            progress = self.streams[listing.stream.name]
            progress.chosen = progress.chosen or (len(listing.stream.ways) > 1 and listing.stage is not Stage.HELD)
            if listing.stage in (Stage.DONE, Stage.REFUSED):
                progress.restored(listing)
            elif listing.continued:
                listing.keys = {hash(key) for key in listing.ids}
                progress.continued(listing)
            elif listing.stage is Stage.OPEN:
                self._sink.discard(listing)  # half of it may have been kept
                listing.items = listing.pages = 0
                self._begin_again(listing)

    def run(self) -> None:
        for progress in self.streams.values():
            for at, way in enumerate(progress.stream.ways):
                if not way.parent:
                    self._open_own(progress.stream, at)
        for listing in list(self.listings.values()):
            if listing.stage is Stage.OPEN:
                self._enqueue(listing)
        self._shop = shop = Workshop(self._maker, self._plan.streams, self._processes)
        pool = ThreadPoolExecutor(self._connections + BESIDE, thread_name_prefix="read")
        collecting = gc.isenabled()
        gc.disable()  # millions of short-lived objects without circles: looking for circles costs a tenth of the time
        try:
            self._drain(pool)
        finally:
            if collecting:
                gc.enable()
            self._client.stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            shop.close()

    def _drain(self, pool: ThreadPoolExecutor) -> None:
        self._settle()
        while self._queue or self._in_flight:
            self._hand_out(pool)
            for listing, found in self._finished():
                self._in_flight -= 1
                self._take(listing, found)
            self._settle()
            self._sink.beat(self)

    def _hand_out(self, pool: ThreadPoolExecutor) -> None:
        while self._in_flight < AHEAD and (chosen := self._queue.next()):
            pool.submit(self._work, *chosen)
            self._in_flight += 1
        if not self._in_flight and self._queue:
            self._wait(self._queue.due())

    def _wait(self, until: datetime) -> None:
        """Nothing is under way: waits a little, or gives the worker free when it would be long."""
        left = (until - self._clock.now()).total_seconds()
        if left > self._plan.tempo.patience:
            raise Postponed(until)
        if left > 0:
            self._clock.pause(min(left, LOOK_UP_SECONDS))

    def _finished(self) -> Iterator[tuple[Listing, Page | BaseException]]:
        """What has come back, as soon as something has; nothing when that takes long."""
        if not self._in_flight:
            return
        try:
            yield self._back.get(timeout=LOOK_UP_SECONDS)
            while True:
                yield self._back.get_nowait()
        except Empty:
            return

    # --- what comes of a page ---

    def _take(self, listing: Listing, found: Page | BaseException) -> None:
        progress = self.streams[listing.stream.name]
        progress.dirty = listing.dirty = True
        if listing.stage is not Stage.OPEN:
            return  # it was dropped while its page travelled
        try:
            if isinstance(found, BaseException):
                raise found
            self._accept(progress, listing, found)
        except Stale:
            self._queue.put(listing)
        except Busy as error:
            self.done += 1
            self._busy(listing, error)
        except ConnectorError as error:
            self.done += 1
            self._trouble(listing, error)

    def _accept(self, progress: Progress, listing: Listing, page: Page) -> None:
        stream = listing.stream
        self._limits.heard(endpoint(stream), stream.per_minute, page.heard)
        keys = [record.key for record in page.sealed]
        if pages.reached(listing, keys):
            page.next = page.total = None  # its total counts more than was asked for
        pages.check(listing, keys, page.listed, page.next, page.total)
        self.done += 1
        self._answered = self._clock.now()
        progress.accept(listing, page, names=stream.name in self._referred)
        if page.sealed:
            self._sink.stage(listing, page.sealed)
        for ask in page.asks:
            self._hold(listing, ask)
        listing.tries = 0
        if page.next is None:
            self._close(progress, listing)
        else:
            listing.seen.add(page.next)
            listing.cursor = page.next
            self._queue.put(listing)

    def _close(self, progress: Progress, listing: Listing) -> None:
        if pages.gap(listing):
            if not listing.rereads:
                self._again(listing, "")
                return
            progress.anomaly, listing.gap = pages.GAP, True
        listing.stage = Stage.DONE
        progress.closed(listing)
        for child in self._children.get(listing.number, ()):
            if not child.confirmed:
                self._drop(child)

    # --- what goes wrong ---

    def _busy(self, listing: Listing, error: Busy) -> None:
        """Asks again later: after the wait that the service asks for, else after one that doubles."""
        stream, now = listing.stream, self._clock.now()
        if error.wait > BELIEVED:
            raise Postponed(now + timedelta(seconds=error.wait))
        if error.status == 429:
            listing.refusals += 1
            wait = error.wait or backoff(listing.refusals)
            self._limits.hold(endpoint(stream), now + timedelta(seconds=wait))
            if listing.refusals < MOST_429:
                self._queue.put(listing)
                return
        listing.tries += 1
        if listing.tries < TRIES and error.status != 429:
            self._queue.put(listing, now + timedelta(seconds=error.wait or backoff(listing.tries)))
            return
        if error.status != 429 and (now - self._answered).total_seconds() > 1:
            self._probe()  # the service as a whole may be gone: then the run ends
        self._refuse(listing, error)

    def _trouble(self, listing: Listing, error: ConnectorError) -> None:
        expired = listing.cursor is not None and error.status in GONE_CURSOR
        if (error.code in MOVED or expired) and listing.rereads < REREADS:
            self._again(listing, listing.since)
            return
        if error.status == 401 and listing.stream.name not in self._accepted:
            # A 401 may mean this one stream, or that the token is dead: the identity request tells which.
            self._probe()
            self._accepted.add(listing.stream.name)
        self._refuse(listing, error)

    def _probe(self) -> None:
        """Asks who the token belongs to. Raises what the service says when it does not tell."""
        patiently(lambda: self._client.get(self._connector.probe, tries=2), lambda: self._sink.beat(self))

    def _refuse(self, listing: Listing, error: ConnectorError) -> None:
        progress = self.streams[listing.stream.name]
        self._forget(listing)
        progress.refuse(listing, error.code, error.status, error.message)
        if progress.hopeless(ENOUGH_REFUSALS):
            for other in self._queue.take_all(listing.stream.name):
                progress.refuse(other, error.code, error.status, error.message)

    def _again(self, listing: Listing, since: str, after: float = 0.0) -> None:
        """Reads a listing from its first page; whoever it named must be named again."""
        self._forget(listing)
        if listing.stage is Stage.DONE:
            self.streams[listing.stream.name].reopened(listing)
        if since != listing.since:
            listing.since, (listing.own, *_) = since, listing.way.listings(Moment(self._plan.now, since))
        listing.rereads += 1
        self._begin_again(listing)
        self._queue.put(listing, self._clock.now() + timedelta(seconds=after))

    def _begin_again(self, listing: Listing) -> None:
        listing.begin_again()
        for child in self._children.get(listing.number, ()):
            child.confirmed = False

    def _forget(self, listing: Listing) -> None:
        if listing.items:
            self._sink.discard(listing)
        self.streams[listing.stream.name].forget(listing)

    # --- opening ---

    def _open_own(self, stream: Stream, at: int) -> None:
        way, newest = stream.ways[at], self._plan.newest.get(stream.name, {})
        for own in way.listings(Moment(self._plan.now, newest.get("", ""))):
            part = records.key_part(own[way.part]) if way.part else ""
            self._register(
                Listing(0, stream, at, {}, own, part, known=newest.get(part, ""), since=newest.get(part, ""))
            )

    def _hold(self, origin: Listing, ask: Ask) -> None:
        """A parent calls for a child listing: a new one, or one that its earlier reading called for too."""
        stream = self.streams[ask.stream].stream
        way, newest = stream.ways[ask.at], self._plan.newest.get(stream.name, {}).get(ask.part, "")
        for own in way.listings(Moment(self._plan.now, newest)):
            stage = Stage.HELD if len(stream.ways) > 1 else Stage.OPEN
            listing = self._register(
                Listing(0, stream, ask.at, ask.given, own, ask.part, origin.number, newest, newest, stage=stage)
            )
            if ask.embedded is not None:
                self._answer(listing, ask.embedded)
            elif listing.stage is Stage.OPEN:
                self._enqueue(listing)

    def _register(self, listing: Listing) -> Listing:
        """The listing, or the one that is known by the same identity; that one is confirmed."""
        known = self._index.get(listing.identity)
        if known is None:
            listing.number = len(self.listings) + 1
            self._add(listing)
            return listing
        known.confirmed, known.dirty = True, True
        if known.stage is Stage.DROPPED:
            known.begin_again()
            known.opened = False
        return known

    def _add(self, listing: Listing) -> None:
        self.listings[listing.number] = self._index[listing.identity] = listing
        self.streams[listing.stream.name].add(listing)
        if listing.origin:
            self._children[listing.origin].append(listing)

    def _enqueue(self, listing: Listing) -> None:
        if listing.opened:
            return
        listing.opened = True
        progress = self.streams[listing.stream.name]
        progress.opened(listing)
        if progress.hopeless(ENOUGH_REFUSALS):
            same = next(each for each in progress.listings if each.stage is Stage.REFUSED)
            progress.refuse(listing, same.code, same.status, same.reason)
        else:
            self._queue.put_new(listing)

    def _answer(self, listing: Listing, page: Page) -> None:
        """The parent has carried the answer: nobody need be asked."""
        progress = self.streams[listing.stream.name]
        if listing.stage is Stage.OPEN and listing.opened:
            return  # it is being asked for already
        if listing.stage is Stage.DONE:  # its parent was read again
            self._forget(listing)
            progress.dropped(listing)
        progress.carried(listing, page)
        if page.sealed:
            self._sink.stage(listing, page.sealed)

    def _drop(self, listing: Listing) -> None:
        """Its parent is gone: so is everything below it."""
        if listing.stage is Stage.DROPPED:
            return
        self._queue.remove(listing)
        self._forget(listing)
        self.streams[listing.stream.name].dropped(listing)
        for child in self._children.get(listing.number, ()):
            self._drop(child)

    # --- settling ---

    def _settle(self) -> None:
        """Gives a verdict to every stream that has nothing left to wait for, parents first."""
        for progress in self.streams.values():
            if progress.over or progress.open:
                continue
            parents = [self.streams[name] for name in progress.stream.parents if name in self.streams]
            named = [self.streams[name] for name in progress.stream.refers.values() if name in self.streams]
            if not all(other.over for other in (*parents, *named)):
                continue
            if parents and self._choose_way(progress, parents):
                continue
            if not self._doubtful(progress, parents):
                self._conclude(progress, parents)

    def _choose_way(self, progress: Progress, parents: list[Progress]) -> bool:
        """Opens the cheapest way whose parents are known completely; True when there is something to read."""
        stream = progress.stream
        if len(stream.ways) == 1 or progress.chosen:
            return False
        complete = {parent.stream.name for parent in parents if parent.complete}
        usable = [at for at, way in enumerate(stream.ways) if way.parent in complete]
        if not usable:
            return False
        held = {at: [each for each in progress.listings if each.at == at] for at in usable}
        best = min(usable, key=lambda at: self._cost(stream, at, len(held[at])))
        progress.chosen = True
        for listing in held[best]:
            listing.stage, listing.dirty = Stage.OPEN, True
            self._enqueue(listing)
        return bool(progress.open)

    def _cost(self, stream: Stream, at: int, listings: int) -> int:
        many = stream.ways[at].many
        most = self.streams[many].items if many in self.streams else 0
        return listings * max(1, -(-most // stream.page_size))

    def _doubtful(self, progress: Progress, parents: list[Progress]) -> bool:
        """Reads again what is hard to believe; True when something is under way because of it."""
        return self._gone_parents(progress, parents) or self._lost_much(progress, parents) or self._dangling(progress)

    def _gone_parents(self, progress: Progress, parents: list[Progress]) -> bool:
        """A few children that are not found: their parents may have been deleted meanwhile."""
        lost = progress.not_found
        if not lost or progress.parents_read or 2 * len(lost) > len(progress.listings):
            return False
        progress.parents_read = True
        for origin in {listing.origin for listing in lost}:
            self._reread([self.listings[origin]])
        return any(not parent.over for parent in parents)

    def _lost_much(self, progress: Progress, parents: list[Progress]) -> bool:
        """A stream that lost much is read a second time before anybody is told that so much is gone."""
        kind = shrunk(self._plan.before.get(progress.stream.name, 0), progress.items)
        whole = not progress.refused and all(parent.complete for parent in parents)
        if not kind or not whole or progress.stream.grows:
            return False
        if progress.read_twice or not progress.read or any(parent.anomaly for parent in parents):
            progress.anomaly = kind
            return False
        progress.read_twice = True
        self._reread(progress.read, after=self._plan.tempo.again)
        return True

    def _dangling(self, progress: Progress) -> bool:
        """Records that refer to nobody: their stream, and the one that they refer to, are read once more."""
        for name, target in progress.stream.refers.items():
            to = self.streams.get(target)
            if to is None or not to.complete:
                continue
            progress.dangling = len(progress.referred(name) - to.ids)
            if progress.dangling and not progress.refs_read:
                progress.refs_read = True
                self._reread([*to.read, *progress.read])
                return True
        return False

    def _reread(self, listings: Sequence[Listing], after: float = 0.0) -> None:
        for listing in listings:
            if listing.stage is Stage.DONE:
                self._again(listing, listing.since, after)

    def _conclude(self, progress: Progress, parents: list[Progress]) -> None:
        known = [(parent.stream, parent.verdict) for parent in parents if parent.verdict]
        progress.conclude(conclude(progress.stream, progress.listings, known))

    # --- the threads ---

    def _work(self, listing: Listing, until: datetime) -> None:
        try:
            self._back.put((listing, self._read_page(listing, until)))
        except BaseException as error:  # noqa: BLE001  # the coordinator raises it again
            self._back.put((listing, error))

    def _read_page(self, listing: Listing, until: datetime) -> Page:
        if self._clock.now() >= until:
            raise Stale
        stream, way = listing.stream, listing.way
        params = parameters(self._connector, stream, way, listing.query, listing.cursor)
        fetched = self._client.fetch(listing.path, params, listing.tries + 1)
        part = listing.part if way.within or way.part else ""
        return self._shop.make(stream, listing.at, listing.asked_with, part, fetched)
