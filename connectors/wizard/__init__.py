"""From a token to an active connection: five pages in the admin whose memory is the connection's own row.

Nothing is kept in the session, so a draft can be left, resumed in another browser, and is never doubled: each page
finds the row as it is by then, and leads to the step that comes next for it. What was typed when a login ended comes
back with the form (`portal.typed`), all but the token.
"""

from django.urls import URLPattern, path

from .credential import steps, token
from .drafting import connect, discard
from .frame import CHANGE, LIST, next_step, url
from .last import schedule
from .proof import check

__all__ = ["CHANGE", "LIST", "next_step", "url", "urls"]


def urls() -> list[URLPattern]:
    draft = {"steps": steps, "token": token, "check": check, "schedule": schedule, "discard": discard}
    return [
        path("connect/", connect, name="connectors_connection_connect"),
        *(path(f"<int:pk>/{name}/", view, name=f"connectors_connection_{name}") for name, view in draft.items()),
    ]
