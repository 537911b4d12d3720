"""How long records are kept: a rule for each workspace, what would go by it, a legal hold, and carrying it out.

The only writer of `Retention`. What goes are bytes that no kept snapshot uses: the newest state is always whole, and
headers, change rows and digests stay for good. Each run has an entry in the ledger, sealed before anything goes.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby

from django.db import transaction
from django.db.models import Q
from django.http import HttpRequest
from django_q.tasks import async_task

from connectors import locker
from connectors.models import ACTIVE_STATES, Blob, Change, Snapshot, SyncRun, Workspace
from portal import audit, ledger
from portal.audit import Action
from portal.models import User
from portal.proving import stepwise

from .erasures import NotPossible, reason_of
from .models import Keep, Retention

TASK = "evidence.tasks.retain"
EVERY = timedelta(days=1)
MOST = 36_500  # days, or snapshots
AT_ONCE = 500  # addresses looked up in one query

Row = tuple[str, str, int, bytes | None]  # stream, key, snapshot, address


def of(workspace: Workspace) -> Retention:
    """The workspace's rule; everything is kept where nobody said otherwise."""
    return Retention.objects.filter(workspace=workspace).first() or Retention(workspace=workspace)


def trial(workspace: Workspace, keep: str, number: str) -> Retention:
    """A rule that is only looked at. Raises NotPossible."""
    found = of(workspace)
    found.keep, found.number = _sound(keep, number)
    return found


def _sound(keep: str, number: str) -> tuple[str, int]:
    if keep == Keep.ALL:
        return keep, 0
    if keep not in Keep.values or not number.isascii() or not number.isdigit() or not 1 <= int(number[:9]) <= MOST:
        why = f"Give a whole number of days or snapshots, 1 to {MOST:,}."
        raise NotPossible("retention-number", why, field="number")
    return keep, int(number)


# --- verbs ------------------------------------------------------------------------------------------------------


def decide(
    workspace: Workspace, keep: str, number: str, *, by: User, now: datetime, request: HttpRequest | None = None
) -> None:
    """Sets the rule. Nothing goes by that: the worker carries it out within a day. Raises NotPossible."""
    said, many = _sound(keep, number)
    with transaction.atomic():
        Retention.objects.update_or_create(workspace=workspace, defaults={"keep": said, "number": many})
        changed = Action.RETENTION_CHANGED
        audit.record(changed, actor=by, target=workspace, request=request, at=now, keep=said, number=many)


def hold(workspace: Workspace, reason: str, *, by: User, now: datetime, request: HttpRequest | None = None) -> None:
    """Places a legal hold: no retention removes anything while it stands. Raises NotPossible."""
    _say_hold(workspace, reason_of(reason), stands=True, by=by, now=now, request=request)


def lift(workspace: Workspace, reason: str, *, by: User, now: datetime, request: HttpRequest | None = None) -> None:
    """Lifts it again; why is recorded as well. Raises NotPossible."""
    said = reason_of(reason)
    if not of(workspace).hold:
        raise NotPossible("retention-no-hold", "No legal hold stands: somebody has lifted it.")
    _say_hold(workspace, said, stands=False, by=by, now=now, request=request)


def _say_hold(
    workspace: Workspace, why: str, *, stands: bool, by: User, now: datetime, request: HttpRequest | None
) -> None:
    held = {"hold": why, "held_by": by, "held_at": now} if stands else {"hold": "", "held_by": None, "held_at": None}
    with transaction.atomic():
        Retention.objects.update_or_create(workspace=workspace, defaults=held)
        about = {"hold": "placed" if stands else "lifted", "reason": why}
        audit.record(Action.RETENTION_CHANGED, actor=by, target=workspace, request=request, at=now, **about)


def request_run(workspace: Workspace) -> None:
    """Has the worker carry out the rule now. Raises NotPossible when it would remove nothing."""
    rule = of(workspace)
    if rule.hold:
        raise NotPossible("retention-held", "A legal hold stands: nothing is removed before it is lifted.")
    if rule.keep == Keep.ALL:
        raise NotPossible("retention-keeps-all", "The rule keeps everything.")
    async_task(TASK, workspace.pk)


# --- what would go ----------------------------------------------------------------------------------------------


@dataclass
class Going:
    """What a rule removes: addresses whose bytes are there, of snapshots before `oldest`, which is kept whole."""

    head: int
    oldest: int
    addresses: list[bytes] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    size: int = 0


