"""What a check has found, and how that reads: as a table of sentences, as JSON. Needs neither Django nor settings."""

import json
import textwrap
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from connectors import troubleshooting
from connectors.spec import Connector, Hint

from .. import __version__

FORMAT = 1  # of the JSON; a new number when a key changes its meaning
WELL, WARNINGS, FAILING = 0, 1, 2


class Verdict(StrEnum):
    PASS = "pass"  # noqa: S105  # a verdict
    WARN = "warn"
    FAIL = "fail"
    UNKNOWN = "unknown"
    UNASKED = "not asked"
    MOOT = "not applicable"


# The look's state and word for each, on the page and on the terminal.
SHOWN: dict[Verdict, tuple[str, str]] = {
    Verdict.PASS: ("pass", "Pass"),
    Verdict.WARN: ("stale", "Warning"),
    Verdict.FAIL: ("fail", "Fail"),
    Verdict.UNKNOWN: ("unknown", "Unknown"),
    Verdict.UNASKED: ("none", "Not asked"),
    Verdict.MOOT: ("na", "Not applicable"),
}


@dataclass(frozen=True)
class Seen:
    """A verdict, the sentence that says what was seen, and the code under which its hint stands; "" for none."""

    verdict: Verdict
    saw: str
    code: str = ""


def well(saw: str) -> Seen:
    return Seen(Verdict.PASS, saw)


def warn(saw: str, *, code: str) -> Seen:
    return Seen(Verdict.WARN, saw, code)


def fail(saw: str, *, code: str) -> Seen:
    return Seen(Verdict.FAIL, saw, code)


def unknown(saw: str, *, code: str = "") -> Seen:
    return Seen(Verdict.UNKNOWN, saw, code)


def unasked(saw: str) -> Seen:
    return Seen(Verdict.UNASKED, saw)


def moot(saw: str) -> Seen:
    return Seen(Verdict.MOOT, saw)


@dataclass(frozen=True)
class Finding:
    """`name` is stable. `connection` is the number of the one that it is about, `connector` that one's service."""

    group: str
    name: str
    title: str
    seen: Seen
    connection: int | None = None
    connector: Connector | None = None

    @property
    def hint(self) -> Hint | None:
        return troubleshooting.hint(self.seen.code, self.connector) if self.seen.code else None

    @property
    def mark(self) -> str:
        return SHOWN[self.seen.verdict][0]

    @property
    def word(self) -> str:
        return SHOWN[self.seen.verdict][1]

    @property
    def trouble(self) -> bool:
        return self.seen.verdict in (Verdict.WARN, Verdict.FAIL)


def many(findings: Iterable[Finding], verdict: Verdict) -> int:
    return sum(each.seen.verdict is verdict for each in findings)


def exit_code(findings: Sequence[Finding], strict: bool = False) -> int:
    """2 when something fails, 1 when `strict` and there is a warning, else 0."""
    if many(findings, Verdict.FAIL):
        return FAILING
    return WARNINGS if strict and many(findings, Verdict.WARN) else WELL


def summary(findings: Sequence[Finding]) -> str:
    """`1 fails, 2 warnings, 20 pass.`"""
    words = {Verdict.FAIL: "failing", Verdict.WARN: "to look at", Verdict.UNKNOWN: "unknown", Verdict.PASS: "well"}
    counted = [f"{many(findings, verdict)} {word}" for verdict, word in words.items() if many(findings, verdict)]
    return f"{', '.join(counted)}."


# --- on the terminal --------------------------------------------------------------------------------------


def told(findings: Sequence[Finding], now: datetime, *, as_json: bool) -> str:
    """What the command prints."""
    return json.dumps(document(findings, now), ensure_ascii=False, indent=2) if as_json else "\n".join(lines(findings))


def lines(findings: Sequence[Finding], width: int = 110) -> list[str]:
    """An aligned table: state, what was looked at, what was seen; below it what to do, where there is something."""
    states = max((len(each.word) for each in findings), default=0)
    titles = min(30, max((len(each.title) for each in findings), default=0))
    told: list[str] = []
    group = ""
    for each in findings:
        if each.group != group:
            told += ["", each.group] if group else [each.group]
            group = each.group
        told += _entry(each, f"  {each.word:{states}}  {each.title[:titles]:{titles}}  ", width)
    return [*told, "", summary(findings)]


def _entry(finding: Finding, head: str, width: int) -> list[str]:
    wrap: Callable[..., list[str]] = textwrap.TextWrapper(
        width, initial_indent=head, subsequent_indent=" " * len(head), break_long_words=False, break_on_hyphens=False
    ).wrap
    told = wrap(finding.seen.saw)
    if hint := finding.hint:
        below = textwrap.TextWrapper(
            width, initial_indent=" " * len(head), subsequent_indent=" " * len(head), break_on_hyphens=False
        )
        told += below.wrap(f"{hint.cure} [{hint.code}]")
    return told


# --- for programs -----------------------------------------------------------------------------------------


def document(findings: Sequence[Finding], now: datetime) -> dict[str, Any]:
    """Keys and the names of findings are stable for one `format`; new ones may be added. Holds no secret."""
    counts = {verdict.value: many(findings, verdict) for verdict in Verdict}
    return {
        "format": FORMAT,
        "version": __version__,
        "at": now.isoformat(timespec="seconds"),
        "exit_code": exit_code(findings),
        "counts": counts,
        "findings": [_one(each) for each in findings],
    }


def _one(finding: Finding) -> dict[str, Any]:
    hint = finding.hint
    return {
        "name": finding.name,
        "group": finding.group,
        "title": finding.title,
        "state": finding.seen.verdict.value,
        "saw": finding.seen.saw,
        "code": finding.seen.code,
        "what_to_do": hint.cure if hint else "",
        "acts": hint.acts if hint else "",
        "connection": finding.connection,
    }
