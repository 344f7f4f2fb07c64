"""What a property is of, and whether it counts: told by its structure, never by a word in a name (RULES E28)."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given, settings

from states.comparison import (
    Difference,
    Property,
    column_of,
    differences,
    is_remark,
    name_of,
    nearest,
    qualified_name,
    shows_its_end,
    some,
    statement_states,
    steps_equal_to,
    taken_apart,
)
from states.facts import Key, Replay, Visibility
from states.presence import after
from tests.states.strategies import replay_of, replays, snapshots, steps_of

#: A property, the part that it is of, the part's kind, and what it tells.
APART = [
    ("exists", "", "", "exists"),
    ("comment", "", "", "comment"),
    ("table public.comment", "", "", "table public.comment"),
    ("column x", "column x", "column", ""),
    ("column comment", "column comment", "column", ""),
    ("column x comment", "column x", "column", "comment"),
    ("column comment comment", "column comment", "column", "comment"),
    ('column "x type"', 'column "x type"', "column", ""),
    ('column "x type" type', 'column "x type"', "column", "type"),
    ('column " ""y"" comment" nullability', 'column " ""y"" comment"', "column", "nullability"),
    ('column "privileges of x"', 'column "privileges of x"', "column", ""),
    ("column x privileges of y", "column x", "column", "privileges of y"),
    ('constraint "a comment" inheritance', 'constraint "a comment"', "constraint", "inheritance"),
    ("trigger enabled enabled", "trigger enabled", "trigger", "enabled"),
    ("attribute comment comment", "attribute comment", "attribute", "comment"),
]


@pytest.mark.parametrize(("prop", "part", "kind", "detail"), APART)
def test_a_property_is_taken_apart_by_its_structure(prop: str, part: str, kind: str, detail: str) -> None:
    """Names with blanks, quotes and keywords are told from what follows them."""
    assert taken_apart(prop) == Property(part, kind, detail)
    assert column_of(prop) == (part if kind == "column" else None)


REMARKS = [
    ("table public.t", "comment"),
    ("table public.t", "column a comment"),
    ("table public.t", "column comment comment"),
    ("table public.t", "rule r comment"),
    ("type public.o", "attribute a comment"),
    ("table public.t", "privileges of x"),
    ("table public.t", "column a privileges of x"),
    ("table public.t", "column a statistics"),
    ("index public.i", "statistics"),
    ("statistics public.s", "target"),
    ("extension x", "version"),
    ("sequence public.s", "next value"),
]
COUNTING = [
    ("table public.t", "column comment"),
    ("table public.t", "column comment type"),
    ("table public.t", 'column "x comment"'),
    ("table public.t", 'column "privileges of x"'),
    ("table public.t", "column statistics"),
    ("table public.t", 'column "a statistics" type'),
    ("table public.t", "constraint comment"),
    ("table public.t", "trigger comment"),
    ("table public.t", "rule comment"),
    ("table public.t", "policy comment"),
    ("table public.t", "policy statistics"),
    ("publication p", "schema comment"),
    ("publication p", 'table public."x comment"'),
    ("sequence public.s", "start"),
    ("extension x", "exists"),
]


@pytest.mark.parametrize(("key", "remark"), [*((k, True) for k in REMARKS), *((k, False) for k in COUNTING)])
def test_a_remark_is_told_by_its_kind(key: tuple[str, str], *, remark: bool) -> None:
    """A comment is a remark; a column, constraint, trigger, rule or policy that is called `comment` is none."""
    assert is_remark(key) is remark


def test_the_name_of_an_object_is_what_follows_its_kind() -> None:
    """Of each kind, with a schema or without, and whatever is in the quotes."""
    assert name_of("event trigger x") == "x"
    assert name_of('schema "x (y)"') == '"x (y)"'
    assert name_of('cast "integer AS public.e"') == '"integer AS public.e"'
    assert name_of('function "a.b"."c (d)"(integer)') == '"a.b"."c (d)"'
    assert qualified_name('operator public."@@@"(text, text)') == 'public."@@@"'
    assert qualified_name("text search configuration public.x") == "public.x"


@pytest.mark.parametrize("part", ["column x", 'column "x y"', "constraint comment", 'rule "a b"'])
def test_what_is_of_a_part_goes_with_it(part: str) -> None:
    """The part's own properties go, and not those of a part whose name begins alike."""
    there = {("table public.t", prop): "" for prop in (part, f"{part} comment", f'{part[:-1]}z"', "column xy")}
    left = after(there, [{("table public.t", part): None}])
    assert set(left) == {("table public.t", f'{part[:-1]}z"'), ("table public.t", "column xy")}


