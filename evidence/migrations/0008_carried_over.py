"""Every report that was kept becomes an artifact with one version, under the same number, and a draft."""

from typing import Any

from django.db import migrations

JSON = "application/json"


def _over(apps: Any, editor: Any) -> None:
    kept, artifacts, versions, reviews = (
        apps.get_model("evidence", name) for name in ("Kept", "Artifact", "Version", "Review")
    )
    for row in kept.objects.order_by("pk").iterator(100):
        common = {"sha256": row.sha256, "size": row.size, "media": JSON, "report": row.report, "source": "report"}
        dates = {
            "period_from": row.collected_at.date(),
            "period_to": row.collected_at.date(),
            "collected_at": row.collected_at,
            "received_at": row.kept_at,
        }
        artifact = artifacts.objects.create(
            pk=row.pk,
            uid=row.uid,
            title=row.title,
            kind="report",
            owner_id=row.kept_by_id,
            created_at=row.kept_at,
            newest=1,
            **common,
            **dates,
        )
        artifact.workspaces.add(row.workspace_id)
        version = versions.objects.create(
            pk=row.pk,
            artifact=artifact,
            number=1,
            title=row.title,
            stored=False,
            snapshot_id=row.snapshot_id,
            rows=row.rows,
            received_by_id=row.kept_by_id,
            body=row.body,
            **common,
            **dates,
        )
        reviews.objects.create(version=version)
    _count_on(editor)


def _back(apps: Any, editor: Any) -> None:
    """Only what the older version could keep goes back: the first version of each captured report."""
    kept, versions = (apps.get_model("evidence", name) for name in ("Kept", "Version"))
    for row in versions.objects.filter(stored=False, number=1).order_by("pk").iterator(100):
        kept.objects.create(
            pk=row.pk,
            uid=row.artifact.uid,
            title=row.title,
            workspace_id=row.snapshot.workspace_id,
            snapshot_id=row.snapshot_id,
            report=row.report,
            collected_at=row.collected_at,
            kept_at=row.received_at,
            kept_by_id=row.received_by_id,
            sha256=row.sha256,
            size=row.size,
            rows=row.rows,
            body=row.body,
        )


def _count_on(editor: Any) -> None:
    """PostgreSQL does not see that numbers were given by hand."""
    if editor.connection.vendor == "postgresql":
        for table in ("evidence_artifact", "evidence_version"):
            sequence = f"pg_get_serial_sequence('{table}', 'id')"
            editor.execute(f"SELECT setval({sequence}, coalesce(max(id), 0) + 1, false) FROM {table}")  # noqa: S608


class Migration(migrations.Migration):
    dependencies = [("evidence", "0007_library")]
    operations = [migrations.RunPython(_over, _back)]
