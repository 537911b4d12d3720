"""What an uploaded file is, by its bytes and never by its name; and which files are not taken.

The first bytes decide. What then contradicts them (a name, another format within the same file) is refused: such
files are made to be read in two ways. Archives are never unpacked; of office files only the list of their members and
two small ones are read.
"""

import csv
import io
import json
import re
import struct
import zipfile
import zlib
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE, getincrementaldecoder
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import IO

HEAD = 4096  # bytes that the first look is at
MOST_DIRECTORY = 8_000_000  # bytes of an archive's list of members
MOST_PARSED = 20_000_000  # bytes of JSON or CSV that are proved by parsing
PIECE = 1 << 20


class Unfit(Exception):
    """A file that is not taken. `code` is explained under /help/."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code, self.sentence = code, sentence


@dataclass(frozen=True)
class Content:
    """`shown`: how it is previewed, "" for not at all; `text`: whether its bytes can be searched as text."""

    media: str
    title: str
    endings: tuple[str, ...]
    shown: str = ""
    text: bool = False


PDF = Content("application/pdf", "a PDF", ("pdf",), "pages")
ZIP = Content("application/zip", "a ZIP archive", ("zip",))
PLAIN = Content(
    "text/plain", "plain text", ("txt", "log", "md", "markdown", "eml", "yaml", "yml", "ini", "conf"), "text", True
)
CSV = Content("text/csv", "CSV", ("csv", "tsv"), "table", True)
JSON = Content("application/json", "JSON", ("json", "ndjson", "jsonl"), "text", True)
_MAGIC: tuple[tuple[bytes, Content], ...] = (
    (b"%PDF-", PDF),
    (b"\x89PNG\r\n\x1a\n", Content("image/png", "a PNG image", ("png",), "image")),
    (b"\xff\xd8\xff", Content("image/jpeg", "a JPEG image", ("jpg", "jpeg"), "image")),
    (b"GIF87a", Content("image/gif", "a GIF image", ("gif",), "image")),
    (b"GIF89a", Content("image/gif", "a GIF image", ("gif",), "image")),
    (b"II*\0", Content("image/tiff", "a TIFF image", ("tif", "tiff"), "image")),
    (b"MM\0*", Content("image/tiff", "a TIFF image", ("tif", "tiff"), "image")),
)
_WEBP = Content("image/webp", "a WebP image", ("webp",), "image")
_OPEN = "application/vnd.oasis.opendocument."
_MICROSOFT = "application/vnd.openxmlformats-officedocument."
_OFFICE = {
    "word/": Content(_MICROSOFT + "wordprocessingml.document", "a Word document", ("docx",)),
    "xl/": Content(_MICROSOFT + "spreadsheetml.sheet", "an Excel workbook", ("xlsx",)),
    "ppt/": Content(_MICROSOFT + "presentationml.presentation", "a PowerPoint presentation", ("pptx",)),
    _OPEN + "text": Content(_OPEN + "text", "an OpenDocument text", ("odt",)),
    _OPEN + "spreadsheet": Content(_OPEN + "spreadsheet", "an OpenDocument spreadsheet", ("ods",)),
    _OPEN + "presentation": Content(_OPEN + "presentation", "an OpenDocument presentation", ("odp",)),
}
ALL = (*dict.fromkeys(content for _, content in _MAGIC), _WEBP, *_OFFICE.values(), ZIP, PLAIN, CSV, JSON)
BY_MEDIA = {content.media: content for content in ALL}
_BY_ENDING = {ending: content for content in ALL for ending in content.endings}
_PROGRAMS = (
    b"MZ",
    b"\x7fELF",
    b"#!",
    b"\xca\xfe\xba\xbe",
    b"\xfe\xed\xfa",
    b"\xce\xfa\xed\xfe",
    b"\xcf\xfa\xed\xfe",
    b"dex\n",
)
_OLD_OFFICE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_BANNED = re.compile(
    r"html?|xhtml|shtml|svgz?|xml|mht(ml)?|js|mjs|exe|dll|com|scr|msi|bat|cmd|ps1|vbs|sh|py|jar|apk|hta|lnk|"
    r"do[ct]m|xl[sta]m|xlam|pp[tsa]m|potm"
)
_MARKUP = re.compile(rb"<\s*(!doctype\s+html|html|head|body|script|svg|iframe|object|embed|meta|img|link)\b", re.I)
_MACROS = re.compile(r"(^|/)(vbaproject|vbadata)|/activex/|macrosheets/|^basic/|^scripts/", re.I)
_CONTROLS = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f]")


def of(file: IO[bytes], name: str) -> Content:
    """What the file is. `file` can be read and sought. Raises Unfit."""
    file.seek(0)
    head = file.read(HEAD)
    if not head:
        raise Unfit("upload-empty", "It is empty.")
    if head.startswith(_PROGRAMS):
        raise Unfit("upload-active", "It is a program, which is never taken, whatever its name.")
    if head.startswith(_OLD_OFFICE):
        raise Unfit("upload-old-office", "It is in the old format of Office, which may hide macros.")
    found = _known(file, head)
    _must_not_contradict(file, head, found, name)
    return found


def _known(file: IO[bytes], head: bytes) -> Content:
    for magic, content in _MAGIC:
        if head.startswith(magic):
            return content
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return _WEBP
    return _archive(file) if head.startswith(b"PK\x03\x04") else PLAIN


def _must_not_contradict(file: IO[bytes], head: bytes, found: Content, name: str) -> None:
    ending = name.rpartition(".")[2].lower() if "." in name else ""
    if _MARKUP.search(head[:1024].replace(b"\0", b"")):
        called = f" It is called .{ending}." if ending in _BY_ENDING else ""
        raise Unfit("upload-active", f"It holds HTML or SVG, which browsers run.{called}")
    if _BANNED.fullmatch(ending):
        raise Unfit("upload-active", f"Files called .{ending} can be run, so none is taken.")
    if found is PLAIN:
        _must_be_text(file)
    if b"%PDF-" in head[1:1024]:
        raise Unfit("upload-contradicts", f"It begins as {found.title}, and holds a PDF as well.")
    if found is not PLAIN and found is not ZIP and found not in _OFFICE.values() and _is_archive(file):
        raise Unfit("upload-contradicts", f"It begins as {found.title}, and ends as an archive.")
    meant = _BY_ENDING.get(ending)
    if meant and meant is not found and not (meant.text and found.text):
        raise Unfit("upload-contradicts", f"It is called .{ending}, and holds {found.title}.")


def refined(file: IO[bytes], found: Content, name: str) -> Content:
    """Text that is called CSV or JSON, as that when it can be read so. Raises Unfit for JSON that cannot."""
    meant = _BY_ENDING.get(name.rpartition(".")[2].lower())
    file.seek(0)
    if found is not PLAIN or meant not in (CSV, JSON):
        return found
    data = file.read(MOST_PARSED + 1)
    if len(data) > MOST_PARSED:
        return PLAIN
    text = decoded(data)
    try:
        if meant is CSV:
            for _ in csv.reader(io.StringIO(text, newline=""), strict=True):
                pass
        elif name.lower().endswith(".json"):
            json.loads(text)
        else:
            for line in filter(str.strip, text.splitlines()):
                json.loads(line)
    except csv.Error:
        return PLAIN
    except (ValueError, RecursionError):
        raise Unfit("upload-contradicts", "It is called JSON, and cannot be read as JSON.") from None
    return meant


# --- text -------------------------------------------------------------------------------------------------------


def encoding_of(head: bytes) -> str:
    if head.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        return "utf-16"
    return "utf-8-sig" if head.startswith(BOM_UTF8) else "utf-8"


def decoded(data: bytes) -> str:
    """The text of a whole text file, or of its beginning: half a character at the end is left out."""
    return getincrementaldecoder(encoding_of(data))("replace").decode(data)


def as_utf8(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """A text file in UTF-8, whatever it is written in, in pieces that overlap by 200 characters: what is searched for
    in each of them is found, also where a piece ends."""
    decoder, end = None, ""
    for piece in pieces:
        decoder = decoder or getincrementaldecoder(encoding_of(piece))("replace")
        text = end + decoder.decode(piece)
        end = text[-200:]
        yield text.encode("utf-8", "replace")


def _must_be_text(file: IO[bytes]) -> None:
    decoder = None
    try:
        for piece in _read(file):
            decoder = decoder or getincrementaldecoder(encoding_of(piece))()
            if _CONTROLS.search(decoder.decode(piece)):
                raise ValueError
        if decoder:
            decoder.decode(b"", True)
    except ValueError:
        raise Unfit("upload-unknown", "Its bytes are none of the formats that are taken, and no UTF-8 text.") from None


def _read(file: IO[bytes]) -> Iterator[bytes]:
    file.seek(0)
    while piece := file.read(PIECE):
        yield piece


# --- archives ---------------------------------------------------------------------------------------------------


_LOCATOR, _LARGE = 20, 56  # bytes of the locator, and of the end record that it locates


def _end_of_archive(file: IO[bytes]) -> int | None:
    """Bytes of an archive's directory, as its end records say (APPNOTE 4.3.14 to 4.3.16); None without one.

    What a record for large archives says before the plain one is believed by readers: the larger counts.
    """
    end = file.seek(0, io.SEEK_END)
    file.seek(max(0, end - 65_557 - _LOCATOR - _LARGE))
    tail = file.read()
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) < at + 22:
        return None
    (size,) = struct.unpack_from("<I", tail, at + 12)
    large = at - _LOCATOR - _LARGE
    if large >= 0 and tail.startswith(b"PK\x06\x07", at - _LOCATOR) and tail.startswith(b"PK\x06\x06", large):
        (larger,) = struct.unpack_from("<Q", tail, large + 40)
        return int(larger if size == 0xFFFFFFFF else max(size, larger))
    return int(size)


def _is_archive(file: IO[bytes]) -> bool:
    return _end_of_archive(file) is not None


def _archive(file: IO[bytes]) -> Content:
    """An office file or any other archive. Raises Unfit for macros, programs, and what cannot be looked into."""
    end = _end_of_archive(file)
    if end is None:
        raise Unfit("upload-damaged", "It begins as an archive and was cut short.")
    if end > MOST_DIRECTORY:
        raise Unfit("upload-damaged", "Its list of members is too long to be looked at.")
    file.seek(0)
    try:
        with zipfile.ZipFile(file) as archive:
            names = archive.namelist()
            kind = _member(archive, "mimetype") if names[:1] == ["mimetype"] else ""
            types = _member(archive, "[Content_Types].xml") if "[Content_Types].xml" in names else ""
    except (zipfile.BadZipFile, ValueError, EOFError, OSError, NotImplementedError, zlib.error, RuntimeError):
        raise Unfit("upload-damaged", "It begins as an archive and cannot be read as one.") from None
    if "META-INF/MANIFEST.MF" in names:
        raise Unfit("upload-active", "It is a program in an archive, which is never taken.")
    office = _OFFICE.get(kind) or next((_OFFICE[each] for each in _OFFICE if types and _has(names, each)), None)
    if office and (any(map(_MACROS.search, names)) or "macroEnabled" in types):
        raise Unfit("upload-macros", "It is an office document with macros, which are programs.")
    return office or ZIP


def _has(names: list[str], folder: str) -> bool:
    return any(name.startswith(folder) for name in names)


def _member(archive: zipfile.ZipFile, name: str) -> str:
    """The beginning of a small member; no bomb grows beyond it."""
    with archive.open(name) as member:
        return member.read(1_000_000).decode("utf-8", "replace").strip()
