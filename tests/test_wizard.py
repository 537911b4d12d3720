"""The connect wizard over the simulator: the whole way, every bad input, two windows, and no token anywhere."""

import re
from collections.abc import Callable, Iterator
from datetime import time
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.urls import reverse

from connectors import registry
from connectors.models import Connection, ConnectionState, SyncRun, Workspace
from connectors.schedules import Plan
from connectors.segment.simulator import Fault, Simulator, serve
from portal.models import AuditEntry, User

from .wizards import BASE, Watching, administrator, begin, both_regions, checked, give, plan, text

pytestmark = pytest.mark.django_db


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


def row() -> dict[str, Any]:
    """The only connection as it is stored, without when somebody last worked on it."""
    return {name: value for name, value in Connection.objects.values().get().items() if name != "since"}


def state(pk: int) -> str:
    return Connection.objects.get(pk=pk).state


# --- the whole way ----------------------------------------------------------------------------------


def test_from_the_catalogue_to_the_first_sync(admin: Watching, segment: Simulator) -> None:
    assert "Connect Twilio Segment" in text(admin.get(f"{BASE}connect/"))
    pk = begin(admin)
    steps = admin.get(f"{BASE}{pk}/steps/")
    guide = registry.get("segment").guide
    for words in [*(step.title for step in guide.steps), *(role.means for role in guide.roles)]:
        assert words in text(steps)
    for link in re.findall(r'<a [^>]*target="_blank"[^>]*>', steps.content.decode()):
        assert 'rel="noopener noreferrer"' in link
        assert "segment.com" in link
    assert give(admin, pk, segment.tokens["owner"])["Location"] == f"{BASE}{pk}/check/"
    assert "Not checked yet" in text(admin.get(f"{BASE}{pk}/check/"))
    said = text(checked(admin, pk))
    for words in ("Fernhill Outdoor", "United States (Oregon)", "Sources", "GET /sources", "Go on with"):
        assert words in said or words.replace("United States (Oregon)", "us (") in said
    assert (state(pk), SyncRun.objects.count(), Workspace.objects.count()) == (ConnectionState.DRAFT, 0, 0)
    assert "Every day" in text(admin.get(f"{BASE}{pk}/schedule/"))
    answer = plan(admin, pk, schedule="weekly", at="09:00")
    run = SyncRun.objects.get()
    assert answer["Location"] == reverse("run", args=[run.pk])
    connection = Connection.objects.get(pk=pk)
    assert (run.trigger, run.state, run.requested_by) == ("first", "queued", User.objects.get(username="robin"))
    assert (connection.state, connection.plan) == ("active", Plan("weekly", time(9)))
    assert connection.next_sync is not None
    assert (connection.next_sync.weekday(), connection.next_sync.hour) == (0, 9)
    by_robin = AuditEntry.objects.filter(actor__username="robin").exclude(action="sign-in").order_by("pk")
    done = by_robin.values_list("action", flat=True)
    assert list(done) == ["connection drafted", "connection checked", "connection activated", "sync requested"]


def test_looking_changes_nothing(admin: Watching, segment: Simulator) -> None:
    pk = begin(admin)
    give(admin, pk, segment.tokens["owner"])
    checked(admin, pk)
    before = (Connection.objects.values().get(), AuditEntry.objects.count(), len(segment.requests))
    for step in ("connect/", *(f"{pk}/{name}/" for name in ("steps", "token", "check", "schedule"))):
        assert admin.get(BASE + step).status_code == 200
    assert admin.get(f"{BASE}{pk}/discard/")["Location"] == f"{BASE}{pk}/schedule/"
    assert before == (Connection.objects.values().get(), AuditEntry.objects.count(), len(segment.requests))


def test_the_check_counts_what_a_narrow_token_may_not_read(admin: Watching, segment: Simulator) -> None:
    pk = begin(admin)
    give(admin, pk, segment.tokens["member_minimal"], role="member")
    answer = checked(admin, pk)
    verdicts = [row["verdict"] for row in Connection.objects.get(pk=pk).capabilities["streams"].values()]
    assert verdicts.count("denied") > 3
    said = text(answer)
    refused = [int(many) for many in re.findall(rf"(?:role|unknown) (\d+) of {len(verdicts)}", said)]
    assert sum(refused) == verdicts.count("denied")
    assert f"Readable {verdicts.count('readable')} of {len(verdicts)}" in said
    assert "403 GET /sources" in said
    assert "Not checked" in said


