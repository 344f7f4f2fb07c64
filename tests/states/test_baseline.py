"""How far production has the history where the ledger does not tell, and what may be marked then."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from states.approval import Approval
from states.baseline import Baseline, OpenWork, Past, equal_to, in_order, judge, looked_for
from states.baseline_answers import BaselineFacts, approvals, inspected, objection
from states.baseline_rows import Migration, Rows, open_work
from states.evidence import Decision, Verdict
from states.facts import History, Key, Row, Statement, Visibility
from states.ledger import in_order_of_history
from states.table import State

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
