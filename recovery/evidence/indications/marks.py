"""Which transaction last wrote a row of the catalog or of the ledger: its number (`xmin`), owner and time of commit.

A transaction's number only tells when the transaction began to write. It does not prove who made an object.
"""

from collections.abc import Collection
from typing import Any

import psycopg
from psycopg import sql

from recovery.postgres.catalog import Scope
from states.attribution import Marks, Written

#: Transaction numbers wrap around after this many.
_ROUND = 2**32

# "exists" is the write that made an object, "" its last change. A row of pg_class is written again by many commands.
# The rows of a table's system columns (ctid and the like) and of an index's first column are written once, when it is
# made.
_CATALOG = """
WITH asked AS (SELECT s, o FROM unnest(%(schemas)s::text[], %(names)s::text[]) q(s, o)),
relations AS (
    SELECT c.oid, c.relname, n.nspname, c.relkind, c.xmin AS written, c.tableoid AS catalog,
           pg_catalog.pg_get_userbyid(c.relowner) AS owner,
           format('%%s %%I.%%I', CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view'
               WHEN 'f' THEN 'foreign table' WHEN 'S' THEN 'sequence' WHEN 'i' THEN 'index' WHEN 'I' THEN 'index'
               ELSE 'table' END, n.nspname, c.relname) AS object
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE (n.nspname, c.relname) IN (SELECT s, o FROM asked)
      AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S', 'i', 'I')
),
written(object, part, xid, catalog, owner) AS (
    SELECT object, '', written, catalog, owner FROM relations
    UNION ALL
    SELECT object, 'exists', coalesce(a.xmin, written), coalesce(a.tableoid, r.catalog), owner
    FROM relations r LEFT JOIN pg_catalog.pg_attribute a
        ON a.attrelid = r.oid AND a.attnum = CASE WHEN r.relkind IN ('i', 'I') THEN 1 ELSE -1 END
    UNION ALL
    SELECT object, format('column %%I', a.attname), a.xmin, a.tableoid, owner
    FROM relations r JOIN pg_catalog.pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
    UNION ALL
    SELECT object, format('column %%I default', a.attname), d.xmin, d.tableoid, owner
    FROM relations r JOIN pg_catalog.pg_attrdef d ON d.adrelid = r.oid
    JOIN pg_catalog.pg_attribute a ON a.attrelid = r.oid AND a.attnum = d.adnum
    UNION ALL
    SELECT object, format('constraint %%I', x.conname), x.xmin, x.tableoid, owner
    FROM relations r JOIN pg_catalog.pg_constraint x ON x.conrelid = r.oid
    UNION ALL
    SELECT object, format('trigger %%I', t.tgname), t.xmin, t.tableoid, owner
    FROM relations r JOIN pg_catalog.pg_trigger t ON t.tgrelid = r.oid AND NOT t.tgisinternal
    UNION ALL
    SELECT object, format('rule %%I', w.rulename), w.xmin, w.tableoid, owner
    FROM relations r JOIN pg_catalog.pg_rewrite w ON w.ev_class = r.oid
    UNION ALL
    SELECT object, format('policy %%I', y.polname), y.xmin, y.tableoid, owner
    FROM relations r JOIN pg_catalog.pg_policy y ON y.polrelid = r.oid
    UNION ALL
    SELECT format('type %%I.%%I', n.nspname, t.typname), p.part, p.xid, p.catalog,
           pg_catalog.pg_get_userbyid(t.typowner)
    FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
    CROSS JOIN LATERAL (
        SELECT part, t.xmin, t.tableoid FROM (VALUES (''), ('exists')) v(part)
        UNION ALL
        (SELECT 'labels', e.xmin, e.tableoid FROM pg_catalog.pg_enum e WHERE e.enumtypid = t.oid
         ORDER BY pg_catalog.age(e.xmin) LIMIT 1)
    ) p(part, xid, catalog)
    WHERE (n.nspname, t.typname) IN (SELECT s, o FROM asked)
    UNION ALL
    SELECT format('%%s %%I.%%I(%%s)', CASE f.prokind WHEN 'p' THEN 'procedure' WHEN 'a' THEN 'aggregate'
                                    ELSE 'function' END,
                  n.nspname, f.proname, pg_catalog.pg_get_function_identity_arguments(f.oid)),
           v.part, f.xmin, f.tableoid, pg_catalog.pg_get_userbyid(f.proowner)
    FROM pg_catalog.pg_proc f JOIN pg_catalog.pg_namespace n ON n.oid = f.pronamespace
    CROSS JOIN (VALUES (''), ('exists')) v(part)
    WHERE (n.nspname, f.proname) IN (SELECT s, o FROM asked)
    UNION ALL
    SELECT format('schema %%I', n.nspname), v.part, n.xmin, n.tableoid, pg_catalog.pg_get_userbyid(n.nspowner)
    FROM pg_catalog.pg_namespace n CROSS JOIN (VALUES (''), ('exists')) v(part) WHERE n.nspname = ANY(%(plain)s::text[])
    UNION ALL
    SELECT format('extension %%I', e.extname), 'exists', e.xmin, e.tableoid, pg_catalog.pg_get_userbyid(e.extowner)
    FROM pg_catalog.pg_extension e WHERE e.extname = ANY(%(plain)s::text[])
)
SELECT w.object, w.part, w.xid::text::bigint, k.relfrozenxid::text::bigint, w.owner
FROM written w JOIN pg_catalog.pg_class k ON k.oid = w.catalog
"""
_LEDGER = """
SELECT pg_catalog.txid_snapshot_xmax(pg_catalog.txid_current_snapshot()), c.relfrozenxid::text::bigint,
       pg_catalog.pg_get_userbyid(c.relowner), current_setting('track_commit_timestamp')::boolean
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %s AND c.relname = '_prisma_migrations'
"""
_TIMES = """
SELECT x::bigint, to_char(pg_catalog.pg_xact_commit_timestamp(x::xid) AT TIME ZONE 'UTC',
                          'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
FROM unnest(%s::text[]) x
"""


