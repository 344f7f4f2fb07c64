"""The machine is drawn from its table, whatever stands there."""

import re
from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recovery.report import diagram
from recovery.report.diagram import NO_TRAIL, Trail
from states.table import EDGES, PATH, Edge, State

WAY = (State.PREFLIGHT, State.INSPECT, State.CLASSIFY, State.BLOCKED, State.PREFLIGHT, State.INSPECT, State.VERIFY)
TRAIL = Trail(tuple(pairwise(WAY)), WAY[-1])
FORWARD = r"M(?P<x>[\d.]+) (?P<y>[\d.]+)"


def paths(svg: str, kind: str = "line") -> list[tuple[str, list[tuple[float, float]]]]:
    """Style and points of each line."""
    root = ET.fromstring(svg)  # noqa: S314 - our own
    found = []
    for each in root.iter("{http://www.w3.org/2000/svg}path"):
        classes = each.attrib["class"].split()
        if classes[0] == kind:
            numbers = [float(number) for number in re.findall(r"-?[\d.]+", each.attrib["d"])]
            found.append((" ".join(classes[1:]), list(zip(numbers[::2], numbers[1::2], strict=True))))
    return found


def boxes(svg: str) -> dict[str, tuple[float, float, float, float]]:
    """Left, top, right and bottom of each state's box."""
    root = ET.fromstring(svg)  # noqa: S314 - our own
    rects = [e for e in root.iter("{http://www.w3.org/2000/svg}rect") if e.attrib["class"].startswith("node")]
    texts = [e for e in root.iter("{http://www.w3.org/2000/svg}text") if e.text in set(State)]
    assert len(rects) == len(texts)
    found = {}
    for rect, text in zip(rects, texts, strict=True):
        x, y, width, height = (float(rect.attrib[name]) for name in ("x", "y", "width", "height"))
        found[text.text or ""] = (x, y, x + width, y + height)
    return found


def touches(point: tuple[float, float], box: tuple[float, float, float, float]) -> bool:
    """A point at a box's rim, or as close as an arrow's head is long."""
    left, top, right, bottom = box
    return left - 7 <= point[0] <= right + 7 and top - 7 <= point[1] <= bottom + 7


def test_mermaid_has_every_edge_once() -> None:
    """Each row of the table is an arrow."""
    arrows = re.findall(r"^    (\w+) --> (\w+)", diagram.mermaid(), re.MULTILINE)
    assert sorted(arrows) == sorted((e.source.value, e.target.value) for e in EDGES)


def test_dot_has_every_edge_once() -> None:
    """Each row of the table is an arrow, and each state a node."""
    text = diagram.dot()
    arrows = re.findall(r"^    (\w+) -> (\w+) \[", text, re.MULTILINE)
    assert sorted(arrows) == sorted((e.source.value, e.target.value) for e in EDGES)
    assert {s.value for s in State} <= set(re.findall(r"^    ([A-Z_]+)[ ;]", text, re.MULTILINE))
    assert text.count("{") == text.count("}")


def test_the_picture_has_every_edge_once_and_each_joins_its_states() -> None:
    """Each row of the table is a line that begins at one state's box and ends at the other's."""
    svg = diagram.svg()
    where = boxes(svg)
    assert set(where) == {state.value for state in State}
    drawn = [
        (a, b)
        for _, points in paths(svg)
        for a in where
        for b in where
        if touches(points[0], where[a]) and touches(points[-1], where[b])
    ]
    assert sorted(drawn) == sorted((e.source.value, e.target.value) for e in EDGES)


@given(st.lists(st.tuples(st.sampled_from(list(State)), st.sampled_from(list(State))), max_size=8))
def test_an_edge_more_breaks_nothing(more: list[tuple[State, State]]) -> None:
    """Whatever edge is added, it is drawn in all three, inside of the picture, and no two boxes meet."""
    known = {(e.source, e.target) for e in EDGES}
    added = [Edge(a, b, 'a <new> & "odd" one') for a, b in dict.fromkeys(more) if a is not b and (a, b) not in known]
    edges = (*EDGES, *added)
    svg = diagram.svg(NO_TRAIL, edges)
    width, height = (float(each) for each in re.findall(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg)[0])
    lines = paths(svg)
    assert len(lines) == len(edges)
    assert all(0 <= x <= width and 0 <= y <= height for _, points in lines for x, y in points)
    where = boxes(svg)
    for state in PATH:
        assert not any(
            touches((where[state][0], where[state][1]), where[other]) for other in where if other != state.value
        )
    assert len(re.findall(" --> ", diagram.mermaid(NO_TRAIL, edges))) == len(edges) + 3
    assert len(re.findall(" -> ", diagram.dot(NO_TRAIL, edges))) == len(edges)


def test_lanes_that_overlap_do_not_lie_upon_each_other() -> None:
    """Two moves that skip states can be told apart all the way."""
    upright = [
        (points[1][0], min(points[0][1], points[-1][1]), max(points[0][1], points[-1][1]))
        for _, points in paths(diagram.svg())
        if len(points) > 2 and points[1][0] < boxes(diagram.svg())["INSPECT"][0]
    ]
    for one in upright:
        for other in upright:
            if one != other and one[0] == other[0]:
                assert one[2] < other[1] or other[2] < one[1]


def test_a_path_is_numbered_and_stands_out() -> None:
    """The moves of a run are numbered in order, its states emphasised, the one where it stands filled."""
    svg = diagram.svg(TRAIL)
    assert [style for style, _ in paths(svg)].count("way") == len(set(TRAIL.moves))
    numbers = re.findall(r'<text class="number way"[^>]*>([^<]*)<', svg)
    assert sorted(n for each in numbers for n in each.split(", ")) == ["1", "2", "3", "4", "5", "6"]
    assert re.findall(r'<text class="here"[^>]*>(\w+)<', svg) == ["VERIFY"]
    assert "PREFLIGHT --> INSPECT: (1, 5) every check holds, or is awaited" in diagram.mermaid(TRAIL)
    assert "CLASSIFY --> BLOCKED: 3" in diagram.mermaid(TRAIL)
    assert 'INSPECT -> VERIFY [label="(6) none failed, none pending", penwidth=3]' in diagram.dot(TRAIL)


@pytest.mark.parametrize("trail", [NO_TRAIL, TRAIL])
def test_the_picture_needs_nothing_from_elsewhere(trail: Trail) -> None:
    """No script, no font, no file: it can be put anywhere."""
    svg = diagram.svg(trail)
    assert re.findall(r"https?://[^\"]*", svg) == ["http://www.w3.org/2000/svg"]
    assert not re.search(r"<script|@import|url\(|href", svg)
    assert "prefers-color-scheme:dark" in svg
