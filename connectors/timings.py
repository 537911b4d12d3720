"""Where the time of a run went, told from its receipts: how long a stream took, what was asked again, what waited.

A receipt does not name its stream; its path does, by the declarations. So these figures are there for every run that
has receipts, old ones too, and cannot say anything that the signed log of requests does not.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from string import Formatter

from .models import SyncRun
from .spec import Connector

RETRIED, REPEATED = "retried", "repeated"
SLOWEST = 10
A_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as its receipt has it, and what the others say of it.

    stream  the name of its stream; "" for one that no declaration accounts for, and for one that asked whose token it
            is, also where a stream is asked at that address
    again   RETRIED when the same was asked before and not answered well, REPEATED when it was answered and a listing
            was read again, "" otherwise
    waited  from the answer that could not be used to this request
    """

    n: int
    path: str
    query: str
    status: int
    attempt: int
    sent_at: datetime
    ms: int
    size: int
    sha256: bytes
    request_id: str
    stream: str
    again: str
    waited: timedelta

    @property
    def ended(self) -> datetime:
        return self.sent_at + timedelta(milliseconds=self.ms)


@dataclass(frozen=True)
class Figures:
    """What some requests add up to. Requests travel side by side, so `ms` and `waited` may exceed `span`."""

    requests: int = 0
    size: int = 0
    ms: int = 0
    retried: int = 0
    repeated: int = 0
    limited: int = 0
    waited: timedelta = timedelta()
    first: datetime | None = None
    last: datetime | None = None
    statuses: Mapping[int, int] = field(default_factory=dict)

    @property
    def span(self) -> timedelta | None:
        """From the first request to the last answer."""
        return self.last - self.first if self.first and self.last else None

    @property
    def busy(self) -> timedelta:
        return timedelta(milliseconds=self.ms)


@dataclass(frozen=True)
class Silence:
    """The longest time in which a run sent nothing and waited for no answer."""

    since: datetime
    length: timedelta


def asked(run: SyncRun, connector: Connector) -> list[Asked]:
    """The requests of a run in their order. One query."""
    stream_of, probe = _streams_by_path(connector), connector.probe
    known: dict[tuple[str, str], Asked] = {}
    found = []
    for row in run.receipts.order_by("n").values(*_COLUMNS):
        path, before = row["path"], known.get((row["path"], row["query"]))
        again = _again(before, row["attempt"], identity=path == probe)
        waited = max(row["sent_at"] - before.ended, timedelta()) if before and again == RETRIED else timedelta()
        stream = "" if path == probe else stream_of(path)
        own = {**row, "sha256": bytes(row["sha256"])}
        each = Asked(**own, stream=stream, again=again, waited=waited)
        known[path, row["query"]] = each
        found.append(each)
    return found


_COLUMNS = ("n", "path", "query", "status", "attempt", "sent_at", "ms", "size", "sha256", "request_id")


def _again(before: Asked | None, attempt: int, *, identity: bool) -> str:
    """A request after another one for the same; who the token belongs to is asked more than once by design."""
    if before is None:
        return ""
    if before.status != 200 or attempt > 1:
        return RETRIED
    return "" if identity else REPEATED


def _streams_by_path(connector: Connector) -> Callable[[str], str]:
    """Path of a request -> name of the stream that asks so, "" when none does."""
    ways = [(way.path, stream.name) for stream in connector.streams for way in stream.ways]
    ways.sort(key=lambda way: way[0].count("{"))  # a path that is spelt out goes before one with fields
    pattern = re.compile("|".join(f"({_pattern(path)})" for path, _ in ways))

    def name(path: str) -> str:
        found = pattern.fullmatch(path)
        return ways[found.lastindex - 1][1] if found and found.lastindex else ""

    return name


def _pattern(path: str) -> str:
    parts = Formatter().parse(path)
    return "".join(re.escape(text) + ("[^/]+" if name else "") for text, name, _, _ in parts)


def figures(rows: Iterable[Asked]) -> Figures:
    held = list(rows)
    if not held:
        return Figures()
    return Figures(
        requests=len(held),
        size=sum(row.size for row in held),
        ms=sum(row.ms for row in held),
        retried=sum(row.again == RETRIED for row in held),
        repeated=sum(row.again == REPEATED for row in held),
        limited=sum(row.status == 429 for row in held),
        waited=sum((row.waited for row in held), timedelta()),
        first=min(row.sent_at for row in held),
        last=max(row.ended for row in held),
        statuses=dict(sorted(Counter(row.status for row in held).items())),
    )


def by_stream(rows: Iterable[Asked]) -> dict[str, Figures]:
    """By name of the stream; under "" what no stream accounts for."""
    held: dict[str, list[Asked]] = {}
    for row in rows:
        held.setdefault(row.stream, []).append(row)
    return {stream: figures(found) for stream, found in held.items()}


def slowest(rows: Sequence[Asked]) -> list[Asked]:
    return sorted(rows, key=lambda row: (-row.ms, row.n))[:SLOWEST]


def silence(rows: Sequence[Asked]) -> Silence | None:
    """None when it was shorter than a second."""
    found, heard = None, None
    for row in sorted(rows, key=lambda row: row.sent_at):
        if heard is not None and (found is None or row.sent_at - heard > found.length):
            found = Silence(heard, max(row.sent_at - heard, timedelta()))
        heard = row.ended if heard is None else max(heard, row.ended)
    return found if found is not None and found.length >= A_SECOND else None
