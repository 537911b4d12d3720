"""What the worker does. Tasks take ids; each may be run twice or killed at any instruction."""

import os
import socket

from django.utils import timezone
from django_q.models import OrmQ

from . import connections, runs
from . import sync as driver
from .models import Heartbeat


def worker_name() -> str:
    """This machine's worker; several machines may share one database."""
    return os.environ.get("PORTAL_WORKER") or socket.gethostname()[:120]


def sync(run_id: int) -> str:
    """Carries out one queued run."""
    run = driver.perform(run_id)
    return f"{run} {run.state}"


def beat() -> str:
    """Proves that the queue is dequeued and worked, and looks after runs: lost ones, due ones, old drafts."""
    now = timezone.now()
    Heartbeat.objects.update_or_create(worker=worker_name(), defaults={"at": now})
    lost = runs.abandon_lost(now)
    started = connections.start_due(now)
    connections.discard_old_drafts(now)
    return f"{len(lost)} lost, {len(started)} started, {OrmQ.objects.count()} queued"
