"""CSV, JSON and PDF: what went in comes out, whole and harmless, and the same every time."""

import csv as standard_csv
import io
import json as standard_json
import re
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import process_time
from typing import Any

import pypdf
import pytest
import typst

from connectors.spec import Cell, Column, Coverage, Covered, Edge, Flow, Node, Part, Report, State, Table
from evidence.completeness import completeness
from evidence.document import Document, ExportError, Provenance, Rows
from evidence.exports import csv, json, layout, pdf

READ = datetime(2026, 11, 23, 6, 0, 41, tzinfo=UTC)
DIGEST = "9f3c41d8" + "0123456789abcdef" * 3 + "e21a07b4"
LONG = "".join(f"part{n:03d}-" for n in range(20))
NAMES = (
    "=1+1",
    "<script>alert(1)</script>",
    '#read("/etc/passwd")',
    '#import "@preview/x:1.0.0": *',
    "[link](file:///etc/passwd)",
    "$x^2$ *bold* `raw` @ref <label> \\u{41}",
    "نقطة البيع – الرياض",
    "実店舗イベント 简体 한국어",
    "Rocket 🚀 😀",
    "evil\u202egpj.exe",
    "no font \u0378",
    "mark on b\u1ac2",
    "joined 7\u200c5 \u200e7 می\u200cخواهم",
    LONG,
)
COLUMNS = (Column("name", "Name"), Column("id", "Id", "id"), Column("rows", "Rows", "number"), Column("state", "State"))


def covered(title: str, coverage: Coverage = Coverage.COMPLETE, as_of: int = 128, reason: str = "") -> Covered:
    return Covered(title.lower(), title, coverage, 12, 1, 12, as_of, reason)


def document(*tables: Table, flow: Flow | None = None) -> Document:
    source = Provenance(
        workspace_name="Northwind Bikes production",
        workspace_slug="northwind-prod",
        workspace_id="9aQ1Lj62S4bomZKLF4DPqW",
        connection="Segment production",
        region="US",
        snapshot=128,
        published_at=READ,
        window=(READ - timedelta(seconds=40), READ),
        header_sha256=DIGEST,
        previous_sha256="0c" * 32,
        key_id="ed25519:7c1f",
        coverage=(
            covered("Sources"),
            covered("Audit trail", Coverage.DENIED, 120, "Segment answered 403"),
            covered("Reverse ETL", Coverage.NOT_ENABLED, 0, "Not part of the plan"),
        ),
        app_version="0.1.0",
        policy="segment/3",
    )
    facts = (("Sources", 12), ("Verdict", State("fail", "Fail", "two have no owner")))
    report = Report(tables, facts=facts, flow=flow, notes=("A note.",))
    return Document(
        title="Source register",
        subtitle="What sends data?",
        provenance=source,
        report=report,
        name="sources",
        gaps=("Delivery was not read.",),
    )


def table(*rows: tuple[Cell, ...], columns: tuple[Column, ...] = COLUMNS, name: str = "sources") -> Table:
    return Table(name, name.capitalize(), columns, Rows(rows))


def one_column(*cells: Cell) -> Document:
    return document(table(*((cell,) for cell in cells), columns=(Column("c", "Cell"),)))


def numbered(many: int) -> Iterator[tuple[Cell, ...]]:
    return ((f"Source {n}", f"id{n}", n, State("pass", "Complete", "read")) for n in range(many))


# --- CSV ----------------------------------------------------------------------------------------


def csv_rows(made: Document, **options: Any) -> list[list[str]]:
    text = b"".join(csv.stream(made, **{"notes": False, **options})).decode("utf-8-sig")
    return list(standard_csv.reader(io.StringIO(text, newline="")))


def test_csv_holds_a_header_and_the_rows_and_nothing_else() -> None:
    made = document(table(("Web, shop", 'a "b"', 3, State("denied", "Denied", "403")), ("two\r\nlines", "", 0.5, None)))
    assert csv_rows(made) == [
        ["Name", "Id", "Rows", "State"],
        ["Web, shop", 'a "b"', "3", "Denied: 403"],
        ["two\r\nlines", "", "0.5", ""],
    ]
    assert b"".join(csv.stream(made, notes=False)).count(b"\r\n") == 4
    assert csv.count(made) == 2


