"""The history before a failed migration, replayed into a scratch database: S₀, and the ground for its steps."""

import contextlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql

from recovery.postgres import catalog
from recovery.replay import steps
from recovery.replay.scratch import STATEMENT_TIMEOUT_SECONDS, ScratchServer
from recovery.sql.script import Script
from recovery.sql.statements import GAP, Parsed, ScriptError, parse
from states.facts import Key, Note, Replay

#: Scripts that hold one of these words are parsed first, for statements that must not run here (RULES E15).
_SUSPICIOUS = re.compile(
    rf"\b(create|alter|drop|import){GAP}(role|user|group|database|tablespace|subscription|server|foreign)\b"
    rf"|\balter{GAP}(system|default{GAP}privileges)\b|\bowned\s+by\s+\w+\s*(,|;|to\b)|\b(reassign|drop){GAP}owned\b|\bset{GAP}tablespace\b"
    r"|\b(copy|load|checkpoint)\b|dblink|postgres_fdw|file_fdw|lo_import|lo_export|\bpg_(file|read|write|ls|reload"
    r"|terminate|execute|rotate|stat_file)",
    re.IGNORECASE,
)
#: A script that ends transactions itself can leave something behind when it fails further on.
_CONTROLS = re.compile(
    r"\bconcurrently\b|\bcommit\b|\brollback\b|\bcall\b|\bstart\s+transaction\b|\bend\s+(transaction|work)\b"
    r"|\bbegin\s*(;|transaction\b|work\b|isolation\b|read\b)",
    re.IGNORECASE,
)
_SETS = re.compile(r"\bset\b|set_config|\btemp", re.IGNORECASE)


#: Who owns and may use what, and remarks, count in a comparison only where the failed script says so itself.
_ABOUT_ROLES = {"grant_stmt", "alter_owner_stmt", "comment_stmt"}
_CHANGES_OWNER = re.compile(r"ALTER\s[^;]*\sOWNER\s+TO\s+\S+\Z", re.IGNORECASE)

#: The ledger, empty, as Prisma makes it: some scripts turn on its row security or comment on it.
_LEDGER = """
CREATE TABLE {}._prisma_migrations (
    id varchar(36) PRIMARY KEY NOT NULL,
    checksum varchar(64) NOT NULL,
    finished_at timestamptz,
    migration_name varchar(255) NOT NULL,
    logs text,
    rolled_back_at timestamptz,
    started_at timestamptz NOT NULL DEFAULT now(),
    applied_steps_count integer NOT NULL DEFAULT 0
)
"""


def _executed(script: Script) -> tuple[list[Parsed], list[Note]]:
    """The statements of a migration that may run here, and a note on each that may not.

    Raises:
        ScriptError: the script can't be split into statements.
    """
    statements, notes = [], []
    for statement in parse(script.text):
        if statement.forbidden:
            notes.append(Note(script.migration, f"not executed, it {statement.forbidden}", statement.index))
        elif statement.node == "alter_default_privileges_stmt":
            # They would show on whatever is made later, as privileges that no script states (RULES E8).
            notes.append(Note(script.migration, "not executed, default privileges don't count", statement.index))
        else:
            statements.append(statement)
    return statements, notes


def _statements(connection: psycopg.Connection[Any], script: Script) -> list[Note]:
    """Runs them one by one, without those about roles that can't run here, each of which gets a note."""
    notes = []
    for statement in _executed(script)[0]:
        try:
            connection.execute(statement.sql.encode())
        except (psycopg.errors.UndefinedObject, psycopg.errors.InsufficientPrivilege):
            owner_only = statement.actions == 1 and _CHANGES_OWNER.search(statement.sql)
            if statement.node not in _ABOUT_ROLES and not owner_only:
                raise
            notes.append(Note(script.migration, "what it is about, a role most likely, is not here", statement.index))
    return notes


