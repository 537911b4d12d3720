"""The only room that talks to the network: GET, one fixed origin, no redirects, limits on time and size.

A request ends in an `Answer` or in an error named for who must act. Waits that a service asks for are
obeyed by all threads of the run at once.
"""

import hashlib
import os
import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, NoReturn
from urllib.parse import urlencode

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from requests.utils import get_environ_proxies

from portal.canon import NotStrict, parse

from .spec import Busy, Connector, Denied, Json, Record, Unexpected

CONNECT_SECONDS = 5
READ_SECONDS = 30
REQUEST_SECONDS = 120
LONGEST_BODY = 64 * 1024 * 1024
TRIES = 6
LONGEST_WAIT = 300
AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})

REFUSALS: Mapping[int, tuple[str, str]] = {
    401: ("token-rejected", "The service rejected the token (401)."),
    403: ("not-permitted", "The token is not allowed to read this (403)."),
    404: ("not-found", "The service knows nothing at this address (404)."),
    422: ("request-invalid", "The service says that the request is not valid (422)."),
}


@dataclass(frozen=True, slots=True)
class Sent:
    """The receipt of one request. `status` is 0 when no answer came; times are UTC and milliseconds."""

    path: str
    query: str
    status: int
    attempt: int
    sent_at: datetime
    ms: int
    size: int
    sha256: bytes
    request_id: str


@dataclass(frozen=True, slots=True)
class Answer:
    """A good answer: the part of the body that holds items and paging, and when the server says it is."""

    data: Record
    server_date: datetime | None
    remaining: int | None


