"""What the home page says waits for a person, and the pages of review and talk in a browser's place."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from evidence import comments, notices, waiting
from evidence.actions import life
from evidence.library import reviewing
from evidence.models import Artifact, Notice, Review, State

from . import shelves


@pytest.fixture
def team(people: dict[str, Any]) -> tuple[Any, Any]:
    return people["Compliance manager"], people["Administrator"]


def test_each_kind_that_waits_is_one_line(team: tuple[Any, Any], people: dict[str, Any]) -> None:
    one, other = team
    now, today = timezone.now(), timezone.localdate()
    assert waiting.matters(one, now) == []
    for title in ("a", "b"):
        made = shelves.artifact(other, title)
        reviewing.submit(made.versions.get(), by=other, now=now)
    ending, back = shelves.artifact(one, "ending"), shelves.artifact(one, "back")
    shelves.accept(ending, other, until=today + timedelta(days=30))
    reviewing.submit(back.versions.get(), by=one, now=now)
    reviewing.reject(back.versions.get(), by=other, now=now, reason="Not whole")
    life.make(life.Draft(title="x", owner=one, due_on=today - timedelta(days=1)), by=one, now=now)
    life.make(life.Draft(title="y", owner=one, due_on=today + timedelta(days=7)), by=one, now=now)
    said = [each.what for each in waiting.matters(one, now)]
    assert said == [
        "2 versions to review",
        "1 artifact of yours rejected",
        "1 artifact of yours expire within 30 days",
        "1 action of yours late",
        "1 action of yours due within 7 days",
        "1 notice",
    ]
    assert [each.what for each in waiting.matters(other, now)] == []
    assert waiting.matters(people["Auditor"], now) == []


def test_the_home_page_shows_it_in_the_same_number_of_questions(client: Any, team: tuple[Any, Any]) -> None:
    one, other = team
    client.force_login(one)
    counted = []
    for many in (1, 8):
        for number in range(many):
            made = shelves.artifact(other, f"{many} {number}")
            reviewing.submit(made.versions.get(), by=other, now=timezone.now())
        with CaptureQueriesContext(database) as queries:
            assert "to review" in client.get("/").content.decode()
        counted.append(len(queries))
    assert counted[0] == counted[1]


def test_the_queue_decides_on_many_each_for_itself(client: Any, team: tuple[Any, Any]) -> None:
    one, other = team
    now = timezone.now()
    theirs, mine = shelves.artifact(other, "Theirs"), shelves.artifact(one, "Mine")
    for made, by in ((theirs, other), (mine, one)):
        reviewing.submit(made.versions.get(), by=by, now=now)
    client.force_login(one)
    page = client.get("/reviews/").content.decode()
    assert "Theirs" in page
    assert "Mine" not in page.split("<main")[1]
    pks = [made.versions.get().pk for made in (theirs, mine)]
    said = client.post("/reviews/decide/", {"version": pks, "verb": "reject", "reason": ""}, follow=True)
    assert said.content.decode().count("Write why") >= 1
    said = client.post("/reviews/decide/", {"version": pks, "verb": "accept"}, follow=True).content.decode()
    assert "1 accepted." in said
    assert "You brought this version" in said
    states = Review.objects.order_by("version").values_list("version__title", "state")
    assert set(states) == {("Theirs", State.ACCEPTED), ("Mine", State.REVIEW)}


def test_people_comment_mention_and_are_told_once(client: Any, team: tuple[Any, Any]) -> None:
    one, other = team
    artifact = shelves.artifact(one)
    client.force_login(one)
    hostile = f"<script>alert(1)</script> @{other.username} @nobody @{one.username}"
    answer = client.post(f"/comments/artifact/{artifact.pk}/", {"text": hostile})
    comment = artifact.comments.get()
    assert answer.headers["Location"] == f"/artifacts/{artifact.pk}/#comment-{comment.pk}"
    assert list(comment.mentions.all()) == [other]
    assert client.post("/comments/user/1/", {"text": "x"}).status_code == 404
    client.force_login(other)
    notice = Notice.objects.get(person=other)
    assert "1 notice" in client.get("/").content.decode()
    gone = client.post("/notices/see/", {"pk": notice.pk})
    assert gone.headers["Location"].startswith(f"/artifacts/{artifact.pk}/")
    assert notices.unseen(other) == 0
    assert not comments.withdraw(comment, by=other, now=timezone.now())
    assert client.post("/notices/see/", {"pk": "999"}).status_code == 404
    client.force_login(one)
    client.post(f"/comments/{comment.pk}/withdraw/")
    comment.refresh_from_db()
    assert (comment.text, comment.withdrawn_at is None) == ("", False)
    assert Artifact.objects.get(pk=artifact.pk).comments.count() == 1
