"""What a history finds in its database although none of its scripts makes it.

A platform makes schemas of its own (`auth`, `storage`), and extensions are installed by hand. A project can give a
script that makes these before the history. What no script makes is stood in for, from production's own catalog: tables
with their columns and keys, views, types, and functions with empty bodies.

An object is stood in for only if no script may make, change or drop it. So what is read from production now was there
before the failed migration, too.
"""

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from recovery.replay.extension_members import attempted, body_of
from recovery.sql.names import quoted
from recovery.sql.script import Script
from recovery.sql.statements import REACHING
from recovery.sql.targets import Targets


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is there before a history.

    Attributes:
        standins: statements that make what is stood in for; one that fails is passed over.
        init: scripts that are run before the history; each must succeed.
    """

    standins: tuple[str, ...] = ()
    init: tuple[Script, ...] = ()

    @property
    def digested(self) -> tuple[tuple[str, str], ...]:
        """Name and checksum of each part, as of the scripts of a history."""
        standins = hashlib.sha256("\n".join(self.standins).encode()).hexdigest()
        own = (("stand-ins", standins),) if self.standins else ()
        return (*own, *((each.migration, each.checksum) for each in self.init))


_EXTENSION = re.compile(r"\bextension\b", re.IGNORECASE)
#: The schema of this program's own journal.
OWN = "prisma_recovery"
#: Schemas that are not the system's, nor an extension's own.
_SCHEMAS = """
SELECT n.nspname FROM pg_catalog.pg_namespace n
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_namespace'::regclass
                  AND d.objid = n.oid AND d.deptype = 'e')
ORDER BY 1
"""
#: Extensions with their schemas, and the names of what they bring.
_EXTENSIONS = """
SELECT e.extname, n.nspname, ARRAY(
    SELECT coalesce(f.proname, t.typname, o.opcname, a.amname)::text FROM pg_catalog.pg_depend d
    LEFT JOIN pg_catalog.pg_proc f ON d.classid = 'pg_catalog.pg_proc'::regclass AND f.oid = d.objid
    LEFT JOIN pg_catalog.pg_type t ON d.classid = 'pg_catalog.pg_type'::regclass AND t.oid = d.objid
    LEFT JOIN pg_catalog.pg_opclass o ON d.classid = 'pg_catalog.pg_opclass'::regclass AND o.oid = d.objid
    LEFT JOIN pg_catalog.pg_am a ON d.classid = 'pg_catalog.pg_am'::regclass AND a.oid = d.objid
    WHERE d.refclassid = 'pg_catalog.pg_extension'::regclass AND d.refobjid = e.oid AND d.deptype = 'e')
FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
WHERE e.extname <> 'plpgsql'
ORDER BY e.extname
"""
_NO_MEMBER = """NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
    WHERE d.classid = 'pg_catalog.{}'::regclass AND d.objid = x.oid AND d.deptype = 'e')"""
_TYPES = """
SELECT n.nspname, x.typname, x.typtype::text,
       (SELECT string_agg(quote_literal(l.enumlabel), ', ' ORDER BY l.enumsortorder)
        FROM pg_catalog.pg_enum l WHERE l.enumtypid = x.oid),
       CASE WHEN x.typtype = 'd' THEN pg_catalog.format_type(x.typbasetype, x.typtypmod) END, x.typdefault
FROM pg_catalog.pg_type x JOIN pg_catalog.pg_namespace n ON n.oid = x.typnamespace
WHERE n.nspname = ANY(%s) AND x.typtype IN ('e', 'd') AND """
_RELATIONS = """
SELECT n.nspname, x.relname, x.relkind IN ('v', 'm'),
       ARRAY(SELECT format('%%I %%s', a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod))
             FROM pg_catalog.pg_attribute a WHERE a.attrelid = x.oid AND a.attnum > 0 AND NOT a.attisdropped
             ORDER BY a.attnum),
       ARRAY(SELECT format('NULL::%%s AS %%I', pg_catalog.format_type(a.atttypid, a.atttypmod), a.attname)
             FROM pg_catalog.pg_attribute a WHERE a.attrelid = x.oid AND a.attnum > 0 AND NOT a.attisdropped
             ORDER BY a.attnum),
       ARRAY(SELECT format('CONSTRAINT %%I %%s', k.conname, pg_catalog.pg_get_constraintdef(k.oid))
             FROM pg_catalog.pg_constraint k WHERE k.conrelid = x.oid AND k.contype IN ('p', 'u') ORDER BY 1),
       ARRAY(SELECT pg_catalog.pg_get_indexdef(i.indexrelid) FROM pg_catalog.pg_index i
             WHERE i.indrelid = x.oid AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
               AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.conindid = i.indexrelid
                               AND k.contype IN ('p', 'u', 'x')) ORDER BY 1)
