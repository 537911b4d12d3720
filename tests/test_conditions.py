"""One state for a connection: what it is, since when, and that no list opens a token to find out."""

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.utils import DatabaseError
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from connectors import conditions, connections, credentials, pauses, registry, runs
from connectors import sync as driver
from connectors.conditions import Condition
from connectors.connections import NotPossible
from connectors.models import Ciphertext, Connection, Lane, RunState, SpareToken, SyncRun, Workspace
from connectors.schedules import Plan
from connectors.segment.simulator import Fault
from connectors.spec import ConnectorError
from portal.models import AuditEntry
from tests.clocks import Skipping

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
LIST = "/admin/connectors/connection/"


def now_of(row: Connection) -> tuple[str, datetime | None]:
    found = conditions.now_of(row, timezone.now())
    return found.condition.value, found.since


# --- which one ------------------------------------------------------------------------------------------


def test_every_condition_with_its_moment(connected: Connection) -> None:
    """Each is made by the verb that makes it in life, and `since` is the moment of that verb."""
    hours = iter(range(1, 60))

    def later() -> datetime:
        return NOON + timedelta(hours=next(hours))

    def seen(moment: datetime | None = None) -> tuple[str, bool]:
        found = conditions.now_of(connected, NOON)
        return found.condition.value, moment is None or found.since == moment

    Connection.objects.update(rotate_on=None, since=NOON)
    assert seen(NOON) == ("active", True)
    connections.note_published(connected, at := later(), lacking=2, whole=True)
    assert seen(at) == ("degraded", True)
    connections.note_published(connected, later(), lacking=3, whole=True)
    assert seen(at) == ("degraded", True), "it has been so since the first time"
    for code, condition in (
        ("token-rejected", "token-rejected"),
        ("wrong-workspace", "wrong-workspace"),
        ("timeout", "unreachable"),
        ("rate-limited", "rate-limited"),
        ("defect", "failing"),
    ):
        connections.note_failure(connected, code, at := later())
        connections.note_failure(connected, code, later())
        assert seen(at) == (condition, True)
    connections.note_published(connected, at := later(), lacking=0, whole=False)
    assert seen() == ("failing", True), "the slow lane clears no error"
    connections.note_published(connected, at := later(), lacking=0, whole=True)
    assert seen(at) == ("active", True)
    Connection.objects.update(rotate_on=conditions.today(NOON))
    assert seen() == ("rotation-due", True)
    run = runs.request(connected, trigger="test", now=(at := later()), enqueue=False)
    assert seen(at) == ("syncing", True)
    SyncRun.objects.update(resume_at=later())
    assert seen(at) == ("rate-limited", True)
    runs.cancel(run, None, later())
    pauses.pause_everything(by=None, now=(at := later()))
    assert seen(at) == ("paused", True)
    pauses.resume_everything(by=None, now=later())
    connected.refresh_from_db()
    connections.pause(connected, by=None, now=(at := later()))
    assert seen(at) == ("paused", True)
    connections.disconnect(connected, by=None, now=(at := later()))
    assert seen(at) == ("disconnected", True)
    draft = connections.draft(registry.get("segment"), by=None, now=NOON)
    assert now_of(draft) == ("draft", NOON)


def test_the_slow_lane_does_not_make_it_syncing(connected: Connection) -> None:
    run = runs.request(connected, trigger="test", now=NOON, lane=Lane.SLOW, enqueue=False)
    SyncRun.objects.filter(pk=run.pk).update(resume_at=NOON)
    assert now_of(connected)[0] == "active"


def test_every_error_code_of_a_reading_has_a_condition_of_its_kind() -> None:
    """Whatever ends a run is said: those that no list names are `failing`, never `active`."""
    everything = {*conditions.REJECTED, *conditions.UNREACHABLE}
    assert not set(conditions.REJECTED) & set(conditions.UNREACHABLE)
    assert everything | {"wrong-workspace"} >= connections.REFUSED


# --- the list -------------------------------------------------------------------------------------------


