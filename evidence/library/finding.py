"""Which artifacts a list shows: filters, order, and how many each choice would leave. It only reads.

The *cube* counts what passes all other filters by state, kind, source and type at once, and from it follow the total
and the number beside each choice. Only the page's own rows are read whole.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from functools import cached_property
from typing import Any

from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone
from django.utils.dateparse import parse_date

from ..models import Artifact, Control, Kind, Source, State, Tag
from . import traces

SOON = timedelta(days=30)
WORDS = 5
FEW = 3000
MANY = 20_000
LONGEST = 200
NONE = "none"
# What the list can be sorted by: the name in the address, and the field.
ORDERS = {
    "title": "title",
    "state": "state",
    "owner": "owner__username",
    "collected": "collected_at",
    "received": "received_at",
    "expiry": "good_until",
    "size": "size",
}
USUAL = "-received"
FRESHNESS = {"soon": "Expires within 30 days", "over": "Expired", "endless": "No end", NONE: "Nothing accepted"}
FAMILIES = {
    "report": "Report",
    "pdf": "PDF",
    "image": "Image",
    "table": "Table",
    "text": "Text",
    "document": "Document",
    "other": "Other",
}
CUBE = ("state", "kind", "source", "family")
# Filters that are a plain text in the address, beside those of the cube, with their titles.
TITLES = {
    "state": "State",
    "kind": "Kind",
    "source": "Source",
    "family": "Type",
    "owner": "Owner",
    "tag": "Tag",
    "collection": "Collection",
    "workspace": "Workspace",
    "framework": "Framework",
    "control": "Control",
    "report": "Report",
    "fresh": "Freshness",
    "from": "Evidence from",
    "to": "Evidence to",
    "since": "Received from",
    "until": "Received to",
    "archived": "Archive",
}
_DAYS = ("from", "to", "since", "until")


def family(kind: str, media: str) -> str:
    """The family of a type of content, of `FAMILIES`. Pure."""
    if kind == Kind.REPORT:
        return "report"
    if media == "application/pdf":
        return "pdf"
    if media.startswith("image/"):
        return "image"
    if media == "text/csv" or "spreadsheet" in media or media == "application/vnd.ms-excel":
        return "table"
    if media.startswith("text/") or media == "application/json":
        return "text"
    return "document" if "word" in media or "opendocument" in media or "presentation" in media else "other"


@dataclass(frozen=True)
class Asked:
    """What an address asks for. `values` are the filters that are set and make sense, by name."""

    q: str
    notes: bool
    values: Mapping[str, str]

    @property
    def narrowed(self) -> bool:
        return bool(self.q or self.values)

    def without(self, *names: str) -> "Asked":
        return replace(self, values={name: value for name, value in self.values.items() if name not in names})


def asked(query: Mapping[str, Any]) -> Asked:
    """Reads an address. What makes no sense is left aside. Pure."""
    said = {name: str(query.get(name, "")).replace("\0", "").strip()[:LONGEST] for name in TITLES}
    known = {"state": State.values, "kind": Kind.values, "source": Source.values}
    for name, choices in (known | {"family": [*FAMILIES], "fresh": [*FRESHNESS]}).items():
        said[name] = said[name] if said[name] in choices else ""
    for name in ("owner", "workspace", "collection"):
        number = said[name].isascii() and said[name].isdigit() and len(said[name]) < 10
        said[name] = said[name] if number or (name == "collection" and said[name] == NONE) else ""
    for name in _DAYS:
        said[name] = said[name] if _day(said[name]) else ""
    said["archived"] = "yes" if said["archived"] == "yes" else ""
    q = str(query.get("q", "")).replace("\0", "").strip()[:LONGEST]
    return Asked(q, query.get("notes") == "1", {name: value for name, value in said.items() if value})


def found(wanted: Asked, today: date) -> "QuerySet[Artifact]":
    """The artifacts that pass every filter, in no order."""
    rows = _others(wanted, today)
    return _chosen(rows, wanted, _medias(rows) if "family" in wanted.values else frozenset())


@dataclass(frozen=True)
class Look:
    """What a list shows: its counts, and the artifacts in order."""

    cube: "Cube"
    rows: "QuerySet[Artifact]"


def look(wanted: Asked, today: date, sort: str) -> Look:
    """Few artifacts are found first, and counted and sorted then. Of very many the counts come from an index that
    holds all that they need, and the order's own index gives the first ones without a look at the others."""
    if wanted.q or set(wanted.values) - set(CUBE) - {"archived"}:
        rows = _others(wanted, today).order_by()
        few = list(rows.values_list("pk", "state", "kind", "source", "media")[: FEW + 1])
        if len(few) <= FEW:
            counted = _cube(wanted, ((*each[1:], 1) for each in few))
            pks = [each[0] for each in few if counted.passes(_cell(*each[1:]))]
            return Look(counted, ordered(Artifact.objects.filter(pk__in=pks), sort))
    rows = _others(wanted, today)
    fields = rows.order_by().values_list("state", "kind", "source", "media")
    cells = list(fields.annotate(many=Count("pk")))
    medias = frozenset(media for _, _, _, media, _ in cells)
    return Look(_cube(wanted, cells), ordered(_chosen(rows, wanted, medias), sort))


