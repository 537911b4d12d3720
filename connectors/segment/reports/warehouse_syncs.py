"""Warehouse syncs: what is copied to warehouses, when, whether it worked, and what is left out."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Literal

from ...spec import Cell, Column, Json, Record, Report, ReportSpec, Row, State, View, standing
from . import fields, selection
from .inventory import Inventory
from .selection import SELECTIVE

SCHEDULES, SYNCS = "warehouse_sync_schedules", "warehouse_syncs"
CONNECTION, PROFILES = "warehouse_connection_state", "profiles_warehouses"
DONE = frozenset({"success", "succeeded", "successful", "complete", "completed", "finished"})
FAILED = State("failed", "Failed", "Segment says that this sync failed.")
NO_SUCCESS = State("unknown", "None known", "No successful sync is among those that were read.")
NO_SYNC = State("unknown", "None known", "No sync is among those that were read.")
WAREHOUSE_COLUMNS = (
    Column("name", "Warehouse"),
    Column("id", "Id", "id"),
    Column("enabled", "Enabled", filter=True),
    Column("connection", "Connection", filter=True),
    Column("scheduled", "Schedule", filter=True),
    Column("hours", "Hours of the day", "list"),
    Column("timezone", "Time zone", filter=True),
    Column("sources", "Connected sources", "number"),
    Column("syncs", "Syncs known", "number"),
)
PAIR_COLUMNS = (
    Column("warehouse", "Warehouse", filter=True),
    Column("source", "Source", filter=True),
    Column("status", "Newest sync", filter=True),
    Column("start", "Begun", "time"),
    Column("rows", "Rows", "number"),
    Column("success", "Last success", "time"),
    Column("hours", "Hours since then, at least", "number"),
    Column("syncs", "Syncs known", "number"),
    Column("failures", "Failed", "number"),
    Column("collections_off", "Collections switched off", "number"),
    Column("properties_off", "Properties switched off", "number"),
    Column("warehouse_id", "Warehouse id", "id"),
    Column("source_id", "Source id", "id"),
)
SYNC_COLUMNS = (
    Column("warehouse", "Warehouse", filter=True),
    Column("source", "Source", filter=True),
    Column("start", "Begun", "time"),
    Column("end", "Ended", "time"),
    Column("status", "Status", filter=True),
    Column("seconds", "Seconds", "number"),
    Column("rows", "Rows", "number"),
    Column("notices", "Notices", "list", filter=True),
    Column("warehouse_id", "Warehouse id", "id"),
    Column("source_id", "Source id", "id"),
)
PROFILE_COLUMNS = (
    Column("name", "Name"),
    Column("id", "Id", "id"),
    Column("space", "Space", filter=True),
    Column("enabled", "Enabled", filter=True),
    Column("schema", "Schema"),
    Column("kind", "Kind", filter=True),
    Column("settings", "Settings", "list"),
)
NOTES = (
    "A report has no clock. Hours are counted up to the newest moment that the syncs themselves name.",
    "Asked for the state of a connection, Segment tries to connect to the warehouse: the portal asks only where an "
    "administrator turned that on.",
    "The text of a notice may hold data from the warehouse: only its severity and a fingerprint are kept.",
    "“Properties switched off” counts those of collections that are copied: of the others nothing is copied anyway.",
    "Selective sync decides what is copied from now on. What was copied before stays in the warehouse.",
)


def build(view: View, only: Mapping[str, str]) -> Report:
    inventory = Inventory(view)
    syncs, chosen = Syncs(inventory), selection.Selection(inventory)
    warehouse, table = only.get("warehouse_id", ""), inventory.table
    tables = (
        table(
            "pairs",
            "By warehouse and source",
            PAIR_COLUMNS,
            lambda: _pairs(syncs, chosen),
            *("warehouse_sources", SYNCS, SELECTIVE),
        ),
        table(
            "warehouses",
            "Warehouses",
            WAREHOUSE_COLUMNS,
            lambda: _warehouses(inventory),
            *("warehouses", SCHEDULES, CONNECTION),
        ),
        table("syncs", "Syncs", SYNC_COLUMNS, lambda: _runs(inventory, warehouse), SYNCS, partition="warehouse_id"),
        chosen.table(warehouse),
        table("profiles", "Warehouses of profiles", PROFILE_COLUMNS, lambda: _profiles(inventory), PROFILES),
    )
    return Report(tables, _facts(syncs, chosen), notes=NOTES)


# --- syncs, counted in one go -------------------------------------------------------------------


@dataclass(slots=True)
class Pair:
    """What is known of the copying from one source to one warehouse."""

    syncs: int = 0
    failures: int = 0
    newest: Record = field(default_factory=dict)
    success: str = ""

    def add(self, sync: Record) -> None:
        self.syncs += 1
        outcome = _outcome(fields.at(sync, "status"))
        self.failures += outcome == "failed"
        if fields.identity(sync, "start") >= fields.identity(self.newest, "start"):
            self.newest = sync
        if outcome == "done":
            self.success = max(self.success, fields.identity(sync, "end") or fields.identity(sync, "start"))


class Syncs:
    def __init__(self, inventory: Inventory) -> None:
        self.inventory = inventory

    @cached_property
    def pairs(self) -> dict[tuple[str, str], Pair]:
        """(warehouse id, source id) -> what is known; also of pairs that are connected and have no sync."""
        found = {
            (fields.identity(link, "warehouseId"), fields.identity(link, "sourceId")): Pair()
            for link in self.inventory.view.records("warehouse_sources")
        }
        for sync in self.inventory.view.records(SYNCS):
            ids = (fields.identity(sync, "warehouseId"), fields.identity(sync, "sourceId"))
            found.setdefault(ids, Pair()).add(sync)
        return found

    @cached_property
    def now(self) -> datetime | None:
        """The newest moment that a sync names."""
        held = self.pairs.values()
        said = (each for pair in held for each in (pair.success, *(pair.newest.get(name) for name in ("start", "end"))))
        return max(filter(None, map(fields.moment, said)), default=None)


def _outcome(value: Json) -> Literal["done", "failed", ""]:
    """Segment lists no words for the status of a sync; these are understood, and any other is passed on."""
    said = fields.word(value).casefold()
    if said in DONE:
        return "done"
    return "failed" if "fail" in said or "error" in said else ""


def _status(value: Json) -> Cell:
    said, outcome = fields.text(value), _outcome(value)
    if outcome == "failed":
        return FAILED
    return "Done" if outcome == "done" else said.capitalize() if isinstance(said, str) else said


# --- tables -------------------------------------------------------------------------------------


def _pairs(syncs: Syncs, chosen: selection.Selection) -> Iterator[Row]:
    inventory = syncs.inventory
    for warehouse, source in sorted(syncs.pairs, key=lambda ids: _named(inventory, ids)):
        pair = syncs.pairs[warehouse, source]
        yield (
            inventory.warehouse(warehouse),
            inventory.source(source),
            *_newest(inventory, pair, syncs.now),
            pair.syncs if pair.syncs else inventory.unknown(SYNCS) or 0,
            pair.failures if pair.syncs else inventory.unknown(SYNCS) or 0,
            *chosen.counts(warehouse, source),
            warehouse or None,
            source or None,
        )


def _named(inventory: Inventory, ids: tuple[str, str]) -> tuple[str, ...]:
    warehouse, source = ids
    names = (inventory.warehouse(warehouse) or "", inventory.source(source) or "")
    return (*(name.casefold() for name in names), warehouse, source)


def _newest(inventory: Inventory, pair: Pair, now: datetime | None) -> Row:
    if not pair.syncs:
        missing = inventory.unknown(SYNCS) or NO_SYNC
        return (missing, None, None, missing, None)
    return (
        _status(fields.at(pair.newest, "status")),
        fields.text(fields.at(pair.newest, "start")),
        fields.whole(fields.at(pair.newest, "count")),
        pair.success or NO_SUCCESS,
        _hours(fields.moment(pair.success), now),
    )


def _hours(start: datetime | None, end: datetime | None) -> int | None:
    return None if start is None or end is None else max(0, (end - start) // timedelta(hours=1))


def _warehouses(inventory: Inventory) -> Iterator[Row]:
    schedules = {fields.identity(each, "warehouseId"): each for each in inventory.view.records(SCHEDULES)}
    states = {
        fields.identity(each, "warehouseId"): fields.at(each, "connectionState")
        for each in inventory.view.records(CONNECTION)
    }
    for warehouse in inventory.warehouses:
        id_ = fields.identity(warehouse)
        yield (
            fields.name_of(warehouse),
            id_,
            fields.enabled(fields.at(warehouse, "enabled")),
            _connection(inventory, states.get(id_)),
            *_schedule(inventory, schedules.get(id_)),
            inventory.unknown("warehouse_sources") or len(inventory.sources_of_warehouse.get(id_, ())),
            inventory.unknown(SYNCS) or inventory.view.count(SYNCS, id_),
        )


def _connection(inventory: Inventory, value: Json) -> Cell:
    said = fields.text(value)
    if said is None:
        state = standing(inventory.view.coverage(CONNECTION))
        return fields.NOT_SAID if state.name == "pass" else state
    if said == "FAILED":
        return State("failed", "Failed", "Segment tried to connect to the warehouse and could not.")
    return "Connected" if said == "CONNECTED" else said


def _schedule(inventory: Inventory, record: Record | None) -> Row:
    """Whether there is a schedule, at which hours, and of which time zone."""
    if record is None:
        return (inventory.unknown(SCHEDULES) or fields.NOT_SAID, None, None)
    schedule = fields.at(record, "schedule")
    return (
        fields.enabled(fields.at(record, "enabled")),
        _hours_of_day(fields.at(schedule, "times")),
        fields.text(fields.at(schedule, "timezone")),
    )


def _hours_of_day(value: Json) -> Cell:
    if not isinstance(value, list):
        return None if value is None else fields.UNREADABLE_CELL
    hours = [fields.whole(fields.at(each, "hourOfDay")) for each in value if fields.at(each, "enabled") is True]
    known = sorted(hour for hour in hours if isinstance(hour, int))
    return (*(f"{hour:02}:00" for hour in known), *([fields.UNREADABLE_WORD] if len(known) < len(hours) else []))


def _runs(inventory: Inventory, warehouse: str) -> Iterator[Row]:
    """In the order of warehouse id and time, one by one."""
    for sync in inventory.view.records(SYNCS, warehouse):
        id_, source = fields.identity(sync, "warehouseId"), fields.identity(sync, "sourceId")
        yield (
            inventory.warehouse(id_),
            inventory.source(source),
            fields.text(fields.at(sync, "start")),
            fields.text(fields.at(sync, "end")),
            _status(fields.at(sync, "status")),
            fields.number(fields.at(sync, "duration")),
            fields.whole(fields.at(sync, "count")),
            _notices(fields.at(sync, "notices")),
            id_,
            source or None,
        )


def _notices(value: Json) -> Cell:
    """How grave they were, each level once."""
    if not isinstance(value, list):
        return None if value is None else fields.UNREADABLE_CELL
    return tuple(sorted({fields.word(fields.at(each, "level"), fields.UNREADABLE_WORD) for each in value}))


def _profiles(inventory: Inventory) -> Iterator[Row]:
    spaces = {fields.identity(space): fields.name_of(space) for space in inventory.view.records("spaces")}
    for warehouse in fields.in_order(inventory.view.records(PROFILES), "schemaName"):
        space = fields.identity(warehouse, "spaceId")
        yield (
            fields.name_of(warehouse, "schemaName"),
            fields.identity(warehouse),
            spaces.get(space, space) or None,
            fields.enabled(fields.at(warehouse, "enabled")),
            fields.text(fields.at(warehouse, "schemaName")),
            fields.text(fields.at(warehouse, "metadata", "name")),
            fields.words(fields.at(warehouse, "settings")),
        )


# --- facts --------------------------------------------------------------------------------------


def _facts(syncs: Syncs, chosen: selection.Selection) -> tuple[tuple[str, Cell], ...]:
    inventory, pairs = syncs.inventory, syncs.pairs.values()
    failing = sum(_outcome(fields.at(pair.newest, "status")) == "failed" for pair in pairs)
    never = sum(not pair.success for pair in pairs)
    collections_off, properties_off = chosen.whole
    return (
        ("Warehouses", inventory.total("warehouses")),
        ("Connections whose newest sync failed", inventory.tally(failing, SYNCS)),
        ("Connections without a known success", inventory.tally(never, SYNCS, "warehouse_sources")),
        ("Collections switched off", inventory.tally(collections_off, SELECTIVE)),
        ("Properties switched off", inventory.tally(properties_off, SELECTIVE)),
    )


SPEC = ReportSpec(
    name="warehouse-syncs",
    title="Warehouse syncs",
    question="What is copied to each warehouse, what is left out, and when did it last work?",
    streams=(
        *("warehouses", "warehouse_sources", "sources", SCHEDULES, SYNCS, SELECTIVE),
        *(CONNECTION, PROFILES, "spaces"),
    ),
    build=build,
    supports=(
        "soc2 CC6.7",
        "soc2 PI1.5",
        "soc2 C1.1",
        "iso27001 A.8.12",
        "iso27001 A.8.3",
        "gdpr 5",
        "nist-csf PR.DS-01",
    ),
)
