"""What is read of a workspace, as a form: groups of streams to tick, and whether programs are kept as text."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.urls import URLPattern, path
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from portal.access import MANAGE, demand, needs
from portal.adminpages import page
from portal.models import User

from . import connections, registry
from .connections import NotPossible
from .models import Connection, ConnectionState
from .spec import Group

SENT = "what"  # a hidden field: without it nothing was chosen, so nothing changes
FIELDS = (SENT, "groups", "keep_code")


@dataclass(frozen=True)
class Option:
    """A group as the form offers it."""

    group: Group
    streams: int
    slow: int  # of them, those that the slow lane reads
    titles: tuple[str, ...]
    chosen: bool


@dataclass(frozen=True)
class Choice:
    """The form as it is shown: what the connection reads, or what was sent and not taken."""

    options: tuple[Option, ...]
    keep_code: bool
    refused: NotPossible | None = None

    @property
    def errors(self) -> tuple[str, ...]:
        return (self.refused.message,) if self.refused else ()

    @property
    def streams(self) -> int:
        return sum(option.streams for option in self.options if option.chosen)

    @property
    def total(self) -> int:
        return sum(option.streams for option in self.options)


def shown(connection: Connection) -> Choice:
    """What the connection reads now."""
    chosen = {stream.group.name for stream in registry.get(connection.connector).chosen(connection.groups)}
    return Choice(_options(connection, chosen), connection.keep_code)


def given(sent: QueryDict, connection: Connection, refused: NotPossible | None = None) -> Choice:
    """What was sent and not taken, so that nothing ticked is lost."""
    groups, keep_code = _read(sent)
    return Choice(_options(connection, groups), keep_code, refused)


def take(request: HttpRequest, connection: Connection, by: User, now: datetime) -> bool:
    """Keeps what was sent; False when that changes nothing. Raises NotPossible."""
    if SENT not in request.POST:
        return False
    groups, keep_code = _read(request.POST)
    return connections.choose_groups(connection, groups, keep_code, by=by, now=now, request=request)


def _read(sent: QueryDict) -> tuple[Sequence[str], bool]:
    return sent.getlist("groups"), "keep_code" in sent


def _options(connection: Connection, chosen: Collection[str]) -> tuple[Option, ...]:
    connector = registry.get(connection.connector)
    held = {group.name: [each for each in connector.streams if each.group == group] for group in connector.groups}
    return tuple(
        Option(
            group,
            len(held[group.name]),
            sum(stream.slow for stream in held[group.name]),
            tuple(stream.title for stream in held[group.name]),
            group.name in chosen,
        )
        for group in connector.groups
    )


# --- the page of a connection's choice --------------------------------------------------------------

_CHANGE = "admin:connectors_connection_change"


@needs(MANAGE)
@require_http_methods(["GET", "HEAD", "POST"])
def choose(request: HttpRequest, pk: int) -> HttpResponse:
    """Takes a choice, and gives the form back when it cannot be taken."""
    live = Connection.objects.filter(pk=pk, state__in=(ConnectionState.ACTIVE, ConnectionState.PAUSED))
    refused: NotPossible | None = None
    with transaction.atomic():
        connection = live.select_for_update(of=("self",)).first()
        if connection is None:
            messages.error(request, "What is read can be chosen for an active or a paused connection only.")
            return redirect(_CHANGE, pk)
        if request.method == "POST":
            try:
                return _taken(request, connection)
            except NotPossible as error:
                refused = error
    choice = given(request.POST, connection, refused) if refused else shown(connection)
    title = f"What is read by “{connection.name}”"
    return page(request, "admin/connectors/choose.html", title=title, connection=connection, choice=choice)


def _taken(request: HttpRequest, connection: Connection) -> HttpResponse:
    if take(request, connection, demand(request, MANAGE), timezone.now()):
        messages.success(request, "Saved. The next sync reads what you chose.")
    else:
        messages.info(request, "That is what it reads already: nothing was changed.")
    return redirect(_CHANGE, connection.pk)


def urls() -> list[URLPattern]:
    return [path("<int:pk>/choose/", choose, name="connectors_connection_choose")]
