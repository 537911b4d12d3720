"""Privacy requests and the audit trail: who waits for what, and who did what."""

from collections.abc import Iterable, Iterator
from itertools import islice

import pytest

from connectors.spec import Coverage, Record, State
from tests.snapshots import WORKSPACE, Fake, build, event, regulation, rows, unknown, word, workspace

# --- deletion and suppression -------------------------------------------------------------------


def test_requests_say_how_long_they_took_or_have_waited() -> None:
    report = build("privacy", Fake(WORKSPACE))
    failed, finished, running = rows(report, "requests")
    assert (finished["type"], finished["status"], finished["subjects"]) == ("Suppress and delete", "Finished", 3)
    assert (finished["took"], finished["waiting"]) == (9, None), "not ten whole days"
    assert word(running["status"]) == "Running"
    assert (running["took"], running["waiting"]) == (None, 38), "up to the newest moment in the records"
    assert failed["waiting"] is None
    assert dict(report.facts) == {
        "Requests": 3,
        "Open": 1,
        "Longest open, in days at least": 38,
        "Failed overall": 1,
        "Suppressed subjects": 3,
    }


def test_what_ended_before_it_began_took_no_days() -> None:
    held = workspace(regulations=[regulation("r", "FINISHED", "2026-03-05T00:00:00Z", "2026-03-01T00:00:00Z")])
    assert rows(build("privacy", Fake(held)), "requests")[0]["took"] == 0


def test_failed_overall_is_not_called_a_failure() -> None:
    report = build("privacy", Fake(WORKSPACE))
    failed = rows(report, "requests")[0]["status"]
    assert unknown(failed)
    assert word(failed) == "Failed overall"
    assert any("not by itself a failure" in note for note in report.notes)
    assert any("Ids of end users are not kept" in note for note in report.notes)


def test_requests_are_summed_up_by_type_and_status() -> None:
    held = workspace(
        regulations=[
            regulation("r1", "RUNNING", "2026-01-01T00:00:00Z", subjects=2),
            regulation("r2", "RUNNING", "2026-01-11T00:00:00Z", subjects=3),
            {**regulation("r3", "FINISHED", "2026-01-01T00:00:00Z"), "regulationType": "UNSUPPRESS"},
        ]
    )
    running, ended = rows(build("privacy", Fake(held)), "summary")
    assert (running["requests"], running["subjects"], running["longest"]) == (2, 5, 10)
    assert (running["first"], running["last"]) == ("2026-01-01T00:00:00Z", "2026-01-11T00:00:00Z")
    assert (ended["type"], ended["status"], ended["longest"]) == ("End a suppression", "Finished", None)


def test_subjects_that_cannot_be_counted_make_a_sum_a_lower_bound() -> None:
    held = workspace(suppressions=[{"subjectType": "userId", "count": 2}, {"subjectType": "userId"}])
    report = build("privacy", Fake(held))
    (row,) = rows(report, "suppressed")
    assert (row["entries"], word(row["subjects"])) == (2, "At least 2")
    assert word(dict(report.facts)["Suppressed subjects"]) == "At least 2"


@pytest.mark.parametrize("created", ["", "yesterday", None, "2026-13-01T00:00:00Z", 5])
def test_a_request_without_a_readable_time_waits_for_nobody_knows_how_long(created: str) -> None:
    report = build("privacy", Fake(workspace(regulations=[{"id": "r", "status": "RUNNING", "createdAt": created}])))
    (row,) = rows(report, "requests")
    assert row["waiting"] is None
    assert unknown(dict(report.facts)["Longest open, in days at least"])


def test_a_request_of_which_the_status_is_not_known_may_be_open() -> None:
    report = build("privacy", Fake(workspace(regulations=[regulation("r1", "", "2026-03-01T00:00:00Z")])))
    assert word(dict(report.facts)["Open"]) == "At least 0"


def test_where_no_request_is_open_none_has_waited() -> None:
    report = build("privacy", Fake(workspace(regulations=[regulation("r1", "FINISHED", "2026-03-01T00:00:00Z")])))
    assert (dict(report.facts)["Open"], dict(report.facts)["Longest open, in days at least"]) == (0, None)


