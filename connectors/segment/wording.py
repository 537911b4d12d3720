"""How changes of a workspace are told: what a record of each stream is, what it is called, and where it belongs."""

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from ..spec import (
    ABSENT,
    AuditTrail,
    Beside,
    Cell,
    Compare,
    Difference,
    Event,
    Json,
    Record,
    Trail,
    Wording,
    name_of,
    no_name,
)
from . import schemas
from .reports import alterations, fields

TOKEN = "public-api-token/"  # noqa: S105 - how an actor begins that is a token


# --- fields with words of their own -------------------------------------------------------------


def as_lines(title: str, words: Callable[[Json], Cell]) -> Compare:
    """A field that is told as lines: which of them came, and which went."""

    def compare(path: str, before: Json, after: Json) -> Sequence[Difference]:
        old, new = _lines(words(before)), _lines(words(after))
        gone, come = list((Counter(old) - Counter(new)).elements()), list((Counter(new) - Counter(old)).elements())
        if not gone and not come:
            # What the words leave out is different, or only the order is.
            same = json.dumps(before, sort_keys=True) == json.dumps(after, sort_keys=True)
            return () if same else (Difference(path, f"{title} were put in another order or form", before, after),)
        said = [f"“{each}” added" for each in come] + [f"“{each}” removed" for each in gone]
        told = ", ".join(said) if len(said) <= 2 else f"{len(come)} added, {len(gone)} removed"
        return (Difference(path, f"{title}: {told}", old or ABSENT, new or ABSENT),)

    return compare


def _lines(cell: Cell) -> list[str]:
    return list(cell) if isinstance(cell, tuple) else []


def rights(path: str, before: Json, after: Json) -> Sequence[Difference]:
    """Roles with what each is for."""
    old, new = _rights(before), _rights(after)
    found = [
        Difference(f"{path}.{role}", f"role “{role}” was given{on}", after=f"{role}{on}")
        for role, on in _only(new, old)
    ]
    found += [
        Difference(f"{path}.{role}", f"role “{role}” was taken away", before=f"{role}{on}")
        for role, on in _only(old, new)
    ]
    for role in sorted(old.keys() & new.keys()):
        if old[role] != new[role]:
            words = f"role “{role}” is now for other resources ({len(old[role])} before, {len(new[role])} now)"
            found.append(Difference(f"{path}.{role}", words, sorted(old[role]), sorted(new[role])))
    return found


def _only(these: dict[str, Counter[str]], those: dict[str, Counter[str]]) -> list[tuple[str, str]]:
    return [(role, _for(these[role])) for role in sorted(these.keys() - those.keys())]


def _for(resources: Counter[str]) -> str:
    kinds = Counter(each.partition(" ")[0].lower() for each in resources.elements())
    said = ", ".join(fields.many(number, kind) for kind, number in sorted(kinds.items()))
    return f" for {said}" if said else ""


def _rights(value: Json) -> dict[str, Counter[str]]:
    found: dict[str, Counter[str]] = {}
    for each in value if isinstance(value, list) else ():
        role = fields.word(fields.at(each, "roleName")) or fields.word(fields.at(each, "roleId"), "(unreadable)")
        held = fields.at(each, "resources")
        named = [
            f"{fields.word(fields.at(one, 'type'), 'RESOURCE')} {fields.word(fields.at(one, 'id'))} "
            f"{fields.labels(fields.at(one, 'labels')) or ''}".rstrip()
            for one in (held if isinstance(held, list) else ())
        ]
        labels = _lines(fields.labels(fields.at(each, "labels")))
        found.setdefault(role, Counter()).update([*named, *(f"LABEL {label}" for label in labels)])
    return found


def code(path: str, before: Json, after: Json) -> Sequence[Difference]:
    """A program, known by its digest and its size."""
    old, new = fields.at(before, "sha256"), fields.at(after, "sha256")
    if old == new:
        return ()
    sizes = [fields.number(fields.at(each, "bytes")) for each in (before, after)]
    known = all(isinstance(each, int) for each in sizes)
    words = f"code was changed ({sizes[0]:,} bytes before, {sizes[1]:,} now)" if known else "code was changed"
    return (Difference(path, words, _program(before), _program(after)),)


def _program(value: Json) -> Json:
    if not isinstance(value, Mapping):
        return value
    return {name: inner for name, inner in value.items() if name != "text"}


# --- names --------------------------------------------------------------------------------------


