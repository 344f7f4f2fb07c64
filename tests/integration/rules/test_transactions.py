"""A script is replayed inside the transaction it had, or in none (RULES E12), in the schemas it works on."""

import pytest

from tests.integration.rules.production import APPLIED, NOT_APPLIED, PARTIAL, UNDECIDABLE, Production, verdict

ENUM = "CREATE TYPE \"E\" AS ENUM ('A', 'B'); CREATE TABLE w (c \"E\" NOT NULL DEFAULT 'B')"
REWRITE = """BEGIN;
CREATE TYPE "E_new" AS ENUM ('A', 'B', 'C');
ALTER TABLE "w" ALTER COLUMN "c" DROP DEFAULT;
ALTER TABLE "w" ALTER COLUMN "c" TYPE "E_new" USING ("c"::text::"E_new");
ALTER TYPE "E" RENAME TO "E_old";
ALTER TYPE "E_new" RENAME TO "E";
DROP TYPE "E_old";
ALTER TABLE "w" ALTER COLUMN "c" SET DEFAULT 'A';
COMMIT;
"""


def test_prismas_enum_rewrite(production: Production) -> None:
    """E12: with its own BEGIN and COMMIT it is told at its beginning, at its end, and half-way."""
    production.before(ENUM)
    production.failed(REWRITE + "ALTER TABLE w ADD more int;")
    assert verdict(production.judge()) == NOT_APPLIED
    production.run(REWRITE)
    evidence = production.judge()
    assert verdict(evidence) == PARTIAL
    assert evidence.progress.steps_in_place == (8, 9)
    production.run("ALTER TABLE w ADD more int")
    assert verdict(production.judge()) == APPLIED


def test_a_transaction_of_its_own_that_is_rolled_back_changes_nothing(production: Production) -> None:
    """E12: what comes after it is what counts."""
    production.failed("BEGIN; ALTER TABLE t ADD b int; ROLLBACK; ALTER TABLE t ADD c int;")
    production.run("ALTER TABLE t ADD c int")
    assert verdict(production.judge()) == APPLIED


@pytest.mark.parametrize(
    ("before", "statement"),
    [
        (
            "CREATE PROCEDURE p() LANGUAGE plpgsql AS $$ BEGIN ALTER TABLE t ADD b int; COMMIT; DELETE FROM t; END $$",
            "CALL p()",
        ),
        ("", "DO $$ BEGIN ALTER TABLE t ADD b int; COMMIT; ALTER TABLE t ALTER b SET STATISTICS 50; END $$"),
    ],
    ids=["call", "do with commit"],
)
@pytest.mark.parametrize("there", [False, True], ids=["absent", "in place"])
def test_what_commits_on_its_way_is_never_one_step(
    production: Production, before: str, statement: str, *, there: bool
) -> None:
    """E12: CALL, and DO with COMMIT, may have stopped in the middle; what is seen of them is not all."""
    production.before(before)
    production.failed(f"{statement};")
    if there:
        production.run("ALTER TABLE t ADD b int")
        production.run("ALTER TABLE t ALTER b SET STATISTICS 50" if not before else "SELECT 1")
    assert production.judge().decision.value == "operator"


def test_an_index_made_concurrently(production: Production) -> None:
    """E12: it can't run in a transaction, so it ran in none; one that failed left an invalid index."""
    production.failed("CREATE INDEX CONCURRENTLY i ON t (a);")
    assert verdict(production.judge()) == NOT_APPLIED
    production.run("CREATE INDEX i ON t (a)")
    assert verdict(production.judge()) == APPLIED
    production.run("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'i'::regclass")
    assert production.judge().decision.value == "operator"


def test_a_script_that_can_run_only_statement_by_statement_did(production: Production) -> None:
    """E12: a new enum value can't be used in the transaction that adds it."""
    production.before(ENUM)
    production.failed("ALTER TYPE \"E\" ADD VALUE 'D'; ALTER TABLE w ALTER c SET DEFAULT 'D';")
    assert verdict(production.judge()) == NOT_APPLIED
    production.run("ALTER TYPE \"E\" ADD VALUE 'D'")
    evidence = production.judge()
    assert verdict(evidence) == PARTIAL
    assert evidence.progress.steps_in_place == (1, 1)
    production.run("ALTER TABLE w ALTER c SET DEFAULT 'D'")
    assert verdict(production.judge()) == APPLIED


def test_a_script_that_can_run_only_in_one_transaction_did(production: Production) -> None:
    """E12: LOCK outside one is an error."""
    production.failed("LOCK TABLE t IN ACCESS EXCLUSIVE MODE; ALTER TABLE t ADD b int;")
    assert verdict(production.judge()) == NOT_APPLIED
    production.run("ALTER TABLE t ADD b int")
    assert verdict(production.judge()) == APPLIED


def test_a_script_that_can_not_run_at_all_is_in_place_by_nobody(production: Production) -> None:
    """E12: what can't be replayed ends the path; the steps before it decide absence of nothing more."""
    production.failed("ALTER TABLE t ADD b int; ALTER TABLE nowhere ADD c int;")
    production.run("ALTER TABLE t ADD b int")
    assert production.judge().decision.value == "operator"


@pytest.mark.parametrize("path", ["SET search_path = app", "SELECT set_config('search_path', 'app', false)"])
def test_names_follow_the_scripts_own_search_path(production: Production, path: str) -> None:
    """E12: unqualified names are those of the schema that the script chose."""
    production.before("CREATE SCHEMA app")
    production.failed(f"{path}; CREATE TABLE x (id int);")
    production.run("CREATE TABLE public.x (id int)")
    assert production.judge().decision.value != "mark_applied"
    production.run("DROP TABLE public.x; CREATE TABLE app.x (id int)")
    assert verdict(production.judge()) == APPLIED


def test_one_migration_in_several_schemas(production: Production) -> None:
    """E12: the same name in two of them is two tables."""
    production.before("CREATE SCHEMA one; CREATE SCHEMA two")
    production.failed("CREATE TABLE one.x (id int); CREATE TABLE two.x (id int); ALTER TABLE t ADD b int;")
    production.run("CREATE TABLE two.x (id int)")
    assert production.judge().decision.value == "operator"
    production.run("DROP TABLE two.x; CREATE TABLE one.x (id int)")
    assert production.judge().progress.steps_in_place == (1, 1)
    production.run("CREATE TABLE two.x (id int); ALTER TABLE t ADD b int")
    assert verdict(production.judge()) == APPLIED


def test_a_table_made_from_rows_is_open_and_one_made_from_none_is_not(production: Production) -> None:
    """E12: CREATE TABLE AS is seen, and its rows are not."""
    production.failed("CREATE TABLE z AS SELECT * FROM t;")
    production.run("CREATE TABLE z (id int, a int)")
    assert verdict(production.judge()) == UNDECIDABLE
