"""What the text of a script tells: its statements, and of each what it names, writes and may not do."""

import pytest

from recovery.sql.names import Name, quoted
from recovery.sql.statements import ScriptError, parse


def sqls(text: str) -> list[str]:
    """The statements of a script, as text."""
    return [statement.sql for statement in parse(text)]


# Splitting


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("-- nothing but a comment\n", []),
        (";;", []),
        ("SELECT 1", ["SELECT 1"]),
        ("SELECT 1;\n\nSELECT 2;\n", ["SELECT 1", "SELECT 2"]),
        ("SELECT 'a;b'; SELECT \"c;d\" FROM t", ["SELECT 'a;b'", 'SELECT "c;d" FROM t']),
        ("DO $$ BEGIN NULL; END $$; SELECT 1", ["DO $$ BEGIN NULL; END $$", "SELECT 1"]),
        ("DO $a$ BEGIN PERFORM $$;$$; END $a$;", ["DO $a$ BEGIN PERFORM $$;$$; END $a$"]),
        ("SELECT 1; /* a; b */ SELECT 2", ["SELECT 1", "SELECT 2"]),
        ("SELECT 'ä€😀'; SELECT 'ß'", ["SELECT 'ä€😀'", "SELECT 'ß'"]),
        ("-- Straße €;\nSELECT 1;\n-- é\nSELECT 2;", ["SELECT 1", "SELECT 2"]),
        ("SELECT E'\\';'; SELECT 2", ["SELECT E'\\';'", "SELECT 2"]),
        (
            "CREATE FUNCTION f() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1; SELECT 2; END; SELECT 3",
            ["CREATE FUNCTION f() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1; SELECT 2; END", "SELECT 3"],
        ),
    ],
)
def test_statements(text: str, expected: list[str]) -> None:
    """A script is split where PostgreSQL's own grammar ends a statement; indexes count from 1."""
    assert sqls(text) == expected
    assert [statement.index for statement in parse(text)] == list(range(1, len(expected) + 1))


def test_what_is_not_sql() -> None:
    """A script that PostgreSQL's grammar refuses is said to be so, and not guessed at."""
    with pytest.raises(ScriptError) as refused:
        parse("CREATE TABEL t ()")
    assert refused.value.code == "replay.syntax"


# Names


def names(text: str) -> set[Name]:
    """All that the statements name."""
    return {name for statement in parse(text) for name in statement.names}


@pytest.mark.parametrize(
    ("sql", "name"),
    [
        ("CREATE TABLE t (id int)", Name(None, "t")),
        ('CREATE TABLE "S"."T" (id int)', Name("S", "T")),
        ("ALTER TABLE s.t ADD COLUMN a int", Name("s", "t")),
        ("CREATE TABLE t (a s.e)", Name("s", "e")),
        ("ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES other (id)", Name(None, "other")),
        ("CREATE INDEX i ON s.t (a)", Name("s", "i")),
        ("DROP TABLE IF EXISTS s.t", Name("s", "t")),
        ("DROP INDEX i", Name(None, "i")),
        ("DROP TYPE e", Name(None, "e")),
        ("DROP FUNCTION f(int)", Name(None, "f")),
        ("CREATE TYPE e AS ENUM ('a')", Name(None, "e")),
        ("ALTER TYPE s.e ADD VALUE 'b'", Name("s", "e")),
        ("ALTER TYPE e RENAME TO e2", Name(None, "e2")),
        ("CREATE DOMAIN d AS int", Name(None, "d")),
        ("CREATE SEQUENCE q", Name(None, "q")),
        ("CREATE FUNCTION s.f() RETURNS int LANGUAGE sql AS 'SELECT 1'", Name("s", "f")),
        ("CREATE VIEW v AS SELECT * FROM t", Name(None, "t")),
        ("ALTER TABLE t RENAME TO u", Name(None, "u")),
        ("INSERT INTO t SELECT * FROM u", Name(None, "u")),
        ("TRUNCATE t", Name(None, "t")),
        ("COMMENT ON TABLE t IS 'x'", Name(None, "t")),
        ("CREATE TABLE IF NOT EXISTS t (id int)", Name(None, "t", "")),
        ("CREATE INDEX IF NOT EXISTS i ON t (a)", Name(None, "i", "")),
        ("CREATE SEQUENCE IF NOT EXISTS q", Name(None, "q", "")),
        ("ALTER TYPE e ADD VALUE IF NOT EXISTS 'b'", Name(None, "e", "")),
        ("ALTER TABLE t ADD COLUMN IF NOT EXISTS a int", Name(None, "t", "column a")),
        ('ALTER TABLE t ADD COLUMN IF NOT EXISTS "order" int', Name(None, "t", 'column "order"')),
        ("ALTER TABLE t DROP COLUMN IF EXISTS a", Name(None, "t", "column a")),
        ("ALTER TABLE t DROP CONSTRAINT IF EXISTS c", Name(None, "t", "constraint c")),
    ],
)
def test_what_a_statement_names(sql: str, name: Name) -> None:
    """Every object that a statement names is known, and what of it a condition is about (E9)."""
    assert name in names(sql)


