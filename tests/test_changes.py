"""Changes: between two snapshots, of one record, from snapshot to snapshot; what was not read is never removed."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from html import unescape
from typing import Any

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from connectors.segment.simulator import Fault
from connectors.segment.simulator.drift import DAY_ZERO
from tests.clocks import Skipping

from .worlds import World, world

pytestmark = pytest.mark.django_db
GROUPS = ("workspace", "data-flow", "tracking-plans", "on-the-way", "people", "audit-trail")
NOON = timedelta(hours=12)


class Story(Skipping):
    """A clock that stands at noon of a day of the simulator's story, and goes on from there."""

    def __init__(self, day: int) -> None:
        super().__init__()
        self._ahead = DAY_ZERO + timedelta(days=day) + NOON - timezone.now()

    def now(self) -> datetime:
        return super().now() + self._ahead


def read_on(made: World, day: int) -> Any:
    from connectors import runs, sync

    made.simulator.settings.day = day
    asked = runs.request(made.connection, trigger="command", now=timezone.now(), enqueue=False)
    return sync.perform(asked.pk, clock=Story(day))


@pytest.fixture(scope="module")
def read(django_db_setup: None, django_db_blocker: Any) -> Iterator[World]:
    """Four snapshots: day 0, day 4, day 8 with the users denied, day 12."""
    with world(django_db_blocker, GROUPS, hostile=True) as made:
        assert read_on(made, 0).state == "published"
        assert read_on(made, 4).state == "published"
        made.simulator.faults.append(Fault("^/users", "status", status=403, times=None))
        assert read_on(made, 8).state == "partial"
        made.simulator.faults.clear()
        assert read_on(made, 12).state == "published"
        yield made
