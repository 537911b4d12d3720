"""A connector as a whole; it refuses to exist when its parts contradict each other."""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from .errors import NotDeclared
from .guide import Guide
from .reports import ReportSpec
from .streams import Group, Json, Paging, Record, Stream
from .wording import AuditTrail, Wording


@dataclass(frozen=True)
class Region:
    name: str
    title: str
    origin: str


@dataclass(frozen=True)
class Identity:
    """The workspace as the service names it."""

    id: str
    slug: str
    name: str


@dataclass(frozen=True, kw_only=True)
class Exposure:
    """A secret that the service shows to some tokens in a listing, which a token had better not be shown.

    name    stable, for what is kept of a check
    title   what it is called, in the plural and in the middle of a sentence
    stream  name of the stream whose listing carries it; not one that is read for each parent
    field   where it stands in an item
    count   an item as it came -> how many it shows; their values are never kept
    about   who is shown it, and what the portal does with it: a sentence each
    source  documentation page of that
    """

    name: str
    title: str
    stream: str
    field: str
    count: Callable[[Json], int]
    about: str
    source: str = ""


@dataclass(frozen=True, kw_only=True)
class Connector:
    """What the portal knows of one service.

    headers   token -> request headers
    data      a parsed body -> the part that holds items and paging; raises Unexpected
    identity  that part of the answer to `probe` -> the workspace; raises Unexpected
    wait      a parsed error body -> seconds to wait, None when it does not say
    clean     what a person pasted -> the token in it
    fault     what is wrong with a token's shape, "" when nothing is; never quotes it
    secrets   finds tokens of this service in free text, for redaction
    wordings  stream -> how changes of its records are told; the others get a plain one
    trail     its own audit trail, None when it has none
    exposed   what a check counts besides, so that somebody sees whether the token is shown more than it needs
    """

    slug: str
    title: str
    category: str
    summary: str
    regions: tuple[Region, ...]
    probe: str
    streams: tuple[Stream, ...]
    reports: tuple[ReportSpec, ...]
    guide: Guide
    paging: Paging
    headers: Callable[[str], Mapping[str, str]]
    data: Callable[[Json], Record]
    identity: Callable[[Record], Identity]
    wait: Callable[[Json], float | None]
    clean: Callable[[str], str]
    fault: Callable[[str], str]
    secrets: re.Pattern[str]
    docs: str = ""
    wordings: Mapping[str, Wording] = field(default_factory=dict)
    trail: AuditTrail | None = None
    exposed: tuple[Exposure, ...] = ()

    def __post_init__(self) -> None:
        names = [stream.name for stream in self.streams]
        if len(set(names)) != len(names):
            raise NotDeclared(f"{self.slug}: two streams have the same name")
        for at, stream in enumerate(self.streams):
            late = stream.parents - set(names[:at])
            if late:
                raise NotDeclared(f"{self.slug}: {stream.name} is declared before its parent {sorted(late)[0]}")
            strange = (set(stream.refers.values()) | {way.many for way in stream.ways} - {""}) - set(names)
            if strange:
                raise NotDeclared(f"{self.slug}: {stream.name} refers to an unknown stream {sorted(strange)[0]}")
            for way in stream.ways:
                unkept = set(way.fields) - set(self.stream(way.parent).shape if way.parent else ())
                if unkept:
                    raise NotDeclared(f"{self.slug}: {stream.name} is asked by {sorted(unkept)[0]}, which is not kept")
        for report in self.reports:
            strange = set(report.streams) - set(names)
            if strange:
                raise NotDeclared(f"{self.slug}: report {report.name} needs unknown stream {sorted(strange)[0]}")
        self._refuse_strange_words(names)
        self._refuse_strange_rights(names)

    def _refuse_strange_rights(self, names: Collection[str]) -> None:
        roles = {role.name for role in self.guide.lesser}
        for stream in self.streams:
            if strange := set(stream.roles) - roles:
                raise NotDeclared(f"{self.slug}: {stream.name} needs the unknown role {sorted(strange)[0]}")
        for exposure in self.exposed:
            if exposure.stream not in names or self.stream(exposure.stream).parents:
                raise NotDeclared(f"{self.slug}: {exposure.name} stands in no listing of its own")

    def _refuse_strange_words(self, names: Collection[str]) -> None:
        told = {place.stream for wording in self.wordings.values() for place in wording.beside} | set(self.wordings)
        if strange := (told | ({self.trail.stream} if self.trail else set())) - set(names):
            raise NotDeclared(f"{self.slug}: words are declared for an unknown stream {sorted(strange)[0]}")

    @property
    def groups(self) -> tuple[Group, ...]:
        """The groups of its streams, in the order in which they first appear."""
        return tuple({stream.group.name: stream.group for stream in self.streams}.values())

    def chosen(self, groups: Collection[str] | None) -> list[Stream]:
        """The streams of these groups, those of the standard ones where nobody chose."""
        return [s for s in self.streams if (s.group.standard if groups is None else s.group.name in groups)]

    def stream(self, name: str) -> Stream:
        return next(stream for stream in self.streams if stream.name == name)

    def wording(self, name: str) -> Wording:
        """How changes of a stream's records are told."""
        return self.wordings.get(name) or Wording(noun=f"record of {self.stream(name).title.lower()}")

    def report(self, name: str) -> ReportSpec:
        return next(report for report in self.reports if report.name == name)
