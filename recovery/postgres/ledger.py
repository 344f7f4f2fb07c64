"""Prisma's ledger, `_prisma_migrations`: read, never written."""

from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg import sql

from recovery.errors import PreflightError
from states.facts import Row

_ROWS = """
SELECT id, migration_name, checksum,
       to_char(started_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
       to_char(finished_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
       to_char(rolled_back_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
       applied_steps_count, logs
FROM {}._prisma_migrations
ORDER BY started_at, finished_at NULLS LAST, migration_name, id
"""


_COLUMNS = (
    *("id", "checksum", "finished_at", "migration_name"),
    *("logs", "rolled_back_at", "started_at", "applied_steps_count"),
)


def missing_columns(connection: psycopg.Connection[Any], schema: str) -> tuple[str, ...] | None:
    """Columns that the ledger of Prisma 3 to 7 has and this one lacks; None if there is no ledger."""
    rows = connection.execute(
        "SELECT a.attname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        " LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
        " WHERE n.nspname = %s AND c.relname = '_prisma_migrations'",
        (schema,),
    ).fetchall()
    there = {row[0] for row in rows}
    return tuple(name for name in _COLUMNS if name not in there) if rows else None


_ANYTHING = """
SELECT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = %(schema)s),
       EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
               WHERE n.nspname = %(schema)s AND NOT EXISTS (
                   SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::regclass
                   AND d.objid = c.oid AND d.deptype = 'e'))
    OR EXISTS (SELECT FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
               WHERE n.nspname = %(schema)s AND t.typtype IN ('e', 'd', 'r') AND NOT EXISTS (
                   SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_type'::regclass
                   AND d.objid = t.oid AND d.deptype = 'e'))
"""


def is_empty(connection: psycopg.Connection[Any], schema: str) -> bool:
    """Whether the schema is there and holds nothing but what extensions made, so that a deploy makes it all."""
    there, anything = connection.execute(_ANYTHING, {"schema": schema}).fetchone() or (False, True)
    return bool(there and not anything)


def kept_by_prisma_8(connection: psycopg.Connection[Any]) -> bool:
    """Whether Prisma 8 keeps the database's history: it has a schema of its own, with a marker of the present state."""
    row = connection.execute(
        "SELECT count(*) FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname = 'prisma_contract' AND c.relname IN ('marker', 'ledger')"
    ).fetchone()
    return bool(row and row[0])


def read(connection: psycopg.Connection[Any], schema: str) -> tuple[Row, ...]:
    """Every row of the ledger, oldest attempt first; none where the schema is empty and a deploy has yet to make it.

    Raises:
        PreflightError: `ledger.missing`; `ledger.unreadable` if the role may not read it; `ledger.unknown_shape`.
    """
    try:
        found = connection.execute(sql.SQL(_ROWS).format(sql.Identifier(schema))).fetchall()
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName) as error:
        if is_empty(connection, schema):
            return ()
        raise PreflightError(
            "ledger.missing",
            f"The schema {schema} holds no _prisma_migrations table, so no migration can have failed there. "
            "Nothing was changed.",
            "If `prisma migrate deploy` stops with P3005 (the schema is not empty), the database has to be "
            "baselined first, see Prisma's documentation; if it has a ledger in another schema, name that "
            "schema in the URL (?schema=…).",
        ) from error
    except psycopg.errors.InsufficientPrivilege as error:
        raise PreflightError(
            "ledger.unreadable",
            f"The role may not read {schema}._prisma_migrations. Nothing was changed.",
            "Use the role that runs `prisma migrate deploy`, or grant SELECT on the table.",
        ) from error
    except psycopg.errors.UndefinedColumn as error:
        raise PreflightError(
            "ledger.unknown_shape",
            "_prisma_migrations has other columns than Prisma 3 to 7 give it. Nothing was changed.",
            "Prisma 8 keeps another ledger, and this tool does not work on it.",
        ) from error
    return tuple(Row(*row) for row in found)


def under_way(connection: psycopg.Connection[Any], schema: str, migrations: Sequence[str]) -> tuple[int, str]:
    """How many of these migrations are finished, and the name of one that is begun but unfinished; empty if none is."""
    query = """
    SELECT count(DISTINCT migration_name) FILTER (WHERE finished_at IS NOT NULL),
           coalesce(max(migration_name) FILTER (WHERE finished_at IS NULL), '')
    FROM {}._prisma_migrations WHERE rolled_back_at IS NULL AND migration_name = ANY(%s)
    """
    try:
        row = connection.execute(sql.SQL(query).format(sql.Identifier(schema)), (list(migrations),)).fetchone()
    except psycopg.errors.UndefinedTable:  # Prisma has yet to make it
        return 0, ""
    return (row[0], row[1]) if row else (0, "")
