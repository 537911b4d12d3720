"""What a rule's JSON Schema allows, in words. The schema is whatever somebody wrote, so nothing of it is trusted.

Segment's form, as its API reference shows it (docs.segmentapis.com, Tracking Plans): an object whose
`properties` are `properties` (what an event carries), `traits` (of a person or a group) and `context`
(what goes with every call). A schema of another form is read as it stands.
"""

from collections import Counter
from dataclasses import dataclass

from ...spec import Json
from .fields import UNREADABLE_WORD, word

DEEPEST = 8
MOST = 2000
AND_MORE = "… and more"
# What the three holders of Segment's form add to the path of what they hold.
HOLDERS = {"properties": "", "traits": "traits.", "context": "context."}
PARTS = ("allOf", "anyOf", "oneOf")

Found = dict[str, tuple[str, bool]]  # path -> type and format, whether it is required


@dataclass(frozen=True)
class Allowed:
    """Properties in order, required ones marked; how many are required; how often each type and format occurs.

    In a property's path names are joined with dots, and `[]` stands for the entries of a list.
    """

    properties: tuple[str, ...]
    required: int
    forms: tuple[str, ...]


def allowed(schema: Json) -> Allowed | None:
    """What a schema names, None when it is no object.

    Told are the first 2,000 properties, eight levels deep at most; a last entry says that there are more.
    """
    if not isinstance(schema, dict):
        return None
    found = _payload(schema)
    told = sorted(list(found.items())[:MOST], key=lambda each: (each[0].casefold(), each[0]))
    names = [f"{path} (required)" if required else path for path, (_, required) in told]
    forms = Counter(form for _, (form, _) in told)
    return Allowed(
        (*names, AND_MORE) if len(found) > MOST else tuple(names),
        sum(required for _, (_, required) in told),
        tuple(f"{form}: {number}" for form, number in sorted(forms.items())),
    )


def description(schema: Json) -> str | None:
    return word(schema.get("description")) or None if isinstance(schema, dict) else None


def _payload(schema: dict[str, Json]) -> Found:
    """The properties of a call, without the holders that Segment puts around them."""
    found: Found = {}
    held = schema.get("properties")
    inner = held if isinstance(held, dict) else {}
    holders = {name: inner[name] for name in HOLDERS if name in inner and _holds(inner[name])}
    for name, holder in holders.items():
        _walk(holder, HOLDERS[name], DEEPEST, True, found)
    rest = {name: each for name, each in inner.items() if name not in holders}
    _walk({**schema, "properties": rest}, "", DEEPEST, True, found)
    return found


def _holds(schema: Json) -> bool:
    return isinstance(schema, dict) and schema.get("type", "object") in ("object", ["object"], ["object", "null"])


def _walk(schema: Json, prefix: str, deep: int, must: bool, found: Found) -> None:
    """`must` is false inside alternatives: what one of them requires, the whole does not."""
    if deep == 0 or not isinstance(schema, dict):
        return
    inner, said = schema.get("properties"), schema.get("required")
    required = {each for each in said if isinstance(each, str)} if must and isinstance(said, list) else set()
    for name, each in inner.items() if isinstance(inner, dict) else ():
        if len(found) > MOST:
            return
        path = f"{prefix}{name}"
        form, needed = found.get(path) or (_form(each), False)
        found[path] = (form, needed or name in required)
        if isinstance(each, dict):
            _walk(each, f"{path}.", deep - 1, must, found)
            items = each.get("items")
            for entry in items if isinstance(items, list) else (items,):
                _walk(entry, f"{path}[].", deep - 1, must, found)
    for part in PARTS:
        if isinstance(alternatives := schema.get(part), list):
            for each in alternatives:
                _walk(each, prefix, deep - 1, must and part == "allOf", found)


def _form(schema: Json) -> str:
    said = schema.get("type") if isinstance(schema, dict) else None
    form = " or ".join(word(each, UNREADABLE_WORD) for each in (said if isinstance(said, list) else [said or "any"]))
    format_ = word(schema.get("format")) if isinstance(schema, dict) else ""
    return f"{form or 'any'} ({format_})" if format_ else form or "any"
