"""Ports that the portal listens at, taken before anything else is done. Needs no settings."""

import errno
import ipaddress
import socket
from pathlib import Path

LOOPBACK = "127.0.0.1"
BACKLOG = 128
LAST = 65535


class PortTaken(Exception):
    """The address cannot be listened at; the message is one sentence that says how to choose another."""


def listen(host: str, port: int) -> socket.socket:
    """Listens at `host` and `port`, 0 for any free one. Who connects before somebody accepts, waits.

    Raises PortTaken.
    """
    another = f"choose another port, for instance: PORT={port + 1 if 0 < port < LAST else 8001} make run"
    if not 0 <= port <= LAST:
        raise PortTaken(f"There is no port {port}, they go from 0 to {LAST}: {another}")
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return socket.create_server(address[:2], family=family, backlog=BACKLOG)
    except OSError as error:
        if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
            sentence = f"HOST={host} is no address of this machine: set HOST to one, for instance {LOOPBACK}."
        elif error.errno == errno.EADDRINUSE:
            sentence = f"Port {port} on {host} is taken by another program: stop that program or {another}"
        else:
            sentence = f"Port {port} on {host} cannot be used ({error.strerror}): {another}"
        raise PortTaken(sentence) from None


def is_loopback(host: str) -> bool:
    """Whether only programs of this machine reach `host`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def answers(host: str, port: int) -> bool:
    """Whether a web server of this machine answers requests at a port by now, whatever it says."""
    nearest = {"0.0.0.0": LOOPBACK, "::": "::1"}.get(host, host)  # noqa: S104  # where it listens, not we
    try:
        with socket.create_connection((nearest, port), timeout=2) as asking:
            asking.sendall(f"GET /sign-in/ HTTP/1.0\r\nHost: {host}\r\n\r\n".encode())
            return asking.recv(5) == b"HTTP/"
    except OSError:
        return False


def kept(path: Path) -> int:
    """The port that `path` remembers if it is still free, otherwise a free one, remembered there from now on."""
    wanted = path.read_text().strip() if path.exists() else ""
    try:
        found = listen(LOOPBACK, int(wanted) if wanted.isdigit() else 0)
    except PortTaken:
        found = listen(LOOPBACK, 0)
    with found:
        port: int = found.getsockname()[1]
    path.write_text(f"{port}\n")
    return port
