"""The catalogue of sources and each connector's own page: whatever a connector declares can be read there."""

import re
from html import unescape
from typing import Any

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from connectors import registry
from connectors.spec import KEEP, Rule, fields

pytestmark = pytest.mark.django_db
CONNECTORS = list(registry.all_connectors().values())
SLUGS = [connector.slug for connector in CONNECTORS]
each_connector = pytest.mark.parametrize("connector", CONNECTORS, ids=SLUGS)


@pytest.fixture
def auditor(client: Any, people: dict[str, Any]) -> Any:
    client.force_login(people["Auditor"])
    return client


def text(answer: Any) -> str:
    """What a person reads: without tags, with single blanks."""
    assert answer.status_code == 200, answer.status_code
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", answer.content.decode())))


def said(words: str) -> str:
    return re.sub(r"\s+", " ", words)


def connections(many: int, **changes: Any) -> list[Any]:
    """Connections as they come to be when nobody looks: every 7th is paused, every 10th has a rejected token."""
    from connectors.models import Connection, Workspace

    now = timezone.now()
    numbers = [Connection.objects.count() + number for number in range(many)]
    workspaces = Workspace.objects.bulk_create(
        Workspace(connector="segment", remote_id=f"w{n}", region="us", slug=f"slug-{n}", name=f"Bikes {n:03}", head=n)
        for n in numbers
    )
    alike = {"connector": "segment", "region": "us", "token_used_at": now, "created_at": now, "since": now}
    return Connection.objects.bulk_create(
        Connection(
            **alike,
            name=f"Reader {n}",
            workspace=workspace,
            state="paused" if n % 7 == 1 else "active",
            error_code="token-rejected" if n % 10 == 3 else "",
            token_fingerprint=f"f{n}",
            **changes,
        )
        for n, workspace in zip(numbers, workspaces, strict=True)
    )


# --- the connector's page: found by itself ------------------------------------------------------


@each_connector
def test_every_connector_is_on_a_card_that_leads_to_its_page(auditor: Any, connector: Any) -> None:
    answer = auditor.get("/sources/")
    assert connector.title in text(answer)
    assert connector.summary in text(answer)
    assert f'href="/sources/{connector.slug}/"' in answer.content.decode()


@each_connector
def test_every_stream_is_told_with_what_it_is_for_and_what_of_it_is_kept(auditor: Any, connector: Any) -> None:
    answer = auditor.get(f"/sources/{connector.slug}/")
    page = answer.content.decode()
    for stream in connector.streams:
        row = page.partition(f'id="stream-{stream.name}"')[2].partition("</tr>")[0]
        words = said(unescape(re.sub(r"<[^>]+>", " ", row)))
        for told in (stream.title, stream.about, *(way.path for way in stream.ways), stream.gate[1:], stream.feature):
            assert said(told) in words, (stream.name, told)
        assert not stream.per_minute or f"{stream.per_minute} requests a minute" in words
        assert ("in the slow lane" in words) == stream.slow
        assert f'href="{stream.source}"' in row
        for report in connector.reports:
            assert stream.name not in report.streams or report.title in words
        for path, _ in fields(stream.shape):
            assert f"<code>{path}</code>" in row, (stream.name, path)


@each_connector
def test_every_group_says_what_the_evidence_needs_it_for(auditor: Any, connector: Any) -> None:
    words = text(auditor.get(f"/sources/{connector.slug}/"))
    for group in connector.groups:
        assert group.why, group.name
        for told in (group.title, group.about, group.why, group.caution):
            assert said(told) in words, group.name


@each_connector
def test_steps_roles_hints_limits_regions_and_what_is_never_kept_are_told(auditor: Any, connector: Any) -> None:
    answer = auditor.get(f"/sources/{connector.slug}/")
    page, words, guide = answer.content.decode(), text(answer), connector.guide
    for step in (*guide.steps, *guide.revoke):
        assert said(f"{step.title} {step.text}") in words
        assert all(f'href="{link.url}"' in page for link in step.links)
    for role in guide.roles:
        assert said(role.means) in words
        assert said(role.doubt) in words
    for hint in guide.hints:
        assert all(said(told) in words for told in (hint.title, hint.cause, hint.cure)), hint.code
        assert f'href="/help/{hint.code}/"' in page
    assert guide.limits
    assert all(said(sentence) in words for sentence in (*guide.limits, *guide.never))
    assert all(region.origin in words for region in connector.regions)


def test_the_fields_of_a_shape_are_told_with_their_paths() -> None:
    from connectors.spec import NAMES, one_of

    shape = {"id": KEEP, "settings": NAMES, "actions": [{"type": one_of("A"), "fields": {"x": KEEP}}], "tags": [KEEP]}
    assert dict(fields(shape)) == {
        "id": KEEP,
        "settings": NAMES,
        "actions.type": KEEP,
        "actions.fields.x": KEEP,
        "tags": KEEP,
    }


def test_every_way_of_keeping_less_than_a_value_has_words() -> None:
    from evidence.catalogue import RULES

    assert set(RULES) == set(Rule)


def test_a_secret_is_named_under_what_is_kept_in_its_place(auditor: Any) -> None:
    page = auditor.get("/sources/segment/").content.decode()
    never = page.partition('id="never"')[2].partition("</section>")[0]
    prints = never.partition("Only how many, and a keyed fingerprint of each")[2].partition("</tr>")[0]
    assert "<code>writeKeys</code>" in prints
    assert "#stream-sources" in prints


