"""What production proves of rows, and what makes it doubtful, without a server."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from states.facts import Key, Replay, Statement, Subject, Visibility
from states.finding import of_script
from states.row_proofs import (
    EMPTY,
    FILLED,
    KEPT,
    altered_since,
    columns_made_again,
    filled_otherwise,
    in_its_place,
    witnessed,
)
from tests.states.strategies import replay_of, row, steps_of

T = "table public.t"
TABLE, X, Y = (T, "exists"), (T, "column x"), (T, "column y")
HERE: dict[Key, str] = {TABLE: "yes"}
#: ALTER TABLE t ADD x, then ADD y.
ADDING = replace(replay_of(steps_of({X: "exists"}, {Y: "exists"}, base=HERE), extra=[TABLE]), added=frozenset({X, Y}))
LAYOUT = {T: ("a", "x", "")}
FILLS = Statement(1, "ALTER TABLE t ADD x int DEFAULT 1", Visibility.ROWS, "a default", fills=((X, "{1}"),))
FILLS_NOW = replace(FILLS, fills=((X, ""),))
MOVES = Statement(1, "ALTER TABLE t RENAME z TO x", Visibility.ROWS, "values stay", moves=(X,))
MOVES_TABLE = replace(MOVES, moves=(TABLE,))
DROPS = Statement(1, "ALTER TABLE t DROP x", Visibility.SEEN, drops=(X,))
DROPS_TABLE = replace(DROPS, drops=(TABLE,))


def script(first: Statement, **fields: object) -> Replay:
    """The script that adds x, then y, with this as its first statement."""
    return replace(ADDING, statements=(first, ADDING.statements[1]), **fields)  # type: ignore[arg-type]


def failed(**fields: object) -> Subject:
    """A migration that failed once, with what production has."""
    return replace(Subject("m1", (row(),), (ADDING,), "a"), **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("statement", "found", "proof"),
    [
        (FILLS, failed(filled={X: "{1}"}), FILLED),
        (FILLS, failed(filled={X: "{2}"}), ""),
        (FILLS, failed(filled={Y: "{1}"}), ""),
        (FILLS, failed(empty=frozenset({T})), EMPTY),
        # A default that is another one every time: whichever it was, PostgreSQL kept it.
        (FILLS_NOW, failed(filled={X: "{2026-01-01}"}), FILLED),
        (FILLS_NOW, failed(), ""),
        (replace(FILLS, fills=((X, "{1}"), (Y, "{2}"))), failed(filled={X: "{1}", Y: "{2}"}), ""),
        (MOVES, failed(places=LAYOUT), KEPT),
        (MOVES, failed(places={T: ("a", "", "x")}), ""),
        # The column that was dropped before it is older than the attempt, so it is not the one in question.
        (MOVES, failed(places={T: ("a", "", "x")}, undropped=frozenset({T})), KEPT),
        # One before it has another name, so it may be that one.
        (MOVES, failed(places={T: ("b", "x")}, undropped=frozenset({T})), ""),
        (MOVES, failed(), ""),
        (MOVES, failed(places={T: ("", "a", "x")}), ""),
        # The column that was dropped there is older than the attempt.
        (MOVES, failed(places={T: ("", "a", "x")}, undropped=frozenset({T})), KEPT),
        (MOVES, failed(empty=frozenset({T})), EMPTY),
        (MOVES_TABLE, failed(kept=frozenset({T})), KEPT),
        (MOVES_TABLE, failed(), ""),
        # A table made anew under the new name is empty, too, and lacks the rows of the old one.
        (MOVES_TABLE, failed(empty=frozenset({T})), ""),
        (replace(MOVES, moves=(X, TABLE)), failed(places=LAYOUT), ""),
        (replace(MOVES, moves=(X, TABLE)), failed(places=LAYOUT, kept=frozenset({T})), KEPT),
        (replace(FILLS, moves=(X,)), failed(places=LAYOUT), ""),
        # One of the two tables has no rows, and of the other one nothing is known.
        (replace(FILLS, moves=(("table public.u", "column z"),)), failed(empty=frozenset({T})), ""),
        (replace(FILLS, moves=(X,)), failed(places=LAYOUT, filled={X: "{1}"}), FILLED),
        (replace(FILLS, fills=()), failed(filled={X: "{1}"}, kept=frozenset({T}), empty=frozenset({T})), ""),
    ],
)
def test_what_proves_that_rows_are_done(statement: Statement, found: Subject, proof: str) -> None:
    """E20: the default that PostgreSQL keeps, an old place, an old table, or that there are no rows; else unproven."""
    for at in ((), (0,), (1,)):
        (now, _) = witnessed(script(statement, places=LAYOUT), found, at).statements
        assert (now.visibility, now.why) == (
            (Visibility.SEEN, proof) if proof else (statement.visibility, statement.why)
        )


def test_a_column_that_comes_twice_proves_nothing_by_its_default() -> None:
    """It may be the one that was there before, or one that a later statement makes: dropped, and added with 1 again."""
    found = failed(filled={X: "{1}"})
    before = steps_of({Y: "exists"}, {Y: None}, base={**HERE, X: "exists"})
    later = steps_of({X: "exists"}, {X: None}, base=HERE)
    for steps in (before, later):
        twice = script(FILLS, steps=tuple(steps), footprint=frozenset({X, Y}))
        assert witnessed(twice, found, (1,)).statements[0] == FILLS


@pytest.mark.parametrize(("at", "seen"), [((), False), ((0,), False), ((0, 1), False), ((1,), True), ((1, 2), True)])
def test_an_open_statement_is_proven_only_where_production_stands_behind_it(at: tuple[int, ...], *, seen: bool) -> None:
    """Columns that swap their names look alike before and after, so their place alone does not date it (E19)."""
    swap = replace(MOVES, visibility=Visibility.OPEN)
    found = witnessed(script(swap, places=LAYOUT), failed(places=LAYOUT), at).statements[0]
    assert found.visibility is (Visibility.SEEN if seen else Visibility.OPEN)


@pytest.mark.parametrize(
    ("statement", "fields", "found", "doubt"),
    [
        (
            DROPS,
            {"places": {T: ("a", "", "")}},
            failed(places={T: ("a", "x_old", "")}),
            f"column x of {T} may have been renamed to x_old, with its values",
        ),
        # It was dropped, and another one was added to production besides.
        (DROPS, {"places": {T: ("a", "")}}, failed(places={T: ("a", "", "x_old")}), ""),
        (DROPS, {"places": {T: ("a", "")}}, failed(places={T: ("a",)}), ""),
        (
            DROPS,
            {"places": {T: ("a", "", "")}, "footprint": frozenset({("table public.u", "column x_old")})},
            failed(places={T: ("a", "x_old", "")}),
            f"column x of {T} may have been renamed to x_old, with its values",
        ),
        # What stands there is the script's own: it drops it later.
        (DROPS, {"places": {T: ("a", "", "")}}, failed(places={T: ("a", "y", "")}), ""),
        (DROPS, {"places": {T: ("a", "")}}, failed(places={T: ("a", "x")}, production={X: "exists"}), ""),
        (
            DROPS_TABLE,
            {},
            failed(alike={T: ("table public.t_old",)}),
            f"{T} may have been renamed to public.t_old, with its rows",
        ),
        # The history and the script make a table with the same columns: that is the one.
        (DROPS_TABLE, {"alike": frozenset({"table public.u"})}, failed(alike={T: ("table public.u",)}), ""),
        # The script makes it itself, and it may be the old one all the same.
        (
            DROPS_TABLE,
            {"alike": frozenset({"table public.u"}), "created": frozenset({"table public.u"})},
            failed(alike={T: ("table public.u",)}),
            f"{T} may have been renamed to public.u, with its rows",
        ),
        # So may its own new column be that stands in the old one's place.
        (
            DROPS,
            {"places": {T: ("a", "", "y")}, "added": frozenset({(T, "column y")})},
            failed(places={T: ("a", "y")}),
            f"column x of {T} may have been renamed to y, with its values",
        ),
        (
            DROPS,
            {"places": {T: ("a", "", "y")}, "added": frozenset({(T, "column y")})},
            failed(places={T: ("a", "", "y")}),
            "",
        ),
        (DROPS_TABLE, {}, failed(), ""),
        (DROPS_TABLE, {}, failed(alike={T: ("table public.t_old",)}, production=HERE), ""),
        # A table of which nothing is known does not hide the one behind it.
        (
            replace(DROPS, drops=(("table public.u", "exists"), TABLE)),
            {},
            failed(alike={T: ("table public.t_old",)}),
            f"{T} may have been renamed to public.t_old, with its rows",
        ),
    ],
)
def test_what_was_dropped_may_be_kept_under_another_name(
    statement: Statement, fields: dict[str, object], found: Subject, doubt: str
) -> None:
    """E19: people rename what they fear to lose; then the rows are there, and the drop is not seen to have run."""
    now = witnessed(script(statement, **fields), found, (1, 2)).statements[0]
    assert (now.visibility, now.why) == ((Visibility.OPEN, doubt) if doubt else (Visibility.SEEN, ""))


def test_a_quoted_column_of_the_script_is_its_own() -> None:
    """A snapshot quotes the name, and the order of the columns does not."""
    quoted = script(DROPS, places={T: ("a", "", "")}, footprint=frozenset({(T, 'column "my ""y"""')}))
    found = failed(places={T: ("a", 'my "y"', "")})
    assert witnessed(quoted, found, (1,)).statements[0] == DROPS


