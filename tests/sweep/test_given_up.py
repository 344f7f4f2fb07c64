"""A person gives a recovery up, or approves, while it is at work: at every instant the run takes that in."""

from itertools import count

import pytest

from recovery.errors import StoppedError
from recovery.journal.run_record import Kind, record_of
from states.machine import RecoveryMachine
from states.table import FINAL, State
from tests.sweep.rehearsal import FAILED, Rehearsal
from tests.sweep.scenarios import SCENARIOS


def given_up(rehearsal: Rehearsal, at: int) -> bool:
    """Runs it once; at that instant a person gives it up, if there is something to give up. Whether there was."""
    found: list[str] = []

    def give_up() -> None:
        journal = rehearsal.journal()
        for run in journal.runs():
            state = record_of(journal.events(run)).state
            if state not in FINAL:
                RecoveryMachine(state).abort("somebody else restores it")
                payload = {"from": state, "to": State.ABORTED, "because": "somebody else restores it"}
                journal.append(run, Kind.MOVED, state, payload)
                found.append(run)

    stopped: StoppedError | None = None
    try:
        rehearsal.once(meanwhile={at: give_up})
    except StoppedError as error:
        stopped = error
    if stopped is not None:
        assert stopped.code == "engine.given_up"
        assert "somebody else restores it" in stopped.fact
    assert bool(found) == (stopped is not None)
    return bool(found)


@pytest.mark.quick
def test_a_run_that_is_given_up_stops_before_its_next_change() -> None:
    """It never ends in a conflict; what it did is recorded, and a new run brings about the same end."""
    scenario = SCENARIOS["exists"]
    expected = scenario.make()
    expected.through()
    heeded = 0
    for at in count(1):
        rehearsal = scenario.make()
        before = [*rehearsal.commands]
        if not given_up(rehearsal, at):
            if at > len(rehearsal.seen[-1]):
                break
            continue
        heeded += 1
        (run,) = rehearsal.journal().runs()
        record = record_of(rehearsal.journal().events(run))
        assert record.state is State.ABORTED
        assert record.in_doubt == "", "what its command did is not recorded"
        begun = len(rehearsal.commands) - len(before)
        ends = [event for event in rehearsal.journal().events(run) if event.kind == Kind.OBSERVED]
        assert len(ends) >= begun
        ended = rehearsal.through()
        assert (ended.exit_code, ended.state) == (scenario.exit_code, scenario.state), at
        assert rehearsal.world() == expected.world(), at
        rehearsal.check_journal()
    assert heeded > 20


@pytest.mark.quick
def test_an_approval_while_a_run_is_at_work_is_taken_in() -> None:
    """Whenever it comes, the run goes on, and ends as it does without."""
    scenario = SCENARIOS["exists"]
    expected = scenario.make()
    expected.through()

    def approve(rehearsal: Rehearsal) -> None:
        journal = rehearsal.journal()
        (run,) = journal.runs()
        record = record_of(journal.events(run))
        if record.state not in FINAL and FAILED in record.evidence:
            digest, decision = (record.evidence[FAILED][key] for key in ("digest", "decision"))
            payload = {"migration": FAILED, "decision": decision, "evidence": digest, "reason": "I looked"}
            journal.append(run, Kind.APPROVED, record.state, payload)
            recorded.append(run)

    recorded: list[str] = []
    for at in count(3):
        rehearsal = scenario.make()
        ended = rehearsal.once(meanwhile={at: lambda rehearsal=rehearsal: approve(rehearsal)})
        if at > len(rehearsal.seen[-1]):
            break
        assert ended is not None
        assert (ended.exit_code, ended.state) == (scenario.exit_code, scenario.state), at
        assert rehearsal.world() == expected.world(), at
        rehearsal.check_journal()
    assert len(recorded) > 10
