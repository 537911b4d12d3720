"""A portal in which nothing has been read yet: each page says what to do, and who."""

from typing import Any

import pytest
from django.utils import timezone

pytestmark = pytest.mark.django_db


def test_home_leads_an_administrator_to_the_wizard(client: Any, people: dict[str, Any]) -> None:
    client.force_login(people["Administrator"])
    page = client.get("/").content.decode()
    assert "Connect a Segment workspace" in page
    assert 'href="/admin/connectors/connection/' in page


def test_home_tells_the_others_whom_to_ask(client: Any, people: dict[str, Any]) -> None:
    client.force_login(people["Auditor"])
    page = client.get("/").content.decode()
    assert "Ask an administrator of this portal" in page
    assert "/admin/" not in page


def test_an_unfinished_connection_is_offered_to_those_who_may_finish_it(client: Any, people: dict[str, Any]) -> None:
    from connectors import connections, registry

    draft = connections.draft(registry.get("segment"), by=people["Administrator"], now=timezone.now())
    client.force_login(people["Administrator"])
    assert f"/admin/connectors/connection/{draft.pk}/change/" in client.get("/").content.decode()
    client.force_login(people["Auditor"])
    assert draft.name not in client.get("/").content.decode()


@pytest.mark.parametrize("url", ["/workspaces/", "/reports/", "/artifacts/", "/runs/"])
def test_empty_lists_say_why_they_are_empty(client: Any, people: dict[str, Any], url: str) -> None:
    for role in ("Administrator", "Auditor"):
        client.force_login(people[role])
        page = client.get(url).content.decode()
        assert 'class="empty"' in page
        assert "<table" not in page


def test_a_workspace_that_was_never_read_says_what_to_do(client: Any, people: dict[str, Any], connected: Any) -> None:
    at = f"/workspaces/{connected.workspace_id}"
    client.force_login(people["Compliance manager"])
    assert "It has never been read" in client.get("/").content.decode()
    overview = client.get(f"{at}/").content.decode()
    assert "No snapshot yet" in overview
    assert "Sync now" in overview
    report = client.get(f"{at}/reports/people/").content.decode()
    assert "Sync it once, then come back." in report
    assert client.get(f"{at}/reports/people/export.csv").status_code == 404
    kept = client.post(f"{at}/reports/people/keep/", {"title": "x"}, follow=True).content.decode()
    assert "there is nothing to keep" in kept