# --- the audit trail ----------------------------------------------------------------------------


def test_events_name_people_by_name_and_tokens_as_tokens() -> None:
    found = {row["event_id"]: row for row in rows(build("activity", Fake(WORKSPACE)), "events")}
    assert [(found[id_]["who"], found[id_]["kind"]) for id_ in ("e1", "e2", "e3", "e4", "e5")] == [
        ("zora", "Person"),
        ("Token T9", "Token"),
        ("left@example.com", "Person"),
        ("zora", "Person"),
        ("u78", "Not known"),
    ]
    assert (found["e1"]["resource_id"], found["e1"]["month"]) == ("s4", "2026-02")


def test_a_person_is_known_by_the_address_too() -> None:
    held = workspace(
        audit_events=[event("e", "2026-03-01T00:00:00Z", "Source Created", "other-id", "ZORA@example.com")]
    )
    assert rows(build("activity", Fake(held)), "events")[0]["who"] == "zora"


def test_activity_is_summed_up_by_month_type_and_actor() -> None:
    report = build("activity", Fake(WORKSPACE))
    march, february = rows(report, "months")
    assert (march["month"], march["id"], march["events"]) == ("March 2026", "2026-03", 4)
    assert (march["by_people"], march["by_tokens"], march["by_others"]) == (2, 1, 1)
    assert (february["month"], february["events"]) == ("February 2026", 1)
    modified = rows(report, "types")[0]
    assert (modified["type"], modified["events"], modified["actors"]) == ("Source Modified", 3, 3)
    assert (modified["first"], modified["last"]) == ("2026-03-01T10:00:00Z", "2026-03-03T10:00:00Z")
    zora = rows(report, "actors")[0]
    assert (zora["who"], zora["email"], zora["events"], zora["types"]) == ("zora", "zora@example.com", 2, 2)
    assert dict(report.facts) == {
        "Events": 5,
        "People who changed something": 2,
        "Tokens that changed something": 1,
        "Oldest event": "2026-02-27",
        "Newest event": "2026-03-04",
    }


def test_events_of_one_month_are_asked_for_alone() -> None:
    report = build("activity", Fake(WORKSPACE), month="2026-02")
    assert [row["event_id"] for row in rows(report, "events")] == ["e1"]
    assert len(rows(report, "months")) == 2, "only the table that comes in parts is narrowed"


def test_an_event_without_a_readable_time_has_a_month_of_its_own() -> None:
    odd = event("odd", "not a time", "X", "u1")
    report = build("activity", Fake(workspace(audit_events=[odd])), month="unknown")
    assert [row["event_id"] for row in rows(report, "events")] == ["odd"]
    assert rows(report, "months")[0]["month"] == "At an unreadable time"


def test_events_are_passed_on_one_by_one() -> None:
    class Counting(Fake):
        passed = 0

        def records(self, stream: str, parent: str = "") -> Iterable[Record]:
            return self._events() if stream == "audit_events" else super().records(stream, parent)

        def _events(self) -> Iterator[Record]:
            for number in range(1000):
                self.passed += 1
                yield event(f"e{number}", "2026-03-01T00:00:00Z", "X", "u1")

    view = Counting(WORKSPACE)
    table = next(table for table in build("activity", view).tables if table.name == "events")
    view.passed = 0
    assert len(list(islice(table.rows(), 3))) == 3
    assert view.passed == 3


def test_a_trail_that_could_not_be_read_says_no_name_and_no_number() -> None:
    report = build("activity", Fake(workspace(audit_events=[]), {"audit_events": Coverage.DENIED}))
    assert dict(report.facts)["Events"] == State("denied", "Denied", "The token may not.")
    assert all(isinstance(cell, State) for _, cell in report.facts)
    unsure = build("activity", Fake(workspace(users=[]), {"users": Coverage.DENIED}))
    assert isinstance(dict(unsure.facts)["People who changed something"], State)
    assert dict(unsure.facts)["Tokens that changed something"] == 1
