"""Migrations that finished after the failed one, and touch what it touches (RULES E10, E29)."""

import pytest

from tests.integration.rules.production import FAILED, NOT_APPLIED, UNDECIDABLE, Production, verdict
from tests.integration.rules.test_known_not_done import refused

#: What was there before, the script that ran and failed to be recorded, and the later migration that undid it.
UNDONE = [
    pytest.param(
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
        "CREATE TRIGGER tr BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION f()",
        "DROP TRIGGER IF EXISTS tr ON t",
        id="drop-trigger",
    ),
    pytest.param("", "CREATE POLICY p ON t USING (true)", "DROP POLICY IF EXISTS p ON t", id="drop-policy"),
    pytest.param(
        "CREATE SCHEMA app",
        "CREATE TABLE app.x (id int)",
        "DROP SCHEMA app CASCADE; CREATE SCHEMA app",
        id="drop-schema",
    ),
    pytest.param(
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
        "CREATE TRIGGER tr BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION f()",
        ("DROP FUNCTION f CASCADE; CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'"),
        id="func-cascade",
    ),
    pytest.param("", "COMMENT ON COLUMN t.a IS 'x'", "COMMENT ON COLUMN t.a IS NULL", id="comment"),
    pytest.param("", "COMMENT ON TABLE t IS 'x'", "COMMENT ON TABLE t IS NULL", id="comment-table"),
    pytest.param(
        "GRANT SELECT ON t TO PUBLIC",
        "REVOKE SELECT ON t FROM PUBLIC",
        "GRANT SELECT ON ALL TABLES IN SCHEMA public TO PUBLIC",
        id="grant-all",
    ),
    pytest.param(
        "CREATE TABLE pa (id int PRIMARY KEY)",
        "ALTER TABLE t ADD CONSTRAINT fk FOREIGN KEY (a) REFERENCES pa NOT VALID",
        "DROP TABLE pa CASCADE; CREATE TABLE pa (id int PRIMARY KEY)",
        id="drop-fk-cascade",
    ),
    pytest.param(
        "", "CREATE RULE ru AS ON DELETE TO t DO INSTEAD NOTHING", "DROP RULE IF EXISTS ru ON t", id="drop-rule"
    ),
    pytest.param("", "CREATE INDEX ia ON t (a)", "DROP INDEX IF EXISTS ia", id="index"),
    pytest.param(
        "",
        "ALTER TABLE t ALTER a SET DEFAULT nextval('s')",
        "DROP SEQUENCE s CASCADE; CREATE SEQUENCE s",
        id="default-seq",
    ),
    pytest.param("", "CREATE INDEX ia ON t (a)", "ALTER INDEX ia RENAME TO ib", id="alter-index-name"),
    # The name of what the script made is in none of these (E29).
    pytest.param("", "CREATE INDEX ia ON t (a)", "ALTER TABLE t DROP a; ALTER TABLE t ADD a int", id="column anew"),
    pytest.param(
        "", "CREATE INDEX ia ON t (a)", "DROP TABLE t; CREATE TABLE t (id int PRIMARY KEY, a int)", id="table anew"
    ),
    pytest.param(
        "",
        "CREATE STATISTICS st ON id, a FROM t",
        "ALTER TABLE t RENAME TO u; DROP TABLE u; CREATE TABLE t (id int PRIMARY KEY, a int)",
        id="table renamed first",
    ),
]

#: The assumption that no person ran a statement of a failed migration.
NOBODY = frozenset({"no_handwork"})


@pytest.mark.parametrize(("before", "script", "later"), UNDONE)
def test_what_a_later_migration_undid_is_not_run_again(
    production: Production, before: str, script: str, later: str
) -> None:
    """E10: production looks as before the script; a second run would bring back what the later one removed."""
    production.before(before)
    production.failed(script)
    production.run(script)
    production.finished("20260120_later", later)
    evidence = production.judge()
    assert verdict(evidence) == UNDECIDABLE
    assert any("20260120_later" in reason for reason in evidence.reasons)


@pytest.mark.parametrize("name", ["20260120_sorts_after", "20260105_sorts_before"])
def test_sorting_after_or_finishing_after_is_enough(production: Production, name: str) -> None:
    """E10: a late merge sorts before the failed one, and finished after it started."""
    production.failed("ALTER TABLE t ADD b int")
    production.finished(name, "ALTER TABLE t ADD c int")
    evidence = production.judge()
    assert verdict(evidence) == UNDECIDABLE
    assert any(name in reason for reason in evidence.reasons)


