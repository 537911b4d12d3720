"""Stored tokens come under a new key, whoever kills the command or replaces a token meanwhile; and that is proved."""

import json
import os
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as now_set
from django.core.management import CommandError, call_command
from django.db import connection as database
from django.utils import timezone

from connectors import connections, credentials, registry, rekeying, tasks
from connectors.models import Connection, Heartbeat, SpareToken
from connectors.spec import Denied
from portal import keys
from portal.doctor import keychain
from portal.models import AuditEntry

pytestmark = pytest.mark.django_db
OLD, NEW, OTHER = ("o" * 40, "n" * 40, "x" * 40)
SecretKeys = Callable[..., None]


def token(number: int) -> str:
    return f"sgp_{number:036d}"


@pytest.fixture
def fernet(settings: Any) -> Any:
    """Chooses FERNET_KEYS, as a restart of the portal with other keys would; the field remembers derived ones."""

    def forget() -> None:
        for place in rekeying.places():
            for name in ("keys", "fernet_keys", "fernet"):
                place.model._meta.get_field(place.column).__dict__.pop(name, None)

    def choose(*each: str) -> None:
        settings.FERNET_KEYS = list(each)
        forget()

    yield choose
    settings.FERNET_KEYS = now_set.FERNET_KEYS
    forget()


def connection(number: int) -> Connection:
    made = connections.draft(registry.get("segment"), by=None, now=timezone.now())
    given: dict[str, Any] = {"region": "us", "token": token(number), "role": "owner", "now": timezone.now()}
    return connections.set_credential(made, name=f"Connection {number}", **given)


@pytest.fixture
def stored(fernet: SecretKeys) -> list[Connection]:
    """Three connections and a spare token under the old key; then the new one comes to the head."""
    fernet(OLD)
    held = [connection(number) for number in range(3)]
    spare = SpareToken(connection=held[0], kind=SpareToken.CANDIDATE)
    credentials.seal(spare, held[0], token(9))
    spare.save()
    fernet(NEW, OLD)
    return held


def opens(held: list[Connection]) -> bool:
    """Whether every token says what it said."""
    spare = SpareToken.objects.get()
    same = all(credentials.unseal(each) == token(number) for number, each in enumerate(held))
    return same and credentials.unseal(held[0], spare) == token(9)


def call(*arguments: str) -> tuple[int, str]:
    """Exit code, and what was printed."""
    out = StringIO()
    try:
        call_command("rotate_keys", *arguments, stdout=out, stderr=out)
    except SystemExit as ended:
        return int(str(ended.code)), out.getvalue()
    except CommandError as error:
        return error.returncode, str(error)
    return 0, out.getvalue()


def test_every_model_with_a_secret_is_found() -> None:
    assert {place.model for place in rekeying.places()} >= {Connection, SpareToken}


def test_one_command_and_the_old_key_is_not_needed(stored: list[Connection], fernet: SecretKeys) -> None:
    code, said = call("--check")
    assert code == 2
    assert "the first key opens 0 of 4" in said
    assert "Key 2 is still needed by: connection" in said
    assert "Connection 1" in said
    code, said = call()
    assert (code, "4 of 4 stored tokens were encrypted anew; the first key opens 4 of 4." in said) == (0, True)
    assert "Key 2 is not needed by any stored token" in said
    assert call() == (0, said.replace("4 of 4 stored", "0 of 4 stored"))
    fernet(NEW)
    assert opens(stored)
    assert call("--check")[0] == 0


def test_what_was_done_is_in_the_audit_log_by_numbers_alone(stored: list[Connection]) -> None:
    call("--check")
    assert not AuditEntry.objects.filter(action="keys rotated").exists()
    call()
    entry = AuditEntry.objects.get(action="keys rotated")
    assert entry.detail == {"encrypted": 4, "secrets": 4, "unreadable": 0, "unused_keys": 1}


@pytest.mark.parametrize("after", [1, 2, 3])
def test_killed_after_any_row_and_run_again(stored: list[Connection], fernet: SecretKeys, after: int) -> None:
    class Killed(BaseException):
        pass

    def kill(done: int) -> None:
        if done == after:
            raise Killed

    with pytest.raises(Killed):
        rekeying.reencrypt(kill)
    assert list(rekeying.prove().opened) == [after, 4 - after]
    assert opens(stored)
    assert rekeying.reencrypt() == 4 - after
    assert rekeying.prove().unused == [2]
    fernet(NEW)
    assert opens(stored)


