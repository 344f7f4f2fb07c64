"""Reads a database's schema as a snapshot of properties, written alike on every server version.

A snapshot maps (object, property) to a value; `catalog.sql` and `remarks.sql` hold the queries. A statement whose
effect no query reads counts as open (RULES E4), so a gap in the queries costs a question to a person, never a wrong
verdict.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache, lru_cache, partial
from importlib.resources import files
from typing import Any

import psycopg
from psycopg import pq, sql

from recovery.sql.names import quoted
from states.facts import Key

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
#: The names of the prepared statements that read everything, and a scope.
PREPARED = ("prisma_recovery_everything", "prisma_recovery_scope")
_PIN = (
    "SELECT name, current_setting(name), set_config(name, value, true)"
    " FROM unnest(%s::text[], %s::text[]) settings(name, value)"
)

#: Leaves out the schemas of the system and of temporary objects, which no migration changes.
_OURS = "n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'"


_OF_EXTENSIONS = (
    "WITH of_extensions AS MATERIALIZED (SELECT d.classid, d.objid, d.deptype"
    " FROM pg_catalog.pg_depend d WHERE d.deptype = 'e')\n"
)


def _not_an_extensions(catalog: str, oid: str, members: str = "of_extensions") -> str:
    return (
        f"NOT EXISTS (SELECT FROM {members} z"
        f" WHERE z.classid = 'pg_catalog.{catalog}'::regclass AND z.objid = {oid} AND z.deptype = 'e')"
    )


def _wanted(catalog: str, schema: str, name: str) -> str:
    """The objects of a catalog that the scope names, without members of extensions.

    An extension often has a type of its own name.
    """
    return (
        f"SELECT 'pg_catalog.{catalog}'::regclass::oid, x.oid"  # noqa: S608 - names of this module
        f" FROM asked q JOIN pg_catalog.{catalog} x ON x.{schema} = q.schema AND x.{name} = q.name"
        f" WHERE {_not_an_extensions(catalog, 'x.oid', 'pg_catalog.pg_depend')}"
    )


#: The names of the scope, with the oids of their schemas.
_ASKED = "SELECT n.oid, q.o::name FROM unnest($1, $2) q(s, o) JOIN pg_catalog.pg_namespace n ON n.nspname = q.s"
#: The objects of the scope, looked up once and used by oid: planning joins by name in every block takes too long.
_WANTED = "WITH asked(schema, name) AS MATERIALIZED ({}),\nwanted(catalog, oid) AS MATERIALIZED ({})\n".format(
    _ASKED,
    " UNION ALL ".join(
        _wanted(*each)
        for each in (
            ("pg_class", "relnamespace", "relname"),
            ("pg_type", "typnamespace", "typname"),
            ("pg_proc", "pronamespace", "proname"),
            ("pg_collation", "collnamespace", "collname"),
            ("pg_statistic_ext", "stxnamespace", "stxname"),
        )
    ),
)


def _named(catalog: str, oid: str) -> str:
    return f"{oid} = ANY (ARRAY(SELECT w.oid FROM wanted w WHERE w.catalog = 'pg_catalog.{catalog}'::regclass))"  # noqa: S608 - names of this module


#: Indexes in the scope, by their own name or by their table's.
_INDEXES_OF = "SELECT y.indexrelid FROM pg_catalog.pg_index y WHERE {}"
_INDEXES = " UNION ALL ".join(
    (
        "SELECT w.oid FROM wanted w WHERE w.catalog = 'pg_catalog.pg_class'::regclass",
        _INDEXES_OF.format(_named("pg_class", "y.indrelid")),
    )
)


def _made_here(catalog: str, oid: str, name: str | None = None) -> str:
    """Of a catalog that PostgreSQL fills and migrations rarely do, what neither it nor an extension brought."""
    asked = f" AND {name} IN (SELECT q.schema, q.name FROM asked q)" if name else ""  # noqa: S608 - of this module
    own = _not_an_extensions(catalog, oid, "pg_catalog.pg_depend" if name else "of_extensions")
    return f"{oid} >= 16384{asked} AND {own}"


_EVERYTHING = {
    "scope_schema": f"{_OURS} AND {_not_an_extensions('pg_namespace', 'n.oid')}",
    "scope_extension": "e.extname <> 'plpgsql'",
    "scope_relation": f"({_OURS} AND {_not_an_extensions('pg_class', 'c.oid')})",
    "scope_index": f"({_OURS} AND {_not_an_extensions('pg_class', 'c.oid')})",
    # Reads the constraints of all tables at once.
    "constraint_near_index": "true",
    "constraint_near_column": "true",
    "scope_type": f"{_OURS} AND {_not_an_extensions('pg_type', 't.oid')}",
    "scope_function": f"{_OURS} AND {_not_an_extensions('pg_proc', 'f.oid')}",
    "scope_collation": f"{_OURS} AND {_not_an_extensions('pg_collation', 'l.oid')}",
    "scope_statistics": _OURS,
    "scope_publication": "true",
    "scope_event_trigger": _not_an_extensions("pg_event_trigger", "v.oid"),
    "scope_operator": _made_here("pg_operator", "o.oid"),
    "scope_cast": "k.oid >= 16384",
    "scope_conversion": _made_here("pg_conversion", "k.oid"),
    "scope_dictionary": _made_here("pg_ts_dict", "k.oid"),
    "scope_configuration": _made_here("pg_ts_config", "k.oid"),
    # In a scratch database no script decides who owns an object.
    "relation_acl": "c.relacl",
    "not_relation_owner": "x.grantee <> c.relowner",
    "schema_acl": "n.nspacl",
    "not_schema_owner": "x.grantee <> n.nspowner",
    "function_acl": "f.proacl",
    "not_function_owner": "x.grantee <> f.proowner",
    "type_acl": "t.typacl",
    "not_type_owner": "x.grantee <> t.typowner",
}

_SCOPED = {
    "scope_schema": "n.nspname = ANY($3)",
    "scope_extension": "e.extname = ANY($3)",
    "scope_relation": _named("pg_class", "c.oid"),
    "scope_index": f"x.indexrelid = ANY (ARRAY({_INDEXES}))",
    # Looks up each table's constraints by its oid; otherwise the constraints of all other tables would be read, too.
    "constraint_near_index": "k.conrelid = x.indrelid",
    "constraint_near_column": "o.conrelid = c.oid",
    "scope_type": _named("pg_type", "t.oid"),
    "scope_function": _named("pg_proc", "f.oid"),
    "scope_collation": _named("pg_collation", "l.oid"),
    "scope_statistics": _named("pg_statistic_ext", "s.oid"),
    "scope_publication": "b.pubname = ANY($3)",
    "scope_event_trigger": "v.evtname = ANY($3)",
    "scope_operator": _made_here("pg_operator", "o.oid", "(o.oprnamespace, o.oprname)"),
    "scope_cast": "k.oid >= 16384 AND x.name = ANY($3)",
    "scope_conversion": _made_here("pg_conversion", "k.oid", "(k.connamespace, k.conname)"),
    "scope_dictionary": _made_here("pg_ts_dict", "k.oid", "(k.dictnamespace, k.dictname)"),
    "scope_configuration": _made_here("pg_ts_config", "k.oid", "(k.cfgnamespace, k.cfgname)"),
    # The owner holds every privilege without a GRANT, and a script may grant some to that very role.
    "relation_acl": (
        "coalesce(c.relacl, pg_catalog.acldefault(CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END::\"char\", c.relowner))"
    ),
    "not_relation_owner": "true",
    "schema_acl": "coalesce(n.nspacl, pg_catalog.acldefault('n', n.nspowner))",
    "not_schema_owner": "true",
    "function_acl": "coalesce(f.proacl, pg_catalog.acldefault('f', f.proowner))",
    "not_function_owner": "true",
    "type_acl": "coalesce(t.typacl, pg_catalog.acldefault('T', t.typowner))",
    "not_type_owner": "true",
}


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


_PUBLICATION_SCHEMAS = """
UNION ALL
SELECT format('publication %I', b.pubname), format('schema %s', r.pnnspid::regnamespace), 'published'
FROM pg_catalog.pg_publication_namespace r
JOIN pg_catalog.pg_publication b ON b.oid = r.pnpubid
WHERE {scope_publication}
"""
_PUBLICATION_COLUMNS = (
    "'columns (' || (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum)"
    " FROM pg_catalog.pg_attribute a WHERE a.attrelid = r.prrelid AND a.attnum = ANY (r.prattrs)) || ')'"
)

_INVALID_NOT_NULL = (
    "(c.oid, a.attnum) IN (SELECT o.conrelid, o.conkey[1] FROM pg_catalog.pg_constraint o"
    " WHERE o.contype = 'n' AND NOT o.convalidated AND {constraint_near_column})"
)

#: The first number of a sequence that has given none. Before version 18 only the sequence's own row has it.
_UNUSED = (
    "substring(pg_catalog.query_to_xml(format('SELECT last_value FROM %I.%I WHERE NOT is_called',"
    " n.nspname, c.relname), false, true, '')::text FROM '<last_value>(-?[0-9]+)')"
)
#: Before version 15 every sequence was logged, that of an unlogged table's column, too, which is made unlogged since.
_OF_UNLOGGED = (
    "EXISTS (SELECT FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_class tc ON tc.oid = d.refobjid"
    " WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('a', 'i')"
    " AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjsubid > 0 AND tc.relpersistence = 'u')"
)
#: A range type's multirange, where it is not called as PostgreSQL calls it by itself.
_MULTIRANGE = """coalesce((
    SELECT ' multirange ' || r.rngmultitypid::regtype FROM pg_catalog.pg_type e
    WHERE e.oid = r.rngmultitypid AND (e.typnamespace <> t.typnamespace OR e.typname <> (
        CASE WHEN strpos(t.typname, 'range') > 0 THEN regexp_replace(t.typname, 'range', 'multirange')
             ELSE left(t.typname, 52) || '_multirange' END)::name)), '')"""

#: Expressions that differ between server versions: pairs of a first version and its expression, newest first.
_VERSIONED = {
    "compression": [(14, "nullif(a.attcompression::text, '')"), (0, "NULL")],
    "detach_pending": [(14, "CASE WHEN i.inhdetachpending THEN ' (detach pending)' ELSE '' END"), (0, "''")],
    "invalid_not_null": [(18, _INVALID_NOT_NULL), (0, "false")],
    "nulls_not_distinct": [(15, "x.indnullsnotdistinct"), (0, "false")],
    "next_value": [
        (18, "(SELECT q.last_value::text FROM pg_catalog.pg_get_sequence_data(c.oid) q WHERE NOT q.is_called)"),
        (0, _UNUSED),
    ],
    "sequence_unlogged": [(15, "c.relpersistence = 'u'"), (0, _OF_UNLOGGED)],
    "multirange": [(14, _MULTIRANGE), (0, "''")],
    "sql_body": [(14, "pg_catalog.pg_get_function_sqlbody(f.oid)"), (0, "NULL")],
    # Before version 15, a partition's copy of a trigger counted as internal.
    "trigger": [(15, "NOT t.tgisinternal"), (0, "(NOT t.tgisinternal OR t.tgparentid <> 0)")],
    "collation_locale": [
        (17, "coalesce(l.colllocale, l.collcollate)"),
        (15, "coalesce(l.colliculocale, l.collcollate)"),
        (0, "l.collcollate::text"),
    ],
    "collation_rules": [(16, "l.collicurules"), (0, "NULL")],
    "publication_generated": [(18, "CASE WHEN b.pubgencols = 's' THEN 'stored' END"), (0, "NULL")],
    "publication_columns": [(15, _PUBLICATION_COLUMNS), (0, "NULL")],
    "publication_filter": [
        (15, "'where (' || pg_catalog.pg_get_expr(r.prqual, r.prrelid) || ')'"),
        (0, "NULL"),
    ],
    "publication_schemas": [(15, _PUBLICATION_SCHEMAS), (0, "")],
}


@cache
def _query(version: int, *, scoped: bool) -> str:
    folder = files("recovery.postgres")
    texts = [folder.joinpath(name).read_text("utf-8") for name in ("catalog.sql", "remarks.sql")]
    blocks = [block.split("\n", 1)[1] for text in texts for block in text.split("-- block: ")[1:]]
    query = "\nUNION ALL\n".join(block.strip() for block in blocks)
    values = {
        name: next(expression for since, expression in forms if version // 10_000 >= since)
        for name, forms in _VERSIONED.items()
    }
    for name, value in values.items():
        query = query.replace("{" + name + "}", value)
    for name, value in (_SCOPED if scoped else _EVERYTHING).items():
        query = query.replace("{" + name + "}", value)
    return (_WANTED if scoped else _OF_EXTENSIONS) + query


def read(connection: psycopg.Connection[Any], scope: Scope | None = None) -> dict[Key, str]:
    """Reads a snapshot as the connection's transaction sees it, including its own uncommitted changes.

    Args:
        connection: a connection in autocommit or inside a transaction; its settings are restored afterwards.
        scope: the objects to read; None for all objects but those of the system and of extensions.
    """
    return _pinned(connection, partial(_read, scope=scope))


def _read(cursor: psycopg.Cursor[Any], scope: Scope | None) -> None:
    """Runs the query of a snapshot, prepared by the first reading of a session.

    Whether it is prepared is asked of the session: a script that is replayed in it may have discarded everything.
    """
    scoped = scope is not None
    name = PREPARED[scoped]
    cursor.execute("SELECT FROM pg_catalog.pg_prepared_statements WHERE name = %s", (name,))
    if not cursor.rowcount:
        types = "(text[], text[], text[])" if scoped else ""
        query = _query(cursor.connection.info.server_version, scoped=scoped)
        cursor.execute(f"PREPARE {name} {types} AS {query}".encode())
    run = sql.SQL("EXECUTE {}").format(sql.Identifier(name))
    if scope is not None:
        pairs = sorted(scope.qualified)
        values = [[schema for schema, _ in pairs], [name for _, name in pairs], sorted(scope.plain)]
        run += sql.SQL("({})").format(sql.SQL(", ").join(sql.SQL("{}::text[]").format(each) for each in values))
    cursor.execute(run)


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
    return _pinned(connection, lambda cursor: cursor.execute(_FILLED, parameters)) if pairs else {}


def _pinned(connection: psycopg.Connection[Any], run: Callable[[psycopg.Cursor[Any]], object]) -> dict[Key, str]:
    """The rows of the query that `run` runs as a snapshot, read under the pinned settings."""
    own = connection.info.transaction_status == pq.TransactionStatus.IDLE
    with connection.cursor() as cursor:
        if own:
            cursor.execute("BEGIN")
        try:
            # Only pinned settings give qualified names, and values that are written alike on both sides (RULES E13).
            cursor.execute(_PIN, (list(_PINNED), list(_PINNED.values())))
            before = {name: value for name, value, _ in cursor}
            run(cursor)
            snapshot = {(obj, prop): value for obj, prop, value in cursor}
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
