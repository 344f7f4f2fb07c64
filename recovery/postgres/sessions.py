"""The sessions at work on the target: their locks and DDL, and effects of ours that may still be running."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import psycopg

#: Seconds for which Prisma's lock must stay held before it counts as a sign of somebody at work (RULES E14).
LOCK_PATIENCE_SECONDS = 15.0
_LOOK_SECONDS = 0.25
#: The `application_name` of every session of ours begins with this. Prisma's sessions that we start have EFFECT_NAME
#: and the run instead.
OUR_NAME = "prisma-recovery"
EFFECT_NAME = "prisma-recovery effect"

_DDL = (
    r"^\s*(--[^\n]*\n\s*|/\*.*?\*/\s*)*"
    r"(create|alter|drop|truncate|reindex|cluster|comment|grant|revoke|security|refresh|vacuum full|begin;.*alter)\M"
)


@dataclass(frozen=True, slots=True)
class Backend:
    """Another session on this database, as `pg_stat_activity` shows it.

    Attributes:
        query: its last statement; None if the role may not see it, nor the client, state and times.
        seconds: for how long it has been in this state, by the server's clock; 0 if the role may not see it.
        mark: tells it from another session with this pid, and from itself in another state; empty if hidden.
        behind: pids of the sessions that it waits for; empty if it waits for no lock.
    """

    pid: int
    user: str
    application: str
    client: str
    state: str
    since: str
    query: str | None
    seconds: float
    mark: str
    behind: tuple[int, ...]

    def __str__(self) -> str:
        """For people."""
        application = f", {self.application}" if self.application else ""
        seen = f"{self.client}, {self.state} since {self.since}"
        hidden = "its client, state and statement are hidden from this role"
        return f"pid {self.pid} ({self.user}{application}, {hidden if self.query is None else seen})"


# A role sees of another role's session only pid, role and application, with a backend_type of NULL, unless it is a
# member of that role or of pg_read_all_stats. Autovacuum has no role.
_SESSION = """
SELECT a.pid, coalesce(a.usename, '?'), coalesce(a.application_name, ''),
       coalesce(host(a.client_addr), 'local'), coalesce(a.state, 'unknown'),
       coalesce(to_char(a.state_change AT TIME ZONE 'UTC', 'HH24:MI:SS "UTC"'), '?'),
       CASE WHEN a.query = '<insufficient privilege>' THEN NULL ELSE a.query END,
       coalesce(greatest(extract(epoch FROM clock_timestamp() - a.state_change)::float8, 0), 0),
       coalesce(extract(epoch FROM a.backend_start)::text || ' ' || extract(epoch FROM a.state_change)::text, ''),
       CASE WHEN EXISTS (SELECT FROM pg_catalog.pg_locks w WHERE w.pid = a.pid AND NOT w.granted)
            THEN pg_catalog.pg_blocking_pids(a.pid) ELSE '{}' END
FROM pg_catalog.pg_stat_activity a
WHERE a.datname = current_database() AND a.pid <> pg_catalog.pg_backend_pid()
  AND (a.backend_type = 'client backend' OR a.backend_type IS NULL AND a.usesysid IS NOT NULL
       AND a.pid NOT IN (SELECT r.pid FROM pg_catalog.pg_stat_replication r))
