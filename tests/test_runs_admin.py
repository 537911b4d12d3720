"""Runs in the admin: where the time went, what was tried again, what to do about it, and the file for support."""

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from connectors import registry
from connectors.segment.simulator import Fault

from .worlds import World, world

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def read(django_db_setup: None, django_db_blocker: Any) -> Iterator[World]:
    """Read once whole; then with three waits, two outages, and users denied."""
    with world(django_db_blocker) as made:
        made.sync()
        made.simulator.settings.day = 5
        made.simulator.faults += [
            Fault("^/users", "status", status=403, times=None),
            Fault("^/destinations", "status", status=429, times=3),
            Fault("^/transformations", "status", status=503, times=2),
        ]
        assert made.sync().state == "partial"
        yield made


@pytest.fixture
def run(read: World) -> Any:
    """The second run."""
    from connectors.models import SyncRun

    return SyncRun.objects.select_related("connection__workspace", "requested_by").order_by("-pk").first()


@pytest.fixture
def admin(client: Any, people: dict[str, Any]) -> Any:
    client.force_login(people["Administrator"])
    return client


@pytest.fixture
def url(run: Any) -> str:
    return f"/admin/connectors/syncrun/{run.pk}/change/"


def text(answer: Any) -> str:
    assert answer.status_code == 200, answer.status_code
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", answer.content.decode())))


def requests_of(answer: Any) -> list[tuple[int, str]]:
    """Number and path of each request that the page lists."""
    table = answer.content.decode().partition('aria-label="Requests"')[2].partition("</table>")[0]
    found = re.findall(r'<td class="num">(\d+)</td>\s*<th scope="row"><code class="wrap"><bdi>([^<?]+)', table)
    return [(int(n), path) for n, path in found]


# --- figures ------------------------------------------------------------------------------------


@pytest.mark.parametrize("connector", registry.all_connectors().values(), ids=registry.all_connectors())
def test_a_path_belongs_to_one_stream(connector: Any) -> None:
    """Otherwise a receipt could not be told to be of a stream."""
    owners: dict[str, set[str]] = {}
    for stream in connector.streams:
        for way in stream.ways:
            owners.setdefault(re.sub(r"{[^}]*}", "{}", way.path), set()).add(stream.name)
    assert {path: names for path, names in owners.items() if len(names) > 1} == {}


def test_every_request_finds_its_stream_as_the_reading_counted_them(read: World) -> None:
    from connectors import timings
    from connectors.models import SyncRun

    first = SyncRun.objects.select_related("connection").order_by("pk").first()
    assert first is not None
    connector = registry.get("segment")
    rows = timings.asked(first, connector)
    counted = {name: found.requests for name, found in timings.by_stream(rows).items()}
    pages = {row.stream: row.pages for row in first.stream_rows.all() if row.pages}
    assert counted.pop("") == 2 + pages.pop("workspace"), "whose token it is, before and after, at the same address"
    assert counted == pages
    assert len(pages) > 25


def test_what_was_tried_again_and_what_was_waited_for_is_counted_where_it_happened(run: Any) -> None:
    from connectors import timings

    rows = timings.asked(run, registry.get("segment"))
    total, by = timings.figures(rows), timings.by_stream(rows)
    assert (total.retried, total.limited, total.statuses[503], total.statuses[403]) == (5, 3, 2, 1)
    assert {name: found.retried for name, found in by.items() if found.retried} == {
        "destinations": 3,
        "transformations": 2,
    }
    for name in ("requests", "size", "ms", "retried", "repeated", "limited"):
        assert getattr(total, name) == sum(getattr(found, name) for found in by.values()), name
    assert total.waited == by["destinations"].waited + by["transformations"].waited > timedelta()
    assert total.first == rows[0].sent_at
    assert total.span is not None
    assert all(found.span <= total.span for found in by.values() if found.span is not None)
    assert timings.slowest(rows)[0].ms == max(row.ms for row in rows)


@pytest.fixture
def make(read: World) -> Any:
    """Makes a run with these receipts: path, query, status, try, seconds after the beginning, milliseconds."""
    from connectors.models import Receipt, SyncRun

    began = timezone.now()

    def made(*lines: tuple[str, str, int, int, float, int]) -> Any:
        run = SyncRun.objects.create(connection=read.connection, queued_at=began, state="failed", finished_at=began)
        Receipt.objects.bulk_create(
            Receipt(
                **{"run": run, "n": n, "path": path, "query": query, "status": status, "attempt": attempt, "ms": ms},
                sent_at=began + timedelta(seconds=after),
                size=10,
                sha256=bytes(32),
            )
            for n, (path, query, status, attempt, after, ms) in enumerate(lines, start=1)
        )
        return run

    return made


