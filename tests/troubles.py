"""Twenty-odd ways in which a connection goes wrong, each made by the simulator, and what the admin reads then.

`python -m tests.picturing docs` writes docs/TROUBLES.md, and with Chromium in the path a picture of each page beside
it. The suite plays the same rows and looks for their words (`test_troubles`).
"""

import html
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

from django.db import connection as database
from django.test import Client, override_settings
from django.utils import timezone

from connectors import connections, registry, runs
from connectors import sync as driver
from connectors.models import Connection, RunState, SyncRun
from connectors.schedules import Plan
from connectors.segment.simulator import Fault, Simulator
from tests.clocks import Skipping
from tests.hosts import closed_port, listening

BASE = "/admin/connectors/connection/"
Deed = Callable[["Scene"], str]


@dataclass
class Scene:
    """An administrator's browser before an empty portal, and the simulator as both of Segment's regions."""

    browser: Client
    simulator: Simulator

    def draft(self, token: str = "owner", region: str = "us", role: str = "owner") -> int:
        """A draft as the wizard makes it, up to the token."""
        answer = self.browser.post(f"{BASE}connect/", {"connector": "segment"})
        pk = int(re.findall(r"/(\d+)/", answer["Location"])[0])
        text = self.simulator.tokens.get(token, token)
        given = {"name": "Production", "region": region, "role": role, "token": text, "seen": "", "made": ""}
        self.browser.post(f"{BASE}{pk}/token/", given)
        Connection.objects.filter(pk=pk).update(groups=["workspace", "data-flow", "people"])
        return pk

    def checked(self, *faults: Fault, **draft: str) -> str:
        """The check step after the check was pressed."""
        pk = self.draft(**draft)
        self.simulator.faults[:] = faults
        self.browser.post(f"{BASE}{pk}/check/", {"check": ""})
        return f"{BASE}{pk}/check/"

    def connected(self, *faults: Fault, token: str = "owner") -> Connection:
        """An active connection with one good snapshot; afterwards these faults are on."""
        now = timezone.now()
        row = connections.draft(registry.get("segment"), by=None, now=now)
        text = self.simulator.tokens[token]
        connections.set_credential(row, name="Production", region="us", token=text, role=token, now=now)
        connections.choose_groups(row, ["workspace", "data-flow", "people"], False, by=None, now=now)
        connections.check(row, by=None, now=now)
        connections.activate(row, plan=Plan("manual"), by=None, now=now)
        assert self.sync(row).state in (RunState.PUBLISHED, RunState.PARTIAL)
        self.simulator.faults[:] = faults
        return row

    def sync(self, row: Connection) -> SyncRun:
        run = runs.request(row, trigger="person", now=timezone.now(), enqueue=False)
        return driver.perform(run.pk, clock=Skipping())

    def synced(self, *faults: Fault) -> str:
        """The connection's page after a sync that met these faults."""
        row = self.connected(*faults)
        self.sync(row)
        return f"{BASE}{row.pk}/change/"

    def replaced(self, token: str) -> str:
        """The page of the replacement as it answers the new token, kept so that a browser can open it again."""
        row = self.connected()
        answer = self.browser.post(
            f"{BASE}{row.pk}/replace/", {"token": self.simulator.tokens.get(token, token), "role": "owner", "made": ""}
        )
        return self.keep(f"{BASE}{row.pk}/replace/", answer)

    def token_step(self, token: str) -> str:
        answer = self.browser.post(f"{BASE}connect/", {"connector": "segment"})
        pk = int(re.findall(r"/(\d+)/", answer["Location"])[0])
        given = {"name": "Production", "region": "us", "role": "owner", "token": token, "seen": "", "made": ""}
        return self.keep(f"{BASE}{pk}/token/", self.browser.post(f"{BASE}{pk}/token/", given))

    kept: dict[str, bytes] = field(default_factory=dict)

    def keep(self, url: str, answer: Any) -> str:
        """A page that answers a POST cannot be asked for again: it is kept as it came."""
        self.kept[url] = answer.content
        return url

    def page(self, url: str) -> bytes:
        return self.kept.get(url) or self.browser.get(url, follow=True).content

    def text(self, url: str) -> str:
        plain = re.sub(r"<script.*?</script>|<[^>]+>", " ", self.page(url).decode(), flags=re.S)
        return " ".join(html.unescape(plain).split())


