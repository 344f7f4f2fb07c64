"""What production shows of its past besides rows, by which one course of events can be told from another.

An attempt may have ended after any of its statements. Where two ends leave the same ledger, schema, columns and ages,
no reading of the catalog tells them apart, and values in rows and sequences are also written by the application. A
decision that is right for the one and wrong for the other is a person's then.
"""

from typing import Any

import psycopg

from recovery.postgres import catalog
from tests.staging.fuzz.events import NAME, SECOND

#: Columns, dropped ones too, with what PostgreSQL keeps for older rows, and whether they are older than the attempts.
_COLUMNS = """
WITH began AS (SELECT max(age(xmin)) AS age FROM public._prisma_migrations WHERE migration_name = ANY(%s))
SELECT c.relname::text, a.attnum, a.attname::text, a.attisdropped, a.attmissingval::text, age(a.xmin) <= began.age
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid CROSS JOIN began
WHERE c.relkind IN ('r', 'p', 'm', 'v') AND a.attnum > 0 AND c.relnamespace = 'public'::regnamespace
  AND c.relname <> '_prisma_migrations'
UNION ALL
SELECT c.relname::text, 0, c.relkind::text, false, NULL, age(c.xmin) <= began.age FROM pg_class c CROSS JOIN began
WHERE c.relkind IN ('r', 'p', 'm', 'v', 'S', 'i') AND c.relnamespace = 'public'::regnamespace
  AND c.relname <> '_prisma_migrations'
"""


def shown(connection: psycopg.Connection[Any]) -> object:
    """Schema, columns and ages."""
    schema = {key: value for key, value in catalog.read(connection).items() if "_prisma_migrations" not in key[0]}
    columns = frozenset(connection.execute(_COLUMNS, ([NAME, SECOND],)).fetchall())
    return schema, columns
