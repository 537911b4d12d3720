"""A version says what the virus scanner said of its file."""

from django.db import migrations, models

from portal.canon import triggers

VERSION = (
    "id artifact_id number title name media size sha256 source stored snapshot_id report rows period_from period_to "
    "collected_at received_at received_by_id note scan"
)


class Migration(migrations.Migration):
    dependencies = [("evidence", "0010_renewed_once")]
    operations = [
        migrations.AddField(
            "version", "scan", models.CharField(blank=True, default="", max_length=150), preserve_default=False
        ),
        triggers("evidence_version", keeps=tuple(VERSION.split())),
    ]
