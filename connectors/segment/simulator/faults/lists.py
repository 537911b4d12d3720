"""Faults in lists, before they are cut into pages."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import Fault

Json = Any
Items = list[bytes]


def ident(item: bytes) -> str:
    """The id of an encoded item, "" when it has none."""
    found = json.loads(item)
    return str(found.get("id", "")) if isinstance(found, dict) else ""


def _shifted(fault: Fault, path: str, items: Items, offset: int) -> tuple[Items, int]:
    """An item went away between two pages, so that the next page skips one."""
    return (items[1:], offset) if offset else (items, offset)


def _doubled(fault: Fault, path: str, items: Items, offset: int) -> tuple[Items, int]:
    """An item came in between two pages, so that the next page begins with one already read."""
    return ([items[0], *items], offset) if offset else (items, offset)


def _removed(fault: Fault, path: str, items: Items, offset: int) -> tuple[Items, int]:
    """The list without one of its items."""
    at = fault.value or 0
    return [*items[:at], *items[at + 1 :]], offset


def _added(fault: Fault, path: str, items: Items, offset: int) -> tuple[Items, int]:
    """The list with one more, made after its neighbour."""
    at = min(fault.value or 0, len(items) - 1)
    return ([*items[:at], _new(items[at]), *items[at:]] if items else items), offset


def _new(item: bytes) -> bytes:
    made = json.loads(item)
    if isinstance(made, dict):
        key = next((name for name in ("id", "key") if isinstance(made.get(name), str)), "name")
        made[key] = f"{made.get(key, '')}"[:-3] + "New"
    else:
        made = f"new.{made}"
    return json.dumps(made, ensure_ascii=False, separators=(",", ":")).encode()


LISTS: dict[str, Callable[[Fault, str, Items, int], tuple[Items, int]]] = {
    "shift": _shifted,
    "duplicate_item": _doubled,
    "removed": _removed,
    "added": _added,
    "reordered": lambda fault, path, items, offset: (items[::-1], offset),
    "empty": lambda fault, path, items, offset: ([], 0),
    "half": lambda fault, path, items, offset: (items[: len(items) // 2], offset),
    "parent_gone": lambda fault, path, items, offset: (fault.without_parent(path, items), offset),
}
