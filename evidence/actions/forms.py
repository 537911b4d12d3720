"""What people write about an action, and the same as text in a table."""

from datetime import date
from typing import Any

from django import forms

from connectors.models import Workspace
from portal import access
from portal.models import User

from ..frameworks import refs
from ..models import Action, Recurs
from .life import MOST_STEPS, Draft
from .templates import Template


def owners() -> list[User]:
    """Who can be handed an action: everybody who may act."""
    return list(access.holders(access.ACTIONS))


class ActionForm(forms.Form):
    """One action. Nothing is saved here: `draft` is for the verb."""

    title = forms.CharField(max_length=200, label="What is to be done")
    text = forms.CharField(
        required=False, max_length=8000, label="How and why", widget=forms.Textarea(attrs={"rows": 5})
    )
    owner = forms.ModelChoiceField(User.objects.none(), required=False, empty_label="Nobody yet")
    due_on = forms.DateField(
        required=False, label="Due on", widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    )
    recurs = forms.ChoiceField(
        required=False,
        choices=Recurs.choices,
        label="How often",
        help_text="Once it is done, the next one is made by itself, with the next day of this rhythm that is to come.",
    )
    steps = forms.CharField(
        required=False,
        label="Checklist",
        widget=forms.Textarea(attrs={"rows": 5}),
        help_text="One thing a line. All lines must be ticked before the action can be done.",
    )
    wants = forms.CharField(
        required=False,
        max_length=2000,
        label="Evidence it must bring",
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="What must be visible in it, so that somebody else can judge it.",
    )
    wanted = forms.IntegerField(
        required=False,
        min_value=0,
        max_value=100,
        label="How many artifacts",
        help_text="So many must be attached and accepted by a reviewer before the action can be done; 0 for none.",
    )
    valid_days = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=3660,
        label="Days for which it counts",
        help_text="How long an artifact that is uploaded for this action counts, from the day on which it was made.",
    )
    workspace = forms.ModelChoiceField(Workspace.objects.none(), required=False, empty_label="None or all")
    controls = forms.CharField(
        required=False,
        max_length=4000,
        label="Controls that it supports",
        widget=forms.TextInput(attrs={"list": "control-refs"}),
        help_text="The framework's short name and the id, separated by commas: soc2 CC6.1, gdpr 32.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["owner"].queryset = access.holders(access.ACTIONS)  # type: ignore[attr-defined]
        self.fields["workspace"].queryset = Workspace.objects.order_by("name", "pk")  # type: ignore[attr-defined]

    def clean_steps(self) -> list[str]:
        lines = [line.strip() for line in str(self.cleaned_data["steps"]).splitlines() if line.strip()]
        if len(lines) > MOST_STEPS:
            raise forms.ValidationError(f"These are {len(lines)} lines; {MOST_STEPS} are the most.")
        if long := next((line for line in lines if len(line) > 500), None):
            raise forms.ValidationError(f"This line has more than 500 signs: “{long[:60]}…”.")
        return lines

    def clean_controls(self) -> list[Any]:
        found, unknown = refs.parse(self.cleaned_data["controls"])
        if unknown:
            raise forms.ValidationError([forms.ValidationError(each) for each in unknown])
        return list(found)

    def draft(self) -> Draft:
        """What the verb takes; only of a form that is valid."""
        said = dict(self.cleaned_data)
        return Draft(**said | {"wanted": said["wanted"] or 0})


def shown(action: Action) -> dict[str, Any]:
    """What a form shows of an action that is there."""
    plain = ("title", "text", "owner", "due_on", "recurs", "wants", "wanted", "valid_days", "workspace")
    said = {name: getattr(action, name) for name in plain}
    said["steps"] = "\n".join(step.text for step in action.steps.all())
    said["controls"] = refs.text(action.controls.select_related("framework"))
    return said


def offered(template: Template, today: date, due_on: date) -> dict[str, Any]:
    """What a form shows of a template; controls of frameworks that are not here are left out."""
    manual = template.manual
    known, _ = refs.parse(", ".join(manual.supports))
    return {
        "title": manual.title,
        "text": manual.about,
        "due_on": due_on,
        "recurs": manual.recurs,
        "steps": "\n".join(manual.steps),
        "wants": template.wants,
        "wanted": 1,
        "valid_days": manual.valid_days,
        "controls": refs.text(known),
    }