def test_anchors_lead_somewhere_and_nothing_has_the_same_name_twice(auditor: Any) -> None:
    connections(3)
    page = auditor.get("/sources/segment/").content.decode()
    names = re.findall(r'\sid="([^"]+)"', page)
    assert len(names) == len(set(names))
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(names)


def test_a_source_that_nobody_knows_is_not_found(auditor: Any) -> None:
    for slug in ("data-flow", "Segment", "segment-x"):
        assert auditor.get(f"/sources/{slug}/").status_code == 404


# --- the cards ----------------------------------------------------------------------------------


def test_a_card_shows_who_needs_attention_first_then_a_few_then_how_many_more(auditor: Any) -> None:
    connections(100)
    page = auditor.get("/sources/").content.decode()
    card = page.partition('<li class="card">')[2].partition("</ul>")[0]
    names = re.findall(r"<bdi>([^<]+)</bdi>", card)
    assert len(names) == 6
    assert names == [f"Bikes {n:03}" for n in (3, 13, 23, 33, 53, 63)]  # the 43rd is paused
    assert "and 94 more" in card
    assert 'href="/sources/segment/#connections"' in card
    assert "9 in all need attention" in card


def test_cards_are_found_by_search_category_and_state(auditor: Any) -> None:
    category = CONNECTORS[0].category
    assert "Available 1" in text(auditor.get("/sources/"))
    assert "No source matches" in text(auditor.get("/sources/?state=connected"))
    connections(8)
    words = text(auditor.get("/sources/"))
    assert f"Connected 1 Needs attention 1 Paused 1 {category} 1" in words
    for query in ("q=segment", "q=tracking+PLANS", f"category={category}", "state=attention", "state=paused"):
        assert "1 source of 1" in text(auditor.get(f"/sources/?{query}")), query
    for query in ("q=nonsense", "category=nonsense", "state=available", "state=nonsense", "q=%00&state=available"):
        assert "No source matches" in text(auditor.get(f"/sources/?{query}")), query


def test_only_administrators_are_offered_to_connect_and_led_to_the_connection(
    client: Any, people: dict[str, Any]
) -> None:
    from connectors.models import Connection

    [connection] = connections(1)
    change = f"/admin/connectors/connection/{connection.pk}/change/"
    for role in ("Auditor", "Compliance manager"):
        client.force_login(people[role])
        for url in ("/sources/", "/sources/segment/"):
            page = client.get(url).content.decode()
            assert "/admin/" not in page, (role, url)
    client.force_login(people["Administrator"])
    assert change in client.get("/sources/segment/").content.decode()
    for url in ("/sources/", "/sources/segment/"):
        form = client.get(url).content.decode().partition("/connect/")
        assert 'name="connector" value="segment"' in form[2]
    answer = client.post("/admin/connectors/connection/connect/", {"connector": "segment"})
    assert answer.status_code == 302
    assert Connection.objects.filter(state="draft", connector="segment").count() == 1


# --- a hundred connections ----------------------------------------------------------------------


def listed(answer: Any) -> list[str]:
    table = answer.content.decode().partition('aria-label="Connections"')[2].partition("</table>")[0]
    return re.findall(r'<th scope="row" class="wrap"><a href="[^"]+"><bdi>([^<]+)', table)


def test_the_list_of_connections_is_searched_filtered_sorted_and_paged(auditor: Any) -> None:
    connections(40)
    first = auditor.get("/sources/segment/")
    assert listed(first)[:4] == ["Bikes 003", "Bikes 013", "Bikes 023", "Bikes 033"]
    assert "40 connections Token rejected 4 Active 30 Paused 6" in text(first)
    assert len(listed(first)) == 10
    assert listed(auditor.get("/sources/segment/?sort=-workspace"))[0] == "Bikes 039"
    assert listed(auditor.get("/sources/segment/?sort=snapshot&page=4"))[-1] == "Bikes 039"
    assert listed(auditor.get("/sources/segment/?q=bikes+017")) == ["Bikes 017"]
    assert listed(auditor.get("/sources/segment/?q=slug-21")) == ["Bikes 021"]
    assert listed(auditor.get("/sources/segment/?q=Reader+9")) == ["Bikes 009"]
    paused = auditor.get("/sources/segment/?condition=paused&sort=workspace")
    assert listed(paused) == [f"Bikes {n:03}" for n in (1, 8, 15, 22, 29, 36)]
    assert "No connection matches" in text(auditor.get("/sources/segment/?q=nobody&condition=paused"))
    assert len(listed(auditor.get("/sources/segment/?condition=nonsense&sort=nonsense&page=x"))) == 10


def test_a_condition_stands_with_its_reason_and_its_code(auditor: Any) -> None:
    connections(4, environment="production")
    words = text(auditor.get("/sources/segment/?condition=token-rejected"))
    assert "Production Token rejected Segment rejects the token (401). token-rejected" in words


@pytest.mark.parametrize("url", ["/sources/", "/sources/segment/", "/sources/segment/?q=bikes&condition=active"])
def test_pages_ask_the_same_however_many_there_are_and_never_for_a_token(auditor: Any, url: str) -> None:
    asked = []
    for many in (12, 188):
        connections(many)
        with CaptureQueriesContext(
            database,
        ) as queries:
            assert auditor.get(url).status_code == 200
        asked.append(len(queries))
        assert not [each["sql"] for each in queries if '"token"' in each["sql"]]
    assert asked[0] == asked[1] <= 10
