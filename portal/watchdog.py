"""The watchdog: keeps a django-q2 cluster at work, and replaces it when it dies or freezes.

A cluster that has lost one process at the wrong moment looks alive and never works again (ARCHITECTURE.md, "The
worker"). So nothing is believed but results: a heartbeat task that was dequeued, worked and saved.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from enum import StrEnum

from django.conf import settings
from django.db import Error, connection
from django.utils import timezone
from django_q.models import Task
from django_q.tasks import async_task

from connectors import runs
from evidence import verifications

from . import queue
from .child import Child, signal_group

BEAT_EVERY = 5.0  # seconds
STALE_AFTER = 20.0
LONGEST = 60.0
ASLEEP = 10.0
BEAT_TASK = "evidence.tasks.beat"
Say = Callable[[str], object]


class Verdict(StrEnum):
    OK = "ok"
    BEAT = "beat"
    REPLACE = "replace"


class Watch:
    """Decides what to do about a cluster. Knows neither clock nor process: seconds and findings are told to it."""

    def __init__(self) -> None:
        self._alive = self._looked = self._beaten = 0.0
        self._waiting = False
        self._barren = 0  # clusters lost in a row without one proof of work

    def started(self, now: float) -> None:
        """A new cluster begins; it is given time before it must have proved anything."""
        self._alive = self._looked = now
        self._beaten = now - BEAT_EVERY
        self._waiting = False

    def look(self, now: float, *, proved: bool, busy: bool) -> Verdict:
        """`proved`: the beat that was sent is saved. `busy`: every worker is at something that shows progress."""
        asleep = now - self._looked > ASLEEP
        self._looked = now
        if proved:
            self._waiting, self._barren = False, 0
        if proved or busy or asleep:  # a watchdog that was stopped itself has seen nothing
            self._alive = now
        if now - self._alive > min(STALE_AFTER * 2**self._barren, STALE_AFTER + 2 * LONGEST):
            return Verdict.REPLACE
        due = not self._waiting and now - self._beaten >= BEAT_EVERY
        return Verdict.BEAT if due else Verdict.OK

    def beaten(self, now: float) -> None:
        """A beat is in the queue; there will be no second one before it is proved."""
        self._beaten, self._waiting = now, True

    def blind(self, now: float) -> None:
        """Nothing could be found out, and it is not the cluster's fault."""
        self._alive = self._looked = now

    def lost(self) -> float:
        """The cluster is gone. Returns how many seconds to wait before the next: none, 1, 2, 4 … 60."""
        delay = min(LONGEST, 2.0 ** (self._barren - 1)) if self._barren else 0.0
        self._barren += 1
        return delay


class Worker:
    """A cluster under watch. `step` is called about once a second; it never sleeps for long and never raises."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self._watch = Watch()
        self.child: Child | None = None
        self._start_at = 0.0
        self._beat = ""
        self._trouble = ""
        _be_impatient()

    def step(self) -> None:
        """Looks once, and does what is needed."""
        now = time.monotonic()
        try:
            if self.child is None:
                if now >= self._start_at:
                    self._start(now)
            elif ended := self.child.ended():
                self._lose(now, f"The worker {ended}")
            else:
                self._look(now, self.child)
            self._trouble = ""
        except Error as error:
            connection.close()  # the next look opens a new one
            self._tell_trouble(str(error))

    def close(self) -> None:
        """Gives back the runs that the cluster held when it was ended."""
        if self.child:
            with suppress(Error):
                runs.recover_of(self.child.group, timezone.now())

    # --- one cluster --------------------------------------------------------------------------------

    def _start(self, now: float) -> None:
        self._tidy()
        self.child = Child("worker", "manage", "qcluster", hear=lambda line: self._say(f"worker: {line}"))
        self._beat = ""
        self._watch.started(now)

    def _tidy(self) -> None:
        """What dead clusters of this machine left behind: the tasks they had taken, the runs they held."""
        for group in runs.groups_at_work():
            if not signal_group(group, 0):
                runs.recover_of(group, timezone.now())
        queue.give_back(settings.WORKER_NAME)

    def _look(self, now: float, child: Child) -> None:
        try:
            proved = bool(self._beat) and Task.objects.filter(pk=self._beat).exists()
            busy = not proved and self._busy(child.group)
        except Error:  # reading waits for nobody, so this is not the cluster holding a lock
            self._watch.blind(now)
            raise
        if proved:
            self._beat = ""
        match self._watch.look(now, proved=proved, busy=busy):
            case Verdict.REPLACE:
                self._lose(now, "The worker does not answer any more")
            case Verdict.BEAT:
                self._send_beat(now)

    def _busy(self, group: int) -> bool:
        """Whether every worker is at a reading or a verification, and says so."""
        now = timezone.now()
        return runs.all_hands_at_work(group, settings.WORKERS - verifications.at_work(group, now), now)

    def _send_beat(self, now: float) -> None:
        own = queue.beats_of(settings.WORKER_NAME)
        Task.objects.filter(group=own).delete()
        self._beat = str(async_task(BEAT_TASK, broker=queue.Broker(list_key=own), group=own))
        self._watch.beaten(now)

    def _lose(self, now: float, what: str) -> None:
        assert self.child is not None
        self.child.sweep()
        self.child = None
        delay = self._watch.lost()
        self._start_at = now + delay
        self._say(f"{what}; it is being replaced" + (f" in {delay:.0f} s." if delay else "."))

    def _tell_trouble(self, trouble: str) -> None:
        if trouble != self._trouble:
            self._say(f"The database does not answer the watchdog ({trouble.splitlines()[0]}); it will try again.")
            self._trouble = trouble


def _be_impatient() -> None:
    """This process must look after others: it waits for the database only briefly."""
    options = connection.settings_dict.setdefault("OPTIONS", {})
    if connection.vendor == "sqlite":
        options["timeout"] = 2
    else:
        options.update(connect_timeout=3, options="-c statement_timeout=3000")
    connection.close()
