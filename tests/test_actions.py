"""Actions: what must be done before one is done, when the next is due, who is told, and the pages."""

from datetime import date, timedelta
from typing import Any

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext

from connectors import registry
from evidence.actions import due, life, recurrence, templates
from evidence.actions.life import Draft, NotPossible
from evidence.frameworks import refs
from evidence.models import Action, Notice, Stand
from portal.models import AuditEntry

from . import shelves
from .shelves import NOW

TODAY = NOW.date()


@pytest.fixture
def manager(client: Any, people: dict[str, Any]) -> Any:
    client.force_login(people["Compliance manager"])
    return client


@pytest.fixture
def boss(people: dict[str, Any]) -> Any:
    return people["Compliance manager"]


# --- pure ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("day", "recurs", "then"),
    [
        (date(2026, 1, 31), "month", date(2026, 2, 28)),
        (date(2028, 1, 31), "month", date(2028, 2, 29)),
        (date(2026, 11, 30), "quarter", date(2027, 2, 28)),
        (date(2026, 8, 31), "half", date(2027, 2, 28)),
        (date(2028, 2, 29), "year", date(2029, 2, 28)),
        (date(2026, 1, 1), "", None),
        (date(2026, 1, 1), "nonsense", None),
        (date(9999, 12, 31), "month", None),
    ],
)
def test_the_next_day_of_a_rhythm(day: date, recurs: str, then: date | None) -> None:
    assert recurrence.later(day, recurs) == then


def test_who_was_late_is_not_late_again_at_once() -> None:
    assert recurrence.following(date(2026, 1, 15), "month", date(2026, 4, 20)) == date(2026, 5, 15)
    assert recurrence.following(None, "month", date(2026, 4, 20)) == date(2026, 5, 20)
    assert recurrence.following(date(2026, 6, 1), "", date(2026, 4, 20)) is None


@pytest.mark.parametrize(("left", "step"), [(8, None), (7, 7), (2, 7), (1, 1), (0, 0), (-1, -1), (-90, -1)])
def test_which_reminder_is_due(left: int, step: int | None) -> None:
    assert recurrence.step(TODAY + timedelta(days=left), TODAY) == step


def test_what_is_missing_is_said() -> None:
    assert life.sentences(0, 0, 0, renewed=True) == []
    assert life.sentences(1, 1, 0, renewed=True) == [
        "1 line of the checklist is not ticked.",
        "It asks for 1 artifact, and none is attached and accepted by a reviewer.",
    ]
    assert "2 are attached" in life.sentences(0, 3, 2, renewed=True)[0]
    assert "no newer version" in life.sentences(0, 0, 0, renewed=False)[0]


@pytest.mark.parametrize("slug", list(registry.all_connectors()))
def test_every_template_says_what_to_do(slug: str) -> None:
    connector = registry.get(slug)
    slugs = [each.slug for each in connector.guide.manuals]
    assert len(set(slugs)) == len(slugs)
    for manual in connector.guide.manuals:
        assert manual.steps
        assert manual.visible
        assert manual.recurs in recurrence.MONTHS
        assert manual.valid_days > 0
        assert len(manual.title) <= 200
        assert all(len(step) <= 500 for step in manual.steps)
        assert all(" " in ref for ref in manual.supports)
        assert not manual.report or connector.report(manual.report)


# --- verbs --------------------------------------------------------------------------------------


def test_an_action_is_done_only_with_what_it_asked_for(boss: Any, people: dict[str, Any]) -> None:
    control = shelves.control()
    draft = Draft(
        title="Take a picture", steps=["Open it", " ", "Take it"], wanted=1, controls=[control], recurs="month"
    )
    action = life.make(draft, by=boss, now=NOW)
    with pytest.raises(NotPossible, match=r"2 lines .* asks for 1 artifact"):
        life.finish(action, by=boss, now=NOW, today=TODAY)
    for at in (0, 1):
        life.tick(action, at, True, by=boss, now=NOW)
    picture = shelves.artifact(boss)
    life.attach(action, picture, by=boss, now=NOW)
    assert list(picture.controls.all()) == [control]
    with pytest.raises(NotPossible, match="none is attached and accepted"):
        life.finish(action, by=boss, now=NOW, today=TODAY)
    shelves.accept(picture, people["Administrator"])
    following = life.finish(action, by=boss, now=NOW, today=TODAY)
    assert following is not None
    assert (following.due_on, following.previous, following.origin) == (date(2026, 4, 2), action, "recurrence")
    assert [(step.text, step.done_at) for step in following.steps.all()] == [("Open it", None), ("Take it", None)]
    assert list(following.controls.all()) == [control]
    with pytest.raises(NotPossible, match="the action is “done”"):
        life.finish(action, by=boss, now=NOW, today=TODAY)
    said = AuditEntry.objects.filter(target=f"action {action.pk}").order_by("pk").values_list("action", flat=True)
    assert list(said) == ["action added", *["action changed"] * 3, "action done"]
    life.reopen(action, by=boss, now=NOW)
    assert life.finish(action, by=boss, now=NOW, today=TODAY) is None, "the next one is there already"


