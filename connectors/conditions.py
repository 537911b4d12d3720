"""How a connection is: one state, with its reason and since when, computed from what is stored. Decided in one place,
by the database, so that a list of ten thousand can be filtered and counted by it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any, TypeVar

from django.db.models import Case, CharField, Count, OuterRef, Q, QuerySet, Subquery, TextChoices, Value, When
from django.utils import timezone

from . import registry, troubleshooting
from .models import ACTIVE_STATES, Connection, ConnectionState, Lane, SyncPause, SyncRun
from .spec import State
from .spec.reports import StateName


class Condition(TextChoices):
    """In the order in which they are asked for: the first that applies is the one that is shown."""

    DISCONNECTED = "disconnected", "Disconnected"
    DRAFT = "draft", "Draft"
    PAUSED = "paused", "Paused"
    RATE_LIMITED = "rate-limited", "Rate-limited"
    SYNCING = "syncing", "Syncing"
    TOKEN_REJECTED = "token-rejected", "Token rejected"
    WRONG_WORKSPACE = "wrong-workspace", "Wrong workspace"
    UNREACHABLE = "unreachable", "Unreachable"
    FAILING = "failing", "Last sync failed"
    DEGRADED = "degraded", "Degraded"
    ROTATION_DUE = "rotation-due", "Rotation due"
    ACTIVE = "active", "Active"


REJECTED = (
    "token-rejected",
    "token-leaked",
    "token-unreadable",
    "token-missing",
    "token-misplaced",
    "replacement-undone",
)
UNREACHABLE = (
    "unreachable",
    "name-not-resolved",
    "ca-bundle",
    "timeout",
    "tls",
    "proxy",
    "service-error",
    "connection-broken",
    "not-json",
    "redirect",
)
# Those that somebody should look at.
TROUBLED = frozenset(
    {
        Condition.RATE_LIMITED,
        Condition.TOKEN_REJECTED,
        Condition.WRONG_WORKSPACE,
        Condition.UNREACHABLE,
        Condition.FAILING,
        Condition.DEGRADED,
        Condition.ROTATION_DUE,
    }
)
_MARKS: Mapping[Condition, StateName] = {
    Condition.DISCONNECTED: "na",
    Condition.DRAFT: "none",
    Condition.PAUSED: "off",
    Condition.RATE_LIMITED: "stale",
    Condition.SYNCING: "run",
    Condition.TOKEN_REJECTED: "denied",
    Condition.WRONG_WORKSPACE: "failed",
    Condition.UNREACHABLE: "failed",
    Condition.FAILING: "failed",
    Condition.DEGRADED: "partial",
    Condition.ROTATION_DUE: "stale",
    Condition.ACTIVE: "pass",
}
Rows = TypeVar("Rows", bound=QuerySet[Any])


def today(now: datetime) -> date:
    """The day on which tokens come of age: by the portal's own zone."""
    return timezone.localdate(now)


def with_condition(rows: Rows, now: datetime) -> Rows:
    """The connections with `condition`, and with the times that `since` needs. No token is loaded for it."""
    everything = SyncPause.objects.filter(connection=None, until__isnull=True)
    found = rows.annotate(
        run_since=Subquery(_active().filter(connection=OuterRef("pk")).order_by("queued_at").values("queued_at")[:1]),
        halted_since=Subquery(everything.values("since")[:1]),
    )
    return found.annotate(condition=_condition(today(now)))


def _active() -> QuerySet[SyncRun]:
    """Runs under way in the main lane. The slow one waits by its nature and holds nobody up, so it does not count."""
    return SyncRun.objects.filter(lane=Lane.MAIN, state__in=ACTIVE_STATES)


