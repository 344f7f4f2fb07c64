"""Whether a column can have been added to a table and dropped again since a row of the ledger was written.

A dropped column stays in `pg_attribute` for good, so a table without such a trace never had it. That holds for the
very table that was there: not for one that was made, renamed or restored since.
"""

from collections.abc import Collection
from typing import Any

import psycopg
from psycopg import sql

# Transactions are compared by age, which is the order of their numbers. A number of before a wraparound tells
# nothing, so nothing is said where one is possible. The row itself must have been written once only: later writes
# would hide when it was inserted. And some table must have been made between the ledger's first row and this one:
# in a database that was restored, or copied by replication, everything was made before the first row was.
_UNTOUCHED = """
WITH ledger AS (SELECT id, age(xmin) AS age FROM {schema}._prisma_migrations),
     attempt AS (SELECT age FROM ledger WHERE id = %(row)s)
SELECT format('%%I.%%I', n.nspname, c.relname)
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN attempt
WHERE format('%%I.%%I', n.nspname, c.relname) = ANY(%(tables)s)
  AND c.relkind = 'r'
  AND pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())::text::bigint < 2147483648
  AND age(c.xmin) > attempt.age AND age(n.xmin) > attempt.age
  AND EXISTS (SELECT FROM pg_catalog.pg_attribute a
              WHERE a.attrelid = c.oid AND a.attname = 'tableoid' AND age(a.xmin) > attempt.age)
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_attribute a
                  WHERE a.attrelid = c.oid AND a.attisdropped
                    AND (age(a.xmin) <= attempt.age
                         OR a.attnum > (SELECT max(b.attnum) FROM pg_catalog.pg_attribute b
                                        WHERE b.attrelid = c.oid AND NOT b.attisdropped)))
  AND EXISTS (SELECT FROM pg_catalog.pg_attribute a
              JOIN pg_catalog.pg_class t ON t.oid = a.attrelid AND t.relkind = 'r'
              WHERE a.attname = 'tableoid' AND age(a.xmin) > attempt.age
                AND age(a.xmin) < (SELECT max(l.age) FROM ledger l))
"""


def never_widened(
    connection: psycopg.Connection[Any], schema: str, row: str, tables: Collection[str]
) -> frozenset[str]:
    """Those of the tables that no column was added to and dropped from since a ledger row was inserted.

    Args:
        connection: to the target.
        schema: the ledger's.
        row: id of a row that was not written to since: unfinished, without logs, not rolled back.
        tables: as `public.t`, quoted as PostgreSQL quotes.
    """
    query = sql.SQL(_UNTOUCHED).format(schema=sql.Identifier(schema))
    found = connection.execute(query, {"row": row, "tables": sorted(tables)})
    return frozenset(name for (name,) in found)
