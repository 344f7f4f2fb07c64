"""Replays the history before a migration into a scratch database: S₀, the state on which its script is then run."""

import contextlib
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql

from recovery.errors import UsageError
from recovery.postgres import catalog
from recovery.replay import steps, surroundings, witnesses
from recovery.replay.copies import Copy
from recovery.replay.piecewise import executed, run_each
from recovery.replay.rows_within import possible, rows_within
from recovery.replay.running import execute, run
from recovery.replay.scratch import DISCARD, STATEMENT_TIMEOUT_SECONDS, ScratchServer
from recovery.replay.surroundings import Surroundings
from recovery.replay.witnesses import Witnesses
from recovery.sql.script import Script
from recovery.sql.statements import GAP, ScriptError, parse
from states.facts import Key, Note, Replay, Snapshot

#: Only scripts with one of these words are parsed, to find statements that must not run here (RULES E15).
_SUSPICIOUS = re.compile(
    rf"\b(create|alter|drop|import){GAP}(role|user|group|database|tablespace|subscription|server|foreign)\b"
    rf"|\balter{GAP}(system|default{GAP}privileges)\b|\bowned\s+by\s+\w+\s*(,|;|to\b)|\b(reassign|drop){GAP}owned\b|\bset{GAP}tablespace\b"
    r"|\b(copy|load|checkpoint)\b|dblink|postgres_fdw|file_fdw|lo_import|lo_export|\bpg_(file|read|write|ls|reload"
    r"|terminate|execute|rotate|stat_file)",
    re.IGNORECASE,
)
#: A script that ends transactions by itself can leave changes behind when a later statement fails.
_CONTROLS = re.compile(
    r"\bconcurrently\b|\bcommit\b|\brollback\b|\bcall\b|\bstart\s+transaction\b|\bend\s+(transaction|work)\b"
    r"|\bbegin\s*(;|transaction\b|work\b|isolation\b|read\b)",
    re.IGNORECASE,
)
_PREPARED = "SELECT name FROM pg_catalog.pg_prepared_statements"
#: What to do where a script that is run before the history fails.
_INIT = "Correct that script: it must make in an empty database what the history finds there."
#: What may change the session. SET NULL and the like, of a foreign key or a column, does not.
_SETS = re.compile(r"\bset\b(?!\s+(?:null|default|not\s+null|data\s+type)\b)|set_config|\btemp", re.IGNORECASE)
#: What may prepare statements, by itself or in a function's body.
_PREPARES = re.compile(r"prepare|\bexecute\b", re.IGNORECASE)


#: The ledger as Prisma creates it. It stays empty, but some scripts alter it (row security, comments).
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


def _transactions(connection: psycopg.Connection[Any]) -> int:
    """The number that the server's next transaction gets."""
    row = connection.execute("SELECT pg_snapshot_xmax(pg_current_snapshot())::text").fetchone()
    return int(row[0]) if row else 0


def _committed_since(connection: psycopg.Connection[Any], before: int) -> bool:
    """Whether any session committed a transaction whose number is `before` or higher."""
    query = "SELECT bool_or(pg_xact_status(n::text::xid8) = 'committed') FROM generate_series(%s::bigint, %s::bigint) n"
    row = connection.execute(query, (before, _transactions(connection) - 1)).fetchone()
    return bool(row and row[0])


