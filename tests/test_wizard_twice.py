"""The wizard when the same is done twice or late: double clicks, two tabs, the back button, an ended login, old drafts.

Each test goes over the steps by itself, and sends what the pages would send.
"""

import re
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from secrets import token_hex
from typing import Any

import pytest
from django.core import signing
from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from connectors import connections, registry
from connectors.models import Connection, SyncRun
from connectors.segment.simulator import Simulator, serve
from portal import typed
from portal.models import AuditEntry

from .wizards import (
    BASE,
    PASSWORD,
    Person,
    Watching,
    administrator,
    begin,
    both_regions,
    checked,
    form,
    give,
    plan,
    text,
)

pytestmark = pytest.mark.django_db
FORMS = ("token", "check", "schedule")  # the steps that send something about a draft


@pytest.fixture(scope="module")
def running() -> Iterator[Simulator]:
    with serve(size="small", eu_port=0) as simulator:
        yield simulator


@pytest.fixture
def segment(running: Simulator, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Simulator:
    return both_regions(running, settings, monkeypatch)


@pytest.fixture
def admin(segment: Simulator, caplog: pytest.LogCaptureFixture) -> Iterator[Watching]:
    with administrator(segment, caplog) as browser:
        yield browser


def sends(browser: Watching, pk: int, step: str, segment: Simulator) -> dict[str, Any]:
    """What the form of a step sends as its page has it now, filled in as a person would."""
    at = f"{BASE}{pk}/{step}/"
    data = form(browser.get(at), at)
    if step == "token":
        return {**data, "name": "Web shop", "environment": "production", "token": segment.tokens["owner"], "go": ""}
    few = {"groups": ["workspace", "data-flow"]} if step == "check" else {}  # so that a check asks little
    return {**data, **few, "check" if step == "check" else "go": ""}


def walk(browser: Watching, pk: int, until: str, segment: Simulator) -> None:
    """Does every step before `until` once."""
    for step in FORMS[: FORMS.index(until)]:
        assert browser.post(f"{BASE}{pk}/{step}/", sends(browser, pk, step, segment)).status_code == 302


def nothing_is_doubled() -> None:
    assert Connection.objects.count() == 1
    assert SyncRun.objects.count() <= 1
    assert not [each for each, many in Counter(deeds()).items() if many > 1 and each != "sign-in"]


def deeds() -> list[str]:
    return list(AuditEntry.objects.exclude(action="access refused").order_by("pk").values_list("action", flat=True))


def kept() -> dict[str, Any]:
    """All that somebody has said or found out about the only connection."""
    held: dict[str, Any] = dict(Connection.objects.values().get())
    return {name: held[name] for name in held if name not in ("since", "token")}


# --- twice ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", FORMS)
def test_a_second_click_does_nothing(admin: Watching, segment: Simulator, step: str) -> None:
    pk = begin(admin)
    walk(admin, pk, step, segment)
    data = sends(admin, pk, step, segment)
    first = admin.post(f"{BASE}{pk}/{step}/", data)
    before, asked = kept(), len(segment.requests)
    second = admin.post(f"{BASE}{pk}/{step}/", data)
    assert (first.status_code, second.status_code) == (302, 302)
    assert second["Location"] == (f"{BASE}{pk}/change/" if step == "schedule" else first["Location"])
    assert (kept(), len(segment.requests)) == (before, asked)
    nothing_is_doubled()


@pytest.mark.parametrize("step", FORMS)
def test_a_second_click_on_finish_later_does_nothing(admin: Watching, segment: Simulator, step: str) -> None:
    pk = begin(admin)
    walk(admin, pk, step, segment)
    changed = {"schedule": "weekly", "contacts": "ann@example.com"} if step == "schedule" else {}
    data = {**sends(admin, pk, step, segment), **changed, "later": ""}
    assert admin.post(f"{BASE}{pk}/{step}/", data)["Location"] == BASE
    before, entries = kept(), deeds()
    assert admin.post(f"{BASE}{pk}/{step}/", data)["Location"] == BASE
    assert (kept(), deeds()) == (before, entries)


def test_a_second_click_on_discard_finds_it_gone(admin: Watching) -> None:
    pk = begin(admin)
    for _ in range(2):
        assert admin.post(f"{BASE}{pk}/discard/")["Location"] == BASE
    assert deeds().count("connection discarded") == 1


@pytest.mark.parametrize("step", FORMS)
def test_what_is_sent_again_after_activation_changes_nothing(admin: Watching, segment: Simulator, step: str) -> None:
    pk = begin(admin)
    old = {}
    for each in FORMS:
        old[each] = sends(admin, pk, each, segment)
        admin.post(f"{BASE}{pk}/{each}/", old[each])
    before, entries = kept(), deeds()
    assert before["state"] == "active"
    again = admin.post(f"{BASE}{pk}/{step}/", old[step])
    assert again["Location"] == f"{BASE}{pk}/change/"
    assert "is active by now" in text(admin.get(again["Location"]))
    assert (kept(), deeds()) == (before, entries)


@pytest.mark.parametrize(("old", "now"), [(a, b) for a in FORMS for b in FORMS if FORMS.index(a) < FORMS.index(b)])
def test_an_older_tab_that_sends_what_it_shows_loses_nothing(
    admin: Watching, segment: Simulator, old: str, now: str
) -> None:
    """The tab was opened at the step `old`; in another one the draft has come to the step `now`."""
    pk = begin(admin)
    walk(admin, pk, old, segment)
    shown = sends(admin, pk, old, segment)
    for step in FORMS[FORMS.index(old) : FORMS.index(now)]:
        admin.post(f"{BASE}{pk}/{step}/", sends(admin, pk, step, segment))
    before = kept()
    assert admin.post(f"{BASE}{pk}/{old}/", shown).status_code == 302
    assert kept() == before
    nothing_is_doubled()


@pytest.mark.parametrize("step", FORMS)
def test_whoever_goes_back_finds_what_was_said_and_can_send_it_again(
    admin: Watching, segment: Simulator, step: str
) -> None:
    pk = begin(admin)
    data = sends(admin, pk, "token", segment)
    walk(admin, pk, "schedule", segment)
    if step == "schedule":
        admin.post(
            f"{BASE}{pk}/schedule/", {**sends(admin, pk, step, segment), "contacts": "ann@example.com", "later": ""}
        )
    before, at = kept(), f"{BASE}{pk}/{step}/"
    shown = form(admin.get(at), at)
    if step == "token":
        assert all(shown[name] == [data[name]] for name in ("name", "environment"))
    button = {"token": "go", "check": "go", "schedule": "later"}[step]
    admin.post(at, {**shown, button: ""})
    assert kept() == before
    assert connections.checked_workspace(Connection.objects.get(pk=pk)) is not None


def test_of_two_checks_at_a_time_one_is_kept_and_noted(admin: Watching, segment: Simulator) -> None:
    pk = begin(admin)
    walk(admin, pk, "check", segment)
    two = [Connection.objects.get(pk=pk) for _ in range(2)]
    for each in two:
        assert not connections.check(each, by=None, now=timezone.now()).code
    assert deeds().count("connection checked") == 1
    assert Connection.objects.get(pk=pk).checked_at == two[0].checked_at


# --- an ended login -------------------------------------------------------------------------------------

TYPED: dict[str, dict[str, Any]] = {
    "token": {
        "name": "Typed “before”",
        "environment": "staging",
        "region": "eu",
        "role": "member",
        "made": "2026-11-01",
    },
    "check": {"groups": ["people"], "keep_code": "on"},
    "schedule": {
        "schedule": "weekly",
        "weekday": "3",
        "contacts": "ann@example.com\nbob@example.com",
        "rotation_days": "30",
    },
}


@pytest.mark.parametrize("step", FORMS)
def test_what_was_typed_outlives_the_login_and_the_token_does_not(
    admin: Watching, segment: Simulator, step: str
) -> None:
    pk = begin(admin)
    walk(admin, pk, step, segment)
    at = f"{BASE}{pk}/{step}/"
    data = {**sends(admin, pk, step, segment), **TYPED[step]}
    before = kept()
    admin.logout()
    sent = admin.post(at, data, headers={"referer": f"http://testserver{at}"})
    assert sent["Location"] == f"/sign-in/?next={at}"
    cookie = sent.cookies[typed.COOKIE]
    assert (cookie["path"], cookie["httponly"], cookie["samesite"]) == (at, True, "Lax")
    assert not [token for token in admin.tokens if token in signing.loads(cookie.value, salt=typed.COOKIE)]
    assert kept() == before
    back = admin.post("/sign-in/", {"username": "robin", "password": PASSWORD, "next": at}, follow=True)
    assert "You were signed out before this was stored" in text(back)
    shown = form(back, at)
    for name, value in TYPED[step].items():
        assert shown[name] == (value if isinstance(value, list) else [value]), name
    assert not shown.get("token", [""])[0]
    button = {"token": "go", "check": "later", "schedule": "go"}[step]
    token = {"token": data["token"]} if step == "token" else {}
    done = admin.post(at, {**shown, **token, button: ""})
    assert done.status_code == 302
    assert done.cookies[typed.COOKIE]["max-age"] == 0
    row = Connection.objects.get(pk=pk)
    assert {
        "token": row.environment == "staging",
        "check": row.groups == ["people"],
        "schedule": row.rotation_days == 30,
    }[step]
    assert step != "schedule" or (row.state, row.contacts) == ("active", ["ann@example.com", "bob@example.com"])


def test_a_cookie_that_somebody_made_up_is_not_believed(admin: Watching) -> None:
    pk = begin(admin)
    admin.cookies[typed.COOKIE] = signing.dumps("name=Forged", salt="another")
    assert "Forged" not in admin.get(f"{BASE}{pk}/token/").content.decode()


def test_of_what_is_too_long_for_a_cookie_the_longest_gives_way(admin: Watching, segment: Simulator) -> None:
    pk = begin(admin)
    walk(admin, pk, "schedule", segment)
    many = "\n".join(f"{token_hex(8)}@example.com" for _ in range(400))
    data = {**sends(admin, pk, "schedule", segment), "rotation_days": "31", "contacts": many}
    admin.logout()
    sent = admin.post(f"{BASE}{pk}/schedule/", data)
    kept_fields = signing.loads(sent.cookies[typed.COOKIE].value, salt=typed.COOKIE)
    assert "rotation_days=31" in kept_fields
    assert "contacts" not in kept_fields
    assert len(sent.cookies[typed.COOKIE].output()) < 4096


def test_a_button_without_a_page_of_its_own_leads_back_to_where_it_stood(admin: Watching) -> None:
    pk = begin(admin)
    admin.logout()
    sent = admin.post(f"{BASE}{pk}/discard/", headers={"referer": f"http://testserver{BASE}{pk}/token/"})
    assert sent["Location"] == f"/sign-in/?next={BASE}{pk}/token/"
    elsewhere = admin.post(f"{BASE}{pk}/discard/", headers={"referer": "https://elsewhere.example/x"})
    assert elsewhere["Location"] == f"/sign-in/?next={BASE}{pk}/discard/"
    back = admin.post(
        "/sign-in/", {"username": "robin", "password": PASSWORD, "next": f"{BASE}{pk}/discard/"}, follow=True
    )
    assert back.status_code == 200
    assert Connection.objects.filter(pk=pk).exists()


# --- leave and resume -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("step", "title"), [("token", "Make a token"), ("check", "Check"), ("schedule", "Schedule and care")]
)
def test_a_draft_is_listed_with_its_step_its_age_and_its_end(
    admin: Watching, segment: Simulator, step: str, title: str
) -> None:
    pk = begin(admin)
    walk(admin, pk, step, segment)
    Connection.objects.update(created_at=timezone.now() - timedelta(days=9), since=timezone.now() - timedelta(days=4))
    said = text(admin.get(f"{BASE}connect/"))
    for words in (f"at the step “{title}”", "Begun 9 d ago by robin", "last worked on 4 d ago", "in 2 days"):
        assert words in said
    assert "all drafts" not in said


