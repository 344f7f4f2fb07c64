"""What of a pending migration is in production already, and whether a deploy would fail on it, without a server."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from states.evidence import Evidence
from states.facts import Key, Note, Replay, Statement, Subject, Visibility
from states.presence import Delta, after, concerning, delta, in_view, passed_over, surely_fails, unlike_before
from states.verdict import judge
from tests.states.strategies import KEYS, TARGET, UNKNOWN, replay_of, replays, snapshots, steps_of

T, INDEX = "table public.t", "index public.i"
TABLE, X, Y, TYPE = (T, "exists"), (T, "column x"), (T, "column y"), (T, "column x type")
I: Key = (INDEX, "exists")  # noqa: E741 - the index's name
OF: Key = (INDEX, "table")
HERE: dict[Key, str] = {TABLE: "yes"}
#: ALTER TABLE t ADD x, then CREATE INDEX i ON t (x), and ADD y.
STEPS = steps_of({X: "exists", TYPE: "text"}, {I: "yes", OF: "public.t"}, {Y: "exists"}, base=HERE)
SCRIPT = replay_of(STEPS, extra=[TABLE])


def script(*, replay: Replay = SCRIPT, **parts: Mapping[int, frozenset[Key]]) -> Replay:
    """The script, in which statements make, need or skip something, by their numbers."""
    return replace(
        replay,
        statements=tuple(
            replace(each, **{part: of[each.index] for part, of in parts.items() if each.index in of})
            for each in replay.statements
        ),
    )


def pending(replay: Replay, production: Mapping[Key, str], **fields: object) -> Subject:
    """A migration that was never attempted."""
    return replace(Subject("m1", (), (replay,), "a", production), **fields)  # type: ignore[arg-type]


def judged(subject: Subject) -> Evidence:
    """The evidence on it."""
    return judge(subject, UNKNOWN, TARGET, [("m0", "0")])


MAKES = {1: frozenset({X}), 2: frozenset({I}), 3: frozenset({Y})}
NEEDS = {1: frozenset({TABLE}), 2: frozenset({TABLE, X}), 3: frozenset({TABLE})}
DOING = script(makes=MAKES, needs=NEEDS)


@pytest.mark.parametrize(
    ("production", "why"),
    [
        (HERE, ""),
        ({**HERE, ("table public.z", "exists"): "yes"}, ""),
        ({**HERE, X: "exists"}, f"statement 1 makes column x of {T}, which is already there"),
        ({**HERE, I: "yes"}, f"statement 2 makes {INDEX}, which is already there"),
        ({**HERE, Y: "exists"}, f"statement 3 makes column y of {T}, which is already there"),
        ({}, f"statement 1 needs {T}, which is not there"),
    ],
)
def test_the_first_statement_that_is_sure_to_fail_is_named(production: Mapping[Key, str], why: str) -> None:
    """What a statement before has made is there for the next, so only production's own is in the way."""
    assert surely_fails(DOING, production) == why


def test_a_table_is_named_before_what_is_on_it() -> None:
    """Of several reasons in one statement, the one that a person looks for first."""
    both = script(makes={1: frozenset({I, TABLE})}, needs={})
    assert surely_fails(both, {TABLE: "yes", I: "yes"}) == f"statement 1 makes {T}, which is already there"
    both = script(needs={1: frozenset({I, TABLE})})
    assert surely_fails(both, {}) == f"statement 1 needs {T}, which is not there"


def test_what_a_statement_drops_is_not_there_for_the_next() -> None:
    """A dropped table takes its columns along, also those that only production has."""
    steps = steps_of({TABLE: None, X: None}, {TABLE: "yes", X: "exists"}, base={**HERE, X: "exists"})
    again = script(replay=replay_of(steps), makes={2: frozenset({TABLE, X, Y})})
    assert surely_fails(again, {**HERE, X: "exists", Y: "exists"}) == ""
    kept = script(replay=replay_of(steps_of({X: None}, {X: "exists"}, base={**HERE, X: "exists"})), makes={2: MAKES[3]})
    assert (
        surely_fails(kept, {**HERE, X: "exists", Y: "exists"})
        == f"statement 2 makes column y of {T}, which is already there"
    )


