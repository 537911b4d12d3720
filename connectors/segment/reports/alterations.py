"""What is done to an event on the way from its source to a receiver, in words.

Filters and mappings hold whatever somebody entered, so nothing of them is trusted. Of a mapping only its
references to the event were kept: a value that somebody typed in is told as fixed, and never by what it says.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain

from ...spec import Cell, Json, Record
from . import fields
from .fields import UNREADABLE_CELL, UNREADABLE_WORD, Words, word

DEEPEST = 12
WHOLE_EVENT = "the whole event"
FIXED = {"str": "fixed text", "int": "fixed number", "float": "fixed number", "bool": "fixed yes or no"}
NOTHING = "nothing"
SHARES = {0: "none", 0.1: "a tenth", 0.2: "a fifth", 0.25: "a quarter", 0.5: "half", 0.75: "three quarters", 1: "all"}


# --- filters ------------------------------------------------------------------------------------


def actions(value: Json) -> Cell:
    """What a filter does with an event that its condition matches."""
    if not isinstance(value, list):
        return fields.NOT_SAID if value is None else UNREADABLE_CELL
    return tuple(map(_action, value))


def _action(action: Json) -> str:
    kind = word(fields.at(action, "type"), UNREADABLE_WORD)
    if kind == "DROP":
        return "Drops the event"
    if kind == "SAMPLE":
        return _sample(action)
    said = {"DROP_PROPERTIES": "Drops", "ALLOW_PROPERTIES": "Keeps only"}.get(kind)
    return f"{said} {_places(fields.at(action, 'fields'))}" if said else kind


def _sample(action: Json) -> str:
    percent = fields.at(action, "percent")
    if not isinstance(percent, (int, float)) or isinstance(percent, bool):
        return "Keeps a share that Segment does not tell"
    share = SHARES.get(percent) or f"{percent * 100:g} in 100"
    by = word(fields.at(action, "path"))
    return f"Keeps {share}, chosen by {_plain(by)}" if by else f"Keeps {share}"


def _places(value: Json) -> str:
    """`properties email, phone and context.traits name`; "" as a place is the top level of the event."""
    if not isinstance(value, Mapping) or fields.unreadable(value) or not value:
        return "fields that Segment does not tell" if not value else UNREADABLE_WORD
    return " and ".join(f"{place or 'top-level fields'} {_names(names)}".rstrip() for place, names in value.items())


def _names(value: Json) -> str:
    held = fields.at(value, "fields") if isinstance(value, Mapping) and "fields" in value else value
    return ", ".join(word(each, UNREADABLE_WORD) for each in held) if isinstance(held, list) else UNREADABLE_WORD


# --- mappings -----------------------------------------------------------------------------------


def mapping(value: Json) -> Cell:
    """Which field of the event goes where: `properties.email → email`."""
    if (found := _mapping(value)) is None:
        return fields.NOT_SAID if value is None else UNREADABLE_CELL
    return tuple(f"{', '.join(said)} → {to}" for to, said in found)


def used(value: Json) -> Cell:
    """The fields of the event that a mapping uses, each once."""
    if _mapping(value) is None:
        return fields.NOT_SAID if value is None else UNREADABLE_CELL
    return tuple(sorted({_plain(path) for path in _references(value, DEEPEST)}))


def _mapping(value: Json) -> list[tuple[str, Words]] | None:
    if not isinstance(value, Mapping) or fields.unreadable(value) or _literal(value):
        return None
    return list(_flows(value, "", DEEPEST))


def _flows(value: Json, to: str, deep: int) -> Iterator[tuple[str, Words]]:
    """Where something goes, and what goes there."""
    if isinstance(value, Mapping) and not _leaf(value) and deep:
        for name, inner in value.items():
            yield from _flows(inner, f"{to}.{name}" if to else name, deep - 1)
    elif isinstance(value, list) and deep:
        for inner in value:
            yield from _flows(inner, f"{to}[]", deep - 1)
    else:
        yield to, tuple(dict.fromkeys(_told(value, deep)))


def _leaf(value: Mapping[str, Json]) -> bool:
    return bool(_literal(value)) or fields.unreadable(value) or any(name.startswith("@") for name in value)


def _literal(value: Json) -> str:
    said = value.get("literal") if isinstance(value, Mapping) and len(value) == 1 else None
    return said if isinstance(said, str) else ""


def _told(value: Json, deep: int) -> Iterator[str]:
    """What a leaf puts in its place: fields of the event, something fixed, or text made of fields."""
    if literal := _literal(value):
        yield FIXED.get(literal, NOTHING)
    elif not isinstance(value, (Mapping, list)) or fields.unreadable(value) or not deep:
        yield UNREADABLE_WORD
    elif isinstance(value, list):
        yield from chain.from_iterable(_told(inner, deep - 1) for inner in value)
    else:
        for name, inner in value.items():
            yield from _directed(name, inner, deep - 1)


def _directed(name: str, inner: Json, deep: int) -> Iterable[str]:
    if name == "@path" and isinstance(inner, str):
        return (_plain(inner),)
    if name == "@template" and isinstance(inner, list):
        return (f"text of {', '.join(map(_reference, inner))}" if inner else FIXED["str"],)
    return _told(inner, deep)


def _references(value: Json, deep: int) -> Iterator[str]:
    if deep and isinstance(value, list):
        yield from chain.from_iterable(_references(inner, deep - 1) for inner in value)
    elif deep and isinstance(value, Mapping):
        for name, inner in value.items():
            if name == "@path" and isinstance(inner, str):
                yield inner
            elif name == "@template" and isinstance(inner, list):
                yield from map(_reference, inner)
            else:
                yield from _references(inner, deep - 1)


def _reference(value: Json) -> str:
    return _plain(word(value, UNREADABLE_WORD).removeprefix("{{").removesuffix("}}").strip())


def _plain(path: str) -> str:
    return WHOLE_EVENT if path.strip() in ("$", "$.", ".") else path.removeprefix("$.")


# --- transformations ----------------------------------------------------------------------------


def changes(transformation: Record) -> Words:
    """What a transformation does. Dropping comes first: then nothing else of it counts."""
    return (
        *(("Drops the event",) if transformation.get("drop") is True else ()),
        *_renamed(transformation),
        *_each(transformation, "propertyValueTransformations", _value),
        *_each(transformation, "fqlDefinedProperties", _computed),
        *_allowed(transformation.get("allowProperties")),
        *_hashed(transformation.get("hashPropertiesConfiguration")),
    )


def _renamed(transformation: Record) -> Iterator[str]:
    if name := word(transformation.get("newEventName")):
        yield f"Renames the event to {name}"
    yield from _each(transformation, "propertyRenames", _rename)


def _each(record: Record, name: str, words: Callable[[Json], str]) -> tuple[str, ...]:
    held = record.get(name)
    if isinstance(held, list):
        return tuple(map(words, held))
    return () if held is None else (f"{UNREADABLE_WORD} {name}",)


def _rename(value: Json) -> str:
    old, new = (word(fields.at(value, name), UNREADABLE_WORD) for name in ("oldName", "newName"))
    return f"Renames {old} to {new}"


def _value(value: Json) -> str:
    return f"Sets {_names(fields.at(value, 'propertyPaths'))} to a fixed value"


def _computed(value: Json) -> str:
    name, fql = (word(fields.at(value, each), UNREADABLE_WORD) for each in ("propertyName", "fql"))
    return f"Computes {name} as {fql}"


def _allowed(value: Json) -> Words:
    return () if value in (None, []) else (f"Keeps only {_names(value)}",)


def _hashed(value: Json) -> Words:
    if value is None:
        return ()
    how = word(fields.at(value, "algorithm"))
    key = " and a key" if isinstance(value, Mapping) and value.get("key") else ""
    return (f"Hashes {_names(fields.at(value, 'paths'))} with {how or 'an unknown method'}{key}",)
