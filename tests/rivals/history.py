"""`make bench ARGS=--history`: thirty days of the same listings kept by us and by rivals, side by side.

Prints figures, never fails on time. A day's listings are taken from the simulator once, and all rivals are given them.
"""

import argparse
import json
import os
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.bench import LISTINGS, ROOT, Portal, connect, simulator, timed
from tests.rivals import days

VENV = ROOT / "build" / "auditree"
Row = tuple[str, str]


# --- ours -----------------------------------------------------------------------------------------


class Ours:
    """Our portal, a sync a day."""

    title = "this portal"

    def __init__(self, folder: Path) -> None:
        self.portal = Portal(folder, "http://127.0.0.1:1")
        assert self.portal("collectstatic", "--noinput", "-v0").code == 0  # pages name their files
        self.sizes: list[Counter[str]] = []
        self.publishing: list[float] = []

    def add(self, url: str, token: str) -> None:
        self.portal.env["SEGMENT_REGIONS"] = f"bench={url}"
        if not self.sizes:
            connect(self.portal, token)
        said = json.loads(self.portal("sync", "Bench", "--json", "--streams", LISTINGS).out)
        assert said["state"] in ("published", "partial"), said
        self.publishing.append(said["publishing"])
        self.sizes.append(self._sizes())

    def _sizes(self) -> Counter[str]:
        """Bytes of the database by table, each with its indexes; under "" the file without its free pages."""
        found = Counter({"": self.portal.size})
        with sqlite3.connect(self.portal.folder / "portal.sqlite3") as database:
            found.update(dict(database.execute(_BY_TABLE)))
        return found

    def rows(self) -> list[Row]:
        first, last, days_ = self.sizes[0], self.sizes[-1], max(1, len(self.sizes) - 1)
        grown = {name: (last[name] - first[name]) / days_ / 1000 for name in last}
        tables = sorted((name for name in grown if name and grown[name] >= 0.05), key=lambda name: -grown[name])
        proof = self.portal("verify", "--json")
        assert json.loads(proof.out)["ok"], proof.out
        said = timed([sys.executable, "-m", "tests.rivals.pages"], self.portal.env)
        pages = json.loads(said.out)
        return [
            ("growth per day", f"{grown['']:.1f} kB"),
            *((f"  {name}", f"{grown[name]:.1f} kB") for name in tables),
            ("size, first and last day", f"{first[''] / 1e6:.1f}, {last[''] / 1e6:.1f} MB"),
            ("publishing a day, median", f"{statistics.median(self.publishing):.2f} s"),
            ("diff first -> last day, both bodies", f"{pages['diff'][0] / 1000:.2f} s, {pages['changed']} records"),
            *((f"page: {name}", _page(pages[name])) for name in pages if name not in ("diff", "changed")),
            ("verify, whole process", f"{proof.wall:.2f} s, {proof.cpu:.2f} s CPU, {proof.peak:.0f} MB"),
        ]


_BY_TABLE = """
    SELECT m.tbl_name, sum(s.pgsize) FROM dbstat s JOIN sqlite_master m ON m.name = s.name GROUP BY m.tbl_name
"""


def _page(cost: Sequence[float]) -> str:
    return f"{cost[0]:.0f} ms wall, {cost[1]:.0f} ms CPU"


# --- rivals ---------------------------------------------------------------------------------------


class Naive:
    """A JSON row for each snapshot."""

    title = "JSON row per snapshot (SQLite)"

    def __init__(self, folder: Path) -> None:
        self.file = folder / "naive.sqlite3"
        self.sizes: list[int] = []
        self.seconds: list[float] = []

    def _do(self, *arguments: str) -> Any:
        return timed([sys.executable, "-m", "tests.rivals.naive", str(self.file), *arguments], dict(os.environ))

    def add(self, day: Path) -> None:
        self.seconds.append(self._do("add", str(day)).wall)
        self.sizes.append(self.file.stat().st_size)

    def rows(self) -> list[Row]:
        diff, proof = self._do("diff"), self._do("verify")
        return [
            *_grown(self.sizes),
            ("adding a day, median, whole process", f"{statistics.median(self.seconds):.2f} s"),
            ("diff first -> last day, whole process", f"{diff.wall:.2f} s, {json.loads(diff.out)} records"),
            ("re-hashing, whole process", f"{proof.wall:.2f} s, {proof.cpu:.2f} s CPU, {proof.peak:.0f} MB"),
        ]


