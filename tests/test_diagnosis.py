"""A diagnosis over the simulator: every step well and ill, in order, once, and gone on with after a death."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone

from connectors import connections, credentials, diagnosis, registry
from connectors.checking import Capability
from connectors.diagnosis import Diagnosis, Step
from connectors.diagnosis.steps import Line, Outcome, Result, as_json, culprit, from_json, hindrance, plan
from connectors.diagnosis.streams import conclude, family
from connectors.diagnosis.text import as_text
from connectors.limits import COMMON
from connectors.models import Connection, ConnectionState, RateWindow
from connectors.segment.simulator import Fault, Simulator, serve
from portal.models import AuditEntry
from tests.hosts import Papers, Proxy, closed_port, listening, papers

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 25, 6, 0, tzinfo=UTC)
WAY = ["proxy", "name", "reach", "tls", "clock", "token", "regions", "identity"]


@pytest.fixture(scope="module")
def running() -> Iterator[Simulator]:
    with serve(size="small", eu_port=0) as simulator:
        yield simulator


@pytest.fixture
def segment(running: Simulator, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Simulator:
    """Both regions of the service on loopback, and no proxy from outside."""
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "https_proxy", "http_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    running.faults.clear()
    running.requests.clear()
    settings.REGIONS = {"segment": {"us": running.url, "eu": running.eu_url}}
    return running


def made(segment: Simulator, token: str = "owner", region: str = "us", **changes: Any) -> Connection:
    """A draft with a token, of a few groups."""
    now = timezone.now()
    row = connections.draft(registry.get("segment"), by=None, now=now)
    connections.set_credential(row, name="Demo", region=region, token=segment.tokens[token], role="owner", now=now)
    Connection.objects.filter(pk=row.pk).update(**{"groups": ["workspace", "data-flow", "people"], **changes})
    return Connection.objects.get(pk=row.pk)


def whole(connection: Connection, now: datetime | None = None) -> dict[str, Step]:
    """A diagnosis to its end: its steps by name."""
    row = diagnosis.begin(connection, by=None, now=now or timezone.now())
    while row.finished_at is None:
        row = diagnosis.go_on(row.pk, now or timezone.now())
    return {step.name: step for step in diagnosis.steps_of(row)}


def code_of(steps: dict[str, Step]) -> str:
    found = culprit(steps.values())
    return found.code if found else ""


# --- when all is well -------------------------------------------------------------------------------------


def test_every_step_is_made_in_order_and_says_what_it_found(segment: Simulator) -> None:
    connection = made(segment)
    steps = whole(connection)
    groups = [group.name for group in registry.get("segment").groups]
    assert list(steps) == [*WAY, *(f"streams:{name}" for name in groups), "limits"]
    assert {name: steps[name].state for name in WAY} == {
        "proxy": Outcome.NOT_APPLICABLE,
        "name": Outcome.NOT_APPLICABLE,
        "reach": Outcome.PASSED,
        "tls": Outcome.NOT_APPLICABLE,
        "clock": Outcome.PASSED,
        "token": Outcome.PASSED,
        "regions": Outcome.PASSED,
        "identity": Outcome.PASSED,
    }
    assert "answered 401" in steps["clock"].said
    assert "clock and the service's agree" in steps["clock"].said
    assert [(line.state, line.title[:2]) for line in steps["regions"].lines] == [
        (Outcome.PASSED, "us"),
        (Outcome.NOT_APPLICABLE, "eu"),
    ]
    assert "no other connection reads it" in steps["identity"].said
    assert all(step.ms is not None and step.at for step in steps.values())
    assert code_of(steps) == ""


def test_streams_that_nobody_chose_or_that_are_slow_are_not_asked(segment: Simulator) -> None:
    steps = whole(made(segment))
    chosen = {"streams:workspace", "streams:data-flow", "streams:people"}
    for name, step in steps.items():
        if step.group:
            assert (step.state is Outcome.PASSED) is (name in chosen), step
    unchosen = steps["streams:audit-trail"]
    assert unchosen.state is Outcome.NOT_ASKED
    assert unchosen.said.startswith("Not chosen.")
    everything = [group.name for group in registry.get("segment").groups]
    slow = whole(made(segment, "owner_second", groups=everything))
    reasons = [step.said for step in slow.values() if step.group and step.state is Outcome.NOT_ASKED]
    assert any("times a minute" in reason for reason in reasons)


def test_only_gets_are_sent_and_each_stream_is_asked_as_a_check_does(segment: Simulator) -> None:
    connection = made(segment)
    connections.check(connection, by=None, now=timezone.now())
    checked = {each.path for each in segment.requests}
    segment.requests.clear()
    whole(connection)
    assert {each.path for each in segment.requests} == checked
    assert {each.method for each in segment.requests} == {"GET"}


def test_limits_tell_what_is_left_and_what_was_counted_here(segment: Simulator) -> None:
    connection, now = made(segment), timezone.now()
    print_ = connection.token_fingerprint
    RateWindow.objects.create(token=print_, endpoint="/x", limit=60, granted=7, ends=now + timedelta(seconds=30))
    RateWindow.objects.create(token=print_, endpoint="/old", limit=60, granted=7, ends=now - timedelta(seconds=1))
    RateWindow.objects.create(token=print_, endpoint="/shut", limit=1, opens=now + timedelta(hours=1))
    found = whole(connection)["limits"]
    assert found.state is Outcome.PASSED
    assert "left, until" in found.said
    assert [line.said[:12] for line in found.lines] == ["Closed until", "7 of 60 in t"]


# --- what can be wrong ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "step", "code"),
    [
        (Fault("^/$", "clock", times=None), "clock", "clock-wrong"),
        (Fault("^/$", "redirect", times=None), "regions", "redirect"),
        (Fault("^/$", "status", status=503, times=None), "regions", "service-error"),
        (Fault("^/$", "close", times=None), "clock", "unreachable"),
        (Fault("^/$", "revoked", times=None), "regions", "token-rejected"),
        (Fault("^/$", "status", status=429, retry_after="9", times=None, after=1), "regions", "rate-limited"),
        (Fault("^/$", "html", times=None), "regions", "not-json"),
        (Fault("^/$", "cut_json", times=None, after=3), "identity", "not-json"),
        (Fault("^/users$", "status", status=403, times=None), "streams:people", "not-permitted"),
        (Fault("^/users$", "status", status=500, times=None), "streams:people", "service-error"),
        (Fault("^/sources", "reset", times=None), "streams:data-flow", "unreachable"),
    ],
)
def test_what_fails_names_its_step_and_its_code(segment: Simulator, given: Fault, step: str, code: str) -> None:
    connection = made(segment)
    segment.faults.append(given)
    found = culprit(whole(connection).values())
    assert found is not None
    assert (found.name, found.code) == (step, code)


def test_a_clock_that_is_off_by_a_minute_is_told_and_does_no_harm(segment: Simulator) -> None:
    connection = made(segment)
    segment.faults.append(Fault("^/$", "clock", value=-60, times=None))
    found = whole(connection)["clock"]
    assert found.state is Outcome.PASSED
    assert "ahead of the service's" in found.said


def test_an_answer_without_a_date_leaves_the_clock_unknown() -> None:
    from connectors.diagnosis.asking import _skew
    from connectors.http import Heard, Told

    found = _skew(Told(200, None, NOW, 3, Heard()))
    assert (found.state, found.code) == (Outcome.UNKNOWN, "")


def test_a_token_of_the_other_region_is_found_there_and_read_there(segment: Simulator) -> None:
    steps = whole(made(segment, "eu_owner"))
    assert steps["regions"].code == "wrong-region"
    assert steps["identity"].state is Outcome.PASSED
    assert steps["streams:people"].state is Outcome.PASSED
    assert code_of(steps) == "wrong-region"


def test_a_host_that_cannot_be_reached_gets_no_token_and_the_other_region_is_asked(
    segment: Simulator, settings: Any
) -> None:
    connection = made(segment)
    settings.REGIONS = {"segment": {"us": f"https://127.0.0.1:{closed_port()}", "eu": segment.eu_url}}
    steps = whole(connection)
    assert code_of(steps) == "unreachable"
    assert steps["reach"].state is Outcome.FAILED
    assert steps["tls"].state is steps["clock"].state is Outcome.NOT_TRIED
    assert [line.state for line in steps["regions"].lines] == [Outcome.NOT_TRIED, Outcome.NOT_APPLICABLE]
    assert steps["regions"].state is steps["identity"].state is Outcome.NOT_TRIED
    assert steps["limits"].state is Outcome.NOT_ASKED


@pytest.mark.parametrize(
    ("origin", "code"),
    [("https://api.invalid", "name-not-resolved"), ("https://127.0.0.1:{}", "unreachable")],
)
def test_a_region_of_the_environment_stays_by_itself(segment: Simulator, settings: Any, origin: str, code: str) -> None:
    settings.REGIONS = {"segment": {**settings.REGIONS["segment"], "own": segment.url}}
    connection = made(segment, region="own")
    settings.REGIONS = {"segment": {**settings.REGIONS["segment"], "own": origin.format(closed_port())}}
    segment.requests.clear()
    steps = whole(connection)
    assert code_of(steps) == code
    assert segment.requests == []  # the token did not go to the service's regions
    assert {line.state for line in steps["regions"].lines} == {Outcome.NOT_TRIED, Outcome.NOT_ASKED}


def test_a_proxy_is_named_without_its_password_and_refusals_are_its_own(
    segment: Simulator, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = made(segment)
    settings.REGIONS = {"segment": {"us": "https://localhost", "eu": segment.eu_url}}
    with listening(Proxy(refuses="407")) as number:
        monkeypatch.setenv("HTTPS_PROXY", f"http://robin:a-canary-password@127.0.0.1:{number}")
        steps = whole(connection)
    assert steps["proxy"].said.count(f"http://127.0.0.1:{number}") == 1
    assert "The proxy looks up localhost" in steps["name"].said
    assert (steps["reach"].code, steps["tls"].state) == ("proxy", Outcome.NOT_TRIED)
    assert "a-canary" not in str(as_json(steps.values())) + as_text(Diagnosis.objects.get())


def test_a_certificate_is_told_with_its_last_day(
    segment: Simulator, settings: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.hosts import tls

    held: Papers = papers(tmp_path, days=30)
    connection = made(segment)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(held.file))
    with listening(tls(held)) as number:
        settings.REGIONS = {"segment": {"us": f"https://localhost:{number}", "eu": segment.eu_url}}
        steps = whole(connection)
    assert steps["tls"].state is Outcome.PASSED
    assert "issued by Acme Proxies, Acme Root for localhost, 127.0.0.1" in steps["tls"].said
    assert "in 29 days" in steps["tls"].said or "in 30 days" in steps["tls"].said


@pytest.mark.parametrize("code", ["token-unreadable", "token-missing", "token-misplaced", "token-malformed"])
def test_a_token_that_is_none_ends_what_needs_it_and_nothing_else(
    segment: Simulator, spoil: Callable[[int], None], code: str
) -> None:
    connection = made(segment)
    if code == "token-unreadable":
        spoil(connection.pk)
    else:
        text = {"token-missing": "", "token-malformed": f"{connection.uid}:short"}.get(code, "another:" + "x" * 40)
        connection.token = text
        connection.save(update_fields=["token"])
    segment.requests.clear()
    steps = whole(connection)
    assert steps["clock"].state is Outcome.PASSED
    assert (steps["token"].state, steps["token"].code) == (Outcome.FAILED, code)
    assert {steps[name].state for name in ("regions", "identity", "streams:people", "limits")} == {Outcome.NOT_TRIED}
    assert [each.token for each in segment.requests] == ["?"]  # to see the clock, without the token


def test_a_token_of_another_workspace_is_told_with_both_names(segment: Simulator) -> None:
    first = made(segment)
    connections.check(first, by=None, now=timezone.now())
    first = connections.activate(first, plan=first.plan, by=None, now=timezone.now())
    assert whole(made(segment, "owner_second"))["identity"].code == "workspace-already-connected"
    credentials.seal(first, first, segment.tokens["other"])
    first.save(update_fields=["token", "token_hint", "token_fingerprint"])
    steps = whole(first)
    assert steps["identity"].code == "wrong-workspace"
    assert first.workspace is not None
    assert first.workspace.name in steps["identity"].said
    assert steps["streams:people"].state is Outcome.NOT_TRIED


def test_after_a_refusal_for_being_too_fast_no_more_streams_are_asked(segment: Simulator) -> None:
    connection = made(segment)
    segment.faults.append(Fault("^/sources$", "status", status=429, retry_after="30", times=None))
    steps = whole(connection)
    assert steps["streams:data-flow"].code == "rate-limited"
    assert steps["streams:people"].state is Outcome.NOT_TRIED


def test_streams_are_not_asked_while_the_service_has_told_us_to_wait(segment: Simulator) -> None:
    connection, now = made(segment), timezone.now()
    RateWindow.objects.create(token=connection.token_fingerprint, endpoint=COMMON, opens=now + timedelta(hours=1))
    steps = whole(connection)
    assert (steps["streams:people"].state, steps["streams:people"].code) == (Outcome.NOT_TRIED, "rate-limited")
    assert not [each for each in segment.requests if each.path == "/users"]


def test_a_fault_of_ours_is_told_and_the_rest_goes_on(segment: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = made(segment)
    monkeypatch.setattr("connectors.http.probes.reach", lambda origin: 1 // 0)
    steps = whole(connection)
    assert (steps["reach"].state, steps["reach"].code) == (Outcome.FAILED, "defect")
    assert steps["token"].state is Outcome.PASSED


# --- pure -------------------------------------------------------------------------------------------------


def test_what_is_stored_reads_back_the_same() -> None:
    step = Step("reach", "Connection").ended(
        Result(Outcome.FAILED, "Nobody.", "unreachable", (Line("One", Outcome.DENIED, "No.", "x"),)), NOW.isoformat(), 7
    )
    assert from_json(as_json([step])) == [step]


def test_a_step_is_hindered_by_what_it_needs_alone() -> None:
    steps = {step.name: step for step in plan(registry.get("segment"))}
    failed = steps["clock"].ended(Result(Outcome.FAILED, "", "clock-wrong"), "", 1)
    assert hindrance([failed], steps["token"]) == ""
    assert hindrance([failed], steps["regions"]) == ""
    none = steps["regions"].ended(Result(Outcome.FAILED, "", "token-rejected"), "", 1)
    elsewhere = steps["regions"].ended(Result(Outcome.FAILED, "", "wrong-region", region="eu"), "", 1)
    assert "Regions" in hindrance([none], steps["identity"])
    assert hindrance([elsewhere], steps["identity"]) == ""


@pytest.mark.parametrize(
    ("verdicts", "state", "code"),
    [
        (["readable", "readable"], Outcome.PASSED, ""),
        (["readable", "denied"], Outcome.PARTIAL, "c1"),
        (["denied", "not_checked"], Outcome.DENIED, "c0"),
        (["denied", "failed"], Outcome.PARTIAL, "c1"),
        (["failed", "unstable"], Outcome.FAILED, "c0"),
        (["not_enabled", "not_checked"], Outcome.OFF, ""),
        (["readable", "not_enabled"], Outcome.PASSED, ""),
        (["not_checked"], Outcome.NOT_ASKED, ""),
    ],
)
def test_a_group_ends_as_its_streams_do(verdicts: list[str], state: Outcome, code: str) -> None:
    found = [(f"S{at}", Capability(verdict, "/x", 200, code=f"c{at}")) for at, verdict in enumerate(verdicts)]
    ended = conclude(found)
    assert (ended.state, ended.code) == (state, code)
    assert len(ended.lines) == len(verdicts)


def test_a_group_is_asked_with_what_it_hangs_on_and_nothing_else() -> None:
    connector = registry.get("segment")
    child = next(stream for stream in connector.streams if stream.parents)
    asked = [stream.name for stream in family([child], connector.streams)]
    assert asked[-1] == child.name
    assert child.parents < set(asked)
    assert len(asked) < len(connector.streams) / 2
    assert [stream.name for stream in family([child], [child])] == [child.name]


# --- once, and to the end ---------------------------------------------------------------------------------


def test_a_second_click_begins_no_second_one_and_a_new_token_does(segment: Simulator) -> None:
    connection = made(segment)
    first = diagnosis.begin(connection, by=None, now=NOW)
    assert diagnosis.begin(connection, by=None, now=NOW + timedelta(minutes=9)).pk == first.pk
    assert diagnosis.begin(connection, by=None, now=NOW + timedelta(minutes=11)).pk != first.pk
    assert AuditEntry.objects.filter(action="connection diagnosed").count() == 2
    credentials.seal(connection, connection, segment.tokens["other"])
    connection.save(update_fields=["token", "token_hint", "token_fingerprint"])
    assert diagnosis.begin(connection, by=None, now=NOW + timedelta(minutes=11)).pk > first.pk + 1


def test_a_step_under_way_is_not_done_a_second_time(segment: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    row = diagnosis.begin(made(segment), by=None, now=NOW)
    inside: list[Diagnosis] = []

    def while_it_runs(origin: str) -> Any:
        inside.append(diagnosis.go_on(row.pk, NOW + timedelta(seconds=1)))
        from connectors.http.probes import Route

        return Route("https", "host", 443)

    monkeypatch.setattr("connectors.http.probes.route", while_it_runs)
    ended = diagnosis.go_on(row.pk, NOW)
    assert len(inside) == 1
    assert (inside[0].done, ended.done) == (0, 1)
    assert diagnosis.under_way(inside[0], NOW + timedelta(seconds=1))


@pytest.mark.parametrize("later", [timedelta(seconds=61), timedelta(hours=-2)])
def test_a_step_whose_process_died_is_taken_again(segment: Simulator, later: timedelta) -> None:
    row = diagnosis.begin(made(segment), by=None, now=NOW)
    assert diagnosis._claim(row, NOW)  # and then it is killed
    assert diagnosis.go_on(row.pk, NOW + timedelta(seconds=59)).done == 0
    assert diagnosis.go_on(row.pk, NOW + later).done == 1


def test_who_was_taken_for_dead_and_wakes_up_writes_nothing(segment: Simulator) -> None:
    row = diagnosis.begin(made(segment), by=None, now=NOW)
    assert diagnosis._claim(row, NOW)
    later = diagnosis.go_on(row.pk, NOW + timedelta(minutes=2))
    late = diagnosis.steps_of(row)[0].ended(Result(Outcome.FAILED, "From the dead."), "", 1)
    diagnosis._keep(row, late, NOW)
    again = Diagnosis.objects.get(pk=row.pk)
    assert (again.steps, again.done) == (later.steps, 1)
    assert "From the dead." not in str(again.steps)


def test_a_token_that_is_replaced_meanwhile_ends_it(segment: Simulator) -> None:
    connection = made(segment)
    row = diagnosis.go_on(diagnosis.begin(connection, by=None, now=NOW).pk, NOW)
    credentials.seal(connection, connection, segment.tokens["other"])
    connection.save(update_fields=["token", "token_hint", "token_fingerprint"])
    segment.requests.clear()
    while row.finished_at is None:
        row = diagnosis.go_on(row.pk, NOW)
    assert {step.code for step in diagnosis.steps_of(row)[1:]} == {"changed-meanwhile"}
    assert segment.requests == []


def test_a_draft_that_is_discarded_takes_its_diagnosis_with_it(segment: Simulator) -> None:
    connection = made(segment)
    row = diagnosis.begin(connection, by=None, now=NOW)
    connections.discard(connection, by=None, now=NOW)
    with pytest.raises(Diagnosis.DoesNotExist):
        diagnosis.go_on(row.pk, NOW)


def test_twenty_are_kept_of_each_connection(segment: Simulator) -> None:
    connection, other = made(segment), made(segment, "other")
    kept = diagnosis.begin(other, by=None, now=NOW)
    for minutes in range(0, 11 * 25, 11):
        newest = diagnosis.begin(connection, by=None, now=NOW + timedelta(minutes=minutes))
    assert Diagnosis.objects.filter(connection=connection).count() == diagnosis.KEPT
    assert set(Diagnosis.objects.filter(pk__in=[kept.pk, newest.pk])) == {kept, newest}


@pytest.mark.parametrize("case", ["no token", "disconnected"])
def test_without_a_token_to_look_at_none_is_begun(segment: Simulator, case: str) -> None:
    connection = made(segment)
    if case == "no token":
        connection = connections.draft(registry.get("segment"), by=None, now=NOW)
    else:
        connection.state = ConnectionState.DISCONNECTED
        connection.save(update_fields=["state"])
    with pytest.raises(connections.NotPossible) as refused:
        diagnosis.begin(connection, by=None, now=NOW)
    assert refused.value.code == {"no token": "token-missing", "disconnected": "wrong-state"}[case]


# --- the command ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (None, 0),
        (Fault("^/$", "revoked", times=None), 3),
        (Fault("^/$", "clock", times=None), 4),
        (Fault("^/users$", "status", status=403, times=None), 5),
    ],
)
def test_the_command_tells_each_step_and_ends_with_what_it_found(
    segment: Simulator, capsys: Any, given: Fault | None, code: int
) -> None:
    connection = made(segment)
    segment.faults.extend([given] if given else [])
    try:
        call_command("diagnose", str(connection.pk))
        ended: Any = 0
    except SystemExit as stopped:
        ended = stopped.code
    said = capsys.readouterr()
    assert ended == code
    assert said.err.count("\n") == len(plan(registry.get("segment")))
    assert "Diagnosis" in said.out


def test_the_command_prints_json_and_refuses_what_is_none(segment: Simulator, capsys: Any) -> None:
    import json

    from django.core.management.base import CommandError

    connection = made(segment)
    call_command("diagnose", connection.name, "--json")
    found = json.loads(capsys.readouterr().out)
    assert found["connection"] == connection.pk
    assert [step["name"] for step in found["steps"]][:8] == WAY
    with pytest.raises(CommandError) as refused:
        call_command("diagnose", "nobody")
    assert refused.value.returncode == 2
