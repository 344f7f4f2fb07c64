"""Repair (RULES E17, E21, F14): what is planned, what never is, and what a plan that is carried out leaves."""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pytest

from recovery.effects import repairing
from recovery.effects.repairing import Repairer
from recovery.effects.results import Performed
from recovery.errors import BusyError
from recovery.evidence.investigator import Classified, Investigator
from recovery.postgres import bounded
from recovery.postgres.locks import PRISMA_LOCK, RECOVERY_LOCK, SessionLock
from recovery.postgres.sessions import undone
from recovery.postgres.target import Target
from recovery.repair.planning import planned
from states.comparison import Difference
from states.evidence import Decision, Verdict
from states.facts import Answers
from states.plans import Plan, Way
from states.repair import answers_after, script_of
from tests.integration.rules.production import (
    APPLIED,
    DRIFTED,
    FAILED,
    NOT_APPLIED,
    PARTIAL,
    UNDECIDABLE,
    Production,
    verdict,
)

SCRIPT = "CREATE TABLE b (id int PRIMARY KEY); CREATE INDEX bi ON b (id); ALTER TABLE t ADD COLUMN c int;"
FIRST, SECOND, THIRD = (each.strip() for each in SCRIPT.split(";")[:3])
FUNCTION = "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';"


@dataclass
class Repairing:
    """Plans on one production, and how they are carried out.

    Attributes:
        notes: what was noted of statements that are committed by themselves.
        pauses: called at each pause between two attempts at a lock.
        said: what a person has said of statements' work on rows.
    """

    production: Production
    target: Target
    notes: list[tuple[int, str]] = field(default_factory=list)
    pauses: Callable[[float], None] = lambda _: None
    said: dict[str, Answers] = field(default_factory=dict)

    def investigator(self) -> Investigator:
        """On the folder as it is now."""
        scripts, workshop = self.production.scripts(), self.production.workshop
        return Investigator(self.target, scripts, workshop, lambda _: None, answers=self.said.copy)

    def say(self, **done: bool) -> Verdict:
        """Says of statements, as `_2`, whether their work on rows is done; gives the verdict then."""
        answers = {int(number.removeprefix("_")): each for number, each in done.items()}
        self.said[FAILED] = Answers(self.investigator().classify(FAILED).asked, answers)
        return self.investigator().classify(FAILED).evidence.verdict

    def classified(self) -> Classified:
        """The evidence with its plans."""
        return planned(self.investigator().classify(FAILED), self.production.workshop, self.target)

    def plan(self, way: Way) -> Plan:
        """The plan of that way."""
        repair = self.classified().evidence.repair
        found = [plan for plan in repair.plans if plan.way is way]
        assert found, repair.unplanned
        return found[0]

    def unplanned_of(self, way: Way) -> str:
        """Why there is no plan of this kind."""
        repair = self.classified().evidence.repair
        assert not [plan for plan in repair.plans if plan.way is way]
        return " ".join(repair.unplanned)

    def unplanned(self) -> str:
        """Why there is no plan at all."""
        repair = self.classified().evidence.repair
        assert repair.plans == ()
        return " ".join(repair.unplanned)

    def carry_out(
        self,
        way: Way,
        meanwhile: Callable[[], None] = lambda: None,
        at_the_end: Callable[[psycopg.Connection[Any]], None] = lambda _: None,
    ) -> Performed:
        """Carries out the plan of that way.

        Args:
            way: the plan's way.
            meanwhile: what others do right after the evidence was compared again.
            at_the_end: called with the repair's session when its statements were run.
        """
        classified, investigator = self.classified(), self.investigator()
        plan = next(plan for plan in classified.evidence.repair.plans if plan.way is way)

        def changed() -> str:
            same = investigator.digest_now(classified) == classified.evidence.evidence_digest
            meanwhile()
            return "" if same else "the evidence has changed"

        def left(session: psycopg.Connection[Any]) -> Sequence[Difference]:
            at_the_end(session)
            return investigator.left_to(session, classified, plan.ends)

        with closing(self.target.working("prisma-recovery lock")) as lock:
            ours = SessionLock(lock, RECOVERY_LOCK)
            assert ours.try_take()
            repairer = Repairer(self.target, ours, sleep=self.pauses)
            ended = repairer.perform(
                plan, changed, left, lambda *note: self.notes.append(note), lambda: investigator.asked_now(classified)
            )
        self.said[FAILED] = Answers(ended.evidence, answers_after(way, classified.subject))
        return ended


@pytest.fixture
def repair(production: Production) -> Iterator[Repairing]:
    """On a production of its own."""
    with closing(production.target()) as target:
        yield Repairing(production, target)


def schema(production: Production) -> list[tuple[str, ...]]:
    """Relations and columns of the schema."""
    with production.server.connect(production.database) as connection:
        return connection.execute(
            "SELECT c.relname, a.attname FROM pg_class c"
            " LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
            " WHERE c.relnamespace = 'public'::regnamespace ORDER BY 1, 2"
        ).fetchall()


def half(production: Production, script: str = SCRIPT, *there: str) -> None:
    """A script that failed, of which these statements are in place."""
    production.failed(script)
    production.apart(*(there or (FIRST,)))


def test_what_is_missing_is_run_as_it_stands(production: Production, repair: Repairing) -> None:
    """The rest of the script, in one transaction, with what each statement locks; then it is in the database."""
    half(production)
    plan = repair.plan(Way.COMPLETE)
    assert [(each.sql, each.number) for each in plan.statements] == [(SECOND, 2), (THIRD, 3)]
    assert [(each.lock, each.table) for each in plan.statements] == [
        ("ShareLock", "public.b"),
        ("AccessExclusiveLock", "public.t"),
    ]
    assert (plan.together, plan.rows, plan.losses, plan.ends) == (True, False, (), 3)
    assert repair.carry_out(Way.COMPLETE).exit_code == 0
    assert verdict(production.judge()) == APPLIED


