"""Imports run one way: roof, evidence, connectors, floor. Found in the code, not listed by hand."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FLOOR = {
    "portal",
    "portal.canon",
    "portal.models",
    "portal.audit",
    "portal.ledger",
    "portal.proving",
    "portal.access",
    "portal.pages",
    "portal.adminpages",
    "portal.typed",
    "portal.mail",
    "portal.chips",
}
FLOOR |= {
    "portal.signin",
    "portal.templatetags",
    "portal.templatetags.portal",
    "portal.keys",
    "portal.apps",
    "portal.settings",
}


def modules() -> dict[str, Path]:
    found = {}
    for room in ("portal", "connectors", "evidence"):
        for path in sorted((ROOT / room).rglob("*.py")):
            parts = list(path.relative_to(ROOT).with_suffix("").parts)
            if "migrations" not in parts:
                found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()


def imports(name: str, path: Path) -> set[str]:
    """The portal's own modules that a module imports, at any depth of its code."""
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*above, *filter(None, [node.module])])
            found |= {f"{base}.{alias.name}" if f"{base}.{alias.name}" in MODULES else base for alias in node.names}
    return {target for target in found if target.split(".")[0] in {"portal", "connectors", "evidence"}}


def room(name: str) -> int:
    """How high a module stands: floor 0, connectors 1, evidence 2, roof 3."""
    if name in FLOOR:
        return 0
    return {"connectors": 1, "evidence": 2, "portal": 3}[name.split(".", maxsplit=1)[0]]


@pytest.mark.parametrize("name", MODULES)
def test_imports_run_down(name: str) -> None:
    up = {target for target in imports(name, MODULES[name]) if room(target) > room(name)}
    assert not up, f"{name} imports upwards: {sorted(up)}"


@pytest.mark.parametrize("name", [name for name in MODULES if name.startswith("connectors.segment")])
def test_a_connector_knows_the_spec_and_itself_only(name: str) -> None:
    own = {"connectors", "connectors.spec"}
    strange = {
        target
        for target in imports(name, MODULES[name])
        if target not in own and not target.startswith("connectors.segment")
    }
    assert not strange, f"{name} imports {sorted(strange)}"


@pytest.mark.parametrize(
    "name", [name for name in MODULES if name.startswith("connectors.spec") or "simulator" in name]
)
def test_declarations_and_simulator_need_no_django(name: str) -> None:
    if name.startswith("connectors.management"):
        pytest.skip("the command that starts the simulator is one of Django's")
    tree = ast.parse(MODULES[name].read_text())
    named = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    named |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and not node.level}
    assert not {module for module in named if module.split(".")[0] in {"django", "requests"}}


def test_only_one_room_talks_to_the_network() -> None:
    talkers = {
        name
        for name, path in MODULES.items()
        if any(
            word in path.read_text() for word in ("import requests", "import urllib3", "urllib.request", "http.client")
        )
    }
    assert talkers == {"connectors.http", "connectors.http.posting", "connectors.http.probes"}


def test_the_test_finds_a_wrong_arrow(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.py"
    wrong.write_text("from evidence import reports\n")
    assert imports("connectors.wrong", wrong) == {"evidence.reports"}
    assert room("evidence.reports") > room("connectors.wrong")
