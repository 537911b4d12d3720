"""A diagnosis of a connection: live probes that only read, one step after the other, and what each said.

The only writer of `Diagnosis`. Whoever looks carries the next step out: the page, or the command; no worker is
needed. A step is claimed by one conditional UPDATE and stored by another, so that it is never done twice at once nor
told twice; who died at a step loses it after CLAIM. No transaction is open while somebody is waited for.
"""

import logging
import time
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from portal import audit
from portal.audit import Action
from portal.models import User
from portal.pages import without_secrets

from .. import registry
from ..connections import LIVE, NotPossible, wrong_state
from ..models import Connection, ConnectionState, Diagnosis
from ..spec import ConnectorError
from .asking import Subject, perform
from .steps import Outcome, Result, Step, as_json, culprit, from_json, hindrance, plan

__all__ = ["KEPT", "Diagnosis", "Step", "begin", "culprit", "go_on", "rows", "steps_of", "under_way"]

CLAIM = timedelta(seconds=60)  # a step under way for longer is taken for lost
FRESH = timedelta(minutes=10)  # one that was begun by then and has not ended is gone on with
KEPT = 20  # of each connection

log = logging.getLogger(__name__)


def begin(connection: Connection, *, by: User | None, now: datetime, request: HttpRequest | None = None) -> Diagnosis:
    """A new diagnosis, or the one that somebody has just begun: a second click begins no second one.

    Raises NotPossible when there is no token to be looked at yet, or none any more.
    """
    with transaction.atomic():
        row = Connection.objects.select_for_update(of=("self",)).get(pk=connection.pk)
        if row.state not in (*LIVE, ConnectionState.DRAFT):
            raise wrong_state(row)
        if row.state == ConnectionState.DRAFT and not row.token_fingerprint:
            raise NotPossible("token-missing", "This draft has no token yet: there is nothing to diagnose.")
        about = {"connection": row, "region": row.region, "token_fingerprint": row.token_fingerprint}
        standing = Diagnosis.objects.filter(**about, finished_at=None, started_at__gt=now - FRESH).first()
        if standing is not None:
            return standing
        steps = as_json(plan(registry.get(row.connector)))
        made = Diagnosis.objects.create(**about, by=by, started_at=now, steps=steps)
        old = Diagnosis.objects.filter(connection=row).values_list("pk", flat=True)[KEPT:]
        Diagnosis.objects.filter(pk__in=list(old)).delete()
        audit.record(Action.CONNECTION_DIAGNOSED, actor=by, target=row, request=request, at=now, diagnosis=made.pk)
    return made


def go_on(pk: int, now: datetime) -> Diagnosis:
    """Does the next step and stores it; the row as it is then. Does nothing when somebody else is at it.

    Raises Diagnosis.DoesNotExist.
    """
    row = rows().get(pk=pk)
    if row.finished_at is None and _claim(row, now):
        began = time.monotonic()
        step = from_json(row.steps)[row.done]
        result = _result(row, step, now)
        _keep(row, step.ended(result, now.isoformat(), round((time.monotonic() - began) * 1000)), now)
        row = rows().get(pk=pk)
    return row


def steps_of(row: Diagnosis) -> list[Step]:
    return from_json(row.steps)


def under_way(row: Diagnosis, now: datetime) -> bool:
    """Whether somebody is at the next step now."""
    return row.claimed_at is not None and abs(now - row.claimed_at) <= CLAIM


def rows() -> QuerySet[Diagnosis]:
    """All of them with their connection, whose token is left where it is."""
    return Diagnosis.objects.select_related("connection__workspace", "by").defer("connection__token")


def _claim(row: Diagnosis, now: datetime) -> bool:
    """Takes the next step, and marks it with this moment: the mark is what the result is stored by."""
    free = Q(claimed_at=None) | Q(claimed_at__lt=now - CLAIM) | Q(claimed_at__gt=now + CLAIM)
    return bool(Diagnosis.objects.filter(free, pk=row.pk, done=row.done, finished_at=None).update(claimed_at=now))


def _keep(row: Diagnosis, step: Step, now: datetime) -> None:
    """Stores a step, unless it was taken for lost meanwhile and somebody else has it now."""
    steps = [*row.steps[: row.done], *as_json([step]), *row.steps[row.done + 1 :]]
    last = row.done + 1 == len(steps)
    ended = now + timedelta(milliseconds=step.ms or 0)
    mine = Diagnosis.objects.filter(pk=row.pk, done=row.done, claimed_at=now)
    mine.update(steps=steps, done=row.done + 1, claimed_at=None, finished_at=ended if last else None)


def _result(row: Diagnosis, step: Step, now: datetime) -> Result:
    done, connection = from_json(row.steps[: row.done]), row.connection
    if (connection.token_fingerprint, connection.region) != (row.token_fingerprint, row.region):
        said = "The connection was given another token or region since the diagnosis began: begin a new one."
        return Result(Outcome.NOT_TRIED, said, code="changed-meanwhile")
    if why := hindrance(done, step):
        return Result(Outcome.NOT_TRIED, why)
    region = registry.regions(registry.get(connection.connector)).get(row.region)
    if region is None:
        return Result(Outcome.FAILED, f"The portal knows no region “{row.region}”.", code="region-unknown")
    return _performed(Subject(connection, region, done, now), step)


def _performed(subject: Subject, step: Step) -> Result:
    try:
        return perform(subject, step)
    except ConnectorError as error:
        return Result(Outcome.FAILED, without_secrets(error.message), error.code)
    except Exception:  # a fault of ours is told like any other, and the steps after it are still made
        log.exception("A diagnosis failed at its step “%s”.", step.name)
        return Result(Outcome.FAILED, "The portal itself failed at this step.", code="defect")
