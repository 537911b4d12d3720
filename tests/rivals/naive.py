"""The simplest rival: each day's records as one row of JSON with its digest, in SQLite."""

import hashlib
import json
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.rivals import days


def add(database: sqlite3.Connection, folder: str) -> None:
    body = json.dumps(dict(days.read(Path(folder))), separators=(",", ":"))
    digest = hashlib.sha256(body.encode()).hexdigest()
    database.execute("INSERT INTO snapshot (body, sha256) VALUES (?, ?)", (body, digest))


def diff(database: sqlite3.Connection) -> int:
    """How many records differ between the first snapshot and the last."""
    rows = database.execute("SELECT body FROM snapshot WHERE n IN (1, (SELECT max(n) FROM snapshot)) ORDER BY n")
    old, new = (
        {(name, key): item for name, items in json.loads(body).items() for key, item in items.items()}
        for (body,) in rows
    )
    return sum(old.get(key) != new.get(key) for key in old.keys() | new.keys())


def verify(database: sqlite3.Connection) -> bool:
    return all(hashlib.sha256(body.encode()).hexdigest() == said for body, said in database.execute(_ALL))


_ALL = "SELECT body, sha256 FROM snapshot ORDER BY n"


def main(file: str, verb: str, *given: str) -> Any:
    with sqlite3.connect(file) as database:
        database.execute("CREATE TABLE IF NOT EXISTS snapshot (n INTEGER PRIMARY KEY, body TEXT, sha256 TEXT)")
        verbs: dict[str, Callable[..., Any]] = {"add": add, "diff": diff, "verify": verify}
        return verbs[verb](database, *given)


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))  # noqa: T201
