"""Each kind of probe as SQL: what it needs to be about, what it looks for, and how the answer is said."""

from dataclasses import dataclass
from typing import Any, LiteralString

import psycopg
from psycopg.sql import SQL, Composable, Composed, Identifier, Literal

from recovery.replay.expressions import Expression, column
from recovery.replay.names import Name, quoted
from recovery.replay.probes import (
    Broken,
    Denied,
    Duplicates,
    Nulls,
    Orphans,
    Probe,
    Unavailable,
    Unconvertible,
    Unfilled,
)

#: Rows and values are counted up to here.
MOST = 1000
#: `pg_input_is_valid` came with it.
_INPUT_IS_VALID = 160_000

#: A table whose rows are its own: no partitions, no children.
_TABLE = """
SELECT c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %s AND c.relname = %s AND c.relkind = 'r' AND NOT c.relhassubclass
"""
_COLUMNS = """
SELECT a.attname, t.typtype, t.oid::regtype::text, a.attcollation, t.typnamespace = 'pg_catalog'::regnamespace, t.oid
FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
WHERE a.attrelid = %s AND a.attnum > 0 AND NOT a.attisdropped
"""
#: Functions that with so many arguments can only be PostgreSQL's own and immutable; operators none of whose forms is
#: volatile; types that a cast makes values of without more ado.
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
class Answer:
    """What stands in the way; the fields are those of `Obstacle`."""

    kind: str
    count: int | None
    fact: str
    query: str


@dataclass(frozen=True, slots=True)
class _Column:
    name: str
    typtype: str
    type: str
    collation: int
    builtin: bool
    oid: int


def ask(connection: psycopg.Connection[Any], probe: Probe) -> Answer | None:
    """What stands in the way of a statement; None if nothing does, or if production isn't what the probe is about.

    Raises:
        psycopg.Error: production could not be asked.
    """
    asking = _Asking(connection)
    match probe:
        case Duplicates():
            return asking.duplicates(probe)
        case Nulls():
            return asking.nulls(probe)
        case Unfilled():
            return asking.unfilled(probe)
        case Orphans():
            return asking.orphans(probe)
        case Broken():
            return asking.broken(probe)
        case Unconvertible():
            return asking.unconvertible(probe)
        case Unavailable():
            return asking.unavailable(probe)
        case Denied():
            return asking.denied(probe)