def test_csv_says_before_its_head_what_it_could_not_see() -> None:
    whole = replace(document(table(("Web", "1", 1, None))), gaps=())
    origin = [f"# Snapshot 128 of {whole.provenance.workspace_name}; header digest, SHA-256: {DIGEST}"]
    assert csv_rows(whole, notes=True) == [origin, *csv_rows(whole)], "nothing misleads: only where it comes from"
    doubted = replace(
        whole,
        gaps=("Users: denied.\r\n=1+1\0",),
        older=("As of snapshot 3: Syncs.",),
        provenance=replace(whole.provenance, doubt="Absence proves nothing here."),
    )
    assert csv_rows(doubted, notes=True) == [
        ["# Absence proves nothing here."],
        ["# Users: denied. =1+1"],
        ["# As of snapshot 3: Syncs."],
        origin,
        *csv_rows(whole),
    ]


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (None, ""), (True, "yes"), (False, "no"), (-5, "-5"), (2.5, "2.5"), (State("off", "Off"), "Off"),
        (("a", "b"), "a; b"), ((), ""), ("نقطة 実 😀", "نقطة 実 😀"), ("nul\x00l", "null"), ("\x00=1", "'=1"),
    ],
)  # fmt: skip
def test_csv_cells(cell: Cell, text: str) -> None:
    assert csv_rows(one_column("first", cell))[2:] == [[text]]


FORMULAS = [
    "=1+1",
    "+1",
    "-1",
    "@x",
    "\t=1",
    "\r=1",
    "\n1",
    "  =1",
    '"=1',
    "' -1",
    "＝1",
    "＋1",
    "－1",
    "＠1",
    "\u00a0=1",
    "\u3000=1",
    "\ufeff=1",
    "\u200b@",
    "\x0b=1",
    '=HYPERLINK("http://example.com")',
    "\t",
    "-",
]


@pytest.mark.parametrize("cell", FORMULAS)
def test_no_cell_is_a_formula(cell: str) -> None:
    held: tuple[Cell, ...] = (cell, (cell, "x"), ("x", cell), State("fail", cell, cell))
    shown = [row[0] for row in csv_rows(one_column(*held))[1:]]
    assert shown == [f"'{cell}", f"'{cell}; x", f"x; '{cell}", f"'{cell}: {cell}"]


def test_no_title_is_a_formula() -> None:
    assert csv_rows(document(table(columns=(Column("x", "=1"),)))) == [["'=1"]]


@pytest.mark.parametrize("cell", ["a=1", "1-1", "Über", "(=1)", "漢=1", "x\t=1", "#1", "a", ""])
def test_other_text_is_left_alone(cell: str) -> None:
    assert csv_rows(one_column("first", cell, "last"))[2:] == [[cell], ["last"]]


def test_csv_is_the_same_every_time_and_starts_with_the_mark_only_if_asked() -> None:
    made = document(table(*numbered(50)))
    plain = b"".join(csv.stream(made))
    assert plain == b"".join(csv.stream(made))
    assert b"".join(csv.stream(made, bom=True)) == b"\xef\xbb\xbf" + plain
    bare = b"".join(csv.stream(document(table()), bom=True, notes=False))
    assert bare.decode("utf-8-sig") == "Name,Id,Rows,State\r\n"


def test_csv_of_many_rows_comes_in_pieces_as_they_are_made() -> None:
    made: list[int] = []

    def rows() -> Iterator[tuple[Cell, ...]]:
        for n in range(20_000):
            made.append(n)
            yield (f"Source {n}", "x" * 20, n, None)

    pieces = csv.stream(document(Table("sources", "Sources", COLUMNS, rows)), notes=False)
    first = next(pieces)
    assert 64_000 <= len(first) < 80_000
    assert len(made) < 3_000
    rest = list(pieces)
    assert all(len(piece) < 80_000 for piece in rest)
    assert (first + b"".join(rest)).count(b"\r\n") == 20_001


def test_csv_is_quick() -> None:
    made = document(Table("sources", "Sources", COLUMNS, lambda: numbered(10_000)))

    def seconds() -> float:
        begun = process_time()
        sum(map(len, csv.stream(made)))
        return process_time() - begun

    assert min(seconds() for _ in range(3)) < 10_000 / 20_000  # 100,000 rows a second on a quiet machine


