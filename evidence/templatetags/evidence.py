"""Template tags of the evidence pages: what rows of the database and of reports read like."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from django import template
from django.http import QueryDict
from django.template import Context
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from connectors import display, registry, troubleshooting
from connectors.models import Anomaly, Connection, MissedRun, SyncRun
from connectors.records import key_part
from connectors.spec import (
    ANOMALIES,
    Actor,
    Column,
    Coverage,
    Covered,
    Difference,
    Hint,
    Json,
    Part,
    State,
    Table,
    standing,
)
from portal import ledger
from portal.models import LedgerEntry
from portal.templatetags.portal import cell, changed
from portal.templatetags.portal import state as mark

from .. import changes, integrity, preview
from ..asof import NAME, Seen
from ..changes import Told
from ..completeness import account, figures
from ..library import previewing
from ..models import Artifact, Erasure, Verification, Version
from ..progress import Progress, progress
from ..text import visible

register = template.Library()


# What an artifact's state looks like; the word is its own.
_STANDS = {"draft": "none", "review": "run", "accepted": "pass", "rejected": "fail", "expired": "stale"}


@register.filter
def artifact_state(artifact: Artifact) -> SafeString:
    return mark(_STANDS.get(artifact.state, "na"), artifact.get_state_display())


@register.filter
def preview_of(version: Version) -> previewing.Preview:
    """What of a stored version can be shown."""
    return previewing.of(version)


@register.filter
def run_state(run: SyncRun) -> State:
    return display.run_state(run.state)


@register.filter
def missed_state(missed: MissedRun) -> State:
    return display.missed_state(missed)


@register.filter
def trigger(run: SyncRun) -> str:
    """Who or what asked for a run, in words."""
    return display.TRIGGERS.get(run.trigger, run.trigger)


@register.filter
def took(run: SyncRun) -> timedelta | None:
    return display.took(run)


@register.filter
def progress_at(run: SyncRun, now: datetime) -> Progress:
    return progress(run, now)


@register.filter
def outcome(verification: Verification) -> State:
    return integrity.state_of(verification)


@register.filter
def time_of(verification: Verification) -> timedelta | None:
    """How long a verification took."""
    return integrity.took(verification)


@register.filter
def erasure_state(erasure: Erasure) -> State:
    return preview.state_of(erasure)


@register.filter
def sealed_detail(entry: LedgerEntry) -> dict[str, Any]:
    return ledger.detail_of(entry)


@register.filter
def schedule(connection: Connection) -> str:
    return display.schedule_words(connection)


@register.filter
def covered_state(covered: Covered) -> State:
    """Without its reason, which stands in a column of its own."""
    return replace(standing(covered), why="")


@register.filter
def covered_words(covered: Covered, snapshot: int) -> str:
    """What stands beside the numbers: how it was read or why not, and what is odd about it."""
    return account(covered, snapshot)


@register.filter
def covered_figures(covered: Covered) -> dict[str, int | None]:
    return figures(covered)


@register.filter
def asked_for(covered: Iterable[Covered], whether: bool) -> list[Covered]:
    """The streams that the reading asked for, or those that it did not."""
    return [each for each in covered if (each.coverage is not Coverage.NOT_REQUESTED) is whether]


@register.filter
def part_state(part: Part) -> State:
    return standing(Covered("", "", part.coverage))


@register.filter
def odd_state(anomaly: Anomaly) -> State:
    """What kind of anomaly it is; quiet once somebody has explained it."""
    word, _ = ANOMALIES.get(anomaly.kind, (anomaly.kind, ""))
    return State("na" if anomaly.acknowledged_at else "unknown", word)


@register.filter
def unexplained(odd: Iterable[Anomaly]) -> bool:
    """Whether any of them waits for an explanation."""
    return any(anomaly.acknowledged_at is None for anomaly in odd)


@register.filter
def region(connection: Connection) -> str:
    return display.region_title(registry.get(connection.connector), connection.region)


@register.filter
def service(slug: str) -> str:
    """A connector's title."""
    return registry.get(slug).title


@register.filter
def hint_of(code: str, slug: str = "") -> Hint:
    """What to know about a code, in the words of the connector that met it."""
    return troubleshooting.hint(code, registry.get(slug) if slug else None)


@register.filter
def who(acts: Actor) -> str:
    return display.WHO[acts]


@register.filter
def value_of(held: Mapping[int, int], key: int) -> int:
    return held.get(key, 0)


@register.filter
def only_table(table: Table, query: Mapping[str, str]) -> dict[str, str | None]:
    """What to change in an address to see another table of the same snapshot, whole."""
    return {name: None for name in query if name != NAME} | {"table": table.name}


@register.simple_tag(takes_context=True)
def seen_url(context: Context, name: str, *args: object) -> str:
    """The address of a page that takes `as_of`, as of what this page shows."""
    seen: Seen | None = context.get("seen") or None
    return seen.url(name, *args) if seen else reverse(name, args=args)


@register.simple_tag(takes_context=True)
def seen_at(context: Context, seq: int | None) -> str:
    """The address of this very page as of another snapshot; None is now."""
    seen: Seen = context["seen"]
    if seen.fixed:
        return reverse("snapshot", args=[seen.workspace.pk, seq or seen.workspace.head])
    return changed(context, {NAME: seq, "page": None})


@register.filter
def besides_time(query: QueryDict) -> list[tuple[str, str]]:
    """What a form that chooses a time carries on of an address."""
    return [(name, value) for name, values in query.lists() for value in values if name not in (NAME, "page")]


@register.simple_tag(takes_context=True)
def report_cell(context: Context, value: Any, column: Column) -> SafeString:
    """One cell of a report; where it is a record's key, it leads to the record's history."""
    shown = cell(value, column.kind)
    workspace = context.get("workspace")
    if not column.record or workspace is None or not isinstance(value, str) or not value:
        return shown
    address = reverse("record", args=[workspace.pk, column.record, key_part(value)])
    return format_html('<a href="{}">{}</a>', address, shown)


@register.simple_tag
def code_link(code: str) -> SafeString:
    return format_html('<a href="{}"><code>{}</code></a>', reverse("troubleshooting-code", args=[code]), code)


# --- changes ------------------------------------------------------------------------------------


@register.filter
def first_differences(told: Told, most: int) -> tuple[Difference, ...]:
    return told.differences[:most]


@register.filter
def more_differences(told: Told, most: int) -> int:
    return max(0, len(told.differences) - most)


@register.filter
def stood(value: Json) -> str | None:
    """A value of a record for a table, None where nothing stands."""
    text = changes.cell(value)
    return None if text is None else visible(text)


@register.filter
def raw(record: Json) -> str:
    """A record as JSON, its keys in the order of the stored form."""
    return visible(json.dumps(record, ensure_ascii=False, sort_keys=True, indent=1))


@register.filter
def seen(text: str) -> str:
    """A text from outside with what hides or reorders it shown as escapes."""
    return visible(text)
