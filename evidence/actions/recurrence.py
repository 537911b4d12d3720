"""When an action is due again. Pure."""

import calendar
from datetime import date, timedelta

from ..models import Recurs

MONTHS = {Recurs.MONTH: 1, Recurs.QUARTER: 3, Recurs.HALF: 6, Recurs.YEAR: 12}
BEFORE = (7, 1, 0)  # days before the day on which people are reminded, each once
LATE = -1  # the step on the day after, and later


def later(day: date, recurs: str) -> date | None:
    """The day after one period; the last day of a month that is shorter. None when it does not recur, or ends time."""
    if recurs not in MONTHS:
        return None
    months = day.year * 12 + day.month - 1 + MONTHS[Recurs(recurs)]
    year, month = divmod(months, 12)
    if year > date.max.year:
        return None
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def following(due_on: date | None, recurs: str, today: date) -> date | None:
    """The next day in the rhythm of `due_on` that is not over yet, so that who was late is not late again at once."""
    day = later(due_on or today, recurs)
    while day is not None and day < today:
        day = later(day, recurs)
    return day


def step(due_on: date, today: date) -> int | None:
    """Which reminder's turn it is; None before the first. `LATE` once the day is over."""
    left = (due_on - today) / timedelta(days=1)
    if left < 0:
        return LATE
    return min((days for days in BEFORE if left <= days), default=None)
