"""Whose work a trace looks like, by example. That real catalogs give these facts is tested on real servers."""

from dataclasses import replace

import pytest

from states.attribution import CameTo, LedgerDates, Marks, Written, attributed, ledger_dates, pace, traces_of
from states.facts import Row
from tests.states.strategies import row

ATTEMPT = replace(row(1), logs=None)
#: Prisma wrote the failed row by transaction 100, and never again.
BESIDE = LedgerDates(
    ATTEMPT,
    Written(100, certain=True, owner="app"),
    {90: "m0", 100: "m1"},
    90,
    restored=False,
    whole=False,
    repeated=False,
)
AFTER_ITS_END = replace(BESIDE, attempt=replace(ATTEMPT, logs="ERROR: already exists"))
NOTHING = CameTo()


def by(number: int, *, owner: str = "app", certain: bool = True) -> Written:
    """Written by this transaction."""
    return Written(number, certain, owner)


@pytest.mark.parametrize(
    ("written", "index", "beside", "came", "whose", "certainty"),
    [
        (by(101), 3, BESIDE, CameTo(refused=3), "somebody", "strong"),
        (by(101), 1, replace(AFTER_ITS_END, whole=True), NOTHING, "somebody", "strong"),
        (by(101, owner="dba"), 1, BESIDE, NOTHING, "somebody", "strong"),
        (by(101), 1, replace(BESIDE, restored=True), NOTHING, "unknown", "none"),
        (by(101, certain=False), 1, BESIDE, NOTHING, "unknown", "none"),
        (by(100), 1, BESIDE, NOTHING, "unknown", "none"),
        (by(95), 1, BESIDE, NOTHING, "somebody", "strong"),
        (by(95), 1, replace(BESIDE, repeated=True), NOTHING, "either", "weak"),
        (by(85), 1, AFTER_ITS_END, NOTHING, "somebody", "strong"),
        (by(95), 1, AFTER_ITS_END, CameTo(refused=3, ran=frozenset({1, 2})), "attempt", "strong"),
        (by(95), 1, AFTER_ITS_END, NOTHING, "either", "weak"),
        (by(101), 1, AFTER_ITS_END, NOTHING, "somebody", "strong"),
        (by(101), 1, BESIDE, NOTHING, "attempt", "weak"),
    ],
)
def test_a_trace_looks_like_somebodys(
    written: Written, index: int, beside: LedgerDates, came: CameTo, whose: str, certainty: str
) -> None:
    """What PostgreSQL refused, who owns it, and when it was written tell whose work it looks like, and how surely."""
    found = attributed(written, index, beside, came)
    assert found[:2] == (whose, certainty)
    assert found[2]


def test_what_one_transaction_wrote_is_ones_work() -> None:
    """A trace that alone would be weak is as certain as another of the same transaction."""
    found = [(("table public.a", "exists"), 1, by(101)), (("table public.b", "exists"), 2, by(101, owner="dba"))]
    weak, strong = traces_of(found, BESIDE, Marks({}, {}, {}), NOTHING)
    assert (strong.by, strong.certainty) == ("somebody", "strong")
    assert (weak.by, weak.certainty) == ("somebody", "strong")
    assert weak.why == "the transaction that wrote table public.b wrote it"


@pytest.mark.parametrize(
    ("numbers", "said"),
    [([7], ""), ([7, 7], "one_transaction"), ([7, 8, 10], "consecutive"), ([7, 11], "scattered")],
)
def test_a_pace_needs_two_traces(numbers: list[int], said: str) -> None:
    """In one transaction, one right after another, or with others in between."""
    assert pace(numbers) == said


def test_rows_that_were_written_at_once_date_nothing() -> None:
    """A restore writes every row of the ledger in one transaction."""
    rows: list[Row] = [ATTEMPT, replace(row(2), migration="m0", finished_at="2026-01-01")]
    marks = Marks({}, {"1": by(100), "2": by(100)}, {})
    assert ledger_dates(ATTEMPT, rows, marks, whole=False).restored
    assert not ledger_dates(ATTEMPT, rows, Marks({}, {"1": by(100), "2": by(90)}, {}), whole=False).restored
