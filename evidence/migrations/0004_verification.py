"""Verifications: what was proved, when, and what came of it."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("evidence", "0003_written_once"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Verification",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("trigger", models.CharField(max_length=10)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("queued", "Waiting for the worker"),
                            ("running", "Under way"),
                            ("passed", "No fault found"),
                            ("faulty", "Faults found"),
                            ("broken", "Broke off"),
                            ("lost", "Lost"),
                        ],
                        max_length=10,
                    ),
                ),
                ("active", models.BooleanField(null=True, unique=True)),
                ("queued_at", models.DateTimeField(db_index=True)),
                ("started_at", models.DateTimeField(null=True)),
                ("heartbeat_at", models.DateTimeField(null=True)),
                ("finished_at", models.DateTimeField(null=True)),
                ("worker", models.CharField(blank=True, max_length=120)),
                ("done", models.PositiveBigIntegerField(default=0)),
                ("expected", models.PositiveBigIntegerField(default=0)),
                ("faults", models.PositiveIntegerField(default=0)),
                ("lines", models.JSONField(default=list)),
                ("covered", models.JSONField(default=dict)),
                ("heads", models.JSONField(default=dict)),
                (
                    "memory",
                    models.PositiveBigIntegerField(default=0, help_text="Bytes: the most that its process ever held"),
                ),
                ("detail", models.CharField(blank=True, max_length=500)),
                (
                    "by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["-id"],
                "permissions": [("verify_evidence", "Can have everything that is stored verified")],
            },
        ),
    ]
