"""Draws the machine from its table of edges, as Mermaid, DOT or SVG; optionally with the moves of a run.

The states from PREFLIGHT to PIPELINE_READY form a line. The other states, to which nearly every state leads, stand
apart.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from recovery.report.drawing import drawn
from states.table import EDGES, FINAL, PATH, Edge, State


@dataclass(frozen=True, slots=True)
class Trail:
    """The moves of a run through the machine.

    Attributes:
        moves: source and target of each move, in order.
        current: the state in which the run is; None without a run.
    """

    moves: tuple[tuple[State, State], ...] = ()
    current: State | None = None

    def numbers(self, source: State, target: State) -> tuple[int, ...]:
        """The numbers of the run's moves from `source` to `target`; its first move is 1."""
        return tuple(n for n, move in enumerate(self.moves, 1) if move == (source, target))

    @property
    def visited(self) -> frozenset[State]:
        """The states that the run has been in."""
        return frozenset(state for move in self.moves for state in move) | ({self.current} if self.current else set())


NO_TRAIL = Trail()


def apart(edges: Sequence[Edge] = EDGES) -> tuple[State, ...]:
    """The states that are not on the path to PIPELINE_READY, in the table's order."""
    ends = dict.fromkeys(state for edge in edges for state in (edge.source, edge.target))
    return tuple(state for state in ends if state not in PATH)


def mermaid(trail: Trail = NO_TRAIL, edges: Sequence[Edge] = EDGES) -> str:
    """A Mermaid state diagram; arrows to the states apart bear no condition, since there are so many."""
    aside = apart(edges)
    lines = ["stateDiagram-v2", f"    [*] --> {PATH[0]}"]
    lines += [f"    {e.source} --> {e.target}: {_words(e, trail)}" for e in edges if e.target not in aside]
    for state in aside:
        for edge in edges:
            if edge.target is state:
                went = _went(trail, edge)
                lines.append(f"    {edge.source} --> {edge.target}{f': {went}' if went else ''}")
    lines += [f"    {state} --> [*]" for state in FINAL]
    if trail.visited:
        lines.append("    classDef visited stroke-width:3px,font-weight:bold")
        lines += [f"    class {state} visited" for state in State if state in trail.visited]
    return "\n".join(lines) + "\n"


def _words(edge: Edge, trail: Trail) -> str:
    went = _went(trail, edge)
    return f"({went}) {edge.when}" if went else edge.when


def _went(trail: Trail, edge: Edge) -> str:
    return ", ".join(map(str, trail.numbers(edge.source, edge.target)))


def dot(trail: Trail = NO_TRAIL, edges: Sequence[Edge] = EDGES) -> str:
    """A graph in DOT, for Graphviz."""
    aside = apart(edges)
    lines = [
        "digraph recovery {",
        "    rankdir=TB; bgcolor=transparent;",
        '    node [shape=box, style=rounded, fontname="sans-serif"];',
        '    edge [fontname="sans-serif", fontsize=10];',
    ]
    for state in (*PATH, *aside):
        looks = [*(["peripheries=2"] if state in FINAL else []), *(["penwidth=3"] if state in trail.visited else [])]
        lines.append(f"    {state} [{', '.join(looks)}];" if looks else f"    {state};")
    for edge in edges:
        went = _went(trail, edge)
        common = edge.target in aside
        label = went if common else _words(edge, trail)
        looks = [
            *([f"label={_quoted(label)}"] if label else []),
            *(["penwidth=3"] if went else []),
            *(["style=dashed"] if common and not went else []),
        ]
        lines.append(f"    {edge.source} -> {edge.target} [{', '.join(looks)}];")
    return "\n".join([*lines, "}"]) + "\n"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def svg(trail: Trail = NO_TRAIL, edges: Sequence[Edge] = EDGES, *, legend: bool = True) -> str:
    """A self-contained SVG, light or dark as its viewer prefers.

    Args:
        trail: the run's moves, drawn in colour and numbered; without a run, every move within the path is numbered.
        edges: the table of edges.
        legend: explain the numbers below the picture; false for a page that explains them itself.
    """
    shown = [edge for edge in edges if edge.target not in apart(edges)]
    if trail.moves:
        names = {edge: _went(trail, edge) for edge in edges}
        known = {(edge.source, edge.target): edge.when for edge in edges}
        words = [(str(n), f"{a} → {b}", known.get((a, b), "")) for n, (a, b) in enumerate(trail.moves, 1)]
    else:
        names = {edge: str(n) for n, edge in enumerate(shown, 1)}
        words = [(names[edge], f"{edge.source} → {edge.target}", edge.when) for edge in shown]
        words += [
            ("", f"to {state}", next(edge.when for edge in edges if edge.target is state)) for state in apart(edges)
        ]
    return drawn(edges, apart(edges), names, words if legend else [], trail.visited, trail.current)


FORMATS: dict[str, Callable[[Trail], str]] = {"mermaid": mermaid, "dot": dot, "svg": svg}
