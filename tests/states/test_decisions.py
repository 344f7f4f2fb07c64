"""Each state's answers by example: every refusal that there is, and what it means for the caller."""

import ast
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import states
from states import classification
from states.answers import Go, Refusal
from states.approval import Approval
from states.baseline import Baseline
from states.baseline_answers import BaselineFacts
from states.classification import ClassifyFacts
from states.comparison import Difference
from states.deployment import DeployFacts, Failure
from states.effects import Deploy, MarkApplied, MarkRolledBack, Repair
from states.evidence import NO_HANDWORK, Decision, Evidence, Progress, Verdict
from states.exit_codes import Exit
from states.facts import Cause, Check, History, Obstacle, Outcome, Row
from states.inspection import InspectFacts
from states.machine import DECIDES
from states.plans import Loss, Plan, PlannedStatement, Repairs, Way
from states.preflight import PreflightFacts
from states.resolution import ResolveFacts, followed_by
from states.table import State
from states.verification import MigrationDifference, VerifyFacts
from tests.states.strategies import UNKNOWN, row
from tests.states.test_approval import ANSWERS, OBJECTIONS
from tests.states.test_handover import SLOW_OR_BUSY
from tests.states.test_pipeline import REFUSALS as BEHIND_THE_GATE

CLEAN = InspectFacts(History(("m0",), (), ()))
PENDING = InspectFacts(History(("m0",), (), ("m2",)))
FAILED = InspectFacts(History(("m0",), ("m1",), ("m2",)))
HELD = Check("target.identity", Outcome.HELD, "the right one", "the ledger")
REFUSED = Check("target.identity", Outcome.REFUSED, "another one", "the ledger", "Name the right one.")
AWAITED = Check("prisma.target", Outcome.AWAITED, "being looked at", "a listener")
BUSY = Check("deploy.running", Outcome.REFUSED, "pid 7", "pg_locks", "Wait.", busy=True)
EVIDENCE = Evidence(
    migration="m1",
    started_at="2026-01-01",
    applied_steps_count=0,
    logs=None,
    cause=UNKNOWN,
    verdict=Verdict.APPLIED,
    decision=Decision.MARK_APPLIED,
    progress=Progress((1, 1), 1),
    statements=(),
    differences=(),
    reasons=("a reason.",),
    evidence_digest="sha256:1",
)
BASELINE = Baseline(
    Verdict.APPLIED,
    Decision.MARK_APPLIED,
    up_to="m1",
    range=("m1",),
    marked=("m0", "m1"),
    lacking=("m0", "m1"),
    reasons=("a reason.",),
    evidence_digest="sha256:1",
)
ROWS = replace(BASELINE, verdict=Verdict.UNDECIDABLE, decision=Decision.OPERATOR)
NOWHERE = Baseline(Verdict.DRIFTED, Decision.OPERATOR, nearest="m1", reasons=("a reason.",), evidence_digest="sha256:1")
NOTHING = Baseline(Verdict.NOT_APPLIED, Decision.OPERATOR, reasons=("a reason.",), evidence_digest="sha256:1")
SAID = Approval("m1", Decision.MARK_APPLIED, "sha256:1", "because")
OTHERWISE = replace(SAID, evidence_digest="sha256:2")
UNDECIDED = replace(EVIDENCE, verdict=Verdict.UNDECIDABLE, decision=Decision.OPERATOR)
OBSTACLE = Obstacle(2, "duplicates", 3, "3 values of (a) occur more than once in public.t", "SELECT a FROM t;")
RIGHT = Obstacle(3, "privileges", None, "app does not own public.t", "SELECT owner;")
ABSENT = replace(EVIDENCE, verdict=Verdict.NOT_APPLIED, decision=Decision.MARK_ROLLED_BACK)
UNSURE = replace(ABSENT, decision=Decision.OPERATOR, assumptions=(NO_HANDWORK,))
PARTIAL = replace(EVIDENCE, verdict=Verdict.PARTIAL, decision=Decision.OPERATOR)
WAITING = replace(EVIDENCE, verdict=Verdict.IN_PROGRESS, decision=Decision.WAIT)
AS_APPLIED = Approval("m1", Decision.MARK_APPLIED, "sha256:1", "seen in production")
AS_ROLLED_BACK = replace(AS_APPLIED, decision=Decision.MARK_ROLLED_BACK)
#: Of a migration that was never attempted.
STAMPABLE = replace(EVIDENCE, migration="m2", started_at="")
WOULD_FAIL = replace(STAMPABLE, verdict=Verdict.UNDECIDABLE, decision=Decision.OPERATOR)
MAY_DEPLOY = replace(STAMPABLE, verdict=Verdict.DRIFTED, decision=Decision.DEPLOY)
#: Production has nothing of it, and something else that it would fail on.
HINDERED = replace(
    STAMPABLE,
    verdict=Verdict.NOT_APPLIED,
    decision=Decision.DEPLOY,
    obstacles=(Obstacle(1, "duplicates", 2, "2 values of (a) occur more than once in public.t", "SELECT 1;"),),
)
MAY_RUN = replace(STAMPABLE, verdict=Verdict.IN_PROGRESS, decision=Decision.WAIT)
PENDING_AS_APPLIED = replace(AS_APPLIED, migration="m2")


