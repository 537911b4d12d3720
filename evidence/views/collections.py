"""Collections: made, named anew, and deleted while they are empty."""

from django.contrib import messages
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from portal.access import CAPTURE, demand, needs

from ..library import shelf
from ..library.shelf import NotPossible
from ..models import Collection
from . import asked


@needs(CAPTURE)
@require_http_methods(["GET", "HEAD", "POST"])
def index(request: HttpRequest) -> HttpResponse:
    """All collections, and a form for a new one."""
    name, about, wrong = str(request.POST.get("name", "")), str(request.POST.get("about", "")), ""
    if request.method == "POST":
        try:
            by, now = demand(request, CAPTURE), timezone.now()
            made = shelf.name_collection(name, about, by=by, now=now, request=request)
            messages.success(request, f"The collection “{made}” was made.")
            return redirect("collections")
        except NotPossible as error:
            wrong = error.message
    rows = Collection.objects.annotate(many=Count("artifacts")).select_related("created_by").order_by("name")
    context = {"page": asked.page(rows, request.GET), "name": name, "about": about, "wrong": wrong}
    return render(request, "evidence/collections.html", context)


@needs(CAPTURE)
@require_POST
def collection(request: HttpRequest, pk: int) -> HttpResponse:
    """Gives a collection another name and description, or deletes it."""
    found, data = get_object_or_404(Collection, pk=pk), request.POST
    by, now = demand(request, CAPTURE), timezone.now()
    try:
        if data.get("do") == "delete":
            shelf.drop_collection(found, by=by, now=now, request=request)
            messages.success(request, f"The collection “{found}” was deleted. No artifact lay in it.")
        else:
            name, about = str(data.get("name", "")), str(data.get("about", ""))
            shelf.name_collection(name, about, collection=found, by=by, now=now, request=request)
            messages.success(request, f"The collection is called “{found}” now.")
    except NotPossible as error:
        messages.error(request, error.message)
    return redirect("collections")
