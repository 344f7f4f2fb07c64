"""The schema after a statement, read in part: it is what reading all of it gives."""

from pathlib import Path

import pytest

from recovery.postgres import catalog
from recovery.replay.again import Reader
from recovery.replay.scratch import ScratchServer
from recovery.sql.statements import parse
from tests import staging
from tests.staging.bench_readings import PATH, held
from tests.staging.histories import Source, read_history

#: Statements that change more than their own table: indexes, sequences, constraints with names of PostgreSQL's choice.
SCRIPT = """
CREATE TYPE "Kind" AS ENUM ('a');
CREATE TABLE u (id serial PRIMARY KEY, n int GENERATED ALWAYS AS IDENTITY, k "Kind" DEFAULT 'a', a text UNIQUE);
CREATE TABLE "U.x" (id int, u int REFERENCES u, CONSTRAINT "U.x_key" UNIQUE (id, u));
GRANT SELECT ON u TO PUBLIC;
GRANT SELECT (a), UPDATE (k) ON u TO PUBLIC;
COMMENT ON COLUMN u.a IS 'said';
CREATE INDEX ON u (lower(a));
ALTER TABLE u REPLICA IDENTITY USING INDEX u_pkey;
ALTER TABLE u CLUSTER ON u_a_key;
ALTER TYPE "Kind" ADD VALUE 'b';
ALTER TABLE u ALTER id TYPE bigint, ALTER n TYPE bigint;
ALTER TABLE u DROP CONSTRAINT u_a_key;
ALTER TABLE u ADD COLUMN more int DEFAULT 1 NOT NULL CHECK (more > 0), ADD EXCLUDE USING btree (more WITH =);
ALTER TABLE u DROP COLUMN a, DROP COLUMN n;
CREATE VIEW v AS SELECT id FROM u;
CREATE OR REPLACE VIEW v AS SELECT id, k FROM u;
CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
GRANT EXECUTE ON FUNCTION f() TO PUBLIC;
CREATE OR REPLACE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN OLD; END';
CREATE CONSTRAINT TRIGGER g AFTER INSERT ON u FOR EACH ROW EXECUTE FUNCTION f();
ALTER TABLE u ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON u USING (true);
CREATE SCHEMA other;
CREATE TABLE other.u (id serial);
DROP INDEX u_lower_idx;
DROP VIEW v;
DROP TABLE "U.x";
DROP TABLE u;
DROP TYPE "Kind";
"""


def test_a_part_of_the_schema_is_read_as_all_of_it(server: ScratchServer) -> None:
    """After each confined statement; `scripts/bench readings` holds whole histories to this."""
    folder = Path(staging.__file__).parent / "project" / "prisma" / "migrations"
    found = held(server, [*read_history(folder), Source("last", SCRIPT)])
    assert found.wrong == []
    assert found.confined > len(parse(SCRIPT)) - 10


@pytest.mark.parametrize(
    ("before", "script"),
    [
        ("CREATE TABLE p (id int); CREATE TABLE c () INHERITS (p)", "ALTER TABLE p ADD COLUMN a int"),
        ("CREATE TABLE p (id int, a int); CREATE STATISTICS s ON id, a FROM p", "ALTER TABLE p DROP COLUMN a"),
        (
            "CREATE TABLE p (id int) PARTITION BY LIST (id); CREATE TABLE c PARTITION OF p DEFAULT",
            "CREATE INDEX ON p (id)",
        ),
        ("ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC", "CREATE TABLE p (id int)"),
        ("CREATE TABLE p (id int); CREATE PUBLICATION b FOR TABLE p", "DROP TABLE p"),
    ],
    ids=["inherits", "statistics", "partition", "default privileges", "publication"],
)
def test_what_a_statement_does_beyond_what_it_names_is_read(server: ScratchServer, before: str, script: str) -> None:
    """There all of the schema is read again."""
    with server.connect(server.create(), superuser=True) as connection:
        connection.execute(before.encode())
        now = catalog.read(connection)
        (statement,) = parse(script)
        assert statement.confined
        newest = connection.execute("SELECT max(oid)::bigint FROM pg_class").fetchone()
        assert newest is not None
        reader = Reader(connection, now, newest[0], worth=0)
        connection.execute(script.encode())
        after = reader.after(statement, now, PATH)
        assert after == catalog.read(connection)
        assert after != now


@pytest.mark.parametrize(
    "script",
    [
        "ALTER TYPE e RENAME VALUE 'a' TO 'b'",
        "ALTER TABLE t RENAME TO u",
        "ALTER TABLE t ADD CONSTRAINT c UNIQUE USING INDEX i",
        "DROP TABLE t CASCADE",
        "CREATE TABLE c (LIKE t INCLUDING ALL)",
        "CREATE TABLE c PARTITION OF t DEFAULT",
        "DO $$ BEGIN ALTER TABLE t ADD a int; END $$",
    ],
)
def test_what_changes_others_than_it_names_is_not_confined(script: str) -> None:
    """A name that others show, an object that depends on the named one, or one that is copied."""
    (statement,) = parse(script)
    assert not statement.confined
