"""Whole portals for tests: `manage.py start` as a process of its own, over a folder of its own."""

import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import Empty, SimpleQueue

ROOT = Path(__file__).parent.parent
KEYS = ("SECRET_KEY", "FERNET_KEYS", "FINGERPRINT_KEY")


def environment(data: Path, **changes: str) -> dict[str, str]:
    """What a portal over `data` finds in its environment: nothing that the tests set for themselves."""
    mine = {*KEYS, "DATABASE_URL", "DJANGO_SETTINGS_MODULE", "HTTPS", "HOST", "PORT"}
    kept = {name: value for name, value in os.environ.items() if name not in mine}
    return {**kept, "PORTAL_DATA": str(data), "PORTAL_WORKER": f"test {data.name}", **changes}


def manage(data: Path, *arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
    """Runs one command to its end."""
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=environment(data, **changes),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


class Portal:
    """A running `manage.py start`, and the lines that it has printed."""

    def __init__(self, environ: Mapping[str, str], *arguments: str) -> None:
        self.began = time.monotonic()
        self.lines: list[str] = []
        self.process = subprocess.Popen(
            [sys.executable, "manage.py", "start", *arguments],
            cwd=ROOT,
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._coming: SimpleQueue[str | None] = SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._coming.put(line.rstrip())
        self._coming.put(None)

    def line(self, beginning: str, seconds: float) -> str:
        """The next line that begins so; fails when it does not come in time or the portal ends before."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            try:
                line = self._coming.get(timeout=left)
            except Empty:
                break
            if line is None:
                break
            self.lines.append(line)
            if line.startswith(beginning):
                return line
        raise AssertionError(f"“{beginning}” was not printed in {seconds} s, but:\n" + "\n".join(self.lines))

    def ask(self, number: int) -> int:
        """Sends a signal and waits for the end; returns the exit code."""
        self.process.send_signal(number)
        return self.process.wait(30)

    def family(self) -> dict[int, int]:
        """Every process that descends from it, with its group; as Linux knows them."""
        parents = {pid: (parent, group) for pid, parent, group in _processes()}
        found, young = {}, {self.process.pid}
        while young:
            young = {pid for pid, (parent, _) in parents.items() if parent in young}
            found.update({pid: parents[pid][1] for pid in young})
        return found

    def children(self, parent: int) -> list[int]:
        """Its children, the oldest first."""
        return sorted(pid for pid, above, _ in _processes() if above == parent)

    def command(self, words: str) -> int:
        """The process of the family whose command line holds these words and that leads its group."""
        [found] = [
            pid
            for pid, group in self.family().items()
            if pid == group and words in Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
        ]
        return found


def left_of(groups: set[int], seconds: float = 3) -> list[int]:
    """The processes that are still in any of these groups after some time; who is about to die may do so."""
    deadline = time.monotonic() + seconds
    for pid in _members(groups):
        with suppress(ProcessLookupError), open(os.pidfd_open(pid), "rb") as ending:
            select.select([ending], [], [], max(0, deadline - time.monotonic()))
    return _members(groups)


def _members(groups: set[int]) -> list[int]:
    return [pid for pid, _, group in _processes() if group in groups]


def _processes() -> Iterator[tuple[int, int, int]]:
    """(process, parent, group) of all that live; proc_pid_stat(5) says what stands where."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent, group = path.read_text().rpartition(")")[2].split()[:3]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if state != "Z":
            yield int(path.parent.name), int(parent), int(group)


@contextmanager
def started(data: Path, *arguments: str, **changes: str) -> Iterator[Portal]:
    """A portal that is ended on the way out, whatever happened."""
    portal = Portal(environment(data, **changes), *arguments)
    try:
        yield portal
    finally:
        if portal.process.poll() is None:
            portal.ask(signal.SIGTERM)
