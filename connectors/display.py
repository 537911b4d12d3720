"""How a connection, a check and a run read to a person: a state, a sentence, and what to do. No HTML, no request."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

from . import checking, connections, registry, troubleshooting
from .models import Connection, ConnectionState, RunState, Schedule, SyncRun
from .spec import Actor, Connector, Coverage, Covered, Hint, Part, State, standing

STATES: Mapping[str, State] = {
    ConnectionState.DRAFT: State("none", "Draft", "Not finished: nothing is read yet."),
    ConnectionState.ACTIVE: State("pass", "Active"),
    ConnectionState.PAUSED: State("off", "Paused", "No sync starts until somebody resumes."),
    ConnectionState.DISCONNECTED: State("na", "Disconnected", "The token was wiped; what was read stays."),
}
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
_STREAMS: Mapping[str, State] = {
    "waiting": State("none", "Waiting"),
    "reading": State("run", "Reading"),
    checking.READABLE: State("pass", "Readable"),
    checking.NOT_CHECKED: State("none", "Not checked"),
}


def connection_state(connection: Connection) -> State:
    """The state with its reason; an active connection whose last sync failed says so."""
    if connection.state == ConnectionState.ACTIVE and connection.error_code:
        return State("failed", "Last sync failed", connection.error_code)
    return STATES[connection.state]


def run_state(state: str) -> State:
    return RUNS[state]


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
    chosen = connections.chosen_streams(connector, connection)
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


@dataclass(frozen=True)
class Rhythm:
    """A schedule that can be chosen, and its next three times."""

    value: str
    title: str
    times: tuple[datetime, ...]


def rhythms(hour: int, now: datetime) -> list[Rhythm]:
    return [Rhythm(choice.value, str(choice.label), _next_times(choice.value, hour, now)) for choice in Schedule]


def _next_times(schedule: str, hour: int, now: datetime, count: int = 3) -> tuple[datetime, ...]:
    times: list[datetime] = []
    while len(times) < count and (due := connections.next_time(schedule, hour, now)) is not None:
        times.append(due)
        now = due
    return tuple(times)


def schedule_words(connection: Connection) -> str:
    title = str(Schedule(connection.schedule).label)
    timed = connection.schedule in (Schedule.DAILY, Schedule.WEEKLY)
    return f"{title} at {connection.schedule_hour:02}:00 UTC" if timed else title


def took(run: SyncRun) -> timedelta | None:
    """How long the run has worked, None while it has not ended."""
    return run.finished_at - run.started_at if run.finished_at and run.started_at else None
