"""Canonical bytes, digests, signatures, and rows that are written once. The floor of all evidence.

The rule: hash bytes, never structures. What is hashed is made once, here, and stored as it is.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, NoReturn

import orjson
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)
from django.conf import settings
from django.db import migrations, models


class NotStrict(ValueError):
    """JSON that two parsers could read in two ways. Says which rule it breaks, never what it holds."""


class NotJson(NotStrict):
    """Bytes that are no JSON at all: cut short, or something else."""


DEEPEST = 254  # levels; what the fast parser's writer takes, so that both ways have one rule


# --- bytes --------------------------------------------------------------------------------------


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise NotStrict("an object has the same key twice")
    return found


def _constant(name: str) -> NoReturn:
    raise NotStrict("a number is not finite")


def _float(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise NotStrict("a number is beyond what a double can hold")
    return value


_strict = json.JSONDecoder(object_pairs_hook=_pairs, parse_constant=_constant, parse_float=_float)


def parse(data: bytes) -> Any:
    """Reads JSON by one rule: UTF-8, no repeated key, no NaN or infinity, not deeper than DEEPEST levels.

    Raises NotStrict for all of these and NotJson for anything that is not JSON. Integers keep every digit, and
    strings every character, halves of surrogates too. What reads back to the very same bytes was read exactly, so
    the fast parser's word is taken for it; only the rest (blanks, odd number forms, repeated keys, huge integers)
    goes through the strict one.
    """
    try:
        found = orjson.loads(data)
        if orjson.dumps(found) == data:
            return found
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        pass  # the strict parser says what is wrong, or reads it after all
    try:
        found = _strict.decode(data.decode())
        if _deeper(found, DEEPEST):
            raise NotStrict(_TOO_DEEP)
        return found
    except NotStrict:
        raise
    except UnicodeDecodeError as error:
        raise NotStrict("the text is not UTF-8") from error
    except RecursionError as error:
        raise NotStrict(_TOO_DEEP) from error
    except ValueError as error:
        raise NotJson("it is not JSON") from error


_TOO_DEEP = f"it is nested deeper than {DEEPEST} levels"


def _deeper(value: Any, most: int) -> bool:
    """Whether arrays and objects stand in each other more than `most` deep."""
    level = [value]
    for _ in range(most + 1):
        level = [each for each in level if isinstance(each, (dict, list))]
        if not level:
            return False
        level = [inner for each in level for inner in (each.values() if isinstance(each, dict) else each)]
    return True


_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode


def canonical(value: Any) -> bytes:
    """The one byte form of a JSON value that `parse` gave: keys sorted by code point, no blanks, UTF-8.

    A value that this form cannot hold (a lone surrogate, an integer beyond 64 bits) is written in ASCII
    with escapes instead, as a whole, so that nothing is lost and equal values still give equal bytes.
    """
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError:
        return _encode(value).encode("ascii")


_BEYOND_64_BITS = re.compile(rb"[0-9]{20}|-[0-9]{19}").search


def read(data: bytes) -> Any:
    """Bytes that `canonical` wrote, as the value they hold. Raises ValueError for anything else."""
    try:
        if _BEYOND_64_BITS(data):  # the fast parser would round such an integer
            return json.loads(data)
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        return json.loads(data)  # the form with escapes, for what the fast parser cannot hold


def digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


# Keyed BLAKE2b (RFC 7693): a MAC that needs no OpenSSL call, which a hundred thousand records would feel.


@lru_cache(maxsize=8)
def _key(fingerprint_key: str) -> bytes:
    return hashlib.sha256(fingerprint_key.encode()).digest()


def fingerprint(purpose: str, value: str) -> str:
    """24 hex digits that name a secret without giving it away; equal values give equal prints.

    Keyed with FINGERPRINT_KEY, so that nobody without it can try values out.
    """
    data = purpose.encode() + b"\0" + value.encode("utf-8", "surrogatepass")
    return hashlib.blake2b(data, key=_key(settings.FINGERPRINT_KEY), digest_size=12).hexdigest()


def salter() -> Callable[[bytes, bytes], bytes]:
    """Makes salts (32 hex digits) of a record: of the bytes that name it, and of those that it holds.

    Nobody can guess a salt without FINGERPRINT_KEY, and it is the same for the same record: an unchanged record
    keeps its address from one reading to the next, while the digest that stays behind after an erasure cannot be
    guessed back to an e-mail address.
    """
    begun = hashlib.blake2b(b"salt\0", key=_key(settings.FINGERPRINT_KEY), digest_size=16)

    def salt(names: bytes, data: bytes) -> bytes:
        made = begun.copy()
        made.update(names)
        made.update(data)
        return made.hexdigest().encode()

    return salt


def leaf_node(leaf: bytes) -> bytes:
    """The hash of one leaf (RFC 6962 section 2.1)."""
    return digest(b"\x00" + leaf)


class MerkleTree:
    """RFC 6962 section 2.1 tree hash over leaves that arrive one by one; memory grows with the height."""

    def __init__(self) -> None:
        self._peaks: list[tuple[int, bytes]] = []
        self.size = 0

    def add(self, leaf: bytes) -> None:
        self.add_node(leaf_node(leaf))

    def add_node(self, node: bytes) -> None:
        """The same for a leaf that many trees share: hashed once, by `leaf_node`."""
        height = 0
        while self._peaks and self._peaks[-1][0] == height:
            node = digest(b"\x01" + self._peaks.pop()[1] + node)
            height += 1
        self._peaks.append((height, node))
        self.size += 1

    def root(self) -> bytes:
        if not self._peaks:
            return digest(b"")
        node = self._peaks[-1][1]
        for _, left in reversed(self._peaks[:-1]):
            node = digest(b"\x01" + left + node)
        return node


class LineDigest:
    """sha256 over lines, each ended by a newline, as they come."""

    def __init__(self, lines: Iterable[bytes] = ()) -> None:
        self._hash = hashlib.sha256()
        for line in lines:
            self.add(line)

    def add(self, line: bytes) -> None:
        self._hash.update(line + b"\n")

    def hexdigest(self) -> str:
        return self._hash.hexdigest()


# --- signatures ---------------------------------------------------------------------------------


class NoSigningKey(Exception):
    """The signing key cannot be read, so nothing can be published. Says where it was looked for."""

    code = "signing-key"


def key_id(key: Ed25519PublicKey) -> str:
    """The first 16 hex digits of the sha256 of the raw public key."""
    return digest(key.public_bytes(Encoding.Raw, PublicFormat.Raw)).hex()[:16]


def sign(data: bytes) -> tuple[str, bytes]:
    """Signs with the portal's Ed25519 key; returns (key id, 64 bytes). The worker alone needs the file."""
    key = _private(Path(settings.SIGNING_KEY_FILE))
    return key_id(key.public_key()), key.sign(data)


