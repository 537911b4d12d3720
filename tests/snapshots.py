"""A snapshot in memory, and a small workspace to put into it."""

from collections.abc import Iterable, Mapping
from copy import deepcopy
from typing import Any

from connectors.segment import streams
from connectors.segment.reports import ALL
from connectors.spec import Cell, Coverage, Covered, Record, Report, State

REPORTS = {spec.name: spec for spec in ALL}
TITLES = {stream.name: stream.title for stream in streams.ALL}
PARENT = {stream.name: stream.key[0] for stream in streams.ALL}  # the field by which one parent's records are found
INCOMPLETE = [coverage for coverage in Coverage if coverage is not Coverage.COMPLETE]


class Fake:
    """A snapshot in memory. `asked` says which records were loaded, `looked` whose coverage was asked for."""

    def __init__(
        self, records: Mapping[str, list[Any]], coverage: Mapping[str, Coverage] | None = None, as_of: int = 0
    ) -> None:
        self._records, self._coverage, self._as_of = records, coverage or {}, as_of
        self.asked: list[tuple[str, str]] = []
        self.looked: set[str] = set()

    def records(self, stream: str, parent: str = "") -> Iterable[Record]:
        self.asked.append((stream, parent))
        return iter(self._held(stream, parent))

    def count(self, stream: str, parent: str = "") -> int:
        return len(self._held(stream, parent))

    def coverage(self, stream: str) -> Covered:
        self.looked.add(stream)
        found = self._coverage.get(stream, Coverage.COMPLETE)
        return Covered(stream, TITLES[stream], found, as_of=self._as_of, reason="The token may not")

    def _held(self, stream: str, parent: str) -> list[Any]:
        held = self._records.get(stream, [])
        return [record for record in held if record[PARENT[stream]] == parent] if parent else held


def build(name: str, view: Any, **only: str) -> Report:
    return REPORTS[name].build(view, only)


def rows(report: Report, table: str) -> list[dict[str, Cell]]:
    found = next(each for each in report.tables if each.name == table)
    names = [column.name for column in found.columns]
    return [dict(zip(names, row, strict=True)) for row in found.rows()]


def unknown(cell: Cell) -> bool:
    return isinstance(cell, State) and cell.name == "unknown"


def word(cell: Cell) -> str:
    assert isinstance(cell, State)
    return cell.word


# --- a small workspace --------------------------------------------------------------------------


def source(id_: str, name: str, category: str = "Website", *, enabled: bool = True, **more: Any) -> dict[str, Any]:
    metadata = {"name": "JavaScript", "categories": [category], "status": "PUBLIC"}
    return {"id": id_, "name": name, "slug": f"{id_}-slug", "enabled": enabled, "metadata": metadata, **more}


def destination(
    id_: str, name: str, feeds: str, cloud: str = "", device: str = "", *, on: bool = True
) -> dict[str, Any]:
    features = {"cloudModeInstances": cloud, "deviceModeInstances": device} if cloud else {}
    metadata = {
        "id": "m1",
        "name": "Braze",
        "categories": ["Messaging"],
        "supportedFeatures": features,
        "partnerOwned": False,
    }
    return {"id": id_, "name": name, "enabled": on, "sourceId": feeds, "metadata": metadata, "settings": ["apiKey"]}


def right(role: str, *resources: tuple[str, str], labels: Iterable[tuple[str, str]] = ()) -> dict[str, Any]:
    return {
        "roleId": f"id of {role}",
        "roleName": role,
        "resources": [{"type": type_, "id": id_} for type_, id_ in resources],
        "labels": [{"key": key, "value": value} for key, value in labels],
    }


def code(digest: str, size: int = 100, lines: int = 10) -> dict[str, Any]:
    return {"sha256": digest, "bytes": size, "lines": lines}


def enforced(unplanned: bool, common: str, **more: Any) -> dict[str, Any]:
    """Settings of a source, alike for all kinds of call."""
    track = {
        "allowUnplannedEvents": unplanned,
        "allowUnplannedEventProperties": unplanned,
        "allowEventOnViolations": True,
        "allowPropertiesOnViolations": False,
        "commonEventOnViolations": common,
    }
    traits = {"allowUnplannedTraits": unplanned, "allowTraitsOnViolations": True, "commonEventOnViolations": "ALLOW"}
    return {"track": track, "identify": traits, "group": traits, **more}


