"""Each fault that the doctor knows is made, and found under its name; what is well is not called ill."""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.conf import settings as now_set
from django.core import mail as outbox
from django.core.management import call_command
from django.db import connection as database
from django.db.migrations.recorder import MigrationRecorder
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_q.models import OrmQ

from connectors import connections, pauses, runs
from connectors.models import Connection, Heartbeat, SyncRun, Workspace
from connectors.segment.simulator import Fault, Simulator
from portal import audit, keys
from portal.canon import write_once_triggers
from portal.doctor import findings, storage
from portal.doctor.examination import CHECKS, Asked, examine
from portal.doctor.findings import Finding, Verdict

from .portals import manage

pytestmark = pytest.mark.django_db
Spoil = Callable[[Any], object]


@pytest.fixture(autouse=True)
def at_work() -> None:
    Heartbeat.objects.create(worker="one", at=timezone.now())
    _backed_up(days=6)


def _backed_up(days: int) -> None:
    at = timezone.now() - timedelta(days=days)
    audit.record(audit.Action.BACKUP_MADE, actor=None, name="portal.zip", at=at, sha256="0" * 64, size=1)


@pytest.fixture
def administrator(client: Any, people: dict[str, Any]) -> Any:
    client.force_login(people["Administrator"])
    return client


def look(**asked: Any) -> dict[str, Finding]:
    return {each.name: each for each in examine(Asked(timezone.now(), **asked))}


def doctor(*arguments: str) -> tuple[int, str]:
    out = StringIO()
    try:
        call_command("doctor", *arguments, stdout=out)
    except SystemExit as ended:
        return int(str(ended.code)), out.getvalue()
    return 0, out.getvalue()


# --- what is well -----------------------------------------------------------------------------------------


def test_a_portal_that_is_well_is_said_to_be(connected: Connection) -> None:
    found = look()
    assert [each.name for each in found.values() if each.trouble] == []
    assert [each.name for each in found.values() if each.seen.verdict is Verdict.UNKNOWN] == ["keys-copy"]
    assert set(found) == {check.name for check in CHECKS} | {f"connection-{connected.pk}"}
    assert doctor("--strict")[0] == 0


def test_the_table_is_aligned_and_says_what_to_do(connected: Connection) -> None:
    connections.note_failure(connected, "token-rejected", timezone.now())
    code, said = doctor()
    lines = said.splitlines()
    assert code == 2
    assert max(map(len, lines)) <= 110
    [row] = [line for line in lines if "Demo" in line]
    assert row.startswith("  Fail ")
    assert row.index("Demo") == next(line for line in lines if " Migrations " in line).index("Migrations")
    assert "[token-rejected]" in said
    assert lines[-1].startswith("1 failing, 1 unknown, ")


def test_programs_get_the_same_with_stable_keys(connected: Connection) -> None:
    code, said = doctor("--json")
    found = json.loads(said)
    assert (code, found["format"], found["exit_code"]) == (0, 1, 0)
    assert set(found) == {"format", "version", "at", "exit_code", "counts", "findings"}
    keys_ = {"name", "group", "title", "state", "saw", "code", "what_to_do", "acts", "connection"}
    assert all(set(each) == keys_ for each in found["findings"])
    assert sum(found["counts"].values()) == len(found["findings"])
    assert len({each["name"] for each in found["findings"]}) == len(found["findings"])


def test_nothing_secret_is_said(connected: Connection, simulator: Simulator) -> None:
    said = doctor("--json", "--live")[1] + doctor()[1]
    for secret in (simulator.tokens["owner"], now_set.SECRET_KEY, *now_set.FERNET_KEYS, now_set.FINGERPRINT_KEY):
        assert secret not in said


def test_warnings_end_with_1_only_if_that_is_wished(connected: Connection) -> None:
    Connection.objects.update(lacking=2)
    assert (doctor()[0], doctor("--strict")[0]) == (0, 1)


# --- what is not well: the name of the finding, the fault, and its verdict and code ------------------------


