"""The pages of a diagnosis: begin one, see each step as it ends, read earlier ones, take one away as text."""

from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from portal.access import MANAGE, demand, needs
from portal.adminpages import page

from . import diagnosis, display, registry, wizard
from .connections import LIVE, NotPossible
from .diagnosis import Diagnosis, Step
from .diagnosis.steps import RUNNING, Outcome
from .diagnosis.text import as_text
from .models import Connection, ConnectionState
from .spec import Connector, State

PAGE = "admin:connectors_connection_diagnosis"


@needs(MANAGE)
@require_http_methods(["GET", "HEAD", "POST"])
def diagnose(request: HttpRequest, pk: int) -> HttpResponse:
    """POST begins a diagnosis and leads to it; GET lists those that there are."""
    connection = Connection.objects.select_related("workspace").filter(pk=pk).first()
    if connection is None:
        messages.warning(request, "There is no such connection any more.")
        return redirect(wizard.LIST)
    if request.method == "POST":
        try:
            row = diagnosis.begin(connection, by=demand(request, MANAGE), now=timezone.now(), request=request)
            return redirect(PAGE, pk, row.pk)
        except NotPossible as error:
            messages.error(request, f"{error.message} ({error.code})")
            return redirect(wizard.CHANGE, pk)
    rows = [(row, outcome(row)) for row in connection.diagnoses.select_related("by")[: diagnosis.KEPT]]
    return page(
        request,
        "admin/connectors/diagnoses.html",
        title="Diagnoses",
        connection=connection,
        rows=rows,
        kept=diagnosis.KEPT,
        possible=_possible(connection),
    )


@needs(MANAGE)
@require_safe
def show(request: HttpRequest, pk: int, number: int) -> HttpResponse:
    row = _rows(pk).filter(pk=number).first()
    return _gone(request, pk) if row is None else _page(request, row, "admin/connectors/diagnosis.html")


@needs(MANAGE)
@require_POST
def go_on(request: HttpRequest, pk: int, number: int) -> HttpResponse:
    """Asked by htmx: one step, and the part of the page that has changed. Asked by the button: all that are left."""
    try:
        row = _rows(pk).get(pk=number)
        row = diagnosis.go_on(row.pk, timezone.now())
        if getattr(request, "htmx", False):
            return _page(request, row, "admin/connectors/parts/diagnosis_live.html")
        while row.finished_at is None and not diagnosis.under_way(row, timezone.now()):
            row = diagnosis.go_on(row.pk, timezone.now())
    except Diagnosis.DoesNotExist:
        return _gone(request, pk)
    return redirect(PAGE, pk, number)


@needs(MANAGE)
@require_safe
def text(request: HttpRequest, pk: int, number: int) -> HttpResponse:
    row = _rows(pk).filter(pk=number).first()
    if row is None:
        return _gone(request, pk)
    name = f"diagnosis-{row.pk}.txt"
    return HttpResponse(
        as_text(row),
        content_type="text/plain; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def outcome(row: Diagnosis) -> State:
    """A diagnosis in a word, with what to look at first."""
    found = diagnosis.culprit(diagnosis.steps_of(row))
    if found is not None:
        return State(found.mark.name, found.mark.word, f"{found.title}: {found.said}")
    if row.finished_at is None:
        return State("none", "Not finished", f"{row.done} of {len(row.steps)} steps have ended.")
    return State("pass", "Nothing failed", "Every step that was tried has passed.")


def _possible(connection: Connection) -> bool:
    draft = connection.state == ConnectionState.DRAFT and bool(connection.token_fingerprint)
    return draft or connection.state in LIVE


def _rows(pk: int) -> QuerySet[Diagnosis]:
    return diagnosis.rows().filter(connection=pk)


def _gone(request: HttpRequest, pk: int) -> HttpResponse:
    """The list instead: a page that htmx asks for is left as a whole."""
    messages.warning(request, f"This diagnosis is gone: the newest {diagnosis.KEPT} are kept.")
    answer = redirect("admin:connectors_connection_diagnose", pk)
    return HttpResponse(headers={"HX-Redirect": answer.url}) if getattr(request, "htmx", False) else answer


def _page(request: HttpRequest, row: Diagnosis, template: str) -> TemplateResponse:
    connector = registry.get(row.connection.connector)
    steps = diagnosis.steps_of(row)
    busy = diagnosis.under_way(row, timezone.now())
    asks = bool(getattr(request, "htmx", False))  # then the answer asks for the next step at once
    context: dict[str, Any] = {
        "title": str(row),
        "row": row,
        "connection": row.connection,
        "region": display.region_title(connector, row.region),
        "outcome": outcome(row),
        "lines": [_shown(step, connector, running=at == row.done and (busy or asks)) for at, step in enumerate(steps)],
        "busy": busy,
        "next": steps[row.done].title if row.finished_at is None else "",
        "possible": _possible(row.connection),
    }
    if row.finished_at is not None:
        context["text"] = as_text(row)
    return page(request, template, **context)


def _shown(step: Step, connector: Connector, *, running: bool) -> dict[str, Any]:
    happened = step.said or step.title
    ill = step.code and step.state in (Outcome.FAILED, Outcome.PARTIAL, Outcome.DENIED)
    trouble = display.trouble(step.code, happened, connector) if ill else None
    return {"step": step, "mark": RUNNING if running else step.mark, "trouble": trouble}


def urls() -> list[URLPattern]:
    one = "<int:pk>/diagnoses/<int:number>"
    return [
        path("<int:pk>/diagnose/", diagnose, name="connectors_connection_diagnose"),
        path(f"{one}/", show, name="connectors_connection_diagnosis"),
        path(f"{one}/next/", go_on, name="connectors_connection_diagnosis_next"),
        path(f"{one}/text/", text, name="connectors_connection_diagnosis_text"),
    ]
