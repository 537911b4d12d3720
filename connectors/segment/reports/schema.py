"""What a rule's JSON Schema allows, in words. The schema is whatever somebody wrote, so nothing of it is trusted.

Segment's form, as its API reference shows it (docs.segmentapis.com, Tracking Plans): an object whose
`properties` are `properties` (what an event carries), `traits` (of a person or a group) and `context`
(what goes with every call). A schema of another form is read as it stands.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from ...spec import Json
from .fields import word

DEEPEST = 8
MOST = 2000
AND_MORE = "… and more"
# What the three holders of Segment's form add to the path of what they hold.
HOLDERS = {"properties": "", "traits": "traits.", "context": "context."}
ALTERNATIVES = ("anyOf", "oneOf")


@dataclass(frozen=True, slots=True)
class Property:
    """`path` joins names with dots; `[]` stands for the entries of a list. `form` is type and format."""

    path: str
    form: str
    required: bool


@dataclass(frozen=True)
class Allowed:
    """`properties` in order, required ones marked; `forms` says how often each type and format occurs."""

    properties: tuple[str, ...]
    required: int
    forms: tuple[str, ...]


def allowed(schema: Json) -> Allowed | None:
    """What a schema names, None when it is no object.

    Told are the first 2,000 properties, eight levels deep at most; a last entry says that there are more.
    """
    if not isinstance(schema, dict):
        return None
    walked = list(islice(_payload(schema), MOST + 1))
    found: dict[str, Property] = {}
    for each in walked[:MOST]:
        known = found.setdefault(each.path, each)
        if each.required and not known.required:
            found[each.path] = Property(known.path, known.form, True)
    held = sorted(found.values(), key=lambda each: (each.path.casefold(), each.path))
    names = [f"{each.path} (required)" if each.required else each.path for each in held]
    forms = Counter(each.form for each in held)
    return Allowed(
        (*names, AND_MORE) if len(walked) > MOST else tuple(names),
        sum(each.required for each in held),
        tuple(f"{form}: {number}" for form, number in sorted(forms.items())),
    )


def description(schema: Json) -> str | None:
    return word(schema.get("description")) or None if isinstance(schema, dict) else None


def _payload(schema: dict[str, Json]) -> Iterator[Property]:
    """The properties of a call, without the holders that Segment puts around them."""
    held = schema.get("properties")
    inner = held if isinstance(held, dict) else {}
    holders = {name: inner[name] for name in HOLDERS if name in inner and _holds(inner[name])}
    for name, holder in holders.items():
        yield from _walk(holder, HOLDERS[name], DEEPEST)
    rest = {name: each for name, each in inner.items() if name not in holders}
    yield from _walk({**schema, "properties": rest}, "", DEEPEST)


def _holds(schema: Json) -> bool:
    return isinstance(schema, dict) and "object" in _types(schema, "object")


def _walk(schema: Json, prefix: str, deep: int, *, must: bool = True) -> Iterator[Property]:
    """`must` is false inside alternatives: what one of them requires, the whole does not."""
    if deep == 0 or not isinstance(schema, dict):
        return
    required = _names(schema.get("required")) if must else frozenset()
    inner = schema.get("properties")
    for name, each in inner.items() if isinstance(inner, dict) else ():
        path = f"{prefix}{name}"
        yield Property(path, _form(each), name in required)
        yield from _inside(each, path, deep - 1, must=must)
    for part in _list(schema.get("allOf")):
        yield from _walk(part, prefix, deep - 1, must=must)
    for part in (part for word_ in ALTERNATIVES for part in _list(schema.get(word_))):
        yield from _walk(part, prefix, deep - 1, must=False)


def _inside(schema: Json, path: str, deep: int, *, must: bool) -> Iterator[Property]:
    yield from _walk(schema, f"{path}.", deep, must=must)
    items = schema.get("items") if isinstance(schema, dict) else None
    for each in items if isinstance(items, list) else [items]:
        yield from _walk(each, f"{path}[].", deep, must=must)


def _form(schema: Json) -> str:
    if not isinstance(schema, dict):
        return "any"
    form = " or ".join(_types(schema, "any"))
    said = word(schema.get("format"))
    return f"{form} ({said})" if said else form


def _types(schema: dict[str, Json], otherwise: str) -> tuple[str, ...]:
    said = schema.get("type") or otherwise
    return tuple(word(each, "unreadable") for each in (said if isinstance(said, list) else [said]))


def _names(value: Json) -> frozenset[str]:
    return frozenset(name for name in _list(value) if isinstance(name, str))


def _list(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []
