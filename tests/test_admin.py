"""The admin: what it shows, what its buttons do, and what nobody can do there, superusers included."""

import re
from collections.abc import Callable
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from cryptography.fernet import InvalidToken
from django.contrib import admin as stock
from django.contrib.auth.models import Group, Permission
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from connectors import connections, locker, registry, runs
from connectors.models import Connection, Receipt, RunState, Snapshot, SyncRun, Workspace
from portal.models import AuditEntry, User

pytestmark = pytest.mark.django_db

BASE = "/admin/connectors/connection/"
RUNS = "/admin/connectors/syncrun/"
PEOPLE = "/admin/portal/user/"
PASSWORD = "a-one-time-password-7"


@pytest.fixture
def boss(people: dict[str, Any], client: Client) -> Client:
    """An administrator's browser."""
    client.force_login(people["Administrator"])
    return client


@pytest.fixture
def root(people: dict[str, Any]) -> Client:
    """The browser of a superuser, for whom Django by itself forbids nothing."""
    browser = Client()
    browser.force_login(User.objects.create_superuser("root", "root@example.com", "a-long-password-1"))
    return browser


def text(answer: Any) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", answer.content.decode())).split())


def act(browser: Client, connection: Connection, verb: str, **given: Any) -> Any:
    return browser.post(f"{BASE}{connection.pk}/{verb}/", given, follow=True)


def queries(browser: Client, url: str) -> int:
    with CaptureQueriesContext(database) as seen:
        assert browser.get(url).status_code == 200
    return len(seen)


def drafts(many: int) -> None:
    connector = registry.get("segment")
    for number in range(many):
        row = connections.draft(connector, by=None, now=timezone.now())
        Connection.objects.filter(pk=row.pk).update(name=f"Draft {number}")


# --- the index and who sees what --------------------------------------------------------------------


def test_the_index_leads_to_what_there_is(boss: Client) -> None:
    said = text(boss.get("/admin/"))
    for words in ("Connections", "Sync runs", "People", "Audit entries", "Connect a service"):
        assert words in said


def test_each_permission_opens_its_own_pages_and_no_others(people: dict[str, Any], client: Client) -> None:
    keeper = Group.objects.create(name="Keeper of people")
    keeper.permissions.add(Permission.objects.get(codename="change_user", content_type__app_label="portal"))
    people["Nobody"].groups.add(keeper)
    client.force_login(people["Nobody"])
    assert client.get(PEOPLE).status_code == 200
    said = client.get("/admin/").content.decode()
    assert PEOPLE in said
    assert BASE not in said
    for closed in (BASE, f"{BASE}add/", f"{BASE}connect/", RUNS, "/admin/portal/auditentry/"):
        assert client.get(closed).status_code == 403
    assert AuditEntry.objects.filter(action="access refused", target_name=BASE).count() == 1


@pytest.mark.parametrize("role", ["Nobody", "Auditor", "Compliance manager"])
def test_others_push_no_button(connected: Connection, people: dict[str, Any], client: Client, role: str) -> None:
    client.force_login(people[role])
    before = Connection.objects.values().get()
    for verb in ("sync", "check-again", "pause", "resume", "reschedule", "disconnect", "choose"):
        assert client.post(f"{BASE}{connected.pk}/{verb}/", {"schedule": "hourly", "hour": "1"}).status_code == 403
        assert client.get(f"{BASE}{connected.pk}/{verb}/").status_code == 403
    assert client.get(f"{BASE}{connected.pk}/change/").status_code == 403
    assert (Connection.objects.values().get(), SyncRun.objects.count()) == (before, 0)


@pytest.mark.parametrize("url", ["/admin/auth/group/", "/admin/sessions/session/"])
def test_the_stock_pages_that_nobody_needs_are_closed(root: Client, url: str) -> None:
    assert root.get(url).status_code == 404


def test_the_old_doors_of_the_admin_lead_to_the_portals_own(boss: Client) -> None:
    assert boss.get("/admin/login/")["Location"] == "/admin/"
    assert boss.get("/admin/password_change/")["Location"] == reverse("password")
    stranger = Client().get(BASE, follow=True)
    assert stranger.redirect_chain[-1][0] == f"/sign-in/?next={BASE}"


# --- the list of connections ------------------------------------------------------------------------


