"""The portal without a browser: what the commands print, and what their exit codes mean."""

import json
import os
import re
import subprocess
import sys
from datetime import date, time
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command, get_commands, load_command_class
from django.utils import timezone

from connectors import pauses, registry, runs
from connectors.models import Connection, Snapshot
from connectors.schedules import Plan
from connectors.segment.simulator import Fault, Simulator, serve

pytestmark = pytest.mark.django_db
ROOT = Path(__file__).parent.parent
OURS = sorted(name for name, app in get_commands().items() if app in {"portal", "connectors", "evidence"})


def connect(
    simulator: Simulator, monkeypatch: Any, token: str, region: str = "demo", name: str = "Demo"
) -> dict[str, Any]:
    monkeypatch.setattr(sys, "stdin", StringIO(token + "\n"))
    out = StringIO()
    call_command("connect", "segment", name=name, region=region, token_stdin=True, json=True, stdout=out)
    found: dict[str, Any] = json.loads(out.getvalue())
    return found


def refusal(*arguments: Any, **options: Any) -> tuple[int, str]:
    """The exit code and the sentence with which a command ends."""
    try:
        call_command(*arguments, stdout=StringIO(), stderr=StringIO(), **options)
    except CommandError as error:
        return error.returncode, str(error)
    except SystemExit as error:
        return int(error.code or 0), ""
    return 0, ""


@pytest.mark.parametrize("name", OURS)
def test_every_command_explains_itself(name: str) -> None:
    command = load_command_class(get_commands()[name], name)
    text = command.create_parser("manage.py", name).format_help()
    assert len(command.help) > 30
    assert name in text


def test_connect_prints_what_it_found(simulator: Simulator, region: str, monkeypatch: Any) -> None:
    said = connect(simulator, monkeypatch, f'  Bearer "{simulator.tokens["owner"]}"')
    assert set(said) == {"connection", "workspace", "region", "streams"}
    assert said["workspace"]["slug"] == "fernhill-outdoor"
    assert set(said["workspace"]) == {"id", "slug", "name"}
    assert said["region"] == "demo"
    chosen = [each for each in registry.get("segment").streams if each.group.standard and not each.slow]
    assert {name for name, found in said["streams"].items() if found == "readable"} == {each.name for each in chosen}
    assert set(said["streams"].values()) == {"readable", "not_checked"}
    assert Connection.objects.get().state == "active"


def test_connect_reads_what_is_asked_for(simulator: Simulator, region: str, monkeypatch: Any) -> None:
    monkeypatch.setattr(sys, "stdin", StringIO(simulator.tokens["owner"]))
    given = {"name": "Demo", "region": region, "token_stdin": True, "groups": "delivery, people", "keep_code": True}
    call_command("connect", "segment", **given, stdout=StringIO(), stderr=StringIO())
    row = Connection.objects.get()
    assert (row.groups, row.keep_code) == (["people", "delivery"], True)
    assert row.capabilities["streams"]["sources"]["verdict"] == "not_checked"


def test_connect_keeps_what_is_said_about_the_connection(simulator: Simulator, region: str, monkeypatch: Any) -> None:
    monkeypatch.setattr(sys, "stdin", StringIO(simulator.tokens["owner"]))
    said = ["--environment", "staging", "--made", "2026-01-31", "--rotation-days", "30"]
    said += ["--contact", "ann@example.com", "--contact", "bob@example.com", "--groups", "workspace"]
    given = ["connect", "segment", "--name", "Demo", "--region", region, "--token-stdin", *said]
    call_command(*given, stdout=StringIO(), stderr=StringIO())
    row = Connection.objects.get()
    assert (row.environment, row.token_made, row.rotate_on) == ("staging", date(2026, 1, 31), date(2026, 3, 2))
    assert (row.contacts, row.rotation_days, row.state) == (["ann@example.com", "bob@example.com"], 30, "active")


@pytest.mark.parametrize(
    ("said", "word"),
    [
        ({"made": "31.1.2026"}, "made-unreadable"),
        ({"made": "2999-01-01"}, "made-later"),
        ({"contact": ["nobody"]}, "contact-invalid"),
        ({"rotation_days": -1}, "rotation-invalid"),
        ({"environment": "moon"}, "environment-unknown"),
    ],
)
def test_connect_refuses_what_cannot_be_said_of_a_connection(
    simulator: Simulator, region: str, monkeypatch: Any, said: dict[str, Any], word: str
) -> None:
    monkeypatch.setattr(sys, "stdin", StringIO(simulator.tokens["owner"]))
    ended, sentence = refusal("connect", "segment", name="Demo", region=region, token_stdin=True, **said)
    assert (ended, sentence.split(":")[0]) == (2, word)
    assert not Connection.objects.exists()


@pytest.mark.parametrize(("groups", "word"), [("people,nonsense", "group-unknown"), (" , ", "groups-missing")])
def test_connect_refuses_groups_that_are_none(
    simulator: Simulator, region: str, monkeypatch: Any, groups: str, word: str
) -> None:
    monkeypatch.setattr(sys, "stdin", StringIO(simulator.tokens["owner"]))
    ended, said = refusal("connect", "segment", name="Demo", region=region, token_stdin=True, groups=groups)
    assert (ended, said.split(":")[0]) == (2, word)
    assert not Connection.objects.exists()


