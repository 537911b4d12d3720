"""A backup holds everything that is kept, as of one moment, and nothing in clear that is secret; a restore brings it
back whole or not at all, and believes no file."""

import base64
import io
import json
import re
import shutil
import stat
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings as now_set
from django.contrib.auth.models import Group
from django.core.management import CommandError, call_command
from django.db import transaction
from django.utils import timezone

from connectors import pauses, runs
from connectors.models import Connection, Heartbeat, Lane, RateWindow, Snapshot, StagedRecord, SyncRun, Workspace
from evidence import reports, verifications
from evidence.exports import csv
from evidence.library import versions
from portal import audit, canon, keys, ledger
from portal.backup import MANIFEST, PRIVATE, TRUSTED, Refused, lockbox, tables
from portal.backup.archive import Archive
from portal.backup.restoring import Wish, _batches, public_keys, restore
from portal.backup.writing import write
from portal.doctor.backups import last_is_young
from portal.doctor.findings import Verdict
from portal.models import AuditEntry, User
from tests.worlds import world

pytestmark = pytest.mark.django_db
PASSPHRASE = "correct horse battery"


@dataclass
class Packed:
    """A backup of a read workspace, and what was there when it was made; the database is empty again."""

    path: Path
    rows: dict[str, list[bytes]]
    report: bytes
    head: str
    secrets: list[str] = field(default_factory=list)


def quiet(line: str) -> None:
    """Nobody listens."""


ADDED = {"portal.AuditEntry", "portal.LedgerEntry", "evidence.Verification"}  # by the restore itself
ENDED = {"connectors.SyncRun", "evidence.Verification"}  # the last row was under way


def rows() -> dict[str, list[bytes]]:
    return {table.name: list(table.lines("default")) for table in tables.kept()}


def report() -> bytes:
    snapshot = Snapshot.objects.order_by("seq")[0]
    return b"".join(csv.stream(reports.document(snapshot, "data-flow")))


def a_person() -> User:
    person = User.objects.create_user("Zoë", "zoe@example.com", "a long password")
    person.groups.add(Group.objects.get(name="Auditor"))
    return person


@pytest.fixture(scope="module")
def packed(django_db_setup: None, django_db_blocker: Any, tmp_path_factory: Any) -> Packed:
    path = tmp_path_factory.mktemp("backup") / "portal.zip"
    with world(django_db_blocker, ("workspace", "data-flow", "people")) as made:
        for day in range(2):
            made.simulator.settings.day = day
            assert made.sync().state == "published"
        person, now = a_person(), timezone.now()
        versions.capture(Snapshot.objects.order_by("seq")[0], "data-flow", title="=1+1", by=person, now=now)
        pauses.pause_everything(by=person, reason="A pause\n“in” words", now=now)
        pauses.resume_everything(by=person, now=now)
        under_way = runs.request(made.connection, trigger="person", now=now, by=person, enqueue=False)
        assert verifications.request(trigger="person", now=now, by=person)
        StagedRecord.objects.create(run=under_way, stream="sources", key="x", sha256=b"x" * 32, size=1, body=b"x")
        Heartbeat.objects.create(worker="one", at=now)
        RateWindow.objects.create(token="x", endpoint="common")
        ledger.seal_all(now)
        write(path, "default", now, passphrase=PASSPHRASE, tell=quiet)
        signing = Path(now_set.SIGNING_KEY_FILE).read_text()
        secrets = [*made.simulator.secrets, *now_set.FERNET_KEYS, now_set.SECRET_KEY, now_set.FINGERPRINT_KEY, signing]
        head = Snapshot.objects.get(seq=2).header_sha256
        return Packed(path, rows(), report(), head, secrets)


def restored(path: Path, *arguments: str) -> str:
    out = io.StringIO()
    call_command("restore", str(path), *arguments, stdout=out, stderr=io.StringIO())
    return out.getvalue()


# --- there and back -------------------------------------------------------------------------------------------


