"""What an erasure takes away, for the page that people decide by: record by record, with the snapshots it is in."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Min, OuterRef, Subquery

from connectors import registry
from connectors.models import Blob, Change, Workspace
from connectors.spec import State

from .models import Erasure, Stage
from .searching import label

_STATES = {
    Stage.SEARCHING: State("run", Stage.SEARCHING.label),
    Stage.EMPTY: State("none", Stage.EMPTY.label),
    Stage.PROPOSED: State("unknown", Stage.PROPOSED.label),
    Stage.WITHDRAWN: State("off", Stage.WITHDRAWN.label),
    Stage.CONFIRMED: State("run", Stage.CONFIRMED.label),
    Stage.DONE: State("none", Stage.DONE.label),
}


@dataclass(frozen=True)
class Going:
    """One record: `label` while its bytes are there; in the snapshots `first` to `last`, None for the newest."""

    workspace: Workspace
    stream: str
    key: str
    label: str
    first: int
    last: int | None


def state_of(erasure: Erasure) -> State:
    return _STATES[Stage(erasure.stage)]


def going(digests: Sequence[str]) -> list[Going]:
    """The records with these addresses, in the order of workspace, stream and key: two queries whatever their number.

    A record that changed and changed back has a line for each time.
    """
    addresses = [bytes.fromhex(digest) for digest in digests]
    blobs = Blob.objects.in_bulk(addresses)
    names = {bytes(address): label(blob) for address, blob in blobs.items()}
    later = Change.objects.filter(
        workspace=OuterRef("workspace"), stream=OuterRef("stream"), key=OuterRef("key"), seq__gt=OuterRef("seq")
    )
    until = later.order_by().values("workspace").annotate(next=Min("seq")).values("next")
    rows = Change.objects.filter(sha256__in=addresses).annotate(until=Subquery(until))
    return [
        Going(
            workspace=row.workspace,
            stream=title_of(row.workspace.connector, row.stream),
            key=row.key,
            label=names.get(bytes(row.sha256 or b""), ""),
            first=row.seq,
            last=row.until - 1 if row.until else None,
        )
        for row in rows.select_related("workspace").order_by("workspace", "stream", "key", "seq")
    ]


def title_of(connector: str, stream: str) -> str:
    """A stream's title; its name when the connector does not know it any more."""
    titles = {each.name: each.title for each in registry.get(connector).streams}
    return titles.get(stream, stream)


def by_stream(erasure: Erasure) -> list[tuple[str, int]]:
    """Titles of streams and how many records of each go."""
    titles = {s.name: s.title for connector in registry.all_connectors().values() for s in connector.streams}
    return [(titles.get(name, name), many) for name, many in sorted(erasure.counts.items())]
