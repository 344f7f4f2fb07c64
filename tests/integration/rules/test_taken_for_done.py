"""Decisions that were wrong: what a name, a trace or an age was taken for (RULES E17, E20, E25)."""

import pytest

from states.evidence import Decision
from tests.integration.rules.production import APPLIED, NOT_APPLIED, PARTIAL, UNDECIDABLE, Production, verdict

NOBODY = frozenset({"no_handwork"})
#: A block that adds a column, fails where there is a row, and goes on.
CATCHING = """
DO $$ BEGIN
    ALTER TABLE t ADD c int; PERFORM 1 / (SELECT 1 - count(*) FROM t);
EXCEPTION WHEN others THEN NULL; END $$
"""
MARKS = {Decision.MARK_APPLIED, Decision.MARK_ROLLED_BACK}


def dated(one: Production) -> None:
    """A table of the history is older than the last migration, as in every database with a history."""
    one.finished("20260102_later", "CREATE TABLE later (id int)")


@pytest.mark.parametrize(
    ("first", "rows", "last"),
    [
        (
            "CREATE TABLE z (id int)",
            "UPDATE t SET a = a + 1",
            "ALTER TABLE t RENAME a TO a_old; ALTER TABLE t ADD a int;",
        ),
        ("CREATE TABLE z (id int)", "UPDATE t SET a = a + 1", "ALTER TABLE t DROP a; ALTER TABLE t ADD a int;"),
        (
            "CREATE TABLE z (id int)",
            "UPDATE t SET a = a + 1",
            "ALTER TABLE t RENAME TO o; CREATE TABLE t (id int, a int);",
        ),
        ("CREATE TABLE z (id int)", "DELETE FROM t", "ALTER TABLE t RENAME TO o; CREATE TABLE t (id int, a int);"),
        ("CREATE TABLE z (id int)", "UPDATE t SET a = a + 1", "DROP TABLE t; CREATE TABLE t (id int, a int);"),
        (
            "CREATE TABLE z (id int)",
            "UPDATE x.t SET a = a + 1",
            "DROP SCHEMA x CASCADE; CREATE SCHEMA x; CREATE TABLE x.t (id int, a int);",
        ),
    ],
)
def test_a_name_that_the_script_gives_anew_meant_something_before(
    production: Production, first: str, rows: str, last: str
) -> None:
    """E17: the statement on rows ran before that, on what had the name then; somebody took the first one back."""
    production.before("CREATE SCHEMA x; CREATE TABLE x.t (id int, a int);")
    script = f"{first}; {rows}; {last}"
    production.failed(script, logs=None)
    production.apart(first, rows)
    production.run("DROP TABLE z")
    assert production.judge().decision not in MARKS


@pytest.mark.parametrize(
    "script",
    [
        "CREATE TABLE z (id int); INSERT INTO z VALUES (1);",
        "CREATE TABLE z (id int); INSERT INTO z VALUES (1); ALTER TABLE z RENAME TO y;",
        "ALTER TABLE t ADD c int; UPDATE t SET c = 1;",
    ],
)
def test_rows_of_what_the_script_makes_are_absent_with_it(production: Production, script: str) -> None:
    """E20: nothing had that name before, so no rows are written where it is not there."""
    production.failed(script, logs=None)
    assert verdict(production.judge()) == NOT_APPLIED


@pytest.mark.parametrize(
    ("script", "by_hand"),
    [
        ("ALTER TABLE t DROP COLUMN a, ADD COLUMN a2 int;", "ALTER TABLE t RENAME a TO a2"),
        ("ALTER TABLE t DROP COLUMN a; ALTER TABLE t ADD COLUMN a2 int;", "ALTER TABLE t RENAME a TO a2"),
        (
            "DROP TABLE t; CREATE TABLE t2 (id int PRIMARY KEY, a int);",
            "ALTER TABLE t RENAME TO t2; ALTER INDEX t_pkey RENAME TO t2_pkey",
        ),
    ],
)
def test_what_a_person_kept_under_the_new_name_is_not_new(production: Production, script: str, by_hand: str) -> None:
    """E17: the script leaves an empty column, or table, and here are the values from before."""
    production.failed(script)
    production.run(by_hand)
    assert production.judge().decision not in MARKS


