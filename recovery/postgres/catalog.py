"""Reads a database's schema as a snapshot of properties, written alike on every server version.

A snapshot maps (object, property) to a value; `catalog.sql` and `remarks.sql` hold the queries. A statement whose
effect no query reads counts as open (RULES E4), so a gap in the queries costs a question to a person, never a wrong
verdict.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import psycopg
from psycopg import pq, sql

from recovery.postgres.catalog_query import holding, reading
from recovery.sql.names import quoted
from states.facts import Key

_Cursor = psycopg.Cursor[Any]
#: Object, property, value.
Rows = list[tuple[str, str, str]]

#: Settings that change how PostgreSQL writes names and constants; with too few digits, different numbers look equal.
_PINNED = {
    "search_path": "",
    "datestyle": "ISO, YMD",
    "intervalstyle": "postgres",
    "timezone": "UTC",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "quote_all_identifiers": "off",
    # Compiling the query would take many times longer than running it.
    "jit": "off",
    # Planning it takes many times longer than running it, too, so it is prepared, and planned once a session.
    "plan_cache_mode": "force_generic_plan",
    # Its joins stand in a good order already; looking for a better one is a fifth of planning.
    "join_collapse_limit": "1",
    "from_collapse_limit": "1",
}
_NAMES = "SELECT name FROM pg_catalog.pg_prepared_statements WHERE starts_with(name, %s)"
#: How the names of our prepared statements begin: those that read everything, and those that read a scope. What
#: follows is `holding`, or the blocks that it reads as a bit set in hexadecimal digits.
PREPARED = ("prisma_recovery_everything_", "prisma_recovery_scope_")
_PIN = (
    "SELECT name, current_setting(name), set_config(name, value, true)"
    " FROM unnest(%s::text[], %s::text[]) settings(name, value)"
)


@dataclass(frozen=True, slots=True)
class Scope:
    """The objects to read. A table includes its columns, constraints, indexes, triggers and policies.

    Attributes:
        qualified: objects of any kind, by schema and name.
        plain: names of objects that have no schema, and of schemas.
    """

    qualified: frozenset[tuple[str, str]] = frozenset()
    plain: frozenset[str] = frozenset()

    def __or__(self, other: "Scope") -> "Scope":
        """The scope of all objects in either scope."""
        return Scope(self.qualified | other.qualified, self.plain | other.plain)


_IDENTIFIER = r'("(?:[^"]|"")*"|[a-z_][a-z0-9_]*)'
_QUALIFIED = re.compile(rf"^(?P<kind>[a-z ]+?) {_IDENTIFIER}\.{_IDENTIFIER}(\(.*\))?$", re.DOTALL)
_PLAIN = re.compile(rf"^(?P<kind>schema|extension|publication|event trigger|cast) {_IDENTIFIER}$", re.DOTALL)


def _unquoted(identifier: str) -> str:
    return identifier[1:-1].replace('""', '"') if identifier.startswith('"') else identifier


_OBJECT = re.compile(rf"([a-z ]+? ){_IDENTIFIER}(?:(\.){_IDENTIFIER})?(?=\(|\Z)")
_PROPERTY = re.compile(
    rf"((?:column|attribute|constraint|trigger|policy|rule|privileges of) ){_IDENTIFIER}"
    rf"(?:( privileges of ){_IDENTIFIER})?(?= |\Z)"
)
#: The version whose keywords `quoted` knows.
_GRAMMAR = 18


@lru_cache(maxsize=1 << 16)
def _written_alike(text: str, pattern: re.Pattern[str]) -> str:
    """An object or property, its names quoted by the keywords of one version for all servers.

    A server quotes by its own keywords: it writes a column `json` on version 16, and `"json"` on 17.
    """
    match = pattern.match(text)
    if match is None:
        return text
    parts = (part if place % 2 == 0 else quoted(_unquoted(part)) for place, part in enumerate(match.groups()) if part)
    return "".join(parts) + text[match.end() :]


def scope_of(objects: Iterable[str]) -> Scope:
    """The scope that reads these objects, named as a snapshot names them (`table public.x`)."""
    qualified: set[tuple[str, str]] = set()
    plain: set[str] = set()
    for name in objects:
        if match := _PLAIN.match(name):
            plain.add(_unquoted(match[2]))
        elif match := _QUALIFIED.match(name):
            qualified.add((_unquoted(match[2]), _unquoted(match[3])))
        else:
            raise ValueError(f"not an object of a snapshot: {name}")
    return Scope(frozenset(qualified), frozenset(plain))


def read(connection: psycopg.Connection[Any], scope: Scope | None = None) -> dict[Key, str]:
    """Reads a snapshot as the connection's transaction sees it, including its own uncommitted changes.

    Args:
        connection: a connection in autocommit or inside a transaction; its settings are restored afterwards.
        scope: the objects to read; None for all objects but those of the system and of extensions, in a database that
            nobody else changes meanwhile, or of a connection that is in no transaction.
    """
    return _pinned(connection, partial(_read, scope=scope))


def _read(cursor: _Cursor, own: bool, *, scope: Scope | None) -> Rows:  # noqa: FBT001 - as `_pinned` calls it
    """The rows of a snapshot. Each query is prepared by the first reading of a session that needs it.

    What is prepared is asked of the session: a script that is replayed in it may have discarded everything.
    """
    kind = PREPARED[scope is not None]
    prepared = {name for (name,) in cursor.execute(_NAMES, (kind,))}
    holds = _holding(cursor, kind, prepared)
    while True:
        rows = _of_blocks(cursor, holds, prepared, scope)
        # Others may commit between two statements of a transaction of the caller's. Ours sees one instant.
        if own or scope is None or (later := _holding(cursor, kind, prepared)) <= holds:
            return rows
        holds = later


def _holding(cursor: _Cursor, kind: str, prepared: set[str]) -> frozenset[int]:
    """The blocks that may have rows now."""
    name = f"{kind}holding"
    query = "" if name in prepared else f"PREPARE {name} AS {holding(scoped=kind == PREPARED[True])};"
    prepared.add(name)
    return frozenset(_rows(cursor, f"{query} EXECUTE {name}")[0][0])


def _of_blocks(cursor: _Cursor, holds: frozenset[int], prepared: set[str], scope: Scope | None) -> Rows:
    """The rows of these blocks; a block that is read in vain has none."""
    kind = PREPARED[scope is not None]
    known = {name: _blocks_of(name) for name in prepared if name != f"{kind}holding"}
    if scope is not None:
        # One statement reads one instant of a production that others change.
        known = {name: blocks for name, blocks in known.items() if blocks == holds}
    preparing = ""
    if missing := holds.difference(*known.values()):
        name = f"{kind}{sum(1 << number for number in missing):x}"
        query = reading(cursor.connection.info.server_version, missing, scoped=scope is not None)
        preparing = f"PREPARE {name}{'' if scope is None else ' (text[], text[], text[])'} AS {query};"
        prepared.add(name)
        known[name] = missing
    arguments = _arguments(cursor, scope)
    used = sorted((name for name, blocks in known.items() if blocks & holds), key=lambda name: min(known[name]))
    return _rows(cursor, preparing + ";".join(f"EXECUTE {name}{arguments}" for name in used))


def _blocks_of(name: str) -> frozenset[int]:
    bits = int(name.rpartition("_")[2], 16)
    return frozenset(number for number in range(bits.bit_length()) if bits >> number & 1)


def _arguments(cursor: _Cursor, scope: Scope | None) -> str:
    if scope is None:
        return ""
    pairs = sorted(scope.qualified)
    values = [[schema for schema, _ in pairs], [name for _, name in pairs], sorted(scope.plain)]
    literals = sql.SQL(", ").join(sql.SQL("{}::text[]").format(each) for each in values)
    return sql.SQL(" ({})").format(literals).as_string(cursor)


def _rows(cursor: _Cursor, statements: str) -> list[Any]:
    """The rows of all the statements, which are sent together."""
    cursor.execute(statements.encode(cursor.connection.info.encoding))
    rows = cursor.fetchall() if cursor.description else []
    while cursor.nextset():
        if cursor.description:
            rows += cursor.fetchall()
    return rows


#: `attmissingval` holds a column's value for the rows that existed when it was added, until the table is rewritten.
_FILLED = """
SELECT format('table %%I.%%I', n.nspname, c.relname), format('column %%I', a.attname), a.attmissingval::text
FROM unnest(%(schemas)s::text[], %(names)s::text[]) q(s, o)
JOIN pg_catalog.pg_namespace n ON n.nspname = q.s
JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = q.o AND c.relkind = 'r'
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE a.atthasmissing
"""


def read_filled(connection: psycopg.Connection[Any], tables: Iterable[str]) -> dict[Key, str]:
    """For each column, the value that PostgreSQL keeps for rows older than the column (RULES E5).

    Args:
        connection: as for `read`.
        tables: their names, as a snapshot has them (`table public.x`).
    """
    pairs = sorted(scope_of(tables).qualified)
    parameters = {"schemas": [schema for schema, _ in pairs], "names": [name for _, name in pairs]}
    return _pinned(connection, lambda cursor, _: cursor.execute(_FILLED, parameters).fetchall()) if pairs else {}


def _pinned(connection: psycopg.Connection[Any], run: Callable[[_Cursor, bool], Rows]) -> dict[Key, str]:
    """The rows that `run` reads as a snapshot, read under the pinned settings.

    It is told whether its transaction is our own, which sees one instant.
    """
    own = connection.info.transaction_status == pq.TransactionStatus.IDLE
    with connection.cursor() as cursor:
        if own:
            cursor.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        try:
            # Only pinned settings give qualified names, and values that are written alike on both sides (RULES E13).
            cursor.execute(_PIN, (list(_PINNED), list(_PINNED.values())))
            before = {name: value for name, value, _ in cursor}
            snapshot = {(obj, prop): value for obj, prop, value in run(cursor, own)}
            if connection.info.server_version // 10_000 != _GRAMMAR:
                snapshot = {
                    (_written_alike(obj, _OBJECT), _written_alike(prop, _PROPERTY)): value
                    for (obj, prop), value in snapshot.items()
                }
            if not own:
                cursor.execute(_PIN, (list(before), list(before.values())))
        finally:
            if own:
                cursor.execute("ROLLBACK")
    return snapshot
