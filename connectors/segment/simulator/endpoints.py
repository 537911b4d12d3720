"""The paths that are served: a table, one entry each."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, Literal

from . import delivery, engage, extras, functions, params, usage, warehousing
from .params import Param
from .tokens import Role
from .view import Ask
from .world import Kind, minimal

Json = Any
End = Literal["absent", "null"]

# the name of a place in a path -> the listing whose record stands there
PLACES: Mapping[str, Kind] = {
    "sourceId": "sources",
    "destinationId": "destinations",
    "warehouseId": "warehouses",
    "trackingPlanId": "plans",
    "userId": "users",
    "userGroupId": "groups",
    "spaceId": "spaces",
    "functionId": "functions",
}


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """One path. Its places say whose ids stand in it (see PLACES); it may have several.

    answer      the items of a list, or the whole data of an object; items may be encoded already
    key         where the list stands in the data, "" for an object
    beside      what stands beside a list
    end         what `next` is on the last page
    total       whether `totalEntries` is given
    most        the most items that may be asked for on a page
    per_minute  the documented limit, None for the common one
    role        the least role that may read it
    off         status in a workspace without the feature, 0 when every workspace has it
    params      parameters and what they must be; a name with "!" must be given
    effect      that merely asking does something in the real service: writes an event, opens a connection
    """

    path: str
    answer: Callable[[Ask], Json]
    key: str = ""
    beside: Callable[[Ask], dict[str, Json]] = lambda ask: {}
    paged: bool = True
    end: End = "absent"
    total: bool = True
    most: int = 1000
    per_minute: int | None = None
    role: Role = "member"
    off: int = 0
    params: Mapping[str, Param] = field(default_factory=dict)
    effect: bool = False

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """What matches the paths it answers, with a group for each place."""
        return re.compile(re.sub(r"\{\w+\}", "([^/]+)", self.path))

    @cached_property
    def kinds(self) -> tuple[Kind, ...]:
        """The listings whose records its places name, in their order."""
        return tuple(PLACES[name] for name in re.findall(r"\{(\w+)\}", self.path))

    @cached_property
    def queried(self) -> dict[str, Kind]:
        """Its parameters that are ids, and of what."""
        return {name.rstrip("!"): kind for name, kind in self.params.items() if params.is_kind(kind)}

    @property
    def fast(self) -> bool:
        """Whether the service lets anybody page through it in earnest."""
        return self.paged and (self.per_minute or 1000) >= 25

    def path_of(self, idents: Sequence[str]) -> str:
        """The path with these ids in its places."""
        given = iter(idents)
        return re.sub(r"\{\w+\}", lambda place: next(given), self.path)

    def allows(self, role: Role) -> bool:
        """Whether a token of that role may read it. A minimal one sees the workspace alone: not established either."""
        order: tuple[Role, ...] = ("minimal", "member", "owner")
        return order.index(role) >= order.index(self.role)


def _users(ask: Ask) -> list[Json]:
    return ask.world.users if ask.user_permissions else [minimal(user) for user in ask.world.users]


def _source(ask: Ask) -> Json:
    [source] = ask.view.sources([ask.world.sources[ask.number]])
    return {"source": source, "trackingPlanId": ask.world.plan_of(ask.number)}


def _source_destinations(ask: Ask) -> list[Json]:
    source = ask.world.sources[ask.number]["id"]
    return [destination for destination in ask.world.destinations if destination["sourceId"] == source]


def _source_warehouses(ask: Ask) -> list[Json]:
    held = enumerate(ask.world.company.warehouses)
    return [ask.world.warehouses[at] for at, (_, _, sources) in held if ask.number in sources]


def _plans(ask: Ask) -> list[Json]:
    return [plan for plan in ask.world.plans if ask.query.get("type", plan["type"]) == plan["type"]]


def _audit(ask: Ask) -> list[Json]:
    start, end = (params.moment(name, ask.query.get(name, other))
                  for name, other in (("startTime", "2000-01-01"), ("endTime", "9999-01-01")))  # fmt: skip
    alike = {name: ask.query[name] for name in ("resourceId", "resourceType") if name in ask.query}
    return [
        event
        for event in extras.audit_events(ask.world)
        if start <= params.moment("", event["timestamp"]) < end
        and all(event[name] == value for name, value in alike.items())
    ]


def _functions(ask: Ask) -> list[Json]:
    return [it for it in ask.world.functions if it["resourceType"] == ask.query["resourceType"]]


def _regulations(ask: Ask) -> list[Json]:
    return [it for it in extras.regulations(ask.world) if ask.query.get("status", it["status"]) == it["status"]]


PLAN_TYPES = ("ENGAGE", "LIVE", "PROPERTY_LIBRARY", "RULE_LIBRARY", "TEMPLATE")
STATUSES = ("FAILED", "FINISHED", "INITIALIZED", "INVALID", "NOT_SUPPORTED", "PARTIAL_SUCCESS", "RUNNING")
STEPS = tuple(delivery.STEPS)
SPAN: Mapping[str, Param] = {"startTime!": "time", "endTime!": "time", "granularity!": STEPS}
AT_SOURCE: Mapping[str, Param] = {"sourceId!": "sources", **SPAN}
AT_DESTINATION: Mapping[str, Param] = {"sourceId!": "sources", "destinationConfigId!": "destinations", **SPAN}

# fmt: off
ENDPOINTS = (
    Endpoint(path="/", answer=lambda ask: {"workspace": ask.world.workspace}, role="minimal"),
    Endpoint(path="/sources", key="sources", answer=lambda ask: ask.view.sources(ask.world.sources)),
    Endpoint(path="/sources/{sourceId}", answer=_source),
    Endpoint(path="/sources/{sourceId}/settings", answer=lambda ask: ask.world.source_settings(ask.number)),
    Endpoint(path="/sources/{sourceId}/connected-destinations", key="destinations", answer=_source_destinations),
    Endpoint(path="/sources/{sourceId}/connected-warehouses", key="warehouses", answer=_source_warehouses),
    Endpoint(path="/destinations", key="destinations", end="null",
             answer=lambda ask: ask.view.of_sources(ask.world.destinations)),
    Endpoint(path="/destination/{destinationId}/filters", key="filters", end="null",
             answer=lambda ask: extras.filters(ask.world, ask.number)),
    Endpoint(path="/destinations/{destinationId}/subscriptions", key="subscriptions", total=False,
             answer=lambda ask: extras.subscriptions(ask.world, ask.number)),
    Endpoint(path="/destinations/{destinationId}/delivery-metrics", answer=delivery.metrics,
             params={"sourceId!": "sources", "startTime": "time", "endTime": "time", "granularity": STEPS}),
    Endpoint(path="/warehouses", key="warehouses", end="null", answer=lambda ask: ask.world.warehouses),
    Endpoint(path="/warehouses/{warehouseId}/connected-sources", key="sources", end="null",
             answer=lambda ask: ask.view.sources(ask.world.warehouse_sources(ask.number))),
    Endpoint(path="/warehouses/{warehouseId}/advanced-sync-schedule", per_minute=2,
             answer=lambda ask: warehousing.schedule(ask.world, ask.number)),
    Endpoint(path="/warehouses/{warehouseId}/syncs", key="reports", per_minute=2, end="null", total=False,
             answer=lambda ask: ask.view.of_sources(warehousing.syncs(ask.world, ask.number))),
    Endpoint(path="/warehouses/{warehouseId}/connected-sources/{sourceId}/syncs", key="reports", per_minute=2,
             end="null", total=False,
             answer=lambda ask: warehousing.syncs(ask.world, ask.number, ask.at["sources"])),
    Endpoint(path="/warehouses/{warehouseId}/connected-sources/{sourceId}/selective-syncs", key="items", per_minute=2,
             answer=lambda ask: warehousing.selection(ask.world, ask.number, ask.at["sources"])),
    Endpoint(path="/warehouses/{warehouseId}/connection-state", per_minute=200, effect=True,
             answer=lambda ask: {"connectionState": "CONNECTED"}),
    Endpoint(path="/tracking-plans", key="trackingPlans", params={"type": PLAN_TYPES}, answer=_plans),
    Endpoint(path="/tracking-plans/{trackingPlanId}/rules", key="rules", per_minute=200,
             answer=lambda ask: ask.world.rules(ask.number)),
    Endpoint(path="/tracking-plans/{trackingPlanId}/sources", key="sources", end="null",
             answer=lambda ask: ask.view.sources(ask.world.plan_sources(ask.number))),
    Endpoint(path="/transformations", key="transformations",
             answer=lambda ask: ask.view.of_sources(extras.transformations(ask.world))),
    Endpoint(path="/users", key="users", role="owner", answer=_users),
    Endpoint(path="/users/{userId}", role="owner", answer=lambda ask: {"user": ask.world.users[ask.number]}),
    Endpoint(path="/users/{userId}/groups", key="groups", role="owner",
             answer=lambda ask: ask.world.user_groups(ask.number)),
    Endpoint(path="/groups", key="userGroups", role="owner", answer=lambda ask: ask.world.groups),
    Endpoint(path="/groups/{userGroupId}/users", key="users", role="owner", end="null",
             answer=lambda ask: ask.world.group_users(ask.number)),
    Endpoint(path="/groups/{userGroupId}/invites", key="emails", role="owner", total=False,
             answer=lambda ask: ask.world.group_invites(ask.number)),
    Endpoint(path="/roles", key="roles", role="owner", answer=lambda ask: ask.world.roles),
    Endpoint(path="/invites", key="invites", role="owner", total=False, answer=lambda ask: ask.world.invites),
    Endpoint(path="/labels", key="labels", paged=False, answer=lambda ask: ask.world.labels),
    Endpoint(path="/audit-events", key="events", role="owner", total=False, answer=_audit,
             params={"startTime": "time", "endTime": "time"}),
    Endpoint(path="/functions", key="functions", params={"resourceType!": tuple(functions.NAMES)}, answer=_functions),
    Endpoint(path="/functions/{functionId}", answer=lambda ask: functions.detail(ask.world, ask.number)),
    Endpoint(path="/insert-function-instances", key="instances", params={"functionId!": "functions"},
             answer=lambda ask: functions.instances(ask.world, ask.number)),
    Endpoint(path="/regulations", key="regulations", role="owner", params={"status": STATUSES}, answer=_regulations),
    Endpoint(path="/suppressions", key="suppressed", role="owner", total=False, end="null",
             answer=lambda ask: extras.suppressions(ask.world)),
    Endpoint(path="/spaces", key="spaces", off=403, answer=lambda ask: ask.world.spaces),
    Endpoint(path="/spaces/{spaceId}/audiences", key="audiences", off=403, per_minute=60, most=200,
             params={"include": ("schedules",)}, answer=engage.audiences),
    Endpoint(path="/spaces/{spaceId}/computed-traits", key="computedTraits", off=403, per_minute=25,
             answer=lambda ask: engage.traits(ask.world, ask.number)),
    Endpoint(path="/spaces/{spaceId}/profiles-warehouses", key="profilesWarehouses", off=403, total=False, effect=True,
             answer=lambda ask: engage.profiles_warehouses(ask.world, ask.number)),
    Endpoint(path="/credentials", key="credentials", role="owner", answer=lambda ask: extras.credentials(ask.world)),
    Endpoint(path="/reverse-etl-models", key="models", off=404, answer=lambda ask: extras.models(ask.world)),
    *(Endpoint(path=f"/usage/{path}/daily", key=key, role="owner", params={"period!": "month"}, answer=answer)
      for path, key, answer in usage.LISTS),
    *(Endpoint(path=f"/delivery-overview/{stage}", key="dataset", params=needed,
               answer=partial(delivery.dataset, stage), beside=partial(delivery.total, stage))
      for stages, needed in ((delivery.AT_SOURCE, AT_SOURCE), (delivery.AT_DESTINATION, AT_DESTINATION))
      for stage in stages),
)
# fmt: on
