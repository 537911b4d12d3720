"""Verifications; erasures and retention. Each model says which module writes it."""

from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from connectors.models import SecretTextField, Workspace


class Outcome(models.TextChoices):
    """Where a verification stands, or how it ended."""

    QUEUED = "queued", "Waiting for the worker"
    RUNNING = "running", "Under way"
    PASSED = "passed", "No fault found"
    FAULTY = "faulty", "Faults found"
    BROKEN = "broken", "Broke off"
    LOST = "lost", "Lost"


class Verification(models.Model):
    """One proof of everything that is stored. Written by `verifications` alone.

    active  True while it waits or works in the queue, else nothing: so there is at most one
    lines   per invariant: what was covered, how many faults, and the first of them
    covered how many workspaces, snapshots, changes, blobs, artifacts and ledger entries
    heads   uid of each workspace -> number and digest of the newest snapshot that was proved
    """

    trigger = models.CharField(max_length=10)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    state = models.CharField(max_length=10, choices=Outcome.choices)
    active = models.BooleanField(null=True, unique=True)
    queued_at = models.DateTimeField(db_index=True)
    started_at = models.DateTimeField(null=True)
    heartbeat_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    worker = models.CharField(max_length=120, blank=True)
    done = models.PositiveBigIntegerField(default=0)
    expected = models.PositiveBigIntegerField(default=0)
    faults = models.PositiveIntegerField(default=0)
    lines = models.JSONField(default=list)
    covered = models.JSONField(default=dict)
    heads = models.JSONField(default=dict)
    memory = models.PositiveBigIntegerField(default=0, help_text="Bytes: the most that its process ever held")
    detail = models.CharField(max_length=500, blank=True)

    class Meta:
        permissions = [("verify_evidence", "Can have everything that is stored verified")]
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"Verification {self.pk}"

    @property
    def under_way(self) -> bool:
        return self.state in (Outcome.QUEUED, Outcome.RUNNING)


class Stage(models.TextChoices):
    """Where an erasure stands."""

    SEARCHING = "searching", "Being searched for"
    EMPTY = "empty", "Nothing found"
    PROPOSED = "proposed", "Waits for a second person"
    WITHDRAWN = "withdrawn", "Withdrawn"
    CONFIRMED = "confirmed", "Being erased"
    DONE = "done", "Erased"


class WithoutNeedle(models.Manager["Erasure"]):
    """Lists never load what was searched for."""

    def get_queryset(self) -> models.QuerySet["Erasure"]:
        return super().get_queryset().defer("needle")


class Erasure(models.Model):
    """One person's data to be erased: searched for, shown, confirmed by a second person. Written by `erasures` alone.

    needle     what is searched for, encrypted; gone as soon as the search has ended
    hint       what people may still read of it: `m…@e….com`; `print` is its keyed fingerprint
    blobs      addresses of the records that hold it, in hex; `artifacts` the numbers of versions of artifacts
    counts     how many records of each stream; stays: what cannot go, requests of the signed log and keys that name it
    audit      number of the audit entry that says who and why, once it was confirmed
    """

    workspace = models.ForeignKey(Workspace, null=True, on_delete=models.PROTECT, related_name="+")
    needle = SecretTextField(null=True)
    print = models.CharField(max_length=24)
    hint = models.CharField(max_length=80)
    reason = models.CharField(max_length=300)
    stage = models.CharField(max_length=10, choices=Stage.choices, default=Stage.SEARCHING, db_index=True)
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    asked_at = models.DateTimeField()
    heartbeat_at = models.DateTimeField()
    done = models.PositiveBigIntegerField(default=0)
    expected = models.PositiveBigIntegerField(default=0)
    blobs: Any = models.JSONField(default=list)
    artifacts: Any = models.JSONField(default=list)
    counts: Any = models.JSONField(default=dict)
    stays: Any = models.JSONField(default=dict)
    searched_at = models.DateTimeField(null=True)
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    decided_at = models.DateTimeField(null=True)
    audit = models.PositiveBigIntegerField(null=True, unique=True)
    finished_at = models.DateTimeField(null=True)

    objects = WithoutNeedle()

    class Meta:
        base_manager_name = "objects"
        constraints = [
            models.CheckConstraint(
                condition=~Q(stage__in=["confirmed", "done"]) | (Q(audit__isnull=False) & ~Q(decided_by=F("asked_by"))),
                name="two_people_erase",
            )
        ]
        permissions = [("erase_evidence", "Can have data erased, and say how long it is kept")]
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"Erasure {self.pk}"

    @property
    def found(self) -> int:
        return len(self.blobs) + len(self.artifacts)


class Keep(models.TextChoices):
    ALL = "all", "Everything"
    DAYS = "days", "By days"
    SNAPSHOTS = "snapshots", "By number of snapshots"


class Retention(models.Model):
    """How long a workspace's records are kept, and whether a legal hold stops that. Written by `retention` alone.

    `hold` says why nothing may go; "" when no hold stands.
    """

    workspace = models.OneToOneField(Workspace, on_delete=models.PROTECT, related_name="retention")
    keep = models.CharField(max_length=10, choices=Keep.choices, default=Keep.ALL)
    number = models.PositiveIntegerField(default=0)
    hold = models.CharField(max_length=300, blank=True)
    held_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    held_at = models.DateTimeField(null=True)
    ran_at = models.DateTimeField(null=True, help_text="When it was last looked for what may go")

    def __str__(self) -> str:
        return f"Retention of {self.workspace}"
