"""From a request to an answer, without a network: who asks, may they, which page, how it is written."""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import product
from typing import Any
from urllib.parse import parse_qsl

from . import canaries, cursors, params
from .answers import Refusal, encode, invalid, not_found
from .endpoints import ENDPOINTS, Endpoint
from .faults import LISTS, Fault, spoil
from .limits import Limits
from .settings import Settings
from .tokens import BY_TEXT, TOKENS, Place, Region, Role, Token
from .view import Ask, View
from .wire import Answer
from .world import Kind, World

Json = Any


@lru_cache(maxsize=6)
def world(size: str, day: int, place: Place, spice: bool) -> World:
    """The workspace in that place, shared between the calls of a day."""
    return World(size, day, place, spice=spice)


@lru_cache(maxsize=12)
def _view(world: World, role: Role) -> View:
    return View(world, role)


def token_of(header: str, region: Region) -> Token:
    """The token of an Authorization header. Raises Refusal 401 for anything that this region does not know."""
    scheme, _, text = header.partition(" ")
    token = BY_TEXT.get(text.strip())
    if scheme.lower() != "bearer" or token is None or token.region != region or token.role == "revoked":
        raise Refusal(401, "Unauthorized", "The token is missing, unknown or revoked.")
    return token


def find(path: str) -> tuple[Endpoint, tuple[str, ...]]:
    """The endpoint that answers at that path, and the ids in it. Raises Refusal 404."""
    for endpoint in ENDPOINTS:
        match = endpoint.pattern.fullmatch(path)
        if match:
            return endpoint, match.groups()
    raise not_found("There is nothing at this path.")


class Api:
    """Answers requests. Keeps the encoded lists of one day, so that a page is a slice of them."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._limits = Limits(settings)
        self._lists: dict[tuple[object, ...], list[bytes]] = {}
        self._lists_of: tuple[object, ...] = ()

    def world(self, place: Place = "home") -> World:
        """Today's workspace in that place."""
        return world(self.settings.size, self.settings.day, place, self.settings.hostile)

    def answer(self, token: Token, path: str, query: str, fault: Fault | None = None) -> Answer:
        """The answer to a GET with that token. Raises Refusal."""
        endpoint, idents = find(path)
        headers = self._limits.count(token.name, endpoint.path, endpoint.per_minute)
        if not endpoint.allows(token.role):
            raise Refusal(403, "Forbidden", "This token has no role that may read this.")
        if token.place == "eu" and endpoint.off:
            raise Refusal(endpoint.off, "NotEnabled", "This feature is not enabled for the workspace.")
        ask = self._ask(token, endpoint, idents, dict(parse_qsl(query, keep_blank_values=True)))
        if not endpoint.key:
            body = encode({"data": endpoint.answer(ask)})
        elif endpoint.paged:
            body = self._page(endpoint, ask, path, fault)
        else:
            body = b'{"data":{"%s":[%s]}}' % (endpoint.key.encode(), b",".join(self._items(endpoint, ask, path)))
        return Answer(200, spoil(fault, body, path) if fault else body, headers)

    def warm(self) -> Iterator[str]:
        """Encodes every list that the owner can page through fast, so that no request has to. Yields each path."""
        for endpoint in filter(lambda each: each.key and each.fast and not each.params, ENDPOINTS):
            for idents in product(*(self.world().numbers(kind) for kind in endpoint.kinds)):
                path = endpoint.path_of(idents)
                self._items(endpoint, self._ask(BY_TEXT[TOKENS["owner"]], endpoint, idents, {}), path)
                yield path

    def _ask(self, token: Token, endpoint: Endpoint, idents: tuple[str, ...], query: dict[str, str]) -> Ask:
        params.check(endpoint.params, query)
        view = _view(self.world(token.place), token.role)
        named = dict(zip(endpoint.kinds, idents, strict=True))
        named |= {kind: query[name] for name, kind in endpoint.queried.items() if name in query}
        at = {kind: _number(view, kind, ident) for kind, ident in named.items()}
        if not view.belong(at):
            raise not_found("These records do not belong together.")
        return Ask(view, at, query, self.settings.user_permissions)

    def _items(self, endpoint: Endpoint, ask: Ask, path: str) -> list[bytes]:
        chosen = tuple(sorted(item for item in ask.query.items() if not item[0].startswith("pagination")))
        state = (self.settings.size, self.settings.day, self.settings.hostile)
        if state != self._lists_of:
            self._lists, self._lists_of = {}, state
        key = (path, ask.view.role, ask.world.seed, ask.user_permissions, chosen)
        if key not in self._lists:
            items = endpoint.answer(ask)
            self._lists[key] = [item if isinstance(item, bytes) else encode(item) for item in items]
        return self._lists[key]

    def _page(self, endpoint: Endpoint, ask: Ask, path: str, fault: Fault | None) -> bytes:
        count, cursor = params.page(ask.query, endpoint.most)
        count = min(count, self.settings.cap or count)
        place = cursors.decode(path, cursor) if cursor else (0, 0)
        if place is None:
            raise invalid("pagination.cursor", "The cursor is not one of this list.")
        items, offset = self._items(endpoint, ask, path), place[0]
        if fault and fault.kind in LISTS:
            items, offset = LISTS[fault.kind](fault, path, items, offset)
        pagination: dict[str, Json] = {"current": cursor or cursors.encode(path, 0)}
        if offset + count < len(items):
            pagination["next"] = cursors.encode(path, offset + count)
        elif endpoint.end == "null":
            pagination["next"] = None
        if offset:
            pagination["previous"] = cursors.encode(path, max(0, offset - count))
        if endpoint.total:
            pagination["totalEntries"] = len(items)
        fields = {endpoint.key: b"[%s]" % b",".join(items[offset : offset + count]), "pagination": encode(pagination)}
        beside = {name: encode(value) for name, value in endpoint.beside(ask).items()}
        return _object({"data": _object(beside | fields)})

    def secrets(self) -> frozenset[str]:
        """Everything that a portal must never keep: tokens, keys, secret settings, ids of end users."""
        worlds = (self.world("home"), self.world("other"), self.world("eu"))
        return frozenset(TOKENS.values()).union(*map(canaries.secrets, worlds))


def _number(view: View, kind: Kind, ident: str) -> int:
    found = view.world.numbers(kind).get(ident)
    if found is None:
        raise not_found()
    if not view.may_open(kind, found):
        raise Refusal(403, "Forbidden", "This token has no role on this record.")
    return found


def _object(fields: Mapping[str, bytes]) -> bytes:
    """A JSON object of values that are encoded already."""
    return b"{%s}" % b",".join(b'"%s":%s' % (name.encode(), value) for name, value in fields.items())
