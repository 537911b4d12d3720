"""Frameworks: catalogues as data, a team's own as files, what supports a control, and the pages."""

import json
from datetime import date, timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection as database
from django.test.utils import CaptureQueriesContext

from connectors import registry
from evidence.actions import due, life
from evidence.frameworks import catalogues, files, shelf, support
from evidence.frameworks.catalogues import Catalogue, Entry, Malformed
from evidence.frameworks.support import Support
from evidence.models import Artifact, Control, Edition, Framework, State
from portal.models import AuditEntry

from . import shelves
from .shelves import NOW

TODAY = NOW.date()
# The ids of the checks that auditors ask for, each of which must speak to some control.
CHECKS = {
    **{f"ACC-{n:02}": "access" for n in range(1, 12)},
    **{f"FLO-{n:02}": "flow" for n in range(1, 12)},
    **{f"MIN-{n:02}": "minimisation" for n in range(1, 8)},
    **{f"RGT-{n:02}": "rights" for n in range(1, 7)},
    **{f"MON-{n:02}": "monitoring" for n in range(1, 10)},
    **{f"MAN-{n:02}": "manual" for n in range(1, 5)},
}
HOUSE = Catalogue(
    slug="house",
    title="House rules",
    label="2026",
    controls=(
        Entry(ref="PR-1", title="Recipients are approved", text="=1+1 is text", group="Privacy", series="PR"),
        Entry(ref="PR-2", title="“Odd”, signs; and\nlines", group="Privacy", series="PR", optional=True),
        Entry(ref="A(b).1", title="Without a group"),
    ),
)


@pytest.fixture
def boss(people: dict[str, Any]) -> Any:
    return people["Compliance manager"]


@pytest.fixture
def manager(client: Any, boss: Any) -> Any:
    client.force_login(boss)
    return client


# --- data ---------------------------------------------------------------------------------------


def test_the_catalogues_are_well_formed_and_every_check_speaks_to_a_control() -> None:
    built_in = catalogues.built_in()
    assert [each.slug for each in built_in] == ["ccpa", "gdpr", "iso27001", "nist-csf", "soc2"]
    assert {check for each in built_in for entry in each.controls for check in entry.checks} == set(CHECKS)
    for each in built_in:
        assert all(entry.text and entry.group and entry.series for entry in each.controls)
    soc2 = {entry.ref: entry for entry in built_in[-1].controls}
    assert {entry.series for entry in soc2.values() if entry.optional} == {"C", "PI", "P"}
    assert not soc2["CC6.1"].optional


@pytest.mark.parametrize("slug", list(registry.all_connectors()))
def test_what_a_connector_says_it_supports_is_in_a_catalogue(slug: str) -> None:
    known = {f"{each.slug} {entry.ref}" for each in catalogues.built_in() for entry in each.controls}
    connector = registry.get(slug)
    for refs in [*(each.supports for each in connector.reports), *(each.supports for each in connector.guide.manuals)]:
        assert refs
        assert set(refs) <= known


def test_what_differs_between_two_editions() -> None:
    other = Entry(ref="PR-1", title="Recipients are known")
    new = Catalogue(slug="house", title="House rules", controls=(other, Entry(ref="PR-3", title="New")))
    differ = catalogues.differences(HOUSE, new)
    assert [each.ref for each in differ.added] == ["PR-3"]
    assert [(old.title, new.title) for old, new in differ.reworded] == [
        ("Recipients are approved", "Recipients are known")
    ]
    assert [each.ref for each in differ.withdrawn] == ["PR-2", "A(b).1"]
    assert not catalogues.differences(HOUSE, HOUSE)
    assert catalogues.thawed(catalogues.frozen(HOUSE)) == HOUSE


# --- files --------------------------------------------------------------------------------------


def test_a_framework_goes_out_and_comes_in_as_it_was() -> None:
    from evidence.exports import csv

    table = b"".join(csv.pieces(files.COLUMNS, files.rows(HOUSE)))
    assert files.read(table, slug="house", title="House rules", label="2026") == HOUSE
    assert files.read(table.replace(b"\r\n", b"\n"), slug="house", title="House rules", label="2026") == HOUSE
    oscal = files.oscal(HOUSE, NOW)
    assert files.oscal(HOUSE, NOW) == oscal
    read = files.read(oscal, slug="house")
    assert {each.ref: each for each in read.controls} == {each.ref: each for each in HOUSE.controls}
    assert (read.title, read.label) == ("House rules", "2026")


