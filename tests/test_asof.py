"""As of: what an address means, which snapshot that is, that it is not mixed with now, and that every link keeps it."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from html import unescape
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from django.urls import URLPattern, get_resolver, resolve
from django.utils import timezone

from evidence.marks import MOST, marks

from .worlds import World, world

pytestmark = pytest.mark.django_db
BERLIN = ZoneInfo("Europe/Berlin")
AGO = (timedelta(days=6), timedelta(days=3), timedelta())  # when each of the snapshots was published
# Addresses of a workspace that take no moment: they show no state of it, or name themselves what they compare.
TIMELESS = {"sync-now", "changes", "changes-export", "timeline", "record", "record-link"}


@pytest.fixture(scope="module")
def read(django_db_setup: None, django_db_blocker: Any) -> Iterator[World]:
    from connectors.models import Anomaly, Snapshot

    with world(django_db_blocker) as made:
        for day, ago in enumerate(AGO):
            made.simulator.settings.day = 5 * day
            assert made.sync(ago=ago).state == "published"
        first = Snapshot.objects.get(workspace=made.workspace, seq=1)
        Anomaly.objects.create(snapshot=first, stream="sources", title="Sources", kind="gap", detail="Odd.")
        yield made


@pytest.fixture
def at(read: World) -> str:
    return f"/workspaces/{read.workspace.pk}"


@pytest.fixture
def manager(client: Any, people: dict[str, Any]) -> Any:
    client.force_login(people["Compliance manager"])
    return client


def text(answer: Any) -> str:
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", answer.content.decode())))


def published(read: World, seq: int) -> datetime:
    from connectors.models import Snapshot

    return Snapshot.objects.get(workspace=read.workspace, seq=seq).published_at


# --- what an address means ----------------------------------------------------------------------


def end(text: str) -> datetime:
    """The last microsecond before a moment."""
    return datetime.fromisoformat(text).astimezone(UTC) - datetime.resolution


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("12", 12),
        ("0", 0),
        ("000000012", 12),
        ("2026-11-24", end("2026-11-25T00:00+01:00")),
        ("2026-12-31", end("2027-01-01T00:00+01:00")),
        ("2026-03-29", end("2026-03-30T00:00+02:00")),  # 23 hours long
        ("2026-11-24T06:00", end("2026-11-24T06:01+01:00")),
        ("2026-11-24 06:00", end("2026-11-24T06:01+01:00")),
        ("2026-11-24T06:00:07", end("2026-11-24T06:00:08+01:00")),
        ("2026-11-24T06:00:07.25", datetime(2026, 11, 24, 5, 0, 7, 250_000, UTC)),
        ("2026-11-24T06:00Z", end("2026-11-24T06:01+00:00")),
        ("2026-11-24T06:00z", end("2026-11-24T06:01+00:00")),
        ("2026-11-24T06:00+05:30", end("2026-11-24T06:01+05:30")),
        ("2026-11-24T06:00 05:30", end("2026-11-24T06:01+05:30")),  # what a browser makes of a plus
        ("2026-11-24T06:00-0800", end("2026-11-24T06:01-08:00")),
        ("2026-10-25T02:30", end("2026-10-25T02:31+01:00")),  # shown twice: the later one
        ("2026-03-29T02:30", end("2026-03-29T03:31+02:00")),  # never shown: where the clock would have been
        ("2999-12-31", end("3000-01-01T00:00+01:00")),
    ],
)
def test_a_number_or_a_moment_is_read(said: str, meant: int | datetime) -> None:
    from evidence import asof

    assert asof.read(said, BERLIN) == meant


UNREADABLE = (
    *("x", "-1", "1.0", "9999999999", "\0", "٣", "0000-01-01", "12; DROP TABLE x", " 12", "2026-11-24\n", "x" * 9000),
    *("2026-13-01", "2026-02-30", "2026-11-24T", "2026-11-24Z", "2026-11-24T06", "2026-11-24T25:00", "24.11.2026"),
    *("2026-11-24T06:00+25:00", "2026-11-24T06:00:00.1234567"),
)


@pytest.mark.parametrize("said", UNREADABLE)
def test_anything_else_is_refused(said: str) -> None:
    from evidence import asof

    with pytest.raises(asof.Refused) as refused:
        asof.read(said, UTC)
    assert refused.value.code == "as-of-unreadable"
    assert "2026-11-24T06:00+01:00" in str(refused.value)
    assert len(str(refused.value)) < 250


# --- which snapshot that is ---------------------------------------------------------------------


def seen(read: World, said: str) -> int:
    from evidence import asof

    found = asof.find(read.workspace, said).snapshot
    assert found is not None
    return found.seq


def test_the_newest_snapshot_by_then_is_shown(read: World) -> None:
    second = published(read, 2)
    assert seen(read, "") == 3
    assert [seen(read, str(number)) for number in (1, 2, 3)] == [1, 2, 3]
    assert seen(read, second.isoformat()) == 2
    assert seen(read, (second - datetime.resolution).isoformat()) == 1
    assert seen(read, f"{second:%Y-%m-%dT%H:%MZ}") == 2, "a page dates it to the minute"
    assert seen(read, f"{second:%Y-%m-%d}") == 2
    assert seen(read, f"{second - timedelta(days=1):%Y-%m-%d}") == 1
    assert seen(read, "2999-01-01") == 3, "the future is the newest one"


def test_a_date_means_that_day_in_the_zone_of_the_portal(read: World, settings: Any) -> None:
    second = published(read, 2)
    for name in ("Pacific/Kiritimati", "Pacific/Pago_Pago"):
        with timezone.override(name):
            assert seen(read, f"{timezone.localtime(second):%Y-%m-%d}") == 2
            assert seen(read, f"{timezone.localtime(second) - timedelta(days=1):%Y-%m-%d}") == 1


def test_what_cannot_be_shown_is_refused_with_a_code(manager: Any, read: World, at: str) -> None:
    first = published(read, 1)
    early = manager.get(f"{at}/reports/people/?as_of=2020-01-01")
    assert early.status_code == 404
    assert f"The first snapshot is of {first.day} " in text(early)
    assert "/help/as-of-too-early/" in early.content.decode()
    assert f'href="{at}/reports/people/?as_of=1"' in early.content.decode()
    for url in (f"{at}/?as_of=4", f"{at}/?as_of=0", f"{at}/reports/people/export.csv?as_of=99"):
        answer = manager.get(url)
        assert answer.status_code == 404
        assert "/help/as-of-no-such-snapshot/" in answer.content.decode()
        assert "snapshots 1 to 3" in text(answer)
    for hostile in ("x", "-1", "9999999999999", "%00", "1.0", "<script>"):
        for page in ("/", "/anomalies/", "/snapshots/1/", "/reports/people/", "/reports/people/export.json"):
            answer = manager.get(f"{at}{page}?as_of={hostile}")
            assert answer.status_code == 400, (page, hostile)
            assert "/help/as-of-unreadable/" in answer.content.decode()
            assert "<script" not in answer.content.decode()
    kept = manager.post(f"{at}/reports/people/keep/", {"as_of": "x", "title": "No"})
    assert kept.status_code == 400


def test_before_the_first_snapshot_there_is_nothing_to_refuse(manager: Any) -> None:
    from connectors.models import Workspace

    empty = Workspace.objects.create(connector="segment", remote_id="new", slug="new", name="New")
    for path in ("", "reports/people/", "anomalies/"):
        answer = manager.get(f"/workspaces/{empty.pk}/{path}?as_of=2026-11-24")
        assert answer.status_code == 200
        assert "This is how it was" not in text(answer)


# --- what pages say -----------------------------------------------------------------------------

PAGES = ("/", "/reports/data-flow/", "/reports/people/", "/anomalies/")


@pytest.mark.parametrize("path", PAGES)
def test_a_page_of_the_past_says_so_and_leads_back(manager: Any, read: World, at: str, path: str) -> None:
    then = published(read, 2)
    page = manager.get(f"{at}{path}?as_of=2")
    assert f"This is how it was on {then.day} {then:%b %Y, %H:%M} UTC (snapshot 2 of 3)" in text(page)
    back = re.search(r'href="([^"]*)">Back to now', page.content.decode())
    assert back
    now = manager.get(f"{at}{path}" if back[1] == "?" else back[1])
    assert "This is how it was" not in text(now)
    day = manager.get(f"{at}{path}?as_of={then + timedelta(days=1):%Y-%m-%d}")
    assert "(snapshot 2 of 3)" in text(day)
    assert "23:59 UTC : nothing newer had been read by then." in text(day)
    newest = text(manager.get(f"{at}{path}?as_of=2999-01-01"))
    assert "This is how it was" not in newest


def test_a_snapshot_of_the_past_says_so_too(manager: Any, at: str) -> None:
    page = manager.get(f"{at}/snapshots/2/")
    assert "(snapshot 2 of 3)" in text(page)
    assert f'href="{at}/snapshots/3/">Back to now' in page.content.decode()
    assert "This is how it was" not in text(manager.get(f"{at}/snapshots/3/"))
    assert manager.get(f"{at}/snapshots/2/?as_of=1")["Location"] == f"{at}/snapshots/1/"


def test_reports_of_the_past_are_the_reports_that_were_made_then(manager: Any, read: World, at: str) -> None:
    """Rows and digests are the snapshot's own, however the moment is said."""
    from connectors.models import Snapshot

    for seq in (1, 2, 3):
        snapshot = Snapshot.objects.get(workspace=read.workspace, seq=seq)
        moment = f"{snapshot.published_at:%Y-%m-%dT%H:%MZ}"
        by_number, by_moment = (manager.get(f"{at}/reports/destinations/?as_of={said}") for said in (seq, moment))
        assert snapshot.header_sha256 in text(by_number)
        rows = [re.findall(r'<th scope="row">.*', page.content.decode()) for page in (by_number, by_moment)]
        assert rows[0] == rows[1]
    exported = [
        b"".join(manager.get(f"{at}/reports/destinations/export.csv?as_of={seq}").streaming_content) for seq in (1, 3)
    ]
    assert exported[0] != exported[1]