@contextmanager
def hosts(**origins: str) -> Iterator[None]:
    with override_settings(REGIONS={"segment": origins}):
        yield


@dataclass(frozen=True)
class Trouble:
    """One way to go wrong. `code` is on the page; `says` are words that must be there besides."""

    title: str
    made: str
    code: str
    says: tuple[str, ...]
    deed: Deed

    @property
    def name(self) -> str:
        return re.sub(r"[^a-z0-9]+", "-", self.title.lower()).strip("-")[:50]


def _elsewhere(origin: str) -> Deed:
    def deed(scene: Scene) -> str:
        with hosts(us=origin, eu=origin):
            return scene.checked()

    return deed


def _refused_port(scene: Scene) -> str:
    with hosts(us=f"http://127.0.0.1:{closed_port()}"):
        return scene.checked()


def _no_tls(scene: Scene) -> str:
    with listening(lambda talk: talk.sendall(b"No TLS is spoken here.")) as port, hosts(us=f"https://127.0.0.1:{port}"):
        return scene.checked()


def _proxy(scene: Scene) -> str:
    gone = f"http://127.0.0.1:{closed_port()}"
    with mock.patch.dict(os.environ, {"HTTP_PROXY": gone, "http_proxy": gone, "no_proxy": "", "NO_PROXY": ""}):
        return scene.checked()


def _in_use(scene: Scene) -> str:
    scene.connected()
    return scene.token_step(scene.simulator.tokens["owner"])


def _twice(scene: Scene) -> str:
    scene.connected()
    return scene.checked(token="owner_second")


def _undone(scene: Scene) -> str:
    row = scene.connected()
    now = timezone.now()
    token = scene.simulator.tokens["owner_second"]
    spare = connections.offer(row, token=token, role="owner", made=None, by=None, now=now)
    connections.prove(row, spare, now=now)
    connections.replace(row, spare, by=None, now=now)
    scene.simulator.faults[:] = [Fault("^/", "status", times=None, status=401)]
    scene.sync(row)
    return f"{BASE}{row.pk}/change/"


def _leaked(scene: Scene) -> str:
    row = scene.connected()
    connections.leaked(row, by=None, now=timezone.now())
    return f"{BASE}{row.pk}/change/"


def _unreadable(scene: Scene) -> str:
    row = scene.connected()
    with database.cursor() as cursor:
        cursor.execute("UPDATE connectors_connection SET token = %s WHERE id = %s", [b"of another key", row.pk])
    scene.sync(row)
    return f"{BASE}{row.pk}/change/"


def _waits(scene: Scene) -> str:
    row = scene.connected(Fault("^/", "status", times=None, status=429, retry_after="900"))
    run = scene.sync(row)
    return f"/runs/{run.pk}/"


def _clock(scene: Scene) -> str:
    row = scene.connected(Fault("^/", "clock", times=None, value=3600))
    answer = scene.browser.post(f"{BASE}{row.pk}/diagnose/")
    url = str(answer["Location"])
    while b"Waiting" in scene.browser.post(f"{url}next/", follow=True).content:
        pass
    return url


def _nothing_opens(scene: Scene) -> str:
    return "/help/nothing-opens/"


def _member(scene: Scene) -> str:
    row = scene.connected(token="member")
    return f"/workspaces/{row.workspace_id}/"


