"""Uploads, with what became of each file; and a stored file as a download or as a picture of it."""

from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from connectors.models import Workspace
from portal.access import CAPTURE, EXPORT, VIEW, demand, needs
from portal.models import User

from ..library import intake, previewing, receiving, serving, store
from ..models import Artifact, Version
from . import asked


@dataclass(frozen=True)
class Outcome:
    """What became of one file: `version` is it when it was kept, `there` the one that has the same bytes."""

    name: str
    sentence: str
    code: str = ""
    version: Version | None = None
    there: Version | None = None


@needs(CAPTURE)
@require_http_methods(["GET", "HEAD", "POST"])
def upload(request: HttpRequest) -> HttpResponse:
    """The form; a POST keeps each of its files by itself. A script that sends them one by one gets the list alone."""
    by = demand(request, CAPTURE)
    said = request.POST if request.method == "POST" else request.GET
    number = asked.whole(str(said.get("artifact", "")))
    artifact = get_object_or_404(Artifact, pk=number, kind="file") if number else None
    context: dict[str, Any] = {"artifact": artifact, "said": said}
    context |= {"workspaces": Workspace.objects.filter(head__gt=0), "chosen": said.getlist("workspaces")}
    context |= {"people": User.objects.filter(is_active=True).order_by("username"), "by": by}
    context["limit"] = settings.UPLOAD_MAX
    if request.method == "POST":
        context["wrong"], details = _details(request)
        if not context["wrong"]:
            context["outcomes"] = _all_received(request, by, artifact, details)
    page = "evidence/parts/uploaded.html" if request.headers.get("X-Upload") else "evidence/upload.html"
    return render(request, page, context)


def _details(request: HttpRequest) -> tuple[dict[str, str], dict[str, Any]]:
    """What is wrong, by field; and what is said of all files of an upload."""
    days = {name: _day(request.POST.get(name, "")) for name in ("period_from", "period_to", "collected")}
    wrong = {name: "Write a day as YYYY-MM-DD." for name, (_, fine) in days.items() if not fine}
    first, last, collected = (days[name][0] for name in ("period_from", "period_to", "collected"))
    if (first is None) != (last is None) and not wrong:
        wrong["period_to"] = "A period has a first and a last day."
    elif first and last and last < first:
        wrong["period_to"] = "The period ends before it begins."
    if collected and collected > timezone.localdate():
        wrong["collected"] = "This day has not come yet."
    owner = asked.whole(request.POST.get("owner", ""))
    numbers = [found for each in request.POST.getlist("workspaces") if (found := asked.whole(each))]
    return wrong, {
        "period": (first, last),
        "collected_at": timezone.make_aware(datetime.combine(collected, time())) if collected else None,
        "owner": User.objects.filter(pk=owner, is_active=True).first() if owner else None,
        "workspaces": list(Workspace.objects.filter(pk__in=numbers)),
        "again": request.POST.get("again") == "1",
    }


def _day(text: str) -> tuple[date | None, bool]:
    """The day that a field says, and whether that is one; an empty field is None."""
    try:
        return (date.fromisoformat(text.strip()) if text.strip() else None), True
    except ValueError:
        return None, False


def _all_received(request: HttpRequest, by: User, artifact: Artifact | None, details: dict[str, Any]) -> list[Outcome]:
    stopped = [
        Outcome(receiving.safe_name(name), sentence, code) for name, code, sentence in intake.refusals_of(request)
    ]
    files = request.FILES.getlist("files")
    if not files and not stopped:
        return [Outcome("Nothing", "No file was chosen.", "upload-empty")]
    return [*(_received(request, each, by, artifact, details) for each in files), *stopped]


def _received(
    request: HttpRequest, file: "UploadedFile[Any]", by: User, artifact: Artifact | None, details: dict[str, Any]
) -> Outcome:
    name = receiving.safe_name(str(file.name or ""))
    try:
        made = receiving.receive(file, by=by, now=timezone.now(), artifact=artifact, request=request, **details)
    except receiving.Refused as error:
        return Outcome(name, error.sentence, error.code)
    except receiving.Duplicate as same:
        return Outcome(name, "The portal has exactly this file already.", "upload-duplicate", there=same.version)
    finally:
        file.close()
    return Outcome(name, f"Kept, as version {made.number}.", version=made)


# --- going out --------------------------------------------------------------------------------------------------


def _version(pk: int, number: int) -> Version:
    found: Version = get_object_or_404(
        Version.objects.select_related("artifact"), artifact=pk, number=number, stored=True
    )
    return found


@needs(EXPORT)
@require_safe
def file(request: HttpRequest, pk: int, number: int) -> HttpResponseBase:
    return serving.respond(request, _version(pk, number))


@needs(VIEW)
@require_safe
def preview(request: HttpRequest, pk: int, number: int) -> HttpResponse:
    """A page or an image of a stored file, drawn anew; 404 when there is nothing to draw."""
    version = _version(pk, number)
    try:
        pages, png = previewing.drawn(version, asked.whole(str(request.GET.get("page", "1"))) or 1)
    except (previewing.NoPreview, store.Missing) as why:
        raise Http404(str(why)) from None
    response = HttpResponse(png, content_type="image/png", headers={**serving.HEADERS, "X-Pages": str(pages)})
    response.headers["Content-Disposition"] = "inline"
    return response
