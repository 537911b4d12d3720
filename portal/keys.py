"""The portal's keys: where they lie, how they are made. Needs no settings, so it can run before them.

Four secrets, each for one thing: SECRET_KEY (sessions, queue), FERNET_KEYS (tokens at rest),
FINGERPRINT_KEY (keyed fingerprints and blob salts), and the Ed25519 key that signs snapshots.
"""

import base64
import fcntl
import os
import re
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent


def data_dir(environ: Mapping[str, str]) -> Path:
    """Where the portal keeps what it makes: database, keys, logs. `PORTAL_DATA` moves it."""
    return Path(environ.get("PORTAL_DATA") or BASE_DIR / "var").resolve()


def private_file(environ: Mapping[str, str]) -> Path:
    return data_dir(environ) / "private.env"


def signing_key_file(environ: Mapping[str, str]) -> Path:
    return Path(environ.get("SIGNING_KEY_FILE") or data_dir(environ) / "signing.key")


def _random_key() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


def write_private(path: Path, data: bytes) -> None:
    """Creates `path` readable by its owner only; an existing file is never overwritten."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _parse(path: Path) -> dict[str, str]:
    lines = path.read_text().splitlines() if path.exists() else []
    pairs = (line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    return {name.strip(): value.strip() for name, value in pairs}


def known(environ: Mapping[str, str]) -> dict[str, str]:
    """What the settings will find: the environment, and from the private file what the environment lacks."""
    return _parse(private_file(environ)) | dict(environ)


def make_keys(environ: Mapping[str, str]) -> list[Path]:
    """Makes what neither the environment nor the private file has yet; returns the files written."""
    data_dir(environ).mkdir(mode=0o700, parents=True, exist_ok=True)
    written = []
    private = private_file(environ)
    found = known(environ)
    missing = [name for name in ("SECRET_KEY", "FERNET_KEYS", "FINGERPRINT_KEY") if not found.get(name)]
    if missing:
        lines = [f"{name}={_random_key()}" for name in missing]
        text = "\n".join(["# Made by the portal. Keep it secret, keep a copy: stored tokens need it.", *lines, ""])
        if private.exists():
            os.chmod(private, 0o600)
            with private.open("a") as file:
                file.write(text)
        else:
            write_private(private, text.encode())
        written.append(private)
    signing = signing_key_file(environ)
    if not signing.exists():
        written += make_signing_key(signing)
    return written


class NoNewKey(Exception):
    """A new key cannot be written into the private file; the message says why."""


_FERNET_LINE = re.compile(rb"""^([ \t]*(?:export[ \t]+)?FERNET_KEYS[ \t]*=[ \t]*["']?)(?=[^\s"'])""", re.MULTILINE)


def add_fernet_key(environ: Mapping[str, str]) -> Path:
    """Puts a new key at the head of FERNET_KEYS in the private file, whole or not at all; returns the file.

    Whoever was first is not overwritten: the file is read again once nobody else writes. Raises NoNewKey.
    """
    path = private_file(environ).resolve()  # a link stays one
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)  # ends with this process, however it ends
        before = path.read_bytes() if path.exists() else b""
        after, many = _FERNET_LINE.subn(rb"\g<1>" + _random_key().encode() + b",", before)
        if many != 1:
            raise NoNewKey(f"{path.name} must have one line that begins with FERNET_KEYS=; it has {many}.")
        new = path.with_name(f"{path.name}.new")
        new.unlink(missing_ok=True)  # of one that was killed at this
        write_private(new, after)
        os.chown(new, path.stat().st_uid, path.stat().st_gid)  # whoever runs the portal must go on reading it
        os.replace(new, path)
        os.fsync(folder)
    finally:
        os.close(folder)
    return path


def make_signing_key(path: Path) -> list[Path]:
    """A new Ed25519 pair: `path` (PEM, mode 0600) and its public half beside it, `.pub`."""
    # Imported here: every command reads this module for its settings, and hardly any makes a key.
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

    key = Ed25519PrivateKey.generate()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    public = path.with_suffix(".pub")
    pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    write_private(path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with public.open("ab") as file:
        file.write(pem)
    return [path, public]


def next_signing_key(path: Path, trusted: Path) -> Path:
    """A new private key beside `path`, not used yet, whose public half the file `trusted` holds from now on.

    Killed anywhere and called again, it goes on with the same key.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
        PublicFormat,
        load_pem_private_key,
    )

    new = path.with_name(f"{path.name}.new")
    if not new.exists():
        pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        _put(new, pem, like=path)
    key = load_pem_private_key(new.read_bytes(), password=None)
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    known = trusted.read_bytes()
    if public not in known:
        _put(trusted, known.rstrip() + b"\n" + public, like=trusted)
    return new


def _put(path: Path, data: bytes, like: Path) -> None:
    """Writes a file whole or not at all, with the owner and the rights of `like`."""
    made, model = path.with_name(f"{path.name}.making"), like.stat()
    made.unlink(missing_ok=True)  # of one that was killed at this
    write_private(made, data)
    os.chown(made, model.st_uid, model.st_gid)
    os.chmod(made, model.st_mode & 0o777)
    replace_file(made, path)


def replace_file(new: Path, path: Path) -> None:
    """Puts `new` in the place of `path` so that a loss of power leaves one of the two."""
    os.replace(new, path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def before_settings(argv: list[str]) -> None:
    """`manage.py keys` makes keys and ends; `manage.py start --demo` makes them and goes on."""
    command = argv[1] if len(argv) > 1 else ""
    if {"-h", "--help"} & set(argv):
        return
    if command == "keys" and "--new-signing-key" not in argv:  # that one needs the database
        written = make_keys(os.environ)
        sys.stdout.write("".join(f"Made {path}\n" for path in written) or "All keys are there; nothing was made.\n")
        raise SystemExit(0)
    if command == "start" and "--demo" in argv:
        make_keys(os.environ)
