"""The journal's schema in PostgreSQL: its format, how it is made, the connection to it, and what its errors mean."""

import time
from collections.abc import Callable, Mapping
from typing import Any

import psycopg
from psycopg import errors

from recovery.errors import JournalError, PreflightError, RecoveryError, UnreachableError
from recovery.postgres.connect import connect, said
from recovery.postgres.url import DatabaseUrl

#: The schema's name. No Prisma datasource lists it, so neither a deploy nor a verdict ever looks into it.
SCHEMA = "prisma_recovery"
#: Version of the schema's format; raised only when older releases could not read what the new one writes.
FORMAT = 1
#: Advisory lock of the process that makes the schema, one at a time on a database. ("journal" in ASCII, seven bytes)
MAKER_LOCK = 0x6A6F75726E616C
#: Seconds to wait while another process makes the schema, which takes milliseconds.
LOCK_TIMEOUT = 5.0

# `json`, not `jsonb`: it keeps the text as it was written, over which `digest` is made, and takes \u0000.
# `writer` identifies a journal object: after a lost connection it tells our event from an equal one of another writer.
# The REVOKE keeps the table append-only: even its owner gives up UPDATE, DELETE and TRUNCATE.
_MAKE = f"""
CREATE TABLE {SCHEMA}.format (version integer NOT NULL);
INSERT INTO {SCHEMA}.format VALUES ({FORMAT});
CREATE TABLE {SCHEMA}.event (
  position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  target text NOT NULL,
  run text NOT NULL,
  seq integer NOT NULL,
  time text NOT NULL,
  kind text NOT NULL,
  state text NOT NULL,
  payload json NOT NULL,
  writer text NOT NULL,
  digest text NOT NULL,
  UNIQUE (target, run, seq)
);
REVOKE UPDATE, DELETE, TRUNCATE ON {SCHEMA}.event FROM CURRENT_USER;
COMMENT ON SCHEMA {SCHEMA} IS 'The journal of prisma-recovery: what recoveries intended, did and saw. Append-only.';
"""  # noqa: S608 - constants

# Asked of the catalog, since to_regclass raises an error in a schema on which the role lacks USAGE.
_FOUND = """
SELECT coalesce(array_agg(c.relname::text) FILTER (WHERE c.relname IN ('event', 'format')), '{}'),
       count(n.oid) > 0
  FROM pg_catalog.pg_namespace n LEFT JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid
 WHERE n.nspname = %s
"""

#: Set on each connection, since a role or a database may have other defaults: a committed event must survive a crash
#: (RULES F10), and a writer that waited for another one must see the event that it wrote.
_SETTINGS = {"synchronous_commit": "on", "default_transaction_isolation": "read committed"}

Row = tuple[Any, ...]