def test_every_row_comes_back_and_the_evidence_is_proved(packed: Packed) -> None:
    said = restored(packed.path)
    assert "0 faults" in said
    assert "1 sync runs were under way and are ended" in said
    assert f": snapshot 2 {packed.head}\n" in said
    assert "Not trusted" not in said
    assert "FERNET_KEYS" not in said
    found = rows()
    assert set(found) == set(packed.rows)
    assert len(found["portal.LedgerEntry"]) > 5
    for name, before in packed.rows.items():
        went_on, ended = name in ADDED, name in ENDED
        kept = before[:-1] if ended else before
        assert found[name][: len(kept)] == kept, name
        assert went_on or len(found[name]) == len(before), name
    assert report() == packed.report
    assert User.objects.get(username="Zoë").role == "Auditor"
    assert not any(model.objects.exists() for model in (Heartbeat, RateWindow, StagedRecord))


def test_a_restored_portal_goes_on(packed: Packed) -> None:
    """The run that was under way stands in nobody's way, and new rows get new numbers."""
    restored(packed.path)
    ended = SyncRun.objects.latest("pk")
    assert (ended.state, ended.error_code) == ("abandoned", "restore-interrupted")
    assert "restore interrupted it" in ended.error_detail
    assert verifications.request(trigger="person", now=timezone.now()), "the one that was under way is lost"
    again = runs.request(Connection.objects.get(), trigger="test", now=timezone.now(), enqueue=False)
    assert again.pk > ended.pk
    last = AuditEntry.objects.order_by("pk").last()
    assert last is not None
    [mine] = AuditEntry.objects.filter(action=audit.Action.RESTORED)
    with packed.path.open("rb") as file:
        assert mine.detail["sha256"] == canon.digest(file.read()).hex()


def test_the_same_state_gives_the_same_members(packed: Packed, tmp_path: Path) -> None:
    restored(packed.path)
    now = timezone.now()
    one, two = (write(tmp_path / name, "default", now, tell=quiet) for name in ("one.zip", "two.zip"))
    assert one.sha256 == two.sha256
    with Archive(packed.path) as before, Archive(one.path) as after:
        assert after.manifest["workspaces"] == before.manifest["workspaces"]
        assert after.manifest["workspaces"][0]["head"] == 2
        same = [name for name, said in before.members.items() if after.members.get(name) == said]
        assert set(before.members) - set(same) == {PRIVATE, *(f"tables/{name}.jsonl" for name in ADDED | ENDED)}


def test_every_table_is_kept_or_said_to_be_left_out() -> None:
    kept = {table.name for table in tables.kept()}
    for model in apps.get_models(include_auto_created=True):
        known = {model._meta.label, model._meta.app_label} & set(tables.LEFT_OUT)
        assert (model._meta.label in kept) != bool(known), model
    assert {"connectors.Blob", "portal.User_groups", "evidence.Artifact"} <= kept


def test_tables_come_before_those_that_refer_to_them() -> None:
    seen: set[Any] = {Group}
    for table in tables.kept():
        for each in table.fields:
            assert tables.kind_of(each)
            assert each.related_model is None or each.related_model in seen | {table.model}, each
        seen.add(table.model)


@pytest.mark.parametrize(
    ("model", "name", "value"),
    [
        ("connectors.Blob", "body", b"\x00\xff\n"),
        ("connectors.Blob", "body", b""),
        ("connectors.Connection", "uid", "9d1b3f5e-0000-4000-8000-000000000001"),
        ("connectors.Connection", "created_at", "2026-03-29T01:30:00.000001+00:00"),
        ("connectors.Connection", "schedule_time", "06:00:00.000001"),
        ("connectors.Connection", "rotate_on", "2028-02-29"),
        ("connectors.Connection", "groups", {"z": 2**70, "a": [1.5, None, True, "\ud800 \u2028"]}),
        ("connectors.Connection", "keep_code", False),
        ("connectors.Receipt", "size", 2**63 - 1),
        ("connectors.Connection", "name", "line\nbreak\u2028\x7f"),
        ("connectors.Connection", "workspace", None),
    ],
)
def test_every_value_comes_back_as_it_was(model: str, name: str, value: Any) -> None:
    table = tables.Table(apps.get_model(model))
    row = table.model()
    place: Any = table.model._meta.get_field(name)
    wanted = place.to_python(value) if isinstance(value, str) else value
    setattr(row, place.attname, wanted)
    values = [
        None if (v := getattr(row, each.attname)) is None or each.attname == "token" else tables.kind_of(each).write(v)
        for each in table.fields
    ]
    line = tables._line(values)
    assert line.count(b"\n") == 1
    back = getattr(table.row(line[:-1], {}), place.attname)
    assert (back, type(back)) == (wanted, type(wanted))
    assert tables._line(values) == line