class _Credential(AuthBase):
    """Puts the token on the request. As an auth object it also wins over a .netrc entry."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._headers = headers

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers.update(self._headers)
        return request

    def __repr__(self) -> str:
        return "<credential>"


class Stopped(Exception):
    """The run was told to end while a request was waiting."""


class Client:
    """Reads one origin with one token. Safe for any number of threads; `connections` of them ask at a time.

    pause    waits so many seconds, or less if the run is told to stop; tests pass their own
    receipt  is called once per request sent, from the thread that sent it
    """

    def __init__(
        self,
        connector: Connector,
        origin: str,
        token: str,
        *,
        receipt: Callable[[Sent], None] = lambda sent: None,
        pause: Callable[[float], object] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        tries: int = TRIES,
        connections: int = 8,
    ) -> None:
        self._connector, self._origin = connector, origin
        self._receipt, self._pause, self._clock, self._tries = receipt, pause, clock, tries
        self._resume_at = 0.0
        self._lock = threading.Lock()
        self._slots = threading.BoundedSemaphore(connections)
        self.stop = threading.Event()
        self._session = _session(connector, origin, token, connections)

    def close(self) -> None:
        self._session.close()

    def get(self, path: str, params: Mapping[str, str] | None = None) -> Answer:
        """Asks until there is an answer or no hope. Raises Denied, Busy, Unexpected, Stopped."""
        query = urlencode(params or {})
        for attempt in range(1, self._tries + 1):
            self._hold()
            try:
                return self._once(path, query, attempt)
            except Busy as error:
                wait = error.wait or random.uniform(0, min(60.0, 0.5 * 2**attempt))  # noqa: S311  # jitter
                if attempt == self._tries or wait > LONGEST_WAIT:
                    raise
                self._postpone(wait, everyone=error.status == 429)
        raise AssertionError("unreachable")

    def _hold(self) -> None:
        while (left := self._resume_at - self._clock()) > 0 and not self.stop.is_set():
            self._pause(left)
        if self.stop.is_set():
            raise Stopped

    def _postpone(self, wait: float, *, everyone: bool) -> None:
        if not everyone:
            self._pause(wait)
            return
        with self._lock:
            self._resume_at = max(self._resume_at, self._clock() + wait)

    def _once(self, path: str, query: str, attempt: int) -> Answer:
        sent_at, began = datetime.now(UTC), self._clock()
        status, body = 0, b""
        headers: Mapping[str, str] = {}
        try:
            with self._slots:
                sent_at, began = datetime.now(UTC), self._clock()
                status, headers, body = self._exchange(path, query, began)
        finally:
            ms = round((self._clock() - began) * 1000)
            print_ = hashlib.sha256(body).digest()
            request_id = str(headers.get("X-Request-Id", ""))[:80]
            self._receipt(Sent(path, query, status, attempt, sent_at, ms, len(body), print_, request_id))
        if status == 200:
            data = self._connector.data(_parsed(body, headers))
            return Answer(data, _date(headers.get("Date")), _number(headers.get("X-RateLimit-Remaining")))
        return self._refused(status, body, headers)

    def _exchange(self, path: str, query: str, began: float) -> tuple[int, Mapping[str, str], bytes]:
        url = f"{self._origin}{path}" + (f"?{query}" if query else "")
        try:
            response = self._session.get(
                url, timeout=(CONNECT_SECONDS, READ_SECONDS), allow_redirects=False, stream=True
            )
            with response:
                return response.status_code, response.headers, self._body(response, began)
        except requests.exceptions.SSLError:
            raise Unexpected("tls", "No trustworthy TLS connection could be made.") from None
        except requests.exceptions.ProxyError:
            raise Busy("proxy", "The proxy did not let the request through.") from None
        except (requests.exceptions.Timeout, urllib3.exceptions.ReadTimeoutError):
            raise Busy("timeout", "The service did not answer in time.") from None
        except (requests.exceptions.ConnectionError, OSError):
            raise Busy("unreachable", "The service could not be reached.") from None
        except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError):
            raise Busy("connection-broken", "The connection broke in the middle of an answer.") from None

    def _body(self, response: requests.Response, began: float) -> bytes:
        chunks, size = [], 0
        while chunk := _some(response):
            size += len(chunk)
            chunks.append(chunk)
            if size > LONGEST_BODY:
                raise Unexpected("body-too-large", "An answer is larger than 64 MB.")
            if self._clock() - began > REQUEST_SECONDS:
                raise Busy("timeout", "An answer took longer than two minutes.")
        return b"".join(chunks)

    def _refused(self, status: int, body: bytes, headers: Mapping[str, str]) -> NoReturn:
        if status in AGAIN:
            code = "rate-limited" if status == 429 else "service-error"
            raise Busy(code, f"The service answered {status}.", status=status, wait=self._wait(body, headers))
        if status in REFUSALS:
            code, message = REFUSALS[status]
            raise Denied(code, message, status=status)
        if 300 <= status < 400:
            raise Unexpected("redirect", f"The service wants to send us elsewhere ({status}).", status=status)
        raise Unexpected("unknown-status", f"The service answered {status}, which is not documented.", status=status)

    def _wait(self, body: bytes, headers: Mapping[str, str]) -> float:
        """Seconds, by Retry-After, then the body, then X-RateLimit-Reset; 0 when none of them says.

        The order is the one that the Segment Public API documents for a 429.
        """
        after = headers.get("Retry-After", "")
        if after.strip().isdigit():
            return float(after)
        if (until := _date(after)) is not None:
            return max(0.0, (until - datetime.now(UTC)).total_seconds())
        try:
            said = self._connector.wait(parse(body))
        except NotStrict:
            said = None
        if said is not None:
            return max(0.0, said)
        reset = _date(headers.get("X-RateLimit-Reset"))
        return max(0.0, (reset - datetime.now(UTC)).total_seconds()) if reset else 0.0


def _some(response: requests.Response) -> bytes:
    """What has arrived, up to 64 kB: a server that drips cannot hold us longer than we allow."""
    chunk: bytes = response.raw.read1(65536, decode_content=True)
    return chunk


def _session(connector: Connector, origin: str, token: str, connections: int) -> requests.Session:
    session = requests.Session()
    session.trust_env = False  # no .netrc; proxies and CA bundles are taken over by hand below
    session.proxies = get_environ_proxies(origin)
    session.verify = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or True
    session.auth = _Credential(connector.headers(token))
    session.headers["User-Agent"] = "compliance-portal (read-only)"
    session.mount(origin, HTTPAdapter(pool_connections=1, pool_maxsize=connections, max_retries=0))
    return session


def _parsed(body: bytes, headers: Mapping[str, str]) -> Json:
    if "html" in headers.get("Content-Type", "").lower() or body.lstrip()[:1] == b"<":
        raise Busy("not-json", "The service answered with a web page instead of data.")
    try:
        return parse(body)
    except NotStrict as error:
        raise Busy("not-json", f"The service's answer cannot be read: {error}.") from None


def _date(text: str | None) -> datetime | None:
    try:
        found = parsedate_to_datetime(text) if text else None
    except (TypeError, ValueError):
        return None
    return found.replace(tzinfo=UTC) if found and found.tzinfo is None else found


def _number(text: Any) -> int | None:
    return int(text) if isinstance(text, str) and text.isdigit() else None
