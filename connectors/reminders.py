"""Tokens do not expire by themselves: the portal says when one comes of age. The only writer of `Reminder`.

Each reminder is made once, by the database's own word, 30, 7 and 1 days before and on the day. Its mail is sent
afterwards by a task of its own, because a mail server may take its time.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db import IntegrityError, transaction
from django.urls import reverse
from django_q.tasks import async_task

from portal import access, audit, mail
from portal.models import User

from . import registry
from .conditions import today
from .connections import LIVE
from .models import Connection, Reminder
from .spec import State

BEFORE = (30, 7, 1, 0)  # days
LEAD = timedelta(days=BEFORE[0])  # from the first reminder to the day
AGAIN = timedelta(minutes=15)
GIVES_UP = timedelta(days=1)
SEND_TASK = "connectors.tasks.send_reminder"


def step(days_left: int) -> int | None:
    """The reminder whose turn it is with so many days left; None before the first and after the day."""
    return min((days for days in BEFORE if 0 <= days_left <= days), default=None)


def remind(now: datetime) -> list[Reminder]:
    """Makes the reminders whose day has come, each once whoever is first, and has their mail sent."""
    day = today(now)
    ageing = Connection.objects.filter(state__in=LIVE, rotate_on__range=(day, day + timedelta(days=BEFORE[0])))
    said = set(Reminder.objects.filter(rotate_on__gte=day).values_list("connection", "rotate_on", "days"))
    made = []
    for connection in ageing:
        assert connection.rotate_on is not None
        days = step((connection.rotate_on - day).days)
        if days is not None and (connection.pk, connection.rotate_on, days) not in said:
            made += _make(connection, connection.rotate_on, days, now)
    return made


def _make(connection: Connection, rotate_on: date, days: int, now: datetime) -> list[Reminder]:
    try:
        with transaction.atomic():
            again = now if mail.configured() else None
            reminder = Reminder.objects.create(
                connection=connection, rotate_on=rotate_on, days=days, at=now, mail_at=again
            )
            audit.record(audit.Action.ROTATION_REMINDED, actor=None, target=connection, at=now, days_left=days)
    except IntegrityError:
        return []
    return [reminder]


def queue_mail(now: datetime) -> list[int]:
    """Puts the sending of each mail that is due into the queue, once; returns the numbers of the reminders."""
    queued = []
    for pk in Reminder.objects.filter(mail_at__lte=now).values_list("pk", flat=True):
        with transaction.atomic():
            if Reminder.objects.filter(pk=pk, mail_at__lte=now).update(mail_at=now + AGAIN):
                async_task(SEND_TASK, pk)
                queued.append(pk)
    return queued


def send(reminder_id: int, now: datetime) -> bool:
    """Sends a reminder's mail to the contacts, or to the administrators where there are none. False when it must be
    tried again; after a day of trying it is given up, and the home page goes on to say it.
    """
    reminder = Reminder.objects.select_related("connection__workspace").get(pk=reminder_id)
    rows = Reminder.objects.filter(pk=reminder_id)
    if reminder.mail_at is None or now - reminder.at > GIVES_UP:
        rows.update(mail_at=None)
        return True
    subject, lines = words(reminder.connection, reminder.days)
    path = reverse("admin:connectors_connection_replace", args=[reminder.connection_id])
    reached = 0
    for address in recipients(reminder.connection):
        with suppress(mail.MailRefused):
            mail.send(address, subject, lines, now, path=path)
            reached += 1
    if reached:  # those whom the server refuses are no reason to write to the others again
        rows.update(mail_at=None, mailed_at=now)
    return bool(reached)


def recipients(connection: Connection) -> Sequence[str]:
    """The connection's contacts, else the addresses of everybody who may manage connections."""
    if connection.contacts:
        return list(connection.contacts)
    people = User.objects.filter(is_active=True).exclude(email="").order_by("pk")
    return [person.email for person in people if access.may(person, access.MANAGE)]


def words(connection: Connection, days: int) -> tuple[str, list[str]]:
    """Subject and lines of the mail."""
    service, name = registry.get(connection.connector).title, connection.name
    workspace = connection.workspace.name if connection.workspace else ""
    when = {0: "today", 1: "tomorrow"}.get(days, f"in {days} days")
    subject = f"The token of “{name}” is due for rotation {when}"
    return subject, [
        f"The {service} token of the connection “{name}” (workspace “{workspace}”) comes of age {when}: on "
        f"{connection.rotate_on:%d %b %Y} it is {connection.rotation_days} days old.",
        "",
        "It does not expire by itself and goes on working. Make a new token in the service, then replace it in the "
        "portal: the old one is kept until the new one has read the workspace.",
        "",
        f"The token in use ends in {connection.token_hint}.",
    ]


@dataclass(frozen=True)
class Age:
    """How old a token is, in days; `left` until its policy wants a new one, 0 or less when it does."""

    days: int
    policy: int
    left: int

    @property
    def state(self) -> State:
        return State("stale", "Rotation due" if self.left <= 0 else "Rotation soon")


def age(connection: Connection, now: datetime) -> Age | None:
    """Counted from the day on which it was made, else stored; None without a token."""
    made = connection.token_made or (today(connection.token_since) if connection.token_since else None)
    if made is None or not connection.token_fingerprint:
        return None
    left = (connection.rotate_on - today(now)).days if connection.rotate_on else BEFORE[0] + 1
    return Age(max(0, (today(now) - made).days), connection.rotation_days, left)


def newest(connection: Connection) -> Reminder | None:
    """The last reminder of the token in use."""
    if connection.rotate_on is None:
        return None
    return connection.reminders.filter(rotate_on=connection.rotate_on).order_by("days").first()


def is_near(connection: Connection, now: datetime) -> bool:
    """Whether its token comes of age within 30 days, or has."""
    return connection.rotate_on is not None and (connection.rotate_on - today(now)).days <= BEFORE[0]
