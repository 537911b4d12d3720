"""A person's data goes: asked for, searched, shown, confirmed by a second person, carried out, and never undone.

The only writer of `Erasure`. Bytes go; digests, headers, change rows and the entry in the ledger stay. What is to go is
listed and sealed first, so that whoever is killed in between leaves an entry whose bytes are still there, and the beat
goes on.
"""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta

from cryptography.fernet import InvalidToken
from django.db import transaction
from django.db.models import Q
from django.http import HttpRequest
from django_q.tasks import async_task

from connectors import locker
from connectors.clock import Clock
from connectors.models import Erased, Workspace
from portal import audit, ledger
from portal.audit import Action
from portal.models import AuditEntry, User

from . import searching
from .library import proof
from .models import Erasure, Stage, Version

SEARCH_TASK, ERASE_TASK = "evidence.tasks.search", "evidence.tasks.erase"
SAVE_EVERY = timedelta(seconds=1)
LOST_AFTER = timedelta(seconds=90)
AT_A_BEAT = 1000  # blobs that came back and are emptied again at one beat
LONGEST = 300  # characters of a reason


class NotPossible(Exception):
    """A verb that cannot be done now. `field` names the input it is about."""

    def __init__(self, code: str, message: str, *, field: str = "") -> None:
        super().__init__(message)
        self.code, self.message, self.field = code, message, field


class Lost(Exception):
    """The erasure was withdrawn while it was searched for."""


# --- asking -----------------------------------------------------------------------------------------------------


def ask(
    text: str,
    reason: str,
    *,
    workspace: Workspace | None,
    by: User,
    now: datetime,
    request: HttpRequest | None = None,
) -> Erasure:
    """Has everything searched for a person's e-mail address or id. Nothing goes before somebody else confirms it.

    Raises NotPossible for anything else than an address or id, and for a reason that is missing, long, or names it.
    """
    try:
        needle = searching.Needle(text)
    except searching.Unfit:
        why = "Give one e-mail address, or one id of at least 6 letters, digits, “-” and “_”, as it is written."
        raise NotPossible("erasure-not-a-person", why, field="needle") from None
    said = reason_of(reason)
    if needle.names(said):
        why = "The reason is kept for good and names the person: write it without."
        raise NotPossible("erasure-reason-names", why, field="reason")
    with transaction.atomic():
        row = Erasure.objects.create(
            workspace=workspace,
            needle=needle.text,
            print=needle.print,
            hint=needle.hint,
            reason=said,
            asked_by=by,
            asked_at=now,
            heartbeat_at=now,
        )
        about = {"print": needle.print, "reason": said, "workspace": str(workspace or "all")}
        audit.record(Action.ERASURE_ASKED, actor=by, target=row, name=needle.hint, request=request, at=now, **about)
        async_task(SEARCH_TASK, row.pk)
    return row


def reason_of(text: str) -> str:
    """One line that says why. Raises NotPossible."""
    said = " ".join(text.replace("\0", "").split())
    if not said:
        why = "Write why: it is what an auditor will read instead of the data."
        raise NotPossible("erasure-reason-missing", why, field="reason")
    if len(said) > LONGEST:
        why = f"It has {len(said)} characters, and {LONGEST} are kept: say it shorter."
        raise NotPossible("erasure-reason-long", why, field="reason")
    return said


def withdraw(pk: int, *, by: User | None, now: datetime, request: HttpRequest | None = None) -> None:
    """Takes it back before it is confirmed. Raises NotPossible."""
    with transaction.atomic():
        rows = Erasure.objects.filter(pk=pk, stage__in=(Stage.SEARCHING, Stage.PROPOSED))
        if not rows.update(stage=Stage.WITHDRAWN, needle=None, decided_by=by, decided_at=now, finished_at=now):
            raise _not_open(pk)
        row = Erasure.objects.get(pk=pk)
        audit.record(Action.ERASURE_WITHDRAWN, actor=by, target=row, name=row.hint, request=request, at=now)


def _not_open(pk: int) -> NotPossible:
    stage = Stage(Erasure.objects.get(pk=pk).stage).label.lower()
    return NotPossible("erasure-not-open", f"It does not wait for a decision; it stands at: {stage}.")


# --- searching: the worker ----------------------------------------------------------------------------------------


def search(pk: int, clock: Clock | None = None) -> Erasure | None:
    """Searches for one that was asked for; None when it is not to be searched for any more.

    It begins anew when it was killed. What was searched for is forgotten when it ends.
    """
    clock = clock or Clock()
    row = Erasure.objects.select_related("workspace").filter(pk=pk, stage=Stage.SEARCHING).first()
    if row is None:
        return None
    try:
        needle = searching.Needle(row.needle.opened())
    except InvalidToken:
        withdraw(pk, by=None, now=clock.now())
        return None
    row.expected = searching.expected()
    with suppress(Lost):
        _keep(row, searching.search(needle, row.workspace, _saver(row, clock)), clock.now())
    return Erasure.objects.get(pk=pk)