def test_the_past_is_not_mixed_with_now(manager: Any, read: World, at: str) -> None:
    from connectors import connections, runs

    run = runs.request(read.connection, trigger="person", now=timezone.now(), enqueue=False)
    runs.cancel(run, None, timezone.now())
    connections.note_failure(read.connection, "token-rejected", timezone.now())
    now, past = manager.get(f"{at}/"), manager.get(f"{at}/?as_of=2")
    for word in ("Sync now", "Missed times", "Only when somebody asks", "rejects the token", f"Run {run.pk}"):
        assert word in text(now), word
        assert word not in text(past), word
    assert "The run that read it" in text(past)
    assert f'href="{at}/snapshots/3/"' not in re.sub(r"<nav.*?</nav>", "", past.content.decode(), flags=re.DOTALL)


def test_anomalies_of_later_snapshots_are_not_those_of_the_past(manager: Any, read: World, at: str) -> None:
    from connectors.models import Anomaly, Snapshot

    for snapshot in Snapshot.objects.filter(workspace=read.workspace):
        Anomaly.objects.create(snapshot=snapshot, stream="users", title=f"Odd {snapshot.seq}", kind="gap", detail="!")
    for path in ("/", "/anomalies/"):
        past = text(manager.get(f"{at}{path}?as_of=2"))
        assert ("Odd 1" in past, "Odd 2" in past, "Odd 3" in past) == (True, True, False)
    chosen = Anomaly.objects.get(title="Odd 2")
    said = manager.post(f"{at}/anomalies/?as_of=2", {"anomaly": chosen.pk, "explanation": "The log was rotated."})
    assert said["Location"] == f"{at}/anomalies/?as_of=2"
    assert "Explanations are those given until now." in text(manager.get(said["Location"]))


