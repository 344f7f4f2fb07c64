"""What leaves the schema that the script leaves, and other rows: each was decided wrongly once (RULES E17 to E20)."""

import pytest

from recovery.evidence.pending import PendingInvestigator
from states.evidence import Decision, Evidence, Verdict
from tests.integration.rules.production import APPLIED, FAILED, Production, verdict

ROWS = "INSERT INTO t VALUES (2, 10), (3, 20)"


def pending(production: Production, script: str, by_hand: str) -> Evidence:
    """The evidence on a migration that was never attempted, after somebody did this by hand."""
    production.file(FAILED, script)
    production.run(by_hand)
    target = production.target()
    try:
        judging = PendingInvestigator(target, production.scripts(), production.workshop, lambda _: None)
        (found,) = judging.compare([FAILED], target.rows()).found
        return found.evidence
    finally:
        target.close()


@pytest.mark.parametrize(
    "cast",
    ["v::varchar(3)", "v::int::text", "v::boolean::varchar(5)", "left(v, 3)"],
    ids=["shorter", "int", "bool", "f"],
)
def test_a_cast_through_another_type_is_computed(production: Production, cast: str) -> None:
    """The column has the type that it had, its values are others, and its place says nothing of them."""
    production.before("CREATE TABLE g (id int PRIMARY KEY, v varchar(5))")
    script = f"ALTER TABLE g ALTER v TYPE varchar(5) USING {cast};"
    production.failed(script + "CREATE INDEX i ON g (v);", logs=None)
    production.run("INSERT INTO g VALUES (1, 'abcde'); CREATE INDEX i ON g (v)")
    assert production.judge().decision is Decision.OPERATOR


def test_a_cast_through_text_keeps_the_values(production: Production) -> None:
    """As Prisma rewrites an enum."""
    production.before("CREATE TYPE e AS ENUM ('a', 'b'); CREATE TABLE g (id int PRIMARY KEY, v e)")
    script = "CREATE TYPE f AS ENUM ('a', 'b', 'c'); ALTER TABLE g ALTER v TYPE f USING (v::text::f)"
    production.failed(script, logs=None)
    production.run("INSERT INTO g VALUES (1, 'a')")
    production.run(script)
    assert verdict(production.judge()) == APPLIED


@pytest.mark.parametrize(
    ("script", "by_hand"),
    [
        (
            "CREATE TABLE IF NOT EXISTS r (id serial PRIMARY KEY, n text); INSERT INTO r (n) VALUES ('admin');",
            "CREATE TABLE r (id serial PRIMARY KEY, n text); INSERT INTO r (n) VALUES ('admin')",
        ),
        (
            (
                "CREATE TABLE IF NOT EXISTS r (id serial PRIMARY KEY, n text); INSERT INTO r (n) VALUES ('admin');"
                "CREATE INDEX i ON r (n);"
            ),
            "CREATE TABLE r (id serial PRIMARY KEY, n text); INSERT INTO r (n) VALUES ('admin')",
        ),
        (
            "ALTER TABLE t ADD COLUMN IF NOT EXISTS c int DEFAULT 5;",
            "ALTER TABLE t ADD COLUMN c int; ALTER TABLE t ALTER c SET DEFAULT 5",
        ),
        (
            "ALTER TABLE t ADD COLUMN IF NOT EXISTS c int; UPDATE t SET c = 0;",
            "ALTER TABLE t ADD COLUMN c int; UPDATE t SET c = id * 100",
        ),
    ],
    ids=["seed", "seed and an index", "default", "update"],
)
def test_a_deploy_does_no_work_on_rows_a_second_time(production: Production, script: str, by_hand: str) -> None:
    """Of a pending migration with something of it in production, work on rows that nothing shows is a person's."""
    production.run(ROWS)
    assert pending(production, script, by_hand).decision is Decision.OPERATOR


@pytest.mark.parametrize(
    ("default", "other"),
    [("CURRENT_TIMESTAMP", "'2000-01-01'"), ("(now() AT TIME ZONE 'utc')", "'2000-01-01'")],
)
def test_a_time_that_was_kept_is_one_at_which_the_script_can_have_run(
    production: Production, default: str, other: str
) -> None:
    """E20: not one from before the first migration."""
    production.run(ROWS)
    script = f"ALTER TABLE t ADD c timestamp(3) NOT NULL DEFAULT {default}"
    production.failed(script, logs=None)
    added = f"ALTER TABLE t ADD c timestamp(3) NOT NULL DEFAULT {other}"
    production.run(f"{added}; ALTER TABLE t ALTER c SET DEFAULT {default}")
    evidence = production.judge()
    assert evidence.verdict is Verdict.UNDECIDABLE
    assert any("the script gives the time at which it runs" in reason for reason in evidence.reasons)
    production.run(f"ALTER TABLE t DROP c; {script}")
    assert verdict(production.judge()) == APPLIED


@pytest.mark.parametrize(
    ("kind", "default", "other", "told"),
    [
        ("int", "2 + 3", "99", True),
        ("text", "lower('ABC')", "'zzz'", True),
        ("text", "'a(b'", "'zzz'", True),
        ("text", "CURRENT_USER", "'zzz'", False),
        ("timestamptz", "now() + interval '1 day'", "'2100-01-01'", False),
    ],
)
def test_a_default_that_is_the_same_every_time_is_compared(
    production: Production, kind: str, default: str, other: str, *, told: bool
) -> None:
    """E20: by its value; one that is another every time, and no time of the run, proves nothing."""
    production.run(ROWS)
    script = f"ALTER TABLE t ADD c {kind} NOT NULL DEFAULT {default}"
    production.failed(script, logs=None)
    production.run(f"ALTER TABLE t ADD c {kind} NOT NULL DEFAULT {other}; ALTER TABLE t ALTER c SET DEFAULT {default}")
    assert production.judge().decision is Decision.OPERATOR
    production.run(f"ALTER TABLE t DROP c; {script}")
    assert (verdict(production.judge()) == APPLIED) == told


