"""Hosts on loopback for the tests of the way to a service: a TLS server, a proxy, a port that nobody listens at."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

Talk = Callable[[socket.socket], None]


@dataclass(frozen=True)
class Papers:
    """A self-made certificate for localhost and 127.0.0.1 with its key, in one file; it is its own authority."""

    file: Path
    expires: datetime


def papers(folder: Path, *, days: int = 90, names: tuple[str, ...] = ("localhost", "127.0.0.1")) -> Papers:
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    whom = x509.Name(
        [
            x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, "Acme Proxies"),
            x509.NameAttribute(x509.NameOID.COMMON_NAME, "Acme Root"),
        ]
    )
    others = [x509.IPAddress(ip_address(each)) if each[0].isdigit() else x509.DNSName(each) for each in names]
    expires = now.replace(microsecond=0) + timedelta(days=days)
    made = (
        x509.CertificateBuilder()
        .subject_name(whom)
        .issuer_name(whom)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=400))
        .not_valid_after(expires)
        .add_extension(x509.SubjectAlternativeName(others), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    file = folder / f"papers-{days}.pem"
    file.write_bytes(key.private_bytes(pem, *plain) + made.public_bytes(pem))
    return Papers(file, expires)


@contextmanager
def listening(talk: Talk) -> Iterator[int]:
    """A port at which each connection is talked to by a thread of its own."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=_serve, args=(server, talk), daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


def _serve(server: socket.socket, talk: Talk) -> None:
    def one(taken: socket.socket) -> None:
        with taken, suppress(OSError):
            talk(taken)

    with suppress(OSError):
        while True:
            threading.Thread(target=one, args=(server.accept()[0],), daemon=True).start()


def tls(held: Papers) -> Talk:
    """Speaks TLS with these papers and then waits for the other side to go."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(held.file)

    def talk(taken: socket.socket) -> None:
        with context.wrap_socket(taken, server_side=True) as spoken:
            spoken.recv(1)

    return talk


@dataclass
class Proxy:
    """Connects to anything that it is asked for, unless `refuses` holds a status. `heads` are what it was asked."""

    refuses: str = ""
    heads: list[str] = field(default_factory=list)
    to: int = 0  # the port that every name leads to; 0 for the one that is asked for

    def __call__(self, taken: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            if not (more := taken.recv(4096)):
                return
            head += more
        self.heads.append(head.decode("latin-1"))
        if self.refuses:
            taken.sendall(f"HTTP/1.1 {self.refuses} No\r\nContent-Length: 0\r\n\r\n".encode())
            return
        port = self.to or int(head.split(b" ")[1].rpartition(b":")[2])
        with socket.create_connection(("127.0.0.1", port)) as there:
            taken.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
            back = threading.Thread(target=_pass, args=(there, taken), daemon=True)
            back.start()
            _pass(taken, there)
            back.join(5)


def _pass(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


def closed_port() -> int:
    """A port at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
