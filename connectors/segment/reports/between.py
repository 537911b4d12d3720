"""What stands between a source and a receiver: filters, mappings, transformations and insert functions."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cached_property

from ...spec import Cell, Record, State
from . import fields
from .inventory import Inventory
from .routes import Route

FILTERS, MAPPINGS = "destination_filters", "destination_subscriptions"
TRANSFORMATIONS, INSTANCES = "transformations", "insert_function_instances"
STREAMS = (FILTERS, MAPPINGS, TRANSFORMATIONS, INSTANCES)
NOUNS = {FILTERS: "filter", MAPPINGS: "mapping", TRANSFORMATIONS: "transformation", INSTANCES: "insert function"}
NOTHING = State("na", "Nothing", "Nothing that is enabled stands in between: events pass as the source sends them.")
UNSURE = "Of some it is not known whether they are enabled."

Held = dict[str, tuple[Record, ...]]


class Between:
    """Everything is read when it is first asked for."""

    def __init__(self, inventory: Inventory) -> None:
        self.inventory = inventory

    @cached_property
    def filters(self) -> Held:
        """Destination id -> its filters."""
        return self.inventory.grouped(FILTERS, "destinationId")

    @cached_property
    def mappings(self) -> Held:
        return self.inventory.grouped(MAPPINGS, "destinationId")

    @cached_property
    def transformations(self) -> Held:
        """Source id -> the transformations of what it sends."""
        return self.inventory.grouped(TRANSFORMATIONS, "sourceId")

    @cached_property
    def instances(self) -> Held:
        """Id of a source or of a destination -> the insert functions in front of or behind it."""
        return self.inventory.grouped(INSTANCES, "integrationId")

    def of(self, source: str, destination: Record | None) -> dict[str, tuple[Record, ...]]:
        """Stream -> what of it an event passes, enabled or not. Without a destination: to any other receiver."""
        id_ = fields.identity(destination) if destination else ""
        kind = fields.word(fields.at(destination, "metadata", "id")) if destination else ""
        return {
            FILTERS: self.filters.get(id_, ()) if id_ else (),
            MAPPINGS: self.mappings.get(id_, ()) if id_ else (),
            TRANSFORMATIONS: _meant(self.transformations.get(source, ()), kind) if source else (),
            INSTANCES: tuple(
                each for end in dict.fromkeys((source, id_)) if end for each in self.instances.get(end, ())
            ),
        }

    def on_route(self, route: Route) -> Cell:
        """How many of each kind are enabled; what could not be read is named, or the whole is unknown."""
        if route.receiver is None:
            return None
        held = self.of(route.source_id, route.receiver if route.type == "destination" else None)
        counts = {stream: len(on(records)) for stream, records in held.items()}
        known = tuple(fields.many(number, NOUNS[stream]) for stream, number in counts.items() if number)
        missing = self.missing(held)
        return (*known, missing.why) if known and missing else known or missing or NOTHING

    def missing(self, held: Mapping[str, Collection[Record]]) -> State | None:
        """Why there may be more in between than is known."""
        doubt = any(map(unsure, held.values()))
        return self.inventory.unknown(*STREAMS) or (State("unknown", "Unknown", UNSURE) if doubt else None)


def how_many(records: Collection[Record], enabled: bool = True) -> Cell:
    """How many are enabled, or disabled; a lower bound where of some nobody knows."""
    known = len(on(records) if enabled else off(records))
    return fields.at_least(known, not unsure(records), UNSURE)


def unsure(records: Collection[Record]) -> bool:
    return len(on(records)) + len(off(records)) < len(records)


def on(records: Iterable[Record]) -> Sequence[Record]:
    return [record for record in records if fields.at(record, "enabled") is True]


def off(records: Iterable[Record]) -> Sequence[Record]:
    return [record for record in records if fields.at(record, "enabled") is False]


def _meant(transformations: Iterable[Record], kind: str) -> tuple[Record, ...]:
    """A transformation that names a kind of destination is about destinations of that kind alone."""
    return tuple(each for each in transformations if fields.identity(each, "destinationMetadataId") in ("", kind))
