"""How far production has the history where the ledger does not tell, and what may be marked then."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from states.approval import Approval
from states.baseline import (
    Baseline,
    OpenWork,
    Past,
    equal_to,
    in_order,
    judge,
    looked_for,
    overwritten,
    tells_more,
)
from states.baseline_answers import BaselineFacts, approvals, inspected, objection
from states.baseline_rows import Migration, Rows, dropped_tables, open_work, tables_in_question
from states.evidence import Decision, Evidence, Progress, Verdict
from states.facts import History, Key, Row, Statement, Visibility
from states.ledger import in_order_of_history
from states.table import State
from tests.states.strategies import UNKNOWN

Delta = dict[Key, str | None]


def table(name: str) -> Key:
    """That there is a table."""
    return f"table public.{name}", "exists"


def past(*changes: Delta, there: Mapping[Key, str], **fields: object) -> Past:
    """A history of m1, m2 … beside what production has."""
    names = tuple(f"m{number}" for number in range(1, len(changes) + 1))
    footprint = frozenset(key for change in changes for key in change)
    created = frozenset(
        obj for change in changes for (obj, prop), value in change.items() if value and prop == "exists"
    )
    first = Past(names, {}, changes, footprint, created, named=(frozenset(),) * len(changes), production=there)
    return replace(first, **fields)  # type: ignore[arg-type]


MAKES = [{table(name): "yes"} for name in "abc"]
A, AB = {table("a"): "yes"}, {table("a"): "yes", table("b"): "yes"}
NOTHING: Delta = {}
WORK = OpenWork("m2", 1, "UPDATE a SET x = 1", "it changes rows")


def found(one: Past) -> Baseline:
    """The baseline, which there must be."""
    baseline = judge(one, "sha256:1")
    assert baseline is not None
    return baseline


def test_production_equals_the_history_up_to_one_of_its_migrations() -> None:
    """The first two are there: these are to be marked, and the third is left to a deploy."""
    one = found(past(*MAKES, there=AB))
    assert (one.verdict, one.decision, one.up_to) == (Verdict.APPLIED, Decision.MARK_APPLIED, "m2")
    assert (one.range, one.marked) == (("m2",), ("m1", "m2"))
    assert approvals(one) == ()  # the evidence decides


def test_what_differs_is_shown_beside_the_nearest() -> None:
    """The second and the third are there and the first is not: nothing is marked."""
    one = found(past(*MAKES, there={table("b"): "yes", table("c"): "yes"}))
    assert (one.verdict, one.decision, one.nearest) == (Verdict.DRIFTED, Decision.OPERATOR, "m3")
    assert [each.object for each in one.differences] == ["table public.a"]
    assert (one.marked, one.lacking) == ((), ())


def test_what_a_later_one_overwrote_is_no_difference() -> None:
    """The end alone is compared, so a table that was made and dropped again keeps nothing from being told."""
    one = found(past({table("a"): "yes"}, {table("a"): None, table("b"): "yes"}, there={table("b"): "yes"}))
    assert (one.up_to, one.marked) == ("m2", ("m1", "m2"))


def test_nothing_of_the_history_is_no_baseline() -> None:
    """Without a ledger Prisma refuses to deploy beside other tables; with one, it deploys."""
    one = found(past(*MAKES, there={}, ledger=False, others=("public.x",)))
    assert (one.verdict, one.marked) == (Verdict.NOT_APPLIED, ())
    assert "public.x" in one.reasons[0]
    assert judge(past(*MAKES, there={}), "sha256:1") is None


def test_a_ledger_that_begins_too_late() -> None:
    """Prisma ran the third: only states that hold it count, and what is lacking before it is marked."""
    one = found(past(*MAKES, {table("d"): "yes"}, there={**AB, table("c"): "yes"}, ran=frozenset({"m3"})))
    assert (one.decision, one.marked, one.range) == (Decision.MARK_APPLIED, ("m1", "m2"), ("m2",))
    assert "up to m3" in one.reasons[0]
    # Production lacks what Prisma ran to its end: that is for the comparison of the pending ones to tell.
    assert judge(past(*MAKES, there=A, ran=frozenset({"m3"})), "sha256:1") is None


def test_what_somebody_marked_and_production_lacks_is_no_baseline() -> None:
    """The ledger says that it has the third: what is marked up to a state without it would be no history."""
    assert judge(past(*MAKES, there=A, stamped=frozenset({"m3"})), "sha256:1") is None


def test_work_on_rows_is_for_a_person() -> None:
    """Which statements, and of which migrations, is said; those that are not to be marked do not count."""
    one = found(past(*MAKES, there=AB, opened=(WORK, replace(WORK, migration="m3"))))
    assert (one.verdict, one.decision, one.open) == (Verdict.UNDECIDABLE, Decision.OPERATOR, (WORK,))
    assert "of m2 did work that the schema does not show" in one.reasons[1]
    assert [each.line.split()[2] for each in approvals(one)] == ["m2"]


def test_the_end_is_a_range_where_the_schema_does_not_tell() -> None:
    """The third only writes rows: it may have run or not, and a person says which; both answers are offered."""
    one = found(past(MAKES[0], MAKES[1], NOTHING, MAKES[2], there=AB))
    assert (one.decision, one.up_to, one.range) == (Decision.OPERATOR, "m2", ("m2", "m3"))
    for name, marks in (("m2", ("m1", "m2")), ("m3", ("m1", "m2", "m3"))):
        facts = BaselineFacts(one, Approval(name, Decision.MARK_APPLIED, "sha256:1", "seen"))
        assert facts.marks == marks
    assert [each.line.split()[2] for each in approvals(one)] == ["m2", "m3"]


def test_what_changes_nothing_is_left_to_a_deploy() -> None:
    """The third changes nothing however often it runs, so nobody has to decide."""
    one = found(past(MAKES[0], MAKES[1], NOTHING, MAKES[2], there=AB, still=frozenset({"m3"})))
    assert (one.decision, one.range, one.marked) == (Decision.MARK_APPLIED, ("m2",), ("m1", "m2"))


def test_two_states_that_look_alike_are_for_a_person() -> None:
    """A table is made and dropped again: production looks as it did before, and as it does after."""
    one = found(past(MAKES[0], MAKES[1], {table("b"): None}, there=A))
    assert (one.decision, one.range) == (Decision.OPERATOR, ("m1", "m3"))
    assert one.marks("m3") == ("m1", "m2", "m3")


def test_it_goes_on_with_what_is_left_under_the_same_approval() -> None:
    """Of three that a person said ran, two are marked: the third is left, though nothing of it can be seen."""
    left = past(MAKES[0], MAKES[1], NOTHING, there=AB, stamped=frozenset({"m1", "m2"}))
    said = Approval("m3", Decision.MARK_APPLIED, "sha256:1", "seen")
    assert BaselineFacts(found(left), said).marks == ("m3",)
    # Had it been said of the first two, nothing would be left to ask, and the third is deployed.
    answered = BaselineFacts(found(left), replace(said, migration="m2"))
    assert (answered.marks, answered.asks, inspected(answered)) == ((), False, None)
    assert judge(replace(left, stamped=frozenset({"m1", "m2", "m3"})), "sha256:1") is None


def test_a_failed_migration_is_never_marked_by_a_baseline() -> None:
    """It has a verdict of its own, on the history that the baseline gives it."""
    one = found(past(*MAKES, there=AB, attempted=frozenset({"m2"})))
    assert one.marked == ("m1",)


def test_an_unknown_script_is_not_passed_over() -> None:
    """What a finished migration did is not known, so nothing is compared."""
    assert judge(past(*MAKES, there=AB, unknown="m0: its script was not found"), "sha256:1") is None


def test_somebody_at_work_is_waited_for() -> None:
    """What is being changed is not judged."""
    one = found(past(*MAKES, there=AB, running=("pid 7 holds Prisma's migration lock.",)))
    assert (one.verdict, one.decision) == (Verdict.IN_PROGRESS, Decision.WAIT)


@pytest.mark.parametrize(
    ("approval", "code"),
    [
        (Approval("m2", Decision.MARK_APPLIED, "sha256:1", "seen"), ""),
        (Approval("m2", Decision.MARK_APPLIED, "sha256:2", "seen"), "approve.other_evidence"),
        (Approval("m1", Decision.MARK_APPLIED, "sha256:1", "seen"), "approve.not_in_range"),
    ],
)
def test_an_approval_counts_for_this_evidence_and_range(approval: Approval, code: str) -> None:
    """Only up to a migration that production may have, and only for the evidence that was seen."""
    baseline = found(past(*MAKES, there=AB, opened=(WORK,)))
    no = objection(approval, baseline)
    assert (no.code if no else "") == code
    assert BaselineFacts(baseline, approval).marks == (() if code else ("m1", "m2"))


def test_no_approval_makes_a_difference_go_away() -> None:
    """Where production equals the history nowhere there is nothing to approve."""
    nowhere = found(past(*MAKES, there={table("b"): "yes"}))
    no = objection(Approval("m3", Decision.MARK_APPLIED, "sha256:1", "seen"), nowhere)
    assert no is not None
    assert no.code == "approve.never"
    answer = inspected(BaselineFacts(nowhere))
    assert answer is not None
    assert answer.to is State.BLOCKED


def test_every_state_is_compared_by_what_changes() -> None:
    """Each state that equals production is found, and none but these."""
    one = past(*MAKES, {table("c"): None}, there=AB)
    assert equal_to(one)[0] == (2, 4)
    assert equal_to(replace(one, production={}))[0] == (0,)


def row(name: str, at: str, steps: int) -> Row:
    """A finished row."""
    return Row(f"of {name}", name, "sum", at, at, None, steps, None)


def test_when_the_ledger_may_have_lost_rows() -> None:
    """It shows nothing as finished, or lacks what sorts before all that finished; one in between is only pending."""
    late = History(("m2",), (), ("m1", "m3"))
    assert looked_for(late, (row("m2", "1", 1),), begun=False)
    assert looked_for(History((), (), ("m1",)), (), begun=False)
    between = History(("m1", "m3"), (), ("m2",))
    assert not looked_for(between, (row("m1", "1", 1), row("m3", "2", 1)), begun=False)
    assert looked_for(between, (row("m1", "1", 1), row("m3", "2", 1)), begun=True)
    assert not looked_for(History(("m1",), (), ()), (row("m1", "1", 1),), begun=True)


def test_marks_at_the_beginning_come_first_whenever_they_were_set() -> None:
    """The first two were marked after the others ran. One that sorts in between keeps the place of its time."""
    rows = (row("m3", "1", 1), row("m5", "2", 1), row("m4", "3", 0), row("m2", "4", 0), row("m1", "5", 0))
    names = {"m1", "m2", "m3", "m4", "m5"}
    assert [each.migration for each in in_order_of_history(rows, names)] == ["m1", "m2", "m3", "m5", "m4"]
    # The folder lacks one that ran, so a mark may stand for several of them (a squash): times count.
    assert in_order_of_history(rows, names - {"m3"})[0].migration == "m3"


def test_the_history_in_its_order() -> None:
    """What is lacking stands before the first finished one that sorts after it."""
    assert in_order(["m3", "m2"], ["m1", "m2", "m3", "m4"]) == ("m1", "m3", "m2", "m4")


COLUMN = ("table public.t", "column x")
TABLE = ("table public.t", "exists")
FILLS = Statement(1, "ALTER TABLE t ADD x int DEFAULT 1", Visibility.ROWS, "a default", fills=((COLUMN, "{1}"),))
MOVES = Statement(1, "ALTER TABLE t RENAME y TO x", Visibility.ROWS, "values stay", moves=(COLUMN,))
LAYOUT = {"table public.t": ("a", "x", "")}
MADE: Delta = {TABLE: "yes"}
ADDED: Delta = {COLUMN: "yes"}
DROPPED: Delta = {COLUMN: None}


@pytest.mark.parametrize(
    ("statement", "changes", "rows", "open_"),
    [
        (FILLS, [MADE, ADDED], Rows(filled={COLUMN: "{1}"}), False),
        (FILLS, [MADE, ADDED], Rows(filled={COLUMN: "{2}"}), True),
        (FILLS, [MADE, ADDED], Rows(), True),
        (FILLS, [MADE, ADDED], Rows(empty=frozenset({"table public.t"})), False),
        # It is gone again, so nothing depends on what it held.
        (FILLS, [MADE, ADDED, DROPPED], Rows(), False),
        # It went while another one came, so it may only have got its name.
        (FILLS, [MADE, ADDED, {**DROPPED, ("table public.t", "column z"): "yes"}], Rows(), True),
        # Its table got another name, so its column is not gone.
        (FILLS, [MADE, ADDED, {**DROPPED, TABLE: None, ("table public.u", "exists"): "yes"}], Rows(), True),
        (FILLS, [MADE, ADDED, {**DROPPED, TABLE: None}], Rows(), False),
        (MOVES, [MADE, ADDED], Rows(places=LAYOUT, found=LAYOUT), False),
        (MOVES, [MADE, ADDED], Rows(places=LAYOUT, found={"table public.t": ("a", "", "x")}), True),
        (MOVES, [MADE, ADDED], Rows(), True),
        (replace(FILLS, visibility=Visibility.OPEN), [MADE, ADDED], Rows(filled={COLUMN: "{1}"}), True),
        (replace(FILLS, visibility=Visibility.SEEN), [MADE, ADDED], Rows(), False),
        (replace(FILLS, visibility=Visibility.INERT), [MADE, ADDED], Rows(), False),
    ],
)
def test_what_proves_rows(statement: Statement, changes: list[Delta], rows: Rows, open_: bool) -> None:  # noqa: FBT001
    """The default that PostgreSQL keeps, the place of a column, a table without rows, or that it no longer matters."""
    names = [f"m{number}" for number in range(1, len(changes) + 1)]
    work = open_work([Migration("m2", 1, (statement,))], names, {}, changes, rows)
    assert [each.migration for each in work] == (["m2"] if open_ else [])


@pytest.mark.parametrize(
    ("changes", "rows", "why"),
    [
        ([MADE, ADDED, DROPPED, ADDED], Rows(), "makes column x of table public.t again, which m3 drops"),
        ([MADE, ADDED, DROPPED, ADDED], Rows(places=LAYOUT, found=LAYOUT), ""),
        ([MADE, {TABLE: None}, MADE], Rows(places=LAYOUT, found=LAYOUT), "makes table public.t again, which m2 drops"),
        ([MADE, {TABLE: None}, MADE], Rows(empty=frozenset({"table public.t"})), ""),
        (
            [MADE, *({("table public.t", "column x type"): kind} for kind in ("text", "varchar(3)", "text"))],
            Rows(),
            "back to a type that it had before",
        ),
        ([MADE, {TABLE: None}], Rows(alike={"table public.t": ("table public.old",)}), "may have been renamed"),
        ([MADE, {TABLE: None}], Rows(), ""),
        (
            [MADE, ADDED, DROPPED],
            Rows(places={"table public.t": ("a", "")}, found={"table public.t": ("a", "x_old")}),
            "may have been renamed to x_old",
        ),
        ([MADE, ADDED, DROPPED], Rows(places={"table public.t": ("a", "")}, found={"table public.t": ("a",)}), ""),
    ],
)
def test_what_several_migrations_together_do_to_rows(changes: list[Delta], rows: Rows, why: str) -> None:
    """What was dropped and made again, or changed and changed back, looks as if nothing had happened."""
    names = [f"m{number}" for number in range(1, len(changes) + 1)]
    every = [Migration(name, place, ()) for place, name in enumerate(names)]
    work = open_work(every, names, {}, changes, rows)
    assert len(work) == bool(why)
    assert all(why in each.why for each in work)


def test_what_was_not_replayed_is_open() -> None:
    """Whether production has it is not known, and is said once."""
    whole = Migration("m1", 0, (FILLS,), ((0, "it is not SQL"),))
    part = Migration("m2", 1, (FILLS,), ((1, "it fails when replayed"),))
    work = open_work([whole, part], ["m1", "m2"], {}, [MADE, ADDED], Rows())
    assert [(each.migration, each.statement, each.why) for each in work] == [
        ("m1", 0, "it is not SQL"),
        ("m2", 1, "it fails when replayed"),
    ]


def evidence_on(name: str, decision: Decision) -> Evidence:
    """The evidence on a pending migration."""
    return Evidence(
        name, "", 0, None, UNKNOWN, Verdict.DRIFTED, decision, Progress((0, 0), 1), (), (), ("a reason.",), "sha256:1"
    )


def test_a_pending_one_that_a_deploy_would_fail_on_may_be_overwritten() -> None:
    """Only then is the whole history compared, to tell whether a later one has changed what it made."""
    runs, stops = evidence_on("m1", Decision.DEPLOY), evidence_on("m2", Decision.OPERATOR)
    assert overwritten([runs, stops])
    assert not overwritten([runs])
    assert not overwritten([])


def test_a_baseline_tells_more_where_it_decides_or_concerns_several() -> None:
    """Else the comparison of the one pending migration says all of it."""
    one = Baseline(Verdict.UNDECIDABLE, Decision.OPERATOR, lacking=("m1",))
    assert not tells_more(one)
    assert tells_more(replace(one, lacking=("m1", "m2")))
    assert tells_more(replace(one, decision=Decision.MARK_APPLIED))


RENAMED = Statement(1, "ALTER TABLE u RENAME TO t", Visibility.ROWS, "rows stay", moves=(TABLE,))
OTHER_TABLE = ("table public.u", "exists")
TURNED: list[Delta] = [{("table public.t", "column x type"): kind} for kind in ("text", "varchar(3)", "text")]
DEFAULT: Key = ("table public.t", "column x default")
BEGUN_ANEW: Delta = {TABLE: None, COLUMN: None}
T_EMPTY = Rows(empty=frozenset({"table public.t"}))


@pytest.mark.parametrize(
    ("statement", "changes", "rows", "opened"),
    [
        # The column is another one since: dropped, and added anew.
        (FILLS, [MADE, ADDED, DROPPED, ADDED], Rows(filled={COLUMN: "{1}"}), True),
        (MOVES, [MADE, ADDED, DROPPED, ADDED], Rows(places=LAYOUT, found=LAYOUT), True),
        # It was cast to another type and back, so its values may be others.
        (MOVES, [MADE, ADDED, *TURNED], Rows(places=LAYOUT, found=LAYOUT), True),
        (MOVES, [MADE, ADDED, *TURNED[:2]], Rows(places=LAYOUT, found=LAYOUT), False),
        (MOVES, [MADE, ADDED, DROPPED], Rows(), False),
        # An index that comes is no name for a table that goes.
        (FILLS, [MADE, ADDED, {TABLE: None, ("index public.i", "exists"): "yes"}], Rows(), False),
        # A default that is another one every time.
        (replace(FILLS, fills=((COLUMN, ""),)), [MADE, ADDED], Rows(filled={COLUMN: "{2026-01-01}"}), False),
        (MOVES, [MADE, ADDED], T_EMPTY, False),
        (RENAMED, [MADE], Rows(), True),
        (RENAMED, [MADE], T_EMPTY, True),
        (RENAMED, [MADE, {TABLE: None}], Rows(), False),
        (replace(FILLS, fills=()), [MADE, ADDED], T_EMPTY, True),
        (replace(FILLS, moves=(COLUMN,)), [MADE, ADDED], Rows(filled={COLUMN: "{1}"}), True),
    ],
)
def test_what_later_migrations_leave_of_a_proof(
    statement: Statement, changes: list[Delta], rows: Rows, *, opened: bool
) -> None:
    """E20: a proof is read where the history ends, so what became of the column since counts."""
    names = [f"m{number}" for number in range(1, len(changes) + 1)]
    work = open_work([Migration("m2", 1, (statement,))], names, {}, changes, rows)
    assert bool([each for each in work if each.statement]) is opened


@pytest.mark.parametrize(
    ("changes", "rows"),
    [
        # The table is gone, and with it what was changed back.
        ([MADE, *TURNED, {TABLE: None}], Rows()),
        ([MADE, *TURNED], T_EMPTY),
        # The type goes with the column, and the new column has one of its own.
        (
            [MADE, ADDED, TURNED[0], {**DROPPED, ("table public.t", "column x type"): None}, {**ADDED, **TURNED[0]}],
            T_EMPTY,
        ),
        ([MADE, TURNED[0], TURNED[0]], Rows()),
        ([MADE, ADDED, DROPPED], Rows()),
        ([MADE], Rows(alike={"table public.t": ("table public.old",)})),
        ([MADE, {TABLE: None}], Rows(alike={"table public.t": ("table public.u",)}, places={"table public.u": ()})),
        ([MADE, ADDED, DROPPED, ADDED, DROPPED], Rows()),
        # Another column was added besides, and as many were dropped as the history drops.
        ([MADE, ADDED, DROPPED], Rows(places={"table public.t": ("a", "")}, found={"table public.t": ("a", "", "z")})),
        # A default was dropped, and no column.
        (
            [MADE, {DEFAULT: "1"}, {DEFAULT: None}],
            Rows(places={"table public.t": ("a", "")}, found={"table public.t": ("a", "z")}),
        ),
        # A default that was changed back changes no row that is there.
        ([MADE, ADDED, {DEFAULT: "1"}, {DEFAULT: "2"}, {DEFAULT: "1"}], Rows()),
    ],
)
def test_what_came_to_nothing_is_not_asked(changes: list[Delta], rows: Rows) -> None:
    """Nobody has to answer for rows that are gone, or that never were."""
    names = [f"m{number}" for number in range(1, len(changes) + 1)]
    every = [Migration(name, place, ()) for place, name in enumerate(names)]
    assert open_work(every, names, {}, changes, rows) == ()


def test_only_work_of_migrations_that_did_not_run_is_asked() -> None:
    """Prisma saw both the drop and the second making run, so the ledger answers for them."""
    changes = [MADE, ADDED, DROPPED, ADDED]
    names = ["m1", "m2", "m3", "m4"]
    assert open_work([Migration("m1", 0, ())], names, {}, changes, Rows()) == ()
    (asked,) = open_work([Migration("m3", 2, ())], names, {}, changes, Rows())
    assert (asked.migration, asked.statement, asked.sql) == ("m3", 0, "")
    # A table that was made again is asked of once, and not of each of its columns.
    changes = [{**MADE, **ADDED}, BEGUN_ANEW, {**MADE, **ADDED}]
    (asked,) = open_work([Migration("m3", 2, ())], names[:3], {}, changes, Rows())
    assert asked.why == "it makes table public.t again, which m2 drops with what it held"


def test_whether_a_table_has_rows_is_asked_of_those_in_question() -> None:
    """Those whose columns are filled, moved, made again or cast back; nothing is asked of any other."""
    filled = Migration("m1", 0, (FILLS, replace(MOVES, moves=(OTHER_TABLE,))))
    assert tables_in_question([filled], {}, []) == {"table public.t", "table public.u"}
    assert tables_in_question([], {}, [MADE, ADDED, DROPPED, ADDED]) == {"table public.t"}
    assert tables_in_question([], {}, [MADE, *TURNED]) == {"table public.t"}
    assert tables_in_question([], {}, [MADE, ADDED, DROPPED]) == frozenset()


def test_a_dropped_table_is_known_by_the_columns_that_it_had() -> None:
    """Those at its end, whoever made them; one that is there again is not dropped."""
    second: Key = ("table public.t", "column y")
    start = {TABLE: "yes", COLUMN: "yes", (COLUMN[0], "column x type"): "text", OTHER_TABLE: "yes"}
    start |= {("table public.u", "column z"): "yes"}
    gone: Delta = {TABLE: None, second: None}
    assert dropped_tables(start, [{second: "yes", COLUMN: None}, gone]) == {"table public.t": {"column y"}}
    assert dropped_tables(start, [gone]) == {"table public.t": {"column x"}}
    assert dropped_tables(start, [gone, MADE]) == {}
    assert dropped_tables(start, [{COLUMN: None}]) == {}
    assert dropped_tables(start, [{("view public.v", "exists"): None}]) == {}


def test_a_function_of_the_history_is_compared_by_what_it_says() -> None:
    """Line ends of a checkout are no difference, and another body is one."""
    made: Delta = {("function public.f()", "exists"): "yes", ("function public.f()", "body"): "begin\nend"}
    there = {("function public.f()", "exists"): "yes", ("function public.f()", "body"): "begin\r\nend"}
    one = past(made, *MAKES, there={**there, **A})
    assert equal_to(one)[0] == (2,)
    other = replace(one, production={**one.production, ("function public.f()", "body"): "begin end"})
    assert equal_to(other)[0] == ()
