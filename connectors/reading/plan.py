"""What is to be read, how patiently, and where it goes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from .. import locker
from ..limits import MINUTE, Pace
from ..spec import Stream
from .listing import Listing

if TYPE_CHECKING:
    from . import Reading


@dataclass(frozen=True, kw_only=True)
class Tempo:
    """How patient a reading is, in seconds.

    again     before a stream that lost much is read a second time
    patience  the longest wait with nothing else to do; beyond it the worker is freed
    pace      of the service's limits
    """

    again: float = 60.0
    patience: float = 180.0
    pace: Pace = MINUTE


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is to be read.

    newest  stream -> part -> key of the newest record known, for logs
    before  stream -> how many records are known
    known   addresses of records that the workspace has, or had
    """

    workspace: str
    streams: tuple[Stream, ...]
    now: datetime
    newest: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    before: Mapping[str, int] = field(default_factory=dict)
    known: locker.Addresses = locker.NONE_KNOWN
    code: bool = False
    tempo: Tempo = Tempo()


class Postponed(Exception):
    """Nothing can be asked before `until`: the worker should do something else meanwhile."""

    def __init__(self, until: datetime) -> None:
        super().__init__(f"until {until}")
        self.until = until


class Stale(Exception):
    """A slot was not used in time; the page takes another."""


class Sink(Protocol):
    """Where a reading goes. The coordinator calls it from one thread."""

    def stage(self, listing: Listing, sealed: list[locker.Sealed]) -> None: ...

    def discard(self, listing: Listing) -> None: ...

    def beat(self, reading: "Reading") -> None: ...
