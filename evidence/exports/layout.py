"""What the typesetter is told: a document as plain data, with the room that each column gets."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from connectors.spec import Cell, Column, Coverage, Covered, Flow, State, Table, standing
from evidence.document import Document, Provenance, brief, completeness, moment, wording
from evidence.text import cut, width

Plain = Any  # what JSON can say
NOTHING = "\u2013"  # a dash: no value

PROVES_NOT = (
    "This evidence shows what the service answered to this credential within the window above, and that those answers "
    "have not been changed since they were signed. It cannot show what the service left out, what happened between two "
    "snapshots, or a forgery by somebody who holds the signing key, unless the header digest above was also kept "
    "in a place which that person cannot change."
)

PORTRAIT, LANDSCAPE = 60.0, 91.0  # em of table text across a page
_PADDING = 1.5  # em, around the text of a cell
_WIDEST, _LONGEST_WORD, _NARROWEST = 24.0, 15.0, 4.0  # em of text that a column asks for
_TEXT_FACE, _ID_FACE = 0.82, 0.88  # how wide the PDF's type faces run, against `width`
_SLACK = 1.06  # so that a column that is shrunk a little still holds its longest word
_LONGEST_CELL = 20_000  # characters; more is left to the other formats


def job(document: Document, limit_rows: int) -> tuple[Plain, int, int]:
    """The document for the typesetter, how many rows its tables have, and how many of them are in it.

    Of more than `limit_rows` rows each table keeps its fair share of first ones; no more are held.
    """
    tables = document.report.tables
    heads = [_head(table, limit_rows) for table in tables]
    totals = [total for _, total in heads]
    shares = _shares(totals, limit_rows)
    kept = [rows[:share] for (rows, _), share in zip(heads, shares, strict=True)]
    sheets = [_sheet(table, rows, total) for table, rows, total in zip(tables, kept, totals, strict=True)]
    wide = any(sheet["need"] > PORTRAIT for sheet in sheets)
    for sheet in sheets:
        _fit(sheet, LANDSCAPE if wide else PORTRAIT)
    return _front(document) | {"tables": sheets, "wide": wide}, sum(totals), sum(shares)


def _head(table: Table, limit: int) -> tuple[list[tuple[Cell, ...]], int]:
    """The first rows of a table, and how many it has in all."""
    rows = table.rows()
    held = list(islice(rows, limit))
    return held, len(held) + sum(1 for _ in rows)


def _shares(totals: Sequence[int], limit: int) -> list[int]:
    """How many rows of each table are shown, so that small tables stay whole and large ones share what is left."""
    shares = [0] * len(totals)
    left = limit
    waiting = sorted(range(len(totals)), key=lambda at: totals[at])
    for done, at in enumerate(waiting):
        shares[at] = min(totals[at], left // (len(waiting) - done))
        left -= shares[at]
    return shares


# --- front matter -------------------------------------------------------------------------------


def _front(document: Document) -> dict[str, Plain]:
    source, report = document.provenance, document.report
    headline, sentences = completeness(source)
    return {
        "title": document.title,
        "subtitle": document.subtitle,
        "kind": "Evidence artifact" if source.artifact else "Evidence report",
        "workspace": cut(source.workspace_name, 80),
        "running": [cut(document.title, 28), cut(source.workspace_name, 28)],
        "snapshot": source.snapshot,
        "read": moment(source.published_at),
        "date": _date(source.published_at),
        "digest": brief(source.header_sha256),
        "full_digest": source.header_sha256,
        "provenance": [[name, _breakable(value, 70), kind] for name, value, kind in _provenance(source)],
        "headline": headline,
        "coverage": [_covered(covered) for covered in source.coverage],
        "unseen": tuple(dict.fromkeys((*sentences, *document.gaps))),
        "proves_not": PROVES_NOT,
        "facts": [[name, _breakable(_cell(cell, "text"), 24), "text"] for name, cell in report.facts],
        "notes": report.notes,
        "flow": _flow(report.flow) if report.flow and report.flow.nodes else None,
    }


def _date(at: datetime) -> list[int]:
    at = at.astimezone(UTC)
    return [at.year, at.month, at.day, at.hour, at.minute, at.second]


def _provenance(source: Provenance) -> list[list[str]]:
    """Label, value, and the type face of the value; lines without a value are left out."""
    start, end = source.window
    lines = [
        ["Artifact", source.artifact, "text"],
        ["Workspace", source.workspace_name, "text"],
        ["Workspace slug", source.workspace_slug, "id"],
        ["Workspace id", source.workspace_id, "id"],
        ["Connection", source.connection, "text"],
        ["Region", source.region, "text"],
        ["Snapshot", str(source.snapshot), "text"],
        ["Published", f"{source.published_at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC", "text"],
        ["First and last request", " to ".join(f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}" for at in (start, end))
         + " UTC", "text"],
        ["Header digest, SHA-256", source.header_sha256, "id"],
        ["Previous header", source.previous_sha256 or "none, this is the first", "id"],
        ["Signing key", source.key_id, "id"],
        ["Redaction policy", source.policy, "id"],
        ["Collected by", source.collected_by, "text"],
        ["Portal version", source.app_version, "text"],
    ]  # fmt: skip
    return [line for line in lines if line[1]]


def _covered(covered: Covered) -> list[Plain]:
    read = bool(covered.items) or covered.coverage is Coverage.COMPLETE
    return [
        _breakable(covered.title, 12),
        _cell(standing(covered), "text") | {"t": ""},
        f"{covered.items:,}" if read else NOTHING,
        str(covered.as_of) if covered.as_of else NOTHING,
        _breakable(covered.reason, 24),
    ]


def _flow(flow: Flow) -> dict[str, Plain]:
    return {
        "titles": flow.titles,
        "nodes": [[n.key, n.title, n.column, n.group, n.note, n.gap] for n in flow.nodes],
        "edges": [[e.start, e.end, e.kind] for e in flow.edges],
    }


# --- tables -------------------------------------------------------------------------------------


def _sheet(table: Table, rows: list[tuple[Cell, ...]], total: int) -> dict[str, Plain]:
    cells = [[_cell(cell, c.kind) for cell, c in zip(row, table.columns, strict=True)] for row in rows]
    asks = [_ask(column, (row[at] for row in cells)) for at, column in enumerate(table.columns)]
    more = f"Showing the first {len(rows):,} of {total:,} rows; the CSV export of the same snapshot has all."
    return {
        "title": table.title,
        "note": table.note,
        "count": f"{total:,} row" if total == 1 else f"{total:,} rows",
        "more": more if len(rows) < total else "",
        "columns": [{"title": c.title, "kind": c.kind} for c in table.columns],
        "rows": cells,
        "asks": asks,
        "need": sum(asks) + _PADDING * len(asks),
    }


def _cell(cell: Cell, kind: str) -> Plain:
    """A text, or of a state its name `s`, its word `w` and the text `t` after it."""
    if isinstance(cell, State):
        return {"s": cell.name, "w": cell.word, "t": _whole(cell.why)}
    if cell is None:
        return NOTHING
    if isinstance(cell, int | float) and not isinstance(cell, bool):
        return f"{cell:,}"
    text = wording(cell)
    return _whole(_time(text) if kind == "time" else text)


def _whole(text: str) -> str:
    """Text as it is, up to more than a page of it."""
    if len(text) <= _LONGEST_CELL:
        return text
    return f"{text[:_LONGEST_CELL]}… ({len(text) - _LONGEST_CELL:,} characters more in the CSV export)"


def _time(text: str) -> str:
    """A time as people read it; text that is no time with a zone stays as it is."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return text
    return moment(at) if at.tzinfo else text


