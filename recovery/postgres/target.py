"""The target, the production database: its identity, its ledger, and connections that can only read but one."""

from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.sql import SQL, Identifier

from recovery.errors import PreflightError
from recovery.postgres import ledger
from recovery.postgres.bounded import BoundedConnection
from recovery.postgres.connect import connect
from recovery.postgres.sessions import OUR_NAME
from recovery.postgres.url import DatabaseUrl
from states.facts import Row

#: The oldest PostgreSQL whose catalog is known. Earlier ones lack `pg_current_snapshot`, on which forensics stands.
OLDEST = 13_00_00
#: The first version whose number has two parts only.
_TWO_PARTS = 10


@dataclass(frozen=True, slots=True)
class Identity:
    """The lasting identity of a target, to which the journal and every approval are tied (RULES F10).

    Attributes:
        system_identifier: PostgreSQL's identifier of the server's data directory; None if the role may not read it.
        server_version: as `17.4`.
        database_oid: PostgreSQL's number of the database, which a copy under the same name does not have.
    """

    system_identifier: str | None
    host: str
    database: str
    schema: str
    server_version: str
    database_oid: int

    @property
    def parts(self) -> tuple[str, str, str]:
        """System identifier (or the host, if that can't be read), database and schema."""
        return (self.system_identifier or f"host:{self.host}", self.database, self.schema)

    @property
    def digested(self) -> tuple[str, ...]:
        """The `parts` and the database's number: what evidence is tied to (RULES E31)."""
        return (*self.parts, str(self.database_oid))

    @property
    def key(self) -> str:
        """The `parts` as one string, the journal's key."""
        return "/".join(part.replace("/", "%2F") for part in self.parts)


def number_of(version: int) -> str:
    """A server's version as people write it: `17.4` for 170004, and `9.6.24` for 90624."""
    major, minor = divmod(version, 10_000)
    if major < _TWO_PARTS:
        return f"{major}.{minor // 100}.{minor % 100}"
    return f"{major}.{minor}"


class Target:
    """One production database, reached through one URL.

    Attributes:
        barred: pids of our own sessions that hold Prisma's lock, or wait for it, while production is observed.
    """

    def __init__(self, url: DatabaseUrl, source: str) -> None:
        """Opens nothing yet.

        Args:
            url: where it is.
            source: where the URL was found, for people.
        """
        self.url = url
        self.source = source
        self._reading: psycopg.Connection[Any] | None = None
        self._kept = False
        self._identity: Identity | None = None
        self.barred: set[int] = set()

    def reading(self) -> psycopg.Connection[Any]:
        """A connection on which the server refuses every write; opened anew if the last one broke."""
        if self._reading is None or self._reading.closed or self._reading.broken:
            self._reading = self._connect(OUR_NAME)
            self._identity = None  # while nobody was connected, another database can have got this name
        return self._reading

    def working(self, name: str) -> psycopg.Connection[Any]:
        """A separate connection, for locks; it never reconnects."""
        return self._connect(name)

    def writing(self, name: str) -> psycopg.Connection[Any]:
        """A separate connection that may write; only a repair has one.

        It has the settings that a session of Prisma's finds, since defaults of dates and times are read by them, and
        none of our own time limits.
        """
        connection = self._connect(name, read_only=False)
        try:
            connection.execute("RESET ALL")
            path = SQL("SET search_path = {}").format(Identifier(self.url.schema))
            connection.execute(path)
            connection.execute("SET statement_timeout = 0")
            if isinstance(connection, BoundedConnection):
                connection.patient = True
        except BaseException:
            connection.close()
            raise
        return connection

    def _connect(self, name: str, *, read_only: bool = True) -> psycopg.Connection[Any]:
        connection = connect(self.url, read_only=read_only, name=name, kept=self._kept)
        self._kept = True
        version = connection.info.server_version
        if version < OLDEST:
            connection.close()
            raise PreflightError(
                "database.too_old",
                f"{self.url.host}:{self.url.port} is PostgreSQL {number_of(version)}, and this tool can read "
                f"PostgreSQL {OLDEST // 10_000} and later only. Nothing was read or changed.",
                "Upgrade the server. Until then, use Prisma's own commands.",
            )
        return connection

    @property
    def identity(self) -> Identity:
        """The target's identity, read once for each connection: nobody can rename a database in use."""
        if self._identity is None:
            connection = self.reading()
            try:
                row = connection.execute("SELECT system_identifier::text FROM pg_control_system()").fetchone()
            except psycopg.errors.InsufficientPrivilege:
                row = None
            database = connection.execute(
                "SELECT datname, oid::bigint FROM pg_database WHERE datname = current_database()"
            ).fetchone()
            number = connection.info.server_version
            self._identity = Identity(
                system_identifier=row[0] if row else None,
                host=self.url.host,
                database=database[0] if database else self.url.database,
                schema=self.url.schema,
                server_version=number_of(number),
                database_oid=database[1] if database else 0,
            )
        return self._identity

    def rows(self) -> tuple[Row, ...]:
        """The rows of the ledger, oldest attempt first."""
        return ledger.read(self.reading(), self.url.schema)

    def hand_on(self, other: "Target") -> None:
        """Gives the reading connection to a target in another schema of the same database, which then need not connect.

        Args:
            other: a target that has no connection yet, with the same connection string.
        """
        other._reading, self._reading = self._reading, None  # noqa: SLF001 - of the same class
        other._kept = self._kept  # noqa: SLF001 - as above

    def close(self) -> None:
        """Closes the reading connection."""
        if self._reading is not None:
            self._reading.close()
            self._reading = None
