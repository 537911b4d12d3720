"""Every code that the portal can show has a hint. The codes are found in the code, not listed here."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.segment import connector
from connectors.spec import Hint
from connectors.troubleshooting import all_hints, hint

ROOT = Path(__file__).parent.parent
ROOMS = ("portal", "connectors", "evidence")
# What is raised with a code as its first argument; the names of all that end up on a page.
RAISED = {"ConnectorError", "Denied", "Busy", "Unexpected", "NotPossible", "ExportError"}
OTHERS_CODES = {"ValidationError", "HttpResponse"}  # Django's own, which mean something else by `code`
BANNED = ("compliant", "secure", "100%", "success", "oops")


def files() -> list[Path]:
    found = [path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))]
    return [path for path in found if not {"migrations", "simulator"} & set(path.parts)]


def name_of(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def texts(node: ast.AST) -> Iterator[str]:
    """The codes that an expression can stand for: a literal, either side of a condition, the first of a pair."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from (*texts(node.body), *texts(node.orelse))
    elif isinstance(node, ast.Tuple) and node.elts:
        yield from texts(node.elts[0])
    elif isinstance(node, ast.Dict):
        yield from (text for value in node.values for text in texts(value))


def assigned(tree: ast.AST) -> dict[str, set[str]]:
    """Name -> the codes that are ever put under it; `code, message = TABLE[x]` takes those of TABLE."""
    found: dict[str, set[str]] = {}
    pairs: list[tuple[str, ast.expr]] = []
    for node in ast.walk(tree):
        value = getattr(node, "value", None)
        targets = getattr(node, "targets", None) or [getattr(node, "target", None)]
        for target in targets:
            named = target.elts[0] if isinstance(target, ast.Tuple) else target
            if isinstance(named, ast.Name) and value is not None:
                found.setdefault(named.id, set()).update(texts(value))
                if isinstance(value, ast.Subscript) and isinstance(value.value, ast.Name):
                    pairs.append((named.id, value.value))
    for name, table in pairs:
        found[name] |= found.get(getattr(table, "id", ""), set())
    return found


def given(call: ast.Call) -> Iterator[ast.expr]:
    """What a call passes on as a code."""
    name = name_of(call)
    if name in RAISED and call.args:
        yield call.args[0]
    if name not in OTHERS_CODES:
        yield from (keyword.value for keyword in call.keywords if keyword.arg in ("code", "error_code"))


def codes(source: str, where: str = "") -> dict[str, str]:
    """Code -> where it is used. Fails when it cannot tell what a call passes on."""
    tree = ast.parse(source)
    names = assigned(tree)
    found = {text: where for text in names.get("code", ())}
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        for value in given(call):
            known = set(texts(value)) | (names.get(value.id, set()) if isinstance(value, ast.Name) else set())
            passed_on = isinstance(value, ast.Attribute) or getattr(value, "id", "") == "code"
            assert known or passed_on, f"{where}:{call.lineno} hides its code from this test"
            found |= {text: f"{where}:{call.lineno}" for text in known}
    return {code: place for code, place in found.items() if code}


def used() -> dict[str, str]:
    return {code: at for path in files() for code, at in codes(path.read_text(), str(path.relative_to(ROOT))).items()}


USED = used()
EXPORTS = ("export-timeout", "export-memory", "export-typeset", "export-fonts")


@pytest.mark.parametrize("code", sorted({*USED, *EXPORTS}))
def test_every_code_has_a_hint(code: str) -> None:
    assert code in {each.code for each in all_hints()}, f"{USED.get(code)} uses it: write it into connectors/hints.toml"
    assert hint(code).code == code


def test_the_finder_sees_every_way_in_which_a_code_is_used() -> None:
    source = (
        'TABLE: dict[int, tuple[str, str]] = {1: ("from-a-table", "Words.")}\n'
        "class Gone(Exception):\n    code = 'on-a-class'\n"
        "def f(x, error):\n"
        "    code = 'in-a-condition' if x else error.code\n"
        "    code, message = TABLE[x]\n"
        "    end(run, code='by-keyword')\n"
        "    raise Denied('as-first-argument', 'Words.')\n"
    )
    assert set(codes(source)) == {"from-a-table", "on-a-class", "in-a-condition", "by-keyword", "as-first-argument"}
    assert not set(codes(source)) & {each.code for each in all_hints()}, "so the test above would fail for each of them"
    with pytest.raises(AssertionError, match="hides its code"):
        codes("raise Denied(make_up_a_code(), 'Words.')")


def test_the_finder_sees_the_portals_own_codes() -> None:
    assert {"token-rejected", "rate-limited", "timeout", "worker-lost", "signing-key", "token-in-use"} <= set(USED)
    assert len(USED) > 30


def test_an_unknown_code_gets_an_honest_hint() -> None:
    found = hint("never-heard-of", connector)
    assert found.code == "never-heard-of"
    assert "gap in the portal" in found.cause
    assert found.acts == "developer"


def test_a_connectors_hints_come_first_and_take_the_place_of_the_portals() -> None:
    ours, own = {each.code: each for each in all_hints()}, {each.code: each for each in connector.guide.hints}
    merged = all_hints(connector)
    assert [each.code for each in merged] == [*own, *(code for code in ours if code not in own)]
    assert hint("token-rejected", connector) == own["token-rejected"] != ours["token-rejected"]
    assert hint("timeout", connector) == ours["timeout"]


@pytest.mark.parametrize("code", ["nothing-opens", "token-rejected", "missing-records", "wrong-workspace"])
def test_the_four_classic_cases_are_segments_own(code: str) -> None:
    assert code in {each.code for each in connector.guide.hints}


@pytest.mark.parametrize("each", [*all_hints(), *connector.guide.hints], ids=lambda each: each.code)
def test_a_hint_says_what_why_what_next_and_who(each: Hint) -> None:
    assert each.acts in ("reader", "admin", "time", "developer")
    assert each.title
    assert not each.title.endswith(".")
    assert each.cause.endswith(".")
    assert each.cure.endswith(".")
    said = f"{each.title} {each.cause} {each.cure}".lower()
    assert not [word for word in BANNED if word in said]
