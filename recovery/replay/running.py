"""Runs texts and statements in the scratch database, and tells a failure of theirs from one of the server's."""

import re
from typing import Any

import psycopg

from recovery.replay.room import lacked
from recovery.sql.statements import Parsed

#: One action of ALTER TABLE that only a superuser may do to a table with foreign keys.
_ALL_TRIGGERS = re.compile(r"\b((?:disable|enable)\s+trigger)\s+all\Z", re.IGNORECASE)


def users_triggers(statement: Parsed) -> str:
    """A statement that switches all triggers of a table, for the user's own triggers only; empty for any other.

    PostgreSQL lets only a superuser switch the triggers of foreign keys, and scripts never run as one here.
    """
    if statement.node != "alter_table_stmt" or statement.actions != 1:
        return ""
    sql, found = _ALL_TRIGGERS.subn(r"\1 USER", statement.sql)
    return sql if found else ""


def run(connection: psycopg.Connection[Any], text: str) -> None:
    """Runs a text of one statement or several.

    Raises:
        psycopg.Error: it failed.
        ScratchError: the server lacks disk, memory or connections, so nothing is known of the text.
    """
    try:
        connection.execute(text.encode())
    except psycopg.Error as error:
        if no := lacked(error):
            raise no from error
        raise


def execute(connection: psycopg.Connection[Any], statement: Parsed) -> str:
    """Runs a statement.

    Returns:
        How it ran otherwise than it is written; empty if it did not.

    Raises:
        psycopg.Error: it failed.
        ScratchError: as `run`.
    """
    instead = users_triggers(statement)
    if not instead:
        run(connection, statement.sql)
        return ""
    within = connection.info.transaction_status == psycopg.pq.TransactionStatus.INTRANS
    if within:
        connection.execute("SAVEPOINT before_it")
    try:
        run(connection, statement.sql)
    except psycopg.errors.InsufficientPrivilege:
        if within:
            connection.execute("ROLLBACK TO before_it")
        connection.execute(instead.encode())
        return "only a superuser may switch the triggers of foreign keys, so it was replayed for the others alone"
    return ""
