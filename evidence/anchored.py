"""What pages say of anchors: how far each kind has come, what was refused, and when to raise the alarm."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db.models import Count, Max, Q
from django.urls import reverse

from connectors import anchors, troubleshooting
from connectors.models import Anchor, AnchorTry, Workspace
from connectors.spec import Hint, State
from portal.templatetags.portal import duration, said_time, since

from .health import Matter

SHOWN = 20
OPERATOR = "Whoever runs this portal"


@dataclass(frozen=True)
class Line:
    """One kind. `confirmed` newest snapshots of `many` have an anchor of it; `open_since` is when the oldest snapshot
    came out that none confirms."""

    kind: Anchor.Kind
    on: bool
    late: int = 0
    confirmed: int = 0
    many: int = 0
    newest: datetime | None = None
    open_since: datetime | None = None

    @property
    def state(self) -> State:
        if not self.on:
            return State("off", "Off")
        if self.late:
            return State("fail", "Late")
        if self.open_since:
            return State("partial", "To be made")
        return State("pass", "Confirmed") if self.many else State("none", "Nothing there yet")


def lines(now: datetime) -> list[Line]:
    """Every kind, those that are off too; four queries for each that is on."""
    on = anchors.configured()
    return [_line(kind, now) if kind in on else Line(kind, on=False) for kind in Anchor.Kind]


def _line(kind: Anchor.Kind, now: datetime) -> Line:
    whole = Q(open_since=None, met=True)
    rows = anchors.reach(kind)
    many = rows.aggregate(all=Count("pk"), whole=Count("pk", filter=whole))
    return Line(
        kind,
        on=True,
        late=anchors.late(kind, now).count(),
        confirmed=many["whole"],
        many=many["all"],
        newest=Anchor.objects.filter(kind=kind).aggregate(at=Max("at"))["at"],
        open_since=rows.exclude(open_since=None).order_by("open_since").values_list("open_since", flat=True).first(),
    )


@dataclass(frozen=True)
class Refusal:
    """The last try of one workspace and kind, which came to nothing."""

    row: AnchorTry

    @property
    def hint(self) -> Hint:
        return troubleshooting.hint(self.row.code)


def refusals() -> tuple[list[Refusal], int]:
    """The newest of them, and how many there are."""
    found = anchors.refused()
    return [Refusal(row) for row in found[:SHOWN]], found.count()


@dataclass(frozen=True)
class Reach:
    """How far one workspace is confirmed, in one state for each kind that is on."""

    workspace: Workspace
    states: Sequence[tuple[Anchor.Kind, State, str]]


def reached(workspaces: Iterable[Workspace], now: datetime) -> list[Reach]:
    """In the order of `workspaces`; one query for each kind that is on."""
    held = list(workspaces)
    keys = [each.pk for each in held]
    found = {kind: anchors.reach(kind).in_bulk(keys) for kind in anchors.configured()}
    return [
        Reach(each, [(kind, *_said(rows[each.pk], now)) for kind, rows in found.items() if each.pk in rows])
        for each in held
    ]


def _said(row: Any, now: datetime) -> tuple[State, str]:
    """The state of one workspace and kind, and its words."""
    if row.anchored is not None and not row.met:
        return State("fail", "Contradicted"), f"Its anchor of snapshot {row.anchored} is not met by the chain"
    reach = f"Snapshot {row.anchored}, {since(row.anchored_at, now)}" if row.anchored else "Never yet"
    if row.open_since is None:
        return State("pass", "Confirmed"), reach
    state = State("fail", "Late") if now - row.open_since > settings.ANCHOR_WITHIN else State("partial", "To be made")
    return state, f"{reach}; open since {said_time(row.open_since)}"


# --- alarms -------------------------------------------------------------------------------------------------------


def alarms(now: datetime) -> list[Matter]:
    """What the home page must say; the same number of queries whatever there is."""
    found = []
    if broken := contradictions():
        many = f" of {len(broken)} workspaces" if len(broken) > 1 else ""
        why = (
            "The chain was cut, written anew, or restored from an older backup. Do not rely on the evidence before "
            "somebody has explained it."
        )
        what = f"An anchor contradicts the chain{many}"
        found.append(_matter(State("fail", "Contradicted"), what, why, "anchor-contradicted", broken))
    for kind in anchors.configured():
        if rows := list(anchors.late(kind, now)):
            found.append(_late(kind, rows, now))
    return found


def contradictions() -> list[Workspace]:
    """Those whose anchors the chain does not meet, as far as no verification is needed to see it."""
    seen = {row.pk: row for row, _ in anchors.contradicted()}
    seen |= {row.workspace_id: row.workspace for row in anchors.refused().filter(code="anchor-contradicted")}
    return list(seen.values())


def _late(kind: Anchor.Kind, rows: Sequence[Any], now: datetime) -> Matter:
    many, oldest = len(rows), rows[0]
    what = f"{kind.label}: {many} workspace{'' if many == 1 else 's'} not anchored in time"
    why = f"The oldest has waited since {said_time(oldest.open_since)}; {duration(settings.ANCHOR_WITHIN)} are allowed."
    failed = anchors.refused().filter(kind=kind).first()
    if failed is not None:
        why += f" The last try: {failed.message}"
    return _matter(State("stale", "Not anchored"), what, why, failed.code if failed else "anchor-late", rows)


def _matter(state: State, what: str, why: str, code: str, about: Sequence[Workspace]) -> Matter:
    """It names the workspace when it is about one; Integrity, to which it leads, has them all."""
    only = about[0] if len(about) == 1 else None
    return Matter(state, what, why, only, who=OPERATOR, code=code, href=f"{reverse('integrity')}#anchors")
