"""The table of edges, and the machine that is built from it."""

import inspect
from pathlib import Path

import states.table
from states.machine import DECIDES, TRANSITIONS, RecoveryMachine
from states.table import EDGES, FINAL, PATH, State

S = State
PAIRS = [(edge.source, edge.target) for edge in EDGES]


def reachable(start: State, pairs: list[tuple[State, State]]) -> set[State]:
    """Every state that edges lead to from `start`, itself included."""
    found, waiting = {start}, [start]
    while waiting:
        here = waiting.pop()
        further = {target for source, target in pairs if source is here} - found
        found |= further
        waiting.extend(further)
    return found


def test_rows_are_unique() -> None:
    """No edge is in the table twice: transitions would take the first and hide the second."""
    assert len(set(PAIRS)) == len(PAIRS)


def test_rows_are_those_of_the_design() -> None:
    """The moves of a recovery are these and no others."""
    seven = (S.PREFLIGHT, S.INSPECT, S.CLASSIFY, S.RESOLVE, S.DEPLOY, S.VERIFY, S.PIPELINE_READY)
    assert seven == PATH
    assert set(PAIRS) == {
        (S.PREFLIGHT, S.INSPECT),
        (S.INSPECT, S.CLASSIFY),
        (S.INSPECT, S.DEPLOY),
        (S.INSPECT, S.VERIFY),
        (S.CLASSIFY, S.RESOLVE),
        (S.RESOLVE, S.INSPECT),
        (S.RESOLVE, S.DEPLOY),
        (S.RESOLVE, S.VERIFY),
        (S.DEPLOY, S.VERIFY),
        (S.DEPLOY, S.INSPECT),
        (S.VERIFY, S.PIPELINE_READY),
        *((state, S.BLOCKED) for state in seven[:-1]),
        (S.BLOCKED, S.PREFLIGHT),
        *((state, S.ABORTED) for state in (*seven[:-1], S.BLOCKED)),
    }


def test_every_row_says_when() -> None:
    """Each edge carries the condition that the diagram shows."""
    assert all(edge.when.strip() for edge in EDGES)


def test_every_state_is_reachable() -> None:
    """No state is left out: a recovery that begins at PREFLIGHT can come to each."""
    assert reachable(S.PREFLIGHT, PAIRS) == set(State)


def test_every_state_can_end() -> None:
    """From every state a final one can be reached, so no recovery is trapped."""
    assert all(reachable(state, PAIRS) & set(FINAL) for state in State)


def test_final_states_keep_what_they_are() -> None:
    """No edge leaves PIPELINE_READY or ABORTED: a later `run` starts a new recovery."""
    assert set(FINAL) == {S.PIPELINE_READY, S.ABORTED}
    assert not {pair for pair in PAIRS if pair[0] in FINAL}


def test_machine_has_no_trigger_that_bypasses_guards() -> None:
    """`to_X` triggers don't exist, nor any trigger but the four that the machine fires itself."""
    machine = RecoveryMachine()
    assert not [name for name in dir(machine) if name.startswith("to_")]
    triggers = {name for state in State for name in TRANSITIONS.get_triggers(state.value)}
    assert triggers == {"_advance", "_block", "_abort", "_rerun"}


def test_machine_has_the_edges_of_the_table() -> None:
    """What transitions can do is what the table says, edge for edge."""
    built = [
        (State(t.source), State(t.dest))
        for event in TRANSITIONS.events.values()
        for by_source in event.transitions.values()
        for t in by_source
    ]
    assert sorted(built) == sorted(PAIRS)


def test_machine_is_not_queued() -> None:
    """A queued machine answers True when a guard refused."""
    assert not TRANSITIONS.has_queue


def test_every_state_but_the_ends_decides() -> None:
    """Each state of the path up to VERIFY has a module that decides; the others have nothing to decide."""
    assert set(DECIDES) == set(PATH[:-1])


def test_table_fits_on_a_screen() -> None:
    """The table can be read in one look."""
    source = Path(inspect.getfile(states.table)).read_text("utf-8")
    assert len(source[source.index("class Edge") :].splitlines()) <= 80
