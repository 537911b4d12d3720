"""Schedules with a time, a day, a zone and cron text; pauses that are kept; times that were missed, written once."""

import datetime

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.db.models.functions import Coalesce

import connectors.models
from portal.canon import triggers

WEEKDAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
RHYTHMS = [
    ("manual", "Only when somebody asks"),
    ("hourly", "Every hour"),
    ("daily", "Every day"),
    ("weekly", "Every week"),
    ("cron", "By cron text"),
]
PERSON = {"null": True, "on_delete": django.db.models.deletion.PROTECT, "related_name": "+"}


def _rows(apps, editor, field):
    """Each connection's number and one field of it: whole rows would decrypt the tokens."""
    rows = apps.get_model("connectors", "Connection").objects.using(editor.connection.alias)
    return rows, list(rows.values_list("pk", field))


def hours_to_times(apps, editor):
    rows, held = _rows(apps, editor, "schedule_hour")
    for pk, hour in held:
        rows.filter(pk=pk).update(schedule_time=datetime.time(hour))


def times_to_hours(apps, editor):
    rows, held = _rows(apps, editor, "schedule_time")
    for pk, at in held:
        rows.filter(pk=pk).update(schedule_hour=at.hour)


class Migration(migrations.Migration):
    dependencies = [
        ("connectors", "0003_written_once"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]
    operations = [
        migrations.AddField("connection", "schedule_cron", models.CharField(blank=True, default="", max_length=100)),
        migrations.AlterField("connection", "schedule_cron", models.CharField(blank=True, max_length=100)),
        migrations.AddField("connection", "schedule_time", models.TimeField(default=datetime.time(6))),
        migrations.AddField(
            "connection",
            "schedule_weekday",
            models.PositiveSmallIntegerField(choices=list(enumerate(WEEKDAYS)), default=0),
        ),
        # Hours meant UTC until now; new connections begin in the portal's own zone.
        migrations.AddField("connection", "schedule_zone", models.CharField(default="UTC", max_length=64)),
        migrations.AlterField(
            "connection", "schedule_zone", models.CharField(default=connectors.models.portal_zone, max_length=64)
        ),
        migrations.RunPython(hours_to_times, times_to_hours),
        migrations.RemoveField("connection", "schedule_hour"),
        migrations.AlterField(
            "connection", "schedule", models.CharField(choices=RHYTHMS, default="daily", max_length=20)
        ),
        migrations.AlterField(
            "connection",
            "next_sync",
            models.DateTimeField(
                blank=True,
                db_index=True,
                help_text="The next time to account for: by a sync, or while paused by a missed run",
                null=True,
            ),
        ),
        migrations.CreateModel(
            "SyncPause",
            [
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "connection",
                    models.ForeignKey(
                        "connectors.connection",
                        help_text="None: everything is paused",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="pauses",
                    ),
                ),
                ("since", models.DateTimeField()),
                ("by", models.ForeignKey(settings.AUTH_USER_MODEL, **PERSON)),
                ("reason", models.CharField(blank=True, max_length=300)),
                ("until", models.DateTimeField(null=True)),
                ("ended_by", models.ForeignKey(settings.AUTH_USER_MODEL, **PERSON)),
            ],
            options={
                "ordering": ["-since"],
                "constraints": [
                    models.UniqueConstraint(
                        Coalesce("connection_id", 0, output_field=models.BigIntegerField()),
                        condition=models.Q(until__isnull=True),
                        name="one_standing_pause",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            "MissedRun",
            [
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "connection",
                    models.ForeignKey(
                        "connectors.connection",
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="missed",
                    ),
                ),
                ("due_at", models.DateTimeField()),
                ("noticed_at", models.DateTimeField()),
                (
                    "times",
                    models.PositiveIntegerField(
                        default=1, help_text="Above 1: also that many less one before it, in one row"
                    ),
                ),
                ("code", models.CharField(max_length=60)),
                ("explanation", models.CharField(max_length=500)),
                (
                    "by",
                    models.ForeignKey(
                        settings.AUTH_USER_MODEL,
                        help_text="Whose pause explains it; None when nobody wished it",
                        **PERSON,
                    ),
                ),
            ],
            options={
                "ordering": ["-due_at", "-id"],
                "constraints": [
                    models.UniqueConstraint(fields=("connection", "due_at"), name="one_row_per_missed_time")
                ],
            },
        ),
        triggers("connectors_missedrun"),
    ]