def test_a_nested_catalog_is_read() -> None:
    catalog = {
        "metadata": {"title": "Nested", "version": "5"},
        "groups": [
            {
                "id": "ac",
                "title": "Access",
                "groups": [{"title": "Deeper", "controls": [{"id": "ac-1", "title": "One"}]}],
                "controls": [
                    {
                        "id": "ac-2",
                        "title": "Two",
                        "parts": [
                            {"name": "guidance", "prose": "not this"},
                            {"name": "statement", "prose": "This", "parts": [{"name": "item", "prose": "and this"}]},
                        ],
                        "controls": [{"id": "ac-2.1", "title": "Two, more"}],
                    }
                ],
            }
        ],
        "back-matter": {"resources": [{"uuid": "x"}]},
    }
    read = files.read(json.dumps({"catalog": catalog}).encode(), slug="nested")
    assert [(each.ref, each.group, each.text) for each in read.controls] == [
        ("ac-2", "Access", "This\nand this"),
        ("ac-2.1", "Access", ""),
        ("ac-1", "Deeper", ""),
    ]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"\xff\xfe", "not text in UTF-8"),
        (b"", "needs a column"),
        (b"title\nOne\n", "needs a column “id”"),
        (b"id,title\n", "needs a column"),
        (b"id,title\nA 1,One\n", "1 to 40 signs"),
        (b"id,title\nA/1,One\n", "1 to 40 signs"),
        (b"id,title\nA,One\nA,Two\n", "is there twice"),
        (b"id,title\nA,\n", "it has no title"),
        (b"id,title,optional\nA,One,maybe\n", "Line 2: “maybe” under optional is neither yes nor no"),
        (b"id,title\nA,One,more\n", "Line 2: it has more cells than the head"),
        (b"id,title\nA," + b"x" * 201 + b"\n", "its title has more than 200 signs"),
        (b'id,title\n"A,One\n', "no table"),
        (b"{}", "no OSCAL catalog"),
        (b'{"catalog": []}', "no OSCAL catalog"),
        (b'{"catalog": {"groups": "x"}}', "no OSCAL catalog"),
        (b'{"catalog": {"controls": [{"title": "no id"}]}}', "no OSCAL catalog"),
        (b'{"catalog": {"controls": []}}', "It has no controls"),
        (b'{"catalog": ' + b'{"groups": [' * 30 + b"{}" + b"]}" * 30 + b"}", "nested deeper"),
        (b'{"a":' * 100_000, "no OSCAL catalog"),
        (b"x" * 5_000_001, "more than 5 MB"),
    ],
)
def test_a_file_that_cannot_be_taken_is_told_why(data: bytes, said: str) -> None:
    with pytest.raises(Malformed) as refused:
        files.read(data, slug="house")
    assert any(said in sentence for sentence in refused.value.sentences), refused.value.sentences


# --- what stands --------------------------------------------------------------------------------


def test_built_in_frameworks_are_loaded_once_and_a_new_edition_keeps_what_is_ours(boss: Any, monkeypatch: Any) -> None:
    assert shelf.load_built_in(NOW) == 5
    assert shelf.load_built_in(NOW) == 0
    control = Control.objects.get(framework__slug="gdpr", ref="32")
    shelf.settle(control, owner=boss, valid_days=90, notes="Ours", by=boss, now=NOW)
    gone = Control.objects.get(framework__slug="gdpr", ref="46")
    gone.artifacts.add(shelves.artifact(boss))
    gdpr = next(each for each in catalogues.built_in() if each.slug == "gdpr")
    fewer = tuple(each for each in gdpr.controls if each.ref != "46")
    made = shelf.load(Catalogue(slug="gdpr", title="GDPR", controls=fewer), by=None, now=NOW, origin=shelf.BUILT_IN)
    assert made is not None
    assert made.number == 2
    control.refresh_from_db()
    gone.refresh_from_db()
    assert (control.owner, control.valid_days, control.notes, control.withdrawn) == (boss, 90, "Ours", False)
    assert (gone.withdrawn, gone.artifacts.count()) == (True, 1)
    entry = AuditEntry.objects.filter(action="framework loaded").order_by("-pk")[0]
    assert entry.detail["withdrawn"] == 1
    assert shelf.load_built_in(NOW) == 1, "what came with the portal is loaded again"
    gone.refresh_from_db()
    assert not gone.withdrawn


