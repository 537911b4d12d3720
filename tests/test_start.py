"""`manage.py start`: keys, ports, one sentence for each thing that is missing, and a whole demo from start to end."""

import os
import re
import signal
import socket
import sqlite3
import stat
import sys
import urllib.request
from contextlib import closing
from pathlib import Path

import pytest

from portal import demo, keys, ports

from . import portals

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")


# --- keys ---------------------------------------------------------------------------------------


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_keys_are_made_once_for_their_owner_alone(tmp_path: Path) -> None:
    environ = {"PORTAL_DATA": str(tmp_path / "data")}
    written = keys.make_keys(environ)
    assert [path.name for path in written] == ["private.env", "signing.key", "signing.pub"]
    assert [_mode(written[0]), _mode(written[1]), _mode(written[0].parent)] == [0o600, 0o600, 0o700]
    before = [path.read_bytes() for path in written]
    assert keys.make_keys(environ) == []
    assert [path.read_bytes() for path in written] == before
    known = keys.known(environ)
    assert len({known[name] for name in portals.KEYS}) == 3
    assert all(len(known[name]) >= 32 for name in portals.KEYS)


def test_keys_of_the_environment_are_not_made_again(tmp_path: Path) -> None:
    environ = {
        "PORTAL_DATA": str(tmp_path),
        "SECRET_KEY": "s" * 40,
        "FERNET_KEYS": "f" * 40,
        "FINGERPRINT_KEY": "p" * 40,
    }
    assert [path.name for path in keys.make_keys(environ)] == ["signing.key", "signing.pub"]


def test_a_missing_key_is_added_and_the_others_stay(tmp_path: Path) -> None:
    (tmp_path / "private.env").write_text("FERNET_KEYS=mine\n")
    (tmp_path / "private.env").chmod(0o644)
    keys.make_keys({"PORTAL_DATA": str(tmp_path)})
    known = keys.known({"PORTAL_DATA": str(tmp_path)})
    assert known["FERNET_KEYS"] == "mine"
    assert {"SECRET_KEY", "FINGERPRINT_KEY"} <= set(known)
    assert _mode(tmp_path / "private.env") == 0o600


def test_a_private_file_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("old")
    with pytest.raises(FileExistsError):
        keys.write_private(tmp_path / "key", b"new")
    assert (tmp_path / "key").read_text() == "old"


# --- ports --------------------------------------------------------------------------------------


def test_a_kept_port_stays_while_it_is_free_and_moves_when_it_is_not(tmp_path: Path) -> None:
    path = tmp_path / "port"
    first = ports.kept(path)
    assert ports.kept(path) == first
    with ports.listen(ports.LOOPBACK, first):
        second = ports.kept(path)
    assert second != first
    assert path.read_text() == f"{second}\n"


@pytest.mark.parametrize(
    ("host", "port", "words"),
    [
        ("192.0.2.1", 8000, "HOST=192.0.2.1 is no address of this machine"),
        ("127.0.0.1", 70000, "There is no port 70000, they go from 0 to 65535"),
    ],
)
def test_a_place_that_cannot_be_listened_at_is_named(host: str, port: int, words: str) -> None:
    with pytest.raises(ports.PortTaken, match=re.escape(words)):
        ports.listen(host, port)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("localhost", True),
        ("::1", True),
        ("[::1]", True),
        ("0.0.0.0", False),
        ("example.com", False),
    ],
)
def test_what_counts_as_loopback(host: str, loopback: bool) -> None:
    assert ports.is_loopback(host) is loopback


def test_an_open_port_alone_is_no_answer() -> None:
    with ports.listen(ports.LOOPBACK, 0) as listener:
        port = listener.getsockname()[1]
    assert ports.answers(ports.LOOPBACK, port) is False


# --- the demo's environment ---------------------------------------------------------------------


def test_the_demo_adds_its_region_and_leaves_what_is_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTAL_DATA", str(tmp_path))
    monkeypatch.setenv("SEGMENT_REGIONS", "near=https://near.example.com")
    monkeypatch.delenv("HTTPS")
    demo.before_settings(["manage.py", "start", "--demo"])
    port = (tmp_path / "simulator.port").read_text().strip()
    assert os.environ["HTTPS"] == "false"
    assert os.environ["SEGMENT_REGIONS"] == f"near=https://near.example.com,demo=http://127.0.0.1:{port}"


