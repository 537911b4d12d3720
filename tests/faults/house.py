"""F24-F31: the portal's own faults. A worker that dies at any step, a database that fails, clocks, signing keys."""

import signal
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, time, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import DatabaseError, transaction
from django.db import connection as database
from django.db.backends.base.base import BaseDatabaseWrapper

from connectors import connections, runs, schedules
from connectors import sync as driver
from connectors.models import Connection, RateWindow, RunState, SyncRun
from connectors.segment.simulator import Fault
from portal import keys

from .proofs import nothing
from .row import Proof, Row, failed
from .stage import Acting, Stage, picture

FLOW = ("sources", "destinations", "tracking_plans", "tracking_plan_rules")


class Died(BaseException):
    """The process is gone: nothing that it does reaches the database any more."""


class Grave:
    """From the moment that `dead` says so, every statement fails; a database rolls back what a dead client left."""

    def __init__(self, dead: Callable[[int], bool], error: type[BaseException] = Died) -> None:
        self._dead, self._error, self.statements, self.closed = dead, error, 0, False
        self._let_go = ""

    def __call__(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.startswith("ROLLBACK TO") or sql == self._let_go:
            self._let_go = sql.replace("ROLLBACK TO", "RELEASE")
            return execute(sql, params, many, context)
        if not self.closed:
            self.statements += 1
            self.closed = self._dead(self.statements)
        if self.closed:
            raise self._error("the database cannot be reached")
        return execute(sql, params, many, context)


def dies(stage: Stage, dead: Callable[[int], bool]) -> tuple[SyncRun, int]:
    """A worker dies; the watchman gives the run back; another one carries it out. (run, statements until death)"""
    grave, asked = Grave(dead), stage.request()
    with suppress(Died), database.execute_wrapper(grave):
        driver.perform(asked.pk, clock=stage.clock)
    if database.in_atomic_block:
        transaction.set_rollback(False)  # the test's own transaction is not the dead worker's
    return _taken_up(stage, asked), grave.statements


def _taken_up(stage: Stage, run: SyncRun) -> SyncRun:
    stage.clock.waited += 2 * runs.LOST_AFTER.total_seconds()
    run.refresh_from_db()
    if run.state in (RunState.RUNNING, RunState.PUBLISHING):
        assert stage.snapshot().seq == 1
        assert runs.recover(stage.clock.now()) == [run.pk]
    return driver.perform(run.pk, clock=stage.clock)


def _at_request(stage: Stage, number: int) -> SyncRun:
    run, _ = dies(stage, lambda _: len(stage.requests) >= number)
    return run


@contextmanager
def _raising(number: int) -> Iterator[None]:
    """What Python does at a SIGTERM that somebody handles: SystemExit wherever the main thread is."""

    def handle(*_: object) -> None:
        raise SystemExit(143)

    before = signal.signal(number, handle)
    try:
        yield
    finally:
        signal.signal(number, before)


def _terminated(stage: Stage) -> SyncRun:
    asked = stage.request()
    clock = Acting(lambda: len(stage.requests) > 3, lambda: signal.raise_signal(signal.SIGTERM))
    with suppress(SystemExit), _raising(signal.SIGTERM):
        driver.perform(asked.pk, clock=clock)
    assert clock.acted
    return SyncRun.objects.get(pk=asked.pk)


# --- F27: the database -------------------------------------------------------------------------------


def _in_mid_publishing(run: SyncRun) -> Callable[[], bool]:
    """Whether the transaction that publishes is open: the run's new state is seen from within it alone."""
    return lambda: SyncRun.objects.filter(pk=run.pk, state__in=(RunState.PUBLISHED, RunState.PARTIAL)).exists()


def _while_publishing(stage: Stage, act: Callable[[], object], mend: Callable[[], object]) -> SyncRun:
    """The database fails in the transaction that publishes; it is mended; the next worker takes the run up."""
    asked = stage.request()
    clock = Acting(_in_mid_publishing(asked), act)
    with suppress(DatabaseError):
        driver.perform(asked.pk, clock=clock)
    mend()
    assert clock.acted
    asked.refresh_from_db()
    return _taken_up(stage, asked) if asked.state != "failed" else asked


def _connection_lost(stage: Stage) -> SyncRun:
    keeper = sqlite3.connect(database.settings_dict["NAME"], uri=True)  # a database in memory ends with its last client

    def lose() -> None:
        handle: Any = database.connection
        handle.close()

    def mend() -> None:
        BaseDatabaseWrapper.close(database)  # SQLite's own way leaves a database in memory open
        database.connect()

    run = _while_publishing(stage, lose, mend)
    keeper.close()
    return run


def _disk_full(stage: Stage) -> SyncRun:
    def pragma(name: str) -> int:
        with database.cursor() as cursor:
            return int(cursor.execute(f"PRAGMA {name}").fetchone()[0])

    with database.cursor() as cursor:
        cursor.execute("VACUUM")  # no free page is left
    asked = stage.request()
    most = pragma("max_page_count")
    clock = Acting(lambda: len(stage.requests) > 4, lambda: pragma(f"max_page_count = {pragma('page_count')}"))
    with pytest.raises(DatabaseError):
        driver.perform(asked.pk, clock=clock)
    pragma(f"max_page_count = {most}")
    asked.refresh_from_db()
    if asked.state != "failed":  # no room even for saying so
        return _taken_up(stage, asked)
    assert asked.error_code == "database"
    stage.look(asked)
    nothing(stage, asked)
    return stage.sync()


def _locked(stage: Stage) -> SyncRun:
    """Somebody else holds the write lock from mid-run on, longer than anybody waits."""
    other = sqlite3.connect(database.settings_dict["NAME"], uri=True, isolation_level=None)
    asked = stage.request()
    clock = Acting(lambda: len(stage.requests) > 4, lambda: other.execute("BEGIN IMMEDIATE"))
    with suppress(DatabaseError):
        driver.perform(asked.pk, clock=clock)
    other.rollback()
    other.close()
    assert clock.acted
    asked.refresh_from_db()
    return _taken_up(stage, asked) if asked.state != "failed" else asked


def _refuses_for_a_moment(stage: Stage) -> SyncRun:
    """One statement in the middle of publishing is refused; the database goes on."""
    asked, refused = stage.request(), [False]

    def refuse(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if not refused[0] and sql.startswith("INSERT INTO connectors_blob"):
            refused[0] = True
            raise DatabaseError("could not extend file: No space left on device")
        return execute(sql, params, many, context)

    with suppress(DatabaseError), database.execute_wrapper(refuse):
        driver.perform(asked.pk, clock=stage.clock)
    assert refused[0]
    return SyncRun.objects.get(pk=asked.pk)


# --- F28: clocks -------------------------------------------------------------------------------------


def _clock_goes_back(stage: Stage, request: int) -> SyncRun:
    def back() -> None:
        stage.clock.waited -= 86_400

    stage.clock = Acting(lambda: len(stage.requests) >= request, back)
    return stage.sync()


def _clock_was_wrong(stage: Stage) -> SyncRun:
    """The limits were kept by a clock that was a day ahead, and they are used up."""
    token, tomorrow = stage.connection.token_fingerprint, stage.clock.now() + timedelta(days=1)
    RateWindow.objects.filter(token=token).delete()
    RateWindow.objects.create(
        token=token, endpoint="/tracking-plans/{id}/rules", limit=200, granted=200, ends=tomorrow, opens=None
    )
    return stage.sync()


def _at(stage: Stage, moment: datetime) -> SyncRun:
    stage.clock.waited += (moment - stage.clock.now()).total_seconds()
    return stage.sync()


def _every_day_at_the_same_second(stage: Stage) -> SyncRun:
    """Due at six: asked for once at that very second, however often somebody looks, and again a day later."""
    row = stage.connection
    six = datetime(2028, 2, 28, 6, 0, tzinfo=UTC) + schedules.delay(row.uid)
    groups = ["data-flow", "tracking-plans"]
    Connection.objects.filter(pk=row.pk).update(
        schedule="daily", schedule_time=time(6), schedule_zone="UTC", next_sync=six, groups=groups
    )
    run = None
    for day in range(2):  # the 28th and the 29th
        now = six + timedelta(days=day)
        assert connections.start_due(now - timedelta(seconds=1)) == []
        [run] = connections.start_due(now)
        assert connections.start_due(now) == []
        stage.clock.waited += (now - stage.clock.now()).total_seconds()
        run = driver.perform(run.pk, clock=stage.clock)
        assert run.state == "published", run.error_code
        assert run.snapshot.seq == day + 2
    assert run is not None
    return run


def _both_days(stage: Stage, run: SyncRun) -> None:
    found = picture(run.snapshot)
    for name in FLOW:
        state = {key: sha256 for key, sha256 in found.state.items() if key[0] == name}
        assert state == {key: sha256 for key, sha256 in stage.clean.state.items() if key[0] == name}


# --- F31: signing keys -------------------------------------------------------------------------------


def _with_key(stage: Stage, write: Callable[[Path], object]) -> SyncRun:
    path = Path(settings.SIGNING_KEY_FILE).with_name("another.key")
    path.unlink(missing_ok=True)
    write(path)
    stage.settings.SIGNING_KEY_FILE = path
    run = stage.sync()
    if path.is_dir():
        path.rmdir()
    return run


def _encrypted(path: Path) -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

    key = Ed25519PrivateKey.generate()
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"a passphrase")))