def test_a_column_that_was_dropped_and_another_added_are_in_place(production: Production) -> None:
    """E20: the dropped one has left its place."""
    script = "ALTER TABLE t DROP COLUMN a, ADD COLUMN a2 int;"
    production.failed(script, logs=None)
    production.run(script)
    assert verdict(production.judge()) == APPLIED


@pytest.mark.parametrize(
    ("there", "script"),
    [
        ("CREATE TABLE x (id int); INSERT INTO x VALUES (1)", "DROP TABLE IF EXISTS x; CREATE TABLE x (id int);"),
        (
            "ALTER TABLE t ADD z int; UPDATE t SET z = 5",
            "ALTER TABLE t DROP COLUMN IF EXISTS z; ALTER TABLE t ADD z int;",
        ),
    ],
)
def test_what_would_have_been_dropped_first_may_be_there_still(production: Production, there: str, script: str) -> None:
    """E17: the replay had nothing to drop, and production has: what the script makes anew is empty."""
    production.run(there)
    production.failed(script, logs="Database error code: 55P03")
    assert verdict(production.judge()) == UNDECIDABLE


def test_a_policy_that_is_made_anew_has_no_rows(production: Production) -> None:
    """E4: whichever it is, it is as the script makes it."""
    script = "DROP POLICY IF EXISTS p ON t; CREATE POLICY p ON t USING (true);"
    production.failed(script, logs=None)
    production.run(script)
    assert verdict(production.judge()) == APPLIED


@pytest.mark.parametrize(
    "script",
    [
        "ALTER TABLE t ADD n bigint NOT NULL DEFAULT nextval('s'); ALTER TABLE later ADD CONSTRAINT x CHECK (id > 5);",
        "ALTER TABLE t ADD c int, ALTER a TYPE bigint USING nextval('s'); ALTER TABLE later ADD CHECK (id > 5)",
        "ALTER TABLE t ADD c int; SELECT setval('s', 100 + nextval('s')); ALTER TABLE later ADD CHECK (id > 5)",
    ],
)
def test_a_rollback_leaves_sequences_where_they_are(production: Production, script: str) -> None:
    """E25: that a column was never added tells that its transaction was not committed, and not that nothing ran."""
    dated(production)
    production.run("INSERT INTO later VALUES (1)")
    production.failed(script, logs=None)
    with pytest.raises(Exception, match="is violated by some row"):
        production.run(script)
    assert production.judge(assume=NOBODY).decision not in MARKS


@pytest.mark.parametrize(
    "script",
    [
        ["BEGIN", "ALTER TABLE t ADD c int", "ROLLBACK", "UPDATE t SET a = a + 1", "ALTER TABLE t ADD d int"],
        [
            CATCHING,
            "UPDATE t SET a = a + 1",
            "ALTER TABLE t ADD d int",
        ],
        [
            "DO LANGUAGE plpgsql $$ BEGIN IF NOT EXISTS (SELECT FROM t) THEN ALTER TABLE t ADD c int; END IF; END $$",
            "UPDATE t SET a = a + 1",
            "ALTER TABLE t ADD d int",
        ],
    ],
)
def test_what_the_script_itself_takes_back_leaves_no_trace(production: Production, script: list[str]) -> None:
    """E17: the column is not there, and what comes after it ran all the same."""
    dated(production)
    production.failed("; ".join(script), logs=None)
    production.apart(*script[:-1])
    assert production.judge(assume=NOBODY).decision not in MARKS


