"""The library's list: captured reports and uploaded files, by everything that is said of them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.core.paginator import Page, Paginator
from django.db.models import Count, Exists, OuterRef, QuerySet, Sum
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_safe

from connectors import registry
from connectors.models import Workspace
from connectors.spec import Column
from portal import audit
from portal.access import EXPORT, VIEW, needs
from portal.chips import Chip, chips
from portal.models import User

from .. import savedviews, tables
from ..library import finding, packing, sheet
from ..models import Artifact, Collection, Framework, Kind, Source, State, Tag
from . import lists
from .bulk import VERBS, chosen

HEADS = (
    ("title", "Title"),
    ("state", "State"),
    ("owner", "Owner"),
    ("collected", "Collected"),
    ("received", "Received"),
    ("expiry", "Counts until"),
    ("size", "Size"),
)
WORDS: dict[str, Mapping[str, str]] = {
    "state": dict(State.choices),
    "kind": dict(Kind.choices),
    "source": dict(Source.choices),
    "family": finding.FAMILIES,
}
MOST_CHOICES = 300


@needs(VIEW)
@require_safe
def index(request: HttpRequest) -> HttpResponse:
    today, query = timezone.localdate(), request.GET
    wanted, sort = finding.asked(query), finding.sort_of(query)
    look = finding.look(wanted, today, sort)
    page = _page(look.rows, look.cube.total, query)
    choices = _choices()
    context = {
        "page": page,
        "asked": wanted,
        "said": wanted.values,
        "sort": sort,
        "sizes": tables.SIZES,
        "heads": [tables.head(Column(name, title), sort) for name, title in HEADS],
        "facets": [(finding.TITLES[name], _facet(name, look.cube, wanted)) for name in finding.CUBE],
        "removable": _removable(wanted, choices),
        "folders": _folders(wanted),
        "freshness": finding.FRESHNESS,
        "today": today,
        "views": savedviews.offered(_person(request), "artifacts", query.urlencode()),
        "view_page": "artifacts",
        "verbs": VERBS,
        **choices,
    }
    return render(request, "evidence/artifacts.html", context)


def _person(request: HttpRequest) -> User:
    person = request.user
    assert isinstance(person, User)  # `needs` let nobody else in
    return person


class _Counted(Paginator[Any]):
    """Pages of rows whose number is known; only the page's own rows are read whole."""

    def __init__(self, rows: "QuerySet[Any, Any]", size: int, count: int) -> None:
        super().__init__(rows, size)
        self.count = count  # in the place of the cached property that would ask for it


def _page(rows: "QuerySet[Artifact]", count: int, query: Mapping[str, Any]) -> "Page[Any]":
    said = str(query.get("size", ""))
    size = next((each for each in tables.SIZES if said == str(each)), tables.USUAL_SIZE)
    page = _Counted(rows.values_list("pk", flat=True), size, count).get_page(query.get("page"))
    pks = list(page.object_list)
    whole = Artifact.objects.filter(pk__in=pks).select_related("owner").defer("notes")
    held = {row.pk: row for row in whole.prefetch_related("tags", "collections")}
    page.object_list = [held[pk] for pk in pks if pk in held]
    return page


def _choices() -> dict[str, Any]:
    """What can be chosen in the filters, each by one short question."""
    owns = Artifact.objects.filter(owner=OuterRef("pk"))
    return {
        "people": list(User.objects.filter(Exists(owns)).order_by("username")[:MOST_CHOICES]),
        "tags": list(Tag.objects.all()[:MOST_CHOICES]),
        "workspaces": list(Workspace.objects.order_by("name", "pk")[:MOST_CHOICES]),
        "frameworks": list(Framework.objects.filter(retired_at=None)),
        "reports": {each.name: each.title for one in registry.all_connectors().values() for each in one.reports},
    }


def _facet(name: str, cube: finding.Cube, wanted: finding.Asked) -> list[Chip]:
    counted = cube.choices(name)
    return chips(
        name,
        [(value, title, counted[value]) for value, title in WORDS[name].items()],
        wanted.values.get(name, ""),
    )


