"""What people do by hand to types, functions, names and the rest, and no decision that is false."""

import pytest

from tests.integration.rules.production import Production

APPLIED_IS_FALSE = "mark_applied"
EITHER_IS_FALSE = "mark_applied mark_rolled_back"

#: What was there before, the failed script, what a person did by hand, and the decisions that would be false.
CASES = [
    pytest.param(
        "CREATE TYPE e AS ENUM ('a','c')",
        "ALTER TYPE e ADD VALUE 'b' BEFORE 'c'",
        "ALTER TYPE e ADD VALUE 'b'",
        EITHER_IS_FALSE,
        id="enum-add-mid",
    ),
    pytest.param(
        "CREATE TYPE e AS ENUM ('a')",
        "ALTER TYPE e RENAME VALUE 'a' TO 'b'",
        "ALTER TYPE e ADD VALUE 'b'",
        EITHER_IS_FALSE,
        id="enum-rename-vs-add",
    ),
    pytest.param(
        "CREATE TYPE e AS ENUM ('a','b')",
        (
            "ALTER TYPE e RENAME VALUE 'a' TO 'x'; ALTER TYPE e RENAME VALUE 'b' TO 'a'; ALTER TYPE e "
            "RENAME VALUE 'x' TO 'b'"
        ),
        "ALTER TYPE e RENAME VALUE 'a' TO 'x'; ALTER TYPE e RENAME VALUE 'b' TO 'a'",
        EITHER_IS_FALSE,
        id="enum-swap",
    ),
    pytest.param(
        "CREATE TYPE e AS ENUM ('a'); CREATE TABLE w (c e)",
        "ALTER TYPE e RENAME TO e2",
        "CREATE TYPE e2 AS ENUM ('a')",
        EITHER_IS_FALSE,
        id="enum-rename-type",
    ),
    pytest.param(
        "CREATE TYPE \"E\" AS ENUM ('A','B'); CREATE TABLE w (c \"E\" DEFAULT 'A')",
        (
            'BEGIN; CREATE TYPE "E_new" AS ENUM (\'A\'); ALTER TABLE "w" ALTER COLUMN "c" DROP DEFAULT; ALTER '
            'TABLE "w" ALTER COLUMN "c" TYPE "E_new" USING ("c"::text::"E_new"); ALTER TYPE "E" RENAME TO '
            '"E_old"; ALTER TYPE "E_new" RENAME TO "E"; DROP TYPE "E_old"; ALTER TABLE "w" ALTER COLUMN "c" '
            "SET DEFAULT 'A'; COMMIT;"
        ),
        "ALTER TABLE w ALTER c DROP DEFAULT",
        EITHER_IS_FALSE,
        id="enum-rewrite-default-lost",
    ),
    pytest.param(
        "CREATE SCHEMA o; CREATE TYPE e AS ENUM ('a'); CREATE TYPE o.e AS ENUM ('a')",
        "ALTER TABLE t ADD c e",
        "ALTER TABLE t ADD c o.e",
        EITHER_IS_FALSE,
        id="enum-other-schema",
    ),
    pytest.param(
        "CREATE SCHEMA o",
        "CREATE TABLE o.x (id int)",
        "CREATE TABLE x (id int)",
        APPLIED_IS_FALSE,
        id="same-name-other-schema",
    ),
    pytest.param("", 'CREATE TABLE "public.x" (id int)', "CREATE TABLE x (id int)", APPLIED_IS_FALSE, id="dot-name"),
    pytest.param(
        "",
        'CREATE TABLE "q""x" ("c""d" int, "e f" text)',
        'CREATE TABLE "q""x" ("c""d" int, "e  f" text)',
        EITHER_IS_FALSE,
        id="quote-name-less",
    ),
    pytest.param("", 'CREATE TABLE "User" (id int)', 'CREATE TABLE "user" (id int)', APPLIED_IS_FALSE, id="case-name"),
    pytest.param(
        "", 'ALTER TABLE t ADD "createdAt" int', "ALTER TABLE t ADD createdat int", APPLIED_IS_FALSE, id="case-col"
    ),
    pytest.param(
        "", 'CREATE TABLE "Größe" ("naïve" int)', 'CREATE TABLE "Größe" ("naïve" int)', EITHER_IS_FALSE, id="unicode"
    ),
    pytest.param(
        "",
        'ALTER TABLE t ADD COLUMN "x type" int, ADD COLUMN x text',
        "ALTER TABLE t ADD COLUMN x text",
        EITHER_IS_FALSE,
        id="col-space-prop",
    ),
    pytest.param(
        "",
        (
            "CREATE TABLE IF NOT EXISTS "
            "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx (id int); CREATE TABLE "
            "z (id int)"
        ),
        (
            "CREATE TABLE xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx (id int, more int "
            "NOT NULL); CREATE TABLE z (id int)"
        ),
        APPLIED_IS_FALSE,
        id="long-name",
    ),
    pytest.param(
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE TABLE z (id int)",
        "CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 9'; CREATE TABLE z (id int)",
        APPLIED_IS_FALSE,
        id="or-replace-same",
    ),
    pytest.param(
        "CREATE VIEW v AS SELECT a FROM t",
        "CREATE OR REPLACE VIEW v AS SELECT a FROM t; CREATE TABLE z (id int)",
        "CREATE OR REPLACE VIEW v AS SELECT id AS a FROM t; CREATE TABLE z (id int)",
        APPLIED_IS_FALSE,
        id="or-replace-view-same",
    ),
    pytest.param(
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 2'",
        "CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 3'",
        EITHER_IS_FALSE,
        id="or-replace-other",
    ),
    pytest.param(
        "",
        "CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE FUNCTION f(a bigint) RETURNS int LANGUAGE sql AS 'SELECT 1'",
        APPLIED_IS_FALSE,
        id="fn-ran-other-args",
    ),
    pytest.param(
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
        "CREATE TRIGGER tr BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION f()",
        ("CREATE TRIGGER tr BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION f(); ALTER TABLE t DISABLE TRIGGER tr"),
        EITHER_IS_FALSE,
        id="trigger-disabled",
    ),
    pytest.param(
        (
            "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; CREATE "
            "FUNCTION g() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'"
        ),
        "CREATE TRIGGER tr BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION f()",
        "CREATE TRIGGER tr BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION g()",
        EITHER_IS_FALSE,
        id="trigger-fn-other",
    ),
    pytest.param(
        "",
        "CREATE POLICY p ON t USING (a > 1)",
        "CREATE POLICY p ON t USING (true)",
        EITHER_IS_FALSE,
        id="policy-other",
    ),
    pytest.param(
        "",
        "ALTER TABLE t ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE t ENABLE ROW LEVEL SECURITY; ALTER TABLE t FORCE ROW LEVEL SECURITY",
        EITHER_IS_FALSE,
        id="rls-forced",
    ),
    pytest.param(
        "CREATE SCHEMA o",
        "ALTER TABLE t SET SCHEMA o",
        "CREATE TABLE o.t (LIKE t INCLUDING ALL)",
        EITHER_IS_FALSE,
        id="set-schema",
    ),
    pytest.param(
        "CREATE TABLE u (a int)",
        "CREATE INDEX IF NOT EXISTS ix ON t (a)",
        "CREATE INDEX ix ON u (a)",
        EITHER_IS_FALSE,
        id="ine-different-index",
    ),
    pytest.param(
        "",
        "CREATE TABLE IF NOT EXISTS w (id int, b text NOT NULL)",
        "CREATE TABLE w (id int)",
        EITHER_IS_FALSE,
        id="ine-different-table",
    ),
    pytest.param(
        "", "CREATE TABLE IF NOT EXISTS w (id int)", "CREATE VIEW w AS SELECT 1 AS id", EITHER_IS_FALSE, id="ine-view"
    ),
    pytest.param(
        "", "ALTER TABLE t ADD COLUMN IF NOT EXISTS b text", "ALTER TABLE t ADD b int", EITHER_IS_FALSE, id="ine-col"
    ),
    pytest.param(
        "",
        (
            "DO $$ BEGIN IF NOT EXISTS (SELECT 1 FROM pg_type WHERE typname = 'e') THEN CREATE TYPE e AS "
            "ENUM ('a'); END IF; END $$"
        ),
        "CREATE TYPE e AS ENUM ('a','b')",
        EITHER_IS_FALSE,
        id="do-exec-type",
    ),
    pytest.param(
        "",
        (
            "DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_class WHERE relname = 'z') THEN EXECUTE "
            "format('CREATE TABLE %I (id int)', 'z'); END IF; END $$"
        ),
        "CREATE TABLE z (id int)",
        APPLIED_IS_FALSE,
        id="do-execute",
    ),
    pytest.param(
        "",
        "CREATE MATERIALIZED VIEW mv AS SELECT a FROM t",
        "CREATE MATERIALIZED VIEW mv AS SELECT a FROM t WITH NO DATA",
        EITHER_IS_FALSE,
        id="matview",
    ),
    pytest.param(
        "CREATE MATERIALIZED VIEW mv AS SELECT a FROM t",
        "CREATE UNIQUE INDEX mi ON mv (a)",
        "CREATE INDEX mi ON mv (a)",
        EITHER_IS_FALSE,
        id="matview-idx",
    ),
    pytest.param("", "COMMENT ON TABLE t IS 'x'", "COMMENT ON TABLE t IS 'y'", EITHER_IS_FALSE, id="comment"),
    pytest.param(
        "CREATE VIEW v AS SELECT a FROM t",
        "DROP VIEW v; ALTER TABLE t ALTER a TYPE bigint; CREATE VIEW v AS SELECT a FROM t",
        "DROP VIEW v; ALTER TABLE t ALTER a TYPE bigint",
        EITHER_IS_FALSE,
        id="view-recreated",
    ),
    pytest.param("", "GRANT SELECT ON t TO PUBLIC", "GRANT INSERT ON t TO PUBLIC", EITHER_IS_FALSE, id="grant-public"),
    pytest.param(
        "",
        "GRANT SELECT (id) ON t TO PUBLIC; ALTER TABLE t ADD b int",
        "ALTER TABLE t ADD b int",
        APPLIED_IS_FALSE,
        id="grant-col",
    ),
    pytest.param(
        "",
        "CREATE STATISTICS st ON id, a FROM t",
        "CREATE STATISTICS st (ndistinct) ON id, a FROM t",
        EITHER_IS_FALSE,
        id="stats",
    ),
    pytest.param(
        'CREATE TABLE "a(b" (id int)',
        'CREATE TABLE IF NOT EXISTS "a(b" (id int); CREATE TABLE z (id int)',
        'DROP TABLE "a(b"; CREATE TABLE z (id int)',
        APPLIED_IS_FALSE,
        id="paren-name",
    ),
    pytest.param(
        "",
        'DROP TABLE IF EXISTS "a(b"; CREATE TABLE z (id int)',
        'CREATE TABLE "a(b" (id int); CREATE TABLE z (id int)',
        APPLIED_IS_FALSE,
        id="paren-name-drop",
    ),
    pytest.param(
        "CREATE SCHEMA app",
        "SELECT set_config('search_path','app',false); DROP TABLE IF EXISTS x; CREATE TABLE z (id int)",
        "CREATE TABLE app.x (id int); CREATE TABLE app.z (id int)",
        APPLIED_IS_FALSE,
        id="set_config-path",
    ),
    pytest.param(
        "CREATE SCHEMA app",
        "SET search_path=app; DROP TABLE IF EXISTS x; CREATE TABLE z (id int)",
        "CREATE TABLE app.x (id int); CREATE TABLE app.z (id int)",
        APPLIED_IS_FALSE,
        id="set-path",
    ),
    pytest.param(
        "CREATE TABLE pt (id int) PARTITION BY RANGE (id); CREATE TABLE p1 (id int)",
        "ALTER TABLE pt ATTACH PARTITION p1 FOR VALUES FROM (1) TO (10)",
        "ALTER TABLE pt ATTACH PARTITION p1 FOR VALUES FROM (1) TO (20)",
        EITHER_IS_FALSE,
        id="attach-then",
    ),
]


@pytest.mark.parametrize(("before", "script", "handwork", "false"), CASES)
def test_no_decision_on_other_objects_is_false(
    production: Production, before: str, script: str, handwork: str, false: str
) -> None:
    """E4, E8, E9: handwork that only resembles the script is neither the script nor its absence."""
    production.before(before)
    production.failed(script)
    production.run(handwork)
    assert production.judge().decision.value not in false.split()