def test_the_list_of_drafts_asks_the_same_for_many(admin: Watching, segment: Simulator) -> None:
    walk(admin, begin(admin), "schedule", segment)

    def queries() -> int:
        with CaptureQueriesContext(database) as asked:
            assert "at the step" in text(admin.get(f"{BASE}connect/"))
        return len(asked)

    queries()
    one = queries()
    for number in range(25):
        draft = connections.draft(registry.get("segment"), by=None, now=timezone.now())
        found = {"code": "", "workspace": {"id": f"w{number}", "slug": "", "name": ""}}
        Connection.objects.filter(pk=draft.pk).update(token_fingerprint=f"print {number}", capabilities=found)
    assert queries() == one
    assert "20 of 26" in text(admin.get(f"{BASE}connect/"))


def test_a_draft_on_which_somebody_works_is_not_discarded(admin: Watching, segment: Simulator) -> None:
    pk, now = begin(admin), timezone.now()
    long_ago = now - timedelta(days=30)
    Connection.objects.update(created_at=long_ago, since=long_ago)
    admin.get(f"{BASE}{pk}/token/")
    assert Connection.objects.get().since == long_ago, "whoever only looks does not keep it"
    give(admin, pk, "", later="")
    assert connections.discard_old_drafts(now + timedelta(days=6)) == 0
    assert connections.discard_old_drafts(now + timedelta(days=8)) == 1
    assert connections.discard_old_drafts(now + timedelta(days=8)) == 0
    assert deeds().count("connection discarded") == 1
    assert not Connection.objects.exists()


