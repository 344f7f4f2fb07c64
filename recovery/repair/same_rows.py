"""Shows on rows that statements which run out of their order leave what the script would have left (RULES E17)."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import psycopg
from psycopg import sql

from recovery.repair.alterations import Draft
from recovery.repair.rehearsal import NoPlanError
from recovery.replay import witnesses
from recovery.replay.copies import Copy
from recovery.replay.running import execute
from recovery.sql.statements import Parsed

#: Whatever holds rows, but Prisma's ledger.
_HOLDERS = """
SELECT format('%I.%I', n.nspname, c.relname) FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'm') AND (c.relkind = 'r' OR c.relispopulated) AND c.relname <> '_prisma_migrations'
  AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
"""
_SEQUENCES = "SELECT seqrelid::regclass::text, pg_sequence_last_value(seqrelid) FROM pg_catalog.pg_sequence"
#: Errors of a constraint or an index that is made on rows which are not like production's: what rows there are stays.
_INTEGRITY = "23"
_CHECKING = ("alter_table_stmt", "index_stmt")

#: The rows of each table, and the last number of each sequence.
Rows = Mapping[str, Sequence[Mapping[str, Any]]]


def leaves_the_same(
    ideal: Copy,
    again: Copy,
    late: Copy,
    script: Sequence[Parsed],
    first: Sequence[Parsed],
    between: Callable[[Copy], None],
    drafts: Sequence[Draft],
) -> None:
    """Makes sure that a plan leaves the rows that the whole script leaves, run in its order on the same rows.

    Args:
        ideal: a copy of the state before the script; all three are changed.
        again: another, on which the script runs a second time, to find out which values are never the same.
        late: another, on which the plan runs.
        script: the whole script.
        first: the statements that ran in production.
        between: what happened to production since then.
        drafts: the plan.

    Raises:
        NoPlanError: it leaves other rows, or it can't be shown.
    """
    for copy in (ideal, again, late):
        _put(copy, script)
    wholly, twice = _after(ideal, script), _after(again, script)
    _after(late, first)
    between(late)
    with late.connected() as connection:
        for draft in drafts:
            _run(connection, lambda draft=draft: connection.execute(draft.sql.encode()), checks=True)  # type: ignore[misc]
    if where := _unlike(wholly, twice, _rows(late)):
        raise NoPlanError(
            why=f"run out of their order, its statements leave other rows in {where} than the script, as rows show"
        )


def _put(copy: Copy, script: Sequence[Parsed]) -> None:
    with copy.connected() as connection:
        tables = witnesses.reached(connection, script)
    with copy.connected(superuser=True) as connection:
        witnesses.put(connection, tables)


def _after(copy: Copy, statements: Sequence[Parsed]) -> Rows:
    with copy.connected() as connection:
        for each in statements:
            _run(connection, lambda each=each: execute(connection, each), checks=each.node in _CHECKING)  # type: ignore[misc]
        if connection.info.transaction_status == psycopg.pq.TransactionStatus.INTRANS:
            connection.execute("COMMIT")
    return _rows(copy)


def _run(connection: psycopg.Connection[Any], act: Callable[[], object], *, checks: bool) -> None:
    """Runs a statement; one that only finds rows that no production has is left out, with what it would check."""
    inside = connection.info.transaction_status == psycopg.pq.TransactionStatus.INTRANS
    try:
        if inside:
            connection.execute("SAVEPOINT before_it")
        act()
        if inside and connection.info.transaction_status == psycopg.pq.TransactionStatus.INTRANS:
            with suppress(psycopg.Error):
                connection.execute("RELEASE before_it")
    except psycopg.Error as error:
        if not (checks and (error.sqlstate or "").startswith(_INTEGRITY)):
            said = error.diag.message_primary or str(error)
            raise NoPlanError(why=f"what it leaves can't be shown on rows: {error.sqlstate} {said}") from error
        if inside:
            connection.execute("ROLLBACK TO before_it")


def _rows(copy: Copy) -> Rows:
    found: dict[str, list[dict[str, Any]]] = {}
    with copy.connected(superuser=True) as connection:
        for (name,) in connection.execute(_HOLDERS).fetchall():
            query = sql.SQL("SELECT to_jsonb(r.*) FROM ONLY {} r").format(sql.SQL(name))
            rows = connection.execute(query).fetchall()
            found[name] = [{column: repr(value) for column, value in row.items()} for (row,) in rows]
        for name, value in connection.execute(_SEQUENCES).fetchall():
            found[f"sequence {name}"] = [{"last": repr(value)}]
    return found


def _unlike(wholly: Rows, twice: Rows, late: Rows) -> str:
    """The first table in which rows differ; empty if none does. A value that is never the same need only be one."""
    for name in sorted(wholly.keys() | late.keys()):
        one, other, third = (side.get(name, ()) for side in (wholly, twice, late))
        columns = {column for row in (*one, *third) for column in row}
        never = {each for each in columns if _column(one, each) != _column(other, each)}
        if _shape(one, never) != _shape(third, never):
            return name
    return ""


def _column(rows: Sequence[Mapping[str, Any]], name: str) -> Counter[Any]:
    return Counter(row.get(name) for row in rows)


def _shape(rows: Sequence[Mapping[str, Any]], never: set[str]) -> Counter[Any]:
    """The rows, in which a value that is never the same only tells whether it is there."""
    return Counter(
        frozenset((column, value != repr(None) if column in never else value) for column, value in row.items())
        for row in rows
    )
