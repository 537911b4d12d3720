"""Files of many artifacts as one zip, written while it is sent: each file once, and an index that says whose it is."""

import re
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import chain

from django.db.models import F, QuerySet

from ..exports import csv
from ..models import Artifact, Version
from . import store
from .standing import batched

MOST = 1000  # artifacts in one zip
MOST_BYTES = 2_000_000_000
TITLES = ("artifact", "uid", "title", "version", "state", "owner", "file", "bytes", "sha256", "note")
_ODD = re.compile(r"[^A-Za-z0-9._-]+")


class _Pipe:
    """Takes what the zip writes, until it is handed on. It cannot go back, which `zipfile` understands."""

    def __init__(self) -> None:
        self._held: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._held.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing is kept back."""

    def take(self) -> bytes:
        data, self._held = b"".join(self._held), []
        return data


def pack(found: "QuerySet[Artifact]", at: datetime) -> Iterator[bytes]:
    """The newest versions of these artifacts. A file that is erased or gone is named in the index, with why."""
    pipe, names, lines = _Pipe(), dict[str, str](), list[tuple[object, ...]]()
    day = at.timetuple()[:6]
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:  # type: ignore[call-overload]  # needs no more
        for version in _versions(list(found.order_by("pk").values_list("pk", flat=True))):
            note = ""
            if version.sha256 not in names:
                pieces = _pieces(version)
                if isinstance(pieces, str):
                    note = pieces
                else:
                    names[version.sha256] = f"files/{version.sha256[:12]}-{_name(version)}"
                    with archive.open(zipfile.ZipInfo(names[version.sha256], day), "w", force_zip64=True) as file:
                        for piece in pieces:
                            file.write(piece)
                            yield pipe.take()
            lines.append(_line(version, names.get(version.sha256, ""), note))
        archive.writestr(zipfile.ZipInfo("index.csv", day), b"".join(csv.pieces(TITLES, iter(lines))))  # type: ignore[arg-type]  # rows of cells
    yield pipe.take()


def _versions(pks: Sequence[int]) -> Iterator[Version]:
    for some in batched(pks):
        rows = Version.objects.filter(artifact__in=some, number=F("artifact__newest"))
        yield from rows.defer("body").select_related("artifact__owner").order_by("artifact")


def _pieces(version: Version) -> Iterator[bytes] | str:
    """The bytes of a version, or why there are none. A file is opened here, so that what is gone is known before."""
    if not version.stored:
        return iter([zlib.decompress(bytes(version.body))]) if version.body else "erased"
    pieces = store.pieces(version.sha256)
    try:
        return chain([next(pieces, b"")], pieces)
    except store.Missing:
        return "not in the store: erased or lost"
    except (store.Away, OSError):
        return "the store could not be reached"


def _name(version: Version) -> str:
    named = version.name if version.stored else f"{version.title}.json"
    stem, dot, end = named.rpartition(".")
    return f"{_ODD.sub('-', stem)[:60].strip('-.')}{dot}{_ODD.sub('', end)[:10]}" if dot else _ODD.sub("-", named)[:60]


def _line(version: Version, file: str, note: str) -> tuple[object, ...]:
    of = version.artifact
    about = (of.pk, str(of.uid), of.title, version.number, of.get_state_display(), of.owner.username)
    return *about, file, version.size, version.sha256, note
