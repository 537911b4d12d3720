"""Comments, and what people are told."""

from typing import Any

from django.contrib import messages
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from portal.access import COMMENT, VIEW, demand, needs

from .. import comments, notices
from ..models import Action, Artifact, Comment, Notice
from . import asked

ABOUT: dict[str, type[Model]] = {"artifact": Artifact, "action": Action}


@needs(COMMENT)
@require_POST
def comment(request: HttpRequest, about: str, pk: int) -> HttpResponse:
    """Adds one to an artifact or an action; an audit's request has its own page for its own people."""
    by = demand(request, VIEW)
    if about not in ABOUT:
        raise Http404
    found: Any = get_object_or_404(ABOUT[about], pk=pk)
    text = request.POST.get("text", "")
    if not text.strip():
        messages.warning(request, "Write something first.")
        return redirect(about, pk)
    made = comments.add(found, text, by=by, now=timezone.now(), request=request)
    return redirect(comments.path_of(made))


@needs(COMMENT)
@require_POST
def withdraw(request: HttpRequest, pk: int) -> HttpResponse:
    """One's own comment; that there was one stays."""
    found, by = get_object_or_404(Comment.objects.select_related("request"), pk=pk), demand(request, COMMENT)
    if not comments.withdraw(found, by=by, now=timezone.now(), request=request):
        messages.warning(request, "Only whoever wrote a comment can take it back, once.")
    return redirect(comments.path_of(found))


@needs(COMMENT)
@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """What this person was told, the newest first."""
    by, fresh = demand(request, COMMENT), request.GET.get("unseen") == "1"
    rows = Notice.objects.filter(person=by)
    context = {
        "page": asked.page(rows.filter(seen_at=None) if fresh else rows, request.GET),
        "fresh": fresh,
        "unseen": notices.unseen(by),
    }
    return render(request, "evidence/notices.html", context)


@needs(COMMENT)
@require_POST
def see(request: HttpRequest) -> HttpResponse:
    """Marks one as seen and goes there, or all of them."""
    by, pk = demand(request, COMMENT), asked.whole(request.POST.get("pk", ""))
    if pk is None:
        notices.see(by, timezone.now())
        return redirect("notices")
    found = get_object_or_404(Notice, pk=pk, person=by)
    notices.see(by, timezone.now(), pks=[pk])
    return redirect(found.path if found.path.startswith("/") and not found.path.startswith("//") else "notices")