def test_what_was_made_is_taken_back(production: Production, repair: Repairing) -> None:
    """In reverse, with the rows that go counted; then nothing of it is in the database."""
    half(production, SCRIPT, FIRST, SECOND, "INSERT INTO b VALUES (1), (2)")
    plan = repair.plan(Way.UNDO)
    assert [(loss.name, loss.rows) for loss in plan.losses] == [("public.b", 2)]
    assert repair.carry_out(Way.UNDO).exit_code == 0
    assert verdict(production.judge()) == NOT_APPLIED


def test_what_a_property_was_is_made_again(production: Production, repair: Repairing) -> None:
    """An index and a constraint that the script dropped, a default and NOT NULL that it set."""
    production.before("CREATE INDEX ti ON t (a); ALTER TABLE t ADD CONSTRAINT positive CHECK (a > 0)")
    script = (
        "DROP INDEX ti; ALTER TABLE t DROP CONSTRAINT positive; ALTER TABLE t ALTER a SET DEFAULT 7;"
        "ALTER TABLE t ALTER a SET NOT NULL; CREATE TABLE b ();"
    )
    half(production, script, *script.split(";")[:4])
    assert repair.carry_out(Way.UNDO).exit_code == 0
    assert verdict(production.judge()) == NOT_APPLIED


@pytest.mark.parametrize(
    ("script", "there", "why"),
    [
        # Whether somebody has written the rows is not known (E21), and the statement is never run a second time.
        ("CREATE TABLE b (); UPDATE t SET a = 2; CREATE TABLE c ();", 1, "statement 2 may or may not have done"),
        ("CREATE TABLE b (); CREATE TABLE c (); UPDATE t SET a = 2;", 1, "statement 3 may or may not have done"),
        ("CREATE TABLE b (i int); INSERT INTO b VALUES (1); CREATE TABLE c ();", 1, "statement 2 may or may not"),
        # The rows may be there although what else the statement needs is not.
        ("CREATE TABLE b (i int); CREATE TABLE c (i int); INSERT INTO b VALUES (1);", 1, "No plan to complete"),
    ],
)
def test_rows_that_nothing_shows_are_never_written(
    production: Production, repair: Repairing, script: str, there: int, why: str
) -> None:
    """A plan of which nobody could say whether it writes them a second time is none."""
    production.failed(script, logs=None)
    production.apart(*script.split(";")[:there])
    found = repair.classified().evidence
    assert found.verdict in (Verdict.PARTIAL, Verdict.UNDECIDABLE)
    assert not [plan for plan in found.repair.plans if plan.way is Way.COMPLETE]
    if found.verdict is Verdict.PARTIAL:
        assert why in " ".join(found.repair.unplanned)


UPDATING = "CREATE TABLE b (); UPDATE t SET a = a + 1; CREATE TABLE c ();"


@pytest.mark.parametrize(
    "script",
    [
        "CREATE TABLE IF NOT EXISTS log (id int); CREATE TABLE b ();",
        "ALTER TABLE t ADD COLUMN IF NOT EXISTS c int; CREATE TABLE b ();",
        "DO $$ BEGIN CREATE TYPE e AS ENUM ('a'); EXCEPTION WHEN duplicate_object THEN END $$; CREATE TABLE b ();",
    ],
)
def test_what_may_have_been_there_before_is_not_undone(repair: Repairing, script: str) -> None:
    """A statement that passes over what is there may have found it: dropping it would lose somebody's rows."""
    repair.production.failed(script, logs=None)
    repair.production.run("CREATE TABLE log (id int); ALTER TABLE t ADD COLUMN c int; CREATE TYPE e AS ENUM ('a')")
    repair.production.run("INSERT INTO log VALUES (1); UPDATE t SET c = 7")
    assert "passes over what is there already" in repair.unplanned_of(Way.UNDO)


@pytest.mark.parametrize(("done", "numbers", "value"), [(True, [3], 1), (False, [2, 3], 2)])
def test_a_person_says_which_rows_are_done(
    production: Production,
    repair: Repairing,
    done: bool,  # noqa: FBT001
    numbers: list[int],
    value: int,
) -> None:
    """What is done is left out, what is not is run; afterwards it is known that all of it is done, and until when."""
    production.failed(UPDATING, logs=None)
    production.apart("CREATE TABLE b ()")
    assert repair.say(_2=done) is Verdict.PARTIAL
    assert [each.number for each in repair.plan(Way.COMPLETE).statements] == numbers
    assert repair.carry_out(Way.COMPLETE).exit_code == 0
    with production.server.connect(production.database) as connection:
        assert connection.execute("SELECT a FROM t").fetchall() == [(value,)]
    assert repair.classified().evidence.verdict is Verdict.APPLIED
    assert verdict(production.judge()) == UNDECIDABLE  # without the answers
    production.run("ALTER TABLE b ADD COLUMN x int")
    assert repair.classified().evidence.verdict is Verdict.UNDECIDABLE  # these are for other evidence


def test_rows_that_went_with_their_table_are_not_done(production: Production, repair: Repairing) -> None:
    """What a person said of them before the undo does not hold after it: a deploy writes them again."""
    production.failed("CREATE TABLE b (i int); INSERT INTO b VALUES (1); CREATE TABLE c ();", logs=None)
    production.apart("CREATE TABLE b (i int)", "INSERT INTO b VALUES (1)")
    repair.say(_2=True)
    assert [loss.name for loss in repair.plan(Way.UNDO).losses] == ["public.b"]
    assert repair.carry_out(Way.UNDO).exit_code == 0
    evidence = repair.classified().evidence
    assert (evidence.verdict, evidence.decision) == (Verdict.NOT_APPLIED, Decision.MARK_ROLLED_BACK)