def key_of(path: Path) -> str:
    """The id of the private key in this file. Raises NoSigningKey."""
    return key_id(_private(path).public_key())


def _private(path: Path) -> Ed25519PrivateKey:
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise NoSigningKey(f"The signing key {path.name} cannot be read: run `python manage.py keys`.") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise NoSigningKey(f"The signing key {path.name} is not an Ed25519 key.")
    return key


@lru_cache(maxsize=8)
def _trusted(path: Path, changed: float) -> dict[str, Ed25519PublicKey]:
    found = {}
    for block in path.read_bytes().split(b"-----END PUBLIC KEY-----")[:-1]:
        key = load_pem_public_key(block.strip() + b"\n-----END PUBLIC KEY-----\n")
        assert isinstance(key, Ed25519PublicKey)
        found[key_id(key)] = key
    return found


def trusted_keys() -> dict[str, Ed25519PublicKey]:
    """Public keys this portal believes, by id; they lie in a file, so the database cannot add one."""
    path = Path(settings.TRUSTED_KEYS_FILE)
    return _trusted(path, path.stat().st_mtime) if path.exists() else {}


def signed_by(name: str, signature: bytes, data: bytes) -> bool:
    """Whether `signature` over `data` was made with the trusted key called `name`."""
    key = trusted_keys().get(name)
    if key is None:
        return False
    try:
        key.verify(signature, data)
    except InvalidSignature:
        return False
    return True


