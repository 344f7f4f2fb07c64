"""Session advisory locks: Prisma's migration lock, and the lock of recoveries."""

from typing import Any

import psycopg

#: The key of the session advisory lock that Prisma's deploy and resolve take.
PRISMA_LOCK = 72707369
#: The key of our own session advisory lock: one recovery at a time on a database. ("recovery" in ASCII)
RECOVERY_LOCK = 0x7265636F76657279


class SessionLock:
    """A session advisory lock on a connection that never reconnects; taken without waiting (RULES F3)."""

    def __init__(self, connection: psycopg.Connection[Any], key: int) -> None:
        self._connection = connection
        self._key = key
        self.pid = connection.info.backend_pid

    def try_take(self) -> bool:
        """Takes the lock if nobody holds it; returns whether it did."""
        row = self._connection.execute("SELECT pg_try_advisory_lock(%s), pg_backend_pid()", (self._key,)).fetchone()
        if row is None or not row[0]:
            return False
        self.pid = row[1]
        return True

    def held(self) -> bool:
        """Whether `pg_locks` still shows the lock for the same backend. Taking it again proves nothing (RULES F4)."""
        try:
            row = self._connection.execute(
                "SELECT pg_backend_pid() = %s AND EXISTS (SELECT FROM pg_catalog.pg_locks WHERE locktype = 'advisory'"
                " AND granted AND pid = %s AND classid::bigint = %s AND objid::bigint = %s AND objsubid = 1)",
                (self.pid, self.pid, self._key >> 32, self._key & 0xFFFFFFFF),
            ).fetchone()
        except psycopg.Error:
            return False
        return bool(row and row[0])

    def release(self) -> None:
        """Releases the lock; a dead connection has released it already."""
        if not self._connection.closed:
            self._connection.execute("SELECT pg_advisory_unlock(%s)", (self._key,))

    def connected(self, application: str) -> bool:
        """Whether a session with this application name is in the database."""
        return connected(self._connection, application)

    def waiting_behind(self, by: psycopg.Connection[Any] | None = None) -> tuple[str, ...]:
        """Application names of the sessions that wait for this lock and that only we block.

        Args:
            by: the connection that looks; None: the lock's own.
        """
        rows = (
            (by or self._connection)
            .execute(
                "SELECT a.application_name FROM pg_catalog.pg_locks l"
                " JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid"
                " WHERE l.locktype = 'advisory' AND NOT l.granted AND l.classid::bigint = %s AND l.objid::bigint = %s"
                " AND l.objsubid = 1 AND pg_catalog.pg_blocking_pids(l.pid) = ARRAY[%s]::int[]",
                (self._key >> 32, self._key & 0xFFFFFFFF, self.pid),
            )
            .fetchall()
        )
        return tuple(row[0] for row in rows)


def connected(connection: psycopg.Connection[Any], application: str) -> bool:
    """Whether a session with this application name is in the database."""
    row = connection.execute(
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_stat_activity WHERE application_name = %s)", (application,)
    ).fetchone()
    return bool(row and row[0])


def ahead_of(connection: psycopg.Connection[Any], pid: int) -> tuple[str, ...]:
    """Application names of the sessions that hold, or asked earlier for, the lock for which this session waits."""
    rows = connection.execute(
        "SELECT application_name FROM pg_catalog.pg_stat_activity WHERE pid = ANY(pg_catalog.pg_blocking_pids(%s))",
        (pid,),
    ).fetchall()
    return tuple(sorted(row[0] for row in rows))


def holding(connection: psycopg.Connection[Any], key: int, pid: int | None = None, application: str = "") -> bool:
    """Whether the session with this pid, or else with this application name, holds the session advisory lock `key`."""
    row = connection.execute(
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid"
        " WHERE l.locktype = 'advisory' AND l.granted AND l.classid::bigint = %s AND l.objid::bigint = %s"
        " AND l.objsubid = 1 AND (a.pid = %s OR (%s::int IS NULL AND a.application_name = %s)))",
        (key >> 32, key & 0xFFFFFFFF, pid, pid, application),
    ).fetchone()
    return bool(row and row[0])
