"""Stages failed migrations whose true answer is known, on a real server, from any history of Prisma migrations.

Prisma itself does not run: rows are written to the ledger as Prisma writes them, and scripts run on the server as
Prisma runs them, so that thousands of failures can be staged in minutes.
"""

from __future__ import annotations

import contextlib
import re
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import psycopg

from recovery.postgres import catalog
from recovery.sql.statements import ScriptError, parse
from tests.staging.histories import Attempt, Source
from tests.staging.truth import Known, Snapshot, Truth, measure

if TYPE_CHECKING:
    from tests.staging.postgres import Server

LEDGER = """
CREATE TABLE _prisma_migrations (
    id varchar(36) PRIMARY KEY NOT NULL, checksum varchar(64) NOT NULL, finished_at timestamptz,
    migration_name varchar(255) NOT NULL, logs text, rolled_back_at timestamptz,
    started_at timestamptz NOT NULL DEFAULT now(), applied_steps_count integer NOT NULL DEFAULT 0)
"""
#: Objects that production has besides its history, and that concern no migration.
DRIFT = """
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
CREATE SCHEMA foreign_team;
CREATE TABLE foreign_team.audit (id bigint PRIMARY KEY, said text);
CREATE INDEX audit_said ON foreign_team.audit (said);
CREATE VIEW foreign_team.recent AS SELECT id FROM foreign_team.audit;
CREATE TABLE zz_report_cache (key text PRIMARY KEY, value jsonb);
"""
#: Databases are copied by the thousand, and none outlives the server, so checkpoints and durability are not needed.
SETTINGS = {
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "512MB",
    "checkpoint_timeout": "1h",
    "autovacuum": "off",
}
#: A role without privileges, whose scripts fail at their first statement.
REFUSED = "may_do_nothing"
#: How many databases may wait to be dropped.
DOOMED = 6
#: The first version that copies a database through its buffers by default.
_STRATEGY = 15_00_00
_FIRST_TABLE = re.compile(
    r'\bCREATE\s+TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?((?:"[^"]+"|\w+)(?:\.(?:"[^"]+"|\w+))?)', re.IGNORECASE
)


@dataclass(frozen=True)
class Case:
    """A failure in a database of its own.

    Attributes:
        kind: how it was staged.
        truth: the true and the false decisions.
        database: the database that holds the case.
        source: the migration as the folder has it now.
        attempts: its rows in the ledger, oldest first.
        in_git: git has the scripts as they ran.
        first_table: whether the first table that the script creates is there; None if it creates none.
        note: the difference from other cases of its kind.
        more: migrations that the folder has besides those of the history.
    """

    kind: str
    truth: Truth
    database: str
    source: Source
    attempts: tuple[Attempt, ...]
    in_git: bool = False
    first_table: bool | None = None
    note: str = ""
    more: tuple[Source, ...] = ()


@dataclass
class Scene:
    """A migration that is about to be failed: its effects, and the databases before and after it."""

    known: Known
    source: Source
    after: Source | None
    start: str
    end: str
    end_schema: dict[tuple[str, str], str]
    error_at_end: psycopg.Error | None = field(default=None)


