"""Pages are made in a process of their own: the same pages, the same errors, and a helper that dies costs nothing."""

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from connectors import registry
from connectors.http import Fetched
from connectors.models import RunState
from connectors.reading.page import Maker, Page
from connectors.reading.workshop import Workshop
from connectors.spec import Busy, ConnectorError
from tests.simulating import ask

STREAMS = registry.get("segment").streams
BODIES = {"sources": "/sources", "users": "/users", "destinations": "/destinations"}


def maker() -> Maker:
    return Maker(registry.get("segment"), "workspace", STREAMS)


@pytest.fixture
def shop() -> Iterator[Workshop]:
    made = Workshop(maker(), STREAMS, 2)
    yield made
    made.close()


def page(shop: Any, name: str, body: bytes, *, html: bool = False) -> Page:
    found: Page = shop.make(registry.get("segment").stream(name), 0, {}, "", Fetched(body, html))
    return found


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize("permissions", [False, True])
def test_a_helper_makes_the_same_page(shop: Workshop, simulator: Any, name: str, permissions: bool) -> None:
    simulator.settings.user_permissions = permissions
    body = ask(simulator, BODIES[name]).content
    here, there = page(maker(), name, body), page(shop, name, body)
    assert here == there
    assert here.sealed
    assert name != "users" or all((each.embedded is not None) is permissions for each in there.asks)


@pytest.mark.parametrize(
    ("body", "html", "code"),
    [
        (b"<html>", True, "not-json"),
        (b'{"data":', False, "not-json"),
        (b'{"data":{"a":1,"a":2}}', False, "not-strict"),
        (b'{"data":{}}', False, "data-missing"),
    ],
)
def test_a_helper_raises_the_same_errors_and_goes_on(
    shop: Workshop, simulator: Any, body: bytes, html: bool, code: str
) -> None:
    with pytest.raises(ConnectorError) as raised:
        page(shop, "sources", body, html=html)
    assert (raised.value.code, isinstance(raised.value, Busy)) == (code, code == "not-json")
    assert page(shop, "sources", ask(simulator, "/sources").content).sealed


def test_helpers_that_are_killed_leave_the_work_to_us(shop: Workshop, simulator: Any) -> None:
    body = ask(simulator, "/sources").content
    expected = page(maker(), "sources", body)
    for bench in shop._benches:
        os.kill(bench._pid, signal.SIGKILL)
    assert [page(shop, "sources", body) for _ in range(5)] == [expected] * 5


def test_no_helper_outlives_the_reading(simulator: Any) -> None:
    shop = Workshop(maker(), STREAMS, 2)
    pids = [bench._pid for bench in shop._benches]
    shop.close()
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    with suppress(ChildProcessError):
        assert os.waitpid(-1, os.WNOHANG) == (0, 0)


@pytest.mark.django_db
def test_a_sync_with_a_helper_publishes_what_one_without_publishes(sync_now: Any, settings: Any) -> None:
    from connectors.models import Change

    assert sync_now().state == RunState.PUBLISHED
    settings.SYNC_PROCESSES = 1
    second = sync_now()
    assert second.state == RunState.PUBLISHED
    assert not Change.objects.filter(seq=second.snapshot.seq).exists(), "the same records, to the byte"
