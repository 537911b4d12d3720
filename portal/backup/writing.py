"""Makes a backup: under another name until it is whole, on the disk, and was read back."""

import fcntl
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import IO, Any
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

from django.conf import settings
from django.db import connections
from django.db.migrations.recorder import MigrationRecorder

from connectors.models import Snapshot, Workspace
from evidence.library import store
from portal import __version__, canon, keys

from . import FILES, FORMAT, MANIFEST, PRIVATE, TRUSTED, Refused, lockbox
from .archive import PIECE, Archive, sync_folder
from .tables import LEFT_OUT, OURS, kept

Tell = Callable[[str], object]
_EPOCH = (1980, 1, 1, 0, 0, 0)  # members have no time of their own: equal contents give equal bytes


@dataclass(frozen=True)
class Made:
    """`sha256` of the whole file, which has `size` bytes."""

    path: Path
    sha256: str
    size: int
    rows: int


def write(path: Path, alias: str, now: datetime, *, passphrase: str = "", force: bool = False, tell: Tell) -> Made:
    """A backup of what the connection `alias` sees. With a passphrase the private keys are in it, locked.

    Raises Refused, or OSError when the disk is full, and leaves nothing under `path` that was not there before.
    """
    _must_be_free(path, force)
    with _aside(path) as (part, file):
        with ZipFile(file, "w", ZIP_DEFLATED, compresslevel=1) as zipped:
            members = dict(_contents(zipped, alias, tell))
            box = _private(zipped, members, passphrase) if passphrase else None
            said = manifest(alias, now, members) | {"lockbox": box}
            with zipped.open(_info(MANIFEST), "w") as member:
                member.write(canon.canonical(said))
        file.flush()
        os.fsync(file.fileno())
        with Archive(part) as archive:
            sha256 = archive.check()
        _must_be_free(path, force)
        os.replace(part, path)
        sync_folder(path.parent)
    return Made(path, sha256, path.stat().st_size, sum(each.get("rows", 0) for each in members.values()))


def _must_be_free(path: Path, force: bool) -> None:
    if path.is_dir() or (path.exists() and not force):
        raise Refused(f"{path} is there already: choose another name, or write over it with --force.")


