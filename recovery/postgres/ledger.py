"""Prisma's ledger, `_prisma_migrations`: read, never written."""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg import sql

from recovery.errors import PreflightError
from states.facts import Row

_ROWS = """
SELECT {columns}, nullif(xmin::text::bigint, 2) FROM {schema}._prisma_migrations
ORDER BY started_at, finished_at NULLS LAST, migration_name, id
"""
_TYPES = """
SELECT a.attname, format_type(t.oid, NULL), t.typcategory = 'S' OR t.oid = 'uuid'::regtype, c.relkind IN ('r', 'p')
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_catalog.pg_type d ON d.oid = a.atttypid
JOIN pg_catalog.pg_type t ON t.oid = CASE WHEN d.typtype = 'd' THEN d.typbasetype ELSE d.oid END
WHERE n.nspname = %s AND c.relname = '_prisma_migrations'
"""

#: How a time is read, by its column's type: Prisma takes one without a zone for UTC. No other type is a time to Prisma.
#: An infinite time, or one outside of the years that a text sorts by, is read as it is, and then refused.
_TIMES = {
    "timestamp with time zone": "({column} AT TIME ZONE 'UTC')",
    "timestamp without time zone": "({column})",
}
_TIME = """CASE WHEN {time} >= '0001-01-01'::timestamp AND {time} < '10000-01-01'::timestamp
THEN to_char({time}, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') ELSE {time}::text END"""
#: How such a time begins.
_READ = re.compile(r"\d{4}-\d\d-\d\dT")
_NUMBERS = ("smallint", "integer", "bigint")

_COLUMNS = (
    *("id", "checksum", "finished_at", "migration_name"),
    *("logs", "rolled_back_at", "started_at", "applied_steps_count"),
)
#: The columns in the order of `Row`, and which of them Prisma leaves empty.
_READ_AS = (
    *("id", "migration_name", "checksum", "started_at"),
    *("finished_at", "rolled_back_at", "applied_steps_count", "logs"),
)
_MAY_BE_EMPTY = ("finished_at", "rolled_back_at", "logs")


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


def exists(connection: psycopg.Connection[Any], schema: str) -> bool:
    """Whether there is a ledger. Where there is none and the schema is not empty, Prisma deploys nothing (P3005)."""
    return missing_columns(connection, schema) is not None


_RELATIONS = """
SELECT format('%%I.%%I', n.nspname, c.relname)
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %s AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relname <> '_prisma_migrations'
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::regclass
                  AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY 1
"""


def relations(connection: psycopg.Connection[Any], schema: str) -> tuple[str, ...]:
    """The tables and views of a schema, as `public.x`, without the ledger and what extensions made."""
    return tuple(name for (name,) in connection.execute(_RELATIONS, (schema,)))


def elsewhere(connection: psycopg.Connection[Any], schema: str) -> tuple[str, ...]:
    """The other schemas that have a ledger."""
    found = connection.execute(
        "SELECT n.nspname::text FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        " WHERE c.relname = '_prisma_migrations' AND n.nspname <> %s ORDER BY 1",
        (schema,),
    )
    return tuple(name for (name,) in found)


def schema_exists(connection: psycopg.Connection[Any], schema: str) -> bool:
    """Whether there is a schema of that name."""
    query = "SELECT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = %s)"
    row = connection.execute(query, (schema,)).fetchone()
    return bool(row and row[0])


def kept_by_prisma_8(connection: psycopg.Connection[Any]) -> bool:
    """Whether Prisma 8 keeps the database's history: it has a schema of its own, with a marker of the present state."""
    row = connection.execute(
        "SELECT count(*) FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname = 'prisma_contract' AND c.relname IN ('marker', 'ledger')"
    ).fetchone()
    return bool(row and row[0])


def read(connection: psycopg.Connection[Any], schema: str) -> tuple[Row, ...]:
    """Every row of the ledger, oldest attempt first; none where there is no ledger.

    Raises:
        PreflightError: `ledger.missing` if the schema is missing; `ledger.unreadable` if the role may not read it;
            `ledger.unknown_shape` if it is not Prisma's table; `ledger.edited` if a row is not one that Prisma can have
            written.
    """
    try:
        columns = _expressions(connection, schema)
        if not columns:
            return ()
        query = sql.SQL(_ROWS).format(columns=sql.SQL(", ").join(columns), schema=sql.Identifier(schema))
        found = connection.execute(query).fetchall()
    except psycopg.errors.InsufficientPrivilege as error:
        raise PreflightError(
            "ledger.unreadable",
            f"The role may not read {schema}._prisma_migrations, or the catalog. Nothing was changed.",
            "Use the role that runs `prisma migrate deploy`, or grant SELECT on the table.",
        ) from error
    except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn, psycopg.errors.InvalidSchemaName) as error:
        raise PreflightError(
            "ledger.unknown_shape",
            f"{schema}._prisma_migrations was changed while it was being read. Nothing was changed by this tool.",
            "Find out who changes it, and run again.",
        ) from error
    except (UnicodeDecodeError, psycopg.errors.CharacterNotInRepertoire) as error:
        raise PreflightError(
            "ledger.edited",
            f"A row of {schema}._prisma_migrations holds text that is not UTF-8. Nothing was changed.",
            f"Correct the row that Prisma did not write, in a session with {_AS_BYTES}.",
        ) from error
    for number, row in enumerate(found, 1):
        _as_prisma_writes(schema, number, row)
    rows = tuple(Row(*row) for row in found)
    twice = next((id_ for id_, times in Counter(row.id for row in rows).items() if times > 1), None)
    if twice is not None:
        raise _edited(schema, f"has more than one row with the id {twice!r}", "id")
    return rows


