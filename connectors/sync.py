"""Drives one sync run from its claim to its end: identity, reading, identity again, publishing.

No transaction is open while the network is waited for. Every way out closes the run or gives it back.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.db import DatabaseError, transaction

from portal.canon import NoSigningKey, canonical, digest

from . import anomalies, connections, credentials, locker, records, registry, runs
from .clock import Clock
from .desk import Desk
from .http import Client
from .limits import Limits
from .locker import Part, StreamResult
from .models import Connection, Lane, RunState, Snapshot, SyncRun, Workspace
from .patience import patiently
from .reading import Plan, Postponed, Reading, Tempo
from .spec import MISSING, Busy, Connector, ConnectorError, Coverage, Denied, Identity, Stream

TEMPO = {Lane.MAIN.value: Tempo(), Lane.SLOW.value: Tempo(patience=5.0)}


def identify(connector: Connector, client: Client) -> Identity:
    """The workspace that the token opens. Raises Denied("token-rejected") for a 401 or 403."""
    try:
        return connector.identity(client.get(connector.probe))
    except Denied as error:
        code = "token-rejected" if error.status in (401, 403) else error.code
        raise Denied(code, error.message, status=error.status) from None


def perform(run_id: int, *, clock: Clock | None = None, tempo: Tempo | None = None) -> SyncRun:
    """Carries out a queued run and returns it as it ended, or as it waits. One that is not queued is left alone."""
    clock = clock or Clock()
    run = runs.claim(run_id, clock.now())
    if run is None:
        return SyncRun.objects.get(pk=run_id)
    try:
        _note_published(run, _read_and_publish(run, clock, tempo or TEMPO[run.lane]), clock.now())
    except locker.Lost:
        runs.let_go(run, clock.now())
    except Postponed as wait:
        _postpone(run, wait.until, clock)
    except ConnectorError as error:
        _refused(run, error, clock)
    except NoSigningKey as error:
        runs.fail(run, clock.now(), error.code, str(error))
    except DatabaseError:
        runs.fail(run, clock.now(), "database", "The database refused to store the reading.")
        raise
    except BaseException:
        runs.fail(run, clock.now(), "defect", "The portal itself failed; its log says where.")
        raise
    return SyncRun.objects.get(pk=run.pk)


def _refused(run: SyncRun, error: ConnectorError, clock: Clock) -> None:
    """The service does not answer: the run waits for as long as it asks to, else it has failed."""
    if isinstance(error, Busy) and error.wait > 0:
        _postpone(run, clock.now() + timedelta(seconds=error.wait), clock)
    elif runs.fail(run, clock.now(), error.code, error.message):
        connections.note_failure(run.connection, error.code, clock.now())
        if error.code in connections.REFUSED:
            connections.undo(run.connection, by=None, now=clock.now(), code=error.code, only=run.token_fingerprint)


def _note_published(run: SyncRun, snapshot: Snapshot, now: datetime) -> None:
    """What the connection is told of a published reading: a good one also ends the replacement of its token."""
    lacking = sum(entry["coverage"] in MISSING for entry in locker.coverage_of(snapshot).values())
    whole = run.lane == Lane.MAIN
    connections.note_published(run.connection, now, lacking=lacking, whole=whole)
    if whole:
        connections.settle(run.connection, run.token_fingerprint, now)


def _postpone(run: SyncRun, until: datetime, clock: Clock) -> None:
    """Frees the worker until then; a wait that is too long to be believed ends the run."""
    why = f"Waits until {until:%H:%M} UTC, as the service asks"
    runs.postpone(run, until, clock.now(), why)
    if SyncRun.objects.filter(pk=run.pk, state=RunState.FAILED).exists():
        connections.note_failure(run.connection, "rate-limited", clock.now())


def _read_and_publish(run: SyncRun, clock: Clock, tempo: Tempo) -> Snapshot:
    connection, workspace = run.connection, run.connection.workspace
    connector = registry.get(connection.connector)
    assert workspace is not None, "only an active connection is synced"
    wanted = _wanted(connector, connection, run)
    runs.prepare(run, _plan_digest(run, wanted), clock.now(), token=connection.token_fingerprint)
    limits = Limits(connection.token_fingerprint, clock, tempo.pace)
    desk = Desk(run, limits, clock)
    client = client_for(connection, receipt=desk.receipts.put, clock=clock)
    try:
        _same_workspace(connection, patiently(lambda: identify(connector, client), desk.alive))
        _note_answered(run, clock.now())
        plan = _plan(run, workspace, wanted, clock.now(), tempo)
        reading = Reading(
            connector,
            client,
            plan,
            desk,
            limits=limits,
            clock=clock,
            connections=settings.SYNC_CONNECTIONS,
            processes=settings.SYNC_PROCESSES,
        )
        desk.take_up(reading)
        _read(reading, desk)
        client.stop.clear()
        _same_workspace(connection, patiently(lambda: identify(connector, client), desk.alive))
        desk.save(reading, doing="Publishing")
    finally:
        client.stop.set()
        client.close()
        desk.close()
    return _publish(run, workspace, results(reading, connector, connection), clock)


def _note_answered(run: SyncRun, now: datetime) -> None:
    """The workspace answered the token that this run holds."""
    with transaction.atomic():
        runs.keep_alive(run, now)
        connections.note_token_works(run.connection, now)


def _read(reading: Reading, desk: Desk) -> None:
    """Reads; when the worker is to be freed meanwhile, all that was read is kept first."""
    try:
        reading.run()
    except Postponed:
        desk.save(reading, doing="Waiting", waits=True)
        raise


def _publish(run: SyncRun, workspace: Workspace, found: Sequence[StreamResult], clock: Clock) -> Snapshot:
    assert run.started_at is not None
    window = (run.started_at, max(run.started_at, clock.now()))  # a clock may be set back
    locker.begin(run, clock.now())
    with transaction.atomic():
        snapshot = locker.publish(
            run,
            workspace,
            found,
            outcome=_outcome(found),
            doubt=doubt_of(run.connection),
            window=window,
            now=clock.now,
        )
        anomalies.note(snapshot, found)
    locker.tell_planner(snapshot)
    return snapshot


def follow_up(run: SyncRun, now: datetime) -> SyncRun | None:
    """After a published run: a run of the slow lane for what may be asked only a few times a minute."""
    published = run.state in (RunState.PUBLISHED, RunState.PARTIAL)
    connection = run.connection
    wanted = registry.get(connection.connector).chosen(connection.groups)
    if run.lane != Lane.MAIN or not published or run.streams or not any(stream.slow for stream in wanted):
        return None
    try:
        return runs.request(connection, trigger="slow lane", now=now, lane=Lane.SLOW)
    except runs.Refused:
        return None  # the one before is still at it, or the connection was paused meanwhile


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


def doubt_of(connection: Connection) -> str:
    """What a list that was read with this connection's token cannot prove; "" when it sees everything."""
    roles = {role.name: role for role in registry.get(connection.connector).guide.roles}
    role = roles.get(connection.token_role)
    return role.doubt if role else ""


