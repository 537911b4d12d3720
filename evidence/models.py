"""Artifacts, which people keep, and verifications. Each model says which module writes it."""

import uuid

from django.conf import settings
from django.db import models

from connectors.models import Snapshot, Workspace
from portal.canon import WriteOnce


class Artifact(WriteOnce):
    """A report of one snapshot, frozen as it was read: its bytes hash to `sha256` and never change."""

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    title = models.CharField(max_length=200)
    workspace = models.ForeignKey(Workspace, on_delete=models.PROTECT, related_name="artifacts")
    snapshot = models.ForeignKey(Snapshot, on_delete=models.PROTECT, related_name="artifacts")
    report = models.CharField(max_length=60)
    collected_at = models.DateTimeField(help_text="When the snapshot was published")
    kept_at = models.DateTimeField(db_index=True)
    kept_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    sha256 = models.CharField(max_length=64, help_text="Of the frozen document's canonical bytes")
    size = models.PositiveBigIntegerField(help_text="Bytes before compression")
    rows = models.PositiveIntegerField()
    body = models.BinaryField()

    class Meta:
        permissions = [
            ("view_evidence", "Can read workspaces, reports and artifacts"),
            ("capture_artifact", "Can keep a report as evidence"),
            ("export_evidence", "Can take reports and artifacts away"),
        ]
        ordering = ["-id"]

    def __str__(self) -> str:
        return self.title


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
