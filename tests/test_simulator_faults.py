"""Each fault does what it says, and the simulator as a process behaves."""

import http.client
import json
import os
import socket
from collections.abc import Callable, Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
import requests

from connectors.segment.simulator import BadFaults, Fault, Logged, Settings, Simulator, serve
from connectors.segment.simulator.endpoints import ENDPOINTS, Endpoint
from connectors.segment.simulator.faults import KINDS, WIRE
from connectors.segment.simulator.tokens import ALL
from tests.simulating import ask

Json = Any
ROOT = Path(__file__).parent.parent


def listen(simulator: Simulator, path: str, timeout: float = 0.3) -> bytes:
    """What comes over the wire until the end, or until nothing comes for so long: then it ends in TIMEOUT."""
    place = urlsplit(simulator.url)
    with socket.create_connection((str(place.hostname), int(place.port or 0)), timeout=timeout) as wire:
        token = simulator.tokens["owner"]
        wire.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
        heard = b""
        try:
            while part := wire.recv(65536):
                heard += part
        except TimeoutError:
            return heard + b"TIMEOUT"
        return heard


@pytest.fixture(scope="module")
def running() -> Iterator[Simulator]:
    with serve() as simulator:
        yield simulator


@pytest.fixture
def simulator(running: Simulator) -> Simulator:
    running.faults.clear()
    running.requests.clear()
    running.settings.cap = None
    return running


def sources(simulator: Simulator) -> Json:
    return ask(simulator, "/sources").json()["data"]


# --- one check for each kind -------------------------------------------------------------------------


def status(simulator: Simulator) -> None:
    for number in (401, 403, 404, 408, 429, 500, 502, 503, 504):
        simulator.faults[:] = [Fault("^/sources$", "status", status=number)]
        refused = ask(simulator, "/sources")
        assert refused.status_code == refused.json().get("errors")[0]["status"] == number
        assert "Retry-After" not in refused.headers
        assert ask(simulator, "/sources").status_code == 200
    for wait in ("7", "86400000"):
        simulator.faults[:] = [Fault("^/sources$", "status", status=429, value=1234, retry_after=wait)]
        refused = ask(simulator, "/sources")
        assert refused.headers["Retry-After"] == wait
        assert refused.json()["errors"][0]["data"]["msBeforeNext"] == 1234
    simulator.faults[:] = [Fault("^/sources$", "status", status=503, retry_after="date+90", value="<b>down</b>")]
    refused = ask(simulator, "/sources")
    sent, until = (parsedate_to_datetime(refused.headers[name]) for name in ("Date", "Retry-After"))
    assert 88 <= (until - sent).total_seconds() <= 92
    assert refused.text == "<b>down</b>"


def revoked(simulator: Simulator) -> None:
    simulator.faults[:] = [Fault("", "revoked", times=None, after=2)]
    assert [ask(simulator, path).status_code for path in ("/", "/sources", "/users", "/")] == [200, 200, 401, 401]


def redirect(simulator: Simulator) -> None:
    simulator.faults[:] = [Fault("^/sources$", "redirect", value="http://other.example/x")]
    sent = ask(simulator, "/sources")
    assert (sent.status_code, sent.headers["Location"]) == (302, "http://other.example/x")
    simulator.faults[:] = [Fault("^/sources$", "redirect", status=307)]
    assert ask(simulator, "/sources").status_code == 307


def hang(simulator: Simulator) -> None:
    assert listen(simulator, "/sources", timeout=0.1) == b"TIMEOUT"
    assert simulator.requests == [Logged("GET", "/sources", "", "owner", 0)]


def drip(simulator: Simulator) -> None:
    simulator.faults[:] = [Fault("^/$", "drip", value=0.002)]
    place = urlsplit(simulator.url)
    line = http.client.HTTPConnection(str(place.hostname), place.port, timeout=1)
    line.request("GET", "/", headers={"Authorization": f"Bearer {simulator.tokens['owner']}"})
    answer = line.getresponse()
    parts = [answer.read1(1000) for _ in range(20)]
    assert max(map(len, parts)) < 10
    assert json.loads(b"".join(parts) + answer.read())["data"]["workspace"]["slug"] == "fernhill-outdoor"
    line.close()


def reset(simulator: Simulator) -> None:
    with pytest.raises(ConnectionResetError):
        listen(simulator, "/sources")