X: Key = ("table public.x", "exists")
A, A_TYPE, A_DEFAULT = (("table public.x", f"column a{detail}") for detail in ("", " type", " default"))
B: Key = ("table public.x", "column b")
SEQUENCE, NEXT = ("sequence public.s", "exists"), ("sequence public.s", "next value")
#: CREATE SEQUENCE s START 1000, and a statement that works on something else.
COUNTING_ON = replay_of(steps_of({SEQUENCE: "yes", NEXT: "1000"}, {X: "yes"}))
END = {SEQUENCE: "yes", NEXT: "1000", X: "yes"}
FOUND = replay_of(steps_of({NEXT: "1000"}, {X: "yes"}, base={SEQUENCE: "yes", NEXT: "1"}), extra=[SEQUENCE])


@pytest.mark.parametrize(
    ("replay", "production", "equal"),
    [
        (COUNTING_ON, END, True),
        # It was made to start at 1, and START was changed afterwards: it goes on from 1.
        (COUNTING_ON, {**END, NEXT: "1"}, False),
        # The application has drawn numbers from it.
        (COUNTING_ON, {SEQUENCE: "yes", X: "yes"}, True),
        # The script uses it itself, and only where there are rows.
        (
            replay_of(COUNTING_ON.steps, unseen={2: Visibility.OPEN}),
            {**END, NEXT: "1"},
            True,
        ),
        (
            replay_of([*COUNTING_ON.steps[:2], COUNTING_ON.steps[1], END], unseen={2: Visibility.OPEN}),
            {**END, NEXT: "1"},
            True,
        ),
        (replay_of(COUNTING_ON.steps, unseen={2: Visibility.INERT}), {**END, NEXT: "1"}, False),
        (replay_of(COUNTING_ON.steps, unseen={1: Visibility.OPEN}), {**END, NEXT: "1"}, False),
        # The sequence was there before the script: how many numbers it gave is no matter of the script's.
        (FOUND, {**END, NEXT: "7"}, True),
    ],
)
def test_a_sequence_that_nobody_has_used_starts_where_the_script_says(
    replay: Replay, production: Mapping[Key, str], *, equal: bool
) -> None:
    """E8, E17: compared only where neither side has drawn a number from it; any later number depends on rows."""
    assert (len(replay.steps) - 1 in steps_equal_to(replay, production)) is equal


@pytest.mark.parametrize(
    ("kind", "production", "state"),
    [
        (Visibility.SEEN, {SEQUENCE: "yes", X: "otherwise"}, "in_place"),
        (Visibility.SEEN, {SEQUENCE: "yes", NEXT: "1000", X: "otherwise"}, "in_place"),
        (Visibility.SEEN, {SEQUENCE: "yes", NEXT: "1", X: "otherwise"}, "differs"),
        (Visibility.OPEN, {SEQUENCE: "yes", NEXT: "1", X: "otherwise"}, "in_place"),
    ],
)
def test_numbers_that_were_drawn_keep_no_sequence_from_being_in_place(
    kind: Visibility, production: Mapping[Key, str], state: str
) -> None:
    """Also where something else has drifted, the statement that makes the sequence is judged by the same rule."""
    replay = replay_of(COUNTING_ON.steps, unseen={2: kind})
    assert statement_states(replay, production, (), {})[0].state == state


def test_a_type_that_was_changed_and_changed_back_is_told_by_the_step() -> None:
    """The statement that changes it back is in place, although the property is as it was at the beginning."""
    steps = steps_of({A_TYPE: "text", B: "exists"}, {A_TYPE: "integer"}, base={A_TYPE: "integer"})
    replay = replay_of(steps)
    assert [each.state for each in statement_states(replay, steps[2], (2,), {})] == ["in_place", "in_place"]
    assert [each.state for each in statement_states(replay, steps[0], (0,), {})] == ["absent", "absent"]


BODY: Key = ("function public.f()", "body")
PROCEDURE: Key = ("procedure public.f()", "body")
DEFINITION: Key = ("function public.f()", "definition")
VIEW: Key = ("view public.v", "body")
UNIX, WINDOWS = "begin\n return 1;\nend", "begin\r\n return 1;\r\nend"
ATOMIC = "BEGIN ATOMIC\n SELECT 'a\nb';\nEND"


