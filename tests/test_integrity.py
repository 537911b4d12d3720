"""The integrity pages, the nightly verification, and what the home page says when something is wrong."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from connectors import locker, runs
from connectors.clock import Clock
from connectors.models import Change, Snapshot
from evidence import integrity, tasks, verifications, verifying
from evidence.models import Outcome, Verification
from portal import audit, ledger
from portal.models import AuditEntry, LedgerEntry
from portal.proving import INVARIANTS, Counted, stepwise

from .test_verification import attack
from .worlds import World, world

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def read(django_db_setup: None, django_db_blocker: Any) -> Iterator[World]:
    with world(django_db_blocker, ("workspace", "data-flow", "people")) as made:
        assert made.sync().state == "published"
        ledger.seal_all(timezone.now())
        yield made


@pytest.fixture
def manager(client: Any, people: dict[str, Any]) -> Any:
    client.force_login(people["Compliance manager"])
    return client


def text(answer: Any) -> str:
    assert answer.status_code == 200, answer.status_code
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", answer.content.decode())))


def asked(now: datetime | None = None, trigger: str = "person") -> Verification:
    assert verifications.request(trigger=trigger, now=now or timezone.now())
    return Verification.objects.get(active=True)


def ended(**values: Any) -> Verification:
    now = timezone.now()
    kept = {"trigger": "schedule", "state": Outcome.PASSED, "queued_at": now, "started_at": now, "finished_at": now}
    return Verification.objects.create(**{**kept, **values})


# --- what is proved -----------------------------------------------------------------------------------------------


def test_a_verification_has_a_line_for_every_invariant_with_what_it_covered(read: World) -> None:
    found = verifications.perform(asked().pk)
    assert found is not None
    assert found.state == Outcome.PASSED, found.lines
    lines = {line.invariant.name: line for line in integrity.lines(found)}
    assert list(lines) == [each.name for each in INVARIANTS]
    assert lines["I8"].state.word == "Not confirmed"
    assert {name for name, line in lines.items() if line.state.name == "pass"} == set(lines) - {"I8"}
    assert found.done == found.expected > found.covered["changes"] > 50
    snapshot = Snapshot.objects.get()
    assert found.heads == {str(read.workspace.uid): [1, snapshot.header_sha256]}
    assert 10_000_000 < found.memory < 2_000_000_000


def test_the_outcome_is_sealed_with_the_ends_of_all_chains(read: World) -> None:
    found = verifications.at_once()
    ledger.seal_all(timezone.now())
    sealed = LedgerEntry.objects.get(action=audit.Action.VERIFIED)
    assert sealed.target == f"verification {found.pk}"
    assert ledger.detail_of(sealed)["heads"] == verifying.digest(found.heads)


def test_a_chain_that_was_cut_short_since_the_last_verification_is_found(read: World) -> None:
    verifications.at_once()
    snapshot = Snapshot.objects.get()
    attack("DELETE FROM connectors_change WHERE seq = %s", 1)
    attack("DELETE FROM connectors_blob WHERE size > %s", 0)
    attack("UPDATE connectors_syncrun SET state = 'failed' WHERE id = %s", snapshot.run_id)
    attack("DELETE FROM connectors_snapshot WHERE id = %s", snapshot.pk)
    attack("UPDATE connectors_workspace SET head = 0 WHERE id = %s", snapshot.workspace_id)
    found = verifications.at_once()
    assert [line.invariant.name for line in integrity.lines(found) if line.faults] == ["I4", "I10"]


def test_a_verification_with_made_up_ends_is_found(read: World) -> None:
    found = verifications.at_once()
    ledger.seal_all(timezone.now())
    Verification.objects.filter(pk=found.pk).update(heads={})
    assert [fault.invariant for fault in verifying.prove(Counted(), timezone.now()) if fault.grave] == ["I13"]


def test_erased_bytes_are_no_fault_when_the_ledger_says_so(read: World) -> None:
    gone = bytes(Change.objects.filter(stream="sources")[0].sha256 or b"")
    attack("DELETE FROM connectors_blob WHERE sha256 = %s", gone)
    found = [fault for fault in verifying.prove(Counted(), timezone.now()) if fault.invariant == "I11"]
    assert "no ledger entry says" in found[0].what
    audit.record(audit.Action.ERASED, actor=None, name=gone.hex(), reason="asked for by the person")
    ledger.seal_all(timezone.now())
    assert not [fault for fault in verifying.prove(Counted(), timezone.now()) if fault.invariant == "I11"]


def test_a_token_in_a_record_is_found_and_not_repeated(read: World) -> None:
    row, token = Change.objects.filter(stream="sources")[0], read.simulator.tokens["owner"]
    [sealed] = locker.seal(str(read.workspace.uid), "sources", "x", [(row.key, {"name": token})])
    attack("UPDATE connectors_change SET sha256 = %s WHERE id = %s", sealed.sha256, row.pk)
    values = (sealed.sha256, sealed.size, sealed.body)
    attack("INSERT INTO connectors_blob (sha256, size, codec, body) VALUES (%s, %s, 'zstd', %s)", *values)
    found = verifications.at_once()
    [line] = [line for line in integrity.lines(found) if line.invariant.name == "I12"]
    assert line.faults == 1
    assert token not in str(found.lines)


def test_large_tables_are_read_in_steps(read: World) -> None:
    """No query takes more rows than one step, and every row comes once."""
    for number in range(25):
        audit.record(audit.Action.SIGN_IN, actor=None, name=str(number))
    with CaptureQueriesContext(database) as queries:
        seen = [pk for (pk,) in stepwise(AuditEntry.objects.all(), "pk", size=10)]
    assert seen == list(AuditEntry.objects.order_by("pk").values_list("pk", flat=True))
    assert len(queries) == len(seen) // 10 + 1
    assert all("LIMIT 10" in query["sql"] for query in queries)


def test_steps_over_several_columns_lose_nothing_and_repeat_nothing(read: World) -> None:
    keys = ("stream", "key", "seq")
    assert [*stepwise(Change.objects.all(), *keys, size=7)] == [*Change.objects.order_by(*keys).values_list(*keys)]


# --- runs of it ---------------------------------------------------------------------------------------------------


class Ticking(Clock):
    """Two seconds pass at each look."""

    def __init__(self) -> None:
        self._now = timezone.now()
        self.seen: list[tuple[int, int]] = []

    def now(self) -> datetime:
        self._now += timedelta(seconds=2)
        self.seen += Verification.objects.filter(state=Outcome.RUNNING).values_list("done", "expected")
        return self._now


def test_progress_is_saved_while_it_works(read: World) -> None:
    clock = Ticking()
    found = verifications.perform(asked().pk, clock)
    assert found is not None
    steps = [done for done, _ in clock.seen]
    assert steps == sorted(steps)
    assert len(set(steps)) > 50
    assert {expected for done, expected in clock.seen if done} == {found.expected}


def test_there_is_one_at_a_time_and_a_task_is_carried_out_once(read: World) -> None:
    first = asked()
    assert not verifications.request(trigger="schedule", now=timezone.now())
    assert AuditEntry.objects.filter(action=audit.Action.VERIFICATION_REQUESTED).count() == 1
    assert "passed" in tasks.verify(first.pk)
    assert "does not wait any more" in tasks.verify(first.pk)
    assert verifications.request(trigger="schedule", now=timezone.now())


def test_a_killed_one_is_taken_for_lost_and_writes_nothing_more(read: World) -> None:
    class Overslept(Ticking):
        def now(self) -> datetime:
            found = super().now()
            if len(self.seen) == 20:
                verifications.recover(found + timedelta(seconds=95))
            return found

    row = asked()
    with pytest.raises(verifications.Lost):
        verifications.perform(row.pk, Overslept())
    row.refresh_from_db()
    assert (row.state, row.active, row.lines) == (Outcome.LOST, None, [])
    assert "The next verification begins anew" in row.detail
    assert not AuditEntry.objects.filter(action=audit.Action.VERIFIED).exists()


def test_one_that_breaks_off_says_so(read: World) -> None:
    row = asked()
    with database.execute_wrapper(_breaking), pytest.raises(ZeroDivisionError):
        verifications.perform(row.pk)
    row.refresh_from_db()
    assert (row.state, row.active) == (Outcome.BROKEN, None)
    assert "ZeroDivisionError" in row.detail
    assert [matter.what for matter in integrity.alarms(timezone.now())] == ["The last verification broke off"]


def _breaking(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
    if "connectors_blob" in sql:
        raise ZeroDivisionError
    return execute(sql, params, many, context)


def test_it_is_due_once_a_night_in_the_zone_of_the_portal(read: World, settings: Any) -> None:
    settings.TIME_ZONE = "Europe/Berlin"
    settings.VERIFY_AT = settings.VERIFY_AT.replace(hour=3)
    two_at_night = datetime(2026, 1, 10, 2, 30, tzinfo=UTC)  # 03:30 in Berlin
    assert verifications.due(two_at_night)
    ended(queued_at=two_at_night, finished_at=two_at_night)
    assert not verifications.due(two_at_night + timedelta(hours=23))
    assert verifications.due(two_at_night + timedelta(hours=24))


def test_it_is_tried_again_when_none_has_ended_for_a_day(read: World) -> None:
    now = datetime(2026, 1, 10, 3, 30, tzinfo=UTC)
    ended(queued_at=now - timedelta(hours=30), finished_at=now - timedelta(hours=30))
    lost = ended(queued_at=now, finished_at=now, state=Outcome.LOST)
    assert not verifications.due(now + timedelta(minutes=50))
    assert verifications.due(now + timedelta(minutes=61))
    Verification.objects.filter(pk=lost.pk).update(state=Outcome.RUNNING)
    assert not verifications.due(now + timedelta(minutes=61))


def test_the_beat_seals_starts_and_recovers(read: World) -> None:
    old = ended(state=Outcome.RUNNING, active=True, heartbeat_at=timezone.now() - timedelta(seconds=91))
    audit.record(audit.Action.EXPORTED, actor=None, name="a list")
    assert "1 sealed" in tasks.beat()
    old.refresh_from_db()
    assert old.state == Outcome.LOST
    Verification.objects.filter(pk=old.pk).update(queued_at=timezone.now() - timedelta(days=2))
    tasks.beat()
    assert Verification.objects.get(active=True).trigger == "schedule"


def test_a_beat_without_the_key_goes_on(read: World, settings: Any, tmp_path: Path) -> None:
    settings.SIGNING_KEY_FILE = tmp_path / "none.key"
    audit.record(audit.Action.EXPORTED, actor=None, name="a list")
    assert "cannot be read" in tasks.beat()


def test_a_worker_at_a_verification_is_busy(read: World) -> None:
    now = timezone.now()
    row = ended(state=Outcome.RUNNING, worker=runs.holder(7), heartbeat_at=now)
    assert (verifications.at_work(7, now), verifications.at_work(8, now)) == (1, 0)
    assert runs.all_hands_at_work(7, 1 - verifications.at_work(7, now), now)
    Verification.objects.filter(pk=row.pk).update(heartbeat_at=now - timedelta(seconds=95))
    assert verifications.at_work(7, now) == 0


def test_the_command_keeps_what_it_found_and_says_how_much_memory_it_took(read: World, capsys: Any) -> None:
    call_command("verify", "--json")
    told = json.loads(capsys.readouterr().out)
    kept = Verification.objects.get(pk=told["verification"])
    assert (kept.trigger, kept.state, told["ok"]) == ("command", Outcome.PASSED, True)
    assert [line["invariant"] for line in told["lines"]] == [each.name for each in INVARIANTS]
    assert told["memory_mb"] > 10
    assert told["ledger"] == LedgerEntry.objects.count()
    call_command("verify")
    assert "I8   note  1 newest snapshots" in capsys.readouterr().out


# --- pages --------------------------------------------------------------------------------------------------------


def test_the_page_says_each_line_in_words_and_what_cannot_be_proved(manager: Any, read: World) -> None:
    verifications.at_once()
    said = text(manager.get("/integrity/"))
    for each in INVARIANTS:
        assert each.title in said
        assert each.promise in said
    for limit in integrity.LIMITS:
        assert limit.why in said
    assert "No fault found" in said
    [key] = integrity.keys()
    assert key.groups in said
    assert "Signs now" in said


def test_the_security_file_names_the_same_limits() -> None:
    written = " ".join(Path("SECURITY.md").read_text().split())
    for limit in integrity.LIMITS:
        assert limit.title.lower() in written.lower(), limit.title


def test_faults_are_named_with_where_they_lie(manager: Any, read: World) -> None:
    attack("UPDATE connectors_snapshot SET signature = %s", b"")
    found = verifications.at_once()
    said = text(manager.get("/integrity/"))
    assert "The evidence is not in all parts what was recorded" in said
    assert f"{read.workspace.name}, snapshot 1 : The signature is not one of the trusted key" in said
    assert "The signature is not one of" in text(manager.get(f"/integrity/{found.pk}/"))


def test_who_may_have_it_verified(client: Any, people: dict[str, Any], read: World) -> None:
    for role, may in (("Auditor", False), ("Compliance manager", True), ("Administrator", True)):
        client.force_login(people[role])
        assert ("Verify now" in text(client.get("/integrity/"))) is may
        answer = client.post("/integrity/verify/")
        assert answer.status_code == (302 if may else 403)
        Verification.objects.filter(active=True).update(active=None, state=Outcome.LOST)
    assert Verification.objects.count() == 2


def test_asking_twice_starts_one_and_says_so(manager: Any, read: World) -> None:
    assert "will be verified now" in text(manager.post("/integrity/verify/", follow=True))
    assert "was not started twice" in text(manager.post("/integrity/verify/", follow=True))
    assert Verification.objects.count() == 1


def test_live_progress_works_with_and_without_htmx(manager: Any, read: World) -> None:
    row = asked()
    now = timezone.now()
    begun = {"state": Outcome.RUNNING, "started_at": now - timedelta(seconds=10), "heartbeat_at": now}
    Verification.objects.filter(pk=row.pk).update(done=250, expected=1000, **begun)
    page = manager.get("/integrity/")
    assert 'http-equiv="refresh"' in page.content.decode()
    assert "250 of 1,000 steps" in text(page)
    part = manager.get("/integrity/", headers={"HX-Request": "true"})
    assert re.search(r"about 3[0-9] s left", text(part))
    assert "<html" not in part.content.decode()
    verifications.recover(now + timedelta(minutes=5))
    assert manager.get("/integrity/", headers={"HX-Request": "true"})["HX-Refresh"] == "true"
    assert "begins anew" in text(manager.get(f"/integrity/{row.pk}/"))


def test_earlier_verifications_are_filtered_and_paged(manager: Any, people: dict[str, Any], read: World) -> None:
    for _ in range(25):
        ended()
    ended(state=Outcome.LOST, by=people["Administrator"], trigger="person")
    assert "26 verifications" in text(manager.get("/integrity/"))
    assert "1 verification" in text(manager.get("/integrity/?state=lost"))
    assert "1 verification" in text(manager.get("/integrity/?q=administrator"))
    assert "No verification matches" in text(manager.get("/integrity/?q=nobody-at-all"))
    assert "21–26 of 26" in text(manager.get("/integrity/?page=2"))


def test_the_ledger_is_searched_filtered_sorted_and_taken_away(manager: Any, read: World) -> None:
    audit.record(audit.Action.EXPORTED, actor=None, name="=cmd", rows=3)
    audit.record(audit.Action.EXPORTED, actor=None, name="not sealed yet")
    ledger.seal(timezone.now(), most=1)
    said = text(manager.get("/integrity/ledger/"))
    assert "Not sealed yet 1 entry" in said
    assert "rows 3" in said
    assert "connection activated" in text(manager.get("/integrity/ledger/?action=connection+activated"))
    assert "No entry matches" in text(manager.get("/integrity/ledger/?q=no-such-thing"))
    assert "1 entry" in text(manager.get("/integrity/ledger/?q==cmd"))
    first = text(manager.get("/integrity/ledger/?sort=number"))
    assert first.index("connection activated") < first.rindex("exported")
    answer = manager.get("/integrity/ledger/export.csv?q==cmd")
    lines = b"".join(answer.streaming_content).decode().splitlines()
    assert answer["X-Row-Count"] == "1"
    assert "'=cmd" in lines[1]
    assert AuditEntry.objects.filter(action=audit.Action.EXPORTED, target_name="ledger").count() == 1


def test_the_pages_ask_the_same_number_of_queries_whatever_there_is(manager: Any, read: World) -> None:
    def asked_for() -> list[int]:
        counts = []
        for url in ("/", "/integrity/", "/integrity/ledger/"):
            with CaptureQueriesContext(database) as queries:
                manager.get(url)
            counts.append(len(queries))
        return counts

    verifications.at_once()
    ledger.seal_all(timezone.now())
    audit.record(audit.Action.EXPORTED, actor=None, name="a list")
    before = asked_for()
    for _ in range(15):
        ended()
        audit.record(audit.Action.EXPORTED, actor=None, name="a list")
    ledger.seal(timezone.now(), most=10)
    assert asked_for() == before


# --- alarms -------------------------------------------------------------------------------------------------------


def alarms(now: datetime) -> list[str]:
    return [matter.what for matter in integrity.alarms(now)]


def test_the_home_page_is_quiet_while_all_is_well(manager: Any, read: World) -> None:
    verifications.at_once()
    assert not integrity.alarms(timezone.now())


def test_a_failed_verification_is_an_alarm_on_the_home_page(manager: Any, read: World) -> None:
    attack("UPDATE connectors_snapshot SET signature = %s", b"")
    verifications.at_once()
    said = text(manager.get("/"))
    assert re.search(r"The last verification found \d+ faults", said)
    assert "Every snapshot is signed" in said


def test_no_verification_for_two_days_is_an_alarm(read: World) -> None:
    now = timezone.now()
    overdue = "The evidence has not been verified lately"
    assert overdue not in alarms(now)
    assert overdue in alarms(now + timedelta(hours=49))
    ended(finished_at=now)
    assert overdue not in alarms(now + timedelta(hours=47))
    assert overdue in alarms(now + timedelta(hours=49))


def test_entries_that_are_not_sealed_for_an_hour_are_an_alarm(read: World) -> None:
    now = timezone.now()
    audit.record(audit.Action.EXPORTED, actor=None, name="a list", at=now)
    assert "Entries of the audit log are not sealed" not in alarms(now + timedelta(minutes=59))
    assert "Entries of the audit log are not sealed" in alarms(now + timedelta(minutes=61))