def present(*found: Evidence, approval: Approval | None = None) -> InspectFacts:
    """Nothing failed, m2 is pending, and production has something of these."""
    return replace(PENDING, present=tuple(ClassifyFacts(each, approval=approval) for each in found))


RESOLVED = ResolveFacts(MarkApplied("m1"), shown=True, after=CLEAN)
REPAIRED = ResolveFacts(Repair("m1", Way.COMPLETE, "sha256:plan"), shown=True, after=FAILED)
PLAN = Plan(
    way=Way.COMPLETE,
    ends=2,
    statements=(PlannedStatement("CREATE TABLE b ()", 2),),
    together=True,
    rows=False,
    obstacles=(),
    proof="it ends there",
    digest="sha256:plan",
)
UNDO = replace(PLAN, way=Way.UNDO, digest="sha256:undo")
PLANNED = replace(PARTIAL, repair=Repairs((PLAN, UNDO)))
LOSING = replace(PLAN, statements=(PlannedStatement("DROP TABLE b", loses=(Loss("public.b", 7),)),))
LOSES = replace(PARTIAL, repair=Repairs((LOSING,)))
AS_PLANNED = Approval("m1", Decision.REPAIR, "sha256:plan", "looked at it")
DEPLOYED = DeployFacts(("m2",), CLEAN, consented=True)
VERIFIED = VerifyFacts(CLEAN, changed=False)
EXISTS = Failure("m2", Cause("42P07", "object_exists", transient=False), "ERROR: already exists")
DIFFERS = MigrationDifference("m1", (Difference("table public.x", "exists", "yes", None),))

