"""The data flow as a drawing: sources, the tracking plans they follow, and who receives."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Literal

from ...spec import Cell, Edge, Flow, Node, Record, State
from . import fields
from .inventory import PLANS, Inventory
from .routes import Route

TITLES = ("Sources", "Tracking plans", "Destinations and warehouses")
NO_PLAN, PLAN_UNKNOWN = "plan:none", "plan:unknown"
NO_CATEGORY, NOT_SEEN = "No category", "Not seen"

Kind = Literal["plan", "gap", "unknown", "off"]


def categories(receiver: Record, kind: str) -> Cell:
    """A warehouse has no category in the catalogue: it is one."""
    return ("Warehouse",) if kind == "warehouse" else fields.words(fields.at(receiver, "metadata", "categories"))


def draw(inventory: Inventory, routes: Iterable[Route]) -> Flow | None:
    """None when there is nothing to draw."""
    held = tuple(routes)
    fed = {route.source_id: route.source for route in held if route.source_id}
    middle = {source: _plans_of(inventory, source) for source in fed}
    nodes = (
        *(_source(id_, source) for id_, source in fed.items()),
        *_plans(inventory, Counter(key for keys in middle.values() for key in keys)),
        *dict.fromkeys(_receiver(route) for route in held if route.receiver is not None),
    )
    edges = [
        *(Edge(f"source:{id_}", key, _kind(key, _off(source))) for id_, source in fed.items() for key in middle[id_]),
        *(edge for route in held for edge in _onward(route, middle.get(route.source_id, ()))),
    ]
    return Flow(TITLES, nodes, tuple(edges)) if nodes else None


def _source(id_: str, source: Record | None) -> Node:
    if source is None:
        return Node(f"source:{id_}", id_, 0, NOT_SEEN, "not seen")
    group = fields.first(fields.words(fields.at(source, "metadata", "categories")), NO_CATEGORY)
    return Node(f"source:{id_}", fields.name_of(source), 0, group, _note(source))


def _receiver(route: Route) -> Node:
    receiver = route.receiver
    assert receiver is not None
    group = fields.first(categories(receiver, route.type), NO_CATEGORY)
    return Node(_key(route), fields.name_of(receiver), 2, group, _note(receiver))


def _key(route: Route) -> str:
    return f"{route.type}:{fields.identity(route.receiver or {})}"


def _note(record: Record) -> str:
    return "disabled" if _off(record) else ""


def _off(record: Record | None) -> bool:
    return fields.at(record, "enabled") is False


def _plans_of(inventory: Inventory, source: str) -> tuple[str, ...]:
    """The nodes in the middle that a source leads to."""
    known = inventory.plans_of_source.get(source)
    if known:
        return tuple(f"plan:id:{plan}" for plan in known)
    return (PLAN_UNKNOWN if inventory.unknown(*PLANS) else NO_PLAN,)


def _plans(inventory: Inventory, sources: Counter[str]) -> Iterator[Node]:
    """The plans that sources follow, with how many do, and at the end one node for those without."""
    names = inventory.plan_names
    known = (key.removeprefix("plan:id:") for key in sources if key not in (NO_PLAN, PLAN_UNKNOWN))
    for plan in fields.by_name(known, names):
        yield Node(f"plan:id:{plan}", names.get(plan, plan), 1, note=_many(sources[f"plan:id:{plan}"]))
    if sources[NO_PLAN]:
        yield Node(NO_PLAN, "No tracking plan", 1, note=_many(sources[NO_PLAN]), gap=True)
    if sources[PLAN_UNKNOWN]:
        yield Node(PLAN_UNKNOWN, "Tracking plan unknown", 1, note=_many(sources[PLAN_UNKNOWN]))


def _many(number: int) -> str:
    return "1 source" if number == 1 else f"{number} sources"


def _onward(route: Route, plans: Iterable[str]) -> Iterator[Edge]:
    if route.receiver is None:
        return
    state = route.state
    for key in plans:
        yield Edge(key, _key(route), _kind(key, isinstance(state, State) and state.name == "off"))


def _kind(plan: str, off: bool) -> Kind:
    if off:
        return "off"
    return "gap" if plan == NO_PLAN else "unknown" if plan == PLAN_UNKNOWN else "plan"
