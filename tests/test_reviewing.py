"""Reviews: what may follow what, four eyes, and what holds whatever anybody does."""

import random
from collections.abc import Callable
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from django.db import connection as database
from django.db import transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from evidence import undoing
from evidence.actions import life
from evidence.frameworks import shelf as controls
from evidence.library import reviewing, shelf
from evidence.library.reviewing import FOLLOWS, NotPossible, Verb, allowed, last_day
from evidence.models import Artifact, Kind, Notice, Review, Source, State, Version
from portal.models import AuditEntry

from . import shelves

pytestmark = pytest.mark.django_db
NOW = timezone.now().replace(microsecond=0)


def bring(by: Any, artifact: Any = None, *, title: str = "Access list", at: datetime = NOW) -> Any:
    """One more version of a file, whose bytes nobody looks at here."""
    from evidence.library.standing import new_artifact
    from evidence.library.versions import add

    values = {"sha256": "ab" * 32, "size": 3, "media": "text/plain", "source": Source.UPLOAD}
    values |= {"collected_at": at, "received_at": at}
    if artifact is None:
        owned = {"kind": Kind.FILE, "owner": by, "source": Source.UPLOAD}
        artifact = new_artifact(owned, {**values, "name": "list.txt"}, title=title, now=at)
    return add(artifact, {**values, "name": "list.txt", "stored": True, "body": b""}, title=title, by=by)


@pytest.fixture
def team(people: dict[str, Any], django_user_model: Any) -> list[Any]:
    """Three who may keep and review."""
    third = django_user_model.objects.create_user("third", "third@example.com", "third-password-1")
    third.groups.set(people["Compliance manager"].groups.all())
    return [people["Compliance manager"], people["Administrator"], third]


def refused(act: Callable[[], object]) -> str:
    with pytest.raises(NotPossible) as raised:
        act()
    return raised.value.code


def stands(version: Any) -> str:
    return str(Review.objects.get(version=version).state)


# --- pure -------------------------------------------------------------------------------------------------------


def test_the_table_says_what_may_follow_what() -> None:
    said = {state: {verb.value for verb in Verb if allowed(verb, state)} for state in State}
    assert said == {
        State.DRAFT: {"submit"},
        State.REVIEW: {"withdraw", "accept", "reject"},
        State.ACCEPTED: {"expire", "supersede"},
        State.REJECTED: {"submit"},
        State.EXPIRED: set(),
        State.SUPERSEDED: set(),
    }
    assert {to for _, to in FOLLOWS.values()} == set(State)


@pytest.mark.parametrize(
    ("own", "controls", "expected"),
    [
        (None, [], None),
        (None, [None, None], None),
        (None, [365, None, 90], date(2026, 4, 1)),
        (30, [90], date(2026, 1, 31)),
        (400, [90], date(2027, 2, 5)),
    ],
)
def test_the_artifacts_own_rule_outweighs_its_controls(own: Any, controls: Any, expected: Any, settings: Any) -> None:
    settings.TIME_ZONE = "Europe/Berlin"
    collected = datetime.fromisoformat("2025-12-31T23:30:00+00:00")  # the first of January there
    with timezone.override("Europe/Berlin"):
        assert last_day(collected, own, controls) == expected


# --- verbs ------------------------------------------------------------------------------------------------------


def test_a_version_is_submitted_and_accepted_by_another_person(team: list[Any]) -> None:
    one, other, _ = team
    version = bring(one)
    reviewing.submit(version, by=one, now=NOW, reviewer=other)
    told = Notice.objects.get(person=other)
    assert told.text == "compliance-manager asks you to review “Access list, version 1”"
    assert told.path == f"/artifacts/{version.artifact_id}/?version=1"
    reviewing.accept(version, by=other, now=NOW, reason="Whole")
    artifact = Artifact.objects.get()
    assert (artifact.state, artifact.good, artifact.good_until) == (State.ACCEPTED, 1, None)
    assert Notice.objects.get(person=one).text == "administrator accepted “Access list, version 1”"
    entries = AuditEntry.objects.filter(target=f"artifact {artifact.pk}").order_by("pk")
    assert [entry.action for entry in entries] == ["submitted for review", "accepted"]
    assert entries[1].detail == {"version": 1, "reason": "Whole", "until": "without end"}