@pytest.mark.parametrize(
    ("token", "word"),
    [("", "token-missing"), ("short", "token-malformed"), ("two words and more", "token-malformed")],
)
def test_connect_refuses_what_cannot_be_a_token(
    simulator: Simulator, region: str, monkeypatch: Any, token: str, word: str
) -> None:
    monkeypatch.setattr(sys, "stdin", StringIO(token))
    ended, said = refusal("connect", "segment", name="Demo", region=region, token_stdin=True)
    assert (ended, said.split(":")[0]) == (2, word)
    assert not Connection.objects.exists(), "a draft that failed leaves nothing behind"


def test_connect_names_a_region_that_is_not_there(simulator: Simulator, region: str, monkeypatch: Any) -> None:
    monkeypatch.setattr(sys, "stdin", StringIO(simulator.tokens["owner"]))
    ended, said = refusal("connect", "segment", name="Demo", region="mars", token_stdin=True)
    assert (ended, said.split(":")[0]) == (2, "region-unknown")


def test_connect_says_that_the_token_is_refused(simulator: Simulator, settings: Any, monkeypatch: Any) -> None:
    only_here(settings, simulator.url)
    monkeypatch.setattr(sys, "stdin", StringIO(simulator.tokens["revoked"]))
    ended, said = refusal("connect", "segment", name="Demo", region="demo", token_stdin=True)
    assert (ended, said.split(":")[0]) == (3, "token-rejected")
    assert simulator.tokens["revoked"] not in said


def test_connect_says_that_nobody_answers(simulator: Simulator, settings: Any, monkeypatch: Any) -> None:
    only_here(settings, simulator.url)
    simulator.close()
    monkeypatch.setattr(sys, "stdin", StringIO(simulator.tokens["owner"]))
    ended, said = refusal("connect", "segment", name="Demo", region="demo", token_stdin=True)
    assert (ended, said.split(":")[0]) == (4, "unreachable")


def only_here(settings: Any, url: str) -> None:
    """Segment's own addresses stand for the simulator's too, so that no test ever asks the real ones."""
    settings.REGIONS = {"segment": {"demo": url, "us": url, "eu": url}}


@pytest.mark.parametrize(
    ("given", "plan"),
    [
        ({}, Plan("daily", zone="Asia/Tokyo")),
        ({"schedule": "manual"}, Plan("manual")),
        ({"at": "18:45", "zone": "Europe/Berlin"}, Plan("daily", time(18, 45), zone="Europe/Berlin")),
        ({"schedule": "weekly", "weekday": "friday"}, Plan("weekly", weekday=4, zone="Asia/Tokyo")),
        ({"cron": "30 6 * * 1-5", "zone": "utc"}, Plan("cron", zone="UTC", cron="30 6 * * 1-5")),
    ],
)
@pytest.mark.usefixtures("region")
def test_connect_takes_a_schedule(
    simulator: Simulator, monkeypatch: Any, settings: Any, given: dict[str, str], plan: Plan
) -> None:
    settings.TIME_ZONE = "Asia/Tokyo"
    monkeypatch.setattr(sys, "stdin", StringIO(simulator.tokens["owner"]))
    call_command("connect", "segment", name="D", region="demo", token_stdin=True, stdout=StringIO(), **given)
    found = Connection.objects.get()
    assert found.plan == plan
    assert (found.next_sync is None) is (plan.kind == "manual")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"schedule": "yearly"}, "schedule-unknown: "),
        ({"at": "25:00", "zone": "Mars/Base"}, "time-unknown: .* zone-unknown: "),
        ({"schedule": "weekly", "weekday": "noday"}, "weekday-unknown: "),
        ({"cron": "* * * * *"}, "cron-too-often: "),
        ({"cron": "0 6 30 2 *"}, "cron-never: "),
        ({"schedule": "cron"}, "cron-unreadable: "),
        ({"schedule": "daily", "cron": "0 6 * * *"}, "--cron goes with --schedule cron, not with daily."),
        ({"schedule": "hourly", "at": "06:00"}, "--at goes with --schedule daily or weekly, not with hourly."),
    ],
)
def test_connect_refuses_a_schedule_that_is_none_before_it_asks_anybody(
    simulator: Simulator, region: str, given: dict[str, str], said: str
) -> None:
    ended, sentence = refusal("connect", "segment", name="Demo", region=region, token_stdin=True, **given)
    assert ended == 2
    assert re.match(said, sentence)
    assert (Connection.objects.count(), len(simulator.requests)) == (0, 0)


def test_sync_is_refused_while_everything_is_paused(connected: Connection) -> None:
    pauses.pause_everything(by=None, reason="Moving house", now=timezone.now())
    ended, said = refusal("sync", connected.name)
    assert ended == 2
    assert "(“Moving house”)" in said