@pytest.mark.parametrize(
    ("history", "script", "ran"),
    [
        (
            "CREATE TYPE e AS ENUM ('x', 'y'); ALTER TABLE t ADD v e;",
            [
                "ALTER TYPE e RENAME TO e_old",
                "UPDATE t SET a = a + 1",
                "ALTER TYPE e_old RENAME TO e",
                "ALTER TABLE t ADD w int",
            ],
            3,
        ),
        ("", ["ALTER TABLE t ALTER a TYPE text", "ALTER TABLE t ALTER a TYPE int USING a::int + 1"], 2),
        (
            "",
            [
                "BEGIN",
                "ALTER TABLE t ALTER a TYPE bigint",
                "ROLLBACK",
                "UPDATE t SET a = a + 1",
                "ALTER TABLE t ADD d int",
            ],
            4,
        ),
    ],
)
def test_that_a_table_looks_untouched_does_not_tell_that_nothing_ran(
    production: Production, history: str, script: list[str], ran: int
) -> None:
    """E6: a type's name, a rollback, or a row of the ledger that was corrected later make it look so."""
    production.before(history)
    production.finished("20260103_later", "CREATE TABLE later (id int)")
    production.failed("; ".join(script), logs=None)
    production.apart(*script[:ran])
    production.run("UPDATE _prisma_migrations SET checksum = checksum WHERE migration_name = '20260103_later'")
    production.run("UPDATE _prisma_migrations SET rolled_back_at = now() WHERE finished_at IS NULL")
    assert production.judge(assume=NOBODY).decision not in MARKS


@pytest.mark.parametrize(
    ("first", "second", "by_hand"),
    [
        ("ALTER TABLE t ADD b int;", "ALTER TABLE t ALTER b SET DEFAULT 6;", "ALTER TABLE t ADD b int DEFAULT 6"),
        ("ALTER TABLE t DROP a;", "ALTER TABLE t ADD a2 int;", "ALTER TABLE t RENAME a TO a2"),
        ("CREATE SEQUENCE q START 100;", "ALTER SEQUENCE q START 1;", "CREATE SEQUENCE q; SELECT nextval('q')"),
    ],
)
def test_the_second_of_two_failed_ones_does_not_prove_the_first(
    production: Production, first: str, second: str, by_hand: str
) -> None:
    """E30: whoever made both by hand in one step may have made other rows."""
    production.failed(first, "20260110_first", logs=None)
    production.failed(second, "20260111_second", logs=None)
    production.run(by_hand)
    assert production.judge("20260110_first").decision not in MARKS


def test_a_row_of_the_ledger_that_was_written_again_dates_nothing(production: Production) -> None:
    """E20: another failed migration was marked rolled back after somebody had made the table anew."""
    production.failed("CREATE TABLE other (id int);", "20260109_other", logs=None)
    production.failed("ALTER TABLE t RENAME TO u; ALTER INDEX t_pkey RENAME TO u_pkey;", logs=None)
    production.run("CREATE TABLE u (id int PRIMARY KEY, a int); DROP TABLE t")
    for name in ("20260109_other", "20260110_failed"):
        production.run(f"UPDATE _prisma_migrations SET rolled_back_at = now() WHERE migration_name = '{name}'")
    assert production.judge().decision not in MARKS


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


def test_after_the_script_has_made_it_anew_a_name_means_its_own(production: Production) -> None:
    """E20: a column is cast by way of a new one of its name, as people write it; the values are in the old one."""
    production.failed(
        "CREATE TYPE kind AS ENUM ('x'); ALTER TABLE t RENAME a TO a_old; ALTER TABLE t ADD a kind;"
        " UPDATE t SET a = CAST(a_old::text AS kind);"
    )
    assert verdict(production.judge()) == NOT_APPLIED


def test_what_was_taken_back_by_hand_may_have_lost_its_values(production: Production) -> None:
    """E19: all of it ran; the columns were made again without what they held, so the rest can't just be run."""
    script = "CREATE INDEX i ON t (id); ALTER TABLE t RENAME a TO o; ALTER TABLE t DROP b;"
    production.before("ALTER TABLE t ADD b text, ADD c text;")
    production.failed(script, logs=None)
    production.run("CREATE INDEX i ON t (id)")
    assert verdict(production.judge()) == PARTIAL
    production.run("ALTER TABLE t DROP b; ALTER TABLE t ADD b text")
    evidence = production.judge()
    assert verdict(evidence) == UNDECIDABLE
    assert "do not stand in the order" in evidence.reasons[0]
