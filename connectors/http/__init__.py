"""The only room that talks to the network: GET, one fixed origin, no redirects, limits on time and size.

`fetch` sends one request: its body, or an error named for who must act. When and how often is for the caller to
decide; `get` is the patient form for the few requests that are not part of a reading. `probes` looks at the way there
without asking for anything; `posting` asks a server of the operator's choice for a time stamp, the one POST there is.
"""

import hashlib
import os
import random
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, NoReturn
from urllib.parse import urlencode

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from requests.utils import get_environ_proxies

from portal.canon import NotJson, NotStrict, parse

from ..clock import Clock
from ..spec import Busy, Connector, Denied, Json, Record, Unexpected

CONNECT_SECONDS = 5
READ_SECONDS = 30
REQUEST_SECONDS = 120
LONGEST_BODY = 64 * 1024 * 1024
TRIES = 6
LONGEST_WAIT = 300
MOST_SECONDS = 31 * 86_400.0  # a longer wait is no wait; and numbers without end are no dates
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
class Heard:
    """What an answer says of the limits: requests counted and left in the running window, and when it ends."""

    consumed: int | None = None
    remaining: int | None = None
    reset: datetime | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """What the headers of one answer say, whatever its status was: the service's time (None when it does not), ours in
    the middle of the request, how long it took in milliseconds, and the limits."""

    status: int
    dated: datetime | None
    middle: datetime
    ms: int
    heard: Heard


