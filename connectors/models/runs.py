"""Sync runs and what keeps them going. Each model says which module writes it."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from portal.canon import WriteOnce

from .connections import Connection


class RunState(models.TextChoices):
    QUEUED = "queued", "Queued"
    RUNNING = "running", "Running"
    PUBLISHING = "publishing", "Publishing"
    PUBLISHED = "published", "Published"
    PARTIAL = "partial", "Published in part"
    FAILED = "failed", "Failed"
    ABANDONED = "abandoned", "Abandoned"
    CANCELLED = "cancelled", "Cancelled"


ACTIVE_STATES = (RunState.QUEUED, RunState.RUNNING, RunState.PUBLISHING)


class Lane(models.TextChoices):
    MAIN = "main", "Main"
    SLOW = "slow", "Slow lane"


class SyncRun(models.Model):
    """One attempt to read a workspace; written before the first request. Written by `runs` and `locker.publish`.

    The row is the lease: whoever holds it says so in `heartbeat_at`, and `fence` counts the holders, so that one
    who was taken for dead and wakes up cannot write any more.
    """

    connection = models.ForeignKey(Connection, on_delete=models.PROTECT, related_name="runs")
    lane = models.CharField(max_length=10, choices=Lane, default=Lane.MAIN)
    state = models.CharField(max_length=20, choices=RunState, default=RunState.QUEUED, db_index=True)
    trigger = models.CharField(max_length=20, default="person")
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    queued_at = models.DateTimeField()
    resume_at = models.DateTimeField(null=True, help_text="A queued run that was begun waits until then")
    started_at = models.DateTimeField(null=True)
    heartbeat_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    worker = models.CharField(max_length=120, blank=True)
    fence = models.PositiveIntegerField(default=0)
    lost = models.PositiveSmallIntegerField(default=0, help_text="How often its worker was lost")
    plan = models.CharField(max_length=64, blank=True, help_text="Digest of all that must be the same to go on")
    app_version = models.CharField(max_length=60, blank=True)
    token_fingerprint = models.CharField(max_length=24, blank=True)
    streams = models.JSONField(default=list, help_text="Names asked for; empty means all of the connection's")
    requests_done = models.PositiveIntegerField(default=0)
    requests_expected = models.PositiveIntegerField(default=0)
    records = models.PositiveIntegerField(default=0)
    now = models.CharField(max_length=120, blank=True, help_text="What it is doing, in words")
    error_code = models.CharField(max_length=60, blank=True)
    error_detail = models.CharField(max_length=500, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["connection", "lane"],
                condition=Q(state__in=["queued", "running", "publishing"]),
                name="one_active_run",
            )
        ]
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"Sync run {self.pk}"

    @property
    def active(self) -> bool:
        return self.state in ACTIVE_STATES


class MissedRun(WriteOnce):
    """A scheduled time that passed without a sync, and why. Written by `missed`."""

    connection = models.ForeignKey(Connection, on_delete=models.PROTECT, related_name="missed")
    due_at = models.DateTimeField()
    noticed_at = models.DateTimeField()
    times = models.PositiveIntegerField(default=1, help_text="Above 1: also that many less one before it, in one row")
    code = models.CharField(max_length=60)
    explanation = models.CharField(max_length=500)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="Whose pause explains it; None when nobody wished it",
    )

    class Meta:
        constraints = [models.UniqueConstraint(fields=["connection", "due_at"], name="one_row_per_missed_time")]
        ordering = ["-due_at", "-id"]

    def __str__(self) -> str:
        return f"{self.connection} missed {self.due_at}"


class RunStream(models.Model):
    """How far a run is with one stream, and in the end its coverage. Written by `desk`."""

    run = models.ForeignKey(SyncRun, on_delete=models.CASCADE, related_name="stream_rows")
    position = models.PositiveSmallIntegerField()
    stream = models.CharField(max_length=60)
    title = models.CharField(max_length=120)
    state = models.CharField(max_length=20, default="waiting")
    pages = models.PositiveIntegerField(default=0)
    expected = models.PositiveIntegerField(default=0)
    items = models.PositiveIntegerField(default=0)
    claimed = models.PositiveIntegerField(null=True)
    status = models.PositiveSmallIntegerField(default=0)
    code = models.CharField(max_length=60, blank=True)
    reason = models.CharField(max_length=500, blank=True)
    anomaly = models.CharField(max_length=20, blank=True)
    parts = models.JSONField(default=dict, help_text="Parent's key -> [coverage, reason] where it was not read")
    changed_api = models.JSONField(
        default=dict, help_text="Names of fields the service did not have before -> how often"
    )

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "stream"], name="one_row_per_stream")]
        ordering = ["position"]

    def __str__(self) -> str:
        return f"{self.stream} of run {self.run_id}"


class RunListing(models.Model):
    """A checkpoint: one listing of a run that has not ended, and how it stands. Written and deleted by `locker`."""

    run = models.ForeignKey(SyncRun, on_delete=models.CASCADE, related_name="+")
    number = models.PositiveIntegerField()
    body = models.JSONField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "number"], name="one_checkpoint_per_listing")]

    def __str__(self) -> str:
        return f"listing {self.number} of run {self.run_id}"


class RateWindow(models.Model):
    """How often a token has asked one class of endpoints in the running minute. Written by `limits`."""

    token = models.CharField(max_length=24, help_text="Fingerprint")
    endpoint = models.CharField(max_length=120)
    limit = models.PositiveIntegerField(null=True)
    granted = models.PositiveIntegerField(default=0)
    ends = models.DateTimeField(null=True)
    opens = models.DateTimeField(null=True, help_text="Nobody asks before this moment")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["token", "endpoint"], name="one_window_per_class")]

    def __str__(self) -> str:
        return f"{self.endpoint} of {self.token}"


class Heartbeat(models.Model):
    """One per worker machine: proof that its queue is dequeued, worked and saved. Written by `tasks.beat`."""

    worker = models.CharField(max_length=120, primary_key=True)
    at = models.DateTimeField()
    seals_with = models.CharField(
        max_length=24, blank=True, default="", help_text="Fingerprint of the key that its machine encrypts tokens with"
    )

    def __str__(self) -> str:
        return f"{self.worker} at {self.at}"