# --- bad tokens -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pasted", "code", "sentence"),
    [
        ("", "token-missing", "Paste the token"),
        ("  \n ", "token-missing", "Paste the token"),
        ("sgp_short", "token-malformed", "too short"),
        ("sgp_two words that are long enough", "token-malformed", "more than one word"),
        ("sgp_" + "é" * 30, "token-malformed", "characters that Segment never uses"),
        ("x" * 600, "token-malformed", "too long"),
    ],
)
def test_what_cannot_be_a_token_is_refused_beside_its_field(
    admin: Watching, pasted: str, code: str, sentence: str
) -> None:
    pk = begin(admin)
    before = row()
    answer = give(admin, pk, pasted)
    page = answer.content.decode()
    beside = re.search(r'<p class="err" id="token-error">(.*?)</p>', page, re.DOTALL)
    assert beside
    assert sentence in beside[1]
    assert code in beside[1]
    assert 'value="Production"' in page
    if pasted.strip():
        assert pasted not in page
    assert row() == before


@pytest.mark.parametrize(
    "frame", ["  {}\n", '"{}"', "'{}'", "Bearer {}", "Authorization: Bearer {}", "\u201cbearer  {}\u201d"]
)
def test_what_people_paste_along_with_a_token_is_taken_off(admin: Watching, segment: Simulator, frame: str) -> None:
    pk = begin(admin)
    assert give(admin, pk, frame.format(segment.tokens["owner"])).status_code == 302
    assert "Fernhill Outdoor" in text(checked(admin, pk))


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("name", "  ", "name-missing"),
        ("region", "moon", "region-unknown"),
        ("region", "", "region-unknown"),
        ("role", "king", ""),
    ],
)
def test_other_fields_are_refused_beside_themselves(
    admin: Watching, segment: Simulator, field: str, value: str, code: str
) -> None:
    pk = begin(admin)
    page = give(admin, pk, segment.tokens["owner"], **{field: value}).content.decode()
    beside = re.search(rf'id="{field}-error">(.*?)</p>', page, re.DOTALL)
    assert beside
    assert code in beside[1]
    assert not Connection.objects.get(pk=pk).token_fingerprint


def test_a_stored_token_is_kept_when_the_field_stays_empty(admin: Watching, segment: Simulator) -> None:
    pk = begin(admin)
    give(admin, pk, segment.tokens["owner"])
    kept = Connection.objects.get(pk=pk)
    page = text(admin.get(f"{BASE}{pk}/token/"))
    assert f"ends in {segment.tokens['owner'][-4:]} is stored" in page
    assert give(admin, pk, "", name="Renamed", seen=kept.token_fingerprint).status_code == 302
    now = Connection.objects.get(pk=pk)
    assert (now.name, now.token_fingerprint, now.token_since) == ("Renamed", kept.token_fingerprint, kept.token_since)
    assert "Fernhill Outdoor" in text(checked(admin, pk))


def test_another_region_by_hand_asks_for_another_check(admin: Watching, segment: Simulator) -> None:
    pk = begin(admin)
    give(admin, pk, segment.tokens["owner"])
    checked(admin, pk)
    give(admin, pk, "", region="eu", seen=Connection.objects.get(pk=pk).token_fingerprint)
    assert admin.get(f"{BASE}{pk}/schedule/")["Location"] == f"{BASE}{pk}/check/"
    assert plan(admin, pk)["Location"] == f"{BASE}{pk}/check/"
    assert state(pk) == "draft"


# --- what the service says --------------------------------------------------------------------------


def refused(admin: Watching, pk: int, code: str, *sentences: str) -> str:
    """The page says what happened with cause, cure and code, and there is no way on."""
    answer = checked(admin, pk)
    said = text(answer)
    for words in (*sentences, "Cause", "What to do", "Who acts", code):
        assert words in said
    assert f'href="/help/{code}/"' in answer.content.decode()
    assert "Go on with" not in said
    assert plan(admin, pk)["Location"] == f"{BASE}{pk}/check/"
    assert state(pk) == "draft"
    return said


