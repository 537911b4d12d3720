"""Entries of the audit log that matter for the evidence, as they were sealed."""

from django.db import migrations, models

from portal.canon import triggers


class Migration(migrations.Migration):
    dependencies = [
        ("portal", "0002_written_once"),
    ]

    operations = [
        migrations.CreateModel(
            name="LedgerEntry",
            fields=[
                ("number", models.PositiveBigIntegerField(primary_key=True, serialize=False)),
                ("audit", models.PositiveBigIntegerField(unique=True)),
                ("at", models.DateTimeField(help_text="When it happened, as the audit entry says")),
                ("actor_name", models.CharField(max_length=254)),
                ("action", models.CharField(db_index=True, max_length=40)),
                ("target", models.CharField(blank=True, max_length=80)),
                ("target_name", models.CharField(blank=True, max_length=254)),
                ("body", models.BinaryField()),
                ("sha256", models.CharField(max_length=64, unique=True)),
                ("previous_sha256", models.CharField(max_length=64, unique=True)),
                ("signature", models.BinaryField(max_length=64)),
                ("key_id", models.CharField(max_length=16)),
                ("sealed_at", models.DateTimeField()),
            ],
            options={
                "verbose_name_plural": "ledger entries",
                "ordering": ["-number"],
            },
        ),
        triggers("portal_ledgerentry"),
    ]
