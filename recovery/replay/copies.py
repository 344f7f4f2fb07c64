"""A copy of a history's database, to try things on."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus

from recovery.replay.scratch import DISCARD, STATEMENT_TIMEOUT_SECONDS, ScratchServer


class Copy:
    """A copy of a database. Its sessions are kept and set back, since a new one plans the catalog's queries anew."""

    def __init__(self, server: ScratchServer, database: str, reset: Callable[[psycopg.Connection[Any]], None]) -> None:
        """Makes the copy.

        Args:
            server: the scratch server.
            database: the name of the database to copy, to which nobody may be connected.
            reset: sets a session back to the state in which Prisma starts each migration.
        """
        self._server = server
        self._database = server.create(database)
        self._reset = reset
        self._idle: dict[bool, list[psycopg.Connection[Any]]] = {False: [], True: []}

    @contextmanager
    def connected(self, *, superuser: bool = False) -> Iterator[psycopg.Connection[Any]]:
        """A session in autocommit, set up as one of Prisma's; a transaction that is open at its end is rolled back.

        Args:
            superuser: as the superuser, and not set up; else as the role that scripts run as.
        """
        idle = self._idle[superuser]
        connection = idle.pop() if idle else self._server.connect(self._database, superuser=superuser)
        try:
            if superuser:
                connection.execute(f"{DISCARD}; SET statement_timeout = '{STATEMENT_TIMEOUT_SECONDS}s'".encode())
            else:
                self._reset(connection)
            yield connection
        except BaseException:
            connection.close()  # in the middle of a query it could serve nobody
            raise
        if connection.closed:
            return
        if connection.info.transaction_status != TransactionStatus.IDLE:
            connection.execute("ROLLBACK")
        idle.append(connection)

    def drop(self) -> None:
        """Drops the database. This object must not be used afterwards."""
        for connection in (*self._idle[False], *self._idle[True]):
            connection.close()
        self._server.drop(self._database)
