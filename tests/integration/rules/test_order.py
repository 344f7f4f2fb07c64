"""How far an attempt got, by the order of its statements and by what nobody has touched since (RULES E20, E21)."""

import pytest

from states.evidence import Decision, Evidence, Verdict
from tests.integration.rules.production import (
    APPLIED,
    NOT_APPLIED,
    PARTIAL,
    STIRRED,
    UNDECIDABLE,
    Production,
    verdict,
)

NOBODY = frozenset({"no_handwork"})
FILL, ADD = "UPDATE t SET a = 2;", "ALTER TABLE t ADD b int;"
#: Scripts that leave the schema as it was, and values or rows lost or in other columns.
THERE_AND_BACK = [
    "ALTER TABLE t ADD c int; ALTER TABLE t DROP a; ALTER TABLE t RENAME c TO a;",
    "ALTER TABLE t DROP a; ALTER TABLE t ADD a int;",
    "ALTER TABLE t ALTER a TYPE text; ALTER TABLE t ALTER a TYPE int USING a::int + 1;",
    "DROP TABLE t; CREATE TABLE t (id int PRIMARY KEY, a int);",
]


def dated(one: Production) -> None:
    """A table of the history is older than the last migration, as in every database with a history."""
    one.finished("20260102_later", "CREATE TABLE later (id int)")


@pytest.mark.parametrize("script", THERE_AND_BACK)
def test_what_is_older_than_the_attempt_was_altered_by_nobody(production: Production, script: str) -> None:
    """E20: altering or dropping a column, and making a table again, leave younger rows in the catalog."""
    dated(production)
    production.failed(script, logs=None)
    assert verdict(production.judge()) == NOT_APPLIED


@pytest.mark.parametrize("script", THERE_AND_BACK)
def test_what_was_altered_there_and_back_is_open(production: Production, script: str) -> None:
    """E6: the attempt ran all of it, and a second run would lose the values, or compute them again."""
    dated(production)
    production.failed(script, logs=None)
    production.run(script)
    assert production.judge(assume=NOBODY).decision is not Decision.MARK_ROLLED_BACK


@pytest.mark.parametrize("script", THERE_AND_BACK)
def test_another_table_of_that_name_proves_nothing(production: Production, script: str) -> None:
    """A copy from before the attempt has taken the table's place: all of its rows in the catalog are older, too."""
    production.run("CREATE TABLE t_before (LIKE t INCLUDING ALL)")
    dated(production)
    production.failed(script, logs=None)
    production.run(script)
    production.run("DROP TABLE t; ALTER TABLE t_before RENAME TO t; ALTER INDEX t_before_pkey RENAME TO t_pkey")
    assert production.judge().decision is Decision.OPERATOR


def test_what_comes_after_a_statement_that_nobody_ran_was_not_reached(production: Production) -> None:
    """E7: the UPDATE comes after it. That no person ran the UPDATE is an assumption (E21)."""
    dated(production)
    production.failed("ALTER TABLE t DROP a; ALTER TABLE t ADD a int; UPDATE t SET id = id + 1;", logs=None)
    evidence = production.judge()
    assert (evidence.verdict, evidence.decision) == (Verdict.NOT_APPLIED, Decision.OPERATOR)
    assert evidence.assumptions == ("no_handwork",)
    assert verdict(production.judge(assume=NOBODY)) == NOT_APPLIED


def test_what_stands_after_a_statement_shows_that_it_ran(production: Production) -> None:
    """E21: the attempt came past the UPDATE to the column, if it was the attempt. Who knows that says so."""
    production.failed(FILL + ADD, logs=None)
    production.run(FILL + ADD)
    unsure, sure = production.judge(), production.judge(assume=NOBODY)
    assert (verdict(unsure), verdict(sure)) == (UNDECIDABLE, APPLIED)
    assert unsure.assumptions == sure.assumptions == ("no_handwork",)
    assert any("since the attempt came as far as statement 2" in reason for reason in sure.reasons)
    assert sure.reasons[-1] == "This holds only if nobody ran a statement of the script by hand."


def test_half_of_a_script_shows_what_ran_before_it(production: Production) -> None:
    """E21: the rows are done, and the plan to complete the script leaves them alone."""
    production.failed(FILL + ADD + "CREATE TABLE z (id int);", logs=None)
    production.run(FILL + ADD)
    evidence = production.judge(assume=NOBODY)
    assert verdict(evidence) == PARTIAL
    assert [each.state for each in evidence.statements] == ["in_place", "in_place", "absent"]
    assert evidence.assumptions == ("no_handwork",)