@dataclass(frozen=True)
class Removable:
    """A filter that is set, and what to change in the address to drop it."""

    title: str
    value: str
    cleared: Mapping[str, None]


def _removable(wanted: finding.Asked, choices: Mapping[str, Any]) -> list[Removable]:
    """The filters that are set, but for those that stand as counted chips of their own."""
    said = {name: value for name, value in wanted.values.items() if name not in finding.CUBE}
    names: dict[str, Mapping[str, str]] = {
        "owner": {str(each.pk): each.username for each in choices["people"]},
        "workspace": {str(each.pk): each.name for each in choices["workspaces"]},
        "framework": {each.slug: each.title for each in choices["frameworks"]},
        "report": choices["reports"],
        "fresh": finding.FRESHNESS,
        "archived": {"yes": "Only what is archived"},
        "control": {finding.NONE: "linked to none"},
        "collection": {finding.NONE: "in none"},
    }
    if said.get("collection", finding.NONE) != finding.NONE:
        found = Collection.objects.filter(pk=said["collection"]).values_list("name", flat=True).first()
        names["collection"] = {said["collection"]: found or "gone"}
    chosen = [
        Removable(finding.TITLES[name], names.get(name, {}).get(value, value), {name: None, "page": None})
        for name, value in said.items()
    ]
    return [Removable("Search", wanted.q, {"q": None, "page": None}), *chosen] if wanted.q else chosen


def _folders(wanted: finding.Asked) -> list[Chip]:
    """The collections, with how many lie in each, the archived ones too."""
    through = Artifact.collections.through.objects.order_by().values_list("collection")
    held = dict(through.annotate(many=Count("pk")))
    rows = Collection.objects.values_list("pk", "name")[:MOST_CHOICES]
    said = wanted.values.get("collection", "")
    return [Chip("collection", str(pk), name, held.get(pk, 0), str(pk) == said) for pk, name in rows]


# --- as a file --------------------------------------------------------------------------------------------------


@needs(EXPORT)
@require_GET
def export(request: HttpRequest) -> HttpResponseBase:
    """What the list shows, or what is ticked in it, as CSV, which can be changed and read in again."""
    rows, wanted = chosen(request.GET)
    count = rows.count()
    filters: dict[str, Any] = {"q": wanted.q, **wanted.values}
    file = f"artifacts-{timezone.now():%Y%m%d-%H%M%S}.csv"
    return lists.as_csv(
        request, sheet.TITLES, _rows(rows), count, file=file, name="artifacts", filters=filters, permission=EXPORT
    )


def _rows(rows: "QuerySet[Artifact]") -> Iterator[Any]:
    return sheet.rows(rows.order_by("pk"))


@needs(EXPORT)
@require_GET
def files(request: HttpRequest) -> HttpResponseBase:
    """The files of what the list shows, or of what is ticked in it, as one zip that is sent while it is made."""
    rows, wanted = chosen(request.GET)
    held = rows.aggregate(many=Count("pk"), size=Sum("size"))
    if not held["many"] or held["many"] > packing.MOST or held["size"] > packing.MOST_BYTES:
        messages.error(request, f"One zip holds 1 to {packing.MOST:,} artifacts, of 2 GB together: narrow the list.")
        return redirect(f"{reverse('artifacts')}?{request.GET.get('query', '')}")
    now, said = timezone.now(), ", ".join(f"{name} {value}" for name, value in wanted.values.items())
    audit.record(
        audit.Action.EXPORTED,
        actor=_person(request),
        request=request,
        name="files of artifacts",
        format="zip",
        rows=held["many"],
        filters=said,
    )
    response = StreamingHttpResponse(packing.pack(rows, now), content_type="application/zip")
    response.headers["Content-Disposition"] = f'attachment; filename="artifacts-{now:%Y%m%d-%H%M%S}.zip"'
    response.headers["X-Row-Count"] = str(held["many"])
    response.headers["Cache-Control"] = "private, no-store"
    return response
