"""When a connection is read: words that become cron text, and the times that follow from it. No database, no clock.

Cron text means what Debian's cron(8) makes of it: five fields; a time that the clock skips in spring comes at the first
minute after the gap, and one that the clock repeats in autumn comes once, unless its minute or hour begins with a star.
`cronsim` does the arithmetic (https://github.com/cuu508/cronsim).
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from functools import cache
from itertools import islice, pairwise, takewhile
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSim, CronSimError

KINDS = ("manual", "hourly", "daily", "weekly", "cron")
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
LONGEST = 100  # characters of cron text
CLOSEST = timedelta(minutes=15)
DELAYS = 300  # seconds: the longest delay
# How long a sync may take to begin and to end before its time counts as having passed in vain.
PATIENCE = timedelta(hours=1)
LOOK_BACK = timedelta(days=400)  # times that passed longer ago are not counted one by one
# Two times that a clock change brings closer together are no reason to refuse a text: it is judged on usual days.
_PLAIN_DAY = datetime(2024, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Fault:
    """What is wrong with one field, in a sentence to stand beside it."""

    field: str
    code: str
    message: str


class Unsound(Exception):
    """Words that are no schedule; `faults` says which of them and why."""

    def __init__(self, *faults: Fault) -> None:
        super().__init__(" ".join(fault.message for fault in faults))
        self.faults = faults


@dataclass(frozen=True)
class Plan:
    """A schedule. `at` counts for daily and weekly, `weekday` (0 is Monday) for weekly, `cron` for cron."""

    kind: str = "daily"
    at: time = time(6)
    weekday: int = 0
    zone: str = "UTC"
    cron: str = ""

    @property
    def text(self) -> str:
        """The schedule as cron text; "" when only a person asks."""
        clock = f"{self.at.minute} {self.at.hour}"
        weekly = f"{clock} * * {(self.weekday + 1) % 7}"
        known = {"hourly": "0 * * * *", "daily": f"{clock} * * *", "weekly": weekly, "cron": self.cron}
        return known.get(self.kind, "")


def words(plan: Plan) -> str:
    """`Every week on Monday at 09:00, Europe/Berlin`."""
    said = {
        "manual": "Only when somebody asks",
        "hourly": "Every hour",
        "daily": f"Every day at {plan.at:%H:%M}",
        "weekly": f"Every week on {WEEKDAYS[plan.weekday]} at {plan.at:%H:%M}",
        "cron": f"By cron text “{plan.cron}”",
    }[plan.kind]
    return said if plan.kind == "manual" else f"{said}, {plan.zone}"


# --- times --------------------------------------------------------------------------------------------


def times(plan: Plan, after: datetime) -> Iterator[datetime]:
    """The scheduled times later than `after`, in order, in UTC; ends where no more comes within 50 years.

    Raises Unsound when the plan's text or zone is none (any more).
    """
    if not plan.text:
        return
    last = after.astimezone(UTC)
    for found in _simulated(plan.text, after.astimezone(zone_of(plan.zone))):
        at = found.astimezone(UTC)
        if at > last:  # around a clock change the same moment may come twice, and one that has passed once more
            yield at
            last = at


def next_times(plan: Plan, after: datetime, count: int) -> list[datetime]:
    return list(islice(times(plan, after), count))


def next_time(plan: Plan, after: datetime) -> datetime | None:
    return next(times(plan, after), None)


def between(plan: Plan, since: datetime, until: datetime) -> list[datetime]:
    """The scheduled times from `since` to `until`, both included; of the last 400 days at most."""
    first = max(since, until - LOOK_BACK) - timedelta(seconds=1)
    return list(takewhile(lambda at: at <= until, times(plan, first)))


def overdue(plan: Plan, since: datetime, now: datetime) -> bool:
    """Whether two of the plan's times after `since` have passed, the second long enough to have borne fruit."""
    turns = next_times(plan, since, 2)
    return len(turns) == 2 and now > turns[1] + PATIENCE


def delay(uid: UUID) -> timedelta:
    """A connection's own delay, 0 to 300 seconds and always the same: many with one time do not start at once."""
    drawn = int.from_bytes(hashlib.sha256(uid.bytes).digest()[:8])
    return timedelta(seconds=drawn % (DELAYS + 1))


# --- what people type ---------------------------------------------------------------------------------


def plan_of(given: Mapping[str, Any]) -> Plan:
    """The plan that these words mean: `schedule`, `at` (06:30), `weekday` (Monday, or 0), `zone`, `cron`.

    What a schedule does not use is not looked at. Raises Unsound with every field that is at fault.
    """
    kind = str(given.get("schedule") or "")
    if kind not in KINDS:
        raise Unsound(Fault("schedule", code="schedule-unknown", message="Choose one of the schedules."))
    values: dict[str, Any] = {}
    faults: list[Fault] = []
    for name, read in _READERS[kind].items():
        try:
            values[name] = read(str(given.get(name) or "").strip())
        except Unsound as error:
            faults += error.faults
    if faults:
        raise Unsound(*faults)
    return Plan(kind, **values)


