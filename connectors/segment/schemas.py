"""Two JSON Schemas of a tracking plan's rule, compared by what they allow and not by how they are written.

The order of keys, of `required`, of `enum`, of types and of alternatives says nothing; neither does an empty
`required`. A description is told apart from what a property may hold. The schema is whatever somebody wrote, so
nothing of it is trusted.
"""

import json
from collections.abc import Iterator, Mapping, Sequence

from ..spec import ABSENT, Difference, Json

DEEPEST = 40  # levels of properties inside of properties; what lies deeper is compared as a whole
UNORDERED = ("required", "enum", "type", "allOf", "anyOf", "oneOf")
SAID = ("description", "title", "$comment", "examples")  # for people; allow and forbid nothing
WALKED = ("properties", "required", "items")
HOLDER = "properties."  # what Segment's form puts around the properties of an event
LONGEST = 60


def compare(path: str, before: Json, after: Json) -> Sequence[Difference]:
    """What the second schema means otherwise than the first, property by property; nothing when it means the same."""
    before, after = ({} if each is None else each for each in (before, after))
    if not isinstance(before, Mapping) or not isinstance(after, Mapping):
        same = _spelled(before) == _spelled(after)
        return () if same else (Difference(path, "schema was replaced as a whole", before, after),)
    return tuple(_schema(before, after, "", DEEPEST))


def _schema(before: Mapping[str, Json], after: Mapping[str, Json], path: str, deep: int) -> Iterator[Difference]:
    walked = [name for name in WALKED if _walkable(name, before) and _walkable(name, after)] if deep else []
    for name in sorted({*before, *after} - set(walked)):
        old, new = before.get(name, ABSENT), after.get(name, ABSENT)
        if _spelled(_meaning(name, old)) != _spelled(_meaning(name, new)):
            yield Difference(_keyword(path, name), _words(path, name, old, new), old, new)
    if "properties" in walked:
        yield from _properties(before, after, path, deep)
    if "required" in walked:
        yield from _required(before, after, path, known=_of_one(before, after) if "properties" in walked else set())
    if "items" in walked and ("items" in before or "items" in after):
        yield from _schema(before.get("items", {}), after.get("items", {}), f"{path}[]", deep - 1)


def _walkable(name: str, schema: Mapping[str, Json]) -> bool:
    if name == "required":
        return isinstance(held := schema.get(name, []), list) and all(isinstance(each, str) for each in held)
    return isinstance(schema.get(name, {}), Mapping)


def _properties(before: Mapping[str, Json], after: Mapping[str, Json], path: str, deep: int) -> Iterator[Difference]:
    old, new = before.get("properties", {}), after.get("properties", {})
    for name in sorted({*old, *new}):
        where = f"{path}.{name}" if path else name
        if name not in old:
            form = _form(new[name], name in _musts(after))
            yield Difference(_shown(where), f"property “{_shown(where)}” was added ({form})", ABSENT, new[name])
        elif name not in new:
            yield Difference(_shown(where), f"property “{_shown(where)}” was removed", old[name], ABSENT)
        elif repr(old[name]) == repr(new[name]):
            continue  # most are written alike: nothing to compare
        elif isinstance(old[name], Mapping) and isinstance(new[name], Mapping):
            yield from _schema(old[name], new[name], where, deep - 1)
        elif _spelled(old[name]) != _spelled(new[name]):
            yield Difference(_shown(where), f"property “{_shown(where)}” was defined anew", old[name], new[name])


def _musts(schema: Mapping[str, Json]) -> set[str]:
    held = schema.get("required")
    return {each for each in held if isinstance(each, str)} if isinstance(held, list) else set()


def _of_one(before: Mapping[str, Json], after: Mapping[str, Json]) -> set[str]:
    """Properties of only one of the two: that they are required is told with them."""
    return set(before.get("properties", {})) ^ set(after.get("properties", {}))


def _required(
    before: Mapping[str, Json], after: Mapping[str, Json], path: str, known: set[str]
) -> Iterator[Difference]:
    old, new = _musts(before), _musts(after)
    for name in sorted((old ^ new) - known):
        where = _shown(f"{path}.{name}" if path else name)
        became = "required" if name in new else "optional"
        yield Difference(f"{where}.required", f"property “{where}” became {became}", name in old, name in new)


# --- meaning ------------------------------------------------------------------------------------


def _meaning(name: str, value: Json) -> Json:
    """The value of a keyword in a form that is equal for everything that means the same."""
    if name in UNORDERED:
        if not isinstance(value, list):
            return [value] if name == "type" and isinstance(value, str) else _whole(value)
        distinct = {_spelled(inner): inner for inner in map(_whole, value)}
        return [distinct[each] for each in sorted(distinct)] or (ABSENT if name == "required" else [])
    return _whole(value)


def _whole(value: Json) -> Json:
    if isinstance(value, Mapping):
        held = {name: _meaning(name, inner) for name, inner in value.items()}
        return {name: inner for name, inner in held.items() if inner is not ABSENT}
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return [_whole(each) for each in value] if isinstance(value, list) else value


def _spelled(value: Json) -> str:
    return "" if value is ABSENT else json.dumps(value, sort_keys=True)


# --- words --------------------------------------------------------------------------------------


def _shown(path: str) -> str:
    return path.removeprefix(HOLDER)


def _keyword(path: str, name: str) -> str:
    return f"{_shown(path)}.{name}" if path else name


def _words(path: str, name: str, before: Json, after: Json) -> str:
    whose = f"property “{_shown(path)}”: " if path else ""
    if name in SAID:
        return f"{whose}{name} changed" if path else f"{name} of the schema changed"
    if before is ABSENT:
        return f"{whose}{name} set to {_brief(after)}"
    if after is ABSENT:
        return f"{whose}{name} dropped (was {_brief(before)})"
    if name == "enum" and isinstance(before, list) and isinstance(after, list):
        old, new = set(map(_spelled, before)), set(map(_spelled, after))
        return f"{whose}allowed values: {len(new - old)} added, {len(old - new)} removed"
    return f"{whose}{name} changed from {_brief(before)} to {_brief(after)}"


def _form(schema: Json, required: bool) -> str:
    said = schema.get("type") if isinstance(schema, Mapping) else None
    form = _brief(said) if said else "any type"
    return f"{form}, {'required' if required else 'optional'}"


def _brief(value: Json) -> str:
    if isinstance(value, list) and value and all(isinstance(each, str) for each in value):
        text = " or ".join(value)
    else:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