def _elliptic(path: Path) -> None:
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = generate_private_key(SECP256R1())
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def _rotated(stage: Stage) -> SyncRun:
    """A new key takes the old one's place in mid-run; both are trusted, as `manage.py keys` leaves them."""
    old = Path(settings.SIGNING_KEY_FILE)
    new = old.with_name("rotated.key")
    new.unlink(missing_ok=True)
    new.with_suffix(".pub").unlink(missing_ok=True)

    def rotate() -> None:
        keys.make_signing_key(new)
        trusted = old.with_name("both.pub")
        trusted.write_bytes(old.with_suffix(".pub").read_bytes() + new.with_suffix(".pub").read_bytes())
        stage.settings.SIGNING_KEY_FILE, stage.settings.TRUSTED_KEYS_FILE = new, trusted

    before = stage.snapshot().key_id
    run = stage.sync(Acting(lambda: len(stage.requests) > 3, rotate))
    assert run.snapshot.key_id != before
    return run


def keyless(name: str, write: Callable[[Path], object], says: str) -> Row:
    return failed("F31", f"the signing key {name}", "signing-key", says, act=partial(_with_key, write=write))


UNREADABLE = "The signing key another.key cannot be read: run `python manage.py keys`."
LATER = "A later worker takes the run up."
MOMENTS = {
    "one second before the end of 29 February": datetime(2028, 2, 29, 23, 59, 59, tzinfo=UTC),
    "in the hour that daylight saving skips": datetime(2027, 3, 28, 1, 30, tzinfo=UTC),
    "in the hour that daylight saving repeats": datetime(2027, 10, 31, 0, 30, tzinfo=UTC),
    "one second before the end of the year": datetime(2027, 12, 31, 23, 59, 59, tzinfo=UTC),
}

