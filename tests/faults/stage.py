"""A connected workspace with one snapshot of day 0, on which a fault of day 5 is played. Real HTTP, real database."""

import html
import re
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.db import transaction
from django.urls import reverse

from connectors import locker, runs
from connectors import sync as driver
from connectors.models import Change, Connection, Snapshot, SyncRun
from connectors.reading import Tempo
from connectors.segment.simulator import Fault, Simulator, serve
from tests.clocks import Skipping

from .row import Row

AGAIN = 10.0  # seconds before a stream that lost much is read a second time; a minute in earnest
DAY = 5  # by then something has changed in most streams
Key = tuple[str, str]


@dataclass(frozen=True)
class Picture:
    """All that a snapshot says: records by stream and key, what it changed, and its coverage."""

    state: Mapping[Key, bytes]
    changes: Mapping[Key, bytes | None]
    coverage: Mapping[str, Mapping[str, Any]]


def picture(snapshot: Snapshot) -> Picture:
    row, seq = ("stream", "key", "sha256"), snapshot.seq
    state = locker.state(snapshot.workspace_id, seq).values_list(*row)
    changes = Change.objects.filter(workspace_id=snapshot.workspace_id, seq=seq).values_list(*row)
    return Picture(
        {(stream, key): bytes(sha256 or b"") for stream, key, sha256 in state},
        {(stream, key): None if sha256 is None else bytes(sha256) for stream, key, sha256 in changes},
        locker.coverage_of(snapshot),
    )


class Acting(Skipping):
    """A clock whose waits cost nothing, and that lets something happen once, as soon as `when` holds.

    Only the coordinator's looks at the clock count: it is the one that talks to the database.
    """

    def __init__(self, when: Callable[[], bool], act: Callable[[], object]) -> None:
        super().__init__()
        self._when, self._act, self.acted, self._busy = when, act, False, False

    def now(self) -> datetime:
        mine = threading.current_thread() is threading.main_thread()
        if mine and not self.acted and not self._busy:
            self._busy = True
            due = self._when()
            self._busy = False
            if due:
                self.acted = True
                self._act()
        return super().now()


class Stage:
    """`simulator` serves day 5; `clock` is the run's; `pages` is what was seen of its pages, as text.

    `base` is what the newest snapshot says, if somebody knows it already.
    """

    def __init__(  # noqa: PLR0917  # fixtures
        self,
        simulator: Simulator,
        connection: Connection,
        settings: Any,
        patch: Any,
        client: Any,
        base: Picture | None = None,
    ) -> None:
        self.simulator, self.connection = simulator, connection
        self.settings, self.patch, self._client = settings, patch, client
        self.clock = Skipping()
        self.pages: list[str] = []
        self.streams: tuple[str, ...] = ()
        self.base = base or picture(self.snapshot())
        self.clean = self.base
        self.asked_before = 0
        self._open = ExitStack()
        self._settings = dict(vars(simulator.settings))

    def snapshot(self) -> Snapshot:
        """The newest."""
        found = Snapshot.objects.filter(workspace=self.connection.workspace).order_by("-seq").first()
        assert isinstance(found, Snapshot)
        return found

    def prepare(self, row: Row, known: dict[Any, Picture]) -> None:
        """Sets the scene: what a clean run gives (`known` remembers it), then the fault."""
        vars(self.simulator.settings).update(day=DAY, **row.options)
        self.streams = row.streams
        case = (row.streams, *sorted(row.options.items()))
        if case not in known:
            known[case] = self._clean()
        self.clean = known[case]
        self.simulator.faults[:] = [replace(fault) for fault in row.faults]
        self.asked_before = len(self.simulator.requests)

    def _clean(self) -> Picture:
        with transaction.atomic():
            run = self.sync(Skipping())
            assert run.state == "published", (run.state, run.error_code)
            found = picture(self.snapshot())
            transaction.set_rollback(True)
        return found

    def request(self) -> SyncRun:
        now = self.clock.now()
        return runs.request(self.connection, trigger="test", now=now, streams=self.streams, enqueue=False)

    def sync(self, clock: Skipping | None = None) -> SyncRun:
        """One run from its request to its end, or to where it waits."""
        return driver.perform(self.request().pk, clock=clock or self.clock, tempo=Tempo(again=AGAIN))

    def play(self, *faults: Fault) -> SyncRun:
        """One run with these faults instead of those that were there."""
        self.simulator.faults[:] = faults
        return self.sync()

    @property
    def requests(self) -> list[Any]:
        """What was asked since the scene was set."""
        return self.simulator.requests[self.asked_before :]

    def alone(self, **options: Any) -> Simulator:
        """Another simulator of the same workspace and day takes the place of the shared one."""
        self.simulator = self._open.enter_context(serve(size="small", **{"day": DAY, **options}))
        self.asked_before = 0
        self.at(self.simulator.url)
        return self.simulator

    def beside(self) -> Simulator:
        """A second server, which nobody must ask."""
        return self._open.enter_context(serve(size="small"))

    def at(self, url: str) -> None:
        """The connection's region is at that address now."""
        self.settings.REGIONS = {"segment": {"demo": url}}

    def look(self, run: SyncRun) -> str:
        """The run's page as a person reads it."""
        answer = self._client.get(reverse("run", args=[run.pk]))
        assert answer.status_code == 200
        text = " ".join(html.unescape(re.sub(r"<[^>]*>", " ", answer.content.decode())).split())
        self.pages.append(text)
        return text

    def close(self) -> None:
        for thread in threading.enumerate():
            if thread.name.startswith("read"):
                thread.join(10)  # a request under way would count for the next row's faults
        self._open.close()

    def restore(self, simulator: Simulator) -> None:
        """Makes the shared simulator as it was."""
        simulator.faults.clear()
        vars(simulator.settings).update(self._settings)
