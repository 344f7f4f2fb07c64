"""What only the journal in PostgreSQL has to withstand."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from psycopg import errors

from recovery.errors import JournalError, RecoveryError, UnreachableError, UsageError
from recovery.journal import JournalEvent
from recovery.journal.postgres import PostgresJournal
from recovery.journal.postgres_schema import FORMAT, LOCK_TIMEOUT, MAKER_LOCK
from recovery.journal.stores import PostgresStore
from recovery.postgres import connect as connecting
from recovery.postgres.url import DatabaseUrl, parse
from states.exit_codes import Exit
from tests.journal.wire import Cut, Wire
from tests.staging import Server

REPOSITORY = Path(__file__).parents[2]
CHILD = {**os.environ, "PYTHONPATH": os.pathsep.join([str(REPOSITORY), *sys.path])}
OURS = "SELECT nspname FROM pg_namespace WHERE nspname = 'prisma_recovery'"


@pytest.fixture
def by_hand(database: str) -> Iterator[psycopg.Connection]:
    """The superuser, in autocommit."""
    with psycopg.connect(database, autocommit=True) as connection:
        yield connection


@pytest.fixture
def wire(server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Wire]:
    """Between the journal and its server; a server that is slow today must not decide."""
    monkeypatch.setitem(connecting._SETTINGS, "lock_timeout", "60000")  # noqa: SLF001 - the one place of our time-outs
    with Wire(server.host, server.port) as between:
        yield between


def through(wire: Wire, database: str) -> DatabaseUrl:
    """The database's URL, by way of the wire, with a password that nobody asks for."""
    return parse(f"postgresql://postgres:hush%2Fhush@127.0.0.1:{wire.port}/{database.rpartition('/')[2]}")


def role(by_hand: psycopg.Connection, database: str, name: str) -> DatabaseUrl:
    """A new role that may connect, and no more."""
    by_hand.execute(f"DROP ROLE IF EXISTS {name}")
    by_hand.execute(f"CREATE ROLE {name} LOGIN")
    return parse(database.replace("postgres@", f"{name}@"))


def filled(database: str, events: int = 3) -> tuple[JournalEvent, ...]:
    """Writes a journal with some events."""
    with closing(PostgresJournal.open(parse(database), "target")) as journal:
        return tuple(
            journal.append("run", "kind", "INSPECT", {"number": number, "text": "some text"})
            for number in range(events)
        )


def read(database: str, run: str = "run") -> tuple[JournalEvent, ...]:
    """The events of a run, by somebody else."""
    journal = PostgresJournal.find(parse(database), "target")
    assert journal is not None
    with closing(journal):
        return journal.events(run)


def refused(use: Callable[[], object]) -> str:
    """The code of the error that `use` ends with."""
    with pytest.raises(RecoveryError) as caught:
        use()
    assert caught.value.remedy
    return caught.value.code


def until(by_hand: psycopg.Connection, query: str) -> None:
    """Waits until `query` says true."""
    deadline = time.monotonic() + 60
    while by_hand.execute(query).fetchone() != (True,):
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.01)


class Appending(threading.Thread):
    """An append beside the test: its event, or the error that it ended with."""

    def __init__(self, journal: PostgresJournal) -> None:
        super().__init__(daemon=True)
        self._journal = journal
        self.outcome: JournalEvent | RecoveryError | None = None
        self.start()

    def run(self) -> None:
        """What the thread does."""
        try:
            self.outcome = self._journal.append("run", "mine", "s", {})
        except RecoveryError as error:
            self.outcome = error

    def end(self) -> JournalEvent | RecoveryError | None:
        """Waits for it."""
        self.join(60)
        assert not self.is_alive()
        return self.outcome


def test_what_is_acknowledged_is_durable_whatever_the_database_has_set(
    database: str, by_hand: psycopg.Connection
) -> None:
    """Each event is committed with `synchronous_commit` on, also after the connection was lost and made anew."""
    name = database.rpartition("/")[2]
    for setting in ("synchronous_commit = off", "default_transaction_isolation = 'repeatable read'"):
        by_hand.execute(f"ALTER DATABASE {name} SET {setting}")
    with closing(PostgresJournal.open(parse(database), "target")) as journal:
        by_hand.execute("CREATE TABLE seen (commit text, isolation text)")
        by_hand.execute(
            "CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.seen VALUES"
            " (current_setting('synchronous_commit'), current_setting('transaction_isolation')); RETURN NEW; END $$"
        )
        by_hand.execute(
            "CREATE TRIGGER look BEFORE INSERT ON prisma_recovery.event FOR EACH ROW EXECUTE FUNCTION look()"
        )
        journal.append("run", "k", "s", {})
        cut_off(by_hand)
        journal.append("run", "k", "s", {})
    assert by_hand.execute("SELECT * FROM seen").fetchall() == [("on", "read committed")] * 2


