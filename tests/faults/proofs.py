"""What is proved after every row, whatever happened: no snapshot is silently wrong."""

from collections.abc import Collection, Mapping
from typing import Any

from django.db import transaction

from connectors import locker
from connectors.models import RunListing, Snapshot, StagedRecord, SyncRun
from connectors.verification import Counted, verify

from .row import Proof, Row
from .stage import Picture, Stage, picture


def judge(row: Row, stage: Stage, run: SyncRun) -> None:
    assert (run.state, run.error_code) == (row.ends, row.code), run.error_detail
    stage.look(run)
    assert any(row.says in page for page in stage.pages), stage.pages
    assert not StagedRecord.objects.exists()
    assert not RunListing.objects.exists()
    if row.proof is Proof.NONE:
        nothing(stage, run)
    elif row.proof is Proof.OWN:
        assert row.also, "somebody must prove it"
    else:
        _PROOFS[row.proof](row, stage, picture(run.snapshot))
    if row.also:
        row.also(stage, run)
    assert not [fault for fault in verify(Counted()) if fault.grave]


def nothing(stage: Stage, run: SyncRun) -> None:
    """Nothing of the run is published: the newest snapshot is the one before it, and its records are untouched."""
    assert not Snapshot.objects.filter(run=run).exists()
    assert picture(stage.snapshot()) == stage.base
    assert "Nothing was published; snapshot 1 stays the latest" in stage.pages[-1]


def same(row: Row, stage: Stage, found: Picture) -> None:
    assert found.state == stage.clean.state
    assert found.changes == stage.clean.changes
    assert found.coverage == stage.clean.coverage
    assert {found.coverage[name]["coverage"] for name in row.struck or stage.streams} == {"complete"}


def kept(row: Row, stage: Stage, found: Picture) -> None:
    others(stage, found, row.struck)
    for name in row.struck:
        entry = found.coverage[name]
        assert (entry["coverage"], entry["as_of"]) == (row.coverage, 1)
        assert entry["reason"]
        assert "parts" not in entry
        assert _of(found.state, name) == _of(stage.base.state, name) != {}
        assert not _of(found.changes, name)


def part(row: Row, stage: Stage, found: Picture) -> None:
    assert row.part is not None
    others(stage, found, row.struck)
    key = row.part(stage)
    for name in row.struck:
        entry = found.coverage[name]
        assert list(entry["parts"]) == [key]
        assert entry["parts"][key][:2] == [row.coverage, 1]
        assert (entry["coverage"], entry["as_of"]) == (row.coverage, 2)
        assert _below(found.state, name, key) == _below(stage.base.state, name, key) != {}
        assert not _below(found.changes, name, key)
        for one, other in ((found.state, stage.clean.state), (found.changes, stage.clean.changes)):
            assert _beside(one, name, key) == _beside(other, name, key) != {}


def told(row: Row, stage: Stage, found: Picture) -> None:
    assert row.truth is not None
    others(stage, found, row.struck)
    [name] = row.struck
    entry = found.coverage[name]
    assert (entry["coverage"], entry["as_of"]) == (row.coverage, 2)
    workspace, seq = stage.snapshot().workspace_id, stage.snapshot().seq
    keys = sorted(_of(found.state, name))
    kept = dict(zip(keys, locker.records(workspace, seq, name), strict=True))
    clean = _records(stage, name)
    assert kept == row.truth(stage, clean)


def _records(stage: Stage, name: str) -> dict[str, Any]:
    """The records of a clean run, as the simulator says them and as a run without a fault keeps them."""
    faults, stage.simulator.faults[:] = list(stage.simulator.faults), []
    with transaction.atomic():
        run = stage.sync()
        keys = sorted(key for stream, key in picture(run.snapshot).state if stream == name)
        found = dict(zip(keys, locker.records(run.snapshot.workspace_id, run.snapshot.seq, name), strict=True))
        transaction.set_rollback(True)
    stage.simulator.faults[:] = faults
    assert set(keys) == set(_of(stage.clean.state, name))
    return found


def others(stage: Stage, found: Picture, struck: Collection[str]) -> None:
    """All streams that were not struck are those of a clean run."""
    for one, other in ((found.state, stage.clean.state), (found.changes, stage.clean.changes)):
        assert _without(one, struck) == _without(other, struck)
    names = found.coverage.keys() - set(struck)
    assert {name: found.coverage[name] for name in names} == {name: stage.clean.coverage[name] for name in names}


Rows = Mapping[tuple[str, str], Any]


def _of(rows: Rows, name: str) -> dict[str, Any]:
    return {key: sha256 for (stream, key), sha256 in rows.items() if stream == name}


def _without(rows: Rows, names: Collection[str]) -> dict[tuple[str, str], Any]:
    return {key: sha256 for key, sha256 in rows.items() if key[0] not in names}


def _below(rows: Rows, name: str, parent: str) -> dict[str, Any]:
    return {key: sha256 for key, sha256 in _of(rows, name).items() if key.startswith(parent + "/")}


def _beside(rows: Rows, name: str, parent: str) -> dict[str, Any]:
    return {key: sha256 for key, sha256 in _of(rows, name).items() if not key.startswith(parent + "/")}


_PROOFS = {Proof.SAME: same, Proof.KEPT: kept, Proof.PART: part, Proof.TOLD: told}
