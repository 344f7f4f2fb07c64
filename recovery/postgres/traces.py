"""What the ages of catalog rows prove: a table is older than an attempt, or got no new column since it began.

Adding a column rewrites the table's row in `pg_class`, so a table whose row is older never had the column. This holds
only if the table itself was not created, renamed or restored since.
"""

from collections.abc import Collection, Mapping
from typing import Any

import psycopg
from psycopg import sql

# Transactions are compared by the age of their ids. An id from before a wraparound tells nothing, so the query finds
# no table if there may have been one. A transaction that began earlier can have written later, so tables are compared
# with the ledger row before the attempt's: a transaction open since then would have outlived a whole migration.
# Some table must also have been created between the ledger's first row and that row. In a database that was restored,
# or copied by replication, all tables were created before the first row was.
_UNTOUCHED = """
WITH ledger AS (SELECT id::text, age(xmin) AS age, coalesce(logs, '') AS logs, started_at, finished_at
                FROM {schema}._prisma_migrations),
     earlier AS (SELECT min(l.age) AS age FROM ledger l JOIN ledger a ON a.id = %(row)s AND l.age > a.age
                 -- A row with logs was written again when its attempt failed.
                 AND (a.logs = '' OR l.finished_at < a.started_at))
SELECT format('%%I.%%I', n.nspname, c.relname)
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN earlier
WHERE format('%%I.%%I', n.nspname, c.relname) = ANY(%(tables)s)
  AND c.relkind = 'r'
  AND pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())::text::bigint < 2147483648
  AND age(c.xmin) > earlier.age AND age(n.xmin) > earlier.age
  AND EXISTS (SELECT FROM pg_catalog.pg_attribute a
              JOIN pg_catalog.pg_class t ON t.oid = a.attrelid AND t.relkind = 'r'
              WHERE a.attname = 'tableoid' AND age(a.xmin) > earlier.age
                AND age(a.xmin) < (SELECT max(l.age) FROM ledger l))
"""


def never_widened(
    connection: psycopg.Connection[Any], schema: str, row: str, tables: Collection[str]
) -> frozenset[str]:
    """The tables that are proven to have got no new column since an attempt began.

    Args:
        connection: to the target.
        schema: the schema of the ledger.
        row: id of the row of an attempt that failed, or whose end is not known: unfinished, and not rolled back.
        tables: names as `public.t`, quoted as PostgreSQL quotes them.
    """
    query = sql.SQL(_UNTOUCHED).format(schema=sql.Identifier(schema))
    found = connection.execute(query, {"row": row, "tables": sorted(tables)})
    return frozenset(name for (name,) in found)


