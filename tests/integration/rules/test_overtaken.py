"""Migrations that finished after the failed one, and touch what it touches (RULES E10)."""

import pytest

from tests.integration.rules.production import FAILED, NOT_APPLIED, UNDECIDABLE, Production, verdict

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
]


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


@pytest.mark.parametrize("later", ["CREATE TABLE other (id int)", "COMMENT ON SEQUENCE s IS 'x'", "SELECT 1"])
def test_what_touches_something_else_overtakes_nothing(production: Production, later: str) -> None:
    """E10: the failed one's own table is as it was."""
    production.failed("ALTER TABLE t ADD b int")
    production.finished("20260120_later", later)
    assert verdict(production.judge()) == NOT_APPLIED


def test_one_whose_text_does_not_tell_overtakes(production: Production) -> None:
    """E10: a DO block can touch anything."""
    production.failed("ALTER TABLE t ADD b int", FAILED)
    production.finished("20260120_later", "DO $$ BEGIN CREATE TABLE other (id int); END $$")
    assert verdict(production.judge()) == UNDECIDABLE