def test_exports_and_artifacts_of_the_past_name_their_snapshot(manager: Any, read: World, at: str) -> None:
    from evidence.models import Version

    day = f"{published(read, 2):%Y-%m-%d}"
    for fmt in ("csv", "json"):
        answer = manager.get(f"{at}/reports/people/export.{fmt}?as_of={day}")
        assert re.search(r"-s2-[0-9a-f]{8}\." + fmt, answer["Content-Disposition"])
    assert answer.json()["provenance"]["snapshot"] == 2
    page = manager.get(f"{at}/reports/people/?as_of={day}").content.decode()
    assert '<input type="hidden" name="as_of" value="2">' in page
    manager.post(f"{at}/reports/people/keep/", {"as_of": "2", "title": "Then"})
    assert Version.objects.get(title="Then", snapshot__seq=2)


# --- one word in addresses ----------------------------------------------------------------------


def test_old_links_and_the_form_of_two_fields_become_one_word(manager: Any, at: str) -> None:
    base = f"{at}/reports/people/"
    for query, tidy in (
        ("snapshot=2&q=a", "q=a&as_of=2"),
        ("as_of=2026-11-24&as_of_time=06%3A00", "as_of=2026-11-24T06%3A00"),
        ("as_of=2026-11-24&as_of_time=&table=people", "table=people&as_of=2026-11-24"),
        ("as_of=&as_of_time=", ""),
        ("as_of=&snapshot=2", "as_of=2"),
        ("as_of=1&snapshot=2", "as_of=1"),
    ):
        answer = manager.get(f"{base}?{query}")
        assert (answer.status_code, answer["Location"]) == (302, f"{base}?{tidy}" if tidy else base)
        assert manager.get(answer["Location"]).status_code in (200, 404), "once is enough"
    old = manager.get(f"{at}/reports/people/export.csv?snapshot=1&table=people", follow=True)
    assert "-s1-" in old["Content-Disposition"]


