"""Requests to delete or suppress end users, and Segment's own record of who changed what."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from urllib.parse import unquote

from ...spec import DROP, KEEP, PRINT, PRINTS, Given, Group, Json, Moment, Stream, Way, one_of
from .common import BUSINESS, DOCS, OWNER, PRIVACY_ADMIN

PRIVACY = Group(
    "privacy",
    "Deletion and suppression",
    "Requests to delete or suppress end users, and what became of them.",
    why="It shows that requests to delete or suppress people were taken up, and how each of them ended.",
)
AUDIT_TRAIL = Group(
    "audit-trail",
    "Audit trail",
    "Who changed what in the workspace, as Segment itself records it.",
    why="It explains what snapshots can only show: who made a change, and what was changed and changed back "
    "between two of them.",
)

OVERLAP = timedelta(seconds=1)  # so that the newest known event comes again, whether or not startTime is inclusive


def _suppressed(given: Given, item: Json) -> Json:
    """The ids of one entry as one text, which the shape turns into a fingerprint, and how many there are."""
    ids = item.get("subjectIds") if isinstance(item, dict) else None
    if not isinstance(ids, list):
        return item
    return {**item, "subjects": json.dumps(sorted(map(str, ids))), "count": len(ids)}


def _since(moment: Moment) -> Sequence[Mapping[str, str]]:
    """From the newest known event on, that one included; everything when none is known."""
    try:
        newest = datetime.fromisoformat(unquote(moment.since.partition("/")[0]))
    except ValueError:
        return ({},)
    start = newest.replace(tzinfo=newest.tzinfo or UTC).astimezone(UTC) - OVERLAP
    return ({"startTime": start.strftime("%Y-%m-%dT%H:%M:%SZ")},)


REGULATIONS = Stream(
    name="regulations",
    title="Deletion and suppression requests",
    group=PRIVACY,
    about="Requests of the last 90 days, which Segment then forgets. End users are kept as keyed fingerprints.",
    ways=(Way(path="/regulations", items="regulations"),),
    key=("id",),
    shape={
        "id": KEEP,
        "subjectType": KEEP,
        "subjects": PRINTS,
        "status": one_of("FAILED", "FINISHED", "INITIALIZED", "INVALID", "NOT_SUPPORTED", "PARTIAL_SUCCESS", "RUNNING"),
        "regulationType": one_of(
            "DELETE_ARCHIVE_ONLY",
            "DELETE_INTERNAL",
            "DELETE_ONLY",
            "SUPPRESS_ONLY",
            "SUPPRESS_WITH_DELETE",
            "SUPPRESS_WITH_DELETE_INTERNAL",
            "UNSUPPRESS",
        ),
        "createdAt": KEEP,
        "finishedAt": KEEP,
    },
    gate="Workspace Owner or role End User Privacy Admin",
    roles=(PRIVACY_ADMIN,),
    grows=True,
    source=DOCS + "Deletion-and-Suppression",
)
SUPPRESSIONS = Stream(
    name="suppressions",
    title="Suppressed end users",
    group=PRIVACY,
    about="End users of whom nothing may be collected, as keyed fingerprints.",
    ways=(Way(path="/suppressions", items="suppressed", record=_suppressed),),
    repeats=True,  # its cursors name single requests, so a person may stand in it once for each
    key=("subjectType", "subjects"),
    shape={"subjectType": KEEP, "subjectIds": DROP, "subjects": PRINT, "count": KEEP},
    gate="Workspace Owner or role End User Privacy Admin",
    roles=(PRIVACY_ADMIN,),
    source=DOCS + "Deletion-and-Suppression",
)
AUDIT_EVENTS = Stream(
    name="audit_events",
    title="Audit trail",
    group=AUDIT_TRAIL,
    about="Every change that Segment records: when, what, by whom. Read from the newest known one on.",
    ways=(Way(path="/audit-events", items="events", listings=_since),),
    key=("timestamp", "id"),
    shape={
        "id": KEEP,
        "timestamp": KEEP,
        "type": KEEP,
        "actor": KEEP,
        "actorEmail": KEEP,
        "resourceId": KEEP,
        "resourceType": KEEP,
        "resourceName": KEEP,
    },
    gate=f"Business plan; {OWNER}",
    plan=BUSINESS,
    feature="Audit trail",
    grows=True,
    timed=True,
    source=DOCS + "Audit-Trail",
)
