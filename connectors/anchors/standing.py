"""How far each workspace is confirmed from outside, in one query for each kind whatever the number of workspaces."""

from datetime import datetime
from typing import Any

from django.conf import settings
from django.db.models import Exists, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce

from ..models import Anchor, AnchorTry, Snapshot, Workspace
from .making import configured


def reach(kind: str) -> QuerySet[Any]:
    """Every workspace that has a snapshot, annotated:

    anchored, anchored_at, anchored_sha256   number, time and digest of the newest head with an anchor, or None
    met                                      whether the chain holds that head as it was
    open_since                               when the first snapshot came out that no anchor confirms, or None
    """
    newest = Anchor.objects.filter(workspace=OuterRef("pk"), kind=kind).order_by("-seq", "-pk")
    held = Snapshot.objects.filter(
        workspace=OuterRef("pk"), seq=OuterRef("anchored"), header_sha256=OuterRef("anchored_sha256")
    )
    after = Snapshot.objects.filter(workspace=OuterRef("pk"), seq__gt=Coalesce(OuterRef("anchored"), 0))
    rows = Workspace.objects.filter(head__gt=0).annotate(
        anchored=Subquery(newest.values("seq")[:1]),
        anchored_at=Subquery(newest.values("at")[:1]),
        anchored_sha256=Subquery(newest.values("header_sha256")[:1]),
    )
    open_since = Subquery(after.order_by("seq").values("published_at")[:1])
    return rows.annotate(met=Exists(held), open_since=open_since)


def contradicted() -> list[tuple[Any, str]]:
    """Workspaces whose newest anchor of a kind is not met by the chain, with the kind; one query for each kind."""
    return [(row, kind) for kind in Anchor.Kind for row in reach(kind).filter(anchored__isnull=False, met=False)]


def late(kind: str, now: datetime) -> QuerySet[Any]:
    """Workspaces with a snapshot that should have an anchor of this kind by now, the longest open first."""
    return reach(kind).filter(open_since__lt=now - settings.ANCHOR_WITHIN).order_by("open_since", "pk")


def refused() -> QuerySet[AnchorTry]:
    """Tries whose last one came to nothing, of the kinds that are configured."""
    failed = AnchorTry.objects.filter(kind__in=configured()).exclude(code="")
    return failed.select_related("workspace")
