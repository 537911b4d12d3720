"""Audits: what counts, what auditors may do and see, what is frozen, and the zip that is taken away."""

import hashlib
import io
import json
import re
import zipfile
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from itertools import product
from typing import Any

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from evidence import comments
from evidence.audits import asking, bundles, counting, freezing, life, lists, packing
from evidence.audits.refusing import NotPossible
from evidence.audits.waiting import matters, standing
from evidence.library import store, versions
from evidence.library.standing import new_artifact, sum_up
from evidence.models import (
    Asked,
    Audit,
    AuditRequest,
    Bundle,
    Control,
    Erasure,
    EvidenceItem,
    Framework,
    Kind,
    Notice,
    Phase,
    Review,
    Scoped,
    Source,
    State,
    Version,
)
from portal.models import AuditEntry, User

from .clocks import Skipping
from .test_door import ALL

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
YEAR = (date(2026, 1, 1), date(2026, 12, 31))
HOSTILE = "<script>alert(1)</script>\u202etxt.exe"


@pytest.fixture(autouse=True)
def folder(settings: Any, tmp_path: Any) -> None:
    settings.DATA_DIR = tmp_path


@pytest.fixture
def framework(db: None) -> Framework:
    made = Framework.objects.create(slug="own", title="Own rules", origin="imported")
    rows = [("A1", "A", False), ("A2", "A", False), ("P1", "P", True)]
    for number, (ref, series, optional) in enumerate(rows):
        Control.objects.create(
            framework=made, ref=ref, title=f"Rule {ref}", series=series, optional=optional, position=number
        )
    return made


@pytest.fixture
def manager(people: dict[str, User]) -> User:
    return people["Compliance manager"]


@pytest.fixture
def outside(people: dict[str, User]) -> User:
    return people["External auditor"]


@pytest.fixture
def audit(framework: Framework, manager: User, outside: User) -> Audit:
    """An open audit of 2026 that names an external auditor."""
    said = life.Plan(title="SOC 2 2026", period=YEAR, lead=manager, frameworks=(framework,), auditors=(outside,))
    made = life.plan(said, by=manager, now=NOW)
    life.begin(made, by=manager, now=NOW)
    return Audit.objects.get(pk=made.pk)


Uploads = Callable[..., Version]


@pytest.fixture
def upload(manager: User) -> Uploads:
    """A file in the library that stands as its reviewers said, linked to controls."""

    def once(
        data: bytes = b"hello",
        *,
        refs: str = "",
        state: State = State.ACCEPTED,
        period: tuple[date | None, date | None] = (date(2026, 2, 1), date(2026, 2, 28)),
        name: str = "list.txt",
        title: str = "A list",
    ) -> Version:
        kept = store.put([data])
        values = {"sha256": kept.sha256, "size": kept.size, "media": "text/plain", "source": Source.UPLOAD}
        values |= {"period_from": period[0], "period_to": period[1], "collected_at": NOW, "received_at": NOW}
        values["name"] = name
        owned = {"kind": Kind.FILE, "owner": manager}
        artifact = new_artifact(owned, values, title=title, now=NOW)
        version = versions.add(artifact, values | {"body": b"", "stored": True}, title=title, by=manager)
        artifact.controls.set(Control.objects.filter(ref__in=refs.split()))
        judge(version, state, manager)
        return version

    return once


def judge(version: Version, state: State, by: User) -> None:
    Review.objects.filter(version=version).update(state=state, decided_by=by, decided_at=NOW, reason="x")
    sum_up(version.artifact)


def ask(audit: Audit, by: User, **more: Any) -> AuditRequest:
    return asking.ask(audit, asking.Wish(title="The list of people", **more), by=by, now=NOW)


def pages(client: Any, person: User, url: str) -> Any:
    client.force_login(person)
    return client.get(url)


# --- what counts ------------------------------------------------------------------------------------------------

DAYS = [None, date(2025, 12, 31), date(2026, 1, 1), date(2026, 12, 31), date(2027, 1, 1)]


