"""From a request to an answer, without a network: who asks, may they, which page, how it is written."""

import json
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl

from . import cursors, extras
from .endpoints import ENDPOINTS, Ask, Endpoint, View
from .faults import LISTS, Fault, spoil
from .tokens import BY_TEXT, TOKENS, Place, Region, Role, Token
from .wire import Answer
from .world import World

Json = Any

DEFAULT_COUNT = 200
MOST_COUNT = 1000
COMMON_LIMIT = 1000  # requests per minute; the service does not publish it, only that it is above 600
WINDOW = 60.0  # seconds


class Refusal(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, kind: str, message: str, **more: Json) -> None:
        super().__init__(message)
        self.status = status
        self.entry = {"type": kind, "message": message, "status": status, **more}

    def body(self) -> bytes:
        return encode({"errors": [self.entry]})


@dataclass
class Settings:
    """What a simulator serves. All can be changed while it runs; times are in milliseconds.

    hostile           nasty names among the plain ones
    user_permissions  whether the list of users carries their permissions
    rate_limits       whether the limits per minute are kept (the headers are sent in any case)
    cap               the most items on a page, whatever is asked for; None for the service's own limit
    """

    size: str = "small"
    day: int = 0
    latency_ms: float = 0
    hostile: bool = False
    user_permissions: bool = False
    rate_limits: bool = False
    cap: int | None = None
    clock: Callable[[], float] = time.time


@dataclass
class Windows:
    """How often each token has called each path in the running minute."""

    starts: dict[tuple[str, str], tuple[float, int]] = field(default_factory=dict)

    def count(self, token: str, path: str, now: float) -> tuple[int, float]:
        """Counts a call: how many there were, and when the window ends."""
        start, used = self.starts.get((token, path), (now, 0))
        if now - start >= WINDOW:
            start, used = now, 0
        self.starts[token, path] = (start, used + 1)
        return used + 1, start + WINDOW