REFUSALS: list[tuple[State, Any, str, Exit]] = [
    (State.PREFLIGHT, PreflightFacts(()), "preflight.no_checks", Exit.FAILURE),
    (State.PREFLIGHT, PreflightFacts((HELD, REFUSED)), "preflight.target.identity", Exit.PREFLIGHT),
    (State.PREFLIGHT, PreflightFacts((HELD, BUSY)), "preflight.deploy.running", Exit.BUSY),
    (
        State.PREFLIGHT,
        PreflightFacts((replace(HELD, outcome=Outcome.UNKNOWN),)),
        "preflight.target.identity",
        Exit.PREFLIGHT,
    ),
    (
        State.INSPECT,
        InspectFacts(History((), ("m1",), (), missing_locally=("m1",))),
        "inspect.failed_missing",
        Exit.BLOCKED,
    ),
    (State.INSPECT, present(WOULD_FAIL), "deploy.would_fail", Exit.BLOCKED),
    # What can be marked waits: before anything is changed, all that a deploy would fail on is decided.
    (State.INSPECT, present(STAMPABLE, WOULD_FAIL), "deploy.would_fail", Exit.BLOCKED),
    (
        State.INSPECT,
        present(replace(WOULD_FAIL, verdict=Verdict.PARTIAL), approval=PENDING_AS_APPLIED),
        "deploy.would_fail",
        Exit.BLOCKED,
    ),
    (
        State.INSPECT,
        present(WOULD_FAIL, approval=replace(PENDING_AS_APPLIED, evidence_digest="sha256:2")),
        "deploy.would_fail",
        Exit.BLOCKED,
    ),
    (
        State.INSPECT,
        present(WOULD_FAIL, approval=replace(PENDING_AS_APPLIED, decision=Decision.MARK_ROLLED_BACK)),
        "deploy.would_fail",
        Exit.BLOCKED,
    ),
    (State.INSPECT, present(STAMPABLE, HINDERED), "deploy.would_fail", Exit.BLOCKED),
    (State.CLASSIFY, ClassifyFacts(STAMPABLE), "classify.consent", Exit.BLOCKED),
    (State.INSPECT, replace(PENDING, baseline=BaselineFacts(NOWHERE)), "baseline.differs", Exit.BLOCKED),
    (State.INSPECT, replace(PENDING, baseline=BaselineFacts(NOTHING)), "baseline.nothing", Exit.BLOCKED),
    (State.CLASSIFY, BaselineFacts(BASELINE), "baseline.consent", Exit.BLOCKED),
    (State.CLASSIFY, BaselineFacts(ROWS, consented=True), "baseline.rows", Exit.BLOCKED),
    (State.CLASSIFY, BaselineFacts(ROWS, OTHERWISE), "baseline.rows", Exit.BLOCKED),
    (
        State.CLASSIFY,
        BaselineFacts(replace(BASELINE, verdict=Verdict.IN_PROGRESS, decision=Decision.WAIT), consented=True),
        "classify.in_progress",
        Exit.BUSY,
    ),
    (State.CLASSIFY, ClassifyFacts(MAY_RUN), "classify.in_progress", Exit.BUSY),
    (State.CLASSIFY, ClassifyFacts(EVIDENCE), "classify.consent", Exit.BLOCKED),
    (
        State.CLASSIFY,
        ClassifyFacts(replace(ABSENT, obstacles=(OBSTACLE,)), consented=True),
        "classify.cause_holds",
        Exit.BLOCKED,
    ),
    (
        State.CLASSIFY,
        ClassifyFacts(replace(UNDECIDED, obstacles=(OBSTACLE,)), approval=AS_ROLLED_BACK),
        "classify.cause_holds",
        Exit.BLOCKED,
    ),
    (
        State.CLASSIFY,
        ClassifyFacts(replace(UNDECIDED, obstacles=(OBSTACLE,)), consented=True),
        "classify.undecidable",
        Exit.BLOCKED,
    ),
    # Neither consent nor an approval marks anything while the deploy after it would fail.
    (
        State.CLASSIFY,
        ClassifyFacts(EVIDENCE, consented=True, failing_after=(HINDERED,)),
        "classify.deploy_would_fail",
        Exit.BLOCKED,
    ),
    (
        State.CLASSIFY,
        ClassifyFacts(UNDECIDED, approval=AS_APPLIED, failing_after=(WOULD_FAIL,)),
        "classify.deploy_would_fail",
        Exit.BLOCKED,
    ),
    (State.CLASSIFY, ClassifyFacts(UNSURE, consented=True), "classify.assumption", Exit.BLOCKED),
    # After an approved plan was carried out, the assumption is still to be made.
    (State.CLASSIFY, ClassifyFacts(UNSURE, approval=AS_PLANNED), "classify.assumption", Exit.BLOCKED),
    (State.CLASSIFY, ClassifyFacts(WAITING, consented=True), "classify.in_progress", Exit.BUSY),
    (State.CLASSIFY, ClassifyFacts(WAITING, approval=AS_APPLIED), "classify.in_progress", Exit.BUSY),
    (State.CLASSIFY, ClassifyFacts(UNDECIDED, consented=True), "classify.undecidable", Exit.BLOCKED),
    (
        State.CLASSIFY,
        ClassifyFacts(UNDECIDED, approval=replace(AS_APPLIED, evidence_digest="sha256:2")),
        "classify.undecidable",
        Exit.BLOCKED,
    ),
    (State.CLASSIFY, ClassifyFacts(PARTIAL, approval=AS_APPLIED), "classify.partial", Exit.BLOCKED),
    # To agree to what the evidence decides is not to agree to a repair.
    (State.CLASSIFY, ClassifyFacts(PLANNED, consented=True), "classify.partial", Exit.BLOCKED),
    (State.CLASSIFY, ClassifyFacts(PARTIAL, repairing=True), "classify.partial", Exit.BLOCKED),
    (State.CLASSIFY, ClassifyFacts(PLANNED, repairing=True, approval=AS_APPLIED), "classify.partial", Exit.BLOCKED),
    (
        State.CLASSIFY,
        ClassifyFacts(PLANNED, approval=replace(AS_PLANNED, evidence_digest="sha256:other")),
        "classify.partial",
        Exit.BLOCKED,
    ),
    # What would fail is not begun, and what loses rows needs their names and a way back.
    (
        State.CLASSIFY,
        ClassifyFacts(replace(PARTIAL, repair=Repairs((replace(PLAN, obstacles=(OBSTACLE,)),))), repairing=True),
        "classify.partial",
        Exit.BLOCKED,
    ),
    (State.CLASSIFY, ClassifyFacts(LOSES, repairing=True, restorable=True), "classify.partial", Exit.BLOCKED),
    (
        State.CLASSIFY,
        ClassifyFacts(LOSES, repairing=True, discard=frozenset({"public.b"})),
        "classify.partial",
        Exit.BLOCKED,
    ),
    # While it may be running, nothing is repaired.
    (
        State.CLASSIFY,
        ClassifyFacts(replace(WAITING, repair=Repairs((PLAN,))), repairing=True),
        "classify.in_progress",
        Exit.BUSY,
    ),
    (
        State.CLASSIFY,
        ClassifyFacts(EVIDENCE, approval=AS_ROLLED_BACK, consented=True),
        "classify.approval_against_evidence",
        Exit.BLOCKED,
    ),
    (State.CLASSIFY, ClassifyFacts(replace(PARTIAL, verdict=Verdict.DRIFTED)), "classify.drifted", Exit.BLOCKED),
    (
        State.CLASSIFY,
        ClassifyFacts(replace(PARTIAL, verdict=Verdict.APPLIED)),
        "classify.applied",
        Exit.BLOCKED,
    ),
    (
        State.CLASSIFY,
        ClassifyFacts(replace(PARTIAL, verdict=Verdict.NOT_APPLIED)),
        "classify.not_applied",
        Exit.BLOCKED,
    ),
    (State.RESOLVE, replace(RESOLVED, unchanged="the evidence has changed"), "resolve.evidence_changed", Exit.BUSY),
    (State.RESOLVE, replace(RESOLVED, shown=False, output="P1001"), "resolve.not_shown", Exit.BLOCKED),
    (State.RESOLVE, replace(RESOLVED, shown=False, killed="It was killed."), "effect.killed", Exit.BLOCKED),
    (State.DEPLOY, replace(DEPLOYED, after=PENDING, killed="It was killed."), "effect.killed", Exit.BLOCKED),
    (State.RESOLVE, replace(REPAIRED, unchanged="the evidence has changed"), "resolve.evidence_changed", Exit.BUSY),
    (State.RESOLVE, replace(REPAIRED, shown=False, output="42P07."), "repair.failed", Exit.BLOCKED),
    (State.DEPLOY, replace(DEPLOYED, consented=False), "deploy.consent", Exit.BLOCKED),
    (State.DEPLOY, replace(DEPLOYED, unchanged="the pending set has changed"), "deploy.plan_changed", Exit.BUSY),
    (
        State.DEPLOY,
        replace(DEPLOYED, after=FAILED, failures=(EXISTS,), earlier=(EXISTS,)),
        "deploy.failed_again",
        Exit.BLOCKED,
    ),
    (State.DEPLOY, replace(DEPLOYED, after=PENDING), "deploy.still_pending", Exit.BLOCKED),
    (State.VERIFY, replace(VERIFIED, after=PENDING), "verify.history", Exit.BLOCKED),
    (State.VERIFY, replace(VERIFIED, after=FAILED, changed=True), "verify.history", Exit.VERIFY_FAILED),
    (State.VERIFY, replace(VERIFIED, wrong_checksums=("m1",), changed=True), "verify.checksum", Exit.VERIFY_FAILED),
    (State.VERIFY, replace(VERIFIED, differing=(DIFFERS,)), "verify.differs", Exit.BLOCKED),
    (State.VERIFY, replace(VERIFIED, differing=(DIFFERS,), changed=True), "verify.differs", Exit.VERIFY_FAILED),
    (State.VERIFY, replace(VERIFIED, unprovable=("no scratch server.",)), "verify.unprovable", Exit.BLOCKED),
]

