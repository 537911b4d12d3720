"""Fills an empty portal from a backup: all of it in one transaction, or nothing.

Files and trusted keys are put in place just before the commit, each whole and never over another: a refused restore
leaves none of them, and one that is killed there can be run again.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
from django.conf import settings
from django.contrib.auth.models import Group
from django.core.management.color import no_style
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections, models, transaction

from connectors import rekeying, runs
from connectors.models import ACTIVE_STATES, RunState, SyncRun
from evidence import verifications
from evidence.library import store
from portal import audit, canon, keys, ledger
from portal.models import LedgerEntry

from . import FILES, PRIVATE, TABLES, TRUSTED, Refused, lockbox
from .archive import Archive
from .tables import Table, kept, one_line
from .writing import key_name, migrations, private_files

BATCH, BATCH_SIZE = 500, 4_000_000  # rows and bytes that are saved at once
INTERRUPTED = "A restore interrupted it: what it had read was not in the backup."
Tell = Callable[[str], object]


@dataclass(frozen=True)
class Restored:
    """`strangers`: public keys of the backup that this portal does not trust; `unreadable`: names of connections
    whose tokens the keys here do not open; `other_fingerprints`: FINGERPRINT_KEY is another one than there."""

    rows: int
    interrupted: int
    strangers: dict[str, str]
    unreadable: tuple[str, ...]
    other_fingerprints: bool


@dataclass(frozen=True)
class Wish:
    """trust: the backup's public keys are trusted from now on; new_key: the key that signs here may be one that no
    key of the backup has signed in; passphrase: takes private keys out."""

    trust: bool = False
    new_key: bool = False
    passphrase: str = ""


def restore(archive: Archive, now: datetime, wish: Wish, tell: Tell) -> Restored:
    """Proves the archive, then fills the portal, which must be empty. Raises Refused, and then nothing was restored."""
    _must_fit(archive)
    must_be_empty()
    sha256 = archive.check()
    if wish.passphrase:
        _put_private_keys(archive, wish.passphrase, tell)
    try:
        with transaction.atomic():
            must_be_empty()
            rows = sum(_fill(table, archive, tell) for table in kept())
            connections[DEFAULT_DB_ALIAS].check_constraints()
            _reset_sequences()
            if not wish.new_key:
                _must_sign_with_a_known_key()
            interrupted = _end_runs(now)
            verifications.interrupt(now)
            made = str(archive.manifest["made_at"])
            audit.record(audit.Action.RESTORED, actor=None, at=now, made=made, sha256=sha256, rows=rows)
            _put_files(archive)
            if wish.trust:
                _trust(archive)
    except (DatabaseError, ValueError, OverflowError) as error:
        said = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        raise Refused(f"The database refused what stands in the backup, and is empty as before: {said}") from None
    return Restored(
        rows,
        interrupted,
        {name: key for name, key in public_keys(archive).items() if name not in canon.trusted_keys()},
        tuple(rekeying.prove().unreadable),
        archive.manifest["fingerprint_key"] != key_name(),
    )


# --- whether it may -------------------------------------------------------------------------------------------


def _must_fit(archive: Archive) -> None:
    """The backup is of this version's form: the same migrations, the same tables."""
    said, here = archive.manifest, migrations(DEFAULT_DB_ALIAS)
    if said["migrations"] != here:
        raise Refused(
            f"The backup was made by version {one_line(said['version'])}, whose database has another form than this "
            "version's. Restore it with the version that made it, then start the new version, which brings the "
            "database up to date."
        )
    wanted = {table.member for table in kept()}
    if {name for name in archive.members if name.startswith(TABLES)} != wanted:
        raise Refused("The backup does not hold exactly the tables that this version keeps.")


def must_be_empty() -> None:
    """Also asked before the database has all of its tables, or any."""
    there = connections[DEFAULT_DB_ALIAS].introspection.table_names()
    asked = (table for table in kept() if table.model._meta.db_table in there)
    filled = next((table for table in asked if table.model._base_manager.exists()), None)
    if filled is not None:
        raise Refused(
            f"This portal is not empty (there are rows of {filled.name}), and a restore never mixes two portals. Give "
            "it a new database, by another PORTAL_DATA or DATABASE_URL, and restore before the first `manage.py start`."
        )


# --- tables ---------------------------------------------------------------------------------------------------


def _fill(table: Table, archive: Archive, tell: Tell) -> int:
    lines = archive.lines(table.member)
    if next(lines, b"") + b"\n" != table.heading:
        raise Refused(f"{table.name} in the backup has other columns than here.")
    roles, rows = dict(Group.objects.values_list("name", "pk")), 0
    for batch in _batches(table.row(line, roles) for line in lines):
        table.model._base_manager.bulk_create(batch)
        rows += len(batch)
    if rows != archive.members[table.member]["rows"]:
        raise Refused(f"{table.name} in the backup has another number of rows than its manifest says.")
    tell(f"{table.name}: {rows:,} rows")
    return rows