OUT_OF_ORDER = f"the columns of {T} do not stand in the order in which the history made them"
MORE_DROPPED = f"more columns of {T} were dropped than the history drops"


@pytest.mark.parametrize(
    ("now", "done", "why"),
    [(("a", "x"), 0, ""), (("x", "a"), 0, OUT_OF_ORDER), (("x", "a"), 1, ""), (("x", "c", "a"), 1, ""), ((), 1, "")],
)
def test_columns_that_a_script_has_yet_to_work_on_stand_where_they_stood(
    now: tuple[str, ...], done: int, why: str
) -> None:
    """E19: one that was made again has lost its values; what the script itself has dropped may be made again by it."""
    found = failed(places={T: now})
    assert columns_made_again(script(DROPS, stood={T: ("a", "x")}), found, done) == why


@pytest.mark.parametrize(("now", "verdict"), [(("a", "z", "x"), "partial"), (("z", "a", "x"), "undecidable")])
def test_within_a_script_what_was_taken_back_is_open(now: tuple[str, ...], verdict: str) -> None:
    """E19: production stands after the first statement, and somebody may have taken back more than shows."""
    found = failed(places={T: now}, production={**HERE, X: "exists"})
    assert of_script(replace(ADDING, stood={T: ("a", "z")}), found).verdict.value == verdict


