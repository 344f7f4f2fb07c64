"""What nobody has touched, and two failed scripts in a row, without a server."""

from dataclasses import replace

import pytest

from states.digest import digest
from states.evidence import NO_HANDWORK, Evidence
from states.facts import Continued, Key, Replay, Snapshot, Subject, Visibility
from states.verdict import judge
from tests.states.strategies import TARGET, UNKNOWN, replay_of, row, steps_of

T = "table public.t"
TABLE, A, B, C = (T, "exists"), (T, "column a"), (T, "column b"), (T, "column c")
HERE: dict[Key, str] = {TABLE: "yes", A: "exists"}
INDEX: Key = ("index public.i", "exists")
NOBODY = frozenset({NO_HANDWORK})
APPLIED, PARTIAL = ("applied", "mark_applied"), ("partial", "operator")
NOT_APPLIED, NOT_ATTEMPTED = ("not_applied", "mark_rolled_back"), ("not_applied", "operator")
UNDECIDABLE, DRIFTED = ("undecidable", "operator"), ("drifted", "operator")


def failed(replay: Replay, production: Snapshot, **fields: object) -> Subject:
    """A migration that failed once, with what production has."""
    return replace(Subject("m1", (row(),), (replay,), "a", production), **fields)  # type: ignore[arg-type]


def judged(subject: Subject) -> Evidence:
    """The evidence on it."""
    return judge(subject, UNKNOWN, TARGET, [("m0", "0")])


def verdict_of(subject: Subject) -> tuple[str, str]:
    """Verdict and decision, as the JSON has them."""
    evidence = judged(subject)
    return evidence.verdict.value, evidence.decision.value


#: ALTER TABLE t DROP a; ALTER TABLE t ADD a; UPDATE.
AGAIN = replay_of([HERE, {TABLE: "yes"}, HERE, HERE], unseen={3: Visibility.OPEN}, extra=[TABLE])
AGAIN = replace(
    AGAIN,
    statements=(
        replace(AGAIN.statements[0], drops=(A,), unvarying=True),
        replace(AGAIN.statements[1], unvarying=True),
        AGAIN.statements[2],
    ),
)
OLD = {"unaltered": frozenset({T}), "unmoved": frozenset({T})}


def test_what_is_as_old_as_before_was_altered_by_nobody() -> None:
    """E20: so the statements after it were not reached; that no person ran these is an assumption."""
    evidence = judged(failed(AGAIN, HERE, **OLD))
    assert (evidence.verdict, evidence.decision, evidence.assumptions) == (*NOT_ATTEMPTED, (NO_HANDWORK,))
    assert evidence.reasons[-2:] == (
        "Statement 3 did not run: nobody ran statement 1 before it.",
        "This holds only if nobody ran statement 3 by hand.",
    )
    assert verdict_of(failed(AGAIN, HERE, **OLD, assume=NOBODY)) == NOT_APPLIED


@pytest.mark.parametrize(
    ("replay", "fields"),
    [
        (AGAIN, {**OLD, "unmoved": frozenset[str]()}),
        (AGAIN, {**OLD, "unaltered": frozenset[str]()}),
        (replace(AGAIN, branches=True), OLD),
        (replace(AGAIN, statements=tuple(replace(s, unvarying=False) for s in AGAIN.statements)), OLD),
        (replace(AGAIN, statements=tuple(replace(s, atomic=False) for s in AGAIN.statements)), OLD),
    ],
)
def test_without_all_of_that_it_is_open(replay: Replay, fields: dict[str, object]) -> None:
    """E6: a table of another name, altered columns, branches on rows, or what a failure may leave behind."""
    assert verdict_of(failed(replay, HERE, **fields)) == UNDECIDABLE


def test_of_a_file_that_was_edited_no_attempt_tells_the_order() -> None:
    """E22: another script ran, which may have come further."""
    replays = (AGAIN, replace(AGAIN, checksum="b"))
    subject = failed(AGAIN, HERE, **OLD, replays=replays, attempts=(row(), row(2, checksum="b")))
    assert verdict_of(subject) == UNDECIDABLE
    assert all("before it" not in each.proof for each in judged(subject).statements)


