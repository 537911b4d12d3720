"""What people are told: once each, on the portal and by mail. The only writer of `Notice`.

Mails are gathered: a person gets one mail for all notices that wait, sent by a task of its own.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db.models import QuerySet
from django.urls import reverse
from django_q.tasks import async_task

from portal import audit, mail
from portal.models import User

from .models import Notice

GIVES_UP = timedelta(days=1)
IN_ONE_MAIL = 50
SEND_TASK = "evidence.tasks.send_notices"


def tell(people: Iterable[User], *, key: str, text: str, path: str, now: datetime) -> int:
    """Tells each of these people once, whoever asks how often; returns how many had not been told.

    `key` says what it is about and when (120 signs at most), `path` leads to it, as `reverse` gives it.
    """
    rows = [Notice(person=each, key=key, text=audit.clean(text, 300), path=path, at=now) for each in set(people)]
    before = Notice.objects.filter(key=key).count()
    Notice.objects.bulk_create(rows, ignore_conflicts=True)
    return Notice.objects.filter(key=key).count() - before


def unseen(person: User) -> int:
    return Notice.objects.filter(person=person, seen_at=None).count()


def see(person: User, now: datetime, *, pks: Iterable[int] | None = None) -> int:
    """Marks a person's notices as seen, all of them or those named."""
    rows = Notice.objects.filter(person=person, seen_at=None)
    return (rows if pks is None else rows.filter(pk__in=list(pks))).update(seen_at=now)


# --- mail ---------------------------------------------------------------------------------------


def waiting(now: datetime) -> list[int]:
    """Numbers of the people whose notices wait to be mailed: not seen yet, and not older than a day."""
    if not mail.configured():
        return []
    rows = _unsent(now).exclude(person__email="").filter(person__is_active=True)
    return list(rows.order_by("person").values_list("person", flat=True).distinct())


def queue_mail(now: datetime) -> list[int]:
    """Puts one mail for each person whose notices wait into the queue."""
    people = waiting(now)
    for pk in people:
        async_task(SEND_TASK, pk)
    return people


def send(person_pk: int, now: datetime) -> bool:
    """Sends one mail with what a person has not been told by mail. False when there was nothing or it was refused.

    They are claimed before the mail goes out, so that two workers do not send it twice; a refused mail gives them back.
    """
    person = User.objects.get(pk=person_pk)
    rows = list(_unsent(now).filter(person=person).order_by("pk")[:IN_ONE_MAIL])
    claimed = [row for row in rows if Notice.objects.filter(pk=row.pk, mailed_at=None).update(mailed_at=now)]
    if not claimed or not person.email:
        return False
    pks = [row.pk for row in claimed]
    try:
        mail.send(person.email, subject(claimed), [f"- {row.text}" for row in claimed], now, path=reverse("notices"))
    except mail.MailRefused:
        Notice.objects.filter(pk__in=pks).update(mailed_at=None)
        return False
    return True


def subject(rows: list[Notice]) -> str:
    return rows[0].text if len(rows) == 1 else f"{len(rows)} things wait for you in the portal"


def _unsent(now: datetime) -> QuerySet[Notice]:
    return Notice.objects.filter(mailed_at=None, seen_at=None, at__gt=now - GIVES_UP)