def test_a_dropped_action_has_a_reason_and_can_be_opened_again(boss: Any) -> None:
    action = life.make(Draft(title="One"), by=boss, now=NOW)
    with pytest.raises(NotPossible) as refused:
        life.drop(action, " \n", by=boss, now=NOW)
    assert refused.value.field == "reason"
    life.drop(action, "Nobody\nneeds it", by=boss, now=NOW)
    action.refresh_from_db()
    assert (action.stand, action.reason) == (Stand.DROPPED, "Nobody\ufffdneeds it")
    with pytest.raises(NotPossible):
        life.tick(action, 0, True, by=boss, now=NOW)
    life.reopen(action, by=boss, now=NOW)
    action.refresh_from_db()
    assert (action.stand, action.reason) == (Stand.OPEN, "")


def test_two_forms_at_once_lose_nothing(boss: Any) -> None:
    action = life.make(Draft(title="One", steps=["a", "b"]), by=boss, now=NOW)
    was = life.mark_of(action)
    life.tick(action, 0, True, by=boss, now=NOW)
    life.change(action, Draft(title="Two", steps=["b", "a", "c"]), was=was, by=boss, now=NOW)
    action.refresh_from_db()
    assert [(step.text, bool(step.done_at)) for step in action.steps.all()] == [("b", False), ("a", True), ("c", False)]
    with pytest.raises(NotPossible, match="Somebody else has changed this action"):
        life.change(action, Draft(title="Three"), was=was, by=boss, now=NOW)
    action.refresh_from_db()
    assert action.title == "Two"


# --- the beat -----------------------------------------------------------------------------------


def test_everybody_is_reminded_once_of_each_step(boss: Any, people: dict[str, Any]) -> None:
    mine = life.make(Draft(title="Mine", owner=boss, due_on=TODAY + timedelta(days=9)), by=boss, now=NOW)
    life.make(Draft(title="Nobody's", due_on=TODAY), by=boss, now=NOW)
    told = [due.remind(NOW + timedelta(days=days)) for days in (0, 0, 2, 3, 8, 9, 10, 10, 50)]
    managers = 2  # the administrator and the compliance manager
    assert told == [managers, 0, managers + 1, 0, 1, 1, 1, 0, 0]
    texts = Notice.objects.filter(key__startswith=f"action {mine.pk} ").order_by("pk").values_list("text", flat=True)
    assert list(texts) == [
        "Mine is due in 7 days",
        "Mine is due tomorrow",
        "Mine is due today",
        "Mine was due on 11 Mar 2026",
    ]
    assert not Notice.objects.filter(person=people["Auditor"]).exists()


def test_what_expires_asks_for_its_renewal_once(boss: Any, people: dict[str, Any]) -> None:
    control, reviewer = shelves.control(), people["Administrator"]
    ends = TODAY + timedelta(days=20)
    old, later, ruled = (shelves.artifact(boss, title) for title in ("Old", "Later", "Ruled"))
    old.controls.add(control)
    shelves.accept(old, reviewer, until=ends)
    shelves.accept(later, reviewer, until=TODAY + timedelta(days=31))
    shelves.accept(ruled, reviewer, until=ends)
    type(ruled).objects.filter(pk=ruled.pk).update(every="month")
    made = due.renew(NOW)
    assert [(each.about, each.due_on, each.owner, each.origin) for each in made] == [(old, ends, boss, "expiry")]
    assert list(made[0].controls.all()) == [control]
    assert due.renew(NOW) == []
    with pytest.raises(NotPossible, match="no newer version"):
        life.finish(made[0], by=boss, now=NOW, today=TODAY)
    shelves.version(old, boss)
    shelves.accept(old, reviewer, until=ends + timedelta(days=90))
    life.finish(made[0], by=boss, now=NOW, today=TODAY)
    assert due.renew(NOW) == []


# --- pages --------------------------------------------------------------------------------------

FORM = {
    "title": "Review access",
    "text": "Why",
    "recurs": "quarter",
    "steps": "One\nTwo",
    "wants": "Names",
    "wanted": "1",
}


def test_an_action_is_made_from_a_template_changed_and_finished(
    manager: Any, boss: Any, people: dict[str, Any]
) -> None:
    shelves.control("CC6.2")
    offered = manager.get("/actions/templates/").content.decode()
    assert offered.count("Make an action") == len(templates.every())
    page = manager.get("/actions/new/?template=segment/access-review")
    assert "soc2 CC6.2" in page.content.decode()
    assert "Each quarter" in page.content.decode()
    sent = page.context["form"].initial | {"due_on": "2026-12-01", "owner": boss.pk}
    answer = manager.post("/actions/new/?template=segment/access-review", sent)
    action = Action.objects.get()
    assert answer.headers["Location"] == f"/actions/{action.pk}/"
    assert (action.template, action.origin, action.owner) == ("segment/access-review", "template", boss)
    assert action.steps.count() == 4
    shown = manager.get(f"/actions/{action.pk}/").content.decode()
    assert "4 lines of the checklist are not ticked." in shown
    for at in range(4):
        manager.post(f"/actions/{action.pk}/do/tick/", {"step": at, "on": "1"})
    picture = shelves.artifact(boss, "Decisions")
    shelves.accept(picture, people["Administrator"])
    assert "Decisions" in manager.get(f"/actions/{action.pk}/?find=decis").content.decode()
    manager.post(f"/actions/{action.pk}/do/attach/", {"artifact": picture.pk})
    done = manager.post(f"/actions/{action.pk}/do/finish/", follow=True).content.decode()
    assert "Done. The next one is due on 01 Mar 2027." in done


