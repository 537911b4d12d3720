"""`python -m tests.kills --times 200 --size medium`: syncs whose worker is killed (SIGKILL) end as if it had lived.

Each round brings a portal to where it was, starts a worker on a queued run, and kills it: half of the workers at a
moment of the clock, half of them by themselves right before or after a statement of the database, each kind of
statement as likely as any other, so that the short steps (claim, `begin`, publishing) are hit as often as the long
reading. The run is given back as the watchdog gives it back, and done again; the second worker is killed too in two
rounds of five. With --spread the first kill of each round leaves nothing to chance: it is before the first statement of
a kind, and the rounds together go evenly through the kinds in the order in which a sync comes to them. In the end
nothing but what `outcomes` lists may tell it apart from a run that nobody disturbed; `verify` finds nothing, no staged
record and no checkpoint is left, receipts are numbered without a gap, and the slow lane was asked for once.

Every other round is a second sync of a workspace, a day later, in which 1 % of the records have changed.
"""

import argparse
import json
import mmap
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests import yard  # first: it starts Django

from django.db import connection as database  # isort: skip
from django.db import transaction  # isort: skip
from django.utils import timezone  # isort: skip

from connectors import runs, tasks  # isort: skip
from connectors.models import Lane, Receipt, RunListing, RunState, RunStream, SyncRun  # isort: skip
from tests.outcomes import differences, kind_of, left_over, outcome  # isort: skip

Statements = Counter[str]


# --- a worker that can be killed anywhere -----------------------------------------------------------

_IN_TRANSACTION, _AT_REST = b"1", b"0"


@dataclass(frozen=True)
class Place:
    """Before or after the `number`th statement of a kind."""

    kind: str
    number: int
    after: bool


class Seen:
    """What a worker's statements were, in memory that outlives it: whether one was in a transaction."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, 1)

    @property
    def in_transaction(self) -> bool:
        return self._memory[:1] == _IN_TRANSACTION

    def watch(self, counted: Statements, place: Place | None) -> Callable[..., Any]:
        """A wrapper around each statement of the database, which kills its process at `place`."""

        def around(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
            kind = kind_of(sql)
            counted[kind] += 1
            here = place is not None and (place.kind, place.number) == (kind, counted[kind])
            self._note(database.in_atomic_block)
            if here and place and not place.after:
                os.kill(os.getpid(), signal.SIGKILL)
            found = execute(sql, *rest)
            if here:
                os.kill(os.getpid(), signal.SIGKILL)
            return found

        return around

    def _note(self, inside: bool) -> None:
        self._memory[:1] = _IN_TRANSACTION if inside else _AT_REST
        if inside:
            transaction.on_commit(lambda: self._note(False))


def worker(run: int, seen: Seen, place: Place | None = None) -> yard.Worker:
    """A process that does the task of a run as the queue would have it done; tells which statements it took."""

    def work() -> Any:
        counted = Statements()
        with database.execute_wrapper(seen.watch(counted, place)):
            tasks.sync(run)
        return counted

    return yard.Worker(work)


def phase(run: int, seen: Seen) -> str:
    """Where a run was when its worker died, by what it left."""
    row = SyncRun.objects.get(pk=run)
    inside = " (in a transaction)" if seen.in_transaction else ""
    if row.state == RunState.QUEUED:
        return "before the claim"
    if row.state == RunState.PUBLISHING:
        return "publishing" + inside
    if row.state != RunState.RUNNING:
        return "after publishing"
    if not RunStream.objects.filter(run=run).exists():
        return "identity" if row.plan else "claimed"
    return ("last save before publishing" if row.now == "Publishing" else "reading") + inside


# --- rounds -----------------------------------------------------------------------------------------


@dataclass
class Story:
    """One kind of sync: what it starts from, and what comes of it undisturbed."""

    label: str
    url: str
    run: int
    outcome: dict[str, Any]
    requests: int
    seconds: float
    statements: Statements


@dataclass
class Figures:
    rounds: int = 0
    kills: int = 0
    missed: int = 0
    phases: Counter[str] = field(default_factory=Counter)
    by_losses: Counter[int] = field(default_factory=Counter)
    requests_clean: int = 0
    requests: int = 0
    saved: int = 0
    begun_again: int = 0
    seconds: float = 0.0
    failures: list[str] = field(default_factory=list)


def ask(connection: Any) -> int:
    """A queued run, with its task."""
    return int(runs.request(connection, trigger="test", now=timezone.now()).pk)


def tell(label: str, url: str, run: int) -> Story:
    """Does a run that nobody disturbs, from where the portal was put aside as `label`."""
    yard.bring_back(label)
    yard.serve_from(url)
    undisturbed = worker(run, Seen())
    assert undisturbed.wait() == 0, "a run that nobody disturbs ends"
    row = SyncRun.objects.get(pk=run)
    assert row.state == RunState.PUBLISHED, f"{row.state} {row.error_code}: {row.error_detail}"
    seconds = time.monotonic() - undisturbed.began
    assert not left_over(run), left_over(run)
    requests = Receipt.objects.filter(run=run).count()
    return Story(label, url, run, outcome(run), requests, seconds, Statements(undisturbed.returned))


def one(story: Story, dice: random.Random, figures: Figures, first: Place | None = None) -> None:
    """One round: kill (at `first`, if that is given, the first time), give back, do again, compare."""
    yard.bring_back(story.label)
    yard.serve_from(story.url)
    figures.rounds += 1
    figures.requests_clean += story.requests
    losses = 0
    for number in range(dice.choice((1, 1, 1, 2, 2))):
        hit, seen = kill(story, dice, None if number else first)
        if not hit:
            figures.missed += 1
            break
        losses += 1
        figures.phases[phase(story.run, seen)] += 1
        yard.tidy()
        note_what_is_kept(story.run, figures)
    finish(story, figures)
    figures.kills += losses
    figures.by_losses[losses] += 1


def part_way(story: Story, part: float) -> Place:
    """Before a statement that every sync comes to: the first of the kind that far (0 to 1) through them."""
    kinds = list(story.statements)  # in the order in which they came first
    return Place(kinds[int(part * len(kinds))], 1, after=False)


def kill(story: Story, dice: random.Random, place: Place | None = None) -> tuple[bool, Seen]:
    """A worker that is killed there, or somewhere; whether it was, and what is known of its end."""
    seen = Seen()
    if place:
        victim = worker(story.run, seen, place)
    elif dice.random() < 0.5:
        victim = worker(story.run, seen)
        victim.kill_after(dice.uniform(0, story.seconds))
    else:
        kind = dice.choice(sorted(story.statements))
        place = Place(kind, dice.randint(1, story.statements[kind]), dice.random() < 0.5)
        victim = worker(story.run, seen, place)
    code = victim.wait()
    assert code in (0, -signal.SIGKILL), f"a worker ended with exit code {code}"
    return code != 0, seen


def note_what_is_kept(run: int, figures: Figures) -> None:
    """How many pages the next worker need not ask for, and how many it asks for again."""
    if SyncRun.objects.get(pk=run).state != RunState.QUEUED:
        return
    for body in RunListing.objects.filter(run=run).values_list("body", flat=True):
        done = body["stage"] in ("done", "refused")
        figures.saved += body["pages"] if done else 0
        figures.begun_again += 0 if done else body["pages"]


def finish(story: Story, figures: Figures) -> None:
    """The queue's task is done once more, by a worker that lives, and the end is looked at."""
    assert worker(story.run, Seen()).wait() == 0, "the last worker failed"
    figures.requests += Receipt.objects.filter(run=story.run).count()
    wrong = left_over(story.run) + differences(story.outcome, outcome(story.run))
    if wrong:
        figures.failures.append(f"round {figures.rounds}, {story.label}: " + "; ".join(wrong))
        _aside(figures.failures[-1][:2000])