def test_a_revoked_token(admin: Watching, segment: Simulator) -> None:
    pk = begin(admin)
    give(admin, pk, segment.tokens["revoked"])
    refused(admin, pk, "token-rejected", "rejected the token (401)")
    assert {entry.path for entry in segment.requests[-2:]} == {"/"}, (
        "no stream is asked with a token that opens nothing"
    )


def test_a_token_of_another_region_is_found_there(admin: Watching, segment: Simulator) -> None:
    pk = begin(admin)
    give(admin, pk, segment.tokens["eu_owner"], region="us")
    said = text(checked(admin, pk))
    assert "another region than the one you chose" in said
    assert "Fernhill Europe" in said
    assert Connection.objects.get(pk=pk).region == "eu"
    assert "Go on with" in said


def test_a_token_of_another_workspace_shows_whose_it_is(admin: Watching, segment: Simulator) -> None:
    pk = begin(admin)
    give(admin, pk, segment.tokens["other"])
    said = text(checked(admin, pk))
    assert "Fernhill Outdoor" not in said
    found = Connection.objects.get(pk=pk).capabilities["workspace"]
    assert found["name"] in said
    assert found["id"] in said


def test_a_host_that_does_not_answer(admin: Watching, segment: Simulator, settings: Any) -> None:
    with serve(size="small", eu_port=0) as gone:
        settings.REGIONS = {"segment": {"us": gone.url, "eu": gone.eu_url}}
    pk = begin(admin)
    give(admin, pk, segment.tokens["owner"])
    refused(admin, pk, "unreachable", "The service could not be reached.")


@pytest.mark.parametrize(
    ("kind", "code", "sentence"),
    [
        ("html", "not-json", "a web page instead of data"),
        ("cut_json", "not-json", "cannot be read"),
        ("short_body", "connection-broken", "broke in the middle"),
        ("data_missing", "data-missing", "no “data” object"),
        ("redirect", "redirect", "elsewhere"),
    ],
)
def test_answers_that_are_no_answers(admin: Watching, segment: Simulator, kind: str, code: str, sentence: str) -> None:
    segment.faults.append(Fault("^/$", kind, times=None))
    pk = begin(admin)
    give(admin, pk, segment.tokens["owner"])
    refused(admin, pk, code, sentence)


@pytest.mark.parametrize(
    ("stream", "status", "verdict", "sentence"),
    [
        ("users", 401, "Role or plan unknown", "rejected the token"),
        ("users", 403, "Role or plan unknown", "not allowed to read this"),
        ("labels", 404, "Role or plan unknown", "knows nothing at this address"),
        ("tracking_plans", 404, "Not on this plan", "knows nothing at this address"),
        ("functions", 403, "Not enabled", "not allowed to read this"),
        ("users", 500, "Failed", "The service answered"),
    ],
)
def test_a_stream_that_is_refused_does_not_stop_the_others(  # noqa: PLR0917  # a table's columns
    admin: Watching, segment: Simulator, stream: str, status: int, verdict: str, sentence: str
) -> None:
    declared = registry.get("segment").stream(stream)
    segment.faults.append(Fault(f"^{declared.ways[0].path}$", "status", status=status, times=None))
    pk = begin(admin)
    give(admin, pk, segment.tokens["owner"])
    page = checked(admin, pk)
    row = re.search(rf"<tr[^>]*>\s*<th scope=\"row\">{declared.title}<.*?</tr>", page.content.decode(), re.DOTALL)
    assert row
    words = " ".join(re.sub(r"<[^>]+>", " ", row[0]).split())
    for part in (verdict, f"({status})" if status < 500 else "500.", sentence):
        assert part in words
    assert "Go on with" in text(page)
    assert re.search(rf"{verdict} [1-9]\d? of", text(page))
    plan(admin, pk)
    assert state(pk) == "active"


# --- what is read -----------------------------------------------------------------------------------