def test_a_period_counts_when_it_touches_the_audit() -> None:
    def counts(first: date | None, last: date | None, collected: date = date(2020, 1, 1)) -> bool:
        return counting.overlaps(first, last, collected, *YEAR)

    assert counts(date(2025, 1, 1), date(2026, 1, 1))
    assert counts(date(2026, 12, 31), date(2027, 5, 1))
    assert counts(date(2025, 1, 1), date(2028, 1, 1))
    assert counts(None, date(2026, 1, 1))
    assert counts(date(2026, 12, 31), None)
    assert not counts(date(2025, 1, 1), date(2025, 12, 31))
    assert not counts(date(2027, 1, 1), None)
    assert counts(None, None, date(2026, 12, 31))
    assert not counts(None, None, date(2025, 12, 31))


def test_the_database_counts_as_the_rule_says(audit: Audit, upload: Uploads) -> None:
    for first, last in product(DAYS, DAYS):
        if first is None or last is None or first <= last:
            upload(period=(first, last), title=f"{first} {last}")
    found = {each.title for each in Version.objects.filter(counting.within(audit))}
    wanted = {
        each.title
        for each in Version.objects.all()
        if counting.overlaps(each.period_from, each.period_to, timezone.localdate(each.collected_at), *YEAR)
    }
    assert found == wanted
    assert 0 < len(found) < Version.objects.count()


def test_a_control_is_supported_by_what_was_accepted(audit: Audit, upload: Uploads) -> None:
    for state in State:
        upload(refs="A1", state=state, title=state)
    upload(refs="A1", period=(date(2025, 1, 1), date(2025, 2, 1)), title="another year")
    upload(refs="P1", title="not in scope")
    held = counting.by_control(audit)
    a1 = Control.objects.get(ref="A1")
    assert {each.title for each in held[a1.pk].versions} == {"accepted", "superseded", "expired"}
    assert held[a1.pk].waiting == 2
    assert set(held) == {a1.pk}
    assert held[a1.pk].mark(YEAR[1]).word == "Supported"
    assert counting.Support().mark(YEAR[1]).word == "Missing"


# --- its life -----------------------------------------------------------------------------------------------------


def test_optional_series_are_out_until_they_are_chosen(audit: Audit, manager: User) -> None:
    inside = set(Scoped.objects.filter(audit=audit, within=True).values_list("control__ref", flat=True))
    assert inside == {"A1", "A2"}
    a1, p1 = (Control.objects.get(ref=ref).pk for ref in ("A1", "P1"))
    with pytest.raises(NotPossible, match="Say why A1"):
        life.scope(audit, {a1: (False, " ")}, by=manager, now=NOW)
    assert life.scope(audit, {a1: (False, "No office"), p1: (True, "")}, by=manager, now=NOW) == 2
    assert life.scope(audit, {a1: (False, "No office"), p1: (True, "")}, by=manager, now=NOW) == 0
    copied = life.copy(audit, by=manager, now=NOW)
    assert (copied.period_from, copied.phase) == (date(2027, 1, 1), Phase.PLANNED)
    assert Scoped.objects.get(audit=copied, control=a1).reason == "No office"


def test_what_cannot_be_an_audit_is_said_beside_its_field(people: dict[str, User], manager: User) -> None:
    good = {"title": "x", "period": YEAR, "lead": manager}
    for more, field in (
        ({"title": " "}, "title"),
        ({"period": YEAR[::-1]}, "period_to"),
        ({"period": (date(2020, 1, 1), YEAR[1])}, "period_to"),
        ({"auditors": (people["Nobody"],)}, "auditors"),
    ):
        with pytest.raises(NotPossible) as refused:
            life.Plan(**(good | more)).check()  # type: ignore[arg-type]
        assert refused.value.field == field


def test_each_verb_leaves_one_line(audit: Audit, manager: User) -> None:
    said = list(AuditEntry.objects.filter(target=f"audit {audit.pk}").order_by("pk").values_list("action", flat=True))
    assert said == ["audit changed", "audit opened"]
    with pytest.raises(NotPossible, match="open already"):
        life.begin(audit, by=manager, now=NOW)


# --- requests -----------------------------------------------------------------------------------------------------


