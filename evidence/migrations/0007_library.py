"""Artifacts with versions and reviews, frameworks, audits, actions, and what people say about them."""

import uuid

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("connectors", "0012_as_of"),
        ("evidence", "0006_set_aside"),
        ("portal", "__first__"),
    ]

    operations = [
        migrations.CreateModel(
            name="Framework",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("slug", models.SlugField(max_length=60, unique=True)),
                ("title", models.CharField(max_length=120)),
                (
                    "label",
                    models.CharField(blank=True, help_text="What the publisher calls this edition", max_length=60),
                ),
                ("publisher", models.CharField(blank=True, max_length=120)),
                ("about", models.CharField(blank=True, max_length=1000)),
                ("link", models.URLField(blank=True, max_length=300)),
                ("origin", models.CharField(max_length=10)),
                ("number", models.PositiveIntegerField(default=0)),
                ("retired_at", models.DateTimeField(null=True)),
            ],
            options={
                "ordering": ["title"],
                "permissions": [("manage_frameworks", "Can import frameworks and change their controls")],
                "indexes": [],
                "constraints": [],
            },
        ),
        migrations.CreateModel(
            name="Edition",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "framework",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="editions", to="evidence.framework"
                    ),
                ),
                ("number", models.PositiveIntegerField()),
                ("label", models.CharField(blank=True, max_length=60)),
                ("sha256", models.CharField(max_length=64)),
                ("body", models.BinaryField()),
                ("loaded_at", models.DateTimeField()),
                (
                    "loaded_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["framework", "-number"],
                "constraints": [models.UniqueConstraint(fields=("framework", "number"), name="one_edition_per_number")],
                "indexes": [],
            },
        ),
        migrations.CreateModel(
            name="Control",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "framework",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="controls", to="evidence.framework"
                    ),
                ),
                ("ref", models.CharField(max_length=40)),
                ("title", models.CharField(max_length=200)),
                ("text", models.TextField(blank=True, max_length=4000)),
                ("group", models.CharField(blank=True, max_length=120)),
                ("series", models.CharField(blank=True, max_length=20)),
                ("optional", models.BooleanField(default=False)),
                ("position", models.PositiveIntegerField()),
                ("withdrawn", models.BooleanField(default=False)),
                (
                    "owner",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="controls",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("valid_days", models.PositiveIntegerField(blank=True, null=True)),
                ("notes", models.TextField(blank=True, max_length=4000)),
            ],
            options={
                "ordering": ["framework", "position"],
                "constraints": [models.UniqueConstraint(fields=("framework", "ref"), name="one_control_per_ref")],
                "indexes": [],
            },
        ),
        migrations.CreateModel(
            name="Tag",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=60, unique=True)),
            ],
            options={
                "ordering": ["name"],
                "indexes": [],
                "constraints": [],
            },
        ),
        migrations.CreateModel(
            name="Collection",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=120, unique=True)),
                ("about", models.CharField(blank=True, max_length=300)),
                ("created_at", models.DateTimeField()),
                (
                    "created_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
            options={
                "ordering": ["name"],
                "indexes": [],
                "constraints": [],
            },
        ),
        migrations.CreateModel(
            name="Artifact",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("uid", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ("title", models.CharField(max_length=200)),
                ("notes", models.TextField(blank=True, max_length=5000)),
                (
                    "kind",
                    models.CharField(choices=[("report", "Captured report"), ("file", "Uploaded file")], max_length=10),
                ),
                (
                    "source",
                    models.CharField(
                        choices=[
                            ("report", "Report"),
                            ("upload", "Upload"),
                            ("action", "Action"),
                            ("request", "Audit request"),
                            ("rule", "Captured by rule"),
                        ],
                        max_length=10,
                    ),
                ),
                ("report", models.CharField(blank=True, max_length=60)),
                (
                    "owner",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="artifacts",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("created_at", models.DateTimeField()),
                ("valid_days", models.PositiveIntegerField(null=True)),
                (
                    "every",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("", "Never"),
                            ("month", "Each month"),
                            ("quarter", "Each quarter"),
                            ("year", "Each year"),
                        ],
                        default="",
                        max_length=10,
                    ),
                ),
                ("due_on", models.DateField(db_index=True, null=True)),
                ("asked_at", models.DateTimeField(null=True)),
                ("archived_at", models.DateTimeField(null=True)),
                ("newest", models.PositiveIntegerField(default=0)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("draft", "Draft"),
                            ("review", "In review"),
                            ("accepted", "Accepted"),
                            ("rejected", "Rejected"),
                            ("expired", "Expired"),
                            ("superseded", "Superseded"),
                        ],
                        default="draft",
                        max_length=10,
                    ),
                ),
                ("name", models.CharField(blank=True, max_length=254)),
                ("media", models.CharField(max_length=100)),
                ("size", models.PositiveBigIntegerField(default=0)),
                ("sha256", models.CharField(max_length=64)),
                ("period_from", models.DateField(null=True)),
                ("period_to", models.DateField(null=True)),
                ("collected_at", models.DateTimeField()),
                ("received_at", models.DateTimeField()),
                ("good", models.PositiveIntegerField(null=True)),
                ("good_until", models.DateField(null=True)),
                ("tags", models.ManyToManyField(related_name="artifacts", to="evidence.tag")),
                ("collections", models.ManyToManyField(related_name="artifacts", to="evidence.collection")),
                ("workspaces", models.ManyToManyField(related_name="artifacts", to="connectors.workspace")),
                ("controls", models.ManyToManyField(related_name="artifacts", to="evidence.control")),
            ],
            options={
                "ordering": ["-id"],
                "permissions": [
                    ("view_evidence", "Can read workspaces, reports and artifacts"),
                    ("capture_artifact", "Can keep reports, upload files and organise artifacts"),
                    ("review_artifact", "Can accept and reject what others have kept"),
                    ("export_evidence", "Can take reports and artifacts away"),
                    ("comment", "Can comment, and be mentioned"),
                ],
                "indexes": [
                    models.Index(
                        condition=models.Q(("archived_at", None)),
                        fields=["received_at", "id"],
                        name="artifacts_by_time",
                    ),
                    models.Index(
                        condition=models.Q(("archived_at", None)),
                        fields=["collected_at", "id"],
                        name="artifacts_by_collected",
                    ),
                    models.Index(
                        condition=models.Q(("archived_at", None)), fields=["title", "id"], name="artifacts_by_title"
                    ),
                    models.Index(
                        condition=models.Q(("archived_at", None)), fields=["state", "id"], name="artifacts_by_state"
                    ),
                    models.Index(
                        condition=models.Q(("archived_at", None)), fields=["size", "id"], name="artifacts_by_size"
                    ),
                    models.Index(
                        condition=models.Q(("archived_at", None)),
                        fields=[
                            "state",
                            "kind",
                            "source",
                            "media",
                            "report",
                            "owner",
                            "good",
                            "good_until",
                            "period_from",
                            "period_to",
                            "received_at",
                        ],
                        name="artifacts_counted",
                    ),
                    models.Index(
                        condition=models.Q(("archived_at", None)),
                        fields=["title", "name", "sha256", "state", "kind", "source", "media"],
                        name="artifacts_searched",
                    ),
                    models.Index(
                        condition=models.Q(("archived_at", None)),
                        fields=["owner", "received_at"],
                        name="artifacts_by_owner",
                    ),
                    models.Index(fields=["report", "archived_at"], name="artifacts_by_report"),
                    models.Index(fields=["sha256"], name="artifacts_by_digest"),
                    models.Index(
                        condition=models.Q(("good_until__isnull", False)),
                        fields=["good_until"],
                        name="artifacts_by_expiry",
                    ),
                ],
                "constraints": [],
            },
        ),
        migrations.CreateModel(
            name="Version",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "artifact",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="versions", to="evidence.artifact"
                    ),
                ),
                ("number", models.PositiveIntegerField()),
                ("title", models.CharField(max_length=200)),
                ("name", models.CharField(blank=True, max_length=254)),
                ("media", models.CharField(max_length=100)),
                ("size", models.PositiveBigIntegerField(help_text="Bytes before compression")),
                (
                    "sha256",
                    models.CharField(
                        db_index=True, help_text="Of the file, or the frozen document's bytes", max_length=64
                    ),
                ),
                (
                    "source",
                    models.CharField(
                        choices=[
                            ("report", "Report"),
                            ("upload", "Upload"),
                            ("action", "Action"),
                            ("request", "Audit request"),
                            ("rule", "Captured by rule"),
                        ],
                        max_length=10,
                    ),
                ),
                ("stored", models.BooleanField(help_text="Whether its bytes lie in the store")),
                (
                    "snapshot",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="versions",
                        to="connectors.snapshot",
                    ),
                ),
                ("report", models.CharField(blank=True, max_length=60)),
                ("rows", models.PositiveIntegerField(null=True)),
                ("period_from", models.DateField(null=True)),
                ("period_to", models.DateField(null=True)),
                ("collected_at", models.DateTimeField()),
                ("received_at", models.DateTimeField(db_index=True)),
                (
                    "received_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("note", models.CharField(blank=True, max_length=300)),
                ("scan", models.CharField(blank=True, max_length=150)),
                ("body", models.BinaryField()),
            ],
            options={
                "ordering": ["artifact", "-number"],
                "constraints": [
                    models.UniqueConstraint(fields=("artifact", "number"), name="one_version_per_number"),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("period_from__isnull", True), ("period_to__gte", models.F("period_from")), _connector="OR"
                        ),
                        name="period_goes_forward",
                    ),
                ],
                "indexes": [],
            },
        ),
        migrations.CreateModel(
            name="Review",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "version",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT, related_name="review", to="evidence.version"
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("draft", "Draft"),
                            ("review", "In review"),
                            ("accepted", "Accepted"),
                            ("rejected", "Rejected"),
                            ("expired", "Expired"),
                            ("superseded", "Superseded"),
                        ],
                        db_index=True,
                        default="draft",
                        max_length=10,
                    ),
                ),
                (
                    "submitted_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("submitted_at", models.DateTimeField(db_index=True, null=True)),
                (
                    "reviewer",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
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
                ("decided_at", models.DateTimeField(null=True)),
                ("reason", models.CharField(blank=True, max_length=1000)),
                ("expires_on", models.DateField(db_index=True, null=True)),
                ("told", models.PositiveSmallIntegerField(null=True)),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state__in", ["accepted", "rejected"]), _negated=True),
                            models.Q(("decided_at__isnull", False), ("decided_by__isnull", False)),
                            _connector="OR",
                        ),
                        name="somebody_decided",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "rejected"), _negated=True),
                            models.Q(("reason", ""), _negated=True),
                            _connector="OR",
                        ),
                        name="rejected_with_a_reason",
                    ),
                ],
                "indexes": [],
            },
        ),
        migrations.CreateModel(
            name="ArtifactRecord",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "artifact",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="records", to="evidence.artifact"
                    ),
                ),
                (
                    "workspace",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="connectors.workspace"
                    ),
                ),
                ("stream", models.CharField(max_length=60)),
                ("key", models.CharField(max_length=254)),
            ],
            options={
                "indexes": [models.Index(fields=["workspace", "stream", "key"], name="artifacts_of_a_record")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("artifact", "workspace", "stream", "key"), name="one_link_per_record"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Drift",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "artifact",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT, related_name="drift", to="evidence.artifact"
                    ),
                ),
                ("number", models.PositiveIntegerField()),
                ("seq", models.PositiveIntegerField()),
                ("at", models.DateTimeField()),
                ("rows", models.PositiveIntegerField(db_index=True)),
                ("unknown", models.PositiveIntegerField()),
                ("said", models.CharField(blank=True, max_length=300)),
            ],
            options={
                "indexes": [],
                "constraints": [],
            },
        ),
        migrations.CreateModel(
            name="Look",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "workspace",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="connectors.workspace"
                    ),
                ),
                ("seq", models.PositiveIntegerField(default=0)),
                ("asked_at", models.DateTimeField(null=True)),
            ],
            options={
                "indexes": [],
                "constraints": [],
            },
        ),
        migrations.CreateModel(
            name="Action",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("title", models.CharField(max_length=200)),
                ("text", models.TextField(blank=True, max_length=8000)),
                ("template", models.CharField(blank=True, max_length=60)),
                ("origin", models.CharField(max_length=12)),
                (
                    "stand",
                    models.CharField(
                        choices=[("open", "To do"), ("doing", "Under way"), ("done", "Done"), ("dropped", "Dropped")],
                        default="open",
                        max_length=10,
                    ),
                ),
                (
                    "owner",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="actions",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("due_on", models.DateField(null=True)),
                (
                    "recurs",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("", "Once"),
                            ("month", "Each month"),
                            ("quarter", "Each quarter"),
                            ("half", "Each half-year"),
                            ("year", "Each year"),
                        ],
                        default="",
                        max_length=10,
                    ),
                ),
                ("wants", models.TextField(blank=True, max_length=2000)),
                ("wanted", models.PositiveSmallIntegerField(default=0)),
                ("valid_days", models.PositiveIntegerField(null=True)),
                (
                    "workspace",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="actions",
                        to="connectors.workspace",
                    ),
                ),
                (
                    "about",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="renewals",
                        to="evidence.artifact",
                    ),
                ),
                (
                    "previous",
                    models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="next",
                        to="evidence.action",
                    ),
                ),
                ("created_at", models.DateTimeField()),
                (
                    "created_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("done_at", models.DateTimeField(null=True)),
                (
                    "done_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("reason", models.CharField(blank=True, max_length=500)),
                ("controls", models.ManyToManyField(related_name="actions", to="evidence.control")),
                ("evidence", models.ManyToManyField(related_name="actions", to="evidence.artifact")),
            ],
            options={
                "ordering": ["due_on", "id"],
                "permissions": [("manage_actions", "Can make actions, hand them out and finish them")],
                "indexes": [
                    models.Index(fields=["stand", "due_on"], name="actions_by_day"),
                    models.Index(fields=["owner", "stand", "due_on"], name="actions_by_owner"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("origin", "expiry")),
                        fields=("about", "due_on"),
                        name="renewed_once_per_day",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("stand", "done"), _negated=True), ("done_at__isnull", False), _connector="OR"
                        ),
                        name="done_some_time",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("stand", "dropped"), _negated=True),
                            models.Q(("reason", ""), _negated=True),
                            _connector="OR",
                        ),
                        name="dropped_with_a_reason",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Step",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "action",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="steps", to="evidence.action"
                    ),
                ),
                ("position", models.PositiveSmallIntegerField()),
                ("text", models.CharField(max_length=500)),
                ("done_at", models.DateTimeField(null=True)),
                (
                    "done_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["action", "position"],
                "constraints": [models.UniqueConstraint(fields=("action", "position"), name="one_step_per_position")],
                "indexes": [],
            },
        ),
        migrations.CreateModel(
            name="Audit",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("title", models.CharField(max_length=200)),
                ("about", models.TextField(blank=True, max_length=4000)),
                ("period_from", models.DateField()),
                ("period_to", models.DateField()),
                (
                    "phase",
                    models.CharField(
                        choices=[("planned", "Planned"), ("open", "Open"), ("closed", "Closed")],
                        db_index=True,
                        default="planned",
                        max_length=10,
                    ),
                ),
                (
                    "lead",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                ("created_at", models.DateTimeField()),
                ("opened_at", models.DateTimeField(null=True)),
                ("closed_at", models.DateTimeField(null=True)),
                (
                    "closed_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("frameworks", models.ManyToManyField(related_name="audits", to="evidence.framework")),
                ("workspaces", models.ManyToManyField(related_name="audits", to="connectors.workspace")),
                ("auditors", models.ManyToManyField(related_name="audits", to=settings.AUTH_USER_MODEL)),
            ],
            options={
                "ordering": ["-period_to", "-id"],
                "permissions": [
                    ("manage_audits", "Can plan, open and close audits, and answer requests"),
                    ("take_part", "Can see the audits that name them as an auditor, and ask for evidence"),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("period_to__gte", models.F("period_from"))), name="audit_goes_forward"
                    )
                ],
                "indexes": [],
            },
        ),
        migrations.CreateModel(
            name="Scoped",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "audit",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="scoped", to="evidence.audit"
                    ),
                ),
                (
                    "control",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="evidence.control"
                    ),
                ),
                ("within", models.BooleanField()),
                ("reason", models.CharField(blank=True, max_length=300)),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("audit", "control"), name="scoped_once")],
                "indexes": [],
            },
        ),
        migrations.CreateModel(
            name="AuditRequest",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "audit",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="requests", to="evidence.audit"
                    ),
                ),
                ("number", models.PositiveIntegerField()),
                ("title", models.CharField(max_length=200)),
                ("detail", models.TextField(blank=True, max_length=4000)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("open", "Open"),
                            ("answered", "Answered"),
                            ("accepted", "Accepted"),
                            ("returned", "Returned"),
                            ("withdrawn", "Withdrawn"),
                        ],
                        db_index=True,
                        default="open",
                        max_length=10,
                    ),
                ),
                (
                    "owner",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "asked_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                ("asked_at", models.DateTimeField()),
                ("due_on", models.DateField(null=True)),
                (
                    "decided_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("decided_at", models.DateTimeField(null=True)),
                ("reason", models.CharField(blank=True, max_length=1000)),
                ("controls", models.ManyToManyField(related_name="requests", to="evidence.control")),
            ],
            options={
                "ordering": ["audit", "number"],
                "constraints": [models.UniqueConstraint(fields=("audit", "number"), name="one_request_per_number")],
                "indexes": [],
            },
        ),
        migrations.CreateModel(
            name="Answer",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "request",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="answers", to="evidence.auditrequest"
                    ),
                ),
                (
                    "version",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="answers", to="evidence.version"
                    ),
                ),
                ("at", models.DateTimeField()),
                (
                    "by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                ("note", models.CharField(blank=True, max_length=1000)),
                ("withdrawn_at", models.DateTimeField(null=True)),
            ],
            options={
                "ordering": ["id"],
                "constraints": [models.UniqueConstraint(fields=("request", "version"), name="answered_once_by_each")],
                "indexes": [],
            },
        ),
        migrations.CreateModel(
            name="EvidenceItem",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "audit",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="items", to="evidence.audit"
                    ),
                ),
                (
                    "version",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="items", to="evidence.version"
                    ),
                ),
                (
                    "control",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="evidence.control"
                    ),
                ),
                (
                    "request",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="evidence.auditrequest",
                    ),
                ),
                ("title", models.CharField(max_length=200)),
                ("state", models.CharField(max_length=10)),
                ("sha256", models.CharField(max_length=64)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("audit", "version", "control"), name="one_line_per_control"),
                    models.UniqueConstraint(fields=("audit", "version", "request"), name="one_line_per_request"),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("control__isnull", False), ("request__isnull", True)),
                            models.Q(("control__isnull", True), ("request__isnull", False)),
                            _connector="OR",
                        ),
                        name="for_one_thing",
                    ),
                ],
                "indexes": [],
            },
        ),
        migrations.CreateModel(
            name="Bundle",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "audit",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="bundles", to="evidence.audit"
                    ),
                ),
                ("active", models.BooleanField(null=True)),
                ("state", models.CharField(max_length=10)),
                (
                    "by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                ("queued_at", models.DateTimeField()),
                ("heartbeat_at", models.DateTimeField(null=True)),
                ("finished_at", models.DateTimeField(null=True)),
                ("done", models.PositiveBigIntegerField(default=0)),
                ("expected", models.PositiveBigIntegerField(default=0)),
                ("sha256", models.CharField(blank=True, max_length=64)),
                ("size", models.PositiveBigIntegerField(default=0)),
                ("name", models.CharField(blank=True, max_length=200)),
                ("detail", models.CharField(blank=True, max_length=500)),
            ],
            options={
                "ordering": ["-id"],
                "constraints": [models.UniqueConstraint(fields=("audit", "active"), name="one_bundle_at_a_time")],
                "indexes": [],
            },
        ),
        migrations.CreateModel(
            name="Comment",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "artifact",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="comments",
                        to="evidence.artifact",
                    ),
                ),
                (
                    "action",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="comments",
                        to="evidence.action",
                    ),
                ),
                (
                    "request",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="comments",
                        to="evidence.auditrequest",
                    ),
                ),
                ("at", models.DateTimeField()),
                (
                    "by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                ("text", models.TextField(max_length=4000)),
                ("withdrawn_at", models.DateTimeField(null=True)),
                ("mentions", models.ManyToManyField(related_name="+", to=settings.AUTH_USER_MODEL)),
            ],
            options={
                "ordering": ["id"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("action__isnull", True), ("artifact__isnull", False), ("request__isnull", True)),
                            models.Q(("action__isnull", False), ("artifact__isnull", True), ("request__isnull", True)),
                            models.Q(("action__isnull", True), ("artifact__isnull", True), ("request__isnull", False)),
                            _connector="OR",
                        ),
                        name="about_one_thing",
                    )
                ],
                "indexes": [],
            },
        ),
        migrations.CreateModel(
            name="Notice",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "person",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="notices", to=settings.AUTH_USER_MODEL
                    ),
                ),
                ("key", models.CharField(max_length=120)),
                ("text", models.CharField(max_length=300)),
                ("path", models.CharField(max_length=300)),
                ("at", models.DateTimeField()),
                ("seen_at", models.DateTimeField(null=True)),
                ("mailed_at", models.DateTimeField(null=True)),
            ],
            options={
                "ordering": ["-id"],
                "indexes": [models.Index(fields=["person", "seen_at"], name="notices_unseen")],
                "constraints": [models.UniqueConstraint(fields=("person", "key"), name="told_once")],
            },
        ),
        migrations.CreateModel(
            name="SavedView",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "owner",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="views", to=settings.AUTH_USER_MODEL
                    ),
                ),
                ("page", models.CharField(max_length=60)),
                ("name", models.CharField(max_length=80)),
                ("query", models.CharField(blank=True, max_length=1000)),
                ("shared", models.BooleanField(default=False)),
            ],
            options={
                "ordering": ["page", "name"],
                "constraints": [models.UniqueConstraint(fields=("owner", "page", "name"), name="one_view_per_name")],
                "indexes": [],
            },
        ),
        migrations.CreateModel(
            name="Undo",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                ("at", models.DateTimeField(db_index=True)),
                ("what", models.CharField(max_length=40)),
                ("label", models.CharField(max_length=200)),
                ("before", models.JSONField()),
                ("used_at", models.DateTimeField(null=True)),
            ],
            options={
                "ordering": ["-id"],
                "indexes": [],
                "constraints": [],
            },
        ),
    ]