def _rule(record: Record) -> str:
    """`Order Completed`, and which version where it is not the first; rules without a name are named by their kind."""
    kind, key = fields.word(record.get("type")), fields.word(record.get("key"))
    version = fields.word(record.get("version"))
    named = key or (f"all {kind.lower()} calls" if kind else "")
    return f"{named}, version {version}" if version not in ("", "1") else named


def _pair(record: Record) -> str:
    key, value = (fields.word(record.get(name)) for name in ("key", "value"))
    return f"{key}: {value}" if value else key


def _field(*names: str) -> Callable[[Record], str]:
    def name(record: Record) -> str:
        return " ".join(filter(None, (fields.word(record.get(each)) for each in names)))

    return name


def _event(record: Record) -> Event | None:
    at, resource = fields.word(record.get("timestamp")), fields.word(record.get("resourceId"))
    if not at or not resource:
        return None
    actor = fields.word(record.get("actor"))
    token = f"token {actor.removeprefix(TOKEN)}" if actor.startswith(TOKEN) else ""
    who = token or fields.word(record.get("actorEmail")) or actor
    return Event(at, fields.word(record.get("type")), who, fields.word(record.get("resourceType")), resource)


# --- the declarations ---------------------------------------------------------------------------

SOURCE = ("sourceId",)
DESTINATION = ("destinationId",)
OF_SOURCE = (Beside("of", "sources", SOURCE),)
ON_DESTINATION = (Beside("on", "destinations", DESTINATION),)
OF_SPACE = (Beside("of", "spaces", ("spaceId",)),)
OF_GROUP = Beside("of", "groups", ("groupId",))
OF_WAREHOUSE = (Beside("of", "warehouses", ("warehouseId",)),)
FUNCTION = Beside("of", "functions", ("resourceType", "functionId"))

# Types of events, as the audit trail spells them; the API documents no list of them.
# https://segment.com/docs/segment-app/iam/audit-trail/
ABOUT_SOURCE = Trail("source", "id", re.compile(r"Source (?!Run)|Schema|Write Key|Label"))
ABOUT_DESTINATION = Trail("integration", "id", re.compile("Integration|Destination (?!Filter)"))
ABOUT_FILTER = Trail("integration", "destinationId", re.compile("Destination Filter"))

