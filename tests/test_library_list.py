"""The library: verbs that organise, what takes them back, the list, many at once, saved views, and CSV both ways."""

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests import filled

NASTY = "</td><script>alert(1)</script>\u202egnp.exe " + "x" * 150


@pytest.fixture(scope="module")
def full(django_db_setup: None, django_db_blocker: Any) -> Iterator[list[Any]]:
    """110 artifacts and the people who own them, taken away at the end."""
    with django_db_blocker.unblock(), transaction.atomic():
        yield filled.fill(110)
        transaction.set_rollback(True)


@pytest.fixture
def keeper(full: list[Any], db: None) -> Any:
    return full[0]


@pytest.fixture
def browser(keeper: Any) -> Client:
    client = Client()
    client.force_login(keeper)
    return client


def artifacts() -> Any:
    from evidence.models import Artifact

    return Artifact.objects.order_by("pk")


def who(person: Any) -> dict[str, Any]:
    return {"by": person, "now": timezone.now()}


def text(answer: Any) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", answer.content.decode()).split())


def undo(browser: Client, answer: Any) -> str:
    """Presses the button that a page offers; returns what the next page says."""
    found = re.search(r'action="(/undo/\d+/)"', answer.content.decode())
    assert found, text(answer)
    return text(browser.post(found[1], follow=True))


# --- verbs, and taking back -------------------------------------------------------------------------------------


def test_a_verb_says_what_it_changed_and_writes_a_line_for_each(keeper: Any) -> None:
    from evidence.library import shelf
    from portal.models import AuditEntry

    one, two = artifacts()[:2]
    shelf.tag(one, ["urgent"], **who(keeper))
    done = shelf.tag([one.pk, two.pk], ["urgent"], **who(keeper))
    assert done.artifacts == [two.pk]
    lines = AuditEntry.objects.filter(action="artifact changed").order_by("pk")
    assert [(line.target, line.detail) for line in lines] == [
        (f"artifact {one.pk}", {"tags": "+ urgent"}),
        (f"artifact {two.pk}", {"tags": "+ urgent"}),
    ]
    assert shelf.untag([one.pk, two.pk], ["urgent", "never"], **who(keeper)).artifacts == [one.pk, two.pk]


def test_every_verb_is_taken_back_to_what_was(keeper: Any, full: list[Any]) -> None:
    from evidence import undoing
    from evidence.library import shelf
    from evidence.models import Collection, Control

    some = list(artifacts().filter(archived_at=None)[:5].values_list("pk", flat=True))
    folder, control = Collection.objects.all()[0], Control.objects.all()[3]

    def state() -> list[Any]:
        rows = [row for row in artifacts().filter(pk__in=some)]
        return [(shelf.stands(row), row.archived_at) for row in rows]

    verbs: tuple[Callable[[], Any], ...] = (
        lambda: shelf.tag(some, ["a", "tag 1"], **who(keeper)),
        lambda: shelf.untag(some, ["tag 0", "tag 7", "tag 13"], **who(keeper)),
        lambda: shelf.gather(some, folder, **who(keeper)),
        lambda: shelf.take_out(some, folder, **who(keeper)),
        lambda: shelf.link(some, controls=[control], **who(keeper)),
        lambda: shelf.unlink(some, controls=Control.objects.all()[:20], **who(keeper)),
        lambda: shelf.hand_over(some, full[3], **who(keeper)),
        lambda: shelf.archive(some, **who(keeper)),
        lambda: shelf.change(artifacts()[0], title="Other", notes="N", valid_days=9, tags=["x"], **who(keeper)),
    )
    for verb in verbs:
        before = state()
        done = verb()
        offer = undoing.offer(**who(keeper), what=undoing.SHELF, label="it", before=done.as_json())
        assert state() != before
        taken = undoing.take_back(offer.pk, **who(keeper))
        assert (state(), taken.left) == (before, 0)