def oldest_kept(rule: Retention, now: datetime) -> int:
    """The number of the oldest snapshot that stays whole; never later than the newest."""
    head = rule.workspace.head
    if rule.keep == Keep.SNAPSHOTS:
        return max(1, head - rule.number + 1)
    if rule.keep == Keep.DAYS:
        young = Snapshot.objects.filter(workspace=rule.workspace, published_at__gte=now - timedelta(days=rule.number))
        first = young.order_by("seq").values_list("seq", flat=True).first()
        return head if first is None else min(first, head)
    return 1


def superseded(rows: Iterable[Row], oldest: int) -> Iterator[tuple[str, bytes]]:
    """(stream, address) of what only snapshots before `oldest` hold; `rows` in the order of stream, key, snapshot.

    Of each record the version in force at `oldest` and all later ones stay, and whatever is the same as one of them.
    """
    for (stream, _), versions in groupby(rows, key=lambda row: row[:2]):
        before, after = list[bytes | None](), list[bytes | None]()
        for _, _, seq, address in versions:
            (before if seq <= oldest else after).append(address)
        stay = {*before[-1:], *after}
        for address in dict.fromkeys(before[:-1]):
            if address is not None and address not in stay:
                yield stream, address


def would_go(rule: Retention, now: datetime) -> Going:
    """What the rule would remove now. Reads all change rows of the workspace in steps; writes nothing."""
    workspace = rule.workspace
    found = Going(workspace.head, oldest_kept(rule, now))
    if found.oldest <= 1:
        return found
    rows = stepwise(Change.objects.filter(workspace=workspace), "stream", "key", "seq", fields=("sha256",))
    plain = ((stream, key, seq, None if sha256 is None else bytes(sha256)) for stream, key, seq, sha256 in rows)
    held = list[tuple[str, bytes]]()
    for each in superseded(plain, found.oldest):
        held.append(each)
        if len(held) == AT_ONCE:
            _add(found, held)
            held = []
    _add(found, held)
    return found


def _add(found: Going, pairs: list[tuple[str, bytes]]) -> None:
    there = Blob.objects.filter(pk__in=[address for _, address in pairs]).exclude(body=b"")
    sizes = {bytes(address): size for address, size in there.values_list("sha256", "size")}
    for stream, address in pairs:
        if address in sizes:
            found.addresses.append(address)
            found.counts[stream] += 1
            found.size += sizes[address]


# --- carrying it out: the worker --------------------------------------------------------------------------------


def carry_out(workspace_id: int, now: datetime) -> int:
    """Removes what the rule does not keep; returns how many records' bytes went.

    None goes while a hold stands, while a sync is under way, or without a sealed entry. Who is killed on the way has
    left an entry whose bytes are still there: the next run lists them under one of its own. Raises
    canon.NoSigningKey and locker.NotSealed.
    """
    rule = of(Workspace.objects.get(pk=workspace_id))
    going = would_go(rule, now)
    entry = _list(rule, going, now)
    if entry is None:
        return 0
    ledger.seal_all(now)

    def may() -> bool:
        stands = Workspace.objects.select_for_update().get(pk=workspace_id).head == going.head
        return stands and not Retention.objects.filter(workspace=workspace_id).exclude(hold="").exists()

    return locker.erase(entry, may=may)


def _list(rule: Retention, going: Going, now: datetime) -> int | None:
    """Records and lists what goes; the number of the audit entry, None when nothing may go, or nothing is left to."""
    with transaction.atomic():
        workspace = Workspace.objects.select_for_update().get(pk=rule.workspace_id)
        held = Retention.objects.filter(workspace=workspace).exclude(hold="").exists()
        busy = SyncRun.objects.filter(connection__workspace=workspace, state__in=ACTIVE_STATES).exists()
        if held or busy or workspace.head != going.head:
            return None
        Retention.objects.filter(workspace=workspace).update(ran_at=now)
        if not going.addresses:
            return None
        entry = audit.record(
            Action.RETAINED,
            actor=None,
            target=workspace,
            at=now,
            keep=rule.keep,
            number=rule.number,
            before=going.oldest,
            records=len(going.addresses),
            digests=locker.list_digest(going.addresses),
        )
        locker.condemn(going.addresses, entry.pk, forever=False)
        return entry.pk


def start_due(now: datetime) -> int:
    """Once a day the worker looks for what may go by each rule; returns how many rules that were."""
    due = Retention.objects.exclude(keep=Keep.ALL).filter(hold="")
    due = due.filter(Q(ran_at=None) | Q(ran_at__lt=now - EVERY))
    started = 0
    for pk, workspace in due.values_list("pk", "workspace"):
        if due.filter(pk=pk).update(ran_at=now):
            async_task(TASK, workspace)
            started += 1
    return started