def test_the_same_token_or_workspace_twice_names_the_first(simulator: Simulator, region: str, monkeypatch: Any) -> None:
    first = connect(simulator, monkeypatch, simulator.tokens["owner"])["connection"]
    for token, code in (("owner", "token-in-use"), ("owner_second", "workspace-already-connected")):
        monkeypatch.setattr(sys, "stdin", StringIO(simulator.tokens[token]))
        ended, said = refusal("connect", "segment", name="Second", region=region, token_stdin=True)
        assert (ended, said.split(":")[0]) == (3, code)
        assert f"connection {first}" in said
    assert Connection.objects.count() == 1


def test_sync_prints_what_it_read(connected: Connection) -> None:
    out = StringIO()
    call_command("sync", str(connected.pk), json=True, stdout=out)
    said = json.loads(out.getvalue())
    assert set(said) == {"run", "state", "snapshot", "requests", "seconds", "publishing", "streams"}
    assert (said["state"], said["snapshot"]) == ("published", 1)
    assert said["streams"]["sources"] == {"coverage": "complete", "pages": 1, "items": 20}


def test_sync_ends_with_5_when_something_could_not_be_read(connected: Connection, simulator: Simulator) -> None:
    simulator.faults.append(Fault("^/users$", "status", times=None, status=403))
    assert refusal("sync", connected.name)[0] == 5


def test_sync_ends_with_3_and_4(connected: Connection, simulator: Simulator) -> None:
    simulator.faults.append(Fault("", "revoked", times=None))
    assert refusal("sync", connected.name)[0] == 3
    simulator.close()


def test_sync_ends_with_2_for_bad_usage(connected: Connection) -> None:
    assert refusal("sync", "nobody")[0] == 2
    runs.request(connected, trigger="test", now=timezone.now(), enqueue=False)
    ended, said = refusal("sync", connected.name)
    assert ended == 2
    assert "already under way" in said


def test_thirty_days_are_verified_clean(sync_now: Any, simulator: Simulator) -> None:
    for day in range(30):
        simulator.settings.day = day
        assert sync_now(("sources", "destinations", "users", "tracking_plan_rules")).state == "published"
    out = StringIO()
    call_command("verify", json=True, stdout=out)
    said = json.loads(out.getvalue())
    assert (said["ok"], said["snapshots"]) == (True, 30)
    assert Snapshot.objects.count() == 30


@pytest.mark.slow
def test_in_processes_of_its_own_with_a_file(tmp_path: Path) -> None:
    """As a script would do it, from keys to a report; then the canaries are searched in every byte that was written."""
    with serve(size="small") as simulator:
        env = {
            **os.environ,
            "PORTAL_DATA": str(tmp_path),
            "SEGMENT_REGIONS": f"demo={simulator.url}",
            "DATABASE_URL": "",
        }
        for name in ("SECRET_KEY", "FERNET_KEYS", "FINGERPRINT_KEY"):
            env.pop(name)

        def run(*arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                [sys.executable, "manage.py", *arguments],
                check=False,
                cwd=ROOT,
                env=env,
                input=given,
                capture_output=True,
                text=True,
            )

        missing = run("migrate")
        assert missing.returncode == 2
        assert "manage.py keys" in missing.stderr
        assert "Traceback" not in missing.stderr
        assert run("keys").returncode == 0
        assert (tmp_path / "private.env").stat().st_mode & 0o777 == 0o600
        assert (tmp_path / "signing.key").stat().st_mode & 0o777 == 0o600
        said = [run("migrate", "-v0")]
        token = simulator.tokens["owner"]
        said.append(
            run("connect", "segment", "--name", "D", "--region", "demo", "--token-stdin", "--json", given=token)
        )
        said.append(run("sync", "D", "--json"))
        said.append(run("report", "destinations", "--workspace", "1", "--format", "csv"))
        said.append(run("verify", "--json"))
        assert [each.returncode for each in said] == [0] * 5, [each.stderr for each in said]
        assert json.loads(said[-1].stdout)["ok"]
        written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
        written += "".join(each.stdout + each.stderr for each in said).encode()
        assert not [secret[:10] for secret in simulator.secrets if secret.encode() in written]


def test_a_token_for_an_added_region_is_never_sent_to_segment(
    simulator: Simulator, settings: Any, monkeypatch: Any
) -> None:
    with serve(size="small") as elsewhere:
        settings.REGIONS = {"segment": {"demo": simulator.url, "us": elsewhere.url, "eu": elsewhere.url}}
        monkeypatch.setattr(sys, "stdin", StringIO(simulator.tokens["revoked"]))
        assert refusal("connect", "segment", name="Demo", region="demo", token_stdin=True)[0] == 3
        assert not elsewhere.requests
        monkeypatch.setattr(sys, "stdin", StringIO(simulator.tokens["revoked"]))
        before = len(simulator.requests)
        assert refusal("connect", "segment", name="Demo", region="us", token_stdin=True)[0] == 3
        assert len(elsewhere.requests) == 2, "both of the service's own regions"
        assert len(simulator.requests) == before
