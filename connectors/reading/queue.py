"""Which page is fetched next: streams take turns, limits are kept, and what must wait waits without holding anybody."""

import heapq
from collections import deque
from datetime import datetime
from itertools import count

from ..clock import Clock
from ..limits import COMMON, Limits
from ..spec import Stream
from .listing import Listing

RESERVE = 16  # slots of a documented limit that are taken at once


def endpoint(stream: Stream) -> str:
    """The class of limits that a stream's requests count for."""
    return stream.ways[0].path if stream.per_minute else COMMON


class Queue:
    def __init__(self, limits: Limits, clock: Clock) -> None:
        self._limits, self._clock = limits, clock
        self._ready: dict[str, deque[Listing]] = {}
        self._later: list[tuple[datetime, int, Listing]] = []
        self._turn = count()

    def __bool__(self) -> bool:
        return bool(self._ready or self._later)

    def put(self, listing: Listing, at: datetime | None = None) -> None:
        """A listing that was begun goes before one that was not; with `at`, not before that moment."""
        if at is None:
            self._ready.setdefault(listing.stream.name, deque()).append(listing)
        else:
            heapq.heappush(self._later, (at, next(self._turn), listing))

    def put_new(self, listing: Listing) -> None:
        self._ready.setdefault(listing.stream.name, deque()).appendleft(listing)

    def next(self) -> tuple[Listing, datetime] | None:
        """A listing whose page may be fetched now, and until when; None when there is none.

        Streams take turns: while the large pages of one are worked on, the small ones of another travel.
        """
        self._ripen()
        for name, queue in list(self._ready.items()):
            stream = queue[-1].stream
            until = self._limits.slot(endpoint(stream), stream.per_minute, min(len(queue), RESERVE))
            if until is not None:
                del self._ready[name]
                listing = queue.pop()
                if queue:
                    self._ready[name] = queue  # to the end of the line
                return listing, until
        return None

    def due(self) -> datetime:
        """When the next listing may be fetched, as far as is known."""
        ready = [self._limits.opens(endpoint(queue[-1].stream)) for queue in self._ready.values()]
        return min([*ready, *(at for at, _, _ in self._later[:1])])

    def take_all(self, stream: str) -> list[Listing]:
        """Takes everything of a stream out of the queue."""
        waiting = [listing for _, _, listing in self._later if listing.stream.name == stream]
        self._later = [entry for entry in self._later if entry[2].stream.name != stream]
        heapq.heapify(self._later)
        return [*self._ready.pop(stream, ()), *waiting]

    def remove(self, listing: Listing) -> None:
        for other in self.take_all(listing.stream.name):
            if other is not listing:
                self.put_new(other)

    def _ripen(self) -> None:
        now = self._clock.now()
        while self._later and self._later[0][0] <= now:
            self.put(heapq.heappop(self._later)[2])
