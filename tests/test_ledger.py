"""The ledger: what is sealed, by whom, once; and every way to forge it or the audit log behind it, each found."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django.db import connection as database

from connectors import missed
from connectors.verification import verify
from evidence import verifications, verifying
from portal import audit, canon, keys, ledger
from portal.audit import Action
from portal.models import AuditEntry, LedgerEntry
from portal.proving import Counted, Fault

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 25, 6, tzinfo=UTC)
LATER = NOW + timedelta(days=2)


def record(action: Action = Action.EXPORTED, at: datetime = NOW, **detail: Any) -> AuditEntry:
    return audit.record(action, actor=None, name="a list", at=at, **detail)


@pytest.fixture
def sealed(db: None) -> list[LedgerEntry]:
    """Three entries and the key, sealed at once."""
    for number in range(3):
        record(rows=number)
    assert ledger.seal(NOW) == 4
    return list(LedgerEntry.objects.order_by("number"))


def faults(now: datetime = NOW) -> list[Fault]:
    return list(ledger.verify(Counted(), now))


def found(now: datetime = NOW) -> set[str]:
    return {fault.invariant for fault in faults(now)}


def attack(sql: str, *values: Any) -> None:
    """What an administrator of the database can do: triggers off, then any statement."""
    with database.cursor() as cursor:
        for table in ("portal_auditentry", "portal_ledgerentry"):
            for _, drop in reversed(list(canon.write_once_triggers(table, database.vendor))):
                cursor.execute(drop)
        cursor.execute(sql, values)
        assert cursor.rowcount > 0, "the attack must have hit something"


# --- sealing ------------------------------------------------------------------------------------------------------


def test_entries_are_numbered_chained_and_signed(sealed: list[LedgerEntry]) -> None:
    assert [entry.number for entry in sealed] == [1, 2, 3, 4]
    assert [entry.previous_sha256 for entry in sealed[1:]] == [entry.sha256 for entry in sealed[:-1]]
    assert sealed[0].previous_sha256 == ledger.NO_PREDECESSOR
    assert all(canon.signed_by(each.key_id, bytes(each.signature), bytes(each.body)) for each in sealed)
    assert ledger.detail_of(sealed[2]) == {"rows": 2}
    assert (sealed[3].action, sealed[3].target_name) == (Action.KEY_ADDED, sealed[3].key_id)
    assert ledger.head() == (4, sealed[3].sha256)
    assert not faults()
    assert ledger.seal(NOW) == 0


def test_only_what_matters_for_the_evidence_is_sealed(sealed: list[LedgerEntry]) -> None:
    record(Action.SIGN_IN)
    record(Action.SYNC_ENDED, state="failed")
    assert [entry.action for entry in ledger.waiting()] == [Action.SYNC_ENDED]
    assert ledger.seal_all(NOW) == 1


def test_batches_go_on_where_the_one_before_ended() -> None:
    for number in range(5):
        record(rows=number)
    assert [ledger.seal(NOW, most=2) for _ in range(4)] == [2, 2, 2, 0]
    assert not faults()


@pytest.mark.parametrize("statement", range(12))
def test_a_worker_that_dies_at_any_statement_leaves_no_gap_and_no_double(statement: int) -> None:
    """The statement with this number, and all after it, are never executed; then somebody else seals."""

    class Killed(BaseException):
        pass

    left = [statement]

    def dies(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        left[0] -= 1
        if left[0] < 0:
            raise Killed
        return execute(sql, params, many, context)

    for number in range(3):
        record(rows=number)
    try:
        with transaction.atomic(), database.execute_wrapper(dies):
            ledger.seal(NOW)
    except Killed:
        assert not LedgerEntry.objects.exists()
        assert not AuditEntry.objects.filter(action=Action.KEY_ADDED).exists()
    ledger.seal_all(NOW)
    assert LedgerEntry.objects.count() == 4
    assert not faults()


def test_of_two_workers_the_slower_one_writes_nothing() -> None:
    """The other one seals in the midst of it: after the first has read the end of the ledger."""
    for number in range(3):
        record(rows=number)
    raced: list[int] = []

    def overtaken(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.startswith("INSERT INTO") and "portal_ledgerentry" in sql and not raced:
            raced.append(0)
            raced.append(ledger.seal(NOW, most=2))
        return execute(sql, params, many, context)

    with database.execute_wrapper(overtaken):
        assert ledger.seal(NOW, most=3) == 0
    # Both transactions are one here, so the slower one takes the faster one's work back as well.
    assert raced == [0, 2]
    assert ledger.seal_all(NOW) == 4
    assert not faults()


def test_numbers_and_audit_entries_are_unique_in_the_database(sealed: list[LedgerEntry]) -> None:
    for change in ({"number": 2}, {"audit": sealed[0].audit}, {"previous_sha256": sealed[0].sha256}):
        fork = LedgerEntry(**{**_values(sealed[3]), "number": 9, "audit": 99, "sha256": "f" * 64, **change})
        fork.previous_sha256 = change.get("previous_sha256", "e" * 64)
        with pytest.raises(IntegrityError), transaction.atomic():
            fork.save()


def _values(entry: LedgerEntry) -> dict[str, Any]:
    return {field.attname: getattr(entry, field.attname) for field in LedgerEntry._meta.concrete_fields}


def test_without_the_key_nothing_is_sealed_and_nothing_is_lost(settings: Any, tmp_path: Path) -> None:
    record()
    settings.SIGNING_KEY_FILE = tmp_path / "none.key"
    with pytest.raises(canon.NoSigningKey):
        ledger.seal(NOW)
    assert not LedgerEntry.objects.exists()
    assert ledger.waiting().count() == 1


def test_an_empty_portal_is_not_verified_by_itself() -> None:
    assert not verifications.due(NOW)


def test_missed_times_are_one_line_for_all_that_is_noticed_at_once(connected: Any) -> None:
    due = [missed.Missed(NOW + timedelta(hours=n), "worker-down", "Nobody was at work.") for n in range(3)]
    missed.write(connected, due, LATER)
    [row] = AuditEntry.objects.filter(action=Action.SYNC_MISSED)
    assert (row.detail["times"], row.detail["newest"]) == (3, due[-1].due_at.isoformat())
    missed.write(connected, [], LATER)
    assert AuditEntry.objects.filter(action=Action.SYNC_MISSED).count() == 1
    assert Action.SYNC_MISSED in audit.SEALED


# --- attacks ------------------------------------------------------------------------------------------------------


def edit_audit(sealed: list[LedgerEntry]) -> None:
    attack("UPDATE portal_auditentry SET actor_name = 'somebody else' WHERE id = %s", sealed[1].audit)


def edit_audit_detail(sealed: list[LedgerEntry]) -> None:
    attack("UPDATE portal_auditentry SET detail = %s WHERE id = %s", '{"rows": 7}', sealed[1].audit)


def edit_audit_time(sealed: list[LedgerEntry]) -> None:
    attack("UPDATE portal_auditentry SET at = %s WHERE id = %s", NOW - timedelta(days=3), sealed[1].audit)


def delete_audit(sealed: list[LedgerEntry]) -> None:
    attack("DELETE FROM portal_auditentry WHERE id = %s", sealed[1].audit)


def hide_audit_as_another_action(sealed: list[LedgerEntry]) -> None:
    attack("UPDATE portal_auditentry SET action = 'sign-in' WHERE id = %s", sealed[1].audit)


def edit_body(sealed: list[LedgerEntry]) -> None:
    body = bytes(sealed[1].body).replace(b'"rows":1', b'"rows":9')
    attack("UPDATE portal_ledgerentry SET body = %s WHERE number = 2", body)


def edit_body_and_digest(sealed: list[LedgerEntry]) -> None:
    body = bytes(sealed[1].body).replace(b'"rows":1', b'"rows":9')
    attack("UPDATE portal_ledgerentry SET body = %s, sha256 = %s WHERE number = 2", body, canon.digest(body).hex())


def edit_column(sealed: list[LedgerEntry]) -> None:
    attack("UPDATE portal_ledgerentry SET actor_name = 'somebody else' WHERE number = 2")


def unreadable_body(sealed: list[LedgerEntry]) -> None:
    attack("UPDATE portal_ledgerentry SET body = %s WHERE number = 2", b"\xff")


def strip_signature(sealed: list[LedgerEntry]) -> None:
    attack("UPDATE portal_ledgerentry SET signature = %s WHERE number = 2", b"")


def delete_entry(sealed: list[LedgerEntry]) -> None:
    attack("DELETE FROM portal_ledgerentry WHERE number = 2")


def delete_entry_and_audit(sealed: list[LedgerEntry]) -> None:
    attack("DELETE FROM portal_ledgerentry WHERE number = 2")
    attack("DELETE FROM portal_auditentry WHERE id = %s", sealed[1].audit)


def swap_two(sealed: list[LedgerEntry]) -> None:
    attack("UPDATE portal_ledgerentry SET number = 100 WHERE number = 2")
    attack("UPDATE portal_ledgerentry SET number = 2 WHERE number = 3")
    attack("UPDATE portal_ledgerentry SET number = 3 WHERE number = 100")


def insert_forged(sealed: list[LedgerEntry]) -> None:
    forged = LedgerEntry(**{**_values(sealed[3]), "number": 5, "audit": 99, "sha256": "f" * 64})
    forged.previous_sha256 = sealed[3].sha256
    forged.save()


ATTACKS = [
    (edit_audit, {"I14"}),
    (edit_audit_detail, {"I14"}),
    (edit_audit_time, {"I14"}),
    (delete_audit, {"I14"}),
    (hide_audit_as_another_action, {"I14"}),
    (edit_body, {"I13"}),
    (edit_body_and_digest, {"I13"}),
    (edit_column, {"I13"}),
    (unreadable_body, {"I13"}),
    (strip_signature, {"I13"}),
    (delete_entry, {"I13"}),
    (delete_entry_and_audit, {"I13"}),
    (swap_two, {"I13"}),
    (insert_forged, {"I13", "I14"}),
]


@pytest.mark.parametrize(("attacker", "invariants"), ATTACKS, ids=lambda value: getattr(value, "__name__", ""))
def test_an_attack_is_found(
    sealed: list[LedgerEntry], attacker: Callable[[list[LedgerEntry]], None], invariants: set[str]
) -> None:
    attacker(sealed)
    assert invariants <= found()


def test_an_older_row_that_is_put_in_is_found_and_never_sealed() -> None:
    record()
    gap = record(Action.SIGN_IN)
    record()
    ledger.seal_all(LATER)
    attack("DELETE FROM portal_auditentry WHERE id = %s", gap.pk)
    AuditEntry.objects.create(pk=gap.pk, at=NOW, actor_name="forger", action=Action.ANOMALY_ACKNOWLEDGED)
    assert ledger.seal_all(LATER) == 0
    [fault] = faults(LATER)
    assert (fault.invariant, fault.where) == ("I14", f"audit entry {gap.pk}")
    assert "put in among older entries" in fault.what


def test_an_entry_of_a_transaction_that_ended_late_is_sealed_all_the_same() -> None:
    record()
    gap = record(Action.SIGN_IN)
    record()
    ledger.seal_all(NOW)
    attack("DELETE FROM portal_auditentry WHERE id = %s", gap.pk)
    AuditEntry.objects.create(pk=gap.pk, at=NOW - timedelta(minutes=5), actor_name="portal", action=Action.EXPORTED)
    assert ledger.seal_all(NOW) == 1
    assert not faults()


def test_what_is_not_sealed_for_an_hour_is_a_fault() -> None:
    record()
    assert not faults(NOW + timedelta(minutes=59))
    assert found(NOW + timedelta(minutes=61)) == {"I14"}


def test_a_ledger_that_was_cut_short_is_found_by_the_snapshot_that_names_its_end(
    sealed: list[LedgerEntry], sync_now: Any
) -> None:
    sync_now(("workspace",))
    assert "I13" not in {fault.invariant for fault in verify(Counted())}
    attack("DELETE FROM portal_ledgerentry WHERE number = 4")
    assert "I13" in {fault.invariant for fault in verify(Counted())}


# --- keys ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def own_key(settings: Any, tmp_path: Path) -> Path:
    """A key that this test may replace."""
    path = tmp_path / "signing.key"
    keys.make_signing_key(path)
    settings.SIGNING_KEY_FILE, settings.TRUSTED_KEYS_FILE = path, path.with_suffix(".pub")
    return path


def test_a_new_key_is_signed_in_by_the_old_one(own_key: Path, capsys: Any) -> None:
    record()
    ledger.seal_all(NOW)
    old = canon.key_of(own_key)
    call_command("keys", "--new-signing-key")
    new = canon.key_of(own_key)
    told = LedgerEntry.objects.filter(action=Action.KEY_ADDED).order_by("number")
    assert [(entry.target_name, entry.key_id) for entry in told] == [(old, old), (new, old)]
    assert ledger.fingerprints()[new] in capsys.readouterr().out
    assert own_key.stat().st_mode & 0o777 == 0o600
    assert not own_key.with_name("signing.key.new").exists()
    record()
    ledger.seal_all(NOW)
    assert {entry.key_id for entry in LedgerEntry.objects.all()} == {old, new}
    assert not faults()


def test_a_rotation_that_was_killed_goes_on_with_the_same_key(own_key: Path) -> None:
    made = keys.next_signing_key(own_key, own_key.with_suffix(".pub"))
    new = canon.key_of(made)
    ledger.seal_all(NOW)  # a beat in between
    call_command("keys", "--new-signing-key")
    assert canon.key_of(own_key) == new
    assert len(canon.trusted_keys()) == 2
    assert not faults()


def test_without_the_old_key_there_is_no_rotation(own_key: Path) -> None:
    own_key.unlink()
    with pytest.raises(CommandError, match="Nothing was replaced"):
        call_command("keys", "--new-signing-key")
    assert len(canon.trusted_keys()) == 1


def test_a_key_that_nobody_signed_in_is_found(own_key: Path, settings: Any, tmp_path: Path) -> None:
    """Whoever can write the file of keys and the database still has no signature of the old key."""
    record()
    ledger.seal_all(NOW)
    keys.make_signing_key(tmp_path / "other.key")
    public = own_key.with_suffix(".pub")
    public.write_bytes(public.read_bytes() + (tmp_path / "other.pub").read_bytes())
    settings.SIGNING_KEY_FILE = tmp_path / "other.key"
    record()
    ledger.seal_all(NOW)
    assert any("No earlier entry signs in the key" in fault.what for fault in faults())


def test_a_key_that_leaves_the_file_is_told_of(own_key: Path, tmp_path: Path) -> None:
    keys.next_signing_key(own_key, own_key.with_suffix(".pub"))
    ledger.seal_all(NOW)
    gone = canon.key_of(own_key.with_name("signing.key.new"))
    blocks = own_key.with_suffix(".pub").read_bytes().split(b"-----END PUBLIC KEY-----\n")
    own_key.with_suffix(".pub").write_bytes(blocks[0] + b"-----END PUBLIC KEY-----\n")
    ledger.seal_all(LATER)
    last = LedgerEntry.objects.order_by("-number")[0]
    assert (last.action, last.target_name) == (Action.KEY_RETIRED, gone)
    assert not faults(LATER)


# --- the other new invariants --------------------------------------------------------------------------------------


def test_every_write_once_table_has_its_triggers() -> None:
    bare, many = canon.unguarded(database)
    assert not bare
    assert many == len(canon.WriteOnce.__subclasses__()) >= 7


def test_a_trigger_that_is_gone_is_found(sealed: list[LedgerEntry]) -> None:
    edit_audit(sealed)
    bare, _ = canon.unguarded(database)
    assert bare == ["portal_auditentry", "portal_ledgerentry"]


def test_a_trigger_that_does_nothing_any_more_is_found() -> None:
    with database.cursor() as cursor:
        if database.vendor == "sqlite":
            cursor.execute("DROP TRIGGER portal_auditentry_no_delete")
            cursor.execute(
                "CREATE TRIGGER portal_auditentry_no_delete BEFORE DELETE ON portal_auditentry BEGIN SELECT 1; END"
            )
        else:
            cursor.execute(
                "CREATE OR REPLACE FUNCTION portal_auditentry_written_once() RETURNS trigger LANGUAGE plpgsql AS "
                "$$ BEGIN RETURN OLD; END $$"
            )
    assert canon.unguarded(database)[0] == ["portal_auditentry"]


def test_a_token_in_the_audit_log_is_found(simulator: Any) -> None:
    record(Action.SIGN_IN, note=f"typed {simulator.tokens['owner']}")
    texts = [fault for fault in verifying.prove(Counted(), NOW) if fault.invariant == "I12"]
    assert [fault.where for fault in texts] == [f"audit entry {AuditEntry.objects.get(action=Action.SIGN_IN).pk}"]
    assert simulator.tokens["owner"] not in texts[0].what
