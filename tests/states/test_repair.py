"""Which plans of repair the evidence allows, what is in their way, and how they are told."""

import shlex
from dataclasses import replace

import pytest

from states.answers import Refusal
from states.classification import ClassifyFacts, answering, approvals, decide, repairing
from states.comparison import StatementState
from states.evidence import Decision, Evidence, Progress, Verdict
from states.facts import Key, Obstacle, Replay, Row, Statement, Subject, Visibility
from states.plans import Loss, Plan, PlannedStatement, Repairs, Way
from states.repair import (
    Goal,
    answers_after,
    counted,
    covered_by_auto,
    digest,
    goals,
    in_the_way,
    led_to,
    lists,
    plan_of,
    replay_of,
    script_of,
)
from tests.states.strategies import UNKNOWN

ROW = Row("1", "m1", "sum", "2026-01-01", None, None, 0, None)
A, B = ("table public.a", "exists"), ("table public.b", "exists")
FIRST = Statement(1, "CREATE TABLE a ()", Visibility.SEEN)
SECOND = Statement(2, "CREATE TABLE b ()", Visibility.SEEN)
REPLAY = Replay("sum", (FIRST, SECOND), ({}, {A: "yes"}, {A: "yes", B: "yes"}), frozenset({A, B}), frozenset())
EVIDENCE = Evidence(
    migration="m1",
    started_at="2026-01-01",
    applied_steps_count=0,
    logs=None,
    cause=UNKNOWN,
    verdict=Verdict.PARTIAL,
    decision=Decision.OPERATOR,
    progress=Progress((1, 1), 2),
    statements=(StatementState(1, FIRST.sql, "in_place", ""), StatementState(2, SECOND.sql, "absent", "")),
    differences=(),
    reasons=(),
    evidence_digest="sha256:1",
)
DRIFTED = replace(EVIDENCE, verdict=Verdict.DRIFTED)
LOSING = PlannedStatement("DROP TABLE b", loses=(Loss("public.b", 2), Loss("public.c", 0)))
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


def subject(first: Statement = FIRST, second: Statement = SECOND, *, row: Row = ROW, present: str = "sum") -> Subject:
    """A migration that failed once, with these statements."""
    return Subject("m1", (row,), (replace(REPLAY, statements=(first, second)),), present)


def why(subject: Subject, evidence: Evidence = EVIDENCE) -> str:
    """Why the evidence allows no other plan."""
    return " ".join(goals(subject, evidence)[1])


def test_what_is_half_done_can_be_completed_and_undone() -> None:
    """From the step that production equals, to the end or to the beginning."""
    half = (Goal(Way.COMPLETE, 1, 2, (2,), done=(1,)), Goal(Way.UNDO, 1, 0, done=(1,)))
    assert goals(subject(), EVIDENCE) == (half, ())
    assert goals(subject(), DRIFTED) == ((Goal(Way.MEND, 2, 2, (2,), done=(1,)),), ())


@pytest.mark.parametrize("verdict", [each for each in Verdict if each not in (Verdict.PARTIAL, Verdict.DRIFTED)])
def test_nothing_else_is_repaired(verdict: Verdict) -> None:
    """Where the evidence decides there is nothing to repair, and where it can't tell there is nothing to prove."""
    assert goals(subject(), replace(EVIDENCE, verdict=verdict)) == ((), ())
    assert goals(subject(), replace(EVIDENCE, started_at="")) == ((), ())


def test_what_ran_to_its_end_once_is_left_to_a_person() -> None:
    """What production lost since is not known."""
    assert "ran to its end once" in why(subject(row=replace(ROW, applied_steps_count=1)))
    assert "ran to its end once" in why(subject(row=replace(ROW, finished_at="2026-01-02")))


def test_an_edited_file_is_left_to_a_person() -> None:
    """The rest of the file is not the rest of what ran."""
    assert replay_of(subject(present="other")) is None
    assert "did not all run the file as it is now" in why(subject(present="other"))


def test_an_open_statement_is_never_run() -> None:
    """It may have done its work already."""
    open_one = StatementState(2, SECOND.sql, "open", "it writes rows")
    assert "statement 2 may or may not have done its work" in why(
        subject(), replace(EVIDENCE, statements=(EVIDENCE.statements[0], open_one))
    )


