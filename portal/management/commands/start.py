"""`manage.py start [--demo]`: the web server and the worker, with all that they need, in one."""

import fcntl
import socket
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import suppress
from typing import IO, Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError

from connectors.models import SyncRun
from portal import demo, ports, readiness, supervisor

USAGE = 2
WEB_ARGUMENTS = (
    "portal.wsgi",
    "--worker-class=gthread",
    "--workers=1",
    "--timeout=120",
    "--graceful-timeout=8",
    "--log-level=warning",
    "--no-control-socket",
)


class Command(BaseCommand):
    help = (
        "Starts the web server and the worker, and keeps both until it is stopped (Ctrl-C or SIGTERM). "
        "Exit codes: 0 stopped by a signal, 1 a process has failed, 2 bad usage or settings."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        add = parser.add_argument
        add("--demo", action="store_true", help="make keys if there are none, and connect a simulated workspace")
        add("--demo-size", choices=demo.SIZES, default="small", help="how large the simulated workspace is")
        add("--port", type=int, default=None, help="where the web server listens; 0 for any free port (default: PORT)")
        add("--no-worker", action="store_true", help="web server only: another process or machine does the work")
        add("--no-web", action="store_true", help="worker only")

    def handle(self, *args: Any, **options: Any) -> None:
        self._options = options
        self._refuse_nonsense()
        with self._listener() as listener, self._worker_lock():
            try:
                with supervisor.Supervisor(self._say) as everything:
                    self._start(everything, listener)
            except supervisor.Stop:
                self._say("Stopped.")
            except supervisor.Fallen as error:
                raise CommandError(str(error), returncode=1) from None
            except OperationalError as error:
                raise CommandError(f"The database does not answer: {error}", returncode=1) from None

    def _say(self, line: str) -> None:
        with suppress(BrokenPipeError):  # nobody reads any more, which is no reason to stop
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()

    # --- before anything is started -----------------------------------------------------------------

    def _refuse_nonsense(self) -> None:
        if self._options["no_web"] and self._options["no_worker"]:
            raise CommandError("With --no-web and --no-worker nothing is left to start.", returncode=USAGE)
        if self._options["demo"] and not ports.is_loopback(settings.HOST):
            raise CommandError(
                f"The demo is for this machine alone: set HOST to {ports.LOOPBACK} instead of {settings.HOST}.",
                returncode=USAGE,
            )
        settings.DATA_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not settings.SIGNING_KEY_FILE.exists():
            raise CommandError(
                f"There is no signing key at {settings.SIGNING_KEY_FILE}: run `python manage.py keys` to make one, "
                "or set SIGNING_KEY_FILE to where it is.",
                returncode=USAGE,
            )

    def _listener(self) -> socket.socket:
        """The web server's port, taken before anything else happens; a spare socket when there is no web server."""
        if self._options["no_web"]:
            return socket.socket()
        port = settings.PORT if self._options["port"] is None else self._options["port"]
        try:
            return ports.listen(settings.HOST, port)
        except ports.PortTaken as error:
            raise CommandError(str(error), returncode=USAGE) from None

    def _worker_lock(self) -> IO[str]:
        """Held while this worker runs: two watchdogs over one directory would take each other's heartbeats."""
        lock = (settings.DATA_DIR / "worker.lock").open("a")
        if not self._options["no_worker"]:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise CommandError(
                    f"Another worker runs on {settings.DATA_DIR}: stop it, or start this one with --no-worker.",
                    returncode=USAGE,
                ) from None
        return lock

    # --- the start ----------------------------------------------------------------------------------

    def _start(self, everything: supervisor.Supervisor, listener: socket.socket) -> None:
        web, worker = not self._options["no_web"], not self._options["no_worker"]
        if migrations := readiness.migrate():
            self._say(f"Database: brought up to date ({migrations} steps)")
        token = demo.start_simulator(everything, self._options["demo_size"]) if self._options["demo"] else None
        if web:
            if files := readiness.collect_static():
                self._say(f"Static files: {files} prepared")
            self._start_web(everything, listener)
        run = None
        if token and demo.connection() is None:
            run = demo.connect(token())
            self._say(f"Demo workspace: connected to the simulator at {settings.REGIONS['segment'][demo.REGION]}")
        if worker:
            everything.watch()
        everything.run(self._opening(listener if web else None, run if worker else None))

    def _start_web(self, everything: supervisor.Supervisor, listener: socket.socket) -> None:
        number = listener.fileno()
        everything.start(
            "web server",
            "gunicorn",
            *WEB_ARGUMENTS,
            f"--bind=fd://{number}",
            f"--threads={settings.WEB_THREADS}",
            pass_fds=[number],
        )

    def _opening(self, listener: socket.socket | None, run: SyncRun | None) -> Iterator[None]:
        """What is told while the portal opens; a step for each look of the supervisor."""
        if run is not None:
            yield from demo.first_sync(run, self._say)
        if listener is None:
            self._say("Worker: started. Ctrl-C stops it.")
            return
        host, port = listener.getsockname()[:2]
        while not ports.answers(host, port):
            yield
        password = readiness.first_admin()
        who = f"  (sign in as {readiness.ADMIN} / {password})" if password else ""
        self._say(f"Portal: {_address(host, port)}{who}")
        once = "The password is shown this once: choose your own after signing in. " if password else ""
        self._say(f"{once}Ctrl-C stops everything.")


def _address(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
