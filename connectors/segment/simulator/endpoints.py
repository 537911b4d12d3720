"""The paths that are served: a table, one entry each."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from . import extras
from .tokens import Role
from .world import World, minimal

Json = Any
End = Literal["absent", "null"]
Parent = Literal["", "sources", "destinations", "warehouses", "plans", "users", "groups"]


class View:
    """A workspace as the holder of one token sees it.

    Whether the real service filters or refuses is not established. Here a member's lists lack every third source
    without a word, with its destinations, and write keys are left out: they need the role of a source admin.
    """

    def __init__(self, world: World, role: Role) -> None:
        self.world = world
        self.role = role

    @cached_property
    def hidden(self) -> frozenset[str]:
        """Ids of the sources that are kept from it."""
        hidden = (source["id"] for source in self.world.sources[2::3]) if self.role != "owner" else ()
        return frozenset(hidden)

    def sources(self, sources: Sequence[Json]) -> list[Json]:
        seen = (source for source in sources if source["id"] not in self.hidden)
        return list(seen) if self.role == "owner" else [{**source, "writeKeys": []} for source in seen]

    def destinations(self, destinations: Sequence[Json]) -> list[Json]:
        return [destination for destination in destinations if destination["sourceId"] not in self.hidden]

    def may_open(self, parent: Parent, number: int) -> bool:
        """Whether it may read below one record."""
        if parent == "sources":
            return self.world.sources[number]["id"] not in self.hidden
        return parent != "destinations" or self.world.destinations[number]["sourceId"] not in self.hidden


@dataclass(frozen=True)
class Ask:
    """One question: who asks, about which record of the parent (by its number), with which parameters."""

    view: View
    number: int
    query: Mapping[str, str]
    user_permissions: bool

    @property
    def world(self) -> World:
        return self.view.world


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """One path.

    answer      the items of a list, or the whole data of an object; items may be encoded already
    key         where the list stands in the data, "" for an object
    parent      collection whose record the id in the path names
    end         what `next` is on the last page
    total       whether `totalEntries` is given
    per_minute  the documented limit, None for the common one
    role        the least role that may read it
    off         status in a workspace without the feature, 0 when every workspace has it
    choices     parameters that take one of these values; a name with "!" must be given
    """

    path: str
    answer: Callable[[Ask], Json]
    key: str = ""
    parent: Parent = ""
    paged: bool = True
    end: End = "absent"
    total: bool = True
    per_minute: int | None = None
    role: Role = "member"
    off: int = 0
    choices: Mapping[str, Sequence[str]] | None = None

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        return re.compile(re.sub(r"\{\w+\}", "([^/]+)", self.path))

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
    start, end = ask.query.get("startTime", ""), ask.query.get("endTime", "9")
    alike = {name: ask.query[name] for name in ("resourceId", "resourceType") if name in ask.query}
    return [
        event
        for event in extras.audit_events(ask.world)
        if start <= event["timestamp"] < end and all(event[name] == value for name, value in alike.items())
    ]


def _regulations(ask: Ask) -> list[Json]:
    return [it for it in extras.regulations(ask.world) if ask.query.get("status", it["status"]) == it["status"]]


def _transformations(ask: Ask) -> list[Json]:
    return [it for it in extras.transformations(ask.world) if it["sourceId"] not in ask.view.hidden]


PLAN_TYPES = ("ENGAGE", "LIVE", "PROPERTY_LIBRARY", "RULE_LIBRARY", "TEMPLATE")
STATUSES = ("FAILED", "FINISHED", "INITIALIZED", "INVALID", "NOT_SUPPORTED", "PARTIAL_SUCCESS", "RUNNING")

# fmt: off
ENDPOINTS = (
    Endpoint(path="/", answer=lambda ask: {"workspace": ask.world.workspace}, role="minimal"),
    Endpoint(path="/sources", key="sources", answer=lambda ask: ask.view.sources(ask.world.sources)),
    Endpoint(path="/sources/{sourceId}", parent="sources", answer=_source),
    Endpoint(path="/sources/{sourceId}/settings", parent="sources",
             answer=lambda ask: ask.world.source_settings(ask.number)),
    Endpoint(path="/sources/{sourceId}/connected-destinations", parent="sources", key="destinations",
             answer=_source_destinations),
    Endpoint(path="/sources/{sourceId}/connected-warehouses", parent="sources", key="warehouses",
             answer=_source_warehouses),
    Endpoint(path="/destinations", key="destinations", end="null",
             answer=lambda ask: ask.view.destinations(ask.world.destinations)),
    Endpoint(path="/destination/{destinationId}/filters", parent="destinations", key="filters", end="null",
             answer=lambda ask: extras.filters(ask.world, ask.number)),
    Endpoint(path="/destinations/{destinationId}/subscriptions", parent="destinations", key="subscriptions",
             total=False, answer=lambda ask: extras.subscriptions(ask.world, ask.number)),
    Endpoint(path="/warehouses", key="warehouses", end="null", answer=lambda ask: ask.world.warehouses),
    Endpoint(path="/warehouses/{warehouseId}/connected-sources", parent="warehouses", key="sources", end="null",
             answer=lambda ask: ask.view.sources(ask.world.warehouse_sources(ask.number))),
    Endpoint(path="/tracking-plans", key="trackingPlans", choices={"type": PLAN_TYPES}, answer=_plans),
    Endpoint(path="/tracking-plans/{trackingPlanId}/rules", parent="plans", key="rules", per_minute=200,
             answer=lambda ask: ask.world.rules(ask.number)),
    Endpoint(path="/tracking-plans/{trackingPlanId}/sources", parent="plans", key="sources", end="null",
             answer=lambda ask: ask.view.sources(ask.world.plan_sources(ask.number))),
    Endpoint(path="/transformations", key="transformations", answer=_transformations),
    Endpoint(path="/users", key="users", role="owner", answer=_users),
    Endpoint(path="/users/{userId}", parent="users", role="owner",
             answer=lambda ask: {"user": ask.world.users[ask.number]}),
    Endpoint(path="/users/{userId}/groups", parent="users", key="groups", role="owner",
             answer=lambda ask: ask.world.user_groups(ask.number)),
    Endpoint(path="/groups", key="userGroups", role="owner", answer=lambda ask: ask.world.groups),
    Endpoint(path="/groups/{userGroupId}/users", parent="groups", key="users", role="owner", end="null",
             answer=lambda ask: ask.world.group_users(ask.number)),
    Endpoint(path="/groups/{userGroupId}/invites", parent="groups", key="emails", role="owner", total=False,
             answer=lambda ask: ask.world.group_invites(ask.number)),
    Endpoint(path="/roles", key="roles", role="owner", answer=lambda ask: ask.world.roles),
    Endpoint(path="/invites", key="invites", role="owner", total=False, answer=lambda ask: ask.world.invites),
    Endpoint(path="/labels", key="labels", paged=False, answer=lambda ask: ask.world.labels),
    Endpoint(path="/audit-events", key="events", role="owner", total=False, answer=_audit),
    Endpoint(path="/functions", key="functions", choices={"resourceType!": tuple(extras.FUNCTIONS)},
             answer=lambda ask: extras.functions(ask.world, ask.query["resourceType"])),
    Endpoint(path="/regulations", key="regulations", role="owner", choices={"status": STATUSES}, answer=_regulations),
    Endpoint(path="/suppressions", key="suppressed", role="owner", total=False, end="null",
             answer=lambda ask: extras.suppressions(ask.world)),
    Endpoint(path="/spaces", key="spaces", off=403, answer=lambda ask: extras.spaces(ask.world)),
    Endpoint(path="/credentials", key="credentials", role="owner", answer=lambda ask: extras.credentials(ask.world)),
    Endpoint(path="/reverse-etl-models", key="models", off=404, answer=lambda ask: extras.models(ask.world)),
)
# fmt: on
