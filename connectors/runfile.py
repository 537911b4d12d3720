"""A run as a file for support: all that the portal knows of it, without secrets; a function of what is stored.

Format `compliance-portal-run`, version 1. Times are ISO 8601 with their zone, lengths are seconds. Names of people,
of the workspace and of the token's fingerprint are in it; records, answers, tokens and cursors are not: a cursor may
hold what it points at, so its sha256 stands in its place.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import unquote_plus

from portal.pages import without_secrets

from . import runfacts, runlines, timings, troubleshooting
from .models import RunStream, SyncRun
from .spec import ANOMALIES, Connector
from .timings import Asked, Figures

FORMAT, VERSION = "compliance-portal-run", 1


def render(run: SyncRun, connector: Connector) -> bytes:
    """The file. Keys are in alphabetical order, so that two of them can be compared."""
    text = json.dumps(_plain(_content(run, connector)), indent=1, sort_keys=True)
    return f"{text}\n".encode()


def _plain(value: Any) -> Any:
    """As JSON has it. The last net is drawn through every text: what looks like a token is taken out."""
    match value:
        case dict():
            return {without_secrets(str(key)): _plain(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_plain(inner) for inner in value]
        case datetime():
            return value.isoformat()
        case timedelta():
            return value.total_seconds()
        case str():
            return without_secrets(value)
        case _:
            return value


def _content(run: SyncRun, connector: Connector) -> dict[str, Any]:
    rows = timings.asked(run, connector)
    figures = timings.by_stream(rows)
    streams = list(run.stream_rows.order_by("position"))
    quiet = timings.silence(rows)
    return {
        "format": FORMAT,
        "version": VERSION,
        "run": _run(run),
        "connection": _connection(run),
        "total": _figures(timings.figures(rows)),
        "longest_silence": asdict(quiet) if quiet else None,
        "slowest": [row.n for row in timings.slowest(rows)],
        "streams": [_stream(row, figures.get(row.stream, Figures())) for row in streams],
        "other_requests": _figures(figures.get("", Figures())),
        "not_requested": [
            {"stream": stream.name, "why": why}
            for stream, why in runlines.unasked(run, connector, {row.stream for row in streams})
        ],
        "anomalies": _anomalies(run),
        "missed": [
            {"due_at": row.due_at, "times": row.times, "code": row.code, "explanation": row.explanation}
            for row in runfacts.missed_near(run)
        ],
        "hints": _hints([run.error_code, *(row.code for row in streams)], connector),
        "requests": [_request(row, cursors(connector)) for row in rows],
    }


def _left(run: SyncRun, connector: Connector, rows: Iterable[RunStream]) -> list[dict[str, str]]:
    held = {row.stream for row in rows}
    return [{"stream": stream.name, "why": why} for stream, why in runlines.unasked(run, connector, held)]


_OF_RUN = (
    *("lane", "state", "trigger", "queued_at", "started_at", "heartbeat_at", "resume_at", "finished_at", "now"),
    *("worker", "fence", "lost", "plan", "app_version", "token_fingerprint", "streams"),
    *("requests_done", "requests_expected", "records", "error_code", "error_detail"),
)


def _run(run: SyncRun) -> dict[str, Any]:
    snapshot = runfacts.snapshot_of(run)
    return {name: getattr(run, name) for name in _OF_RUN} | {
        "number": run.pk,
        "asked_by": run.requested_by.username if run.requested_by else None,
        "token": runfacts.token_of(run).words,
        "snapshot": snapshot.seq if snapshot else None,
    }


def _connection(run: SyncRun) -> dict[str, Any]:
    connection, workspace = run.connection, run.connection.workspace
    names = ("name", "connector", "region", "environment", "state", "token_role", "groups", "keep_code", "error_code")
    return {name: getattr(connection, name) for name in names} | {
        "number": connection.pk,
        "workspace": {"id": workspace.remote_id, "name": workspace.name, "head": workspace.head} if workspace else None,
    }


def _figures(found: Figures) -> dict[str, Any]:
    return asdict(found) | {"span": found.span}


def _stream(row: RunStream, figures: Figures) -> dict[str, Any]:
    names = ("stream", "title", "state", "pages", "expected", "items", "claimed", "status", "code", "reason")
    return {name: getattr(row, name) for name in (*names, "anomaly", "changed_api")} | {
        "parts": {key: {"coverage": said[0], "reason": said[1]} for key, said in row.parts.items()},
        "figures": _figures(figures),
    }


def _anomalies(run: SyncRun) -> list[dict[str, Any]]:
    return [
        {
            "stream": each.stream,
            "kind": each.kind,
            "means": ANOMALIES.get(each.kind, (each.kind, ""))[1],
            "detail": each.detail,
            "acknowledged_at": each.acknowledged_at,
        }
        for each in runfacts.anomalies_of(run)
    ]


def _hints(codes: Iterable[str], connector: Connector) -> dict[str, Any]:
    return {code: asdict(troubleshooting.hint(code, connector)) for code in codes if code}


# --- requests -------------------------------------------------------------------------------------


def cursors(connector: Connector) -> frozenset[str]:
    """The parameters in which a service's cursors travel."""
    return frozenset(set(connector.paging.params(1, "cursor")) - set(connector.paging.params(1, None)))


def _request(row: Asked, names: frozenset[str]) -> dict[str, Any]:
    return {name: getattr(row, name) for name in _ASKED} | {
        "query": without_cursors(row.query, names),
        "sha256": row.sha256.hex(),
    }


_ASKED = ("n", "stream", "path", "status", "attempt", "again", "waited", "sent_at", "ms", "size", "request_id")


def without_cursors(query: str, names: frozenset[str]) -> str:
    """The query with a digest in the place of each cursor: equal ones can still be told from others."""
    parts = (part.partition("=") for part in query.split("&"))
    masked = ((name, sign, _masked(value) if unquote_plus(name) in names else value) for name, sign, value in parts)
    return "&".join("".join(each) for each in masked)


def _masked(value: str) -> str:
    return f"sha256:{hashlib.sha256(value.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}"
