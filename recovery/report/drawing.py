"""Lays out the machine as SVG: the path as a column, its other moves in lanes on the left, the rest on the right.

It knows no edge by name: it makes lanes and rails for the edges that it is given.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from itertools import count

from states.table import FINAL, PATH, Edge, State

#: All lengths are in pixels. Size of a state's box, and distance between the middles of two boxes.
WIDTH, HEIGHT, PITCH = 142, 38, 76
#: Distance between two lanes; margin of the picture; half the height of a number's badge.
LANE, MARGIN, BADGE = 22, 14, 10
#: Distance from the column to the first rail, and from one rail to the next.
RAIL, RAILS = 24, 15
#: Width of the box of a state apart.
ASIDE = 92
#: Distance from the last rail to the states apart.
LEAD = 24
#: Height of a line of the legend, and the approximate width of a letter in it.
LINE_HEIGHT, LETTER = 17, 6.3

STYLE = """
.machine{--ink:#1f2328;--soft:#59636e;--line:#8c959f;--faint:#d1d9e0;--node:#fff;--ground:#f6f8fa;--way:#0969da;
--here:#0969da;--on:#fff;color-scheme:light dark;
font-family:ui-sans-serif,system-ui,"Segoe UI","DejaVu Sans",sans-serif}
@media (prefers-color-scheme:dark){.machine{--ink:#f0f6fc;--soft:#9198a1;--line:#656c76;--faint:#3d444d;--node:#151b23;
--ground:#0d1117;--way:#4493f8;--here:#4493f8;--on:#0d1117}}
@media print{.machine{--ink:#000;--soft:#444;--line:#777;--faint:#bbb;--node:#fff;--ground:#fff;--way:#0550ae;
--here:#0550ae;--on:#fff}}
.machine .ground{fill:var(--ground)}.machine .line{fill:none;stroke:var(--line);stroke-width:1.5}
.machine .line.off{stroke:var(--faint)}.machine .line.way{stroke:var(--way);stroke-width:3}
.machine .head{fill:var(--line)}.machine .head.off{fill:var(--faint)}.machine .head.way{fill:var(--way)}
.machine .node{fill:var(--node);stroke:var(--line);stroke-width:1.5}.machine .node.off{stroke:var(--faint)}
.machine .node.way{stroke:var(--way);stroke-width:2.5}.machine .node.here{fill:var(--here);stroke:var(--here)}
.machine .inner{fill:none;stroke:var(--line);stroke-width:1}.machine .inner.off{stroke:var(--faint)}
.machine .inner.way{stroke:var(--way)}.machine .inner.here{stroke:var(--on)}
.machine text{fill:var(--ink);font-size:13px;font-weight:600;text-anchor:middle;dominant-baseline:central}
.machine text.off{fill:var(--soft);font-weight:500}.machine text.here{fill:var(--on)}
.machine .badge{fill:var(--ground);stroke:var(--line)}.machine .badge.way{fill:var(--way);stroke:var(--way)}
.machine text.number{font-size:11px}.machine text.number.way{fill:var(--on)}
.machine text.key{text-anchor:start;font-size:12px}.machine text.words{text-anchor:start;font-weight:400;font-size:12px;
fill:var(--soft)}
"""

Words = Sequence[tuple[str, str, str]]
Point = tuple[float, float]


@dataclass(slots=True)
class _Picture:
    """The picture drawn so far, in layers from below: lines, the run's lines, nodes, badges."""

    names: Mapping[Edge, str]
    visited: Collection[State]
    current: State | None
    lines: list[str] = field(default_factory=list)
    ways: list[str] = field(default_factory=list)
    nodes: list[str] = field(default_factory=list)
    badges: list[str] = field(default_factory=list)

    def style(self, edge: Edge) -> str:
        """The CSS class of a move: taken by the run, not taken, or none without a run."""
        return ("way" if self.names.get(edge) else "off") if self.visited else ""

    def line(self, style: str, points: Sequence[Point]) -> None:
        """Draws a line through these points, with rounded corners and an arrowhead at its end."""
        layer = self.ways if style == "way" else self.lines
        layer.append(f'<path class="line {style}" d="{_rounded(points)}"/>')
        layer.append(f'<path class="head {style}" d="{_head(points)}"/>')

    def badge(self, edge: Edge, x: float, y: float) -> None:
        """Draws the number of a move on its line, around the point x, y."""
        name = self.names.get(edge)
        if not name:
            return
        style = self.style(edge)
        width = max(2 * BADGE, 7 * len(name) + 8)
        self.badges.append(
            f'<rect class="badge {style}" x="{x - width / 2:g}" y="{y - BADGE:g}" width="{width:g}" '
            f'height="{2 * BADGE}" rx="{BADGE}"/>'
            f'<text class="number {style}" x="{x:g}" y="{y:g}">{escape(name)}</text>'
        )

    def node(self, state: State, x: float, y: float, width: float) -> None:
        """Draws a state's box around the point x, y."""
        style = ""
        if self.visited:
            style = "here" if state is self.current else "way" if state in self.visited else "off"
        left, top = x - width / 2, y - HEIGHT / 2
        box = f'x="{left:g}" y="{top:g}" width="{width:g}" height="{HEIGHT}" rx="9"'
        self.nodes.append(f'<rect class="node {style}" {box}/>')
        if state in FINAL:
            inner = f'x="{left + 4:g}" y="{top + 4:g}" width="{width - 8:g}" height="{HEIGHT - 8}" rx="6"'
            self.nodes.append(f'<rect class="inner {style}" {inner}/>')
        self.nodes.append(f'<text class="{style}" x="{x:g}" y="{y:g}">{escape(state)}</text>')


def drawn(
    edges: Sequence[Edge],
    aside: Sequence[State],
    names: Mapping[Edge, str],
    words: Words,
    visited: Collection[State],
    current: State | None,
) -> str:
    """The picture as SVG.

    Args:
        edges: the table of edges.
        aside: the states that are not on the path.
        names: the label on each edge's line.
        words: the lines of the legend, each with number, move and condition.
        visited: states to emphasise; if empty, all states are drawn alike.
        current: the state to fill with colour.
    """
    picture = _Picture(names, visited, current)
    within = [e for e in edges if e.source in PATH and e.target in PATH]
    lanes = _lanes([e for e in within if _at(e.target) != _at(e.source) + 1])
    left = MARGIN + LANE * (max(lanes.values(), default=0) + 1)
    middle, bottom = left + WIDTH / 2, _row(PATH[-1]) + HEIGHT / 2 + MARGIN
    _column(picture, within, lanes, left)
    right = left + WIDTH + RAIL + RAILS * max(0, len(aside) - 1)
    width = right + LEAD + ASIDE + MARGIN
    _exits(picture, edges, aside, left + WIDTH, right + LEAD)
    for state in PATH:
        picture.node(state, middle, _row(state), WIDTH)
    height = bottom + _legend(picture, words, bottom, width)
    body = "\n".join([*picture.lines, *picture.ways, *picture.nodes, *picture.badges])
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="machine" viewBox="0 0 {width:g} {height:g}" width="{width:g}" '
        f'height="{height:g}" role="img" aria-label="The states of a recovery, and the moves between them">\n'
        f"<style>{STYLE}</style>\n"
        f'<rect class="ground" width="{width:g}" height="{height:g}" rx="12"/>\n{body}\n</svg>\n'
    )


def _at(state: State) -> int:
    return PATH.index(state)


def _row(state: State) -> float:
    return MARGIN + HEIGHT / 2 + PITCH * _at(state)


def _lanes(edges: Sequence[Edge]) -> dict[Edge, int]:
    """A lane for each move that skips or goes back: short moves next to the column, moves that overlap in two lanes."""
    lanes: dict[Edge, int] = {}
    for edge in sorted(edges, key=lambda e: (abs(_at(e.source) - _at(e.target)), _at(e.source))):
        low, high = sorted((_at(edge.source), _at(edge.target)))
        taken = {
            lane
            for other, lane in lanes.items()
            if low <= max(_at(other.source), _at(other.target)) and min(_at(other.source), _at(other.target)) <= high
        }
        lanes[edge] = next(lane for lane in count() if lane not in taken)
    return lanes


def _column(picture: _Picture, within: Sequence[Edge], lanes: Mapping[Edge, int], left: float) -> None:
    """The moves between the states of the path."""
    ports = _ports(lanes)
    for edge in within:
        style = picture.style(edge)
        if edge not in lanes:
            x = left + WIDTH / 2
            top, end = _row(edge.source) + HEIGHT / 2, _row(edge.target) - HEIGHT / 2
            picture.line(style, [(x, top), (x, end)])
            picture.badge(edge, x, (top + end) / 2 - 3)
            continue
        x = left - LANE * (lanes[edge] + 0.9)
        start, end = _row(edge.source) + ports[edge, True], _row(edge.target) + ports[edge, False]
        picture.line(style, [(left, start), (x, start), (x, end), (left, end)])
        # Not half-way, where lines of the states in between meet this one.
        picture.badge(edge, x, start + 0.3 * (end - start))


def _ports(lanes: Mapping[Edge, int]) -> dict[tuple[Edge, bool], float]:
    """For the start (True) and the end (False) of each lane: its offset from the middle of its state's left side.

    Lanes of one state get different offsets, so that they don't meet.
    """
    ports: dict[tuple[Edge, bool], float] = {}
    for state in PATH:
        ends = [(edge, edge.source is state) for edge in lanes if state in (edge.source, edge.target)]

        def other(end: tuple[Edge, bool]) -> tuple[bool, int]:
            edge, begins = end
            way = _at(edge.target if begins else edge.source) - _at(edge.source if begins else edge.target)
            # Upwards: the outermost at the top. Downwards: the outermost at the bottom.
            return way > 0, lanes[edge] if way > 0 else -lanes[edge]

        ends.sort(key=other)
        for number, end in enumerate(ends, 1):
            ports[end] = HEIGHT * (number / (len(ends) + 1) - 0.5) * 0.9
    return ports


def _exits(picture: _Picture, edges: Sequence[Edge], aside: Sequence[State], edge_of: float, left: float) -> None:
    """Draws the states apart, each with a rail of its own that collects the moves from the path to it."""
    rows = {state: _row(PATH[-1]) - PITCH * 2.5 + PITCH * 1.5 * n for n, state in enumerate(aside)}
    for number, state in enumerate(aside):
        into = [e for e in edges if e.target is state and e.source in PATH]
        if into:
            x = edge_of + RAIL + RAILS * number
            offset = HEIGHT * 0.58 * number / len(aside)
            _rail(picture, into, x, edge_of, rows[state], left, offset)
    for edge in edges:
        if edge.source in rows and edge.target in rows:
            _between(picture, edge, rows, left)
    back = [e for e in edges if e.source in rows and e.target in PATH]
    for number, edge in enumerate(back, 1):
        x = left + ASIDE * number / (len(back) + 1)
        end = _row(edge.target) - HEIGHT * 0.3 / number
        above = _row(edge.target) < rows[edge.source]
        picture.line(
            picture.style(edge),
            [(x, rows[edge.source] + (-HEIGHT if above else HEIGHT) / 2), (x, end), (edge_of, end)],
        )
        picture.badge(edge, x, (rows[edge.source] + end) / 2)
    for state, y in rows.items():
        picture.node(state, left + ASIDE / 2, y, ASIDE)


def _rail(
    picture: _Picture, into: Sequence[Edge], x: float, start: float, row: float, left: float, offset: float
) -> None:
    """Draws a rail: one vertical line to one state, joined by a line from each state that leads there."""
    for edge in sorted(into, key=lambda e: picture.style(e) == "way"):
        y = _row(edge.source) + offset
        picture.line(picture.style(edge), [(start, y), (x, y), (x, row), (left, row)])
        picture.badge(edge, (start + x) / 2 - 2, y)


def _between(picture: _Picture, edge: Edge, rows: Mapping[State, float], left: float) -> None:
    down = rows[edge.target] > rows[edge.source]
    start = rows[edge.source] + (HEIGHT if down else -HEIGHT) / 2
    end = rows[edge.target] - (HEIGHT if down else -HEIGHT) / 2
    x = left + ASIDE * (0.5 if down else 0.75)
    picture.line(picture.style(edge), [(x, start), (x, end)])
    picture.badge(edge, x, (start + end) / 2)


def _rounded(points: Sequence[Point], radius: float = 8) -> str:
    parts = [f"M{points[0][0]:g} {points[0][1]:g}"]
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        one, two = _towards(corner, before, radius), _towards(corner, after, radius)
        parts.append(f"L{one[0]:g} {one[1]:g}Q{corner[0]:g} {corner[1]:g} {two[0]:g} {two[1]:g}")
    last = _towards(points[-1], points[-2], 6)
    return "".join([*parts, f"L{last[0]:g} {last[1]:g}"])


def _towards(point: Point, other: Point, far: float) -> Point:
    dx, dy = other[0] - point[0], other[1] - point[1]
    length = abs(dx) + abs(dy)
    part = min(far, length / 2) / length if length else 0
    return point[0] + dx * part, point[1] + dy * part


def _head(points: Sequence[Point]) -> str:
    """The path of an arrowhead at the end of a line, whose last stretch is horizontal or vertical."""
    (x, y), back = points[-1], _towards(points[-1], points[-2], 9)
    dx, dy = (back[1] - y) / 2, (back[0] - x) / 2
    return f"M{x:g} {y:g}L{back[0] + dx:g} {back[1] + dy:g}L{back[0] - dx:g} {back[1] - dy:g}Z"


def _legend(picture: _Picture, words: Words, top: float, width: float) -> float:
    """Draws the legend, in lines that fit the width; returns its height."""
    y = top
    for number, move, when in words:
        y += LINE_HEIGHT + 4
        picture.nodes.append(f'<text class="key" x="{MARGIN}" y="{y:g}">{escape(number)}</text>')
        picture.nodes.append(f'<text class="key" x="{MARGIN + 28}" y="{y:g}">{escape(move)}</text>')
        for line in _wrapped(when, int((width - 2 * MARGIN - 28) / LETTER)):
            y += LINE_HEIGHT
            picture.nodes.append(f'<text class="words" x="{MARGIN + 28}" y="{y:g}">{escape(line)}</text>')
    return y - top + MARGIN if words else 0


def _wrapped(text: str, columns: int) -> list[str]:
    lines = [""]
    for word in text.split():
        if lines[-1] and len(lines[-1]) + 1 + len(word) > columns:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return [line for line in lines if line]
