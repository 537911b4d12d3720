"""What must be in place before the portal opens: the database, the static files, a first person."""

import secrets
from hashlib import sha256
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles import finders
from django.core.management import call_command
from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.db.migrations.executor import MigrationExecutor

from . import __version__, access, audit
from .models import User

ADMIN = "admin"


def migrate() -> int:
    """Brings the database up to date; returns how many migrations that took."""
    executor = MigrationExecutor(connections[DEFAULT_DB_ALIAS])
    missing = len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
    if missing:
        call_command("migrate", interactive=False, verbosity=0)
    else:
        access.write_roles()  # a new version may have changed what a role may do, and nothing else
    return missing


def collect_static() -> int:
    """Writes the static files that the web server serves, if any has changed; returns how many there are, or 0."""
    stamp = Path(settings.DATA_DIR) / "static.stamp"
    digest, number = _static_digest()
    if settings.STATIC_ROOT.is_dir() and stamp.exists() and stamp.read_text() == digest:
        return 0
    call_command("collectstatic", interactive=False, verbosity=0, clear=True)
    stamp.write_text(digest)
    return number


def _static_digest() -> tuple[str, int]:
    """Of the names, sizes and times of all static files, and of where they go; and their number."""
    lines = [f"{__version__} {settings.STATIC_ROOT} {settings.STORAGES['staticfiles']['BACKEND']}"]
    for finder in finders.get_finders():
        for path, storage in finder.list([]):
            stat = Path(storage.path(path)).stat()
            lines.append(f"{path} {stat.st_size} {stat.st_mtime_ns}")
    return sha256("\n".join(lines).encode()).hexdigest(), len(lines) - 1


def first_admin() -> str:
    """Makes an administrator called “admin” when there is nobody yet; returns the password, otherwise ""."""
    if User.objects.exists():
        return ""
    password = secrets.token_urlsafe(18)
    with transaction.atomic():
        person = User.objects.create_superuser(ADMIN, "", password, one_time_password=True)
        audit.record(audit.Action.PERSON_CHANGED, actor=None, target=person, what="first administrator made")
    return password