def _batches(rows: Iterator[models.Model]) -> Iterator[list[models.Model]]:
    """Few enough rows, and few enough bytes, that memory does not grow with the backup."""
    batch: list[models.Model] = []
    size = 0
    for row in rows:
        batch.append(row)
        size += sum(len(value) for value in vars(row).values() if isinstance(value, bytes | str))
        if len(batch) >= BATCH or size >= BATCH_SIZE:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _reset_sequences() -> None:
    """PostgreSQL's next numbers; SQLite takes note of the numbers that it is given."""
    database = connections[DEFAULT_DB_ALIAS]
    with database.cursor() as cursor:
        for statement in database.ops.sequence_reset_sql(no_style(), [table.model for table in kept()]):
            cursor.execute(statement)


def _end_runs(now: datetime) -> int:
    """Runs that were under way have lost what they had read: they end, and stand in nobody's way."""
    ended = 0
    for run in SyncRun.objects.filter(state__in=ACTIVE_STATES).select_related("connection"):
        ended += runs.end(run, RunState.ABANDONED, now, code="restore-interrupted", detail=INTERRUPTED)
    return ended


def _must_sign_with_a_known_key() -> None:
    """What another key seals breaks the ledger for good: `verify` would find every later entry signed by a stranger."""
    try:
        name, _ = canon.sign(b"restore")
    except canon.NoSigningKey:
        return  # this machine seals nothing
    if LedgerEntry.objects.exists() and not ledger.signed_in(name):
        raise Refused(
            f"The signing key here ({name}) is not one that the backup's ledger knows, so nothing was restored. Put "
            "the signing key of the backed-up portal in its place (--with-keys takes it out of the backup, if it is "
            "there) and run this again. If it is lost, --new-signing-key goes on with the key here, and verify names "
            "the break."
        )


# --- keys -----------------------------------------------------------------------------------------------------


def public_keys(archive: Archive) -> dict[str, str]:
    """The public keys in the backup: their ids, and the sha256 of each whole key, to be compared out of band."""
    return {name: canon.digest(_raw(key)).hex() for name, (key, _) in _blocks(archive).items()}


def _blocks(archive: Archive) -> dict[str, tuple[Ed25519PublicKey, bytes]]:
    if TRUSTED not in archive.members:
        return {}
    found, end = {}, b"-----END PUBLIC KEY-----\n"
    for block in archive.whole(TRUSTED).split(end.strip())[:-1]:
        pem = block.strip() + b"\n" + end
        try:
            key = load_pem_public_key(pem)
        except ValueError:
            raise Refused("The public keys in the backup cannot be read.") from None
        if not isinstance(key, Ed25519PublicKey):
            raise Refused("The backup has a public key that is not an Ed25519 key.")
        found[canon.key_id(key)] = (key, key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return found


def _raw(key: Ed25519PublicKey) -> bytes:
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw)


def _trust(archive: Archive) -> None:
    """Adds the backup's public keys to those that are trusted: only when somebody said so."""
    path = Path(settings.TRUSTED_KEYS_FILE)
    before = path.read_bytes() if path.exists() else b""
    known = canon.trusted_keys()
    new = b"".join(pem for name, (_, pem) in _blocks(archive).items() if name not in known)
    if new:
        _put(path, [before, b"" if before.endswith(b"\n") or not before else b"\n", new])


def _put_private_keys(archive: Archive, passphrase: str, tell: Tell) -> None:
    """Writes the private keys beside those in use, never over them."""
    box = archive.manifest["lockbox"]
    if not box:
        raise Refused("There are no private keys in this backup: it was made without --with-keys.")
    found: dict[str, Any] = canon.read(lockbox.unlock(archive.whole(PRIVATE), passphrase, box))
    here = private_files()
    places = {
        "private.env": Path(settings.DATA_DIR) / "private.env.restored",
        "signing.key": Path(f"{settings.SIGNING_KEY_FILE}.restored"),
    }
    for name, path in places.items():
        text = str(found.get(name, ""))
        if text == here[name]:
            tell(f"{name}: the portal has it already")
            continue
        if path.exists() and path.read_text() != text:
            raise Refused(f"{path} is there already and holds something else: move it away.")
        if not path.exists():
            keys.write_private(path, text.encode())
        tell(f"{name}: written to {path}; stop the portal and move it to {path.with_suffix('')}")


# --- files ----------------------------------------------------------------------------------------------------


def _put_files(archive: Archive) -> None:
    """Uploaded files, each whole; one that is there with the same bytes stays, another one is never overwritten."""
    if settings.FILES_IN == "bucket":
        for name in archive.files():
            if store.put(archive.pieces(name)).sha256 != name.removeprefix(FILES).replace("/", ""):
                raise Refused(f"{name} in the backup is not what its name says.")
        return
    folder = Path(settings.DATA_DIR) / "files"
    for name in archive.files():
        path = folder / name.removeprefix(FILES)
        if not path.parent.resolve().is_relative_to(folder.resolve()) or path.is_symlink():
            raise Refused(f"{path} leads out of the folder of uploaded files.")
        if path.exists():
            if not path.is_file() or canon.digest(path.read_bytes()).hex() != archive.members[name]["sha256"]:
                raise Refused(f"{path} is there already and holds something else: move it away.")
            continue
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _put(path, archive.pieces(name))


def _put(path: Path, pieces: Any) -> None:
    """Writes a file under another name and renames it when it is whole."""
    new = path.with_name(f".{path.name}.new")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600), "wb") as file:
        for piece in pieces:
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())
    if path.exists():
        new.chmod(path.stat().st_mode & 0o777)
    os.replace(new, path)
