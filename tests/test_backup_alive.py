"""Backups of databases that others write to meanwhile, and commands that are killed; both need real databases."""

import array
import fcntl
import os
import select
import shutil
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.db import DatabaseError, connections, transaction
from django.db import connection as database
from django.db.migrations.recorder import MigrationRecorder
from django.db.models import Model
from django.utils import timezone

from connectors.models import Workspace
from evidence.library import versions
from portal import keys, ledger
from portal.backup import PRIVATE, tables
from portal.backup.archive import Archive
from portal.backup.moment import one_moment
from portal.backup.writing import write
from portal.models import AuditEntry, User
from tests.portals import ROOT, environment
from tests.worlds import world

PASSPHRASE = "correct horse battery"
SERVER = urlsplit(os.environ.get("DATABASE_URL", ""))
PAGE = 4096


def url_of(name: str) -> str:
    """The address of another database on the server of the tests' own."""
    return f"{SERVER.scheme}://{SERVER.netloc}/{name}"


@contextmanager
def server_database() -> Iterator[str]:
    """The name of a new database on the server of the tests' own."""
    import psycopg

    name = f"backup_{os.getpid()}_{time.monotonic_ns()}"
    with psycopg.connect(url_of("postgres"), autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name}".encode())
        try:
            yield name
        finally:
            server.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


# --- as of one moment -----------------------------------------------------------------------------------------


@contextmanager
def with_our_tables(name: str) -> Iterator[str]:
    """A real database beside the tests' own, which lives in a transaction or in memory: its alias."""
    connections.databases["elsewhere"] = {**database.settings_dict, "NAME": name}
    there = connections["elsewhere"]
    try:
        MigrationRecorder(there).ensure_schema()
        with there.schema_editor() as editor:
            every: list[type[Model]] = [ContentType, Permission, Group, *(table.model for table in tables.kept())]
            for model in every:
                if not model._meta.auto_created:
                    editor.create_model(model)
        yield "elsewhere"
    finally:
        there.close()
        del connections["elsewhere"], connections.databases["elsewhere"]


@pytest.fixture
def elsewhere(tmp_path: Path, django_db_blocker: Any) -> Iterator[str]:
    with django_db_blocker.unblock():
        if database.vendor == "postgresql":
            with server_database() as name, with_our_tables(name) as alias:
                yield alias
        else:
            with with_our_tables(str(tmp_path / "portal.sqlite3")) as alias:
                yield alias


def publish(alias: str) -> None:
    """Rows of two tables in one transaction, of which one is dumped before the other."""
    with transaction.atomic(using=alias):
        for name in ("one", "two"):
            Workspace.objects.using(alias).create(connector="segment", remote_id=name, region="us", slug="s", name=name)
        AuditEntry.objects.using(alias).create(at=timezone.now(), actor_name="portal", action="sync ended")


def test_what_is_published_meanwhile_is_wholly_out(elsewhere: str) -> None:
    """And nobody is kept waiting: the writer commits while the backup is between two tables."""
    names = ["portal.AuditEntry", "connectors.Workspace"]
    first, second = (next(table for table in tables.kept() if table.name == name) for name in names)
    with one_moment(elsewhere) as alias:
        dumped = [list(first.lines(alias))]
        publish(elsewhere)
        dumped.append(list(second.lines(alias)))
    assert [len(lines) - 1 for lines in dumped] == [0, 0]
    with one_moment(elsewhere) as alias:
        assert [len(list(table.lines(alias))) - 1 for table in (first, second)] == [1, 2]
    assert "backup" not in connections.databases


def test_a_backup_cannot_write_to_the_database(elsewhere: str) -> None:
    with pytest.raises(DatabaseError, match=r"read.?only"), one_moment(elsewhere) as alias:
        publish(alias)
    assert not Workspace.objects.using(elsewhere).exists()


# --- killed, run again, and taken to the other database -----------------------------------------------------------


