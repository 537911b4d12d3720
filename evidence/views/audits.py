"""Audits: the list, one audit with its controls, its plan and scope, its beginning and its end."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import messages
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from connectors.models import Workspace
from connectors.spec import Column
from portal import access
from portal.access import AUDITS, TAKE_PART, VIEW, demand, may, needs
from portal.chips import chips
from portal.models import User

from .. import tables
from ..audits import bundles, counting, freezing, life, members
from ..audits.refusing import NotPossible
from ..audits.waiting import matters
from ..models import Asked, Audit, AuditRequest, Framework, Phase, Scoped
from . import asked

COLUMNS = (("title", "Audit", "title"), ("period", "Period", "period_to"), ("lead", "Lead", "lead__username"))
LISTED = 20
CONTROLS = 100


def landing(home: Callable[[HttpRequest], HttpResponseBase]) -> Callable[[HttpRequest], HttpResponseBase]:
    """The home page; whoever may only take part in audits lands on theirs."""

    def landed(request: HttpRequest) -> HttpResponseBase:
        if not may(request.user, VIEW) and may(request.user, TAKE_PART):
            return redirect("audits")
        return home(request)

    return landed


def found_for(request: HttpRequest, pk: int) -> Audit:
    """The audit, if this person sees it; otherwise it is not there."""
    return get_object_or_404(members.audits_of(request.user).select_related("lead", "closed_by"), pk=pk)


def rights(request: HttpRequest, audit: Audit) -> dict[str, Any]:
    """What every page of an audit shows or leaves out."""
    return {
        "audit": audit,
        "manages": may(request.user, AUDITS),
        "outside": members.outside(request.user),
        "asks": audit.phase == Phase.OPEN and members.may_ask(audit, request.user),
        "today": timezone.localdate(),
    }


@needs(VIEW, TAKE_PART)
@require_safe
def index(request: HttpRequest) -> HttpResponse:
    q, phase = asked.words(request.GET), asked.words(request.GET, "phase")
    mine = members.audits_of(request.user)
    found = mine.filter(Q(title__icontains=q) | Q(lead__username__icontains=q)) if q else mine
    counted = dict(found.order_by().values_list("phase").annotate(Count("pk", distinct=True)))
    if phase in Phase.values:
        found = found.filter(phase=phase)
    sort, fields = asked.order(request.GET, {name: field for name, _, field in COLUMNS}, "-period")
    rows = found.select_related("lead").prefetch_related("frameworks").order_by(*fields)
    page = asked.page(rows.annotate(waiting=_waiting()), request.GET, size=LISTED)
    context = {
        "page": page,
        "heads": [tables.head(Column(name, title), sort) for name, title, _ in COLUMNS],
        "phases": chips("phase", [(name, title, counted.get(name, 0)) for name, title in Phase.choices], phase),
        "phase": phase,
        "q": q,
        "narrowed": bool(q or phase in Phase.values),
        "manages": may(request.user, AUDITS),
        "matters": matters(demand(request, VIEW, TAKE_PART), timezone.now()),
    }
    return render(request, "evidence/audits/index.html", context)


def _waiting() -> Any:
    return Count("requests", filter=Q(requests__state__in=(Asked.OPEN, Asked.RETURNED)), distinct=True)


# --- one audit --------------------------------------------------------------------------------------------------


@needs(VIEW, TAKE_PART)
@require_safe
def audit(request: HttpRequest, pk: int) -> HttpResponse:
    found = found_for(request, pk)
    q, state = asked.words(request.GET), asked.words(request.GET, "state")
    lines = _controls(found, members.outside(request.user))
    if q:
        lines = [each for each in lines if q.lower() in f"{each['control']} {each['control'].framework}".lower()]
    words = [each["mark"].word for each in lines]
    shown = [each for each in lines if not state or each["mark"].word == state]
    scoped = Scoped.objects.filter(audit=found)
    by_state = dict(AuditRequest.objects.filter(audit=found).order_by().values_list("state").annotate(Count("pk")))
    context = rights(request, found) | {
        "page": asked.page(shown, request.GET, size=CONTROLS),
        "states": chips("state", [(word, word, words.count(word)) for word in sorted(set(words))], state),
        "q": q,
        "narrowed": bool(q or state),
        "inside": scoped.filter(within=True).count(),
        "left_out": scoped.filter(within=False).count(),
        "requests": [(Asked(name), many) for name, many in sorted(by_state.items())],
        "days_left": (found.period_to - timezone.localdate()).days,
        "bundle": bundles.newest(found),
        "people": found.auditors.order_by("username"),
        "workspaces": found.workspaces.order_by("name"),
        "frameworks": found.frameworks.all(),
    }
    return render(request, "evidence/audits/audit.html", context)


def _controls(found: Audit, outside: bool) -> list[dict[str, Any]]:
    """Every control in scope with what supports it; whoever is outside is not told what waits for a review."""
    support, today = counting.support(found), timezone.localdate()
    day = min(found.period_to, today)
    rows = Scoped.objects.filter(audit=found, within=True).select_related("control__framework")
    lines = []
    for each in rows.order_by("control__framework__title", "control__framework_id", "control__position", "pk"):
        held = support[each.control_id]
        if outside:
            held.waiting = 0
        lines.append({"control": each.control, "mark": held.mark(day), "held": held})
    return lines


class PlanForm(forms.Form):
    title = forms.CharField(max_length=200)
    period_from = forms.DateField(label="From", widget=forms.DateInput(attrs={"type": "date"}))
    period_to = forms.DateField(label="To, this day included", widget=forms.DateInput(attrs={"type": "date"}))
    frameworks = forms.ModelMultipleChoiceField(
        Framework.objects.filter(retired_at=None), required=False, widget=forms.CheckboxSelectMultiple
    )
    workspaces = forms.ModelMultipleChoiceField(
        Workspace.objects.order_by("name"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="None chosen: all of them. Evidence of no workspace counts for any.",
    )
    lead = forms.ModelChoiceField(User.objects.none(), help_text="Whoever answers for the audit inside.")
    auditors = forms.ModelMultipleChoiceField(
        User.objects.none(),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="People with the role Auditor or External auditor. An external auditor sees this audit, once it is "
        "open, and nothing else of the portal.",
    )
    about = forms.CharField(max_length=4000, required=False, widget=forms.Textarea(attrs={"rows": 4}))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["lead"].queryset = access.holders(AUDITS)  # type: ignore[attr-defined]  # a field of models
        self.fields["auditors"].queryset = access.holders(TAKE_PART)  # type: ignore[attr-defined]

    def plan(self) -> life.Plan:
        said = self.cleaned_data
        several = {name: tuple(said[name]) for name in ("frameworks", "workspaces", "auditors")}
        period = (said["period_from"], said["period_to"])
        return life.Plan(title=said["title"], period=period, lead=said["lead"], about=said["about"], **several)


@needs(AUDITS)
@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    by = demand(request, AUDITS)
    form = PlanForm(request.POST or None, initial={"lead": by.pk})
    if request.method == "POST" and form.is_valid():
        try:
            made = life.plan(form.plan(), by=by, now=timezone.now(), request=request)
        except NotPossible as error:
            form.add_error(error.field or None, error.message)
        else:
            messages.success(request, "Planned. Look at its scope, then open it.")
            return redirect("audit-scope", made.pk)
    return render(request, "evidence/audits/plan.html", {"form": form, "audit": None})


@needs(AUDITS)
@require_http_methods(["GET", "HEAD", "POST"])
def change(request: HttpRequest, pk: int) -> HttpResponse:
    found, by = found_for(request, pk), demand(request, AUDITS)
    several = {name: getattr(found, name).all() for name in ("frameworks", "workspaces", "auditors")}
    initial = {name: getattr(found, name) for name in ("title", "period_from", "period_to", "lead", "about")}
    form = PlanForm(request.POST or None, initial=initial | several)
    if request.method == "POST" and form.is_valid():
        try:
            life.change(found, form.plan(), by=by, now=timezone.now(), request=request)
        except NotPossible as error:
            form.add_error(error.field or None, error.message)
        else:
            messages.success(request, "The audit is changed.")
            return redirect("audit", pk)
    return render(request, "evidence/audits/plan.html", rights(request, found) | {"form": form})


# --- scope ------------------------------------------------------------------------------------------------------


@needs(VIEW, TAKE_PART)
@require_http_methods(["GET", "HEAD", "POST"])
def scope(request: HttpRequest, pk: int) -> HttpResponse:
    """Controls by framework; a POST says which of those it lists are in scope, or sets a whole series."""
    found = found_for(request, pk)
    rows = Scoped.objects.filter(audit=found).select_related("control__framework")
    rows = rows.order_by("control__framework__title", "control__framework_id", "control__position", "pk")
    context: dict[str, Any] = {"refused": None}
    if request.method == "POST":
        by = demand(request, AUDITS)
        wanted = _wanted(request, rows)
        try:
            many = life.scope(found, wanted, by=by, now=timezone.now(), request=request)
        except NotPossible as error:
            context["refused"] = error
            for each in rows:
                each.within, each.reason = wanted.get(each.control_id, (each.within, each.reason))
        else:
            messages.success(request, f"{many} control{'s' if many != 1 else ''} changed.")
            return redirect("audit-scope", pk)
    series = sorted({(each.control.framework.slug, each.control.series) for each in rows if each.control.series})
    return render(
        request, "evidence/audits/scope.html", rights(request, found) | context | {"rows": rows, "series": series}
    )


def _wanted(request: HttpRequest, rows: Any) -> dict[int, tuple[bool, str]]:
    """What a form says: all its controls, or one series as a whole with one reason."""
    said = request.POST
    bulk, into = said.get("series", ""), said.get("into", "")
    if into in ("in", "out"):
        chosen = [each for each in rows if f"{each.control.framework.slug} {each.control.series}" == bulk]
        return {each.control_id: (into == "in", said.get("why", "")) for each in chosen}
    ticked = set(said.getlist("within"))
    return {
        each.control_id: (str(each.control_id) in ticked, said.get(f"reason-{each.control_id}", "")) for each in rows
    }


# --- its beginning and its end ----------------------------------------------------------------------------------


@needs(AUDITS)
@require_POST
def begin(request: HttpRequest, pk: int) -> HttpResponse:
    found, by = found_for(request, pk), demand(request, AUDITS)
    try:
        life.begin(found, by=by, now=timezone.now(), request=request)
        messages.success(request, "Open. Its auditors can ask for evidence now.")
    except NotPossible as error:
        messages.error(request, error.message)
    return redirect("audit", pk)


@needs(AUDITS)
@require_http_methods(["GET", "HEAD", "POST"])
def close(request: HttpRequest, pk: int) -> HttpResponse:
    """What is open or missing; a POST that has seen it closes the audit."""
    found, by = found_for(request, pk), demand(request, AUDITS)
    refused = None
    if request.method == "POST":
        try:
            seen = request.POST.get("acknowledged") == "1"
            many = freezing.close(found, by=by, now=timezone.now(), acknowledged=seen, request=request)
        except NotPossible as error:
            refused = error
        else:
            messages.success(request, f"Closed. The evidence set has {many} lines, and never changes.")
            return redirect("audit", pk)
    if found.phase != Phase.OPEN and refused is None:
        return redirect("audit", pk)
    context = {"warnings": freezing.warnings(found), "refused": refused}
    return render(request, "evidence/audits/close.html", rights(request, found) | context)


@needs(AUDITS)
@require_POST
def copy(request: HttpRequest, pk: int) -> HttpResponse:
    by = demand(request, AUDITS)
    try:
        made = life.copy(found_for(request, pk), by=by, now=timezone.now(), request=request)
    except NotPossible as error:
        messages.error(request, error.message)
        return redirect("audit", pk)
    messages.success(request, "Copied for the period after it. Look at everything, then open it.")
    return redirect("audit-change", made.pk)


@needs(AUDITS)
@require_POST
def dismiss(request: HttpRequest, pk: int) -> HttpResponse:
    """An auditor's access ends at once."""
    found, by = found_for(request, pk), demand(request, AUDITS)
    number = asked.whole(request.POST.get("person", "")) or 0
    person = get_object_or_404(found.auditors, pk=number)
    life.dismiss(found, person, by=by, now=timezone.now(), request=request)
    messages.success(request, f"{person.get_username()} sees this audit no longer.")
    return redirect("audit", pk)
