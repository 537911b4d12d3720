"""One artifact's edit page, and the link from a record to artifacts."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from connectors import registry
from connectors.models import Workspace
from portal.access import CAPTURE, demand, needs

from ..library import references, reviewing, shelf
from ..library.shelf import NotPossible
from ..models import Artifact, Collection
from . import asked
from .bulk import told

MOST_RECORDS = 50
_AREA = forms.Textarea(attrs={"rows": 5})
_LINES = forms.Textarea(attrs={"rows": 3, "class": "mono"})


class EditForm(forms.Form):
    """All that can be said of an artifact. `seen` names the state that the form was made from."""

    title = forms.CharField(max_length=200)
    owner = forms.CharField(max_length=150, help_text="The user name of somebody who may keep artifacts.")
    notes = forms.CharField(max_length=5000, required=False, widget=_AREA)
    tags = forms.CharField(max_length=1000, required=False, help_text="With commas between them.")
    valid_days = forms.IntegerField(
        label="Valid days",
        min_value=1,
        max_value=reviewing.LONGEST_VALID,
        required=False,
        help_text="For how many days from its collection an accepted version counts, when it is accepted next. "
        "Empty: as its controls say.",
    )
    collections = forms.ModelMultipleChoiceField(
        Collection.objects.all(), required=False, widget=forms.CheckboxSelectMultiple
    )
    workspaces = forms.ModelMultipleChoiceField(
        Workspace.objects.order_by("name", "pk"), required=False, widget=forms.CheckboxSelectMultiple
    )
    controls = forms.CharField(
        required=False, widget=_AREA, help_text="What it supports: framework and reference, for instance soc2 CC6.1."
    )
    records = forms.CharField(
        required=False,
        widget=_LINES,
        help_text="What it is about, a line each: number of the workspace, stream, key. "
        "Easier from a record's own page: “Link to an artifact”.",
    )
    seen = forms.CharField(required=False, widget=forms.HiddenInput)

    def clean_title(self) -> str:
        said = " ".join(str(self.cleaned_data["title"]).split())
        if not said:
            raise forms.ValidationError("Give the artifact a title.")
        return said

    def clean_owner(self) -> Any:
        name = str(self.cleaned_data["owner"])
        if name == self.initial.get("owner"):
            return None  # as before, also somebody who has left since
        person, wrong = references.owner(name)
        if wrong:
            raise forms.ValidationError(wrong)
        return person

    def clean_notes(self) -> str:
        return str(self.cleaned_data["notes"]).replace("\r\n", "\n")

    def clean_tags(self) -> list[str]:
        names = shelf.tags_in(self.cleaned_data["tags"])
        if wrong := shelf.wrong_tags(names):
            raise forms.ValidationError(wrong)
        return names

    def clean_controls(self) -> list[Any]:
        found, missing = references.controls(self.cleaned_data["controls"])
        if missing:
            raise forms.ValidationError([forms.ValidationError(sentence) for sentence in missing[:10]])
        return found

    def clean_records(self) -> list[tuple[int, str, str]]:
        found, wrong = records_in(self.cleaned_data["records"])
        if wrong:
            raise forms.ValidationError([forms.ValidationError(sentence) for sentence in wrong[:10]])
        return found


def records_in(text: str) -> tuple[list[tuple[int, str, str]], list[str]]:
    """The records that lines of a text name, and a sentence for each that there cannot be."""
    lines = [line for each in text.splitlines() if (line := each.strip())]
    known = {row.pk: row for row in Workspace.objects.all()} if lines else {}
    found, wrong = [], []
    for line in lines[:MOST_RECORDS]:
        first, stream, key = (*line.split(None, 2), "", "", "")[:3]
        workspace = known.get(asked.whole(first) or 0)
        streams = {each.name for each in registry.get(workspace.connector).streams} if workspace else set()
        if not key or stream not in streams or len(key) > 254:
            wrong.append(f"“{line[:80]}” names no record: write the workspace's number, the stream and the key.")
        elif workspace:
            found.append((workspace.pk, stream, key))
    if len(lines) > MOST_RECORDS:
        wrong.append(f"At most {MOST_RECORDS} records can be named.")
    return list(dict.fromkeys(found)), wrong


@needs(CAPTURE)
@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: HttpRequest, pk: int) -> HttpResponse:
    """Nothing typed is lost: when somebody else changed it meanwhile, the page says what it is now, and asks again."""
    artifact = get_object_or_404(Artifact.objects.select_related("owner"), pk=pk)
    now_stands = _initial(artifact)
    form = EditForm(request.POST if request.method == "POST" else None, initial=now_stands)
    others: list[tuple[str, str]] = []
    if request.method == "POST" and form.is_valid():
        fields = {name: value for name, value in form.cleaned_data.items() if name != "seen"}
        if fields["owner"] is None:
            del fields["owner"]
        by, now = demand(request, CAPTURE), timezone.now()
        try:
            done = shelf.change(artifact, by=by, now=now, seen=form.cleaned_data["seen"], request=request, **fields)
            told(request, done, "The artifact was changed." if done.artifacts else "Nothing was changed.", by, now)
            return redirect("artifact", pk=pk)
        except NotPossible:
            others = _others(form, now_stands)
            typed = request.POST.copy()
            typed["seen"] = now_stands["seen"]
            form.data = typed
    context = {"artifact": artifact, "form": form, "others": others, "people": references.keepers()}
    return render(request, "evidence/artifact_edit.html", context, status=409 if others else 200)


def _initial(artifact: Artifact) -> dict[str, Any]:
    """The form of an artifact as it stands."""
    stood = shelf.stands(artifact)
    controls = artifact.controls.select_related("framework").order_by("framework__slug", "position")
    return {
        "title": stood["title"],
        "owner": artifact.owner.username,
        "notes": stood["notes"],
        "tags": ", ".join(artifact.tags.values_list("name", flat=True)),
        "valid_days": stood["valid_days"],
        "collections": [pk for (pk,) in stood["collections"]],
        "workspaces": [pk for (pk,) in stood["workspaces"]],
        "controls": ", ".join(references.said(controls)),
        "records": "\n".join(f"{pk} {stream} {key}" for pk, stream, key in stood["records"]),
        "seen": shelf.mark(stood),
    }


def _others(form: EditForm, stands: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Where what stands now differs from what somebody typed: the field's label, and what stands."""
    named = {"collections": dict(Collection.objects.values_list("pk", "name"))}
    named["workspaces"] = dict(Workspace.objects.values_list("pk", "name"))
    differing = []
    for name, field in form.fields.items():
        bound = form[name]
        if name != "seen" and field.has_changed(stands[name], bound.data):
            value = stands[name]
            words = ", ".join(named[name].get(pk, "") for pk in value) if name in named else str(value or "")
            differing.append((str(bound.label), words or "nothing"))
    return differing or [("Fields", "the same as yours")]


@needs(CAPTURE)
@require_http_methods(["GET", "HEAD", "POST"])
def link_record(request: HttpRequest, pk: int, stream: str, key: str) -> HttpResponse:
    """Links a record to an artifact that is searched for by its title or number."""
    workspace = get_object_or_404(Workspace, pk=pk)
    by, now = demand(request, CAPTURE), timezone.now()
    if request.method == "POST":
        artifact = get_object_or_404(Artifact, pk=asked.whole(str(request.POST.get("artifact", ""))) or 0)
        done = shelf.link(artifact, records=[(workspace.pk, stream, key)], by=by, now=now, request=request)
        said = f"“{artifact}” is about this record now." if done.artifacts else f"“{artifact}” was linked already."
        told(request, done, said, by, now)
        return redirect("record", pk=pk, stream=stream, key=key)
    q = asked.words(request.GET)
    rows = (
        Artifact.objects.filter(archived_at=None, title__icontains=q).select_related("owner").order_by("-received_at")
    )
    context = {"workspace": workspace, "stream": stream, "key": key, "q": q, "page": asked.page(rows, request.GET)}
    return render(request, "evidence/record_link.html", context)
