"""What was set aside goes; versions, editions and evidence sets can be neither changed nor deleted."""

from django.db import migrations

from portal.canon import triggers

VERSION = (
    "id artifact_id number title name media size sha256 source stored snapshot_id report rows period_from period_to "
    "collected_at received_at received_by_id note scan"
)


class Migration(migrations.Migration):
    dependencies = [("evidence", "0008_carried_over")]
    operations = [
        migrations.DeleteModel("Kept"),
        triggers("evidence_version", keeps=tuple(VERSION.split())),
        triggers("evidence_edition", "evidence_evidenceitem"),
    ]