"""


def _sessions(connection: psycopg.Connection[Any], condition: str, *parameters: object) -> tuple[Backend, ...]:
    query = f"{_SESSION} AND ({condition}) ORDER BY a.pid"
    rows = connection.execute(query.encode(), parameters or None)
    return tuple(Backend(*(*row[:-1], tuple(row[-1]))) for row in rows)


def holders(connection: psycopg.Connection[Any], key: int) -> tuple[Backend, ...]:
    """Sessions that hold the session advisory lock `key`."""
    return _sessions(
        connection,
        "a.pid IN (SELECT l.pid FROM pg_catalog.pg_locks l WHERE l.locktype = 'advisory' AND l.granted"
        " AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = current_database())"
        " AND l.classid::bigint = %s AND l.objid::bigint = %s AND l.objsubid = 1)",
        key >> 32,
        key & 0xFFFFFFFF,
    )


def undone(connection: psycopg.Connection[Any], transaction: int) -> bool:
    """Whether a transaction is known to have been rolled back, by its client or because its session ended."""
    try:
        row = connection.execute("SELECT pg_catalog.pg_xact_status(%s::text::xid8)", (str(transaction),)).fetchone()
    except psycopg.DatabaseError:
        if connection.closed or connection.broken:
            raise
        return False  # another server's, which has not come so far yet
    return row is not None and row[0] == "aborted"


_END = """
SELECT pg_catalog.pg_terminate_backend(s.pid)
FROM ({session}) s(pid, usename, application, client, state, since, query, seconds, mark, behind)
WHERE s.pid = %s AND s.mark = %s AND s.state = 'idle' AND s.pid IN (
    SELECT l.pid FROM pg_catalog.pg_locks l
    WHERE l.locktype = 'advisory' AND l.granted AND l.classid::bigint = %s AND l.objid::bigint = %s AND l.objsubid = 1)
"""


def end_if_idle(connection: psycopg.Connection[Any], pid: int, mark: str, key: int) -> bool:
    """Ends a session if it is still the one of this mark, idle, and holds the lock `key`; whether it was told to end.

    Raises:
        psycopg.errors.InsufficientPrivilege: the role may not end it.
    """
    query = _END.format(session=_SESSION)
    row = connection.execute(query.encode(), (pid, mark, key >> 32, key & 0xFFFFFFFF)).fetchone()
    return bool(row and row[0])


def waiting(connection: psycopg.Connection[Any]) -> tuple[Backend, ...]:
    """Sessions other than ours that wait for a lock; their `behind` names the sessions that they wait for."""
    return _sessions(
        connection,
        "a.application_name NOT LIKE %s AND EXISTS"
        " (SELECT FROM pg_catalog.pg_locks w WHERE w.pid = a.pid AND NOT w.granted)",
        OUR_NAME + "%",
    )


def running_ddl(connection: psycopg.Connection[Any]) -> tuple[Backend, ...]:
    """Sessions that change the schema, as their statement or their locks show.

    `pg_locks` shows locks to every role, so DDL is found even if the statement is hidden. A lock on a relation that is
    not in `pg_class` is one on a relation that the session is just creating. DDL alone also locks the schemas, types
    and roles that it names.
    """
    return _sessions(
        connection,
        "a.application_name NOT LIKE %s AND ((a.state IN ('active', 'idle in transaction') AND a.query ~* %s)"
        " OR a.pid IN (SELECT l.pid FROM pg_catalog.pg_locks l"
        "   LEFT JOIN pg_catalog.pg_class c ON c.oid = l.relation"
        "   WHERE l.granted AND l.locktype = 'relation'"
        "     AND (l.mode IN ('AccessExclusiveLock', 'ShareRowExclusiveLock', 'ShareLock')"
        # Held by CREATE INDEX CONCURRENTLY and by VACUUM; only the statement, here hidden, tells them apart.
        "          OR l.mode = 'ShareUpdateExclusiveLock' AND a.backend_type IS NULL)"
        "     AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = current_database())"
        "     AND (c.relkind IN ('r', 'p', 'i', 'S', 'v', 'm') OR c.oid IS NULL))"
        " OR a.backend_type IS NULL AND a.pid IN (SELECT l.pid FROM pg_catalog.pg_locks l"
        "   WHERE l.granted AND l.locktype = 'object' AND l.classid <> 'pg_catalog.pg_database'::regclass))",
        OUR_NAME + " %",
        _DDL,
    )


def our_effects(connection: psycopg.Connection[Any]) -> tuple[Backend, ...]:
    """Sessions of Prisma commands that a recovery started, even if that recovery has died since."""
    return _sessions(connection, "a.application_name LIKE %s", EFFECT_NAME + "%")


#: The lock that a session waits for, in words; a wait for a row is one for the end of the transaction that locked it.
_WAITED = """
SELECT l.mode || CASE WHEN c.oid IS NOT NULL THEN ' on ' || n.nspname || '.' || c.relname
                      WHEN l.locktype = 'transactionid' THEN ' on the end of a transaction'
                      ELSE ' on ' || l.locktype END,
       pg_catalog.pg_blocking_pids(l.pid)
