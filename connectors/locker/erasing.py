"""Bytes that go, on record: first the list of addresses under a sealed entry of the ledger, then the bytes.

Digests, headers and change rows stay. A list is believed when its digest is what the entry's signed detail says.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet, Subquery

from portal import canon, ledger
from portal.audit import Action
from portal.models import LedgerEntry

from ..models import Blob, Erased
from .states import state

STEP = 200  # blobs emptied in one transaction
CAUSES = (Action.ERASED, Action.RETAINED)


class NotSealed(Exception):
    """The ledger has not sealed the entry yet that says why these bytes go: until then they stay."""


def list_digest(addresses: Iterable[bytes]) -> str:
    """What the audit entry says of its list (`digests`): sha256 over the sorted addresses in hex, a line each."""
    return canon.LineDigest(address.hex().encode() for address in sorted(addresses)).hexdigest()


def condemn(addresses: Collection[bytes], audit: int, *, forever: bool) -> None:
    """Lists addresses under an audit entry, in the transaction that wrote it. Their bytes are still there."""
    rows = [Erased(sha256=address, audit=audit, forever=forever) for address in sorted(set(addresses))]
    Erased.objects.bulk_create(rows, batch_size=STEP)


def erase(audit: int, most: int | None = None, may: Callable[[], bool] = lambda: True) -> int:
    """Empties the blobs listed under an audit entry, step by step, about `most`; returns how many.

    Goes on where it was killed. `may` is asked in the transaction of each step, and ends it. Raises NotSealed.
    """
    _must_be_sealed(audit)
    listed = Erased.objects.filter(audit=audit).values("sha256")
    erased = 0
    while chunk := list(present(listed).values_list("pk", flat=True)[:STEP]):
        with transaction.atomic():
            if not may():
                break
            erased += Blob.objects.filter(pk__in=chunk).erase()
        if most is not None and erased >= most:
            break
    return erased


def _must_be_sealed(audit: int) -> None:
    if not LedgerEntry.objects.filter(audit=audit, action__in=CAUSES).exists():
        raise NotSealed


def present(addresses: QuerySet[Erased, dict[str, bytes]]) -> QuerySet[Blob]:
    """The blobs of these addresses that still have bytes."""
    return Blob.objects.filter(sha256__in=addresses).exclude(body=b"")


def returned() -> QuerySet[Blob]:
    """Blobs with bytes that were erased for ever: an older database was restored, or an erasure was cut short."""
    return present(Erased.objects.filter(forever=True).values("sha256"))


# --- reading ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Grave:
    """What pages say in the place of bytes. `number` is the ledger entry's, None until it is sealed."""

    action: str
    number: int | None
    at: datetime | None
    records: int = 0

    def __str__(self) -> str:
        what = "removed by retention" if self.action == Action.RETAINED else "erased"
        when = f" on {self.at.day} {self.at:%b %Y}" if self.at else ""
        return f"{what} under ledger entry {self.number}{when}" if self.number else f"{what}, not yet sealed"


def graves(workspace_id: int, seq: int, streams: Collection[str] = ()) -> dict[str, list[Grave]]:
    """For each stream of snapshot `seq` (of `streams` only, when some are named): where its gone records went."""
    if not Erased.objects.exists():
        return {}
    gone = Blob.objects.filter(sha256=OuterRef("sha256"), body=b"")
    rows = state(workspace_id, seq).filter(sha256__in=Erased.objects.values("sha256")).filter(Exists(gone))
    if streams:
        rows = rows.filter(stream__in=streams)
    first = Erased.objects.filter(sha256=OuterRef("sha256")).order_by("audit").values("audit")[:1]
    counted = Counter(rows.order_by().annotate(entry=Subquery(first)).values_list("stream", "entry"))
    sealed = ledger.sealing({entry for _, entry in counted})
    found: dict[str, list[Grave]] = {}
    for (stream, entry), many in sorted(counted.items()):
        found.setdefault(stream, []).append(_grave(sealed.get(entry), many))
    return found


def grave_of(address: bytes) -> Grave | None:
    """The same of one address, a blob's or an artifact's; None when nothing says that its bytes may be gone."""
    audit = Erased.objects.filter(sha256=address).order_by("audit").values_list("audit", flat=True).first()
    return None if audit is None else _grave(ledger.sealing([audit]).get(audit), 1)


def _grave(entry: LedgerEntry | None, many: int) -> Grave:
    if entry is None:
        return Grave(Action.ERASED, None, None, many)
    return Grave(entry.action, entry.number, entry.at, many)


# --- proving ----------------------------------------------------------------------------------------------------


class Register:
    """Which addresses are gone on record, as the signed entries say; each list is proved once."""

    def __init__(self) -> None:
        self._proved: dict[int, int | None] = {}

    def entry_of(self, address: bytes) -> int | None:
        """The number of the ledger entry under which these bytes were erased; None when no sound one names them."""
        for audit in Erased.objects.filter(sha256=address).order_by("audit").values_list("audit", flat=True):
            if audit not in self._proved:
                self._proved[audit] = _proved(audit)
            if (number := self._proved[audit]) is not None:
                return number
        return None


def _proved(audit: int) -> int | None:
    entry = LedgerEntry.objects.filter(audit=audit, action__in=CAUSES).first()
    if entry is None or not canon.signed_by(entry.key_id, bytes(entry.signature), bytes(entry.body)):
        return None
    return entry.number if ledger.detail_of(entry).get("digests") == list_digest(_listed(audit)) else None


def _listed(audit: int) -> Iterator[bytes]:
    rows = Erased.objects.filter(audit=audit).values_list("sha256", flat=True)
    return (bytes(sha256) for sha256 in rows.iterator(2000))
