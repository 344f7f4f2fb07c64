"""Verdicts on small hand-made records, and what holds of all of them."""

from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from states.comparison import Difference, differences
from states.digest import digest
from states.evidence import NO_HANDWORK, Decision, Evidence, Verdict
from states.facts import Key, Note, Replay, Row, Snapshot, Stop, Subject, Twin, Visibility
from states.verdict import judge
from tests.states.strategies import TARGET, UNKNOWN, replay_of, row, steps_of, subjects

X: Key = ("table public.x", "exists")
A: Key = ("table public.x", "column a")
A_TYPE: Key = ("table public.x", "column a type")
B: Key = ("table public.x", "column b")
I: Key = ("index public.i", "exists")  # noqa: E741 - the index's name
I_UNIQUE: Key = ("index public.i", "unique")
I_TABLE: Key = ("index public.i", "table")
LABELS: Key = ("type public.e", "labels")

#: CREATE TABLE x (a text); ALTER TABLE x ADD COLUMN b; CREATE INDEX i.
STEPS = steps_of({X: "yes", A: "exists", A_TYPE: "text"}, {B: "exists"}, {I: "yes", I_UNIQUE: "no"})
REPLAY = replay_of(STEPS)
#: ALTER TABLE x ADD COLUMN b; ALTER TYPE e ADD VALUE, on a table and a type that exist.
ALTERING = replay_of(steps_of({B: "exists"}, {LABELS: "'p', 'q'"}, base={X: "yes", LABELS: "'p'"}), extra=[X])


def subject_of(
    production: Snapshot, *replays: Replay, attempts: tuple[Row, ...] | None = None, present: str = "a"
) -> Subject:
    """A migration that failed once, with a script of checksum `a`, unless told otherwise."""
    return Subject("m1", attempts or (row(),), replays or (REPLAY,), present, production)


def judged(subject: Subject) -> Evidence:
    """The evidence on it."""
    return judge(subject, UNKNOWN, TARGET, [("m0", "0")])


def verdict_of(subject: Subject) -> tuple[str, str]:
    """Verdict and decision, as the JSON has them."""
    evidence = judged(subject)
    return evidence.verdict.value, evidence.decision.value


APPLIED = ("applied", "mark_applied")
NOT_APPLIED = ("not_applied", "mark_rolled_back")
#: Nothing of it is there, and no attempt ran what no schema shows; whether a person did is not known (E21).
NOT_ATTEMPTED = ("not_applied", "operator")
UNDECIDABLE = ("undecidable", "operator")
DRIFTED = ("drifted", "operator")
PARTIAL = ("partial", "operator")


def test_all_of_it() -> None:
    """Production equals the last step: applied."""
    evidence = judged(subject_of(STEPS[3]))
    assert (evidence.verdict, evidence.decision) == APPLIED
    assert evidence.progress.steps_in_place == (3, 3)
    assert {s.state for s in evidence.statements} == {"in_place"}
    assert evidence.differences == ()


def test_none_of_it() -> None:
    """Production equals what was before the script: not applied."""
    evidence = judged(subject_of(STEPS[0]))
    assert (evidence.verdict, evidence.decision) == NOT_APPLIED
    assert evidence.progress.steps_in_place == (0, 0)
    assert {s.state for s in evidence.statements} == {"absent"}


@pytest.mark.parametrize("k", [1, 2])
def test_part_of_it(k: int) -> None:
    """Production equals a step in between: partial, and what is missing is the rest of the script."""
    evidence = judged(subject_of(STEPS[k]))
    assert (evidence.verdict, evidence.decision) == PARTIAL
    assert evidence.progress.steps_in_place == (k, k)
    assert evidence.progress.steps_total == 3
    assert [s.state for s in evidence.statements] == ["in_place"] * k + ["absent"] * (3 - k)
    assert Difference(*I, "yes", None) in evidence.differences
    assert (Difference(*B, "exists", None) in evidence.differences) == (k == 1)


def test_neither() -> None:
    """Production equals no step: drifted; each differing property is named, against the closest step."""
    evidence = judged(subject_of({**STEPS[3], A_TYPE: "integer"}))
    assert (evidence.verdict, evidence.decision) == DRIFTED
    assert evidence.differences == (Difference(*A_TYPE, "text", "integer"),)
    assert "after its last statement" in evidence.reasons[0]
    assert [s.state for s in evidence.statements] == ["differs", "in_place", "in_place"]


def test_the_closest_step_is_named() -> None:
    """Drift near the beginning of the script is measured against the beginning."""
    evidence = judged(subject_of({X: "yes"}, ALTERING))
    assert evidence.verdict is Verdict.DRIFTED
    assert "before its first statement" in evidence.reasons[0]
    assert evidence.differences == (Difference(*LABELS, "'p'", None),)


def test_what_is_outside_the_footprint_is_ignored() -> None:
    """Other drift in production is none of this migration's business."""
    other = {("table public.z", "exists"): "yes", ("table public.x", "comment"): "by hand"}
    assert verdict_of(subject_of({**STEPS[3], **other})) == APPLIED
    assert verdict_of(subject_of({("table public.z", "exists"): "yes"})) == NOT_APPLIED


@pytest.mark.parametrize("base", [{}, {X: "yes"}])
def test_a_script_without_effect_is_run_again(base: Snapshot) -> None:
    """Every step equal and nothing open: not applied, so that Prisma runs and records it itself (E6)."""
    inert = replay_of([base, base, base], unseen={1: Visibility.INERT, 2: Visibility.INERT}, extra=[X])
    evidence = judged(subject_of(base, inert))
    assert (evidence.verdict, evidence.decision) == NOT_APPLIED
    assert {s.state for s in evidence.statements} == {"inert"}