def test_the_table_of_states() -> None:
    moves = {(verb, state): asking.after(verb, state) for verb in asking.Verb for state in Asked}
    assert {key for key, made in moves.items() if made} == {
        *((asking.Verb.ANSWER, state) for state in (Asked.OPEN, Asked.RETURNED, Asked.ANSWERED)),
        (asking.Verb.TAKE_BACK, Asked.ANSWERED),
        (asking.Verb.ACCEPT, Asked.ANSWERED),
        (asking.Verb.RETURN, Asked.ANSWERED),
        (asking.Verb.RETURN, Asked.ACCEPTED),
        *((asking.Verb.WITHDRAW, state) for state in (Asked.OPEN, Asked.RETURNED, Asked.ANSWERED)),
    }
    assert standing(Asked.OPEN, True).word == "Overdue"
    assert standing(Asked.ANSWERED, True).word == "Answered"


def test_reminders_come_at_seven_one_and_no_days() -> None:
    due = date(2026, 6, 30)
    said = {left: asking.warning(due, due - timedelta(days=left)) for left in (9, 8, 7, 6, 2, 1, 0, -5)}
    assert said == {9: None, 8: None, 7: 7, 6: 7, 2: 7, 1: 1, 0: 0, -5: 0}


def test_each_is_reminded_once(audit: Audit, manager: User, outside: User) -> None:
    ask(audit, outside, due_on=date(2026, 6, 20))
    for day in range(13, 25):
        for _ in range(2):
            asking.remind(datetime(2026, 6, day, 9, tzinfo=UTC))
    told = Notice.objects.filter(person=manager, key__startswith="due")
    assert sorted(each.text.split(":")[0] for each in told) == [
        "Due today or overdue",
        "Due tomorrow",
        "Due within 7 days",
    ]


def test_an_answer_is_seen_once_it_was_accepted(
    audit: Audit, manager: User, outside: User, upload: Uploads, client: Any
) -> None:
    row, draft = ask(audit, outside), upload(state=State.DRAFT, title="Secret draft")
    assert asking.answer(row, [draft], by=manager, now=NOW) == 1
    assert asking.answer(row, [draft], by=manager, now=NOW) == 0
    page = pages(client, outside, f"/audits/{audit.pk}/requests/1/").content.decode()
    assert "Secret draft" not in page
    assert "1 answer waits until somebody inside accepts it" in page
    with pytest.raises(NotPossible, match="accepted inside"):
        asking.accept(row, by=outside, now=NOW)
    assert not Notice.objects.filter(person=outside).exists()
    judge(draft, State.ACCEPTED, manager)
    for _ in range(2):
        asking.tell_ready(NOW)
    assert Notice.objects.filter(person=outside).count() == 1
    assert "Secret draft" in client.get(f"/audits/{audit.pk}/requests/1/").content.decode()
    asking.accept(row, by=outside, now=NOW)
    asking.give_back(row, "Another month", by=outside, now=NOW)
    asking.answer(row, [upload(b"other")], by=manager, now=NOW)
    asking.take_back(row, draft.pk, by=manager, now=NOW)
    assert AuditRequest.objects.get(pk=row.pk).state == Asked.ANSWERED
    assert [each.what for each in matters(outside, NOW)] == [str(row)]
    assert matters(manager, NOW) == []


def test_requests_come_and_go_as_csv(audit: Audit, outside: User, client: Any) -> None:
    with pytest.raises(NotPossible, match="Line 3: Z9"):
        lists.take(audit, b"Title,Controls\nOne,A1\nTwo,Z9\n", by=outside, now=NOW)
    assert not AuditRequest.objects.exists()
    data = "\ufeffTitle;Controls;Due\r\nOne;A1 a2;2026-07-01\r\n=cmd();;\r\n".encode()
    client.force_login(outside)
    answer = client.post(f"/audits/{audit.pk}/requests/import/", {"file": io.BytesIO(data)})
    assert answer.status_code == 302
    first = AuditRequest.objects.get(number=1)
    assert (first.due_on, first.controls.count()) == (date(2026, 7, 1), 2)
    said = b"".join(client.get(f"/audits/{audit.pk}/requests/export.csv").streaming_content).decode()
    assert "One" in said
    assert "'=cmd()" in said
    refused = client.post(f"/audits/{audit.pk}/requests/import/", {"file": io.BytesIO(b"\xff\xfe")})
    assert "not a CSV in UTF-8" in refused.content.decode()


