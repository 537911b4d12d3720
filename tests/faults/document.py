"""The table for people, made from the rows."""

from collections.abc import Iterator
from itertools import groupby

from .row import Row
from .table import ROWS

TITLES = {
    "F1": "Too many requests (429)",
    "F2": "A storm of 429",
    "F3": "Outages",
    "F4": "No connection",
    "F5": "No answer in time",
    "F6": "A body that is cut short",
    "F7": "200 with JSON that is cut, or with no JSON",
    "F8": "200 with a web page",
    "F9": "200 without the data",
    "F10": "Values that parsers stumble over",
    "F11": "A cursor that leads back to itself",
    "F12": "Cursors without end",
    "F13": "A cursor that has expired",
    "F14": "The same item on two pages",
    "F15": "A listing that moves while it is read",
    "F16": "A total that lies",
    "F17": "Not permitted",
    "F18": "A feature that is not enabled",
    "F19": "A token that dies",
    "F20": "Another workspace behind the token",
    "F21": "A list that is suddenly empty",
    "F22": "A list that has lost much",
    "F23": "Parents and references that go away",
    "F24": "A worker that dies",
    "F25": "A deploy in mid-run",
    "F27": "A database that fails",
    "F28": "Clocks",
    "F29": "Redirects",
    "F31": "Signing keys",
}
STATES = {
    "published": "published",
    "partial": "published in part",
    "failed": "failed",
    "cancelled": "cancelled",
}
HEAD = """\
# Faults, and what comes of them

What can go wrong while a workspace is read, what the run ends as, what its page says, and what is proved. Every line
is one or more tests over real HTTP (`tests/faults`, `tests/test_faults*.py`): a simulator of the service breaks in
that way, and the run is compared, record by record, with a clean one. After each of them `verify` finds no fault.

{tests} tests. This page is written by `python -m tests.faults > docs/FAULTS.md`; a test fails when it is out of date.

A worker that is killed at any of its statements to the database is tested apart (`tests/test_faults_house.py`), the
parsers too (`tests/test_faults_parsers.py`).

What no reader can see: a record that is deleted between two pages while another is added, so that the total stays and
no record comes twice. The next run sees it.
"""


def document() -> str:
    parts = [HEAD.format(tests=len(ROWS))]
    for fault, rows in groupby(ROWS, key=lambda row: row.fault):
        parts += [f"\n## {fault} {TITLES[fault]}\n", *_table(list(rows))]
    return "\n".join(parts) + "\n"


def _table(rows: list[Row]) -> Iterator[str]:
    yield "| What happens | The run ends as | The struck stream is | The run's page says | Proved |"
    yield "|---|---|---|---|---|"
    lines = dict.fromkeys("| " + " | ".join(map(_cell, _cells(row))) + " |" for row in rows)
    yield from lines


def _cells(row: Row) -> tuple[str, ...]:
    ends = STATES[row.ends] + (f" (`{row.code}`)" if row.code else "")
    covered = row.coverage.replace("_", " ") if row.struck else "–"
    if row.part:
        covered += ", for that parent"
    return row.line or row.name, ends, covered, f"“{row.says}”", " ".join(filter(None, (row.proof.value, row.besides)))


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
