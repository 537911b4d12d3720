"""How a connection, a check and a run read to a person: a state, a sentence, and what to do. No HTML, no request."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Generic, TypeVar

from portal.templatetags.portal import said_time

from . import checking, registry, schedules, troubleshooting
from .models import Connection, MissedRun, RunState, Schedule, SyncRun
from .schedules import Plan
from .spec import Actor, Connector, Coverage, Covered, Hint, Part, State, standing

RUNS: Mapping[str, State] = {
    RunState.QUEUED: State("run", "Queued"),
    RunState.RUNNING: State("run", "Running"),
    RunState.PUBLISHING: State("run", "Publishing"),
    RunState.PUBLISHED: State("pass", "Published"),
    RunState.PARTIAL: State("partial", "Published in part"),
    RunState.FAILED: State("failed", "Failed"),
    RunState.ABANDONED: State("failed", "Abandoned"),
    RunState.CANCELLED: State("off", "Cancelled"),
}
# Who or what asked for a run.
TRIGGERS: Mapping[str, str] = {
    "person": "a person",
    "first": "connecting",
    "schedule": "the schedule",
    "command": "the command line",
    "slow lane": "the sync before it",
}
# Why a scheduled time passed without a sync; a person's pause explains it, the others want to be looked at.
_MISSED: Mapping[str, State] = {
    "everything-paused": State("off", "Paused"),
    "connection-paused": State("off", "Paused"),
    "run-under-way": State("stale", "Still syncing"),
    "run-refused": State("failed", "Refused"),
    "worker-down": State("failed", "No worker"),
}
_STREAMS: Mapping[str, State] = {
    "waiting": State("none", "Waiting"),
    "reading": State("run", "Reading"),
    checking.READABLE: State("pass", "Readable"),
    checking.NOT_CHECKED: State("none", "Not checked"),
}


def run_state(state: str) -> State:
    return RUNS[state]


def missed_state(missed: MissedRun) -> State:
    return _MISSED.get(missed.code, State("unknown", missed.code))


def stream_state(name: str, why: str = "", parts: Iterable[Part] = ()) -> State:
    """A stream's verdict, coverage or progress: whatever is not known says its own name."""
    if name in _STREAMS:
        found = _STREAMS[name]
        return State(found.name, found.word, why)
    if name in set(Coverage):
        return standing(Covered("", "", Coverage(name), reason=why, parts=tuple(parts)))
    return State("unknown", name.replace("_", " ").capitalize(), why)


# --- trouble --------------------------------------------------------------------------------------

# Who must do something, as ConnectorError and Hint say it.
WHO: Mapping[Actor, str] = {
    "reader": "You, who read this",
    "admin": "An administrator of this portal, with an owner of the workspace",
    "time": "Nobody: it passes with time",
    "developer": "Whoever maintains this portal",
}


@dataclass(frozen=True)
class Trouble:
    """What went wrong, and what to do about it."""

    code: str
    happened: str
    hint: Hint

    @property
    def who(self) -> str:
        return WHO[self.hint.acts]


def trouble(code: str, happened: str, connector: Connector | None) -> Trouble:
    hint = troubleshooting.hint(code, connector)
    return Trouble(code, happened or hint.title, hint)


# --- streams in their groups ------------------------------------------------------------------------

T = TypeVar("T")


@dataclass(frozen=True)
class InGroup(Generic[T]):
    """A group's title, and what there is for each of its streams."""

    title: str
    rows: tuple[T, ...]


def grouped(connector: Connector, rows: Mapping[str, T]) -> tuple[InGroup[T], ...]:
    """What there is for each stream, by the group of the stream, in the connector's order."""
    found: dict[str, list[T]] = {}
    for stream in connector.streams:
        if stream.name in rows:
            found.setdefault(stream.group.title, []).append(rows[stream.name])
    declared = {stream.name for stream in connector.streams}
    if others := [row for name, row in rows.items() if name not in declared]:
        found["Not read any more"] = others
    return tuple(InGroup(title, tuple(held)) for title, held in found.items())


# --- a check ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Verdict:
    """One line of the table: a stream, whether this token may read it, and the answer that says so.

    chosen  whether the connection reads it, as it stands now
    """

    stream: str
    chosen: bool
    title: str
    about: str
    state: State
    path: str
    status: int
    items: int | None
    gate: str