FROM pg_catalog.pg_class x JOIN pg_catalog.pg_namespace n ON n.oid = x.relnamespace
WHERE n.nspname = ANY(%s) AND x.relkind IN ('r', 'p', 'f', 'v', 'm') AND """
_FUNCTIONS = """
SELECT n.nspname, x.proname, pg_catalog.pg_get_function_arguments(x.oid), pg_catalog.pg_get_function_result(x.oid),
       x.proretset, coalesce(x.proargmodes && '{o,b,t}'::"char"[], false), x.provolatile::text, x.proisstrict,
       pg_catalog.format_type(x.proargtypes[0], NULL)
FROM pg_catalog.pg_proc x JOIN pg_catalog.pg_namespace n ON n.oid = x.pronamespace
WHERE n.nspname = ANY(%s) AND x.prokind = 'f' AND """


def read(
    production: psycopg.Connection[Any], scripts: Sequence[str], schema: str, made: Callable[[], Targets]
) -> tuple[str, ...]:
    """The statements that make stand-ins for what scripts refer to, production has, and no script makes.

    Args:
        production: a connection to the server from whose catalog they are read.
        scripts: texts of the whole history, of all attempts, and of what is pending.
        schema: the schema of the target's URL, which the history makes itself.
        made: tells what the scripts may make, change or drop.
    """
    text = "\n".join(scripts)
    found = list(_extensions(production, scripts, text, made, schema))
    others = [name for (name,) in production.execute(_SCHEMAS) if name not in (schema, OWN) and name in text]
    schemas = [name for name in others if not made().schema(name)]
    found += [f"CREATE SCHEMA IF NOT EXISTS {quoted(name)}" for name in schemas]
    if schemas:
        found += _types(production, schemas, made())
        found += _relations(production, schemas, text, made())
        found += _functions(production, schemas, text, made())
    return tuple(found)


def _extensions(
    production: psycopg.Connection[Any], scripts: Sequence[str], text: str, made: Callable[[], Targets], schema: str
) -> Iterator[str]:
    """Extensions that were installed by hand. One that a script may create, alter or drop is left to the script."""
    about = "\n".join(each for each in scripts if _EXTENSION.search(each)).lower()
    for name, home, members in production.execute(_EXTENSIONS):
        used = any(each and each in text for each in members) or home in text
        there = home in ("public", schema, "pg_catalog")
        if not used or name in REACHING or name.lower() in about or (not there and made().schema(home)):
            continue
        if not there or home == schema:
            yield f"CREATE SCHEMA IF NOT EXISTS {quoted(home)}"
        yield f"CREATE EXTENSION IF NOT EXISTS {quoted(name)} WITH SCHEMA {quoted(home)}"


def _types(production: psycopg.Connection[Any], schemas: Sequence[str], made: Targets) -> Iterator[str]:
    query = _TYPES + _NO_MEMBER.format("pg_type") + " ORDER BY x.typtype DESC, n.nspname, x.typname"
    for home, name, kind, labels, of, default in production.execute(query.encode(), (list(schemas),)):
        # No function is called that production's catalog names.
        if not made.holds(home, name) and "(" not in (default or ""):
            full = f"{quoted(home)}.{quoted(name)}"
            # The default of a domain fills the rows of a table to which a column of it is added.
            filled = "" if default is None else f" DEFAULT {default}"
            yield (
                f"CREATE TYPE {full} AS ENUM ({labels or ''})"
                if kind == "e"
                else f"CREATE DOMAIN {full} AS {of}{filled}"
            )


def _relations(production: psycopg.Connection[Any], schemas: Sequence[str], text: str, made: Targets) -> Iterator[str]:
    query = _RELATIONS + _NO_MEMBER.format("pg_class") + " ORDER BY n.nspname, x.relname"
    for home, name, view, columns, nulls, keys, indexes in production.execute(query.encode(), (list(schemas),)):
        if name not in text or made.holds(home, name):
            continue
        full = f"{quoted(home)}.{quoted(name)}"
        if view:
            yield f"CREATE VIEW {full} AS SELECT {', '.join(nulls)}"
        else:
            yield f"CREATE TABLE {full} ({', '.join((*columns, *keys))})"
            yield from indexes


def _functions(production: psycopg.Connection[Any], schemas: Sequence[str], text: str, made: Targets) -> Iterator[str]:
    """Functions that give a value. One that is called for what it does can't be stood in for."""
    query = _FUNCTIONS + _NO_MEMBER.format("pg_proc") + " ORDER BY n.nspname, x.proname, x.oid"
    for home, name, arguments, result, *how in production.execute(query.encode(), (list(schemas),)):
        gives_a_value = name not in made.called or how[2] == "i"
        # No function is called that production's catalog names, as in the default of an argument.
        if name in text and gives_a_value and not made.holds(home, name) and "(" not in arguments:
            full = f"{quoted(home)}.{quoted(name)}"
            yield f"CREATE FUNCTION {full}({arguments}) RETURNS {result} LANGUAGE plpgsql {body_of(name, result, *how)}"


def script(standins: Sequence[str]) -> str:
    """The statements as one text, in which one that fails is passed over."""
    return attempted(standins)
