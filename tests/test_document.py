"""Documents: what they say of their completeness, how they are named, and that freezing loses nothing."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from connectors.spec import Cell, Column, Coverage, Covered, Edge, Flow, Node, Part, Report, State, Table, standing
from evidence.completeness import account, completeness, earlier
from evidence.document import (
    Document,
    ExportError,
    Provenance,
    Rows,
    brief,
    filename,
    freeze,
    moment,
    thaw,
    wording,
)

READ = datetime(2026, 11, 23, 6, 0, 41, 250_000, tzinfo=UTC)
HOSTILE = (
    "=1+1",
    "<script>alert(1)</script>",
    '#read("/etc/passwd")',
    "نقطة البيع",
    "evil\u202egpj.exe",
    "実店舗 😀",
    "nul\x00 tab\t lf\n",
    "\u2028\ufeff\U0010ffff",
    "x" * 10_000,
)
CELLS: tuple[Cell, ...] = (
    None, True, False, 0, -3, 1.0, 1, 2**70, 0.1, "", "None", State("denied", "Denied", "403"), State("pass", "Pass"),
    (), ("one",), ("", "two; three"),
)  # fmt: skip


def covered(stream: str, coverage: Coverage = Coverage.COMPLETE, as_of: int = 7, reason: str = "") -> Covered:
    return Covered(stream, stream.replace("_", " ").capitalize(), coverage, 3, 1, 3, as_of, reason)


def provenance(*coverage: Covered) -> Provenance:
    return Provenance(
        workspace_name="Northwind Bikes",
        workspace_slug="northwind",
        workspace_id="ws1",
        connection="Segment",
        region="US",
        snapshot=7,
        published_at=READ,
        window=(READ - timedelta(seconds=40), READ),
        header_sha256="9f3c41d8" + "a" * 48 + "e21a07b4",
        previous_sha256="",
        key_id="ed25519:7c1f",
        coverage=coverage or (covered("sources"),),
        app_version="0.1.0",
        policy="segment/3",
    )


def document(*rows: tuple[Cell, ...], columns: int = 1) -> Document:
    heads = tuple(Column(f"c{at}", f"Column {at}") for at in range(columns))
    flow = Flow(("Sources", "Destinations"), (Node("s", "S", 0), Node("d", "D", 1, gap=True)), (Edge("s", "d", "gap"),))
    report = Report(
        (Table("main", "Main", heads, Rows(rows), note="A note", partition="c0"),),
        facts=(("Sources", 12), ("State", State("fail", "Fail", "why")), ("Kinds", ("a", "b"))),
        flow=flow,
        notes=("First.", "Second."),
    )
    return Document(title="Register", subtitle="What?", provenance=provenance(), report=report, name="register")


# --- completeness -------------------------------------------------------------------------------


def test_everything_read_leaves_nothing_to_say() -> None:
    source = provenance(covered("sources"), covered("users"))
    assert completeness(source) == ("2 of 2 streams complete", ())
    assert completeness(source, ["users"]) == ("1 of 1 stream complete", ())


@pytest.mark.parametrize(
    ("coverage", "as_of", "said"),
    [
        (Coverage.DENIED, 5, "Audit trail: denied. Segment answered 403. What is shown of it is as of snapshot 5."),
        (Coverage.NOT_ENABLED, 0, "Audit trail: not enabled for this workspace. Segment answered 403. No snapshot has read it completely, so nothing can be said of it."),  # noqa: E501
        (Coverage.FAILED, 6, "Audit trail: failed. Segment answered 403. What is shown of it is as of snapshot 6."),
        (Coverage.UNSTABLE, 6, "Audit trail: changed while it was read. Segment answered 403. What is shown of it is as of snapshot 6."),  # noqa: E501
        (Coverage.NOT_REQUESTED, 2, "Audit trail: not requested. Segment answered 403. What is shown of it is as of snapshot 2."),  # noqa: E501
    ],
)  # fmt: skip
def test_a_gap_says_what_happened_why_and_what_is_shown(coverage: Coverage, as_of: int, said: str) -> None:
    source = provenance(covered("sources"), covered("audit_trail", coverage, as_of, "Segment answered 403."))
    assert completeness(source) == ("1 of 2 streams complete", (said,))


def test_a_stream_that_the_snapshot_does_not_know_is_unknown_and_not_complete() -> None:
    headline, sentences = completeness(provenance(covered("sources")), ["sources", "users", "users"])
    assert headline == "1 of 2 streams complete"
    assert sentences == ("users: unknown. Snapshot 7 says nothing of it.",)


def test_what_nobody_asked_for_shares_a_sentence_and_nothing_is_lost() -> None:
    unasked = [covered(f"stream_{n}", Coverage.NOT_REQUESTED, 0) for n in range(12)]
    known = covered("log", Coverage.NOT_REQUESTED, 4)
    _, said = completeness(provenance(covered("sources"), *unasked, known))
    first, second = said
    assert first.startswith("Not requested: Stream 0, Stream 1,")
    assert first.endswith("and 4 more. No snapshot has read them completely, so nothing can be said of them.")
    assert second == "Not requested: Log. What is shown of it is as of snapshot 4."


def test_a_stream_that_was_read_before_says_by_which_snapshot() -> None:
    source = provenance(covered("sources"), covered("syncs", as_of=3), covered("logs", as_of=5))
    assert completeness(source) == ("3 of 3 streams complete", ())
    assert earlier(source) == (
        "As of snapshot 5, because this run did not ask again: Logs.",
        "As of snapshot 3, because this run did not ask again: Syncs.",
    )
    assert earlier(source, ["sources"]) == ()


def test_parts_are_counted_by_what_happened_and_by_what_stands_for_them() -> None:
    parts = (
        Part("a", Coverage.DENIED, 3, "Segment answered 403."),
        Part("b", Coverage.DENIED, 3, "Segment answered 403."),
        Part("c", Coverage.UNSTABLE, 0, "It moved."),
    )
    rules = replace(covered("rules", Coverage.UNSTABLE, 7, "It moved. (3 of 40)"), parts=parts)
    named = replace(rules, parent="tracking plans", parents=40)
    (said,) = completeness(provenance(named))[1]
    assert said == (
        "Rules: 2 of 40 tracking plans were denied; their records are as of snapshot 3. 1 of 40 tracking plans changed "
        "while it was read; nothing is known of its records. It moved. (3 of 40). All others were read."
    )
    assert account(replace(rules, parts=parts[:1]), 7) == (
        "1 of its parts was denied; its records are as of snapshot 3. Segment answered 403."
    )
    assert standing(rules).word == "Unstable in part"


def test_every_coverage_has_an_outline_of_its_own() -> None:
    states = [standing(covered("s", coverage, reason="why")) for coverage in Coverage]
    assert len({state.name for state in states}) == len({state.word for state in states}) == len(Coverage)
    assert all(state.why == "why" for state in states)


# --- words and names ----------------------------------------------------------------------------


def test_cells_in_words() -> None:
    said = [wording(cell) for cell in (None, True, False, 0, 2.5, "x", State("fail", "Fail", "no"), ("a", "b"), ())]
    assert said == ["", "yes", "no", "0", "2.5", "x", "Fail: no", "a; b", ""]


def test_a_moment_is_told_in_utc() -> None:
    paris = timezone(timedelta(hours=1))
    assert moment(READ) == moment(READ.astimezone(paris)) == "23 Nov 2026, 06:00 UTC"


def test_a_digest_is_shortened_only_when_that_makes_it_shorter() -> None:
    assert brief("9f3c41d8" + "a" * 48 + "e21a07b4") == "9f3c41d8…e21a07b4"
    assert brief("short") == "short"


def test_file_names_carry_snapshot_and_digest() -> None:
    assert filename(document(), "csv") == "northwind-register-s7-9f3c41d8.csv"
    assert filename(document(), "csv", "Main_table") == "northwind-register-main-table-s7-9f3c41d8.csv"


@pytest.mark.parametrize("name", [*HOSTILE, '"; rm -rf ~; "', "../../etc/passwd", "a\r\nSet-Cookie: x=1", "CON", ""])
def test_file_names_are_harmless(name: str) -> None:
    plain = document()
    odd = replace(plain, name=name, provenance=replace(plain.provenance, workspace_slug=name, header_sha256=name))
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*\.csv", filename(odd, "csv", name))
    assert len(filename(odd, "csv", name)) <= 220


def test_a_table_is_found_by_name_and_otherwise_named_as_missing() -> None:
    assert document().table() is not None
    assert document().table("main").title == "Main"
    with pytest.raises(ExportError, match="no table “other”") as caught:
        document().table("other")
    assert caught.value.code == "export-table"


# --- frozen -------------------------------------------------------------------------------------


def test_freezing_loses_nothing() -> None:
    rows = ((*CELLS,), tuple(reversed(CELLS)))
    before = document(*rows, columns=len(CELLS))
    after = thaw(freeze(before))
    assert after == before  # with the rows: they are held in both
    kinds = [[type(cell) for cell in row] for row in after.report.tables[0].rows()]
    assert kinds == [[type(cell) for cell in row] for row in rows]
    assert after.provenance.published_at.utcoffset() == timedelta(0)


def test_freezing_is_canonical_and_stable() -> None:
    made = document(("a",), ("b",))
    frozen = freeze(made)
    assert frozen == freeze(made) == freeze(thaw(frozen))
    assert frozen.isascii()
    assert frozen == json.dumps(json.loads(frozen), sort_keys=True, separators=(",", ":")).encode()


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_survives_exactly(text: str) -> None:
    made = replace(document((text,)), title=text, gaps=(text,))
    assert thaw(freeze(made)) == made


def test_what_an_older_version_froze_can_still_be_read() -> None:
    plain = json.loads(freeze(document()))
    del plain["older"], plain["provenance"]["doubt"]
    for each in plain["provenance"]["coverage"]:
        for name in ("records", "group", "parts", "parent", "parents", "anomaly", "dangling"):
            del each[name]
    assert thaw(json.dumps(plain).encode()) == document()


def test_rows_that_come_from_a_function_are_held() -> None:
    made = document()
    table = Table("many", "Many", (Column("n", "N", "number"),), lambda: iter([(n,) for n in range(3)]))
    after = thaw(freeze(replace(made, report=Report((table,))))).report.tables[0]
    assert list(after.rows()) == list(after.rows()) == [(0,), (1,), (2,)]


@pytest.mark.parametrize("cell", [float("nan"), float("inf")])
def test_what_json_cannot_say_is_refused(cell: float) -> None:
    with pytest.raises(ExportError) as caught:
        freeze(document((cell,)))
    assert caught.value.code == "export-value"


def test_a_time_without_a_zone_is_refused() -> None:
    made = document()
    with pytest.raises(ExportError, match="without a zone"):
        freeze(replace(made, provenance=replace(made.provenance, published_at=READ.replace(tzinfo=None))))


@pytest.mark.parametrize(
    "change", [lambda b: b[:-1], lambda b: b"[]", lambda b: b"{}", lambda b: b"\xff", lambda b: b""]
)
def test_other_bytes_are_no_document(change: Callable[[bytes], bytes]) -> None:
    with pytest.raises(ExportError) as caught:
        thaw(change(freeze(document(("a",)))))
    assert caught.value.code == "export-frozen"


@pytest.mark.parametrize(("old", "new"), [(b'"format":1', b'"format":2'), (b'"snapshot":7', b'"snapshots":7')])
def test_another_format_is_refused(old: bytes, new: bytes) -> None:
    frozen = freeze(document())
    assert old in frozen
    with pytest.raises(ExportError):
        thaw(frozen.replace(old, new))


def test_renderers_need_no_django() -> None:
    modules = ("flow", "exports.csv", "exports.json", "exports.pdf", "exports.typeset")
    code = f"import sys, {', '.join(f'evidence.{name}' for name in modules)}; sys.exit('django' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
