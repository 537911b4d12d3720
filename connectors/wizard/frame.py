"""What the wizard's steps share: which there are, which one a draft has reached, and how a page finds its draft."""

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone

from portal.access import MANAGE, demand
from portal.adminpages import page
from portal.models import User

from .. import connections, registry
from ..connections import NotPossible
from ..models import Connection, ConnectionState

LIST = "admin:connectors_connection_changelist"
CHANGE = "admin:connectors_connection_change"
STEPS = (
    ("connect", "Service", "What to read"),
    ("steps", "Make a token", "In the service, shown once"),
    ("token", "Name and token", "Stored encrypted"),
    ("check", "Check", "What it may read; what is read"),
    ("schedule", "Schedule and care", "When to read; who looks after it"),
)
TITLES: Mapping[str, str] = {name: title for name, title, _ in STEPS}
ORDER: Sequence[str] = tuple(TITLES)
DraftPage = Callable[[HttpRequest, Connection], HttpResponse]


def url(step: str) -> str:
    return f"admin:connectors_connection_{step}"


def who(request: HttpRequest) -> User:
    return demand(request, MANAGE)


# --- how far a draft is -------------------------------------------------------------------------------


def next_step(connection: Connection) -> str:
    """The step at which a draft is resumed."""
    found = connections.checked_workspace(connection)
    return reached(connection, free=found is not None and connections.holder_of(connection, found) is None)


def reached(connection: Connection, *, free: bool) -> str:
    """The same; `free` says whether the workspace that answered its token has no other connection."""
    if not connection.token_fingerprint:
        return "steps"
    return "schedule" if connections.checked_workspace(connection) and free else "check"


def next_steps(drafts: Sequence[Connection]) -> list[str]:
    """`next_step` of each, with one query for all."""
    found = [connections.checked_workspace(draft) for draft in drafts]
    held = Connection.objects.exclude(state=ConnectionState.DISCONNECTED).filter(
        workspace__remote_id__in=[each.id for each in found if each]
    )
    taken = set(held.values_list("connector", "workspace__remote_id"))
    return [
        reached(draft, free=each is not None and (draft.connector, each.id) not in taken)
        for draft, each in zip(drafts, found, strict=True)
    ]


def rail(step: str, connection: Connection | None) -> list[dict[str, Any]]:
    """The steps with what is done of them, and whether one may go there."""
    at, furthest = ORDER.index(step), _furthest(connection)
    return [
        {
            "name": name,
            "title": title,
            "note": note,
            "current": number == at,
            "done": number != at and number < furthest,
            "open": number != at and connection is not None and number <= furthest,
        }
        for number, (name, title, note) in enumerate(STEPS)
    ]


def _furthest(connection: Connection | None) -> int:
    """The number of the last step that a draft may be taken to. Without a token that is the one that asks for it."""
    if connection is None:
        return 0
    name = next_step(connection)
    return ORDER.index("token" if name == "steps" else name)


# --- pages --------------------------------------------------------------------------------------------


def of_draft(view: DraftPage) -> Callable[..., HttpResponse]:
    """Hands the page its draft; whoever comes too late is led to what has become of it."""

    @wraps(view)
    def found(request: HttpRequest, pk: int) -> HttpResponse:
        connection = Connection.objects.filter(pk=pk).first()
        if connection is None or connection.state != ConnectionState.DRAFT:
            return became(request, pk)
        if request.method == "POST":
            connections.touch(connection, timezone.now())
        return view(request, connection)

    return found


def became(request: HttpRequest, pk: int) -> HttpResponse:
    """Where whoever comes too late is led: the second of two clicks, an old window, a form that is sent again."""
    connection = Connection.objects.filter(pk=pk).first()
    if connection is None:
        messages.warning(request, "This draft is gone: it was discarded. Nothing of it is left, its token neither.")
        return redirect(LIST)
    messages.info(request, f"“{connection.name}” is {connection.get_state_display().lower()} by now.")
    return redirect(CHANGE, connection.pk)


def locked(connection: Connection) -> Connection:
    """The row as it is now, held until the transaction ends: of two clicks, one is first."""
    fresh = Connection.objects.select_for_update().filter(pk=connection.pk, state=ConnectionState.DRAFT).first()
    if fresh is None:
        raise NotPossible("wrong-state", "This draft has been connected or discarded in another window.")
    return fresh


def step_page(request: HttpRequest, step: str, connection: Connection | None, **context: Any) -> HttpResponse:
    title = f"Connect {registry.get(connection.connector).title}" if connection else "Connect a service"
    at = ORDER.index(step) + 1
    context |= {"title": title, "rail": rail(step, connection), "at": at, "of": len(STEPS), "connection": connection}
    return page(request, f"admin/connectors/wizard/{step}.html", **context)


def onward(request: HttpRequest, connection: Connection, step: str) -> HttpResponse:
    """To the next step, or out of the wizard when the rest is for later."""
    if "later" in request.POST:
        messages.success(
            request, "The draft is kept. It is discarded, its token with it, when nobody works on it for a week."
        )
        return redirect(LIST)
    return redirect(url(step), connection.pk)
