"""What can go wrong, switched on by the path of a request.

    Fault("^/users$", "status", status=429, retry_after="1")       the first call of /users is refused
    Fault("^/sources$", "hang", times=None, after=2)               from the third call on: no answer
    Fault("/rules$", "huge_int", value="version")                  one field of the first item

Kinds of fault:

    no answer of its own       status (with `retry_after`, and milliseconds in `value` for 429), revoked, redirect
                               (`value` is the Location), hang, drip (`value` seconds per byte), reset, short_body
    another body               cut_json, html, empty_body, not_json, data_missing, data_null, data_wrong
    other data                 items_missing, items_null, items_wrong, unknown_field, new_enum, other_workspace,
                               set (`value` is an object of fields for the first item)
    one field (`value` names   null, wrong_type, nan, huge_int, huge_float, lone_surrogate, deep, long_string,
    it, else "name")           duplicate_key
    other lists                duplicate_item, shift, empty, half
    other pages                cursor_loop (A, A, A), cursor_cycle (A, B, A), lying_total
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from . import cursors

Json = Any


class BadFaults(Exception):
    """A list of faults that cannot be used; the message says why."""


@dataclass
class Fault:
    """`path` is searched in the request's path. The first `after` requests pass, the next `times` do not."""

    path: str
    kind: str
    times: int | None = 1
    after: int = 0
    status: int = 500
    value: Json = None
    retry_after: str = ""
    seen: int = field(default=0, init=False, compare=False)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise BadFaults(f"There is no fault of the kind {self.kind!r}; there are {', '.join(sorted(KINDS))}.")
        if not all(isinstance(number, int) for number in (self.times or 0, self.after, self.status)):
            raise BadFaults("times, after and status are whole numbers; times may be null for always.")
        try:
            re.compile(self.path)
        except re.error as error:
            raise BadFaults(f"{self.path!r} is not a regular expression: {error}.") from error

    def strikes(self, path: str) -> bool:
        """Counts the request if it is meant, and says whether it is hit."""
        if not re.search(self.path, path):
            return False
        self.seen += 1
        hits = self.seen - self.after
        return hits > 0 and (self.times is None or hits <= self.times)

    @classmethod
    def read(cls, file: Path) -> list[Self]:
        """The faults of a JSON file. Raises BadFaults when it is not a list of them."""
        try:
            return [cls(**entry) for entry in json.loads(file.read_bytes())]
        except (OSError, ValueError, TypeError) as error:
            raise BadFaults(f"{file} is not a list of faults: {error}.") from error


# --- lists, before they are cut into pages --------------------------------------------------------


def _shifted(items: list[bytes], offset: int) -> tuple[list[bytes], int]:
    """An item went away between two pages, so that the next page skips one."""
    return (items[1:], offset) if offset else (items, offset)


def _doubled(items: list[bytes], offset: int) -> tuple[list[bytes], int]:
    """An item came in between two pages, so that the next page begins with one already read."""
    return ([items[0], *items], offset) if offset else (items, offset)


