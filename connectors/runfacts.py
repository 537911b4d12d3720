"""What is known of a run beside its streams and requests: its token, its snapshot and what is odd about it, what was
missed near it, and which runs came before and after."""

from dataclasses import dataclass
from datetime import timedelta

from django.db.models import QuerySet

from . import anomalies, missed
from .models import Anomaly, MissedRun, Snapshot, SpareToken, SyncRun

NEAR = timedelta(days=1)
MOST_MISSED = 20


@dataclass(frozen=True)
class TokenUsed:
    """The token that a run read with: its last four characters where the portal still holds it, and what it is now."""

    fingerprint: str
    hint: str
    words: str


def token_of(run: SyncRun) -> TokenUsed:
    """At most one query."""
    used, connection = run.token_fingerprint, run.connection
    if not used:
        return TokenUsed("", "", "None: the run ended before it took one")
    if used == connection.token_fingerprint:
        return TokenUsed(used, connection.token_hint, "The one in use")
    spare = SpareToken.objects.filter(connection=connection, token_fingerprint=used).first()
    if spare is not None:
        return TokenUsed(used, spare.token_hint, spare.get_kind_display())
    return TokenUsed(used, "", "One that the portal no longer holds")


def snapshot_of(run: SyncRun) -> Snapshot | None:
    """What the run published; without its header."""
    return Snapshot.objects.filter(run=run).only("seq", "workspace").first()


def anomalies_of(run: SyncRun) -> QuerySet[Anomaly]:
    """What is odd about what the run published."""
    return anomalies.listed().filter(snapshot__run=run)


def missed_near(run: SyncRun) -> QuerySet[MissedRun]:
    """Times of the connection that passed without a sync less than a day before or after the run."""
    ended = run.finished_at or run.heartbeat_at or run.queued_at
    near = missed.listed().filter(connection=run.connection)
    return near.filter(due_at__gte=run.queued_at - NEAR, due_at__lte=ended + NEAR)[:MOST_MISSED]


def neighbours(run: SyncRun) -> tuple[SyncRun | None, SyncRun | None]:
    """The runs of the same connection and lane before and after this one."""
    others = SyncRun.objects.filter(connection=run.connection, lane=run.lane)
    return others.filter(pk__lt=run.pk).order_by("-pk").first(), others.filter(pk__gt=run.pk).order_by("pk").first()