def killed_after(lines: int, data: Path, *arguments: str) -> int:
    """Runs a command whose progress nobody reads: it stands still after some lines, in the middle, and is killed."""
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, PAGE)
    filled = os.write(writing, b"x" * (PAGE - 30 * lines))
    command = [sys.executable, "manage.py", *arguments]
    child = subprocess.Popen(command, cwd=ROOT, env=environment(data), stdout=subprocess.DEVNULL, stderr=writing)
    os.close(writing)
    deadline, waiting = time.monotonic() + 50, array.array("i", [0])
    with open(os.pidfd_open(child.pid), "rb") as ending:
        # A line has less than 40 characters: with less room than that and no progress any more it waits for a reader.
        while not select.select([ending], [], [], 0.1)[0] and time.monotonic() < deadline:
            before = waiting[0]
            fcntl.ioctl(reading, termios.FIONREAD, waiting)
            if filled < before == waiting[0] > PAGE - 40:
                break
    child.kill()
    code = child.wait(30)
    said = os.read(reading, PAGE)
    os.close(reading)
    assert b"rows" in said, said[-500:]
    return code


@pytest.fixture
def packed(tmp_path: Path, db: None, django_db_blocker: Any) -> Path:
    """A backup of a read workspace of the tests' own database, with locked keys."""
    path = tmp_path / "portal.zip"
    with world(django_db_blocker, ("workspace", "data-flow")) as made:
        run = made.sync()
        person = User.objects.create_user("Zoë", password="a long password")
        ledger.seal_all(timezone.now())
        versions.capture(run.snapshot, "data-flow", title="A", by=person, now=timezone.now())
        write(path, "default", timezone.now(), passphrase=PASSPHRASE, tell=lambda line: None)
    return path


def told(data: Path, *arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
    """Runs one command to its end and gives it the passphrase."""
    command = [sys.executable, "manage.py", *arguments]
    environ = environment(data, **changes)
    return subprocess.run(
        command,
        cwd=ROOT,
        env=environ,
        input=f"{PASSPHRASE}\n",
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def digests(path: Path) -> dict[str, str]:
    with Archive(path) as archive:
        archive.check()
        return {name: said["sha256"] for name, said in archive.members.items()}


CHANGED = {
    PRIVATE,
    "keys/trusted.pub",
    "tables/portal.AuditEntry.jsonl",
    "tables/portal.LedgerEntry.jsonl",
    "tables/evidence.Verification.jsonl",
}


def changed(before: Path, after: Path) -> set[str]:
    """Members that are not the same in both."""
    one, two = digests(before), digests(after)
    return {name for name in {*one, *two} if one.get(name) != two.get(name)}


@pytest.mark.slow
def test_killed_and_run_again_it_is_whole_in_either_database(packed: Path, tmp_path: Path) -> None:
    data = tmp_path / "here"
    keys.make_keys({"PORTAL_DATA": str(data)})
    assert killed_after(4, data, "restore", str(packed)) == -9
    assert told(data, "restore", str(packed), "--passphrase-stdin").returncode == 2, "another key signs here"
    for name in ("private.env", "signing.key"):
        (data / f"{name}.restored").replace(data / name)
    done = told(data, "restore", str(packed), "--trust-keys")
    assert (done.returncode, "0 faults" in done.stdout) == (0, True), done.stdout + done.stderr
    assert "_KEY" not in done.stdout.replace("_KEYS_FILE", "")

    again = tmp_path / "again.zip"
    assert killed_after(4, data, "backup", str(again)) == -9
    assert not again.exists()
    done = told(data, "backup", str(again), "--with-keys", "--passphrase-stdin")
    assert done.returncode == 0, done.stderr
    assert not list(tmp_path.glob(".*.part"))
    assert changed(packed, again) == CHANGED
    with Archive(packed) as before, Archive(again) as after:
        assert after.manifest["fingerprint_key"] == before.manifest["fingerprint_key"]
    if SERVER.scheme.startswith("postgres"):
        with server_database() as name:
            moves_to(url_of(name), again, tmp_path)


def moves_to(url: str, lite: Path, tmp_path: Path) -> None:
    """A backup of a SQLite file fills a PostgreSQL database, whose backup is the same."""
    data = tmp_path / "moved"
    shutil.copytree(tmp_path / "here", data, ignore=shutil.ignore_patterns("*.sqlite3*"))
    done = told(data, "restore", str(lite), DATABASE_URL=url)
    assert (done.returncode, "0 faults" in done.stdout) == (0, True), done.stdout + done.stderr
    assert "from sqlite" in done.stdout
    back = tmp_path / "back.zip"
    assert told(data, "backup", str(back), DATABASE_URL=url).returncode == 0
    assert changed(lite, back) == CHANGED - {"keys/trusted.pub"}
