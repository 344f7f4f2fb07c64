"""Small lookups in the catalog: a table's columns and their types, and whether an expression is safe to evaluate."""

from dataclasses import dataclass
from typing import Any, LiteralString

import psycopg

from recovery.sql.expressions import Expression
from recovery.sql.names import Name

#: The first server version with `pg_input_is_valid`.
_INPUT_IS_VALID = 160_000

#: An ordinary table without partitions or inheriting tables.
_TABLE = """
SELECT c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %s AND c.relname = %s AND c.relkind = 'r' AND NOT c.relhassubclass
"""
_COLUMNS = """
SELECT a.attname, t.typtype, t.oid::regtype::text, a.attcollation, t.typnamespace = 'pg_catalog'::regnamespace, t.oid
FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
WHERE a.attrelid = %s AND a.attnum > 0 AND NOT a.attisdropped
"""
#: Whether an expression's parts are sound: every function of that name and number of arguments is PostgreSQL's own and
#: immutable, no operator of that name is volatile, and every type is an enum or one of PostgreSQL's own base types.
_SOUND = """
SELECT (SELECT bool_and(coalesce((SELECT bool_and(p.pronamespace = 'pg_catalog'::regnamespace AND p.provolatile = 'i')
                                  FROM pg_catalog.pg_proc p WHERE p.proname = f.name
                                  AND (p.pronargs = f.taking OR p.pronargdefaults > 0 OR p.provariadic <> 0)), false))
        FROM unnest(%s::text[], %s::int[]) f (name, taking)) IS NOT FALSE
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_operator o JOIN pg_catalog.pg_proc p ON p.oid = o.oprcode
                   WHERE o.oprname = ANY(%s) AND p.provolatile = 'v')
   AND (SELECT bool_and(coalesce(ty.typtype = 'e'
                OR (ty.typtype = 'b' AND ty.typnamespace = 'pg_catalog'::regnamespace), false))
        FROM unnest(%s::text[]) t LEFT JOIN pg_catalog.pg_type ty ON ty.oid = to_regtype(t)) IS NOT FALSE
"""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    Attributes:
        name: unquoted.
        typtype: as in `pg_type`: b for a base type, e for an enum, d for a domain, c for a composite type.
        type: name of the type, without length.
        collation: OID of the column's collation; 0 if its type has none.
        builtin: whether the type is PostgreSQL's own.
        oid: OID of the type.
    """

    name: str
    typtype: str
    type: str
    collation: int
    builtin: bool
    oid: int


@dataclass(frozen=True, slots=True)
class Lookups:
    """Looks things up in the catalog of one database."""

    connection: psycopg.Connection[Any]

    def one(self, query: LiteralString, *parameters: object) -> object:
        """The first value of the query's first row; None if there is no row."""
        row = self.connection.execute(query, parameters or None).fetchone()
        return row[0] if row else None

    def relation(self, name: Name) -> bool:
        """Whether a relation of that name exists: a table, an index, a view, or the like."""
        return bool(
            self.one(
                "SELECT true FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
                " WHERE n.nspname = %s AND c.relname = %s",
                name.schema,
                name.name,
            )
        )

    def columns(self, table: Name, *wanted: str | Expression) -> dict[str, Column] | None:
        """The table's columns by name.

        Args:
            table: with its schema.
            wanted: columns that it must have, and expressions that must be sound over its columns.

        Returns:
            None if it is not an ordinary table, lacks a column, or an expression is not sound.
        """
        oid = self.one(_TABLE, table.schema, table.name)
        if oid is None:
            return None
        columns = {row[0]: Column(*row) for row in self.connection.execute(_COLUMNS, (oid,))}
        for each in wanted:
            if isinstance(each, str):
                if each not in columns:
                    return None
            elif not each.columns <= columns.keys() or not self._sound(each):
                return None
        return columns

    def _sound(self, expression: Expression) -> bool:
        called = sorted(expression.functions)
        lists = [name for name, _ in called], [taking for _, taking in called]
        return bool(self.one(_SOUND, *lists, sorted(expression.operators), sorted(expression.types)))

    def labels(self, name: str) -> tuple[str, ...] | None:
        """The labels of an enum; None if there is no such enum, or if it has casts of its own."""
        rows = self.connection.execute(
            "SELECT enumlabel FROM pg_catalog.pg_enum WHERE enumtypid = to_regtype(%s)"
            " AND NOT EXISTS (SELECT FROM pg_catalog.pg_cast WHERE casttarget = enumtypid)",
            (name,),
        ).fetchall()
        return tuple(row[0] for row in rows) or None

    def convertible(self, name: str) -> bool:
        """Whether `pg_input_is_valid` can tell if a text would convert to that type."""
        return self.connection.info.server_version >= _INPUT_IS_VALID and bool(
            self.one(
                "SELECT typtype = 'b' AND typnamespace = 'pg_catalog'::regnamespace AND NOT EXISTS ("
                " SELECT FROM pg_catalog.pg_cast c WHERE c.casttarget = t.oid"
                " AND c.castsource IN ('text'::regtype, 'varchar'::regtype))"
                " FROM pg_catalog.pg_type t WHERE t.oid = to_regtype(%s)",
                name,
            )
        )
