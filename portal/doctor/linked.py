"""Each connection: its condition, how old what was read and its token are, and, if asked live, who answers it."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.db.models import Case, IntegerField, OuterRef, Subquery, When

from connectors import conditions, credentials, registry
from connectors.conditions import Condition
from connectors.http import Client
from connectors.models import Connection, ConnectionState, Snapshot
from connectors.spec import ConnectorError

from ..templatetags.portal import since
from .findings import Finding, Seen, fail, moot, unasked, warn, well

GROUP = "Connections"
_CODES = {Condition.DEGRADED: "streams-lacking", Condition.ROTATION_DUE: "rotation-due"}
_WARNED = (Condition.RATE_LIMITED, *_CODES)


def connections(now: datetime, live: bool, most: int | None) -> Iterator[Finding]:
    """One finding for each that was ever active and is not disconnected; the same number of queries however many.

    `most`: only so many, those that need a look first, and one finding for the rest. `live` asks each active one's
    service who it is: one request each, and one row read for its token.
    """
    newest = Snapshot.objects.filter(workspace=OuterRef("workspace"), seq=OuterRef("workspace__head"))
    held = Connection.objects.exclude(state__in=(ConnectionState.DRAFT, ConnectionState.DISCONNECTED))
    left = max(held.count() - most, 0) if most else 0
    rows: Any = held.select_related("workspace").annotate(read_at=Subquery(newest.values("published_at")[:1]))
    rows = conditions.with_condition(rows, now)
    if left:
        quiet = Case(When(condition__in=conditions.TROUBLED, then=0), default=1, output_field=IntegerField())
        rows = rows.annotate(quiet=quiet).order_by("quiet", "name", "pk")[:most]
    else:
        rows = rows.order_by("name", "pk")
    for row in rows:
        seen = _seen(row, now)
        if live and row.state == ConnectionState.ACTIVE and seen.code not in conditions.REJECTED:
            seen = _asked(row, seen)
        yield Finding(GROUP, f"connection-{row.pk}", row.name, seen, row.pk, registry.get(row.connector))
    if left:
        yield Finding(GROUP, "connections-left", "The others", unasked(f"{left} more are not shown here: {_ALL}."))


_ALL = "the file and the command name all, the list of connections filters them"


def _seen(row: Any, now: datetime) -> Seen:
    found = conditions.of(row)
    saw = " ".join(filter(None, [f"{found.state.word}.", found.state.why, _ages(row, now)]))
    if found.condition is Condition.PAUSED:
        return moot(saw)
    if not found.troubled:
        return well(saw)
    code = found.code or _CODES.get(found.condition, "rate-limited")
    return warn(saw, code=code) if found.condition in _WARNED else fail(saw, code=code)


def _ages(row: Any, now: datetime) -> str:
    read = f"Newest snapshot {since(row.read_at, now)}." if row.read_at else "No snapshot yet."
    made = row.token_made or (row.token_since.date() if row.token_since else None)
    if made is None or not row.token_fingerprint:
        return f"{read} No token."
    age = max((conditions.today(now) - made).days, 0)
    due = f", to be replaced on {row.rotate_on:%Y-%m-%d}" if row.rotate_on else ""
    return f"{read} Token {age} {'day' if age == 1 else 'days'} old{due}."


def _asked(row: Connection, seen: Seen) -> Seen:
    """Asks the service which workspace the token opens, once; no transaction is open meanwhile, nothing is kept."""
    connector = registry.get(row.connector)
    try:
        region = registry.regions(connector).get(row.region)
        if region is None:
            return fail(f"{seen.saw} Asked just now: its region is not known.", code="region-unknown")
        client = Client(connector, region.origin, credentials.unseal(row), tries=1)
        try:
            identity = connector.identity(client.get(connector.probe))
        finally:
            client.close()
    except ConnectorError as error:
        return fail(f"{seen.saw} Asked just now: {error.message}", code=error.code)
    if row.workspace is None or identity.id != row.workspace.remote_id:
        return fail(f"{seen.saw} Asked just now: another workspace answers.", code="wrong-workspace")
    return Seen(seen.verdict, f"{seen.saw} Asked just now: its workspace answers.", seen.code)