def test_csv_of_a_table_by_name_and_of_none() -> None:
    made = document(table(name="one"), table(("a", "b", 1, None), name="two"))
    assert len(csv_rows(made, table_name="two")) == 2
    assert (csv.count(made), csv.count(made, "two")) == (0, 1)
    with pytest.raises(ExportError) as caught:
        csv.stream(made, "three")  # at once, not at the first piece
    assert caught.value.code == "export-table"


# --- JSON ---------------------------------------------------------------------------------------


def test_json_says_everything_unescaped() -> None:
    rows = tuple((name, f"id{n}", n, State("unknown", "Unknown", "why")) for n, name in enumerate(NAMES))
    flow = Flow(("A", "B"), (Node("a", "a", 0, "g", "n"), Node("b", "b", 1, gap=True)), (Edge("a", "b", "gap"),))
    made = document(table(*rows), flow=flow)
    raw = json.render(made)
    said = standard_json.loads(raw)
    assert [row["name"] for row in said["tables"][0]["rows"]] == list(NAMES)
    assert said["tables"][0]["rows"][3] == {
        "name": NAMES[3], "id": "id3", "rows": 3, "state": {"state": "unknown", "word": "Unknown", "why": "why"},
    }  # fmt: skip
    assert said["tables"][0]["row_count"] == len(NAMES)
    assert said["provenance"]["header_sha256"] == DIGEST
    assert said["provenance"]["published_at"] == "2026-11-23T06:00:41+00:00"
    assert [entry["coverage"] for entry in said["coverage"]] == ["complete", "denied", "not_enabled"]
    assert said["completeness"]["headline"] == "1 of 3 streams complete"
    assert said["flow"]["edges"] == [{"start": "a", "end": "b", "kind": "gap"}]
    assert "実店舗" in raw.decode()
    assert raw == json.render(made)


def test_json_refuses_a_row_that_does_not_fit_its_columns() -> None:
    with pytest.raises(ValueError, match="shorter"):
        json.render(document(table(("only one",))))


# --- PDF ----------------------------------------------------------------------------------------


FLOW = Flow(
    ("Sources", "Plans"),
    (*(Node(f"s{at}", name, 0, "Group") for at, name in enumerate(NAMES)), Node("p", "The plan", 1)),
    tuple(Edge(f"s{at}", "p") for at in range(len(NAMES))),
)


def hostile() -> Document:
    rows = tuple((name, f"{n:032x}", n * 1000, State("denied", "Denied", name)) for n, name in enumerate(NAMES))
    more = tuple((f"Source {n}", f"id{n}", n, None) for n in range(60))
    return document(table(*rows, *more), table(("x" * 10_000, "id", 1, None), name="huge"), flow=FLOW)


@pytest.fixture(scope="module")
def made() -> pdf.Pdf:
    return pdf.render(hostile())


@pytest.fixture(scope="module")
def reader(made: pdf.Pdf) -> pypdf.PdfReader:
    return pypdf.PdfReader(io.BytesIO(made.data))


@pytest.fixture(scope="module")
def pages(reader: pypdf.PdfReader) -> list[str]:
    return [page.extract_text() for page in reader.pages]


def unbroken(pages: list[str]) -> str:
    return re.sub(r"\s+", "", "".join(pages))


def outline(entries: Any) -> list[str]:
    return [title for entry in entries for title in (outline(entry) if isinstance(entry, list) else [entry.title])]


def test_pdf_says_where_it_comes_from(pages: list[str]) -> None:
    for said in ("Source register", "What sends data?", "Northwind Bikes production", "9aQ1Lj62S4bomZKLF4DPqW", DIGEST,
                 "0c" * 32, "ed25519:7c1f", "segment/3", "2026-11-23 06:00:01 to 2026-11-23 06:00:41 UTC"):  # fmt: skip
        assert said in pages[0]


