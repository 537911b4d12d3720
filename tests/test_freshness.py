"""How long evidence counts, who is told before it ends, reports captured by rule, and what a newer snapshot changes."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from connectors.segment.simulator import Fault
from connectors.spec import Column, Report, State, Table
from evidence.document import Rows
from evidence.library import comparing, freshness, recapture, reviewing, shelf, staleness, versions
from evidence.models import Artifact, Control, Drift, Every, Look, Notice, Review, Version
from evidence.models import State as Stands
from portal.models import AuditEntry

from .test_reviewing import NOW, bring, refused
from .worlds import World, world

pytestmark = pytest.mark.django_db
TODAY = date(2026, 6, 15)


# --- freshness, pure --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("good", "until", "state", "expected"),
    [
        (None, None, "draft", "missing"),
        (None, None, "rejected", "missing"),
        (None, None, "review", "review"),
        (None, None, "expired", "stale"),
        (1, None, "review", "fresh"),
        (1, date(2026, 7, 16), "accepted", "fresh"),
        (1, date(2026, 7, 15), "accepted", "soon"),
        (1, date(2026, 6, 15), "accepted", "soon"),
        (1, date(2026, 6, 14), "accepted", "stale"),
    ],
)
def test_how_fresh_an_artifact_is(good: Any, until: Any, state: str, expected: str) -> None:
    artifact = Artifact(good=good, newest=1, good_until=until, state=state, collected_at=NOW)
    assert freshness.of(artifact, today=TODAY).name == expected


def test_a_control_that_became_stricter_counts_at_once() -> None:
    collected = datetime.fromisoformat("2026-05-01T12:00:00+00:00")
    artifact = Artifact(good=1, newest=1, good_until=date(2027, 5, 1), state="accepted", collected_at=collected)
    found = freshness.of(artifact, Control(valid_days=30), today=TODAY)
    assert (found.name, found.until, found.left(TODAY)) == ("stale", date(2026, 5, 31), -15)
    assert freshness.of(artifact, Control(valid_days=None), today=TODAY).name == "fresh"


def test_the_nearest_step_has_come_however_many_were_missed() -> None:
    said = {left: freshness.step(left) for left in (31, 30, 8, 7, 2, 1, 0, -3)}
    assert said == {31: None, 30: 30, 8: 30, 7: 7, 2: 7, 1: 1, 0: 0, -3: 0}


# --- freshness, told and ended ----------------------------------------------------------------------------------


@pytest.fixture
def accepted(people: dict[str, Any]) -> Any:
    """A version that counts for 40 days from today."""
    by, other = people["Compliance manager"], people["Administrator"]
    version = bring(by)
    Artifact.objects.update(valid_days=40)
    reviewing.submit(version, by=by, now=NOW)
    reviewing.accept(version, by=other, now=NOW)
    Notice.objects.all().delete()
    return version


def said() -> list[str]:
    return list(Notice.objects.order_by("pk").values_list("text", flat=True))


def test_the_owner_is_told_once_at_each_step_and_it_ends_after_its_last_day(accepted: Any) -> None:
    for day in range(43):
        for _ in range(2):  # two workers, two beats
            freshness.look(NOW + timedelta(days=day))
    about = "“Access list”, version 1"
    assert said() == [
        f"Expires in 30 days: {about}",
        f"Expires in 7 days: {about}",
        f"Expires after tomorrow: {about}",
        f"Counts for the last time today: {about}",
    ]
    assert Review.objects.get().state == Stands.EXPIRED
    assert Artifact.objects.get().good is None
    assert AuditEntry.objects.filter(action="expired", actor=None).count() == 1


def test_a_portal_that_was_off_tells_one_thing_and_not_four(accepted: Any) -> None:
    freshness.look(NOW + timedelta(days=41))
    assert len(said()) == 1
    assert said()[0].startswith("Expired after ")
    assert Review.objects.get().state == Stands.EXPIRED


def test_a_moved_last_day_is_told_anew(accepted: Any, people: dict[str, Any]) -> None:
    by = people["Compliance manager"]
    freshness.look(NOW + timedelta(days=12))
    shelf.change(accepted.artifact, by=by, now=NOW, valid_days=50)
    freshness.look(NOW + timedelta(days=12))
    assert len(said()) == 1
    freshness.look(NOW + timedelta(days=21))
    assert len(said()) == 2


# --- the calendar -----------------------------------------------------------------------------------------------


def test_due_days_are_the_ends_of_periods() -> None:
    day = date(2028, 2, 10)
    ends = [recapture.end_of(every, day) for every in (Every.MONTH, Every.QUARTER, Every.YEAR)]
    assert ends == [date(2028, 2, 29), date(2028, 3, 31), date(2028, 12, 31)]
    assert recapture.end_of(Every.QUARTER, date(2028, 12, 31)) == date(2028, 12, 31)
    assert recapture.after(Every.QUARTER, date(2028, 3, 31), date(2028, 3, 31)) == date(2028, 6, 30)
    assert recapture.after(Every.MONTH, date(2028, 1, 31), date(2028, 12, 31)) == date(2029, 1, 31)  # none made up for


# --- over a workspace -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def read(django_db_setup: None, django_db_blocker: Any) -> Iterator[World]:
    with world(django_db_blocker, groups=("workspace", "people")) as made:
        assert made.sync().state == "published"
        made.simulator.settings.day = 5
        yield made


def people_report(read: World, by: Any) -> Version:
    from connectors.models import Snapshot

    snapshot = Snapshot.objects.select_related("workspace").get(workspace=read.workspace, seq=1)
    return versions.capture(snapshot, "people", title="People", by=by, now=NOW)


def test_a_rule_captures_once_and_only_from_a_newer_snapshot(read: World, people: dict[str, Any]) -> None:
    by = people["Compliance manager"]
    artifact = people_report(read, by).artifact
    assert recapture.set_rule(artifact, "quarter", by=by, now=NOW)
    assert not recapture.set_rule(artifact, "quarter", by=by, now=NOW)
    due = recapture.end_of("quarter", timezone.localdate(NOW))
    later = NOW + timedelta(days=(due - timezone.localdate(NOW)).days)
    assert recapture.start_due(later - timedelta(days=1)) == 0 or due == timezone.localdate(NOW)
    assert recapture.carry_out(artifact.pk, later) is None  # it waits: nothing newer was read
    assert refused(lambda: recapture.capture_again(artifact, by=by, now=later)) == "recapture-nothing-newer"
    assert recapture.start_due(later) == 1
    assert recapture.start_due(later) == 0
    assert read.sync().state == "published"
    made = recapture.carry_out(artifact.pk, later)
    assert recapture.carry_out(artifact.pk, later) is None
    assert made is not None
    assert (made.number, made.source, made.received_by, made.snapshot and made.snapshot.seq) == (2, "rule", None, 2)
    review = Review.objects.get(version=made)
    assert (review.state, review.submitted_by) == (Stands.REVIEW, None)
    artifact.refresh_from_db()
    assert artifact.due_on == recapture.after("quarter", due, due)


def test_an_accepted_report_is_compared_once_with_each_new_snapshot(read: World, people: dict[str, Any]) -> None:
    by, other = people["Compliance manager"], people["Administrator"]
    version = people_report(read, by)
    reviewing.submit(version, by=by, now=NOW)
    reviewing.accept(version, by=other, now=NOW)
    assert staleness.start_due(NOW) == 1
    assert staleness.start_due(NOW) == 0
    assert staleness.carry_out(read.workspace.pk, NOW) == 0
    assert not Drift.objects.exists()
    assert read.sync().state == "published"
    assert staleness.start_due(NOW) == 1
    assert staleness.carry_out(read.workspace.pk, NOW) == 1
    assert staleness.carry_out(read.workspace.pk, NOW) == 0
    assert staleness.start_due(NOW) == 0
    assert Look.objects.get().seq == 2
    drift = staleness.of(staleness.stale().get())
    assert drift is not None
    assert drift.rows > 0
    assert "People" in drift.said
    assert Notice.objects.filter(key=f"stale {version.pk}", person=by).count() == 1
    newest = staleness.newest_of(version)
    assert newest is not None
    assert comparing.differing(staleness.contrasts(version, newest)) == drift.rows


def test_what_was_denied_meanwhile_is_no_removal(read: World, people: dict[str, Any]) -> None:
    by = people["Compliance manager"]
    version = people_report(read, by)
    read.simulator.settings.day = 0
    read.simulator.faults.append(Fault("^/users", "status", status=403, times=None))
    try:
        assert read.sync().state == "partial"
    finally:
        read.simulator.faults.clear()
        read.simulator.settings.day = 5
    newest = staleness.newest_of(version)
    assert newest is not None
    found = {each.name: each for each in staleness.contrasts(version, newest)}
    assert found["people"].count(comparing.REMOVED) == 0


# --- comparing, pure --------------------------------------------------------------------------------------------

ID, NAME, ROLE = Column("id", "Id", "id"), Column("name", "Name"), Column("role", "Role")


def table(*rows: Any, columns: Any = (NAME, ID, ROLE), note: str = "") -> Any:
    class Holds:
        report = Report((Table("people", "People", columns, Rows(rows), note),))

    return Holds()


def test_rows_are_added_removed_and_changed_by_their_id() -> None:
    old = table(("Abel", "u1", "Owner"), ("Zora", "u2", "Admin"), ("Mira", "u3", "Read"))
    new = table(("Abel", "u1", "Admin"), ("Zora", "u2", "Admin"), ("Noor", "u4", "Read"))
    (found,) = comparing.compare(old, new)
    assert dict(found.counts) == {"added": 1, "removed": 1, "changed": 1}
    (changed,) = [line for line in found.lines if line.kind == comparing.CHANGED]
    assert changed.cells == ((ROLE, "Owner", "Admin"),)
    assert comparing.sentence([found]) == "3 rows: 3 in People"
    assert comparing.sentence(comparing.compare(old, old)) == ""


def test_the_unknown_says_nothing() -> None:
    old, new = table(("Abel", "u1", State("unknown", "Unknown"))), table(("Abel", "u1", "Admin"))
    assert comparing.differing(comparing.compare(old, new)) == 0
    (found,) = comparing.compare(old, table(note="Users: denied"))
    assert (found.lines, found.why) == ((), "Users: denied")


def test_rows_that_nothing_names_are_counted_and_order_says_nothing() -> None:
    columns = (NAME, ROLE)
    old = table(("a", "x"), ("a", "x"), ("b", "y"), columns=columns)
    new = table(("b", "y"), ("a", "x"), ("c", "z"), columns=columns)
    (found,) = comparing.compare(old, new)
    assert dict(found.counts) == {"added": 1, "removed": 1}
    assert comparing.differing(comparing.compare(old, old)) == 0


def test_a_column_that_came_later_is_no_difference() -> None:
    new = table(("Abel", "u1", "Owner", "yes"), columns=(NAME, ID, ROLE, replace(ROLE, name="mfa")))
    assert comparing.differing(comparing.compare(table(("Abel", "u1", "Owner")), new)) == 0