class Link:
    """A connection to the journal's database, opened on first use, and anew if it broke.

    No transaction is open between calls. A statement given to `run` may be run twice, so it must be safe to repeat.
    """

    def __init__(self, url: DatabaseUrl, *, writing: bool) -> None:
        """Opens nothing yet.

        Args:
            url: of the journal's database.
            writing: if false, the server refuses every write.
        """
        self.url = url
        self._writing = writing
        self._connection: psycopg.Connection[Any] | None = None

    def __str__(self) -> str:
        return f"{self.url.host}:{self.url.port}/{self.url.database}, schema {SCHEMA}"

    def made(self) -> bool:
        """Whether the journal's tables exist, in a format that this release knows.

        Raises:
            JournalError: `journal.newer_version`, `journal.corrupt`, `journal.refused`, `journal.not_permitted`.
            UnreachableError: `journal.unreachable`.
        """
        tables, _ = self.run(_FOUND, SCHEMA)[0]
        if not tables:
            return False
        if len(tables) != len({"event", "format"}):
            raise self.corrupt(f"it has a table {tables[0]}, but is another program's")
        versions = self.run(f"SELECT version FROM {SCHEMA}.format")  # noqa: S608 - constant
        if len(versions) != 1:
            raise self.corrupt("it names no format")
        if versions[0][0] > FORMAT:
            raise JournalError(
                "journal.newer_version",
                f"The journal {self} has format {versions[0][0]}, written by a newer release; "
                f"this one knows up to {FORMAT}, and nothing was done.",
                "Install the newer release of prisma-recovery, and run again.",
            )
        return True

    def make(self, *, clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep) -> None:
        """Makes the schema and its tables if they are missing, all at once or not at all.

        Raises:
            JournalError: as `made`, `journal.locked`, `journal.unwritable`.
            UnreachableError: `journal.unreachable`.
        """
        deadline = clock() + LOCK_TIMEOUT
        while not self.made():
            if self._try_to_make():
                continue
            if clock() > deadline:
                raise self._locked(f"another process has been making it for {LOCK_TIMEOUT:g} s")
            sleep(0.05)

    def _try_to_make(self) -> bool:
        """Makes the missing parts in one transaction; False if another process is making them.

        The maker's lock is only tried for, never waited for (RULES F3).
        """
        try:
            connection = self._connected()
            with connection.transaction():
                row = connection.execute("SELECT pg_try_advisory_xact_lock(%s)", (MAKER_LOCK,)).fetchone()
                if row is None or not row[0]:
                    return False
                tables, schema = connection.execute(_FOUND, (SCHEMA,)).fetchone() or ((), False)
                if not schema:
                    # Not IF NOT EXISTS: it needs CREATE on the database even where an owner has made the schema for us.
                    connection.execute(f"CREATE SCHEMA {SCHEMA}".encode())
                if not tables:
                    connection.execute(_MAKE.encode())
        except psycopg.Error as error:
            raise self._explained(error) from error
        return True

    def run(self, statement: str, *values: object, **named: object) -> list[Row]:
        """Runs one statement in a transaction of its own; repeats it once, on a new connection, if the last one broke.

        Raises:
            JournalError: `journal.locked`, `journal.not_permitted`, `journal.corrupt`, `journal.unwritable`,
                `journal.refused`.
            UnreachableError: `journal.unreachable`.
        """
        parameters: tuple[object, ...] | Mapping[str, object] | None = named or values or None
        try:
            return self._execute(statement, parameters)
        except psycopg.Error as error:
            if self._connection is not None and not self._connection.closed:
                raise self._explained(error) from error
        try:
            return self._execute(statement, parameters)
        except psycopg.Error as error:
            raise self._explained(error) from error

    def close(self) -> None:
        """Ends the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def corrupt(self, reason: str) -> JournalError:
        """The error for a journal that holds something which no release has written to it."""
        return JournalError(
            "journal.corrupt",
            f"The journal {self} is damaged, or is not a journal ({reason}); nothing more was done.",
            f"Keep it for an investigation (ALTER SCHEMA {SCHEMA} RENAME TO …), and run again: "
            "a new run starts from what the database says.",
        )

    def _execute(self, statement: str, parameters: tuple[object, ...] | Mapping[str, object] | None) -> list[Row]:
        cursor = self._connected().execute(statement.encode(), parameters)
        return cursor.fetchall() if cursor.description else []

    def _connected(self) -> psycopg.Connection[Any]:
        if self._connection is None or self._connection.closed:
            try:
                connection = connect(self.url, read_only=not self._writing, name="prisma-recovery journal")
            except RecoveryError as error:
                raise self._away(error) from error
            chosen = ", ".join(f"set_config('{key}', '{value}', false)" for key, value in _SETTINGS.items())
            connection.execute(f"SELECT {chosen}".encode())
            self._connection = connection
        return self._connection

    def _explained(self, error: psycopg.Error) -> RecoveryError:
        """PostgreSQL's error as one of the recovery's."""
        if self._connection is None or self._connection.closed:
            return self._away(error)
        text = error.diag.message_primary or said(self.url, error)
        match error:
            case errors.LockNotAvailable() | errors.QueryCanceled():
                return self._locked(text)
            case errors.InsufficientPrivilege():
                user = self.url.user or "this role"
                return JournalError(
                    "journal.not_permitted",
                    f"{user} may not make or use the journal {self} ({text}); nothing was recorded, and nothing more "
                    "was done.",
                    f"Let the database's owner run CREATE SCHEMA {SCHEMA} AUTHORIZATION {user}, or grant {user} USAGE "
                    "on it and SELECT, INSERT on its tables; or keep the journal in another database.",
                )
            case errors.UndefinedTable() | errors.UndefinedColumn() | errors.DatatypeMismatch():
                return self.corrupt(text)
        return JournalError(
            "journal.unwritable",
            f"The journal {self} cannot be written ({text}); nothing was recorded, and nothing more was done.",
            "Make sure that the database takes writes and has free space, and run again.",
        )

    def _away(self, error: Exception) -> RecoveryError:
        """The error for a database that refused the connection, or does not answer."""
        cause = error.__cause__ if isinstance(error, RecoveryError) and error.__cause__ is not None else error
        text = said(self.url, cause)
        if isinstance(error, PreflightError):
            return JournalError(
                "journal.refused",
                f"The journal's database {self} refused the connection: {text}. Nothing more was done.",
                "Correct user, password or database in the journal's URL, and run again.",
            )
        return UnreachableError(
            "journal.unreachable",
            f"The journal {self} does not answer: {text}. "
            + ("Nothing more was done, since it could not be recorded." if self._writing else "Nothing was read."),
            "See that its database is up, and run again: if the outcome of an effect is missing in the journal, "
            "production is looked at first.",
        )

    def _locked(self, reason: str) -> JournalError:
        return JournalError(
            "journal.locked",
            f"Another process holds the journal {self} ({reason}); nothing was recorded, and nothing more was done.",
            "Wait for the other recovery to end, then run again.",
        )
