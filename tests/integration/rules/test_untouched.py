"""What nobody has touched since an attempt, and two that failed in a row (RULES E20, E30)."""

import pytest

from states.evidence import Decision, Verdict
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


def test_a_script_is_seen_through_the_next_failed_one(production: Production) -> None:
    """E30: the second has worked on what the first made, so production equals no step of the first alone."""
    first, second = "CREATE TABLE m (id int)", "ALTER TABLE m ADD CHECK (id > 0); CREATE INDEX m_id ON m (id);"
    production.failed(first, "20260110_first", logs=None)
    production.failed(second, "20260111_second", logs=None)
    production.run(first + ";ALTER TABLE m ADD CHECK (id > 0)")
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