def test_a_team_cannot_take_the_name_of_a_built_in_framework(boss: Any) -> None:
    shelf.load_built_in(NOW)
    with pytest.raises(shelf.NotPossible):
        shelf.load(Catalogue(slug="gdpr", title="Ours", controls=HOUSE.controls), by=boss, now=NOW)
    assert Framework.objects.get(slug="gdpr").number == 1


@pytest.mark.parametrize(
    ("held", "state"),
    [
        (Support(), "missing"),
        (Support(held=2), "stale"),
        (Support(held=2, waiting=1), "review"),
        (Support(held=2, fresh=1, until=TODAY + timedelta(days=31)), "fresh"),
        (Support(held=2, fresh=1, until=TODAY + timedelta(days=30)), "soon"),
        (Support(held=2, fresh=2, until=TODAY, forever=True), "fresh"),
    ],
)
def test_how_a_control_stands(held: Support, state: str) -> None:
    assert held.state(TODAY) == state
    assert bool(held.gaps(TODAY)) == (state != "fresh")


def test_what_supports_controls_is_counted_by_day(boss: Any, people: dict[str, Any]) -> None:
    one, two, three = (shelves.control(ref) for ref in ("A", "B", "C"))
    accepted, ended, waiting, archived = (shelves.artifact(boss, title) for title in ("a", "b", "c", "d"))
    shelves.accept(accepted, people["Administrator"], until=TODAY + timedelta(days=1))
    shelves.accept(ended, people["Administrator"], until=TODAY)
    Artifact.objects.filter(pk=waiting.pk).update(state=State.REVIEW)
    Artifact.objects.filter(pk=archived.pk).update(archived_at=NOW)
    one.artifacts.add(accepted, ended, archived)
    two.artifacts.add(waiting, archived)
    action = life.make(life.Draft(title="Late", due_on=TODAY - timedelta(days=1), controls=[one]), by=boss, now=NOW)
    today = support.of([one, two, three], TODAY)
    assert today[one.pk] == Support(held=2, fresh=2, until=TODAY + timedelta(days=1), actions=1, late=1)
    assert today[two.pk] == Support(held=1, waiting=1)
    assert today[three.pk] == Support()
    tomorrow = support.of([one], TODAY + timedelta(days=1))
    assert tomorrow[one.pk].fresh == 1
    assert support.of([one], TODAY + timedelta(days=2))[one.pk].state(TODAY) == "stale"
    life.drop(action, "No", by=boss, now=NOW)
    assert support.of([one], TODAY)[one.pk].actions == 0
    two.artifacts.add(accepted)
    assert [(each.pk, getattr(each, "shared")) for each in support.siblings(one)] == [(two.pk, 1)]  # noqa: B009
    assert due.renew(NOW), "what supports a control and ends soon is to be renewed"


# --- pages --------------------------------------------------------------------------------------


