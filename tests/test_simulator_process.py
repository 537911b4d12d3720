"""The simulator as a server and as a process."""

import http.client
import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
from django.core.management import CommandError, call_command

from connectors.segment.simulator import Logged, PortTaken, Simulator, serve
from tests.simulating import ask

ROOT = Path(__file__).parent.parent


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with serve() as running:
        yield running


def test_a_connection_carries_many_requests(simulator: Simulator) -> None:
    place = urlsplit(simulator.url)
    line = http.client.HTTPConnection(str(place.hostname), place.port, timeout=5)
    wires = set()
    for path in ("/", "/nowhere", "/sources?pagination%5Bcount%5D=2", "/labels"):
        line.request("GET", path, headers={"Authorization": f"bearer {simulator.tokens['owner']}"})
        line.getresponse().read()
        wires.add(line.sock)
    line.close()
    assert len(wires) == 1
    assert [request.status for request in simulator.requests] == [200, 404, 200, 200]
    assert simulator.requests[2] == Logged("GET", "/sources", "pagination%5Bcount%5D=2", "owner", 200)


def test_the_log_names_tokens_and_never_holds_them(simulator: Simulator) -> None:
    requests.get(simulator.url + "/", timeout=5)
    requests.get(simulator.url + "/", headers={"Authorization": "Bearer sgp_unknown"}, timeout=5)
    ask(simulator, "/", "member")
    assert [request.token for request in simulator.requests] == ["-", "?", "member"]
    assert "sgp_" not in str(simulator.requests)


def test_the_version_asked_for_is_the_type_of_the_answer(simulator: Simulator) -> None:
    for accept in ("application/vnd.segment.v1+json", "application/vnd.segment.v1alpha+json"):
        headers = {"Authorization": f"Bearer {simulator.tokens['owner']}", "Accept": accept}
        assert requests.get(simulator.url + "/", headers=headers, timeout=5).headers["Content-Type"] == accept
    assert ask(simulator, "/").headers["Content-Type"] == "application/json; charset=utf-8"


def test_what_is_not_http_ends_the_connection(simulator: Simulator) -> None:
    place = urlsplit(simulator.url)
    for junk in (b"hello\r\n\r\n", b"GET / HTTP/1.1\r\nContent-Length: many\r\n\r\n", b"x" * 100_000):
        with socket.create_connection((str(place.hostname), int(place.port or 0)), timeout=1) as wire:
            wire.sendall(junk)
            assert wire.recv(100) == b""
    assert ask(simulator, "/").status_code == 200


def test_the_process_keeps_limits_of_a_short_minute() -> None:
    command = [sys.executable, "-m", "connectors.segment.simulator", "--port", "0", "--json"]
    command += ["--rate-limits", "--minute", "5", "--wait", "reset"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout
        said = json.loads(process.stdout.readline())
        headers = {"Authorization": f"Bearer {said['tokens']['owner']}"}
        with requests.Session() as session:
            session.headers.update(headers)
            warehouse = session.get(said["urls"]["us"] + "/warehouses", timeout=5).json()["data"]["warehouses"][0]["id"]
            path = f"{said['urls']['us']}/warehouses/{warehouse}/advanced-sync-schedule"
            answers = [session.get(path, timeout=5) for _ in range(3)]
        process.terminate()
        assert process.wait(5) == 0
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    sent, until = (parsedate_to_datetime(answers[2].headers[name]) for name in ("Date", "X-RateLimit-Reset"))
    assert 3 <= (until - sent).total_seconds() <= 6
    assert "Retry-After" not in answers[2].headers
    assert "msBeforeNext" not in answers[2].text


def test_a_taken_port_is_said_in_one_sentence(simulator: Simulator) -> None:
    port = urlsplit(simulator.url).port
    assert port
    with pytest.raises(PortTaken, match=rf"Port {port} on 127.0.0.1 cannot be used \(Address already in use\)"):
        serve(port=port)
    with pytest.raises(CommandError, match=f"Port {port} on 127.0.0.1 cannot be used"):
        call_command("simulate", port=port)


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT])
def test_the_process_says_where_it_is_and_ends_on_a_signal(end: signal.Signals) -> None:
    command = [
        sys.executable,
        "-m",
        "connectors.segment.simulator",
        "--port",
        "0",
        "--eu-port",
        "0",
        "--warm",
        "--json",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout
        assert process.stderr
        said = json.loads(process.stdout.readline())
        for region, token in (("us", "owner"), ("eu", "eu_owner")):
            assert said["urls"][region].startswith("http://127.0.0.1:")
            headers = {"Authorization": f"Bearer {said['tokens'][token]}"}
            assert requests.get(said["urls"][region] + "/sources", headers=headers, timeout=5).status_code == 200
        hanging = socket.create_connection(("127.0.0.1", int(urlsplit(said["urls"]["us"]).port or 0)))
        process.send_signal(end)
        assert process.wait(5) == 0
        assert process.stderr.read() == ""
        hanging.close()


def test_the_process_prints_one_fact_a_line_and_refuses_nonsense() -> None:
    command = [sys.executable, "-m", "connectors.segment.simulator", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout
        lines = [process.stdout.readline().split() for _ in range(7)]
        process.terminate()
        assert process.wait(5) == 0
    assert lines[0][:2] == ["address", "us"]
    assert [line[:2] for line in lines[1:3]] == [["token", "owner"], ["token", "owner_second"]]
    for wrong in (["--day", "-1"], ["--minute", "0"], ["--faults", "missing.json"], ["--port", "99999999"]):
        ran = subprocess.run([*command, *wrong], capture_output=True, text=True, cwd=ROOT, check=False, timeout=5)
        assert ran.returncode == 1
        assert ran.stderr.count("\n") == 1
        assert "Traceback" not in ran.stderr
