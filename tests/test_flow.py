"""The drawing of the data flow: what it shows, how it shrinks, and that no name can break it."""

import re
from collections import Counter
from collections.abc import Callable
from time import process_time
from xml.etree import ElementTree

import pytest

from connectors.spec import Edge, Flow, Node
from evidence.document import ExportError
from evidence.flow import describe, draw, draw_print
from evidence.text import cut, visible, width

TITLES = ("Sources", "Tracking plans", "Destinations")
SMALL = Flow(
    TITLES,
    (
        Node("s1", "Web shop", 0, "Web", "JavaScript"),
        Node("s2", "Server", 0, "Server"),
        Node("p1", "Shop plan", 1, note="12 events"),
        Node("p0", "No tracking plan", 1, gap=True),
        Node("d1", "Warehouse", 2, "Storage"),
        Node("d2", "Ads", 2, "Advertising", "disabled"),
    ),
    (
        Edge("s1", "p1"),
        Edge("s2", "p0", "gap"),
        Edge("p1", "d1"),
        Edge("p1", "d2", "off"),
        Edge("p0", "d1", "gap"),
    ),
)


def parsed(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(re.sub(r' xmlns="[^"]*"', "", svg, count=1))


def by_class(svg: str, name: str) -> list[ElementTree.Element]:
    return [element for element in parsed(svg).iter() if name in element.get("class", "").split()]


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in parsed(svg).iter("text")]


def titles(svg: str) -> list[str]:
    return [element.text or "" for element in parsed(svg).iter("title")]


def large(sources: int, groups: int, destinations: int = 5, edges: int = 0) -> Flow:
    nodes = [Node(f"s{n}", f"Source {n}", 0, f"Group {n % groups}") for n in range(sources)]
    nodes += [Node("p", "Plan", 1)] + [Node(f"d{n}", f"Target {n}", 2, "All") for n in range(destinations)]
    lines = [Edge(f"s{n % sources}", "p") for n in range(edges or sources)]
    return Flow(TITLES, tuple(nodes), tuple(lines))


def test_every_node_and_edge_is_drawn_once() -> None:
    svg = draw(SMALL)
    assert titles(svg) == [
        "Web shop, JavaScript", "Server", "Shop plan, 12 events", "No tracking plan", "Warehouse", "Ads, disabled",
    ]  # fmt: skip
    kinds = Counter(edge.get("class") for edge in by_class(svg, "e"))
    assert kinds == {"e": 2, "e gap": 2, "e off": 1}
    assert Counter(group.get("class") for group in parsed(svg).iter("g")) == {"src": 2, "plan": 1, "gap": 1, "dst": 2}
    assert {"Sources (2)", "Tracking plans (1)", "Destinations (2)", "Web", "Storage"} <= set(texts(svg))


def test_edges_begin_and_end_at_their_boxes() -> None:
    svg = draw(SMALL)
    boxes = dict(zip(titles(svg), (box.attrib for box in by_class(svg, "box")), strict=True))
    start, end = boxes["Web shop, JavaScript"], boxes["Shop plan, 12 events"]
    path = by_class(svg, "e")[0].get("d", "")
    numbers = [float(number) for number in re.findall(r"[\d.]+", path)]
    middle = [float(box["y"]) + float(box["height"]) / 2 for box in (start, end)]
    assert numbers[:2] == [float(start["x"]) + float(start["width"]), middle[0]]
    assert numbers[-2:] == [float(end["x"]), middle[1]]


def test_boxes_do_not_overlap_and_stay_inside() -> None:
    svg = draw(large(40, 7, 30))
    _, _, across, down = map(float, parsed(svg).get("viewBox", "").split())
    boxes = [{key: float(box.get(key, "")) for key in ("x", "y", "width", "height")} for box in by_class(svg, "box")]
    for at, one in enumerate(boxes):
        assert one["x"] >= 0 <= one["y"]
        assert one["x"] + one["width"] <= across
        assert one["y"] + one["height"] <= down
        for other in boxes[:at]:
            apart = abs(one["x"] - other["x"]) >= one["width"] or abs(one["y"] - other["y"]) >= one["height"]
            assert apart


