"""Uploads, and abuse of them: real bytes by real requests. Each is kept exactly or refused with its sentence, whole."""

import errno
import hashlib
import io
import json
import socketserver
import struct
import tempfile
import threading
import zipfile
import zlib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import OperationalError
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from evidence.library import kinds, previewing, proof, receiving, scanning, store
from evidence.models import Artifact, Version
from portal.models import AuditEntry, User


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack("!I", len(data)) + name + data + struct.pack("!I", zlib.crc32(name + data))


def png(width: int = 1, height: int = 1) -> bytes:
    """A picture whose head says this size, and that holds one dot."""
    head = chunk(b"IHDR", struct.pack("!IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return (
        b"\x89PNG\r\n\x1a\n"
        + head
        + chunk(b"IDAT", zlib.compress(bytes(4)))
        + chunk(b"tEXt", b"a\0b")
        + chunk(b"IEND", b"")
    )


PNG = png()
PDF = b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj 2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj " + (
    b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 90 90]>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF"
)


@pytest.fixture(autouse=True)
def data(settings: Any, tmp_path: Path) -> Path:
    settings.DATA_DIR = tmp_path
    settings.CLAMD_ADDRESS = ""
    return tmp_path


def lying(data: Path) -> list[str]:
    """Everything that lies in the store and on its way there."""
    return sorted(
        path.name for folder in ("files", "incoming") for path in (data / folder).rglob("*") if path.is_file()
    )


def packed(**members: bytes) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return made.getvalue()


def office(*more: str, types: bytes = b"<Types/>") -> bytes:
    return packed(**{"[Content_Types].xml": types, "word/document.xml": b"<w/>"}, **dict.fromkeys(more, b"x"))


# --- by content -------------------------------------------------------------------------------------------------

TAKEN = {
    "report.pdf": (PDF, "application/pdf"),
    "dot.png": (PNG, "image/png"),
    "bomb.zip": (packed(zeros=bytes(5_000_000)), "application/zip"),
    "letter.docx": (office(), kinds.BY_MEDIA[kinds._OFFICE["word/"].media].media),
    "list.csv": (b"a,b\n1,2\n", "text/csv"),
    "facts.json": (b'{"a": 1}', "application/json"),
    "notes.md": ("# Ünïcode".encode(), "text/plain"),
    "wide.txt": ("wide".encode("utf-16"), "text/plain"),
}
REFUSED = {
    "page.pdf": (b"<!doctype html><script>alert(1)</script>", "upload-active"),
    "drawing.svg": (b'<svg xmlns="http://www.w3.org/2000/svg"><script>1</script></svg>', "upload-active"),
    "drawing.png": (b"<?xml version='1.0'?>\n<svg onload='x()'/>", "upload-active"),
    "tool.pdf": (b"MZ" + bytes(100), "upload-active"),
    "run.txt": (b"#!/bin/sh\n", "upload-active"),
    "run.html": (b"plain words", "upload-active"),
    "two.pdf": (PDF + packed(a=b"b"), "upload-contradicts"),
    "both.pdf": (b"%PDF-1.4\n<html><script>1</script>", "upload-active"),
    "words.txt": (b"Some words.\n%PDF-1.4\n", "upload-contradicts"),
    "image.gif": (b"GIF89a" + b"\0" * 20 + PDF, "upload-contradicts"),
    "photo.pdf": (PNG, "upload-contradicts"),
    "letter.docx": (office("word/vbaProject.bin"), "upload-macros"),
    "sheet.xlsx": (office(types=b"application/vnd.ms-excel.sheet.macroEnabled.main+xml"), "upload-macros"),
    "old.doc": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(99), "upload-old-office"),
    "cut.zip": (packed(a=b"b")[:30], "upload-damaged"),
    "noise.bin": (bytes(range(256)), "upload-unknown"),
    "wrong.json": (b"{nothing", "upload-contradicts"),
    "empty.txt": (b"", "upload-empty"),
    "jar.zip": (packed(**{"META-INF/MANIFEST.MF": b"x"}), "upload-active"),
}