def test_rows_that_may_have_been_written_are_not_written() -> None:
    """Of what exists already nobody can tell; what is made by the statement itself is absent with its rows."""
    rows = replace(SECOND, visibility=Visibility.OPEN, why="it writes rows")
    assert "No plan to complete it: statement 2 works on rows" in why(subject(second=rows))
    assert "statement 2 works on rows" in why(subject(second=rows), DRIFTED)
    made = replace(rows, visibility=Visibility.ROWS)
    assert goals(subject(second=made), EVIDENCE)[0][0] == Goal(Way.COMPLETE, 1, 2, (2,), rows=True, done=(1,))
    filled = replace(made, fills=((("table public.a", "column x"), "1"),))
    assert goals(subject(second=filled), EVIDENCE)[0][0] == Goal(Way.COMPLETE, 1, 2, (2,), rows=True, done=(1,))
    assert "statement 2 works on rows" in why(subject(second=filled), DRIFTED)  # it has another name at the end
    found = subject(second=filled)
    steps = found.replays[0].steps
    named = replace(found.replays[0], steps=(*steps[:-1], {**steps[-1], ("table public.a", "column x"): "yes"}))
    assert why(replace(found, replays=(named,)), DRIFTED) == ""


def test_rows_of_what_another_statement_makes_are_tried_on_a_copy() -> None:
    """Where the copy knows what it names, somebody can have run it."""
    both = replace(
        REPLAY, statements=(FIRST, replace(SECOND, visibility=Visibility.ROWS)), steps=({}, {A: "yes"}, {A: "yes"})
    )
    found = goals(replace(subject(), replays=(both,)), EVIDENCE)[0][0]
    assert (found.doubtful, found.turned) == ((2,), False)


#: What a person says of the two statements.
LATER, TURNED, IN_ORDER = (None, False), (False, True), (True, False)


def answered(*answers: bool | None) -> Evidence:
    """The evidence with a person's answers."""
    states = tuple(
        state if said is None else replace(state, state="in_place" if said else "absent", said=said)
        for state, said in zip(EVIDENCE.statements, answers, strict=True)
    )
    return replace(EVIDENCE, statements=states)


def test_what_a_person_says_of_rows_is_run_or_left_out() -> None:
    """Out of the script's order it has to be shown that the rows are the same."""
    first, second = (replace(each, visibility=Visibility.OPEN) for each in (FIRST, SECOND))
    complete, undo = goals(subject(second=second), answered(*LATER))[0]
    assert (complete.numbers, complete.done, complete.turned) == ((2,), (1,), False)
    assert undo.done == (1,)
    none, (not_turned, not_undone) = goals(subject(first, second), answered(*TURNED))
    assert (none, "statement 1 would work on rows after statement 2 did" in not_turned) == ((), True)
    assert "No plan to undo it: statement 2 works on rows" in not_undone
    (done,), _ = goals(subject(first, second), answered(*IN_ORDER))
    assert (done.numbers, done.done, done.turned) == ((2,), (1,), False)
    assert answers_after(Way.COMPLETE, subject(first, second)) == {1: True, 2: True}
    assert answers_after(Way.UNDO, replace(subject(first), answered={1: False, 2: True})) == {1: False, 2: False}


def test_what_can_not_be_taken_back_is_not_undone() -> None:
    """Dropped rows, moved rows, and written ones."""
    assert "statement 1 has dropped table public.a" in why(subject(replace(FIRST, drops=(A,))))
    column = ("table public.a", "column x")
    assert "has dropped column x of table public.a" in why(subject(replace(FIRST, drops=(column,))))
    assert "keeps rows under another name" in why(subject(replace(FIRST, moves=(column,))))
    assert "keeps rows under another name" in why(subject(second=replace(SECOND, moves=(column,))), DRIFTED)
    assert why(subject(replace(FIRST, moves=(column,))), DRIFTED) == ""  # it is in place, which production proves
    assert "No plan to undo it: statement 1 works on rows" in why(subject(replace(FIRST, visibility=Visibility.OPEN)))


