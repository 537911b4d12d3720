"""The queue as this portal uses it: one for the work of all machines, and one for each machine's own heartbeat."""

import time
from typing import Any

from django.conf import settings
from django.utils import timezone
from django_q.brokers.orm import ORM
from django_q.conf import Conf


def beats_of(worker: str) -> str:
    """The queue that only this worker's cluster takes from. A beat done elsewhere would prove nothing about it."""
    return f"beat {worker}"


class Broker(ORM):  # type: ignore[misc]  # django-q2 has no types
    """The database as a queue, in the order of asking; takes what is for everybody and what is for this machine."""

    def dequeue(self) -> list[tuple[int, str]]:
        """Takes waiting tasks for `retry` seconds; who is faster has them. Sleeps when there are none."""
        queues = (self.list_key, beats_of(settings.WORKER_NAME))
        waiting = self.get_connection().filter(key__in=queues, lock__lt=timezone.now()).order_by("pk")
        taken = [(row.pk, row.payload) for row in waiting[: Conf.BULK] if self._take(row)]
        if not taken:
            time.sleep(Conf.POLL)
        return taken

    def _take(self, row: Any) -> bool:
        return bool(self.get_connection().filter(pk=row.pk, lock=row.lock).update(lock=self.timeout(row)))
