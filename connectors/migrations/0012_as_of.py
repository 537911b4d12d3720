"""The newest snapshot by a moment is found from an index alone, however long the chain."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("connectors", "0011_erasure")]
    operations = [
        migrations.AddIndex(
            model_name="snapshot",
            index=models.Index(fields=["workspace", "published_at", "seq"], name="snapshots_by_time"),
        ),
    ]