# The row of a table's own column `tableoid` is written when the table is made, and never again. In a database that was
# restored one transaction wrote all rows of the ledger, so a row counts only if it was written alone, after another.
# The first row of a ledger counts, too, if every attempt's row was written later and is as the attempt left it: one
# that was marked rolled back may have been written again after a restore.
_EARLIER = """
WITH ledger AS (SELECT id::text, migration_name::text, age(xmin) AS age, started_at, finished_at, rolled_back_at
                FROM {schema}._prisma_migrations),
     earlier AS (SELECT min(l.age) AS age FROM ledger l
                 WHERE l.migration_name <> %(migration)s
                   -- A row that was written again, as rolled back, may be younger than the attempt.
                   AND l.finished_at IS NOT NULL AND l.rolled_back_at IS NULL
                   AND coalesce(l.finished_at < (SELECT min(a.started_at) FROM ledger a
                                                 WHERE a.migration_name = %(migration)s), true)
                   AND l.age > coalesce((SELECT max(a.age) FROM ledger a WHERE a.migration_name = %(migration)s), -1)),
     alone AS (SELECT (SELECT count(*) FROM ledger l WHERE l.age = earlier.age) = 1
                  AND (EXISTS (SELECT FROM ledger l WHERE l.age > earlier.age)
                       OR (SELECT bool_and(a.rolled_back_at IS NULL) FROM ledger a
                           WHERE a.migration_name = %(migration)s)) AS dates
               FROM earlier)
"""
_TABLES = """
SELECT format('table %%I.%%I', n.nspname, c.relname)
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute o ON o.attrelid = c.oid AND o.attname = 'tableoid'
CROSS JOIN earlier
WHERE format('table %%I.%%I', n.nspname, c.relname) = ANY(%(tables)s)
  AND c.relkind IN ('r', 'p')
  AND pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())::text::bigint < 2147483648
"""
_OLDER = f"{_TABLES} AND age(o.xmin) > earlier.age AND (SELECT dates FROM alone)"  # noqa: S608 - constants
# A restore makes all tables before the first row, so one that is younger than a row was made after it in any case.
_YOUNGER = f"{_TABLES} AND age(o.xmin) < earlier.age"
# The row of the table's own type has its name, too, and is written again with that, but not when columns come or go.
_UNMOVED = "{older} AND age(n.xmin) > earlier.age AND age({type}) > earlier.age".format(
    older=_OLDER, type="(SELECT t.xmin FROM pg_catalog.pg_type t WHERE t.oid = c.reltype)"
)
# A column's row in pg_attribute is written again when it is renamed, dropped, or altered otherwise.
_COLUMNS_OLDER = """
SELECT format('table %%I.%%I', n.nspname, c.relname),
       bool_or(a.attisdropped AND age(a.xmin) <= earlier.age), bool_or(age(a.xmin) <= earlier.age)
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid
CROSS JOIN earlier
WHERE format('table %%I.%%I', n.nspname, c.relname) = ANY(%(tables)s)
  AND c.relkind IN ('r', 'p')
  AND pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())::text::bigint < 2147483648
  AND (SELECT dates FROM alone)
GROUP BY 1
"""
_PLACES = """
SELECT format('table %%I.%%I', n.nspname, c.relname),
       ARRAY(SELECT CASE WHEN a.attisdropped THEN '' ELSE a.attname END
             FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 ORDER BY a.attnum)
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE format('table %%I.%%I', n.nspname, c.relname) = ANY(%s) AND c.relkind IN ('r', 'p')
"""


def older(connection: psycopg.Connection[Any], schema: str, migration: str, tables: Collection[str]) -> frozenset[str]:
    """The tables that are proven to be older than the first attempt at a migration (RULES E20).

    Args:
        connection: to the target.
        schema: the schema of the ledger.
        migration: its name; if it was never attempted, tables count that are older than the ledger's last row.
        tables: names as a snapshot has them, `table public.t`.
    """
    return _proven(_OLDER, connection, schema, migration, tables)


def younger(
    connection: psycopg.Connection[Any], schema: str, migration: str, tables: Collection[str]
) -> frozenset[str]:
    """The tables that are proven to be younger than the migrations before a first attempt. Arguments as for `older`."""
    return _proven(_YOUNGER, connection, schema, migration, tables)


def unmoved(
    connection: psycopg.Connection[Any], schema: str, migration: str, tables: Collection[str]
) -> frozenset[str]:
    """The tables that are older than the first attempt, and were given no other name or schema since (RULES E20).

    A new owner, or a privilege on the schema, leaves the same trace: then nothing is proven. The arguments are those of
    `older`.
    """
    return _proven(_UNMOVED, connection, schema, migration, tables)


def _proven(
    what: str, connection: psycopg.Connection[Any], schema: str, migration: str, tables: Collection[str]
) -> frozenset[str]:
    if not tables:
        return frozenset()
    query = sql.SQL(_EARLIER + what).format(schema=sql.Identifier(schema))
    found = connection.execute(query, {"migration": migration, "tables": sorted(tables)})
    return frozenset(name for (name,) in found)


def began(connection: psycopg.Connection[Any], schema: str) -> str:
    """The day before the one on which the first row of the ledger was begun, as `YYYY-MM-DD`; empty if it has none.

    The day before, since times in production may be in any zone.
    """
    query = sql.SQL("SELECT coalesce(to_char(min(started_at) - interval '1 day', 'YYYY-MM-DD'), '') FROM {}")
    found = connection.execute(query.format(sql.Identifier(schema, "_prisma_migrations"))).fetchone()
    return str(found[0]) if found else ""