@pytest.mark.parametrize(
    ("made", "found"),
    [
        (A, True),
        (("table public.t", "column x"), True),
        (("view public.v", "column x"), False),
        (("table public.t", "owner"), False),
    ],
)
def test_what_may_have_been_there_before_is_not_undone(made: Key, *, found: bool) -> None:
    """IF NOT EXISTS, and a block, pass over a table or a column that they find; a view that is replaced was there."""
    replay = replace(REPLAY, steps=({}, {made: "yes"}, {made: "yes", B: "yes"}), footprint=frozenset({made, B}))
    for first in (replace(FIRST, conditional=True), replace(FIRST, sql="DO $$ BEGIN NULL; END $$")):
        half = replace(subject(), replays=(replace(replay, statements=(first, SECOND)),))
        assert ("statement 1 passes over what is there already" in why(half)) == found
    assert why(replace(subject(), replays=(replay,))) == ""


def test_without_its_end_nothing_is_mended() -> None:
    """What the script's end is, is then not known."""
    short = replace(subject(), replays=(replace(REPLAY, steps=REPLAY.steps[:2], ended="it fails"),))
    assert "can't be replayed to its end: it fails" in why(short, DRIFTED)


def test_a_plan_that_loses_rows_or_would_fail_is_not_carried_out() -> None:
    """Unless each loss is named and there is a way back; nothing is lost with a table that has no rows."""
    losing = replace(PLAN, statements=(LOSING,))
    assert in_the_way(PLAN, (), restorable=False) == ()
    assert in_the_way(losing, (), restorable=True) == ("It loses 2 rows of public.b, and nobody agreed to that.",)
    assert in_the_way(losing, ("public.b",), restorable=False) == (
        "It loses rows, and no restore point is made before it.",
    )
    assert in_the_way(losing, ("public.b",), restorable=True) == ()
    failing = replace(PLAN, obstacles=(Obstacle(1, "duplicates", 2, "2 values occur twice", "SELECT"),))
    assert in_the_way(failing, (), restorable=True) == ("It would fail: 2 values occur twice.",)


def test_a_command_to_be_copied_names_the_loss_as_a_shell_takes_it() -> None:
    """PostgreSQL quotes the names that Prisma gives to tables, and a shell would drop the quotes."""
    losing = replace(LOSING, loses=(Loss('public."User"', 2),))
    plan = replace(PLAN, way=Way.UNDO, ends=0, statements=(losing,))
    evidence = replace(EVIDENCE, decision=Decision.OPERATOR, repair=Repairs((plan,)))
    first, *_ = repairing(ClassifyFacts(evidence))
    assert shlex.split(first.line)[2:] == ["--repair", "--discard-rows", 'public."User"', "--restore-point", "pg_dump"]


def test_auto_covers_what_only_completes() -> None:
    """No rows worked on, none lost, nothing taken back."""
    assert covered_by_auto(PLAN)
    assert not covered_by_auto(replace(PLAN, rows=True))
    assert not covered_by_auto(replace(PLAN, statements=(LOSING,)))
    assert not covered_by_auto(replace(PLAN, way=Way.MEND))
    assert not covered_by_auto(replace(PLAN, way=Way.UNDO))


def test_a_digest_is_of_exactly_this_plan_on_this_evidence() -> None:
    """Of its SQL, of how it runs, of what it loses, and of the evidence."""
    names = {
        digest("sha256:1", Way.COMPLETE, PLAN.statements, together=True),
        digest("sha256:2", Way.COMPLETE, PLAN.statements, together=True),
        digest("sha256:1", Way.MEND, PLAN.statements, together=True),
        digest("sha256:1", Way.COMPLETE, PLAN.statements, together=False),
        digest("sha256:1", Way.COMPLETE, (LOSING,), together=True),
        digest("sha256:1", Way.COMPLETE, (replace(LOSING, loses=()),), together=True),
    }
    assert len(names) == 6
    planned = replace(EVIDENCE, repair=Repairs((PLAN,)))
    assert (plan_of(planned, "sha256:plan"), plan_of(planned, "sha256:other")) == (PLAN, None)


def test_where_a_plan_has_led_is_told_by_the_verdict() -> None:
    """Whoever brought production there."""
    applied, absent = (replace(EVIDENCE, verdict=each) for each in (Verdict.APPLIED, Verdict.NOT_APPLIED))
    assert [led_to(way, applied) for way in Way] == [True, True, False]
    assert [led_to(way, absent) for way in Way] == [False, False, True]


