"""Help: every code that the portal can show, with its cause, its cure, and who acts."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from connectors import registry, troubleshooting
from connectors.spec import Hint
from portal.access import VIEW, needs

from . import asked


def _hints() -> dict[str, Hint]:
    """All hints by code, the connectors' own before the portal's."""
    found: dict[str, Hint] = {}
    for connector in (*registry.all_connectors().values(), None):
        found = {hint.code: hint for hint in troubleshooting.all_hints(connector)} | found
    return dict(sorted(found.items()))


@needs(VIEW)
@require_safe
def index(request: HttpRequest) -> HttpResponse:
    q = asked.words(request.GET)
    hints = [hint for hint in _hints().values() if _matches(hint, q)]
    return render(request, "evidence/help.html", {"hints": hints, "q": q})


def _matches(hint: Hint, q: str) -> bool:
    text = f"{hint.code} {hint.title} {hint.cause} {hint.cure}".casefold()
    return all(word in text for word in q.casefold().split())


@needs(VIEW)
@require_safe
def code(request: HttpRequest, code: str) -> HttpResponse:
    hint = _hints().get(code)
    if hint is None:
        raise Http404
    return render(request, "evidence/help_code.html", {"hint": hint})