@pytest.mark.parametrize(
    ("identifier", "expected"),
    [
        ("plain_1", "plain_1"),
        ("User", '"User"'),
        ("user", '"user"'),
        ("order", '"order"'),
        ("between", '"between"'),
        ("left", '"left"'),
        ("type", "type"),
        ("name", "name"),
        ("a$b", '"a$b"'),
        ("1a", '"1a"'),
        ('say "hi"', '"say ""hi"""'),
        ("täble", '"täble"'),
    ],
)
def test_names_are_quoted_as_a_snapshot_quotes_them(identifier: str, expected: str) -> None:
    """Reserved words included: tables called `user` and `order` are common."""
    assert quoted(identifier) == expected


# What changes nothing by its nature (E4)


@pytest.mark.parametrize(
    "sql",
    [
        "SET lock_timeout = '1s'",
        "SET LOCAL search_path = s",
        "RESET ALL",
        "SHOW search_path",
        "BEGIN",
        "COMMIT",
        "ROLLBACK",
        "SAVEPOINT a",
        "LOCK TABLE t",
        "SELECT 1",
        "SELECT 1, 'a', 5::int",
        "SELECT pg_catalog.set_config('search_path', '', false)",
        "SELECT version()",
        "ANALYZE",
        "ANALYZE t",
    ],
)
def test_inert(sql: str) -> None:
    """Settings, locks, transaction control and constants change nothing."""
    (statement,) = parse(sql)
    assert statement.inert


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM t",
        "SELECT f()",
        "SELECT app.version()",
        "SELECT app.set_config('a', 'b', false)",
        "SELECT nextval('q')",
        "SELECT setval('q', 5)",
        "SELECT pg_notify('a', 'b')",
        "SELECT 1 INTO t",
        "WITH d AS (DELETE FROM t RETURNING 1) SELECT 1",
        "SELECT (SELECT f())",
        "SELECT count(*) FROM (SELECT f()) x",
        "INSERT INTO t VALUES (1)",
        "UPDATE t SET a = 1",
        "DELETE FROM t",
        "MERGE INTO t USING u ON t.id = u.id WHEN MATCHED THEN DELETE",
        "TRUNCATE t",
        "COPY t FROM STDIN",
        "CALL p()",
        "DO $$ BEGIN NULL; END $$",
        "ALTER SEQUENCE q RESTART",
        "CREATE PUBLICATION p",
        "NOTIFY c",
        "VACUUM t",
        "VACUUM ANALYZE t",
        "REFRESH MATERIALIZED VIEW m",
        "EXPLAIN ANALYZE DELETE FROM t",
        "PREPARE p AS DELETE FROM t",
        "EXECUTE p",
        "CREATE TABLE t ()",
        "DISCARD ALL",
    ],
)
def test_not_inert(sql: str) -> None:
    """Whatever is not on the short list may have done something."""
    (statement,) = parse(sql)
    assert not statement.inert


