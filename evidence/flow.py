"""The data flow as SVG, drawn on the server: nodes in columns, edges between them.

`draw` is for pages: geometry in attributes, colours by the stylesheet's classes, no script, no style. `draw_print`
is the same drawing with its colours in attributes, for a typesetter that knows no stylesheet. Pure, no Django.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from html import escape

from connectors.spec import Edge, Flow, Node
from evidence.document import ExportError
from evidence.text import cut, visible, width

MAX_NODES = 40  # in one column, before its groups are drawn in their place
WIDTH = 1120  # of the drawing, in its own units
_MARGIN, _TOP, _BOX, _PITCH, _HEADING, _GAP = 8, 26, 23, 27, 20, 12
_FONT, _SMALL = 12, 11  # sizes of `.flow text` and of `.t2` and `.t3` in the stylesheet

_MEANS = {"plan": "follows a plan", "gap": "no plan", "unknown": "not known", "off": "disabled"}

# The light theme of the stylesheet, for print.
_INK = {
    "t1": 'fill="#1b1d21"',
    "t2": 'fill="#53575e" font-size="11"',
    "t3": 'fill="#53575e" font-size="11" font-weight="600"',
    "src": 'fill="#ffffff" stroke="#d3d0c7"',
    "plan": 'fill="#f2f1ed" stroke="#d3d0c7"',
    "dst": 'fill="#ffffff" stroke="#d3d0c7"',
    "gap": 'fill="#ffffff" stroke="#9c4408" stroke-dasharray="4 3"',
    "e": 'fill="none" stroke="#b5b3aa"',
    "e gap": 'fill="none" stroke="#9c4408" stroke-dasharray="5 4"',
    "e unknown": 'fill="none" stroke="#594f97" stroke-dasharray="8 3"',
    "e off": 'fill="none" stroke="#87867f" stroke-dasharray="1.5 4"',
}


@dataclass(frozen=True)
class _Place:
    """Where a node stands. `y` is the middle of its box; `kind` is its class in the stylesheet."""

    node: Node
    kind: str
    x: float
    y: float
    room: float


@dataclass(frozen=True)
class _Curve:
    start: str
    end: str
    kind: str
    weight: float
    path: str


@dataclass(frozen=True)
class _Layout:
    labels: tuple[tuple[str, float, float, str], ...]
    places: Mapping[str, _Place]
    curves: tuple[_Curve, ...]
    height: float


def draw(flow: Flow, max_nodes: int = MAX_NODES, link: Callable[[str], str] | None = None) -> str:
    """The drawing for a page, "" when there are no nodes.

    A column of more than `max_nodes` nodes shows its groups in their place, with how many nodes each stands for.
    link  node key -> address, "" for none; a group's key is `group:<column>:<group>`
    Raises ExportError `export-flow` when an edge or a column that the flow names does not exist.
    """
    if not flow.nodes:
        return ""
    layout = _layout(_grouped(flow, max_nodes))
    touching: dict[str, list[str]] = defaultdict(list)
    for curve in layout.curves:
        touching[curve.start].append(curve.path)
        touching[curve.end].append(curve.path)
    parts = [f'<path class="{c.kind}" d="{c.path}" stroke-width="{c.weight:g}"/>' for c in layout.curves]
    parts += [f'<text class="{kind}" x="{x:g}" y="{y:g}">{_safe(text)}</text>' for kind, x, y, text in layout.labels]
    for key, place in layout.places.items():
        parts.append(_node(place, "".join(touching[key]), link(key) if link else ""))
    head = f'<svg viewBox="0 0 {WIDTH} {layout.height:g}" role="group" aria-label="{_safe(describe(flow))}">'
    return head + "".join(parts) + "</svg>"


def draw_print(flow: Flow, max_nodes: int = MAX_NODES, fonts: str = "sans-serif") -> str:
    """The same drawing for paper: colours in attributes, a key of the line kinds below, no links."""
    if not flow.nodes:
        return ""
    layout = _layout(_grouped(flow, max_nodes))
    parts = [f'<path {_INK[c.kind]} d="{c.path}" stroke-width="{c.weight:g}"/>' for c in layout.curves]
    parts += [f'<text {_INK[kind]} x="{x:g}" y="{y:g}">{_safe(text)}</text>' for kind, x, y, text in layout.labels]
    parts += [_box(place, _INK[place.kind], _INK["t1"], _INK["t2"]) for place in layout.places.values()]
    height = layout.height + 24
    parts.append(_key({curve.kind for curve in layout.curves}, height - _MARGIN))
    size = f'viewBox="0 0 {WIDTH} {height:g}" width="{WIDTH}" height="{height:g}"'
    font = f'<g font-family="{_safe(fonts)}" font-size="{_FONT}">'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{font}{"".join(parts)}</g></svg>'


def describe(flow: Flow) -> str:
    """The drawing in one sentence, for those who cannot see it: `Data flow: 12 sources, 4 tracking plans, …`."""
    held = Counter(node.column for node in flow.nodes if not node.gap)
    columns = [f"{held[at]} {title[:1].lower()}{title[1:]}" for at, title in enumerate(flow.titles)]
    edges = "1 connection" if len(flow.edges) == 1 else f"{len(flow.edges)} connections"
    return f"Data flow: {', '.join(columns)}, {edges} between them"


# --- fewer nodes --------------------------------------------------------------------------------


def _grouped(flow: Flow, most: int) -> Flow:
    """The flow with how many nodes each column has in its title, and a column that is too long as its groups."""
    columns: list[list[Node]] = [[] for _ in flow.titles]
    for node in flow.nodes:
        if not 0 <= node.column < len(columns):
            raise ExportError("export-flow", f"The data flow has no column {node.column}.")
        columns[node.column].append(node)
    stands = {node.key: node.key for node in flow.nodes}
    drawn = tuple(
        node
        for held, title in zip(columns, flow.titles, strict=True)
        for node in (held if len(held) <= most else _collapsed(held, title, most, stands))
    )
    try:
        edges = tuple(replace(edge, start=stands[edge.start], end=stands[edge.end]) for edge in flow.edges)
    except KeyError as error:
        raise ExportError("export-flow", f"The data flow has no node {error}.") from error
    counts = (sum(not node.gap for node in held) for held in columns)
    titles = tuple(f"{title} ({count})" for title, count in zip(flow.titles, counts, strict=True))
    return Flow(titles, drawn, edges)


def _collapsed(held: list[Node], title: str, most: int, stands: dict[str, str]) -> list[Node]:
    """One node for each group, in order of first appearance; the smallest beyond `most` share one more."""
    groups: dict[tuple[str, bool], list[Node]] = defaultdict(list)
    for node in held:
        groups[node.group, node.gap].append(node)
    large = sorted(groups, key=lambda group: -len(groups[group]))[: most - 1]
    kept = [group for group in groups if len(groups) <= most or group in large]
    drawn = [_one(groups[group], group, title if len(groups) == 1 else "No group", stands) for group in kept]
    if rest := [node for group in groups if group not in kept for node in groups[group]]:
        label = f"+ {len(groups) - len(kept)} more groups"
        drawn.append(_one(rest, ("…", False), label, stands, label))
    return drawn


def _one(held: list[Node], group: tuple[str, bool], unnamed: str, stands: dict[str, str], label: str = "") -> Node:
    """One node in place of `held`, and in `stands` what it stands for."""
    name, gap = group
    column = held[0].column
    key = f"group:{column}:{name}:gap" if gap else f"group:{column}:{name}"
    alone = replace(held[0], group="")
    node = alone if len(held) == 1 else Node(key, f"{label or name or unnamed} ({len(held)})", column, gap=gap)
    stands.update((each.key, node.key) for each in held)
    return node


# --- places -------------------------------------------------------------------------------------


def _layout(flow: Flow) -> _Layout:
    columns = [_blocks(flow, column) for column in range(len(flow.titles))]
    needs = [_need(blocks) for blocks in columns]
    tallest = max(needs)
    labels: list[tuple[str, float, float, str]] = []
    places: dict[str, _Place] = {}
    for column, blocks in enumerate(columns):
        x, room = _across(column, len(columns))
        labels.append(("t2", x, 12, cut(visible(flow.titles[column]), room / _SMALL)))
        kind = "src" if column == 0 else "dst" if column == len(columns) - 1 else "plan"
        spare = (tallest - needs[column]) / (len(blocks) + 1)
        y = float(_TOP)
        for name, nodes in blocks:
            y += spare
            if name:
                labels.append(("t3", x, y + 12, cut(visible(name), room / _SMALL)))
                y += _HEADING
            for node in nodes:
                places[node.key] = _Place(node, "gap" if node.gap else kind, x, round(y + _BOX / 2, 1), room)
                y += _PITCH
            y += _GAP if name else 0
    return _Layout(tuple(labels), places, tuple(_curves(flow.edges, places)), round(_TOP + tallest + _MARGIN))


def _blocks(flow: Flow, column: int) -> list[tuple[str, list[Node]]]:
    """The nodes of one column in pieces that spare room may part: a group with its name, or one node without."""
    groups: dict[str, list[Node]] = defaultdict(list)
    for node in flow.nodes:
        if node.column == column:
            groups[node.group or f"\0{node.key}"].append(node)
    return [(nodes[0].group, nodes) for nodes in groups.values()]


def _need(blocks: list[tuple[str, list[Node]]]) -> float:
    return sum(len(nodes) * _PITCH + (_HEADING + _GAP if name else 0) for name, nodes in blocks)


def _across(column: int, columns: int) -> tuple[float, float]:
    """Left edge and width of a column's boxes: the gap between two columns is at least half a box wide."""
    inner = WIDTH - 2 * _MARGIN
    room = min(280, round(inner / (columns + (columns - 1) * 0.6)))
    step = (inner - room) / (columns - 1) if columns > 1 else 0
    return _MARGIN + round(column * step), room