def _chosen(rows: "QuerySet[Artifact]", wanted: Asked, medias: frozenset[str]) -> "QuerySet[Artifact]":
    """Those that pass the four filters that are counted; `medias` are the types that there are."""
    for name in ("state", "kind", "source"):
        if value := wanted.values.get(name):
            rows = rows.filter(**{name: value})
    of = wanted.values.get("family", "")
    if of == "report":
        return rows.filter(kind=Kind.REPORT)
    fitting = [media for media in medias if family(Kind.FILE, media) == of]
    return rows.filter(kind=Kind.FILE, media__in=fitting) if of else rows


def _medias(rows: "QuerySet[Artifact]") -> frozenset[str]:
    return frozenset(rows.order_by().values_list("media", flat=True).distinct())


def ordered(rows: "QuerySet[Artifact]", sort: str) -> "QuerySet[Artifact]":
    """In the order that `sort` asks for; what has no expiry comes last in either direction."""
    name = sort.removeprefix("-")
    down = sort.startswith("-")
    field: Any = F(ORDERS[name])
    if name == "expiry":
        field = field.desc(nulls_last=True) if down else field.asc(nulls_last=True)
    else:
        field = field.desc() if down else field.asc()
    return rows.order_by(field, "-pk" if down else "pk")


def sort_of(query: Mapping[str, Any]) -> str:
    said = str(query.get("sort", ""))
    return said if said.removeprefix("-") in ORDERS else USUAL


@dataclass(frozen=True)
class Cube:
    """How many artifacts pass the other filters, by state, kind, source and family; `chosen` are those four's."""

    cells: Mapping[tuple[str, ...], int]
    chosen: Mapping[str, str]

    @cached_property
    def total(self) -> int:
        """How many pass all filters."""
        return sum(many for cell, many in self.cells.items() if self.passes(cell))

    def choices(self, name: str) -> Counter[str]:
        """How many each choice of one of the four would leave, under the other three."""
        at = CUBE.index(name)
        counted: Counter[str] = Counter()
        for cell, many in self.cells.items():
            if self.passes(cell, besides=name):
                counted[cell[at]] += many
        return counted

    def passes(self, cell: tuple[str, ...], besides: str = "") -> bool:
        return all(
            cell[at] == self.chosen[name] for at, name in enumerate(CUBE) if name in self.chosen and name != besides
        )


def _cube(wanted: Asked, counted: Iterable[tuple[str, str, str, str, int]]) -> Cube:
    cells: Counter[tuple[str, ...]] = Counter()
    for state, kind, source, media, many in counted:
        cells[_cell(state, kind, source, media)] += many
    return Cube(cells, {name: wanted.values[name] for name in CUBE if name in wanted.values})


def _cell(state: str, kind: str, source: str, media: str) -> tuple[str, ...]:
    return state, kind, source, family(kind, media)


# --- one filter each --------------------------------------------------------------------------------------------


