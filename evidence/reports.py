"""Reports of a snapshot: what the connector declares, with where it comes from and what it could not see."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from connectors import locker, registry
from connectors.models import Snapshot
from connectors.records import key_part
from connectors.spec import Connector, Coverage, Covered, Record, ReportSpec
from portal.canon import canonical, digest

from .document import Document, Provenance, completeness


class SnapshotView:
    """One snapshot, as reports see it (`spec.View`). Asks the database only for what a report reads."""

    def __init__(self, snapshot: Snapshot, connector: Connector) -> None:
        self._workspace, self._seq = snapshot.workspace_id, snapshot.seq
        self._covered = {covered.stream: covered for covered in coverage(snapshot, connector)}
        self._counts: dict[str, dict[str, int]] = {}

    def records(self, stream: str, parent: str = "") -> Iterable[Record]:
        return locker.records(self._workspace, self._seq, stream, key_part(parent) if parent else "")

    def count(self, stream: str, parent: str = "") -> int:
        if not parent:
            return locker.state(self._workspace, self._seq, stream).count()
        if stream not in self._counts:
            self._counts[stream] = locker.counts(self._workspace, self._seq, stream)
        return self._counts[stream].get(key_part(parent), 0)

    def coverage(self, stream: str) -> Covered:
        return self._covered[stream]


def coverage(snapshot: Snapshot, connector: Connector) -> tuple[Covered, ...]:
    """What the snapshot knows of every stream, in the connector's order; a stream it does not name was not asked."""
    said = locker.coverage_of(snapshot)
    return tuple(_covered(stream.name, stream.title, said.get(stream.name)) for stream in connector.streams)


def _covered(name: str, title: str, said: Mapping[str, object] | None) -> Covered:
    if said is None:
        return Covered(name, title, Coverage.NOT_REQUESTED, reason="This snapshot was made before the portal read it.")
    return Covered(
        name,
        title,
        Coverage(str(said["coverage"])),
        items=_whole(said["items"]) or 0,
        pages=_whole(said["pages"]) or 0,
        claimed=_whole(said["claimed"]),
        as_of=_whole(said["as_of"]) or 0,
        reason=str(said["reason"]),
    )


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) else None


def provenance(snapshot: Snapshot) -> Provenance:
    """Where everything that is read from this snapshot comes from; all of it stands in the signed header."""
    header, workspace = locker.header_of(snapshot), snapshot.workspace
    start, end = (datetime.fromisoformat(moment) for moment in header["window"])
    return Provenance(
        workspace_name=workspace.name,
        workspace_slug=workspace.slug,
        workspace_id=workspace.remote_id,
        connection=header["connection"],
        region=header["region"],
        snapshot=snapshot.seq,
        published_at=datetime.fromisoformat(header["published_at"]),
        window=(start, end),
        header_sha256=snapshot.header_sha256,
        previous_sha256="" if snapshot.previous_sha256 == locker.NO_PREDECESSOR else snapshot.previous_sha256,
        key_id=snapshot.key_id,
        coverage=coverage(snapshot, registry.get(workspace.connector)),
        app_version=header["app"],
        policy=policy_name(header["policy"]),
    )


def policy_name(policies: Mapping[str, str]) -> str:
    """One short name for the allow-lists of all streams, so that two snapshots can be compared at a glance."""
    return digest(canonical(dict(policies))).hex()[:12]


def all_specs(snapshot: Snapshot) -> tuple[ReportSpec, ...]:
    """The reports that can be made of a snapshot."""
    return registry.get(snapshot.workspace.connector).reports


def spec_of(snapshot: Snapshot, name: str) -> ReportSpec:
    """The report called `name`; KeyError when the connector has none."""
    return {spec.name: spec for spec in all_specs(snapshot)}[name]


def document(snapshot: Snapshot, name: str, only: Mapping[str, str] | None = None) -> Document:
    """The report `name` of a snapshot; KeyError when there is none. `only` narrows tables that come in parts."""
    spec = spec_of(snapshot, name)
    connector = registry.get(snapshot.workspace.connector)
    source = provenance(snapshot)
    _, gaps = completeness(source, spec.streams)
    return Document(
        title=spec.title,
        subtitle=spec.question,
        provenance=source,
        report=spec.build(SnapshotView(snapshot, connector), only or {}),
        name=spec.name,
        gaps=gaps,
    )