def test_the_list_says_how_each_connection_is(
    boss: Client, connected: Connection, sync_now: Callable[..., Any]
) -> None:
    run = sync_now()
    drafts(1)
    page = boss.get(BASE)
    said = text(page)
    for words in ("Demo", "Twilio Segment", "Fernhill Outdoor", "Active", "Draft 0", "Never"):
        assert words in said
    assert reverse("run", args=[run.pk]) in page.content.decode()
    assert boss.get(f"{BASE}add/")["Location"] == f"{BASE}connect/"
    assert "delete" not in page.content.decode()


def test_the_list_asks_as_much_for_many_as_for_few_and_decrypts_nothing(
    boss: Client, connected: Connection, spoil: Callable[[int], None]
) -> None:
    """With bytes in the token's place that no key decrypts, a single decryption would end in an error."""
    drafts(2)
    few = queries(boss, BASE)
    drafts(20)
    for pk in Connection.objects.values_list("pk", flat=True):
        spoil(pk)
    assert queries(boss, BASE) == few
    assert "Draft 19" in text(boss.get(BASE))
    with pytest.raises(InvalidToken):
        Connection.objects.only("token").get(pk=connected.pk).token.opened()


@pytest.mark.parametrize(
    ("query", "found"),
    [("?q=Demo", True), ("?q=Fernhill", True), ("?q=nothing", False), ("?state__exact=active", True),
     ("?state__exact=paused", False), ("?service=segment", True), ("?service=other", False)],
)  # fmt: skip
def test_the_list_is_searched_and_filtered(boss: Client, connected: Connection, query: str, found: bool) -> None:
    page = boss.get(BASE + query, follow=True).content.decode()
    assert (f"{BASE}{connected.pk}/change/" in page) is found


# --- a connection's page and its buttons ------------------------------------------------------------


def test_the_page_shows_facts_and_no_token(
    boss: Client, connected: Connection, simulator: Any, sync_now: Callable[..., Any]
) -> None:
    run = sync_now()
    page = boss.get(f"{BASE}{connected.pk}/change/")
    said = text(page)
    hint, fingerprint = connected.token_hint, connected.token_fingerprint
    for words in ("Fernhill Outdoor", hint, fingerprint, "Workspace Owner", "Readable", "GET /sources", "Snapshot 1"):
        assert words in said
    assert reverse("run", args=[run.pk]) in page.content.decode()
    assert reverse("workspace", args=[connected.workspace_id]) in page.content.decode()
    assert simulator.tokens["owner"] not in page.content.decode()
    assert "Only when somebody asks" in said
    assert f"{BASE}{connected.pk}/reschedule/" in page.content.decode()


def test_sync_now_starts_one_run(boss: Client, connected: Connection) -> None:
    first = boss.post(f"{BASE}{connected.pk}/sync/")
    run = SyncRun.objects.get()
    assert first["Location"] == reverse("run", args=[run.pk])
    assert (run.state, run.trigger, run.requested_by) == (
        "queued",
        "person",
        User.objects.get(username="administrator"),
    )
    again = boss.post(f"{BASE}{connected.pk}/sync/")
    assert again["Location"] == reverse("run", args=[run.pk])
    assert "already under way" in text(boss.get(f"{BASE}{connected.pk}/change/"))
    assert SyncRun.objects.count() == 1


def test_pause_and_resume(boss: Client, connected: Connection) -> None:
    act(boss, connected, "reschedule", schedule="hourly", zone="UTC")
    assert "Paused" in text(act(boss, connected, "pause"))
    row = Connection.objects.get()
    assert (row.state, row.starts_next) == ("paused", None)
    assert "wrong-state" in text(act(boss, connected, "pause"))
    assert "only an active one is synced" in text(act(boss, connected, "sync"))
    assert SyncRun.objects.count() == 0
    act(boss, connected, "resume")
    row = Connection.objects.get()
    assert row.state == "active"
    assert row.starts_next is not None
    done = AuditEntry.objects.filter(actor__username="administrator", action__startswith="connection")
    said = done.order_by("pk").values_list("action", "address")
    assert list(said) == [(f"connection {done}", "127.0.0.1") for done in ("changed", "paused", "resumed")]


