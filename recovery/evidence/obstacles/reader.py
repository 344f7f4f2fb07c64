"""Reads from a script the probes that tell whether production would make its statements fail.

A probe is about production as it is now, so there is none on objects that an earlier statement may change.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from recovery.evidence.obstacles.objects import object_probes
from recovery.evidence.obstacles.preceding import Preceding
from recovery.evidence.obstacles.probes import (
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
from recovery.sql.expressions import Expression, column, expression, identifier
from recovery.sql.names import Name, relation
from recovery.sql.statements import ScriptError, tree
from recovery.sql.tree import enum_name, strings


def probes(scripts: Sequence[str], schema: str) -> Iterator[tuple[Probe, ...]]:
    """The probes for each of these scripts; fewer if one of them can't be parsed, which says nothing of the rest.

    Args:
        scripts: texts of the migrations, in the order in which a deploy runs them.
        schema: the schema of unqualified names.
    """
    preceding = Preceding(schema)
    for script in scripts:
        found: list[Probe] = []
        try:
            statements = tree(script)
        except ScriptError:
            return
        for index, (node, body) in enumerate(statements, 1):
            if preceding.everything:
                break
            found += _Reader(index, preceding).read(node, body)
            found += object_probes(index, preceding, node, body)
            preceding.after(node, body)
        yield tuple(found)


#: Statements that make something in a schema, each with the field of its parse tree that names it.
_MADE = {
    "create_stmt": "relation",
    "create_seq_stmt": "sequence",
    "create_enum_stmt": "type_name",
    "create_function_stmt": "funcname",
}


@dataclass(slots=True)
class _Reader:
    """Reads one statement, knowing what the statements before it may have changed."""

    index: int
    preceding: Preceding
    #: Columns that other actions of the same ALTER TABLE change; PostgreSQL does not run actions in the text's order.
    touched: set[str] = field(default_factory=set)

    def read(self, node: str, body: Any) -> Iterator[Probe]:
        yield from self._rights(node, body)
        if node == "index_stmt" and body.unique:
            yield from self._index(body)
        elif node == "alter_table_stmt" and enum_name(body, "objtype") == "OBJECT_TABLE":
            yield from self._alter(body)
        elif node == "create_extension_stmt":
            options = {item.def_elem.defname: item.def_elem.arg.string.sval for item in body.options}
            yield Unavailable(self.index, body.extname, options.get("new_version", ""))

    def _rights(self, node: str, body: Any) -> Iterator[Probe]:
        if self.preceding.rights:
            return
        if node == "create_schema_stmt":
            yield Denied(self.index, "create", None)
        elif node in _MADE and not getattr(body, "if_not_exists", False):
            named = getattr(body, _MADE[node])
            if hasattr(named, "relname"):
                schema = None if named.relpersistence == "t" else named.schemaname or self.preceding.schema
            else:
                parts = strings(named)
                schema = parts[0] if len(parts) > 1 else self.preceding.schema
            if schema is not None:
                yield Denied(self.index, "create", Name(None, schema))
        elif node == "index_stmt" or (node == "alter_table_stmt" and enum_name(body, "objtype") == "OBJECT_TABLE"):
            table = self.preceding.full(relation(body.relation))
            if table not in self.preceding.names:
                yield Denied(self.index, "owner", table)
                if node == "index_stmt" and not body.if_not_exists:
                    yield Denied(self.index, "create", Name(None, table.schema or ""))

    def _known(self, table: Name, *columns: str) -> bool:
        """Whether no earlier statement can have changed the table or these columns of it."""
        return table not in self.preceding.names and not any(
            (table, each) in self.preceding.columns or each in self.touched for each in columns
        )

    def _pure(self, table: Name, *expressions: Expression) -> bool:
        """Whether no earlier statement can have changed a column, function or type that the expressions use."""
        names = {name.name for name in self.preceding.names}
        return all(
            self._known(table, *each.columns)
            and names.isdisjoint(name for name, _ in each.functions)
            and not any(each.types & {self.preceding.type_text(name)} for name in self.preceding.names)
            for each in expressions
        )

    def _index(self, body: Any) -> Iterator[Probe]:
        table = self.preceding.full(relation(body.relation))
        keys = []
        for item in body.index_params:
            key = item.index_elem
            if key.collation or key.opclass:
                return
            keys.append(column(key.name) if key.name else expression(key.expr, self.preceding.schema))
        where = None
        if body.HasField("where_clause"):
            where = expression(body.where_clause, self.preceding.schema)
            if where is None:
                return
        unless = Name(table.schema, body.idxname) if body.if_not_exists else None
        wanted = [*keys, *([where] if where else [])]
        if None in wanted or body.access_method != "btree" or unless in self.preceding.names:
            return
        if self._known(table) and self._pure(table, *wanted):  # type: ignore[arg-type]
            yield Duplicates(self.index, table, tuple(keys), where, not body.nulls_not_distinct, unless)  # type: ignore[arg-type]

    def _alter(self, body: Any) -> Iterator[Probe]:
        table = self.preceding.full(relation(body.relation))
        commands = [item.alter_table_cmd for item in body.cmds]
        changes = [(enum_name(each, "subtype"), each, getattr(each, "def").column_def) for each in commands]
        for position, (action, command, definition) in enumerate(changes):
            others = changes[:position] + changes[position + 1 :]
            self.touched = {
                other.name or added.colname
                for kind, other, added in others
                if kind in ("AT_AddColumn", "AT_DropColumn", "AT_AlterColumnType")
            }
            if action == "AT_SetNotNull" and self._known(table, command.name):
                yield Nulls(self.index, table, command.name)
            elif action == "AT_AddColumn" and self._known(table):
                yield from self._added(table, command, definition, others)
            elif action == "AT_AlterColumnType" and self._known(table, command.name):
                yield from self._converted(table, command.name, definition)
            elif action == "AT_AddConstraint":
                yield from self._constraint(table, getattr(command, "def").constraint)

    def _added(self, table: Name, command: Any, definition: Any, others: list[tuple[str, Any, Any]]) -> Iterator[Probe]:
        kinds = {enum_name(item.constraint, "contype") for item in definition.constraints}
        names = strings(definition.type_name.names)
        given = kinds & {"CONSTR_DEFAULT", "CONSTR_IDENTITY", "CONSTR_GENERATED"}
        if given or not kinds & {"CONSTR_NOTNULL", "CONSTR_PRIMARY"} or "serial" in names[-1]:
            return
        name = definition.colname
        same = [kind for kind, other, added in others if name in (other.name, added.colname)]
        if set(same) - {"AT_DropColumn"}:
            return
        dropped = bool(same) or (table, name) in self.preceding.columns
        kind = ".".join(identifier(each) for each in names)
        yield Unfilled(self.index, table, name, kind, dropped, command.missing_ok)

    def _constraint(self, table: Name, constraint: Any) -> Iterator[Probe]:
        kind = enum_name(constraint, "contype")
        if constraint.skip_validation or (kind in ("CONSTR_CHECK", "CONSTR_FOREIGN") and not constraint.is_enforced):
            return
        keys = strings(constraint.keys)
        if kind in ("CONSTR_UNIQUE", "CONSTR_PRIMARY") and keys and not constraint.without_overlaps:
            if self._known(table, *keys):
                distinct = not constraint.nulls_not_distinct
                yield Duplicates(self.index, table, tuple(map(column, keys)), nulls_distinct=distinct)
            for key in keys if kind == "CONSTR_PRIMARY" else ():
                if self._known(table, key):
                    yield Nulls(self.index, table, key)
        elif kind == "CONSTR_CHECK":
            condition = expression(constraint.raw_expr, self.preceding.schema)
            if condition is not None and self._known(table) and self._pure(table, condition):
                yield Broken(self.index, table, condition)
        elif kind == "CONSTR_FOREIGN":
            yield from self._foreign(table, constraint)

    def _foreign(self, table: Name, constraint: Any) -> Iterator[Probe]:
        referenced = self.preceding.full(relation(constraint.pktable))
        columns, keys = strings(constraint.fk_attrs), strings(constraint.pk_attrs)
        if referenced in self.preceding.names:
            return
        if not self.preceding.rights:
            yield Denied(self.index, "references", referenced)
        changed = any((referenced, key) in self.preceding.columns for key in keys)
        if referenced == table:
            changed = changed or not self._known(table, *keys)
        plain = len(columns) == len(keys) > 0 and not constraint.fk_with_period
        if plain and not changed and self._known(table, *columns):
            yield Orphans(self.index, table, columns, referenced, keys)

    def _converted(self, table: Name, name: str, definition: Any) -> Iterator[Probe]:
        wanted = definition.type_name
        parts = strings(wanted.names)
        if wanted.array_bounds or definition.HasField("coll_clause"):
            return
        using = definition.raw_default
        if parts in (("pg_catalog", "varchar"), ("varchar",)) and not definition.HasField("raw_default"):
            sizes = [item.a_const.ival.ival for item in wanted.typmods]
            if len(sizes) == 1:
                yield Unconvertible(self.index, table, name, '"pg_catalog"."varchar"', length=sizes[0])
            return
        if wanted.typmods or not _casts(using, name, parts):
            return
        if parts[:-1] == ("pg_catalog",) or parts[-1] in ("uuid", "json", "jsonb"):
            yield Unconvertible(self.index, table, name, ".".join(map(identifier, parts)))
            return
        kind = self.preceding.full(Name(parts[0] if len(parts) > 1 else None, parts[-1]))
        labels = self.preceding.enums.get(kind)
        if labels is not None or kind not in self.preceding.names:
            yield Unconvertible(self.index, table, name, self.preceding.type_text(kind), labels)


def _casts(using: Any, name: str, wanted: tuple[str, ...]) -> bool:
    """Whether a USING expression is `name::wanted` or `name::text::wanted`, and nothing else."""
    if using.WhichOneof("node") != "type_cast":
        return False
    last = using.type_cast
    if strings(last.type_name.names) != wanted or last.type_name.typmods or last.type_name.array_bounds:
        return False
    inner = last.arg
    if inner.WhichOneof("node") == "type_cast":
        between = inner.type_cast.type_name
        if strings(between.names) != ("text",) or between.array_bounds:
            return False
        inner = inner.type_cast.arg
    return inner.WhichOneof("node") == "column_ref" and strings(inner.column_ref.fields)[-1:] == (name,)
