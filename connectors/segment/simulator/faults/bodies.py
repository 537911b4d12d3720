"""Faults in the body of an answer."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .. import cursors

if TYPE_CHECKING:
    from . import Fault

Json = Any

DEEP = 10_000

# --- another body -----------------------------------------------------------------------------------

BYTES: dict[str, Callable[[bytes], bytes]] = {
    "cut_json": lambda body: body[: len(body) // 2],
    "html": lambda body: b"<!doctype html><title>Sign in</title><p>Please sign in to the network first.</p>",
    "empty_body": lambda body: b"",
    "not_json": lambda body: b"upstream says: try again",
    "data_missing": lambda body: b"{}",
    "data_null": lambda body: b'{"data":null}',
    "data_wrong": lambda body: b'{"data":[1,2]}',
    "deep_body": lambda body: b'{"data":' + b"[" * DEEP + b"]" * DEEP + b"}",
}

# --- one field of the first item, as raw JSON -------------------------------------------------------

FIELDS: dict[str, Callable[[str], str]] = {
    "null": lambda name: "null",
    "wrong_type": lambda name: '{"unexpected":["an","object"]}',
    "nan": lambda name: "NaN",
    "int_2_63": lambda name: str(2**63),
    "huge_int": lambda name: "9" * 40,
    "huge_float": lambda name: "1e400",
    "lone_surrogate": lambda name: '"broken \\ud800 half"',
    "deep": lambda name: "[" * DEEP + "]" * DEEP,
    "long_string": lambda name: f'"{"x" * 10_000_000}"',
    "duplicate_key": lambda name: f'"one","{name}":"two"',
}

PLACE = "@@place of the field@@"

# --- data: changed in place; what has nothing of the kind stays as it is ----------------------------


def _items_name(data: dict[str, Json]) -> str:
    """Name of the list; of an object, its first field."""
    names = [name for name in data if name != "pagination"]
    return next((name for name in names if isinstance(data[name], list)), names[0])


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


def _endless(data: Json, value: Json, path: str) -> None:
    if "pagination" in data:
        offset, _ = cursors.decode(path, data["pagination"]["current"]) or (0, 0)
        data["pagination"]["next"] = cursors.encode(path, offset + max(1, len(_items(data))))


DATA: dict[str, Callable[[Json, Json, str], object]] = {
    "items_missing": lambda data, value, path: data.pop(_items_name(data)),
    "items_null": lambda data, value, path: data.update({_items_name(data): None}),
    "items_wrong": lambda data, value, path: data.update({_items_name(data): "none today"}),
    "unknown_field": _unknown_field,
    "new_enum": lambda data, value, path: _swap_enum(_first(data)),
    "other_workspace": _other_workspace,
    "set": _set,
    "dangling": lambda data, value, path: _set(data, {value or "sourceId": "nothingHasThisId000000"}, path),
    "cursor_loop": _cursor_loop,
    "cursor_cycle": _cursor_cycle,
    "endless": _endless,
    "lying_total": _lying_total,
}


def spoil(fault: Fault, body: bytes, path: str) -> bytes:
    """The body with the fault in it. A kind that has nothing to spoil in this body leaves it alone."""
    if fault.kind in BYTES:
        return BYTES[fault.kind](body)
    if fault.kind in FIELDS:
        return _field(fault, json.loads(body))
    if fault.kind in DATA:
        whole = json.loads(body)
        DATA[fault.kind](whole["data"], fault.value, path)
        return json.dumps(whole, separators=(",", ":")).encode()
    return body


def _field(fault: Fault, body: Json) -> bytes:
    *way, name = (fault.value or "name").split(".")
    place = _first(body["data"])
    for step in way:
        place = place.setdefault(step, {}) if isinstance(place, dict) else place
    if isinstance(place, dict):
        place[name] = PLACE
    elif _items(body["data"]):
        _items(body["data"])[0] = PLACE
    return json.dumps(body, separators=(",", ":")).replace(f'"{PLACE}"', FIELDS[fault.kind](name)).encode()


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