def read(connection: psycopg.Connection[Any], schema: str, scope: Scope) -> Marks:
    """Reads the last writes of these objects and of the ledger's rows; empty without a ledger.

    Args:
        connection: to production, in autocommit.
        schema: the schema of the ledger.
        scope: the objects.
    """
    pairs = sorted(scope.qualified)
    with connection.transaction():
        connection.execute("SELECT set_config('search_path', '', true)")
        found = connection.execute(_LEDGER, (schema,)).fetchone()
        if found is None:
            return Marks({}, {}, {})
        newest, ledger_frozen, owner, keeps_times = found

        query = sql.SQL("SELECT id::text, xmin::text::bigint FROM {}._prisma_migrations").format(sql.Identifier(schema))
        rows = {id_: Written(*dated(newest, number, ledger_frozen), owner) for id_, number in connection.execute(query)}
        parameters = {"schemas": [s for s, _ in pairs], "names": [n for _, n in pairs], "plain": sorted(scope.plain)}
        objects = {
            (obj, part): Written(*dated(newest, number, frozen), owner)
            for obj, part, number, frozen, owner in connection.execute(_CATALOG, parameters)
        }
        numbers = {each.transaction for each in (*rows.values(), *objects.values())}
        times = _times(connection, numbers) if keeps_times else {}
    return Marks(objects, rows, times)


def dated(newest: int, number: int, frozen: int) -> tuple[int, bool]:
    """A transaction's number counted without wrapping around, and whether it is certain.

    Args:
        newest: the number that the next transaction gets, counted in the same way.
        number: the number as the row holds it (32 bits).
        frozen: `relfrozenxid` of the row's table; an older number may be from any round before.
    """
    full = newest - (newest - number) % _ROUND
    # Before the first wraparound, each number stands for one transaction.
    return full, newest < _ROUND or full >= newest - (newest - frozen) % _ROUND


def _times(connection: psycopg.Connection[Any], transactions: Collection[int]) -> dict[int, str]:
    by_number = {each % _ROUND: each for each in transactions}
    found = connection.execute(_TIMES, ([str(number) for number in by_number],))
    return {by_number[number]: time for number, time in found if time is not None}
