"""Requests of an audit: the list with its CSV both ways, and one of them with its answers and comments."""

from collections.abc import Callable
from datetime import date
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import F, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from connectors.spec import Column
from portal.access import AUDITS, CAPTURE, COMMENT, TAKE_PART, VIEW, demand, holders, may, needs
from portal.chips import chips
from portal.models import User

from .. import comments, tables
from ..audits import asking, counting, lists, members
from ..audits.refusing import NotPossible
from ..audits.waiting import standing
from ..library import receiving
from ..models import Asked, Audit, AuditRequest, Comment, Control, Phase, Source, Version
from . import asked
from .audits import found_for, rights
from .lists import as_csv

COLUMNS = (
    ("number", "Request", "number"),
    ("state", "State", "state"),
    ("due", "Due", "due_on"),
    ("owner", "Owner", "owner__username"),
)
OFFERED = 20  # versions that a search of the library offers


class AskForm(forms.Form):
    title = forms.CharField(max_length=200, label="What is asked for")
    detail = forms.CharField(max_length=4000, required=False, widget=forms.Textarea(attrs={"rows": 3}))
    controls = forms.ModelMultipleChoiceField(Control.objects.none(), required=False)
    due_on = forms.DateField(label="Due", required=False, widget=forms.DateInput(attrs={"type": "date"}))

    def __init__(self, audit: Audit, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        inside = Control.objects.filter(pk__in=audit.scoped.filter(within=True).values("control"))
        self.fields["controls"].queryset = inside  # type: ignore[attr-defined]  # a field of models

    def wish(self) -> asking.Wish:
        said = self.cleaned_data
        controls = tuple(said["controls"])
        return asking.Wish(title=said["title"], detail=said["detail"], controls=controls, due_on=said["due_on"])


@needs(VIEW, TAKE_PART)
@require_http_methods(["GET", "HEAD", "POST"])
def index(request: HttpRequest, pk: int) -> HttpResponse:
    """The list; a POST asks for something, and gives the form back when it cannot be taken."""
    found = found_for(request, pk)
    form = AskForm(found, request.POST or None)
    if request.method == "POST":
        if not members.may_ask(found, request.user):
            raise PermissionDenied
        if form.is_valid():
            try:
                by = demand(request, AUDITS, TAKE_PART)
                made = asking.ask(found, form.wish(), by=by, now=timezone.now(), request=request)
            except NotPossible as error:
                form.add_error(error.field if error.field in form.fields else None, error.message)
            else:
                return redirect("audit-request", pk, made.number)
    return _listed(request, found, form)


def _listed(request: HttpRequest, found: Audit, form: AskForm, refused: NotPossible | None = None) -> HttpResponse:
    rows, state, q = _filtered(request, found)
    counts = {name: 0 for name in Asked.values}
    for each in AuditRequest.objects.filter(audit=found).values_list("state", flat=True):
        counts[each] += 1
    sort, fields = asked.order(request.GET, {name: field for name, _, field in COLUMNS}, "number")
    page = asked.page(rows.order_by(*fields), request.GET)
    context = rights(request, found) | {
        "page": page,
        "lines": [(each, standing(each.state, late(each))) for each in page],
        "heads": [tables.head(Column(name, title), sort) for name, title, _ in COLUMNS],
        "states": chips("state", [(name, title, counts[name]) for name, title in Asked.choices], state),
        "state": state,
        "q": q,
        "narrowed": bool(q or state),
        "form": form,
        "refused": refused,
    }
    return render(request, "evidence/audits/requests.html", context)


def _filtered(request: HttpRequest, found: Audit) -> tuple[QuerySet[AuditRequest], str, str]:
    q, state = asked.words(request.GET), asked.words(request.GET, "state")
    rows = AuditRequest.objects.filter(audit=found)
    if q:
        rows = rows.filter(Q(title__icontains=q) | Q(detail__icontains=q) | Q(owner__username__icontains=q))
    state = state if state in Asked.values else ""
    rows = rows.filter(state=state) if state else rows
    return rows.select_related("owner", "asked_by").prefetch_related("controls", "answers"), state, q


def late(each: AuditRequest) -> bool:
    return each.due_on is not None and each.due_on < timezone.localdate()


@needs(VIEW, TAKE_PART)
@require_GET
def export(request: HttpRequest, pk: int) -> HttpResponseBase:
    found = found_for(request, pk)
    rows, state, q = _filtered(request, found)
    held = list(rows.order_by("number"))
    return as_csv(
        request,
        lists.TITLES,
        lists.rows(held),
        len(held),
        file=f"audit-{found.pk}-requests.csv",
        name=f"requests of {found}",
        filters={"state": state, "search": q},
        permission=(VIEW, TAKE_PART),
    )


@needs(AUDITS, TAKE_PART)
@require_POST
def take(request: HttpRequest, pk: int) -> HttpResponse:
    """A list of requests as CSV: all of it, or nothing."""
    found, by = found_for(request, pk), demand(request, AUDITS, TAKE_PART)
    if not members.may_ask(found, by):
        raise PermissionDenied
    upload = request.FILES.get("file")
    try:
        if upload is None:
            raise NotPossible("request-csv", "Choose a file.", field="file")
        data = upload.read(lists.LARGEST + 1)
        many = lists.take(found, data, by=by, now=timezone.now(), request=request)
    except NotPossible as error:
        return _listed(request, found, AskForm(found), error)
    messages.success(request, f"{many} request{'s' if many != 1 else ''} made.")
    return redirect("audit-requests", pk)


# --- one request ------------------------------------------------------------------------------------------------


def _one(request: HttpRequest, pk: int, number: int) -> AuditRequest:
    audit = found_for(request, pk)
    rows = AuditRequest.objects.select_related("audit", "owner", "asked_by", "decided_by")
    return get_object_or_404(rows, audit=audit, number=number)


@needs(VIEW, TAKE_PART)
@require_http_methods(["GET", "HEAD"])
def one(request: HttpRequest, pk: int, number: int) -> HttpResponse:
    return _shown(request, _one(request, pk, number))


def _shown(request: HttpRequest, row: AuditRequest, refused: NotPossible | None = None) -> HttpResponse:
    q = asked.words(request.GET)
    answers = list(row.answers.filter(withdrawn_at=None).select_related("version__review", "by").defer("version__body"))
    seen, waiting = counting.answered_by(answers)
    allowed = rights(request, row.audit)
    moving = row.audit.phase == Phase.OPEN
    decides = moving and members.may_decide(row.audit, request.user)
    context = allowed | {
        "asked": row,
        "mark": standing(row.state, late(row)),
        "answers": seen if allowed["outside"] else answers,
        "waiting": waiting,
        "once": counting.ACCEPTED_ONCE,
        "answers_it": moving and allowed["manages"] and asking.after(asking.Verb.ANSWER, row.state),
        "accepts": decides and seen and asking.after(asking.Verb.ACCEPT, row.state),
        "returns": decides and asking.after(asking.Verb.RETURN, row.state),
        "withdraws": allowed["asks"] and asking.after(asking.Verb.WITHDRAW, row.state),
        "comments": Comment.objects.filter(request=row).select_related("by"),
        "speaks": moving and may(request.user, COMMENT),
        "moving": moving,
        "owners": holders(AUDITS),
        "refused": refused,
        "q": q,
        "offered": _offered(row, q) if q and allowed["manages"] else (),
        "typed": request.POST,
    }
    return render(request, "evidence/audits/request.html", context, status=409 if refused else 200)


def _offered(row: AuditRequest, q: str) -> QuerySet[Version]:
    """Newest versions of the library whose title, name or digest says what was searched for."""
    there = row.answers.filter(withdrawn_at=None).values("version")
    found = Version.objects.filter(artifact__archived_at=None, number=F("artifact__newest")).exclude(pk__in=there)
    found = found.filter(Q(artifact__title__icontains=q) | Q(name__icontains=q) | Q(sha256__startswith=q.lower()))
    return found.select_related("review", "artifact").defer("body").order_by("-pk")[:OFFERED]


# --- what can be done with it -----------------------------------------------------------------------------------


@needs(VIEW, TAKE_PART)
@require_POST
def act(request: HttpRequest, pk: int, number: int, verb: str) -> HttpResponse:
    """One verb on a request; each looks first whether this person may."""
    if verb not in _ACTS:
        raise Http404
    row = _one(request, pk, number)
    try:
        said = _ACTS[verb](request, row)
    except NotPossible as error:
        return _shown(request, row, error)
    messages.success(request, said)
    return redirect(reverse("audit-request", args=[pk, number]))


def _allowed(request: HttpRequest, whether: bool) -> User:
    if not whether:
        raise PermissionDenied
    return demand(request, VIEW, TAKE_PART)


def _answer(request: HttpRequest, row: AuditRequest) -> str:
    by = demand(request, AUDITS)
    chosen = [number for text in request.POST.getlist("version") if (number := asked.whole(text))]
    found = Version.objects.filter(pk__in=chosen, artifact__archived_at=None).defer("body")
    if not found:
        raise NotPossible("request-no-version", "Choose at least one artifact.", field="version")
    note = request.POST.get("note", "")
    many = asking.answer(row, found, by=by, now=timezone.now(), note=note, request=request)
    return f"{many} answer{'s' if many != 1 else ''} added."


def _upload(request: HttpRequest, row: AuditRequest) -> str:
    """A file answers it right away, and is reviewed like any other. One that the library has is not kept twice."""
    by, now = demand(request, CAPTURE), timezone.now()
    demand(request, AUDITS)
    upload = request.FILES.get("file")
    if upload is None:
        raise NotPossible("request-no-version", "Choose a file.", field="file")
    period = (asked.day(request.POST, "period_from"), asked.day(request.POST, "period_to"))
    if period[0] and period[1] and period[1] < period[0]:
        raise NotPossible("audit-period", "The period ends before it begins.", field="period_to")
    if asking.after(asking.Verb.ANSWER, row.state) is None or row.audit.phase == Phase.CLOSED:
        raise NotPossible("request-state", "The request cannot be answered now.")
    try:
        version = receiving.receive(
            upload,
            by=by,
            now=now,
            source=Source.REQUEST,
            period=period,
            controls=row.controls.all(),
            request=request,
        )
    except receiving.Duplicate as error:
        version = error.version
    except receiving.Refused as error:
        raise NotPossible(code=error.code, message=error.sentence, field="file") from None
    asking.answer(row, [version], by=by, now=now, note=request.POST.get("note", ""), request=request)
    return "The file answers the request. The auditors see it once it was accepted."


def _take_back(request: HttpRequest, row: AuditRequest) -> str:
    by, version = demand(request, AUDITS), asked.whole(request.POST.get("version", "")) or 0
    asking.take_back(row, version, by=by, now=timezone.now(), request=request)
    return "The answer was taken back."


def _accept(request: HttpRequest, row: AuditRequest) -> str:
    by = _allowed(request, members.may_decide(row.audit, request.user))
    asking.accept(row, by=by, now=timezone.now(), request=request)
    return "Accepted."


def _return(request: HttpRequest, row: AuditRequest) -> str:
    by = _allowed(request, members.may_decide(row.audit, request.user))
    asking.give_back(row, request.POST.get("reason", ""), by=by, now=timezone.now(), request=request)
    return "Returned. Whoever answers it is told why."


def _withdraw(request: HttpRequest, row: AuditRequest) -> str:
    by = _allowed(request, members.may_ask(row.audit, request.user))
    asking.withdraw(row, by=by, now=timezone.now(), request=request)
    return "Withdrawn."


def _assign(request: HttpRequest, row: AuditRequest) -> str:
    by, number = demand(request, AUDITS), asked.whole(request.POST.get("owner", ""))
    owner = get_object_or_404(holders(AUDITS), pk=number) if number else None
    due: date | None = asked.day(request.POST, "due_on")
    asking.assign(row, owner=owner, due_on=due, by=by, now=timezone.now(), request=request)
    return "The owner and the day are set."


def _comment(request: HttpRequest, row: AuditRequest) -> str:
    by = demand(request, COMMENT)
    if row.audit.phase == Phase.CLOSED:
        raise NotPossible("audit-closed", "This audit is closed: nothing about it changes any more.")
    if not request.POST.get("text", "").strip():
        raise NotPossible("request-comment", "Write something first.", field="text")
    comments.add(row, request.POST["text"].replace("\0", ""), by=by, now=timezone.now(), request=request)
    return "Said."


_ACTS: dict[str, Callable[[HttpRequest, AuditRequest], str]] = {
    "answer": _answer,
    "upload": _upload,
    "take-back": _take_back,
    "accept": _accept,
    "return": _return,
    "withdraw": _withdraw,
    "assign": _assign,
    "comment": _comment,
}