@pytest.mark.parametrize("data", [b"", b"Name\nx\n", b"Title,Due\nx,31.3.2026\n", b"Title,Due\nx,2026-02-31\n"])
def test_a_list_that_cannot_be_read_changes_nothing(audit: Audit, outside: User, data: bytes) -> None:
    with pytest.raises(NotPossible) as refused:
        lists.take(audit, data, by=outside, now=NOW)
    assert refused.value.code == "request-csv"
    assert not AuditRequest.objects.exists()


# --- who sees what ------------------------------------------------------------------------------------------------

OPEN_TO_ALL = re.compile(r"^/(sign-in|sign-out|account|help|notices|admin/(login|logout|jsi18n|password))")


@pytest.mark.parametrize("own", [True, False], ids=["their audit", "another's audit"])
def test_an_external_auditor_sees_their_audit_and_nothing_else(
    client: Any, outside: User, audit: Audit, upload: Uploads, own: bool
) -> None:
    """Walks every address of the portal, with the numbers that the audit really has."""
    version, hidden = upload(refs="A1", title="Shown"), upload(b"draft", refs="A1", state=State.DRAFT, title="Hidden")
    ask(audit, audit.lead)
    if not own:
        audit.auditors.clear()
    client.force_login(outside)
    control = Control.objects.get(ref="A1").pk
    seen = []
    for url in ALL:
        real = url.replace("/audits/1/", f"/audits/{audit.pk}/").replace("/versions/1/", f"/versions/{version.pk}/")
        real = real.replace("/controls/1/", f"/controls/{control}/")
        answer = client.get(real)
        if OPEN_TO_ALL.match(real):
            continue
        if answer.status_code == 200:
            seen.append(real)
            said = answer.content if not answer.streaming else b""
            assert b"Hidden" not in said, real
            assert own or real == "/audits/"
        else:
            ours = ("/audits/", f"/audits/{audit.pk}/")
            assert (
                answer.status_code in {403, 404, 405}
                or answer["Location"] in (*ours, "/sign-in/")
                or (real.startswith("/admin/") and "/admin/login/" in answer["Location"])
            ), real
    at = f"/audits/{audit.pk}/"
    wanted = {"", "scope/", "requests/", "requests/1/", f"controls/{control}/", f"versions/{version.pk}/"}
    wanted |= {"requests/export.csv", f"versions/{version.pk}/file"}
    assert set(seen) == ({at + each for each in wanted} | {"/audits/"} if own else {"/audits/"})
    assert client.get(f"{at}versions/{hidden.pk}/").status_code == 404
    assert client.get("/")["Location"] == "/audits/"


def test_membership_ends_at_once_and_a_planned_audit_is_not_seen(
    client: Any, audit: Audit, manager: User, outside: User
) -> None:
    url = f"/audits/{audit.pk}/"
    assert pages(client, outside, url).status_code == 200
    life.dismiss(audit, outside, by=manager, now=NOW)
    assert client.get(url).status_code == 404
    assert client.post(f"{url}requests/", {"title": "x"}).status_code == 404
    copied = life.copy(audit, by=manager, now=NOW)
    copied.auditors.add(outside)
    assert client.get(f"/audits/{copied.pk}/").status_code == 404


def test_a_mention_tells_nobody_of_an_audit_that_they_do_not_see(audit: Audit, manager: User, outside: User) -> None:
    row = ask(audit, manager)
    comments.add(row, "@external-auditor look", by=manager, now=NOW)
    assert Notice.objects.filter(person=outside).count() == 1
    audit.auditors.clear()
    comments.add(row, "@external-auditor look again", by=manager, now=NOW)
    assert Notice.objects.filter(person=outside).count() == 1