def test_a_node_lights_the_edges_that_touch_it() -> None:
    svg = draw(SMALL)
    groups = dict(zip(titles(svg), parsed(svg).iter("g"), strict=True))
    hot = groups["Shop plan, 12 events"].find("path[@class='hot']")
    assert hot is not None
    assert hot.get("d", "").count("M") == 3


def test_links_are_those_that_are_given() -> None:
    linked = parsed(draw(SMALL, link=lambda key: f"/records/{key}?a=1&b=2" if key != "s2" else ""))
    hrefs = [anchor.get("href") for anchor in linked.iter("a")]
    assert hrefs[0] == "/records/s1?a=1&b=2"
    assert hrefs[1] is None
    unlinked = [anchor for anchor in linked.iter("a") if not anchor.get("href")]
    assert [(anchor.get("tabindex"), anchor.get("role")) for anchor in unlinked] == [("0", "img")]


def test_it_can_be_heard() -> None:
    root = parsed(draw(SMALL))
    assert root.get("role") == "group"
    assert (
        root.get("aria-label") == "Data flow: 2 sources, 1 tracking plans, 2 destinations, 5 connections between them"
    )
    assert all(anchor.get("aria-label") for anchor in root.iter("a"))
    assert describe(Flow(("A", "B"), (), (Edge("a", "b"),))) == "Data flow: 0 a, 0 b, 1 connection between them"


def test_nothing_in_it_needs_a_looser_policy() -> None:
    for element in parsed(draw(SMALL, link=lambda key: "/x")).iter():
        assert element.tag in {"svg", "g", "path", "rect", "text", "a", "title"}
        assert not [name for name in element.attrib if name == "style" or name.startswith("on")]
        assert not {"fill", "stroke", "font-family"} & set(element.attrib)  # colours come by class


HOSTILE = [
    '"><script>alert(1)</script>',
    "a & b <c>",
    "x\x00y\x1bz\ufffe",
    "\u202egpj.exe",
    "نقطة البيع",
    "漢字" * 200,
    "é" * 9000,
]


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("render", [draw, draw_print])
def test_no_name_breaks_it(render: Callable[[Flow], str], name: str) -> None:
    nodes = (Node(name, name, 0, name, name), Node("d", name, 1, gap=True))
    svg = render(Flow((name, "B"), nodes, (Edge(name, "d"),)))
    root = parsed(svg)
    assert {element.tag for element in root.iter()} <= {"svg", "g", "path", "rect", "text", "a", "title"}
    assert "\u202e" not in svg
    drawn = [element.text or "" for element in root.iter("text")]
    assert any(cut(visible(name), 5)[:4] in text for text in drawn)
    assert max(map(len, drawn)) < 80


def test_long_names_are_cut_to_the_room_they_have() -> None:
    for name in ("W" * 200, "i" * 200, "漢" * 200, "word " * 50):
        svg = draw(Flow(("A", "B"), (Node("a", name, 0, note="a note of some length"), Node("b", "b", 1)), ()))
        box = by_class(svg, "box")[0]
        shown = texts(svg)[2]
        assert shown.endswith("…")
        assert 60 < width(shown) * 12 < float(box.get("width", "0")) - 80


def test_cut_counts_wide_characters_twice_and_keeps_what_fits() -> None:
    assert cut("short", 10) == "short"
    assert len(cut("漢" * 30, 10)) < len(cut("n" * 30, 10))
    assert cut("two\n lines", 30) == "two lines"
    assert width("e\u0301") == width("e")


# --- large flows --------------------------------------------------------------------------------


def test_a_column_that_is_too_long_shows_its_groups() -> None:
    svg = draw(large(300, 12))
    assert "Group 3 (25)" in texts(svg)
    assert len([group for group in parsed(svg).iter("g") if group.get("class") == "src"]) == 12
    assert "Sources (300)" in texts(svg)
    assert "Target 4" in texts(svg)  # a short column stays as it is
    weights = {float(edge.get("stroke-width", "0")) for edge in by_class(svg, "e")}
    assert weights == {round(1.3 + 0.9 * 4.643856, 1)}  # 25 edges in one