def open_under_the_assumption(one: Production) -> Evidence:
    evidence = one.judge(assume=NOBODY)
    assert verdict(evidence) == UNDECIDABLE, evidence.reasons
    return evidence


def test_an_attempt_that_failed_may_have_found_what_stands_there(production: Production) -> None:
    """`db push` had made the column, and the attempt failed at it: the UPDATE before it was rolled back, or was not."""
    production.run(ADD)
    production.failed(FILL + ADD, logs='ERROR: column "b" of relation "t" already exists')
    open_under_the_assumption(production)


def test_of_two_attempts_the_order_tells_nothing(production: Production) -> None:
    """The first ran the UPDATE, and so did the second."""
    production.failed(FILL + ADD, logs=None)
    production.run(FILL)
    production.run("UPDATE _prisma_migrations SET rolled_back_at = now() WHERE finished_at IS NULL")
    production.failed(FILL + ADD, logs=None)
    production.run(FILL + ADD)
    open_under_the_assumption(production)


def test_a_statement_that_an_engine_cuts_may_have_run_in_part(production: Production) -> None:
    """E24: the JavaScript engine ran the UPDATE without its condition."""
    production.failed("UPDATE t SET a = 2 -- all; or not\n WHERE id = 7;" + ADD, logs=None)
    production.run("UPDATE t SET a = 2;" + ADD)
    open_under_the_assumption(production)


@pytest.mark.parametrize(
    "first",
    [
        "DO $$ BEGIN CREATE UNIQUE INDEX i ON t (a); EXCEPTION WHEN unique_violation THEN UPDATE t SET a = 3; END $$;",
        "DO $$ BEGIN IF EXISTS (SELECT FROM t) THEN UPDATE t SET a = 3; ELSE CREATE TABLE z (); END IF; END $$;",
    ],
)
def test_what_a_block_leaves_may_depend_on_rows(production: Production, first: str) -> None:
    """E18: with the rows of production it took the other branch, and did not make what is missing."""
    production.run("INSERT INTO t VALUES (91, 1), (92, 1)")
    production.failed(first + FILL, logs=None)
    production.run("UPDATE t SET a = 3;" + FILL)
    open_under_the_assumption(production)


def test_a_script_is_seen_through_the_next_failed_one(production: Production) -> None:
    """E30: the second has worked on what the first made, so production equals no step of the first alone."""
    first, second = "CREATE TABLE m (id int);", "ALTER TABLE m ADD CHECK (id > 0); CREATE INDEX m_id ON m (id);"
    production.failed(first, "20260110_first", logs=None)
    production.failed(second, "20260111_second", logs=None)
    production.run(first + "ALTER TABLE m ADD CHECK (id > 0)")
    evidence = production.judge("20260110_first")
    assert verdict(evidence) == APPLIED
    assert "of 20260111_second, which failed after it, there is more" in evidence.reasons[0]
    assert verdict(production.judge("20260111_second")) == PARTIAL


def test_what_neither_of_two_failed_ones_makes_is_a_difference(production: Production) -> None:
    """E30: the column is another than the second makes."""
    production.failed("CREATE TABLE m (id int);", "20260110_first", logs=None)
    production.failed("ALTER TABLE m ADD c int NOT NULL;", "20260111_second", logs=None)
    production.run("CREATE TABLE m (id int, c text NOT NULL)")
    assert production.judge("20260110_first").verdict is Verdict.DRIFTED


def test_the_catalogs_age_proves_nothing_of_a_table_that_was_renamed(production: Production) -> None:
    """E20: another name, and back again, is what a table in the place of another has, too."""
    dated(production)
    production.failed(THERE_AND_BACK[1], logs=None)
    production.run(STIRRED)
    assert verdict(production.judge()) == UNDECIDABLE


def test_what_was_skipped_is_known_beside_a_table_that_gets_another_name(production: Production) -> None:
    """E4, E9: PostgreSQL said that it skipped it, and the name is not one of those that mean another table then."""
    dated(production)
    production.failed("ALTER TABLE later DROP COLUMN IF EXISTS x; ALTER TABLE t RENAME TO u;", logs=None)
    production.run("ALTER TABLE t RENAME TO u")
    assert verdict(production.judge()) == APPLIED


def test_what_was_skipped_of_a_table_that_gets_another_name_is_open(production: Production) -> None:
    """E9: by the end of the script the name means another table, which is compared then."""
    dated(production)
    production.failed("ALTER TABLE later DROP COLUMN IF EXISTS x; ALTER TABLE later RENAME TO u;", logs=None)
    production.run("ALTER TABLE later RENAME TO u")
    assert verdict(production.judge()) == UNDECIDABLE
