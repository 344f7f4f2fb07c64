"""The queries that read a schema's properties: `catalog.sql` and `remarks.sql`, filled in for a version and a scope.

Planning them takes many times longer than running them, and of most kinds of objects a database holds none. A first,
small query tells what kinds there are (`holding`); only their blocks are planned.
"""

from functools import cache
from importlib.resources import files

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


#: When a block may have rows: an object of its kind is there, PostgreSQL's own left out by oid where that is sure.
#: A block that is not named here is always read. A condition may hold in vain, but never fail to.
_TYPES = (
    "EXISTS (SELECT FROM pg_catalog.pg_type WHERE oid >= 16384 AND (typtype IN ('e', 'd', 'r') OR NOT typisdefined))"
    " OR EXISTS (SELECT FROM pg_catalog.pg_class WHERE oid >= 16384 AND relkind = 'c')"
)
_HOLDS = {
    "extensions": "EXISTS (SELECT FROM pg_catalog.pg_extension WHERE extname <> 'plpgsql')",
    "indexes": "EXISTS (SELECT FROM pg_catalog.pg_class WHERE oid >= 16384 AND relkind IN ('i', 'I')"
    " AND relnamespace <> 'pg_toast'::regnamespace)",
    "constraints": "EXISTS (SELECT FROM pg_catalog.pg_constraint WHERE oid >= 16384)",
    "triggers": "EXISTS (SELECT FROM pg_catalog.pg_trigger WHERE NOT tgisinternal OR tgparentid <> 0)",
    "system_triggers": "EXISTS (SELECT FROM pg_catalog.pg_trigger WHERE tgisinternal AND tgenabled <> 'O')",
    "rules": "EXISTS (SELECT FROM pg_catalog.pg_rewrite WHERE ev_class >= 16384 AND rulename <> '_RETURN')",
    "policies": "EXISTS (SELECT FROM pg_catalog.pg_policy)",
    "sequences": "EXISTS (SELECT FROM pg_catalog.pg_sequence)",
    "types": _TYPES,
    "type_constraints": "EXISTS (SELECT FROM pg_catalog.pg_constraint WHERE contypid >= 16384)",
    "collations": "EXISTS (SELECT FROM pg_catalog.pg_collation WHERE oid >= 16384)",
    "functions": "EXISTS (SELECT FROM pg_catalog.pg_proc WHERE oid >= 16384)",
    "statistics": "EXISTS (SELECT FROM pg_catalog.pg_statistic_ext)",
    "publications": "EXISTS (SELECT FROM pg_catalog.pg_publication)",
    "publication_tables": "EXISTS (SELECT FROM pg_catalog.pg_publication)",
    "event_triggers": "EXISTS (SELECT FROM pg_catalog.pg_event_trigger)",
    "operators": "EXISTS (SELECT FROM pg_catalog.pg_operator WHERE oid >= 16384)",
    "casts": "EXISTS (SELECT FROM pg_catalog.pg_cast WHERE oid >= 16384)",
    "conversions": "EXISTS (SELECT FROM pg_catalog.pg_conversion WHERE oid >= 16384)",
    "text_search_dictionaries": "EXISTS (SELECT FROM pg_catalog.pg_ts_dict WHERE oid >= 16384)",
    "text_search_configurations": "EXISTS (SELECT FROM pg_catalog.pg_ts_config WHERE oid >= 16384)",
    "comments": "EXISTS (SELECT FROM pg_catalog.pg_description WHERE objoid >= 16384)",
    "privileges": "EXISTS (SELECT FROM pg_catalog.pg_class WHERE oid >= 16384 AND relacl IS NOT NULL)",
    "column_privileges": "EXISTS (SELECT FROM pg_catalog.pg_attribute WHERE attrelid >= 16384 AND attacl IS NOT NULL)",
    "function_privileges": "EXISTS (SELECT FROM pg_catalog.pg_proc WHERE oid >= 16384 AND proacl IS NOT NULL)",
    "type_privileges": "EXISTS (SELECT FROM pg_catalog.pg_type WHERE oid >= 16384 AND typacl IS NOT NULL)",
}
#: In a scope the owner's own privileges count, which need no GRANT; and scanning all columns would take long.
_HOLDS_SCOPED = _HOLDS | {
    "privileges": "true",
    "column_privileges": "true",
    "function_privileges": _HOLDS["functions"],
    "type_privileges": _TYPES,
}


@cache
def _blocks() -> dict[str, str]:
    """The blocks' texts by name."""
    folder = files("recovery.postgres")
    texts = (folder.joinpath(name).read_text("utf-8") for name in ("catalog.sql", "remarks.sql"))
    parts = (block.split("\n", 1) for text in texts for block in text.split("-- block: ")[1:])
    return {name.strip(): text.strip() for name, text in parts}


@cache
def holding(*, scoped: bool) -> str:
    """The query for the numbers of the blocks that may have rows in this database, as an array."""
    conditions = _HOLDS_SCOPED if scoped else _HOLDS
    each = (f"CASE WHEN {conditions.get(name, 'true')} THEN {number} END" for number, name in enumerate(_blocks()))
    return f"SELECT array_remove(ARRAY[{', '.join(each)}], NULL)"


@cache
def reading(version: int, blocks: frozenset[int], *, scoped: bool) -> str:
    """The query for the properties that these blocks read.

    Args:
        version: the server's, as `server_version` of libpq has it.
        blocks: numbers, as `holding` tells them.
        scoped: parameters $1, $2 are schemas and names of the objects to read, $3 names without a schema.
    """
    query = "\nUNION ALL\n".join(text for number, text in enumerate(_blocks().values()) if number in blocks)
    values = {
        name: next(expression for since, expression in forms if version // 10_000 >= since)
        for name, forms in _VERSIONED.items()
    }
    for name, value in values.items():
        query = query.replace("{" + name + "}", value)
    for name, value in (_SCOPED if scoped else _EVERYTHING).items():
        query = query.replace("{" + name + "}", value)
    return (_WANTED if scoped else _OF_EXTENSIONS) + query
