"""Saved views, and taking back: small forms that lists carry."""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_POST

from portal.access import CAPTURE, VIEW, demand, needs

from .. import savedviews, undoing
from ..library.shelf import NotPossible
from ..models import SavedView


@needs(CAPTURE)
@require_POST
def undo(request: HttpRequest, pk: int) -> HttpResponse:
    try:
        taken = undoing.take_back(pk, by=demand(request, CAPTURE), now=timezone.now(), request=request)
    except NotPossible as error:
        messages.error(request, error.message)
        return redirect("artifacts")
    messages.success(request, f"Taken back: {taken.label}.")
    if taken.left:
        many = "1 change was" if taken.left == 1 else f"{taken.left} changes were"
        messages.warning(request, f"{many} not taken back, because somebody changed the same again since.")
    return redirect("artifacts")


@needs(VIEW)
@require_POST
def save(request: HttpRequest) -> HttpResponse:
    """Keeps the filters of a list under a name."""
    data = request.POST
    page, query = str(data.get("page", "")), str(data.get("query", ""))
    try:
        where = savedviews.path(page)
        name, shared = str(data.get("name", "")), data.get("shared") == "1"
        view = savedviews.save(by=demand(request, VIEW), page=page, name=name, query=query, shared=shared)
    except NotPossible as error:
        if page not in savedviews.PAGES:
            raise Http404 from None
        messages.error(request, error.message)
        return redirect(f"{where}?{query}")
    messages.success(request, f"The view “{view.name}” was saved{', for everybody' if view.shared else ''}.")
    return redirect(f"{where}?{view.query}")


@needs(VIEW)
@require_POST
def change(request: HttpRequest, pk: int) -> HttpResponse:
    """Renames, shares or deletes one's own view."""
    by, data = demand(request, VIEW), request.POST
    try:
        if data.get("do") == "delete":
            page = savedviews.drop(pk, by=by)
            messages.success(request, "The view was deleted. The artifacts are as they were.")
            return redirect(savedviews.path(page))
        view = savedviews.rename(pk, by=by, name=str(data.get("name", "")), shared=data.get("shared") == "1")
    except SavedView.DoesNotExist:
        raise Http404 from None
    except NotPossible as error:
        messages.error(request, error.message)
        view = SavedView.objects.get(pk=pk)
    return redirect(f"{savedviews.path(view.page)}?{view.query}")
