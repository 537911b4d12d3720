"""What a run has read and not yet published: staged records, checkpoints of its listings, receipts of its requests."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from django.db import connection as database
from django.db import transaction
from django.db.models import F, QuerySet

from portal import canon

from ..http import Sent
from ..models import Receipt, RunListing, StagedRecord, SyncRun
from .sealing import Sealed

CHUNK = 500


class Lost(Exception):
    """The run is no longer ours: it was cancelled, abandoned, or its connection was disconnected."""


def stage(run_id: int, listing: int, stream: str, records: Iterable[Sealed]) -> None:
    """Keeps what a run has read so far, out of sight of everybody."""
    rows = [(run_id, listing, stream, *record) for record in records]
    insert("connectors_stagedrecord", ("run_id", "listing", "stream", "key", "sha256", "size", "body"), rows)


def insert(table: str, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
    """Adds rows, a chunk in one statement: model instances and single inserts would cost seconds on a large reading."""
    one = f"({', '.join(['%s'] * len(columns))})"
    with transaction.atomic(), database.cursor() as cursor:
        for at in range(0, len(rows), CHUNK):
            chunk = rows[at : at + CHUNK]
            marks = ", ".join([one] * len(chunk))
            cursor.execute(
                f"INSERT INTO {table} ({', '.join(columns)}) VALUES {marks}",  # noqa: S608  # names of ours and marks
                [value for row in chunk for value in row],
            )


def unstage(run_id: int, listings: Collection[int] | None = None) -> None:
    """Drops what a run has staged: all of it with its checkpoints, or that of some listings."""
    staged, kept = StagedRecord.objects.filter(run_id=run_id), RunListing.objects.filter(run_id=run_id)
    if listings is not None:
        staged = staged.filter(listing__in=listings)
    else:
        kept._raw_delete(kept.db)
    staged._raw_delete(staged.db)


def checkpoint(run_id: int, listings: Mapping[int, Mapping[str, Any]]) -> None:
    """Keeps how these listings stand, together with what was staged of them."""
    rows = [RunListing(run_id=run_id, number=number, body=body) for number, body in listings.items()]
    RunListing.objects.bulk_create(
        rows, batch_size=CHUNK, update_conflicts=True, unique_fields=["run", "number"], update_fields=["body"]
    )


def checkpoints(run_id: int) -> list[Mapping[str, Any]]:
    """What was kept, in the order of the listings' numbers."""
    return list(RunListing.objects.filter(run_id=run_id).order_by("number").values_list("body", flat=True))


def staged_keys(run_id: int, streams: Collection[str]) -> dict[int, set[str]]:
    """The keys that a run has staged of these streams, by listing."""
    found: dict[int, set[str]] = {}
    rows = StagedRecord.objects.filter(run_id=run_id, stream__in=streams)
    for listing, key in rows.values_list("listing", "key").iterator(2000):
        found.setdefault(listing, set()).add(key)
    return found


def write_receipts(run_id: int, first: int, sent: Sequence[Sent]) -> int:
    """Adds receipts, numbered from `first`; returns the next number."""
    rows = (Receipt(run_id=run_id, n=first + at, **_columns(line)) for at, line in enumerate(sent))
    Receipt.objects.bulk_create(rows, batch_size=CHUNK)
    return first + len(sent)


def _columns(line: Sent) -> dict[str, Any]:
    return {name: value[:500] if isinstance(value, str) else value for name, value in asdict(line).items()}


def receipt_lines(run_id: int) -> Iterator[bytes]:
    """A run's receipts as canonical bytes, in order: what `requests_sha256` in the header is a digest of."""
    for r in Receipt.objects.filter(run_id=run_id).order_by("n").iterator(CHUNK):
        yield canon.canonical(
            [r.n, r.path, r.query, r.status, r.attempt, r.sent_at.isoformat(), r.ms, r.size, bytes(r.sha256).hex()]
        )


def mine(run: SyncRun) -> QuerySet[SyncRun]:
    """The row of the run for as long as this process holds it: whoever takes it over raises its fence."""
    return SyncRun.objects.filter(pk=run.pk, fence=run.fence)


def hold(run: SyncRun) -> bool:
    """Whether this process holds the run; nobody takes it over before the transaction ends."""
    return bool(mine(run).update(fence=F("fence")))