def test_pdf_says_what_is_missing(pages: list[str]) -> None:
    text = " ".join(" ".join(pages).split())
    headline, sentences = completeness(hostile().provenance)
    assert headline in text
    assert all(sentence in text for sentence in (*sentences, "Delivery was not read."))
    assert "What this evidence cannot prove" in text
    assert "It cannot show what the service left out" in text
    assert "Denied 12 12 1 12 120 Segment answered 403" in text  # as of 120 there are records, so a count stands there
    assert "Reverse ETL Not enabled – 12 1 12 – Not part of the plan. Nothing can be said of it." in text


def test_every_export_says_what_no_list_proves_which_part_is_missing_and_what_is_older() -> None:
    plain = document(table())
    plans = Covered("plans", "Tracking plans", Coverage.COMPLETE, 40, 1, 40, 128, "", 40)
    parts = (Part("tp_1", Coverage.DENIED, 120, "Segment answered 403", "Mobile <plan>"), Part("tp_2", Coverage.FAILED))
    rules = Covered(
        "rules", "Rules", Coverage.DENIED, 900, 38, None, 128, "Segment answered 403", 925, "Tracking plans",
        parts, "tracking plans", 40, "shrunk",
    )  # fmt: skip
    source = replace(plain.provenance, coverage=(plans, rules), doubt="Absence proves nothing here.")
    made = replace(plain, provenance=source, gaps=("A gap.",), older=("As of snapshot 3: Syncs.",))
    said = standard_json.loads(json.render(made))
    assert said["completeness"]["doubt"] == "Absence proves nothing here."
    assert said["completeness"]["older"] == ["As of snapshot 3: Syncs."]
    entry = said["coverage"][1]
    assert (entry["records"], entry["items"], entry["claimed"], entry["parents"]) == (925, 900, None, 40)
    assert entry["parts"][0] == {
        "key": "tp_1", "name": "Mobile <plan>", "coverage": "denied", "as_of_snapshot": 120,
        "reason": "Segment answered 403",
    }  # fmt: skip
    assert entry["anomaly"] == "shrunk"
    shown = pypdf.PdfReader(io.BytesIO(pdf.render(made).data)).pages
    text = " ".join(" ".join(page.extract_text() for page in shown).split())
    for words in (
        "Absence proves nothing here.",
        "Denied in part 925 900 38 – 128 1 of 40 tracking plans was denied; its records are as of snapshot 120.",
        "1 of 40 tracking plans could not be read; nothing is known of its records.",
        "Lost much: More than 30 %",
        "Parts that were not read",
        "Mobile <plan> (tp_1) Denied 120 Segment answered 403",
        "As of snapshot 3: Syncs.",
    ):
        assert words in text, words


def test_pdf_pages_are_numbered_and_carry_the_digest(pages: list[str]) -> None:
    for at, text in enumerate(pages, 1):
        assert f"Page {at} of {len(pages)}" in text
        assert "Snapshot 128, header 9f3c41d8…e21a07b4" in text


def test_pdf_has_bookmarks(reader: pypdf.PdfReader) -> None:
    assert outline(reader.outline) == [
        "Where this comes from", "Completeness", "What could not be seen", "What this evidence cannot prove", "Summary",
        "Data flow", "Sources", "Huge", "Characters shown as escapes",
    ]  # fmt: skip


def test_pdf_is_tagged_archivable_and_dated(reader: pypdf.PdfReader) -> None:
    root: Any = reader.root_object
    assert root["/MarkInfo"]["/Marked"] == True  # noqa: E712 (a PDF boolean)
    assert root["/Lang"] == "en"
    declared = root["/Metadata"].get_object().get_data().decode()
    for standard in ("<pdfaid:part>3<", "<pdfaid:conformance>A<", "<pdfuaid:part>1<"):
        assert standard in declared
    assert reader.metadata is not None
    assert reader.metadata.title == "Source register, Northwind Bikes production"
    assert reader.metadata.creation_date == READ
    assert DIGEST in str(reader.metadata.subject)
    assert {"Table", "TH", "TD", "H1", "Figure"} <= roles(root["/StructTreeRoot"])


def roles(element: Any) -> set[str]:
    element = element.get_object() if hasattr(element, "get_object") else element
    if isinstance(element, list):
        return {role for each in element for role in roles(each)}
    if not isinstance(element, dict):
        return set()
    found = {str(element["/S"]).strip("/")} if "/S" in element else set()
    return found | roles(element.get("/K", []))


