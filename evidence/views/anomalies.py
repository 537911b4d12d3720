"""Anomalies of a workspace: what a person should look at, and what somebody said that explains it."""

from typing import Any

from django.contrib import messages
from django.db.models import F, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from connectors import anomalies
from connectors.models import Anomaly, Workspace
from portal.access import ACKNOWLEDGE, VIEW, demand, needs

from ..asof import Seen
from . import asked
from .past import as_of

AT_ONCE = 1000  # on a page that gives back what somebody typed


def of(workspace: Workspace) -> QuerySet[Anomaly]:
    """Those that wait for an explanation first, then the newest."""
    waiting = F("acknowledged_at").desc(nulls_first=True)
    return anomalies.listed().filter(snapshot__workspace=workspace).order_by(waiting, "-snapshot__seq", "-pk")


def until(seen: Seen) -> QuerySet[Anomaly]:
    """Those of the snapshot that a page shows and of the ones before it. What explains them may be newer."""
    return of(seen.workspace).filter(snapshot__seq__lte=seen.snapshot.seq if seen.snapshot else 0)


@needs(VIEW)
@require_http_methods(["GET", "HEAD", "POST"])
@as_of
def index(request: HttpRequest, seen: Seen) -> HttpResponse:
    """The list; a POST says what explains some of them, and gives the form back when it cannot be taken."""
    workspace = seen.workspace
    context: dict[str, Any] = {"workspace": workspace, "seen": seen, "chosen": (), "explanation": "", "refused": None}
    if request.method == "POST":
        by, chosen = demand(request, ACKNOWLEDGE), _chosen(request, workspace)
        explanation = request.POST.get("explanation", "").replace("\0", "")
        try:
            many = anomalies.acknowledge(chosen, explanation, by=by, now=timezone.now(), request=request)
        except anomalies.NotPossible as error:
            context |= {"chosen": chosen, "explanation": explanation, "refused": error}
        else:
            _say(request, many)
            return redirect(seen.url("anomalies", workspace.pk))
    size = AT_ONCE if context["refused"] else asked.PAGE
    context["page"] = asked.page(until(seen), request.GET, size=size)
    return render(request, "evidence/anomalies.html", context)


def _chosen(request: HttpRequest, workspace: Workspace) -> list[int]:
    """The anomalies of this workspace that were ticked."""
    said = [asked.whole(text) for text in request.POST.getlist("anomaly")[:AT_ONCE]]
    numbers = [number for number in said if number is not None]
    return list(of(workspace).filter(pk__in=numbers).values_list("pk", flat=True))


def _say(request: HttpRequest, many: int) -> None:
    if many:
        noun = "anomaly is" if many == 1 else "anomalies are"
        messages.success(request, f"{many} {noun} acknowledged. The explanation stands beside it and in the audit log.")
    else:
        messages.info(request, "Somebody had acknowledged it already; nothing was changed.")