def _ask(column: Column, cells: Iterable[Plain]) -> float:
    """The room that a column would like, in em: its usual text, its longest word, its title."""
    face = _ID_FACE if column.kind == "id" else _TEXT_FACE
    texts = [f"@ {cell['w']}: {cell['t']}" if isinstance(cell, dict) else cell for cell in cells]
    usual = sorted(width(text[:200]) for text in texts)
    nine_of_ten = usual[len(usual) * 9 // 10] if usual else 0.0
    words = max((_longest(text) for text in texts), default=0.0)
    title = max(_longest(column.title), width(column.title) / 2) * _TEXT_FACE
    return max(min(nine_of_ten * face, _WIDEST), min(words * face * _SLACK, _LONGEST_WORD), title, _NARROWEST)


def _longest(text: str) -> float:
    if len(text) < 4:
        return width(text)
    return max((width(word) for word in text[:2000].split()), default=0.0)


def _fit(sheet: dict[str, Plain], room: float) -> None:
    """Shares `room`, in em, among the columns, and has words broken that are wider than theirs."""
    scale = room / sheet.pop("need")
    asks = sheet.pop("asks")
    for at, (column, ask) in enumerate(zip(sheet["columns"], asks, strict=True)):
        column["share"] = round(ask + _PADDING, 2)
        face = _ID_FACE if column["kind"] == "id" else _TEXT_FACE
        _break(sheet["rows"], at, (ask + _PADDING) * scale - _PADDING, face)


def _break(rows: list[list[Plain]], at: int, room: float, face: float) -> None:
    """Says for each text with a word wider than `room` from how many letters on words are broken."""
    for row in rows:
        text = _text(row[at])
        if len(text) > room and _longest(text) * face > room:
            row[at] = _breakable(row[at], max(6, int(room)))


def _breakable(cell: Plain, letters: int) -> Plain:
    return (cell if isinstance(cell, dict) else {"t": cell}) | {"n": letters}


def _text(cell: Plain) -> str:
    return str(cell["t"]) if isinstance(cell, dict) else str(cell)
