"""Sources: the catalogue of what the portal can read, and each connector's own page."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from connectors import conditions, registry
from connectors.conditions import Condition
from connectors.models import Connection
from connectors.spec import Column, Connector
from portal.access import VIEW, needs
from portal.chips import Chip, chips

from .. import catalogue, tables
from ..catalogue import STANDINGS, Card, Line
from . import asked

CONNECTIONS = 10
# What the list of connections can be sorted by: the name in the address, the head's title, the field.
COLUMNS = (
    ("workspace", "Workspace", "workspace__name"),
    ("name", "Connection", "name"),
    ("condition", "State", "rank"),
    ("snapshot", "Snapshots", "workspace__head"),
)


@needs(VIEW)
@require_safe
def index(request: HttpRequest) -> HttpResponse:
    query = request.GET
    q, category, state = asked.words(query), asked.words(query, "category"), asked.words(query, "state")
    every = catalogue.cards(timezone.now())
    named = [card for card in every if catalogue.matches(card.connector, q)]
    of_category = [card for card in named if category in ("", card.connector.category)]
    of_state = [card for card in named if not state or state in card.standings]
    context = {
        "q": q,
        "category": category,
        "state": state,
        "narrowed": bool(q or category or state),
        "cards": [card for card in of_category if card in of_state],
        "states": _states(of_category, state),
        "categories": _categories(every, of_state, category),
        "known": len(every),
    }
    return render(request, "evidence/sources.html", context)


def _states(cards: Sequence[Card], chosen: str) -> list[Chip]:
    counted = {name: sum(name in card.standings for card in cards) for name in STANDINGS}
    return chips("state", [(name, title, counted[name]) for name, title in STANDINGS.items()], chosen)


def _categories(every: Sequence[Card], cards: Sequence[Card], chosen: str) -> list[Chip]:
    names = sorted({card.connector.category for card in every})
    counted = {name: sum(card.connector.category == name for card in cards) for name in names}
    return chips("category", [(name, name, counted[name]) for name in names], chosen)


@needs(VIEW)
@require_safe
def source(request: HttpRequest, slug: str) -> HttpResponse:
    connector = registry.all_connectors().get(slug)
    if connector is None:
        raise Http404
    context = {
        "connector": connector,
        "chapters": catalogue.chapters(connector),
        "withheld": catalogue.withheld(connector),
        "gates": catalogue.gates(connector),
        "limits": catalogue.limits(connector),
        "hints": catalogue.hints(connector),
        "regions": registry.regions(connector).values(),
        **_connections(connector, request.GET, timezone.now()),
    }
    return render(request, "evidence/source.html", context)


def _connections(connector: Connector, query: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """The part of the connector's connections that the address asks for."""
    q, chosen = asked.words(query), asked.words(query, "condition")
    held = catalogue.ranked(now).filter(connector=connector.slug)
    named = held.filter(_named(q)) if q else held
    counted = conditions.counts(now, Connection.objects.filter(pk__in=named.values("pk")) if q else _all(connector))
    sort, fields = asked.order(query, {name: field for name, _, field in COLUMNS}, "condition")
    rows = named.filter(condition=chosen) if chosen in Condition.values else named  # type: ignore[misc]  # annotated
    page = asked.page(rows.order_by(fields[0], "workspace__name", "name", "pk"), query, size=CONNECTIONS)
    return {
        "q": q,
        "condition": chosen,
        "page": page,
        "lines": [Line(row, conditions.of(row)) for row in page],
        "heads": [tables.head(Column(name, title), sort) for name, title, _ in COLUMNS],
        "conditions": chips("condition", [(c.value, c.label, counted.get(c, 0)) for c in catalogue.ORDER], chosen),
        "narrowed": bool(q or chosen),
    }


def _all(connector: Connector) -> QuerySet[Connection]:
    return Connection.objects.filter(connector=connector.slug)


def _named(q: str) -> Q:
    fields = ("name", "workspace__name", "workspace__slug", "workspace__remote_id")
    found = Q()
    for field in fields:
        found |= Q(**{f"{field}__icontains": q})
    return found
