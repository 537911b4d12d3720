"""The first step, which makes a draft or goes on with one; and the way to discard it."""

from dataclasses import dataclass
from datetime import datetime

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from portal.access import MANAGE, needs
from portal.models import User

from .. import connections, registry
from ..connections import NotPossible
from ..models import Connection, ConnectionState
from ..spec import Connector
from .frame import LIST, TITLES, became, locked, next_step, next_steps, of_draft, step_page, url, who

SHOWN = 20


@dataclass(frozen=True)
class Draft:
    """A draft as the list shows it: the step at which it is resumed, and when it is discarded by itself."""

    connection: Connection
    service: str
    url: str
    title: str
    discarded_on: datetime
    days_left: int


@needs(MANAGE)
@require_http_methods(["GET", "HEAD", "POST"])
def connect(request: HttpRequest) -> HttpResponse:
    if request.method == "POST":
        connector = registry.all_connectors().get(request.POST.get("connector", ""))
        if connector is not None:
            return redirect(url("steps"), _draft(connector, who(request), request).pk)
        messages.error(request, "Choose one of the services on this page.")
    drafts = Connection.objects.filter(state=ConnectionState.DRAFT).select_related("created_by")
    cards = [
        {"connector": connector, "live": Connection.objects.filter(connector=slug).exclude(workspace=None).count()}
        for slug, connector in registry.all_connectors().items()
    ]
    shown = _shown(list(drafts.order_by("-since", "-pk")[:SHOWN]), timezone.now())
    return step_page(request, "connect", None, cards=cards, drafts=shown, many=drafts.count(), now=timezone.now())


def _draft(connector: Connector, by: User, request: HttpRequest) -> Connection:
    """A new draft, or the empty one that this person has already: a second click makes no second draft."""
    with transaction.atomic():
        User.objects.select_for_update().get(pk=by.pk)
        mine = Connection.objects.filter(state=ConnectionState.DRAFT, connector=connector.slug, created_by=by)
        empty = mine.filter(token_fingerprint="").first()
        return empty or connections.draft(connector, by=by, now=timezone.now(), request=request)


def _shown(drafts: list[Connection], now: datetime) -> list[Draft]:
    return [
        Draft(
            draft,
            registry.get(draft.connector).title,
            url(step),
            TITLES[step],
            ends := connections.discarded_on(draft),
            max(0, (ends - now).days),
        )
        for draft, step in zip(drafts, next_steps(drafts), strict=True)
    ]


@needs(MANAGE)
@require_http_methods(["GET", "HEAD", "POST"])
@of_draft
def discard(request: HttpRequest, connection: Connection) -> HttpResponse:
    """The draft goes, its token with it. Whoever only looks, or comes back from signing in, is led to the draft."""
    if request.method != "POST":
        return redirect(url(next_step(connection)), connection.pk)
    try:
        with transaction.atomic():
            connections.discard(locked(connection), by=who(request), now=timezone.now(), request=request)
    except NotPossible:
        return became(request, connection.pk)
    messages.success(request, "The draft was discarded, its token with it.")
    return redirect(LIST)