def _signs_with_another_key(t: Any) -> None:
    keys.make_signing_key(t.path / "signing.key")
    t.settings.SIGNING_KEY_FILE = t.path / "signing.key"


def _opens_a_key_file(t: Any) -> None:
    _signs_with_another_key(t)
    (t.path / "signing.key").chmod(0o640)


def _drops_a_trigger(t: Any) -> None:
    with database.cursor() as cursor:
        for _, drop in write_once_triggers("connectors_blob", database.vendor):
            cursor.execute(drop)


def _record(app: str, name: str) -> Spoil:
    return lambda t: MigrationRecorder(database).record_applied(app, name)


def _forget_the_newest(app: str) -> Spoil:
    def spoil(t: Any) -> None:
        newest = max(name for known, name in MigrationRecorder(database).applied_migrations() if known == app)
        MigrationRecorder(database).record_unapplied(app, newest)

    return spoil


def _set(**values: Any) -> Spoil:
    def spoil(t: Any) -> None:
        for name, value in values.items():
            setattr(t.settings, name, value)

    return spoil


def _run(**values: Any) -> Spoil:
    def spoil(t: Any) -> None:
        run = runs.request(t.connection, trigger="test", now=timezone.now(), enqueue=False)
        SyncRun.objects.filter(pk=run.pk).update(**{name: timezone.now() - ago for name, ago in values.items()})

    return spoil


def _lost_run(t: Any) -> None:
    _run(heartbeat_at=timedelta(minutes=10))(t)
    SyncRun.objects.update(state="running")


def _queued(minutes: int) -> Spoil:
    at = timedelta(minutes=minutes)
    return lambda t: OrmQ.objects.create(key="portal", payload="x", lock=timezone.now() - at)


def _change(**values: Any) -> Spoil:
    return lambda t: Connection.objects.filter(pk=t.connection.pk).update(**values)


FAULTS: list[tuple[str, Spoil, Verdict, str]] = [
    ("keys", _set(SIGNING_KEY_FILE="/nowhere/signing.key"), Verdict.FAIL, "signing-key"),
    ("key-files", _opens_a_key_file, Verdict.FAIL, "key-file-open"),
    ("signing-key", _set(SIGNING_KEY_FILE="/nowhere/signing.key"), Verdict.FAIL, "signing-key"),
    ("signing-key", _signs_with_another_key, Verdict.FAIL, "signing-key-untrusted"),
    ("stored-tokens", lambda t: t.spoil(t.connection.pk), Verdict.FAIL, "token-unreadable"),
    ("migrations", _record("connectors", "0999_of_tomorrow"), Verdict.FAIL, "migrations-unknown"),
    ("migrations", _forget_the_newest("evidence"), Verdict.FAIL, "migrations-missing"),
    ("write-once", _drops_a_trigger, Verdict.FAIL, "triggers-missing"),
    ("worker", lambda t: Heartbeat.objects.all().delete(), Verdict.FAIL, "worker-silent"),
    (
        "worker",
        lambda t: Heartbeat.objects.update(at=timezone.now() - timedelta(minutes=2)),
        Verdict.FAIL,
        "worker-silent",
    ),
    ("queue", _queued(16), Verdict.WARN, "queue-waits"),
    ("runs", _run(queued_at=timedelta(minutes=90)), Verdict.WARN, "runs-stuck"),
    ("runs", _run(resume_at=timedelta(minutes=30)), Verdict.WARN, "runs-stuck"),
    ("runs", _lost_run, Verdict.WARN, "runs-stuck"),
    (
        "clock",
        lambda t: Heartbeat.objects.update(at=timezone.now() + timedelta(minutes=5)),
        Verdict.FAIL,
        "clock-set-back",
    ),
    (
        "clock",
        lambda t: audit.record(audit.Action.VERIFIED, actor=None, at=timezone.now() + timedelta(days=1)),
        Verdict.FAIL,
        "clock-set-back",
    ),
    ("zones", _change(schedule_zone="Mars/Base"), Verdict.FAIL, "zone-unknown"),
    ("folder", _set(DATA_DIR="/nowhere"), Verdict.FAIL, "folder-closed"),
    (
        "mail",
        _set(SENDS_MAIL=True, EMAIL_HOST="mail.example.com", EMAIL_HOST_PASSWORD="x"),
        Verdict.WARN,
        "mail-open",
    ),
    ("debug", _set(DEBUG=True), Verdict.FAIL, "debug-on"),
    ("https", _set(HOST="0.0.0.0"), Verdict.FAIL, "https-off"),
    ("hosts", _set(ALLOWED_HOSTS=["*"]), Verdict.WARN, "hosts-open"),
    ("hosts", _set(PORTAL_URL="https://elsewhere.example.com"), Verdict.WARN, "hosts-open"),
    ("connection", _change(error_code="unreachable", error_at=timezone.now()), Verdict.FAIL, "unreachable"),
    ("connection", _change(error_code="wrong-workspace"), Verdict.FAIL, "wrong-workspace"),
    ("connection", _change(error_code="rate-limited"), Verdict.WARN, "rate-limited"),
    ("connection", _change(lacking=1), Verdict.WARN, "streams-lacking"),
    ("connection", _change(rotate_on=timezone.now().date()), Verdict.WARN, "rotation-due"),
]


