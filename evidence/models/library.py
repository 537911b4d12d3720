"""Artifacts: what people manage, its versions, which never change, and how each version stands with its reviewers."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q

from connectors.models import Snapshot, Workspace
from portal.canon import WriteOnce

from .frameworks import Control


class State(models.TextChoices):
    """How a version stands. An artifact's state is that of its newest version."""

    DRAFT = "draft", "Draft"
    REVIEW = "review", "In review"
    ACCEPTED = "accepted", "Accepted"
    REJECTED = "rejected", "Rejected"
    EXPIRED = "expired", "Expired"
    SUPERSEDED = "superseded", "Superseded"


class Kind(models.TextChoices):
    REPORT = "report", "Captured report"
    FILE = "file", "Uploaded file"


class Source(models.TextChoices):
    """By which way a version came in."""

    REPORT = "report", "Report"
    UPLOAD = "upload", "Upload"
    ACTION = "action", "Action"
    REQUEST = "request", "Audit request"
    RULE = "rule", "Captured by rule"


class Every(models.TextChoices):
    """How often a report is captured anew by itself."""

    NEVER = "", "Never"
    MONTH = "month", "Each month"
    QUARTER = "quarter", "Each quarter"
    YEAR = "year", "Each year"


class Tag(models.Model):
    """A word that people put on artifacts. Written by `library.shelf`."""

    name = models.CharField(max_length=60, unique=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Collection(models.Model):
    """A folder of artifacts; an artifact may lie in several. Written by `library.shelf`."""

    name = models.CharField(max_length=120, unique=True)
    about = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField()
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Artifact(models.Model):
    """One piece of evidence that people manage. Written by `library` alone, together with what it sums up.

    The second part repeats what the newest version says, so that a hundred thousand can be listed, filtered and sorted:
    `library.standing.sum_up` writes it in the transaction of whatever changes it, and a test compares the two.

    good         number of the newest version that is accepted and neither expired nor superseded, if there is one
    good_until   the last day on which that version counts; None when it does not expire
    valid_days   for how many days from its collection an accepted version counts; None: as its controls say
    every        how often the report is captured anew by itself; `due_on` is the next day for it, and `asked_at` when
                 the worker was last asked to
    """

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    title = models.CharField(max_length=200)
    notes = models.TextField(blank=True, max_length=5000)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    source = models.CharField(max_length=10, choices=Source.choices)
    report = models.CharField(max_length=60, blank=True)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="artifacts")
    created_at = models.DateTimeField()
    valid_days = models.PositiveIntegerField(null=True)
    every = models.CharField(max_length=10, choices=Every.choices, default=Every.NEVER, blank=True)
    due_on = models.DateField(null=True, db_index=True)
    asked_at = models.DateTimeField(null=True)
    archived_at = models.DateTimeField(null=True)
    tags = models.ManyToManyField(Tag, related_name="artifacts")
    collections = models.ManyToManyField(Collection, related_name="artifacts")
    workspaces = models.ManyToManyField(Workspace, related_name="artifacts")
    controls = models.ManyToManyField(Control, related_name="artifacts")

    newest = models.PositiveIntegerField(default=0)
    state = models.CharField(max_length=10, choices=State.choices, default=State.DRAFT)
    name = models.CharField(max_length=254, blank=True)
    media = models.CharField(max_length=100)
    size = models.PositiveBigIntegerField(default=0)
    sha256 = models.CharField(max_length=64)
    period_from = models.DateField(null=True)
    period_to = models.DateField(null=True)
    collected_at = models.DateTimeField()
    received_at = models.DateTimeField()
    good = models.PositiveIntegerField(null=True)
    good_until = models.DateField(null=True)

    class Meta:
        permissions = [
            ("view_evidence", "Can read workspaces, reports and artifacts"),
            ("capture_artifact", "Can keep reports, upload files and organise artifacts"),
            ("review_artifact", "Can accept and reject what others have kept"),
            ("export_evidence", "Can take reports and artifacts away"),
            ("comment", "Can comment, and be mentioned"),
        ]
        # Lists show what is not archived: each order that they offer is an index of those rows alone.
        indexes = [
            models.Index(fields=["received_at", "id"], condition=Q(archived_at=None), name="artifacts_by_time"),
            models.Index(fields=["collected_at", "id"], condition=Q(archived_at=None), name="artifacts_by_collected"),
            models.Index(fields=["title", "id"], condition=Q(archived_at=None), name="artifacts_by_title"),
            models.Index(fields=["state", "id"], condition=Q(archived_at=None), name="artifacts_by_state"),
            models.Index(fields=["size", "id"], condition=Q(archived_at=None), name="artifacts_by_size"),
            # These two hold all that the counts and the search look at, so that neither reads whole rows.
            models.Index(
                fields=[
                    *("state", "kind", "source", "media", "report", "owner", "good", "good_until"),
                    *("period_from", "period_to", "received_at"),
                ],
                condition=Q(archived_at=None),
                name="artifacts_counted",
            ),
            models.Index(
                fields=["title", "name", "sha256", "state", "kind", "source", "media"],
                condition=Q(archived_at=None),
                name="artifacts_searched",
            ),
            models.Index(fields=["owner", "received_at"], condition=Q(archived_at=None), name="artifacts_by_owner"),
            models.Index(fields=["report", "archived_at"], name="artifacts_by_report"),
            models.Index(fields=["sha256"], name="artifacts_by_digest"),
            models.Index(fields=["good_until"], condition=Q(good_until__isnull=False), name="artifacts_by_expiry"),
        ]
        ordering = ["-id"]

    def __str__(self) -> str:
        return self.title