def test_nobody_reviews_what_they_brought_or_submitted(team: list[Any], settings: Any) -> None:
    one, other, third = team
    version = bring(one)
    assert refused(lambda: reviewing.submit(version, by=one, now=NOW, reviewer=one)) == "review-own"
    reviewing.submit(version, by=other, now=NOW)
    for person in (one, other):
        assert refused(partial(reviewing.accept, version, by=person, now=NOW)) == "review-own"
        assert refused(partial(reviewing.reject, version, by=person, now=NOW, reason="No")) == "review-own"
    assert stands(version) == State.REVIEW
    reviewing.accept(version, by=third, now=NOW)
    settings.FOUR_EYES = False
    second = bring(one, version.artifact)
    reviewing.submit(second, by=one, now=NOW)
    reviewing.accept(second, by=one, now=NOW)
    assert (stands(version), stands(second)) == (State.SUPERSEDED, State.ACCEPTED)


def test_a_named_reviewer_decides_alone_as_long_as_they_can(team: list[Any], people: dict[str, Any]) -> None:
    one, other, third = team
    version = bring(one)
    asked = people["Auditor"]
    assert refused(lambda: reviewing.submit(version, by=one, now=NOW, reviewer=asked)) == "review-no-reviewer"
    reviewing.submit(version, by=one, now=NOW, reviewer=other)
    assert refused(lambda: reviewing.accept(version, by=third, now=NOW)) == "review-asked-another"
    other.is_active = False
    other.save()
    reviewing.accept(version, by=third, now=NOW)
    assert stands(version) == State.ACCEPTED


def test_a_rejection_has_a_reason_and_may_be_submitted_again(team: list[Any]) -> None:
    one, other, _ = team
    version = bring(one)
    reviewing.submit(version, by=one, now=NOW)
    assert refused(lambda: reviewing.reject(version, by=other, now=NOW, reason=" \n\0 ")) == "review-reason-missing"
    assert refused(lambda: reviewing.reject(version, by=other, now=NOW, reason="x" * 1001)) == "review-reason-long"
    reviewing.reject(version, by=other, now=NOW, reason="The period\nis wrong")
    assert Review.objects.get().reason == "The period is wrong"
    reviewing.submit(version, by=one, now=NOW)
    found = Review.objects.get()
    assert (found.state, found.decided_by, found.reason) == (State.REVIEW, None, "")


def test_only_who_submitted_withdraws_until_they_have_left(team: list[Any]) -> None:
    one, other, _ = team
    version = bring(one)
    reviewing.submit(version, by=one, now=NOW)
    assert refused(lambda: reviewing.withdraw(version, by=other, now=NOW)) == "review-not-yours"
    one.groups.clear()
    type(one).objects.filter(pk=one.pk).update(is_active=False)
    reviewing.withdraw(version, by=other, now=NOW)
    assert stands(version) == State.DRAFT
    assert refused(lambda: reviewing.withdraw(version, by=other, now=NOW)) == "review-moved-on"


def test_an_older_version_cannot_take_the_place_of_a_newer_one(team: list[Any]) -> None:
    one, other, _ = team
    first = bring(one)
    second = bring(one, first.artifact)
    for version in (first, second):
        reviewing.submit(version, by=one, now=NOW)
    reviewing.accept(second, by=other, now=NOW)
    assert refused(lambda: reviewing.accept(first, by=other, now=NOW)) == "review-newer-accepted"
    assert Artifact.objects.get().good == 2


def test_how_long_it_is_valid_can_change_after_it_was_accepted(team: list[Any]) -> None:
    one, other, _ = team
    version = bring(one)
    reviewing.submit(version, by=one, now=NOW)
    Artifact.objects.update(valid_days=30)
    reviewing.accept(version, by=other, now=NOW)
    first = timezone.localdate(NOW) + timedelta(days=30)
    assert Artifact.objects.get().good_until == first
    Review.objects.update(told=7)
    Artifact.objects.update(valid_days=60)
    assert [reviewing.redate([version.artifact_id]) for _ in range(2)] == [1, 0]
    assert Artifact.objects.get().good_until == first + timedelta(days=30)
    assert Review.objects.get().told is None
    assert not reviewing.expire(version, now=NOW + timedelta(days=60))
    assert reviewing.expire(version, now=NOW + timedelta(days=61))
    assert (stands(version), Artifact.objects.get().good) == (State.EXPIRED, None)


def test_a_damaged_report_cannot_be_accepted(team: list[Any]) -> None:
    one, other, _ = team
    version = bring(one)
    version.stored, version.body = False, b"no document"
    reviewing.submit(version, by=one, now=NOW)
    assert refused(lambda: reviewing.accept(version, by=other, now=NOW)) == "review-damaged"


# --- whatever anybody does --------------------------------------------------------------------------------------