def test_pdf_tables_repeat_their_heads(pages: list[str]) -> None:
    of_table = [text for text in pages if "Source 5" in text]
    assert len(of_table) >= 2
    assert all("Name Id Rows State" in re.split(r"Source \d+ id", text)[0] for text in of_table)


@pytest.mark.parametrize("name", [name for name in NAMES if name.isascii()])
def test_pdf_shows_what_looks_like_source_as_it_is(pages: list[str], name: str) -> None:
    text = unbroken(pages)
    assert text.count(re.sub(r"\s+", "", name)) >= 2  # in the name and in the reason of its state
    assert "root:x:0" not in text


def test_pdf_holds_whole_long_texts(pages: list[str]) -> None:
    lines = re.findall("x{10,}", "".join(pages))
    assert sum(map(len, lines)) == 10_000
    assert max(map(len, lines)) < 150  # as wide as its column


def test_what_is_copied_holds_nothing_invisible(pages: list[str]) -> None:
    text = "".join(pages).replace("می\u200cخواهم", "")
    assert not re.findall("[\u00ad\u200b-\u200f\u2060-\u2069\ufeff]", text)
    assert DIGEST in text


def test_pdf_links_lead_nowhere_outside(reader: pypdf.PdfReader) -> None:
    actions = [note.get_object().get("/A", {}) for page in reader.pages for note in page.get("/Annots", [])]
    assert not [action for action in actions if "/URI" in action or "/F" in action]
    assert "/AF" not in reader.root_object


def test_characters_without_a_font_are_shown_and_named(made: pdf.Pdf, pages: list[str]) -> None:
    assert set(made.replaced) == {
        "U+0378", "U+1AC2 COMBINING RIGHT PARENTHESIS ABOVE RIGHT", "U+200C ZERO WIDTH NON-JOINER",
        "U+200E LEFT-TO-RIGHT MARK", "U+202E RIGHT-TO-LEFT OVERRIDE",
    }  # fmt: skip
    text = "\n".join(pages)
    assert "evil\\u{202E}gpj.exe" in text
    assert "no font \\u{378}" in text
    assert "mark on b\\u{1AC2}" in text
    assert "\\u{202E} right-to-left override" in text.split("Characters shown as escapes")[-1]


@pytest.mark.skipif(not pdf.font_folders(), reason="no font package is installed")
def test_every_script_has_a_font(made: pdf.Pdf, pages: list[str]) -> None:
    assert all(word in "".join(pages) for word in ("実店舗イベント", "简体", "한국어", "🚀", "😀"))


def test_pdf_is_the_same_every_time(made: pdf.Pdf) -> None:
    assert pdf.render(hostile()).data == made.data


def test_rows_are_counted(made: pdf.Pdf) -> None:
    assert (made.rows, made.shown) == (len(NAMES) + 61, len(NAMES) + 61)


def test_a_long_table_shows_its_first_rows_and_says_so() -> None:
    drawn = [0]

    def rows() -> Iterator[tuple[Cell, ...]]:
        for row in numbered(2_000):
            drawn[0] += 1
            yield row

    many = Table("many", "Many", COLUMNS, rows)
    result = pdf.render(document(many, table(("Last", "l", 1, None), name="few")), limit_rows=41)
    text = " ".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(result.data)).pages)
    assert (result.rows, result.shown) == (2_001, 41)
    assert "Showing the first 40 of 2,000 rows; the CSV export of the same snapshot has all." in text
    assert "Source 39" in text
    assert "Source 40" not in text
    assert "Last" in text
    assert drawn == [2_000]  # counted once, not held


@pytest.mark.parametrize(
    ("totals", "limit", "shares"),
    [
        ([5, 5], 10, [5, 5]),
        ([100, 5], 10, [5, 5]),
        ([100, 2, 100], 10, [4, 2, 4]),
        ([], 10, []),
        ([9], 3, [3]),
        ([0, 4], 3, [0, 3]),
    ],
)
def test_small_tables_stay_whole(totals: list[int], limit: int, shares: list[int]) -> None:
    assert layout._shares(totals, limit) == shares