def test_what_somebody_changed_since_is_left(keeper: Any, full: list[Any]) -> None:
    from evidence import undoing
    from evidence.library import shelf

    some = list(artifacts()[:3].values_list("pk", flat=True))
    done = shelf.hand_over(some, full[9], **who(keeper))
    offer = undoing.offer(**who(keeper), what=undoing.SHELF, label="given away", before=done.as_json())
    shelf.hand_over(some[:1], full[8], **who(full[9]))
    with pytest.raises(shelf.NotPossible):
        undoing.take_back(offer.pk, **who(full[9]))
    with pytest.raises(shelf.NotPossible):
        undoing.take_back(offer.pk, by=keeper, now=timezone.now() + timedelta(days=1, seconds=9))
    taken = undoing.take_back(offer.pk, **who(keeper))
    assert (taken.back, taken.left) == (2, 1)
    assert artifacts()[0].owner == full[8]
    with pytest.raises(shelf.NotPossible):
        undoing.take_back(offer.pk, **who(keeper))
    assert undoing.tidy(timezone.now() + timedelta(days=8)) == 1


def test_a_lost_update_is_told_and_nothing_typed_is_lost(browser: Client, keeper: Any) -> None:
    from evidence.library import shelf

    one = artifacts()[0]
    url = f"/artifacts/{one.pk}/edit/"
    form = browser.get(url).context["form"]
    typed = {name: form[name].value() for name in form.fields} | {"title": "Mine", "notes": "Two\r\nlines"}
    typed = {name: "" if value is None else value for name, value in typed.items()}
    shelf.change(one, title="Theirs", **who(keeper))
    answer = browser.post(url, typed)
    assert answer.status_code == 409
    assert "Theirs" in text(answer)
    assert 'value="Mine"' in answer.content.decode()
    answer = browser.post(url, typed | {"seen": answer.context["form"]["seen"].value()})
    assert answer.headers["Location"] == f"/artifacts/{one.pk}/"
    one.refresh_from_db()
    assert (one.title, one.notes) == ("Mine", "Two\nlines")
    assert "Taken back" in undo(browser, browser.get("/artifacts/"))
    one.refresh_from_db()
    assert one.title == "Theirs"


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("title", " ", "required"),
        ("owner", "ghost", "nobody called “ghost”"),
        ("tags", "y" * 61, "60 characters at most"),
        ("controls", "soc9 X1", "no control “soc9 X1”"),
        ("records", "1 nonsense key", "names no record"),
        ("valid_days", "0", "greater than or equal to 1"),
    ],
)
def test_a_wrong_field_is_told_beside_it(browser: Client, field: str, value: str, said: str) -> None:
    url = f"/artifacts/{artifacts()[0].pk}/edit/"
    typed = {"title": "T", "owner": "keeper-0", "notes": "kept text"} | {field: value}
    page = browser.post(url, typed)
    assert said in text(page)
    assert "kept text" in page.content.decode()


# --- the list ---------------------------------------------------------------------------------------------------


def test_filters_count_what_they_leave(browser: Client) -> None:
    from evidence.models import Collection

    def count(query: str) -> int:
        total: int = browser.get(f"/artifacts/?{query}").context["page"].paginator.count
        return total

    live = artifacts().filter(archived_at=None)
    folder = Collection.objects.all()[0]
    assert count("") == live.count() == 108
    assert count("archived=yes") == 2
    assert count("state=accepted&kind=file") == live.filter(state="accepted", kind="file").count()
    assert count("family=pdf") == live.filter(media="application/pdf").count()
    assert count(f"collection={folder.pk}") == live.filter(collections=folder).count() > 0
    assert count("collection=none") == live.filter(collections=None).count()
    assert count("control=own+c7") == live.filter(controls__ref="C7").count() > 0
    assert count("control=none") == 0
    assert count("framework=own") == 108
    assert count("tag=tag+7") == live.filter(tags__name="tag 7").count() > 0
    assert count("q=access+LIST") == live.filter(title__startswith="Access list").count()
    assert count(f"q={live[5].sha256[:10]}") == 1
    assert count("q=review+of+the+year") == 0
    assert count("q=review+of+the+year&notes=1") == 108
    page = browser.get("/artifacts/?state=accepted")
    chips = {chip.value: chip.many for chip in page.context["facets"][0][1]}
    assert chips["draft"] == live.filter(state="draft").count()