@pytest.fixture
def tools(connected: Connection, settings: Any, tmp_path: Path, spoil: Any) -> Any:
    """What the faults are made with."""
    return SimpleNamespace(connection=connected, settings=settings, path=tmp_path, spoil=spoil)


@pytest.mark.parametrize(("name", "fault", "verdict", "code"), FAULTS, ids=[f"{each[0]} {each[3]}" for each in FAULTS])
def test_each_fault_is_found(tools: Any, name: str, fault: Spoil, verdict: Verdict, code: str) -> None:
    where = f"connection-{tools.connection.pk}" if name == "connection" else name
    assert not look()[where].trouble
    fault(tools)
    found = look()[where]
    assert (found.seen.verdict, found.seen.code) == (verdict, code)
    assert found.hint is not None
    assert found.hint.code == code
    assert "gap in the portal" not in found.hint.cause


def test_what_waits_for_a_reason_is_no_fault(connected: Connection) -> None:
    OrmQ.objects.create(key="portal", payload="x", lock=timezone.now() + timedelta(hours=24))  # taken
    OrmQ.objects.create(key="portal", payload="x", lock=timezone.now() - timedelta(minutes=1))
    runs.request(connected, trigger="test", now=timezone.now(), enqueue=False)
    found = look()
    assert found["queue"].seen.saw.startswith("1 task waits")
    assert not found["queue"].trouble
    assert not found["runs"].trouble


def test_a_paused_connection_is_neither_well_nor_ill(connected: Connection) -> None:
    pauses.pause_everything(by=None, reason="", now=timezone.now())
    found = look()[f"connection-{connected.pk}"]
    assert found.seen.verdict is Verdict.MOOT
    assert found.seen.saw.startswith(
        "Paused. Everything is paused. No snapshot yet. Token 0 days old, to be replaced on"
    )


@pytest.mark.parametrize(
    ("free", "verdict"), [(50_000_000, Verdict.FAIL), (900_000_000, Verdict.WARN), (9_000_000_000, Verdict.PASS)]
)
def test_room_on_the_disk(monkeypatch: Any, free: int, verdict: Verdict) -> None:
    class Usage:
        def __init__(self, path: object) -> None:
            self.free = free

    monkeypatch.setattr(shutil, "disk_usage", Usage)
    assert storage.has_room(timezone.now()).verdict is verdict


@pytest.mark.parametrize(("days", "left"), [(3, None), (10, 990.0)])
def test_how_long_the_disk_lasts_at_its_pace(sync_now: Any, days: int, left: float | None) -> None:
    sync_now(("sources",))
    found = storage._days_left(99_000_000, 1_000_000, timezone.now() + timedelta(days=days))
    assert found is None if left is None else found == pytest.approx(left, rel=0.01)


