"""What holds on every path through the machine, whatever is observed on the way."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from states.answers import Answer, Go, Refusal
from states.approval import Approval
from states.baseline_answers import BaselineFacts
from states.classification import ClassifyFacts, repair, resolution
from states.comparison import differences
from states.deployment import DeployFacts
from states.effects import MarkApplied, MarkRolledBack
from states.evidence import Decision, Verdict
from states.exit_codes import Exit
from states.facts import History, Subject, Visibility
from states.inspection import InspectFacts
from states.machine import DECIDES, Facts, ImpossibleMoveError, RecoveryMachine
from states.resolution import ResolveFacts
from states.table import EDGES, PATH, State
from states.verdict import judge
from states.verification import VerifyFacts
from tests.states.strategies import FACTS, TARGET, UNKNOWN, pending_subjects

DECIDING = sorted(DECIDES)
HISTORY = History((), (), ())
REFUSAL = Refusal("journal.full", "The disk is full.", "Make room, and run again.", Exit.FAILURE)


@st.composite
def moves(draw: st.DrawFn) -> tuple[State, Any]:
    """A state that decides, and facts of its kind."""
    state = draw(st.sampled_from(DECIDING))
    return state, draw(FACTS[state])


def after(facts: Facts) -> InspectFacts | None:
    """Ledger and folder in these facts, if they hold them."""
    if isinstance(facts, InspectFacts):
        return facts
    return facts.after if isinstance(facts, ResolveFacts | DeployFacts | VerifyFacts) else None


def check_resolve(facts: Facts) -> None:
    """RESOLVE is reached only by a decision with consent, or by an approval of exactly this evidence."""
    if isinstance(facts, BaselineFacts):
        found, given = facts.baseline, facts.approval
        assert facts.marks
        assert facts.marks == found.lacking[: len(facts.marks)]
        if not (facts.consented and found.decision is Decision.MARK_APPLIED):
            assert given is not None
            assert given.evidence_digest == found.evidence_digest
            assert given.migration in found.range
            assert found.verdict in (Verdict.APPLIED, Verdict.UNDECIDABLE)
        return
    assert isinstance(facts, ClassifyFacts)
    evidence, approval = facts.evidence, facts.approval
    effect = resolution(facts)
    if effect is None:
        check_repair(facts)
        return
    assert effect.migration == evidence.migration
    assert isinstance(effect, MarkApplied) or not evidence.obstacles
    kinds = {Decision.MARK_APPLIED: MarkApplied, Decision.MARK_ROLLED_BACK: MarkRolledBack}
    if facts.consented and evidence.decision in kinds:
        assert isinstance(effect, kinds[evidence.decision])
        return
    assert approval is not None
    assert (approval.migration, approval.evidence_digest) == (evidence.migration, evidence.evidence_digest)
    assert isinstance(effect, kinds[approval.decision])
    assert evidence.verdict not in (Verdict.PARTIAL, Verdict.IN_PROGRESS)
    if evidence.decision in kinds:
        assert approval.decision is evidence.decision
    if facts.ran_to_its_end or evidence.applied_steps_count >= 1:
        assert isinstance(effect, MarkApplied) or evidence.decision is Decision.MARK_ROLLED_BACK


def check_repair(facts: ClassifyFacts) -> None:
    """A repair is one of the proven plans, agreed to as such; nothing is in its way, and no row is lost unasked."""
    evidence, approval, effect = facts.evidence, facts.approval, repair(facts)
    assert effect is not None
    assert evidence.decision is Decision.OPERATOR
    (plan,) = [plan for plan in evidence.repair.plans if plan.digest == effect.plan]
    assert (effect.migration, effect.way, plan.obstacles) == (evidence.migration, plan.way, ())
    assert {loss.name for loss in plan.losses} <= facts.discard
    assert facts.restorable or not plan.losses
    approved = approval is not None and approval.decision is Decision.REPAIR and approval.evidence_digest == plan.digest
    assert facts.repairing or approved


def check_deploy(facts: Facts) -> None:
    """DEPLOY is reached only if nothing failed is unsettled, and something is pending."""
    seen = after(facts)
    assert seen is not None
    unfinished = [name for name in seen.history.failed if name not in seen.history.pending]
    assert not unfinished
    assert not [name for name in seen.history.failed if name not in seen.settled]
    assert seen.history.pending
    assert seen.baseline is None or not seen.baseline.asks
    for each in seen.present:
        assert each.evidence.decision not in (Decision.MARK_APPLIED, Decision.WAIT)
        assert each.approved or each.evidence.decision is not Decision.OPERATOR


def check_verify(facts: Facts) -> None:
    """VERIFY is reached only if nothing is failed and nothing is pending."""
    seen = after(facts)
    assert seen is not None
    assert not seen.history.failed
    assert not seen.history.pending


def check_ready(facts: Facts) -> None:
    """The gate opens only from VERIFY, with nothing failed, pending, differing, unprovable or of a wrong checksum."""
    assert isinstance(facts, VerifyFacts)
    check_verify(facts)
    assert (facts.differing, facts.unprovable, facts.wrong_checksums) == ((), (), ())


CHECKS: dict[State, Callable[[Facts], None]] = {
    State.RESOLVE: check_resolve,
    State.DEPLOY: check_deploy,
    State.VERIFY: check_verify,
    State.PIPELINE_READY: check_ready,
}


def every_answer_is_an_edge(state: State, facts: Facts, answer: Answer) -> None:
    """Whatever a state observes, it has one answer, and the machine can go where that answer leads."""
    assert (state, answer.to) in {(edge.source, edge.target) for edge in EDGES}
    assert DECIDES[state][1](facts) == answer
    assert answer.because.strip()


def each_move_has_its_condition(state: State, facts: Facts, answer: Answer) -> None:
    """RESOLVE, DEPLOY, VERIFY and the open gate are reached only under their conditions."""
    if answer.to in CHECKS:
        CHECKS[answer.to](facts)
    if answer.to is State.PIPELINE_READY:
        assert state is State.VERIFY


def a_refusal_names_fact_and_remedy(_: State, __: Facts, answer: Answer) -> None:
    """BLOCKED always comes with a code, a fact, a remedy and an exit code that is not success."""
    if answer.to is State.BLOCKED:
        assert isinstance(answer, Refusal)
        assert answer.code.strip()
        assert answer.fact.strip()
        assert answer.remedy.strip()
        assert answer.exit not in (Exit.READY, Exit.USAGE)
    else:
        assert isinstance(answer, Go)


def what_needs_consent_is_refused_without_it(_: State, facts: Facts, answer: Answer) -> None:
    """Without consent nothing is resolved from evidence alone, and DEPLOY never goes on."""
    if isinstance(facts, DeployFacts) and not facts.consented:
        assert answer.to is State.BLOCKED
    agreed = isinstance(facts, ClassifyFacts | BaselineFacts) and (facts.consented or facts.approval is not None)
    repairing = isinstance(facts, ClassifyFacts) and facts.repairing
    if isinstance(facts, ClassifyFacts | BaselineFacts) and not (agreed or repairing):
        assert answer.to is State.BLOCKED


#: Drawing a move takes longer than making it, so that all are asked of each.
HOLDS = (
    every_answer_is_an_edge,
    each_move_has_its_condition,
    a_refusal_names_fact_and_remedy,
    what_needs_consent_is_refused_without_it,
)


@given(moves())
@settings(max_examples=400)
def test_what_holds_of_every_move(move: tuple[State, Any]) -> None:
    """No answer of the machine, to whatever is observed, breaks one of the promises above."""
    state, facts = move
    machine = RecoveryMachine(state)
    answer = machine.advance(facts)
    assert machine.current is answer.to
    for holds in HOLDS:
        holds(state, facts, answer)


@given(st.data())
@settings(max_examples=150)
def test_walks_keep_the_conditions(data: st.DataObject) -> None:
    """On any walk, the gate is open only after a VERIFY in this very walk, and BLOCKED is left by two moves only."""
    machine = RecoveryMachine()
    path = [machine.current]
    for _ in range(data.draw(st.integers(1, 25))):
        here = machine.current
        if here in DECIDES:
            facts: Any = data.draw(FACTS[here])
            if machine.advance(facts).to in CHECKS:
                CHECKS[machine.current](facts)
        elif here is State.BLOCKED:
            move = data.draw(st.sampled_from(("rerun", "rerun", "abort")))
            machine.rerun() if move == "rerun" else machine.abort("enough")
            assert machine.current is (State.PREFLIGHT if move == "rerun" else State.ABORTED)
        else:
            break
        path.append(machine.current)
    for before, now in pairwise(path):
        assert (now is State.PREFLIGHT) <= (before is State.BLOCKED)
        assert (now is State.PIPELINE_READY) <= (before is State.VERIFY)
        assert (now is State.RESOLVE) <= (before is State.CLASSIFY)
        assert (now is State.CLASSIFY) <= (before is State.INSPECT)


@given(pending_subjects())
@settings(max_examples=400)
def test_what_was_never_attempted_is_marked_only_as_applied(subject: Subject) -> None:
    """Of a pending migration nothing is rolled back, and it is marked only with all of it seen in production."""
    evidence = judge(subject, UNKNOWN, TARGET, ())
    assert evidence.decision is not Decision.MARK_ROLLED_BACK
    if evidence.decision is Decision.MARK_APPLIED:
        (replay,) = subject.replays
        assert evidence.verdict is Verdict.APPLIED
        assert replay.complete
        assert (subject.ahead, subject.unreplayed, subject.running) == ((), (), ())
        assert {s.visibility for s in replay.statements} <= {Visibility.SEEN, Visibility.INERT}
        assert differences(replay, replay.total, subject.production) == ()
        assert differences(replay, 0, subject.production)
    for way in (Decision.MARK_ROLLED_BACK, Decision.DEPLOY, Decision.WAIT):
        approval = Approval("m1", way, evidence.evidence_digest, "because")
        assert not ClassifyFacts(evidence, approval=approval).approved


@pytest.mark.parametrize("state", State)
def test_only_rerun_and_abort_leave_blocked(state: State) -> None:
    """`rerun` works from BLOCKED and from nowhere else."""
    machine = RecoveryMachine(state)
    if state is State.BLOCKED:
        machine.rerun()
        assert machine.current is State.PREFLIGHT
    else:
        with pytest.raises(ImpossibleMoveError):
            machine.rerun()
        assert machine.current is state


@pytest.mark.parametrize("state", State)
def test_abort_works_until_the_end(state: State) -> None:
    """A recovery can be given up anywhere but in a final state."""
    machine = RecoveryMachine(state)
    if state in (State.PIPELINE_READY, State.ABORTED):
        with pytest.raises(ImpossibleMoveError):
            machine.abort("enough")
        assert machine.current is state
    else:
        machine.abort("enough")
        assert machine.current is State.ABORTED


@pytest.mark.parametrize("state", State)
def test_refuse_works_on_the_path(state: State) -> None:
    """What keeps a state from observing at all blocks it; where a recovery ended or is blocked, it can't be refused."""
    machine = RecoveryMachine(state)
    if state in PATH[:-1]:
        assert machine.refuse(REFUSAL) is REFUSAL
        assert machine.current is State.BLOCKED
    else:
        with pytest.raises(ImpossibleMoveError):
            machine.refuse(REFUSAL)
        assert machine.current is state


@pytest.mark.parametrize("state", [state for state in State if state not in DECIDES])
def test_states_without_a_decision_do_not_advance(state: State) -> None:
    """A final or blocked recovery never moves by facts."""
    machine = RecoveryMachine(state)
    with pytest.raises(ImpossibleMoveError):
        machine.advance(InspectFacts(HISTORY))
    assert machine.current is state


@pytest.mark.parametrize("state", [state for state in DECIDING if state is not State.INSPECT])
def test_facts_of_another_state_are_refused(state: State) -> None:
    """A state decides from facts of its own kind only."""
    with pytest.raises(ImpossibleMoveError):
        RecoveryMachine(state).advance(InspectFacts(HISTORY))
