"""Template tags of the evidence pages: what rows of the database and of reports read like."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from django import template
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from connectors import display, registry, troubleshooting
from connectors.models import Connection, MissedRun, SyncRun
from connectors.spec import Actor, Covered, Hint, State, Table, standing

from ..progress import Progress, progress

register = template.Library()


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
def connection_state(connection: Connection) -> State:
    return display.connection_state(connection)


@register.filter
def schedule(connection: Connection) -> str:
    return display.schedule_words(connection)


@register.filter
def covered_state(covered: Covered) -> State:
    """Without its reason, which stands in a column of its own."""
    return replace(standing(covered), why="")


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
def marks(streams: Iterable[tuple[object, State]]) -> list[State]:
    return [mark for _, mark in streams]


@register.filter
def value_of(held: Mapping[int, int], key: int) -> int:
    return held.get(key, 0)


@register.filter
def only_table(table: Table, query: Mapping[str, str]) -> dict[str, str | None]:
    """What to change in an address to see another table of the same snapshot, whole."""
    return {name: None for name in query if name != "snapshot"} | {"table": table.name}


@register.simple_tag
def code_link(code: str) -> SafeString:
    return format_html('<a href="{}"><code>{}</code></a>', reverse("troubleshooting-code", args=[code]), code)
