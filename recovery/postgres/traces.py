"""Whether a column can have been added to a table since a row of the ledger was written, and dropped again.

Adding a column writes the table's row in `pg_class`, so a table whose row is older never had it. That holds for the
very table that was there: not for one that was made, renamed or restored since.
"""

from collections.abc import Collection
from typing import Any

import psycopg
from psycopg import sql

# Transactions are compared by age, which is the order of their numbers. A number of before a wraparound tells
# nothing, so nothing is said where one is possible. A transaction that began earlier can have written later, so the
# measure is the row before the attempt's: one that was open since then would have outlived a whole migration.
# And some table must have been made between the ledger's first row and that one: in a database that was restored, or
# copied by replication, everything was made before the first row was.
_UNTOUCHED = """
WITH ledger AS (SELECT id, age(xmin) AS age FROM {schema}._prisma_migrations),
     earlier AS (SELECT min(l.age) AS age FROM ledger l JOIN ledger a ON a.id = %(row)s AND l.age > a.age)
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
    """Those of the tables that no column was added to since a ledger row was inserted.

    Args:
        connection: to the target.
        schema: the ledger's.
        row: id of a row that was not written to since: unfinished, without logs, not rolled back.
        tables: as `public.t`, quoted as PostgreSQL quotes.
    """
    query = sql.SQL(_UNTOUCHED).format(schema=sql.Identifier(schema))
    found = connection.execute(query, {"row": row, "tables": sorted(tables)})
    return frozenset(name for (name,) in found)
