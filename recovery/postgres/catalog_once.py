"""Reads a schema once in a session, with as little work for the server as may be. For looks at many databases.

Most of such a look is planning: the whole query of a snapshot takes several times longer to plan than to run. So blocks
over catalogs that hold nothing of the database's own are left out; they would give no rows. So are remarks, which a
comparison with the end of a history does not count.
"""

import re
from functools import cache
from typing import Any

import psycopg
from psycopg import sql

from recovery.postgres.catalog import Scope, arguments, blocks, pinned, query_of
from states.facts import Key

#: PostgreSQL's own objects have lower numbers.
_OWN = "oid >= 16384"
#: What must be there for a block to give a row. Blocks that are not named here are always read.
_NEEDS = {
    "triggers": "pg_trigger WHERE NOT tgisinternal OR tgparentid <> 0",
    "system_triggers": "pg_trigger WHERE tgisinternal AND tgenabled <> 'O'",
    "rules": "pg_rewrite WHERE rulename <> '_RETURN' AND " + _OWN,
    "policies": "pg_policy",
    "sequences": "pg_sequence",
    "type_constraints": "pg_constraint WHERE contype = 'c' AND conrelid = 0 AND " + _OWN,
    "collations": "pg_collation WHERE " + _OWN,
    "functions": "pg_proc WHERE " + _OWN,
    "statistics": "pg_statistic_ext",
    "publications": "pg_publication",
    "publication_tables": "pg_publication",
    "event_triggers": "pg_event_trigger",
    "operators": "pg_operator WHERE " + _OWN,
    "casts": "pg_cast WHERE " + _OWN,
    "conversions": "pg_conversion WHERE " + _OWN,
    "text_search_dictionaries": "pg_ts_dict WHERE " + _OWN,
    "text_search_configurations": "pg_ts_config WHERE " + _OWN,
}
#: The blocks of remarks.sql.
_REMARKS = frozenset(
    (
        "comments",
        "privileges",
        "column_privileges",
        "schema_privileges",
        "function_privileges",
        "type_privileges",
    )
)


_PARAMETER = re.compile(r"\$([123])(?!\d)")


@cache
def _census() -> bytes:
    asked = (f"EXISTS (SELECT FROM pg_catalog.{needs})" for needs in _NEEDS.values())
    return f"SELECT {', '.join(asked)}".encode()


def read_once(connection: psycopg.Connection[Any], scope: Scope) -> dict[Key, str]:
    """Reads a snapshot of these objects without remarks, as `catalog.read` would. Prepares nothing.

    Args:
        connection: a connection in autocommit or inside a transaction; its settings are restored afterwards.
        scope: the objects to read.
    """

    def run(cursor: psycopg.Cursor[Any]) -> None:
        cursor.execute(_census())
        found = cursor.fetchone() or ()
        empty = {name for name, there in zip(_NEEDS, found, strict=True) if not there}
        names = frozenset(blocks()) - empty - _REMARKS
        text = query_of(connection.info.server_version, scoped=True, names=names)
        values = [sql.SQL("{}").format(value).as_string(connection) for value in arguments(scope)]
        # In one go, since a value can hold what looks like a parameter.
        cursor.execute(_PARAMETER.sub(lambda match: values[int(match[1]) - 1], text).encode())

    return pinned(connection, run)
