"""Puts each kind of probe to production as a query, and words its answer as an obstacle."""

from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.sql import SQL, Composable, Composed, Identifier, Literal

from recovery.evidence.obstacles.lookups import Column, Lookups
from recovery.evidence.obstacles.object_queries import concurrently, depending, made, needed, newer
from recovery.evidence.obstacles.probes import (
    Broken,
    Concurrently,
    Denied,
    Depending,
    Duplicates,
    Made,
    Needed,
    Newer,
    Nulls,
    Orphans,
    Probe,
    Unavailable,
    Unconvertible,
    Unfilled,
)
from recovery.sql.expressions import Expression, column
from recovery.sql.names import Name, quoted
from states.facts import Obstacle

#: A server may let roles create extensions that PostgreSQL reserves for superusers. Such a mechanism has settings of
#: its own, or a role that stands for a superuser: where there is either, nothing is certain.
_DELEGATES = """
SELECT EXISTS (SELECT FROM pg_catalog.pg_settings WHERE name LIKE '%.%'
               AND split_part(name, '.', 1) NOT IN ('plpgsql', 'pg_stat_statements', 'auto_explain'))
    OR EXISTS (SELECT FROM pg_catalog.pg_roles WHERE NOT rolsuper AND rolname ~ 'super|admin')
"""
#: Whether the role may create an extension, and what it takes.
_MAY_CREATE = """SELECT current_user, CASE WHEN bool_or(r.rolsuper) THEN true
       WHEN bool_and(v.superuser AND NOT v.trusted) THEN false
       WHEN bool_and(v.superuser OR v.trusted) THEN has_database_privilege(current_database(), 'CREATE') ELSE true END,
       CASE WHEN bool_and(v.trusted) THEN 'the right CREATE on the database' ELSE 'a superuser' END
FROM pg_catalog.pg_available_extension_versions v CROSS JOIN pg_catalog.pg_roles r
WHERE v.name = {name} AND ({version} = '' OR v.version = {version}) AND r.rolname = current_user
GROUP BY v.name"""
#: The most rows or values that are counted.
MOST = 1000


def ask(connection: psycopg.Connection[Any], probe: Probe) -> Obstacle | None:
    """Looks for the obstacle that a probe describes.

    Returns:
        None if there is no such obstacle, or if production's objects are not those that the probe is about.

    Raises:
        psycopg.Error: production could not be queried.
    """
    asking = _Asking(connection, Lookups(connection), probe.statement)
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
        case Needed():
            return needed(connection, probe)
        case Made():
            return made(connection, probe)
        case Depending():
            return depending(connection, probe)
        case Newer():
            return newer(connection, probe)
        case Concurrently():
            return concurrently(connection, probe)