@contextmanager
def _aside(path: Path) -> Iterator[tuple[Path, IO[bytes]]]:
    """A file beside `path` for its owner alone; one that a killed backup has left is taken over."""
    part = path.with_name(f".{path.name}.part")
    try:
        number = os.open(part, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise Refused(f"No file can be written into {path.parent} ({error.strerror}).") from None
    with os.fdopen(number, "w+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            ours = part.exists() and os.path.samestat(os.fstat(number), part.stat())
        except BlockingIOError:
            ours = False
        if not ours:  # locked, or given its name by whoever had it until a moment ago
            raise Refused(f"Another backup is being written to {path}.")
        os.fchmod(number, 0o600)
        os.ftruncate(number, 0)
        try:
            yield part, file
        finally:
            part.unlink(missing_ok=True)


# --- members --------------------------------------------------------------------------------------------------


def _contents(zipped: ZipFile, alias: str, tell: Tell) -> Iterator[tuple[str, dict[str, Any]]]:
    """Writes all members but the manifest and the private keys; gives the name of each and what is said of it."""
    for table in kept():
        said = _member(zipped, table.member, table.lines(alias))
        rows = said.pop("pieces") - 1
        tell(f"{table.name}: {rows:,} rows")
        yield table.member, said | {"rows": rows}
    trusted = Path(settings.TRUSTED_KEYS_FILE)
    plain = [(TRUSTED, _pieces(trusted))] if trusted.is_file() else []
    for name, pieces in chain(plain, uploads()):
        said = _member(zipped, name, pieces)
        del said["pieces"]
        yield name, said


def _member(zipped: ZipFile, name: str, pieces: Iterable[bytes]) -> dict[str, Any]:
    made, size, number = hashlib.sha256(), 0, 0
    info = _info(name)
    if name.startswith(FILES):  # mostly packed already; and what shrinks a thousandfold would look like a bomb
        info.compress_type = ZIP_STORED
    with zipped.open(info, "w", force_zip64=True) as member:
        for piece in pieces:
            member.write(piece)
            made.update(piece)
            size, number = size + len(piece), number + 1
    return {"bytes": size, "sha256": made.hexdigest(), "pieces": number}


def _info(name: str) -> ZipInfo:
    info = ZipInfo(name, _EPOCH)
    info.compress_type = ZIP_DEFLATED
    info._compresslevel = 1  # type: ignore[attr-defined]  # a ZipInfo does not take the archive's level
    return info


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            yield piece


def uploads() -> Iterator[tuple[str, Iterator[bytes]]]:
    """Member and bytes of every uploaded file, in the order of their names."""
    if settings.FILES_IN == "bucket":
        for sha256, _ in store.every():
            yield f"{FILES}{sha256[:2]}/{sha256[2:]}", store.pieces(sha256)
        return
    folder = Path(settings.DATA_DIR) / "files"
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not (path.is_dir() or path.is_file()):
            raise Refused(f"{path} is no plain file: take it out of the folder of uploaded files.")
        if path.is_file():
            yield f"{FILES}{path.relative_to(folder).as_posix()}", _pieces(path)


def _private(zipped: ZipFile, members: dict[str, dict[str, Any]], passphrase: str) -> dict[str, Any]:
    """Adds the private file and the signing key, locked; returns what opens them besides the passphrase."""
    locked, box = lockbox.lock(canon.canonical(private_files()), passphrase)
    said = _member(zipped, PRIVATE, [locked])
    del said["pieces"]
    members[PRIVATE] = said
    return box


def private_files() -> dict[str, str]:
    """What stands in the private file, with the keys that only the environment has, and in the signing key's file."""
    private = keys.private_file({"PORTAL_DATA": str(settings.DATA_DIR)})
    text = private.read_text() if private.is_file() else ""
    named = {line.partition("=")[0].strip().removeprefix("export ").strip() for line in text.splitlines()}
    used = {
        "SECRET_KEY": settings.SECRET_KEY,
        "FERNET_KEYS": ",".join(settings.FERNET_KEYS),
        "FINGERPRINT_KEY": settings.FINGERPRINT_KEY,
    }
    text += "".join(f"{name}={value}\n" for name, value in used.items() if name not in named)
    try:
        return {"private.env": text, "signing.key": Path(settings.SIGNING_KEY_FILE).read_text()}
    except OSError as error:
        raise Refused(f"The signing key cannot be read ({error.strerror}), so it cannot be in the backup.") from None


# --- the manifest ---------------------------------------------------------------------------------------------


def manifest(alias: str, now: datetime, members: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """What a backup says of itself; holds no secret."""
    return {
        "format": FORMAT,
        "version": __version__,
        "made_at": now.isoformat(timespec="seconds"),
        "database": connections[alias].vendor,
        "migrations": migrations(alias),
        "members": members,
        "workspaces": heads(alias),
        "left_out": LEFT_OUT,
        "fingerprint_key": key_name(),
    }


def migrations(alias: str) -> dict[str, list[str]]:
    """The names of the migrations that our tables have gone through, by app."""
    applied = sorted(MigrationRecorder(connections[alias]).applied_migrations())
    return {app: [name for label, name in applied if label == app] for app in OURS}


def heads(alias: str) -> list[dict[str, Any]]:
    """Number and digest of every workspace's newest snapshot."""
    found = []
    for workspace in Workspace.objects.using(alias).order_by("pk"):
        newest = Snapshot.objects.using(alias).filter(workspace=workspace, seq=workspace.head)
        digest = newest.values_list("header_sha256", flat=True).first() or ""
        found.append(
            {"uid": str(workspace.uid), "name": workspace.name, "head": workspace.head, "header_sha256": digest}
        )
    return found


def key_name() -> str:
    """Names FINGERPRINT_KEY without giving it away: it is a digest keyed with itself."""
    return canon.fingerprint("backup", "the fingerprint key")
