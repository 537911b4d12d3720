"""What all tests share: keys and a data folder of their own, a simulator, and a connected workspace."""

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.contrib.auth.models import Group
from django.db import connection as database
from django.test import TransactionTestCase
from django.utils import timezone

from tests import worlds
from tests.clocks import Skipping


def pytest_xdist_auto_num_workers() -> int:
    """For `-n auto`: more than there are cores, since the tests that start whole portals mostly wait for them."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return cores + (cores + 1) // 2


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The slow tests come first: one that begins when all others have ended would keep everybody waiting."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


def pytest_configure() -> None:
    django_settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    django_settings.STORAGES = {
        **django_settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }
    TransactionTestCase._fixture_teardown = _flush_without_triggers(TransactionTestCase._fixture_teardown)  # type: ignore[attr-defined]  # not in the stubs


def _flush_without_triggers(flush: Callable[[Any], None]) -> Callable[[Any], None]:
    """Write-once tables refuse the DELETE with which a transactional test cleans up; their triggers stand aside."""

    def without(case: Any) -> None:
        from portal.canon import WriteOnce, guards

        tables = WriteOnce.__subclasses__()
        with database.cursor() as cursor:
            for table in tables:
                for _, drop in reversed(list(guards(table, database.vendor))):
                    cursor.execute(drop)
        flush(case)
        with database.cursor() as cursor:
            for table in tables:
                for create, _ in guards(table, database.vendor):
                    cursor.execute(create)

    return without


@pytest.fixture
def simulator() -> Iterator[Any]:
    """A Segment of our own on loopback; `simulator.url`, `.tokens`, `.faults`, `.settings`, `.requests`."""
    from connectors.segment.simulator import serve

    with serve(size="small") as running:
        yield running


@pytest.fixture
def region(simulator: Any, settings: Any) -> str:
    """The simulator as a region that the operator's environment added."""
    settings.REGIONS = {"segment": {"demo": simulator.url}}
    return "demo"


@pytest.fixture
def people(db: None, django_user_model: Any) -> dict[str, Any]:
    """One person for each role, and one without any."""
    found = {"Nobody": django_user_model.objects.create_user("nobody", password="nobody-password-1")}
    for role in Group.objects.all():
        name = role.name.lower().replace(" ", "-")
        person = django_user_model.objects.create_user(name, f"{name}@example.com", f"{name}-password-1")
        person.groups.add(role)
        found[role.name] = person
    return found


@pytest.fixture
def checked_draft(db: None, region: str, simulator: Any) -> Any:
    """A draft whose token the simulator's workspace has answered."""
    return worlds.checked_draft(simulator, worlds.CORE)  # what most tests need; those about all streams choose them


@pytest.fixture
def connected(checked_draft: Any) -> Any:
    """An active connection to the simulator's workspace, never synced."""
    return worlds.activated(checked_draft)


@pytest.fixture
def sync_now(connected: Any) -> Callable[..., Any]:
    """Syncs the connected workspace in this process, without waiting; returns the run as it ended."""
    from connectors import runs
    from connectors import sync as driver
    from connectors.models import SyncRun

    def once(streams: tuple[str, ...] = ()) -> Any:
        run = runs.request(connected, trigger="test", now=timezone.now(), streams=streams, enqueue=False)
        ended = driver.perform(run.pk, clock=Skipping())
        if ended.pk == SyncRun.objects.order_by("pk").values_list("pk", flat=True)[0]:
            worlds.analyze()
        return ended

    return once


@pytest.fixture
def spoil(db: None) -> Callable[[int], None]:
    """Puts bytes that no key decrypts in the place of a connection's stored token."""

    def garbage(pk: int) -> None:
        with database.cursor() as cursor:
            cursor.execute("UPDATE connectors_connection SET token = %s WHERE id = %s", [b"not a token of Fernet", pk])

    return garbage