@pytest.mark.parametrize("name", TAKEN)
def test_what_is_taken_is_named_by_its_content(name: str) -> None:
    content, media = TAKEN[name]
    file = io.BytesIO(content)
    assert kinds.refined(file, kinds.of(file, name), name).media == media


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_says_why(name: str) -> None:
    content, code = REFUSED[name]
    file = io.BytesIO(content)
    with pytest.raises(kinds.Unfit) as refused:
        kinds.refined(file, kinds.of(file, name), name)
    assert refused.value.code == code
    assert refused.value.sentence.endswith(".")


@pytest.mark.parametrize(
    ("raw", "safe"),
    [
        ("../../etc/passwd", "passwd"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("a\r\nSet-Cookie: x\0.pdf", "aSet-Cookie: x.pdf"),
        ("\u202egpj.exe\u2066", "gpj.exe"),
        ("..", "file"),
        ("x" * 300 + ".pdf", "x" * 190 + "….pdf"),
    ],
)
def test_names_are_made_safe(raw: str, safe: str) -> None:
    assert receiving.safe_name(raw) == safe


# --- the store --------------------------------------------------------------------------------------------------


def test_a_file_lies_under_its_digest_or_not_at_all(data: Path) -> None:
    kept = store.put([b"ab", b"c"])
    assert (kept.sha256, kept.size) == (hashlib.sha256(b"abc").hexdigest(), 3)
    assert (data / "files" / kept.sha256[:2] / kept.sha256[2:]).read_bytes() == b"abc"
    assert store.put([b"abc"]) == kept
    assert store.remove(kept.sha256)
    with pytest.raises(store.Missing):
        store.open(kept.sha256)

    def breaks() -> Iterator[bytes]:
        yield b"half"
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        store.put(breaks())
    assert lying(data) == []


# --- requests ---------------------------------------------------------------------------------------------------


@pytest.fixture
def manager(people: dict[str, User], client: Client) -> Client:
    client.force_login(people["Compliance manager"])
    return client


def send(client: Client, *files: tuple[str, bytes], **fields: str) -> str:
    body = {"files": [SimpleUploadedFile(name, content) for name, content in files], **fields}
    return client.post(reverse("upload"), body, secure=True).content.decode()


@pytest.mark.django_db
def test_many_at_once_each_have_their_outcome(manager: Client, data: Path) -> None:
    page = send(manager, ("dot.png", PNG), ("page.pdf", REFUSED["page.pdf"][0]), ("facts.json", b"[1]"))
    assert page.count("Kept, as version 1.") == 2
    assert "It holds HTML or SVG, which browsers run. It is called .pdf." in page
    assert "/help/upload-active/" in page
    assert lying(data) == sorted(hashlib.sha256(each).hexdigest()[2:] for each in (PNG, b"[1]"))
    assert AuditEntry.objects.filter(action="artifact added").count() == 2
    again = send(manager, ("copy.png", PNG))
    assert "The portal has exactly this file already." in again
    assert reverse("artifact", args=[Artifact.objects.get(name="dot.png").pk]) in again
    assert "Kept" in send(manager, ("copy.png", PNG), again="1")
    artifact = Artifact.objects.get(name="facts.json")
    assert "Kept, as version 2." in send(manager, ("new.json", b"[2]"), artifact=str(artifact.pk))
    assert artifact.versions.count() == 2


@pytest.mark.django_db
def test_a_file_goes_out_as_it_came_and_harmless(manager: Client) -> None:
    send(manager, ("Zeitraum ä\u202e.csv", b"a,b\n=1,<b>\n"))
    version = Version.objects.get()
    answer: Any = manager.get(reverse("artifact-file", args=[version.artifact_id, 1]), secure=True)
    assert b"".join(answer.streaming_content) == b"a,b\n=1,<b>\n"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Content-Security-Policy"].startswith("sandbox")
    assert answer["Content-Disposition"] == "attachment; filename*=utf-8''Zeitraum%20%C3%A4.csv"
    assert "no-store" in answer["Cache-Control"]
    assert AuditEntry.objects.filter(action="exported").count() == 1
    page = manager.get(reverse("artifact", args=[version.artifact_id]), secure=True).content.decode()
    assert "1 of 1 rows are shown." in page
    assert "&lt;b&gt;" in page
    assert "no scanner is configured" in page
    path = next((Path(store.incoming()).parent / "files").glob("*/*"))
    path.write_bytes(b"changed")
    refused = manager.get(reverse("artifact-file", args=[version.artifact_id, 1]), secure=True)
    assert refused.status_code == 500
    assert "does not hash to its digest" in refused.content.decode()


@pytest.mark.django_db
def test_pictures_are_drawn_anew(manager: Client) -> None:
    send(manager, ("report.pdf", PDF), ("dot.png", PNG))
    for version in Version.objects.all():
        answer = manager.get(reverse("artifact-preview", args=[version.artifact_id, 1]), secure=True)
        assert answer.status_code == 200
        assert answer.content.startswith(b"\x89PNG")
        assert answer.content != PNG
    assert not AuditEntry.objects.filter(action="exported").exists()


@pytest.mark.django_db
def test_a_picture_that_would_grow_beyond_measure_is_not_drawn(people: dict[str, User]) -> None:
    bomb = png(60_000, 60_000)
    made = receiving.receive(SimpleUploadedFile("b.png", bomb), by=people["Administrator"], now=timezone.now())
    with pytest.raises(previewing.NoPreview, match="could not be drawn"):
        previewing.drawn(made, 1)


@pytest.mark.django_db
def test_too_much_is_stopped_with_a_sentence(manager: Client, data: Path, settings: Any) -> None:
    settings.UPLOAD_MAX = 1000
    page = send(manager, ("large.txt", b"x" * 3000), ("small.txt", b"x"))
    assert "It is larger than" in page
    assert page.count("Kept, as version 1.") == 1
    assert len(lying(data)) == 1
    announced: Any = {"content_type": "multipart/form-data; boundary=x", "CONTENT_LENGTH": str(10**10)}
    refused = manager.post(reverse("upload"), b"", secure=True, **announced)
    assert refused.status_code == 413
    assert "It was not read, and nothing was kept." in refused.content.decode()


class Full(io.FileIO):
    """A file on a disk that has room for 100 bytes."""

    def write(self, piece: Any) -> int:
        if self.tell() + len(piece) > 100:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(piece)


@pytest.mark.django_db
def test_a_disk_that_fills_up_leaves_nothing_half(manager: Client, data: Path, monkeypatch: Any) -> None:
    real = tempfile.NamedTemporaryFile

    def full(prefix: str, at: str) -> Any:
        def made(**kwargs: Any) -> Any:
            file = real(**kwargs)
            if kwargs["prefix"] == prefix:
                vars(file)["write"] = Full(file.name, "r+").write
            return file

        monkeypatch.setattr("tempfile.NamedTemporaryFile", made)

    for prefix in ("upload-", "part-"):
        full(prefix, "")
        page = send(manager, ("large.txt", b"x" * 3000))
        assert "The disk of the portal is full, so nothing of this file was kept." in page
        assert lying(data) == []
    assert not Version.objects.exists()


TOKEN = "sgp_" + "aB3" * 20


@pytest.mark.django_db
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be-bom"])
def test_a_token_is_not_kept_however_it_is_written(manager: Client, data: Path, encoding: str) -> None:
    text = "x" * (kinds.PIECE - 30) + TOKEN  # across the end of a piece
    written = b"\xfe\xff" + text.encode("utf-16-be") if encoding == "utf-16-be-bom" else text.encode(encoding)
    assert "looks like an access token" in send(manager, ("t.txt", written))
    assert lying(data) == []


@pytest.mark.django_db
def test_a_token_that_came_in_otherwise_is_found(people: dict[str, User], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiving, "looks_secret", lambda data: False)
    upload = SimpleUploadedFile("t.txt", TOKEN.encode("utf-16"))
    made = receiving.receive(upload, by=people["Administrator"], now=timezone.now())
    fault = proof.fault_of(made)
    assert fault is not None
    assert fault.invariant == "I12"


@pytest.mark.django_db
def test_nobody_but_who_is_signed_in_writes_to_the_disk(data: Path) -> None:
    stranger = Client(enforce_csrf_checks=True)
    stranger.get(reverse("login"), secure=True)
    for address in (reverse("upload"), reverse("login"), "/"):
        body = {"files": [SimpleUploadedFile("a.txt", b"x" * 100_000)], "csrfmiddlewaretoken": "x" * 32}
        answer = stranger.post(address, body, secure=True, headers={"Referer": "https://testserver/"})
        assert answer.status_code in {302, 403}
        assert not (data / "incoming").exists(), "where files are written while they arrive"
    announced: Any = {"content_type": "multipart/form-data; boundary=x", "CONTENT_LENGTH": "1000001"}
    assert stranger.post(reverse("upload"), b"", secure=True, **announced).status_code == 413


def test_a_list_of_members_is_measured_by_the_record_that_readers_believe() -> None:
    with zipfile.ZipFile(plain := io.BytesIO(), "w") as archive:
        archive.writestr("a", b"b")
    whole = plain.getvalue()
    at = whole.rindex(b"PK\x05\x06")

    def with_large(size: int) -> io.BytesIO:
        """The same with an end record for large archives, which says another size of the list."""
        record = b"PK\x06\x06" + struct.pack("<QHHIIQQQQ", 44, 45, 45, 0, 0, 1, 1, size, at - 50)
        locator = b"PK\x06\x07" + struct.pack("<IQI", 0, at, 1)
        return io.BytesIO(whole[:at] + record + locator + whole[at:])

    assert kinds.of(io.BytesIO(whole), "a.zip") is kinds.ZIP
    with pytest.raises(kinds.Unfit, match="too long"):
        kinds.of(with_large(kinds.MOST_DIRECTORY + 1), "a.zip")


@pytest.mark.django_db(transaction=True)
def test_of_fifty_at_once_one_is_kept(people: dict[str, User], data: Path) -> None:
    from django.db import connection

    told: list[str] = []
    by = people["Administrator"]

    def one(number: int) -> None:
        try:
            receiving.receive(SimpleUploadedFile(f"{number}.txt", b"same"), by=by, now=timezone.now())
            told.append("kept")
        except receiving.Duplicate as error:
            told.append(str(error.version.sha256))
        except OperationalError:  # SQLite waits for a file, and not for the memory that tests lie in
            one(number)
        finally:
            connection.close()

    threads = [threading.Thread(target=one, args=(number,)) for number in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(told) == sorted(["kept", *[hashlib.sha256(b"same").hexdigest()] * 49])
    assert Version.objects.count() == 1
    assert len(lying(data)) == 1


# --- proof, sweeping, scanning ----------------------------------------------------------------------------------


@pytest.mark.django_db
def test_stored_files_are_proved_and_strays_swept(people: dict[str, User]) -> None:
    from portal.proving import Counted

    now = timezone.now()
    made = receiving.receive(SimpleUploadedFile("a.txt", b"abc"), by=people["Administrator"], now=now)
    stray = store.put([b"stray"])
    assert list(proof.verify(Counted())) == []
    assert receiving.sweep(now + timedelta(hours=1)) == 0
    assert receiving.sweep(now + timedelta(days=2)) == 1
    assert store.has(made.sha256)
    assert not store.has(stray.sha256)
    store.remove(made.sha256)
    assert [(fault.invariant, fault.what) for fault in proof.verify(Counted())] == [
        ("I1", "Its file is not in the store.")
    ]


class Clamd(socketserver.BaseRequestHandler):
    """Speaks INSTREAM, and finds a virus in what says so."""

    def handle(self) -> None:
        data = b""
        while not data.endswith(b"\0\0\0\0"):
            data += self.request.recv(4096)
        assert data.startswith(b"zINSTREAM\0")
        self.request.sendall(b"stream: Eicar-Test FOUND\0" if b"virus" in data else b"stream: OK\0")


@pytest.mark.django_db
def test_files_are_scanned_before_they_are_kept(manager: Client, data: Path, settings: Any) -> None:
    with socketserver.TCPServer(("127.0.0.1", 0), Clamd) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        settings.CLAMD_ADDRESS = f"127.0.0.1:{server.server_address[1]}"
        assert "The virus scanner found “Eicar-Test” in it." in send(manager, ("v.txt", b"a virus"))
        assert lying(data) == []
        send(manager, ("w.txt", b"well"))
        assert Version.objects.get().scan.startswith("scanned by ClamAV on ")
        server.shutdown()
    settings.CLAMD_ADDRESS = str(data / "no.socket")
    send(manager, ("x.txt", b"unscanned"))
    assert Version.objects.get(name="x.txt").scan == scanning.NO_ANSWER
    settings.CLAMD_REQUIRED = True
    assert "nothing is kept unscanned" in send(manager, ("y.txt", b"refused"))
    assert json.dumps(lying(data)).count(",") == 1