@pytest.mark.parametrize(
    "query",
    [
        "page=99",
        "size=7",
        "sort=x",
        "owner=x",
        "from=2026-13-01",
        "since=9999-12-31",
        "collection=²",
        "q=%00",
        "until=0001-01-01",
    ],
)
def test_hostile_addresses_are_answered(browser: Client, query: str) -> None:
    assert browser.get(f"/artifacts/?{query}").status_code == 200


def test_every_order_and_every_page_shows_each_once(browser: Client) -> None:
    for sort in ("title", "-state", "owner", "collected", "-received", "expiry", "-expiry", "size"):
        pages = [browser.get(f"/artifacts/?sort={sort}&page={n}").context["page"].object_list for n in (1, 2, 3)]
        assert len({row.pk for page in pages for row in page}) == 108


def test_the_list_asks_the_same_number_of_questions(browser: Client) -> None:
    from evidence.models import Artifact

    def asked(url: str) -> int:
        with CaptureQueriesContext(connection) as queries:
            assert browser.get(url).status_code == 200
        return len(queries)

    states = ["", "?q=list", "?state=accepted&tag=tag+7", "?sort=owner&page=2", "?q=nothing-there"]
    edit = f"/artifacts/{artifacts()[0].pk}/edit/"
    few = [asked(f"/artifacts/{query}") for query in states]
    assert max(few) <= 22
    plain = asked(edit)
    Artifact.objects.bulk_create([filled._artifact(n, [artifacts()[0].owner], timezone.now()) for n in range(300, 420)])
    assert [asked(f"/artifacts/{query}") for query in states] == few
    assert asked(edit) == plain <= 30


def test_nasty_titles_are_harmless(browser: Client, keeper: Any) -> None:
    artifacts().filter(pk=artifacts()[0].pk).update(title=NASTY, name=NASTY)
    page = browser.get("/artifacts/?sort=-received").content.decode()
    assert "<script>alert" not in page
    assert "\u202e" not in re.sub(r'aria-label="[^"]*"', "", page)


# --- many at once -----------------------------------------------------------------------------------------------


def test_a_bulk_verb_asks_first_and_says_how_many(browser: Client) -> None:
    pks = list(artifacts().filter(archived_at=None).values_list("pk", flat=True)[:3])
    said = {"verb": "tag", "pick": pks, "query": "sort=title"}
    page = browser.post("/artifacts/bulk/", said)
    assert "3 artifacts" in text(page)
    assert not artifacts().filter(tags__name="fresh word")
    answer = browser.post("/artifacts/bulk/", said | {"count": 3, "tags": "Fresh  Word"}, follow=True)
    assert "3 artifacts were tagged." in text(answer)
    assert artifacts().filter(tags__name="fresh word").count() == 3
    assert "Taken back" in undo(browser, answer)
    assert not artifacts().filter(tags__name="fresh word")


def test_all_that_match_are_those_that_were_counted(browser: Client) -> None:
    said = {"verb": "archive", "all": "1", "query": "state=draft", "count": "3"}
    page = browser.post("/artifacts/bulk/", said)
    assert "another number of artifacts matches" in text(page)
    many = len(page.context["pks"])
    answer = browser.post("/artifacts/bulk/", said | {"count": many}, follow=True)
    assert f"{many} artifacts were archived." in text(answer)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"verb": "tag"}, "Tick the artifacts first"),
        ({"verb": "explode", "all": "1"}, "Choose what to do"),
        ({"verb": "tag", "all": "1", "count": "108", "tags": " , "}, "Write at least one tag"),
        ({"verb": "gather", "all": "1", "count": "108"}, "Choose a collection"),
        ({"verb": "hand-over", "all": "1", "count": "108", "owner": "ghost"}, "nobody called"),
        ({"verb": "link", "all": "1", "count": "108", "controls": "own Z9"}, "no control “own Z9”"),
    ],
)
def test_what_is_missing_for_a_bulk_verb_is_said(browser: Client, said: dict[str, str], words: str) -> None:
    assert words in text(browser.post("/artifacts/bulk/", said, follow=True))