@dataclass(slots=True)
class _Asking:
    connection: psycopg.Connection[Any]

    def duplicates(self, probe: Duplicates) -> Answer | None:
        asked = (*probe.keys, *([probe.where] if probe.where else []))
        if self._columns(probe.table, *asked) is None or (probe.unless and self._relation(probe.unless)):
            return None
        keys = [_sql(key.sql) for key in probe.keys]
        conditions = [SQL("({})").format(_sql(probe.where.sql))] if probe.where else []
        if probe.nulls_distinct:
            conditions += [SQL("{} IS NOT NULL").format(key) for key in keys]
        where = SQL("WHERE {} ").format(SQL(" AND ").join(conditions)) if conditions else SQL("")
        query = SQL("SELECT {keys}, count(*) FROM {table} {where}GROUP BY {numbers} HAVING count(*) > 1").format(
            keys=SQL(", ").join(keys),
            table=_table(probe.table),
            where=where,
            numbers=SQL(", ").join(SQL(str(number)) for number in range(1, len(keys) + 1)),
        )
        names = ", ".join(_shown(key) for key in probe.keys)
        what = f"more than once in {_name(probe.table)}"
        return self._counted(
            "duplicates", query, f"1 value of ({names}) occurs {what}", f"{{}} values of ({names}) occur {what}"
        )

    def nulls(self, probe: Nulls) -> Answer | None:
        columns = self._columns(probe.table, probe.column)
        if columns is None or columns[probe.column].typtype in "cd":  # a row of nulls is null, and is a value
            return None
        query = SQL("SELECT * FROM {} WHERE {} IS NULL").format(_table(probe.table), Identifier(probe.column))
        what = f"of {_name(probe.table)} without a value of {quoted(probe.column)}"
        return self._counted("nulls", query, f"there is 1 row {what}", f"there are {{}} rows {what}")

    def unfilled(self, probe: Unfilled) -> Answer | None:
        columns = self._columns(probe.table)
        if columns is None:
            return None
        if probe.column in columns and (probe.conditional or not probe.dropped):
            return None
        kind = self._one("SELECT typtype FROM pg_catalog.pg_type WHERE oid = to_regtype(%s)", probe.type)
        if kind == "d":
            return None
        what = f"in {_name(probe.table)}, and the new column {quoted(probe.column)} has no value for them"
        query = SQL("SELECT * FROM {}").format(_table(probe.table))
        return self._counted("nulls", query, f"there is 1 row {what}", f"there are {{}} rows {what}")

    def orphans(self, probe: Orphans) -> Answer | None:
        ours, theirs = self._columns(probe.table, *probe.columns), self._columns(probe.referenced, *probe.keys)
        if ours is None or theirs is None:
            return None
        pairs = list(zip(probe.columns, probe.keys, strict=True))
        if not all(_comparable(ours[mine], theirs[their]) for mine, their in pairs):
            return None
        given = [SQL("f.{} IS NOT NULL").format(Identifier(mine)) for mine, _ in pairs]
        same = [SQL("p.{} = f.{}").format(Identifier(their), Identifier(mine)) for mine, their in pairs]
        query = SQL("SELECT f.* FROM {} f WHERE {} AND NOT EXISTS (SELECT FROM {} p WHERE {})").format(
            _table(probe.table), SQL(" AND ").join(given), _table(probe.referenced), SQL(" AND ").join(same)
        )
        columns = ", ".join(map(quoted, probe.columns))
        what = f"of {_name(probe.table)} whose ({columns}) is not in {_name(probe.referenced)}"
        return self._counted("foreign_key", query, f"there is 1 row {what}", f"there are {{}} rows {what}")

    def broken(self, probe: Broken) -> Answer | None:
        if self._columns(probe.table, probe.condition) is None:
            return None
        query = SQL("SELECT * FROM {} WHERE NOT ({})").format(_table(probe.table), _sql(probe.condition.sql))
        what = f"of {_name(probe.table)} for which ({probe.condition.sql}) is false"
        return self._counted("check", query, f"there is 1 row {what}", f"there are {{}} rows {what}")

    def unconvertible(self, probe: Unconvertible) -> Answer | None:
        columns = self._columns(probe.table, probe.column)
        if columns is None:
            return None
        held, named = columns[probe.column], Identifier(probe.column)
        plain = held.type in ("text", "character varying")
        if probe.length is not None:
            wrong: Composable = SQL("char_length(rtrim({}, ' ')) > {}").format(named, Literal(probe.length))
            to = f"varchar({probe.length})"
        else:
            to = probe.type.replace('"pg_catalog".', "").replace('"', "")
            labels = probe.labels if probe.labels is not None else self._labels(probe.type)
            if labels is not None:
                plain = plain or held.typtype == "e"
                wrong = SQL("NOT {}::text = ANY ({}::text[])").format(named, Literal(list(labels)))
            elif self._convertible(probe.type):
                wrong = SQL("NOT pg_input_is_valid({}, {})").format(named, Literal(to))
            else:
                return None
        if not plain:
            return None
        query = SQL("SELECT {column}, count(*) FROM {table} WHERE {wrong} GROUP BY 1").format(
            column=named, table=_table(probe.table), wrong=wrong
        )
        what = f"of {quoted(probe.column)} in {_name(probe.table)}"
        return self._counted("cast", query, f"1 value {what} is no {to}", f"{{}} values {what} are no {to}")

    def unavailable(self, probe: Unavailable) -> Answer | None:
        if self._one("SELECT true FROM pg_catalog.pg_extension WHERE extname = %s", probe.name):
            return None
        query = SQL("SELECT name, version FROM pg_catalog.pg_available_extension_versions WHERE name = {}").format(
            Literal(probe.name)
        )
        wanted = query + SQL(" AND version = {}").format(Literal(probe.version)) if probe.version else query
        if self.connection.execute(wanted).fetchone():
            return None
        version = f" {probe.version}" if probe.version else ""
        return self._stands("missing_extension", query, f"the server has no extension {quoted(probe.name)}{version}")

    def denied(self, probe: Denied) -> Answer | None:
        who = self._one("SELECT current_user")
        if probe.name is None:
            query = Composed([SQL("SELECT current_user, has_database_privilege(current_database(), 'CREATE')")])
            fact = f"{quoted(str(who))} may not create schemas in this database"
        elif probe.right == "create":
            schema = probe.name.name
            if not self._one("SELECT true FROM pg_catalog.pg_namespace WHERE nspname = %s", schema):
                return None
            query = SQL("SELECT current_user, has_schema_privilege({}, 'CREATE')").format(Literal(schema))
            fact = f"{quoted(str(who))} may not create anything in schema {quoted(schema)}"
        else:
            if not self._relation(probe.name):
                return None
            written = Literal(f"{quoted(probe.name.schema or '')}.{quoted(probe.name.name)}")
            if probe.right == "owner":
                query = SQL(
                    "SELECT current_user, pg_has_role(relowner, 'USAGE'), pg_get_userbyid(relowner) AS owner"
                    " FROM pg_catalog.pg_class WHERE oid = {}::regclass"
                ).format(written)
                fact = f"{quoted(str(who))} does not own {_name(probe.name)}"
            else:
                query = SQL("SELECT current_user, has_any_column_privilege({}, 'REFERENCES')").format(written)
                fact = f"{quoted(str(who))} may not make foreign keys to {_name(probe.name)}"
        row = self.connection.execute(query).fetchone()
        return None if row is None or row[1] else self._stands("privileges", query, fact)

    def _one(self, query: LiteralString, *parameters: object) -> object:
        row = self.connection.execute(query, parameters or None).fetchone()
        return row[0] if row else None

    def _relation(self, name: Name) -> bool:
        return bool(
            self._one(
                "SELECT true FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
                " WHERE n.nspname = %s AND c.relname = %s",
                name.schema,
                name.name,
            )
        )

    def _columns(self, table: Name, *wanted: str | Expression) -> dict[str, _Column] | None:
        """The table's columns; None if it isn't a plain table, lacks one, or an expression is not sound."""
        oid = self._one(_TABLE, table.schema, table.name)
        if oid is None:
            return None
        columns = {row[0]: _Column(*row) for row in self.connection.execute(_COLUMNS, (oid,))}
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
        return bool(self._one(_SOUND, *lists, sorted(expression.operators), sorted(expression.types)))

    def _labels(self, name: str) -> tuple[str, ...] | None:
        rows = self.connection.execute(
            "SELECT enumlabel FROM pg_catalog.pg_enum WHERE enumtypid = to_regtype(%s)", (name,)
        ).fetchall()
        return tuple(row[0] for row in rows) or None

    def _convertible(self, name: str) -> bool:
        return self.connection.info.server_version >= _INPUT_IS_VALID and bool(
            self._one(
                "SELECT typtype = 'b' AND typnamespace = 'pg_catalog'::regnamespace FROM pg_catalog.pg_type"
                " WHERE oid = to_regtype(%s)",
                name,
            )
        )

    def _counted(self, kind: str, query: Composed, one: str, many: str) -> Answer | None:
        """How many rows the query lists; `many` has `{}` for their number."""
        counting = SQL("SELECT count(*) FROM ({} LIMIT {}) AS found").format(query, Literal(MOST))
        row = self.connection.execute(counting).fetchone()
        count = int(row[0]) if row else 0
        if not count:
            return None
        number = f"at least {MOST}" if count == MOST else str(count)
        fact = one if count == 1 else many.replace("{}", number, 1)
        return Answer(kind, count, fact, self._pasted(query))

    def _stands(self, kind: str, query: Composed, fact: str) -> Answer:
        return Answer(kind, None, fact, self._pasted(query))

    def _pasted(self, query: Composed) -> str:
        return query.as_string(self.connection) + ";"


def _sql(text: str) -> SQL:
    """What was written from a parse tree."""
    return SQL(text)


def _table(name: Name) -> Identifier:
    return Identifier(name.schema or "", name.name)


def _name(name: Name) -> str:
    return f"{quoted(name.schema or '')}.{quoted(name.name)}"


def _shown(key: Expression) -> str:
    name, *more = key.columns or ("",)
    return quoted(name) if not more and key == column(name) else key.sql


_INTEGERS = ("smallint", "integer", "bigint")
_TEXTS = ("text", "character varying")


def _comparable(ours: _Column, theirs: _Column) -> bool:
    """`=` of these is what the foreign key would compare them with."""
    if ours.collation != theirs.collation:
        return False
    if any(ours.type in group and theirs.type in group for group in (_INTEGERS, _TEXTS)):
        return True
    return ours.oid == theirs.oid and (ours.typtype == "e" or (ours.typtype == "b" and ours.builtin))
