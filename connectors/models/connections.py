"""Workspaces and the connections that read them. Each model says which module writes it."""

import uuid
from datetime import datetime, time
from typing import Any, TypeVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Coalesce
from fernet_fields import EncryptedTextField

from ..schedules import LONGEST, WEEKDAYS, Plan

ROTATION_DAYS = 90  # how old a token may become where nobody says otherwise


class Ciphertext:
    """A secret as it lies in the database. Loading a row opens nothing: only `opened` does."""

    __slots__ = ("_field", "stored")

    def __init__(self, stored: bytes, field: "SecretTextField") -> None:
        self.stored, self._field = stored, field

    def opened(self) -> str:
        """The secret in clear. Raises InvalidToken when no key opens it."""
        return str(self._field.fernet.decrypt(self.stored), "utf-8")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Ciphertext) and other.stored == self.stored

    def __hash__(self) -> int:
        return hash(self.stored)

    def __repr__(self) -> str:
        return "<sealed>"


class SecretTextField(EncryptedTextField):  # type: ignore[misc]  # the library has no types
    """An encrypted text that no dump, no bulk update and no list may carry about, and that no load decrypts.

    `bulk_update` would otherwise store the encryption of its own SQL expression and lose the secret.
    """

    def from_db_value(self, value: Any, *rest: Any) -> Ciphertext | None:
        return None if value is None else Ciphertext(bytes(value), self)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["serialize"] = False
        super().__init__(*args, **kwargs)

    def deconstruct(self) -> Any:
        """Under the name by which migrations know it, wherever the class is kept."""
        name, _, args, kwargs = super().deconstruct()
        return name, "connectors.models.SecretTextField", args, kwargs

    def get_db_prep_save(self, value: Any, connection: Any) -> Any:
        if isinstance(value, Ciphertext):
            return connection.Database.Binary(value.stored)
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


class Environment(models.TextChoices):
    """What a workspace is used for; a name and a colour on every page that names it."""

    PRODUCTION = "production", "Production"
    STAGING = "staging", "Staging"
    DEVELOPMENT = "development", "Development"
    UNSAID = "", "Not said"


Row = TypeVar("Row", bound=models.Model)


class WithoutToken(models.Manager[Row]):
    """Lists and pages never load a token, so none of them can decrypt or leak it."""

    def get_queryset(self) -> models.QuerySet[Row]:
        return super().get_queryset().defer("token")


class Token(models.Model):
    """A credential at rest, with what is known of it, and what the last check of it found."""

    token: Any = SecretTextField(blank=True, default="", editable=False)
    token_hint = models.CharField(max_length=4, blank=True)
    token_fingerprint = models.CharField(max_length=24, blank=True)
    token_role = models.CharField(max_length=20, blank=True)
    token_since = models.DateTimeField(null=True, blank=True, help_text="When it was stored here")
    token_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    token_made = models.DateField(null=True, blank=True, help_text="When it was made in the service, as somebody said")
    token_used_at = models.DateTimeField(null=True, blank=True, help_text="When its own workspace last answered it")
    capabilities = models.JSONField(default=dict, help_text="What the last check found, stream by stream")
    checked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        abstract = True


class Connection(Token):
    """One credential for one workspace. The wizard's memory is this row. Written by `connections` alone.

    `state` is what people decided; what is the matter besides stands in `error_code` and `lacking`, both since `since`.
    """

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(max_length=120)
    environment = models.CharField(max_length=20, choices=Environment, default=Environment.UNSAID, blank=True)
    contacts: Any = models.JSONField(default=list, blank=True, help_text="E-mail addresses of who looks after it")
    connector = models.CharField(max_length=40)
    region = models.CharField(max_length=20, blank=True)
    workspace = models.ForeignKey(Workspace, null=True, blank=True, on_delete=models.PROTECT)
    state = models.CharField(max_length=20, choices=ConnectionState, default=ConnectionState.DRAFT, db_index=True)
    rotation_days = models.PositiveSmallIntegerField(
        default=ROTATION_DAYS, help_text="How old its token may become; 0 when nobody is to be reminded"
    )
    rotate_on = models.DateField(null=True, blank=True, help_text="The day on which its token is that old")
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
    lacking = models.PositiveSmallIntegerField(
        default=0, help_text="Streams of its newest snapshot that should have been read and were not"
    )
    since = models.DateTimeField(null=True, blank=True, help_text="Since when state, error and lack are what they are")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField()

    objects = WithoutToken["Connection"]()

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
            models.CheckConstraint(
                condition=~Q(state="active") | (~Q(token_fingerprint="") & Q(token_used_at__isnull=False)),
                name="active_was_answered",
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


class SpareToken(Token):
    """Beside a connection's token: one that is being tried, or the one before, until the new one has read the
    workspace. Written by `connections` alone."""

    CANDIDATE, PREVIOUS = "candidate", "previous"
    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="spares")
    kind = models.CharField(max_length=10, choices=[(CANDIDATE, "To be tried"), (PREVIOUS, "The one before")])

    objects = WithoutToken["SpareToken"]()

    class Meta:
        base_manager_name = "objects"
        constraints = [models.UniqueConstraint(fields=["connection", "kind"], name="one_spare_of_a_kind")]

    def __str__(self) -> str:
        return f"Spare token of {self.connection_id}"


class Diagnosis(models.Model):
    """Live probes of one connection, step by step, and what each said; never a token. Written by `diagnosis`.

    What is looked at is fixed when it begins: the region, the token (by its fingerprint) and the groups of streams.
    """

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="diagnoses")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    region = models.CharField(max_length=20)
    token_fingerprint = models.CharField(max_length=24, blank=True)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    steps: Any = models.JSONField(default=list, help_text="In their order; those that ended say how")
    done = models.PositiveSmallIntegerField(default=0, help_text="How many steps have ended")
    claimed_at = models.DateTimeField(null=True, help_text="Since when somebody is at the next step")

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "diagnoses"

    def __str__(self) -> str:
        return f"Diagnosis {self.pk}"


class Reminder(models.Model):
    """That a token comes of age was said: once for each day and number of days before it. Written by `reminders`."""

    connection = models.ForeignKey(Connection, on_delete=models.PROTECT, related_name="reminders")
    rotate_on = models.DateField()
    days = models.PositiveSmallIntegerField(help_text="How many days before; 0 on the day")
    at = models.DateTimeField()
    mail_at = models.DateTimeField(null=True, help_text="When to send the mail; None when nothing is left to do")
    mailed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["connection", "rotate_on", "days"], name="reminded_once")]
        ordering = ["-at"]

    def __str__(self) -> str:
        return f"{self.connection}: {self.days} days before {self.rotate_on}"


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
