"""Looks in production's catalog for the objects that a statement needs, makes, or would leave others without."""

from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg.sql import SQL, Composed, Literal

from recovery.evidence.obstacles.probes import Concurrently, Depending, Made, Needed, Newer
from recovery.sql.names import Name, quoted
from states.facts import Obstacle

#: For each kind of object, a query that lists it by its name and schema, or by its table and its own name. An index or
#: a sequence is listed with the table that it goes away with.
_LISTED = {
    "schema": "SELECT nspname FROM pg_catalog.pg_namespace WHERE nspname = {name}",
    "relation": """
SELECT n.nspname, c.relname, c.relkind, coalesce(t.relnamespace::regnamespace::text, '') AS table_schema,
       coalesce(t.relname, '') AS table_name, i.indisvalid AS valid
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_index i ON i.indexrelid = c.oid
LEFT JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid
     AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.deptype IN ('a', 'i') AND c.relkind = 'S'
LEFT JOIN pg_catalog.pg_class t ON t.oid = coalesce(i.indrelid, d.refobjid)
WHERE n.nspname = ANY ({schemas}) AND c.relname = {name}""",
    "column": """
SELECT attname FROM pg_catalog.pg_attribute
WHERE attrelid = to_regclass({table}) AND attname = {part} AND NOT attisdropped""",
    "constraint": """
SELECT conname, pg_catalog.pg_get_constraintdef(oid) AS definition FROM pg_catalog.pg_constraint
WHERE conrelid = to_regclass({table}) AND conname = {part} AND conislocal""",
    "type": """
SELECT n.nspname, t.typname, t.typtype
FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
WHERE (n.nspname = ANY ({schemas}) OR {anywhere}) AND t.typname = {name}""",
    "function": """
SELECT n.nspname, f.oid::regprocedure AS function
FROM pg_catalog.pg_proc f JOIN pg_catalog.pg_namespace n ON n.oid = f.pronamespace
WHERE (n.nspname = ANY ({schemas}) OR {anywhere}) AND f.proname = {name}""",
    "label": """
SELECT n.nspname, t.typname, e.enumlabel
FROM pg_catalog.pg_enum e JOIN pg_catalog.pg_type t ON t.oid = e.enumtypid
JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
WHERE n.nspname = ANY ({schemas}) AND t.typname = {name} AND e.enumlabel = {part}""",
}
#: The object that must be there for its parts to be asked about.
_WHOLE = {"column": "relation", "constraint": "relation", "label": "type"}

#: The objects that depend on a column or a table in a way in which PostgreSQL refuses to change it. An object that
#: goes away with it (its own index, a policy or a trigger on it) is no obstacle to dropping it. Each is listed with the
#: table or view that it belongs to, and with its own name where the script could drop it by that.
_DEPENDING = """
SELECT DISTINCT o.type || ' ' || o.identity AS dependent,
       coalesce(v.relnamespace, f.pronamespace)::regnamespace::text AS schema, coalesce(v.relname, f.proname) AS name,
       coalesce(g.attname, k.conname, '') AS part
FROM pg_catalog.pg_depend d
JOIN pg_catalog.pg_class c ON c.oid = d.refobjid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.refobjsubid AND a.attnum > 0
LEFT JOIN pg_catalog.pg_rewrite r ON d.classid = 'pg_catalog.pg_rewrite'::regclass AND r.oid = d.objid
LEFT JOIN pg_catalog.pg_policy p ON d.classid = 'pg_catalog.pg_policy'::regclass AND p.oid = d.objid
LEFT JOIN pg_catalog.pg_trigger t ON d.classid = 'pg_catalog.pg_trigger'::regclass AND t.oid = d.objid
LEFT JOIN pg_catalog.pg_constraint k ON d.classid = 'pg_catalog.pg_constraint'::regclass AND k.oid = d.objid
LEFT JOIN pg_catalog.pg_publication_rel b ON d.classid = 'pg_catalog.pg_publication_rel'::regclass AND b.oid = d.objid
LEFT JOIN pg_catalog.pg_proc f ON d.classid = 'pg_catalog.pg_proc'::regclass AND f.oid = d.objid
LEFT JOIN pg_catalog.pg_attrdef e ON d.classid = 'pg_catalog.pg_attrdef'::regclass AND e.oid = d.objid
LEFT JOIN pg_catalog.pg_attribute g ON g.attgenerated <> '' AND (
     (g.attrelid = e.adrelid AND g.attnum = e.adnum)
     OR (d.classid = 'pg_catalog.pg_class'::regclass AND g.attrelid = d.objid AND g.attnum = d.objsubid))
LEFT JOIN pg_catalog.pg_inherits h ON d.classid = 'pg_catalog.pg_class'::regclass AND d.objsubid = 0
     AND h.inhrelid = d.objid AND h.inhparent = d.refobjid
LEFT JOIN pg_catalog.pg_class v
     ON v.oid = coalesce(r.ev_class, p.polrelid, t.tgrelid, k.conrelid, b.prrelid, g.attrelid, h.inhrelid)
CROSS JOIN LATERAL pg_catalog.pg_identify_object(
     CASE WHEN v.relkind IN ('v', 'm') THEN 'pg_catalog.pg_class'::regclass
          WHEN g.attrelid IS NOT NULL THEN 'pg_catalog.pg_class'::regclass ELSE d.classid END,
     CASE WHEN v.relkind IN ('v', 'm') THEN v.oid WHEN g.attrelid IS NOT NULL THEN g.attrelid ELSE d.objid END,
     CASE WHEN g.attrelid IS NOT NULL THEN g.attnum ELSE 0 END) o
WHERE d.refclassid = 'pg_catalog.pg_class'::regclass AND n.nspname = {schema} AND c.relname = {table} AND {which}
ORDER BY 1"""
#: A column's type: views and rules, policies, triggers, functions with a body in standard SQL, generated columns, and
#: what a publication lists or asks for. Indexes, constraints, defaults and statistics PostgreSQL makes anew.
_TYPED = """a.attname = {column} AND (r.oid IS NOT NULL OR p.oid IS NOT NULL OR t.oid IS NOT NULL OR b.oid IS NOT NULL
     OR f.oid IS NOT NULL OR (g.attnum IS NOT NULL AND (g.attrelid, g.attnum) <> (c.oid, a.attnum)))"""
