"""What a simulator serves, and how."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Wait = Literal["header", "body", "reset"]


@dataclass
class Settings:
    """All can be changed while it runs.

    size              how large the workspace is, see `company`
    day               day of the story; day 0 is 1 October 2026
    latency_ms        how long each answer takes at least, in milliseconds
    hostile           nasty names among the plain ones
    user_permissions  whether the list of users carries their permissions
    rate_limits       whether the limits per minute are kept; when not, the headers speak of a limit nobody reaches
    cap               the most items on a page, whatever is asked for; None for the service's own limit
    minute            length of the window of the limits, in seconds: 200 per minute are 200 per that long
    wait              how a 429 says how long to wait: header (Retry-After, and msBeforeNext in the body),
                      body (msBeforeNext alone), reset (the header X-RateLimit-Reset alone)
    clock             what time it is for the limits
    """

    size: str = "small"
    day: int = 0
    latency_ms: float = 0
    hostile: bool = False
    user_permissions: bool = False
    rate_limits: bool = False
    cap: int | None = None
    minute: float = 60.0
    wait: Wait = "header"
    clock: Callable[[], float] = time.time
