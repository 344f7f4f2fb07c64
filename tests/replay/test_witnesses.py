"""Rows in a scratch database, and what a script does to them: the allow-list of row_bearing is held to it (E18)."""

from dataclasses import replace
from typing import Any

import psycopg
import pytest

from recovery.replay.scratch import ScratchServer
from recovery.replay.walk import walk
from recovery.replay.witnesses import put, reached, unlike
from recovery.sql.row_bearing import RowWork
from recovery.sql.statements import Parsed, parse
from states.facts import Visibility
from tests.replay.conftest import Replaying

BASE = """
CREATE TYPE mood AS ENUM ('low', 'high');
CREATE DOMAIN short AS varchar(5);
CREATE TABLE parents (id serial PRIMARY KEY, name text NOT NULL, mood mood DEFAULT 'low');
CREATE TABLE t (id int PRIMARY KEY, a text, b text, n numeric(6, 2), parent int REFERENCES parents (id),
    x timestamptz, full_name text GENERATED ALWAYS AS (b || '!') STORED);
CREATE TABLE far (id int PRIMARY KEY);
CREATE SEQUENCE counting;
SELECT nextval('counting');
CREATE MATERIALIZED VIEW counted AS SELECT count(*) AS n FROM t;
"""
#: Statements that the allow-list takes for working on rows, each of them shown to do so.
WORKING = [
    "UPDATE t SET a = 'z'",
    "INSERT INTO t (id) VALUES (1)",
    "DELETE FROM t WHERE a IS NULL",
    "TRUNCATE parents CASCADE",
    "ALTER TABLE t DROP COLUMN x; ALTER TABLE t ADD COLUMN x timestamptz DEFAULT '2020-01-01'",
    "ALTER TABLE t ADD COLUMN filled int DEFAULT 5",
    "ALTER TABLE t ADD COLUMN numbered serial",
    "ALTER TABLE t ALTER COLUMN a TYPE varchar(1) USING left(a, 1)",
    "ALTER TABLE t ALTER COLUMN n TYPE int",
    "SELECT nextval('counting')",
    "REFRESH MATERIALIZED VIEW counted",
    "CREATE TABLE u AS TABLE t",
    "DO $$ BEGIN UPDATE t SET a = 'z'; END $$",
]
#: Statements of which a run on rows shows nothing: what they do shows in the schema alone.
LEAVING = [
    "ALTER TABLE t ADD COLUMN c int; CREATE INDEX i ON t (a); ALTER TABLE t ALTER COLUMN a SET DEFAULT 'q'",
    "CREATE TABLE u (id serial PRIMARY KEY, a int REFERENCES t (id)); CREATE VIEW v AS SELECT 1 AS one FROM t",
    "ALTER TABLE t ADD COLUMN g int GENERATED ALWAYS AS (id + 1) STORED; ALTER TABLE t DROP COLUMN x",
    "ALTER TYPE mood ADD VALUE 'higher'; ALTER TYPE mood RENAME VALUE 'low' TO 'lowest'",
    "ALTER TABLE t DROP CONSTRAINT t_parent_fkey; DROP TABLE far; COMMENT ON TABLE t IS 'it'",
    "SET timezone = 'Asia/Tokyo'; ALTER TABLE t ADD COLUMN c int",
    "ALTER TABLE parents RENAME TO elders; ALTER TABLE t RENAME COLUMN a TO alpha",
    "CREATE SEQUENCE s2 START 7; ALTER TABLE parents ALTER COLUMN id SET DEFAULT nextval('s2')",
]


def held(server: ScratchServer, replaying: Replaying, script: str, *, blind: bool) -> dict[int, str]:
    """What a run on rows shows of a script, of which nothing is known beforehand if `blind`."""
    history = replaying.history(BASE)
    parsed: tuple[Parsed, ...] = parse(script)
    if blind:
        parsed = tuple(replace(statement, work=RowWork()) for statement in parsed)
    with on(server, history._database, superuser=True) as connection:  # noqa: SLF001
        connection.execute("SET search_path = public")
        connection.execute("BEGIN")
        last = walk(connection, parse(script)).snapshots[-1]
        connection.execute("ROLLBACK")
        witnesses = put(connection, reached(connection, parsed))
    with on(server, history._database) as connection:  # noqa: SLF001
        connection.execute("SET search_path = public")
        connection.execute("BEGIN")
        found = unlike(connection, parsed, witnesses, last)
        connection.execute("ROLLBACK")
    return found


