"""Home: how fresh the evidence is, how much of it there is, and what needs attention."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from connectors import conditions, pauses
from connectors.conditions import Condition
from connectors.models import Connection, ConnectionState, SyncRun, Workspace
from portal.access import MANAGE, VIEW, demand, may, needs

from .. import waiting
from ..health import Health, api_news, health, matters, worker
from ..integrity import alarms
from ..models import Artifact

SHOWN = 20
RECENT = 6


@needs(VIEW)
@require_safe
def home(request: HttpRequest) -> HttpResponse:
    now = timezone.now()
    healths = health(Workspace.objects.all(), now)
    runs = SyncRun.objects.select_related("connection__workspace", "snapshot").defer("snapshot__header")
    kept = Artifact.objects.filter(archived_at=None)
    context = {
        "now": now,
        "healths": healths[:SHOWN],
        "stats": _stats(healths, now),
        "connected": _connected(now),
        "matters": [*alarms(now), *matters(healths, now), *(api_news(healths) if may(request.user, MANAGE) else ())],
        "waiting": waiting.matters(demand(request, VIEW), now),
        "drafts": _drafts(request),
        "worker": worker(now),
        "pause": pauses.everything(),
        "runs": runs.order_by("-pk")[:RECENT],
        "artifacts": kept.select_related("owner").order_by("-received_at", "-pk")[:RECENT],
        "kept": kept.count(),
    }
    return render(request, "evidence/home.html", context)


def _connected(now: datetime) -> dict[str, Any]:
    """How many connections are active, of how many, and what the others are."""
    counted = conditions.counts(now, Connection.objects.exclude(state=ConnectionState.DISCONNECTED))
    others = [(each.label.lower(), many) for each, many in counted.items() if each is not Condition.ACTIVE]
    return {"active": counted.get(Condition.ACTIVE, 0), "all": sum(counted.values()), "others": others}


def _drafts(request: HttpRequest) -> list[Connection]:
    """Connections that somebody began to make; only those who may go on with them are told."""
    if not may(request.user, MANAGE):
        return []
    return list(Connection.objects.filter(state=ConnectionState.DRAFT).order_by("-pk")[:RECENT])


def _stats(healths: Sequence[Health], now: datetime) -> dict[str, Any]:
    dated = sorted((each for each in healths if each.snapshot is not None), key=_published)
    coverage = [mark for each in healths for mark in each.marks]
    return {
        "workspaces": len(healths),
        "newest": dated[-1] if dated else None,
        "oldest": dated[0] if len(dated) > 1 else None,
        "streams": len(coverage),
        "complete": sum(mark.name == "pass" for mark in coverage),
        "others": Counter(mark.word.lower() for mark in coverage if mark.name != "pass").most_common(),
        "records": sum(covered.known for each in healths for covered in each.coverage),
    }


def _published(each: Health) -> datetime:
    assert each.snapshot is not None
    return each.snapshot.published_at
