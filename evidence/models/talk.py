"""What people say to each other about the evidence, what the portal tells them, and how they like their lists."""

from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q

from .actions import Action
from .audits import AuditRequest
from .library import Artifact


class Comment(models.Model):
    """What somebody said about an artifact, an action or an audit's request. Written by `comments` alone."""

    artifact = models.ForeignKey(Artifact, null=True, on_delete=models.PROTECT, related_name="comments")
    action = models.ForeignKey(Action, null=True, on_delete=models.PROTECT, related_name="comments")
    request = models.ForeignKey(AuditRequest, null=True, on_delete=models.PROTECT, related_name="comments")
    at = models.DateTimeField()
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    text = models.TextField(max_length=4000)
    mentions = models.ManyToManyField(settings.AUTH_USER_MODEL, related_name="+")
    withdrawn_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(artifact__isnull=False, action__isnull=True, request__isnull=True)
                | Q(artifact__isnull=True, action__isnull=False, request__isnull=True)
                | Q(artifact__isnull=True, action__isnull=True, request__isnull=False),
                name="about_one_thing",
            )
        ]
        ordering = ["id"]

    def __str__(self) -> str:
        return f"Comment {self.pk}"


class Notice(models.Model):
    """Something that one person is told once, on the portal and by mail. Written by `notices` alone.

    key   what it is about and when, for instance "expiry 12.3 30": a person is told each once
    """

    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="notices")
    key = models.CharField(max_length=120)
    text = models.CharField(max_length=300)
    path = models.CharField(max_length=300)
    at = models.DateTimeField()
    seen_at = models.DateTimeField(null=True)
    mailed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["person", "key"], name="told_once")]
        indexes = [models.Index(fields=["person", "seen_at"], name="notices_unseen")]
        ordering = ["-id"]

    def __str__(self) -> str:
        return self.text


class SavedView(models.Model):
    """A list as somebody likes it: what its address asks for, under a name. Written by `savedviews` alone."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="views")
    page = models.CharField(max_length=60)
    name = models.CharField(max_length=80)
    query = models.CharField(max_length=1000, blank=True)
    shared = models.BooleanField(default=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["owner", "page", "name"], name="one_view_per_name")]
        ordering = ["page", "name"]

    def __str__(self) -> str:
        return self.name


class Undo(models.Model):
    """How something that was done can be taken back, until somebody changes the same again. Written by `undoing`.

    what   name of the verb that takes it back; `before` what it needs: ids and the values of before
    """

    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField(db_index=True)
    what = models.CharField(max_length=40)
    label = models.CharField(max_length=200)
    before: Any = models.JSONField()
    used_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return self.label
