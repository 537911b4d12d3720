"""Artifacts can be neither changed nor deleted."""

from django.db import migrations

from portal.canon import triggers


class Migration(migrations.Migration):
    dependencies = [("evidence", "0002_initial")]
    operations = [triggers("evidence_artifact")]
