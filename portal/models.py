"""Who may come in, and what they did. Written by `signin`, `access` and `audit` alone."""

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.db import models

from .canon import WriteOnce


class User(AbstractUser):
    """A person. Rights come from one role (a group made from `access.ROLES`), never from single flags.

    `one_time_password` says that somebody else chose the password, so its owner must choose another first.
    """

    one_time_password = models.BooleanField(default=False, editable=False)

    @property
    def role(self) -> str:
        if self.is_superuser:
            return "Administrator"
        groups = list(self.groups.all())
        return groups[0].name if groups else "No role"


class AuditEntry(WriteOnce):
    """One thing that somebody did or was refused. Names are frozen as they were at that time.

    Written only by `audit.record`.
    """

    at = models.DateTimeField(db_index=True)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    actor_name = models.CharField(max_length=254)
    address = models.GenericIPAddressField(null=True)
    action = models.CharField(max_length=40, db_index=True)
    target = models.CharField(max_length=80, blank=True)
    target_name = models.CharField(max_length=254, blank=True)
    detail = models.JSONField(default=dict)

    class Meta:
        verbose_name_plural = "audit entries"
        indexes = [models.Index(fields=["target", "id"], name="entries_about_one_thing")]
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M} {self.actor_name} {self.action} {self.target_name}"


class LedgerEntry(WriteOnce):
    """An audit entry as it was sealed: numbered from 1, chained, signed. Written only by `ledger.seal`.

    `body` is what was signed; the columns repeat it, for lists. `audit` is no foreign key: what is deleted there is
    still told here.
    """

    number = models.PositiveBigIntegerField(primary_key=True)
    audit = models.PositiveBigIntegerField(unique=True)
    at = models.DateTimeField(help_text="When it happened, as the audit entry says")
    actor_name = models.CharField(max_length=254)
    action = models.CharField(max_length=40, db_index=True)
    target = models.CharField(max_length=80, blank=True)
    target_name = models.CharField(max_length=254, blank=True)
    body = models.BinaryField()
    sha256 = models.CharField(max_length=64, unique=True)
    previous_sha256 = models.CharField(max_length=64, unique=True)
    signature = models.BinaryField(max_length=64)
    key_id = models.CharField(max_length=16)
    sealed_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "ledger entries"
        ordering = ["-number"]

    def __str__(self) -> str:
        return f"Ledger entry {self.number}"


class SignInSlowdown(models.Model):
    """How often a name or an address has failed lately, and until when it must wait. Written by `signin`."""

    key = models.CharField(max_length=80, primary_key=True)
    failures = models.PositiveIntegerField(default=0)
    last = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.failures} failures"