@pytest.mark.parametrize(
    ("stood", "statement", "now", "why"),
    [
        (("a", "x"), DROPS, ("a", "x"), ""),
        (("a", "x"), DROPS, ("x", "a"), OUT_OF_ORDER),
        (("a", "x"), DROPS, ("a", "b", "x"), ""),
        (("a", "x"), DROPS, ("x",), ""),
        (("a", "x"), DROPS, (), ""),
        # It was dropped, and made again at the end: so its values are gone.
        (("a", "x"), DROPS, ("a", "", "x"), MORE_DROPPED),
        (("a", "", "x"), DROPS, ("a", "", "x"), ""),
        (("a", "", "x"), DROPS, ("a", "x", ""), ""),
        (("a", "x"), replace(DROPS, drops=(("table public.u", "column x"),)), ("a", "", "x"), ""),
        # This script drops no column, so nothing of it was taken back there.
        (("a", "x"), FILLS, ("a", "", "x"), ""),
    ],
)
def test_what_was_dropped_and_made_again_has_lost_its_values(
    stood: tuple[str, ...], statement: Statement, now: tuple[str, ...], why: str
) -> None:
    """E19: production looks as before the script, and some of the script ran and was taken back by hand."""
    found = failed(places={T: now}, remained=frozenset({T}))
    assert altered_since(script(statement, stood={T: stood}), found) == why


