"""Looks at the way to a host without asking it for anything: its addresses, the proxy, the connection, the certificate.

No token is ever sent here. The way, the proxy and the authorities are those of `Client`, so that what holds here
holds for a reading. What fails is a ConnectorError with a stable code.
"""

import re
import socket
import ssl
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlsplit

import urllib3
from cryptography import x509
from requests.utils import DEFAULT_CA_BUNDLE_PATH, get_auth_from_url, get_environ_proxies, select_proxy
from urllib3.connection import HTTPConnection, HTTPSConnection, ProxyConfig

from ..spec import Busy, Unexpected
from . import CONNECT_SECONDS, authorities

RESOLVE_SECONDS = 10
PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Route:
    """The way to an origin. `proxy` is `scheme://host:port` without what it is opened with, "" for the direct way."""

    scheme: str
    host: str
    port: int
    proxy: str = ""
    proxy_host: str = ""

    @property
    def nearest(self) -> str:
        """The host whose name this machine resolves."""
        return self.proxy_host or self.host


@dataclass(frozen=True)
class Certificate:
    """What a host proved itself with. `names` are those that it is good for."""

    version: str
    issuer: str
    names: tuple[str, ...]
    expires: datetime


def route(origin: str) -> Route:
    """The way that requests to the origin take, as the environment says it (HTTPS_PROXY, NO_PROXY and their like)."""
    parts, proxy = urlsplit(origin), urlsplit(_proxy(origin))
    way = parts.scheme, parts.hostname or "", parts.port or PORTS[parts.scheme]
    if not proxy.hostname:
        return Route(*way)
    port = proxy.port or PORTS.get(proxy.scheme, 1080)
    return Route(*way, f"{proxy.scheme}://{_bracketed(proxy.hostname)}:{port}", proxy.hostname)


def is_address(host: str) -> bool:
    """Whether it is an IP address, so that no name needs to be resolved."""
    with suppress(ValueError):
        return bool(ip_address(host))
    return False


def resolve(host: str, seconds: float = RESOLVE_SECONDS) -> tuple[str, ...]:
    """The addresses of a name, in the order in which they would be tried. Raises Busy."""
    found: list[Any] = []

    def ask() -> None:
        try:
            found.append(socket.getaddrinfo(host, None, type=socket.SOCK_STREAM))
        except OSError as error:  # UnicodeError is for names that no resolver takes
            found.append(error)
        except UnicodeError as error:
            found.append(error)

    asking = threading.Thread(target=ask, daemon=True)  # a resolver cannot be interrupted: it is left behind
    asking.start()
    asking.join(seconds)
    if not found:
        raise Busy("name-not-resolved", f"No resolver answered for “{host}” within {seconds:.0f} seconds.")
    if isinstance(found[0], Exception):
        raise Busy("name-not-resolved", f"“{host}” has no address here ({_reason(found[0])}).")
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found[0]))


def reach(origin: str) -> int:
    """Opens a connection to the host, through the proxy where there is one; milliseconds. Raises Busy."""
    way, began = route(origin), time.monotonic()
    kept = _connection(way, origin, HTTPConnection)
    try:
        kept.connect()
    except Exception as error:  # noqa: BLE001  # every kind of it gets a code
        _failed(error, way)
    finally:
        kept.close()
    return round((time.monotonic() - began) * 1000)


def handshake(origin: str) -> Certificate:
    """Opens TLS as a request would and says what the host proved itself with. Raises Busy, Unexpected."""
    way = route(origin)
    kept = _connection(way, origin, HTTPSConnection, **_trusted())
    try:
        kept.connect()
        assert kept.sock is not None
        found: Any = kept.sock
        return _read(found.version() or "TLS", found.getpeercert())
    except ssl.SSLError as error:
        raise Unexpected("tls", _untrusted(error, way, origin)) from None
    except Exception as error:  # noqa: BLE001  # every kind of it gets a code
        _failed(error, way)
    finally:
        kept.close()


# --- the way --------------------------------------------------------------------------------------------


