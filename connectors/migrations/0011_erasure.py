"""Bytes can go, and nothing else: the list of addresses whose bytes are gone, and a trigger that lets them go."""

from django.db import migrations, models

from portal.canon import triggers


class Migration(migrations.Migration):
    dependencies = [("connectors", "0010_anchors")]
    operations = [
        migrations.CreateModel(
            name="Erased",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("sha256", models.BinaryField(max_length=32)),
                ("audit", models.PositiveBigIntegerField(db_index=True)),
                ("forever", models.BooleanField()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("sha256", "audit"), name="listed_once_per_entry"),
                ],
            },
        ),
        triggers("connectors_erased"),
        triggers("connectors_blob", keeps=("sha256", "size", "codec")),
    ]