def cut_off(by_hand: psycopg.Connection) -> None:
    """Ends the journals' sessions, as a restart or an idle time-out does."""
    by_hand.execute(
        "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
        " WHERE datname = current_database() AND application_name = 'prisma-recovery journal'"
    )


def test_no_transaction_is_open_between_two_events(database: str, by_hand: psycopg.Connection) -> None:
    """Between appends and reads its session is idle and holds no snapshot, whatever runs meanwhile."""
    with closing(PostgresJournal.open(parse(database), "target")) as journal:
        for use in (lambda: journal.append("run", "k", "s", {}), lambda: journal.events("run"), journal.runs):
            use()
            assert by_hand.execute(
                "SELECT state, xact_start, backend_xmin, backend_xid FROM pg_stat_activity"
                " WHERE datname = current_database() AND application_name = 'prisma-recovery journal'"
            ).fetchall() == [("idle", None, None, None)]


def test_finding_makes_nothing(database: str, by_hand: psycopg.Connection) -> None:
    """Where there is no journal, looking for one finds none and makes none."""
    assert PostgresJournal.find(parse(database), "target") is None
    assert list(PostgresStore(parse(database)).everything()) == []
    assert by_hand.execute(OURS).fetchall() == []


def test_a_found_journal_can_be_read_and_not_written(database: str) -> None:
    """A journal opened to be read refuses to write."""
    filled(database)
    journal = PostgresJournal.find(parse(database), "target")
    assert journal is not None
    with closing(journal):
        assert len(journal.events("run")) == 3
        assert refused(lambda: journal.append("run", "k", "s", {})) == "journal.unwritable"
    assert len(read(database)) == 3


def test_everything_is_listed_with_its_target(database: str) -> None:
    """Targets and runs are listed with their events, oldest first."""
    for target, run in (("b", "2"), ("a", "9"), ("b", "1"), ("b", "2")):
        with closing(PostgresJournal.open(parse(database), target)) as journal:
            journal.append(run, "k", "s", {"of": target})
    found = [(target, run, len(events)) for target, run, events in PostgresStore(parse(database)).everything()]
    assert found == [("b", "2", 2), ("a", "9", 1), ("b", "1", 1)]


def test_many_processes_can_begin_the_same_journal(database: str) -> None:
    """Processes that open a new journal at the same time all succeed, and every event is kept."""
    code = """
import sys
from recovery.journal.postgres import PostgresJournal
from recovery.postgres.url import parse
sys.stdin.readline()
journal = PostgresJournal.open(parse(sys.argv[1]), "target")
for _ in range(5):
    journal.append(sys.argv[2], "k", "s", {})
journal.close()
"""
    children = [
        subprocess.Popen([sys.executable, "-c", code, database, str(number)], env=CHILD, stdin=subprocess.PIPE)
        for number in range(4)
    ]
    for child in children:
        assert child.stdin is not None
        child.stdin.close()
    assert [child.wait(60) for child in children] == [0] * 4
    assert {run: len(read(database, run)) for run in "0123"} == dict.fromkeys("0123", 5)


