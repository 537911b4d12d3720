"""Artifacts: reports that people keep. Each verb is one function, one transaction, one line in the audit log."""

import zlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from django.db import transaction
from django.http import HttpRequest

from connectors.models import Snapshot
from connectors.verification import Counted, Fault, looks_secret
from portal import audit
from portal.canon import digest
from portal.models import User
from portal.proving import stepwise

from . import reports
from .document import Document, ExportError, freeze, thaw
from .models import Artifact


def capture(
    snapshot: Snapshot, report: str, *, title: str, by: User, now: datetime, request: HttpRequest | None = None
) -> Artifact:
    """Freezes a report of a snapshot, whole, and keeps it. KeyError when there is no such report."""
    document = reports.document(snapshot, report)
    frozen = freeze(document)
    with transaction.atomic():
        artifact = Artifact.objects.create(
            title=audit.clean(title.strip() or document.title, 200),
            workspace=snapshot.workspace,
            snapshot=snapshot,
            report=report,
            collected_at=snapshot.published_at,
            kept_at=now,
            kept_by=by,
            sha256=digest(frozen).hex(),
            size=len(frozen),
            rows=sum(1 for table in document.report.tables for _ in table.rows()),
            body=zlib.compress(frozen, 6),
        )
        audit.record(
            audit.Action.REPORT_CAPTURED,
            actor=by,
            target=artifact,
            request=request,
            report=report,
            snapshot=snapshot.seq,
            sha256=artifact.sha256,
            at=now,
        )
    return artifact


def document_of(artifact: Artifact) -> Document:
    """The frozen document, which says of itself which artifact it is and who kept it."""
    found = thaw(zlib.decompress(bytes(artifact.body)))
    named = replace(
        found.provenance, artifact=f"{artifact.pk}, {artifact.title}", collected_by=artifact.kept_by.get_username()
    )
    return replace(found, title=artifact.title, provenance=named)


def verify(counted: Counted) -> Iterator[Fault]:
    """Artifacts whose bytes do not hash to their digest, or that come from another snapshot than they say."""
    for (pk,) in stepwise(Artifact.objects.all(), "pk"):
        artifact = Artifact.objects.select_related("snapshot").get(pk=pk)
        counted.artifacts += 1
        counted.cover("I1", "I2", "I12")
        if fault := fault_of(artifact):
            yield fault
        counted.step()


def fault_of(artifact: Artifact) -> Fault | None:
    """What is wrong with an artifact's bytes; None when they prove it."""
    where = f"artifact {artifact.pk}"
    try:
        frozen = zlib.decompress(bytes(artifact.body))
    except zlib.error:
        return Fault("I1", where, "Its bytes cannot be unpacked.")
    if digest(frozen).hex() != artifact.sha256 or len(frozen) != artifact.size:
        return Fault("I1", where, "Its bytes do not hash to its digest.")
    if looks_secret(frozen):
        return Fault("I12", where, "Its bytes hold something that looks like an access token.")
    if _source(frozen) != artifact.snapshot.header_sha256:
        return Fault("I2", where, "Its bytes come from another snapshot.")
    return None


def _source(frozen: bytes) -> str:
    """The digest of the header that a frozen document names; "" when the bytes are no document."""
    try:
        return thaw(frozen).provenance.header_sha256
    except ExportError:
        return ""
