"""A workspace that has been read, for the tests of the pages: made once for a module, and gone after it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.test import override_settings
from django.utils import timezone

from connectors.segment.simulator import Simulator, serve
from tests.clocks import Skipping


@dataclass
class World:
    simulator: Simulator
    connection: Any

    @property
    def workspace(self) -> Any:
        return type(self.connection.workspace).objects.get(pk=self.connection.workspace_id)

    def sync(self) -> Any:
        """Reads the workspace once, in this process; returns the run as it ended."""
        from connectors import runs, sync

        asked = runs.request(self.connection, trigger="command", now=timezone.now(), enqueue=False)
        return sync.perform(asked.pk, clock=Skipping())


@contextmanager
def world(blocker: Any, **options: Any) -> Iterator[World]:
    """A connected workspace of a simulator with these options. Everything is rolled back at the end."""
    with (
        blocker.unblock(),
        serve(**{"size": "small", **options}) as simulator,
        override_settings(REGIONS={"segment": {"demo": simulator.url}}),
        transaction.atomic(),
    ):
        yield World(simulator, _connected(simulator))
        transaction.set_rollback(True)


def _connected(simulator: Simulator) -> Any:
    from connectors import connections, registry
    from connectors.schedules import Plan

    now, token = timezone.now(), simulator.tokens["owner"]
    connection = connections.draft(registry.get("segment"), by=None, now=now)
    connections.set_credential(connection, name="Demo", region="demo", token=token, role="owner", now=now)
    connections.check(connection, by=None, now=now)
    return connections.activate(connection, plan=Plan("manual"), by=None, now=now)
