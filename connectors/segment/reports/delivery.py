"""Delivery figures: events received, filtered and delivered, added up over the days that were read."""

from collections.abc import Iterable, Iterator, Sequence

from ...spec import Cell, Column, Json, Record, Row, Table
from . import fields
from .inventory import Inventory

INGEST = ("delivery_received", "delivery_failed_on_ingest", "delivery_filtered_at_source")
EGRESS = ("delivery_successful", "delivery_failed", "delivery_filtered_at_destination")
OUTCOMES = "delivery_metrics"
STREAMS = (*INGEST, *EGRESS, OUTCOMES)
DAYS = (
    Column("days", "Days known", "number"),
    Column("first", "First day"),
    Column("last", "Last day"),
)
INGEST_COLUMNS = (
    Column("source", "Source"),
    Column("source_id", "Source id", "id"),
    Column("received", "Received", "number"),
    Column("failed", "Failed on ingest", "number"),
    Column("filtered", "Filtered at the source", "number"),
    *DAYS,
)
EGRESS_COLUMNS = (
    Column("source", "Source", filter=True),
    Column("source_id", "Source id", "id"),
    Column("destination", "Destination"),
    Column("destination_id", "Destination id", "id"),
    Column("delivered", "Delivered", "number"),
    Column("failed", "Not delivered", "number"),
    Column("filtered", "Filtered at the destination", "number"),
    *DAYS,
)
OUTCOME_COLUMNS = (
    Column("destination", "Destination", filter=True),
    Column("destination_id", "Destination id", "id"),
    Column("source", "Source", filter=True),
    Column("day", "Day", filter=True),
    Column("outcome", "Outcome", filter=True),
    Column("total", "Total", "number"),
)
NOTES = (
    "Delivery figures are those of the days on which the portal read them, one day at each reading: between two "
    "readings days may be missing, and “Days known” says how many there are.",
    "Figures of destinations in device mode are not in Segment's delivery figures.",
)

Ids = tuple[str, ...]
Held = dict[Ids, dict[str, list[Record]]]  # ids -> stream -> records


def tables(inventory: Inventory) -> tuple[Table, ...]:
    return (
        inventory.table(
            "ingest",
            "Received from sources",
            INGEST_COLUMNS,
            lambda: _ingest(inventory),
            *INGEST,
        ),
        inventory.table(
            "delivery",
            "Delivered to destinations",
            EGRESS_COLUMNS,
            lambda: _egress(inventory),
            *EGRESS,
        ),
        inventory.table(
            "outcomes",
            "Outcomes by destination",
            OUTCOME_COLUMNS,
            lambda: _outcomes(inventory),
            OUTCOMES,
        ),
    )


def _held(inventory: Inventory, streams: Sequence[str], *by: str) -> Held:
    found: Held = {}
    for stream in streams:
        for record in inventory.view.records(stream):
            ids = tuple(fields.identity(record, name) for name in by)
            found.setdefault(ids, {}).setdefault(stream, []).append(record)
    return found


def _figures(inventory: Inventory, streams: Sequence[str], held: dict[str, list[Record]]) -> Iterator[Cell]:
    """One figure for each stream, and of which days. A stream without a record says nothing, not nought."""
    for stream in streams:
        if records := held.get(stream):
            yield fields.total(fields.at(record, "total") for record in records)
        else:
            yield inventory.unknown(stream) or fields.NOT_SAID
    days = sorted({fields.identity(record, "day") for records in held.values() for record in records} - {""})
    yield from (len(days), days[0] if days else None, days[-1] if days else None)


def _ingest(inventory: Inventory) -> Iterator[Row]:
    held = {ids[0]: records for ids, records in _held(inventory, INGEST, "sourceId").items()}
    for source in fields.by_name(held, inventory.source_names):
        yield (inventory.source(source), source or None, *_figures(inventory, INGEST, held[source]))


def _egress(inventory: Inventory) -> Iterator[Row]:
    held = _held(inventory, EGRESS, "sourceId", "destinationId")
    for source, destination in sorted(held, key=lambda ids: _named(inventory, ids)):
        yield (
            inventory.source(source),
            source or None,
            inventory.destination(destination),
            destination or None,
            *_figures(inventory, EGRESS, held[source, destination]),
        )


def _named(inventory: Inventory, ids: Ids) -> tuple[str, ...]:
    source, destination = ids
    names = (inventory.source(source) or "", inventory.destination(destination) or "")
    return (*(name.casefold() for name in names), source, destination)


def _outcomes(inventory: Inventory) -> Iterator[Row]:
    """In the order of destination id and day, one by one."""
    for record in inventory.view.records(OUTCOMES):
        destination = fields.identity(record, "destinationId")
        for name, total in _metrics(fields.at(record, "metrics")):
            yield (
                inventory.destination(destination),
                destination or None,
                inventory.source(fields.identity(record, "sourceId")),
                fields.text(fields.at(record, "day")),
                name,
                total,
            )


def _metrics(value: Json) -> Iterable[tuple[Cell, Cell]]:
    if not isinstance(value, list):
        return [(fields.NOT_SAID if value is None else fields.UNREADABLE_CELL, None)]
    return [(_outcome(fields.at(each, "metricName")), fields.number(fields.at(each, "total"))) for each in value]


def _outcome(value: Json) -> Cell:
    said = fields.text(value)
    return said.replace("_", " ").capitalize() if isinstance(said, str) else said


# --- facts --------------------------------------------------------------------------------------


def facts(inventory: Inventory) -> tuple[tuple[str, Cell], ...]:
    names = {INGEST[0]: "Events received", EGRESS[0]: "Events delivered", EGRESS[1]: "Events not delivered"}
    totals = tuple((title, inventory.tally(_total(inventory, stream), stream)) for stream, title in names.items())
    return (*totals, ("Enabled sources without an event", inventory.tally(_silent(inventory), "sources", INGEST[0])))


def _total(inventory: Inventory, stream: str) -> Cell:
    return fields.total(fields.at(record, "total") for record in inventory.view.records(stream))


def _silent(inventory: Inventory) -> Cell:
    """Sources that are enabled and of which Segment counted no event on any day that was read."""
    totals: dict[str, list[Json]] = {}
    for record in inventory.view.records(INGEST[0]):
        totals.setdefault(fields.identity(record, "sourceId"), []).append(fields.at(record, "total"))
    enabled = {fields.identity(each): fields.at(each, "enabled") for each in inventory.sources}
    known = {source: fields.total(totals[source]) if source in totals else None for source in enabled}
    silent = sum(each is True and known[source] == 0 for source, each in enabled.items())
    sure = all(isinstance(known[source], int) for source, each in enabled.items() if each is not False)
    return fields.at_least(silent, sure, fields.PARTLY)