def test_choose_what_is_read(boss: Client, connected: Connection, sync_now: Callable[..., Any]) -> None:
    Connection.objects.update(groups=None)
    there = f"{BASE}{connected.pk}/choose/"
    page = boss.get(there).content.decode()
    groups = registry.get("segment").groups
    ticked = re.findall(r'name="groups" value="([\w-]+)" checked', page)
    assert ticked == [group.name for group in groups if group.standard]
    said = text(boss.get(there))
    for group in groups:
        assert group.title in said
        assert group.about in said
        assert group.caution in said
    assert "not read unless chosen" in said
    given = {"what": "1", "groups": ["delivery", "workspace"], "keep_code": "on"}
    answer = boss.post(there, given, follow=True)
    assert "Saved. The next sync reads what you chose." in text(answer)
    assert "9 of 47 streams. Code and SQL are kept as text." in text(answer)
    row = Connection.objects.get()
    assert (row.groups, row.keep_code) == (["workspace", "delivery"], True)
    entry = AuditEntry.objects.get(action="connection changed")
    assert entry.detail == {"reads": "workspace, delivery", "keep_code": True}
    assert "nothing was changed" in text(boss.post(there, given, follow=True))
    assert AuditEntry.objects.filter(action="connection changed").count() == 1
    connected.refresh_from_db()
    run = sync_now()
    found = {name for name, said in locker.coverage_of(run.snapshot).items() if said["coverage"] != "not_requested"}
    assert "users" not in found
    assert "workspace" in found
    assert "Not chosen" in text(boss.get(f"{BASE}{connected.pk}/change/"))


def test_the_standard_groups_are_no_choice_so_that_a_new_one_is_read_too(boss: Client, connected: Connection) -> None:
    standard = [group.name for group in registry.get("segment").groups if group.standard]
    boss.post(f"{BASE}{connected.pk}/choose/", {"what": "1", "groups": standard[:2]})
    assert Connection.objects.get().groups == standard[:2]
    boss.post(f"{BASE}{connected.pk}/choose/", {"what": "1", "groups": standard})
    assert Connection.objects.get().groups is None


@pytest.mark.parametrize(
    ("groups", "code"), [([], "groups-missing"), (["nonsense", "people"], "group-unknown"), (["<b>"], "group-unknown")]
)
def test_a_choice_that_is_none_is_given_back(boss: Client, connected: Connection, groups: list[str], code: str) -> None:
    before = Connection.objects.values().get()
    answer = boss.post(f"{BASE}{connected.pk}/choose/", {"what": "1", "groups": groups, "keep_code": "on"})
    page = answer.content.decode()
    beside = re.search(r'id="groups-error">(.*?)</p>', page, re.DOTALL)
    assert beside
    assert code in beside[1]
    assert "<b>”" not in page
    assert 'name="keep_code" checked' in page, "what was ticked is not lost"
    assert ('value="people" checked' in page) is ("people" in groups)
    assert Connection.objects.values().get() == before


def test_nothing_is_chosen_for_a_connection_that_is_over(boss: Client, connected: Connection) -> None:
    act(boss, connected, "disconnect")
    given = {"what": "1", "groups": "people"}
    assert "active or a paused connection only" in text(boss.post(f"{BASE}{connected.pk}/choose/", given, follow=True))
    assert "Choose…" not in text(boss.get(f"{BASE}{connected.pk}/change/"))
    with pytest.raises(connections.NotPossible, match="disconnected by now"):
        connections.choose_groups(Connection.objects.get(), ["people"], False, by=None, now=timezone.now())


def test_the_list_names_the_last_run_of_the_main_lane(
    boss: Client, connected: Connection, sync_now: Callable[..., Any]
) -> None:
    main = sync_now()
    slow = SyncRun.objects.create(connection=connected, lane="slow", state="failed", queued_at=timezone.now())
    page = boss.get(BASE).content.decode()
    assert reverse("run", args=[main.pk]) in page
    assert reverse("run", args=[slow.pk]) not in page


