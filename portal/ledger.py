"""The ledger: audit entries that matter for the evidence, numbered, chained, signed. Only writer of `LedgerEntry`.

Whoever does something records it in the audit log, in the same transaction. The worker, which alone holds the key,
seals these entries a few seconds later: from then on neither can be changed, removed or put in without `verify`
seeing it.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, QuerySet

from . import audit, canon
from .audit import SEALED, Action
from .models import AuditEntry, LedgerEntry
from .proving import Counted, Fault, stepwise

NO_PREDECESSOR = "0" * 64
BATCH = 200
LOOK_BACK = 1000  # numbers: transactions that end late put their entries in among others by no more than that
LATE = timedelta(hours=1)  # longer than any transaction: what turns up later among older entries was put in


# --- sealing: the worker alone ----------------------------------------------------------------------------------


def seal(now: datetime, most: int = BATCH) -> int:
    """Seals what waits, the oldest first; returns how many. Raises canon.NoSigningKey.

    All of a batch or nothing of it: numbers and audit entries are unique, so of two workers the slower one writes
    nothing.
    """
    if not (_unannounced() or waiting().exists()):
        return 0
    try:
        with transaction.atomic():
            _announce_keys(now)
            last = LedgerEntry.objects.order_by("-number").first()
            entries: list[LedgerEntry] = []
            for row in waiting()[:most]:
                last = _entry(row, last, now)
                entries.append(last)
            LedgerEntry.objects.bulk_create(entries)
    except IntegrityError:
        return 0
    return len(entries)


def seal_all(now: datetime) -> int:
    """Seals until nothing waits, or somebody else is at it."""
    sealed = 0
    while many := seal(now):
        sealed += many
    return sealed


def _entry(row: AuditEntry, last: LedgerEntry | None, now: datetime) -> LedgerEntry:
    number, previous = (last.number + 1, last.sha256) if last else (1, NO_PREDECESSOR)
    body = canon.canonical(
        {
            "v": 1,
            "algorithm": "ed25519",
            "number": number,
            "previous": previous,
            "sealed_at": now.isoformat(),
            "audit": row.pk,
            "audit_sha256": canon.digest(_said(row)).hex(),
            **_shown(row),
            "detail": row.detail,
        }
    )
    key_id, signature = canon.sign(body)
    return LedgerEntry(
        number=number,
        audit=row.pk,
        body=body,
        sha256=canon.digest(body).hex(),
        previous_sha256=previous,
        signature=signature,
        key_id=key_id,
        sealed_at=now,
        **{**_shown(row), "at": row.at},
    )


def _shown(row: AuditEntry | LedgerEntry) -> dict[str, Any]:
    """What stands in columns of the ledger and in its signed bytes alike."""
    names = {name: getattr(row, name) for name in ("action", "actor_name", "target", "target_name")}
    return {"at": row.at.isoformat(), **names}


def _said(row: AuditEntry) -> bytes:
    """All of an audit entry in its one byte form."""
    rest = {"id": row.pk, "actor": row.actor_id, "address": row.address, "detail": row.detail}
    return canon.canonical({**_shown(row), **rest})


# --- keys: what the file of trusted keys holds is told in the ledger --------------------------------------------


def fingerprints() -> dict[str, str]:
    """The trusted keys: id -> sha256 of the raw public key, in hex. For people to compare by another way."""
    return {
        name: canon.digest(key.public_bytes(Encoding.Raw, PublicFormat.Raw)).hex()
        for name, key in canon.trusted_keys().items()
    }


def signed_in(name: str) -> bool:
    """Whether a sealed entry says that this key may sign."""
    return LedgerEntry.objects.filter(action=Action.KEY_ADDED, target_name=name).exists()


def _unannounced() -> list[tuple[Action, str]]:
    """Keys that came into the file, or left it, since the audit log last told of them."""
    told = AuditEntry.objects.filter(action__in=(Action.KEY_ADDED, Action.KEY_RETIRED)).order_by("pk")
    known = dict(told.values_list("target_name", "action"))
    held = canon.trusted_keys()
    added = [(Action.KEY_ADDED, name) for name in held if known.get(name) != Action.KEY_ADDED]
    gone = [(Action.KEY_RETIRED, name) for name, last in known.items() if last == Action.KEY_ADDED and name not in held]
    return added + gone


def _announce_keys(now: datetime) -> None:
    for action, name in _unannounced():
        audit.record(action, actor=None, name=name, at=now, sha256=fingerprints().get(name))


# --- reading ----------------------------------------------------------------------------------------------------


def waiting(look_back: int | None = LOOK_BACK) -> QuerySet[AuditEntry]:
    """Audit entries that are to be sealed, the oldest first. What was put in among older ones is never sealed."""
    rows = _unsealed()
    highest = LedgerEntry.objects.order_by("-audit").first()
    if highest is None:
        return rows
    if look_back is not None:
        rows = rows.filter(pk__gt=highest.audit - look_back)
    return rows.exclude(pk__lt=highest.audit, at__lt=highest.sealed_at - LATE)


def _unsealed() -> QuerySet[AuditEntry]:
    sealed = LedgerEntry.objects.filter(audit=OuterRef("pk"))
    return AuditEntry.objects.filter(~Exists(sealed), action__in=SEALED).order_by("pk")


def head() -> tuple[int, str]:
    """Number and digest of the newest entry: what a snapshot's header says of the ledger."""
    last = LedgerEntry.objects.order_by("-number").first()
    return (last.number, last.sha256) if last else (0, NO_PREDECESSOR)


