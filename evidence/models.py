"""Artifacts: pieces of evidence that people manage. Written by `artifacts` alone."""

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