def _clock(text: str) -> time:
    try:
        return datetime.strptime(text, "%H:%M").time()
    except ValueError:
        message = "Write a time of day as hours and minutes, for instance 06:30."
        raise Unsound(Fault("at", code="time-unknown", message=message)) from None


def _weekday(text: str) -> int:
    known = {name.lower(): number for number, name in enumerate(WEEKDAYS)}
    known |= {str(number): number for number in range(7)}
    if text.lower() not in known:
        raise Unsound(Fault("weekday", code="weekday-unknown", message="Choose a day of the week."))
    return known[text.lower()]


def zones() -> tuple[str, ...]:
    """Every time zone that this machine knows, by the names of the IANA database."""
    return tuple(sorted(_zones().values()))


@cache
def _zones() -> dict[str, str]:
    return {name.lower(): name for name in available_timezones() - {"Factory", "localtime"}}


def _zone_name(text: str) -> str:
    found = _zones().get(text.lower().replace(" ", "_"))
    if found is None:
        raise Unsound(_no_zone(text))
    return found


def _no_zone(text: str) -> Fault:
    what = f"“{text[:60]}” is no time zone that this portal knows." if text else "Choose a time zone."
    message = f"{what} Write it as Area/City, for instance Europe/Berlin, or UTC."
    return Fault("zone", code="zone-unknown", message=message)


def zone_of(name: str) -> ZoneInfo:
    """Raises Unsound for a zone that this machine does not know."""
    if name.lower() not in _zones():
        raise Unsound(_no_zone(name))
    return ZoneInfo(name)


def _cron(text: str) -> str:
    """The text with single blanks. Raises Unsound for what is none, never comes, or comes too often."""
    found = " ".join(text.split())
    simulated = _simulated(found, _PLAIN_DAY)
    if next(simulated, None) is None:
        raise Unsound(_never())
    if _closest(simulated) < CLOSEST:
        message = (
            "This comes more often than every 15 minutes. A reading of a large workspace takes longer than that, "
            "and a snapshot each quarter of an hour is the most that the portal makes."
        )
        raise Unsound(Fault("cron", code="cron-too-often", message=message))
    return found


def _simulated(text: str, after: datetime) -> CronSim:
    fields = text.split()
    if len(text) > LONGEST:
        raise Unsound(_unreadable(f"It is longer than {LONGEST} characters"))
    if len(fields) != 5:
        raise Unsound(_unreadable(f"It has {len(fields)} field{'s' * (len(fields) != 1)}, not five"))
    try:
        return CronSim(text, after)
    except CronSimError as error:
        fault = _never() if _month_lacks_day(fields, error) else _unreadable(f"{_field_of(error)} cannot be read")
        raise Unsound(fault) from None


def _field_of(error: CronSimError) -> str:
    """`The day of the month`, out of cronsim's `Bad day-of-month`."""
    return str(error).replace("Bad ", "The ").replace("-of-", " of the ")


def _month_lacks_day(fields: list[str], error: CronSimError) -> bool:
    """cronsim says of 30 February what it says of a day that cannot be read; in any month the former is one."""
    if str(error) != "Bad day-of-month":
        return False
    try:
        CronSim(" ".join([*fields[:3], "*", fields[4]]), _PLAIN_DAY)
    except CronSimError:
        return False
    return True


def _unreadable(why: str) -> Fault:
    message = f"{why}: write minute, hour, day of the month, month and day of the week, for instance 30 6 * * 1-5."
    return Fault("cron", code="cron-unreadable", message=message)


def _never() -> Fault:
    message = "This never comes: no month that it names has such a day."
    return Fault("cron", code="cron-never", message=message)


def _closest(cron: CronSim) -> timedelta:
    """The shortest time between two of its times, on one day or over midnight."""
    of_a_day = sorted(60 * hour + minute for hour in cron.hours for minute in cron.minutes)
    gaps = [later - earlier for earlier, later in pairwise([*of_a_day, of_a_day[0] + 24 * 60])]
    return timedelta(minutes=min(gaps))


_Reader = Callable[[str], Any]
_ZONE: dict[str, _Reader] = {"zone": _zone_name}
_READERS: dict[str, dict[str, _Reader]] = {
    "manual": {},
    "hourly": _ZONE,
    "daily": {"at": _clock, **_ZONE},
    "weekly": {"at": _clock, "weekday": _weekday, **_ZONE},
    "cron": {"cron": _cron, **_ZONE},
}
