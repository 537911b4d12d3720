"""From the body of an answer to a page: items, records, what they call for. No network, no database."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from .. import locker, records
from ..http import Fetched, Heard, data_of
from ..spec import UNREADABLE, Connector, Given, Json, Record, Stream, Unexpected, Way


@dataclass(slots=True)
class Ask:
    """A child listing that a parent record calls for; `embedded` holds the answer if the parent carried it.

    part   the parent's key          given  the parent's fields that a request is made of
    """

    stream: str
    at: int
    part: str
    given: dict[str, str]
    embedded: "Page | None" = None


@dataclass(slots=True)
class Page:
    """`listed` is how many items came; some of them may be no record."""

    sealed: list[locker.Sealed]
    listed: int = 0
    asks: list[Ask] = field(default_factory=list)
    notes: records.Notes = field(default_factory=records.Notes)
    refs: dict[str, set[str]] = field(default_factory=dict)
    next: str | None = None
    total: int | None = None
    heard: Heard = field(default_factory=Heard)


class Maker:
    """Makes the pages of one workspace.

    known  addresses of records that need not be packed again        code  whether programs are kept as text too
    """

    def __init__(
        self,
        connector: Connector,
        workspace: str,
        streams: Sequence[Stream],
        *,
        known: locker.Addresses = locker.NONE_KNOWN,
        code: bool = False,
    ) -> None:
        self._connector, self._workspace, self._known = connector, workspace, known
        self._projects = {stream.name: records.compile_shape(stream.shape, code=code) for stream in streams}
        self._policies = {stream.name: records.policy(stream, code=code) for stream in streams}
        self._children: dict[str, list[tuple[Stream, int, Way]]] = defaultdict(list)
        for stream in streams:
            for at, way in enumerate(stream.ways):
                self._children[way.parent].append((stream, at, way))

    def make(self, stream: Stream, at: int, given: Given, part: str, fetched: Fetched) -> Page:
        """Raises Busy and Unexpected when the body is not what was asked for."""
        paging, way = self._connector.paging, stream.ways[at]
        data = data_of(self._connector, fetched)
        found = data.get(way.items) if way.items else data
        items = found if way.paged or isinstance(found, list) else [found]
        if not isinstance(items, list):
            raise Unexpected("data-missing", f"An answer for {stream.title} has no list “{way.items}”.")
        page = self._page(stream, way, given, part, items)
        page.heard = fetched.heard
        if way.paged:
            page.next, page.total = paging.next(data), paging.total(data)
        return page

    def _page(self, stream: Stream, way: Way, given: Given, part: str, items: Sequence[Json]) -> Page:
        page, kept = Page([], len(items)), []
        project, children = self._projects[stream.name], self._children.get(stream.name, ())
        for item in items:
            record = way.record(given, item)
            if record is None:
                continue
            rest = project(record, page.notes)
            if not isinstance(rest, dict) or UNREADABLE in rest:
                raise Unexpected("record-not-object", f"A record of {stream.title} is not an object.")
            key = records.key_of(stream, rest)
            if part and not within(key, part):
                raise Unexpected("record-elsewhere", f"A record of {stream.title} belongs to another parent.")
            kept.append((key, rest))
            page.asks += [self._ask(*child, stream, key, rest, record) for child in children if child[2].ask(record)]
        for name in stream.refers:
            page.refs[name] = {records.key_part(str(rest[name])) for _, rest in kept if rest.get(name)}
        page.sealed = locker.seal(self._workspace, stream.name, self._policies[stream.name], kept, self._known)
        return page

    def _ask(self, child: Stream, at: int, way: Way, parent: Stream, key: str, *records_: Record) -> Ask:
        """What a parent's record (as it is kept, and as it came) calls for."""
        rest, record = records_
        given = {name: str(rest.get(name) or "") for name in dict.fromkeys((*parent.key, *way.fields))}
        answer = way.embedded(record)
        embedded = None if answer is None else self._page(child, way, given, key if way.within else "", [answer])
        return Ask(child.name, at, key, given, embedded)


def within(key: str, part: str) -> bool:
    """Whether a record's key lies below a part. A very long key is cut and ends in a digest: only its head counts."""
    return key == part or key.startswith(part + "/") or ("~" in key and key[:160] == (part + "/")[:160])


def parameters(connector: Connector, stream: Stream, way: Way, query: Mapping[str, str], cursor: str | None) -> Given:
    """All parameters of one request."""
    paging = connector.paging.params(stream.page_size, cursor) if way.paged else {}
    return {**query, **paging}