def _curves(edges: Iterable[Edge], places: Mapping[str, _Place]) -> Iterable[_Curve]:
    """One curve for all edges of one kind between two nodes, thicker the more there are."""
    for (start, end, kind), many in Counter((edge.start, edge.end, edge.kind) for edge in edges).items():
        left, right = sorted((places[start], places[end]), key=lambda place: place.x)
        x, end_x = left.x + left.room, right.x
        middle = (x + end_x) / 2
        path = f"M{x:g} {left.y:g}C{middle:g} {left.y:g} {middle:g} {right.y:g} {end_x:g} {right.y:g}"
        weight = round(min(1.3 + 0.9 * math.log2(many), 8), 1)
        yield _Curve(start, end, "e" if kind == "plan" else f"e {kind}", weight, path)


# --- marks --------------------------------------------------------------------------------------


def _safe(text: str) -> str:
    return escape(visible(text))


def _node(place: _Place, hot: str, url: str) -> str:
    node = place.node
    reached = f'href="{escape(url)}"' if url else 'tabindex="0" role="img"'
    label = _safe(f"{node.title}, {node.note}" if node.note else node.title)
    light = f'<path class="hot" d="{hot}"/>' if hot else ""
    inside = _box(place, 'class="box"', "", 'class="t2"')
    return f'<g class="{place.kind}">{light}<a {reached} aria-label="{label}"><title>{label}</title>{inside}</a></g>'


