"""One control: what supports it, whether that is fresh, what is missing; and what the team says of it."""

from typing import Any

from django import forms
from django.contrib import messages
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from connectors.models import Workspace
from portal.access import CAPTURE, FRAMEWORKS, VIEW, demand, holders, needs
from portal.models import User

from ..actions import templates
from ..frameworks import catalogues, shelf, support
from ..library import shelf as organising
from ..models import Action, Artifact, Control, Edition
from . import asked

WORKSPACES = 20
FOUND = 20


class SettleForm(forms.Form):
    owner = forms.ModelChoiceField(User.objects.none(), required=False, empty_label="Nobody yet")
    valid_days = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=3660,
        label="Evidence counts for days",
        help_text="From the day on which it was collected; empty: without end. An artifact may say less itself.",
    )
    notes = forms.CharField(required=False, max_length=4000, widget=forms.Textarea(attrs={"rows": 4}))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["owner"].queryset = holders(VIEW)  # type: ignore[attr-defined]


def _one(slug: str, ref: str) -> Control:
    related = Control.objects.select_related("framework", "owner")
    return get_object_or_404(related, framework__slug=slug, ref=ref)


@needs(VIEW)
@require_safe
def control(request: HttpRequest, slug: str, ref: str) -> HttpResponse:
    found, today = _one(slug, ref), timezone.localdate()
    held = support.of([found], today)[found.pk]
    find = asked.words(request.GET, "find")
    artifacts = found.artifacts.filter(archived_at=None).select_related("owner").order_by("-received_at", "-pk")
    context = {
        "found": found,
        "held": held,
        "mark": support.WORDS[held.state(today)],
        "gaps": held.gaps(today),
        "icon_of_gap": f"s-{support.WORDS[held.state(today)].name}",
        "page": asked.page(artifacts, request.GET),
        "reports": _reports(found),
        "actions": Action.objects.filter(controls=found, stand__in=("open", "doing")).select_related("owner"),
        "offers": templates.for_control(slug, ref),
        "siblings": support.siblings(found)[:FOUND],
        "checks": _checks(found),
        "find": find,
        "offered": _offered(found, find) if find else (),
        "today": today,
    }
    return render(request, "evidence/control.html", context)


def _reports(found: Control) -> list[tuple[str, str, list[Workspace]]]:
    """Name and title of each report that speaks to it, and the workspaces that have a snapshot to make it from."""
    told = support.reports_for(found)
    shown = list(Workspace.objects.filter(head__gt=0).order_by("name", "pk")[:WORKSPACES]) if told else []
    return [(name, title, [each for each in shown if each.connector == slug]) for slug, name, title in told]


def _checks(found: Control) -> tuple[str, ...]:
    """The checks that will speak to it, by the catalogue."""
    newest = Edition.objects.filter(framework=found.framework, number=found.framework.number).first()
    entries = catalogues.thawed(bytes(newest.body)).controls if newest else ()
    return next((each.checks for each in entries if each.ref == found.ref), ())


def _offered(found: Control, q: str) -> Any:
    named = Q(title__icontains=q) | Q(name__icontains=q) | Q(sha256__startswith=q.lower())
    rows = Artifact.objects.filter(named, archived_at=None).exclude(pk__in=found.artifacts.values("pk"))
    return rows.order_by("-received_at")[:FOUND]


@needs(FRAMEWORKS)
@require_http_methods(["GET", "HEAD", "POST"])
def settle(request: HttpRequest, slug: str, ref: str) -> HttpResponse:
    """Owner, days of validity and notes."""
    found, by = _one(slug, ref), demand(request, FRAMEWORKS)
    first = {"owner": found.owner_id, "valid_days": found.valid_days, "notes": found.notes}
    form = SettleForm(request.POST or None, initial=first)
    if request.method == "POST" and form.is_valid():
        shelf.settle(found, **form.cleaned_data, by=by, now=timezone.now(), request=request)
        messages.success(request, "Changed.")
        return redirect("control", slug, ref)
    context = {"found": found, "form": form}
    return render(request, "evidence/control_form.html", context, status=422 if form.errors else 200)


@needs(CAPTURE)
@require_POST
def link(request: HttpRequest, slug: str, ref: str) -> HttpResponse:
    """Links an artifact to the control, or takes the link away."""
    found, by, now = _one(slug, ref), demand(request, CAPTURE), timezone.now()
    artifact = get_object_or_404(Artifact, pk=asked.whole(request.POST.get("artifact", "")) or 0)
    verb, said = (organising.unlink, "Unlinked.") if "unlink" in request.POST else (organising.link, "Linked.")
    verb(artifact, controls=[found], by=by, now=now, request=request)
    messages.success(request, said)
    return redirect("control", slug, ref)
