"""What a snapshot shows: every block and property of catalog.sql, by changing it."""

import re
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import psycopg
import pytest

from recovery.postgres import catalog
from recovery.postgres.catalog import Scope, scope_of
from recovery.replay.scratch import ScratchServer

Connection = psycopg.Connection[Any]

PARENT = "CREATE TABLE p (id int, at date) PARTITION BY RANGE (id)"
FUNCTION = "CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql AS 'SELECT 1'"
TRIGGER = (
    "CREATE FUNCTION tf() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"
    "CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION tf()"
)
SERVER = "CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w"
EVENT = "CREATE FUNCTION ef() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'"

#: What there is before, the statement, and a property that it changes. A table `t` with some columns is there.
CASES: list[tuple[str, str, str, str]] = [
    # schemas, extensions
    ("", "CREATE SCHEMA s", "schema s", "exists"),
    ("CREATE SCHEMA s", "COMMENT ON SCHEMA s IS 'c'", "schema s", "comment"),
    ("CREATE SCHEMA s", "GRANT USAGE ON SCHEMA s TO replay", "schema s", "privileges of replay"),
    ("", "CREATE EXTENSION citext", "extension citext", "exists"),
    # tables and views
    ("", "CREATE TABLE u ()", "table public.u", "exists"),
    ("", "DROP TABLE t", "table public.t", "exists"),
    ("", "ALTER TABLE t RENAME TO u", "table public.u", "exists"),
    ("CREATE SCHEMA s", "ALTER TABLE t SET SCHEMA s", "table s.t", "exists"),
    ("", "ALTER TABLE t SET UNLOGGED", "table public.t", "persistence"),
    ("", PARENT, "table public.p", "partition key"),
    (PARENT, "CREATE TABLE q PARTITION OF p FOR VALUES FROM (1) TO (9)", "table public.q", "partition bound"),
    (
        f"{PARENT}; CREATE TABLE q PARTITION OF p DEFAULT",
        "ALTER TABLE p DETACH PARTITION q",
        "table public.q",
        "inherits",
    ),
    ("CREATE TABLE c (LIKE t)", "ALTER TABLE c INHERIT t", "table public.c", "inherits"),
    ("", "ALTER TABLE t ENABLE ROW LEVEL SECURITY", "table public.t", "row security"),
    ("", "ALTER TABLE t FORCE ROW LEVEL SECURITY", "table public.t", "row security"),
    ("", "ALTER TABLE t REPLICA IDENTITY FULL", "table public.t", "replica identity"),
    ("", "ALTER TABLE t REPLICA IDENTITY USING INDEX t_pkey", "table public.t", "replica identity"),
    ("", "ALTER TABLE t SET (fillfactor = 70)", "table public.t", "options"),
    ("", "COMMENT ON TABLE t IS 'c'", "table public.t", "comment"),
    ("", "CREATE VIEW v AS SELECT a FROM t", "view public.v", "exists"),
    (
        "CREATE VIEW v AS SELECT a FROM t",
        "CREATE OR REPLACE VIEW v AS SELECT a FROM t WHERE id > 0",
        "view public.v",
        "definition",
    ),
    ("CREATE VIEW v AS SELECT a FROM t", "ALTER VIEW v SET (security_invoker = true)", "view public.v", "options"),
    ("CREATE VIEW v AS SELECT a FROM t", "COMMENT ON VIEW v IS 'c'", "view public.v", "comment"),
    (
        "CREATE VIEW v AS SELECT a FROM t",
        "ALTER VIEW v ALTER COLUMN a SET DEFAULT 'x'",
        "view public.v",
        "column a default",
    ),
    ("", "CREATE MATERIALIZED VIEW m AS SELECT a FROM t", "materialized view public.m", "definition"),
    (
        "CREATE MATERIALIZED VIEW m AS SELECT a FROM t WITH NO DATA",
        "REFRESH MATERIALIZED VIEW m",
        "materialized view public.m",
        "populated",
    ),
    (SERVER, "CREATE FOREIGN TABLE r (a int) SERVER s", "foreign table public.r", "exists"),
    (
        f"{SERVER}; CREATE FOREIGN TABLE r (a int) SERVER s",
        "ALTER FOREIGN TABLE r ADD COLUMN b int",
        "foreign table public.r",
        "column b",
    ),
    # columns
    ("", "ALTER TABLE t ADD COLUMN n int", "table public.t", "column n"),
    ("", "ALTER TABLE t DROP COLUMN a", "table public.t", "column a"),
    ("", "ALTER TABLE t RENAME COLUMN a TO z", "table public.t", "column z"),
    ("", "ALTER TABLE t ALTER COLUMN a TYPE varchar(20)", "table public.t", "column a type"),
    ("", "ALTER TABLE t ALTER COLUMN v TYPE varchar(30)", "table public.t", "column v type"),
    ("", "ALTER TABLE t ALTER COLUMN a SET NOT NULL", "table public.t", "column a nullability"),
    ("", "ALTER TABLE t ALTER COLUMN a SET DEFAULT 'x'", "table public.t", "column a default"),
    (
        "ALTER TABLE t ALTER COLUMN a SET DEFAULT 'x'",
        "ALTER TABLE t ALTER COLUMN a SET DEFAULT 'y'",
        "table public.t",
        "column a default",
    ),
    ("", "ALTER TABLE t ADD COLUMN n int GENERATED ALWAYS AS (id + 1) STORED", "table public.t", "column n generated"),
    ("", "ALTER TABLE t ADD COLUMN n int GENERATED ALWAYS AS (id + 1) VIRTUAL", "table public.t", "column n generated"),
    ("", "ALTER TABLE t ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY", "table public.t", "column id identity"),
    (
        "ALTER TABLE t ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY",
        "ALTER TABLE t ALTER COLUMN id SET GENERATED BY DEFAULT",
        "table public.t",
        "column id identity",
    ),
    ("", 'ALTER TABLE t ALTER COLUMN a TYPE text COLLATE "POSIX"', "table public.t", "column a collation"),
    ("", "ALTER TABLE t ALTER COLUMN a SET STORAGE EXTERNAL", "table public.t", "column a storage"),
    ("", "ALTER TABLE t ALTER COLUMN a SET STATISTICS 7", "table public.t", "column a statistics"),
    ("", "ALTER TABLE t ALTER COLUMN a SET COMPRESSION pglz", "table public.t", "column a compression"),
    ("", "ALTER TABLE t ALTER COLUMN a SET (n_distinct = 5)", "table public.t", "column a options"),
    ("", "COMMENT ON COLUMN t.a IS 'c'", "table public.t", "column a comment"),
    # constraints
    ("", "ALTER TABLE t ADD CONSTRAINT k CHECK (id > 0)", "table public.t", "constraint k"),
    ("", "ALTER TABLE t ADD CONSTRAINT k UNIQUE (a)", "table public.t", "constraint k"),
    ("", "ALTER TABLE t ADD CONSTRAINT k FOREIGN KEY (id) REFERENCES t", "table public.t", "constraint k"),
    ("", "ALTER TABLE t ADD CONSTRAINT k EXCLUDE USING btree (a WITH =)", "table public.t", "constraint k"),
    ("", "ALTER TABLE t DROP CONSTRAINT t_pkey", "table public.t", "constraint t_pkey"),
    (
        "ALTER TABLE t ADD CONSTRAINT k CHECK (id > 0) NOT VALID",
        "ALTER TABLE t VALIDATE CONSTRAINT k",
        "table public.t",
        "constraint k",
    ),
    (
        "ALTER TABLE t ADD CONSTRAINT k FOREIGN KEY (id) REFERENCES t",
        "ALTER TABLE t ALTER CONSTRAINT k DEFERRABLE",
        "table public.t",
        "constraint k",
    ),
    ("", "ALTER TABLE t RENAME CONSTRAINT t_pkey TO k", "table public.t", "constraint k"),
    ("", "COMMENT ON CONSTRAINT t_pkey ON t IS 'c'", "table public.t", "constraint t_pkey comment"),
    # indexes; each second statement makes the same index otherwise
    ("", "CREATE INDEX i ON t (a)", "index public.i", "exists"),
    ("CREATE INDEX i ON t (a)", "DROP INDEX i", "index public.i", "exists"),
    (
        "CREATE TABLE u (a text); CREATE INDEX i ON t (a)",
        "DROP INDEX i; CREATE INDEX i ON u (a)",
        "index public.i",
        "table",
    ),
    ("CREATE INDEX i ON t (a)", "DROP INDEX i; CREATE INDEX i ON t USING hash (a)", "index public.i", "method"),
    ("CREATE INDEX i ON t (a)", "DROP INDEX i; CREATE UNIQUE INDEX i ON t (a)", "index public.i", "unique"),
    (
        "CREATE UNIQUE INDEX i ON t (a)",
        "DROP INDEX i; CREATE UNIQUE INDEX i ON t (a) NULLS NOT DISTINCT",
        "index public.i",
        "unique",
    ),
    ("CREATE INDEX i ON t (a)", "DROP INDEX i; CREATE INDEX i ON t (id)", "index public.i", "columns"),
    ("CREATE INDEX i ON t (a)", "DROP INDEX i; CREATE INDEX i ON t (a DESC)", "index public.i", "columns"),
    ("CREATE INDEX i ON t (a)", "DROP INDEX i; CREATE INDEX i ON t (a NULLS FIRST)", "index public.i", "columns"),
    (
        "CREATE INDEX i ON t (a DESC)",
        "DROP INDEX i; CREATE INDEX i ON t (a DESC NULLS LAST)",
        "index public.i",
        "columns",
    ),
    ("CREATE INDEX i ON t (a)", "DROP INDEX i; CREATE INDEX i ON t (a text_pattern_ops)", "index public.i", "columns"),
    ("CREATE INDEX i ON t (a)", 'DROP INDEX i; CREATE INDEX i ON t (a COLLATE "POSIX")', "index public.i", "columns"),
    ("CREATE INDEX i ON t (lower(a))", "DROP INDEX i; CREATE INDEX i ON t (upper(a))", "index public.i", "columns"),
    ("CREATE INDEX i ON t (a, id)", "DROP INDEX i; CREATE INDEX i ON t (id, a)", "index public.i", "columns"),
    ("CREATE INDEX i ON t (a)", "DROP INDEX i; CREATE INDEX i ON t (a) INCLUDE (id)", "index public.i", "include"),
    ("CREATE INDEX i ON t (a)", "DROP INDEX i; CREATE INDEX i ON t (a) WHERE id > 0", "index public.i", "predicate"),
    (
        "CREATE INDEX i ON t (a)",
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'i'::regclass",
        "index public.i",
        "valid",
    ),
    ("CREATE INDEX i ON t (a)", "ALTER TABLE t CLUSTER ON i", "index public.i", "clustered"),
    ("CREATE INDEX i ON t (a)", "ALTER INDEX i SET (fillfactor = 50)", "index public.i", "options"),
    ("CREATE INDEX i ON t (a)", "COMMENT ON INDEX i IS 'c'", "index public.i", "comment"),
    # triggers, rules, policies
    ("", TRIGGER, "table public.t", "trigger g"),
    (TRIGGER, "ALTER TABLE t DISABLE TRIGGER g", "table public.t", "trigger g enabled"),
    (TRIGGER, "COMMENT ON TRIGGER g ON t IS 'c'", "table public.t", "trigger g comment"),
    (
        f"{TRIGGER}; CREATE VIEW v AS SELECT a FROM t",
        "CREATE TRIGGER h INSTEAD OF INSERT ON v FOR EACH ROW EXECUTE FUNCTION tf()",
        "view public.v",
        "trigger h",
    ),
    ("", "CREATE RULE r AS ON DELETE TO t DO INSTEAD NOTHING", "table public.t", "rule r"),
    ("CREATE RULE r AS ON DELETE TO t DO INSTEAD NOTHING", "ALTER TABLE t DISABLE RULE r", "table public.t", "rule r"),
    ("", "CREATE POLICY y ON t USING (true)", "table public.t", "policy y"),
    ("CREATE POLICY y ON t USING (true)", "ALTER POLICY y ON t USING (false)", "table public.t", "policy y"),
    ("CREATE POLICY y ON t USING (true)", "ALTER POLICY y ON t WITH CHECK (true)", "table public.t", "policy y"),
    ("CREATE POLICY y ON t USING (true)", "ALTER POLICY y ON t TO replay", "table public.t", "policy y"),
    (
        "CREATE POLICY y ON t USING (true)",
        "DROP POLICY y ON t; CREATE POLICY y ON t AS RESTRICTIVE USING (true)",
        "table public.t",
        "policy y",
    ),
    (
        "CREATE POLICY y ON t USING (true)",
        "DROP POLICY y ON t; CREATE POLICY y ON t FOR SELECT USING (true)",
        "table public.t",
        "policy y",
    ),
    # privileges
    ("", "GRANT SELECT ON t TO replay", "table public.t", "privileges of replay"),
    ("GRANT SELECT ON t TO replay", "GRANT INSERT ON t TO replay", "table public.t", "privileges of replay"),
    (
        "GRANT SELECT ON t TO replay",
        "GRANT SELECT ON t TO replay WITH GRANT OPTION",
        "table public.t",
        "privileges of replay",
    ),
    ("", "GRANT SELECT ON t TO PUBLIC", "table public.t", "privileges of public"),
    ("CREATE SEQUENCE q", "GRANT USAGE ON SEQUENCE q TO replay", "sequence public.q", "privileges of replay"),
    # sequences
    ("", "CREATE SEQUENCE q", "sequence public.q", "exists"),
    ("CREATE SEQUENCE q", "ALTER SEQUENCE q AS smallint", "sequence public.q", "type"),
    ("CREATE SEQUENCE q", "ALTER SEQUENCE q START 5", "sequence public.q", "start"),
    ("CREATE SEQUENCE q", "ALTER SEQUENCE q INCREMENT 5", "sequence public.q", "increment"),
    ("CREATE SEQUENCE q", "ALTER SEQUENCE q MINVALUE -5", "sequence public.q", "minimum"),
    ("CREATE SEQUENCE q", "ALTER SEQUENCE q MAXVALUE 500", "sequence public.q", "maximum"),
    ("CREATE SEQUENCE q", "ALTER SEQUENCE q CACHE 5", "sequence public.q", "cache"),
    ("CREATE SEQUENCE q", "ALTER SEQUENCE q CYCLE", "sequence public.q", "cycle"),
    ("CREATE SEQUENCE q", "ALTER SEQUENCE q OWNED BY t.id", "sequence public.q", "owned by"),
    ("CREATE SEQUENCE q", "COMMENT ON SEQUENCE q IS 'c'", "sequence public.q", "comment"),
    # types
    ("", "CREATE TYPE e AS ENUM ('p')", "type public.e", "exists"),
    ("CREATE TYPE e AS ENUM ('p')", "ALTER TYPE e ADD VALUE 'q'", "type public.e", "labels"),
    ("CREATE TYPE e AS ENUM ('p')", "ALTER TYPE e RENAME VALUE 'p' TO 'q'", "type public.e", "labels"),
    ("CREATE TYPE e AS ENUM ('p', 'q')", "DROP TYPE e; CREATE TYPE e AS ENUM ('q', 'p')", "type public.e", "labels"),
    ("CREATE TYPE e AS ENUM ('p')", "DROP TYPE e; CREATE DOMAIN e AS int", "type public.e", "kind"),
    ("CREATE DOMAIN d AS int", "DROP DOMAIN d; CREATE DOMAIN d AS bigint", "type public.d", "base type"),
    ("CREATE DOMAIN d AS int", "ALTER DOMAIN d SET NOT NULL", "type public.d", "nullability"),
    ("CREATE DOMAIN d AS int", "ALTER DOMAIN d SET DEFAULT 7", "type public.d", "default"),
    ("CREATE DOMAIN d AS int", "ALTER DOMAIN d ADD CONSTRAINT k CHECK (VALUE > 0)", "type public.d", "constraints"),
    ("CREATE TYPE o AS (a int)", "ALTER TYPE o ADD ATTRIBUTE b int", "type public.o", "attributes"),
    (
        "CREATE TYPE r AS RANGE (SUBTYPE = int)",
        "DROP TYPE r; CREATE TYPE r AS RANGE (SUBTYPE = bigint)",
        "type public.r",
        "subtype",
    ),
    ("CREATE TYPE e AS ENUM ('p')", "COMMENT ON TYPE e IS 'c'", "type public.e", "comment"),
    # functions
    ("", FUNCTION, "function public.f(a integer)", "exists"),
    (
        FUNCTION,
        "CREATE FUNCTION f(a text) RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "function public.f(a text)",
        "exists",
    ),
    (
        FUNCTION,
        "CREATE OR REPLACE FUNCTION f(a int DEFAULT 1) RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "function public.f(a integer)",
        "arguments",
    ),
    (
        FUNCTION,
        "DROP FUNCTION f; CREATE FUNCTION f(a int) RETURNS bigint LANGUAGE sql AS 'SELECT 1'",
        "function public.f(a integer)",
        "result",
    ),
    (
        FUNCTION,
        "CREATE OR REPLACE FUNCTION f(a int) RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN 1; END'",
        "function public.f(a integer)",
        "language",
    ),
    (
        FUNCTION,
        "CREATE OR REPLACE FUNCTION f(a int) RETURNS int LANGUAGE sql AS 'SELECT 2'",
        "function public.f(a integer)",
        "body",
    ),
    (
        "CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql RETURN 1",
        "CREATE OR REPLACE FUNCTION f(a int) RETURNS int LANGUAGE sql RETURN 2",
        "function public.f(a integer)",
        "body",
    ),
    (FUNCTION, "ALTER FUNCTION f STABLE", "function public.f(a integer)", "volatility"),
    (FUNCTION, "ALTER FUNCTION f STRICT", "function public.f(a integer)", "volatility"),
    (FUNCTION, "ALTER FUNCTION f LEAKPROOF", "function public.f(a integer)", "volatility"),
    (FUNCTION, "ALTER FUNCTION f PARALLEL SAFE", "function public.f(a integer)", "volatility"),
    (FUNCTION, "ALTER FUNCTION f SECURITY DEFINER", "function public.f(a integer)", "security"),
    (FUNCTION, "ALTER FUNCTION f COST 7", "function public.f(a integer)", "cost"),
    (FUNCTION, "ALTER FUNCTION f SET search_path = ''", "function public.f(a integer)", "settings"),
    (FUNCTION, "COMMENT ON FUNCTION f IS 'c'", "function public.f(a integer)", "comment"),
    ("", "CREATE PROCEDURE f() LANGUAGE sql AS 'SELECT 1'", "procedure public.f()", "body"),
    ("", "CREATE AGGREGATE g(int) (SFUNC = int4pl, STYPE = int)", "aggregate public.g(integer)", "exists"),
    # statistics, publications, event triggers
    ("", "CREATE STATISTICS z ON id, a FROM t", "statistics public.z", "exists"),
    (
        "CREATE STATISTICS z ON id, a FROM t",
        "DROP STATISTICS z; CREATE STATISTICS z ON id, v FROM t",
        "statistics public.z",
        "exists",
    ),
    ("", "CREATE PUBLICATION b", "publication b", "exists"),
    ("CREATE PUBLICATION b", "ALTER PUBLICATION b ADD TABLE t", "publication b", "tables"),
    ("CREATE PUBLICATION b", "ALTER PUBLICATION b SET (publish = 'insert')", "publication b", "publishes"),
    (EVENT, "CREATE EVENT TRIGGER x ON ddl_command_start EXECUTE FUNCTION ef()", "event trigger x", "exists"),
    (
        f"{EVENT}; CREATE EVENT TRIGGER x ON ddl_command_end EXECUTE FUNCTION ef()",
        "ALTER EVENT TRIGGER x DISABLE",
        "event trigger x",
        "exists",
    ),
]  # fmt: skip


