"""Changes of a workspace: between any two of its snapshots, one record through all of them, and its timeline."""

from collections.abc import Mapping
from typing import Any

from django.core.paginator import Page, Paginator
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_GET, require_safe

from connectors import registry
from connectors.models import Lane, Snapshot, Workspace
from connectors.spec import Stream
from portal.access import EXPORT, VIEW, needs
from portal.chips import Chip, chips

from .. import changes as wording
from .. import compared, history, timeline, trail, unknown
from ..comparison import MOST_READ, Asked, Comparison, Line, TooMany
from . import asked
from .exporting import download

LINES = 25
STEPS = 10
MOMENTS = 30
RECENT = 200  # snapshots to choose from, beside the two that are shown
KINDS = {kind: wording.KIND_WORDS[kind] for kind in (wording.Kind.ADDED, wording.Kind.CHANGED, wording.Kind.REMOVED)}


@needs(VIEW)
@require_safe
def index(request: HttpRequest, pk: int) -> HttpResponse:
    workspace = asked.workspace(pk)
    context: dict[str, Any] = {"workspace": workspace, "reports": registry.get(workspace.connector).reports}
    pair = _pair(workspace, request.GET)
    if pair is None:
        return render(request, "evidence/changes_empty.html", context)
    comparison, wanted = Comparison(*pair), _asked(workspace, request.GET)
    page, lines = _page(comparison, wanted, request.GET)
    people = trail.names(comparison) if lines else None
    context |= {
        "comparison": comparison,
        "asked": wanted,
        "narrowed": wanted != Asked(logs=wanted.logs),
        "recent": _recent(workspace, pair),
        "kinds": _kinds(comparison, wanted),
        "streams": _streams(comparison, wanted),
        "logs": comparison.count(logs=True),
        "unknown": unknown.shared(comparison.unknown),
        "apart": unknown.by_stream(comparison.unknown).get(wanted.stream),
        "page": page,
        "found": page.paginator.count if page else None,
        "most": MOST_READ,
        "lines": [(line, people.of(line, comparison.connector.wording(line.stream.name).trail)) for line in lines]
        if people
        else [],
        "nameless": people.lacking if people else "",
        "export_query": _query(comparison, request.GET),
    }
    return render(request, "evidence/changes.html", context)


@needs(EXPORT)
@require_GET
def export(request: HttpRequest, pk: int, fmt: str) -> HttpResponseBase:
    """What the page of the same address shows, on all its pages."""
    workspace = asked.workspace(pk)
    pair = _pair(workspace, request.GET)
    if pair is None:
        raise Http404
    comparison, wanted = Comparison(*pair), _asked(workspace, request.GET)
    if wanted.deep and comparison.rows(wanted).count() > MOST_READ:
        return redirect(f"{reverse('changes', args=[pk])}?{_query(comparison, request.GET)}")  # which says what to do
    return download(request, compared.document(comparison, wanted), fmt, comparison.newer)


@needs(VIEW)
@require_safe
def record(request: HttpRequest, pk: int, stream: str, key: str) -> HttpResponse:
    """What happened to one record in all snapshots."""
    workspace = asked.workspace(pk)
    declared = _stream(workspace, stream)
    rows = history.rows(workspace, declared.name, key)
    if not rows:
        raise Http404
    page = asked.page(rows, request.GET, size=STEPS)
    at = page.end_index()
    found = history.steps(workspace, declared, list(page.object_list), rows[at] if at < len(rows) else None)
    newest = history.steps(workspace, declared, rows[:1], rows[1] if len(rows) > 1 else None)[0]
    gaps = history.gaps(workspace, declared.name, key)
    context = {
        "workspace": workspace,
        "stream": declared,
        "key": key,
        "page": page,
        "steps": found,
        "newest": newest,
        "first": rows[-1].seq,
        "none_at": history.known_before(workspace, declared.name, key, rows[-1].seq),
        "gaps": [gap for gap in gaps if gap.last > rows[-1].seq],
        "changed": len(rows) - 1 - sum(row.sha256 is None for row in rows),
        "covered": history.standing_of(workspace, declared.name),
    }
    return render(request, "evidence/record.html", context)