@dataclass(frozen=True)
class Checked:
    """The last check of a connection as it reads. `code` is "" when the token opened a workspace."""

    code: str
    workspace: Mapping[str, str]
    region: str
    elsewhere: tuple[tuple[str, str], ...]  # the other regions that were asked, and how that ended
    verdicts: tuple[Verdict, ...]
    trouble: Trouble | None
    groups: tuple[InGroup[Verdict], ...] = ()
    left: tuple[InGroup[Verdict], ...] = ()  # of what nobody chose

    @property
    def counts(self) -> list[tuple[State, int]]:
        """How many streams of each verdict, the readable ones first."""
        counted = Counter(verdict.state.word for verdict in self.verdicts)
        marks = {verdict.state.word: State(verdict.state.name, verdict.state.word) for verdict in self.verdicts}
        return sorted(((marks[word], many) for word, many in counted.items()), key=lambda pair: pair[0].name != "pass")

    @property
    def unchosen(self) -> int:
        return sum(len(group.rows) for group in self.left)

    @property
    def readable(self) -> int:
        return sum(verdict.state.name == "pass" for verdict in self.verdicts)


def checked(connection: Connection) -> Checked | None:
    """What the last check found; None when there was none since the token was given."""
    found = connection.capabilities
    if not found:
        return None
    connector = registry.get(connection.connector)
    workspace = found.get("workspace") or {}
    code, happened = found["code"], found["message"]
    expected = connection.workspace
    if workspace and expected is not None and workspace["id"] != expected.remote_id:
        code, happened = "wrong-workspace", f"The token now opens “{workspace['name']}”, not “{expected.name}”."
    verdicts = tuple(_verdicts(connector, connection, found["streams"]))
    return Checked(
        code=code,
        workspace=workspace,
        region=region_title(connector, found["region"]),
        elsewhere=tuple(_elsewhere(connector, found["tried"], found["region"])),
        verdicts=verdicts,
        trouble=trouble(code, happened, connector) if code else None,
        groups=grouped(connector, {each.stream: each for each in verdicts if each.chosen}),
        left=grouped(connector, {each.stream: each for each in verdicts if not each.chosen}),
    )


def region_title(connector: Connector, name: str) -> str:
    region = registry.regions(connector).get(name)
    return region.title if region else name


def _elsewhere(connector: Connector, tried: Mapping[str, str], answered: str) -> Iterable[tuple[str, str]]:
    for name, code in tried.items():
        if name != answered:
            yield region_title(connector, name), troubleshooting.hint(code, connector).title


def _verdicts(
    connector: Connector, connection: Connection, streams: Mapping[str, Mapping[str, Any]]
) -> Iterable[Verdict]:
    chosen = connector.chosen(connection.groups)
    for stream in connector.streams:
        if (found := streams.get(stream.name)) is not None:
            state = _checked_state(found, stream in chosen)
            gate = stream.gate if state.name != "pass" else ""
            facts = found["path"], found["status"], found["items"], gate
            yield Verdict(stream.name, stream in chosen, stream.title, stream.about, state, *facts)


def _checked_state(found: Mapping[str, Any], chosen: bool) -> State:
    """What the check kept of one stream; why it was not asked may have changed with the choice."""
    why = found["reason"]
    if found["verdict"] == checking.NOT_CHECKED and chosen and why.startswith(checking.NOT_CHOSEN):
        why = "It was chosen after the check: check again to see whether it may be read."
    return stream_state(found["verdict"], why)


# --- the schedule -----------------------------------------------------------------------------------

# What may be chosen, and what to know about it.
RHYTHMS: tuple[tuple[Schedule, str], ...] = (
    (Schedule.DAILY, "At a time of day."),
    (Schedule.WEEKLY, "On one day of the week, at a time of day."),
    (Schedule.HOURLY, "At each full hour."),
    (Schedule.CRON, "Anything else: working days, twice a day, the last day of the month."),
    (Schedule.MANUAL, "No sync starts by itself."),
)


@dataclass(frozen=True)
class Preview:
    """The next times of a plan: the moment, and how it reads in the plan's zone and in UTC."""

    plan: Plan
    times: tuple[tuple[datetime, str, str], ...]

    @property
    def words(self) -> str:
        return schedules.words(self.plan)

    @property
    def elsewhere(self) -> bool:
        """Whether its zone reads otherwise than UTC."""
        return any(here != utc for _, here, utc in self.times)


def preview(plan: Plan, now: datetime, count: int = 5) -> Preview:
    zone = schedules.zone_of(plan.zone)
    found = schedules.next_times(plan, now, count)
    return Preview(plan, tuple((at, _on_a_day(at, zone), _on_a_day(at, UTC)) for at in found))


def _on_a_day(at: datetime, zone: tzinfo) -> str:
    """`Wednesday, 25 Nov 2026, 06:30 CET`."""
    return f"{schedules.WEEKDAYS[at.astimezone(zone).weekday()]}, {said_time(at, zone=zone)}"


def schedule_words(connection: Connection) -> str:
    return schedules.words(connection.plan)


def took(run: SyncRun) -> timedelta | None:
    """How long the run has worked, None while it has not ended."""
    return run.finished_at - run.started_at if run.finished_at and run.started_at else None
