"""What a token opens: its region, its workspace, and stream by stream whether it may be read. Asks, keeps nothing."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import Any
from urllib.parse import quote

from .http import Client
from .reading import verdict
from .spec import Connector, ConnectorError, Identity, Record, Region, Stream, Way

OpenClient = Callable[[Region], Client]
READABLE = "readable"
NOT_CHECKED = "not_checked"


@dataclass(frozen=True, slots=True)
class Capability:
    """One stream's verdict (readable, not_checked, or a Coverage), and the answer it was read from."""

    verdict: str
    path: str = ""
    status: int = 0
    items: int | None = None
    code: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Found:
    """What a check found. `code` is "" when the token opens a workspace."""

    code: str = ""
    message: str = ""
    region: str = ""
    tried: Mapping[str, str] = field(default_factory=dict)  # region -> "answered" or the code of its error
    workspace: Identity | None = None
    streams: Mapping[str, Capability] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def check(connector: Connector, regions: Sequence[Region], open_client: OpenClient) -> Found:
    """Tries the regions in the given order, then every stream in the one that answers.

    When none does, the first one's error is told: the others refuse any token that is not theirs, so what they
    say proves nothing about it.
    """
    tried: dict[str, str] = {}
    errors: list[ConnectorError] = []
    for region in regions:
        client = open_client(region)
        try:
            identity = connector.identity(client.get(connector.probe).data)
        except ConnectorError as error:
            tried[region.name] = error.code
            errors.append(error)
            continue
        finally:
            client.close()
        tried[region.name] = "answered"
        return Found("", "", region.name, tried, identity, capabilities(connector, open_client(region)))
    chosen = errors[0]
    code = "token-rejected" if chosen.status in (401, 403) else chosen.code
    return Found(code, chosen.message, "", tried)


def capabilities(connector: Connector, client: Client) -> dict[str, Capability]:
    """One small request for each stream; a child stream is asked for its parent's first record."""
    first: dict[str, Record] = {}
    found: dict[str, Capability] = {}

    def ask(stream: Stream) -> tuple[str, Capability, Record | None]:
        return stream.name, *_probe(connector, client, stream, first)

    with ThreadPoolExecutor(8) as pool:
        for level in (False, True):
            for name, capability, record in pool.map(ask, [s for s in connector.streams if bool(s.parents) is level]):
                found[name] = capability
                if record is not None:
                    first[name] = record
    client.close()
    return {stream.name: found[stream.name] for stream in connector.streams}


def _probe(
    connector: Connector, client: Client, stream: Stream, first: Mapping[str, Record]
) -> tuple[Capability, Record | None]:
    way, parent = _askable(stream, first)
    if way is None:
        return Capability(
            NOT_CHECKED, reason="It is read for each record of another stream, and that one gave none."
        ), None
    key = str(parent.get(_key_field(connector, way), "")) if parent else ""
    path = way.path.replace("{parent}", quote(key, safe=""))
    try:
        data = client.get(path, connector.paging.params(1, None) if way.paged else {}).data
    except ConnectorError as error:
        state = verdict(stream, error)
        return Capability(state.value, path, error.status, code=error.code, reason=error.message), None
    items = data.get(way.items) if way.items else data
    listed = items if isinstance(items, list) else [items]
    total = connector.paging.total(data) if way.paged else len(listed)
    record = listed[0] if listed and isinstance(listed[0], dict) else None
    return Capability(READABLE, path, 200, None if stream.parents else total), record


def _askable(stream: Stream, first: Mapping[str, Record]) -> tuple[Way | None, Record | None]:
    for way in stream.ways:
        if not way.parent:
            return way, None
        if way.parent in first:
            return way, first[way.parent]
    return None, None


def _key_field(connector: Connector, way: Way) -> str:
    return connector.stream(way.parent).key[0]


def readable(streams: Mapping[str, Any]) -> int:
    """How many streams of a stored check are readable."""
    return sum(entry["verdict"] == READABLE for entry in streams.values())
