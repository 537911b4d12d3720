"""Erasures: all of them with the form that asks for one; and one with what goes, which a second person confirms."""

from typing import Any

from django.contrib import messages
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from connectors.models import Workspace
from portal import ledger
from portal.access import ERASE, VIEW, demand, needs
from portal.chips import chips

from .. import erasures, preview
from ..health import worker
from ..models import Erasure, Stage, Version
from . import asked

LISTED = 20


def _all() -> QuerySet[Erasure]:
    return Erasure.objects.select_related("workspace", "asked_by", "decided_by").order_by("-pk")


@needs(VIEW)
@require_http_methods(["GET", "HEAD", "POST"])
def index(request: HttpRequest) -> HttpResponse:
    """The list; a POST asks for a search, and gives the form back when it cannot be taken."""
    context: dict[str, Any] = {"refused": None, "needle": "", "reason": "", "chosen": None}
    if request.method == "POST":
        by = demand(request, ERASE)
        needle, reason = (request.POST.get(name, "").replace("\0", "")[:1000] for name in ("needle", "reason"))
        number = asked.whole(request.POST.get("workspace", ""))
        workspace = get_object_or_404(Workspace, pk=number) if number else None
        try:
            made = erasures.ask(needle, reason, workspace=workspace, by=by, now=timezone.now(), request=request)
        except erasures.NotPossible as error:
            context |= {"refused": error, "needle": needle, "reason": reason, "chosen": number}
        else:
            return redirect("erasure", made.pk)
    context |= _listed(request) | {"workspaces": Workspace.objects.filter(head__gt=0)}
    return render(request, "evidence/erasures.html", context)


def _listed(request: HttpRequest) -> dict[str, Any]:
    stage, q = asked.words(request.GET, "stage"), asked.words(request.GET)
    found = _all().filter(Q(reason__icontains=q) | Q(hint__icontains=q) | Q(asked_by__username__icontains=q))
    counted = dict(found.order_by().values_list("stage").annotate(Count("pk")))
    if stage in Stage.values:
        found = found.filter(stage=stage)
    return {
        "page": asked.page(found, request.GET, size=LISTED),
        "stages": chips("stage", [(name, title, counted.get(name, 0)) for name, title in Stage.choices], stage),
        "stage": stage,
        "q": q,
        "narrowed": bool(q or stage in Stage.values),
    }


@needs(VIEW)
@require_safe
def erasure(request: HttpRequest, pk: int) -> HttpResponse:
    """One of them: what goes and what stays; while the worker is at it, how far it is."""
    found, now = get_object_or_404(_all(), pk=pk), timezone.now()
    return render(request, "evidence/erasure.html", _context(request, found, now))


def _context(request: HttpRequest, found: Erasure, now: Any) -> dict[str, Any]:
    page = asked.page(found.blobs, request.GET)
    sealed = ledger.sealing([found.audit]).get(found.audit) if found.audit else None
    return {
        "found": found,
        "now": now,
        "moves": found.stage in (Stage.SEARCHING, Stage.CONFIRMED),
        "worker": worker(now),
        "page": page,
        "going": preview.going(list(page)),
        "streams": preview.by_stream(found),
        "kept": Version.objects.filter(pk__in=found.artifacts).select_related("artifact").defer("body"),
        "sealed": sealed,
        "own": found.asked_by_id == request.user.pk,
    }


@needs(ERASE)
@require_POST
def confirm(request: HttpRequest, pk: int) -> HttpResponse:
    found, by = get_object_or_404(_all(), pk=pk), demand(request, ERASE)
    try:
        erasures.confirm(found.pk, by=by, now=timezone.now(), request=request)
    except erasures.NotPossible as error:
        return _refused(request, pk, error)
    messages.success(request, "Confirmed. The worker seals the entry in the ledger, then the bytes go.")
    return redirect("erasure", pk)


@needs(ERASE)
@require_POST
def withdraw(request: HttpRequest, pk: int) -> HttpResponse:
    found, by = get_object_or_404(_all(), pk=pk), demand(request, ERASE)
    try:
        erasures.withdraw(found.pk, by=by, now=timezone.now(), request=request)
    except erasures.NotPossible as error:
        return _refused(request, pk, error)
    messages.success(request, "Withdrawn. Nothing was erased.")
    return redirect("erasure", pk)


def _refused(request: HttpRequest, pk: int, error: erasures.NotPossible) -> HttpResponse:
    context = _context(request, get_object_or_404(_all(), pk=pk), timezone.now())
    return render(request, "evidence/erasure.html", context | {"refused": error}, status=409)
