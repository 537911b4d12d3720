"""Retention: how long each workspace's records are kept, what would go by a rule, and the legal hold that stops it."""

from typing import Any

from django.contrib import messages
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from connectors.models import Workspace
from portal.access import ERASE, VIEW, demand, needs

from .. import preview, retention
from ..erasures import NotPossible
from ..models import Keep
from . import asked


@needs(VIEW)
@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """Every workspace with its rule."""
    q = asked.words(request.GET)
    held = request.GET.get("held") == "1"
    found = Workspace.objects.filter(Q(name__icontains=q) | Q(slug__icontains=q)).select_related("retention")
    if held:
        found = found.filter(retention__isnull=False).exclude(retention__hold="")
    context = {"page": asked.page(found.order_by("name", "pk"), request.GET), "q": q, "held": held}
    return render(request, "evidence/retention.html", context)


@needs(VIEW)
@require_http_methods(["GET", "HEAD", "POST"])
def rule(request: HttpRequest, pk: int) -> HttpResponse:
    """One workspace: a GET says what would go by the rule that it names, a POST sets it."""
    workspace = asked.workspace(pk)
    said = request.POST if request.method == "POST" else request.GET
    refused = None
    if request.method == "POST":
        by = demand(request, ERASE)
        keep, number = said.get("keep", ""), said.get("number", "")
        try:
            retention.decide(workspace, keep, number, by=by, now=timezone.now(), request=request)
        except NotPossible as error:
            refused = error
        else:
            messages.success(request, "The rule is set. The worker carries it out within a day.")
            return redirect("retention-rule", pk)
    return _page(request, workspace, said, refused)


def _page(request: HttpRequest, workspace: Workspace, said: Any, refused: NotPossible | None) -> HttpResponse:
    """Shows what would go: by the rule that the address names, else by the one that stands."""
    stands = tried = retention.of(workspace)
    if refused is None and "keep" in said:
        try:
            tried = retention.trial(workspace, str(said.get("keep", "")), str(said.get("number", "")))
        except NotPossible as error:
            refused = error
    going = retention.would_go(tried, timezone.now())
    context = {
        "workspace": workspace,
        "stands": stands,
        "tried": tried,
        "other": (tried.keep, tried.number) != (stands.keep, stands.number),
        "keeps": Keep.choices,
        "going": going,
        "streams": [(preview.title_of(workspace.connector, name), many) for name, many in sorted(going.counts.items())],
        "refused": refused,
        "reason": request.POST.get("reason", "")[:1000],
    }
    return render(request, "evidence/retention_rule.html", context, status=409 if request.method == "POST" else 200)


@needs(ERASE)
@require_POST
def hold(request: HttpRequest, pk: int) -> HttpResponse:
    """Places a legal hold, or lifts it."""
    workspace, by, now = asked.workspace(pk), demand(request, ERASE), timezone.now()
    verb = retention.lift if "lift" in request.POST else retention.hold
    try:
        verb(workspace, request.POST.get("reason", ""), by=by, now=now, request=request)
    except NotPossible as error:
        return _page(request, workspace, {}, error)
    messages.success(request, "The legal hold was lifted." if "lift" in request.POST else "The legal hold stands.")
    return redirect("retention-rule", pk)


@needs(ERASE)
@require_POST
def run(request: HttpRequest, pk: int) -> HttpResponse:
    workspace = asked.workspace(pk)
    demand(request, ERASE)
    try:
        retention.request_run(workspace)
    except NotPossible as error:
        return _page(request, workspace, {}, error)
    messages.success(request, "The worker removes what the rule does not keep, unless a sync is under way.")
    return redirect("retention-rule", pk)
