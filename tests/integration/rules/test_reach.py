"""Statements that seem to write only into what the script makes, and reach further (RULES E17, E18)."""

import pytest

from states.evidence import Decision
from tests.integration.rules.production import Production

AUDIT = (
    "CREATE TABLE audit (n int); CREATE FUNCTION au() RETURNS trigger LANGUAGE plpgsql AS"
    " $$BEGIN INSERT INTO audit VALUES (1); RETURN NEW; END$$;"
)
WRITES = (
    "CREATE TABLE log (x int); CREATE FUNCTION w(int) RETURNS int LANGUAGE plpgsql AS"
    " $$BEGIN INSERT INTO log VALUES (1); RETURN 1; END$$;"
)
PARTED = "CREATE TABLE p (id int, a int) PARTITION BY RANGE (id);"
PART = "CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (9);"
CASES = [
    pytest.param(
        "",
        "CREATE TABLE n (id int DEFAULT nextval('s'), x int); INSERT INTO n (x) VALUES (1);",
        "SELECT nextval('s')",
        id="default",
    ),
    pytest.param(
        "CREATE DOMAIN d AS int DEFAULT nextval('s');",
        "CREATE TABLE n (x d, y int); INSERT INTO n (y) VALUES (1);",
        "SELECT nextval('s')",
        id="default of a domain",
    ),
    pytest.param(
        "",
        "ALTER TABLE t ADD c int; ALTER TABLE t ALTER c SET DEFAULT nextval('s'); UPDATE t SET c = DEFAULT;",
        "SELECT nextval('s')",
        id="default in an UPDATE",
    ),
    pytest.param(
        WRITES + "CREATE VIEW v AS SELECT w(1) AS x;",
        "CREATE TABLE n (x int); INSERT INTO n SELECT x FROM v;",
        "SELECT * FROM v",
        id="view",
    ),
    pytest.param(
        WRITES + "CREATE OPERATOR @@@ (RIGHTARG = int, FUNCTION = w);",
        "CREATE TABLE bak AS SELECT @@@ a AS x FROM t;",
        "SELECT w(1)",
        id="operator",
    ),
    pytest.param(
        WRITES + "CREATE FUNCTION f(t) RETURNS int LANGUAGE sql AS 'SELECT w(1)';",
        "CREATE TABLE bak AS SELECT t.f AS x FROM t;",
        "SELECT w(1)",
        id="written as a column",
    ),
    pytest.param(
        WRITES + "CREATE DOMAIN d AS int CHECK (w(VALUE) = 1);",
        "CREATE TABLE n (x d); INSERT INTO n VALUES (1);",
        "SELECT w(1)",
        id="check of a domain",
    ),
    pytest.param(
        PARTED + AUDIT + "CREATE TRIGGER au AFTER INSERT ON p FOR EACH ROW EXECUTE FUNCTION au();",
        PART + " INSERT INTO p1 VALUES (1, 1);",
        "INSERT INTO audit VALUES (1)",
        id="trigger of a parent",
    ),
    pytest.param(
        PARTED + PART + AUDIT + "CREATE TRIGGER au AFTER UPDATE ON p1 FOR EACH ROW EXECUTE FUNCTION au();",
        "ALTER TABLE p ADD c int; UPDATE p SET c = 1;",
        "INSERT INTO p VALUES (1, 1); INSERT INTO audit VALUES (1)",
        id="trigger of a partition",
    ),
]


@pytest.mark.parametrize(("base", "script", "left"), CASES)
def test_what_was_written_elsewhere_is_not_written_again(
    production: Production, base: str, script: str, left: str
) -> None:
    """Of what the script makes production has nothing, and elsewhere its rows may be there."""
    production.before(base)
    production.failed(f"{script} CREATE TABLE z (id int);")
    production.run(left)
    assert production.judge().decision is Decision.OPERATOR


@pytest.mark.parametrize(
    ("base", "insert"),
    [
        ("CREATE VIEW v AS SELECT f() AS x;", "INSERT INTO t SELECT 5, x FROM v"),
        ("CREATE FUNCTION g(one) RETURNS int LANGUAGE sql AS 'SELECT f()';", "INSERT INTO t SELECT 5, one.g FROM one"),
    ],
    ids=["view", "written as a column"],
)
def test_a_function_that_is_called_unseen_changes_the_schema(production: Production, base: str, insert: str) -> None:
    """Rows are all that the statement names, and production lacks the table that the function makes."""
    production.before(
        "CREATE TABLE one (id int); INSERT INTO one VALUES (1); CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS"
        f" $$BEGIN CREATE TABLE IF NOT EXISTS made (id int); RETURN 1; END$$; {base}"
    )
    production.failed(f"{insert};", steps=1, logs=None)
    assert production.judge().decision is Decision.OPERATOR


def test_a_table_is_no_older_because_the_attempts_row_was_written_again(production: Production) -> None:
    """E20: `resolve --rolled-back` writes the attempt's row anew, after another migration was stamped."""
    production.before("CREATE TABLE o (id int PRIMARY KEY, x text);")
    production.run("INSERT INTO o VALUES (1, 'x')")
    production.failed("ALTER TABLE o RENAME TO u;")
    production.run("DROP TABLE o; CREATE TABLE u (id int, x text, CONSTRAINT o_pkey PRIMARY KEY (id))")
    production.run("INSERT INTO u VALUES (5, 'new'); CREATE TABLE other (id int)")
    name = "20260105_other"
    production.row(name, production.file(name, "CREATE TABLE other (id int);"), finished=True, steps=0)
    production.run("UPDATE _prisma_migrations SET rolled_back_at = now() WHERE finished_at IS NULL")
    assert production.judge().decision is Decision.OPERATOR