def test_a_script_to_be_run_by_hand() -> None:
    """One transaction, or each statement by itself; what is lost is said above its statement."""
    assert script_of(PLAN, "m1", "public").splitlines() == [
        "-- complete m1: it ends there",
        "-- sha256:plan",
        "-- Afterwards: prisma-recovery run",
        "-- With psql, give -v ON_ERROR_STOP=1, so that it ends at an error and says so by its exit code.",
        "SET search_path = public;",
        "SET lock_timeout = '3s';",
        "SET statement_timeout = 0;",
        "BEGIN;",
        "CREATE TABLE b ();",
        "COMMIT;",
    ]
    apart = script_of(replace(PLAN, together=False, statements=(LOSING,)), "m1", "public")
    kept = apart.index("-- It loses 2 rows of public.b.\nBEGIN;\nLOCK TABLE public.b")
    lost = apart.index("DROP TABLE b;")
    assert kept < apart.index("(SELECT count(*) FROM public.b) > 2") < lost < apart.index("COMMIT;")
    assert "SET row_security = off;" in apart
    unknown = PlannedStatement("DROP TABLE b", loses=(Loss("public.b", None),))
    assert "BEGIN" not in script_of(replace(PLAN, together=False, statements=(unknown,)), "m1", "public")
    assert [counted(Loss("public.b", n)) for n in (None, 1)] == ["the rows of public.b", "1 row of public.b"]
    assert (lists(PLAN.statements), lists((LOSING, LOSING))) == ("1 statement", "2 statements")


def test_rows_that_were_filled_otherwise_are_not_mended() -> None:
    """No ALTER gives older rows another value, and no generated statement writes rows."""
    column = ("table public.a", "column x")
    adding = Replay(
        "sum", (FIRST, SECOND), ({A: "yes"}, {A: "yes", column: "exists"}, {A: "yes", column: "exists", B: "yes"}),
        frozenset({column, B}), frozenset(), frozenset({column}),
    )  # fmt: skip
    one = replace(subject(), replays=(adding,), production={A: "yes", column: "exists"})
    assert why(one, DRIFTED) == ""
    assert why(replace(one, filled={column: "{2}"}), DRIFTED) == (
        "No plan to mend it: column x of table public.a was added with {2} for the rows from before, and the script "
        "gives no value."
    )


def test_what_branches_on_rows_is_not_mended() -> None:
    """A block that did its work, as a person says: where there are rows, it may do other things to the schema."""
    block = replace(SECOND, visibility=Visibility.OPEN, why="it runs a block")
    said = replace(EVIDENCE.statements[1], state="in_place", said=True, answers=("done", "not-done"))
    done = replace(DRIFTED, statements=(replace(EVIDENCE.statements[0], state="absent"), said))
    assert why(subject(second=block), done) == (
        "No plan to mend it: statement 2 may do other things to the schema where there are rows."
    )
    same = replace(
        subject(), replays=(replace(REPLAY, statements=(FIRST, block), steps=(*REPLAY.steps[:2], {A: "yes"})),)
    )
    assert why(same, done) == ""


def test_a_person_is_asked_where_an_answer_would_lead_to_a_plan() -> None:
    """What no schema shows is asked by number, until it is said; with a plan there is nothing left to ask."""
    asking = StatementState(2, SECOND.sql, "open", "it changes rows", answers=("done", "not-done"))
    half = replace(EVIDENCE, statements=(EVIDENCE.statements[0], asking), reasons=("Statement 2 is open.",))
    answer = decide(ClassifyFacts(half))
    assert isinstance(answer, Refusal)
    assert answer.remedy.startswith("Find out whether the statements that are named ran, and say so")
    assert [each.line.split()[:4] for each in answer.commands] == [
        ["prisma-recovery", "approve", "m1", "--statement"],
        ["prisma-recovery", "run"],
    ]
    assert answering(ClassifyFacts(replace(half, statements=(replace(asking, said=True),)))) == ()
    assert answering(ClassifyFacts(replace(half, repair=Repairs((PLAN,))))) == ()
    assert answering(ClassifyFacts(replace(half, verdict=Verdict.UNDECIDABLE))) == ()
    assert approvals(ClassifyFacts(replace(half, verdict=Verdict.APPLIED, decision=Decision.MARK_APPLIED))) == ()
