"""Connections, sync runs and the locker's tables. Each says which module writes it."""

import uuid
from datetime import datetime, time
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Coalesce
from fernet_fields import EncryptedTextField

from portal.canon import WriteOnce

from .schedules import LONGEST, WEEKDAYS, Plan


class SecretTextField(EncryptedTextField):  # type: ignore[misc]  # the library has no types
    """An encrypted text that no dump, no bulk update and no list may carry about.

    `bulk_update` would otherwise store the encryption of its own SQL expression and lose the secret.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["serialize"] = False
        super().__init__(*args, **kwargs)

    def get_db_prep_save(self, value: Any, connection: Any) -> Any:
        return value if hasattr(value, "as_sql") else super().get_db_prep_save(value, connection)


class Workspace(models.Model):
    """An account as its service names it; the owner of a chain of snapshots. Written by `connections` and `locker`."""

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    connector = models.CharField(max_length=40)
    remote_id = models.CharField(max_length=120)
    region = models.CharField(max_length=20)
    slug = models.CharField(max_length=254)
    name = models.CharField(max_length=254)
    head = models.PositiveIntegerField(default=0, help_text="Number of its newest snapshot; 0 before the first")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["connector", "remote_id"], name="one_workspace")]
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class ConnectionState(models.TextChoices):
    DRAFT = "draft", "Draft"
    ACTIVE = "active", "Active"
    PAUSED = "paused", "Paused"
    DISCONNECTED = "disconnected", "Disconnected"


class Schedule(models.TextChoices):
    MANUAL = "manual", "Only when somebody asks"
    HOURLY = "hourly", "Every hour"
    DAILY = "daily", "Every day"
    WEEKLY = "weekly", "Every week"
    CRON = "cron", "By cron text"


def portal_zone() -> str:
    """The zone in which a new connection's schedule counts."""
    return str(settings.TIME_ZONE)


class WithoutToken(models.Manager["Connection"]):
    """Lists and pages never load the token, so none of them can decrypt or leak it."""

    def get_queryset(self) -> models.QuerySet["Connection"]:
        return super().get_queryset().defer("token")


class Connection(models.Model):
    """One credential for one workspace. The wizard's memory is this row. Written by `connections` alone."""

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(max_length=120)
    connector = models.CharField(max_length=40)
    region = models.CharField(max_length=20, blank=True)
    workspace = models.ForeignKey(Workspace, null=True, blank=True, on_delete=models.PROTECT)
    state = models.CharField(max_length=20, choices=ConnectionState, default=ConnectionState.DRAFT, db_index=True)
    token: Any = SecretTextField(blank=True, default="", editable=False)
    token_hint = models.CharField(max_length=4, blank=True)
    token_fingerprint = models.CharField(max_length=24, blank=True)
    token_role = models.CharField(max_length=20, blank=True)
    token_since = models.DateTimeField(null=True, blank=True)
    capabilities = models.JSONField(default=dict, help_text="What the last check found, stream by stream")
    checked_at = models.DateTimeField(null=True, blank=True)
    groups: Any = models.JSONField(
        null=True, blank=True, help_text="Names of the groups of streams that are read; null for the standard ones"
    )
    keep_code = models.BooleanField(default=False, help_text="Whether programs are kept as text")
    schedule = models.CharField(max_length=20, choices=Schedule, default=Schedule.DAILY)
    schedule_time = models.TimeField(default=time(6))
    schedule_weekday = models.PositiveSmallIntegerField(choices=list(enumerate(WEEKDAYS)), default=0)
    schedule_zone = models.CharField(max_length=64, default=portal_zone)
    schedule_cron = models.CharField(max_length=LONGEST, blank=True)
    next_sync = models.DateTimeField(
        null=True,
        blank=True,
        db_index=True,
        help_text="The next time to account for: by a sync, or while paused by a missed run",
    )
    error_code = models.CharField(max_length=60, blank=True)
    error_at = models.DateTimeField(null=True, blank=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField()

    objects = WithoutToken()

    class Meta:
        # The default manager leaves the token out; the base manager must as well, for admin and relations.
        base_manager_name = "objects"
        constraints = [
            models.UniqueConstraint(
                fields=["token_fingerprint"], condition=~Q(token_fingerprint=""), name="one_connection_per_token"
            ),
            models.UniqueConstraint(
                fields=["workspace"],
                condition=Q(workspace__isnull=False) & ~Q(state="disconnected"),
                name="one_connection_per_workspace",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["active", "paused"]) | Q(workspace__isnull=False), name="active_has_workspace"
            ),
        ]
        permissions = [
            ("sync_connection", "Can ask for a sync"),
            ("manage_connection", "Can connect, check, pause and disconnect"),
        ]
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def plan(self) -> Plan:
        return Plan(
            self.schedule, self.schedule_time, self.schedule_weekday, self.schedule_zone, cron=self.schedule_cron
        )

    @property
    def starts_next(self) -> datetime | None:
        """When the next sync starts by itself; None when none does."""
        return self.next_sync if self.state == ConnectionState.ACTIVE else None


