"""Selective sync: which collections and properties of a source are copied to a warehouse, and which are not."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from ...spec import Cell, Column, Json, Record, Row, Table
from . import fields
from .inventory import Inventory

SELECTIVE = "warehouse_selective_syncs"
COLUMNS = (
    Column("warehouse", "Warehouse", filter=True),
    Column("source", "Source", filter=True),
    Column("collection", "Collection"),
    Column("enabled", "Copied", filter=True),
    Column("properties", "Properties", "number"),
    Column("off", "Properties switched off", "list"),
    Column("warehouse_id", "Warehouse id", "id"),
    Column("source_id", "Source id", "id"),
)

UNSURE = "Of some it is not known whether they are copied."

Ids = tuple[str, str]  # of a warehouse and a source


@dataclass(slots=True)
class Off:
    """How much is switched off, and whether that is all of it.

    Properties count in collections that are copied: of a collection that is left out nothing is copied anyway.
    """

    collections: int = 0
    properties: int = 0
    sure: bool = True

    def add(self, record: Record) -> None:
        copied, switches = fields.at(record, "enabled"), _switches(record)
        self.collections += copied is False
        self.properties += 0 if copied is False else sum(switch is False for switch in switches.values())
        readable = isinstance(fields.at(record, "properties"), dict)
        self.sure &= readable and all(isinstance(each, bool) for each in (copied, *switches.values()))

    @property
    def row(self) -> Row:
        return (
            fields.at_least(self.collections, self.sure, UNSURE),
            fields.at_least(self.properties, self.sure, UNSURE),
        )


class Selection:
    """What is chosen, counted in one go when it is first asked for."""

    def __init__(self, inventory: Inventory) -> None:
        self._inventory = inventory

    @cached_property
    def _off(self) -> tuple[Off, dict[Ids, Off]]:
        """Of all, and of each warehouse and source."""
        whole, pairs = Off(), defaultdict[Ids, Off](Off)
        for record in self._inventory.view.records(SELECTIVE):
            whole.add(record)
            pairs[fields.identity(record, "warehouseId"), fields.identity(record, "sourceId")].add(record)
        return whole, dict(pairs)

    @property
    def whole(self) -> Row:
        """How many collections and properties are switched off."""
        return self._off[0].row

    def counts(self, warehouse: str, source: str) -> Row:
        """The same between the two; unknown where nobody asked."""
        found = self._off[1].get((warehouse, source))
        return found.row if found else (self._inventory.unknown(SELECTIVE) or fields.NOT_SAID,) * 2

    def table(self, warehouse: str) -> Table:
        return self._inventory.table(
            "selective",
            "Selective sync",
            COLUMNS,
            lambda: self._rows(warehouse),
            SELECTIVE,
            partition="warehouse_id",
        )

    def _rows(self, warehouse: str) -> Iterator[Row]:
        """In the order of ids and collections, one by one."""
        return (self._row(record) for record in self._inventory.view.records(SELECTIVE, warehouse))

    def _row(self, record: Record) -> Row:
        warehouse, source = (fields.identity(record, name) for name in ("warehouseId", "sourceId"))
        return (
            self._inventory.warehouse(warehouse),
            self._inventory.source(source),
            fields.text(fields.at(record, "collection")),
            _copied(fields.at(record, "enabled")),
            *_properties(record),
            warehouse,
            source or None,
        )


def _copied(value: Json) -> Cell:
    said = fields.enabled(value)
    return fields.LEFT_OUT if value is False else "Copied" if value is True else said


def _properties(record: Record) -> Row:
    """How many properties there are, and which of them are switched off."""
    said = fields.at(record, "properties")
    if not isinstance(said, dict) or fields.unreadable(said):
        missing = fields.NOT_SAID if said is None else fields.UNREADABLE_CELL
        return missing, missing
    switches = _switches(record)
    return len(switches), tuple(sorted(name for name, switch in switches.items() if switch is False))


def _switches(record: Record) -> dict[str, Json]:
    """Property -> whether it is copied: a switch, or an object that has one."""
    said = fields.at(record, "properties")
    held = said.items() if isinstance(said, dict) else ()
    return {name: each.get("enabled") if isinstance(each, dict) else each for name, each in held}
