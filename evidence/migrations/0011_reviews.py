"""How an accepted report differs from a newer snapshot; what the owner was told of its last day."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("connectors", "0011_erasure"),
        ("evidence", "0010_renewed_once"),
    ]

    operations = [
        migrations.AddField(
            model_name="artifact",
            name="asked_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="review",
            name="told",
            field=models.PositiveSmallIntegerField(null=True),
        ),
        migrations.CreateModel(
            name="Drift",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.PositiveIntegerField()),
                ("seq", models.PositiveIntegerField()),
                ("at", models.DateTimeField()),
                ("rows", models.PositiveIntegerField(db_index=True)),
                ("unknown", models.PositiveIntegerField()),
                ("said", models.CharField(blank=True, max_length=300)),
                (
                    "artifact",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT, related_name="drift", to="evidence.artifact"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Look",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("seq", models.PositiveIntegerField(default=0)),
                ("asked_at", models.DateTimeField(null=True)),
                (
                    "workspace",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="connectors.workspace"
                    ),
                ),
            ],
        ),
    ]
