"""Anchors, written once, and the tries to make them."""

import django.db.models.deletion
from django.db import migrations, models

from portal.canon import triggers

KINDS = [("folder", "Write-once folder"), ("mail", "Mail"), ("rfc3161", "Time stamp (RFC 3161)")]


class Migration(migrations.Migration):
    dependencies = [("connectors", "0009_seals_with")]

    operations = [
        migrations.CreateModel(
            name="Anchor",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("seq", models.PositiveIntegerField()),
                ("header_sha256", models.CharField(max_length=64)),
                ("kind", models.CharField(choices=KINDS, max_length=10)),
                ("at", models.DateTimeField()),
                ("proof", models.BinaryField()),
                ("detail", models.CharField(max_length=300)),
                (
                    "workspace",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="anchors", to="connectors.workspace"
                    ),
                ),
            ],
            options={
                "ordering": ["-pk"],
                "indexes": [models.Index(fields=["header_sha256", "kind"], name="anchor_of_a_head")],
                "constraints": [
                    models.UniqueConstraint(fields=("workspace", "kind", "seq", "header_sha256"), name="one_anchor")
                ],
            },
        ),
        migrations.CreateModel(
            name="AnchorTry",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("kind", models.CharField(choices=KINDS, max_length=10)),
                ("next_at", models.DateTimeField()),
                ("tried_at", models.DateTimeField(null=True)),
                ("code", models.CharField(blank=True, max_length=40)),
                ("message", models.CharField(blank=True, max_length=500)),
                (
                    "workspace",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="connectors.workspace"
                    ),
                ),
            ],
            options={
                "ordering": ["-tried_at", "pk"],
                "constraints": [models.UniqueConstraint(fields=("workspace", "kind"), name="one_try_per_kind")],
            },
        ),
        triggers("connectors_anchor"),
    ]