#: A setting with which PostgreSQL hands out text as it is stored.
_AS_BYTES = "client_encoding = SQL_ASCII"


def _expressions(connection: psycopg.Connection[Any], schema: str) -> list[sql.Composable]:
    """What to select for each field of a row, by the type that its column has; nothing where there is no ledger."""
    there = connection.execute(_TYPES, (schema,)).fetchall()
    types = {name: (kind, text) for name, kind, text, _ in there}
    if not there and not schema_exists(connection, schema):
        others = elsewhere(connection, schema)
        raise PreflightError(
            "ledger.missing",
            f"There is no schema {schema}, and so no _prisma_migrations table in it. Nothing was changed.",
            f"Name the schema of the ledger in the URL (?schema={others[0]})."
            if others
            else "Name the schema of the ledger in the URL (?schema=…); for a new database, make the schema first.",
        )
    if not there:
        return []
    if not there[0][-1]:
        raise PreflightError(
            "ledger.unknown_shape",
            f"{schema}._prisma_migrations is no table: somebody put a view, or the like, in its place. Nothing was "
            "changed.",
            "Put Prisma's table back in its place, under this name.",
        )
    if missing := [name for name in _COLUMNS if name not in types]:
        raise PreflightError(
            "ledger.unknown_shape",
            f"{schema}._prisma_migrations has no column {', '.join(missing)}, which Prisma 3 to 7 give it. Nothing "
            "was changed.",
            "If somebody changed the table by hand, give it back what it lacks. Prisma 8 keeps another ledger, and "
            "this tool does not work on it.",
        )
    found: list[sql.Composable] = []
    for name in _READ_AS:
        kind, text = types[name]
        column = sql.Identifier(name)
        if name.endswith("_at") and kind in _TIMES:
            found.append(sql.SQL(_TIME).format(time=sql.SQL(_TIMES[kind]).format(column=column)))
        elif name == "applied_steps_count" and kind in _NUMBERS:
            found.append(sql.SQL("{}::bigint").format(column))
        elif not name.endswith(("_at", "_count")) and text:
            found.append(sql.SQL("{}::text").format(column))
        else:
            raise PreflightError(
                "ledger.unknown_shape",
                f"The column {name} of {schema}._prisma_migrations is of the type {kind}, which Prisma cannot have "
                "given it. Nothing was changed.",
                "If somebody changed the table by hand, give the column its type back: Prisma itself cannot read it.",
            )
    return found


def _as_prisma_writes(schema: str, number: int, row: Sequence[Any]) -> None:
    """Refuses a row that only somebody's hand can have written: Prisma itself could not read it, or nobody could.

    Raises:
        PreflightError: `ledger.edited`.
    """
    values = dict(zip(_READ_AS, row, strict=False))  # the transaction, which is the server's, follows them
    id_, migration = values["id"], values["migration_name"]
    which = f"row {number} by started_at" if id_ is None else f"the row with the id {id_!r}"
    if migration is not None:
        which += f" (of {migration!r})"
    for name, value in values.items():
        if value is None and name not in _MAY_BE_EMPTY:
            raise _edited(schema, f"has no {name} in {which}", name)
        if value is not None and name.endswith("_at") and not _READ.match(value):
            raise _edited(schema, f"has the {name} {value!r} in {which}, which is no time", name)
    if values["applied_steps_count"] < 0:
        raise _edited(schema, f"has an applied_steps_count below 0 in {which}", "applied_steps_count")


def _edited(schema: str, fact: str, column: str) -> PreflightError:
    return PreflightError(
        "ledger.edited",
        f"{schema}._prisma_migrations {fact}: somebody edited the ledger by hand. Nothing was changed.",
        f"Give the column {column} of that row the value that it had, from a backup; where there is none, the value "
        "that is true. Then run again.",
    )


def under_way(connection: psycopg.Connection[Any], schema: str, migrations: Sequence[str]) -> tuple[int, str]:
    """How many of these migrations are finished, and the name of one that is begun but unfinished; empty if none is."""
    query = """
    SELECT count(DISTINCT migration_name) FILTER (WHERE finished_at IS NOT NULL),
           coalesce(max(migration_name) FILTER (WHERE finished_at IS NULL), '')
    FROM {}._prisma_migrations WHERE rolled_back_at IS NULL AND migration_name::text = ANY(%s)
    """
    try:
        row = connection.execute(sql.SQL(query).format(sql.Identifier(schema)), (list(migrations),)).fetchone()
    except psycopg.errors.UndefinedTable:  # Prisma has yet to make it
        return 0, ""
    return (row[0], row[1]) if row else (0, "")
