"""What an erasure looks for, and where it stands: a person's e-mail address or id in any text of any record."""

import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from django.db.models import Q

from connectors import locker
from connectors.models import Blob, Receipt, Workspace
from portal import canon
from portal.proving import stepwise

from .library import kinds, store
from .models import Version

_EMAIL = re.compile(r"[^\s@\"'<>\\,;]{1,64}@[^\s@\"'<>\\,;]{1,200}\.[^\s@\"'<>\\,;]{2,60}")
_ID = re.compile(r"[A-Za-z0-9_-]{6,100}")
AT_ONCE = 200  # blobs held at a time
_NAMES = ("name", "title", "email", "slug")  # fields that name a record, the best first


class Unfit(Exception):
    """Neither an e-mail address nor an id: a word would match half of the evidence."""


class Needle:
    """An e-mail address in any case, or an id as it is written; as a whole value or within a longer text.

    Raises Unfit.
    """

    def __init__(self, text: str) -> None:
        self.text = text.strip()
        self.email = bool(_EMAIL.fullmatch(self.text))
        if not (self.email or _ID.fullmatch(self.text)):
            raise Unfit
        edges = (r"(?<![\w.+%-])", r"(?![\w-]|\.\w)") if self.email else (r"(?<![\w-])", r"(?![\w-])")
        flags = re.IGNORECASE if self.email else 0
        self._find = re.compile(edges[0] + re.escape(self.text) + edges[1], flags).search
        self._core = self.text.lower().encode() if self.text.isascii() else b""

    @property
    def hint(self) -> str:
        """What may be read of it afterwards: `m…@e….com`, `ab…`."""
        if not self.email:
            return f"{self.text[:2]}…"
        person, _, host = self.text.lower().rpartition("@")
        return f"{person[:1]}…@{host[:1]}….{host.rpartition('.')[2]}"[:80]

    @property
    def print(self) -> str:
        """Its keyed fingerprint: the same needle gives the same one, and nobody without the key can try names out."""
        return canon.fingerprint("erasure", self.text.casefold() if self.email else self.text)

    def names(self, text: str) -> bool:
        return bool(self._find(text))

    def within(self, data: bytes) -> bool:
        """Whether any text of this canonical JSON names it. Raises ValueError for anything else."""
        return self._core in data.lower() and any(map(self.names, texts(canon.read(data))))


def texts(value: Any) -> Iterator[str]:
    """Every string of a JSON value, the names of fields as well."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield name
            yield from texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts(inner)


@dataclass
class Found:
    """`blobs` in the order of workspace, stream and key; `unread` could not be searched, which is not "not found"."""

    blobs: list[bytes] = field(default_factory=list)
    artifacts: list[int] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    keys: int = 0
    requests: int = 0
    unread: int = 0


def expected() -> int:
    return Blob.objects.count() + Version.objects.count()


def search(needle: Needle, workspace: Workspace | None, tell: Callable[[int], object]) -> Found:
    """Looks through everything that is stored, of one workspace or of all; `tell` hears how many were looked at."""
    found, done = Found(), 0
    places: list[tuple[tuple[str, ...], bytes]] = []
    for sha256, size, body in stepwise(Blob.objects.all(), "sha256", fields=("size", "body"), size=AT_ONCE):
        names = _named(needle, Blob(sha256=sha256, size=size, body=body), found) if body else None
        if names and (workspace is None or names[0] == str(workspace.uid)):
            places.append(((names[0], names[1], names[3]), bytes(sha256)))
        done += 1
        tell(done)
    for (_, stream, key), address in sorted(places):
        found.blobs.append(address)
        found.counts[stream] += 1
        found.keys += needle.names(unquote(key))
    for _ in _artifacts(needle, workspace, found):
        done += 1
        tell(done)
    found.requests = _requests(needle, workspace)
    return found


def _named(needle: Needle, blob: Blob, found: Found) -> list[str] | None:
    """Where an envelope that names the needle belongs: workspace, stream, policy, key."""
    try:
        data = locker.envelope_of(blob)
        if not needle.within(data):
            return None
        names: list[str] = canon.read(data)["names"]
    except (locker.Unpackable, ValueError, KeyError, TypeError):
        found.unread += 1
        return None
    return names


def _artifacts(needle: Needle, workspace: Workspace | None, found: Found) -> Iterator[int]:
    rows = Version.objects.filter(artifact__workspaces=workspace) if workspace else Version.objects.all()
    fields = ("title", "body", "stored", "sha256", "media", "name")
    for pk, title, body, stored, sha256, media, name in stepwise(rows, "pk", fields=fields, size=20):
        if stored:
            _file(needle, pk, f"{title}\n{name}", (sha256, media), found)
        elif body:
            try:
                if needle.within(zlib.decompress(bytes(body))) or needle.names(title):
                    found.artifacts.append(pk)
            except (zlib.error, ValueError):
                found.unread += 1
        yield pk


def _file(needle: Needle, pk: int, names: str, file: tuple[str, str], found: Found) -> None:
    """An uploaded file: text is searched, with its names; what cannot be read as text is counted as unread."""
    sha256, media = file
    content = kinds.BY_MEDIA.get(media)
    try:
        text = content is not None and content.text and store.has(sha256)
        if needle.names(names) or (text and needle.names(kinds.decoded(b"".join(store.pieces(sha256))))):
            found.artifacts.append(pk)
        elif not text and store.has(sha256):
            found.unread += 1
    except (store.Missing, store.Away, OSError):
        found.unread += 1


def _requests(needle: Needle, workspace: Workspace | None) -> int:
    rows = Receipt.objects.filter(Q(path__icontains=needle.text) | Q(query__icontains=needle.text))
    return (rows.filter(run__connection__workspace=workspace) if workspace else rows).count()


def label(blob: Blob) -> str:
    """What a record calls itself, for the preview; "" when it has no name or its bytes are gone."""
    try:
        data = canon.read(locker.envelope_of(blob))["data"] if blob.body else {}
    except (locker.Unpackable, ValueError, KeyError):
        return ""
    said = (data.get(name) for name in _NAMES) if isinstance(data, dict) else iter(())
    return next((text for text in said if isinstance(text, str) and text.strip()), "")
