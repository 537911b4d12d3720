"""How a workspace's snapshots differ: queries over the change rows between them, and the records they name."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from django.db.models import BinaryField, Exists, F, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce

from portal import canon

from ..models import Blob, Change
from ..spec import Record
from .sealing import Unpackable, envelope_of
from .states import state

GONE = b""  # stands for the address of a record that is not there
ADDED, CHANGED, REMOVED = "added", "changed", "removed"


def differences(workspace_id: int, older: int, newer: int) -> QuerySet[Change]:
    """The records that may not be the same in snapshot `newer` as in `older`: the newest row of each between them.

    `was` and `now` are their addresses, GONE where a record is not there. What was added and removed again in between,
    or changed and changed back, has the same in both: `real` leaves it out.
    """
    rows = Change.objects.filter(workspace_id=workspace_id, seq__gt=older, seq__lte=newer)
    later = _of_the_same().filter(seq__gt=OuterRef("seq"), seq__lte=newer)
    return _both_ends(rows.filter(~Exists(later)), _of_the_same().filter(seq__lte=older))


def steps(workspace_id: int, seqs: Collection[int]) -> QuerySet[Change]:
    """The change rows of these snapshots, each with what stood before it, as above."""
    rows = Change.objects.filter(workspace_id=workspace_id, seq__in=seqs)
    return _both_ends(rows, _of_the_same().filter(seq__lt=OuterRef("seq")))


def history(workspace_id: int, stream: str, key: str) -> QuerySet[Change]:
    """All change rows of one record, the oldest first."""
    return Change.objects.filter(workspace_id=workspace_id, stream=stream, key=key).order_by("seq")


def real(rows: QuerySet[Change], kind: str = "") -> QuerySet[Change]:
    """Those of `differences` that are different; with `kind`, only those that were added, changed or removed."""
    there, was = Q(now=_NOTHING), Q(was=_NOTHING)
    wanted = {"": Q(), ADDED: was, REMOVED: there, CHANGED: ~was & ~there}[kind]
    return rows.filter(~Q(was=F("now")) & wanted)


def tally(rows: QuerySet[Change], *by: str) -> Mapping[tuple[Any, ...], int]:
    """How many of `differences` or `steps` are different, by these fields of the row and by kind.

    Counted here: the database would look up what stood before once for every mention of it.
    """
    found: Counter[tuple[Any, ...]] = Counter()
    for *values, was, now in rows.order_by().values_list(*by, "was", "now").iterator(2000):
        if was != now:
            found[*values, REMOVED if now == GONE else ADDED if was == GONE else CHANGED] += 1
    return found


_NOTHING = Value(GONE, output_field=BinaryField())


def _of_the_same() -> QuerySet[Change]:
    return Change.objects.filter(workspace_id=OuterRef("workspace_id"), stream=OuterRef("stream"), key=OuterRef("key"))


def _both_ends(rows: QuerySet[Change], before: QuerySet[Change]) -> QuerySet[Change]:
    was = Coalesce(Subquery(before.order_by("-seq").values("sha256")[:1]), _NOTHING, output_field=BinaryField())
    return rows.annotate(was=was, now=Coalesce("sha256", _NOTHING, output_field=BinaryField()))


# --- the records --------------------------------------------------------------------------------


def bodies(addresses: Iterable[bytes]) -> Mapping[bytes, Record]:
    """The records with these addresses: one query. One whose bytes are gone or damaged is left out."""
    found = {}
    for blob in Blob.objects.filter(sha256__in={*addresses} - {GONE}).iterator(2000):
        with suppress(Unpackable):
            found[bytes(blob.sha256)] = _data(blob)
    return found


def called(workspace_id: int, seq: int, keys: Mapping[str, Collection[str]]) -> Iterator[tuple[str, str, Record]]:
    """Stream, key and record of those that are wanted, by stream, and that snapshot `seq` has: one query."""
    wanted = Q(pk__in=())
    for stream, held in keys.items():
        wanted |= Q(stream=stream, key__in=held)
    blob = Blob.objects.filter(sha256=OuterRef("sha256"))
    rows = state(workspace_id, seq).filter(wanted).order_by()
    for stream, key, size, body in rows.values_list("stream", "key", *_packed(blob)):
        with suppress(Unpackable):
            if body is not None:
                yield stream, key, _data(Blob(size=size, body=body))


def span(workspace_id: int, seq: int, stream: str, first: str, last: str) -> Iterator[Record]:
    """The records of a stream in snapshot `seq` whose keys stand from `first` to before `last`: one query."""
    blob = Blob.objects.filter(sha256=OuterRef("sha256"))
    rows = state(workspace_id, seq, stream).filter(key__gte=first, key__lt=last)
    for size, body in rows.values_list(*_packed(blob)).iterator(2000):
        with suppress(Unpackable):
            if body is not None:
                yield _data(Blob(size=size, body=body))


def _packed(blob: QuerySet[Blob]) -> tuple[Subquery, Subquery]:
    return Subquery(blob.values("size")), Subquery(blob.values("body"))


def _data(blob: Blob) -> Record:
    found: Record = canon.read(envelope_of(blob))["data"]
    return found
