"""What a verification does: proves the chain, the artifacts, the ledger and the database's own rules, line by line."""

import resource
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime
from typing import Any

from django.db import connection as database
from django.db.models import F

from connectors import verification
from connectors.models import Snapshot, Workspace
from portal import canon, ledger
from portal.audit import Action
from portal.models import AuditEntry, LedgerEntry
from portal.proving import INVARIANTS, Counted, Fault, stepwise

from .library import proof
from .models import Outcome, Verification, Version

SHOWN = 20  # faults of an invariant that are kept; the others are counted


def expected() -> int:
    """How many steps `prove` will take, as the database stands now."""
    others = Version.objects.count() + LedgerEntry.objects.count() + AuditEntry.objects.count()
    return verification.expected() + others


def heads() -> dict[str, list[Any]]:
    """Number and digest of every workspace's newest snapshot, by its uid."""
    found = Snapshot.objects.filter(seq=F("workspace__head")).order_by("workspace")
    return {str(uid): [seq, sha256] for uid, seq, sha256 in found.values_list("workspace__uid", "seq", "header_sha256")}


def prove(counted: Counted, now: datetime) -> Iterator[Fault]:
    """Every fault of everything that is stored, and the notes."""
    yield from _met(counted)
    yield from verification.verify(counted)
    yield from proof.verify(counted)
    yield from ledger.verify(counted, now)
    yield from _texts(counted)
    yield from _guards(counted)


def _met(counted: Counted) -> Iterator[Fault]:
    """What the last verification has seen at the end of each chain must still be there: nothing was cut off."""
    last = Verification.objects.filter(state__in=(Outcome.PASSED, Outcome.FAULTY)).order_by("-pk").first()
    if last is None:
        return
    sealed = LedgerEntry.objects.filter(action=Action.VERIFIED, target=f"verification {last.pk}").first()
    if sealed is not None and _heads_of(sealed) != digest(last.heads):
        yield Fault("I13", str(last), "What it says of the newest snapshots is not what was sealed.")
    for uid, (seq, sha256) in last.heads.items():
        counted.cover("I4")
        if not Snapshot.objects.filter(workspace__uid=uid, seq=seq, header_sha256=sha256).exists():
            workspace = Workspace.objects.filter(uid=uid).first()
            what = f"{last} has proved it as the newest, and it is not there any more as it was."
            yield Fault("I4", f"{workspace or uid}, snapshot {seq}", what)


def digest(seen: dict[str, list[Any]]) -> str:
    """One value for the ends of all chains, which is sealed in the ledger."""
    return canon.digest(canon.canonical(seen)).hex()


def _heads_of(entry: LedgerEntry) -> str:
    try:
        return str(ledger.body_of(entry)["detail"].get("heads", ""))
    except (ValueError, KeyError, AttributeError):
        return ""


def _texts(counted: Counted) -> Iterator[Fault]:
    """I12 in the audit log; the ledger's entries repeat what it says, and are compared with it."""
    fields = ("actor_name", "target_name", "detail")
    for pk, actor, about, detail in stepwise(AuditEntry.objects.all(), "pk", fields=fields):
        counted.cover("I12")
        if verification.looks_secret(canon.canonical([actor, about, detail])):
            yield Fault("I12", f"audit entry {pk}", "It holds something that looks like an access token.")
        counted.step()
    for number, body in stepwise(LedgerEntry.objects.all(), "number", fields=("body",)):
        counted.cover("I12")
        if verification.looks_secret(bytes(body)):
            yield Fault("I12", f"ledger entry {number}", "It holds something that looks like an access token.")


def _guards(counted: Counted) -> Iterator[Fault]:
    bare, tables = canon.unguarded(database)
    counted.cover("I10", many=tables)
    for table in bare:
        yield Fault("I10", table, "Its trigger is missing or was changed: the database would accept a change.")


# --- the outcome ------------------------------------------------------------------------------------------------


class Lines:
    """Faults by invariant as they come; only the first of each are kept."""

    def __init__(self, counted: Counted) -> None:
        self._counted = counted
        self._held: dict[str, list[Fault]] = {each.name: [] for each in INVARIANTS}
        self._many: dict[tuple[str, bool], int] = {}
        self.faults = 0

    def add(self, fault: Fault) -> None:
        self.faults += fault.grave
        kind = (fault.invariant, fault.grave)
        self._many[kind] = self._many.get(kind, 0) + 1
        if self._many[kind] <= SHOWN:
            self._held[fault.invariant].append(fault)

    def told(self) -> list[dict[str, Any]]:
        """One line for each invariant, in their order."""
        return [
            {
                "invariant": each.name,
                "covered": self._counted.by[each.name],
                "faults": self._many.get((each.name, True), 0),
                "notes": self._many.get((each.name, False), 0),
                "first": [asdict(fault) for fault in self._held[each.name]],
            }
            for each in INVARIANTS
        ]


def carried_out(counted: Counted, now: datetime, hear: Callable[[Fault], object] = lambda fault: None) -> Lines:
    """Proves everything; `hear` is told of each fault as it is found."""
    lines = Lines(counted)
    for fault in prove(counted, now):
        lines.add(fault)
        hear(fault)
    return lines


def memory() -> int:
    """The most bytes that this process has ever held at once.

    On Linux getrusage begins with what the starting process held, so VmHWM (proc(5), in kB) is read.
    """
    with suppress(OSError), open("/proc/self/status") as file:
        for line in file:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS, kB elsewhere
    return most if sys.platform == "darwin" else most * 1024
