"""PDF: tagged PDF/A-3a and PDF/UA-1, made by typst in a short-lived process with limits."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from evidence.document import Document, ExportError
from evidence.exports.layout import job

LIMIT_ROWS = 5_000
TIMEOUT = 120  # seconds
MEMORY = 2 << 30  # bytes
FONT_PACKAGE = "weblate_fonts"  # data only, never imported
OWN_FONTS = Path(__file__).parent / "fonts"  # emoji, which the package lacks
_LIBRARIES = {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}
_HOME = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Pdf:
    """A PDF, how many rows the document has, how many it shows, and the characters that it shows as escapes."""

    data: bytes
    replaced: tuple[str, ...]
    rows: int
    shown: int


def render(
    document: Document,
    *,
    limit_rows: int = LIMIT_ROWS,
    timeout: float = TIMEOUT,
    memory: int = MEMORY,
    fonts: Sequence[Path] | None = None,
) -> Pdf:
    """The document as a PDF; the same document and fonts give the same bytes.

    limit_rows  rows that are shown at most; the PDF says how many there are
    timeout     seconds; memory is in bytes
    fonts       folders with fonts; those of the font packages by default. Other fonts of this machine are only used
                for characters that these lack, and a character that no font has is shown as an escape
    Raises ExportError `export-timeout`, `export-memory` or `export-typeset`.
    """
    told, rows, shown = job(document, limit_rows)
    folders = [str(folder) for folder in (font_folders() if fonts is None else fonts)]
    try:
        data, replaced = _typeset(told, folders, timeout, memory)
    except ExportError as error:
        if error.code != "export-typeset":
            raise
        # Rare sequences of rare characters break the typesetter itself (typst 0.15.2 panics in its shaping):
        # the report matters more than their look.
        data, replaced = _typeset(told | {"plain": True}, folders, timeout, memory)
    return Pdf(data, replaced, rows, shown)


def font_folders() -> list[Path]:
    """The folders with fonts that come with the portal: our own, and the font package's if it is installed."""
    package = find_spec(FONT_PACKAGE)
    return [OWN_FONTS, *(Path(folder) for folder in (package and package.submodule_search_locations) or ())]


def _typeset(told: Any, folders: list[str], timeout: float, memory: int) -> tuple[bytes, tuple[str, ...]]:
    with TemporaryDirectory(prefix="typeset-") as root:
        seconds = (int(timeout) + 1) * (os.cpu_count() or 1)
        command = [sys.executable, "-m", "evidence.exports.typeset", root, str(memory), str(seconds), *folders]
        try:
            done = subprocess.run(  # noqa: S603
                command,
                input=json.dumps(told).encode(),
                capture_output=True,
                timeout=timeout,
                check=False,
                cwd=_HOME,
                env={"LANG": "C.UTF-8", "TMPDIR": root} | _LIBRARIES,  # no keys, no proxy, no home
            )
        except subprocess.TimeoutExpired:
            raise _late(timeout) from None
    if done.returncode:
        raise _failure(done.returncode, done.stderr, timeout, memory)
    return done.stdout, tuple(json.loads(done.stderr)["replaced"])


def _late(timeout: float) -> ExportError:
    return ExportError(
        "export-timeout", f"The PDF was not ready after {timeout:g} seconds. CSV and JSON have no limit."
    )


def _failure(code: int, said: bytes, timeout: float, memory: int) -> ExportError:
    if code == -signal.SIGXCPU:
        return _late(timeout)
    if code in (-signal.SIGKILL, -signal.SIGABRT) or b"memory" in said[-2000:].lower():
        message = f"The PDF needs more than {memory >> 20} MB of memory. CSV and JSON have no limit."
        return ExportError("export-memory", message)
    try:
        why = str(json.loads(said)["error"])[:300]
    except (ValueError, KeyError):
        why = f"it ended with code {code}"
    return ExportError("export-typeset", f"The typesetter could not make the PDF: {why}.")