@pytest.mark.parametrize(
    ("by_hand", "decision"),
    [
        ("ALTER TABLE g ALTER c DROP EXPRESSION", Decision.MARK_APPLIED),
        ("ALTER TABLE g DROP c; ALTER TABLE g ADD c int", Decision.OPERATOR),
    ],
)
def test_a_column_that_is_computed_no_longer_stands_in_its_place(
    production: Production, by_hand: str, decision: Decision
) -> None:
    """E20: it holds what it held; one that was made again holds nothing, and leaves a dropped one behind."""
    production.before("CREATE TABLE g (id int PRIMARY KEY, a int, c int GENERATED ALWAYS AS (a * 2) STORED)")
    production.run("INSERT INTO g (id, a) VALUES (1, 2)")
    production.failed("ALTER TABLE g ALTER c DROP EXPRESSION", logs=None)
    production.run(by_hand)
    assert production.judge().decision is decision


def test_an_attribute_of_typed_tables_holds_values(production: Production) -> None:
    """E19: dropped and added by hand, it is a column without values."""
    production.before("CREATE TYPE c AS (a int, b int); CREATE TABLE ty OF c")
    production.run("INSERT INTO ty VALUES (7, 8)")
    production.failed("ALTER TYPE c RENAME ATTRIBUTE b TO z CASCADE", logs=None)
    production.run("ALTER TYPE c DROP ATTRIBUTE b CASCADE; ALTER TYPE c ADD ATTRIBUTE z int CASCADE")
    assert production.judge().decision is Decision.OPERATOR


def test_a_place_in_a_table_that_was_made_again_proves_nothing(production: Production) -> None:
    """E20: the table is younger than the migrations before the attempt."""
    production.run(ROWS)
    production.failed("ALTER TABLE t RENAME a TO z", logs=None)
    production.run(
        "CREATE TABLE n (id int PRIMARY KEY, z int); INSERT INTO n SELECT id FROM t; DROP TABLE t;"
        "ALTER TABLE n RENAME TO t; ALTER INDEX n_pkey RENAME TO t_pkey"
    )
    assert production.judge().decision is Decision.OPERATOR


@pytest.mark.parametrize(
    "condition", ["EXISTS (SELECT FROM pg_tables WHERE tablename = 'audit')", "current_catalog LIKE 'rules%'"]
)
def test_a_block_may_take_another_branch_in_production(production: Production, condition: str) -> None:
    """E18: what only production has, or what only a replay is called, decides which branch runs."""
    production.run("CREATE TABLE audit (x int)")
    script = f"DO $$ BEGIN IF {condition} THEN CREATE INDEX ON t (a); ELSE CREATE INDEX ON t (id, a); END IF; END $$"
    production.failed(script, logs=None)
    production.run(script)
    assert production.judge().decision is Decision.OPERATOR


@pytest.mark.parametrize("query", ["SELECT 5::d", "SELECT 1 @@@ 2", "SELECT (SELECT 5::d)"])
def test_a_constant_select_runs_nothing_of_anybodys(production: Production, query: str) -> None:
    """E18: a check of a domain, and an operator, may write rows."""
    production.before(
        "CREATE TABLE lg (x int);"
        "CREATE FUNCTION w(n int) RETURNS bool LANGUAGE plpgsql AS 'BEGIN INSERT INTO lg VALUES (n); RETURN true; END';"
        "CREATE DOMAIN d AS int CHECK (w(value));"
        "CREATE FUNCTION o(a int, b int) RETURNS bool LANGUAGE sql AS 'SELECT w(a + b)';"
        "CREATE OPERATOR @@@ (LEFTARG = int, RIGHTARG = int, FUNCTION = o)"
    )
    production.failed(query, logs=None)
    assert production.judge().decision is Decision.OPERATOR


def test_the_first_row_of_a_ledger_dates_a_table_too(production: Production) -> None:
    """E20: it was written alone, and the attempt's row after it and by Prisma only."""
    production.failed("ALTER TABLE t RENAME TO u; ALTER INDEX t_pkey RENAME TO u_pkey", logs=None)
    production.run("ALTER TABLE t RENAME TO u; ALTER INDEX t_pkey RENAME TO u_pkey")
    assert verdict(production.judge()) == APPLIED


def test_the_first_row_dates_nothing_where_an_attempts_row_was_written_again(production: Production) -> None:
    """E20: all came with a restore, and then the attempt was marked rolled back: its row is younger than the tables."""
    script = "ALTER TABLE t RENAME TO u; ALTER INDEX t_pkey RENAME TO u_pkey"
    production.failed(script, logs=None)
    production.run(f"DROP TABLE t; CREATE TABLE t (id int PRIMARY KEY, a int); {script}")
    production.run("CREATE TABLE l AS TABLE _prisma_migrations; TRUNCATE _prisma_migrations")
    production.run("INSERT INTO _prisma_migrations SELECT * FROM l; DROP TABLE l")
    production.run("UPDATE _prisma_migrations SET rolled_back_at = now() WHERE finished_at IS NULL")
    production.failed(script, logs=None)
    assert production.judge().decision is Decision.OPERATOR
