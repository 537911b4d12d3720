"""Foreign text as drawings and print may show it: nothing invisible, and no wider than its place."""

import re
import unicodedata
from functools import lru_cache

# Characters that hide, reorder or break text: controls except the line feed, soft hyphens, fillers, line and paragraph
# separators, zero-width spaces, direction marks, overrides and isolates, surrogates, noncharacters, and those of
# private use, which every font draws in its own way. Joiners are needed inside of Persian, Indic scripts and emoji;
# beside Latin they only hide, and typst then copies one with every such letter of the whole PDF.
_HIDDEN = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ud800-\udfff\ue000-\uf8ff\ufdd0-\ufdef\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff"
    "\U000f0000-\U0010ffff]"
    "|(?<![^\x00-\u02ff])[\u200c\u200d]|[\u200c\u200d](?![^\x00-\u02ff])"
)

# Advances of a wide sans serif (DejaVu Sans), in em: what fits there fits in any common one.
_NARROW, _SLIM, _CAPITAL, _BROAD = "!'|,.:;`ijl", '()[]/\\"-frtI *', "ABCDEFGHJKLNOPQRSTUVXYZ&#+<=>~", "mwMW@%"
_ADVANCES = (
    dict.fromkeys(_NARROW, 0.32)
    | dict.fromkeys(_SLIM, 0.4)
    | dict.fromkeys(_CAPITAL, 0.72)
    | dict.fromkeys(_BROAD, 0.95)
)


def escape(text: str) -> str:
    """Every character of `text` as a visible escape: `\\u{1F600}`."""
    return "".join(f"\\u{{{ord(char):X}}}" for char in text)


def visible(text: str) -> str:
    """`text` with what hides or reorders it shown as escapes; a carriage return before a line feed is dropped."""
    if text.isascii() and text.isprintable():
        return text
    return _HIDDEN.sub(lambda found: escape(found[0]), text.replace("\r\n", "\n"))


@lru_cache(maxsize=8192)
def _advance(char: str) -> float:
    if char in _ADVANCES:
        return _ADVANCES[char]
    if unicodedata.combining(char) or unicodedata.category(char) in {"Mn", "Me", "Cf"}:
        return 0.0
    return 1.0 if unicodedata.east_asian_width(char) in "WF" else 0.6


def width(text: str) -> float:
    """How wide `text` stands in a wide sans serif, in em: a generous estimate.

    East Asian wide characters count as one em, combining marks as nothing.
    """
    return sum(map(_advance, text))


def cut(text: str, room: float) -> str:
    """`text` on one line, in at most `room` em: cut with an ellipsis when it is longer."""
    text = " ".join(text.split())
    if len(text) <= room or width(text) <= room:  # no character is wider than one em
        return text
    used, end = 1.0, 0
    for end, char in enumerate(text):  # noqa: B007
        used += _advance(char)
        if used > room:
            break
    return text[:end].rstrip(" \u200c\u200d") + "…"