def _condition(day: date) -> Case:
    # Few runs are under way at a time: their connections are looked up once, and not for every row.
    syncing = Q(pk__in=_active().values("connection"))
    waiting = Q(pk__in=_active().filter(resume_at__isnull=False).values("connection"))
    asked: dict[Condition, Q] = {
        Condition.DISCONNECTED: Q(state=ConnectionState.DISCONNECTED),
        Condition.DRAFT: Q(state=ConnectionState.DRAFT),
        Condition.PAUSED: Q(state=ConnectionState.PAUSED) | (Q(halted_since__isnull=False) & ~syncing),
        Condition.RATE_LIMITED: waiting | (Q(error_code="rate-limited") & ~syncing),
        Condition.SYNCING: syncing,
        Condition.TOKEN_REJECTED: Q(error_code__in=REJECTED),
        Condition.WRONG_WORKSPACE: Q(error_code="wrong-workspace"),
        Condition.UNREACHABLE: Q(error_code__in=UNREACHABLE),
        Condition.FAILING: ~Q(error_code=""),
        Condition.DEGRADED: Q(lacking__gt=0),
        Condition.ROTATION_DUE: Q(rotate_on__lte=day),
    }
    cases = [When(applies, then=Value(condition.value)) for condition, applies in asked.items()]
    return Case(*cases, default=Value(Condition.ACTIVE.value), output_field=CharField())


def counts(now: datetime, rows: QuerySet[Any] | None = None) -> dict[Condition, int]:
    """How many connections there are of each condition, those of none left out; in the order of `Condition`."""
    held = Connection.objects.all() if rows is None else rows
    known: Any = with_condition(held, now)  # the stubs know no annotations
    counted = known.order_by().values("condition").annotate(many=Count("pk"))
    many = {row["condition"]: row["many"] for row in counted}
    return {each: many[each] for each in Condition if each in many}


@dataclass(frozen=True)
class Found:
    """A connection's condition as it reads. `why` is a sentence, `code` that of the error behind it, or ""."""

    condition: Condition
    state: State
    since: datetime | None
    code: str

    @property
    def troubled(self) -> bool:
        return self.condition in TROUBLED


def of(row: Any) -> Found:
    """The condition of a row that came through `with_condition`."""
    condition = Condition(row.condition)
    state = State(_MARKS[condition], condition.label, _why(row, condition))
    return Found(condition, state, _since(row, condition), row.error_code)


def now_of(connection: Connection, now: datetime) -> Found:
    """The condition of one connection. One query."""
    return of(with_condition(Connection.objects.filter(pk=connection.pk), now).get())


def _since(row: Any, condition: Condition) -> datetime | None:
    times: dict[Condition, datetime | None] = {
        Condition.DRAFT: row.created_at,
        Condition.SYNCING: row.run_since,
        Condition.RATE_LIMITED: row.run_since or row.since,
        Condition.ROTATION_DUE: _first_moment(row.rotate_on),
    }
    if condition == Condition.PAUSED and row.state != ConnectionState.PAUSED:
        found: datetime | None = row.halted_since
        return found
    return times.get(condition, row.since)


def _first_moment(day: date | None) -> datetime | None:
    return timezone.make_aware(datetime.combine(day, time())) if day else None


_WORDS: Mapping[Condition, str] = {
    Condition.DRAFT: "Not finished: nothing is read yet.",
    Condition.DISCONNECTED: "The token was wiped; what was read stays.",
    Condition.ACTIVE: "",
}


def _why(row: Any, condition: Condition) -> str:
    if condition in _WORDS:
        return _WORDS[condition]
    error = f"{_error(row)}." if row.error_code else ""
    if condition in (Condition.PAUSED, Condition.SYNCING):
        before = f"Before: {error}" if error else ""
        return f"{_paused(row)} {before}".strip() if condition == Condition.PAUSED else before
    if condition == Condition.DEGRADED:
        many = row.lacking
        return f"{many} stream{' was' if many == 1 else 's were'} not read whole for the newest snapshot."
    if condition == Condition.ROTATION_DUE:
        return f"The token is older than the {row.rotation_days} days that its policy allows."
    return error


def _paused(row: Any) -> str:
    own = row.state == ConnectionState.PAUSED
    return "No sync starts until somebody resumes." if own else "Everything is paused."


def _error(row: Any) -> str:
    return troubleshooting.hint(row.error_code, registry.get(row.connector)).title
