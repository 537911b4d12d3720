"""Reports of a snapshot: what the connector declares, with where it comes from and what it could not see."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any

from connectors import locker, registry
from connectors.models import Snapshot
from connectors.records import key_part
from connectors.spec import Connector, Coverage, Covered, Part, Record, ReportSpec, Stream
from portal.canon import canonical, digest

from . import partial
from .completeness import completeness, earlier
from .document import Document, Provenance


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
    """What the snapshot knows of every stream, in the connector's order; a stream it does not name was not asked.

    Asks the database nothing; `partial.named` adds what the parts are called.
    """
    said = locker.coverage_of(snapshot)
    return tuple(_covered(stream, said.get(stream.name)) for stream in connector.streams)


def _covered(stream: Stream, said: Mapping[str, Any] | None) -> Covered:
    if said is None:
        early = "This snapshot was made before the portal read it."
        return Covered(stream.name, stream.title, Coverage.NOT_REQUESTED, reason=early, group=stream.group.title)
    return Covered(
        stream.name,
        stream.title,
        Coverage(said["coverage"]),
        items=said["items"],
        pages=said["pages"],
        claimed=said["claimed"],
        as_of=said["as_of"],
        reason=said["reason"],
        records=said.get("records"),
        group=stream.group.title,
        parts=tuple(
            Part(key, Coverage(lack), as_of, reason) for key, (lack, as_of, reason) in said.get("parts", {}).items()
        ),
        anomaly=said.get("anomaly", ""),
        dangling=said.get("dangling", 0),
    )


def provenance(snapshot: Snapshot) -> Provenance:
    """Where everything that is read from this snapshot comes from; all of it stands in the signed header."""
    header, workspace = locker.header_of(snapshot), snapshot.workspace
    connector = registry.get(workspace.connector)
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
        coverage=partial.named(snapshot, connector, coverage(snapshot, connector)),
        app_version=header["app"],
        policy=policy_name(header["policy"]),
        doubt=header.get("doubt", ""),
    )


def erased(snapshot: Snapshot, streams: Collection[str] = ()) -> tuple[str, ...]:
    """A sentence for each stream and ledger entry under which records of this snapshot have lost their bytes."""
    titles = {stream.name: stream.title for stream in registry.get(snapshot.workspace.connector).streams}
    found = locker.graves(snapshot.workspace_id, snapshot.seq, streams)
    return tuple(_gone(titles.get(name, name), grave) for name, graves in found.items() for grave in graves)


def _gone(title: str, grave: locker.Grave) -> str:
    one = grave.records == 1
    was, it = ("record was", "it was") if one else ("records were", "they were")
    what = f"{grave.records:,} {was} {grave}"
    return f"{title}: {what}. That {it} there is still proved, not what {'it' if one else 'they'} said."


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
        gaps=(*erased(snapshot, spec.streams), *gaps),
        older=earlier(source, spec.streams),
    )
