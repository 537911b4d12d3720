"""What the typesetter is told: a document as plain data, with the room that each column gets."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from itertools import groupby, islice
from typing import Any

from connectors.spec import Cell, Column, Coverage, Covered, Flow, Part, State, Table, standing
from evidence.completeness import account, completeness, earlier, figures
from evidence.document import Document, Provenance, brief, moment, wording
from evidence.text import cut, visible, width

Plain = Any  # what JSON can say
NOTHING = "\u2013"  # a dash: no value
MOST_PARTS = 200

PROVES_NOT = (
    "This evidence shows what the service answered to this credential within the window above, and that those answers "
    "have not been changed since they were signed. It cannot show what the service left out, what happened between two "
    "snapshots, or a forgery by somebody who holds the signing key, unless the header digest above was also kept "
    "in a place which that person cannot change."
)

# Between the margins of a page, in points; heads stand at 15/16 of the text, so nothing is smaller than 6.5 pt.
_SIZES = (8.0, 7.5, 7.0)
_UPRIGHT, _ACROSS, _LARGE = 481.9, 728.5, 1077.1  # A4, A4 landscape, A3 landscape

# All that follows is in em of table text.
_PADDING = 1.2  # around the text of a cell
_WIDEST, _NARROWEST = 40.0, 2.5  # of the text of a column
_COMFORT, _AIRY = 24.0, 5.5  # a page is turned to give columns their usual text up to the one, and at least the other
_LONGEST_WORD, _LONGEST_ID = 16.0, 7.1  # what is longer may be broken: ids then take two lines of 12 or 13 letters
_PROSE, _TIME = 2.5, 1.7  # lines at most of the usual text up to _COMFORT, and of times: a day, and an hour
_TEXT_FACE, _HEAD_FACE = 0.88, 0.9 * 15 / 16  # how wide the PDF's type faces run at most, against `width`
_ID_LETTER = 0.54
_ROUNDED = 0.01  # shares are
_MOST_LETTERS = 90  # more than that in one word are broken anyway: the typesetter's patterns must stay small
_ENOUGH = 1_000  # letters of a word are measured: wider than any page
_ICON = 1.3  # of a state, with the blank after it

_PART = re.compile("[^-/_]+[-/_]*|[-/_]+")
# What never breaks by itself: everything between blanks, but for scripts that are written without them.
_WORD = re.compile("[^\\s\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff]+")
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
    wide = any(_comfort(sheet["asks"]) > _UPRIGHT / _SIZES[0] for sheet in sheets)
    for sheet in sheets:
        _fit(sheet, wide)
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
    parts, more_parts = _parts(source.coverage)
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
        "coverage": [_covered(covered, source.snapshot) for covered in _asked_first(source.coverage)],
        "parts": parts,
        "more_parts": more_parts,
        "doubt": source.doubt,
        "unseen": tuple(dict.fromkeys((*sentences, *document.gaps))),
        "older": tuple(dict.fromkeys((*earlier(source), *document.older))),
        "proves_not": PROVES_NOT,
        "facts": [[name, _breakable(_cell(cell, "text"), 24), "text"] for name, cell in report.facts],
        "notes": report.notes,
        "flow": _flow(report.flow) if report.flow and report.flow.nodes else None,
    }


def _asked_first(coverage: Iterable[Covered]) -> list[Covered]:
    return sorted(coverage, key=lambda covered: covered.coverage is Coverage.NOT_REQUESTED)


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


def _covered(covered: Covered, snapshot: int) -> list[Plain]:
    numbers = [NOTHING if value is None else f"{value:,}" for value in figures(covered).values()]
    return [
        _breakable(covered.title, 12),
        _cell(standing(covered), "text") | {"t": ""},
        *numbers,
        _breakable(account(covered, snapshot), 24),
    ]


def _parts(coverage: Iterable[Covered]) -> tuple[list[Plain], str]:
    """The parents whose records were not read, one by one, and what is to be said of those that have no room."""
    parts = [(covered, part) for covered in coverage for part in covered.parts]
    more = f"Showing the first {MOST_PARTS:,} of {len(parts):,}; the JSON export of the same snapshot has all."
    return [_part(*each) for each in parts[:MOST_PARTS]], more if len(parts) > MOST_PARTS else ""


def _part(covered: Covered, part: Part) -> list[Plain]:
    return [
        _breakable(covered.title, 12),
        _breakable(f"{cut(part.name, 60)} ({part.key})" if part.name else part.key, 16),
        _cell(standing(Covered("", "", part.coverage)), "text"),
        str(part.as_of) if part.as_of else NOTHING,
        _breakable(part.reason, 24),
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


# --- the widths of columns ----------------------------------------------------------------------


@dataclass(frozen=True)
class Ask:
    """What a column asks for, in em: `least` for its words, `usual` for its text on one line.

    word  its longest word, which is wider than `least` if it may be broken
    """

    least: float
    usual: float
    word: float = 0.0


def widths(asks: Sequence[Ask], room: float) -> list[float]:
    """How wide each column's text is when all are to fill `room`, in em.

    Each gets its least; up to half of what is left keeps longer words whole, and the rest is shared by how much text
    each holds beyond that. If the room is too small for every least, the widest give way to one common width.
    """
    spare = room - sum(ask.least for ask in asks)
    if spare < 0:
        level = _level([ask.least for ask in asks], room)
        return [min(ask.least, max(level, 1.0)) for ask in asks]
    least = _whole_words(asks, spare / 2)
    wanted = [max(ask.usual, held) for ask, held in zip(asks, least, strict=True)]
    if sum(wanted) <= room:
        return [want * room / sum(wanted) for want in wanted]
    part = (room - sum(least)) / (sum(wanted) - sum(least))
    return [held + (want - held) * part for held, want in zip(least, wanted, strict=True)]


def _whole_words(asks: Sequence[Ask], spare: float) -> list[float]:
    """The least of each, or its longest word as far as `spare` goes, the smallest lack first."""
    least = [ask.least for ask in asks]
    for lack, at in sorted((ask.word - ask.least, at) for at, ask in enumerate(asks) if ask.word > ask.least):
        if lack > spare:
            break
        least[at] += lack
        spare -= lack
    return least


def _level(leasts: Sequence[float], room: float) -> float:
    """The width to which the widest are cut so that the sum is `room`, which is less than all of `leasts`."""
    level, left = room, room
    for done, least in enumerate(sorted(leasts)):
        level = left / (len(leasts) - done)
        if least > level:
            break
        left -= least
    return level


def paper(asks: Sequence[Ask], wide: bool) -> tuple[float, float, bool]:
    """The size of a table's text in points, the room for its columns' text in em, and whether it needs A3.

    The first that holds every column's least: A4 at a smaller and smaller size, then A3; else the roomiest.
    """
    tries = [(size, points) for points in ((_ACROSS, _LARGE) if wide else (_UPRIGHT,)) for size in _SIZES]
    least, padding = sum(ask.least for ask in asks), _PADDING * len(asks)
    size, points = next((found for found in tries if least + padding <= found[1] / found[0]), tries[-1])
    return size, points / size - padding, points == _LARGE


def _ask(column: Column, cells: Iterable[Plain]) -> Ask:
    held = list(cells)
    texts = {_text(cell) for cell in held}
    usual = sorted(_room(_line(cell)[:200], column.kind) for cell in held)
    line = min(usual[-1 if column.kind == "time" else len(usual) * 9 // 10] if usual else 0.0, _WIDEST)
    word = max(_longest(texts, column.kind), max((_stated(cell) for cell in held), default=0.0))
    capped = min(word, _LONGEST_ID if column.kind == "id" else _LONGEST_WORD)
    title = min(_longest({column.title}, "head"), _LONGEST_WORD)
    least = max(capped, title, min(line, _COMFORT) / (_TIME if column.kind == "time" else _PROSE), _NARROWEST)
    return Ask(least, max(line, least, _room(column.title, "head") / 2), word)


def _comfort(asks: Sequence[Ask]) -> float:
    return sum(max(min(ask.usual, _COMFORT) + _PADDING, _AIRY) for ask in asks)


@lru_cache(maxsize=8192)
def _room(text: str, kind: str) -> float:
    """How wide a text stands in the face of its kind, in em of table text: a generous estimate."""
    if kind == "id":
        return max(_ID_LETTER * len(text), 0 if text.isascii() else width(text) * 0.9)
    return width(text) * (_HEAD_FACE if kind == "head" else _TEXT_FACE)


def _words(text: str) -> list[str]:
    return text.split() if text.isascii() and text.isprintable() else _WORD.findall(visible(text))


def _longest(texts: Iterable[str], kind: str) -> float:
    """How wide the widest word is; no character is wider than one em, so most need not be measured."""
    widest = 0.0
    for text in texts:
        if len(text) > widest or not text.isascii():
            for word in _words(text):
                if len(word) > widest:
                    widest = max(widest, _room(word[:_ENOUGH], kind))
    return widest


def _fit(sheet: dict[str, Plain], wide: bool) -> None:
    """Gives each column its share, and has words broken that are wider than theirs."""
    asks: list[Ask] = sheet.pop("asks")
    sheet["size"], room, sheet["large"] = paper(asks, wide)
    for at, (ask, share) in enumerate(zip(asks, widths(asks, room), strict=True)):
        column = sheet["columns"][at]
        column["share"] = round(share + _PADDING, 2)
        column["title"] = _fitted(column["title"], share, "head")
        if ask.word > share + _ROUNDED:
            for row in sheet["rows"]:
                row[at] = _fitted(row[at], share, column["kind"])


def _fitted(cell: Plain, room: float, kind: str) -> Plain:
    """A cell, and if it has words wider than `room`, how they are broken.

    ASCII comes in parts `b`, of which a list holds the pieces of a word: that takes the typesetter a fraction of the
    time and memory. Of other text only it knows what one letter is: there words from `n` letters on are broken. Of a
    state that is too wide, its word is `loose` from its icon.
    """
    room += _ROUNDED
    text, loose = _text(cell), _stated(cell) > room
    wide = {word for word in _words(text) if len(word) > room and _room(word[:_ENOUGH], kind) > room}
    if not (wide or loose):
        return cell
    letters = max(int(room / (_ID_LETTER if kind == "id" else _TEXT_FACE)), 1)  # that fit, whichever they are
    if loose or not (text.isascii() and text.isprintable()):
        broken = _breakable(cell, min([*map(len, wide), letters + 1 if loose else _MOST_LETTERS, _MOST_LETTERS]))
        return broken | {"loose": True} if loose else broken
    parts: list[str | list[str]] = []
    for is_wide, run in groupby(text.split(" "), wide.__contains__):
        words = list(run)
        parts += [_pieces(word, letters) for word in words] if is_wide else [" ".join(words)]
    return (cell if isinstance(cell, dict) else {}) | {"t": "", "b": parts}


def _pieces(word: str, letters: int) -> list[str]:
    """A word in pieces of so many letters at most, broken after hyphens, slashes and underscores where it has some."""
    pieces = [""]
    for part in _PART.findall(word):
        for at in range(0, len(part), letters):
            bit = part[at : at + letters]
            if len(pieces[-1]) + len(bit) <= letters:
                pieces[-1] += bit
            else:
                pieces.append(bit)
    return pieces


def _breakable(cell: Plain, letters: int) -> Plain:
    return (cell if isinstance(cell, dict) else {"t": cell}) | {"n": letters}


def _text(cell: Plain) -> str:
    return str(cell["t"]) if isinstance(cell, dict) else str(cell)


def _line(cell: Plain) -> str:
    return f"@ {cell['w']}: {cell['t']}" if isinstance(cell, dict) else str(cell)


def _stated(cell: Plain) -> float:
    """How wide the icon and the word of a state are, which stay together."""
    return _ICON + _room(f"{cell['w']}:", "text") if isinstance(cell, dict) and "w" in cell else 0.0