def test_who_may_do_what_with_a_request(
    client: Any, people: dict[str, User], audit: Audit, manager: User, upload: Uploads
) -> None:
    row, at = ask(audit, manager), f"/audits/{audit.pk}/requests/1/"
    asking.answer(row, [upload()], by=manager, now=NOW)
    for role, verb in (
        ("External auditor", "answer"),
        ("External auditor", "assign"),
        ("External auditor", "take-back"),
        ("Auditor", "accept"),
        ("Compliance manager", "accept"),
        ("Auditor", "withdraw"),
    ):
        client.force_login(people[role])
        assert client.post(f"{at}{verb}/", {"version": "1"}).status_code == 403, (role, verb)
    audit.auditors.add(people["Auditor"])
    client.force_login(people["Auditor"])
    refused = client.post(f"{at}return/", {"reason": " "})
    assert refused.status_code == 409
    assert "/help/request-reason/" in refused.content.decode()
    assert client.post(f"{at}comment/", {"text": "Thanks"}).status_code == 302
    assert client.post(f"{at}accept/").status_code == 302
    assert client.post(f"{at}nonsense/").status_code == 404
    assert AuditRequest.objects.get(pk=row.pk).state == Asked.ACCEPTED


def test_pages_plan_scope_and_close(client: Any, framework: Framework, manager: User) -> None:
    client.force_login(manager)
    form = {"title": "New", "period_from": "2026-12-31", "period_to": "2026-01-01", "lead": manager.pk}
    refused = client.post("/audits/new/", form | {"frameworks": framework.pk}).content.decode()
    assert "ends before it begins" in refused
    assert 'value="New"' in refused
    made = client.post("/audits/new/", form | {"period_to": "2027-01-01", "frameworks": framework.pk})
    at = f"/audits/{Audit.objects.get().pk}/"
    assert made["Location"] == f"{at}scope/"
    client.post(f"{at}scope/", {"series": "own P", "into": "in"})
    assert Scoped.objects.filter(within=True).count() == 3
    nothing = client.post(f"{at}scope/", {"within": []})
    assert "Nothing was changed" in nothing.content.decode()
    client.post(f"{at}open/")
    assert "Controls in scope without evidence" in client.get(f"{at}close/").content.decode()
    assert "/help/audit-warnings/" in client.post(f"{at}close/").content.decode()
    assert client.post(f"{at}close/", {"acknowledged": "1"})["Location"] == at
    assert Audit.objects.get().phase == Phase.CLOSED
    assert "This audit is closed" in client.post(f"{at}change/", form | {"period_to": "2027-01-01"}).content.decode()


def test_pages_ask_the_same_for_many_as_for_few(
    client: Any, audit: Audit, outside: User, upload: Uploads, framework: Framework
) -> None:
    upload(refs="A1 A2")
    ask(audit, outside)
    at = f"/audits/{audit.pk}/"
    urls = ["/audits/", at, f"{at}scope/", f"{at}requests/", f"{at}requests/1/"]

    def asked(url: str) -> int:
        pages(client, outside, url)
        with CaptureQueriesContext(database) as queries:
            assert client.get(url).status_code == 200
        return len(queries)

    few = [asked(url) for url in urls]
    for number in range(8):
        ref = f"B{number}"
        Control.objects.create(framework=framework, ref=ref, title=ref, position=10 + number)
        upload(str(number).encode(), refs=f"A1 {ref}")
        ask(audit, outside)
    life.change(audit, _same(audit), by=audit.lead, now=NOW)
    assert [asked(url) for url in urls] == few
    assert max(few) < 30


def _same(audit: Audit) -> life.Plan:
    return life.Plan(
        title=audit.title,
        period=(audit.period_from, audit.period_to),
        lead=audit.lead,
        frameworks=tuple(audit.frameworks.all()),
        auditors=tuple(audit.auditors.all()),
    )


# --- the end, and the zip -----------------------------------------------------------------------------------------


