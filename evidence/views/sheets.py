"""The library's table brought back: looked at row by row, then carried out in one go, which can be taken back."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from portal.access import CAPTURE, demand, needs

from ..library import sheet, shelf
from .bulk import told

SHOWN = 200


@needs(CAPTURE)
@require_http_methods(["GET", "HEAD", "POST"])
def bring(request: HttpRequest) -> HttpResponse:
    """The file's text travels in the page between the look and the deed: nothing is kept that nobody carries out."""
    text, wrong = _text(request)
    plan = sheet.plan(text) if text and not wrong else None
    confirmed = str(request.POST.get("mark", ""))
    if plan is not None and confirmed and not plan.wrong:
        if confirmed == plan.mark:
            by, now = demand(request, CAPTURE), timezone.now()
            done = shelf.arrange(plan.wishes, by=by, now=now, request=request)
            many = len(done.artifacts)
            told(request, done, f"{many} artifact{'' if many == 1 else 's'} changed by a CSV file.", by, now)
            return redirect("artifacts")
        wrong = "Something changed since you looked: this is what the file would change now."
    context = {"plan": plan, "text": text, "wrong": wrong, "columns": sheet.CHANGES, "rows": sheet.MOST}
    shown = {"lines": plan.lines[:SHOWN], "more": max(0, len(plan.lines) - SHOWN)} if plan else {}
    return render(request, "evidence/artifacts_import.html", context | shown)


def _text(request: HttpRequest) -> tuple[str, str]:
    """The text of the CSV that was sent, and what is wrong with it."""
    if request.method != "POST":
        return "", ""
    upload = request.FILES.get("file")
    if upload is None:
        text = str(request.POST.get("text", ""))
        return text, "" if text else "Choose a CSV file."
    if (upload.size or 0) > sheet.LONGEST * 4:
        return "", f"The file has more than {sheet.LONGEST:,} characters. Bring it in parts."
    try:
        return upload.read().decode("utf-8-sig"), ""
    except UnicodeDecodeError:
        return "", "The file is not UTF-8 text. Save it as “CSV UTF-8”."
