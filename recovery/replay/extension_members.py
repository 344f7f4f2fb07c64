"""Writes SQL that makes an extension's members with the signatures of production's catalog, and empty bodies.

Every base type is stored as text, whatever production's type is, so that storing, comparing and indexing values work.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any

import psycopg

from recovery.replay import standin_values
from recovery.sql.names import quoted

_MEMBERS = """
FROM pg_catalog.pg_extension e
JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_extension'::regclass AND d.refobjid = e.oid
    AND d.deptype = 'e' AND d.classid = 'pg_catalog.{catalog}'::regclass
JOIN pg_catalog.{catalog} m ON m.oid = d.objid
"""

_TYPES = """
SELECT quote_ident(m.typname), m.typmodin <> 0, m.typcollation <> 0, m.typstorage::text, m.typcategory::text,
       m.typispreferred
{members}
WHERE e.extname = %s AND m.typtype = 'b' AND m.typelem = 0
ORDER BY m.typname
"""

_ENUMS = """
SELECT quote_ident(m.typname), (SELECT string_agg(quote_literal(l.enumlabel), ', ' ORDER BY l.enumsortorder)
                                FROM pg_catalog.pg_enum l WHERE l.enumtypid = m.oid)
{members}
WHERE e.extname = %s AND m.typtype = 'e'
ORDER BY m.typname
"""

# A domain with a default fills rows, and no snapshot shows a member of an extension.
_DOMAINS = """
SELECT quote_ident(m.typname), pg_catalog.format_type(m.typbasetype, m.typtypmod)
{members}
WHERE e.extname = %s AND m.typtype = 'd' AND m.typdefault IS NULL
ORDER BY m.typname
"""

# Leaves out functions that only C code can call, or that a type written in C needs.
_FUNCTIONS = """
SELECT m.proname::text, pg_catalog.pg_get_function_arguments(m.oid),
       pg_catalog.pg_get_function_result(m.oid), m.proretset,
       coalesce(m.proargmodes && '{o,b,t}'::"char"[], false), m.provolatile::text, m.proisstrict,
       pg_catalog.format_type(m.proargtypes[0], NULL)
{members}
WHERE e.extname = %s AND m.prokind = 'f'
  AND NOT EXISTS (SELECT FROM unnest(m.proargtypes || m.prorettype) t(oid)
                  JOIN pg_catalog.pg_type y ON y.oid = t.oid
                  WHERE y.typtype = 'p' AND y.typname IN ('internal', 'cstring', 'trigger', 'event_trigger',
                        'index_am_handler', 'table_am_handler', 'fdw_handler', 'tsm_handler', 'language_handler'))
ORDER BY m.proname, m.oid
"""

_TRIGGERS = """
SELECT quote_ident(m.proname)
{members}
WHERE e.extname = %s AND m.prorettype = 'pg_catalog.trigger'::regtype
ORDER BY m.proname
"""

_CASTS = """
SELECT pg_catalog.format_type(m.castsource, NULL), pg_catalog.format_type(m.casttarget, NULL), m.castcontext::text
{members}
WHERE e.extname = %s AND m.castsource <> m.casttarget
ORDER BY 1, 2
"""

# Casts of a type to itself; PostgreSQL uses them to apply type modifiers, as the length in varchar(10).
_RESIZES = """
SELECT quote_ident(f.proname), pg_catalog.pg_get_function_arguments(f.oid),
       pg_catalog.pg_get_function_identity_arguments(f.oid), pg_catalog.format_type(m.castsource, NULL),
       m.castcontext::text
{members}
JOIN pg_catalog.pg_proc f ON f.oid = m.castfunc
WHERE e.extname = %s AND m.castsource = m.casttarget
ORDER BY 1, 2
"""

_OPERATORS = """
SELECT m.oprname::text, CASE WHEN m.oprleft <> 0 THEN pg_catalog.format_type(m.oprleft, NULL) END,
       pg_catalog.format_type(m.oprright, NULL), quote_ident(p.proname)
{members}
JOIN pg_catalog.pg_proc p ON p.oid = m.oprcode
WHERE e.extname = %s
ORDER BY m.oprname, m.oid
"""

_CLASSES = """
SELECT quote_ident(m.opcname), quote_ident(a.amname), pg_catalog.format_type(m.opcintype, NULL), m.opcdefault,
       t.typlen = -1
{members}
JOIN pg_catalog.pg_am a ON a.oid = m.opcmethod
JOIN pg_catalog.pg_type t ON t.oid = m.opcintype
WHERE e.extname = %s
ORDER BY m.opcname
"""

_METHODS = """
SELECT quote_ident(m.amname)
{members}
WHERE e.extname = %s AND m.amtype = 'i'
ORDER BY m.amname
"""

_CATALOGS = {
    _TYPES: "pg_type",
    _ENUMS: "pg_type",
    _DOMAINS: "pg_type",
    _FUNCTIONS: "pg_proc",
    _TRIGGERS: "pg_proc",
    _CASTS: "pg_cast",
    _RESIZES: "pg_cast",
    _OPERATORS: "pg_operator",
    _CLASSES: "pg_opclass",
    _METHODS: "pg_am",
}

_VOLATILITY = {"i": "IMMUTABLE", "s": "STABLE", "v": "VOLATILE"}
_STORAGE = {"p": "plain", "e": "external", "m": "main", "x": "extended"}
_CONTEXTS = {"i": "AS IMPLICIT", "a": "AS ASSIGNMENT", "e": ""}

#: Type modifiers, stored and printed as varchar's. One that is not a single number is stored as a hash, which
#: `recovery.sql.modifiers` can tell from production's text.
MODIFIERS = """
CREATE FUNCTION {0}(cstring[]) RETURNS integer LANGUAGE plpgsql IMMUTABLE STRICT AS $$
BEGIN
    IF array_length($1, 1) = 1 AND array_to_string($1, ',') ~ '^[0-9]{{1,8}}$' THEN
        RETURN array_to_string($1, ',')::integer + 4;
    END IF;
    RETURN 1000000000 + ('x' || substr(md5(lower(replace(array_to_string($1, ','), ' ', ''))), 1, 7))::bit(28)::integer;