def test_a_column_as_long_as_allowed_stays_whole() -> None:
    assert "Source 39" in texts(draw(large(40, 2)))
    assert "Source 39" not in texts(draw(large(41, 2)))


def test_too_many_groups_share_one_node() -> None:
    flow = large(300, 100)
    svg = draw(flow, link=lambda key: key)
    keys = [anchor.get("href") for anchor in parsed(svg).iter("a")]
    assert len([group for group in parsed(svg).iter("g") if group.get("class") == "src"]) == 40
    assert "+ 61 more groups (183)" in texts(svg)
    assert "group:0:Group 0" in keys
    assert keys[39] == "group:0:…"


def test_a_group_of_one_stays_itself_and_a_gap_stays_a_gap() -> None:
    nodes = [Node(f"s{n}", f"Source {n}", 0, "Web", gap=n < 2) for n in range(60)] + [
        Node("one", "Lonely", 0, "Server")
    ]
    svg = draw(Flow(("Sources", "Plans"), (*nodes, Node("p", "Plan", 1)), (Edge("s0", "p", "gap"), Edge("s5", "p"))))
    assert {"Web (2)", "Web (58)", "Lonely"} <= set(texts(svg))
    assert len([group for group in parsed(svg).iter("g") if group.get("class") == "gap"]) == 1
    assert Counter(edge.get("class") for edge in by_class(svg, "e")) == {"e": 1, "e gap": 1}


def test_a_long_column_without_groups_is_named_after_itself() -> None:
    flow = Flow(("Sources", "Plans"), tuple(Node(f"s{n}", "S", 0) for n in range(50)), ())
    assert "Sources (50)" in texts(draw(flow))[1:]


def test_six_hundred_edges_are_quick() -> None:
    nodes = tuple(Node(f"{column}{n}", f"Node number {n}", column, f"Group {n % 9}", "a note")
                  for column, many in enumerate((300, 25, 75)) for n in range(many))  # fmt: skip
    edges = tuple(Edge(f"0{n}", f"1{n % 25}") for n in range(300)) + tuple(
        Edge(f"1{n % 25}", f"2{n % 75}") for n in range(300)
    )
    flow = Flow(TITLES, nodes, edges)

    def seconds() -> float:
        begun = process_time()
        draw(flow, max_nodes=1000)
        return process_time() - begun

    assert min(seconds() for _ in range(5)) < 0.05


# --- print, errors ------------------------------------------------------------------------------


def test_print_carries_its_colours_and_a_key() -> None:
    svg = draw_print(SMALL, fonts="'Source Sans 3'")
    root = parsed(svg)
    assert not [element for element in root.iter() if element.get("class") or element.tag == "a"]
    assert all(path.get("stroke", "").startswith("#") for path in root.iter("path"))
    assert {"follows a plan", "no plan", "disabled"} <= set(texts(svg))
    assert "no plan" not in texts(
        draw_print(Flow(("A", "B"), (Node("a", "a", 0), Node("b", "b", 1)), (Edge("a", "b"),)))
    )
    assert root[0].get("font-family") == "'Source Sans 3'"


def test_nothing_to_draw_is_no_drawing() -> None:
    assert draw(Flow(TITLES, (), ())) == draw_print(Flow(TITLES, (), ())) == ""


@pytest.mark.parametrize(
    "flow",
    [
        Flow(("A",), (Node("a", "a", 0),), (Edge("a", "nobody"),)),
        Flow(("A",), (Node("a", "a", 1),), ()),
        Flow(("A",), (Node("a", "a", -1),), ()),
    ],
)
def test_a_flow_that_contradicts_itself_is_refused(flow: Flow) -> None:
    with pytest.raises(ExportError) as caught:
        draw(flow)
    assert caught.value.code == "export-flow"
