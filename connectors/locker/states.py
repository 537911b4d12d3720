"""The state of a workspace at any of its snapshots: a query over change rows."""

from collections.abc import Iterator, Mapping
from typing import Any

from django.db.models import Count, Exists, Max, OuterRef, QuerySet, Subquery, Value
from django.db.models.functions import Left, StrIndex

from portal import canon

from ..models import Blob, Change, Erased, Snapshot, Workspace
from ..spec import Record
from .sealing import Addresses, Unpackable, envelope_of
from .staging import CHUNK

Item = tuple[str, str, bytes]  # stream, key, address


def known_addresses(workspace_id: int) -> Addresses:
    rows = Change.objects.filter(workspace_id=workspace_id, sha256__isnull=False).values_list("sha256", flat=True)
    rows = rows.exclude(sha256__in=Erased.objects.filter(forever=False).values("sha256"))  # may come back
    return Addresses(bytes(sha256 or b"") for sha256 in rows.iterator(2000))


def items(rows: QuerySet[Change]) -> Iterator[Item]:
    for stream, key, sha256 in rows.values_list("stream", "key", "sha256").iterator(2000):
        assert sha256 is not None, "a state holds no removed records"
        yield stream, key, bytes(sha256)


def state(workspace_id: int, seq: int, stream: str = "", prefix: str = "") -> QuerySet[Change]:
    """The change rows that make up snapshot `seq`, in the order of stream and key.

    `prefix` narrows to the records of one parent: keys that begin with it and a slash.
    """
    rows = Change.objects.filter(workspace_id=workspace_id, seq__lte=seq, sha256__isnull=False)
    if stream:
        rows = rows.filter(stream=stream)
    if prefix:
        rows = rows.filter(key__gte=prefix + "/", key__lt=prefix + "0")  # "0" is the character after "/"
    later = Change.objects.filter(
        workspace_id=workspace_id, stream=OuterRef("stream"), key=OuterRef("key"), seq__gt=OuterRef("seq"), seq__lte=seq
    )
    return rows.filter(~Exists(later)).order_by("stream", "key")


def records(workspace_id: int, seq: int, stream: str, prefix: str = "") -> Iterator[Record]:
    """The records of one stream in snapshot `seq`, ordered by key: one query, and memory does not grow with them.

    Those that were erased are left out: `graves` counts them. Raises Unpackable when the bytes of a record are
    damaged, or gone without a word.
    """
    blob = Blob.objects.filter(sha256=OuterRef("sha256"))
    held = state(workspace_id, seq, stream, prefix)
    rows = held.values_list("sha256", Subquery(blob.values("size")), Subquery(blob.values("body")))
    erased: frozenset[bytes] | None = None
    for sha256, size, body in rows.iterator(CHUNK):
        if not body:
            erased = _erased(held) if erased is None else erased
            if bytes(sha256 or b"") in erased:
                continue
            raise Unpackable
        yield canon.read(envelope_of(Blob(sha256=sha256, size=size, body=body)))["data"]


def _erased(rows: QuerySet[Change]) -> frozenset[bytes]:
    """Those of these rows' addresses whose bytes may be gone."""
    found = rows.order_by().filter(sha256__in=Erased.objects.values("sha256")).values_list("sha256", flat=True)
    return frozenset(bytes(sha256 or b"") for sha256 in found)


def counts(workspace_id: int, seq: int, stream: str) -> dict[str, int]:
    """How many records of a stream each parent has in snapshot `seq`, by the part of the key before the slash."""
    parent = Left("key", StrIndex("key", Value("/")) - 1)
    rows = state(workspace_id, seq, stream).filter(key__contains="/").order_by().values_list(parent)
    return {name: number for name, number in rows.annotate(number=Count("pk"))}


def newest_keys(workspace_id: int, seq: int, stream: str) -> dict[str, str]:
    """The greatest key of a stream in snapshot `seq`, by parent: the part of the key before the first slash.

    Under "" stands the greatest of all. For streams whose keys sort by time.
    """
    rows = state(workspace_id, seq, stream).order_by()
    whole = rows.aggregate(newest=Max("key"))["newest"]
    if whole is None:
        return {}
    parent = Left("key", StrIndex("key", Value("/")) - 1)
    parts = rows.filter(key__contains="/").values_list(parent).annotate(newest=Max("key"))
    return {**dict(parts), "": whole}


def newest(workspace: Workspace) -> Snapshot | None:
    return Snapshot.objects.filter(workspace=workspace, seq=workspace.head).first()


def header_of(snapshot: Snapshot) -> dict[str, Any]:
    found: dict[str, Any] = canon.read(bytes(snapshot.header))
    return found


def coverage_of(snapshot: Snapshot) -> Mapping[str, Mapping[str, Any]]:
    found: Mapping[str, Mapping[str, Any]] = header_of(snapshot)["coverage"]
    return found