@dataclass(frozen=True, slots=True)
class Fetched:
    """The body of a good answer, not yet read."""

    body: bytes
    html: bool
    heard: Heard = Heard()


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

    receipt  is called once per request sent, from the thread that sent it
    told     the same, once per answer that came
    patience seconds without a word after which an answer is given up; None for READ_SECONDS
    """

    def __init__(
        self,
        connector: Connector,
        origin: str,
        token: str,
        *,
        receipt: Callable[[Sent], None] = lambda sent: None,
        told: Callable[[Told], None] = lambda told: None,
        patience: float | None = None,
        clock: Clock | None = None,
        tries: int = TRIES,
        connections: int = 8,
    ) -> None:
        self.connector, self._origin = connector, origin
        self._receipt, self._clock, self._tries = receipt, clock or Clock(), tries
        self._told, self._patience = told, patience
        self._slots = threading.BoundedSemaphore(connections)
        self.stop = threading.Event()
        self._session = _session(connector, origin, token, connections)

    def close(self) -> None:
        self._session.close()

    def get(self, path: str, params: Mapping[str, str] | None = None, *, tries: int = 0) -> Record:
        """The data of an answer; asks until there is one or no hope. Raises Denied, Busy, Unexpected, Stopped."""
        tries = tries or self._tries
        for attempt in range(1, tries + 1):
            try:
                return data_of(self.connector, self.fetch(path, params, attempt))
            except Busy as error:
                wait = error.wait or backoff(attempt)
                if attempt == tries or wait > LONGEST_WAIT:
                    raise
                self._clock.pause(wait)
        raise AssertionError("unreachable")

    def fetch(self, path: str, params: Mapping[str, str] | None = None, attempt: int = 1) -> Fetched:
        """One request. Raises Denied, Busy (with the seconds that the service asks to wait), Unexpected, Stopped."""
        query = urlencode(params or {}, encoding="utf-8", errors="surrogatepass")
        if self.stop.is_set():
            raise Stopped
        sent_at, began = self._clock.now(), self._clock.ticks()
        status, body = 0, b""
        headers: Mapping[str, str] = {}
        try:
            with self._slots:
                sent_at, began = self._clock.now(), self._clock.ticks()
                status, headers, body = self._exchange(path, query, began)
        finally:
            ms = round((self._clock.ticks() - began) * 1000)
            print_ = hashlib.sha256(body).digest()
            request_id = str(headers.get("X-Request-Id", ""))[:80]
            self._receipt(Sent(path, query, status, attempt, sent_at, ms, len(body), print_, request_id))
            if status:
                middle = sent_at + timedelta(milliseconds=ms / 2)
                self._told(Told(status, _date(headers.get("Date")), middle, ms, _heard(headers)))
        if status == 200:
            return Fetched(body, "html" in headers.get("Content-Type", "").lower(), _heard(headers))
        return self._refused(status, body, headers)

    def _exchange(self, path: str, query: str, began: float) -> tuple[int, Mapping[str, str], bytes]:
        url = f"{self._origin}{path}" + (f"?{query}" if query else "")
        try:
            response = self._session.get(
                url, timeout=(CONNECT_SECONDS, self._patience or READ_SECONDS), allow_redirects=False, stream=True
            )
            with response:
                return response.status_code, response.headers, self._body(response, began)
        except requests.exceptions.SSLError:
            raise Unexpected("tls", "No trustworthy TLS connection could be made.") from None
        except requests.exceptions.ProxyError:
            raise Busy("proxy", "The proxy did not let the request through.") from None
        except (requests.exceptions.Timeout, urllib3.exceptions.ReadTimeoutError):
            raise Busy("timeout", "The service did not answer in time.") from None
        except (requests.exceptions.ConnectionError, OSError) as error:
            raise _unreached(error) from None
        except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError):
            raise Busy("connection-broken", "The connection broke in the middle of an answer.") from None

    def _body(self, response: requests.Response, began: float) -> bytes:
        chunks, size = [], 0
        while chunk := _some(response):
            size += len(chunk)
            chunks.append(chunk)
            if size > LONGEST_BODY:
                raise Unexpected("body-too-large", "An answer is larger than 64 MB.")
            if self._clock.ticks() - began > REQUEST_SECONDS:
                raise Busy("timeout", "An answer took longer than two minutes.")
        return b"".join(chunks)

    def _refused(self, status: int, body: bytes, headers: Mapping[str, str]) -> NoReturn:
        if status in AGAIN:
            code = "rate-limited" if status == 429 else "service-error"
            wait = min(self._wait(body, headers), MOST_SECONDS)
            raise Busy(code, f"The service answered {status}.", status=status, wait=wait)
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
        after = headers.get("Retry-After", "").strip()
        if _DIGITS(after):
            return float(after)
        if (until := _date(after)) is not None:
            return max(0.0, (until - self._clock.now()).total_seconds())
        try:
            said = self.connector.wait(parse(body))
        except NotStrict:
            said = None
        if said is not None:
            return max(0.0, said)
        reset = _date(headers.get("X-RateLimit-Reset"))
        return max(0.0, (reset - self._clock.now()).total_seconds()) if reset else 0.0


def _some(response: requests.Response) -> bytes:
    """What has arrived, up to 64 kB: a server that drips cannot hold us longer than we allow."""
    chunk: bytes = response.raw.read1(65536, decode_content=True)
    return chunk


def authorities() -> str:
    """The file or folder of certificate authorities that the environment names; "" for those that come with us."""
    return os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or ""


def _unreached(error: Exception) -> Busy:
    reason = getattr(error.args[0] if error.args else None, "reason", None)
    if isinstance(reason, urllib3.exceptions.NameResolutionError):
        return Busy("name-not-resolved", "The name of the service's host could not be resolved.")
    if (bundle := authorities()) and not os.path.exists(bundle):
        return Busy("ca-bundle", "The file of certificate authorities is not there.")
    return Busy("unreachable", "The service could not be reached.")


def _session(connector: Connector, origin: str, token: str, connections: int) -> requests.Session:
    session = requests.Session()
    session.trust_env = False  # no .netrc; proxies and CA bundles are taken over by hand below
    session.proxies = get_environ_proxies(origin)
    session.verify = authorities() or True
    session.auth = _Credential(connector.headers(token))
    session.headers["User-Agent"] = "compliance-portal (read-only)"
    session.mount(origin, HTTPAdapter(pool_connections=1, pool_maxsize=connections, max_retries=0))
    return session


def data_of(connector: Connector, fetched: Fetched) -> Record:
    """The part of a good answer that holds items and paging. Raises Busy, Unexpected."""
    return connector.data(_parsed(fetched))


def backoff(attempt: int) -> float:
    """Seconds before the next try: full jitter under a ceiling that doubles, a minute at most."""
    return random.uniform(0, min(60.0, 0.5 * 2**attempt))  # noqa: S311  # jitter


def _parsed(fetched: Fetched) -> Json:
    if fetched.html or fetched.body.lstrip()[:1] == b"<":
        raise Busy("not-json", "The service answered with a web page instead of data.")
    try:
        return parse(fetched.body)
    except NotJson as error:
        raise Busy("not-json", f"The service's answer cannot be read: {error}.") from None
    except NotStrict as error:
        raise Unexpected("not-strict", f"The service's answer can be read in two ways: {error}.") from None


def _heard(headers: Mapping[str, str]) -> Heard:
    consumed, remaining = (_number(headers.get(f"X-RateLimit-{name}")) for name in ("Consumed", "Remaining"))
    return Heard(consumed, remaining, _date(headers.get("X-RateLimit-Reset")))


def _date(text: str | None) -> datetime | None:
    try:
        found = parsedate_to_datetime(text) if text else None
    except (TypeError, ValueError):
        return None
    return found.replace(tzinfo=UTC) if found and found.tzinfo is None else found


_DIGITS = re.compile(r"[0-9]+").fullmatch  # str.isdigit takes “²” for one


def _number(text: Any) -> int | None:
    return int(text) if isinstance(text, str) and len(text) < 20 and _DIGITS(text) else None