def test_answers_alone_can_decide(production: Production, repair: Repairing) -> None:
    """Where the schema is at the script's beginning or end, they are all that was open."""
    production.failed("UPDATE t SET a = 2; UPDATE t SET a = 3;", logs=None)
    assert repair.classified().evidence.verdict is Verdict.UNDECIDABLE
    assert repair.say(_1=True) is Verdict.UNDECIDABLE
    assert repair.say(_1=True, _2=True) is Verdict.APPLIED
    assert repair.say(_1=False, _2=False) is Verdict.NOT_APPLIED
    assert repair.say(_1=True, _2=False) is Verdict.PARTIAL
    assert [each.number for each in repair.plan(Way.COMPLETE).statements] == [2]


@pytest.mark.parametrize(
    ("script", "there", "said", "why"),
    [
        # Run later, it does to rows what it would have done in its order.
        ("UPDATE t SET a = a + 1; CREATE TABLE b (); CREATE TABLE c ();", 2, {"_1": False}, ""),
        (
            "UPDATE t SET a = a + 1; UPDATE t SET a = a * 2; CREATE TABLE b (); CREATE TABLE c ();",
            3,
            {"_1": False, "_2": True},
            "statement 1 would work on rows after statement 2 did",
        ),
        (
            "ALTER TABLE t ADD b int; UPDATE t SET b = a; ALTER TABLE t DROP COLUMN a; CREATE TABLE b ();",
            3,
            {"_2": False},
            "fails in the rehearsal: 42703",
        ),
    ],
)
def test_rows_that_would_be_written_late_are_tried_on_rows(
    production: Production, repair: Repairing, script: str, there: int, said: dict[str, bool], why: str
) -> None:
    """RULES E17: as if the script had run exactly once, else there is no plan."""
    production.failed(script, logs=None)
    production.apart(*[each for each in script.split(";")[:there] if not each.strip().startswith("UPDATE")])
    repair.say(**said)
    repairs = repair.classified().evidence.repair
    assert ([plan for plan in repairs.plans if plan.way is Way.COMPLETE] == []) is bool(why)
    assert why in " ".join(repairs.unplanned)


def test_a_column_with_a_default_is_added(production: Production, repair: Repairing) -> None:
    """PostgreSQL keeps with what the older rows were filled, which proves afterwards that they were."""
    half(production, "CREATE TABLE b (); ALTER TABLE t ADD COLUMN c int NOT NULL DEFAULT 3;", "CREATE TABLE b ()")
    assert repair.plan(Way.COMPLETE).rows
    assert repair.carry_out(Way.COMPLETE).exit_code == 0
    assert verdict(production.judge()) == APPLIED


def test_an_edited_file_is_not_completed(production: Production, repair: Repairing) -> None:
    """The rest of the file as it is now is not the rest of what ran."""
    half(production)
    production.commit()
    production.file(FAILED, SCRIPT.replace("c int", "d int"))
    production.commit()
    assert verdict(production.judge()) == PARTIAL
    assert "did not all run the file as it is now" in repair.unplanned()


def test_dropped_rows_are_not_undone(production: Production, repair: Repairing) -> None:
    """Nothing brings back what a column held; what is missing can be run all the same."""
    half(production, "ALTER TABLE t DROP COLUMN a; CREATE TABLE b ();", "ALTER TABLE t DROP COLUMN a")
    repairs = repair.classified().evidence.repair
    assert [plan.way for plan in repairs.plans] == [Way.COMPLETE]
    assert "has dropped column a of table public.t with its rows" in " ".join(repairs.unplanned)


def test_what_the_rest_drops_is_named_and_counted(production: Production, repair: Repairing) -> None:
    """Also where it is the script itself that drops it: values may have come since."""
    half(production, "CREATE TABLE b (); ALTER TABLE t DROP COLUMN a;", "CREATE TABLE b ()")
    assert [(loss.name, loss.rows) for loss in repair.plan(Way.COMPLETE).losses] == [("public.t.a", 1)]


def test_a_column_that_has_another_name_by_the_end_is_not_taken_for_a_new_one(
    production: Production, repair: Repairing
) -> None:
    """Made by hand without the script's default, and filled otherwise: its rows are not the script's."""
    added, rename = "ALTER TABLE t ADD COLUMN c int NOT NULL DEFAULT 5", "ALTER TABLE t RENAME COLUMN c TO cc"
    drifted(
        production,
        f"ALTER TABLE t ADD COLUMN c int; UPDATE t SET c = 0; ALTER TABLE t ALTER COLUMN c SET NOT NULL; {rename};",
        script=f"{added}; {rename}; CREATE TABLE b (id int);",
    )
    assert not [plan for plan in repair.classified().evidence.repair.plans if plan.way is Way.MEND]


def test_the_script_of_a_plan_loses_no_more_than_it_says(production: Production, repair: Repairing) -> None:
    """Run by hand, later: rows that have come since end it, as they end the tool's own way."""
    half(production, "CREATE TABLE b (id int); ALTER TABLE t DROP COLUMN a;", "CREATE TABLE b (id int)")
    script = script_of(repair.plan(Way.COMPLETE), "m1", "public")
    production.run("INSERT INTO t VALUES (2, 2)")
    with pytest.raises(psycopg.errors.RaiseException, match="holds more by now"):
        production.run(script)
    production.run("DELETE FROM t WHERE id = 2")
    production.run(script)
    assert verdict(production.judge()) == APPLIED


def test_what_is_kept_under_another_name_is_not_made_again(production: Production, repair: Repairing) -> None:
    """The script's column was given another name, with what the application wrote to it; or nothing was."""
    script = "CREATE TABLE b (id int); ALTER TABLE t ADD COLUMN c text;"
    half(production, script, "CREATE TABLE b (id int)", "ALTER TABLE t ADD COLUMN c_old text")
    assert "may have been renamed to column c_old, with its values." in repair.unplanned_of(Way.COMPLETE)
    production.run("TRUNCATE t")
    assert repair.plan(Way.COMPLETE).losses == ()