def test_a_script_without_effect_and_production_otherwise() -> None:
    """What a conditional statement found in the scratch database, and production lacks, is a difference (E9)."""
    inert = replay_of([{X: "yes"}, {X: "yes"}], unseen={1: Visibility.INERT}, extra=[X])
    assert verdict_of(subject_of({}, inert)) == DRIFTED


@pytest.mark.parametrize(("k", "kind"), [(0, Visibility.OPEN), (3, Visibility.OPEN), (3, Visibility.UNREACHED)])
def test_an_open_statement_leaves_it_open(k: int, kind: Visibility) -> None:
    """A statement that the schema can't show makes the verdict undecidable, and is named with its reason (E4)."""
    script = replay_of([*STEPS, STEPS[3]], unseen={4: kind})
    evidence = judged(subject_of(STEPS[k], script))
    assert (evidence.verdict, evidence.decision) == UNDECIDABLE
    assert any("Statement 4 is open: why 4." in reason for reason in evidence.reasons)
    assert evidence.statements[3].state == "open"


def test_what_was_not_reached_leaves_absence_decided() -> None:
    """The steps before the path's end still decide absence, if they show anything (E15)."""
    ended = replay_of([*STEPS, STEPS[3]], unseen={4: Visibility.UNREACHED})
    assert verdict_of(subject_of(STEPS[0], ended)) == NOT_APPLIED
    base = STEPS[0]
    traceless = replay_of([base, base], unseen={1: Visibility.UNREACHED})
    assert verdict_of(subject_of(base, traceless)) == UNDECIDABLE


def test_what_comes_after_the_known_steps_may_have_run_where_these_lead_back() -> None:
    """CREATE TABLE x; DROP TABLE x; CREATE ROLE: production equals the beginning, and the last step that is known."""
    back = replay_of([STEPS[0], STEPS[1], STEPS[0]], total=3)
    assert verdict_of(subject_of(STEPS[0], back)) == UNDECIDABLE


STOPPED = Stop("1", 4, "because")


@pytest.mark.parametrize(
    ("stop", "atomic", "expected"),
    [
        (STOPPED, True, NOT_ATTEMPTED),
        (replace(STOPPED, statement=3), False, NOT_ATTEMPTED),
        (STOPPED, False, UNDECIDABLE),
        (replace(STOPPED, statement=5), True, UNDECIDABLE),
        (replace(STOPPED, row="2"), True, UNDECIDABLE),
    ],
)
def test_an_open_statement_that_no_attempt_completed_is_absent(
    stop: Stop, expected: tuple[str, str], *, atomic: bool
) -> None:
    """A proof that the attempt did not get past it, or past one before it, and left nothing of it behind (E7)."""
    script = replay_of([*STEPS, STEPS[3]], unseen={4: Visibility.OPEN})
    statements = tuple(replace(s, atomic=atomic) for s in script.statements)
    subject = replace(subject_of(STEPS[0], replace(script, statements=statements)), stops=(stop,))
    assert verdict_of(subject) == expected
    assert verdict_of(replace(subject, production=STEPS[3])) == UNDECIDABLE
    assumed = judged(replace(subject, assume=frozenset({NO_HANDWORK})))
    if expected == NOT_ATTEMPTED:
        # That no attempt ran it does not tell that nobody did (E21).
        assert judged(subject).assumptions == assumed.assumptions == (NO_HANDWORK,)
        assert (assumed.verdict, assumed.decision) == NOT_APPLIED
    else:
        assert (assumed.verdict, assumed.decision) == UNDECIDABLE


def test_it_must_be_known_of_every_attempt() -> None:
    """One attempt without a proof may have run it (E7)."""
    script = replay_of([*STEPS, STEPS[3]], unseen={4: Visibility.OPEN})
    two = (row(), replace(row(), id="2"))
    subject = replace(subject_of(STEPS[0], script, attempts=two), stops=(STOPPED,))
    assert verdict_of(subject) == UNDECIDABLE
    assert verdict_of(replace(subject, stops=(STOPPED, replace(STOPPED, row="2")))) == NOT_ATTEMPTED


def test_rows_written_by_a_seen_statement_are_open() -> None:
    """A statement whose schema is in place may still be open in its rows (E5)."""
    script = replay_of(STEPS, unseen={2: Visibility.OPEN})
    assert verdict_of(subject_of(STEPS[3], script)) == UNDECIDABLE
    assert verdict_of(subject_of(STEPS[0], script)) == UNDECIDABLE


def test_nothing_but_data() -> None:
    """A script that only writes rows leaves no trace in the schema: undecidable."""
    script = replay_of([{}, {}], unseen={1: Visibility.OPEN})
    evidence = judged(subject_of({}, script))
    assert (evidence.verdict, evidence.decision) == UNDECIDABLE
    assert "no trace" in evidence.reasons[0]


def test_an_inert_statement_makes_a_range() -> None:
    """Steps that can't be told apart are given as a range (E11)."""
    script = replay_of([STEPS[0], STEPS[1], STEPS[1], STEPS[2]], unseen={2: Visibility.INERT})
    evidence = judged(subject_of(STEPS[1], script))
    assert evidence.verdict is Verdict.PARTIAL
    assert evidence.progress.steps_in_place == (1, 2)


def test_a_path_that_ended_decides_no_success() -> None:
    """The last step that could be replayed is not the script's end: production there isn't `applied` (E15)."""
    script = replay_of(STEPS[:3], total=3)
    evidence = judged(subject_of(STEPS[2], script))
    assert (evidence.verdict, evidence.decision) == UNDECIDABLE
    assert "a statement is not executed" in " ".join(evidence.reasons)