def test_what_is_read_is_chosen_with_the_check(admin: Watching, segment: Simulator) -> None:
    pk = begin(admin)
    give(admin, pk, segment.tokens["owner"])
    first = admin.get(f"{BASE}{pk}/check/").content.decode()
    assert 'name="groups" value="people" checked' in first
    assert 'name="groups" value="side-effects">' in first, "not unless somebody chooses it"
    asked = len(segment.requests)
    answer = admin.post(f"{BASE}{pk}/check/", {"what": "1", "groups": ["people", "workspace"]}, follow=True)
    assert not [entry.path for entry in segment.requests[asked:] if entry.path.startswith("/sources")]
    said = text(answer)
    assert "What is read : 10 of 47 streams" in said
    assert "Not chosen 37 streams" in said
    assert "GET /users" in said
    page = answer.content.decode()
    assert page.index("What this token may read") < page.index("Not chosen")
    onward = admin.post(f"{BASE}{pk}/check/", {"what": "1", "groups": ["data-flow"], "keep_code": "on", "go": ""})
    assert onward["Location"] == f"{BASE}{pk}/schedule/"
    plan(admin, pk)
    row = Connection.objects.get(pk=pk)
    assert (row.state, row.groups, row.keep_code) == ("active", ["data-flow"], True)
    changed = AuditEntry.objects.filter(action="connection changed", actor__username="robin")
    assert [entry.detail["reads"] for entry in changed.order_by("pk")] == ["workspace, people", "data-flow"]


def test_what_was_chosen_after_the_check_is_not_said_to_be_unchosen(admin: Watching, segment: Simulator) -> None:
    pk = begin(admin)
    give(admin, pk, segment.tokens["owner"])
    admin.post(f"{BASE}{pk}/check/", {"what": "1", "groups": ["workspace"]})
    later = admin.post(f"{BASE}{pk}/check/", {"what": "1", "groups": ["workspace", "people"], "later": ""})
    assert later["Location"] == BASE
    assert Connection.objects.get(pk=pk).groups == ["workspace", "people"]
    said = text(admin.get(f"{BASE}{pk}/check/"))
    assert "It was chosen after the check: check again to see whether it may be read." in said


def test_a_choice_of_nothing_is_refused_and_nothing_is_asked(admin: Watching, segment: Simulator) -> None:
    pk = begin(admin)
    give(admin, pk, segment.tokens["owner"])
    asked = len(segment.requests)
    answer = admin.post(f"{BASE}{pk}/check/", {"what": "1", "keep_code": "on"})
    page = answer.content.decode()
    assert "Choose at least one group" in text(answer)
    assert 'id="groups-error"' in page
    assert 'name="keep_code" checked' in page
    assert len(segment.requests) == asked
    assert Connection.objects.get(pk=pk).groups is None


# --- the same twice ---------------------------------------------------------------------------------


@pytest.fixture
def first(admin: Watching, segment: Simulator) -> Connection:
    """An active connection made by the wizard."""
    pk = begin(admin)
    give(admin, pk, segment.tokens["owner"], name="The first")
    checked(admin, pk)
    plan(admin, pk)
    connection = Connection.objects.get(pk=pk)
    assert connection.state == "active"
    return connection


def test_the_same_token_twice_is_refused_with_a_link(admin: Watching, segment: Simulator, first: Connection) -> None:
    pk = begin(admin)
    page = give(admin, pk, segment.tokens["owner"]).content.decode()
    beside = re.search(r'id="token-error">(.*?)</p>', page, re.DOTALL)
    assert beside
    assert f'href="{BASE}{first.pk}/change/"' in beside[1]
    assert "The first" in beside[1]
    assert "token-in-use" in beside[1]
    assert not Connection.objects.get(pk=pk).token_fingerprint


def test_the_same_workspace_twice_is_refused_with_a_link(
    admin: Watching, segment: Simulator, first: Connection
) -> None:
    pk = begin(admin)
    give(admin, pk, segment.tokens["owner_second"])
    page = checked(admin, pk)
    assert "already has a connection" in text(page)
    assert "workspace-already-connected" in text(page)
    assert f'href="{BASE}{first.pk}/change/"' in page.content.decode()
    assert "Go on with" not in text(page)
    assert plan(admin, pk)["Location"] == f"{BASE}{pk}/check/"
    assert (state(pk), Workspace.objects.count(), SyncRun.objects.count()) == ("draft", 1, 1)


