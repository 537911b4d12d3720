"""One snapshot: what its signed header says, proved now, with its coverage and the receipts of its requests."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from connectors import locker
from connectors.models import Change, Receipt
from portal.access import VIEW, needs

from ..seal import seal
from . import anomalies, asked

RECEIPTS = 50


@needs(VIEW)
@require_safe
def snapshot(request: HttpRequest, pk: int, seq: int) -> HttpResponse:
    workspace = asked.workspace(pk)
    found = asked.snapshot(workspace, seq)
    changes = Change.objects.filter(workspace=workspace, seq=found.seq)
    context = {
        "workspace": workspace,
        "snapshot": found,
        "header": locker.header_of(found),
        "seal": seal(found),
        "changes": changes.count(),
        "odd": anomalies.of(workspace).filter(snapshot=found),
        "removed": changes.filter(sha256__isnull=True).count(),
        "receipts": asked.page(Receipt.objects.filter(run_id=found.run_id).order_by("n"), request.GET, size=RECEIPTS),
    }
    return render(request, "evidence/snapshot.html", context)
