"""Parameters of a question: which there are, which must be given, and what a good one looks like."""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Literal, TypeGuard, get_args

from .answers import invalid
from .world import Kind

Check = Literal["month", "time"]
Param = tuple[str, ...] | Check | Kind  # one of these words, the first day of a month, a time, or an id of that kind
Query = Mapping[str, str]

DEFAULT_COUNT = 200


def is_kind(param: Param) -> TypeGuard[Kind]:
    """Whether the parameter is the id of a record."""
    return param in get_args(Kind)


def check(params: Mapping[str, Param], query: Query) -> None:
    """Looks at each parameter; a name with "!" must be given. Raises Refusal 422."""
    for name, param in params.items():
        given = query.get(name.rstrip("!"))
        if given is None and not name.endswith("!"):
            continue
        if isinstance(param, tuple):
            _word(name.rstrip("!"), given, param)
        elif param == "month":
            month(name.rstrip("!"), given)
        elif param == "time":
            moment(name.rstrip("!"), given)
        elif not given:
            raise invalid(name.rstrip("!"), f"{name.rstrip('!')} must be given.")


def month(name: str, text: str | None) -> date:
    """The first day of a month, as in 2026-10-01. Raises Refusal 422."""
    try:
        if re.fullmatch(r"\d{4}-\d\d-01", text or "", re.ASCII):
            return date.fromisoformat(text or "")
    except ValueError:
        pass
    raise invalid(name, f"{name} must be the first day of a month, as in 2026-10-01.")


def moment(name: str, text: str | None) -> datetime:
    """A date or a time in the ISO-8601 format, in UTC unless it says otherwise. Raises Refusal 422."""
    try:
        found = datetime.fromisoformat(text or "")
    except ValueError:
        raise invalid(name, f"{name} must be a time in the ISO-8601 format.") from None
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)


def page(query: Query, most: int) -> tuple[int, str]:
    """Count and cursor, in either spelling. Raises Refusal 422."""
    text = query.get("pagination[count]", query.get("pagination.count", str(min(DEFAULT_COUNT, most))))
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:6]) <= most:
        raise invalid("pagination.count", f"The count must be a whole number from 1 to {most}.")
    return int(text), query.get("pagination[cursor]", query.get("pagination.cursor", ""))


def _word(name: str, given: str | None, words: tuple[str, ...]) -> None:
    if given not in words:
        raise invalid(name, f"{name} must be one of {', '.join(words)}.")