@pytest.mark.parametrize("production", [{X: "yes", A: "exists"}, {X: "yes"}])
def test_a_column_dropped_and_added_again(production: Snapshot) -> None:
    """Where steps before and after a change look alike, and production stands there, nothing is decided (E6)."""
    script = replay_of(steps_of({A: None}, {A: "exists"}, base={X: "yes", A: "exists"}), extra=[X])
    expected = UNDECIDABLE if A in production else PARTIAL
    assert verdict_of(subject_of(production, script)) == expected


@pytest.mark.parametrize("visibility", [Visibility.SEEN, Visibility.INERT, Visibility.OPEN])
def test_what_is_dropped_and_made_again_without_rows_is_as_if_it_had_not_been(visibility: Visibility) -> None:
    """Run or not, production has what the whole script leaves, or what nothing of it does (RULES E17)."""
    again = ({I: None}, {I: "yes"})
    late = replay_of(steps_of({B: "exists"}, *again, base={X: "yes", I: "yes"}), extra=[X], unseen={3: visibility})
    early = replay_of(steps_of(*again, {B: "exists"}, base={X: "yes", I: "yes"}), extra=[X], unseen={2: visibility})
    middle = replay_of(
        steps_of({B: "exists"}, *again, {A: "exists"}, base={X: "yes", I: "yes"}), extra=[X], unseen={3: visibility}
    )
    decided = visibility is not Visibility.OPEN
    there = {X: "yes", I: "yes"}
    assert verdict_of(subject_of({**there, B: "exists"}, late)) == (APPLIED if decided else UNDECIDABLE)
    assert verdict_of(subject_of(there, early)) == (NOT_APPLIED if decided else UNDECIDABLE)
    assert verdict_of(subject_of({**there, B: "exists"}, middle)) == UNDECIDABLE


def test_a_missing_column_is_shown_as_it_would_be_declared() -> None:
    """With all that is known of it: whoever mends it by hand needs that."""
    known = {"type": "integer", "nullability": "not null", "identity": "always"}
    column = {(A[0], f"{A[1]} {prop}"): text for prop, text in known.items()}
    script = replay_of(steps_of({A: "exists", **column}, base={X: "yes"}))
    (found,) = differences(script, 1, {X: "yes"})
    assert (found.object, found.property, found.actual) == (*A, None)
    assert found.expected == "integer not null identity always"


# Attempts


def test_two_attempts_of_one_script() -> None:
    """A second failure of the same script changes nothing."""
    attempts = (row(1, rolled_back=True), row(2))
    assert verdict_of(subject_of(STEPS[3], attempts=attempts)) == APPLIED
    assert verdict_of(subject_of(STEPS[0], attempts=attempts)) == NOT_APPLIED


def test_two_attempts_of_different_scripts() -> None:
    """Each attempt is judged by its own script; where they disagree, nothing is decided (E2)."""
    other = replay_of(steps_of({("table public.z", "exists"): "yes"}), checksum="b")
    attempts = (row(1, checksum="b", rolled_back=True), row(2))
    assert verdict_of(subject_of(STEPS[3], other, REPLAY, attempts=attempts)) == UNDECIDABLE
    assert verdict_of(subject_of({}, other, REPLAY, attempts=attempts)) == NOT_APPLIED
    both = {**STEPS[3], ("table public.z", "exists"): "yes"}
    assert verdict_of(subject_of(both, other, REPLAY, attempts=attempts)) == APPLIED


@pytest.mark.parametrize("k", [0, 3])
def test_an_attempt_whose_script_is_lost(k: int) -> None:
    """One attempt's script that was not found can have held data, whatever the other attempts show (E2)."""
    attempts = (row(1, checksum="lost", rolled_back=True), row(2))
    assert verdict_of(subject_of(STEPS[k], attempts=attempts)) == UNDECIDABLE
    assert verdict_of(replace(subject_of(STEPS[k]), replays=())) == UNDECIDABLE


def test_the_file_was_edited_since() -> None:
    """Applied is what the present file says, or it is not marked: Prisma would record the present checksum (E2)."""
    more = replay_of(steps_of(STEPS[3], {("table public.z", "exists"): "yes"}), checksum="b")
    same = replay_of(STEPS, checksum="b")
    assert verdict_of(subject_of(STEPS[3], REPLAY, more, present="b")) == UNDECIDABLE
    assert verdict_of(subject_of(STEPS[3], REPLAY, same, present="b")) == APPLIED
    assert verdict_of(subject_of(STEPS[3], present="b")) == UNDECIDABLE
    assert verdict_of(subject_of(STEPS[0], REPLAY, more, present="b")) == NOT_APPLIED
    # The folder lacks the file, so that there is nothing for a deploy to run.
    assert judged(replace(subject_of(STEPS[0]), present="")).decision is Decision.MARK_ROLLED_BACK


def test_the_file_was_edited_to_write_more_rows() -> None:
    """The present file's data statements are open, also where those of the script that ran are known to be done."""
    data = replay_of([{}, {}], unseen={1: Visibility.OPEN})
    more = replay_of([{}, {}, {}], unseen={1: Visibility.OPEN, 2: Visibility.OPEN}, checksum="b")
    subject = subject_of({}, data, more, attempts=(row(steps=1),), present="b")
    assert verdict_of(subject) == UNDECIDABLE


def test_success_of_one_script_proves_no_other() -> None:
    """An earlier attempt that ran to its end says nothing of the rows that a later, edited script writes (E2, E3)."""
    data = replay_of([{}, {}], unseen={1: Visibility.OPEN})
    more = replay_of([{}, {}, {}], unseen={1: Visibility.OPEN, 2: Visibility.OPEN}, checksum="b")
    attempts = (row(1, steps=1, rolled_back=True), row(2, checksum="b"))
    assert verdict_of(subject_of({}, data, more, attempts=attempts, present="b")) == UNDECIDABLE


