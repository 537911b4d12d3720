"""The look: nothing inline, one shell over portal and admin, readable colours, and nasty names made harmless."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from django.template.loader import get_template
from django.test import Client, RequestFactory

from .worlds import World, world

ROOT = Path(__file__).parent.parent
SHEET = (ROOT / "portal/static/portal.css").read_text()
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
ROLES = ["Administrator", "Compliance manager", "Auditor"]


class Page(HTMLParser):
    """What a page holds that a strict policy forbids, and what people who cannot see or use a mouse need."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.forbidden: list[str] = []
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.feed(markup)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        held = {name: value or "" for name, value in attrs}
        self.tags.append((tag, held))
        inline = tag == "style" or (tag == "script" and "src" not in held)
        events = [name for name in held if name == "style" or name.startswith("on")]
        away = [value for name in ("href", "src", "action") if (value := held.get(name, "")) and _leads_away(value)]
        if inline or events or away:
            self.forbidden.append(f"{tag} {held}")

    def unreadable(self) -> list[str]:
        """Table heads without a scope, scrolled parts that a keyboard cannot reach, inputs without a label."""
        named = {held["for"] for held in self.all("label") if "for" in held}
        loose = [held for held in self.all("input") if held.get("type") != "hidden" and "id" in held]
        scrolled = [held for held in self.all("div") if "scroll" in held.get("class", "").split()]
        return [
            *(f"th {held}" for held in self.all("th") if "scope" not in held),
            *(f"div {held}" for held in scrolled if held.get("tabindex") != "0" or not held.get("aria-label")),
            *(f"input {held}" for held in loose if held["id"] not in named),
        ]

    def all(self, tag: str) -> list[dict[str, str]]:
        return [held for name, held in self.tags if name == tag]


def _leads_away(address: str) -> bool:
    return bool(re.match(r"\s*(javascript|data|vbscript):|//", address, re.I))


# --- every page ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def nasty(django_db_setup: None, django_db_blocker: Any) -> Iterator[World]:
    """A workspace whose names are what attackers and careless people write."""
    with world(django_db_blocker, hostile=True) as made:
        made.sync()
        yield made


@pytest.fixture
def urls(nasty: World, people: dict[str, Any]) -> list[str]:
    from django.utils import timezone

    from connectors.models import Snapshot, SyncRun
    from evidence.library import versions

    snapshot = Snapshot.objects.get(workspace=nasty.workspace)
    title = "</title><script>alert(1)</script>"
    kept = versions.capture(snapshot, "destinations", title=title, by=people["Administrator"], now=timezone.now())
    at = f"/workspaces/{nasty.workspace.pk}"
    reports = [f"{at}/reports/{name}/" for name in ("data-flow", "sources", "destinations", "tracking-plans", "people")]
    return [
        *(
            "/",
            "/sources/?q=<script>",
            "/sources/segment/",
            "/workspaces/",
            f"{at}/",
            f"{at}/snapshots/1/",
            f"{at}/anomalies/",
            "/reports/",
            *reports,
        ),
        *(f"{reports[2]}?q=<script>&f-enabled=%22onload=x&sort=name", f"{reports[3]}?table=rules&size=200"),
        *("/artifacts/", f"/artifacts/{kept.artifact_id}/", "/runs/", f"/runs/{SyncRun.objects.get().pk}/"),
        *("/audit/?q=<b>", "/help/?q=<i>", "/help/timeout/", "/account/password/", "/nothing-here/"),
    ]


@pytest.mark.django_db
@pytest.mark.parametrize("role", ROLES)
def test_every_page_keeps_a_strict_policy_and_can_be_read_without_eyes_or_mouse(
    client: Any, people: dict[str, Any], urls: list[str], role: str
) -> None:
    client.force_login(people[role])
    for url in urls:
        answer = client.get(url)
        page = Page(answer.content.decode())
        assert page.forbidden == [], url
        assert "default-src 'self'" in answer["Content-Security-Policy"], url
        assert len(page.all("h1")) == 1, url
        assert page.unreadable() == [], url


@pytest.mark.django_db
def test_nasty_names_are_shown_whole_and_harmless(client: Any, people: dict[str, Any], nasty: World) -> None:
    client.force_login(people["Auditor"])
    at = f"/workspaces/{nasty.workspace.pk}"
    page = client.get(f"{at}/reports/destinations/?size=200").content.decode()
    assert "<bdi>&lt;script&gt;alert(1)&lt;/script&gt;</bdi>" in page
    assert "<bdi>=1+1</bdi>" in page
    assert "W" * 1000 in page  # a very long name is cut by the stylesheet alone
    assert "\\u{202E}" in page
    assert "\u202e" not in page
    flow = client.get(f"{at}/reports/data-flow/").content.decode()
    assert "<script>alert" not in flow


