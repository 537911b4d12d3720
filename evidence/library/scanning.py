"""Asks a virus scanner (clamd) about a file before it is kept.

clamd's INSTREAM: pieces with their length before them, a zero at the end; the answer is one line.
https://docs.clamav.net/manual/Usage/Scanning.html#clamd
"""

import socket
import struct
from contextlib import closing
from datetime import datetime
from typing import IO

from django.conf import settings

PATIENCE = 60  # seconds for each step
PIECE = 1 << 16
NOT_ASKED, NO_ANSWER = "not scanned: no scanner is configured", "not scanned: the scanner did not answer"


class Infected(Exception):
    """The scanner found something; its name is the message."""


class Away(Exception):
    """The scanner does not answer, and CLAMD_REQUIRED says that nothing is kept without it."""


def scan(file: IO[bytes], now: datetime) -> str:
    """What is kept beside the file about its scan. Raises Infected and Away."""
    if not settings.CLAMD_ADDRESS:
        return NOT_ASKED
    try:
        said = _asked(file)
    except OSError:
        said = ""
    if said.endswith(" FOUND"):
        raise Infected(said.removesuffix(" FOUND").rpartition(": ")[2][:100])
    if not said.endswith(" OK"):
        if settings.CLAMD_REQUIRED:
            raise Away
        return NO_ANSWER
    return f"scanned by ClamAV on {now:%Y-%m-%d %H:%M} {now.tzname() or ''}: nothing found".strip()


def ping() -> bool:
    """Whether the scanner answers."""
    try:
        with closing(_connected()) as line:
            line.sendall(b"zPING\0")
            return line.recv(16).startswith(b"PONG")
    except OSError:
        return False


def _asked(file: IO[bytes]) -> str:
    file.seek(0)
    with closing(_connected()) as line:
        line.sendall(b"zINSTREAM\0")
        while piece := file.read(PIECE):
            line.sendall(struct.pack("!L", len(piece)) + piece)
        line.sendall(struct.pack("!L", 0))
        answer = b""
        while not answer.endswith(b"\0") and (more := line.recv(4096)):
            answer += more
    return answer.rstrip(b"\0").decode("utf-8", "replace").strip()


def _connected() -> socket.socket:
    address = settings.CLAMD_ADDRESS
    if address.startswith("/"):
        line = socket.socket(socket.AF_UNIX)
        line.settimeout(PATIENCE)
        line.connect(address)
        return line
    host, _, port = address.rpartition(":")
    if not port.isdecimal():
        raise OSError
    return socket.create_connection((host.strip("[]"), int(port)), PATIENCE)
