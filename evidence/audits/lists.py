"""Requests as CSV: the lists that auditors bring, and the same back."""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.http import HttpRequest
from django.utils.dateparse import parse_date

from portal.models import User

from ..models import Audit, AuditRequest, Control, Scoped
from .asking import Wish, ask
from .refusing import NotPossible

TITLES = ("Number", "Title", "Detail", "Controls", "Due", "State", "Owner", "Asked by", "Asked at", "Answers")
MOST = 500  # requests in one file
LARGEST = 1_000_000  # bytes


@dataclass(frozen=True)
class Line:
    title: str
    detail: str
    controls: str
    due: str


def parse(data: bytes) -> list[Line]:
    """The requests of a file with a head that names at least the column “Title”. Raises NotPossible with its line."""
    if len(data) > LARGEST:
        raise NotPossible("request-csv", "The file is larger than 1 MB.", field="file")
    try:
        text = data.decode("utf-8-sig")
        found = list(csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True))
    except (UnicodeDecodeError, csv.Error):
        raise NotPossible("request-csv", "The file is not a CSV in UTF-8.", field="file") from None
    head = [each.strip().lower() for each in found[0]] if found else []
    if "title" not in head:
        raise NotPossible("request-csv", "The first line must name a column “Title”.", field="file")
    rows = [dict(zip(head, map(str.strip, row), strict=False)) for row in found[1:] if any(map(str.strip, row))]
    if len(rows) > MOST:
        raise NotPossible("request-csv", f"The file has {len(rows)} requests; {MOST} are taken at once.", field="file")
    return [Line(*(row.get(name, "") for name in ("title", "detail", "controls", "due"))) for row in rows]


def _delimiter(text: str) -> str:
    """What spreadsheets write where a comma is the sign of decimals."""
    first = text.partition("\n")[0]
    return ";" if first.count(";") > first.count(",") else ","


def take(audit: Audit, data: bytes, *, by: User, now: datetime, request: HttpRequest | None = None) -> int:
    """Asks for everything in the file, or for nothing: a line that cannot be read is named. Returns how many."""
    lines = parse(data)
    scoped = Scoped.objects.filter(audit=audit, within=True).select_related("control")
    known = {each.control.ref.lower(): each.control for each in scoped}
    with transaction.atomic():
        for number, line in enumerate(lines, 2):
            ask(audit, _wish(line, number, known), by=by, now=now, request=request)
    return len(lines)


def _wish(line: Line, number: int, known: dict[str, Control]) -> Wish:
    if not line.title:
        raise NotPossible("request-csv", f"Line {number} has no title.", field="file")
    refs = [each for each in line.controls.replace(",", " ").replace(";", " ").split() if each]
    unknown = [each for each in refs if each.lower() not in known]
    if unknown:
        raise NotPossible("request-csv", f"Line {number}: {unknown[0][:40]} is no control in scope.", field="file")
    try:
        due = parse_date(line.due) if line.due else None
    except ValueError:
        due = None
    if line.due and due is None:
        raise NotPossible("request-csv", f"Line {number}: write the day as 2026-03-31.", field="file")
    controls = tuple(known[each.lower()] for each in refs)
    return Wish(title=line.title, detail=line.detail, controls=controls, due_on=due)


def rows(requests: Any) -> Iterator[tuple[Any, ...]]:
    """The lines of an export, by `TITLES`; `requests` come with their controls and answers."""
    for each in requests:
        yield row_of(each)


def row_of(each: AuditRequest) -> tuple[Any, ...]:
    refs = " ".join(control.ref for control in each.controls.all())
    answers = sum(answer.withdrawn_at is None for answer in each.answers.all())
    due = each.due_on.isoformat() if each.due_on else None
    owner = each.owner.get_username() if each.owner else None
    asked = (each.asked_by.get_username(), each.asked_at.isoformat())
    return (each.number, each.title, each.detail, refs, due, each.get_state_display(), owner, *asked, answers)
