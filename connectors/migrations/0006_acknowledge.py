from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("connectors", "0005_reading")]

    operations = [
        migrations.AlterModelOptions(
            name="anomaly",
            options={
                "ordering": ["-snapshot_id", "stream"],
                "permissions": [("acknowledge_anomaly", "Can say what explains an anomaly")],
            },
        ),
    ]
