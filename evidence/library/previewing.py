"""What of a stored file can be looked at without taking it away. No byte of the file itself reaches a browser.

PDF pages and images are drawn anew by a short-lived process; text is shown as escaped text, CSV as a table.
"""

import csv
import io
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from ..models import Version
from ..text import visible
from . import kinds, store

ROWS, CELLS, CHARACTERS = 50, 30, 20_000  # of a table, of a row, of a text
READ = 2_000_000  # bytes of a text file that a preview looks at
LARGEST = 50_000_000  # bytes of what is drawn
PATIENCE = 30  # seconds
ROOT = Path(__file__).parents[2]


class NoPreview(Exception):
    """Nothing can be shown; the message says why."""


@dataclass(frozen=True)
class Preview:
    """`kind`: picture, table, text, or none; `note` says how much of the whole is shown, or why nothing is."""

    kind: str
    note: str = ""
    text: str = ""
    head: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()


def of(version: Version) -> Preview:
    """The preview of a stored version. Pictures come by an address of their own, by `drawn`."""
    content = kinds.BY_MEDIA.get(version.media)
    if content is None or not content.shown:
        return Preview("none", f"There is no preview of {content.title if content else 'this kind of file'}.")
    if content.shown in ("pages", "image"):
        return (
            Preview("picture", "The first page is shown." if content.shown == "pages" else "")
            if version.size <= LARGEST
            else Preview("none", "It is too large for a preview.")
        )
    try:
        with store.open(version.sha256) as file:
            data = file.read(READ)
    except (store.Missing, store.Away, OSError):
        return Preview("none", "Its file is not there.")
    text, whole = kinds.decoded(data), version.size <= READ
    return _table(text, version.name, whole) if content.shown == "table" else _text(text, whole)


def _text(text: str, whole: bool) -> Preview:
    if whole and len(text) <= CHARACTERS:
        return Preview("text", "", visible(text.expandtabs(4)))
    return Preview("text", f"The first {CHARACTERS:,} characters are shown.", visible(text[:CHARACTERS].expandtabs(4)))


def _table(text: str, name: str, whole: bool) -> Preview:
    delimiter = "\t" if name.lower().endswith(".tsv") else _delimiter(text)
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        rows = [tuple(visible(cell[:200]) for cell in row[:CELLS]) for row in islice(lines, ROWS + 1)]
        more = sum(1 for _ in lines)
    except csv.Error:
        return _text(text, whole)
    shown = max(len(rows) - 1, 0)
    total = f"{shown + more:,}" if whole else f"at least {shown + more:,}"
    return Preview("table", f"{shown:,} of {total} rows are shown.", head=rows[0] if rows else (), rows=tuple(rows[1:]))


def _delimiter(text: str) -> str:
    first = text.partition("\n")[0]
    return max(",;\t|", key=first.count)


def drawn(version: Version, number: int) -> tuple[int, bytes]:
    """How many pages there are, and one of them as PNG. Raises NoPreview for what cannot be drawn within the limits."""
    content = kinds.BY_MEDIA.get(version.media)
    if content is None or content.shown not in ("pages", "image") or version.size > LARGEST:
        raise NoPreview("There is no preview of this file.")
    command = [sys.executable, "-m", "evidence.library.drawing", content.shown, str(number)]
    environ = {name: os.environ[name] for name in ("PATH", "LANG", "LD_LIBRARY_PATH") if name in os.environ}
    try:
        with store.open(version.sha256) as file:
            asked = subprocess.run(  # noqa: S603  # nothing of it comes from outside but a number
                command, input=file.read(), capture_output=True, cwd=ROOT, env=environ, timeout=PATIENCE, check=True
            )
        said, _, png = asked.stdout.partition(b"\n")
        return int(json.loads(said)["pages"]), png
    except (subprocess.SubprocessError, ValueError, KeyError):
        raise NoPreview("It could not be drawn: it is damaged, or too large inside.") from None
    except (store.Missing, store.Away, OSError):
        raise NoPreview("Its file is not there.") from None
