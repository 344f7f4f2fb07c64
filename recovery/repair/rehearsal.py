"""Rehearses a plan on a scratch database whose schema was first shown to equal production's (RULES F14)."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import psycopg

from recovery.postgres import catalog
from recovery.repair.alterations import Draft
from recovery.replay import witnesses
from recovery.replay.history import Copy
from recovery.replay.walk import execute
from recovery.sql.statements import Parsed
from states.comparison import Difference, differences, some
from states.facts import Key, Replay, Snapshot
from states.plans import PlannedStatement

#: Locks on relations, the strongest last.
_MODES = (
    *("AccessShareLock", "RowShareLock", "RowExclusiveLock", "ShareUpdateExclusiveLock", "ShareLock"),
    *("ShareRowExclusiveLock", "ExclusiveLock", "AccessExclusiveLock"),
)
#: What PostgreSQL says of a statement that can't run in a transaction, or not in one with an earlier one.
_ALONE = ("25001", "55P04")
#: The relations that this session locks; one that it has dropped is among them.
_HELD = (
    "SELECT relation::bigint, mode FROM pg_catalog.pg_locks"
    " WHERE pid = pg_backend_pid() AND locktype = 'relation' AND granted"
)
#: The tables that people have, and the file in which each is.
_TABLES = """
SELECT c.oid::bigint, format('%I.%I', n.nspname, c.relname), pg_relation_filenode(c.oid)
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'm') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
"""
_ON = re.compile(
    r"\bON\s+(?:ONLY\s+)?((?:\"(?:[^\"]|\"\")*\"|[\w$]+)(?:\.(?:\"(?:[^\"]|\"\")*\"|[\w$]+))?)", re.IGNORECASE
)


class NoPlanError(Exception):
    """A rehearsal that did not end where it should.

    Args:
        why: the reason, as a clause.
    """

    def __init__(self, *, why: str) -> None:
        super().__init__(why)


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """A rehearsal that ended where it should.

    Attributes:
        statements: with what was seen of each.
        together: they ran as one transaction.
    """

    statements: tuple[PlannedStatement, ...]
    together: bool


def run_first(copy: Copy, parsed: Sequence[Parsed]) -> None:
    """Brings a copy to the state after these statements of the script, by any way in which they can have run.

    Raises:
        NoPlanError: they can't have run so far and no further.
    """
    with copy.connected() as connection:
        try:
            for statement in parsed:
                execute(connection, statement)
        except psycopg.Error as error:
            raise NoPlanError(why=f"the statements before do not run one by one: {_said(error)}") from error
        if connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
            raise NoPlanError(why="the script's own transaction is still open there, so nothing of it can have stayed")


def schema_of(copy: Copy) -> dict[Key, str]:
    """The whole schema of a copy."""
    with copy.connected() as connection:
        return catalog.read(connection)


def stands_at(copy: Copy, replay: Replay, step: int) -> None:
    """Makes sure that a copy equals a step by the comparison that production is held to.

    Raises:
        NoPlanError: it does not.
    """
    if left := differences(replay, step, schema_of(copy)):
        raise NoPlanError(why=f"the copy to try it on does not equal production: {some(left)}")


def rehearse(copy: Copy, drafts: Sequence[Draft], ended: Callable[[Snapshot], Sequence[Difference]]) -> Rehearsed:
    """Runs the statements on a copy, as one transaction if PostgreSQL allows that, else one by one.

    Args:
        copy: the database; it is not changed if they run as one transaction.
        drafts: the statements.
        ended: the differences of a schema from the one in which the rehearsal has to end.

    Raises:
        NoPlanError: a statement fails, or the end is another one.
    """
    try:
        with copy.connected() as connection:
            connection.execute("BEGIN")
            seen = [_watched(connection, draft) for draft in drafts]
            after = catalog.read(connection)
            together = True
    except psycopg.Error as error:
        if error.sqlstate not in _ALONE:
            raise NoPlanError(why=f"it fails in the rehearsal: {_said(error)}") from error
        seen, after, together = [*_one_by_one(copy, drafts)], schema_of(copy), False
    if left := ended(after):
        raise NoPlanError(why=f"its rehearsal ends elsewhere: {some(left)}")
    return Rehearsed(tuple(seen), together)


def _one_by_one(copy: Copy, drafts: Sequence[Draft]) -> Sequence[PlannedStatement]:
    seen = []
    with copy.connected() as connection:
        for draft in drafts:
            try:
                connection.execute("BEGIN")
                seen.append(_watched(connection, draft))
                connection.execute("COMMIT")
            except psycopg.Error as error:
                connection.execute("ROLLBACK")
                if error.sqlstate not in _ALONE:
                    raise NoPlanError(why=f"it fails in the rehearsal: {_said(error)}") from error
                seen.append(_alone(connection, draft))
    return seen


def _alone(connection: psycopg.Connection[Any], draft: Draft) -> PlannedStatement:
    """Runs a statement that no transaction may hold, as CREATE INDEX CONCURRENTLY, which lets rows be written."""
    before = catalog.read(connection)
    try:
        connection.execute(draft.sql.encode())
    except psycopg.Error as error:
        raise NoPlanError(why=f"it fails in the rehearsal: {_said(error)}") from error
    table = _ON.search(draft.sql)
    lock = "ShareUpdateExclusiveLock" if table else ""
    changes = _changes(before, catalog.read(connection))
    return PlannedStatement(draft.sql, draft.number, changes, lock, table[1] if table else "")


def _watched(connection: psycopg.Connection[Any], draft: Draft) -> PlannedStatement:
    """Runs a statement in a transaction, and sees what it changes, locks and rewrites.

    A snapshot takes locks of its own, on catalogs only.
    """
    before, tables, held = catalog.read(connection), _tables(connection), _held(connection)
    connection.execute(draft.sql.encode())
    now, then = _held(connection), _tables(connection)
    planned = PlannedStatement(draft.sql, draft.number, _changes(before, catalog.read(connection)))
    rank, oid = max(
        ((rank, oid) for oid, rank in now.items() if oid in tables and rank > held.get(oid, -1)), default=(-1, 0)
    )
    if rank < 0:
        return planned
    name, file = tables[oid]
    rewritten = oid in then and then[oid][1] != file
    return replace(planned, lock=_MODES[rank], table=name, rewrites=rewritten)


def _held(connection: psycopg.Connection[Any]) -> dict[int, int]:
    found: dict[int, int] = {}
    for oid, mode in connection.execute(_HELD).fetchall():
        found[oid] = max(found.get(oid, -1), _MODES.index(mode))
    return found


def _tables(connection: psycopg.Connection[Any]) -> dict[int, tuple[str, int]]:
    return {oid: (name, file) for oid, name, file in connection.execute(_TABLES).fetchall()}


def _changes(before: Snapshot, after: Snapshot) -> tuple[str, ...]:
    """What a statement changes, as clauses; of what is made or dropped as a whole only that."""
    keys = sorted(key for key in before.keys() | after.keys() if before.get(key) != after.get(key))
    whole = {(obj, "exists") for obj, prop in keys if prop == "exists"}
    told = []
    for obj, prop in keys:
        column = prop.split(" ", 2)[:2] if prop.startswith("column ") else []
        part = " ".join(column)
        if prop != "exists" and ((obj, "exists") in whole or (part not in ("", prop) and (obj, part) in keys)):
            continue
        if (obj, prop) not in after:
            how = "dropped"
        elif (obj, prop) not in before:
            how = "made"
        else:
            how = f"{before[obj, prop]} → {after[obj, prop]}"
        told.append(f"{obj}{'' if prop == 'exists' else f', {prop}'}: {how}")
    return tuple(told)


def keeps_rows(copy: Copy, parsed: Sequence[Parsed], drafts: Sequence[Draft]) -> None:
    """Makes sure, on a copy with rows, that the statements take away and change nothing that they do not name.

    Args:
        copy: the database, which is changed.
        parsed: the migration's script, by whose names the tables are found that get rows.
        drafts: the statements.

    Raises:
        NoPlanError: other rows are changed or lost, or the statements fail on rows.
    """
    with copy.connected() as connection:
        tables = witnesses.reached(connection, parsed)
    with copy.connected(superuser=True) as connection:
        rows = witnesses.put(connection, tables)
        names = dict(connection.execute("SELECT oid::bigint, oid::regclass::text FROM pg_class").fetchall())
        before = witnesses.contents_of(connection, rows)
    try:
        with copy.connected() as connection:
            for draft in drafts:
                connection.execute(draft.sql.encode())
    except psycopg.Error as error:
        raise NoPlanError(why=f"it fails where there are rows: {_said(error)}") from error
    with copy.connected(superuser=True) as connection:
        after = witnesses.contents_of(connection, rows)
    named = sum(1 for draft in drafts for _, prop in draft.loses if prop == "exists")
    gone = [names.get(oid, "") for oid in before.holders if oid not in after.holders]
    if len(gone) > named:
        raise NoPlanError(why=f"it takes away more rows than it names: {', '.join(gone)}")
    if witnesses.changed(before, after):
        raise NoPlanError(why="it changes rows that stay, as running it on rows shows")


def _said(error: psycopg.Error) -> str:
    return f"{error.sqlstate} {error.diag.message_primary or str(error).splitlines()[0]}"
