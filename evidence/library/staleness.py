"""When a newer snapshot says something else than an accepted report. The only writer of `Drift` and `Look`.

The worker compares once for each new snapshot, and once when an older report is accepted; lists only read the result.
"""

from datetime import datetime, timedelta
from functools import cache

from django.db.models import F, Q, QuerySet
from django.urls import reverse
from django_q.tasks import async_task

from connectors import registry
from connectors.models import Snapshot, Workspace
from connectors.spec import Connector, ReportSpec

from .. import notices, reports
from ..document import Document
from ..models import Artifact, Drift, Kind, Look, Version
from . import comparing, proof, versions

WORKSPACE_TASK, ONE_TASK = "evidence.tasks.compare_accepted", "evidence.tasks.compare_one"
ASK_AGAIN = timedelta(minutes=15)


def start_due(now: datetime) -> int:
    """Asks the worker to compare what was accepted of each workspace with a new snapshot; returns how many that were.

    A worker that was lost is asked again after a quarter of an hour, and goes on where it was.
    """
    known = Look.objects.values("workspace")
    for workspace in Workspace.objects.filter(head__gt=0).exclude(pk__in=known):
        Look.objects.get_or_create(workspace=workspace)
    silent = Q(asked_at=None) | Q(asked_at__lt=now - ASK_AGAIN)
    asked = 0
    for look in Look.objects.filter(silent, workspace__head__gt=F("seq")):
        if Look.objects.filter(silent, pk=look.pk).update(asked_at=now):
            async_task(WORKSPACE_TASK, look.workspace_id)
            asked += 1
    return asked


def ask(version: Version) -> None:
    """Has a version that was just accepted compared, if it was made of an older snapshot."""
    if version.snapshot is not None and version.snapshot.seq < version.snapshot.workspace.head:
        async_task(ONE_TASK, version.artifact_id)


def carry_out(workspace_pk: int, now: datetime) -> int:
    """Compares every accepted report of a workspace with its newest snapshot; returns how many that were."""
    newest = _newest(workspace_pk)
    if newest is None:
        return 0
    build = cache(lambda name: reports.document(newest, name))
    done = 0
    for version in _accepted().filter(snapshot__workspace=workspace_pk, snapshot__seq__lt=newest.seq).iterator(20):
        done += _compare(version, newest, build(version.report), now)
    Look.objects.filter(workspace=workspace_pk).update(seq=newest.seq, asked_at=None)
    return done


def compare_one(artifact_pk: int, now: datetime) -> bool:
    """Compares one artifact's accepted version with the newest snapshot of its workspace."""
    version = _accepted().filter(artifact=artifact_pk).first()
    newest = _newest(version.snapshot.workspace_id) if version and version.snapshot else None
    if version is None or newest is None or version.snapshot is None or version.snapshot.seq >= newest.seq:
        return False
    return _compare(version, newest, reports.document(newest, version.report), now)


def contrasts(version: Version, newest: Snapshot) -> tuple[comparing.Contrast, ...]:
    """A frozen report beside the same report of another snapshot. KeyError: the connector has no such report any
    more."""
    return comparing.compare(versions.document_of(version), reports.document(newest, version.report))


def newest_of(version: Version) -> Snapshot | None:
    """The newest snapshot of the workspace that a version was made of; None when that is its own, or it has none."""
    if version.snapshot is None:
        return None
    newest = _newest(version.snapshot.workspace_id)
    return newest if newest is not None and newest.seq > version.snapshot.seq else None


def of(artifact: Artifact) -> Drift | None:
    """What is known of the accepted version, if it differs. Lists load it by `select_related("drift")`."""
    drift = getattr(artifact, "drift", None)
    return drift if drift is not None and drift.number == artifact.good and drift.rows else None


def stale() -> QuerySet[Artifact]:
    """The artifacts whose accepted version says something else than the newest snapshot."""
    found = Artifact.objects.filter(archived_at=None, drift__rows__gt=0, drift__number=F("good"))
    return found.select_related("drift", "owner").order_by("-drift__at", "pk")


# --- what they share --------------------------------------------------------------------------------------------


def _accepted() -> QuerySet[Version]:
    """The versions that count of captured reports that tell how things are. What only grows differs every day."""
    states = [
        spec.name for each in registry.all_connectors().values() for spec in each.reports if not _grows(each, spec)
    ]
    counted = Version.objects.filter(artifact__kind=Kind.REPORT, artifact__archived_at=None, artifact__good=F("number"))
    held = counted.filter(report__in=states, snapshot__isnull=False)
    return held.select_related("artifact__owner", "artifact__drift", "snapshot__workspace", "received_by")


def _grows(connector: Connector, spec: ReportSpec) -> bool:
    growing = {stream.name for stream in connector.streams if stream.grows}
    return any(name in growing for name in spec.streams)


def _newest(workspace_pk: int) -> Snapshot | None:
    rows = Snapshot.objects.filter(workspace=workspace_pk, seq=F("workspace__head"))
    return rows.select_related("workspace").first()


def _compare(version: Version, newest: Snapshot, document: Document, now: datetime) -> bool:
    """False when it was compared already, or has no bytes that can be compared."""
    artifact = version.artifact
    before = getattr(artifact, "drift", None)
    if before is not None and (before.number, before.seq) == (version.number, newest.seq):
        return False
    if proof.grave_of(version) or proof.fault_of(version):
        return False
    found = comparing.compare(versions.document_of(version), document)
    rows, unknown = comparing.differing(found), sum(bool(each.why) for each in found)
    said = comparing.sentence(found)[:300]
    values = {"number": version.number, "seq": newest.seq, "at": now, "rows": rows, "unknown": unknown, "said": said}
    Drift.objects.update_or_create(artifact=artifact, defaults=values)
    if rows:
        text = f"“{version}” differs from snapshot {newest.seq} in {said}"
        key, path = f"stale {version.pk}", reverse("artifact", args=[artifact.pk])
        notices.tell([artifact.owner], key=key, text=text, path=path, now=now)
    return True