def on(server: ScratchServer, database: str, *, superuser: bool = False) -> psycopg.Connection[Any]:
    """A session on a history's database."""
    return server.connect(database, superuser=superuser)


@pytest.mark.parametrize("script", WORKING)
def test_work_on_rows_shows_without_a_list(server: ScratchServer, replaying: Replaying, script: str) -> None:
    """Each of these changes contents, whatever it is called."""
    assert held(server, replaying, script, blind=True)


@pytest.mark.parametrize("script", LEAVING)
def test_what_leaves_rows_alone_shows_nothing(server: ScratchServer, replaying: Replaying, script: str) -> None:
    """A false alarm would leave ordinary migrations to a person."""
    assert held(server, replaying, script, blind=False) == {}


def test_what_depends_on_rows_makes_another_schema_where_there_are_some(
    server: ScratchServer, replaying: Replaying
) -> None:
    """One world's steps then prove nothing."""
    block = "DO $$ BEGIN IF EXISTS (SELECT 1 FROM t) THEN ALTER TABLE t DROP COLUMN b CASCADE; END IF; END $$"
    found = held(server, replaying, "ALTER TABLE t ADD COLUMN c int; " + block, blind=True)
    assert found == dict.fromkeys((1, 2), "the script does other things to the schema where there are rows")


@pytest.mark.parametrize(
    "demand", ["ALTER TABLE t ALTER COLUMN a SET NOT NULL", "CREATE UNIQUE INDEX i ON parents (mood)"]
)
def test_rows_that_stand_in_the_way_are_taken_away(server: ScratchServer, replaying: Replaying, demand: str) -> None:
    """A statement that some rows would make fail is run without any, and so is what comes after it."""
    assert held(server, replaying, f"{demand}; ALTER TABLE t ADD COLUMN c int", blind=True) == {}
    assert held(server, replaying, f"{demand}; INSERT INTO far VALUES (7)", blind=True).keys() == {2}


def test_tables_of_all_kinds_of_columns_get_rows(server: ScratchServer, replaying: Replaying) -> None:
    """Two whose values differ in each column, and one with nulls where they are allowed."""
    columns = (
        *("smallint", "bigint", "real", "numeric(3,1)", "text", "varchar(3)", "char(2)", "boolean", "date", "time"),
        *("timetz", "timestamp", "timestamptz", "interval", "uuid", "json", "jsonb", "bytea", "inet", "cidr"),
        *("int4range", "point", "tsvector", "text[]", "mood", "short", "xml", "money"),
    )
    made = ", ".join(f"c{number} {kind}" for number, kind in enumerate(columns))
    history = replaying.history(BASE, f"CREATE TABLE wide (id int PRIMARY KEY, {made})")
    with on(server, history._database, superuser=True) as connection:  # noqa: SLF001
        tables = reached(connection, parse("ALTER TABLE wide ADD COLUMN more int"))
        assert put(connection, tables).tables == tables
        nulls = connection.execute(
            "SELECT num_nulls(VARIADIC ARRAY(SELECT value FROM jsonb_each_text(to_jsonb(w)))) FROM wide w ORDER BY id"
        ).fetchall()
        different = connection.execute("SELECT count(DISTINCT c4), count(DISTINCT c8), count(DISTINCT c13) FROM wide")
        assert nulls[-1][0] == len(columns)
        assert nulls[0][0] <= 2, "only types of which nothing is known stay empty"
        assert different.fetchone() == (2, 2, 2)


def test_the_steps_of_a_script_are_held_to_it(replaying: Replaying, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a run on rows shows makes a statement open, although the schema shows it."""
    monkeypatch.setattr("recovery.sql.row_bearing._of_action", lambda *_: RowWork())
    replay = replaying.steps("ALTER TABLE t ADD COLUMN filled int DEFAULT 5; CREATE TABLE u (id int)", BASE)
    assert [statement.visibility for statement in replay.statements] == [Visibility.OPEN, Visibility.SEEN]
    assert replay.statements[0].why == "it changes rows, as running it on rows shows"
