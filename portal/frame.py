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
            Entry("sources", "Sources", "database", access.VIEW),
            Entry("workspaces", "Workspaces", "workspace", access.VIEW),
            Entry("reports", "Reports", "report", access.VIEW),
            Entry("artifacts", "Artifacts", "artifact", access.VIEW),
        ),
    ),
    (
        "Work",
        (Entry("actions", "Actions", "check", access.VIEW),),
    ),
    (
        "Records",
        (
            Entry("runs", "Sync runs", "run", access.VIEW),
            Entry("integrity", "Integrity", "chain", access.VIEW),
            Entry("erasures", "Erasure and retention", "shield", access.VIEW),
            Entry("audit-log", "Audit log", "log", access.AUDIT_LOG),
        ),
    ),
    (
        "Administration",
        (
            Entry("admin:connectors_connection_changelist", "Connections", "plug", access.MANAGE),
            Entry("admin:portal_user_changelist", "People and roles", "people", access.PEOPLE),
            Entry("admin:doctor", "Condition of the portal", "check", access.MANAGE),
        ),
    ),
)


@dataclass(frozen=True)
class Line:
    """An entry as it stands on a page."""

    title: str
    icon: str
    href: str
    current: bool


@dataclass(frozen=True)
class Group:
    title: str
    entries: tuple[Line, ...]


def shell(request: HttpRequest) -> dict[str, Any]:
    """What every page's frame needs. Asks the database for nothing but the person's own rights."""
    theme = request.COOKIES.get(THEME_COOKIE, "")
    return {"product": PRODUCT, "theme": theme if theme in THEMES else "", "nav": _navigation(request)}


def _navigation(request: HttpRequest) -> list[Group]:
    """The groups of entries that this person may open; the entry with the longest matching address is current."""
    person = getattr(request, "user", None)
    if person is None or not person.is_authenticated:
        return []
    open_to = {title: [each for each in entries if access.may(person, each.permission)] for title, entries in NAV}
    within = [reverse(each.name) for entries in open_to.values() for each in entries]
    here = max((href for href in within if _covers(href, request.path)), key=len, default="")
    return [Group(title, tuple(_line(each, here) for each in entries)) for title, entries in open_to.items() if entries]


def _line(entry: Entry, here: str) -> Line:
    href = reverse(entry.name)
    return Line(entry.title, entry.icon, href, current=href == here)


def _covers(href: str, path: str) -> bool:
    return path == href if href == "/" else path.startswith(href)