def test_what_is_renamed_loses_nothing_and_what_is_dropped_is_named_as_it_is_by_then(
    production: Production, repair: Repairing
) -> None:
    """The table has its new name only after the column was dropped, and rows are counted and locked before that."""
    script = (
        "CREATE TABLE b (id int); ALTER TABLE t RENAME COLUMN a TO aa; ALTER TABLE t DROP COLUMN c;"
        "ALTER TABLE t RENAME TO tt; ALTER TABLE tt ALTER COLUMN aa SET DEFAULT 7;"
    )
    production.before("ALTER TABLE t ADD COLUMN c int DEFAULT 1;")
    half(production, script, "CREATE TABLE b (id int)")
    assert [loss.name for loss in repair.plan(Way.COMPLETE).losses] == ["public.t.c"]
    assert repair.carry_out(Way.COMPLETE).exit_code == 0
    assert verdict(production.judge())[0] is Verdict.APPLIED


def test_what_an_index_would_fail_on_is_asked_before(production: Production, repair: Repairing) -> None:
    """The obstacle is the plan's, under the number that the statement has in the script."""
    production.run("INSERT INTO t VALUES (2, 1)")
    half(production, "CREATE TABLE b (); CREATE TABLE c (); CREATE UNIQUE INDEX u ON t (a);", "CREATE TABLE b ()")
    assert [(each.statement, each.kind) for each in repair.plan(Way.COMPLETE).obstacles] == [(3, "duplicates")]


def test_settings_of_the_first_statements_hold_for_the_rest(production: Production, repair: Repairing) -> None:
    """A plan runs in a session of its own, which has not seen them."""
    script = "CREATE SCHEMA app; SET search_path = app; CREATE TABLE b (); CREATE TABLE c ();"
    half(production, script, "CREATE SCHEMA app; SET search_path = app; CREATE TABLE b ()")
    assert repair.carry_out(Way.COMPLETE).exit_code == 0
    assert verdict(production.judge()) == APPLIED


def test_other_evidence_leaves_everything_alone(production: Production, repair: Repairing) -> None:
    """What was planned for is compared again under Prisma's lock."""
    half(production)
    classified = repair.classified()
    production.run("ALTER TABLE b ADD COLUMN x int NOT NULL")
    before = schema(production)
    repair.classified = lambda: classified  # type: ignore[method-assign]
    assert repair.carry_out(Way.COMPLETE).unchanged
    assert schema(production) == before


def test_another_end_is_not_committed(production: Production, repair: Repairing) -> None:
    """F14: somebody alters a table after the last comparison; the footprint is read inside the transaction."""
    half(production)
    ended = repair.carry_out(Way.COMPLETE, meanwhile=lambda: production.run("ALTER TABLE b ADD COLUMN x int NOT NULL"))
    assert ended.exit_code == 1
    assert "not be as rehearsed: table public.b column x" in ended.output
    assert [row for row in schema(production) if row in (("bi", "id"), ("t", "c"))] == []


def test_rows_that_came_since_are_not_lost(production: Production, repair: Repairing) -> None:
    """The table was empty when the plan was made, so nobody was asked; it is counted again under its lock."""
    half(production)
    assert repair.plan(Way.UNDO).losses == ()
    ended = repair.carry_out(Way.UNDO, meanwhile=lambda: production.run("INSERT INTO b VALUES (1)"))
    assert (ended.exit_code, "public.b has 1 rows by now" in ended.output) == (1, True)
    assert ("b", "id") in schema(production)


def test_what_fails_leaves_nothing(production: Production, repair: Repairing) -> None:
    """One transaction, and PostgreSQL's own words."""
    half(production)
    ended = repair.carry_out(Way.COMPLETE, meanwhile=lambda: production.run("ALTER TABLE t ADD COLUMN c int"))
    assert (ended.exit_code, ended.undone, ended.output) == (
        1,
        True,
        '42701 column "c" of relation "t" already exists.',
    )
    assert ("bi", "id") not in schema(production)


def test_a_session_that_dies_before_its_commit_leaves_nothing(production: Production, repair: Repairing) -> None:
    """The error says that the end is not known; production says that nothing was done."""
    half(production)

    def killed(session: psycopg.Connection[Any]) -> None:
        with production.server.connect(production.database) as other:
            other.execute("SELECT pg_terminate_backend(%s, 5000)", (session.info.backend_pid,))

    before = schema(production)
    with pytest.raises(psycopg.OperationalError):
        repair.carry_out(Way.COMPLETE, at_the_end=killed)
    assert schema(production) == before


def test_the_session_that_works_holds_prismas_lock(production: Production, repair: Repairing) -> None:
    """Nobody deploys meanwhile, even if our process has died and its statement has not."""
    half(production)
    held: list[int] = []

    def look(session: psycopg.Connection[Any]) -> None:
        with production.server.connect(production.database) as other:
            query = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND objid = %s AND granted"
            held.extend(pid for (pid,) in other.execute(query, (PRISMA_LOCK,)))
        assert held == [session.info.backend_pid]

    assert repair.carry_out(Way.COMPLETE, at_the_end=look).exit_code == 0
    assert held


