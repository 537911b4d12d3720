"""A line of the fault table: how a fault is injected, what comes of it, and what is proved."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from connectors.segment.simulator import Fault

if TYPE_CHECKING:
    from connectors.models import SyncRun

    from .stage import Stage

FEW = ("sources", "destinations", "tracking_plans", "tracking_plan_rules", "roles", "labels")
PAGED = ("sources", "destinations", "roles")  # with pages of ten: two, four and one
IN_PAGES: Mapping[str, Any] = {"cap": 10}


class Proof(StrEnum):
    """What is proved of every row, in words."""

    SAME = "Every record, change and coverage is that of a clean run."
    KEPT = "The struck stream stands as of the snapshot before; all others are those of a clean run."
    PART = "The struck parent's records stand as of the snapshot before; all others are those of a clean run."
    TOLD = "The struck stream is what the service said to the end; all others are those of a clean run."
    OWN = ""  # only what `besides` says
    NONE = "Nothing is published and nothing staged is left; the snapshot before stays the latest."


@dataclass(frozen=True, kw_only=True)
class Row:
    """`act` plays it and returns the run as it ended.

    struck    streams whose coverage is `coverage`; those under `part`, if it is given, for that parent alone
    says      a sentence on a page of the run
    truth     of Proof.TOLD: (stage, key -> record of a clean run) -> what must be known now, for each struck stream
    also      further proofs, in words in `besides`
    line      what happens, in the table for people; rows that share all of it are one line there
    """

    fault: str
    name: str
    faults: tuple[Fault, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    streams: tuple[str, ...] = FEW
    act: Callable[[Stage], SyncRun] | None = None
    ends: str = "published"
    code: str = ""
    struck: tuple[str, ...] = ()
    coverage: str = "complete"
    part: Callable[[Stage], str] | None = None
    says: str = "Snapshot 2"
    proof: Proof = Proof.SAME
    truth: Callable[[Stage, dict[str, Any]], dict[str, Any]] | None = None
    also: Callable[[Stage, SyncRun], None] | None = None
    besides: str = ""
    line: str = ""
    apart: bool = False  # it breaks the database itself and cannot share one with others

    def __str__(self) -> str:
        return f"{self.fault} {self.name}".replace(" ", "-").replace(",", "").replace("/", "")


def failed(fault: str, name: str, code: str, says: str, **options: Any) -> Row:
    """The run ends and publishes nothing."""
    return Row(fault=fault, name=name, code=code, says=says, proof=Proof.NONE, **{"ends": "failed"} | options)


def kept(fault: str, name: str, coverage: str, says: str, **options: Any) -> Row:
    """One stream (destinations, where nothing else is said) is not known; the rest is published."""
    more: dict[str, Any] = {"ends": "partial", "struck": ("destinations",), "proof": Proof.KEPT} | options
    return Row(fault=fault, name=name, coverage=coverage, says=says, **more)


def told(
    fault: str, name: str, says: str, truth: Callable[[Stage, dict[str, Any]], dict[str, Any]], **more: Any
) -> Row:
    """It is published as the service said it."""
    more = {"struck": ("destinations",)} | more
    return Row(fault=fault, name=name, says=says, truth=truth, proof=Proof.TOLD, **more)