@pytest.fixture
def told(make: Any) -> Any:
    """What is told of the receipts of a run that is made so."""
    from connectors import timings

    return lambda *lines: timings.asked(make(*lines), registry.get("segment"))


def test_a_wait_lasts_from_the_useless_answer_to_the_next_try_of_the_same(told: Any) -> None:
    from connectors import timings

    rows = told(
        ("/sources", "a", 429, 1, 0, 500),
        ("/sources", "b", 200, 1, 1, 500),
        ("/sources", "a", 0, 1, 60.5, 1000),
        ("/sources", "a", 200, 2, 70, 100),
    )
    assert [row.waited.total_seconds() for row in rows] == [0, 0, 60, 8.5]
    assert [row.again for row in rows] == ["", "", "retried", "retried"]
    quiet = timings.silence(rows)
    assert quiet is not None
    assert (quiet.since, quiet.length) == (rows[1].ended, timedelta(seconds=59))


def test_what_was_answered_well_and_is_asked_again_was_read_again(told: Any) -> None:
    rows = told(
        ("/", "", 200, 1, 0, 100),
        ("/sources", "a", 200, 1, 1, 100),
        ("/sources", "a", 200, 2, 2, 100),  # an answer that came whole and could not be read
        ("/sources", "a", 200, 1, 3, 100),
        ("/no/such/path", "", 404, 1, 4, 100),
        ("/", "", 200, 1, 5, 100),
    )
    assert [row.again for row in rows] == ["", "", "retried", "repeated", "", ""]
    assert [row.stream for row in rows] == ["", "sources", "sources", "sources", "", ""]


def test_a_run_without_requests_has_figures_without_values(told: Any) -> None:
    from connectors import timings

    assert told() == []
    assert timings.figures([]).span is None
    assert timings.silence([]) is None
    assert timings.silence(told(("/", "", 200, 1, 0, 100), ("/", "", 200, 1, 0.5, 100))) is None


# --- the page -----------------------------------------------------------------------------------


def test_the_page_says_how_long_each_stream_took_and_what_to_do_about_those_that_failed(
    admin: Any, url: str, run: Any
) -> None:
    answer = admin.get(url)
    words, page = text(answer), answer.content.decode()
    assert "Tried again 5" in words
    assert "Told to wait (429) 3" in words
    failed = page.partition('id="code-not-permitted"')[2].partition("</tr>")[0]
    for told in ("Users", "User permissions", "give the token the read-only role", "An administrator of this portal"):
        assert told in unescape(failed), told
    assert 'href="#code-not-permitted"' in page
    assert re.search(r"Destinations Complete 40 40 \d+ of \d+ [\d.]+ s [\d.]+ s 3 [\d.]+ s", words)
    assert f"…{run.connection.token_hint} The one in use" in words
    assert run.token_fingerprint in words
    assert run.app_version in words
    assert f"Run {run.pk - 1} , published" in words
    assert "3 requests belong to no single stream" in words


def test_requests_are_searched_filtered_sorted_and_paged(admin: Any, url: str) -> None:
    def found(query: str) -> list[tuple[int, str]]:
        return requests_of(admin.get(f"{url}?{query}"))

    every = found("")
    assert [n for n, _ in every] == list(range(1, 101))
    assert found("page=2")[0][0] == 101
    assert [path for _, path in found("status=429")] == ["/destinations"] * 3
    assert [path for _, path in found("status=503")] == ["/transformations"] * 2
    assert [path for _, path in found("again=retried&stream=destinations")] == ["/destinations"] * 3
    assert {path for _, path in found("q=/FUNCTIONS/")} < {path for _, path in found("stream=function_code")} | {"x"}
    assert all(path.endswith("/filters") for _, path in found("stream=destination_filters"))
    milliseconds = re.findall(
        r'UTC</time></td><td class="num">([\d,]+)</td>', admin.get(f"{url}?sort=ms").content.decode()
    )
    assert len(milliseconds) == 100
    assert milliseconds == sorted(milliseconds, key=lambda ms: -int(ms.replace(",", "")))
    words = text(admin.get(f"{url}?stream=destinations&status=429"))
    assert "3 requests 200 1 429 3" in words
    assert "No request matches" in text(admin.get(f"{url}?q=%00nothing&status=x&page=-1&sort=nonsense"))


