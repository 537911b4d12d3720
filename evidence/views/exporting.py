"""A document as a download: PDF, CSV or JSON. Recorded in the audit log; a failure is a page that says what to do."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from tempfile import SpooledTemporaryFile
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import render

from connectors import troubleshooting
from connectors.spec import Row, Table
from portal import audit
from portal.access import EXPORT, demand

from ..document import Document, ExportError, filename
from ..exports import csv, json, pdf

IN_MEMORY = 4_000_000  # bytes of a CSV, before it is written beside
TYPES = {"csv": "text/csv; charset=utf-8", "pdf": "application/pdf", "json": "application/json"}
# Codes that pass with time or with less at once; all others are the portal's own fault.
_PASSING = {"export-timeout", "export-memory", "export-typeset"}


def download(
    request: HttpRequest, document: Document, fmt: str, target: Any, *, permission: str = EXPORT
) -> HttpResponseBase:
    """`document` as `fmt`, with its number of rows in the header X-Row-Count. Raises Http404 for an unknown format.

    `?table=` names the table of a CSV, `?bom=1` puts a byte order mark before it, `?notes=0` leaves out what was
    not seen.
    """
    if fmt not in TYPES:
        raise Http404
    by = demand(request, permission)
    table = str(request.GET.get("table", "")) if fmt == "csv" else ""
    try:
        response = _MAKERS[fmt](document, table, request.GET)
    except ExportError as error:
        return failed(request, document.title, error)
    name = filename(document, fmt, table)
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cache-Control"] = "private, no-store"
    audit.record(
        audit.Action.EXPORTED,
        actor=by,
        target=target,
        request=request,
        format=fmt,
        report=document.name,
        table=table,
        snapshot=document.provenance.snapshot,
        rows=int(response.headers["X-Row-Count"]),
    )
    return response


def _csv(document: Document, table: str, query: Mapping[str, Any]) -> HttpResponseBase:
    """Written to the end before it is sent: the number of rows is known, and no download breaks off half-way."""
    counted = _Counted(document.table(table))
    whole = replace(document, report=replace(document.report, tables=(counted.table,)))
    spool = SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115  # closed when it has been sent
    spool.writelines(csv.stream(whole, bom=query.get("bom") == "1", notes=query.get("notes") != "0"))
    headers = {"X-Row-Count": str(counted.rows)}
    return StreamingHttpResponse(_sent(spool), content_type=TYPES["csv"], headers=headers)


def _sent(spool: SpooledTemporaryFile[bytes]) -> Iterator[bytes]:
    with spool:
        spool.seek(0)
        yield from iter(partial(spool.read, csv.CHUNK), b"")


class _Counted:
    """A table that counts its rows as they are taken."""

    def __init__(self, table: Table) -> None:
        self.rows = 0
        self._source = table.rows
        self.table = replace(table, rows=self._counting)

    def _counting(self) -> Iterator[Row]:
        for row in self._source():
            self.rows += 1
            yield row


def _pdf(document: Document, table: str, query: Mapping[str, Any]) -> HttpResponseBase:
    made = pdf.render(document)
    headers = {"X-Row-Count": str(made.rows), "X-Rows-Shown": str(made.shown)}
    return HttpResponse(made.data, content_type=TYPES["pdf"], headers=headers)


def _json(document: Document, table: str, query: Mapping[str, Any]) -> HttpResponseBase:
    counted = [_Counted(each) for each in document.report.tables]
    whole = replace(document, report=replace(document.report, tables=tuple(each.table for each in counted)))
    data = json.render(whole)
    headers = {"X-Row-Count": str(sum(each.rows for each in counted))}
    return HttpResponse(data, content_type=TYPES["json"], headers=headers)


_MAKERS = {"csv": _csv, "pdf": _pdf, "json": _json}


def failed(request: HttpRequest, title: str, error: ExportError) -> HttpResponse:
    """The page that says why there is no download. Raises Http404 when it was asked for a table that is not there."""
    if error.code == "export-table":
        raise Http404
    hint = troubleshooting.hint(error.code)
    status = 503 if error.code in _PASSING else 500
    context = {"title": title, "error": error, "hint": hint}
    return render(request, "evidence/export_failed.html", context, status=status)
