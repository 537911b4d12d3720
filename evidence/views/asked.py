"""What an address asks for: rows by their numbers, or 404; pages of lists; plain numbers and days."""

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any

from django.core.paginator import Page, Paginator
from django.db.models import QuerySet
from django.http import Http404
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.dateparse import parse_date

from connectors.models import Snapshot, Workspace

from .. import asof

PAGE = 50
Query = Mapping[str, Any]


def workspace(pk: int) -> Workspace:
    return get_object_or_404(Workspace, pk=pk)


def snapshot(asked: Workspace, seq: int | str) -> Snapshot:
    """Snapshot number `seq`, as an address writes it."""
    number = whole(str(seq))
    if number is None:
        raise Http404
    return get_object_or_404(asof.chain(asked), seq=number)


def whole(text: str) -> int | None:
    """A number as people write it in an address; None for anything else."""
    return int(text) if re.fullmatch("[0-9]{1,9}", text) else None


def page(rows: QuerySet[Any] | Sequence[Any], query: Query, name: str = "page", size: int = PAGE) -> Page[Any]:
    """The page that is asked for; the nearest one there is for a number that makes no sense."""
    return Paginator(rows, size).get_page(query.get(name))


def order(query: Query, known: Mapping[str, str], otherwise: str) -> tuple[str, list[str]]:
    """The `sort` that is asked for, and the fields to order by; `known` says which name means which field."""
    said = str(query.get("sort", ""))
    name = said.removeprefix("-")
    if name not in known:
        said, name = otherwise, otherwise.removeprefix("-")
    sign = "-" if said.startswith("-") else ""
    return said, [f"{sign}{known[name]}", f"{sign}pk"]


def words(query: Query, name: str = "q") -> str:
    return str(query.get(name, "")).replace("\0", "").strip()[:200]


def day(query: Query, name: str) -> date | None:
    try:
        return parse_date(str(query.get(name, "")))
    except ValueError:
        return None


def midnight(of: date, days: int = 0) -> datetime | None:
    """The beginning of a day in the portal's own zone, `days` later; None beyond the calendar."""
    try:
        return timezone.make_aware(datetime.combine(of + timedelta(days=days), time.min))
    except (OverflowError, ValueError):
        return None
