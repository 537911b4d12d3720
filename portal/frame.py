"""The frame around every page: the product's name, the theme, and the side navigation."""

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from . import access

PRODUCT = "Compliance Portal"
THEME_COOKIE = "theme"
THEMES = ("light", "dark")  # anything else means: as the system says


@dataclass(frozen=True)
class Entry:
    """One line of the side navigation: the name of its address, and what a person needs to see it."""

    name: str
    title: str
    icon: str
    permission: str


NAV: tuple[tuple[str, tuple[Entry, ...]], ...] = (
    (
        "Evidence",
        (
            Entry("home", "Home", "home", access.VIEW),
            Entry("workspaces", "Workspaces", "workspace", access.VIEW),
            Entry("reports", "Reports", "report", access.VIEW),
            Entry("artifacts", "Artifacts", "artifact", access.VIEW),
        ),
    ),
    (
        "Records",
        (
            Entry("runs", "Sync runs", "run", access.VIEW),
            Entry("audit-log", "Audit log", "log", access.AUDIT_LOG),
        ),
    ),
    (
        "Administration",
        (
            Entry("admin:connectors_connection_changelist", "Connections", "plug", access.MANAGE),
            Entry("admin:portal_user_changelist", "People and roles", "people", access.PEOPLE),
        ),
    ),
)


def shell(request: HttpRequest) -> dict[str, Any]:
    """What every page's frame needs. Asks the database for nothing but the person's own rights."""
    theme = request.COOKIES.get(THEME_COOKIE, "")
    return {"product": PRODUCT, "theme": theme if theme in THEMES else "", "nav": _navigation(request)}


def _navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """The groups of entries that this person may open; the entry with the longest matching address is current."""
    person = getattr(request, "user", None)
    if person is None or not person.is_authenticated:
        return []
    groups = [
        {"title": title, "entries": [_line(entry) for entry in entries if access.may(person, entry.permission)]}
        for title, entries in NAV
    ]
    lines = [line for group in groups for line in group["entries"] if _within(request.path, line["href"])]
    if lines:
        max(lines, key=lambda line: len(line["href"]))["current"] = True
    return [group for group in groups if group["entries"]]


def _line(entry: Entry) -> dict[str, Any]:
    return {"title": entry.title, "icon": entry.icon, "href": reverse(entry.name), "current": False}


def _within(path: str, href: str) -> bool:
    return path == href if href == "/" else path.startswith(href)