MOVES: list[tuple[State, Any, State]] = [
    (State.PREFLIGHT, PreflightFacts((HELD,)), State.INSPECT),
    (State.PREFLIGHT, PreflightFacts((HELD, replace(REFUSED, outcome=Outcome.WAIVED))), State.INSPECT),
    (State.INSPECT, FAILED, State.CLASSIFY),
    (State.INSPECT, PENDING, State.DEPLOY),
    (State.INSPECT, CLEAN, State.VERIFY),
    (State.INSPECT, present(MAY_DEPLOY), State.DEPLOY),
    (State.INSPECT, present(STAMPABLE), State.CLASSIFY),
    (State.INSPECT, present(WOULD_FAIL, MAY_RUN), State.CLASSIFY),
    (State.INSPECT, present(WOULD_FAIL, approval=PENDING_AS_APPLIED), State.CLASSIFY),
    # A person may say of what could be deployed that it is there.
    (State.INSPECT, present(MAY_DEPLOY, approval=PENDING_AS_APPLIED), State.CLASSIFY),
    (State.CLASSIFY, ClassifyFacts(STAMPABLE, consented=True), State.RESOLVE),
    # What the ledger lost comes before what failed, which is judged on the history that the ledger shows.
    (State.INSPECT, replace(FAILED, baseline=BaselineFacts(BASELINE)), State.CLASSIFY),
    (State.INSPECT, replace(PENDING, baseline=BaselineFacts(ROWS)), State.CLASSIFY),
    (State.CLASSIFY, BaselineFacts(BASELINE, consented=True), State.RESOLVE),
    (State.CLASSIFY, BaselineFacts(ROWS, SAID), State.RESOLVE),
    (
        State.RESOLVE,
        ResolveFacts(MarkApplied("m0"), shown=True, after=replace(PENDING, baseline=BaselineFacts(BASELINE))),
        State.INSPECT,
    ),
    (State.CLASSIFY, ClassifyFacts(WOULD_FAIL, approval=PENDING_AS_APPLIED), State.RESOLVE),
    (State.CLASSIFY, ClassifyFacts(MAY_DEPLOY, approval=PENDING_AS_APPLIED), State.RESOLVE),
    (State.RESOLVE, replace(RESOLVED, after=present(STAMPABLE)), State.INSPECT),
    (State.RESOLVE, replace(RESOLVED, after=present(WOULD_FAIL)), State.INSPECT),
    (State.RESOLVE, replace(RESOLVED, after=present(MAY_DEPLOY)), State.DEPLOY),
    (State.INSPECT, InspectFacts(History((), ("m1",), ("m1",)), frozenset({"m1"})), State.DEPLOY),
    # Settled, and failed again since: it is not pending any more.
    (State.INSPECT, InspectFacts(History((), ("m1",), ()), frozenset({"m1"})), State.CLASSIFY),
    (State.CLASSIFY, ClassifyFacts(EVIDENCE, consented=True), State.RESOLVE),
    (State.CLASSIFY, ClassifyFacts(EVIDENCE, approval=AS_APPLIED), State.RESOLVE),
    (State.CLASSIFY, ClassifyFacts(UNDECIDED, approval=AS_ROLLED_BACK), State.RESOLVE),
    # What is marked applied isn't run again.
    (State.CLASSIFY, ClassifyFacts(replace(EVIDENCE, obstacles=(OBSTACLE,)), consented=True), State.RESOLVE),
    (State.CLASSIFY, ClassifyFacts(replace(UNDECIDED, obstacles=(OBSTACLE,)), approval=AS_APPLIED), State.RESOLVE),
    (State.CLASSIFY, ClassifyFacts(PLANNED, repairing=True), State.RESOLVE),
    (State.CLASSIFY, ClassifyFacts(PLANNED, approval=AS_PLANNED), State.RESOLVE),
    (
        State.CLASSIFY,
        ClassifyFacts(PLANNED, approval=replace(AS_PLANNED, evidence_digest="sha256:undo")),
        State.RESOLVE,
    ),
    (
        State.CLASSIFY,
        ClassifyFacts(LOSES, repairing=True, discard=frozenset({"public.b"}), restorable=True),
        State.RESOLVE,
    ),
    # The world is looked at anew after a repair, whatever it was.
    (State.RESOLVE, REPAIRED, State.INSPECT),
    (State.RESOLVE, RESOLVED, State.VERIFY),
    (State.RESOLVE, replace(RESOLVED, after=PENDING), State.DEPLOY),
    (State.RESOLVE, replace(RESOLVED, after=FAILED), State.INSPECT),
    (State.DEPLOY, DEPLOYED, State.VERIFY),
    (State.DEPLOY, replace(DEPLOYED, after=FAILED, failures=(EXISTS,)), State.INSPECT),
    (State.DEPLOY, replace(DEPLOYED, after=FAILED), State.INSPECT),
    (State.VERIFY, VERIFIED, State.PIPELINE_READY),
    (State.VERIFY, replace(VERIFIED, elsewhere=(DIFFERS,)), State.PIPELINE_READY),
]


