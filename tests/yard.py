"""A portal with a database of its own, for worker processes that are forked, killed and raced: `kills`, `races`.

To be imported first of all in a process of its own: it sets the environment and starts Django. DATABASE_URL may name
a PostgreSQL server; then databases are made there, and dropped at the end. A forked worker is a real process in a
group of its own, as the watchdog knows workers, and its start costs next to nothing.
"""

import atexit
import json
import mmap
import os
import shutil
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlsplit, urlunsplit

ROOT = Path(__file__).parent.parent
SERVER = urlsplit(os.environ.get("DATABASE_URL", ""))
NAME = f"yard_{os.getpid()}"
if SERVER.scheme.startswith("postgres"):
    os.environ["DATABASE_URL"] = urlunsplit(SERVER._replace(path=f"/{NAME}"))
else:
    os.environ.pop("DATABASE_URL", None)

from tests import environment  # noqa: E402  # it sets keys and a data folder

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
os.environ.update(PORTAL_WORKER="yard", LOG_LEVEL="CRITICAL", SYNC_PROCESSES="1")

import django  # noqa: E402

django.setup()

from django.conf import settings  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connections  # noqa: E402
from django.utils import timezone  # noqa: E402

from connectors import connections as verbs  # noqa: E402
from connectors import registry, runs  # noqa: E402
from connectors.models import Connection  # noqa: E402
from connectors.schedules import Plan  # noqa: E402
from portal import queue  # noqa: E402
from portal.child import signal_group  # noqa: E402

# --- the database, and copies of it ---------------------------------------------------------------


def _admin(*statements: str) -> None:
    import psycopg

    url = urlunsplit(SERVER._replace(path="/postgres"))
    with psycopg.connect(url, autocommit=True) as server:
        for statement in statements:
            server.execute(statement.encode())


def make() -> None:
    """A new database with all tables."""
    if SERVER.scheme:
        _admin(f"CREATE DATABASE {NAME}")
        atexit.register(_drop, NAME)
    call_command("migrate", verbosity=0)


def _drop(name: str) -> None:
    connections.close_all()
    _admin(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def keep(label: str) -> None:
    """Puts the database aside as it is."""
    if SERVER.scheme:
        connections.close_all()
        _admin(f"CREATE DATABASE {NAME}_{label} TEMPLATE {NAME}")
        atexit.register(_drop, f"{NAME}_{label}")
        return
    with connections["default"].cursor() as cursor:
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connections.close_all()
    shutil.copy(_file(), _file().with_suffix(f".{label}"))


def bring_back(label: str) -> None:
    """Makes the database what it was when it was put aside."""
    connections.close_all()
    if SERVER.scheme:
        _admin(f"DROP DATABASE {NAME} WITH (FORCE)", f"CREATE DATABASE {NAME} TEMPLATE {NAME}_{label}")
        return
    for ending in ("-wal", "-shm"):
        Path(f"{_file()}{ending}").unlink(missing_ok=True)
    shutil.copy(_file().with_suffix(f".{label}"), _file())


def _file() -> Path:
    return environment.DATA / "portal.sqlite3"


# --- the service, and a connection to it ----------------------------------------------------------


@contextmanager
def simulator(*options: str) -> Iterator[tuple[str, str]]:
    """A simulator as a process of its own: its address and its owner's token."""
    command = [sys.executable, "-m", "connectors.segment.simulator", "--port", "0", "--warm", "--json", *options]
    child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout is not None
        said = json.loads(child.stdout.readline())
        yield said["urls"]["us"], said["tokens"]["owner"]
    finally:
        child.terminate()
        child.wait()


def serve_from(url: str) -> None:
    """The connection's region is at this address from now on, in this process and those that it forks."""
    settings.REGIONS = {"segment": {"yard": url}}


def connect(token: str, groups: Sequence[str] = ()) -> Connection:
    """An active connection to the workspace that the token opens; it reads these groups, or the standard ones."""
    now = timezone.now()
    drafted = verbs.draft(registry.get("segment"), by=None, now=now)
    verbs.set_credential(drafted, name="Yard", region="yard", token=token, role="owner", now=now)
    assert not verbs.check(drafted, by=None, now=now).code
    active = verbs.activate(drafted, plan=Plan("manual"), by=None, now=now)
    Connection.objects.filter(pk=active.pk).update(groups=list(groups) or None)
    return active


# --- worker processes -----------------------------------------------------------------------------


class Worker:
    """A forked process that does one thing. `returned` is what that gave, if the process lived to tell it."""

    def __init__(self, work: Callable[[], Any]) -> None:
        connections.close_all()
        self._told = mmap.mmap(-1, 1 << 16)
        self.began = time.monotonic()
        self.pid = os.fork()
        if not self.pid:
            self._work(work)

    def _work(self, work: Callable[[], Any]) -> NoReturn:
        code = 1
        try:
            os.setsid()
            body = json.dumps(work()).encode()
            self._told[: len(body)] = body
            code = 0
        except BaseException:  # noqa: BLE001  # a child must never return into its parent's code
            traceback.print_exc()
        finally:
            os._exit(code)

    def kill_after(self, seconds: float) -> None:
        """SIGKILL from outside, unless it has ended by itself until then."""
        import select

        with suppress(ProcessLookupError), open(os.pidfd_open(self.pid), "rb") as ending:
            left = self.began + seconds - time.monotonic()
            if not select.select([ending], [], [], max(0.0, left))[0]:
                os.kill(self.pid, 9)

    def wait(self) -> int:
        """Its exit code; -9 when it was killed."""
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    @property
    def returned(self) -> Any:
        return json.loads(bytes(self._told).rstrip(b"\0"))


def tidy() -> list[int]:
    """What a watchdog does before it starts the next worker: gives back what the dead ones held."""
    lost: list[int] = []
    for group in runs.groups_at_work():
        deadline = time.monotonic() + 5
        while signal_group(group, signal.SIGKILL) and time.monotonic() < deadline:
            time.sleep(0.01)  # helpers of the dead
        lost += runs.recover_of(group, timezone.now())
    queue.give_back(settings.WORKER_NAME)
    return lost