FROM pg_catalog.pg_locks l
JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
LEFT JOIN pg_catalog.pg_class c ON c.oid = l.relation
LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE a.application_name = %s AND a.datname = current_database() AND NOT l.granted
LIMIT 1
"""


def kept_waiting(connection: psycopg.Connection[Any], application: str) -> tuple[str, tuple[str, ...]]:
    """The lock that the session with this application name waits for, and the sessions that block it; both for people.

    Both are empty if it waits for no lock. Every role sees the pid and role of the blocking sessions; only a member
    of `pg_read_all_stats` (or of their role) also sees their state and since when.
    """
    row = connection.execute(_WAITED, (application,)).fetchone()
    if row is None:
        return "", ()
    waited, pids = row
    known = {session.pid: str(session) for session in _sessions(connection, "a.pid = ANY(%s)", list(pids))}
    # A pid that is no client's is a worker of the server, mostly autovacuum; 0 is a prepared transaction.
    return waited, tuple(
        known.get(pid, f"pid {pid} (no client: a worker of the server)" if pid else "a prepared transaction")
        for pid in dict.fromkeys(pids)
    )


def patiently_held(
    connection: psycopg.Connection[Any],
    key: int,
    sleep: Callable[[float], None],
    told: Callable[[float, tuple[Backend, ...]], None],
    ours: Collection[int] = (),
) -> tuple[Backend, ...]:
    """Sessions that still hold the lock `key` after LOCK_PATIENCE_SECONDS; returns at once when the lock is free.

    Args:
        connection: to the target.
        key: the key of a session advisory lock.
        sleep: sleeps for a number of seconds.
        told: called about once a second with the seconds waited and the holders.
        ours: pids of sessions that do not count.
    """
    looks = 0
    while (
        holding := tuple(each for each in holders(connection, key) if each.pid not in ours)
    ) and looks * _LOOK_SECONDS < LOCK_PATIENCE_SECONDS:
        if looks % 4 == 0:
            told(looks * _LOOK_SECONDS, holding)
        sleep(_LOOK_SECONDS)
        looks += 1
    return holding


def at_work_on(
    connection: psycopg.Connection[Any], script: str, tables: tuple[str, ...], *, unlogged: bool
) -> tuple[Backend, ...]:
    """Sessions, including idle ones, that may still be running a failed migration (RULES E14).

    A session counts if its last statement is the script or a part of it, or a write to the ledger. A session that
    last read the ledger, as a person does who looks at it, does not count.

    Args:
        connection: to the target.
        script: the migration's text.
        tables: `schema.table` of the footprint; a session that holds ShareUpdateExclusive or more on one counts.
        unlogged: the row has no logs, so a session whose statement can't be read counts, too.
    """
    return _sessions(
        connection,
        "a.application_name NOT LIKE %s AND ("
        " (length(btrim(a.query, E' \\n\\t;')) > 8 AND position(btrim(a.query, E' \\n\\t;') in %s) > 0)"
        " OR a.query ~* '^\\s*(insert|update|delete)\\y.*_prisma_migrations'"
        " OR (%s AND a.query = '<insufficient privilege>')"
        " OR a.pid IN (SELECT l.pid FROM pg_catalog.pg_locks l WHERE l.granted AND l.relation = ANY("
        "   SELECT to_regclass(t)::oid FROM unnest(%s::text[]) t)"
        "   AND l.mode IN ('ShareUpdateExclusiveLock', 'ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock',"
        "                  'AccessExclusiveLock')))",
        OUR_NAME + "%",
        script,
        unlogged,
        list(tables),
    )
