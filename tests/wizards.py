"""What the tests of the connect wizard share: a browser that looks for tokens, and a person who reads and clicks."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from html import unescape
from html.parser import HTMLParser
from typing import Any

from django.contrib.auth.models import Group
from django.test import Client

from connectors.models import Connection
from connectors.segment.simulator import Simulator
from portal.models import AuditEntry, User

BASE = "/admin/connectors/connection/"
PASSWORD = "a-long-password-1"


class Watching(Client):
    """A browser that looks for tokens in everything it is sent: bodies, headers, cookies."""

    tokens: frozenset[str] = frozenset()

    def request(self, **request: Any) -> Any:
        answer = super().request(**request)
        sent = b"".join(answer) if answer.streaming else answer.content
        text = f"{sent!r} {answer.headers} {answer.cookies.output()}"
        assert not [token for token in self.tokens if token in text]
        return answer


def both_regions(running: Simulator, settings: Any, monkeypatch: Any) -> Simulator:
    """Both of Segment's regions, on loopback; a second try comes at once."""
    running.faults.clear()
    settings.REGIONS = {"segment": {"us": running.url, "eu": running.eu_url}}
    monkeypatch.setattr("connectors.http.random.uniform", lambda low, high: 0.0)
    return running


@contextmanager
def administrator(segment: Simulator, caplog: Any) -> Iterator[Watching]:
    """An administrator's browser. In the end no token is in the session, the audit log or the log either."""
    person = User.objects.create_user("robin", "robin@example.com", PASSWORD)
    person.groups.add(Group.objects.get(name="Administrator"))
    browser = Watching()
    browser.tokens = frozenset(segment.tokens.values())
    browser.force_login(person)
    yield browser
    kept = [json.dumps(dict(browser.session.items())), caplog.text]
    kept += [f"{entry} {json.dumps(entry.detail)}" for entry in AuditEntry.objects.all()]
    kept += [json.dumps(row, default=str) for row in Connection.objects.values("name", "capabilities", "token_hint")]
    assert not [token for token in browser.tokens if token in "\n".join(kept)]


def text(answer: Any) -> str:
    """What a person reads on a page, on one line."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", answer.content.decode())).split())


# --- the way, step by step ------------------------------------------------------------------------------


def begin(browser: Client) -> int:
    answer = browser.post(f"{BASE}connect/", {"connector": "segment"})
    found = re.fullmatch(rf"{BASE}(\d+)/steps/", answer["Location"])
    assert found
    return int(found[1])


def give(browser: Client, pk: int, token: str, **other: str) -> Any:
    given = {"name": "Production", "region": "us", "role": "owner", "token": token, "seen": "", **other}
    return browser.post(f"{BASE}{pk}/token/", given)


def checked(browser: Client, pk: int) -> Any:
    return browser.post(f"{BASE}{pk}/check/", follow=True)


def plan(browser: Client, pk: int, **other: str) -> Any:
    return browser.post(
        f"{BASE}{pk}/schedule/", {"schedule": "daily", "at": "06:00", "zone": "UTC", "weekday": "0", **other}
    )


# --- pages as a person uses them ------------------------------------------------------------------------


class _Page(HTMLParser):
    """The links of a page, and its forms with what stands in their fields and the words on their buttons."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: dict[str, str] = {}
        self.forms: list[dict[str, Any]] = []
        self._words: list[str] | None = None
        self._done: Any = None
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        at = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append({"action": at.get("action", ""), "method": at.get("method"), "data": {}, "buttons": {}})
        elif tag == "a":
            self._words, self._done = [], lambda words: self.links.setdefault(words, at.get("href", ""))
        elif self.forms and tag == "button":
            buttons = self.forms[-1]["buttons"]
            self._words, self._done = [], lambda words: buttons.setdefault(words, (at.get("name"), at.get("value", "")))
        elif self.forms and tag == "textarea":
            data = self.forms[-1]["data"]
            self._words, self._done = [], lambda words: data.setdefault(at["name"], [words])
        elif self.forms and tag == "input" and "name" in at:
            ticked = at.get("type") in ("radio", "checkbox")
            if (not ticked or "checked" in at) and at["name"] != "csrfmiddlewaretoken":
                self.forms[-1]["data"].setdefault(at["name"], []).append(at.get("value", "on" if ticked else ""))
        elif self.forms and tag == "select":
            self._select = at["name"]
        elif self.forms and tag == "option" and "selected" in at:
            self.forms[-1]["data"][self._select] = [at["value"]]

    def handle_data(self, data: str) -> None:
        if self._words is not None:
            self._words.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag in ("a", "button", "textarea") and self._words is not None:
            self._done(" ".join("".join(self._words).split()) if tag != "textarea" else "".join(self._words))
            self._words = None


def form(answer: Any, action: str) -> dict[str, Any]:
    """What the form with this address would send as the page has it, without a button."""
    [found] = [each for each in _Page(answer.content.decode()).forms if each["action"] == action]
    data: dict[str, Any] = found["data"]
    return data


class Person:
    """Somebody who sees only what pages say: follows links and presses buttons by their words, and counts both."""

    def __init__(self, browser: Client, at: str) -> None:
        self.browser, self.clicks = browser, 0
        self.look(at)

    def look(self, at: str) -> None:
        self.answer = self.browser.get(at, follow=True)
        self._settle(at)

    def _settle(self, at: str) -> None:
        assert self.answer.status_code == 200, self.answer
        self.at = self.answer.redirect_chain[-1][0] if self.answer.redirect_chain else at
        self.page = _Page(self.answer.content.decode())

    def click(self, words: str, **typed: str) -> None:
        self.clicks += 1
        for link, where in self.page.links.items():
            if words in link:
                return self.look(where)
        for each in self.page.forms:
            for button, (name, value) in each["buttons"].items():
                if words in button:
                    assert each["method"] == "post"
                    pressed = {name: value} if name else {}
                    where = each["action"] or self.at
                    sent = {**each["data"], **typed, **pressed}
                    self.answer = self.browser.post(where, sent, follow=True)
                    return self._settle(where)
        raise AssertionError(f"“{words}” stands nowhere on {self.at}: {text(self.answer)}")
