"""Where production stands in the script, and what hides behind conditions (RULES E6, E9, E11)."""

import pytest

from states.evidence import Decision
from tests.integration.rules.production import (
    APPLIED,
    DRIFTED,
    NOT_APPLIED,
    PARTIAL,
    STIRRED,
    UNDECIDABLE,
    Production,
    verdict,
)

#: A conditional script that has nothing to do in the scratch database, and what production has instead.
#: First what was there before.
CONDITIONAL = [
    pytest.param("", "DROP TABLE IF EXISTS x", "CREATE TABLE x (id int)", id="drop table"),
    pytest.param("", "DROP INDEX IF EXISTS x", "CREATE INDEX x ON t (a)", id="drop index"),
    pytest.param("", "DROP SEQUENCE IF EXISTS x", "CREATE SEQUENCE x", id="drop sequence"),
    pytest.param("", "DROP VIEW IF EXISTS x", "CREATE VIEW x AS SELECT 1 AS one", id="drop view"),
    pytest.param("", "DROP TYPE IF EXISTS x", "CREATE TYPE x AS ENUM ('a')", id="drop type"),
    pytest.param("", "DROP DOMAIN IF EXISTS x", "CREATE DOMAIN x AS int", id="drop domain"),
    pytest.param(
        "", "DROP FUNCTION IF EXISTS x()", "CREATE FUNCTION x() RETURNS int LANGUAGE sql AS 'SELECT 1'", id="function"
    ),
    pytest.param(
        "", "DROP MATERIALIZED VIEW IF EXISTS x", "CREATE MATERIALIZED VIEW x AS SELECT 1 AS one", id="drop matview"
    ),
    pytest.param("", "DROP STATISTICS IF EXISTS x", "CREATE STATISTICS x ON id, a FROM t", id="drop statistics"),
    pytest.param("", "ALTER TABLE t DROP COLUMN IF EXISTS x", "ALTER TABLE t ADD x int", id="drop column"),
    pytest.param(
        "",
        "ALTER TABLE t DROP CONSTRAINT IF EXISTS x",
        "ALTER TABLE t ADD CONSTRAINT x CHECK (a > 0)",
        id="drop constraint",
    ),
    pytest.param("", "ALTER TABLE IF EXISTS x RENAME TO y", "CREATE TABLE x (id int)", id="rename if exists"),
    pytest.param("", "ALTER TABLE t ADD COLUMN IF NOT EXISTS a int", "ALTER TABLE t DROP a", id="add column"),
    pytest.param(
        "CREATE TABLE x (id int)", "CREATE TABLE IF NOT EXISTS x (id int)", "DROP TABLE x", id="create table, gone"
    ),
    pytest.param(
        "CREATE TABLE x (id int)",
        "CREATE TABLE IF NOT EXISTS x (id int)",
        "ALTER TABLE x ALTER id TYPE text",
        id="other",
    ),
    pytest.param("CREATE INDEX x ON t (a)", "CREATE INDEX IF NOT EXISTS x ON t (a)", "DROP INDEX x", id="create index"),
    pytest.param("CREATE SEQUENCE x", "CREATE SEQUENCE IF NOT EXISTS x", "DROP SEQUENCE x", id="create sequence"),
    pytest.param("CREATE SCHEMA x", "CREATE SCHEMA IF NOT EXISTS x", "DROP SCHEMA x", id="create schema"),
    pytest.param(
        "CREATE EXTENSION citext", "CREATE EXTENSION IF NOT EXISTS citext", "DROP EXTENSION citext", id="extension"
    ),
    pytest.param(
        "CREATE TYPE x AS ENUM ('a', 'b')",
        "ALTER TYPE x ADD VALUE IF NOT EXISTS 'b'",
        "DROP TYPE x; CREATE TYPE x AS ENUM ('a')",
        id="enum value",
    ),
]


FUNCTION = "CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'"
REPLACED = [
    pytest.param(
        "DROP TRIGGER IF EXISTS x ON t",
        "CREATE TRIGGER x BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION touch()",
        "CREATE TRIGGER x AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION touch()",
        id="trigger",
    ),
    pytest.param(
        'DROP POLICY IF EXISTS "own rows" ON t',
        'CREATE POLICY "own rows" ON t FOR SELECT USING (a > 0)',
        'CREATE POLICY "own rows" ON t FOR SELECT USING (true)',
        id="policy",
    ),
    pytest.param(
        "DROP RULE IF EXISTS x ON t",
        "CREATE RULE x AS ON DELETE TO t DO INSTEAD NOTHING",
        "CREATE RULE x AS ON UPDATE TO t DO INSTEAD NOTHING",
        id="rule",
    ),
]


@pytest.mark.parametrize(("dropped", "made", "otherwise"), REPLACED)
def test_what_is_dropped_of_a_table_is_compared_with_it(
    production: Production, dropped: str, made: str, otherwise: str
) -> None:
    """E9: a trigger, policy or rule that a script drops first, if it is there, is seen in its table."""
    production.before(FUNCTION)
    production.failed(f"{dropped}; {made};")
    assert verdict(production.judge()) == NOT_APPLIED
    production.run(made)
    assert verdict(production.judge()) == APPLIED
    production.run(f"{dropped}; {otherwise}")
    assert verdict(production.judge()) == DRIFTED


