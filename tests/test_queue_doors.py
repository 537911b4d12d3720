"""Whoever may edit django-q2's tables may run any function by its name: no page of the portal lets anybody do that."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.test import Client
from django.urls import NoReverseMatch, get_resolver, reverse
from django_q.models import OrmQ, Schedule
from django_q.signing import SignedPackage

from connectors.models import Connection
from portal.models import User

from .test_door import ALL

QUEUE = "django_q"
EVIL = {
    **{"func": "os.system", "task": "os.system", "hook": "os.system", "name": "os.system"},
    **{"args": "'true'", "kwargs": "{}", "schedule_type": "O", "repeats": "1", "key": "portal", "payload": "os.system"},
}


@pytest.fixture
def root(people: dict[str, Any]) -> Client:
    """The browser of a superuser, for whom Django by itself forbids nothing."""
    browser = Client()
    browser.force_login(User.objects.create_superuser("root", "root@example.com", "a-long-password-1"))
    return browser


def test_no_admin_site_knows_a_table_of_the_queue() -> None:
    sites = list(admin.sites.all_sites)
    assert any(site.is_registered(Connection) for site in sites), "so the sites are the ones that are served"
    tables = list(apps.get_app_config(QUEUE).get_models(include_auto_created=True))
    assert {Schedule, OrmQ} < set(tables)
    for site in sites:
        assert not [model for model in site._registry if model._meta.app_label == QUEUE or model in tables]


def test_no_address_leads_into_the_code_of_the_queue() -> None:
    views = list(_views(get_resolver()))
    assert len(views) > 40
    for view in views:
        places = {place for step in _layers(view) for place in _places(step)}
        assert not {place for place in places if place.split(".")[0] == QUEUE}, view


def _views(resolver: Any) -> Iterator[Any]:
    for pattern in resolver.url_patterns:
        if hasattr(pattern, "url_patterns"):
            yield from _views(pattern)
        else:
            yield pattern.callback


def _layers(view: Any) -> Iterator[Any]:
    """A view and all that it is wrapped around."""
    while view is not None:
        yield view
        view = getattr(view, "__wrapped__", None) or getattr(view, "func", None)


def _places(step: Any) -> Iterator[str]:
    """The modules that a view, its class, or the admin's pages behind it come from."""
    yield getattr(step, "__module__", "")
    for owner in (getattr(step, "view_class", None), type(getattr(step, "model_admin", None))):
        for base in getattr(owner, "__mro__", ()):
            yield base.__module__


def test_the_finder_sees_the_queues_own_admin() -> None:
    from django_q.admin import ScheduleAdmin

    site = admin.AdminSite(name="other")
    site.register(Schedule, ScheduleAdmin)
    found = {place for view in _views(_Map(site)) for step in _layers(view) for place in _places(step)}
    assert "django_q.admin" in found


class _Map:
    def __init__(self, site: admin.AdminSite) -> None:
        self.url_patterns = site.get_urls()


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["schedule", "success", "failure", "ormq", "task"])
def test_its_pages_are_not_there_even_for_a_superuser(root: Client, name: str) -> None:
    for view in ("changelist", "add"):
        with pytest.raises(NoReverseMatch):
            reverse(f"admin:{QUEUE}_{name}_{view}")
    for url in (f"/admin/{QUEUE}/", f"/admin/{QUEUE}/{name}/", f"/admin/{QUEUE}/{name}/add/"):
        assert root.get(url).status_code == 404
        assert root.post(url, {**EVIL, "action": "retry_failed", "_selected_action": "1"}).status_code == 404


@pytest.mark.django_db
def test_whatever_a_superuser_posts_anywhere_only_the_portals_own_task_is_queued(
    root: Client, connected: Connection, settings: Any
) -> None:
    first = f"/workspaces/{connected.workspace_id}/sync/"  # so that something is queued at all
    for url in [first, *(url.replace("/1/", f"/{connected.pk}/") for url in ALL if "sign-out" not in url)]:
        root.post(url, EVIL)
    queued = [SignedPackage.loads(row.payload) for row in OrmQ.objects.all()]
    assert {(task["func"], task.get("hook")) for task in queued} == {(settings.COLLECT_TASK, None)}
    assert not Schedule.objects.exists()
