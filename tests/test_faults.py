"""The fault table, row by row: what `tests.faults` says must happen does, and no snapshot is silently wrong."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.clocks import Skipping
from tests.faults.document import TITLES, document
from tests.faults.proofs import judge
from tests.faults.row import Row
from tests.faults.stage import Picture, Stage, picture
from tests.faults.table import ROWS
from tests.worlds import World, analyze, world

pytestmark = pytest.mark.django_db


STRUCK = tuple({name for row in ROWS for name in row.streams})


@pytest.fixture(scope="module")
def before(django_db_setup: None, django_db_blocker: Any) -> Iterator[tuple[World, Picture, dict[Any, Picture]]]:
    """A workspace with one snapshot of day 0, what that says, and what clean runs of day 5 gave."""
    from connectors import runs, sync

    with world(django_db_blocker) as made:
        clock = Skipping()
        asked = runs.request(made.connection, trigger="test", now=clock.now(), streams=STRUCK, enqueue=False)
        first = sync.perform(asked.pk, clock=clock)
        assert first.state == "published"
        analyze()
        yield made, picture(first.snapshot), {}


@pytest.fixture
def stage(before: tuple[World, Picture, Any], admin_client: Any, settings: Any, monkeypatch: Any) -> Iterator[Stage]:
    made, base, _ = before
    stage = Stage(made.simulator, made.connection, settings, monkeypatch, admin_client, base)
    yield stage
    stage.close()
    stage.restore(made.simulator)


@pytest.mark.parametrize("row", [row for row in ROWS if not row.apart], ids=str)
def test_fault(row: Row, stage: Stage, before: tuple[World, Picture, dict[Any, Picture]]) -> None:
    stage.prepare(row, before[2])
    judge(row, stage, (row.act or Stage.sync)(stage))


def test_a_clean_run_is_what_the_rows_are_compared_with(stage: Stage) -> None:
    """Otherwise the proofs could not fail: day 5 differs from day 0 in what most rows strike."""
    row = Row(fault="F0", name="nothing")
    stage.prepare(row, {})
    assert {stream for stream, _ in stage.clean.changes} >= {"sources", "destinations", "tracking_plan_rules"}
    assert None in stage.clean.changes.values()
    judge(row, stage, stage.sync(Skipping()))


def test_the_table_for_people_is_up_to_date() -> None:
    written = (Path(__file__).parent.parent / "docs" / "FAULTS.md").read_text(encoding="utf-8")
    assert written == document(), "python -m tests.faults > docs/FAULTS.md"


def test_every_fault_of_the_list_has_a_row() -> None:
    """F26, F30 and F32 to F35 are tested elsewhere, or can happen only after publishing."""
    assert {row.fault for row in ROWS} == set(TITLES)
    assert len({str(row) for row in ROWS}) == len(ROWS)
