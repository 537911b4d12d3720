"""Guessing gets slow; nobody is locked out; every try leaves a line."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from portal import signin
from portal.models import AuditEntry

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def guesses(count: int, name: str = "mara", address: str = "192.0.2.1") -> None:
    for _ in range(count):
        signin.note_failure(name, address, NOON)


def test_a_few_mistakes_cost_nothing() -> None:
    guesses(3)
    assert signin.seconds_to_wait("mara", "192.0.2.1", NOON) == 0


def test_each_further_guess_doubles_the_wait_up_to_a_quarter_of_an_hour() -> None:
    waits = []
    for _ in range(16):
        guesses(1)
        waits.append(signin.seconds_to_wait("mara", "192.0.2.1", NOON))
    assert waits[:7] == [0, 0, 0, 1, 2, 4, 8]
    assert waits[-1] == 900


def test_the_wait_passes() -> None:
    guesses(6)
    assert signin.seconds_to_wait("mara", "192.0.2.1", NOON) == 4
    assert signin.seconds_to_wait("mara", "192.0.2.1", NOON + timedelta(seconds=4)) == 0


def test_a_stranger_cannot_lock_the_owner_out() -> None:
    guesses(200, address="203.0.113.9")
    assert signin.seconds_to_wait("mara", "192.0.2.1", NOON) <= 10


def test_one_address_that_tries_many_names_is_slowed() -> None:
    for number in range(40):
        guesses(1, name=f"person-{number}")
    assert signin.seconds_to_wait("somebody-else", "192.0.2.1", NOON) == 900


def test_the_right_password_forgives() -> None:
    guesses(5)
    signin.note_success("mara", "192.0.2.1")
    assert signin.seconds_to_wait("mara", "192.0.2.1", NOON) == 0


def test_the_page_answers_429_and_says_how_long(client: Any, people: dict[str, Any]) -> None:
    for _ in range(4):
        client.post("/sign-in/", {"username": "auditor", "password": "wrong"})
    answer = client.post("/sign-in/", {"username": "auditor", "password": "auditor-password-1"})
    assert answer.status_code == 429
    assert b"Wait 1 seconds" in answer.content or b"Wait 1 second" in answer.content
    assert AuditEntry.objects.filter(action="sign-in refused").count() == 5
    assert not AuditEntry.objects.filter(detail__icontains="wrong-password").exists()


def test_the_same_answer_for_unknown_names(client: Any, people: dict[str, Any]) -> None:
    known = client.post("/sign-in/", {"username": "auditor", "password": "wrong"})
    unknown = client.post("/sign-in/", {"username": "who-is-this", "password": "wrong"})
    assert known.status_code == unknown.status_code == 200
    answers = ((known, b"auditor"), (unknown, b"who-is-this"))
    sizes = [len(answer.content.replace(name, b"")) for answer, name in answers]
    assert sizes[0] == pytest.approx(sizes[1], abs=80)  # the csrf token differs in each


def test_a_new_session_at_sign_in_and_none_after_sign_out(client: Any, people: dict[str, Any]) -> None:
    client.get("/sign-in/")
    client.post("/sign-in/", {"username": "auditor", "password": "auditor-password-1"})
    inside = client.cookies["session"].value
    assert client.get("/").status_code == 200
    client.post("/sign-out/")
    client.cookies["session"] = inside
    assert client.get("/").status_code == 302
    assert list(AuditEntry.objects.order_by("id").values_list("action", flat=True)) == ["sign-in", "sign-out"]


def test_a_name_with_a_line_break_cannot_forge_an_entry(client: Any, people: dict[str, Any]) -> None:
    client.post("/sign-in/", {"username": "x\r\n2026 admin sign-in", "password": "wrong"})
    assert "\n" not in AuditEntry.objects.latest("id").target_name


def test_a_password_that_somebody_else_chose_opens_only_the_page_to_change_it(
    client: Any, people: dict[str, Any]
) -> None:
    person = people["Auditor"]
    person.one_time_password = True
    person.save()
    client.force_login(person)
    for url in ("/", "/workspaces/", "/admin/"):
        assert client.get(url)["Location"] == "/account/password/"
    words = {
        "old_password": "auditor-password-1",
        "new_password1": "a-new-long-one-7",
        "new_password2": "a-new-long-one-7",
    }
    assert client.post("/account/password/", words).status_code == 302
    assert client.get("/").status_code == 200
