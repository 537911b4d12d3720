"""The typesetter, alone in a process of its own: `python -m evidence.exports.typeset ROOT MEMORY SECONDS [FOLDER…]`.

Reads one job as JSON on standard input, writes the PDF to standard output and, on standard error, one line of JSON:
`{"replaced": [...]}`, or `{"error": "..."}` with exit code 2. ROOT is an empty folder, all that it may read besides
the fonts. It imports neither Django nor settings, and never puts foreign text into source: that comes in as data.
"""

import json
import re
import resource
import sys
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from itertools import filterfalse
from pathlib import Path
from typing import Any

import typst

from connectors.spec import Edge, Flow, Node
from evidence.flow import describe, draw_print
from evidence.text import escape, visible

TEMPLATE = Path(__file__).with_name("report.typ")
FACES = (
    "Source Sans 3",
    "Kurinto Sans",
    "Kurinto Sans JP",
    "Kurinto Sans SC",
    "Kurinto Sans TC",
    "Kurinto Sans KR",
    "Noto Emoji",
    "Noto Sans",
    "Liberation Sans",
    "DejaVu Sans",
)
MONO = ("Source Code Pro", "DejaVu Sans Mono")  # the latter comes with the typesetter
_TRIES = 4

# The typesetter's message for text that no font can draw; the text is quoted as Rust does.
_LACKING = re.compile(r'(?:the text|codepoint) `"((?:[^"\\]|\\.)*)"`')
_UNUSUAL = re.compile("[^ -~]")
_LATIN = re.compile("[\x80-\u017f\u2010-\u2026]")  # and punctuation
_QUOTED = re.compile(r"\\(?:u\{([0-9a-f]+)\}|(.))")

# One paragraph for each character, so that none is shaped together with another.
_PROBE = b"""
#set document(title: "probe")
#for char in json(bytes(sys.inputs.job)) [#char #parbreak()]
"""


class _Press:
    """Typesets with the fonts of packages, and with those of the system only if they lack a character."""

    def __init__(self, root: str, folders: Sequence[str]) -> None:
        self.root = root
        self.folders = list(folders)
        self.fonts = self._open(not folders)

    def _open(self, system: bool) -> typst.Fonts:
        return typst.Fonts(include_system_fonts=system, font_paths=self.folders)

    def pdf(self, source: bytes, job: Any) -> bytes:
        packages = f"{self.root}/packages"
        compiler = typst.Compiler(
            source,
            root=self.root,
            font_paths=self.fonts,
            sys_inputs={"job": json.dumps(job)},
            package_path=packages,
            package_cache_path=packages,
        )
        pdf = compiler.compile(format="pdf", pdf_standards=["a-3a", "ua-1"])
        assert isinstance(pdf, bytes)
        return pdf

    def lacking(self, chars: set[str]) -> set[str]:
        """Those of `chars` that no font can draw."""
        lacking = self._probe(chars)
        if lacking and self.folders:
            self.fonts = self._open(True)
            lacking = self._probe(lacking)
        return lacking

    def _probe(self, chars: set[str]) -> set[str]:
        try:
            self.pdf(_PROBE, sorted(chars))
        except typst.TypstError as error:
            return chars & set("".join(_named(error)))
        return set()


def typeset(job: dict[str, Any], press: _Press, plain: bool = False) -> tuple[bytes, list[str]]:
    """The PDF, and the characters that it shows as escapes: `U+1F600 GRINNING FACE`.

    plain  shows everything outside Latin as escapes: for text that the typesetter itself breaks on
    """
    before = _unusual(job)
    shown = _change(job, visible)
    held = set(_unusual(shown)) - {"\n"}
    lacking = set(filterfalse(_LATIN.match, held)) if plain else press.lacking(held)
    shown = _change(shown, lambda text: text.translate({ord(char): escape(char) for char in lacking}))
    return _pressed(shown, before, press, _TRIES)


