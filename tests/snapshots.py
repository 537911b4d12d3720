"""A snapshot in memory, and a small workspace to put into it."""

from collections.abc import Iterable, Mapping
from copy import deepcopy
from typing import Any

from connectors.segment import streams
from connectors.segment.reports import ALL
from connectors.spec import Cell, Coverage, Covered, Record, Report, State

REPORTS = {spec.name: spec for spec in ALL}
TITLES = {stream.name: stream.title for stream in streams.ALL}
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
        return [record for record in held if record["trackingPlanId"] == parent] if parent else held


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
    metadata = {"name": "Braze", "categories": ["Messaging"], "supportedFeatures": features, "partnerOwned": False}
    return {"id": id_, "name": name, "enabled": on, "sourceId": feeds, "metadata": metadata, "settings": ["apiKey"]}


def right(role: str, *resources: tuple[str, str], labels: Iterable[tuple[str, str]] = ()) -> dict[str, Any]:
    return {
        "roleId": f"id of {role}",
        "roleName": role,
        "resources": [{"type": type_, "id": id_} for type_, id_ in resources],
        "labels": [{"key": key, "value": value} for key, value in labels],
    }


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
}


def workspace(**changed: list[Any]) -> dict[str, list[Any]]:
    return {**deepcopy(WORKSPACE), **changed}