@pytest.fixture
def closed(audit: Audit, manager: User, outside: User, upload: Uploads) -> Audit:
    """Closed with a file for two controls and a request, one with a hostile name, and one whose bytes are missing."""
    twice = upload(b"for two", refs="A1 A2", title="For two")
    upload(b"<b>bad</b>", refs="A1", title=HOSTILE, name=f"../../{HOSTILE}.HTML")
    lost = upload(b"lost", refs="A2", title="Lost")
    upload(b"draft", refs="A2", state=State.DRAFT, title="Draft")
    row = ask(audit, outside, detail=HOSTILE)
    asking.answer(row, [twice, upload(b"not yet", state=State.DRAFT, title="Not yet")], by=manager, now=NOW)
    store.remove(lost.sha256)
    freezing.close(audit, by=manager, now=NOW, acknowledged=True)
    return Audit.objects.select_related("closed_by").get(pk=audit.pk)


def packed(audit: Audit) -> bytes:
    aside = io.BytesIO()
    packing.pack(audit, aside)
    return aside.getvalue()


def test_the_set_is_frozen_signed_and_does_not_follow_the_library(
    closed: Audit, manager: User, outside: User, upload: Uploads, client: Any
) -> None:
    items = list(EvidenceItem.objects.filter(audit=closed))
    assert len(items) == 5
    entry = AuditEntry.objects.get(action="audit closed")
    assert entry.detail == {"items": 5, "digest": freezing.digest(items)}
    assert freezing.digest(reversed(items)) == entry.detail["digest"]
    later = upload(b"later", refs="A1", title="Later")
    assert "Later" not in pages(client, outside, f"/audits/{closed.pk}/").content.decode()
    assert client.get(f"/audits/{closed.pk}/versions/{later.pk}/").status_code == 404
    assert client.get(f"/audits/{closed.pk}/versions/{items[0].version_id}/").status_code == 200
    for verb in (
        lambda: life.change(closed, _same(closed), by=manager, now=NOW),
        lambda: life.scope(closed, {}, by=manager, now=NOW),
        lambda: ask(closed, outside),
        lambda: asking.withdraw(AuditRequest.objects.get(), by=outside, now=NOW),
        lambda: freezing.close(closed, by=manager, now=NOW, acknowledged=True),
    ):
        with pytest.raises(NotPossible) as refused:
            verb()
        assert refused.value.code == "audit-closed"


def test_the_zip_is_the_same_each_time_and_proves_itself(closed: Audit) -> None:
    data = packed(closed)
    assert data == packed(closed)
    held = zipfile.ZipFile(io.BytesIO(data))
    assert held.testzip() is None
    names = held.namelist()
    assert len(names) == len(set(names))
    sums = dict(line.split("  ")[::-1] for line in held.read("SHA256SUMS").decode().splitlines())
    assert set(sums) == set(names) - {"SHA256SUMS"}
    for name, digest in sums.items():
        assert hashlib.sha256(held.read(name)).hexdigest() == digest
        assert re.fullmatch(r"[A-Za-z0-9_./-]+", name)
        assert ".." not in name
    two = hashlib.sha256(b"for two").hexdigest()
    assert names.count(f"files/{two}.txt") == 1
    index = held.read("index.html").decode()
    assert index.count(f'href="files/{two}.txt"') == 3
    assert "<script" not in index
    assert "\u202e" not in index
    manifest = json.loads(held.read("manifest.json"))
    [gone] = manifest["omissions"]
    assert (gone["title"], gone["reason"]) == ("Lost", "Not here: Its file is not in the store.")
    assert gone["reason"] in index
    assert {each["name"] for each in manifest["files"]} == set(names) - {"SHA256SUMS", "manifest.json"}
    assert "Not yet" not in index
    for name in ("Draft", "Not yet"):
        assert name.encode() not in held.read("controls.csv")


def test_damaged_bytes_are_named_and_left_out(closed: Audit, settings: Any) -> None:
    digest = hashlib.sha256(b"for two").hexdigest()
    (settings.DATA_DIR / "files" / digest[:2] / digest[2:]).write_bytes(b"forged!")
    held = zipfile.ZipFile(io.BytesIO(packed(closed)))
    assert f"files/{digest}.txt" not in held.namelist()
    assert "does not hash to its digest" in held.read("index.html").decode()


