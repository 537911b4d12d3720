"""What a token opens: its region, its workspace, and stream by stream whether it may be read. Asks, keeps nothing."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from .http import Client
from .reading.listing import Listing
from .reading.verdicts import of_error
from .spec import Connector, ConnectorError, Identity, Moment, Record, Region, Stream, Way

OpenClient = Callable[[Region], Client]
READABLE = "readable"
NOT_CHECKED = "not_checked"
NOT_CHOSEN = "Not chosen."  # begins the reason of what nobody chose


@dataclass(frozen=True, slots=True)
class Capability:
    """One stream's verdict (readable, not_checked, or a Coverage), and the answer it was read from.

    at  when its request was sent, ISO 8601 in UTC; "" when none was
    """

    verdict: str
    path: str = ""
    status: int = 0
    items: int | None = None
    code: str = ""
    reason: str = ""
    at: str = ""


@dataclass(frozen=True, slots=True)
class Shown:
    """How many of the items on a listing's first page showed a secret (`spec.Exposure`); never one of them."""

    items: int
    showing: int


@dataclass(frozen=True)
class Found:
    """What a check found. `code` is "" when the token opens a workspace.

    first    the region that was asked first
    exposed  name of an exposure -> what its listing showed; without those whose listing was not read
    """

    code: str = ""
    message: str = ""
    region: str = ""
    tried: Mapping[str, str] = field(default_factory=dict)  # region -> "answered" or the code of its error
    workspace: Identity | None = None
    streams: Mapping[str, Capability] = field(default_factory=dict)
    first: str = ""
    exposed: Mapping[str, Shown] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def check(connector: Connector, regions: Sequence[Region], open_client: OpenClient, wanted: Sequence[Stream]) -> Found:
    """Tries the regions in the given order, then every wanted stream in the one that answers.

    When none does, the first one's error is told: the others refuse any token that is not theirs, so what they
    say proves nothing about it.
    """
    tried: dict[str, str] = {}
    errors: list[ConnectorError] = []
    for region in regions:
        client = open_client(region)
        try:
            identity = connector.identity(client.get(connector.probe))
        except ConnectorError as error:
            tried[region.name] = error.code
            errors.append(error)
            continue
        finally:
            client.close()
        tried[region.name] = "answered"
        streams, exposed = capabilities(connector, open_client(region), wanted)
        return Found("", "", region.name, tried, identity, streams, regions[0].name, exposed)
    chosen = errors[0]
    code = "token-rejected" if chosen.status in (401, 403) else chosen.code
    return Found(code, chosen.message, "", tried, first=regions[0].name)


def capabilities(
    connector: Connector, client: Client, wanted: Sequence[Stream]
) -> tuple[dict[str, Capability], dict[str, Shown]]:
    """One small request for each stream; a child stream is asked for its parent's first record.

    What nobody chose is not asked, nor what may be asked only a few times a minute. Of a listing that may show a
    secret the whole first page is looked at.
    """
    found = {each.name: Capability(NOT_CHECKED, reason=_unasked(each, wanted)) for each in connector.streams}
    exposed: dict[str, Shown] = {}
    first: dict[str, Record] = {}
    left = [stream for stream in wanted if not stream.slow]
    with ThreadPoolExecutor(8) as pool:
        while now := [stream for stream in left if _askable(stream, first) and _ripe(stream, left)]:
            left = [stream for stream in left if stream not in now]
            probed = pool.map(lambda stream: _probe(connector, client, stream, first), now)
            for stream, probe in zip(now, list(probed), strict=True):
                found[stream.name] = probe.capability
                exposed.update(probe.exposed)
                if probe.record is not None:
                    first[stream.name] = probe.record
    client.close()
    return found, exposed


def _unasked(stream: Stream, wanted: Sequence[Stream]) -> str:
    if stream not in wanted:
        return f"{NOT_CHOSEN} {stream.group.caution}".strip()
    if stream.slow:
        return f"It may be asked only {stream.per_minute} times a minute: the first sync shows it."
    return "It is read for each record of another stream, and that one gave none."


def _ripe(stream: Stream, left: Sequence[Stream]) -> bool:
    """Whether none of its parents is still to be asked: the first way that can be asked is the one that is shown."""
    return not any(way.parent == other.name for way in stream.ways for other in left)


@dataclass(frozen=True)
class _Probe:
    capability: Capability
    record: Record | None = None
    exposed: Mapping[str, Shown] = field(default_factory=dict)


def _probe(connector: Connector, client: Client, stream: Stream, first: Mapping[str, Record]) -> _Probe:
    way = _askable(stream, first)
    assert way is not None
    given: dict[str, str] = {}
    if way.parent:
        parent = connector.stream(way.parent)
        given = {name: str(first[way.parent].get(name) or "") for name in (*parent.key, *way.fields)}
    now = datetime.now(UTC)
    listing = Listing(0, stream, stream.ways.index(way), given, way.listings(Moment(now))[0])
    watched = [exposure for exposure in connector.exposed if exposure.stream == stream.name]
    paging = connector.paging.params(stream.page_size if watched else 1, None) if way.paged else {}
    asked = Capability(READABLE, listing.path, 200, at=now.isoformat(timespec="seconds"))
    try:
        data = client.get(listing.path, {**listing.query, **paging})
    except ConnectorError as error:
        state = of_error(stream, error)
        refused = replace(asked, verdict=state.value, status=error.status, code=error.code, reason=error.message)
        return _Probe(refused)
    items = data.get(way.items) if way.items else data
    listed = items if isinstance(items, list) else [items]
    total = connector.paging.total(data) if way.paged else len(listed)
    record = way.record(listing.asked_with, listed[0]) if listed else None
    return _Probe(
        replace(asked, items=None if stream.parents else total),
        record if isinstance(record, dict) else None,
        {each.name: Shown(len(listed), sum(each.count(item) > 0 for item in listed)) for each in watched},
    )


def _askable(stream: Stream, first: Mapping[str, Record]) -> Way | None:
    """The first way whose parent is known by a record."""
    return next((way for way in stream.ways if not way.parent or way.parent in first), None)
