"""Every variable that the code reads from its environment is explained in `.env.example`, and no other."""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
READERS = {"_key", "_regions", "_whole", "_switch", "_clock"}
OF_OTHERS = {"PYTHONPATH"}  # Python's own


def sources() -> list[Path]:
    rooms = ("portal", "connectors", "evidence")
    return [ROOT / "manage.py", *(path for room in rooms for path in (ROOT / room).rglob("*.py"))]


def _last_name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _is_read(call: ast.Call) -> bool:
    """`env.str("X")`, `_key("X")`, `os.environ.get("X")`, `os.getenv("X")` and their like."""
    name = _last_name(call.func)
    owner = _last_name(call.func.value) if isinstance(call.func, ast.Attribute) else ""
    if owner == "env":
        return name != "read_env"
    return name in READERS or name == "getenv" or (owner, name) == ("environ", "get")


def reads(code: str) -> Iterator[str]:
    """Names of the variables that a module reads."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Call) and node.args and _is_read(node):
            name: ast.expr = node.args[0]
        elif isinstance(node, ast.Subscript) and _last_name(node.value) == "environ" and isinstance(node.ctx, ast.Load):
            name = node.slice
        else:
            continue
        if isinstance(name, ast.Constant) and isinstance(name.value, str):
            yield name.value


def explained() -> dict[str, str]:
    """Each variable of `.env.example` with the line above it."""
    lines = (ROOT / ".env.example").read_text().splitlines()
    found = {}
    for above, line in pairwise(lines):
        if match := re.fullmatch(r"#?([A-Z_]+)=.*", line):
            assert match[1] not in found, f"{match[1]} stands there twice"
            found[match[1]] = above
    return found


def test_each_variable_read_is_explained_and_each_explained_is_read() -> None:
    read = {name for path in sources() for name in reads(path.read_text())} - OF_OTHERS
    assert len(read) > 20
    assert read == set(explained())


@pytest.mark.parametrize(("name", "above"), explained().items())
def test_an_explanation_is_one_sentence(name: str, above: str) -> None:
    assert re.fullmatch(r"# [A-Z].{15,}", above), f"{name} needs one line above it that says what it is for"
    assert len(above) <= 120


def test_every_way_of_reading_is_found() -> None:
    code = """
env.db("A"); _key("B"); os.environ.get("C"); environ.get("D"); os.environ["E"]; os.getenv("F"); _whole("G", 1)
os.environ["WRITTEN"] = "1"; options.get("OTHER"); env.read_env("file"); key("NOT")
"""
    assert set(reads(code)) == set("ABCDEFG")


def _settings(value: str, data: Path) -> subprocess.CompletedProcess[str]:
    name, _, text = value.partition("=")
    return subprocess.run(
        [sys.executable, "manage.py", "diffsettings", "--output", "unified"],
        cwd=ROOT,
        env={**os.environ, "PORTAL_DATA": str(data), name: text},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ("PORT=eighty", "PORT must be a whole number of at least 0, not 'eighty'."),
        ("WORKERS=0", "WORKERS must be a whole number of at least 1, not '0'."),
        ("HTTPS=nope", "HTTPS must be true or false, not 'nope'."),
        ("SECRET_KEY=short", "SECRET_KEY is missing or shorter than 32 characters: run `python manage.py keys`"),
        ("SEGMENT_REGIONS=far=http://example.com", "SEGMENT_REGIONS: write name=https://host, or http on the loopback"),
        ("EMAIL_URL=smtp://me:pass/word@host", "EMAIL_URL: write smtp+tls://user:password@host:587"),
        ("EMAIL_URL=smtp+tls://mail.example.com", "MAIL_FROM must be an address such as portal@example.com."),
        ("PORTAL_URL=http://portal.example.com", "PORTAL_URL: write https://host, or http on the loopback"),
    ],
)
def test_a_senseless_value_stops_with_one_sentence(value: str, sentence: str, tmp_path: Path) -> None:
    answer = _settings(value, tmp_path)
    assert answer.returncode == 2
    assert answer.stderr.startswith(sentence)
    assert answer.stderr.count("\n") == 1
    assert not answer.stdout


def test_debug_is_off_and_https_is_on_unless_somebody_says_otherwise(tmp_path: Path) -> None:
    environ = {name: value for name, value in os.environ.items() if name not in ("HTTPS", "DEBUG")}
    code = "from portal import settings; print(settings.DEBUG, settings.HTTPS, settings.HOST)"
    answer = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**environ, "PORTAL_DATA": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert answer.stdout.split() == ["False", "True", "127.0.0.1"]