# --- what is read ---------------------------------------------------------------------------------


def _wanted(connector: Connector, connection: Connection, run: SyncRun) -> list[Stream]:
    """The streams of a run, with the parents that they are read through: those it names, else those of its lane."""
    slow = run.lane == Lane.SLOW
    names = set(run.streams) or {each.name for each in connector.chosen(connection.groups) if each.slow == slow}
    for stream in reversed(connector.streams):
        if stream.name in names:
            names |= {way.parent for way in stream.ways[:1] if way.parent}
    return [stream for stream in connector.streams if stream.name in names]


def _plan(run: SyncRun, workspace: Workspace, wanted: Sequence[Stream], now: datetime, tempo: Tempo) -> Plan:
    head = locker.newest(workspace)
    known = locker.coverage_of(head) if head else {}
    return Plan(
        workspace=str(workspace.uid),
        streams=tuple(wanted),
        now=run.started_at or now,
        newest={
            each.name: locker.newest_keys(workspace.pk, workspace.head, each.name) for each in wanted if each.timed
        },
        before={each.name: known.get(each.name, {}).get("records", 0) for each in wanted},
        known=locker.known_addresses(workspace.pk),
        code=run.connection.keep_code,
        tempo=tempo,
    )


def _plan_digest(run: SyncRun, wanted: Sequence[Stream]) -> str:
    """What must be the same for a reading to be taken up by another worker: token, version, streams and policies."""
    connection = run.connection
    policies = {stream.name: records.policy(stream, code=connection.keep_code) for stream in wanted}
    return digest(canonical([connection.token_fingerprint, connection.region, run.app_version, policies])).hex()


# --- what came of it ------------------------------------------------------------------------------


def results(reading: Reading, connector: Connector, connection: Connection) -> list[StreamResult]:
    """The coverage of every stream the connector knows, in its order; what was not asked says so."""
    asked = {stream.name for stream in connector.chosen(connection.groups)}
    return [_result(stream, reading, connection, wanted=stream.name in asked) for stream in connector.streams]


def _result(stream: Stream, reading: Reading, connection: Connection, *, wanted: bool) -> StreamResult:
    policy = records.policy(stream, code=connection.keep_code)
    progress = reading.streams.get(stream.name)
    if progress is None:
        why = _left_out(stream) if wanted else "Not chosen for this connection."
        return StreamResult(stream.name, policy, Coverage.NOT_REQUESTED, reason=why, left_out=wanted)
    found = progress.verdict
    assert found is not None, "a reading ends when every stream has a verdict"
    return StreamResult(
        name=stream.name,
        policy=policy,
        coverage=found.coverage,
        pages=progress.pages,
        items=progress.items,
        claimed=progress.claimed,
        reason=found.reason,
        parts={part: Part(lack.coverage, lack.reason) for part, lack in found.parts.items()},
        anomaly=progress.anomaly,
        dangling=progress.dangling,
        grows=stream.grows,
    )


def _left_out(stream: Stream) -> str:
    return "It is read in the slow lane, by a run of its own." if stream.slow else "This run did not ask for it."


def _outcome(found: Sequence[StreamResult]) -> RunState:
    return RunState.PARTIAL if MISSING & {result.coverage for result in found} else RunState.PUBLISHED