# --- write-once rows ----------------------------------------------------------------------------


class WrittenOnce(Exception):
    """Somebody tried to change or delete a row that is evidence."""


def _refuse(*args: object, **kwargs: object) -> NoReturn:
    raise WrittenOnce("Evidence is written once: it can be neither changed nor deleted.")


class WriteOnceQuerySet(models.QuerySet[Any]):
    """Rows can be added and read. Nothing else."""

    def update(self, **kwargs: Any) -> int:
        _refuse()

    def delete(self) -> NoReturn:
        _refuse()

    def bulk_update(self, *args: Any, **kwargs: Any) -> int:
        _refuse()


class WriteOnce(models.Model):
    """A row that is saved once. Triggers (`write_once_triggers`) say the same to the database."""

    objects = WriteOnceQuerySet.as_manager()

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            _refuse()
        kwargs["force_insert"] = True
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        _refuse()


def write_once_triggers(table: str, vendor: str) -> Iterator[tuple[str, str]]:
    """(forward, backward) statements that make `table` refuse UPDATE and DELETE; they stop bugs, not admins."""
    words = f"{table} is written once"
    if vendor == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            name = f"{table}_no_{verb.lower()}"
            body = f"BEFORE {verb} ON {table} BEGIN SELECT RAISE(ABORT, '{words}'); END"
            yield f"CREATE TRIGGER {name} {body}", f"DROP TRIGGER IF EXISTS {name}"
    elif vendor == "postgresql":
        name = f"{table}_written_once"
        yield (
            f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION '{words}'; END $$",
            f"DROP FUNCTION IF EXISTS {name}() CASCADE",
        )
        yield (
            f"CREATE TRIGGER {name} BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION {name}()",
            f"DROP TRIGGER IF EXISTS {name} ON {table}",
        )


def unguarded(database: Any) -> tuple[list[str], int]:
    """Write-once tables without (all of) their triggers as they were made, and how many such tables there are."""
    tables = sorted(model._meta.db_table for model in WriteOnce.__subclasses__())
    with database.cursor() as cursor:
        if database.vendor == "sqlite":
            cursor.execute("SELECT sql FROM sqlite_master WHERE type = 'trigger'")
            there = {str(row[0]) for row in cursor.fetchall()}
            wanted = {table: {make for make, _ in write_once_triggers(table, "sqlite")} for table in tables}
        else:
            cursor.execute(
                "SELECT t.tgname, p.prosrc FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid "
                "JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace "
                "WHERE NOT t.tgisinternal AND t.tgenabled IN ('O', 'A') AND t.tgtype = 27 "  # before update or delete
                "AND n.nspname = current_schema()"
            )
            there = {f"{name}:{' '.join(source.split())}" for name, source in cursor.fetchall()}
            said = "BEGIN RAISE EXCEPTION '{0} is written once'; END"
            wanted = {table: {f"{table}_written_once:{said.format(table)}"} for table in tables}
    return [table for table in tables if not wanted[table] <= there], len(tables)


def triggers(*tables: str) -> migrations.RunPython:
    """A migration step that puts the write-once triggers on `tables`."""

    def forward(apps: Any, editor: Any) -> None:
        for table in tables:
            for statement, _ in write_once_triggers(table, editor.connection.vendor):
                editor.execute(statement)

    def backward(apps: Any, editor: Any) -> None:
        for table in tables:
            for _, statement in reversed(list(write_once_triggers(table, editor.connection.vendor))):
                editor.execute(statement)

    return migrations.RunPython(forward, backward)
