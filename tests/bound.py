"""The fewest requests with which streams can be read, counted from the truth that the simulator holds.

It walks the declarations by itself and knows nothing of the reader: each listing costs its pages, of two ways to the
same records the cheaper one counts, and what a parent's record carries costs nothing.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import product
from typing import Any
from urllib.parse import quote, urlencode

from connectors.segment.simulator import TOKENS, Settings
from connectors.segment.simulator.api import Api
from connectors.segment.simulator.tokens import BY_TEXT
from connectors.spec import Connector, Moment, Record, Stream, Way

MOST = 1000  # the most items that the simulator lists at once


def bound(connector: Connector, streams: Sequence[Stream], settings: Settings, now: datetime) -> dict[str, int]:
    """Requests by stream, of a first reading with the owner's token."""
    truth = _Truth(Api(settings), connector, Moment(now.astimezone(UTC)))
    for stream in streams:
        truth.count(stream)
    return truth.costs


class _Truth:
    def __init__(self, api: Api, connector: Connector, moment: Moment) -> None:
        self._api, self._connector, self._moment = api, connector, moment
        self._records: dict[str, list[Record]] = {}
        self.costs: dict[str, int] = {}

    def count(self, stream: Stream) -> None:
        ways = [self._way(stream, way) for way in stream.ways if not way.parent or way.parent in self._records]
        self.costs[stream.name], self._records[stream.name] = min(ways, key=lambda found: found[0])

    def _way(self, stream: Stream, way: Way) -> tuple[int, list[Record]]:
        cost, records = 0, list[Record]()
        for given, own in product(self._parents(way), way.listings(self._moment)):
            parent = given.pop("", None)
            carried = way.embedded(parent) if parent else None
            items = [carried] if carried is not None else list(self._items(stream, way, given, own))
            cost += 0 if carried is not None else max(1, -(-len(items) // stream.page_size)) if way.paged else 1
            shaped = (way.record({**given, **own}, item) for item in items)
            records += [record for record in shaped if isinstance(record, dict)]
        return cost, records

    def _parents(self, way: Way) -> Iterator[dict[str, Any]]:
        """What each parent's listing is asked with; under "" stands the parent itself."""
        if not way.parent:
            yield {}
            return
        names = dict.fromkeys((*self._connector.stream(way.parent).key, *way.fields))
        for parent in self._records[way.parent]:
            if way.ask(parent):
                yield {"": parent, **{name: str(parent.get(name) or "") for name in names}}

    def _items(self, stream: Stream, way: Way, given: Mapping[str, str], own: Mapping[str, str]) -> Iterator[Any]:
        path = way.path.format_map({name: quote(value, safe="") for name, value in given.items()})
        query = {name: text.format_map(given) for name, text in way.query.items()} | dict(own)
        cursor: str | None = None
        while True:
            paging = self._connector.paging.params(min(MOST, stream.page_size), cursor) if way.paged else {}
            answer = self._api.answer(BY_TEXT[TOKENS["owner"]], path, urlencode({**query, **paging}))
            data = json.loads(answer.body)["data"]
            found = data.get(way.items) if way.items else data
            yield from found if isinstance(found, list) else [found]
            cursor = self._connector.paging.next(data) if way.paged else None
            if cursor is None:
                return