def filter_(id_: str, destination: str, title: str, *actions: dict[str, Any], on: bool = True) -> dict[str, Any]:
    named = {"id": id_, "destinationId": destination, "sourceId": "s1", "title": title, "enabled": on}
    return {**named, "if": 'type = "track"', "actions": list(actions)}


def audience(id_: str, name: str, **more: Any) -> dict[str, Any]:
    return {"spaceId": "sp1", "id": id_, "key": name.lower(), "name": name, "enabled": True, "status": "Live", **more}


def regulation(id_: str, status: str, created: str, finished: str | None = None, subjects: int = 1) -> dict[str, Any]:
    return {
        "id": id_,
        "regulationType": "SUPPRESS_WITH_DELETE",
        "subjectType": "USER_ID",
        "subjects": {"count": subjects, "prints": ["p"] * subjects},
        "status": status,
        "createdAt": created,
        **({"finishedAt": finished} if finished else {}),
    }


def event(id_: str, timestamp: str, type_: str, actor: str, email: str = "", **more: Any) -> dict[str, Any]:
    said = {"id": id_, "timestamp": timestamp, "type": type_, "actor": actor, **more}
    return {**said, "actorEmail": email} if email else said


def sync(warehouse: str, source: str, start: str, status: str, end: str | None = None, **more: Any) -> dict[str, Any]:
    said = {"warehouseId": warehouse, "sourceId": source, "start": start, "end": end, "status": status}
    return {**said, "duration": 60, "count": 5, "notices": [], **more}