def test_one_that_sorts_after_overtakes_also_if_it_finished_before(production: Production) -> None:
    """E10: written by an order of names that was not the order of time."""
    production.finished("20260120_early", "ALTER TABLE t ADD c int")
    production.failed("ALTER TABLE t ADD b int")
    assert verdict(production.judge()) == UNDECIDABLE


def test_what_a_later_one_did_counts_if_only_without_the_failed_one(production: Production) -> None:
    """E29: had the script run, the later one would have had nothing to drop; it did not run."""
    production.before("CREATE TABLE u (a int); CREATE INDEX ia ON u (a)")
    production.failed("DROP INDEX ia; CREATE TABLE z (id int)")
    production.finished("20260120_later", "ALTER TABLE u DROP a; ALTER TABLE u ADD a int")
    production.run("CREATE TABLE z (id int)")
    assert verdict(production.judge()) == UNDECIDABLE


@pytest.mark.parametrize("script", ["CREATE INDEX ia ON t (a)", "UPDATE t SET a = 2"])
def test_rows_that_a_later_one_wrote_are_seen_in_no_replay(production: Production, script: str) -> None:
    """E29: the replay is of a schema; a table of the failed one whose rows were changed since is not as it was."""
    production.failed(script, logs=refused("division by zero", "22012"))
    assert verdict(production.judge(assume=NOBODY)) == NOT_APPLIED
    production.finished("20260120_later", "UPDATE t SET a = 3")
    assert verdict(production.judge(assume=NOBODY)) == UNDECIDABLE


def test_a_later_one_that_cannot_be_replayed_may_have_done_anything_to_what_it_names(production: Production) -> None:
    """E29: the path ends before the column is made anew, and its index with it."""
    production.failed("CREATE INDEX ia ON t (a)")
    production.run("CREATE INDEX ia ON t (a); ALTER TABLE t DROP a; ALTER TABLE t ADD a int")
    script = "CREATE TABLESPACE elsewhere LOCATION '/nowhere'; ALTER TABLE t DROP a; ALTER TABLE t ADD a int;"
    production.row("20260120_later", production.file("20260120_later", script), finished=True, steps=1)
    assert verdict(production.judge()) == UNDECIDABLE


def test_a_search_path_ends_with_its_migration(production: Production) -> None:
    """E29: the next one works on its own schema's table, as Prisma's session does."""
    production.before("CREATE SCHEMA app; CREATE TABLE app.u (a int); CREATE TABLE u (a int)")
    production.failed("CREATE INDEX ia ON u (a)")
    production.finished("20260120_later", "SET search_path = app; ALTER TABLE u ADD b int")
    assert verdict(production.judge()) == NOT_APPLIED
    production.finished("20260121_last", "ALTER TABLE u DROP a; ALTER TABLE u ADD a int")
    evidence = production.judge()
    assert verdict(evidence) == UNDECIDABLE
    assert not any("20260120_later" in reason for reason in evidence.reasons)


@pytest.mark.parametrize("later", ["CREATE TABLE other (id int)", "COMMENT ON SEQUENCE s IS 'x'", "SELECT 1"])
def test_what_touches_something_else_overtakes_nothing(production: Production, later: str) -> None:
    """E10: the failed one's own table is as it was."""
    production.failed("ALTER TABLE t ADD b int")
    production.finished("20260120_later", later)
    assert verdict(production.judge()) == NOT_APPLIED


def test_one_whose_text_does_not_tell_overtakes(production: Production) -> None:
    """E10: a DO block can touch anything."""
    production.failed("ALTER TABLE t ADD b int", FAILED)
    production.finished("20260120_later", "DO $$ BEGIN EXECUTE 'CREATE TABLE other (id int)'; END $$")
    assert verdict(production.judge()) == UNDECIDABLE


@pytest.mark.parametrize(
    "script", ["CREATE TABLE bak AS SELECT * FROM t", "CREATE TABLE u (a int); INSERT INTO u SELECT a FROM sv"]
)
def test_rows_that_it_would_read_are_others_after_a_later_one(production: Production, script: str) -> None:
    """E10, E17: run now, it would copy what the later one has made of them."""
    production.before("CREATE VIEW sv AS SELECT a FROM t")
    production.failed(script)
    production.finished("20260120_later", "UPDATE t SET a = 3; CREATE OR REPLACE VIEW sv AS SELECT a FROM t")
    assert verdict(production.judge()) == UNDECIDABLE
