"""Keeps the portal's processes together: started in order, watched, and stopped with none left behind."""

import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from types import FrameType, TracebackType
from typing import Self

from .child import Child, Hear
from .watchdog import Worker

TICK = 0.5  # seconds
GRACE = 10.0
STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
Say = Callable[[str], object]


class Stop(BaseException):
    """Somebody asked the portal to stop. No error, and nothing in between may swallow it."""


class Fallen(Exception):
    """A process that the portal cannot do without has ended; the message says which, how, and its last lines."""


class Supervisor:
    """Within `with`, signals stop the portal; on the way out everything that was started is ended."""

    def __init__(self, say: Say) -> None:
        self.say = say
        self._children: list[Child] = []
        self._worker: Worker | None = None

    def __enter__(self) -> Self:
        for number in STOPPING:
            signal.signal(number, self._asked)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for number in STOPPING:
            signal.signal(number, self._forced)
        self._end_all()

    def start(
        self, name: str, module: str, *arguments: str, hear: Hear | None = None, pass_fds: Sequence[int] = ()
    ) -> Child:
        """Starts a child whose end is the end of all. Its lines are shown unless `hear` takes them."""
        tell = hear or (lambda line: self.say(f"{name}: {line}"))
        child = Child(name, module, *arguments, hear=tell, pass_fds=pass_fds)
        self._children.append(child)
        return child

    def watch(self) -> None:
        """Starts the worker under its watchdog."""
        self._worker = Worker(self.say)

    def run(self, opening: Iterator[None]) -> None:
        """Watches until a signal comes (raises Stop) or a child ends (raises Fallen); takes `opening` along."""
        while True:
            self.check()
            if self._worker:
                self._worker.step()
            next(opening, None)
            time.sleep(TICK)

    def check(self) -> None:
        """Raises Fallen when a child has ended."""
        for child in self._children:
            if ended := child.ended():
                lines = child.last_lines()
                raise Fallen(f"The {child.name} {ended}." + (f" Its last lines:\n{lines}" if lines else ""))

    # --- the end ------------------------------------------------------------------------------------

    def _asked(self, number: int, frame: FrameType | None) -> None:
        for each in STOPPING:
            signal.signal(each, self._forced)
        raise Stop

    def _forced(self, number: int, frame: FrameType | None) -> None:
        """Whoever asks twice does not want to wait."""
        for each in self._everything():
            each.sweep(1)
        os._exit(1)

    def _everything(self) -> list[Child]:
        return self._children + ([self._worker.child] if self._worker and self._worker.child else [])

    def _end_all(self) -> None:
        everything = self._everything()
        if everything:
            self.say("Stopping …")
        for child in everything:
            child.ask_to_stop()
        deadline = time.monotonic() + GRACE
        while time.monotonic() < deadline and not all(child.ended() for child in everything):
            time.sleep(0.05)
        for child in everything:
            child.sweep()
        if self._worker:
            self._worker.close()
