"""How far a run is and how long it will take. Pure: computed from the run's own fields and the time."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from connectors.models import RunState, SyncRun

ENOUGH = 5  # requests, before a guess is made of how long the rest takes
SILENT_AFTER = timedelta(seconds=20)


@dataclass(frozen=True)
class Progress:
    """`left` is None when nothing can be said of it; `silent` is how long the worker has said nothing, if long."""

    done: int
    expected: int
    records: int
    elapsed: timedelta | None
    left: timedelta | None
    silent: timedelta | None


def progress(run: SyncRun, now: datetime) -> Progress:
    """The rest is taken to go as fast as what is done; more requests may turn up on the way."""
    expected = max(run.requests_expected, run.requests_done)
    return Progress(
        done=run.requests_done,
        expected=expected,
        records=run.records,
        elapsed=(run.finished_at or now) - run.started_at if run.started_at else None,
        left=_left(run, expected, now),
        silent=_silent(run, now),
    )


def _left(run: SyncRun, expected: int, now: datetime) -> timedelta | None:
    if run.state != RunState.RUNNING or run.started_at is None or run.requests_done < ENOUGH:
        return None
    pace = (now - run.started_at) / run.requests_done
    return max(pace * (expected - run.requests_done), timedelta(0))


def _silent(run: SyncRun, now: datetime) -> timedelta | None:
    if run.state not in (RunState.RUNNING, RunState.PUBLISHING) or run.heartbeat_at is None:
        return None
    quiet = now - run.heartbeat_at
    return quiet if quiet > SILENT_AFTER else None
