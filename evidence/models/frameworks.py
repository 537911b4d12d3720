"""Frameworks, and their controls: what evidence is asked for."""

from django.conf import settings
from django.db import models

from portal.canon import WriteOnce


class Framework(models.Model):
    """A catalogue of controls, as it stands now. Written by `frameworks.shelf` alone.

    origin   "built-in" when it comes with the portal, "imported" when a team brought it
    number   of its newest `Edition`
    """

    slug = models.SlugField(max_length=60, unique=True)
    title = models.CharField(max_length=120)
    label = models.CharField(max_length=60, blank=True, help_text="What the publisher calls this edition")
    publisher = models.CharField(max_length=120, blank=True)
    about = models.CharField(max_length=1000, blank=True)
    link = models.URLField(max_length=300, blank=True)
    origin = models.CharField(max_length=10)
    number = models.PositiveIntegerField(default=0)
    retired_at = models.DateTimeField(null=True)

    class Meta:
        permissions = [("manage_frameworks", "Can import frameworks and change their controls")]
        ordering = ["title"]

    def __str__(self) -> str:
        return self.title


class Edition(WriteOnce):
    """A framework's catalogue as it was loaded, in canonical JSON. Written by `frameworks.shelf`."""

    framework = models.ForeignKey(Framework, on_delete=models.PROTECT, related_name="editions")
    number = models.PositiveIntegerField()
    label = models.CharField(max_length=60, blank=True)
    sha256 = models.CharField(max_length=64)
    body = models.BinaryField()
    loaded_at = models.DateTimeField()
    loaded_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["framework", "number"], name="one_edition_per_number")]
        ordering = ["framework", "-number"]

    def __str__(self) -> str:
        return f"{self.framework}, edition {self.number}"


class Control(models.Model):
    """One requirement of a framework. Written by `frameworks.shelf` (what the catalogue says) and nobody else.

    group       the heading that it stands under; `series` the part of the framework, for instance CC, P, C, PI
    optional    whether its series is only in scope when an audit says so
    valid_days  for how many days evidence counts for it, unless the artifact says less; None: without end
    withdrawn   no longer in the newest edition; its links stay
    """

    framework = models.ForeignKey(Framework, on_delete=models.PROTECT, related_name="controls")
    ref = models.CharField(max_length=40)
    title = models.CharField(max_length=200)
    text = models.TextField(blank=True, max_length=4000)
    group = models.CharField(max_length=120, blank=True)
    series = models.CharField(max_length=20, blank=True)
    optional = models.BooleanField(default=False)
    position = models.PositiveIntegerField()
    withdrawn = models.BooleanField(default=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="controls"
    )
    valid_days = models.PositiveIntegerField(null=True, blank=True)
    notes = models.TextField(blank=True, max_length=4000)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["framework", "ref"], name="one_control_per_ref")]
        ordering = ["framework", "position"]

    def __str__(self) -> str:
        return f"{self.ref} {self.title}"
