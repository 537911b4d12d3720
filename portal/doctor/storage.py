"""Checks of the database and the disk: whether they answer, are whole, can be written, and have room."""

import shutil
import tempfile
from datetime import datetime
from pathlib import Path

from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import Error, NotSupportedError, connection, transaction
from django.db.migrations.executor import MigrationExecutor
from django.utils.crypto import get_random_string

from connectors.models import Snapshot
from evidence.library import scanning, store

from ..canon import unguarded
from ..templatetags.portal import size
from .findings import Seen, fail, moot, warn, well

OURS = ("portal", "connectors", "evidence")
LEAST_FREE = 200_000_000  # bytes, below which nothing can be relied on
LITTLE_FREE = 2_000_000_000
SOON = 30  # days


# --- the database -----------------------------------------------------------------------------------------


def words(error: Error) -> str:
    """The first line of what the database says, without its password."""
    password = str(connection.settings_dict.get("PASSWORD") or "")
    said = (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
    return said.replace(password, "[hidden]") if password else said


def answers() -> Seen:
    try:
        connection.ensure_connection()
    except Error as error:
        return fail(f"{connection.display_name} does not answer: {words(error)}", code="database-away")
    version = ".".join(map(str, connection.get_database_version()))
    name = f"{connection.display_name} {version}"
    try:
        connection.check_database_version_supported()
    except NotSupportedError:
        return fail(f"{name} answers, and is older than the portal supports.", code="database-outdated")
    return well(f"{name} answers.")


def keeps_a_journal() -> Seen:
    if connection.vendor != "sqlite":
        return moot("SQLite alone has a journal to choose.")
    mode = _value("PRAGMA journal_mode")
    if mode == "memory":
        return moot("The database lies in memory.")
    if mode != "wal":
        return fail(f"SQLite writes with the journal “{mode}” instead of WAL.", code="database-journal")
    return well("SQLite writes with WAL: readers do not wait for a sync.")


def is_whole() -> Seen:
    """Reads the whole file, which takes some seconds for a gigabyte."""
    if connection.vendor != "sqlite":
        return moot("PostgreSQL looks after its files by itself.")
    found = str(_value("PRAGMA quick_check(1)"))
    if found != "ok":
        return fail(f"SQLite finds the file damaged: {found[:200]}", code="database-damaged")
    return well("SQLite finds its file whole.")


def can_be_written(now: datetime) -> Seen:
    """Writes a row and takes it back."""
    try:
        with transaction.atomic():
            Session.objects.create(session_key=f"doctor{get_random_string(20)}", expire_date=now)
            transaction.set_rollback(True)
    except Error as error:
        return fail(f"A row could not be written: {words(error)}", code="database-read-only")
    return well("A row could be written, and was taken back.")


def evidence_is_written_once() -> Seen:
    """Each write-once table has its triggers, as they were made."""
    bare, many = unguarded(connection)
    if bare:
        return fail(f"Triggers are missing or were changed: {', '.join(bare)}.", code="triggers-missing")
    return well(f"The {many} tables that are written once refuse changes and deletions.")


def migrations_agree() -> Seen:
    """The database is neither older nor newer than this version of the portal."""
    executor = MigrationExecutor(connection)
    applied, disk = set(executor.loader.applied_migrations), set(executor.loader.disk_migrations)
    if strange := sorted(name for app, name in applied - disk if app in OURS):
        saw = f"The database has migrations that this version does not know: {', '.join(strange)}."
        return fail(saw, code="migrations-unknown")
    if missing := executor.migration_plan(executor.loader.graph.leaf_nodes()):
        names = ", ".join(f"{migration.app_label} {migration.name}" for migration, _ in missing[:5])
        return fail(f"{len(missing)} are missing: {names}.", code="migrations-missing")
    return well("The database is of this version.")


def _value(query: str) -> object:
    with connection.cursor() as cursor:
        cursor.execute(query)
        found: object = cursor.fetchone()[0]
    return found


# --- the disk ---------------------------------------------------------------------------------------------


def folder_can_be_written() -> Seen:
    try:
        with tempfile.TemporaryFile(dir=settings.DATA_DIR) as file:
            file.write(b"doctor")
    except OSError as error:
        return fail(f"No file can be written into {settings.DATA_DIR} ({error.strerror}).", code="folder-closed")
    return well(f"Files can be written into {settings.DATA_DIR}.")


def files_can_be_kept() -> Seen:
    """Keeps a small file in the store of uploads, and takes it away."""
    try:
        kept = store.put([b"doctor " + get_random_string(20).encode()])
        store.remove(kept.sha256)
    except (store.Away, OSError) as error:
        return fail(f"No file can be kept in {store.where()}: {error}", code="upload-store")
    return well(f"Files can be kept in {store.where()}, and taken away.")


def scanner_answers() -> Seen:
    if not settings.CLAMD_ADDRESS:
        return moot("No virus scanner is configured: uploaded files are marked as not scanned.")
    if scanning.ping():
        return well("The virus scanner answers.")
    saw = "The virus scanner does not answer."
    return (fail if settings.CLAMD_REQUIRED else warn)(saw, code="upload-scanner")


def has_room(now: datetime) -> Seen:
    """Free space against the size of the database and how fast it grows; PostgreSQL's own disk is not seen."""
    free = shutil.disk_usage(settings.DATA_DIR).free
    held = _database_size()
    days = _days_left(free, held, now)
    saw = f"{size(free)} are free; the database holds {size(held)}."
    if days is not None:
        saw += f" At its pace so far, that is enough for {_span(days)}."
    if connection.vendor != "sqlite":
        saw += " The disk of the database itself cannot be seen from here."
    if free < LEAST_FREE:
        return fail(saw, code="disk-full")
    if free < LITTLE_FREE or (connection.vendor == "sqlite" and (free < held or (days or SOON) < SOON)):
        return warn(saw, code="disk-full")
    return well(saw)


def _database_size() -> int:
    if connection.vendor != "sqlite":
        return int(str(_value("SELECT pg_database_size(current_database())")))
    path = Path(str(connection.settings_dict["NAME"]))
    files = (path.with_name(f"{path.name}{ending}") for ending in ("", "-wal"))
    return sum(file.stat().st_size for file in files if file.is_file())


def _days_left(free: int, held: int, now: datetime) -> float | None:
    """None while there is too little to go by."""
    first = Snapshot.objects.order_by("published_at").values_list("published_at", flat=True).first()
    age = (now - first).total_seconds() / 86400 if first else 0
    return free / (held / age) if age >= 7 and held else None


def _span(days: float) -> str:
    return f"{days:,.0f} days" if days < 730 else f"more than {min(days / 365, 100):.0f} years"
