"""Files by their digest, in a folder outside of the web root. The seam of `files`, whose store takes its place."""

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import BinaryIO

from django.conf import settings


class Missing(Exception):
    """No file has this digest."""


@dataclass(frozen=True)
class Stored:
    sha256: str
    size: int


def put(chunks: Iterable[bytes]) -> Stored:
    """Keeps a file whole or not at all: written aside, synced, renamed to its digest."""
    found, size = hashlib.sha256(), 0
    _folder().mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile(dir=_folder(), suffix=".part", delete=False) as aside:
        for chunk in chunks:
            aside.write(chunk)
            found.update(chunk)
            size += len(chunk)
        aside.flush()
        os.fsync(aside.fileno())
    Path(aside.name).replace(_folder() / found.hexdigest())
    return Stored(found.hexdigest(), size)


def open(sha256: str) -> BinaryIO:
    try:
        return (_folder() / sha256).open("rb")
    except FileNotFoundError:
        raise Missing(sha256) from None


def has(sha256: str) -> bool:
    return (_folder() / sha256).exists()


def remove(sha256: str) -> None:
    (_folder() / sha256).unlink(missing_ok=True)


def _folder() -> Path:
    return Path(settings.DATA_DIR) / "files"
