"""The fault table where the database itself breaks, and a worker that dies at each of its statements."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection as database
from django.db import transaction

from connectors import runs, sync
from connectors.models import Connection
from connectors.verification import Counted, verify
from tests.clocks import Skipping
from tests.faults.house import dies
from tests.faults.proofs import judge
from tests.faults.row import FEW, Row
from tests.faults.stage import Stage, picture
from tests.faults.table import ROWS

SHARDS = 6
FEWEST = ("sources", "roles")


@pytest.fixture
def stage(  # noqa: PLR0917  # fixtures
    request: Any, connected: Connection, simulator: Any, admin_client: Any, settings: Any, monkeypatch: Any
) -> Iterator[Stage]:
    """One that shares nothing with other rows. Its first snapshot holds the streams that the fixture is asked for."""
    clock = Skipping()
    asked = runs.request(connected, trigger="test", now=clock.now(), streams=request.param, enqueue=False)
    assert sync.perform(asked.pk, clock=clock).state == "published"
    stage = Stage(simulator, connected, settings, monkeypatch, admin_client)
    yield stage
    stage.close()


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(database.vendor != "sqlite", reason="the faults are those of SQLite")
@pytest.mark.parametrize("stage", [FEW], indirect=True, ids=["few"])
@pytest.mark.parametrize("row", [row for row in ROWS if row.apart], ids=str)
def test_fault(row: Row, stage: Stage) -> None:
    stage.prepare(row, {})
    judge(row, stage, row.act(stage) if row.act else stage.sync())


# On PostgreSQL a server-side cursor that dies inside a savepoint takes the test's own transaction with it; there
# tests/test_lost.py loses workers at each kind of statement in processes of their own.
@pytest.mark.django_db
@pytest.mark.skipif(database.vendor != "sqlite", reason="all deaths happen within one transaction of the test")
@pytest.mark.parametrize("stage", [FEWEST], indirect=True, ids=["fewest"])
@pytest.mark.parametrize("shard", range(SHARDS))
def test_a_worker_may_die_at_any_statement(stage: Stage, shard: int) -> None:
    """Before each of them, and before the commit of each transaction: what the next worker publishes is whole."""
    stage.prepare(Row(fault="F24", name="at any statement", streams=FEWEST), {})
    _, last = played(stage, 10_000)
    assert last > 40
    for number in range(1 + shard, last + 2, SHARDS):
        state, count = played(stage, number)
        assert state == "published", number
        assert count == min(number, last) or number >= last - 5


def played(stage: Stage, number: int) -> tuple[str, int]:
    """A run whose worker dies at that statement, in a transaction that is thrown away. (state, statements)"""
    with transaction.atomic():
        run, count = dies(stage, lambda done: done >= number)
        assert picture(stage.snapshot()) == stage.clean, number
        assert run.snapshot == stage.snapshot()
        assert not [fault for fault in verify(Counted()) if fault.grave], number
        transaction.set_rollback(True)
    return run.state, count