def _keep(row: Erasure, found: searching.Found, now: datetime) -> None:
    there = found.blobs or found.artifacts
    Erasure.objects.filter(pk=row.pk, stage=Stage.SEARCHING).update(
        stage=Stage.PROPOSED if there else Stage.EMPTY,
        needle=None,
        done=row.expected,
        expected=row.expected,
        blobs=[address.hex() for address in found.blobs],
        artifacts=found.artifacts,
        counts=dict(found.counts),
        stays={"requests": found.requests, "keys": found.keys, "unread": found.unread},
        searched_at=now,
        finished_at=None if there else now,
    )


def _saver(row: Erasure, clock: Clock) -> Callable[[int], None]:
    """Saves how far the search is, once a second. Raises Lost when it was withdrawn."""
    saved: datetime | None = None

    def save(done: int) -> None:
        nonlocal saved
        now = clock.now()
        if saved is not None and now - saved < SAVE_EVERY:
            return
        saved = now
        mine = Erasure.objects.filter(pk=row.pk, stage=Stage.SEARCHING)
        if not mine.update(heartbeat_at=now, done=done, expected=row.expected):
            raise Lost

    return save


# --- confirming -------------------------------------------------------------------------------------------------


def confirm(pk: int, *, by: User, now: datetime, request: HttpRequest | None = None) -> None:
    """A second person has seen what goes: it is listed and recorded, and the worker carries it out.

    Of two who confirm at once one does. Raises NotPossible.
    """
    row = Erasure.objects.get(pk=pk)
    if row.stage != Stage.PROPOSED:
        raise _not_open(pk)
    if row.asked_by_id == by.pk:
        why = "You asked for it yourself: a second person must look at what goes, and confirm."
        raise NotPossible("erasure-same-person", why)
    with transaction.atomic():
        addresses = addresses_of(row)
        entry = _record(row, addresses, by, now, request)
        decided = {"stage": Stage.CONFIRMED, "decided_by": by, "decided_at": now, "heartbeat_at": now}
        if not Erasure.objects.filter(pk=pk, stage=Stage.PROPOSED).update(audit=entry.pk, **decided):
            raise _not_open(pk)
        locker.condemn(addresses, entry.pk, forever=True)
        async_task(ERASE_TASK, pk)


def addresses_of(row: Erasure) -> set[bytes]:
    kept = Version.objects.filter(pk__in=row.artifacts).values_list("sha256", flat=True)
    return {bytes.fromhex(sha256) for sha256 in (*row.blobs, *kept)}


def _record(row: Erasure, addresses: set[bytes], by: User, now: datetime, request: HttpRequest | None) -> AuditEntry:
    """The entry that the ledger seals. Its digest of the list is what a verification compares."""
    return audit.record(
        Action.ERASED,
        actor=by,
        target=row,
        name=row.hint,
        request=request,
        at=now,
        reason=row.reason,
        asked_by=row.asked_by.get_username(),
        print=row.print,
        records=len(row.blobs),
        artifacts=len(row.artifacts),
        digests=locker.list_digest(addresses),
    )


# --- carrying out: the worker -----------------------------------------------------------------------------------


def carry_out(pk: int, now: datetime) -> bool:
    """Empties what a confirmed erasure lists, in short steps, after its entry was sealed; goes on where it was killed.

    False when there is nothing to carry out. Raises canon.NoSigningKey and locker.NotSealed: nothing has gone then.
    """
    row = Erasure.objects.filter(pk=pk, stage=Stage.CONFIRMED).first()
    if row is None or row.audit is None:
        return False
    ledger.seal_all(now)
    locker.erase(row.audit)
    proof.erase(row.audit)
    Erasure.objects.filter(pk=pk, stage=Stage.CONFIRMED).update(stage=Stage.DONE, finished_at=now)
    return True


def replay(now: datetime) -> int:
    """Empties again what was erased and has bytes: an older database was restored. Returns how many that were."""
    back = Erased.objects.filter(forever=True, sha256__in=locker.returned().values("sha256"))
    finished = Erasure.objects.filter(stage=Stage.DONE)
    emptied = 0
    for row in finished.filter(audit__in=back.values("audit")):
        emptied += locker.erase(row.audit or 0, most=AT_A_BEAT)
    for row in finished.exclude(artifacts=[]):
        emptied += proof.erase(row.audit or 0)
    return emptied


def recover(now: datetime) -> int:
    """Asks the worker again for what it has not been heard of lately; returns how many that were."""
    silent = Erasure.objects.filter(heartbeat_at__lt=now - LOST_AFTER)
    asked = 0
    for pk, stage in silent.filter(_open()).values_list("pk", "stage"):
        if silent.filter(pk=pk, stage=stage).update(heartbeat_at=now):
            async_task(SEARCH_TASK if stage == Stage.SEARCHING else ERASE_TASK, pk)
            asked += 1
    return asked


def _open() -> Q:
    return Q(stage__in=(Stage.SEARCHING, Stage.CONFIRMED))
