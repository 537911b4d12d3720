"""Selective sync: which collections and properties of a source are copied to a warehouse, and which are not."""

from collections import Counter
from collections.abc import Iterator
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

Ids = tuple[str, str]  # of a warehouse and a source


class Selection:
    """What is chosen, counted in one go when it is first asked for.

    Properties count in collections that are copied: of a collection that is left out nothing is copied anyway.
    """

    def __init__(self, inventory: Inventory) -> None:
        self._inventory = inventory

    @cached_property
    def _off(self) -> tuple[Counter[Ids], Counter[Ids], set[Ids]]:
        collections, properties, seen = Counter[Ids](), Counter[Ids](), set[Ids]()
        for record in self._inventory.view.records(SELECTIVE):
            ids = (fields.identity(record, "warehouseId"), fields.identity(record, "sourceId"))
            seen.add(ids)
            left_out = fields.at(record, "enabled") is False
            collections[ids] += left_out
            properties[ids] += 0 if left_out else len(_off(record))
        return collections, properties, seen

    @property
    def collections_off(self) -> int:
        return self._off[0].total()

    @property
    def properties_off(self) -> int:
        return self._off[1].total()

    def counts(self, warehouse: str, source: str) -> Row:
        """How many collections and properties are switched off between the two; unknown where nobody asked."""
        ids = (warehouse, source)
        collections, properties, seen = self._off
        if ids not in seen:
            return (self._inventory.unknown(SELECTIVE) or fields.NOT_SAID,) * 2
        return collections[ids], properties[ids]

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
    return len(said), _off(record)


def _off(record: Record) -> tuple[str, ...]:
    said = fields.at(record, "properties")
    if not isinstance(said, dict) or fields.unreadable(said):
        return ()
    return tuple(sorted(name for name, each in said.items() if _switch(each) is False))


def _switch(value: Json) -> Json:
    """A property is a switch, or an object that has one."""
    return value.get("enabled") if isinstance(value, dict) else value