def test_bad_input_stands_beside_its_field_and_nothing_is_lost(manager: Any) -> None:
    shelves.control()
    sent = FORM | {"controls": "soc2 CC6.1, soc2 XX, what", "due_on": "soon", "wanted": "-1", "steps": "x" * 501}
    answer = manager.post("/actions/new/", sent)
    said = answer.content.decode()
    assert answer.status_code == 422
    for sentence in ("“soc2 XX”", "“what”", "Enter a valid date", "more than 500 signs"):
        assert sentence in said
    assert "soc2 CC6.1, soc2 XX, what" in said
    assert not Action.objects.exists()


def test_a_form_that_comes_too_late_is_given_back(manager: Any, boss: Any) -> None:
    action = life.make(Draft(title="One"), by=boss, now=NOW)
    was = life.mark_of(action)
    life.change(action, Draft(title="Two"), was=was, by=boss, now=NOW)
    answer = manager.post(f"/actions/{action.pk}/edit/", FORM | {"was": was})
    assert answer.status_code == 409
    assert "Review access" in answer.content.decode()
    assert Action.objects.get().title == "Two"


def test_the_list_is_searched_filtered_sorted_and_changed_in_bulk(manager: Any, boss: Any) -> None:
    today = date.today()
    for title, days in (("Alpha", -1), ("Beta", 3), ("Gamma", 40)):
        life.make(Draft(title=title, due_on=today + timedelta(days=days)), by=boss, now=NOW)
    life.make(Draft(title="Delta"), by=boss, now=NOW)

    def found(query: str) -> list[str]:
        return [each.title for each in manager.get(f"/actions/{query}").context["page"]]

    assert found("?sort=title") == ["Alpha", "Beta", "Delta", "Gamma"]
    assert [found(f"?due={due}") for due in ("late", "week", "none")] == [["Alpha"], ["Beta"], ["Delta"]]
    assert found("?q=lph") == ["Alpha"]
    assert found("?owner=none&stand=nonsense&sort=x&workspace=x&control=9") == []
    pks = list(Action.objects.filter(title__in=["Alpha", "Beta"]).values_list("pk", flat=True))
    manager.post("/actions/bulk/", {"pk": pks, "verb": "hand", "owner": boss.pk})
    assert found(f"?owner={boss.pk}&sort=title") == ["Alpha", "Beta"]
    said = manager.post("/actions/bulk/", {"pk": pks, "verb": "drop", "reason": ""}, follow=True).content.decode()
    assert said.count("Say why it will not be done.") == 2
    board = manager.get("/actions/board/").content.decode()
    assert board.count("Begin") >= 4


def test_an_auditor_reads_and_changes_nothing(client: Any, people: dict[str, Any], boss: Any) -> None:
    action = life.make(Draft(title="One", steps=["a"]), by=boss, now=NOW)
    client.force_login(people["Auditor"])
    assert "/do/" not in client.get(f"/actions/{action.pk}/").content.decode()
    assert client.post(f"/actions/{action.pk}/do/finish/").status_code == 403
    assert client.get("/actions/new/").status_code == 403


@pytest.mark.parametrize("address", ["/actions/", "/actions/board/", "/actions/{}/"])
def test_pages_ask_the_same_number_of_questions(manager: Any, boss: Any, address: str) -> None:
    control, counted = shelves.control(), []
    for many in (1, 30):
        for number in range(many):
            steps = [f"step {each}" for each in range(many)]
            draft = Draft(title=f"{number}", owner=boss, steps=steps, controls=[control], due_on=TODAY)
            action = life.make(draft, by=boss, now=NOW)
            life.attach(action, shelves.artifact(boss), by=boss, now=NOW)
        with CaptureQueriesContext(database) as queries:
            assert manager.get(address.format(action.pk)).status_code == 200
        counted.append(len(queries))
    assert counted[0] == counted[1] <= 26


def test_controls_are_named_as_people_write_them() -> None:
    found, unknown = refs.parse("")
    assert (found, unknown) == ([], [])


@pytest.mark.django_db
def test_controls_that_are_not_there_are_named() -> None:
    one, two = shelves.control("CC6.1"), shelves.control("32", "gdpr")
    found, unknown = refs.parse(" SOC2  CC6.1;gdpr 32\nsoc2 CC6.1, gdpr CC6.1, nonsense")
    assert found == [one, two]
    assert [sentence.split("”")[0] for sentence in unknown] == [
        "No control is called “gdpr CC6.1",
        "No control is called “nonsense",
    ]
    assert refs.text(found) == "soc2 CC6.1, gdpr 32"