def _pressed(job: dict[str, Any], before: Counter[str], press: _Press, tries: int) -> tuple[bytes, list[str]]:
    """The PDF of `job`; what the typesetter names as impossible becomes escapes, a few times over."""
    gone = sorted(before - _unusual(job))
    try:
        return press.pdf(TEMPLATE.read_bytes(), _finished(job, gone)), [_name(char) for char in gone]
    except typst.TypstError as error:
        if tries == 1:
            raise
        return _pressed(_without(job, error), before, press, tries - 1)


def _finished(job: dict[str, Any], gone: Sequence[str]) -> dict[str, Any]:
    """The job with what is only known at the end: the fonts, the drawing, the characters that are shown as escapes."""
    names = [[escape(char), unicodedata.name(char, "without a name").lower()] for char in gone]
    listed = names if len(names) <= 60 else [*names[:60], ["…", f"and {len(names) - 60} more"]]
    return job | {"faces": FACES, "mono": MONO, "replaced": listed, "flow": job["flow"] and _drawn(job["flow"])}


def _drawn(plain: dict[str, Any]) -> dict[str, Any]:
    nodes = tuple(Node(*fields) for fields in plain["nodes"])
    flow = Flow(tuple(plain["titles"]), nodes, tuple(Edge(*fields) for fields in plain["edges"]))
    svg = draw_print(flow, fonts=", ".join(f"'{face}'" for face in FACES))
    size = re.search(r'width="(\d+)" height="(\d+)"', svg)
    assert size
    return {"svg": svg, "width": int(size[1]), "height": int(size[2]), "alt": describe(flow)}


# --- text that no font can draw -----------------------------------------------------------------


def _named(error: typst.TypstError) -> list[str]:
    """The pieces of text that the typesetter names in its complaint."""
    quoted = _LACKING.findall(error.diagnostic)
    return [_QUOTED.sub(lambda it: chr(int(it[1], 16)) if it[1] else it[2], text) for text in quoted]


def _without(job: Any, error: typst.TypstError) -> Any:
    """The job with the text that `error` names as escapes: only the marks upon a letter, if it has any there.

    Raises the error again when that changes nothing.
    """
    held = _strings(job)
    marks = "".join(sorted(c for c in set("".join(held)) if unicodedata.category(c)[0] == "M" or c == "\u200d"))
    changed = job
    for text in _named(error):
        marked = re.compile(f"{re.escape(text)}[{re.escape(marks)}]+" if marks else "(?!)")
        found = marked if any(map(marked.search, held)) else re.compile(re.escape(text))
        changed = _change(changed, partial(found.sub, lambda hit: _ascii(hit[0])))
    if changed == job:
        raise error
    return changed


def _ascii(text: str) -> str:
    return "".join(char if char.isascii() else escape(char) for char in text)


def _name(char: str) -> str:
    return f"U+{ord(char):04X} {unicodedata.name(char, '')}".rstrip()


def _strings(value: Any) -> list[str]:
    """Every text in a JSON value, keys aside."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict | list):
        held = value.values() if isinstance(value, dict) else value
        return [text for each in held for text in _strings(each)]
    return []


def _unusual(value: Any) -> Counter[str]:
    """How often each character other than printable ASCII stands in a JSON value."""
    return Counter(_UNUSUAL.findall("\n".join(_strings(value)).replace("\r\n", "\n")))


def _change(value: Any, change: Callable[[str], str]) -> Any:
    """A JSON value with every text in it changed, keys aside."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {key: _change(each, change) for key, each in value.items()}
    return [_change(each, change) for each in value] if isinstance(value, list) else value


def main(root: str, memory: str, seconds: str, *folders: str) -> int:
    resource.setrlimit(resource.RLIMIT_DATA, (int(memory), int(memory)))
    resource.setrlimit(resource.RLIMIT_CPU, (int(seconds), int(seconds)))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    job = json.load(sys.stdin.buffer)
    try:
        pdf, replaced = typeset(job, _Press(root, folders), job.pop("plain", False))
    except typst.TypstError as error:
        sys.stderr.write(json.dumps({"error": error.message}))
        return 2
    sys.stdout.buffer.write(pdf)
    sys.stderr.write(json.dumps({"replaced": replaced}))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
