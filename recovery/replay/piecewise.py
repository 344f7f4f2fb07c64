"""Runs a migration of the history statement by statement, and tells which statements could not be run."""

import re
from typing import Any

import psycopg

from recovery.replay.running import execute
from recovery.sql.script import Script
from recovery.sql.statements import Parsed, parse
from states.facts import Note

#: Owners, privileges and comments count in a comparison only where the failed script states them, so the base may lack
#: them.
_ABOUT_ROLES = {"grant_stmt", "alter_owner_stmt", "comment_stmt"}
#: Statements that may commit a part of what they do and then fail; CREATE INDEX CONCURRENTLY leaves an invalid index.
_COMMIT_A_PART = ("call_stmt", "do_stmt")
_CONCURRENTLY = re.compile(r"\bconcurrently\b", re.IGNORECASE)
_CHANGES_OWNER = re.compile(r"ALTER\s[^;]*\sOWNER\s+TO\s+\S+\Z", re.IGNORECASE)


def executed(script: Script) -> tuple[list[Parsed], list[Note]]:
    """The statements of a migration that may run on a scratch server, and a note on each other one.

    Raises:
        ScriptError: the script can't be split into statements.
    """
    statements, notes = [], []
    for statement in parse(script.text):
        if statement.forbidden:
            notes.append(Note(script.migration, f"not executed, it {statement.forbidden}", statement.index))
        elif statement.node == "alter_default_privileges_stmt":
            # It would give later objects privileges that no script states (RULES E8).
            notes.append(Note(script.migration, "not executed, default privileges are not compared", statement.index))
        else:
            statements.append(statement)
    return statements, notes


def run_each(connection: psycopg.Connection[Any], script: Script) -> list[Note]:
    """Runs a script's statements one by one. Each that fails is left out, and nothing of it stays (RULES E26).

    Returns:
        A note on each statement that was left out.

    Raises:
        psycopg.Error: more than the statement that failed may be missing, or something of it may be left behind.
    """
    notes = []
    for statement in executed(script)[0]:
        # SET TRANSACTION ISOLATION LEVEL allows no savepoint.
        within = connection.info.transaction_status == psycopg.pq.TransactionStatus.INTRANS
        within = within and statement.node not in ("transaction_stmt", "variable_set_stmt")
        if within:
            connection.execute("SAVEPOINT before_it")
        try:
            execute(connection, statement)
        except psycopg.Error as error:
            # A COMMIT that fails takes all of its transaction with it, and these may have committed a part.
            commits = (statement.node in _COMMIT_A_PART and not statement.atomic) or _CONCURRENTLY.search(statement.sql)
            if connection.closed or statement.control or commits:
                raise
            if within:
                connection.execute("ROLLBACK TO before_it")
            elif connection.info.transaction_status == psycopg.pq.TransactionStatus.INERROR:
                raise
            notes.append(_left_out(script, statement, error))
        else:
            if within:
                connection.execute("RELEASE before_it")
    return notes


def _left_out(script: Script, statement: Parsed, error: psycopg.Error) -> Note:
    owner_only = statement.actions == 1 and _CHANGES_OWNER.search(statement.sql)
    missing = isinstance(error, (psycopg.errors.UndefinedObject, psycopg.errors.InsufficientPrivilege))
    if missing and (statement.node in _ABOUT_ROLES or owner_only):
        reason = "it names an object, most likely a role, that the scratch database lacks"
        return Note(script.migration, reason, statement.index)
    reason = f"it fails when replayed: {error.diag.message_primary or error}"
    return Note(script.migration, reason, statement.index, failed=True)