@needs(VIEW)
@require_safe
def times(request: HttpRequest, pk: int) -> HttpResponse:
    workspace = asked.workspace(pk)
    snapshots = Snapshot.objects.filter(workspace=workspace).defer("header", "signature").select_related("run")
    page = asked.page(snapshots.order_by("-seq"), request.GET, size=MOMENTS)
    context = {
        "workspace": workspace,
        "reports": registry.get(workspace.connector).reports,
        "page": page,
        "moments": timeline.moments(workspace, list(page.object_list)),
    }
    return render(request, "evidence/timeline.html", context)


# --- what is asked for --------------------------------------------------------------------------


def _pair(workspace: Workspace, query: Mapping[str, Any]) -> tuple[Snapshot, Snapshot] | None:
    """The two snapshots, the older one first. None without two.

    Where none is named: the newest, and the one before the newest main run, so that every stream was read in between;
    a slow lane's snapshot read only what may be asked a few times a minute.
    """
    if workspace.head < 2:
        return None
    newer = asked.snapshot(workspace, str(query.get("to") or workspace.head))
    older = asked.snapshot(workspace, str(query.get("from") or _before(workspace, newer)))
    return (older, newer) if older.seq <= newer.seq else (newer, older)


def _before(workspace: Workspace, newer: Snapshot) -> int:
    known = Snapshot.objects.filter(workspace=workspace, seq__lte=newer.seq).order_by("-seq")
    main = known.filter(run__lane=Lane.MAIN).values_list("seq", flat=True).first() or newer.seq
    return max(1, min(main, newer.seq) - 1)


def _asked(workspace: Workspace, query: Mapping[str, Any]) -> Asked:
    """What an address does not mean changes nothing."""
    streams = {stream.name for stream in registry.get(workspace.connector).streams}
    stream, kind = str(query.get("stream", "")), str(query.get("kind", ""))
    return Asked(
        stream=stream if stream in streams else "",
        kind=kind if kind in KINDS else "",
        q=asked.words(query),
        field=asked.words(query, "field"),
        logs=query.get("logs") == "1",
        plain=query.get("plain") == "1",
    )


def _stream(workspace: Workspace, name: str) -> Stream:
    for stream in registry.get(workspace.connector).streams:
        if stream.name == name:
            return stream
    raise Http404


# --- what is shown ------------------------------------------------------------------------------


def _page(comparison: Comparison, wanted: Asked, query: Mapping[str, Any]) -> tuple[Page[Any] | None, list[Line]]:
    """One page of what differs, and what happened to each of it; None where too much would have to be read."""
    if wanted.deep:
        try:
            page = asked.page(comparison.matching(wanted), query, size=LINES)
        except TooMany:
            return None, []
        return page, comparison.told(list(page.object_list))
    paginator = Paginator(comparison.rows(wanted), LINES)
    paginator.count = _counted(comparison, wanted)  # known already: one query less
    page = paginator.get_page(query.get("page"))
    return page, comparison.told(list(page.object_list))


def _counted(comparison: Comparison, wanted: Asked) -> int:
    logs = comparison.count(kind=wanted.kind, logs=True) if wanted.logs and not wanted.stream else 0
    return comparison.count(wanted.stream, wanted.kind) + logs


def _kinds(comparison: Comparison, wanted: Asked) -> list[Chip]:
    choices = [(str(kind), word, comparison.count(wanted.stream, kind)) for kind, word in KINDS.items()]
    return chips("kind", choices, wanted.kind)


def _streams(comparison: Comparison, wanted: Asked) -> list[Chip]:
    every = comparison.streams.values()
    choices = [(each.name, each.title, comparison.count(each.name, wanted.kind)) for each in every]
    return chips("stream", choices, wanted.stream)


def _recent(workspace: Workspace, pair: tuple[Snapshot, Snapshot]) -> list[tuple[int, Any]]:
    """Snapshots to choose from, the newest first."""
    newest = Snapshot.objects.filter(workspace=workspace).order_by("-seq").values_list("seq", "published_at")
    found = dict(newest[:RECENT]) | {each.seq: each.published_at for each in pair}
    return sorted(found.items(), reverse=True)


def _query(comparison: Comparison, query: Mapping[str, Any]) -> str:
    kept = {name: query[name] for name in ("stream", "kind", "q", "field", "logs", "plain") if query.get(name)}
    return urlencode({"from": comparison.older.seq, "to": comparison.newer.seq, **kept})
