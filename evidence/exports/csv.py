"""CSV: RFC 4180, UTF-8, a header row and the rows.

Before the header row stands a line that begins with # for each doubt, gap, and older reading, and one that names the
snapshot and the digest of its header; the rest of where the rows come from is in the JSON and PDF of the same document.
"""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from itertools import islice

from connectors.spec import Cell, Row, State
from evidence.document import Document, wording

CHUNK = 64_000  # characters, before a piece is handed on
_BATCH = 200  # rows between two looks at the size

# A spreadsheet takes a cell for a formula by its first character, some after trimming what stands before it.
# https://owasp.org/www-community/attacks/CSV_Injection
# The last four of the second class are the full-width forms, which Excel takes for the same.
_BEFORE = r"""[\s"'\x00-\x1f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]*"""
_FORMULA = re.compile(_BEFORE + r"""[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n]""")


def stream(document: Document, table_name: str = "", bom: bool = False, notes: bool = True) -> Iterator[bytes]:
    """One table as pieces of about 64 kB; the first table without a name. The same document gives the same bytes.

    Without `notes` it is the header row and the rows, nothing else, whatever was not seen.

    Text that a spreadsheet would run as a formula gets an apostrophe before it, NUL is dropped, numbers stay
    numbers. `bom` puts a byte order mark first, which Excel needs to read UTF-8.
    Raises ExportError `export-table` at once, before the first piece.
    """
    table = document.table(table_name)
    said = (*document.caveats, document.origin) if notes else ()
    return pieces([column.title for column in table.columns], table.rows(), bom, said)


def count(document: Document, table_name: str = "") -> int:
    """How many rows `stream` gives, without the header row."""
    return sum(1 for _ in document.table(table_name).rows())


def pieces(titles: Sequence[str], rows: Iterator[Row], bom: bool = False, notes: Sequence[str] = ()) -> Iterator[bytes]:
    """A head and rows as `stream` writes them, for rows that are no report's."""
    text = io.StringIO("\ufeff" if bom else "", newline="")
    text.seek(0, io.SEEK_END)
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerows([f"# {' '.join(note.split())}".replace("\0", "")] for note in notes)
    writer.writerow([harmless(title) for title in titles])
    while batch := [[_plain(cell) for cell in row] for row in islice(rows, _BATCH)]:
        writer.writerows(batch)
        if text.tell() >= CHUNK:
            yield text.getvalue().encode()
            text.seek(0)
            text.truncate()
    if text.tell():
        yield text.getvalue().encode()


def _plain(cell: Cell) -> str | int | float:
    if isinstance(cell, str):
        return harmless(cell)
    if isinstance(cell, tuple):
        return "; ".join(map(harmless, cell))  # each: some spreadsheets split at the semicolon
    if cell is None or isinstance(cell, bool | State):
        return harmless(wording(cell))
    return cell


def harmless(text: str) -> str:
    """A text as no spreadsheet takes it for a formula."""
    if text[:1].isalnum() and "\0" not in text:
        return text
    text = text.replace("\0", "")
    return f"'{text}" if _FORMULA.match(text) else text