@pytest.mark.parametrize("argv", [["manage.py", "start"], ["manage.py", "sync", "--demo"], ["manage.py"]])
def test_no_other_command_gets_the_demos_environment(
    argv: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PORTAL_DATA", str(tmp_path))
    demo.before_settings(argv)
    assert not list(tmp_path.iterdir())


# --- what is missing gets one sentence ----------------------------------------------------------


def _one_sentence(answer: object, words: str) -> None:
    code, text = getattr(answer, "returncode", None), getattr(answer, "stderr", "")
    assert code == 2, text
    assert words in text
    assert text.count("\n") == 1, text


def test_a_missing_key_stops_the_start_and_says_how_to_make_one(tmp_path: Path) -> None:
    _one_sentence(portals.manage(tmp_path, "start"), "SECRET_KEY is missing or shorter than 32 characters: run `python")
    assert not list(tmp_path.iterdir())


def test_a_missing_signing_key_stops_the_start_and_says_how_to_make_one(tmp_path: Path) -> None:
    keys.make_keys({"PORTAL_DATA": str(tmp_path)})
    (tmp_path / "signing.key").unlink()
    _one_sentence(portals.manage(tmp_path, "start", "--port", "0"), "There is no signing key at")


def test_a_taken_port_stops_the_start_before_anything_is_done(tmp_path: Path) -> None:
    keys.make_keys({"PORTAL_DATA": str(tmp_path)})
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        answer = portals.manage(tmp_path, "start", PORT=str(port))
    _one_sentence(answer, f"Port {port} on 127.0.0.1 is taken by another program: stop that program or choose another")
    assert f"PORT={port + 1} make run" in answer.stderr
    assert not (tmp_path / "portal.sqlite3").exists()


def test_the_demo_is_for_this_machine_alone(tmp_path: Path) -> None:
    _one_sentence(portals.manage(tmp_path, "start", "--demo", HOST="0.0.0.0"), "The demo is for this machine alone")


def test_a_start_of_nothing_is_refused(tmp_path: Path) -> None:
    keys.make_keys({"PORTAL_DATA": str(tmp_path)})
    _one_sentence(portals.manage(tmp_path, "start", "--no-web", "--no-worker"), "nothing is left to start")


# --- a whole demo -------------------------------------------------------------------------------

ADDRESS = re.compile(r"Portal: (http://127\.0\.0\.1:\d+)  \(sign in as admin / (\S{20,})\)")


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A demo that was started for the first time and stopped: its folder and the lines that it printed."""
    data = tmp_path_factory.mktemp("demo")
    with portals.started(data, "--demo", "--port", "0") as portal:
        address = ADDRESS.fullmatch(portal.line("Portal: ", 40))
        assert address, portal.lines
        with urllib.request.urlopen(f"{address[1]}/sign-in/", timeout=10) as answer:
            assert answer.status == 200
            assert b"<form" in answer.read()
        groups = set(portal.family().values()) - {os.getpgrp()}
        assert portal.ask(signal.SIGTERM) == 0
        portal.line("Stopped.", 5)
        if sys.platform.startswith("linux"):
            assert len(groups) == 3  # web server, worker, simulator
            assert not portals.left_of(groups)
    return data, portal.lines


@pytest.mark.slow
def test_a_first_start_ends_with_a_snapshot_and_an_administrator(begun: tuple[Path, list[str]]) -> None:
    data, lines = begun
    with closing(sqlite3.connect(data / "portal.sqlite3")) as database:
        runs = database.execute("SELECT lane, state FROM connectors_syncrun ORDER BY id").fetchall()
        assert runs[0] == ("main", "published")
        assert [lane for lane, _ in runs[1:]] == ["slow"], (
            "what may only be asked a few times a minute follows by itself"
        )
        assert database.execute("SELECT state, schedule FROM connectors_connection").fetchall() == [("active", "daily")]
        assert database.execute("SELECT username, is_superuser FROM portal_user").fetchall() == [("admin", 1)]
    assert any(line.startswith("First sync: published") for line in lines)
    assert not [line for line in lines if "sgp_" in line or "Traceback" in line]


@linux
@pytest.mark.slow
def test_a_second_start_makes_nothing_new_and_ends_with_its_web_server(begun: tuple[Path, list[str]]) -> None:
    data, _ = begun
    with portals.started(data, "--demo", "--port", "0") as portal:
        line = portal.line("Portal: ", 30)
        assert "sign in as" not in line
        assert portal.lines == [line]
        groups = set(portal.family().values()) - {os.getpgrp()}
        os.kill(portal.command("gunicorn"), signal.SIGKILL)
        portal.line("CommandError: The web server was killed by signal 9.", 15)
        assert portal.process.wait(15) == 1
    assert not portals.left_of(groups)


@linux
@pytest.mark.slow
def test_nothing_outlives_a_killed_start(begun: tuple[Path, list[str]]) -> None:
    data, _ = begun
    with portals.started(data, "--demo", "--port", "0") as portal:
        portal.line("Portal: ", 30)
        groups = set(portal.family().values()) - {os.getpgrp()}
        assert len(groups) == 3
        portal.ask(signal.SIGKILL)
    assert not portals.left_of(groups)