def test_check_again_shows_what_changed(
    boss: Client, connected: Connection, simulator: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from connectors.segment.simulator import Fault

    monkeypatch.setattr("connectors.http.random.uniform", lambda low, high: 0.0)
    assert "The token was checked" in text(act(boss, connected, "check-again"))
    simulator.faults.append(Fault("^/users$", "status", status=403, times=None))
    assert "Role or plan unknown" in text(act(boss, connected, "check-again"))
    assert Connection.objects.get().capabilities["streams"]["users"]["verdict"] == "denied"


def test_a_token_that_no_key_opens_is_named_and_the_page_works(
    boss: Client, connected: Connection, spoil: Callable[[int], None]
) -> None:
    spoil(connected.pk)
    said = text(act(boss, connected, "check-again"))
    assert "(token-unreadable)" in said
    assert "Fernhill Outdoor" in said
    assert boss.get(f"{BASE}{connected.pk}/change/").status_code == 200


def test_a_failed_sync_is_explained_on_the_page(boss: Client, connected: Connection) -> None:
    connections.note_failure(connected, "token-rejected", timezone.now())
    said = text(boss.get(f"{BASE}{connected.pk}/change/"))
    for words in ("Token rejected", "Cause", "What to do", "Who acts", "token-rejected"):
        assert words in said


def test_disconnect_asks_first_then_wipes_and_keeps(
    boss: Client, connected: Connection, sync_now: Callable[..., Any]
) -> None:
    sync_now()
    waiting = runs.request(connected, trigger="test", now=timezone.now(), enqueue=False)
    asked = boss.get(f"{BASE}{connected.pk}/disconnect/")
    assert "1 snapshot, every report" in text(asked)
    assert Connection.objects.get().state == "active"
    act(boss, connected, "disconnect")
    row = Connection.objects.get()
    assert (row.state, row.token_fingerprint, row.next_sync) == ("disconnected", "", None)
    assert Connection.objects.only("token").get().token.opened() == ""
    assert SyncRun.objects.get(pk=waiting.pk).state == RunState.CANCELLED
    assert (Snapshot.objects.count(), Workspace.objects.count()) == (1, 1)
    page = boss.get(f"{BASE}{connected.pk}/change/")
    assert "Wiped" in text(page)
    assert '<button class="btn main">' not in page.content.decode()
    for verb in ("sync", "check-again", "pause", "resume", "reschedule", "disconnect"):
        assert "wrong-state" in text(act(boss, connected, verb, schedule="hourly", hour="1"))
    assert AuditEntry.objects.filter(action="connection disconnected").count() == 1


def test_a_connection_that_is_not_there(boss: Client) -> None:
    for answer in (boss.get(f"{BASE}77/change/", follow=True), boss.post(f"{BASE}77/sync/", follow=True)):
        assert answer.redirect_chain[-1][0] == BASE
        assert "There is no" in text(answer)


# --- runs and evidence ------------------------------------------------------------------------------


def test_a_run_with_its_streams_requests_and_the_way_to_its_page(
    boss: Client, connected: Connection, sync_now: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.runpages.RECEIPTS_A_PAGE", 5)
    run = sync_now()
    assert "Published" in text(boss.get(RUNS))
    page = boss.get(f"{RUNS}{run.pk}/change/")
    said = text(page)
    total = Receipt.objects.filter(run=run).count()
    asked = run.receipts.order_by("n")[1].path  # which stream is asked first after the identity is for chance to say
    for words in ("Sources", "Complete", f"{total} sent", f"1–5 of {total} requests", asked):
        assert words in said
    assert reverse("run", args=[run.pk]) in page.content.decode()
    assert f"6–10 of {total} requests" in text(boss.get(f"{RUNS}{run.pk}/change/?page=2"))
    assert boss.get(f"{RUNS}{run.pk}/change/?page=nonsense").status_code == 200


def test_a_run_is_cancelled_once(boss: Client, connected: Connection) -> None:
    run = runs.request(connected, trigger="test", now=timezone.now(), enqueue=False)
    assert boss.get(f"{RUNS}{run.pk}/cancel/").status_code == 405
    assert "was cancelled" in text(boss.post(f"{RUNS}{run.pk}/cancel/", follow=True))
    assert SyncRun.objects.get().state == RunState.CANCELLED
    assert "has ended already" in text(boss.post(f"{RUNS}{run.pk}/cancel/", follow=True))
    said = text(boss.get(f"{RUNS}{run.pk}/change/"))
    assert "Who acts" in said
    assert AuditEntry.objects.filter(action="sync cancelled", actor__username="administrator").count() == 1


EVIDENCE = (Connection, SyncRun, Workspace, Snapshot, Receipt, AuditEntry)


@pytest.mark.parametrize("model", EVIDENCE, ids=lambda model: model.__name__)
def test_a_superuser_adds_changes_and_deletes_no_evidence(
    root: Client, connected: Connection, sync_now: Callable[..., Any], model: Any
) -> None:
    sync_now()
    base = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
    row = model.objects.first()
    values = {field.name: "7" for field in model._meta.fields} | {
        "_save": "Save",
        "state": "published",
        "name": "Forged",
    }
    before = list(model.objects.order_by("pk").values())
    assert root.get(base).status_code == 200
    assert root.get(f"{base}{row.pk}/change/").status_code == 200
    assert root.post(f"{base}{row.pk}/change/", values).status_code == 403
    assert root.get(f"{base}{row.pk}/delete/").status_code == 403
    assert root.post(f"{base}{row.pk}/delete/", {"post": "yes"}).status_code == 403
    added = root.post(f"{base}add/", values)
    assert added.status_code == 403 or added["Location"] == f"{BASE}connect/"
    root.post(base, {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"})
    root.post(base, {"form-TOTAL_FORMS": "1", "form-0-id": row.pk, "form-0-name": "Forged", "_save": "Save"})
    after = list(model.objects.order_by("pk").values())
    assert after[: len(before)] == before if model is AuditEntry else after == before
    assert not {entry.action for entry in AuditEntry.objects.all()} & {"person changed", "connection changed"}


def test_every_registered_page_is_one_that_was_meant() -> None:
    """Another app that registers models shows up here, before it shows up in somebody's browser."""
    meant = {Connection, SyncRun, Workspace, Snapshot, Receipt, AuditEntry, User}
    assert set(stock.site._registry) == meant


# --- people -----------------------------------------------------------------------------------------


def group(name: str) -> int:
    return Group.objects.get(name=name).pk


def details(person: User, role: str, **other: Any) -> dict[str, Any]:
    """The form of a person as the browser would send it back, with this role."""
    given = {"username": person.username, "first_name": "", "last_name": "", "email": person.email, "is_active": "on"}
    return {key: value for key, value in {**given, "role": group(role), **other}.items() if value is not None}


def test_add_a_person_with_a_role(boss: Client) -> None:
    given = {"username": "sam", "first_name": "Sam", "last_name": "Example", "email": "sam@example.com"}
    secret = {"password1": PASSWORD, "password2": PASSWORD}
    forged = {"is_superuser": "on", "is_staff": "on", "user_permissions": "1", "groups": str(group("Administrator"))}
    answer = boss.post(f"{PEOPLE}add/", {**given, **secret, **forged, "role": group("Auditor")}, follow=True)
    sam = User.objects.get(username="sam")
    assert (sam.role, sam.is_superuser, sam.is_staff, sam.get_full_name()) == ("Auditor", False, False, "Sam Example")
    assert sam.user_permissions.count() == 0
    assert "sam" in text(answer)
    entry = AuditEntry.objects.get(action="person changed")
    assert (entry.actor_name, entry.target_name, entry.target) == ("administrator", "sam", f"user {sam.pk}")
    assert entry.detail == {"changed": "added", "role": "Auditor", "active": True}
    assert Client().post("/sign-in/", {"username": "sam", "password": PASSWORD}).status_code == 302
    assert PASSWORD not in answer.content.decode()


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"role": ""}, "This field is required"),
        ({"role": "999"}, "Select a valid choice"),
        ({"password1": "brief-2", "password2": "brief-2"}, "too short"),
        ({"password2": "another-password-9"}, "didn’t match"),
        ({"username": "AUDITOR"}, "already exists"),
    ],
)
def test_a_person_that_cannot_be_added(boss: Client, wrong: dict[str, str], sentence: str) -> None:
    given = {"username": "sam", "password1": PASSWORD, "password2": PASSWORD, "role": str(group("Auditor")), **wrong}
    answer = boss.post(f"{PEOPLE}add/", given)
    assert sentence in text(answer)
    assert not User.objects.filter(username="sam").exists()
    assert given["password1"] not in answer.content.decode()


