"""Drives one sync run from its claim to its end: identity, reading, identity again, publishing.

No transaction is open while the network is waited for. Every way out closes the run.
"""

import time
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime
from queue import SimpleQueue

from django.conf import settings
from django.db import DatabaseError

from portal.canon import NoSigningKey

from . import connections, credentials, locker, registry, runs
from .http import Client, Sent
from .models import Connection, RunState, RunStream, SyncRun
from .reading import Reading, results
from .spec import Connector, ConnectorError, Coverage, Denied, Identity, Stream

SAVE_SECONDS = 0.5
SAVE_RECORDS = 1000
MISSING = frozenset({Coverage.DENIED, Coverage.FAILED, Coverage.UNSTABLE})
Clock = Callable[[], datetime]


def utc_now() -> datetime:
    return datetime.now(UTC)


def identify(connector: Connector, client: Client) -> Identity:
    """The workspace that the token opens. Raises Denied("token-rejected") for a 401 or 403."""
    try:
        return connector.identity(client.get(connector.probe).data)
    except Denied as error:
        code = "token-rejected" if error.status in (401, 403) else error.code
        raise Denied(code, error.message, status=error.status) from None


def perform(run_id: int, *, now: Clock = utc_now, pause: Callable[[float], object] = time.sleep) -> SyncRun:
    """Carries out a queued run and returns it as it ended. A run that is not queued is left alone."""
    run = runs.claim(run_id, now())
    if run is None:
        return SyncRun.objects.get(pk=run_id)
    try:
        _read_and_publish(run, now, pause)
        connections.note_success(run.connection)
    except locker.Lost:
        locker.unstage(run.pk)
    except ConnectorError as error:
        runs.end(run, RunState.FAILED, now(), code=error.code, detail=error.message)
        connections.note_failure(run.connection, error.code, now())
    except NoSigningKey as error:
        runs.end(run, RunState.FAILED, now(), code=error.code, detail=str(error))
    except DatabaseError:
        runs.end(run, RunState.FAILED, now(), code="database", detail="The database refused to store the reading.")
        raise
    except BaseException:
        runs.end(run, RunState.FAILED, now(), code="defect", detail="The portal itself failed; its log says where.")
        raise
    return SyncRun.objects.get(pk=run.pk)


def _read_and_publish(run: SyncRun, now: Clock, pause: Callable[[float], object]) -> None:
    connection = run.connection
    connector = registry.get(connection.connector)
    assert connection.workspace is not None, "only an active connection is synced"
    sink = _Desk(run, now)
    client = client_for(connection, receipt=sink.receipts.put, pause=pause)
    began = now()
    try:
        _same_workspace(connection, identify(connector, client))
        reading = Reading(
            connector,
            client,
            str(connection.workspace.uid),
            _wanted(connector, run.streams),
            sink,
            connections=settings.SYNC_CONNECTIONS,
        )
        sink.prepare(reading)
        reading.run()
        client.stop.clear()
        _same_workspace(connection, identify(connector, client))
        sink.save(reading, doing="Publishing")
    finally:
        client.close()
        sink.save_receipts()
    SyncRun.objects.filter(pk=run.pk).update(token_fingerprint=connection.token_fingerprint)
    run.token_fingerprint = connection.token_fingerprint
    found = results(reading, connector)
    window = (began, now())
    locker.publish(run, connection.workspace, found, outcome=_outcome(found), window=window, now=now)


def client_for(connection: Connection, **options: object) -> Client:
    """A client for the connection's own region and token, and for nothing else."""
    connector = registry.get(connection.connector)
    region = registry.regions(connector).get(connection.region)
    if region is None:
        raise Denied("region-unknown", f"The region “{connection.region}” is not known here.")
    token = credentials.unseal(connection)
    return Client(connector, region.origin, token, connections=settings.SYNC_CONNECTIONS, **options)  # type: ignore[arg-type]


def _same_workspace(connection: Connection, found: Identity) -> None:
    workspace = connection.workspace
    assert workspace is not None
    if found.id != workspace.remote_id:
        raise Denied("wrong-workspace", "The token now opens another workspace than the one that was connected.")
    connections.note_workspace_name(workspace, found)


def _wanted(connector: Connector, names: list[str]) -> list[Stream]:
    """The streams asked for, with the parents that they are read through."""
    if not names:
        return list(connector.streams)
    wanted = set(names)
    for stream in reversed(connector.streams):
        if stream.name in wanted:
            wanted |= {way.parent for way in stream.ways[:1] if way.parent}
    return [stream for stream in connector.streams if stream.name in wanted]


def _outcome(found: list[locker.StreamResult]) -> RunState:
    return RunState.PARTIAL if MISSING & {result.coverage for result in found} else RunState.PUBLISHED


_PROGRESS = ("state", "pages", "expected", "items", "claimed", "status", "code", "reason")


class _Desk:
    """The reading's sink: collects what comes and saves it twice a second, with the progress, in the database."""

    def __init__(self, run: SyncRun, now: Clock) -> None:
        self._run, self._now = run, now
        self.receipts: SimpleQueue[Sent] = SimpleQueue()
        self._receipt_number = 1
        self._pending: dict[str, list[locker.Sealed]] = defaultdict(list)
        self._waiting = 0
        self._saved_at = 0.0

    def prepare(self, reading: Reading) -> None:
        """A row for each stream before its first request, so that a page can show what is still to come."""
        self.save(reading)

    def stage(self, stream: str, sealed: list[locker.Sealed]) -> None:
        self._pending[stream] += sealed
        self._waiting += len(sealed)

    def beat(self, reading: Reading) -> None:
        if time.monotonic() - self._saved_at >= SAVE_SECONDS:
            self.save(reading)
        elif self._waiting >= SAVE_RECORDS:
            self._save_records()

    def save(self, reading: Reading, doing: str = "") -> None:
        """Staged records, receipts, progress and heartbeat. Raises locker.Lost when the run was taken away."""
        streams = reading.streams.values()
        current = [progress.stream.title for progress in streams if progress.open]
        runs.keep_alive(
            self._run,
            self._now(),
            done=reading.done,
            expected=sum(progress.expected for progress in streams),
            records=sum(progress.items for progress in streams),
            doing=doing or (f"Reading {current[-1].lower()}" if current else "Reading"),
        )
        self._save_records()
        self.save_receipts()
        self._save_rows(reading)
        self._saved_at = time.monotonic()

    def _save_records(self) -> None:
        for stream, sealed in self._pending.items():
            locker.stage(self._run.pk, stream, sealed)
        self._pending.clear()
        self._waiting = 0

    def save_receipts(self) -> None:
        sent = [self.receipts.get() for _ in range(self.receipts.qsize())]
        self._receipt_number = locker.write_receipts(self._run.pk, self._receipt_number, sent)

    def _save_rows(self, reading: Reading) -> None:
        rows = []
        for at, progress in enumerate(reading.streams.values()):
            if progress.dirty:
                known = {name: getattr(progress, name) for name in _PROGRESS}
                names = sorted(progress.unknown)[:50]
                stream, title = progress.stream.name, progress.stream.title
                row = RunStream(run=self._run, position=at, stream=stream, title=title, unknown_fields=names, **known)
                rows.append(row)
                progress.dirty = False
        RunStream.objects.bulk_create(
            rows,
            update_conflicts=True,
            unique_fields=["run", "stream"],
            update_fields=[*_PROGRESS, "unknown_fields"],
        )
