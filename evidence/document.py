"""A report with where it comes from: the one thing that every export takes. Pure, no Django.

`freeze` turns a document into the bytes that an artifact keeps, `thaw` turns them back.
"""

import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from connectors.spec import (
    Cell,
    Column,
    Coverage,
    Covered,
    Edge,
    Flow,
    Node,
    Part,
    Report,
    Row,
    State,
    Table,
)

FORMAT = 1


class ExportError(Exception):
    """A document that could not be made into bytes, or bytes that are no document.

    Codes: `export-table` (no such table), `export-flow` (a drawing that contradicts itself),
    `export-value` (a value that no export can carry), `export-frozen` (bytes that `freeze` did not write),
    `export-timeout`, `export-memory` and `export-typeset` (the typesetter took too long, took too much
    memory, or refused).
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """Where the rows come from.

    snapshot         number of the snapshot in its workspace's chain
    published_at     when the snapshot was signed; aware
    window           first and last request of the reading; aware
    header_sha256    digest of the signed header, 64 hex digits; previous_sha256 is its predecessor's, "" for the first
    key_id           which key signed it
    policy           redaction policy and its version
    doubt            what no list of this reading proves, as a sentence, "" when the token saw everything
    artifact         id and title, when the document is a frozen artifact
    collected_by     who kept it, or what read it
    """

    workspace_name: str
    workspace_slug: str
    workspace_id: str
    connection: str
    region: str
    snapshot: int
    published_at: datetime
    window: tuple[datetime, datetime]
    header_sha256: str
    previous_sha256: str
    key_id: str
    coverage: tuple[Covered, ...]
    app_version: str
    policy: str
    doubt: str = ""
    artifact: str = ""
    collected_by: str = ""


@dataclass(frozen=True, kw_only=True)
class Document:
    """One report of one snapshot. `name` is a slug for file names; `gaps` are sentences about what was not seen,
    `older` about what was seen, and by an earlier reading.
    """

    title: str
    subtitle: str
    provenance: Provenance
    report: Report
    name: str
    gaps: tuple[str, ...] = ()
    older: tuple[str, ...] = ()

    @property
    def caveats(self) -> tuple[str, ...]:
        """All that a reader must know before absence, or a date, is taken for proved."""
        return (*filter(None, (self.provenance.doubt,)), *self.gaps, *self.older)

    @property
    def origin(self) -> str:
        """One line that names the snapshot and the digest of its header: whoever keeps it can prove the chain by it."""
        source = self.provenance
        return f"Snapshot {source.snapshot} of {source.workspace_name}; header digest, SHA-256: {source.header_sha256}"

    def table(self, name: str = "") -> Table:
        """The table called `name`, the first one without a name. Raises ExportError `export-table`."""
        for table in self.report.tables:
            if name in ("", table.name):
                return table
        raise ExportError("export-table", f"The report “{self.title}” has no table “{name}”.")


# --- words --------------------------------------------------------------------------------------


def wording(cell: Cell) -> str:
    """A cell as one plain text: `Word: why`, entries joined with `; `, yes or no, nothing for None."""
    match cell:
        case None:
            return ""
        case bool():
            return "yes" if cell else "no"
        case State(word=word, why=why):
            return f"{word}: {why}" if why else word
        case tuple():
            return "; ".join(cell)
        case _:
            return str(cell)


def moment(at: datetime) -> str:
    """`23 Nov 2026, 06:00 UTC`, whatever the zone it is given in."""
    at = at.astimezone(UTC)
    months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    return f"{at.day} {months[at.month - 1]} {at.year}, {at:%H:%M} UTC"


def brief(digest: str) -> str:
    """A digest short enough for a line: `9f3c41d8…e21a07b4`."""
    return f"{digest[:8]}…{digest[-8:]}" if len(digest) > 17 else digest


def filename(document: Document, ext: str, table_name: str = "") -> str:
    """`workspace-report[-table]-s128-9f3c41d8.csv`: ASCII only, safe in a header and on any disk."""
    source = document.provenance
    parts = (_slug(source.workspace_slug, "workspace"), _slug(document.name, "report"), _slug(table_name, ""))
    stamp = f"s{source.snapshot}-{_slug(source.header_sha256[:8], 'unsigned')}"
    return f"{'-'.join((*filter(None, parts), stamp))}.{_slug(ext, 'bin')}"


def _slug(text: str, otherwise: str) -> str:
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain)[:60].strip("-") or otherwise


# --- frozen -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Rows:
    """Rows that are held, where a table expects a function that makes them."""

    held: tuple[Row, ...]

    def __call__(self) -> Iterator[Row]:
        return iter(self.held)


def freeze(document: Document) -> bytes:
    """The whole document with all its rows as canonical JSON: sorted keys, compact, ASCII.

    The same document gives the same bytes. Raises ExportError `export-value` for NaN, infinity and unzoned times.
    """
    plain = {"format": FORMAT, **_fields(document), "report": _report(document.report)}
    plain["provenance"] = _provenance(document.provenance)
    try:
        return json.dumps(plain, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")
    except (TypeError, ValueError) as error:
        raise ExportError("export-value", f"The document holds a value that cannot be kept: {error}.") from error


def thaw(frozen: bytes) -> Document:
    """The document that `freeze` made `frozen` from. Raises ExportError `export-frozen` for anything else."""
    try:
        plain = json.loads(frozen)
        if plain.pop("format") != FORMAT:
            raise ExportError("export-frozen", f"This version reads frozen documents of format {FORMAT} only.")
        plain["report"] = _thaw_report(plain["report"])
        plain["provenance"] = _thaw_provenance(plain["provenance"])
        return Document(**(plain | {name: tuple(plain.get(name, ())) for name in ("gaps", "older")}))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ExportError("export-frozen", "These bytes are no frozen document.") from error


def _fields(record: Any) -> dict[str, Any]:
    """The fields of one dataclass, one level deep: `asdict` would copy every cell."""
    return {name: getattr(record, name) for name in record.__dataclass_fields__}


def _instant(at: datetime) -> str:
    if at.tzinfo is None:
        raise ExportError("export-value", "A time without a zone cannot be kept as evidence.")
    return at.astimezone(UTC).isoformat()


def _provenance(source: Provenance) -> dict[str, Any]:
    return _fields(source) | {
        "published_at": _instant(source.published_at),
        "window": [_instant(at) for at in source.window],
        "coverage": [_covered(covered) for covered in source.coverage],
    }


def _covered(covered: Covered) -> dict[str, Any]:
    return _fields(covered) | {"parts": [_fields(part) for part in covered.parts]}


def _thaw_covered(plain: dict[str, Any]) -> Covered:
    """What an older version froze has no parts."""
    return Covered(**(plain | {"coverage": Coverage(plain["coverage"]), "parts": _parts(plain.get("parts", ()))}))


def _parts(plain: Iterable[dict[str, Any]]) -> tuple[Part, ...]:
    return tuple(Part(**(each | {"coverage": Coverage(each["coverage"])})) for each in plain)


def _thaw_provenance(plain: dict[str, Any]) -> Provenance:
    start, end = plain["window"]
    coverage = tuple(_thaw_covered(each) for each in plain["coverage"])
    window = (datetime.fromisoformat(start), datetime.fromisoformat(end))
    published_at = datetime.fromisoformat(plain["published_at"])
    return Provenance(**(plain | {"window": window, "published_at": published_at, "coverage": coverage}))


def _report(report: Report) -> dict[str, Any]:
    flow = report.flow
    return {
        "tables": [_table(table) for table in report.tables],
        "facts": [[name, _cell(cell)] for name, cell in report.facts],
        "notes": list(report.notes),
        "flow": flow
        and {
            "titles": list(flow.titles),
            "nodes": [_fields(node) for node in flow.nodes],
            "edges": [_fields(edge) for edge in flow.edges],
        },
    }


def _table(table: Table) -> dict[str, Any]:
    rows = [[_cell(cell) for cell in row] for row in table.rows()]
    return _fields(table) | {"columns": [_fields(column) for column in table.columns], "rows": rows}


def _thaw_report(plain: dict[str, Any]) -> Report:
    flow = plain["flow"]
    return Report(
        tables=tuple(_thaw_table(table) for table in plain["tables"]),
        facts=tuple((name, _thaw_cell(cell)) for name, cell in plain["facts"]),
        flow=flow and _made(Flow, flow, titles=str, nodes=lambda it: Node(**it), edges=lambda it: Edge(**it)),
        notes=tuple(plain["notes"]),
    )


def _made(kind: Any, plain: dict[str, Any], **parts: Callable[[Any], Any]) -> Any:
    return kind(**{name: tuple(make(each) for each in plain[name]) for name, make in parts.items()})


def _thaw_table(plain: dict[str, Any]) -> Table:
    rows = tuple(tuple(_thaw_cell(cell) for cell in row) for row in plain["rows"])
    columns = tuple(Column(**column) for column in plain["columns"])
    return Table(**(plain | {"columns": columns, "rows": Rows(rows)}))


def _cell(cell: Cell) -> Any:
    if isinstance(cell, State):
        return _fields(cell)
    return list(cell) if isinstance(cell, tuple) else cell


def _thaw_cell(plain: Any) -> Cell:
    if isinstance(plain, dict):
        return State(**plain)
    cell: Cell = tuple(plain) if isinstance(plain, list) else plain
    return cell
