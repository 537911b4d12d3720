"""How the change of a record is told: nouns, names, and fields whose change has words of its own."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from .streams import Json, Record


class Absent(Enum):
    """Stands where nothing stood."""

    ABSENT = "absent"


ABSENT: Final = Absent.ABSENT


@dataclass(frozen=True, slots=True)
class Difference:
    """One field that is not as it was.

    path   where it stands, names joined with dots
    words  what happened to it, to go on a sentence that has named the record: `URL changed from “a” to “b”`
    """

    path: str
    words: str
    before: Json = ABSENT
    after: Json = ABSENT


# (path of the field, what stood there, what stands there now) -> what is different by its meaning
Compare = Callable[[str, Json, Json], Sequence[Difference]]

NAMES = ("name", "displayName", "title", "email", "slug", "key", "id")


def name_of(record: Record) -> str:
    """What most records are called, "" where no field says it."""
    return next((said for each in NAMES if isinstance(said := record.get(each), str) and said.strip()), "")


def no_name(record: Record) -> str:
    """For records that are only told by the others that they stand between."""
    return ""


@dataclass(frozen=True)
class Beside:
    """Another record that names this one's place: `on` the destination whose key stands in these fields."""

    word: str
    stream: str
    fields: tuple[str, ...]


@dataclass(frozen=True)
class Trail:
    """How the service's own audit trail names this record.

    kind    the type of the resource     field  where the record holds the resource's id
    events  which types of event are about such a record, as a pattern for their beginning
    """

    kind: str
    field: str
    events: re.Pattern[str] = re.compile("")


@dataclass(frozen=True, kw_only=True)
class Wording:
    """How the changes of one stream's records are told.

    noun    what one of them is, in the singular: "filter"
    name    record -> what it is called, "" where only its place names it
    beside  the records that name its place
    fields  name of a field -> how it is compared and told; the others are compared as they stand
    titles  name of a field -> what it is called in a sentence; the others by their name, spelled out
    quiet   fields that change along with others and say nothing by themselves
    trail   how the audit trail names it, None when it does not
    """

    noun: str
    name: Callable[[Record], str] = name_of
    beside: tuple[Beside, ...] = ()
    fields: Mapping[str, Compare] = field(default_factory=dict)
    titles: Mapping[str, str] = field(default_factory=dict)
    quiet: frozenset[str] = frozenset({"updatedAt", "updatedBy"})
    trail: Trail | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """One entry of a service's audit trail. `at` is the time as the service wrote it."""

    at: str
    what: str
    who: str
    kind: str
    resource: str


@dataclass(frozen=True)
class AuditTrail:
    """The stream that keeps it, whose keys begin with the time of each event, and how to read a record of it."""

    stream: str
    event: Callable[[Record], Event | None]