@pytest.mark.parametrize(("dropped", "otherwise"), [(p.values[0], p.values[2]) for p in REPLACED])
def test_what_only_production_has_of_a_table_is_no_nothing(
    production: Production, dropped: str, otherwise: str
) -> None:
    """E9: the drop was skipped in the scratch database; where production has such a one, it had work to do."""
    production.before(FUNCTION)
    production.failed(f"CREATE TABLE z (id int); {dropped};")
    assert verdict(production.judge()) == NOT_APPLIED
    production.run("CREATE TABLE z (id int)")
    assert verdict(production.judge()) == APPLIED
    production.run(otherwise)
    assert production.judge().decision is Decision.OPERATOR


#: What only production has of table b, and a script that would drop it there, and gives b another's name.
MOVED = [
    pytest.param("CREATE POLICY x ON b USING (true)", "DROP POLICY IF EXISTS x ON b", id="policy"),
    pytest.param(REPLACED[0].values[1].replace("ON t FOR", "ON b FOR"), "DROP TRIGGER IF EXISTS x ON b", id="trigger"),
    pytest.param(
        "ALTER TABLE b ADD CONSTRAINT x CHECK (id > 0)", "ALTER TABLE b DROP CONSTRAINT IF EXISTS x", id="constraint"
    ),
]


@pytest.mark.parametrize(("made", "dropped"), MOVED)
def test_what_was_dropped_under_another_name_is_not_looked_up(production: Production, made: str, dropped: str) -> None:
    """E9: by the table's name it is not found where the table has another one now."""
    production.before(f"{FUNCTION}; CREATE TABLE b (id int)")
    production.run(made)
    moved = "DROP TABLE t; ALTER TABLE b RENAME TO t"
    production.failed(f"{dropped}; {moved}", logs=None)
    production.run(moved)
    assert production.judge().decision is Decision.OPERATOR


def test_a_table_that_is_not_looked_at_shows_nothing(production: Production) -> None:
    """E9: an extension's own table is in no snapshot, and neither is what somebody made on it."""
    production.before(FUNCTION)
    production.run(
        "CREATE SCHEMA cron; CREATE TABLE cron.job (id int);"
        " CREATE TRIGGER x BEFORE INSERT ON cron.job FOR EACH ROW EXECUTE FUNCTION public.touch();"
        " ALTER EXTENSION plpgsql ADD TABLE cron.job"
    )
    production.failed("DROP TRIGGER IF EXISTS x ON cron.job; CREATE TABLE u (id int)", logs=None)
    production.run("CREATE TABLE u (id int)")
    assert production.judge().decision is Decision.OPERATOR
    production.run("ALTER EXTENSION plpgsql DROP TABLE cron.job; DROP SCHEMA cron CASCADE")


@pytest.mark.parametrize(("before", "conditional", "otherwise"), CONDITIONAL)
def test_a_condition_that_had_nothing_to_do_hides_no_difference(
    production: Production, before: str, conditional: str, otherwise: str
) -> None:
    """E9: skipped in the scratch database, it has work to do in production, which the table beside it doesn't show."""
    production.before(before)
    production.failed(f"CREATE TABLE beside (id int); {conditional};")
    production.run("CREATE TABLE beside (id int)")
    assert verdict(production.judge()) == APPLIED
    production.run(otherwise)
    assert verdict(production.judge()) != APPLIED


def test_inert_means_that_nothing_is_open(production: Production) -> None:
    """E6: every step is equal, and an UPDATE among them may have run."""
    production.failed("CREATE TABLE IF NOT EXISTS t (id int); UPDATE t SET a = 2;")
    assert verdict(production.judge()) == UNDECIDABLE


@pytest.mark.parametrize(
    "script",
    [
        "ALTER TABLE t RENAME a TO b; ALTER TABLE t RENAME b TO a;",
        "DROP TABLE t; CREATE TABLE t (id int PRIMARY KEY, a int);",
        "DROP SEQUENCE s; CREATE SEQUENCE s;",
        "ALTER TABLE t ADD b int; ALTER TABLE t DROP b;",
    ],
)
def test_a_script_that_ends_where_it_began_is_undecidable_there(production: Production, script: str) -> None:
    """E6: something lies between two equal steps, and production stands at one of them."""
    production.failed(script)
    production.run(STIRRED)
    assert verdict(production.judge()) == UNDECIDABLE


def test_between_two_equal_steps_it_is_partial(production: Production) -> None:
    """E6: there it can be told."""
    production.failed("ALTER TABLE t DROP a; ALTER TABLE t ADD a int;")
    production.run("ALTER TABLE t DROP a")
    evidence = production.judge()
    assert verdict(evidence) == PARTIAL
    assert evidence.progress.steps_in_place == (1, 1)


def test_steps_that_look_alike_are_a_range_that_names_its_open_statements(production: Production) -> None:
    """E11: after the first statement, or after the UPDATE that follows it; the schema can't tell which."""
    production.failed("ALTER TABLE t ADD b int; UPDATE t SET b = 1; SET lock_timeout = 0; ALTER TABLE t ADD c int;")
    production.run("ALTER TABLE t ADD b int")
    evidence = production.judge()
    assert verdict(evidence) == PARTIAL
    assert evidence.progress.steps_in_place == (1, 3)
    assert [s.state for s in evidence.statements] == ["in_place", "open", "inert", "absent"]
    assert any("Statement 2 is open" in reason for reason in evidence.reasons)
    assert any("1 to 3 of 4" in reason for reason in evidence.reasons)


def test_nothing_in_place_is_a_range_too(production: Production) -> None:
    """E11: what is inert may have run before the first change."""
    production.failed("SET lock_timeout = 0; SELECT 1; ALTER TABLE t ADD b int;")
    evidence = production.judge()
    assert verdict(evidence) == NOT_APPLIED
    assert evidence.progress.steps_in_place == (0, 2)
