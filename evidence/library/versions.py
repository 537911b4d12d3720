"""Versions of artifacts: bytes that people keep. Each verb is one transaction, and one line in the audit log."""

import zlib
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.db import transaction
from django.http import HttpRequest

from connectors.models import Snapshot
from portal import audit
from portal.canon import digest
from portal.models import User

from .. import reports
from ..document import Document, freeze, thaw
from ..models import Artifact, Kind, Review, Source, Version
from .standing import new_artifact, sum_up

FROZEN = "application/json"  # what a captured report is, as bytes


@dataclass(frozen=True)
class Frozen:
    """A report of a snapshot as bytes, ready to be kept."""

    snapshot: Snapshot
    report: str
    title: str
    body: bytes
    rows: int


def frozen(snapshot: Snapshot, report: str) -> Frozen:
    """Freezes a report of a snapshot, whole. It may take seconds: call it outside of transactions. KeyError when there
    is no such report."""
    document = reports.document(snapshot, report)
    rows = sum(1 for table in document.report.tables for _ in table.rows())
    return Frozen(snapshot, report, document.title, freeze(document), rows)


def capture(
    snapshot: Snapshot,
    report: str,
    *,
    title: str,
    by: User | None,
    now: datetime,
    artifact: Artifact | None = None,
    source: Source = Source.REPORT,
    request: HttpRequest | None = None,
) -> Version:
    """Freezes a report of a snapshot and keeps it, as `keep` does."""
    held = frozen(snapshot, report)
    return keep(held, title=title, by=by, now=now, artifact=artifact, source=source, request=request)


def keep(
    held: Frozen,
    *,
    title: str,
    by: User | None,
    now: datetime,
    artifact: Artifact | None = None,
    source: Source = Source.REPORT,
    request: HttpRequest | None = None,
) -> Version:
    """Keeps a frozen report: as a new artifact, or as a new version of `artifact`.

    `by` is nobody when a rule captures it, which is only possible for an artifact that is there.
    """
    snapshot, day = held.snapshot, held.snapshot.published_at.date()
    values = {
        "sha256": digest(held.body).hex(),
        "size": len(held.body),
        "media": FROZEN,
        "source": source,
        "period_from": day,
        "period_to": day,
        "collected_at": snapshot.published_at,
        "received_at": now,
    }
    body = zlib.compress(held.body, 6)
    content = {"snapshot": snapshot, "report": held.report, "rows": held.rows, "body": body, "stored": False}
    named = audit.clean(title.strip() or held.title, 200)
    with transaction.atomic():
        if artifact is None:
            owned = {"kind": Kind.REPORT, "report": held.report, "owner": by}
            artifact = new_artifact(owned, values, title=named, now=now)
            artifact.workspaces.add(snapshot.workspace_id)
        version = add(artifact, values | content, title=named, by=by)
        audit.record(
            audit.Action.REPORT_CAPTURED,
            actor=by,
            target=artifact,
            request=request,
            report=held.report,
            snapshot=snapshot.seq,
            version=version.number,
            sha256=version.sha256,
            at=now,
        )
    return version


def add(artifact: Artifact, values: dict[str, Any], *, title: str, by: User | None) -> Version:
    """The next version of an artifact, and its review as a draft. The caller's transaction records who added it."""
    locked = Artifact.objects.select_for_update().get(pk=artifact.pk)
    version = Version.objects.create(artifact=locked, number=locked.newest + 1, title=title, received_by=by, **values)
    Review.objects.create(version=version)
    sum_up(artifact)
    return version


def newest_of(artifact: Artifact) -> Version:
    """The newest version, without its bytes."""
    found: Version = (
        artifact.versions.defer("body", "snapshot__header")
        .select_related("snapshot__workspace", "received_by", "review__decided_by")
        .get(number=artifact.newest)
    )
    return found


def document_of(version: Version) -> Document:
    """The frozen document, which says of itself which artifact it is and who kept it."""
    found = thaw(zlib.decompress(bytes(version.body)))
    named = replace(
        found.provenance,
        artifact=f"{version.artifact_id}, version {version.number}, {version.title}",
        collected_by=version.received_by.get_username() if version.received_by else audit.SYSTEM,
    )
    return replace(found, title=version.title, provenance=named)