#: ADD COLUMN IF NOT EXISTS x text, and a table that another statement makes if there is none.
SKIPPING = script(skips={1: frozenset({X})})


@pytest.mark.parametrize(
    ("replay", "production", "why"),
    [
        (SKIPPING, HERE, ""),
        (SKIPPING, {**HERE, X: "exists", TYPE: "text"}, ""),
        (
            SKIPPING,
            {**HERE, X: "exists", TYPE: "integer"},
            f"statement 1 would pass over column x of {T}, which differs",
        ),
        (script(skips={2: frozenset({I})}), {**HERE, I: "yes", OF: "public.z"}, f"pass over {INDEX}, which differs"),
        (script(skips={2: frozenset({I})}), {**STEPS[2], TYPE: "integer"}, ""),
        (SCRIPT, {**HERE, X: "exists", TYPE: "integer"}, ""),
        # What differs is another column.
        (SKIPPING, {**STEPS[1], Y: "otherwise"}, ""),
    ],
)
def test_if_not_exists_passes_over_what_is_otherwise(replay: Replay, production: Mapping[Key, str], why: str) -> None:
    """It asks for the name alone: the deploy would end well, and leave another type behind."""
    said = passed_over(replay, production)
    assert (why in said) if why else (said == "")


def test_what_a_later_statement_makes_right_is_not_passed_over() -> None:
    """ADD COLUMN IF NOT EXISTS x integer; ALTER COLUMN x TYPE text: whatever type it has, it ends as text."""
    right = replay_of(steps_of({X: "exists", TYPE: "integer"}, {TYPE: "text"}, base=HERE), extra=[TABLE])
    right = script(replay=right, skips={1: frozenset({X})})
    assert passed_over(right, {**HERE, X: "exists", TYPE: "text"}) == ""
    assert "column x" in passed_over(right, {**HERE, X: "exists", TYPE: "boolean"})


DONE, UNSURE = ("applied", "mark_applied"), ("undecidable", "operator")
CONDITIONAL = replace(SCRIPT, statements=tuple(replace(each, conditional=True) for each in SCRIPT.statements))
SET = Statement(4, "SET lock_timeout = 0", Visibility.INERT)


def ending(last: Statement) -> Replay:
    """The script, each statement conditional, with one more that changes nothing."""
    return replace(CONDITIONAL, statements=(*CONDITIONAL.statements, last), steps=(*STEPS, STEPS[3]))


OPEN = Statement(4, "UPDATE t SET x = 1", Visibility.OPEN, "it changes rows")
WRITING = replace(SCRIPT, statements=(*SCRIPT.statements, OPEN), steps=(*SCRIPT.steps, SCRIPT.steps[-1]))
BEHIND = "may work on the same objects: m0."