def test_change_a_role(boss: Client, people: dict[str, Any]) -> None:
    person = people["Auditor"]
    boss.post(f"{PEOPLE}{person.pk}/change/", details(person, "Compliance manager", first_name="Ada"))
    now = User.objects.get(pk=person.pk)
    assert (now.role, now.groups.count(), now.first_name) == ("Compliance manager", 1, "Ada")
    entry = AuditEntry.objects.get(action="person changed")
    assert entry.detail == {"changed": "First name, role", "role": "Compliance manager", "active": True}


def test_another_role_takes_a_superusers_flag(boss: Client, root: Client) -> None:
    person = User.objects.get(username="root")
    boss.post(f"{PEOPLE}{person.pk}/change/", details(person, "Administrator", first_name="Same role"))
    assert User.objects.get(pk=person.pk).is_superuser
    boss.post(f"{PEOPLE}{person.pk}/change/", details(person, "Auditor"))
    now = User.objects.get(pk=person.pk)
    assert (now.role, now.is_superuser) == ("Auditor", False)


def test_deactivate_and_reactivate(boss: Client, people: dict[str, Any]) -> None:
    person, browser = people["Auditor"], Client()
    browser.force_login(person)
    boss.post(f"{PEOPLE}{person.pk}/change/", details(person, "Auditor", is_active=None))
    assert browser.get("/")["Location"].startswith("/sign-in/")
    assert AuditEntry.objects.get(action="person changed").detail["active"] is False
    boss.post(f"{PEOPLE}{person.pk}/change/", details(person, "Auditor"))
    assert User.objects.get(pk=person.pk).is_active


