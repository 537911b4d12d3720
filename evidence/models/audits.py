"""Audits: a period, what is in scope, who looks at it, what they ask for, and what they took away."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from connectors.models import Workspace
from portal.canon import WriteOnce

from .frameworks import Control, Framework
from .library import Version


class Phase(models.TextChoices):
    PLANNED = "planned", "Planned"
    OPEN = "open", "Open"
    CLOSED = "closed", "Closed"


class Audit(models.Model):
    """One audit. Its auditors see it, and nothing else. Written by `audits.life` alone."""

    title = models.CharField(max_length=200)
    about = models.TextField(blank=True, max_length=4000)
    period_from = models.DateField()
    period_to = models.DateField()
    phase = models.CharField(max_length=10, choices=Phase.choices, default=Phase.PLANNED, db_index=True)
    lead = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    frameworks = models.ManyToManyField(Framework, related_name="audits")
    workspaces = models.ManyToManyField(Workspace, related_name="audits")
    auditors = models.ManyToManyField(settings.AUTH_USER_MODEL, related_name="audits")
    created_at = models.DateTimeField()
    opened_at = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True)
    closed_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(period_to__gte=models.F("period_from")), name="audit_goes_forward")
        ]
        permissions = [
            ("manage_audits", "Can plan, open and close audits, and answer requests"),
            ("take_part", "Can see the audits that name them as an auditor, and ask for evidence"),
        ]
        ordering = ["-period_to", "-id"]

    def __str__(self) -> str:
        return self.title


class Scoped(models.Model):
    """Whether a control is in an audit's scope, and why not. Written by `audits.life`."""

    audit = models.ForeignKey(Audit, on_delete=models.PROTECT, related_name="scoped")
    control = models.ForeignKey(Control, on_delete=models.PROTECT, related_name="+")
    within = models.BooleanField()
    reason = models.CharField(max_length=300, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["audit", "control"], name="scoped_once")]

    def __str__(self) -> str:
        return f"{self.control} in {self.audit}"


class Asked(models.TextChoices):
    """Where a request of an auditor stands."""

    OPEN = "open", "Open"
    ANSWERED = "answered", "Answered"
    ACCEPTED = "accepted", "Accepted"
    RETURNED = "returned", "Returned"
    WITHDRAWN = "withdrawn", "Withdrawn"


class AuditRequest(models.Model):
    """What an auditor asks for. Written by `audits.asking` alone."""

    audit = models.ForeignKey(Audit, on_delete=models.PROTECT, related_name="requests")
    number = models.PositiveIntegerField()
    title = models.CharField(max_length=200)
    detail = models.TextField(blank=True, max_length=4000)
    controls = models.ManyToManyField(Control, related_name="requests")
    state = models.CharField(max_length=10, choices=Asked.choices, default=Asked.OPEN, db_index=True)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    asked_at = models.DateTimeField()
    due_on = models.DateField(null=True)
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    decided_at = models.DateTimeField(null=True)
    reason = models.CharField(max_length=1000, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["audit", "number"], name="one_request_per_number")]
        ordering = ["audit", "number"]

    def __str__(self) -> str:
        return f"Request {self.number}: {self.title}"


class Answer(models.Model):
    """A version of an artifact that answers a request. Written by `audits.asking`."""

    request = models.ForeignKey(AuditRequest, on_delete=models.PROTECT, related_name="answers")
    version = models.ForeignKey(Version, on_delete=models.PROTECT, related_name="answers")
    at = models.DateTimeField()
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    note = models.CharField(max_length=1000, blank=True)
    withdrawn_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["request", "version"], name="answered_once_by_each")]
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.version} for {self.request}"


class EvidenceItem(WriteOnce):
    """One line of the evidence set, frozen when the audit was closed. Written by `audits.freezing`.

    It belongs to a control or to a request. `state` and `title` are as they were then.
    """

    audit = models.ForeignKey(Audit, on_delete=models.PROTECT, related_name="items")
    version = models.ForeignKey(Version, on_delete=models.PROTECT, related_name="items")
    control = models.ForeignKey(Control, null=True, on_delete=models.PROTECT, related_name="+")
    request = models.ForeignKey(AuditRequest, null=True, on_delete=models.PROTECT, related_name="+")
    title = models.CharField(max_length=200)
    state = models.CharField(max_length=10)
    sha256 = models.CharField(max_length=64)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["audit", "version", "control"], name="one_line_per_control"),
            models.UniqueConstraint(fields=["audit", "version", "request"], name="one_line_per_request"),
            models.CheckConstraint(
                condition=Q(control__isnull=False, request__isnull=True)
                | Q(control__isnull=True, request__isnull=False),
                name="for_one_thing",
            ),
        ]

    def __str__(self) -> str:
        return self.title


class Bundle(models.Model):
    """The zip of an audit's evidence set, being made or made. Written by `audits.bundles` alone.

    active   True while it waits or works in the queue, else nothing: so there is at most one for each audit
    name     of the file in the store; "" until it is whole
    """

    audit = models.ForeignKey(Audit, on_delete=models.PROTECT, related_name="bundles")
    active = models.BooleanField(null=True)
    state = models.CharField(max_length=10)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    queued_at = models.DateTimeField()
    heartbeat_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    done = models.PositiveBigIntegerField(default=0)
    expected = models.PositiveBigIntegerField(default=0)
    sha256 = models.CharField(max_length=64, blank=True)
    size = models.PositiveBigIntegerField(default=0)
    name = models.CharField(max_length=200, blank=True)
    detail = models.CharField(max_length=500, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["audit", "active"], name="one_bundle_at_a_time")]
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"Bundle {self.pk}"
