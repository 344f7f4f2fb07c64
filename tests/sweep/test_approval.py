"""An approval that says the opposite of what the evidence decides."""

from collections.abc import Callable

import pytest

from recovery.journal.run_record import Kind
from states.table import State
from tests.sweep.rehearsal import FAILED, Rehearsal
from tests.sweep.scenarios import absent, exists


def judged(rehearsal: Rehearsal) -> dict[str, str]:
    """The evidence as the journal has it, of a run that died right after it had classified."""
    for instant in range(1, 100):
        trial = rehearsal.copied()
        assert trial.once(instant) is None, "it ended without having classified"
        events = [event for run in trial.journal().runs() for event in trial.journal().events(run)]
        if events and events[-1].kind == Kind.CLASSIFIED:
            rehearsal.store = trial.store
            return dict(events[-1].payload)
    raise AssertionError("it never classified")


@pytest.mark.parametrize(("scenario", "opposite"), [(exists, "mark_rolled_back"), (absent, "mark_applied")])
def test_a_run_that_meets_one_stops(scenario: Callable[[], Rehearsal], opposite: str) -> None:
    """Neither is acted on, whoever agrees to the change; approved as the evidence says, the run goes on."""
    rehearsal = scenario()
    evidence = judged(rehearsal)
    approval = {"migration": FAILED, "decision": opposite, "evidence": evidence["digest"], "reason": "a mistake"}
    run = rehearsal.journal().runs()[-1]
    rehearsal.journal().append(run, Kind.APPROVED, State.CLASSIFY, approval)
    before = rehearsal.world()
    ended = rehearsal.once()
    assert ended is not None
    assert ended.refusal is not None
    assert (ended.state, ended.refusal.code) == (State.BLOCKED, "classify.approval_against_evidence")
    assert (rehearsal.commands, rehearsal.world()) == ([], before)
    agreeing = approval | {"decision": evidence["decision"]}
    rehearsal.journal().append(run, Kind.APPROVED, State.BLOCKED, agreeing)
    assert rehearsal.through().state is State.PIPELINE_READY