@pytest.mark.parametrize("rolled_back", [False, True])
def test_a_script_that_ran_to_its_end(*, rolled_back: bool) -> None:
    """A count of 1 forbids a second run, and proves what the schema can't show unless it was withdrawn (E3, E23)."""
    attempts = (row(1, steps=1, rolled_back=rolled_back), row(2))
    data = replay_of([{}, {}], unseen={1: Visibility.OPEN})
    assert verdict_of(subject_of({}, data, attempts=attempts)) == (UNDECIDABLE if rolled_back else APPLIED)
    assert verdict_of(replace(subject_of({}, data, attempts=attempts), marking=True)) == APPLIED
    assert verdict_of(subject_of(STEPS[3], attempts=attempts)) == APPLIED
    assert verdict_of(subject_of(STEPS[1], attempts=attempts)) == (PARTIAL if rolled_back else DRIFTED)
    assert verdict_of(subject_of(STEPS[0], attempts=attempts)) == (NOT_ATTEMPTED if rolled_back else DRIFTED)
    short = replay_of(STEPS[:3], total=3)
    assert verdict_of(subject_of(STEPS[2], short, attempts=attempts)) == UNDECIDABLE


def test_a_dead_attempt_beside_a_finished_one() -> None:
    """Of a name with a finished row only the dead attempt is withdrawn, and only where it is in place (F7)."""
    attempts = (row(1, steps=1, finished=True), row(2))
    assert verdict_of(subject_of(STEPS[3], attempts=attempts)) == ("applied", "mark_rolled_back")
    assert verdict_of(subject_of(STEPS[0], attempts=attempts)) == DRIFTED
    stamped = (row(1, finished=True), row(2))
    assert verdict_of(subject_of(STEPS[0], attempts=stamped)) == ("not_applied", "operator")


# Closed and open comparison (E8)

CLOSED: list[tuple[str, Snapshot, bool]] = [
    ("nullable column", {("table public.x", "column n"): "exists"}, False),
    (
        "nullable column, spelled out",
        {("table public.x", "column n"): "exists", ("table public.x", "column n nullability"): "null"},
        False,
    ),
    (
        "column with a default",
        {
            ("table public.x", "column n"): "exists",
            ("table public.x", "column n nullability"): "not null",
            ("table public.x", "column n default"): "0",
        },
        False,
    ),
    (
        "column that must be given",
        {("table public.x", "column n"): "exists", ("table public.x", "column n nullability"): "not null"},
        True,
    ),
    (
        "column with a name to quote that must be given",
        {
            ("table public.x", 'column "N ""n"'): "exists",
            ("table public.x", 'column "N ""n" nullability'): "not null",
        },
        True,
    ),
    ("constraint", {("table public.x", "constraint c"): "CHECK (a > 0)"}, True),
    ("trigger", {("table public.x", "trigger t"): "CREATE TRIGGER"}, True),
    ("policy", {("table public.x", "policy p"): "permissive"}, True),
    ("rule", {("table public.x", "rule r"): "CREATE RULE"}, True),
    (
        "unique index",
        {
            ("index public.u", "exists"): "yes",
            ("index public.u", "unique"): "yes",
            ("index public.u", "table"): "public.x",
        },
        True,
    ),
    (
        "unique index, nulls not distinct",
        {
            ("index public.u", "exists"): "yes",
            ("index public.u", "unique"): "yes, nulls not distinct",
            ("index public.u", "table"): "public.x",
        },
        True,
    ),
    (
        "plain index",
        {
            ("index public.u", "exists"): "yes",
            ("index public.u", "unique"): "no",
            ("index public.u", "table"): "public.x",
        },
        False,
    ),
    (
        "unique index of another table",
        {
            ("index public.u", "exists"): "yes",
            ("index public.u", "unique"): "yes",
            ("index public.u", "table"): "public.z",
        },
        False,
    ),
    ("owner and privileges", {("table public.x", "privileges of anon"): "SELECT"}, False),
    ("comment", {("table public.x", "comment"): "by hand"}, False),
]


@pytest.mark.parametrize(("extra", "counts"), [case[1:] for case in CLOSED], ids=[case[0] for case in CLOSED])
def test_extras_on_a_created_table(extra: Snapshot, *, counts: bool) -> None:
    """On a table that the script creates, whatever changes how it works counts; the rest is tolerated."""
    assert verdict_of(subject_of({**STEPS[3], **extra})) == (DRIFTED if counts else APPLIED)


@pytest.mark.parametrize("extra", [case[1] for case in CLOSED], ids=[case[0] for case in CLOSED])
def test_extras_on_an_altered_table(extra: Snapshot) -> None:
    """On a table that the script merely alters, nothing counts but what the script touches."""
    assert verdict_of(subject_of({**ALTERING.steps[2], **extra}, ALTERING)) == APPLIED


def test_row_security_of_a_created_table() -> None:
    """Row security that somebody turned on is a difference: it is a property of the created table."""
    security: Key = ("table public.x", "row security")
    script = replay_of(steps_of({X: "yes", security: "disabled"}))
    assert verdict_of(subject_of({X: "yes", security: "enabled"}, script)) == DRIFTED


# Named objects (E9), order (E10), what runs (E14)


def test_a_named_object_that_only_production_has() -> None:
    """What the script names and its replay never had, production mustn't have either."""
    script = replay_of(steps_of({X: "yes"}), named=["public.x", "public.z"])
    assert verdict_of(subject_of({X: "yes"}, script)) == APPLIED
    extra = {("table public.z", "exists"): "yes"}
    evidence = judged(subject_of({X: "yes", **extra}, script))
    assert (evidence.verdict, evidence.decision) == DRIFTED
    assert evidence.differences == (Difference("table public.z", "exists", None, "yes"),)
    assert verdict_of(subject_of(extra, script)) == DRIFTED


