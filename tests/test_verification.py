"""Attacks on the database that verify must find, each by the invariant that is meant to find it."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection as database

from connectors import locker
from connectors.models import Blob, Change, Receipt, Snapshot
from connectors.verification import Counted, verify
from portal import canon, keys
from tests.worlds import world

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def three_days(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """Three days of a small workspace; each attack on them is undone at the end of its test."""
    with world(django_db_blocker, ("workspace", "data-flow", "people")) as made:
        for day in range(3):
            made.simulator.settings.day = day
            assert made.sync().state == "published"
        assert not found()
        yield


@pytest.fixture
def chain(three_days: None) -> list[Snapshot]:
    return list(Snapshot.objects.order_by("seq"))


def found() -> set[str]:
    return {fault.invariant for fault in verify(Counted()) if fault.grave}


def attack(sql: str, *values: Any) -> None:
    """What an administrator of the database can do: triggers off, then any statement."""
    with database.cursor() as cursor:
        for table in ("connectors_blob", "connectors_change", "connectors_snapshot", "connectors_receipt"):
            for _, drop in reversed(list(canon.write_once_triggers(table, database.vendor))):
                cursor.execute(drop)
        cursor.execute(sql, values)
        assert cursor.rowcount > 0, "the attack must have hit something"


def flipped(data: bytes) -> bytes:
    """The same bytes with one bit changed, in the middle."""
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


def edit_blob(chain: list[Snapshot]) -> None:
    blob = Blob.objects.first()
    assert blob is not None
    attack("UPDATE connectors_blob SET body = %s WHERE sha256 = %s", flipped(bytes(blob.body)), bytes(blob.sha256))


def edit_blob_and_readdress(chain: list[Snapshot]) -> None:
    row = Change.objects.filter(stream="sources", seq=1).first()
    assert row is not None
    [other] = locker.seal(str(chain[0].workspace.uid), "sources", "x", [(row.key, {"id": row.key, "name": "Forged"})])
    attack("UPDATE connectors_change SET sha256 = %s WHERE id = %s", other.sha256, row.pk)
    attack(
        "INSERT INTO connectors_blob (sha256, size, codec, body) VALUES (%s, %s, 'zstd', %s)",
        other.sha256,
        other.size,
        other.body,
    )


def delete_blob(chain: list[Snapshot]) -> None:
    attack("DELETE FROM connectors_blob WHERE sha256 = %s", bytes(Change.objects.filter(seq=1)[0].sha256 or b""))


def swap_blobs(chain: list[Snapshot]) -> None:
    one, two = Change.objects.filter(stream="sources", seq=1)[:2]
    attack("UPDATE connectors_change SET sha256 = %s WHERE id = %s", bytes(two.sha256 or b""), one.pk)
    attack("UPDATE connectors_change SET sha256 = %s WHERE id = %s", bytes(one.sha256 or b""), two.pk)


def delete_change(chain: list[Snapshot]) -> None:
    attack("DELETE FROM connectors_change WHERE id = %s", Change.objects.filter(seq=2)[0].pk)


def insert_change(chain: list[Snapshot]) -> None:
    row = Change.objects.filter(stream="sources", seq=1)[0]
    attack(
        "INSERT INTO connectors_change (workspace_id, stream, key, seq, sha256)"
        " VALUES (%s, 'sources', 'forged', 2, %s)",
        row.workspace_id,
        bytes(row.sha256 or b""),
    )


def _rewrite_header(snapshot: Snapshot, change: Callable[[dict[str, Any]], None], sign: bool) -> None:
    header = locker.header_of(snapshot)
    change(header)
    data = canon.canonical(header)
    signature = canon.sign(data)[1] if sign else bytes(snapshot.signature)
    attack(
        "UPDATE connectors_snapshot SET header = %s, header_sha256 = %s, signature = %s WHERE id = %s",
        data,
        canon.digest(data).hex(),
        signature,
        snapshot.pk,
    )


def denied_to_complete(chain: list[Snapshot]) -> None:
    _rewrite_header(chain[1], lambda header: header["coverage"]["users"].update(coverage="denied"), sign=False)


def replay_day_1_as_3(chain: list[Snapshot]) -> None:
    attack(
        "UPDATE connectors_snapshot SET header = %s, signature = %s WHERE id = %s",
        bytes(chain[0].header),
        bytes(chain[0].signature),
        chain[2].pk,
    )


def strip_signature(chain: list[Snapshot]) -> None:
    attack("UPDATE connectors_snapshot SET signature = %s WHERE id = %s", b"", chain[1].pk)


def edit_header_byte(chain: list[Snapshot]) -> None:
    attack("UPDATE connectors_snapshot SET header = %s WHERE id = %s", flipped(bytes(chain[1].header)), chain[1].pk)


def delete_middle_day(chain: list[Snapshot]) -> None:
    attack("DELETE FROM connectors_snapshot WHERE id = %s", chain[1].pk)


def truncate_without_the_head(chain: list[Snapshot]) -> None:
    attack("DELETE FROM connectors_snapshot WHERE id = %s", chain[2].pk)


def edit_request_log(chain: list[Snapshot]) -> None:
    attack("UPDATE connectors_receipt SET status = 403 WHERE id = %s", Receipt.objects.all()[0].pk)


def rows_of_an_unpublished_run(chain: list[Snapshot]) -> None:
    row = Change.objects.filter(stream="sources", seq=1)[0]
    attack(
        "INSERT INTO connectors_change (workspace_id, stream, key, seq, sha256) VALUES (%s, 'sources', %s, 4, %s)",
        row.workspace_id,
        row.key,
        bytes(row.sha256 or b""),
    )


def insert_blob(chain: list[Snapshot]) -> None:
    attack("INSERT INTO connectors_blob (sha256, size, codec, body) VALUES (%s, 1, 'zstd', %s)", b"x" * 32, b"x")


ATTACKS = [
    (insert_blob, {"I7"}),
    (edit_blob, {"I1"}),
    (edit_blob_and_readdress, {"I5"}),
    (delete_blob, {"I11"}),
    (swap_blobs, {"I2", "I5"}),
    (delete_change, {"I5"}),
    (insert_change, {"I2", "I5"}),
    (denied_to_complete, {"I3", "I4"}),
    (replay_day_1_as_3, {"I4"}),
    (strip_signature, {"I3"}),
    (edit_header_byte, {"I3", "I4"}),
    (delete_middle_day, {"I4"}),
    (truncate_without_the_head, {"I4"}),
    (edit_request_log, {"I6"}),
    (rows_of_an_unpublished_run, {"I7"}),
]


@pytest.mark.parametrize(("attacker", "invariants"), ATTACKS, ids=lambda value: getattr(value, "__name__", ""))
def test_an_attack_is_found(
    chain: list[Snapshot], attacker: Callable[[list[Snapshot]], None], invariants: set[str]
) -> None:
    attacker(chain)
    assert invariants <= found()


def test_a_header_signed_with_another_key_is_found(chain: list[Snapshot], settings: Any, tmp_path: Any) -> None:
    keys.make_signing_key(tmp_path / "other.key")
    settings.SIGNING_KEY_FILE = tmp_path / "other.key"
    data = bytes(chain[1].header)
    name, signature = canon.sign(data)
    attack("UPDATE connectors_snapshot SET signature = %s, key_id = %s WHERE id = %s", signature, name, chain[1].pk)
    assert found() == {"I3"}


def test_a_whole_database_made_with_another_key_is_found(chain: list[Snapshot], settings: Any, tmp_path: Any) -> None:
    keys.make_signing_key(tmp_path / "other.key")
    settings.TRUSTED_KEYS_FILE = tmp_path / "other.pub"
    assert found() == {"I3"}


def test_changes_of_a_stream_that_was_not_complete_are_found(chain: list[Snapshot]) -> None:
    def deny(header: dict[str, Any]) -> None:
        for entry in header["coverage"].values():
            entry["coverage"] = "denied"

    _rewrite_header(chain[1], deny, sign=True)
    assert "I9" in found()


@pytest.mark.parametrize("table", ["connectors_blob", "connectors_change", "connectors_snapshot", "connectors_receipt"])
@pytest.mark.parametrize("statement", ["UPDATE {} SET {} = {}", "DELETE FROM {}"])
def test_the_database_itself_refuses_to_change_evidence(chain: list[Snapshot], table: str, statement: str) -> None:
    column = {"connectors_blob": "size", "connectors_change": "seq", "connectors_snapshot": "seq"}.get(table, "n")
    from django.db import DatabaseError, transaction

    with pytest.raises(DatabaseError, match="written once"), transaction.atomic(), database.cursor() as cursor:
        cursor.execute(statement.format(table, column, column))


def test_models_refuse_to_change_evidence(chain: list[Snapshot]) -> None:
    with pytest.raises(canon.WrittenOnce):
        chain[0].save()
    with pytest.raises(canon.WrittenOnce):
        chain[0].delete()
    with pytest.raises(canon.WrittenOnce):
        Snapshot.objects.update(seq=7)
    with pytest.raises(canon.WrittenOnce):
        Blob.objects.all().delete()


def test_the_command_names_the_fault_and_exits_with_1(chain: list[Snapshot], capsys: Any) -> None:
    call_command("verify")
    assert "0 faults" in capsys.readouterr().out
    strip_signature(chain)
    with pytest.raises(SystemExit) as ended:
        call_command("verify")
    assert ended.value.code == 1
    assert "I3  Fernhill Outdoor, snapshot 2" in capsys.readouterr().out


def test_the_tree_is_the_one_of_rfc_6962() -> None:
    """Roots for the inputs of the certificate-transparency test vectors, checked against the recursive definition."""

    def recursive(leaves: list[bytes]) -> bytes:
        if len(leaves) == 1:
            return canon.digest(b"\x00" + leaves[0])
        half = 1
        while half * 2 < len(leaves):
            half *= 2
        return canon.digest(b"\x01" + recursive(leaves[:half]) + recursive(leaves[half:]))

    inputs = [b"", b"\x00", b"\x10", b" !", b"01", b"@ABC", b"PQRSTUVW", b"`abcdefghijklmno"]
    for size in range(1, 9):
        tree = canon.MerkleTree()
        for leaf in inputs[:size]:
            tree.add(leaf)
        assert tree.root() == recursive(inputs[:size])
    assert canon.MerkleTree().root().hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_blobs_are_packed_with_the_dictionary_and_older_ones_are_read_without(chain: list[Snapshot]) -> None:
    """Frames name their dictionary: what was packed before there was one is read as it is."""
    import zstandard

    from connectors import locker

    blob = Blob.objects.order_by("sha256").first()
    assert blob is not None
    assert zstandard.get_frame_parameters(bytes(blob.body)).dict_id == 1_000_001
    plain = locker.envelope_of(blob)
    assert locker.envelope_of(Blob(sha256=blob.sha256, size=blob.size, body=zstandard.compress(plain))) == plain
    strange = zstandard.train_dictionary(2048, [plain[at:] for at in range(200)])
    lost = zstandard.ZstdCompressor(dict_data=strange).compress(plain)
    with pytest.raises(locker.Unpackable):
        locker.envelope_of(Blob(sha256=blob.sha256, size=blob.size, body=lost))