FLOW = {
    "workspace": Wording(noun="workspace"),
    "labels": Wording(noun="label", name=_pair),
    "sources": Wording(noun="source", trail=ABOUT_SOURCE, titles={"writeKeys": "write keys"}),
    "destinations": Wording(noun="destination", beside=OF_SOURCE, trail=ABOUT_DESTINATION),
    "warehouses": Wording(noun="warehouse", trail=Trail("warehouse", "id", re.compile("Warehouse"))),
    "warehouse_sources": Wording(
        noun="copying",
        name=no_name,
        beside=(Beside("of", "sources", SOURCE), Beside("to", "warehouses", ("warehouseId",))),
    ),
    "tracking_plans": Wording(
        noun="tracking plan", trail=Trail("tracking-plan", "id", re.compile("Tracking Plan|Protocols"))
    ),
    "tracking_plan_rules": Wording(
        noun="rule",
        name=_rule,
        beside=(Beside("of", "tracking_plans", ("trackingPlanId",)),),
        fields={"jsonSchema": schemas.compare},
        trail=Trail("tracking-plan", "trackingPlanId", re.compile("Tracking Plan (Modified|Updated|Rule)")),
    ),
    "tracking_plan_sources": Wording(
        noun="connection",
        name=no_name,
        beside=(Beside("of", "sources", SOURCE), Beside("to", "tracking_plans", ("trackingPlanId",))),
    ),
    "source_settings": Wording(
        noun="enforcement",
        name=no_name,
        beside=(Beside("of", "tracking_plans", ("trackingPlanId",)), Beside("at", "sources", SOURCE)),
        titles={"commonEventOnViolations": "what happens to an event that breaks the plan"},
        trail=Trail("source", "sourceId", re.compile("Source Settings")),
    ),
}
ON_THE_WAY = {
    "destination_filters": Wording(
        noun="filter",
        beside=ON_DESTINATION,
        fields={"actions": as_lines("actions", alterations.actions)},
        titles={"if": "condition", "title": "name"},
        trail=ABOUT_FILTER,
    ),
    "destination_subscriptions": Wording(
        noun="mapping",
        beside=ON_DESTINATION,
        fields={"settings": as_lines("mapped fields", alterations.mapping)},
        titles={"reverseETLSchedule": "schedule"},
    ),
    "transformations": Wording(
        noun="transformation",
        beside=OF_SOURCE,
        titles={
            "if": "condition",
            "newEventName": "new name of the event",
            "propertyRenames": "renamed properties",
            "propertyValueTransformations": "fixed values",
            "fqlDefinedProperties": "computed properties",
            "allowProperties": "properties that are let through",
            "hashPropertiesConfiguration": "hashing",
        },
    ),
    "functions": Wording(noun="function"),
    "function_code": Wording(
        noun="code of function", fields={"code": code}, titles={"deployedAt": "time of deploying"}
    ),
    "insert_function_instances": Wording(noun="instance", beside=(FUNCTION,)),
}
ACTIVATION = {
    "reverse_etl_models": Wording(noun="reverse ETL model", beside=OF_SOURCE, fields={"query": code}),
    "spaces": Wording(noun="space"),
    "audiences": Wording(noun="audience", beside=OF_SPACE, titles={"definition.query": "definition"}),
    "computed_traits": Wording(noun="computed trait", beside=OF_SPACE, titles={"definition.query": "definition"}),
}
PEOPLE = {
    "users": Wording(noun="user", trail=Trail("user", "id", re.compile("User (?!Policy)|Invite"))),
    "user_permissions": Wording(
        noun="rights",
        name=no_name,
        beside=(Beside("of", "users", ("userId",)),),
        fields={"permissions": rights},
        trail=Trail("user", "userId", re.compile("User Policy|Policy|Permission")),
    ),
    "groups": Wording(noun="group", fields={"permissions": rights}, titles={"memberCount": "number of members"}),
    "group_users": Wording(
        noun="membership",
        name=no_name,
        beside=(Beside("of", "users", ("userId",)), Beside("in", "groups", ("groupId",))),
    ),
    "group_invites": Wording(noun="invitation for", name=_field("email"), beside=(OF_GROUP,)),
    "roles": Wording(noun="role"),
    "invites": Wording(noun="invitation for", name=_field("email")),
    "credentials": Wording(noun="credential"),
}
PRIVACY = {
    "regulations": Wording(noun="request", name=_field("regulationType", "id")),
    "suppressions": Wording(noun="suppression", name=_field("subjectType", "subjects")),
    "audit_events": Wording(noun="event", name=_field("type", "resourceName")),
}
USAGE = {
    "usage_mtu": Wording(noun="tracked users on", name=_field("timestamp")),
    "usage_api_calls": Wording(noun="API calls on", name=_field("timestamp")),
    "usage_mtu_by_source": Wording(noun="tracked users on", name=_field("timestamp"), beside=OF_SOURCE),
    "usage_api_calls_by_source": Wording(noun="API calls on", name=_field("timestamp"), beside=OF_SOURCE),
    "delivery_received": Wording(noun="events received on", name=_field("day"), beside=OF_SOURCE),
    "delivery_failed_on_ingest": Wording(noun="events failed on ingest on", name=_field("day"), beside=OF_SOURCE),
    "delivery_filtered_at_source": Wording(noun="events filtered on", name=_field("day"), beside=OF_SOURCE),
    "delivery_successful": Wording(noun="events delivered on", name=_field("day"), beside=ON_DESTINATION),
    "delivery_failed": Wording(noun="events not delivered on", name=_field("day"), beside=ON_DESTINATION),
    "delivery_filtered_at_destination": Wording(
        noun="events filtered on", name=_field("day"), beside=(Beside("at", "destinations", DESTINATION),)
    ),
    "delivery_metrics": Wording(
        noun="outcome of delivery on", name=_field("day"), beside=(Beside("to", "destinations", DESTINATION),)
    ),
}
WAREHOUSES = {
    "warehouse_sync_schedules": Wording(noun="sync schedule", name=no_name, beside=OF_WAREHOUSE),
    "warehouse_syncs": Wording(
        noun="sync at",
        name=_field("start"),
        beside=(Beside("of", "sources", SOURCE), Beside("to", "warehouses", ("warehouseId",))),
    ),
    "warehouse_selective_syncs": Wording(
        noun="selective sync",
        name=_field("collection"),
        beside=(Beside("of", "sources", SOURCE), Beside("to", "warehouses", ("warehouseId",))),
    ),
    "warehouse_connection_state": Wording(noun="connection state", name=no_name, beside=OF_WAREHOUSE),
    "profiles_warehouses": Wording(noun="warehouse of profiles", name=name_of, beside=OF_SPACE),
}

ALL: Mapping[str, Wording] = {**FLOW, **ON_THE_WAY, **ACTIVATION, **PEOPLE, **PRIVACY, **USAGE, **WAREHOUSES}
TRAIL = AuditTrail("audit_events", _event)
