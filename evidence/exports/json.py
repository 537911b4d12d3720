"""JSON: everything a document holds, unescaped and typed. The authoritative form of the data."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from connectors.spec import Cell, Covered, Flow, Part, State, Table
from evidence.completeness import completeness
from evidence.document import Document, Provenance


def render(document: Document) -> bytes:
    """The document as readable JSON in UTF-8: provenance, coverage, facts, tables with rows as objects, flow.

    The same document gives the same bytes. A state is an object of state, word and why; None is null.
    """
    report = document.report
    headline, incomplete = completeness(document.provenance)
    plain = {
        "title": document.title,
        "subtitle": document.subtitle,
        "provenance": _provenance(document.provenance),
        "completeness": {
            "headline": headline,
            "doubt": document.provenance.doubt,
            "incomplete": incomplete,
            "gaps": document.gaps,
            "older": document.older,
        },
        "coverage": [_covered(covered) for covered in document.provenance.coverage],
        "facts": [{"name": name, "value": _plain(cell)} for name, cell in report.facts],
        "notes": report.notes,
        "tables": [_table(table) for table in report.tables],
        "flow": _flow(report.flow) if report.flow else None,
    }
    return (json.dumps(plain, ensure_ascii=False, indent=1) + "\n").encode()


def _provenance(source: Provenance) -> dict[str, Any]:
    return {
        "workspace": {"id": source.workspace_id, "slug": source.workspace_slug, "name": source.workspace_name},
        "connection": source.connection,
        "region": source.region,
        "snapshot": source.snapshot,
        "published_at": _instant(source.published_at),
        "window": {"first_request": _instant(source.window[0]), "last_request": _instant(source.window[1])},
        "header_sha256": source.header_sha256,
        "previous_sha256": source.previous_sha256,
        "key_id": source.key_id,
        "redaction_policy": source.policy,
        "app_version": source.app_version,
        "artifact": source.artifact,
        "collected_by": source.collected_by,
    }


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat()


def _covered(covered: Covered) -> dict[str, Any]:
    return {
        "stream": covered.stream,
        "title": covered.title,
        "group": covered.group,
        "coverage": covered.coverage.value,
        "records": covered.records,
        "items": covered.items,
        "pages": covered.pages,
        "claimed": covered.claimed,
        "as_of_snapshot": covered.as_of,
        "reason": covered.reason,
        "parents": covered.parents,
        "parts": [_part(part) for part in covered.parts],
        "anomaly": covered.anomaly,
        "dangling": covered.dangling,
    }


def _part(part: Part) -> dict[str, Any]:
    return {
        "key": part.key,
        "name": part.name,
        "coverage": part.coverage.value,
        "as_of_snapshot": part.as_of,
        "reason": part.reason,
    }


def _table(table: Table) -> dict[str, Any]:
    names = [column.name for column in table.columns]
    rows = [dict(zip(names, map(_plain, row), strict=True)) for row in table.rows()]
    columns = [{"name": column.name, "title": column.title, "kind": column.kind} for column in table.columns]
    return {"name": table.name, "title": table.title, "note": table.note, "columns": columns} | {
        "row_count": len(rows),
        "rows": rows,
    }


def _plain(cell: Cell) -> Any:
    if isinstance(cell, State):
        return {"state": cell.name, "word": cell.word, "why": cell.why}
    return cell


def _flow(flow: Flow) -> dict[str, Any]:
    return {
        "columns": flow.titles,
        "nodes": _objects(flow.nodes, ("key", "title", "column", "group", "note", "gap")),
        "edges": _objects(flow.edges, ("start", "end", "kind")),
    }


def _objects(records: Iterable[Any], names: tuple[str, ...]) -> list[dict[str, Any]]:
    return [{name: getattr(record, name) for name in names} for record in records]
