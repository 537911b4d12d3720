"""A workspace as the holder of one token sees it, and a question about it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from .tokens import Role
from .world import Kind, World

Json = Any


class View:
    """A workspace as the holder of one token sees it.

    Whether the real service filters or refuses is not established. Here a member's lists lack every third source
    without a word, with its destinations, and write keys are left out: they need the role of a source admin.
    """

    def __init__(self, world: World, role: Role) -> None:
        self.world = world
        self.role = role

    @cached_property
    def hidden(self) -> frozenset[str]:
        """Ids of the sources that are kept from it."""
        hidden = (source["id"] for source in self.world.sources[2::3]) if self.role != "owner" else ()
        return frozenset(hidden)

    def sources(self, sources: Sequence[Json]) -> list[Json]:
        """Those of these sources that it sees, as it sees them."""
        seen = self.of_sources(sources, "id")
        return seen if self.role == "owner" else [{**source, "writeKeys": []} for source in seen]

    def of_sources(self, records: Sequence[Json], name: str = "sourceId") -> list[Json]:
        """Those of these records whose source it sees; `name` is the field with the source's id."""
        return [record for record in records if record[name] not in self.hidden]

    def may_open(self, kind: Kind, number: int) -> bool:
        """Whether it may read below one record."""
        if kind == "sources":
            return self.world.sources[number]["id"] not in self.hidden
        return kind != "destinations" or self.world.destinations[number]["sourceId"] not in self.hidden

    def belong(self, at: Mapping[Kind, int]) -> bool:
        """Whether records that are named in one question belong together: a source to its destination, warehouse."""
        if "sources" in at and "destinations" in at:
            return self.world.company.destinations[at["destinations"]].source == at["sources"]
        if "sources" in at and "warehouses" in at:
            return at["sources"] in self.world.company.warehouses[at["warehouses"]][2]
        return True


@dataclass(frozen=True)
class Ask:
    """One question: who asks, about which records (each by its number in its listing), with which parameters."""

    view: View
    at: Mapping[Kind, int]
    query: Mapping[str, str]
    user_permissions: bool

    @property
    def world(self) -> World:
        """The workspace as it is, whoever asks."""
        return self.view.world

    @property
    def number(self) -> int:
        """The record that the question is about: the one that the path names first."""
        return next(iter(self.at.values()))
