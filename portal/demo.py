"""The demo: a workspace served by the simulator over real HTTP on loopback, connected like any other."""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from . import keys, ports

if TYPE_CHECKING:
    from connectors.models import Connection, SyncRun

    from .supervisor import Supervisor

REGION = "demo"
NAME = "Demo workspace"
SIZES = ("small", "medium", "large")
PATIENCE = 30.0  # seconds


def before_settings(argv: Sequence[str]) -> None:
    """What the settings must find in a demo: a region called “demo”, and no https, which nobody serves here."""
    if argv[1:2] != ["start"] or "--demo" not in argv or {"-h", "--help"} & set(argv):
        return
    known = keys.known(os.environ)
    os.environ["HTTPS"] = known.get("HTTPS", "false")
    port = ports.kept(keys.data_dir(os.environ) / "simulator.port")
    regions = [known.get("SEGMENT_REGIONS", ""), f"{REGION}=http://{ports.LOOPBACK}:{port}"]
    os.environ["SEGMENT_REGIONS"] = ",".join(filter(None, regions))


def start_simulator(supervisor: "Supervisor", size: str) -> Callable[[], str]:
    """Starts the simulator where the region “demo” says; the function returned waits for the owner's token."""
    from django.conf import settings

    port = settings.REGIONS["segment"][REGION].rpartition(":")[2]
    lines: SimpleQueue[str] = SimpleQueue()

    def hear(line: str) -> bool:
        lines.put(line)
        return line.startswith("{")  # its introduction, which holds tokens

    arguments = ["--port", port, "--json", "--size", size, "--day", str(_today())]
    supervisor.start("simulator", "connectors.segment.simulator", *arguments, hear=hear)

    def owner_token() -> str:
        from .supervisor import TICK, Fallen

        for _ in range(round(PATIENCE / TICK)):
            try:
                token: str = _introduction(lines.get(timeout=TICK))["tokens"]["owner"]
                return token
            except Empty:
                supervisor.check()
        raise Fallen(f"The simulator said nothing for {PATIENCE:.0f} seconds.")

    return owner_token


def _today() -> int:
    """The simulator's day that is today: usage and delivery are asked for by date."""
    from connectors.segment.simulator.drift import DAY_ZERO

    return max(0, (datetime.now(UTC) - DAY_ZERO).days)


def _introduction(line: str) -> dict[str, Any]:
    from .supervisor import Fallen

    try:
        found: dict[str, Any] = json.loads(line)
    except ValueError:
        raise Fallen(f"The simulator did not start: {line}") from None
    return found


def connection() -> "Connection | None":
    """The demo's connection, whatever became of it; None before the first time."""
    from connectors.models import Connection, ConnectionState

    return Connection.objects.filter(region=REGION).exclude(state=ConnectionState.DRAFT).first()


def connect(token: str) -> "SyncRun":
    """Connects the demo workspace with the verbs that the wizard uses, and asks for its first sync."""
    from django.utils import timezone

    from connectors import connections, registry, runs
    from connectors.models import Connection

    from .supervisor import Fallen

    now = timezone.now()
    draft = Connection.objects.filter(region=REGION).first()  # one that an interrupted start left, if any
    draft = draft or connections.draft(registry.get("segment"), by=None, now=now)
    connections.set_credential(draft, name=NAME, region=REGION, token=token, role="owner", now=now)
    found = connections.check(draft, by=None, now=now)
    if found.code:
        raise Fallen(f"The demo workspace could not be connected: {found.message}")
    connections.activate(draft, plan=draft.plan, by=None, now=now)
    try:
        return runs.request(draft, trigger="command", now=now)
    except runs.Refused as error:
        raise Fallen(f"The demo workspace is connected and was not synced: {error}") from None


def first_sync(run: "SyncRun", say: Callable[[str], object]) -> Iterator[None]:
    """Tells how the first sync goes, step by step, until it has ended."""
    told = ""
    while run.active:
        if run.requests_expected and run.now != told:
            told = run.now
            say(f"First sync: {run.requests_done} of {run.requests_expected} requests, {run.records} records")
        yield
        run.refresh_from_db()
    say(f"First sync: {run.get_state_display().lower()}, {run.records} records{_because(run)}")


def _because(run: "SyncRun") -> str:
    return f" ({run.error_code}: {run.error_detail})" if run.error_code else ""
