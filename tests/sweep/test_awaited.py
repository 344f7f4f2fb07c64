"""A check that PREFLIGHT left awaited is demanded before the first change, and before the gate is opened."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from recovery.journal.run_record import Kind
from recovery.run.engine import Engine
from recovery.testing import MemoryWorld
from states.exit_codes import Exit
from states.facts import Check, Outcome
from states.table import State
from tests.sweep.rehearsal import Rehearsal
from tests.sweep.scenarios import absent, drifted, nothing_wrong


class Settling:
    """A world in which what was awaited comes out like this."""

    def __init__(self, world: MemoryWorld, outcome: Outcome) -> None:
        self._world = world
        self._outcome = outcome

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the world has
        return getattr(self._world, name)

    def settled(self, checks: tuple[Check, ...], *, wait: bool = True) -> tuple[Check, ...]:  # noqa: ARG002 - no time
        """See `World.settled`."""
        return tuple(replace(c, outcome=self._outcome) if c.outcome is Outcome.AWAITED else c for c in checks)


def rehearse(scenario: Callable[[], Rehearsal], outcome: Outcome) -> Rehearsal:
    """A scenario in which the awaited check ends like this."""

    class Awaiting(Engine):
        """In that world."""

        def __init__(self, world: MemoryWorld, *ports: Any) -> None:  # noqa: ANN401 - those of the engine
            super().__init__(Settling(world, outcome), *ports)

    rehearsal = scenario()
    rehearsal.engine = Awaiting
    return rehearsal


def nothing_to_do() -> Rehearsal:
    """All is deployed already."""
    rehearsal = nothing_wrong()
    rehearsal.through()
    rehearsal.commands.clear()
    return rehearsal


SCENARIOS = pytest.mark.parametrize(
    ("scenario", "state"), [(absent, State.RESOLVE), (nothing_wrong, State.DEPLOY), (nothing_to_do, State.VERIFY)]
)


@SCENARIOS
@pytest.mark.parametrize("outcome", [Outcome.REFUSED, Outcome.UNKNOWN, Outcome.AWAITED])
def test_what_does_not_hold_stops_before_any_change(
    scenario: Callable[[], Rehearsal], state: State, outcome: Outcome
) -> None:
    """In whichever state it is demanded; nothing was begun, and the journal has how it came out."""
    rehearsal = rehearse(scenario, outcome)
    ended = rehearsal.once()
    assert ended is not None
    assert ended.refusal is not None
    assert (ended.refusal.code, ended.exit_code) == ("preflight.prisma.target", Exit.PREFLIGHT)
    assert rehearsal.commands == []
    events = rehearsal.journal().events(ended.run)
    assert Kind.INTENDED not in [event.kind for event in events]
    checked = [
        (event.state, event.payload["prisma.target"]["outcome"]) for event in events if event.kind == Kind.CHECKED
    ]
    made = [] if outcome is Outcome.AWAITED else [(state, outcome)]
    assert checked == [(State.PREFLIGHT, Outcome.AWAITED), *made]


@SCENARIOS
@pytest.mark.parametrize("outcome", [Outcome.HELD, Outcome.WAIVED])
def test_what_holds_is_demanded_once(scenario: Callable[[], Rehearsal], state: State, outcome: Outcome) -> None:
    """Each process looks once, before its first change, and goes on."""
    rehearsal = rehearse(scenario, outcome)
    ended = rehearsal.through()
    assert ended.exit_code is Exit.READY
    events = rehearsal.journal().events(ended.run)
    checked = [event.state for event in events if event.kind == Kind.CHECKED]
    assert checked == [State.PREFLIGHT, state]
    intended = [event.seq for event in events if event.kind == Kind.INTENDED]
    settled = [event.seq for event in events if event.kind == Kind.CHECKED][1]
    assert all(settled < seq for seq in intended)


@pytest.mark.parametrize("outcome", [Outcome.HELD, Outcome.REFUSED])
def test_a_run_that_stops_for_something_else_tells_how_it_came_out(outcome: Outcome) -> None:
    """Whoever mends the one is not to meet the other only afterwards; what it stops for stays the first."""
    rehearsal = rehearse(drifted, outcome)
    ended = rehearsal.once()
    assert ended is not None
    assert ended.refusal is not None
    assert ended.refusal.code == "classify.drifted"
    events = rehearsal.journal().events(ended.run)
    checked = [
        (event.state, event.payload["prisma.target"]["outcome"]) for event in events if event.kind == Kind.CHECKED
    ]
    assert checked == [(State.PREFLIGHT, Outcome.AWAITED), (State.CLASSIFY, outcome)]