def _proxy(origin: str) -> str:
    """The proxy's address as the environment has it, credentials included; "" for none."""
    found = select_proxy(origin, get_environ_proxies(origin))
    return "" if not found else found if "://" in found else f"http://{found}"


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _connection(way: Route, origin: str, kind: type[HTTPConnection], **options: Any) -> HTTPConnection:
    """Not open yet. A proxy is asked to connect to the host, except for plain http, which it would pass on."""
    if not way.proxy:
        return kind(_bracketed(way.host), way.port, timeout=CONNECT_SECONDS, **options)
    proxy, secret = urllib3.util.parse_url(way.proxy), get_auth_from_url(_proxy(origin))
    if proxy.scheme not in PORTS:
        raise Busy("proxy", f"The proxy {way.proxy} is of a kind that the portal cannot use: only http and https.")
    config = ProxyConfig(_context(), False, None, None)
    kept = kind(proxy.host or "", proxy.port, timeout=CONNECT_SECONDS, proxy=proxy, proxy_config=config, **options)
    tunnels = proxy.scheme == "http" or kind is HTTPSConnection
    if way.scheme == "https" and tunnels:
        opens = urllib3.util.make_headers(proxy_basic_auth=":".join(secret)) if any(secret) else {}
        kept.set_tunnel(way.host, way.port, headers=opens, scheme=proxy.scheme)
    return kept


def _failed(error: Exception, way: Route) -> NoReturn:
    """Names what broke. Where a proxy is set, all that breaks before TLS is between us and it, or said by it."""
    if isinstance(error, (Busy, Unexpected)):
        raise error
    if refused := re.search(r"Tunnel connection failed: (\d{3})", str(error)):
        why = "it wants other credentials" if refused[1] == "407" else "it does not let this host through"
        raise Busy("proxy", f"The proxy {way.proxy} answered {refused[1]}: {why}.") from None
    if way.proxy:
        raise Busy("proxy", f"The proxy {way.proxy} could not be used ({_reason(error)}).") from None
    if isinstance(error, urllib3.exceptions.NameResolutionError):
        raise Busy("name-not-resolved", f"“{way.host}” has no address here.") from None
    refused_at_once = isinstance(error, urllib3.exceptions.NewConnectionError)  # a kind of timeout, as urllib3 sees it
    if isinstance(error, (TimeoutError, urllib3.exceptions.ConnectTimeoutError)) and not refused_at_once:
        raise Busy("timeout", f"Nothing answered at port {way.port} within {CONNECT_SECONDS} seconds.") from None
    raise Busy("unreachable", f"Port {way.port} could not be reached ({_reason(error)}).") from None


def _reason(error: BaseException) -> str:
    """What the operating system says, in its own words and without addresses or objects of ours."""
    cause = error.__cause__ or error
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror.lower()
    return "no answer in time" if isinstance(cause, TimeoutError) else type(cause).__name__


# --- certificates ---------------------------------------------------------------------------------------


def _trusted() -> dict[str, Any]:
    """The authorities that `Client` trusts. Raises Unexpected when they cannot be read."""
    bundle = Path(authorities() or DEFAULT_CA_BUNDLE_PATH)
    if not bundle.exists():
        raise Unexpected("ca-bundle", "There is no such file or folder as REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE names.")
    where = "ca_cert_dir" if bundle.is_dir() else "ca_certs"
    return {where: str(bundle), "cert_reqs": "CERT_REQUIRED", "ssl_context": _context()}


def _context() -> ssl.SSLContext:
    return urllib3.util.ssl_.create_urllib3_context(cert_reqs=ssl.CERT_REQUIRED)


def _read(version: str, said: Any) -> Certificate:
    issuer = {name: value for part in said.get("issuer", ()) for name, value in part}
    names = tuple(value for _, value in said.get("subjectAltName", ()))
    expires = datetime.fromtimestamp(ssl.cert_time_to_seconds(said["notAfter"]), UTC)
    named = [issuer[part] for part in ("organizationName", "commonName") if issuer.get(part)]
    return Certificate(version, ", ".join(named) or "unnamed", names, expires)


def _untrusted(error: ssl.SSLError, way: Route, origin: str) -> str:
    """Why TLS failed, and who had issued the certificate that came: a company's proxy is known by it."""
    if not isinstance(error, ssl.SSLCertVerificationError):
        return f"“{way.host}” and the portal agree on no TLS ({(error.reason or 'no reason given').lower()})."
    issuer = _issuer(way, origin)
    came = f" The certificate that came was issued by “{issuer}”." if issuer else ""
    return f"The certificate of “{way.host}” is not to be trusted: {error.verify_message.rstrip('.')}.{came}"


def _issuer(way: Route, origin: str) -> str:
    """Who issued the certificate that is not to be trusted; "" when it does not come again. Nothing is sent."""
    context = _context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with suppress(Exception):
        kept = _connection(way, origin, HTTPSConnection, ssl_context=context, cert_reqs="CERT_NONE")
        try:
            kept.connect()
            held: Any = kept.sock
            name = x509.load_der_x509_certificate(held.getpeercert(True)).issuer
            return name.rfc4514_string()[:200]
        finally:
            kept.close()
    return ""