def test_a_statement_may_take_as_long_as_it_takes(
    production: Production, repair: Repairing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other sessions of ours give up on a server that is silent; an index of a large table takes hours."""
    half(production)

    def slow(session: psycopg.Connection[Any]) -> None:
        with monkeypatch.context() as changed:
            changed.setattr(bounded, "ANSWER_SECONDS", 0.05)
            session.execute("SELECT pg_sleep(0.5)")

    assert repair.carry_out(Way.COMPLETE, at_the_end=slow).exit_code == 0


def test_what_ends_elsewhere_is_no_plan(production: Production, repair: Repairing) -> None:
    """No statement is known that takes an attribute of a composite type back, so what was made stays."""
    production.before("CREATE TYPE e AS (x int)")
    half(production, "CREATE TABLE b (); ALTER TYPE e ADD ATTRIBUTE y int; CREATE TABLE c ();", "CREATE TABLE b ()")
    production.apart("ALTER TYPE e ADD ATTRIBUTE y int")
    repairs = repair.classified().evidence.repair
    assert [plan.way for plan in repairs.plans] == [Way.COMPLETE]
    assert "its rehearsal ends elsewhere: type public.e attributes" in " ".join(repairs.unplanned)


def test_the_server_tells_what_became_of_a_repair(production: Production, repair: Repairing) -> None:
    """Its transaction's number is noted before its first statement, so that a later process can ask for its fate."""
    half(production)
    assert repair.carry_out(Way.COMPLETE).exit_code == 0
    ((number, what),) = repair.notes
    assert what == "begun"
    assert not undone(repair.target.reading(), number)
    assert not undone(repair.target.reading(), number + 1_000_000), "it has not come so far"
    with production.server.connect(production.database) as session:
        session.execute("BEGIN")
        row = session.execute("SELECT pg_current_xact_id()::text").fetchone()
        assert row is not None
        assert not undone(repair.target.reading(), int(row[0])), "it goes on"
        session.execute("ROLLBACK")
    assert undone(repair.target.reading(), int(row[0]))


def test_a_lock_that_is_not_to_be_had_is_tried_again(
    production: Production, repair: Repairing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It never stands in front of the application's queries for long; between two attempts it holds nothing."""
    monkeypatch.setattr(repairing, "LOCK_MILLISECONDS", 50)
    half(production)
    with production.server.connect(production.database) as reader:
        reader.execute("BEGIN; SELECT FROM t")
        with pytest.raises(BusyError) as caught:
            repair.carry_out(Way.COMPLETE)
        assert caught.value.code == "repair.locked"
        repair.pauses = lambda _: reader.execute("COMMIT") and None
        assert repair.carry_out(Way.COMPLETE).exit_code == 0
    assert verdict(production.judge()) == APPLIED


CONCURRENT = "CREATE TABLE b (i int); CREATE INDEX CONCURRENTLY bi ON b (i); CREATE TABLE c (); CREATE TABLE d ();"


def test_what_no_transaction_may_hold_is_run_one_by_one(production: Production, repair: Repairing) -> None:
    """Each statement is noted before and after it; one that fails leaves those before it, and the next plan goes on."""
    half(production, CONCURRENT, "CREATE TABLE b (i int)")
    plan = repair.plan(Way.COMPLETE)
    assert (plan.together, plan.statements[0].lock) == (False, "ShareUpdateExclusiveLock")
    ended = repair.carry_out(Way.COMPLETE, meanwhile=lambda: production.run("CREATE TABLE c (other int)"))
    assert (ended.exit_code, ended.undone, ended.output) == (
        1,
        False,
        '42P07 relation "c" already exists. The 1 before it were run.',
    )
    assert repair.notes == [(1, "intended"), (1, "observed"), (2, "intended")]
    production.run("DROP TABLE c")
    plan = repair.plan(Way.COMPLETE)
    assert ([each.number for each in plan.statements], plan.together) == ([3, 4], True)
    assert repair.carry_out(Way.COMPLETE).exit_code == 0
    assert verdict(production.judge()) == APPLIED


def test_a_transactions_control_is_left_to_the_plans_own(production: Production, repair: Repairing) -> None:
    """BEGIN and COMMIT of the script group what the plan groups itself."""
    half(production, "CREATE TABLE b (); BEGIN; CREATE TABLE c (); COMMIT;", "CREATE TABLE b ()")
    assert [each.sql for each in repair.plan(Way.COMPLETE).statements] == ["CREATE TABLE c ()"]
    assert repair.carry_out(Way.COMPLETE).exit_code == 0


def test_what_somebody_ran_of_a_transaction_is_completed(production: Production, repair: Repairing) -> None:
    """The script's own BEGIN has no COMMIT among its first statements: they were run by hand."""
    half(production, "BEGIN; CREATE TABLE b (); CREATE TABLE c (); COMMIT;", "CREATE TABLE b ()")
    assert repair.carry_out(Way.COMPLETE).exit_code == 0
    assert verdict(production.judge()) == APPLIED


def test_nothing_is_planned_beside_what_is_undecidable(production: Production, repair: Repairing) -> None:
    """Without steps to compare with there is nothing to prove."""
    half(production, "CREATE TABLE b (); UPDATE t SET a = 1;", "CREATE TABLE b ()")
    assert verdict(production.judge()) == UNDECIDABLE
    assert repair.classified().evidence.repair.plans == ()


TABLE = "CREATE TABLE b (id int PRIMARY KEY, name text NOT NULL, n bigint DEFAULT 5); CREATE INDEX bn ON b (name);"


def drifted(production: Production, *there: str, script: str = TABLE) -> None:
    """A script that failed, and what somebody made by hand."""
    production.failed(script)
    production.apart(*there)
    assert verdict(production.judge()) == DRIFTED


def test_what_differs_is_mended(production: Production, repair: Repairing) -> None:
    """Type, nullability and default are altered, the missing column and index made; a constraint goes."""
    drifted(production, "CREATE TABLE b (id int PRIMARY KEY, name varchar(9), CONSTRAINT odd CHECK (id > 7))")
    plan = repair.plan(Way.MEND)
    assert [each.sql for each in plan.statements] == [
        "ALTER TABLE public.b DROP CONSTRAINT odd",
        "ALTER TABLE public.b ADD COLUMN n bigint DEFAULT 5",
        "ALTER TABLE public.b ALTER COLUMN name TYPE text USING name::text",
        "ALTER TABLE public.b ALTER COLUMN name SET NOT NULL",
        "CREATE INDEX bn ON b (name)",
    ]
    assert repair.carry_out(Way.MEND).exit_code == 0
    assert verdict(production.judge()) == APPLIED


def test_what_production_has_besides_stays(production: Production, repair: Repairing) -> None:
    """A further column that an INSERT may omit, and a further index: nobody asked for their end."""
    drifted(production, "CREATE TABLE b (id int PRIMARY KEY, name text, extra int); CREATE INDEX own ON b (extra)")
    assert repair.carry_out(Way.MEND).exit_code == 0
    assert verdict(production.judge()) == APPLIED
    assert {("b", "extra"), ("own", "extra")} <= set(schema(production))


def test_values_that_another_type_would_change_are_named(production: Production, repair: Repairing) -> None:
    """They are counted like rows that are lost; a column that must go is, too."""
    table = "CREATE TABLE b (id int PRIMARY KEY, name int NOT NULL, n bigint DEFAULT 5, must int NOT NULL)"
    drifted(production, table, "INSERT INTO b VALUES (1, 2, 3, 4)")
    losses = {loss.name: loss.rows for loss in repair.plan(Way.MEND).losses}
    assert losses == {"public.b.name": 1, "public.b.must": 1}


def test_an_invalid_index_is_made_again(production: Production, repair: Repairing) -> None:
    """Dropped and made by the script's own statement, which lets the application write meanwhile."""
    script = "CREATE UNIQUE INDEX CONCURRENTLY ta ON t (a);"
    production.run("INSERT INTO t VALUES (2, 1)")
    production.failed(script)
    with pytest.raises(psycopg.errors.UniqueViolation):
        production.apart(script)
    assert verdict(production.judge()) == DRIFTED
    plan = repair.plan(Way.MEND)
    assert [each.sql for each in plan.statements] == ["DROP INDEX CONCURRENTLY public.ta", script.rstrip(";")]
    assert ([each.kind for each in plan.obstacles], plan.together) == (["duplicates"], False)
    production.run("DELETE FROM t WHERE id = 2")
    assert repair.plan(Way.MEND).obstacles == ()
    assert repair.carry_out(Way.MEND).exit_code == 0
    assert verdict(production.judge()) == APPLIED


def test_what_can_not_be_rebuilt_is_not_mended(production: Production, repair: Repairing) -> None:
    """A difference that no statement is known for: the copy can't be made equal to production, so nothing is proven."""
    drifted(
        production, "CREATE TABLE b (id int PRIMARY KEY, name text NOT NULL, n bigint DEFAULT 5) PARTITION BY HASH (id)"
    )
    assert "could not be made equal to production" in repair.unplanned() or "ends elsewhere" in repair.unplanned()


def test_what_may_branch_on_rows_is_not_mended(production: Production, repair: Repairing) -> None:
    """E18: there are rows in production, so that the script's other branch ran, as it has to."""
    adds, other = "ALTER TABLE t ADD COLUMN c int;", "ALTER TABLE t ADD COLUMN c bool;"
    script = f"DO $$ BEGIN IF EXISTS (SELECT FROM t) THEN {adds} ELSE {other} END IF; END $$;"
    production.failed(f"{script} CREATE TABLE b (id int);", logs=None)
    production.run(f"{script} CREATE TABLE b (id int)")
    repair.say(_1=True)
    assert "may do other things to the schema" in repair.unplanned()


def test_rows_that_were_filled_by_hand_are_not_mended(production: Production, repair: Repairing) -> None:
    """E5, E17: where the column is there and nothing shows what its rows were given, no default shows it later."""
    production.failed("ALTER TABLE t ADD b int NOT NULL DEFAULT 5; ALTER TABLE t ALTER b DROP NOT NULL;")
    production.run("ALTER TABLE t ADD b int; UPDATE t SET b = 0")
    assert "statement 1 works on rows" in repair.unplanned()


@pytest.mark.parametrize(
    ("script", "change"),
    [
        ("ALTER TABLE t ADD b int;", "ALTER TABLE t ADD b int DEFAULT 1"),
        ("ALTER TABLE t ADD b int DEFAULT 5;", "ALTER TABLE t ADD b int DEFAULT 0"),
    ],
)
def test_a_default_that_filled_rows_is_not_mended(
    production: Production, repair: Repairing, script: str, change: str
) -> None:
    """E5, E17: with the default corrected, the rows from before would hold another value still."""
    production.failed(script)
    production.run(change)
    assert "was added with" in repair.unplanned()


def test_rows_of_a_script_are_no_ones_to_mend(production: Production, repair: Repairing) -> None:
    """Where the script writes rows, what it left of them is not known."""
    drifted(
        production, "CREATE TABLE b (id text PRIMARY KEY)", script="CREATE TABLE b (id int); INSERT INTO b VALUES (1);"
    )
    assert "may or may not have done its work" in repair.unplanned()


def test_what_was_renamed_is_renamed_back(production: Production, repair: Repairing) -> None:
    """It stands where the script's column stands, so it is the same, with its values. Nothing is built anew."""
    script = (
        "CREATE TABLE b (id int PRIMARY KEY, name text); CREATE INDEX bn ON b (id);"
        "ALTER TABLE t ADD CONSTRAINT z CHECK (a > 0);"
    )
    production.failed(script)
    production.run(
        f"{script} ALTER TABLE b RENAME COLUMN name TO name_old;"
        "ALTER INDEX bn RENAME TO bn_old; ALTER TABLE t RENAME CONSTRAINT z TO z_old"
    )
    plan = repair.plan(Way.MEND)
    assert all(" RENAME " in each.sql for each in plan.statements), plan.statements
    assert (len(plan.statements), plan.losses) == (3, ())
    assert repair.carry_out(Way.MEND).exit_code == 0
    assert verdict(production.judge()) == APPLIED


def test_what_later_statements_took_back_is_not_run_again(production: Production, repair: Repairing) -> None:
    """The enum's old name is gone since the script's last statement, which does not say that the first never ran."""
    production.before("CREATE TYPE e AS ENUM ('x', 'y'); ALTER TABLE t ADD COLUMN c e")
    script = (
        "CREATE TYPE e_new AS ENUM ('x'); ALTER TABLE t ALTER c TYPE e_new USING c::text::e_new;"
        "ALTER TYPE e RENAME TO e_old; ALTER TYPE e_new RENAME TO e; DROP TYPE e_old;"
        "ALTER TABLE t ALTER a SET DEFAULT 7;"
    )
    production.failed(script, logs=None)
    production.run(f"{script} ALTER TABLE t ALTER a SET DEFAULT 8")
    repair.say(_2=True)
    assert [each.sql for each in repair.plan(Way.MEND).statements] == [
        "ALTER TABLE public.t ALTER COLUMN a DROP DEFAULT",
        "ALTER TABLE public.t ALTER COLUMN a SET DEFAULT 7",
    ]


@pytest.mark.parametrize(
    ("script", "there"),
    [
        ("CREATE TABLE tag (id int, name text);", "CREATE TABLE label (id int, name text)"),
        ("CREATE TABLE tag (id int);", "CREATE SCHEMA tenant2; CREATE TABLE tenant2.tag (id int)"),
        ("CREATE TYPE e1 AS ENUM ('a'); CREATE TABLE n (k e1);", "CREATE TYPE e2 AS ENUM ('a'); CREATE TABLE n (k e2)"),
        ("CREATE TABLE n (id int, price int);", "CREATE TABLE n (id int, quantity int); INSERT INTO n VALUES (1, 3)"),
        ("ALTER TYPE role ADD VALUE 'c';", "ALTER TYPE role ADD VALUE 'b'"),
    ],
    ids=["a table", "a tenant's table", "a type", "a column with values", "a label"],
)
def test_what_may_be_somebody_elses_is_not_renamed(
    production: Production, repair: Repairing, script: str, there: str
) -> None:
    """It looks like the script's under another name, and may hold rows that mean something else."""
    production.before("CREATE TYPE role AS ENUM ('a'); CREATE TABLE u (k role)")
    production.failed(script + " CREATE TABLE z (id int);")
    production.apart(*there.split("; "), "CREATE TABLE z (id int)")
    plans = repair.classified().evidence.repair.plans
    assert not [each.sql for plan in plans for each in plan.statements if re.search("RENAME|SET SCHEMA", each.sql)]


@pytest.mark.parametrize("way", [Way.UNDO, Way.MEND])
@pytest.mark.parametrize(
    "more",
    [
        "GRANT SELECT ON v TO PUBLIC;",
        "COMMENT ON VIEW v IS 'x';",
        "CREATE RULE r AS ON INSERT TO v DO INSTEAD INSERT INTO t VALUES (NEW.id);",
    ],
)
def test_a_view_is_not_made_again_without_what_it_had(
    production: Production, repair: Repairing, way: Way, more: str
) -> None:
    """The history gave it more than the script names."""
    production.before(f"CREATE VIEW v AS SELECT id FROM t; {more}")
    script = "CREATE OR REPLACE VIEW v AS SELECT id, a FROM t"
    production.failed(f"{script}; CREATE TABLE z (id int);")
    other = f"{script.replace('a FROM', 'a AS other FROM')}; CREATE TABLE z (id int)"
    production.run(script if way is Way.UNDO else other)
    assert "would take along what it is not about" in repair.unplanned_of(way)


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ("GRANT SELECT ON v TO PUBLIC", "privileges of public of view public.v: SELECT"),
        ("COMMENT ON COLUMN v.id IS 'x'", "column id comment of view public.v: x"),
        ("CREATE RULE r AS ON INSERT TO v DO INSTEAD NOTHING", "rule r of view public.v"),
        (
            f"{FUNCTION} CREATE TRIGGER g INSTEAD OF INSERT ON v FOR EACH ROW EXECUTE FUNCTION f()",
            "trigger g of view public.v",
        ),
    ],
    ids=["a privilege", "a comment", "a rule", "a trigger"],
)
@pytest.mark.parametrize("way", [Way.UNDO, Way.MEND])
def test_what_only_production_has_on_a_view_is_not_lost(
    production: Production, repair: Repairing, way: Way, more: str, named: str
) -> None:
    """Somebody gave it more by hand, which no replay has, and a view that is made again would lack."""
    production.before("CREATE VIEW v AS SELECT id FROM t")
    script = "CREATE OR REPLACE VIEW v AS SELECT id, a FROM t"
    production.failed(f"{script}; CREATE TABLE z (id int);")
    other = f"{script.replace('a FROM', 'a AS other FROM')}; CREATE TABLE z (id int)"
    production.run(f"{script if way is Way.UNDO else other}; {more}")
    assert f"would make view public.v again without what only production has: {named}" in repair.unplanned_of(way)