def encode(value: Json) -> bytes:
    """Compact JSON in UTF-8, as the service sends it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


@lru_cache(maxsize=6)
def world(size: str, day: int, place: Place, spice: bool) -> World:
    return World(size, day, place, spice=spice)


def token_of(header: str, region: Region) -> Token:
    """The token of an Authorization header. Raises Refusal 401 for anything that this region does not know."""
    scheme, _, text = header.partition(" ")
    token = BY_TEXT.get(text.strip())
    if scheme.lower() != "bearer" or token is None or token.region != region or token.role == "revoked":
        raise Refusal(401, "Unauthorized", "The token is missing, unknown or revoked.")
    return token


class Api:
    """Answers requests. Keeps the encoded lists of one day, so that a page is a slice of them."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._windows = Windows()
        self._lists: dict[tuple[object, ...], list[bytes]] = {}
        self._lists_of: tuple[object, ...] = ()

    def world(self, place: Place = "home") -> World:
        return world(self.settings.size, self.settings.day, place, self.settings.hostile)

    def answer(self, token: Token, path: str, query: str, fault: Fault | None = None) -> Answer:
        """The answer to a GET with that token. Raises Refusal."""
        endpoint, ident = _find(path)
        headers = self._limit(token, endpoint)
        if not endpoint.allows(token.role):
            raise Refusal(403, "Forbidden", "This token has no role that may read this.")
        if token.place == "eu" and endpoint.off:
            raise Refusal(endpoint.off, "NotEnabled", "This feature is not enabled for the workspace.")
        ask = self._ask(token, endpoint, ident, dict(parse_qsl(query, keep_blank_values=True)))
        if not endpoint.key:
            body = encode({"data": endpoint.answer(ask)})
        elif endpoint.paged:
            body = self._page(endpoint, ask, path, fault)
        else:
            body = b'{"data":{"%s":[%s]}}' % (endpoint.key.encode(), b",".join(self._items(endpoint, ask, path)))
        return Answer(200, spoil(fault, body, path) if fault else body, headers)

    def warm(self) -> Iterator[str]:
        """Encodes every list that the owner can page through, so that no request has to. Yields each path."""
        for endpoint in ENDPOINTS:
            if endpoint.paged and endpoint.key and not endpoint.choices:
                records = getattr(self.world(), endpoint.parent) if endpoint.parent else [{"id": ""}]
                for record in records:
                    path = endpoint.path.split("{")[0] + record["id"] + endpoint.path.partition("}")[2]
                    self._items(endpoint, self._ask(BY_TEXT[TOKENS["owner"]], endpoint, record["id"], {}), path)
                    yield path

    def _ask(self, token: Token, endpoint: Endpoint, ident: str, query: dict[str, str]) -> Ask:
        _check_choices(endpoint, query)
        view = _view(self.world(token.place), token.role)
        number = -1
        if endpoint.parent:
            found = view.world.numbers(endpoint.parent).get(ident)
            if found is None:
                raise Refusal(404, "NotFound", "There is no such record in this workspace.")
            if not view.may_open(endpoint.parent, found):
                raise Refusal(403, "Forbidden", "This token has no role on this record.")
            number = found
        return Ask(view, number, query, self.settings.user_permissions)

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
        count, cursor = _pagination(ask.query)
        count = min(count, self.settings.cap or count)
        place = cursors.decode(path, cursor) if cursor else (0, 0)
        if place is None:
            raise Refusal(422, "ValidationFailure", "The cursor is not one of this list.", field="pagination.cursor")
        items, offset = self._items(endpoint, ask, path), place[0]
        if fault and fault.kind in LISTS:
            items, offset = LISTS[fault.kind](items, offset)
        pagination: dict[str, Json] = {"current": cursor or cursors.encode(path, 0)}
        if offset + count < len(items):
            pagination["next"] = cursors.encode(path, offset + count)
        elif endpoint.end == "null":
            pagination["next"] = None
        if offset:
            pagination["previous"] = cursors.encode(path, max(0, offset - count))
        if endpoint.total:
            pagination["totalEntries"] = len(items)
        page = b",".join(items[offset : offset + count])
        return b'{"data":{"%s":[%s],"pagination":%s}}' % (endpoint.key.encode(), page, encode(pagination))

    def _limit(self, token: Token, endpoint: Endpoint) -> dict[str, str]:
        """Counts the call; the headers of a successful answer. Raises Refusal 429 when limits are kept."""
        now = self.settings.clock()
        limit = endpoint.per_minute or COMMON_LIMIT
        used, end = self._windows.count(token.name, endpoint.path, now)
        if self.settings.rate_limits and used > limit:
            raise too_many(round((end - now) * 1000), used)
        return {
            "X-RateLimit-Consumed": str(used),
            "X-RateLimit-Remaining": str(max(0, limit - used)),
            "X-RateLimit-Reset": formatdate(end, usegmt=True),
        }

    def secrets(self) -> frozenset[str]:
        """Everything that a portal must never keep: tokens, keys, secret settings, ids of end users."""
        worlds = (self.world("home"), self.world("other"), self.world("eu"))
        return frozenset(TOKENS.values()).union(*map(extras.secrets, worlds))


def too_many(wait_ms: int, used: int) -> Refusal:
    """The refusal of a token that has called too often."""
    data = {"remainingPoints": 0, "msBeforeNext": wait_ms, "consumedPoints": used}
    return Refusal(429, "RequestError", "Too many requests", data=data)


def retry_after(refusal: Refusal) -> dict[str, str]:
    """The header that goes with a 429: whole seconds, rounded up."""
    return {"Retry-After": str(math.ceil(refusal.entry["data"]["msBeforeNext"] / 1000))}


@lru_cache(maxsize=12)
def _view(world: World, role: Role) -> View:
    return View(world, role)


def _find(path: str) -> tuple[Endpoint, str]:
    for endpoint in ENDPOINTS:
        match = endpoint.pattern.fullmatch(path)
        if match:
            return endpoint, match[1] if match.groups() else ""
    raise Refusal(404, "NotFound", "There is nothing at this path.")


def _pagination(query: Mapping[str, str]) -> tuple[int, str]:
    """Count and cursor, in either spelling. Raises Refusal 422."""
    text = query.get("pagination[count]", query.get("pagination.count", str(DEFAULT_COUNT)))
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:6]) <= MOST_COUNT:
        message = f"The count must be a whole number from 1 to {MOST_COUNT}."
        raise Refusal(422, "ValidationFailure", message, field="pagination.count")
    return int(text), query.get("pagination[cursor]", query.get("pagination.cursor", ""))


def _check_choices(endpoint: Endpoint, query: Mapping[str, str]) -> None:
    for name, values in (endpoint.choices or {}).items():
        given = query.get(name.rstrip("!"))
        if given not in values and (given is not None or name.endswith("!")):
            message = f"{name.rstrip('!')} must be one of {', '.join(values)}."
            raise Refusal(422, "ValidationFailure", message, field=name.rstrip("!"))