DENY = Fault("^/$", "status", times=None, status=401)
TROUBLES = (
    Trouble("The token is not valid", "Every answer is 401.", "token-rejected", ("copied whole",),
            lambda s: s.checked(DENY)),
    Trouble("The token was revoked after it worked", "401 from the second sync on.", "token-rejected",
            ("Token rejected", "found in a public repository"), lambda s: s.synced(Fault("^/", "revoked", times=None))),
    Trouble("Only half of the token was copied", "Eight characters are pasted.", "token-malformed", ("too short",),
            lambda s: s.token_step("sgp_abcd")),
    Trouble("The token belongs to another workspace", "A token of the second workspace is offered as a replacement.",
            "wrong-workspace", ("Nothing was replaced",), lambda s: s.replaced("other")),
    Trouble("The service answers with another workspace", "A sync is answered with another workspace's id.",
            "wrong-workspace", ("Wrong workspace",), lambda s: s.synced(Fault("^/$", "other_workspace", times=None))),
    Trouble("The workspace is in the other region", "A European token with the American region chosen.", "",
            ("another region than the one you chose", "Europe"), lambda s: s.checked(token="eu_owner")),
    Trouble("A Member token without roles", "The token opens only the name of the workspace.", "",
            ("Not with this role",), lambda s: s.checked(token="member_minimal", role="member")),
    Trouble("Sources are missing without a word", "A Member token: the list is silently shorter.", "",
            ("absence proves nothing",), _member),
    Trouble("The plan or the role lacks a feature", "403 for one stream.", "",
            ("Degraded", "not read whole", "Users"),
            lambda s: s.synced(Fault("^/users", "not_enabled", times=None))),
    Trouble("A feature is not switched on", "404 for one stream.", "", ("Not on this plan",),
            lambda s: s.checked(Fault("^/groups", "status", times=None, status=404))),
    Trouble("Too many requests", "429 with Retry-After: 900 for every request.", "", ("Waits until",), _waits),
    Trouble("Segment is down", "503 for every request.", "service-error", ("Unreachable",),
            lambda s: s.synced(Fault("^/", "status", times=None, status=503))),
    Trouble("Nobody listens at the address", "The port is closed.", "unreachable", ("could not be reached",),
            _refused_port),
    Trouble("The host has no name", "The region's host does not resolve.", "name-not-resolved",
            ("could not be resolved",), _elsewhere("https://segment.invalid")),
    Trouble("No trustworthy TLS", "The host does not speak TLS.", "tls", ("trustworthy TLS",), _no_tls),
    Trouble("The proxy does not answer", "HTTP_PROXY names a closed port.", "proxy", ("proxy",), _proxy),
    Trouble("The clock is wrong", "The service's clock is an hour away.", "clock-wrong",
            ("clock is 1 h behind",), _clock),
    Trouble("A web page instead of data", "A login page of a proxy answers.", "not-json", ("web page instead of data",),
            lambda s: s.checked(Fault("^/$", "html", times=None))),
    Trouble("The API has changed", "A field that the documentation does not name.", "", ("The API has changed",),
            lambda s: s.synced(Fault("^/sources$", "unknown_field", times=None))),
    Trouble("The answer names no workspace", "The answer to the first question lacks its data.", "data-missing",
            ("no “data” object",), lambda s: s.checked(Fault("^/$", "data_missing", times=None))),
    Trouble("The token is connected already", "The token of another connection is pasted.", "token-in-use",
            ("already holds this token",), _in_use),
    Trouble("The workspace is connected already", "A second token of the same workspace.", "", ("already",), _twice),
    Trouble("The new token fails at its first sync", "401 after the replacement.", "replacement-undone",
            ("put back",), _undone),
    Trouble("The token has leaked", "Somebody pressed the button.", "token-leaked", ("wiped", "Paused"), _leaked),
    Trouble("The keys do not open the token", "FERNET_KEYS lacks the key that sealed it.", "token-unreadable",
            ("cannot be decrypted", "FERNET_KEYS"), _unreadable),
    Trouble("The link to Segment opens nothing", "A pop-up blocker.", "nothing-opens", ("pop-ups",), _nothing_opens),
)  # fmt: skip


# --- the document ---------------------------------------------------------------------------------------

HEAD = """# What can go wrong with a connection, and what the administrator reads

Made by `python -m tests.picturing docs`, which plays each row against the simulator; the suite plays them too and looks
for the code and the words. Each code leads to its page of help: what happened, why, what to do, who acts.

| | what goes wrong | how the simulator makes it | what is read | code | |
|---|---|---|---|---|---|
"""


def document() -> str:
    return HEAD + "\n".join(map(_line, range(1, len(TROUBLES) + 1), TROUBLES)) + "\n"


def _line(number: int, row: Trouble) -> str:
    words = "; ".join(f"“{each}”" for each in row.says)
    code = f"`{row.code}`" if row.code else "–"
    picture = f"[picture](troubles/{row.name}.png)"
    return f"| {number} | {row.title} | {row.made} | {words} | {code} | {picture} |"