def test_submitting_many_says_which_were_not_and_why(browser: Client) -> None:
    pks = [*artifacts().filter(state="draft")[:2], *artifacts().filter(state="accepted")[:1]]
    said = {"verb": "submit", "pick": [row.pk for row in pks], "count": 3}
    answer = text(browser.post("/artifacts/bulk/", said, follow=True))
    assert "2 of 3 were submitted for review" in answer
    assert "1 not:" in answer


def test_auditors_read_and_take_away_and_change_nothing(people: dict[str, Any], full: list[Any]) -> None:
    client = Client()
    client.force_login(people["Auditor"])
    page = client.get("/artifacts/").content.decode()
    assert "Go on…" not in page
    assert client.post("/artifacts/bulk/", {"verb": "archive", "all": "1"}).status_code == 403
    assert client.get("/artifacts/export.csv").headers["X-Row-Count"] == "108"


# --- saved views, collections -----------------------------------------------------------------------------------


def test_a_view_is_saved_shared_renamed_and_deleted(browser: Client, full: list[Any]) -> None:
    from evidence.models import SavedView

    answer = browser.post(
        "/views/", {"page": "artifacts", "name": "Mine", "query": "state=draft&page=4", "shared": "1"}
    )
    assert answer.headers["Location"] == "/artifacts/?state=draft"
    other = Client()
    other.force_login(full[1])
    assert "Mine" in text(other.get("/artifacts/"))
    view = SavedView.objects.get()
    assert other.post(f"/views/{view.pk}/", {"do": "delete"}).status_code == 404
    browser.post(f"/views/{view.pk}/", {"name": "Renamed"})
    assert "Renamed" not in text(other.get("/artifacts/"))
    assert "Renamed" in text(browser.get("/artifacts/"))
    browser.post(f"/views/{view.pk}/", {"do": "delete"})
    assert not SavedView.objects.exists()
    assert browser.post("/views/", {"page": "evil", "name": "x"}).status_code == 404


def test_a_collection_is_made_renamed_and_only_deleted_when_empty(browser: Client) -> None:
    from evidence.models import Collection

    assert "without commas" in text(browser.post("/artifacts/collections/", {"name": "a, b"}))
    browser.post("/artifacts/collections/", {"name": "Quarter"})
    made = Collection.objects.get(name="Quarter")
    assert "already" in text(browser.post("/artifacts/collections/", {"name": "Quarter"}))
    browser.post(f"/artifacts/collections/{made.pk}/", {"name": "Quarter 3", "about": "For the auditors"})
    assert "Quarter 3" in text(browser.get("/artifacts/collections/"))
    browser.post(f"/artifacts/collections/{made.pk}/", {"do": "delete"})
    assert not Collection.objects.filter(pk=made.pk)
    held = Collection.objects.filter(artifacts__isnull=False).first()
    assert held
    assert "Take them out first" in text(
        browser.post(f"/artifacts/collections/{held.pk}/", {"do": "delete"}, follow=True)
    )


# --- CSV --------------------------------------------------------------------------------------------------------


def sheet_of(browser: Client, query: str = "") -> str:
    from evidence.views.exporting import TYPES

    answer = browser.get(f"/artifacts/export.csv{query}")
    assert answer.headers["Content-Type"] == TYPES["csv"]
    return b"".join(answer.streaming_content).decode()  # type: ignore[attr-defined]  # of a streaming answer


def test_a_sheet_that_nobody_changed_changes_nothing(browser: Client, keeper: Any) -> None:
    from evidence.library import sheet, shelf

    hostile = artifacts()[2]
    formulas: dict[str, Any] = {"title": "=1+1", "notes": "@x\n'quoted", "tags": ["-minus", "plain"]}
    shelf.change(hostile, **formulas, **who(keeper))
    plan = sheet.plan(sheet_of(browser))
    assert (plan.lines, plan.same, plan.refused) == ((), 108, "")


