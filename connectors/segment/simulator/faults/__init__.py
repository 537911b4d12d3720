"""What can go wrong, switched on by the path of a request.

    Fault("^/users$", "status", status=429, retry_after="1")       the first call of /users is refused
    Fault("^/sources$", "hang", times=None, after=2)               from the third call on: no answer
    Fault("/rules$", "huge_int", value="version")                  one field of the first item
    Fault("^/users$", "half", by_reading=True)                     half of the users, on every page of the first reading
    Fault("^/sources$", "removed", times=None, after=1)            a source goes away after the first page was read
    Fault("/rules$", "status", status=403, times=3)                refused three times, then granted again
    Fault("^/tracking-plans", "parent_gone", times=None)           the first plan: listed, 404 below, listed no more

Kinds of fault:

    no answer of its own       status (with `retry_after`, and milliseconds in `value` for 429), revoked, redirect
                               (`value` is the Location, `status` another than 302), not_enabled (403, or `status`:
                               the feature is off), cursor_expired (422, or `status`, for a request with a cursor;
                               others pass uncounted), hang, close, drip (`value` seconds per byte), stall (half of
                               the body, then nothing), reset, short_body, clock (the Date header is off by `value`
                               seconds, a day back if there is none)
    another body               cut_json, html, empty_body, not_json, data_missing, data_null, data_wrong, deep_body
    other data                 items_missing, items_null, items_wrong, unknown_field, new_enum, other_workspace,
                               set (`value` is an object of fields for the first item), dangling (the first item
                               refers to what is not there, by the field `value`, else "sourceId")
    one field (`value` names   null, wrong_type, nan, int_2_63, huge_int, huge_float, lone_surrogate, deep,
    it, else "name"; a dot     long_string, duplicate_key
    leads into an object)
    other lists                empty, half, removed and added (at the place `value`, else 0), reordered, and two that
                               begin with the second page of any reading: shift (an item is missed), duplicate_item
    other pages                cursor_loop (A, A, A), cursor_cycle (A, B, A), endless (empty pages after the last),
                               lying_total (`value`, else seven too many)
    a parent and its children  parent_gone (`value` is its id, or its place in the list, else 0; the pattern must
                               find the list and what is below it, as "^/destinations?(/|$)" does)

How often: the first `after` requests that the pattern finds pass, the next `times` do not (None: all from then on).
With `by_reading` both count readings of a path, each path for itself: a reading begins with a request without a
cursor, and its further pages share its lot. So `half` once is one reading, and the second one is whole.
"""

import json
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from .bodies import BYTES, DATA, FIELDS, spoil
from .lists import LISTS, ident

Json = Any

WIRE = (
    "status", "revoked", "redirect", "not_enabled", "cursor_expired", "parent_gone",
    "hang", "close", "drip", "stall", "reset", "short_body", "clock",
)  # fmt: skip
KINDS = frozenset((*LISTS, *BYTES, *FIELDS, *DATA, *WIRE))
CURSOR = re.compile(r"cursor(\]|%5D)?=[^&]", re.IGNORECASE)

__all__ = ["KINDS", "LISTS", "WIRE", "BadFaults", "Fault", "spoil"]


class BadFaults(Exception):
    """A list of faults that cannot be used; the message says why."""


@dataclass
class Fault:
    """`path` is searched in the request's path. The first `after` requests pass, the next `times` do not."""

    path: str
    kind: str
    times: int | None = 1
    after: int = 0
    status: int = 0  # 0 is what the kind has of its own
    value: Json = None
    retry_after: str = ""
    by_reading: bool = False
    seen: int = field(default=0, init=False, compare=False)
    missing: str = field(default="", init=False, compare=False)  # id of the parent that goes
    gone: bool = field(default=False, init=False, compare=False)
    _readings: Counter[str] = field(default_factory=Counter, init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise BadFaults(f"There is no fault of the kind {self.kind!r}; there are {', '.join(sorted(KINDS))}.")
        if not all(isinstance(number, int) for number in (self.times or 0, self.after, self.status)):
            raise BadFaults("times, after and status are whole numbers; times may be null for always.")
        if self.kind in ("removed", "added") and not isinstance(self.value or 0, int):
            raise BadFaults(f"The value of {self.kind} is a place in the list: a whole number.")
        if self.kind == "parent_gone" and isinstance(self.value, str):
            self.missing = self.value
        try:
            re.compile(self.path)
        except re.error as error:
            raise BadFaults(f"{self.path!r} is not a regular expression: {error}.") from error

    def strikes(self, path: str, query: str = "") -> bool:
        """Counts the request if it is meant, and says whether it is hit."""
        follows = CURSOR.search(query) is not None
        if not re.search(self.path, path) or (self.kind == "cursor_expired" and not follows):
            return False
        self.seen += 1
        if self.by_reading:
            self._readings[path] += not follows
        hits = (self._readings[path] if self.by_reading else self.seen) - self.after
        return hits > 0 and (self.times is None or hits <= self.times)

    def refuses(self, path: str) -> int:
        """The status that takes the place of an answer at that path, 0 when it is answered."""
        own = {"status": 500, "revoked": 401, "redirect": 302, "not_enabled": 403, "cursor_expired": 422}
        if self.kind in ("removed", "added") and not isinstance(self.value or 0, int):
            raise BadFaults(f"The value of {self.kind} is a place in the list: a whole number.")
        if self.kind == "parent_gone" and self.missing and self.missing in path.split("/"):
            self.gone = True
            return 404
        return self.status or own[self.kind] if self.kind in own else 0

    def without_parent(self, path: str, items: list[bytes]) -> list[bytes]:
        """The list as parent_gone has it: whole until somebody has asked below the parent, then without it."""
        if path.count("/") > 1:  # a list below another parent
            return items
        if not self.missing and items:
            self.missing = ident(items[min(self.value or 0, len(items) - 1)])
        return [item for item in items if ident(item) != self.missing] if self.gone else items

    @classmethod
    def read(cls, file: Path) -> list[Self]:
        """The faults of a JSON file. Raises BadFaults when it is not a list of them."""
        try:
            return [cls(**entry) for entry in json.loads(file.read_bytes())]
        except (OSError, ValueError, TypeError) as error:
            raise BadFaults(f"{file} is not a list of faults: {error}.") from error
