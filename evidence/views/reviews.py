"""Reviews: the queue, decisions on many at once, and the verbs on one version of an artifact."""

from typing import Any

from django.contrib import messages
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from portal.access import CAPTURE, REVIEW, VIEW, demand, holders, may, needs
from portal.models import User

from ..library import comparing, proof, recapture, reviewing, staleness, versions
from ..models import Artifact, Every, Review, State, Version
from . import asked
from .artifacts import page

KINDS = (
    ("mine", "Waits for me"),
    ("any", "Waits for anybody"),
    ("sent", "Submitted by me"),
    ("back", "Rejected, mine"),
)
AT_ONCE = 100


def queue(person: User, kind: str) -> QuerySet[Review]:
    """The reviews of one kind for one person. What waits for them is what they may decide about."""
    waits = Q(state=State.REVIEW)
    own = Q(version__received_by=person) | Q(submitted_by=person)
    asked_for = Q(reviewer=None) | Q(reviewer=person)
    wanted = {
        "mine": waits & asked_for & ~own,
        "any": waits,
        "sent": waits & Q(submitted_by=person),
        "back": Q(state=State.REJECTED) & own,
    }[kind]
    rows = Review.objects.filter(wanted, version__artifact__archived_at=None)
    related = (
        "version__artifact__owner",
        "version__artifact__drift",
        "version__received_by",
        "submitted_by",
        "reviewer",
    )
    return rows.select_related(*related).defer("version__body").order_by("submitted_at", "pk")


@needs(VIEW)
@require_safe
def index(request: HttpRequest) -> HttpResponse:
    by, q = demand(request, VIEW), asked.words(request.GET)
    kind = str(request.GET.get("kind", ""))
    kind = kind if kind in dict(KINDS) else "mine"
    found = queue(by, kind)
    found = found.filter(Q(version__title__icontains=q) | Q(version__name__icontains=q)) if q else found
    counted = {name: queue(by, name).count() for name, _ in KINDS}
    context = {
        "page": asked.page(found, request.GET),
        "kind": kind,
        "q": q,
        "kinds": [(name, title, counted[name]) for name, title in KINDS],
        "may_decide": may(by, REVIEW) and kind in ("mine", "any"),
        "stale": staleness.stale()[:10],
    }
    return render(request, "evidence/reviews.html", context)


@needs(REVIEW)
@require_POST
def batch(request: HttpRequest) -> HttpResponse:
    """One decision on each that was ticked, each for itself; what could not be decided is said, one by one."""
    by, verb = demand(request, REVIEW), request.POST.get("verb", "")
    if verb not in ("accept", "reject"):
        raise Http404
    pks = [pk for pk in map(asked.whole, request.POST.getlist("version")[:AT_ONCE]) if pk]
    reason, done = request.POST.get("reason", ""), 0
    for version in Version.objects.select_related("artifact").defer("body").filter(pk__in=pks).order_by("pk"):
        try:
            _decide(version, verb, reason, by, request)
            done += 1
        except reviewing.NotPossible as error:
            messages.warning(request, f"“{version}”: {error.message}")
    if done:
        messages.success(request, f"{done} {'accepted' if verb == 'accept' else 'rejected'}.")
    if not pks:
        messages.warning(request, "Tick what you have looked at first.")
    return redirect("reviews")


def _decide(version: Version, verb: str, reason: str, by: User, request: HttpRequest) -> None:
    now = timezone.now()
    if verb == "accept":
        reviewing.accept(version, by=by, now=now, reason=reason, request=request)
    else:
        reviewing.reject(version, by=by, now=now, reason=reason, request=request)


# --- one version --------------------------------------------------------------------------------


@needs(VIEW)
@require_POST
def verb(request: HttpRequest, pk: int, verb: str) -> HttpResponse:
    """Submits, withdraws, accepts or rejects one version. A refusal is said on its page; nothing typed is lost."""
    found = get_object_or_404(Artifact.objects.select_related("owner"), pk=pk)
    number = asked.whole(request.POST.get("version", "")) or found.newest
    version = get_object_or_404(Version.objects.select_related("artifact").defer("body"), artifact=found, number=number)
    try:
        said = _one(request, version, verb)
    except reviewing.NotPossible as error:
        return page(request, found, number, error)
    messages.success(request, said)
    return redirect(f"{reverse('artifact', args=[pk])}?version={number}")


