"""A run stream by stream, as pages show it: how each ended, which parts lack, what is odd, what is new in the API."""

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from django.db.models import Max

from . import display, registry
from .display import InGroup, Trouble, grouped
from .models import Connection, RunStream, SyncRun
from .spec import ANOMALIES, Connector, Coverage, Part, State, Stream
from .timings import Figures

# What a reading notices about the service's answers, by kind: which fields, never their values.
NOTICED: Mapping[str, str] = {
    "unknown": "Fields that are new here, and were left out",
    "wrong": "Fields of another type than documented, of which only the type is kept",
    "words": "Fields that hold a word which is not documented",
}


@dataclass(frozen=True)
class News:
    """What is new in the answers of one stream: `what` in words, and each field with how often it came."""

    title: str
    what: str
    fields: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Line:
    """`odd` is what a person should look at: its name and what it means; None when nothing is. `figures`: its requests,
    where somebody counted them."""

    row: RunStream
    mark: State
    parts: tuple[tuple[str, State], ...]
    odd: tuple[str, str] | None
    figures: Figures | None = None


@dataclass(frozen=True)
class Failure:
    """What went wrong with some streams in the same way, and what to do about it."""

    trouble: Trouble
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Lines:
    """The streams of a run in their groups; `left` are those that it did not ask for, and why."""

    groups: tuple[InGroup[Line], ...]
    marks: tuple[State, ...]
    left: tuple[InGroup[tuple[Stream, str]], ...]
    news: tuple[News, ...]
    failures: tuple[Failure, ...] = ()

    @property
    def unasked(self) -> int:
        return sum(len(group.rows) for group in self.left)


def lines(run: SyncRun, figures: Mapping[str, Figures] | None = None) -> Lines:
    """One query."""
    connector = registry.get(run.connection.connector)
    rows = list(run.stream_rows.order_by("position"))
    held = {row.stream: _line(row, figures) for row in rows}
    left = {stream.name: (stream, why) for stream, why in unasked(run, connector, held)}
    marks = tuple(line.mark for line in held.values())
    others = grouped(connector, left) if rows else ()
    return Lines(grouped(connector, held), marks, others, news(rows), _failures(held.values(), connector))


def unasked(run: SyncRun, connector: Connector, held: Container[str]) -> list[tuple[Stream, str]]:
    """The streams that a run which holds these did not ask for, and why not."""
    return [(stream, _why(stream, run)) for stream in connector.streams if stream.name not in held]


def _line(row: RunStream, figures: Mapping[str, Figures] | None) -> Line:
    parts = tuple(Part(key, Coverage(said[0]), reason=said[1]) for key, said in row.parts.items())
    return Line(
        row,
        replace(display.stream_state(row.state, row.reason, parts), why=""),
        tuple((part.key, display.stream_state(part.coverage, part.reason)) for part in parts),
        ANOMALIES.get(row.anomaly),
        figures.get(row.stream, Figures()) if figures is not None else None,
    )


def _failures(lines: Iterable[Line], connector: Connector) -> tuple[Failure, ...]:
    """The streams that were not read, by the code of what went wrong: many often fail for one reason."""
    found: dict[str, list[Line]] = {}
    for line in lines:
        if line.row.code:
            found.setdefault(line.row.code, []).append(line)
    return tuple(Failure(display.trouble(code, "", connector), tuple(held)) for code, held in found.items())


def _why(stream: Stream, run: SyncRun) -> str:
    groups = run.connection.groups
    chosen = stream.group.standard if groups is None else stream.group.name in groups
    if not chosen:
        return "Its group is not chosen."
    if run.streams:
        return "This run was asked for other streams."
    return "It is read in the slow lane." if stream.slow else "It is read by the main run."


# --- what is new in the API -----------------------------------------------------------------------


def news(rows: Iterable[RunStream]) -> tuple[News, ...]:
    """What is new in the answers, stream by stream."""
    return tuple(
        News(row.title, what, tuple(found.items()))
        for row in rows
        for kind, what in NOTICED.items()
        if (found := _noticed(row, kind))
    )


def _noticed(row: RunStream, kind: str) -> dict[str, int]:
    found: Any = row.changed_api.get(kind)
    return found if isinstance(found, dict) else {}


def newest_rows(connections: Iterable[Connection]) -> list[RunStream]:
    """The streams with news of the newest run that read something, of each connection and lane. One query."""
    begun = SyncRun.objects.filter(connection__in=connections, stream_rows__isnull=False)
    newest = begun.order_by().values("connection", "lane").annotate(last=Max("pk")).values("last")
    rows = RunStream.objects.filter(run__in=newest).exclude(changed_api={}).select_related("run")
    return list(rows.order_by("run", "position"))
