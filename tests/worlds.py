"""A workspace that has been read, for the tests of the pages: made once for a module, and gone after it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import connection as database
from django.db import transaction
from django.test import override_settings
from django.utils import timezone

from connectors.segment.simulator import Simulator, serve
from tests.clocks import Skipping

CORE = ("workspace", "data-flow", "tracking-plans", "people")


@dataclass
class World:
    simulator: Simulator
    connection: Any

    @property
    def workspace(self) -> Any:
        return type(self.connection.workspace).objects.get(pk=self.connection.workspace_id)

    def sync(self, streams: tuple[str, ...] = (), ago: timedelta = timedelta()) -> Any:
        """Reads the workspace once, in this process, by a clock that is `ago` behind; returns the run as it ended."""
        from connectors import runs, sync

        clock = Skipping()
        clock.waited = -ago.total_seconds()
        asked = runs.request(self.connection, trigger="command", now=clock.now(), streams=streams, enqueue=False)
        ended = sync.perform(asked.pk, clock=clock)
        analyze()
        return ended


def analyze() -> None:
    """Tells PostgreSQL what its tables hold: by itself it looks only at what was committed, and plans badly without."""
    if database.vendor == "postgresql":
        with database.cursor() as cursor:
            cursor.execute("ANALYZE connectors_change, connectors_blob, connectors_receipt")


@contextmanager
def world(blocker: Any, groups: Sequence[str] | None = None, **options: Any) -> Iterator[World]:
    """A connected workspace of a simulator with these options, of which these groups are read, or the standard ones.

    Everything is rolled back at the end; so is what a test of the module does, at its own end.
    """
    with (
        blocker.unblock(),
        serve(**{"size": "small", **options}) as simulator,
        override_settings(REGIONS={"segment": {"demo": simulator.url}}),
        transaction.atomic(),
    ):
        yield World(simulator, activated(checked_draft(simulator, groups)))
        transaction.set_rollback(True)


def checked_draft(simulator: Simulator, groups: Sequence[str] | None) -> Any:
    """A draft that reads these groups, or the standard ones, and whose token the simulator's workspace has answered."""
    from connectors import connections, registry

    now, token = timezone.now(), simulator.tokens["owner"]
    connection = connections.draft(registry.get("segment"), by=None, now=now)
    connections.set_credential(connection, name="Demo", region="demo", token=token, role="owner", now=now)
    if groups is not None:
        connection.groups = list(groups)
        connection.save(update_fields=["groups"])
    assert not connections.check(connection, by=None, now=now).code
    return connection


def activated(draft: Any) -> Any:
    """The same as an active connection that only reads when it is asked to."""
    from connectors import connections
    from connectors.schedules import Plan

    return connections.activate(draft, plan=Plan("manual"), by=None, now=timezone.now())
