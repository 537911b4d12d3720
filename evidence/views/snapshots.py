"""One snapshot: what its signed header says, proved now, with its coverage and the receipts of its requests.

The address names it; with `as_of` it leads to the snapshot that this means.
"""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from connectors import locker
from connectors.models import Change, Receipt
from portal.access import VIEW, needs

from ..asof import NAME, Seen
from ..seal import seal
from . import anomalies, asked
from .past import as_of

RECEIPTS = 50


@needs(VIEW)
@require_safe
@as_of
def snapshot(request: HttpRequest, seen: Seen, seq: int) -> HttpResponse:
    workspace = seen.workspace
    if NAME in request.GET and seen.snapshot is not None:
        return redirect("snapshot", workspace.pk, seen.snapshot.seq)
    found = asked.snapshot(workspace, seq)
    changes = Change.objects.filter(workspace=workspace, seq=found.seq)
    context = {
        "workspace": workspace,
        "seen": Seen(workspace, found, str(seq) if seq < workspace.head else "", fixed=True),
        "snapshot": found,
        "header": locker.header_of(found),
        "seal": seal(found),
        "changes": changes.count(),
        "odd": anomalies.of(workspace).filter(snapshot=found),
        "removed": changes.filter(sha256__isnull=True).count(),
        "receipts": asked.page(Receipt.objects.filter(run_id=found.run_id).order_by("n"), request.GET, size=RECEIPTS),
    }
    return render(request, "evidence/snapshot.html", context)