@pytest.mark.parametrize(
    ("subject", "decided", "reason"),
    [
        (pending(SCRIPT, HERE), ("not_applied", "deploy"), "Nothing of the script is in production."),
        (pending(SCRIPT, STEPS[3]), DONE, "All 3 statements of the script are in production."),
        (pending(replace(SCRIPT, skipped=(Note("m0", "why"),)), STEPS[3]), DONE, "Not replayed before it: m0: why"),
        # Each statement is conditional, and production has it: Prisma runs and records it by itself.
        (pending(CONDITIONAL, STEPS[3]), ("applied", "deploy"), "so a deploy changes nothing and records it."),
        (pending(ending(SET), STEPS[3]), ("applied", "deploy"), "so a deploy changes nothing and records it."),
        # DROP … IF EXISTS had nothing to drop in the replay, and may have something in production.
        (pending(ending(replace(SET, conditional=True)), STEPS[3]), DONE, "All 4 statements of the script are"),
        (
            pending(replace(SCRIPT, statements=(*SCRIPT.statements[:2], CONDITIONAL.statements[2])), STEPS[3]),
            DONE,
            "All 3 statements of the script are in production.",
        ),
        (pending(SCRIPT, STEPS[1], ahead=("m0",)), ("partial", "deploy"), "in production, the rest is not."),
        (
            pending(SCRIPT, STEPS[3], ahead=("m0",)),
            ("undecidable", "deploy"),
            f"Pending before it, not in production, and {BEHIND}",
        ),
        (
            pending(SCRIPT, STEPS[3], unreplayed=("m0",)),
            ("undecidable", "deploy"),
            f"Could not be replayed before it, and {BEHIND}",
        ),
        (
            pending(DOING, STEPS[1]),
            ("partial", "operator"),
            f"A deploy would fail: statement 1 makes column x of {T}, which is already there.",
        ),
        (pending(SCRIPT, STEPS[1]), ("partial", "deploy"), "in production, the rest is not."),
        (
            pending(SKIPPING, {**STEPS[3], TYPE: "integer"}),
            ("drifted", "operator"),
            f"A deploy would end well, but statement 1 would pass over column x of {T}, which differs.",
        ),
        (
            pending(WRITING, STEPS[3]),
            ("undecidable", "operator"),
            "Something of it is in production, and a deploy would do its work on rows, maybe a second time.",
        ),
        (pending(WRITING, HERE), ("undecidable", "deploy"), "Statement 4 is open: it changes rows."),
    ],
)
def test_a_deploy_is_stopped_only_where_it_would_fail_or_do_harm(
    subject: Subject, decided: tuple[str, str], reason: str
) -> None:
    """What production has of a pending migration is marked, deployed, or left to a person; and why, in sentences."""
    evidence = judged(subject)
    assert (evidence.verdict.value, evidence.decision.value) == decided
    assert reason in " ".join(evidence.reasons)
    there = decided[1] != "deploy" or decided[0] in ("applied", "partial", "drifted")
    # Of what no one can tell, the part that the schema shows is in production.
    assert evidence.in_production == (there or subject.production == STEPS[3])


def test_a_pending_one_is_compared_as_if_those_before_it_had_run() -> None:
    """What they change is not held against it, in the scratch server's words."""
    subject = pending(SCRIPT, {**HERE, TYPE: "pg_catalog.text"}, reread={TYPE: "text"}, assumed=({Y: "exists"},))
    assert in_view(subject) == {**HERE, TYPE: "text", Y: "exists"}
    makes = pending(DOING, {}, assumed=(HERE,))
    assert (judged(makes).verdict, judged(makes).decision) == ("not_applied", "deploy")


MADE_BEFORE = replace(
    replay_of([STEPS[3]], total=3, extra=[I, Y]), ended='statement 1 fails when replayed: relation "i" already exists'
)
RENAMED = pending(MADE_BEFORE, STEPS[3], finished_as="m0", counted=True, repeats=True)
IDLE = replay_of([HERE, HERE], unseen={1: Visibility.INERT}, extra=[TABLE])


@pytest.mark.parametrize(
    ("subject", "decided", "reason"),
    [
        (RENAMED, DONE, "this very script, and its effects are in production."),
        (
            pending(replace(IDLE, statements=(*IDLE.statements, OPEN), steps=(HERE,) * 3), HERE, finished_as="m0"),
            UNSURE,
            "nothing shows whether it was renamed and ran.",
        ),
        (replace(RENAMED, counted=False), UNSURE, "nothing shows whether it was renamed and ran."),
        (
            replace(RENAMED, production=STEPS[2]),
            UNSURE,
            "it was renamed, or this is a new migration that says the same.",
        ),
        (
            replace(RENAMED, repeats=False),  # it fails on the history for another reason
            UNSURE,
            "A deploy would run it, maybe again.",
        ),
        (pending(IDLE, HERE, finished_as="m0", counted=True), ("not_applied", "deploy"), "changes nothing here"),
    ],
)
def test_a_script_that_finished_under_another_name(subject: Subject, decided: tuple[str, str], reason: str) -> None:
    """E27: a renamed folder is not run a second time, and a new one that says the same is not passed over."""
    evidence = judged(subject)
    assert (evidence.verdict.value, evidence.decision.value) == decided
    assert reason in evidence.reasons[0]
    assert evidence.evidence_digest != judged(replace(subject, finished_as="")).evidence_digest