def test_what_default_privileges_give_again_is_not_lost(production: Production, repair: Repairing) -> None:
    """Some vendors give every new object privileges of this kind."""
    production.run("ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC")
    production.before("CREATE VIEW v AS SELECT id FROM t")
    script = "CREATE OR REPLACE VIEW v AS SELECT id, a FROM t"
    production.failed(f"{script}; CREATE TABLE z (id int);")
    production.run(script)
    assert repair.carry_out(Way.UNDO).exit_code == 0
    assert verdict(production.judge()) == NOT_APPLIED


@pytest.mark.parametrize("way", [Way.UNDO, Way.MEND])
def test_what_depends_on_a_view_is_named(production: Production, repair: Repairing, way: Way) -> None:
    """The plan would fail on it, so it is not begun."""
    production.before("CREATE VIEW v AS SELECT id FROM t")
    script = "CREATE OR REPLACE VIEW v AS SELECT id, a FROM t"
    production.failed(f"{script}; CREATE TABLE z (id int);")
    other = f"{script.replace('a FROM', 'a AS other FROM')}; CREATE TABLE z (id int)"
    production.run(f"{script if way is Way.UNDO else other}; CREATE VIEW own AS SELECT id FROM v")
    (obstacle,) = repair.plan(way).obstacles
    assert "own" in obstacle.fact


