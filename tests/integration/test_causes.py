"""Causes of real errors, as PostgreSQL itself words them."""

from collections.abc import Iterator
from itertools import count

import psycopg
import pytest

from recovery.prisma.logs import cause, message
from tests.acceptance import scene
from tests.staging import Server, start

#: The two forms in which Prisma's engines write an error into `logs`.
NATIVE = """A migration failed to apply. New migrations cannot be applied before the error is recovered from.

Migration name: 20260217000000_add_tokens

Database error code: {code}

Database error:
ERROR: {said}

DbError {{ severity: "ERROR", parsed_severity: Some(Error), code: SqlState(E{code}), message: {quoted}, detail: None }}
"""
JAVASCRIPT = "external connector error\nError querying the database: ERROR: {said}\n   0: sql_schema_connector\n"

BASE = """
CREATE TABLE t (id int PRIMARY KEY, a text, n int, big bigint);
INSERT INTO t VALUES (1, 'x', 1, 99999999999), (2, 'x', NULL, 2), (3, 'yyyyyyy', 3, 3);
CREATE TABLE r (id int PRIMARY KEY);
CREATE TYPE k AS ENUM ('A');
CREATE VIEW v AS SELECT n FROM t;
CREATE TABLE parts (id int) PARTITION BY LIST (id);
"""
ERRORS = [
    ("23505", "duplicates", "CREATE UNIQUE INDEX i ON t (a)"),
    ("23505", "duplicates", "INSERT INTO t VALUES (1)"),
    ("23502", "nulls", "ALTER TABLE t ALTER n SET NOT NULL"),
    ("23502", "nulls", "INSERT INTO t (id) VALUES (NULL)"),
    ("23502", "nulls", "CREATE DOMAIN d AS int NOT NULL; SELECT NULL::d"),
    ("23503", "foreign_key", "ALTER TABLE t ADD FOREIGN KEY (id) REFERENCES r (id)"),
    (
        "23503",
        "foreign_key",
        (
            "INSERT INTO r VALUES (1); CREATE TABLE s AS SELECT 1 id; ALTER TABLE s ADD FOREIGN KEY (id) REFERENCES r;"
            "DELETE FROM r"
        ),
    ),
    ("23514", "check", "ALTER TABLE t ADD CONSTRAINT c CHECK (n > 1)"),
    ("23514", "check", "CREATE TABLE s (id int CHECK (id > 1)); INSERT INTO s VALUES (1)"),
    ("23514", "check", "INSERT INTO parts VALUES (1)"),
    ("23514", "check", "CREATE DOMAIN d AS int CHECK (value > 1); SELECT 1::d"),
    ("23P01", "exclusion", "ALTER TABLE t ADD EXCLUDE USING btree (a WITH =)"),
    ("22P02", "cast", "ALTER TABLE t ALTER a TYPE int USING a::int"),
    ("22P02", "cast", "ALTER TABLE t ALTER a TYPE k USING a::k"),
    ("22P02", "cast", "SELECT 'x'::uuid"),
    ("22001", "cast", "ALTER TABLE t ALTER a TYPE varchar(2)"),
    ("22003", "cast", "ALTER TABLE t ALTER big TYPE int"),
    ("22003", "cast", "SELECT '99999'::smallint"),
    ("22003", "cast", "SELECT 12345::numeric(3, 1)"),
    ("22007", "cast", "SELECT 'x'::date"),
    ("22007", "cast", "SELECT 'x'::timestamptz"),
    ("22008", "cast", "SELECT '2020-13-45'::date"),
    ("42804", "cast", "ALTER TABLE t ALTER a TYPE int"),
    ("42804", "cast", "ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES r (id)"),
    ("42846", "cast", "SELECT 1::date"),
    ("22012", "bad_value", "SELECT 1 / 0"),
    ("22004", "bad_value", "DO $$ BEGIN EXECUTE NULL; END $$"),
    ("21000", "bad_value", "SELECT (SELECT id FROM t)"),
    ("42P07", "object_exists", "CREATE TABLE t (id int)"),
    ("42P07", "object_exists", "CREATE INDEX r ON t (n)"),
    ("42701", "object_exists", "ALTER TABLE t ADD COLUMN a text"),
    ("42710", "object_exists", "CREATE TYPE k AS ENUM ('A')"),
    ("42710", "object_exists", "ALTER TABLE t ADD CONSTRAINT c CHECK (true), ADD CONSTRAINT c CHECK (true)"),
    ("42710", "object_exists", "ALTER TYPE k ADD VALUE 'A'"),
    ("42710", "object_exists", "CREATE EXTENSION plpgsql"),
    ("42P06", "object_exists", "CREATE SCHEMA public"),
    ("42723", "object_exists", "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1';" * 2),
    ("42P01", "missing_object", "ALTER TABLE no ADD COLUMN a text"),
    ("42703", "missing_object", "ALTER TABLE t DROP COLUMN zz"),
    ("42703", "missing_object", "SELECT zz FROM t"),
    ("42704", "missing_object", "DROP TYPE zz"),
    ("42704", "missing_object", "DROP INDEX zz"),
    ("42704", "missing_object", "ALTER TABLE t DROP CONSTRAINT zz"),
    ("42704", "missing_object", "DROP TRIGGER zz ON t"),
    ("42704", "missing_object", "DROP POLICY zz ON t"),
    ("42704", "missing_object", "CREATE INDEX i ON t (a no_ops)"),
    ("42883", "missing_object", "SELECT nofn()"),
    ("3F000", "missing_object", "CREATE TABLE no.t (id int)"),
    ("42P16", "invalid_definition", "ALTER TABLE t ADD PRIMARY KEY (a)"),
    ("42P16", "invalid_definition", "CREATE OR REPLACE VIEW v AS SELECT a AS n FROM t"),
    ("42P17", "invalid_definition", "CREATE INDEX i ON t (random())"),
    ("42830", "invalid_definition", "CREATE TABLE s (a text REFERENCES t (a))"),
    ("42809", "invalid_definition", "ALTER TABLE v ADD COLUMN x int"),
    ("42P13", "invalid_definition", "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT ''a''::text'"),
    ("42P10", "invalid_definition", "INSERT INTO t VALUES (9) ON CONFLICT (a) DO NOTHING"),
    ("0A000", "dependent_objects", "ALTER TABLE t ALTER n TYPE bigint"),
    ("2BP01", "dependent_objects", "ALTER TABLE t DROP COLUMN n"),
    ("2BP01", "dependent_objects", "DROP TABLE t"),
    ("25001", "not_in_transaction", "SELECT 1; CREATE INDEX CONCURRENTLY i ON t (n)"),
    ("25P02", "in_failed_transaction", "BEGIN; SELECT 1/0"),
    ("42601", "syntax", "CREAT TABLE x (id int)"),
    ("55P04", "unsafe_enum_value", "ALTER TYPE k ADD VALUE 'B'; SELECT 'B'::k"),
    ("57014", "statement_timeout", "SET statement_timeout = '1ms'; SELECT pg_sleep(10)"),
    ("42501", "privileges", "SET ROLE pg_monitor; ALTER TABLE t ADD zz int"),
    ("42501", "privileges", "SET ROLE pg_monitor; CREATE SCHEMA zz"),
    ("25006", "read_only", "BEGIN READ ONLY; CREATE TABLE x (id int)"),
    ("55006", "in_use", "DO $$ DECLARE c refcursor; BEGIN OPEN c FOR SELECT * FROM t; ALTER TABLE t ADD z int; END $$"),
    ("54011", "limit_exceeded", f"CREATE TABLE wide ({', '.join(f'c{n} int' for n in range(1601))})"),
]
_numbers = count(1)