LISTS: dict[str, Callable[[list[bytes], int], tuple[list[bytes], int]]] = {
    "shift": _shifted,
    "duplicate_item": _doubled,
    "empty": lambda items, offset: ([], 0),
    "half": lambda items, offset: (items[: len(items) // 2], offset),
}

# --- bodies -----------------------------------------------------------------------------------------

BYTES: dict[str, Callable[[bytes], bytes]] = {
    "cut_json": lambda body: body[: len(body) // 2],
    "html": lambda body: b"<!doctype html><title>Sign in</title><p>Please sign in to the network first.</p>",
    "empty_body": lambda body: b"",
    "not_json": lambda body: b"upstream says: try again",
    "data_missing": lambda body: b"{}",
    "data_null": lambda body: b'{"data":null}',
    "data_wrong": lambda body: b'{"data":[1,2]}',
}

# --- one field of the first item, as raw JSON -------------------------------------------------------

RAW: dict[str, Callable[[], str]] = {
    "null": lambda: "null",
    "wrong_type": lambda: '{"unexpected":["an","object"]}',
    "nan": lambda: "NaN",
    "huge_int": lambda: "9" * 40,
    "huge_float": lambda: "1e400",
    "lone_surrogate": lambda: '"broken \\ud800 half"',
    "deep": lambda: "[" * 10_000 + "]" * 10_000,
    "long_string": lambda: f'"{"x" * 10_000_000}"',
}

PLACE = "@@place of the field@@"

# --- data: changed in place; what has nothing of the kind stays as it is ----------------------------


def _items_name(data: dict[str, Json]) -> str:
    return next(name for name in data if name != "pagination")


def _set(data: Json, value: Json, path: str) -> None:
    first = _first(data)
    if isinstance(first, dict):
        first |= value or {}


def _unknown_field(data: Json, value: Json, path: str) -> None:
    data["alsoNew"] = True
    _set(data, {"surprise": {"nested": [1, "two", None]}}, path)


def _other_workspace(data: Json, value: Json, path: str) -> None:
    if "workspace" in data:
        data["workspace"] |= {"id": value or "anotherWorkspace000000", "slug": "another", "name": "Another"}


def _lying_total(data: Json, value: Json, path: str) -> None:
    pagination = data.get("pagination", {})
    pagination["totalEntries"] = value if value is not None else pagination.get("totalEntries", 0) + 7


def _cursor_loop(data: Json, value: Json, path: str) -> None:
    if "pagination" in data:
        data["pagination"]["next"] = data["pagination"]["current"]


def _cursor_cycle(data: Json, value: Json, path: str) -> None:
    if "pagination" in data:
        offset, spelling = cursors.decode(path, data["pagination"]["current"]) or (0, 0)
        data["pagination"]["next"] = cursors.encode(path, offset, 1 - spelling)


DATA: dict[str, Callable[[Json, Json, str], object]] = {
    "items_missing": lambda data, value, path: data.pop(_items_name(data)),
    "items_null": lambda data, value, path: data.update({_items_name(data): None}),
    "items_wrong": lambda data, value, path: data.update({_items_name(data): "none today"}),
    "unknown_field": _unknown_field,
    "new_enum": lambda data, value, path: _swap_enum(_first(data)),
    "other_workspace": _other_workspace,
    "set": _set,
    "cursor_loop": _cursor_loop,
    "cursor_cycle": _cursor_cycle,
    "lying_total": _lying_total,
}
WIRE = ("status", "revoked", "redirect", "hang", "drip", "reset", "short_body")
KINDS = frozenset((*LISTS, *BYTES, *RAW, "duplicate_key", *DATA, *WIRE))


def spoil(fault: Fault, body: bytes, path: str) -> bytes:
    """The body with the fault in it. A kind that has nothing to spoil in this body leaves it alone."""
    if fault.kind in BYTES:
        return BYTES[fault.kind](body)
    if fault.kind in RAW or fault.kind == "duplicate_key":
        return _field(fault, json.loads(body))
    if fault.kind in DATA:
        whole = json.loads(body)
        DATA[fault.kind](whole["data"], fault.value, path)
        return json.dumps(whole, separators=(",", ":")).encode()
    return body


def _field(fault: Fault, body: Json) -> bytes:
    name = fault.value or "name"
    raw = f'"one","{name}":"two"' if fault.kind == "duplicate_key" else RAW[fault.kind]()
    first = _first(body["data"])
    if isinstance(first, dict):
        first[name] = PLACE
    else:
        _items(body["data"])[0] = PLACE
    return json.dumps(body, separators=(",", ":")).replace(f'"{PLACE}"', raw).encode()


def _items(data: Json) -> list[Json]:
    return next((value for value in data.values() if isinstance(value, list)), [])


def _first(data: Json) -> Json:
    """The first item of a list, or the object that the data hold."""
    items = _items(data)
    return items[0] if items else next((value for value in data.values() if isinstance(value, dict)), data)


def _swap_enum(value: Json) -> bool:
    """Puts a word nobody has heard of in the place of the first one that looks like a constant."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in list(pairs):
        if isinstance(inner, str) and re.fullmatch(r"[A-Z][A-Z_]{2,}", inner):
            value[key] = "BRAND_NEW_WORD"
            return True
        if _swap_enum(inner):
            return True
    return False
