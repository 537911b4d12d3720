"""Where a reading goes: what comes is collected, and saved twice a second with progress, checkpoints and heartbeat.

One transaction saves all of it, and only while the run is ours: what a checkpoint calls done is staged, and a worker
that was taken for dead writes nothing more.
"""

from collections import defaultdict
from datetime import timedelta
from queue import SimpleQueue
from typing import Any

from django.db import transaction
from django.db.models import Max

from . import locker, runs
from .clock import Clock
from .http import Sent
from .limits import Limits
from .models import Receipt, RunStream, SyncRun
from .reading import Reading
from .reading.listing import Listing, from_json
from .reading.progress import Progress
from .reading.verdicts import Missing

SAVE_EVERY = timedelta(seconds=0.5)
SAVE_RECORDS = 1000
NAMES_KEPT = 50


class Desk:
    """The sink of one run's reading, and where an earlier worker's reading of the same run is taken up from."""

    def __init__(self, run: SyncRun, limits: Limits, clock: Clock) -> None:
        self._run, self._limits, self._clock = run, limits, clock
        self.receipts: SimpleQueue[Sent] = SimpleQueue()
        self._next_receipt = (Receipt.objects.filter(run=run).aggregate(last=Max("n"))["last"] or 0) + 1
        self._sent_before = self._next_receipt - 1
        self._pending: dict[tuple[int, str], list[locker.Sealed]] = defaultdict(list)
        self._discarded: set[int] = set()
        self._waiting = 0
        self._saved_at = clock.now() - SAVE_EVERY

    def take_up(self, reading: Reading) -> None:
        """Gives the reading what an earlier worker had done, and shows a row for each stream still to come."""
        streams = {name: progress.stream for name, progress in reading.streams.items()}
        kept = [from_json(body, streams) for body in locker.checkpoints(self._run.pk)]
        referred = {target for stream in streams.values() for target in stream.refers.values()}
        half_read = {listing.stream.name for listing in kept if listing.continued}
        reading.restore(kept, locker.staged_keys(self._run.pk, referred | half_read) if kept else {})
        with transaction.atomic():
            self.save(reading)
            RunStream.objects.filter(run=self._run).exclude(stream__in=streams).delete()  # of another plan

    def stage(self, listing: Listing, sealed: list[locker.Sealed]) -> None:
        self._pending[listing.number, listing.stream.name] += sealed
        self._waiting += len(sealed)

    def discard(self, listing: Listing) -> None:
        self._pending.pop((listing.number, listing.stream.name), None)
        self._discarded.add(listing.number)

    def beat(self, reading: Reading) -> None:
        if self._waiting >= SAVE_RECORDS or abs(self._clock.now() - self._saved_at) >= SAVE_EVERY:
            self.save(reading)

    def alive(self) -> None:
        """Says that the run lives while nothing is read. Raises locker.Lost when it was taken away."""
        if abs(self._clock.now() - self._saved_at) >= SAVE_EVERY:
            runs.keep_alive(self._run, self._clock.now())
            self._saved_at = self._clock.now()

    def save(self, reading: Reading, doing: str = "", *, waits: bool = False) -> None:
        """Raises locker.Lost when the run was taken away; then nothing is saved.

        `waits`: the worker is about to be freed, and whoever goes on begins no listing again.
        """
        streams = reading.streams.values()
        with transaction.atomic():
            runs.keep_alive(
                self._run,
                self._clock.now(),
                requests_done=self._sent_before + reading.done,
                requests_expected=self._sent_before + sum(progress.expected for progress in streams),
                records=sum(progress.items for progress in streams),
                now=(doing or _doing(reading))[:120],
            )
            self._save_records()
            self._save_receipts()
            self._save_listings(reading, waits=waits)
            self._save_streams(reading)
        self._limits.look()
        self._saved_at = self._clock.now()

    def _save_records(self) -> None:
        if self._discarded:
            locker.unstage(self._run.pk, self._discarded)
        for (number, stream), sealed in self._pending.items():
            locker.stage(self._run.pk, number, stream, sealed)
        self._pending.clear()
        self._discarded = set()
        self._waiting = 0

    def close(self) -> None:
        """Keeps the receipts of what was sent since the last save, if the run was not taken over."""
        with transaction.atomic():
            if locker.hold(self._run):
                self._save_receipts()

    def _save_receipts(self) -> None:
        sent = [self.receipts.get() for _ in range(self.receipts.qsize())]
        self._next_receipt = locker.write_receipts(self._run.pk, self._next_receipt, sent)

    def _save_listings(self, reading: Reading, *, waits: bool) -> None:
        listings = reading.listings.values()
        changed = [listing for listing in listings if listing.dirty or (waits and listing.cursor is not None)]
        locker.checkpoint(self._run.pk, {listing.number: listing.as_json(waits=waits) for listing in changed})
        for listing in changed:
            listing.dirty = False

    def _save_streams(self, reading: Reading) -> None:
        changed = [(at, progress) for at, progress in enumerate(reading.streams.values()) if progress.dirty]
        RunStream.objects.bulk_create(
            [RunStream(run=self._run, position=at, **_row(progress)) for at, progress in changed],
            update_conflicts=True,
            unique_fields=["run", "stream"],
            update_fields=_SHOWN,
        )
        for _, progress in changed:
            progress.dirty = False


_SHOWN = ["state", "pages", "expected", "items", "claimed", "status", "code", "reason", "anomaly", "parts"]
_SHOWN += ["changed_api"]


def _row(progress: Progress) -> dict[str, Any]:
    found = progress.verdict
    return {
        "stream": progress.stream.name,
        "title": progress.stream.title,
        "state": progress.state,
        "pages": progress.pages,
        "expected": progress.expected,
        "items": progress.items,
        "claimed": progress.claimed,
        "status": found.status if found else 0,
        "code": found.code if found else "",
        "reason": (found.reason if found else "")[:500],
        "anomaly": progress.anomaly or ("dangling" if progress.dangling else ""),
        "parts": {part: _lack(lack) for part, lack in found.parts.items()} if found else {},
        "changed_api": progress.notes.named(NAMES_KEPT),
    }


def _lack(lack: Missing) -> list[str]:
    return [lack.coverage.value, lack.reason]


def _doing(reading: Reading) -> str:
    current = [progress for progress in reading.streams.values() if progress.open]
    if not current:
        return "Reading"
    newest = current[-1]
    again = " a second time" if newest.read_twice else ""
    return f"Reading {newest.stream.title.lower()}{again}"