# --- the shell ----------------------------------------------------------------------------------


@pytest.mark.django_db
def test_the_navigation_offers_what_a_person_may_open(client: Any, people: dict[str, Any]) -> None:
    offered = {}
    for role in [*ROLES, "Nobody"]:
        client.force_login(people[role])
        page = client.get("/").content.decode()
        side = page.partition('<nav class="side"')[2].partition("</nav>")[0]
        offered[role] = re.findall(r'<a href="([^"]+)"', side)
    everybody = ["/", "/sources/", "/workspaces/", "/reports/", "/artifacts/", "/actions/", "/runs/", "/integrity/"]
    everybody += ["/erasure/", "/audit/"]
    assert offered["Auditor"] == offered["Compliance manager"] == everybody
    administration = ["/admin/connectors/connection/", "/admin/portal/user/", "/admin/doctor/"]
    assert offered["Administrator"] == [*everybody, *administration]
    assert offered["Nobody"] == []
    client.force_login(people["Administrator"])
    for url in offered["Administrator"]:
        answer = client.get(url)
        assert answer.status_code == 200
        assert f'<a href="{url}" aria-current="page">' in answer.content.decode()


@pytest.mark.django_db
def test_people_sign_out_by_a_button(client: Any, people: dict[str, Any]) -> None:
    client.force_login(people["Auditor"])
    page = client.get("/").content.decode()
    assert '<form method="post" action="/sign-out/">' in page
    assert client.get("/sign-out/").status_code == 405
    assert client.post("/sign-out/").headers["Location"] == "/sign-in/"
    assert client.get("/").status_code == 302


@pytest.mark.django_db
def test_light_and_dark_are_kept_in_a_cookie(client: Any, people: dict[str, Any]) -> None:
    client.force_login(people["Auditor"])
    assert 'lang="en" dir="ltr">' in client.get("/").content.decode()
    answer = client.post("/account/appearance/", {"theme": "dark", "next": "/runs/?state=failed"})
    assert answer.headers["Location"] == "/runs/?state=failed"
    assert client.cookies["theme"]["httponly"]
    assert 'data-theme="dark"' in client.get("/").content.decode()
    client.post("/account/appearance/", {"theme": "system"})
    assert "data-theme" not in client.get("/").content.decode()
    client.cookies["theme"] = '"><script>'
    assert "<script>" not in client.get("/").content.decode()
    assert client.get("/account/appearance/").status_code == 405


@pytest.mark.django_db
@pytest.mark.parametrize(
    "away", ["https://example.com/", "//example.com", "javascript:alert(1)", "", "\\\\example.com"]
)
def test_choosing_a_theme_leads_nowhere_else(client: Any, people: dict[str, Any], away: str) -> None:
    client.force_login(people["Auditor"])
    assert client.post("/account/appearance/", {"theme": "dark", "next": away}).headers["Location"] == "/"


@pytest.mark.django_db
def test_people_change_their_own_password(client: Any, people: dict[str, Any]) -> None:
    from portal.models import AuditEntry

    client.force_login(people["Auditor"])
    new = "a-new-password-77"
    wrong = {"old_password": "nonsense", "new_password1": new, "new_password2": new}
    refused = client.post("/account/password/", wrong).content.decode()
    assert 'class="err"' in refused
    assert 'aria-invalid="true"' in refused
    right = {**wrong, "old_password": "auditor-password-1"}
    answer = client.post("/account/password/", right, follow=True)
    assert "Your password is changed" in answer.content.decode()
    assert new not in answer.content.decode()
    people["Auditor"].refresh_from_db()
    assert people["Auditor"].check_password(new)
    assert AuditEntry.objects.filter(action="person changed", actor=people["Auditor"]).exists()


@pytest.mark.django_db
def test_the_admin_stands_in_the_same_shell_with_our_sheets_last(client: Any, people: dict[str, Any]) -> None:
    client.force_login(people["Administrator"])
    for url in ("/admin/", "/admin/connectors/connection/", "/admin/portal/user/", "/admin/portal/user/add/"):
        page = Page(client.get(url).content.decode())
        assert page.forbidden == [], url
        sheets = [held["href"] for held in page.all("link") if held.get("rel") == "stylesheet"]
        ours = [sheet for sheet in sheets if "/admin/css/" not in sheet]
        assert sheets[-len(ours) :] == ours, url
        assert [Path(sheet).name for sheet in ours[:2]] == ["portal.css", "admin.css"], url
        assert any(held.get("class") == "side" for held in page.all("nav")), url