@pytest.mark.parametrize("sql", ["BEGIN", "START TRANSACTION", "COMMIT", "END", "ROLLBACK", "SAVEPOINT a", "RELEASE a"])
def test_transaction_control(sql: str) -> None:
    """What begins or ends a transaction is known as such."""
    assert parse(sql)[0].control
    assert not parse("SELECT 1")[0].control


# What must not run (E15)

FORBIDDEN = [
    "CREATE ROLE r",
    "CREATE USER u",
    "CREATE GROUP g",
    "ALTER ROLE r SUPERUSER",
    "ALTER ROLE r SET search_path = s",
    "DROP ROLE IF EXISTS r",
    "GRANT admin TO r",
    "REVOKE admin FROM r",
    "REASSIGN OWNED BY a TO b",
    "DROP OWNED BY a",
    "CREATE DATABASE d",
    "ALTER DATABASE d SET timezone = 'UTC'",
    "ALTER DATABASE d CONNECTION LIMIT 1",
    "ALTER DATABASE d REFRESH COLLATION VERSION",
    "DROP DATABASE d",
    "ALTER SYSTEM SET work_mem = '1MB'",
    "ALTER SYSTEM RESET ALL",
    "CREATE TABLESPACE s LOCATION '/tmp'",
    "ALTER TABLESPACE s SET (seq_page_cost = 1)",
    "DROP TABLESPACE s",
    "ALTER TABLE ALL IN TABLESPACE a SET TABLESPACE b",
    "CREATE SUBSCRIPTION s CONNECTION 'host=h' PUBLICATION p",
    "ALTER SUBSCRIPTION s DISABLE",
    "DROP SUBSCRIPTION s",
    "COPY t FROM STDIN",
    "COPY t FROM PROGRAM 'true'",
    "COPY t TO PROGRAM 'true'",
    "COPY t FROM '/etc/passwd'",
    "COPY (SELECT 1) TO '/tmp/f'",
    "CREATE EXTENSION dblink",
    "CREATE EXTENSION IF NOT EXISTS postgres_fdw",
    "CREATE EXTENSION file_fdw",
    "CREATE FOREIGN DATA WRAPPER w",
    "CREATE SERVER s FOREIGN DATA WRAPPER w",
    "ALTER SERVER s OPTIONS (host 'h')",
    "CREATE USER MAPPING FOR u SERVER s",
    "DROP USER MAPPING FOR u SERVER s",
    "CREATE FOREIGN TABLE t (a int) SERVER s",
    "IMPORT FOREIGN SCHEMA a FROM SERVER s INTO b",
    "SELECT dblink_exec('host=h', 'DROP TABLE t')",
    "SELECT lo_import('/etc/passwd')",
    "SELECT lo_export(1, '/tmp/f')",
    "SELECT pg_read_file('x')",
    "SELECT pg_read_binary_file('x')",
    "SELECT pg_terminate_backend(1)",
    "SELECT pg_reload_conf()",
    "LOAD 'library'",
    "CHECKPOINT",
]
#: The same kinds, as text inside DO and function bodies.
HIDDEN = [
    "CREATE ROLE r",
    "create   user u",
    "DROP ROLE r",
    "ALTER DATABASE d SET timezone = 'UTC'",
    "CREATE DATABASE d",
    "ALTER\tSYSTEM SET work_mem = '1MB'",
    "CREATE TABLESPACE s LOCATION '/tmp'",
    "CREATE SUBSCRIPTION s CONNECTION 'host=h' PUBLICATION p",
    "COPY t FROM PROGRAM 'true'",
    "COPY t TO '/tmp/f'",
    "COPY t (a, b) FROM E'/tmp/f'",
    "COPY (SELECT 1) TO '/tmp/f'",
    "EXECUTE format('COPY %I TO %L', t, f)",
    "EXECUTE 'COPY t TO ''/tmp/f'''",
    "PERFORM dblink('host=h', 'SELECT 1')",
    "CREATE SERVER s FOREIGN DATA WRAPPER postgres_fdw",
    "PERFORM lo_import('/etc/passwd')",
    "PERFORM lo_export(1, '/tmp/f')",
]


