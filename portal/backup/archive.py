"""A backup's file as it was found: nothing in it is believed before it was looked at."""

import hashlib
import os
import re
import stat
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from portal import canon

from . import FILES, FORMAT, MANIFEST, PRIVATE, TABLES, TRUSTED, Refused
from .tables import one_line

MOST_MEMBERS = 500_000
MOST_MANIFEST = 64_000_000  # bytes
MOST_LINE = 512_000_000  # bytes of one row; the greatest answer that is read has 64 MB
MOST_KEYS = 1_000_000  # bytes
MOST_RATIO = 500  # what a member may grow by; above some size, since a page of blanks shrinks a thousandfold
SMALL = 10_000_000  # bytes
PIECE = 1 << 20
_TABLE = re.compile(re.escape(TABLES) + r"[A-Za-z_]+\.[A-Za-z_]+\.jsonl")


class Archive:
    """An opened backup. Raises Refused for a file that is none, or that could do harm by its form.

    `manifest` is what the backup says of itself; `check` proves the bytes of all members by it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._zip = zipfile.ZipFile(path)
        except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError) as error:
            why = error.strerror if isinstance(error, OSError) and error.strerror else "it is no zip, or was cut short"
            raise Refused(f"{path} cannot be opened: {why}.") from None
        try:
            self._sizes = _members(self._zip.infolist())
            self.manifest = self._manifest()
        except Refused:
            self._zip.close()
            raise

    def __enter__(self) -> "Archive":
        return self

    def __exit__(self, kind: type[BaseException] | None, it: BaseException | None, at: TracebackType | None) -> None:
        self._zip.close()

    @property
    def members(self) -> Mapping[str, Mapping[str, Any]]:
        """What the manifest says of each member, by its name."""
        found: Mapping[str, Mapping[str, Any]] = self.manifest["members"]
        return found

    def files(self) -> list[str]:
        return [name for name in self.members if name.startswith(FILES)]

    def check(self) -> str:
        """Hashes every member and the file itself; returns the file's sha256. Raises Refused."""
        for name, said in self.members.items():
            made, size = hashlib.sha256(), 0
            for piece in self.pieces(name):
                made.update(piece)
                size += len(piece)
            if (made.hexdigest(), size) != (said["sha256"], said["bytes"]):
                raise Refused(f"{name} in the backup is not what its manifest says: it was changed or damaged.")
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def pieces(self, name: str) -> Iterator[bytes]:
        try:
            with self._zip.open(name) as member:
                while piece := member.read(PIECE):
                    yield piece
        except (zipfile.BadZipFile, EOFError, OSError, ValueError, NotImplementedError, zlib.error):
            raise Refused(f"{name} in the backup is damaged.") from None

    def whole(self, name: str, most: int = MOST_KEYS) -> bytes:
        """All bytes of a small member."""
        if self._sizes[name] > most:
            raise Refused(f"{name} in the backup is larger than it can be.")
        return b"".join(self.pieces(name))

    def lines(self, name: str) -> Iterator[bytes]:
        """The lines of a table's member, without their ends."""
        with self._zip.open(name) as member:
            while line := member.readline(MOST_LINE):
                if not line.endswith(b"\n"):
                    raise Refused(f"{name} in the backup ends in the middle of a row.")
                yield line[:-1]

    def _manifest(self) -> dict[str, Any]:
        if MANIFEST not in self._sizes:
            raise Refused(f"{self.path} is no backup of the portal: it has no {MANIFEST}.")
        try:
            found = canon.parse(self.whole(MANIFEST, MOST_MANIFEST))
        except canon.NotStrict:
            raise Refused(f"The backup's {MANIFEST} cannot be read.") from None
        if not isinstance(found, dict) or found.get("format") != FORMAT:
            raise Refused(
                f"The backup has a form that this version does not know; it knows {FORMAT}. "
                "Restore it with the version of the portal that made it."
            )
        _must_be_well_formed(found)
        if set(found["members"]) != set(self._sizes) - {MANIFEST}:
            raise Refused("The backup holds other members than its manifest names.")
        return found


# --- what may stand in it -----------------------------------------------------------------------------------------


def _members(infos: list[zipfile.ZipInfo]) -> dict[str, int]:
    """Name -> bytes of every member. Raises Refused for any that no backup of ours would have."""
    if len(infos) > MOST_MEMBERS:
        raise Refused(f"The backup has more than {MOST_MEMBERS:,} members.")
    sizes: dict[str, int] = {}
    for info in infos:
        name = info.filename
        if name in sizes:
            raise Refused(f"The backup has “{one_line(name)}” twice.")
        if not _may_be_called(name):
            raise Refused(f"The backup has a member called “{one_line(name)}”, which no backup of the portal has.")
        if stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG) or info.is_dir():
            raise Refused(f"“{one_line(name)}” in the backup is no plain file.")
        if info.file_size > max(SMALL, MOST_RATIO * info.compress_size):
            raise Refused(f"“{one_line(name)}” in the backup would grow beyond measure.")
        sizes[name] = info.file_size
    return sizes


def _may_be_called(name: str) -> bool:
    if name in (MANIFEST, TRUSTED, PRIVATE) or _TABLE.fullmatch(name):
        return True
    parts = name.removeprefix(FILES).split("/")
    plain = name.isprintable() and not set('\\:*?"<>|') & set(name)
    return name.startswith(FILES) and plain and not any(part in ("", ".", "..") for part in parts)


def _must_be_well_formed(manifest: Mapping[str, Any]) -> None:
    """Every key is there and of its type, so that nobody has to ask again."""
    wanted = {
        "version": str,
        "made_at": str,
        "database": str,
        "migrations": dict,
        "members": dict,
        "workspaces": list,
        "left_out": dict,
        "fingerprint_key": str,
    }
    fine = all(isinstance(manifest.get(key), kind) for key, kind in wanted.items())
    fine = fine and isinstance(manifest.get("lockbox"), dict | None) and _is_moment(manifest["made_at"])
    fine = fine and all(_is_member(name, said) for name, said in manifest["members"].items())
    if not fine or (PRIVATE in manifest["members"]) != bool(manifest["lockbox"]):
        raise Refused(f"The backup's {MANIFEST} lacks something, or holds something else than it should.")


def _is_moment(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def _is_member(name: str, said: Any) -> bool:
    counted = ("bytes", "rows") if name.startswith(TABLES) else ("bytes",)
    return (
        isinstance(said, dict)
        and isinstance(said.get("sha256"), str)
        and all(type(said.get(key)) is int for key in counted)
    )


def sync_folder(folder: Path) -> None:
    """Has the disk keep the names in a folder."""
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
