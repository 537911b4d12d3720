"""Template tags that every page may use. What came from outside is escaped and stands in <bdi>.

Cells of reports are recognised by their shape, not by their class: the floor knows no connector.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta, tzinfo
from typing import Any, Protocol

from django import template
from django.core.paginator import Page
from django.template import Context
from django.templatetags.static import static
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

register = template.Library()

DASH = "\N{EN DASH}"
A_LINE = 60  # ticks, before they take another line
LONG = 240  # beyond this, a cell is cut to a few lines
# Controls, directions that override what is read, and halves of characters, which no page can carry.
_TRICKS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
# Messages by Django's level tag, as states of the look.
_LEVELS = {"success": "pass", "warning": "stale", "error": "failed"}


class Marked(Protocol):
    """A state: which outline, which word, and why."""

    @property
    def name(self) -> str: ...
    @property
    def word(self) -> str: ...
    @property
    def why(self) -> str: ...


# --- icons and states ---------------------------------------------------------------------------


@register.simple_tag
def icon(name: str) -> SafeString:
    """An icon of icons.svg. It says nothing by itself: a word must stand beside it."""
    return format_html('<svg class="i" aria-hidden="true"><use href="{}#{}"/></svg>', static("icons.svg"), name)


@register.simple_tag
def state(mark: Marked | str, word: str = "", badge: bool = False) -> SafeString:
    """A state's icon and word: `{% state cell %}` or `{% state "pass" "Complete" %}`; `badge` is for titles."""
    name = mark if isinstance(mark, str) else mark.name
    said = word if isinstance(mark, str) else mark.word
    outline = icon(f"s-{name}")
    return format_html('<span class="st st-{}{}">{}{}</span>', name, " badge" if badge else "", outline, said)


@register.simple_tag
def environment(row: Any) -> SafeString:
    """What a workspace is used for, in its colour; nothing where nobody said it. Of a row that has `environment`."""
    if row is None or not row.environment:
        return SafeString("")
    return format_html('<span class="env env-{}">{}</span>', row.environment, row.get_environment_display())


@register.filter
def level(message: Any) -> str:
    """The look's state for one of Django's messages."""
    return _LEVELS.get(message.level_tag, "info")


@register.filter
def undo(message: Any) -> int | None:
    """The number under which what a message tells of can be taken back; it travels as a tag, `undo-` and the number."""
    tag = next((each for each in str(message.extra_tags or "").split() if each.startswith("undo-")), "")
    return int(tag.removeprefix("undo-")) if tag else None