class Stager:
    """Stages failures of one migration after another, on a database that grows with the history."""

    def __init__(self, server: Server, prefix: str) -> None:
        """Makes the production from which all others are copied: its ledger, and some drift."""
        self._server = server
        self._prefix = prefix
        self._number = 0
        self._scene: Scene | None = None
        self._schema: dict[tuple[str, str], str] | None = None
        self._sessions: dict[str, psycopg.Connection[Any]] = {}
        self._doomed: list[str] = []
        #: Called with a database that is about to be copied or dropped, so no session may stay connected to it.
        self.leaving: Callable[[str], None] = lambda _: None
        with server.connect() as connection:
            self._strategy = " STRATEGY FILE_COPY" if connection.info.server_version >= _STRATEGY else ""
            connection.execute(
                f"DO $$ BEGIN CREATE ROLE {REFUSED} LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$".encode()
            )
        self.base = self._fresh("template1")
        with server.connect(self.base) as connection:
            connection.execute(LEDGER)
            connection.execute(DRIFT)

    def _fresh(self, template: str) -> str:
        self._number += 1
        name = f"{self._prefix}_{self._number}"
        self._leave(template)
        with self.connect("postgres") as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}{self._strategy}".encode())
        return name

    def _drop(self, database: str) -> None:
        """Drops a database later; dropped at once, PostgreSQL would wait for sessions on it that are just ending."""
        self._leave(database)
        self._doomed.append(database)
        if len(self._doomed) > DOOMED:
            with self.connect("postgres") as connection:
                connection.execute(f"DROP DATABASE {self._doomed.pop(0)} WITH (FORCE)".encode())

    def _leave(self, database: str) -> None:
        self.leaving(database)
        session = self._sessions.pop(database, None)
        if session is not None:
            session.close()

    @contextlib.contextmanager
    def connect(self, database: str, user: str = "postgres") -> Iterator[psycopg.Connection[Any]]:
        """A session as the superuser, or as the role without privileges.

        The superuser's session stays open and idle until the database is copied or dropped. Its last statement never
        looks like the migration's.
        """
        if user != "postgres":
            with psycopg.connect(self._server.url(database, user), autocommit=True) as connection:
                yield connection
            return
        session = self._sessions.get(database)
        if session is None or session.closed:
            session = self._sessions[database] = self._server.connect(database)
            session.prepare_threshold = None
        yield session
        if session.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
            session.execute("ROLLBACK")
        session.execute("DISCARD ALL")

    def close(self) -> None:
        """Ends all sessions."""
        for database in list(self._sessions):
            self._leave(database)

    @contextlib.contextmanager
    def copy(self, database: str) -> Iterator[str]:
        """A copy of a database, dropped at the end."""
        name = self._fresh(database)
        try:
            yield name
        finally:
            self._drop(name)

    def deploy(self, source: Source) -> bool:
        """Applies a migration to the base for good; False, with nothing done, if this server can't run it."""
        scene, self._scene = self._scene, None
        if scene is not None and scene.source is source:
            self._drop(self.base)
            self.base, self._schema = scene.end, scene.end_schema
        else:
            self._schema = None
            with self.connect(self.base) as connection:
                if run(connection, source.text) is not None:
                    return False
        with self.connect(self.base) as connection:
            _write(connection, Attempt(source, finished=True, steps=1))
        return True

    def scene(self, source: Source, after: Source | None) -> Scene | None:
        """A migration, run on a copy of the base; None if this server can't run it, or the script can't be parsed."""
        try:
            parsed = parse(source.text)
        except ScriptError:
            return None
        if self._schema is None:
            self._schema = self.read(self.base)
        end = self._fresh(self.base)
        with self.connect(end) as connection:
            if run(connection, source.text) is not None:
                done = False
            else:
                done = True
                end_schema = catalog.read(connection)
        if not done:
            self._drop(end)
            return None
        with self.copy(self.base) as name, self.connect(name) as connection, self.connect(end) as at_end:
            known = measure(connection, at_end, parsed, changed(self._schema, end_schema))
        self._scene = Scene(known, source, after, self.base, end, end_schema)
        self._scene.error_at_end = self.error(end, source.text)
        return self._scene

    def read(self, database: str, scope: catalog.Scope | None = None) -> dict[tuple[str, str], str]:
        """The schema of a database, or of some of its objects."""
        with self.connect(database) as connection:
            return catalog.read(connection, scope)

    def error(self, database: str, text: str, user: str = "postgres") -> psycopg.Error | None:
        """PostgreSQL's error if the script runs as a whole on this database, which stays unchanged."""
        if re.search(r"\b(begin|commit|concurrently|rollback)\b", text, re.IGNORECASE):
            with self.copy(database) as name, self.connect(name, user) as connection:
                return run(connection, text)
        with self.connect(database, user) as connection:
            connection.execute("BEGIN")
            found = run(connection, text)
            connection.execute("ROLLBACK")
            return found

    def case(
        self,
        kind: str,
        database: str,
        truth: Truth,
        *attempts: Attempt,
        folder: Source | None = None,
        in_git: bool = False,
        note: str = "",
        more: tuple[Source, ...] = (),
    ) -> Iterator[Case]:
        """One case. Its rows are in the ledger until the next case is asked for."""
        source = folder or attempts[0].source
        with self.connect(database) as connection:
            ids = [_write(connection, attempt) for attempt in attempts]
            table = _FIRST_TABLE.search(source.text)
            there = None
            if table:
                row = connection.execute("SELECT to_regclass(%s) IS NOT NULL", (table[1],)).fetchone()
                there = bool(row and row[0])
        yield Case(kind, truth, database, source, attempts, in_git, there, note, more)
        with self.connect(database) as connection:
            connection.execute("DELETE FROM _prisma_migrations WHERE id = ANY(%s)", (ids,))


def _write(connection: psycopg.Connection[Any], attempt: Attempt) -> str:
    """Writes a row as Prisma leaves it, and returns its id."""
    found = str(uuid.uuid4())
    connection.execute(
        "INSERT INTO public._prisma_migrations VALUES (%s, %s, CASE WHEN %s THEN clock_timestamp() END, %s, %s,"
        " CASE WHEN %s THEN clock_timestamp() END, clock_timestamp(), %s)",
        (
            found,
            attempt.source.checksum,
            attempt.finished,
            attempt.source.name,
            attempt.logs,
            attempt.rolled_back,
            attempt.steps,
        ),
    )
    return found


def run(connection: psycopg.Connection[Any], text: str) -> psycopg.Error | None:
    """Runs a script as one query, as Prisma did up to 7.3; the error if it failed."""
    try:
        connection.execute(text.encode())
    except psycopg.Error as error:
        if connection.info.transaction_status != psycopg.pq.TransactionStatus.INTRANS:
            connection.execute("ROLLBACK")
        return error
    return None


def piecewise(connection: psycopg.Connection[Any], statements: Iterable[str]) -> tuple[int, psycopg.Error | None]:
    """Runs statements one by one, as Prisma does since 7.4; how many succeeded, and the error that ended it."""
    done = 0
    for statement in statements:
        error = run(connection, statement)
        if error is not None:
            return done, error
        done += 1
    return done, None


def changed(before: Snapshot, after: Snapshot) -> set[str]:
    """Objects in which two schemas differ."""
    return {key[0] for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
