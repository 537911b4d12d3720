"""How often a token may ask, shared by all workers: one row for each token and endpoint class. The only writer of it.

A service counts requests in a window that begins with the first of them. Slots of the running window are handed out
here before they are used, so that no number of workers asks more often than is allowed. What the service's own
headers say of the limit outweighs what its documentation says.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from django.db import transaction

from .clock import Clock
from .http import Heard
from .models import RateWindow

COMMON = "common"  # all endpoints without a documented limit of their own
RESERVE = 16  # requests that must be left before the common limit, which is not documented, makes us wait
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Pace:
    """How long a service's window lasts, and by how much the clocks may differ: headers tell whole seconds, and a
    request may travel for a while."""

    window: timedelta = timedelta(seconds=60)
    margin: timedelta = timedelta(seconds=1)


MINUTE = Pace()


@dataclass(frozen=True, slots=True)
class Window:
    """The running window of one class.

    limit    slots in it; None while nobody has said
    granted  slots handed out, or used by others as far as the service said
    ends     when the next window begins
    opens    nobody asks before this moment, because the service said so
    """

    limit: int | None = None
    granted: int = 0
    ends: datetime | None = None
    opens: datetime | None = None


@dataclass(frozen=True, slots=True)
class Slots:
    """`count` requests may be sent until `until`; when there are none, ask again at `again`."""

    count: int
    until: datetime
    again: datetime


def take(window: Window, wanted: int, now: datetime, pace: Pace = MINUTE) -> tuple[Window, Slots]:
    """Hands out up to `wanted` slots of the running window, or of a new one. Pure."""
    if window.ends is None or now >= window.ends or _from_a_wrong_clock(window, now, pace):
        window = replace(window, granted=0, ends=now + pace.window + pace.margin)
    assert window.ends is not None
    if window.opens is not None and now < window.opens:
        return window, Slots(0, window.opens, window.opens)
    # What is sent later than that may count for the service's next window, which would then be one slot short.
    until = window.ends - 2.5 * pace.margin
    if now >= until:
        return window, Slots(0, window.ends, window.ends)
    free = wanted if window.limit is None else min(wanted, window.limit - window.granted)
    count = max(0, free)
    return replace(window, granted=window.granted + count), Slots(count, until, window.ends)


def _from_a_wrong_clock(window: Window, now: datetime, pace: Pace) -> bool:
    """Whether its end lies where no window that began before now could end: the clock has gone back since."""
    assert window.ends is not None
    return window.ends != window.opens and window.ends > now + 2 * pace.window + pace.margin


def hear(window: Window, heard: Heard, now: datetime, pace: Pace = MINUTE) -> Window:
    """Takes over what an answer said of the limit, how much of it is used, and when its window ends. Pure."""
    if heard.consumed is None or heard.remaining is None or (heard.reset is not None and heard.reset <= now):
        return window  # it says nothing, or speaks of a window that is over
    ends = window.ends
    if heard.reset is not None and heard.reset <= now + 2 * pace.window:
        ends = heard.reset + pace.margin
    return replace(
        window, limit=heard.consumed + heard.remaining, granted=max(window.granted, heard.consumed), ends=ends
    )


def hold(window: Window, until: datetime) -> Window:
    """Nobody asks before `until`, and then a new window begins. Pure."""
    opens = max(until, window.opens or until)
    return replace(window, opens=opens, ends=opens)


class Limits:
    """The windows of one token, as one worker uses them. For one thread; asks the database only when it must."""

    def __init__(self, token: str, clock: Clock, pace: Pace = MINUTE) -> None:
        self._token, self._clock, self._pace = token, clock, pace
        self._slots: dict[str, Slots] = {}
        self._held: dict[str, datetime] = {}  # the service refused
        self._used_up: dict[str, datetime] = {}  # as far as we know, its limit is reached
        self._said: dict[str, Heard] = {}

    def slot(self, endpoint: str, per_minute: int | None, wanted: int) -> datetime | None:
        """Takes one slot: the moment until which it is good, None when there is none now.

        `wanted` is how many more will be asked for soon: they are reserved with it.
        """
        now = self._clock.now()
        if self.opens(endpoint) > now:
            return None
        if per_minute is None:
            return now + self._pace.window
        slots = self._slots.get(endpoint)
        if slots is None or slots.count == 0 or now >= slots.until:
            slots = self._reserve(endpoint, per_minute, max(1, wanted))
        if slots.count == 0:
            self._used_up[endpoint] = slots.again
            return None
        self._slots[endpoint] = replace(slots, count=slots.count - 1)
        return slots.until

    def opens(self, endpoint: str) -> datetime:
        """When the endpoint may be asked next, as far as this worker knows; long ago when it may be asked now."""
        return max(self._held.get(endpoint, _LONG_AGO), self._used_up.get(endpoint, _LONG_AGO))

    def heard(self, endpoint: str, per_minute: int | None, heard: Heard) -> None:
        """Learns from an answer. Of the common class only a limit that is nearly used up is worth a row."""
        now = self._clock.now()
        if per_minute is not None:
            self._said[endpoint] = heard  # goes into the row with the next reservation
            if heard.remaining:
                self._used_up.pop(endpoint, None)
        elif heard.remaining is not None and heard.remaining < RESERVE and heard.reset and heard.reset > now:
            self.hold(endpoint, heard.reset + self._pace.margin)

    def hold(self, endpoint: str, until: datetime) -> None:
        """The service refused a request: no worker asks this endpoint before `until`."""
        self._slots.pop(endpoint, None)
        window = self._change(endpoint, lambda window: hold(window, until), None)
        self._held[endpoint] = window.opens or until

    def look(self) -> None:
        """Learns what other workers of the same token were told. One query."""
        now = self._clock.now()
        rows = RateWindow.objects.filter(token=self._token, opens__gt=now).values_list("endpoint", "opens")
        for endpoint, opens in rows:
            assert opens is not None, "the filter leaves out those without"
            self._held[endpoint] = max(opens, self._held.get(endpoint, opens))
            self._slots.pop(endpoint, None)

    def _reserve(self, endpoint: str, per_minute: int, wanted: int) -> Slots:
        now = self._clock.now()
        found, said = Slots(0, now, now), self._said.pop(endpoint, Heard())

        def change(window: Window) -> Window:
            nonlocal found
            window, found = take(hear(window, said, now, self._pace), wanted, now, self._pace)
            return window

        self._change(endpoint, change, per_minute)
        return found

    def _change(self, endpoint: str, change: Callable[[Window], Window], per_minute: int | None) -> Window:
        with transaction.atomic():
            row, _ = RateWindow.objects.select_for_update().get_or_create(
                token=self._token, endpoint=endpoint, defaults={"limit": per_minute}
            )
            before = Window(row.limit, row.granted, row.ends, row.opens)
            after = change(before)
            if after != before:
                row.limit, row.granted, row.ends, row.opens = after.limit, after.granted, after.ends, after.opens
                row.save(update_fields=["limit", "granted", "ends", "opens"])
        return after