_LEFT = """d.deptype = 'n' AND (r.oid IS NOT NULL OR p.oid IS NOT NULL OR t.oid IS NOT NULL OR b.oid IS NOT NULL
     OR f.oid IS NOT NULL OR g.attnum IS NOT NULL OR k.contype = 'f' OR h.inhrelid IS NOT NULL)
  AND v.oid IS DISTINCT FROM {but} AND NOT EXISTS (
     SELECT FROM pg_catalog.pg_depend w
     WHERE (w.classid, w.objid, w.objsubid, w.refclassid, w.refobjid)
           = (d.classid, d.objid, d.objsubid, d.refclassid, d.refobjid)
       AND w.refobjsubid {same} AND w.deptype IN ('a', 'i'))"""

_RELATED = """
SELECT q.schema, q.name FROM unnest(%s::text[], %s::text[]) q(schema, name)
JOIN pg_catalog.pg_namespace n ON n.nspname = q.schema
JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = q.name"""

#: The most dependent objects that a sentence names.
_SOME = 3


def needed(connection: psycopg.Connection[Any], probe: Needed) -> Obstacle | None:
    """The obstacle that an object is missing."""
    whole = _WHOLE.get(probe.kind)
    if whole is not None and not _rows(connection, _listing(whole, probe.name)):
        return None  # the table itself is missing, which is another obstacle
    query = _listing(probe.kind, probe.name, probe.part, anywhere=probe.anywhere)
    if _rows(connection, query):
        return None
    fact = f"it needs {_called(probe)}, which is not there"
    return Obstacle(probe.statement, "missing_object", None, fact, query.as_string(connection).strip() + ";")


def made(connection: psycopg.Connection[Any], probe: Made) -> Obstacle | None:
    """The obstacle that an object is there already."""
    query = _listing(probe.kind, probe.name, probe.part)
    rows = _rows(connection, query)
    if probe.kind == "relation":
        # What belongs to a changed table may have gone away with it, or with one of its columns.
        rows = [row for row in rows if Name(_bare(row[3]), row[4]) not in probe.changed]
    if not rows:
        return None
    fact = f"it makes {_called(probe)}, which is already there"
    if probe.kind == "relation" and rows[0][5] is False:
        drop = f"DROP INDEX CONCURRENTLY {_name(probe.name)}"
        fact += f", as the invalid index of a build that failed ({drop} removes it)"
    return Obstacle(probe.statement, "object_exists", None, fact, query.as_string(connection).strip() + ";")


