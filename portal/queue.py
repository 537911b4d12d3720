"""The queue as this portal uses it: one for the work of all machines, and one for each machine's own heartbeat.

django-q2 keeps a task that was taken and not finished for `retry` seconds, hours here, even when who took it is
dead. So a taken task carries the name of its worker, and a watchdog that has killed a cluster gives it back.
"""

import time
from typing import Any

from django.conf import settings
from django.db.models import Q
from django.utils import timezone
from django_q.brokers.orm import ORM
from django_q.conf import Conf
from django_q.models import OrmQ


def beats_of(worker: str) -> str:
    """The queue that only this worker's cluster takes from. A beat done elsewhere would prove nothing about it."""
    return f"beat {worker}"


def taken_by(worker: str) -> str:
    """Where tasks are kept that this worker's cluster has taken."""
    return f"{Conf.CLUSTER_NAME} at {worker}"


def give_back(worker: str) -> int:
    """Puts what a dead cluster had taken back into the queue, and drops its beats; returns how many tasks that was."""
    OrmQ.objects.filter(key=beats_of(worker)).delete()
    taken = OrmQ.objects.filter(key=taken_by(worker))
    return int(taken.update(key=Conf.CLUSTER_NAME, lock=timezone.now()))


class Broker(ORM):  # type: ignore[misc]  # django-q2 has no types
    """The database as a queue, in the order of asking; takes what is for everybody and what is for this machine."""

    def dequeue(self) -> list[tuple[int, str]]:
        """Takes waiting tasks for `retry` seconds; who is faster has them. Sleeps when there are none."""
        beats = beats_of(settings.WORKER_NAME)
        queues = Q(key__in=(self.list_key, beats)) | Q(key__startswith=taken_by(""))
        waiting = self.get_connection().filter(queues, lock__lt=timezone.now()).order_by("pk")
        taken = [(row.pk, row.payload) for row in waiting[: Conf.BULK] if self._take(row, beats)]
        if not taken:
            time.sleep(Conf.POLL)
        return taken

    def _take(self, row: Any, beats: str) -> bool:
        key = beats if row.key == beats else taken_by(settings.WORKER_NAME)
        return bool(self.get_connection().filter(pk=row.pk, lock=row.lock).update(lock=self.timeout(row), key=key))
