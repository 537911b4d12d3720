"""Actions: a list, a board, one of them, and the forms that make and change them."""

from datetime import date, timedelta
from typing import Any

from django.contrib import messages
from django.db.models import Count, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from connectors.models import Workspace
from connectors.spec import Column
from portal.access import ACTIONS, VIEW, demand, needs
from portal.chips import chips
from portal.models import AuditEntry, User

from .. import tables
from ..actions import forms, life, templates
from ..actions.life import OPEN, NotPossible
from ..models import Action, Artifact, Control, Stand
from . import asked

# What the list can be sorted by: the name in the address, the head's title, the field.
COLUMNS = (
    ("title", "Action", "title"),
    ("stand", "State", "stand"),
    ("owner", "Owner", "owner__username"),
    ("due", "Due", "due_on"),
)
DUE = (("late", "Late"), ("week", "Due in 7 days"), ("month", "Due in 30 days"), ("none", "Without a day"))
ON_BOARD = 50  # of each column
DONE_LATELY = timedelta(days=30)
FOUND = 20  # artifacts that a search for evidence offers


def _due(which: str, today: date) -> Q:
    """The rows that a choice of the filter leaves; only open ones can be late or soon."""
    still = Q(stand__in=OPEN)
    return {
        "late": still & Q(due_on__lt=today),
        "week": still & Q(due_on__range=(today, today + timedelta(days=7))),
        "month": still & Q(due_on__range=(today, today + timedelta(days=30))),
        "none": still & Q(due_on=None),
    }.get(which, Q())


def listed(request: HttpRequest) -> tuple[QuerySet[Action], dict[str, Any]]:
    """The actions that the address asks for, and what the page says of the filters."""
    query, today = request.GET, timezone.localdate()
    q, stand, due = asked.words(query), asked.words(query, "stand"), asked.words(query, "due")
    owner, workspace, control = (asked.whole(str(query.get(name, ""))) for name in ("owner", "workspace", "control"))
    found = Action.objects.filter(Q(title__icontains=q) | Q(text__icontains=q)) if q else Action.objects.all()
    for field, value in (("owner", owner), ("workspace", workspace), ("controls", control)):
        found = found.filter(**{field: value}) if value else found
    if query.get("owner") == "none":
        found = found.filter(owner=None)
    counted = dict(found.filter(_due(due, today)).order_by().values_list("stand").annotate(Count("pk")))
    days = found.aggregate(**{name: Count("pk", filter=_due(name, today)) for name, _ in DUE})
    found = found.filter(_due(due, today))
    found = found.filter(stand=stand) if stand in Stand.values else found
    return found, {
        "q": q,
        "stand": stand,
        "due": due,
        "owner": str(query.get("owner", "")),
        "workspace": workspace,
        "control": Control.objects.select_related("framework").filter(pk=control).first() if control else None,
        "stands": chips("stand", [(name, title, counted.get(name, 0)) for name, title in Stand.choices], stand),
        "dues": chips("due", [(name, title, days[name]) for name, title in DUE], due),
        "narrowed": any((q, stand in Stand.values, due in dict(DUE), query.get("owner"), workspace, control)),
    }


@needs(VIEW)
@require_safe
def index(request: HttpRequest) -> HttpResponse:
    found, said = listed(request)
    sort, fields = asked.order(request.GET, {name: field for name, _, field in COLUMNS}, "due")
    rows = _told(found).order_by(*fields)
    context = said | {
        "page": asked.page(rows, request.GET),
        "heads": [tables.head(Column(name, title), sort) for name, title, _ in COLUMNS],
        "today": timezone.localdate(),
        "people": User.objects.filter(pk__in=Action.objects.values("owner")).order_by("username"),
        "workspaces": Workspace.objects.filter(pk__in=Action.objects.values("workspace")).order_by("name"),
        "owners": forms.owners(),
    }
    return render(request, "evidence/actions.html", context)


def _told(found: QuerySet[Action]) -> QuerySet[Action]:
    """Rows with what a line of the list says of each."""
    return found.select_related("owner", "workspace").annotate(
        lines=Count("steps", distinct=True),
        ticked=Count("steps", filter=Q(steps__done_at__isnull=False), distinct=True),
        brought=Count("evidence", filter=Q(evidence__good__isnull=False), distinct=True),
    )


@needs(VIEW)
@require_safe
def board(request: HttpRequest) -> HttpResponse:
    """The same actions as columns; those that were done stay on it for 30 days."""
    found, said = listed(request)
    lately = Q(stand=Stand.DONE, done_at__gte=timezone.now() - DONE_LATELY)
    wanted = {Stand.OPEN: Q(stand=Stand.OPEN), Stand.DOING: Q(stand=Stand.DOING), Stand.DONE: lately}
    columns = []
    for stand, condition in wanted.items():
        rows = found.filter(condition)
        many = rows.count()
        cards = list(_told(rows).order_by("due_on", "pk")[:ON_BOARD])
        columns.append({"stand": stand, "cards": cards, "many": many, "more": many - len(cards)})
    context = said | {"columns": columns, "today": timezone.localdate()}
    return render(request, "evidence/actions_board.html", context)