def test_what_goes_for_good_is_named(production: Production, repair: Repairing) -> None:
    """What somebody did to a table of the script goes with the table, and is told before anybody agrees."""
    half(production, SCRIPT, FIRST)
    production.run("COMMENT ON TABLE b IS 'do not touch'; CREATE INDEX own ON b (id)")
    takes = [each for statement in repair.plan(Way.UNDO).statements for each in statement.takes]
    assert takes == ["index public.own", "comment of table public.b: do not touch"]


def test_what_may_have_been_renamed_is_not_made_anew(production: Production, repair: Repairing) -> None:
    """An empty column in its place would hide the values that the other name has, or that one is somebody's own."""
    production.failed("ALTER TABLE t ADD COLUMN name text; CREATE TABLE b ();")
    production.run("ALTER TABLE t ADD COLUMN other text; UPDATE t SET other = 'own'; CREATE TABLE b ()")
    assert "column name of table public.t may have been renamed to column other" in repair.unplanned()


@pytest.mark.parametrize(
    ("script", "change"),
    [
        (
            "ALTER TABLE t ADD COLUMN c int GENERATED BY DEFAULT AS IDENTITY; CREATE TABLE b ();",
            "ALTER c DROP IDENTITY",
        ),
        ("ALTER TABLE t ADD COLUMN c int; CREATE TABLE b ();", "DROP c, ADD c int GENERATED ALWAYS AS (7) STORED"),
        ("CREATE SEQUENCE q; ALTER TABLE t ADD COLUMN c int; CREATE TABLE b ();", "ALTER SEQUENCE q INCREMENT 7 CYCLE"),
        ("CREATE TYPE e AS ENUM ('x', 'y'); ALTER TABLE t ADD COLUMN c e DEFAULT 'x';", "ALTER TYPE e ADD VALUE 'z'"),
        ("ALTER TABLE t ALTER a SET NOT NULL; CREATE TABLE b ();", "ALTER a DROP NOT NULL, ADD NOT NULL a NOT VALID"),
        ("CREATE TABLE m (); ALTER TABLE t ADD COLUMN c int; CREATE TABLE b ();", "ALTER TABLE b INHERIT m"),
        (
            "CREATE VIEW v AS SELECT a FROM t; CREATE TABLE b ();",
            "CREATE OR REPLACE VIEW v AS SELECT a + 0 AS a FROM t",
        ),
        (
            "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE TABLE b ();",
            "CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql LEAKPROOF AS 'SELECT 2'",
        ),
    ],
)
def test_every_kind_of_property_is_mended(production: Production, repair: Repairing, script: str, change: str) -> None:
    """In both directions: the copy is brought to what production is, and back to what the script makes."""
    production.failed(script, logs=None)
    alone = change.startswith(("ALTER T", "ALTER S", "CREATE"))
    production.run(f"{script} {change if alone else f'ALTER TABLE t {change}'}")
    repair.say(_1=True)
    plan = repair.plan(Way.MEND)
    repair.said.clear()
    assert plan.losses == ()
    repair.say(_1=True)
    assert repair.carry_out(Way.MEND).exit_code == 0
    assert repair.classified().evidence.verdict is Verdict.APPLIED