def _box(place: _Place, box: str, title: str, note: str) -> str:
    """A node's box with its title to the left and its note to the right, both cut to the room they have."""
    inner = place.room - 20
    said = cut(visible(place.node.note), inner * 0.4 / _SMALL)
    left = inner - (width(said) * _SMALL + 8 if said else 0)
    x, y = place.x, place.y
    drawn = f'<rect {box} x="{x:g}" y="{y - _BOX / 2:g}" width="{place.room:g}" height="{_BOX}" rx="5"/>'
    drawn += f'<text {title} x="{x + 10:g}" y="{y + 4:g}">{escape(cut(visible(place.node.title), left / _FONT))}</text>'
    if said:
        drawn += f'<text {note} x="{x + place.room - 10:g}" y="{y + 4:g}" text-anchor="end">{escape(said)}</text>'
    return drawn


def _key(kinds: set[str], y: float) -> str:
    """What the lines mean, for those kinds that are drawn."""
    drawn, x = "", float(_MARGIN)
    for name, means in _MEANS.items():
        kind = "e" if name == "plan" else f"e {name}"
        if kind in kinds:
            drawn += f'<path {_INK[kind]} d="M{x:g} {y - 4:g}h28" stroke-width="1.5"/>'
            drawn += f'<text {_INK["t2"]} x="{x + 34:g}" y="{y:g}">{means}</text>'
            x += 34 + width(means) * _SMALL + 24
    return drawn
