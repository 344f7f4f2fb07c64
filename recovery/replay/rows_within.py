"""Puts witness rows into a transaction that is rolled back in the end.

A copy of the database serves as well, and takes many times longer: it must be made, and its new session has to plan
every query anew. So a copy is made only where a script would run otherwise after the rows have been put.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql

from recovery.replay.scratch import ScratchServer
from recovery.replay.witnesses import Witnesses, put

#: An isolation level can be set by the first query of a transaction only.
_OF_TRANSACTIONS = re.compile("transaction", re.IGNORECASE)
#: Whether any of these tables has something that an INSERT would set off: a foreign key, a trigger or a rule.
_SET_OFF = "SELECT bool_or(relhastriggers OR relhasrules) FROM pg_catalog.pg_class WHERE oid = ANY(%s::oid[])"
#: What sequences give next, which no rollback takes back.
_SEQUENCES = (
    "SELECT s.seqrelid::bigint, d.last_value, d.is_called"
    " FROM pg_catalog.pg_sequence s, pg_catalog.pg_get_sequence_data(s.seqrelid) d"
)


def possible(server: ScratchServer, text: str) -> bool:
    """Whether a script runs after the rows have been put as it would as the first of a transaction.

    Args:
        server: the scratch server; only of our own it is known what its role may do.
        text: the script.
    """
    return server.is_ours and not _OF_TRANSACTIONS.search(text)


@contextmanager
def rows_within(
    server: ScratchServer, database: str, connection: psycopg.Connection[Any], tables: Sequence[int]
) -> Iterator[Witnesses | None]:
    """A transaction in which these tables have rows. At the end it is rolled back, and sequences are set back.

    Args:
        server: our own scratch server.
        database: the database.
        connection: to the database, as the role that scripts run as, in autocommit.
        tables: oids of the tables.

    Yields:
        The rows; None if the role may not put them, or may not see a sequence.
    """
    before = _sequences(connection)
    witnesses: Witnesses | None = None
    connection.execute("BEGIN")
    try:
        if all(last is not None for last, _ in before.values()):
            try:
                witnesses = _put(server, connection, tables)
            except psycopg.errors.InsufficientPrivilege:
                connection.execute("ROLLBACK")
        yield witnesses
    finally:
        if witnesses is not None and not connection.closed:
            connection.execute("ROLLBACK")
            _set_back(server, database, before, _sequences(connection))


def _sequences(connection: psycopg.Connection[Any]) -> dict[int, tuple[int | None, bool]]:
    return {oid: (last, called) for oid, last, called in connection.execute(_SEQUENCES).fetchall()}


def _put(server: ScratchServer, connection: psycopg.Connection[Any], tables: Sequence[int]) -> Witnesses:
    found = connection.execute(_SET_OFF, (list(tables),)).fetchone()
    if found is None or not found[0]:
        return put(connection, tables, within=True)
    with server.may_set("session_replication_role"):
        connection.execute("SET LOCAL session_replication_role = replica")
        witnesses = put(connection, tables, within=True)
        connection.execute("SET LOCAL session_replication_role TO DEFAULT")
    return witnesses


def _set_back(
    server: ScratchServer,
    database: str,
    before: dict[int, tuple[int | None, bool]],
    after: dict[int, tuple[int | None, bool]],
) -> None:
    moved = {oid: value for oid, value in before.items() if after.get(oid) != value}
    if not moved:
        return
    with server.connect(database, superuser=True) as superuser:
        for oid, value in moved.items():
            superuser.execute(
                sql.SQL("SELECT pg_catalog.setval({}::oid::regclass, {}, {})").format(oid, *map(sql.Literal, value))
            )