@pytest.mark.parametrize(
    ("key", "made", "found", "equal"),
    [
        (BODY, UNIX, WINDOWS, True),
        (BODY, WINDOWS, UNIX, True),
        (PROCEDURE, UNIX, WINDOWS, True),
        (BODY, UNIX, WINDOWS.replace("1", "2"), False),
        (BODY, UNIX, UNIX.replace("\n", " "), False),
        # PostgreSQL wrote these words itself, and a line end in them is part of a value.
        (BODY, ATOMIC, ATOMIC.replace("\n", "\r\n"), False),
        (BODY, "RETURN 'a\nb'", "RETURN 'a\r\nb'", False),
        (DEFINITION, UNIX, WINDOWS, False),
        (VIEW, UNIX, WINDOWS, False),
    ],
)
def test_line_ends_of_a_checkout_are_no_difference(key: Key, made: str, found: str, *, equal: bool) -> None:
    """A body that was written on Windows is the same body; only its text is as it was written."""
    replay = replay_of(steps_of({key: made}))
    assert (steps_equal_to(replay, {key: found}) == (1,)) is equal
    assert steps_equal_to(replay, {}) == (0,)
    (state,) = statement_states(replay, {key: found}, (), {})
    assert state.state == ("in_place" if equal else "differs")


def test_a_script_that_changes_the_line_ends_is_about_them() -> None:
    """Then the two bodies are two steps, and production stands at one of them."""
    replay = replay_of(steps_of({BODY: UNIX}, base={BODY: WINDOWS}))
    assert steps_equal_to(replay, {BODY: UNIX}) == (1,)
    assert steps_equal_to(replay, {BODY: WINDOWS}) == (0,)


EXTRA: list[tuple[Key, str, bool]] = [
    (("table public.x", "column a collation"), "C", True),
    (("table public.x", "column a comment"), "by hand", False),
    (("table public.x", "column c"), "exists", False),
    (("table public.x", "column c type"), "text", False),
    (("table public.x", "row security"), "on", True),
]


@pytest.mark.parametrize(("key", "value", "counts"), EXTRA)
def test_what_only_production_has_of_what_the_script_makes(key: Key, value: str, *, counts: bool) -> None:
    """E8: a table of the script's own is compared closed, and so is a column that it adds to another's table."""
    made = replay_of(steps_of({X: "yes", A: "exists", A_TYPE: "text"}))
    production = {**made.steps[1], key: value}
    found = [Difference(*key, None, value)] if counts else []
    assert list(differences(made, 1, production)) == found
    added = replace(
        replay_of(steps_of({A: "exists", A_TYPE: "text"}, base={X: "yes"}), extra=[X]), added=frozenset({A})
    )
    assert list(differences(added, 1, production)) == (found if key[1].startswith("column a") else [])
    assert differences(replace(added, added=frozenset()), 1, production) == ()


ADDS = steps_of({X: "yes"}, {A: "exists", A_DEFAULT: "1"}, {B: "exists"})
ROWS = Visibility.ROWS


@pytest.mark.parametrize(
    ("kind", "done", "production", "at", "state", "said"),
    [
        # What the statement makes is there, or is otherwise, and its rows are a person's to tell.
        (ROWS, True, ADDS[3], (3,), "in_place", True),
        (ROWS, False, ADDS[3], (3,), "absent", False),
        (ROWS, None, ADDS[3], (3,), "open", None),
        (ROWS, True, {**ADDS[3], A_DEFAULT: "2"}, (), "differs", True),
        (ROWS, False, {**ADDS[3], A_DEFAULT: "2"}, (), "differs", False),
        # Where what it makes is absent, so are its rows, whatever anybody says.
        (ROWS, True, ADDS[1], (1,), "absent", None),
        (Visibility.OPEN, True, ADDS[1], (1,), "in_place", True),
        (Visibility.SEEN, False, ADDS[3], (3,), "in_place", None),
        (Visibility.SEEN, True, ADDS[1], (1,), "absent", None),
        (Visibility.SEEN, True, {**ADDS[3], A_DEFAULT: "2"}, (), "differs", None),
        (Visibility.INERT, True, ADDS[3], (3,), "inert", None),
    ],
)
def test_a_person_is_heard_where_no_schema_tells(
    kind: Visibility,
    done: bool | None,  # noqa: FBT001 - an answer
    production: Mapping[Key, str],
    at: tuple[int, ...],
    state: str,
    said: bool | None,  # noqa: FBT001 - an answer
) -> None:
    """E21: on work on rows, and never against what the schema shows."""
    replay = replay_of(ADDS, unseen={2: kind})
    found = statement_states(replay, production, at, {}, {} if done is None else {2: done})[1]
    assert (found.state, found.said) == (state, said)
    heard = kind is Visibility.OPEN or (kind is ROWS and production is not ADDS[1])
    assert found.answers == (("done", "not-done") if heard else ())
    if said is not None and state != "differs":
        assert found.proof == ("a person says that it ran" if said else "a person says that it did not run")
    assert statement_states(replay, production, at, {})[1].answers == ()