def _one(request: HttpRequest, version: Version, verb: str) -> str:
    now = timezone.now()
    if verb in ("accept", "reject"):
        _decide(version, verb, request.POST.get("reason", ""), demand(request, REVIEW), request)
        return "Accepted: it counts as evidence." if verb == "accept" else "Rejected; whoever brought it is told why."
    by = demand(request, CAPTURE)
    if verb == "submit":
        chosen = asked.whole(request.POST.get("reviewer", ""))
        reviewer = holders(REVIEW).filter(pk=chosen).first() if chosen else None
        reviewing.submit(version, by=by, now=now, reviewer=reviewer, request=request)
        return "It waits for a review."
    if verb == "withdraw":
        reviewing.withdraw(version, by=by, now=now, request=request)
        return "Taken back: it is a draft again."
    raise Http404


@needs(CAPTURE)
@require_POST
def again(request: HttpRequest, pk: int) -> HttpResponse:
    """Captures a report anew: a new version, a draft."""
    found, by = get_object_or_404(Artifact, pk=pk), demand(request, CAPTURE)
    try:
        version = recapture.capture_again(found, by=by, now=timezone.now(), request=request)
    except reviewing.NotPossible as error:
        messages.warning(request, error.message)
    else:
        messages.success(request, f"Captured as version {version.number}. The versions before it stay.")
    return redirect("artifact", pk)


@needs(CAPTURE)
@require_POST
def rule(request: HttpRequest, pk: int) -> HttpResponse:
    """How often it is captured anew by itself."""
    found, by = get_object_or_404(Artifact, pk=pk), demand(request, CAPTURE)
    try:
        recapture.set_rule(found, _every(request), by=by, now=timezone.now(), request=request)
    except reviewing.NotPossible as error:
        messages.warning(request, error.message)
    else:
        messages.success(request, "The rule is set.")
    return redirect("artifact", pk)


def _every(request: HttpRequest) -> str:
    said = request.POST.get("every", "")
    return said if said in Every.values else Every.NEVER


# --- two versions -------------------------------------------------------------------------------


@needs(VIEW)
@require_safe
def compare(request: HttpRequest, pk: int) -> HttpResponse:
    """A captured report beside another version of it, or beside what it says of the newest snapshot."""
    found = get_object_or_404(Artifact, pk=pk, kind="report")
    number = asked.whole(str(request.GET.get("version", ""))) or found.newest
    every = found.versions.select_related("snapshot__workspace", "received_by", "artifact")
    version = get_object_or_404(every, number=number)
    other = asked.whole(str(request.GET.get("with", "")))
    context: dict[str, Any] = {"artifact": found, "version": version, "numbers": range(1, found.newest + 1)}
    context |= _against(version, get_object_or_404(every, number=other) if other else None)
    return render(request, "evidence/artifact_compare.html", context)


def _against(version: Version, other: Version | None) -> dict[str, Any]:
    """What differs, table by table; `why` when nothing can be compared."""
    shown = [each for each in (version, other) if each is not None]
    if any(proof.grave_of(each) or proof.fault_of(each) for each in shown):
        return {"why": "One of the two is erased or damaged, so they cannot be compared.", "other": other}
    if other is not None:
        earlier, later = sorted(shown, key=lambda each: each.number)
        found = comparing.compare(versions.document_of(earlier), versions.document_of(later))
        return {"tables": found, "other": other, "said": comparing.sentence(found)}
    newest = staleness.newest_of(version)
    if newest is None:
        return {"why": "There is no newer snapshot.", "other": None}
    found = staleness.contrasts(version, newest)
    return {"tables": found, "other": None, "newest": newest, "said": comparing.sentence(found)}
