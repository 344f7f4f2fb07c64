"""The fuzzer draws the same cases for the same seed, its oracle knows right from wrong, and it keeps what matters."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import pytest

from recovery.replay.workshop import Workshop
from states.evidence import Decision
from tests.staging.fuzz.alike import nothing_tells
from tests.staging.fuzz.drawing import draw_case, draw_group
from tests.staging.fuzz.events import Play, play
from tests.staging.fuzz.folders import write
from tests.staging.fuzz.generated import GENERATED
from tests.staging.fuzz.hidden import HIDDEN
from tests.staging.fuzz.model import Case, Event, Statement, Step
from tests.staging.fuzz.oracle import Answer
from tests.staging.fuzz.shrinking import shrink
from tests.staging.fuzz.staging import SETTINGS, Stager, Unstageable
from tests.staging.fuzz.written import WRITTEN
from tests.staging.postgres import Server, start

APPLIED, AGAIN, ASK = Decision.MARK_APPLIED, Decision.MARK_ROLLED_BACK, Decision.OPERATOR
ADD = Statement("add", "ALTER TABLE t ADD c int", undo="ALTER TABLE t DROP c")
FILL = Statement("fill", "ALTER TABLE t ADD d int DEFAULT 5", rows=True, otherwise=("ALTER TABLE t ADD d int",))
MORE = Statement("more", "UPDATE t SET a = a + 1", rows=True)
SAME = Statement("same", "UPDATE t SET a = 7", rows=True)
MOVE = Statement("move", "SELECT setval('s', nextval('s') + 100)", rows=True)
SPLIT = Statement("split", "UPDATE t SET a = a + 1 -- one; two\nWHERE id > 0", rows=True)


BRANCH = Statement(
    "branch",
    "DO $$ BEGIN IF EXISTS (SELECT FROM t) THEN UPDATE t SET a = 3; ELSE ALTER TABLE t ADD e int; END IF; END $$",
)


@dataclass
class Decided(Stager):
    """A stager whose answer is known beforehand."""

    server: Server
    decision: Decision | None = ASK

    def __post_init__(self) -> None:
        super().__init__(self.server, cast("Workshop", None))

    def ask(self, case: Case, acts: Play, database: str) -> list[tuple[str, Decision | None, tuple[str, ...]]]:
        """The same for every migration."""
        assert case.event
        assert database
        return [("", self.decision, ())] * len(acts.judged)


@pytest.fixture(scope="module")
def decided() -> Iterator[Decided]:
    """On a server of its own."""
    with start(settings=SETTINGS) as server:
        on = Decided(server)
        yield on
        on.close()


def case(event: Event, *statements: Statement, **more: object) -> Case:
    """A case on a table with a row, and a sequence."""
    history = (("CREATE TABLE t (id int PRIMARY KEY, a int)", "CREATE SEQUENCE s"),)
    made = Case("0/0", history, ("INSERT INTO t VALUES (1, 1)",), tuple(map(Step, statements)), event)
    return replace(made, **more)  # type: ignore[arg-type]


def answer(on: Decided, decision: Decision | None, of: Case) -> Answer:
    """What a decision comes to."""
    on.decision = decision
    return on.judge(of).answer


def test_the_same_seed_gives_the_same_cases() -> None:
    """A seed and a number are enough to draw a case again, and another seed gives others."""
    drawn, again, other = ([each.statements for each in draw_group(seed, 3)] for seed in (1, 1, 2))
    assert drawn == again != other
    assert draw_group(1, 3)[0].history.migrations == draw_group(1, 3)[0].history.migrations
    whole = draw_group(1, 3)[0]
    assert draw_case(1, 60, whole, whole.statements) == draw_case(1, 60, whole, whole.statements)


def test_everything_is_drawn() -> None:
    """Each event, and each maker of statements, comes up within a few hundred draws."""
    whole = next(drawn for drawn in draw_group(1, 1) if len(drawn.statements) > 1)
    assert {draw_case(1, number, whole, whole.statements).event for number in range(1000)} == set(Event)
    shapes = [group[0].history.shape for group in (draw_group(5, number) for number in range(60))]
    for maker, _ in (*GENERATED, *WRITTEN, *HIDDEN):
        assert any(maker(shape.copy(shape.draw)) for shape in shapes), maker.__name__


def test_histories_have_one_to_four_migrations_with_statements() -> None:
    """No migration of a history is empty."""
    histories = [draw_group(seed, 0)[0].history.migrations for seed in range(40)]
    assert {len(each) for each in histories} == {1, 2, 3, 4}
    assert all(all(each) for each in histories)


@pytest.mark.parametrize(
    ("event", "statements", "cut", "applied", "again"),
    [
        (Event.DIED_BEFORE, [MORE], 0, Answer.UNSAFE, Answer.DECIDED),
        (Event.FAILED_WHOLE, [MORE], 1, Answer.UNSAFE, Answer.DECIDED),
        (Event.FAILED_WHOLE, [MOVE, MORE], 1, Answer.UNSAFE, Answer.UNSAFE),
        (Event.CRASHED_DONE, [MORE], 0, Answer.DECIDED, Answer.UNSAFE),
        (Event.CRASHED_DONE, [ADD], 0, Answer.DECIDED, Answer.FAILS),
        (Event.CRASHED_DONE, [SAME], 0, Answer.DECIDED, Answer.DECIDED),
        (Event.CRASHED_AFTER, [MORE, SAME], 1, Answer.UNSAFE, Answer.DECIDED),
        (Event.CRASHED_AFTER, [SAME, MORE, ADD], 2, Answer.UNSAFE, Answer.DECIDED),
        (Event.FAILED_AT, [MORE, ADD], 1, Answer.UNSAFE, Answer.UNSAFE),
        (Event.CUT, [SPLIT], 1, Answer.DECIDED, Answer.UNSAFE),
        (Event.BY_HAND, [FILL], 0, Answer.DECIDED, Answer.FAILS),
        (Event.RUN_AGAIN, [MORE], 0, Answer.UNSAFE, Answer.UNSAFE),
        (Event.COUNTED, [MORE], 0, Answer.DECIDED, Answer.UNSAFE),
        (Event.PENDING, [MORE], 0, Answer.UNSAFE, Answer.DECIDED),
        (Event.PENDING_BY_HAND, [MORE], 0, Answer.DECIDED, Answer.UNSAFE),
    ],
)
def test_a_mark_is_safe_only_if_the_script_has_then_run_once(
    decided: Decided, event: Event, statements: list[Statement], cut: int, applied: Answer, again: Answer
) -> None:
    """E17, for rows, sequences and the schema."""
    of = case(event, *statements, cut=cut)
    assert (answer(decided, APPLIED, of), answer(decided, AGAIN, of)) == (applied, again)


def test_other_rows_in_the_same_schema_are_seen(decided: Decided) -> None:
    """A column that somebody made without its values: a mark is unsafe, and a person has to decide."""
    of = case(Event.BY_HAND_OTHERWISE, FILL)
    other = replace(of, steps=(Step(FILL, "ALTER TABLE t ADD d int; ALTER TABLE t ALTER d SET DEFAULT 5"),))
    assert answer(decided, APPLIED, other) is Answer.UNSAFE
    assert answer(decided, ASK, other) is Answer.ASKED
    assert other.hand_on_rows


def test_a_person_who_is_asked_in_vain_is_counted(decided: Decided) -> None:
    """Asked although one mark would be right, or both."""
    assert answer(decided, ASK, case(Event.CRASHED_DONE, MORE)) is Answer.UNDECIDED
    assert answer(decided, ASK, case(Event.CRASHED_DONE, SAME)) is Answer.EITHER
    assert answer(decided, None, case(Event.PENDING_BY_HAND, MORE)) is Answer.UNSEEN


def test_what_came_after_counts_too(decided: Decided) -> None:
    """Running a script after the one that overtook it, or after the application's writes, may not be the same."""
    used = case(Event.USED, SAME, later=("UPDATE t SET a = 9",))
    assert answer(decided, AGAIN, used) is Answer.UNSAFE
    assert answer(decided, APPLIED, used) is Answer.DECIDED
    overtaken = case(Event.OVERTAKEN_UNDONE, MORE, later=("ALTER TABLE t ADD e int",))
    assert answer(decided, AGAIN, overtaken) is Answer.DECIDED
    assert answer(decided, APPLIED, overtaken) is Answer.UNSAFE


