"""Pages that show the past on request: `?as_of=` becomes what they see, or a page that says why it cannot."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, cast

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse

from connectors import registry, troubleshooting
from connectors.models import Workspace

from .. import asof
from ..asof import NAME, Refused, Seen
from . import asked

OLD = "snapshot"  # what NAME was called before it took dates
CLOCK = "as_of_time"  # the field beside the date; it never stays in an address
_PLAIN = {"workspace", "report", "anomalies"}  # pages whose address without NAME shows what is now
_STATUS = {"as-of-unreadable": 400}

P = ParamSpec("P")


def as_of(
    view: Callable[Concatenate[HttpRequest, Seen, P], HttpResponseBase],
) -> Callable[Concatenate[HttpRequest, int, P], HttpResponseBase]:
    """Gives a page of a workspace what it is to show. Addresses come here with NAME alone: others are redirected."""

    @wraps(view)
    def looking(request: HttpRequest, pk: int, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        workspace = asked.workspace(pk)
        if (tidy := _tidy(request)) is not None:
            return redirect(tidy)
        said = request.POST.get(NAME) or request.POST.get(OLD) or request.GET.get(NAME, "")
        try:
            seen = asof.find(workspace, said.strip())
        except Refused as why:
            return refused(request, workspace, why)
        return view(request, seen, *args, **kwargs)

    looking.takes_as_of = True  # type: ignore[attr-defined]  # the test of all links reads it
    return cast("Callable[Concatenate[HttpRequest, int, P], HttpResponseBase]", looking)


def _tidy(request: HttpRequest) -> str | None:
    """The address with NAME in one word: after the form of two fields, or an old link. None when it is so already."""
    query = request.GET
    crooked = {OLD, CLOCK} & query.keys() or query.get(NAME) == ""
    if request.method == "POST" or not crooked:
        return None
    said, clock = query.get(NAME) or query.get(OLD, ""), query.get(CLOCK, "")
    kept = query.copy()
    for name in (NAME, OLD, CLOCK):
        kept.pop(name, None)
    if said:
        kept[NAME] = f"{said}T{clock}" if clock else said
    return f"{request.path}?{kept.urlencode()}" if kept else request.path


def refused(request: HttpRequest, workspace: Workspace, why: Refused) -> HttpResponse:
    """The page that says why `as_of` shows nothing, with the way back."""
    match = request.resolver_match
    plain = match is not None and match.url_name in _PLAIN
    context = {
        "workspace": workspace,
        "reports": registry.get(workspace.connector).reports,
        "why": why,
        "hint": troubleshooting.hint(why.code),
        "here": request.path if plain else reverse("workspace", args=[workspace.pk]),
    }
    return render(request, "evidence/as_of_refused.html", context, status=_STATUS.get(why.code, 404))
