"""Routes: which source feeds which destination and which warehouse, and whether anything may pass."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from ...spec import Cell, Record, State
from . import fields
from .inventory import Inventory

RECEIVERS = ("destinations", "warehouses", "warehouse_sources")
NO_RECEIVER = State("na", "No receiver", "No destination and no warehouse is connected to this source.")


@dataclass(frozen=True)
class Route:
    """What one row and one line of the drawing stand for. A source or a receiver that was not seen is None.

    source_id  as the receiver names it, "" when it names none
    type       "destination" or "warehouse", "" without a receiver
    """

    source: Record | None
    source_id: str
    receiver: Record | None = None
    type: str = ""

    @property
    def state(self) -> Cell:
        """Whether something may pass: a switch at either end stops it, and an unknown one decides nothing."""
        if self.receiver is None:
            return NO_RECEIVER
        said = {"source": fields.at(self.source, "enabled"), self.type: fields.at(self.receiver, "enabled")}
        if off := [end for end, value in said.items() if value is False]:
            return State("off", "Off", f"The {' and the '.join(off)} {'are' if len(off) > 1 else 'is'} disabled.")
        if unsaid := [end for end, value in said.items() if value is not True]:
            return State("unknown", "Unknown", f"Whether the {' and the '.join(unsaid)} is enabled is not known.")
        return "Open"


def routes(inventory: Inventory) -> tuple[Route, ...]:
    """Every route of a workspace, source by source; those of sources that were not seen come last.

    A source that leads nowhere has one route without a receiver.
    """
    fed = _receivers(inventory)
    known = [(source, fields.identity(source)) for source in inventory.sources]
    strange = sorted(_receiving(inventory) - inventory.source_names.keys())
    return (
        *(route for source, id_ in known for route in (tuple(fed(source, id_)) or (Route(source, id_),))),
        *(route for id_ in strange for route in fed(None, id_)),
    )


def _receiving(inventory: Inventory) -> set[str]:
    return {*inventory.destinations_of_source, *inventory.warehouses_of_source}


def _receivers(inventory: Inventory) -> Callable[[Record | None, str], Iterator[Route]]:
    """A warehouse that is linked and was not read stands for its id alone."""
    known = {fields.identity(warehouse): warehouse for warehouse in inventory.warehouses}

    def fed(source: Record | None, id_: str) -> Iterator[Route]:
        linked: Iterable[Record] = (known.get(at, {"id": at}) for at in inventory.warehouses_of_source.get(id_, ()))
        for destination in inventory.destinations_of_source.get(id_, ()):
            yield Route(source, id_, destination, "destination")
        for warehouse in fields.in_order(linked):
            yield Route(source, id_, warehouse, "warehouse")

    return fed