# --- every link keeps it ------------------------------------------------------------------------


class Links(HTMLParser):
    """The links of a page outside of the bar that leads through time, and its forms with their hidden fields."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.forms: list[tuple[dict[str, str], dict[str, str]]] = []
        self._bar: list[str] = []
        self.feed(markup)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        held = {name: value or "" for name, value in attrs}
        if self._bar:
            self._bar += [tag] if tag == self._bar[0] else []
        elif {"asof", "past"} & set(held.get("class", "").split()):
            self._bar = [tag]
        elif tag == "a":
            self.links.append(held.get("href", ""))
        elif tag == "form":
            self.forms.append((held, {}))
        elif tag == "input" and held.get("type") == "hidden" and self.forms:
            self.forms[-1][1][held.get("name", "")] = held.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if self._bar and tag == self._bar[0]:
            self._bar.pop()


def takes(path: str) -> bool:
    return bool(getattr(resolve(path).func, "takes_as_of", False))


def kept(address: str, hidden: dict[str, str], same: set[str]) -> bool:
    """Whether an address that takes a moment says one of those that mean the same snapshot."""
    parts = urlsplit(address)
    match = resolve(parts.path)
    if match.url_name == "snapshot":
        return True  # which one is in its path
    return (hidden.get("as_of") or parse_qs(parts.query).get("as_of", [""])[0]) in same


def addresses(url: str, page: Links) -> Iterator[tuple[str, dict[str, str]]]:
    """Where a page leads to, with what its forms send along; only pages that take a moment."""
    here = urlsplit(url).path
    found = [(here + link if link.startswith("?") else link, dict[str, str]()) for link in page.links]
    found += [(form.get("action") or here, hidden) for form, hidden in page.forms]
    yield from ((to, hidden) for to, hidden in found if to.startswith("/workspaces/") and takes(urlsplit(to).path))


def test_every_link_and_form_keeps_the_moment(manager: Any, read: World, at: str) -> None:
    """Walks from the overview to every page and every table that its links reach."""
    day = f"{published(read, 2):%Y-%m-%d}"
    assert seen(read, day) == 2
    waiting = [f"{at}/?as_of={day}"]
    lost, walked, names = [], set[tuple[str, str]](), set[str]()
    while waiting:
        url = waiting.pop()
        answer = manager.get(url)
        assert answer.status_code == 200, url
        for address, hidden in addresses(url, Links(answer.content.decode())):
            lost += [] if kept(address, hidden, {"2", day}) else [(url, address)]
            match, query = resolve(urlsplit(address).path), parse_qs(urlsplit(address).query)
            names.add(str(match.url_name))
            step = (urlsplit(address).path, query.get("table", [""])[0])
            page = match.url_name in {"workspace", "report", "anomalies"} and not {"q", "sort", "size"} & query.keys()
            if page and not hidden and step not in walked:
                walked.add(step)
                waiting.append(address)
    assert lost == []
    assert names == {"workspace", "report", "anomalies", "snapshot", "export", "capture"}
    assert len(walked) > 12


@pytest.mark.parametrize("query", ["q=a&sort=-name&size=25", "f-enabled=Enabled&page=1", "table=nonsense"])
def test_search_filters_and_sorting_keep_the_moment(manager: Any, read: World, at: str, query: str) -> None:
    url = f"{at}/reports/destinations/?as_of=2&{query}"
    page = Links(manager.get(url).content.decode())
    links = [link for link in page.links if link.startswith("?")]
    assert len(links) > 5
    assert [link for link in links if "as_of=2" not in link] == []
    assert [hidden["as_of"] for form, hidden in page.forms if form.get("method") == "get"] == ["2"]


def test_the_page_of_an_old_snapshot_leads_to_pages_of_its_own_time(manager: Any, read: World, at: str) -> None:
    page = Links(manager.get(f"{at}/snapshots/2/").content.decode())
    here = [link for link in page.links if link.startswith(at) and takes(urlsplit(link).path)]
    assert here
    assert all(kept(link, {}, {"2"}) for link in here)


def test_every_page_of_a_workspace_takes_the_moment() -> None:
    patterns = [each for each in get_resolver("evidence.urls").url_patterns if isinstance(each, URLPattern)]
    of_a_workspace = [each for each in patterns if str(each.pattern).startswith("workspaces/<int:pk>/")]
    lacking = {each.name for each in of_a_workspace if not getattr(each.callback, "takes_as_of", False)}
    assert lacking <= TIMELESS


# --- the timeline -------------------------------------------------------------------------------

DAY = timedelta(days=1)
BEGIN = datetime(2024, 1, 10, 6, tzinfo=UTC)


def points(many: int, every: timedelta) -> list[tuple[int, datetime]]:
    return [(number + 1, BEGIN + number * every) for number in range(many)]


@pytest.mark.parametrize("many", [1, 2, 59, 60, 61, 400, 1200, 10_000])
@pytest.mark.parametrize("every", [timedelta(minutes=10), timedelta(hours=1), timedelta(hours=30)])
def test_a_timeline_has_few_marks_for_any_chain(many: int, every: timedelta) -> None:
    for current in {1, many // 2 or 1, many}:
        found = marks(points(many, every), current)
        shown = [mark for part in found.parts for line in part for mark in line.marks]
        assert 1 <= len(shown) <= MOST
        assert sum(mark.many for line in found.lines for mark in line.marks) == many
        assert sum(mark.current for line in found.lines for mark in line.marks) == 1
        assert len(found.lines) == 1 or all(line.title for line in found.lines)
        assert found.lines[-1].marks[-1].seq == many
        if found.inside:
            assert sum(mark.current for line in found.inside for mark in line.marks) == 1


def test_few_snapshots_have_a_mark_each_and_many_are_grouped() -> None:
    daily = marks(points(30, DAY), 12)
    assert [line.title for line in daily.lines] == ["Jan 2024", "Feb 2024"]
    assert daily.lines[0].marks[0].label == "10"
    assert not daily.grouped
    assert not daily.inside
    hours = marks(points(48, timedelta(hours=1)), 1)
    assert [line.title for line in hours.lines] == ["10 Jan 2024", "11 Jan 2024", "12 Jan 2024"]
    assert hours.lines[0].marks[0].label == "06:00"
    long = marks(points(400, DAY), 40)
    assert [(line.title, len(line.marks)) for line in long.lines] == [("2024", 12), ("2025", 2)]
    assert long.lines[0].marks[1].title == "29 snapshots, the newest is snapshot 51, 29 Feb 2024, 06:00 UTC"
    assert [line.title for line in long.inside] == ["Feb 2024"]
    assert len(long.inside[0].marks) == 29


def test_a_clock_that_went_back_makes_no_mark_twice() -> None:
    chain = points(100, DAY)
    chain[50] = (51, BEGIN - 40 * DAY)
    found = marks(chain, 51)
    assert sum(mark.many for line in found.lines for mark in line.marks) == 100
    assert found.lines[0].marks[0].current


def test_the_timeline_leads_to_every_snapshot_with_its_changes(manager: Any, read: World, at: str) -> None:
    page = manager.get(f"{at}/?as_of=2").content.decode()
    bar = re.findall(r'<nav class="timeline in".*?</nav>', page, re.DOTALL)[0]
    assert re.findall(r'href="(\?as_of=\d)"', bar) == ["?as_of=1", "?as_of=2", "?as_of=3"]
    assert bar.count('aria-current="true"') == 1
    from connectors.models import Change

    for seq in (2, 3):
        many = Change.objects.filter(workspace=read.workspace, seq=seq).count()
        assert f"<small>{many:,}</small>" in bar
    assert "<small>first</small>" in bar


# --- as many questions for much as for little ---------------------------------------------------


def asked(client: Any, url: str) -> int:
    client.get(url)
    with CaptureQueriesContext(database) as queries:
        assert client.get(url).status_code == 200
    return len(queries)


def lengthen(read: World, many: int) -> None:
    """Adds headers to the chain, an hour apart, that state what the newest one states; they have no changes."""
    from connectors.models import Snapshot, SyncRun, Workspace

    last = Snapshot.objects.get(workspace=read.workspace, seq=len(AGO))
    at = last.published_at
    queued = [SyncRun(connection=read.connection, state="published", queued_at=at) for _ in range(many)]
    made = SyncRun.objects.bulk_create(queued)
    Snapshot.objects.bulk_create(
        Snapshot(
            workspace=read.workspace,
            seq=last.seq + number,
            run=run,
            header=last.header,
            header_sha256=f"{number:064x}",
            previous_sha256=f"{number - 1:064x}" if number > 1 else last.header_sha256,
            signature=b"",
            key_id="none",
            published_at=at + number * timedelta(hours=1),
        )
        for number, run in enumerate(made, 1)
    )
    Workspace.objects.filter(pk=read.workspace.pk).update(head=last.seq + many)


def test_a_long_chain_is_asked_as_few_questions_as_a_short_one(manager: Any, read: World, at: str) -> None:
    day = f"{published(read, 2):%Y-%m-%d}"
    urls = [f"{at}{path}?as_of={said}" for path in PAGES for said in ("2", day)] + [f"{at}/snapshots/2/"]
    few = [asked(manager, url) for url in urls]
    lengthen(read, 300)
    assert [asked(manager, url) for url in urls] == few
    page = manager.get(urls[1]).content.decode()
    assert "(snapshot 2 of 303)" in text(manager.get(urls[1]))
    assert 10 < page.count('class="mark"') <= MOST