def test_two_migrations_are_marked_together(decided: Decided) -> None:
    """The first done, the second not: neither mark is right for both; nothing done: running both is."""
    done = case(Event.TWO, MORE, ADD, cut=1, done=1)
    assert answer(decided, APPLIED, done) is Answer.UNSAFE
    assert answer(decided, AGAIN, done) is Answer.UNSAFE
    assert answer(decided, ASK, done) is Answer.UNDECIDED
    assert answer(decided, AGAIN, replace(done, done=0)) is Answer.DECIDED


@pytest.mark.parametrize("event", Event)
def test_every_event_can_be_staged(decided: Decided, event: Event) -> None:
    """On a script of two statements, however it is divided."""
    of = case(event, ADD, FILL, cut=1, done=1, later=("UPDATE t SET a = 3",))
    assert decided.judge(of).answer in Answer
    assert decided.judge(replace(of, wrapped=event is not Event.TWO)).answer in Answer


def test_what_the_server_refuses_is_left_out(decided: Decided) -> None:
    """A script with a statement that fails has no ideal; the statement is found."""
    bad = Statement("bad", "ALTER TABLE nothing ADD c int")
    with pytest.raises(Unstageable):
        decided.judge(case(Event.CRASHED_DONE, ADD, bad))
    assert decided.accepted(case(Event.CRASHED_DONE, ADD), [ADD, bad, MORE]) == (ADD, MORE)


