"""Sees which tables a session locks, and which of them a statement writes anew."""

import re
from collections.abc import Mapping
from typing import Any

import psycopg

from states.rehearsals import LOCKS

#: What PostgreSQL says of a statement that can't run in a transaction, or not in one with an earlier one.
ALONE = ("25001", "55P04")
#: The lock of CREATE INDEX CONCURRENTLY and its like, which lets rows be written.
CONCURRENT = "ShareUpdateExclusiveLock"
#: The relations that this session locks; one that it has dropped is among them.
_HELD = (
    "SELECT relation::bigint, mode FROM pg_catalog.pg_locks"
    " WHERE pid = pg_backend_pid() AND locktype = 'relation' AND granted"
)
#: The tables that people have, and the file in which each is.
_TABLES = """
SELECT c.oid::bigint, format('%I.%I', n.nspname, c.relname), pg_relation_filenode(c.oid)
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'm') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
"""
#: Sizes with indexes; of a partitioned table, with those of its partitions.
_SIZES = """
SELECT t.name, (SELECT sum(pg_catalog.pg_total_relation_size(p.relid))::bigint
                FROM pg_catalog.pg_partition_tree(c.oid) p),
       pg_catalog.pg_total_relation_size(c.oid)
FROM unnest(%s::text[]) t(name) JOIN pg_catalog.pg_class c ON c.oid = pg_catalog.to_regclass(t.name)
"""
_ON = re.compile(
    r"\bON\s+(?:ONLY\s+)?((?:\"(?:[^\"]|\"\")*\"|[\w$]+)(?:\.(?:\"(?:[^\"]|\"\")*\"|[\w$]+))?)", re.IGNORECASE
)


def held(connection: psycopg.Connection[Any]) -> dict[int, int]:
    """The relations that this session locks, by oid, each with the place of its strongest lock in LOCKS."""
    found: dict[int, int] = {}
    for oid, mode in connection.execute(_HELD).fetchall():
        found[oid] = max(found.get(oid, -1), LOCKS.index(mode))
    return found


def tables(connection: psycopg.Connection[Any]) -> dict[int, tuple[str, int]]:
    """Name and file of each table, by oid."""
    return {oid: (name, file) for oid, name, file in connection.execute(_TABLES).fetchall()}


def rewritten(before: Mapping[int, tuple[str, int]], after: Mapping[int, tuple[str, int]]) -> set[int]:
    """The tables that are in another file now."""
    return {oid for oid, (_, file) in after.items() if oid in before and before[oid][1] != file}


def named_after_on(text: str) -> str:
    """The table of a CREATE INDEX, as it is written; empty if the text names none."""
    found = _ON.search(text)
    return found[1] if found else ""


def sizes(connection: psycopg.Connection[Any], names: list[str]) -> dict[str, int]:
    """The sizes of tables in bytes, by name; without those that can't be told."""
    try:
        rows = connection.execute(_SIZES, (names,)).fetchall() if names else []
    except psycopg.Error:
        if connection.closed or connection.broken:
            raise
        return {}
    return {name: tree or own for name, tree, own in rows if own is not None}
