"""A report with where it comes from: the one thing that every export takes. Pure, no Django.

`freeze` turns a document into the bytes that an artifact keeps, `thaw` turns them back.
"""

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from connectors.spec import (
    ANOMALIES,
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
    standing,
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

    def table(self, name: str = "") -> Table:
        """The table called `name`, the first one without a name. Raises ExportError `export-table`."""
        for table in self.report.tables:
            if name in ("", table.name):
                return table
        raise ExportError("export-table", f"The report “{self.title}” has no table “{name}”.")


# --- words --------------------------------------------------------------------------------------

_HAPPENED = {Coverage.NOT_ENABLED: "not enabled for this workspace", Coverage.UNSTABLE: "changed while it was read"}
_NAMED = 8  # streams named in one sentence


def completeness(provenance: Provenance, streams: Collection[str] = ()) -> tuple[str, tuple[str, ...]]:
    """How much of `streams` (all, when empty) the snapshot has read.

    Returns a headline and the gaps: a sentence for each stream that was not read completely, which says what
    happened, why, and which snapshot's records stand for it. Streams that nobody asked for share one. A stream that
    the snapshot does not know is said to be unknown.
    """
    known = _of(provenance, streams)
    whole = sum(covered is not None and covered.coverage is Coverage.COMPLETE for covered in known.values())
    noun = "stream" if len(known) == 1 else "streams"
    lacking = {name: each for name, each in known.items() if each is None or each.coverage is not Coverage.COMPLETE}
    unasked = [each for each in lacking.values() if each and each.coverage is Coverage.NOT_REQUESTED]
    shared = _unasked(unasked) if len(unasked) > 1 else ()
    told = [_gap(name, each, provenance.snapshot) for name, each in lacking.items() if not (shared and each in unasked)]
    return f"{whole} of {len(known)} {noun} complete", (*told, *shared)


def earlier(provenance: Provenance, streams: Collection[str] = ()) -> tuple[str, ...]:
    """A sentence for each earlier snapshot whose complete reading of some of `streams` stands in this one."""
    read: dict[int, list[str]] = {}
    for covered in _of(provenance, streams).values():
        if covered and covered.coverage is Coverage.COMPLETE and covered.as_of < provenance.snapshot:
            read.setdefault(covered.as_of, []).append(covered.title)
    return tuple(
        f"As of snapshot {seq}, because this run did not ask again: {_listed(titles)}."
        for seq, titles in sorted(read.items(), reverse=True)
    )


def _of(provenance: Provenance, streams: Collection[str]) -> dict[str, Covered | None]:
    held = {covered.stream: covered for covered in provenance.coverage}
    return {name: held.get(name) for name in streams or held}


def _listed(titles: list[str]) -> str:
    more = len(titles) - _NAMED
    return ", ".join(titles) if more <= 1 else f"{', '.join(titles[:_NAMED])} and {more} more"


def _unasked(streams: list[Covered]) -> tuple[str, ...]:
    """Streams that nobody asked for, those with the same reason and the same records in one sentence."""
    alike: dict[tuple[str, int], list[str]] = {}
    for covered in streams:
        alike.setdefault((_sentence(covered.reason), covered.as_of), []).append(covered.title)
    return tuple(
        f"Not requested: {_listed(titles)}.{reason} {_stands_for(as_of, 'it' if len(titles) == 1 else 'them')}"
        for (reason, as_of), titles in alike.items()
    )


def _sentence(reason: str) -> str:
    """A reason as a sentence after another one; nothing for none."""
    said = reason.strip().rstrip(".")
    return f" {said}." if said else ""


def _stands_for(as_of: int, it: str = "it") -> str:
    if as_of:
        return f"What is shown of {it} is as of snapshot {as_of}."
    return f"No snapshot has read {it} completely, so nothing can be said of {it}."


def _gap(name: str, covered: Covered | None, snapshot: int) -> str:
    if covered is None:
        return f"{name}: unknown. Snapshot {snapshot} says nothing of it."
    if covered.parts:
        return f"{covered.title}: {in_part(covered)} All others were read."
    happened = _HAPPENED.get(covered.coverage) or standing(covered).word.lower()
    return f"{covered.title}: {happened}.{_sentence(covered.reason)} {_stands_for(covered.as_of)}"


def in_part(covered: Covered) -> str:
    """What happened to its parts, and why: `1 of 40 tracking plans was denied; its records are as of snapshot 3.`"""
    alike = Counter((part.coverage, part.as_of) for part in covered.parts)
    said = [_happened(covered, many, how, as_of) for (how, as_of), many in sorted(alike.items())]
    reasons = {part.reason for part in covered.parts}
    return f"{' '.join(said)}{_sentence(reasons.pop() if len(reasons) == 1 else covered.reason)}"


def _happened(covered: Covered, many: int, how: Coverage, as_of: int) -> str:
    of = f"{covered.parents:,} {covered.parent}" if covered.parents else f"its {covered.parent or 'parts'}"
    one = many == 1
    what = {
        Coverage.DENIED: "was denied" if one else "were denied",
        Coverage.NOT_ENABLED: "was not enabled" if one else "were not enabled",
        Coverage.UNSTABLE: "changed while it was read" if one else "changed while they were read",
    }.get(how, "could not be read")
    whose = "its" if one else "their"
    records = f"{whose} records are as of snapshot {as_of}" if as_of else f"nothing is known of {whose} records"
    return f"{many:,} of {of} {what}; {records}."


def account(covered: Covered, snapshot: int) -> str:
    """What a coverage table says beside the numbers: how it was read or why not, and what is odd about it."""
    if covered.parts:
        said = in_part(covered)
    elif covered.coverage is Coverage.COMPLETE:
        said = _whole(covered) + (" This run did not ask for it." if covered.as_of < snapshot else "")
    else:
        said = f"{_sentence(covered.reason)}{'' if covered.as_of else ' Nothing can be said of it.'}"
    return f"{said}{_odd(covered)}".strip()


def _whole(covered: Covered) -> str:
    if covered.claimed is None:
        return "Read whole."
    if covered.claimed == covered.items:
        return "Read whole; the total that the service states agrees."
    return f"Read whole; the service states {covered.claimed:,} in all."


def _odd(covered: Covered) -> str:
    kind = covered.anomaly or ("dangling" if covered.dangling else "")
    many = f" {covered.dangling:,} of them." if covered.dangling else ""
    return f" {': '.join(ANOMALIES[kind])}{many}" if kind in ANOMALIES else ""


def figures(covered: Covered) -> dict[str, int | None]:
    """The numbers of a coverage table; None where there is nothing to count, which is no zero."""
    read = covered.coverage is Coverage.COMPLETE
    return {
        "records": covered.known if read or covered.as_of else None,
        "items": covered.items if read or covered.items else None,
        "pages": covered.pages if read or covered.pages else None,
        "claimed": covered.claimed,
        "as_of": covered.as_of or None,
    }


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