class Version(WriteOnce):
    """The bytes of an artifact as they came, with their three dates; they hash to `sha256` and never change.

    A captured report's bytes lie in `body`; an uploaded file's lie in the store, under their digest, and `body` is
    empty. Bytes that were erased are gone from either. Written by `library.versions`.

    period_from, period_to   the days that it is evidence for
    collected_at             when it was read or made
    received_at              when the portal got it; nobody can choose that
    scan                     what the virus scanner said of an uploaded file, or why it was not asked
    """

    erasable = True

    artifact = models.ForeignKey(Artifact, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    title = models.CharField(max_length=200)
    name = models.CharField(max_length=254, blank=True)
    media = models.CharField(max_length=100)
    size = models.PositiveBigIntegerField(help_text="Bytes before compression")
    sha256 = models.CharField(max_length=64, db_index=True, help_text="Of the file, or the frozen document's bytes")
    source = models.CharField(max_length=10, choices=Source.choices)
    stored = models.BooleanField(help_text="Whether its bytes lie in the store")
    snapshot = models.ForeignKey(Snapshot, null=True, on_delete=models.PROTECT, related_name="versions")
    report = models.CharField(max_length=60, blank=True)
    rows = models.PositiveIntegerField(null=True)
    period_from = models.DateField(null=True)
    period_to = models.DateField(null=True)
    collected_at = models.DateTimeField()
    received_at = models.DateTimeField(db_index=True)
    received_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    note = models.CharField(max_length=300, blank=True)
    scan = models.CharField(max_length=150, blank=True)
    body = models.BinaryField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["artifact", "number"], name="one_version_per_number"),
            models.CheckConstraint(
                condition=Q(period_from__isnull=True) | Q(period_to__gte=models.F("period_from")),
                name="period_goes_forward",
            ),
        ]
        ordering = ["artifact", "-number"]

    def __str__(self) -> str:
        return f"{self.title}, version {self.number}"


class Review(models.Model):
    """How one version stands, and who said so. Written by `library.reviewing` alone.

    submitted_by   who asked for the review; `reviewer` is the person asked, None for anybody who may
    expires_on     the last day on which it counts once accepted; None when it does not expire
    told           how many days before that its owner was last told (30, 7, 1 or 0); None: not yet
    """

    version = models.OneToOneField(Version, on_delete=models.PROTECT, related_name="review")
    state = models.CharField(max_length=10, choices=State.choices, default=State.DRAFT, db_index=True)
    submitted_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    submitted_at = models.DateTimeField(null=True, db_index=True)
    reviewer = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    decided_at = models.DateTimeField(null=True)
    reason = models.CharField(max_length=1000, blank=True)
    expires_on = models.DateField(null=True, db_index=True)
    told = models.PositiveSmallIntegerField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=~Q(state__in=["accepted", "rejected"])
                | Q(decided_by__isnull=False, decided_at__isnull=False),
                name="somebody_decided",
            ),
            models.CheckConstraint(condition=~Q(state="rejected") | ~Q(reason=""), name="rejected_with_a_reason"),
        ]

    def __str__(self) -> str:
        return f"Review of {self.version}"


class ArtifactRecord(models.Model):
    """A record that an artifact is about. Written by `library.shelf`."""

    artifact = models.ForeignKey(Artifact, on_delete=models.PROTECT, related_name="records")
    workspace = models.ForeignKey(Workspace, on_delete=models.PROTECT, related_name="+")
    stream = models.CharField(max_length=60)
    key = models.CharField(max_length=254)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["artifact", "workspace", "stream", "key"], name="one_link_per_record")
        ]
        indexes = [models.Index(fields=["workspace", "stream", "key"], name="artifacts_of_a_record")]

    def __str__(self) -> str:
        return f"{self.stream} {self.key}"


class Drift(models.Model):
    """How an artifact's accepted version differs from the same report of a newer snapshot. Written by
    `library.staleness`; it says nothing once another version is accepted.

    number   of the version; `seq` of the snapshot that it was compared with
    rows     how many rows were added, removed or changed, `said` where; `unknown` how many cannot be compared
    """

    artifact = models.OneToOneField(Artifact, on_delete=models.PROTECT, related_name="drift")
    number = models.PositiveIntegerField()
    seq = models.PositiveIntegerField()
    at = models.DateTimeField()
    rows = models.PositiveIntegerField(db_index=True)
    unknown = models.PositiveIntegerField()
    said = models.CharField(max_length=300, blank=True)

    def __str__(self) -> str:
        return f"{self.artifact}: {self.rows} rows"


class Look(models.Model):
    """Up to which snapshot a workspace's accepted reports were compared. Written by `library.staleness`.

    asked_at   when the worker was asked to compare them with a newer one, while it has not done so
    """

    workspace = models.OneToOneField(Workspace, on_delete=models.PROTECT, related_name="+")
    seq = models.PositiveIntegerField(default=0)
    asked_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.workspace} up to {self.seq}"
