"""What the rows of the ledger say by themselves."""

from dataclasses import replace

import pytest

from states.effects import MarkApplied, MarkRolledBack
from states.facts import History, Row
from states.ledger import (
    earlier_failed,
    finished_as,
    foreseen,
    in_order_of_finishing,
    later_than,
    lost_effect,
    order,
    side_by_side,
    still_settled,
    under_present_names,
)
from states.verification import to_be_proven, wrong_checksums
from tests.states.strategies import row

FAILED = replace(row(1), started_at="2026-01-05")


def finished(name: str, at: str, **more: object) -> Row:
    """A finished row, whose script ran in the minute before."""
    fields = {"id": f"{name}-{at}", "started_at": at, "finished_at": at, "applied_steps_count": 1, **more}
    return replace(row(), migration=name, **fields)  # type: ignore[arg-type]


def test_the_history_is_in_the_order_of_finishing() -> None:
    """E1: a migration that was merged late finished late, whatever its name."""
    rows = [finished("a", "2026-01-03"), finished("c", "2026-01-01"), FAILED, finished("b", "2026-01-02")]
    assert [each.migration for each in in_order_of_finishing(rows)] == ["c", "b", "a"]


@pytest.mark.parametrize(
    ("first", "then", "order_"),
    [
        # The clock was set back between two deploys: the server's numbers and the names agree against it.
        (("a", "2026-01-01T10:00:00Z", 7), ("b", "2026-01-01T09:10:00Z", 8), "ab"),
        (("a", "2026-01-01T10:00:00Z", 2**32 - 1), ("b", "2026-01-01T09:10:00Z", 3), "ab"),
        # A late merge: the server has written the one with the earlier name later.
        (("a", "2026-01-01T10:00:00Z", 8), ("b", "2026-01-01T09:10:00Z", 7), "ba"),
        # A restore wrote all rows at once, or the number is not known: nothing speaks against the times.
        (("a", "2026-01-01T10:00:00Z", 7), ("b", "2026-01-01T09:10:00Z", 7), "ba"),
        (("a", "2026-01-01T10:00:00Z", None), ("b", "2026-01-01T09:10:00Z", 8), "ba"),
        (("a", "2026-01-01T10:00:00Z", 7), ("b", "2026-01-01T09:10:00Z", None), "ba"),
        # Within months the server may have counted anew, and no clock is wrong by so much.
        (("a", "2026-03-01T10:00:00Z", 7), ("b", "2026-01-01T09:10:00Z", 8), "ba"),
    ],
)
def test_a_clock_that_was_set_back(
    first: tuple[str, str, int | None], then: tuple[str, str, int | None], order_: str
) -> None:
    """Its times are overruled only where both the server's transactions and the names say so."""
    rows = [finished(name, at, transaction=number) for name, at, number in (first, then)]
    assert "".join(each.migration for each in in_order_of_finishing(rows)) == order_


def test_two_deploys_around_a_clock_that_was_set_back() -> None:
    """All of the first one come before all of the second one."""
    told = [("a", "10:01", 1), ("b", "10:02", 2), ("c", "09:10", 3), ("d", "09:11", 4)]
    rows = [finished(name, f"2026-01-01T{at}:00Z", transaction=number) for name, at, number in reversed(told)]
    assert [each.migration for each in in_order_of_finishing(rows)] == ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    ("other", "later"),
    [
        (finished("m0", "2026-01-04"), False),
        (finished("m0", "2026-01-06"), True),  # merged late: it sorts before, and finished after the attempt began
        (finished("m2", "2026-01-04"), True),  # sorts after it: deployed before it, by another checkout
        (replace(finished("m2", "2026-01-06"), finished_at=None), False),
        (finished("m1", "2026-01-06"), False),
    ],
)
def test_a_later_migration_may_have_changed_what_the_failed_one_touches(other: Row, later: bool) -> None:  # noqa: FBT001
    """E10: later is what sorts after it, or finished after its first attempt began; itself never."""
    again = replace(FAILED, id="2", started_at="2026-01-07")
    assert (other.migration in later_than("m1", [FAILED, again], [FAILED, again, other])) is later


@pytest.mark.parametrize(
    ("attempt", "steps", "later"),
    [
        (replace(row(2, rolled_back=True), migration="m0", started_at="2026-01-04"), 0, False),
        (replace(row(2, rolled_back=True), migration="m0", started_at="2026-01-06"), 0, True),  # attempted after it
        (replace(row(2, rolled_back=True), migration="m0", started_at="2026-01-04"), 1, True),  # deployed again since
        (replace(row(2), migration="m0", started_at="2026-01-04"), 0, True),  # that attempt was not withdrawn by a mark
        (replace(row(2, rolled_back=True), migration="other", started_at="2026-01-04"), 0, True),
    ],
)
def test_a_mark_on_what_was_attempted_before_it_is_not_later(attempt: Row, steps: int, later: bool) -> None:  # noqa: FBT001
    """E30: what `resolve --applied` records now was done before; it is in the base of the next failed one."""
    mark = finished("m0", "2026-01-07", applied_steps_count=steps)
    assert ("m0" in later_than("m1", [FAILED], [attempt, FAILED, mark])) is later


def test_the_ledger_after_a_mark_is_foreseen() -> None:
    """E30: only the migration's unfinished rows are withdrawn; applied, it finishes after everything else."""
    other = replace(FAILED, id="3", migration="m2")
    done = finished("m0", "2027-01-01")
    withdrawn, same, kept = foreseen(MarkRolledBack("m1"), "c", (FAILED, other, done))
    assert (withdrawn.failed, same, kept) == (False, other, done)
    *before, mark = foreseen(MarkApplied("m1"), "c", (FAILED, other, done))
    assert before == [withdrawn, other, done]
    assert (mark.finished, mark.checksum, mark.applied_steps_count) == (True, "c", 0)
    twice = foreseen(MarkApplied("m2"), "d", (*before, mark))
    assert [each.migration for each in in_order_of_finishing(twice)] == ["m0", "m1", "m2"]