def test_a_table_that_is_older_was_not_made_again() -> None:
    """E20: DROP TABLE t; CREATE TABLE t."""
    anew = replay_of([HERE, {}, HERE], extra=[A])
    first = replace(anew.statements[0], drops=(TABLE,), unvarying=True)
    anew = replace(anew, statements=(first, anew.statements[1]))
    assert verdict_of(failed(anew, HERE, **OLD)) == NOT_APPLIED
    assert verdict_of(failed(anew, HERE, **{**OLD, "unmoved": frozenset()})) == UNDECIDABLE


U: Key = ("table public.u", "exists")
W: Key = ("table public.w", "exists")


def test_a_table_is_called_as_it_is_when_a_statement_runs() -> None:
    """ALTER TABLE t DROP a; ALTER TABLE u RENAME TO w; ALTER TABLE t RENAME TO u: the second alone is about u."""
    both = {**HERE, U: "yes"}
    steps = [both, {TABLE: "yes", U: "yes"}, {TABLE: "yes", W: "yes"}, {U: "yes", W: "yes"}]
    script = replay_of(steps, unseen=dict.fromkeys((1, 2, 3), Visibility.OPEN))
    first = replace(script.statements[0], drops=((U[0], "column a"),), unvarying=True)
    script = replace(script, statements=(first, *(replace(s, unvarying=True) for s in script.statements[1:])))
    evidence = judged(failed(script, both, unaltered=frozenset({U[0]}), unmoved=frozenset({U[0]})))
    assert [each.state for each in evidence.statements] == ["open", "absent", "absent"]
    assert (evidence.verdict, evidence.decision) == UNDECIDABLE


#: CREATE TABLE t, which the script of m2 gives a check and an index.
CHECK: Key = (T, "constraint t_check")
MAKING = replace(replay_of(steps_of({TABLE: "yes"})), created=frozenset({T}))
BOTH = replay_of(steps_of({TABLE: "yes"}, {CHECK: "CHECK (a > 0)"}, {INDEX: "yes"}), checksum="ab")
BOTH = replace(BOTH, created=frozenset({T, INDEX[0]}))


def test_a_script_is_seen_through_the_next_failed_one() -> None:
    """E30: production equals no step of the first alone, and a step of both."""
    subject = failed(MAKING, BOTH.steps[2])
    assert verdict_of(subject) == DRIFTED
    continued = replace(subject, continued=Continued("m2", 1, BOTH))
    evidence = judged(continued)
    assert (evidence.verdict, evidence.decision) == APPLIED
    assert evidence.reasons == ("All of the script is in production, and of m2, which failed after it, there is more.",)
    assert evidence.progress.steps_in_place == (1, 1)
    assert digest(subject, TARGET, ()) != digest(continued, TARGET, ())
    assert verdict_of(replace(continued, production={TABLE: "yes", CHECK: "CHECK (a > 1)"})) == DRIFTED
    assert verdict_of(replace(continued, present="b")) == DRIFTED
    by_itself = judged(replace(continued, production=MAKING.steps[1]))
    assert by_itself.reasons == ("The only statement of the script is in production.",)
    opened = replace(BOTH, statements=(replace(BOTH.statements[0], visibility=Visibility.OPEN), *BOTH.statements[1:]))
    assert verdict_of(replace(continued, continued=Continued("m2", 1, opened))) == DRIFTED


def test_where_production_stands_after_it_it_found_something_else_there() -> None:
    """DROP COLUMN IF EXISTS b, of a table that never had it here, and an UPDATE: the attempt passed over the first."""
    script = replay_of([{**HERE, B: "exists"}, HERE, HERE], unseen={2: Visibility.OPEN}, extra=[TABLE, A])
    first = replace(script.statements[0], drops=(B,), unvarying=True)
    evidence = judged(failed(replace(script, statements=(first, script.statements[1])), HERE, **OLD))
    assert (evidence.verdict, evidence.decision) == UNDECIDABLE
    assert [each.state for each in evidence.statements] == ["in_place", "open"]
