"""How a connection, a check and a run read to a person: a state, a sentence, and what to do. No HTML, no request."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from functools import partial
from typing import Any, Generic, TypeVar

from portal.templatetags.portal import said_time

from . import checking, locker, registry, rights, schedules, troubleshooting
from .explaining import MARKS, Asked, Exposed, Finding, exposures, findings
from .models import Connection, MissedRun, RunState, Schedule, SyncRun
from .rights import Advice, Cause
from .schedules import Plan
from .spec import MISSING, Actor, Connector, Coverage, Covered, Hint, Part, State, Stream, TokenRole, standing

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
}


def run_state(state: str) -> State:
    return RUNS[state]


def missed_state(missed: MissedRun) -> State:
    return _MISSED.get(missed.code, State("unknown", missed.code))


def stream_state(name: str, why: str = "", parts: Iterable[Part] = ()) -> State:
    """A stream's coverage or progress: whatever is not known says its own name."""
    if name in _STREAMS:
        return replace(_STREAMS[name], why=why)
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
    """One line of the table: a stream, whether this token may read it and why not, and the answer that says so.

    chosen  whether the connection reads it, as it stands now
    at      when its request was sent; None when none was
    needs   what its documentation names for it, where it was refused
    """

    stream: str
    chosen: bool
    title: str
    about: str
    cause: Cause
    state: State
    path: str
    status: int
    items: int | None
    at: datetime | None
    code: str
    why: str
    needs: str


@dataclass(frozen=True)
class Checked:
    """The last check of a connection as it reads. `code` is "" when the token opened a workspace.

    only    the cause by which `groups` and `left` are filtered, "" for all
    left    of what nobody chose
    advice  the least that would read what is chosen
    """

    code: str
    workspace: Mapping[str, str]
    region: str
    verdicts: tuple[Verdict, ...]
    trouble: Trouble | None
    findings: tuple[Finding, ...]
    exposed: tuple[Exposed, ...]
    advice: Advice
    only: str = ""
    groups: tuple[InGroup[Verdict], ...] = ()
    left: tuple[InGroup[Verdict], ...] = ()

    @property
    def counts(self) -> list[tuple[str, State, int]]:
        """(cause, its mark, how many streams), in the order of the causes."""
        counted = Counter(verdict.cause for verdict in self.verdicts)
        return [(cause.value, MARKS[cause], counted[cause]) for cause in Cause if counted[cause]]

    @property
    def unchosen(self) -> int:
        return sum(len(group.rows) for group in self.left)

    @property
    def readable(self) -> int:
        return sum(verdict.cause is Cause.READABLE for verdict in self.verdicts)


def checked(connection: Connection, only: str = "") -> Checked | None:
    """What the last check found; None when there was none since the token was given. `only`: see Checked."""
    found = connection.capabilities
    if not found:
        return None
    connector = registry.get(connection.connector)
    workspace = found.get("workspace") or {}
    role, chosen = rights.role_of(connector, connection.token_role), connector.chosen(connection.groups)
    verdicts = tuple(_verdicts(connector, chosen, found["streams"], role))
    code, happened = _outcome(connection, found)
    shown = [each for each in verdicts if each.cause == only] if only in set(Cause) else verdicts
    asked = [Asked(each.title, each.cause, each.chosen) for each in verdicts]
    return Checked(
        code=code,
        workspace=workspace,
        region=region_title(connector, found["region"]),
        verdicts=verdicts,
        trouble=trouble(code, happened, connector) if code else None,
        findings=findings(connector, found, asked, role, partial(region_title, connector)),
        exposed=exposures(connector, found),
        advice=rights.advice(connector, chosen, role),
        only=only if only in set(Cause) else "",
        groups=grouped(connector, {each.stream: each for each in shown if each.chosen}),
        left=grouped(connector, {each.stream: each for each in shown if not each.chosen}),
    )


def _outcome(connection: Connection, found: Mapping[str, Any]) -> tuple[str, str]:
    """The code of what is wrong and what happened; empty when the token opens the workspace that it should."""
    workspace, expected = found.get("workspace"), connection.workspace
    if workspace and expected is not None and workspace["id"] != expected.remote_id:
        return "wrong-workspace", f"The token now opens “{workspace['name']}”, not “{expected.name}”."
    return found["code"], found["message"]


def region_title(connector: Connector, name: str) -> str:
    region = registry.regions(connector).get(name)
    return region.title if region else name


def _verdicts(
    connector: Connector, chosen: Collection[Stream], streams: Mapping[str, Mapping[str, Any]], role: TokenRole | None
) -> Iterable[Verdict]:
    doubted = rights.contradicted(connector, {name: found["status"] for name, found in streams.items()}, role)
    for stream in connector.streams:
        if (found := streams.get(stream.name)) is None:
            continue
        cause = rights.cause(stream, found["verdict"], found["status"], role, doubted=doubted)
        yield Verdict(
            stream.name,
            stream in chosen,
            stream.title,
            stream.about,
            cause,
            replace(MARKS[cause], why=_answered(found, stream in chosen)),
            found["path"],
            found["status"],
            found["items"],
            datetime.fromisoformat(found["at"]) if found.get("at") else None,
            found.get("code", ""),
            rights.why(stream, cause, role),
            "" if cause in (Cause.READABLE, Cause.NOT_CHECKED) else stream.gate or "not documented",
        )


def _answered(found: Mapping[str, Any], chosen: bool) -> str:
    """What the check kept of one stream; why it was not asked may have changed with the choice."""
    why: str = found["reason"]
    if found["verdict"] == checking.NOT_CHECKED and chosen and why.startswith(checking.NOT_CHOSEN):
        return "It was chosen after the check: check again to see whether it may be read."
    return why


@dataclass(frozen=True)
class Lack:
    """A stream that the newest snapshot should have and has not whole: how it stands, and since which snapshot."""

    title: str
    state: State
    as_of: int


def lacks(connection: Connection) -> list[Lack]:
    """What makes a connection degraded, in the connector's order. Two queries, none when nothing lacks."""
    head = locker.newest(connection.workspace) if connection.lacking and connection.workspace else None
    said = locker.coverage_of(head) if head else {}
    found = []
    for stream in registry.get(connection.connector).streams:
        entry = said.get(stream.name)
        if entry is not None and Coverage(entry["coverage"]) in MISSING:
            state = stream_state(entry["coverage"], entry["reason"])
            found.append(Lack(stream.title, state, entry["as_of"]))
    return found


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
