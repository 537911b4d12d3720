"""The step that asks the service what the token opens, explains the answer, and lets choose what is read."""

from typing import Any

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from portal import typed
from portal.access import MANAGE, needs

from .. import choosing, connections, display, registry
from ..connections import NotPossible
from ..models import Connection
from ..spec import Connector, ConnectorError, Link
from .frame import became, locked, next_step, of_draft, onward, step_page, url, who


@typed.keeps(*choosing.FIELDS)
@needs(MANAGE)
@require_http_methods(["GET", "HEAD", "POST"])
@of_draft
def check(request: HttpRequest, connection: Connection) -> HttpResponse:
    if not connection.token_fingerprint:
        return redirect(url("token"), connection.pk)
    trouble, refused = None, None
    if request.method == "POST":
        try:
            return _pressed(request, connection)
        except ConnectorError as error:
            trouble = display.trouble(error.code, error.message, registry.get(connection.connector))
        except NotPossible as error:
            if error.code == "wrong-state":
                return became(request, connection.pk)
            refused = error
    return step_page(request, "check", connection, **_shown(request, connection, refused), trouble=trouble)


def _shown(request: HttpRequest, connection: Connection, refused: NotPossible | None) -> dict[str, Any]:
    connector, again = registry.get(connection.connector), typed.before(request)
    found = connections.checked_workspace(connection)
    other = connections.holder_of(connection, found) if found else None
    sent = request.POST if refused else again
    return {
        "connector": connector,
        "links": _links(connector, connection.region),
        "checked": display.checked(connection, request.GET.get("show", "")),
        "choice": choosing.shown(connection) if sent is None else choosing.given(sent, connection, refused),
        "again": again is not None,
        "other": other,
        "ready": found is not None and other is None,
    }


def _links(connector: Connector, region: str) -> list[Link]:
    """Where the token is made and given roles, in the workspace's region; all of them when that has none of its own."""
    links = list(dict.fromkeys(link for step in connector.guide.steps for link in step.links))
    return [link for link in links if link.region == region] or links


def _pressed(request: HttpRequest, connection: Connection) -> HttpResponse:
    """Keeps what was chosen to be read, then does what the button says: checks, or goes on."""
    with transaction.atomic():
        fresh = locked(connection)
        changed = choosing.take(request, fresh, who(request), timezone.now())
    if "later" in request.POST:
        return onward(request, fresh, "check")
    if "go" in request.POST:
        return redirect(url(next_step(fresh)), fresh.pk)
    if changed or not _checked_since(request, fresh):
        connections.check(fresh, by=who(request), now=timezone.now(), request=request)
    return redirect(url("check"), fresh.pk)


def _checked_since(request: HttpRequest, connection: Connection) -> bool:
    """Whether the token was checked after the page with the button was made: the second of two clicks asks nothing."""
    seen = request.POST.get("seen")
    return seen is not None and connection.checked_at is not None and connection.checked_at.isoformat() != seen
