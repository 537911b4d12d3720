"""The steps of a diagnosis: their order, how one ended, and which make no sense after what came before. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any

from ..spec import Connector, State


class Outcome(StrEnum):
    """How a step, or one line of it, ended. What was not tried is never called failed."""

    WAITING = "waiting"
    PASSED = "passed"
    PARTIAL = "partial"
    DENIED = "denied"
    OFF = "not-enabled"
    FAILED = "failed"
    UNKNOWN = "unknown"
    NOT_ASKED = "not-asked"
    NOT_APPLICABLE = "not-applicable"
    NOT_TRIED = "not-tried"


MARKS: Mapping[str, State] = {
    Outcome.WAITING: State("none", "Waiting"),
    Outcome.PASSED: State("pass", "Passed"),
    Outcome.PARTIAL: State("partial", "In part"),
    Outcome.DENIED: State("denied", "Denied"),
    Outcome.OFF: State("off", "Not enabled"),
    Outcome.FAILED: State("failed", "Failed"),
    Outcome.UNKNOWN: State("unknown", "Unknown"),
    Outcome.NOT_ASKED: State("none", "Not asked"),
    Outcome.NOT_APPLICABLE: State("na", "Not applicable"),
    Outcome.NOT_TRIED: State("none", "Not tried"),
}
RUNNING = State("run", "Running")


@dataclass(frozen=True)
class Line:
    """One thing that a step looked at."""

    title: str
    state: Outcome
    said: str = ""
    code: str = ""

    @property
    def mark(self) -> State:
        return MARKS[self.state]


@dataclass(frozen=True)
class Result:
    """How a step ended. `region` is the one that answered the token, for the steps that follow."""

    state: Outcome
    said: str
    code: str = ""
    lines: tuple[Line, ...] = ()
    region: str = ""


@dataclass(frozen=True)
class Step:
    """`at` is when it was begun (ISO 8601, UTC), `ms` how long it took."""

    name: str
    title: str
    state: Outcome = Outcome.WAITING
    said: str = ""
    code: str = ""
    ms: int | None = None
    at: str = ""
    lines: tuple[Line, ...] = ()
    region: str = ""

    @property
    def mark(self) -> State:
        return MARKS[self.state]

    @property
    def group(self) -> str:
        """The group of streams that it asks, "" for the other steps."""
        return self.name.removeprefix(STREAMS) if self.name.startswith(STREAMS) else ""

    def ended(self, result: Result, at: str, ms: int) -> "Step":
        found = asdict(result) | {"lines": result.lines}
        return replace(self, **found, at=at, ms=ms)


STREAMS = "streams:"
_BEFORE = (
    ("proxy", "Proxy"),
    ("name", "Name resolution"),
    ("reach", "Connection"),
    ("tls", "TLS"),
    ("clock", "Answer and clock"),
    ("token", "Token"),
    ("regions", "Regions"),
    ("identity", "Workspace"),
)
_NEEDS: Mapping[str, tuple[str, ...]] = {
    "reach": ("name",),
    "tls": ("reach",),
    "clock": ("tls",),
    "regions": ("token",),
    "identity": ("regions",),
    "limits": ("token",),
}
_BLOCKS = frozenset({Outcome.FAILED, Outcome.NOT_TRIED})
# After these, the next group of streams would fail in the same way, or make it worse.
_SILENT = frozenset({"timeout", "unreachable", "name-not-resolved", "proxy", "tls", "ca-bundle"})


def plan(connector: Connector) -> list[Step]:
    """All steps in their order, a step for each group of streams; from the way there to what the token may read."""
    groups = [(f"{STREAMS}{group.name}", f"Streams: {group.title}") for group in connector.groups]
    return [Step(name, title) for name, title in (*_BEFORE, *groups, ("limits", "Limits left"))]


def hindrance(done: Sequence[Step], step: Step) -> str:
    """Why a step makes no sense after what came before it, a sentence; "" when it does."""
    needed = ("identity",) if step.group else _NEEDS.get(step.name, ())
    for before in done:
        if before.name in needed and before.state in _BLOCKS and not before.region:
            return f"It would tell nothing new: “{before.title}” did not pass."
        if step.group and before.group and before.state is not Outcome.NOT_TRIED and _is_the_end(before):
            return f"The service did not go on answering at “{before.title}”."
    return ""


def _is_the_end(step: Step) -> bool:
    return step.code in ("rate-limited", "token-rejected") or (step.state is Outcome.FAILED and step.code in _SILENT)


def way_is_closed(done: Iterable[Step]) -> bool:
    """Whether the host of the chosen region could not be spoken to, so that no token is sent there."""
    return any(step.name in ("name", "reach", "tls") and step.state in _BLOCKS for step in done)


def answering(done: Iterable[Step]) -> str:
    """The region that answered the token, "" when none did."""
    return next((step.region for step in done if step.region), "")


def culprit(steps: Iterable[Step]) -> Step | None:
    """The step to look at first: the first that failed, else the first that is not whole."""
    held = list(steps)
    worst = (Outcome.FAILED,), (Outcome.PARTIAL, Outcome.DENIED), (Outcome.UNKNOWN,)
    return next((step for states in worst for step in held if step.state in states), None)


# --- as they are stored ---------------------------------------------------------------------------------


def as_json(steps: Iterable[Step]) -> list[dict[str, Any]]:
    return [asdict(step) for step in steps]


def from_json(stored: Iterable[Mapping[str, Any]]) -> list[Step]:
    return [
        Step(**{**each, "state": Outcome(each["state"]), "lines": tuple(_line(line) for line in each["lines"])})
        for each in stored
    ]


def _line(stored: Mapping[str, Any]) -> Line:
    return Line(**{**stored, "state": Outcome(stored["state"])})