def test_a_framework_is_brought_after_its_preview(manager: Any, boss: Any) -> None:
    table = b"id,title\nPR-1,Recipients <b>are</b> approved\nPR-2,Second\n"

    def send(data: bytes, slug: str = "house") -> Any:
        return manager.post(
            "/frameworks/import/", {"slug": slug, "title": "House", "file": SimpleUploadedFile("f.csv", data)}
        )

    refused = send(b"id,title\nA 1,x\n")
    assert refused.status_code == 422
    assert "1 to 40 signs" in refused.content.decode()
    preview = send(table)
    assert "Recipients &lt;b&gt;are&lt;/b&gt; approved" in preview.content.decode()
    assert not Framework.objects.exists()
    answer = manager.post("/frameworks/import/", {"confirmed": "", "packed": preview.context["packed"]})
    assert answer.headers["Location"] == "/frameworks/house/"
    again = manager.post("/frameworks/import/", {"confirmed": "", "packed": preview.context["packed"]}, follow=True)
    assert "no new edition was made" in again.content.decode()
    Control.objects.get(ref="PR-2").artifacts.add(shelves.artifact(boss))
    second = send(b"id;title\nPR-1;Recipients are approved\n")
    assert "1 artifact linked" in second.content.decode()
    manager.post("/frameworks/import/", {"confirmed": "", "packed": second.context["packed"]})
    assert Edition.objects.filter(framework__slug="house").count() == 2
    page = manager.get("/frameworks/house/editions/2/").content.decode()
    assert "Withdrawn: <b><bdi>PR-2" in page
    forged = manager.post("/frameworks/import/", {"confirmed": "", "packed": "x"}, follow=True)
    assert "bring the file again" in forged.content.decode()
    shelf.load_built_in(NOW)
    taken = manager.post("/frameworks/import/", {"confirmed": "", "packed": send(table, "gdpr").context["packed"]})
    assert taken.status_code == 409
    for fmt in ("csv", "json"):
        assert manager.get(f"/frameworks/house/export.{fmt}").headers["X-Row-Count"] == "1"
    assert manager.get("/frameworks/house/export.exe").status_code == 404


def test_a_control_shows_its_evidence_and_links_more(manager: Any, boss: Any, people: dict[str, Any]) -> None:
    shelf.load_built_in(NOW)
    at = "/frameworks/soc2/controls/CC6.3/"
    page = manager.get(at).content.decode()
    for words in (
        "Missing",
        "No artifact is linked",
        "People and access",
        "Access to the workspace is reviewed",
        "ACC-07",
    ):
        assert words in page
    picture = shelves.artifact(boss, "Access <i>list</i>")
    shelves.accept(picture, people["Administrator"], until=date.today() + timedelta(days=12))
    assert "Access &lt;i&gt;list" in manager.get(f"{at}?find=access").content.decode()
    manager.post(f"{at}link/", {"artifact": picture.pk})
    page = manager.get(at).content.decode()
    assert "Expires soon" in page
    assert "stops to count in 12 days" in page
    assert "Access &lt;i&gt;list" in manager.get("/frameworks/soc2/?inline=1").content.decode()
    assert len(manager.get("/frameworks/soc2/?state=soon").context["rows"]) == 1
    assert {each.series for each, *_ in manager.get("/frameworks/soc2/?series=PI").context["rows"]} == {"PI"}
    answer = manager.post(f"{at}settle/", {"owner": people["Auditor"].pk, "valid_days": "0", "notes": "x"})
    assert (answer.status_code, "greater than or equal to 1" in answer.content.decode()) == (422, True)
    manager.post(f"{at}settle/", {"owner": people["Auditor"].pk, "valid_days": "90", "notes": "x"})
    assert "90 days" in manager.get(at).content.decode()
    manager.post(f"{at}link/", {"artifact": picture.pk, "unlink": ""})
    assert not picture.controls.exists()
    manager.post("/frameworks/soc2/retire/")
    assert "SOC 2" not in manager.get("/frameworks/").content.decode().split("<main")[1]
    assert "SOC 2" in manager.get("/frameworks/?retired=1").content.decode()


@pytest.mark.parametrize(
    "address", ["/frameworks/", "/frameworks/own/", "/frameworks/own/?inline=1", "/frameworks/own/controls/C1/"]
)
def test_pages_ask_the_same_number_of_questions(manager: Any, boss: Any, address: str) -> None:
    counted = []
    for many in (2, 12):
        for number in range(many):
            control = shelves.control(f"C{number}", "own")
            for _ in range(2):
                control.artifacts.add(shelves.artifact(boss))
        with CaptureQueriesContext(database) as queries:
            assert manager.get(address).status_code == 200
        counted.append(len(queries))
    assert counted[0] == counted[1] <= 26, counted


def test_evidence_beside_every_control_says_when_there_is_more(manager: Any, boss: Any) -> None:
    first, last = shelves.control("C1", "own"), shelves.control("C2", "own")
    for number in range(12):
        first.artifacts.add(shelves.artifact(boss, f"Many {number}"))
    last.artifacts.add(shelves.artifact(boss, "Only one"))
    page = manager.get("/frameworks/own/?inline=1").content.decode()
    assert page.count("<bdi>Many ") == 10
    assert "All 12 artifacts" in page
    assert "Only one" in page
