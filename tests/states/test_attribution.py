"""Whose work a trace looks like, by example. That real catalogs give these facts is tested on real servers."""

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from states.attribution import (
    CameTo,
    LedgerDates,
    Marks,
    Written,
    attributed,
    ledger_dates,
    pace,
    sentences_on,
    traces_of,
)
from states.facts import Key, Row
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


@pytest.mark.parametrize(
    ("written", "beside", "around"),
    [
        (by(95), BESIDE, ("m0", "m1")),
        (by(101), BESIDE, ("m1", "")),
        (by(85), BESIDE, ("", "m0")),
        (by(95, certain=False), BESIDE, ("", "")),
        (by(95), replace(BESIDE, restored=True), ("", "")),
    ],
)
def test_the_ledger_says_between_which_migrations_it_was_written(
    written: Written, beside: LedgerDates, around: tuple[str, str]
) -> None:
    """By the rows that were written last before it and first after it, where their numbers can be compared."""
    assert beside.beside(written) == around


def test_only_a_migration_that_ended_before_the_attempt_began_dates_it() -> None:
    """A row that was written later, one of uncertain number, and one that ended meanwhile tell no earlier time."""
    ended = replace(row(2), migration="m0", started_at="2025-12-31", finished_at="2025-12-31")
    meanwhile = replace(ended, id="3", migration="m2", finished_at="2026-01-09")
    before = replace(row(4), started_at="2025-12-30", rolled_back_at="2025-12-31")
    rows = [ended, meanwhile, before, ATTEMPT]
    marks = Marks({}, {"1": by(100), "2": by(90), "3": by(95), "4": by(80, certain=False)}, {})
    dates = ledger_dates(ATTEMPT, rows, marks, whole=True)
    assert (dates.earlier, dates.repeated, dates.whole) == (90, True, True)
    assert dates.numbers == {100: "m1", 90: "m0", 95: "m2"}
    for written in (by(110), by(90, certain=False)):
        later = ledger_dates(ATTEMPT, [ended, ATTEMPT], Marks({}, {"1": by(100), "2": written}, {}), whole=False)
        assert (later.earlier, later.repeated) == (None, False)


RAN = CameTo(refused=9, ran=frozenset({1, 2, 3}))
COUNTED = replace(BESIDE, attempt=replace(ATTEMPT, applied_steps_count=1))


def told(
    *numbers: int, beside: LedgerDates = BESIDE, came: CameTo = NOTHING, owners: str = "", times: dict[int, str] | None
) -> tuple[str, ...]:
    """The sentences on tables a, b … of the script, each written by the transaction of this number."""
    marks = Marks({}, {}, times or {})
    found: list[tuple[Key, int | None, Written]] = [
        ((f"table public.{name}", "exists"), index, by(number, owner="dba" if name in owners else "app"))
        for index, (name, number) in enumerate(zip("abc", numbers, strict=False), start=1)
    ]
    return sentences_on(traces_of(found, beside, marks, came), numbers, beside, marks)