def holds(number: int, sha256: str) -> bool:
    """Whether the ledger has (still) got this entry."""
    return number == 0 or LedgerEntry.objects.filter(number=number, sha256=sha256).exists()


def erasure_of(sha256: str) -> LedgerEntry | None:
    """The entry that says that these bytes were erased, None when there is none."""
    return LedgerEntry.objects.filter(action=Action.ERASED, target_name=sha256).first()


def body_of(entry: LedgerEntry) -> dict[str, Any]:
    """What was signed. Raises ValueError when it cannot be read."""
    found: dict[str, Any] = canon.read(bytes(entry.body))
    return found


def detail_of(entry: LedgerEntry) -> dict[str, Any]:
    """The details that were signed; none when they cannot be read."""
    try:
        found: dict[str, Any] = body_of(entry)["detail"]
    except (ValueError, KeyError, TypeError):
        return {}
    return found


# --- proving ----------------------------------------------------------------------------------------------------


def verify(counted: Counted, now: datetime) -> Iterator[Fault]:
    """I13 and I14: the ledger from its bytes alone, each entry beside the audit entry that it seals."""
    before: LedgerEntry | None = None
    keys: set[str] = set()
    for entry, row in _beside():
        counted.ledger += 1
        counted.cover("I13", "I14")
        yield from _sound(entry, before, keys)
        yield from _matching(entry, row)
        if before is None:
            keys.add(entry.key_id)
        if entry.action == Action.KEY_ADDED:
            keys.add(entry.target_name)
        before = entry
        counted.step()
    yield from _left_out(counted, now)


def _beside() -> Iterator[tuple[LedgerEntry, AuditEntry | None]]:
    numbers: list[int] = []
    for (number,) in stepwise(LedgerEntry.objects.all(), "number"):
        numbers.append(number)
        if len(numbers) == BATCH:
            yield from _pairs(numbers)
            numbers = []
    yield from _pairs(numbers)


def _pairs(numbers: list[int]) -> Iterator[tuple[LedgerEntry, AuditEntry | None]]:
    entries = list(LedgerEntry.objects.filter(number__in=numbers).order_by("number"))
    rows: Mapping[int, AuditEntry] = AuditEntry.objects.in_bulk([entry.audit for entry in entries])
    return ((entry, rows.get(entry.audit)) for entry in entries)


def _sound(entry: LedgerEntry, before: LedgerEntry | None, keys: set[str]) -> Iterator[Fault]:
    """`keys` may sign: the first entry's, and those that an entry signed by one of them has added."""
    where, data = f"ledger entry {entry.number}", bytes(entry.body)
    number, previous = (before.number + 1, before.sha256) if before else (1, NO_PREDECESSOR)
    if not canon.signed_by(entry.key_id, bytes(entry.signature), data):
        yield Fault("I13", where, f"The signature is not one of the trusted key {entry.key_id}.")
    elif keys and entry.key_id not in keys:
        yield Fault("I13", where, f"No earlier entry signs in the key {entry.key_id}.")
    if canon.digest(data).hex() != entry.sha256:
        yield Fault("I13", where, "Its bytes do not hash to its digest.")
    if entry.number != number:
        yield Fault("I13", where, f"Its number should be {number}: an entry is missing.")
    try:
        body = body_of(entry)
    except ValueError:
        yield Fault("I13", where, "Its bytes are not readable.")
        return
    columns = {**_shown(entry), "audit": entry.audit, "sealed_at": entry.sealed_at.isoformat()}
    if {name: body.get(name) for name in columns} != columns:
        yield Fault("I13", where, "Its columns say something else than its signed bytes.")
    if (body.get("number"), body.get("previous"), entry.previous_sha256) != (entry.number, previous, previous):
        yield Fault("I13", where, "It names another number or predecessor.")


def _matching(entry: LedgerEntry, row: AuditEntry | None) -> Iterator[Fault]:
    where = f"audit entry {entry.audit}"
    if row is None:
        yield Fault("I14", where, f"It is gone; ledger entry {entry.number} has sealed it.")
        return
    try:
        sealed = body_of(entry).get("audit_sha256")
    except ValueError:
        return  # said already
    if canon.digest(_said(row)).hex() != sealed:
        yield Fault("I14", where, f"It was changed after ledger entry {entry.number} had sealed it.")


def _left_out(counted: Counted, now: datetime) -> Iterator[Fault]:
    """Audit entries that are not sealed and should be: put in among older ones, or left lying for more than an hour."""
    fair = {pk for (pk,) in stepwise(waiting(None), "pk")}
    for pk, at in stepwise(_unsealed(), "pk", fields=("at",)):
        counted.cover("I14")
        if pk not in fair:
            yield Fault("I14", f"audit entry {pk}", "It was put in among older entries after they had been sealed.")
        elif now - at > LATE:
            yield Fault("I14", f"audit entry {pk}", "It has not been sealed for more than an hour.")
