"""What the worker does. Tasks take ids; each may be run twice or killed at any instruction."""

from datetime import timedelta

from django.conf import settings
from django.utils import timezone
from django_q.models import OrmQ

from . import anchors, connections, rekeying, reminders, runs
from . import sync as driver
from .models import Heartbeat

SET_BACK = timedelta(hours=1)  # a clock that was right is corrected by less


def sync(run_id: int) -> str:
    """Carries out one queued run; what may only be asked a few times a minute follows in a run of its own."""
    run = driver.perform(run_id)
    driver.follow_up(run, timezone.now())
    return f"{run} {run.state}"


def beat() -> str:
    """Proves that the queue is dequeued and worked, and looks after runs, old drafts and tokens of age."""
    now = timezone.now()
    before = Heartbeat.objects.filter(worker=settings.WORKER_NAME).first()
    said = {"at": now, "seals_with": rekeying.head_print()}
    Heartbeat.objects.update_or_create(worker=settings.WORKER_NAME, defaults=said)
    if before and before.at - now > SET_BACK:
        connections.recount(now)
    lost = runs.recover(now)
    runs.wake(now)
    started = connections.start_due(now)
    connections.discard_old_drafts(now)
    connections.drop_old_offers(now)
    reminders.remind(now)
    reminders.queue_mail(now)
    anchors.queue(now)
    return f"{len(lost)} lost, {len(started)} started, {OrmQ.objects.count()} queued"


def send_reminder(reminder_id: int) -> str:
    """Sends the mail of one reminder; the next beats ask again until it has gone out or a day is over."""
    return "sent" if reminders.send(reminder_id, timezone.now()) else "not sent yet"


def anchor(try_id: int) -> str:
    """Confirms one workspace's newest snapshot outside of the portal; the next beats ask again until that is done."""
    return anchors.carry_out(try_id, timezone.now())