def test_shrinking_keeps_what_matters(decided: Decided) -> None:
    """Of many statements, rows and migrations those stay without which the mark would be safe."""
    big = case(Event.CRASHED_AFTER, ADD, FILL, MORE, SAME, cut=3, wrapped=False)
    big = replace(
        big, history=(*big.history, ("CREATE TABLE u (id int)",)), rows=(*big.rows, "INSERT INTO u VALUES (1)")
    )
    decided.decision = AGAIN

    def unsafe(smaller: Case) -> bool:
        try:
            return decided.judge(smaller).answer is Answer.UNSAFE
        except Unstageable:
            return False

    small = shrink(
        replace(big, steps=(Step(MORE), Step(ADD)), event=Event.RUN_AGAIN), lambda of: "MORE" not in of.label
    )
    assert len(small.steps) == 1
    found = shrink(replace(big, steps=(Step(SAME), Step(MORE)), cut=2), unsafe)
    assert [step.statement for step in found.steps] == [MORE]
    assert found.rows == ("INSERT INTO t VALUES (1, 1)",)
    assert found.history == (("CREATE TABLE t (id int PRIMARY KEY, a int)",),)


def test_a_kept_case_holds_all_that_was_staged(decided: Decided, tmp_path: Path) -> None:
    """Its folder has the migrations, those that git had, the decision that is wrong, and production as a script."""
    decided.decision = AGAIN
    edited = case(Event.EDITED_BY_HAND, MORE)
    edited = replace(edited, steps=(Step(MORE, former="UPDATE t SET a = a + 2"),))
    made = write(decided.judge(edited), tmp_path)
    about = json.loads((made / "case.json").read_text())
    assert about["never"] == ["mark_rolled_back"]
    assert (made / "migrations" / about["migration"] / "migration.sql").read_text() == "UPDATE t SET a = a + 1;\n"
    assert (made / "earlier" / about["migration"] / "migration.sql").read_text() == "UPDATE t SET a = a + 2;\n"
    assert "UPDATE t SET a = a + 1" in (made / "setup.sql").read_text()


@pytest.mark.parametrize(
    ("event", "statements", "more", "alike"),
    [
        # A crash before the UPDATE looks the same, and so does one of its engines that cut it.
        (Event.CRASHED_DONE, [MORE], {}, True),
        (Event.DIED_BEFORE, [MORE], {}, True),
        (Event.FAILED_WHOLE, [SPLIT], {"javascript": True}, True),
        (Event.FAILED_WHOLE, [SPLIT], {}, False),
        # A person may have made what follows the UPDATE. What comes before it may be taken back, and leaves a trace.
        (Event.CRASHED_DONE, [MORE, ADD], {}, True),
        (Event.CRASHED_DONE, [FILL, ADD], {}, False),
        (Event.DIED_BEFORE, [ADD, MORE], {}, False),
        # Between BEGIN and COMMIT nothing ran, or all of it.
        (Event.FAILED_WHOLE, [MORE, ADD], {"wrapped": True}, False),
        (Event.FAILED_WHOLE, [MORE, ADD], {}, True),
        # No rollback takes back what a sequence has given, unless it has given nothing.
        (Event.FAILED_WHOLE, [MOVE], {"rows": ("SELECT nextval('s')",)}, True),
        (Event.FAILED_WHOLE, [MOVE], {}, False),
        # The other rows to begin with: a block that found none made the column.
        (Event.CRASHED_DONE, [BRANCH, ADD], {}, False),
        (Event.DIED_BEFORE, [BRANCH], {}, True),
        # Of two migrations the first may have run wholly, or not at all.
        (Event.TWO, [MORE, ADD], {"cut": 1, "done": 1}, True),
        (Event.TWO, [ADD, replace(ADD, sql="CREATE INDEX i ON t (c)")], {"cut": 1, "done": 2}, False),
        # What the file said before may have run, and no mark would be right then.
        (Event.EDITED, [replace(MORE, sql="UPDATE t SET a = a + 2"), ADD], {}, True),
        (Event.COUNTED, [MORE], {}, False),
    ],
)
def test_it_is_known_which_cases_nothing_could_decide(
    decided: Decided, event: Event, statements: list[Statement], more: dict[str, object], *, alike: bool
) -> None:
    """Another course of the same events leaves the same, besides rows, and wants another mark."""
    of = case(event, *statements, **more)
    if event is Event.EDITED:
        of = replace(of, steps=(replace(of.steps[0], former=MORE.sql), of.steps[1]))
    acts = play(of)
    assert nothing_tells(decided, of, acts, decided.ideal(of, acts.ideal)) is alike