@pytest.fixture(scope="module")
def database(server: ScratchServer) -> Iterator[Connection]:
    """A database with one table, as a superuser: every kind of object can be made in it."""
    name = server.create()
    with server.connect(name, superuser=True) as connection:
        connection.execute("CREATE TABLE t (id int PRIMARY KEY, a text, v varchar(10))")
        yield connection
    server.drop(name)


@pytest.fixture
def transaction(database: Connection) -> Iterator[Connection]:
    """The same, inside a transaction that is undone."""
    database.execute("BEGIN")
    yield database
    database.execute("ROLLBACK")


@pytest.mark.parametrize(("setup", "ddl", "obj", "prop"), CASES, ids=[case[1][:60] for case in CASES])
def test_each_property_is_seen(transaction: Connection, setup: str, ddl: str, obj: str, prop: str) -> None:
    """The statement changes that property in the snapshot, and reading its objects alone shows the same."""
    transaction.execute(setup.encode())
    before = catalog.read(transaction)
    transaction.execute(ddl.encode())
    after = catalog.read(transaction)
    assert before.get((obj, prop)) != after.get((obj, prop))
    objects = {key[0] for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
    scoped = catalog.read(transaction, scope_of(objects))
    assert {key: v for key, v in scoped.items() if key[0] in objects} == {
        key: v for key, v in after.items() if key[0] in objects
    }
    assert scoped.items() <= after.items()


def test_every_block_is_tried() -> None:
    """Each property that catalog.sql names is the subject of a case above."""
    text = files("recovery.postgres").joinpath("catalog.sql").read_text("utf-8")
    properties = set(re.findall(r"^    \('([a-z ]+)', ", text, re.MULTILINE))
    tried = {prop for _, _, _, prop in CASES}
    tried |= {prop.rsplit(" ", 1)[-1] for prop in tried}
    assert {each.strip() for each in properties} - tried == set()


def test_a_table_in_scope_brings_what_hangs_on_it(transaction: Connection) -> None:
    """A scope of one table reads its indexes too, whatever their names, and nothing of other tables."""
    transaction.execute("CREATE INDEX other ON t (a); CREATE TABLE u (id int); CREATE INDEX third ON u (id)")
    read = catalog.read(transaction, Scope(frozenset({("public", "t")})))
    assert {obj for obj, _ in read} == {"table public.t", "index public.t_pkey", "index public.other"}


def test_scopes_add_up(transaction: Connection) -> None:
    """Two scopes read together what each reads alone; an empty one reads nothing."""
    transaction.execute("CREATE TABLE u (id int); CREATE SCHEMA s")
    one, two = scope_of(["table public.t"]), scope_of(["table public.u", "schema s"])
    both = catalog.read(transaction, one | two)
    assert both == {**catalog.read(transaction, one), **catalog.read(transaction, two)}
    assert ("schema s", "exists") in both
    assert catalog.read(transaction, Scope()) == {}


NAMES = [
    "User",
    "order",
    'say "hi"',
    "ta.ble",
    "a (b)",
    "per%cent",
    "täble",
    "a'b",
    "back\\slash",
    "public.t",
    "{scope}",
]


@pytest.mark.parametrize("name", NAMES)
def test_names_that_need_quotes(transaction: Connection, name: str) -> None:
    """Any name is read, alone as well as among all, and found again by the name in the snapshot."""
    quoted = '"' + name.replace('"', '""') + '"'
    transaction.execute(f"CREATE SCHEMA {quoted}; CREATE TABLE {quoted}.{quoted} ({quoted} int)".encode())
    full = catalog.read(transaction)
    objects = [obj for obj, prop in full if prop == "exists" and obj.startswith("table ") and obj != "table public.t"]
    assert objects == [f"table {quoted}.{quoted}"]
    assert full[objects[0], f"column {quoted}"] == "exists"
    wanted = {*objects, f"schema {quoted}"}
    assert catalog.read(transaction, scope_of(wanted)) == {k: v for k, v in full.items() if k[0] in wanted}


def test_a_name_that_is_none() -> None:
    """What no snapshot calls an object is refused rather than read as nothing."""
    with pytest.raises(ValueError, match="not an object"):
        scope_of(["nothing"])


SETTINGS = "SELECT name, setting FROM pg_settings WHERE context = 'user' ORDER BY name"


@pytest.mark.parametrize("inside", [False, True])
@pytest.mark.parametrize("path", ["public", '"$user", public', "pg_catalog, public", ""])
def test_the_session_is_left_as_it_was(database: Connection, path: str, *, inside: bool) -> None:
    """Settings, search path and transaction of the session are the same after reading."""
    database.execute("SELECT set_config('search_path', %s, false)", (path,))
    try:
        if inside:
            database.execute("BEGIN")
        before = database.execute(SETTINGS).fetchall()
        status = database.info.transaction_status
        assert catalog.read(database)
        assert database.execute(SETTINGS).fetchall() == before
        assert database.info.transaction_status == status
        if inside:
            database.execute("COMMIT")
            assert database.execute(SETTINGS).fetchall() == before
    finally:
        database.execute("ROLLBACK; RESET search_path")


#: Settings that change how PostgreSQL writes an expression down.
WRITING = [
    ("timezone", "Asia/Tokyo"),
    ("datestyle", "German"),
    ("intervalstyle", "sql_standard"),
    ("quote_all_identifiers", "on"),
    ("extra_float_digits", "-15"),
    ("bytea_output", "escape"),
    ("search_path", "s"),
]


@pytest.mark.parametrize(("setting", "value"), WRITING)
def test_settings_of_a_database_change_no_value(transaction: Connection, setting: str, value: str) -> None:
    """The same schema reads alike whatever the session's settings: production's are its own (E13)."""
    transaction.execute(
        "CREATE SCHEMA s; CREATE TABLE s.w (at timestamptz DEFAULT '2020-01-02 03:04:05+00',"
        " long interval DEFAULT '1 day 2 hours', f float8 DEFAULT 0.1234567890123456::float8,"
        " b bytea DEFAULT '\\x00ff',"
        " d date CHECK (d > '2020-01-02'::date));"
        " CREATE VIEW s.y AS SELECT at, '1.23456789'::float8 AS f FROM s.w WHERE at > '2020-01-02 03:04:05+00'"
    )
    before = catalog.read(transaction)
    transaction.execute("SELECT set_config(%s, %s, true)", (setting, value))
    assert catalog.read(transaction) == before
    assert transaction.execute("SELECT current_setting(%s)", (setting,)).fetchone() != ("",)


def test_objects_of_extensions_and_sessions_are_nobodys(transaction: Connection) -> None:
    """An extension's functions and types, and temporary tables, are no part of a schema."""
    before = catalog.read(transaction)
    transaction.execute(
        "CREATE EXTENSION citext; CREATE TEMP TABLE tmp (id int PRIMARY KEY); CREATE TEMP VIEW tv AS SELECT 1"
    )
    after = catalog.read(transaction)
    assert after.keys() - before.keys() == {("extension citext", "exists")}
    assert before.items() <= after.items()


def test_system_objects_are_nobodys(database: Connection) -> None:
    """A fresh database shows its table, its schema and nothing of the system's."""
    assert {obj for obj, _ in catalog.read(database)} == {"schema public", "table public.t", "index public.t_pkey"}