def _transactions(connection: psycopg.Connection[Any]) -> int:
    """The number of the next transaction of this server."""
    row = connection.execute("SELECT pg_snapshot_xmax(pg_current_snapshot())::text").fetchone()
    return int(row[0]) if row else 0


def _committed_since(connection: psycopg.Connection[Any], before: int) -> bool:
    """A transaction of that number or a later one was committed, by whomever."""
    query = "SELECT bool_or(pg_xact_status(n::text::xid8) = 'committed') FROM generate_series(%s::bigint, %s::bigint) n"
    row = connection.execute(query, (before, _transactions(connection) - 1)).fetchone()
    return bool(row and row[0])


class HistoryReplay:
    """A scratch database that holds the first migrations of a history, and can take on more.

    Once a history, not once a database: nothing here knows production.
    """

    def __init__(self, server: ScratchServer, schema: str) -> None:
        """Starts with an empty database that has the target's schema.

        Args:
            server: where to make it.
            schema: the schema that Prisma's URL names; scripts run with it as their search path.
        """
        self._server = server
        self._schema = schema
        self._database = server.create()
        self._connection: psycopg.Connection[Any] | None = None
        self._careful = False
        self.applied: list[Script] = []
        self.skipped: list[Note] = []
        self._prepare()

    def _prepare(self) -> None:
        connection = self._open()
        schema = sql.Identifier(self._schema)
        owner = sql.SQL("AUTHORIZATION pg_database_owner" if self._server.standins else "")
        connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {} {}").format(schema, owner))
        connection.execute(sql.SQL(_LEDGER).format(schema))
        self._reset(connection)

    def _open(self) -> psycopg.Connection[Any]:
        if self._connection is None or self._connection.closed:
            self._connection = self._server.connect(self._database)
            self._reset(self._connection)
        return self._connection

    def release(self) -> None:
        """Ends the session; the database stays for the server to drop."""
        self._close()

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def close(self) -> None:
        """Drops the database; nothing can be replayed on this history any more."""
        self._close()
        self._server.drop(self._database)

    def _reset(self, connection: psycopg.Connection[Any]) -> None:
        """Each migration starts with the session that Prisma gives it."""
        connection.execute("DISCARD ALL")  # temporary tables and SET ROLE too, which RESET ALL leaves
        connection.execute(f"SET statement_timeout = '{STATEMENT_TIMEOUT_SECONDS}s'")
        connection.execute(sql.SQL("SET search_path = {}").format(sql.Identifier(self._schema)))

    def extend(self, scripts: Iterable[Script]) -> None:
        """Applies migrations on top; one that can't be replayed is undone, skipped and named (RULES E1)."""
        for script in scripts:
            text, notes = script.text, list[Note]()
            if _SUSPICIOUS.search(script.text):
                try:
                    statements, notes = _executed(script)
                    text = "\n;\n".join(statement.sql for statement in statements) if notes else script.text
                except ScriptError as error:
                    text, notes = "", [Note(script.migration, error.fact)]
            if not self._apply(script, text):
                self._start_over()
                self._apply(script, text)
            connection = self._open()
            if connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
                connection.execute("ROLLBACK")  # BEGIN without COMMIT: PostgreSQL undid it at the session's end
            if _SETS.search(script.text):
                self._reset(connection)
            self.skipped.extend(notes)
            self.applied.append(script)

    def _apply(self, script: Script, text: str) -> bool:
        """Replays one migration. False: it failed and left something behind, and there is no copy to go back to.

        A copy of a large database takes longer than most migrations, and few that could leave something behind
        fail. So none is made, until one does.
        """
        commits = bool(_CONTROLS.search(text))
        if commits and self._careful:
            if self._on_a_copy(lambda connection: connection.execute(text.encode())):
                self._piecewise(script)
            return True
        connection = self._open()
        before = _transactions(connection) if commits else 0
        try:
            connection.execute(text.encode())
        except psycopg.Error:
            if not connection.closed:
                connection.execute("ROLLBACK")
            if commits and _committed_since(self._open(), before):
                return False
            self._piecewise(script)
        return True

    def _start_over(self) -> None:
        """The same history on an empty database, this time with a copy before whatever could leave something behind."""
        self._careful = True
        applied, self.applied, self.skipped = self.applied, [], []
        self.close()
        self._database = self._server.create()
        self._prepare()
        self.extend(applied)

    def _piecewise(self, script: Script) -> None:
        """Statement by statement; named as skipped where that fails too."""
        notes: list[Note] = []
        if reason := self._on_a_copy(lambda connection: notes.extend(_statements(connection, script))):
            self.skipped.append(Note(script.migration, reason))
        else:
            self.skipped.extend(notes)

    def _on_a_copy(self, run: Callable[[psycopg.Connection[Any]], object]) -> str:
        """Why it failed, or empty: what a failed try leaves behind is thrown away with the copy."""
        self._close()
        copy = self._server.create(self._database)
        try:
            with self._server.connect(copy) as connection:
                self._reset(connection)
                run(connection)
                connection.rollback()  # BEGIN without COMMIT: leaving the block would commit it
        except (psycopg.Error, ScriptError) as error:
            self._server.drop(copy)
            return error.fact if isinstance(error, ScriptError) else str(error).splitlines()[0]
        self._server.drop(self._database)
        self._database = copy
        return ""

    def reread(self, definitions: Mapping[Key, str], script: Script | None = None) -> dict[Key, str]:
        """Definitions of views from another server, as this one writes them (RULES E13).

        Args:
            definitions: by their keys in a snapshot.
            script: run first, as far as it runs; None to read them on the history as it is.

        Returns:
            Those that can be made here; the others stay as they were written.
        """
        self._close()
        copy = self._server.create(self._database)
        try:
            with self._server.connect(copy) as connection:
                self._reset(connection)
                if script is not None:
                    with contextlib.suppress(psycopg.Error, ScriptError):
                        _statements(connection, script)
                    connection.execute("ROLLBACK")
                found = {key: _written_here(connection, text) for key, text in definitions.items()}
        finally:
            self._server.drop(copy)
        return {key: text for key, text in found.items() if text is not None}

    def snapshot(self) -> dict[Key, str]:
        """The whole schema as it stands now."""
        return catalog.read(self._open())

    def steps(self, script: Script) -> Replay:
        """The steps of a script on top of this history, which is left as it was.

        Raises:
            ScriptError: the script can't be split into statements.
        """
        parsed = parse(script.text)
        copies: list[str] = []

        @contextmanager
        def in_transaction() -> Iterator[psycopg.Connection[Any]]:
            connection = self._open()  # what a transaction does is undone with it, so no copy is needed
            try:
                yield connection
            finally:
                if connection.closed:
                    self._close()
                else:
                    connection.execute("ROLLBACK")
                    self._reset(connection)

        @contextmanager
        def on_a_copy() -> Iterator[psycopg.Connection[Any]]:
            self._close()
            copies.append(self._server.create(self._database))
            connection = self._server.connect(copies[-1])
            self._reset(connection)
            with connection:
                yield connection

        try:
            return steps.run(parsed, script.checksum, in_transaction, on_a_copy, tuple(self.skipped))
        finally:
            for copy in copies:
                self._server.drop(copy)


def is_definition(key: Key) -> bool:
    """Its value is SQL that a server wrote, and that one of another version may write otherwise."""
    return key[1] == "definition" and key[0].startswith(("view ", "materialized view "))


def _written_here(connection: psycopg.Connection[Any], definition: str) -> str | None:
    connection.execute("BEGIN")
    try:
        connection.execute(b"CREATE TEMPORARY VIEW reread AS " + definition.encode())
        connection.execute("SELECT set_config('search_path', '', true)")
        row = connection.execute("SELECT pg_catalog.pg_get_viewdef('pg_temp.reread'::regclass)").fetchone()
    except psycopg.Error:
        return None
    finally:
        connection.execute("ROLLBACK")
    return str(row[0]) if row else None
