"""From a response's item to a record: the allow-list decides what survives, secrets become fingerprints.

An unknown field never costs a record: it is left out and its name is noted. A value of the wrong type
is replaced by a marker that names the type, never the value.
"""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from portal.canon import canonical, digest, fingerprint

from .spec import UNREADABLE, Json, OneOf, Record, Rule, Shape, Stream, Unexpected

LONGEST_KEY = 240
_SCALARS = (str, int, float, bool, type(None))


@dataclass(slots=True)
class Notes:
    """What a reading noticed about the service's answers: names of fields and how often, never their values.

    unknown  fields that no shape names          wrong  fields whose value is of another type
    words    fields that hold a word which is not among the documented ones
    """

    unknown: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)
    words: Counter[str] = field(default_factory=Counter)

    def add(self, other: "Notes") -> None:
        self.unknown.update(other.unknown)
        self.wrong.update(other.wrong)
        self.words.update(other.words)

    def named(self, most: int) -> dict[str, dict[str, int]]:
        """What was noticed, by kind: field -> how often; the most frequent ones."""
        kinds = {"unknown": self.unknown, "wrong": self.wrong, "words": self.words}
        return {kind: _shown(counted, most) for kind, counted in kinds.items() if counted}


def _shown(counted: Counter[str], most: int) -> dict[str, int]:
    """Names as a database and a page can hold them: the service chooses them."""
    found = Counter[str]()
    for name, many in counted.most_common(most):
        found[_NO_NAME.sub("\N{REPLACEMENT CHARACTER}", name)[:200]] += many
    return dict(found)


_NO_NAME = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


Project = Callable[[Json, Notes], Json]


def _marker(value: Json, path: str, notes: Notes) -> Json:
    notes.wrong[path] += 1
    return {UNREADABLE: type(value).__name__}


def _keep(path: str) -> Project:
    return lambda value, notes: value if isinstance(value, _SCALARS) else _marker(value, path, notes)


def _one_of(words: frozenset[str], path: str) -> Project:
    keep = _keep(path)

    def project(value: Json, notes: Notes) -> Json:
        if isinstance(value, str) and value not in words:
            notes.words[path] += 1
        return keep(value, notes)

    return project


def _whole(path: str) -> Project:
    return lambda value, notes: value


def _count(path: str) -> Project:
    return lambda value, notes: len(value) if isinstance(value, (list, dict)) else _marker(value, path, notes)


def _names(path: str) -> Project:
    return lambda value, notes: sorted(value) if isinstance(value, dict) else _marker(value, path, notes)


def _print(path: str) -> Project:
    def project(value: Json, notes: Notes) -> Json:
        if not isinstance(value, _SCALARS):
            return _marker(value, path, notes)
        return None if value is None else fingerprint(path, str(value))

    return project


def _prints(path: str) -> Project:
    def project(value: Json, notes: Notes) -> Json:
        if not isinstance(value, list):
            return _marker(value, path, notes)
        return {"count": len(value), "prints": sorted(fingerprint(path, str(secret)) for secret in value)}

    return project


def _code(path: str, *, text: bool = False) -> Project:
    def project(value: Json, notes: Notes) -> Json:
        if not isinstance(value, str):
            return None if value is None else _marker(value, path, notes)
        data = value.encode("utf-8", "surrogatepass")
        found = {"sha256": digest(data).hex(), "bytes": len(data), "lines": value.count("\n") + 1}
        return found | {"text": value} if text else found

    return project


def _code_with_text(path: str) -> Project:
    return _code(path, text=True)


_REFERENCE = re.compile(r"\{\{[^{}]*\}\}")


def _paths(path: str) -> Project:
    """Keeps `@path` and the references inside `@template`; a literal is replaced by the name of its type."""

    def project(value: Json, notes: Notes) -> Json:
        if isinstance(value, dict):
            return {name: _directive(name, inner, lambda each: project(each, notes)) for name, inner in value.items()}
        return [project(each, notes) for each in value] if isinstance(value, list) else _literal(value)

    return project


