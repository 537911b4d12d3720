"""Data flow: from each source, under which tracking plan, to each destination and warehouse."""

from collections.abc import Mapping

from ...spec import Cell, Column, Report, ReportSpec, Row, State, View
from . import between, drawing, fields
from .between import Between
from .inventory import PLANS, Inventory
from .routes import NO_RECEIVER, RECEIVERS, Route, routes

NOT_NAMED = State("unknown", "Unknown", "Segment names no source for this destination.")
NOT_SEEN = State("unknown", "Not seen", "A source of this id was not among those that were read.")
COLUMNS = (
    Column("source", "Source"),
    Column("source_id", "Source id", "id"),
    Column("source_kind", "Source kind", filter=True),
    Column("source_categories", "Source categories", "list", filter=True),
    Column("source_enabled", "Source enabled", filter=True),
    Column("plan", "Tracking plan", "list", filter=True),
    Column("between", "On the way", "list", filter=True),
    Column("receiver_type", "Receiver type", filter=True),
    Column("receiver", "Receiver"),
    Column("receiver_id", "Receiver id", "id"),
    Column("receiver_kind", "Receiver kind", filter=True),
    Column("receiver_categories", "Receiver categories", "list", filter=True),
    Column("receiver_enabled", "Receiver enabled", filter=True),
    Column("state", "Route", filter=True),
)
NOTES = (
    "“Open” means that both ends are enabled; whether events passed is not part of this reading.",
    "The API does not tell whether a destination is connected in cloud mode or in device mode.",
    "“On the way” counts what is enabled between the two ends and may drop, narrow or change what passes; the report "
    "“On the way” says what each of them does.",
    "The API does not list violations of tracking plans: a source under a plan may still send what the plan forbids.",
)


def build(view: View, only: Mapping[str, str]) -> Report:
    inventory = Inventory(view)
    found, held = routes(inventory), Between(inventory)
    table = inventory.table(
        "routes",
        "Routes",
        COLUMNS,
        lambda: (_row(held, route) for route in found),
        "sources",
        *RECEIVERS,
        *between.STREAMS,
    )
    return Report((table,), _facts(inventory, found), drawing.draw(inventory, found), NOTES)


def _row(held: Between, route: Route) -> Row:
    inventory, source = held.inventory, route.source
    if source is None:
        named = NOT_SEEN if route.source_id else NOT_NAMED
        known: Row = (named, route.source_id or None, None, None, fields.NOT_SAID)
    else:
        known = (
            fields.name_of(source),
            route.source_id,
            fields.text(fields.at(source, "metadata", "name")),
            fields.words(fields.at(source, "metadata", "categories")),
            fields.enabled(fields.at(source, "enabled")),
        )
    plan = inventory.plan_of(route.source_id) if route.source_id else fields.NOT_SAID
    return (*known, plan, held.on_route(route), *_receiver(inventory, route), _state(inventory, route))


def _receiver(inventory: Inventory, route: Route) -> Row:
    receiver = route.receiver
    if receiver is None:
        unknown = inventory.unknown(*RECEIVERS)
        return (unknown or "None", unknown or NO_RECEIVER, None, None, None, None)
    return (
        route.type.capitalize(),
        fields.name_of(receiver),
        fields.identity(receiver),
        fields.text(fields.at(receiver, "metadata", "name")),
        drawing.categories(receiver, route.type),
        fields.enabled(fields.at(receiver, "enabled")),
    )


def _state(inventory: Inventory, route: Route) -> Cell:
    """A source without a receiver is said to lead nowhere only when all its receivers could be seen."""
    return (inventory.unknown(*RECEIVERS) if route.receiver is None else None) or route.state


def _facts(inventory: Inventory, found: tuple[Route, ...]) -> tuple[tuple[str, Cell], ...]:
    unplanned = sum(not inventory.plans_of_source.get(fields.identity(source)) for source in inventory.sources)
    states = [route.state for route in found if route.receiver is not None]
    return (
        ("Sources", inventory.total("sources")),
        ("Sources without a tracking plan", inventory.tally(unplanned, "sources", *PLANS)),
        ("Destinations", inventory.total("destinations")),
        ("Warehouses", inventory.total("warehouses")),
        ("Open routes", inventory.tally(states.count("Open"), "sources", *RECEIVERS)),
    )


SPEC = ReportSpec(
    name="data-flow",
    title="Data flow",
    question="Where does customer data come from, which tracking plan does it follow, and who receives it?",
    streams=("sources", *RECEIVERS, *PLANS, *between.STREAMS),
    build=build,
    supports=(
        "soc2 CC2.1",
        "soc2 CC3.2",
        "soc2 CC6.6",
        "soc2 P6.2",
        "soc2 P6.7",
        "iso27001 A.5.9",
        "iso27001 A.5.14",
        "iso27001 A.5.34",
        "gdpr 5",
        "gdpr 30",
        "gdpr 35",
        "ccpa 1798.110",
        "nist-csf ID.AM-03",
    ),
)
