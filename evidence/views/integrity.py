"""Integrity: the last verification, line by line; one under way; earlier ones; keys; and what cannot be proved."""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from portal import ledger
from portal.access import VERIFY, VIEW, demand, needs
from portal.chips import chips

from .. import integrity, verifications
from ..health import worker
from ..models import Outcome, Verification
from . import asked

LISTED = 20


def _all() -> Any:
    return Verification.objects.select_related("by").order_by("-pk")


@needs(VIEW)
@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """The page; while a verification is under way, its live part alone when htmx asks for it."""
    now = timezone.now()
    running = _all().filter(state__in=(Outcome.QUEUED, Outcome.RUNNING)).first()
    context = {"now": now, "running": running, "worker": worker(now) if running else None}
    if getattr(request, "htmx", False):
        if running is None:
            return HttpResponse(headers={"HX-Refresh": "true"})
        return render(request, "evidence/parts/verification_live.html", context | _progress(running, now))
    state, q = asked.words(request.GET, "state"), asked.words(request.GET)
    last = verifications.finished()
    context |= _progress(running, now) | _earlier(request, state, q)
    context |= {
        "last": last,
        "lines": integrity.lines(last) if last else (),
        "keys": integrity.keys(),
        "limits": integrity.LIMITS,
        "ledger": ledger.head(),
        "waiting": ledger.waiting().count(),
        "verify_at": settings.VERIFY_AT,
        "zone": settings.TIME_ZONE,
    }
    return render(request, "evidence/integrity.html", context)


def _progress(running: Verification | None, now: Any) -> dict[str, Any]:
    return {"left": integrity.left(running, now) if running else None}


def _earlier(request: HttpRequest, state: str, q: str) -> dict[str, Any]:
    """The list of verifications: by outcome, by who asked for it."""
    found = _all().filter(by__username__icontains=q) if q else _all()
    counted = dict(found.order_by().values_list("state").annotate(Count("pk")))
    if state in Outcome.values:
        found = found.filter(state=state)
    return {
        "page": asked.page(found.defer("lines", "heads"), request.GET, size=LISTED),
        "states": chips("state", [(name, title, counted.get(name, 0)) for name, title in Outcome.choices], state),
        "state": state,
        "q": q,
        "narrowed": bool(q or state in Outcome.values),
    }


@needs(VIEW)
@require_safe
def verification(request: HttpRequest, pk: int) -> HttpResponse:
    """One of them, as it ended."""
    found = get_object_or_404(_all(), pk=pk)
    if found.under_way:
        return redirect("integrity")
    return render(request, "evidence/verification.html", {"found": found, "lines": integrity.lines(found)})


@needs(VERIFY)
@require_POST
def verify(request: HttpRequest) -> HttpResponse:
    by = demand(request, VERIFY)
    if verifications.request(trigger="person", now=timezone.now(), by=by, request=request):
        messages.success(
            request, "Everything that is stored will be verified now. It goes on when you leave this page."
        )
    else:
        messages.info(request, "A verification was under way already; it was not started twice.")
    return redirect("integrity")