@pytest.mark.parametrize(
    ("at", "state", "proof"),
    [
        ((0,), "absent", "not there: what it writes to"),
        ((0, 1), "absent", "not there: what it writes to"),
        ((0, 1, 2), "open", "why 2"),
        ((2,), "open", "why 2"),
        ((), "open", "why 2"),
    ],
)
def test_rows_of_what_is_absent_are_absent(at: tuple[int, ...], state: str, proof: str) -> None:
    """An INSERT into a table that the script makes: without the table nobody can have run it."""
    steps = [{}, {X: "yes"}, {X: "yes"}]
    replay = replay_of(steps, unseen={2: ROWS})
    (_, found) = statement_states(replay, {}, at, {})
    assert (found.state, found.proof) == (state, proof)
    # Another statement makes the table, so what is absent of that proves nothing of rows that a person knows of.
    assert statement_states(replay, {}, at, {}, {})[1].answers == ("done", "not-done")


def test_a_drop_is_told_by_what_is_gone() -> None:
    """In place, what it drops is not there; absent, it is."""
    replay = replay_of(steps_of({X: None, A: None}, base={X: "yes", A: "exists"}))
    assert statement_states(replay, {}, (1,), {})[0].proof == "as replayed: no table public.x; why 1"
    plain = replace(replay, statements=(replace(replay.statements[0], why=""),))
    assert statement_states(plain, {}, (1,), {})[0].proof == "as replayed: no table public.x"
    assert statement_states(replay, replay.steps[0], (0,), {})[0].proof == "still there: table public.x"
    changed = replay_of(steps_of({A_TYPE: "text", A_DEFAULT: "1"}, base={X: "yes", A: "exists", A_TYPE: "integer"}))
    (state,) = statement_states(changed, changed.steps[0], (0,), {})
    assert state.proof == "not there: table public.x column a default and 1 more"


def test_a_statement_that_only_sets_a_used_sequence_shows_no_effect() -> None:
    """RESTART on a sequence from which production has drawn numbers since: nothing of it can be seen there."""
    restart = replay_of(steps_of({NEXT: "1"}, base={SEQUENCE: "yes", NEXT: "1000"}), extra=[SEQUENCE])
    assert statement_states(restart, {SEQUENCE: "yes"}, (0, 1), {})[0].proof == "not there: its effect"


def test_a_long_list_of_differences_is_cut() -> None:
    """A sentence names five; the rest is in the full list."""
    found = [Difference(f"table public.t{n}", "exists", None, "yes") for n in range(6)]
    assert some(found[:1]) == "table public.t0 exists: expected absent, is yes"
    assert some(found).count(";") == 4


@given(replays(), snapshots)
@settings(max_examples=80)
def test_the_laws_of_a_comparison(replay: Replay, production: dict[Key, str]) -> None:
    """A step equals production exactly if nothing differs there; and at a step, its statements show it."""
    at = steps_equal_to(replay, production)
    assert at == tuple(k for k in range(len(replay.steps)) if not differences(replay, k, production))
    assert nearest(replay, production) in (0, len(replay.steps) - 1)
    for difference in differences(replay, 0, production):
        assert difference.expected != difference.actual
    seen = [each.index for each in replay.statements if each.visibility is Visibility.SEEN]
    states = {each.index: each.state for each in statement_states(replay, production, at, {})}
    if len(at) == 1:
        assert all(states[index] == ("in_place" if index <= at[0] else "absent") for index in seen)
        assert all(shows_its_end(replay, index, production) for index in seen if index <= at[0])
