"""The integrity pages, the nightly verification, and what the home page says when something is wrong."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection as database
from django.db import transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from connectors.clock import Clock
from connectors.models import Snapshot
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