def test_only_words_wider_than_their_column_are_broken() -> None:
    told, _, _ = layout.job(document(table(("short words only", LONG, 1, State("fail", "Fail", LONG)))), 10)
    name, key, _, state = told["tables"][0]["rows"][0]
    assert name == "short words only"
    for parts in (key["b"], state["b"]):
        [pieces] = parts
        assert "".join(pieces) == LONG
        assert 1 < len(pieces) < len(LONG) / 8
        assert all(piece.endswith("-") for piece in pieces)
    assert (state["s"], state["w"]) == ("fail", "Fail")


def test_the_words_beside_a_long_one_stay_as_they_are() -> None:
    told, _, _ = layout.job(one_column(f"see  {LONG * 3} or {LONG * 3}", "é" * 300), 10)
    parts, other = (row[0] for row in told["tables"][0]["rows"])
    assert [part if isinstance(part, str) else "".join(part) for part in parts["b"]] == [
        "see ", LONG * 3, "or", LONG * 3,
    ]  # fmt: skip
    assert other == {"t": "é" * 300, "n": 90}


# --- the widths of columns ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asks", "room", "widths"),
    [
        ([(4, 4), (4, 4)], 8, [4, 4]),
        ([(4, 10), (4, 30)], 24, [7, 17]),  # a half of what each would like beyond its least
        ([(4, 4), (4, 36)], 24, [4, 20]),  # nothing more to who needs nothing more
        ([(4, 10), (4, 30)], 80, [20, 60]),  # room for all: by how much text they hold
        ([(2, 9), (3, 9), (9, 9), (16, 40)], 17, [2, 3, 6, 6]),  # too little: the widest give way to one width
        ([(6, 6, 10), (4, 40)], 20, [10, 10]),  # a word stays whole when half of what is left does it
        ([(6, 6, 12), (4, 40)], 20, [6, 14]),  # and is broken when not
        ([(6, 6, 500.0), (4, 4)], 20, [12, 8]),
        ([], 90, []),
    ],
)
def test_room_is_shared_by_need(asks: list[tuple[float, ...]], room: float, widths: list[float]) -> None:
    got = layout.widths([layout.Ask(*ask) for ask in asks], room)
    assert got == pytest.approx(widths)
    assert not asks or sum(got) == pytest.approx(room)


@pytest.mark.parametrize(
    ("columns", "least", "wide", "size", "large"),
    [
        (5, 8.0, False, 8.0, False),  # 5 x 9.2 em of the 60 on A4
        (5, 11.5, False, 7.5, False),  # 63.5 of 64
        (5, 16.0, False, 7.0, False),  # too much, but a page that is not turned stays as it is
        (10, 7.9, True, 8.0, False),  # 91 of 91.06
        (10, 8.4, True, 7.5, False),  # 96 of 97
        (10, 9.1, True, 7.0, False),  # 103 of 104
        (10, 10.0, True, 8.0, True),  # 112 of 134 on A3
        (10, 14.1, True, 7.0, True),  # 153 of 153.9
        (20, 14.1, True, 7.0, True),  # too much anywhere
    ],
)
def test_text_gets_smaller_and_then_the_paper_larger(
    columns: int, least: float, wide: bool, size: float, large: bool
) -> None:
    got = layout.paper([layout.Ask(least, 30.0)] * columns, wide)
    assert (got[0], got[2]) == (size, large)
    points = 481.9 if not wide else 1077.1 if large else 728.5
    assert got[1] == pytest.approx(points / size - 1.2 * columns)


@pytest.mark.parametrize(
    ("word", "letters", "pieces"),
    [
        ("customer-database", 13, ["customer-", "database"]),
        ("9aQ1Lj62S4bomZKLF4DPqW", 12, ["9aQ1Lj62S4bo", "mZKLF4DPqW"]),
        ("a-b-c-d", 4, ["a-b-", "c-d"]),
        ("//////", 4, ["////", "//"]),
        ("x", 1, ["x"]),
    ],
)
def test_ids_are_broken_after_hyphens_first(word: str, letters: int, pieces: list[str]) -> None:
    assert layout._pieces(word, letters) == pieces