def test_memory_does_not_grow_with_the_rows(db: None) -> None:
    now, large = timezone.now(), "x" * 10_000
    entry = {"at": now, "actor_name": "a", "action": "exported", "detail": {"x": large}}
    AuditEntry.objects.bulk_create([AuditEntry(**entry) for _ in range(1500)], batch_size=100)
    table = next(table for table in tables.kept() if table.model is AuditEntry)
    tracemalloc.start()
    size = sum(len(line) for line in table.lines("default"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert size > 15_000_000
    assert peak < 8_000_000


def test_a_restore_holds_few_rows_at_once() -> None:
    drawn = 0

    def many() -> Iterator[Any]:
        nonlocal drawn
        for _ in range(50):
            drawn += 1
            yield Workspace(name="x" * 1_000_000)

    held = []
    for batch in _batches(many()):
        held.append(len(batch))
        assert drawn == sum(held), "nothing is drawn before it is needed"
    assert sum(held) == 50
    assert max(held) <= 4


# --- secrets --------------------------------------------------------------------------------------------------


def everything(path: Path) -> bytes:
    """All members, and what stands in them as base64 decoded too; what a blob may hold is test_canary's matter."""
    with zipfile.ZipFile(path) as zipped:
        members = b"".join(zipped.read(name) for name in zipped.namelist())
    texts = (found[1] for found in re.finditer(rb'"([A-Za-z0-9+/]{8,}={0,2})"', members))
    return path.read_bytes() + members + b"\n".join(base64.b64decode(t) for t in texts if len(t) % 4 == 0)


def test_no_key_and_no_token_is_in_it_in_clear(packed: Packed) -> None:
    held = everything(packed.path)
    assert len(packed.secrets) > 20
    assert not [secret[:12] for secret in packed.secrets if secret.encode() in held]
    assert b"BEGIN PUBLIC KEY" in held
    assert b"PRIVATE KEY" not in held
    assert stat.S_IMODE(packed.path.stat().st_mode) == 0o600


def test_private_keys_are_in_it_only_when_asked_for(packed: Packed, tmp_path: Path) -> None:
    made = write(tmp_path / "plain.zip", "default", timezone.now(), tell=quiet)
    with Archive(made.path) as plain, Archive(packed.path) as locked:
        assert PRIVATE not in plain.members
        opened = lockbox.unlock(locked.whole(PRIVATE), PASSPHRASE, locked.manifest["lockbox"])
        found = canon.read(opened)
        assert found["signing.key"] == Path(now_set.SIGNING_KEY_FILE).read_text()
        assert f"FERNET_KEYS={now_set.FERNET_KEYS[0]}" in found["private.env"]
        with pytest.raises(Refused, match="does not open"):
            lockbox.unlock(locked.whole(PRIVATE), "another passphrase", locked.manifest["lockbox"])
        with pytest.raises(Refused, match="does not know"):
            lockbox.unlock(locked.whole(PRIVATE), PASSPHRASE, {**locked.manifest["lockbox"], "n": 2**30})
    with pytest.raises(Refused, match="at least 12"):
        lockbox.lock(b"x", "short")


def test_no_key_is_trusted_silently(packed: Packed, settings: Any, tmp_path: Path) -> None:
    settings.TRUSTED_KEYS_FILE = tmp_path / "trusted.pub"
    with Archive(packed.path) as archive, transaction.atomic():
        done = restore(archive, timezone.now(), Wish(), quiet)
        [(name, digest)] = public_keys(archive).items()
        assert done.strangers == {name: digest}
        assert digest.startswith(name)
        assert not settings.TRUSTED_KEYS_FILE.exists()
        transaction.set_rollback(True)
    out = io.StringIO()
    call_command("restore", str(packed.path), "--trust-keys", stdout=out, stderr=io.StringIO())
    assert "0 faults" in out.getvalue()
    assert list(canon.trusted_keys()) == [name]


def test_without_a_trusted_key_verify_finds_what_is_unsigned(packed: Packed, settings: Any, tmp_path: Path) -> None:
    settings.TRUSTED_KEYS_FILE = tmp_path / "trusted.pub"
    with pytest.raises(SystemExit) as ended:
        restored(packed.path)
    assert ended.value.code == 1
    assert Snapshot.objects.count() == 2


# --- files that nobody has to trust -----------------------------------------------------------------------------

Members = dict[str, bytes]


def rewritten(packed: Packed, path: Path, change: Callable[[Members, dict[str, Any]], None]) -> Path:
    """The backup with other members; the manifest is made to fit them, as a forger would."""
    with zipfile.ZipFile(packed.path) as zipped:
        members = {name: zipped.read(name) for name in zipped.namelist()}
    manifest = json.loads(members.pop(MANIFEST))
    before = dict(members)
    change(members, manifest)
    for name, data in members.items():
        if data != before.get(name):
            said = manifest["members"].setdefault(name, {"rows": max(0, data.count(b"\n") - 1)})
            said |= {"bytes": len(data), "sha256": canon.digest(data).hex()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, data in {**members, MANIFEST: json.dumps(manifest).encode()}.items():
            zipped.writestr(name, data)
    return path


WORKSPACES = "tables/connectors.Workspace.jsonl"


def _member(name: str) -> Callable[[Members, dict[str, Any]], None]:
    return lambda members, manifest: members.__setitem__(name, b"x")


def _says(**values: Any) -> Callable[[Members, dict[str, Any]], None]:
    return lambda members, manifest: manifest.update(values)


def _line(old: bytes, new: bytes, name: str = WORKSPACES) -> Callable[[Members, dict[str, Any]], None]:
    def change(members: Members, manifest: dict[str, Any]) -> None:
        assert old in members[name]
        members[name] = members[name].replace(old, new, 1)

    return change


def _cut_rows(members: Members, manifest: dict[str, Any]) -> None:
    manifest["members"][WORKSPACES]["rows"] = 7


def _without(name: str) -> Callable[[Members, dict[str, Any]], None]:
    def change(members: Members, manifest: dict[str, Any]) -> None:
        del members[name], manifest["members"][name]

    return change


def _other_migration(members: Members, manifest: dict[str, Any]) -> None:
    manifest["migrations"]["connectors"].append("0999_of_tomorrow")


def _dangling(members: Members, manifest: dict[str, Any]) -> None:
    head, *lines = members["tables/connectors.Anomaly.jsonl"].splitlines(keepends=True)
    row: list[Any] = [1, 99_999, "sources", "t", "gap", "d", None, None, ""]
    members["tables/connectors.Anomaly.jsonl"] = b"".join([head, *lines, json.dumps(row).encode() + b"\n"])
    manifest["members"]["tables/connectors.Anomaly.jsonl"]["rows"] = len(lines) + 1


HOSTILE: dict[str, tuple[Callable[[Members, dict[str, Any]], None], str]] = {
    "way out": (_member("files/../../escaped"), "which no backup of the portal has"),
    "absolute": (_member("/etc/passwd"), "which no backup of the portal has"),
    "backslash": (_member("files\\..\\x"), "which no backup of the portal has"),
    "drive": (_member("files/c:x"), "which no backup of the portal has"),
    "stranger": (_member("private.env"), "which no backup of the portal has"),
    "folder": (_member("files/x/"), "which no backup of the portal has"),
    "huge": (lambda m, _: m.__setitem__("files/x", bytes(20_000_000)), "would grow beyond measure"),
    "no manifest entry": (lambda m, s: s["members"].pop(WORKSPACES), "other members than its manifest names"),
    "lacks a table": (_without(WORKSPACES), "exactly the tables"),
    "one table more": (_member("tables/portal.Other.jsonl"), "exactly the tables"),
    "later form": (_says(format=2), "a form that this version does not know"),
    "no form": (_says(format=None), "a form that this version does not know"),
    "odd manifest": (_says(members={WORKSPACES: 1}), "lacks something"),
    "no time": (_says(made_at="yesterday"), "lacks something"),
    "no lockbox": (_says(lockbox=None), "lacks something"),
    "other migrations": (_other_migration, "Restore it with the version that made it"),
    "another digest": (
        lambda m, s: s["members"][WORKSPACES].update(sha256="0" * 64),
        "is not what its manifest says",
    ),
    "other columns": (_line(b'"slug"', b'"password"'), "other columns"),
    "wrong type": (_line(b'"segment"', b"5"), "cannot be read"),
    "no list": (_line(b"\n[", b"\n[["), "cannot be read"),
    "repeated key": (_line(b"segment", b'", {"a":1,"a":2}, "'), "cannot be read"),
    "rows lack": (_cut_rows, "another number of rows"),
    "cut": (lambda m, _: m.__setitem__(WORKSPACES, m[WORKSPACES][:-1]), "in the middle of a row"),
    "unknown role": (_line(b"Auditor", b"Emperor", "tables/portal.User_groups.jsonl"), "the role “Emperor”"),
    "dangling": (_dangling, "The database refused"),
    "no key": (lambda m, _: m.__setitem__(TRUSTED, m[TRUSTED].replace(b"MC", b"!!")), "public keys"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_and_nothing_is_there(packed: Packed, tmp_path: Path, name: str) -> None:
    change, sentence = HOSTILE[name]
    with pytest.raises(CommandError, match=sentence) as refused:
        restored(rewritten(packed, tmp_path / "hostile.zip", change), "--trust-keys")
    assert refused.value.returncode == 2
    assert not [table.name for table in tables.kept() if table.model._base_manager.exists()]
    assert not list(tmp_path.parent.rglob("escaped"))


def _twice(path: Path) -> None:
    with zipfile.ZipFile(path, "a") as zipped, pytest.warns(UserWarning, match="Duplicate"):
        zipped.writestr(WORKSPACES, b"")


def _link(path: Path) -> None:
    info = zipfile.ZipInfo("files/link")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "a") as zipped:
        zipped.writestr(info, b"/etc/passwd")


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


BROKEN: dict[str, tuple[Callable[[Path], None], str]] = {
    "twice": (_twice, "twice"),
    "link": (_link, "no plain file"),
    "cut short": (_cut, "cut short"),
    "one bit": (_flip, "damaged|not what its manifest says"),
    "gone": (Path.unlink, "No such file"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_refused(packed: Packed, tmp_path: Path, name: str) -> None:
    path = Path(shutil.copy(packed.path, tmp_path / "broken.zip"))
    change, sentence = BROKEN[name]
    change(path)
    with pytest.raises(CommandError, match=sentence):
        restored(path)
    assert not Workspace.objects.exists()


def test_a_portal_in_use_is_not_written_over(packed: Packed) -> None:
    person = a_person()
    with pytest.raises(CommandError, match=r"This portal is not empty .*PORTAL_DATA or DATABASE_URL"):
        restored(packed.path)
    assert list(User.objects.all()) == [person]


# --- files ----------------------------------------------------------------------------------------------------


def test_uploaded_files_come_back_and_replace_none(packed: Packed, settings: Any, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path / "here"
    folder = settings.DATA_DIR / "files"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "Ünï.pdf").write_bytes(b"%PDF")
    made = write(tmp_path / "one.zip", "default", timezone.now(), tell=quiet)
    settings.DATA_DIR = tmp_path / "there"
    settings.DATA_DIR.mkdir()
    for _ in range(2):  # the second time is a restore that was killed after the files
        with Archive(made.path) as archive, transaction.atomic():
            restore(archive, timezone.now(), Wish(), quiet)
            transaction.set_rollback(True)
    path = settings.DATA_DIR / "files" / "deep" / "Ünï.pdf"
    assert path.read_bytes() == b"%PDF"
    path.write_bytes(b"mine")
    with Archive(made.path) as archive, pytest.raises(Refused, match="holds something else"):
        restore(archive, timezone.now(), Wish(), quiet)
    assert path.read_bytes() == b"mine"
    path.unlink()
    path.symlink_to("/etc/passwd")
    with pytest.raises(Refused, match="no plain file"):
        write(tmp_path / "two.zip", "default", timezone.now(), tell=quiet)
    assert not (tmp_path / "two.zip").exists()


def test_a_backup_writes_over_nothing_unless_told(tmp_path: Path) -> None:
    path = tmp_path / "one.zip"
    path.write_bytes(b"mine")
    with pytest.raises(Refused, match="--force"):
        write(path, "default", timezone.now(), tell=quiet)
    assert path.read_bytes() == b"mine"
    write(path, "default", timezone.now(), force=True, tell=quiet)
    with Archive(path) as archive:
        assert archive.check()
    with pytest.raises(Refused, match="No file can be written"):
        write(tmp_path / "nowhere" / "one.zip", "default", timezone.now(), tell=quiet)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    "asked",
    [
        (["backup", "--passphrase-stdin"], "", "for --with-keys alone"),
        (["backup", "--with-keys"], PASSPHRASE, "no terminal"),
        (["backup", "--with-keys", "--passphrase-stdin"], "\n", "There is no passphrase"),
        (["restore", "--with-keys"], PASSPHRASE, "no terminal"),
        (["restore", "--passphrase-stdin"], "another passphrase\n", "does not open the private keys"),
    ],
)
def test_a_passphrase_is_asked_for_and_never_guessed(
    packed: Packed, tmp_path: Path, monkeypatch: Any, asked: tuple[list[str], str, str]
) -> None:
    arguments, given, sentence = asked
    monkeypatch.setattr("sys.stdin", io.StringIO(given))
    command, *flags = arguments
    path = packed.path if command == "restore" else tmp_path / "one.zip"
    with pytest.raises(CommandError, match=sentence):
        call_command(command, str(path), *flags, stdout=io.StringIO(), stderr=io.StringIO())
    assert not list(tmp_path.iterdir())
    assert not Workspace.objects.exists()


def test_private_keys_are_put_beside_those_in_use(
    packed: Packed, settings: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    """And with a key that the ledger does not know nothing is restored, until somebody says that the old is lost."""
    settings.DATA_DIR, settings.SIGNING_KEY_FILE = tmp_path, tmp_path / "signing.key"
    keys.make_signing_key(tmp_path / "signing.key")
    own = (tmp_path / "signing.key").read_bytes()
    monkeypatch.setattr("sys.stdin", io.StringIO(PASSPHRASE))
    with pytest.raises(CommandError, match="is not one that the backup's ledger knows"):
        restored(packed.path, "--passphrase-stdin")
    assert not User.objects.exists()
    found = tmp_path / "signing.key.restored"
    assert found.read_text() == packed.secrets[-1]
    assert stat.S_IMODE(found.stat().st_mode) == 0o600
    assert (tmp_path / "signing.key").read_bytes() == own
    assert not (tmp_path / "private.env.restored").exists(), "it is what the portal has already"
    with pytest.raises(SystemExit):
        restored(packed.path, "--new-signing-key")
    assert Snapshot.objects.count() == 2


def test_other_keys_are_named_with_what_to_do(packed: Packed, settings: Any) -> None:
    settings.FERNET_KEYS, settings.FINGERPRINT_KEY = ["another-key-" * 4], "another-key-" * 4
    said = restored(packed.path)
    assert "FERNET_KEYS here do not open the tokens of connection " in said
    assert "FINGERPRINT_KEY is not the one of the backup" in said


# --- what the doctor says -------------------------------------------------------------------------------------


def test_the_condition_page_says_when_the_last_backup_was_made(client: Any, people: dict[str, Any]) -> None:
    now = timezone.now()
    assert (last_is_young(now).verdict, last_is_young(now).code) == (Verdict.WARN, "backup-never")
    made = SimpleNamespace(at=now - timedelta(days=7, hours=1))
    audit.record(audit.Action.BACKUP_MADE, actor=None, name="a.zip", at=made.at, sha256="ab" * 32, size=14_200)
    assert (last_is_young(now).verdict, last_is_young(now).code) == (Verdict.WARN, "backup-old")
    seen = last_is_young(made.at + timedelta(days=7))
    assert seen.verdict is Verdict.PASS
    assert "“a.zip”, 14.2 kB. Its sha256 begins with abababababababab." in seen.saw
    client.force_login(people["Administrator"])
    page = client.get("/admin/doctor/").content.decode()
    assert "Last backup" in page
    assert "python manage.py backup FILE" in page


def test_a_restored_portal_is_as_old_as_its_backup(packed: Packed) -> None:
    restored(packed.path)
    assert "This portal was restored from it." in last_is_young(timezone.now()).saw
    assert last_is_young(timezone.now() + timedelta(days=8)).code == "backup-old"
    assert Lane.MAIN in SyncRun.objects.values_list("lane", flat=True)