def test_a_changed_sheet_is_shown_and_then_carried_out_at_once(browser: Client, full: list[Any]) -> None:
    one, two = artifacts()[:2]
    rows = f"uid,owner,tags,notes,valid_days\n{one.uid},keeper-5,new; tag,,90\n{two.uid},{two.owner},{NASTY[:8]},=x,\n"
    page = browser.post("/artifacts/import/", {"text": rows})
    assert "owner: keeper-5" in text(page)
    answer = browser.post("/artifacts/import/", {"text": rows, "mark": page.context["plan"].mark}, follow=True)
    assert "2 artifacts changed" in text(answer)
    one.refresh_from_db()
    assert (one.owner, one.valid_days, one.notes) == (full[5], 90, "")
    assert sorted(one.tags.values_list("name", flat=True)) == ["new", "tag"]
    undo(browser, answer)
    one.refresh_from_db()
    assert one.owner == full[0]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("nonsense", "must name the columns"),
        ("uid,tags\n1234,x\n", "no artifact “1234”"),
        ("uid,owner\n{uid},ghost\n", "nobody called “ghost”"),
        ("uid,owner\n{uid},\n", "An owner is missing"),
        ("uid,controls\n{uid},own Z9\n", "no control “own Z9”"),
        ("uid,collections\n{uid},Nowhere\n", "no collection “Nowhere”"),
        ("uid,valid_days\n{uid},²\n", "number from 1"),
        ("uid,title\n{uid},\n", "A title is missing"),
        ("uid,tags\n{uid},x\n{uid},y\n", "earlier row already"),
    ],
)
def test_what_is_wrong_stands_beside_its_row_and_nothing_changes(browser: Client, rows: str, said: str) -> None:
    from portal.models import AuditEntry

    page = browser.post("/artifacts/import/", {"text": rows.replace("{uid}", str(artifacts()[0].uid)), "mark": "x"})
    assert said in text(page)
    assert not AuditEntry.objects.filter(action="artifact changed").exists()


def test_a_download_is_told_with_its_filters(browser: Client) -> None:
    from portal.models import AuditEntry

    assert sheet_of(browser, "?state=draft").count("\r\n") > 2
    entry = AuditEntry.objects.get(action="exported")
    assert entry.detail["filters"] == "state draft"
    pick = artifacts()[0].pk
    assert browser.get(f"/artifacts/export.csv?query=state%3Ddraft&pick={pick}").headers["X-Row-Count"] == "1"


def test_files_go_out_as_one_zip_each_once(browser: Client, keeper: Any) -> None:
    import io
    import zipfile
    import zlib

    from evidence.models import Version

    one, two, gone = artifacts()[:3]
    for row in (one, two):
        values = {"title": "=A/../b", "media": "application/json", "stored": False, "body": zlib.compress(b"same")}
        moments = {"collected_at": row.collected_at, "received_at": row.received_at}
        Version.objects.create(artifact=row, number=2, sha256="f" * 64, size=4, source="report", **values, **moments)
    artifacts().filter(pk__in=[one.pk, two.pk]).update(newest=2)
    picks = "&".join(f"pick={row.pk}" for row in (one, two, gone))
    answer = browser.get(f"/artifacts/files.zip?query=&{picks}")
    with zipfile.ZipFile(io.BytesIO(b"".join(answer.streaming_content))) as made:  # type: ignore[attr-defined]  # streaming
        assert made.testzip() is None
        files = [name for name in made.namelist() if name.startswith("files/")]
        assert files == ["files/ffffffffffff-A-..-b.json"]
        assert made.read(files[0]) == b"same"
        index = made.read("index.csv").decode()
    assert index.count(files[0]) == 2
    assert "erased" in index
    assert "1 to 1,000 artifacts" in text(browser.get("/artifacts/files.zip?q=nothing-at-all", follow=True))