class Auditree:
    """Auditree's git locker."""

    title = "Auditree's git locker"

    def __init__(self, folder: Path) -> None:
        self.locker = folder / "locker"
        self.sizes: list[int] = []
        self.seconds: list[float] = []
        self.fresh = 0

    def add(self, day: Path) -> None:
        script = str(Path(__file__).with_name("auditree.py"))
        command = [str(VENV / "bin" / "python"), script, str(self.locker), str(len(self.sizes)), str(day)]
        cost = timed(command, dict(os.environ))
        assert cost.code == 0, "Auditree's locker failed"
        self.fresh += int(cost.out.split()[-1])
        self.seconds.append(cost.wall)
        self.sizes.append(self._size())

    def rows(self) -> list[Row]:
        before, grown = self._size(), _grown(self.sizes)
        first = self._git("rev-list", "--max-parents=0", "HEAD").out.strip()
        diff = self._git("diff", "--shortstat", first, "HEAD", "--", "raw")
        proof = self._git("fsck", "--full", "--strict")
        gc = self._git("gc", "-q")
        swept = (self._size() - self._size_of_first(first)) / max(1, len(self.sizes) - 1) / 1000
        return [
            *grown,
            ("growth per day after `git gc`", f"{swept:.1f} kB"),
            ("size before and after `git gc`", f"{before / 1e6:.1f}, {self._size() / 1e6:.1f} MB ({gc.wall:.1f} s)"),
            ("adding a day, median, whole process", f"{statistics.median(self.seconds):.2f} s"),
            ("pieces taken for fresh, and left out", str(self.fresh)),
            ("diff first -> last day, lines", f"{diff.wall:.2f} s,{diff.out.rstrip()}"),
            ("git fsck", f"{proof.wall:.2f} s, {proof.cpu:.2f} s CPU, {proof.peak:.0f} MB, code {proof.code}"),
        ]

    def _git(self, *arguments: str) -> Any:
        return timed(["git", "-C", str(self.locker), *arguments], dict(os.environ))

    def _size(self) -> int:
        return _bytes(self.locker / ".git")

    def _size_of_first(self, commit: str) -> int:
        """Bytes of a repository that has the first day alone, swept in the same way."""
        alone = self.locker.with_name("first")
        timed(["git", "init", "-q", "--bare", str(alone)], dict(os.environ))
        timed(["git", "-C", str(alone), "fetch", "-q", f"file://{self.locker}", f"{commit}:refs/heads/first"], _ANY)
        timed(["git", "-C", str(alone), "gc", "-q"], dict(os.environ))
        return _bytes(alone)


_ANY = {**os.environ, "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "uploadpack.allowAnySHA1InWant"} | {
    "GIT_CONFIG_VALUE_0": "true"
}


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _grown(sizes: Sequence[int]) -> list[Row]:
    each = (sizes[-1] - sizes[0]) / max(1, len(sizes) - 1) / 1000
    return [
        ("growth per day", f"{each:.1f} kB"),
        ("size, first and last day", f"{sizes[0] / 1e6:.1f}, {sizes[-1] / 1e6:.1f} MB"),
    ]


def has_auditree() -> bool:
    """Whether Auditree is there, or could be installed into an environment of its own."""
    python = VENV / "bin" / "python"
    asked = [str(python), "-c", "import compliance.locker"]
    if python.exists() and not subprocess.run(asked, capture_output=True, check=False).returncode:
        return True
    steps = ([sys.executable, "-m", "venv", "--clear", str(VENV)], [str(python), *_INSTALL], asked)
    try:
        return all(not subprocess.run(step, capture_output=True, check=False, timeout=300).returncode for step in steps)
    except (OSError, subprocess.TimeoutExpired):
        return False


_INSTALL = ("-m", "pip", "install", "--quiet", "auditree-framework")


# --- the run --------------------------------------------------------------------------------------


def run(folder: Path, size: str, many: int) -> None:
    ours = Ours(folder / "portal")
    rivals: list[Naive | Auditree] = [Naive(folder), *([Auditree(folder)] if has_auditree() else [])]
    if len(rivals) == 1:
        _say("Auditree's locker is left out: `pip install auditree-framework` did not succeed here.")
    for day in range(many):
        with simulator(size, day, latency=0) as (url, token):
            ours.add(url, token)
            days.write(folder / "day", url, token)
        for rival in rivals:
            rival.add(folder / "day")
        shutil.rmtree(folder / "day")
    stores: list[Ours | Naive | Auditree] = [ours, *rivals]
    for store in stores:
        _say(f"\n{store.title}: {size}, {many} days, 1 % of the records changed each day")
        for what, figure in store.rows():
            _say(f"  {what:42} {figure}")


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", default="medium", choices=["small", "medium", "large"])
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--keep", type=Path, help="a new folder for all that is stored, which stays")
    options = parser.parse_args()
    if options.days < 2:
        parser.error("growth and differences need two days or more")
    if options.keep:
        run(options.keep, options.size, options.days)
        return
    with tempfile.TemporaryDirectory(prefix="portal-history-") as folder:
        run(Path(folder), options.size, options.days)


if __name__ == "__main__":
    main()
