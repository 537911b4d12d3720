"""The steps about streams: a small request for each of a group's, and what the portal has counted of the limits."""

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from portal.templatetags.portal import said_time

from .. import checking
from ..checking import Capability
from ..http import Client
from ..limits import COMMON
from ..models import Connection, RateWindow
from ..spec import Connector, Coverage, Stream
from .steps import Line, Outcome, Result

_STATES = {
    checking.READABLE: Outcome.PASSED,
    checking.NOT_CHECKED: Outcome.NOT_ASKED,
    Coverage.DENIED: Outcome.DENIED,
    Coverage.NOT_ENABLED: Outcome.OFF,
}
_WORDS = {
    Outcome.PASSED: "readable",
    Outcome.DENIED: "denied",
    Outcome.OFF: "not enabled",
    Outcome.FAILED: "failed",
    Outcome.NOT_ASKED: "not asked",
}


@dataclass(frozen=True)
class Asker:
    """Who asks, and when."""

    connection: Connection
    connector: Connector
    now: datetime


def ask_group(asker: Asker, client: Callable[[], Client], group: str) -> Result:
    """One small request for each chosen stream of the group, as a check does it."""
    streams = [stream for stream in asker.connector.streams if stream.group.name == group]
    wanted = asker.connector.chosen(asker.connection.groups)
    if not any(stream in wanted for stream in streams):
        return Result(Outcome.NOT_ASKED, f"{checking.NOT_CHOSEN} {streams[0].group.caution}".strip())
    if all(stream.slow for stream in streams):
        return Result(Outcome.NOT_ASKED, "They may be asked only a few times a minute: a sync shows them.")
    if until := _closed(asker):
        said = f"The service asked the portal to wait until {said_time(until, seconds=True)}."
        return Result(Outcome.NOT_TRIED, said, code="rate-limited")
    found, _ = checking.capabilities(asker.connector, client(), family(streams, wanted))
    return conclude([(stream.title, found[stream.name]) for stream in streams])


def family(streams: Collection[Stream], wanted: Sequence[Stream]) -> list[Stream]:
    """These streams, and those of the wanted ones that must be asked before them, in their order."""
    names = {stream.name for stream in streams}
    for stream in reversed(wanted):
        if stream.name in names:
            names |= stream.parents
    return [stream for stream in wanted if stream.name in names]


def conclude(found: Sequence[tuple[str, Capability]]) -> Result:
    """How the step of a group ended, from each stream's title and verdict. Pure."""
    lines = tuple(_line(title, each) for title, each in found)
    counted = Counter(line.state for line in lines)
    asked = len(lines) - counted[Outcome.NOT_ASKED]
    lacking = [each for each in lines if each.state is Outcome.FAILED]
    lacking += [each for each in lines if each.state is Outcome.DENIED]
    said = ", ".join(f"{counted[state]} {word}" for state, word in _WORDS.items() if counted[state])
    result = f"Of {len(lines)} stream{'' if len(lines) == 1 else 's'}: {said}."
    if not asked:
        return Result(Outcome.NOT_ASKED, result, "", lines)
    if not lacking:
        state = Outcome.PASSED if counted[Outcome.PASSED] else Outcome.OFF
        return Result(state, result, "", lines)
    alike = all(line.state is lacking[0].state for line in lines if line.state is not Outcome.NOT_ASKED)
    return Result(lacking[0].state if alike else Outcome.PARTIAL, result, lacking[0].code, lines)


def _line(title: str, found: Capability) -> Line:
    state = _STATES.get(found.verdict, Outcome.FAILED)
    if state is Outcome.PASSED:
        return Line(title, state, f"{found.path} answered {found.status}.")
    asked = f"{found.path}: " if found.path else ""
    return Line(title, state, f"{asked}{found.reason}", found.code)


# --- limits, as the portal has counted them -------------------------------------------------------------


def windows(asker: Asker) -> tuple[Line, ...]:
    """A line for each class of limits in which this token is counted now, or closed."""
    rows = RateWindow.objects.filter(token=asker.connection.token_fingerprint).order_by("endpoint")
    return tuple(line for row in rows if (line := _window(row, asker.now)) is not None)


def _window(row: RateWindow, now: datetime) -> Line | None:
    title = f"Counted here: {'all other requests' if row.endpoint == COMMON else row.endpoint}"
    if row.opens is not None and row.opens > now:
        return Line(title, Outcome.NOT_TRIED, f"Closed until {said_time(row.opens, seconds=True)}, as it was told.")
    if row.ends is not None and row.ends > now:
        most = f" of {row.limit:,}" if row.limit is not None else ""
        return Line(title, Outcome.PASSED, f"{row.granted:,}{most} in this minute.")
    return None


def _closed(asker: Asker) -> datetime | None:
    """Until when nobody asks with this token, None when everybody may."""
    mine = RateWindow.objects.filter(token=asker.connection.token_fingerprint, endpoint=COMMON)
    return mine.filter(opens__gt=asker.now).values_list("opens", flat=True).first()
