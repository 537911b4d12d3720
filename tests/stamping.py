"""A time stamping server (RFC 3161) of our own on loopback: `openssl ts` signs, this puts the faults in."""

import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

OPENSSL = shutil.which("openssl") or ""
POLICY = "1.2.3.4.1"


def _name(words: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, words)])


def _certificate(words: str, issuer: str, key: Any, signer: Any, *, root: bool) -> x509.Certificate:
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(_name(words))
        .issuer_name(_name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=9))
        .add_extension(x509.BasicConstraints(ca=root, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
    )
    if not root:
        stamps = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING])
        made = made.add_extension(stamps, critical=True).add_extension(_usage(sign=True), critical=True)
    else:
        made = made.add_extension(_usage(sign=False), critical=True)
    return made.sign(signer, hashes.SHA256())


def _usage(*, sign: bool) -> x509.KeyUsage:
    return x509.KeyUsage(sign, False, False, False, False, not sign, not sign, False, False)


def authority(folder: Path) -> Path:
    """Keys and certificates of a time stamping authority in `folder`; returns the root's file."""
    folder.mkdir()
    root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    pem = serialization.Encoding.PEM
    root = _certificate("Test root", "Test root", root_key, root_key, root=True)
    mine = _certificate("Test stamps", "Test root", key, root_key, root=False)
    (folder / "root.pem").write_bytes(root.public_bytes(pem))
    (folder / "tsa.pem").write_bytes(mine.public_bytes(pem))
    private = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / "tsa.key").write_bytes(key.private_bytes(pem, *private))
    (folder / "serial").write_text("01\n")
    for name, digests in (("good", "sha256"), ("choosy", "sha512")):
        (folder / f"{name}.cnf").write_text(
            f"[tsa]\ndefault_tsa=it\n[it]\nserial={folder}/serial\nsigner_cert={folder}/tsa.pem\n"
            f"signer_key={folder}/tsa.key\nsigner_digest=sha256\ndefault_policy={POLICY}\ndigests={digests}\n"
            "ess_cert_id_alg=sha256\n"
        )
    return folder / "root.pem"


class Server(ThreadingHTTPServer):
    """`fault` says how the next answers go wrong; `asked` holds the questions."""

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        self.folder, self.fault, self.asked = folder, "", list[bytes]()
        self.released = threading.Event()
        super().__init__(("127.0.0.1", 0), _Talk)

    def reply(self, query: bytes, config: str) -> bytes:
        asked, told = self.folder / "asked.tsq", self.folder / "told.tsr"
        asked.write_bytes(query)
        command = [OPENSSL, "ts", "-reply", "-queryfile", str(asked), "-out", str(told)]
        subprocess.run([*command, "-config", f"{self.folder}/{config}.cnf"], check=False, capture_output=True)
        return told.read_bytes()


class _Talk(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        server, query = self.server, self.rfile.read(int(self.headers["Content-Length"]))
        assert self.headers["Content-Type"] == "application/timestamp-query"
        server.asked.append(query)
        if server.fault == "hang":
            server.released.wait(20)
            return
        status, kind = {"503": 503, "redirect": 302}.get(server.fault, 200), "application/timestamp-reply"
        body = b"<html>" if server.fault == "page" else self._body(query)
        self.send_response(status)
        self.send_header("Content-Type", "text/html" if server.fault == "page" else kind)
        self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _body(self, query: bytes) -> bytes:
        fault = self.server.fault
        if fault == "garbage":
            return b"\x30\x03\x02\x01\x00 no stamp"
        if fault == "large":
            return b"0" * 3_000_000
        if fault == "nonce":
            query = self.server.asked[0]  # the answer to an earlier question
        good = self.server.reply(query, "choosy" if fault == "refused" else "good")
        if fault == "cut":
            return good[: len(good) // 2]
        return good[:-40] + bytes([good[-40] ^ 1]) + good[-39:] if fault == "bent" else good

    def log_message(self, *args: Any) -> None:
        pass


@contextmanager
def serving(folder: Path) -> Iterator[Server]:
    with Server(folder) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield server
        server.released.set()
        server.shutdown()