def short_body(simulator: Simulator) -> None:
    head, _, body = listen(simulator, "/sources").partition(b"\r\n\r\n")
    assert json.loads(body)
    assert f"Content-Length: {len(body) + 100}\r\n".encode() in head
    simulator.faults[:] = [Fault("^/sources$", "short_body")]
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        ask(simulator, "/sources")


def unreadable(simulator: Simulator) -> None:
    sent = ask(simulator, "/sources")
    assert sent.status_code == 200
    with pytest.raises(json.JSONDecodeError):
        json.loads(sent.content)


def html(simulator: Simulator) -> None:
    sent = ask(simulator, "/sources")
    assert (sent.status_code, sent.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert sent.text.startswith("<!doctype html>")


def body(expected: Json) -> Callable[[Simulator], None]:
    def check(simulator: Simulator) -> None:
        sent = ask(simulator, "/sources").json()
        assert {**sent, "pagination": 0} == {**expected, "pagination": 0}

    return check


def data(holds: Callable[[Json], bool]) -> Callable[[Simulator], None]:
    def check(simulator: Simulator) -> None:
        sent = sources(simulator)
        assert "pagination" in sent
        assert holds(sent)
        assert not holds(sources(simulator)), "the fault has passed"

    return check


def raw(holds: Callable[[str], bool]) -> Callable[[Simulator], None]:
    """The text of the first item, whatever a JSON parser would make of it."""

    def check(simulator: Simulator) -> None:
        assert holds(ask(simulator, "/sources").text)
        assert not holds(ask(simulator, "/sources").text), "the fault has passed"

    return check


def other_workspace(simulator: Simulator) -> None:
    simulator.faults[:] = [Fault("^/$", "other_workspace", times=None, after=1, value="stranger")]
    ids = [ask(simulator, "/").json()["data"]["workspace"]["id"] for _ in range(3)]
    assert ids[0] != "stranger"
    assert ids[1:] == ["stranger", "stranger"]


def set_(simulator: Simulator) -> None:
    simulator.faults[:] = [Fault("^/sources$", "set", value={"enabled": None, "new": [1]})]
    first, again = (sources(simulator)["sources"][0] for _ in range(2))
    assert first == {**again, "enabled": None, "new": [1]} != again


def close(simulator: Simulator) -> None:
    assert listen(simulator, "/sources", timeout=2) == b""
    assert simulator.requests[-1].status == 0


def stall(simulator: Simulator) -> None:
    head, _, body = listen(simulator, "/sources", timeout=0.2).partition(b"\r\n\r\n")
    assert body.endswith(b"TIMEOUT")
    length = int(head.partition(b"Content-Length: ")[2].split(b"\r\n")[0])
    assert len(body) - len(b"TIMEOUT") == length // 2


def clock(simulator: Simulator) -> None:
    simulator.faults[:] = [Fault("^/sources$", "clock"), Fault("^/sources$", "clock", value=3600, after=1)]
    late, early, right = (parsedate_to_datetime(ask(simulator, "/sources").headers["Date"]) for _ in range(3))
    assert abs((right - late).total_seconds() - 86_400) < 3
    assert abs((early - right).total_seconds() - 3600) < 3


def not_enabled(simulator: Simulator) -> None:
    simulator.faults[:] = [Fault("^/sources$", "not_enabled"), Fault("^/sources$", "not_enabled", status=404, after=1)]
    for number in (403, 404):
        refused = ask(simulator, "/sources")
        assert (refused.status_code, refused.json()["errors"][0]["type"]) == (number, "NotEnabled")
    assert ask(simulator, "/sources").status_code == 200


CHECKS: dict[str, Callable[[Simulator], None]] = {
    "status": status,
    "revoked": revoked,
    "redirect": redirect,
    "hang": hang,
    "drip": drip,
    "reset": reset,
    "short_body": short_body,
    "close": close,
    "stall": stall,
    "clock": clock,
    "not_enabled": not_enabled,
    "cut_json": unreadable,
    "empty_body": unreadable,
    "not_json": unreadable,
    "html": html,
    "data_missing": body({}),
    "data_null": body({"data": None}),
    "data_wrong": body({"data": [1, 2]}),
    "items_missing": data(lambda sent: "sources" not in sent),
    "items_null": data(lambda sent: sent["sources"] is None),
    "items_wrong": data(lambda sent: isinstance(sent["sources"], str)),
    "unknown_field": data(lambda sent: "surprise" in sent["sources"][0] and "alsoNew" in sent),
    "new_enum": data(lambda sent: sent["sources"][0]["metadata"]["status"] == "BRAND_NEW_WORD"),
    "other_workspace": other_workspace,
    "set": set_,
    "null": data(lambda sent: sent["sources"][0]["name"] is None),
    "wrong_type": data(lambda sent: isinstance(sent["sources"][0]["name"], dict)),
    "nan": raw(lambda text: '"name":NaN,' in text),
    "huge_int": data(lambda sent: sent["sources"][0]["name"] == int("9" * 40)),
    "int_2_63": data(lambda sent: sent["sources"][0]["name"] == 2**63),
    "deep_body": raw(lambda text: text == '{"data":' + "[" * 10_000 + "]" * 10_000 + "}"),
    "dangling": data(lambda sent: sent["sources"][0].get("sourceId") == "nothingHasThisId000000"),
    "huge_float": raw(lambda text: '"name":1e400,' in text),
    "lone_surrogate": data(lambda sent: "\ud800" in str(sent["sources"][0]["name"])),
    "deep": raw(lambda text: '"name":' + "[" * 10_000 + "]" in text),
    "long_string": data(lambda sent: len(sent["sources"][0]["name"]) == 10_000_000),
    "duplicate_key": raw(lambda text: '"name":"one","name":"two",' in text),
}


@pytest.mark.parametrize("kind", sorted(CHECKS))
def test_a_fault_does_what_it_says(simulator: Simulator, kind: str) -> None:
    simulator.faults.append(Fault("^/sources$", kind))
    CHECKS[kind](simulator)


QUERY = {
    "resourceType": "SOURCE",
    "period": "2026-10-01",
    "startTime": "2026-09-25T00:00:00Z",
    "endTime": "2026-10-02",
    "granularity": "DAY",
}
SPOILING = sorted(KINDS - set(WIRE) - {"long_string"})


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.path)
def test_a_fault_on_a_body_without_its_place_is_no_crash(simulator: Simulator, endpoint: Endpoint) -> None:
    world = simulator.api.world()
    path = endpoint.path_of([next(iter(world.numbers(kind))) for kind in endpoint.kinds])
    query = urlencode({**QUERY, "destinationConfigId": world.destinations[0]["id"]})
    query += f"&sourceId={world.sources[0]['id']}&functionId={world.functions[0]['id']}"
    for kind in SPOILING:
        answer = simulator.api.answer(ALL[0], path, query, Fault("", kind))
        assert answer.status == 200