def test_a_disconnected_workspace_can_be_connected_again(
    admin: Watching, segment: Simulator, first: Connection
) -> None:
    admin.post(f"{BASE}{first.pk}/disconnect/")
    pk = begin(admin)
    give(admin, pk, segment.tokens["owner"])
    checked(admin, pk)
    plan(admin, pk)
    again = Connection.objects.get(pk=pk)
    assert (again.state, again.workspace_id, Workspace.objects.count()) == ("active", first.workspace_id, 1)


def test_the_token_of_an_active_connection_that_opens_another_workspace(
    admin: Watching, segment: Simulator, first: Connection
) -> None:
    segment.faults.append(Fault("^/$", "other_workspace", times=None))
    said = text(admin.post(f"{BASE}{first.pk}/check-again/", follow=True))
    assert "wrong-workspace" in said
    assert "now opens “Another”, not “Fernhill Outdoor”" in said
    assert Connection.objects.get(pk=first.pk).workspace_id == first.workspace_id


# --- two clicks, two windows ------------------------------------------------------------------------


def test_two_clicks_make_nothing_twice(admin: Watching, segment: Simulator) -> None:
    pk = begin(admin)
    assert begin(admin) == pk
    assert [give(admin, pk, segment.tokens["owner"])["Location"] for _ in range(2)] == [f"{BASE}{pk}/check/"] * 2
    checked(admin, pk)
    plan(admin, pk)
    again = plan(admin, pk)
    assert again["Location"] == f"{BASE}{pk}/change/"
    assert (Connection.objects.count(), SyncRun.objects.count(), Workspace.objects.count()) == (1, 1, 1)
    assert AuditEntry.objects.filter(action="connection activated").count() == 1


def test_a_draft_with_a_token_is_not_taken_for_a_new_one(admin: Watching, segment: Simulator) -> None:
    pk = begin(admin)
    give(admin, pk, segment.tokens["owner"])
    assert begin(admin) != pk


def test_a_second_window_does_not_overwrite_the_token_of_the_first(admin: Watching, segment: Simulator) -> None:
    pk = begin(admin)
    give(admin, pk, segment.tokens["owner"], name="First window")
    before = row()
    answer = give(admin, pk, segment.tokens["other"], name="Second window")
    assert "In another window" in text(answer)
    assert "changed-meanwhile" in text(answer)
    assert row() == before


@pytest.mark.parametrize("step", ["steps", "token", "check", "schedule"])
def test_a_step_of_a_connection_that_is_active_leads_to_its_page(
    admin: Watching, segment: Simulator, first: Connection, step: str
) -> None:
    assert admin.get(f"{BASE}{first.pk}/{step}/")["Location"] == f"{BASE}{first.pk}/change/"
    late = admin.post(f"{BASE}{first.pk}/{step}/")
    assert late.status_code == 405 if step == "steps" else late["Location"] == f"{BASE}{first.pk}/change/"
    assert admin.post(f"{BASE}{first.pk}/discard/")["Location"] == f"{BASE}{first.pk}/change/"
    assert Connection.objects.filter(pk=first.pk, state="active").exists()


def test_a_window_left_open_on_a_discarded_draft(admin: Watching, segment: Simulator) -> None:
    pk = begin(admin)
    give(admin, pk, segment.tokens["owner"])
    assert "was discarded" in text(admin.post(f"{BASE}{pk}/discard/", follow=True))
    assert not Connection.objects.exists()
    late = admin.post(f"{BASE}{pk}/check/", follow=True)
    assert late.redirect_chain[0][0] == BASE
    assert "This draft is gone" in text(late)


# --- leave and resume -------------------------------------------------------------------------------


