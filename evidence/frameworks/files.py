"""A framework as a file, both ways: a table in CSV, and a catalog in OSCAL JSON. Pure.

OSCAL: pages.nist.gov/OSCAL, catalog model 1.1; groups and controls may be nested, the statement is the part called so.
"""

import csv
import io
import json
import uuid
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from .catalogues import Catalogue, Entry, Malformed, checked

MOST_BYTES = 5_000_000
DEEPEST = 20
COLUMNS = ("id", "title", "text", "group", "series", "optional")
_YES, _NO = {"yes", "true", "1", "x"}, {"no", "false", "0", ""}
_NAMESPACE = uuid.UUID("6f6d1f0a-6a52-4f1c-9c39-9d6c0c9b1f55")  # ours: the same catalogue gets the same uuid
PROPERTY = "series"


def read(data: bytes, *, slug: str, title: str = "", label: str = "") -> Catalogue:
    """A team's file, whichever of the two it is. Raises Malformed with a sentence for each thing that is wrong."""
    if len(data) > MOST_BYTES:
        raise Malformed([f"The file has more than {MOST_BYTES // 1_000_000} MB."])
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Malformed(["The file is not text in UTF-8."]) from None
    if text.lstrip().startswith("{"):
        return _from_oscal(text, slug=slug, title=title, label=label)
    return _from_csv(text, slug=slug, title=title, label=label)


# --- CSV ----------------------------------------------------------------------------------------


def _from_csv(text: str, *, slug: str, title: str, label: str) -> Catalogue:
    try:
        rows = list(csv.DictReader(io.StringIO(text, newline=""), dialect=_dialect(text), strict=True))
    except csv.Error as error:
        raise Malformed([f"The file is no table: {error}."]) from None
    heads = {str(head).strip().lower() for head in (rows[0] if rows else {}) if head}
    if missing := {"id", "title"} - heads:
        raise Malformed([f"The table needs a column “{name}”." for name in sorted(missing)])
    wrong: list[str] = []
    entries = tuple(_entry(row, line, wrong) for line, row in enumerate(rows, 2) if any(row.values()))
    if wrong:
        raise Malformed(wrong[:50])
    return checked(Catalogue(slug=slug, title=title or slug, label=label, controls=entries))


def _dialect(text: str) -> type[csv.Dialect]:
    """Commas, or semicolons where a spreadsheet wrote them."""
    head = text.partition("\n")[0]

    class Read(csv.excel):
        delimiter = ";" if head.count(";") > head.count(",") else ","

    return Read


def _entry(row: Mapping[str | None, Any], line: int, wrong: list[str]) -> Entry:
    said = {str(head).strip().lower(): str(value or "").strip() for head, value in row.items() if head}
    optional = said.get("optional", "").lower()
    if None in row:
        wrong.append(f"Line {line}: it has more cells than the head.")
    if optional not in _YES | _NO:
        wrong.append(f"Line {line}: “{optional[:40]}” under optional is neither yes nor no.")
    plain: dict[str, Any] = {name: _bare(said.get(name, "")) for name in ("title", "text", "group", "series")}
    return Entry(ref=_bare(said.get("id", "")), optional=optional in _YES, **plain)


def _bare(text: str) -> str:
    """Without the apostrophe that our own exports put before what a spreadsheet would take for a formula."""
    return text[1:] if text[:1] == "'" and text[1:2] in "=+-@" else text


def rows(catalogue: Catalogue) -> Iterator[tuple[str, ...]]:
    """The cells of each control, under `COLUMNS`."""
    for each in catalogue.controls:
        yield (each.ref, each.title, each.text, each.group, each.series, "yes" if each.optional else "no")


# --- OSCAL --------------------------------------------------------------------------------------


def _from_oscal(text: str, *, slug: str, title: str, label: str) -> Catalogue:
    try:
        catalog = json.loads(text)["catalog"]
        entries = tuple(_walk(catalog, "", "", 0))
        said = catalog.get("metadata") or {}
        name, version = title or str(said.get("title", "")) or slug, label or str(said.get("version", ""))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise Malformed(["The file is no OSCAL catalog in JSON."]) from None
    return checked(Catalogue(slug=slug, title=name[:120], label=version[:60], controls=entries))


def _walk(node: Mapping[str, Any], group: str, series: str, depth: int) -> Iterator[Entry]:
    if depth > DEEPEST:
        raise Malformed([f"Its groups are nested deeper than {DEEPEST}."])
    for each in node.get("controls") or ():
        own = _property(each, PROPERTY) or series
        words: dict[str, Any] = {"title": str(each.get("title", "")).strip(), "text": _statement(each)}
        ref = _property(each, "label") or str(each["id"])
        yield Entry(ref=ref, group=group, series=own, optional=_property(each, "optional") == "yes", **words)
        yield from _walk({"controls": each.get("controls")}, group, own, depth + 1)
    for each in node.get("groups") or ():
        yield from _walk(each, str(each.get("title", "")).strip()[:120], series, depth + 1)


def _property(node: Mapping[str, Any], name: str) -> str:
    found = (str(each.get("value", "")) for each in node.get("props") or () if each.get("name") == name)
    return next(found, "")


def _statement(control: Mapping[str, Any]) -> str:
    parts = [part for part in control.get("parts") or () if part.get("name") == "statement"]
    return "\n".join(_prose(part, 0) for part in parts).strip()


def _prose(part: Mapping[str, Any], depth: int) -> str:
    if depth > DEEPEST:
        raise Malformed([f"Its parts are nested deeper than {DEEPEST}."])
    below = [_prose(each, depth + 1) for each in part.get("parts") or ()]
    return "\n".join(filter(None, [str(part.get("prose", "")).strip(), *below]))


def oscal(catalogue: Catalogue, modified: datetime) -> bytes:
    """An OSCAL catalog, the same bytes for the same catalogue and time."""
    groups: dict[str, list[Entry]] = {}
    for each in catalogue.controls:
        groups.setdefault(each.group, []).append(each)
    named = [
        {"id": f"g{at}", "title": name, "controls": [_control(each) for each in held]}
        for at, (name, held) in enumerate(groups.items(), 1)
        if name
    ]
    bare = [_control(each) for each in groups.get("", ())]
    catalog = {
        "uuid": str(uuid.uuid5(_NAMESPACE, catalogue.slug + catalogue.label)),
        "metadata": {
            "title": catalogue.title,
            "last-modified": modified.isoformat(),
            "version": catalogue.label or "1",
            "oscal-version": "1.1.2",
        },
        **({"groups": named} if named else {}),
        **({"controls": bare} if bare else {}),
    }
    return json.dumps({"catalog": catalog}, ensure_ascii=False, indent=1).encode("utf-8")


def _control(entry: Entry) -> dict[str, Any]:
    """Ids of OSCAL are tokens, which an id of a framework may not be: the label says it as it is."""
    token = "".join(sign if (sign.isalnum() and sign.isascii()) or sign in "-._" else "_" for sign in entry.ref)
    props = [{"name": "label", "value": entry.ref}]
    props += [{"name": PROPERTY, "value": entry.series}] if entry.series else []
    props += [{"name": "optional", "value": "yes"}] if entry.optional else []
    parts = [{"id": f"c-{token}_smt", "name": "statement", "prose": entry.text}] if entry.text else []
    return {"id": f"c-{token}", "title": entry.title, "props": props, **({"parts": parts} if parts else {})}
