"""Frameworks: which there are, one with its controls, and the way in and out for a team's own."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import messages
from django.core import signing
from django.db.models import Count, F, Q, Window
from django.db.models.functions import RowNumber
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST, require_safe

from portal import audit
from portal.access import EXPORT, FRAMEWORKS, VIEW, demand, needs
from portal.chips import chips

from ..exports import csv
from ..frameworks import catalogues, files, shelf, support
from ..frameworks.catalogues import Malformed
from ..models import Control, Edition, Framework
from . import asked

INLINE = 10  # artifacts beside a control
EXAMPLE = (
    files.COLUMNS,
    ("PR-1", "Recipients are approved", "Every destination has an owner and a contract.", "Privacy", "PR", "no"),
)


@needs(VIEW)
@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """All frameworks, each with how its controls stand."""
    q, retired = asked.words(request.GET), request.GET.get("retired") == "1"
    found = Framework.objects.filter(Q(title__icontains=q) | Q(publisher__icontains=q), retired_at__isnull=not retired)
    shown = list(found.annotate(many=Count("controls", filter=Q(controls__withdrawn=False))))
    strips = _strips(shown)
    context = {
        "frameworks": [(each, strips.get(each.pk, [])) for each in shown],
        "q": q,
        "retired": retired,
        "gone": Framework.objects.filter(retired_at__isnull=False).count(),
    }
    return render(request, "evidence/frameworks.html", context)


def _strips(shown: Sequence[Framework]) -> dict[int, list[tuple[Any, int]]]:
    """For each framework how many controls are in which state, in the order of `support.WORDS`."""
    today = timezone.localdate()
    controls = list(Control.objects.filter(framework__in=shown, withdrawn=False).only("pk", "framework"))
    supports = support.of(controls, today)
    counted: dict[int, dict[str, int]] = {}
    for each in controls:
        held = counted.setdefault(each.framework_id, dict.fromkeys(support.WORDS, 0))
        held[supports[each.pk].state(today)] += 1
    return {pk: [(support.WORDS[name], many) for name, many in held.items() if many] for pk, held in counted.items()}


@needs(VIEW)
@require_safe
def framework(request: HttpRequest, slug: str) -> HttpResponse:
    """One framework: its controls by group, with what supports each."""
    found, today = get_object_or_404(Framework, slug=slug), timezone.localdate()
    q, state, series = (asked.words(request.GET, name) for name in ("q", "state", "series"))
    every = found.controls.select_related("owner").filter(withdrawn=False)
    every = every.filter(Q(ref__icontains=q) | Q(title__icontains=q) | Q(text__icontains=q)) if q else every
    controls = list(every)
    supports = support.of(controls, today)
    rows = [(each, supports[each.pk]) for each in controls]
    within = [row for row in rows if series in ("", row[0].series)]
    states = {name: sum(each.state(today) == name for _, each in within) for name in support.WORDS}
    kinds = {each.series: each.optional for each in controls}
    shown = [row for row in within if state in ("", row[1].state(today))]
    context = {
        "found": found,
        "rows": [(each, held, support.WORDS[held.state(today)]) for each, held in shown],
        "strip": [(support.WORDS[name], many) for name, many in states.items() if many],
        "q": q,
        "state": state,
        "series": series,
        "states": chips("state", [(name, mark.word, states[name]) for name, mark in support.WORDS.items()], state),
        "serieses": chips("series", [(n, n, sum(c.series == n for c in controls)) for n in kinds if n], series),
        "narrowed": bool(q or state or series),
        "withdrawn": found.controls.filter(withdrawn=True),
        "editions": found.editions.select_related("loaded_by").defer("body"),
        "inline": request.GET.get("inline") == "1",
        "evidence": _inline(controls) if request.GET.get("inline") == "1" else {},
        "today": today,
    }
    return render(request, "evidence/framework.html", context)


def _inline(controls: list[Control]) -> dict[int, list[Any]]:
    """The newest artifacts of each control, ten at most, for the page that shows evidence beside every control."""
    newest = Window(RowNumber(), partition_by=F("control"), order_by=F("artifact__received_at").desc())
    links: Any = Control.artifacts.through.objects.filter(control__in=controls, artifact__archived_at=None)
    numbered = links.select_related("artifact__owner").annotate(nth=newest)
    found: dict[int, list[Any]] = {}
    for link in numbered.filter(nth__lte=INLINE).order_by("nth"):
        found.setdefault(link.control_id, []).append(link.artifact)
    return found


@needs(VIEW)
@require_safe
def edition(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    """One edition, and what it changed."""
    found = get_object_or_404(Framework, slug=slug)
    shown = get_object_or_404(Edition.objects.select_related("loaded_by"), framework=found, number=number)
    against = asked.whole(str(request.GET.get("against", ""))) or number - 1
    before = Edition.objects.filter(framework=found, number=against).first()
    new = catalogues.thawed(bytes(shown.body))
    old = catalogues.thawed(bytes(before.body)) if before else None
    context = {
        "found": found,
        "shown": shown,
        "against": before,
        "numbers": range(1, found.number + 1),
        "differ": catalogues.differences(old, new),
        "held": _held(found),
    }
    return render(request, "evidence/framework_edition.html", context)


def _held(found: Framework) -> dict[str, int]:
    """How many artifacts each control has, by its id, for those that have some."""
    rows = found.controls.filter(artifacts__archived_at=None).annotate(many=Count("artifacts"))
    return dict(rows.order_by().values_list("ref", "many"))


@needs(EXPORT)
@require_GET
def export(request: HttpRequest, slug: str, fmt: str) -> HttpResponseBase:
    """The framework as a file: CSV, or an OSCAL catalog as JSON."""
    found, by = get_object_or_404(Framework, slug=slug), demand(request, EXPORT)
    shown = found.editions.order_by("-number").first()
    if fmt not in ("csv", "json") or shown is None:
        raise Http404
    catalogue = catalogues.thawed(bytes(shown.body))
    if fmt == "csv":
        data = b"".join(csv.pieces(files.COLUMNS, files.rows(catalogue)))
    else:
        data = files.oscal(catalogue, shown.loaded_at)
    audit.record(
        audit.Action.EXPORTED, actor=by, target=found, request=request, format=fmt, rows=len(catalogue.controls)
    )
    return _file(data, f"{found.slug}-{found.number}.{fmt}", fmt, len(catalogue.controls))


def _file(data: bytes, name: str, fmt: str, rows: int) -> HttpResponse:
    kind = {"csv": "text/csv; charset=utf-8", "json": "application/json"}[fmt]
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "X-Row-Count": str(rows)}
    return HttpResponse(data, content_type=kind, headers=headers)


@needs(FRAMEWORKS)
@require_GET
def example(request: HttpRequest) -> HttpResponse:
    """The table that an import expects, with a row to write over."""
    return _file(b"".join(csv.pieces(EXAMPLE[0], iter(EXAMPLE[1:]))), "framework.csv", "csv", 1)


@needs(FRAMEWORKS)
@require_POST
def retire(request: HttpRequest, slug: str) -> HttpResponse:
    found, by = get_object_or_404(Framework, slug=slug), demand(request, FRAMEWORKS)
    on = "back" not in request.POST
    shelf.retire(found, on, by=by, now=timezone.now(), request=request)
    messages.success(request, "It is out of sight; nothing of it is gone." if on else "It is listed again.")
    return redirect("framework", slug)


# --- import -------------------------------------------------------------------------------------


class ImportForm(forms.Form):
    """A team's own framework. The file is read for the preview, and travels to the second step signed in the form."""

    slug = forms.SlugField(
        max_length=60,
        label="Short name",
        help_text="Small letters, digits and hyphens; it stands before the ids: <code>house PR-1</code>. The short "
        "name of a framework that you imported before makes a new edition of it.",
    )
    title = forms.CharField(max_length=120, required=False, label="Title", help_text="Empty: as the file says.")
    label = forms.CharField(max_length=60, required=False, label="Edition", help_text="What this edition is called.")
    file = forms.FileField(label="File", help_text="A table in CSV, or an OSCAL catalog in JSON; 5 MB at most.")

    def clean_slug(self) -> str:
        return str(self.cleaned_data["slug"]).lower()


