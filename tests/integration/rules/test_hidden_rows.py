"""Rows that schema statements write where one does not look for them (RULES E4, E5, E12)."""

import pytest

from tests.integration.rules.production import Production

APPLIED_IS_FALSE = "mark_applied"

#: What was there before, the failed script, what a person did by hand, and the decisions that would be false.
CASES = [
    pytest.param(
        "",
        "ALTER SEQUENCE s INCREMENT 2 RESTART 100",
        "ALTER SEQUENCE s INCREMENT 2",
        APPLIED_IS_FALSE,
        id="seq-incr-restart",
    ),
    pytest.param(
        "CREATE TABLE i (id int GENERATED ALWAYS AS IDENTITY)",
        "ALTER TABLE i ALTER id SET INCREMENT BY 2 SET CACHE 3 RESTART WITH 50",
        "ALTER TABLE i ALTER id SET INCREMENT BY 2 SET CACHE 3",
        APPLIED_IS_FALSE,
        id="identity-restart",
    ),
    pytest.param(
        "",
        ("ALTER TABLE t ADD COLUMN b int DEFAULT 5; ALTER TABLE t RENAME TO u; ALTER TABLE u ALTER b DROP DEFAULT"),
        "ALTER TABLE t ADD b int; ALTER TABLE t RENAME TO u",
        APPLIED_IS_FALSE,
        id="default-rename-table-drop",
    ),
    pytest.param(
        "",
        "ALTER TABLE t ADD b int",
        "ALTER TABLE t ADD b int DEFAULT 1; ALTER TABLE t ALTER b DROP DEFAULT",
        APPLIED_IS_FALSE,
        id="default-taken-away",
    ),
    pytest.param(
        "",
        "ALTER TABLE t ADD b int DEFAULT 5",
        "ALTER TABLE t ADD b int DEFAULT 0; ALTER TABLE t ALTER b SET DEFAULT 5",
        APPLIED_IS_FALSE,
        id="another-default-corrected",
    ),
    pytest.param(
        "",
        "DO $$ BEGIN CREATE TABLE backup AS TABLE t; END $$",
        "CREATE TABLE backup (id int, a int)",
        APPLIED_IS_FALSE,
        id="do-create-as-table",
    ),
    pytest.param(
        "",
        ("DO $$ BEGIN ALTER TABLE t ADD COLUMN b int DEFAULT 5; ALTER TABLE t ALTER b DROP DEFAULT; END $$"),
        "ALTER TABLE t ADD b int",
        APPLIED_IS_FALSE,
        id="do-default-dropped",
    ),
    pytest.param(
        "",
        "DO $$ BEGIN ALTER TABLE t ALTER COLUMN a TYPE text USING 'x'; END $$",
        "ALTER TABLE t ALTER a TYPE text",
        APPLIED_IS_FALSE,
        id="do-using",
    ),
    pytest.param(
        "",
        "DO $$ BEGIN ALTER TABLE t ADD COLUMN n serial; END $$",
        (
            "ALTER TABLE t ADD n int; CREATE SEQUENCE t_n_seq AS int OWNED BY t.n; UPDATE t SET n=7; ALTER "
            "TABLE t ALTER n SET NOT NULL, ALTER n SET DEFAULT nextval('t_n_seq')"
        ),
        APPLIED_IS_FALSE,
        id="do-serial",
    ),
    pytest.param(
        "",
        "DO $$ BEGIN ALTER TABLE t ADD COLUMN n float DEFAULT random(); END $$",
        "ALTER TABLE t ADD n float; ALTER TABLE t ALTER n SET DEFAULT random()",
        APPLIED_IS_FALSE,
        id="do-volatile",
    ),
    pytest.param(
        "CREATE FUNCTION bump() RETURNS bool LANGUAGE sql AS 'UPDATE t SET a = 5 RETURNING true'",
        "DO $$ BEGIN IF bump() THEN ALTER TABLE t ADD COLUMN n int; END IF; END $$",
        "ALTER TABLE t ADD n int",
        APPLIED_IS_FALSE,
        id="do-if-f",
    ),
    pytest.param(
        "CREATE FUNCTION bump() RETURNS bool LANGUAGE sql AS 'UPDATE t SET a = 5 RETURNING true'",
        "DO $$ BEGIN IF bump() IS NULL THEN NULL; END IF; ALTER TABLE t ADD COLUMN n int; END $$",
        "ALTER TABLE t ADD n int",
        APPLIED_IS_FALSE,
        id="do-if-f-false",
    ),
    pytest.param(
        "CREATE FUNCTION bump() RETURNS bool LANGUAGE sql AS 'UPDATE t SET a = 5 RETURNING true'",
        "DO $$ DECLARE x bool; BEGIN x = bump(); ALTER TABLE t ADD COLUMN n int; END $$",
        "ALTER TABLE t ADD n int",
        APPLIED_IS_FALSE,
        id="do-assign",
    ),
    pytest.param(
        "",
        "EXPLAIN ANALYZE CREATE TABLE z AS SELECT * FROM t",
        "CREATE TABLE z (id int, a int)",
        APPLIED_IS_FALSE,
        id="explain-ctas",
    ),
    pytest.param(
        "CREATE SCHEMA app",
        (
            "SET search_path=app; CREATE TABLE t (id int); SET search_path=public; ALTER TABLE t ADD COLUMN "
            "k float DEFAULT random()"
        ),
        ("CREATE TABLE app.t (id int); ALTER TABLE t ADD k float; ALTER TABLE t ALTER k SET DEFAULT random()"),
        APPLIED_IS_FALSE,
        id="created-shadow",
    ),
]


@pytest.mark.parametrize(("before", "script", "handwork", "false"), CASES)
def test_the_schema_alone_is_not_the_rows(
    production: Production, before: str, script: str, handwork: str, false: str
) -> None:
    """E5: the same schema by hand, without the rows that the script would have written."""
    production.before(before)
    production.failed(script)
    production.run(handwork)
    assert production.judge().decision.value not in false.split()