@pytest.mark.parametrize("sql", FORBIDDEN)
def test_forbidden(sql: str) -> None:
    """What reaches beyond the scratch database is not executed, and why is said."""
    (statement,) = parse(sql)
    assert statement.forbidden


@pytest.mark.parametrize("sql", HIDDEN)
@pytest.mark.parametrize(
    "around",
    [
        "DO $b$ BEGIN {}; END $b$",
        "CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $b$ BEGIN {}; END $b$",
        "CREATE PROCEDURE f() LANGUAGE plpgsql AS $b$ BEGIN {}; END $b$",
    ],
)
def test_forbidden_inside_a_body(sql: str, around: str) -> None:
    """A body that holds such a statement is not executed either: it is text to the parser, so words decide."""
    (statement,) = parse(around.replace("{}", sql))
    assert statement.forbidden


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TABLE users (role text, database_id int)",
        "ALTER TABLE t ADD COLUMN role text",
        "CREATE TYPE \"Role\" AS ENUM ('USER', 'ADMIN')",
        "CREATE TABLE subscription (server text)",
        "DROP TABLE subscription",
        "CREATE EXTENSION citext",
        "SELECT 1",
        "COMMENT ON TABLE t IS 'a copy of the table, made to be read'",
        "DO $$ BEGIN RAISE NOTICE 'copy done, going from here to there'; END $$",
        "GRANT SELECT ON t TO r",
        "CREATE POLICY p ON t TO r USING (true)",
        "ALTER TABLE t OWNER TO r",
    ],
)
def test_not_forbidden(sql: str) -> None:
    """Ordinary statements that merely use such words are executed."""
    (statement,) = parse(sql)
    assert not statement.forbidden


# Rows written by DDL (E5)


@pytest.mark.parametrize(
    "text",
    [
        "ALTER TABLE t ADD COLUMN a int DEFAULT 1; ALTER TABLE t ALTER COLUMN a DROP DEFAULT",
        "ALTER TABLE s.t ADD COLUMN a int DEFAULT 1; SELECT 1; ALTER TABLE s.t ALTER a DROP DEFAULT, ADD b int",
        "ALTER TABLE t ALTER COLUMN a TYPE int USING length(a)",
        "ALTER TABLE t ALTER COLUMN a TYPE int USING (a::int + 1)",
        "ALTER TABLE t ALTER COLUMN a TYPE int USING b::int",
        "CREATE TABLE u AS SELECT * FROM t",
        "CREATE TABLE u AS TABLE t",
        "SELECT * INTO u FROM t",
        "ALTER TABLE t ADD COLUMN a uuid DEFAULT gen_random_uuid()",
        "ALTER TABLE t ADD COLUMN a float DEFAULT random()",
        "ALTER TABLE t ADD COLUMN a int DEFAULT 1",
        "ALTER TABLE t ADD COLUMN a int DEFAULT nextval('q')",
        "ALTER TABLE t ADD COLUMN a int DEFAULT app.now()",
        "ALTER TABLE t ADD COLUMN a SERIAL",
        "ALTER TABLE t ADD COLUMN a bigserial",
        "ALTER TABLE t ADD COLUMN a int GENERATED ALWAYS AS IDENTITY",
    ],
)
def test_ddl_that_writes_rows(text: str) -> None:
    """Rows that DDL writes are data: the schema shows the column, not what is in it."""
    assert parse(text)[0].work.why


