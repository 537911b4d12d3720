"""The simulator from the command line: what `manage.py simulate` and `python -m` share."""

import argparse
import json
import signal
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from itertools import takewhile
from pathlib import Path
from types import FrameType
from typing import Any, get_args

from .company import SIZES
from .faults import BadFaults
from .server import PortTaken, Simulator
from .settings import Settings, Wait
from .tokens import BY_TEXT, Region

PORT = 8765
ABOUT = "A Segment Public API on loopback, with invented data."


class Unusable(Exception):
    """The simulator cannot start; the message is one sentence for people."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options."""
    add = parser.add_argument
    add("--port", type=int, default=PORT, help=f"port on 127.0.0.1, 0 for any free one (default {PORT})")
    add("--region", choices=get_args(Region), default="us", help="region that answers at the port (default us)")
    add("--eu-port", type=int, help="a second port, at which the EU region answers with a workspace of its own")
    add("--size", choices=list(SIZES), default="small", help="how large the workspace is (default small: the demo)")
    add("--day", type=int, default=0, help="day of the story, from 0; 1 %% of the records change per day")
    add("--latency-ms", type=float, default=0, help="how long each answer takes at least")
    add("--hostile", action="store_true", help="mix names in that are valid and nasty")
    add("--user-permissions", action="store_true", help="let the list of users carry their permissions")
    add("--rate-limits", action="store_true", help="refuse what exceeds the limits per minute")
    add("--minute", type=float, default=60.0, help="length of the window of those limits, in seconds (default 60)")
    add("--wait", choices=get_args(Wait), default="header", help="how a 429 says how long to wait: header (Retry-After "
        "and msBeforeNext), body (msBeforeNext alone), reset (X-RateLimit-Reset alone)")  # fmt: skip
    add("--cap", type=int, help="the most items on a page, whatever is asked for")
    add("--faults", type=Path, dest="faults_file", help="JSON list of faults; read again when the file changes")
    add("--warm", action="store_true", help="encode every page before the address is printed")
    add("--json", action="store_true", dest="as_json", help="print one line of JSON")


def run(
    port: int,
    size: str,
    day: int,
    latency_ms: float,
    *,
    faults_file: Path | None = None,
    out: Callable[[str], object] = print,
    region: Region = "us",
    eu_port: int | None = None,
    warm: bool = False,
    as_json: bool = False,
    **more: Any,
) -> None:
    """Serves until SIGTERM or SIGINT. `more` are further `Settings`. Raises Unusable."""
    settings = Settings(size, day, latency_ms, **more)
    if day < 0 or latency_ms < 0 or settings.minute <= 0 or (settings.cap is not None and settings.cap < 1):
        raise Unusable("The day and the latency cannot be below 0, nor the cap below 1; the minute must be above 0.")
    try:
        with Simulator(settings, faults_file=faults_file) as simulator:
            simulator.listen(port, region)
            if eu_port is not None:
                simulator.listen(eu_port, "eu")
            _stop_on_signals(simulator)
            if warm:
                deque(takewhile(lambda path: not simulator.stopped, simulator.api.warm()), maxlen=0)
            _introduce(simulator, out, as_json=as_json)
            simulator.run()
    except (PortTaken, BadFaults) as error:
        raise Unusable(str(error)) from error


def start(options: Mapping[str, Any], out: Callable[[str], object]) -> None:
    """`run` with the options that `arguments` declares, whatever else a command has. Raises Unusable."""
    declared = vars(_parser().parse_args([]))
    run(**{name: options[name] for name in declared}, out=out)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs without Django. Exit code 0 after a signal, 1 when it cannot start."""
    try:
        start(vars(_parser().parse_args(argv)), out=lambda line: print(line, flush=True))
    except Unusable as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="simulate", description=ABOUT)
    arguments(parser)
    return parser


def _stop_on_signals(simulator: Simulator) -> None:
    def stop(number: int, frame: FrameType | None) -> None:
        simulator.stop()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)


def _introduce(simulator: Simulator, out: Callable[[str], object], *, as_json: bool) -> None:
    served = {region: url for region, url in (("us", simulator.url), ("eu", simulator.eu_url)) if url}
    tokens = {name: text for name, text in simulator.tokens.items() if BY_TEXT[text].region in served}
    if as_json:
        settings = simulator.settings
        out(json.dumps({"urls": served, "tokens": tokens, "size": settings.size, "day": settings.day}))
        return
    for region, url in served.items():
        out(f"address {region} {url}")
    for name, text in tokens.items():
        out(f"token {name} {text}")
