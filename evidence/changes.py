"""What happened to one record between two snapshots: field by field, and in words. Pure, no Django.

Two values are different when they mean something different: a field that is missing and one that is null are the same,
and so is whatever a connector's own comparison (`spec.Wording.fields`) takes for the same.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property

from connectors.spec import ABSENT, Difference, Json, Record, Wording

from .text import visible

LONGEST_VALUE = 60  # characters of a value inside a sentence
LONGEST_CELL = 2_000  # of a value in a table of fields; the raw record has all of it
MOST_TOLD = 3  # differences in one sentence
VERBS = ("was ", "is ")  # what a predicate may begin with that goes on a sentence
PROGRAM = {"sha256", "bytes"}  # fields of what the portal keeps of a program
SECRETS = {"count", "prints"}  # and of a list of secrets
Names = Mapping[tuple[str, str], str]  # stream and key of a record -> what it is called


class Kind(StrEnum):
    """What happened to a record. REWRITTEN: its bytes are others, what they say is the same."""

    ADDED = "added"
    CHANGED = "changed"
    REMOVED = "removed"
    REWRITTEN = "rewritten"


KIND_WORDS = {
    Kind.ADDED: "Added",
    Kind.CHANGED: "Changed",
    Kind.REMOVED: "Removed",
    Kind.REWRITTEN: "Only written differently",
}


@dataclass(frozen=True)
class Told:
    """One record's change in words.

    places     the records that name its place: a word, and what that record is called
    predicate  what happened, to go on after the record is named
    """

    kind: Kind
    places: tuple[tuple[str, str], ...]
    predicate: str
    wording: Wording
    before: Record
    after: Record
    readable: bool = True

    @property
    def noun(self) -> str:
        return self.wording.noun

    @cached_property
    def name(self) -> str:
        """What the record is called now, or was when it went; "" when only its place names it."""
        return self.wording.name(self.after or self.before)

    @cached_property
    def differences(self) -> tuple[Difference, ...]:
        """Field by field; of a record that came or went, all its fields."""
        return compare(self.wording, self.before, self.after) if self.readable else ()

    @property
    def subject(self) -> str:
        named = f"{self.noun} “{self.name}”" if self.name else self.noun
        said = "".join(f" {word} “{place}”" for word, place in self.places)
        return visible(f"{named[:1].upper()}{named[1:]}{said}")

    @property
    def joint(self) -> str:
        """What stands between the record and what happened to it."""
        return " " if self.predicate.startswith(VERBS) else ": "

    @property
    def sentence(self) -> str:
        """All of it as plain text: `Filter “drop SSN” on “Facebook Pixel” was disabled`."""
        return f"{self.subject}{self.joint}{visible(self.predicate)}"

    @property
    def fields(self) -> tuple[str, ...]:
        """The paths that are different, each once."""
        return tuple(dict.fromkeys(each.path for each in self.differences))


def tell(wording: Wording, before: Record | None, after: Record | None, names: Names, keys: Sequence[str]) -> Told:
    """What happened to a record; None stands for the time when it was not there, and not for both.

    `keys` are those of the records beside it, in the order of `wording.beside`.
    """
    places = tuple(
        (place.word, names.get((place.stream, key), key))
        for place, key in zip(wording.beside, keys, strict=True)
        if key
    )
    if before is None:
        return Told(Kind.ADDED, places, "was added", wording, {}, after or {})
    if after is None:
        return Told(Kind.REMOVED, places, "was removed", wording, before, {})
    if found := compare(wording, before, after):
        return Told(Kind.CHANGED, places, _predicate(found, wording), wording, before, after)
    return Told(Kind.REWRITTEN, places, "is only written differently: it means the same", wording, before, after)


def unreadable(told: Told) -> Told:
    """The same of a record whose bytes are gone or damaged, before or after: that it happened is all that is known."""
    words = (
        f"was {told.kind if told.kind is not Kind.REWRITTEN else Kind.CHANGED}, and not all of it can be read any more"
    )
    return replace(told, predicate=words, readable=False)


def _predicate(found: Sequence[Difference], wording: Wording) -> str:
    """The first differences in words; quiet ones only where there is no other, and what is told as a verb first."""
    loud = [each for each in found if each.path.partition(".")[0] not in wording.quiet] or found
    said = sorted(dict.fromkeys(each.words for each in loud), key=lambda words: not words.startswith(VERBS))
    more = len(said) - MOST_TOLD
    return "; ".join(said if more <= 1 else [*said[:MOST_TOLD], f"and {more} more"])


# --- field by field -----------------------------------------------------------------------------


def compare(wording: Wording, before: Record, after: Record) -> tuple[Difference, ...]:
    """The fields of two records that do not mean the same, in the order of their names."""
    return tuple(_objects(wording, "", before, after))


def _objects(wording: Wording, path: str, before: Record, after: Record) -> Iterator[Difference]:
    for name in sorted({*before, *after}):
        where = f"{path}.{name}" if path else name
        yield from _values(wording, where, before.get(name), after.get(name))


def _values(wording: Wording, path: str, before: Json, after: Json) -> Iterator[Difference]:
    if same(before, after):
        return
    if own := wording.fields.get(path):
        yield from own(path, before, after)
    elif _is_object(before) and _is_object(after):
        yield from _objects(wording, path, before or {}, after or {})
    elif _is_secrets(before) and _is_secrets(after):
        yield from _lists(wording, path, before["prints"], after["prints"])
    elif _is_list(before) and _is_list(after):
        yield from _lists(wording, path, before or [], after or [])
    else:
        yield Difference(path, _words(wording, path, before, after), _or_absent(before), _or_absent(after))


def _is_object(value: Json) -> bool:
    """Whether its fields are told one by one; what is not there counts as one without fields."""
    return value is None or (isinstance(value, dict) and not value.keys() >= PROGRAM and not value.keys() >= SECRETS)


def _is_list(value: Json) -> bool:
    """What is not there counts as a list without entries."""
    return value is None or isinstance(value, list)


def _is_secrets(value: Json) -> bool:
    return isinstance(value, dict) and value.keys() >= SECRETS


def same(before: Json, after: Json) -> bool:
    """Whether two values are written alike but for the order of names. Most are altogether, and `repr` is quick."""
    return repr(before) == repr(after) or _spelled(before) == _spelled(after)


def _spelled(value: Json) -> str:
    return json.dumps(value, sort_keys=True)


def _or_absent(value: Json) -> Json:
    return ABSENT if value is None else value


def _lists(wording: Wording, path: str, before: Sequence[Json], after: Sequence[Json]) -> Iterator[Difference]:
    """Only the entries that came or went; the order alone is told as such."""
    old, new = Counter(map(_spelled, before)), Counter(map(_spelled, after))
    gone, come = ([json.loads(each) for each in less.elements()] for less in (old - new, new - old))
    title = title_of(wording, path)
    if not gone and not come:
        if before:
            yield Difference(path, f"{title} were put in another order", before, after)
        return
    counts = [f"{len(come)} added"] * bool(come) + [f"{len(gone)} removed"] * bool(gone)
    one = come if not gone else gone if not come else []
    named = f" (“{_brief(one[0])}”)" if len(one) == 1 and isinstance(one[0], str) else ""
    yield Difference(path, f"{title}: {', '.join(counts)}{named}", gone or ABSENT, come or ABSENT)


# --- words --------------------------------------------------------------------------------------


def title_of(wording: Wording, path: str) -> str:
    """What a field is called in a sentence: `settings.fooBar` is “settings foo bar” unless a connector says more."""
    said = wording.titles.get(path) or wording.titles.get(path.rpartition(".")[2])
    return said or re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", path.replace(".", " ")).lower()


def _words(wording: Wording, path: str, before: Json, after: Json) -> str:
    if path == "enabled" and isinstance(after, bool):
        return "was enabled" if after else "was disabled"
    title = title_of(wording, path)
    if path in ("name", "displayName", "title") and isinstance(before, str) and isinstance(after, str):
        return f"was renamed, before it was “{_brief(before)}”"
    if any(isinstance(each, (dict, list)) for each in (before, after)):
        happened = "was set" if before is None else "was taken away" if after is None else "was changed"
        return f"{title} {happened}"
    if before is None:
        return f"{title} set to {_quoted(after)}"
    if after is None:
        return f"{title} taken away (was {_quoted(before)})"
    return f"{title} changed from {_quoted(before)} to {_quoted(after)}"


def _quoted(value: Json) -> str:
    return f"“{_brief(value)}”" if isinstance(value, str) else _spelled(value)


def _brief(value: Json) -> str:
    text = " ".join((value if isinstance(value, str) else _spelled(value)).split())
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 1]}…"


def cell(value: Json) -> str | None:
    """A value for a table of fields, None where nothing stands."""
    if value is ABSENT:
        return None
    if isinstance(value, list) and value and all(isinstance(each, str) for each in value):
        text = "\n".join(value)
    else:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)
    return text if len(text) <= LONGEST_CELL else f"{text[: LONGEST_CELL - 1]}…"
