"""Reading a database's schema as properties: the same words for the same thing on every server version.

A snapshot maps (object, property) to a value; `catalog.sql` holds the queries. What no query reads is
invisible here, and a statement whose effect is invisible counts as open (RULES E4): a gap costs a
question to a person, never a wrong verdict.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import psycopg
from psycopg import pq

from states.facts import Key

#: Settings that change how PostgreSQL writes names and constants down; with few digits, different numbers look equal.
_PINNED = {
    "search_path": "",
    "datestyle": "ISO, YMD",
    "intervalstyle": "postgres",
    "timezone": "UTC",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "quote_all_identifiers": "off",
}
_PIN = (
    "SELECT name, current_setting(name), set_config(name, value, true)"
    " FROM unnest(%s::text[], %s::text[]) settings(name, value)"
)

#: Schemas of the system and of sessions' temporary objects are nobody's migration.
_OURS = "n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'"


def _not_an_extensions(catalog: str, oid: str) -> str:
    return (
        "NOT EXISTS (SELECT FROM pg_catalog.pg_depend x WHERE x.deptype = 'e'"
        f" AND x.classid = 'pg_catalog.{catalog}'::regclass AND x.objid = {oid})"
    )


def _named(schema: str, name: str, kind: str) -> str:
    return (
        f"({schema}, {name}) IN (SELECT s, o FROM unnest(%({kind}_schemas)s::text[], %({kind}_names)s::text[]) q(s, o))"  # noqa: S608 - names of this module
    )


_EVERYTHING = {
    "scope_schema": f"{_OURS} AND {_not_an_extensions('pg_namespace', 'n.oid')}",
    "scope_extension": "e.extname <> 'plpgsql'",
    "scope_relation": f"({_OURS} AND {_not_an_extensions('pg_class', 'c.oid')})",
    "scope_index": "false",
    "scope_type": f"{_OURS} AND {_not_an_extensions('pg_type', 't.oid')}",
    "scope_function": f"{_OURS} AND {_not_an_extensions('pg_proc', 'f.oid')}",
    "scope_statistics": _OURS,
    "scope_publication": "true",
    "scope_event_trigger": _not_an_extensions("pg_event_trigger", "v.oid"),
}

_SCOPED = {
    "scope_schema": "n.nspname = ANY(%(plain_names)s::text[])",
    "scope_extension": "e.extname = ANY(%(plain_names)s::text[])",
    "scope_relation": f"({_named('n.nspname', 'c.relname', 'relation')})",
    "scope_index": _named("n.nspname", "i.relname", "relation"),
    "scope_type": _named("n.nspname", "t.typname", "relation"),
    "scope_function": _named("n.nspname", "f.proname", "relation"),
    "scope_statistics": _named("n.nspname", "s.stxname", "relation"),
    "scope_publication": "b.pubname = ANY(%(plain_names)s::text[])",
    "scope_event_trigger": "v.evtname = ANY(%(plain_names)s::text[])",
}


@dataclass(frozen=True, slots=True)
class Scope:
    """The objects to read: by schema and name, whatever their kind, and those that have no schema.

    A table in it brings its columns, constraints, indexes, triggers and policies along.
    """

    qualified: frozenset[tuple[str, str]] = frozenset()
    plain: frozenset[str] = frozenset()

    def __or__(self, other: "Scope") -> "Scope":
        """Both."""
        return Scope(self.qualified | other.qualified, self.plain | other.plain)


_IDENTIFIER = r'("(?:[^"]|"")*"|[a-z_][a-z0-9_]*)'
_QUALIFIED = re.compile(rf"^(?P<kind>[a-z ]+?) {_IDENTIFIER}\.{_IDENTIFIER}(\(.*\))?$", re.DOTALL)
_PLAIN = re.compile(rf"^(?P<kind>schema|extension|publication|event trigger) {_IDENTIFIER}$", re.DOTALL)


def _unquoted(identifier: str) -> str:
    return identifier[1:-1].replace('""', '"') if identifier.startswith('"') else identifier


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


@cache
def _query(version: int, *, scoped: bool) -> str:
    text = files("recovery.postgres").joinpath("catalog.sql").read_text("utf-8")
    blocks = [block.split("\n", 1)[1] for block in text.split("-- block: ")[1:]]
    query = "\nUNION ALL\n".join(block.strip() for block in blocks)
    if scoped:  # psycopg reads % as a placeholder as soon as there are parameters
        query = query.replace("%", "%%")
    values = {
        **(_SCOPED if scoped else _EVERYTHING),
        "compression": "nullif(a.attcompression::text, '')" if version >= 14_00_00 else "NULL",  # noqa: PLR2004 - 14 added it
        "nulls_not_distinct": "x.indnullsnotdistinct" if version >= 15_00_00 else "false",  # noqa: PLR2004 - 15 added it
        "sql_body": "pg_catalog.pg_get_function_sqlbody(f.oid)" if version >= 14_00_00 else "NULL",  # noqa: PLR2004 - 14 added it
    }
    for name, value in values.items():
        query = query.replace("{" + name + "}", value)
    return query


def read(connection: psycopg.Connection[Any], scope: Scope | None = None) -> dict[Key, str]:
    """Reads a snapshot, as the connection's transaction sees it, uncommitted changes of its own included.

    Args:
        connection: in autocommit, or inside a transaction; its settings are as before afterwards.
        scope: the objects to read; None for all that are not the system's or an extension's.
    """
    own = connection.info.transaction_status == pq.TransactionStatus.IDLE
    with connection.cursor() as cursor:
        if own:
            cursor.execute("BEGIN")
        try:
            # Names come out qualified, and values alike on both sides, only under pinned settings (RULES E13).
            cursor.execute(_PIN, (list(_PINNED), list(_PINNED.values())))
            before = {name: value for name, value, _ in cursor}
            parameters: dict[str, list[str]] | None = None
            if scope is not None:
                pairs = sorted(scope.qualified)
                parameters = {
                    "relation_schemas": [schema for schema, _ in pairs],
                    "relation_names": [name for _, name in pairs],
                    "plain_names": sorted(scope.plain),
                }
            query = _query(connection.info.server_version, scoped=scope is not None)
            cursor.execute(query.encode(), parameters)
            snapshot = {(obj, prop): value for obj, prop, value in cursor}
            if not own:
                cursor.execute(_PIN, (list(before), list(before.values())))
        finally:
            if own:
                cursor.execute("ROLLBACK")
    return snapshot
