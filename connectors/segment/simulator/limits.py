"""Limits per minute: a fixed window for each token and path, from its first call on."""

import math
from email.utils import formatdate

from .answers import Refusal, too_many
from .settings import Settings

COMMON = 1000  # calls per minute; the service does not publish it, only that it is above 600
NONE = 1_000_000  # what the headers speak of when no limit is kept: who obeys them is not slowed


class Limits:
    """How often each token has called each path in the running window."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._windows: dict[tuple[str, str], tuple[float, int]] = {}

    def count(self, token: str, path: str, per_minute: int | None) -> dict[str, str]:
        """Counts a call; the headers of a successful answer. Raises Refusal 429 when limits are kept."""
        now = self.settings.clock()
        limit = (per_minute or COMMON) if self.settings.rate_limits else NONE
        start, used = self._windows.get((token, path), (now, 0))
        if now - start >= self.settings.minute:
            start, used = now, 0
        self._windows[token, path] = (start, used + 1)
        end = start + self.settings.minute
        if used >= limit and self.settings.rate_limits:
            raise self._refusal(end - now, end, used + 1)
        return {
            "X-RateLimit-Consumed": str(used + 1),
            "X-RateLimit-Remaining": str(max(0, limit - used - 1)),
            "X-RateLimit-Reset": _date(end),
        }

    def _refusal(self, seconds: float, end: float, used: int) -> Refusal:
        if self.settings.wait == "reset":
            return too_many(used, headers={"X-RateLimit-Reset": _date(end)})
        told = {"Retry-After": str(math.ceil(seconds))} if self.settings.wait == "header" else {}
        return too_many(used, wait_ms=math.ceil(seconds * 1000), headers=told)


def _date(moment: float) -> str:
    """The first whole second that is not before it: who waits until then is let in."""
    return formatdate(math.ceil(moment), usegmt=True)
