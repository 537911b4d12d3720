"""Tokens that age, are replaced and kept apart; health of a connection; a workspace that a connection cannot change."""

import datetime

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.db.models.functions import Coalesce

import connectors.models

TABLE = "connectors_connection"
WORDS = "a connection never changes its workspace"
MOVED = "OLD.workspace_id IS NOT NULL AND"
FIXED = {
    "sqlite": (
        f"CREATE TRIGGER {TABLE}_stays BEFORE UPDATE OF workspace_id ON {TABLE} "
        f"WHEN {MOVED} OLD.workspace_id IS NOT NEW.workspace_id BEGIN SELECT RAISE(ABORT, '{WORDS}'); END",
    ),
    "postgresql": (
        f"CREATE FUNCTION {TABLE}_stays() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{WORDS}'; END $$",
        f"CREATE TRIGGER {TABLE}_stays BEFORE UPDATE ON {TABLE} FOR EACH ROW "
        f"WHEN ({MOVED} OLD.workspace_id IS DISTINCT FROM NEW.workspace_id) EXECUTE FUNCTION {TABLE}_stays()",
    ),
}
LOOSE = {
    "sqlite": (f"DROP TRIGGER IF EXISTS {TABLE}_stays",),
    "postgresql": (f"DROP FUNCTION IF EXISTS {TABLE}_stays() CASCADE",),
}


def stays(apps, editor):
    for statement in FIXED[editor.connection.vendor]:
        editor.execute(statement)


def may_move(apps, editor):
    for statement in LOOSE[editor.connection.vendor]:
        editor.execute(statement)


def what_is_known(apps, editor):
    """Connections that are there were answered when they were checked; their tokens age from the day of storing."""
    rows = apps.get_model("connectors", "Connection").objects.using(editor.connection.alias)
    rows.update(since=Coalesce("error_at", "created_at"))
    held = rows.exclude(token_fingerprint="").values_list("pk", "state", "token_since", "checked_at", "created_at")
    for pk, state, stored, checked, created in list(held):
        begun = stored or created
        day = begun.date() + datetime.timedelta(days=90) if state in ("active", "paused") else None
        answered = None if state == "draft" else checked or begun
        rows.filter(pk=pk).update(token_since=begun, token_used_at=answered, rotate_on=day)


class Migration(migrations.Migration):
    dependencies = [
        ("connectors", "0006_acknowledge"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Reminder",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("rotate_on", models.DateField()),
                ("days", models.PositiveSmallIntegerField(help_text="How many days before; 0 on the day")),
                ("at", models.DateTimeField()),
                (
                    "mail_at",
                    models.DateTimeField(help_text="When to send the mail; None when nothing is left to do", null=True),
                ),
                ("mailed_at", models.DateTimeField(null=True)),
            ],
            options={
                "ordering": ["-at"],
            },
        ),
        migrations.CreateModel(
            name="SpareToken",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("token", connectors.models.SecretTextField(blank=True, default="", editable=False, serialize=False)),
                ("token_hint", models.CharField(blank=True, max_length=4)),
                ("token_fingerprint", models.CharField(blank=True, max_length=24)),
                ("token_role", models.CharField(blank=True, max_length=20)),
                ("token_since", models.DateTimeField(blank=True, help_text="When it was stored here", null=True)),
                (
                    "token_made",
                    models.DateField(
                        blank=True, help_text="When it was made in the service, as somebody said", null=True
                    ),
                ),
                (
                    "token_used_at",
                    models.DateTimeField(blank=True, help_text="When its own workspace last answered it", null=True),
                ),
                (
                    "capabilities",
                    models.JSONField(default=dict, help_text="What the last check found, stream by stream"),
                ),
                ("checked_at", models.DateTimeField(blank=True, null=True)),
                (
                    "kind",
                    models.CharField(
                        choices=[("candidate", "To be tried"), ("previous", "The one before")], max_length=10
                    ),
                ),
            ],
            options={
                "base_manager_name": "objects",
            },
        ),
        migrations.AddField(
            model_name="connection",
            name="contacts",
            field=models.JSONField(blank=True, default=list, help_text="E-mail addresses of who looks after it"),
        ),
        migrations.AddField(
            model_name="connection",
            name="environment",
            field=models.CharField(
                blank=True,
                choices=[
                    ("production", "Production"),
                    ("staging", "Staging"),
                    ("development", "Development"),
                    ("", "Not said"),
                ],
                default="",
                max_length=20,
            ),
        ),
        migrations.AddField(
            model_name="connection",
            name="lacking",
            field=models.PositiveSmallIntegerField(
                default=0, help_text="Streams of its newest snapshot that should have been read and were not"
            ),
        ),
        migrations.AddField(
            model_name="connection",
            name="rotate_on",
            field=models.DateField(blank=True, help_text="The day on which its token is that old", null=True),
        ),
        migrations.AddField(
            model_name="connection",
            name="rotation_days",
            field=models.PositiveSmallIntegerField(
                default=90, help_text="How old its token may become; 0 when nobody is to be reminded"
            ),
        ),
        migrations.AddField(
            model_name="connection",
            name="since",
            field=models.DateTimeField(
                blank=True, help_text="Since when state, error and lack are what they are", null=True
            ),
        ),
        migrations.AddField(
            model_name="connection",
            name="token_by",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="connection",
            name="token_made",
            field=models.DateField(
                blank=True, help_text="When it was made in the service, as somebody said", null=True
            ),
        ),
        migrations.AddField(
            model_name="connection",
            name="token_used_at",
            field=models.DateTimeField(blank=True, help_text="When its own workspace last answered it", null=True),
        ),
        migrations.AlterField(
            model_name="connection",
            name="token_since",
            field=models.DateTimeField(blank=True, help_text="When it was stored here", null=True),
        ),
        migrations.RunPython(what_is_known, migrations.RunPython.noop),
        migrations.AddConstraint(
            model_name="connection",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state", "active"), _negated=True),
                    models.Q(models.Q(("token_fingerprint", ""), _negated=True), ("token_used_at__isnull", False)),
                    _connector="OR",
                ),
                name="active_was_answered",
            ),
        ),
        migrations.AddField(
            model_name="reminder",
            name="connection",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="reminders", to="connectors.connection"
            ),
        ),
        migrations.AddField(
            model_name="sparetoken",
            name="connection",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="spares", to="connectors.connection"
            ),
        ),
        migrations.AddField(
            model_name="sparetoken",
            name="token_by",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddConstraint(
            model_name="reminder",
            constraint=models.UniqueConstraint(fields=("connection", "rotate_on", "days"), name="reminded_once"),
        ),
        migrations.AddConstraint(
            model_name="sparetoken",
            constraint=models.UniqueConstraint(fields=("connection", "kind"), name="one_spare_of_a_kind"),
        ),
        migrations.RunPython(stays, may_move),
    ]