def test_set_a_one_time_password(boss: Client, people: dict[str, Any]) -> None:
    person, browser = people["Auditor"], Client()
    browser.force_login(person)
    where = f"{PEOPLE}{person.pk}/password/"
    assert 'name="usable_password"' not in boss.get(where).content.decode()
    assert "too short" in text(boss.post(where, {"password1": "short", "password2": "short"}))
    boss.post(where, {"password1": PASSWORD, "password2": PASSWORD, "usable_password": "false"})
    assert User.objects.get(pk=person.pk).check_password(PASSWORD)
    assert browser.get("/")["Location"].startswith("/sign-in/"), "sessions under the old password have ended"
    entry = AuditEntry.objects.get(action="person changed")
    assert entry.detail["changed"] == "password"
    assert PASSWORD not in str(entry.detail)


def test_nobody_deactivates_themselves_nor_removes_the_last_administrator(boss: Client, people: dict[str, Any]) -> None:
    me = people["Administrator"]
    where = f"{PEOPLE}{me.pk}/change/"
    assert "cannot deactivate yourself" in text(boss.post(where, details(me, "Administrator", is_active=None)))
    assert "last administrator" in text(boss.post(where, details(me, "Auditor")))
    assert (User.objects.get(pk=me.pk).role, User.objects.get(pk=me.pk).is_active) == ("Administrator", True)
    second = people["Compliance manager"]
    boss.post(f"{PEOPLE}{second.pk}/change/", details(second, "Administrator"))
    assert "cannot deactivate yourself" in text(boss.post(where, details(me, "Administrator", is_active=None)))
    boss.post(where, details(me, "Auditor"))
    assert User.objects.get(pk=me.pk).role == "Auditor"
    assert boss.get(PEOPLE).status_code == 403


def test_an_inactive_administrator_is_not_counted(boss: Client, people: dict[str, Any]) -> None:
    second = people["Auditor"]
    second.groups.set([group("Administrator")])
    User.objects.filter(pk=second.pk).update(is_active=False)
    me = people["Administrator"]
    assert "last administrator" in text(boss.post(f"{PEOPLE}{me.pk}/change/", details(me, "Auditor")))


def test_nobody_deletes_a_person(root: Client, people: dict[str, Any]) -> None:
    person = people["Auditor"]
    assert root.post(f"{PEOPLE}{person.pk}/delete/", {"post": "yes"}).status_code == 403
    root.post(PEOPLE, {"action": "delete_selected", "_selected_action": [person.pk], "post": "yes"})
    assert User.objects.filter(pk=person.pk).exists()


def test_the_list_of_people_asks_as_much_for_many_as_for_few(boss: Client) -> None:
    few = queries(boss, PEOPLE)
    for number in range(20):
        User.objects.create_user(f"person-{number}").groups.add(group("Auditor"))
    assert queries(boss, PEOPLE) == few
    assert "person-7" in text(boss.get(f"{PEOPLE}?role=Auditor"))
    assert "person-7" not in text(boss.get(f"{PEOPLE}?role=Administrator"))


def test_history_is_the_audit_log(boss: Client, people: dict[str, Any]) -> None:
    person = people["Auditor"]
    boss.post(f"{PEOPLE}{person.pk}/change/", details(person, "Auditor", first_name="Ada"))
    page = boss.get(f"{PEOPLE}{person.pk}/history/", follow=True)
    assert page.redirect_chain[-1][0].startswith("/admin/portal/auditentry/?")
    assert "person changed" in text(page)
    assert "1 audit entry" in text(page)
    assert "Full result" not in text(page)


def test_the_state_of_an_overdue_connection(boss: Client, connected: Connection) -> None:
    """A time that has passed is shown as it is; the worker, not the page, starts what is due."""
    late = timezone.now() - timedelta(hours=1)
    Connection.objects.update(next_sync=late)
    boss.get(BASE)
    boss.get(f"{BASE}{connected.pk}/change/")
    assert (SyncRun.objects.count(), Connection.objects.get().next_sync) == (0, late)