def columns_older(
    connection: psycopg.Connection[Any], schema: str, migration: str, tables: Collection[str]
) -> tuple[frozenset[str], frozenset[str]]:
    """The tables of which no column was dropped, and those of which none was altered, since a migration was attempted.

    Args:
        connection: to the target.
        schema: the schema of the ledger.
        migration: as for `older`.
        tables: names as a snapshot has them, `table public.t`.
    """
    if not tables:
        return frozenset(), frozenset()
    query = sql.SQL(_EARLIER + _COLUMNS_OLDER).format(schema=sql.Identifier(schema))
    found = connection.execute(query, {"migration": migration, "tables": sorted(tables)}).fetchall()
    undropped = frozenset(name for name, dropped, _ in found if not dropped)
    return undropped, frozenset(name for name, _, altered in found if not altered)


def places(connection: psycopg.Connection[Any], tables: Collection[str]) -> dict[str, tuple[str, ...]]:
    """The columns of tables in the order in which they were made; an empty name stands for one that was dropped.

    Args:
        connection: to the target.
        tables: names as a snapshot has them, `table public.t`.
    """
    if not tables:
        return {}
    found = connection.execute(_PLACES, (sorted(tables),))
    return {obj: tuple(columns) for obj, columns in found}


# Row triggers of a partition or a child fire on statements on their parent, and rules on the table that is named.
_FIRING = """
WITH RECURSIVE family(named, oid) AS (
    SELECT format('table %%I.%%I', n.nspname, c.relname), c.oid
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE format('table %%I.%%I', n.nspname, c.relname) = ANY(%s)
    UNION SELECT f.named, i.inhrelid FROM family f JOIN pg_catalog.pg_inherits i ON i.inhparent = f.oid
)
SELECT DISTINCT named FROM family f
WHERE EXISTS (SELECT FROM pg_catalog.pg_trigger t WHERE t.tgrelid = f.oid AND NOT t.tgisinternal)
   OR EXISTS (SELECT FROM pg_catalog.pg_rewrite r WHERE r.ev_class = f.oid AND r.ev_type <> '1')
"""


def firing(connection: psycopg.Connection[Any], tables: Collection[str]) -> frozenset[str]:
    """The tables with a trigger or a rule that a change of their rows may fire, their partitions' included.

    Args:
        connection: to the target.
        tables: names as a snapshot has them, `table public.t`.
    """
    if not tables:
        return frozenset()
    return frozenset(name for (name,) in connection.execute(_FIRING, (sorted(tables),)))


_ALIKE = """
SELECT format('table %%I.%%I', n.nspname, c.relname)
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relkind IN ('r', 'p') AND n.nspname NOT LIKE 'pg\\_%%' AND n.nspname <> 'information_schema'
GROUP BY n.nspname, c.relname
HAVING count(*) = cardinality(%(columns)s::text[])
   AND bool_and(format('column %%I', a.attname) = ANY(%(columns)s))
ORDER BY 1
"""


def alike(connection: psycopg.Connection[Any], tables: Mapping[str, frozenset[str]]) -> dict[str, tuple[str, ...]]:
    """The tables that have the same columns as one of these, by the name of that; without those that have none.

    Args:
        connection: to the target.
        tables: names as a snapshot has them, `table public.t`, each with its columns, as `column x`.
    """
    found = {
        obj: connection.execute(_ALIKE, {"columns": sorted(columns)}).fetchall() for obj, columns in tables.items()
    }
    return {obj: tuple(name for (name,) in names) for obj, names in found.items() if names}


def empty(connection: psycopg.Connection[Any], tables: Collection[str]) -> frozenset[str]:
    """The tables that have no row. One that the role may not read counts as having rows.

    Args:
        connection: to the target.
        tables: names as a snapshot has them, `table public.t`.
    """
    found = set[str]()
    for obj in sorted(tables):
        try:
            with connection.transaction():
                # Policies would hide rows; with this setting PostgreSQL refuses instead.
                connection.execute("SET LOCAL row_security = off")
                # The name is as PostgreSQL quotes it.
                row = connection.execute(f"SELECT EXISTS (TABLE {obj.removeprefix('table ')})".encode()).fetchone()
        except (psycopg.errors.InsufficientPrivilege, psycopg.errors.UndefinedTable):
            continue
        if row is not None and not row[0]:
            found.add(obj)
    return frozenset(found)