ALL_OF_IT = ("WORKSPACE", "w")
WORKSPACE: dict[str, list[Any]] = {
    "workspace": [{"id": "w", "name": "Example", "slug": "example"}],
    "sources": [
        source("s1", "web", writeKeys={"count": 2, "prints": ["a", "b"]}, settings=["x", "y"]),
        source("s2", "App", "Mobile", writeKeys={"count": 0, "prints": []}, labels=[{"key": "env", "value": "test"}]),
        source("s3", "till", enabled=False),
        source("s4", "alone"),
    ],
    "destinations": [
        destination("d1", "Mail", "s1", "MULTIPLE", "NONE"),
        destination("d2", "ads", "s2", "1", "SINGLE", on=False),
        destination("d3", "Lost", "s9"),
    ],
    "warehouses": [{"id": "h1", "name": "Lake", "enabled": True, "metadata": {"name": "BigQuery"}}],
    "warehouse_sources": [{"warehouseId": "h1", "sourceId": "s1"}, {"warehouseId": "h1", "sourceId": "s3"}],
    "tracking_plans": [
        {"id": "tp_1", "name": "Web plan", "type": "LIVE", "createdAt": "2026-01-01T00:00:00Z"},
        {"id": "tp_2", "name": "app plan", "type": "TEMPLATE"},
    ],
    "tracking_plan_sources": [
        {"trackingPlanId": "tp_1", "sourceId": "s1"},
        {"trackingPlanId": "tp_1", "sourceId": "s3"},
        {"trackingPlanId": "tp_2", "sourceId": "s1"},
    ],
    "tracking_plan_rules": [
        {"trackingPlanId": "tp_1", "type": "TRACK", "key": "Order", "version": 1, "jsonSchema": {}},
        {"trackingPlanId": "tp_1", "type": "TRACK", "key": "Refund", "version": 1, "jsonSchema": {}},
        {"trackingPlanId": "tp_2", "type": "IDENTIFY", "version": 2, "jsonSchema": {}},
    ],
    "users": [
        {"id": "u1", "name": "zora", "email": "zora@example.com"},
        {"id": "u2", "name": "Abel", "email": "abel@example.com"},
        {"id": "u3", "name": "", "email": "mira@example.com"},
    ],
    "user_permissions": [
        {"userId": "u1", "permissions": [right("Workspace Owner", ALL_OF_IT)]},
        {"userId": "u2", "permissions": [right("Source Admin", ("SOURCE", "s1"), ("SOURCE", "s9"))]},
        {"userId": "u3", "permissions": []},
    ],
    "groups": [
        {"id": "g1", "name": "Desk", "memberCount": 2, "permissions": [right("Source Read-only", ("SOURCE", "s1"))]},
        {"id": "g2", "name": "empty", "memberCount": 0, "permissions": []},
    ],
    "group_users": [{"groupId": "g1", "userId": "u2"}, {"groupId": "g1", "userId": "u3"}],
    "roles": [],
    "invites": [{"email": "new@example.com"}, {"email": "Also@example.com"}],
    "labels": [],
    "source_settings": [
        {"trackingPlanId": "tp_1", "sourceId": "s1", "settings": enforced(False, "BLOCK", forwardingViolationsTo="s4")},
        {"trackingPlanId": "tp_1", "sourceId": "s3", "settings": enforced(True, "OMIT_PROPERTIES")},
    ],
    "destination_filters": [
        filter_(
            "f1", "d1", "No contact data", {"type": "DROP_PROPERTIES", "fields": {"properties": ["email", "phone"]}}
        ),
        filter_("f2", "d1", "a tenth", {"type": "SAMPLE", "percent": 0.1, "path": "userId"}, on=False),
    ],
    "destination_subscriptions": [
        {
            "id": "su1",
            "destinationId": "d1",
            "name": "Orders",
            "actionSlug": "trackEvent",
            "enabled": True,
            "trigger": 'event = "Order"',
            "modelId": "mo1",
            "settings": {
                "email": {"@path": "$.properties.email"},
                "name": {"@template": ["{{properties.first}}", "{{properties.last}}"]},
                "currency": {"literal": "str"},
            },
        }
    ],
    "transformations": [
        {
            "id": "t1",
            "name": "Hash it",
            "sourceId": "s1",
            "enabled": True,
            "if": "type='identify'",
            "hashPropertiesConfiguration": {"algorithm": "SHA256", "key": "ab12", "paths": ["traits.email"]},
        },
        {"id": "t2", "name": "gone", "sourceId": "s1", "destinationMetadataId": "m9", "enabled": True, "drop": True},
    ],
    "functions": [
        {"id": "fn1", "resourceType": "INSERT_DESTINATION", "displayName": "Scrub", "createdBy": "u1"},
        {"id": "fn2", "resourceType": "SOURCE", "displayName": "intake", "createdAt": "2026-01-01T00:00:00Z"},
    ],
    "function_code": [
        {
            "id": "fn1",
            "resourceType": "INSERT_DESTINATION",
            "code": code("aa" * 32),
            "deployedAt": "2026-02-01T00:00:00Z",
            "isLatestVersion": False,
            "settings": [{"name": "apiKey", "sensitive": True}, {"name": "region", "sensitive": False}],
        },
        {"id": "fn2", "resourceType": "SOURCE", "code": code("bb" * 32), "deployedAt": None, "settings": []},
    ],
    "insert_function_instances": [
        {
            "resourceType": "INSERT_DESTINATION",
            "functionId": "fn1",
            "id": "in1",
            "name": "Scrub mail",
            "integrationId": "d1",
            "enabled": True,
            "settings": ["region"],
            "encryptedSettings": ["apiKey"],
        }
    ],
    "reverse_etl_models": [
        {"id": "mo1", "name": "Buyers", "sourceId": "s4", "enabled": True, "query": code("cc" * 32, 400, 12)},
        {"id": "mo2", "name": "attic", "sourceId": "s4", "enabled": False, "query": code("dd" * 32)},
    ],
    "spaces": [{"id": "sp1", "name": "Shop", "slug": "shop"}],
    "audiences": [
        audience(
            "a1",
            "VIP",
            size={"count": 1200, "type": "USERS"},
            computeCadence={"type": "REALTIME"},
            definition={"query": "event('Order').count() > 3"},
            createdBy="u1",
            updatedBy="u9",
        ),
        audience("a2", "broken", enabled=False, status="Failed"),
    ],
    "computed_traits": [
        {"spaceId": "sp1", "id": "ct1", "key": "ltv", "name": "Lifetime value", "enabled": True, "status": "Live"}
    ],
    "regulations": [
        regulation("r1", "FINISHED", "2026-03-01T10:00:00.546951Z", "2026-03-11T09:00:00Z", 3),
        regulation("r2", "RUNNING", "2026-02-01T00:00:00Z"),
        regulation("r3", "FAILED", "2026-03-02T00:00:00Z"),
    ],
    "suppressions": [
        {"subjectType": "userId", "subjects": "p1", "count": 2},
        {"subjectType": "userId", "subjects": "p2", "count": 1},
    ],
    "audit_events": [
        event("e1", "2026-02-27T10:00:00Z", "Source Created", "u1", "zora@example.com", resourceId="s4"),
        event("e2", "2026-03-01T10:00:00Z", "Source Modified", "public-api-token/T9", resourceType="source"),
        event("e3", "2026-03-02T10:00:00Z", "Source Modified", "u77", "left@example.com", resourceName="web"),
        event("e4", "2026-03-03T10:00:00Z", "Source Modified", "u1"),
        event("e5", "2026-03-04T10:00:00Z", "User Invited", "u78"),
    ],
    "group_invites": [{"groupId": "g1", "email": "new@example.com"}, {"groupId": "g2", "email": "third@example.com"}],
    "credentials": [{"id": "c1", "name": "Lake key", "settings": {"type": "Snowflake"}}],
    "usage_mtu": [
        {
            "timestamp": "2026-03-02T00:00:00.000Z",
            "periodStart": 1772323200,
            "periodEnd": 1774915200,
            "anonymous": "30",
            "anonymousIdentified": "4",
            "identified": "10",
            "neverIdentified": "0",
        }
    ],
    "usage_api_calls": [
        {"timestamp": "2026-03-01T00:00:00.000Z", "apiCalls": "100"},
        {"timestamp": "2026-03-02T00:00:00.000Z", "apiCalls": "9007199254740993"},
    ],
    "usage_mtu_by_source": [{"sourceId": "s1", "timestamp": "2026-03-02T00:00:00.000Z", "identified": "7"}],
    "usage_api_calls_by_source": [
        {"sourceId": "s1", "timestamp": "2026-03-01T00:00:00.000Z", "apiCalls": "60"},
        {"sourceId": "s1", "timestamp": "2026-03-02T00:00:00.000Z", "apiCalls": "90"},
        {"sourceId": "s9", "timestamp": "2026-03-02T00:00:00.000Z", "apiCalls": "1"},
    ],
    "delivery_received": [
        {"sourceId": "s1", "day": "2026-03-01", "total": 1000},
        {"sourceId": "s1", "day": "2026-03-02", "total": 500},
        {"sourceId": "s2", "day": "2026-03-02", "total": 0},
    ],
    "delivery_failed_on_ingest": [{"sourceId": "s1", "day": "2026-03-02", "total": 2}],
    "delivery_filtered_at_source": [{"sourceId": "s1", "day": "2026-03-02", "total": 3}],
    "delivery_successful": [{"destinationId": "d1", "sourceId": "s1", "day": "2026-03-02", "total": 400}],
    "delivery_failed": [{"destinationId": "d1", "sourceId": "s1", "day": "2026-03-02", "total": 40}],
    "delivery_filtered_at_destination": [{"destinationId": "d1", "sourceId": "s1", "day": "2026-03-02", "total": 4}],
    "delivery_metrics": [
        {
            "destinationId": "d1",
            "sourceId": "s1",
            "day": "2026-03-02",
            "metrics": [{"metricName": "successes", "total": 400}, {"metricName": "time_to_success", "total": 9.5}],
        }
    ],
    "warehouse_sync_schedules": [
        {
            "warehouseId": "h1",
            "enabled": True,
            "schedule": {
                "times": [{"hourOfDay": 23, "enabled": True}, {"hourOfDay": 5, "enabled": True}, {"hourOfDay": 7}],
                "timezone": "Europe/Berlin",
            },
        }
    ],
    "warehouse_syncs": [
        sync("h1", "s1", "2026-03-01T05:00:00Z", "SUCCESS", "2026-03-01T06:00:00Z"),
        sync("h1", "s1", "2026-03-01T23:00:00Z", "FAILED", "2026-03-02T00:00:00Z", notices=[{"level": "error"}]),
        sync("h1", "s3", "2026-03-03T05:00:00Z", "SUCCESS", "2026-03-03T06:30:00Z", count=12),
    ],
    "warehouse_selective_syncs": [
        {
            "warehouseId": "h1",
            "sourceId": "s1",
            "collection": "orders",
            "enabled": True,
            "properties": {"email": {"enabled": False, "type": "string"}, "total": {"enabled": True}, "phone": False},
        },
        {"warehouseId": "h1", "sourceId": "s1", "collection": "pages", "enabled": False, "properties": {"url": False}},
    ],
    "warehouse_connection_state": [{"warehouseId": "h1", "connectionState": "FAILED"}],
    "profiles_warehouses": [
        {"spaceId": "sp1", "id": "pw1", "name": "Profiles", "enabled": True, "schemaName": "shop", "settings": ["host"]}
    ],
}


def workspace(**changed: list[Any]) -> dict[str, list[Any]]:
    return {**deepcopy(WORKSPACE), **changed}
