"""Every address x every role x every method, found by walking the site's own map: nobody gets in by accident."""

import re
from typing import Any

import pytest
from django.urls import URLPattern, URLResolver, get_resolver

pytestmark = pytest.mark.django_db

OPEN = {"/sign-in/", "/admin/login/"}  # what a person without an account may see
_VALUES = {
    "int": "1",
    "str": "data-flow",
    "slug": "data-flow",
    "path": "1",
    "uuid": "0" * 8 + "-0000-4000-8000-" + "0" * 12,
}


def addresses(resolver: URLResolver, prefix: str = "/") -> list[str]:
    """One concrete address for every pattern."""
    found: list[str] = []
    for pattern in resolver.url_patterns:
        route = str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            found += addresses(pattern, prefix + _filled(route))
        elif isinstance(pattern, URLPattern):
            found.append(prefix + _filled(route))
    return list(dict.fromkeys(found))


def _filled(route: str) -> str:
    if route.startswith("^"):
        return re.sub(r"\(\?P<\w+>[^)]*\)", "1", route).strip("^$").replace("\\Z", "")
    return re.sub(r"<(?:(\w+):)?\w+>", lambda match: _VALUES.get(match[1] or "str", "data-flow"), route)


ALL = addresses(get_resolver())
GUARDED = [url for url in ALL if url not in OPEN and not url.startswith("/admin/(?P")]


def closed(answer: Any) -> bool:
    """Sent to sign in, refused, or nothing there: in no case a page."""
    sent_to_sign_in = answer.status_code == 302 and re.match(r"/(sign-in|admin/login)/", answer["Location"])
    return bool(sent_to_sign_in) or answer.status_code in {403, 404, 405}


def test_the_map_is_found() -> None:
    assert len(ALL) > 25
    assert "/admin/" in ALL
    assert "/sign-in/" in ALL


@pytest.mark.parametrize("url", GUARDED)
def test_nobody_gets_in_without_signing_in(client: Any, url: str) -> None:
    for method in ("get", "post", "put", "delete", "head", "options"):
        assert closed(getattr(client, method)(url)), (method, url)


@pytest.mark.parametrize("url", GUARDED)
def test_a_person_without_a_role_opens_nothing(client: Any, people: dict[str, Any], url: str) -> None:
    client.force_login(people["Nobody"])
    allowed = re.compile(r"^/(sign-out|account|appearance|static|help)(/|$)")
    if allowed.match(url):
        return
    for method in ("get", "post"):
        answer = getattr(client, method)(url)
        assert closed(answer) or (answer.status_code == 302 and answer["Location"] in {"/", "/sign-in/"}), (method, url)


@pytest.mark.parametrize("url", [url for url in GUARDED if url.startswith("/admin/")])
def test_only_administrators_enter_the_admin(client: Any, people: dict[str, Any], url: str) -> None:
    for role in ("Auditor", "Compliance manager"):
        client.force_login(people[role])
        for method in ("get", "post"):
            assert closed(getattr(client, method)(url)), (role, method, url)


@pytest.mark.parametrize("url", ALL)
def test_every_answer_has_safe_headers(client: Any, people: dict[str, Any], url: str) -> None:
    client.force_login(people["Administrator"])
    answer = client.get(url)
    policy = answer["Content-Security-Policy"]
    for rule in (
        "default-src 'self'",
        "object-src 'none'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "form-action 'self'",
    ):
        assert rule in policy
    assert "unsafe" not in policy
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Referrer-Policy"] == "same-origin"
    assert answer["Permissions-Policy"]


@pytest.mark.parametrize("url", ALL)
def test_state_changes_need_the_csrf_token(people: dict[str, Any], url: str) -> None:
    from django.test import Client

    strict = Client(enforce_csrf_checks=True)
    strict.force_login(people["Administrator"])
    assert strict.post(url).status_code in {302, 403, 404, 405}


def test_a_get_changes_nothing(client: Any, people: dict[str, Any], sync_now: Any) -> None:
    from connectors.models import Connection, SyncRun
    from evidence.models import Artifact

    sync_now()
    client.force_login(people["Administrator"])
    before = (
        SyncRun.objects.count(),
        Artifact.objects.count(),
        list(Connection.objects.values_list("state", "schedule")),
    )
    for url in ALL:
        if "sign-out" not in url:
            client.get(url)
    after = (
        SyncRun.objects.count(),
        Artifact.objects.count(),
        list(Connection.objects.values_list("state", "schedule")),
    )
    assert before == after


def test_refusals_are_recorded(client: Any, people: dict[str, Any]) -> None:
    from portal.models import AuditEntry

    client.force_login(people["Auditor"])
    client.get("/admin/")
    assert AuditEntry.objects.filter(action="access refused", actor=people["Auditor"]).exists()