def test_a_run_resolves_the_failed_ones_in_their_order() -> None:
    """E30: none comes before one that did not fail."""
    history = History((), ("m2", "m1"), ())
    assert earlier_failed("m1", history) == ("m2",)
    assert earlier_failed("m2", history) == earlier_failed("m3", history) == ()


def test_names_sort_as_prisma_sorts_them() -> None:
    """By `localeCompare`, in which an underscore comes before a digit."""
    assert sorted(["20260101000000_a", "20260101_b"], key=order) == ["20260101_b", "20260101000000_a"]


@pytest.mark.parametrize(
    ("effect", "rows", "lost"),
    [
        ("mark_applied:m1", [FAILED], "m1"),
        ("mark_applied:m1", [], "m1"),
        ("mark_applied:m1", [finished("m1", "2026-01-06")], None),
        ("mark_rolled_back:m1", [], "m1"),
        ("mark_rolled_back:m1", [FAILED], None),
    ],
)
def test_a_database_behind_its_journal_is_noticed(effect: str, rows: list[Row], lost: str | None) -> None:
    """F10: what a run resolved, and the ledger does not show any more, was undone by a restore."""
    assert lost_effect({"m1": effect}, rows) == lost
    assert lost_effect({}, rows) is None


def test_a_migration_is_settled_until_it_is_attempted_again() -> None:
    """With another row than those it had when it was marked rolled back, it is in question again."""
    settled = {"m1": frozenset({"1"})}
    assert still_settled(settled, [FAILED, finished("m0", "2026-01-01")]) == {"m1"}
    assert still_settled(settled, [FAILED, replace(FAILED, id="2")]) == frozenset()


@pytest.mark.parametrize(
    ("other", "proven"),
    [
        (finished("m0", "2026-01-01"), False),
        (finished("m0", "2026-01-06"), True),
        (finished("m0", "2026-01-01", applied_steps_count=0), True),
        (finished("m0", "2026-01-01", logs="it failed"), True),
        (finished("m0", "2026-01-01", rolled_back_at="2026-01-02"), True),
    ],
)
def test_what_must_be_proven_follows_from_the_ledger(other: Row, proven: bool) -> None:  # noqa: FBT001
    """F8: what failed, was rolled back or stamped, or was deployed since the first failure."""
    assert ("m0" in to_be_proven([other, FAILED])) is proven
    assert "m1" in to_be_proven([other, FAILED])


def test_a_healthy_history_has_nothing_that_must_be_proven() -> None:
    """Without a failure, migrations that were plainly deployed are shown where they differ, and refuse nothing."""
    assert to_be_proven([finished("m0", "2026-01-01"), finished("m1", "2026-01-02")]) == frozenset()


def test_another_script_than_the_planned_one_is_noticed() -> None:
    """F6: a row that a deploy wrote carries the checksum of what it ran; a stamped row ran nothing."""
    planned = {"m1": "right", "m2": "right", "m3": "right", "m4": "right"}
    rows = [
        finished("m1", "2026-01-01", checksum="right"),
        finished("m2", "2026-01-01", checksum="wrong"),
        finished("m3", "2026-01-01", checksum="wrong", applied_steps_count=0),
    ]
    assert wrong_checksums(planned, rows) == ("m2",)


def test_the_ledger_beside_the_folder() -> None:
    """F5: pending with a withdrawn attempt is classified before a deploy, behind what failed without an answer."""
    withdrawn = replace(row(2, rolled_back=True), migration="m2")
    rows = [finished("m0", "2026-01-01"), finished("gone", "2026-01-02"), withdrawn, replace(FAILED, migration="m3")]
    assert side_by_side(rows, ["m0", "m2", "m3", "m4"], ["m0"]) == History(
        ("m0", "gone"), ("m3", "m2"), ("m2", "m4"), modified=("m0",), missing_locally=("gone",)
    )


def test_a_withdrawn_attempt_bears_the_name_that_its_folder_has_now() -> None:
    """E2: only where the file of a name that has not finished would repeat what the attempt may have done."""
    old = replace(row(1, rolled_back=True), migration="m1_old")
    done = finished("m0", "2026-01-01")

    def repeats(of: Row, name: str) -> bool:
        return of.checksum == "a" and name in ("m0", "m1")

    assert under_present_names([done, old], ["m0", "m1", "m2"], repeats) == (done, replace(old, migration="m1"))
    for kept in (replace(old, checksum="b"), replace(old, migration="m2"), replace(old, rolled_back_at=None)):
        assert under_present_names([done, kept], ["m0", "m1", "m2"], repeats) == (done, kept)


def test_a_finished_script_of_a_lost_name_is_found() -> None:
    """E27: by its script; one that Prisma saw run to its end tells more than one that was marked."""
    marked, ran = finished("a", "2026-01-02", applied_steps_count=0), finished("b", "2026-01-01")
    other = finished("c", "2026-01-01", checksum="c")
    withdrawn = replace(ran, rolled_back_at="2026-01-03")
    assert finished_as([marked, ran, other], ["m1"], lambda of: of.checksum == "a") == ran
    assert finished_as([marked, ran], ["m1", "b"], lambda of: of.checksum == "a") == marked
    assert finished_as([withdrawn, other], ["m1"], lambda of: of.checksum == "a") is None
