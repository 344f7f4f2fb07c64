"""Asked to stop, at every instant at which a run looks for that: it ends there, and the next one goes on."""

from functools import partial
from itertools import count

import pytest

from recovery.journal.run_record import record_of
from recovery.run.engine import Engine
from recovery.testing import Ticks
from states.exit_codes import Exit
from states.table import State
from tests.sweep.rehearsal import STEPS, Rehearsal
from tests.sweep.scenarios import SCENARIOS


def stopped(rehearsal: Rehearsal, at: int) -> bool:
    """Runs it once, asked to stop by the time that it looks for the `at`-th time; whether it looked so often."""
    looks = count(1)
    rehearsal.engine = partial(Engine, stopping=lambda: next(looks) >= at)
    ended = rehearsal.once()
    rehearsal.engine = Engine
    if next(looks) <= at:
        return False
    assert ended is not None
    assert ended.refusal is not None
    assert (ended.exit_code, ended.state, ended.refusal.code) == (Exit.INTERRUPTED, State.BLOCKED, "engine.stopped")
    assert record_of(rehearsal.journal().events(ended.run)).in_doubt == "", "it stopped where an effect is in doubt"
    return True


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_run_that_was_stopped_is_resumed(name: str) -> None:
    """Wherever it stops nothing is in doubt, and the run that follows brings about the same end."""
    scenario, expected = SCENARIOS[name], SCENARIOS[name].make()
    expected.through()
    for at in count(1):
        rehearsal = scenario.make()
        if not stopped(rehearsal, at):
            break
        ended = rehearsal.through()
        assert (ended.exit_code, ended.state) == (scenario.exit_code, scenario.state), at
        assert rehearsal.world() == expected.world(), at
        rehearsal.check_journal()
    assert at > 3


def test_asked_before_it_begins_it_changes_nothing() -> None:
    """The request may come first: then nothing is even looked at."""
    rehearsal = SCENARIOS["absent"].make()
    before = rehearsal.world()
    assert stopped(rehearsal, 1)
    assert rehearsal.world() == before
    assert rehearsal.commands == []


def test_a_pipeline_stops_between_its_steps() -> None:
    """The step at work ends and is recorded; the next is not begun, and the next call goes on with it."""
    rehearsal = SCENARIOS["exists"].make()
    ended = rehearsal.through()
    rehearsal.steps = STEPS
    runner = rehearsal._pipeline(rehearsal.journal(), Ticks())  # noqa: SLF001 - our own
    stopped = runner.run(ended.run, lambda _: None, lambda: bool(rehearsal.ran))
    assert stopped.refusal is not None
    assert (stopped.exit_code, stopped.refusal.code) == (Exit.INTERRUPTED, "pipeline.stopped")
    assert rehearsal.ran == [STEPS[0].name]
    assert rehearsal.through().exit_code is Exit.READY
    assert rehearsal.ran == [step.name for step in STEPS]