def test_the_rail_leads_to_every_step_that_is_open_and_to_no_other(admin: Watching, segment: Simulator) -> None:
    def led(pk: int, at: str) -> list[str]:
        rail = re.search(r'<ol class="rail".*?</ol>', admin.get(f"{BASE}{pk}/{at}/").content.decode(), re.DOTALL)
        assert rail
        return re.findall(rf'href="{BASE}(?:\d+/)?(\w+)/"', rail[0])

    pk = begin(admin)
    assert led(pk, "steps") == ["connect", "token"]
    give(admin, pk, segment.tokens["owner"])
    assert led(pk, "token") == ["connect", "steps", "check"]
    checked(admin, pk)
    for at in ("steps", "token", "check", "schedule"):
        assert led(pk, at) == [each for each in ("connect", "steps", "token", "check", "schedule") if each != at]
        for step in led(pk, at):
            address = f"{BASE}connect/" if step == "connect" else f"{BASE}{pk}/{step}/"
            assert admin.get(address).status_code == 200


# --- as somebody who has never seen it --------------------------------------------------------------------


def test_from_home_to_the_first_sync_in_twelve_clicks(admin: Watching, segment: Simulator) -> None:
    """With only the pages' own words, signing in and opening Segment's page of tokens included."""
    admin.logout()
    person = Person(admin, "/")
    person.click("Sign in", username="robin", password=PASSWORD)
    person.click("Connect a workspace")
    for words in ("Connect a service", "Add a connection", "Connect Twilio Segment"):
        if words in text(person.answer) and "steps" not in person.at:
            person.click(words)
    assert "Tokens in Segment, United States" in text(person.answer)
    person.clicks += 1  # that link, which opens Segment in another tab
    person.click("I have the token")
    person.click("Save and go on", name="Web shop", token=segment.tokens["owner"])
    person.click("Check the token")
    person.click("Go on with")
    person.click("Activate and start the first sync")
    assert person.at == f"/runs/{SyncRun.objects.get().pk}/"
    assert Connection.objects.get().state == "active"
    assert person.clicks <= 12, person.clicks