def test_anomalies_and_missed_times_near_it_stand_on_the_page(admin: Any, url: str, run: Any) -> None:
    from connectors.models import Anomaly, MissedRun

    Anomaly.objects.create(
        snapshot=run.snapshot, stream="users", title="Users", kind="shrunk", detail="It lost 40 of 50."
    )
    for days in (0, 3):
        at = run.queued_at - timedelta(days=days, minutes=5)
        MissedRun.objects.create(
            connection=run.connection, due_at=at, noticed_at=at, code="worker-down", explanation=f"{days} days before"
        )
    words = text(admin.get(url))
    assert "It lost 40 of 50." in words
    assert "Not explained yet" in words
    assert "No worker worker-down 0 days before" in words
    assert "3 days before" not in words


def test_a_token_that_is_not_the_one_in_use_is_named_for_what_it_is(admin: Any, url: str, run: Any) -> None:
    from connectors.models import Connection, SpareToken, SyncRun

    Connection.objects.filter(pk=run.connection_id).update(token_fingerprint="another")
    assert "One that the portal no longer holds" in text(admin.get(url))
    spare = {"token_fingerprint": run.token_fingerprint, "token_hint": "7Qx2", "kind": SpareToken.PREVIOUS}
    SpareToken.objects.create(connection=run.connection, **spare)
    assert "…7Qx2 The one before" in text(admin.get(url))
    SyncRun.objects.filter(pk=run.pk).update(token_fingerprint="")
    assert "None: the run ended before it took one" in text(admin.get(url))


def test_a_run_that_has_not_begun_has_a_page(admin: Any, read: World) -> None:
    from connectors import runs

    asked = runs.request(read.connection, trigger="person", now=timezone.now(), enqueue=False)
    words = text(admin.get(f"/admin/connectors/syncrun/{asked.pk}/change/"))
    assert "The run has not asked anything yet" in words
    assert "Nothing was asked" in words
    assert json.loads(admin.get(f"/admin/connectors/syncrun/{asked.pk}/run.json").content)["requests"] == []


def test_the_page_asks_the_same_however_much_was_asked(admin: Any, make: Any) -> None:
    make()
    counted = []
    for many in (2, 300):
        run = make(*(("/sources", str(n), 200, 1, n, 1) for n in range(many)))
        with CaptureQueriesContext(database) as queries:
            assert admin.get(f"/admin/connectors/syncrun/{run.pk}/change/").status_code == 200
        counted.append(len(queries))
    assert counted[0] == counted[1]


# --- the list -----------------------------------------------------------------------------------


def numbers(answer: Any) -> list[int]:
    assert answer.status_code == 200
    return [int(pk) for pk in re.findall(r"/admin/connectors/syncrun/(\d+)/change/", answer.content.decode())]


def test_the_list_is_filtered_and_searched(admin: Any, run: Any) -> None:
    from connectors.models import SyncRun

    failed = SyncRun.objects.create(
        connection=run.connection, queued_at=timezone.now(), state="failed", lane="slow", error_code="timeout"
    )
    both, at = {run.pk, run.pk - 1}, "/admin/connectors/syncrun/?"
    for query in ("lane__exact=slow", "state__exact=failed", "code=timeout", "q=timeout", f"q=run+{failed.pk}"):
        assert set(numbers(admin.get(at + query))) == {failed.pk}, query
    assert set(numbers(admin.get(f"{at}trigger__exact=command"))) == both
    for query in (f"connection={run.connection_id}", "q=Demo", f"q={run.connection.workspace.slug}"):
        assert set(numbers(admin.get(at + query))) == {*both, failed.pk}, query
    for query in ("connection=0", "code=nonsense", "q=nonsense", "q=99999999999999999999"):
        assert numbers(admin.get(at + query)) == [], query
    assert admin.get(f"{at}connection=" + "9" * 40).status_code == 200


def test_the_portals_list_is_filtered_and_searched(client: Any, people: dict[str, Any], run: Any) -> None:
    from connectors.models import SyncRun

    client.force_login(people["Auditor"])
    failed = SyncRun.objects.create(
        connection=run.connection, queued_at=timezone.now(), state="failed", lane="slow", error_code="timeout"
    )

    def found(query: str) -> set[int]:
        answer = client.get(f"/runs/?{query}")
        assert answer.status_code == 200
        return {int(pk) for pk in re.findall(r'<a href="/runs/(\d+)/">', answer.content.decode())}

    both = {run.pk, run.pk - 1}
    for query in ("lane=slow", "state=failed", "q=timeout", f"q=Run+{failed.pk}", "lane=slow&state=failed&q=demo"):
        assert found(query) == {failed.pk}, query
    assert found("lane=main") == both
    assert found(f"workspace={run.connection.workspace_id}&q=demo") == {*both, failed.pk}
    for query in ("q=nonsense", "workspace=999999", "state=abandoned"):
        assert found(query) == set(), query
        assert "No run matches" in text(client.get(f"/runs/?{query}"))
    assert "Published 1 Published in part 1 Failed 1" in text(client.get("/runs/"))