def test_a_state_and_its_word_stay_together_if_the_page_has_room_for_them() -> None:
    columns = tuple(Column(f"c{n}", f"C {n}") for n in range(12))
    row = tuple(State("off", "Disabled", "The source and the destination are disabled.") for _ in columns)
    told, _, _ = layout.job(document(table(row, columns=columns)), 10)
    sheet = told["tables"][0]
    assert sheet["large"]  # a third of each reason besides
    assert [set(cell) for cell in sheet["rows"][0]] == [{"s", "w", "t"}] * 12
    many = tuple(Column(f"c{n}", f"C {n}") for n in range(40))
    told, _, _ = layout.job(document(table(row[:1] * 40, columns=many)), 10)
    assert told["tables"][0]["rows"][0][0]["loose"]
    made = pdf.render(document(table(row[:1] * 40, columns=many)))
    text = "".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(made.data)).pages)
    assert unbroken([text]).count("Dis") == 40


def routes() -> Document:
    """Thirteen columns as in the table of routes, in the words that a workspace has."""
    titles = (
        "Source", "Source id", "Source kind", "Source categories", "Source enabled", "Tracking plan", "Receiver type",
        "Receiver", "Receiver id", "Receiver kind", "Receiver categories", "Receiver enabled", "Route",
    )  # fmt: skip
    columns = tuple(Column(f"c{n}", title, "id" if title.endswith(" id") else "text") for n, title in enumerate(titles))
    off, plan = State("off", "Disabled"), State("none", "No plan", "No tracking plan is connected to this source.")
    why = State("off", "Off", "The source and the destination are disabled.")
    ids = ("XYbmfb5iK2Nxdoimsd60Ng", "26ce4d97a5a1689931142ab3")
    rows: tuple[tuple[Cell, ...], ...] = (
        ("Loyalty service", ids[0], "JavaScript", "Website", "Enabled", plan, "Destination", "Order confirmations",
         ids[1], "Google Ads Conversions", "Performance Monitoring", off, why),
        ("Order service", ids[0], "Node.js", "Payments", off, "Orders and payments", "Warehouse", "Analytics warehouse",
         ids[1], "BigQuery", "SMS & Push Notifications", "Enabled", "Open"),
        ("京都店舗", ids[0], "HTTP API", "Server", "Enabled", "京都店舗イベント", "Destination", "Parcel notices",
         ids[1], "Customer.io", "Advertising", "Enabled", "Open"),
    )  # fmt: skip
    return document(table(*rows, columns=columns, name="routes"))


def test_no_ordinary_word_of_a_wide_table_is_broken() -> None:
    made = routes()
    reader = pypdf.PdfReader(io.BytesIO(pdf.render(made).data))
    page = next(page for page in reader.pages if "XYbmfb" in page.extract_text())
    assert page.mediabox.width == pytest.approx(841.9, abs=0.1)  # A4 across
    whole = page.extract_text()
    printed = set(re.findall(r"[A-Za-z.&]{2,}", whole))
    held = " ".join(
        f"{cell.word}: {cell.why}" if isinstance(cell, State) else str(cell)
        for each in made.report.tables[0].rows() for at, cell in enumerate(each) if at not in (1, 8)
    )  # fmt: skip
    words = set(re.findall(r"[A-Za-z.&]{2,}", held))
    assert len(words) > 40
    assert words <= printed
    assert {word for c in made.report.tables[0].columns for word in c.title.split()} <= printed
    assert "XYbmfb5iK2Nxdoimsd60Ng" in unbroken([whole])


@pytest.mark.skipif(not pdf.font_folders(), reason="no font package is installed")
@pytest.mark.parametrize(
    ("kind", "face", "weight", "size"),
    [("text", "Source Sans 3", 400, 1), ("head", "Source Sans 3", 600, 15 / 16), ("id", "Source Code Pro", 400, 0.9)],
)
def test_no_word_is_wider_than_estimated(kind: str, face: str, weight: int, size: float) -> None:
    told = (
        "Enabled Disabled: Destinations Warehouses Advertising Performance Monitoring Notifications categories "
        "confirmations JavaScript Communications Conversions WORKSPACE properties 2026-11-23 12,345 enabled "
        "yumi.hoshikawa@example.com https://www.example.com/amazon-s3 9aQ1Lj62S4bomZKLF4DPqW"
    )
    words = told.split()
    source = """
    #let (words, face, weight) = json(bytes(sys.inputs.job))
    #set text(font: face, weight: weight, size: 100pt, number-width: "tabular")
    #context [#metadata(words.map(word => measure(word).width / 100pt)) <widths>]
    """
    compiler = typst.Compiler(
        source.encode(),
        font_paths=typst.Fonts(include_system_fonts=False, font_paths=[str(folder) for folder in pdf.font_folders()]),
        sys_inputs={"job": standard_json.dumps([words, face, weight])},
    )
    [widths] = standard_json.loads(compiler.query("<widths>", field="value"))
    slack = 0.3  # em; half of what stands between a word and the edge of its cell
    for word, wide in zip(words, widths, strict=True):
        assert wide * size <= layout._room(word, kind) + slack, word
        assert layout._room(word, kind) <= wide * size * 1.25, word


