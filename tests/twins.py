"""`python -m tests.twins --days 30 --postgres URL`: the same days on SQLite and on PostgreSQL leave the same evidence.

Each database has a process of its own, with the same keys, uids and clock: a day that stands still. Requests are made
one after another, so that their log has one order. Compared are digests of each snapshot's header, state and change
rows, of differences told in words, and of the reports of two snapshots as CSV and JSON. Without --postgres, SQLite
is compared with itself, which shows that nothing depends on chance.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
ZERO = datetime(2026, 1, 1, 6, tzinfo=UTC)
Digests = dict[str, str]


def life(size: str, days: int, key: Path) -> Digests:
    """What `days` of syncs leave in the database that the environment names."""
    counted = count(1)
    uuid.uuid4 = lambda: uuid.UUID(
        int=next(counted)
    )  # a token is sealed for its connection's uid: it cannot come later

    from tests import yard  # it starts Django

    from django.conf import settings  # isort: skip
    from connectors import runs, sync  # isort: skip
    from connectors.clock import Clock  # isort: skip
    from connectors.models import Connection, Workspace  # isort: skip
    from connectors.segment.simulator import serve  # isort: skip

    class Day(Clock):
        def __init__(self, day: int) -> None:
            self.at = ZERO + timedelta(days=day)

        def now(self) -> datetime:
            return self.at

        def ticks(self) -> float:
            return 0.0

        def pause(self, seconds: float) -> None:
            self.at += timedelta(seconds=seconds)

    settings.SIGNING_KEY_FILE, settings.TRUSTED_KEYS_FILE = key, key.with_suffix(".pub")
    settings.SYNC_CONNECTIONS, settings.SYNC_PROCESSES = 1, 0
    yard.make()
    with serve(size=size) as simulator:
        yard.serve_from(simulator.url)
        connection = yard.connect(simulator.tokens["owner"])
        for day in range(days):
            simulator.settings.day, clock = day, Day(day)
            fresh = Connection.objects.get(pk=connection.pk)
            run = runs.request(fresh, trigger="command", now=clock.now(), enqueue=False)
            ended = sync.perform(run.pk, clock=clock)
            assert ended.state in ("published", "partial"), (ended.state, ended.error_code)
    return seen(Workspace.objects.get())


def seen(workspace: Any) -> Digests:
    from connectors import locker
    from connectors.models import Change, Snapshot
    from evidence.comparison import Asked, Comparison

    chain = {each.seq: each for each in Snapshot.objects.select_related("workspace", "run").order_by("seq")}
    found: Digests = {}
    for seq, snapshot in chain.items():
        rows = Change.objects.filter(workspace=workspace, seq=seq).order_by("stream", "key")
        found[f"header {seq}"] = bytes(snapshot.header).decode()
        found[f"records {seq}"] = _rows(locker.state(workspace.pk, seq))
        found[f"changes {seq}"] = _rows(rows)
    last = max(chain)
    for older, newer in sorted({(1, last), (max(1, last - 1), last), (1, (last + 1) // 2)}):
        lines = Comparison(chain[older], chain[newer]).lines(Asked(logs=True))
        found[f"differences {older} to {newer}"] = _of(f"{line.key} {line.told.sentence}".encode() for line in lines)
    for seq in sorted({(last + 1) // 2, last}):
        found |= reports_of(chain[seq])
    return found


def reports_of(snapshot: Any) -> Digests:
    from evidence import reports
    from evidence.exports import csv
    from evidence.exports import json as as_json

    found: Digests = {}
    for spec in reports.all_specs(snapshot):
        document = reports.document(snapshot, spec.name)
        found[f"{spec.name} of {snapshot.seq} as JSON"] = _of([as_json.render(document)])
        for table in document.report.tables:
            found[f"{spec.name} of {snapshot.seq}, {table.name} as CSV"] = _of(csv.stream(document, table.name))
    return found


def _rows(rows: Any) -> str:
    found = rows.values_list("stream", "key", "sha256").iterator(2000)
    return _of(f"{stream} {key} {bytes(sha256 or b'').hex()}\n".encode() for stream, key, sha256 in found)


def _of(pieces: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
    return digest.hexdigest()


def twin(size: str, days: int, key: Path, url: str) -> Digests:
    """The same in a process of its own; `url` is "" for SQLite."""
    command = [sys.executable, "-m", "tests.twins", "--size", size, "--days", str(days), "--key", str(key)]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "DATABASE_URL": url}, stdout=subprocess.PIPE, check=True
    )
    found: Digests = json.loads(done.stdout)
    return found


def compared(size: str, days: int, url: str) -> tuple[Digests, list[str]]:
    """What SQLite holds, and the names of what the other database has otherwise."""
    from portal import keys

    with tempfile.TemporaryDirectory(prefix="portal-twins-") as folder:
        key = Path(folder) / "signing.key"
        keys.make_signing_key(key)
        one, other = twin(size, days, key, ""), twin(size, days, key, url)
    return one, [name for name in {**one, **other} if one.get(name) != other.get(name)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--size", default="small")
    parser.add_argument("--postgres", default="", help="a server, as postgres://user@host:port/name")
    parser.add_argument("--key", type=Path, help=argparse.SUPPRESS)  # only: this process is one of the twins
    options = parser.parse_args()
    if options.key:
        json.dump(life(options.size, options.days, options.key), sys.stdout)
        return
    one, apart = compared(options.size, options.days, options.postgres)
    whole = _of(f"{name} {said}\n".encode() for name, said in one.items())
    print(f"{len(one)} digests of {options.days} days, all together {whole}")  # noqa: T201
    print(f"Not the same: {apart[0]}, and {len(apart) - 1} more" if apart else "Equal")  # noqa: T201
    sys.exit(bool(apart))


if __name__ == "__main__":
    main()
