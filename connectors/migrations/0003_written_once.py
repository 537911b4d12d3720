"""Evidence tables refuse change; keys sort by their bytes on every database, because digests depend on the order."""

from django.db import migrations

from portal.canon import triggers

SORTED = (("connectors_change", ("stream", "key")), ("connectors_stagedrecord", ("stream", "key")))


def sort_by_bytes(apps, editor):
    if editor.connection.vendor == "postgresql":
        for table, columns in SORTED:
            for column in columns:
                size = 60 if column == "stream" else 254
                editor.execute(f'ALTER TABLE {table} ALTER COLUMN {column} TYPE varchar({size}) COLLATE "C"')


class Migration(migrations.Migration):
    dependencies = [("connectors", "0002_initial")]
    operations = [
        migrations.RunPython(sort_by_bytes, migrations.RunPython.noop),
        triggers("connectors_receipt", "connectors_blob", "connectors_snapshot", "connectors_change"),
    ]