def many_more(count: int) -> None:
    begin = Connection.objects.count()
    rows = Workspace.objects.bulk_create(
        Workspace(connector="segment", remote_id=f"more {begin + n}", region="demo", slug=f"m{n}", name=f"More {n}")
        for n in range(count)
    )
    Connection.objects.bulk_create(
        Connection(
            name=f"Connection {n} of more",
            connector="segment",
            region="demo",
            workspace=each,
            state="active",
            token_fingerprint=f"more {begin + n}",
            token_used_at=NOON,
            created_at=NOON,
            since=NOON,
        )
        for n, each in enumerate(rows)
    )


def test_lists_open_no_token_and_ask_the_same_of_many_as_of_few(
    client: Client, people: dict[str, Any], connected: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.force_login(people["Administrator"])
    opened: list[str] = []

    def opening(sealed: Ciphertext) -> str:
        opened.append("a token")
        return ""

    monkeypatch.setattr(Ciphertext, "opened", opening)
    urls = [
        LIST,
        f"{LIST}?condition=token-rejected",
        f"{LIST}?q=Connection+7",
        "/",
        "/workspaces/",
        "/sources/",
        "/runs/",
    ]
    urls += ["/admin/connectors/syncrun/", "/admin/doctor/", "/sources/segment/"]
    few = []
    for number in (3, 400):
        many_more(number)
        asked = []
        for url in urls:
            with CaptureQueriesContext(connection) as seen:
                assert client.get(url).status_code == 200
            asked.append(len(seen))
        few.append(asked)
    assert few[0] == few[1]
    assert opened == []


def test_the_list_filters_and_counts_by_the_state_that_it_shows(
    client: Client, people: dict[str, Any], connected: Connection
) -> None:
    client.force_login(people["Administrator"])
    many_more(5)
    Connection.objects.filter(name__startswith="Connection 3").update(error_code="token-rejected", since=NOON)
    page = client.get(LIST).content.decode()
    assert "Active (5)" in page
    assert "Token rejected (1)" in page
    page = client.get(f"{LIST}?condition=token-rejected").content.decode()
    assert "Connection 3 of more" in page
    assert "Connection 4 of more" not in page
    assert sum(conditions.counts(timezone.now()).values()) == Connection.objects.count()


def test_many_are_paused_resumed_and_synced_at_once(
    client: Client, people: dict[str, Any], connected: Connection
) -> None:
    client.force_login(people["Administrator"])
    many_more(3)
    chosen = [str(pk) for pk in Connection.objects.values_list("pk", flat=True)]

    def press(action: str) -> str:
        answer = client.post(LIST, {"action": action, "_selected_action": chosen}, follow=True)
        return answer.content.decode()

    assert "4 connections asked to sync" in press("sync")
    assert "already under way" in press("sync")
    assert "4 connections paused" in press("pause")
    assert set(Connection.objects.values_list("state", flat=True)) == {"paused"}
    assert "is paused by now" in press("pause")
    assert "4 connections resumed" in press("resume")
    connections.leaked(connected, by=None, now=timezone.now())
    said = press("resume")
    assert "replace the token first" in said
    assert Connection.objects.get(pk=connected.pk).state == "paused"


# --- by construction ------------------------------------------------------------------------------------


def test_a_connection_cannot_be_moved_to_another_workspace(connected: Connection) -> None:
    other = Workspace.objects.create(connector="segment", remote_id="elsewhere", region="demo", slug="e", name="E")
    for change in (
        lambda: Connection.objects.filter(pk=connected.pk).update(workspace=other),
        lambda: Connection.objects.filter(pk=connected.pk).update(workspace=None),
        lambda: _saved(connected, other),
    ):
        with pytest.raises(DatabaseError, match="never changes its workspace"), transaction.atomic():
            change()
    assert Connection.objects.get().workspace_id == connected.workspace_id


def _saved(row: Connection, other: Workspace) -> None:
    moved = Connection.objects.get(pk=row.pk)
    moved.workspace = other
    moved.save(update_fields=["workspace"])


def test_the_database_refuses_an_active_connection_that_nobody_answered(connected: Connection) -> None:
    for lie in ({"token_fingerprint": ""}, {"token_used_at": None}):
        with pytest.raises(IntegrityError), transaction.atomic():
            Connection.objects.filter(pk=connected.pk).update(**lie)


# --- whatever is done, in whatever order ----------------------------------------------------------------

PLACES = {"owner": "home", "owner_second": "home", "member": "home", "other": "other"}
DENY = Fault("^/", "status", times=None, status=401)
DOWN = Fault("^/", "status", times=None, status=503)


class Life:
    """A portal with up to three connections, and the verbs that people and syncs do with them."""

    def __init__(self, simulator: Any, homes: dict[str, str], dice: random.Random) -> None:
        self.simulator, self.homes, self.dice, self.now = simulator, homes, dice, NOON
        self.done: list[str] = []

    def some(self) -> Connection | None:
        rows = list(Connection.objects.order_by("pk"))
        return self.dice.choice(rows) if rows else None

    def token(self) -> str:
        name = self.dice.choice([*PLACES, "revoked"])
        return str(self.simulator.tokens[name])

    def draft(self) -> None:
        if Connection.objects.exclude(state="disconnected").count() < 2:
            connections.draft(registry.get("segment"), by=None, now=self.now)

    def credential(self, row: Connection) -> None:
        connections.set_credential(row, name="N", region="demo", token=self.token(), role="owner", now=self.now)
        Connection.objects.filter(pk=row.pk).update(groups=["workspace"])

    def check(self, row: Connection) -> None:
        connections.check(row, by=None, now=self.now)

    def activate(self, row: Connection) -> None:
        connections.activate(row, plan=Plan("manual"), by=None, now=self.now)

    def offer(self, row: Connection) -> None:
        spare = connections.offer(row, token=self.token(), role="owner", made=None, by=None, now=self.now)
        if self.dice.random() < 0.8:
            connections.prove(row, spare, now=self.now)

    def replace(self, row: Connection) -> None:
        spare = connections.offered(row)
        if spare is not None:
            connections.replace(row, spare, by=None, now=self.now)
            if self.dice.random() < 0.5:
                self.sync(row)

    def undo(self, row: Connection) -> None:
        connections.undo(row, by=None, now=self.now)

    def pause(self, row: Connection) -> None:
        connections.pause(row, by=None, now=self.now)

    def resume(self, row: Connection) -> None:
        connections.resume(row, by=None, now=self.now)

    def leak(self, row: Connection) -> None:
        connections.leaked(row, by=None, now=self.now)

    def sync(self, row: Connection) -> None:
        run = runs.request(row, trigger="test", now=self.now, enqueue=False)
        driver.perform(run.pk, clock=Skipping())

    def disconnect(self, row: Connection) -> None:
        if self.dice.random() < 0.4:
            connections.disconnect(row, by=None, now=self.now)

    def discard(self, row: Connection) -> None:
        if self.dice.random() < 0.4:
            connections.discard(row, by=None, now=self.now)

    def weather(self, row: Connection) -> None:
        self.simulator.faults[:] = self.dice.choice([[], [], [], [DENY], [DOWN]])

    ANY = (credential, check, activate, offer, replace, undo, pause, resume, leak, sync, disconnect, discard, weather)
    LIKELY = {
        "draft": (credential, credential, check, check, activate, activate, discard),
        "active": (offer, offer, replace, replace, sync, sync, sync, undo, pause, leak, check, disconnect, weather),
        "paused": (resume, resume, offer, replace, undo, leak, disconnect, weather),
        "disconnected": (weather,),
    }

    def begin(self) -> None:
        """Most lives begin with a connection: what comes after it is what matters."""
        self.draft()
        row = Connection.objects.get()
        connections.set_credential(
            row, name="N", region="demo", token=self.simulator.tokens["owner"], role="owner", now=self.now
        )
        Connection.objects.filter(pk=row.pk).update(groups=["workspace"])
        for verb in (Life.check, Life.activate):
            verb(self, Connection.objects.get())

    def go_on(self) -> None:
        self.now += timedelta(minutes=7)
        row = self.some()
        if row is None or self.dice.random() < 0.08:
            self.done.append("draft")
            return self.draft()
        possible = self.ANY if self.dice.random() < 0.2 else self.LIKELY[row.state]
        verb: Callable[[Life, Connection], None] = self.dice.choice(possible)
        self.done.append(f"{verb.__name__} {row.pk}")
        try:
            verb(self, row)
        except (NotPossible, ConnectorError, runs.Refused) as refusal:
            self.done[-1] += f" ({getattr(refusal, 'code', 'refused')})"
        return None

    def believe(self) -> None:
        """What must hold after every verb: seen from the service's own log, not from what the portal says."""
        answered = {asked.token for asked in self.simulator.requests if asked.path == "/" and asked.status == 200}
        prints = {credentials.token_print(text): name for name, text in self.simulator.tokens.items()}
        live = list(Connection.objects.filter(state__in=("active", "paused")).select_related("workspace"))
        for row in live:
            assert row.workspace is not None
            if row.state == "active" or row.token_fingerprint:
                name = prints[row.token_fingerprint]
                assert name in answered, f"{self.done}: nobody has answered {name}"
                assert row.workspace.remote_id == self.homes[PLACES[name]], f"{self.done}: the wrong workspace"
                assert credentials.unseal(row) == self.simulator.tokens[name]
        assert len({row.workspace_id for row in live}) == len(live), self.done
        for row in Connection.objects.filter(state="disconnected").only("token", "token_fingerprint"):
            assert (row.token.opened(), row.token_fingerprint) == ("", ""), self.done
        ended = SpareToken.objects.exclude(connection__state__in=("active", "paused"))
        assert not ended.exists(), self.done
        shown = {each.pk: each.condition for each in conditions.with_condition(Connection.objects.all(), self.now)}  # type: ignore[attr-defined]
        for row in live:
            if shown[row.pk] == Condition.ACTIVE:
                assert (row.state, row.error_code) == ("active", ""), self.done


def test_nothing_is_active_that_its_own_workspace_has_not_answered(region: str, simulator: Any) -> None:
    from tests.simulating import ask

    tokens = {"home": "owner", "other": "other"}
    homes = {place: ask(simulator, "/", token).json()["data"]["workspace"]["id"] for place, token in tokens.items()}
    met: set[str] = set()
    for seed in range(24):
        try:
            with transaction.atomic():
                simulator.faults.clear()
                simulator.requests.clear()
                life = Life(simulator, homes, random.Random(seed))
                if seed % 3:
                    life.begin()
                for _ in range(25):
                    life.go_on()
                    life.believe()
                met |= set(AuditEntry.objects.values_list("action", flat=True))
                raise Over
        except Over:
            pass
    replaced = {"token replaced", "token before wiped", "token before restored", "token leaked"}
    assert {"connection activated", "connection resumed", "connection disconnected", *replaced} <= met


class Over(Exception):
    """A life has ended; the next one begins in an empty portal."""


def test_a_partial_snapshot_makes_it_degraded(
    connected: Connection, simulator: Any, sync_now: Callable[..., Any]
) -> None:
    simulator.faults.append(Fault("^/users", "status", times=None, status=403))
    assert sync_now().state == RunState.PARTIAL
    found = conditions.now_of(connected, timezone.now())
    assert found.condition == Condition.DEGRADED
    assert "not read whole" in found.state.why
    simulator.faults.clear()
    sync_now()
    assert conditions.now_of(connected, timezone.now()).condition == Condition.ACTIVE


def test_a_check_that_finds_the_token_refused_says_so_and_a_good_one_takes_it_back(
    connected: Connection, simulator: Any
) -> None:
    simulator.faults.append(DENY)
    connections.check(connected, by=None, now=timezone.now())
    assert now_of(connected)[0] == "token-rejected"
    simulator.faults[:] = [DOWN]
    connections.check(connected, by=None, now=timezone.now())
    assert now_of(connected)[0] == "token-rejected", "an outage tells nothing of the token"
    simulator.faults.clear()
    connections.check(connected, by=None, now=timezone.now())
    assert now_of(connected)[0] == "active"