@contextmanager
def stories(size: str, latency: float, groups: list[str]) -> Iterator[list[Story]]:
    """A first sync, and a second one a day later, each of a portal that was put aside just before it."""
    options = ("--size", size, "--latency-ms", str(latency))
    with yard.simulator(*options) as (url, token), yard.simulator(*options, "--day", "1") as (later, _):
        yard.make()
        yard.serve_from(url)
        connection = yard.connect(token, groups)
        first = ask(connection)
        yard.keep("first")
        told = [tell("first", url, first)]
        SyncRun.objects.filter(lane=Lane.SLOW).delete()
        second = ask(connection)
        yard.keep("second")
        yield [*told, tell("second", later, second)]


def play(times: int, size: str, seed: int, *, latency: float, groups: list[str], spread: bool) -> Figures:
    say, figures, dice = _aside, Figures(), random.Random(seed)
    with stories(size, latency, groups) as told:
        for story in told:
            say(
                f"{story.label} sync undisturbed: {story.requests} requests, {story.seconds:.2f} s, "
                f"{len(story.outcome['changes'])} changes, {sum(story.statements.values())} statements "
                f"of {len(story.statements)} kinds"
            )
        began = time.monotonic()
        for number in range(times):
            story = told[number % 2]
            one(story, dice, figures, part_way(story, (number + 0.5) / times) if spread else None)
            if not (number + 1) % 20:
                say(f"{number + 1} rounds, {figures.kills} kills, {len(figures.failures)} failures")
        figures.seconds = time.monotonic() - began
    return figures


def _aside(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=200)
    parser.add_argument("--size", default="medium")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--latency-ms", type=float, default=5)
    parser.add_argument("--spread", action="store_true", help="the first kill of each round leaves nothing to chance")
    parser.add_argument("--groups", default="", help="of streams, separated by commas; the standard ones when left out")
    options = parser.parse_args()
    groups = [name for name in options.groups.split(",") if name]
    how: dict[str, Any] = {"latency": options.latency_ms, "groups": groups, "spread": options.spread}
    figures = play(options.times, options.size, options.seed, **how)
    sys.stdout.write(json.dumps(vars(figures), indent=1) + "\n")
    sys.exit(1 if figures.failures else 0)


if __name__ == "__main__":
    main()