NAMING_Z = replace(SCRIPT, named=frozenset({"public.z"}))
J, J_OF = ("index public.j", "exists"), ("index public.j", "table")
NEAR: list[tuple[str, Delta, Replay, bool]] = [
    ("a table of the footprint", {Y: "exists"}, SCRIPT, True),
    ("another table", {("table public.z", "exists"): "yes"}, SCRIPT, False),
    ("a table that the script names", {("table public.z", "column a"): "yes"}, NAMING_Z, True),
    ("an index on a table of the footprint", {J_OF: "public.t"}, SCRIPT, True),
    ("an index on another table", {J: "yes", J_OF: "public.z"}, SCRIPT, False),
    ("an index on a table that the script names", {J_OF: "public.z"}, NAMING_Z, True),
    ("an index on nobody knows which table", {("index public.j", "unique"): "yes"}, SCRIPT, True),
    ("an index that goes", {J_OF: None}, SCRIPT, True),
]


@pytest.mark.parametrize(("change", "replay", "counts"), [case[1:] for case in NEAR], ids=[case[0] for case in NEAR])
def test_only_what_is_near_is_compared(change: Delta, replay: Replay, *, counts: bool) -> None:
    """The last of hundreds of pending migrations is compared with what works on its own objects."""
    assert concerning(change, replay) == (change if counts else {})


@given(replays())
@settings(max_examples=60)
def test_a_delta_leads_from_the_first_step_to_the_last(replay: Replay) -> None:
    """And made twice, it is as if it was made once."""
    change = delta(replay)
    assert all(replay.steps[0].get(key) != value for key, value in change.items())
    end = after(replay.steps[0], [change])
    assert {key: end[key] for key in replay.footprint if key in end} == dict(replay.steps[-1])
    assert after(end, [change]) == end
    assert concerning(change, replay) == change


def test_what_changes_keeps_what_is_said_of_it() -> None:
    """A constraint with another condition keeps its comment; one that goes takes it along."""
    check, remark = (T, "constraint c"), (T, "constraint c comment")
    there = {**HERE, check: "CHECK (x > 0)", remark: "why"}
    assert after(there, [{check: "CHECK (x > 1)"}]) == {**there, check: "CHECK (x > 1)"}
    assert after(there, [{check: None}]) == HERE


@given(snapshots, st.lists(st.dictionaries(st.sampled_from(KEYS), st.none() | st.just("yes"), max_size=3), max_size=3))
@settings(max_examples=60)
def test_changes_are_made_in_their_order(production: dict[Key, str], changes: list[Delta]) -> None:
    """One after another, or all at once: the same end; and nothing is left of what went."""
    one_by_one = production
    for change in changes:
        one_by_one = after(one_by_one, [change])
        gone = {obj for (obj, prop), value in change.items() if value is None and prop == "exists"}
        assert not [key for key in one_by_one if key[0] in gone and change.get(key) is None]
    assert after(production, changes) == one_by_one


@pytest.mark.parametrize(
    ("more", "unlike"),
    [
        ({}, set()),
        ({X: "exists"}, {T}),
        ({OF: "public.t"}, {INDEX}),
        # The script makes the index, and production has something of one; a remark is nothing of it.
        ({(INDEX, "unique"): "yes"}, {INDEX}),
        ({(INDEX, "comment"): "why"}, set()),
        # It names the table, which no step of it has; another table is no matter of its own.
        ({("table public.z", "exists"): "yes"}, {"table public.z"}),
        ({("table public.y", "exists"): "yes"}, set()),
        ({(T, "constraint c"): "CHECK (true)"}, set()),
        ({("sequence public.z", "next value"): "1"}, set()),
    ],
)
def test_production_is_as_before_where_nothing_of_the_scripts_is_there(
    more: Mapping[Key, str], unlike: set[str]
) -> None:
    """What they make is compared closed; of what they find, only what they change."""
    named = replace(SCRIPT, named=frozenset({"public.z"}))
    assert unlike_before(named, {**HERE, **more}) == unlike
    assert unlike_before(named, more) == {T} | unlike