def test_a_maker_that_never_ends_is_not_waited_for(
    database: str, by_hand: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While somebody else makes the schema, opening tries, and gives up in bounded time with nothing made."""
    assert LOCK_TIMEOUT <= 10
    monkeypatch.setattr("recovery.journal.postgres_schema.LOCK_TIMEOUT", 0.1)
    by_hand.execute("SELECT pg_advisory_lock(%s)", (MAKER_LOCK,))
    assert refused(lambda: PostgresJournal.open(parse(database), "target")) == "journal.locked"
    assert by_hand.execute(OURS).fetchall() == []
    by_hand.execute("SELECT pg_advisory_unlock_all()")
    filled(database)


def test_a_newer_format_is_refused(database: str, by_hand: psycopg.Connection) -> None:
    """A journal of a newer release is neither read nor written."""
    filled(database)
    by_hand.execute(f"UPDATE prisma_recovery.format SET version = {FORMAT + 1}")
    for use in (PostgresJournal.open, PostgresJournal.find):
        assert refused(lambda use=use: use(parse(database), "target")) == "journal.newer_version"  # type: ignore[misc]


@pytest.mark.parametrize(
    "theirs",
    [
        "CREATE TABLE prisma_recovery.event (x int)",
        "CREATE TABLE prisma_recovery.event (x int); CREATE TABLE prisma_recovery.format (y int)",
        "CREATE TABLE prisma_recovery.event (x int); CREATE TABLE prisma_recovery.format (version int)",
        f"CREATE TABLE prisma_recovery.format AS SELECT {FORMAT} AS version",
    ],
)
def test_another_programs_schema_is_refused(database: str, by_hand: psycopg.Connection, theirs: str) -> None:
    """A schema of that name which is somebody else's is not written to."""
    by_hand.execute("CREATE SCHEMA prisma_recovery")
    by_hand.execute(theirs)
    for use in (PostgresJournal.open, PostgresJournal.find):
        assert refused(lambda use=use: use(parse(database), "target")) == "journal.corrupt"  # type: ignore[misc]


@pytest.mark.parametrize(
    "tampering",
    [
        "DELETE FROM prisma_recovery.event WHERE seq = 2",
        "DELETE FROM prisma_recovery.event WHERE seq = 1",
        "UPDATE prisma_recovery.event SET kind = 'unknown' WHERE seq = 2",
        "UPDATE prisma_recovery.event SET state = 'DEPLOY' WHERE seq = 2",
        "UPDATE prisma_recovery.event SET time = '2020-01-01T00:00:00+00:00' WHERE seq = 2",
        """UPDATE prisma_recovery.event SET payload = '{"number":7,"text":"some text"}' WHERE seq = 2""",
        "UPDATE prisma_recovery.event SET payload = '[]' WHERE seq = 2",
        "UPDATE prisma_recovery.event SET seq = 9 WHERE seq = 3",
        "UPDATE prisma_recovery.event SET seq = seq + 9",
        """ALTER TABLE prisma_recovery.event DROP CONSTRAINT event_target_run_seq_key;
        INSERT INTO prisma_recovery.event (target, run, seq, time, kind, state, payload, writer, digest)
        SELECT target, run, seq, time, kind, state, payload, writer, digest FROM prisma_recovery.event WHERE seq = 2""",
        "ALTER TABLE prisma_recovery.event DROP COLUMN kind",
    ],
)
def test_tampering_is_noticed(database: str, by_hand: psycopg.Connection, tampering: str) -> None:
    """A gap, a duplicate, or a value that was changed by hand is not read as if the run were whole."""
    filled(database)
    by_hand.execute(tampering)
    assert refused(lambda: read(database)) == "journal.corrupt"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE prisma_recovery.event SET kind = 'x'",
        "DELETE FROM prisma_recovery.event",
        "TRUNCATE prisma_recovery.event",
    ],
)
def test_whoever_writes_it_may_only_append(database: str, by_hand: psycopg.Connection, statement: str) -> None:
    """The role that the journal works as can neither change nor remove an event."""
    url = role(by_hand, database, "appender")
    by_hand.execute("CREATE SCHEMA prisma_recovery AUTHORIZATION appender")
    filled(url.url)
    with psycopg.connect(url.url) as connection, pytest.raises(errors.InsufficientPrivilege):
        connection.execute(statement)
    assert len(read(url.url)) == 3


def test_a_role_that_may_not_make_it_is_told_how(database: str, by_hand: psycopg.Connection) -> None:
    """Without CREATE on the database nothing is made, and what the owner has to run is said; then it works."""
    url = role(by_hand, database, "unprivileged")
    with pytest.raises(JournalError) as caught:
        PostgresJournal.open(url, "target")
    assert caught.value.code == "journal.not_permitted"
    assert "CREATE SCHEMA prisma_recovery AUTHORIZATION unprivileged" in caught.value.remedy
    assert by_hand.execute(OURS).fetchall() == []
    by_hand.execute("CREATE SCHEMA prisma_recovery AUTHORIZATION unprivileged")
    assert len(filled(url.url)) == 3