ROWS = [
    *(
        Row(
            fault="F24", name=f"the worker dies after request {number}", act=partial(_at_request, number=number),
            line="the worker dies after request k, for each k", besides=LATER,
        )
        for number in range(1, 13)
    ),
    failed(
        "F25", "SIGTERM in mid-run, where Python handles it", "defect",
        "The portal itself failed; its log says where.", act=_terminated,
    ),
    failed(
        "F27", "the database refuses one statement while it is published", "database",
        "The database refused to store the reading.", act=_refuses_for_a_moment,
    ),
    Row(fault="F27", name="the connection to the database is lost while it is published", act=_connection_lost,
        apart=True, besides=LATER),
    Row(
        fault="F27",
        name="the disk is full from mid-run on, until somebody makes room",
        act=_disk_full,
        apart=True,
        besides="The run fails with `database`, or a later worker takes it up; the next one publishes.",
    ),
    Row(fault="F27", name="the database is locked from mid-run on", act=_locked, apart=True, besides=LATER),
    *(
        Row(
            fault="F28", name=f"the clock goes back a day at request {number}",
            act=partial(_clock_goes_back, request=number), line="the clock goes back a day at request k",
        )
        for number in (1, 5, 9)
    ),
    Row(fault="F28", name="the clock was a day ahead when the limits were used up", act=_clock_was_wrong),
    Row(fault="F28", name="the service's clock is a day behind", faults=(Fault("", "clock", times=None),)),
    *(Row(fault="F28", name=f"a run {name}", act=partial(_at, moment=moment)) for name, moment in MOMENTS.items()),
    Row(
        fault="F28",
        name="the daily run at the same second, over a leap day",
        act=_every_day_at_the_same_second,
        says="Snapshot 3",
        proof=Proof.OWN,
        also=_both_days,
        besides="Each day has its run, and its snapshot.",
    ),
    keyless("is missing", lambda path: None, UNREADABLE),
    keyless("is empty", lambda path: path.write_bytes(b""), UNREADABLE),
    keyless("is garbage", lambda path: path.write_bytes(b"-----BEGIN PRIVATE KEY-----\nno\n"), UNREADABLE),
    keyless("is a folder", lambda path: path.mkdir(), UNREADABLE),
    keyless("is encrypted", _encrypted, UNREADABLE),
    keyless("is of another kind", _elliptic, "The signing key another.key is not an Ed25519 key."),
    Row(
        fault="F31", name="the signing key is rotated in mid-run", act=_rotated,
        besides="The new key signs; the older snapshot is still proved by the old one.",
    ),
]  # fmt: skip