def test_random_verbs_by_random_people_keep_what_must_hold(team: list[Any]) -> None:
    dice = random.Random(6)
    artifact = bring(dice.choice(team)).artifact
    done = {verb: 0 for verb in Verb}
    for step in range(300):
        by, now = dice.choice(team), NOW + timedelta(days=step)
        if dice.random() < 0.1:
            bring(by, artifact, at=now)
            Artifact.objects.update(valid_days=dice.choice([None, 5, 20]))
        version = dice.choice(list(Version.objects.order_by("-pk")[:3]))
        verb = dice.choice([Verb.SUBMIT, Verb.ACCEPT, Verb.REJECT, Verb.WITHDRAW, Verb.EXPIRE])
        before, entries = stands(version), AuditEntry.objects.count()
        try:
            if _do(verb, version, by, now, dice):
                done[verb] += 1
                assert allowed(verb, before)
                assert AuditEntry.objects.count() > entries
        except NotPossible:
            assert (stands(version), AuditEntry.objects.count()) == (before, entries)
        _holds(artifact)
    assert all(done[verb] > 1 for verb in Verb if verb is not Verb.SUPERSEDE), done


def _do(verb: Verb, version: Any, by: Any, now: datetime, dice: random.Random) -> bool:
    match verb:
        case Verb.SUBMIT:
            reviewing.submit(version, by=by, now=now)
        case Verb.WITHDRAW:
            reviewing.withdraw(version, by=by, now=now)
        case Verb.ACCEPT:
            reviewing.accept(version, by=by, now=now)
        case Verb.REJECT:
            reviewing.reject(version, by=by, now=now, reason=dice.choice(["", "No", "Not whole"]))
        case _:
            return reviewing.expire(version, now=now)
    return True


def _holds(artifact: Any) -> None:
    from evidence.library.standing import good_of

    artifact.refresh_from_db()
    reviews = list(Review.objects.select_related("version").order_by("version__number"))
    standings = [(each.version.number, each.state, each.expires_on) for each in reviews]
    assert sum(state == State.ACCEPTED for _, state, _ in standings) <= 1
    assert (artifact.good, artifact.good_until) == good_of(standings)
    assert (artifact.newest, artifact.state) == standings[-1][:2]
    for each in reviews:
        if each.state in (State.ACCEPTED, State.REJECTED):
            assert each.decided_by_id not in (each.version.received_by_id, each.submitted_by_id)
        assert each.state != State.REJECTED or each.reason


def test_the_last_day_follows_the_controls_whoever_links_them(team: list[Any], people: dict[str, Any]) -> None:
    one, other, _ = team
    made = shelves.artifact(one, now=NOW)
    version = made.versions.get()
    reviewing.submit(version, by=one, now=NOW)
    reviewing.accept(version, by=other, now=NOW)
    day, strict, loose = timezone.localdate(NOW), shelves.control("A"), shelves.control("B")

    def until() -> Any:
        return Artifact.objects.get(pk=made.pk).good_until

    controls.settle(strict, owner=None, valid_days=90, notes="", by=one, now=NOW)
    shelf.link(made, controls=[strict, loose], by=one, now=NOW)
    assert until() == day + timedelta(days=90)
    controls.settle(loose, owner=None, valid_days=30, notes="", by=one, now=NOW)
    assert until() == day + timedelta(days=30)
    done = shelf.unlink(made, controls=[loose], by=one, now=NOW)
    assert until() == day + timedelta(days=90)
    undo = undoing.offer(by=one, now=NOW, what=undoing.SHELF, label="x", before=done.as_json())
    undoing.take_back(undo.pk, by=one, now=NOW)
    assert until() == day + timedelta(days=30)
    shelf.change(made, by=one, now=NOW, valid_days=7)
    assert until() == day + timedelta(days=7)
    action = life.make(life.Draft(title="x", controls=[loose]), by=one, now=NOW)
    shelf.change(made, by=one, now=NOW, valid_days=None, controls=[])
    assert until() is None
    life.attach(action, made, by=one, now=NOW)
    assert until() == day + timedelta(days=30)
    assert Review.objects.get(version=version).expires_on == until()


def test_many_are_dated_anew_in_as_few_questions_as_one(team: list[Any]) -> None:
    one, other, _ = team
    counted = []
    for many in (1, 20):
        made = [shelves.artifact(one, f"{many} {n}") for n in range(many)]
        for each in made:
            shelves.accept(each, other)
        Artifact.objects.filter(pk__in=[each.pk for each in made]).update(valid_days=9)
        with CaptureQueriesContext(database) as queries, transaction.atomic():
            assert reviewing.redate([each.pk for each in made]) == many
        counted.append(len(queries))
    assert counted[0] == counted[1]
