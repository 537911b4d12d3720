"""What pages say of verifications, of the keys, and of what no verification can prove; and when to raise the alarm."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.urls import reverse

from connectors.models import Snapshot
from connectors.spec import State
from portal import ledger
from portal.audit import Action
from portal.models import LedgerEntry
from portal.proving import INVARIANTS, Invariant
from portal.templatetags.portal import duration, said_time

from . import verifications
from .health import Matter
from .models import Outcome, Verification

OVERDUE = timedelta(hours=48)
OPERATOR = "Whoever runs this portal"
_WAY_IN = timedelta(seconds=3)  # before a guess is made of how long the rest takes
_STATES = {
    Outcome.QUEUED: State("none", Outcome.QUEUED.label),
    Outcome.RUNNING: State("run", Outcome.RUNNING.label),
    Outcome.PASSED: State("pass", Outcome.PASSED.label),
    Outcome.FAULTY: State("fail", Outcome.FAULTY.label),
    Outcome.BROKEN: State("failed", Outcome.BROKEN.label),
    Outcome.LOST: State("failed", Outcome.LOST.label),
}


@dataclass(frozen=True)
class Limit:
    """Something that no verification can prove, and what helps."""

    title: str
    why: str
    helps: str


# SECURITY.md says the same; a test holds the two together.
LIMITS = (
    Limit(
        "Somebody who has the signing key",
        "Whoever can read the key file on the machine can write another history and sign it. To this page it would "
        "look as good as the true one, from the last moment on that something outside this portal confirms.",
        "Keep the fingerprints of exports and PDFs that you took away: they show whether a history was written anew.",
    ),
    Limit(
        "An older copy of the whole database",
        "If the database is put back to an earlier day as a whole, snapshots, ledger and earlier verifications agree "
        "with each other: only the days since are gone.",
        "Compare the number and fingerprint of the newest snapshot with an export or PDF that you hold.",
    ),
    Limit(
        "What Segment did not say",
        "The portal proves what Segment answered, not that the answer was true or whole. Some things are not in "
        "the API of Segment at all: they are named where they matter.",
        "Look at such settings in Segment itself.",
    ),
    Limit(
        "What the token of a Workspace Member was not shown",
        "Segment may leave out of its lists what the role of the token may not see, without a word. Nobody can tell "
        "such a list from a complete one.",
        "Use a token with the Workspace Owner role; every page and export from another one says so.",
    ),
    Limit(
        "The seconds before an entry is sealed",
        "The audit log is written at once and sealed a few seconds later by the worker. Whoever can write to the "
        "database could change an entry in between. Sign-ins and views are not sealed at all.",
        "Entries that wait for more than an hour raise an alarm.",
    ),
    Limit(
        "The program itself",
        "A verification is done by the program that it vouches for. If the program was changed, so was the proof.",
        "Have a copy of the program that you trust verify it: manage.py verify needs a database and public keys.",
    ),
)


@dataclass(frozen=True)
class Line:
    """One invariant as a verification found it. `first` are its first faults and notes."""

    invariant: Invariant
    covered: int
    faults: int
    notes: int
    first: Sequence[dict[str, Any]]

    @property
    def more(self) -> int:
        return self.faults + self.notes - len(self.first)

    @property
    def state(self) -> State:
        if self.faults:
            return State("fail", "1 fault" if self.faults == 1 else f"{self.faults:,} faults")
        if self.notes:
            return State("unknown", "Not confirmed")
        return State("pass", "Holds") if self.covered else State("none", "Nothing there yet")


def lines(verification: Verification) -> list[Line]:
    known = {each.name: each for each in INVARIANTS}
    found = [(known.get(said["invariant"]), said) for said in verification.lines]
    return [
        Line(invariant, said["covered"], said["faults"], said["notes"], said["first"])
        for invariant, said in found
        if invariant is not None
    ]


def state_of(verification: Verification) -> State:
    return _STATES[Outcome(verification.state)]


def took(verification: Verification) -> timedelta | None:
    if verification.started_at is None or verification.finished_at is None:
        return None
    return verification.finished_at - verification.started_at


def left(verification: Verification, now: datetime) -> timedelta | None:
    """How long the rest will take at the pace so far; None while nothing can be said of it."""
    if verification.started_at is None or not verification.done or now - verification.started_at < _WAY_IN:
        return None
    pace = (now - verification.started_at) / verification.done
    return max(pace * (verification.expected - verification.done), timedelta(0))


# --- keys ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Key:
    """A trusted key. `added` is the ledger entry that tells of it; `signs` says that it made the newest signature."""

    name: str
    fingerprint: str
    added: LedgerEntry | None
    signs: bool

    @property
    def groups(self) -> str:
        """The fingerprint in groups of four, to be read aloud."""
        return " ".join(self.fingerprint[at : at + 4] for at in range(0, len(self.fingerprint), 4))


def keys() -> list[Key]:
    told = LedgerEntry.objects.filter(action=Action.KEY_ADDED).order_by("number")
    added = {entry.target_name: entry for entry in told}
    newest = LedgerEntry.objects.order_by("-number").values_list("key_id", flat=True).first()
    return [Key(name, print, added.get(name), name == newest) for name, print in ledger.fingerprints().items()]


# --- alarms -------------------------------------------------------------------------------------------------------


def alarms(now: datetime) -> list[Matter]:
    """What the home page must say; the same number of queries whatever there is."""
    newest, good = Verification.objects.order_by("-pk").first(), verifications.finished()
    found = []
    if good is not None and good.state == Outcome.FAULTY:
        found.append(_faulty(good))
    if newest is not None and newest.state == Outcome.BROKEN:
        found.append(_matter(State("failed", "Broke off"), "The last verification broke off", newest.detail))
    if said := _overdue(good, now):
        found.append(_matter(State("stale", "Overdue"), "The evidence has not been verified lately", said))
    waits = ledger.waiting().filter(at__lt=now - ledger.LATE).order_by("at").values_list("at", flat=True).first()
    if waits is not None:
        why = (
            f"The oldest has waited since {said_time(waits)}: the worker does not run, or cannot read its signing key."
        )
        found.append(_matter(State("stale", "Not sealed"), "Entries of the audit log are not sealed", why))
    return found


def _faulty(good: Verification) -> Matter:
    many = f"{good.faults:,} fault{'' if good.faults == 1 else 's'}"
    named = [line.invariant.title for line in lines(good) if line.faults]
    why = f"No longer holds: {'; '.join(named[:3])}. Do not rely on the evidence before somebody has explained it."
    return _matter(State("fail", "Faults"), f"The last verification found {many}", why)


def _overdue(good: Verification | None, now: datetime) -> str:
    """That no verification has ended for two days, "" while that is well."""
    if good is not None and good.finished_at is not None:
        ago = now - good.finished_at
        return f"The last one ended {duration(ago)} ago; there should be one every day." if ago > OVERDUE else ""
    first = Snapshot.objects.order_by("pk").values_list("published_at", flat=True).first()
    return "None has ever ended." if first is not None and now - first > OVERDUE else ""


def _matter(state: State, what: str, why: str) -> Matter:
    return Matter(state, what, why, None, who=OPERATOR, href=reverse("integrity"))