@register.simple_tag
def ticks(marks: Iterable[Marked], noun: str = "stream", a_line: int = A_LINE) -> SafeString:
    """One tick per stream: tall when complete, with a keyhole when denied, a stub when off or not asked.

    More than `a_line` of them stand in several lines.
    """
    held = list(marks)
    said = Counter(mark.word.lower() for mark in held)
    total = f"{len(held)} {noun}" if len(held) == 1 else f"{len(held)} {noun}s"
    label = f"{total}: " + ", ".join(f"{count} {word}" for word, count in said.items())
    rows = -(-len(held) // a_line) or 1
    width, height = max(7 * -(-len(held) // rows) - 2, 1), 18 * rows - 2
    return format_html(
        '<svg class="ticks" viewBox="0 0 {0} {1}" width="{0}" height="{1}" role="img" aria-label="{2}">{3}</svg>',
        width,
        height,
        label if held else f"no {noun}s",
        format_html_join("", "{}", ((_tick(mark.name, *_place(at, len(held), rows)),) for at, mark in enumerate(held))),
    )


def _place(at: int, many: int, rows: int) -> tuple[int, int]:
    """Where the tick stands: many ticks stand in lines of the same length."""
    line, column = divmod(at, -(-many // rows))
    return 7 * column, 18 * line


def _tick(name: str, x: int, y: int) -> SafeString:
    if name == "pass":
        return format_html('<rect class="st-pass" x="{}" y="{}" width="4" height="14" rx=".5"/>', x, y + 1)
    if name == "denied":
        path = f"M{x} {y + 1}h5v14h-5zM{x + 1.5} {y + 5.5}v5h2v-5z"
        return format_html('<path class="st-denied" d="{}" fill-rule="evenodd"/>', path)
    if name in {"off", "none", "na"}:
        return format_html('<rect class="st-{}" x="{}" y="{}" width="4" height="4"/>', name, x + 0.5, y + 11)
    return format_html('<rect class="st-{}" x="{}" y="{}" width="4" height="10" rx=".5"/>', name, x, y + 5)


# --- values -------------------------------------------------------------------------------------


def said_time(at: datetime, seconds: bool = False, zone: tzinfo | None = None) -> str:
    """`23 Nov 2026, 06:00 UTC`, in `zone`, else the portal's, and with its name."""
    here = timezone.localtime(at, zone)
    clock = f"{here:%H:%M:%S}" if seconds else f"{here:%H:%M}"
    return f"{here.day} {_MONTHS[here.month - 1]} {here.year}, {clock} {here:%Z}"


@register.filter
def moment(at: datetime | None, seconds: bool = False) -> SafeString:
    """A time with its zone; a dash for none."""
    if at is None:
        return SafeString(DASH)
    return format_html('<time datetime="{}">{}</time>', at.isoformat(), said_time(at, seconds))


@register.filter
def duration(length: timedelta | float | None) -> str:
    """`0.4 s`, `38 s`, `2 min 5 s`, `3 h 10 min`, `12 d`; a dash for none."""
    if length is None:
        return DASH
    seconds = length.total_seconds() if isinstance(length, timedelta) else float(length)
    if seconds < 10:
        return f"{max(seconds, 0):.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s" if whole % 60 else f"{whole // 60} min"
    if whole < 48 * 3600:
        minutes = whole % 3600 // 60
        return f"{whole // 3600} h {minutes} min" if minutes else f"{whole // 3600} h"
    return f"{whole // 86400} d"


@register.filter
def since(at: datetime | None, now: datetime) -> str:
    """How long ago, in words and in the largest unit that fits: `2 h ago`, `just now`."""
    if at is None:
        return "never"
    seconds = (now - at).total_seconds()
    if seconds < 10:
        return "just now"
    unit = 86400 if seconds >= 172_800 else 3600 if seconds >= 3600 else 60 if seconds >= 60 else 1
    return f"{duration(seconds - seconds % unit)} ago"


@register.filter
def digest(value: str) -> SafeString:
    """A digest short enough for a line: `9f3c41d8…e21a07b4`."""
    return format_html('<code class="nw">{}</code>', f"{value[:8]}…{value[-8:]}" if len(value) > 17 else value)


@register.filter
def number(value: float | None) -> str:
    """With a comma for each thousand; a dash for none."""
    return DASH if value is None else f"{value:,}"


@register.filter
def size(value: int) -> str:
    """Bytes in words: `512 bytes`, `14.2 kB`, `1.3 MB`, `83.9 GB`."""
    if value < 1000:
        return f"{value} bytes"
    if value < 1_000_000:
        return f"{value / 1000:,.1f} kB"
    return f"{value / 1_000_000:,.1f} MB" if value < 1_000_000_000 else f"{value / 1_000_000_000:,.1f} GB"


@register.filter
def foreign(text: str) -> SafeString:
    """A name from outside, isolated from the direction of what surrounds it, and unable to turn itself round."""
    return format_html("<bdi>{}</bdi>", _plain(text))


def _plain(text: str) -> str:
    return _TRICKS.sub(lambda found: f"\\u{{{ord(found[0]):X}}}", str(text))


@register.simple_tag
def cell(value: Any, kind: str = "text") -> SafeString:
    """One cell of a report, by what it is and by its column's kind. The whole value is always in the page."""
    match value:
        case None | "" | ():
            return SafeString(DASH)
        case bool():
            return SafeString("yes" if value else "no")
        case int() | float():
            return SafeString(number(value))
        case str():
            return _text(value, kind)
        case tuple() | list():
            return _list(value)
        case _:
            return _marked(value)


def _text(value: str, kind: str) -> SafeString:
    if kind == "time":
        at = _instant(value)
        return moment(at) if at else foreign(value)
    if kind == "id":
        return format_html("<code>{}</code>", foreign(value))
    if len(value) > LONG:
        return format_html('<span class="clip" tabindex="0">{}</span>', foreign(value))
    return foreign(value)


def _instant(value: str) -> datetime | None:
    """A time that the service wrote, if it is one; naive times are not guessed at."""
    try:
        at = parse_datetime(value)
    except ValueError:
        return None
    return at if at is not None and timezone.is_aware(at) else None


def _list(values: Sequence[str]) -> SafeString:
    if len(values) == 1:
        return _text(str(values[0]), "text")
    first = format_html_join("", "<li>{}</li>", ((foreign(value),) for value in values))
    if len(values) <= 4:
        return format_html('<ul class="list">{}</ul>', first)
    return format_html('<ul class="list clip" tabindex="0" aria-label="{} entries">{}</ul>', len(values), first)


def _marked(mark: Marked) -> SafeString:
    if not mark.why:
        return state(mark)
    return format_html('{}<span class="sub">{}</span>', state(mark), foreign(mark.why))


# --- lists --------------------------------------------------------------------------------------


@register.filter
def window(page: Page[Any]) -> list[int]:
    """The page numbers to offer; 0 stands for those left out."""
    offered = page.paginator.get_elided_page_range(page.number, on_each_side=1, on_ends=1)
    return [number if isinstance(number, int) else 0 for number in offered]


@register.simple_tag(takes_context=True)
def page_link(context: Context, number: int, param: str) -> str:
    """The address of another page of the same list; the first one needs no parameter."""
    return changed(context, {param: number if number > 1 else None})


@register.simple_tag(takes_context=True)
def changed(context: Context, changes: Mapping[str, Any]) -> str:
    """This page's address with some of its parameters changed; None drops one."""
    asked = context["request"].GET.copy()
    for name, value in changes.items():
        asked.pop(name, None)
        if value is not None:
            asked[name] = value
    return f"?{asked.urlencode()}"


@register.filter
def by_column(row: Sequence[Any], columns: Sequence[Any]) -> list[tuple[Any, Any]]:
    return list(zip(row, columns, strict=True))


@register.filter
def hex(value: bytes) -> str:
    return bytes(value).hex()