@pytest.mark.parametrize(
    ("numbers", "beside", "came", "when", "looks"),
    [
        ((101,), BESIDE, NOTHING, " right after the failed attempt began", "Prisma's own work"),
        ((101, 101), BESIDE, NOTHING, " in one transaction, right after the failed attempt began", "Prisma's own work"),
        (
            (102, 104),
            BESIDE,
            NOTHING,
            " one by one in the script's order, right after the failed attempt began",
            "the work of an engine that runs a script statement by statement",
        ),
        (
            (103, 104),
            BESIDE,
            NOTHING,
            " one by one in the script's order, after the failed attempt began",
            "Prisma's own work, or a later change by hand",
        ),
        (
            (101, 101, 120),
            BESIDE,
            NOTHING,
            " by 2 transactions, in the script's order, after the failed attempt began",
            "Prisma's own work, or a later change by hand",
        ),
        (
            (120, 105),
            BESIDE,
            NOTHING,
            " by 2 transactions, not in the script's order, after the failed attempt began",
            "work by hand or by `prisma db push`",
        ),
        (
            (95, 97),
            BESIDE,
            NOTHING,
            " one by one in the script's order, before the failed attempt began",
            "work by hand or by `prisma db push`: it was written before the failed attempt began",
        ),
        (
            (95, 95),
            BESIDE,
            NOTHING,
            " in one transaction, before the failed attempt began",
            "work by hand: it was written before the failed attempt began",
        ),
        (
            (95,),
            replace(BESIDE, repeated=True),
            NOTHING,
            " before the failed attempt began",
            "work by hand or by `prisma db push`, or an earlier attempt's",
        ),
        (
            (85,),
            replace(AFTER_ITS_END, repeated=True),
            NOTHING,
            " before the failed attempt began",
            "work by hand or by `prisma db push`, or an earlier attempt's",
        ),
        (
            (97, 98),
            AFTER_ITS_END,
            NOTHING,
            " one by one in the script's order, right before the failed row was last written",
            "the work of an engine that runs a script statement by statement, or a change by hand just before",
        ),
        (
            (99, 99),
            COUNTED,
            NOTHING,
            " in one transaction, right before the failed row was last written",
            "Prisma's own work",
        ),
        (
            (97, 98),
            AFTER_ITS_END,
            RAN,
            " one by one in the script's order, right before the failed row was last written",
            "the failed attempt's own work: the attempt ran it, and was then refused at statement 9",
        ),
        (
            (92, 93),
            AFTER_ITS_END,
            NOTHING,
            " one by one in the script's order, before the failed row was last written",
            "the attempt's work, or older work of somebody else",
        ),
        (
            (110, 109),
            AFTER_ITS_END,
            NOTHING,
            " by 2 transactions, not in the script's order, after the failed row was last written",
            "work by hand or by `prisma db push`: it was written after the failed attempt had ended",
        ),
        # The attempt's own and somebody's: all of it is neither's.
        (
            (97, 85),
            AFTER_ITS_END,
            RAN,
            " by 2 transactions, not in the script's order, before the failed row was last written",
            "the attempt's work, or older work of somebody else",
        ),
        # The last one was written right before, and the first one long before it.
        (
            (92, 99),
            AFTER_ITS_END,
            NOTHING,
            " one by one in the script's order, before the failed row was last written",
            "the attempt's work, or older work of somebody else",
        ),
        (
            (90,),
            AFTER_ITS_END,
            NOTHING,
            " before the failed row was last written",
            "the attempt's work, or older work of somebody else",
        ),
        (
            (85,),
            replace(AFTER_ITS_END, earlier=None),
            NOTHING,
            " before the failed row was last written",
            "the attempt's work, or older work of somebody else",
        ),
        (
            (99, 99),
            AFTER_ITS_END,
            NOTHING,
            " in one transaction, right before the failed row was last written",
            "the work of an engine that runs a script statement by statement, or a change by hand just before",
        ),
        (
            (98, 99),
            COUNTED,
            NOTHING,
            " one by one in the script's order, right before the failed row was last written",
            "the work of an engine that runs a script statement by statement, or a change by hand just before",
        ),
        (
            (110,),
            AFTER_ITS_END,
            NOTHING,
            " after the failed row was last written",
            "work by hand or by `prisma db push`: it was written after the failed attempt had ended",
        ),
        # Each is somebody's for another reason.
        (
            (110, 111),
            AFTER_ITS_END,
            CameTo(refused=2),
            " one by one in the script's order, after the failed row was last written",
            "work by hand or by `prisma db push`",
        ),
        (
            (100, 100),
            BESIDE,
            NOTHING,
            " in one transaction, by the transaction that last wrote the failed row",
            "nothing that Prisma does",
        ),
        ((101,), replace(BESIDE, restored=True), NOTHING, " at a time that can't be told", ""),
        ((101,), replace(BESIDE, written=by(100, certain=False)), NOTHING, " at a time that can't be told", ""),
        ((99,), replace(AFTER_ITS_END, written=by(100, certain=False)), NOTHING, " at a time that can't be told", ""),
    ],
)
def test_when_it_was_written_and_whose_work_that_looks_like(
    numbers: tuple[int, ...], beside: LedgerDates, came: CameTo, when: str, looks: str
) -> None:
    """How many transactions, in which order, when: and what a person may take from it."""
    many = f"{len(numbers)} of the script's objects or parts are in production, made or last changed"
    one = "1 of the script's objects or parts is in production, made or last changed"
    assert told(*numbers, beside=beside, came=came, times=None) == (
        f"{many if len(numbers) > 1 else one}{when}.",
        "Owner: app, who owns the ledger too.",
        *([f"It looks like {looks}."] if looks else []),
    )


