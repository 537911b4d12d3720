"""A process of ours, both ends of it: how it is started and swept away, and how it is tied to its parent.

A child leads a session of its own, so that one signal reaches all that it has started; and nothing of it
outlives the process that started it, however that one ends.
"""

import ctypes
import os
import runpy
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent
PR_SET_PDEATHSIG = 1  # linux/prctl.h
LINES_KEPT = 15
Hear = Callable[[str], object]


class Child:
    """A Python module that runs in a process group of its own.

    `hear` gets each line that it prints, and answers True for one that must not be kept.
    """

    def __init__(self, name: str, module: str, *arguments: str, hear: Hear, pass_fds: Sequence[int] = ()) -> None:
        self.name = name
        self.last: deque[str] = deque(maxlen=LINES_KEPT)
        path = os.pathsep.join(filter(None, [str(BASE_DIR), os.environ.get("PYTHONPATH", "")]))
        self._process = subprocess.Popen(  # noqa: S603  # modules that our own code names
            [sys.executable, "-P", "-m", "portal.child", str(os.getpid()), module, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
            pass_fds=pass_fds,
            env={**os.environ, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1"},
        )
        self.group = self._process.pid
        self._listener = threading.Thread(target=self._listen, args=(hear,), daemon=True)
        self._listener.start()

    def _listen(self, hear: Hear) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if not hear(line.rstrip()):
                self.last.append(line.rstrip())

    def ended(self) -> str:
        """How its leader ended, in words; "" while it runs."""
        code = self._process.poll()
        if code is None:
            return ""
        return f"was killed by signal {-code}" if code < 0 else f"stopped with exit code {code}"

    def last_lines(self) -> str:
        self._listener.join(1)  # what it said last may still be on its way
        return "\n".join(self.last)

    def ask_to_stop(self) -> None:
        """Tells the leader alone: it knows in which order the others stop."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)

    def sweep(self, seconds: float = 5) -> None:
        """Kills all that is left of the group, stopped and orphaned processes too, and waits until nothing is."""
        deadline = time.monotonic() + seconds
        while signal_group(self.group, signal.SIGKILL) and time.monotonic() < deadline:
            self._process.poll()
            time.sleep(0.02)


def signal_group(group: int, number: int) -> bool:
    """Sends a signal to a process group, 0 to ask only; False when there is nobody in it."""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return False
    except PermissionError:  # macOS answers so when only the dead are left; or it is somebody else's by now
        return False
    return True


# --- the child's end ----------------------------------------------------------------------------


def main(argv: Sequence[str]) -> None:
    """`python -m portal.child PARENT MODULE …`: runs the module, tied to the parent's life."""
    tie(int(argv[1]))
    sys.argv = list(argv[2:])
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


def tie(parent: int) -> None:
    """Makes this process die with `parent`, and every process that it forks die with it."""
    if sys.platform != "linux":
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()
        return
    me = [os.getpid()]

    def forked() -> None:
        forker, me[0] = me[0], os.getpid()
        _die_after(forker)

    _die_after(parent)
    os.register_at_fork(after_in_child=forked)


def _die_after(parent: int) -> None:
    """Asks Linux for SIGKILL when the parent dies; a parent that is dead already sends no signal."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def _watch(parent: int) -> None:
    """Where the system sends no signal: looks once a second, and takes the whole group along."""
    while os.getppid() == parent:
        time.sleep(1)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main(sys.argv)
