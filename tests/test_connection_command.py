"""What the buttons of a connection do, a script can do too."""

import json
import sys
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone

from connectors import connections, pauses
from connectors.models import Connection
from connectors.segment.simulator import Fault
from tests.test_commands import refusal

pytestmark = pytest.mark.django_db


def said(*arguments: str) -> Any:
    out = StringIO()
    call_command("connection", *arguments, stdout=out)
    return json.loads(out.getvalue())


def test_its_condition_is_told_and_changed(connected: Connection) -> None:
    (row,) = said("list")
    assert (row["condition"], row["workspace"], row["code"]) == ("active", "Fernhill Outdoor", "")
    assert said("pause", "Demo")["condition"] == "paused"
    assert refusal("connection", "pause", "Demo")[0] == 2
    assert said("resume", str(connected.pk))["condition"] == "active"
    connections.note_failure(connected, "token-rejected", timezone.now())
    shown = said("show", "Demo")
    assert (shown["condition"], shown["why"]) == ("token-rejected", "Segment rejects the token (401).")
    assert said("leaked", "Demo")["code"] == "token-leaked"
    code, why = refusal("connection", "resume", "Demo")
    assert code == 2
    assert why.startswith("token-missing")
    assert said("disconnect", "Demo")["condition"] == "disconnected"


def test_everything_is_paused_and_resumed(connected: Connection) -> None:
    assert said("pause", "--all") == {"everything": "paused", "changed": True}
    assert pauses.everything() is not None
    assert said("list")[0]["condition"] == "paused"
    assert said("resume", "--all")["changed"]
    assert refusal("connection", "pause")[0] == 2
    assert refusal("connection", "pause", "Nobody")[0] == 2


def test_a_token_is_replaced_from_standard_input(
    connected: Connection, simulator: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def given(token: str) -> None:
        monkeypatch.setattr(sys, "stdin", StringIO(token + "\n"))

    for token, code in (("other", 3), ("revoked", 3), ("owner", 2)):
        given(simulator.tokens[token])
        assert refusal("connection", "replace", "Demo", "--token-stdin")[0] == code, token
    given(simulator.tokens["owner_second"])
    row = said("replace", "Demo", "--token-stdin", "--made", "2026-11-01")
    assert (row["token_ends_in"], row["rotate_on"]) == (simulator.tokens["owner_second"][-4:], "2027-01-30")
    assert said("undo", "Demo")["token_ends_in"] == simulator.tokens["owner"][-4:]
    assert refusal("connection", "undo", "Demo")[0] == 2
    simulator.faults.append(Fault("^/users", "status", times=None, status=403))
    given(simulator.tokens["member"])
    code, why = refusal("connection", "replace", "Demo", "--token-stdin", "--role", "member")
    assert (code, "Users" in why, connections.offered(connected)) == (5, True, None)
    given(simulator.tokens["member"])
    assert said("replace", "Demo", "--token-stdin", "--role", "member", "--reads-less")["condition"] == "active"
