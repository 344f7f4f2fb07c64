"""Reads from the catalog the columns, keys and definitions that are needed to write a query on a table's rows."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import psycopg

_TABLES = """
SELECT n.nspname::text, c.relname::text,
       coalesce((SELECT array_agg(a.attname::text ORDER BY a.attnum) FROM pg_catalog.pg_attribute a
                 WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped), '{}'),
       coalesce((SELECT array_agg(pg_catalog.format_type(a.atttypid, a.atttypmod) ORDER BY a.attnum)
                 FROM pg_catalog.pg_attribute a
                 WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped), '{}'),
       coalesce((SELECT array_agg(a.attname::text ORDER BY a.attnum)
                 FROM pg_catalog.pg_index i
                 JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY(i.indkey)
                 WHERE i.indrelid = c.oid AND i.indisprimary), '{}'),
       CASE WHEN c.relkind = 'm' THEN pg_catalog.pg_get_viewdef(c.oid) ELSE '' END
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
  AND (n.nspname, c.relname) IN (SELECT s, o FROM unnest(%s::text[], %s::text[]) q(s, o))
"""


@dataclass(frozen=True, slots=True)
class Table:
    """A table, or a view.

    Attributes:
        types: type of each column by the column's name, in the table's order.
        key: columns of the primary key; empty without one.
        definition: the query of a materialized view; else empty.
    """

    types: Mapping[str, str]
    key: tuple[str, ...] = ()
    definition: str = ""


#: Existing tables by schema and name, unquoted.
Tables = Mapping[tuple[str, str], Table]


def read(connection: psycopg.Connection[Any], names: Collection[tuple[str, str]]) -> Tables:
    """Reads the tables that exist of those named. Types and definitions are written with qualified names.

    Args:
        connection: to production, in autocommit.
        names: schema and name of each table, unquoted.
    """
    if not names:
        return {}
    pairs = sorted(names)
    with connection.transaction():
        connection.execute("SELECT set_config('search_path', '', true)")
        found = connection.execute(_TABLES, ([schema for schema, _ in pairs], [name for _, name in pairs])).fetchall()
    return {
        (schema, name): Table(dict(zip(columns, types, strict=True)), tuple(key), definition.strip().rstrip(";"))
        for schema, name, columns, types, key, definition in found
    }


def accepts(connection: psycopg.Connection[Any], query: str) -> bool:
    """Whether the server accepts this query: it is prepared, so that syntax and names are checked, and never run."""
    result = connection.pgconn.prepare(b"", query.encode())
    return bool(result.status == psycopg.pq.ExecStatus.COMMAND_OK)