# --- one of them --------------------------------------------------------------------------------


def _one(pk: int) -> Action:
    related = ("owner", "workspace", "created_by", "done_by", "about", "previous")
    return get_object_or_404(Action.objects.select_related(*related), pk=pk)


@needs(VIEW)
@require_safe
def action(request: HttpRequest, pk: int) -> HttpResponse:
    return _page(request, _one(pk))


def _page(request: HttpRequest, found: Action, refused: NotPossible | None = None) -> HttpResponse:
    q = asked.words(request.GET, "find")
    entries = AuditEntry.objects.filter(target=f"action {found.pk}").order_by("-pk")
    context = {
        "found": found,
        "today": timezone.localdate(),
        "open": found.stand in OPEN,
        "steps": found.steps.select_related("done_by"),
        "lacking": life.lacking(found) if found.stand in OPEN else [],
        "evidence": found.evidence.order_by("title", "pk"),
        "controls": found.controls.select_related("framework"),
        "template": templates.find(found.template) if found.template else None,
        "follows": Action.objects.filter(previous=found).first(),
        "find": q,
        "offered": _offered(found, q) if q else (),
        "entries": asked.page(entries, request.GET, "past", 20),
        "about": found,
        "comments": found.comments.select_related("by").order_by("pk"),
        "refused": refused,
        "reason": request.POST.get("reason", "")[:500],
        "owners": forms.owners(),
    }
    return render(request, "evidence/action.html", context, status=409 if refused else 200)


def _offered(found: Action, q: str) -> QuerySet[Artifact]:
    """Artifacts that could be what the action asks for, the newest first."""
    named = Q(title__icontains=q) | Q(name__icontains=q) | Q(sha256__startswith=q.lower())
    rows = Artifact.objects.filter(named, archived_at=None).exclude(pk__in=found.evidence.values("pk"))
    return rows.order_by("-received_at")[:FOUND]


@needs(ACTIONS)
@require_POST
def do(request: HttpRequest, pk: int, verb: str) -> HttpResponse:
    """One verb on one action; what cannot be done is said on its page, and nothing typed is lost."""
    found, by = _one(pk), demand(request, ACTIONS)
    if verb not in _VERBS:
        raise Http404
    try:
        said = _VERBS[verb](request, found, by)
    except NotPossible as error:
        return _page(request, found, error)
    if said:
        messages.success(request, said)
    after = request.POST.get("next", "")
    here = url_has_allowed_host_and_scheme(after, {request.get_host()}, request.is_secure())
    return redirect(after) if here else redirect("action", pk)


def _start(request: HttpRequest, found: Action, by: User) -> str:
    life.start(found, by=by, now=timezone.now(), request=request)
    return "Under way."


def _tick(request: HttpRequest, found: Action, by: User) -> str:
    position = asked.whole(request.POST.get("step", ""))
    if position is None:
        raise NotPossible("action-elsewhere", "This line is not on the checklist any more.")
    life.tick(found, position, request.POST.get("on") == "1", by=by, now=timezone.now())
    return ""


def _artifact(request: HttpRequest) -> Artifact:
    pk = asked.whole(request.POST.get("artifact", ""))
    found = Artifact.objects.filter(pk=pk).first() if pk else None
    if found is None:
        raise NotPossible("action-artifact", "There is no such artifact.", "artifact")
    return found


def _attach(request: HttpRequest, found: Action, by: User) -> str:
    life.attach(found, _artifact(request), by=by, now=timezone.now(), request=request)
    return "Attached. It supports the action's controls from now on as well."


def _detach(request: HttpRequest, found: Action, by: User) -> str:
    life.detach(found, _artifact(request), by=by, now=timezone.now(), request=request)
    return "Taken from the action. The artifact itself stays as it is."


def _finish(request: HttpRequest, found: Action, by: User) -> str:
    now = timezone.now()
    following = life.finish(found, by=by, now=now, today=timezone.localdate(now), request=request)
    return f"Done. The next one is due on {following.due_on:%d %b %Y}." if following else "Done."


def _drop(request: HttpRequest, found: Action, by: User) -> str:
    life.drop(found, request.POST.get("reason", ""), by=by, now=timezone.now(), request=request)
    return "Dropped."


def _reopen(request: HttpRequest, found: Action, by: User) -> str:
    life.reopen(found, by=by, now=timezone.now(), request=request)
    return "Open again."


