"""What is counted: monthly tracked users, API calls, and events delivered, dropped and filtered."""

from collections.abc import Mapping, Sequence
from datetime import UTC, timedelta

from ...spec import DROP, KEEP, Given, Group, Json, Moment, Record, Shape, Stream, Way
from .common import DOCS, OWNER, READS_SOURCES, SOURCE_READER

USAGE = Group(
    "usage",
    "Usage",
    "Tracked users and API calls, day by day, as Segment counts them.",
    why="It shows how many people are tracked and how much is sent, so that a new flow or a silent source stands out.",
)
DELIVERY_FIGURES = Group(
    "delivery",
    "Delivery figures",
    "How many events came in, went out, failed or were filtered on the last whole day (UTC).",
    standard=False,
    caution="Costs three requests for every source and four for every destination, at every reading: with 300 sources "
    "and 900 destinations 4,500 requests more.",
    why="It shows that filters and plans do stop events, and which destinations lose them.",
)
LATE_DAYS = 5  # so long after a month's end its figures are read again, for corrections that come late

USERS_COUNTED: Shape = {
    "timestamp": KEEP,
    "periodStart": KEEP,
    "periodEnd": KEEP,
    "anonymous": KEEP,
    "anonymousIdentified": KEEP,
    "identified": KEEP,
    "neverIdentified": KEEP,
}
CALLS_COUNTED: Shape = {"timestamp": KEEP, "apiCalls": KEEP}
METRICS: Shape = {
    "total": KEEP,
    "dataset": [
        {
            "total": KEEP,
            "totalRetryCount": KEEP,
            "series": DROP,  # the same total, once more, as the only point of the only day
            # Only what is asked for in groups has these, and nothing is.
            "eventName": DROP,
            "appVersion": DROP,
            "eventType": DROP,
            "discardReason": DROP,
        }
    ],
    "pagination": DROP,
}


def _months(moment: Moment) -> Sequence[Mapping[str, str]]:
    this = moment.now.astimezone(UTC).date().replace(day=1)
    before = (this - timedelta(days=1)).replace(day=1)
    late = moment.now.astimezone(UTC).day <= LATE_DAYS
    return tuple({"period": month.isoformat()} for month in ([before, this] if late else [this]))


def _last_day(moment: Moment) -> Sequence[Mapping[str, str]]:
    today = moment.now.astimezone(UTC).date()
    day = today - timedelta(days=1)
    return ({"startTime": f"{day}T00:00:00Z", "endTime": f"{today}T00:00:00Z", "granularity": "DAY"},)


def _of_source(given: Given, item: Json) -> Json:
    return {**item, "sourceId": given["id"], "day": given["startTime"][:10]} if isinstance(item, dict) else item


def _of_destination(given: Given, item: Json) -> Json:
    own = {"destinationId": given["id"], "sourceId": given["sourceId"], "day": given["startTime"][:10]}
    return {**item, **own} if isinstance(item, dict) else item


def _has_source(destination: Record) -> bool:
    return bool(destination.get("sourceId"))


def _daily(name: str, title: str, path: str, items: str, shape: Shape) -> Stream:
    return Stream(
        name=name,
        title=title,
        group=USAGE,
        about="Running totals of this month, and of the month before during its first days.",
        ways=(Way(path=path, items=items, listings=_months),),
        key=("sourceId", "timestamp") if "sourceId" in shape else ("timestamp",),
        shape=shape,
        gate=OWNER,
        grows=True,
        source=DOCS + "Monthly-Tracked-Users" if "mtu" in path else DOCS + "API-Calls",
    )


def _overview(name: str, title: str, about: str, path: str, *, at_source: bool = False) -> Stream:
    own = ("sourceId", "day") if at_source else ("destinationId", "sourceId", "day")
    way = (
        Way(
            path=path,
            parent="sources",
            query={"sourceId": "{id}"},
            listings=_last_day,
            paged=False,
            record=_of_source,
        )
        if at_source
        else Way(
            path=path,
            parent="destinations",
            query={"sourceId": "{sourceId}", "destinationConfigId": "{id}"},
            listings=_last_day,
            paged=False,
            ask=_has_source,
            record=_of_destination,
        )
    )
    return Stream(
        name=name,
        title=title,
        group=DELIVERY_FIGURES,
        about=about,
        ways=(way,),
        key=(own[0], "day"),
        shape={**dict.fromkeys(own, KEEP), **METRICS},
        gate=SOURCE_READER,
        roles=(READS_SOURCES,),
        grows=True,
        source=DOCS + "Delivery-Overview",
    )


DAILY = (
    _daily("usage_mtu", "Tracked users", "/usage/mtu/daily", "dailyWorkspaceMTUUsage", USERS_COUNTED),
    _daily("usage_api_calls", "API calls", "/usage/api-calls/daily", "dailyWorkspaceAPICallsUsage", CALLS_COUNTED),
    _daily(
        "usage_mtu_by_source",
        "Tracked users by source",
        "/usage/mtu/sources/daily",
        "dailyPerSourceMTUUsage",
        {"sourceId": KEEP, **USERS_COUNTED},
    ),
    _daily(
        "usage_api_calls_by_source",
        "API calls by source",
        "/usage/api-calls/sources/daily",
        "dailyPerSourceAPICallsUsage",
        {"sourceId": KEEP, **CALLS_COUNTED},
    ),
)
DELIVERY_METRICS = Stream(
    name="delivery_metrics",
    title="Delivery by outcome",
    group=DELIVERY_FIGURES,
    about="Successes, retries, discards and times of delivery of each destination on the last whole day.",
    ways=(
        Way(
            path="/destinations/{id}/delivery-metrics",
            items="deliveryMetricsSummary",
            parent="destinations",
            query={"sourceId": "{sourceId}"},
            listings=_last_day,
            paged=False,
            ask=_has_source,
            record=_of_destination,
        ),
    ),
    key=("destinationId", "day"),
    shape={
        "destinationId": KEEP,
        "sourceId": KEEP,
        "day": KEEP,
        "destinationMetadataId": KEEP,
        "metrics": [{"metricName": KEEP, "total": KEEP, "breakdown": [{"metricName": KEEP, "value": KEEP}]}],
    },
    gate=SOURCE_READER,
    roles=(READS_SOURCES,),
    grows=True,
    source=DOCS + "Destinations",
)
DELIVERY = (
    _overview(
        "delivery_received",
        "Events received",
        "Events that Segment received from each source.",
        "/delivery-overview/successfully-received",
        at_source=True,
    ),
    _overview(
        "delivery_failed_on_ingest",
        "Events failed on ingest",
        "Events of each source that Segment could not take in.",
        "/delivery-overview/failed-on-ingest",
        at_source=True,
    ),
    _overview(
        "delivery_filtered_at_source",
        "Events filtered at the source",
        "Events of each source that its settings or a tracking plan stopped.",
        "/delivery-overview/filtered-at-source",
        at_source=True,
    ),
    _overview(
        "delivery_successful",
        "Events delivered",
        "Events that reached each destination.",
        "/delivery-overview/successful-delivery",
    ),
    _overview(
        "delivery_failed",
        "Events not delivered",
        "Events that failed to reach each destination.",
        "/delivery-overview/failed-delivery",
    ),
    _overview(
        "delivery_filtered_at_destination",
        "Events filtered at the destination",
        "Events that filters and mappings kept from each destination.",
        "/delivery-overview/filtered-at-destination",
    ),
    DELIVERY_METRICS,
)
