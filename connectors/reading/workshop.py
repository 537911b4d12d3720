"""Where pages are made: in a process of its own, so that parsing and sealing do not hold up fetching and saving.

Threads share one interpreter lock, and a page of 200 rules holds it for 10 ms. The process is forked before the first
thread starts, keeps nothing, and ends with the reading. If it is lost, pages are made here.
"""

import os
import signal
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, Pipe
from queue import SimpleQueue
from typing import Any, Protocol

from ..http import Fetched
from ..locker import Sealed
from ..spec import Busy, ConnectorError, Given, Stream, Unexpected
from .page import Ask, Maker, Page

_LOST = (EOFError, OSError)


class Shop(Protocol):
    def make(self, stream: Stream, at: int, given: Given, part: str, fetched: Fetched) -> Page: ...


class Workshop:
    """Makes pages with `processes` helpers; with none it makes them itself. Safe for any number of threads."""

    def __init__(self, maker: Maker, streams: Sequence[Stream], processes: int) -> None:
        self._maker = maker
        self._benches: list[_Bench] = []
        self._free: SimpleQueue[_Bench | None] = SimpleQueue()
        for _ in range(processes):
            self._benches.append(_Bench(maker, {stream.name: stream for stream in streams}, self._benches))
            self._free.put(self._benches[-1])

    def make(self, stream: Stream, at: int, given: Given, part: str, fetched: Fetched) -> Page:
        """As `Maker.make`."""
        bench = self._free.get() if self._benches else None
        if bench is None:
            self._free.put(None)  # whoever waits for a lost bench learns it too
            return self._maker.make(stream, at, given, part, fetched)
        try:
            page = bench.make(stream.name, at, dict(given), part, fetched)
        except _LOST:
            bench = None
            return self._maker.make(stream, at, given, part, fetched)
        finally:
            self._free.put(bench)
        page.heard = fetched.heard
        return page

    def close(self) -> None:
        for bench in self._benches:
            bench.close()


class _Bench:
    """One helper process and the pipe to it."""

    def __init__(self, maker: Maker, streams: dict[str, Stream], others: Sequence["_Bench"]) -> None:
        self._pipe, theirs = Pipe()
        self._pid = os.fork()
        if self._pid == 0:
            for pipe in (self._pipe, *(other._pipe for other in others)):
                pipe.close()
            _serve(theirs, maker, streams)
        theirs.close()

    def make(self, stream: str, at: int, given: Given, part: str, fetched: Fetched) -> Page:
        """Raises EOFError and OSError when the helper is gone, else what the maker raises."""
        self._pipe.send((stream, at, given, part, fetched.html))
        self._pipe.send_bytes(fetched.body)
        good, answer = self._pipe.recv()
        if not good:
            raise _error(*answer)
        return _unpacked(answer)

    def close(self) -> None:
        self._pipe.close()
        with suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGKILL)
        with suppress(ChildProcessError):
            os.waitpid(self._pid, 0)


def _serve(pipe: Connection, maker: Maker, streams: dict[str, Stream]) -> None:
    """The helper's whole life. It touches neither database nor network, and leaves without any clean-up of ours."""
    try:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)  # the reading's own process ends it
        while True:
            stream, at, given, part, html = pipe.recv()
            fetched = Fetched(pipe.recv_bytes(), html)
            try:
                pipe.send((True, _packed(maker.make(streams[stream], at, given, part, fetched))))
            except ConnectorError as error:
                pipe.send((False, (type(error) is Busy, error.code, error.message)))
    finally:
        os._exit(0)


def _error(busy: bool, code: str, message: str) -> ConnectorError:
    return Busy(code, message) if busy else Unexpected(code, message)


def _packed(page: Page) -> tuple[Any, ...]:
    """A page in plain tuples, which cost a fraction of objects to send."""
    asks = [(ask.stream, ask.at, ask.part, ask.given, ask.embedded and _packed(ask.embedded)) for ask in page.asks]
    return list(map(tuple, page.sealed)), page.listed, asks, page.notes, page.refs, page.next, page.total


def _unpacked(parts: tuple[Any, ...]) -> Page:
    sealed, listed, asks, *rest = parts
    asked = [Ask(stream, at, part, given, inner and _unpacked(inner)) for stream, at, part, given, inner in asks]
    return Page([Sealed(*each) for each in sealed], listed, asked, *rest)