def _hand(request: HttpRequest, found: Action, by: User) -> str:
    pk = asked.whole(request.POST.get("owner", ""))
    owner = next((each for each in forms.owners() if each.pk == pk), None)
    life.hand_to(found, owner, by=by, now=timezone.now(), request=request)
    return f"{owner.get_username()} owns it now." if owner else "Nobody owns it now."


_VERBS = {
    "start": _start,
    "tick": _tick,
    "attach": _attach,
    "detach": _detach,
    "finish": _finish,
    "drop": _drop,
    "reopen": _reopen,
    "hand": _hand,
}


# --- forms --------------------------------------------------------------------------------------


@needs(VIEW)
@require_safe
def index_of_templates(request: HttpRequest) -> HttpResponse:
    """What can be made from a template, and when that was last done."""
    rows = Action.objects.filter(stand__in=OPEN).exclude(template="").order_by()
    made = dict(rows.values_list("template").annotate(Count("pk")))
    context = {"offers": [(each, made.get(each.slug, 0)) for each in templates.every()]}
    return render(request, "evidence/action_templates.html", context)


@needs(ACTIONS)
@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    """A new action, by hand or from a template; `?control=` and `?template=` fill the form."""
    by, now = demand(request, ACTIONS), timezone.now()
    template = templates.find(str(request.GET.get("template", "")))
    if request.method == "POST":
        form = forms.ActionForm(request.POST)
        if form.is_valid():
            origin, slug = ("template", template.slug) if template else ("hand", "")
            made = life.make(form.draft(), by=by, now=now, origin=origin, template=slug, request=request)
            messages.success(request, "The action was made.")
            return redirect("action", made.pk)
    else:
        form = forms.ActionForm(initial=_first(request, template, by))
    context = {"form": form, "template": template, "controls": Control.objects.select_related("framework")}
    return render(request, "evidence/action_form.html", context, status=422 if form.errors else 200)


def _first(request: HttpRequest, template: templates.Template | None, by: User) -> dict[str, Any]:
    today = timezone.localdate()
    said = forms.offered(template, today, today + timedelta(days=14)) if template else {}
    pk = asked.whole(str(request.GET.get("control", "")))
    control = Control.objects.select_related("framework").filter(pk=pk).first() if pk else None
    if control:
        said["controls"] = f"{control.framework.slug} {control.ref}"
    return said | {"owner": by.pk}


@needs(ACTIONS)
@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: HttpRequest, pk: int) -> HttpResponse:
    found, by = _one(pk), demand(request, ACTIONS)
    refused = None
    was = request.POST.get("was", "") or life.mark_of(found)
    form = forms.ActionForm(request.POST or None, initial=forms.shown(found))
    if request.method == "POST" and form.is_valid():
        try:
            life.change(found, form.draft(), was=was, by=by, now=timezone.now(), request=request)
        except NotPossible as error:
            refused = error
            was = life.mark_of(found)
        else:
            messages.success(request, "Changed.")
            return redirect("action", pk)
    context = {"form": form, "found": found, "was": was, "refused": refused}
    status = 409 if refused else 422 if form.errors else 200
    context["controls"] = Control.objects.select_related("framework")
    return render(request, "evidence/action_form.html", context, status=status)


@needs(ACTIONS)
@require_POST
def bulk(request: HttpRequest) -> HttpResponse:
    """One verb on all actions that were ticked; each for itself, and the outcome says how many."""
    by, verb = demand(request, ACTIONS), request.POST.get("verb", "")
    pks = [pk for pk in map(asked.whole, request.POST.getlist("pk")[:500]) if pk]
    done, refused = 0, []
    for found in Action.objects.filter(pk__in=pks).select_related("owner").order_by("pk"):
        try:
            _in_bulk(request, found, verb, by)
            done += 1
        except NotPossible as error:
            refused.append(f"“{found.title[:60]}”: {error.message}")
    if done:
        messages.success(request, f"{done} action{'' if done == 1 else 's'} changed.")
    for said in refused[:5]:
        messages.warning(request, said)
    if len(refused) > 5:
        messages.warning(request, f"{len(refused) - 5} more were not changed.")
    if not pks:
        messages.warning(request, "Tick the actions first.")
    after = request.POST.get("next", "")
    here = url_has_allowed_host_and_scheme(after, {request.get_host()}, request.is_secure())
    return redirect(after if here else "actions")


def _in_bulk(request: HttpRequest, found: Action, verb: str, by: User) -> None:
    now = timezone.now()
    if verb == "put-off":
        life.put_off(found, asked.day(request.POST, "due_on"), by=by, now=now, request=request)
    elif verb in ("hand", "start", "finish", "drop"):
        _VERBS[verb](request, found, by)
    else:
        raise NotPossible("action-elsewhere", "Choose what to do with them.")
