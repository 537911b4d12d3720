"""What is asked of a service, and what of its answers is kept."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from string import Formatter
from typing import Any, Protocol


class Coverage(StrEnum):
    """How much of one stream a run has read. Only COMPLETE may say that something is absent."""

    COMPLETE = "complete"
    DENIED = "denied"
    NOT_ENABLED = "not_enabled"
    FAILED = "failed"
    UNSTABLE = "unstable"
    NOT_REQUESTED = "not_requested"


# What should have been read and was not.
MISSING = frozenset({Coverage.DENIED, Coverage.FAILED, Coverage.UNSTABLE})


class Rule(StrEnum):
    """What happens to one field of a response before anything is kept."""

    KEEP = "keep"  # a scalar, as it is
    WHOLE = "whole"  # any JSON, as it is (a tracking plan's JSON Schema)
    COUNT = "count"  # only how many entries there were
    NAMES = "names"  # only the names of the keys, sorted: values may be secret
    PRINT = "print"  # one secret: a keyed fingerprint of it
    PRINTS = "prints"  # a list of secrets: how many, and a keyed fingerprint of each
    CODE = "code"  # a program: its sha256 and its size; the text only where an administrator turned it on
    PATHS = "paths"  # a mapping: which fields of an event go where; literal values are left out
    DROP = "drop"  # known, and of no use as evidence


KEEP, WHOLE, COUNT, NAMES, PRINT, PRINTS, CODE, PATHS, DROP = Rule


@dataclass(frozen=True)
class OneOf:
    """A scalar of which the service documents every value. Another one is kept, and noted as new."""

    words: frozenset[str]


def one_of(*words: str) -> OneOf:
    return OneOf(frozenset(words))


UNREADABLE = "$unreadable"  # {UNREADABLE: type} stands in a record for a value of a type that was not expected

Shape = Any  # Rule | OneOf | dict[str, Shape] | list[Shape]; recursive aliases need Python 3.12
Json = Any
Record = Mapping[str, Json]
Given = Mapping[str, str]  # what a listing was asked with: key and named fields of the parent, its own parameters


@dataclass(frozen=True, slots=True)
class Moment:
    """What the parameters of a listing may depend on.

    now    when the reading began, UTC
    since  key of the newest record that is known of the stream, "" when none is
    """

    now: datetime
    since: str = ""


def fields(shape: Shape, path: str = "") -> Iterator[tuple[str, Rule]]:
    """The fields that a shape names, as the service spells them, and what happens to each; a list's items share one."""
    if isinstance(shape, dict):
        for name, inner in shape.items():
            yield from fields(inner, f"{path}.{name}" if path else name)
    elif isinstance(shape, list):
        yield from fields(shape[0], path)
    else:
        yield path, KEEP if isinstance(shape, OneOf) else shape


@dataclass(frozen=True, kw_only=True)
class Way:
    """One way to ask for a stream.

    path      request path; names in braces are fields of the parent record, as in "/tracking-plans/{id}/rules"
    items     key of the list (or object) inside the response's data; "" takes the data itself
    parent    name of the stream whose records it is asked for, "" for a listing of its own
    query     parameters of every request, with the same braces
    listings  moment -> the further parameters of each listing; most streams are one listing without any
    part      the parameter of `listings` that begins the records' keys, so that each listing can stand alone
    within    whether the records' keys begin with the parent's key, so that each parent's listing can stand alone
    many      name of the stream that bounds how long one parent's listing is, for estimating its pages
    ask       parent record -> must we ask at all (a group without members need not be read)
    embedded  parent record, before redaction -> the answer, when the parent already carried it
    record    (what was asked with, item) -> item; adds the parent's key, makes an object of a string
    """

    path: str
    items: str = ""
    parent: str = ""
    query: Mapping[str, str] = field(default_factory=dict)
    listings: Callable[[Moment], Sequence[Mapping[str, str]]] = lambda moment: ({},)
    part: str = ""
    within: bool = True
    many: str = ""
    paged: bool = True
    ask: Callable[[Record], bool] = lambda parent: True
    embedded: Callable[[Record], Json | None] = lambda parent: None
    record: Callable[[Given, Json], Json] = lambda given, item: item

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields of the parent record that a request is made of, in the order in which they are named."""
        templates = (self.path, *self.query.values())
        named = (name for text in templates for _, name, _, _ in Formatter().parse(text) if name)
        return tuple(dict.fromkeys(named))


@dataclass(frozen=True)
class Group:
    """Streams that an administrator chooses together.

    standard  whether it is read unless somebody says otherwise
    caution   why it is not, or what it costs
    why       what the evidence needs it for, a sentence
    """

    name: str
    title: str
    about: str
    standard: bool = True
    caution: str = ""
    why: str = ""


@dataclass(frozen=True, kw_only=True)
class Stream:
    """One kind of listing: where it is read, what identifies a record, and what of it is kept.

    key         fields of the kept record that identify it; joined with "/" they are the record's key
    shape       the allow-list; a field that is not in it never reaches the disk
    per_minute  the service's documented limit for this path, None when it is the common one
    gate        the feature or role the service's documentation names for it, in words
    feature     the feature that may be off, "" when every workspace has it
    plan        the plan without which the service does not offer it, "" when none is documented
    roles       names of the lesser roles (`Guide.lesser`) that are enough when a token has all of them; () where none
                is documented, so that only a token that sees everything is known to do
    open        whether any token reads it, also one without roles
    grows       a log: what is not listed any more stays known
    timed       a log whose keys sort by time: a listing must reach back to the newest record that is known
    most_pages  of such a log that is listed newest first: where to stop when what is known does not come, 0 for never
    repeats     whether the service may list the same record more than once
    refers      field -> stream whose key it holds: what points nowhere is read again
    source      documentation page of the facts above
    """

    name: str
    title: str
    group: Group
    ways: tuple[Way, ...]
    key: tuple[str, ...]
    shape: Shape
    page_size: int = 200
    per_minute: int | None = None
    gate: str = ""
    feature: str = ""
    plan: str = ""
    roles: tuple[str, ...] = ()
    open: bool = False
    about: str = ""
    grows: bool = False
    timed: bool = False
    most_pages: int = 0
    repeats: bool = False
    refers: Mapping[str, str] = field(default_factory=dict)
    source: str = ""

    @property
    def parents(self) -> frozenset[str]:
        return frozenset(way.parent for way in self.ways if way.parent)

    @property
    def slow(self) -> bool:
        """Whether it is read in the slow lane: so few requests a minute are allowed that the rest must not wait."""
        return self.per_minute is not None and self.per_minute <= SLOW_PER_MINUTE


SLOW_PER_MINUTE = 5


class Paging(Protocol):
    """How a service pages. All three are pure."""

    def params(self, size: int, cursor: str | None) -> Mapping[str, str]: ...
    def next(self, data: Record) -> str | None: ...
    def total(self, data: Record) -> int | None: ...
