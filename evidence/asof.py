"""As of: what an address means by `as_of`, and which snapshot shows it. `read` is pure; `find` asks the database once.

    12                          snapshot number 12
    2026-11-24                  24 November, in the portal's zone
    2026-11-24T06:00            six o'clock, in the portal's zone
    2026-11-24T06:00+01:00      six o'clock there; `Z` is UTC

A day means its end, and so do a minute and a second: a snapshot that a page dates 06:00 is found by 06:00. A time that
a clock shows twice is the later one. A `+` that a browser took for a blank is read as `+`.
"""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import cached_property

from django.db.models import Count, Max, QuerySet
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode

from connectors.models import Change, Snapshot, Workspace
from portal.templatetags.portal import said_time

from .marks import Marks, marks

NAME = "as_of"
_MOMENT = re.compile(
    "(?P<day>[12][0-9]{3}-[0-9]{2}-[0-9]{2})"
    "([T ](?P<clock>[0-9]{2}:[0-9]{2}(?P<seconds>:[0-9]{2}(?P<fraction>[.][0-9]{1,6})?)?)"
    "(?P<zone>[Zz]|[-+ ][0-9]{2}:?[0-9]{2})?)?"
)


class Refused(Exception):
    """What `as_of` says cannot be shown. The message is for people.

    Codes: `as-of-unreadable`, `as-of-too-early` (`first` is the snapshot that the chain begins with) and
    `as-of-no-such-snapshot`.
    """

    def __init__(self, *, code: str, message: str, first: Snapshot | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.first = code, message, first


# --- words become a number or a moment ----------------------------------------------------------


def read(text: str, zone: tzinfo) -> int | datetime:
    """The number of a snapshot, or the last moment that is meant, in UTC; `zone` is for what names none.

    Raises Refused `as-of-unreadable`.
    """
    if re.fullmatch("[0-9]{1,9}", text):
        return int(text)
    found = _MOMENT.fullmatch(text)
    try:
        return _moment(found, zone) if found else _unreadable(text)
    except ValueError:  # a 31st of June, an hour 25
        return _unreadable(text)


def _moment(found: re.Match[str], zone: tzinfo) -> datetime:
    if found["clock"] is None:
        after = date.fromisoformat(found["day"]) + timedelta(days=1)
        return datetime.combine(after, time.min, zone).astimezone(UTC) - datetime.resolution
    offset = (found["zone"] or "").upper().replace(" ", "+")
    at = datetime.fromisoformat(f"{found['day']}T{found['clock']}{offset}")
    if at.tzinfo is None:
        at = max(at.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if found["fraction"]:
        return at.astimezone(UTC)
    length = timedelta(seconds=1) if found["seconds"] else timedelta(minutes=1)
    return at.astimezone(UTC) + length - datetime.resolution


def _unreadable(text: str) -> int:
    said = f"“{text[:60]}” is neither the number of a snapshot nor a date." if text.isprintable() else "It is no text."
    raise Refused(code="as-of-unreadable", message=f"{said} Write 12, 2026-11-24 or 2026-11-24T06:00+01:00.")


# --- which snapshot that is ---------------------------------------------------------------------


@dataclass(frozen=True)
class Seen:
    """What a page shows of a workspace: `snapshot`, None before the first one.

    said   what the address says, "" when it shows what is now
    at     the moment that was asked for, None when it was a number or nothing
    fixed  whether the page's own address names the snapshot, so that it needs no `as_of`
    """

    workspace: Workspace
    snapshot: Snapshot | None
    said: str = ""
    at: datetime | None = None
    fixed: bool = False

    @property
    def past(self) -> bool:
        return self.snapshot is not None and self.snapshot.seq < self.workspace.head

    @property
    def keep(self) -> dict[str, str]:
        """What the addresses of links carry on."""
        return {NAME: self.said} if self.said else {}

    @property
    def day(self) -> str:
        """What the date field shows."""
        return f"{self._shown:%Y-%m-%d}" if self._shown else ""

    @property
    def clock(self) -> str:
        """What the time field shows: nothing when a whole day was asked for."""
        whole_day = self.at is not None and ":" not in self.said
        return "" if whole_day or not self._shown else f"{self._shown:%H:%M}"

    @property
    def _shown(self) -> datetime | None:
        """A page of now leaves the fields empty."""
        if not self.said or self.snapshot is None:
            return None
        return timezone.localtime(self.at or self.snapshot.published_at)

    def url(self, name: str, *args: object) -> str:
        """The address of another page that takes `as_of`, as of the same."""
        return f"{reverse(name, args=args)}{'?' if self.keep else ''}{urlencode(self.keep)}"

    @cached_property
    def marks(self) -> Marks:
        """All snapshots of the workspace as marks; asks the database when a page first looks."""
        assert self.snapshot is not None
        rows = Snapshot.objects.filter(workspace=self.workspace).order_by("seq").values_list("seq", "published_at")
        zone = timezone.get_current_timezone()
        return marks([(seq, at.astimezone(zone)) for seq, at in rows], self.snapshot.seq)

    @cached_property
    def changes(self) -> dict[int, int]:
        """How many records each of the snapshots with a mark of their own changed; the first one has none before it."""
        return changes(self.workspace, [seq for seq in self.marks.singles if seq > 1])


def find(workspace: Workspace, said: str) -> Seen:
    """The newest snapshot for "", the one of that number, or the newest that was published by that moment.

    The future is the newest one. Raises Refused.
    """
    meant = read(said, timezone.get_current_timezone()) if said else workspace.head
    if isinstance(meant, int):
        snapshot = chain(workspace).filter(seq=meant).first()
        if said and snapshot is None:
            raise Refused(code="as-of-no-such-snapshot", message=_no_such(workspace, meant))
        return Seen(workspace, snapshot, said)
    by_then = Snapshot.objects.filter(workspace=workspace, published_at__lte=meant).order_by()
    newest = by_then.values("workspace").annotate(last=Max("seq")).values("last")[:1]
    snapshot = chain(workspace).filter(seq=newest).first()
    if snapshot is None and workspace.head:
        raise _too_early(workspace, meant)
    return Seen(workspace, snapshot, said, meant)


def _no_such(workspace: Workspace, number: int) -> str:
    held = f"snapshots 1 to {workspace.head}" if workspace.head else "none yet"
    return f"There is no snapshot {number} of this workspace; there are {held}."


def _too_early(workspace: Workspace, meant: datetime) -> Refused:
    first = chain(workspace).get(seq=1)
    said = f"Nothing had been read by {said_time(meant)}. The first snapshot is of {said_time(first.published_at)}."
    return Refused(code="as-of-too-early", message=said, first=first)


def chain(workspace: Workspace) -> QuerySet[Snapshot]:
    """The snapshots of a workspace, with what their pages say of them."""
    return Snapshot.objects.filter(workspace=workspace).select_related("workspace", "run__connection")


def changes(workspace: Workspace, seqs: list[int]) -> dict[int, int]:
    """How many records each of these snapshots added, changed or removed."""
    rows = Change.objects.filter(workspace=workspace, seq__in=seqs).order_by().values_list("seq")
    return dict(rows.annotate(many=Count("pk")))