class SyncPause(models.Model):
    """A time in which nothing starts: for one connection, or for all of them. Written by `pauses`."""

    connection = models.ForeignKey(
        Connection, null=True, on_delete=models.PROTECT, related_name="pauses", help_text="None: everything is paused"
    )
    since = models.DateTimeField()
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    reason = models.CharField(max_length=300, blank=True)
    until = models.DateTimeField(null=True)
    ended_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                Coalesce("connection_id", 0, output_field=models.BigIntegerField()),
                condition=Q(until__isnull=True),
                name="one_standing_pause",
            )
        ]
        ordering = ["-since"]

    def __str__(self) -> str:
        return f"Pause of {self.connection or 'everything'} since {self.since}"


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


class Receipt(WriteOnce):
    """One request as it was answered; never its headers, never its body. Written by `locker.write_receipts`."""

    run = models.ForeignKey(SyncRun, on_delete=models.PROTECT, related_name="receipts")
    n = models.PositiveIntegerField()
    path = models.CharField(max_length=500)
    query = models.CharField(max_length=500, blank=True)
    status = models.PositiveSmallIntegerField(help_text="0 when no answer came")
    attempt = models.PositiveSmallIntegerField(default=1)
    sent_at = models.DateTimeField()
    ms = models.PositiveIntegerField()
    size = models.PositiveBigIntegerField()
    sha256 = models.BinaryField(max_length=32, help_text="Of the body's bytes as they came")
    request_id = models.CharField(max_length=80, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "n"], name="one_receipt_per_request")]
        ordering = ["run", "n"]

    def __str__(self) -> str:
        return f"{self.status} {self.path}"


class StagedRecord(models.Model):
    """A record that a run has read and not yet published. Written and deleted by `locker`."""

    run = models.ForeignKey(SyncRun, on_delete=models.CASCADE, related_name="+")
    listing = models.PositiveIntegerField(default=0)
    stream = models.CharField(max_length=60)
    key = models.CharField(max_length=254)
    sha256 = models.BinaryField(max_length=32)
    size = models.PositiveIntegerField()
    body = models.BinaryField()

    class Meta:
        indexes = [models.Index(fields=["run", "stream", "key"], name="staged_order")]

    def __str__(self) -> str:
        return f"{self.stream} {self.key}"


class Blob(WriteOnce):
    """Bytes of evidence, addressed by their sha256. Written by `locker`."""

    sha256 = models.BinaryField(max_length=32, primary_key=True)
    size = models.PositiveIntegerField(help_text="Bytes before compression")
    codec = models.CharField(max_length=10, default="zstd")
    body = models.BinaryField()

    def __str__(self) -> str:
        return bytes(self.sha256).hex()[:16]


class Snapshot(WriteOnce):
    """What a run published: a numbered, signed header in its workspace's chain. Written by `locker`."""

    workspace = models.ForeignKey(Workspace, on_delete=models.PROTECT, related_name="snapshots")
    seq = models.PositiveIntegerField()
    run = models.OneToOneField(SyncRun, on_delete=models.PROTECT, related_name="snapshot")
    header = models.BinaryField()
    header_sha256 = models.CharField(max_length=64, unique=True)
    previous_sha256 = models.CharField(max_length=64)
    signature = models.BinaryField(max_length=64)
    key_id = models.CharField(max_length=16)
    published_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace", "seq"], name="one_snapshot_per_number"),
            models.UniqueConstraint(fields=["workspace", "previous_sha256"], name="no_forks"),
        ]
        ordering = ["workspace", "-seq"]

    def __str__(self) -> str:
        return f"Snapshot {self.seq} of {self.workspace}"


class Change(WriteOnce):
    """One record added or changed (its blob) or removed (no blob) by a snapshot. Written by `locker`."""

    workspace = models.ForeignKey(Workspace, on_delete=models.PROTECT, related_name="+", db_index=False)
    stream = models.CharField(max_length=60)
    key = models.CharField(max_length=254)
    seq = models.PositiveIntegerField()
    sha256 = models.BinaryField(max_length=32, null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace", "stream", "key", "seq"], name="one_change_per_record")
        ]
        indexes = [models.Index(fields=["workspace", "seq"], name="changes_of_a_snapshot")]

    def __str__(self) -> str:
        return f"{self.stream} {self.key} in {self.seq}"


class Anomaly(models.Model):
    """Something about a snapshot that a person should look at. Written by `anomalies`."""

    snapshot = models.ForeignKey(Snapshot, on_delete=models.PROTECT, related_name="anomalies")
    stream = models.CharField(max_length=60)
    title = models.CharField(max_length=120)
    kind = models.CharField(max_length=20)
    detail = models.CharField(max_length=500)
    acknowledged_at = models.DateTimeField(null=True)
    acknowledged_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    explanation = models.CharField(max_length=500, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["snapshot", "stream"], name="one_anomaly_per_stream")]
        ordering = ["-snapshot_id", "stream"]

    def __str__(self) -> str:
        return f"{self.kind}: {self.stream} in {self.snapshot}"


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

    def __str__(self) -> str:
        return f"{self.worker} at {self.at}"