def test_a_draft_is_resumed_where_it_was_left(admin: Watching, segment: Simulator) -> None:
    def resumed(pk: int) -> str:
        return str(admin.get(f"{BASE}{pk}/change/")["Location"]).removeprefix(f"{BASE}{pk}/")

    pk = begin(admin)
    assert resumed(pk) == "steps/"
    assert give(admin, pk, "", later="")["Location"] == BASE
    assert Connection.objects.get(pk=pk).name == "Production"
    assert resumed(pk) == "steps/"
    give(admin, pk, segment.tokens["owner"], later="")
    assert resumed(pk) == "check/"
    checked(admin, pk)
    assert resumed(pk) == "schedule/"
    assert plan(admin, pk, schedule="hourly", later="")["Location"] == BASE
    assert (state(pk), Connection.objects.get(pk=pk).schedule) == ("draft", "hourly")
    assert SyncRun.objects.count() == 0
    assert "Production" in text(admin.get(f"{BASE}connect/"))


def test_steps_cannot_be_skipped(admin: Watching, segment: Simulator) -> None:
    pk = begin(admin)
    assert admin.post(f"{BASE}{pk}/check/")["Location"] == f"{BASE}{pk}/token/"
    assert plan(admin, pk)["Location"] == f"{BASE}{pk}/steps/"
    give(admin, pk, segment.tokens["owner"])
    assert plan(admin, pk)["Location"] == f"{BASE}{pk}/check/"
    assert state(pk) == "draft"


@pytest.mark.parametrize("bad", [{"schedule": "yearly"}, {"schedule": ""}, {"at": "24:00"}, {"zone": "Mars/Base"}])
def test_a_schedule_that_is_none(admin: Watching, segment: Simulator, bad: dict[str, str]) -> None:
    pk = begin(admin)
    give(admin, pk, segment.tokens["owner"])
    checked(admin, pk)
    answer = plan(admin, pk, **bad)
    assert answer.status_code == 200
    assert f'id="{next(iter(bad))}-error"' in answer.content.decode()
    assert state(pk) == "draft"


def test_an_unknown_service_makes_no_draft(admin: Watching) -> None:
    answer = admin.post(f"{BASE}connect/", {"connector": "../../etc"})
    assert "Choose one of the services" in text(answer)
    assert not Connection.objects.exists()


def test_a_token_that_cannot_be_decrypted_is_named(
    admin: Watching, segment: Simulator, spoil: Callable[[int], None]
) -> None:
    pk = begin(admin)
    give(admin, pk, segment.tokens["owner"])
    spoil(pk)
    refused(admin, pk, "token-unreadable", "cannot be decrypted")


def test_a_hostile_name_is_shown_harmless(admin: Watching, segment: Simulator) -> None:
    pk = begin(admin)
    give(admin, pk, segment.tokens["owner"], name='"><script>alert(1)</script>', later="")
    for address in (BASE, f"{BASE}connect/", f"{BASE}{pk}/token/"):
        page = admin.get(address).content.decode()
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


# --- who may ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["", "Auditor", "Compliance manager"])
def test_others_open_no_step_and_change_nothing(admin: Watching, segment: Simulator, role: str) -> None:
    pk = begin(admin)
    give(admin, pk, segment.tokens["owner"])
    checked(admin, pk)
    before = (Connection.objects.values().get(), len(segment.requests))
    person = User.objects.create_user("other", "other@example.com", "a-long-password-1")
    person.groups.set(Group.objects.filter(name=role))
    other = Watching()
    other.force_login(person)
    steps = ("connect/", *(f"{pk}/{name}/" for name in ("steps", "token", "check", "schedule", "discard")))
    given = {
        "connector": "segment",
        "schedule": "daily",
        "at": "06:00",
        "name": "Mine",
        "region": "us",
        "token": "x" * 40,
    }
    for step in steps:
        assert other.get(BASE + step).status_code == 403
        assert other.post(BASE + step, given).status_code == 403
    assert before == (Connection.objects.values().get(), len(segment.requests))
    assert AuditEntry.objects.filter(action="access refused", actor=person).count() == 2 * len(steps)


def test_only_the_verbs_of_pages_are_understood(admin: Watching) -> None:
    pk = begin(admin)
    for step in ("connect/", f"{pk}/token/", f"{pk}/check/", f"{pk}/schedule/"):
        assert admin.put(BASE + step).status_code == 405
        assert admin.delete(BASE + step).status_code == 405
    assert admin.post(f"{BASE}{pk}/steps/").status_code == 405