def related(connection: psycopg.Connection[Any], names: Sequence[Name]) -> set[Name]:
    """Those of these names, each with its schema, that a relation of production has."""
    schemas, bare = [name.schema or "" for name in names], [name.name for name in names]
    found = {Name(*row) for row in connection.execute(_RELATED, (schemas, bare))} if names else set[Name]()
    return {name for name in names if Name(name.schema or "", name.name) in found}


def depending(connection: psycopg.Connection[Any], probe: Depending) -> Obstacle | None:
    """The obstacle that other objects use a column or a table."""
    column = Literal(probe.column)
    if not probe.dropped:
        which = SQL(_TYPED).format(column=column)
    elif probe.column:
        which = SQL("a.attname = {} AND ").format(column) + SQL(_LEFT).format(but=SQL("0"), same=SQL("= d.refobjsubid"))
    else:
        which = SQL(_LEFT).format(but=SQL("c.oid"), same=SQL(">= 0"))
    query = SQL(_DEPENDING).format(schema=Literal(probe.table.schema), table=Literal(probe.table.name), which=which)
    rows = _rows(connection, query)
    found = [
        dependent
        for dependent, schema, name, part in rows
        if dependent  # it is none if it was dropped just now
        and Name(_bare(schema or ""), name or "") not in probe.gone - {probe.table}
        and part not in probe.parts - {""}
    ]
    if not found:
        return None
    names = ", ".join(found[:_SOME]) + (f" and {len(found) - _SOME} more" if len(found) > _SOME else "")
    of = f"{quoted(probe.column)} of " if probe.column else ""
    verb = "depends" if len(found) == 1 else "depend"
    deed = "drop it" if probe.dropped else "change its type"
    fact = f"{names} {verb} on {of}{_name(probe.table)}, so PostgreSQL refuses to {deed}"
    return Obstacle(probe.statement, "dependent_objects", None, fact, query.as_string(connection).strip() + ";")


def newer(connection: psycopg.Connection[Any], probe: Newer) -> Obstacle | None:
    """The obstacle that the server is older than the syntax."""
    version = connection.info.server_version // 10_000
    if version >= probe.since:
        return None
    fact = f"the server is PostgreSQL {version}, and {probe.what} is known from PostgreSQL {probe.since} on"
    return Obstacle(probe.statement, "syntax", None, fact, "SHOW server_version;")


def concurrently(connection: psycopg.Connection[Any], probe: Concurrently) -> Obstacle | None:
    """The obstacle that PostgreSQL does nothing concurrently there."""
    if probe.table is None:
        fact = "it is CONCURRENTLY, and stands between BEGIN and COMMIT, where PostgreSQL refuses that"
        return Obstacle(probe.statement, "not_in_transaction", None, fact, "SELECT pg_catalog.version();")
    query = SQL(
        "SELECT n.nspname, c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid ="
        " c.relnamespace WHERE n.nspname = {} AND c.relname = {} AND c.relkind = 'p'"
    ).format(Literal(probe.table.schema), Literal(probe.table.name))
    if not _rows(connection, query):
        return None
    fact = f"it is CONCURRENTLY, and {_name(probe.table)} is partitioned, where PostgreSQL refuses that"
    return Obstacle(probe.statement, "not_supported", None, fact, query.as_string(connection) + ";")


def _rows(connection: psycopg.Connection[Any], query: Composed) -> Sequence[Any]:
    return connection.execute(query).fetchall()


def _listing(kind: str, name: Name, part: str = "", *, anywhere: bool = False) -> Composed:
    schemas = [name.schema or "", *(("pg_catalog",) if anywhere else ())]
    # An extension may have its types and functions in another schema than the script's, which a role's search path
    # may hold: a type is missing only where there is none of that name at all.
    return SQL(_LISTED[kind]).format(
        table=Literal(_name(name)),
        schemas=Literal(schemas),
        name=Literal(name.name),
        part=Literal(part),
        anywhere=Literal(anywhere),
    )


def _bare(schema: str) -> str:
    """A schema's name as it is, of one that PostgreSQL has written with quotes."""
    return schema[1:-1].replace('""', '"') if schema.startswith('"') else schema


def _called(probe: Needed | Made) -> str:
    if probe.kind == "schema":
        return f"the schema {quoted(probe.name.name)}"
    if probe.part:
        part = quoted(probe.part) if probe.kind != "label" else repr(probe.part)
        return f"the {probe.kind} {part} of {_name(probe.name)}"
    return _name(probe.name) if probe.kind == "relation" else f"the {probe.kind} {_name(probe.name)}"


def _name(name: Name) -> str:
    return f"{quoted(name.schema or '')}.{quoted(name.name)}"