# --- the file -----------------------------------------------------------------------------------


def test_the_file_holds_what_the_page_says_and_is_the_same_each_time(admin: Any, run: Any) -> None:
    from portal.models import AuditEntry

    url = f"/admin/connectors/syncrun/{run.pk}/run.json"
    answer = admin.get(url)
    assert answer["Content-Disposition"] == f'attachment; filename="run-{run.pk}.json"'
    held = json.loads(answer.content)
    assert (held["format"], held["version"]) == ("compliance-portal-run", 1)
    assert json.dumps(held, indent=1, sort_keys=True) + "\n" == answer.content.decode()
    assert admin.get(url).content == answer.content
    assert held["run"]["number"] == run.pk
    assert held["run"]["snapshot"] == 2
    assert (held["total"]["retried"], held["total"]["limited"]) == (5, 3)
    assert held["total"]["statuses"]["429"] == 3
    streams = {each["stream"]: each for each in held["streams"]}
    assert streams["users"]["code"] == "not-permitted"
    assert streams["destinations"]["figures"]["retried"] == 3
    assert "read-only role" in held["hints"]["not-permitted"]["cure"]
    assert [each["n"] for each in held["requests"]] == list(range(1, run.receipts.count() + 1))
    assert sum(each["again"] == "retried" for each in held["requests"]) == 5
    assert {each["stream"] for each in held["not_requested"]} >= {"warehouse_syncs"}
    kept = AuditEntry.objects.filter(action="exported", detail__run=run.pk, detail__format="json")
    assert kept.count() == 2


def test_the_file_holds_no_secret(admin: Any, run: Any, read: World) -> None:
    data = admin.get(f"/admin/connectors/syncrun/{run.pk}/run.json").content.decode()
    assert len(read.simulator.secrets) > 20
    assert not [secret[:12] for secret in read.simulator.secrets if secret in data]
    assert "/destination/" in data, "paths with their ids are in it"


def test_the_file_holds_no_cursor(admin: Any, make: Any) -> None:
    """A cursor may hold what it points at: here an end user's address."""
    cursor = "ZW5kLXVzZXJAZXhhbXBsZS5jb20%3D"
    run = make(("/suppressions", f"pagination%5Bcount%5D=200&pagination%5Bcursor%5D={cursor}", 200, 1, 0, 1))
    url = f"/admin/connectors/syncrun/{run.pk}"
    assert cursor in admin.get(f"{url}/change/").content.decode(), "otherwise this test could not fail"
    data = admin.get(f"{url}/run.json").content.decode()
    assert cursor[:16] not in data
    assert "pagination%5Bcount%5D=200&pagination%5Bcursor%5D=sha256:" in data


def test_a_token_that_somebody_took_for_a_name_is_taken_out_of_the_file(admin: Any, run: Any) -> None:
    from connectors.models import Connection

    token = "sgp_" + "a1B2" * 16
    Connection.objects.filter(pk=run.connection_id).update(name=f"Reader {token}")
    data = admin.get(f"/admin/connectors/syncrun/{run.pk}/run.json").content.decode()
    assert token not in data
    assert "Reader [hidden]" in data


def test_equal_cursors_can_be_told_from_others() -> None:
    from connectors import runfile

    names = runfile.cursors(registry.get("segment"))
    assert names == {"pagination[cursor]"}
    one, same, other = (
        runfile.without_cursors(f"a=1&pagination%5Bcursor%5D={value}&pagination%5Bcount%5D=2&b", names)
        for value in ("Zm9v", "Zm9v", "YmFy")
    )
    assert one == same != other
    assert re.fullmatch(r"a=1&pagination%5Bcursor%5D=sha256:[0-9a-f]{16}&pagination%5Bcount%5D=2&b", one)


@pytest.mark.parametrize("role", ["Auditor", "Compliance manager", "Nobody"])
def test_only_administrators_take_the_file_away(client: Any, people: dict[str, Any], run: Any, role: str) -> None:
    client.force_login(people[role])
    assert client.get(f"/admin/connectors/syncrun/{run.pk}/run.json").status_code == 403
    client.force_login(people["Administrator"])
    assert client.get("/admin/connectors/syncrun/99999/run.json").status_code == 404
    assert client.post(f"/admin/connectors/syncrun/{run.pk}/run.json").status_code == 405
