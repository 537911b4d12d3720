"""One verb for many connections, from the admin's list: each for itself, and what was not possible is said."""

from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.contrib import admin, messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from portal.access import MANAGE, SYNC, demand
from portal.models import User

from . import connections, runs
from .connections import NotPossible
from .models import Connection

Verb = Callable[[Connection, User, datetime, HttpRequest], None]
SAID = 5  # reasons told; the others are counted


def _each(request: HttpRequest, rows: QuerySet[Any], verb: Verb, by: User, done: str) -> None:
    """Every connection in a transaction of its own, so that one that refuses stops no other."""
    now, many, refused = timezone.now(), 0, Counter[str]()
    for pk in rows.order_by("pk").values_list("pk", flat=True):
        try:
            with transaction.atomic():
                connection = Connection.objects.select_for_update(of=("self",)).get(pk=pk)
                verb(connection, by, now, request)
            many += 1
        except (NotPossible, runs.Refused) as error:
            refused[str(error)] += 1
    if many:
        messages.success(request, f"{many} connection{'' if many == 1 else 's'} {done}.")
    for why, times in refused.most_common(SAID):
        messages.warning(request, f"{why} ({times} times)" if times > 1 else why)
    if len(refused) > SAID:
        messages.warning(request, f"And {sum(refused.values()) - sum(n for _, n in refused.most_common(SAID))} more.")


@admin.action(description="Sync now")
def sync(pages: Any, request: HttpRequest, rows: QuerySet[Any]) -> None:
    def ask(connection: Connection, by: User, now: datetime, request: HttpRequest) -> None:
        runs.request(connection, trigger="person", now=now, by=by, request=request)

    _each(request, rows, ask, demand(request, SYNC), "asked to sync")


@admin.action(description="Pause")
def pause(pages: Any, request: HttpRequest, rows: QuerySet[Any]) -> None:
    def halt(connection: Connection, by: User, now: datetime, request: HttpRequest) -> None:
        connections.pause(connection, by=by, now=now, request=request)

    _each(request, rows, halt, demand(request, MANAGE), "paused")


@admin.action(description="Resume")
def resume(pages: Any, request: HttpRequest, rows: QuerySet[Any]) -> None:
    def go_on(connection: Connection, by: User, now: datetime, request: HttpRequest) -> None:
        connections.resume(connection, by=by, now=now, request=request)

    _each(request, rows, go_on, demand(request, MANAGE), "resumed")