@pytest.mark.parametrize(
    "text",
    [
        "ALTER TABLE t ADD COLUMN a int",
        "ALTER TABLE t DROP COLUMN a",
        "ALTER TABLE t DROP COLUMN a, ADD COLUMN b int",
        "ALTER TABLE t DROP COLUMN a; ALTER TABLE u ADD COLUMN a int",
        "DO $$ BEGIN CREATE TYPE e AS ENUM ('x'); EXCEPTION WHEN duplicate_object THEN NULL; END $$",
        "DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_type WHERE typname = 'e') THEN CREATE TABLE e (); END IF; END $$",
        "CREATE TABLE u AS SELECT * FROM t WITH NO DATA",
        "CREATE TABLE u (id serial, at timestamptz DEFAULT clock_timestamp())",
        "CREATE MATERIALIZED VIEW m AS SELECT * FROM t",
        "ALTER TABLE t ADD COLUMN a int DEFAULT NULL",
    ],
)
def test_ddl_that_writes_none(text: str) -> None:
    """What is on the allow-list, and what has no rows yet, writes nothing that can't be seen."""
    assert not parse(text)[0].work.why


@pytest.mark.parametrize(
    ("text", "fills", "moves"),
    [
        ("ALTER TABLE t ADD COLUMN a int NOT NULL DEFAULT 1", {"a"}, ()),
        ("ALTER TABLE t ADD COLUMN a timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP", {"a"}, ()),
        ("ALTER TABLE t ADD COLUMN a int DEFAULT 1, ADD COLUMN b int", {"a"}, ()),
        ("ALTER TABLE t ADD COLUMN a int DEFAULT 1, ALTER COLUMN b TYPE int USING 1", set(), ()),
        ("ALTER TABLE t ALTER COLUMN a TYPE e USING (a::text::e)", set(), ("a",)),
        ("ALTER TABLE t ALTER COLUMN a TYPE bigint", set(), ("a",)),
        ("ALTER TABLE t ALTER COLUMN a TYPE date; ALTER TABLE t ALTER COLUMN a TYPE timestamp", set(), ()),
        ("ALTER TABLE t RENAME COLUMN a TO b", set(), ("b",)),
        ("ALTER TABLE t RENAME TO u", set(), ("",)),
    ],
)
def test_rows_of_which_production_keeps_a_proof(text: str, fills: set[str], moves: tuple[str, ...]) -> None:
    """RULES E20: a default that PostgreSQL keeps, a column in its place, a table older than the attempt."""
    work = parse(text)[0].work
    assert work.why
    assert (work.fills, tuple(column for _, column in work.moves)) == (fills, moves)


@pytest.mark.parametrize(
    "text",
    [
        "ALTER TABLE t DROP COLUMN a; ALTER TABLE t ADD COLUMN a int",
        "ALTER TABLE t DROP COLUMN a, ADD COLUMN a int",
        "DROP TABLE t; CREATE TABLE t (id int)",
        "DROP SEQUENCE s; CREATE SEQUENCE s",
        "DROP MATERIALIZED VIEW m; CREATE MATERIALIZED VIEW m AS SELECT 1",
        "DROP TYPE e CASCADE; ALTER TABLE t ADD COLUMN e int",
        "DROP SCHEMA x CASCADE; CREATE TABLE x.t ()",
        "REFRESH MATERIALIZED VIEW m",
        "ALTER SEQUENCE s RESTART",
        "ALTER TABLE t ALTER COLUMN id RESTART",
        "UPDATE t SET a = 1",
        "TRUNCATE t",
        "SELECT setval('s', 5)",
        "SELECT version(2)",
        "CALL p()",
        "DO $$ BEGIN UPDATE t SET a = 1; END $$",
        "DO $$ BEGIN EXECUTE 'x'; END $$",
        "DO $$ BEGIN CREATE TABLE u AS (TABLE t); END $$",
        "DO $$ BEGIN IF EXISTS (SELECT FROM t) THEN ALTER TABLE t ADD a int; END IF; END $$",
        "DO $$ BEGIN CREATE INDEX i ON t (a); EXCEPTION WHEN unique_violation THEN CREATE TABLE u (); END $$",
        "DO $$ BEGIN IF (SELECT reltuples FROM pg_class WHERE relname = 't') > 0 THEN DROP TABLE t; END IF; END $$",
        "DO $$ DECLARE n int; BEGIN DROP TABLE t; END $$",
        "INSERT INTO t VALUES (1)",
        "VACUUM t",
    ],
)
def test_what_nothing_in_the_schema_proves(text: str) -> None:
    """RULES E18, E19: what is made again later, what no list knows, and what may branch is open in its rows."""
    work = [statement.work for statement in parse(text) if statement.work.why]
    assert work
    assert not any(each.own or each.fills or each.moves for each in work)


