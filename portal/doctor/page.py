"""The same findings on a page, and as a file. Both look; neither asks a service or the mail server."""

from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import URLPattern, path
from django.utils import timezone

from .. import access, adminpages
from .examination import Asked, examine
from .findings import Finding, Verdict, document, many

MOST_CONNECTIONS = 100


def urls(admin_view: Any) -> list[URLPattern]:
    return [
        path("doctor/", admin_view(condition), name="doctor"),
        path("doctor.json", admin_view(condition_file), name="doctor-file"),
    ]


def condition(request: HttpRequest) -> HttpResponse:
    access.demand(request, access.MANAGE)
    now = timezone.now()
    found = examine(Asked(now, thorough=False, most=MOST_CONNECTIONS))
    return adminpages.page(
        request,
        "admin/doctor.html",
        title="Condition of the portal",
        now=now,
        groups=_groups(found),
        fails=many(found, Verdict.FAIL),
        warnings=many(found, Verdict.WARN),
        passes=many(found, Verdict.PASS),
        unknowns=many(found, Verdict.UNKNOWN),
    )


def condition_file(request: HttpRequest) -> HttpResponse:
    access.demand(request, access.MANAGE)
    now = timezone.now()
    answer = JsonResponse(document(examine(Asked(now, thorough=False)), now), json_dumps_params={"indent": 2})
    answer["Content-Disposition"] = f'attachment; filename="condition-{now:%Y%m%dT%H%M%SZ}.json"'
    return answer


def _groups(found: list[Finding]) -> list[tuple[str, list[Finding]]]:
    names = dict.fromkeys(each.group for each in found)
    return [(name, [each for each in found if each.group == name]) for name in names]