END $$;
CREATE FUNCTION {1}(integer) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'varchartypmodout';
"""


def script_of(production: psycopg.Connection[Any], extension: str, called: Collection[str] = ()) -> str:
    """SQL that makes the members of an extension.

    When it runs, a member that can't be made is left out. A statement that uses that member then fails in the replay.

    Args:
        production: a connection to the server whose catalog has the extension.
        extension: its name.
        called: functions that scripts call for what they do. One that may do something is left out, since a stand-in
            would pass over that in silence.
    """
    statements: list[str] = []
    for query, write in (
        (_TYPES, _type),
        (_ENUMS, _enum),
        (_DOMAINS, _domain),
        (_FUNCTIONS, _function),
        (_TRIGGERS, _trigger),
        (_CASTS, _cast),
        (_RESIZES, _resize),
        (_OPERATORS, _operator),
        (_METHODS, _method),
        (_CLASSES, _class),
    ):
        writer: Callable[..., Iterator[str]] = write
        members = _MEMBERS.format(catalog=_CATALOGS[query])
        for row in production.execute(query.replace("{members}", members).encode(), (extension,)):
            if query is not _FUNCTIONS or row[0] not in called or gives_a_value(extension, row[0], row[5]):
                statements.extend(writer(*row))
    return attempted(statements)


def gives_a_value(extension: str, function: str, volatility: str) -> bool:
    """Whether it is certain that a function of an extension does nothing else."""
    return volatility == "i" or function in standin_values.KNOWN.get(extension, ())


def attempted(statements: Iterable[str]) -> str:
    """Statements as one script, in which each one that fails is passed over."""
    blocks = (f"BEGIN EXECUTE {literal(each)}; EXCEPTION WHEN others THEN NULL; END;" for each in statements)
    return "\n".join(f"DO {literal(f'BEGIN {block} END')};" for block in blocks)


def literal(text: str) -> str:
    """A text as an SQL string constant."""
    escaped = text.replace("\\", "\\\\").replace("'", "''")
    return f"E'{escaped}'"


def _named(name: str, suffix: str) -> str:
    """An identifier made of `name`, which may be quoted, and a suffix."""
    return '"' + name.removeprefix('"').removesuffix('"') + suffix + '"'


def _type(*row: Any) -> Iterator[str]:  # noqa: ANN401 - a row of the catalog, as its query says
    name, modified, collated, storage, category, preferred = row
    into, out = _named(name, " in"), _named(name, " out")
    yield f"CREATE TYPE {name}"
    yield f"CREATE FUNCTION {into}(cstring) RETURNS {name} LANGUAGE internal IMMUTABLE STRICT AS 'textin'"
    yield f"CREATE FUNCTION {out}({name}) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'textout'"
    parts = [f"INPUT = {into}", f"OUTPUT = {out}", f"STORAGE = {_STORAGE[storage]}", f"CATEGORY = {literal(category)}"]
    parts += ["COLLATABLE = true"] if collated else []
    parts += ["PREFERRED = true"] if preferred else []
    if modified:
        first, second = _named(name, " modifiers in"), _named(name, " modifiers out")
        yield MODIFIERS.format(first, second)
        parts += [f"TYPMOD_IN = {first}", f"TYPMOD_OUT = {second}"]
    yield f"CREATE TYPE {name} ({', '.join(parts)})"


def _enum(name: str, labels: str | None) -> Iterator[str]:
    yield f"CREATE TYPE {name} AS ENUM ({labels or ''})"


def _domain(name: str, of: str) -> Iterator[str]:
    yield f"CREATE DOMAIN {name} AS {of}"


def _function(*row: Any) -> Iterator[str]:  # noqa: ANN401 - a row of the catalog, as its query says
    name, arguments, result, *how = row
    yield f"CREATE FUNCTION {quoted(name)}({arguments}) RETURNS {result} LANGUAGE plpgsql {body_of(name, result, *how)}"


def body_of(*how: Any) -> str:  # noqa: ANN401 - from a row of the catalog
    """What follows the type and the language of a function's stand-in.

    Args:
        how: its name and the type of its result, whether it gives a set, whether by output parameters, its volatility,
            whether it is strict, and the type of its first argument.
    """
    name, result, many, out, volatility, strict, first = how
    body = standin_values.body(name, result, many=many, out=out, first=first)
    return f"{_VOLATILITY[volatility]}{' STRICT' if strict else ''} AS {literal(body)}"


def _trigger(name: str) -> Iterator[str]:
    yield f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'"


def _cast(source: str, target: str, context: str) -> Iterator[str]:
    yield f"CREATE CAST ({source} AS {target}) WITH INOUT {_CONTEXTS[context]}"


def _resize(name: str, arguments: str, types: str, of: str, context: str) -> Iterator[str]:
    yield (
        f"CREATE OR REPLACE FUNCTION {name}({arguments}) RETURNS {of} LANGUAGE plpgsql IMMUTABLE STRICT"
        " AS 'BEGIN RETURN $1; END'"
    )
    yield f"CREATE CAST ({of} AS {of}) WITH FUNCTION {name}({types}) {_CONTEXTS[context]}"


def _operator(name: str, left: str | None, right: str, function: str) -> Iterator[str]:
    left_argument = f"LEFTARG = {left}, " if left else ""
    yield f"CREATE OPERATOR {name} ({left_argument}RIGHTARG = {right}, FUNCTION = {function})"


def _method(name: str) -> Iterator[str]:
    yield f"CREATE ACCESS METHOD {name} TYPE INDEX HANDLER bthandler"


#: What an operator class must have: number, arguments, result, and a function of the server that stands for it and
#: does not look at the values. `void_in` gives nothing, which a GIN index takes for a row without keys, a GiST index
#: for keys that are not alike, and a BRIN index for a value that it covers; `pgsql_version` gives some text. SP-GiST's
#: functions take any value of varying length for a text.
_SUPPORT = {
    "gin": (
        (1, "{0}, {0}", "integer", "void_in"),
        (2, "{0}, internal", "internal", "void_in"),
        (3, "{0}, internal, smallint, internal, internal, internal, internal", "internal", "void_in"),
        (4, "internal, smallint, {0}, integer, internal, internal, internal, internal", "boolean", "void_in"),
    ),
    "gist": (
        (1, "internal, {0}, smallint, oid, internal", "boolean", "void_in"),
        (2, "internal, internal", "{0}", "pgsql_version"),
        (5, "internal, internal, internal", "internal", "void_in"),
        (6, "internal, internal", "internal", "void_in"),
        (7, "{0}, {0}, internal", "internal", "void_in"),
    ),
    "brin": (
        (1, "internal", "internal", "brin_minmax_opcinfo"),
        (2, "internal, internal, internal, internal", "boolean", "void_in"),
        (3, "internal, internal, internal, integer", "boolean", "void_in"),
        (4, "internal, internal, internal", "boolean", "void_in"),
    ),
    "spgist": (
        (1, "internal, internal", "void", "spg_text_config"),
        (2, "internal, internal", "void", "spg_text_choose"),
        (3, "internal, internal", "void", "spg_text_picksplit"),
        (4, "internal, internal", "void", "spg_text_inner_consistent"),
        (5, "internal, internal", "boolean", "spg_text_leaf_consistent"),
    ),
    "hash": ((1, "{0}", "integer", "hashvarlena"),),
    "btree": ((1, "{0}, {0}", "integer", "byteacmp"),),
}


def _class(*row: Any) -> Iterator[str]:  # noqa: ANN401 - a row of the catalog, as its query says
    """An operator class. An access method that is itself stood in for is a B-tree.

    Values are compared byte by byte. Without operators no query uses the index.
    """
    name, method, of, default, varies = row
    if method == "spgist" and not varies:
        return
    made = []
    for number, arguments, result, function in _SUPPORT.get(method, _SUPPORT["btree"]):
        support = _named(name, f" support {number}")
        taking = arguments.format(of)
        yield (
            f"CREATE FUNCTION {support}({taking}) RETURNS {result.format(of)}"
            f" LANGUAGE internal IMMUTABLE STRICT AS '{function}'"
        )
        made.append(f"FUNCTION {number} {support}({taking})")
    head = f"CREATE OPERATOR CLASS {name} {'DEFAULT ' if default else ''}FOR TYPE {of} USING {method} AS"
    yield f"{head} {', '.join(made)}"