@dataclass(slots=True)
class _Asking:
    connection: psycopg.Connection[Any]
    lookups: Lookups
    statement: int

    def duplicates(self, probe: Duplicates) -> Obstacle | None:
        asked = (*probe.keys, *([probe.where] if probe.where else []))
        if self.lookups.columns(probe.table, *asked) is None or (probe.unless and self.lookups.relation(probe.unless)):
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

    def nulls(self, probe: Nulls) -> Obstacle | None:
        columns = self.lookups.columns(probe.table, probe.column)
        if columns is None or columns[probe.column].typtype in "cd":  # IS NULL also holds for a row of nulls, a value
            return None
        query = SQL("SELECT * FROM {} WHERE {} IS NULL").format(_table(probe.table), Identifier(probe.column))
        what = f"of {_name(probe.table)} without a value of {quoted(probe.column)}"
        return self._counted("nulls", query, f"there is 1 row {what}", f"there are {{}} rows {what}")

    def unfilled(self, probe: Unfilled) -> Obstacle | None:
        columns = self.lookups.columns(probe.table)
        if columns is None:
            return None
        if probe.column in columns and (probe.conditional or not probe.dropped):
            return None
        kind = self.lookups.one("SELECT typtype FROM pg_catalog.pg_type WHERE oid = to_regtype(%s)", probe.type)
        if kind == "d":
            return None
        what = f"in {_name(probe.table)}, and the new column {quoted(probe.column)} has no value for them"
        query = SQL("SELECT * FROM {}").format(_table(probe.table))
        return self._counted("nulls", query, f"there is 1 row {what}", f"there are {{}} rows {what}")

    def orphans(self, probe: Orphans) -> Obstacle | None:
        ours, theirs = (
            self.lookups.columns(probe.table, *probe.columns),
            self.lookups.columns(probe.referenced, *probe.keys),
        )
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

    def broken(self, probe: Broken) -> Obstacle | None:
        if self.lookups.columns(probe.table, probe.condition) is None:
            return None
        query = SQL("SELECT * FROM {} WHERE NOT ({})").format(_table(probe.table), _sql(probe.condition.sql))
        what = f"of {_name(probe.table)} for which ({probe.condition.sql}) is false"
        return self._counted("check", query, f"there is 1 row {what}", f"there are {{}} rows {what}")

    def unconvertible(self, probe: Unconvertible) -> Obstacle | None:
        columns = self.lookups.columns(probe.table, probe.column)
        if columns is None:
            return None
        held, named = columns[probe.column], Identifier(probe.column)
        plain = held.type in ("text", "character varying")
        if probe.length is not None:
            wrong: Composable = SQL("char_length(rtrim({}, ' ')) > {}").format(named, Literal(probe.length))
            to = f"varchar({probe.length})"
        else:
            to = probe.type.replace('"pg_catalog".', "").replace('"', "")
            labels = probe.labels if probe.labels is not None else self.lookups.labels(probe.type)
            if labels is not None:
                plain = plain or held.typtype == "e"
                wrong = SQL("NOT {}::text = ANY ({}::text[])").format(named, Literal(list(labels)))
            elif self.lookups.convertible(probe.type):
                wrong = SQL("NOT pg_input_is_valid({}, {})").format(named, Literal(to))
            else:
                return None
        if not plain:
            return None
        query = SQL("SELECT {column}, count(*) FROM {table} WHERE {wrong} GROUP BY 1").format(
            column=named, table=_table(probe.table), wrong=wrong
        )
        what = f"of {quoted(probe.column)} in {_name(probe.table)}"
        return self._counted(
            "cast", query, f"1 value {what} is not a valid {to}", f"{{}} values {what} are not valid as {to}"
        )

    def unavailable(self, probe: Unavailable) -> Obstacle | None:
        # pg_tle provides extensions that the server's list does not show.
        if self.lookups.one("SELECT true FROM pg_catalog.pg_extension WHERE extname IN (%s, 'pg_tle')", probe.name):
            return None
        query = SQL("SELECT name, version FROM pg_catalog.pg_available_extension_versions WHERE name = {}").format(
            Literal(probe.name)
        )
        wanted = query + SQL(" AND version = {}").format(Literal(probe.version)) if probe.version else query
        if self.connection.execute(wanted).fetchone():
            return self._refused(probe)
        version = f" {probe.version}" if probe.version else ""
        return self._stands("missing_extension", query, f"the server has no extension {quoted(probe.name)}{version}")

    def _refused(self, probe: Unavailable) -> Obstacle | None:
        """The obstacle that the role may not create an extension that the server has."""
        if self.lookups.one(_DELEGATES):
            return None
        query = SQL(_MAY_CREATE).format(name=Literal(probe.name), version=Literal(probe.version))
        row = self.connection.execute(query).fetchone()
        if row is None or row[1]:
            return None
        fact = f"{quoted(str(row[0]))} may not create the extension {quoted(probe.name)}: that takes {row[2]}"
        return self._stands("privileges", query, fact)

    def denied(self, probe: Denied) -> Obstacle | None:
        who = self.lookups.one("SELECT current_user")
        if probe.name is None:
            query = Composed([SQL("SELECT current_user, has_database_privilege(current_database(), 'CREATE')")])
            fact = f"{quoted(str(who))} may not create schemas in this database"
        elif probe.right == "create":
            schema = probe.name.name
            if not self.lookups.one("SELECT true FROM pg_catalog.pg_namespace WHERE nspname = %s", schema):
                return None
            query = SQL("SELECT current_user, has_schema_privilege({}, 'CREATE')").format(Literal(schema))
            fact = f"{quoted(str(who))} may not create anything in schema {quoted(schema)}"
        else:
            if not self.lookups.relation(probe.name):
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

    def _counted(self, kind: str, query: Composed, one: str, many: str) -> Obstacle | None:
        """The obstacle made by the rows that a query lists; None if it lists none. `many` has `{}` for their number."""
        counting = SQL("SELECT count(*) FROM ({} LIMIT {}) AS found").format(query, Literal(MOST))
        row = self.connection.execute(counting).fetchone()
        count = int(row[0]) if row else 0
        if not count:
            return None
        number = f"at least {MOST}" if count == MOST else str(count)
        fact = one if count == 1 else many.replace("{}", number, 1)
        return Obstacle(self.statement, kind, count, fact, self._pasted(query))

    def _stands(self, kind: str, query: Composed, fact: str) -> Obstacle:
        return Obstacle(self.statement, kind, None, fact, self._pasted(query))

    def _pasted(self, query: Composed) -> str:
        return query.as_string(self.connection) + ";"


def _sql(text: str) -> SQL:
    """SQL text that was written from a parse tree, as a composable."""
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


def _comparable(ours: Column, theirs: Column) -> bool:
    """Whether comparing the two columns by `=` gives what the foreign key would find."""
    if ours.collation != theirs.collation:
        return False
    if any(ours.type in group and theirs.type in group for group in (_INTEGERS, _TEXTS)):
        return True
    return ours.oid == theirs.oid and (ours.typtype == "e" or (ours.typtype == "b" and ours.builtin))