@pytest.mark.parametrize("k", [0, 3])
def test_overtaken(k: int) -> None:
    """A migration that finished later and works on the same objects makes it undecidable, by name (E10)."""
    evidence = judged(replace(subject_of(STEPS[k]), overtaken_by=("m9",)))
    assert (evidence.verdict, evidence.decision) == UNDECIDABLE
    assert "m9" in evidence.reasons[0]


@pytest.mark.parametrize("k", [0, 1, 3])
def test_what_may_still_run_is_waited_for(k: int) -> None:
    """While something may be at work on it, whatever else is seen means nothing (E14)."""
    evidence = judged(replace(subject_of(STEPS[k], attempts=(row(steps=1),)), running=("pid 7 runs it.",)))
    assert (evidence.verdict, evidence.decision) == ("in_progress", "wait")
    assert evidence.reasons == ("pid 7 runs it.",)


def test_what_cannot_be_read_is_not_decided() -> None:
    """Without a replay there is no decision, and the reason is given."""
    evidence = judged(replace(subject_of(STEPS[3]), unreadable="the history can't be replayed"))
    assert (evidence.verdict, evidence.decision) == UNDECIDABLE
    assert evidence.reasons == ("the history can't be replayed",)


def test_skipped_migrations_are_named() -> None:
    """What the base could not replay is said with the verdict (E1)."""
    evidence = judged(subject_of(STEPS[3], replay_of(STEPS, skipped=[Note("m0", "no extension")])))
    assert evidence.verdict is Verdict.APPLIED
    assert any("m0: no extension" in reason for reason in evidence.reasons)


def test_the_latest_unfinished_row_is_shown() -> None:
    """Evidence carries the time and the logs of the attempt that blocks."""
    attempts = (row(1, rolled_back=True), replace(row(2), logs="ERROR: relation exists"))
    evidence = judged(subject_of(STEPS[0], attempts=attempts))
    assert evidence.started_at == "2026-01-02T00:00:00Z"
    assert evidence.logs == "ERROR: relation exists"


# The digest (F9)

SUBJECT = subject_of(STEPS[3])
BASE = [("m0", "0"), ("m00", "00")]
CHANGES: list[tuple[str, Subject, tuple[str, ...], list[tuple[str, str]]]] = [
    ("target", SUBJECT, ("8", "app", "public"), BASE),
    ("schema", SUBJECT, ("7", "app", "other"), BASE),
    ("base", SUBJECT, TARGET, BASE[:1]),
    ("base's order", SUBJECT, TARGET, BASE[::-1]),
    ("base's checksum", SUBJECT, TARGET, [("m0", "1"), BASE[1]]),
    ("migration", replace(SUBJECT, migration="m2"), TARGET, BASE),
    ("present file", replace(SUBJECT, present="b"), TARGET, BASE),
    ("script", replace(SUBJECT, replays=(replay_of(STEPS, checksum="b"),)), TARGET, BASE),
    ("production", replace(SUBJECT, production={**STEPS[3], A_TYPE: "integer"}), TARGET, BASE),
    ("production less", replace(SUBJECT, production=STEPS[2]), TARGET, BASE),
    ("overtaken", replace(SUBJECT, overtaken_by=("m9",)), TARGET, BASE),
    ("unreadable", replace(SUBJECT, unreadable="why"), TARGET, BASE),
    ("another attempt", replace(SUBJECT, attempts=(row(), row(2))), TARGET, BASE),
    *(
        (f"row's {field}", replace(SUBJECT, attempts=(replace(row(), **{field: value}),)), TARGET, BASE)
        for field, value in (
            ("id", "9"),
            ("checksum", "c"),
            ("started_at", "2027"),
            ("finished_at", "2027"),
            ("rolled_back_at", "2027"),
            ("applied_steps_count", 1),
            ("logs", "ERROR"),
        )
    ),
]


@pytest.mark.parametrize(("subject", "target", "base"), [c[1:] for c in CHANGES], ids=[c[0] for c in CHANGES])
def test_digest_changes_with_each_ingredient(
    subject: Subject, target: tuple[str, ...], base: list[tuple[str, str]]
) -> None:
    """Whatever changes in what the verdict rests on voids an approval."""
    assert digest(subject, target, base) != digest(SUBJECT, TARGET, BASE)


def test_digests_are_all_different() -> None:
    """No two of those changes give the same digest, and it names its function."""
    all_of_them = [digest(*case[1:]) for case in CHANGES]
    assert len(set(all_of_them)) == len(all_of_them)
    assert all(each.startswith("sha256:") and len(each) == 71 for each in all_of_them)


def test_digest_depends_on_the_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    """Approvals under older rules are void."""
    before = digest(SUBJECT, TARGET, BASE)
    monkeypatch.setattr("states.digest.RULES_VERSION", 0)
    assert digest(SUBJECT, TARGET, BASE) != before


def digest_is_stable(subject: Subject, _: Evidence) -> None:
    """The order in which rows and properties were read doesn't matter."""
    other = replace(
        subject,
        attempts=subject.attempts[::-1],
        production=dict(sorted(subject.production.items(), reverse=True)),
    )
    assert digest(subject, TARGET, BASE) == digest(other, TARGET, BASE)


# What holds of every verdict


def own(subject: Subject) -> list[Replay]:
    """The replays of the scripts that ran."""
    return [r for r in subject.replays if r.checksum in {attempt.checksum for attempt in subject.attempts}]


