"""What a verification looks for, what it has covered, and reading large tables without holding them.

Whoever knows a table proves it: the ledger here, the chain in `connectors`, artifacts in `evidence`.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from django.db import connection
from django.db.models import QuerySet

STEP = 500  # rows held at a time: blobs may be large


@dataclass(frozen=True, slots=True)
class Fault:
    """`invariant` is its short name (see INVARIANTS); `where` names the row.

    `grave` is False for what somebody should know and nothing is wrong with: a note.
    """

    invariant: str
    where: str
    what: str
    grave: bool = True


@dataclass(frozen=True)
class Invariant:
    """`title` and `promise` are for people who know the law better than hashes; `noun` is what is counted."""

    name: str
    title: str
    promise: str
    noun: str


INVARIANTS = (
    Invariant(
        "I1",
        "Every piece of evidence is as it was stored",
        "The bytes of each record and each kept report still give the fingerprint (SHA-256) under which they lie.",
        "records and artifacts",
    ),
    Invariant(
        "I2",
        "Nothing was swapped",
        "Each record says of itself which workspace, stream and item it belongs to, and lies there; each kept report "
        "comes from the snapshot that it names.",
        "records and artifacts",
    ),
    Invariant(
        "I3",
        "Every snapshot is signed",
        "The header of each snapshot carries a signature of a trusted key. One without a signature is a fault.",
        "snapshots",
    ),
    Invariant(
        "I4",
        "No snapshot is missing, doubled or out of order",
        "Snapshots are numbered from 1 without a gap, and each names the fingerprint of the one before it.",
        "snapshots",
    ),
    Invariant(
        "I5",
        "The stored changes give exactly the signed content",
        "Replaying all changes from the first day gives the content that each signed header states.",
        "records replayed",
    ),
    Invariant(
        "I6",
        "The log of requests is complete",
        "The requests of each reading and the fingerprints of their answers are those that the signed header states.",
        "requests",
    ),
    Invariant(
        "I7",
        "Nothing lies there that no reading explains",
        "There is no record, change or reading that no published snapshot accounts for.",
        "changes and readings",
    ),
    Invariant(
        "I8",
        "Something outside this portal confirms the newest state",
        "An anchor is a fingerprint kept where nobody who runs this portal can change it. It shows when history was "
        "cut short or written anew.",
        "newest snapshots",
    ),
    Invariant(
        "I9",
        "What was not read did not change",
        "A stream that was denied or failed has no changes in that snapshot: silence is never taken for a removal.",
        "changes",
    ),
    Invariant(
        "I10",
        "The database refuses to change evidence",
        "Every table that is written once still has the rule that makes the database itself refuse changes.",
        "tables",
    ),
    Invariant(
        "I11",
        "What is gone was erased on record",
        "Evidence whose bytes are gone has a signed entry in the ledger that says who erased it and why.",
        "records",
    ),
    Invariant(
        "I12",
        "No secret lies in the evidence",
        "No record, report, request, audit entry or ledger entry holds anything that looks like an access token.",
        "texts searched",
    ),
    Invariant(
        "I13",
        "The ledger is whole and signed",
        "Its entries are numbered from 1 without a gap; each is signed by a key that was signed in, and names the one "
        "before it.",
        "ledger entries",
    ),
    Invariant(
        "I14",
        "The audit log says what was sealed",
        "Each audit entry of a kind that matters for the evidence was sealed in the ledger, and reads as it did then.",
        "audit entries",
    ),
)


@dataclass
class Counted:
    """What was covered, filled on the way: `by` per invariant, `done` steps in all. `tell` hears of every step."""

    workspaces: int = 0
    snapshots: int = 0
    changes: int = 0
    blobs: int = 0
    artifacts: int = 0
    ledger: int = 0
    by: Counter[str] = field(default_factory=Counter)
    done: int = 0
    tell: Callable[[int], object] = lambda done: None

    def totals(self) -> dict[str, int]:
        names = ("workspaces", "snapshots", "changes", "blobs", "artifacts", "ledger")
        return {name: getattr(self, name) for name in names}

    def cover(self, *invariants: str, many: int = 1) -> None:
        for invariant in invariants:
            self.by[invariant] += many

    def step(self, many: int = 1) -> None:
        self.done += many
        self.tell(self.done)


def stepwise(
    rows: QuerySet[Any], *keys: str, fields: tuple[str, ...] = (), size: int = STEP
) -> Iterator[tuple[Any, ...]]:
    """All rows in the order of `keys`, which must be unique together: their values and those of `fields`.

    Each `size` of them is a query of its own, so that memory stays flat, no cursor is open while something is written
    (SQLite would refuse that), and a verification of hours holds back nobody.
    """
    last: tuple[Any, ...] | None = None
    while True:
        part = rows if last is None else _after(rows, keys, last)
        found = list(part.order_by(*keys).values_list(*keys, *fields)[:size])
        yield from found
        if len(found) < size:
            return
        last = found[-1][: len(keys)]


def _after(rows: QuerySet[Any], keys: tuple[str, ...], last: tuple[Any, ...]) -> QuerySet[Any]:
    """Rows whose keys come after these, compared as one value: only so do both databases step along an index.

    https://www.sqlite.org/rowvalue.html#scrolling_window_queries
    """
    if len(keys) == 1:
        return rows.filter(**{f"{keys[0]}__gt": last[0]})
    meta, quote = rows.model._meta, connection.ops.quote_name
    columns = ", ".join(f"{quote(meta.db_table)}.{quote(meta.get_field(key).column)}" for key in keys)
    where = f"({columns}) > ({', '.join(['%s'] * len(keys))})"
    return rows.extra(where=[where], params=last)  # noqa: S610  # names of our columns and marks
