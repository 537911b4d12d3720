"""A clock whose waits cost nothing: whoever pauses finds that the time has passed."""

import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta

from django.db import connection

from connectors.clock import Clock


class Skipping(Clock):
    """The machine's clock, and what was waited on top of it. `waited` is in seconds."""

    def __init__(self) -> None:
        self.waited = 0.0

    def now(self) -> datetime:
        return super().now() + timedelta(seconds=self.waited)

    def pause(self, seconds: float) -> None:
        self.waited += seconds


class Acting(Clock):
    """The machine's clock, at one of whose looks something is done: once, when a condition holds, by the thread that
    made the clock (a reading's coordinator) and outside of its transactions.

    `seconds` tells how long ago that was; None before. With `skip`, waits cost nothing and count in `waited`.
    """

    def __init__(self, condition: Callable[[], bool], deed: Callable[[], object], *, skip: bool = False) -> None:
        self._condition, self._deed, self._skip = condition, deed, skip
        self._thread, self._depth = threading.current_thread(), len(connection.savepoint_ids)
        self._acted: float | None = None
        self.waited = 0.0

    def now(self) -> datetime:
        outside = threading.current_thread() is self._thread and len(connection.savepoint_ids) == self._depth
        if outside and self._acted is None and self._condition():
            self._acted = 0.0
            self._deed()
            self._acted = time.monotonic()
            self.waited = 0.0
        return super().now() + timedelta(seconds=self.waited if self._skip else 0)

    def pause(self, seconds: float) -> None:
        self.waited += seconds
        if not self._skip:
            super().pause(seconds)

    @property
    def seconds(self) -> float | None:
        return None if self._acted is None else time.monotonic() - self._acted
