"""As few requests as possible: the reader sends exactly the lower bound of the streams asked for, and no other."""

from typing import Any

import pytest

from connectors import registry, runs
from connectors import sync as driver
from connectors.clock import Clock
from connectors.models import Lane, Receipt, RunState
from connectors.spec import Stream
from tests.bound import bound
from tests.clocks import Skipping

pytestmark = pytest.mark.django_db
IDENTITY = 2  # whose token it is, asked before the first page and again before publishing


def lane(slow: bool) -> list[Stream]:
    streams = [each for each in registry.get("segment").streams if each.slow == slow]
    parents = {name for stream in streams for name in stream.parents} if slow else set()
    return [each for each in registry.get("segment").streams if each in streams or each.name in parents]


@pytest.mark.parametrize("slow", [False, True], ids=["main", "slow"])
@pytest.mark.parametrize("permissions", [False, True], ids=["asked", "carried"])
def test_a_reading_of_every_stream_sends_the_lower_bound(
    connected: Any, simulator: Any, slow: bool, permissions: bool
) -> None:
    simulator.settings.user_permissions = permissions
    connector = registry.get("segment")
    connected.groups = [group.name for group in connector.groups]
    connected.save(update_fields=["groups"])
    run = runs.request(
        connected, trigger="test", now=Clock().now(), lane=Lane.SLOW if slow else Lane.MAIN, enqueue=False
    )
    ended = driver.perform(run.pk, clock=Skipping())
    assert ended.state == RunState.PUBLISHED
    expected = bound(connector, lane(slow), simulator.settings, run.queued_at)
    assert Receipt.objects.filter(run=run).count() == sum(expected.values()) + IDENTITY
