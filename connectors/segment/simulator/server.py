"""The simulator as a running thing: ports on loopback, one loop, faults and a log of what was asked."""

import asyncio
import os
import socket
import threading
from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from . import wire
from .answers import Refusal, not_found, too_many
from .api import Api, find, token_of
from .faults import BadFaults, Fault
from .settings import Settings
from .tokens import TOKENS, Region
from .wire import Answer, Asked

LOOPBACK = "127.0.0.1"
SEND_BUFFER = 1 << 20
HEADER_LIMIT = 1 << 16
SAID = {
    "not_enabled": ("NotEnabled", "This feature is not enabled for the workspace."),
    "cursor_expired": ("ValidationFailure", "The cursor has expired."),
}


class PortTaken(Exception):
    """The port cannot be used; the message is for people."""


class Logged(NamedTuple):
    """One request. `token` is the name of a token, never the token; `status` is 0 when there was no answer."""

    method: str
    path: str
    query: str
    token: str
    status: int


class Simulator:
    """A simulator. `settings` and `faults` may be changed while it runs; `requests` grows."""

    def __init__(self, settings: Settings, faults: Iterable[Fault] = (), faults_file: Path | None = None) -> None:
        self.settings = settings
        self.faults = list(faults)
        self.requests: list[Logged] = []
        self.tokens = dict(TOKENS)
        self.api = Api(settings)
        self.stopped = False
        self._file = faults_file
        self._file_time = -1
        self._ports: dict[Region, socket.socket] = {}
        self._talks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._thread: threading.Thread | None = None
        self.read_faults()

    # --- life ---------------------------------------------------------------------------------------

    def listen(self, port: int, region: Region = "us") -> None:
        """Takes a port on loopback for a region, 0 for any free one. Raises PortTaken."""
        try:
            taken = socket.create_server((LOOPBACK, port), backlog=128)
        except (OSError, OverflowError) as error:
            reason = os.strerror(error.errno or 0) if isinstance(error, OSError) else "there is no such port"
            message = f"Port {port} on {LOOPBACK} cannot be used ({reason}): stop what runs there or choose another."
            raise PortTaken(message) from error
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        taken.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # inherited; asyncio sees no reason to set it
        self._ports[region] = taken

    @property
    def url(self) -> str:
        return self._url("us")

    @property
    def secrets(self) -> frozenset[str]:
        """Everything of today's workspaces that a portal must never keep, the tokens among it."""
        return self.api.secrets()

    @property
    def eu_url(self) -> str:
        return self._url("eu")

    @property
    def throttled(self) -> int:
        """How many of `requests` were answered 429, by a limit or by a fault."""
        return sum(request.status == 429 for request in self.requests)

    @property
    def effects(self) -> list[Logged]:
        """Those of `requests` that would have done something in the real service, though they only ask."""
        return [request for request in self.requests if _has_effect(request.path)]

    def _url(self, region: Region) -> str:
        return f"http://{LOOPBACK}:{self._ports[region].getsockname()[1]}" if region in self._ports else ""

    def run(self) -> None:
        """Serves until `stop`."""
        self._loop.run_until_complete(self._serve())

    def start(self) -> Self:
        """Serves in a thread of its own until `close`."""
        self._thread = threading.Thread(target=self.run, name="segment-simulator", daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        """Ends `run`. May be called from any thread and from a signal handler."""
        self.stopped = True
        with suppress(RuntimeError):  # closed already
            self._loop.call_soon_threadsafe(self._stop.set)

    def close(self) -> None:
        """Stops, and frees the ports. A second call does nothing."""
        self.stop()
        if self._thread:
            self._thread.join()
        for taken in self._ports.values():
            taken.close()
        self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    async def _serve(self) -> None:
        servers = [
            await asyncio.start_server(partial(self._begin, region), sock=taken, limit=HEADER_LIMIT)
            for region, taken in self._ports.items()
        ]
        await self._stop.wait()
        for server in servers:
            server.close()
        for talk in self._talks:
            talk.cancel()
        await asyncio.gather(*self._talks, return_exceptions=True)

    # --- a connection -------------------------------------------------------------------------------

    def _begin(self, region: Region, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Starts the talk itself: asyncio's own way reports one that is cancelled before its first step as an error."""

        def end(talk: asyncio.Task[None]) -> None:
            self._talks.discard(talk)
            writer.close()

        if self._stop.is_set():  # it came while we were closing
            writer.transport.abort()
            return
        talk = self._loop.create_task(self._talk(region, reader, writer))
        self._talks.add(talk)
        talk.add_done_callback(end)

    async def _talk(self, region: Region, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while (asked := await wire.read(reader)) and await self._reply(region, asked, reader, writer):
                pass
        except ConnectionError:
            pass  # the other side has left
        except asyncio.CancelledError:
            writer.transport.abort()

    async def _reply(
        self, region: Region, asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Answers one request. True when the connection can carry another."""
        fault = self._fault(asked)
        if self.settings.latency_ms:
            await asyncio.sleep(self.settings.latency_ms / 1000)
        if fault and fault.kind in ("hang", "reset", "close"):
            self._log(asked, 0)
            if fault.kind == "reset":
                wire.reset(writer)
            elif fault.kind == "hang":
                await wire.hang(reader)
            return False
        answer = self._answer(region, asked, fault)
        self._log(asked, answer.status)
        keep = await wire.write(writer, asked, answer, fault)
        if fault and fault.kind == "stall":
            await wire.hang(reader)
        return keep

    def _answer(self, region: Region, asked: Asked, fault: Fault | None) -> Answer:
        try:
            if asked.method != "GET":
                raise Refusal(405, "MethodNotAllowed", "This is for reading only.", headers={"Allow": "GET"})
            token = token_of(asked.authorization, region)
            if fault and (status := fault.refuses(asked.path)):
                return _refused(fault, status)
            return self.api.answer(token, asked.path, asked.query, fault)
        except Refusal as refusal:
            return Answer(refusal.status, refusal.body(), refusal.headers)

    def _log(self, asked: Asked, status: int) -> None:
        self.requests.append(Logged(asked.method, asked.path, asked.query, asked.token_name, status))

    # --- faults -------------------------------------------------------------------------------------

    def _fault(self, asked: Asked) -> Fault | None:
        """The first fault that hits this request. All of them count it."""
        if self._file:
            with suppress(BadFaults):  # half-written: the next request reads it again
                self.read_faults()
        hits = [fault for fault in self.faults if fault.strikes(asked.path, asked.query)]
        return hits[0] if hits else None

    def read_faults(self) -> None:
        """Takes the faults of the file when it has changed. Raises BadFaults."""
        if not self._file:
            return
        changed = self._file.stat().st_mtime_ns if self._file.exists() else 0
        if changed != self._file_time:
            self.faults = Fault.read(self._file)
            self._file_time = changed


def _has_effect(path: str) -> bool:
    try:
        return find(path)[0].effect
    except Refusal:
        return False


def _refused(fault: Fault, status: int) -> Answer:
    """The answer that a fault puts in the place of the real one."""
    if fault.kind == "redirect":
        return Answer(status, b"", {"Location": str(fault.value or "/elsewhere")})
    more = {"Retry-After": wire.moment(fault.retry_after)} if fault.retry_after else {}
    if fault.kind == "parent_gone":
        return Answer(status, not_found().body(), more)
    if isinstance(fault.value, str):
        return Answer(status, fault.value.encode(), more)
    if status == 429:
        return Answer(status, too_many(1, wait_ms=fault.value or 1000).body(), more)
    kind, message = SAID.get(fault.kind, ("Fault", "Switched on for a test."))
    return Answer(status, Refusal(status, kind, message).body(), more)