def _others(wanted: Asked, today: date) -> "QuerySet[Artifact]":
    """All filters but those that the cube counts."""
    said = wanted.values
    rows = Artifact.objects.filter(archived_at__isnull="archived" not in said)
    rows = rows.filter(owner_id=int(said["owner"])) if "owner" in said else rows
    rows = rows.filter(report=said["report"]) if "report" in said else rows
    for name, value in said.items():
        if name in _LINKED:
            relation, others = _LINKED[name](value)
            rows = rows.filter(_linked(relation, others))
    rows = rows.filter(_fresh(said.get("fresh", ""), today), _in_time(said))
    return rows.filter(_searched(wanted.q, wanted.notes)) if wanted.q else rows


Linked = tuple[str, "list[int] | None"]  # a relation, and the numbers of which one must be linked; None: nothing is


def _linked(relation: str, others: list[int] | None) -> Q:
    """Of a link that very many have, each artifact is asked; else the links say which artifacts."""
    model, (column, *_) = traces.RELATIONS[relation]
    if others is None:
        return ~Q(Exists(model.objects.filter(artifact=OuterRef("pk"))))
    links = model.objects.filter(**{f"{column}__in": others})
    if links.count() > MANY:
        return Q(Exists(links.filter(artifact=OuterRef("pk"))))
    return Q(pk__in=links.values("artifact"))


def _tagged(said: str) -> Linked:
    return "tags", list(Tag.objects.filter(name=said).values_list("pk", flat=True))


def _controlled(said: str) -> Linked:
    """Linked to a control, as `framework reference` or the reference alone; `none`: to no control."""
    if said == NONE:
        return "controls", None
    slug, _, ref = said.rpartition(" ")
    found = Control.objects.filter(ref__iexact=ref)
    found = found.filter(framework__slug=slug.casefold()) if slug else found
    return "controls", list(found.order_by().values_list("pk", flat=True))


def _within(said: str) -> Linked:
    return "controls", list(Control.objects.filter(framework__slug=said).order_by().values_list("pk", flat=True))


_LINKED: dict[str, Callable[[str], Linked]] = {
    "tag": _tagged,
    "collection": lambda said: ("collections", None if said == NONE else [int(said)]),
    "workspace": lambda said: ("workspaces", [int(said)]),
    "control": _controlled,
    "framework": _within,
}


def _fresh(said: str, today: date) -> Q:
    if said == "soon":
        return Q(good_until__range=(today, today + SOON))
    if said == "over":
        return Q(state=State.EXPIRED) | Q(good_until__lt=today)
    if said == "endless":
        return Q(good__isnull=False, good_until__isnull=True)
    return Q(good__isnull=True) if said == NONE else Q()


def _in_time(said: Mapping[str, str]) -> Q:
    """Evidence for a part of the days between `from` and `to`; received between `since` and `until`."""
    narrowed = Q(period_to__gte=said["from"]) if "from" in said else Q()
    narrowed &= Q(period_from__lte=said["to"]) if "to" in said else Q()
    narrowed &= Q(received_at__gte=_midnight(said["since"])) if "since" in said else Q()
    return narrowed & (Q(received_at__lt=_midnight(said["until"], 1)) if "until" in said else Q())


def _searched(q: str, notes: bool) -> Q:
    """Every word stands in the title, the file's name or, where asked for, the notes; or is a tag's, or a digest's
    beginning."""
    every = Q()
    for word in q.split()[:WORDS]:
        one = Q(title__icontains=word) | Q(name__icontains=word)
        one |= Q(notes__icontains=word) if notes else Q()
        tags = list(Tag.objects.filter(name__contains=word.casefold()).values_list("pk", flat=True)[:LONGEST])
        if tags:
            one |= Q(pk__in=Artifact.tags.through.objects.filter(tag__in=tags).values("artifact"))
        if len(word) >= 4 and set(word.lower()) <= set("0123456789abcdef"):
            one |= Q(sha256__startswith=word.lower())
        every &= one
    return every


def _day(text: str) -> date | None:
    try:
        return parse_date(text)
    except ValueError:
        return None


def _midnight(text: str, days: int = 0) -> datetime:
    """The beginning of a day in the portal's zone. The ends of the calendar are near enough for what lies beyond."""
    of = min(max(date.fromisoformat(text), date(2, 1, 1)), date(9998, 12, 30))
    return timezone.make_aware(datetime.combine(of + timedelta(days=days), time.min))
