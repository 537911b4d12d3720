"""Actions: work that people have to do for the evidence, with an owner, a day, and the evidence that it must bring."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from connectors.models import Workspace

from .frameworks import Control
from .library import Artifact


class Stand(models.TextChoices):
    """Where an action stands; the columns of the board."""

    OPEN = "open", "To do"
    DOING = "doing", "Under way"
    DONE = "done", "Done"
    DROPPED = "dropped", "Dropped"


class Recurs(models.TextChoices):
    NEVER = "", "Once"
    MONTH = "month", "Each month"
    QUARTER = "quarter", "Each quarter"
    HALF = "half", "Each half-year"
    YEAR = "year", "Each year"


class Action(models.Model):
    """One piece of work. Written by `actions.life` alone.

    template   slug of the template that it was made from; "" by hand. `origin`: hand, template, expiry or recurrence
    wants      what evidence it must bring before it can be done, in words; "" when none. `wanted`: how many artifacts
    previous   the action that this one follows, when it recurs
    """

    title = models.CharField(max_length=200)
    text = models.TextField(blank=True, max_length=8000)
    template = models.CharField(max_length=60, blank=True)
    origin = models.CharField(max_length=12)
    stand = models.CharField(max_length=10, choices=Stand.choices, default=Stand.OPEN)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="actions")
    due_on = models.DateField(null=True)
    recurs = models.CharField(max_length=10, choices=Recurs.choices, default=Recurs.NEVER, blank=True)
    wants = models.TextField(blank=True, max_length=2000)
    wanted = models.PositiveSmallIntegerField(default=0)
    valid_days = models.PositiveIntegerField(null=True)
    workspace = models.ForeignKey(Workspace, null=True, on_delete=models.PROTECT, related_name="actions")
    about = models.ForeignKey(Artifact, null=True, on_delete=models.PROTECT, related_name="renewals")
    controls = models.ManyToManyField(Control, related_name="actions")
    evidence = models.ManyToManyField(Artifact, related_name="actions")
    previous = models.OneToOneField("self", null=True, on_delete=models.PROTECT, related_name="next")
    created_at = models.DateTimeField()
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    done_at = models.DateTimeField(null=True)
    done_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    reason = models.CharField(max_length=500, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["about", "due_on"], condition=Q(origin="expiry"), name="renewed_once_per_day"
            ),
            models.CheckConstraint(condition=~Q(stand="done") | Q(done_at__isnull=False), name="done_some_time"),
            models.CheckConstraint(condition=~Q(stand="dropped") | ~Q(reason=""), name="dropped_with_a_reason"),
        ]
        indexes = [
            models.Index(fields=["stand", "due_on"], name="actions_by_day"),
            models.Index(fields=["owner", "stand", "due_on"], name="actions_by_owner"),
        ]
        permissions = [("manage_actions", "Can make actions, hand them out and finish them")]
        ordering = ["due_on", "id"]

    def __str__(self) -> str:
        return self.title


class Step(models.Model):
    """One line of an action's checklist. Written by `actions.life`."""

    action = models.ForeignKey(Action, on_delete=models.PROTECT, related_name="steps")
    position = models.PositiveSmallIntegerField()
    text = models.CharField(max_length=500)
    done_at = models.DateTimeField(null=True)
    done_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["action", "position"], name="one_step_per_position")]
        ordering = ["action", "position"]

    def __str__(self) -> str:
        return self.text
