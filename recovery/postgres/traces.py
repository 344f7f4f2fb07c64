"""Could a column have been added to a table, and dropped again, since a row of the ledger was written?

Adding a column rewrites the table's row in `pg_class`, so a table whose row is older never had the column. This holds
only if the table itself was not created, renamed or restored since.
"""

from collections.abc import Collection
from typing import Any

import psycopg
from psycopg import sql

# Transactions are compared by the age of their ids. An id from before a wraparound tells nothing, so the query finds
# no table if there may have been one. A transaction that began earlier can have written later, so tables are compared
# with the ledger row before the attempt's: a transaction open since then would have outlived a whole migration.
# Some table must also have been created between the ledger's first row and that row. In a database that was restored,
# or copied by replication, all tables were created before the first row was.
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
    """The tables that are proven to have got no new column since a ledger row was inserted.

    Args:
        connection: to the target.
        schema: the schema of the ledger.
        row: id of a ledger row that was not updated since: unfinished, without logs, not rolled back.
        tables: names as `public.t`, quoted as PostgreSQL quotes them.
    """
    query = sql.SQL(_UNTOUCHED).format(schema=sql.Identifier(schema))
    found = connection.execute(query, {"row": row, "tables": sorted(tables)})
    return frozenset(name for (name,) in found)