def _directive(name: str, inner: Json, otherwise: Callable[[Json], Json]) -> Json:
    if name == "@path" and isinstance(inner, str):
        return inner
    if name == "@template" and isinstance(inner, str):
        return _REFERENCE.findall(inner)
    return otherwise(inner)


def _literal(value: Json) -> Json:
    return {"literal": type(value).__name__}


_RULES: dict[Rule, Callable[[str], Project]] = {
    Rule.KEEP: _keep,
    Rule.WHOLE: _whole,
    Rule.COUNT: _count,
    Rule.NAMES: _names,
    Rule.PRINT: _print,
    Rule.PRINTS: _prints,
    Rule.CODE: _code,
    Rule.PATHS: _paths,
}


def _object(shape: dict[str, Shape], path: str, code: bool) -> Project:
    kept = {name: inner for name, inner in shape.items() if inner is not Rule.DROP}
    fields = {name: compile_shape(inner, f"{path}.{name}" if path else name, code=code) for name, inner in kept.items()}
    known = frozenset(shape)

    def project(value: Json, notes: Notes) -> Json:
        if not isinstance(value, dict):
            return None if value is None else _marker(value, path, notes)
        if not value.keys() <= known:
            notes.unknown.update([f"{path}.{name}" if path else name for name in value.keys() - known])
        return {name: fields[name](inner, notes) for name, inner in value.items() if name in fields}

    return project


def _list(shape: Shape, path: str, code: bool) -> Project:
    each = compile_shape(shape, path, code=code)

    def project(value: Json, notes: Notes) -> Json:
        if not isinstance(value, list):
            return None if value is None else _marker(value, path, notes)
        return [each(item, notes) for item in value]

    return project


def compile_shape(shape: Shape, path: str = "", *, code: bool = False) -> Project:
    """A function (value, notes) -> what may be kept of it. With `code`, programs are kept as text too."""
    if isinstance(shape, OneOf):
        return _one_of(shape.words, path)
    if isinstance(shape, Rule):
        return _code_with_text(path) if code and shape is Rule.CODE else _RULES[shape](path)
    if isinstance(shape, list):
        return _list(shape[0], path, code)
    return _object(shape, path, code)


def policy(stream: Stream, *, code: bool = False) -> str:
    """12 hex digits that change whenever the stream's allow-list changes; every record carries them."""
    return digest(canonical(_spelled(stream.shape, code))).hex()[:12]


def _spelled(shape: Shape, code: bool) -> Any:
    if isinstance(shape, OneOf):
        return Rule.KEEP.value  # the documented words decide nothing about what is kept
    if isinstance(shape, Rule):
        return "text" if code and shape is Rule.CODE else shape.value
    return [_spelled(shape[0], code)] if isinstance(shape, list) else {k: _spelled(v, code) for k, v in shape.items()}


_PLAIN = re.compile(r"[A-Za-z0-9 \-._~:@+()]*").fullmatch  # nothing to encode: most ids and names


def key_part(value: str) -> str:
    """One field's share of a key: percent-encoded, so that the slash between two parts is the only one."""
    return value if _PLAIN(value) else quote(value, safe=" -._~:@+()", errors="surrogatepass")


def key_of(stream: Stream, record: Record) -> str:
    """The record's key: its identifying fields, percent-encoded and joined with "/".

    A very long one keeps its beginning and ends in a digest, so that it fits an index. Raises Unexpected
    when an identifying field is missing or not a plain value.
    """
    parts = []
    for name in stream.key:
        value = record.get(name, "")
        if isinstance(value, (dict, list)) or (name == stream.key[0] and value in ("", None)):
            raise Unexpected("record-without-key", f"A record of {stream.title} has no usable “{name}”.")
        parts.append(key_part("" if value is None else str(value)))
    key = "/".join(parts)
    return key if len(key) <= LONGEST_KEY else f"{key[:160]}~{digest(key.encode()).hex()}"