def test_a_plan_that_is_typed_wrong_keeps_everything_that_was_typed(admin: Watching, segment: Simulator) -> None:
    pk = begin(admin)
    walk(admin, pk, "schedule", segment)
    at = f"{BASE}{pk}/schedule/"
    for wrong, code in (
        ({"at": "25:00"}, "time-unknown"),
        ({"contacts": "not an address"}, "contact-invalid"),
        ({"rotation_days": "soon"}, "rotation-invalid"),
        ({"rotation_days": "9999"}, "rotation-invalid"),
    ):
        before = kept()
        data = {**form(admin.get(at), at), "schedule": "weekly", "weekday": "4", "contacts": "eve@example.com", **wrong}
        answer = admin.post(at, {**data, "go": ""})
        assert code in text(answer)
        assert f'id="{next(iter(wrong))}-error"' in answer.content.decode()
        shown = form(answer, at)
        assert all(shown[name] == ([value] if isinstance(value, str) else value) for name, value in data.items())
        assert kept() == before


@pytest.mark.parametrize(
    ("made", "days", "words"),
    [
        (0, "90", "the first reminder comes on"),
        (80, "90", "the first reminder comes on"),
        (91, "90", "older than that already"),
        (0, "0", "nobody is reminded"),
    ],
)
def test_the_last_step_says_when_the_first_reminder_comes(
    admin: Watching, segment: Simulator, made: int, days: str, words: str
) -> None:
    pk, today = begin(admin), timezone.localdate()
    day = today - timedelta(days=made)
    give(admin, pk, segment.tokens["owner"], made=day.isoformat())
    checked(admin, pk)
    answer = text(plan(admin, pk, rotation_days=days, preview=""))
    assert words in answer
    if words.startswith("the first"):
        first = max(today, day + timedelta(days=60))
        assert f"the first reminder comes on {first.day} {first:%b %Y}" in answer
    plan(admin, pk, rotation_days=days)
    row = Connection.objects.get()
    assert (row.token_made, row.rotation_days) == (day, int(days))
    assert row.rotate_on == (day + timedelta(days=90) if days == "90" else None)


@pytest.mark.parametrize("sends_mail", [True, False])
def test_the_last_step_says_whether_anybody_gets_mail(
    admin: Watching, segment: Simulator, settings: Any, sends_mail: bool
) -> None:
    settings.SENDS_MAIL = sends_mail
    pk = begin(admin)
    give(admin, pk, segment.tokens["owner"])
    checked(admin, pk)
    answer = admin.get(f"{BASE}{pk}/schedule/")
    assert ("EMAIL_URL" in text(answer)) is not sends_mail
    assert form(answer, f"{BASE}{pk}/schedule/")["contacts"] == ["robin@example.com"]
