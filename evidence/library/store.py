"""Uploaded files by their digest, outside of the web root: in a folder of the data, or in a bucket that speaks S3.

A file appears under its digest when it is whole and on the disk, or not at all. It is written once; the same bytes
again are the same file.
"""

import hashlib
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import IO, Any

from django.conf import settings
from django.core.files import File
from django.core.files.storage import Storage, storages
from django.db import connection

PIECE = 1 << 20  # bytes that are in memory at once


class Missing(Exception):
    """The store has no file of this digest."""


class Away(Exception):
    """The store cannot be reached, or refuses; the message says why, without secrets."""


@dataclass(frozen=True)
class Stored:
    sha256: str
    size: int


def put(chunks: Iterable[bytes]) -> Stored:
    """Keeps a file; raises OSError when the disk is full and Away, and then nothing of it is there."""
    made, size = hashlib.sha256(), 0
    with tempfile.NamedTemporaryFile(dir=incoming(), prefix="part-") as part:
        for chunk in chunks:
            part.write(chunk)
            made.update(chunk)
            size += len(chunk)
        part.flush()
        os.fsync(part.fileno())
        _shelf().keep(part, made.hexdigest())
    return Stored(made.hexdigest(), size)


def open(sha256: str) -> IO[bytes]:
    """The file's bytes. Raises Missing and Away."""
    return _shelf().open(sha256)


def has(sha256: str) -> bool:
    return _shelf().has(sha256)


def remove(sha256: str) -> bool:
    """Takes a file away; whether it was there."""
    return _shelf().remove(sha256)


def pieces(sha256: str) -> Iterator[bytes]:
    with open(sha256) as file:
        while piece := file.read(PIECE):
            yield piece


def every() -> Iterator[tuple[str, datetime]]:
    """Digest of each file, and when it was last put there (UTC)."""
    return _shelf().every()


def incoming() -> Path:
    """Where files lie while they come in: beside the store, so that a whole one only needs its name."""
    folder = Path(settings.DATA_DIR) / "incoming"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def where() -> str:
    """In words, for the examination of the portal."""
    return f"the bucket {settings.OBJECT_STORE_BUCKET}" if settings.FILES_IN == "bucket" else "a folder of the data"


def one_at_a_time(sha256: str) -> None:
    """Who keeps, erases or sweeps these bytes waits here for whoever else does; until the transaction's end.

    SQLite lets one write at a time anyway.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [int(sha256[:15], 16)])


# --- a folder ---------------------------------------------------------------------------------------------------


class _Folder:
    """PORTAL_DATA/files/ab/cdef…; a hard link gives a whole file its name, in one step."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def _path(self, sha256: str) -> Path:
        return self._folder / sha256[:2] / sha256[2:]

    def keep(self, part: Any, sha256: str) -> None:
        path = self._path(sha256)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with suppress(FileExistsError):
            os.link(part.name, path)
        os.utime(path)  # what is kept again is young again, so that nobody sweeps it away meanwhile
        for folder in (path.parent, self._folder):
            number = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(number)
            finally:
                os.close(number)

    def open(self, sha256: str) -> IO[bytes]:
        try:
            return self._path(sha256).open("rb")
        except FileNotFoundError:
            raise Missing(sha256) from None
        except OSError as error:
            raise Away(f"the file cannot be read ({error.strerror})") from None

    def has(self, sha256: str) -> bool:
        return self._path(sha256).is_file()

    def remove(self, sha256: str) -> bool:
        try:
            self._path(sha256).unlink()
        except FileNotFoundError:
            return False
        return True

    def every(self) -> Iterator[tuple[str, datetime]]:
        for path in sorted(self._folder.glob("??/*")):
            with suppress(FileNotFoundError):
                yield path.parent.name + path.name, datetime.fromtimestamp(path.stat().st_mtime).astimezone()


# --- a bucket ---------------------------------------------------------------------------------------------------


class _Bucket:
    """The same by django-storages: an object is there when its last byte has arrived."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def keep(self, part: IO[bytes], sha256: str) -> None:
        part.seek(0)
        self._asked(self._storage.save, _key(sha256), File(part))

    def open(self, sha256: str) -> IO[bytes]:
        if not self.has(sha256):
            raise Missing(sha256)
        found: IO[bytes] = self._asked(self._storage.open, _key(sha256))
        return found

    def has(self, sha256: str) -> bool:
        return bool(self._asked(self._storage.exists, _key(sha256)))

    def remove(self, sha256: str) -> bool:
        there = self.has(sha256)
        self._asked(self._storage.delete, _key(sha256))
        return there

    def every(self) -> Iterator[tuple[str, datetime]]:
        for folder in sorted(self._asked(self._storage.listdir, "")[0]):
            for name in sorted(self._asked(self._storage.listdir, folder)[1]):
                yield folder + name, self._asked(self._storage.get_modified_time, f"{folder}/{name}")

    def _asked(self, ask: Any, *arguments: Any) -> Any:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return ask(*arguments)
        except ClientError as error:
            raise Away(f"the bucket answered {error.response.get('Error', {}).get('Code', 'an error')}") from None
        except BotoCoreError as error:
            raise Away(f"the bucket cannot be reached ({type(error).__name__})") from None


def _key(sha256: str) -> str:
    return f"{sha256[:2]}/{sha256[2:]}"


@cache
def _bucket() -> _Bucket:
    return _Bucket(storages["files"])


def _shelf() -> _Folder | _Bucket:
    return _bucket() if settings.FILES_IN == "bucket" else _Folder(Path(settings.DATA_DIR) / "files")