def test_a_table_that_may_have_been_renamed_is_not_made_anew(production: Production, repair: Repairing) -> None:
    """The rest of the script would make it again, empty; and so would all of it, once it was undone."""
    half(production, "CREATE TABLE b (i int); CREATE TABLE c (x int, y int);", "CREATE TABLE b (i int)")
    production.run("CREATE TABLE c_old (x int, y int)")
    repairs = repair.classified().evidence.repair
    assert repairs.plans == ()
    assert "table public.c may have been renamed to table public.c_old, with its rows" in " ".join(repairs.unplanned)


def test_what_the_script_drops_is_dropped_by_it(production: Production, repair: Repairing) -> None:
    """Somebody made the index again, and otherwise: the script's own statement takes it away."""
    production.before("CREATE INDEX ti ON t (a)")
    production.failed("DROP INDEX ti; CREATE TABLE b ();")
    production.apart("DROP INDEX ti", "CREATE INDEX ti ON t (a) WHERE a > 5", "CREATE TABLE b ()")
    assert [each.sql for each in repair.plan(Way.MEND).statements] == ["DROP INDEX ti"]
    assert repair.carry_out(Way.MEND).exit_code == 0
    assert verdict(production.judge()) == APPLIED


def test_what_cascades_is_not_planned(production: Production, repair: Repairing) -> None:
    """Somebody's table that inherits from it would go with its rows, and no copy knows of it."""
    half(production, "DROP SEQUENCE s; DROP TABLE t CASCADE;", "DROP SEQUENCE s")
    production.run("CREATE TABLE own (more int) INHERITS (t); INSERT INTO own VALUES (7, 7, 7)")
    assert "statement 2 drops with CASCADE" in repair.unplanned()


def test_rows_that_a_policy_hides_are_not_lost(production: Production) -> None:
    """To a role that sees no row of it a table looks empty; nothing is dropped that could not be counted."""
    half(production, SCRIPT, FIRST)
    production.run("CREATE ROLE hidden LOGIN")
    production.run("ALTER TABLE b OWNER TO hidden; GRANT ALL ON t, _prisma_migrations TO hidden")
    policy = "ALTER TABLE b ENABLE ROW LEVEL SECURITY; ALTER TABLE b FORCE ROW LEVEL SECURITY; INSERT INTO b VALUES (1)"
    production.user = "hidden"
    with closing(production.target()) as target:
        seen = Repairing(production, target)
        ended = seen.carry_out(Way.UNDO, meanwhile=lambda: production.run(policy))
    assert (ended.exit_code, "42501" in ended.output) == (1, True)
    assert ("b", "id") in schema(production)