def decide(state: State, facts: Any) -> Go | Refusal:  # noqa: ANN401 - facts of whichever state
    """What the state answers."""
    return DECIDES[state][1](facts)


@pytest.mark.parametrize(("state", "facts", "code", "exit_code"), REFUSALS, ids=lambda value: str(value)[:40])
def test_refusals(state: State, facts: Any, code: str, exit_code: Exit) -> None:  # noqa: ANN401
    """Each of these facts is refused under this code, with this meaning for the caller."""
    answer = decide(state, facts)
    assert isinstance(answer, Refusal)
    assert (answer.code, answer.exit) == (code, exit_code)


@pytest.mark.parametrize(("state", "facts", "target"), MOVES, ids=lambda value: str(value)[:40])
def test_moves(state: State, facts: Any, target: State) -> None:  # noqa: ANN401
    """Each of these facts leads on, to this state."""
    answer = decide(state, facts)
    assert isinstance(answer, Go)
    assert answer.to is target


def test_every_code_is_refused_by_an_example() -> None:
    """Each `Refusal` in the rules is produced by one of the examples above."""
    patterns = set()
    for path in Path(states.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Refusal":
                code = node.args[0]
                if isinstance(code, ast.Constant):
                    patterns.add(re.escape(str(code.value)))
                else:
                    assert isinstance(code, ast.JoinedStr)
                    parts = (re.escape(str(p.value)) if isinstance(p, ast.Constant) else ".+" for p in code.values)
                    patterns.add("".join(parts))
    produced = {code for _, _, code, _ in REFUSALS} | {code for *_, code in (*OBJECTIONS, *ANSWERS) if code}
    produced.add("approve.not_in_range")  # in test_baseline.py
    produced |= {refusal.code for refusal in (*BEHIND_THE_GATE, *SLOW_OR_BUSY) if isinstance(refusal, Refusal)}
    assert len(patterns) >= 14
    assert [pattern for pattern in patterns if not any(re.fullmatch(pattern, code) for code in produced)] == []


def test_a_wrong_database_is_said_before_a_busy_one() -> None:
    """What only time mends is said last: a wrong database stays wrong however long one waits."""
    answer = decide(State.PREFLIGHT, PreflightFacts((BUSY, REFUSED)))
    assert isinstance(answer, Refusal)
    assert (answer.code, answer.exit) == ("preflight.target.identity", Exit.PREFLIGHT)
    assert "1 more" in answer.fact


def test_what_is_awaited_lets_the_evidence_be_gathered() -> None:
    """It is named, since a change still needs it; and it hides no refusal."""
    answer = decide(State.PREFLIGHT, PreflightFacts((HELD, AWAITED)))
    assert isinstance(answer, Go)
    assert answer.because == "1 check holds, prisma.target is awaited before the first change"
    refusal = decide(State.PREFLIGHT, PreflightFacts((AWAITED, REFUSED)))
    assert isinstance(refusal, Refusal)
    assert refusal.code == "preflight.target.identity"


@pytest.mark.parametrize("consented", [True, False])
def test_evidence_and_an_approval_that_contradict_stop_the_run(consented: bool) -> None:  # noqa: FBT001
    """Where a person and the evidence say different things, neither is acted on, whoever agreed to the change."""
    facts = ClassifyFacts(EVIDENCE, approval=AS_ROLLED_BACK, consented=consented)
    assert not facts.approved
    assert classification.resolution(facts) is None
    answer = decide(State.CLASSIFY, facts)
    assert isinstance(answer, Refusal)
    assert answer.code == "classify.approval_against_evidence"
    assert answer.fact.startswith("The evidence decides that m1 is to be marked applied, and the approval says rolled")
    assert "approve m1 --applied --evidence sha256:1" in answer.commands[0].line
    turned = replace(facts, approval=AS_APPLIED)
    assert decide(State.CLASSIFY, turned).to is State.RESOLVE


def test_an_approval_of_other_evidence_does_not_stand_against_a_decision() -> None:
    """What was approved before production changed is void, and the evidence as it is now decides."""
    old = replace(AS_ROLLED_BACK, evidence_digest="sha256:2")
    assert decide(State.CLASSIFY, ClassifyFacts(EVIDENCE, approval=old, consented=True)).to is State.RESOLVE


@pytest.mark.parametrize("known", ["of the facts", "of the evidence"])
def test_a_script_that_ran_to_its_end_is_never_approved_as_rolled_back(known: str) -> None:
    """No approval makes Prisma run a script again that it counted as run to its end."""
    ran = known == "of the facts"
    evidence = UNDECIDED if ran else replace(UNDECIDED, applied_steps_count=1)
    facts = ClassifyFacts(evidence, ran_to_its_end=ran, approval=AS_ROLLED_BACK, consented=True)
    assert decide(State.CLASSIFY, facts).to is State.BLOCKED
    assert decide(State.CLASSIFY, replace(facts, approval=AS_APPLIED)).to is State.RESOLVE


def test_what_would_fail_again_is_said_with_its_statement_and_its_query() -> None:
    """The refusal names migration, statement and count; the remedy has each query on a line of its own."""
    answer = decide(State.CLASSIFY, ClassifyFacts(replace(ABSENT, obstacles=(OBSTACLE, RIGHT)), consented=True))
    assert isinstance(answer, Refusal)
    assert answer.fact == (
        "m1 would fail again. Statement 2: 3 values of (a) occur more than once in public.t; "
        "statement 3: app does not own public.t. Nothing was changed."
    )
    assert {"SELECT a FROM t;", "SELECT owner;"} < set(answer.remedy.splitlines())
    assert "Clean up" in answer.remedy
    assert "Grant" in answer.remedy


def test_a_void_approval_is_mentioned() -> None:
    """Who has approved something else learns that it didn't count."""
    answer = decide(State.CLASSIFY, ClassifyFacts(UNDECIDED, approval=replace(AS_APPLIED, evidence_digest="sha256:2")))
    assert "void" in answer.because


def test_an_approved_plan_that_loses_rows_is_not_void_but_wants_them_named() -> None:
    """The approval counts; the remedy and its command say what else the plan needs."""
    answer = decide(State.CLASSIFY, ClassifyFacts(LOSES, approval=AS_PLANNED))
    assert isinstance(answer, Refusal)
    assert "void" not in answer.fact
    assert "It loses 7 rows of public.b, and nobody agreed to that." in answer.remedy
    assert answer.commands[0].line == "prisma-recovery run --repair --discard-rows public.b --restore-point pg_dump"


def test_another_cause_is_another_failure() -> None:
    """The same migration for the same cause, or twice without one, is the same failure; another cause isn't."""
    unknown = Failure("m2", UNKNOWN)
    assert EXISTS.same_as(replace(EXISTS, logs="other words"))
    assert unknown.same_as(Failure("m2", UNKNOWN))
    assert not EXISTS.same_as(unknown)
    assert not EXISTS.same_as(replace(EXISTS, migration="m3"))


def test_effects_have_stable_names() -> None:
    """An effect has the same id on every run, and different effects have different ones."""
    ids = [MarkApplied("m1").id, MarkRolledBack("m1").id, Deploy(("m1", "m2")).id, Deploy(("m2", "m1")).id]
    assert ids == ["mark_applied:m1", "mark_rolled_back:m1", "deploy:m1,m2", "deploy:m2,m1"]


ATTEMPT = row(1)


@pytest.mark.parametrize(
    ("evidence", "attempt", "again"),
    [
        (ABSENT, ATTEMPT, True),
        (UNDECIDED, ATTEMPT, True),
        (replace(PARTIAL, verdict=Verdict.DRIFTED), ATTEMPT, True),
        (EVIDENCE, ATTEMPT, False),
        (PARTIAL, ATTEMPT, False),
        (WAITING, ATTEMPT, False),
        (ABSENT, row(1, finished=True), False),
        (UNDECIDED, row(1, steps=1), False),
    ],
)
def test_a_script_may_be_run_again_where_it_could_be_marked_rolled_back(
    evidence: Evidence,
    attempt: Row,
    again: bool,  # noqa: FBT001
) -> None:
    """Nobody is told what would make a script fail that no answer runs again."""
    assert classification.may_run_again(evidence, [attempt]) is again


@pytest.mark.parametrize(
    ("mark", "before", "present", "coming"),
    [
        (MarkApplied("m1"), FAILED, (), ("m2",)),
        (MarkRolledBack("m1"), FAILED, (), ("m1", "m2")),
        (MarkRolledBack("m1"), InspectFacts(History(("m1",), ("m1",), ())), (), None),
        (MarkApplied("m2"), PENDING, ("m2",), None),
        (MarkApplied("m1"), InspectFacts(History((), ("m1",), ())), (), None),
        (MarkApplied("m1"), InspectFacts(History((), ("m1", "m3"), ("m2",))), (), None),
        (MarkApplied("m2"), InspectFacts(History((), (), ("m2", "m3", "m4"))), ("m2", "m3"), None),
        (MarkApplied("m2"), InspectFacts(History((), (), ("m2", "m3"))), ("m2",), ("m3",)),
    ],
)
def test_a_deploy_is_begun_beside_a_mark_where_nothing_else_comes_first(
    mark: MarkApplied | MarkRolledBack, before: InspectFacts, present: tuple[str, ...], coming: tuple[str, ...] | None
) -> None:
    """RULES F13: not where another migration failed, or is in production already, and not where nothing is pending."""
    assert followed_by(mark, before, present) == (None if coming is None else Deploy(coming))


@pytest.mark.parametrize(
    ("evidence", "history", "begun", "looks"),
    [
        (EVIDENCE, FAILED.history, False, True),
        (EVIDENCE, FAILED.history, True, False),  # a mark that was begun is finished first
        (UNDECIDED, FAILED.history, False, False),  # nothing is marked
        (replace(ABSENT, obstacles=(OBSTACLE,)), FAILED.history, False, False),  # it fails by itself
        (EVIDENCE, History(("m0",), ("m1",), ()), False, False),  # no deploy follows
        (EVIDENCE, History(("m0",), (), ("m1", "m2")), False, False),  # it is pending, and was compared with the others
    ],
)
def test_when_the_deploy_after_a_mark_is_looked_at(
    evidence: Evidence, history: History, *, begun: bool, looks: bool
) -> None:
    """Only where it could refuse the mark."""
    assert classification.looks_ahead(ClassifyFacts(evidence), history, begun=begun) is looks
