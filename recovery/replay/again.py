"""Reads the schema again after a statement: of one that is confined to what it names, only that.

A snapshot of hundreds of tables takes ten times as long as most statements. So that a long script on a large schema
takes as long for each statement as on a small one, the rest is taken over from the snapshot before.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import psycopg

from recovery.postgres import catalog
from recovery.postgres.catalog import Scope, scope_of
from recovery.sql.names import quoted
from recovery.sql.statements import Parsed
from states.comparison import column_of, qualified_name, taken_apart
from states.facts import Key, Snapshot

#: From so many properties on a part of the schema takes less time to read than the whole.
WORTH = 500
#: Kinds of objects that other statements change than those that name them.
_FURTHER = ("event trigger ", "publication ", "statistics ")
_FAMILY = ("inherits", "partition key")
#: The relations that were made since, and whether objects that are made get privileges by default.
_NEW = """
SELECT c.oid::bigint, n.nspname, c.relname
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid > %s AND n.nspname !~ '^pg_'
UNION ALL SELECT 0, '', '' WHERE EXISTS (SELECT FROM pg_catalog.pg_default_acl)
"""


class Reader:
    """Reads the schema of one database again and again."""

    def __init__(self, connection: psycopg.Connection[Any], first: Snapshot, newest: int, worth: int = WORTH) -> None:
        """Reads nothing.

        Args:
            connection: to the database, which nobody else changes.
            first: its schema now.
            newest: the highest oid of a relation now.
            worth: how many properties a schema must have for a part of it to be read.
        """
        self._connection = connection
        self._newest = newest
        self._worth = worth
        self._plain = _is_plain(first)

    def after(self, statement: Parsed, before: Snapshot, path: Sequence[str]) -> dict[Key, str]:
        """The whole schema after a statement, which ran just now.

        Args:
            statement: the statement.
            before: the whole schema before it.
            path: every schema that an unqualified name may be of.
        """
        now = None
        if statement.confined and self._plain and len(before) >= self._worth:
            now = self._part(statement, before, path)
        if now is None:
            now = catalog.read(self._connection)
            self._plain = _is_plain(now)
        return now

    def _part(self, statement: Parsed, before: Snapshot, path: Sequence[str]) -> dict[Key, str] | None:
        """The same, read in part; None if it takes more to tell."""
        new = self._connection.execute(_NEW, (self._newest,)).fetchall()
        if any(not oid for oid, _, _ in new):
            return None
        self._newest = max((self._newest, *(oid for oid, _, _ in new)))
        names = {f"{quoted(s)}.{quoted(n.name)}" for n in statement.names for s in ((n.schema,) if n.schema else path)}
        # An index is known by its table, too, which it may be a mark of.
        names |= {table for obj, table in _tables(before) if qualified_name(obj) in names}
        objects = {obj for obj, prop in before if prop == "exists" and qualified_name(obj) in names}
        objects |= {obj for obj, table in _tables(before) if table in names}
        made = Scope(frozenset((schema, name) for _, schema, name in new))
        rows = catalog.read(self._connection, scope_of((*objects, *(f"table {name}" for name in names))) | made)
        now = {key: value for key, value in before.items() if key[0] not in objects}
        # In a scope the privileges of an owner are read, too, which nobody gave; no confined statement changes any.
        now |= {key: value for key, value in rows.items() if not _is_privilege(key[1])}
        now |= {key: before[key] for key in before if key[0] in objects and _is_privilege(key[1]) and _stays(key, now)}
        self._plain = _is_plain(rows)
        return now


def _tables(snapshot: Snapshot) -> Iterable[tuple[str, str]]:
    """Indexes and sequences, each with the table that it belongs to."""
    for (obj, prop), value in snapshot.items():
        if prop == "table":
            yield obj, value
        elif prop == "owned by":
            yield obj, _table_of(value)


def _table_of(column: str) -> str:
    """The table of a qualified column."""
    quotes = 0
    for place in range(len(column) - 1, -1, -1):
        quotes += column[place] == '"'
        if column[place] == "." and quotes % 2 == 0:
            return column[:place]
    return column


def _is_privilege(prop: str) -> bool:
    return taken_apart(prop).detail.startswith("privileges of ")


def _stays(key: Key, now: Snapshot) -> bool:
    obj, prop = key
    column = column_of(prop)
    return (obj, "exists") in now and (column is None or (obj, column) in now)


def _is_plain(keys: Iterable[Key]) -> bool:
    """Whether none of these properties is of something that other statements change than those that name it."""
    return not any(prop in _FAMILY or obj.startswith(_FURTHER) for obj, prop in keys)