def what_ran_to_its_end_is_never_run_again(subject: Subject, _: Evidence) -> None:
    """An attempt with applied_steps_count of 1 or more forbids `mark_rolled_back`, but beside a finished row (E3)."""
    if any(attempt.finished for attempt in subject.attempts):
        return
    subject = replace(subject, attempts=(*subject.attempts, row(9, checksum=subject.attempts[0].checksum, steps=1)))
    assert judged(subject).decision is not Decision.MARK_ROLLED_BACK


def applied_needs_every_property_of_the_last_step(subject: Subject, evidence: Evidence) -> None:
    """`mark_applied` is decided only if production has all that the scripts leave, and nothing open is unproven.

    Where the file was edited since, it is the present file that production must have (E22).
    """
    if evidence.decision is not Decision.MARK_APPLIED:
        return
    assert not subject.running
    edited = subject.present not in {attempt.checksum for attempt in subject.attempts}
    for replay in [r for r in subject.replays if r.checksum == subject.present] if edited else own(subject):
        assert replay.complete
        assert all(subject.production.get(key) == replay.steps[-1].get(key) for key in replay.footprint)
        ran = [a for a in subject.attempts if a.checksum == replay.checksum and a.applied_steps_count]
        assert ran or not [s for s in replay.statements if s.visibility is Visibility.OPEN]
    assert {attempt.checksum for attempt in subject.attempts} <= {replay.checksum for replay in subject.replays}
    assert subject.present in {replay.checksum for replay in subject.replays}


def rolled_back_needs_every_property_of_the_beginning(subject: Subject, evidence: Evidence) -> None:
    """`mark_rolled_back` is decided only if production has all that was before the script, and nothing is open."""
    if evidence.decision is not Decision.MARK_ROLLED_BACK:
        return
    if any(attempt.finished for attempt in subject.attempts):
        assert evidence.verdict is Verdict.APPLIED
        return
    for replay in own(subject):
        assert all(subject.production.get(key) == replay.steps[0].get(key) for key in replay.footprint)
        assert not [s for s in replay.statements if s.visibility is Visibility.OPEN]
        if any(s.visibility is Visibility.UNREACHED for s in replay.statements):
            assert subject.production.items() >= replay.steps[0].items() != replay.steps[-1].items()


def a_verdict_has_a_reason(_: Subject, evidence: Evidence) -> None:
    """Every verdict is explained, decides only what it may, and names each statement of its script."""
    assert evidence.reasons
    assert all(reason.strip() for reason in evidence.reasons)
    if evidence.verdict in (Verdict.PARTIAL, Verdict.DRIFTED, Verdict.UNDECIDABLE):
        assert evidence.decision is Decision.OPERATOR
    assert (evidence.decision is Decision.WAIT) == (evidence.verdict is Verdict.IN_PROGRESS)
    assert [s.index for s in evidence.statements] == list(range(1, len(evidence.statements) + 1))


#: Drawing a subject takes longer than judging it, so that all are asked of each.
HOLDS = (
    digest_is_stable,
    what_ran_to_its_end_is_never_run_again,
    applied_needs_every_property_of_the_last_step,
    rolled_back_needs_every_property_of_the_beginning,
    a_verdict_has_a_reason,
)


@given(subjects())
@settings(max_examples=400)
def test_what_holds_of_every_verdict(subject: Subject) -> None:
    """No verdict, on whatever evidence, breaks one of the promises above."""
    evidence = judged(subject)
    for holds in HOLDS:
        holds(subject, evidence)


@given(subjects(), st.data())
def test_differences_are_empty_at_the_step_itself(subject: Subject, data: st.DataObject) -> None:
    """A database that equals a step differs from it in nothing that the script touches."""
    assume(subject.replays)
    replay = data.draw(st.sampled_from(subject.replays))
    step = data.draw(st.integers(0, len(replay.steps) - 1))
    assert all((d.object, d.property) not in replay.footprint for d in differences(replay, step, replay.steps[step]))


@pytest.mark.parametrize("production", [STEPS[0], STEPS[3]])
def test_beside_an_undecided_one_nothing_is_decided(production: Snapshot) -> None:
    """E30: absent or in place, the first one may have had to do with it."""
    subject = subject_of(production)
    beside = judged(replace(subject, undecided=("m0",)))
    assert (beside.verdict, beside.decision) == UNDECIDABLE
    assert "m0" in beside.reasons[0]
    assert beside.evidence_digest != judged(subject).evidence_digest


#: The script on a history that has made x already: it fails at its first statement.
FAILING = replace(replay_of([STEPS[3]], total=3), ended="statement 1 fails when replayed: 42P07 relation x")
ALONE = replace(REPLAY, checksum="a")


@pytest.mark.parametrize(
    ("production", "alone", "expected"),
    [
        (STEPS[3], ALONE, APPLIED),
        (STEPS[3], None, UNDECIDABLE),
        (STEPS[2], ALONE, UNDECIDABLE),
        (STEPS[0], ALONE, UNDECIDABLE),
        (STEPS[3], replay_of(STEPS, unseen={2: Visibility.ROWS}), UNDECIDABLE),
        (STEPS[3], replay_of(STEPS, unseen={2: Visibility.OPEN}), UNDECIDABLE),
        (STEPS[3], replay_of([STEPS[3], STEPS[0], STEPS[3]]), UNDECIDABLE),
    ],
)
def test_what_the_history_made_already(production: Snapshot, alone: Replay | None, expected: tuple[str, str]) -> None:
    """E27: applied if all that the script makes by itself is there; never nothing of it."""
    twin = Twin("a", 1, 'relation "x" already exists', "m0" if alone else "", alone)
    subject = replace(subject_of(production, FAILING), twins=(twin,), stops=(Stop("1", 1, "why"),))
    assert verdict_of(subject) == expected
    assert verdict_of(replace(subject, twins=())) != APPLIED
    assert judged(subject).evidence_digest != judged(replace(subject, twins=())).evidence_digest


