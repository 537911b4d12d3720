"""HTTP/1.1 on a pair of asyncio streams: reading requests, writing answers, and breaking them on purpose."""

import asyncio
import re
import socket
import struct
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import unquote

from .faults import Fault
from .tokens import BY_TEXT

DRIP_SECONDS = 0.02
DAY_SECONDS = 86_400
MOST_BODY = 1 << 20
VENDOR_JSON = re.compile(r"application/vnd\.segment\.(v1|stable|alpha|beta)(alpha|beta)?\+json")


class Answer(NamedTuple):
    status: int
    body: bytes
    headers: Mapping[str, str] = {}


@dataclass(frozen=True)
class Asked:
    """One request. Header names are in lower case, the path is decoded, the query is not."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    keep_alive: bool

    @property
    def authorization(self) -> str:
        return self.headers.get("authorization", "")

    @property
    def token_name(self) -> str:
        """Name of the token, "-" for none and "?" for one that nobody knows; never the token."""
        token = BY_TEXT.get(self.authorization.partition(" ")[2].strip())
        return token.name if token else "?" if self.authorization else "-"


async def read(reader: asyncio.StreamReader) -> Asked | None:
    """The next request of a connection; None when it ends, or when what comes is not HTTP."""
    try:
        lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, target, protocol = lines[0].split(" ")
        fields = (line.partition(":") for line in lines[1:])
        headers = {name.strip().lower(): value.strip() for name, _, value in fields}
        await reader.readexactly(min(int(headers.get("content-length", "0")), MOST_BODY))
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError, ValueError):
        return None
    path, _, query = target.partition("?")
    ends = protocol != "HTTP/1.1" or headers.get("connection", "").lower() == "close"
    return Asked(method, unquote(path), query, headers, keep_alive=not ends)


async def write(writer: asyncio.StreamWriter, asked: Asked, answer: Answer, fault: Fault | None) -> bool:
    """Sends the answer. True when the connection can carry another."""
    kind = fault.kind if fault else ""
    keep = asked.keep_alive and kind not in ("short_body", "stall")
    length = len(answer.body) + (100 if kind == "short_body" else 0)
    late = (fault.value or -DAY_SECONDS) if fault and kind == "clock" else 0
    head = _head(asked, answer, length, keep, time.time() + late)
    if kind == "drip" and fault:
        writer.write(head)
        for at in range(len(answer.body)):
            writer.write(answer.body[at : at + 1])
            await writer.drain()
            await asyncio.sleep(fault.value or DRIP_SECONDS)
    elif kind == "stall":
        writer.write(head + answer.body[: len(answer.body) // 2])
    else:
        writer.write(head + answer.body)  # in one piece: two would wait for each other's acknowledgement
    await writer.drain()
    return keep


async def hang(reader: asyncio.StreamReader) -> None:
    """Says nothing until the other side goes away."""
    await reader.read()


def reset(writer: asyncio.StreamWriter) -> None:
    """Ends the connection with a reset instead of a good-bye."""
    taken: socket.socket = writer.get_extra_info("socket")
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def moment(text: str) -> str:
    """A Retry-After as it stands; `date+2` is the HTTP date in two seconds."""
    return formatdate(time.time() + float(text[5:]), usegmt=True) if text.startswith("date+") else text


def _head(asked: Asked, answer: Answer, length: int, keep: bool, now: float) -> bytes:
    lines = [
        f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}",
        f"Date: {formatdate(now, usegmt=True)}",
        f"Content-Type: {_content_type(asked, answer)}",
        f"Content-Length: {length}",
        *(f"{name}: {value}" for name, value in answer.headers.items()),
    ]
    if not keep:
        lines.append("Connection: close")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _content_type(asked: Asked, answer: Answer) -> str:
    """The version that was asked for comes back; what the real service writes there is not established."""
    if answer.body.startswith(b"<!doctype"):
        return "text/html; charset=utf-8"
    vendor = VENDOR_JSON.fullmatch(asked.headers.get("accept", ""))
    return vendor[0] if vendor else "application/json; charset=utf-8"