def test_a_role_that_may_not_use_it_is_told_how(database: str, by_hand: psycopg.Connection) -> None:
    """Another role's journal is neither read nor written without its grants; with them it is."""
    filled(database)
    url = role(by_hand, database, "stranger")
    for use in (PostgresJournal.open, PostgresJournal.find):
        assert refused(lambda use=use: use(url, "target")) == "journal.not_permitted"  # type: ignore[misc]
    by_hand.execute("GRANT USAGE ON SCHEMA prisma_recovery TO stranger")
    by_hand.execute("GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA prisma_recovery TO stranger")
    filled(url.url, 1)
    assert len(read(url.url)) == 4
    by_hand.execute("DROP OWNED BY stranger")


@pytest.mark.parametrize("cut", ["before it arrives", "before the answer"])
def test_an_event_is_written_once_though_the_connection_breaks(database: str, wire: Wire, cut: Cut) -> None:
    """Lost on the way, or committed and the answer lost: in the end the event is there, and there once."""
    with closing(PostgresJournal.open(through(wire, database), "target")) as journal:
        first = journal.append("run", "first", "s", {})
        wire.cut = cut
        second = journal.append("run", "second", "s", {})
        assert wire.cut == ""
        third = journal.append("run", "third", "s", {})
    assert read(database) == (first, second, third)


def test_an_event_that_is_still_being_committed_is_waited_for(
    database: str, wire: Wire, by_hand: psycopg.Connection
) -> None:
    """The lost connection's backend is still at it: the second try waits for its end, and finds the event there."""
    with closing(PostgresJournal.open(through(wire, database), "target")) as journal:
        by_hand.execute(
            "CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS $$"
            " BEGIN PERFORM pg_advisory_xact_lock_shared(1); RETURN NULL; END $$"
        )
        by_hand.execute(
            "CREATE CONSTRAINT TRIGGER hold AFTER INSERT ON prisma_recovery.event"
            " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION hold()"
        )
        by_hand.execute("SELECT pg_advisory_lock(1)")
        wire.cut = "at once"
        appending = Appending(journal)
        until(by_hand, "SELECT count(*) = 1 FROM pg_locks WHERE NOT granted AND locktype = 'advisory'")
        until(by_hand, "SELECT count(*) = 1 FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'")
        by_hand.execute("SELECT pg_advisory_unlock(1)")
        event = appending.end()
    assert isinstance(event, JournalEvent)
    assert read(database) == (event,)


def test_who_comes_second_to_a_place_gets_a_conflict(database: str, by_hand: psycopg.Connection, wire: Wire) -> None:
    """An event that another writer is just committing there is waited for and not overwritten."""
    filled(database, 1)
    with closing(PostgresJournal.open(through(wire, database), "target")) as journal:
        journal.events("run")
        with psycopg.connect(database) as rival:
            rival.execute(
                "INSERT INTO prisma_recovery.event (target, run, seq, time, kind, state, payload, writer, digest)"
                " SELECT target, run, 2, time, kind, state, payload, writer, digest FROM prisma_recovery.event"
            )
            appending = Appending(journal)
            until(by_hand, "SELECT count(*) = 1 FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'")
        error = appending.end()
    assert isinstance(error, JournalError)
    assert error.code == "journal.conflict"
    assert by_hand.execute("SELECT kind FROM prisma_recovery.event ORDER BY seq").fetchall() == [("kind",), ("kind",)]


def test_nothing_is_written_behind_a_gap(database: str, by_hand: psycopg.Connection) -> None:
    """Events that are gone since they were read (a restore): a conflict, and no event behind the hole."""
    filled(database)
    with closing(PostgresJournal.open(parse(database), "target")) as journal:
        journal.events("run")
        by_hand.execute("DELETE FROM prisma_recovery.event WHERE seq > 1")
        assert refused(lambda: journal.append("run", "k", "s", {})) == "journal.conflict"
    assert len(read(database)) == 1


def test_the_same_event_of_another_writer_is_not_taken_for_ones_own(database: str) -> None:
    """Two writers of the very same event in the same instant: one of them gets a conflict."""
    moment = datetime(2026, 2, 17, tzinfo=UTC)
    one, other = (PostgresJournal.open(parse(database), "target", clock=lambda: moment) for _ in range(2))
    with closing(one), closing(other):
        for each in (one, other):
            each.events("run")
        one.append("run", "k", "s", {})
        assert refused(lambda: other.append("run", "k", "s", {})) == "journal.conflict"