def test_many_columns_lie_across_the_page() -> None:
    columns = tuple(Column(f"c{n}", f"Column {n}") for n in range(12))
    wide, _, _ = layout.job(document(table(("a few words", *["text"] * 11), columns=columns)), 10)
    narrow, _, _ = layout.job(document(table(columns=columns[:3])), 10)
    assert (wide["wide"], narrow["wide"]) == (True, False)
    shares = [column["share"] for column in wide["tables"][0]["columns"]]
    assert shares[0] > shares[1] == shares[11]


def test_a_report_without_anything_is_a_pdf_too() -> None:
    bare = replace(document(table()), subtitle="", gaps=())
    bare = replace(bare, report=Report(bare.report.tables), provenance=replace(bare.provenance, coverage=()))
    text = pypdf.PdfReader(io.BytesIO(pdf.render(bare).data)).pages[-1].extract_text()
    assert "0 rows" in text


def test_too_slow_and_too_large_have_names(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    made = document(table(*numbered(400)))
    with pytest.raises(ExportError) as late:
        pdf.render(made, timeout=0.05)
    with pytest.raises(ExportError) as large:
        pdf.render(made, memory=60 << 20)
    assert (late.value.code, large.value.code) == ("export-timeout", "export-memory")
    assert "60 MB" in large.value.message
    assert list(tmp_path.iterdir()) == []  # nothing is left behind


def test_the_typesetter_gets_nothing_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[dict[str, Any]] = []
    run = subprocess.run

    def watched(*args: Any, **options: Any) -> Any:
        seen.append(options)
        return run(*args, **options)

    monkeypatch.setenv("SECRET_KEY", "canary")
    monkeypatch.setattr(subprocess, "run", watched)
    pdf.render(document(table()))
    assert set(seen[0]["env"]) <= {"LANG", "TMPDIR", "LD_LIBRARY_PATH"}


def test_text_that_breaks_the_typesetter_is_shown_plainly(monkeypatch: pytest.MonkeyPatch) -> None:
    typeset, asked = pdf._typeset, []

    def panics(told: Any, *rest: Any) -> Any:
        asked.append(bool(told.get("plain")))
        if not asked[-1]:
            raise ExportError("export-typeset", "it ended with code 1")
        return typeset(told, *rest)

    monkeypatch.setattr(pdf, "_typeset", panics)
    made = pdf.render(document(table(("実店舗 café – “x”", "id", 1, None))))
    assert asked == [False, True]
    assert [name.split()[0] for name in made.replaced] == ["U+5B9F", "U+5E97", "U+8217"]
    assert "\\u{5B9F}\\u{5E97}\\u{8217} café – “x”" in pypdf.PdfReader(io.BytesIO(made.data)).pages[
        -1
    ].extract_text() + (pypdf.PdfReader(io.BytesIO(made.data)).pages[-2].extract_text())


def test_a_refusal_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    failure = pdf._failure(2, b'{"error": "unknown variable: x"}', 1, 1 << 20)
    assert (failure.code, failure.message) == (
        "export-typeset", "The typesetter could not make the PDF: unknown variable: x.",
    )  # fmt: skip
    assert pdf._failure(1, b"Traceback ... PanicException", 1, 1 << 20).code == "export-typeset"
    assert pdf._failure(-9, b"", 1, 1 << 20).code == "export-memory"
    assert pdf._failure(-24, b"", 7, 1 << 20).message.startswith("The PDF was not ready after 7 seconds")
