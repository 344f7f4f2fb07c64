"""Rows within a transaction that is rolled back: what is found there is what a copy of the database would show."""

from collections.abc import Sequence
from dataclasses import replace

import psycopg
import pytest

from recovery.replay.history import HistoryReplay
from recovery.replay.rows_within import possible, rows_within
from recovery.replay.scratch import ScratchServer
from recovery.replay.witnesses import reached
from recovery.sql.script import Script
from recovery.sql.statements import parse
from states.facts import Replay, Visibility
from tests.replay.conftest import Replaying
from tests.replay.test_witnesses import BASE, LEAVING, WORKING

#: What an INSERT would set off, or be refused by.
GUARDED = """
CREATE TABLE log (what text);
CREATE TABLE watched (id int PRIMARY KEY, a int CHECK (a < 1000));
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''no''; END';
CREATE TRIGGER refusing BEFORE INSERT ON watched FOR EACH ROW EXECUTE FUNCTION refuse();
CREATE TABLE ruled (id int PRIMARY KEY, a int);
CREATE RULE telling AS ON INSERT TO ruled DO ALSO INSERT INTO log VALUES ('ruled');
CREATE TABLE child (id int PRIMARY KEY, watched int NOT NULL REFERENCES watched (id) DEFERRABLE INITIALLY DEFERRED);
"""
HIDDEN = """
CREATE TABLE hidden (id int PRIMARY KEY, a int);
ALTER TABLE hidden ENABLE ROW LEVEL SECURITY;
ALTER TABLE hidden FORCE ROW LEVEL SECURITY;
"""
#: Scripts that meet these.
MEETING = [
    "ALTER TABLE watched ADD COLUMN b int DEFAULT 5; ALTER TABLE child ADD COLUMN b int",
    "ALTER TABLE child DROP CONSTRAINT child_watched_fkey; ALTER TABLE child ALTER COLUMN watched TYPE bigint",
    "ALTER TABLE ruled ADD COLUMN b int; DROP RULE telling ON ruled",
    "UPDATE child SET watched = 2; ALTER TABLE child ADD COLUMN b int",
    "ALTER TABLE hidden ADD COLUMN b int; UPDATE hidden SET a = 2",
    "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE; ALTER TABLE t ADD COLUMN c int DEFAULT 5",
    "DO $$ BEGIN IF EXISTS (SELECT FROM child) THEN DROP TABLE log; END IF; END $$",
]


def steps(history: HistoryReplay, script: str) -> Replay:
    """The steps of a script, without the time that a default gives."""
    return replace(history.steps(Script("failed", "checksum", script)), filled={})


@pytest.fixture
def history(replaying: Replaying) -> HistoryReplay:
    """One whose tables are not alike."""
    return replaying.history(BASE, GUARDED, HIDDEN)


def oids(history: HistoryReplay, *tables: str) -> Sequence[int]:
    """The tables' oids."""
    return reached(history.connection, parse("; ".join(f"ALTER TABLE {table} ADD COLUMN z int" for table in tables)))


def counted(connection: psycopg.Connection, table: str) -> int:
    """The number of its rows."""
    row = connection.execute(f"SELECT count(*) FROM {table}".encode()).fetchone()
    return int(row[0]) if row else -1


@pytest.mark.parametrize("script", [*WORKING, *LEAVING, *MEETING])
def test_it_shows_what_a_copy_shows(history: HistoryReplay, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every statement is as visible, for the same reason, whichever way the rows got there."""
    within = steps(history, script)
    monkeypatch.setattr("recovery.replay.history.possible", lambda *_: False)
    assert steps(history, script) == within


def test_no_trigger_no_rule_and_no_foreign_key_minds(server: ScratchServer, history: HistoryReplay) -> None:
    """There are rows everywhere, and nothing was set off. The role may put them because it is let for that long."""
    tables = oids(history, "watched", "ruled", "child")
    connection = history.connection
    counts = ("watched", "ruled", "child", "log WHERE what = 'ruled'")
    with rows_within(server, history._database, connection, tables) as rows:  # noqa: SLF001
        assert rows is not None
        assert rows.tables == tables
        assert [counted(connection, table) for table in counts] == [3, 3, 3, 0]
        with pytest.raises(psycopg.errors.RaiseException):
            connection.execute("INSERT INTO watched VALUES (77, 1)")  # triggers are on again
    with rows_within(server, history._database, connection, oids(history, "ruled")):  # noqa: SLF001
        assert [counted(connection, table) for table in counts] == [0, 3, 0, 0]
    with rows_within(server, history._database, connection, oids(history, "child")):  # noqa: SLF001
        assert [counted(connection, table) for table in counts] == [3, 0, 3, 0]
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("SET session_replication_role = replica")
    assert [counted(connection, table) for table in counts] == [0, 0, 0, 0]


def test_sequences_are_set_back(replaying: Replaying) -> None:
    """No rollback does that. One that has given none gives its first number again; another goes on where it was."""
    base = "CREATE TABLE t (id int PRIMARY KEY, a int); CREATE SEQUENCE fresh; CREATE SEQUENCE used START 5;"
    history = replaying.history(
        f"{base} CREATE SEQUENCE placed; SELECT nextval('used'); SELECT setval('placed', 9, false)"
    )
    standing = (
        "SELECT 'fresh', last_value, is_called FROM fresh UNION ALL SELECT 'used', last_value, is_called FROM used"
    )
    standing += " UNION ALL SELECT 'placed', last_value, is_called FROM placed"
    before = history.connection.execute(standing.encode()).fetchall()
    assert before == [("fresh", 1, False), ("used", 5, True), ("placed", 9, False)]
    replay = steps(
        history, "ALTER TABLE t ALTER a TYPE int USING nextval('fresh') + nextval('used') + nextval('placed')"
    )
    assert replay.statements[0].visibility is not Visibility.SEEN
    assert history.connection.execute(standing.encode()).fetchall() == before


@pytest.mark.parametrize(
    "hides", ["SELECT 1", "CREATE SEQUENCE hidden_numbers; REVOKE ALL ON SEQUENCE hidden_numbers FROM CURRENT_USER"]
)
def test_where_the_role_may_not_there_are_no_rows(server: ScratchServer, replaying: Replaying, hides: str) -> None:
    """A table that row security hides from its owner, or a sequence that can't be set back: a copy is made instead."""
    history = replaying.history(HIDDEN, hides)
    hidden = oids(history, "hidden")
    history.extend([Script("open", "open", "CREATE TABLE open (id int PRIMARY KEY)")])
    tables = hidden if hides == "SELECT 1" else oids(history, "open")
    connection = history.connection
    with rows_within(server, history._database, connection, tables) as rows:  # noqa: SLF001
        assert rows is None
    assert connection.execute("SELECT 1").fetchone() == (1,)


def test_what_sets_its_transaction_up_runs_on_a_copy(server: ScratchServer) -> None:
    """PostgreSQL takes an isolation level before the first query only. And of a named server the roles are unknown."""
    named = ScratchServer(server._conninfo, None, None, "a named server")  # noqa: SLF001
    assert possible(server, "ALTER TABLE t ADD COLUMN c int")
    assert not possible(server, "set Transaction isolation level serializable")
    assert not possible(server, "SELECT set_config('transaction_deferrable', 'on', true)")
    assert not possible(named, "ALTER TABLE t ADD COLUMN c int")
