"""What runs leave: receipts, and the tables of the chain. Each model says which module writes it."""

from django.conf import settings
from django.db import models

from portal.canon import WriteOnce

from .connections import Workspace
from .runs import SyncRun


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
    """Bytes of evidence, addressed by their sha256. Written by `locker`. Empty when they are gone: see `Erased`."""

    erasable = True

    sha256 = models.BinaryField(max_length=32, primary_key=True)
    size = models.PositiveIntegerField(help_text="Bytes before compression")
    codec = models.CharField(max_length=10, default="zstd")
    body = models.BinaryField()

    def __str__(self) -> str:
        return bytes(self.sha256).hex()[:16]


class Erased(WriteOnce):
    """An address whose bytes may be gone: the audit entry, which the ledger has sealed, says who and why, and holds
    the digest of the list of all its addresses. Written by `locker`.

    `forever`: the very same bytes are not kept again when they are read again. Addresses are those of blobs and of
    artifacts alike.
    """

    sha256 = models.BinaryField(max_length=32)
    audit = models.PositiveBigIntegerField(db_index=True)
    forever = models.BooleanField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["sha256", "audit"], name="listed_once_per_entry")]

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
        indexes = [models.Index(fields=["workspace", "published_at", "seq"], name="snapshots_by_time")]  # as of
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


class Anchor(WriteOnce):
    """Proof, kept outside, that a head was there: the file's bytes, the mail, or the token. Written by `anchors`."""

    class Kind(models.TextChoices):
        FOLDER = "folder", "Write-once folder"
        MAIL = "mail", "Mail"
        STAMP = "rfc3161", "Time stamp (RFC 3161)"

    workspace = models.ForeignKey(Workspace, on_delete=models.PROTECT, related_name="anchors")
    seq = models.PositiveIntegerField()
    header_sha256 = models.CharField(max_length=64)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    at = models.DateTimeField()
    proof = models.BinaryField()
    detail = models.CharField(max_length=300)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "kind", "seq", "header_sha256"], name="one_anchor")]
        indexes = [models.Index(fields=["header_sha256", "kind"], name="anchor_of_a_head")]
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"anchor {self.pk}"


class AnchorTry(models.Model):
    """A head that is to be anchored: when next, and why the last try came to nothing. Written by `anchors`."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(max_length=10, choices=Anchor.Kind.choices)
    next_at = models.DateTimeField()
    tried_at = models.DateTimeField(null=True)
    code = models.CharField(max_length=40, blank=True)
    message = models.CharField(max_length=500, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "kind"], name="one_try_per_kind")]
        ordering = ["-tried_at", "pk"]

    def __str__(self) -> str:
        return f"{self.kind} of {self.workspace}"


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
        permissions = [("acknowledge_anomaly", "Can say what explains an anomaly")]
        ordering = ["-snapshot_id", "stream"]

    def __str__(self) -> str:
        return f"{self.kind}: {self.stream} in {self.snapshot}"
