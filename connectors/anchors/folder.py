"""A folder for heads: one small file for each, that is made once and never written again.

A file is named after what it confirms and its bytes follow from the snapshot alone. So whoever was killed between the
file and its row in the database finds the very same file at the next try.
"""

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path

from django.conf import settings

from portal import canon

from ..models import Snapshot
from .refusal import AnchorFailed

FORMAT = 1
LONGEST = 10_000  # bytes; ours have 500
_NO_LINKS = {errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP, errno.EMLINK}


@dataclass(frozen=True)
class Named:
    """What the name of a file says that it confirms."""

    file: str
    uid: str
    seq: int
    sha256: str


def name_of(snapshot: Snapshot) -> str:
    return f"{snapshot.workspace.uid}-{snapshot.seq}-{snapshot.header_sha256}.json"


def contents(snapshot: Snapshot) -> bytes:
    """The file's bytes: canonical JSON in one line."""
    said = {
        "format": FORMAT,
        "header_sha256": snapshot.header_sha256,
        "key_id": snapshot.key_id,
        "previous_sha256": snapshot.previous_sha256,
        "published_at": snapshot.published_at.astimezone(UTC).isoformat(),
        "signature": bytes(snapshot.signature).hex(),
        "snapshot": snapshot.seq,
        "workspace": str(snapshot.workspace.uid),
    }
    return canon.canonical(said) + b"\n"


def listed() -> Iterator[Named]:
    """Every file of the folder that is named as one of ours. Raises OSError."""
    with os.scandir(settings.ANCHOR_FOLDER) as entries:
        for name in sorted(entry.name for entry in entries):
            uid, _, rest = name.removesuffix(".json").rpartition("-")[0].rpartition("-")
            sha256 = name.removesuffix(".json").rpartition("-")[2]
            if name.endswith(".json") and len(sha256) == 64 and len(uid) == 36 and rest.isdecimal():
                yield Named(name, uid, int(rest), sha256)


def read(name: str) -> bytes:
    """The bytes of one file, never more than could be ours. Raises OSError."""
    with (Path(settings.ANCHOR_FOLDER) / name).open("rb") as file:
        return file.read(LONGEST)


def make(snapshot: Snapshot) -> tuple[bytes, str]:
    """Puts the file there, or finds it there; returns its bytes and its name. Raises AnchorFailed.

    What the folder confirms of this workspace must be in the chain: a snapshot that takes the place of another is
    not anchored beside it.
    """
    name, data = name_of(snapshot), contents(snapshot)
    try:
        _meets(snapshot)
        with suppress(FileExistsError):
            _put(name, data)
        if read(name) != data:
            raise AnchorFailed("anchor-contradicted", f"The file {name} is there already, with other bytes.")
    except OSError as error:
        why = os.strerror(error.errno) if error.errno else type(error).__name__
        raise AnchorFailed("anchor-folder", f"The folder for anchors refuses the file: {why}.") from None
    return data, name


def _meets(snapshot: Snapshot) -> None:
    later = [each for each in listed() if each.uid == str(snapshot.workspace.uid) and each.seq >= snapshot.seq]
    there = Snapshot.objects.filter(workspace=snapshot.workspace, seq__gte=snapshot.seq)
    held = set(there.values_list("seq", "header_sha256"))
    for each in later:
        if (each.seq, each.sha256) not in held:
            what = f"The folder confirms a snapshot {each.seq} that the chain does not hold: {each.file}."
            raise AnchorFailed("anchor-contradicted", what)


def _put(name: str, data: bytes) -> None:
    """The whole file under its name, or nothing. Raises FileExistsError, and other kinds of OSError."""
    folder = Path(settings.ANCHOR_FOLDER)
    part = folder / f".{name}.{secrets.token_hex(4)}"
    _write(part, data)
    try:
        os.link(part, folder / name)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        _write(folder / name, data)  # a store without links: a name is taken once there, too
    finally:
        with suppress(OSError):  # where nothing can be removed, it stays
            part.unlink()
    _settle(folder)


def _write(path: Path, data: bytes) -> None:
    handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o444)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _settle(folder: Path) -> None:
    """The name survives a loss of power as well as the bytes do, where the folder allows to ask for that."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
