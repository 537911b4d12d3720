"""A clock whose waits cost nothing: whoever pauses finds that the time has passed."""

from datetime import datetime, timedelta

from connectors.clock import Clock


class Skipping(Clock):
    """The machine's clock, and what was waited on top of it. `waited` is in seconds."""

    def __init__(self) -> None:
        self.waited = 0.0

    def now(self) -> datetime:
        return super().now() + timedelta(seconds=self.waited)

    def pause(self, seconds: float) -> None:
        self.waited += seconds