@pytest.fixture(scope="module", params=[18, 13])
def postgres(request: pytest.FixtureRequest) -> Iterator[Server]:
    """The newest and the oldest version."""
    if request.param == 18:
        yield scene.server()
        return
    with start(request.param) as server:
        yield server


@pytest.mark.parametrize(("code", "kind", "script"), ERRORS)
def test_a_real_error_is_of_its_kind(postgres: Server, code: str, kind: str, script: str) -> None:
    """Made on the oldest and the newest server, it gives the same code and kind in both engines' formats."""
    database = f"causes_{next(_numbers)}"
    postgres.create_database(database)
    with postgres.connect(database) as connection:
        connection.execute(BASE.encode())
        if code == "25P02":  # the first error is lost, and this is what the attempt to write it down gives
            with pytest.raises(psycopg.Error):
                connection.execute(script.encode())
            script = "SELECT 1"
        with pytest.raises(psycopg.Error) as caught:
            connection.execute(script.encode())
    error = caught.value
    said = error.diag.message_primary or ""
    quoted = '"' + said.replace('"', '\\"') + '"'
    native = NATIVE.format(code=error.sqlstate, said=said, quoted=quoted)
    debug = native[native.index("DbError") :]
    for logs in (native, debug, JAVASCRIPT.format(said=said)):
        assert (cause(logs).sqlstate, cause(logs).kind) == (code, kind), said
        assert message(logs) == said