def test_a_token_replaced_meanwhile_is_not_lost(stored: list[Connection], fernet: SecretKeys) -> None:
    """A process that was not restarted puts another token there, under the old key, right before ours is written."""
    row, raced = stored[1], list[str]()

    def race(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.startswith("UPDATE") and "connectors_connection" in sql and row.pk in params and not raced:
            raced.append(sql)
            fernet(OLD)
            credentials.seal(row, row, token(100))
            row.save(update_fields=["token", "token_fingerprint"])
            fernet(NEW, OLD)
        return execute(sql, params, many, context)

    with database.execute_wrapper(race):
        assert rekeying.reencrypt() == 4
    assert raced
    fernet(NEW)
    assert credentials.unseal(row) == token(100)


def test_a_connection_that_goes_meanwhile_is_no_trouble(stored: list[Connection]) -> None:
    def gone(done: int) -> None:
        Connection.objects.filter(pk=stored[2].pk).delete()

    assert rekeying.reencrypt(gone) == 3
    assert rekeying.prove().done


def test_what_no_key_opens_is_named_and_left_alone(
    stored: list[Connection], fernet: SecretKeys, spoil: Callable[[int], None]
) -> None:
    spoil(stored[0].pk)
    code, said = call()
    assert code == 2
    assert f"No key opens: connection {stored[0].pk} (Connection 0)." in said
    assert "not a token" not in said
    with pytest.raises(Denied, match="cannot be decrypted"):
        credentials.unseal(stored[0])
    found = json.loads(call("--check", "--json")[1])
    assert found["unreadable"] == [f"connection {stored[0].pk} (Connection 0)"]
    assert (found["proved"], found["opened"], found["unused"], found["older"]) == (False, {"1": 3, "2": 0}, [2], {})


def test_a_wiped_token_that_no_key_opens_holds_nobody_up(
    stored: list[Connection], spoil: Callable[[int], None]
) -> None:
    credentials.wipe(stored[0])
    stored[0].save(update_fields=["token", "token_fingerprint"])
    spoil(stored[0].pk)
    assert call("--check")[0] == 2
    assert call()[0] == 0
    with pytest.raises(Denied, match="has no token"):
        credentials.unseal(stored[0])


def test_a_worker_that_was_not_restarted_is_waited_for(stored: list[Connection], fernet: SecretKeys) -> None:
    fernet(OLD)
    tasks.beat()
    fernet(NEW, OLD)
    code, said = call()
    assert code == 2
    assert "Nothing was done." in said
    assert Heartbeat.objects.get().worker in said
    assert list(rekeying.prove().opened) == [0, 4]
    assert call("--check")[1].startswith("0 of 4"), "proving alone disturbs nobody"
    tasks.beat()
    assert call()[0] == 0


def test_a_worker_that_is_gone_is_not_waited_for(stored: list[Connection]) -> None:
    Heartbeat.objects.create(worker="old", at=timezone.now() - timedelta(minutes=2), seals_with="other")
    assert call()[0] == 0


def test_the_doctor_says_what_is_left_to_do(stored: list[Connection]) -> None:
    assert keychain.stored_tokens_open().code == "key-still-needed"
    call()
    assert (
        keychain.stored_tokens_open().saw == "The first of FERNET_KEYS opens every one (4). Not needed any more: key 2."
    )


# --- a new key in the private file ------------------------------------------------------------------------


@pytest.fixture
def private(tmp_path: Path, monkeypatch: Any, settings: Any) -> Path:
    monkeypatch.setenv("PORTAL_DATA", str(tmp_path))
    settings.FERNET_KEYS_IN_FILE = True
    path = tmp_path / "private.env"
    keys.write_private(path, f"# Keep\nSECRET_KEY=a\nFERNET_KEYS={OLD}\nOTHER=FERNET_KEYS=b\n".encode())
    return path


def test_a_new_key_comes_first_and_nothing_else_changes(private: Path) -> None:
    code, said = call("--new")
    lines = private.read_text().splitlines()
    new = lines[2].removeprefix("FERNET_KEYS=").removesuffix(f",{OLD}")
    assert code == 0
    assert "Restart the portal on every machine now" in said
    assert lines == ["# Keep", "SECRET_KEY=a", f"FERNET_KEYS={new},{OLD}", "OTHER=FERNET_KEYS=b"]
    assert len(new) == 44
    assert new not in said
    assert private.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in private.parent.iterdir()] == ["private.env"]


def test_a_file_half_written_by_a_killed_one_is_no_trouble(private: Path) -> None:
    keys.write_private(private.with_name("private.env.new"), b"half")
    assert call("--new")[0] == call("--new")[0] == 0
    assert private.read_text().count(",") == 2
    assert private.read_text().count(OLD) == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_the_file_stays_its_owners(private: Path) -> None:
    os.chown(private, 12345, 12345)
    assert call("--new")[0] == 0
    assert (private.stat().st_uid, private.stat().st_gid) == (12345, 12345)
    assert private.stat().st_mode & 0o777 == 0o600


def test_a_link_to_the_file_stays_a_link(private: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.env"
    private.rename(elsewhere)
    private.symlink_to(elsewhere)
    assert call("--new")[0] == 0
    assert private.is_symlink()
    assert f",{OLD}" in elsewhere.read_text()


@pytest.mark.parametrize("line", ["", "FERNET_KEYS=\n", f"FERNET_KEYS={OLD}\nFERNET_KEYS={OTHER}\n"])
def test_a_file_that_is_not_understood_stays_as_it_is(private: Path, line: str) -> None:
    private.write_text(line)
    code, said = call("--new")
    assert (code, "No key was added: private.env must have one line" in said) == (2, True)
    assert private.read_text() == line


def test_quotes_and_export_are_kept(private: Path) -> None:
    private.write_text(f'export FERNET_KEYS = "{OLD}"\n')
    assert call("--new")[0] == 0
    assert private.read_text().startswith('export FERNET_KEYS = "')
    assert private.read_text().endswith(f',{OLD}"\n')


def test_keys_of_the_environment_are_not_written_anywhere(private: Path, settings: Any) -> None:
    settings.FERNET_KEYS_IN_FILE, before = False, private.read_bytes()
    code, said = call("--new")
    assert (code, said.startswith("FERNET_KEYS comes from the environment")) == (2, True)
    assert private.read_bytes() == before