def test_what_ran_to_its_end_is_not_judged_by_what_the_history_made() -> None:
    """E3 comes before E27."""
    twin = Twin("a", 1, 'relation "x" already exists', "m0", ALONE)
    subject = replace(subject_of(STEPS[3], FAILING, attempts=(row(steps=1),)), twins=(twin,))
    assert verdict_of(subject) == UNDECIDABLE


# What other migrations, gaps and a person's answers change


@pytest.mark.parametrize(
    ("beside", "production", "reason"),
    [
        ({"overtaken_by": ("m2", "m3")}, STEPS[3], "Finished later, and may work on the same objects: m2, m3."),
        ({"overtaken_by": ("m2",)}, STEPS[0], "Finished later, and may work on the same objects: m2."),
        ({"made_again_by": ("m0",)}, STEPS[0], "Failed too, and may have made again what this one takes away: m0."),
        (
            {"unreplayed": ("m0: why",)},
            STEPS[3],
            "Could not be replayed before it, and may work on the same objects: m0",
        ),
        (
            {"unreplayed": ("m0: why",)},
            STEPS[0],
            "Could not be replayed before it, and may work on the same objects: m0",
        ),
    ],
)
def test_beside_others_nothing_is_decided(
    beside: dict[str, tuple[str, ...]], production: Snapshot, reason: str
) -> None:
    """E10, E26, E30: what another migration may have done to the same objects is not this one's doing."""
    evidence = judged(replace(subject_of(production), **beside))  # type: ignore[arg-type]
    assert (evidence.verdict, evidence.decision) == UNDECIDABLE
    assert reason in evidence.reasons[0]
    assert len(evidence.reasons) == 2


def test_what_was_made_again_by_another_only_hides_absence() -> None:
    """E30: where all of it is in production, another one that failed too has taken nothing of it away."""
    assert verdict_of(replace(subject_of(STEPS[3]), made_again_by=("m0",))) == APPLIED


@pytest.mark.parametrize("production", [STEPS[1], {**STEPS[3], A_TYPE: "integer"}])
def test_a_gap_is_not_shown_as_a_difference(production: Snapshot) -> None:
    """E26: what differs may be the gap's, so neither the differences nor the step are said to be production's."""
    evidence = judged(replace(subject_of(production), unreplayed=("m0: why",)))
    assert (evidence.verdict, evidence.decision, evidence.differences) == (*UNDECIDABLE, ())
    (reason,) = evidence.reasons
    assert reason.startswith("Could not be replayed before it")


def test_more_than_the_edited_file_makes_is_not_applied() -> None:
    """E2, E22: all of the file as it is now is there, and what the attempt ran has left a table besides."""
    more = replay_of(steps_of(*[{Z: "yes"}], base=None), checksum="a")
    attempted = replay_of([*STEPS, {**STEPS[3], Z: "yes"}])
    file = replay_of(STEPS, checksum="b")
    evidence = judged(subject_of(attempted.steps[4], attempted, file, present="b"))
    assert (evidence.verdict, evidence.decision) == UNDECIDABLE
    assert "and more than the migration's file makes as it is now" in evidence.reasons[0]
    # The same where what ran is of another kind than the file.
    both = {**STEPS[3], Z: "yes"}
    assert verdict_of(subject_of(both, more, file, present="b")) == UNDECIDABLE


def test_what_the_edited_file_no_more_drops_is_lost() -> None:
    """E17, E22: the attempt dropped a column, somebody made it again, and the file does not drop it any more."""
    base = {X: "yes", A: "exists"}
    dropping = replay_of(steps_of({A: None}, {A: "exists", B: "exists"}, base=base), extra=[X])
    file = replay_of(steps_of({B: "exists"}, base=base), checksum="b", extra=[X, A])
    file = replace(file, statements=(replace(file.statements[0], sql="ADD b"),))
    subject = subject_of({**base, B: "exists"}, dropping, file, present="b")
    assert verdict_of(subject) == UNDECIDABLE
    absent = judged(replace(subject, production=base))
    assert (absent.verdict, absent.decision) == UNDECIDABLE
    assert absent.reasons[0] == "A script that ran loses what was there, and the migration's file does so no more."
    # With the very statement still in it, the file loses it again, as it should.
    keeps = replace(file, statements=(replace(file.statements[0], sql="SQL 1"),))
    assert verdict_of(replace(subject, replays=(dropping, keeps), production=base))[0] != "undecidable"


Z: Key = ("table public.z", "exists")


def test_an_edited_file_whose_rest_was_not_reached_is_not_applied_by_it() -> None:
    """E22: what the attempt may have done at a statement that the replay has not reached is not known."""
    ended = replay_of(STEPS[:3], total=4)
    file = replay_of(STEPS, checksum="b")
    kept = replace(file, statements=(*file.statements[:2], replace(file.statements[2], sql="SQL 4")))
    assert verdict_of(subject_of(STEPS[3], ended, file, present="b")) == UNDECIDABLE
    assert verdict_of(subject_of(STEPS[3], replay_of(STEPS[:3], total=3), file, present="b")) == APPLIED
    assert verdict_of(subject_of(STEPS[3], ended, kept, present="b")) == UNDECIDABLE


def answering(script: Replay, production: Snapshot, **answers: bool) -> Evidence:
    """The evidence, where a person says of statements s1, s2 … whether their work on rows is done."""
    said = {int(name[1:]): done for name, done in answers.items()}
    return judged(replace(subject_of(production, script), answered=said))