@needs(FRAMEWORKS)
@require_http_methods(["GET", "HEAD", "POST"])
def bring(request: HttpRequest) -> HttpResponse:
    """First what the file would change; then, when that is confirmed, the new edition."""
    by = demand(request, FRAMEWORKS)
    if "confirmed" in request.POST:
        return _confirmed(request, by, timezone.now())
    form = ImportForm(request.POST or None, request.FILES or None)
    wrong: tuple[str, ...] = ()
    if request.method == "POST" and form.is_valid():
        said = form.cleaned_data
        try:
            read = files.read(
                said["file"].read(files.MOST_BYTES + 1), slug=said["slug"], title=said["title"], label=said["label"]
            )
        except Malformed as error:
            wrong = error.sentences
        else:
            return _preview(request, read)
    context = {"form": form, "wrong": wrong, "columns": files.COLUMNS}
    return render(request, "evidence/framework_import.html", context, status=422 if wrong or form.errors else 200)


def _preview(request: HttpRequest, read: catalogues.Catalogue, refused: Any = None) -> HttpResponse:
    there = Framework.objects.filter(slug=read.slug).first()
    context = {
        "read": read,
        "there": there,
        "differ": shelf.changes_of(read),
        "held": _held(there) if there else {},
        "packed": signing.dumps(catalogues.frozen(read).decode("ascii"), salt="framework", compress=True),
        "refused": refused,
    }
    return render(request, "evidence/framework_preview.html", context, status=409 if refused else 200)


def _confirmed(request: HttpRequest, by: Any, now: datetime) -> HttpResponse:
    try:
        packed = signing.loads(request.POST.get("packed", ""), salt="framework", max_age=24 * 3600)
    except signing.BadSignature:
        messages.warning(request, "The preview is too old, or was changed on the way: bring the file again.")
        return redirect("framework-import")
    read = catalogues.thawed(packed.encode("ascii"))
    try:
        made = shelf.load(read, by=by, now=now, request=request)
    except shelf.NotPossible as error:
        return _preview(request, read, error)
    said = f"Edition {made.number} is in use." if made else "Nothing is different: no new edition was made."
    messages.success(request, said)
    return redirect("framework", read.slug)