@pytest.mark.parametrize(
    "text",
    [
        "CREATE TABLE u (id int); INSERT INTO u VALUES (1)",
        "CREATE TABLE u AS SELECT 1 AS id",
        "ALTER TABLE t ADD COLUMN a int; UPDATE t SET a = 1",
    ],
)
def test_rows_only_in_what_the_script_makes(text: str) -> None:
    """Where that is absent, so are the rows."""
    assert parse(text)[-1].work.own


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("CREATE TABLE IF NOT EXISTS u (id int); INSERT INTO u VALUES (1)", (Name(None, "u"), "")),
        ("ALTER TABLE t ADD COLUMN IF NOT EXISTS a int; UPDATE t SET a = 1", (Name(None, "t"), "a")),
    ],
)
def test_rows_only_in_what_the_script_makes_where_the_history_does_not(text: str, made: tuple[Name, str]) -> None:
    """IF NOT EXISTS may find it made already; which is so is seen in the replay."""
    work = parse(text)[-1].work
    assert work.own
    assert work.sure_if_absent == (made,)


def test_a_table_that_is_renamed_is_the_same_one() -> None:
    """RULES E19: its column is dropped under one name of the table, and made again under the other."""
    work = parse("ALTER TABLE t DROP COLUMN a; ALTER TABLE t RENAME TO u; ALTER TABLE u ADD COLUMN a int")[0].work
    assert "made again" in work.why
    assert not work.own


@pytest.mark.parametrize(
    "text",
    [
        "ALTER TABLE x.t ADD COLUMN a int; UPDATE y.t SET a = 1",
        "SET search_path = x; ALTER TABLE t ADD COLUMN a int; SET search_path = y; UPDATE t SET a = 1",
        "ALTER TABLE t ADD COLUMN a int; ALTER TABLE t RENAME TO o; ALTER TABLE n RENAME TO t; UPDATE t SET a = 1",
    ],
)
def test_a_column_of_that_name_in_another_table_is_not_the_scripts(text: str) -> None:
    """Its rows may be there while what the script adds is absent."""
    assert not parse(text)[-1].work.own


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE t ADD COLUMN a SERIAL",
        "ALTER TABLE t ADD COLUMN a uuid DEFAULT gen_random_uuid()",
        "ALTER TABLE t ALTER COLUMN id TYPE int USING id + 1",
    ],
)
def test_a_table_of_the_script_itself_has_no_rows(change: str) -> None:
    """What the script creates is empty, so changing it writes no rows; another table's are written."""
    assert not parse(f"CREATE TABLE t (id int); {change}")[1].work.why
    assert parse(f"CREATE TABLE u (id int); {change}")[1].work.why


def test_a_table_that_may_have_been_there_has_rows() -> None:
    """CREATE TABLE IF NOT EXISTS may have found a table, with rows."""
    assert parse("CREATE TABLE IF NOT EXISTS t (id int); ALTER TABLE t ADD COLUMN a serial")[1].work.why


def test_number_of_actions() -> None:
    """A statement that does several things did nothing only if PostgreSQL skipped as many."""
    actions = [s.actions for s in parse("DROP TABLE IF EXISTS a, b; ALTER TABLE t ADD a int, ADD b int; SELECT 1")]
    assert actions == [2, 2, 1]
