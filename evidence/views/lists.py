"""A list as CSV: what an address asks for, whole, streamed, and told in the audit log."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.http import HttpRequest, StreamingHttpResponse

from connectors.spec import Row
from portal import audit
from portal.access import demand

from ..exports import csv
from .exporting import TYPES


def as_csv(
    request: HttpRequest,
    titles: Sequence[str],
    rows: Iterator[Row],
    count: int,
    *,
    file: str,
    name: str,
    filters: Mapping[str, Any],
    permission: str | Sequence[str],
) -> StreamingHttpResponse:
    """`rows`, of which there are `count`, under `titles`. The audit log says what was taken away, by which filters."""
    by = demand(request, *([permission] if isinstance(permission, str) else permission))
    response = StreamingHttpResponse(csv.pieces(titles, rows), content_type=TYPES["csv"])
    response.headers["Content-Disposition"] = f'attachment; filename="{file}"'
    response.headers["X-Row-Count"] = str(count)
    response.headers["Cache-Control"] = "private, no-store"
    asked_for = ", ".join(f"{key} {value}" for key, value in filters.items() if value)
    audit.record(
        audit.Action.EXPORTED, actor=by, request=request, name=name, format="csv", rows=count, filters=asked_for
    )
    return response