ANEW = f"nothing proves that {T} is the table from before the attempt, with its rows"
REORDERED = f"{T} may have been made with its columns in another order, and they may have been altered since"
LEAVING = {"steps": (HERE, HERE, {})}


@pytest.mark.parametrize(
    ("statement", "fields", "found", "why"),
    [
        (DROPS_TABLE, {}, {}, ANEW),
        (MOVES_TABLE, {}, {}, ANEW),
        (MOVES_TABLE, {}, {"remained": frozenset({T})}, ""),
        # The table is gone at the end, by whatever statement.
        (FILLS, LEAVING, {}, ANEW),
        (FILLS, LEAVING, {"remained": frozenset({T})}, ""),
        # Whether it is gone at the end is not known.
        (FILLS, {"steps": (HERE, {})}, {}, ""),
        (FILLS, {}, {}, ""),
        # A mark of the history made nothing, so somebody else has made the table.
        (DROPS, {}, {"stamped": True}, REORDERED),
        (MOVES, {}, {"stamped": True}, REORDERED),
        (DROPS, {}, {"stamped": True, "unaltered": frozenset({T})}, ""),
        (FILLS, {}, {"stamped": True}, ""),
    ],
)
def test_a_table_that_somebody_else_made_proves_nothing(
    statement: Statement, fields: dict[str, object], found: dict[str, object], why: str
) -> None:
    """E19: it looks as before the script, and its rows may be kept elsewhere."""
    layout = {T: ("a", "x")}
    assert altered_since(script(statement, stood=layout, **fields), failed(places=layout, **found)) == why


UPDATES = Statement(1, "UPDATE t SET x = 1", Visibility.OPEN, "it changes rows", over=T)
FIRES = replace(FILLS, fires=frozenset({T, "table public.u"}))
NO_ROWS = {"empty": frozenset({T}), "unmoved": frozenset({T})}
TRIGGER = f"{T} has a trigger or a rule in production, which may have written other rows"


@pytest.mark.parametrize(
    ("statement", "found", "visibility", "why"),
    [
        (UPDATES, NO_ROWS, Visibility.INERT, EMPTY),
        # Somebody may have made the table anew, and kept its rows elsewhere.
        (UPDATES, {"empty": frozenset({T})}, Visibility.OPEN, "it changes rows"),
        (UPDATES, {"unmoved": frozenset({T})}, Visibility.OPEN, "it changes rows"),
        (UPDATES, {**NO_ROWS, "firing": frozenset({T})}, Visibility.OPEN, "it changes rows"),
        (UPDATES, {**NO_ROWS, "firing": frozenset({"table public.u"})}, Visibility.INERT, EMPTY),
        (replace(UPDATES, over=""), NO_ROWS, Visibility.OPEN, "it changes rows"),
        (FIRES, {"firing": frozenset({T}), "filled": {X: "{1}"}}, Visibility.OPEN, TRIGGER),
        (FIRES, {"firing": frozenset({"table public.z"}), "filled": {X: "{1}"}}, Visibility.SEEN, FILLED),
        (FILLS, {"firing": frozenset({T}), "filled": {X: "{1}"}}, Visibility.SEEN, FILLED),
    ],
)
def test_triggers_and_empty_tables(
    statement: Statement, found: dict[str, object], visibility: Visibility, why: str
) -> None:
    """E18: where there are no rows there is nothing to change, and a trigger may have written anywhere."""
    now = witnessed(script(statement), failed(**found), (0,)).statements[0]
    assert (now.visibility, now.why) == (visibility, why)


ANEW = f"nothing proves that {T} is the table from before the attempt, with its rows"
ELSEWHERE = f"{T} may have been made with its columns in another order, and they may have been altered since"


