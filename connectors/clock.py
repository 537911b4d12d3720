"""Time as a sync sees it: what it is, and waiting. Tests pass a clock of their own whose waits cost nothing."""

import time
from datetime import UTC, datetime


class Clock:
    """The machine's clock. `now` is aware, in UTC; `ticks`, in seconds, measure how long something took;
    `pause` takes seconds."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def ticks(self) -> float:
        return time.monotonic()

    def pause(self, seconds: float) -> None:
        time.sleep(seconds)
