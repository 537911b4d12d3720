"""Reports that were kept before artifacts had versions become artifacts with one version each, and back."""

import zlib
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import pytest
from django.db import connection as database
from django.db.migrations.executor import MigrationExecutor
from django.db.utils import DatabaseError

BEFORE, AFTER = [("evidence", "0005_erasure")], [("evidence", "0009_versions_written_once")]
READ, KEPT = datetime(2026, 11, 20, 6, tzinfo=UTC), datetime(2026, 11, 21, 9, tzinfo=UTC)
FROZEN = b'{"format":1}'


def migrate(to: list[tuple[str, str]]) -> Any:
    """Goes there, and returns the models as they are then."""
    MigrationExecutor(database).migrate(to)
    return MigrationExecutor(database).loader.project_state(to).apps


def snapshot(old: Any, person: Any) -> Any:
    """A snapshot with what it hangs on, each with as little as its columns ask for."""
    workspace = old.get_model("connectors", "Workspace").objects.create(
        connector="segment", remote_id="w", region="us", slug="w", name="W"
    )
    connection = old.get_model("connectors", "Connection").objects.create(
        name="C", connector="segment", workspace=workspace, created_at=READ
    )
    run = old.get_model("connectors", "SyncRun").objects.create(
        connection=connection, trigger="manual", state="published", queued_at=READ
    )
    return old.get_model("connectors", "Snapshot").objects.create(
        workspace=workspace,
        seq=1,
        run=run,
        header=b"{}",
        header_sha256="a" * 64,
        previous_sha256="",
        signature=b"s",
        key_id="k",
        published_at=READ,
    )


@pytest.mark.django_db(transaction=True)
def test_kept_reports_are_carried_over_and_back(django_user_model: Any) -> None:
    person = django_user_model.objects.create_user("keeper")
    try:
        old = migrate(BEFORE)
        kept_model, of = old.get_model("evidence", "Artifact"), snapshot(old, person)
        for pk in (3, 8):
            kept_model.objects.create(
                pk=pk,
                title=f"Report {pk}",
                workspace_id=of.workspace_id,
                snapshot=of,
                report="people",
                collected_at=READ,
                kept_at=KEPT,
                kept_by_id=person.pk,
                sha256=sha256(FROZEN).hexdigest(),
                size=len(FROZEN),
                rows=5,
                body=zlib.compress(FROZEN),
            )
        uids = dict(kept_model.objects.values_list("pk", "uid"))
        new = migrate(AFTER)
        artifacts, versions = (new.get_model("evidence", name) for name in ("Artifact", "Version"))
        assert dict(artifacts.objects.values_list("pk", "uid")) == uids
        found = artifacts.objects.get(pk=8)
        assert (found.kind, found.state, found.newest, found.owner_id) == ("report", "draft", 1, person.pk)
        assert [each.pk for each in found.workspaces.all()] == [of.workspace_id]
        version = versions.objects.get(artifact=8)
        assert (version.pk, version.number, version.rows, version.stored) == (8, 1, 5, False)
        assert (version.collected_at, version.received_at) == (READ, KEPT)
        assert zlib.decompress(bytes(version.body)) == FROZEN
        assert version.review.state == "draft"
        with pytest.raises(DatabaseError, match="written once"):
            versions.objects.update(title="Another")
        assert artifacts.objects.create(owner_id=person.pk, created_at=KEPT, collected_at=READ, received_at=KEPT).pk > 8
        artifacts.objects.filter(pk__gt=8).delete()
        back = migrate(BEFORE).get_model("evidence", "Artifact")
        assert dict(back.objects.values_list("pk", "uid")) == uids
        again = back.objects.get(pk=3)
        assert (again.title, again.kept_at, again.kept_by_id, again.rows) == ("Report 3", KEPT, person.pk, 5)
        assert zlib.decompress(bytes(again.body)) == FROZEN
        with pytest.raises(DatabaseError, match="written once"):
            back.objects.update(title="Another")
    finally:
        MigrationExecutor(database).migrate(MigrationExecutor(database).loader.graph.leaf_nodes())