@pytest.mark.parametrize(
    ("statement", "found", "why"),
    [
        (DROPS_TABLE, failed(), ANEW),
        (DROPS_TABLE, failed(remained=frozenset({T})), ""),
        (MOVES_TABLE, failed(), ANEW),
        (MOVES_TABLE, failed(remained=frozenset({T})), ""),
        (MOVES, failed(), ""),
        (MOVES, failed(stamped=True), ELSEWHERE),
        (MOVES, failed(stamped=True, unaltered=frozenset({T})), ""),
        (DROPS, failed(stamped=True), ELSEWHERE),
        (FILLS, failed(stamped=True), ""),
    ],
)
def test_what_the_script_would_move_is_what_was_there_before(statement: Statement, found: Subject, why: str) -> None:
    """E20: a table that somebody made again has other rows; one that `db push` made has other places."""
    assert altered_since(script(statement, stood={T: ("a", "x")}), replace(found, places={T: ("a", "x")})) == why


def test_a_trigger_of_productions_own_makes_rows_uncertain() -> None:
    """E18: the replay has no trigger, so what the statement did there is not all that it did in production."""
    fires = replace(FILLS, fires=frozenset({T}))
    for firing, expected in ((frozenset({T}), Visibility.OPEN), (frozenset({"table public.u"}), Visibility.ROWS)):
        assert witnessed(script(fires), failed(firing=firing), (0,)).statements[0].visibility is expected


@pytest.mark.parametrize(
    ("replay", "found", "why"),
    [
        (script(FILLS), failed(filled={X: "{1}"}), ""),
        (script(FILLS), failed(filled={X: "{2}"}), "with {2} for the rows from before, and the script gives {1}"),
        (ADDING, failed(filled={Y: "{0}"}), "column y of table public.t was added with {0}"),
        (ADDING, failed(filled={Y: "{0}"}), "and the script gives no value"),
        (script(FILLS), failed(), ""),
        (script(FILLS), failed(filled={X: "{2}"}, empty=frozenset({T})), ""),
        (script(FILLS_NOW), failed(filled={X: "{2026-01-01}"}), ""),
        # The script fills it by a statement that is open anyway.
        (replace(ADDING, filled={Y: "{7}"}), failed(filled={Y: "{0}"}), ""),
        (script(FILLS, filled={X: "{1}"}), failed(filled={X: "{2}"}), "and the script gives {1}"),
        # Whether the script's rest drops it is not known.
        (script(FILLS, steps=ADDING.steps[:2]), failed(filled={X: "{2}"}), ""),
        (script(FILLS, steps=(*ADDING.steps[:2], HERE)), failed(filled={X: "{2}"}), ""),
        (script(FILLS, added=frozenset()), failed(filled={X: "{2}"}), ""),
    ],
)
def test_a_corrected_default_does_not_correct_the_rows(replay: Replay, found: Subject, why: str) -> None:
    """E20: somebody added the column with another default, then set the right one: the rows still have the other."""
    said = filled_otherwise(replay, found)
    assert (why in said) if why else (said == "")


layouts = st.lists(st.sampled_from(("a", "b", "c", "d", "")), min_size=1, max_size=7).filter(
    lambda columns: any(columns) and all(columns.count(each) == 1 for each in columns if each)
)


@given(layouts, layouts, st.data())
@settings(max_examples=80)
def test_the_place_of_a_column(columns: list[str], others: list[str], data: st.DataObject) -> None:
    """A column is in its place where nothing was done, or columns came behind; never once it was dropped and made."""
    name = data.draw(st.sampled_from([each for each in columns if each]))
    replayed = {T: tuple(columns)}

    def stays(now: tuple[str, ...]) -> bool:
        return in_its_place(T, f"column {name}", replayed, {T: now})

    assert stays(tuple(columns))
    assert stays((*columns, "later"))
    assert not stays((*("" if each == name else each for each in columns), name))
    assert not stays(tuple("" if each == name else each for each in columns))
    # What no two layouts say of one another depends on neither being called the replay, but for columns behind it.
    both = {T: (*others, "end")}, {T: (*columns, "end")}
    if name in others:
        assert in_its_place(T, f"column {name}", *both) == in_its_place(T, f"column {name}", *reversed(both))
