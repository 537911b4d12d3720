"""What the reports know of a workspace beyond one record: names, links, and what could not be read.

Everything is loaded when it is first asked for and kept for as long as the report lives. Rules of tracking
plans are not: there may be a hundred thousand of them.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property

from ...spec import Cell, Column, Coverage, Covered, Record, Row, State, Table, View, standing
from . import fields

PLANS = ("tracking_plans", "tracking_plan_sources")

Links = dict[str, tuple[str, ...]]


class Inventory:
    def __init__(self, view: View) -> None:
        self.view = view

    # --- records, in the order of every report ---

    @cached_property
    def sources(self) -> tuple[Record, ...]:
        return fields.in_order(self.view.records("sources"))

    @cached_property
    def destinations(self) -> tuple[Record, ...]:
        return fields.in_order(self.view.records("destinations"))

    @cached_property
    def warehouses(self) -> tuple[Record, ...]:
        return fields.in_order(self.view.records("warehouses"))

    @cached_property
    def plans(self) -> tuple[Record, ...]:
        return fields.in_order(self.view.records("tracking_plans"))

    # --- names ---

    @cached_property
    def source_names(self) -> dict[str, str]:
        return _names(self.sources)

    @cached_property
    def destination_names(self) -> dict[str, str]:
        return _names(self.destinations)

    @cached_property
    def warehouse_names(self) -> dict[str, str]:
        return _names(self.warehouses)

    @cached_property
    def plan_names(self) -> dict[str, str]:
        return _names(self.plans)

    @cached_property
    def user_names(self) -> dict[str, str]:
        return {fields.identity(user): fields.name_of(user, "email") for user in self.view.records("users")}

    def source(self, id_: str) -> str | None:
        """What a source is called; its id when it was not seen, None when there is none."""
        return self.source_names.get(id_, id_) or None

    def destination(self, id_: str) -> str | None:
        return self.destination_names.get(id_, id_) or None

    def warehouse(self, id_: str) -> str | None:
        return self.warehouse_names.get(id_, id_) or None

    def person(self, id_: str) -> str | None:
        return self.user_names.get(id_, id_) or None

    # --- links ---

    @cached_property
    def plans_of_source(self) -> Links:
        return self._links("tracking_plan_sources", "sourceId", "trackingPlanId")

    @cached_property
    def sources_of_plan(self) -> Links:
        return self._links("tracking_plan_sources", "trackingPlanId", "sourceId")

    @cached_property
    def warehouses_of_source(self) -> Links:
        return self._links("warehouse_sources", "sourceId", "warehouseId")

    @cached_property
    def sources_of_warehouse(self) -> Links:
        return self._links("warehouse_sources", "warehouseId", "sourceId")

    @cached_property
    def destinations_of_source(self) -> dict[str, list[Record]]:
        found = defaultdict(list)
        for destination in self.destinations:
            found[fields.identity(destination, "sourceId")].append(destination)
        return found

    def grouped(self, stream: str, by: str) -> dict[str, tuple[Record, ...]]:
        """The records of a stream by the id that they name in the field `by`, each group in order of names."""
        found = defaultdict(list)
        for record in self.view.records(stream):
            found[fields.identity(record, by)].append(record)
        return {key: fields.in_order(values, "title") for key, values in found.items()}

    def _links(self, stream: str, one: str, many: str) -> Links:
        found = defaultdict(list)
        for link in self.view.records(stream):
            found[fields.identity(link, one)].append(fields.identity(link, many))
        return {key: tuple(sorted(values)) for key, values in found.items()}

    # --- what may be said ---

    def table(
        self,
        name: str,
        title: str,
        columns: tuple[Column, ...],
        rows: Callable[[], Iterator[Row]],
        *streams: str,
        partition: str = "",
    ) -> Table:
        """A table that is made of these streams, and says so when one of them was not read completely."""
        return Table(name, title, columns, rows, note=self.note(*streams), partition=partition)

    def note(self, *streams: str) -> str:
        """What was not read of these streams and why, as sentences; "" when all were read completely."""
        return " ".join(_end(f"{_said(each)}. {each.reason}") for each in self._incomplete(streams))

    def unread(self, *streams: str) -> str:
        """The same in as few words as a cell has room for; "" when absence from all of these streams is proof."""
        return "; ".join(map(_said, self._incomplete(streams)))

    def _incomplete(self, streams: Iterable[str]) -> list[Covered]:
        covered = map(self.view.coverage, streams)
        return [each for each in covered if each.coverage is not Coverage.COMPLETE]

    def unknown(self, *streams: str) -> State | None:
        """The state of a cell that hangs on these streams; None when they were read completely."""
        why = self.unread(*streams)
        return State("unknown", "Unknown", why) if why else None

    def total(self, stream: str) -> Cell:
        """How many records a stream has, or why nobody knows."""
        return self.tally(self.view.count(stream), stream)

    def tally(self, number: Cell, stream: str, *others: str) -> Cell:
        """A figure made of these streams, or the state of the first that was not read completely."""
        for covered in self._incomplete((stream, *others)):
            state = standing(covered)
            said = number.word if isinstance(number, State) else number
            before = f"{said} as of snapshot {covered.as_of}." if covered.as_of and said is not None else ""
            return State(state.name, state.word, f"{_end(state.why)} {before}".strip())
        return number

    def plan_of(self, source: str) -> Cell:
        """The tracking plans that a source must follow, or that there is none, or that nobody knows."""
        if ids := self.plans_of_source.get(source):
            return fields.named(ids, self.plan_names)
        return self.unknown(*PLANS) or NO_PLAN


# Not a failure: whether a source must have a plan is for a check, or a person, to say.
NO_PLAN = State("off", "No plan", "No tracking plan is connected to this source.")


def _names(records: Iterable[Record]) -> dict[str, str]:
    return {fields.identity(record): fields.name_of(record) for record in records}


def _said(covered: Covered) -> str:
    return f"{covered.title}: {standing(covered).word.lower()}"


def _end(said: str) -> str:
    said = said.strip()
    return f"{said}." if said and said[-1] not in ".!?" else said