def test_traces_of_different_times_are_listed_by_their_time() -> None:
    """Then nothing is said of whose work all of it looks like, which is not one's."""
    first, *others = told(95, 120, 95, times=None)
    assert first.endswith("by 2 transactions, not in the script's order, at different times.")
    assert others == [
        "Before the failed row was last written: table public.a, table public.c.",
        "After the failed row was last written: table public.b.",
        "Owner: app, who owns the ledger too.",
    ]


def test_another_owner_is_not_prisma() -> None:
    """Prisma would own what it made, so nothing else is said of whose work it looks like."""
    assert told(101, 102, owners="b", times=None)[1:] == (
        "Owner: app, dba; of the ledger: app. Prisma would own what it made.",
    )


@pytest.mark.parametrize(
    ("times", "said"),
    [
        ({101: "10:01", 102: "10:02", 100: "10:00"}, ("Committed 10:01 to 10:02, the failed row 10:00",)),
        ({101: "10:01", 100: "10:00"}, ("Committed 10:01, the failed row 10:00",)),
        ({101: "10:01"}, ()),
        ({100: "10:00"}, ()),
    ],
)
def test_times_are_told_where_the_server_keeps_them(times: dict[int, str], said: tuple[str, ...]) -> None:
    """Both those of the traces and that of the ledger's row, or they could not be compared."""
    assert told(101, 102, times=times)[3:] == tuple(f"{each} (the server's clock)." for each in said)


def test_a_trace_names_its_object_and_its_place_in_the_ledger() -> None:
    """A part is named with its object, and transactions are numbered in the order of the list."""
    found: list[tuple[Key, int | None, Written]] = [
        (("table public.a", "column x"), 1, by(102)),
        (("table public.a", ""), None, by(95)),
        (("table public.a", "exists"), 1, by(102)),
        (("table public.b", "exists"), 1, by(90, certain=False)),
    ]
    traces = traces_of(found, BESIDE, Marks({}, {}, {95: "10:00"}), NOTHING)
    assert [(each.object, each.order, each.transaction, each.committed_at) for each in traces] == [
        ("table public.a column x", "after", 1, None),
        ("table public.a", "before", 2, "10:00"),
        ("table public.a", "after", 1, None),
        ("table public.b", "before", 3, None),
    ]
    assert [(each.after, each.before) for each in traces] == [("m1", ""), ("m0", "m1"), ("m1", ""), ("", "")]
    (late,) = traces_of([(("table public.b", "exists"), 1, by(101, certain=False))], BESIDE, Marks({}, {}, {}), NOTHING)
    assert late.order == "unknown"


writes = st.builds(Written, st.integers(80, 120), st.booleans(), st.sampled_from(("app", "dba")))


@given(st.lists(st.tuples(st.none() | st.integers(1, 4), writes), max_size=5), st.randoms(use_true_random=False))
@settings(max_examples=60)
def test_the_order_of_reading_changes_no_attribution(
    drawn: list[tuple[int | None, Written]], chance: random.Random
) -> None:
    """One transaction is one's work, whichever trace of it is read first; and a pace has no order."""
    found: list[tuple[Key, int | None, Written]] = [
        ((f"table public.t{number}", "exists"), index, written) for number, (index, written) in enumerate(drawn)
    ]
    other = chance.sample(found, len(found))
    for beside in (BESIDE, AFTER_ITS_END):
        traces = traces_of(found, beside, Marks({}, {}, {}), RAN)
        certain = {each.transaction for each in traces if each.certainty == "strong"}
        assert all(each.certainty == "strong" for each in traces if each.transaction in certain)
        again = {each.object: each for each in traces_of(other, beside, Marks({}, {}, {}), RAN)}
        assert all(again[each.object].certainty == each.certainty for each in traces)
    numbers = [written.transaction for _, _, written in found]
    assert pace(numbers) == pace([written.transaction for _, _, written in other])
