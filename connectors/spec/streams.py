"""What is asked of a service, and what of its answers is kept."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol


class Coverage(StrEnum):
    """How much of one stream a run has read. Only COMPLETE may say that something is absent."""

    COMPLETE = "complete"
    DENIED = "denied"
    NOT_ENABLED = "not_enabled"
    FAILED = "failed"
    UNSTABLE = "unstable"
    NOT_REQUESTED = "not_requested"


class Rule(StrEnum):
    """What happens to one field of a response before anything is kept."""

    KEEP = "keep"  # a scalar, as it is
    WHOLE = "whole"  # any JSON, as it is (a tracking plan's JSON Schema)
    COUNT = "count"  # only how many entries there were
    NAMES = "names"  # only the names of the keys, sorted: values may be secret
    PRINTS = "prints"  # a list of secrets: how many, and a keyed fingerprint of each
    DROP = "drop"  # known, and of no use as evidence


KEEP, WHOLE, COUNT, NAMES, PRINTS, DROP = Rule

UNREADABLE = "$unreadable"  # {UNREADABLE: type} stands in a record for a value of a type that was not expected

Shape = Any  # Rule | dict[str, Shape] | list[Shape]; recursive aliases need Python 3.12
Json = Any
Record = Mapping[str, Json]


@dataclass(frozen=True, kw_only=True)
class Way:
    """One way to ask for a stream.

    path      request path; `{parent}` stands for the key of the parent record
    items     key of the list (or object) inside the response's data; "" takes the data itself
    parent    name of the stream whose records it is asked for, "" for a listing of its own
    ask       parent record -> must we ask at all (a group without members need not be read)
    embedded  parent record, before redaction -> the answer, when the parent already carried it
    record    (parent key, item) -> item; adds the parent's key, makes an object of a string
    """

    path: str
    items: str = ""
    parent: str = ""
    paged: bool = True
    ask: Callable[[Record], bool] = lambda parent: True
    embedded: Callable[[Record], Json | None] = lambda parent: None
    record: Callable[[str, Json], Json] = lambda parent, item: item


@dataclass(frozen=True, kw_only=True)
class Stream:
    """One kind of listing: where it is read, what identifies a record, and what of it is kept.

    key      fields of the kept record that identify it; joined with "/" they are the record's key
    shape    the allow-list; a field that is not in it never reaches the disk
    per_minute  the service's documented limit for this path, None when it is the common one
    gate     the feature or role the service's documentation names for it, in words
    optional whether a 403 or 404 may mean that the feature is off
    source   documentation page of the facts above
    """

    name: str
    title: str
    group: str
    ways: tuple[Way, ...]
    key: tuple[str, ...]
    shape: Shape
    page_size: int = 200
    per_minute: int | None = None
    gate: str = ""
    feature: str = ""
    about: str = ""
    source: str = ""

    @property
    def parents(self) -> frozenset[str]:
        return frozenset(way.parent for way in self.ways if way.parent)


class Paging(Protocol):
    """How a service pages. All three are pure."""

    def params(self, size: int, cursor: str | None) -> Mapping[str, str]: ...
    def next(self, data: Record) -> str | None: ...
    def total(self, data: Record) -> int | None: ...