class HistoryReplay:
    """A scratch database that holds the first migrations of a history, and to which later ones can be added.

    It depends on the history alone and knows nothing of production, so one replay serves every comparison.

    Attributes:
        applied: the scripts replayed so far, in order.
        skipped: notes on migrations and statements that were not replayed.
        given: what was there before the first script, beside an empty ledger and its schema.
        standins: the objects that are stood in for: of these only what scripts do to them is as in production.
    """

    def __init__(self, server: ScratchServer, schema: str, around: Surroundings | None = None) -> None:
        """Makes a database with the target's schema and an empty ledger, and with what surrounds the history.

        Args:
            server: the scratch server.
            schema: the schema of the target's URL; it is the search path of the scripts.
            around: what is there before the history.

        Raises:
            UsageError: a script to be run before the history fails.
        """
        self._server = server
        self._schema = schema
        self._around = around or Surroundings()
        self.given: Snapshot = {}
        self.standins = frozenset[str]()
        self._database = server.create()
        self._connection: psycopg.Connection[Any] | None = None
        self._careful = False
        self._prepares = False
        self.applied: list[Script] = []
        self.skipped: list[Note] = []
        try:
            self._prepare()
        except BaseException:
            self.close()
            raise

    def _prepare(self) -> None:
        connection = self._open()
        if self._around.standins:
            connection.execute(surroundings.script(self._around.standins).encode())
            self.standins = frozenset(obj for obj, _ in catalog.read(connection))
        schema = sql.Identifier(self._schema)
        owner = sql.SQL("AUTHORIZATION pg_database_owner" if self._server.standins else "")
        connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {} {}").format(schema, owner))
        connection.execute(sql.SQL(_LEDGER).format(schema))
        self._reset(connection)
        for script in self._around.init:
            self._initialize(connection, script)
        if self._around.standins or self._around.init:
            self.given = catalog.read(connection)

    def _initialize(self, connection: psycopg.Connection[Any], script: Script) -> None:
        """Runs a script that is to be run before the history.

        Raises:
            UsageError: it can't be parsed, or one of its statements fails.
        """
        self._note(script.text)
        try:
            statements, notes = executed(script)
        except ScriptError as error:
            raise UsageError(
                "config.init_failed", f"{script.migration}: {error.fact} Nothing was done.", _INIT
            ) from error
        # Roles are made beforehand, and what reaches beyond the database is run nowhere.
        self.skipped.extend(notes)
        for statement in statements:
            try:
                execute(connection, statement)
            except psycopg.Error as error:
                fact = (
                    f"Statement {statement.index} of {script.migration}, which is run before the history, fails in the"
                )
                fact += f" scratch database: {error.diag.message_primary or error}. Nothing was changed."
                raise UsageError("config.init_failed", fact, _INIT) from error
        self._reset(connection)

    def _open(self) -> psycopg.Connection[Any]:
        if self._connection is None or self._connection.closed:
            self._connection = self._server.connect(self._database)
            self._reset(self._connection)
        return self._connection

    def release(self) -> None:
        """Closes the connection, and leaves the database for the server to drop."""
        self._close()

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def close(self) -> None:
        """Drops the database. This object must not be used afterwards."""
        self._close()
        self._server.drop(self._database)

    def _reset(self, connection: psycopg.Connection[Any]) -> None:
        """Sets the session back to the state in which Prisma starts each migration."""
        own = f"statement_timeout = '{STATEMENT_TIMEOUT_SECONDS}s'; SET search_path"
        connection.execute(f"{DISCARD}; SET {own} = {sql.Identifier(self._schema).as_string(connection)}".encode())
        for (name,) in connection.execute(_PREPARED).fetchall() if self._prepares else ():
            if name.startswith(catalog.PREPARED):
                continue
            connection.execute(sql.SQL("DEALLOCATE {}").format(sql.Identifier(name)))

    def extend(self, scripts: Iterable[Script]) -> None:
        """Replays more migrations. One that fails is undone, and noted in `skipped` (RULES E1)."""
        for script in scripts:
            text, notes = script.text, list[Note]()
            self._note(text)
            if _SUSPICIOUS.search(script.text):
                try:
                    statements, notes = executed(script)
                    text = "\n;\n".join(statement.sql for statement in statements) if notes else script.text
                except ScriptError as error:
                    text, notes = "", [Note(script.migration, error.fact)]
            if not self._apply(script, text):
                self._start_over()
                self._apply(script, text)
            connection = self._open()
            if connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
                connection.execute("ROLLBACK")  # BEGIN without COMMIT: in production it ended with the session
            if _SETS.search(script.text):
                self._reset(connection)
            self.skipped.extend(notes)
            self.applied.append(script)

    def _note(self, text: str) -> None:
        """Notes whether a script, or a function that it makes, may prepare statements."""
        self._prepares = self._prepares or bool(_PREPARES.search(text))

    def _apply(self, script: Script, text: str) -> bool:
        """Replays one migration.

        A copy of a large database takes longer than most migrations, and few migrations fail after they committed
        something. So the first try is made without a copy to go back to.

        Returns:
            False if it failed and left changes behind, so that the history must be replayed with copies.
        """
        commits = bool(_CONTROLS.search(text))
        if commits and self._careful:
            if self._on_a_copy(lambda connection: run(connection, text)):
                self._piecewise(script)
            return True
        connection = self._open()
        before = _transactions(connection) if commits else 0
        try:
            run(connection, text)
        except psycopg.Error:
            if not connection.closed:
                connection.execute("ROLLBACK")
            if commits and _committed_since(self._open(), before):
                return False
            self._piecewise(script)
        return True

    def _start_over(self) -> None:
        """Replays the history in a new database, with a copy before each script that could leave changes behind."""
        self._careful = True
        applied, self.applied, self.skipped = self.applied, [], []
        self.close()
        self._database = self._server.create()
        self._prepare()
        self.extend(applied)

    def _piecewise(self, script: Script) -> None:
        """Replays a migration statement by statement. If that can't be done either, it is noted as skipped."""
        notes: list[Note] = []
        if reason := self._on_a_copy(lambda connection: notes.extend(run_each(connection, script))):
            self.skipped.append(Note(script.migration, reason))
        else:
            self.skipped.extend(notes)

    def _on_a_copy(self, work: Callable[[psycopg.Connection[Any]], object]) -> str:
        """Runs something on a copy of the database, which takes the database's place only if that succeeds.

        Returns:
            Why it failed; empty if it did not.
        """
        self._close()
        copy = self._server.create(self._database)
        try:
            with self._server.connect(copy) as connection:
                self._reset(connection)
                work(connection)
                connection.rollback()  # BEGIN without COMMIT: leaving the block would commit it
        except (psycopg.Error, ScriptError) as error:
            self._server.drop(copy)
            return error.fact if isinstance(error, ScriptError) else str(error).splitlines()[0]
        self._server.drop(self._database)
        self._database = copy
        return ""

    def reread(
        self,
        definitions: Mapping[Key, str],
        script: Script | None = None,
        spellings: Mapping[Key, Collection[str]] | None = None,
    ) -> dict[Key, str]:
        """Rewrites view definitions from another server as the scratch server writes them (RULES E13).

        Args:
            definitions: the definitions, by their keys in a snapshot.
            script: a script to run as far as it succeeds. Each definition is read before it and after it, since it may
                name what the script gives another name. None to use the history as it is.
            spellings: for each key, the definitions that are looked for: the first of these that comes out is taken.

        Returns:
            The definitions that this server accepts, as it writes them; the others are left out.
        """
        self._close()
        copy = self._server.create(self._database)
        try:
            with self._server.connect(copy) as connection:
                self._reset(connection)
                found = {key: _written_here(connection, text) for key, text in definitions.items()}
                if script is not None:
                    with contextlib.suppress(psycopg.Error, ScriptError):
                        run_each(connection, script)
                    connection.execute("ROLLBACK")
                    for key, text in definitions.items():
                        if found[key] is None or found[key] not in (spellings or {}).get(key, ()):
                            found[key] = _written_here(connection, text) or found[key]
        finally:
            self._server.drop(copy)
        return {key: text for key, text in found.items() if text is not None}

    @property
    def connection(self) -> psycopg.Connection[Any]:
        """A connection to the database as it stands now, to read from its catalog."""
        return self._open()

    def snapshot(self) -> dict[Key, str]:
        """The whole schema as it stands now."""
        return catalog.read(self._open())

    @contextmanager
    def copied(self) -> Iterator[Copy]:
        """A copy of this database, to try things on; it is dropped at the end."""
        self._close()
        copy = Copy(self._server, self._database, self._reset)
        try:
            yield copy
        finally:
            copy.drop()

    def steps(self, script: Script, *, on_rows: bool = True) -> Replay:
        """Runs a script on this history and returns its steps. The history's database is left unchanged.

        Args:
            script: the script.
            on_rows: whether it runs on a copy with rows, too, to see what it does to them (RULES E18).

        Raises:
            ScriptError: the script can't be split into statements.
        """
        parsed = parse(script.text)
        self._note(script.text)
        copies: list[str] = []

        @contextmanager
        def in_transaction() -> Iterator[psycopg.Connection[Any]]:
            connection = self._open()  # no copy is needed, since the transaction is rolled back
            try:
                yield connection
            finally:
                if connection.closed:
                    self._close()
                else:
                    if connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
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

        @contextmanager
        def with_witnesses(together: bool) -> Iterator[tuple[psycopg.Connection[Any], Witnesses] | None]:  # noqa: FBT001 - as `steps.run` calls it
            tables = witnesses.reached(self._open(), parsed) if on_rows else ()
            if not tables:
                yield None
                return
            if together and possible(self._server, script.text):
                with (
                    in_transaction() as connection,
                    rows_within(self._server, self._database, connection, tables) as rows,
                ):
                    if rows is not None:
                        yield connection, rows
                        return
            self._close()
            copies.append(self._server.create(self._database))
            with self._server.connect(copies[-1], superuser=True) as connection:
                rows = witnesses.put(connection, tables)
            with self._server.connect(copies[-1]) as connection:
                self._reset(connection)
                if together:
                    connection.execute("BEGIN")
                yield connection, rows
                connection.rollback()  # leaving the block would commit

        try:
            return steps.run(
                parsed,
                script.checksum,
                in_transaction,
                on_a_copy,
                with_witnesses,
                tuple(self.skipped),
                self.standins,
            )
        finally:
            for copy in copies:
                self._server.drop(copy)


def is_definition(key: Key) -> bool:
    """Whether a property is a view's query, which a server of another version may write in other words."""
    return key[1] == "definition" and key[0].startswith(("view ", "materialized view "))


def _written_here(connection: psycopg.Connection[Any], definition: str) -> str | None:
    """A view's query as this server writes it; None if the server refuses it."""
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
