"""A token is replaced without a gap, ages, and can be let go of in a moment."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.core import mail as outbox
from django.test import Client
from django.utils import timezone
from django_q.models import OrmQ

from connectors import conditions, connections, credentials, reminders, runs
from connectors import sync as driver
from connectors.connections import NotPossible
from connectors.models import Connection, Reminder, RunState, SpareToken, SyncPause, SyncRun
from connectors.segment.simulator import Fault
from portal.models import AuditEntry
from tests.clocks import Skipping

pytestmark = pytest.mark.django_db
BASE = "/admin/connectors/connection/"
REJECTS = Fault("^/", "status", times=None, status=401)


def fresh(connection: Connection) -> Connection:
    return Connection.objects.select_related("workspace").get(pk=connection.pk)


def ends_in(simulator: Any, name: str) -> str:
    return str(simulator.tokens[name][-4:])


def replaced(connection: Connection, simulator: Any, name: str = "owner_second") -> Connection:
    now = timezone.now()
    spare = connections.offer(connection, token=simulator.tokens[name], role="owner", made=None, by=None, now=now)
    connections.prove(connection, spare, now=now)
    connections.replace(connection, spare, by=None, now=now)
    return fresh(connection)


def actions() -> list[str]:
    return list(AuditEntry.objects.order_by("pk").values_list("action", flat=True))


# --- the verbs ------------------------------------------------------------------------------------------


def test_the_old_token_is_kept_until_the_first_good_sync(
    connected: Connection, simulator: Any, sync_now: Callable[..., Any]
) -> None:
    row = replaced(connected, simulator)
    assert row.token_hint == ends_in(simulator, "owner_second")
    kept = connections.previous(row)
    assert kept is not None
    assert credentials.unseal(row, kept) == simulator.tokens["owner"]
    assert credentials.unseal(row) == simulator.tokens["owner_second"]
    run = sync_now()
    assert run.state == RunState.PUBLISHED
    assert run.token_fingerprint == row.token_fingerprint
    assert not SpareToken.objects.exists()
    assert actions().count("token replaced") == actions().count("token before wiped") == 1


def test_a_new_token_that_is_refused_gives_way_to_the_old_one(
    connected: Connection, simulator: Any, sync_now: Callable[..., Any]
) -> None:
    replaced(connected, simulator)
    simulator.faults.append(REJECTS)
    run = sync_now()
    assert (run.state, run.error_code) == (RunState.FAILED, "token-rejected")
    row = fresh(connected)
    assert (row.token_hint, row.error_code) == (ends_in(simulator, "owner"), "replacement-undone")
    assert credentials.unseal(row) == simulator.tokens["owner"]
    assert not SpareToken.objects.exists()
    assert "token before restored" in actions()
    simulator.faults.clear()
    assert sync_now().state == RunState.PUBLISHED
    assert fresh(connected).error_code == ""


def test_an_outage_undoes_nothing(connected: Connection, simulator: Any, sync_now: Callable[..., Any]) -> None:
    replaced(connected, simulator)
    simulator.faults.append(Fault("^/", "status", times=None, status=503))
    assert sync_now().state == RunState.FAILED
    row = fresh(connected)
    assert row.token_hint == ends_in(simulator, "owner_second")
    assert connections.previous(row) is not None


def test_a_run_that_read_with_the_old_token_settles_nothing(connected: Connection, simulator: Any) -> None:
    """It was begun before the replacement and is told so; the new one has not read anything yet."""
    run = runs.request(connected, trigger="test", now=timezone.now(), enqueue=False)
    before = connected.token_fingerprint
    row = replaced(connected, simulator)
    run.refresh_from_db()
    assert (run.state, run.error_code) == (RunState.CANCELLED, "token-replaced")
    connections.settle(row, before, timezone.now())
    assert connections.previous(row) is not None


@pytest.mark.parametrize(
    ("token", "code"),
    [
        ("other", "wrong-workspace"),
        ("revoked", "token-rejected"),
        ("owner", "token-unchanged"),
        ("", "token-missing"),
        ("short", "token-malformed"),
    ],
)
def test_what_cannot_replace_is_dropped_and_changes_nothing(
    connected: Connection, simulator: Any, token: str, code: str
) -> None:
    before = Connection.objects.values().get()
    with pytest.raises(NotPossible) as refused:
        _try(connected, simulator.tokens.get(token, token))
    assert (refused.value.code, refused.value.field) == (code, "token")
    assert Connection.objects.values().get() == before
    assert not SpareToken.objects.exists()


def _try(connection: Connection, token: str) -> None:
    now = timezone.now()
    spare = connections.offer(connection, token=token, role="owner", made=None, by=None, now=now)
    connections.prove(connection, spare, now=now)


def test_an_untried_token_takes_no_place(connected: Connection, simulator: Any) -> None:
    now = timezone.now()
    spare = connections.offer(
        connected, token=simulator.tokens["owner_second"], role="owner", made=None, by=None, now=now
    )
    with pytest.raises(NotPossible, match="paste it again"):
        connections.replace(connected, spare, by=None, now=now)
    assert fresh(connected).token_hint == ends_in(simulator, "owner")
    assert connections.drop_old_offers(now + timedelta(hours=23)) == 0
    assert connections.drop_old_offers(now + timedelta(hours=25)) == 1


def test_a_refused_token_is_not_kept_to_come_back_to(connected: Connection, simulator: Any) -> None:
    connections.note_failure(connected, "token-rejected", timezone.now())
    row = replaced(connected, simulator)
    assert (row.error_code, connections.previous(row)) == ("", None)
    assert not connections.undo(row, by=None, now=timezone.now())


def test_one_that_cannot_be_decrypted_can_be_replaced(
    connected: Connection, simulator: Any, spoil: Callable[[int], None]
) -> None:
    spoil(connected.pk)
    row = replaced(connected, simulator)
    assert credentials.unseal(row) == simulator.tokens["owner_second"]
    assert connections.previous(row) is None


def test_replaced_twice_the_proved_one_stays_the_one_to_come_back_to(connected: Connection, simulator: Any) -> None:
    replaced(connected, simulator, "owner_second")
    row = replaced(connected, simulator, "member")
    kept = connections.previous(row)
    assert kept is not None
    assert kept.token_hint == ends_in(simulator, "owner")
    assert connections.undo(row, by=None, now=timezone.now())
    assert credentials.unseal(fresh(row)) == simulator.tokens["owner"]


def test_a_token_that_another_connection_keeps_beside_it_is_in_use(connected: Connection, simulator: Any) -> None:
    from connectors import registry

    replaced(connected, simulator)
    draft = connections.draft(registry.get("segment"), by=None, now=timezone.now())
    with pytest.raises(NotPossible) as refused:
        connections.set_credential(
            draft, name="B", region="demo", token=simulator.tokens["owner"], role="owner", now=timezone.now()
        )
    assert refused.value.code == "token-in-use"


def test_a_leaked_token_is_gone_at_once(connected: Connection, simulator: Any) -> None:
    replaced(connected, simulator)
    run = runs.request(connected, trigger="test", now=timezone.now(), enqueue=False)
    connections.leaked(fresh(connected), by=None, now=timezone.now())
    row = fresh(connected)
    assert (row.state, row.error_code, row.token_fingerprint, row.rotate_on) == ("paused", "token-leaked", "", None)
    assert Connection.objects.only("token").get().token == ""
    assert not SpareToken.objects.exists()
    assert SyncPause.objects.filter(connection=row, until=None).count() == 1
    run.refresh_from_db()
    assert (run.state, run.error_code) == (RunState.CANCELLED, "token-leaked")
    with pytest.raises(NotPossible) as refused:
        connections.resume(row, by=None, now=timezone.now())
    assert refused.value.code == "token-missing"
    row = replaced(row, simulator, "owner_second")
    connections.resume(row, by=None, now=timezone.now())
    assert conditions.now_of(row, timezone.now()).condition == conditions.Condition.ACTIVE


def test_disconnecting_wipes_the_spares_too(connected: Connection, simulator: Any) -> None:
    row = replaced(connected, simulator)
    connections.disconnect(row, by=None, now=timezone.now())
    assert not SpareToken.objects.exists()
    assert Connection.objects.only("token").get().token == ""


# --- the pages ------------------------------------------------------------------------------------------


@pytest.fixture
def boss(client: Client, people: dict[str, Any]) -> Client:
    client.force_login(people["Administrator"])
    return client


def post(boss: Client, connection: Connection, verb: str, **given: str) -> str:
    answer = boss.post(f"{BASE}{connection.pk}/{verb}/", given, follow=True)
    assert answer.status_code == 200
    return answer.content.decode()


def test_the_page_tries_replaces_and_leads_to_the_sync(boss: Client, connected: Connection, simulator: Any) -> None:
    token = simulator.tokens["owner_second"]
    said = post(boss, connected, "replace", token=f"  Bearer {token}\n", role="owner", made="2026-11-01")
    row = fresh(connected)
    assert (row.token_hint, row.token_made, row.rotate_on) == (token[-4:], date(2026, 11, 1), date(2027, 1, 30))
    assert "The token was replaced" in said
    assert f"<title>Run {SyncRun.objects.get().pk}" in said
    assert token not in said
    page = boss.get(f"{BASE}{row.pk}/change/").content.decode()
    assert "The one before" in page
    assert "made it" not in page
    said = post(boss, row, "undo")
    assert "in use again" in said
    assert fresh(row).token_hint == ends_in(simulator, "owner")


def test_one_that_reads_less_asks_first(boss: Client, connected: Connection, simulator: Any) -> None:
    simulator.faults.append(Fault("^/users", "status", times=None, status=403))
    said = post(boss, connected, "replace", token=simulator.tokens["member"], role="member", made="")
    assert "reads fewer streams" in said
    assert "Users" in said
    assert fresh(connected).token_hint == ends_in(simulator, "owner")
    assert simulator.tokens["member"] not in said
    said = post(boss, connected, "take")
    assert fresh(connected).token_hint == ends_in(simulator, "member")
    assert (fresh(connected).token_role, SyncRun.objects.count()) == ("member", 1)
    assert "waits to be taken" in post(boss, connected, "take")


def test_what_is_wrong_stands_beside_the_field_and_what_was_typed_stays(
    boss: Client, connected: Connection, simulator: Any
) -> None:
    said = post(boss, connected, "replace", token=simulator.tokens["other"], role="member", made="2026-10-05")
    assert "opens another workspace" in said
    assert "/help/wrong-workspace/" in said
    assert 'value="2026-10-05"' in said
    assert 'value="member" checked' in said
    assert simulator.tokens["other"] not in said
    assert "2026-11-25" in post(boss, connected, "replace", token=simulator.tokens["other"], made="yesterday")


def test_leaked_asks_first_and_then_leads_on(boss: Client, connected: Connection) -> None:
    page = boss.get(f"{BASE}{connected.pk}/leaked/").content.decode()
    assert "Pause and wipe" in page
    assert fresh(connected).state == "active"
    said = post(boss, connected, "leaked")
    assert "Delete the token in Segment" in said
    assert "Pause and wipe" not in said
    assert f"{BASE}{connected.pk}/replace/" in said


def test_details_are_kept_or_refused_beside_their_field(boss: Client, connected: Connection) -> None:
    given = {"name": "Shop", "environment": "production", "contacts": "a@b.example, c@d.example\n", "made": ""}
    post(boss, connected, "describe", rotation_days="30", **given)
    row = fresh(connected)
    assert (row.name, row.environment, row.contacts) == ("Shop", "production", ["a@b.example", "c@d.example"])
    assert row.rotation_days == 30
    assert row.token_since is not None
    assert row.rotate_on == conditions.today(row.token_since) + timedelta(days=30)
    for wrong, code in (
        ({"contacts": "nobody"}, "contact-invalid"),
        ({"rotation_days": "²"}, "rotation-invalid"),
        ({"rotation_days": "1000"}, "rotation-invalid"),
        ({"made": "2999-01-01"}, "made-later"),
        ({"made": "soon"}, "made-unreadable"),
        ({"environment": "moon"}, "environment-unknown"),
        ({"name": "  "}, "name-missing"),
    ):
        said = post(boss, connected, "describe", **{**given, "rotation_days": "30", **wrong})
        assert f"/help/{code}/" in said, wrong
    assert fresh(connected).name == "Shop"
    assert "Nothing was changed" in post(boss, connected, "describe", rotation_days="30", **given)


# --- reminders ------------------------------------------------------------------------------------------

DAY = datetime(2026, 11, 24, 12, tzinfo=UTC)


def of_age(connection: Connection, on: date) -> None:
    Connection.objects.filter(pk=connection.pk).update(rotate_on=on)


def test_each_reminder_comes_once(connected: Connection, people: dict[str, Any], settings: Any) -> None:
    of_age(connected, date(2026, 12, 31))
    said = []
    for hours in range(0, 24 * 60, 5):
        said += [(each.days, (each.rotate_on - conditions.today(each.at)).days) for each in
                 reminders.remind(DAY + timedelta(hours=hours))]  # fmt: skip
    assert said == [(30, 30), (7, 7), (1, 1), (0, 0)]
    assert Reminder.objects.count() == AuditEntry.objects.filter(action="rotation reminded").count() == 4
    of_age(connected, date(2027, 3, 31))  # a new token comes of age anew
    assert [each.days for each in reminders.remind(datetime(2027, 3, 2, tzinfo=UTC))] == [30]


def test_after_a_gap_only_the_reminder_of_the_day_comes(connected: Connection) -> None:
    of_age(connected, date(2026, 11, 27))
    assert [each.days for each in reminders.remind(DAY)] == [7]
    assert reminders.remind(DAY) == []


def test_nobody_is_reminded_without_a_policy_or_of_what_is_over(connected: Connection) -> None:
    of_age(connected, date(2026, 11, 23))
    assert reminders.remind(DAY) == []
    Connection.objects.update(rotate_on=None)
    assert reminders.remind(DAY) == []


def test_the_mail_goes_to_the_contacts_else_to_the_administrators(
    connected: Connection, people: dict[str, Any], settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.SENDS_MAIL = True
    settings.MAIL_FROM = "portal@example.com"
    Connection.objects.update(rotate_on=date(2026, 12, 1), name="Shop\r\nBcc: thief@example.com")
    (made,) = reminders.remind(DAY)
    assert reminders.queue_mail(DAY) == [made.pk]
    assert reminders.queue_mail(DAY) == [], "queued once, and again only when it failed"
    assert OrmQ.objects.count() == 1
    assert reminders.send(made.pk, DAY)
    (mail,) = outbox.outbox
    assert mail.to == ["administrator@example.com"]
    assert "\n" not in mail.subject
    assert f"/admin/connectors/connection/{connected.pk}/replace/" in mail.body
    assert Reminder.objects.get().mailed_at == DAY
    assert reminders.queue_mail(DAY + timedelta(days=1)) == []
    Connection.objects.update(contacts=["x@example.com", "y@example.com"], rotate_on=date(2026, 12, 2))
    (made,) = reminders.remind(DAY + timedelta(days=1))
    assert reminders.send(made.pk, DAY + timedelta(days=1))
    assert [mail.to for mail in outbox.outbox[1:]] == [["x@example.com"], ["y@example.com"]]


def test_a_mail_that_is_refused_is_tried_again_for_a_day(connected: Connection, settings: Any) -> None:
    settings.SENDS_MAIL = True
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9  # nobody listens there
    Connection.objects.update(rotate_on=date(2026, 12, 1), contacts=["x@example.com"])
    (made,) = reminders.remind(DAY)
    assert reminders.queue_mail(DAY)
    assert not reminders.send(made.pk, DAY)
    assert reminders.queue_mail(DAY + reminders.AGAIN)
    assert reminders.send(made.pk, DAY + timedelta(days=1, minutes=1)), "given up"
    assert Reminder.objects.get().mailed_at is None
    assert reminders.queue_mail(DAY + timedelta(days=2)) == []


def test_home_says_that_a_token_comes_of_age(client: Client, people: dict[str, Any], connected: Connection) -> None:
    client.force_login(people["Auditor"])
    assert "due for rotation" not in client.get("/").content.decode()
    Connection.objects.update(rotate_on=conditions.today(timezone.now()) + timedelta(days=7))
    assert "The token is due for rotation in 7 days" in client.get("/").content.decode()
    Connection.objects.update(rotate_on=conditions.today(timezone.now()) - timedelta(days=7))
    said = client.get("/").content.decode()
    assert "The token is overdue" in said
    assert conditions.now_of(connected, timezone.now()).condition == conditions.Condition.ROTATION_DUE


def test_a_paused_connection_is_replaced_and_waits(connected: Connection, boss: Client, simulator: Any) -> None:
    connections.pause(connected, by=None, now=timezone.now())
    said = post(boss, connected, "replace", token=simulator.tokens["owner_second"], role="owner", made="")
    assert "The token was replaced" in said
    assert (fresh(connected).state, SyncRun.objects.count()) == ("paused", 0)


def test_a_slow_lane_that_is_refused_undoes_the_replacement_as_well(connected: Connection, simulator: Any) -> None:
    replaced(connected, simulator)
    run = runs.request(connected, trigger="test", now=timezone.now(), lane="slow", enqueue=False)  # type: ignore[arg-type]
    simulator.faults.append(REJECTS)
    driver.perform(run.pk, clock=Skipping())
    assert fresh(connected).token_hint == ends_in(simulator, "owner")
