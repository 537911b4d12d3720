"""A person's data goes: found wherever it stands, by two people, sealed first, and shown as a gap ever after."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, transaction
from django.db import connection as database
from django.utils import timezone
from django_q.models import OrmQ

from connectors import locker
from connectors.models import Blob, Change, Erased, Snapshot
from evidence import erasures, reports, searching, verifying
from evidence.library import versions
from evidence.models import Erasure, Stage, Version
from evidence.tasks import erase
from portal import canon, ledger
from portal.models import AuditEntry, LedgerEntry, User
from portal.proving import Counted, Fault
from tests.worlds import World, world

pytestmark = pytest.mark.django_db
WHY = "Request 2026-114"


@pytest.fixture(scope="module")
def read(django_db_setup: None, django_db_blocker: Any) -> Iterator[World]:
    """Two days of a small workspace."""
    with world(django_db_blocker, ("workspace", "data-flow", "people")) as made:
        for day in (0, 3):
            made.simulator.settings.day = day
            assert made.sync().state == "published"
        yield made


@pytest.fixture
def email(read: World) -> str:
    """The address of the first user that the workspace has had."""
    found = next(iter(locker.records(read.workspace.pk, 1, "users")))
    return str(found["email"])


@pytest.fixture
def asked(read: World, people: dict[str, User], email: str) -> Erasure:
    """Asked for by a compliance manager, and searched."""
    made = erasures.ask(email.upper(), WHY, workspace=None, by=people["Compliance manager"], now=timezone.now())
    found = erasures.search(made.pk)
    assert found is not None
    return found


@pytest.fixture
def done(asked: Erasure, people: dict[str, User]) -> Erasure:
    erasures.confirm(asked.pk, by=people["Administrator"], now=timezone.now())
    assert erase(asked.pk) == "erased"
    return Erasure.objects.get(pk=asked.pk)


def proved() -> tuple[list[Fault], Counted]:
    counted = Counted()
    return [fault for fault in verifying.prove(counted, timezone.now()) if fault.grave], counted


def holding(text: str) -> list[bytes]:
    """The addresses of all blobs that hold it, found in another way than the search does."""
    bodies = ((bytes(blob.sha256), locker.envelope_of(blob)) for blob in Blob.objects.exclude(body=b""))
    return [address for address, data in bodies if text.lower().encode() in data.lower()]


# --- the search -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("needle", "text", "found"),
    [
        ("ann@x.com", "Ann@X.com", True),
        ("ann@x.com", "write to <ann@x.com>, please", True),
        ("ann@x.com", "Ask ann@x.com.", True),
        ("ann@x.com", "joann@x.com", False),
        ("ann@x.com", "ann@x.com.au", False),
        ("ann@x.com", "ann@x.community", False),
        ("usr_12345", "owner usr_12345!", True),
        ("usr_12345", "USR_12345", False),
        ("usr_12345", "usr_123456", False),
        ("müller@x.de", "MÜLLER@X.DE", True),
    ],
)
def test_an_address_is_found_in_any_case_and_nobody_elses(needle: str, text: str, found: bool) -> None:
    data = canon.canonical({"data": [{"deep": text}], "names": []})
    assert searching.Needle(needle).within(data) is found


@pytest.mark.parametrize("text", ["", "ann", "Ann Miller", "@x.com", "a b@x.com", "abc", 'x"@y.com', "*@x.com ,"])
def test_what_would_match_others_is_refused(text: str) -> None:
    with pytest.raises(searching.Unfit):
        searching.Needle(text)


def test_all_versions_in_all_streams_are_found(asked: Erasure, email: str, read: World) -> None:
    assert asked.stage == Stage.PROPOSED
    assert sorted(asked.blobs) == sorted(address.hex() for address in holding(email))
    assert sum(asked.counts.values()) == len(asked.blobs) > 0
    assert "users" in asked.counts


def test_what_was_searched_for_is_forgotten(asked: Erasure, email: str) -> None:
    assert Erasure.objects.get(pk=asked.pk).needle is None
    assert email not in str(Erasure.objects.values_list()[0])
    assert asked.hint.startswith(email[0])
    assert "…" in asked.hint


def test_nothing_found_is_said_and_ends_it(read: World, people: dict[str, User]) -> None:
    by = people["Administrator"]
    made = erasures.ask("nobody.at.all@example.org", WHY, workspace=read.workspace, by=by, now=timezone.now())
    found = erasures.search(made.pk)
    assert found is not None
    assert (found.stage, found.found) == (Stage.EMPTY, 0)
    with pytest.raises(erasures.NotPossible) as refused:
        erasures.confirm(made.pk, by=people["Compliance manager"], now=timezone.now())
    assert refused.value.code == "erasure-not-open"


@pytest.mark.parametrize(
    ("needle", "reason", "code"),
    [
        ("Ann Miller", WHY, "erasure-not-a-person"),
        ("ann@x.com", " \n ", "erasure-reason-missing"),
        ("ann@x.com", "x" * 301, "erasure-reason-long"),
        ("ann@x.com", "Mail of ANN@x.com", "erasure-reason-names"),
    ],
)
def test_what_cannot_be_asked_for(people: dict[str, User], needle: str, reason: str, code: str) -> None:
    with pytest.raises(erasures.NotPossible) as refused:
        erasures.ask(needle, reason, workspace=None, by=people["Administrator"], now=timezone.now())
    assert refused.value.code == code
    assert not Erasure.objects.exists()


# --- two people -------------------------------------------------------------------------------------------------


def test_whoever_asked_cannot_confirm(asked: Erasure) -> None:
    with pytest.raises(erasures.NotPossible) as refused:
        erasures.confirm(asked.pk, by=asked.asked_by, now=timezone.now())
    assert refused.value.code == "erasure-same-person"
    assert not Erased.objects.exists()
    with pytest.raises(IntegrityError), transaction.atomic():
        Erasure.objects.filter(pk=asked.pk).update(stage=Stage.CONFIRMED, decided_by=asked.asked_by, audit=1)


def test_of_two_who_decide_at_once_one_does(asked: Erasure, people: dict[str, User]) -> None:
    """Somebody withdraws it between the moment when the second has read it and when they write."""
    rivals = iter([f"UPDATE evidence_erasure SET stage = 'withdrawn' WHERE id = {asked.pk}"])

    def between(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.startswith('UPDATE "evidence_erasure"') and (rival := next(rivals, "")):
            context["cursor"].execute(rival)
        return execute(sql, params, many, context)

    with database.execute_wrapper(between), pytest.raises(erasures.NotPossible) as refused:
        erasures.confirm(asked.pk, by=people["Administrator"], now=timezone.now())
    assert refused.value.code == "erasure-not-open"
    assert not Erased.objects.exists()
    assert not AuditEntry.objects.filter(action="data erased").exists()


def test_a_withdrawn_one_erases_nothing(asked: Erasure, people: dict[str, User]) -> None:
    erasures.withdraw(asked.pk, by=people["Administrator"], now=timezone.now())
    for verb in (erasures.confirm, erasures.withdraw):
        with pytest.raises(erasures.NotPossible):
            verb(asked.pk, by=people["Administrator"], now=timezone.now())
    assert not erasures.carry_out(asked.pk, timezone.now())
    assert not Blob.objects.filter(body=b"").exists()


# --- what has gone ----------------------------------------------------------------------------------------------


def test_bytes_go_and_everything_else_still_proves(done: Erasure, email: str) -> None:
    assert done.stage == Stage.DONE
    assert not holding(email)
    faults, counted = proved()
    assert not faults
    assert counted.erased >= len(done.blobs)
    entry = LedgerEntry.objects.get(audit=done.audit or 0)
    said = ledger.detail_of(entry)
    assert (entry.actor_name, said["asked_by"]) == ("administrator", "compliance-manager")
    assert said["reason"] == WHY
    assert said["records"] == len(done.blobs)


def test_a_record_that_is_gone_is_a_gap_and_never_an_absence(done: Erasure, read: World) -> None:
    snapshot = Snapshot.objects.get(workspace=read.workspace, seq=1)
    document = reports.document(snapshot, "people")
    number = LedgerEntry.objects.get(audit=done.audit or 0).number
    assert any(f"erased under ledger entry {number}" in gap for gap in document.gaps), document.gaps
    assert any(gap.startswith("Users: 1 record was erased") for gap in document.gaps)
    view = reports.SnapshotView(snapshot, read.connection.workspace and _connector(snapshot))
    assert view.count("users") == len(list(view.records("users"))) + 1


def _connector(snapshot: Snapshot) -> Any:
    from connectors import registry

    return registry.get(snapshot.workspace.connector)


def test_a_kept_report_that_names_the_person_goes_too(
    read: World, people: dict[str, User], email: str, client: Any
) -> None:
    now, snapshot = timezone.now(), Snapshot.objects.get(workspace=read.workspace, seq=1)
    kept = versions.capture(snapshot, "people", title="Before", by=people["Auditor"], now=now)
    made = erasures.ask(email, WHY, workspace=None, by=people["Compliance manager"], now=now)
    assert getattr(erasures.search(made.pk), "artifacts") == [kept.pk]  # noqa: B009
    erasures.confirm(made.pk, by=people["Administrator"], now=now)
    assert erase(made.pk) == "erased"
    assert bytes(Version.objects.get(pk=kept.pk).body) == b""
    assert not proved()[0]
    client.force_login(people["Auditor"])
    page = client.get(f"/artifacts/{kept.artifact_id}/").content.decode()
    assert "The content of this artifact was erased under ledger entry" in page
    assert "Damaged" not in page
    assert email not in page
    answer = client.get(f"/artifacts/{kept.artifact_id}/export.json")
    assert "export-erased" in answer.content.decode()


def test_who_is_gone_is_not_kept_again_unless_something_changed(done: Erasure, read: World, email: str) -> None:
    assert read.sync().state == "published"
    assert not holding(email)
    assert not proved()[0]
    snapshot = Snapshot.objects.get(workspace=read.workspace, seq=3)
    assert reports.erased(snapshot, ["users"])
    [old] = Change.objects.filter(sha256=bytes.fromhex(done.blobs[0])).order_by("seq")[:1]
    record = {"id": old.key, "email": email, "name": "Changed"}
    [new] = locker.seal(str(read.workspace.uid), old.stream, "p", [(old.key, record)])
    assert new.body


# --- killed at each step ----------------------------------------------------------------------------------------


def test_nothing_goes_before_the_ledger_has_sealed_why(
    asked: Erasure, people: dict[str, User], settings: Any, tmp_path: Any, email: str
) -> None:
    erasures.confirm(asked.pk, by=people["Administrator"], now=timezone.now())
    kept, settings.SIGNING_KEY_FILE = settings.SIGNING_KEY_FILE, tmp_path / "none.key"
    assert "waits" in erase(asked.pk)
    assert holding(email)
    with pytest.raises(locker.NotSealed):
        locker.erase(Erasure.objects.get(pk=asked.pk).audit or 0)
    settings.SIGNING_KEY_FILE = kept
    assert erase(asked.pk) == "erased"
    assert not holding(email)


def test_an_erasure_that_was_killed_goes_on(
    asked: Erasure, people: dict[str, User], email: str, monkeypatch: Any
) -> None:
    now = timezone.now()
    erasures.confirm(asked.pk, by=people["Administrator"], now=now)
    monkeypatch.setattr("connectors.locker.erasing.STEP", 1)
    audit = Erasure.objects.get(pk=asked.pk).audit or 0
    ledger.seal_all(now)
    assert locker.erase(audit, most=1) == 1  # and then its worker is gone
    faults, counted = proved()
    assert not faults
    assert counted.erased >= 1
    before = OrmQ.objects.count()
    assert erasures.recover(now + timedelta(seconds=30)) == 0
    assert erasures.recover(now + timedelta(seconds=91)) == 1
    assert erasures.recover(now + timedelta(seconds=92)) == 0
    assert OrmQ.objects.count() == before + 1
    assert erase(asked.pk) == "erased"
    assert not holding(email)


def test_a_search_that_was_killed_begins_anew(read: World, people: dict[str, User], email: str) -> None:
    now = timezone.now()
    made = erasures.ask(email, WHY, workspace=read.workspace, by=people["Administrator"], now=now)
    Erasure.objects.filter(pk=made.pk).update(done=3)
    assert erasures.recover(now + timedelta(seconds=91)) == 1
    assert getattr(erasures.search(made.pk), "stage") == Stage.PROPOSED  # noqa: B009
    assert erasures.search(made.pk) is None


def test_bytes_that_came_back_with_an_older_database_go_again(done: Erasure, email: str, monkeypatch: Any) -> None:
    address = bytes.fromhex(done.blobs[0])
    row = Change.objects.filter(sha256=address)[0]
    back = [(row.key, {"email": email})]
    [sealed] = locker.seal(str(row.workspace.uid), row.stream, "p", back)
    _run("UPDATE connectors_blob SET body = %s WHERE sha256 = %s", sealed.body, address)
    assert erasures.replay(timezone.now()) == 1
    assert bytes(Blob.objects.get(pk=address).body) == b""
    assert erasures.replay(timezone.now()) == 0


# --- what the database lets through -----------------------------------------------------------------------------


def _run(sql: str, *values: Any) -> int:
    with database.cursor() as cursor:
        cursor.execute(sql, values)
        return int(cursor.rowcount)


@pytest.mark.parametrize(
    "change",
    ["body = %s", "size = 0, body = ''", "codec = 'none'", "sha256 = %s"],
    ids=["edit", "size", "codec", "address"],
)
def test_the_database_lets_bytes_go_and_nothing_else(read: World, change: str) -> None:
    values = (b"forged",) if "%s" in change else ()
    with pytest.raises(DatabaseError), transaction.atomic():
        _run(f"UPDATE connectors_blob SET {change}", *values)
    with pytest.raises(DatabaseError), transaction.atomic():
        _run("DELETE FROM connectors_blob")
    with pytest.raises(canon.WrittenOnce):
        Change.objects.erase()
    with pytest.raises(canon.WrittenOnce):
        Blob.objects.update(body=b"")
    assert not canon.unguarded(database)[0]


def test_bytes_that_go_without_an_entry_are_a_fault(read: World) -> None:
    assert Blob.objects.filter(pk=bytes(Change.objects.filter(stream="users")[0].sha256 or b"")).erase() == 1
    assert {fault.invariant for fault in proved()[0]} == {"I11"}
    with pytest.raises(locker.Unpackable):
        list(locker.records(read.workspace.pk, 1, "users"))


def test_an_address_put_into_the_list_excuses_nothing(done: Erasure, read: World) -> None:
    """The entry has signed the digest of its list: with one more in it, it excuses none of them."""
    assert done.audit is not None
    other = bytes(Change.objects.filter(stream="sources")[0].sha256 or b"")
    Erased.objects.create(sha256=other, audit=done.audit, forever=True)
    Blob.objects.filter(pk=other).erase()
    assert {fault.invariant for fault in proved()[0]} == {"I11"}


# --- nowhere in clear ---------------------------------------------------------------------------------------------


def test_the_person_stands_nowhere_in_clear(
    read: World, people: dict[str, User], email: str, client: Any, caplog: Any
) -> None:
    client.force_login(people["Compliance manager"])
    answer = client.post("/erasure/", {"needle": email, "reason": WHY, "workspace": ""})
    assert answer.status_code == 302
    assert email not in answer["Location"]
    row = Erasure.objects.get()
    with database.cursor() as cursor:
        cursor.execute("SELECT needle FROM evidence_erasure")
        assert email.encode() not in bytes(cursor.fetchone()[0])
    assert not any(email in task.payload for task in OrmQ.objects.all())
    erasures.search(row.pk)
    for page in ("/erasure/", f"/erasure/{row.pk}/"):
        assert "Erase for good" not in client.get(page).content.decode()
    client.force_login(people["Administrator"])
    assert "Erase for good" in client.get(f"/erasure/{row.pk}/").content.decode()
    assert client.post(f"/erasure/{row.pk}/confirm/").status_code == 302
    assert erase(row.pk) == "erased"
    said = [*map(str, AuditEntry.objects.values()), *(bytes(e.body).decode() for e in LedgerEntry.objects.all())]
    said += [caplog.text, client.get("/erasure/").content.decode(), client.get("/integrity/").content.decode()]
    said += [client.get(f"/erasure/{row.pk}/").content.decode()]
    assert not [text for text in said if email in text and "invites" not in text.lower()]


def test_refusals_are_shown_beside_the_input(people: dict[str, User], read: World, client: Any) -> None:
    client.force_login(people["Administrator"])
    answer = client.post("/erasure/", {"needle": "Ann", "reason": "x"})
    assert 'href="/help/erasure-not-a-person/"' in answer.content.decode()
    client.force_login(people["Auditor"])
    assert "Find a person" not in client.get("/erasure/").content.decode()
    assert client.post("/erasure/", {"needle": "ann@x.com", "reason": "x"}).status_code == 403


def test_whoever_asked_is_told_on_the_page(asked: Erasure, client: Any) -> None:
    client.force_login(asked.asked_by)
    answer = client.post(f"/erasure/{asked.pk}/confirm/")
    assert answer.status_code == 409
    assert 'href="/help/erasure-same-person/"' in answer.content.decode()
    assert client.post(f"/erasure/{asked.pk}/withdraw/").status_code == 302
    assert "Withdrawn" in client.get(f"/erasure/{asked.pk}/").content.decode()