# --- errors -------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_what_is_not_found_or_not_allowed_is_told_in_the_look(client: Any, people: dict[str, Any]) -> None:
    missing = client.get("/nothing-here/")
    assert missing.status_code == 404
    assert b"There is no such page" in missing.content
    assert b'class="side"' not in missing.content
    client.force_login(people["Auditor"])
    assert b'class="side"' in client.get("/nothing-here/").content
    refused = client.get("/admin/")
    assert refused.status_code == 403
    assert b"You may not open this page" in refused.content


@pytest.mark.django_db
def test_a_form_without_its_token_is_told_in_the_look(people: dict[str, Any]) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(people["Auditor"])
    answer = strict.post("/account/appearance/", {"theme": "dark"})
    assert answer.status_code == 403
    assert b"This form has expired" in answer.content


@pytest.mark.parametrize(("view", "status"), [("server_error", 500), ("bad_request", 400)])
def test_faults_are_told_without_a_database(view: str, status: int) -> None:
    """No `db` fixture: a query would fail the test, and these pages must stand when the database is down."""
    from django.views import defaults

    request = RequestFactory().get("/")
    answer = defaults.server_error(request) if view == "server_error" else defaults.bad_request(request, ValueError())
    assert answer.status_code == status
    assert Page(answer.content.decode()).forbidden == []
    assert f"<dd>{status}</dd>".encode() in answer.content


# --- sources ------------------------------------------------------------------------------------


def test_templates_hold_no_style_and_no_script_of_their_own() -> None:
    assert len(TEMPLATES) > 30
    for path in TEMPLATES:
        source = path.read_text()
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:", source), path
        for script in re.findall(r"<script[^>]*>", source):
            assert "src=" in script, path
        assert "|safe" not in source or path.name == "field.html", path  # Django's own help texts are markup
        assert "autoescape off" not in source, path


def test_every_icon_that_is_named_exists() -> None:
    drawn = set(re.findall(r'<symbol id="([^"]+)"', (ROOT / "portal/static/icons.svg").read_text()))
    named = {name for path in TEMPLATES for name in re.findall(r'{% icon "([a-z-]+[a-z])" %}', path.read_text())}
    states = ["pass", "fail", "failed", "denied", "unknown", "partial", "unstable", "off", "none", "na", "stale", "run"]
    assert named | {f"s-{name}" for name in [*states, "info"]} <= drawn
    assert len(named) > 20


def test_many_ticks_stand_in_lines_and_few_in_one() -> None:
    from connectors.spec import State
    from portal.templatetags.portal import ticks

    marks = [State("pass", "Complete")] * 40 + [State("denied", "Denied")] * 7
    one, three = ticks(marks), ticks(marks, "stream", 16)
    assert 'viewBox="0 0 327 16"' in one
    assert 'viewBox="0 0 110 52"' in three
    for drawn in (one, three):
        assert (drawn.count("<rect"), drawn.count("<path")) == (40, 7)
        assert 'aria-label="47 streams: 40 complete, 7 denied"' in drawn
    assert 'y="37"' in three, "a tick of the third line"
    assert 'aria-label="no streams"' in ticks([])


def test_every_template_can_be_read() -> None:
    for path in TEMPLATES:
        get_template(str(path.relative_to(ROOT / "templates")))


def _light(colour: str) -> float:
    """Relative luminance, WCAG 2.2."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted((_light(one), _light(other)))
    return (high + 0.05) / (low + 0.05)


TOKENS = {
    name: (day, night)
    for name, day, night in re.findall(r"--([a-z0-9-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)", SHEET)
}
TEXT = ["ink", "ink-2", "ink-3", "tint", "pass", "fail", "failed", "denied", "unknown", "stale", "off"]


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("ground", ["canvas", "surface", "sunken", "hover"])
def test_text_and_controls_stand_out_in_both_themes(ground: str, theme: int) -> None:
    behind = TOKENS[ground][theme]
    assert {
        name: contrast(TOKENS[name][theme], behind) for name in TEXT if contrast(TOKENS[name][theme], behind) < 4.5
    } == {}
    assert contrast(TOKENS["control"][theme], behind) >= 3
    assert contrast(TOKENS["on-tint"][theme], TOKENS["tint"][theme]) >= 4.5


def test_colours_stand_in_one_place() -> None:
    tokens, _, rest = SHEET.partition("/* --- 2 base")
    assert tokens.count("light-dark(") > 20
    for sheet in (rest, (ROOT / "portal/static/admin.css").read_text()):
        assert re.findall(r"#[0-9a-fA-F]{3,8}\b(?=[;,) ])", sheet) == []
