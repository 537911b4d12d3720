"""Erasures and how long things are kept; the bytes of a kept report can go, and nothing else of it."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import connectors.models
from portal.canon import triggers


class Migration(migrations.Migration):
    dependencies = [
        ("connectors", "0011_erasure"),
        ("evidence", "0004_verification"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Retention",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "keep",
                    models.CharField(
                        choices=[("all", "Everything"), ("days", "By days"), ("snapshots", "By number of snapshots")],
                        default="all",
                        max_length=10,
                    ),
                ),
                ("number", models.PositiveIntegerField(default=0)),
                ("hold", models.CharField(blank=True, max_length=300)),
                ("held_at", models.DateTimeField(null=True)),
                ("ran_at", models.DateTimeField(help_text="When it was last looked for what may go", null=True)),
                (
                    "held_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "workspace",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT, related_name="retention", to="connectors.workspace"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Erasure",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("needle", connectors.models.SecretTextField(null=True, serialize=False)),
                ("print", models.CharField(max_length=24)),
                ("hint", models.CharField(max_length=80)),
                ("reason", models.CharField(max_length=300)),
                (
                    "stage",
                    models.CharField(
                        choices=[
                            ("searching", "Being searched for"),
                            ("empty", "Nothing found"),
                            ("proposed", "Waits for a second person"),
                            ("withdrawn", "Withdrawn"),
                            ("confirmed", "Being erased"),
                            ("done", "Erased"),
                        ],
                        db_index=True,
                        default="searching",
                        max_length=10,
                    ),
                ),
                ("asked_at", models.DateTimeField()),
                ("heartbeat_at", models.DateTimeField()),
                ("done", models.PositiveBigIntegerField(default=0)),
                ("expected", models.PositiveBigIntegerField(default=0)),
                ("blobs", models.JSONField(default=list)),
                ("artifacts", models.JSONField(default=list)),
                ("counts", models.JSONField(default=dict)),
                ("stays", models.JSONField(default=dict)),
                ("searched_at", models.DateTimeField(null=True)),
                ("decided_at", models.DateTimeField(null=True)),
                ("audit", models.PositiveBigIntegerField(null=True, unique=True)),
                ("finished_at", models.DateTimeField(null=True)),
                (
                    "asked_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "decided_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "workspace",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="connectors.workspace",
                    ),
                ),
            ],
            options={
                "ordering": ["-id"],
                "permissions": [("erase_evidence", "Can have data erased, and say how long it is kept")],
                "base_manager_name": "objects",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("stage__in", ["confirmed", "done"]), _negated=True),
                            models.Q(
                                ("audit__isnull", False), models.Q(("decided_by", models.F("asked_by")), _negated=True)
                            ),
                            _connector="OR",
                        ),
                        name="two_people_erase",
                    )
                ],
            },
        ),
        triggers(
            "evidence_artifact",
            keeps=(
                "id",
                "uid",
                "title",
                "workspace_id",
                "snapshot_id",
                "report",
                "collected_at",
                "kept_at",
                "kept_by_id",
                "sha256",
                "size",
                "rows",
            ),
        ),
    ]