DATA = replay_of([*STEPS, STEPS[3]], unseen={4: Visibility.OPEN})
ONLY_DATA = replay_of([{}, {}, {}], unseen={1: Visibility.OPEN, 2: Visibility.OPEN})
ENDED = replay_of([*STEPS, STEPS[3]], unseen={4: Visibility.OPEN}, total=5)


@pytest.mark.parametrize(
    ("script", "production", "answers", "decided", "reason"),
    [
        (DATA, STEPS[3], {"s4": True}, APPLIED, "All 4 statements of the script are in production."),
        (DATA, STEPS[3], {"s4": False}, PARTIAL, "as the script leaves it, but not all of its rows are."),
        (DATA, STEPS[2], {"s4": False}, PARTIAL, "The first 2 of 4 statements are in production"),
        (DATA, STEPS[0], {"s4": False}, NOT_APPLIED, "Nothing of the script is in production."),
        (DATA, STEPS[0], {"s4": True}, PARTIAL, "as it was before the script, but some of its work on rows is done."),
        (ONLY_DATA, {}, {"s1": True, "s2": True}, APPLIED, "All of the script's work is done, and no schema could"),
        (ONLY_DATA, {}, {"s1": True, "s2": False}, PARTIAL, "but some of its work on rows is done."),
        (ONLY_DATA, {}, {"s1": False, "s2": False}, NOT_APPLIED, "Nothing of the script is in production."),
        (ONLY_DATA, {}, {"s1": True}, UNDECIDABLE, "Statement 2 is open: why 2."),
        (ENDED, STEPS[0], {"s4": True}, UNDECIDABLE, "done, and its replay ended early: a statement is not executed."),
    ],
)
def test_a_persons_answers_decide_what_no_schema_shows(
    script: Replay, production: Snapshot, answers: dict[str, bool], decided: tuple[str, str], reason: str
) -> None:
    """E21: each answer is said with the verdict, and names the evidence anew (F9)."""
    evidence = answering(script, production, **answers)
    assert (evidence.verdict.value, evidence.decision.value) == decided
    assert reason in " ".join(evidence.reasons)
    told = " ".join(evidence.reasons)
    for name, done in answers.items():
        if decided != UNDECIDABLE:
            assert f"Of statement {name[1:]} a person says that it {'ran' if done else 'did not run'}." in told
    digests = {answering(script, production, **given).evidence_digest for given in ({}, answers)}
    assert len(digests) == 2
    assert (
        answering(script, production, **{name: not done for name, done in answers.items()}).evidence_digest
        not in digests
    )


def test_rows_with_another_default_are_not_applied() -> None:
    """E20: somebody added the column with another default, and set the right one afterwards."""
    adding = replay_of(steps_of({B: "exists"}, base={X: "yes"}), extra=[X])
    adding = replace(adding, added=frozenset({B}))
    subject = subject_of(adding.steps[1], adding)
    assert verdict_of(subject) == APPLIED
    evidence = judged(replace(subject, filled={B: "{2}"}))
    assert (evidence.verdict, evidence.decision) == UNDECIDABLE
    assert evidence.reasons[0] == (
        "The schema is as the script leaves it, but column b of table public.x was added with {2} for the rows from "
        "before, and the script gives no value."
    )


def test_a_column_that_was_dropped_and_made_again_is_not_as_before() -> None:
    """E19: production looks as before the script, and the column of which it drops one stands at the end now."""
    dropping = replay_of(steps_of({A: None}, base={X: "yes", A: "exists", B: "exists"}), extra=[X, B])
    dropping = replace(
        dropping,
        statements=(replace(dropping.statements[0], drops=(A,)),),
        stood={X[0]: ("a", "b")},
        places={X[0]: ("", "b")},
    )
    subject = replace(subject_of(dropping.steps[0], dropping), places={X[0]: ("a", "b")})
    assert verdict_of(subject) == NOT_APPLIED
    evidence = judged(replace(subject, places={X[0]: ("", "b", "a")}))
    assert (evidence.verdict, evidence.decision) == UNDECIDABLE
    assert "some of it may have run and been taken back" in evidence.reasons[0]


@pytest.mark.parametrize(
    ("kinds", "bearing"),
    [
        ({}, False),
        ({1: Visibility.INERT}, False),
        ({1: Visibility.OPEN}, True),
        ({2: Visibility.ROWS}, True),
        ({3: Visibility.UNREACHED}, True),
    ],
)
def test_what_no_schema_shows_is_row_bearing(kinds: dict[int, Visibility], *, bearing: bool) -> None:
    """E18: one statement is enough, also one that was not reached."""
    assert replay_of(STEPS, unseen=kinds).row_bearing is bearing


def test_the_edited_file_is_judged_too_before_it_is_run() -> None:
    """E22: nothing of what ran is in production, and a deploy will run the file as it is now."""
    more = replay_of(steps_of({Z: "yes"}, {X: "yes"}), checksum="b")
    evidence = judged(subject_of({Z: "yes"}, REPLAY, more, present="b"))
    assert (evidence.verdict, evidence.decision) == UNDECIDABLE
    assert evidence.reasons[0].startswith("The migration's file was edited since, and something of it")
    data = replay_of([*STEPS, STEPS[3]], unseen={4: Visibility.OPEN}, checksum="b")
    subject = subject_of(STEPS[0], REPLAY, data, present="b")
    evidence = judged(subject)
    assert (evidence.verdict, evidence.decision, evidence.assumptions) == (*NOT_ATTEMPTED, (NO_HANDWORK,))
    assert evidence.reasons[-1] == "This holds only if nobody ran statement 4 by hand."
    assert verdict_of(replace(subject, assume=frozenset({NO_HANDWORK}))) == NOT_APPLIED