def test_a_session_that_the_server_ended_is_made_anew(database: str, by_hand: psycopg.Connection) -> None:
    """After a restart, a failover or an idle time-out, the journal goes on."""
    with closing(PostgresJournal.open(parse(database), "target")) as journal:
        journal.append("run", "k", "s", {})
        for use in (lambda: journal.append("run", "k", "s", {}), lambda: journal.events("run"), journal.runs):
            cut_off(by_hand)
            use()
    assert len(read(database)) == 2


def test_a_server_that_is_gone_is_said_to_be(database: str, wire: Wire) -> None:
    """Exit code 6, in bounded time, without the password; what was to be announced is not done."""
    url = through(wire, database)
    with closing(PostgresJournal.open(url, "target")) as journal:
        journal.append("run", "k", "s", {})
        wire.close()
        with pytest.raises(UnreachableError) as caught:
            journal.append("run", "effect.intended", "s", {})
    error = caught.value
    assert (error.code, error.exit) == ("journal.unreachable", Exit.UNREACHABLE)
    assert "Nothing more was done" in error.fact
    assert "hush" not in f"{error}{error.__cause__!r}"
    for use in (PostgresJournal.open, PostgresJournal.find):
        assert refused(lambda use=use: use(url, "target")) == "journal.unreachable"  # type: ignore[misc]
    assert len(read(database)) == 1


def test_a_server_that_says_no_is_not_called_gone(database: str) -> None:
    """An unknown database is an error of the URL, not one to wait for."""
    assert refused(lambda: PostgresJournal.open(parse(f"{database}_not"), "target")) == "journal.refused"


def test_a_lock_on_it_is_not_waited_for_for_ever(
    database: str, by_hand: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody who locks the table: an error in bounded time, and nothing is recorded."""
    monkeypatch.setitem(connecting._SETTINGS, "lock_timeout", "100")  # noqa: SLF001 - the one place of our time-outs
    with closing(PostgresJournal.open(parse(database), "target")) as journal:
        journal.append("run", "k", "s", {})
        with by_hand.transaction():
            by_hand.execute("LOCK TABLE prisma_recovery.event IN EXCLUSIVE MODE")
            assert refused(lambda: journal.append("run", "k", "s", {})) == "journal.locked"
        assert journal.append("run", "k", "s", {}).seq == 2


def test_a_database_that_takes_no_writes_records_nothing(database: str, by_hand: psycopg.Connection) -> None:
    """A database set to read only is not written to."""
    by_hand.execute(f"ALTER DATABASE {database.rpartition('/')[2]} SET default_transaction_read_only = on")
    assert refused(lambda: PostgresJournal.open(parse(database), "target")) == "journal.unwritable"
    assert by_hand.execute(OURS).fetchall() == []


def test_a_database_of_another_encoding_takes_any_text(server: Server) -> None:
    """What a script's logs say in any language is kept in a database that has no such letters."""
    with server.connect() as connection:
        connection.execute("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    payload = {"logs": "relation „Straße“ 🙂 \0 существует"}
    with closing(PostgresJournal.open(parse(server.url("latin")), "target")) as journal:
        journal.append("run", "k", "s", payload)
        assert journal.events("run")[0].payload == payload
    server.drop_database("latin")


def test_a_poolers_url_is_refused(database: str) -> None:
    """Behind a transaction pooler our own settings would be somebody else's session's."""
    with pytest.raises(UsageError) as caught:
        PostgresStore(parse(f"{database}?pgbouncer=true"))
    assert caught.value.code == "journal.pooled"


def test_what_was_appended_survives_a_kill(database: str) -> None:
    """An event whose append returned is there after SIGKILL."""
    code = """
import sys
from recovery.journal.postgres import PostgresJournal
from recovery.postgres.url import parse
journal = PostgresJournal.open(parse(sys.argv[1]), "target")
while True:
    print(journal.append("run", "k", "s", {}).seq, flush=True)
"""
    with subprocess.Popen(
        [sys.executable, "-c", code, database], stdout=subprocess.PIPE, text=True, env=CHILD
    ) as child:
        assert child.stdout is not None
        for _ in range(20):
            child.stdout.readline()
        child.send_signal(signal.SIGKILL)
        rest = child.stdout.read().split()
    returned = int(rest[-1]) if rest else 20
    assert len(read(database)) in {returned, returned + 1}
