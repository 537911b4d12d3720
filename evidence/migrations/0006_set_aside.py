"""Artifacts as they were, one table for what people manage and for its bytes, are set aside until they are carried over."""

from typing import Any

from django.db import migrations

from portal.canon import triggers, write_once_triggers

KEEPS = "id uid title workspace_id snapshot_id report collected_at kept_at kept_by_id sha256 size rows"


def _drop(apps: Any, editor: Any) -> None:
    for _, drop in reversed(list(write_once_triggers("evidence_artifact", editor.connection.vendor))):
        editor.execute(drop)


def _make(apps: Any, editor: Any) -> None:
    triggers("evidence_artifact", keeps=tuple(KEEPS.split())).code(apps, editor)


class Migration(migrations.Migration):
    dependencies = [("evidence", "0005_erasure")]
    operations = [
        migrations.RunPython(_drop, _make),
        migrations.RunSQL(
            "ALTER TABLE evidence_artifact RENAME TO evidence_kept",
            "ALTER TABLE evidence_kept RENAME TO evidence_artifact",
            state_operations=[migrations.RenameModel("Artifact", "Kept")],
        ),
    ]