def test_every_kind_of_fault_is_checked() -> None:
    from tests.test_simulator_faults_lists import CHECKS as LISTED

    assert CHECKS.keys() | LISTED.keys() == KINDS
    assert not CHECKS.keys() & LISTED.keys()


# --- when ------------------------------------------------------------------------------------------------


def test_a_fault_hits_the_requests_it_is_meant_for(simulator: Simulator) -> None:
    simulator.faults += [
        Fault("^/sources$", "status", status=503, times=2, after=1),
        Fault("^/users$", "status", status=403, times=None),
        Fault("^/sources$", "status", status=500, after=2),  # counted although the first one strikes
    ]
    assert [ask(simulator, "/sources").status_code for _ in range(4)] == [200, 503, 503, 200]
    assert [ask(simulator, path).status_code for path in ("/users", "/roles", "/users")] == [403, 200, 403]


def test_faults_come_from_a_file_and_change_with_it(tmp_path: Path) -> None:
    file = tmp_path / "faults.json"
    file.write_text('[{"path": "^/$", "kind": "status", "status": 502, "times": null}]')
    simulator = Simulator(Settings(), faults_file=file)
    simulator.listen(0)
    with simulator.start():
        assert [ask(simulator, "/").status_code for _ in range(2)] == [502, 502]
        file.write_text("[]")
        os.utime(file, ns=(1, 1))
        assert ask(simulator, "/").status_code == 200
        file.write_text('[{"path":')  # half-written: the last good list stays
        os.utime(file, ns=(2, 2))
        assert ask(simulator, "/").status_code == 200


@pytest.mark.parametrize(
    "wrong",
    [
        {"path": "/", "kind": "gremlin"},
        {"path": "(", "kind": "html"},
        {"path": "/", "kind": "html", "after": "2"},
        {"path": "/", "kind": "removed", "value": "first"},
        {"path": "/", "kind": "html", "colour": 1},
        {"kind": "html"},
    ],
)
def test_a_wrong_fault_is_refused(tmp_path: Path, wrong: Json) -> None:
    file = tmp_path / "faults.json"
    file.write_text(json.dumps([wrong]))
    with pytest.raises(BadFaults):
        Fault.read(file)