def test_static_files_that_were_never_prepared(settings: Any, tmp_path: Path) -> None:
    settings.STATIC_ROOT = tmp_path
    backend = {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"}
    settings.STORAGES = {**settings.STORAGES, "staticfiles": backend}
    assert look()["static"].seen.code == "static-missing"
    (tmp_path / "portal.1.css").write_text("")
    (tmp_path / "staticfiles.json").write_text(
        '{"version": "1.1", "hash": "", "paths": {"portal.css": "portal.1.css"}}'
    )
    settings.STATIC_ROOT = str(tmp_path)  # so that the list is read again
    assert look()["static"].seen.saw == "1 files are prepared, the stylesheet among them."


def test_a_check_that_falls_takes_no_other_with_it(settings: Any) -> None:
    settings.ALLOWED_HOSTS = None
    found = look()
    assert (found["hosts"].seen.code, found["hosts"].seen.saw) == (
        "doctor-failed",
        "The check itself failed (TypeError).",
    )
    assert len(found) == len(CHECKS) + 1


# --- the database is away or strange ------------------------------------------------------------------------


@contextmanager
def refusing(words: str) -> Iterator[None]:
    from django.db import OperationalError

    def refuse(execute: Any, sql: str, *rest: Any) -> Any:
        raise OperationalError(words)

    with database.execute_wrapper(refuse):
        yield


def test_a_database_that_refuses_everything_is_a_finding(connected: Connection) -> None:
    with refusing("disk I/O error\nat line two"):
        found = look()
    assert found["migrations"].seen.saw == "The database refused the question: disk I/O error"
    assert found["migrations"].seen.verdict is Verdict.FAIL
    assert found["stored-tokens"].seen.verdict is Verdict.UNKNOWN
    assert found["connections"].seen.verdict is Verdict.UNKNOWN
    assert found["debug"].seen.verdict is Verdict.PASS


def test_without_keys_the_doctor_still_says_so(tmp_path: Path) -> None:
    done = manage(tmp_path, "doctor", "--json")
    found = {each["name"]: each for each in json.loads(done.stdout)["findings"]}
    assert (done.returncode, done.stderr) == (2, "")
    assert found["settings"]["code"] == "settings-refused"
    assert found["settings"]["saw"].startswith("SECRET_KEY is missing")
    assert found["keys"]["code"] == "keys-missing"


@pytest.mark.parametrize("content", [None, b"this is no database" * 100])
def test_without_a_database_the_doctor_still_says_so(tmp_path: Path, content: bytes | None) -> None:
    keys.make_keys({"PORTAL_DATA": str(tmp_path)})
    path = tmp_path / "portal.sqlite3"
    path.write_bytes(content) if content else path.mkdir()
    done = manage(tmp_path, "doctor")
    assert done.returncode == 2, done.stderr
    assert "SQLite does not answer: " in done.stdout
    assert "[database-away]" in done.stdout
    assert "The database cannot be used." in done.stdout
    assert "Traceback" not in done.stderr


# --- asked live -------------------------------------------------------------------------------------------


def test_nobody_is_asked_unless_that_is_wished(connected: Connection, simulator: Simulator) -> None:
    before = len(simulator.requests)
    look()
    assert len(simulator.requests) == before
    found = look(live=True)[f"connection-{connected.pk}"]
    assert len(simulator.requests) == before + 1
    assert found.seen.saw.endswith("Asked just now: its workspace answers.")
    assert found.seen.verdict is Verdict.PASS


def test_who_is_asked_and_refuses_is_named(connected: Connection, simulator: Simulator) -> None:
    name = f"connection-{connected.pk}"
    simulator.faults.append(Fault("", "revoked", times=1))
    assert look(live=True)[name].seen.code == "token-rejected"
    Workspace.objects.update(remote_id="another")
    assert look(live=True)[name].seen.code == "wrong-workspace"
    Connection.objects.update(region="mars")
    assert look(live=True)[name].seen.code == "region-unknown"
    simulator.close()
    Connection.objects.update(region="demo")
    assert look(live=True)[name].seen.code == "unreachable"
    assert not Connection.objects.get().error_code, "looking changes nothing"


def test_a_mail_is_sent_on_wish_alone(settings: Any) -> None:
    assert look(mail_to="a@example.com")["mail"].seen.code == "mail-refused"
    settings.SENDS_MAIL, settings.MAIL_FROM, settings.PORTAL_URL = True, "p@example.com", "http://localhost"
    assert look()["mail"].seen.saw == "The mail server is set; it was not asked (--live asks it)."
    assert look(live=True)["mail"].seen.saw == "The mail server answers and accepts us."
    assert not outbox.outbox
    assert doctor("--mail-to", "a@example.com")[0] == 0
    assert outbox.outbox[0].to == ["a@example.com"]
    assert look(mail_to="nobody")["mail"].seen.code == "mail-refused"


# --- many, and the page -----------------------------------------------------------------------------------


def many(*numbers: int) -> None:
    now = timezone.now()
    for number in numbers:
        own = Workspace.objects.create(connector="segment", remote_id=f"w{number}", region="us", slug="s", name="n")
        given: dict[str, Any] = {"token_fingerprint": f"f{number}", "token_since": now, "token_used_at": now}
        row = Connection(name=f"C{number:03}", connector="segment", region="us", workspace=own, **given)
        row.state, row.created_at, row.token = "active", now, "x"
        row.save()


def queries() -> int:
    with CaptureQueriesContext(database) as seen:
        look()
    return len(seen)


def test_the_number_of_queries_does_not_grow_with_connections() -> None:
    many(0)
    few = queries()
    many(*range(1, 10))
    assert queries() == few


def test_the_page_shows_every_finding_with_its_hint(administrator: Any, connected: Connection) -> None:
    Connection.objects.update(name="<b>Bold</b>\u202eback", error_code="token-rejected", error_at=timezone.now())
    answer = administrator.get("/admin/doctor/")
    page = answer.content.decode()
    assert answer.status_code == 200
    assert all(f">{check.title}<" in page for check in CHECKS)
    assert f'<a href="/admin/connectors/connection/{connected.pk}/change/"><bdi>&lt;b&gt;Bold&lt;/b&gt;' in page
    assert "\u202e" not in page
    assert 'href="/help/token-rejected/"' in page
    assert 'href="/help/keys-uncopied/"' in page
    assert "Whoever runs this machine" in page
    assert page.count("No page looks at all of it") == 2, "no page opens a token, nor reads the database whole"
    assert 'href="/admin/doctor/"' in administrator.get("/").content.decode(), "the way in"


def test_the_page_names_a_hundred_connections_the_ill_ones_first(administrator: Any) -> None:
    many(*range(102))
    Connection.objects.filter(name="C101").update(lacking=1)
    page = administrator.get("/admin/doctor/").content.decode()
    assert "C101" in page
    assert page.index("C101") < page.index("C000")
    assert page.count("/change/") == 100
    assert "2 more are not shown here" in page
    assert len(json.loads(administrator.get("/admin/doctor.json").content)["findings"]) == len(CHECKS) + 102


def test_the_file_says_what_the_command_says(administrator: Any, connected: Connection) -> None:
    answer = administrator.get("/admin/doctor.json")
    assert answer["Content-Disposition"].startswith('attachment; filename="condition-')
    found = json.loads(answer.content)
    assert [each["name"] for each in found["findings"]] == list(look())
    assert found["format"] == findings.FORMAT


@pytest.mark.parametrize("url", ["/admin/doctor/", "/admin/doctor.json"])
def test_only_who_manages_connections_sees_it(client: Any, people: dict[str, Any], url: str) -> None:
    for role in ("Auditor", "Compliance manager"):
        client.force_login(people[role])
        assert client.get(url).status_code == 403