def test_a_zip_is_made_once_at_a_time_and_handed_to_members(closed: Audit, outside: User, client: Any) -> None:
    client.force_login(outside)
    at = f"/audits/{closed.pk}/zip/"
    assert client.post(at).status_code == 302
    assert not bundles.request(closed, by=outside, now=NOW)
    live = client.get(at, headers={"HX-Request": "true"}).content.decode()
    assert "waits for the worker" in live
    assert "<html" not in live
    made = bundles.perform(Bundle.objects.get().pk, Skipping())
    assert made is not None
    assert (made.state, made.active, made.done) == ("made", None, 4 - 1)
    assert bundles.perform(made.pk) is None
    assert made.sha256 in client.get(at).content.decode()
    answer = client.get(f"{at}{made.pk}/file")
    assert hashlib.sha256(b"".join(answer.streaming_content)).hexdigest() == made.sha256
    assert AuditEntry.objects.get(action="evidence set packed").detail["sha256"] == made.sha256
    closed.auditors.remove(outside)
    assert client.get(f"{at}{made.pk}/file").status_code == 404


def test_a_zip_whose_worker_was_killed_is_made_by_another(closed: Audit, manager: User, monkeypatch: Any) -> None:
    class Killed(BaseException):
        pass

    clock = Skipping()
    bundles.request(closed, by=manager, now=clock.now())
    pk = Bundle.objects.get().pk
    Bundle.objects.filter(pk=pk).update(state="running", heartbeat_at=clock.now(), done=1)  # and its worker is gone
    assert bundles.recover(clock.now() + timedelta(seconds=100)) == 0
    assert bundles.recover(clock.now() + timedelta(seconds=200)) == 1
    assert bundles.recover(clock.now() + timedelta(seconds=201)) == 0
    slow = Bundle.objects.get(pk=pk)
    slow.heartbeat_at = clock.now()
    with pytest.raises(bundles.Lost):  # the one that was taken for dead wakes up
        bundles._saver(slow, clock)(slow.expected)
    again = bundles.perform(pk, clock)
    assert again is not None
    assert again.sha256 == hashlib.sha256(packed(closed)).hexdigest()
    assert bundles.recover(clock.now() + timedelta(days=2)) == 0


def test_a_file_answers_a_request_right_away(audit: Audit, manager: User, outside: User, client: Any) -> None:
    row = ask(audit, outside, controls=(Control.objects.get(ref="A1"),))
    client.force_login(manager)
    at = f"/audits/{audit.pk}/requests/1/"
    for _ in range(2):  # the second time its bytes are there already
        file = io.BytesIO(b"Name,Role\nAnn,Owner\n")
        file.name = "people.csv"
        assert client.post(f"{at}upload/", {"file": file, "period_from": "2026-03-01"}).status_code == 302
    version = Version.objects.get()
    assert (version.source, version.review.state) == (Source.REQUEST, State.DRAFT)
    assert [each.ref for each in version.artifact.controls.all()] == ["A1"]
    assert AuditRequest.objects.get(pk=row.pk).state == Asked.ANSWERED
    page = client.get(at).content.decode()
    assert "The auditors do not see it yet" in page
    backwards = {"period_from": "2026-03-01", "period_to": "2026-01-01"}
    bad = client.post(f"{at}upload/", backwards | {"file": io.BytesIO(b"x")})
    assert bad.status_code == 409


def test_a_zip_with_what_was_erased_goes(closed: Audit, manager: User) -> None:
    bundles.request(closed, by=manager, now=NOW)
    made = bundles.perform(Bundle.objects.get().pk, Skipping())
    assert made is not None
    assert made.finished_at is not None
    assert bundles.forget(NOW) == 0
    item = EvidenceItem.objects.filter(audit=closed)[0]
    later = made.finished_at + timedelta(minutes=1)
    Erasure.objects.create(
        print="p",
        hint="h",
        reason="r",
        stage="done",
        audit=1,
        asked_by=manager,
        asked_at=later,
        heartbeat_at=later,
        decided_by=User.objects.get(username="administrator"),
        finished_at=later,
        artifacts=[item.version_id],
    )
    assert bundles.forget(later) == 1
    assert not store.has(made.sha256)
    assert bundles.forget(later) == 0
